// SPDX-License-Identifier: Apache-2.0
// Waiting for one, any or all of several objects.
//
// wait_any takes the first object, in the caller's order, that it finds ready. It sleeps on all their words at once.
//
// wait_all takes all of them, or nothing. When all look ready it goes through them in an order that is the same in every
// process and takes the lock word of each: of a mutex that is the mutex itself, not yet marked as owned; of an automatic event
// or a semaphore it says that somebody living reserves it, and then a token is reserved in the object's own word. If one is not
// to be had, everything is given back. Reserving never waits while anything is reserved. Others who find a reservation neither
// take the token nor answer that there is none: they wait for its end, which comes in well under a microsecond, or with the
// reserver's death (the kernel frees the lock word: whoever finds it free clears the reservation). Once everything is reserved,
// the mutexes are marked first, so that a death between then and the last token is reported as abandonment.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <type_traits>

#include <comap/deadline.hpp>

#include "sync/change_word.hpp"
#include "sync/event_word.hpp"
#include "sync/lock_word.hpp"
#include "sync/mutex_word.hpp"
#include "sync/semaphore_word.hpp"

namespace comap::internal {

inline constexpr std::size_t kWaitMax = os::kSleepsMax;
inline constexpr std::uint32_t kLockSpinTurns = 200;  // some 3 us: longer than most owners need
// Each look at a lock takes its cache line from the owner, who would get on faster with it: so many turns pass before the
// first, twice as many before the next, and so on.
inline constexpr std::uint32_t kLockFirstLook = 40;
inline constexpr std::uint32_t kSpinRoundsMin = 20;
inline constexpr std::chrono::nanoseconds kSuspicionMax = std::chrono::seconds(1);  // then a contradiction is called corrupt
inline constexpr std::chrono::nanoseconds kDoze = std::chrono::milliseconds(1);  // where nobody is sure to wake
inline constexpr std::chrono::nanoseconds kUndecidedMax = std::chrono::milliseconds(4);  // then a look answers from a reservation after all

enum class Awaited : std::uint8_t { lock, mutex, automatic_event, manual_event, semaphore, change, data };

// Data that can be waited for (a channel's next message, a queue's) brings its own way of looking and of going to sleep.
struct WaitHooks {
    Take (*look)(void* data);  // taken: it is there. Takes nothing
    // A place to sleep until it may be there, and for how long at most; false: look again at once.
    bool (*prepare)(void* data, os::Sleep& bed, std::chrono::nanoseconds& at_most);
    // For one who has armed the watch word: whether it is there; if not, who brings it will see that he watches. false in
    // `is_sure`: that cannot be had here.
    bool (*look_after_arming)(void* data, bool& is_sure);
};

enum class Reservation : std::uint8_t { none, living, cleared };

// Whether an event or a semaphore is reserved; one of somebody who died is cleared.
template <typename Machine, typename Word>
Reservation look_at_reservation(const Word& word, typename Machine::template Atom<std::uint32_t>& lock_word) {
    // SYNC reservation.seen: read before the lock word: if nobody has that now, the maker is dead, or done, and then clearing
    // fails; pairs with lock.give.
    const auto state = word.value();
    if (!Word::is_reserved(state)) return Reservation::none;
    if (!is_free(lock_word.load(std::memory_order_acquire))) return Reservation::living;
    word.clear_reservation(state);
    Machine::wake(lock_word, true);  // the kernel woke only one of those who wait for the dead
    return Reservation::cleared;
}

// One object, as one waiting call sees it.
template <typename Machine>
struct WaitPoint {
    Awaited is = Awaited::lock;
    bool may_write = true;                // the mapping; else the object is always_wake
    LockWord<Machine> lock = {};          // of a lock or a mutex; of others: says who reserves
    MutexWord<Machine> mutex = {};
    EventWord<Machine> event = {};
    SemaphoreWord<Machine> semaphore = {};
    BasicChangeWords<Machine>* change = nullptr;
    bool looks_again = false;             // change: a publisher can die, or be stopped, before he wakes: see sync/cell_word.hpp
    // change: its publisher may use plain stores (see sync/change_word.hpp). Whether one is under way that may not see our sleeper bit.
    bool (*is_being_stored)(void* data) = nullptr;
    std::uint32_t seen = 0;               // change: the version; manual event: its epoch when the waiting began
    const WaitHooks* hooks = nullptr;     // data
    void* data = nullptr;                 // of hooks, or is_being_stored
    std::chrono::nanoseconds sleeps_at_most = std::chrono::nanoseconds::max();

    bool slept_on_lock = false;
    bool has_lock_word = false;    // wait_all: taken in this attempt
    bool wants_lock_word = false;  // wait_all: another has it
    Deadline suspected_until = Deadline::forever();

