// SPDX-License-Identifier: Apache-2.0
#include "appearing.hpp"

#include <algorithm>
#include <chrono>

#include <poll.h>

namespace comap::tool {
namespace {

constexpr std::chrono::milliseconds kUntold = std::chrono::milliseconds(20);  // between looks where nothing tells: there is no directory yet
constexpr std::chrono::milliseconds kTold = std::chrono::milliseconds(1000);

int milliseconds_until(Deadline deadline, std::chrono::milliseconds most) {
    if (deadline.is_forever()) return static_cast<int>(most.count());
    const auto now_ns = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
    const std::uint64_t left_ms = deadline.ns() > now_ns ? (deadline.ns() - now_ns + 999'999) / 1'000'000 : 0;
    return static_cast<int>(std::min<std::uint64_t>(left_ms, static_cast<std::uint64_t>(most.count())));
}

}  // namespace

Appearing::Appearing(const Context& context, const std::string& name)
    : directory_(context.directory(name.starts_with("Global\\") ? Scope::global : Scope::local)), events_(DirectoryEvents::create()) {
    is_watched_ = events_ && events_->add(directory_);
}

bool Appearing::wait(Deadline deadline, const StopSignals& stop) {
    if (stop.have_come() || deadline.is_over()) return false;
    if (!is_watched_ && events_ && events_->add(directory_)) {
        is_watched_ = true;  // it may have appeared before
        return true;
    }
    pollfd poll = {is_watched_ ? events_->descriptor() : -1, POLLIN, 0};
    ::poll(&poll, 1, milliseconds_until(deadline, is_watched_ ? kTold : kUntold));
    if (is_watched_) events_->read();
    return !stop.have_come();
}

}  // namespace comap::tool
