// SPDX-License-Identifier: Apache-2.0
// Cells: one writer or several, readers, and those who wait. Every value is checked against what its version stored; a load may
// only fail if the writers have overtaken it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <map>

#include "objects.hpp"
#include "sync/cell_word.hpp"

namespace comap::model {

using internal::CellStored;

inline constexpr std::uint32_t kCellSlots = 4;  // of a writer
inline constexpr std::size_t kCellValueWords = 2;

// Two words of which one says what the other must be.
struct CellValue {
    std::array<std::uintptr_t, kCellValueWords> words{};

    static CellValue of(std::uint64_t number) { return {{number, ~number}}; }
    std::uint64_t number() const { return words[0]; }
    bool is_whole() const { return words[1] == ~words[0]; }
};

// The shared memory of a cell, and what has been stored in it.
template <typename M, std::uint32_t places>
struct SimCell : Tracker {
    explicit SimCell(bool has_directory) {
        Simulation& simulation = Simulation::now();
        simulation.name(&words.change, "change");
        simulation.name(&words.watch, "watch");
        simulation.name(&storing, "storing");
        if (has_directory)
            for (auto& entry : directory) simulation.name(&entry, "entry", this);
        for (auto& word : memory) simulation.name(&word, "word");
        memory[1].poke(~std::uintptr_t{0});  // the value of version 0
        cell.slots.change = &words.change;
        cell.slots.watch = &words.watch;
        cell.slots.storing = &storing;
        cell.slots.words = memory.data();
        cell.slots.directory = has_directory ? directory.data() : nullptr;
        cell.slots.slot_mask = kCellSlots - 1;
        cell.slots.slot_count = kCellSlots * places;
        cell.slots.slot_words = kCellValueWords;
        cell.words = &words;
        cell.record_bytes = sizeof(CellValue);
    }

    // A claim: which value a version has from now on.
    void written(int actor, bool /*by_kernel*/) override {
        Simulation& simulation = Simulation::now();
        for (const auto& entry : directory) {
            const std::uint32_t version = internal::version_of_entry(entry.peek());
            if (version == 0 || version == claimed_before(entry)) continue;
            const std::size_t at_word = internal::slot_of_entry(entry.peek()) * kCellValueWords;
            if (values.contains(version)) simulation.fail("actor %d claims version %u, which was claimed already", actor, version);
            values[version] = memory[at_word].peek();
            last_claims[static_cast<std::size_t>(&entry - directory.data())] = version;
        }
    }

    std::uint32_t version() const { return internal::version_of(words.change.peek()); }

    // A load as a reader does it; true if there was a value.
    bool load(CellValue& value, std::uint32_t& version_out) {
        Simulation& simulation = Simulation::now();
        const std::uint32_t least = completed;
        const std::uint32_t seen = cell.slots.version();
        if (seen < least) simulation.fail("version %u is seen after the store of version %u has returned", seen, least);
        if (!cell.slots.copy(seen, &value, sizeof value)) {
            if (version() - seen < kCellSlots - 1) simulation.fail("the value of version %u cannot be loaded at version %u", seen, version());
            if (internal::denies_version(cell.slots, seen)) simulation.fail("version %u has no entry", seen);
            return false;
        }
        check(value, seen);
        version_out = seen;
        return true;
    }

    void check(const CellValue& value, std::uint32_t version) {
        Simulation& simulation = Simulation::now();
        if (!value.is_whole()) simulation.fail("the value of version %u is torn", version);
        if (value.number() != values[version])
            simulation.fail("version %u has number %llu instead of %llu", version, number(value.number()), number(values[version]));
    }

    void expect_latest_at_end() {
        CellValue value;
        std::uint32_t seen = 0;
        if (!load(value, seen)) Simulation::now().fail("nothing can be loaded at the end");
    }

    template <typename T>
    using Atom = typename M::template Atom<T>;
    internal::BasicChangeWords<M> words{Atom<std::uint32_t>{0}, Atom<std::uint32_t>{0}};
    Atom<std::uint32_t> storing{0};
    std::array<Atom<std::uint64_t>, kCellSlots> directory{};
    std::array<Atom<std::uintptr_t>, std::size_t{kCellSlots} * places * kCellValueWords> memory{};
    internal::CellWords<M> cell;
    std::map<std::uint32_t, std::uint64_t> values{{0, 0}};  // by version
    std::uint32_t completed = 0;  // the latest version whose store has returned

