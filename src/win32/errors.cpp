// SPDX-License-Identifier: Apache-2.0
// The last error of a thread, what the codes mean to people, and where the codes of others become ours.
#include "win32/errors.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <string_view>

#include "win32/printing.hpp"
#include "win32/text.hpp"

namespace comap::win32 {
namespace {

thread_local DWORD last_error = ERROR_SUCCESS;

struct Text {
    DWORD code;
    std::string_view text;  // without the full stop and the line break that end each message
};

constexpr auto kTexts = std::to_array<Text>({
    {ERROR_SUCCESS, "The call succeeded"},
    {ERROR_INVALID_FUNCTION, "This cannot be done with the object"},
    {ERROR_FILE_NOT_FOUND, "There is no file or object of this name"},
    {ERROR_PATH_NOT_FOUND, "A folder of the path does not exist"},
    {ERROR_TOO_MANY_OPEN_FILES, "Too many files are open"},
    {ERROR_ACCESS_DENIED, "Access is not allowed"},
    {ERROR_INVALID_HANDLE, "The handle is not valid, or the name belongs to an object of another kind"},
    {ERROR_NOT_ENOUGH_MEMORY, "There is not enough memory"},
    {ERROR_BAD_ENVIRONMENT, "The environment is malformed"},
    {ERROR_BAD_FORMAT, "The object has a format of another version"},
    {ERROR_INVALID_ACCESS, "The access code is not valid"},
    {ERROR_INVALID_DATA, "The data is not valid"},
    {ERROR_OUTOFMEMORY, "There is not enough memory for the call"},
    {ERROR_NOT_SAME_DEVICE, "The file cannot be moved to another file system"},
    {ERROR_NO_MORE_FILES, "There are no more files"},
    {ERROR_WRITE_PROTECT, "The file system can only be read"},
    {ERROR_NOT_READY, "The device is not ready"},
    {ERROR_SEEK, "The position cannot be reached"},
    {ERROR_WRITE_FAULT, "The device could not be written"},
    {ERROR_READ_FAULT, "The device could not be read"},
    {ERROR_GEN_FAILURE, "The operating system refused the call"},
    {ERROR_SHARING_VIOLATION, "Another process uses the file"},
    {ERROR_LOCK_VIOLATION, "Another process locked a part of the file"},
    {ERROR_HANDLE_EOF, "The end of the file was reached"},
    {ERROR_HANDLE_DISK_FULL, "The disk is full"},
    {ERROR_NOT_SUPPORTED, "This is not supported"},
    {ERROR_FILE_EXISTS, "The file exists"},
    {ERROR_CANNOT_MAKE, "The file or folder cannot be made"},
    {ERROR_INVALID_PARAMETER, "A parameter is not valid"},
    {ERROR_NO_PROC_SLOTS, "No more processes can be started now"},
    {ERROR_BROKEN_PIPE, "The other end of the pipe is closed"},
    {ERROR_OPEN_FAILED, "The file cannot be opened"},
    {ERROR_BUFFER_OVERFLOW, "The file name is too long"},
    {ERROR_DISK_FULL, "There is not enough space on the disk"},
    {ERROR_CALL_NOT_IMPLEMENTED, "This system does not have the call"},
    {ERROR_SEM_TIMEOUT, "The semaphore was not released in time"},
    {ERROR_INSUFFICIENT_BUFFER, "The buffer is too small for the result"},
    {ERROR_INVALID_NAME, "The name is malformed"},
    {ERROR_MOD_NOT_FOUND, "The module was not found"},
    {ERROR_PROC_NOT_FOUND, "The procedure was not found"},
    {ERROR_WAIT_NO_CHILDREN, "There is no child process to wait for"},
    {ERROR_NEGATIVE_SEEK, "The position lies before the start of the file"},
    {ERROR_SEEK_ON_DEVICE, "The device has no position that could be set"},
    {ERROR_DIR_NOT_EMPTY, "The folder is not empty"},
    {ERROR_SIGNAL_REFUSED, "The receiver refused the signal"},
    {ERROR_NOT_LOCKED, "The part of the file was not locked"},
    {ERROR_BAD_ARGUMENTS, "The arguments are not right"},
    {ERROR_BAD_PATHNAME, "The path is not valid"},
    {ERROR_MAX_THRDS_REACHED, "No more threads can be started now"},
    {ERROR_BUSY, "The object is in use"},
    {ERROR_ALREADY_EXISTS, "The object exists already"},
    {ERROR_BAD_EXE_FORMAT, "This is not a program that can be run"},
    {ERROR_ENVVAR_NOT_FOUND, "The environment has no such variable"},
    {ERROR_FILENAME_EXCED_RANGE, "The name is too long"},
    {ERROR_NO_DATA, "The pipe is being closed"},
    {ERROR_MORE_DATA, "There is more data than was asked for"},
    {WAIT_TIMEOUT, "The wait ended because its time was over"},
    {ERROR_NO_MORE_ITEMS, "There is nothing more"},
    {ERROR_DIRECTORY, "The name is not that of a folder"},
    {ERROR_NOT_OWNER, "The mutex is not owned by the caller"},
    {ERROR_TOO_MANY_POSTS, "The count of the semaphore would exceed its maximum"},
    {ERROR_PARTIAL_COPY, "Only a part of the data could be copied"},
    {ERROR_MR_MID_NOT_FOUND, "There is no message text of this number"},
    {ERROR_INVALID_ADDRESS, "The address is not valid"},
    {ERROR_ARITHMETIC_OVERFLOW, "The result has too many bits"},
    {ERROR_OPERATION_ABORTED, "The operation was ended early"},
    {ERROR_IO_INCOMPLETE, "The operation is not complete"},
    {ERROR_IO_PENDING, "The operation goes on in the background"},
    {ERROR_NOACCESS, "The memory cannot be used so"},
    {ERROR_INVALID_FLAGS, "The flags are not valid"},
    {ERROR_FILE_INVALID, "The file was changed from outside, or is empty; it can no longer be used so"},
    {ERROR_NO_UNICODE_TRANSLATION, "The text has characters that the other encoding does not have"},
    {ERROR_IO_DEVICE, "The device reported an error"},
    {ERROR_MAPPED_ALIGNMENT, "The address or the offset is not a multiple of the allocation granularity"},
    {ERROR_USER_MAPPED_FILE, "A part of the file is mapped"},
    {ERROR_UNKNOWN_REVISION, "The revision is not known"},
    {ERROR_INVALID_OWNER, "The identifier cannot be that of an owner"},
    {ERROR_PRIVILEGE_NOT_HELD, "The caller lacks a privilege that the call needs"},
    {ERROR_INVALID_ACL, "The access list is malformed"},
    {ERROR_INVALID_SID, "The security identifier is malformed"},
    {ERROR_INVALID_SECURITY_DESCR, "The security descriptor is malformed"},
    {ERROR_INVALID_WINDOW_HANDLE, "The window handle is not valid"},
    {ERROR_INVALID_MSGBOX_STYLE, "A message box has no such buttons"},
    {ERROR_NO_SYSTEM_RESOURCES, "The system lacks the means for the call"},
    {ERROR_COMMITMENT_LIMIT, "There is not enough memory for so large an object"},
    {ERROR_TIMEOUT, "The time for the operation was over"},
    {ERROR_INVALID_USER_BUFFER, "The buffer given is not valid"},
    {ERROR_NOT_ENOUGH_QUOTA, "The quota does not allow it"},
});
static_assert(std::is_sorted(kTexts.begin(), kTexts.end(), [](const Text& a, const Text& b) { return a.code < b.code; }));

std::optional<std::string> system_text(DWORD code) {
    if (code >> 16 == 0x8007) code &= 0xFFFF;  // HRESULT_FROM_WIN32
    const auto is_before = [](const Text& text, DWORD wanted) { return text.code < wanted; };
    const auto* const found = std::lower_bound(kTexts.begin(), kTexts.end(), code, is_before);
    if (found == kTexts.end() || found->code != code) return std::nullopt;
    return std::string(found->text) + ".\r\n";
}

// What stands for %1, %2 and so on, fetched in order as the message asks for them.
class Inserts {
  public:
    Inserts(va_list* arguments, bool is_array) : arguments_(arguments), is_array_(is_array) {}

