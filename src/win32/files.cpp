// SPDX-License-Identifier: Apache-2.0
#include "win32/files.hpp"

#include <fcntl.h>
#include <signal.h>
#include <strings.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "win32/access.hpp"
#include "win32/errors.hpp"
#include "win32/file_sharing.hpp"
#include "win32/security.hpp"
#include "win32/text.hpp"

namespace comap::win32 {
namespace {

HANDLE no_file(DWORD code) {
    SetLastError(code);
    return INVALID_HANDLE_VALUE;
}

bool has_directory(const std::string& path) {
    const std::size_t name_end = path.find_last_not_of('/');
    const std::size_t slash = name_end == std::string::npos ? name_end : path.rfind('/', name_end);
    struct stat found;
    return slash == std::string::npos || ::stat(path.substr(0, slash + 1).c_str(), &found) == 0;
}

bool is_read_only(const struct stat& file) { return S_ISREG(file.st_mode) && (file.st_mode & 0222) == 0; }

// --- CreateFile

struct Opening {
    DWORD rights = 0;
    DWORD share = 0;
    DWORD disposition = 0;
    DWORD flags = 0;
    bool truncates() const { return disposition == CREATE_ALWAYS || disposition == TRUNCATE_EXISTING; }
    bool makes() const { return disposition == CREATE_NEW || disposition == CREATE_ALWAYS || disposition == OPEN_ALWAYS; }
    bool writes() const { return (uses_of(rights) & FILE_SHARE_WRITE) != 0; }
};

int open_as(const std::string& path, int flags, const Opening& opening) {
    flags |= O_CLOEXEC | O_NOCTTY;
    if ((opening.rights & (FILE_WRITE_DATA | FILE_APPEND_DATA)) == FILE_APPEND_DATA) flags |= O_APPEND;
    if (opening.flags & FILE_FLAG_WRITE_THROUGH) flags |= O_SYNC;
    const mode_t mode = opening.flags & FILE_ATTRIBUTE_READONLY ? 0444 : 0666;
    if (!opening.writes() && !opening.truncates()) return ::open(path.c_str(), flags | O_RDONLY, mode);
    const int descriptor = ::open(path.c_str(), flags | O_RDWR, mode);  // reading: for the locks above
    if (descriptor >= 0 || errno != EACCES || (uses_of(opening.rights) & FILE_SHARE_READ)) return descriptor;
    return ::open(path.c_str(), flags | O_WRONLY, mode);
}

int open_or_make(const std::string& path, const Opening& opening, bool& existed) {
    for (int attempt = 0; attempt < 16; ++attempt) {  // others may make and remove it meanwhile
        existed = opening.disposition != CREATE_NEW;
        int descriptor = existed ? open_as(path, 0, opening) : -1;
        if (existed && (descriptor >= 0 || errno != ENOENT || !opening.makes())) return descriptor;
        existed = false;
        descriptor = open_as(path, O_CREAT | O_EXCL, opening);
        if (descriptor >= 0 || errno != EEXIST || opening.disposition == CREATE_NEW) return descriptor;
    }
    return -1;
}

// What else can be wrong with a file that could be opened.
DWORD check_opened(int descriptor, const Opening& opening, bool existed) {
    struct stat file;
    if (::fstat(descriptor, &file) < 0) return win32_code_of_errno(errno);
    if (S_ISDIR(file.st_mode)) return opening.flags & FILE_FLAG_BACKUP_SEMANTICS ? ERROR_SUCCESS : ERROR_ACCESS_DENIED;
    if (!S_ISREG(file.st_mode)) return ERROR_SUCCESS;
    if (existed && is_read_only(file) && (opening.writes() || opening.truncates() || (opening.rights & DELETE))) return ERROR_ACCESS_DENIED;
    if (!begin_sharing(descriptor, uses_of(opening.rights), opening.share)) return ERROR_SHARING_VIOLATION;
    if (existed && opening.truncates() && ::ftruncate(descriptor, 0) < 0) return win32_code_of_errno(errno);
    return ERROR_SUCCESS;
}

HANDLE create_file(const char* name, DWORD access, DWORD share, const SECURITY_ATTRIBUTES* attributes, DWORD disposition, DWORD flags) {
    const std::optional<std::string> path = native_path(name);
    if (!path) return INVALID_HANDLE_VALUE;
    Opening opening{specific_access(Kind::file, access) | SYNCHRONIZE | FILE_READ_ATTRIBUTES, share, disposition, flags};
    if (disposition < CREATE_NEW || disposition > TRUNCATE_EXISTING || (share & ~kAllShares)) return no_file(ERROR_INVALID_PARAMETER);
    if (disposition == TRUNCATE_EXISTING && !opening.writes()) return no_file(ERROR_INVALID_PARAMETER);
    if (!mode_of(attributes)) return INVALID_HANDLE_VALUE;  // only whether it can be had: the file is made under the umask
    const bool deletes = (flags & FILE_FLAG_DELETE_ON_CLOSE) != 0;
    if (deletes) opening.rights |= DELETE;
    bool existed = false;
    const int descriptor = open_or_make(*path, opening, existed);
    if (descriptor < 0) return no_file(path_code(errno, *path));
    if (const DWORD code = check_opened(descriptor, opening, existed); code != ERROR_SUCCESS) {
        ::close(descriptor);
        return no_file(code);
    }
    auto file = std::make_shared<FileObject>(descriptor, deletes ? FileObject::AtEnd::close_and_delete : FileObject::AtEnd::close);
    const HANDLE handle = insert_handle(std::move(file), {opening.rights, is_inherited(attributes)});
    if (!handle) return INVALID_HANDLE_VALUE;
    const bool tells = existed && (disposition == CREATE_ALWAYS || disposition == OPEN_ALWAYS);
    SetLastError(tells ? ERROR_ALREADY_EXISTS : ERROR_SUCCESS);
    return handle;
}

// --- Reading and writing

// Writing to a pipe that nobody reads is an error, not the end of the process.
class NoPipeSignal {
  public:
    NoPipeSignal() {
        ::sigemptyset(&pipe_);
        ::sigaddset(&pipe_, SIGPIPE);
        sigset_t pending;
        ::sigpending(&pending);
        was_pending_ = ::sigismember(&pending, SIGPIPE) == 1;
        ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_);
    }
    ~NoPipeSignal() {
        const struct timespec at_once = {};
        if (!was_pending_) ::sigtimedwait(&pipe_, nullptr, &at_once);
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
    NoPipeSignal(const NoPipeSignal&) = delete;
    NoPipeSignal& operator=(const NoPipeSignal&) = delete;

  private:
    sigset_t pipe_;
    sigset_t before_;
    bool was_pending_;
};

enum class Direction { read, write };

struct Transfer {
    DWORD count = 0;
    int error = 0;
};

// REQUIRES: offset -1, the file's position, unless it has places.
ssize_t move_part(Direction direction, int descriptor, char* bytes, std::size_t size, off_t offset) {
    if (direction == Direction::read) return offset < 0 ? ::read(descriptor, bytes, size) : ::pread(descriptor, bytes, size, offset);
    return offset < 0 ? ::write(descriptor, bytes, size) : ::pwrite(descriptor, bytes, size, offset);
}

// All of it, as far as there is; of what has no places (a pipe, a terminal) only what is there.
Transfer move_bytes(Direction direction, int descriptor, char* bytes, DWORD size, off_t offset, bool has_places) {
    Transfer done;
    while (done.count < size) {
        const ssize_t part = move_part(direction, descriptor, bytes + done.count, size - done.count, offset < 0 ? offset : offset + done.count);
        if (part < 0 && errno == EINTR) continue;
        if (part < 0) done.error = errno;
        if (part <= 0) break;
        done.count += static_cast<DWORD>(part);
        if (direction == Direction::read && !has_places) break;
    }
    return done;
}

BOOL end_transfer(const Transfer& done, DWORD code, DWORD* count, OVERLAPPED* overlapped) {
    if (count) *count = done.count;
    if (overlapped) {
        overlapped->Internal = code;
        overlapped->InternalHigh = done.count;
        if (overlapped->hEvent) SetEvent(overlapped->hEvent);
    }
    return code == ERROR_SUCCESS ? TRUE : fail(code);
}

// An OVERLAPPED is where to read or write; nothing goes on after the call has returned.
BOOL transfer(Direction direction, HANDLE handle, char* bytes, DWORD size, DWORD* count, OVERLAPPED* overlapped) {
    if (count) *count = 0;
    const bool reads = direction == Direction::read;
    Found found = find_handle(handle);
    if (!found || found.object->kind() != Kind::file) return fail(ERROR_INVALID_HANDLE);
    if ((found.info.access & (reads ? FILE_READ_DATA : FILE_WRITE_DATA | FILE_APPEND_DATA)) == 0) return fail(ERROR_ACCESS_DENIED);
    const int descriptor = static_cast<FileObject&>(*found.object).descriptor();
    struct stat file;
    if (::fstat(descriptor, &file) < 0) return fail(win32_code_of_errno(errno));
    const bool has_places = S_ISREG(file.st_mode) || S_ISBLK(file.st_mode);
    off_t offset = -1;
    if (overlapped && has_places) {
        const bool at_end = !reads && overlapped->Offset == UINT32_MAX && overlapped->OffsetHigh == UINT32_MAX;
        offset = at_end ? file.st_size : static_cast<off_t>(std::uint64_t{overlapped->OffsetHigh} << 32 | overlapped->Offset);
        if (offset < 0) return fail(ERROR_INVALID_PARAMETER);
    }
    std::optional<NoPipeSignal> no_signal;
    if (!reads && !has_places) no_signal.emplace();
    const Transfer done = move_bytes(direction, descriptor, bytes, size, offset, has_places);
    if (done.error != 0 && done.count == 0) return end_transfer(done, win32_code_of_errno(done.error), count, overlapped);
    if (offset >= 0) ::lseek(descriptor, offset + done.count, SEEK_SET);  // it moves the position all the same
    const bool at_end = reads && size > 0 && done.count == 0;
    if (at_end && offset >= 0) return end_transfer(done, ERROR_HANDLE_EOF, count, overlapped);
    if (at_end && (S_ISFIFO(file.st_mode) || S_ISSOCK(file.st_mode))) return end_transfer(done, ERROR_BROKEN_PIPE, count, overlapped);
    if (!reads && done.count < size) return end_transfer(done, win32_code_of_errno(done.error), count, overlapped);
    return end_transfer(done, ERROR_SUCCESS, count, overlapped);
}

std::optional<std::int64_t> size_of(HANDLE handle) {
    const auto file = find_as<FileObject>(handle, FILE_READ_ATTRIBUTES);
    if (!file) return std::nullopt;
    struct stat found;
    if (::fstat(file->descriptor(), &found) < 0 || !(S_ISREG(found.st_mode) || S_ISDIR(found.st_mode))) {
        SetLastError(ERROR_INVALID_FUNCTION);
        return std::nullopt;
    }
    return found.st_size;
}

// The new position, if it is not more than `most`; otherwise the old one stays.
std::optional<std::int64_t> move_position(HANDLE handle, std::int64_t distance, DWORD method, std::int64_t most) {
    const auto file = find_as<FileObject>(handle, 0);
    if (!file) return std::nullopt;
    const off_t before = ::lseek(file->descriptor(), 0, SEEK_CUR);
    const off_t after = method > FILE_END ? -1 : ::lseek(file->descriptor(), distance, static_cast<int>(method));
    if (after >= 0 && after <= most) return after;
    if (after >= 0) ::lseek(file->descriptor(), before, SEEK_SET);
    if (before < 0)
        SetLastError(win32_code_of_errno(errno));
    else
        SetLastError(after >= 0 || method > FILE_END ? ERROR_INVALID_PARAMETER : ERROR_NEGATIVE_SEEK);
    return std::nullopt;
}

BOOL delete_file(const char* name) {
    const std::optional<std::string> path = native_path(name);
    if (!path) return FALSE;
    struct stat file;
    if (::lstat(path->c_str(), &file) < 0) return fail(path_code(errno, *path));
    if (S_ISDIR(file.st_mode) || is_read_only(file)) return fail(ERROR_ACCESS_DENIED);
    const int descriptor = S_ISREG(file.st_mode) ? ::open(path->c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW) : -1;
    const bool is_kept = descriptor >= 0 && is_kept_from_deletion(descriptor);
    if (descriptor >= 0) ::close(descriptor);
    if (is_kept) return fail(ERROR_SHARING_VIOLATION);
    return ::unlink(path->c_str()) == 0 ? TRUE : fail(path_code(errno, *path));
}

// False: it is no terminal, and the last error is set. What was printed before comes first.
bool begin_console_output(HANDLE handle) {
    const auto file = find_as<FileObject>(handle, FILE_WRITE_DATA);
    if (!file) return false;
    if (!::isatty(file->descriptor())) {
        SetLastError(ERROR_INVALID_HANDLE);
        return false;
    }
    std::fflush(stdout);
    return true;
}

// The same handle each time, until it is closed.
HANDLE stream_handle(std::size_t number) {
    static std::array<std::atomic<HANDLE>, 3> handles;
    HANDLE known = handles[number].load(std::memory_order_relaxed);
    if (const Found found = known ? find_handle(known) : Found{}; found && found.object->kind() == Kind::file)
        if (static_cast<const FileObject&>(*found.object).descriptor() == static_cast<int>(number)) return known;
    const int flags = ::fcntl(static_cast<int>(number), F_GETFL);
    if (flags < 0) return nullptr;
    DWORD access = FILE_GENERIC_READ | FILE_GENERIC_WRITE;
    if ((flags & O_ACCMODE) == O_RDONLY) access = FILE_GENERIC_READ;
    if ((flags & O_ACCMODE) == O_WRONLY) access = FILE_GENERIC_WRITE | FILE_READ_ATTRIBUTES;
    const HANDLE made = insert_handle(std::make_shared<FileObject>(static_cast<int>(number), FileObject::AtEnd::leave_open), {access});
    if (handles[number].compare_exchange_strong(known, made, std::memory_order_relaxed)) return made;
    CloseHandle(made);
    return known;
}

}  // namespace

FileObject::FileObject(int descriptor, AtEnd at_end) : KernelObject(kKind), descriptor_(descriptor), at_end_(at_end), process_id_(::getpid()) {}

FileObject::~FileObject() {
    FileObject::at_process_end();
    if (at_end_ != AtEnd::leave_open) ::close(descriptor_);
}

void FileObject::at_process_end() {
    if (at_end_ != AtEnd::close_and_delete || process_id_ != ::getpid()) return;
    if (const std::string name = path(); !name.empty()) ::unlink(name.c_str());
}

std::string FileObject::path() const {
    std::error_code error;
    const std::string name = std::filesystem::read_symlink("/proc/thread-self/fd/" + std::to_string(descriptor_), error);
    struct stat named;
    struct stat own;
    if (::fstat(descriptor_, &own) == 0 && ::stat(name.c_str(), &named) == 0 && own.st_dev == named.st_dev && own.st_ino == named.st_ino) return name;
    return {};
}

int FileObject::share_descriptor() const { return ::fcntl(descriptor_, F_DUPFD_CLOEXEC, kFirstFree); }

std::optional<std::string> native_path(const char* path) {
    const std::string_view given = path ? path : "";
    const auto is = [&](const char* device) { return ::strcasecmp(path, device) == 0; };
    const bool is_on_drive = given.size() >= 2 && given[1] == ':' && ((given[0] | 0x20) >= 'a' && (given[0] | 0x20) <= 'z');
    if (given.empty() || is_on_drive || given.starts_with("\\\\")) {
        SetLastError(ERROR_PATH_NOT_FOUND);
        return std::nullopt;
    }
    if (is("NUL")) return "/dev/null";
    if (is("CONIN$") || is("CONOUT$")) return "/dev/tty";
    std::string native(given);
    for (char& letter : native)
        if (letter == '\\') letter = '/';
    return native;
}

DWORD path_code(int os_error, const std::string& path) {
    return os_error == ENOENT && !has_directory(path) ? ERROR_PATH_NOT_FOUND : win32_code_of_errno(os_error);
}

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

HANDLE CreateFileA(LPCSTR name, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES attributes, DWORD disposition, DWORD flags, HANDLE) {
    return create_file(name, access, share, attributes, disposition, flags);
}

HANDLE CreateFileW(LPCWSTR name, DWORD access, DWORD share, LPSECURITY_ATTRIBUTES attributes, DWORD disposition, DWORD flags, HANDLE) {
    const auto text = name ? utf8(name) : std::string();
    return text ? create_file(text->c_str(), access, share, attributes, disposition, flags) : no_file(ERROR_INVALID_NAME);
}

BOOL ReadFile(HANDLE handle, LPVOID buffer, DWORD size, LPDWORD count, LPOVERLAPPED overlapped) {
    return transfer(Direction::read, handle, static_cast<char*>(buffer), size, count, overlapped);
}

BOOL WriteFile(HANDLE handle, LPCVOID buffer, DWORD size, LPDWORD count, LPOVERLAPPED overlapped) {
    return transfer(Direction::write, handle, static_cast<char*>(const_cast<void*>(buffer)), size, count, overlapped);
}

DWORD GetFileSize(HANDLE handle, LPDWORD high) {
    const std::optional<std::int64_t> size = size_of(handle);
    if (!size) return INVALID_FILE_SIZE;
    if (high) *high = static_cast<DWORD>(*size >> 32);
    const auto low = static_cast<DWORD>(*size);
    if (low == INVALID_FILE_SIZE) SetLastError(NO_ERROR);
    return low;
}

BOOL GetFileSizeEx(HANDLE handle, PLARGE_INTEGER out) {
    if (!out) return fail(ERROR_INVALID_PARAMETER);
    const std::optional<std::int64_t> size = size_of(handle);
    if (size) out->QuadPart = *size;
    return size.has_value();
}

DWORD SetFilePointer(HANDLE handle, LONG low, PLONG high, DWORD method) {
    const std::int64_t distance = high ? static_cast<std::int64_t>(static_cast<std::uint64_t>(*high) << 32 | static_cast<DWORD>(low)) : low;
    const std::optional<std::int64_t> position = move_position(handle, distance, method, high ? INT64_MAX : UINT32_MAX);
    if (!position) return INVALID_SET_FILE_POINTER;
    if (high) *high = static_cast<LONG>(*position >> 32);
    const auto result = static_cast<DWORD>(*position);
    if (result == INVALID_SET_FILE_POINTER) SetLastError(NO_ERROR);
    return result;
}

BOOL SetFilePointerEx(HANDLE handle, LARGE_INTEGER distance, PLARGE_INTEGER out, DWORD method) {
    const std::optional<std::int64_t> position = move_position(handle, distance.QuadPart, method, INT64_MAX);
    if (position && out) out->QuadPart = *position;
    return position.has_value();
}

BOOL SetEndOfFile(HANDLE handle) {
    const auto file = find_as<FileObject>(handle, FILE_WRITE_DATA);
    if (!file) return FALSE;
    const off_t position = ::lseek(file->descriptor(), 0, SEEK_CUR);
    return position >= 0 && ::ftruncate(file->descriptor(), position) == 0 ? TRUE : fail(win32_code_of_errno(errno));
}

BOOL FlushFileBuffers(HANDLE handle) {
    const Found found = find_handle(handle);
    if (!found || found.object->kind() != Kind::file) return fail(ERROR_INVALID_HANDLE);
    if ((found.info.access & (FILE_WRITE_DATA | FILE_APPEND_DATA)) == 0) return fail(ERROR_ACCESS_DENIED);
    const bool is_done = ::fsync(static_cast<FileObject&>(*found.object).descriptor()) == 0 || errno == EINVAL;  // EINVAL: nothing is kept back
    return is_done ? TRUE : fail(win32_code_of_errno(errno));
}

BOOL DeleteFileA(LPCSTR name) { return delete_file(name); }

BOOL DeleteFileW(LPCWSTR name) {
    const auto text = name ? utf8(name) : std::string();
    return text ? delete_file(text->c_str()) : fail(ERROR_INVALID_NAME);
}

// Characters are UTF-8.
BOOL WriteConsoleA(HANDLE handle, const VOID* text, DWORD count, LPDWORD written, LPVOID) {
    return begin_console_output(handle) ? WriteFile(handle, text, count, written, nullptr) : FALSE;
}

BOOL WriteConsoleW(HANDLE handle, const VOID* text, DWORD count, LPDWORD written, LPVOID) {
    if (!begin_console_output(handle)) return FALSE;
    const std::string bytes = utf8_mended({static_cast<const WCHAR*>(text), count});
    DWORD bytes_written = 0;
    if (!WriteFile(handle, bytes.data(), static_cast<DWORD>(bytes.size()), &bytes_written, nullptr)) return FALSE;
    if (written) *written = count;
    return TRUE;
}

HANDLE GetStdHandle(DWORD which) {
    const DWORD number = STD_INPUT_HANDLE - which;
    return number < 3 ? stream_handle(number) : no_file(ERROR_INVALID_HANDLE);
}
}