  private:
    std::uint32_t claimed_before(const Atom<std::uint64_t>& entry) const { return last_claims[static_cast<std::size_t>(&entry - directory.data())]; }
    std::array<std::uint32_t, kCellSlots> last_claims{};
};

// What is common to the scenarios below: who reads, and who waits.
template <typename M, std::uint32_t places>
class CellReaders : public Scenario {
  public:
    CellReaders(bool has_directory, std::uint32_t versions) : shared_(has_directory), versions_(versions) {}

  protected:
    void read(int /*me*/) {
        std::uint32_t before = 0;
        for (int round = 0; round < 6; ++round) {
            CellValue value;
            std::uint32_t seen = 0;
            if (!shared_.load(value, seen)) continue;
            if (seen < before) simulation_.fail("the version went back from %u to %u", before, seen);
            before = seen;
            // The oldest that can still be there.
            const std::uint32_t earlier = seen > kCellSlots - 3 ? seen - (kCellSlots - 3) : 0;
            if (shared_.cell.slots.copy(earlier, &value, sizeof value)) shared_.check(value, earlier);
        }
    }

    void follow(int me, bool looks_again, bool (*is_being_stored)(void*) = nullptr, void* data = nullptr) {
        while (seen_[at(me)] < versions_) {
            WaitPoint<M> point;
            point.is = Awaited::change;
            point.change = &shared_.words;
            point.seen = seen_[at(me)];
            point.looks_again = looks_again;
            point.is_being_stored = is_being_stored;
            point.data = data;
            const Deadline until = looks_again ? Deadline::after(std::chrono::milliseconds(170)) : M::has_barriers ? Deadline::forever() : Deadline::after(std::chrono::milliseconds(5));
            const Ended end = wait_for(point, until).end;
            if (end == Ended::timed_out && are_writers_over() && shared_.version() == seen_[at(me)]) return;
            if (end != Ended::acquired) continue;
            CellValue value;
            std::uint32_t now = 0;
            if (!shared_.load(value, now)) continue;
            if (now <= seen_[at(me)]) simulation_.fail("actor %d waited for a version later than %u", me, seen_[at(me)]);
            seen_[at(me)] = now;
        }
    }

    bool are_writers_over() const {
        return std::none_of(writers_.begin(), writers_.end(), [&](int writer) {
            return simulation_.state(writer) == State::runnable || simulation_.state(writer) == State::asleep;
        });
    }

    void expect_ended(int actor) {
        const State state = simulation_.state(actor);
        if (state == State::asleep || state == State::runnable) simulation_.fail("actor %d does not come to its end", actor);
    }

    Simulation& simulation_ = Simulation::now();
    SimCell<M, places> shared_;
    std::uint32_t versions_;  // in all, if nobody dies
    std::vector<int> writers_;
    PerActor<std::uint32_t> seen_{};
};

// One writer at a time: two take turns in the role, which is free when its owner dies. One reads, and
//   followed   one waits for each value
//   sandboxed  the same where the kernel makes no barriers
//   watched    one waits by descriptor
template <typename M>
class CellScenario : public CellReaders<M, 1> {
    using Base = CellReaders<M, 1>;
    using Base::shared_;
    using Base::simulation_;

  public:
    enum Variant { followed, sandboxed, watched };

    explicit CellScenario(Variant variant) : Base(false, 2 * kStores), variant_(variant) {
        M::begin_run();
        M::has_barriers = variant != sandboxed;
        this->writers_ = {0, 1};
        for (int i = 0; i < 2; ++i)
            simulation_.add_actor([this, i] {
                write(i);
                M::ends(i);
            }, 100 + static_cast<std::uint32_t>(i), i);
        simulation_.add_actor([this] { this->read(2); }, 102, 2);
        if (variant != watched) {
            simulation_.add_actor([this] { this->follow(3, false, [](void* scenario) { return static_cast<CellScenario*>(scenario)->is_being_stored(); }, this); }, 103, 3);
        } else {
            simulation_.name(&events_, "events");
            simulation_.set_touched(&events_);
            shared_.cell.descriptor = 3;
            simulation_.add_actor([this] { watch(3); }, 103, 3);
        }
    }

