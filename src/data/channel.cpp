// SPDX-License-Identifier: Apache-2.0
#include <comap/channel.hpp>
#include <comap/waiting.hpp>

#include <algorithm>
#include <chrono>
#include <cstring>

#include "base/error.hpp"
#include "data/ring.hpp"

namespace comap {
namespace {

using namespace internal;

constexpr std::uint32_t kTriesForPlace = 20;
constexpr std::uint32_t kTriesMin = 16;       // to copy a message out, also after the deadline
constexpr std::uint32_t kVainLooksMax = 10'000;  // each is in vain only if a message, or a claim, came in between
constexpr std::uint32_t kPausesMax = 24;  // between two looks of one who follows a stream: about a microsecond

tl::unexpected<Error> closed() { return fail(Code::invalid_argument, 0, "", "this channel handle is closed"); }

NewRing new_ring(const ChannelOptions& options, const RecordType* type) {
    NewRing ring;
    ring.layout = Layout::channel;
    ring.message_bytes = type != nullptr ? static_cast<std::uint32_t>(type->size_bytes()) : options.message_bytes;
    ring.capacity = options.capacity;
    ring.place_count = options.subscribers_waited_for;
    ring.many_senders = options.many_publishers;
    ring.patience = options.patience;
    ring.mode = options.mode;
    ring.keep = options.keep;
    ring.type = type;
    return ring;
}

Result<RawChannel> checked(Result<RawChannel> channel, const RecordType& wanted) {
    if (!channel) return channel;
    const std::string difference = wanted.first_difference(channel->type(), false);
    if (difference.empty()) return channel;
    return fail(Code::layout_mismatch, 0, channel->name(), "the channel '", shown(channel->name()), "' holds ", channel->type().size_bytes() == 0 ? "messages of any bytes, no records" : cat("other records: ", difference));
}

}  // namespace

// --- channels

RawChannel::RawChannel() = default;
RawChannel::~RawChannel() { close(); }
RawChannel::RawChannel(RawChannel&& other) noexcept : ring_(std::move(other.ring_)), sender_(std::exchange(other.sender_, nullptr)) {}
RawChannel& RawChannel::operator=(RawChannel&& other) noexcept {
    if (this != &other) {
        close();
        ring_ = std::move(other.ring_);
        sender_ = std::exchange(other.sender_, nullptr);
    }
    return *this;
}

Result<RawChannel> RawChannel::made(Result<std::shared_ptr<Object>> object) {
    if (!object) return tl::unexpected<Error>(std::move(object).error());
    RawChannel channel;
    COMAP_GET(channel.ring_, Ring::map(std::move(*object), Layout::channel));
    channel.sender_ = &channel.ring_->sender;
    return channel;
}

Result<RawChannel> RawChannel::create(std::string_view name, const ChannelOptions& options, Context& context) {
    return made(create_ring(context.namespaces(), name, new_ring(options, nullptr), false));
}
Result<RawChannel> RawChannel::open(std::string_view name, const OpenOptions& options, Context& context) { return made(Object::open(context.namespaces(), name, options)); }
Result<RawChannel> RawChannel::open_or_create(std::string_view name, const ChannelOptions& options, Context& context) {
    return made(create_ring(context.namespaces(), name, new_ring(options, nullptr), true));
}
Result<RawChannel> RawChannel::create(std::string_view name, const RecordType& type, const ChannelOptions& options, Context& context) {
    return made(create_ring(context.namespaces(), name, new_ring(options, &type), false));
}
Result<RawChannel> RawChannel::open(std::string_view name, const RecordType& type, const OpenOptions& options, Context& context) { return checked(open(name, options, context), type); }
Result<RawChannel> RawChannel::open_or_create(std::string_view name, const RecordType& type, const ChannelOptions& options, Context& context) {
    return checked(made(create_ring(context.namespaces(), name, new_ring(options, &type), true)), type);
}

const std::string& RawChannel::name() const {
    static const std::string none;
    return ring_ ? ring_->object()->name() : none;
}
bool RawChannel::was_created() const { return ring_ && ring_->object()->was_created(); }
const RecordType& RawChannel::type() const {
    static const RecordType none;
    return ring_ ? ring_->type() : none;
}
std::uint32_t RawChannel::message_bytes() const { return ring_ ? ring_->words().view.message_bytes : 0; }
std::uint64_t RawChannel::capacity() const { return ring_ ? ring_->capacity() : 0; }
std::chrono::nanoseconds RawChannel::patience() const { return ring_ ? ring_->patience() : std::chrono::nanoseconds(0); }
std::uint64_t RawChannel::ring_bytes() const { return ring_ ? ring_->words().view.size_bytes : 0; }
bool RawChannel::has_many_publishers() const { return ring_ && ring_->has_many_senders(); }
std::uint32_t RawChannel::subscribers_waited_for() const { return ring_ ? ring_->place_count() : 0; }
Result<ObjectInfo> RawChannel::info() const { return ring_ ? ring_->object()->info() : closed(); }
Result<void> RawChannel::set_keep(bool keep) const { return ring_ ? ring_->object()->set_keep(keep) : closed(); }
const std::shared_ptr<Object>& RawChannel::object() const {
    static const std::shared_ptr<Object> none;
    return ring_ ? ring_->object() : none;
}

void RawChannel::close() {
    give_up_role();  // subscriptions may live on, and they share the ring
    sender_ = nullptr;
    ring_.reset();
}

Result<std::uint64_t> RawChannel::published() const {
    if (!ring_) return closed();
    if (sender_->is_ours()) return sender_->out.number;
    COMAP_GET(const RawSubscription end, subscribe_at_end());
    return end.number();
}

Result<std::uint32_t> RawChannel::subscribers() const {
    if (!ring_) return closed();
    std::uint32_t count = 0;
    for (std::uint32_t place = 0; place < ring_->place_count(); ++place) {
        // SYNC ring.room: a subscriber is counted once no message can be overwritten before he has it; pairs with ring.join.
        const bool taken = ring_->control().places[place].position.load(std::memory_order_acquire) != 0;
        count += taken && HeldByte::is_held(*ring_->object(), kPlaceByte + place) ? 1 : 0;
    }
    return count;
}

Result<Sent> RawChannel::publish_filled(std::uint32_t size_bytes) const {
    ring_->commit_for_waiters(ring_->words().view.frame_bytes(size_bytes), 1);
    return Sent::sent;
}

Result<Sent> RawChannel::publish_slowly(std::span<const std::byte> message, std::optional<Deadline> deadline) const {
    if (!ring_) return closed();
    return ring_->send(message, deadline);
}

Result<Sent> RawChannel::publish_batch(std::span<const std::byte> messages, std::uint32_t message_size, std::uint64_t* done, std::optional<Deadline> deadline) const {
    if (!ring_) return closed();
    std::uint64_t ignored = 0;
    std::uint64_t& sent = done != nullptr ? *done : ignored;
    sent = 0;
    if (message_size == 0 || messages.size() % message_size != 0)
        return fail(Code::invalid_argument, 0, name(), messages.size(), " bytes are no whole number of messages of ", message_size, " bytes");
    COMAP_TRY(ring_->check_message(message_size));
    const auto& view = ring_->words().view;
    const std::uint64_t stride = view.run_stride(message_size);
    const std::uint64_t most = std::max<std::uint64_t>(1, (view.size_bytes / 4 - view.run_bytes_anywhere(message_size, 0)) / stride);
    const bool in_parts = messages.size() / message_size > most;  // then the patience is for all of them
    const std::optional<Deadline> until = deadline || !in_parts ? deadline : std::optional(Deadline::after(ring_->patience()));
    while (!messages.empty()) {
        const auto count = static_cast<std::uint32_t>(std::min<std::uint64_t>(messages.size() / message_size, most));
        COMAP_GET(Loan loan, this->loan(message_size, count, until));
        if (!loan) return loan.end();
        if (stride == message_size) RingMemory::copy_in(loan.bytes().data(), messages.data(), std::size_t{count} * message_size);
        else
            for (std::uint32_t i = 0; i < count; ++i) RingMemory::copy_in(loan.message(i).data(), messages.data() + std::size_t{i} * message_size, message_size);
        loan.publish();
        sent += count;
        messages = messages.subspan(std::size_t{count} * message_size);
    }
    return Sent::sent;
}

void RawChannel::give_up_role() const {
    if (ring_) ring_->give_up_role();
}

// --- loans

Result<Loan> RawChannel::loan_slowly(std::uint32_t size_bytes, std::uint32_t count, std::optional<Deadline> deadline) const {
    if (!ring_) return closed();
    return lend(*ring_, size_bytes, count, deadline);
}

Result<Loan> internal::lend(Ring& ring, std::uint32_t size_bytes, std::uint32_t count, std::optional<Deadline> deadline) {
    COMAP_TRY(ring.check_message(size_bytes));
    const auto& view = ring.words().view;
    Result<Loan> lent(tl::in_place);
    const std::uint64_t bytes = count != 1 ? view.run_bytes_anywhere(size_bytes, count) : view.frame_bytes(size_bytes);  // there may be another lap's beginning before it
    if (count == 0 || (count != 1 && bytes > view.size_bytes / 4))
        return fail(Code::invalid_argument, 0, ring.object()->name(), count, " messages of ", size_bytes, " bytes at once do not fit into ", ring.noun(), ": its ring has ", view.size_bytes,
                    " bytes, of which a quarter can be lent");
    COMAP_GET(lent->end_, ring.begin(deadline));
    if (lent->end_ != Sent::sent) return lent;
    std::uint64_t at = 0;
    auto reserved = ring.reserve(bytes, deadline, at);
    if (!reserved || *reserved != Sent::sent) {
        ring.end();
        if (!reserved) return tl::unexpected<Error>(std::move(reserved).error());
        lent->end_ = *reserved;
        return lent;
    }
    ring.set_lent(true);
    ring.prepare_frame(at);
    ring.sender.lend(view, at, size_bytes, count);
    lent->sender_ = &ring.sender;
    lent->generation_ = os::fork_generation;
    return lent;
}

void Loan::publish_slowly(bool is_filled) {
    const RingSender::Room& room = sender_->lent;
    if (!is_filled) return publish(room.size_bytes);
    sender_->ring->commit_for_waiters(room.frame_bytes, room.count);
    end_it();
}

void Loan::claim_next() { sender_->ring->claim_ahead(sender_->lent.frame_bytes); }

void Loan::publish(std::uint32_t size_bytes) {
    if (!sender_) return;
    if (generation_ != os::fork_generation) return give_up();  // our parent's
    const RingSender::Room& room = sender_->lent;
    const auto& view = sender_->view;
    const bool can_be_shorter = !room.is_run() && sender_->shortest == 0;
    const std::uint32_t size = can_be_shorter ? std::min(size_bytes, room.size_bytes) : room.size_bytes;
    sender_->ring->commit(room.at, RingSender::frame_bytes(view, room.at, size, room.count), sender_->begin_head(view, size), room.count);
    end_it();
}

void Loan::end_it() {
    if (generation_ == os::fork_generation) {
        sender_->ring->set_lent(false);
        sender_->ring->end();
    }
    sender_ = nullptr;
}

// --- subscriptions

struct RawSubscription::Place {
    HeldByte held;
    RingControl::Place* words = nullptr;
};

RawSubscription::RawSubscription() = default;
RawSubscription::~RawSubscription() { close(); }
RawSubscription::RawSubscription(RawSubscription&& other) noexcept { *this = std::move(other); }
RawSubscription& RawSubscription::operator=(RawSubscription&& other) noexcept {
    if (this == &other) return *this;
    close();
    ring_ = std::move(other.ring_);
    view_ = other.view_;
    in_ = other.in_;
    missed_ = other.missed_;
    missed_in_all_ = other.missed_in_all_;
    note_at_ = other.note_at_;
    waited_at_ = other.waited_at_;
    pauses_ = other.pauses_;
    generation_ = other.generation_;
    forks_ = other.forks_;
    is_borrowed_ = other.is_borrowed_;
    place_ = std::move(other.place_);
    return *this;
}

void RawSubscription::close() {
    if (place_ && place_->held.is_ours()) {
        place_->words->position.store(0, std::memory_order_release);  // SYNC ring.done: what was read was read before; pairs with ring.room.
        ring_->words().tell_of_room();
    }
    place_.reset();
    ring_.reset();
}

void RawSubscription::note_place() {
    place_->words->position.store(in_.position | kPlaceTaken, std::memory_order_release);  // SYNC ring.done: pairs with ring.room.
    note_at_ = in_.position + view_.size_bytes / 8;
    ring_->words().tell_of_room();
}

Result<RawSubscription> RawChannel::subscribe_at_end() const {
    RawSubscription subscription;
    subscription.ring_ = ring_;
    subscription.view_ = ring_->words().view;
    subscription.forks_ = &os::fork_generation;
    subscription.generation_ = os::fork_generation;
    COMAP_TRY(subscription.find(From::next));
    return subscription;
}

// Sets the place in the stream. Publishers who wait for nobody here may overrun it at any time.
Result<void> RawSubscription::find(From from) {
    const auto& words = ring_->words();
    // The last message may lie before the newest frame that is written down; then from further back.
    bool from_oldest = from == From::oldest;
    for (std::uint32_t attempt = 0; attempt < Ring::Words::kAttemptsMax; ++attempt) {
        if (!(from_oldest ? words.find_oldest(in_, 0) : words.find_newest(in_))) break;
        if (from == From::oldest) return {};
        Ring::Words::In last = in_;
        Ring::Words::In end = in_;
        const bool ended = words.walk_to_end(end, [&](const auto& frame) { last = frame; });
        if (!view_.is_whole(in_.position)) {
            from_oldest = false;
            continue;
        }
        if (!ended) return ring_->corrupt("where its messages end cannot be found");
        const bool found = last.position != end.position;
        if (from == From::latest && !found && !from_oldest) {
            from_oldest = true;
            continue;
        }
        in_ = end;
        if (from == From::next || !found) return {};
        // In a run the last of its messages is the latest.
        if (last.run_left > 1) {
            last.number += last.run_left - 1;
            last.offset += std::uint64_t{last.run_left - 1} * view_.run_stride(last.size);
            last.run_left = 1;
        }
        in_ = last;
        return {};
    }
    return ring_->corrupt("where its messages begin cannot be found");
}

Result<RawSubscription> RawChannel::subscribe(From from) const {
    if (!ring_) return closed();
    COMAP_GET(RawSubscription subscription, subscribe_at_end());
    if (ring_->place_count() == 0) {
        COMAP_TRY(subscription.find(from));
        return subscription;
    }
    COMAP_TRY(ring_->object()->require_writable("subscribed to (its publishers wait for their subscribers)"));
    auto place = std::make_unique<RawSubscription::Place>();
    // A publisher has a dead one's place for a moment while it empties it.
    auto taken = place->held.take(*ring_->object(), kPlaceByte, ring_->place_count());
    for (std::uint32_t attempt = 0; taken && !*taken && attempt < kTriesForPlace; ++attempt) {
        os::pause_briefly(attempt);
        taken = place->held.take(*ring_->object(), kPlaceByte, ring_->place_count());
    }
    if (!taken) return fail(code_of(taken.error()), taken.error(), name(), ring_->noun(), " cannot be subscribed to: ", os_text(taken.error()));
    if (!*taken) return fail(Code::limit_reached, 0, name(), ring_->noun(), " has ", ring_->place_count(), ring_->place_count() == 1 ? " subscriber" : " subscribers", ", and its publishers wait for no more; end one, or create the channel for more");
    place->words = &ring_->control().places[static_cast<std::size_t>(place->held.byte() - kPlaceByte)];
    for (std::uint32_t attempt = 0; attempt < Ring::Words::kAttemptsMax; ++attempt) {
        COMAP_TRY(subscription.find(from));
        // SYNC ring.join: our place before the claim is looked at: a later claim sees it; pairs with ring.claim.
        place->words->position.store(subscription.in_.position | kPlaceTaken, std::memory_order_seq_cst);
        std::atomic_thread_fence(std::memory_order_seq_cst);
        if (ring_->control().claimed.load(std::memory_order_seq_cst) > subscription.in_.position + subscription.view_.size_bytes) continue;
        if (attempt > 0) ring_->words().tell_of_room();  // a publisher may have seen the place that we did not keep
        subscription.view_.claimed = nullptr;
        subscription.place_ = std::move(place);
        subscription.note_at_ = subscription.in_.position + subscription.view_.size_bytes / 8;
        return subscription;
    }
    place->words->position.store(0, std::memory_order_release);
    return ring_->corrupt("its publishers claim more than they can");
}

// Whether a message is there; finds the way after having been overrun. Errors: corrupt.
Result<bool> RawSubscription::look() {
    if (is_waited_for() && generation_ != *forks_)
        return fail(Code::invalid_argument, 0, ring_->object()->name(), "this subscription to ", ring_->noun(), " belongs to the process that forked this one; subscribe anew");
    for (std::uint32_t attempt = 0; attempt < Ring::Words::kAttemptsMax; ++attempt) {
        const Look seen = in_.look(view_);
        if (view_.is_whole(in_.position)) {
            if (seen == Look::strange) return ring_->corrupt("what follows is no message");
            return seen == Look::message;
        }
        // Not quite the oldest: that is overwritten next.
        Ring::Words::In oldest;
        const std::uint64_t claimed = ring_->control().claimed.load(std::memory_order_relaxed);
        const std::uint64_t margin = view_.size_bytes / 4 * 3;
        const bool found = (claimed > margin && ring_->words().find_oldest(oldest, std::max(in_.position, claimed - margin))) || ring_->words().find_oldest(oldest, in_.position);
        if (!found || oldest.number < in_.number) break;
        const std::uint64_t lost = oldest.number - in_.number;
        in_ = oldest;
        missed_ += lost;
        missed_in_all_ += lost;
    }
    return ring_->corrupt("where its messages begin cannot be found");
}

bool RawSubscription::may_ring_the_bell() const { return ring_->object()->page_is_writable() && !view_.always_wakes; }

const std::shared_ptr<Object>& RawSubscription::object() const {
    static const std::shared_ptr<Object> none;
    return ring_ ? ring_->object() : none;
}

struct RawSubscription::Hooks {
    static RawSubscription& of(void* data) { return *static_cast<RawSubscription*>(data); }

