// SPDX-License-Identifier: Apache-2.0
// A thread that ends tells the watching thread, which sets its event when the kernel has no such thread any more: only then are
// the mutexes that it owned abandoned, so who has seen the thread end gets them at once.
#include "win32/threads.hpp"

#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "win32/errors.hpp"
#include "win32/security.hpp"

namespace comap::win32 {
namespace {

constexpr SIZE_T kSmallestStackBytes = 128 * 1024;  // what the C library itself may need

bool is_gone(DWORD thread) {
    if (thread == GetCurrentProcessId()) return is_zombie(thread);
    return ::syscall(SYS_tgkill, GetCurrentProcessId(), thread, 0) < 0 && errno == ESRCH;
}

// --- The object of the calling thread

using OwnObject = std::shared_ptr<ThreadObject>;

// Run by the C library when the thread ends, after the destructors of thread_local objects.
void leave(void* own) {
    const std::unique_ptr<OwnObject> object(static_cast<OwnObject*>(own));
    if ((*object)->process_id() != GetCurrentProcessId()) return;  // of the thread that forked this process
    watch(std::move(*object));
}

pthread_key_t own_object_key() {
    static const pthread_key_t key = [] {
        pthread_key_t made = 0;
        ::pthread_key_create(&made, leave);
        return made;
    }();
    return key;
}

void set_own_object(const OwnObject& object) {
    delete static_cast<OwnObject*>(::pthread_getspecific(own_object_key()));
    ::pthread_setspecific(own_object_key(), new OwnObject(object));
}

OwnObject own_object() {
    const auto* const known = static_cast<OwnObject*>(::pthread_getspecific(own_object_key()));
    if (known && (*known)->process_id() == GetCurrentProcessId()) return *known;  // the child of a fork is another thread
    auto made = std::make_shared<ThreadObject>(GetCurrentThreadId(), GetCurrentProcessId());
    set_own_object(made);
    return made;
}

// --- CreateThread

class Start {
  public:
    Start(LPTHREAD_START_ROUTINE routine_to_run, LPVOID argument, DWORD suspensions)
        : routine(routine_to_run), parameter(argument), suspend_count(suspensions) {
        ::sem_init(&is_made_, 0, 0);
    }
    ~Start() { ::sem_destroy(&is_made_); }
    Start(const Start&) = delete;
    Start& operator=(const Start&) = delete;

    const LPTHREAD_START_ROUTINE routine;
    const LPVOID parameter;
    const DWORD suspend_count;

    // The object is made by the thread, which knows its number.
    void set_object(const OwnObject& made) {
        object_ = made;
        ::sem_post(&is_made_);
    }
    const OwnObject& wait_for_object() {
        while (::sem_wait(&is_made_) < 0 && errno == EINTR) {
        }
        return object_;
    }