    void died(int actor) override {
        M::ends(actor);
        if (owner_ == actor) owner_ = kNobody;
        if (variant_ == watched) simulation_.kernel_add_and_wake_all(events_, 1);  // his file is closed
    }

    void at_end() override {
        for (int i = 0; i < 3; ++i) this->expect_ended(i);
        if (simulation_.state(3) == State::asleep && this->seen_[3] != shared_.version()) simulation_.fail("the one who waits was not told");
        shared_.expect_latest_at_end();
    }

  private:
    static constexpr std::uint32_t kStores = 4;

    bool has_owner() const { return owner_ != kNobody; }
    bool is_being_stored() const { return internal::is_storing(shared_.words, shared_.storing) && has_owner(); }

    void write(int me) {
        for (std::uint32_t round = 0; round < kStores; ++round) {
            if (owner_ != me) {
                while (has_owner()) simulation_.work();
                owner_ = me;
                const std::uint32_t seen = internal::current_version(shared_.words) * internal::kOneVersion;
                last_[at(me)].store(seen, std::memory_order_relaxed);
                shared_.storing.store(seen, std::memory_order_relaxed);
            }
            store(me);
            if (simulation_.random().one_in(2)) give_up(me);
        }
        if (owner_ == me) give_up(me);
    }
    void give_up(int me) {
        M::ends(me);  // it takes a system call
        owner_ = kNobody;
    }

    void store(int me) {
        const std::uint32_t seen = last_[at(me)].load(std::memory_order_relaxed);
        const std::uint32_t next = internal::version_of(seen) + 1;
        const CellValue value = CellValue::of(10 * next + static_cast<std::uint32_t>(me));
        shared_.values[next] = value.number();
        const bool is_stored = shared_.cell.slots.store_unless_awaited(seen, shared_.cell.slots.next_slot(seen), &value, sizeof value);
        if (!is_stored && internal::store_alone(shared_.cell, last_[at(me)], &value) != next)
            simulation_.fail("the lone writer stored another version than %u", next);
        last_[at(me)].store(next * internal::kOneVersion, std::memory_order_relaxed);
        if (M::sees_at_once || !is_stored) shared_.completed = std::max(shared_.completed, next);
    }

    // As Watcher does, and Object::arm.
    void watch(int me) {
        while (this->seen_[at(me)] < this->versions_) {
            const std::uint32_t events = events_.load();
            internal::arm(shared_.words);
            M::barrier_everywhere();
            while (is_being_stored()) simulation_.work();
            const std::uint32_t now = internal::version_after_arming(shared_.words);
            if (now == this->seen_[at(me)]) M::wait(events_, events, Deadline::forever());
            this->seen_[at(me)] = now;
        }
    }

    Variant variant_;
    int owner_ = kNobody;
    PerActor<std::atomic<std::uint32_t>> last_{};
    Atom32 events_{0};
};

// Several writers, each in a place of its own.
//   stores   numbers that nobody else stores
//   updates  the latest value and one more: it is always the number of its version
//   places   three writers for two places, which they give up now and then
//   watched  two wait by descriptor instead
template <typename M>
class CellAmongScenario : public CellReaders<M, 2> {
    using Base = CellReaders<M, 2>;
    using Base::shared_;
    using Base::simulation_;

  public:
    enum Variant { stores, updates, places, watched };

    explicit CellAmongScenario(Variant variant) : Base(true, (variant == places ? 3 : 2) * kStores), variant_(variant) {
        M::has_barriers = true;
        owners_.fill(kNobody);
        const int writer_count = variant == places ? 3 : 2;
        int actor = 0;
        const auto add = [&](const std::function<void(int)>& body) {
            simulation_.add_actor([body, actor] { body(actor); }, 100 + static_cast<std::uint32_t>(actor), actor);
            ++actor;
        };
        for (int i = 0; i < writer_count; ++i) {
            this->writers_.push_back(i);
            add([this](int me) { write(me); });
        }
        if (variant == watched) {
            simulation_.name(&events_, "events");
            simulation_.set_touched(&events_);
            shared_.cell.descriptor = 3;
            for (int i = 0; i < 2; ++i) add([this](int me) { watch(me); });
        } else {
            add([this](int me) { this->read(me); });
            add([this](int me) { this->follow(me, true); });
        }
    }

