// SPDX-License-Identifier: Apache-2.0
#include <comap/queue.hpp>
#include <comap/waiting.hpp>

#include <algorithm>
#include <chrono>

#include "base/error.hpp"
#include "data/ring.hpp"
#include "sync/queue_words.hpp"

namespace comap {
namespace {

using namespace internal;

constexpr std::chrono::nanoseconds kLookForDead = std::chrono::milliseconds(20);  // how often a taker who waits does, while messages are held
constexpr std::chrono::nanoseconds kPatience = std::chrono::seconds(2);  // with a taker who is stopped in the middle
constexpr std::chrono::nanoseconds kPatienceInPassing = std::chrono::milliseconds(10);
constexpr std::uint32_t kFindsBetween = 64;  // that the dead are looked for, in a queue that is busy
constexpr std::uint32_t kVainLooksMax = 10'000;
constexpr std::uint64_t kTakersLockPage = kHeaderBytes;  // in the object's file: the ring's first

tl::unexpected<Error> closed() { return fail(Code::invalid_argument, 0, "", "this queue handle is closed"); }

NewRing new_ring(const QueueOptions& options, const RecordType* type) {
    NewRing ring;
    ring.layout = Layout::queue;
    ring.message_bytes = type != nullptr ? static_cast<std::uint32_t>(type->size_bytes()) : options.message_bytes;
    ring.capacity = options.capacity;
    ring.place_count = kTakersMax;
    ring.many_senders = true;
    ring.patience = options.patience;
    ring.mode = options.mode;
    ring.keep = options.keep;
    ring.type = type;
    return ring;
}

Result<RawQueue> checked(Result<RawQueue> queue, const RecordType& wanted) {
    if (!queue) return queue;
    const std::string difference = wanted.first_difference(queue->type(), false);
    if (difference.empty()) return queue;
    return fail(Code::layout_mismatch, 0, queue->name(), "the queue '", shown(queue->name()), "' holds ", queue->type().size_bytes() == 0 ? "messages of any bytes, no records" : cat("other records: ", difference));
}

}  // namespace

struct Item::Mapping {
    std::shared_ptr<Ring> ring;
    QueueWords<os::Machine> words;
    HeldByte place;  // of this handle as a taker who confirms
    RobustLockOnDemand lock;  // the takers'
    SpinBudget spins;
    std::uint32_t find_count = 0;  // under that lock

    std::uint32_t taker() const { return static_cast<std::uint32_t>(place.byte() - kPlaceByte) + 1; }
    RingControl& control() const { return ring->control(); }
    const std::string& name() const { return ring->object()->name(); }

    Result<RobustLock*> takers_lock() {
        if (ring->object()->access() != Access::read_write) COMAP_TRY(ring->object()->require_writable("taken from"));
        const auto takers = lock.get(ring->object()->descriptor(), kTakersLockPage);
        if (!takers) return ring->object()->cannot_lock(takers.error(), ring->noun(), "taken from");
        return *takers;
    }

    // Runs `work` alone among takers. Without a deadline, or with one that has passed, it waits a bounded time. What it returns is returned; or how the wait for the lock ended.
    template <typename Work>
    Result<Reception> alone(std::optional<Deadline> deadline, const Work& work) {
        RobustLock* takers = lock.known();
        if (takers == nullptr || ring->object()->access() != Access::read_write) [[unlikely]] {
            COMAP_GET(takers, takers_lock());
        }
        Ended end = takers->try_lock();
        if (end == Ended::timed_out) {
            const Deadline until = deadline && deadline->ns() != 0 ? *deadline : Deadline::after(deadline ? kPatienceInPassing : kPatience);
            do end = takers->lock(until);
            while (end == Ended::interrupted && !deadline);  // who gave none is not told of signals: he would take it for a stopped taker
        }
        if (end == Ended::corrupt) return ring->corrupt("its takers' lock word was overwritten");
        if (end == Ended::timed_out) return Reception::timed_out;
        if (end == Ended::interrupted) return Reception::interrupted;
        struct Unlock {
            const Mapping& mapping;
            RobustLock& lock;
            std::uint64_t freed = mapping.control().freed.load(std::memory_order_relaxed);
            ~Unlock() { mapping.unlock(lock, freed); }
        } const unlock{*this, *takers};
        if (end == Ended::acquired_abandoned && !words.repair()) return ring->corrupt("what follows is no message");
        return work();
    }

