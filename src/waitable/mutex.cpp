// SPDX-License-Identifier: Apache-2.0
#include <comap/mutex.hpp>

#include <system_error>

#include "base/error.hpp"
#include "waitable/parts.hpp"

namespace comap {

using namespace internal;

namespace {

[[noreturn]] void throw_error(const Error& error) {
    const bool is_owner = error.code == Code::not_owner;
    throw std::system_error(std::make_error_code(is_owner ? std::errc::operation_not_permitted : std::errc::invalid_argument), error.message);
}

}  // namespace

Result<Mutex> Mutex::create(std::string_view name, const SyncOptions& options, Context& context) {
    return made<Mutex>(SyncObject::create(Kind::mutex, 0, 0, name, options, context));
}
Result<Mutex> Mutex::open(std::string_view name, const OpenOptions& options, Context& context) { return made<Mutex>(SyncObject::open(Kind::mutex, name, options, context)); }
Result<Mutex> Mutex::open_or_create(std::string_view name, const SyncOptions& options, Context& context) {
    return made<Mutex>(SyncObject::open_or_create(Kind::mutex, 0, 0, name, options, context));
}
Result<Mutex> Mutex::create_unnamed(const SyncOptions& options) { return made<Mutex>(SyncObject::create_unnamed(Kind::mutex, 0, 0, options)); }
Result<Mutex> Mutex::from_descriptor(int descriptor, const OpenOptions& options, Context& context) {
    return made<Mutex>(SyncObject::from_descriptor(Kind::mutex, descriptor, options, context));
}
Result<Mutex> Mutex::create_in(const Section& section, std::uint64_t offset_bytes) { return made<Mutex>(SyncObject::create_in(Kind::mutex, 0, 0, section, offset_bytes)); }
Result<Mutex> Mutex::open_in(const Section& section, std::uint64_t offset_bytes) { return made<Mutex>(SyncObject::open_in(Kind::mutex, section, offset_bytes)); }

Result<Mutex> Mutex::open_or_create_in(const Section& section, std::uint64_t offset_bytes) {
    auto opened = open_in(section, offset_bytes);
    if (opened || opened.error().code != Code::not_found) return opened;
    auto created = create_in(section, offset_bytes);
    if (created || created.error().code != Code::already_exists) return created;
    return open_in(section, offset_bytes);
}

Result<Acquired> Mutex::lock(Deadline deadline) const {
    if (is_writable() && core_->mutex().take_if_quiet()) [[likely]] return Acquired::acquired;
    return lock_slowly(deadline);
}

Result<Acquired> Mutex::lock_slowly(Deadline deadline) const {
    if (!is_writable()) return unusable();
    const Take end = core_->mutex().take(0);
    if (end == Take::taken) return Acquired::acquired;
    if (end == Take::taken_abandoned) return Acquired::acquired_abandoned;
    return wait(deadline);
}

Result<void> Mutex::unlock() const {
    Result<void> done;  // not {}, which would fill it with zeros first
    const Unlock end = is_writable() ? core_->mutex().unlock() : Unlock::not_owner;
    if (end != Unlock::unlocked) [[unlikely]] done = unlocked(end);
    return done;
}

Result<void> Mutex::unlock_abandoned() const {
    return unlocked(is_writable() ? core_->mutex().unlock(true) : Unlock::not_owner);
}

Result<void> Mutex::unlocked(internal::Unlock end) const {
    if (!is_writable()) return unusable();
    switch (end) {
        case Unlock::unlocked:
        case Unlock::still_locked:
            return {};
        case Unlock::not_owner:
            return fail(Code::not_owner, 0, object_->name(), "the mutex '", shown(object_->name()), "' is not locked by this thread, which so cannot unlock it");
        case Unlock::corrupt:
            break;
    }
    return damaged();
}

bool Mutex::is_owned() const { return core_ && core_->mutex().is_mine(); }
bool Mutex::was_abandoned() const { return is_owned() && core_->mutex().was_abandoned(); }

bool Mutex::try_lock_before(Deadline deadline) const {
    for (;;) {
        const auto end = lock(deadline);
        if (!end) throw_error(end.error());
        if (*end != Acquired::interrupted) return *end != Acquired::timed_out;
    }
}

void Mutex::lock() const { try_lock_before(Deadline::forever()); }
bool Mutex::try_lock() const { return try_lock_before(Deadline::passed()); }

}  // namespace comap
