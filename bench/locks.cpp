// SPDX-License-Identifier: Apache-2.0
// Mutexes, events and semaphores: alone, contended, handed over by a death, and many at once.
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <memory>
#include <span>

#include "boost_peers.hpp"
#include "conversation.hpp"
#include "harness.hpp"
#include "raw.hpp"
#include "raw_locks.hpp"

namespace comap::bench {
namespace {

constexpr char kAloneRow[] = "mutex lock and unlock, alone";
constexpr char kContendedRow[] = "mutex, two in a tight loop, a turn";
constexpr char kShareRow[] = "mutex, two in a tight loop, the smaller share";
constexpr char kKilledRow[] = "mutex handed over by SIGKILL, waiter asleep";
constexpr char kEventRow[] = "event set to wake, there and back";
constexpr char kSetRow[] = "event set, nobody waiting";
constexpr char kManyRow[] = "wait_any of 64, the last one ready";
constexpr char kSemaphoreRow[] = "semaphore acquire and release, alone";

constexpr char kName[] = "lock";

// Ours, as the raw locks are.
class OurLock {
  public:
    explicit OurLock(Context& context) : mutex_(must(Mutex::open(kName, {}, context))) {}
    bool lock() {
        const Acquired end = must(mutex_.lock(Deadline::forever()));
        if (end == Acquired::acquired) [[likely]] return false;
        if (end != Acquired::acquired_abandoned) give_up("a lock without a deadline ended without the mutex");
        return true;
    }
    void unlock() { must(mutex_.unlock()); }

  private:
    Mutex mutex_;
};

// A reference, where processes share the lock itself.
template <typename Lock>
class SharedLock {
  public:
    explicit SharedLock(Lock& lock) : lock_(lock) {}
    bool lock() { return lock_.lock(); }
    void unlock() { lock_.unlock(); }

  private:
    Lock& lock_;
};

// What makes each process its way to a lock.
template <typename Lock>
auto in_shared_memory(Lock& lock) {
    return [&lock] { return std::make_unique<SharedLock<Lock>>(lock); };
}

void sleep_ns(std::uint64_t duration_ns) {
    const struct timespec duration = {static_cast<time_t>(duration_ns / 1'000'000'000u), static_cast<long>(duration_ns % 1'000'000'000u)};
    ::nanosleep(&duration, nullptr);
}

// The locks that are measured, held while the rows are.
struct Locks {
    explicit Locks(Bench& bench)
        : context(bench.context()), ours(must(Mutex::create(kName, {}, bench.context()))), boost_name(bench.unique_name(kName)), boost(boost_name) {}
    ~Locks() { boost_peers::NamedMutex::remove(boost_name); }
    Locks(const Locks&) = delete;
    Locks& operator=(const Locks&) = delete;

    auto our_way() const {
        return [this] { return std::make_unique<OurLock>(context); };
    }
    auto boost_way() const {
        return [this] { return std::make_unique<boost_peers::NamedMutex>(boost_name); };
    }

