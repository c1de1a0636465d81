// SPDX-License-Identifier: Apache-2.0
// A simulated machine for the algorithms of src/sync: several actors run one access at a time, in an order that follows from
// a seed; any of them can be killed, or stopped for ever, before any access. So a run can be repeated exactly.
//
// What is simulated, and how it differs from a real machine:
//   - Memory is sequentially consistent: what weaker memory orders allow is left to ThreadSanitizer and the SYNC comments.
//     A weak compare-and-swap fails for nothing now and then.
//   - The kernel's steps are as in Linux: a word is changed and its sleepers are woken in one step; who sleeps on several
//     words enqueues on one after the other; the words of one who died are marked in steps between which others run.
//   - Time passes when nobody can run. Only deadlines shorter than kShortNs can be over at any moment. So an algorithm that
//     needs a time-out to make progress is found out.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <ucontext.h>

#include <comap/deadline.hpp>

#include "os/robust_list.hpp"
#include "os/word.hpp"

namespace comap::model {

inline constexpr int kActorsMax = 6;
inline constexpr int kNobody = -1;

// Scheduling points. `begin_access` lets others run first; the caller has the machine until its next access.
void begin_access();
void end_access(const char* what, const volatile void* word, std::uint64_t before, std::uint64_t after, bool wrote);
bool weak_failure();
bool is_store_dropped(const volatile void* word);

// Has one member and the layout of T, as std::atomic has: the semaphore looks at the lower half of a 64-bit word as one of
// 32 bits. That is why the value is copied by its bytes.
template <typename T>
class SimAtom {
  public:
    SimAtom() = default;
    explicit constexpr SimAtom(T value) : value_(value) {}
    SimAtom(const SimAtom&) = delete;
    SimAtom& operator=(const SimAtom&) = delete;

    T load(std::memory_order = std::memory_order_seq_cst) const {
        begin_access();
        const T now = peek();
        end_access("load", this, now, now, false);
        return now;
    }
    void store(T value, std::memory_order = std::memory_order_seq_cst) {
        begin_access();
        if (is_store_dropped(this)) return;
        write("store", peek(), value);
    }
    T exchange(T value, std::memory_order = std::memory_order_seq_cst) {
        return change("exchange", [value](T) { return value; });
    }
    T fetch_add(T value, std::memory_order = std::memory_order_seq_cst) {
        return change("fetch_add", [value](T now) { return static_cast<T>(now + value); });
    }
    T fetch_sub(T value, std::memory_order = std::memory_order_seq_cst) {
        return change("fetch_sub", [value](T now) { return static_cast<T>(now - value); });
    }
    T fetch_or(T value, std::memory_order = std::memory_order_seq_cst) {
        return change("fetch_or", [value](T now) { return static_cast<T>(now | value); });
    }
    T fetch_and(T value, std::memory_order = std::memory_order_seq_cst) {
        return change("fetch_and", [value](T now) { return static_cast<T>(now & value); });
    }
    bool compare_exchange_strong(T& expected, T wanted, std::memory_order = std::memory_order_seq_cst,
                                 std::memory_order = std::memory_order_seq_cst) {
        begin_access();
        return compare_exchange(expected, wanted);
    }
    bool compare_exchange_weak(T& expected, T wanted, std::memory_order = std::memory_order_seq_cst,
                               std::memory_order = std::memory_order_seq_cst) {
        begin_access();
        if (weak_failure()) {
            expected = peek();
            end_access("weak cas, for nothing", this, expected, expected, false);
            return false;
        }
        return compare_exchange(expected, wanted);
    }

    // For the simulation itself and for checks: no access.
    T peek() const {
        T value;
        std::memcpy(&value, static_cast<const void*>(this), sizeof value);
        return value;
    }
    void poke(T value) { std::memcpy(static_cast<void*>(this), &value, sizeof value); }

  private:
    void write(const char* what, T before, T after) {
        poke(after);
        end_access(what, this, before, after, true);
    }
    bool compare_exchange(T& expected, T wanted) {
        const T now = peek();
        if (now != expected) {
            expected = now;
            end_access("cas, failed", this, now, now, false);
            return false;
        }
        write("cas", now, wanted);
        return true;
    }
    template <typename Operation>
    T change(const char* what, const Operation& operation) {
        begin_access();
        const T before = peek();
        write(what, before, operation(before));
        return before;
    }

