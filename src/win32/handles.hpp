// SPDX-License-Identifier: Apache-2.0
// What handles stand for, and the table of this process that leads from their values to it. A handle is a multiple of 4; its
// low two bits are ignored. Each handle has access rights of its own; the object behind it may have several handles.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <sys/types.h>

#include <comap/waiting.hpp>

#include <windows.h>

namespace comap::win32 {

enum class Kind : std::uint8_t { section, mutex, event, semaphore, file, thread, process };

inline constexpr int kFirstFree = 3;  // of descriptors that are made: those below are the standard streams'

// The thing itself. Lives while it has a handle, or while a call uses it. Const functions are thread-safe.
class KernelObject {
  public:
    explicit KernelObject(Kind kind) : kind_(kind) {}
    virtual ~KernelObject() = default;
    KernelObject(const KernelObject&) = delete;
    KernelObject& operator=(const KernelObject&) = delete;

    Kind kind() const { return kind_; }

    // What a wait looks at and takes; none: it cannot be waited for.
    virtual std::optional<Waitable> waitable() const { return std::nullopt; }

    // A descriptor (close-on-exec, the caller closes it) by which a child makes the same object: for handles that are inherited.
    // -1: this kind cannot be passed on.
    virtual int share_descriptor() const { return -1; }

    // What must happen when the process ends, though another thread may still use the object: then it does not end itself.
    virtual void at_process_end() {}

  private:
    Kind kind_;
};

// One row of the table.
struct HandleInfo {
    DWORD access = 0;
    bool is_inherited = false;   // by children
    bool is_protected = false;   // HANDLE_FLAG_PROTECT_FROM_CLOSE
};

// A handle that was looked up; keeps the object.
struct Found {
    std::shared_ptr<KernelObject> object;
    HandleInfo info;
    explicit operator bool() const { return object != nullptr; }
};

// Any thread may call these at any time.

// A new handle. NULL and ERROR_NO_SYSTEM_RESOURCES when there are too many.
HANDLE insert_handle(std::shared_ptr<KernelObject> object, const HandleInfo& info);

// For handles that a parent passed on, in ascending order: at exactly that value. False if there was one of that value or above.
bool insert_handle_at(HANDLE value, std::shared_ptr<KernelObject> object, const HandleInfo& info);

// Nothing if it is no handle. The pseudo handles of the current process and thread are no rows of the table: see find_object.
Found find_handle(HANDLE handle);

// As find_handle, of one kind; sets ERROR_INVALID_HANDLE if it is no handle or of another kind, ERROR_ACCESS_DENIED if the
// handle lacks any of the rights `access`.
template <typename T>
std::shared_ptr<T> find_as(HANDLE handle, DWORD access) {
    Found found = find_handle(handle);
    if (!found || found.object->kind() != T::kKind) {
        SetLastError(ERROR_INVALID_HANDLE);
        return nullptr;
    }
    if ((found.info.access & access) != access) {
        SetLastError(ERROR_ACCESS_DENIED);
        return nullptr;
    }
    return std::static_pointer_cast<T>(std::move(found.object));
}

enum class Removal : std::uint8_t { removed, not_a_handle, is_protected };

// Closes the handle. The object ends with the last reference, before this returns if that was it.
Removal remove_handle(HANDLE handle);

// Calls change(info) while nobody else changes it. False if it is no handle.
bool change_handle_info(HANDLE handle, const std::function<void(HandleInfo&)>& change);

void for_each_handle(const std::function<void(HANDLE, const Found&)>& visit);

// Does not return where another thread ends the process and has taken all handles out of the table. On Windows the caller would be
// gone by then; here he must not take a wait that fails for one that is over.
void stay_if_process_ends();

// What look-ups read, here so that they are made in line. Rows and looks are never freed.
struct alignas(64) HandleRow {
    std::atomic<KernelObject*> object{nullptr};
    std::atomic<DWORD> access{0};
    bool is_inherited = false;            // this and the rest: under the table's mutex
    bool is_protected = false;
    std::shared_ptr<KernelObject> owner;
};

// What a thread is looking at. Given to another thread when its own ends.
struct alignas(64) HandleLook {
    std::atomic<const HandleRow*> row{nullptr};
    std::atomic<bool> is_taken{true};
    HandleLook* next = nullptr;
};

inline constexpr std::size_t kHandlePageRows = 1024;
inline constexpr std::size_t kHandlePagesMax = 4096;
using HandlePage = std::array<HandleRow, kHandlePageRows>;
extern constinit std::array<std::atomic<HandlePage*>, kHandlePagesMax> handle_pages;
extern constinit thread_local HandleLook* own_handle_look;  // NULL: this thread has none yet
extern bool has_barriers;  // where the kernel refuses them (a sandbox), each look-up makes a fence

HandleLook* take_handle_look();

// What is stored before must be seen before what is loaded after is loaded: the barrier of who closes handles sees to that.
inline void fence_of_user() {
    if (has_barriers) [[likely]]
        std::atomic_signal_fence(std::memory_order_seq_cst);
    else
        std::atomic_thread_fence(std::memory_order_seq_cst);
}

// Of a row that may hold nothing; NULL: that can be no handle.
inline HandleRow* handle_row(HANDLE handle) {
    const std::size_t index = reinterpret_cast<std::uintptr_t>(handle) / 4 - 1;
    if (index >= kHandlePageRows * kHandlePagesMax) return nullptr;
    HandlePage* const page = handle_pages[index / kHandlePageRows].load(std::memory_order_acquire);  // SYNC page.find: pairs with page.add
    return page ? &(*page)[index % kHandlePageRows] : nullptr;
}

// The look-up of calls that must cost next to nothing: no lock, no locked instruction. Keeps the object until it goes out of
// scope; whoever closes the handle meanwhile waits for that, so nothing in its scope may block. One per thread at a time, so not
// in signal handlers.
class HandleUse {
  public:
    explicit HandleUse(HANDLE handle) {
        const HandleRow* const row = handle_row(handle);
        // Who finds nothing is not waited for.
        KernelObject* const found = row ? row->object.load(std::memory_order_acquire) : nullptr;  // SYNC row.use: pairs with row.fill
        if (!found) [[unlikely]] {
            stay_if_process_ends();
            return;
        }
        look_ = own_handle_look;
        if (!look_) [[unlikely]] look_ = take_handle_look();
        look_->row.store(row, std::memory_order_relaxed);
        fence_of_user();
        object_ = row->object.load(std::memory_order_acquire);  // SYNC row.use: pairs with row.fill
        access_ = row->access.load(std::memory_order_relaxed);
        if (!object_) [[unlikely]] give_up();
    }
    ~HandleUse() {
        if (look_) look_->row.store(nullptr, std::memory_order_release);  // SYNC look.end: pairs with look.wait
    }
    HandleUse(const HandleUse&) = delete;
    HandleUse& operator=(const HandleUse&) = delete;

    explicit operator bool() const { return object_ != nullptr; }
    KernelObject* object() const { return object_; }
    DWORD access() const { return access_; }

  private:
    void give_up();  // found, but closed at once

    HandleLook* look_ = nullptr;
    KernelObject* object_ = nullptr;
    DWORD access_ = 0;
};

}  // namespace comap::win32
