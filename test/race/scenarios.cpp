// SPDX-License-Identifier: Apache-2.0
// Races that need an arrangement of their own.
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <comap/comap.hpp>

#include "race.hpp"

namespace comap::race {
namespace {

constexpr std::uint64_t kSize = 64;
constexpr std::uint32_t kOpenerCount = 4;
constexpr uid_t kNobody = 65534;
constexpr uid_t kSomebody = 65533;
constexpr auto kOrder = std::memory_order_seq_cst;

std::string said(const Error& error) { return std::string(code_name(error.code)) + ": " + error.message; }

[[noreturn]] void give_up(const char* what) {
    std::perror(what);
    std::exit(2);
}

// Waits for another process's step; false when the run is over.
template <typename Condition>
bool wait_for(const Board& board, const Condition& condition) {
    while (!condition()) {
        if (board.is_over()) return false;
        ::sched_yield();
    }
    return true;
}

// Leaves a dead object under kName, or a kept one that nobody holds.
void leave_object(const Run& run, bool keep) {
    const int pid = fork_process([&]() -> int {
        Context context({.root = run.root});
        CreateOptions options;
        options.keep = keep;
        const auto made = Section::open_or_create(kName, kSize, options, context);
        ::_exit(made && made->was_created() ? 0 : 1);  // held until the very end
    });
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (status != 0) run.board->report("an object could not be made anew");
}

// --- a dead object, opened by several at once ----------------------------------------------------------------------------

int open_dead_in_step(const Run& run) {
    Context context({.root = run.root});
    for (std::uint32_t phase = 1;; ++phase) {
        if (!wait_for(*run.board, [&] { return run.board->phase.load(kOrder) == phase; })) return 0;
        const auto opened = Section::open(kName, {}, context);
        if (opened) run.board->report("an open found the object of a process that had been killed before");
        else if (opened.error().code != Code::not_found) run.board->report("open of a dead object failed: " + said(opened.error()));
        run.board->arrived.fetch_add(1, kOrder);
    }
}

}  // namespace

void run_dead(const Run& run) {
    Board& board = *run.board;
    for (std::uint32_t i = 0; i < kOpenerCount; ++i) fork_process([&] { return open_dead_in_step(run); });
    Watchdog watchdog(board);
    for (std::uint64_t round = 0; round < run.count && !board.is_over(); ++round) {
        leave_object(run, false);
        board.arrived.store(0, kOrder);
        board.phase.fetch_add(1, kOrder);
        wait_for(board, [&] {
            watchdog.look();
            return board.arrived.load(kOrder) == kOpenerCount;
        });
        board.add(board.rounds);
    }
    board.over.store(1, kOrder);
    while (::waitpid(-1, nullptr, 0) > 0) {}
}

// --- one who keeps what others are about to remove -------------------------------------------------------------------------

namespace {

int hold_in_turn(const Run& run) {
    Context context({.root = run.root});
    while (!run.board->is_over()) {
        const auto section = Section::open_or_create(kName, kSize, {}, context);
        if (!section) run.board->report("open_or_create failed: " + said(section.error()));
    }
    return 0;
}

// Its object outlives it: it closes it and finds it again.
void keep_once(const Run& run, Context& context) {
    auto section = Section::open_or_create(kName, kSize, {}, context);
    if (!section) return run.board->report("open_or_create failed: " + said(section.error()));
    const auto info = section->info();
    const auto kept = section->set_keep(true);
    if (!info || !kept) return run.board->report("info or set_keep failed");
    section->close();
    auto again = Section::open(kName, {}, context);
    if (!again) return run.board->report("open of a kept object failed: " + said(again.error()));
    const auto found = again->info();
    if (!found || found->inode != info->inode) run.board->report("a kept object has lost its name to another one");
    if (!again->set_keep(false)) run.board->report("set_keep failed");
}

}  // namespace

void run_keep(const Run& run) {
    for (std::uint32_t i = 1; i < kOpenerCount; ++i) fork_process([&] { return hold_in_turn(run); });
    fork_process([&] {
        Context context({.root = run.root});
        for (std::uint64_t round = 0; round < run.count && !run.board->is_over(); ++round) {
            keep_once(run, context);
            run.board->add(run.board->rounds);
        }
        run.board->over.store(1, kOrder);
        return 0;
    });
    while (::waitpid(-1, nullptr, 0) > 0) {}
}

// --- forks in the moment in which a file is locked for writing -------------------------------------------------------------

namespace {

// Shared by the threads of the process that forks.
struct Forker {
    std::uint64_t seed = 0;
    std::uint32_t child_count = 0;
    int wait_fd = -1;             // at its end, children end
    std::atomic<bool> is_done{false};
    int (*make_child)() = nullptr;
    bool child_ends_parent = false;
};

int fork_plainly() { return ::fork(); }
// As fork, but the library is not told (no pthread_atfork handlers).
int clone_barely() { return static_cast<int>(::syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0)); }

// In a child of a process with threads: system calls only.
[[noreturn]] void live_on(const Forker& forker) {
    if (forker.child_ends_parent) ::kill(::getppid(), SIGKILL);
    char byte = 0;
    while (::read(forker.wait_fd, &byte, 1) > 0) {}
    ::_exit(0);
}

void* fork_children(void* argument) {
    Forker& forker = *static_cast<Forker*>(argument);
    Random random(forker.seed);
    for (std::uint32_t i = 0; i < forker.child_count; ++i) {
        rest(random.below(400'000));
        const int pid = forker.make_child();
        if (pid == 0) live_on(forker);
    }
    if (!forker.child_ends_parent) forker.is_done.store(true, kOrder);
    return nullptr;
}

// Opens and closes the kept object, while the other thread forks.
int close_while_forking(const Run& run, Forker& forker) {
    Context context({.root = run.root});
    pthread_t thread;
    if (::pthread_create(&thread, nullptr, fork_children, &forker) != 0) return 1;
    while (!forker.is_done.load(kOrder)) {
        const auto opened = Section::open(kName, {}, context);
        if (opened) continue;
        run.board->report("open while forking failed: " + said(opened.error()));
        return 0;
    }
    ::pthread_join(thread, nullptr);
    return 0;
}

// After each round the children live on; whoever comes then must find the object.
void run_forks(const Run& run, std::uint32_t child_count, int (*make_child)(), bool child_ends_parent) {
    Board& board = *run.board;
    Context context({.root = run.root});
    leave_object(run, true);
    for (std::uint64_t round = 0; round < run.count && !board.is_over(); ++round) {
        std::array<int, 2> alive;
        if (::pipe2(alive.data(), O_CLOEXEC) < 0) give_up("pipe");
        Forker forker;
        forker.seed = run.seed + round;
        forker.child_count = child_count;
        forker.wait_fd = alive[0];
        forker.make_child = make_child;
        forker.child_ends_parent = child_ends_parent;
        const int pid = fork_process([&] {
            ::close(alive[1]);
            return close_while_forking(run, forker);
        });
        int status = 0;
        ::waitpid(pid, &status, 0);
        const bool as_meant = child_ends_parent ? WIFSIGNALED(status) : status == 0;
        if (!as_meant) board.report("the process that forks ended with status " + std::to_string(status));
        const auto opened = Section::open(kName, {}, context);
        if (!opened) board.report("with children of a process that was closing alive, open failed: " + said(opened.error()));
        ::close(alive[1]);
        ::close(alive[0]);
        while (::waitpid(-1, nullptr, WNOHANG) > 0) {}  // children of the rounds before
        board.add(board.rounds);
    }
    (void)context.remove(kName);
}

}  // namespace

void run_fork_and_die(const Run& run) { run_forks(run, 1, fork_plainly, true); }
void run_bare_clone(const Run& run) { run_forks(run, 8, clone_barely, false); }

// --- readers of an object that is kept, held or both, all the time ---------------------------------------------------------

namespace {

void become(uid_t user) {
    if (::geteuid() != 0) return;
    if (::setresgid(user, user, user) != 0 || ::setresuid(user, user, user) != 0) give_up("setresuid");
}

// Kept; opened, and so held; not kept but held; kept and held; kept. It is never neither.
int keep_and_hold_in_turn(const Run& run, const std::string& name, Access access) {
    Context context({.root = run.root});
    OpenOptions options;
    options.access = access;
    while (!run.board->is_over()) {
        auto section = Section::open(name, options, context);
        if (!section) {
            run.board->report("the owner's open failed: " + said(section.error()));
            return 0;
        }
        const auto held_only = section->set_keep(false);
        ::sched_yield();
        const auto kept = section->set_keep(true);
        if (!held_only || !kept) run.board->report("set_keep failed");
    }
    return 0;
}

int read_in_turn(const Run& run, const std::string& name) {
    Context context({.root = run.root});
    OpenOptions options;
    options.access = Access::read_only;
    while (!run.board->is_over()) {
        const auto section = Section::open(name, options, context);
        if (!section) run.board->report("a reader's open of an object that was always kept or held failed: " + said(section.error()));
        if (run.board->rounds.fetch_add(1, kOrder) + 1 >= run.count) run.board->over.store(1, kOrder);
    }
    return 0;
}

// Both run as these users.
void run_owner_and_readers(const Run& run, const std::string& name, Access owner_access, uid_t owner, uid_t reader) {
    fork_process([&] {
        become(owner);
        return keep_and_hold_in_turn(run, name, owner_access);
    });
    for (int i = 0; i < 2; ++i)
        fork_process([&] {
            become(reader);
            return read_in_turn(run, name);
        });
    int status = 0;
    while (::waitpid(-1, &status, 0) > 0)
        if (status != 0) run.board->report("a process ended with status " + std::to_string(status));
}

void wait_and_check(const Run& run, int pid) {
    int status = 0;
    ::waitpid(pid, &status, 0);
    if (status != 0) run.board->report("the object to be read could not be made");
}

}  // namespace

// The owner himself may only read the file: mode 0444. (Root would be let in nevertheless, so it becomes an ordinary user.)
void run_readers(const Run& run) {
    if (::geteuid() == 0 && ::chown(run.root.c_str(), kNobody, kNobody) != 0) give_up("chown");
    wait_and_check(run, fork_process([&] {
        become(kNobody);
        Context context({.root = run.root});
        CreateOptions options;
        options.keep = true;
        options.mode = 0644;
        const auto made = Section::create(kName, kSize, options, context);
        const auto path = context.object_path(kName);
        return made && path && ::chmod(path->c_str(), 01444) == 0 ? 0 : 1;
    }));
    run_owner_and_readers(run, kName, Access::read_only, kNobody, kNobody);
    if (::geteuid() == 0 && ::chown(run.root.c_str(), 0, 0) != 0) give_up("chown");
}

// The owner writes, another user may only read: mode 0644 in the Global namespace.
void run_readers_of_others(const Run& run) {
    const std::string name = std::string("Global\\") + kName;
    Context context({.root = run.root});
    if (const auto made = context.setup_global(); !made) return run.board->report("setup_global failed: " + said(made.error()));
    if (::chmod(run.root.c_str(), 0755) != 0) give_up("chmod");
    wait_and_check(run, fork_process([&] {
        become(kSomebody);
        Context own({.root = run.root});
        CreateOptions options;
        options.keep = true;
        options.mode = 0644;
        return Section::create(name, kSize, options, own) ? 0 : 1;
    }));
    run_owner_and_readers(run, name, Access::read_write, kSomebody, kNobody);
    (void)context.remove(name);
}

}  // namespace comap::race
