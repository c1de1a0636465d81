// SPDX-License-Identifier: Apache-2.0
#define COMAP_WIN32_INTERLOCKED WINBASEAPI  // exports the functions of interlockedapi.h
#include "win32/memory.hpp"

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <malloc.h>
#include <map>
#include <mutex>
#include <optional>
#include <pthread.h>
#include <sys/mman.h>

#include "win32/errors.hpp"
#include "win32/pages.hpp"
#include "win32/views.hpp"

namespace comap::win32 {
namespace {

using Address = std::uintptr_t;

struct Range {
    Address begin = 0;
    Address end = 0;
};

// One reservation: from each key on, up to the next, pages have that protection; 0 means reserved only.
struct Reservation {
    Range range;
    DWORD protection = 0;  // that of VirtualAlloc
    std::map<Address, DWORD> runs;

    bool contains(const Range& inner) const { return inner.begin >= range.begin && inner.end <= range.end; }

    std::map<Address, DWORD>::const_iterator run_at(Address address) const { return std::prev(runs.upper_bound(address)); }

    Address end_of(std::map<Address, DWORD>::const_iterator run) const {
        return std::next(run) == runs.end() ? range.end : std::next(run)->first;
    }

    void set(const Range& part, DWORD new_protection) {
        const DWORD behind = run_at(part.end - 1)->second;
        if (part.end < range.end) runs.try_emplace(part.end, behind);
        runs.erase(runs.lower_bound(part.begin), runs.lower_bound(part.end));
        runs.emplace(part.begin, new_protection);
    }

    bool is_committed(const Range& part) const {
        for (auto run = run_at(part.begin); run != runs.end() && run->first < part.end; ++run)
            if (run->second == 0) return false;
        return true;
    }
};

struct Reservations {
    std::mutex mutex;
    std::map<Address, Reservation> by_base;

