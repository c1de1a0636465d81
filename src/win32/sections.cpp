// SPDX-License-Identifier: Apache-2.0
#include "win32/sections.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <string>

#include "win32/creation.hpp"
#include "win32/files.hpp"

namespace comap::win32 {
namespace {

// ERROR_SUCCESS, and the size is that of the view: whole pages, as far as the section reaches. Asks anew where less than that was
// known, since sections can grow.
DWORD fit_view(const Section& section, std::uint64_t known_bytes, std::uint64_t offset_bytes, std::uint64_t& size_bytes) {
    std::uint64_t mappable = rounded_to_pages(known_bytes);
    if (offset_bytes >= mappable || size_bytes > mappable - offset_bytes) {
        const Result<std::uint64_t> now = section.size_bytes();
        if (!now) return win32_code(now.error());
        mappable = rounded_to_pages(*now);
    }
    if (offset_bytes >= mappable) return ERROR_INVALID_PARAMETER;
    if (size_bytes > mappable - offset_bytes) return ERROR_ACCESS_DENIED;
    size_bytes = size_bytes == 0 ? mappable - offset_bytes : rounded_to_pages(size_bytes);
    return size_bytes <= SIZE_MAX ? ERROR_SUCCESS : ERROR_NOT_ENOUGH_MEMORY;
}

}  // namespace

SectionObject::~SectionObject() {
    release_views(this, [&] {
        Result<BodyFile> body = section_.body_file(section_.access());
        if (!body) body = section_.body_file(Access::read_only);  // a text, which can only be looked at
        return body ? body->descriptor : -1;
    });
}

int SectionObject::share_descriptor() const { return section_.share_descriptor(section_.access()).value_or(-1); }

void* SectionObject::map(DWORD protection, std::uint64_t offset_bytes, std::uint64_t size_bytes, void* address) const {
    const bool writes = protection == PAGE_READWRITE || protection == PAGE_EXECUTE_READWRITE;
    const Result<BodyFile> own = section_.own_body_file(writes ? Access::read_write : Access::read_only);
    if (!own) return fail_null(own.error().code == Code::layout_mismatch ? ERROR_ACCESS_DENIED : win32_code(own.error()));  // a text is looked at
    if (const DWORD code = fit_view(section_, own->size_bytes, offset_bytes, size_bytes); code != ERROR_SUCCESS) return fail_null(code);
    ViewRequest request = {.descriptor = own->descriptor,
                           .offset_bytes = own->offset_bytes + offset_bytes,
                           .size_bytes = static_cast<std::size_t>(size_bytes),
                           .protection = protection,
                           .address = address,
                           .holder = this};
    if (!is_private(protection)) return map_view(request);
    const Result<BodyFile> body = section_.body_file(Access::read_only);  // enough for copies
    if (!body) return fail_null(win32_code(body.error()));
    request.descriptor = body->descriptor;
    request.holder = nullptr;
    void* const view = map_view(request);
    ::close(body->descriptor);
    return view;
}

std::shared_ptr<KernelObject> section_from_descriptor(int descriptor, DWORD access) {
    OpenOptions options;
    options.access = (access & SECTION_MAP_WRITE) != 0 ? Access::read_write : Access::read_only;
    auto section = Section::from_descriptor(descriptor, options);
    if (!section) return nullptr;
    return std::make_shared<SectionObject>(std::move(*section));
}

namespace {

// --- creating ----------------------------------------------------------------------------------------------------------

// What flProtect says.
struct Wanted {
    DWORD access = 0;       // of the handle
    DWORD file_access = 0;  // that the file's handle must have
    bool writes = false;
    bool is_lazy = false;
};

std::optional<Wanted> wanted_of_protection(DWORD protection) {
    constexpr DWORD kRead = STANDARD_RIGHTS_REQUIRED | SECTION_QUERY | SECTION_MAP_READ;
    switch (protection) {
        case PAGE_READONLY:
        case PAGE_WRITECOPY:
            return Wanted{kRead, FILE_READ_DATA};
        case PAGE_READWRITE:
            return Wanted{kRead | SECTION_MAP_WRITE, FILE_READ_DATA | FILE_WRITE_DATA, true};
        case PAGE_EXECUTE_READ:
        case PAGE_EXECUTE_WRITECOPY:
            return Wanted{kRead | SECTION_MAP_EXECUTE, FILE_READ_DATA | FILE_EXECUTE};
        case PAGE_EXECUTE_READWRITE:
            return Wanted{kRead | SECTION_MAP_WRITE | SECTION_MAP_EXECUTE, FILE_READ_DATA | FILE_WRITE_DATA | FILE_EXECUTE, true};
        default:
            return std::nullopt;
    }
}

// Nothing, and the last error is set, if there is no such section.
std::optional<Wanted> wanted_of(DWORD protect) {
    constexpr DWORD kProtection = 0xfff;
    constexpr DWORD kModifiers = SEC_NOCACHE | SEC_WRITECOMBINE | SEC_LARGE_PAGES;  // hints that change nothing here
    std::optional<Wanted> wanted = wanted_of_protection(protect & kProtection);
    const DWORD section = protect & ~kProtection;
    const DWORD type = section & ~kModifiers;
    if (wanted && (type & SEC_IMAGE) != 0) {
        SetLastError(ERROR_BAD_EXE_FORMAT);
        return std::nullopt;
    }
    if (!wanted || (section != 0 && type != SEC_COMMIT && type != SEC_RESERVE)) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return std::nullopt;
    }
    wanted->is_lazy = type == SEC_RESERVE;
    return wanted;
}

// Old programs mean the first by 0xFFFFFFFF, whatever the width of a handle, and by 0.
bool means_no_file(HANDLE file) { return file == INVALID_HANDLE_VALUE || !file || reinterpret_cast<std::uintptr_t>(file) == 0xffffffffu; }

bool is_same_file(const struct stat& one, const struct stat& other) { return one.st_dev == other.st_dev && one.st_ino == other.st_ino; }

// ERROR_SUCCESS, and the file is in the options, and the size is known.
DWORD take_file(const FileObject& file, const Wanted& wanted, std::uint64_t& size_bytes, CreateOptions& options) {
    struct stat state = {};
    if (::fstat(file.descriptor(), &state) != 0 || !S_ISREG(state.st_mode)) return ERROR_BAD_EXE_FORMAT;
    const auto file_bytes = static_cast<std::uint64_t>(state.st_size);
    if (size_bytes == 0) size_bytes = file_bytes;
    if (size_bytes == 0) return ERROR_FILE_INVALID;
    if (size_bytes > file_bytes && !wanted.writes) return ERROR_NOT_ENOUGH_MEMORY;
    options.file = file.path();
    struct stat named = {};
    if (options.file.empty() || ::stat(options.file.c_str(), &named) != 0 || !is_same_file(named, state)) return ERROR_FILE_INVALID;
    options.access = wanted.writes ? Access::read_write : Access::read_only;
    options.lazy = options.lazy || file_bytes >= size_bytes;  // takes no disk space that the file has not taken
    return ERROR_SUCCESS;
}

// The section of that name, made if there is none. One that is there keeps its size, its file, its everything.
Result<Section> open_or_create(const std::string& name, std::uint64_t size_bytes, const Wanted& wanted, const CreateOptions& options) {
    if (name.empty()) return Section::create_unnamed(size_bytes, options);
    auto made = Section::open_or_create(name, size_bytes, options);
    if (made) return made;
    const bool may_only_be_read = made.error().code == Code::permission_denied && !wanted.writes;
    const bool lies_in_another_file = made.error().code == Code::file_changed && !options.file.empty();
    if (!may_only_be_read && !lies_in_another_file) return made;
    OpenOptions existing;
    existing.access = wanted.writes ? Access::read_write : Access::read_only;
    auto opened = Section::open(name, existing);
    return opened ? std::move(opened) : std::move(made);
}

DWORD code_of_new_section(const Error& error, const CreateOptions& options) {
    if (error.code != Code::no_space) return code_of_creation(error);
    return options.file.empty() ? ERROR_COMMITMENT_LIMIT : ERROR_DISK_FULL;
}

template <typename Char>
HANDLE create_file_mapping(HANDLE file, const SECURITY_ATTRIBUTES* attributes, DWORD protect, std::uint64_t size_bytes, const Char* given) {
    const std::optional<Wanted> wanted = wanted_of(protect);
    if (!wanted) return nullptr;
    CreateOptions options;
    options.lazy = wanted->is_lazy;
    if (!means_no_file(file)) {
        const auto found = find_as<FileObject>(file, wanted->file_access);
        if (!found) return nullptr;
        if (const DWORD code = take_file(*found, *wanted, size_bytes, options); code != ERROR_SUCCESS) return fail_null(code);
    } else if (size_bytes == 0) {
        return fail_null(ERROR_INVALID_PARAMETER);
    }
    const auto make = [&](const std::string& name, std::uint32_t mode) {
        options.mode = mode;
        return open_or_create(name, size_bytes, *wanted, options);
    };
    return create_object<SectionObject>(attributes, given, wanted->access, make, [&](const Error& error) { return code_of_new_section(error, options); });
}

// --- opening -----------------------------------------------------------------------------------------------------------

// FILE_MAP_COPY is the right to query, by which nothing could be mapped: it has always meant reading.
DWORD handle_access(DWORD asked) {
    if (asked == FILE_MAP_COPY) return SECTION_MAP_READ;
    DWORD access = specific_access(Kind::section, asked);
    if ((access & FILE_MAP_EXECUTE) != 0) access = (access & ~FILE_MAP_EXECUTE) | SECTION_MAP_EXECUTE;
    return access;
}

template <typename Char>
HANDLE open_file_mapping(DWORD asked, BOOL inherits, const Char* given) {
    const ObjectName name = name_to_open(given);
    if (name.error != ERROR_SUCCESS) return fail_null(name.error);
    const DWORD access = handle_access(asked);
    OpenOptions options;
    options.access = (access & SECTION_MAP_WRITE) != 0 ? Access::read_write : Access::read_only;
    auto section = Section::open(name.native, options);
    if (!section && section.error().code == Code::permission_denied && (asked & MAXIMUM_ALLOWED) != 0)
        section = Section::open(name.native, {.access = Access::read_only});
    if (!section) return fail_null(code_of_opening(section.error()));
    return insert_handle(std::make_shared<SectionObject>(std::move(*section)), {.access = access, .is_inherited = inherits != FALSE});
}

// --- mapping -----------------------------------------------------------------------------------------------------------

struct ViewAccess {
    DWORD protection;
    DWORD needed;  // of the handle's rights
};

ViewAccess view_access(DWORD access) {
    constexpr DWORD kHints = 0xe0000000u;  // FILE_MAP_LARGE_PAGES and others that change nothing here
    access &= ~kHints;
    const bool executes = (access & FILE_MAP_EXECUTE) != 0;
    const DWORD more = executes ? SECTION_MAP_EXECUTE : 0;
    if ((access & ~FILE_MAP_EXECUTE) == FILE_MAP_COPY) return {executes ? PAGE_EXECUTE_WRITECOPY : PAGE_WRITECOPY, SECTION_MAP_READ | more};
    if ((access & FILE_MAP_WRITE) != 0) return {executes ? PAGE_EXECUTE_READWRITE : PAGE_READWRITE, SECTION_MAP_WRITE | more};
    if ((access & FILE_MAP_READ) != 0) return {executes ? PAGE_EXECUTE_READ : PAGE_READONLY, SECTION_MAP_READ | more};
    return executes ? ViewAccess{PAGE_EXECUTE, more} : ViewAccess{PAGE_NOACCESS, SECTION_MAP_READ};
}

std::uint64_t whole(DWORD high, DWORD low) { return std::uint64_t{high} << 32 | low; }

}  // namespace

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