    // `freed`: how far the room was free when the lock was taken.
    void unlock(RobustLock& takers, std::uint64_t freed) const {
        const bool is_more = control().freed.load(std::memory_order_relaxed) != freed;
        takers.unlock();
        if (is_more) words.tell_of_room_after_unlocking();
    }

    // A place of our own, for those who confirm. REQUIRES: the takers' lock.
    Result<void> take_place() {
        if (place.is_ours()) return {};
        const auto taken = place.take(*ring->object(), kPlaceByte, kTakersMax);
        if (!taken) return fail(code_of(taken.error()), taken.error(), name(), ring->noun(), " cannot be taken from: ", os_text(taken.error()));
        if (!*taken) return fail(Code::limit_reached, 0, name(), ring->noun(), " has ", kTakersMax, " takers who confirm, and there can be no more; end one");
        // What a dead owner of this place had.
        const std::uint32_t mine = taker() - 1;
        if (!words.give_back_of_dead([mine](std::uint32_t one) { return one == mine; })) return ring->corrupt("what follows is no message");
        return {};
    }

    bool is_dead(std::uint32_t one) const { return one >= kTakersMax || !((place.is_ours() && one + 1 == taker()) || HeldByte::is_held(*ring->object(), kPlaceByte + one)); }

    // The message whose turn it is, also one of a dead taker. REQUIRES: the takers' lock.
    Result<bool> find(Queued& queued) {
        // A dead taker's are looked for when nothing else is to be had, and now and then: else they would wait for ever in a busy queue.
        const bool is_time = ++find_count % kFindsBetween == 0;
        Look look = is_time ? Look::nothing : words.find(queued);
        if (look == Look::nothing && words.tally().held != 0) {
            if (!words.give_back_of_dead([this](std::uint32_t one) { return is_dead(one); })) look = Look::strange;
            else if (is_time || words.tally().returned != 0) look = words.find(queued);
            if (words.tally().returned > 1) tell_of_returned();
        } else if (is_time) {
            look = words.find(queued);
        }
        if (look == Look::strange) return ring->corrupt("what follows is no message");
        return look == Look::message;
    }

    // A place to sleep until there is a message, and for how long at most. False: look again.
    bool prepare(os::Sleep& bed, std::chrono::nanoseconds& at_most) const {
        ring->settle_bell();
        const std::uint64_t position = control().taken.load(std::memory_order_relaxed) & ~std::uint64_t{7};
        const auto bedtime = ring->words().prepare(position, true, [this] { return ring->has_sender(); }, bed);
        if (bedtime == Ring::Words::Bedtime::look_again) return false;
        if (!words.is_next(position)) return false;
        const QueueTally tally = words.tally();
        if (tally.returned != 0) return false;
        at_most = std::chrono::nanoseconds::max();
        if (tally.held != 0) at_most = kLookForDead;
        if (bedtime == Ring::Words::Bedtime::doze) at_most = kDoze;
        return true;
    }

    // The usual case of a pop: one waits that was never taken, and nobody else takes just now. False: nothing has happened.
    bool pop_at_once(std::span<std::byte> out, Popped& popped) {
        RobustLock* const takers = lock.known();
        if (takers == nullptr || words.looks_empty() || !takers->lock_at_once()) return false;
        const std::uint64_t freed = control().freed.load(std::memory_order_relaxed);
        Queued queued;
        const bool found = (find_count + 1) % kFindsBetween != 0 && words.find(queued) == Look::message && queued.size <= out.size();
        if (found) {
            ++find_count;
            take_for_good(queued, out, popped);
        }
        unlock(*takers, freed);
        if (found) popped.end = Reception::message;
        return found;
    }

