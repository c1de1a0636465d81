// SPDX-License-Identifier: Apache-2.0
// Guarded<T>: a named T that can be reached only while its mutex is locked, and only after somebody has answered for what an owner
// that died may have left half done.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <comap/mutex.hpp>

namespace comap {

// The T, for as long as this lives; then unlocked. For the thread that locked. The Guarded must stay where it is meanwhile.
template <typename T>
class Locked {
  public:
    Locked(const Mutex& mutex, T& value) : mutex_(&mutex), value_(&value) {}
    ~Locked() { unlock(); }
    Locked(Locked&& other) noexcept : mutex_(std::exchange(other.mutex_, nullptr)), value_(other.value_) {}
    Locked& operator=(Locked&&) = delete;

    T& operator*() const { return *value_; }
    T* operator->() const { return value_; }

    void unlock() {
        if (const Mutex* const mutex = std::exchange(mutex_, nullptr)) (void)mutex->unlock();
    }

  private:
    const Mutex* mutex_;
    T* value_;
};

// How lock() ended: with the value, or not.
template <typename T>
struct Lock {
    Acquired end = Acquired::timed_out;
    std::optional<Locked<T>> value = {};  // if it was acquired
    explicit operator bool() const { return value.has_value(); }
};

// What the caller makes of a T whose last owner died while he had it.
enum class Repair : std::uint8_t {
    repaired,  // it is in order now
    give_up,   // it cannot be: it stays abandoned, and whoever locks next is asked again
};

// A section with one T and its mutex. T is of fixed-width members, trivially copyable, and means the same to every program that opens
// it. Any number of threads may use one Guarded at once.
template <typename T>
    requires std::is_trivially_copyable_v<T> && std::is_default_constructible_v<T>
class Guarded {
  public:
    Guarded() = default;

    // Exactly one of several callers makes it; all see `initial` until somebody changes it. Errors: as
    // Section::open_or_create; layout_mismatch (what has the name is of another size); unsupported (32-bit programs).
    static Result<Guarded> open_or_create(std::string_view name, const T& initial = T{}, CreateOptions options = {},
                                          Context& context = Context::standard()) {
        Guarded guarded;
        const Cell first{sizeof(T), initial};
        options.initial = std::as_bytes(std::span(&first, 1));
        auto section = Section::open_or_create(name, kSectionBytes, options, context);
        if (!section) return tl::unexpected<Error>(std::move(section).error());
        if (auto size = section->size_bytes(); !size || *size != kSectionBytes) return mismatch(*section);
        auto mutex = Mutex::open_or_create_in(*section, sync_offset(kPages - 1));
        if (!mutex) return tl::unexpected<Error>(std::move(mutex).error());
        auto view = section->view({.size_bytes = sizeof(Cell)});
        if (!view) return tl::unexpected<Error>(std::move(view).error());
        if (view->template as<const Cell>().front().value_bytes != sizeof(T)) return mismatch(*section);
        guarded.section_ = std::move(*section);
        guarded.mutex_ = std::move(*mutex);
        guarded.view_ = std::move(*view);
        return guarded;
    }

    // Blocks until the mutex is ours, or the deadline. If its last owner died with it, repair(T&) is called first and answers
    // whether the value is in order; if not, `end` is acquired_abandoned, and there is no value. Errors: as Mutex::lock.
    template <typename Answer>
        requires std::is_invocable_r_v<Repair, Answer, T&>
    Result<Lock<T>> lock(Deadline deadline, Answer&& repair) const {
        const auto end = mutex_.lock(deadline);
        if (!end) return tl::unexpected<Error>(end.error());
        if (*end == Acquired::timed_out || *end == Acquired::interrupted) return Lock<T>{*end, std::nullopt};
        T& value = view_.template as<Cell>().front().value;
        if (*end == Acquired::acquired_abandoned) {
            LeaveAbandoned unless_repaired{&mutex_};  // also if repair throws
            if (repair(value) == Repair::give_up) return Lock<T>{*end, std::nullopt};
            unless_repaired.mutex = nullptr;
        }
        return Lock<T>{Acquired::acquired, Locked<T>(mutex_, value)};
    }

    const Section& section() const { return section_; }
    const Mutex& mutex() const { return mutex_; }

  private:
    // Written before anyone can open it. A program whose T is of another size is refused.
    struct Cell {
        std::uint64_t value_bytes;
        T value;
    };
    struct LeaveAbandoned {
        const Mutex* mutex;
        ~LeaveAbandoned() {
            if (mutex) (void)mutex->unlock_abandoned();
        }
    };
    static constexpr std::uint64_t kPages = (sizeof(Cell) + kSyncBytes + kSyncPageBytes - 1) / kSyncPageBytes;
    static constexpr std::uint64_t kSectionBytes = kPages * kSyncPageBytes;

    static tl::unexpected<Error> mismatch(const Section& section) {
        return tl::unexpected<Error>(Error{Code::layout_mismatch, 0, section.name(),
                                           "'" + section.name() + "' does not hold a value of " + std::to_string(sizeof(T)) + " bytes and its mutex, as this program's type is"});
    }

    Section section_;
    Mutex mutex_;
    View view_;
};

}  // namespace comap
