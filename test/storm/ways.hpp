// SPDX-License-Identifier: Apache-2.0
// The ways to a mutex, for tests that must hold for each: lock, wait_any, wait_all.
#pragma once

#include <array>
#include <chrono>
#include <string>

#include "support/process.hpp"

namespace comap::test {

enum class Way { lock, any, all };
inline constexpr std::array<Way, 3> kWays = {Way::lock, Way::any, Way::all};

inline const char* name_of(Way way) { return way == Way::lock ? "lock" : way == Way::any ? "wait_any" : "wait_all"; }

// Objects of one process. The event `never` is not set, `always` is, and there are plenty of tokens.
struct Objects {
    Mutex mutex;
    Event never;
    Event always;
    Semaphore plenty;

    static Objects create(Context& context) {
        return {Mutex::create("m", {}, context).value(), Event::create("never", {}, context).value(),
                Event::create("always", {.reset = Reset::manual, .initially_set = true}, context).value(),
                Semaphore::create("plenty", {.initial = 1'000'000}, context).value()};
    }
    static Objects open(Context& context) {
        return {Mutex::open("m", {}, context).value(), Event::open("never", {}, context).value(), Event::open("always", {}, context).value(),
                Semaphore::open("plenty", {}, context).value()};
    }

    // "acquired", "abandoned", "timed out", or what else it was.
    std::string take(Way way, Deadline deadline = Deadline::forever()) const {
        if (way == Way::lock) {
            const auto end = mutex.lock(deadline);
            return end ? said(*end) : end.error().message;
        }
        const std::array<Waitable, 2> any = {never, mutex};
        const std::array<Waitable, 3> all = {always, mutex, plenty};
        const auto waited = way == Way::any ? wait_any(any, deadline) : wait_all(all, deadline);
        if (!waited) return waited.error().message;
        const bool has_index = waited->end == Acquired::acquired_abandoned || (waited->end == Acquired::acquired && way == Way::any);
        if (has_index && waited->index != 1) return "wrong index " + std::to_string(waited->index);
        return said(waited->end);
    }

  private:
    static std::string said(Acquired end) {
        switch (end) {
            case Acquired::acquired:
                return "acquired";
            case Acquired::acquired_abandoned:
                return "abandoned";
            case Acquired::timed_out:
                return "timed out";
            case Acquired::interrupted:
                break;
        }
        return "interrupted";
    }
};

}  // namespace comap::test
