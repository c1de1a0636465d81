// SPDX-License-Identifier: Apache-2.0
// Rings of frames: senders who take turns or share a lock, receivers who are overrun or waited for. Every message is checked
// against what was sent under its number; nobody may sleep with a message before him. What src/data/ring.cpp and channel.cpp do
// around the words is told again here, as shortly as it goes.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <map>
#include <string>
#include <vector>

#include "objects.hpp"
#include "sync/ring_words.hpp"

namespace comap::model {

using internal::Look;

// Messages are copied word by word, and others run in between: who copies what is being written over gets a part of each.
struct SimMemory {
    template <typename T>
    using Atom = SimAtom<T>;
    static void copy_in(void* shared, const void* source, std::size_t size_bytes) {
        for (std::size_t i = 0; i < size_bytes / sizeof(std::uint32_t); ++i) {
            std::uint32_t word = 0;
            std::memcpy(&word, static_cast<const std::byte*>(source) + i * sizeof word, sizeof word);
            static_cast<Atom32*>(shared)[i].store(word, std::memory_order_relaxed);
        }
    }
    static void copy_out(void* target, const void* shared, std::size_t size_bytes) {
        for (std::size_t i = 0; i < size_bytes / sizeof(std::uint32_t); ++i) {
            const std::uint32_t word = static_cast<const Atom32*>(shared)[i].load(std::memory_order_relaxed);
            std::memcpy(static_cast<std::byte*>(target) + i * sizeof word, &word, sizeof word);
        }
    }
    static void light_barrier() {}
    static void barrier_after_update() {}
    static void fetch_for_writing(const void*) {}
};

struct RingMachine : SimMachine {
    using Memory = SimMemory;
    static constexpr bool joins_blindly = false;   // for a mutant: nobody looks at the claim after taking a place
    static constexpr bool settles_blindly = false;  // for a mutant: the bell is settled without the senders' lock
};

inline constexpr std::uint64_t kRingBytesHere = 512;  // at most
inline constexpr std::uint32_t kRingMessageBytes = 16;
inline constexpr std::uint32_t kRingPlacesHere = 2;
inline constexpr std::uint32_t kTakersHere = 3;
inline constexpr std::chrono::nanoseconds kRingDoze = std::chrono::milliseconds(1);
inline constexpr std::chrono::nanoseconds kRingLookForDead = std::chrono::milliseconds(10);

using RingMessage = std::vector<std::uint32_t>;  // its words

// The shared memory of a ring, and what was sent in it.
template <typename M>
struct SimRing {
    using Words = internal::RingWords<M>;
    using Out = typename Words::Out;
    using In = typename Words::In;

    // The ring is as if it had been used for long: what lies in it looks like frames, and all is near its end.
    SimRing(std::uint32_t payload_offset, bool may_have_runs) {
        static const std::array<std::string, kRingBytesHere / 4> names = [] {
            std::array<std::string, kRingBytesHere / 4> made;
            for (std::size_t i = 0; i < made.size(); ++i) made[i] = "+" + std::to_string(4 * i);
            return made;
        }();
        for (std::size_t i = 0; i < memory.size(); ++i) simulation.name(&memory[i], names[i].c_str());
        simulation.name(&page.change, "bell");
        simulation.name(&page.watch, "watch");
        simulation.name(&control.head, "head");
        simulation.name(&control.number, "number");
        simulation.name(&control.limit, "limit");
        simulation.name(&control.claimed, "claimed");
        simulation.name(&control.space.change, "space");
        simulation.name(&control.taken, "taken");
        simulation.name(&control.counts, "counts");
        simulation.name(&control.freed, "freed");
        for (std::uint32_t i = 0; i < kRingPlacesHere; ++i) simulation.name(&control.places[i].position, i == 0 ? "place 0" : "place 1");
        for (auto& checkpoint : control.checkpoints) {
            simulation.name(&checkpoint.position, "cp.position");
            simulation.name(&checkpoint.number, "cp.number");
        }

        Random& random = simulation.random();
        RingMachine::has_barriers = !random.one_in(6);
        M::begin_run();
        words.control = &control;
        words.place_count = random.one_in(2) ? kRingPlacesHere : 0;  // for claim() only: ahead, or not
        auto& view = words.view;
        view.data = reinterpret_cast<std::byte*>(memory.data());
        has_runs = may_have_runs && random.one_in(2);
        // No frame is longer than a quarter of it.
        view.size_bytes = has_runs ? kRingBytesHere : kRingBytesHere / (random.one_in(3) ? 2 : 4);
        view.message_bytes = kRingMessageBytes;
        view.payload_offset = payload_offset;
        view.bell = &page.change;
        view.watch = &page.watch;
        view.claimed = &control.claimed;
        const bool is_new = random.one_in(4);
        begin = is_new ? 0 : 5 * view.size_bytes + 8 * random.below(view.size_bytes / 8);
        const std::uint64_t first = is_new ? 0 : (std::uint64_t{1} << 32) - random.below(6);
        for (auto& word : memory) word.poke(random.one_in(2) ? internal::kFrameReady | 8 : static_cast<std::uint32_t>(first + random.below(4)));
        words.view.frame(begin).state.poke(view.lap_state(begin));
        control.head.poke(begin);
        control.number.poke(first);
        control.limit.poke(begin);
        control.claimed.poke((begin + words.step_bytes() - 1) & ~(words.step_bytes() - 1));
        control.taken.poke(begin);
        control.freed.poke(begin);
        completed = first;
        if (is_new) control.claimed.poke(0);
    }

