// SPDX-License-Identifier: Apache-2.0
#include "follow.hpp"

#include <chrono>

#include <fmt/format.h>

#include "exit.hpp"

namespace comap::tool {

Result<Followed> Follower::next() {
    for (;;) {
        if (stop_.have_come()) return Followed::stopped;
        const auto what = what_to_wait_for();
        if (!what) return tl::unexpected(what.error());
        const auto end = wait_(seen_, deadline_, *what);
        if (!end) return tl::unexpected(end.error());
        const auto followed = after_wait(*end);
        if (!followed) return tl::unexpected(followed.error());
        if (*followed) return **followed;
    }
}

// What that end of a wait means; nothing: wait on.
Result<std::optional<Followed>> Follower::after_wait(Wait end) {
    if (end == Wait::interrupted) return std::nullopt;
    const auto is_changed = take_change();
    if (!is_changed) return tl::unexpected(is_changed.error());
    if (*is_changed) return Followed::changed;
    if (end == Wait::timed_out) return Followed::timed_out;
    if (end == Wait::changed) return std::nullopt;
    const auto what = what_to_wait_for();
    if (!what) return tl::unexpected(what.error());
    if (*what == WaitFor::change) return std::nullopt;  // it was made to stay meanwhile
    return Followed::alone;
}

Result<bool> Follower::take_change() {
    const auto version = version_();
    if (!version) return tl::unexpected(version.error());
    const bool is_changed = *version != seen_;
    seen_ = *version;
    return is_changed;
}

// A kept object needs no holder, so being alone with it says nothing.
Result<WaitFor> Follower::what_to_wait_for() const {
    return info_().map([](const ObjectInfo& info) { return info.keep ? WaitFor::change : WaitFor::change_or_alone; });
}

int fail_followed(Followed end, const std::string& name) {
    if (end == Followed::timed_out) message(fmt::format("time is over, and {} did not change", name));
    if (end == Followed::alone) message(fmt::format("the last other holder of {} has gone; nobody is left to change it", name));
    return end == Followed::timed_out ? kTimedOut : kNegative;
}

Deadline deadline_after(std::optional<double> seconds) {
    if (!seconds || !(*seconds < 1e9)) return Deadline::forever();
    return Deadline::after(std::chrono::nanoseconds(static_cast<std::int64_t>(*seconds * 1e9)));
}

}  // namespace comap::tool