    void died(int actor) override {
        give_up(actor);
        if (variant_ == watched) simulation_.kernel_add_and_wake_all(events_, 1);  // his file is closed
    }

    void at_end() override {
        for (int i = 0; i < simulation_.actor_count(); ++i) {
            const bool watches = variant_ == watched && i >= 2;
            if (!watches) this->expect_ended(i);
            else if (simulation_.state(i) == State::asleep && this->seen_[at(i)] != shared_.version()) simulation_.fail("watcher %d was not told", i);
        }
        shared_.expect_latest_at_end();
        if (simulation_.deaths() == 0 && shared_.version() != this->versions_) simulation_.fail("%u versions of %u stores", shared_.version(), this->versions_);
    }

  private:
    static constexpr std::uint32_t kStores = 3;
    static constexpr std::uint32_t kAttemptsMax = 60;

    void write(int me) {
        for (std::uint32_t round = 0; round < kStores; ++round) {
            take(me);
            if (variant_ == updates) update(me);
            else store(me, round);
            if (variant_ == places && simulation_.random().one_in(2)) give_up(me);
        }
        give_up(me);
    }

    void take(int me) {
        for (;;) {
            const auto mine = std::find(owners_.begin(), owners_.end(), me);
            if (mine != owners_.end()) return;
            const auto free = std::find(owners_.begin(), owners_.end(), kNobody);
            if (free != owners_.end()) {
                *free = me;
                places_[at(me)].take(shared_.cell, static_cast<std::uint32_t>(free - owners_.begin()));
                return;
            }
            simulation_.work();
        }
    }
    void give_up(int actor) { std::replace(owners_.begin(), owners_.end(), actor, kNobody); }

    void store(int me, std::uint32_t round) {
        const CellValue value = CellValue::of(100 * (static_cast<std::uint32_t>(me) + 1) + round);
        const std::uint32_t version = attempt(me, value, nullptr);
        if (version == 0) simulation_.fail("a store was overtaken");
    }

    void update(int me) {
        for (;;) {
            CellValue value;
            std::uint32_t seen = 0;
            if (!shared_.load(value, seen)) continue;
            if (value.number() != seen) simulation_.fail("version %u has number %llu: an update was lost", seen, number(value.number()));
            if (attempt(me, CellValue::of(seen + 1), &seen) != 0) return;
        }
    }

    // The version that was stored; 0: overtaken.
    std::uint32_t attempt(int me, const CellValue& value, const std::uint32_t* after) {
        typename internal::CellPlace<M>::Store store(places_[at(me)], shared_.cell, &value);
        std::uint32_t version = 0;
        for (std::uint32_t i = 0; i < kAttemptsMax; ++i) {
            const CellStored end = store.attempt(after, version);
            if (end == CellStored::overtaken) return 0;
            if (end == CellStored::again) continue;
            if (shared_.values[version] != value.number()) simulation_.fail("actor %d is told that it stored version %u, and another did", me, version);
            shared_.completed = std::max(shared_.completed, version);
            return version;
        }
        simulation_.fail("actor %d does not come to an end with its store", me);
        return 0;
    }

    void watch(int me) {
        while (this->seen_[at(me)] < this->versions_) {
            const std::uint32_t events = events_.load();
            internal::arm(shared_.words);
            const std::uint32_t now = internal::version_after_arming(shared_.words);
            if (now == this->seen_[at(me)]) M::wait(events_, events, Deadline::forever());
            this->seen_[at(me)] = now;
        }
    }

    Variant variant_;
    std::array<int, 2> owners_;  // of the places
    PerActor<internal::CellPlace<M>> places_{};
    Atom32 events_{0};
};

}  // namespace comap::model