    // Index from 0. Nothing: no arguments were given.
    std::optional<ULONG_PTR> at(std::size_t index) {
        if (!arguments_) return std::nullopt;
        if (is_array_) return reinterpret_cast<const ULONG_PTR*>(arguments_)[index];
        while (fetched_count_ <= index) fetched_[fetched_count_++] = va_arg(*arguments_, ULONG_PTR);
        return fetched_[index];
    }

  private:
    va_list* arguments_;
    bool is_array_;
    std::array<ULONG_PTR, 99> fetched_{};
    std::size_t fetched_count_ = 0;
};

// One message text with its inserts put in and its lines broken. T is the kind of string that %1 means.
template <typename T>
class Message {
  public:
    using String = std::basic_string<T>;

    Message(std::basic_string_view<T> source, DWORD flags, va_list* arguments)
        : at_(source.data()),
          end_(source.data() + source.size()),
          keeps_inserts_((flags & FORMAT_MESSAGE_IGNORE_INSERTS) != 0),
          width_(flags & FORMAT_MESSAGE_MAX_WIDTH_MASK),
          inserts_(arguments, (flags & FORMAT_MESSAGE_ARGUMENT_ARRAY) != 0) {}

    // 0, or the code of the error.
    DWORD make() {
        while (at_ < end_) {
            const T unit = *at_++;
            if (unit == '\r' || unit == '\n')
                take_line_break(unit);
            else if (unit != '%' || at_ == end_)
                add(unit);
            else if (*at_ == '0')
                return 0;  // "%0" ends the message without a line break
            else if (const DWORD error = take_escape())
                return error;
        }
        return 0;
    }
    const String& text() const { return out_; }