    RingMessage make_message(std::uint64_t message_number, std::uint32_t size_bytes) {
        RingMessage message(size_bytes / 4);
        // Its words are like no other's; or they look like a frame that could be there.
        const bool looks_like_frame = simulation.random().one_in(3);
        ++made_;
        for (std::size_t i = 0; i < message.size(); ++i) message[i] = made_ << 4 | static_cast<std::uint32_t>(i);
        if (looks_like_frame && message.size() >= 3) {
            message[0] = internal::kFrameReady | 4 * static_cast<std::uint32_t>(simulation.random().below(5));
            message[1] = static_cast<std::uint32_t>(message_number + simulation.random().below(3));
        }
        if (looks_like_frame && message.size() >= 2) message.back() = internal::kFrameReady | internal::kFramePad;
        return message;
    }

    // He who may send it now will commit that next.
    void say(std::uint64_t message_number, const RingMessage& message) {
        if (message_number < completed) simulation.fail("message %llu is sent again after its sending had returned", number(message_number));
        Said& before = said[message_number];
        if (before.is_received) simulation.fail("message %llu is sent again after it was received", number(message_number));
        before.message = message;
    }

    void receive(int actor, std::uint64_t message_number, const RingMessage& message) {
        const auto found = said.find(message_number);
        if (found == said.end())
            simulation.fail("actor %d receives message %llu, which nobody sent", actor, number(message_number));
        if (found->second.message != message)
            simulation.fail("actor %d receives message %llu otherwise than it was sent", actor, number(message_number));
        found->second.is_received = true;
    }

    // The sender who goes on after others has found where.
    void expect_head(int actor, bool is_found, const Out& out) {
        if (!is_found) simulation.fail("actor %d cannot find where the last message ends", actor);
        if (out.number < completed) simulation.fail("actor %d goes on with message %llu, and %llu were sent", actor, number(out.number), number(completed));
        for (const auto& [message_number, one] : said)
            if (one.is_received && message_number >= out.number)
                simulation.fail("actor %d goes on with message %llu, which was received", actor, number(out.number));
    }

    // How many messages are in the ring's stream, at the end.
    std::uint64_t total() {
        Out out;
        expect_head(kNobody, words.find_head(out), out);
        return out.number;
    }

    // Who joins finds nearly all that is kept: of each claim there is the place where it began.
    void expect_oldest() {
        In oldest;
        if (!words.find_oldest(oldest, 0)) simulation.fail("nobody can find what is kept");
        const std::uint64_t claimed = control.claimed.peek();
        const std::uint64_t kept = std::max(begin, claimed > words.view.size_bytes ? claimed - words.view.size_bytes : 0);
        if (oldest.position > kept + words.view.size_bytes / 2 + 3 * words.step_bytes())
            simulation.fail("what is kept begins at %llx, and is found from %llx on", number(kept), number(oldest.position));
    }

    struct Said {
        RingMessage message;
        bool is_received = false;
    };
    Simulation& simulation = Simulation::now();
    alignas(64) std::array<typename M::template Atom<std::uint32_t>, kRingBytesHere / 4> memory{};
    internal::BasicRingControl<M> control{};
    internal::BasicChangeWords<M> page{};
    Words words;
    bool has_runs = false;  // they need more room
    std::map<std::uint64_t, Said> said;
    std::uint64_t completed = 0;  // messages whose sending has returned
    std::uint64_t begin = 0;      // position of the first

