// SPDX-License-Identifier: Apache-2.0
#include "storm.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "os/file.hpp"
#include "player.hpp"
#include "support/process.hpp"
#include "waitable/core.hpp"

namespace comap::storm {
namespace {

constexpr auto kOrder = std::memory_order_seq_cst;
constexpr std::uint64_t kHangNs = 60'000'000'000u;
constexpr std::uint32_t kAllTokens = (1u << kTokenCount) - 1;

void nap(std::uint64_t ns) {
    const struct timespec span = {0, static_cast<long>(ns)};
    ::nanosleep(&span, nullptr);
}

// What is lost for certain, and at most.
struct Bounds {
    std::uint64_t least = 0;
    std::uint64_t most = 0;
    bool contain(std::uint64_t value) const { return least <= value && value <= most; }
};

class Crew {
  public:
    explicit Crew(const Run& run)
        : run_(run), board_(*run.board), context_({.root = run.root}), things_(Things::create(context_)), me_(board_, things_, kParentSlot, 1, run.seed),
          random_(run.seed + 17) {
        ::prctl(PR_SET_TIMERSLACK, 1000);
        board_.all_places = {1, 1, kAllTokens};
        for (std::size_t i = 0; i < kProcessCount; ++i) start(i);
        wait_for([&] { return all_have_begun(); }, "every process has begun");
    }

    Tally run() {
        while (!board_.is_over() && tally_.kills < run_.kills) {
            settle();
            storm_a_while();
            take_a_break();
        }
        end();
        return tally_;
    }

  private:
    // --- processes
    Slot& slot_of(std::size_t process, std::size_t thread) { return board_.slots[process * kThreadCount + thread]; }
    std::size_t threads_of(std::size_t process) const { return 2 + serials_[process] % (kThreadCount - 1); }

    template <typename Visit>
    void for_each_thread(const Visit& visit) {
        for (std::size_t process = 0; process < kProcessCount; ++process)
            for (std::size_t thread = 0; thread < threads_of(process); ++thread) visit(process, slot_of(process, thread));
    }

    bool has_begun(std::size_t process) {
        for (std::size_t thread = 0; thread < threads_of(process); ++thread)
            if (slot_of(process, thread).begun.load(kOrder) == 0) return false;
        return true;
    }
    bool all_have_begun() {
        for (std::size_t process = 0; process < kProcessCount; ++process)
            if (!has_begun(process)) return false;
        return true;
    }

    void start(std::size_t process) {
        const std::uint32_t serial = ++last_serial_;
        serials_[process] = serial;
        for (std::size_t thread = 0; thread < kThreadCount; ++thread) {
            Slot& slot = slot_of(process, thread);
            slot.saying.store(0, kOrder);
            slot.begun.store(0, kOrder);
            slot.parked_at.store(0, kOrder);
            slot.operations.store(0, kOrder);
        }
        std::fflush(nullptr);
        const pid_t pid = ::fork();
        if (pid < 0) {
            std::perror("fork");
            std::exit(2);
        }
        if (pid == 0) ::_exit(work(run_, process, serial, things_));
        pids_[process] = pid;
    }

    void stop(std::size_t process) {
        ::kill(pids_[process], SIGSTOP);
        int status = 0;
        if (::waitpid(pids_[process], &status, WUNTRACED) != pids_[process] || !WIFSTOPPED(status)) report_end(process, status);
    }
    void go_on(std::size_t process) { ::kill(pids_[process], SIGCONT); }

    void report_end(std::size_t process, int status) {
        board_.report("process " + std::to_string(process) + " ended by itself, with status " + std::to_string(status));
    }

    // --- what the words say, while nobody can change them
    const internal::SyncBlock& mutex_block() const { return things_.mutex.core()->block(); }
    std::uint32_t lock_word() const { return mutex_block().lock.load(kOrder); }
    std::uint32_t mark() const { return mutex_block().mark.load(kOrder); }
    std::uint32_t tokens() const { return internal::tokens_of(things_.semaphore.core()->block().state.load(kOrder)); }
    std::uint32_t events() const { return (things_.event.core()->block().state.load(kOrder) & internal::kEventSet) != 0 ? 1 : 0; }