    // REQUIRES: the mutex.
    Reservation* find(Address address) {
        const auto next = by_base.upper_bound(address);
        if (next == by_base.begin()) return nullptr;
        Reservation& reservation = std::prev(next)->second;
        return address < reservation.range.end ? &reservation : nullptr;
    }
};

// Lives until the process ends, whatever destructors still do.
Reservations& reservations() {
    static Reservations* const the_reservations = new Reservations;
    return *the_reservations;
}

Address rounded_down(Address address, std::uint64_t unit) { return address - address % static_cast<Address>(unit); }

// Whole pages that hold those bytes; nothing if they are no range of addresses.
std::optional<Range> pages_of(const void* address, std::size_t size_bytes) {
    const auto begin = reinterpret_cast<Address>(address);
    const auto page_bytes = static_cast<Address>(page_size_bytes());
    if (size_bytes > UINTPTR_MAX - page_bytes - begin) return std::nullopt;
    return Range{rounded_down(begin, page_bytes), rounded_down(begin + size_bytes + page_bytes - 1, page_bytes)};
}

void* pointer_to(Address address) { return reinterpret_cast<void*>(address); }

// Inaccessible pages, at a multiple of the granularity; MAP_FAILED with errno.
void* map_reserved(void* wanted, std::size_t size_bytes) {
    if (!wanted) return map_nothing_aligned(size_bytes);
    const auto address = reinterpret_cast<Address>(wanted);
    return only_at(address, map_nothing(address, size_bytes, MAP_FIXED_NOREPLACE), size_bytes);
}

// Memory of one's own is never a copy of anything.
bool can_be_had(DWORD protection) { return os_protection(protection) && !is_private(protection); }

bool protect(const Range& part, DWORD protection) {
    return mprotect(pointer_to(part.begin), part.end - part.begin, *os_protection(protection)) == 0;
}

// REQUIRES: the mutex; size_bytes > 0.
void* reserve(void* address, std::size_t size_bytes, DWORD type, DWORD protection) {
    void* const wanted = pointer_to(rounded_down(reinterpret_cast<Address>(address), kGranularityBytes));
    const std::optional<Range> pages = pages_of(address, size_bytes);
    if (!pages) return fail_null(ERROR_INVALID_PARAMETER);
    const std::size_t whole_bytes = pages->end - reinterpret_cast<Address>(wanted);
    void* const got = map_reserved(wanted, whole_bytes);
    if (got == MAP_FAILED) return fail_null(wanted ? ERROR_INVALID_ADDRESS : ERROR_NOT_ENOUGH_MEMORY);
    const Range range{reinterpret_cast<Address>(got), reinterpret_cast<Address>(got) + whole_bytes};
    const bool commits = (type & MEM_COMMIT) != 0;
    if (commits && !protect(range, protection)) {
        munmap(got, whole_bytes);
        return fail_null(ERROR_COMMITMENT_LIMIT);
    }
    reservations().by_base[range.begin] = Reservation{range, protection, {{range.begin, commits ? protection : 0}}};
    return got;
}

// REQUIRES: the mutex.
void* commit(void* address, std::size_t size_bytes, DWORD protection) {
    const std::optional<Range> pages = pages_of(address, size_bytes);
    if (!pages) return fail_null(ERROR_INVALID_PARAMETER);
    Reservation* const reservation = reservations().find(pages->begin);
    if (!reservation || !reservation->contains(*pages)) {
        const std::optional<View> view = find_view(address);  // the pages of a section are there from the start
        return view && pages->end <= view->end() ? pointer_to(pages->begin) : fail_null(ERROR_INVALID_ADDRESS);
    }
    if (!protect(*pages, protection)) return fail_null(ERROR_COMMITMENT_LIMIT);
    reservation->set(*pages, protection);
    return pointer_to(pages->begin);
}

// REQUIRES: the mutex.
BOOL decommit(void* address, std::size_t size_bytes) {
    const std::optional<Range> pages = pages_of(address, size_bytes);
    Reservation* const reservation = pages ? reservations().find(pages->begin) : nullptr;
    if (!reservation) return fail(ERROR_INVALID_ADDRESS);
    const bool is_whole = size_bytes == 0;
    if (is_whole && pages->begin != reservation->range.begin) return fail(ERROR_INVALID_PARAMETER);
    const Range part = is_whole ? reservation->range : *pages;
    if (!reservation->contains(part)) return fail(ERROR_INVALID_ADDRESS);
    if (map_nothing(part.begin, part.end - part.begin, MAP_FIXED) == MAP_FAILED) return fail(ERROR_NOT_ENOUGH_MEMORY);
    reservation->set(part, 0);
    return TRUE;
}

// REQUIRES: the mutex.
BOOL release(void* address, std::size_t size_bytes) {
    if (size_bytes != 0) return fail(ERROR_INVALID_PARAMETER);
    const auto found = reservations().by_base.find(reinterpret_cast<Address>(address));
    if (found == reservations().by_base.end()) return fail(ERROR_INVALID_ADDRESS);
    const Range range = found->second.range;
    reservations().by_base.erase(found);
    munmap(pointer_to(range.begin), range.end - range.begin);
    return TRUE;
}

// Of a view, at most the access that it was mapped with can be had; and what is shared cannot be made a copy.
BOOL protect_view(const View& view, const Range& part, DWORD protection, PDWORD old_protection) {
    const std::optional<int> wanted = os_protection(protection);
    const int had = *os_protection(view.protection);
    if (part.end > view.end()) return fail(ERROR_INVALID_ADDRESS);
    if (!wanted || (*wanted & ~had) != 0 || (is_private(protection) && !is_private(view.protection))) return fail(ERROR_INVALID_PARAMETER);
    MEMORY_BASIC_INFORMATION before = {};
    before.Protect = view.protection;
    if (view.is_reprotected) VirtualQuery(pointer_to(part.begin), &before, sizeof before);
    if (!protect_pages(view, part.begin, part.end - part.begin, *wanted)) return fail(win32_code_of_errno(errno));
    *old_protection = before.Protect;
    return TRUE;
}

// So that a block that grows by HEAP_ZERO_MEMORY has zeros from the size on that was asked for before.
void clear_behind(void* memory, std::size_t size_bytes) {
    const std::size_t usable_bytes = malloc_usable_size(memory);
    if (usable_bytes > size_bytes) std::memset(static_cast<char*>(memory) + size_bytes, 0, usable_bytes - size_bytes);
}

// Registered after the views' handler, and so called before it when a fork begins: the order in which the two are locked elsewhere.
[[gnu::constructor]] void watch_forks() {
    ::pthread_atfork([] { reservations().mutex.lock(); }, [] { reservations().mutex.unlock(); }, [] { reservations().mutex.unlock(); });
}

}  // namespace

std::optional<MemoryRun> find_memory_run(const void* address) {
    const std::lock_guard guard(reservations().mutex);
    const Address page = rounded_down(reinterpret_cast<Address>(address), page_size_bytes());
    const Reservation* const reservation = reservations().find(page);
    if (!reservation) return std::nullopt;
    auto run = reservation->run_at(page);
    const DWORD protection = run->second;
    while (std::next(run) != reservation->runs.end() && std::next(run)->second == protection) ++run;
    return MemoryRun{page, reservation->end_of(run) - page, reservation->range.begin, reservation->protection, protection};
}

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

LPVOID VirtualAlloc(LPVOID address, SIZE_T size_bytes, DWORD type, DWORD protection) {
    constexpr DWORD kKnown = MEM_COMMIT | MEM_RESERVE | MEM_RESET | MEM_TOP_DOWN | MEM_LARGE_PAGES;
    if (size_bytes == 0 || (type & ~kKnown) || !(type & (MEM_COMMIT | MEM_RESERVE | MEM_RESET)) || !can_be_had(protection))
        return fail_null(ERROR_INVALID_PARAMETER);
    if (type & MEM_LARGE_PAGES) return fail_null(ERROR_PRIVILEGE_NOT_HELD);
    const std::lock_guard guard(reservations().mutex);
    if (type & MEM_RESET) return address;  // contents that are not needed may be kept
    if (!address || (type & MEM_RESERVE)) return reserve(address, size_bytes, type, protection);
    return commit(address, size_bytes, protection);
}

BOOL VirtualFree(LPVOID address, SIZE_T size_bytes, DWORD type) {
    const std::lock_guard guard(reservations().mutex);
    if (type == MEM_RELEASE) return release(address, size_bytes);
    return type == MEM_DECOMMIT ? decommit(address, size_bytes) : fail(ERROR_INVALID_PARAMETER);
}

BOOL VirtualProtect(LPVOID address, SIZE_T size_bytes, DWORD protection, PDWORD old_protection) {
    const std::optional<Range> pages = pages_of(address, size_bytes);
    if (!old_protection) return fail(ERROR_NOACCESS);
    if (!pages || size_bytes == 0) return fail(ERROR_INVALID_PARAMETER);
    if (const std::optional<View> view = find_view(address)) return protect_view(*view, *pages, protection, old_protection);
    if (!can_be_had(protection)) return fail(ERROR_INVALID_PARAMETER);
    const std::lock_guard guard(reservations().mutex);
    Reservation* const reservation = reservations().find(pages->begin);
    if (!reservation || !reservation->contains(*pages) || !reservation->is_committed(*pages)) return fail(ERROR_INVALID_ADDRESS);
    const DWORD old = reservation->run_at(pages->begin)->second;
    if (!protect(*pages, protection)) return fail(win32_code_of_errno(errno));
    reservation->set(*pages, protection);
    *old_protection = old;
    return TRUE;
}

HLOCAL LocalAlloc(UINT flags, SIZE_T size_bytes) {
    const std::size_t at_least_one = std::max<std::size_t>(size_bytes, 1);
    void* const memory = flags & LMEM_ZEROINIT ? std::calloc(at_least_one, 1) : std::malloc(at_least_one);
    return memory ? memory : fail_null(ERROR_NOT_ENOUGH_MEMORY);
}

HLOCAL LocalFree(HLOCAL memory) {
    std::free(memory);
    return nullptr;
}

HGLOBAL GlobalAlloc(UINT flags, SIZE_T size_bytes) { return LocalAlloc(flags, size_bytes); }
HGLOBAL GlobalFree(HGLOBAL memory) { return LocalFree(memory); }
LPVOID GlobalLock(HGLOBAL memory) { return memory ? memory : fail_null(ERROR_INVALID_HANDLE); }
BOOL GlobalUnlock(HGLOBAL memory) { return memory ? TRUE : fail(ERROR_INVALID_HANDLE); }

// There is one heap.
HANDLE GetProcessHeap(void) {
    static char heap;
    return &heap;
}

LPVOID HeapAlloc(HANDLE heap, DWORD flags, SIZE_T size_bytes) {
    if (heap != GetProcessHeap()) return fail_null(ERROR_INVALID_HANDLE);
    void* const memory = LocalAlloc(flags & HEAP_ZERO_MEMORY ? LMEM_ZEROINIT : LMEM_FIXED, size_bytes);
    if (memory) clear_behind(memory, size_bytes);
    return memory;
}

LPVOID HeapReAlloc(HANDLE heap, DWORD flags, LPVOID memory, SIZE_T size_bytes) {
    if (heap != GetProcessHeap()) return fail_null(ERROR_INVALID_HANDLE);
    if (!memory) return fail_null(ERROR_INVALID_PARAMETER);
    const std::size_t old_bytes = malloc_usable_size(memory);  // what was asked for and zeros
    void* const grown = std::realloc(memory, std::max<std::size_t>(size_bytes, 1));
    if (!grown) return fail_null(ERROR_NOT_ENOUGH_MEMORY);
    if ((flags & HEAP_ZERO_MEMORY) && size_bytes > old_bytes) std::memset(static_cast<char*>(grown) + old_bytes, 0, size_bytes - old_bytes);
    clear_behind(grown, size_bytes);
    return grown;
}

BOOL HeapFree(HANDLE heap, DWORD, LPVOID memory) {
    if (heap != GetProcessHeap()) return fail(ERROR_INVALID_HANDLE);
    std::free(memory);
    return TRUE;
}

// In parentheses, since the header has macros of these names.
void(RtlMoveMemory)(void* destination, const void* source, SIZE_T length) { std::memmove(destination, source, length); }
void(RtlCopyMemory)(void* destination, const void* source, SIZE_T length) { std::memmove(destination, source, length); }
void(RtlFillMemory)(void* destination, SIZE_T length, int fill) { std::memset(destination, fill, length); }
void(RtlZeroMemory)(void* destination, SIZE_T length) { std::memset(destination, 0, length); }

PVOID RtlSecureZeroMemory(void* destination, SIZE_T length) {
    explicit_bzero(destination, length);
    return destination;
}

}  // extern "C"
