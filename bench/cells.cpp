// SPDX-License-Identifier: Apache-2.0
// Loading and storing the latest value of a record, short and long, alone and while another process stores without pause.
#include <array>
#include <atomic>
#include <cstdint>
#include <string>

#include "harness.hpp"

namespace comap::bench {
namespace {

// A value that says of itself whether it is whole: all its words are the same.
template <std::size_t word_count>
struct Words {
    std::uint64_t words[word_count];

    static Words of(std::uint64_t number) {
        Words value;
        for (std::uint64_t& word : value.words) word = number;
        return value;
    }
    bool is_whole() const {
        for (const std::uint64_t word : words)
            if (word != words[0]) return false;
        return true;
    }
};
using Short = Words<8>;
using Long = Words<512>;
COMAP_RECORD(Short, words);
COMAP_RECORD(Long, words);

// --- the limits: what one would write by hand, knowing that nobody dies, sleeps or watches

template <typename Value>
struct RawWords {
    static constexpr std::size_t kCount = sizeof(Value) / sizeof(std::uint64_t);
    alignas(64) std::array<std::atomic<std::uint64_t>, kCount> words;

    void store(const Value& value) {
        for (std::size_t i = 0; i < kCount; ++i) words[i].store(value.words[i], std::memory_order_relaxed);
    }
    void load(Value& value) const {
        for (std::size_t i = 0; i < kCount; ++i) value.words[i] = words[i].load(std::memory_order_relaxed);
    }
};

template <typename Value>
struct RawSeqlock {
    alignas(64) std::atomic<std::uint32_t> sequence;
    RawWords<Value> value;

    bool try_load(Value& out) const {
        const std::uint32_t seen = sequence.load(std::memory_order_acquire);
        if ((seen & 1) != 0) return false;
        value.load(out);
        std::atomic_thread_fence(std::memory_order_acquire);  // the copy is made before the sequence is looked at again
        return sequence.load(std::memory_order_relaxed) == seen;
    }
};

template <typename Value>
struct RawSlots {
    alignas(64) std::atomic<std::uint32_t> version;
    std::array<RawWords<Value>, 4> slots;

    void store(const Value& value) {
        const std::uint32_t next = version.load(std::memory_order_relaxed) + 1;
        std::atomic_thread_fence(std::memory_order_release);  // readers that see a new word see that its slot is not current
        slots[next % 4].store(value);
        version.store(next, std::memory_order_release);
    }
    // The same, published by an instruction that a sleeper's bit in the word survives.
    void store_by_swap(const Value& value) {
        std::uint32_t seen = version.load(std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_release);
        slots[(seen + 1) % 4].store(value);
        version.compare_exchange_strong(seen, seen + 1, std::memory_order_seq_cst);
    }
    bool try_load(Value& out) const {
        const std::uint32_t seen = version.load(std::memory_order_acquire);
        slots[seen % 4].load(out);
        std::atomic_thread_fence(std::memory_order_acquire);  // the copy is made before the version is looked at again
        return version.load(std::memory_order_relaxed) - seen <= 2;
    }
};

// --- measuring

template <typename Value>
double load_ns(const Cell<Value>& cell, std::uint64_t turns) {
    Value out;
    return ns_per_turn(turns, [&] {
        if (!cell.load(out)) give_up("a load failed");
        asm volatile("" : : "m"(out));
    });
}

template <typename Raw, typename Value>
double raw_load_ns(const Raw& raw, std::uint64_t turns) {
    Value out;
    return ns_per_turn(turns, [&] {
        while (!raw.try_load(out)) {}
        asm volatile("" : : "m"(out));
    });
}

template <typename Value>
double store_ns(const Cell<Value>& cell, std::uint64_t turns) {
    Value value = Value::of(1);
    return ns_per_turn(turns, [&] {
        asm volatile("" : "+m"(value));
        if (!cell.store(value)) give_up("a store failed");
    });
}

template <typename Value, typename Store>
double raw_store_ns(std::uint64_t turns, const Store& store) {
    Value value = Value::of(1);
    return ns_per_turn(turns, [&] {
        asm volatile("" : "+m"(value));
        store(value);
    });
}

// The median of short parts, of those only in which the writer was at work: it may have to share its processor with others.
template <typename ReadNs, typename Version>
double ns_while_written(std::uint64_t turns, const ReadNs& read_ns, const Version& version) {
    constexpr std::size_t kPartCount = 100;
    const std::uint64_t part_turns = turns / kPartCount;
    const std::uint32_t begun_at = version();
    while (version() == begun_at) pause_turn();
    std::vector<double> parts_ns;
    for (std::size_t attempt = 0; attempt < 100 * kPartCount && parts_ns.size() < kPartCount; ++attempt) {
        const std::uint32_t before = version();
        const double ns = read_ns(part_turns);
        if (version() - before > part_turns / 100) parts_ns.push_back(ns);
    }
    return quartiles(std::move(parts_ns)).median;
}

template <typename Value>
class Rows {
  public:
    Rows(Bench& bench, std::string size_name, std::uint64_t turns) : bench_(bench), size_(std::move(size_name)), turns_(bench.scaled(turns)) {}

