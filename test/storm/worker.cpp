// SPDX-License-Identifier: Apache-2.0
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <chrono>
#include <thread>
#include <vector>

#include "player.hpp"
#include "storm.hpp"

namespace comap::storm {
namespace {

constexpr auto kOrder = std::memory_order_seq_cst;
constexpr std::uint32_t kEverything = bit(kMutex) | bit(kEvent) | bit(kSemaphore);

class Worker {
  public:
    Worker(const Run& run, const Things& things, std::size_t slot, std::uint32_t serial)
        : run_(run), board_(*run.board), things_(things), player_(board_, things, slot, serial, run.seed * 1'000'003 + serial * 16 + slot) {}

    void work() {
        Slot& slot = player_.slot();
        slot.thread.store(::gettid(), kOrder);
        slot.begun.store(1, kOrder);
        while (!board_.is_over()) {
            if (const std::uint32_t pause = board_.pause.load(kOrder)) rest(pause);
            else operate();
        }
    }

  private:
    void rest(std::uint32_t pause) {
        Slot& slot = player_.slot();
        slot.parked_at.store(pause, kOrder);
        if (board_.pause.load(kOrder) == pause)
            if (const auto end = things_.gate.wait(); !end || *end == Acquired::timed_out) board_.report("waiting for a manual event without end ended");
        slot.parked_at.store(0, kOrder);
    }

    void operate() {
        std::uint32_t set = 0;
        How how = How::one;
        switch (run_.scenario) {
            case Scenario::mutex:
                set = bit(kMutex);
                break;
            case Scenario::event:
                set = bit(kEvent);
                break;
            case Scenario::semaphore:
                set = bit(kSemaphore);
                break;
            case Scenario::all:
                set = player_.random().one_in(2) ? kEverything : static_cast<std::uint32_t>(player_.random().below(kEverything) + 1);
                how = player_.random().one_in(8) ? How::any : How::all;
                break;
            case Scenario::any:
                set = player_.random().one_in(2) ? kEverything : static_cast<std::uint32_t>(player_.random().below(kEverything) + 1);
                how = player_.random().one_in(8) ? How::all : How::any;
                break;
        }
        const std::uint32_t has = player_.take(set, how, deadline());
        player_.use(has);
        player_.give(has);
        player_.slot().operations.fetch_add(1, std::memory_order_relaxed);
    }

    Deadline deadline() {
        if (player_.random().one_in(16)) return Deadline::passed();
        if (player_.random().one_in(8)) return Deadline::after(std::chrono::microseconds(player_.random().below(500)));
        return Deadline::forever();
    }

    const Run& run_;
    Board& board_;
    const Things& things_;
    Player player_;
};

}  // namespace

int work(const Run& run, std::size_t process, std::uint32_t serial, Things& inherited) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nothing is left of a run that ends early
    struct sigaction action = {};
    action.sa_handler = [](int) {};  // without SA_RESTART: ends a wait
    ::sigaction(SIGUSR1, &action, nullptr);
    auto* const things = new Things(std::move(inherited));  // never destroyed: a killed process closes nothing
    auto* const context = new Context({.root = run.root});
    if (serial % 2 == 0) {  // every other process maps everything anew
        things->close();
        *things = Things::open(*context);
    }
    std::vector<std::thread> others;
    const std::size_t first = process * kThreadCount;
    const std::size_t count = 2 + serial % (kThreadCount - 1);
    for (std::size_t i = 1; i < count; ++i)
        others.emplace_back([&run, things, slot = first + i, serial] { Worker(run, *things, slot, serial).work(); });
    Worker(run, *things, first, serial).work();
    for (std::thread& other : others) other.join();
    return 0;
}

}  // namespace comap::storm