    T value_;
};
static_assert(sizeof(SimAtom<std::uint64_t>) == 8 && std::is_standard_layout_v<SimAtom<std::uint64_t>>);
using Atom32 = SimAtom<std::uint32_t>;
using Atom64 = SimAtom<std::uint64_t>;

struct SimNode {
    Atom32* word = nullptr;
};

struct SimSleep {
    const Atom32* word = nullptr;
    std::uint32_t seen = 0;
};

// What is broken in the simulated machine, to show that the scenarios notice.
struct Faults {
    bool set_wakes_nobody = false;
    bool all_is_one = false;           // who should wake all wakes one
    bool clear_wakes_nobody = false;
    bool wakes_in_second_step = false; // changes the word, and wakes after that
    bool give_wakes_nobody = false;
    bool drops_stores = false;         // plain stores are lost; of all shared words that is the mutex's mark
    bool forgets_the_dead = false;     // no robust list
    bool ignores_pending = false;      // nor what was announced
};

// The actor dies before its step number `step`, counted from 1; with `any_actors_step`, at the first moment after that many
// steps of all actors, asleep or not.
struct Kill {
    int actor = kNobody;
    std::uint64_t step = 0;
    bool any_actors_step = false;
    bool only_stops = false;  // it never runs again, but is not dead: the kernel does nothing about it
};

struct Options {
    std::uint64_t seed = 1;
    std::vector<Kill> kills;
    Faults faults;
    bool weak_failures = false;
    bool spurious_wakes = false;
    bool interrupts = false;
    bool any_wake_order = false;  // else first come, first woken
    bool can_spin = false;
    bool time_passes = false;     // a little, with every access
    bool trace = false;
};

// Numbers that follow from a seed.
class Random {
  public:
    explicit Random(std::uint64_t seed) : state_(seed) {}
    std::uint64_t next() {
        state_ += 0x9e37'79b9'7f4a'7c15u;
        std::uint64_t mixed = state_;
        mixed = (mixed ^ (mixed >> 32)) * 0xd6e8'feb8'6659'fd93u;
        mixed = (mixed ^ (mixed >> 32)) * 0xd6e8'feb8'6659'fd93u;
        return mixed ^ (mixed >> 32);
    }
    std::uint64_t below(std::uint64_t bound) { return next() % bound; }
    bool one_in(std::uint64_t bound) { return below(bound) == 0; }

  private:
    std::uint64_t state_;
};

enum class State : std::uint8_t { runnable, asleep, done, dead, stopped };

// Who looks at each write to a word.
class Tracker {
  public:
    virtual ~Tracker() = default;
    // `by_kernel`: after the death of `actor`.
    virtual void written(int actor, bool by_kernel) = 0;
};

class Scenario {
  public:
    virtual ~Scenario() = default;
    virtual void after_access() {}
    virtual void died(int /*actor*/) {}  // before the kernel does anything about it
    virtual void at_end() {}             // everyone is done, dead or asleep for ever
};

class Simulation {
  public:
    static constexpr std::uint64_t kShortNs = 500'000;  // shorter than any nap of the algorithms

    explicit Simulation(const Options& options);
    ~Simulation();
    Simulation(const Simulation&) = delete;
    Simulation& operator=(const Simulation&) = delete;

    // The one that is set up or runs.
    static Simulation& now() { return *now_; }
    static bool is_there() { return now_ != nullptr; }

    // --- setting up
    // Actors of one process die together.
    int add_actor(std::function<void()> body, std::uint32_t thread_number, int process);
    void name(const volatile void* word, const char* name, Tracker* tracker = nullptr);
    void set_touched(Atom32* word) { touched_ = word; }

    void run(Scenario& scenario);

    // --- for scenarios
    void work() { begin_access(); }  // something that takes time
    // Ends the run. In an actor it does not return.
    [[gnu::format(printf, 2, 3)]] void fail(const char* format, ...);
    bool has_failed() const { return !failure_.empty(); }
    const std::string& failure() const { return failure_; }
    std::string trace() const;

    int actor() const { return current_; }
    int actor_count() const { return static_cast<int>(actors_.size()); }
    State state(int actor) const { return actors_[static_cast<std::size_t>(actor)].state; }
    bool is_alive(int actor) const { return state(actor) != State::dead && !actors_[static_cast<std::size_t>(actor)].dying; }
    std::uint32_t thread_number_of(int actor) const { return actors_[static_cast<std::size_t>(actor)].thread_number; }
    bool has_announced(int actor) const { return actors_[static_cast<std::size_t>(actor)].pending != nullptr; }
    std::uint64_t steps(int actor) const { return actors_[static_cast<std::size_t>(actor)].steps; }
    std::uint64_t turn() const { return turn_; }  // accesses of all so far
    std::uint32_t deaths() const { return deaths_; }  // and stops
    std::uint32_t long_timeouts() const { return long_timeouts_; }  // of 5 ms and more: the rechecks
    std::uint32_t naps() const { return naps_; }
    std::uint64_t clock_ns() const { return clock_ns_; }
    Deadline shortly();  // one that may be over at any moment
    Random& random() { return random_; }

    // --- the machine
    void begin();
    void end(const char* what, const volatile void* word, std::uint64_t before, std::uint64_t after, bool wrote);
    const Options& options() const { return options_; }
    os::Woken sleep(std::span<const SimSleep> sleeps, Deadline deadline);
    using Operation = std::uint32_t (*)(std::uint32_t before, std::uint32_t argument);
    std::uint32_t change_and_wake(Atom32& word, const char* what, Operation operation, std::uint32_t argument, bool all, bool wakes);
    void wake(Atom32& word, bool all);
    bool touch();
    void announce(SimNode* node, const char* what);
    void link(SimNode* node);
    void unlink(SimNode* node);
    // By the kernel, between two accesses.
    void kernel_add_and_wake_all(Atom32& word, std::uint32_t addend);

