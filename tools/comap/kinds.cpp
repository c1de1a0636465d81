// SPDX-License-Identifier: Apache-2.0
#include "kinds.hpp"

#include <fmt/format.h>

#include "exit.hpp"

namespace comap::tool {
namespace {

std::string commands_for(const ObjectInfo& info) {
    switch (info.kind) {
        case Kind::section:
            if (info.layout == Layout::text) return "a text is set with 'comap put', printed with 'comap get', followed with 'comap watch'";
            if (info.layout == Layout::cell) return "a cell is set with 'comap put NAME FIELD=VALUE', printed with 'comap get', followed with 'comap watch'";
            if (info.layout == Layout::channel) return "a channel is published in with 'comap pub', subscribed to with 'comap sub', recorded with 'comap record'";
            if (info.layout == Layout::queue) return "a queue is added to with 'comap push' and taken from with 'comap pop'";
            return "a section is read with 'comap get' or 'comap hexdump', written with 'comap put --at', followed with 'comap watch'";
        case Kind::mutex: return "a mutex is taken with 'comap lock', waited for with 'comap wait', shown by 'comap stat'";
        case Kind::event: return "an event is set and reset with 'comap event', waited for with 'comap wait', shown by 'comap stat'";
        case Kind::semaphore: return "a semaphore is acquired and released with 'comap sem', waited for with 'comap wait', shown by 'comap stat'";
    }
    return {};
}

}  // namespace

bool is_section(const ObjectInfo& info) { return info.kind == Kind::section; }

bool is_stream(const ObjectInfo& info) { return info.layout == Layout::channel || info.layout == Layout::queue; }

std::string_view shown_kind(const ObjectInfo& info) {
    return info.layout == Layout::cell || is_stream(info) ? layout_name(info.layout) : kind_name(info.kind);
}

std::string sync_state(const ObjectInfo& info, const std::string& owner) {
    switch (info.kind) {
        case Kind::section: break;
        case Kind::mutex:
            if (info.is_abandoned) return "abandoned";
            if (info.owner_thread == 0) return "free";
            return fmt::format("locked by {}", owner.empty() ? std::to_string(info.owner_thread) : owner);
        case Kind::event: return fmt::format("{}, {}", info.is_set ? "set" : "not set", info.is_manual ? "manual" : "automatic");
        case Kind::semaphore: return fmt::format("{}/{}", info.count, info.maximum);
    }
    return {};
}

int fail_kind(Context& context, const Error& error) {
    const int status = fail(error);
    if (error.code != Code::kind_mismatch && error.code != Code::layout_mismatch) return status;
    const auto info = context.stat(error.object);
    if (info && (error.code == Code::kind_mismatch || is_stream(*info))) message(commands_for(*info));
    return status;
}

int fail_layout(Context& context, const Error& error) {
    const int status = fail(error);
    if (error.code != Code::kind_mismatch && error.code != Code::layout_mismatch) return status;
    const auto info = context.stat(error.object);
    if (info) message(commands_for(*info));
    return status;
}

}  // namespace comap::tool