  private:
    OwnObject object_;
    sem_t is_made_;
};

// Leaves nothing in the frame of the thread that would have to be destroyed: not every way to end it unwinds.
ThreadObject& begin_thread(void* argument, LPTHREAD_START_ROUTINE& routine, LPVOID& parameter) {
    const std::unique_ptr<std::shared_ptr<Start>> start(static_cast<std::shared_ptr<Start>*>(argument));
    routine = (*start)->routine;
    parameter = (*start)->parameter;
    const auto object = std::make_shared<ThreadObject>(GetCurrentThreadId(), GetCurrentProcessId(), (*start)->suspend_count);
    set_own_object(object);
    (*start)->set_object(object);
    return *object;
}

void* run_thread(void* argument) {
    LPTHREAD_START_ROUTINE routine = nullptr;
    LPVOID parameter = nullptr;
    begin_thread(argument, routine, parameter).wait_until_resumed();
    const DWORD code = routine(parameter);
    own_object()->set_exit_code(code);
    return nullptr;
}

bool start_detached(SIZE_T stack_bytes, const std::shared_ptr<Start>& start) {
    pthread_attr_t attributes;
    if (::pthread_attr_init(&attributes) != 0) return false;
    ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    if (stack_bytes != 0) ::pthread_attr_setstacksize(&attributes, std::max(stack_bytes, kSmallestStackBytes));
    auto argument = std::make_unique<std::shared_ptr<Start>>(start);
    pthread_t thread;
    const bool is_started = ::pthread_create(&thread, &attributes, run_thread, argument.get()) == 0;
    if (is_started) (void)argument.release();
    ::pthread_attr_destroy(&attributes);
    return is_started;
}

}  // namespace

ThreadObject::ThreadObject(DWORD id, DWORD process_id, DWORD suspend_count)
    : EndingObject(kKind, id), process_id_(process_id), suspend_count_(suspend_count) {}

std::optional<DWORD> ThreadObject::look() {
    if (process_id_ != GetCurrentProcessId() || !is_gone(id())) return std::nullopt;
    return code_to_be_.load(std::memory_order_relaxed);
}

void ThreadObject::wait_until_resumed() {
    while (const DWORD count = suspend_count_.load(std::memory_order_acquire)) suspend_count_.wait(count);  // SYNC resume.seen: pairs with resume
}

DWORD ThreadObject::resume() {
    DWORD count = suspend_count_.load(std::memory_order_relaxed);
    // SYNC resume: what was done before is seen by the thread; pairs with resume.seen.
    while (count != 0 && !suspend_count_.compare_exchange_weak(count, count - 1, std::memory_order_release, std::memory_order_relaxed)) {
    }
    suspend_count_.notify_all();
    return count;
}

std::shared_ptr<KernelObject> current_thread_object() { return own_object(); }

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

HANDLE CreateThread(LPSECURITY_ATTRIBUTES attributes, SIZE_T stack_bytes, LPTHREAD_START_ROUTINE routine, LPVOID parameter, DWORD flags, LPDWORD id) {
    if (!routine || (flags & ~(CREATE_SUSPENDED | STACK_SIZE_PARAM_IS_A_RESERVATION))) return fail_null(ERROR_INVALID_PARAMETER);
    if (!mode_of(attributes)) return nullptr;
    (void)own_object();  // the process may end with the calling thread
    const auto start = std::make_shared<Start>(routine, parameter, flags & CREATE_SUSPENDED ? 1u : 0u);
    if (!start_watching() || !start_detached(stack_bytes, start)) return fail_null(ERROR_NOT_ENOUGH_MEMORY);
    const OwnObject& thread = start->wait_for_object();
    if (id) *id = thread->id();
    return insert_handle(thread, {THREAD_ALL_ACCESS, is_inherited(attributes)});
}

// Unlike on Windows, the destructors of the thread's C++ frames run.
void ExitThread(DWORD code) {
    own_object()->set_exit_code(code);
    if (is_last_thread()) ExitProcess(code);
    ::pthread_exit(nullptr);
}

BOOL GetExitCodeThread(HANDLE handle, LPDWORD code) {
    const auto thread = find_ending(handle, Kind::thread, THREAD_QUERY_INFORMATION | THREAD_QUERY_LIMITED_INFORMATION);
    if (!thread) return FALSE;
    if (!code) return fail(ERROR_NOACCESS);
    *code = thread->exit_code();
    return TRUE;
}

HANDLE GetCurrentThread(void) { return reinterpret_cast<HANDLE>(LONG_PTR{-2}); }
DWORD GetCurrentThreadId(void) { return static_cast<DWORD>(::gettid()); }

DWORD GetThreadId(HANDLE handle) {
    const auto thread = find_ending(handle, Kind::thread, THREAD_QUERY_INFORMATION | THREAD_QUERY_LIMITED_INFORMATION);
    return thread ? thread->id() : 0;
}

DWORD ResumeThread(HANDLE handle) {
    constexpr DWORD kFailed = ~DWORD{0};
    const auto thread = find_ending(handle, Kind::thread, THREAD_SUSPEND_RESUME);
    return thread ? static_cast<ThreadObject&>(*thread).resume() : kFailed;
}

// A thread that runs cannot be stopped by another.
DWORD SuspendThread(HANDLE handle) {
    if (find_ending(handle, Kind::thread, THREAD_SUSPEND_RESUME)) SetLastError(ERROR_NOT_SUPPORTED);
    return ~DWORD{0};
}
}
