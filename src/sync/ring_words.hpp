// SPDX-License-Identifier: Apache-2.0
// A ring of frames (include/comap/ring.hpp): going to sleep on it, committing for those who do, claiming room, finding one's
// place. What is here happens seldom; sending and receiving in the usual case is there.
//
// Nobody reads an index that another writes for each message. A sender claims room in steps of a sixteenth of the ring; a
// receiver that may be overrun compares his place with the claim, one that must not be writes down his place every eighth.
//
// The bell (32 bits, the object's change word):
//   bit 0      sleeper: somebody may be asleep on the state of the next frame. May be set with nobody asleep; never clear with
//              somebody asleep.
//   bit 1      settled: every sender who looks from now on sees bit 0. Only with bit 0. Also set by who has the senders' lock.
//   bits 2..31 counts settings and clearings, so that a sender only clears what he has woken for.
// A sender marks the frame busy, then looks at the bell, then commits: with plain loads and stores. A receiver rings the bell,
// has the kernel make a barrier on all processors, and then looks at the frame: not busy, so every sender who comes will see the
// bell, and he sleeps; busy, so a sender may just have looked too early: he stays awake until the frame is ready or its sender
// is dead. A sender who sees the bell has the kernel set the ready bit and wake in one step, so that he cannot die in between.
#pragma once

#include <algorithm>
#include <array>
#include <atomic>
#include <cstdint>

#include <comap/ring.hpp>

#include "sync/change_word.hpp"
#include "sync/sync_block.hpp"

namespace comap::internal {

inline constexpr std::uint32_t kRingSteps = 16;  // claims per ring
// That a claim takes besides what it needs, where there are places to look at: a barrier after long messages waits until all of their
// lines have come. Who joins a channel later finds so much less; its ring is made for that (ring.cpp).
inline constexpr std::uint32_t kStepsAhead = 3;
inline constexpr std::uint32_t kRingPlacesMax = 32;
inline constexpr std::uint64_t kRingControlBytes = 4096;
inline constexpr std::uint64_t kRingBytesMin = 4096;
inline constexpr std::uint32_t kBellSleeper = 1;
inline constexpr std::uint32_t kBellSettled = 2;
inline constexpr std::uint32_t kBellStep = 4;
inline constexpr std::uint64_t kPlaceTaken = 1;

// The first page of the body.
template <typename Machine>
struct BasicRingControl {
    using Atom32 = typename Machine::template Atom<std::uint32_t>;
    using Atom64 = typename Machine::template Atom<std::uint64_t>;
    struct Checkpoint {
        Atom64 position;  // of a frame, + 1; 0: none
        Atom64 number;    // of its first message
    };
    struct alignas(64) Place {
        Atom64 position;  // of the next frame that its owner needs, | kPlaceTaken; 0: nobody
        std::array<std::byte, 56> reserved;
    };
                                                     // offset
    Atom64 head;                                     //    0  a frame begins here, or will; a sender's, perhaps behind
    Atom64 number;                                   //    8  of its first message; written before head
    Atom64 limit;                                    //   16  senders may write up to here
    std::uint64_t patience_ns;                       //   24  how long a sender waits for room; never changes
    std::array<std::byte, 32> reserved_32;           //   32
    Atom64 claimed;                                  //   64  see RingView
    std::array<std::byte, 56> reserved_72;           //   72
    std::array<Checkpoint, kRingSteps> checkpoints;  //  128  of the claim up to position n * size / 16: n modulo 16
    std::array<std::byte, 128> reserved_384;         //  384
    BasicChangeWords<Machine> space;                 //  512  published when there is more room
    std::array<std::byte, 56> reserved_520;          //  520
    Atom64 taken;                                    //  576  queues: the first frame that was not taken yet, once
    Atom64 counts;                                   //  584  queues: frames taken and not confirmed, and in the upper half: given back and not taken again
    std::array<std::byte, 48> reserved_592;          //  592
    Atom64 freed;                                    //  640  queues: the first frame that is not done
    std::array<std::byte, 376> reserved_648;         //  648
    std::array<Place, kRingPlacesMax> places;        // 1024
    std::array<std::byte, 960> reserved_3072;        // 3072
    SyncBlock sync;                                  // 4032  queues: its lock word is the takers'
};
using RingControl = BasicRingControl<os::Machine>;
static_assert(sizeof(RingControl) == kRingControlBytes && offsetof(RingControl, sync) == kSyncBlockInPage);
static_assert(offsetof(RingControl, claimed) == 64 && offsetof(RingControl, space) == 512 && offsetof(RingControl, freed) == 640 && offsetof(RingControl, places) == 1024);

// What one knows of the ring in this process.
template <typename Machine>
struct RingWords {
    using Memory = typename Machine::Memory;
    using Out = RingOut<Memory>;
    using In = RingIn<Memory>;
    RingView<Memory> view;
    BasicRingControl<Machine>* control = nullptr;
    std::uint32_t place_count = 0;  // of those in the control page: how many can be taken

