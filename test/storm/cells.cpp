// SPDX-License-Identifier: Apache-2.0
#include "cells.hpp"

#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>

#include <comap/comap.hpp>

#include "os/file.hpp"
#include "player.hpp"
#include "support/process.hpp"

namespace comap::storm {
namespace {

constexpr auto kOrder = std::memory_order_seq_cst;
constexpr const char* kName = "cell";
constexpr std::uint32_t kHistory = 1;  // the fewest slots
constexpr std::uint32_t kWriters = 2;      // of the processes, where one at a time may store; the others read
constexpr std::uint32_t kWritersAmong = 3;  // where several may
static_assert(kWritersAmong < kProcessCount);
constexpr std::uint64_t kHangNs = 60'000'000'000u;

// Numbered, and with a sum that no mixture of two values has.
struct Numbered {
    std::uint64_t number;
    std::uint64_t noise[100];
    std::uint64_t sum;
    std::uint32_t end;
    Padding<4> gap;

    static Numbered of(std::uint64_t number) {
        Numbered value{};
        value.number = number;
        Random random(number);
        for (std::uint64_t& word : value.noise) word = random.next();
        value.sum = sum_of(value);
        value.end = static_cast<std::uint32_t>(number);
        return value;
    }
    static std::uint64_t sum_of(const Numbered& value) {
        std::uint64_t sum = value.number;
        for (const std::uint64_t word : value.noise) sum = (sum ^ word) * 0x9e37'79b9'7f4a'7c15u;
        return sum;
    }
    bool is_whole() const { return (number == 0 && sum == 0 && end == 0) || (sum == sum_of(*this) && end == static_cast<std::uint32_t>(number)); }
};
COMAP_RECORD(Numbered, number, noise, sum, end, gap);

void nap(std::uint64_t ns) {
    const struct timespec span = {0, static_cast<long>(ns)};
    ::nanosleep(&span, nullptr);
}

// A process's life.
class Life {
  public:
    Life(const Run& run, std::size_t process, std::uint32_t serial, bool is_writer)
        : board_(*run.board), slot_(board_.slots[process]), context_({.root = run.root}), random_(run.seed * 7919 + serial), is_writer_(is_writer) {}

    void live() {
        open();
        slot_.begun.store(1, kOrder);
        while (!board_.is_over()) {
            if (is_writer_ && !random_.one_in(16)) write();
            else read();
        }
    }

  private:
    void open() {
        CellOpenOptions options;
        options.access = is_writer_ ? Access::read_write : Access::read_only;
        auto opened = Cell<Numbered>::open(kName, options, context_);
        if (!opened) return fail("open", opened.error());
        cell_ = std::move(*opened);
        has_role_ = false;
    }

