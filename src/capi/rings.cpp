// SPDX-License-Identifier: Apache-2.0
// The C ABI of channels and queues.
#include "capi/capi.hpp"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <utility>

struct comap_channel {
    comap::RawChannel handle;
};
struct comap_item {
    comap::Item item;
};
struct comap_loan {
    comap::Loan loan;
    std::uint32_t shortest;  // of a message; the longest for records
};

namespace {

using namespace comap::capi;
using comap::Code;
using comap::Deadline;
using comap::Error;
using comap::Result;

// None: the object's own patience.
std::optional<Deadline> sending_deadline(std::uint64_t deadline_ns) {
    if (deadline_ns == COMAP_DEFAULT_DEADLINE) return {};
    return Deadline::at_ns(deadline_ns);
}

Deadline waiting_deadline(std::uint64_t deadline_ns) { return deadline_ns == COMAP_DEFAULT_DEADLINE ? Deadline::forever() : Deadline::at_ns(deadline_ns); }

std::chrono::nanoseconds patience_of(std::uint64_t patience_ns) { return std::chrono::nanoseconds(std::min<std::uint64_t>(patience_ns, INT64_MAX)); }

std::uint64_t patience_ns(std::chrono::nanoseconds patience) {
    return patience == std::chrono::nanoseconds::max() ? COMAP_FOREVER : static_cast<std::uint64_t>(patience.count());
}

comap::ChannelOptions options_of(const comap_channel_options* given) {
    const comap_channel_options from = complete(given, comap_channel_options COMAP_CHANNEL_OPTIONS_INIT);
    comap::ChannelOptions options;
    options.message_bytes = from.message_bytes;
    options.capacity = from.capacity;
    options.many_publishers = from.many_publishers != 0;
    options.subscribers_waited_for = from.subscribers_waited_for;
    options.patience = patience_of(from.patience_ns);
    options.mode = from.mode;
    options.keep = from.keep != 0;
    return options;
}

comap::QueueOptions options_of(const comap_queue_options* given) {
    const comap_queue_options from = complete(given, comap_queue_options COMAP_QUEUE_OPTIONS_INIT);
    comap::QueueOptions options;
    options.message_bytes = from.message_bytes;
    options.capacity = from.capacity;
    options.patience = patience_of(from.patience_ns);
    options.mode = from.mode;
    options.keep = from.keep != 0;
    return options;
}

comap::From from_of(const comap_from& from) {
    switch (number_of(from)) {
        case COMAP_FROM_OLDEST:
            return comap::From::oldest;
        case COMAP_FROM_LATEST:
            return comap::From::latest;
        case COMAP_FROM_NEXT:
            return comap::From::next;
    }
    throw BadEnum{"comap_from"};
}

comap_wait_end wait_end(comap::Sent end) {
    switch (end) {
        case comap::Sent::sent:
            return COMAP_SENT;
        case comap::Sent::timed_out:
            return COMAP_TIMED_OUT;
        case comap::Sent::interrupted:
            return COMAP_INTERRUPTED;
    }
    return COMAP_TIMED_OUT;
}

comap_wait_end wait_end(comap::Reception end) {
    switch (end) {
        case comap::Reception::message:
            return COMAP_MESSAGE;
        case comap::Reception::timed_out:
            return COMAP_TIMED_OUT;
        case comap::Reception::interrupted:
            return COMAP_INTERRUPTED;
    }
    return COMAP_TIMED_OUT;
}

template <typename End>
comap_code store_end(Result<End> ended, comap_wait_end* end) {
    if (!ended) return report(std::move(ended).error());
    *end = wait_end(*ended);
    return COMAP_OK;
}

// Hands out what make() makes; with a format, make(type).
template <typename Handle, typename Make>
comap_code give_made(const char* format, Handle** out, const Make& make) {
    if (!format) return give(make(), out);
    const auto type = comap::RecordType::parse(format);
    return type ? give(make(*type), out) : report(type.error());
}

comap_code give_loan(Result<comap::Loan> loan, const comap::RecordType& type, comap_wait_end* end, comap_loan** out) {
    if (!loan) return report(std::move(loan).error());
    const comap_wait_end ended = wait_end(loan->end());
    if (*loan) *out = new comap_loan{std::move(*loan), static_cast<std::uint32_t>(type.size_bytes())};
    *end = ended;
    return COMAP_OK;
}

std::span<const std::byte> bytes_of(const void* data, std::size_t size) { return {static_cast<const std::byte*>(data), size}; }
std::span<std::byte> bytes_of(void* data, std::size_t size) { return {static_cast<std::byte*>(data), size}; }

}  // namespace

