// SPDX-License-Identifier: Apache-2.0
#include <comap/waiting.hpp>

#include <algorithm>
#include <array>

#include <comap/cell.hpp>
#include <comap/event.hpp>
#include <comap/mutex.hpp>
#include <comap/section.hpp>
#include <comap/semaphore.hpp>
#include <comap/text.hpp>

#include "base/error.hpp"
#include "sync/robust_lock.hpp"
#include "waitable/core.hpp"

namespace comap {

using namespace internal;

static_assert(kWaitCountMax == kWaitMax);

namespace {

using Point = WaitPoint<os::Machine>;

// What an entry was made of cannot be used so, if there is something to say.
Result<void> check(const Waitable& one) {
    if (one.core()) {
        if (one.access() == Access::read_write) return {};
        if (one.core()->is_manual() && one.core()->can_be_waited_for()) return {};
        return fail(Code::permission_denied, 0, one.object()->name(), "the ", kind_name(one.core()->kind()), " '", shown(one.object()->name()),
                    "' was opened for reading only and cannot be waited for by this handle");
    }
    if (!one.object()) return fail(Code::invalid_argument, 0, "", "an entry of the list to wait for is a closed handle");
    if (!one.hooks()) COMAP_TRY(one.object()->require_versions());
    return one.object()->page_is_writable() ? Result<void>() : one.object()->require_waitable();
}

Result<Point> point_of(const Waitable& one) {
    if (one.core()) return one.core()->point();
    if (one.hooks()) {
        Point point;
        point.is = Awaited::data;
        point.hooks = one.hooks();
        point.data = one.data();
        return point;
    }
    COMAP_GET(HeaderPage* const page, one.object()->page());
    return one.object()->change_point(*page, one.seen() & kVersionMask);
}

Result<SyncKey> key_of(const Waitable& one) {
    if (one.core()) return one.core()->key();
    COMAP_GET(const os::FileState state, one.object()->sync_file_state(false));
    // Its changes, or a reader's place in it; not a lock in one of its pages.
    return SyncKey{state.device, state.inode, one.hooks() ? reinterpret_cast<std::uintptr_t>(one.data()) | 1 : UINT64_MAX};
}

Result<void> check_count(std::size_t count) {
    if (count > 0 && count <= kWaitMax) return {};
    return fail(Code::invalid_argument, 0, "", count == 0 ? std::string("the list to wait for is empty") : cat("a list of ", count, " objects to wait for is too long: at most ", kWaitMax));
}

// Nothing to check, without making a Result to say so.
bool is_plain(const Waitable& one) { return one.core() && one.access() == Access::read_write; }

Result<Take> look_for_change(const Waitable& one) {
    if (one.hooks()) return one.hooks()->look(one.data());
    COMAP_GET(const HeaderPage* const page, one.object()->page());
    return current_version(page->change) != (one.seen() & kVersionMask) ? Take::taken : Take::not_ready;
}

// The points of a list, on the stack; only as many are made as there are entries.
class Points {
  public:
    Result<void> fill(std::span<const Waitable> objects) {
        for (; count_ < objects.size(); ++count_) {
            COMAP_GET(Point point, point_of(objects[count_]));
            new (&at(count_)) Point(point);
        }
        return {};
    }
    std::span<Point> all() { return {&at(0), count_}; }

