// SPDX-License-Identifier: Apache-2.0
// libFuzzer: any bytes as a ring of frames and its control page, in memory of exactly that size. Whatever they are, everybody
// who reads or goes on from them ends, and touches nothing else (AddressSanitizer sees it).
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "sync/queue_words.hpp"

namespace {

using namespace comap::internal;
using Words = RingWords<comap::os::Machine>;
constexpr std::uint64_t kRingBytes = kRingBytesMin;

void read_on(const Words& words, Words::In in, std::byte* out) {
    for (std::uint32_t turn = 0; turn < 2000 && in.look(words.view) == Look::message; ++turn) {
        if (in.size > words.view.message_bytes) std::abort();
        RingMemory::copy_out(out, words.view.data + in.offset, in.size);
        in.advance(words.view);
    }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    if (size < 16) return 0;
    alignas(4096) static std::byte control[kRingControlBytes];
    std::memset(control, 0, sizeof control);
    void* const ring = std::aligned_alloc(64, kRingBytes);
    std::memset(ring, 0, kRingBytes);
    // The first bytes choose the shape; the next are the control page's words, the rest the ring.
    const std::uint32_t message_bytes = data[0] % 2 == 0 ? 1 + data[1] : 257 + data[1];
    const bool is_queue = data[0] % 4 >= 2;
    const std::size_t control_size = std::min<std::size_t>(size - 2, data[2] % 2 == 0 ? 1100 : 24);
    std::memcpy(control, data + 2, control_size);
    std::memcpy(ring, data + 2 + control_size, std::min<std::size_t>(kRingBytes, size - 2 - control_size));

    std::atomic<std::uint32_t> bell{0}, watch{0};
    Words words;
    words.control = reinterpret_cast<RingControl*>(control);
    words.place_count = is_queue ? kRingPlacesMax : data[3] % (kRingPlacesMax + 1);
    auto& view = words.view;
    view.data = static_cast<std::byte*>(ring);
    view.size_bytes = kRingBytes;
    view.message_bytes = message_bytes;
    view.alignment = message_bytes <= 256 ? 8 : 64;
    view.payload_offset = std::max(view.alignment, is_queue ? 16u : 8u);
    view.bell = &bell;
    view.watch = &watch;
    view.claimed = &words.control->claimed;

    std::byte out[1024];
    Words::In in;
    if (words.find_oldest(in, 0)) {
        read_on(words, in, out);
        (void)words.walk_to_end(in);
    }
    read_on(words, {}, out);
    for (const bool walks : {true, false}) {
        Words::Out head;
        if (!(walks ? words.find_head(head) : words.load_head(head))) continue;
        const std::uint64_t bytes = view.frame_bytes(message_bytes);
        const auto floor = is_queue ? &Words::first_not_freed : &Words::lowest_place;
        if (!view.fits_lap(head.position, bytes)) continue;
        if (head.has_room(view, bytes) || words.claim(head, bytes, floor)) {
            bool is_filled = false;
            std::memset(out, 7, sizeof out);
            (void)head.send(view, out, message_bytes, bytes, is_filled);
        }
    }
    if (is_queue) {
        QueueWords<comap::os::Machine> queue{&words};
        Queued queued;
        (void)queue.for_each([](const Queued&) {}, true);
        for (std::uint32_t turn = 0; turn < 300; ++turn) {
            if (turn % 50 == 0) (void)queue.repair();
            if (queue.find(queued) != Look::message) break;
            if (queued.size > message_bytes) std::abort();
            RingMemory::copy_out(out, view.data + view.place(queued.position) + view.payload_offset, queued.size);
            queue.take(queued, turn % 3 == 0 ? kDone : 1 + turn % 2);
            if (turn % 3 == 1) (void)queue.give_back(queued.position, 1 + turn % 2);
            if (turn % 3 == 2) (void)queue.confirm(queued.position, 1 + turn % 2);
        }
        (void)queue.give_back_of_dead([](std::uint32_t) { return true; });
    }
    std::free(ring);
    return 0;
}
