// SPDX-License-Identifier: Apache-2.0
// The raw limit: what one would write by hand with bare system calls and atomics, knowing that nothing goes wrong.
#pragma once

#include <fcntl.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <climits>
#include <cstdint>
#include <string>

#include "harness.hpp"

namespace comap::bench::raw {

// --- memory by name

inline void* map(int descriptor, std::size_t size_bytes) {
    void* const address = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    if (address == MAP_FAILED) give_up_errno("mmap");
    return address;
}

inline void touch(void* address) { *static_cast<volatile char*>(address) = 1; }

inline void map_touch_unmap(int descriptor, std::size_t size_bytes) {
    void* const address = map(descriptor, size_bytes);
    touch(address);
    ::munmap(address, size_bytes);
}

// A name of POSIX shared memory that goes with this object.
class Shm {
  public:
    Shm(std::string name, std::size_t size_bytes) : name_(std::move(name)) {
        fd_ = must_fd(::shm_open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600), "shm_open");
        must_fd(::ftruncate(fd_, static_cast<off_t>(size_bytes)), "ftruncate");
    }
    ~Shm() {
        ::close(fd_);
        ::shm_unlink(name_.c_str());
    }
    Shm(const Shm&) = delete;
    Shm& operator=(const Shm&) = delete;
    int fd() const { return fd_; }
    const std::string& name() const { return name_; }

  private:
    std::string name_;
    int fd_;
};

// --- the lifetime protocol, its system calls alone: what is left of ours when nothing is checked

inline struct flock byte_zero(short type) {
    struct flock lock = {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_len = 1;
    return lock;
}

inline constexpr int kOpenFlags = O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
inline constexpr std::size_t kHeaderBytes = 4096;

inline bool is_free(int descriptor) {
    struct flock lock = byte_zero(F_WRLCK);
    ::fcntl(descriptor, F_OFD_GETLK, &lock);
    return lock.l_type == F_UNLCK;
}

inline void hold(int descriptor) {
    struct flock lock = byte_zero(F_RDLCK);
    must_fd(::fcntl(descriptor, F_OFD_SETLK, &lock), "F_OFD_SETLK");
}

inline void touch_body(int descriptor, std::size_t size_bytes) {
    void* const address = ::mmap(nullptr, size_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, kHeaderBytes);
    touch(address);
    ::munmap(address, size_bytes);
}

// A file that is ours, one page and a header page long, held by somebody else.
inline void protocol_open_touch_leave(int directory, const char* name, std::size_t size_bytes) {
    char header[416];
    struct statx state;
    const int held = must_fd(::openat(directory, name, kOpenFlags | O_NOATIME), "openat");
    (void)is_free(held);
    hold(held);
    ::statx(held, "", AT_EMPTY_PATH, STATX_TYPE | STATX_MODE | STATX_NLINK | STATX_UID | STATX_INO | STATX_SIZE, &state);
    (void)!::pread(held, header, sizeof header, 0);
    touch_body(held, size_bytes);
    const int afresh = must_fd(::openat(directory, name, kOpenFlags | O_NOATIME), "openat");
    ::close(held);
    (void)is_free(afresh);
    ::close(afresh);
}

// --- a word to sleep on

inline long futex(std::atomic<std::uint32_t>& word, int operation, std::uint32_t value) {
    return ::syscall(SYS_futex, &word, operation, value, nullptr, nullptr, 0);
}

inline constexpr std::uint32_t kSpinTurns = 2000;
inline constexpr std::uint32_t kSleeper = 1;
inline constexpr std::uint32_t kOneChange = 2;

// Spins, then sleeps; wakes only if the sleeper bit is set.
struct SpinThenSleep {
    static void send(std::atomic<std::uint32_t>& word) {
        if ((word.fetch_add(kOneChange, std::memory_order_seq_cst) & kSleeper) == 0) return;
        word.fetch_and(~kSleeper, std::memory_order_seq_cst);
        futex(word, FUTEX_WAKE, INT_MAX);
    }
    static void receive(std::atomic<std::uint32_t>& word, std::uint32_t& seen) {
        for (std::uint32_t turn = 0; turn < kSpinTurns; ++turn) {
            if (has_changed(word, seen)) return;
            pause_turn();
        }
        while (!has_changed(word, seen)) {
            std::uint32_t expected = seen;
            if (word.compare_exchange_strong(expected, seen | kSleeper, std::memory_order_seq_cst) || expected == (seen | kSleeper))
                futex(word, FUTEX_WAIT, seen | kSleeper);
        }
    }
    static bool has_changed(const std::atomic<std::uint32_t>& word, std::uint32_t& seen) {
        const std::uint32_t now = word.load(std::memory_order_acquire) & ~kSleeper;
        if (now == seen) return false;
        seen = now;
        return true;
    }
};

// Nothing but the futex: sleeps at once, always wakes.
struct Futex {
    static void send(std::atomic<std::uint32_t>& word) {
        word.fetch_add(kOneChange, std::memory_order_seq_cst);
        futex(word, FUTEX_WAKE, INT_MAX);
    }
    static void receive(std::atomic<std::uint32_t>& word, std::uint32_t& seen) {
        while (!SpinThenSleep::has_changed(word, seen)) futex(word, FUTEX_WAIT, seen);
    }
};

// --- a value in four slots; the version says which one it is

inline constexpr std::size_t kValueWords = 8;
using Value = std::array<std::uint64_t, kValueWords>;

struct alignas(64) Slot {
    std::atomic<std::uint32_t> version;
    std::atomic<std::uint32_t> word_count;
    alignas(64) std::array<std::atomic<std::uint64_t>, kValueWords> words;
};

struct FourSlots {
    alignas(64) std::atomic<std::uint32_t> version;
    std::array<Slot, 4> slots;

    void store(const Value& value) {
        const std::uint32_t next = version.load(std::memory_order_relaxed) + 1;
        Slot& slot = slots[next % 4];
        std::atomic_thread_fence(std::memory_order_release);  // readers that see a new word see that its slot is not current
        slot.version.store(next, std::memory_order_relaxed);
        slot.word_count.store(kValueWords, std::memory_order_relaxed);
        for (std::size_t i = 0; i < kValueWords; ++i) slot.words[i].store(value[i], std::memory_order_relaxed);
        version.store(next, std::memory_order_release);
    }

    // Whether the value that was copied was whole. Its length is what the slot says, as a text's is.
    bool try_load(Value& value) const {
        const std::uint32_t seen = version.load(std::memory_order_acquire);
        const Slot& slot = slots[seen % 4];
        const std::size_t count = slot.word_count.load(std::memory_order_relaxed);
        if (slot.version.load(std::memory_order_relaxed) != seen || count > kValueWords) return false;
        for (std::size_t i = 0; i < count; ++i) value[i] = slot.words[i].load(std::memory_order_relaxed);
        return is_still_whole(seen);
    }

    // The same where every value has the same length and the compiler knows it.
    bool try_load_fixed(Value& value) const {
        const std::uint32_t seen = version.load(std::memory_order_acquire);
        const Slot& slot = slots[seen % 4];
        if (slot.version.load(std::memory_order_relaxed) != seen) return false;
        for (std::size_t i = 0; i < kValueWords; ++i) value[i] = slot.words[i].load(std::memory_order_relaxed);
        return is_still_whole(seen);
    }

    bool is_still_whole(std::uint32_t seen) const {
        std::atomic_thread_fence(std::memory_order_acquire);  // the copy is made before the version is looked at again
        return version.load(std::memory_order_relaxed) - seen <= 2;
    }
};

}  // namespace comap::bench::raw
