// SPDX-License-Identifier: Apache-2.0
// Frames in a ring: what a channel and a queue are made of. Internal; public only so that sending and receiving need no call.
// The idea of a log of frames, each committed by its own first word, is that of Aeron.
//
// A position counts bytes since the ring was made; its place is position modulo the ring's size. A frame begins with 8 bytes:
//
//   state (32 bits)   bit 31      ready: the frame is committed; what lies behind it is the next frame's state
//                     bit 30      busy: a sender is between looking whether anybody sleeps, and committing
//                     bit 29      pad: nothing in it; the next frame is at the beginning of the ring
//                     bit 28      run: several messages of one size, as one frame
//                     bits 0..27  size of the message (of each, in a run)
//                     neither ready nor busy: nothing was committed here yet; bits 0..27 are those of the lap
//   number (32 bits)  number of its first message, modulo 2^32
//
// A sender clears the state behind the frame, fills the frame, and commits it last. Receivers follow from state to state.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace comap::internal {

inline constexpr std::uint32_t kFrameReadyBit = 31;
inline constexpr std::uint32_t kFrameReady = 1u << kFrameReadyBit;
inline constexpr std::uint32_t kFrameBusy = 1u << 30;
inline constexpr std::uint32_t kFramePad = 1u << 29;
inline constexpr std::uint32_t kFrameRun = 1u << 28;
inline constexpr std::uint32_t kFrameSizeMask = kFrameRun - 1;
inline constexpr std::uint64_t kFrameHeadBytes = 8;
inline constexpr std::uint32_t kLapShift = 7;  // of a position: its bits 7..34 tell one lap from the next
inline constexpr std::uint64_t kFetchAheadBytes = 256;  // by a sender: lines that his next frames will lie in
inline constexpr std::uint32_t kRunHeadBytes = 16;  // a run's has the number of its messages too

// Memory that another process may write at the same time is copied by instructions that no compiler reasons about: what was
// overwritten meanwhile is thrown away, not used.
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
[[gnu::always_inline]] inline void copy_shared_line(char* to, const char* from) {
    asm volatile("movups (%0), %%xmm0; movups 16(%0), %%xmm1; movups 32(%0), %%xmm2; movups 48(%0), %%xmm3;"
                 "movups %%xmm0, (%1); movups %%xmm1, 16(%1); movups %%xmm2, 32(%1); movups %%xmm3, 48(%1)" : : "r"(from), "r"(to) : "xmm0", "xmm1", "xmm2", "xmm3", "memory");
}
#endif
inline void copy_shared(void* target, const void* source, std::size_t size_bytes) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
    const auto* from = static_cast<const char*>(source);
    auto* to = static_cast<char*>(target);
    if (size_bytes >= 16 && size_bytes <= 512) {
        const char* const end = from + size_bytes;
        for (; end - from >= 64; from += 64, to += 64) copy_shared_line(to, from);
        for (; end - from >= 16; from += 16, to += 16) asm volatile("movups (%0), %%xmm0; movups %%xmm0, (%1)" : : "r"(from), "r"(to) : "xmm0", "memory");
        if (end != from) asm volatile("movups (%0), %%xmm0; movups %%xmm0, (%1)" : : "r"(end - 16), "r"(to + (end - from) - 16) : "xmm0", "memory");
        return;
    }
    asm volatile("rep movsb" : "+D"(target), "+S"(source), "+c"(size_bytes) : : "memory");
#else
    auto* const from = static_cast<const unsigned char*>(source);
    auto* const to = static_cast<unsigned char*>(target);
    for (std::size_t i = 0; i < size_bytes; ++i)
        std::atomic_ref(to[i]).store(std::atomic_ref(const_cast<unsigned char&>(from[i])).load(std::memory_order_relaxed), std::memory_order_relaxed);
#endif
}

// What the ring's words are made of; the model test has another.
struct RingMemory {
    template <typename T>
    using Atom = std::atomic<T>;
    [[gnu::always_inline]] static void copy_in(void* shared, const void* source, std::size_t size_bytes) { copy(shared, source, size_bytes); }
    [[gnu::always_inline]] static void copy_out(void* target, const void* shared, std::size_t size_bytes) { copy(target, shared, size_bytes); }
    // Soon to be written.
    static void fetch_for_writing(const void* shared) {
#if defined(__x86_64__)
        asm volatile("prefetchw %0" : : "m"(*static_cast<const char*>(shared)));
#else
        __builtin_prefetch(shared, 1);
#endif
    }
    // Half of a barrier: whoever goes to sleep has the kernel make the other half (membarrier), on all processors.
    static void light_barrier() { std::atomic_signal_fence(std::memory_order_seq_cst); }
    // A full barrier, right after a read-modify-write of ours: some processors' are one.
    static void barrier_after_update() {
#if defined(__x86_64__)
        std::atomic_signal_fence(std::memory_order_seq_cst);
#else
        std::atomic_thread_fence(std::memory_order_seq_cst);
#endif
    }

