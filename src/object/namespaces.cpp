// SPDX-License-Identifier: Apache-2.0
#include "object/namespaces.hpp"

#include <cerrno>

#include "base/error.hpp"

namespace comap::internal {
namespace {

constexpr char kDefaultRoot[] = "/dev/shm";

std::string resolve_root(std::string root) {
    if (root.empty()) root = os::safe_environment("COMAP_DIR");
    if (root.empty()) root = kDefaultRoot;
    while (root.size() > 1 && root.back() == '/') root.pop_back();
    return root;
}

std::string octal(std::uint32_t mode) {
    std::string digits;
    for (int shift = 9; shift >= 0; shift -= 3) digits += static_cast<char>('0' + ((mode >> shift) & 7));
    return digits;
}

template <typename... Parts>
tl::unexpected<Error> unusable(int os_error, const std::string& path, const Parts&... parts) {
    return fail(Code::no_namespace, os_error, "", "the namespace directory ", path, " ", parts...);
}

Result<void> check_local(const os::FileState& state, const std::string& path, std::uint32_t uid) {
    if (state.uid != uid)
        return unusable(0, path, "belongs to user ", state.uid, ", not to you (", uid, "); remove it, or set COMAP_DIR");
    if ((state.mode & 0077) != 0)
        return unusable(0, path, "is open to other users (mode ", octal(state.mode), "); run: chmod 700 ", path);
    return {};
}

Result<void> check_global(const os::FileState& state, const std::string& path, std::uint32_t uid) {
    if (state.uid != 0 && state.uid != uid)
        return unusable(0, path, "belongs to user ", state.uid, ", not to root; remove it and run: comap setup-global");
    if ((state.mode & 0002) != 0 && !state.is_sticky())
        return unusable(0, path, "is writable for all but not sticky (mode ", octal(state.mode), "); run: chmod 1777 ", path);
    return {};
}

}  // namespace

Namespaces::Namespaces(std::string root) : root_(resolve_root(std::move(root))), uid_(os::effective_uid()) {}

std::string Namespaces::directory_name(Scope scope) const {
    return scope == Scope::local ? cat("comap-", uid_) : std::string("comap");
}

std::string Namespaces::path(Scope scope) const { return cat(root_, root_ == "/" ? "" : "/", directory_name(scope)); }

Result<std::shared_ptr<Directory>> Namespaces::open(Scope scope) {
    const std::lock_guard guard(mutex_);
    auto& known = directories_[static_cast<std::size_t>(scope)];
    if (!known) {
        COMAP_GET(known, open_afresh(scope));
    }
    return known;
}

bool Namespaces::forget_if_removed(const Directory& directory) {
    const auto state = os::state(directory.fd.number());
    if (state && state->link_count > 0) return false;
    const std::lock_guard guard(mutex_);
    auto& known = directories_[static_cast<std::size_t>(directory.scope)];
    if (known.get() == &directory) known.reset();
    return true;
}

Result<std::shared_ptr<Directory>> Namespaces::open_afresh(Scope scope) {
    const std::string where = path(scope);
    auto root = os::open_directory(root_);
    if (!root)
        return fail(Code::no_namespace, root.error(), "", "the directory ", root_, " that should hold the objects cannot be opened: ",
                    os_text(root.error()), "; create it, or set COMAP_DIR to another");
    const std::string name = directory_name(scope);
    auto fd = os::open_directory_at(root->number(), name);
    if (!fd && fd.error() == ENOENT && scope == Scope::local) {
        const auto made = os::make_directory_at(root->number(), name, 0700);
        if (!made && made.error() != EEXIST) return unusable(made.error(), where, "cannot be made: ", os_text(made.error()));
        fd = os::open_directory_at(root->number(), name);
    }
    if (!fd && fd.error() == ENOENT)
        return unusable(ENOENT, where, "for Global\\ objects does not exist; root makes it once with: comap setup-global");
    if (!fd && (fd.error() == ENOTDIR || fd.error() == ELOOP))
        return unusable(fd.error(), where, "is not a directory; remove what is there");
    if (!fd) return unusable(fd.error(), where, "cannot be opened: ", os_text(fd.error()));
    const auto state = os::state(fd->number());
    if (!state) return unusable(state.error(), where, "cannot be examined: ", os_text(state.error()));
    COMAP_TRY(scope == Scope::local ? check_local(*state, where, uid_) : check_global(*state, where, uid_));
    auto directory = std::make_shared<Directory>();
    directory->fd = std::move(*fd);
    directory->path = where;
    directory->scope = scope;
    return directory;
}

Result<bool> Namespaces::setup_global() {
    const std::string where = path(Scope::global);
    const auto root = os::open_directory(root_);
    if (!root) return unusable(root.error(), where, "cannot be made: ", root_, ": ", os_text(root.error()));
    const auto made = os::make_directory_at(root->number(), directory_name(Scope::global), 01777);
    if (!made && made.error() != EEXIST)
        return unusable(made.error(), where, "cannot be made: ", os_text(made.error()), "; run as root: comap setup-global");
    if (!made) {  // there already: perhaps by one who was killed before it had its mode
        const auto there = os::open_directory_at(root->number(), directory_name(Scope::global));
        if (there) (void)os::set_mode(there->number(), 01777);  // not ours: the check below says what is wrong with it
    }
    COMAP_TRY(open(Scope::global));
    return made.has_value();
}

}  // namespace comap::internal
