// SPDX-License-Identifier: Apache-2.0
#include "win32/file_sharing.hpp"

#include <fcntl.h>
#include <sched.h>

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

}  // namespace

DWORD uses_of(DWORD rights) {
    DWORD uses = 0;
    if (rights & (FILE_READ_DATA | FILE_EXECUTE)) uses |= FILE_SHARE_READ;
    if (rights & (FILE_WRITE_DATA | FILE_APPEND_DATA)) uses |= FILE_SHARE_WRITE;
    if (rights & DELETE) uses |= FILE_SHARE_DELETE;
    return uses;
}

bool begin_sharing(int descriptor, DWORD uses, DWORD share) {
    if (uses == 0) return true;
    const DWORD denies = kAllShares & ~share;
    for (int attempt = 0; attempt < 16; ++attempt) {  // two who come at one moment may both go back: one is soon the first
        lock_each(descriptor, kUsed, uses);
        lock_each(descriptor, kDenied, denies);
        if (!any_locked_by_others(descriptor, kDenied, uses) && !any_locked_by_others(descriptor, kUsed, denies)) return true;
        set_lock(descriptor, F_UNLCK, kUsed, 6);
        ::sched_yield();
    }
    return false;
}

bool is_kept_from_deletion(int descriptor) { return is_locked_by_others(descriptor, kDenied + 2); }

}  // namespace comap::win32
