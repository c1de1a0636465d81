// SPDX-License-Identifier: Apache-2.0
#include "directory_events.hpp"

#include <array>
#include <cerrno>
#include <cstring>

#include <fmt/format.h>
#include <sys/inotify.h>
#include <unistd.h>

namespace comap::tool {
namespace {

constexpr std::uint32_t kAppeared = IN_CREATE | IN_MOVED_TO;
constexpr std::uint32_t kDisappeared = IN_DELETE | IN_MOVED_FROM;

tl::unexpected<Error> refused(const std::string& what, int os_error) {
    const bool is_limit = os_error == EMFILE || os_error == ENOSPC;
    return tl::unexpected(Error{Code::os_error, os_error, "",
                                fmt::format("{}: {}{}", what, system_text(os_error),
                                            is_limit ? "; see fs.inotify.max_user_instances and max_user_watches (sysctl)" : "")});
}

DirectoryEvent event_of(const inotify_event& raw, const char* name) {
    DirectoryEvent event;
    event.watch = raw.wd;
    event.has_appeared = (raw.mask & kAppeared) != 0;
    event.has_disappeared = (raw.mask & kDisappeared) != 0;
    event.was_closed = (raw.mask & IN_CLOSE) != 0;
    event.were_lost = (raw.mask & IN_Q_OVERFLOW) != 0;
    if (raw.len > 0) event.file_name = name;
    return event;
}

}  // namespace

Result<DirectoryEvents> DirectoryEvents::create() {
    DirectoryEvents events;
    events.inotify_ = Descriptor(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!events.inotify_) return refused("inotify cannot be used", errno);
    return events;
}

Result<int> DirectoryEvents::add(const std::string& path) { return add(path, kAppeared | kDisappeared | IN_CLOSE); }

Result<int> DirectoryEvents::add_for_disappearing(const std::string& path) { return add(path, kDisappeared); }

Result<int> DirectoryEvents::add(const std::string& path, std::uint32_t mask) {
    const int watch = ::inotify_add_watch(inotify_.number(), path.c_str(), mask | IN_ONLYDIR);
    if (watch < 0) return refused(path + " cannot be watched", errno);
    return watch;
}

std::vector<DirectoryEvent> DirectoryEvents::read() {
    alignas(inotify_event) std::array<char, 64 * 1024> buffer;
    std::vector<DirectoryEvent> events;
    const auto count = ::read(inotify_.number(), buffer.data(), buffer.size());
    for (std::size_t at = 0; count > 0 && at < static_cast<std::size_t>(count);) {
        inotify_event raw = {};
        std::memcpy(&raw, buffer.data() + at, sizeof raw);
        events.push_back(event_of(raw, buffer.data() + at + sizeof raw));
        at += sizeof raw + raw.len;
    }
    return events;
}

}  // namespace comap::tool
