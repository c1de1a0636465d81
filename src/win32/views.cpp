// SPDX-License-Identifier: Apache-2.0
#include "win32/views.hpp"

#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <map>
#include <memory>
#include <mutex>
#include <string_view>

#include "win32/errors.hpp"
#include "win32/memory.hpp"

namespace comap::win32 {
namespace {

// Where the next view goes. One system call maps it there, since nobody else is given addresses in this area: the kernel gives
// its own from the top down, and the area lies far below. If somebody took some all the same, another is begun below.
struct Area {
    std::uintptr_t begin = 0;  // 0: there was none yet
    std::uintptr_t next = 0;
    std::uintptr_t end = 0;
};

constexpr std::uintptr_t kAreaBytes = std::uintptr_t{1} << (sizeof(void*) == 8 ? 33 : 25);

struct Views {
    std::mutex mutex;
    std::map<std::uintptr_t, View> all;  // by base
    Area area;
};

// Lives until the process ends, whatever threads and destructors still do.
Views& views() {
    static Views* const the_views = new Views;
    return *the_views;
}

// The child of a fork must not find the lock taken by a thread that it does not have.
[[gnu::constructor]] void watch_forks() {
    ::pthread_atfork([] { views().mutex.lock(); }, [] { views().mutex.unlock(); }, [] { views().mutex.unlock(); });
}

std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }

void* map_at(std::uintptr_t address, int placed, const ViewRequest& request) {
    const int flags = (is_private(request.protection) ? MAP_PRIVATE : MAP_SHARED) | placed;
    return ::mmap(reinterpret_cast<void*>(address), request.size_bytes, *os_protection(request.protection), flags, request.descriptor,
                static_cast<off_t>(request.offset_bytes));
}

// At exactly that address, if nothing is there; else fails with EEXIST.
void* map_if_free(std::uintptr_t address, const ViewRequest& request) {
    return only_at(address, map_at(address, MAP_FIXED_NOREPLACE, request), request.size_bytes);
}

// 0: there are none.
std::uintptr_t where_the_kernel_maps() {
    void* const probe = map_nothing(0, kGranularityBytes, 0);
    if (probe == MAP_FAILED) return 0;
    ::munmap(probe, kGranularityBytes);
    return number(probe) / kGranularityBytes * kGranularityBytes;
}

// REQUIRES: the views' mutex. The page that stays mapped at its beginning keeps the kernel's tables for the views near it, as
// neighbours do elsewhere: making these tables anew costs more than mapping.
void begin_area(Area& area) {
    const std::uintptr_t top = area.begin != 0 ? area.begin : where_the_kernel_maps();
    area.next = area.end = 0;
    if (top < 4 * kAreaBytes) return;
    area.begin = top - 2 * kAreaBytes;
    void* const anchor = map_nothing(area.begin, page_size_bytes(), MAP_FIXED_NOREPLACE);
    if (only_at(area.begin, anchor, page_size_bytes()) == MAP_FAILED) return;
    area.next = area.begin + kGranularityBytes;
    area.end = area.begin + kAreaBytes;
}

// REQUIRES: the views' mutex. MAP_FAILED and EEXIST: not in this area.
void* map_in_area(Area& area, const ViewRequest& request) {
    if (area.next == area.end) begin_area(area);
    if (request.size_bytes > area.end - area.next) {
        errno = EEXIST;
        return MAP_FAILED;
    }
    void* const mapped = map_if_free(area.next, request);
    if (mapped == MAP_FAILED) return mapped;
    area.next = rounded_up(number(mapped) + request.size_bytes, kGranularityBytes);
    return mapped;
}

void* map_in_larger_room(const ViewRequest& request) {
    void* const room = map_nothing_aligned(request.size_bytes);
    if (room == MAP_FAILED) return room;
    void* const mapped = map_at(number(room), MAP_FIXED, request);
    const int os_error = errno;
    if (mapped == MAP_FAILED) ::munmap(room, request.size_bytes);
    errno = os_error;
    return mapped;
}

// REQUIRES: the views' mutex.
void* map_anywhere(Area& area, const ViewRequest& request) {
    for (int attempt = 0; attempt < 2; ++attempt) {
        void* const mapped = map_in_area(area, request);
        if (mapped != MAP_FAILED || errno != EEXIST) return mapped;
        if (request.size_bytes > kAreaBytes / 2) break;
        area.next = area.end;  // full, or taken
    }
    return map_in_larger_room(request);
}

DWORD code_of_mapping(int os_error, bool wants_address) {
    if (wants_address && (os_error == EEXIST || os_error == ENOMEM || os_error == EPERM || os_error == EINVAL)) return ERROR_INVALID_ADDRESS;
    return os_error == ENOMEM ? ERROR_NOT_ENOUGH_MEMORY : win32_code_of_errno(os_error);
}

// REQUIRES: the views' mutex.
std::map<std::uintptr_t, View>::iterator view_around(Views& known, std::uintptr_t address) {
    auto at = known.all.upper_bound(address);
    if (at == known.all.begin()) return known.all.end();
    --at;
    return address < at->second.end() ? at : known.all.end();
}

// One line of /proc/thread-self/maps, with those after it that look alike; or a hole between two.
struct Mapped {
    std::uintptr_t begin = 0;
    std::uintptr_t end = UINTPTR_MAX;
    bool is_free = true;
    bool is_of_file = false;
    char rights[5] = "----";