    std::uint64_t step_bytes() const { return view.size_bytes / kRingSteps; }

    // --- committing

    // After RingOut::commit has said that somebody waits.
    void commit_and_wake(Out& out, std::uint64_t bytes, std::uint32_t count) const {
        auto& state = view.frame(out.position).state;
        std::uint32_t bell = view.bell->load(std::memory_order_acquire);
        // SYNC ring.commit: as there; the kernel's read-modify-write is a full barrier; pairs with ring.look.
        const std::uint32_t woken = Machine::set_bit_and_wake_all(state, kFrameReadyBit);
        if (woken == 0 && (bell & kBellSleeper) != 0)
            view.bell->compare_exchange_strong(bell, (bell + kBellStep) & ~(kBellSleeper | kBellSettled), std::memory_order_relaxed, std::memory_order_relaxed);
        out.position += bytes;
        out.number += count;
    }

    // The rest of the lap stays empty, so that the next frame is in one piece. REQUIRES: that frame, committed, is at the beginning
    // of the ring, and there is room for a head at out.position. True: as RingOut::commit.
    bool commit_pad(Out& out) const {
        const std::uint64_t rest = view.next_lap(out.position) - out.position;
        auto& frame = view.frame(out.position);
        frame.number.store(static_cast<std::uint32_t>(out.number), std::memory_order_relaxed);
        frame.state.store(view.lap_state(out.position) | kFrameBusy, std::memory_order_relaxed);
        out.barrier();  // SYNC ring.busy: as in RingOut::commit; pairs with ring.sleep.
        if (view.somebody_waits() || view.always_wakes) {
            frame.state.store(kFramePad | kFrameBusy, std::memory_order_relaxed);
            commit_and_wake(out, rest, 0);
            return true;
        }
        frame.state.store(kFramePad | kFrameReady, std::memory_order_release);  // SYNC ring.commit: pairs with ring.look.
        out.position += rest;
        return false;
    }

    // --- going to sleep

    enum class Bedtime : std::uint8_t { look_again, sleep, doze };  // doze: for a moment only

    // `position`: of the frame that is awaited. `has_sender()`: whether a sender lives who could be at it.
    template <typename HasSender>
    Bedtime prepare(std::uint64_t position, bool may_write, const HasSender& has_sender, Bed<Machine>& bed) const {
        auto& state = view.frame(position).state;
        std::uint32_t bell = kBellSettled;
        if (may_write) bell = ring_bell();
        const bool settled = (bell & kBellSettled) != 0;
        if (!settled && !Machine::barrier_everywhere()) return doze_on(state, bed);
        // SYNC ring.sleep: rung before looking at the frame; pairs with ring.busy.
        const std::uint32_t seen = state.load(std::memory_order_seq_cst);
        if ((seen & kFrameReady) != 0 || !view.is_whole(position)) return Bedtime::look_again;
        bed = {&state, seen};
        if (settled) return Bedtime::sleep;
        if ((seen & kFrameBusy) != 0 && has_sender()) return Bedtime::doze;
        view.bell->compare_exchange_strong(bell, bell | kBellSettled, std::memory_order_relaxed, std::memory_order_relaxed);
        return Bedtime::sleep;
    }

