// SPDX-License-Identifier: Apache-2.0
#include "board.hpp"

#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <new>

namespace comap::storm {

Board& Board::make() {
    void* const memory = ::mmap(nullptr, sizeof(Board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        std::perror("mmap");
        std::exit(2);
    }
    return *::new (memory) Board{};
}

void Board::report(const std::string& what) {
    std::uint32_t none = 0;
    if (violated.compare_exchange_strong(none, 1)) {
        std::snprintf(violation, sizeof violation, "%s", what.c_str());
        violated.store(2);
    }
    over.store(1);
}

bool Board::is_doomed(std::uint64_t life) const {
    const std::size_t slot = life & 0xff;
    return slot < kWorkerSlotCount && doomed[slot / kThreadCount].load(std::memory_order_seq_cst) >= life >> 8;
}

std::string describe(Saying saying) {
    constexpr std::array<const char*, kThingCount> kNames = {"mutex", "event", "semaphore"};
    constexpr std::array<const char*, 4> kWords = {"", "taking", "having", "giving"};
    std::string text;
    for (std::size_t i = 0; i < kThingCount; ++i) {
        const Says says = saying.of(static_cast<Thing>(i));
        if (says != Says::nothing) text += std::string(text.empty() ? "" : ", ") + kWords[static_cast<std::size_t>(says)] + " the " + kNames[i];
    }
    return text.empty() ? "nothing" : text;
}

}  // namespace comap::storm