  private:
    // Where a width is asked for, only "%n" breaks a line for certain.
    void take_line_break(T unit) {
        if (unit == '\r' && at_ < end_ && *at_ == '\n') ++at_;
        if (width_ != 0)
            add(' ');
        else
            break_line();
    }

    void break_line() {
        out_ += static_cast<T>('\r');
        out_ += static_cast<T>('\n');
        line_start_ = out_.size();
    }

    void add(T unit) {
        out_ += unit;
        const bool is_wrapped = width_ != 0 && width_ != FORMAT_MESSAGE_MAX_WIDTH_MASK;
        if (!is_wrapped || out_.size() - line_start_ <= width_ || unit == ' ') return;
        const std::size_t space = out_.rfind(static_cast<T>(' '));
        if (space == String::npos || space < line_start_) return;
        out_.replace(space, 1, {static_cast<T>('\r'), static_cast<T>('\n')});
        line_start_ = space + 2;
    }

    DWORD take_escape() {
        const T unit = *at_++;
        if (unit >= '1' && unit <= '9') return take_insert(unit);
        if (unit == 'n')
            break_line();
        else
            add(unit == 'r' ? static_cast<T>('\r') : unit == 't' ? static_cast<T>('\t') : unit);
        return 0;
    }

    DWORD take_insert(T first_digit) {
        const T* const start = at_ - 2;
        std::size_t number = static_cast<std::size_t>(first_digit - '0');
        if (at_ < end_ && *at_ >= '0' && *at_ <= '9') number = number * 10 + static_cast<std::size_t>(*at_++ - '0');
        String conversion{static_cast<T>('%')};
        if (at_ < end_ && *at_ == '!') {
            const T* const closing = std::find(at_ + 1, end_, static_cast<T>('!'));
            if (closing == end_) return ERROR_INVALID_PARAMETER;
            conversion.append(at_ + 1, closing);
            at_ = closing + 1;
        } else {
            conversion += static_cast<T>('s');
        }
        if (keeps_inserts_) {
            std::for_each(start, at_, [this](T unit) { add(unit); });
            return 0;
        }
        std::array<ULONG_PTR, 3> values{};  // stars take the inserts before the value itself
        const auto stars = static_cast<std::size_t>(std::count(conversion.begin(), conversion.end(), static_cast<T>('*')));
        if (stars >= values.size() || number + stars > 99) return ERROR_INVALID_PARAMETER;
        for (std::size_t i = 0; i <= stars; ++i) {
            const std::optional<ULONG_PTR> value = inserts_.at(number - 1 + i);
            if (!value) return ERROR_INVALID_PARAMETER;
            values[i] = *value;
        }
        for (const T inserted : print_values(conversion.c_str(), values)) add(inserted);
        return 0;
    }