    bool is_continued_by(const Mapped& next) const {
        return !is_free && end == next.begin && is_of_file == next.is_of_file && std::string_view(rights) == next.rights;
    }
};

std::optional<Mapped> line_of(const char* line) {
    Mapped one;
    unsigned long inode = 0;
    if (std::sscanf(line, "%zx-%zx %4s %*x %*s %lu", &one.begin, &one.end, one.rights, &inode) != 4) return std::nullopt;
    one.is_free = false;
    one.is_of_file = inode != 0;
    return one;
}

std::optional<Mapped> mapped_around(std::uintptr_t address) {
    const std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen("/proc/thread-self/maps", "re"), std::fclose);
    if (!file) return std::nullopt;
    Mapped found;
    char line[4096 + 128];
    while (std::fgets(line, sizeof line, file.get())) {
        const std::optional<Mapped> one = line_of(line);
        if (!one) continue;
        if (found.is_continued_by(*one)) {
            found.end = one->end;
            continue;
        }
        if (found.is_free) found.end = one->begin;
        if (address < found.end) return found;
        if (address < one->begin) return Mapped{found.end, one->begin};
        found = *one;
    }
    return address < found.end ? found : Mapped{found.end};
}

// The last address a program can have: the next power of two above the stack, less one.
std::uintptr_t last_address() {
    int on_stack = 0;
    std::uintptr_t last = 0xffff;
    while (last < number(&on_stack)) last = last * 2 + 1;
    return last;
}

int protection_of(std::string_view rights) {
    return (rights[0] == 'r' ? PROT_READ : 0) | (rights[1] == 'w' ? PROT_WRITE : 0) | (rights[2] == 'x' ? PROT_EXEC : 0);
}

DWORD protection_of(const Mapped& mapped) {
    const bool writes = mapped.rights[1] == 'w';
    const bool copies = writes && mapped.is_of_file && mapped.rights[3] == 'p';
    if (mapped.rights[2] == 'x') return copies ? PAGE_EXECUTE_WRITECOPY : writes ? PAGE_EXECUTE_READWRITE : mapped.rights[0] == 'r' ? PAGE_EXECUTE_READ : PAGE_EXECUTE;
    if (copies) return PAGE_WRITECOPY;
    return writes ? PAGE_READWRITE : mapped.rights[0] == 'r' ? PAGE_READONLY : PAGE_NOACCESS;
}

MEMORY_BASIC_INFORMATION describe(const Mapped& mapped, std::uintptr_t page) {
    MEMORY_BASIC_INFORMATION out = {};
    out.BaseAddress = reinterpret_cast<void*>(page);
    out.RegionSize = mapped.end - page;
    out.State = mapped.is_free ? MEM_FREE : MEM_COMMIT;
    out.Protect = mapped.is_free ? PAGE_NOACCESS : protection_of(mapped);
    if (mapped.is_free) return out;
    out.AllocationBase = reinterpret_cast<void*>(mapped.begin);
    out.AllocationProtect = out.Protect;
    out.Type = !mapped.is_of_file ? MEM_PRIVATE : mapped.rights[2] == 'x' ? MEM_IMAGE : MEM_MAPPED;
    return out;
}

// REQUIRES: the views' mutex.
void map_anew(const View& view, int descriptor) {
    if (!view.is_reprotected) {
        ::mmap(reinterpret_cast<void*>(view.base), view.size_bytes, *os_protection(view.protection), MAP_SHARED | MAP_FIXED, descriptor,
               static_cast<off_t>(view.offset_bytes));
        return;
    }
    // Run by run.
    for (std::uintptr_t at = view.base; at < view.end();) {
        const Mapped run = mapped_around(at).value_or(Mapped{});
        const std::uintptr_t end = std::min(run.end, view.end());
        const auto offset = static_cast<off_t>(view.offset_bytes + (at - view.base));
        const int protection = run.is_free ? *os_protection(view.protection) : protection_of(run.rights);
        if (::mmap(reinterpret_cast<void*>(at), end - at, protection, MAP_SHARED | MAP_FIXED, descriptor, offset) == MAP_FAILED) return;
        at = end;
    }
}

// Protections of its pages may have been changed since it was mapped.
MEMORY_BASIC_INFORMATION describe(const View& view, std::uintptr_t page) {
    const Mapped part = mapped_around(page).value_or(Mapped{});
    MEMORY_BASIC_INFORMATION out = {};
    out.BaseAddress = reinterpret_cast<void*>(page);
    out.AllocationBase = reinterpret_cast<void*>(view.base);
    out.AllocationProtect = view.protection;
    out.RegionSize = (part.is_free ? view.end() : std::min(part.end, view.end())) - page;
    out.State = MEM_COMMIT;
    out.Protect = part.is_free ? view.protection : protection_of(part);
    out.Type = MEM_MAPPED;
    return out;
}