  private:
    std::uint32_t made_ = 0;
};

// What senders do around the words. `lock`: of many senders; else they take turns in a role.
template <typename M>
class RingSenders : public Scenario {
  public:
    using Ring = SimRing<M>;
    using Words = typename Ring::Words;
    using Out = typename Ring::Out;
    using In = typename Ring::In;
    using Floor = std::uint64_t (*)(const Words&);

    RingSenders(bool has_lock, std::uint32_t payload_offset, Floor floor) 
        : ring_(payload_offset, payload_offset == 8), has_lock_(has_lock), floor_(floor) {
        place_owners_.fill(kNobody);
    }

    void died(int actor) override {
        M::ends(actor);
        if (role_ == actor) free_role();
        std::replace(place_owners_.begin(), place_owners_.end(), actor, kNobody);
        if (is_watched_) simulation_.kernel_add_and_wake_all(events_, 1);  // his file is closed
    }

  protected:
    // The lowest of the few places that are used here.
    static std::uint64_t lowest_place(const Words& words) {
        std::uint64_t lowest = UINT64_MAX;
        for (std::uint32_t i = 0; i < kRingPlacesHere; ++i) {
            const std::uint64_t position = words.control->places[i].position.load(std::memory_order_acquire);
            if ((position & internal::kPlaceTaken) != 0) lowest = std::min(lowest, position - internal::kPlaceTaken);
        }
        return lowest;
    }
    static std::uint64_t no_place(const Words&) { return UINT64_MAX; }

    void begin(int me) {
        if (!has_lock_) {
            take_role(me);
            return;
        }
        const LockWord<M> word = word_of(lock_, me);
        const Ended end = lock(word);
        lock_.enter(me);
        Out& out = outs_[at(me)];
        const bool is_found = end == Ended::acquired_abandoned ? ring_.words.find_head(out) : ring_.words.load_head(out);
        ring_.expect_head(me, is_found, out);
    }
    void end(int me) {
        if (!has_lock_) return;
        ring_.words.store_head(outs_[at(me)]);
        lock_.leave(me);
        word_of(lock_, me).give();
    }
    void give_up_role(int me) {
        if (role_ != me) return;
        ring_.words.store_head(outs_[at(me)]);
        M::ends(me);
        free_role();
    }

    // One message, or a run of them.
    void send(int me) {
        Random& random = simulation_.random();
        const auto size = static_cast<std::uint32_t>(4 * (1 + random.below(kRingMessageBytes / 4)));
        const bool is_run = ring_.has_runs && random.one_in(2);
        begin(me);
        Out& out = outs_[at(me)];
        if (is_run) {
            send_run(me, out);
        } else {
            const RingMessage message = ring_.make_message(out.number, size);
            const std::uint64_t bytes = view_().frame_bytes(size);
            ring_.say(out.number, message);
            bool is_filled = false;
            // As RawChannel::publish.
            if (has_lock_) send_slowly(me, out, message);
            else if (!out.send(view_(), message.data(), size, bytes, is_filled)) {
                if (is_filled) commit_for_waiters(out, bytes, 1);
                else send_slowly(me, out, message);
            }
        }
        ring_.completed = out.number;
        if (!has_lock_ && random.one_in(2)) ring_.words.claim_ahead(out, view_().frame_bytes(size), floor_);
        end(me);
    }

    void send_slowly(int me, Out& out, const RingMessage& message) {
        const auto size = static_cast<std::uint32_t>(4 * message.size());
        const std::uint64_t bytes = view_().frame_bytes(size);
        const std::uint64_t place = reserve(me, out, bytes);
        if (view_().payload_offset >= 16) holder(place).store(0, std::memory_order_relaxed);
        Words::Memory::copy_in(view_().data + view_().place(place) + view_().payload_offset, message.data(), size);
        commit(out, place, bytes, size, 1);
    }

