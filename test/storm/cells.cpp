// SPDX-License-Identifier: Apache-2.0
#include "cells.hpp"

#include <chrono>
#include <string>

#include <comap/comap.hpp>

#include "crew.hpp"
#include "player.hpp"

namespace comap::storm {
namespace {

constexpr auto kOrder = std::memory_order_seq_cst;
constexpr const char* kName = "cell";
constexpr std::uint32_t kHistory = 1;  // the fewest slots
constexpr std::uint32_t kWriters = 2;      // of the processes, where one at a time may store; the others read
constexpr std::uint32_t kWritersAmong = 3;  // where several may
static_assert(kWritersAmong < kProcessCount);

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

class CellStorm {
  public:
    CellStorm(const Run& run, bool many_writers)
        : run_(run), board_(*run.board), is_for_many_(many_writers), writers_(many_writers ? kWritersAmong : kWriters), context_({.root = run.root}),
          cell_(Cell<Numbered>::create(kName, {.history = kHistory, .writers = many_writers ? kWritersAmong + 1 : 1}, context_).value()),
          crew_(board_, run.seed, [this](std::size_t process, std::uint32_t serial) {
              (new Life(run_, process, serial, process < writers_))->live();  // never destroyed: a killed process closes nothing
          }, [] {}) {}

    CellTally run() {
        while (!board_.is_over() && tally_.kills < run_.kills) {
            crew_.pass_random_time();
            const std::size_t victim = random().one_in(3) ? random().below(kProcessCount) : random().below(writers_);
            if (!random().one_in(16)) crew_.wait_for([&] { return crew_.has_begun(victim); }, "the process to be killed has begun");
            if (board_.is_over()) break;
            hit(victim);
        }
        end();
        return tally_;
    }

  private:
    Random& random() { return crew_.random(); }

    void hit(std::size_t victim) {
        const bool stops = random().one_in(4);
        const std::size_t stopped = random().below(kProcessCount);
        if (stops) {
            crew_.stop(stopped);
            ++tally_.stops;
            look();  // whatever it was about, the value is whole
            if (is_for_many_) store_beside_a_stopped_one();
            crew_.pass_random_time();
        }
        const std::uint32_t before = look();
        crew_.kill(victim);
        ++tally_.kills;
        if (stops && stopped == victim) ++tally_.kills_of_stopped;
        look();
        crew_.start(victim);
        if (stops && stopped != victim) {
            crew_.pass_random_time();
            crew_.go_on(stopped);
        }
        if (!random().one_in(4)) return;
        crew_.wait_for([&] { return look() > before; }, "a writer goes on after a kill");
        const std::uint64_t reads = loads_of_readers();
        crew_.wait_for([&] { return loads_of_readers() > reads; }, "a reader goes on after a kill");
        ++tally_.awaited;
    }

    // One of several writers that is stopped anywhere delays neither us nor the others.
    void store_beside_a_stopped_one() {
        const std::uint32_t before = look();
        const auto stored = cell_.update([](Numbered& value) { value = Numbered::of(value.number + 1); }, Deadline::after(std::chrono::seconds(60)));
        if (!stored) board_.report("the observer could not store while a process was stopped: " + stored.error().message);
        else if (*stored <= before) board_.report("the observer stored the version " + std::to_string(*stored) + " after " + std::to_string(before));
        const std::uint32_t own = look();
        if (random().one_in(4)) crew_.wait_for([&] { return look() > own; }, "a writer goes on while another is stopped");
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

    void end() {
        if (crew_.end()) {
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
    CellTally tally_;
    std::uint32_t seen_ = 0;
    Crew crew_;
};

}  // namespace

CellTally storm_on_cell(const Run& run, bool many_writers) { return CellStorm(run, many_writers).run(); }

}  // namespace comap::storm