  private:
    [[gnu::always_inline]] static void copy(void* target, const void* source, std::size_t size_bytes) {
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
        // Records of whole cache lines, whose size the compiler knows.
        if (__builtin_constant_p(size_bytes) && size_bytes % 64 == 0 && size_bytes > 0 && size_bytes <= 256) {
            for (std::size_t at = 0; at < size_bytes; at += 64) copy_shared_line(static_cast<char*>(target) + at, static_cast<const char*>(source) + at);
            return;
        }
#endif
        copy_shared(target, source, size_bytes);
    }
};

template <typename Memory>
struct Frame {
    typename Memory::template Atom<std::uint32_t> state;
    typename Memory::template Atom<std::uint32_t> number;
};

// Where a ring is mapped, and the shape of its frames.
template <typename Memory>
struct RingView {
    template <typename T>
    using Atom = typename Memory::template Atom<T>;
    std::byte* data = nullptr;
    std::uint64_t size_bytes = 0;  // a power of two
    std::uint32_t message_bytes = 0;  // of the longest message
    std::uint32_t alignment = 8;      // of frames
    std::uint32_t payload_offset = 8;
    Atom<std::uint32_t>* bell = nullptr;   // bit 0: somebody may sleep on a state
    Atom<std::uint32_t>* watch = nullptr;  // bit 0: somebody may watch by descriptor
    // Bytes before this position may be written now, those a ring's size before it are lost. None: of a reader whom senders wait for.
    Atom<std::uint64_t>* claimed = nullptr;
    bool always_wakes = false;

    [[gnu::always_inline]] std::uint64_t place(std::uint64_t position) const { return position & (size_bytes - 1); }
    [[gnu::always_inline]] Frame<Memory>& frame(std::uint64_t position) const { return *reinterpret_cast<Frame<Memory>*>(data + place(position)); }
    [[gnu::always_inline]] std::uint64_t frame_bytes(std::uint64_t message_size) const { return rounded(payload_offset + message_size); }
    // The first message of a run begins a cache line, so that no copy of a whole line lies over two.
    [[gnu::always_inline]] std::uint64_t run_offset(std::uint64_t position) const { return ((place(position) + kRunHeadBytes + 63) & ~std::uint64_t{63}) - place(position); }
    [[gnu::always_inline]] std::uint64_t run_stride(std::uint64_t message_size) const { return message_size == 0 ? alignment : rounded(message_size); }
    // It ends with the last one; so runs of messages of whole lines lie behind each other in whole lines, and the head has one for itself.
    [[gnu::always_inline]] std::uint64_t run_bytes(std::uint64_t position, std::uint64_t message_size, std::uint64_t count) const { return rounded(run_offset(position) + count * run_stride(message_size)); }
    [[gnu::always_inline]] std::uint64_t run_bytes_anywhere(std::uint64_t message_size, std::uint64_t count) const { return rounded(kRunHeadBytes + 56 + count * run_stride(message_size)); }
    [[gnu::always_inline]] bool fits_lap(std::uint64_t position, std::uint64_t bytes) const { return place(position) + bytes <= size_bytes; }
    std::uint64_t next_lap(std::uint64_t position) const { return (position | (size_bytes - 1)) + 1; }
    // Of a frame of so many bytes, if the one before ends at `position`.
    std::uint64_t next_frame(std::uint64_t position, std::uint64_t bytes) const { return fits_lap(position, bytes) ? position : next_lap(position); }
    // The state of a frame before it is committed. No two laps have the same: who goes to sleep on it a lap too late does not.
    [[gnu::always_inline]] static std::uint32_t lap_state(std::uint64_t position) { return static_cast<std::uint32_t>(position >> kLapShift) & kFrameSizeMask; }

    [[gnu::always_inline]] bool somebody_waits() const { return ((bell->load(std::memory_order_relaxed) | watch->load(std::memory_order_relaxed)) & 1) != 0; }

    // What is at that position was not written over until now.
    [[gnu::always_inline]] bool is_whole(std::uint64_t position) const {
        if (claimed == nullptr) return true;
        // SYNC ring.check: what was read was loaded before the claim is looked at; pairs with ring.claim.
        std::atomic_thread_fence(std::memory_order_acquire);
        return claimed->load(std::memory_order_relaxed) <= position + size_bytes;
    }

  private:
    [[gnu::always_inline]] std::uint64_t rounded(std::uint64_t bytes) const { return (bytes + alignment - 1) & ~std::uint64_t{alignment - 1}; }
};

