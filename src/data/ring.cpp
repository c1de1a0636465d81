// SPDX-License-Identifier: Apache-2.0
#include "data/ring.hpp"

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstring>

#include "base/error.hpp"

namespace comap::internal {
namespace {

constexpr std::uint32_t kBellTurns = 100;  // longer than most senders have the lock
constexpr std::uint32_t kTurnsForSeveral = 200;
constexpr std::chrono::nanoseconds kLookForDead = std::chrono::milliseconds(10);  // how often one who waits for room does

std::uint32_t alignment_for(std::uint64_t message_bytes) { return message_bytes <= 256 ? 8 : 64; }

RingView<RingMemory> shape_of(Layout layout, std::uint64_t message_bytes) {
    RingView<RingMemory> view;
    view.message_bytes = static_cast<std::uint32_t>(message_bytes);
    view.alignment = alignment_for(message_bytes);
    view.payload_offset = std::max(view.alignment, layout == Layout::queue ? 16u : 8u);
    return view;
}

std::string_view word_for(Layout layout) { return layout == Layout::queue ? "queue" : "channel"; }

// What is not kept, though it fits: up to a claim is lost in advance, and up to a step lies between what is kept and the first frame to
// begin at. Two frames lie over the ends of steps, and a lap ends before one that does not fit.
std::uint64_t kept_steps(Layout layout, std::uint32_t place_count) { return kRingSteps - 2 - (layout == Layout::queue || place_count == 0 ? 0 : kStepsAhead); }
constexpr std::uint64_t kFramesLost = 3;

std::uint64_t frame_bytes_of(Layout layout, std::uint32_t message_bytes) { return shape_of(layout, message_bytes).frame_bytes(message_bytes); }

std::uint64_t ring_bytes_for(const NewRing& ring) {
    const std::uint64_t frame = frame_bytes_of(ring.layout, ring.message_bytes);
    const std::uint64_t wanted = (ring.capacity + kFramesLost) * frame * kRingSteps / kept_steps(ring.layout, ring.place_count);
    return std::bit_ceil(std::max(kRingBytesMin, std::max(wanted, 4 * (frame + 64))));
}

Result<void> check(std::string_view name, const NewRing& ring) {
    const auto refuse = [&](const auto&... parts) { return fail(Code::invalid_argument, 0, name, "the ", word_for(ring.layout), " '", shown(name), "' ", parts...); };
    if (ring.message_bytes < 1 || ring.message_bytes > kMessageBytesMax) return refuse("cannot have messages of ", ring.message_bytes, " bytes; from 1 to ", kMessageBytesMax, " can be");
    if (ring.capacity < 1 || ring.capacity > kRingBytesMax / 64) return refuse("cannot keep ", ring.capacity, " messages; from 1 to ", kRingBytesMax / 64, " can be");
    if (ring_bytes_for(ring) > kRingBytesMax) return refuse("would need ", ring_bytes_for(ring), " bytes; at most ", kRingBytesMax, " can be: ask for fewer messages, or shorter ones");
    if (ring.place_count > kRingPlacesMax) return refuse("cannot wait for ", ring.place_count, " subscribers; for at most ", kRingPlacesMax);
    if (ring.patience.count() < 0) return refuse("cannot have a patience of less than nothing");
    return {};
}

}  // namespace

Result<std::shared_ptr<Object>> create_ring(Namespaces& namespaces, std::string_view name, const NewRing& ring, bool or_open) {
    COMAP_TRY(check(name, ring));
    NewObject wanted;
    wanted.layout = ring.layout;
    wanted.capacity_bytes = ring.message_bytes;
    wanted.slot_count = ring.place_count;
    wanted.size_bytes = kRingControlBytes + ring_bytes_for(ring);
    wanted.flags = ring.many_senders ? kFlagManyWriters : 0;
    if (ring.type != nullptr) wanted.format = ring.type->format();
    std::array<std::byte, 32> first{};
    const std::uint64_t patience_ns = static_cast<std::uint64_t>(ring.patience.count());
    std::memcpy(first.data() + offsetof(RingControl, patience_ns), &patience_ns, sizeof patience_ns);
    wanted.options.initial = first;
    wanted.options.mode = ring.mode;
    wanted.options.keep = ring.keep;
    return or_open ? Object::open_or_create(namespaces, name, wanted) : Object::create(namespaces, name, wanted);
}

Result<std::shared_ptr<Ring>> Ring::map(std::shared_ptr<Object> object, Layout layout) {
    COMAP_TRY(object->require_layout(layout));
    auto ring = std::make_shared<Ring>();
    const Header& header = object->header();
    ring->object_ = object;
    if (!header.format.empty()) {
        auto type = RecordType::parse(header.format);
        if (!type || type->size_bytes() != header.capacity_bytes) return ring->corrupt(type ? "its record has another size than it says" : type.error().message);
        ring->type_ = std::move(*type);
    }
    COMAP_GET(ring->page_, object->page());
    const bool writes = object->access() == Access::read_write;
    COMAP_GET(ring->map_, object->map_body(0, header.size_bytes, writes ? os::MapMode::read_write : os::MapMode::read_only, false));
    auto* const body = static_cast<std::byte*>(ring->map_.address());
    ring->words_.control = reinterpret_cast<RingControl*>(body);
    auto& view = ring->words_.view;
    view = shape_of(layout, header.capacity_bytes);
    view.data = body + kRingControlBytes;
    view.size_bytes = header.size_bytes - kRingControlBytes;
    view.bell = &ring->page_->change.change;
    view.watch = &ring->page_->change.watch;
    view.claimed = &ring->words_.control->claimed;
    view.always_wakes = object->always_wakes();
    ring->words_.place_count = header.slot_count;
    if (layout == Layout::queue) ring->floor = &Words::first_not_freed;
    ring->sender.view = view;
    ring->sender.forks = &os::fork_generation;
    ring->sender.ring = ring.get();
    ring->sender.shortest = header.format.empty() ? 0 : static_cast<std::uint32_t>(header.capacity_bytes);
    return ring;
}

std::uint64_t Ring::capacity() const {
    const Layout layout = object_->header().layout;
    const std::uint64_t frames = words_.view.size_bytes * kept_steps(layout, place_count()) / kRingSteps / frame_bytes_of(layout, words_.view.message_bytes);
    return std::max(frames, kFramesLost + 1) - kFramesLost;
}

std::string Ring::noun() const { return cat("the ", word_for(object_->header().layout), " '", shown(object_->name()), "'"); }

tl::unexpected<Error> Ring::corrupt(std::string_view what) const {
    return fail(Code::corrupt, 0, object_->name(), noun(), " is damaged: ", what, "; end its holders and make it anew");
}

Result<void> Ring::check_message(std::size_t size_bytes) const {
    if (size_bytes > words_.view.message_bytes)
        return fail(Code::too_long, 0, object_->name(), "a message of ", size_bytes, " bytes does not fit into ", noun(), ", whose messages have at most ", words_.view.message_bytes);
    if (size_bytes < sender.shortest)
        return fail(Code::invalid_argument, 0, object_->name(), "a message of ", size_bytes, " bytes is no record of ", noun(), ": that has ", sender.shortest);
    return {};
}

std::chrono::nanoseconds Ring::patience() const { return std::chrono::nanoseconds(std::min<std::uint64_t>(control().patience_ns, INT64_MAX)); }

// --- who may send

Result<void> Ring::take_role() {
    const auto taken = role_.take(*object_, kSoleByte, 1);
    if (!taken) return fail(code_of(taken.error()), taken.error(), object_->name(), "the role to send into ", noun(), " cannot be had: ", os_text(taken.error()));
    if (!*taken)
        return fail(Code::busy, 0, object_->name(), noun(), " has a publisher, and only one at a time may publish in it; end that one, or create the channel for many publishers");
    if (!words_.find_head(sender.out)) {
        role_.drop();
        return corrupt("where its last message ends cannot be found");
    }
    sender.out.has_barriers = !os::take_part_in_barriers();
    sender.is_lent = false;  // or our parent's
    sender.taken.store(os::fork_generation, std::memory_order_relaxed);
    return {};
}

Result<Ended> Ring::lock(std::optional<Deadline> deadline) {
    RobustLock* senders = lock_.known();
    if (senders == nullptr) [[unlikely]] {
        const auto attached = lock_.get(object_->descriptor(), 0);
        if (!attached) return object_->cannot_lock(attached.error(), noun(), "sent into");
        senders = *attached;
    }
    const Ended end = senders->try_lock();
    return end == Ended::timed_out ? senders->lock(deadline ? *deadline : Deadline::after(patience())) : end;
}

bool Ring::send_at_once(std::span<const std::byte> message) {
    RobustLock* const senders = lock_.known();
    if (senders == nullptr || !sender.fits(message.size()) || !senders->lock_at_once()) return false;
    auto& out = sender.out;
    const auto size = static_cast<std::uint32_t>(message.size());
    const std::uint64_t bytes = words_.view.frame_bytes(size);
    const bool fits = sender.barriers_for == os::fork_generation && words_.load_head(out) && out.has_room(words_.view, bytes);
    if (fits) {
        prepare_frame(out.position);
        bool is_filled = false;
        if (!out.send(words_.view, message.data(), size, bytes, is_filled)) commit_for_waiters(bytes, 1);
        words_.store_head(out);
    }
    senders->unlock();
    return fits;
}

Result<Sent> Ring::send(std::span<const std::byte> message, std::optional<Deadline> deadline) {
    if (send_at_once(message)) [[likely]] return Sent::sent;
    COMAP_TRY(check_message(message.size()));
    const auto size = static_cast<std::uint32_t>(message.size());
    const auto& view = words_.view;
    COMAP_GET(const Sent begun, begin(deadline));
    if (begun != Sent::sent) return begun;
    std::uint64_t at = 0;
    auto reserved = reserve(view.frame_bytes(size), deadline, at);
    if (reserved && *reserved == Sent::sent) {
        prepare_frame(at);
        RingMemory::copy_in(view.data + view.place(at) + view.payload_offset, message.data(), size);
        commit(at, view.frame_bytes(size), size, 1);
    }
    end();
    return reserved;
}

Result<Sent> Ring::begin(std::optional<Deadline> deadline) {
    if (is_lent_to_us()) return fail(Code::invalid_argument, 0, object_->name(), "a loan of this handle of ", noun(), " is neither published nor given up");
    if (sender.is_ours()) [[likely]] return Sent::sent;
    COMAP_TRY(object_->require_writable("sent into"));
    if (!has_many_senders()) {
        COMAP_TRY(take_role());
        return Sent::sent;
    }
    COMAP_GET(const Ended end, lock(deadline));
    if (end == Ended::corrupt) return corrupt("its lock word was overwritten");
    if (end == Ended::timed_out) return Sent::timed_out;
    if (end == Ended::interrupted) return Sent::interrupted;
    if (sender.barriers_for != os::fork_generation) {
        sender.out.has_barriers = !os::take_part_in_barriers();
        sender.barriers_for = os::fork_generation;
    }
    if (end == Ended::acquired_abandoned ? !words_.find_head(sender.out) : !words_.load_head(sender.out)) {
        (*lock_).unlock();
        return corrupt("where its last message ends cannot be found");
    }
    return Sent::sent;
}

void Ring::end() {
    if (!has_many_senders()) return;
    words_.store_head(sender.out);
    (*lock_).unlock();
}

void Ring::give_up_role() {
    if (is_lent_to_us()) return;
    if (sender.is_ours()) words_.store_head(sender.out);
    sender.taken.store(0, std::memory_order_relaxed);
    role_.drop();
}

void Ring::settle_bell() {
    if (words_.is_bell_settled()) return;
    const auto senders = lock_.get(object_->descriptor(), 0);
    if (!senders) return;
    for (std::uint32_t turn = 0; !(*senders)->lock_at_once(); ++turn) {
        if (turn == kBellTurns) return;  // also after a death: the next sender is to learn of it
        os::spin_pause();
    }
    words_.ring_settled_bell();
    (*senders)->unlock();
}

bool Ring::has_sender() const {
    if (!has_many_senders()) return sender.is_ours() || object_->is_sole_role_taken();
    return !is_free(page_->sync.lock.load(std::memory_order_relaxed));
}

bool Ring::settle_after_arming(std::uint64_t position) const {
    if (object_->always_wakes()) return true;
    if (!os::barrier_everywhere()) return false;
    // SYNC ring.sleep: armed before looking at the frame; pairs with ring.busy.
    const auto& state = words_.view.frame(position).state;
    return settles([&] { return (state.load(std::memory_order_seq_cst) & (kFrameBusy | kFrameReady)) == kFrameBusy && has_sender(); }, kSettlePauses);
}

// --- room

bool Ring::empty_if_dead(std::uint32_t place) {
    const auto taken = burial_.take(*object_, kPlaceByte + place, 1);
    if (!taken || !*taken) return false;
    control().places[place].position.store(0, std::memory_order_release);  // nobody had it
    burial_.drop();
    return true;
}

Result<Sent> Ring::wait_for_room(std::uint64_t bytes, Deadline deadline) {
    auto& out = sender.out;
    // At first until there is room for several: who comes for each one takes the lines of those who make it every time.
    std::uint64_t wanted = std::max(bytes, words_.step_bytes());
    std::uint32_t turns = 0;
    const auto is_enough = [&] {
        if (++turns == kTurnsForSeveral) wanted = bytes;
        return words_.may_have_room(out, wanted, floor);
    };
    if (deadline.ns() != 0 && spins_.spin<os::Machine>(is_enough)) return Sent::sent;
    struct Leave {
        const Words& words;
        ~Leave() { words.leave_room_bed(); }
    } const leave{words_};
    while (!words_.may_have_room(out, bytes, floor)) {
        if (floor == &Words::lowest_place)
            for (std::uint32_t place = 0; place < place_count(); ++place) {
                const std::uint64_t position = control().places[place].position.load(std::memory_order_relaxed);
                if (position != 0 && out.position + bytes + kFrameHeadBytes > position - kPlaceTaken + words_.view.size_bytes) empty_if_dead(place);
            }
        if (words_.may_have_room(out, bytes, floor)) break;
        if (deadline.is_over()) return Sent::timed_out;
        Bed<os::Machine> bed;
        if (!words_.prepare_for_room(out, bytes, floor, bed)) continue;
        if (os::wait_word(*bed.word, bed.seen, earlier(deadline, Deadline::after(kLookForDead))) == os::Woken::interrupted) return Sent::interrupted;
    }
    return Sent::sent;
}

Result<Sent> Ring::reserve(std::uint64_t bytes, std::optional<Deadline> deadline, std::uint64_t& at) {
    auto& out = sender.out;
    at = words_.view.next_frame(out.position, bytes);
    const std::uint64_t needed = at - out.position + bytes;
    while (out.position + needed + kFrameHeadBytes > out.limit) {
        if (words_.claim(out, needed, floor)) break;
        COMAP_GET(const Sent waited, wait_for_room(needed, deadline ? *deadline : Deadline::after(patience())));
        if (waited != Sent::sent) return waited;
    }
    return Sent::sent;
}

// --- committing

void Ring::tell_watchers() {
    // SYNC watch.look: as in change_word.hpp; pairs with watch.arm.
    const std::uint32_t watch = page_->change.watch.load(std::memory_order_seq_cst);
    if ((watch & kArmed) != 0 || object_->always_wakes()) notify_watchers(page_->change, watch, object_->descriptor());
}

void Ring::commit_for_waiters(std::uint64_t bytes, std::uint32_t count) {
    words_.commit_and_wake(sender.out, bytes, count);
    tell_watchers();
}

void Ring::commit(std::uint64_t at, std::uint64_t bytes, std::uint32_t state, std::uint32_t count) {
    auto& out = sender.out;
    if (at == out.position) {
        if (!out.commit(words_.view, bytes, state, count)) commit_for_waiters(bytes, count);
        return;
    }
    auto& frame = words_.view.frame(at);
    words_.view.frame(at + bytes).state.store(words_.view.lap_state(at + bytes), std::memory_order_relaxed);
    frame.number.store(static_cast<std::uint32_t>(out.number), std::memory_order_relaxed);
    frame.state.store(state | kFrameReady, std::memory_order_relaxed);  // nobody can come to it yet
    if (words_.commit_pad(out)) tell_watchers();
    out.position = at + bytes;
    out.number += count;
}

}  // namespace comap::internal
