// SPDX-License-Identifier: Apache-2.0
// What it costs to say that something changed, and to hear it. Two processes, each pinned to a processor of its own.
#include <mqueue.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <cmath>
#include <memory>

#include "boost_peers.hpp"
#include "conversation.hpp"
#include "harness.hpp"
#include "raw.hpp"

namespace comap::bench {
namespace {

constexpr char kPublishRow[] = "publish, nobody watching";
constexpr char kSpinningRow[] = "publish to wake, there and back";
constexpr char kAsleepRow[] = "publish to wake, asleep, one way";
constexpr char kDescriptorRow[] = "fd wake, there and back";

constexpr char kThere[] = "there";
constexpr char kBack[] = "back";

// --- one end of a conversation. Each is made in the process that uses it: `is_first` sends there and receives back.

class OurEnd {
  public:
    OurEnd(Context& context, bool is_first)
        : out_(must(Section::open(is_first ? kThere : kBack, {}, context))),
          in_(must(Section::open(is_first ? kBack : kThere, {}, context))),
          seen_(must(in_.version())) {}
    void send() { must(out_.publish()); }
    void receive() {
        while (must(in_.wait(seen_, Deadline::forever())) != Wait::changed) {}
        seen_ = must(in_.version());
    }

  private:
    Section out_;
    Section in_;
    std::uint32_t seen_;
};

// With a Watcher and poll.
class OurDescriptorEnd {
  public:
    OurDescriptorEnd(Context& context, bool is_first)
        : out_(must(Section::open(is_first ? kThere : kBack, {}, context))),
          in_(must(Section::open(is_first ? kBack : kThere, {}, context))),
          watcher_(must(Watcher::create())) {
        must(watcher_.add(in_, 1, must(in_.version())));
    }
    void send() { must(out_.publish()); }
    void receive() {
        bool has_changed = false;
        while (!has_changed) {
            struct pollfd readable = {watcher_.descriptor(), POLLIN, 0};
            ::poll(&readable, 1, -1);
            while (must(watcher_.next())) has_changed = true;
        }
    }

  private:
    Section out_;
    Section in_;
    Watcher watcher_;
};

// Descriptors that both processes have.
struct DescriptorPair {
    int there = -1;
    int back = -1;
    bool is_there() const { return there >= 0 && back >= 0; }
    void close() {
        ::close(there);
        ::close(back);
    }
};

class MessageQueueEnd {
  public:
    MessageQueueEnd(const DescriptorPair& queues, bool is_first) : out_(is_first ? queues.there : queues.back), in_(is_first ? queues.back : queues.there) {}
    void send() { ::mq_send(out_, "x", 1, 0); }
    void receive() {
        char byte;
        while (::mq_receive(in_, &byte, 1, nullptr) < 0) {}
    }

  private:
    mqd_t out_;
    mqd_t in_;
};

class EventEnd {
  public:
    EventEnd(const DescriptorPair& events, bool is_first) : out_(is_first ? events.there : events.back), in_(is_first ? events.back : events.there) {}
    void send() { (void)!::write(out_, &kOne, sizeof kOne); }
    void receive() {
        struct pollfd readable = {in_, POLLIN, 0};
        ::poll(&readable, 1, -1);
        std::uint64_t count = 0;
        (void)!::read(in_, &count, sizeof count);
    }

  private:
    static constexpr std::uint64_t kOne = 1;
    int out_;
    int in_;
};

// futimens on a file that the other watches by inotify.
class TouchEnd {
  public:
    TouchEnd(const std::string& directory, bool is_first)
        : out_(open_file(directory, is_first ? kThere : kBack)), in_(open_file(directory, is_first ? kBack : kThere)), events_(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC)) {
        must_fd(events_, "inotify_init1");
        must_fd(::inotify_add_watch(events_, path(directory, is_first ? kBack : kThere).c_str(), IN_ATTRIB), "inotify_add_watch");
    }
    ~TouchEnd() {
        for (const int fd : {out_, in_, events_}) ::close(fd);
    }
    TouchEnd(const TouchEnd&) = delete;
    TouchEnd& operator=(const TouchEnd&) = delete;
    void send() { ::futimens(out_, nullptr); }
    void receive() {
        struct pollfd readable = {events_, POLLIN, 0};
        ::poll(&readable, 1, -1);
        alignas(inotify_event) char buffer[4096];
        (void)!::read(events_, buffer, sizeof buffer);
    }

