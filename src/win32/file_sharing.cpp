// SPDX-License-Identifier: Apache-2.0
#include "win32/file_sharing.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

namespace comap::win32 {
namespace {

constexpr off_t kUsed = 0x7fff'ffff'ffff'ff00;  // + bit number of FILE_SHARE_READ, _WRITE, _DELETE
constexpr off_t kDenied = kUsed + 3;

struct flock bytes_lock(short type, off_t first, off_t count) {
    struct flock lock = {};
    lock.l_type = type;
    lock.l_whence = SEEK_SET;
    lock.l_start = first;
    lock.l_len = count;
    return lock;
}

void set_lock(int descriptor, short type, off_t first, off_t count = 1) {
    struct flock lock = bytes_lock(type, first, count);
    ::fcntl(descriptor, F_OFD_SETLK, &lock);
}

bool is_locked_by_others(int descriptor, off_t byte) {
    struct flock lock = bytes_lock(F_WRLCK, byte, 1);
    return ::fcntl(descriptor, F_OFD_GETLK, &lock) == 0 && lock.l_type == F_RDLCK;
}

bool any_locked_by_others(int descriptor, off_t first, DWORD bits) {
    for (int bit = 0; bit < 3; ++bit)
        if ((bits & (1u << bit)) && is_locked_by_others(descriptor, first + bit)) return true;
    return false;
}

void lock_each(int descriptor, off_t first, DWORD bits) {
    for (int bit = 0; bit < 3; ++bit)
        if (bits & (1u << bit)) set_lock(descriptor, F_RDLCK, first + bit);
}

constexpr int kAttempts = 12;

// For a random time, so that nobody keeps in step with another; on average twice as long as the time before.
void back_off(int attempt) {
    constexpr std::uint64_t kSpread = 0x9e37'79b9'7f4a'7c15;
    constexpr int kShortestBits = 12;  // of nanoseconds: up to 8 us, in the end up to 8 ms
    struct timespec now = {};
    ::clock_gettime(CLOCK_MONOTONIC, &now);
    const std::uint64_t random = (static_cast<std::uint64_t>(now.tv_nsec) ^ static_cast<std::uint64_t>(::gettid()) << 32) * kSpread;
    const int bits = kShortestBits + attempt;
    const struct timespec nap = {0, static_cast<long>(random >> (64 - bits))};
    ::nanosleep(&nap, nullptr);
}

// False: there are no such locks, or somebody keeps it.
bool lock_whole(int descriptor) {
    for (int attempt = 1;; ++attempt) {
        if (::flock(descriptor, LOCK_EX | LOCK_NB) == 0) return true;
        if (errno != EWOULDBLOCK || attempt == kAttempts) return false;
        back_off(attempt);
    }
}

}  // namespace

DWORD uses_of(DWORD rights) {
    DWORD uses = 0;
    if (rights & (FILE_READ_DATA | FILE_EXECUTE)) uses |= FILE_SHARE_READ;
    if (rights & (FILE_WRITE_DATA | FILE_APPEND_DATA)) uses |= FILE_SHARE_WRITE;
    if (rights & DELETE) uses |= FILE_SHARE_DELETE;
    return uses;
}

// Under the lock of the file as a whole there is only one who has locked bytes that he may have to give back, so what the bytes say
// is so. A program of other calls may keep that lock for long: then it is done without, and of two who come at one moment both
// may go back.
bool begin_sharing(int descriptor, DWORD uses, DWORD share) {
    if (uses == 0) return true;
    const DWORD denies = kAllShares & ~share;
    const bool is_alone = lock_whole(descriptor);
    lock_each(descriptor, kUsed, uses);
    lock_each(descriptor, kDenied, denies);
    const bool is_free = !any_locked_by_others(descriptor, kDenied, uses) && !any_locked_by_others(descriptor, kUsed, denies);
    if (!is_free) set_lock(descriptor, F_UNLCK, kUsed, 6);
    if (is_alone) ::flock(descriptor, LOCK_UN);
    return is_free;
}

bool is_kept_from_deletion(int descriptor) { return is_locked_by_others(descriptor, kDenied + 2); }

}  // namespace comap::win32
