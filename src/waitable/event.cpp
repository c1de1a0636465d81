// SPDX-License-Identifier: Apache-2.0
#include <comap/event.hpp>

#include <chrono>

#include "base/error.hpp"
#include "waitable/parts.hpp"

namespace comap {

using namespace internal;

namespace {

std::uint32_t parameter_of(const EventOptions& options) { return options.reset == Reset::manual ? 1 : 0; }
std::uint64_t state_of(const EventOptions& options) { return options.initially_set ? kEventSet : 0; }
SyncOptions sync_options(const EventOptions& options) { return {options.mode, options.keep}; }

constexpr std::uint32_t kPulseAttempts = 60;  // about 40 ms: many times what a woken thread needs
constexpr std::uint32_t kResetAttempts = 2000;  // some pauses of up to a millisecond each: about two seconds

}  // namespace

Result<Event> Event::create(std::string_view name, const EventOptions& options, Context& context) {
    return made<Event>(SyncObject::create(Kind::event, parameter_of(options), state_of(options), name, sync_options(options), context));
}
Result<Event> Event::open(std::string_view name, const OpenOptions& options, Context& context) {
    return made<Event>(SyncObject::open(Kind::event, name, options, context));
}
Result<Event> Event::open_or_create(std::string_view name, const EventOptions& options, Context& context) {
    return made<Event>(SyncObject::open_or_create(Kind::event, parameter_of(options), state_of(options), name, sync_options(options), context));
}
Result<Event> Event::create_unnamed(const EventOptions& options) {
    return made<Event>(SyncObject::create_unnamed(Kind::event, parameter_of(options), state_of(options), sync_options(options)));
}
Result<Event> Event::from_descriptor(int descriptor, const OpenOptions& options, Context& context) {
    return made<Event>(SyncObject::from_descriptor(Kind::event, descriptor, options, context));
}
Result<Event> Event::create_in(const Section& section, std::uint64_t offset_bytes, const EventOptions& options) {
    return made<Event>(SyncObject::create_in(Kind::event, parameter_of(options), state_of(options), section, offset_bytes));
}
Result<Event> Event::open_in(const Section& section, std::uint64_t offset_bytes) { return made<Event>(SyncObject::open_in(Kind::event, section, offset_bytes)); }

Reset Event::reset_kind() const { return core_ && core_->is_manual() ? Reset::manual : Reset::automatic; }

Result<void> Event::set() const {
    if (!is_writable()) [[unlikely]] return unusable();
    core_->event().set(core_->always_wakes());
    core_->tell_watchers(object_->descriptor());
    return {};
}

Result<void> Event::reset() const {
    if (!is_writable()) [[unlikely]] return unusable();
    for (std::uint32_t attempt = 0; !core_->event().reset(); ++attempt) {
        if (attempt == kResetAttempts)
            return fail(Code::busy, 0, object_->name(), "the event '", shown(object_->name()),
                        "' is reserved by somebody who waits for several objects and does not go on (is it stopped?); try again, or end that process");
        core_->clear_dead_reservation();
        os::pause_briefly(attempt);
    }
    return {};
}

Result<void> Event::pulse() const {
    if (!is_writable()) [[unlikely]] return unusable();
    if (core_->is_manual()) {
        core_->event().pulse_manual();
        return {};
    }
    if (!core_->event().has_sleepers() || !core_->event().set_for_sleepers()) return reset();
    // One of the woken takes it, if one comes in time; else it is reset here.
    for (std::uint32_t attempt = 0; attempt < kPulseAttempts && core_->event().is_set(); ++attempt) os::pause_briefly(attempt);
    return reset();
}

Result<bool> Event::is_set() const {
    if (!core_) return fail(Code::invalid_argument, 0, "", "this handle is closed");
    return core_->event().is_set();
}

Result<Acquired> Event::wait(Deadline deadline) const {
    if (!is_writable()) [[unlikely]] {
        if (!core_ || !core_->is_manual()) return unusable();
        if (!core_->can_be_waited_for()) return unwaitable();
    }
    if (core_->is_manual() ? core_->event().is_set() : core_->event().take() == Take::taken) return Acquired::acquired;
    return SyncObject::wait(deadline);
}

}  // namespace comap