    // For one who has the senders' lock: rings the bell, and it is settled, for nobody can be about to commit.
    void ring_settled_bell() const {
        // SYNC ring.rung: rung under the lock; who commits after that sees it; pairs with lock.take.
        std::uint32_t bell = view.bell->load(std::memory_order_relaxed);
        while (!view.bell->compare_exchange_weak(bell, (bell | kBellSleeper | kBellSettled) + kBellStep, std::memory_order_relaxed, std::memory_order_relaxed)) {}
    }
    bool is_bell_settled() const { return (view.bell->load(std::memory_order_relaxed) & kBellSettled) != 0; }

    // --- room

    // Makes out.limit reach `bytes` further, up to the end of a step, if `floor`, the first position that somebody needs, leaves room. Else
    // nothing has changed, unless somebody began to need more just now.
    bool claim(Out& out, std::uint64_t bytes, std::uint64_t (*floor)(const RingWords&)) const {
        const std::uint64_t end = out.position + bytes + kFrameHeadBytes;
        const std::uint64_t wanted = (end + step_bytes() - 1) & ~(step_bytes() - 1);
        if (out.allowed < end) {
            if (!may_have_room(out, bytes, floor)) return false;
            std::uint64_t claimed = control->claimed.load(std::memory_order_relaxed);
            // What was claimed before was so with a barrier: who came since then knows of it, and who came before is seen now.
            if (claimed < wanted) {
                claimed = wanted + (place_count == 0 ? 0 : kStepsAhead * step_bytes());
                // SYNC ring.claim: claimed before anything is written there, and before looking who needs it; pairs with ring.check, ring.join.
                control->claimed.store(claimed, std::memory_order_seq_cst);
                fence();
            }
            const std::uint64_t lowest = floor(*this);
            out.allowed = lowest > UINT64_MAX - view.size_bytes ? claimed : std::min(claimed, lowest + view.size_bytes);
            if (out.allowed < end) return false;
        }
        out.limit = std::max(out.limit, std::min(wanted, out.allowed));
        // Before the limit: who takes over finds head and limit less than a ring apart, and makes the checkpoint if we have not.
        store_head(out);
        if (!has_checkpoint(wanted)) mark_checkpoint(out, wanted);
        control->limit.store(out.limit, std::memory_order_release);
        return true;
    }

    // Before it is asked for: what the next frame, of so many bytes, needs.
    void claim_ahead(Out& out, std::uint64_t bytes, std::uint64_t (*floor)(const RingWords&)) const {
        const std::uint64_t needed = view.next_frame(out.position, bytes) - out.position + bytes;
        if (out.position + needed + kFrameHeadBytes > out.limit) (void)claim(out, needed, floor);
    }

    // The room that claim() would need is there, as far as those go who need it.
    bool may_have_room(const Out& out, std::uint64_t bytes, std::uint64_t (*floor)(const RingWords&)) const {
        const std::uint64_t lowest = floor(*this);
        return lowest > UINT64_MAX - view.size_bytes || out.position + bytes + kFrameHeadBytes <= lowest + view.size_bytes;
    }

    // A bed for a sender who waits for room; false: look again.
    bool prepare_for_room(const Out& out, std::uint64_t bytes, std::uint64_t (*floor)(const RingWords&), Bed<Machine>& bed) const {
        if (!prepare_for_change(control->space, true, current_version(control->space), bed)) return false;
        fence();  // SYNC ring.full: waiting before looking for room; pairs with ring.told.
        return !may_have_room(out, bytes, floor);
    }

    // He does not wait any more: nobody needs to wake him. REQUIRES: no other sender can wait, for he has the role or the lock.
    void leave_room_bed() const {
        if (senders_wait()) control->space.change.fetch_and(~kSleeper, std::memory_order_relaxed);
    }

    void store_head(const Out& out) const {
        control->number.store(out.number, std::memory_order_relaxed);
        control->head.store(out.position, std::memory_order_release);  // SYNC ring.head: number before head; pairs with ring.find.
    }

