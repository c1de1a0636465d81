// SPDX-License-Identifier: Apache-2.0
// Others who carry messages between processes. A lane has a name and carries messages of one size, one way, from one sender to
// one receiver. Ends are made in the process that uses them, the receiver's first; a sender is complete when it is connected.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace comap::bench::ring_peers {

struct Lane {
    std::string name;       // unique to this run; its files begin with it
    std::string directory;  // for sockets and the like
    std::size_t message_bytes;
    std::uint32_t slot_count;
    bool is_blocking;  // who waits sleeps; otherwise he tries again and again
};

class Sender {
  public:
    virtual ~Sender() = default;
    virtual void send(const std::byte* message) = 0;
    // To write in place, for those who can; then commit().
    virtual std::byte* loan() { return nullptr; }
    virtual void commit() {}
};

// Sees a message where it lies.
using Visit = std::function<void(const std::byte*)>;

class Receiver {
  public:
    virtual ~Receiver() = default;
    // Waits for messages; visits one or more.
    virtual void receive(const Visit& visit) = 0;
};

struct Peer {
    std::string name;
    std::function<std::unique_ptr<Sender>(const Lane&)> sender;
    std::function<std::unique_ptr<Receiver>(const Lane&)> receiver;
    std::function<void(const Lane&)> make = [](const Lane&) {};  // before the ends, in a process of its own
    std::function<void(const Lane&)> remove = [](const Lane&) {};
    // Runs beside the measurement, in a process of its own, if there is any.
    std::function<void(const std::string& directory)> serve = {};
    bool can_block = true;
    bool can_poll = true;
    std::size_t message_bytes_max = SIZE_MAX;
    bool is_fast = false;  // well under a microsecond for a message: measured with as many messages as ours
};

// Those that were found when this was built.
std::vector<Peer> all();

// Queues: any number of senders and receivers, each message to one of them.
class SharedQueue {
  public:
    virtual ~SharedQueue() = default;
    virtual void send(const std::byte* message) = 0;
    virtual void receive(std::byte* message) = 0;
};
struct QueuePeer {
    std::string name;
    std::function<std::unique_ptr<SharedQueue>(const Lane&)> open;
    std::function<void(const Lane&)> make;
    std::function<void(const Lane&)> remove;
};
QueuePeer boost_queue();
QueuePeer posix_queue();

}  // namespace comap::bench::ring_peers
