// SPDX-License-Identifier: Apache-2.0
// What the objects need of files: descriptors, locks that the kernel drops with the last reference to an open file, files
// without a name that get one in a single step, and room that is really there.
// Functions return the value or the system's error number; sentences are made above.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include <tl/expected.hpp>

namespace comap::os {

template <typename T>
using OsResult = tl::expected<T, int>;

// Owns a descriptor.
class Fd {
  public:
    Fd() = default;
    explicit Fd(int number) : number_(number) {}
    ~Fd() { reset(); }
    Fd(Fd&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
    Fd& operator=(Fd&& other) noexcept {
        if (this != &other) {
            reset();
            number_ = std::exchange(other.number_, -1);
        }
        return *this;
    }
    int number() const { return number_; }
    int release() { return std::exchange(number_, -1); }
    explicit operator bool() const { return number_ >= 0; }
    void reset();

  private:
    int number_ = -1;
};

struct FileState {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size_bytes = 0;
    std::uint64_t allocated_bytes = 0;
    std::uint64_t link_count = 0;
    std::uint32_t mode = 0;  // permission bits and the sticky bit
    std::uint32_t uid = 0;
    bool is_regular = false;
    bool is_directory = false;

    bool is_sticky() const { return (mode & 01000) != 0; }
    bool is_same_file(const FileState& other) const { return device == other.device && inode == other.inode; }
};

// What a system call has just returned, but never as number 0, 1 or 2: where those are closed, a program's output would go into an object.
inline constexpr int kFirstOfOurs = 3;
OsResult<Fd> owned(int number);

// --- opening. Descriptors are close-on-exec; a symbolic link as the last part is never followed (ELOOP).
OsResult<Fd> open_directory(const std::string& path);
OsResult<Fd> open_directory_at(int directory, const std::string& name);
OsResult<void> make_directory_at(int directory, const std::string& name, std::uint32_t mode);  // mode exactly
OsResult<Fd> open_at(int directory, const std::string& name, bool writable);  // never blocks, on a FIFO either
OsResult<Fd> reopen(int descriptor, bool writable);  // a new open file of the same inode
OsResult<Fd> duplicate(int descriptor);              // the same open file
OsResult<bool> is_writable(int descriptor);          // as it was opened
OsResult<Fd> open_path_checked(const std::string& path, bool writable, FileState& state);  // a regular file, else EINVAL
OsResult<std::string> absolute_path(const std::string& path);  // without symbolic links

// --- files without a name, and names
OsResult<Fd> make_unnamed(int directory, std::uint32_t mode);  // EOPNOTSUPP where the file system cannot
OsResult<Fd> make_memory_file(std::uint32_t mode);
OsResult<void> link_at(int descriptor, int directory, const std::string& name);
OsResult<void> unlink_at(int directory, const std::string& name);
OsResult<void> set_mode(int descriptor, std::uint32_t mode);

// --- looking
OsResult<FileState> state(int descriptor);
OsResult<std::uint64_t> state_change_ns(int descriptor);  // when mode, owner, links or contents last changed
OsResult<FileState> state_at(int directory, const std::string& name);
OsResult<void> for_each_entry(int directory, const std::function<bool(std::string_view name)>& visit);

// --- bytes. read_at and write_at do all of it; read_at returns how many bytes there were.
OsResult<std::size_t> read_at(int descriptor, void* target, std::size_t size_bytes, std::uint64_t offset_bytes);
OsResult<void> write_at(int descriptor, const void* source, std::size_t size_bytes, std::uint64_t offset_bytes);

// Makes the file at least offset + size long, with memory or disk blocks behind that range. Never shrinks it.
OsResult<void> reserve(int descriptor, std::uint64_t offset_bytes, std::uint64_t size_bytes);

// Room left for the file's data: of its file system, and for memory file systems also of the machine.
std::uint64_t available_bytes(int descriptor);

// Marks the file as changed for those who watch it; the byte at that place may be overwritten for it, where the file's mode
// does not let us touch it (the descriptor came from another user). False: nobody was told.
bool touch(int descriptor, std::uint64_t scratch_offset_bytes);

// --- the lock that says that somebody holds the object: byte 0, owned by the open file, dropped by the kernel with its
// last reference (close, exit or kill of every process that has it).
enum class Locked : std::uint8_t { no, for_reading, for_writing };
OsResult<Locked> ask_lock(int descriptor, std::uint64_t byte = 0);  // by others than this open file; no side effect
OsResult<bool> try_read_lock(int descriptor);       // false: another holds the write lock
OsResult<bool> try_write_lock(int descriptor, std::uint64_t byte = 0);  // false: another holds a lock
void release_lock(int descriptor, std::uint64_t byte = 0);

// Children of forks close this descriptor: their copy would keep its locks. REQUIRES: a NoForkScope.
void keep_from_children(int descriptor);
void forget_for_children(int descriptor);

// While one lives, no thread of this process forks (fork waits): so no child inherits a descriptor with the write lock.
class NoForkScope {
  public:
    NoForkScope();
    ~NoForkScope();
    NoForkScope(const NoForkScope&) = delete;
    NoForkScope& operator=(const NoForkScope&) = delete;
};

std::uint32_t effective_uid();
std::string safe_environment(const char* variable);  // empty in set-user-id programs
std::uint64_t page_size_bytes();
std::uint64_t real_time_ns();
std::uint64_t monotonic_ns();
void pause_briefly(std::uint32_t attempt);  // yields at first, then sleeps up to 1 ms

}  // namespace comap::os
