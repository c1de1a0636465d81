// SPDX-License-Identifier: Apache-2.0
#include "win32/inheritance.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <map>
#include <utility>

#include "win32/files.hpp"
#include "win32/processes.hpp"
#include "win32/sections.hpp"
#include "win32/sync.hpp"

namespace comap::win32 {
namespace {

constexpr std::uint64_t kMagic = 0x3168'7472'6962'7733;
constexpr int kSeals = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL;

struct Left {
    std::uint32_t process_id;
    std::uint32_t exit_code;
};

struct Header {
    std::uint64_t magic;
    std::uint32_t row_count;
    std::uint32_t zero;
    Left left;
};

struct Row {
    std::uint64_t value;
    std::uint32_t kind;
    std::uint32_t access;
    std::int32_t descriptor;
    std::uint32_t is_protected;
};
static_assert(sizeof(Header) == 24 && offsetof(Header, left) == 16 && sizeof(Row) == 24 && offsetof(Row, descriptor) == 16);

// Anybody may have written the count.
constexpr std::size_t kRowsMax = std::size_t{1} << 20;
static_assert(kRowsMax <= kHandlePageRows * kHandlePagesMax);

// Of this process; -1: none.
int own_record = -1;
int own_process_id = 0;

void leave_status(int status, void*) { leave_exit_code(static_cast<DWORD>(status)); }

std::shared_ptr<KernelObject> file_from_descriptor(int descriptor) {
    const int own = ::fcntl(descriptor, F_DUPFD_CLOEXEC, kFirstFree);
    return own < 0 ? nullptr : std::make_shared<FileObject>(own, FileObject::AtEnd::close);
}

std::shared_ptr<KernelObject> object_from_row(const Row& row, DWORD access) {
    switch (static_cast<Kind>(row.kind)) {
        case Kind::section: return section_from_descriptor(row.descriptor, access);
        case Kind::mutex:
        case Kind::event:
        case Kind::semaphore: return sync_from_descriptor(static_cast<Kind>(row.kind), row.descriptor, access);
        case Kind::file: return file_from_descriptor(row.descriptor);
        case Kind::process: return process_from_descriptor(row.descriptor);
        case Kind::thread: break;
    }
    return nullptr;
}

template <typename T>
bool take_number(std::string_view& text, T& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    return error == std::errc();
}

// The record that the variable names, if that is one: anybody may have written the variable.
int record_named_by(std::string_view text, std::size_t& size_bytes) {
    int descriptor = -1;
    std::uint64_t inode = 0;
    if (!take_number(text, descriptor) || !text.starts_with(':')) return -1;
    text.remove_prefix(1);
    if (!take_number(text, inode) || !text.empty() || descriptor < kFirstFree) return -1;
    struct stat file;
    const int seals = ::fcntl(descriptor, F_GET_SEALS);
    if (seals < 0 || (seals & kSeals) != kSeals || ::fstat(descriptor, &file) < 0 || file.st_ino != inode) return -1;
    size_bytes = static_cast<std::size_t>(file.st_size);
    return descriptor;
}

std::vector<Row> read_rows(int record, std::size_t size_bytes) {
    Header header;
    if (::pread(record, &header, sizeof header, 0) != ssize_t{sizeof header} || header.magic != kMagic) return {};
    if (header.row_count > kRowsMax || sizeof header + header.row_count * sizeof(Row) != size_bytes) return {};
    std::vector<Row> rows(header.row_count);
    const std::size_t rows_bytes = size_bytes - sizeof header;
    if (::pread(record, rows.data(), rows_bytes, sizeof header) != static_cast<ssize_t>(rows_bytes)) return {};
    std::erase_if(rows, [&](const Row& row) {
        const bool is_usable = row.descriptor >= kFirstFree && row.descriptor != record && row.kind <= static_cast<std::uint32_t>(Kind::process);
        return !is_usable || ::fcntl(row.descriptor, F_SETFD, FD_CLOEXEC) < 0;
    });
    return rows;
}

// Several handles may lead to one object.
void insert_rows(const std::vector<Row>& rows) {
    std::map<int, std::pair<DWORD, std::shared_ptr<KernelObject>>> objects;  // by descriptor, with all that is done with it
    for (const Row& row : rows) objects[row.descriptor].first |= row.access;
    for (const Row& row : rows) {
        auto& [access, object] = objects[row.descriptor];
        if (!object) object = object_from_row(row, access);
        if (!object || object->kind() != static_cast<Kind>(row.kind)) continue;
        insert_handle_at(reinterpret_cast<HANDLE>(static_cast<std::uintptr_t>(row.value)), object, {row.access, true, row.is_protected != 0});
    }
    for (const auto& [descriptor, object] : objects) ::close(descriptor);
}

[[gnu::constructor]] void take_over() {
    const char* const text = ::secure_getenv(kBirthVariable);
    if (!text) return;
    std::size_t size_bytes = 0;
    const int record = record_named_by(text, size_bytes);
    ::unsetenv(kBirthVariable);
    if (record < 0 || ::fcntl(record, F_SETFD, FD_CLOEXEC) < 0) return;
    own_record = record;
    own_process_id = ::getpid();
    ::on_exit(leave_status, nullptr);
    insert_rows(read_rows(record, size_bytes));
}

template <typename T>
void append(std::string& bytes, const T& part) {
    bytes.append(reinterpret_cast<const char*>(&part), sizeof part);
}

}  // namespace

std::optional<Birth> Birth::make(bool inherits_handles, int& error) {
    Birth birth;
    Header header = {kMagic, 0, 0, {}};
    std::string rows = birth.rows(inherits_handles);
    if (rows.size() / sizeof(Row) > kRowsMax) {
        error = ENOMEM;
        return std::nullopt;
    }
    header.row_count = static_cast<std::uint32_t>(rows.size() / sizeof(Row));
    std::string bytes;
    append(bytes, header);
    bytes += rows;
    if (birth.write_record(bytes)) return birth;
    error = errno;
    return std::nullopt;
}

bool Birth::write_record(const std::string& bytes) {
    const int made = ::memfd_create("comap-win32-birth", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (made < 0) return false;
    record_ = ::fcntl(made, F_DUPFD_CLOEXEC, kFirstFree);
    ::close(made);
    return record_ >= 0 && ::write(record_, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()) && ::fcntl(record_, F_ADD_SEALS, kSeals) == 0;
}

// Of the handles that can be passed on; threads cannot.
std::string Birth::rows(bool inherits_handles) {
    std::string bytes;
    if (!inherits_handles) return bytes;
    std::map<const KernelObject*, int> known;
    for_each_handle([&](HANDLE handle, const Found& found) {
        if (!found.info.is_inherited) return;
        const auto [entry, is_new] = known.try_emplace(found.object.get(), -1);
        if (is_new) {
            const int given = found.object->share_descriptor();
            entry->second = given < 0 ? -1 : ::fcntl(given, F_DUPFD_CLOEXEC, kFirstFree);
            if (given >= 0) ::close(given);
            if (entry->second >= 0) shared_.push_back(entry->second);
        }
        if (entry->second < 0) return;
        const auto kind = static_cast<std::uint32_t>(found.object->kind());
        append(bytes, Row{reinterpret_cast<std::uintptr_t>(handle), kind, found.info.access, entry->second, found.info.is_protected});
    });
    return bytes;
}

Birth::Birth(Birth&& other) noexcept : record_(std::exchange(other.record_, -1)), shared_(std::move(other.shared_)) { other.shared_.clear(); }

Birth::~Birth() {
    if (record_ >= 0) ::close(record_);
    for (const int descriptor : shared_) ::close(descriptor);
}

std::string Birth::variable() const {
    struct stat file = {};
    ::fstat(record_, &file);
    return std::string(kBirthVariable) + '=' + std::to_string(record_) + ':' + std::to_string(file.st_ino);
}

std::vector<int> Birth::descriptors() const {
    std::vector<int> all = shared_;
    all.push_back(record_);
    return all;
}

int Birth::release_record() { return std::exchange(record_, -1); }

std::optional<DWORD> exit_code_left(int record, DWORD process_id) {
    Left left;
    if (record < 0 || ::pread(record, &left, sizeof left, offsetof(Header, left)) != ssize_t{sizeof left} || left.process_id != process_id) return std::nullopt;
    return left.exit_code;
}

void leave_exit_code(DWORD code) {
    if (own_record < 0 || own_process_id != ::getpid()) return;  // the child of a fork has no parent that would ask for it
    const Left left = {static_cast<std::uint32_t>(own_process_id), code};
    (void)!::pwrite(own_record, &left, sizeof left, offsetof(Header, left));  // if it fails, 8 bits are left
}

}  // namespace comap::win32