    // --- killing
    void storm_a_while() {
        const std::uint64_t count = random_.one_in(8) ? 1 + random_.below(3) : 1;
        kills_since_break_ = 0;
        owed_ = {};
        lost_event_ = {};
        lost_tokens_ = {};
        only_list_takers_died_ = true;
        told_before_ = board_.told_of_owner.load(kOrder) + board_.told_of_other.load(kOrder);
        told_of_other_before_ = board_.told_of_other.load(kOrder);
        for (std::uint64_t i = 0; i < count && !board_.is_over(); ++i) {
            pass_random_time();
            const std::size_t victim = random_.below(kProcessCount);
            if (!random_.one_in(16)) wait_for([&] { return has_begun(victim); }, "the process to be killed has begun");
            const std::size_t stopped = random_.one_in(8) ? random_.below(kProcessCount) : kProcessCount;
            const bool stops_another = stopped < kProcessCount && stopped != victim;
            if (stops_another) stop(stopped), ++tally_.stops;
            if (random_.one_in(8)) signal_somebody();
            if (random_.one_in(2)) kill_among_stopped(victim, stops_another ? stopped : kProcessCount);
            else kill(victim);
            start(victim);
            if (stops_another) {
                pass_random_time();
                go_on(stopped);
            }
        }
    }

