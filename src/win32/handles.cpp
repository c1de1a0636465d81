// SPDX-License-Identifier: Apache-2.0
// The idea of HandleUse is that of hazard pointers, with the fence moved to who takes a row out: he lets the kernel run a
// barrier on every core of this process (membarrier), so that a look-up needs none.
#include "win32/handles.hpp"

#include <array>
#include <cstdlib>
#include <linux/membarrier.h>
#include <mutex>
#include <pthread.h>
#include <sched.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <utility>
#include <vector>

namespace comap::win32 {

constinit std::array<std::atomic<HandlePage*>, kHandlePagesMax> handle_pages{};
constinit thread_local HandleLook* own_handle_look = nullptr;

namespace {

constinit std::atomic<HandleLook*> looks{nullptr};

struct Table {
    std::mutex mutex;
    std::vector<std::uint32_t> free;  // indices below `used_count` that hold nothing
    std::uint32_t used_count = 0;
};

// Lives until the process ends, whatever threads and destructors still do.
Table& table() {
    static Table* const the_table = new Table;
    return *the_table;
}

bool register_barriers() { return ::syscall(SYS_membarrier, MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED, 0, 0) == 0; }

// Run when a thread ends, after the destructors of its thread_local objects; again if somebody looks something up after that.
void free_look(void* look) {
    own_handle_look = nullptr;
    static_cast<HandleLook*>(look)->is_taken.store(false, std::memory_order_release);  // SYNC look.free: pairs with look.take
}

pthread_key_t make_look_key() {
    pthread_key_t key = 0;
    if (::pthread_key_create(&key, free_look) != 0) std::abort();  // every thread would leave its look behind
    return key;
}

HandleLook* find_free_look() {
    for (HandleLook* look = looks.load(std::memory_order_acquire); look; look = look->next) {  // SYNC looks.walk: pairs with looks.add
        bool is_taken = false;
        // SYNC look.take: pairs with look.free
        if (look->is_taken.compare_exchange_strong(is_taken, true, std::memory_order_acquire, std::memory_order_relaxed)) return look;
    }
    return nullptr;
}

HandleLook* add_look() {
    auto* const look = new HandleLook;
    look->next = looks.load(std::memory_order_relaxed);
    // SYNC looks.add: pairs with looks.walk
    while (!looks.compare_exchange_weak(look->next, look, std::memory_order_release, std::memory_order_relaxed)) {}
    return look;
}

std::optional<std::uint32_t> index_of(HANDLE handle) {
    const auto value = reinterpret_cast<std::uintptr_t>(handle) / 4;
    if (value == 0 || value > kHandlePageRows * kHandlePagesMax) return std::nullopt;
    return static_cast<std::uint32_t>(value - 1);
}

HANDLE handle_of(std::uint32_t index) { return reinterpret_cast<HANDLE>((std::uintptr_t{index} + 1) * 4); }

// REQUIRES: the table's mutex.
HandleRow& row_to_fill(std::uint32_t index) {
    std::atomic<HandlePage*>& page = handle_pages[index / kHandlePageRows];
    if (!page.load(std::memory_order_relaxed)) page.store(new HandlePage, std::memory_order_release);  // SYNC page.add: pairs with page.find
    return *handle_row(handle_of(index));
}

// These three REQUIRE: the table's mutex.
HandleInfo info_of(const HandleRow& row) { return {row.access.load(std::memory_order_relaxed), row.is_inherited, row.is_protected}; }

void set_info(HandleRow& row, const HandleInfo& info) {
    row.is_inherited = info.is_inherited;
    row.is_protected = info.is_protected;
    row.access.store(info.access, std::memory_order_relaxed);
}

void fill(HandleRow& row, std::shared_ptr<KernelObject> object, const HandleInfo& info) {
    row.owner = std::move(object);
    set_info(row, info);
    row.object.store(row.owner.get(), std::memory_order_release);  // SYNC row.fill: pairs with row.use
}

// Returns when no other thread can be using what it found, before they were emptied, in rows of which is_emptied(row).
template <typename IsEmptied>
void wait_for_looks_at(const IsEmptied& is_emptied) {
    if (__libc_single_threaded) return;
    if (has_barriers)
        ::syscall(SYS_membarrier, MEMBARRIER_CMD_PRIVATE_EXPEDITED, 0, 0);
    else
        std::atomic_thread_fence(std::memory_order_seq_cst);
    for (const HandleLook* look = looks.load(std::memory_order_acquire); look; look = look->next)  // SYNC looks.walk: pairs with looks.add
        while (look != own_handle_look && is_emptied(look->row.load(std::memory_order_acquire))) ::sched_yield();  // SYNC look.wait: pairs with look.end
}

// The thread that ends the process, once the handles are out of the table; 0: it goes on. Set under the table's mutex.
std::atomic<pid_t> ending_thread{0};

bool process_ends_elsewhere() {
    const pid_t thread = ending_thread.load(std::memory_order_relaxed);
    return thread != 0 && thread != ::gettid();
}

// REQUIRES: the table's mutex. Whoever looks one of them up finds nothing any more.
std::vector<std::shared_ptr<KernelObject>> take_all_out() {
    std::vector<std::shared_ptr<KernelObject>> objects;
    for (std::uint32_t index = 0; index < table().used_count; ++index) {
        HandleRow* const row = handle_row(handle_of(index));
        if (!row || !row->owner) continue;
        objects.push_back(std::exchange(row->owner, nullptr));
        row->object.store(nullptr, std::memory_order_release);  // SYNC row.end: who finds nothing sees why; pairs with row.use
        table().free.push_back(index);
    }
    return objects;
}

// For programs that return from main or call ExitProcess: as on Windows, what they did not close is closed, protected handles
// too. This runs after their own destructors and exit handlers, while their other threads go on; what one of those is using or
// waiting for keeps its name, as in a process that is killed. In the child of a fork that calls exit it closes only what is the child's.
[[gnu::destructor]] void close_handles_at_exit() {
    std::vector<std::shared_ptr<KernelObject>> objects;
    {
        const std::lock_guard guard(table().mutex);
        ending_thread.store(::gettid(), std::memory_order_relaxed);
        objects = take_all_out();
    }
    wait_for_looks_at([](const HandleRow* row) { return row != nullptr; });
    for (const auto& object : objects) object->at_process_end();
    objects.clear();
}

// In the child of a fork: the other threads, whatever they were looking at, are not there.
void forget_others() {
    for (HandleLook* look = looks.load(std::memory_order_relaxed); look; look = look->next) {
        if (look == own_handle_look) continue;
        look->row.store(nullptr, std::memory_order_relaxed);
        look->is_taken.store(false, std::memory_order_relaxed);
    }
    has_barriers = has_barriers && register_barriers();
    ending_thread.store(0, std::memory_order_relaxed);
    table().mutex.unlock();
}

[[gnu::constructor]] void watch_forks() {
    ::pthread_atfork([] { table().mutex.lock(); }, [] { table().mutex.unlock(); }, forget_others);
}

}  // namespace

bool has_barriers = register_barriers();

void stay_if_process_ends() {
    while (process_ends_elsewhere()) ::syscall(SYS_ppoll, nullptr, 0, nullptr, nullptr, 0);
}

void HandleUse::give_up() {
    look_->row.store(nullptr, std::memory_order_release);  // SYNC look.end: pairs with look.wait
    look_ = nullptr;
    stay_if_process_ends();
}

HandleLook* take_handle_look() {
    static const pthread_key_t key = make_look_key();
    HandleLook* look = find_free_look();
    if (!look) look = add_look();
    ::pthread_setspecific(key, look);
    return own_handle_look = look;
}

HANDLE insert_handle(std::shared_ptr<KernelObject> object, const HandleInfo& info) {
    std::unique_lock lock(table().mutex);
    if (process_ends_elsewhere()) {
        lock.unlock();
        object.reset();  // and its name with it
        stay_if_process_ends();
    }
    std::uint32_t index = table().used_count;
    if (!table().free.empty()) {
        index = table().free.back();
        table().free.pop_back();
    } else if (index == kHandlePageRows * kHandlePagesMax) {
        SetLastError(ERROR_NO_SYSTEM_RESOURCES);
        return nullptr;
    } else {
        ++table().used_count;
    }
    fill(row_to_fill(index), std::move(object), info);
    return handle_of(index);
}

bool insert_handle_at(HANDLE value, std::shared_ptr<KernelObject> object, const HandleInfo& info) {
    const std::optional<std::uint32_t> index = index_of(value);
    if (!index) return false;
    const std::lock_guard guard(table().mutex);
    if (*index < table().used_count) return false;
    while (table().used_count < *index) table().free.push_back(table().used_count++);
    ++table().used_count;
    fill(row_to_fill(*index), std::move(object), info);
    return true;
}

Found find_handle(HANDLE handle) {
    {
        const std::lock_guard guard(table().mutex);
        const HandleRow* const row = handle_row(handle);
        if (row && row->owner) return {row->owner, info_of(*row)};
    }
    stay_if_process_ends();
    return {};
}

Removal remove_handle(HANDLE handle) {
    std::shared_ptr<KernelObject> object;  // ends outside the lock
    HandleRow* const row = handle_row(handle);
    if (!row) return Removal::not_a_handle;
    {
        std::unique_lock lock(table().mutex);
        if (!row->owner) {
            lock.unlock();
            stay_if_process_ends();
            return Removal::not_a_handle;
        }
        if (row->is_protected) return Removal::is_protected;
        object = std::move(row->owner);
        row->owner.reset();
        row->object.store(nullptr, std::memory_order_relaxed);
    }
    wait_for_looks_at([row](const HandleRow* looked_at) { return looked_at == row; });
    const std::lock_guard guard(table().mutex);
    table().free.push_back(*index_of(handle));
    return Removal::removed;
}

bool change_handle_info(HANDLE handle, const std::function<void(HandleInfo&)>& change) {
    std::unique_lock lock(table().mutex);
    HandleRow* const row = handle_row(handle);
    if (!row || !row->owner) {
        lock.unlock();
        stay_if_process_ends();
        return false;
    }
    HandleInfo info = info_of(*row);
    change(info);
    set_info(*row, info);
    return true;
}

void for_each_handle(const std::function<void(HANDLE, const Found&)>& visit) {
    std::vector<std::pair<HANDLE, Found>> all;
    {
        const std::lock_guard guard(table().mutex);
        for (std::uint32_t index = 0; index < table().used_count; ++index) {
            const HandleRow* const row = handle_row(handle_of(index));
            if (row && row->owner)
                all.emplace_back(handle_of(index), Found{row->owner, info_of(*row)});
        }
    }
    for (const auto& [handle, found] : all) visit(handle, found);
}

}  // namespace comap::win32