    void take_for_good(const Queued& queued, std::span<std::byte> out, Popped& popped) {
        const auto& view = ring->words().view;
        RingMemory::copy_out(out.data(), view.data + view.place(queued.position) + view.payload_offset, queued.size);
        popped.size_bytes = queued.size;
        popped.redelivered = takings_of(queued.word) > 0;
        words.take(queued, kDone);
    }

    void pop(std::span<std::byte> out, Deadline deadline, Result<Popped>& popped) {
        const auto end = on_next(deadline, [&](const Queued& queued) -> Result<void> {
            if (queued.size > out.size()) return fail(Code::too_long, 0, name(), "the next message of ", ring->noun(), " has ", queued.size, " bytes, the caller's buffer has ", out.size());
            take_for_good(queued, out, *popped);
            return {};
        });
        if (end) popped->end = *end;
        else popped = tl::unexpected<Error>(end.error());
    }

    // A message came while looking for it, before it is worth while to sleep.
    bool spin(std::uint64_t position) {
        const auto& state = ring->words().view.frame(position).state;
        return spins.spin<os::Machine>([&] { return (state.load(std::memory_order_relaxed) & kFrameReady) != 0; });
    }

    // Runs work(queued) on the next message, alone among takers, when there is one.
    template <typename Work>
    Result<Reception> on_next(Deadline deadline, const Work& work) {
        const auto& ring_words = ring->words();
        bool waited = false;
        for (std::uint32_t looks = 0;; ++looks) {
            if (looks > kVainLooksMax) return ring->corrupt("what is there says that it was overwritten, and was not");
            if (!words.looks_empty()) {
                Queued queued;
                COMAP_GET(const Reception end, alone(deadline, [&]() -> Result<Reception> {
                    COMAP_GET(const bool found, find(queued));
                    if (!found) return Reception::timed_out;
                    COMAP_TRY(work(queued));
                    return Reception::message;
                }));
                if (end != Reception::timed_out) return end;
            } else if (!waited) {
                COMAP_TRY(ring->object()->require_writable("taken from"));
            }
            if (deadline.is_over()) return Reception::timed_out;
            const std::uint64_t position = control().taken.load(std::memory_order_relaxed);
            if (!ring_words.is_possible(position)) return ring->corrupt("where its messages begin is impossible");
            if (!std::exchange(waited, true) && spin(position)) continue;
            Bed<os::Machine> bed;
            std::chrono::nanoseconds at_most{};
            if (!prepare(bed, at_most)) continue;
            looks = 0;
            const Deadline until = at_most == std::chrono::nanoseconds::max() ? deadline : earlier(deadline, Deadline::after(at_most));
            if (os::wait_word(*bed.word, bed.seen, until) == os::Woken::interrupted && words.looks_empty()) return Reception::interrupted;
        }
    }

    // Wakes who sleeps, for messages that were given back: they sleep on the frame that comes next. And those who watch.
    void tell_of_returned() const {
        std::atomic_thread_fence(std::memory_order_seq_cst);  // SYNC watch.look: counted before looking who watches; pairs with watch.arm.
        ring->tell_watchers();
        const std::uint64_t position = control().taken.load(std::memory_order_relaxed);
        os::wake_word(ring->words().view.frame(position & ~std::uint64_t{7}).state, true);
    }

