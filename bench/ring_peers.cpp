// SPDX-License-Identifier: Apache-2.0
#include "ring_peers.hpp"

#include <fcntl.h>
#include <mqueue.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <boost/lockfree/spsc_queue.hpp>

#include "harness.hpp"

#ifdef COMAP_BENCH_ZEROMQ
#include <zmq.h>
#endif
#ifdef COMAP_BENCH_AERON
extern "C" {
#include <aeronc.h>
#include <aeronmd.h>
}
#endif

namespace comap::bench::ring_peers {
namespace {

namespace ipc = boost::interprocess;

// --- Boost.Lockfree spsc_queue in shared memory. Its elements have a fixed size: one type for each size that is measured.

template <std::size_t kBytes>
struct Element {
    std::byte bytes[kBytes];
};

template <std::size_t kBytes, std::size_t kSlotCount>
class BoostSpsc : public Sender, public Receiver {
    using Queue = boost::lockfree::spsc_queue<Element<kBytes>, boost::lockfree::capacity<kSlotCount>>;

  public:
    explicit BoostSpsc(const std::string& name)
        : object_(ipc::open_only, name.c_str(), ipc::read_write), region_(object_, ipc::read_write), queue_(*static_cast<Queue*>(region_.get_address())) {}
    static void make(const std::string& name) {
        ipc::shared_memory_object object(ipc::create_only, name.c_str(), ipc::read_write);
        object.truncate(sizeof(Queue));
        ipc::mapped_region region(object, ipc::read_write);
        ::new (region.get_address()) Queue;
    }
    void send(const std::byte* message) override {
        while (!queue_.push(*reinterpret_cast<const Element<kBytes>*>(message))) pause_turn();
    }
    // The functor sees the element where it lies.
    void receive(const Visit& visit) override {
        while (!queue_.consume_one([&](const Element<kBytes>& element) { visit(element.bytes); })) pause_turn();
    }

  private:
    ipc::shared_memory_object object_;
    ipc::mapped_region region_;
    Queue& queue_;
};

template <typename Action>
auto with_spsc(const Lane& lane, const Action& action) {
    if (lane.message_bytes == 64) return action(std::type_identity<BoostSpsc<64, 1024>>{});
    if (lane.message_bytes == 4096) return action(std::type_identity<BoostSpsc<4096, 64>>{});
    if (lane.message_bytes == 1 << 20) return action(std::type_identity<BoostSpsc<1 << 20, 4>>{});
    give_up("no spsc_queue of this size");
}

Peer boost_spsc() {
    return {.name = "Boost lockfree spsc_queue",
            .sender = [](const Lane& lane) {
                return with_spsc(lane, [&]<typename T>(std::type_identity<T>) -> std::unique_ptr<Sender> { return std::make_unique<T>(lane.name); });
            },
            .receiver = [](const Lane& lane) {
                return with_spsc(lane, [&]<typename T>(std::type_identity<T>) -> std::unique_ptr<Receiver> { return std::make_unique<T>(lane.name); });
            },
            .make = [](const Lane& lane) { with_spsc(lane, [&]<typename T>(std::type_identity<T>) { T::make(lane.name); }); },
            .remove = [](const Lane& lane) { ipc::shared_memory_object::remove(lane.name.c_str()); },
            .can_block = false,
            .is_fast = true};
}

// --- Boost.Interprocess message_queue

class BoostQueue : public Sender, public Receiver, public SharedQueue {
  public:
    explicit BoostQueue(const Lane& lane) : queue_(ipc::open_only, lane.name.c_str()), message_(lane.message_bytes), is_blocking_(lane.is_blocking) {}
    void send(const std::byte* message) override {
        if (is_blocking_) queue_.send(message, message_.size(), 0);
        else
            while (!queue_.try_send(message, message_.size(), 0)) pause_turn();
    }
    void receive(std::byte* message) override {
        ipc::message_queue::size_type size_bytes = 0;
        unsigned priority = 0;
        if (is_blocking_) queue_.receive(message, message_.size(), size_bytes, priority);
        else
            while (!queue_.try_receive(message, message_.size(), size_bytes, priority)) pause_turn();
    }
    void receive(const Visit& visit) override {
        receive(message_.data());
        visit(message_.data());
    }