// A sender's place in the ring. Valid while he is the only one. Where a view is given by value, what it says stays in registers, and is
// not loaded again after each barrier.
template <typename Memory>
struct RingOut {
    std::uint64_t position = 0;
    std::uint64_t number = 0;
    std::uint64_t limit = 0;    // he may write up to there
    std::uint64_t allowed = 0;  // the limit may go up to there, whoever comes
    bool has_barriers = false;  // the kernel cannot make them for this process: it makes its own

    [[gnu::always_inline]] bool has_room(const RingView<Memory>& view, std::uint64_t bytes) const {
        return position + bytes + kFrameHeadBytes <= limit && view.fits_lap(position, bytes);
    }

    [[gnu::always_inline]] void barrier() const {
        if (has_barriers) [[unlikely]] std::atomic_thread_fence(std::memory_order_seq_cst);
        else Memory::light_barrier();
    }

    // A frame of `bytes` bytes with `count` messages, filled but for its state, becomes the next. False: somebody waits, and
    // it is not committed yet. REQUIRES: has_room.
    [[gnu::always_inline]] bool commit(const RingView<Memory> view, std::uint64_t bytes, std::uint32_t state, std::uint32_t count) {
        const std::uint64_t at = position;
        const std::uint64_t behind = at + bytes;
        view.frame(behind).state.store(view.lap_state(behind), std::memory_order_relaxed);
        auto& frame = view.frame(at);
        frame.number.store(static_cast<std::uint32_t>(number), std::memory_order_relaxed);
        frame.state.store(view.lap_state(at) | kFrameBusy, std::memory_order_relaxed);
        barrier();  // SYNC ring.busy: busy before looking for sleepers; pairs with ring.sleep.
        if (view.somebody_waits() || view.always_wakes) [[unlikely]] {
            frame.state.store(state | kFrameBusy, std::memory_order_relaxed);
            return false;
        }
        frame.state.store(state | kFrameReady, std::memory_order_release);  // SYNC ring.commit: all of the frame is seen with it; pairs with ring.look.
        position = behind;
        number += count;
        if (count != 1) return true;  // a run is fetched when it is lent, if it is short enough for that to be worth while
        // Of long frames, the state behind the next one. Two lines of short ones: a step may be longer than a line, and none may be left
        // out. (The second one may lie behind the ring's end, where nothing is fetched.)
        const std::byte* const ahead = view.data + view.place(behind + (bytes > kFetchAheadBytes ? bytes : kFetchAheadBytes));
        Memory::fetch_for_writing(ahead);
        Memory::fetch_for_writing(ahead + 64);
        return true;
    }

    // The same for one message, whose frame has `bytes` bytes. False: see above, or there is no room yet (`is_filled` says which).
    [[gnu::always_inline]] bool send(const RingView<Memory> view, const void* message, std::uint32_t size, std::uint64_t bytes, bool& is_filled) {
        is_filled = has_room(view, bytes);
        if (!is_filled) [[unlikely]] return false;
        Memory::copy_in(view.data + view.place(position) + view.payload_offset, message, size);
        return commit(view, bytes, size, 1);
    }
};

enum class Look : std::uint8_t { message, nothing, strange };

// A receiver's place in the ring: at a frame, or at a message of a run.
template <typename Memory>
struct RingIn {
    std::uint64_t position = 0;   // of the frame
    std::uint64_t number = 0;     // of the next message
    std::uint64_t offset = 0;     // of the message, in the ring; after look() said so
    std::uint32_t size = 0;       // of the message
    std::uint32_t run_left = 0;   // messages of the run that are not taken, this one included; 0: not in a run
    std::uint64_t frame_bytes = 0;
    std::uint64_t stride = 0;     // in a run
    std::uint32_t usual_state = UINT32_MAX;  // of the last message by itself, and the bytes of its frame; see is_message. At first it is none that fits
    std::uint64_t usual_bytes = UINT64_MAX / 2;

    // Copies the message at our place out and goes on, if it is a frame of its own and not longer than `room`; else nothing has
    // happened, and look() says more.
    [[gnu::always_inline]] bool receive(const RingView<Memory> view, void* out, std::size_t room, std::uint32_t& size_bytes) {
        if (run_left != 0) [[unlikely]] return false;
        const std::uint64_t at = position;
        const std::uint64_t place = view.place(at);
        auto& frame = view.frame(at);
        const std::uint32_t state = frame.state.load(std::memory_order_acquire);  // SYNC ring.look: pairs with ring.commit.
        if (!is_message(view, state) || frame.number.load(std::memory_order_relaxed) != static_cast<std::uint32_t>(number)) return false;
        size_bytes = state & kFrameSizeMask;
        if (!view.fits_lap(at, usual_bytes) || size_bytes > room) [[unlikely]] return false;
        const std::byte* const from = view.data + place + view.payload_offset;
        if (size_bytes == room) [[likely]] Memory::copy_out(out, from, room);  // which may be a constant
        else Memory::copy_out(out, from, size_bytes);
        if (!view.is_whole(at)) [[unlikely]] return false;
        position = at + usual_bytes;
        ++number;
        return true;
    }