    std::uint32_t extra_bits() const { return slept_on_lock ? os::kSleepers : 0; }
    bool is_lock() const { return is == Awaited::lock || is == Awaited::mutex; }
    bool is_looked_at_only() const { return is == Awaited::change || is == Awaited::data; }
    bool has_tokens() const { return is == Awaited::automatic_event || is == Awaited::semaphore; }

    Take take() {
        switch (is) {
            case Awaited::lock:
                return lock.take(extra_bits());
            case Awaited::mutex:
                return mutex.take(extra_bits());
            case Awaited::automatic_event:
                return checked(event.take());
            case Awaited::manual_event:
                return event.look(seen);
            case Awaited::semaphore:
                return checked(semaphore.take());
            case Awaited::change:
                return current_version(*change) != seen ? Take::taken : Take::not_ready;
            case Awaited::data:
                return hooks->look(data);
        }
        return Take::corrupt;
    }

    // A place to sleep until it may be ready. False: look again at once.
    bool prepare(Bed<Machine>& bed) {
        switch (is) {
            case Awaited::lock:
            case Awaited::mutex:
                return lock.prepare(bed);
            case Awaited::automatic_event:
                return prepare_for_token(event, bed, [&] { return event.prepare(bed, may_write); });
            case Awaited::manual_event:
                return event.prepare(bed, may_write) && EventWord<Machine>::epoch_of(bed.seen) == seen;
            case Awaited::semaphore:
                return prepare_for_token(semaphore, bed, [&] { return semaphore.prepare(bed); });
            case Awaited::change:
                return prepare_for_change(*change, may_write, seen, bed) && (is_being_stored == nullptr || settle());
            case Awaited::data:
                if constexpr (std::is_same_v<Machine, os::Machine>) return hooks->prepare(data, bed, sleeps_at_most);
        }
        return false;
    }

    // Whether he who sleeps there has to look again by himself after a while.
    bool slept_on(const Bed<Machine>& bed) {
        const bool on_lock = bed.word == lock.word;
        if (is_lock() && on_lock) slept_on_lock = true;
        return on_lock || looks_again;
    }

    // Whenever it is looked at in a longer wait: whether it has contradicted itself for too long.
    bool is_corrupt() {
        if (is != Awaited::mutex || !mutex.is_contradictory()) suspected_until = Deadline::forever();
        else if (suspected_until.is_forever()) suspected_until = Deadline::after(kSuspicionMax);
        return suspected_until.is_over();
    }

    void pass_wake_on() {
        if (slept_on_lock && is_lock()) lock.pass_wake_on();
        slept_on_lock = false;
    }

    // --- for wait_all
    Take reserve() {
        if (is == Awaited::mutex && mutex.is_mine()) return mutex.is_at_limit() ? Take::too_deep : Take::taken;
        if (is_looked_at_only() || is == Awaited::manual_event) return Take::taken;
        Take end = lock.take(extra_bits());
        if (end == Take::corrupt || end == Take::too_deep) return end;
        if (end == Take::not_ready) {
            wants_lock_word = true;
            return has_tokens() ? Take::reserved : mutex.refusal();
        }
        has_lock_word = true;
        if (is == Awaited::automatic_event) end = event.reserve();
        else if (is == Awaited::semaphore) end = semaphore.reserve();
        else return Take::taken;
        if (end != Take::taken) give_lock_word();
        return end;
    }

    void cancel() {
        if (has_lock_word) end_reservation(false);
    }

    Take own_mutex() {
        if (!has_lock_word) return mutex.lock_again();
        has_lock_word = false;
        return mutex.own();
    }

    void take_reserved() { end_reservation(true); }

    // Whether an attempt is worth while; takes nothing.
    Take looks_ready() {
        switch (is) {
            case Awaited::lock:
            case Awaited::mutex:
                if (is == Awaited::mutex && mutex.is_mine()) return Take::taken;
                if (is == Awaited::mutex && mutex.is_taken_from_us()) return Take::reserved;
                if (is_free(lock.word->load(std::memory_order_relaxed))) return Take::taken;
                return is_impossible(lock.word->load(std::memory_order_relaxed)) ? Take::corrupt : mutex.refusal();
            case Awaited::automatic_event:
            case Awaited::manual_event: {
                const std::uint32_t now = event.value();
                seen = EventWord<Machine>::epoch_of(now);
                return (now & kEventSet) != 0 ? Take::taken : Take::not_ready;
            }
            case Awaited::semaphore:
                return tokens_of(semaphore.value()) > 0 ? Take::taken : Take::not_ready;
            case Awaited::change:
            case Awaited::data:
                return take();
        }
        return Take::corrupt;
    }