  private:
    ipc::message_queue queue_;
    std::vector<std::byte> message_;
    bool is_blocking_;
};

void make_boost_queue(const Lane& lane) { ipc::message_queue(ipc::create_only, lane.name.c_str(), lane.slot_count, lane.message_bytes); }
void remove_boost_queue(const Lane& lane) { ipc::message_queue::remove(lane.name.c_str()); }

Peer boost_message_queue() {
    return {.name = "Boost message_queue",
            .sender = [](const Lane& lane) { return std::make_unique<BoostQueue>(lane); },
            .receiver = [](const Lane& lane) { return std::make_unique<BoostQueue>(lane); },
            .make = make_boost_queue,
            .remove = remove_boost_queue};
}

// --- POSIX message queue

class PosixQueue : public Sender, public Receiver, public SharedQueue {
  public:
    explicit PosixQueue(const Lane& lane)
        : queue_(::mq_open(("/" + lane.name).c_str(), O_RDWR | O_CLOEXEC | (lane.is_blocking ? 0 : O_NONBLOCK))), message_(lane.message_bytes) {
        must_fd(queue_, "mq_open");
    }
    ~PosixQueue() override { ::mq_close(queue_); }
    void send(const std::byte* message) override {
        while (::mq_send(queue_, reinterpret_cast<const char*>(message), message_.size(), 0) != 0) pause_turn();
    }
    void receive(std::byte* message) override {
        while (::mq_receive(queue_, reinterpret_cast<char*>(message), message_.size(), nullptr) < 0) pause_turn();
    }
    void receive(const Visit& visit) override {
        receive(message_.data());
        visit(message_.data());
    }
    // As many messages as the others have, or as the system allows everybody.
    static void make(const Lane& lane) {
        int queue = -1;
        for (const std::uint32_t slot_count : {lane.slot_count, 10u}) {
            struct mq_attr attributes = {};
            attributes.mq_maxmsg = slot_count;
            attributes.mq_msgsize = static_cast<long>(lane.message_bytes);
            if (queue < 0) queue = ::mq_open(("/" + lane.name).c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600, &attributes);
        }
        must_fd(queue, "mq_open");
        ::mq_close(queue);
    }
    static void remove(const Lane& lane) { ::mq_unlink(("/" + lane.name).c_str()); }

  private:
    mqd_t queue_;
    std::vector<std::byte> message_;
};

Peer posix_message_queue() {
    return {.name = "POSIX mq",
            .sender = [](const Lane& lane) { return std::make_unique<PosixQueue>(lane); },
            .receiver = [](const Lane& lane) { return std::make_unique<PosixQueue>(lane); },
            .make = PosixQueue::make,
            .remove = PosixQueue::remove,
            .message_bytes_max = 8192};
}

// --- a named pipe

class Pipe : public Sender, public Receiver {
  public:
    // O_RDWR: opening does not wait for the other.
    explicit Pipe(const Lane& lane) : fd_(::open(path(lane).c_str(), O_RDWR | O_CLOEXEC | (lane.is_blocking ? 0 : O_NONBLOCK))), message_(lane.message_bytes) {
        must_fd(fd_, "open a pipe");
    }
    ~Pipe() override { ::close(fd_); }
    void send(const std::byte* message) override { all_of(const_cast<std::byte*>(message), ::write); }
    void receive(const Visit& visit) override {
        all_of(message_.data(), ::read);
        visit(message_.data());
    }
    static std::string path(const Lane& lane) { return lane.directory + "/" + lane.name; }

