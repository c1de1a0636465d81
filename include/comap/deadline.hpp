// SPDX-License-Identifier: Apache-2.0
// Deadline: a point on the monotonic clock. Blocking calls take one instead of a duration, so that a call made of several
// waits never takes longer than was asked.
#pragma once

#include <chrono>
#include <cstdint>

namespace comap {

class Deadline {
  public:
    // Waits without end.
    static constexpr Deadline forever() { return Deadline{kForever}; }

    // Already over: a blocking call only looks.
    static constexpr Deadline passed() { return Deadline{0}; }

    static Deadline after(std::chrono::nanoseconds duration) {
        const auto now_ns = std::chrono::steady_clock::now().time_since_epoch().count();
        if (duration.count() <= 0) return passed();
        if (duration.count() >= INT64_MAX - now_ns) return forever();
        return Deadline{static_cast<std::uint64_t>(now_ns + duration.count())};
    }

    // Nanoseconds of the monotonic clock (CLOCK_MONOTONIC); UINT64_MAX is forever.
    static constexpr Deadline at_ns(std::uint64_t monotonic_ns) { return Deadline{monotonic_ns}; }
    constexpr std::uint64_t ns() const { return ns_; }
    constexpr bool is_forever() const { return ns_ == kForever; }
    bool is_over() const {
        return ns_ == 0 || (!is_forever() &&
               static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) >= ns_);
    }

    friend constexpr Deadline earlier(Deadline a, Deadline b) { return a.ns_ < b.ns_ ? a : b; }

  private:
    static constexpr std::uint64_t kForever = UINT64_MAX;
    constexpr explicit Deadline(std::uint64_t ns) : ns_(ns) {}
    std::uint64_t ns_;
};

}  // namespace comap