    // The message at our place. strange: the bytes are not what the next frame can be (written over, or damaged).
    [[gnu::always_inline]] Look look(const RingView<Memory>& view) {
        if (run_left != 0) return Look::message;
        auto& frame = view.frame(position);
        const std::uint32_t state = frame.state.load(std::memory_order_acquire);  // SYNC ring.look: pairs with ring.commit.
        if ((state & kFrameReady) == 0) return Look::nothing;
        if ((state & (kFramePad | kFrameRun)) != 0 || frame.number.load(std::memory_order_relaxed) != static_cast<std::uint32_t>(number)) [[unlikely]] return look_closely(view, state);
        return look_at_one(view, state);
    }

    // Whether a run is at our place; then look() has been done. False: look() says more.
    [[gnu::always_inline]] bool look_for_run(const RingView<Memory>& view) {
        auto& frame = view.frame(position);
        const std::uint32_t state = frame.state.load(std::memory_order_acquire);  // SYNC ring.look: pairs with ring.commit.
        return (state & (kFrameReady | kFramePad | kFrameRun)) == (kFrameReady | kFrameRun) && frame.number.load(std::memory_order_relaxed) == static_cast<std::uint32_t>(number) &&
               look_at_run(view, state) == Look::message;
    }

    // To the next message. Returns whether the frame is done.
    [[gnu::always_inline]] bool advance(const RingView<Memory>& /*view*/) {
        ++number;
        if (run_left > 1) {
            --run_left;
            offset += stride;
            return false;
        }
        run_left = 0;
        position += frame_bytes;
        return true;
    }

  private:
    // Whether that is the state of a message by itself, and no longer than there are; then usual_bytes are its frame's. Most messages
    // are as long as the one before, which is to be seen at once. By a branch: so the processor is on its way to the next message before
    // it has this one's state, and so before it has its line.
    [[gnu::always_inline]] bool is_message(const RingView<Memory>& view, std::uint32_t state) {
        if (state == usual_state) [[likely]] return true;
        if ((state & (kFrameReady | kFramePad | kFrameRun)) != kFrameReady || (state & kFrameSizeMask) > view.message_bytes) return false;
        usual_state = state;
        usual_bytes = view.frame_bytes(state & kFrameSizeMask);
        return true;
    }

    [[gnu::always_inline]] Look look_at_one(const RingView<Memory>& view, std::uint32_t state) {
        if (!is_message(view, state)) return Look::strange;
        size = state & kFrameSizeMask;
        frame_bytes = usual_bytes;
        offset = view.place(position) + view.payload_offset;
        return view.fits_lap(position, frame_bytes) ? Look::message : Look::strange;
    }

    // Who was overrun reads anything here, and must not go anywhere by it.
    [[gnu::noinline]] Look look_closely(const RingView<Memory>& view, std::uint32_t state) {
        auto* frame = &view.frame(position);
        if (frame->number.load(std::memory_order_relaxed) != static_cast<std::uint32_t>(number)) return Look::strange;
        if ((state & kFramePad) != 0) {
            // The end of a message may lie over the state alone: then what is at the next lap's beginning has another number.
            if (view.place(position) == 0) return Look::strange;
            const std::uint64_t next = view.next_lap(position);
            frame = &view.frame(next);
            state = frame->state.load(std::memory_order_acquire);  // SYNC ring.look: pairs with ring.commit.
            if ((state & kFrameReady) == 0 || (state & kFramePad) != 0 || frame->number.load(std::memory_order_relaxed) != static_cast<std::uint32_t>(number)) return Look::strange;
            position = next;
        }
        return (state & kFrameRun) == 0 ? look_at_one(view, state) : look_at_run(view, state);
    }

    [[gnu::always_inline]] Look look_at_run(const RingView<Memory>& view, std::uint32_t state) {
        if (!view.fits_lap(position, kRunHeadBytes)) return Look::strange;
        size = state & kFrameSizeMask;
        const std::uint32_t count = reinterpret_cast<typename Memory::template Atom<std::uint32_t>*>(&view.frame(position))[2].load(std::memory_order_relaxed);
        if (size > view.message_bytes || count == 0 || count > view.size_bytes / 8) return Look::strange;
        stride = view.run_stride(size);
        frame_bytes = view.run_bytes(position, size, count);
        if (!view.fits_lap(position, frame_bytes)) return Look::strange;
        offset = view.place(position) + view.run_offset(position);
        run_left = count;
        return Look::message;
    }
};

}  // namespace comap::internal