    static Take look(void* data) {
        const auto found = of(data).look();
        if (!found) return Take::corrupt;
        return *found ? Take::taken : Take::not_ready;
    }
    static bool prepare(void* data, os::Sleep& bed, std::chrono::nanoseconds& at_most) {
        RawSubscription& one = of(data);
        const auto bedtime = one.ring_->words().prepare(one.in_.position, one.may_ring_the_bell(), [&] { return one.ring_->has_sender(); }, bed);
        at_most = bedtime == Ring::Words::Bedtime::doze ? kDoze : std::chrono::nanoseconds::max();
        return bedtime != Ring::Words::Bedtime::look_again;
    }
    static bool look_after_arming(void* data, bool& is_sure) {
        RawSubscription& one = of(data);
        is_sure = one.ring_->settle_after_arming(one.in_.position);
        return look(data) != Take::not_ready;
    }
    [[gnu::visibility("hidden")]] static constexpr WaitHooks table = {look, prepare, look_after_arming};
};

Waitable::Waitable(RawSubscription& subscription) : object_(subscription.object().get()), hooks_(&RawSubscription::Hooks::table), data_(&subscription) {}

bool RawSubscription::spin(Deadline deadline) {
    if (deadline.ns() == 0 || !os::can_spin()) return false;
    if (is_ready()) return true;  // at a lap's end
    // Who follows a stream lets some messages come before looking again: each look takes the line from the publisher.
    pauses_ = in_.number - waited_at_ > 2 ? std::min(pauses_ * 2, kPausesMax) : std::max(pauses_ / 2, 1u);
    waited_at_ = in_.number;
    for (std::uint32_t pause = 1; pause < pauses_; ++pause) os::spin_pause();
    const auto& state = view_.frame(in_.position).state;
    for (std::uint32_t turn = 0; turn < kSpinTurns; ++turn) {
        os::spin_pause();
        if ((state.load(std::memory_order_relaxed) & kFrameReady) != 0) return is_ready();
    }
    return false;
}

Result<Reception> RawSubscription::await(Deadline deadline) {
    if (!ring_) return fail(Code::invalid_argument, 0, "", "this subscription is closed");
    bool found = false;
    for (std::uint32_t looks = 0;; ++looks) {
        COMAP_GET(found, look());
        if (found) return Reception::message;
        if (deadline.is_over()) return Reception::timed_out;
        if (!ring_->object()->page_is_writable()) COMAP_TRY(ring_->object()->require_waitable());
        if (looks > kVainLooksMax) return ring_->corrupt("what is there says that it was overwritten, and was not");
        Bed<os::Machine> bed;
        const auto bedtime = ring_->words().prepare(in_.position, may_ring_the_bell(), [this] { return ring_->has_sender(); }, bed);
        if (bedtime == Ring::Words::Bedtime::look_again) continue;
        looks = 0;
        const Deadline until = bedtime == Ring::Words::Bedtime::doze ? earlier(deadline, Deadline::after(kDoze)) : deadline;
        if (os::wait_word(*bed.word, bed.seen, until) != os::Woken::interrupted) continue;
        COMAP_GET(found, look());
        return found ? Reception::message : Reception::interrupted;
    }
}

Result<Received> RawSubscription::receive_slowly(std::span<std::byte> out, Deadline deadline) {
    bool is_there = ring_ && is_ready();
    for (std::uint32_t attempt = 1;; ++attempt) {
        if (!std::exchange(is_there, false)) {
            COMAP_GET(const Reception end, await(deadline));
            if (end != Reception::message) return Received{end, 0, 0};
        }
        const std::uint32_t size = in_.size;
        if (size <= out.size()) RingMemory::copy_out(out.data(), view_.data + in_.offset, size);
        if (!view_.is_whole(in_.position)) {
            if (attempt >= kTriesMin && deadline.is_over()) return Received{};
            continue;
        }
        if (size > out.size()) return fail(Code::too_long, 0, ring_->object()->name(), "the next message of ", ring_->noun(), " has ", size, " bytes, the caller's buffer has ", out.size());
        advance();
        return Received{Reception::message, size, std::exchange(missed_, 0)};
    }
}

bool RawSubscription::borrow_for_batch(Deadline deadline, Result<BorrowedBatch>& batch) {
    auto one = borrow(deadline);
    if (!one) batch = tl::unexpected<Error>(std::move(one).error());
    else if ((batch->end = one->end) == Reception::message) missed_ = one->missed;
    return one && one->end == Reception::message;
}
Result<Borrowed> RawSubscription::borrow_slowly(Deadline deadline) {
    COMAP_GET(const Reception end, await(deadline));
    if (end != Reception::message) return Borrowed{end, {}, 0};
    return borrowed();
}

}  // namespace comap
