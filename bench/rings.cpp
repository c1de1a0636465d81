// SPDX-License-Identifier: Apache-2.0
// Messages: there and back, one way, large ones in place, many at both ends. Each end runs in a process of its own that is made
// for one measurement, so that libraries with threads and globals never meet a fork; and is pinned.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <optional>

#include "conversation.hpp"
#include "harness.hpp"
#include "our_rings.hpp"
#include "raw_rings.hpp"
#include "ring_peers.hpp"

namespace comap::bench {
namespace {

using ours::Waiting;
using ring_peers::Lane;
using ring_peers::Peer;

constexpr std::size_t kSmall = 64;
constexpr std::size_t kPage = 4096;
constexpr std::size_t kLarge = 1 << 20;
constexpr std::uint32_t kSmallSlots = 1024;  // ring_peers.cpp has the same
constexpr std::uint32_t kPageSlots = 64;
constexpr std::uint32_t kLargeSlots = 4;
constexpr std::uint32_t kBatch = 16;
constexpr std::uint32_t kCrowdMax = 4;

constexpr char kPollingRow[] = "channel 64 B there and back, polling";
constexpr char kBlockingRow[] = "channel 64 B there and back, blocking";
constexpr char kAsleepRow[] = "channel 64 B there and back, asleep";
constexpr char kOneWayRow[] = "channel 64 B one way";
constexpr char kBatchRow[] = "channel 64 B one way, batches of 16";
constexpr char kPageRow[] = "channel 4 KiB one way";
constexpr char kHandOverRow[] = "channel 1 MiB loaned, there and back, untouched";
constexpr char kLargeRow[] = "channel 1 MiB one way, filled and read";
constexpr char kQueueRow[] = "queue 64 B, 2 producers, 2 takers";

std::string publishers_row(std::uint32_t count) { return fmt::format("channel 64 B, {} publisher{}", count, count == 1 ? "" : "s"); }
std::string subscribers_row(std::uint32_t count) { return fmt::format("channel 64 B, {} subscriber{}", count, count == 1 ? "" : "s"); }

template <std::size_t kBytes>
constexpr std::uint32_t slots_of() {
    return kBytes == kSmall ? kSmallSlots : kBytes == kPage ? kPageSlots : kLargeSlots;
}

// --- what is in a message

// What compilers make of a plain loop at -O2 would take longer than the copying that is measured.
using Words [[gnu::vector_size(16)]] = std::uint64_t;

// Messages lie where their carrier puts them: at no particular alignment.
inline Words words_at(const std::byte* bytes) {
    Words words;
    std::memcpy(&words, bytes, sizeof words);
    return words;
}

// Words of which the first counts the messages; all of them are summed by who receives it.
template <std::size_t kBytes>
struct Message {
    static constexpr std::size_t kWordCount = kBytes / sizeof(std::uint64_t);
    std::array<std::uint64_t, kWordCount> words;

    Message() { std::iota(words.begin(), words.end(), 0); }
    const std::byte* bytes() const { return reinterpret_cast<const std::byte*>(words.data()); }
    std::byte* bytes() { return reinterpret_cast<std::byte*>(words.data()); }

