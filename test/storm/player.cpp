// SPDX-License-Identifier: Apache-2.0
#include "player.hpp"

#include <sched.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cstdio>
#include <utility>
#include <vector>

#include "support/process.hpp"

namespace comap::storm {
namespace {

constexpr auto kOrder = std::memory_order_seq_cst;
constexpr std::array<Thing, kThingCount> kThings = {kMutex, kEvent, kSemaphore};

template <typename T>
T must(Result<T> made) {
    if (made) return std::move(*made);
    std::fprintf(stderr, "the storm cannot begin: %s\n", made.error().message.c_str());
    ::_exit(2);
}

}  // namespace

Things Things::create(Context& context) {
    EventOptions token;
    token.initially_set = true;
    EventOptions gate;
    gate.reset = Reset::manual;
    return {must(Mutex::create("mutex", {}, context)), must(Event::create("event", token, context)),
            must(Semaphore::create("semaphore", {.initial = kTokenCount, .maximum = kTokenCount}, context)), must(Event::create("gate", gate, context))};
}

Things Things::open(Context& context) {
    return {must(Mutex::open("mutex", {}, context)), must(Event::open("event", {}, context)), must(Semaphore::open("semaphore", {}, context)),
            must(Event::open("gate", {}, context))};
}

void Things::close() {
    mutex.close();
    event.close();
    semaphore.close();
    gate.close();
}

std::uint64_t Random::next() {
    std::uint64_t mixed = (state_ += 0x9e37'79b9'7f4a'7c15u);  // splitmix64
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58'476d'1ce4'e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d0'49bb'1331'11ebu;
    return mixed ^ (mixed >> 31);
}

std::uint32_t Player::take(std::uint32_t set, How how, Deadline deadline) {
    Saying saying;
    for (const Thing thing : kThings)
        if ((set & bit(thing)) != 0) saying = saying.with(thing, Says::taking);
    say(how == How::all ? saying.with_all_or_none() : saying);
    const Ended end = how == How::one ? wait_for_one(static_cast<Thing>(std::countr_zero(set)), deadline) : wait_for_list(set, how, deadline);
    // First the books of the mutex, then our word: one killed in between is not certain to have it, but it may have been told.
    if ((end.has & bit(kMutex)) != 0) enter(end.abandoned);
    Saying has;
    for (const Thing thing : kThings)
        if ((end.has & bit(thing)) != 0) has = has.with(thing, Says::having);
    say(has);
    for (const Thing thing : {kEvent, kSemaphore})
        if ((end.has & bit(thing)) != 0) claim(thing);
    if (end.has != 0) board_.taken.fetch_add(1, std::memory_order_relaxed);
    return end.has;
}

Player::Ended Player::ended(const Result<Acquired>& end, std::uint32_t set) {
    if (!end) fail("a wait", end.error());
    else if (*end == Acquired::timed_out) board_.timed_out.fetch_add(1, std::memory_order_relaxed);
    else if (*end == Acquired::interrupted) board_.interrupted.fetch_add(1, std::memory_order_relaxed);
    else {
        const bool abandoned = *end == Acquired::acquired_abandoned;
        if (abandoned && (set & bit(kMutex)) == 0) board_.report("a wait that took no mutex was told of an abandoned one");
        return {set, abandoned};
    }
    return {};
}

Player::Ended Player::wait_for_one(Thing thing, Deadline deadline) {
    if (thing == kMutex) return ended(things_.mutex.lock(deadline), bit(kMutex));
    if (thing == kEvent) return ended(things_.event.wait(deadline), bit(kEvent));
    return ended(things_.semaphore.acquire(deadline), bit(kSemaphore));
}

Player::Ended Player::wait_for_list(std::uint32_t set, How how, Deadline deadline) {
    std::vector<Thing> order;
    for (const Thing thing : kThings)
        if ((set & bit(thing)) != 0) order.push_back(thing);
    for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[random_.below(i)]);
    std::vector<Waitable> list;
    for (const Thing thing : order)
        list.push_back(thing == kMutex ? Waitable(things_.mutex) : thing == kEvent ? Waitable(things_.event) : Waitable(things_.semaphore));
    const auto waited = how == How::any ? wait_any(list, deadline) : wait_all(list, deadline);
    if (!waited) return ended(tl::unexpected<Error>(waited.error()), set);
    if (waited->index >= order.size()) {
        board_.report("a wait for several objects ended with an index beyond the list");
        return {};
    }
    const Thing named = order[waited->index];
    if (waited->end == Acquired::acquired_abandoned && named != kMutex) board_.report("an abandoned mutex was told with the index of another object");
    return ended(waited->end, how == How::any ? bit(named) : set);
}

void Player::enter(bool abandoned) {
    const std::uint64_t before = board_.journal.exchange(life_ << 1 | 1, kOrder);
    const bool owned_by_then = (before & 1) != 0;
    if (owned_by_then && !abandoned) board_.report("a mutex whose owner died was not told as abandoned");
    if (abandoned) (owned_by_then ? board_.told_of_owner : board_.told_of_other).fetch_add(1, kOrder);
    const std::uint64_t other = board_.inside.exchange(life_, kOrder);
    if (other != 0 && !abandoned) board_.report("two threads are inside the mutex");
    if (other != 0 && abandoned && !board_.is_doomed(other)) board_.report("a mutex was told as abandoned whose owner lives");
    if (!abandoned && board_.first != board_.second) board_.report("what the mutex protects is half done, and nobody was told");
    if (board_.first - board_.second > 1) board_.report("what the mutex protects is broken");
    board_.second = board_.first;
}

void Player::claim(Thing thing) {
    std::uint32_t seen = board_.places[thing].load(kOrder);
    for (;;) {
        const std::uint32_t free = board_.all_places[thing] & ~seen;
        if (free == 0) return board_.report(thing == kEvent ? "an automatic event has let two pass" : "a semaphore has given more tokens than it had");
        place_[thing] = free & -free;
        if (board_.places[thing].compare_exchange_weak(seen, seen | place_[thing], kOrder)) return;
    }
}

void Player::use(std::uint32_t set) {
    const bool has_mutex = (set & bit(kMutex)) != 0;
    const std::uint64_t value = has_mutex ? board_.first : 0;
    if (has_mutex) board_.first = value + 1;
    test::pass_time(static_cast<std::uint32_t>(random_.below(random_.one_in(8) ? 20'000 : 500)));
    if (random_.one_in(8)) ::sched_yield();  // so that others meet it taken
    if (!has_mutex) return;
    if (board_.first != value + 1) board_.report("another wrote what the mutex protects");
    board_.second = value + 1;
    if (!random_.one_in(8)) return;
    const auto again = things_.mutex.lock(Deadline::passed());
    if (!again || *again != Acquired::acquired) board_.report("the owner of a mutex could not lock it again");
    if (!things_.mutex.unlock()) board_.report("the owner of a mutex could not unlock it once");
    if (!things_.mutex.is_owned()) board_.report("a mutex that was locked twice is not owned after one unlock");
}

void Player::give(std::uint32_t set) {
    const bool mutex_first = random_.one_in(4);
    if (mutex_first && (set & bit(kMutex)) != 0) give_mutex();
    if ((set & bit(kEvent)) != 0) give_token(kEvent);
    if ((set & bit(kSemaphore)) != 0) give_token(kSemaphore);
    if (!mutex_first && (set & bit(kMutex)) != 0) give_mutex();
}

void Player::give_mutex() {
    const Saying saying = slot_.says();
    say(saying.with(kMutex, Says::giving));
    if (board_.inside.exchange(0, kOrder) != life_) board_.report("somebody came into the mutex while it was owned");
    if (random_.one_in(64)) {  // on purpose: the journal keeps us as the owner, so the next must be told
        if (const auto given = things_.mutex.unlock_abandoned(); !given) fail("unlock_abandoned", given.error());
    } else {
        board_.journal.store(life_ << 1, kOrder);
        if (const auto given = things_.mutex.unlock(); !given) fail("unlock", given.error());
    }
    say(saying.with(kMutex, Says::nothing));
}

void Player::give_token(Thing thing) {
    const Saying saying = slot_.says();
    board_.places[thing].fetch_and(~place_[thing], kOrder);
    say(saying.with(thing, Says::giving));
    if (thing == kEvent) {
        if (const auto set = things_.event.set(); !set) fail("set", set.error());
    } else {
        if (const auto released = things_.semaphore.release(); !released) fail("release", released.error());
    }
    say(saying.with(thing, Says::nothing));
}

}  // namespace comap::storm