  private:
    template <typename Call>
    void all_of(std::byte* bytes, const Call& call) {
        for (std::size_t done = 0; done < message_.size();) {
            const ssize_t now = call(fd_, bytes + done, message_.size() - done);
            if (now > 0) done += static_cast<std::size_t>(now);
            else pause_turn();
        }
    }
    int fd_;
    std::vector<std::byte> message_;
};

Peer named_pipe() {
    return {.name = "pipe",
            .sender = [](const Lane& lane) { return std::make_unique<Pipe>(lane); },
            .receiver = [](const Lane& lane) { return std::make_unique<Pipe>(lane); },
            .make = [](const Lane& lane) { must_fd(::mkfifo(Pipe::path(lane).c_str(), 0600), "mkfifo"); },
            .remove = [](const Lane& lane) { ::unlink(Pipe::path(lane).c_str()); }};
}

// --- ZeroMQ, push and pull over ipc

#ifdef COMAP_BENCH_ZEROMQ
class ZeroMq : public Sender, public Receiver {
  public:
    ZeroMq(const Lane& lane, int kind)
        : context_(::zmq_ctx_new()), socket_(::zmq_socket(context_, kind)), message_bytes_(lane.message_bytes), flags_(lane.is_blocking ? 0 : ZMQ_DONTWAIT) {
        const int slot_count = static_cast<int>(lane.slot_count), soon_ms = 1;
        ::zmq_setsockopt(socket_, ZMQ_SNDHWM, &slot_count, sizeof slot_count);
        ::zmq_setsockopt(socket_, ZMQ_RCVHWM, &slot_count, sizeof slot_count);
        ::zmq_setsockopt(socket_, ZMQ_RECONNECT_IVL, &soon_ms, sizeof soon_ms);
        const std::string address = "ipc://" + lane.directory + "/" + lane.name;
        if (kind == ZMQ_PULL) must_fd(::zmq_bind(socket_, address.c_str()), "zmq_bind");
        else must_fd(::zmq_connect(socket_, address.c_str()), "zmq_connect");
        ::zmq_msg_init(&received_);
    }
    ~ZeroMq() override {
        ::zmq_msg_close(&received_);
        ::zmq_close(socket_);
        ::zmq_ctx_term(context_);
    }
    void send(const std::byte* message) override {
        while (::zmq_send(socket_, message, message_bytes_, flags_) < 0) pause_turn();
    }
    void receive(const Visit& visit) override {
        while (::zmq_msg_recv(&received_, socket_, flags_) < 0) pause_turn();
        visit(static_cast<const std::byte*>(::zmq_msg_data(&received_)));
    }

  private:
    void* context_;
    void* socket_;
    std::size_t message_bytes_;
    int flags_;
    zmq_msg_t received_;
};

Peer zeromq() {
    return {.name = "ZeroMQ",
            .sender = [](const Lane& lane) { return std::make_unique<ZeroMq>(lane, ZMQ_PUSH); },
            .receiver = [](const Lane& lane) { return std::make_unique<ZeroMq>(lane, ZMQ_PULL); },
            .remove = [](const Lane& lane) { ::unlink((lane.directory + "/" + lane.name).c_str()); }};
}
#endif

// --- iceoryx2, publish and subscribe, through peers/src/lib.rs

#ifdef COMAP_BENCH_ICEORYX2
extern "C" {
void* peer_iceoryx2_sender(const char* name, const char* directory, std::size_t message_bytes, std::size_t slot_count);
void* peer_iceoryx2_receiver(const char* name, const char* directory, std::size_t message_bytes, std::size_t slot_count);
std::byte* peer_iceoryx2_loan(void* sender);
void peer_iceoryx2_commit(void* sender);
const std::byte* peer_iceoryx2_borrow(void* receiver);  // null: there is none
void peer_iceoryx2_give_back(void* receiver);
void peer_iceoryx2_free_sender(void* sender);
void peer_iceoryx2_free_receiver(void* receiver);
}

void* must_pointer(void* pointer, const char* what) {
    if (!pointer) give_up(what);
    return pointer;
}

class Iceoryx2Sender : public Sender {
  public:
    explicit Iceoryx2Sender(const Lane& lane)
        : sender_(must_pointer(peer_iceoryx2_sender(lane.name.c_str(), lane.directory.c_str(), lane.message_bytes, lane.slot_count), "iceoryx2: no publisher")),
          message_bytes_(lane.message_bytes) {}
    ~Iceoryx2Sender() override { peer_iceoryx2_free_sender(sender_); }
    void send(const std::byte* message) override {
        std::memcpy(loan(), message, message_bytes_);
        commit();
    }
    std::byte* loan() override { return static_cast<std::byte*>(must_pointer(peer_iceoryx2_loan(sender_), "iceoryx2: no loan")); }
    void commit() override { peer_iceoryx2_commit(sender_); }