    static std::uint64_t sum_of(const std::byte* bytes) {
        Words even = {}, odd = {};
        for (std::size_t at = 0; at < kBytes; at += 2 * sizeof(Words)) {
            even += words_at(bytes + at);
            odd += words_at(bytes + at + sizeof(Words));
        }
        even += odd;
        return even[0] + even[1];
    }
    static constexpr std::uint64_t kSumOfRest = std::uint64_t{kWordCount} * (kWordCount - 1) / 2;
};

[[gnu::cold]] [[noreturn]] void wrong_message() { give_up("a message was lost or damaged"); }

template <std::size_t kBytes>
[[gnu::always_inline]] inline void check(const std::byte* message, std::uint64_t sequence) {
    std::uint64_t first;
    std::memcpy(&first, message, sizeof first);
    if (first != sequence || Message<kBytes>::sum_of(message) != sequence + Message<kBytes>::kSumOfRest) wrong_message();
}

// A large message is filled afresh every time.
void fill_large(std::byte* message, std::uint64_t sequence) {
    const Words words = {sequence, sequence};
    for (std::size_t at = 0; at < kLarge; at += sizeof words) std::memcpy(message + at, &words, sizeof words);
}

void check_large(const std::byte* message, std::uint64_t sequence) {
    if (Message<kLarge>::sum_of(message) != sequence * Message<kLarge>::kWordCount) wrong_message();
}

// --- two processes

// What `first` returns.
template <typename First, typename Second>
double in_two_processes(const First& first, const Second& second) {
    auto& result = shared<std::atomic<double>>();
    Child one([&] {
        pin_to(processors().first);
        result.store(first(), std::memory_order_release);
    });
    Child other([&] {
        pin_to(processors().second);
        second();
    });
    one.join();
    other.join();
    const double value = result.load(std::memory_order_acquire);
    unshare(result);
    return value;
}

template <typename Body>
void in_own_process(const Body& body) {
    Child child(body);
    child.join();
}

// Both lanes of a conversation, as the measurements below want them: `first` sends there and receives back. The receiver is
// made first, because some peers' senders wait for it.
template <typename MakeSender, typename MakeReceiver>
struct Lanes {
    MakeSender sender;      // (is_there) -> something with send(const std::byte*)
    MakeReceiver receiver;  // (is_there) -> something with receive(std::byte*)
};
template <typename S, typename R>
Lanes(S, R) -> Lanes<S, R>;

constexpr std::uint64_t kWarmTurns = 50;

// Nanoseconds per turn; every message is checked by both.
template <typename MakeSender, typename MakeReceiver>
double talk_ns(std::uint64_t turn_count, const Lanes<MakeSender, MakeReceiver>& lanes) {
    using Small = Message<kSmall>;
    return in_two_processes(
        [&] {
            auto in = lanes.receiver(false);
            auto out = lanes.sender(true);
            Small message;
            std::uint64_t sequence = 0;
            const auto turn = [&] {
                message.words[0] = ++sequence;
                out.send(message.bytes());
                in.receive(message.bytes());
                check<kSmall>(message.bytes(), sequence);
            };
            for (std::uint64_t warm = 0; warm < kWarmTurns; ++warm) turn();
            return ns_per_turn(turn_count, turn);
        },
        [&] {
            auto in = lanes.receiver(true);
            auto out = lanes.sender(false);
            Small message;
            for (std::uint64_t sequence = 1; sequence <= kWarmTurns + turn_count; ++sequence) {
                in.receive(message.bytes());
                check<kSmall>(message.bytes(), sequence);
                out.send(message.bytes());
            }
        });
}

// There and back where each side is asleep when the message comes: before it sends, each spins for longer than the other does
// before sleeping. The sum of both ways, each from before the sending until the other has the message; median.
template <typename MakeSender, typename MakeReceiver>
double talk_asleep_ns(std::uint32_t turn_count, const Lanes<MakeSender, MakeReceiver>& lanes, double& slept_share) {
    using Small = Message<kSmall>;
    auto& sleep_count = shared<std::atomic<std::uint64_t>>();
    const double ns = in_two_processes(
        [&] {
            auto in = lanes.receiver(false);
            auto out = lanes.sender(true);
            Small message;
            std::vector<double> turns_ns;
            const std::uint64_t before = sleeps_so_far();
            for (std::uint32_t turn = 0; turn < turn_count; ++turn) {
                spin_for_ns(surely_asleep_ns());
                message.words[1] = now_ns();
                out.send(message.bytes());
                in.receive(message.bytes());
                turns_ns.push_back(static_cast<double>(now_ns() - message.words[1] + message.words[0]));
            }
            sleep_count.fetch_add(sleeps_so_far() - before, std::memory_order_relaxed);
            return quartiles(turns_ns).median;
        },
        [&] {
            auto in = lanes.receiver(true);
            auto out = lanes.sender(false);
            Small message;
            const std::uint64_t before = sleeps_so_far();
            for (std::uint32_t turn = 0; turn < turn_count; ++turn) {
                in.receive(message.bytes());
                message.words[0] = now_ns() - message.words[1];
                spin_for_ns(surely_asleep_ns());
                message.words[1] = now_ns();
                out.send(message.bytes());
            }
            sleep_count.fetch_add(sleeps_so_far() - before, std::memory_order_relaxed);
        });
    slept_share = static_cast<double>(sleep_count.load(std::memory_order_relaxed)) / (2.0 * turn_count);
    unshare(sleep_count);
    return ns;
}

// Nanoseconds per message at the receiver while the sender never pauses. send(out, sequence) and receive(in, sequence): the
// latter returns how many messages it had.
template <typename MakeSender, typename MakeReceiver, typename Send, typename Receive>
double one_way_ns(std::uint64_t message_count, const MakeSender& make_sender, const MakeReceiver& make_receiver, const Send& send,
                  const Receive& receive) {
    constexpr std::uint64_t kPartCount = 25;
    const std::uint64_t warm_count = message_count / 10;
    const std::uint64_t all_count = (warm_count + message_count + kBatch - 1) / kBatch * kBatch;  // only whole batches are sent
    return in_two_processes(
        [&] {
            auto in = make_receiver();
            std::vector<double> parts_ns;
            std::uint64_t sequence = 0, part_end = warm_count, part_begin = 0, begin_ns = 0;
            while (sequence < all_count) {
                sequence += receive(in, sequence);
                if (sequence < part_end) continue;
                const std::uint64_t at_ns = now_ns();
                if (begin_ns != 0) parts_ns.push_back(static_cast<double>(at_ns - begin_ns) / static_cast<double>(sequence - part_begin));
                begin_ns = at_ns;
                part_begin = sequence;
                part_end = sequence + std::max<std::uint64_t>(message_count / kPartCount, 1);
            }
            return quartiles(parts_ns).median;
        },
        [&] {
            auto out = make_sender();
            if constexpr (requires { out.batch(); }) {
                for (std::uint64_t sequence = 0; sequence < all_count;) {
                    auto batch = out.batch();
                    for (std::uint32_t i = 0; i < kBatch; ++i) send(batch, sequence++);
                    out.commit();
                }
            } else {
                for (std::uint64_t sequence = 0; sequence < all_count; ++sequence) send(out, sequence);
            }
        });
}

// A prepared message of which only the first words change. They are stored at once, as they are copied: a copy that loads more than
// one store has just written waits for that, and with it for every store to the ring before.
template <std::size_t kBytes>
struct SendCopies {
    mutable Message<kBytes> message;
    template <typename Out>
    [[gnu::always_inline]] void operator()(Out& out, std::uint64_t sequence) const {
        const Words first = {sequence, 1};
        std::memcpy(message.bytes(), &first, sizeof first);
        out.send(message.bytes());
    }
};

template <std::size_t kBytes>
struct ReceiveCopies {
    mutable Message<kBytes> message;
    template <typename In>
    [[gnu::always_inline]] std::uint64_t operator()(In& in, std::uint64_t sequence) const {
        if constexpr (requires { in.batch(); }) {
            auto batch = in.batch();
            for (std::uint32_t i = 0; i < batch.count; ++i) {
                batch.receive(message.bytes());
                check<kBytes>(message.bytes(), sequence + i);
            }
            in.give_back();
            return batch.count;
        } else {
            in.receive(message.bytes());
            check<kBytes>(message.bytes(), sequence);
            return 1;
        }
    }
};

struct SendInPlace {
    template <typename Out>
    void operator()(Out& out, std::uint64_t sequence) const {
        fill_large(out.loan(), sequence);
        out.commit();
    }
};

struct ReceiveInPlace {
    template <typename In>
    std::uint64_t operator()(In& in, std::uint64_t sequence) const {
        check_large(in.borrow(), sequence);
        in.give_back();
        return 1;
    }
};

struct SendFilledCopy {
    std::unique_ptr<Message<kLarge>> message = std::make_unique<Message<kLarge>>();
    template <typename Out>
    void operator()(Out& out, std::uint64_t sequence) const {
        fill_large(message->bytes(), sequence);
        out.send(message->bytes());
    }
};

struct ReceiveReadCopy {
    std::unique_ptr<Message<kLarge>> message = std::make_unique<Message<kLarge>>();
    template <typename In>
    std::uint64_t operator()(In& in, std::uint64_t sequence) const {
        in.receive(message->bytes());
        check_large(message->bytes(), sequence);
        return 1;
    }
};

// There and back without a look at what is in the message: the place is handed over.
template <typename MakeSender, typename MakeReceiver>
double hand_over_ns(std::uint64_t turn_count, const Lanes<MakeSender, MakeReceiver>& lanes) {
    const auto send = [](auto& out) {
        (void)out.loan();
        out.commit();
    };
    const auto receive = [](auto& in) {
        if (!in.borrow()) wrong_message();
        in.give_back();
    };
    return in_two_processes(
        [&] {
            auto in = lanes.receiver(false);
            auto out = lanes.sender(true);
            const auto turn = [&] {
                send(out);
                receive(in);
            };
            for (std::uint64_t warm = 0; warm < kWarmTurns; ++warm) turn();
            return ns_per_turn(turn_count, turn);
        },
        [&] {
            auto in = lanes.receiver(true);
            auto out = lanes.sender(false);
            for (std::uint64_t turn = 0; turn < kWarmTurns + turn_count; ++turn) {
                receive(in);
                send(out);
            }
        });
}

// --- ours, and the raw limit, as lanes

constexpr char kThere[] = "messages-there";
constexpr char kBack[] = "messages-back";

template <std::size_t kBytes>
struct OurLanes {
    using Channel = ours::Channel<kBytes, slots_of<kBytes>()>;
    explicit OurLanes(Bench& bench) : there(bench, kThere), back(bench, kBack) {}
    Channel there, back;
    template <Waiting kWaiting>
    auto lanes() {
        return Lanes{[this](bool is_there) { return (is_there ? there : back).template sender<kWaiting>(); },
                     [this](bool is_there) { return (is_there ? there : back).template receiver<kWaiting>(); }};
    }
};

// Zeroed, and gone with this object.
template <typename T>
struct Shared {
    T& value = shared<T>();
    Shared() = default;
    ~Shared() { unshare(value); }
    Shared(const Shared&) = delete;
    Shared& operator=(const Shared&) = delete;
};

template <std::size_t kBytes>
struct RawLanes {
    using Ring = raw::Ring<kBytes, slots_of<kBytes>()>;
    Shared<Ring> there, back;
    template <typename HowToWait>
    auto lanes() {
        return Lanes{[this](bool is_there) { return raw::RingSender<Ring, HowToWait>((is_there ? there : back).value); },
                     [this](bool is_there) { return raw::RingReceiver<Ring, HowToWait>((is_there ? there : back).value); }};
    }
};

template <std::size_t kBytes, std::uint32_t kCommits, typename Send, typename Receive>
double our_one_way_ns(Bench& bench, std::uint64_t count, const Send& send, const Receive& receive) {
    ours::Channel<kBytes, slots_of<kBytes>()> channel(bench, kThere);
    return one_way_ns(count, [&] { return channel.template sender<Waiting::polling, kCommits>(); },
                      [&] { return channel.template receiver<Waiting::polling, kCommits>(); }, send, receive);
}

template <std::size_t kBytes, std::uint32_t kCommits, typename Send, typename Receive>
double raw_one_way_ns(std::uint64_t count, const Send& send, const Receive& receive) {
    using Ring = raw::Ring<kBytes, slots_of<kBytes>()>;
    const Shared<Ring> ring;
    return one_way_ns(count, [&] { return raw::RingSender<Ring, raw::Polling, kCommits>(ring.value); },
                      [&] { return raw::RingReceiver<Ring, raw::Polling, kCommits>(ring.value); }, send, receive);
}

// --- the peers, as lanes

// What a peer needs while it is measured: its lanes, and the process that serves it if there is one.
class PeerRun {
  public:
    PeerRun(const Bench& bench, const Peer& peer, std::size_t message_bytes, std::uint32_t slot_count, bool is_blocking)
        : peer_(peer), there_{bench.unique_name(kThere), bench.directory(), message_bytes, slot_count, is_blocking}, back_(there_) {
        back_.name = bench.unique_name(kBack);
        in_own_process([this] {
            peer_.make(there_);
            peer_.make(back_);
        });
        if (peer_.serve) server_.emplace([this] {
            unpin();
            peer_.serve(there_.directory);
        });
    }
    ~PeerRun() {
        in_own_process([this] {
            peer_.remove(there_);
            peer_.remove(back_);
        });
    }
    PeerRun(const PeerRun&) = delete;
    PeerRun& operator=(const PeerRun&) = delete;