    template <typename Leave>
    Result<void> leave(std::uint64_t position, std::uint32_t generation, const Leave& leave_it) {
        bool was_ours = false;
        COMAP_GET(const Reception end, alone({}, [&]() -> Result<Reception> {
            was_ours = generation == os::fork_generation && place.is_ours() && leave_it(position, taker());
            return Reception::message;
        }));
        if (end != Reception::message) return fail(Code::busy, 0, name(), ring->noun(), " has a taker that does not finish (is it stopped?); try again, or end that process");
        if (!was_ours) return fail(Code::not_owner, 0, name(), "this message of ", ring->noun(), " is not held by this process any more");
        return {};
    }
};

// --- queues

RawQueue::RawQueue() = default;
RawQueue::~RawQueue() = default;
RawQueue::RawQueue(RawQueue&& other) noexcept = default;
RawQueue& RawQueue::operator=(RawQueue&& other) noexcept = default;

Result<RawQueue> RawQueue::made(Result<std::shared_ptr<Object>> object) {
    if (!object) return tl::unexpected<Error>(std::move(object).error());
    RawQueue queue;
    auto mapping = std::make_shared<Mapping>();
    COMAP_GET(mapping->ring, Ring::map(std::move(*object), Layout::queue));
    mapping->words.ring = &mapping->ring->words();
    queue.mapping_ = std::move(mapping);
    return queue;
}

Result<RawQueue> RawQueue::create(std::string_view name, const QueueOptions& options, Context& context) {
    return made(create_ring(context.namespaces(), name, new_ring(options, nullptr), false));
}
Result<RawQueue> RawQueue::open(std::string_view name, const OpenOptions& options, Context& context) { return made(Object::open(context.namespaces(), name, options)); }
Result<RawQueue> RawQueue::open_or_create(std::string_view name, const QueueOptions& options, Context& context) {
    return made(create_ring(context.namespaces(), name, new_ring(options, nullptr), true));
}
Result<RawQueue> RawQueue::create(std::string_view name, const RecordType& type, const QueueOptions& options, Context& context) {
    return made(create_ring(context.namespaces(), name, new_ring(options, &type), false));
}
Result<RawQueue> RawQueue::open(std::string_view name, const RecordType& type, const OpenOptions& options, Context& context) { return checked(open(name, options, context), type); }
Result<RawQueue> RawQueue::open_or_create(std::string_view name, const RecordType& type, const QueueOptions& options, Context& context) {
    return checked(made(create_ring(context.namespaces(), name, new_ring(options, &type), true)), type);
}

const std::string& RawQueue::name() const {
    static const std::string none;
    return mapping_ ? mapping_->name() : none;
}
bool RawQueue::was_created() const { return mapping_ && mapping_->ring->object()->was_created(); }
const RecordType& RawQueue::type() const {
    static const RecordType none;
    return mapping_ ? mapping_->ring->type() : none;
}
std::uint32_t RawQueue::message_bytes() const { return mapping_ ? mapping_->ring->words().view.message_bytes : 0; }
std::uint64_t RawQueue::capacity() const { return mapping_ ? mapping_->ring->capacity() : 0; }
std::chrono::nanoseconds RawQueue::patience() const { return mapping_ ? mapping_->ring->patience() : std::chrono::nanoseconds(0); }
std::uint64_t RawQueue::ring_bytes() const { return mapping_ ? mapping_->ring->words().view.size_bytes : 0; }
Result<ObjectInfo> RawQueue::info() const { return mapping_ ? mapping_->ring->object()->info() : closed(); }
Result<void> RawQueue::set_keep(bool keep) const { return mapping_ ? mapping_->ring->object()->set_keep(keep) : closed(); }
const std::shared_ptr<Object>& RawQueue::object() const {
    static const std::shared_ptr<Object> none;
    return mapping_ ? mapping_->ring->object() : none;
}
void RawQueue::close() { mapping_.reset(); }

Result<QueueCounts> RawQueue::counts() const {
    if (!mapping_) return closed();
    QueueCounts counts;
    COMAP_GET(const Reception end, mapping_->alone({}, [&]() -> Result<Reception> {
        const bool ended = mapping_->words.for_each(
            [&](const Queued& queued) {
                if (holder_of(queued.word) == kNobody) ++counts.waiting;
                else if (holder_of(queued.word) != kDone) ++counts.held;
            },
            true);
        if (!ended) return mapping_->ring->corrupt("what follows is no message");
        return Reception::message;
    }));
    if (end != Reception::message) return fail(Code::busy, 0, name(), mapping_->ring->noun(), " has a taker that does not finish (is it stopped?); try again, or end that process");
    return counts;
}

Result<Loan> RawQueue::loan(std::uint32_t size_bytes, std::optional<Deadline> deadline) const {
    if (!mapping_) return closed();
    return lend(*mapping_->ring, size_bytes, 1, deadline);
}

Result<Sent> RawQueue::push(std::span<const std::byte> message, std::optional<Deadline> deadline) const {
    if (!mapping_) return closed();
    return mapping_->ring->send(message, deadline);
}

Result<Popped> RawQueue::pop(std::span<std::byte> out, Deadline deadline) const {
    // One object in all cases, and so made where the caller has it: one that is moved there is loaded in larger pieces than it was just
    // written in, and such a load waits until all stores before it are done, those into other processes' lines too.
    Result<Popped> popped(tl::in_place);
    if (!mapping_) popped = closed();
    else if (!mapping_->pop_at_once(out, *popped)) mapping_->pop(out, deadline, popped);
    return popped;
}

Result<Item> RawQueue::take(Deadline deadline) const {
    if (!mapping_) return closed();
    Item item;
    const auto& view = mapping_->ring->words().view;
    COMAP_GET(item.end_, mapping_->on_next(deadline, [&](const Queued& queued) -> Result<void> {
        COMAP_TRY(mapping_->take_place());
        mapping_->words.take(queued, mapping_->taker());
        item.bytes_ = {view.data + view.place(queued.position) + view.payload_offset, queued.size};
        item.position_ = queued.position;
        item.takings_ = std::min(takings_of(queued.word) + 1, 0xffffu);
        item.generation_ = os::fork_generation;
        return {};
    }));
    if (item.end_ == Reception::message) item.queue_ = mapping_;
    return item;
}

Result<Reception> RawQueue::wait(Deadline deadline) const {
    if (!mapping_) return closed();
    return mapping_->on_next(deadline, [](const Queued&) -> Result<void> { return {}; });
}

struct RawQueue::Hooks {
    static const RawQueue& of(void* data) { return *static_cast<const RawQueue*>(data); }