    // Two messages of 8 bytes, as one frame.
    void send_run(int me, Out& out) {
        constexpr std::uint32_t kSize = 8;
        constexpr std::uint32_t kCount = 2;
        const std::uint64_t place = reserve(me, out, view_().run_bytes_anywhere(kSize, kCount));
        const std::uint64_t bytes = view_().run_bytes(place, kSize, kCount);
        std::byte* const data = view_().data + view_().place(place) + view_().run_offset(place);
        for (std::uint32_t i = 0; i < kCount; ++i) {
            const RingMessage message = ring_.make_message(out.number + i, kSize);
            ring_.say(out.number + i, message);
            Words::Memory::copy_in(data + i * view_().run_stride(kSize), message.data(), kSize);
        }
        holder(place).store(kCount, std::memory_order_relaxed);
        commit(out, place, bytes, kSize | internal::kFrameRun, kCount);
    }

    // As Ring::reserve.
    std::uint64_t reserve(int me, Out& out, std::uint64_t bytes) {
        const std::uint64_t place = view_().next_frame(out.position, bytes);
        const std::uint64_t needed = place - out.position + bytes;
        while (out.position + needed + internal::kFrameHeadBytes > out.limit)
            if (!ring_.words.claim(out, needed, floor_)) wait_for_room(me, out, needed);
        return place;
    }

    // As Ring::wait_for_room.
    void wait_for_room(int me, const Out& out, std::uint64_t bytes) {
        const Words& words = ring_.words;
        while (!words.may_have_room(out, bytes, floor_)) {
            if (floor_ == &lowest_place)
                for (std::uint32_t i = 0; i < kRingPlacesHere; ++i) {
                    const std::uint64_t position = ring_.control.places[i].position.load(std::memory_order_relaxed);
                    const std::uint64_t end = out.position + bytes + internal::kFrameHeadBytes;
                    if (position != 0 && end > position - internal::kPlaceTaken + view_().size_bytes) empty_if_dead(me, i);
                }
            if (words.may_have_room(out, bytes, floor_)) break;
            internal::Bed<M> bed;
            if (!words.prepare_for_room(out, bytes, floor_, bed)) continue;
            const os::Woken woken = M::wait(*bed.word, bed.seen, Deadline::after(kRingLookForDead));
            // So late that nobody else could run.
            if (woken == os::Woken::timed_out && simulation_.deaths() == 0 && floor_ == &Words::first_not_freed && words.may_have_room(out, bytes, floor_))
                simulation_.fail("actor %d was not told that there is room", me);
        }
        words.leave_room_bed();
    }

    // As Ring::settle_bell.
    void settle_bell(int me) {
        if (ring_.words.is_bell_settled()) return;
        if (M::settles_blindly) return ring_.words.ring_settled_bell();
        const LockWord<M> word = word_of(lock_, me);
        std::uint32_t seen = word.word->load(std::memory_order_relaxed);
        if (seen != 0 || !word.try_take(seen, 0)) return;
        lock_.enter(me);
        ring_.words.ring_settled_bell();
        lock_.leave(me);
        word.give();
    }

    void empty_if_dead(int me, std::uint32_t place) {
        simulation_.work();
        if (place_owners_[place] != kNobody) return;
        place_owners_[place] = me;
        ring_.control.places[place].position.store(0, std::memory_order_release);
        place_owners_[place] = kNobody;
    }

    // As Ring::commit.
    void commit(Out& out, std::uint64_t place, std::uint64_t bytes, std::uint32_t state, std::uint32_t count) {
        if (place == out.position) {
            if (!out.commit(view_(), bytes, state, count)) commit_for_waiters(out, bytes, count);
            return;
        }
        auto& frame = view_().frame(place);
        view_().frame(place + bytes).state.store(view_().lap_state(place + bytes), std::memory_order_relaxed);
        frame.number.store(static_cast<std::uint32_t>(out.number), std::memory_order_relaxed);
        frame.state.store(state | internal::kFrameReady, std::memory_order_relaxed);
        if (ring_.words.commit_pad(out)) tell_watchers();
        out.position = place + bytes;
        out.number += count;
    }
    void commit_for_waiters(Out& out, std::uint64_t bytes, std::uint32_t count) {
        ring_.words.commit_and_wake(out, bytes, count);
        tell_watchers();
    }
    void tell_watchers() {
        const std::uint32_t watch = ring_.page.watch.load(std::memory_order_seq_cst);
        if (is_watched_ && (watch & internal::kArmed) != 0) internal::notify_watchers(ring_.page, watch, 3);
    }