MEMORY_BASIC_INFORMATION describe(const MemoryRun& run) {
    MEMORY_BASIC_INFORMATION out = {};
    out.BaseAddress = reinterpret_cast<void*>(run.base);
    out.AllocationBase = reinterpret_cast<void*>(run.allocation_base);
    out.AllocationProtect = run.allocation_protection;
    out.RegionSize = run.size_bytes;
    out.State = run.protection == 0 ? MEM_RESERVE : MEM_COMMIT;
    out.Protect = run.protection;
    out.Type = MEM_PRIVATE;
    return out;
}

// Nothing: no program can have that address.
std::optional<MEMORY_BASIC_INFORMATION> describe(std::uintptr_t page) {
    const auto* const address = reinterpret_cast<const void*>(page);
    if (const std::optional<View> view = find_view(address)) return describe(*view, page);
    if (const std::optional<MemoryRun> run = find_memory_run(address)) return describe(*run);
    std::optional<Mapped> around = mapped_around(page);
    if (!around || page > last_address()) return std::nullopt;
    if (around->is_free) around->end = std::min(around->end, last_address() + 1);
    return describe(*around, page);
}

}  // namespace

void* map_view(const ViewRequest& request) {
    Views& known = views();
    const std::lock_guard guard(known.mutex);
    void* const mapped = request.address ? map_if_free(number(request.address), request) : map_anywhere(known.area, request);
    if (mapped == MAP_FAILED) return fail_null(code_of_mapping(errno, request.address));
    known.all[number(mapped)] = {number(mapped), request.size_bytes, request.protection, request.offset_bytes, request.holder};
    return mapped;
}

bool protect_pages(const View& view, std::uintptr_t begin, std::size_t size_bytes, int protection) {
    Views& known = views();
    const std::lock_guard guard(known.mutex);
    const auto at = known.all.find(view.base);
    if (at == known.all.end()) {
        errno = ENOMEM;
        return false;
    }
    at->second.is_reprotected = true;
    return ::mprotect(reinterpret_cast<void*>(begin), size_bytes, protection) == 0;
}

void release_views(const void* holder, const std::function<int()>& open) {
    Views& known = views();
    const std::lock_guard guard(known.mutex);
    std::optional<int> descriptor;
    for (auto& [base, view] : known.all) {
        if (view.holder != holder) continue;
        if (!descriptor) descriptor = open();
        if (*descriptor >= 0) map_anew(view, *descriptor);
        view.holder = nullptr;
    }
    if (descriptor && *descriptor >= 0) ::close(*descriptor);
}

std::optional<View> find_view(const void* address) {
    Views& known = views();
    const std::lock_guard guard(known.mutex);
    const auto at = view_around(known, number(address));
    if (at == known.all.end()) return std::nullopt;
    return at->second;
}

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

BOOL WINAPI UnmapViewOfFile(LPCVOID lpBaseAddress) {
    Views& known = views();
    const std::lock_guard guard(known.mutex);
    const auto at = view_around(known, number(lpBaseAddress));
    if (at == known.all.end()) return fail(ERROR_INVALID_ADDRESS);
    const View view = at->second;
    if (::munmap(reinterpret_cast<void*>(view.base), view.size_bytes) != 0) return fail(win32_code_of_errno(errno));
    known.all.erase(at);
    if (known.area.next == rounded_up(view.end(), kGranularityBytes)) known.area.next = view.base;
    return TRUE;
}

// Of memory there is nothing to write, and the kernel knows that.
BOOL WINAPI FlushViewOfFile(LPCVOID lpBaseAddress, SIZE_T dwNumberOfBytesToFlush) {
    const std::optional<View> view = find_view(lpBaseAddress);
    if (!view) {
        const auto around = mapped_around(number(lpBaseAddress));
        return fail(around && !around->is_free ? ERROR_INVALID_ADDRESS : ERROR_INVALID_PARAMETER);
    }
    const std::uintptr_t from = number(lpBaseAddress);
    if (dwNumberOfBytesToFlush > view->end() - from) return fail(ERROR_INVALID_PARAMETER);
    if (is_private(view->protection)) return TRUE;
    const std::uintptr_t begin = from / page_size_bytes() * page_size_bytes();
    const std::uintptr_t end = dwNumberOfBytesToFlush == 0 ? view->end() : from + dwNumberOfBytesToFlush;
    if (::msync(reinterpret_cast<void*>(begin), end - begin, MS_SYNC) != 0) return fail(win32_code_of_errno(errno));
    return TRUE;
}

SIZE_T WINAPI VirtualQuery(LPCVOID lpAddress, PMEMORY_BASIC_INFORMATION lpBuffer, SIZE_T dwLength) {
    if (!lpBuffer || dwLength < sizeof *lpBuffer) {
        SetLastError(lpBuffer ? ERROR_INVALID_PARAMETER : ERROR_NOACCESS);
        return 0;
    }
    const auto described = describe(number(lpAddress) / page_size_bytes() * page_size_bytes());
    if (!described) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return 0;
    }
    *lpBuffer = *described;
    return sizeof *lpBuffer;
}

}  // extern "C"
