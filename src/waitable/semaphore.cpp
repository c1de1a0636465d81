// SPDX-License-Identifier: Apache-2.0
#include <comap/semaphore.hpp>

#include "base/error.hpp"
#include "waitable/parts.hpp"

namespace comap {

using namespace internal;

static_assert(kSemaphoreCountMax == kSemaphoreMaximum);

namespace {

Result<void> check(std::string_view name, const SemaphoreOptions& options) {
    if (options.maximum == 0 || options.maximum > kSemaphoreCountMax)
        return fail(Code::invalid_argument, 0, name, "the maximum of the semaphore '", shown(name), "' is ", options.maximum, "; it must be from 1 to ", kSemaphoreCountMax);
    if (options.initial > options.maximum)
        return fail(Code::invalid_argument, 0, name, "the semaphore '", shown(name), "' cannot begin with ", options.initial, ": its maximum is ", options.maximum);
    return {};
}

std::uint64_t state_of(const SemaphoreOptions& options) { return options.initial * kSemaphoreOneToken; }
SyncOptions sync_options(const SemaphoreOptions& options) { return {options.mode, options.keep}; }

}  // namespace

Result<Semaphore> Semaphore::create(std::string_view name, const SemaphoreOptions& options, Context& context) {
    COMAP_TRY(check(name, options));
    return made<Semaphore>(SyncObject::create(Kind::semaphore, options.maximum, state_of(options), name, sync_options(options), context));
}
Result<Semaphore> Semaphore::open(std::string_view name, const OpenOptions& options, Context& context) {
    return made<Semaphore>(SyncObject::open(Kind::semaphore, name, options, context));
}
Result<Semaphore> Semaphore::open_or_create(std::string_view name, const SemaphoreOptions& options, Context& context) {
    COMAP_TRY(check(name, options));
    return made<Semaphore>(SyncObject::open_or_create(Kind::semaphore, options.maximum, state_of(options), name, sync_options(options), context));
}
Result<Semaphore> Semaphore::create_unnamed(const SemaphoreOptions& options) {
    COMAP_TRY(check("", options));
    return made<Semaphore>(SyncObject::create_unnamed(Kind::semaphore, options.maximum, state_of(options), sync_options(options)));
}
Result<Semaphore> Semaphore::from_descriptor(int descriptor, const OpenOptions& options, Context& context) {
    return made<Semaphore>(SyncObject::from_descriptor(Kind::semaphore, descriptor, options, context));
}
Result<Semaphore> Semaphore::create_in(const Section& section, std::uint64_t offset_bytes, const SemaphoreOptions& options) {
    COMAP_TRY(check(section.name(), options));
    return made<Semaphore>(SyncObject::create_in(Kind::semaphore, options.maximum, state_of(options), section, offset_bytes));
}
Result<Semaphore> Semaphore::open_in(const Section& section, std::uint64_t offset_bytes) {
    return made<Semaphore>(SyncObject::open_in(Kind::semaphore, section, offset_bytes));
}

std::uint32_t Semaphore::maximum() const { return core_ ? core_->maximum() : 0; }

Result<std::uint32_t> Semaphore::count() const {
    if (!core_) return fail(Code::invalid_argument, 0, "", "this handle is closed");
    const std::uint32_t tokens = shown_tokens_of(core_->semaphore().value());
    if (tokens > core_->maximum()) return damaged();
    return tokens;
}

Result<std::uint32_t> Semaphore::release(std::int64_t count) const {
    if (!is_writable()) [[unlikely]] return unusable();
    const auto refuse = [&](Code code, std::string_view why) {
        return fail(code, 0, object_->name(), count, " tokens cannot be released to the semaphore '", shown(object_->name()), "': ", why);
    };
    if (count <= 0) return refuse(Code::invalid_argument, "the number must be 1 or more");
    if (count > kSemaphoreCountMax) return refuse(Code::limit_reached, cat("its maximum is ", core_->maximum()));
    std::uint32_t before = 0;
    switch (core_->semaphore().release(static_cast<std::uint32_t>(count), before)) {
        case Release::released:
            core_->tell_watchers(object_->descriptor());
            return before;
        case Release::beyond_maximum:
            return refuse(Code::limit_reached, cat("its maximum is ", core_->maximum()));
        case Release::corrupt:
            break;
    }
    return damaged();
}

Result<Acquired> Semaphore::acquire(Deadline deadline) const {
    if (!is_writable()) [[unlikely]] return unusable();
    if (core_->semaphore().take() == Take::taken) return Acquired::acquired;
    return wait(deadline);
}

}  // namespace comap