    void pass_random_time() {
        switch (random_.below(4)) {
            case 0:
                return test::pass_time(static_cast<std::uint32_t>(random_.below(1000)));
            case 1:
                return test::pass_time(static_cast<std::uint32_t>(random_.below(300'000)));
            default:
                return nap(random_.below(400'000));  // lets all processors to the others
        }
    }

    void signal_somebody() {
        const std::size_t process = random_.below(kProcessCount);
        const Slot& slot = slot_of(process, random_.below(threads_of(process)));
        if (slot.begun.load(kOrder) != 0) ::syscall(SYS_tgkill, pids_[process], slot.thread.load(kOrder), SIGUSR1);
        ++tally_.signals;
    }

    void kill_and_reap(std::size_t victim) {
        board_.doomed[victim].store(serials_[victim], kOrder);
        ::kill(pids_[victim], SIGKILL);
        int status = 0;
        if (::waitpid(pids_[victim], &status, 0) != pids_[victim] || !WIFSIGNALED(status)) report_end(victim, status);
        ++tally_.kills;
        ++kills_since_break_;
    }

    // While the others go on.
    void kill(std::size_t victim) {
        kill_and_reap(victim);
        note_dead(victim);
        for (std::size_t thread = 0; thread < threads_of(victim); ++thread)
            if (slot_of(victim, thread).says().is_unsure(kMutex)) ++owed_.most;
    }

    // With everybody stopped at a random instant, so that the words say exactly what the dead one had.
    void kill_among_stopped(std::size_t victim, std::size_t stopped_already) {
        for (std::size_t process = 0; process < kProcessCount; ++process)
            if (process != stopped_already) stop(process);
        check_words_of_stopped();
        const std::uint32_t word = lock_word();
        const std::uint32_t said = mark();
        const std::uint32_t tokens_before = tokens();
        const std::uint32_t events_before = events();
        const std::uint64_t journal = board_.journal.load(kOrder);
        kill_and_reap(victim);
        note_dead(victim);
        ++tally_.kills_of_stopped;
        const std::uint64_t owner = owner_among(victim, word);
        if (lock_word() != (owner != 0 ? (word & os::kSleepers) | os::kOwnerDied : word)) board_.report("the kernel has not left the lock word as it should");
        if (mark() != said) board_.report("the mark has changed though nobody runs");
        if (tokens() != tokens_before || events() != events_before) board_.report("a death has changed the number of tokens");
        if (owner != 0) ++tally_.owners_marked_by_kernel;
        // (An odd journal is of one that owned it: him that died, or one that gave it up as abandoned and was not followed yet.)
        const bool is_told_of_other = (journal & 1) == 0;
        if (owner != 0 && said != 0 && is_told_of_other) ++owed_.least, ++owed_.most;
        for (std::size_t process = 0; process < kProcessCount; ++process)
            if (process != stopped_already && process != victim) go_on(process);
    }

    // The life of that process's thread whose number the word has; 0: none.
    std::uint64_t owner_among(std::size_t process, std::uint32_t word) {
        for (std::size_t thread = 0; thread < threads_of(process); ++thread) {
            const Slot& slot = slot_of(process, thread);
            if (slot.begun.load(kOrder) != 0 && static_cast<std::uint32_t>(slot.thread.load(kOrder)) == (word & os::kOwnerMask))
                return life_of(serials_[process], process * kThreadCount + thread);
        }
        return 0;
    }

    void check_words_of_stopped() {
        std::uint32_t with_event = 0;
        std::uint32_t with_token = 0;
        for_each_thread([&](std::size_t, const Slot& slot) {
            const Saying says = slot.says();
            const auto number = static_cast<std::uint32_t>(slot.thread.load(kOrder));
            with_event += says.is(kEvent, Says::having) ? 1 : 0;
            with_token += says.is(kSemaphore, Says::having) ? 1 : 0;
            if (!says.is(kMutex, Says::having)) return;
            if ((lock_word() & os::kOwnerMask) != number || mark() != (internal::kMarkTag | number)) board_.report("the mutex's words do not name its owner");
        });
        if (with_event + events() > 1) board_.report("there are more events than one");
        if (with_token + tokens() > kTokenCount) board_.report("there are more tokens than the semaphore had");
    }

    void note_dead(std::size_t victim) {
        for (std::size_t thread = 0; thread < threads_of(victim); ++thread) {
            const Saying says = slot_of(victim, thread).says();
            note_loss(says, kEvent, lost_event_);
            note_loss(says, kSemaphore, lost_tokens_);
            const bool takes_with_mutex = says.is_all_or_none() && says.is(kMutex, Says::taking);
            if (!takes_with_mutex && (says.of(kEvent) != Says::nothing || says.of(kSemaphore) != Says::nothing)) only_list_takers_died_ = false;
            bool any[4] = {};
            for (const Thing thing : {kMutex, kEvent, kSemaphore}) any[static_cast<std::size_t>(says.of(thing))] = true;
            ++(any[2] ? tally_.dead_having : any[1] ? tally_.dead_taking : any[3] ? tally_.dead_giving : tally_.dead_idle);
            tally_.operations += slot_of(victim, thread).operations.load(kOrder);
        }
    }

    static void note_loss(Saying says, Thing thing, Bounds& lost) {
        if (says.is(thing, Says::having)) ++lost.least, ++lost.most;
        if (says.is_unsure(thing)) ++lost.most;
    }

    // --- the break
    void settle() {
        board_.pause.store(0, kOrder);
        if (const auto set = things_.gate.set(); !set) fail("set of the gate", set.error());
    }

    void take_a_break() {
        if (const auto reset = things_.gate.reset(); !reset) fail("reset of the gate", reset.error());
        board_.pause.store(++last_pause_, kOrder);
        std::uint64_t turn = 0;
        wait_for([&] { return all_rest(turn++); }, "everybody has done what he was about and rests");
        if (board_.is_over()) return;
        ++tally_.breaks;
        check_books();
    }

    // Who has begun rests in this break. Helps those who cannot: who came in from an older break, or waits for what is lost.
    bool all_rest(std::uint64_t turn) {
        bool all = true;
        bool somebody_gives = false;
        bool somebody_came_late = false;
        for_each_thread([&](std::size_t, const Slot& slot) {
            if (slot.begun.load(kOrder) == 0) return;
            const std::uint32_t parked_at = slot.parked_at.load(kOrder);
            all = all && parked_at == last_pause_;
            if (parked_at != 0 && parked_at != last_pause_) somebody_came_late = true;
            const Saying says = slot.says();
            for (const Thing thing : {kMutex, kEvent, kSemaphore})
                if (says.is(thing, Says::having) || says.is(thing, Says::giving)) somebody_gives = true;
        });
        if (all || turn % 16 != 15) return all;
        if (somebody_came_late) (void)things_.gate.pulse();
        // A waiter is only interrupted when there is nothing for him: else the library must wake him.
        const auto count = things_.semaphore.count();
        const auto set = things_.event.is_set();
        if (!count || !set) return board_.report("the semaphore or the event is damaged"), false;
        const bool has_all = *count > 0 && *set;
        if (somebody_gives || (run_.scenario == Scenario::event && *set) || (run_.scenario == Scenario::semaphore && *count > 0) || has_all) return false;
        for_each_thread([&](std::size_t process, const Slot& slot) {
            const Saying says = slot.says();
            const bool wants_event = says.is(kEvent, Says::taking) && !*set;
            const bool wants_token = says.is(kSemaphore, Says::taking) && *count == 0;
            if (wants_event || wants_token) ::syscall(SYS_tgkill, pids_[process], slot.thread.load(kOrder), SIGUSR1);
        });
        return false;
    }

    // Nobody has anything, so whatever is missing died.
    void check_books() {
        const std::uint64_t lost_events = 1 - events();
        const std::uint64_t lost_tokens = kTokenCount - tokens();
        if (lost_event_.most > 1) lost_event_.most = 1;
        if (tokens() > kTokenCount) board_.report("the semaphore has more tokens than it may");
        if (!lost_event_.contain(lost_events)) report_books("the event is " + std::string(lost_events == 0 ? "set" : "not set"), lost_event_);
        if (!lost_tokens_.contain(lost_tokens)) report_books(std::to_string(lost_tokens) + " tokens are lost", lost_tokens_);
        // The last of what died with owners and in calls comes to us.
        const std::uint32_t has = me_.take(bit(kMutex), How::one, Deadline::after(std::chrono::seconds(60)));
        if (has == 0) return board_.report("nobody has the mutex, but it could not be locked for a minute");
        me_.use(has);
        me_.give(has);
        const std::uint64_t told_of_other = board_.told_of_other.load(kOrder) - told_of_other_before_;
        const std::uint64_t told = board_.told_of_owner.load(kOrder) + board_.told_of_other.load(kOrder) - told_before_;
        if (kills_since_break_ > 1) owed_.least = 0;  // of two who died with it in turn, only the second is told of
        if (!owed_.contain(told_of_other)) report_books(std::to_string(told_of_other) + " abandonments were told of those who died in a call", owed_);
        if (kills_since_break_ == 1 && only_list_takers_died_ && lost_events + lost_tokens > 0 && told == 0)
            board_.report("somebody died while he took all, and took a token with him, but left no abandoned mutex");
        if (kills_since_break_ == 0 && told != 0) board_.report("an abandonment was told though nobody died");
        const std::uint32_t at_rest = lock_word() & ~os::kSleepers;
        const bool given_on_purpose = (board_.journal.load(kOrder) & 1) != 0;
        if (at_rest != 0 || (mark() != 0 && !given_on_purpose)) board_.report("the mutex is not free though everybody rests");
        tally_.lost_events += lost_events;
        tally_.lost_tokens += lost_tokens;
        if (lost_events != 0)
            if (const auto set = things_.event.set(); !set) fail("set", set.error());
        if (lost_tokens != 0)
            if (const auto released = things_.semaphore.release(static_cast<std::int64_t>(lost_tokens)); !released) fail("release", released.error());
        for (auto& places : board_.places) places.store(0, kOrder);
    }

    void report_books(const std::string& what, const Bounds& bounds) {
        board_.report(what + ", but it must be " + std::to_string(bounds.least) + " to " + std::to_string(bounds.most) + " after " +
                      std::to_string(kills_since_break_) + " kills");
    }
    void fail(const char* call, const Error& error) { board_.report(std::string(call) + " failed: " + error.message); }

    // --- waiting, and the end
    template <typename Condition>
    void wait_for(const Condition& condition, const char* what) {
        const std::uint64_t began_ns = os::monotonic_ns();
        while (!condition() && !board_.is_over()) {
            if (os::monotonic_ns() - began_ns > kHangNs) {
                print_state();
                return board_.report(std::string("waited a minute in vain until ") + what);
            }
            nap(30'000);
        }
    }

    void print_state() {
        const auto& event = things_.event.core()->block();
        const auto& semaphore = things_.semaphore.core()->block();
        std::fprintf(stderr, "mutex: lock word %08x, mark %08x; event: word %016llx, lock word %08x; semaphore: word %016llx, lock word %08x\n",
                     lock_word(), mark(), static_cast<unsigned long long>(event.state.load()), event.lock.load(),
                     static_cast<unsigned long long>(semaphore.state.load()), semaphore.lock.load());
        for_each_thread([&](std::size_t process, const Slot& slot) {
            const std::string place = "/proc/" + std::to_string(pids_[process]) + "/task/" + std::to_string(slot.thread.load()) + "/";
            std::fprintf(stderr, "process %zu, thread %d: %s; %llu operations, in break %u, in call %s\n", process, slot.thread.load(),
                         describe(slot.says()).c_str(), static_cast<unsigned long long>(slot.operations.load()), slot.parked_at.load(),
                         test::read_file(place + "syscall").c_str());
        });
    }

    void end() {
        const bool in_order = !board_.is_over();
        board_.over.store(1, kOrder);
        (void)things_.gate.set();
        for (std::size_t process = 0; process < kProcessCount; ++process) {
            if (!in_order) ::kill(pids_[process], SIGKILL);
            int status = 0;
            const std::uint64_t began_ns = os::monotonic_ns();
            while (::waitpid(pids_[process], &status, WNOHANG) == 0) {
                if (os::monotonic_ns() - began_ns > kHangNs) {
                    board_.report("process " + std::to_string(process) + " does not end");
                    print_state();
                    ::kill(pids_[process], SIGKILL);
                }
                nap(100'000);
            }
            if (in_order && status != 0) report_end(process, status);
        }
        for_each_thread([&](std::size_t, const Slot& slot) { tally_.operations += slot.operations.load(kOrder); });
    }

    const Run& run_;
    Board& board_;
    Context context_;
    Things things_;
    Player me_;
    Random random_;
    Tally tally_;
    std::array<pid_t, kProcessCount> pids_{};
    std::array<std::uint32_t, kProcessCount> serials_{};
    std::uint32_t last_serial_ = 0;
    std::uint32_t last_pause_ = 0;

    // Since the last break.
    std::uint64_t kills_since_break_ = 0;
    Bounds owed_;  // abandonments of those who died in a call
    Bounds lost_event_, lost_tokens_;
    bool only_list_takers_died_ = true;
    std::uint64_t told_before_ = 0;
    std::uint64_t told_of_other_before_ = 0;
};

}  // namespace

Tally storm(const Run& run) { return Crew(run).run(); }

}  // namespace comap::storm
