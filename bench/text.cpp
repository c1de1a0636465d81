// SPDX-License-Identifier: Apache-2.0
// Reading a short text, alone and while another process writes it without pause.
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

#include "harness.hpp"
#include "raw.hpp"

namespace comap::bench {
namespace {

constexpr char kIdleRow[] = "Text get of 64 B, idle";
constexpr char kBusyRow[] = "Text get of 64 B, a writer without pause";
constexpr char kSetRow[] = "Text set of 64 B";

constexpr char kName[] = "text";
constexpr std::size_t kValueBytes = sizeof(raw::Value);
using Bytes = std::array<char, kValueBytes>;

// The writers' values: the same letter or word throughout, another each time.
Bytes letters(std::uint32_t turn) {
    Bytes value;
    value.fill(static_cast<char>('a' + turn % 26));
    return value;
}
raw::Value words(std::uint64_t turn) {
    raw::Value value;
    value.fill(turn);
    return value;
}

Text open_text(Bench& bench) { return must(Text::open(kName, {}, bench.context())); }

void set_without_end(Bench& bench) {
    pin_to(processors().second);
    const Text text = open_text(bench);
    for (std::uint32_t turn = 0;; ++turn) {
        const Bytes value = letters(turn);
        must(text.set({value.data(), value.size()}));
    }
}

void store_without_end(raw::FourSlots& slots) {
    pin_to(processors().second);
    for (std::uint64_t turn = 0;; ++turn) slots.store(words(turn));
}

double get_ns(const Text& text, std::uint64_t turns) {
    Bytes out;
    return ns_per_turn(turns, [&] {
        must(text.get(out));
        asm volatile("" : : "m"(out));
    });
}

double load_ns(const raw::FourSlots& slots, std::uint64_t turns) {
    raw::Value out;
    return ns_per_turn(turns, [&] {
        while (!slots.try_load(out)) {}
        asm volatile("" : : "m"(out));
    });
}

double load_fixed_ns(const raw::FourSlots& slots, std::uint64_t turns) {
    raw::Value out;
    return ns_per_turn(turns, [&] {
        while (!slots.try_load_fixed(out)) {}
        asm volatile("" : : "m"(out));
    });
}

// Waits until the writer is at work.
template <typename Version>
void wait_for_changes(const Version& version) {
    const auto before = version();
    while (version() == before) pause_turn();
}

// The median of short parts, of those only in which the writer was at work: it may have to share its processor with others.
template <typename ReadNs, typename Version>
double ns_while_written(std::uint64_t turns, const ReadNs& read_ns, const Version& version) {
    constexpr std::size_t kPartCount = 100;
    const std::uint64_t part_turns = turns / kPartCount;
    std::vector<double> parts_ns;
    for (std::size_t attempt = 0; attempt < 100 * kPartCount && parts_ns.size() < kPartCount; ++attempt) {
        const std::uint32_t before = version();
        const double ns = read_ns(part_turns);
        const std::uint32_t changes = version() - before;
        if (changes > part_turns / 100) parts_ns.push_back(ns);
    }
    return quartiles(std::move(parts_ns)).median;
}

// --- never starved

struct Gets {
    std::uint64_t count = 0;
    std::uint64_t torn = 0;
    std::uint64_t changed = 0;  // another value than the one before
    std::uint64_t longest_ns = 0;
    long preempted = 0;  // how often another had our processor meanwhile
    double median_ns = 0;
    double worst_of_thousand_ns = 0;  // one in a thousand took longer
};

long preemptions_so_far() {
    struct rusage usage;
    ::getrusage(RUSAGE_SELF, &usage);
    return usage.ru_nivcsw;
}

Gets watch_gets(const Text& text, std::uint64_t count) {
    Gets seen;
    const long preempted_before = preemptions_so_far();
    std::vector<std::uint64_t> durations_ns;
    durations_ns.reserve(count);
    std::uint32_t version = 0;
    for (; seen.count < count; ++seen.count) {
        Bytes out;
        const std::uint64_t begin_ns = now_ns();
        const TextLength got = must(text.get(out));
        durations_ns.push_back(now_ns() - begin_ns);
        const bool is_whole = got.length_bytes == kValueBytes && std::all_of(out.begin(), out.end(), [&](char letter) { return letter == out[0]; });
        seen.torn += is_whole ? 0 : 1;
        seen.changed += got.version != version ? 1 : 0;
        version = got.version;
    }
    seen.preempted = preemptions_so_far() - preempted_before;
    std::sort(durations_ns.begin(), durations_ns.end());
    seen.longest_ns = durations_ns.back();
    seen.median_ns = static_cast<double>(durations_ns[count / 2]);
    seen.worst_of_thousand_ns = static_cast<double>(durations_ns[count - count / 1000 - 1]);
    return seen;
}

void show_gets(Bench& bench, const Text& text) {
    const Child writer([&] { set_without_end(bench); });
    wait_for_changes([&] { return must(text.version()); });
    const std::uint32_t version_before = must(text.version());
    const std::uint64_t begin_ns = now_ns();
    const Gets gets = watch_gets(text, bench.scaled(2'000'000));
    const double sets = (must(text.version()) - version_before) & 0x7fff'ffffu;
    bench.note(fmt::format("{} gets against {:.1f} M sets a second: 0 failed, {} torn, {} saw another value than the one before; "
                           "each timed alone (the clock included): median {:.0f} ns, 1 in 1000 above {:.0f} ns, longest {:.1f} us (the reader lost its processor {} times)",
                           gets.count, sets / static_cast<double>(now_ns() - begin_ns) * 1000, gets.torn, gets.changed, gets.median_ns,
                           gets.worst_of_thousand_ns, static_cast<double>(gets.longest_ns) / 1000, gets.preempted));
    if (gets.torn > 0) give_up("a get returned a torn value");
}

// --- the rows

void measure_idle(Bench& bench, const Text& text, raw::FourSlots& slots) {
    const std::uint64_t turns = bench.scaled(500'000);
    bench.run({kIdleRow, "ns", 2.0, "limit: four slots with version and length and a version word, word-wise relaxed atomics, the same validation but for UTF-8",
               [&] { return get_ns(text, turns); }, [&] { return load_ns(slots, turns); },
               {{"limit of a fixed length", [&] { return load_fixed_ns(slots, turns); }}}});
}

void measure_busy(Bench& bench, const Text& text, raw::FourSlots& slots) {
    if (!bench.wants(kBusyRow) || !processors().are_two()) return;
    const std::uint64_t turns = bench.scaled(200'000);
    const auto ours = [&] {
        const Child writer([&] { set_without_end(bench); });
        const auto version = [&] { return must(text.version()); };
        wait_for_changes(version);
        return ns_while_written(turns, [&](std::uint64_t part_turns) { return get_ns(text, part_turns); }, version);
    };
    const auto limit = [&] {
        const Child writer([&] { store_without_end(slots); });
        const auto version = [&] { return slots.version.load(std::memory_order_relaxed); };
        wait_for_changes(version);
        return ns_while_written(turns, [&](std::uint64_t part_turns) { return load_ns(slots, part_turns); }, version);
    };
    bench.run({kBusyRow, "ns", 2.0, "as above; the writer stores without pause in a process on the other processor", ours, limit, {}});
    show_gets(bench, text);
}

void measure_set(Bench& bench, const Text& text, raw::FourSlots& slots) {
    const std::uint64_t turns = bench.scaled(200'000);
    const Bytes value = letters(1);
    const auto ours = [&] { return ns_per_turn(turns, [&] { must(text.set({value.data(), value.size()})); }); };
    const auto limit = [&] { return ns_per_turn(turns, [&] { slots.store(words(1)); }); };
    bench.run({kSetRow, "ns", std::nullopt, "limit: a store into the same four slots by their only writer, without a lock", ours, limit, {}});
}

}  // namespace

void measure_text(Bench& bench) {
    if (!bench.wants_any({kIdleRow, kBusyRow, kSetRow})) return;
    const Text text = must(Text::create(kName, {.capacity_bytes = 4096}, bench.context()));
    const Bytes value = letters(0);
    must(text.set({value.data(), value.size()}));
    auto& slots = shared<raw::FourSlots>();
    slots.store(words(0));
    measure_idle(bench, text, slots);
    measure_busy(bench, text, slots);
    measure_set(bench, text, slots);
}

}  // namespace comap::bench
