// SPDX-License-Identifier: Apache-2.0
// Mutex: a recursive lock that survives its owner. When the thread, the process or the whole container that owns it ends in
// whatever way, the kernel hands it to the next, who is told. The idea is that of the Windows mutex object.
#pragma once

#include <chrono>

#include <comap/sync_object.hpp>

namespace comap {

namespace internal {
enum class Unlock : std::uint8_t;
}

// Owned by a thread, whichever handle it used. Satisfies Lockable and TimedLockable, so std::scoped_lock, std::unique_lock
// and std::lock take it. A forked child owns nothing. In 32-bit programs every function that needs the lock is `unsupported`.
class COMAP_API Mutex : public SyncObject {
  public:
    Mutex() = default;

    // Not locked. Errors: as Section::create.
    static Result<Mutex> create(std::string_view name, const SyncOptions& options = {}, Context& context = Context::standard());
    // Errors: as Section::open; kind_mismatch (the name is that of something else).
    static Result<Mutex> open(std::string_view name, const OpenOptions& options = {}, Context& context = Context::standard());
    static Result<Mutex> open_or_create(std::string_view name, const SyncOptions& options = {}, Context& context = Context::standard());
    static Result<Mutex> create_unnamed(const SyncOptions& options = {});
    static Result<Mutex> from_descriptor(int descriptor, const OpenOptions& options = {}, Context& context = Context::standard());

    // Inside a section, at sync_offset(page). Who made the section calls create_in, once; others open_in. create_in on bytes
    // that are not zero: already_exists. open_in: not_found before create_in, kind_mismatch. The handle holds the section.
    static Result<Mutex> create_in(const Section& section, std::uint64_t offset_bytes);
    static Result<Mutex> open_in(const Section& section, std::uint64_t offset_bytes);
    // Any number of callers at once; bytes that are zero become a mutex.
    static Result<Mutex> open_or_create_in(const Section& section, std::uint64_t offset_bytes);

    // Blocks until the mutex is this thread's, or the deadline. Each success needs an unlock. Spins for some 3 us, then sleeps.
    // Errors: corrupt (the words were overwritten), permission_denied (read-only handle), unsupported.
    Result<Acquired> lock(Deadline deadline) const;

    // Errors: not_owner; nothing is changed then. corrupt: this thread no longer has it, but the words were overwritten.
    Result<void> unlock() const;

    // The same for one who cannot leave in order what the mutex protects: the next owner, after the last unlock of this one,
    // gets acquired_abandoned.
    Result<void> unlock_abandoned() const;

    // This thread owns it.
    bool is_owned() const;

    // This thread owns it and got it as acquired_abandoned: for those who lock through the standard's classes.
    bool was_abandoned() const;

    // --- the standard's names. Errors are thrown as std::system_error; signals do not end them.
    void lock() const;
    bool try_lock() const;
    template <typename Rep, typename Period>
    bool try_lock_for(const std::chrono::duration<Rep, Period>& duration) const {
        if (!(duration > duration.zero())) return try_lock_before(Deadline::passed());
        if (is_forever(std::chrono::duration<double>(duration))) return try_lock_before(Deadline::forever());
        return try_lock_before(Deadline::after(std::chrono::ceil<std::chrono::nanoseconds>(duration)));
    }
    template <typename Clock, typename Duration>
    bool try_lock_until(const std::chrono::time_point<Clock, Duration>& until) const {
        const auto now = Clock::now();
        // What is far away, either way, may be too far for an exact difference.
        const auto about = std::chrono::duration<double>(until.time_since_epoch()) - std::chrono::duration<double>(now.time_since_epoch());
        if (!(about > std::chrono::duration<double>(-1))) return try_lock_before(Deadline::passed());
        return is_forever(about) ? try_lock_before(Deadline::forever()) : try_lock_for(until - now);
    }

  private:
    // Less than nanoseconds can say, by more than a float is rounded.
    static bool is_forever(std::chrono::duration<double> seconds) { return seconds.count() >= 9e9; }
    bool try_lock_before(Deadline deadline) const;
    Result<Acquired> lock_slowly(Deadline deadline) const;
    Result<void> unlocked(internal::Unlock end) const;
};

}  // namespace comap
