// SPDX-License-Identifier: Apache-2.0
// Boost.Interprocess doing the same. Names are of POSIX shared memory, without the slash.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace comap::bench::boost_peers {

void make_object(const std::string& name, std::size_t size_bytes);   // shared_memory_object, truncated
void make_managed(const std::string& name, std::size_t size_bytes);  // managed_shared_memory
void remove(const std::string& name);

// One cycle each: the byte is the one that is touched.
void open_touch_leave_object(const std::string& name);
void open_touch_leave_managed(const std::string& name);
void create_touch_remove_object(const std::string& name, std::size_t size_bytes);
void create_touch_remove_managed(const std::string& name, std::size_t size_bytes);

// Two message_queues, as one end of a conversation.
class QueueEnd {
  public:
    QueueEnd(const std::string& out, const std::string& in);
    ~QueueEnd();
    void send();
    void receive();
    static void make(const std::string& name);
    static void remove(const std::string& name);

  private:
    struct Queues;
    std::unique_ptr<Queues> queues_;
};

// A named_mutex.
class NamedMutex {
  public:
    explicit NamedMutex(const std::string& name);  // made if it is not there
    ~NamedMutex();
    bool lock();  // false: it does not know whether its last owner died
    void unlock();
    static void remove(const std::string& name);

  private:
    struct Mutex;
    std::unique_ptr<Mutex> mutex_;
};

// A named_semaphore.
class NamedSemaphore {
  public:
    NamedSemaphore(const std::string& name, unsigned count);  // made if it is not there
    ~NamedSemaphore();
    void acquire();
    void release();
    static void remove(const std::string& name);

  private:
    struct Semaphore;
    std::unique_ptr<Semaphore> semaphore_;
};

// Boost has no events; one makes them of a mutex, a condition and a flag. Two of these, as one end of a conversation.
class EventEnd {
  public:
    struct Pair;
    static Pair& make();  // in memory that children share
    EventEnd(Pair& pair, bool is_first) : pair_(pair), is_first_(is_first) {}
    void send();
    void receive();

  private:
    Pair& pair_;
    bool is_first_;
};

}  // namespace comap::bench::boost_peers