extern "C" {

// What both kinds have in common: Class is the C++ class, kind the C name between comap_ and the function's.
#define COMAP_RING_FUNCTIONS(Class, kind)                                                                                                    \
    comap_code comap_##kind##_create(comap_context* context, const char* name, const char* format, const comap_##kind##_options* options,    \
                                     comap_##kind** out) {                                                                                   \
        COMAP_NEED(name);                                                                                                                    \
        COMAP_NEED(out);                                                                                                                     \
        return guarded([&] {                                                                                                                 \
            return give_made(format, out, [&](const auto&... record) {                                                                       \
                return comap::Class::create(name, record..., options_of(options), context_of(context));                                      \
            });                                                                                                                              \
        });                                                                                                                                  \
    }                                                                                                                                        \
    comap_code comap_##kind##_open(comap_context* context, const char* name, const char* format, const comap_open_options* options,          \
                                   comap_##kind** out) {                                                                                     \
        COMAP_NEED(name);                                                                                                                    \
        COMAP_NEED(out);                                                                                                                     \
        return guarded([&] {                                                                                                                 \
            return give_made(format, out, [&](const auto&... record) {                                                                       \
                return comap::Class::open(name, record..., open_options(options), context_of(context));                                      \
            });                                                                                                                              \
        });                                                                                                                                  \
    }                                                                                                                                        \
    comap_code comap_##kind##_open_or_create(comap_context* context, const char* name, const char* format,                                   \
                                             const comap_##kind##_options* options, comap_##kind** out) {                                    \
        COMAP_NEED(name);                                                                                                                    \
        COMAP_NEED(out);                                                                                                                     \
        return guarded([&] {                                                                                                                 \
            return give_made(format, out, [&](const auto&... record) {                                                                       \
                return comap::Class::open_or_create(name, record..., options_of(options), context_of(context));                              \
            });                                                                                                                              \
        });                                                                                                                                  \
    }                                                                                                                                        \
    const char* comap_##kind##_name(const comap_##kind* kind) { return kind ? kind->handle.name().c_str() : ""; }                            \
    int comap_##kind##_was_created(const comap_##kind* kind) { return kind && kind->handle.was_created() ? 1 : 0; }                          \
    const char* comap_##kind##_format(const comap_##kind* kind) { return kind ? kind->handle.type().format().c_str() : ""; }                 \
    uint32_t comap_##kind##_message_bytes(const comap_##kind* kind) { return kind ? kind->handle.message_bytes() : 0; }                      \
    uint64_t comap_##kind##_ring_bytes(const comap_##kind* kind) { return kind ? kind->handle.ring_bytes() : 0; }                            \
    uint64_t comap_##kind##_capacity(const comap_##kind* kind) { return kind ? kind->handle.capacity() : 0; }                                \
    uint64_t comap_##kind##_patience_ns(const comap_##kind* kind) { return kind ? patience_ns(kind->handle.patience()) : 0; }                \
    comap_code comap_##kind##_set_keep(comap_##kind* kind, int keep) {                                                                       \
        COMAP_NEED(kind);                                                                                                                    \
        return guarded([&] { return done(kind->handle.set_keep(keep != 0)); });                                                              \
    }                                                                                                                                        \
    void comap_##kind##_close(comap_##kind* kind) { delete kind; }

COMAP_RING_FUNCTIONS(RawChannel, channel)
COMAP_RING_FUNCTIONS(RawQueue, queue)

int comap_channel_has_many_publishers(const comap_channel* channel) { return channel && channel->handle.has_many_publishers() ? 1 : 0; }
uint32_t comap_channel_subscribers_waited_for(const comap_channel* channel) { return channel ? channel->handle.subscribers_waited_for() : 0; }

comap_code comap_channel_published(const comap_channel* channel, uint64_t* count) {
    COMAP_NEED(channel);
    COMAP_NEED(count);
    return guarded([&] { return store(channel->handle.published(), count); });
}

comap_code comap_channel_publish(const comap_channel* channel, const void* message, size_t size_bytes, uint64_t deadline_ns, comap_wait_end* end) {
    COMAP_NEED(channel);
    COMAP_NEED(message || size_bytes == 0);
    COMAP_NEED(end);
    return guarded([&] { return store_end(channel->handle.publish(bytes_of(message, size_bytes), sending_deadline(deadline_ns)), end); });
}