    // The lowest position that a taken place needs; UINT64_MAX: none is taken.
    static std::uint64_t lowest_place(const RingWords& ring) {
        std::uint64_t lowest = UINT64_MAX;
        for (std::uint32_t i = 0; i < ring.place_count; ++i) {
            const auto& place = ring.control->places[i];
            // SYNC ring.room: what was at a position was read before its reader went on; pairs with ring.done.
            const std::uint64_t position = place.position.load(std::memory_order_acquire);
            if ((position & kPlaceTaken) != 0) lowest = std::min(lowest, position - kPlaceTaken);
        }
        return lowest;
    }
    static std::uint64_t first_not_freed(const RingWords& ring) {
        return ring.control->freed.load(std::memory_order_acquire);  // SYNC ring.room: pairs with ring.done.
    }

    // Tells senders who wait for room. What was freed was stored before, in a way that ring.room pairs with.
    void tell_of_room() const {
        fence();  // SYNC ring.told: freed before looking who waits; pairs with ring.full.
        if (senders_wait()) publish_and_wake(control->space, false);
    }
    bool senders_wait() const { return (control->space.change.load(std::memory_order_relaxed) & kSleeper) != 0; }
    static void fence() { std::atomic_thread_fence(std::memory_order_seq_cst); }

    // --- finding one's place. False: the words cannot have been left so.

    // A sender's, when he may be the first after one who died.
    bool find_head(Out& out) const {
        const std::uint64_t head = control->head.load(std::memory_order_acquire);  // SYNC ring.find: pairs with ring.head.
        In in;
        in.position = head;
        in.number = control->number.load(std::memory_order_relaxed);
        out.limit = control->limit.load(std::memory_order_relaxed);
        if (!is_possible(head) || head > control->claimed.load(std::memory_order_relaxed) || out.limit > head + view.size_bytes) return false;
        if (!walk_to_end(in)) return false;
        out.position = in.position;
        out.number = in.number;
        if (out.position > out.limit) return false;
        out.allowed = out.limit;
        // A dead one may have left it busy, and nobody could tell that from a sender who lives.
        view.frame(out.position).state.store(view.lap_state(out.position), std::memory_order_relaxed);
        return true;
    }

    // The sender who holds the lock takes over where the last one left.
    bool load_head(Out& out) const {
        out.position = control->head.load(std::memory_order_relaxed);
        out.number = control->number.load(std::memory_order_relaxed);
        out.allowed = out.limit = control->limit.load(std::memory_order_relaxed);
        return is_possible(out.position) && out.position <= out.limit && out.limit - out.position <= view.size_bytes;
    }

    // A receiver's: the oldest frame that is kept, of those not before `least`.
    bool find_oldest(In& in, std::uint64_t least) const {
        for (std::uint32_t attempt = 0; attempt < kAttemptsMax; ++attempt) {
            const std::uint64_t claimed = control->claimed.load(std::memory_order_acquire);
            const std::uint64_t kept = claimed > view.size_bytes ? claimed - view.size_bytes : 0;
            std::uint64_t best = UINT64_MAX;
            std::uint64_t best_number = 0;
            for (auto& checkpoint : control->checkpoints) {
                std::uint64_t position = checkpoint.position.load(std::memory_order_acquire);  // SYNC ring.checkpoint_read: pairs with ring.checkpoint.
                const std::uint64_t number = checkpoint.number.load(std::memory_order_acquire);
                if (position == 0 || checkpoint.position.load(std::memory_order_relaxed) != position) continue;
                --position;
                if (position < kept || position < least || position >= best || !is_possible(position)) continue;
                best = position;
                best_number = number;
            }
            if (best == UINT64_MAX) {  // a sender died before it made the first
                best = control->head.load(std::memory_order_acquire);  // SYNC ring.find: pairs with ring.head.
                best_number = control->number.load(std::memory_order_acquire);
                if (best < least || !is_possible(best) || control->head.load(std::memory_order_relaxed) != best) continue;
            }
            in = {};
            in.position = best;
            in.number = best_number;
            correct_number(in);
            if (view.is_whole(best)) return true;
        }
        return false;
    }