  private:
    static_assert(std::is_trivially_destructible_v<Point>);
    Point& at(std::size_t index) { return *reinterpret_cast<Point*>(bytes_ + index * sizeof(Point)); }
    alignas(Point) std::byte bytes_[kWaitMax * sizeof(Point)];
    std::size_t count_ = 0;
};

Result<Waited> finished(const WaitResult& result, std::span<const Waitable> objects) {
    switch (result.end) {
        case Ended::acquired:
            return Waited{Acquired::acquired, result.index};
        case Ended::acquired_abandoned:
            return Waited{Acquired::acquired_abandoned, result.index};
        case Ended::timed_out:
            return Waited{Acquired::timed_out, 0};
        case Ended::interrupted:
            return Waited{Acquired::interrupted, 0};
        case Ended::too_deep:
        case Ended::corrupt:
            break;
    }
    const Waitable& damaged = objects[result.index];
    if (result.end == Ended::too_deep)
        return fail(Code::limit_reached, 0, damaged.object()->name(), "the mutex '", shown(damaged.object()->name()), "' was locked more often by this thread than can be counted");
    return fail(Code::corrupt, 0, damaged.object()->name(), "'", shown(damaged.object()->name()), "' (at ", result.index,
                " in the list to wait for) is damaged: somebody wrote over its words; end its holders, then remove it with `comap rm`");
}

}  // namespace

Waitable::Waitable(const Mutex& mutex) : core_(mutex.core().get()), object_(mutex.object().get()), access_(mutex.access()) {}
Waitable::Waitable(const Event& event) : core_(event.core().get()), object_(event.object().get()), access_(event.access()) {}
Waitable::Waitable(const Semaphore& semaphore) : core_(semaphore.core().get()), object_(semaphore.object().get()), access_(semaphore.access()) {}
Waitable::Waitable(const Section& section, std::uint32_t seen) : object_(section.object().get()), seen_(seen) {}
Waitable::Waitable(const RawCell& cell, std::uint32_t seen) : object_(cell.object().get()), seen_(seen) {}
Waitable::Waitable(const Text& text, std::uint32_t seen) : object_(text.object().get()), seen_(seen) {}

Result<Waited> wait_any(std::span<const Waitable> objects, Deadline deadline) {
    COMAP_TRY(check_count(objects.size()));
    for (const Waitable& one : objects)
        if (!is_plain(one)) COMAP_TRY(check(one));
    // The first look, before anything is prepared for waiting.
    for (std::size_t i = 0; i < objects.size(); ++i) {
        Take end = Take::not_ready;
        if (objects[i].core()) {
            end = objects[i].core()->take();
        } else {
            COMAP_GET(end, look_for_change(objects[i]));
        }
        if (end == Take::taken) return Waited{Acquired::acquired, i};
        if (end == Take::taken_abandoned) return Waited{Acquired::acquired_abandoned, i};
        if (end == Take::corrupt && objects[i].hooks()) return finished({Ended::corrupt, i}, objects);
    }
    Points points;
    COMAP_TRY(points.fill(objects));
    return finished(internal::wait_any(points.all(), deadline), objects);
}

Result<Waited> wait_all(std::span<const Waitable> objects, Deadline deadline) {
    COMAP_TRY(check_count(objects.size()));
    for (const Waitable& one : objects) COMAP_TRY(check(one));
    Points points;
    COMAP_TRY(points.fill(objects));
    struct Place {
        SyncKey key;
        std::uint8_t index;
    };
    std::array<Place, kWaitMax> places;
    bool reserves = false;
    for (std::size_t i = 0; i < objects.size(); ++i) {
        const Waitable& one = objects[i];
        COMAP_GET(places[i].key, key_of(one));
        places[i].index = static_cast<std::uint8_t>(i);
        reserves = reserves || points.all()[i].is_lock() || points.all()[i].has_tokens();
    }
    const auto listed = std::span(places).first(objects.size());
    std::sort(listed.begin(), listed.end(), [](const Place& a, const Place& b) { return a.key < b.key; });
    const auto twice = std::adjacent_find(listed.begin(), listed.end(), [](const Place& a, const Place& b) { return a.key == b.key; });
    if (twice != listed.end()) {
        const auto [first, second] = std::minmax(twice[0].index, twice[1].index);
        return fail(Code::invalid_argument, 0, objects[first].object()->name(), "'", shown(objects[first].object()->name()),
                    "' is in the list to wait for twice (at ", first, " and ", second, ")");
    }
    if (reserves && objects.size() > 1 && !can_own_lock_words())
        return fail(Code::unsupported, 0, "", "waiting for all of several objects needs a 64-bit program, the GNU C library and 4 KiB pages");
    std::array<std::uint8_t, kWaitMax> order;
    for (std::size_t i = 0; i < listed.size(); ++i) order[i] = listed[i].index;
    if (objects.size() == 1) return finished(internal::wait_any(points.all(), deadline), objects);
    return finished(internal::wait_all(points.all(), std::span<const std::uint8_t>(order).first(listed.size()), deadline), objects);
}

Result<Acquired> wait_one(const Waitable& object, Deadline deadline) {
    COMAP_GET(const Waited waited, wait_any(std::span(&object, 1), deadline));
    return waited.end;
}

}  // namespace comap
