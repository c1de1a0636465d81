// SPDX-License-Identifier: Apache-2.0
// Semaphore: a count of tokens between 0 and a maximum. The idea is Dijkstra's; the interface that of Windows' semaphore object.
#pragma once

#include <comap/sync_object.hpp>

namespace comap {

inline constexpr std::uint32_t kSemaphoreCountMax = 0x7fff'ffffu;

struct SemaphoreOptions {
    std::uint32_t initial = 0;
    std::uint32_t maximum = kSemaphoreCountMax;
    std::uint32_t mode = 0600;
    bool keep = false;
};

// Tokens belong to nobody: one that was taken by a process that died is gone, as with every semaphore. Where that must not be,
// use a Mutex, or count what is there under one.
class COMAP_API Semaphore : public SyncObject {
  public:
    Semaphore() = default;

    // Errors: as Section::create; invalid_argument (maximum 0 or beyond kSemaphoreCountMax, initial > maximum).
    static Result<Semaphore> create(std::string_view name, const SemaphoreOptions& options, Context& context = Context::standard());
    static Result<Semaphore> open(std::string_view name, const OpenOptions& options = {}, Context& context = Context::standard());
    // An existing semaphore keeps its own maximum and count.
    static Result<Semaphore> open_or_create(std::string_view name, const SemaphoreOptions& options, Context& context = Context::standard());
    static Result<Semaphore> create_unnamed(const SemaphoreOptions& options);
    static Result<Semaphore> from_descriptor(int descriptor, const OpenOptions& options = {}, Context& context = Context::standard());

    // Inside a section: as Mutex::create_in and open_in.
    static Result<Semaphore> create_in(const Section& section, std::uint64_t offset_bytes, const SemaphoreOptions& options);
    static Result<Semaphore> open_in(const Section& section, std::uint64_t offset_bytes);

    std::uint32_t maximum() const;
    Result<std::uint32_t> count() const;  // now; takes nothing

    // Adds tokens, and returns how many there were. Errors: invalid_argument (0 or less), limit_reached (beyond the maximum),
    // permission_denied, corrupt; the count is unchanged then.
    Result<std::uint32_t> release(std::int64_t count = 1) const;

    // Blocks until there is a token and takes it, or the deadline. Never acquired_abandoned. Errors: corrupt, permission_denied.
    Result<Acquired> acquire(Deadline deadline = Deadline::forever()) const;
};

}  // namespace comap