  private:
    // Our sleeper bit is seen by every store from now on, or we only doze. False: look again at once.
    bool settle() {
        if (!may_write) return true;  // every store wakes
        const bool is_sure = Machine::barrier_everywhere() && !is_being_stored(data);
        sleeps_at_most = is_sure ? std::chrono::nanoseconds::max() : kDoze;
        return current_version(*change) == seen;
    }

    // Reserved by nobody who could be.
    Take checked(Take end) const { return end == Take::reserved && is_impossible(lock.word->load(std::memory_order_relaxed)) ? Take::corrupt : end; }

    void end_reservation(bool take) {
        if (is == Awaited::automatic_event) event.end_reservation(take);
        if (is == Awaited::semaphore) semaphore.end_reservation(take);
        give_lock_word();
    }

    void give_lock_word() {
        has_lock_word = false;
        lock.give(has_tokens());
    }

    template <typename Word, typename PrepareOwn>
    bool prepare_for_token(const Word& word, Bed<Machine>& bed, const PrepareOwn& prepare_own) {
        switch (look_at_reservation<Machine>(word, *lock.word)) {
            case Reservation::none:
                if (!wants_lock_word) return prepare_own();
                wants_lock_word = false;
                return lock.prepare(bed) || prepare_own();
            case Reservation::living:
                return lock.prepare(bed);
            case Reservation::cleared:
                break;
        }
        return false;
    }
};

enum class Ended : std::uint8_t { acquired, acquired_abandoned, timed_out, interrupted, corrupt, too_deep };

// REQUIRES: the attempt has ended the wait.
inline Ended ended_by(Take take) {
    if (take == Take::taken) return Ended::acquired;
    if (take == Take::taken_abandoned) return Ended::acquired_abandoned;
    return take == Take::too_deep ? Ended::too_deep : Ended::corrupt;
}
inline bool ends_a_wait(Take take) { return take != Take::not_ready && take != Take::reserved; }

struct WaitResult {
    Ended end = Ended::timed_out;
    std::size_t index = 0;  // of the object that was taken, was abandoned, or is corrupt
};

template <typename Machine>
std::uint32_t spin_rounds(std::span<WaitPoint<Machine>> points, Deadline deadline) {
    if (deadline.ns() == 0 || !Machine::can_spin()) return 0;
    const bool only_locks = std::all_of(points.begin(), points.end(), [](const auto& point) { return point.is_lock(); });
    return std::max(kSpinRoundsMin, (only_locks ? kLockSpinTurns : kSpinTurns) / static_cast<std::uint32_t>(points.size()));
}

// Wakes of locks that woke us and that we do not take are for others.
template <typename Machine>
void pass_wakes_on(std::span<WaitPoint<Machine>> points, std::size_t except) {
    for (std::size_t i = 0; i < points.size(); ++i)
        if (i != except) points[i].pass_wake_on();
}

// What is common to both ways of waiting: spinning, deadlines, sleeping, being interrupted.
template <typename Machine>
class WaitLoop {
  public:
    WaitLoop(std::span<WaitPoint<Machine>> points, Deadline deadline) : points_(points), deadline_(deadline), rounds_(spin_rounds(points, deadline)), turns_per_look_(points.size() == 1 && points[0].is_lock() ? kLockFirstLook : 1) {}

    // After a look that found nothing: true if another look should follow at once or was waited for. Else `result` says how
    // it ended. `undecided`: something ready was reserved. `first`, `count`: the objects to wait for.
    bool again(bool undecided, std::size_t first, std::size_t count, WaitResult& result) {
        if (rounds_ > 0) {
            const std::uint32_t turns = std::min(turns_per_look_, rounds_);
            for (std::uint32_t turn = 0; turn < turns; ++turn) Machine::spin_pause();
            rounds_ -= turns;
            if (turns_per_look_ > 1) turns_per_look_ *= 2;
            return true;
        }
        Deadline until = deadline_;
        if (deadline_.is_over()) {
            if (!undecided || undecided_until_.is_over()) return ended(result, Ended::timed_out);
            if (undecided_until_.is_forever()) undecided_until_ = Deadline::after(kUndecidedMax);
            until = undecided_until_;
        }
        return sleep(first, count, until, result);
    }

  private:
    bool ended(WaitResult& result, Ended end, std::size_t index = 0) {
        result = {end, index};
        return false;
    }