    // A sender lives who could be about to commit.
    bool has_sender() {
        if (has_lock_) return !internal::is_free(lock_.word.load(std::memory_order_relaxed));
        simulation_.work();
        return role_ != kNobody;
    }
    bool are_senders_over() const {
        if (role_ != kNobody && simulation_.state(role_) == State::stopped) return true;
        return std::all_of(senders_.begin(), senders_.end(), [&](int sender) {
            return simulation_.state(sender) != State::runnable && simulation_.state(sender) != State::asleep;
        });
    }

    Ended lock(const LockWord<M>& word) {
        for (;;) {
            const Take end = word.take(0);
            if (end == Take::taken) return Ended::acquired;
            if (end == Take::taken_abandoned) return Ended::acquired_abandoned;
            WaitPoint<M> point;
            point.lock = word;
            const Ended waited = wait_for(point, Deadline::forever()).end;
            if (waited != Ended::interrupted) return waited;
        }
    }

    int add(const std::function<void(int)>& body) {
        const int actor = simulation_.actor_count();
        const auto live = [body, actor] {
            body(actor);
            M::ends(actor);
        };
        return simulation_.add_actor(live, 100 + static_cast<std::uint32_t>(actor), actor);
    }
    void add_sender(const std::function<void(int)>& body) { senders_.push_back(add(body)); }

    using RingAtom = typename M::template Atom<std::uint32_t>;
    RingAtom& holder(std::uint64_t position) { return reinterpret_cast<RingAtom*>(&view_().frame(position))[2]; }
    LockWord<M> word_of(Lock& lock, int me) {
        const auto word = lock.of<SimMachine>(me);
        return {static_cast<RingAtom*>(word.word), word.node};
    }
    const internal::RingView<typename Words::Memory>& view_() const { return ring_.words.view; }

    Simulation& simulation_ = Simulation::now();
    Ring ring_;
    bool has_lock_;
    Floor floor_;
    Lock lock_{"senders"};
    int role_ = kNobody;
    std::array<int, kTakersHere> place_owners_;  // of receivers who are waited for, or of takers
    bool is_watched_ = false;
    Atom32 events_{0};
    std::vector<int> senders_;
    PerActor<Out> outs_{};

  private:
    // As Ring::take_role, by one who tries again when the role is free.
    void take_role(int me) {
        if (role_ == me) return;
        for (;;) {
            const std::uint32_t seen = role_freed_.load(std::memory_order_seq_cst);
            if (role_ == kNobody) break;
            M::wait(role_freed_, seen, Deadline::forever());
        }
        role_ = me;
        Out& out = outs_[at(me)];
        out = {};
        ring_.expect_head(me, ring_.words.find_head(out), out);
    }
    void free_role() {
        role_ = kNobody;
        simulation_.kernel_add_and_wake_all(role_freed_, 1);
    }

    Atom32 role_freed_{0};
};

//   lone       two senders take turns; one receiver follows, one comes in the middle; both may be overrun
//   read_only  receivers cannot ring the bell
//   many       the senders share a lock
//   places     as many, and they wait for their receivers, who come and go
//   lone_places  as lone, and they wait
//   watched    one of the receivers waits by descriptor
template <typename M>
class RingScenario : public RingSenders<M> {
    using Base = RingSenders<M>;
    using Base::ring_;
    using Base::simulation_;
    using Base::view_;
    using typename Base::In;
    using typename Base::Out;
    using typename Base::Words;

  public:
    enum Variant { lone, read_only, many, places, lone_places, watched };

    explicit RingScenario(Variant variant)
        : Base(variant == many || variant == places, 8, variant == places || variant == lone_places ? &Base::lowest_place : &Base::no_place), variant_(variant) {
        ring_.words.view.always_wakes = variant == read_only;
        for (int i = 0; i < 2; ++i) this->add_sender([this](int me) { send_all(me); });
        this->add([this](int me) { follow(me, false); });
        if (variant != watched) {
            this->add([this](int me) { follow(me, true); });
            return;
        }
        this->is_watched_ = true;
        simulation_.name(&this->events_, "events");
        simulation_.set_touched(&this->events_);
        this->add([this](int me) { watch(me); });
    }

    void at_end() override {
        const std::uint64_t total = ring_.total();
        if (simulation_.deaths() == 0) ring_.expect_oldest();
        for (int i = 0; i < simulation_.actor_count(); ++i) {
            const State state = simulation_.state(i);
            if (i < 2) {
                const bool waits_for_stopped = this->role_ != kNobody && simulation_.state(this->role_) == State::stopped;
                if (state == State::asleep && !waits_for_stopped) simulation_.fail("sender %d does not come to its end", i);
                continue;
            }
            if (state == State::dead || state == State::stopped) continue;
            const Receiver& one = receivers_[at(i)];
            if (!one.has_joined) simulation_.fail("receiver %d never begins", i);
            if (!one.has_left && one.in.number != total)
                simulation_.fail("receiver %d has come to message %llu of %llu", i, number(one.in.number), number(total));
        }
    }

