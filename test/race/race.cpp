// SPDX-License-Identifier: Apache-2.0
#include "race.hpp"

#include <sched.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>

#include <comap/comap.hpp>

namespace comap::race {
namespace {

constexpr std::uint64_t kSize = 64;
constexpr std::uint64_t kHangNs = 120'000'000'000u;
constexpr std::uint32_t kTurnsMax = 300;
constexpr std::uint64_t kMs = 1'000'000;
constexpr auto kOrder = std::memory_order_seq_cst;

std::uint64_t now_ns() {
    struct timespec now;
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

// What the maker of an object writes into it.
struct Body {
    std::uint64_t generation;
    std::uint64_t inode;
};

class Worker {
  public:
    Worker(const Run& run, std::size_t index, std::uint64_t life, bool mixed)
        : board_(*run.board), context_({.root = run.root}), slot_(board_.slots[index]), index_(index),
          random_(run.seed * 1000 + index + life * 77'777), mixed_(mixed) {}

    int work() {
        while (!board_.is_over()) {
            if (mixed_) do_something_else();
            if (!random_.one_in(8)) await_next_generation();
            hold_once();
            board_.add(board_.rounds);
        }
        return 0;
    }

  private:
    void await_next_generation();
    void hold_once();
    void check_held(std::uint64_t inode);
    void check_body(const Section& section, std::uint64_t inode);
    void fork_holder(Section& section, std::uint64_t inode);
    [[noreturn]] void live_as_child(Section& section, std::uint64_t inode);
    void let_others_run() {
        for (std::uint64_t i = random_.below(3); i > 0; --i) ::sched_yield();
    }

    void do_something_else();
    bool claim_keep();
    void release_keep();
    void keep_a_while(Section section, std::uint64_t inode);
    void end_keeping(Section& section);
    void remove();
    void fail(const std::string& call, const Error& error) { board_.report(call + " failed: " + std::string(code_name(error.code)) + ": " + error.message); }

    Board& board_;
    Context context_;
    Slot& slot_;
    std::size_t index_;
    Random random_;
    bool mixed_;
    std::uint64_t last_generation_ = 0;
};

// Until the object that we had is gone: with many processes on few processors there is else always one that holds it.
// Then all come at once. Not for ever: it may be held by one that is stopped.
void Worker::await_next_generation() {
    for (std::uint32_t turn = 0; turn < kTurnsMax && !nobody_holds(board_); ++turn) {
        if (board_.generations.load(kOrder) != last_generation_) return;
        ::sched_yield();
    }
}

// One object's time with us.
void Worker::hold_once() {
    const bool only_open = random_.one_in(4);
    const char* const call = only_open ? "open" : "open_or_create";
    const Snapshot before(board_);
    auto section = only_open ? Section::open(kName, {}, context_) : Section::open_or_create(kName, kSize, {}, context_);
    if (!section && section.error().code == Code::not_found && only_open) {
        board_.add(board_.missing);
        return before.check_missing(board_, "open found nothing");
    }
    if (!section && section.error().code == Code::busy) return before.check_busy(board_, call);
    if (!section) return fail(call, section.error());
    const auto info = section->info();
    if (!info) return fail("info", info.error());
    slot_.begin(info->inode);
    if (section->was_created()) before.check_missing(board_, "open_or_create made a new object");
    before.check_found(board_, info->inode, call);
    check_all_hold(board_, info->inode);
    check_body(*section, info->inode);
    check_held(info->inode);
    last_generation_ = board_.generations.load(kOrder);
    let_others_run();
    if (mixed_ && info->keep) end_keeping(*section);
    if (mixed_ && random_.one_in(24)) fork_holder(*section, info->inode);
    if (random_.one_in(4)) check_held(info->inode);
    slot_.end();
    if (mixed_ && random_.one_in(16)) return keep_a_while(std::move(*section), info->inode);
    section->close();
}

// Exactly one made it.
void Worker::check_body(const Section& section, std::uint64_t inode) {
    const auto view = section.view();
    if (!view) return fail("view", view.error());
    Body& body = view->as<Body>()[0];
    if (section.was_created()) {
        const std::uint64_t generation = board_.generations.fetch_add(1, kOrder) + 1;
        std::atomic_ref(body.inode).store(inode, kOrder);
        if (std::atomic_ref(body.generation).exchange(generation, kOrder) != 0) board_.report("two processes made the same object");
        return;
    }
    board_.add(board_.found);
    const std::uint64_t generation = std::atomic_ref(body.generation).load(kOrder);  // 0: its maker was not as far yet
    if (generation != 0 && std::atomic_ref(body.inode).load(kOrder) != inode) board_.report("an object has another one's bytes");
}

// What we hold has its name: whoever opens it, finds it, and is never told that it is busy.
void Worker::check_held(std::uint64_t inode) {
    const auto again = Section::open(kName, {}, context_);
    if (!again) return fail("a second open by " + describe_slot(index_) + ", which holds the object,", again.error());
    const auto info = again->info();
    if (!info) return fail("info", info.error());
    if (info->inode != inode) board_.report("a held object has lost its name to another one");
}

void Worker::fork_holder(Section& section, std::uint64_t inode) {
    const pid_t pid = ::fork();
    if (pid == 0) live_as_child(section, inode);
    if (pid > 0) board_.add(board_.forks);
}

// Shares the parent's open file. Holds on for a while, then closes, exits or is killed.
void Worker::live_as_child(Section& section, std::uint64_t inode) {
    Random random(random_.next());
    Slot* mine = nullptr;
    for (std::size_t i = kWorkerCount; i < kKeepSlot && !mine; ++i) {
        std::uint32_t free = 0;
        if (board_.slots[i].taken.compare_exchange_strong(free, 1, kOrder)) mine = &board_.slots[i];
    }
    if (!mine) ::_exit(0);
    mine->begin(inode);
    Context own({.root = context_.root()});
    for (std::uint64_t turn = random.below(8); turn > 0; --turn) {
        if (random.one_in(2)) rest(random.below(300'000));
        const auto again = Section::open(kName, {}, own);
        const auto info = again ? again->info() : Result<ObjectInfo>(tl::unexpected<Error>(again.error()));
        if (!info) fail("an open by a forked child, which holds the object,", info.error());
        else if (info->inode != inode) board_.report("an object that a forked child holds has lost its name to another one");
    }
    mine->end();
    mine->taken.store(0, kOrder);
    const std::uint64_t way = random.below(3);
    if (way == 0) section.close();
    if (way == 1) ::raise(SIGKILL);
    ::_exit(0);
}

// --- keep, remove, collect. Only who has the claim may change the sticky bit, so that the board can speak for it.

bool Worker::claim_keep() {
    std::uint32_t free = 0;
    return board_.keep_claim.compare_exchange_strong(free, static_cast<std::uint32_t>(index_ + 1), kOrder);
}

void Worker::release_keep() { board_.keep_claim.store(0, kOrder); }

// The object outlives its holders for a while.
void Worker::keep_a_while(Section section, std::uint64_t inode) {
    if (!claim_keep()) return;
    if (const auto kept = section.set_keep(true); !kept) return fail("set_keep", kept.error());
    board_.add(board_.keeps);
    Slot& slot = board_.slots[kKeepSlot];
    slot.begin(inode);
    section.close();
    let_others_run();
    const Snapshot before(board_);
    auto again = Section::open(kName, {}, context_);
    if (!again && again.error().code == Code::busy) {  // somebody looks whether it may be removed, and was stopped there
        before.check_busy(board_, "open of a kept object");
        slot.end();
        return release_keep();  // who meets it next ends the keeping
    }
    if (!again) return fail("open of a kept object", again.error());
    const auto info = again->info();
    if (!info) return fail("info", info.error());
    if (info->inode != inode) board_.report("a kept object has lost its name to another one");
    slot.end();
    if (const auto ended = again->set_keep(false); !ended) return fail("set_keep", ended.error());
    release_keep();
}

// A kept object that nobody speaks for: its keeper was killed.
void Worker::end_keeping(Section& section) {
    if (!claim_keep()) return;
    if (const auto ended = section.set_keep(false); !ended) fail("set_keep", ended.error());
    release_keep();
}

// Of a held object nothing is taken away; it may be that of several others.
void Worker::remove() {
    if (!claim_keep()) return;
    const Snapshot before(board_);
    const auto removed = context_.remove(kName);
    board_.add(board_.removals);
    if (removed && *removed == Removed::gone) before.check_missing(board_, "remove removed the object");
    if (!removed && removed.error().code == Code::not_found) before.check_missing(board_, "remove found nothing");
    else if (!removed && removed.error().code == Code::busy) before.check_busy(board_, "remove");
    else if (!removed) fail("remove", removed.error());
    release_keep();
}

void Worker::do_something_else() {
    if (random_.one_in(24)) remove();
    if (!random_.one_in(32)) return;
    const auto collected = context_.collect_file(Scope::local, kName);
    if (!collected && collected.error().code != Code::busy) fail("collect_file", collected.error());
}

// --- the one who starts, kills and stops the workers ---------------------------------------------------------------------

class Crew {
  public:
    Crew(const Run& run, bool mixed) : run_(run), board_(*run.board), random_(run.seed), mixed_(mixed) {
        for (std::size_t i = 0; i < kWorkerCount; ++i) start(i);
    }

    void run() {
        Watchdog watchdog(board_);
        std::uint64_t long_stops_left = mixed_ ? 2 : 0;
        while (!board_.is_over() && board_.generations.load(kOrder) < run_.count) {
            watchdog.look();
            if (!mixed_) {
                rest(kMs);
                continue;
            }
            rest(random_.below(kMs));
            if (random_.one_in(3)) kill(random_.below(kWorkerCount));
            else if (long_stops_left > 0 && random_.one_in(200)) stop(random_.below(kWorkerCount), 1300 * kMs), --long_stops_left;
            else stop(random_.below(kWorkerCount), random_.below(4 * kMs));
            reap_strangers();
        }
        board_.over.store(1, kOrder);
        end();
    }

  private:
    void start(std::size_t index) {
        const std::uint64_t life = lives_++;
        pids_[index] = fork_process([&] {
            ::signal(SIGCHLD, SIG_IGN);  // its forked children leave nothing behind
            return Worker(run_, index, life, mixed_).work();
        });
    }

    void kill(std::size_t index) {
        Slot& slot = board_.slots[index];
        slot.doomed.store(1, kOrder);
        ::kill(pids_[index], SIGKILL);
        ::waitpid(pids_[index], nullptr, 0);
        slot.clear();
        if (board_.keep_claim.load(kOrder) == index + 1) {
            board_.slots[kKeepSlot].clear();
            board_.keep_claim.store(0, kOrder);
        }
        board_.add(board_.kills);
        start(index);
    }

    void stop(std::size_t index, std::uint64_t ns) {
        board_.stops_begun.fetch_add(1, kOrder);
        ::kill(pids_[index], SIGSTOP);
        board_.add(board_.stops);
        rest(ns);
        ::kill(pids_[index], SIGCONT);
        board_.stops_ended.fetch_add(1, kOrder);
    }

    // Forked children whose parent was killed.
    void reap_strangers() {
        for (;;) {
            int status = 0;
            const pid_t pid = ::waitpid(-1, &status, WNOHANG);
            if (pid <= 0) return;
            for (const pid_t worker : pids_)
                if (worker == pid) board_.report("a worker ended by itself, with status " + std::to_string(status));
        }
    }

    // Waits until every process of the run has ended.
    void end() {
        if (board_.has_violation())
            for (const pid_t pid : pids_) ::kill(pid, SIGKILL);  // one of them may hang
        for (std::size_t i = 0; i < kWorkerCount; ++i) {
            int status = 0;
            if (::waitpid(pids_[i], &status, 0) == pids_[i] && status != 0)
                board_.report("worker " + std::to_string(i) + " ended with status " + std::to_string(status));
        }
        while (::waitpid(-1, nullptr, 0) > 0) {}
    }

    const Run& run_;
    Board& board_;
    Random random_;
    bool mixed_;
    std::uint64_t lives_ = 0;
    std::array<pid_t, kWorkerCount> pids_{};
};

// Everybody has gone. Where nobody was killed, nothing is left even without gc.
void check_end(const Run& run, bool mixed) {
    Context context({.root = run.root});
    const auto path = context.object_path(kName);
    if (!mixed && path && ::access(path->c_str(), F_OK) == 0) run.board->report("the object is still there though all have let go of it");
    if (mixed) {
        if (auto kept = Section::open(kName, {}, context)) (void)kept->set_keep(false);
        if (const auto collected = context.collect(Scope::local); !collected) run.board->report("gc failed: " + collected.error().message);
    }
    if (path && ::access(path->c_str(), F_OK) == 0) run.board->report("gc has left the object");
}

}  // namespace

std::uint64_t Random::next() {
    std::uint64_t mixed = (state_ += 0x9e37'79b9'7f4a'7c15u);  // splitmix64
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58'476d'1ce4'e5b9u;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d0'49bb'1331'11ebu;
    return mixed ^ (mixed >> 31);
}

int fork_process(const std::function<int()>& body) {
    std::fflush(nullptr);
    const pid_t pid = ::fork();
    if (pid < 0) {
        std::perror("fork");
        std::exit(2);
    }
    if (pid == 0) ::_exit(body());
    return pid;
}

void rest(std::uint64_t ns) {
    const struct timespec nap = {static_cast<time_t>(ns / 1'000'000'000u), static_cast<long>(ns % 1'000'000'000u)};
    ::nanosleep(&nap, nullptr);
}

void Watchdog::look() {
    const std::uint64_t rounds = board_.rounds.load(std::memory_order_relaxed);
    const std::uint64_t now = now_ns();
    if (rounds != last_rounds_ || since_ns_ == 0) {
        last_rounds_ = rounds;
        since_ns_ = now;
    } else if (now - since_ns_ > kHangNs) {
        board_.report("nothing has moved for two minutes");
    }
}

void run_plain(const Run& run) {
    Crew(run, false).run();
    check_end(run, false);
}

void run_mixed(const Run& run) {
    Crew(run, true).run();
    check_end(run, true);
}

}  // namespace comap::race