  private:
    struct Actor {
        std::function<void()> body;
        std::uint32_t thread_number = 0;
        int process = 0;
        State state = State::runnable;
        bool dying = false;
        bool doomed = false;     // its process was killed
        bool woken_early = false;  // while it was still enqueueing
        os::Woken woken = os::Woken::maybe;
        std::uint64_t deadline_ns = 0;
        std::uint64_t sleeps_for_ns = 0;
        std::uint64_t steps = 0;
        std::uint32_t priority = 0;
        std::vector<SimNode*> list;  // the robust list
        SimNode* pending = nullptr;
        ucontext_t context;
    };
    struct Sleeper {
        int actor;
        const Atom32* word;
    };
    struct Access {
        int actor;
        bool dying;
        const char* what;
        const volatile void* word;
        std::uint64_t before, after;
    };
    struct Named {
        const volatile void* word;
        const char* name;
        Tracker* tracker;
    };

    static void trampoline();
    Actor& self() { return actors_[static_cast<std::size_t>(current_)]; }
    void schedule();
    int pick();
    int pick_by_priority(std::span<const int> runnable);
    bool let_time_pass();
    void happen();
    void end_sleep(int actor, os::Woken woken);
    void time_out_until(std::uint64_t ns);
    std::uint32_t wake_sleepers(const volatile void* word, std::uint32_t count);
    void live_or_die();
    [[noreturn]] void die();
    [[noreturn]] void stop();
    void handle_death_of(SimNode* node, bool pending);
    void kernel_step();
    void note(const char* what, const volatile void* word, std::uint64_t before, std::uint64_t after);
    void tell_trackers(const volatile void* word, bool by_kernel);
    void resume(int actor);
    std::string line(const Access& access) const;
    const char* name_of(const volatile void* word) const;

    static Simulation* now_;

    Options options_;
    Random random_;
    Scenario* scenario_ = nullptr;
    std::vector<Actor> actors_;
    std::vector<Sleeper> sleepers_;
    std::vector<Named> names_;
    Atom32* touched_ = nullptr;
    ucontext_t main_;
    int current_ = kNobody;
    std::uint64_t turn_ = 0;
    std::uint64_t alone_ = 0;  // turns that the current actor has had in a row
    std::uint64_t clock_ns_;
    std::uint64_t clock_of_accesses_ns_ = 0;
    std::uint32_t deaths_ = 0;
    std::uint32_t long_timeouts_ = 0;
    std::uint32_t naps_ = 0;
    std::uint32_t stickiness_ = 0;  // 0: by priority; 1: anyone at each access; n: one in n accesses is followed by another's
    std::array<std::uint64_t, 4> priority_changes_{};
    std::string failure_;
    std::array<Access, 64> last_;
    std::uint64_t noted_ = 0;
};

// The machine as the algorithms see it.
struct SimMachine {
    template <typename T>
    using Atom = SimAtom<T>;
    using Node = SimNode;
    using Sleep = SimSleep;

    static os::Woken wait(const Atom32& word, std::uint32_t seen, Deadline deadline);
    static os::Woken wait_any(std::span<const Sleep> sleeps, Deadline deadline);

    static std::uint32_t add_and_wake_all(Atom32& word, std::uint32_t addend);
    static std::uint32_t set_bit_and_wake_all(Atom32& word, std::uint32_t bit_index);
    static std::uint32_t clear_bit_and_wake_all(Atom32& word, std::uint32_t bit_index);
    static std::uint32_t set_to_bit_and_wake_one(Atom32& word, std::uint32_t bit_index);
    static void wake(Atom32& word, bool all);

    static std::uint32_t thread_number();
    static std::uint64_t thread_token();
    static bool is_alive(std::uint64_t thread_token);
    static bool claim(Node*) { return true; }  // what it guards against, overwritten words, is not simulated
    static void unclaim(Node*) {}
    static void robust_begin(Node* node);
    static void robust_end();
    static void robust_link(Node* node);
    static void robust_unlink(Node* node);

    static bool touch(int descriptor, std::uint64_t scratch_offset_bytes);
    static bool can_spin();
    static void spin_pause() {}

    static inline bool has_barriers = true;  // in this run
    static bool barrier_everywhere() {
        begin_access();
        end_access(has_barriers ? "barrier everywhere" : "cannot have a barrier", nullptr, 0, 0, false);
        return has_barriers;
    }
    static void light_barrier() {}

    // For machines on which a store is seen later.
    static constexpr bool sees_at_once = true;
    static void begin_run() {}
    static void ends(int /*actor*/) {}  // or enters the kernel
};

}  // namespace comap::model