HANDLE WINAPI CreateFileMappingA(HANDLE hFile, LPSECURITY_ATTRIBUTES lpAttributes, DWORD flProtect, DWORD dwMaximumSizeHigh, DWORD dwMaximumSizeLow,
                                 LPCSTR lpName) {
    return create_file_mapping(hFile, lpAttributes, flProtect, whole(dwMaximumSizeHigh, dwMaximumSizeLow), lpName);
}

HANDLE WINAPI CreateFileMappingW(HANDLE hFile, LPSECURITY_ATTRIBUTES lpAttributes, DWORD flProtect, DWORD dwMaximumSizeHigh, DWORD dwMaximumSizeLow,
                                 LPCWSTR lpName) {
    return create_file_mapping(hFile, lpAttributes, flProtect, whole(dwMaximumSizeHigh, dwMaximumSizeLow), lpName);
}

HANDLE WINAPI OpenFileMappingA(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCSTR lpName) { return open_file_mapping(dwDesiredAccess, bInheritHandle, lpName); }
HANDLE WINAPI OpenFileMappingW(DWORD dwDesiredAccess, BOOL bInheritHandle, LPCWSTR lpName) { return open_file_mapping(dwDesiredAccess, bInheritHandle, lpName); }

LPVOID WINAPI MapViewOfFileEx(HANDLE hFileMappingObject, DWORD dwDesiredAccess, DWORD dwFileOffsetHigh, DWORD dwFileOffsetLow, SIZE_T dwNumberOfBytesToMap,
                              LPVOID lpBaseAddress) {
    if (dwFileOffsetLow % kGranularityBytes != 0 || reinterpret_cast<std::uintptr_t>(lpBaseAddress) % kGranularityBytes != 0)
        return fail_null(ERROR_MAPPED_ALIGNMENT);
    const ViewAccess access = view_access(dwDesiredAccess);
    const auto section = find_as<SectionObject>(hFileMappingObject, access.needed);
    if (!section) return nullptr;
    return section->map(access.protection, whole(dwFileOffsetHigh, dwFileOffsetLow), dwNumberOfBytesToMap, lpBaseAddress);
}

LPVOID WINAPI MapViewOfFile(HANDLE hFileMappingObject, DWORD dwDesiredAccess, DWORD dwFileOffsetHigh, DWORD dwFileOffsetLow, SIZE_T dwNumberOfBytesToMap) {
    return MapViewOfFileEx(hFileMappingObject, dwDesiredAccess, dwFileOffsetHigh, dwFileOffsetLow, dwNumberOfBytesToMap, nullptr);
}

}  // extern "C"