  private:
    void* sender_;
    std::size_t message_bytes_;
};

class Iceoryx2Receiver : public Receiver {
  public:
    explicit Iceoryx2Receiver(const Lane& lane)
        : receiver_(must_pointer(peer_iceoryx2_receiver(lane.name.c_str(), lane.directory.c_str(), lane.message_bytes, lane.slot_count),
                                 "iceoryx2: no subscriber")) {}
    ~Iceoryx2Receiver() override { peer_iceoryx2_free_receiver(receiver_); }
    void receive(const Visit& visit) override {
        const std::byte* message;
        while (!(message = peer_iceoryx2_borrow(receiver_))) pause_turn();
        visit(message);
        peer_iceoryx2_give_back(receiver_);
    }

  private:
    void* receiver_;
};

Peer iceoryx2() {
    return {.name = "iceoryx2",
            .sender = [](const Lane& lane) { return std::make_unique<Iceoryx2Sender>(lane); },
            .receiver = [](const Lane& lane) { return std::make_unique<Iceoryx2Receiver>(lane); },
            .can_block = false};
}
#endif

// --- Aeron, over its IPC; its driver is a process of its own

#ifdef COMAP_BENCH_AERON
void must_aeron(int result) {
    if (result < 0) give_up(fmt::format("Aeron: {}", ::aeron_errmsg()));
}

constexpr std::size_t kTermBytes = 16 << 20;    // a message of 1 MiB needs at least 8 MiB
constexpr std::size_t kFrameBytesMax = 60 << 10;
constexpr std::size_t kFragmentCountMax = 256;  // of one poll

std::string aeron_directory(const std::string& directory) { return directory + "/aeron"; }

class AeronClient {
  public:
    explicit AeronClient(const Lane& lane) {
        must_aeron(::aeron_context_init(&context_));
        must_aeron(::aeron_context_set_dir(context_, aeron_directory(lane.directory).c_str()));
        must_aeron(::aeron_init(&client_, context_));
        must_aeron(::aeron_start(client_));
    }
    ~AeronClient() {
        ::aeron_close(client_);
        ::aeron_context_close(context_);
    }
    aeron_t* get() { return client_; }
    static std::string address(const Lane& lane) { return "aeron:ipc?alias=" + lane.name; }
    // Lanes differ by their stream: addresses of ipc have no names.
    static std::int32_t stream(const Lane& lane) { return static_cast<std::int32_t>(std::hash<std::string>{}(lane.name) & 0x7fff'ffff); }

  private:
    aeron_context_t* context_ = nullptr;
    aeron_t* client_ = nullptr;
};

class AeronSender : public Sender {
  public:
    explicit AeronSender(const Lane& lane) : client_(lane), message_bytes_(lane.message_bytes) {
        aeron_async_add_exclusive_publication_t* adding = nullptr;
        must_aeron(::aeron_async_add_exclusive_publication(&adding, client_.get(), AeronClient::address(lane).c_str(), AeronClient::stream(lane)));
        while (!publication_) must_aeron(::aeron_async_add_exclusive_publication_poll(&publication_, adding));
        while (!::aeron_exclusive_publication_is_connected(publication_)) ::usleep(1000);
    }
    ~AeronSender() override { ::aeron_exclusive_publication_close(publication_, nullptr, nullptr); }
    void send(const std::byte* message) override {
        if (message_bytes_ < kFrameBytesMax / 2) {
            aeron_buffer_claim_t claim;
            retry([&] { return ::aeron_exclusive_publication_try_claim(publication_, message_bytes_, &claim); });
            std::memcpy(claim.data, message, message_bytes_);
            ::aeron_buffer_claim_commit(&claim);
        } else {
            const auto* const bytes = reinterpret_cast<const std::uint8_t*>(message);
            retry([&] { return ::aeron_exclusive_publication_offer(publication_, bytes, message_bytes_, nullptr, nullptr); });
        }
    }

  private:
    template <typename Call>
    static void retry(const Call& call) {
        for (std::int64_t result; (result = call()) < 0; pause_turn())
            if (result == AERON_PUBLICATION_ERROR || result == AERON_PUBLICATION_CLOSED) give_up(fmt::format("Aeron: {}", ::aeron_errmsg()));
    }
    AeronClient client_;
    std::size_t message_bytes_;
    aeron_exclusive_publication_t* publication_ = nullptr;
};

class AeronReceiver : public Receiver {
  public:
    explicit AeronReceiver(const Lane& lane) : client_(lane) {
        aeron_async_add_subscription_t* adding = nullptr;
        must_aeron(::aeron_async_add_subscription(&adding, client_.get(), AeronClient::address(lane).c_str(), AeronClient::stream(lane), nullptr,
                                                  nullptr, nullptr, nullptr));
        while (!subscription_) must_aeron(::aeron_async_add_subscription_poll(&subscription_, adding));
        must_aeron(::aeron_fragment_assembler_create(&assembler_, &AeronReceiver::see, this));
    }
    ~AeronReceiver() override {
        ::aeron_subscription_close(subscription_, nullptr, nullptr);
        ::aeron_fragment_assembler_delete(assembler_);
    }
    void receive(const Visit& visit) override {
        visit_ = &visit;
        for (seen_count_ = 0; seen_count_ == 0;)
            if (::aeron_subscription_poll(subscription_, ::aeron_fragment_assembler_handler, assembler_, kFragmentCountMax) <= 0) pause_turn();
    }

  private:
    static void see(void* self, const std::uint8_t* message, std::size_t, aeron_header_t*) {
        auto& receiver = *static_cast<AeronReceiver*>(self);
        ++receiver.seen_count_;
        (*receiver.visit_)(reinterpret_cast<const std::byte*>(message));
    }
    AeronClient client_;
    aeron_subscription_t* subscription_ = nullptr;
    aeron_fragment_assembler_t* assembler_ = nullptr;
    const Visit* visit_ = nullptr;
    std::uint64_t seen_count_ = 0;
};

// One thread for everything: there are but two processors, and both are busy.
void serve_aeron(const std::string& directory) {
    aeron_driver_context_t* context = nullptr;
    aeron_driver_t* driver = nullptr;
    must_aeron(::aeron_driver_context_init(&context));
    must_aeron(::aeron_driver_context_set_dir(context, aeron_directory(directory).c_str()));
    ::aeron_driver_context_set_dir_delete_on_start(context, true);
    ::aeron_driver_context_set_dir_warn_if_exists(context, false);
    ::aeron_driver_context_set_print_configuration(context, false);
    ::aeron_driver_context_set_threading_mode(context, AERON_THREADING_MODE_SHARED);
    ::aeron_driver_context_set_ipc_term_buffer_length(context, kTermBytes);
    ::aeron_driver_context_set_ipc_mtu_length(context, kFrameBytesMax);
    ::aeron_driver_context_set_term_buffer_sparse_file(context, false);
    must_aeron(::aeron_driver_init(&driver, context));
    must_aeron(::aeron_driver_start(driver, true));
    for (;;) ::aeron_driver_main_idle_strategy(driver, ::aeron_driver_main_do_work(driver));
}

Peer aeron() {
    return {.name = "Aeron",
            .sender = [](const Lane& lane) { return std::make_unique<AeronSender>(lane); },
            .receiver = [](const Lane& lane) { return std::make_unique<AeronReceiver>(lane); },
            // Clients would take what the last driver left for a living one.
            .make = [](const Lane& lane) { std::filesystem::remove_all(aeron_directory(lane.directory)); },
            .serve = serve_aeron,
            .can_block = false,
            .is_fast = true};
}
#endif

}  // namespace

std::vector<Peer> all() {
    return {boost_spsc(), boost_message_queue(), posix_message_queue(), named_pipe(),
#ifdef COMAP_BENCH_ZEROMQ
            zeromq(),
#endif
#ifdef COMAP_BENCH_ICEORYX2
            iceoryx2(),
#endif
#ifdef COMAP_BENCH_AERON
            aeron(),
#endif
    };
}

QueuePeer boost_queue() {
    return {"Boost message_queue", [](const Lane& lane) { return std::make_unique<BoostQueue>(lane); }, make_boost_queue, remove_boost_queue};
}

QueuePeer posix_queue() {
    return {"POSIX mq", [](const Lane& lane) { return std::make_unique<PosixQueue>(lane); }, PosixQueue::make, PosixQueue::remove};
}

}  // namespace comap::bench::ring_peers
