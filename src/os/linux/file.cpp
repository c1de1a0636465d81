// SPDX-License-Identifier: Apache-2.0
#include "os/file.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <vector>

namespace comap::os {
namespace {

tl::unexpected<int> last_error() { return tl::unexpected<int>(errno); }

OsResult<void> done(int result) {
    if (result < 0) return last_error();
    return {};
}

// Not /proc/self: its files are gone when the main thread has ended and others run on.
std::string proc_path(int descriptor) { return "/proc/thread-self/fd/" + std::to_string(descriptor); }

// Without the times: the next write to a file whose times were asked for has to take a finer time stamp (0.5 us).
OsResult<FileState> state_of(int directory, const char* name, int flags) {
    constexpr unsigned kWanted = STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_INO | STATX_SIZE | STATX_BLOCKS;
    struct statx from;
    if (::statx(directory, name, flags, kWanted, &from) < 0) return last_error();
    FileState to;
    to.device = ::makedev(from.stx_dev_major, from.stx_dev_minor);
    to.inode = from.stx_ino;
    to.size_bytes = from.stx_size;
    to.allocated_bytes = from.stx_blocks * 512;
    to.link_count = from.stx_nlink;
    to.mode = from.stx_mode & 07777;
    to.uid = from.stx_uid;
    to.is_regular = S_ISREG(from.stx_mode);
    to.is_directory = S_ISDIR(from.stx_mode);
    return to;
}

struct flock one_byte(short type, std::uint64_t byte = 0) {
    struct flock lock = {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = static_cast<off_t>(byte);
    lock.l_len = 1;
    return lock;
}

OsResult<bool> try_lock(int descriptor, short type, std::uint64_t byte) {
    struct flock lock = one_byte(type, byte);
    if (::fcntl(descriptor, F_OFD_SETLK, &lock) == 0) return true;
    if (errno == EAGAIN || errno == EACCES) return false;
    return last_error();
}

// From /proc/meminfo: what could be allocated without swapping, and free swap. UINT64_MAX if it cannot be read.
std::uint64_t machine_available_bytes() {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/meminfo", "re"), std::fclose);
    if (!file) return UINT64_MAX;
    std::uint64_t total = 0;
    bool found = false;
    char line[128];
    while (std::fgets(line, sizeof line, file.get())) {
        unsigned long long kib = 0;
        if (std::sscanf(line, "MemAvailable: %llu", &kib) == 1) found = true;
        else if (std::sscanf(line, "SwapFree: %llu", &kib) != 1) continue;
        total += kib * 1024;
    }
    return found ? total : UINT64_MAX;
}

// fork() takes this mutex, so that none happens inside a NoForkScope. Never taken for longer than a few system calls.
pthread_mutex_t fork_mutex = PTHREAD_MUTEX_INITIALIZER;
constinit thread_local std::uint32_t scope_depth = 0;  // of this thread's NoForkScopes, which may be nested

// While fork_mutex is held. Never destroyed: threads may end later.
std::vector<int>& not_for_children() {
    static auto* const descriptors = new std::vector<int>;
    return *descriptors;
}

void hold_forks() { ::pthread_mutex_lock(&fork_mutex); }
void allow_forks() { ::pthread_mutex_unlock(&fork_mutex); }
void allow_forks_in_child() {
    for (const int descriptor : not_for_children()) ::close(descriptor);
    not_for_children().clear();
    allow_forks();
}
[[gnu::constructor]] void watch_forks() { ::pthread_atfork(hold_forks, allow_forks, allow_forks_in_child); }

}  // namespace

OsResult<Fd> owned(int number) {
    if (number < 0) return last_error();
    if (number >= kFirstOfOurs) return Fd(number);
    const Fd low(number);
    const int higher = ::fcntl(number, F_DUPFD_CLOEXEC, kFirstOfOurs);
    if (higher < 0) return last_error();
    return Fd(higher);
}

void Fd::reset() {
    if (number_ >= 0) ::close(number_);
    number_ = -1;
}

OsResult<Fd> open_directory(const std::string& path) {
    return owned(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

OsResult<Fd> open_directory_at(int directory, const std::string& name) {
    return owned(::openat(directory, name.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
}

OsResult<void> make_directory_at(int directory, const std::string& name, std::uint32_t mode) {
    if (::mkdirat(directory, name.c_str(), mode & 0700) < 0) return last_error();
    auto made = open_directory_at(directory, name);
    if (!made) return tl::unexpected<int>(made.error());
    return set_mode(made->number(), mode);
}

OsResult<Fd> open_at(int directory, const std::string& name, bool writable) {
    const int flags = (writable ? O_RDWR : O_RDONLY) | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    // Nobody needs the time of the last reading, and keeping it costs (0.4 us); only the owner may say so, others get EPERM.
    const int number = ::openat(directory, name.c_str(), flags | O_NOATIME);
    if (number >= 0 || errno != EPERM) return owned(number);
    return owned(::openat(directory, name.c_str(), flags));
}

OsResult<Fd> reopen(int descriptor, bool writable) {
    const int access = writable ? O_RDWR : O_RDONLY;
    return owned(::open(proc_path(descriptor).c_str(), access | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
}

OsResult<Fd> duplicate(int descriptor) { return owned(::fcntl(descriptor, F_DUPFD_CLOEXEC, kFirstOfOurs)); }

OsResult<bool> is_writable(int descriptor) {
    const int flags = ::fcntl(descriptor, F_GETFL);
    if (flags < 0) return last_error();
    return (flags & O_ACCMODE) == O_RDWR;
}

OsResult<Fd> open_path_checked(const std::string& path, bool writable, FileState& found) {
    // O_PATH first: opening a device or a FIFO can have effects, looking at it has none.
    auto place = owned(::open(path.c_str(), O_PATH | O_CLOEXEC));
    if (!place) return place;
    const auto place_state = state(place->number());
    if (!place_state) return tl::unexpected<int>(place_state.error());
    if (!place_state->is_regular) return tl::unexpected<int>(EINVAL);
    found = *place_state;
    return reopen(place->number(), writable);
}

OsResult<std::string> absolute_path(const std::string& path) {
    const std::unique_ptr<char, void (*)(void*)> real(::realpath(path.c_str(), nullptr), std::free);
    if (!real) return last_error();
    return std::string(real.get());
}

OsResult<Fd> make_unnamed(int directory, std::uint32_t mode) {
    auto made = owned(::openat(directory, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode & 0700));
    if (!made) return made;
    const auto made_state = state(made->number());
    if (!made_state) return tl::unexpected<int>(made_state.error());
    if (made_state->mode != mode)
        if (const auto set = set_mode(made->number(), mode); !set) return tl::unexpected<int>(set.error());
    return made;
}

OsResult<Fd> make_memory_file(std::uint32_t mode) {
    auto made = owned(::memfd_create("comap", MFD_CLOEXEC));
    if (!made) return made;
    if (const auto set = set_mode(made->number(), mode); !set) return tl::unexpected<int>(set.error());
    return reopen(made->number(), true);  // the first open file of a memfd reports no close to those who watch it
}

OsResult<void> link_at(int descriptor, int directory, const std::string& name) {
    // By descriptor needs a capability before Linux 6.10 (else ENOENT); the way through /proc always works, a bit slower.
    static std::atomic<bool> by_descriptor{true};
    if (by_descriptor.load(std::memory_order_relaxed)) {
        if (::linkat(descriptor, "", directory, name.c_str(), AT_EMPTY_PATH) == 0) return {};
        if (errno != ENOENT) return last_error();
    }
    if (::linkat(AT_FDCWD, proc_path(descriptor).c_str(), directory, name.c_str(), AT_SYMLINK_FOLLOW) < 0)
        return last_error();
    by_descriptor.store(false, std::memory_order_relaxed);
    return {};
}

OsResult<void> unlink_at(int directory, const std::string& name) { return done(::unlinkat(directory, name.c_str(), 0)); }

OsResult<void> set_mode(int descriptor, std::uint32_t mode) { return done(::fchmod(descriptor, mode)); }

OsResult<FileState> state(int descriptor) { return state_of(descriptor, "", AT_EMPTY_PATH); }

OsResult<std::uint64_t> state_change_ns(int descriptor) {
    struct statx found;
    if (::statx(descriptor, "", AT_EMPTY_PATH, STATX_CTIME, &found) < 0) return last_error();
    return static_cast<std::uint64_t>(found.stx_ctime.tv_sec) * 1'000'000'000u + found.stx_ctime.tv_nsec;
}

OsResult<FileState> state_at(int directory, const std::string& name) {
    return state_of(directory, name.c_str(), AT_SYMLINK_NOFOLLOW);
}

OsResult<void> for_each_entry(int directory, const std::function<bool(std::string_view name)>& visit) {
    auto own = owned(::openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));  // a position of our own
    if (!own) return tl::unexpected<int>(own.error());
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::fdopendir(own->number()), ::closedir);
    if (!stream) return last_error();
    own->release();
    for (;;) {
        errno = 0;
        const struct dirent* const entry = ::readdir(stream.get());
        if (!entry) return errno == 0 ? OsResult<void>{} : last_error();
        const std::string_view name = entry->d_name;
        if (name != "." && name != ".." && !visit(name)) return {};
    }
}

OsResult<std::size_t> read_at(int descriptor, void* target, std::size_t size_bytes, std::uint64_t offset_bytes) {
    std::size_t done_bytes = 0;
    while (done_bytes < size_bytes) {
        const ssize_t count = ::pread(descriptor, static_cast<char*>(target) + done_bytes, size_bytes - done_bytes,
                                      static_cast<off_t>(offset_bytes + done_bytes));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return last_error();
        if (count == 0) break;
        done_bytes += static_cast<std::size_t>(count);
    }
    return done_bytes;
}

OsResult<void> write_at(int descriptor, const void* source, std::size_t size_bytes, std::uint64_t offset_bytes) {
    std::size_t done_bytes = 0;
    while (done_bytes < size_bytes) {
        const ssize_t count = ::pwrite(descriptor, static_cast<const char*>(source) + done_bytes, size_bytes - done_bytes,
                                       static_cast<off_t>(offset_bytes + done_bytes));
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) return last_error();
        done_bytes += static_cast<std::size_t>(count);
    }
    return {};
}

OsResult<void> reserve(int descriptor, std::uint64_t offset_bytes, std::uint64_t size_bytes) {
    // The kernel gives up a whole call when a signal comes, so a program with a fast timer needs small steps.
    std::uint64_t step_bytes = std::uint64_t{1} << 30;
    const std::uint64_t end = offset_bytes + size_bytes;
    if (end > INT64_MAX || end < offset_bytes) return tl::unexpected<int>(EFBIG);
    // The whole length at once first, where that is known to be too much: it fails before it has filled the memory.
    if (size_bytes > step_bytes && size_bytes > available_bytes(descriptor)) return tl::unexpected<int>(ENOSPC);
    while (offset_bytes < end) {
        const std::uint64_t part_bytes = std::min(step_bytes, end - offset_bytes);
        if (::fallocate(descriptor, 0, static_cast<off_t>(offset_bytes), static_cast<off_t>(part_bytes)) == 0) {
            offset_bytes += part_bytes;
        } else if (errno == EINTR) {
            step_bytes = std::max<std::uint64_t>(step_bytes / 2, std::uint64_t{1} << 16);
        } else {
            return last_error();
        }
    }
    return {};
}

std::uint64_t available_bytes(int descriptor) {
    struct statfs found;
    if (::fstatfs(descriptor, &found) < 0) return UINT64_MAX;
    const bool in_memory = found.f_type == TMPFS_MAGIC;
    const bool is_bounded = found.f_blocks != 0;  // memfd files and unbounded mounts say 0
    std::uint64_t bytes = is_bounded ? static_cast<std::uint64_t>(found.f_bavail) * static_cast<std::uint64_t>(found.f_bsize)
                                     : UINT64_MAX;
    if (in_memory) bytes = std::min(bytes, machine_available_bytes());
    return bytes;
}

bool touch(int descriptor, std::uint64_t scratch_offset_bytes) {
    const char zero = 0;
    return ::futimens(descriptor, nullptr) == 0 || ::pwrite(descriptor, &zero, 1, static_cast<off_t>(scratch_offset_bytes)) == 1;
}

OsResult<Locked> ask_lock(int descriptor, std::uint64_t byte) {
    struct flock lock = one_byte(F_WRLCK, byte);
    if (::fcntl(descriptor, F_OFD_GETLK, &lock) < 0) return last_error();
    if (lock.l_type == F_UNLCK) return Locked::no;
    return lock.l_type == F_RDLCK ? Locked::for_reading : Locked::for_writing;
}

OsResult<bool> try_read_lock(int descriptor) { return try_lock(descriptor, F_RDLCK, 0); }
OsResult<bool> try_write_lock(int descriptor, std::uint64_t byte) { return try_lock(descriptor, F_WRLCK, byte); }

void release_lock(int descriptor, std::uint64_t byte) {
    struct flock lock = one_byte(F_UNLCK, byte);
    ::fcntl(descriptor, F_OFD_SETLK, &lock);
}

void keep_from_children(int descriptor) { not_for_children().push_back(descriptor); }
void forget_for_children(int descriptor) { std::erase(not_for_children(), descriptor); }

NoForkScope::NoForkScope() {
    if (scope_depth++ == 0) ::pthread_mutex_lock(&fork_mutex);
}
NoForkScope::~NoForkScope() {
    if (--scope_depth == 0) ::pthread_mutex_unlock(&fork_mutex);
}

std::uint32_t effective_uid() { return ::geteuid(); }

std::string safe_environment(const char* variable) {
    const char* const value = ::secure_getenv(variable);
    return value ? value : "";
}

std::uint64_t page_size_bytes() {
    static const auto size = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    return size;
}

std::uint64_t real_time_ns() {
    struct timespec now;
    ::clock_gettime(CLOCK_REALTIME, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

std::uint64_t monotonic_ns() {
    struct timespec now = {};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    return static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(now.tv_nsec);
}

void pause_briefly(std::uint32_t attempt) {
    if (attempt < 8) {
        ::sched_yield();
        return;
    }
    const std::uint32_t shift = std::min<std::uint32_t>(attempt - 8, 4);
    const struct timespec nap = {0, std::min<long>(1'000'000L, 50'000L << shift)};
    ::nanosleep(&nap, nullptr);
}

}  // namespace comap::os