    // A frame near the end of the stream, from which it is not far to walk. False: none was there long enough, or damaged.
    bool find_newest(In& in) const {
        for (std::uint32_t attempt = 0; attempt < kAttemptsMax; ++attempt) {
            in = {};
            in.position = control->head.load(std::memory_order_acquire);  // SYNC ring.find: pairs with ring.head.
            in.number = control->number.load(std::memory_order_acquire);
            for (auto& checkpoint : control->checkpoints) {
                const std::uint64_t position = checkpoint.position.load(std::memory_order_acquire);  // SYNC ring.checkpoint_read: pairs with ring.checkpoint.
                const std::uint64_t number = checkpoint.number.load(std::memory_order_acquire);
                if (position == 0 || checkpoint.position.load(std::memory_order_relaxed) != position || position - 1 <= in.position) continue;
                in.position = position - 1;
                in.number = number;
            }
            if (!is_possible(in.position)) return false;
            correct_number(in);
            if (view.is_whole(in.position)) return true;
        }
        return false;
    }

    // Goes on to where the next frame will be. `on_frame(in)` is called for each.
    template <typename OnFrame>
    bool walk_to_end(In& in, const OnFrame& on_frame) const {
        correct_number(in);
        for (std::uint64_t steps = 0; steps <= view.size_bytes / kFrameHeadBytes; ++steps) {
            const Look look = in.look(view);
            if (look != Look::message) return look == Look::nothing;
            on_frame(in);
            in.number += std::max(in.run_left, 1u);
            in.run_left = 0;
            in.position += in.frame_bytes;
        }
        return false;
    }
    bool walk_to_end(In& in) const {
        return walk_to_end(in, [](const In&) {});
    }

    bool is_possible(std::uint64_t position) const { return position % view.alignment == 0 && position < UINT64_MAX / 4; }

    static constexpr std::uint32_t kAttemptsMax = 200;  // each is in vain only if a claim came in between

  private:
    // Returns the bell as it is now.
    std::uint32_t ring_bell() const {
        std::uint32_t bell = view.bell->load(std::memory_order_relaxed);
        std::uint32_t rung = 0;
        do {
            rung = (((bell & kBellSleeper) != 0 ? bell : bell & ~kBellSettled) | kBellSleeper) + kBellStep;
        } while (!view.bell->compare_exchange_weak(bell, rung, std::memory_order_seq_cst, std::memory_order_relaxed));
        return rung;
    }

    // The number that was written down beside a position may be that of a later frame: it is written first. The frame has the low
    // half of its own.
    void correct_number(In& in) const {
        const auto& frame = view.frame(in.position);
        if ((frame.state.load(std::memory_order_acquire) & kFrameReady) == 0) return;  // SYNC ring.look: pairs with ring.commit.
        in.number += static_cast<std::uint64_t>(static_cast<std::int32_t>(frame.number.load(std::memory_order_relaxed) - static_cast<std::uint32_t>(in.number)));
    }

    Bedtime doze_on(typename Machine::template Atom<std::uint32_t>& state, Bed<Machine>& bed) const {
        bed = {&state, state.load(std::memory_order_acquire)};
        return (bed.seen & kFrameReady) != 0 ? Bedtime::look_again : Bedtime::doze;
    }

    // One came to this step before, and died before he had the room.
    bool has_checkpoint(std::uint64_t step_end) const {
        const std::uint64_t marked = control->checkpoints[step_end / step_bytes() % kRingSteps].position.load(std::memory_order_relaxed);
        return marked != 0 && marked - 1 + view.size_bytes >= step_end;  // else it is of an earlier lap
    }

    // One for each step: the first frame that needs some of it.
    void mark_checkpoint(const Out& out, std::uint64_t step_end) const {
        auto& checkpoint = control->checkpoints[step_end / step_bytes() % kRingSteps];
        checkpoint.position.store(0, std::memory_order_relaxed);
        std::atomic_thread_fence(std::memory_order_release);
        checkpoint.number.store(out.number, std::memory_order_release);
        // SYNC ring.checkpoint: the number before the position; pairs with ring.checkpoint_read.
        checkpoint.position.store(out.position + 1, std::memory_order_release);
    }
};

}  // namespace comap::internal