    Context& context;
    Mutex ours;
    std::string boost_name;
    boost_peers::NamedMutex boost;
    raw::RobustMutex& robust = raw::shared_lock<raw::RobustMutex>();
    raw::RobustRecursiveMutex& robust_recursive = raw::shared_lock<raw::RobustRecursiveMutex>();
    raw::PlainMutex& plain = raw::shared_lock<raw::PlainMutex>();
    raw::SpinningMutex& spinning = raw::shared_lock<raw::SpinningMutex>();
    raw::SemaphoreLock& semaphore = raw::shared_lock<raw::SemaphoreLock>();
    raw::CasLock& cas = raw::shared_lock<raw::CasLock>();
};

// --- alone

template <typename MakeWay>
double alone_ns(std::uint64_t turns, const MakeWay& make_way) {
    const auto lock = make_way();
    return ns_per_turn(turns, [&] {
        (void)lock->lock();
        lock->unlock();
    });
}

void measure_alone(Bench& bench, const Locks& locks) {
    const std::uint64_t turns = bench.scaled(500'000);
    bench.run({kAloneRow, "ns", 1.15, "limit: a robust process-shared pthread mutex, not recursive, in memory that is shared already; nobody else uses the lock",
               [&] { return alone_ns(turns, locks.our_way()); }, [&] { return alone_ns(turns, in_shared_memory(locks.robust)); },
               {{"pthread robust, recursive (as ours)", [&] { return alone_ns(turns, in_shared_memory(locks.robust_recursive)); }},
                {"pthread, not robust", [&] { return alone_ns(turns, in_shared_memory(locks.plain)); }},
                {"Boost named_mutex", [&] { return alone_ns(turns, locks.boost_way()); }},
                {"sem_t", [&] { return alone_ns(turns, in_shared_memory(locks.semaphore)); }},
                {"two compare-and-swaps", [&] { return alone_ns(turns, in_shared_memory(locks.cas)); }}}});
}

// --- contended

struct Contest {
    alignas(128) std::atomic<std::uint32_t> arrived;
    alignas(128) std::atomic<bool> begun;
    alignas(128) std::atomic<bool> over;
    // What the lock protects: two lines.
    alignas(128) volatile std::uint64_t first;
    alignas(128) volatile std::uint64_t second;
    struct alignas(128) Turns {
        std::uint64_t count;
    };
    std::array<Turns, 2> turns;
};

struct Contended {
    double ns_per_turn;
    double smaller_share_percent;
};

// Two processes lock, touch and unlock without pause, each on a processor of its own; this one sleeps meanwhile.
template <typename MakeWay>
Contended contend(std::uint64_t duration_ns, const MakeWay& make_way) {
    auto& contest = shared<Contest>();
    const auto take_part = [&](std::size_t which) {
        pin_to(which == 0 ? processors().first : processors().second);
        const auto lock = make_way();
        std::uint64_t count = 0;
        contest.arrived.fetch_add(1, std::memory_order_release);
        while (!contest.begun.load(std::memory_order_acquire)) pause_turn();
        for (; !contest.over.load(std::memory_order_relaxed); ++count) {
            (void)lock->lock();
            contest.first = contest.first + 1;
            contest.second = contest.second + 1;
            lock->unlock();
        }
        contest.turns[which].count = count;
    };
    Child one([&] { take_part(0); });
    Child other([&] { take_part(1); });
    while (contest.arrived.load(std::memory_order_acquire) < 2) sleep_ns(100'000);
    const std::uint64_t begin_ns = now_ns();
    contest.begun.store(true, std::memory_order_release);
    sleep_ns(duration_ns);
    contest.over.store(true, std::memory_order_relaxed);
    const auto elapsed_ns = static_cast<double>(now_ns() - begin_ns);
    one.join();
    other.join();
    const auto [fewer, more] = std::minmax(contest.turns[0].count, contest.turns[1].count);
    const auto total = static_cast<double>(fewer + more);
    if (contest.first != fewer + more || contest.second != fewer + more) give_up("two processes had one lock at once");
    const double smaller = 100 * static_cast<double>(fewer) / total;
    unshare(contest);
    return {elapsed_ns / total, smaller};
}

// All contenders of both rows; `of` takes from a Contended what the row shows.
template <typename Of>
Plan contended_plan(Bench& bench, const Locks& locks, const Of& of) {
    const std::uint64_t duration_ns = bench.scaled(50'000'000);
    const auto measure = [=](const auto& make_way) -> Measure { return [=] { return of(contend(duration_ns, make_way)); }; };
    Plan plan;
    plan.ours = measure(locks.our_way());
    plan.limit = measure(in_shared_memory(locks.robust));
    plan.peers = {{"pthread, not robust", measure(in_shared_memory(locks.plain))},
                  {"pthread that spins first, not robust", measure(in_shared_memory(locks.spinning))},
                  {"Boost named_mutex", measure(locks.boost_way())},
                  {"sem_t", measure(in_shared_memory(locks.semaphore))},
                  {"compare-and-swap, spins, never sleeps", measure(in_shared_memory(locks.cas))}};
    return plan;
}

void measure_contended(Bench& bench, const Locks& locks) {
    Plan turn = contended_plan(bench, locks, [](const Contended& seen) { return seen.ns_per_turn; });
    turn.name = kContendedRow;
    turn.unit = "ns";
    turn.target = 1.0;
    turn.note = "limit: a robust pthread mutex; both lock, add to two shared lines, unlock, without pause, for 50 ms; time by turns of both, so at most 1 is at least its throughput";
    bench.run(turn);
    Plan share = contended_plan(bench, locks, [](const Contended& seen) { return seen.smaller_share_percent; });
    share.name = kShareRow;
    share.unit = "%";
    share.least = 30;
    share.note = "as above: of all turns in 50 ms, those of the process that had fewer; the target is for ours itself, whatever the limit has";
    bench.run(share);
}

// --- handed over by a death

struct Death {
    alignas(128) std::atomic<bool> waits;
    alignas(128) std::atomic<std::uint64_t> killed_at_ns;
};

// From before the signal until this process, asleep on the lock of the killed one, has it. The owner is on the other processor.
template <typename MakeWay>
double handed_over_ns(const MakeWay& make_way, std::uint32_t& slept_count) {
    auto& death = shared<Death>();
    const auto lock = make_way();
    const Holder owner([&](const auto& stay) {
        const auto own = make_way();
        (void)own->lock();
        stay();
    });
    const Child killer([&] {
        while (!death.waits.load(std::memory_order_acquire)) sleep_ns(50'000);
        sleep_ns(surely_asleep_ns());
        death.killed_at_ns.store(now_ns(), std::memory_order_relaxed);
        (void)owner.kill_now();
        stay_for_ever();
    });
    const std::uint64_t sleeps_before = sleeps_so_far();
    death.waits.store(true, std::memory_order_release);
    const bool abandoned = lock->lock();
    const std::uint64_t end_ns = now_ns();
    slept_count += sleeps_so_far() > sleeps_before ? 1 : 0;
    if (!abandoned) give_up("the lock of a killed process was not handed over as abandoned");
    lock->unlock();
    const std::uint64_t killed_at_ns = death.killed_at_ns.load(std::memory_order_relaxed);
    unshare(death);
    return static_cast<double>(end_ns - killed_at_ns);
}

template <typename MakeWay>
double handed_over_us(std::uint64_t turns, const MakeWay& make_way, std::uint32_t& slept_count) {
    std::vector<double> all_ns;
    for (std::uint64_t turn = 0; turn < turns; ++turn) all_ns.push_back(handed_over_ns(make_way, slept_count));
    return quartiles(std::move(all_ns)).median / 1000;
}

void measure_killed_owner(Bench& bench, const Locks& locks) {
    const std::uint64_t turns = bench.scaled(20);
    (void)surely_asleep_ns();  // known to all children
    std::uint32_t ours_slept = 0, limit_slept = 0;
    bench.run({kKilledRow, "us", 1.2, "limit: a robust pthread mutex; from before kill() until the waiter, asleep on the processor that the owner is not on, has the lock and knows of the death",
               [&] { return handed_over_us(turns, locks.our_way(), ours_slept); },
               [&] { return handed_over_us(turns, in_shared_memory(locks.robust), limit_slept); }, {}});
    bench.note(fmt::format("the waiter really slept {} times (the limit's: {}) of {}", ours_slept, limit_slept, (bench.options().round_count + 1) * turns));
}

// --- events

constexpr char kThere[] = "event-there";
constexpr char kBack[] = "event-back";

class OurEventEnd {
  public:
    OurEventEnd(Context& context, bool is_first)
        : out_(must(Event::open(is_first ? kThere : kBack, {}, context))), in_(must(Event::open(is_first ? kBack : kThere, {}, context))) {}
    void send() { must(out_.set()); }
    void receive() {
        while (must(in_.wait()) != Acquired::acquired) {}
    }

  private:
    Event out_;
    Event in_;
};

void measure_events(Bench& bench) {
    const std::uint64_t spinning_turns = bench.scaled(50'000);
    const std::uint64_t sleeping_turns = bench.scaled(500);
    const Event there = must(Event::create(kThere, {}, bench.context())), back = must(Event::create(kBack, {}, bench.context()));
    auto& words = shared<WordPair>();
    auto& own_words = shared<WordPair>();
    auto& semaphores = *::new (shared_bytes(sizeof(SemaphorePair))) SemaphorePair;
    auto& boost = boost_peers::EventEnd::make();
    bench.run({kEventRow, "ns", 1.3, "ours: two automatic events; limit: two shared words that only count, 2000 turns of spinning, then a futex with a sleeper bit",
               [&] { return there_and_back_ns(spinning_turns, [&](bool is_first) { return std::make_unique<OurEventEnd>(bench.context(), is_first); }); },
               [&] { return there_and_back_ns(spinning_turns, [&](bool is_first) { return std::make_unique<WordEnd<raw::SpinThenSleep>>(words, is_first); }); },
               {{"the limit, but who receives resets the word", [&] { return there_and_back_ns(spinning_turns, [&](bool is_first) { return std::make_unique<WordEnd<raw::AutomaticEvent>>(own_words, is_first); }); }},
                {"sem_t (also Boost's)", [&] { return there_and_back_ns(sleeping_turns, [&](bool is_first) { return std::make_unique<SemaphoreEnd>(semaphores, is_first); }); }},
                {"Boost mutex, condition and flag", [&] { return there_and_back_ns(sleeping_turns, [&](bool is_first) { return std::make_unique<boost_peers::EventEnd>(boost, is_first); }); }}}});
}

void measure_set(Bench& bench) {
    const std::uint64_t turns = bench.scaled(1'000'000);
    const Event event = must(Event::create("event-set", {}, bench.context()));
    auto& word = shared<std::atomic<std::uint32_t>>();
    bench.run({kSetRow, "ns", 2.0, "limit: one fetch_add on shared memory that nobody else uses; ours is set again and again, which writes each time",
               [&] { return ns_per_turn(turns, [&] { must(event.set()); }); },
               [&] { return ns_per_turn(turns, [&] { word.fetch_add(1, std::memory_order_seq_cst); }); },
               {{"sem_post", [&] {
                     raw::SemaphoreLock semaphore;
                     return ns_per_turn(turns, [&] { semaphore.unlock(); });
                 }}}});
    unshare(word);
}

// --- many at once

constexpr std::size_t kManyCount = 64;

std::string numbered(const char* what, std::size_t number) { return fmt::format("many-{}-{}", what, number); }

// Events that are not set, semaphores without tokens and mutexes of another process, in turn; the last is a semaphore with so
// many tokens that it stays ready.
class Many {
  public:
    explicit Many(Context& context) {
        for (std::size_t i = 0; i < kManyCount; ++i) {
            if (i == kManyCount - 1) semaphores_.push_back(must(Semaphore::create(numbered("last", i), {.initial = kSemaphoreCountMax}, context)));
            else if (i % 3 == 0) events_.push_back(must(Event::create(numbered("event", i), {}, context)));
            else if (i % 3 == 1) semaphores_.push_back(must(Semaphore::create(numbered("semaphore", i), {}, context)));
            else mutexes_.push_back(must(Mutex::create(numbered("mutex", i), {}, context)));
        }
        auto event = events_.begin();
        auto semaphore = semaphores_.begin();
        auto mutex = mutexes_.begin();
        for (std::size_t i = 0; i < kManyCount; ++i) {
            if (i == kManyCount - 1 || i % 3 == 1) all_.emplace_back(*semaphore++);
            else if (i % 3 == 0) all_.emplace_back(*event++);
            else all_.emplace_back(*mutex++);
        }
        owner_ = std::make_unique<Holder>([&](const auto& stay) {
            for (std::size_t i = 2; i < kManyCount - 1; i += 3) {
                static std::vector<Mutex> owned;
                owned.push_back(must(Mutex::open(numbered("mutex", i), {}, context)));
                must(owned.back().lock(Deadline::forever()));
            }
            stay();
        });
    }
    std::span<const Waitable> all() const { return all_; }
    const Semaphore& empty() const { return semaphores_.front(); }
    const Semaphore& full() const { return semaphores_.back(); }
    const Event& not_set() const { return events_.front(); }
    const Mutex& of_another() const { return mutexes_.front(); }

    // One look at all of them; takes the last.
    void wait() const {
        const Waited waited = must(wait_any(all_));
        if (waited.end != Acquired::acquired || waited.index != kManyCount - 1) give_up("wait_any took what was not ready");
    }

  private:
    std::vector<Event> events_;
    std::vector<Semaphore> semaphores_;
    std::vector<Mutex> mutexes_;
    std::vector<Waitable> all_;
    std::unique_ptr<Holder> owner_;
};

// Does it where any system call but read, write and exit kills.
void prove_without_system_calls(const Many& many) {
    Child child([&] {
        many.wait();  // the first one after a fork asks for the thread's number
        if (::prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) give_up_errno("PR_SET_SECCOMP");
        for (std::uint32_t turn = 0; turn < 1000; ++turn) many.wait();
        ::syscall(SYS_exit, 0);
    });
    child.join();
}

struct alignas(4096) PageWord {
    std::atomic<std::uint32_t> word;
};

void measure_many(Bench& bench) {
    const std::uint64_t turns = bench.scaled(50'000);
    const Many many(bench.context());
    const auto try_ns = [&](const auto& one_try) { return kManyCount * ns_per_turn(turns, one_try); };
    auto& words = shared<std::array<PageWord, kManyCount>>();
    const auto look_at_words = [&] {
        std::uint32_t found = 0;
        for (const PageWord& one : words) found |= one.word.load(std::memory_order_acquire);
        asm volatile("" : : "r"(found));
    };
    bench.run({kManyRow, "ns", 1.0,
               "22 events, 20 semaphores, 21 mutexes of another process, none ready, then a semaphore with tokens for all turns, so that nothing is made ready in between; "
               "limit: 64 x Semaphore::acquire that finds a token, the cheapest of our tries that takes",
               [&] { return ns_per_turn(turns, [&] { many.wait(); }); },
               [&] { return try_ns([&] { must(many.full().acquire(Deadline::passed())); }); },
               {{"64 x Semaphore::acquire without a token", [&] { return try_ns([&] { must(many.empty().acquire(Deadline::passed())); }); }},
                {"64 x Event::wait, not set", [&] { return try_ns([&] { must(many.not_set().wait(Deadline::passed())); }); }},
                {"64 x Mutex::lock, another's", [&] { return try_ns([&] { must(many.of_another().lock(Deadline::passed())); }); }},
                {"64 x wait_any of one", [&] { return try_ns([&] { must(wait_any(many.all().last(1))); }); }},
                {"a bare look at 64 words in 64 pages", [&] { return ns_per_turn(turns, look_at_words); }}}});
    prove_without_system_calls(many);
    bench.note("1000 turns were made where every system call but read, write and exit kills: there is none");
    unshare(words);
}

// --- semaphores

void measure_semaphore(Bench& bench) {
    const std::uint64_t turns = bench.scaled(500'000);
    const Semaphore ours = must(Semaphore::create("semaphore", {.initial = 1}, bench.context()));
    auto& limit = raw::shared_lock<raw::SemaphoreLock>();
    const std::string boost_name = bench.unique_name("semaphore");
    boost_peers::NamedSemaphore boost(boost_name, 1);
    bench.run({kSemaphoreRow, "ns", std::nullopt, "limit: a process-shared sem_t, which has no maximum; nobody else uses it",
               [&] {
                   return ns_per_turn(turns, [&] {
                       must(ours.acquire());
                       must(ours.release());
                   });
               },
               [&] { return alone_ns(turns, in_shared_memory(limit)); },
               {{"Boost named_semaphore", [&] {
                     return ns_per_turn(turns, [&] {
                         boost.acquire();
                         boost.release();
                     });
                 }}}});
    boost_peers::NamedSemaphore::remove(boost_name);
    unshare(limit);
}

}  // namespace

void measure_locks(Bench& bench) {
    if (bench.wants_any({kAloneRow, kContendedRow, kShareRow, kKilledRow})) {
        const Locks locks(bench);
        if (bench.wants(kAloneRow)) measure_alone(bench, locks);
        if (processors().are_two() && bench.wants_any({kContendedRow, kShareRow})) measure_contended(bench, locks);
        if (processors().are_two() && bench.wants(kKilledRow)) measure_killed_owner(bench, locks);
    }
    if (processors().are_two() && bench.wants(kEventRow)) measure_events(bench);
    if (bench.wants(kSetRow)) measure_set(bench);
    if (bench.wants(kManyRow)) measure_many(bench);
    if (bench.wants(kSemaphoreRow)) measure_semaphore(bench);
}

}  // namespace comap::bench