    void measure() {
        if (!bench_.wants_any({idle_row(), busy_row(), store_row()})) return;
        one_ = must(Cell<Value>::create("cell", {}, bench_.context()));
        many_ = must(Cell<Value>::create("cell of many", {.writers = 4}, bench_.context()));
        for (const Cell<Value>* cell : {&one_, &many_}) must(cell->store(Value::of(7)));
        measure_idle();
        measure_store();
        for (const Cell<Value>* cell : {&one_, &many_}) cell->raw().give_up_role();
        if (processors().are_two()) measure_busy();
        one_.close();
        many_.close();
    }

  private:
    std::string idle_row() const { return "Cell load " + size_ + ", idle"; }
    std::string busy_row() const { return "Cell load " + size_ + ", a writer without pause"; }
    std::string store_row() const { return "Cell store " + size_; }

    void measure_idle() {
        seqlock_.value.store(Value::of(7));
        bench_.run({idle_row(), "ns", 1.5, "limit: a seqlock, its words relaxed atomics", [&] { return load_ns(one_, turns_); },
                    [&] { return raw_load_ns<RawSeqlock<Value>, Value>(seqlock_, turns_); },
                    {{"several writers", [&] { return load_ns(many_, turns_); }}}});
    }

    void measure_store() {
        bench_.run({store_row(), "ns", 1.5, "limit: four slots and a version word, which the writer simply overwrites: nobody could sleep on it",
                    [&] { return store_ns(one_, turns_); },
                    [&] { return raw_store_ns<Value>(turns_, [&](const Value& value) { slots_.store(value); }); },
                    {{"limit, published by compare-and-swap", [&] { return raw_store_ns<Value>(turns_, [&](const Value& value) { slots_.store_by_swap(value); }); }},
                     {"several writers", [&] { return store_ns(many_, turns_); }}}});
    }

    Child writer_of(const Cell<Value>& cell) {
        return Child([&] {
            pin_to(processors().second);
            const auto own = must(Cell<Value>::open(cell.raw().name(), {}, bench_.context()));
            for (std::uint64_t turn = 0;; ++turn) must(own.store(Value::of(turn)));
        });
    }

    double busy_load_ns(const Cell<Value>& cell) {
        const Child writer = writer_of(cell);
        return ns_while_written(turns_ / 4, [&](std::uint64_t part_turns) { return load_ns(cell, part_turns); }, [&] { return must(cell.version()); });
    }

    double busy_raw_load_ns() {
        const Child writer([&] {
            pin_to(processors().second);
            for (std::uint64_t turn = 0;; ++turn) slots_.store(Value::of(turn));
        });
        return ns_while_written(turns_ / 4, [&](std::uint64_t part_turns) { return raw_load_ns<RawSlots<Value>, Value>(slots_, part_turns); },
                                [&] { return slots_.version.load(std::memory_order_relaxed); });
    }

    void measure_busy() {
        bench_.run({busy_row(), "ns", 1.2,
                    "limit: four slots and a version word, word-wise relaxed atomics; the writer stores without pause in a process on the other processor",
                    [&] { return busy_load_ns(one_); }, [&] { return busy_raw_load_ns(); }, {{"several writers", [&] { return busy_load_ns(many_); }}}});
        for (const Cell<Value>* cell : {&one_, &many_})
            if (bench_.wants(busy_row())) expect_whole(*cell);
    }

    // Ends the benchmark if a load fails or returns a torn value.
    void expect_whole(const Cell<Value>& cell) {
        const Child writer = writer_of(cell);
        const std::uint32_t before = must(cell.version());
        while (must(cell.version()) == before) pause_turn();
        std::uint64_t changed = 0;
        std::uint32_t last = before;
        for (std::uint64_t load = 0; load < turns_; ++load) {
            Value value;
            const std::uint32_t version = must(cell.load(value));
            if (!value.is_whole()) give_up("a load returned a torn value");
            changed += version != last ? 1 : 0;
            last = version;
        }
        bench_.note(fmt::format("{} loads of {}, {} writer{}: 0 failed, 0 torn, {} saw another value than the one before; {} stores meanwhile", turns_, size_,
                                cell.raw().writers(), cell.raw().writers() == 1 ? "" : "s", changed, (must(cell.version()) - before) & 0x7fff'ffffu));
    }

    Bench& bench_;
    std::string size_;
    std::uint64_t turns_;
    Cell<Value> one_, many_;
    RawSeqlock<Value>& seqlock_ = shared<RawSeqlock<Value>>();
    RawSlots<Value>& slots_ = shared<RawSlots<Value>>();
};

}  // namespace

void measure_cells(Bench& bench) {
    Rows<Short>(bench, "64 B", 1'000'000).measure();
    Rows<Long>(bench, "4 KiB", 100'000).measure();
}

}  // namespace comap::bench