    bool sleep(std::size_t first, std::size_t count, Deadline until, WaitResult& result) {
        std::array<Bed<Machine>, kWaitMax> beds;
        bool on_locks = false;
        std::chrono::nanoseconds at_most = std::chrono::nanoseconds::max();
        for (std::size_t i = 0; i < count; ++i) {
            if (!points_[first + i].prepare(beds[i])) return !points_[first + i].is_corrupt() || ended(result, Ended::corrupt, first + i);
            on_locks = points_[first + i].slept_on(beds[i]) || on_locks;
            at_most = std::min(at_most, points_[first + i].sleeps_at_most);
        }
        if (on_locks) at_most = std::min<std::chrono::nanoseconds>(at_most, kRecheck);
        const Deadline recheck = at_most == std::chrono::nanoseconds::max() ? Deadline::forever() : Deadline::after(at_most);
        const os::Woken woken = count == 1 ? Machine::wait(*beds[0].word, beds[0].seen, earlier(until, recheck)) : Machine::wait_any(std::span<const Bed<Machine>>(beds).first(count), earlier(until, recheck));
        if (woken == os::Woken::interrupted || woken == os::Woken::refused) interrupted_ = true;
        if (woken != os::Woken::timed_out || !on_locks) return true;
        for (std::size_t i = 0; i < count; ++i)
            if (points_[first + i].is_corrupt()) return ended(result, Ended::corrupt, first + i);
        return true;
    }

    std::span<WaitPoint<Machine>> points_;
    Deadline deadline_;
    std::uint32_t rounds_;
    std::uint32_t turns_per_look_;
    Deadline undecided_until_ = Deadline::forever();

  public:
    bool interrupted_ = false;  // by a signal, in the last sleep: what is not ready now ends the wait
};

template <typename Machine>
WaitResult wait_any(std::span<WaitPoint<Machine>> points, Deadline deadline) {
    WaitLoop<Machine> loop(points, deadline);
    WaitResult result;
    for (;;) {
        bool undecided = false;
        for (std::size_t i = 0; i < points.size(); ++i) {
            const Take end = points[i].take();
            undecided = undecided || end == Take::reserved;
            if (!ends_a_wait(end)) continue;
            pass_wakes_on(points, i);
            return {ended_by(end), i};
        }
        if (loop.interrupted_) result.end = Ended::interrupted;
        if (loop.interrupted_ || !loop.again(undecided, 0, points.size(), result)) break;
    }
    pass_wakes_on(points, points.size());
    return result;
}

// Takes all of them if all are ready. `order`: the same in every process. On failure: the first that was not.
template <typename Machine>
Take try_all(std::span<WaitPoint<Machine>> points, std::span<const std::uint8_t> order, std::size_t& index) {
    Take end = Take::taken;
    for (index = 0; index < points.size(); ++index)
        if ((end = points[index].looks_ready()) != Take::taken) return end;
    std::size_t reserved = 0;
    for (; reserved < order.size() && end == Take::taken; ++reserved) {
        index = order[reserved];
        end = points[index].reserve();
    }
    // Manual events are not reserved: they were all set at one moment if all are, and none was reset while we looked.
    std::array<std::uint32_t, kWaitMax> before;
    if (end == Take::taken) {
        for (std::size_t i = 0; i < points.size(); ++i) before[i] = points[i].is == Awaited::manual_event ? points[i].event.value() : kEventSet;
        for (std::size_t i = 0; i < points.size() && end == Take::taken; ++i) {
            index = i;
            const bool was_reset = points[i].is == Awaited::manual_event &&
                                   EventWord<Machine>::epoch_of(points[i].event.value()) != EventWord<Machine>::epoch_of(before[i]);
            if (was_reset || (before[i] & kEventSet) == 0) end = Take::not_ready;
            if (points[i].is_looked_at_only()) end = points[i].take();
        }
    }
    if (end != Take::taken) {
        while (reserved > 0) points[order[--reserved]].cancel();
        return end;
    }
    index = 0;
    for (std::size_t i = points.size(); i-- > 0;)
        if (points[i].is == Awaited::mutex && points[i].own_mutex() == Take::taken_abandoned) {
            end = Take::taken_abandoned;
            index = i;
        }
    for (auto& point : points)
        if (point.has_tokens()) point.take_reserved();
    return end;
}

template <typename Machine>
WaitResult wait_all(std::span<WaitPoint<Machine>> points, std::span<const std::uint8_t> order, Deadline deadline) {
    WaitLoop<Machine> loop(points, deadline);
    WaitResult result;
    for (;;) {
        std::size_t index = 0;
        const Take end = try_all(points, order, index);
        if (end == Take::taken || end == Take::taken_abandoned) return {ended_by(end), index};
        pass_wakes_on(points, points.size());
        if (ends_a_wait(end)) return {ended_by(end), index};
        if (loop.interrupted_) return {Ended::interrupted, 0};
        if (!loop.again(end == Take::reserved, index, 1, result)) return result;
    }
}

}  // namespace comap::internal
