// SPDX-License-Identifier: Apache-2.0
#include "os/change_events.hpp"

#include <poll.h>
#include <sys/inotify.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

namespace comap::os {

OsResult<ChangeEvents> ChangeEvents::create() {
    auto events = owned(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
    if (!events) return tl::unexpected<int>(events.error());
    return ChangeEvents(std::move(*events));
}

OsResult<int> ChangeEvents::add(int file_descriptor) {
    const std::string path = "/proc/thread-self/fd/" + std::to_string(file_descriptor);
    const int watch = ::inotify_add_watch(fd_.number(), path.c_str(), IN_ATTRIB | IN_MODIFY | IN_CLOSE);
    if (watch < 0) return tl::unexpected<int>(errno);
    return watch;
}

void ChangeEvents::remove(int watch) { ::inotify_rm_watch(fd_.number(), watch); }

OsResult<std::optional<FileEvent>> ChangeEvents::next() {
    if (begin_ == end_) {
        const ssize_t count = ::read(fd_.number(), buffer_, sizeof buffer_);
        if (count < 0 && (errno == EAGAIN || errno == EINTR)) return std::nullopt;
        if (count < 0) return tl::unexpected<int>(errno);
        begin_ = 0;
        end_ = static_cast<std::size_t>(count);
        if (end_ == 0) return std::nullopt;
    }
    struct inotify_event event;
    std::memcpy(&event, buffer_ + begin_, sizeof event);
    begin_ += sizeof event + event.len;
    return FileEvent{.watch = event.wd,
                     .closed = (event.mask & IN_CLOSE) != 0,
                     .overflowed = (event.mask & IN_Q_OVERFLOW) != 0,
                     .ended = (event.mask & IN_IGNORED) != 0};
}

Ready ChangeEvents::wait(Deadline deadline) const {
    struct pollfd waiting = {fd_.number(), POLLIN, 0};
    struct timespec left = {};
    if (!deadline.is_forever()) {
        struct timespec now;
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        const std::uint64_t now_ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
        const std::uint64_t left_ns = deadline.ns() > now_ns ? deadline.ns() - now_ns : 0;
        left = {static_cast<time_t>(left_ns / 1'000'000'000u), static_cast<long>(left_ns % 1'000'000'000u)};
    }
    const int ready = ::ppoll(&waiting, 1, deadline.is_forever() ? nullptr : &left, nullptr);
    if (ready > 0) return Ready::readable;
    return ready == 0 ? Ready::timed_out : Ready::interrupted;
}

}  // namespace comap::os