    void write() {
        Result<std::uint32_t> version = 0u;
        std::uint64_t number = 0;
        if (!has_role_ || random_.one_in(2)) {
            version = cell_.update(
                [&](Numbered& value) {
                    if (!value.is_whole()) board_.report("an update was given a torn value");
                    number = value.number + 1;
                    value = Numbered::of(number);
                },
                Deadline::after(std::chrono::milliseconds(random_.below(20))));
        } else {
            version = store_after_load(number);
        }
        if (!version && version.error().code == Code::busy) return nap(random_.below(50'000));
        if (!version) return fail("a store", version.error());
        if (*version != number) board_.report("version " + std::to_string(*version) + " was stored as number " + std::to_string(number));
        slot_.operations.fetch_add(1, std::memory_order_relaxed);
        has_role_ = cell_.raw().writers() == 1;
        if (random_.one_in(512)) {
            cell_.raw().give_up_role();
            has_role_ = false;
        }
        if (random_.one_in(2048)) open();
    }

    // Only with the role is the value that was loaded still the latest when the next is stored.
    Result<std::uint32_t> store_after_load(std::uint64_t& number) {
        const auto value = cell_.load();
        if (!value) return tl::unexpected<Error>(value.error());
        number = value->number + 1;
        return cell_.store(Numbered::of(number));
    }

    void read() {
        Numbered value;
        const auto version = cell_.load(value);
        if (!version && version.error().code == Code::busy) return;  // an honest answer
        if (!version) return fail("a load", version.error());
        check(value, *version, "the latest value");
        if (*version < seen_) board_.report("the version went back from " + std::to_string(seen_) + " to " + std::to_string(*version));
        seen_ = *version;
        if (random_.one_in(4)) {
            const auto earlier = static_cast<std::uint32_t>(random_.below(kHistory + 4));
            const std::uint32_t wanted = seen_ > earlier ? seen_ - earlier : 0;
            const auto old = cell_.load_version(wanted);
            if (old) check(*old, wanted, "an earlier value");
            else if (old.error().code != Code::not_found) fail("a load of an earlier version", old.error());
        }
        if (!is_writer_ && random_.one_in(64)) (void)cell_.wait(seen_, Deadline::after(std::chrono::microseconds(random_.below(2000))));
        if (!is_writer_) slot_.operations.fetch_add(1, std::memory_order_relaxed);
        if (!is_writer_ && random_.one_in(4096)) open();
    }

    void check(const Numbered& value, std::uint32_t version, const std::string& what) {
        if (!value.is_whole()) board_.report(what + " is torn, at version " + std::to_string(version));
        else if (value.number != version) board_.report(what + " has number " + std::to_string(value.number) + " at version " + std::to_string(version));
    }
    void fail(const std::string& call, const Error& error) { board_.report(call + " failed: " + std::string(code_name(error.code)) + ": " + error.message); }

    Board& board_;
    Slot& slot_;
    Context context_;
    Random random_;
    bool is_writer_;
    bool has_role_ = false;
    Cell<Numbered> cell_;
    std::uint32_t seen_ = 0;
};

class CellCrew {
  public:
    CellCrew(const Run& run, bool many_writers)
        : run_(run), board_(*run.board), is_for_many_(many_writers), writers_(many_writers ? kWritersAmong : kWriters), context_({.root = run.root}),
          cell_(Cell<Numbered>::create(kName, {.history = kHistory, .writers = many_writers ? kWritersAmong + 1 : 1}, context_).value()), random_(run.seed + 29) {
        ::prctl(PR_SET_TIMERSLACK, 1000);
        for (std::size_t i = 0; i < kProcessCount; ++i) start(i);
    }

    CellTally run() {
        while (!board_.is_over() && tally_.kills < run_.kills) {
            pass_random_time();
            const std::size_t victim = random_.one_in(3) ? random_.below(kProcessCount) : random_.below(writers_);
            if (!random_.one_in(16)) wait_for([&] { return has_begun(victim); }, "the process to be killed has begun");
            if (board_.is_over()) break;
            hit(victim);
        }
        end();
        return tally_;
    }

  private:
    bool has_begun(std::size_t process) const { return board_.slots[process].begun.load(kOrder) != 0; }

    void start(std::size_t process) {
        board_.slots[process].begun.store(0, kOrder);
        std::fflush(nullptr);
        const std::uint32_t serial = ++last_serial_;
        const pid_t pid = ::fork();
        if (pid < 0) {
            std::perror("fork");
            std::exit(2);
        }
        if (pid == 0) {
            ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nothing is left of a run that ends early
            (new Life(run_, process, serial, process < writers_))->live();  // never destroyed: a killed process closes nothing
            ::_exit(0);
        }
        pids_[process] = pid;
    }

    void stop(std::size_t process) {
        ::kill(pids_[process], SIGSTOP);
        int status = 0;
        if (::waitpid(pids_[process], &status, WUNTRACED) != pids_[process] || !WIFSTOPPED(status)) report_end(process, status);
        ++tally_.stops;
    }

    void hit(std::size_t victim) {
        const bool stops = random_.one_in(4);
        const std::size_t stopped = random_.below(kProcessCount);
        if (stops) {
            stop(stopped);
            look();  // whatever it was about, the value is whole
            if (is_for_many_) store_beside_a_stopped_one();
            pass_random_time();
        }
        const std::uint32_t before = look();
        ::kill(pids_[victim], SIGKILL);
        int status = 0;
        if (::waitpid(pids_[victim], &status, 0) != pids_[victim] || !WIFSIGNALED(status)) report_end(victim, status);
        ++tally_.kills;
        if (stops && stopped == victim) ++tally_.kills_of_stopped;
        look();
        start(victim);
        if (stops && stopped != victim) {
            pass_random_time();
            ::kill(pids_[stopped], SIGCONT);
        }
        if (!random_.one_in(4)) return;
        wait_for([&] { return look() > before; }, "a writer goes on after a kill");
        const std::uint64_t reads = loads_of_readers();
        wait_for([&] { return loads_of_readers() > reads; }, "a reader goes on after a kill");
        ++tally_.awaited;
    }

    // One of several writers that is stopped anywhere delays neither us nor the others.
    void store_beside_a_stopped_one() {
        const std::uint32_t before = look();
        const auto stored = cell_.update([](Numbered& value) { value = Numbered::of(value.number + 1); }, Deadline::after(std::chrono::seconds(60)));
        if (!stored) board_.report("the observer could not store while a process was stopped: " + stored.error().message);
        else if (*stored <= before) board_.report("the observer stored the version " + std::to_string(*stored) + " after " + std::to_string(before));
        const std::uint32_t own = look();
        if (random_.one_in(4)) wait_for([&] { return look() > own; }, "a writer goes on while another is stopped");
    }

    std::uint64_t loads_of_readers() const {
        std::uint64_t loads = 0;
        for (std::size_t process = writers_; process < kProcessCount; ++process) loads += board_.slots[process].operations.load(kOrder);
        return loads;
    }

    // The version now; checks what an observer sees.
    std::uint32_t look() {
        Numbered value;
        const auto version = cell_.load(value);
        if (!version && version.error().code == Code::busy) return seen_;
        if (!version) {
            board_.report("the observer's load failed: " + version.error().message);
            return seen_;
        }
        if (!value.is_whole() || value.number != *version) board_.report("the observer saw number " + std::to_string(value.number) + " at version " + std::to_string(*version));
        if (*version < seen_) board_.report("the version went back under the observer");
        seen_ = *version;
        return seen_;
    }

    void pass_random_time() {
        switch (random_.below(4)) {
            case 0:
                return test::pass_time(static_cast<std::uint32_t>(random_.below(1000)));
            case 1:
                return test::pass_time(static_cast<std::uint32_t>(random_.below(300'000)));
            default:
                return nap(random_.below(400'000));
        }
    }

    void report_end(std::size_t process, int status) {
        board_.report("process " + std::to_string(process) + " ended by itself, with status " + std::to_string(status));
    }

    template <typename Condition>
    void wait_for(const Condition& condition, const char* what) {
        const std::uint64_t began_ns = os::monotonic_ns();
        while (!condition() && !board_.is_over()) {
            if (os::monotonic_ns() - began_ns > kHangNs) return board_.report(std::string("waited a minute in vain until ") + what);
            nap(30'000);
        }
    }

    void end() {
        const bool in_order = !board_.is_over();
        board_.over.store(1, kOrder);
        for (std::size_t process = 0; process < kProcessCount; ++process) {
            if (!in_order) ::kill(pids_[process], SIGKILL);
            int status = 0;
            const std::uint64_t began_ns = os::monotonic_ns();
            while (::waitpid(pids_[process], &status, WNOHANG) == 0) {
                if (os::monotonic_ns() - began_ns > kHangNs) {
                    board_.report("process " + std::to_string(process) + " does not end");
                    ::kill(pids_[process], SIGKILL);
                }
                nap(100'000);
            }
            if (in_order && status != 0) report_end(process, status);
        }
        if (in_order) {
            // Nobody has the role or the lock any more.
            const auto last = cell_.update([](Numbered& value) { value = Numbered::of(value.number + 1); }, Deadline::after(std::chrono::seconds(60)));
            if (!last) board_.report("the last writer failed: " + last.error().message);
        }
        tally_.stores = look();
        tally_.loads = loads_of_readers();
    }

    const Run& run_;
    Board& board_;
    bool is_for_many_;
    std::uint32_t writers_;
    Context context_;
    Cell<Numbered> cell_;
    Random random_;
    CellTally tally_;
    std::array<pid_t, kProcessCount> pids_{};
    std::uint32_t last_serial_ = 0;
    std::uint32_t seen_ = 0;
};

}  // namespace

CellTally storm_on_cell(const Run& run, bool many_writers) { return CellCrew(run, many_writers).run(); }

}  // namespace comap::storm