  private:
    static constexpr int kSends = 6;
    static constexpr int kNowhere = -1;

    struct Receiver {
        In in;
        internal::RingView<typename Words::Memory> view;
        std::uint64_t missed = 0;
        std::uint64_t received = 0;
        std::uint64_t first = 0;
        std::uint64_t note_at = 0;
        int place = kNowhere;
        bool has_joined = false;
        bool has_left = false;
    };

    void send_all(int me) {
        for (int round = 0; round < kSends; ++round) {
            this->send(me);
            if (simulation_.random().one_in(3)) this->give_up_role(me);
        }
        this->give_up_role(me);
    }

    // --- receivers
    bool are_waited_for() const { return variant_ == places || variant_ == lone_places; }

    void follow(int me, bool comes_later) {
        Receiver& one = receivers_[at(me)];
        if (comes_later)
            for (std::uint64_t wait = simulation_.random().below(40); wait > 0; --wait) simulation_.work();
        join(me, one);
        int round = 0;
        while (receive(me, one)) {
            if (!are_waited_for() || !comes_later || ++round % 3 != 0) continue;
            leave(one);
            join(me, one);
        }
        if (are_waited_for()) leave(one);
    }

    void watch(int me) {
        Receiver& one = receivers_[at(me)];
        join(me, one);
        for (;;) {
            const std::uint32_t events = this->events_.load(std::memory_order_seq_cst);
            if (look(me, one)) {
                take_if_whole(me, one);
                continue;
            }
            internal::arm(ring_.page);
            const bool is_sure = settle_after_arming(one.in.position);
            const bool is_over = this->are_senders_over();
            if (look(me, one)) continue;
            if (!is_sure && is_over) return;
            M::wait(this->events_, events, is_sure ? Deadline::forever() : Deadline::after(kRingDoze));
        }
    }
    bool settle_after_arming(std::uint64_t position) {
        if (!M::barrier_everywhere()) return false;
        const auto& state = view_().frame(position).state;
        for (;;) {
            const std::uint32_t seen = state.load(std::memory_order_seq_cst);
            if ((seen & (internal::kFrameBusy | internal::kFrameReady)) != internal::kFrameBusy || !this->has_sender()) break;
            M::wait(state, seen, Deadline::after(kRingDoze));
        }
        return true;
    }

    // As RawChannel::subscribe.
    void join(int me, Receiver& one) {
        one = {};
        one.view = view_();
        const bool from_oldest = simulation_.random().one_in(2);
        const std::uint64_t completed = ring_.completed;
        if (are_waited_for()) take_place(me, one);
        for (std::uint32_t attempt = 0;; ++attempt) {
            if (attempt == Words::kAttemptsMax) simulation_.fail("receiver %d finds no beginning", me);
            find(me, one.in, from_oldest);
            if (!are_waited_for()) break;
            auto& place = ring_.control.places[at(one.place)].position;
            place.store(one.in.position | internal::kPlaceTaken, std::memory_order_seq_cst);
            if (!M::joins_blindly && ring_.control.claimed.load(std::memory_order_seq_cst) > one.in.position + view_().size_bytes) continue;
            one.view.claimed = nullptr;
            if (attempt > 0) ring_.words.tell_of_room();
            one.note_at = one.in.position + view_().size_bytes / 8;
            break;
        }
        one.first = one.in.number;
        one.has_joined = true;
        if (M::sees_at_once && !from_oldest && one.in.number < completed)
            simulation_.fail("receiver %d begins with message %llu, and %llu were there before", me, number(one.in.number), number(completed));
        const std::uint64_t sent = ring_.said.empty() ? 0 : ring_.said.rbegin()->first + 1;
        if (from_oldest && one.in.number > std::max(sent, ring_.completed)) simulation_.fail("receiver %d begins in the future", me);
    }
    void take_place(int me, Receiver& one) {
        // A sender has the place of a dead one for a moment.
        auto free = this->place_owners_.end();
        for (int attempt = 0; free == this->place_owners_.end(); ++attempt) {
            if (attempt > 2000) simulation_.fail("there is no place for receiver %d", me);
            simulation_.work();
            free = std::find(this->place_owners_.begin(), this->place_owners_.begin() + kRingPlacesHere, kNobody);
            if (free == this->place_owners_.begin() + kRingPlacesHere) free = this->place_owners_.end();
        }
        *free = me;
        one.place = static_cast<int>(free - this->place_owners_.begin());
    }
    void leave(Receiver& one) {
        ring_.control.places[at(one.place)].position.store(0, std::memory_order_release);
        ring_.words.tell_of_room();
        this->place_owners_[at(one.place)] = kNobody;
        one.has_left = true;
    }

