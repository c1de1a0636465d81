// SPDX-License-Identifier: Apache-2.0
// Context: where names are looked up. Also what can be done to an object by its name alone: look, list, remove, collect.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include <comap/error.hpp>
#include <comap/export.h>

namespace comap {

namespace internal {
class Namespaces;
}

enum class Kind : std::uint32_t { section = 1, mutex = 2, event = 3, semaphore = 4 };

// Longest name, UTF-8 bytes, not counting "Local\\" or "Global\\".
inline constexpr std::size_t kNameBytesMax = 240;

// What the body of a section holds.
enum class Layout : std::uint32_t { bytes = 0, text = 1, cell = 2, channel = 3, queue = 4 };

COMAP_API std::string_view kind_name(Kind kind) noexcept;      // "section"
COMAP_API std::string_view layout_name(Layout layout) noexcept;  // "bytes", "text", "cell", "channel", "queue"

// Local: this user's objects. Global: every user's, as far as each object's mode allows.
enum class Scope : std::uint8_t { local, global };

enum class Presence : std::uint8_t {
    held,  // somebody holds it
    kept,  // nobody does, but it was made to stay
    dead,  // its last holder was killed; every open says not_found and the next create takes the name
};

struct ObjectInfo {
    std::string name;               // as it can be given to open: "prices", "Global\\prices"
    Kind kind = Kind::section;
    Layout layout = Layout::bytes;
    Presence presence = Presence::held;
    std::uint64_t size_bytes = 0;   // of the body
    std::uint32_t version = 0;      // changes published so far, modulo 2^31
    bool keep = false;
    bool lazy = false;
    std::uint32_t mode = 0;         // permission bits
    std::uint32_t uid = 0;          // owner
    std::uint64_t created_ns = 0;   // nanoseconds since 1970
    std::uint64_t device = 0;       // of the object's file: what /proc shows for its holders
    std::uint64_t inode = 0;
    std::uint64_t text_capacity_bytes = 0;  // texts only
    std::string record_format;              // cells, and channels and queues of records: see <comap/record.hpp>. Anybody who may write wrote it
    std::uint64_t record_bytes = 0;         // the same
    std::uint32_t slot_count = 0;           // cells: of values; channels: subscribers that publishers wait for, at most
    std::uint64_t message_bytes = 0;        // channels and queues: of the longest message
    bool has_many_writers = false;          // cells, channels: several handles may write at a time
    std::string file;               // path of the backing file, or empty
    std::uint64_t file_offset = 0;

    // Mutexes, events and semaphores only: their state as it was a moment ago.
    std::uint32_t owner_thread = 0;  // mutex: number of the owner's thread in the owner's PID namespace; 0: not locked
    bool is_abandoned = false;       // mutex: its owner died with it, and nobody took it since
    bool is_manual = false;          // event
    bool is_set = false;             // event
    std::uint32_t count = 0;         // semaphore
    std::uint32_t maximum = 0;       // semaphore
    bool may_have_sleepers = false;  // somebody sleeps on it, or did when it last changed
};

// An entry of a listing: what is known of it, or why nothing is.
struct ListEntry {
    std::string name;               // decoded from the file name when the object cannot be read
    Result<ObjectInfo> info;
};

enum class Removed : std::uint8_t {
    gone,                  // the name is free
    when_last_holder_ends  // still held: it is an ordinary object now and ends with its last holder
};

struct Collected {
    std::uint64_t examined_count = 0;
    std::uint64_t removed_count = 0;
    std::uint64_t removed_bytes = 0;  // memory given back
    std::uint64_t refused_count = 0;  // dead, but not ours to remove (Global objects of other users)
};

struct ContextOptions {
    // Directory that holds the namespaces. Empty: $COMAP_DIR (ignored in set-user-id programs), else /dev/shm.
    std::string root = {};
};

// Thread-safe: any number of threads may use one Context. It opens its directories when they are first needed, so making
// one cannot fail. It belongs to the effective user that made it.
class COMAP_API Context {
  public:
    explicit Context(const ContextOptions& options = {});
    ~Context();
    Context(const Context&) = delete;
    Context& operator=(const Context&) = delete;

    // Serves those who want none of their own; lives until the process ends.
    static Context& standard();

    const std::string& root() const;

    // Path of a namespace's directory; it need not exist.
    std::string directory(Scope scope) const;

    // Path of the object's file, whether or not it exists. Errors: invalid_argument (not a name).
    Result<std::string> object_path(std::string_view name) const;

    // What the object is, without holding it. Errors: not_found, corrupt, version_mismatch, permission_denied, no_namespace.
    Result<ObjectInfo> stat(std::string_view name);

    // Calls `visit` for each object of the namespace, in directory order, until it returns false. Dead ones are left out
    // unless asked for. Changes nothing. Objects made or removed meanwhile may be seen or not.
    Result<void> list(Scope scope, bool include_dead, const std::function<bool(const ListEntry&)>& visit);

    // Removes a kept or dead object now; a held one becomes an ordinary object that ends with its last holder. Nobody ever
    // loses an object that he holds. Errors: not_found, permission_denied, busy.
    Result<Removed> remove(std::string_view name);

    // Removes every dead object of the namespace.
    Result<Collected> collect(Scope scope);

    // Removes the object of that file name in the namespace's directory if it is dead; for janitors. Returns whether it did.
    // Errors: busy when its last holder was just leaving; try again in a moment.
    Result<bool> collect_file(Scope scope, std::string_view file_name);

    // Makes the directory of the Global namespace (mode 1777). Root does this once. Returns whether it was made now.
    Result<bool> setup_global();

    // Makes the directory of the Local namespace if it is not there, and checks either for owner, type and mode.
    Result<void> check(Scope scope);

    internal::Namespaces& namespaces() const { return *namespaces_; }

  private:
    std::unique_ptr<internal::Namespaces> namespaces_;
};

}  // namespace comap
