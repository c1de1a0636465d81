// SPDX-License-Identifier: Apache-2.0
#include "rings.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <new>
#include <string>
#include <vector>

#include <comap/comap.hpp>

#include "crew.hpp"
#include "support/process.hpp"

namespace comap::storm {
namespace {

using namespace std::chrono_literals;

constexpr auto kOrder = std::memory_order_seq_cst;
constexpr const char* kName = "ring";
constexpr std::uint32_t kMessageBytes = 400;
constexpr std::size_t kSenders = 2;  // of the processes; the others receive

// What is sent: who, in which life, the how manyth; then bytes that follow from that, and a sum of all.
struct Head {
    std::uint64_t sum;
    std::uint64_t id;      // queues: of the message in the books
    std::uint32_t life;    // serial of the process
    std::uint32_t number;  // from 0 in each life
};

std::uint64_t sum_of(std::span<const std::byte> message) {
    std::uint64_t sum = message.size();
    for (std::size_t i = sizeof(std::uint64_t); i < message.size(); ++i) sum = (sum ^ static_cast<std::uint64_t>(message[i])) * 0x9e37'79b9'7f4a'7c15u;
    return sum;
}

void make_message(std::span<std::byte> bytes, std::uint64_t id, std::uint32_t life, std::uint32_t number) {
    Head head{0, id, life, number};
    std::memcpy(bytes.data(), &head, sizeof head);
    for (std::size_t i = sizeof head; i < bytes.size(); ++i) bytes[i] = static_cast<std::byte>(life * 31 + number * 7 + i);
    head.sum = sum_of(bytes);
    std::memcpy(bytes.data(), &head, sizeof head);
}

// Whether it is whole; then `head` is what it says.
bool read_message(std::span<const std::byte> bytes, Head& head) {
    if (bytes.size() < sizeof head) return false;
    std::memcpy(&head, bytes.data(), sizeof head);
    return head.sum == sum_of(bytes);
}

// The books: plain anonymous memory shared with all children; nothing under test uses it.
constexpr std::uint64_t kIdsMax = 1u << 24;
enum IdState : std::uint8_t { kUnknown = 0, kPushed = 1, kTaken = 2, kDone = 4 };
struct Books {
    std::array<std::atomic<std::uint32_t>, kProcessCount> begun;  // of its life: messages whose sending has begun
    std::array<std::atomic<std::uint32_t>, kProcessCount> sent;   // and those that are in for certain
    // Queues.
    std::atomic<std::uint64_t> next_id;
    std::array<std::atomic<std::uint64_t>, kProcessCount> pushing;    // the id, + 1
    std::array<std::atomic<std::uint32_t>, kProcessCount> popping;    // it is in pop, which takes for good
    std::array<std::atomic<std::uint64_t>, kProcessCount> confirming; // the id, + 1
    std::atomic<std::uint64_t> done_count, redelivered;
    std::array<std::atomic<std::uint8_t>, kIdsMax> ids;

    static Books& make() {
        void* const memory = ::mmap(nullptr, sizeof(Books), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (memory == MAP_FAILED) {
            std::perror("mmap");
            std::exit(2);
        }
        return *new (memory) Books;
    }
    ~Books() = delete;
};

void report_failure(Board& board, const char* call, const Error& error) { board.report(std::string(call) + " failed: " + std::string(code_name(error.code)) + ": " + error.message); }

// --- channels

class ChannelLife {
  public:
    ChannelLife(const Run& run, Books& books, std::size_t process, std::uint32_t serial)
        : board_(*run.board), books_(books), process_(process), serial_(serial), context_({.root = run.root}), random_(run.seed * 7919 + serial) {}

    void live() {
        auto opened = RawChannel::open(kName, {}, context_);
        if (!opened) return report_failure(board_, "open", opened.error());
        channel_ = std::move(*opened);
        board_.slots[process_].begun.store(1, kOrder);
        while (!board_.is_over()) {
            if (process_ < kSenders) send();
            else receive();
        }
    }