    // As RawSubscription::find.
    void find(int me, In& in, bool from_oldest) {
        for (std::uint32_t attempt = 0; attempt < Words::kAttemptsMax; ++attempt) {
            if (!ring_.words.find_oldest(in, 0)) continue;
            if (from_oldest) return;
            In end = in;
            const bool ended = ring_.words.walk_to_end(end);
            if (!view_().is_whole(in.position)) continue;
            if (!ended) simulation_.fail("receiver %d finds something that is no message on its way to the end", me);
            in = end;
            return;
        }
        simulation_.fail("receiver %d finds no beginning", me);
    }

    // As RawSubscription::look.
    bool look(int me, Receiver& one) {
        for (std::uint32_t attempt = 0; attempt < Words::kAttemptsMax; ++attempt) {
            const Look seen = one.in.look(one.view);
            if (one.view.is_whole(one.in.position)) {
                if (seen == Look::strange) simulation_.fail("receiver %d finds something that is no message at message %llu", me, number(one.in.number));
                return seen == Look::message;
            }
            In oldest;
            if (!ring_.words.find_oldest(oldest, one.in.position) || oldest.number < one.in.number) continue;
            one.missed += oldest.number - one.in.number;
            one.in = oldest;
        }
        simulation_.fail("receiver %d does not find its way after having been overrun", me);
        return false;
    }

    // As RawSubscription::receive. False: nothing will come any more.
    bool receive(int me, Receiver& one) {
        RingMessage message(kRingMessageBytes / 4);
        std::uint32_t size = 0;
        const std::uint64_t at_number = one.in.number;
        if (one.in.receive(one.view, message.data(), kRingMessageBytes, size)) {
            message.resize(size / 4);
            took(me, one, at_number, message);
            if (one.place != kNowhere && one.in.position >= one.note_at) note_place(one);
            return true;
        }
        if (one.in.look(one.view) == Look::message && take_if_whole(me, one)) return true;
        do {
            if (!await(me, one)) return false;
        } while (!take_if_whole(me, one));
        return true;
    }
    bool take_if_whole(int me, Receiver& one) {
        RingMessage message(one.in.size / 4);
        Words::Memory::copy_out(message.data(), view_().data + one.in.offset, one.in.size);
        if (!one.view.is_whole(one.in.position)) return false;
        took(me, one, one.in.number, message);
        if (one.in.advance(one.view) && one.place != kNowhere && one.in.position >= one.note_at) note_place(one);
        return true;
    }
    void took(int me, Receiver& one, std::uint64_t number, const RingMessage& message) {
        ring_.receive(me, number, message);
        ++one.received;
        if (one.first + one.received + one.missed != number + 1) simulation_.fail("receiver %d counts wrongly", me);
    }
    void note_place(Receiver& one) {
        ring_.control.places[at(one.place)].position.store(one.in.position | internal::kPlaceTaken, std::memory_order_release);
        one.note_at = one.in.position + view_().size_bytes / 8;
        ring_.words.tell_of_room();
    }

    // As RawSubscription::await.
    bool await(int me, Receiver& one) {
        for (;;) {
            const bool is_over = this->are_senders_over();
            if (look(me, one)) return true;
            if (is_over) return false;
            internal::Bed<M> bed;
            const auto bedtime = ring_.words.prepare(one.in.position, variant_ != read_only, [this] { return this->has_sender(); }, bed);
            if (bedtime == Words::Bedtime::look_again) continue;
            M::wait(*bed.word, bed.seen, bedtime == Words::Bedtime::doze ? Deadline::after(kRingDoze) : Deadline::forever());
        }
    }

    Variant variant_;
    PerActor<Receiver> receivers_{};
};

}  // namespace comap::model