comap_code comap_channel_publish_batch(const comap_channel* channel, const void* messages, uint32_t message_bytes, size_t count, uint64_t deadline_ns,
                                       uint64_t* published, comap_wait_end* end) {
    COMAP_NEED(channel);
    COMAP_NEED(messages || count == 0);
    COMAP_NEED(end);
    return guarded([&] {
        if (published) *published = 0;
        if (message_bytes != 0 && count > PTRDIFF_MAX / message_bytes)
            return report(Error{Code::invalid_argument, 0, channel->handle.name(),
                                comap::internal::cat(count, " messages of ", message_bytes, " bytes are more than there can be")});
        const auto bytes = bytes_of(messages, count * message_bytes);
        return store_end(channel->handle.publish_batch(bytes, message_bytes, published, sending_deadline(deadline_ns)), end);
    });
}

comap_code comap_channel_loan(const comap_channel* channel, uint32_t message_bytes, uint32_t count, uint64_t deadline_ns, comap_wait_end* end,
                              comap_loan** out) {
    COMAP_NEED(channel);
    COMAP_NEED(end);
    COMAP_NEED(out);
    return guarded([&] { return give_loan(channel->handle.loan(message_bytes, count, sending_deadline(deadline_ns)), channel->handle.type(), end, out); });
}

void comap_channel_give_up_role(const comap_channel* channel) {
    if (channel) channel->handle.give_up_role();
}

comap_code comap_channel_subscribe(const comap_channel* channel, comap_from from, comap_subscription** out) {
    COMAP_NEED(channel);
    COMAP_NEED(out);
    return guarded([&] { return give(channel->handle.subscribe(from_of(from)), out); });
}

comap_code comap_subscription_receive(comap_subscription* subscription, void* buffer, size_t buffer_bytes, uint64_t deadline_ns, comap_wait_end* end,
                                      size_t* size_bytes, uint64_t* missed) {
    COMAP_NEED(subscription);
    COMAP_NEED(buffer || buffer_bytes == 0);
    COMAP_NEED(end);
    return guarded([&] {
        auto received = subscription->handle.receive(bytes_of(buffer, buffer_bytes), waiting_deadline(deadline_ns));
        if (!received) return report(std::move(received).error());
        *end = wait_end(received->end);
        if (received->end != comap::Reception::message) return COMAP_OK;
        if (size_bytes) *size_bytes = received->size_bytes;
        if (missed) *missed = received->missed;
        return COMAP_OK;
    });
}

comap_code comap_subscription_borrow(comap_subscription* subscription, uint64_t deadline_ns, comap_wait_end* end, const void** bytes, size_t* size_bytes,
                                     uint64_t* missed) {
    COMAP_NEED(subscription);
    COMAP_NEED(end);
    COMAP_NEED(bytes);
    COMAP_NEED(size_bytes);
    return guarded([&] {
        auto borrowed = subscription->handle.borrow(waiting_deadline(deadline_ns));
        if (!borrowed) return report(std::move(borrowed).error());
        *end = wait_end(borrowed->end);
        if (borrowed->end != comap::Reception::message) return COMAP_OK;
        *bytes = borrowed->bytes.data();
        *size_bytes = borrowed->bytes.size();
        if (missed) *missed = borrowed->missed;
        return COMAP_OK;
    });
}

comap_code comap_subscription_release(comap_subscription* subscription, int* whole) {
    COMAP_NEED(subscription);
    COMAP_NEED(whole);
    return guarded([&] {
        *whole = subscription->handle.release() ? 1 : 0;
        return COMAP_OK;
    });
}

comap_code comap_subscription_wait(comap_subscription* subscription, uint64_t deadline_ns, comap_wait_end* end) {
    COMAP_NEED(subscription);
    COMAP_NEED(end);
    return guarded([&] { return store_end(subscription->handle.wait(waiting_deadline(deadline_ns)), end); });
}

uint64_t comap_subscription_missed_in_all(const comap_subscription* subscription) { return subscription ? subscription->handle.missed_in_all() : 0; }
uint64_t comap_subscription_number(const comap_subscription* subscription) { return subscription ? subscription->handle.number() : 0; }
void comap_subscription_close(comap_subscription* subscription) { delete subscription; }

comap_code comap_queue_counts(const comap_queue* queue, uint64_t* waiting, uint64_t* held) {
    COMAP_NEED(queue);
    return guarded([&] {
        auto counts = queue->handle.counts();
        if (!counts) return report(std::move(counts).error());
        if (waiting) *waiting = counts->waiting;
        if (held) *held = counts->held;
        return COMAP_OK;
    });
}

