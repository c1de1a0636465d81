// SPDX-License-Identifier: Apache-2.0
#include "win32/endings.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "win32/errors.hpp"
#include "win32/waits.hpp"

namespace comap::win32 {
namespace {

// While its mutex is held nobody forks. Never destroyed: the watching thread runs until the process has ended.
struct Watcher {
    std::mutex mutex;
    std::vector<std::shared_ptr<EndingObject>> watched;
    int wake = -1;            // an eventfd: the list became longer
    bool is_running = false;
    bool first_thread_has_ended = false;
    DWORD last_code = 0;      // of the thread that ended last
};

Watcher& watcher() {
    static Watcher* const the_watcher = new Watcher;
    return *the_watcher;
}

constexpr std::size_t kWatcherStackBytes = 256 * 1024;
constexpr long kShortestNapNs = 20'000;    // a thread that runs its last code is gone within about this
constexpr long kLongestNapNs = 1'000'000;
constexpr long kLastThreadNapNs = 20'000'000;

// Takes out what has ended. Returns what to wait for; sets whether one of them has to be asked again.
std::vector<struct pollfd> look_at_all(std::vector<std::shared_ptr<EndingObject>>& ended, bool& must_ask_again) {
    Watcher& all = watcher();
    std::vector<struct pollfd> descriptors = {{all.wake, POLLIN, 0}};
    must_ask_again = false;
    const std::lock_guard guard(all.mutex);
    std::erase_if(all.watched, [&](const std::shared_ptr<EndingObject>& one) {
        if (one->has_ended_now()) {
            ended.push_back(one);
            return true;
        }
        if (one->end_descriptor() < 0) must_ask_again = true;
        else descriptors.push_back({one->end_descriptor(), POLLIN, 0});
        return false;
    });
    return descriptors;
}

std::size_t thread_count() {
    struct stat tasks;
    return ::stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink >= 2 ? tasks.st_nlink - 2 : 0;
}

// A process whose first thread has called ExitThread or pthread_exit ends with the last of the others; the C library waits for
// ours too.
void end_process_with_last_thread(const std::vector<std::shared_ptr<EndingObject>>& ended) {
    Watcher& all = watcher();
    const auto first_thread = static_cast<DWORD>(::getpid());
    for (const auto& one : ended) {
        if (one->kind() != Kind::thread) continue;
        all.last_code = one->exit_code();
        if (one->id() == first_thread) all.first_thread_has_ended = true;
    }
    if (!ended.empty() && is_zombie(first_thread)) all.first_thread_has_ended = true;  // it may have no object that would tell
    constexpr std::size_t kWatcherAndFirst = 2;  // the first thread is counted until the process ends
    if (!all.first_thread_has_ended || thread_count() != kWatcherAndFirst) return;
    // The last one may have told that it ends, and ended, after we looked.
    std::unique_lock lock(all.mutex);
    const auto is_thread = [](const std::shared_ptr<EndingObject>& one) { return one->kind() == Kind::thread; };
    const bool is_one_to_see = std::any_of(all.watched.begin(), all.watched.end(), is_thread);
    lock.unlock();
    if (!is_one_to_see) ExitProcess(all.last_code);
}

void* watch_until_exit(void*) {
    long nap_ns = kShortestNapNs;
    for (;;) {
        std::vector<std::shared_ptr<EndingObject>> ended;
        bool must_ask_again = false;
        std::vector<struct pollfd> descriptors = look_at_all(ended, must_ask_again);
        end_process_with_last_thread(ended);
        nap_ns = ended.empty() && must_ask_again ? std::min(2 * nap_ns, kLongestNapNs) : kShortestNapNs;
        ended.clear();
        const struct timespec nap = {0, must_ask_again ? nap_ns : kLastThreadNapNs};
        const bool has_limit = must_ask_again || watcher().first_thread_has_ended;
        ::ppoll(descriptors.data(), descriptors.size(), has_limit ? &nap : nullptr, nullptr);
        eventfd_t count = 0;
        if (descriptors[0].revents != 0) ::eventfd_read(descriptors[0].fd, &count);
    }
}

bool start_thread() {
    pthread_attr_t attributes;
    if (::pthread_attr_init(&attributes) != 0) return false;
    ::pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    ::pthread_attr_setstacksize(&attributes, kWatcherStackBytes);
    sigset_t all_signals;
    sigset_t before;
    ::sigfillset(&all_signals);
    ::pthread_sigmask(SIG_SETMASK, &all_signals, &before);  // signals are the program's
    pthread_t thread;
    const bool is_started = ::pthread_create(&thread, &attributes, watch_until_exit, nullptr) == 0;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    ::pthread_attr_destroy(&attributes);
    return is_started;
}

// REQUIRES: the lock.
bool start_if_needed() {
    Watcher& all = watcher();
    if (all.is_running) return true;
    if (all.wake < 0) all.wake = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    all.is_running = all.wake >= 0 && start_thread();
    return all.is_running;
}

// The child of a fork has no watching thread until it needs one. Threads of its parent are none of its own; processes end for it too.
void forget_in_child() {
    Watcher& all = watcher();
    if (all.wake >= 0) ::close(all.wake);  // shared with the parent
    all.wake = -1;
    all.is_running = false;
    all.first_thread_has_ended = false;
    std::erase_if(all.watched, [](const std::shared_ptr<EndingObject>& one) { return one->end_descriptor() < 0; });
    all.mutex.unlock();
}

[[gnu::constructor]] void watch_forks() {
    ::pthread_atfork([] { watcher().mutex.lock(); }, [] { watcher().mutex.unlock(); }, forget_in_child);
}

}  // namespace

DWORD EndingObject::exit_code() {
    const std::lock_guard guard(watcher().mutex);
    return has_ended_now() ? exit_code_ : STILL_ACTIVE;
}

std::optional<Waitable> EndingObject::waitable() const {
    const std::lock_guard guard(watcher().mutex);
    if (!has_ended_ && !watcher().watched.empty()) start_if_needed();
    if (!event_) {
        auto made = Event::create_unnamed({.reset = Reset::manual, .initially_set = has_ended_});
        if (!made) return std::nullopt;
        event_ = std::move(*made);
    }
    return Waitable(*event_);
}

bool EndingObject::has_ended_now() {
    if (has_ended_) return true;
    if (const std::optional<DWORD> code = look()) end(*code);
    return has_ended_;
}

void EndingObject::end(DWORD exit_code) {
    has_ended_ = true;
    exit_code_ = exit_code;
    if (event_) (void)event_->set();  // ours alone, and mapped: it cannot fail
}

bool start_watching() {
    const std::lock_guard guard(watcher().mutex);
    return start_if_needed();
}

void watch(std::shared_ptr<EndingObject> object) {
    Watcher& all = watcher();
    const std::lock_guard guard(all.mutex);
    all.watched.push_back(std::move(object));
    if (start_if_needed()) ::eventfd_write(all.wake, 1);
}

std::shared_ptr<EndingObject> find_watched(Kind kind, DWORD id) {
    Watcher& all = watcher();
    const std::lock_guard guard(all.mutex);
    const auto found = std::find_if(all.watched.begin(), all.watched.end(), [&](const std::shared_ptr<EndingObject>& one) {
        return one->kind() == kind && one->id() == id && !one->has_ended_now();
    });
    return found == all.watched.end() ? nullptr : *found;
}

bool is_last_thread() {
    const std::lock_guard guard(watcher().mutex);
    return thread_count() == (watcher().is_running ? 2 : 1);
}

bool is_zombie(DWORD thread) {
    const std::string path = "/proc/self/task/" + std::to_string(thread) + "/stat";
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
    char state = 0;
    return file && std::fscanf(file.get(), "%*[^)]) %c", &state) == 1 && (state == 'Z' || state == 'X');
}

std::shared_ptr<EndingObject> find_ending(HANDLE handle, Kind kind, DWORD any_right) {
    Found found = find_object(handle);
    if (!found || found.object->kind() != kind) return fail_null(ERROR_INVALID_HANDLE);
    if ((found.info.access & any_right) == 0) return fail_null(ERROR_ACCESS_DENIED);
    return std::static_pointer_cast<EndingObject>(std::move(found.object));
}

}  // namespace comap::win32