    static Take look(void* data) {
        const auto found = of(data).wait(Deadline::passed());
        if (!found) return Take::corrupt;
        return *found == Reception::message ? Take::taken : Take::not_ready;
    }
    static bool prepare(void* data, os::Sleep& bed, std::chrono::nanoseconds& at_most) { return of(data).mapping_->prepare(bed, at_most); }
    static bool look_after_arming(void* data, bool& is_sure) {
        const Mapping& mapping = *of(data).mapping_;
        is_sure = mapping.ring->settle_after_arming(mapping.control().taken.load(std::memory_order_relaxed) & ~std::uint64_t{7});
        return look(data) != Take::not_ready;
    }
    [[gnu::visibility("hidden")]] static constexpr WaitHooks table = {look, prepare, look_after_arming};
};

Waitable::Waitable(const RawQueue& queue) : object_(queue.object().get()), hooks_(&RawQueue::Hooks::table), data_(const_cast<RawQueue*>(&queue)) {}

// --- items

Item::~Item() {
    if (!give_back()) queue_.reset();  // it comes back when this process ends, or lets go of the queue
}
Item::Item(Item&& other) noexcept { *this = std::move(other); }
Item& Item::operator=(Item&& other) noexcept {
    if (this == &other) return *this;
    (void)give_back();
    queue_ = std::move(other.queue_);
    bytes_ = std::exchange(other.bytes_, {});
    position_ = other.position_;
    takings_ = other.takings_;
    generation_ = other.generation_;
    end_ = other.end_;
    return *this;
}

Result<void> Item::confirm() {
    if (!queue_) return fail(Code::invalid_argument, 0, "", "this message is not held: it was confirmed or given back");
    COMAP_TRY(queue_->leave(position_, generation_, [this](std::uint64_t position, std::uint32_t taker) { return queue_->words.confirm(position, taker); }));
    queue_.reset();
    bytes_ = {};
    return {};
}

Result<void> Item::give_back() {
    if (!queue_) return {};
    auto left = queue_->leave(position_, generation_, [this](std::uint64_t position, std::uint32_t taker) { return queue_->words.give_back(position, taker); });
    if (!left && left.error().code == Code::busy) return left;  // it can be tried again
    const auto queue = std::move(queue_);
    queue_.reset();
    bytes_ = {};
    if (left) queue->tell_of_returned();
    return left;
}

}  // namespace comap