comap_code comap_queue_push(const comap_queue* queue, const void* message, size_t size_bytes, uint64_t deadline_ns, comap_wait_end* end) {
    COMAP_NEED(queue);
    COMAP_NEED(message || size_bytes == 0);
    COMAP_NEED(end);
    return guarded([&] { return store_end(queue->handle.push(bytes_of(message, size_bytes), sending_deadline(deadline_ns)), end); });
}

comap_code comap_queue_loan(const comap_queue* queue, uint32_t size_bytes, uint64_t deadline_ns, comap_wait_end* end, comap_loan** out) {
    COMAP_NEED(queue);
    COMAP_NEED(end);
    COMAP_NEED(out);
    return guarded([&] { return give_loan(queue->handle.loan(size_bytes, sending_deadline(deadline_ns)), queue->handle.type(), end, out); });
}

comap_code comap_queue_pop(const comap_queue* queue, void* buffer, size_t buffer_bytes, uint64_t deadline_ns, comap_wait_end* end, size_t* size_bytes,
                           int* redelivered) {
    COMAP_NEED(queue);
    COMAP_NEED(buffer || buffer_bytes == 0);
    COMAP_NEED(end);
    return guarded([&] {
        auto popped = queue->handle.pop(bytes_of(buffer, buffer_bytes), waiting_deadline(deadline_ns));
        if (!popped) return report(std::move(popped).error());
        *end = wait_end(popped->end);
        if (popped->end != comap::Reception::message) return COMAP_OK;
        if (size_bytes) *size_bytes = popped->size_bytes;
        if (redelivered) *redelivered = popped->redelivered ? 1 : 0;
        return COMAP_OK;
    });
}

comap_code comap_queue_take(const comap_queue* queue, uint64_t deadline_ns, comap_wait_end* end, comap_item** out) {
    COMAP_NEED(queue);
    COMAP_NEED(end);
    COMAP_NEED(out);
    return guarded([&] {
        auto item = queue->handle.take(waiting_deadline(deadline_ns));
        if (!item) return report(std::move(item).error());
        const comap_wait_end ended = wait_end(item->end());
        if (*item) *out = new comap_item{std::move(*item)};
        *end = ended;
        return COMAP_OK;
    });
}

comap_code comap_queue_wait(const comap_queue* queue, uint64_t deadline_ns, comap_wait_end* end) {
    COMAP_NEED(queue);
    COMAP_NEED(end);
    return guarded([&] { return store_end(queue->handle.wait(waiting_deadline(deadline_ns)), end); });
}

const void* comap_item_bytes(const comap_item* item) { return item ? item->item.bytes().data() : nullptr; }
size_t comap_item_size(const comap_item* item) { return item ? item->item.bytes().size() : 0; }
uint32_t comap_item_takings(const comap_item* item) { return item ? item->item.takings() : 0; }

comap_code comap_item_confirm(comap_item* item) {
    COMAP_NEED(item);
    return guarded([&] {
        const comap_code code = done(item->item.confirm());
        if (code == COMAP_OK) delete item;
        return code;
    });
}

comap_code comap_item_give_back(comap_item* item) {
    return guarded([&] {
        const comap_code code = item ? done(item->item.give_back()) : COMAP_OK;
        delete item;
        return code;
    });
}

void* comap_loan_bytes(const comap_loan* loan, uint32_t index) { return loan && index < loan->loan.count() ? loan->loan.message(index).data() : nullptr; }
uint32_t comap_loan_size(const comap_loan* loan) { return loan ? static_cast<std::uint32_t>(loan->loan.bytes().size()) : 0; }
uint32_t comap_loan_count(const comap_loan* loan) { return loan ? loan->loan.count() : 0; }

comap_code comap_loan_publish(comap_loan* loan, uint32_t size_bytes) {
    COMAP_NEED(loan);
    return guarded([&] {
        const auto lent = static_cast<std::uint32_t>(loan->loan.bytes().size());
        const std::uint32_t least = loan->loan.count() == 1 ? loan->shortest : lent;
        if (size_bytes < least || size_bytes > lent)
            return report(Error{Code::invalid_argument, 0, "",
                                comap::internal::cat("messages of ", size_bytes, " bytes cannot be published in room for ", loan->loan.count(), " of ", lent,
                                                     " bytes; each must have at least ", least)});
        loan->loan.publish(size_bytes);
        delete loan;
        return COMAP_OK;
    });
}

void comap_loan_give_up(comap_loan* loan) { delete loan; }

}  // extern "C"
