// SPDX-License-Identifier: Apache-2.0
#include "boost_peers.hpp"

#include <boost/interprocess/ipc/message_queue.hpp>
#include <boost/interprocess/managed_shared_memory.hpp>
#include <boost/interprocess/mapped_region.hpp>
#include <boost/interprocess/shared_memory_object.hpp>
#include <boost/interprocess/sync/interprocess_condition.hpp>
#include <boost/interprocess/sync/interprocess_mutex.hpp>
#include <boost/interprocess/sync/named_mutex.hpp>
#include <boost/interprocess/sync/named_semaphore.hpp>
#include <boost/interprocess/sync/scoped_lock.hpp>

#include "harness.hpp"

namespace comap::bench::boost_peers {
namespace {

namespace ipc = boost::interprocess;

constexpr char kFound[] = "value";

void touch(void* address) { *static_cast<volatile char*>(address) = 1; }

}  // namespace

void make_object(const std::string& name, std::size_t size_bytes) {
    ipc::shared_memory_object object(ipc::create_only, name.c_str(), ipc::read_write);
    object.truncate(static_cast<ipc::offset_t>(size_bytes));
}

void make_managed(const std::string& name, std::size_t size_bytes) {
    ipc::managed_shared_memory segment(ipc::create_only, name.c_str(), size_bytes);
    segment.construct<char>(kFound)('x');
}

void remove(const std::string& name) { ipc::shared_memory_object::remove(name.c_str()); }

void open_touch_leave_object(const std::string& name) {
    ipc::shared_memory_object object(ipc::open_only, name.c_str(), ipc::read_write);
    ipc::mapped_region region(object, ipc::read_write);
    touch(region.get_address());
}

void open_touch_leave_managed(const std::string& name) {
    ipc::managed_shared_memory segment(ipc::open_only, name.c_str());
    touch(segment.find<char>(kFound).first);
}

void create_touch_remove_object(const std::string& name, std::size_t size_bytes) {
    {
        ipc::shared_memory_object object(ipc::create_only, name.c_str(), ipc::read_write);
        object.truncate(static_cast<ipc::offset_t>(size_bytes));
        ipc::mapped_region region(object, ipc::read_write);
        touch(region.get_address());
    }
    remove(name);
}

void create_touch_remove_managed(const std::string& name, std::size_t size_bytes) {
    {
        ipc::managed_shared_memory segment(ipc::create_only, name.c_str(), size_bytes);
        touch(segment.construct<char>(kFound)('x'));
    }
    remove(name);
}

struct QueueEnd::Queues {
    Queues(const std::string& out_name, const std::string& in_name)
        : out(ipc::open_only, out_name.c_str()), in(ipc::open_only, in_name.c_str()) {}
    ipc::message_queue out;
    ipc::message_queue in;
};

QueueEnd::QueueEnd(const std::string& out, const std::string& in) : queues_(std::make_unique<Queues>(out, in)) {}
QueueEnd::~QueueEnd() = default;

void QueueEnd::send() {
    const int word = 1;
    queues_->out.send(&word, sizeof word, 0);
}

void QueueEnd::receive() {
    int word = 0;
    ipc::message_queue::size_type size_bytes = 0;
    unsigned priority = 0;
    queues_->in.receive(&word, sizeof word, size_bytes, priority);
}

void QueueEnd::make(const std::string& name) { ipc::message_queue(ipc::create_only, name.c_str(), 16, sizeof(int)); }
void QueueEnd::remove(const std::string& name) { ipc::message_queue::remove(name.c_str()); }

struct NamedMutex::Mutex {
    explicit Mutex(const std::string& name) : mutex(ipc::open_or_create, name.c_str()) {}
    ipc::named_mutex mutex;
};

NamedMutex::NamedMutex(const std::string& name) : mutex_(std::make_unique<Mutex>(name)) {}
NamedMutex::~NamedMutex() = default;
bool NamedMutex::lock() {
    mutex_->mutex.lock();
    return false;
}
void NamedMutex::unlock() { mutex_->mutex.unlock(); }
void NamedMutex::remove(const std::string& name) { ipc::named_mutex::remove(name.c_str()); }

struct NamedSemaphore::Semaphore {
    Semaphore(const std::string& name, unsigned count) : semaphore(ipc::open_or_create, name.c_str(), count) {}
    ipc::named_semaphore semaphore;
};

NamedSemaphore::NamedSemaphore(const std::string& name, unsigned count) : semaphore_(std::make_unique<Semaphore>(name, count)) {}
NamedSemaphore::~NamedSemaphore() = default;
void NamedSemaphore::acquire() { semaphore_->semaphore.wait(); }
void NamedSemaphore::release() { semaphore_->semaphore.post(); }
void NamedSemaphore::remove(const std::string& name) { ipc::named_semaphore::remove(name.c_str()); }

struct EventEnd::Pair {
    struct alignas(128) Event {
        ipc::interprocess_mutex mutex;
        ipc::interprocess_condition condition;
        bool is_set = false;
    };
    Event there, back;
};

EventEnd::Pair& EventEnd::make() { return *::new (shared_bytes(sizeof(Pair))) Pair; }

void EventEnd::send() {
    Pair::Event& event = is_first_ ? pair_.there : pair_.back;
    const ipc::scoped_lock<ipc::interprocess_mutex> guard(event.mutex);
    event.is_set = true;
    event.condition.notify_one();
}

void EventEnd::receive() {
    Pair::Event& event = is_first_ ? pair_.back : pair_.there;
    ipc::scoped_lock<ipc::interprocess_mutex> guard(event.mutex);
    while (!event.is_set) event.condition.wait(guard);
    event.is_set = false;
}

}  // namespace comap::bench::boost_peers