  private:
    static std::string path(const std::string& directory, const char* name) { return fmt::format("{}/{}", directory, name); }
    static int open_file(const std::string& directory, const char* name) {
        return must_fd(::open(path(directory, name).c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600), "open");
    }
    int out_;
    int in_;
    int events_;
};

// --- the message queues

DescriptorPair make_message_queues(const Bench& bench) {
    const auto make = [&](const char* what) {
        struct mq_attr attributes = {};
        attributes.mq_maxmsg = 8;
        attributes.mq_msgsize = 1;
        const std::string name = "/" + bench.unique_name(what);
        const int queue = ::mq_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
        ::mq_unlink(name.c_str());  // both processes have the descriptor
        return queue;
    };
    return {make(kThere), make(kBack)};
}

// --- the rows

void measure_publish(Bench& bench) {
    constexpr std::uint64_t kTurns = 1'000'000;
    const std::uint64_t turns = bench.scaled(kTurns);
    const Section section = must(Section::create("published", 64, {}, bench.context()));
    auto& word = shared<std::atomic<std::uint32_t>>();
    bench.run({kPublishRow, "ns", 1.6, "limit: one fetch_add on shared memory that nobody else uses",
               [&] { return ns_per_turn(turns, [&] { must(section.publish()); }); },
               [&] { return ns_per_turn(turns, [&] { word.fetch_add(1, std::memory_order_seq_cst); }); }, {}});
    ::munmap(&word, sizeof word);
}

// Both sections, held while a row is measured.
struct Sections {
    explicit Sections(Context& context)
        : there(must(Section::create(kThere, 64, {}, context))), back(must(Section::create(kBack, 64, {}, context))) {}
    Section there, back;
};

void measure_there_and_back(Bench& bench) {
    const std::uint64_t spinning_turns = bench.scaled(50'000);
    const std::uint64_t sleeping_turns = bench.scaled(500);
    const Sections sections(bench.context());
    auto& words = shared<WordPair>();
    auto& semaphores = *::new (shared_bytes(sizeof(SemaphorePair))) SemaphorePair;
    DescriptorPair queues = make_message_queues(bench);
    const std::string boost_there = bench.unique_name(kThere), boost_back = bench.unique_name(kBack);
    boost_peers::QueueEnd::make(boost_there);
    boost_peers::QueueEnd::make(boost_back);
    const auto boost_end = [&](bool is_first) {
        return std::make_unique<boost_peers::QueueEnd>(is_first ? boost_there : boost_back, is_first ? boost_back : boost_there);
    };
    bench.run({kSpinningRow, "ns", 1.3, "limit: two shared words, 2000 turns of spinning, then a futex with a sleeper bit",
               [&] { return there_and_back_ns(spinning_turns, [&](bool is_first) { return std::make_unique<OurEnd>(bench.context(), is_first); }); },
               [&] { return there_and_back_ns(spinning_turns, [&](bool is_first) { return std::make_unique<WordEnd<raw::SpinThenSleep>>(words, is_first); }); },
               {{"futex alone", [&] { return there_and_back_ns(sleeping_turns, [&](bool is_first) { return std::make_unique<WordEnd<raw::Futex>>(words, is_first); }); }},
                {"sem_t (also Boost's)", [&] { return there_and_back_ns(sleeping_turns, [&](bool is_first) { return std::make_unique<SemaphoreEnd>(semaphores, is_first); }); }},
                {"POSIX mq", [&] { return queues.is_there() ? there_and_back_ns(sleeping_turns, [&](bool is_first) { return std::make_unique<MessageQueueEnd>(queues, is_first); }) : NAN; }},
                {"Boost message_queue", [&] { return there_and_back_ns(sleeping_turns, boost_end); }}}});
    boost_peers::QueueEnd::remove(boost_there);
    boost_peers::QueueEnd::remove(boost_back);
    queues.close();
}

void measure_asleep(Bench& bench) {
    const auto turns = static_cast<std::uint32_t>(bench.scaled(200));
    const Sections sections(bench.context());
    auto& words = shared<WordPair>();
    auto& semaphores = *::new (shared_bytes(sizeof(SemaphorePair))) SemaphorePair;
    double ours_slept = 0, limit_slept = 0, ignored = 0;
    bench.run({kAsleepRow, "us", 1.1,
               fmt::format("limit: a bare futex; before each publish the other has waited {} us, longer than it spins; CLOCK_MONOTONIC on both sides", surely_asleep_ns() / 1000),
               [&] { return wake_asleep_ns(turns, [&](bool is_first) { return std::make_unique<OurEnd>(bench.context(), is_first); }, ours_slept) / 1000; },
               [&] { return wake_asleep_ns(turns, [&](bool is_first) { return std::make_unique<WordEnd<raw::Futex>>(words, is_first); }, limit_slept) / 1000; },
               {{"sem_t (also Boost's)", [&] { return wake_asleep_ns(turns, [&](bool is_first) { return std::make_unique<SemaphoreEnd>(semaphores, is_first); }, ignored) / 1000; }}}});
    bench.note(fmt::format("in the last round the waiter really slept in {:.0f} % of the turns (the limit's: {:.0f} %)", 100 * ours_slept, 100 * limit_slept));
}

void measure_descriptor(Bench& bench) {
    const std::uint64_t turns = bench.scaled(500);
    const Sections sections(bench.context());
    DescriptorPair events = {::eventfd(0, EFD_CLOEXEC), ::eventfd(0, EFD_CLOEXEC)};
    bench.run({kDescriptorRow, "us", 1.3, "ours: Watcher and poll; limit: futimens on a file, inotify, poll, read",
               [&] { return there_and_back_ns(turns, [&](bool is_first) { return std::make_unique<OurDescriptorEnd>(bench.context(), is_first); }) / 1000; },
               [&] { return there_and_back_ns(turns, [&](bool is_first) { return std::make_unique<TouchEnd>(bench.directory(), is_first); }) / 1000; },
               {{"eventfd (inherited, not by name)", [&] { return there_and_back_ns(turns, [&](bool is_first) { return std::make_unique<EventEnd>(events, is_first); }) / 1000; }}}});
    events.close();
}

}  // namespace

void measure_notification(Bench& bench) {
    if (bench.wants(kPublishRow)) measure_publish(bench);
    if (!processors().are_two()) return;
    if (bench.wants(kSpinningRow)) measure_there_and_back(bench);
    if (bench.wants(kAsleepRow)) measure_asleep(bench);
    if (bench.wants(kDescriptorRow)) measure_descriptor(bench);
}

}  // namespace comap::bench
