// SPDX-License-Identifier: Apache-2.0
#include <comap/context.hpp>

#include <array>

#include "base/error.hpp"
#include "object/header.hpp"
#include "object/lifetime.hpp"
#include "object/namespaces.hpp"

namespace comap {
namespace {

using namespace internal;

Result<ObjectInfo> info_from(const Seen& seen, Scope scope, const std::string& file_name, const std::string& name) {
    alignas(HeaderPage) std::array<std::byte, kHeaderBytes> page{};
    const auto count = os::read_at(seen.fd.number(), page.data(), page.size(), 0);
    if (!count) return fail(code_of(count.error()), count.error(), name, "the object '", shown(name), "' cannot be read: ", os_text(count.error()));
    const auto state = os::state(seen.fd.number());  // after the bytes: it may be growing
    COMAP_GET(const Header header, parse_header(std::span<const std::byte>(page).first(*count), state ? state->size_bytes : 0, name));
    if (file_name_of(header.name) != file_name)
        return fail(Code::corrupt, 0, name, "the object '", shown(name), "' is damaged: its header names another object, '", shown(header.name), "'");
    ObjectInfo info = describe(header, seen.state, full_name(scope, header.name));
    info.presence = seen.presence;
    if (header.kind == Kind::section || describe_sync(reinterpret_cast<const HeaderPage*>(page.data())->sync, info)) return info;
    return fail(Code::corrupt, 0, name, "the ", kind_name(header.kind), " '", shown(name), "' is damaged: somebody wrote over its words; end its holders, then remove it with `comap rm`");
}

}  // namespace

std::string_view kind_name(Kind kind) noexcept {
    switch (kind) {
        case Kind::section:
            return "section";
        case Kind::mutex:
            return "mutex";
        case Kind::event:
            return "event";
        case Kind::semaphore:
            return "semaphore";
    }
    return "unknown";
}

std::string_view layout_name(Layout layout) noexcept {
    switch (layout) {
        case Layout::bytes:
            return "bytes";
        case Layout::text:
            return "text";
        case Layout::cell:
            return "cell";
        case Layout::channel:
            return "channel";
        case Layout::queue:
            return "queue";
    }
    return "unknown";
}

Context::Context(const ContextOptions& options) : namespaces_(std::make_unique<Namespaces>(options.root)) {}
Context::~Context() = default;

Context& Context::standard() {
    static Context* const context = new Context;  // never destroyed: objects may be used until the very end
    return *context;
}

const std::string& Context::root() const { return namespaces_->root(); }
std::string Context::directory(Scope scope) const { return namespaces_->path(scope); }

Result<std::string> Context::object_path(std::string_view given) const {
    COMAP_GET(const Name name, parse_name(given));
    return cat(namespaces_->path(name.scope), "/", name.file_name);
}

Result<ObjectInfo> Context::stat(std::string_view given) {
    COMAP_GET(const Name name, parse_name(given));
    COMAP_GET(const auto directory, namespaces_->open(name.scope));
    const auto not_found = [&] {
        return fail(Code::not_found, 0, given, "there is no object '", shown(given), "' in ", directory->path);
    };
    const auto seen = look(*directory, name.file_name, name.full());
    if (!seen && seen.error().code == Code::not_found) {
        if (namespaces_->forget_if_removed(*directory)) return stat(given);
        return not_found();
    }
    if (!seen) return tl::unexpected<Error>(seen.error());
    auto info = info_from(*seen, name.scope, name.file_name, name.full());
    if (info && info->presence == Presence::dead) return not_found();
    return info;
}

Result<void> Context::list(Scope scope, bool include_dead, const std::function<bool(const ListEntry&)>& visit) {
    COMAP_GET(const auto directory, namespaces_->open(scope));
    const auto visited = os::for_each_entry(directory->fd.number(), [&](std::string_view file_name_view) {
        const std::string file_name(file_name_view);
        const std::string name = full_name(scope, base_of(file_name).value_or(file_name));
        const auto seen = look(*directory, file_name, name);
        if (!seen) {
            if (seen.error().code == Code::not_found) return true;  // gone meanwhile
            return visit(ListEntry{name, tl::unexpected<Error>(seen.error())});
        }
        auto info = info_from(*seen, scope, file_name, name);
        if (info && info->presence == Presence::dead && !include_dead) return true;
        const std::string& listed = info ? info->name : name;
        return visit(ListEntry{listed, std::move(info)});
    });
    if (!visited)
        return fail(code_of(visited.error()), visited.error(), "", "the namespace directory ", directory->path, " cannot be listed: ", os_text(visited.error()));
    return {};
}

Result<Removed> Context::remove(std::string_view given) {
    COMAP_GET(const Name name, parse_name(given));
    COMAP_GET(const auto directory, namespaces_->open(name.scope));
    auto removed = remove_object(*directory, name);
    if (!removed && removed.error().code == Code::not_found && namespaces_->forget_if_removed(*directory)) return remove(given);
    return removed;
}

Result<Collected> Context::collect(Scope scope) {
    COMAP_GET(const auto directory, namespaces_->open(scope));
    Collected total;
    const auto visited = os::for_each_entry(directory->fd.number(), [&](std::string_view file_name) {
        ++total.examined_count;
        const auto one = internal::collect_file(*directory, std::string(file_name));
        if (!one || !one->was_dead) return true;  // in use, or in somebody's hands
        total.removed_count += one->removed ? 1 : 0;
        total.refused_count += one->removed ? 0 : 1;
        total.removed_bytes += one->removed ? one->bytes : 0;
        return true;
    });
    if (!visited)
        return fail(code_of(visited.error()), visited.error(), "", "the namespace directory ", directory->path, " cannot be listed: ", os_text(visited.error()));
    return total;
}

Result<bool> Context::collect_file(Scope scope, std::string_view file_name) {
    COMAP_GET(const auto directory, namespaces_->open(scope));
    if (file_name.empty() || file_name.find('/') != file_name.npos || file_name == "." || file_name == "..")
        return fail(Code::invalid_argument, 0, "", "'", shown(file_name), "' is not the name of a file in ", directory->path);
    COMAP_GET(const auto collected, internal::collect_file(*directory, std::string(file_name)));
    if (!collected.was_dead && namespaces_->forget_if_removed(*directory)) return collect_file(scope, file_name);
    return collected.removed;
}

Result<bool> Context::setup_global() { return namespaces_->setup_global(); }

Result<void> Context::check(Scope scope) {
    COMAP_GET(const auto directory, namespaces_->open(scope));
    if (namespaces_->forget_if_removed(*directory)) COMAP_TRY(namespaces_->open(scope));
    return {};
}

}  // namespace comap
