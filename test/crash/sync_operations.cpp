// SPDX-License-Identifier: Apache-2.0
// Mutexes, events and semaphores, killed everywhere in a call. What the killed one had taken is counted: nothing is told that
// did not happen, no token goes that nobody took, and who waits gets on.
#include <time.h>

#include <array>
#include <chrono>
#include <functional>

#include "operations.hpp"
#include "waitable/core.hpp"

namespace comap::crash {
namespace {

constexpr const char* kMutexName = "mutex";
constexpr const char* kEventName = "event";
constexpr const char* kSemaphoreName = "semaphore";
constexpr std::uint32_t kTokens = 3;
constexpr std::uint32_t kTokensMax = 1000;  // so that the driver can always make good what was lost

// What a waiter ends with.
constexpr int kAcquired = 0;
constexpr int kAbandoned = 1;
constexpr int kOtherwise = 2;

int code_of(const Result<Acquired>& end) {
    if (!end) return kOtherwise;
    return *end == Acquired::acquired ? kAcquired : *end == Acquired::acquired_abandoned ? kAbandoned : kOtherwise;
}

template <typename T>
bool keep_in(T& place, Result<T> made) {
    if (made) place = std::move(*made);
    return made.has_value();
}

Result<void> otherwise(const char* what) { return tl::unexpected<Error>(Error{Code::corrupt, 0, "", what}); }

Result<void> only(Acquired wanted, const Result<Acquired>& end) {
    if (!end) return tl::unexpected<Error>(end.error());
    return *end == wanted ? Result<void>() : otherwise("the call ended otherwise than it should");
}

void pause_a_moment() {
    const struct timespec moment = {0, 50'000};
    ::nanosleep(&moment, nullptr);
}

// Longer than anybody spins.
Deadline a_while() { return Deadline::after(std::chrono::milliseconds(5)); }

// --- the words
std::uint32_t lock_word(const SyncObject& object) { return object.core()->block().lock.load(); }
std::uint32_t owner_of(const SyncObject& object) { return lock_word(object) & os::kOwnerMask; }
std::uint32_t mark_of(const World& world) { return world.held_mutex.core()->block().mark.load(); }
std::uint64_t state_of(const SyncObject& object) { return object.core()->block().state.load(); }
std::uint32_t events(const World& world) { return (state_of(world.held_event) & internal::kEventSet) != 0 ? 1 : 0; }
std::uint32_t tokens(const World& world) { return internal::tokens_of(state_of(world.held_semaphore)); }

// --- before
void make_mutex(World& world) {
    world.expect(keep_in(world.held_mutex, Mutex::create(kMutexName, {}, *world.context)), "the mutex is made");
}

void make_event(World& world, bool is_set) {
    world.expect(keep_in(world.held_event, Event::create(kEventName, {.initially_set = is_set}, *world.context)), "the event is made");
}

void make_semaphore(World& world, std::uint32_t count) {
    auto made = Semaphore::create(kSemaphoreName, {.initial = count, .maximum = kTokensMax}, *world.context);
    world.expect(keep_in(world.held_semaphore, std::move(made)), "the semaphore is made");
}

void arrange_mutex(World& world) { make_mutex(world); }

void arrange_abandoned_mutex(World& world) {
    make_mutex(world);
    world.in_process_that_dies([&](Context&) { return code_of(world.held_mutex.lock(Deadline::passed())) == kAcquired; });
}

// The driver has it.
void arrange_locked_mutex(World& world) {
    make_mutex(world);
    world.expect(code_of(world.held_mutex.lock(Deadline::passed())) == kAcquired, "the driver has the mutex");
}

int lock_and_unlock(const Mutex& mutex) {
    const int code = code_of(mutex.lock(Deadline::forever()));
    return mutex.unlock() ? code : kOtherwise;
}

// A waiter who comes when the actor has it.
void arrange_mutex_and_waiter(World& world) {
    make_mutex(world);
    world.start_waiter([&] {
        while (owner_of(world.held_mutex) == 0) pause_a_moment();
        return lock_and_unlock(world.held_mutex);
    });
}

// All are ready but the mutex, which the driver has.
void arrange_three_locked(World& world) {
    arrange_locked_mutex(world);
    make_event(world, true);
    make_semaphore(world, kTokens);
}
// None is ready.
void arrange_nothing_ready(World& world) {
    arrange_locked_mutex(world);
    make_event(world, false);
    make_semaphore(world, 0);
}

void arrange_set_event(World& world) { make_event(world, true); }
void arrange_event(World& world) { make_event(world, false); }
void wait_for_event(World& world) {
    world.start_waiter([&] { return code_of(world.held_event.wait(Deadline::forever())); });
}
void arrange_event_and_waiter(World& world) {
    make_event(world, false);
    wait_for_event(world);
}
void arrange_semaphore(World& world) { make_semaphore(world, kTokens); }
void arrange_one_token(World& world) { make_semaphore(world, 1); }
void arrange_no_token(World& world) { make_semaphore(world, 0); }
void wait_for_token(World& world) {
    world.start_waiter([&] { return code_of(world.held_semaphore.acquire(Deadline::forever())); });
}
void arrange_semaphore_and_waiter(World& world) {
    make_semaphore(world, 0);
    wait_for_token(world);
}
void arrange_three(World& world) {
    make_mutex(world);
    make_event(world, true);
    make_semaphore(world, kTokens);
}
// The mutex's last owner died.
void arrange_three_and_abandoned(World& world) {
    arrange_abandoned_mutex(world);
    make_event(world, true);
    make_semaphore(world, kTokens);
}

// --- while the actor stands still
void lock_meanwhile(World& world) {
    world.start_waiter([&] { return lock_and_unlock(world.held_mutex); });
}

Result<Acquired> take_three(const World& world, Deadline deadline) {
    const std::array<Waitable, 3> three = {world.held_semaphore, world.held_mutex, world.held_event};
    const auto waited = wait_all(three, deadline);
    if (!waited) return tl::unexpected<Error>(waited.error());
    if (waited->end == Acquired::acquired_abandoned && waited->index != 1) return Acquired::interrupted;
    return waited->end;
}

void take_three_meanwhile(World& world) {
    world.start_waiter([&] {
        const int code = code_of(take_three(world, Deadline::forever()));
        return world.held_mutex.unlock() ? code : kOtherwise;  // the tokens stay with him
    });
}

void take_any_meanwhile(World& world) {
    world.start_waiter([&] {
        const std::array<Waitable, 2> two = {world.held_event, world.held_mutex};
        const auto waited = wait_any(two, Deadline::forever());
        if (!waited) return kOtherwise;
        if (waited->index == 1 && !world.held_mutex.unlock()) return kOtherwise;
        return (waited->index == 0 ? 10 : 0) + code_of(waited->end);
    });
}

// --- the actor
bool prepare_mutex(Actor& actor) { return keep_in(actor.mutex, Mutex::open(kMutexName, {}, actor.begin())); }
bool prepare_owned_mutex(Actor& actor) { return prepare_mutex(actor) && code_of(actor.mutex.lock(Deadline::passed())) == kAcquired; }
bool prepare_owned_mutex_with_waiter(Actor& actor) {
    if (!prepare_owned_mutex(actor)) return false;
    while ((lock_word(actor.mutex) & os::kSleepers) == 0) pause_a_moment();
    return true;
}
bool prepare_event(Actor& actor) { return keep_in(actor.event, Event::open(kEventName, {}, actor.begin())); }
bool prepare_semaphore(Actor& actor) { return keep_in(actor.semaphore, Semaphore::open(kSemaphoreName, {}, actor.begin())); }
bool prepare_three(Actor& actor) {
    return prepare_mutex(actor) && keep_in(actor.event, Event::open(kEventName, {}, *actor.context)) &&
           keep_in(actor.semaphore, Semaphore::open(kSemaphoreName, {}, *actor.context));
}

Result<void> lock(Actor& actor) { return only(Acquired::acquired, actor.mutex.lock(Deadline::forever())); }
Result<void> lock_abandoned(Actor& actor) { return only(Acquired::acquired_abandoned, actor.mutex.lock(Deadline::forever())); }
Result<void> lock_in_vain(Actor& actor) { return only(Acquired::timed_out, actor.mutex.lock(Deadline::passed())); }
Result<void> sleep_for_lock(Actor& actor) { return only(Acquired::timed_out, actor.mutex.lock(a_while())); }
Result<void> unlock(Actor& actor) { return actor.mutex.unlock(); }
Result<void> unlock_abandoned(Actor& actor) { return actor.mutex.unlock_abandoned(); }
Result<void> set_event(Actor& actor) { return actor.event.set(); }
Result<void> wait_event(Actor& actor) { return only(Acquired::acquired, actor.event.wait()); }
Result<void> wait_event_in_vain(Actor& actor) { return only(Acquired::timed_out, actor.event.wait(Deadline::passed())); }
Result<void> sleep_for_event(Actor& actor) { return only(Acquired::timed_out, actor.event.wait(a_while())); }
Result<void> sleep_for_token(Actor& actor) { return only(Acquired::timed_out, actor.semaphore.acquire(a_while())); }
Result<void> acquire(Actor& actor) { return only(Acquired::acquired, actor.semaphore.acquire()); }
Result<void> release(Actor& actor) {
    const auto released = actor.semaphore.release();
    return released ? Result<void>() : tl::unexpected<Error>(released.error());
}
Result<void> take_any(Actor& actor) {
    const std::array<Waitable, 2> two = {actor.mutex, actor.event};
    const auto waited = wait_any(two);
    if (!waited) return tl::unexpected<Error>(waited.error());
    return waited->end == Acquired::acquired && waited->index == 0 ? Result<void>() : otherwise("the first that was ready was not taken");
}
Result<void> take_all(Actor& actor) {
    const std::array<Waitable, 3> three = {actor.event, actor.mutex, actor.semaphore};
    const auto waited = wait_all(three);
    return waited ? only(Acquired::acquired, waited->end) : tl::unexpected<Error>(waited.error());
}
Result<void> sleep_for_any(Actor& actor) {
    const std::array<Waitable, 3> three = {actor.event, actor.mutex, actor.semaphore};
    const auto waited = wait_any(three, a_while());
    return waited ? only(Acquired::timed_out, waited->end) : tl::unexpected<Error>(waited.error());
}
Result<void> sleep_for_all(Actor& actor) {
    const std::array<Waitable, 3> three = {actor.event, actor.mutex, actor.semaphore};
    const auto waited = wait_all(three, a_while());
    return waited ? only(Acquired::timed_out, waited->end) : tl::unexpected<Error>(waited.error());
}
Result<void> take_all_abandoned(Actor& actor) {
    const std::array<Waitable, 3> three = {actor.event, actor.mutex, actor.semaphore};
    const auto waited = wait_all(three);
    return waited ? only(Acquired::acquired_abandoned, waited->end) : tl::unexpected<Error>(waited.error());
}

// --- after
void let_waiter_end(World& world, const std::function<void()>& help) {
    if (world.waiter < 0 && world.waiter_code < 0) return;
    world.await_waiter(help);
    world.expect(world.waiter_code >= 0 && world.waiter_code % 10 != kOtherwise && world.waiter_code < 20, "the waiter gets what it waits for");
}

void help_nobody() {}

// How often it was told that the mutex is abandoned: to the waiter, if there is one, and to the next.
int times_told(World& world) {
    int told = world.waiter_code >= 0 && world.waiter_code % 10 == kAbandoned ? 1 : 0;
    for (int turn = 0; turn < 2; ++turn) {
        const auto end = world.timed([&] { return world.held_mutex.lock(Deadline::after(std::chrono::seconds(60))); });
        world.expect(code_of(end) != kOtherwise, "the next has the mutex at once");
        told += code_of(end) == kAbandoned ? 1 : 0;
        world.expect_ok(world.held_mutex.unlock(), "the next unlocks it");
    }
    world.expect(told <= 1, "an abandonment is told once");
    const std::uint32_t left = lock_word(world.held_mutex) & ~os::kSleepers;
    world.expect(left == 0 && mark_of(world) == 0, "the mutex's words are those of a free one");
    return told;
}

void note_order(World& world, bool happened, const char* what) {
    if (world.killed_in_place) world.verdict.expect_order(happened, what);
}

// Owned before the call or not, and after it.
void inspect_mutex(World& world, bool completed, bool owned_before, bool owned_after) {
    const bool is_marked = mark_of(world) != 0;
    const bool had_waiter = world.waiter >= 0 || world.waiter_code >= 0;
    let_waiter_end(world, help_nobody);
    const int told = times_told(world);
    if (world.killed_at_begin) world.expect((told == 1) == owned_before, "one killed before the call leaves it as it was");
    if (completed) world.expect((told == 1) == owned_after, "one who ended after the call leaves what the call says");
    if (!had_waiter) world.expect((told == 1) == is_marked, "the mark says whether it is told");
    if (owned_before != owned_after) note_order(world, (told == 1) == owned_after, "the call has not done its work");
    if (owned_before && owned_after) world.expect(told == 1, "an abandonment is never lost");
    world.waiter_code = -1;
}

void inspect_lock(World& world, bool completed) { inspect_mutex(world, completed, false, true); }
void inspect_unlock(World& world, bool completed) { inspect_mutex(world, completed, true, false); }
void inspect_abandoned(World& world, bool completed) { inspect_mutex(world, completed, true, true); }

void inspect_locked(World& world, bool) {
    world.expect(world.held_mutex.is_owned() && owner_of(world.held_mutex) == os::thread_number(), "the mutex is still its owner's");
    world.expect_ok(world.held_mutex.unlock(), "its owner unlocks it");
    world.expect(times_told(world) == 0, "nobody died with it");
}

// `change`: what the whole call does to the number of tokens, +1 or -1. `supplied`: what was given to a waiter since.
void expect_tokens(World& world, bool completed, std::int64_t before, std::int64_t now, std::int64_t change) {
    const std::int64_t changed = now - before;
    world.expect(changed == 0 || changed == change, "the number of tokens is that before the call or after it, not " + std::to_string(changed) + " more");
    if (completed) world.expect(changed == change, "a call that was completed has done its work");
    if (world.killed_at_begin) world.expect(changed == 0, "one killed before the call has done nothing");
    note_order(world, changed == change, "the call has not done its work");
}

void inspect_event_after(World& world, bool completed, std::int64_t before, std::int64_t change) {
    std::int64_t supplied = 0;
    const bool had_waiter = world.waiter >= 0 || world.waiter_code >= 0;
    let_waiter_end(world, [&] {
        if (events(world) != 0) return;  // then it must wake by itself
        world.expect_ok(world.held_event.set(), "the next sets the event");
        ++supplied;
    });
    world.waiter_code = -1;
    expect_tokens(world, completed, before, static_cast<std::int64_t>(events(world)) + (had_waiter ? 1 : 0) - supplied, change);
    // And it works on.
    const bool is_set = events(world) != 0;
    const auto next = world.timed([&] { return world.held_event.wait(Deadline::passed()); });
    world.expect(code_of(next) == (is_set ? kAcquired : kOtherwise), "the next takes the event if it is set");
    world.expect_ok(world.held_event.set(), "the next sets the event");
    world.expect(code_of(world.held_event.wait(Deadline::after(std::chrono::seconds(60)))) == kAcquired && events(world) == 0, "the event lets one pass");
}

void inspect_set(World& world, bool completed) { inspect_event_after(world, completed, 0, 1); }
void inspect_event_taken(World& world, bool completed) { inspect_event_after(world, completed, 1, -1); }
void inspect_event_untouched(World& world, bool completed) { inspect_event_after(world, completed, 0, 0); }

void inspect_semaphore_after(World& world, bool completed, std::int64_t before, std::int64_t change) {
    std::int64_t supplied = 0;
    const bool had_waiter = world.waiter >= 0 || world.waiter_code >= 0;
    let_waiter_end(world, [&] {
        if (internal::shown_tokens_of(state_of(world.held_semaphore)) != 0) return;  // then it must wake by itself
        world.expect_ok(world.held_semaphore.release(), "the next releases a token");
        ++supplied;
    });
    world.waiter_code = -1;
    expect_tokens(world, completed, before, static_cast<std::int64_t>(tokens(world)) + (had_waiter ? 1 : 0) - supplied, change);
    const std::uint32_t left = tokens(world);
    for (std::uint32_t i = 0; i < left; ++i)
        world.expect(code_of(world.held_semaphore.acquire(Deadline::passed())) == kAcquired, "the next takes every token that is left");
    world.expect(code_of(world.held_semaphore.acquire(Deadline::passed())) == kOtherwise && tokens(world) == 0, "then there is none");
    const auto released = world.held_semaphore.release(2);
    world.expect(released && *released == 0 && tokens(world) == 2, "the next releases tokens");
    world.expect(code_of(world.held_semaphore.acquire()) == kAcquired, "the next takes one of them");
}

void inspect_no_token(World& world, bool completed) { inspect_semaphore_after(world, completed, 0, 0); }
void inspect_released(World& world, bool completed) { inspect_semaphore_after(world, completed, kTokens, 1); }
void inspect_first_released(World& world, bool completed) { inspect_semaphore_after(world, completed, 0, 1); }
void inspect_acquired(World& world, bool completed) { inspect_semaphore_after(world, completed, kTokens, -1); }
void inspect_last_acquired(World& world, bool completed) { inspect_semaphore_after(world, completed, 1, -1); }

// The mutex of two, the event of which must not be touched by the killed one.
void inspect_any(World& world, bool completed) {
    let_waiter_end(world, help_nobody);
    const bool waiter_took_event = world.waiter_code >= 10;
    const int told = times_told(world);
    world.waiter_code = -1;
    if (completed) world.expect(told == 1, "who ended with the mutex has abandoned it");
    if (world.killed_at_begin) world.expect(told == 0, "one killed before the call has done nothing");
    note_order(world, told == 1, "the call has not done its work");
    world.expect(events(world) == (waiter_took_event ? 0u : 1u), "the event is not taken with the mutex");
}

void inspect_three_after(World& world, bool completed, bool was_abandoned) {
    const bool had_waiter = world.waiter >= 0 || world.waiter_code >= 0;
    std::int64_t supplied = 0;
    let_waiter_end(world, [&] {
        if (events(world) != 0) return;
        world.expect_ok(world.held_event.set(), "the next sets the event");
        ++supplied;
    });
    const std::int64_t by_waiter = had_waiter ? 1 : 0;
    const std::int64_t events_taken = 1 + supplied - static_cast<std::int64_t>(events(world)) - by_waiter;
    const std::int64_t tokens_taken = std::int64_t{kTokens} - static_cast<std::int64_t>(tokens(world)) - by_waiter;
    const int told = times_told(world);
    world.waiter_code = -1;
    world.expect(events_taken == 0 || events_taken == 1, "the event is taken once or not: " + std::to_string(events_taken));
    world.expect(tokens_taken == 0 || tokens_taken == 1, "one token is taken or none: " + std::to_string(tokens_taken));
    world.expect(told == 1 || (events_taken == 0 && tokens_taken == 0), "who dies with a part of it has abandoned the mutex");
    if (completed) world.expect(events_taken == 1 && tokens_taken == 1 && told == 1, "a call that was completed has taken all");
    if (was_abandoned) world.expect(told == 1, "an abandonment is never lost");
    const bool nothing_happened = events_taken == 0 && tokens_taken == 0 && (told == 1) == was_abandoned;
    if (world.killed_at_begin) world.expect(nothing_happened, "one killed before the call has taken nothing");
    if (!was_abandoned) note_order(world, told == 1, "the mutex is not taken");
    // And it works on: what is left can be taken one by one, though a dead one may have it reserved; and all together.
    const bool is_set = events(world) != 0;
    const auto event = world.timed([&] { return world.held_event.wait(Deadline::passed()); });
    world.expect(code_of(event) == (is_set ? kAcquired : kOtherwise), "the next takes the event at once if it is set");
    for (std::uint32_t left = tokens(world); left > 0; --left) {
        const auto token = world.timed([&] { return world.held_semaphore.acquire(Deadline::passed()); });
        world.expect(code_of(token) == kAcquired, "the next takes every token that is left at once");
    }
    world.expect_ok(world.held_event.set(), "the next sets the event");
    world.expect_ok(world.held_semaphore.release(2), "the next releases tokens");
    const std::uint32_t before = tokens(world);
    const auto end = world.timed([&] { return take_three(world, Deadline::after(std::chrono::seconds(60))); });
    world.expect(code_of(end) == kAcquired && events(world) == 0 && tokens(world) == before - 1, "the next takes all three");
    world.expect_ok(world.held_mutex.unlock(), "the next unlocks the mutex");
    world.expect(owner_of(world.held_event) == 0 && owner_of(world.held_semaphore) == 0, "nobody has the lock words of the others");
}

void inspect_three(World& world, bool completed) { inspect_three_after(world, completed, false); }
void inspect_three_abandoned(World& world, bool completed) { inspect_three_after(world, completed, true); }

// The killed one slept in vain for what the driver has.
void inspect_nothing_taken(World& world, bool) {
    const std::uint32_t events_left = events(world);
    const std::uint32_t tokens_left = tokens(world);
    world.expect((events_left == 1 && tokens_left == kTokens) || (events_left == 0 && tokens_left == 0), "a wait in vain takes nothing");
    inspect_locked(world, true);
    if (events_left == 0) world.expect_ok(world.held_event.set(), "the next sets the event");
    if (tokens_left == 0) world.expect_ok(world.held_semaphore.release(), "the next releases a token");
    world.expect(code_of(take_three(world, Deadline::after(std::chrono::seconds(60)))) == kAcquired && events(world) == 0, "the next takes all three");
    world.expect_ok(world.held_mutex.unlock(), "the next unlocks the mutex");
}

}  // namespace

const std::vector<Operation>& sync_operations() {
    static const std::vector<Operation> all = {
        {"lock", arrange_mutex, prepare_mutex, lock, inspect_lock},
        {"lock, meanwhile", arrange_mutex, prepare_mutex, lock, inspect_lock, lock_meanwhile},
        {"lock_abandoned", arrange_abandoned_mutex, prepare_mutex, lock_abandoned, inspect_abandoned},
        {"lock_in_vain", arrange_locked_mutex, prepare_mutex, lock_in_vain, inspect_locked},
        {"lock, asleep", arrange_locked_mutex, prepare_mutex, sleep_for_lock, inspect_locked, nullptr, true},
        {"unlock", arrange_mutex, prepare_owned_mutex, unlock, inspect_unlock},
        {"unlock, meanwhile", arrange_mutex, prepare_owned_mutex, unlock, inspect_unlock, lock_meanwhile},
        {"unlock_with_waiter", arrange_mutex_and_waiter, prepare_owned_mutex_with_waiter, unlock, inspect_unlock},
        {"unlock_abandoned", arrange_mutex, prepare_owned_mutex, unlock_abandoned, inspect_abandoned},
        {"event_set", arrange_event, prepare_event, set_event, inspect_set},
        {"event_set_with_waiter", arrange_event_and_waiter, prepare_event, set_event, inspect_set},
        {"event_wait", arrange_set_event, prepare_event, wait_event, inspect_event_taken},
        {"event_wait, meanwhile", arrange_set_event, prepare_event, wait_event, inspect_event_taken, wait_for_event},
        {"event_wait_in_vain", arrange_event, prepare_event, wait_event_in_vain, inspect_event_untouched},
        {"event_wait, asleep", arrange_event, prepare_event, sleep_for_event, inspect_event_untouched, nullptr, true},
        {"release", arrange_semaphore, prepare_semaphore, release, inspect_released},
        {"release_with_waiter", arrange_semaphore_and_waiter, prepare_semaphore, release, inspect_first_released},
        {"acquire", arrange_semaphore, prepare_semaphore, acquire, inspect_acquired},
        {"acquire, meanwhile", arrange_one_token, prepare_semaphore, acquire, inspect_last_acquired, wait_for_token},
        {"acquire, asleep", arrange_no_token, prepare_semaphore, sleep_for_token, inspect_no_token, nullptr, true},
        {"wait_any", arrange_three, prepare_three, take_any, inspect_any},
        {"wait_any, meanwhile", arrange_three, prepare_three, take_any, inspect_any, take_any_meanwhile},
        {"wait_all", arrange_three, prepare_three, take_all, inspect_three},
        {"wait_all, meanwhile", arrange_three, prepare_three, take_all, inspect_three, take_three_meanwhile},
        {"wait_any, asleep", arrange_nothing_ready, prepare_three, sleep_for_any, inspect_nothing_taken, nullptr, true},
        {"wait_all, asleep", arrange_three_locked, prepare_three, sleep_for_all, inspect_nothing_taken, nullptr, true},
        {"wait_all_abandoned", arrange_three_and_abandoned, prepare_three, take_all_abandoned, inspect_three_abandoned},
    };
    return all;
}

}  // namespace comap::crash