  private:
    void send() {
        const auto count = static_cast<std::uint32_t>(random_.one_in(4) ? random_.below(6) + 1 : 1);
        const auto size = static_cast<std::uint32_t>(sizeof(Head) + random_.below(kMessageBytes - sizeof(Head) + 1));
        std::vector<std::byte> bytes(std::size_t{count} * size);
        for (std::uint32_t i = 0; i < count; ++i) make_message(std::span(bytes).subspan(i * size, size), 0, serial_, number_ + i);
        books_.begun[process_].store(number_ + count, kOrder);
        const Deadline deadline = Deadline::after(std::chrono::microseconds(random_.below(3000)));
        Result<Sent> end = Sent::timed_out;
        std::uint64_t done = 0;
        if (count == 1 && random_.one_in(2)) {
            auto loan = channel_.loan(size, 1, deadline);
            if (loan && *loan) {
                std::memcpy(loan->bytes().data(), bytes.data(), size);
                loan->publish();
            }
            if (loan) end = loan->end();
            else end = tl::unexpected<Error>(loan.error());
        } else if (count == 1) {
            end = channel_.publish(bytes, deadline);
        } else {
            end = channel_.publish_batch(bytes, size, &done, deadline);
        }
        if (count == 1 && end && *end == Sent::sent) done = 1;
        number_ += static_cast<std::uint32_t>(done);
        books_.sent[process_].store(number_, kOrder);
        if (!end && end.error().code == Code::busy) return nap(random_.below(50'000));  // another has the role
        if (!end) return report_failure(board_, "publish", end.error());
        board_.slots[process_].operations.fetch_add(done, std::memory_order_relaxed);
        if (random_.one_in(300)) channel_.give_up_role();
        if (random_.one_in(16)) nap(random_.below(100'000));  // so that subscribers sleep, now and then
    }

    void receive() {
        if (!subscription_) {
            auto subscribed = channel_.subscribe(random_.one_in(2) ? From::oldest : random_.one_in(2) ? From::latest : From::next);
            if (!subscribed && subscribed.error().code == Code::limit_reached) return nap(10'000);
            if (!subscribed) return report_failure(board_, "subscribe", subscribed.error());
            subscription_ = std::move(*subscribed);
            last_.clear();
        }
        std::array<std::byte, kMessageBytes> out;
        const std::uint64_t before = subscription_.number();
        const auto got = subscription_.receive(out, Deadline::after(std::chrono::microseconds(random_.below(5000))));
        if (!got) return report_failure(board_, "receive", got.error());
        if (got->end != Reception::message) return;
        check(std::span(out).first(got->size_bytes), before, got->missed);
        board_.slots[process_].operations.fetch_add(1, std::memory_order_relaxed);
        if (random_.one_in(1000)) subscription_ = RawSubscription();
        if (random_.one_in(64)) nap(random_.below(200'000));
    }

    void check(std::span<const std::byte> message, std::uint64_t before, std::uint64_t missed) {
        Head head;
        if (!read_message(message, head)) return board_.report("a torn message after number " + std::to_string(before));
        if (subscription_.number() != before + missed + 1) board_.report("the numbers do not fit what was missed");
        if (missed != 0) last_.clear();
        const auto [at, is_new] = last_.try_emplace(head.life, head.number);
        if (!is_new && head.number != at->second + 1)
            board_.report("after message " + std::to_string(at->second) + " of a life came " + std::to_string(head.number) + ", with nothing missed");
        at->second = head.number;
    }

    Board& board_;
    Books& books_;
    std::size_t process_;
    std::uint32_t serial_;
    Context context_;
    Random random_;
    RawChannel channel_;
    RawSubscription subscription_;
    std::uint32_t number_ = 0;
    std::map<std::uint32_t, std::uint32_t> last_;  // number of each life
};

class ChannelStorm {
  public:
    ChannelStorm(const Run& run, RingKind kind)
        : run_(run), board_(*run.board), kind_(kind), books_(Books::make()), context_({.root = run.root}),
          channel_(RawChannel::create(kName, options(kind), context_).value()), subscription_(channel_.subscribe().value()),
          crew_(board_, run.seed, [this](std::size_t process, std::uint32_t serial) {
              (new ChannelLife(run_, books_, process, serial))->live();  // never destroyed: a killed process closes nothing
          }, [this] { drain(); }) {}

    RingTally run() {
        while (!board_.is_over() && tally_.kills < run_.kills) {
            drain();
            crew_.pass_random_time();
            const std::size_t victim = crew_.random().below(kProcessCount);
            if (!crew_.random().one_in(16)) crew_.wait_for([&] { return crew_.has_begun(victim); }, "the process to be killed has begun");
            if (!board_.is_over()) hit(victim);
        }
        if (crew_.end()) settle_all();
        tally_.received = received_;
        tally_.missed = subscription_.missed_in_all();
        return tally_;
    }

  private:
    static ChannelOptions options(RingKind kind) {
        ChannelOptions options;
        options.message_bytes = kMessageBytes;
        options.capacity = 24;
        options.many_publishers = kind != RingKind::channel;
        options.subscribers_waited_for = kind == RingKind::channel_overrun ? 0 : 4;
        return options;
    }

    void hit(std::size_t victim) {
        const bool stops = crew_.random().one_in(4);
        const std::size_t stopped = crew_.random().below(kProcessCount);
        if (stops) {
            crew_.stop(stopped);
            ++tally_.stops;
            drain();
            crew_.pass_random_time();
        }
        crew_.kill(victim);
        ++tally_.kills;
        if (stops && stopped == victim) ++tally_.kills_of_stopped;
        if (victim < kSenders) settle(victim);
        if (stops && stopped != victim) crew_.go_on(stopped);
        crew_.start(victim);
        if (!crew_.random().one_in(4)) return;
        const std::uint64_t before = received_ + subscription_.missed_in_all();
        crew_.wait_for([&] { return received_ + subscription_.missed_in_all() > before; }, "a publisher goes on after a kill");
    }

    // The one subscriber who is never killed: everything that is there.
    void drain() {
        std::array<std::byte, kMessageBytes> out;
        for (std::uint32_t count = 0; count < 100'000; ++count) {
            const auto got = subscription_.receive(out, Deadline::passed());
            if (!got) return report_failure(board_, "the observer's receive", got.error());
            if (got->end != Reception::message) return;
            Head head;
            if (!read_message(std::span(out).first(got->size_bytes), head)) return board_.report("the observer got a torn message");
            ++received_;
            if (got->missed != 0) has_missed_ = true;
            const auto [at, is_new] = seen_.try_emplace(head.life, 0);
            if (!is_new && got->missed == 0 && head.number < at->second) return board_.report("the observer got a message of a life twice, or out of order");
            if (kind_ != RingKind::channel_overrun && head.number != at->second)
                return board_.report("the observer got message " + std::to_string(head.number) + " of a life after " + std::to_string(at->second));
            at->second = head.number + 1;
        }
    }

    // What a dead publisher had sent for certain is there, and no more than it had begun.
    void settle(std::size_t process) {
        drain();
        const std::uint32_t seen = seen_[crew_.serial(process)];
        const std::uint32_t sent = books_.sent[process].load(kOrder);
        const std::uint32_t begun = books_.begun[process].load(kOrder);
        tally_.sent += sent;
        if (seen > begun) board_.report("more of a life arrived than it had begun to send");
        if (kind_ != RingKind::channel_overrun && seen < sent)
            board_.report("a publisher that was killed had sent " + std::to_string(sent) + " messages for certain, and " + std::to_string(seen) + " arrived");
        seen_.erase(crew_.serial(process));
        books_.begun[process].store(0, kOrder);
        books_.sent[process].store(0, kOrder);
    }
    void settle_all() {
        for (std::size_t process = 0; process < kSenders; ++process) settle(process);
        const auto published = channel_.published();
        if (!published) return report_failure(board_, "counting what was published", published.error());
        if (*published != received_ + subscription_.missed_in_all()) board_.report("of " + std::to_string(*published) + " messages " + std::to_string(received_) + " arrived and " + std::to_string(subscription_.missed_in_all()) + " were missed");
    }

    const Run& run_;
    Board& board_;
    RingKind kind_;
    Books& books_;
    Context context_;
    RawChannel channel_;
    RawSubscription subscription_;
    std::map<std::uint32_t, std::uint32_t> seen_;  // of each life: the next number
    std::uint64_t received_ = 0;
    bool has_missed_ = false;
    RingTally tally_;
    Crew crew_;
};

// --- queues

class QueueLife {
  public:
    QueueLife(const Run& run, Books& books, std::size_t process, std::uint32_t serial)
        : board_(*run.board), books_(books), process_(process), serial_(serial), context_({.root = run.root}), random_(run.seed * 7919 + serial) {}

    void live() {
        auto opened = RawQueue::open(kName, {}, context_);
        if (!opened) return report_failure(board_, "open", opened.error());
        queue_ = std::move(*opened);
        board_.slots[process_].begun.store(1, kOrder);
        while (!board_.is_over()) {
            if (process_ < kSenders) push();
            else if (random_.one_in(3)) pop();
            else take();
        }
    }

  private:
    void push() {
        const std::uint64_t id = books_.next_id.fetch_add(1, kOrder);
        if (id >= kIdsMax) return board_.over.store(1, kOrder);  // long enough
        const std::size_t size = sizeof(Head) + random_.below(kMessageBytes - sizeof(Head) + 1);
        std::vector<std::byte> bytes(size);
        make_message(bytes, id, serial_, number_++);
        books_.pushing[process_].store(id + 1, kOrder);
        const auto end = queue_.push(bytes, Deadline::after(std::chrono::microseconds(random_.below(3000))));
        if (end && *end == Sent::sent) books_.ids[id].fetch_or(kPushed, kOrder);
        books_.pushing[process_].store(0, kOrder);
        if (!end) return report_failure(board_, "push", end.error());
        board_.slots[process_].operations.fetch_add(1, std::memory_order_relaxed);
        if (random_.one_in(16)) nap(random_.below(100'000));
    }

    // Returns the id; kIdsMax if it is not whole.
    std::uint64_t note(std::span<const std::byte> message, bool redelivered) {
        Head head;
        if (!read_message(message, head) || head.id >= kIdsMax) {
            board_.report("a torn message was taken");
            return kIdsMax;
        }
        const std::uint8_t before = books_.ids[head.id].fetch_or(kTaken, kOrder);
        if ((before & kDone) != 0) board_.report("message " + std::to_string(head.id) + " was done, and is taken again");
        if ((before & kTaken) != 0 && !redelivered) board_.report("message " + std::to_string(head.id) + " is taken again, and not marked as redelivered");
        if (redelivered) books_.redelivered.fetch_add(1, kOrder);
        board_.slots[process_].operations.fetch_add(1, std::memory_order_relaxed);
        return head.id;
    }
    void note_done(std::uint64_t id) {
        if (id == kIdsMax) return;
        if ((books_.ids[id].fetch_or(kDone, kOrder) & kDone) != 0) board_.report("message " + std::to_string(id) + " is done twice");
        books_.done_count.fetch_add(1, kOrder);
    }

    void pop() {
        std::array<std::byte, kMessageBytes> out;
        books_.popping[process_].store(1, kOrder);
        const auto popped = queue_.pop(out, Deadline::after(std::chrono::microseconds(random_.below(5000))));
        if (popped && popped->end == Reception::message) note_done(note(std::span(out).first(popped->size_bytes), popped->redelivered));
        books_.popping[process_].store(0, kOrder);
        if (!popped) report_failure(board_, "pop", popped.error());
    }

    void take() {
        auto item = queue_.take(Deadline::after(std::chrono::microseconds(random_.below(5000))));
        if (!item) return report_failure(board_, "take", item.error());
        if (*item) {
            const std::uint64_t id = note(item->bytes(), item->redelivered());
            held_.emplace_back(std::move(*item), id);
        }
        while (held_.size() > random_.below(4)) {
            std::swap(held_[random_.below(held_.size())], held_.back());
            if (random_.one_in(8)) {
                if (const auto back = held_.back().first.give_back(); !back) report_failure(board_, "give_back", back.error());
            } else {
                books_.confirming[process_].store(held_.back().second + 1, kOrder);
                if (const auto done = held_.back().first.confirm(); !done) report_failure(board_, "confirm", done.error());
                note_done(held_.back().second);
                books_.confirming[process_].store(0, kOrder);
            }
            held_.pop_back();
        }
        if (random_.one_in(64)) nap(random_.below(200'000));
    }

    Board& board_;
    Books& books_;
    std::size_t process_;
    std::uint32_t serial_;
    Context context_;
    Random random_;
    RawQueue queue_;
    std::uint32_t number_ = 0;
    std::vector<std::pair<Item, std::uint64_t>> held_;
};

class QueueStorm {
  public:
    explicit QueueStorm(const Run& run)
        : run_(run), board_(*run.board), books_(Books::make()), context_({.root = run.root}),
          queue_(RawQueue::create(kName, {.message_bytes = kMessageBytes, .capacity = 24}, context_).value()),
          crew_(board_, run.seed, [this](std::size_t process, std::uint32_t serial) { (new QueueLife(run_, books_, process, serial))->live(); }, [] {}) {}

    RingTally run() {
        while (!board_.is_over() && tally_.kills < run_.kills) {
            crew_.pass_random_time();
            const std::size_t victim = crew_.random().below(kProcessCount);
            if (!crew_.random().one_in(16)) crew_.wait_for([&] { return crew_.has_begun(victim); }, "the process to be killed has begun");
            if (!board_.is_over()) hit(victim);
        }
        if (crew_.end()) settle_all();
        tally_.redelivered = books_.redelivered.load(kOrder);
        tally_.received = books_.done_count.load(kOrder);
        return tally_;
    }

  private:
    void hit(std::size_t victim) {
        const bool stops = crew_.random().one_in(4);
        const std::size_t stopped = crew_.random().below(kProcessCount);
        if (stops) {
            crew_.stop(stopped);
            ++tally_.stops;
            crew_.pass_random_time();
        }
        crew_.kill(victim);
        ++tally_.kills;
        if (stops && stopped == victim) ++tally_.kills_of_stopped;
        // What it was about may be done or not, and nobody can say which.
        if (books_.popping[victim].exchange(0, kOrder) != 0) ++perhaps_lost_;
        if (const std::uint64_t id = books_.confirming[victim].exchange(0, kOrder)) perhaps_done_.push_back(id - 1);
        if (const std::uint64_t id = books_.pushing[victim].exchange(0, kOrder)) perhaps_pushed_.push_back(id - 1);
        if (stops && stopped != victim) crew_.go_on(stopped);
        crew_.start(victim);
        if (!crew_.random().one_in(4)) return;
        const std::uint64_t before = books_.done_count.load(kOrder);
        crew_.wait_for([&] { return books_.done_count.load(kOrder) > before; }, "a taker goes on after a kill");
    }

    void settle_all() {
        std::array<std::byte, kMessageBytes> out;
        for (;;) {
            const auto popped = queue_.pop(out, Deadline::passed());
            if (!popped) return report_failure(board_, "the last pop", popped.error());
            if (popped->end != Reception::message) break;
            Head head;
            if (!read_message(std::span(out).first(popped->size_bytes), head)) return board_.report("a torn message was left");
            if ((books_.ids[head.id].fetch_or(kDone, kOrder) & kDone) != 0) board_.report("message " + std::to_string(head.id) + " was done, and was left");
            if ((books_.ids[head.id].load(kOrder) & kTaken) != 0 && !popped->redelivered) board_.report("a message that was taken was left, and is not marked as redelivered");
        }
        const auto counts = queue_.counts();
        if (!counts) return report_failure(board_, "counts", counts.error());
        if (counts->waiting != 0 || counts->held != 0) board_.report("the empty queue says that it has " + std::to_string(counts->waiting) + " messages and that " + std::to_string(counts->held) + " are held");
        for (const std::uint64_t id : perhaps_done_) books_.ids[id].fetch_or(kDone, kOrder);
        const std::uint64_t last = std::min(books_.next_id.load(kOrder), kIdsMax);
        for (std::uint64_t id = 0; id < last; ++id) {
            const std::uint8_t state = books_.ids[id].load(kOrder);
            if ((state & kPushed) != 0) ++tally_.sent;
            if ((state & kPushed) != 0 && (state & kDone) == 0) ++tally_.lost_by_dead;
        }
        if (tally_.lost_by_dead > perhaps_lost_) board_.report(std::to_string(tally_.lost_by_dead) + " messages were lost, and only " + std::to_string(perhaps_lost_) + " takers were killed while they popped");
    }

    const Run& run_;
    Board& board_;
    Books& books_;
    Context context_;
    RawQueue queue_;
    std::uint64_t perhaps_lost_ = 0;
    std::vector<std::uint64_t> perhaps_done_, perhaps_pushed_;
    RingTally tally_;
    Crew crew_;
};

}  // namespace

RingTally storm_on_ring(const Run& run, RingKind kind) { return kind == RingKind::queue ? QueueStorm(run).run() : ChannelStorm(run, kind).run(); }

}  // namespace comap::storm