    // One message at a time, copied.
    struct SenderEnd {
        std::unique_ptr<ring_peers::Sender> sender;
        void send(const std::byte* message) { sender->send(message); }
    };
    struct ReceiverEnd {
        std::unique_ptr<ring_peers::Receiver> receiver;
        std::size_t message_bytes;
        void receive(std::byte* message) {
            receiver->receive([&](const std::byte* seen) { std::memcpy(message, seen, message_bytes); });
        }
    };
    auto lanes() const {
        return Lanes{[this](bool is_there) { return SenderEnd{peer_.sender(is_there ? there_ : back_)}; },
                     [this](bool is_there) { return ReceiverEnd{peer_.receiver(is_there ? there_ : back_), there_.message_bytes}; }};
    }
    auto make_sender() const {
        return [this] { return peer_.sender(there_); };
    }
    auto make_receiver() const {
        return [this] { return peer_.receiver(there_); };
    }

  private:
    const Peer& peer_;
    Lane there_, back_;
    std::optional<Child> server_;
};

// As many at a time as the peer gives, each looked at where it lies.
template <typename Check>
auto receive_in_place(const Check& check_one) {
    return [check_one](std::unique_ptr<ring_peers::Receiver>& in, std::uint64_t sequence) {
        std::uint64_t count = 0;
        in->receive([&](const std::byte* message) { check_one(message, sequence + count++); });
        return count;
    };
}

template <std::size_t kBytes>
double peer_one_way_ns(const Bench& bench, const Peer& peer, std::uint64_t count) {
    const PeerRun run(bench, peer, kBytes, slots_of<kBytes>(), peer.can_block && !peer.is_fast);
    if constexpr (kBytes == kLarge) {
        const SendFilledCopy by_copy;
        const auto send = [&](std::unique_ptr<ring_peers::Sender>& out, std::uint64_t sequence) {
            if (std::byte* const place = out->loan()) {
                fill_large(place, sequence);
                out->commit();
            } else {
                by_copy(*out, sequence);
            }
        };
        return one_way_ns(count, run.make_sender(), run.make_receiver(), send, receive_in_place(check_large));
    } else {
        const SendCopies<kBytes> copies;
        const auto send = [&](std::unique_ptr<ring_peers::Sender>& out, std::uint64_t sequence) { copies(*out, sequence); };
        return one_way_ns(count, run.make_sender(), run.make_receiver(), send, receive_in_place(check<kBytes>));
    }
}

// --- rows: there and back

std::vector<Contender> talking_peers(Bench& bench, const std::vector<Peer>& peers, bool is_blocking, std::uint64_t fast_turns, std::uint64_t slow_turns) {
    std::vector<Contender> contenders;
    for (const auto& peer : peers) {
        if (!(is_blocking ? peer.can_block : peer.can_poll)) continue;
        const std::uint64_t turns = peer.is_fast ? fast_turns : slow_turns;
        contenders.push_back({peer.name, [&bench, &peer, is_blocking, turns] {
            const PeerRun run(bench, peer, kSmall, kSmallSlots, is_blocking);
            return talk_ns(turns, run.lanes());
        }});
    }
    return contenders;
}

void measure_polling(Bench& bench, const std::vector<Peer>& peers) {
    const std::uint64_t turns = bench.scaled(50'000);
    bench.run({kPollingRow, "ns", 1.15, "limit: a raw ring each way; both sides only look; every message is checked",
               [&] { return talk_ns(turns, OurLanes<kSmall>(bench).template lanes<Waiting::polling>()); },
               [&] { return talk_ns(turns, RawLanes<kSmall>().lanes<raw::Polling>()); },
               talking_peers(bench, peers, false, turns, bench.scaled(5000))});
}

void measure_blocking(Bench& bench, const std::vector<Peer>& peers) {
    const std::uint64_t turns = bench.scaled(50'000);
    bench.run({kBlockingRow, "ns", 1.3, "limit: raw rings, 2000 turns of spinning, then a futex with a sleeper bit",
               [&] { return talk_ns(turns, OurLanes<kSmall>(bench).template lanes<Waiting::blocking>()); },
               [&] { return talk_ns(turns, RawLanes<kSmall>().lanes<raw::SpinningFirst>()); },
               talking_peers(bench, peers, true, turns, bench.scaled(500))});
}

void measure_asleep(Bench& bench, const std::vector<Peer>& peers) {
    const auto turns = static_cast<std::uint32_t>(bench.scaled(60));
    double ours_slept = 0, limit_slept = 0;
    static double ignored = 0;
    std::vector<Contender> contenders;
    for (const auto& peer : peers)
        if (peer.can_block)
            contenders.push_back({peer.name, [&bench, &peer, turns] {
                const PeerRun run(bench, peer, kSmall, kSmallSlots, true);
                return talk_asleep_ns(turns, run.lanes(), ignored) / 1000;
            }});
    bench.run({kAsleepRow, "us", 1.1,
               fmt::format("limit: raw rings and a bare futex; before it sends, each side waits {} us, longer than the other spins", surely_asleep_ns() / 1000),
               [&] { return talk_asleep_ns(turns, OurLanes<kSmall>(bench).template lanes<Waiting::blocking>(), ours_slept) / 1000; },
               [&] { return talk_asleep_ns(turns, RawLanes<kSmall>().lanes<raw::Sleeping>(), limit_slept) / 1000; }, std::move(contenders)});
    bench.note(fmt::format("in the last round the waiters really slept in {:.0f} % of the turns (the limit's: {:.0f} %)", 100 * ours_slept, 100 * limit_slept));
}

// --- rows: one way

void note_rate(Bench& bench, double factor = 1) {
    const Row& row = bench.rows().back();
    const auto rate = [&](double ns) { return 1000 / ns * factor; };
    if (row.unit == "us") bench.note(fmt::format("{:.1f} k messages/s; the limit {:.1f}", rate(row.ours.median), rate(row.limit.median)));
    else bench.note(fmt::format("{:.2f} M messages/s; the limit {:.2f}", rate(row.ours.median), rate(row.limit.median)));
}

template <std::size_t kBytes>
std::vector<Contender> one_way_peers(Bench& bench, const std::vector<Peer>& peers, std::uint64_t fast_count, std::uint64_t slow_count, double divisor = 1) {
    std::vector<Contender> contenders;
    for (const auto& peer : peers)
        if (kBytes <= peer.message_bytes_max)
            contenders.push_back({peer.name, [&bench, &peer, divisor, count = peer.is_fast ? fast_count : slow_count] {
                return peer_one_way_ns<kBytes>(bench, peer, count) / divisor;
            }});
    return contenders;
}

template <std::size_t kBytes, std::uint32_t kCommits>
void measure_one_way(Bench& bench, const char* name, const std::string& note, std::uint64_t count, std::vector<Contender> peers) {
    bench.run({name, "ns", 1.0, note + "; copied in and out, every message is checked; the time of one message",
               [&bench, count] { return our_one_way_ns<kBytes, kCommits>(bench, count, SendCopies<kBytes>(), ReceiveCopies<kBytes>()); },
               [count] { return raw_one_way_ns<kBytes, kCommits>(count, SendCopies<kBytes>(), ReceiveCopies<kBytes>()); }, std::move(peers)});
    note_rate(bench);
}

// --- rows: large messages

void measure_hand_over(Bench& bench) {
    const std::uint64_t turns = bench.scaled(50'000);
    bench.run({kHandOverRow, "ns", 1.5, "limit: the same with ours of 64 B; loaned and borrowed, polling",
               [&] { return hand_over_ns(turns, OurLanes<kLarge>(bench).template lanes<Waiting::polling>()); },
               [&] { return hand_over_ns(turns, OurLanes<kSmall>(bench).template lanes<Waiting::polling>()); },
               {{"raw ring, 1 MiB", [&] { return hand_over_ns(turns, RawLanes<kLarge>().lanes<raw::Polling>()); }}}});
}

void measure_large(Bench& bench, const std::vector<Peer>& peers) {
    const std::uint64_t count = bench.scaled(500);
    auto contenders = one_way_peers<kLarge>(bench, peers, count, count, 1000);
    contenders.insert(contenders.begin(), {"raw ring, in place", [count] { return raw_one_way_ns<kLarge, 1>(count, SendInPlace(), ReceiveInPlace()) / 1000; }});
    bench.run({kLargeRow, "us", 1.0, "ours: loaned, filled, borrowed, summed; limit: a raw ring, copied in and out; peers that lend are used so",
               [&bench, count] { return our_one_way_ns<kLarge, 1>(bench, count, SendInPlace(), ReceiveInPlace()) / 1000; },
               [count] { return raw_one_way_ns<kLarge, 1>(count, SendFilledCopy(), ReceiveReadCopy()) / 1000; }, std::move(contenders)});
    note_rate(bench);
}

// --- rows: a crowd

// What all processes of a crowd know. Processes alternate between both processors.
struct Gate {
    alignas(128) std::atomic<std::uint32_t> ready_count;
    alignas(128) std::atomic<bool> is_open;
    alignas(128) std::atomic<std::uint64_t> end_ns;
    alignas(128) std::atomic<std::uint32_t> finished_count;
    std::atomic<std::uint64_t> received_count, received_sum;

    void wait_until_open() {
        ready_count.fetch_add(1, std::memory_order_acq_rel);
        while (!is_open.load(std::memory_order_acquire)) ::usleep(50);
    }
    void note_end() {
        const std::uint64_t at_ns = now_ns();
        std::uint64_t last_ns = end_ns.load(std::memory_order_relaxed);
        while (last_ns < at_ns && !end_ns.compare_exchange_weak(last_ns, at_ns, std::memory_order_relaxed)) {}
    }
};

// Nanoseconds from the opening of the gate until the last receiver has its last message.
template <typename Send, typename Receive>
double crowd_ns(std::uint32_t sender_count, std::uint32_t receiver_count, const Send& send, const Receive& receive) {
    const Shared<Gate> gate;
    std::vector<Child> children;
    const auto processor_of = [&](std::uint32_t index) { return index % 2 == 0 ? processors().second : processors().first; };
    for (std::uint32_t index = 0; index < sender_count; ++index)
        children.emplace_back([&] {
            pin_to(processor_of(index));
            send(index, gate.value);
        });
    for (std::uint32_t index = 0; index < receiver_count; ++index)
        children.emplace_back([&] {
            pin_to(processor_of(index + 1));
            receive(index, gate.value);
        });
    while (gate.value.ready_count.load(std::memory_order_acquire) < sender_count + receiver_count) ::usleep(50);
    const std::uint64_t begin_ns = now_ns();
    gate.value.is_open.store(true, std::memory_order_release);
    for (auto& child : children) child.join();
    return static_cast<double>(gate.value.end_ns.load(std::memory_order_relaxed) - begin_ns);
}

// Nanoseconds per message received, all receivers together. Everybody has `message_count` messages to receive.
template <typename MakeSender, typename MakeReceiver>
double channel_crowd_ns(std::uint32_t sender_count, std::uint32_t receiver_count, std::uint64_t message_count, const MakeSender& make_sender,
                        const MakeReceiver& make_receiver) {
    using Small = Message<kSmall>;
    const std::uint64_t each_count = message_count / sender_count;
    const double ns = crowd_ns(
        sender_count, receiver_count,
        [&](std::uint32_t index, Gate& gate) {
            auto out = make_sender();
            Small message;
            message.words[1] = index;
            gate.wait_until_open();
            for (std::uint64_t sequence = 0; sequence < each_count; ++sequence) {
                message.words[0] = sequence;
                out.send(message.bytes());
            }
        },
        [&](std::uint32_t index, Gate& gate) {
            auto in = make_receiver(index);
            Small message;
            std::array<std::uint64_t, kCrowdMax> next = {};
            gate.wait_until_open();
            for (std::uint64_t count = 0; count < each_count * sender_count; ++count) {
                in.receive(message.bytes());
                const std::uint64_t sender = message.words[1];
                if (sender >= sender_count || message.words[0] != next[sender]) wrong_message();
                if (Small::sum_of(message.bytes()) != next[sender]++ + sender + Small::kSumOfRest - 1) wrong_message();
            }
            gate.note_end();
        });
    return ns / static_cast<double>(each_count * sender_count * receiver_count);
}

double our_channel_crowd_ns(Bench& bench, std::uint32_t sender_count, std::uint32_t receiver_count, std::uint64_t message_count) {
    ours::CrowdChannel<kSmall, kSmallSlots> channel(bench, kThere, sender_count, receiver_count);
    return channel_crowd_ns(sender_count, receiver_count, message_count, [&] { return channel.sender(); },
                            [&](std::uint32_t index) { return channel.receiver(index); });
}

template <std::uint32_t kSpinTurns>
using LockedRing = raw::LockedRing<kSmall, kSmallSlots, kSpinTurns>;

template <typename LockedRing>
struct LockedEnd {
    LockedRing& ring;
    std::uint32_t reader = 0;
    void send(const std::byte* message) { ring.send(message); }
    void receive(std::byte* message) { ring.receive(reader, message); }
};

template <std::uint32_t kSpinTurns>
double locked_channel_crowd_ns(std::uint32_t sender_count, std::uint32_t receiver_count, std::uint64_t message_count) {
    const Shared<LockedRing<kSpinTurns>> ring;
    ring.value.init(receiver_count);
    return channel_crowd_ns(sender_count, receiver_count, message_count, [&] { return LockedEnd<LockedRing<kSpinTurns>>{ring.value}; },
                            [&](std::uint32_t index) { return LockedEnd<LockedRing<kSpinTurns>>{ring.value, index}; });
}

void measure_crowd_of(Bench& bench, const std::string& name, std::uint32_t publisher_count, std::uint32_t subscriber_count) {
    const std::uint64_t count = bench.scaled(600'000);
    const bool is_full = std::max(publisher_count, subscriber_count) == kCrowdMax;
    bench.run({name, "ns", is_full ? std::optional(1.0) : std::nullopt,
               "limit: a ring behind one robust pthread mutex, with conditions; blocking; the time of one message received, all receivers together",
               [&bench, publisher_count, subscriber_count, count] { return our_channel_crowd_ns(bench, publisher_count, subscriber_count, count); },
               [publisher_count, subscriber_count, count] { return locked_channel_crowd_ns<raw::kSpinTurns>(publisher_count, subscriber_count, count); },
               {{"the limit, sleeping at once",
                 [publisher_count, subscriber_count, count] { return locked_channel_crowd_ns<0>(publisher_count, subscriber_count, count); }}}});
    note_rate(bench);
}

// Nanoseconds per message. A message whose first word is kStop ends one taker: it is sent once for each when all is sent.
template <typename MakeProducer, typename MakeTaker>
double queue_crowd_ns(std::uint32_t producer_count, std::uint32_t taker_count, std::uint64_t message_count, const MakeProducer& make_producer,
                      const MakeTaker& make_taker) {
    using Small = Message<kSmall>;
    constexpr std::uint64_t kStop = UINT64_MAX;
    const std::uint64_t each_count = message_count / producer_count, all_count = each_count * producer_count;
    const Shared<std::array<std::atomic<std::uint64_t>, 2>> taken;  // how many, and the sum of their numbers
    const double ns = crowd_ns(
        producer_count, taker_count,
        [&](std::uint32_t index, Gate& gate) {
            auto out = make_producer();
            Small message;
            gate.wait_until_open();
            for (std::uint64_t sequence = 0; sequence < each_count; ++sequence) {
                message.words[0] = index * each_count + sequence;
                out.send(message.bytes());
            }
            if (gate.finished_count.fetch_add(1, std::memory_order_acq_rel) + 1 < producer_count) return;
            message.words[0] = kStop;
            for (std::uint32_t taker = 0; taker < taker_count; ++taker) out.send(message.bytes());
        },
        [&](std::uint32_t, Gate& gate) {
            auto in = make_taker();
            Small message;
            std::uint64_t count = 0, sum = 0;
            gate.wait_until_open();
            for (;; ++count) {
                in.receive(message.bytes());
                if (message.words[0] == kStop) break;
                check<kSmall>(message.bytes(), message.words[0]);
                sum += message.words[0];
            }
            gate.note_end();
            taken.value[0].fetch_add(count, std::memory_order_relaxed);
            taken.value[1].fetch_add(sum, std::memory_order_relaxed);
        });
    if (taken.value[0] != all_count || taken.value[1] != all_count * (all_count - 1) / 2) wrong_message();
    return ns / static_cast<double>(all_count);
}

void measure_queue(Bench& bench) {
    const std::uint64_t fast_count = bench.scaled(200'000), slow_count = bench.scaled(50'000);
    constexpr std::uint32_t kEnds = 2;
    const auto ours_ns = [&] {
        ours::Queue<kSmall, kSmallSlots> queue(bench, kThere);
        return queue_crowd_ns(kEnds, kEnds, fast_count, [&] { return queue.producer(); }, [&] { return queue.taker(); });
    };
    const auto peer_ns = [&](const ring_peers::QueuePeer& peer) {
        const Lane lane = {bench.unique_name(kThere), bench.directory(), kSmall, kSmallSlots, true};
        struct End {
            std::unique_ptr<ring_peers::SharedQueue> queue;
            void send(const std::byte* message) { queue->send(message); }
            void receive(std::byte* message) { queue->receive(message); }
        };
        in_own_process([&] { peer.make(lane); });
        const auto open = [&] { return End{peer.open(lane)}; };
        const double ns = queue_crowd_ns(kEnds, kEnds, slow_count, open, open);
        in_own_process([&] { peer.remove(lane); });
        return ns;
    };
    const auto locked_ns = [&] {
        const Shared<LockedRing<raw::kSpinTurns>> ring;
        ring.value.init(1);
        const auto open = [&] { return LockedEnd<LockedRing<raw::kSpinTurns>>{ring.value}; };
        return queue_crowd_ns(kEnds, kEnds, fast_count, open, open);
    };
    bench.run({kQueueRow, "ns", 0.333, "limit: Boost message_queue; blocking; two processes on each processor; the time of one message", ours_ns,
               [&] { return peer_ns(ring_peers::boost_queue()); },
               {{"POSIX mq", [&] { return peer_ns(ring_peers::posix_queue()); }}, {"a ring behind one robust mutex", locked_ns}}});
    note_rate(bench);
}

}  // namespace

void measure_rings(Bench& bench) {
    if (!processors().are_two()) return;
    const std::vector<Peer> peers = ring_peers::all();
    if (bench.wants(kPollingRow)) measure_polling(bench, peers);
    if (bench.wants(kBlockingRow)) measure_blocking(bench, peers);
    if (bench.wants(kAsleepRow)) measure_asleep(bench, peers);
    const std::uint64_t many = bench.scaled(1'000'000);
    if (bench.wants(kOneWayRow))
        measure_one_way<kSmall, 1>(bench, kOneWayRow, "limit: a raw ring, polling", many, one_way_peers<kSmall>(bench, peers, many, bench.scaled(30'000)));
    if (bench.wants(kBatchRow)) measure_one_way<kSmall, kBatch>(bench, kBatchRow, "limit: a raw ring that commits once per 16", many, {});
    if (bench.wants(kPageRow))
        measure_one_way<kPage, 1>(bench, kPageRow, "limit: a raw ring, polling", bench.scaled(100'000),
                                   one_way_peers<kPage>(bench, peers, bench.scaled(100'000), bench.scaled(20'000)));
    if (bench.wants(kHandOverRow)) measure_hand_over(bench);
    if (bench.wants(kLargeRow)) measure_large(bench, peers);
    for (std::uint32_t count = 1; count <= kCrowdMax; ++count)
        if (bench.wants(publishers_row(count))) measure_crowd_of(bench, publishers_row(count), count, 1);
    for (std::uint32_t count = 1; count <= kCrowdMax; ++count)
        if (bench.wants(subscribers_row(count))) measure_crowd_of(bench, subscribers_row(count), 1, count);
    if (bench.wants(kQueueRow)) measure_queue(bench);
}

}  // namespace comap::bench