    const T* at_;
    const T* end_;
    bool keeps_inserts_;
    std::size_t width_;
    Inserts inserts_;
    String out_;
    std::size_t line_start_ = 0;
};

// Copies out, the ending NUL as well.
template <typename T>
DWORD give_message(const std::basic_string<T>& text, DWORD flags, T* out, DWORD out_count) {
    constexpr DWORD kMessageMost = 0x10000;  // what is allocated on request
    const std::size_t needed = text.size() + 1;
    if (flags & FORMAT_MESSAGE_ALLOCATE_BUFFER) {
        void* const memory = LocalAlloc(LMEM_FIXED, std::max<std::size_t>(needed, std::min(out_count, kMessageMost)) * sizeof(T));
        if (!memory) return 0;
        std::memcpy(out, &memory, sizeof memory);
        out = static_cast<T*>(memory);
    } else if (needed > out_count) {
        SetLastError(ERROR_INSUFFICIENT_BUFFER);
        return 0;
    }
    std::memcpy(out, text.c_str(), needed * sizeof(T));
    return static_cast<DWORD>(text.size());
}

template <typename T>
DWORD format_message(DWORD flags, const void* source, DWORD code, T* out, DWORD out_count, va_list* arguments) {
    constexpr DWORD kSources = FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_FROM_STRING | FORMAT_MESSAGE_FROM_HMODULE;
    const bool is_from_string = (flags & FORMAT_MESSAGE_FROM_STRING) != 0;
    if (!out || (flags & kSources) == 0 || (is_from_string && !source)) {
        SetLastError(ERROR_INVALID_PARAMETER);
        return 0;
    }
    std::basic_string<T> text;
    if (is_from_string) {
        text = static_cast<const T*>(source);
    } else {
        const std::optional<std::string> found = flags & FORMAT_MESSAGE_FROM_SYSTEM ? system_text(code) : std::nullopt;
        if (!found) {
            SetLastError(ERROR_MR_MID_NOT_FOUND);
            return 0;
        }
        text = text_as<T>(*found);
    }
    Message<T> message(text, flags, arguments);
    if (const DWORD error = message.make()) {
        SetLastError(error);
        return 0;
    }
    return give_message(message.text(), flags, out, out_count);
}

}  // namespace

DWORD win32_code_of_errno(int os_error) {
    switch (os_error) {
        case 0: return ERROR_SUCCESS;
        case ENOENT: return ERROR_FILE_NOT_FOUND;
        case ENOTDIR:
        case ELOOP: return ERROR_PATH_NOT_FOUND;
        case EMFILE:
        case ENFILE: return ERROR_TOO_MANY_OPEN_FILES;
        case EACCES:
        case EPERM:
        case EISDIR: return ERROR_ACCESS_DENIED;
        case EBADF: return ERROR_INVALID_HANDLE;
        case ENOMEM: return ERROR_NOT_ENOUGH_MEMORY;
        case EXDEV: return ERROR_NOT_SAME_DEVICE;
        case EROFS: return ERROR_WRITE_PROTECT;
        case ETXTBSY: return ERROR_SHARING_VIOLATION;
        case ENOTSUP:
        case ENOSYS: return ERROR_NOT_SUPPORTED;
        case EEXIST: return ERROR_FILE_EXISTS;
        case EINVAL:
        case ESRCH: return ERROR_INVALID_PARAMETER;
        case EPIPE: return ERROR_BROKEN_PIPE;
        case ENOSPC:
        case EDQUOT:
        case EFBIG: return ERROR_DISK_FULL;
        case ESPIPE: return ERROR_SEEK_ON_DEVICE;
        case ENOTEMPTY: return ERROR_DIR_NOT_EMPTY;
        case EBUSY: return ERROR_BUSY;
        case ENOEXEC: return ERROR_BAD_EXE_FORMAT;
        case ENAMETOOLONG: return ERROR_FILENAME_EXCED_RANGE;
        case EOVERFLOW: return ERROR_ARITHMETIC_OVERFLOW;
        case EFAULT: return ERROR_NOACCESS;
        case EIO: return ERROR_IO_DEVICE;
        case ENXIO:
        case ENODEV: return ERROR_NOT_READY;
        case EAGAIN: return ERROR_NO_SYSTEM_RESOURCES;
        case ETIMEDOUT: return ERROR_TIMEOUT;
        default: return ERROR_GEN_FAILURE;
    }
}

DWORD win32_code(const Error& error) {
    switch (error.code) {
        case Code::ok: return ERROR_SUCCESS;
        case Code::invalid_argument: return ERROR_INVALID_PARAMETER;
        case Code::not_found: return ERROR_FILE_NOT_FOUND;
        case Code::already_exists: return ERROR_ALREADY_EXISTS;
        case Code::kind_mismatch: return ERROR_INVALID_HANDLE;
        case Code::version_mismatch: return ERROR_BAD_FORMAT;
        case Code::layout_mismatch:
        case Code::corrupt: return ERROR_INVALID_DATA;
        case Code::permission_denied: return ERROR_ACCESS_DENIED;
        case Code::no_space: return error.os_error == 0 ? ERROR_NOT_ENOUGH_MEMORY : win32_code_of_errno(error.os_error);
        case Code::busy: return ERROR_BUSY;
        case Code::no_namespace:
            return error.os_error == EMFILE || error.os_error == ENFILE || error.os_error == ENOMEM ? win32_code_of_errno(error.os_error) : DWORD{ERROR_PATH_NOT_FOUND};
        case Code::too_long: return ERROR_FILENAME_EXCED_RANGE;
        case Code::file_changed: return ERROR_FILE_INVALID;
        case Code::unsupported: return ERROR_NOT_SUPPORTED;
        case Code::os_error: return error.os_error == 0 ? ERROR_GEN_FAILURE : win32_code_of_errno(error.os_error);
        case Code::not_owner: return ERROR_NOT_OWNER;
        case Code::limit_reached: return ERROR_TOO_MANY_POSTS;
    }
    return ERROR_GEN_FAILURE;
}

}  // namespace comap::win32

using namespace comap::win32;

extern "C" {

DWORD GetLastError(void) { return last_error; }
void SetLastError(DWORD code) { last_error = code; }

DWORD FormatMessageA(DWORD flags, LPCVOID source, DWORD code, DWORD, LPSTR out, DWORD out_count, va_list* arguments) {
    return format_message(flags, source, code, out, out_count, arguments);
}

DWORD FormatMessageW(DWORD flags, LPCVOID source, DWORD code, DWORD, LPWSTR out, DWORD out_count, va_list* arguments) {
    return format_message(flags, source, code, out, out_count, arguments);
}

}  // extern "C"
