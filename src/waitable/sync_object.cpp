// SPDX-License-Identifier: Apache-2.0
#include <comap/sync_object.hpp>

#include "base/error.hpp"
#include "waitable/core.hpp"
#include "waitable/parts.hpp"

namespace comap {
namespace {

using namespace internal;

tl::unexpected<Error> closed() { return fail(Code::invalid_argument, 0, "", "this handle is closed"); }

NewObject new_object(Kind kind, std::uint32_t parameter, std::uint64_t state, const SyncOptions& options) {
    NewObject wanted;
    wanted.kind = kind;
    wanted.sync_parameter = parameter;
    wanted.sync_state = state;
    wanted.options.mode = options.mode;
    wanted.options.keep = options.keep;
    return wanted;
}

}  // namespace

SyncObject::SyncObject() = default;
SyncObject::SyncObject(SyncObject&& other) noexcept = default;
SyncObject::~SyncObject() { close(); }

SyncObject& SyncObject::operator=(SyncObject&& other) noexcept {
    if (this == &other) return *this;
    close();
    object_ = std::move(other.object_);
    core_ = std::move(other.core_);
    access_ = other.access_;
    was_created_ = other.was_created_;
    return *this;
}

void SyncObject::close() {
    SyncCore::release(std::move(core_));
    object_.reset();
}

void SyncObject::adopt(Parts&& parts) {
    object_ = std::move(parts.object);
    core_ = std::move(parts.core);
    access_ = parts.access;
    was_created_ = parts.was_created;
}

namespace {

// The parts of a handle to an object of its own.
template <typename Parts>
Result<Parts> parts_of(Kind kind, std::shared_ptr<Object> object) {
    COMAP_GET(auto core, SyncCore::attach(kind, {object.get(), 0, false}));
    const Access access = object->access();
    const bool was_created = object->was_created();
    return Parts{std::move(object), std::move(core), access, was_created};
}

Result<SyncPlace> place_in(const Section& section, std::uint64_t offset_bytes) {
    const auto& object = section.object();
    if (!object) return fail(Code::invalid_argument, 0, "", "this section handle is closed");
    COMAP_TRY(object->require_layout(Layout::bytes));
    COMAP_GET(const std::uint64_t size, object->last_known_size_bytes());
    if (offset_bytes % kSyncPageBytes != kSyncBlockInPage || offset_bytes > size || size - offset_bytes < kSyncBytes)
        return fail(Code::invalid_argument, 0, object->name(), "byte ", offset_bytes, " of '", shown(object->name()),
                    "' is no place for a lock: it must be the last 64 bytes of a 4 KiB page that lies in the section (sync_offset(page)), which has ", size, " bytes");
    return SyncPlace{object.get(), object->body_offset_bytes() + offset_bytes - kSyncBlockInPage, true};
}

}  // namespace

Result<SyncObject::Parts> SyncObject::create(Kind kind, std::uint32_t parameter, std::uint64_t state, std::string_view name, const SyncOptions& options,
                                             Context& context) {
    COMAP_GET(auto object, Object::create(context.namespaces(), name, new_object(kind, parameter, state, options)));
    return parts_of<Parts>(kind, std::move(object));
}

Result<SyncObject::Parts> SyncObject::open(Kind kind, std::string_view name, const OpenOptions& options, Context& context) {
    COMAP_GET(auto object, Object::open(context.namespaces(), name, options, kind));
    return parts_of<Parts>(kind, std::move(object));
}

Result<SyncObject::Parts> SyncObject::open_or_create(Kind kind, std::uint32_t parameter, std::uint64_t state, std::string_view name, const SyncOptions& options,
                                                     Context& context) {
    COMAP_GET(auto object, Object::open_or_create(context.namespaces(), name, new_object(kind, parameter, state, options)));
    return parts_of<Parts>(kind, std::move(object));
}

Result<SyncObject::Parts> SyncObject::create_unnamed(Kind kind, std::uint32_t parameter, std::uint64_t state, const SyncOptions& options) {
    COMAP_GET(auto object, Object::create_unnamed(new_object(kind, parameter, state, options)));
    return parts_of<Parts>(kind, std::move(object));
}

Result<SyncObject::Parts> SyncObject::from_descriptor(Kind kind, int descriptor, const OpenOptions& options, Context& context) {
    COMAP_GET(auto object, Object::from_descriptor(context.namespaces(), descriptor, options, kind));
    return parts_of<Parts>(kind, std::move(object));
}

Result<SyncObject::Parts> SyncObject::create_in(Kind kind, std::uint32_t parameter, std::uint64_t state, const Section& section, std::uint64_t offset_bytes) {
    COMAP_GET(const SyncPlace place, place_in(section, offset_bytes));
    COMAP_TRY(place.object->require_writable("written"));
    COMAP_GET(auto core, SyncCore::lay_out(kind, parameter, state, place));
    return Parts{section.object(), std::move(core), section.access(), true};
}

Result<SyncObject::Parts> SyncObject::open_in(Kind kind, const Section& section, std::uint64_t offset_bytes) {
    COMAP_GET(const SyncPlace place, place_in(section, offset_bytes));
    COMAP_GET(auto core, SyncCore::attach(kind, place));
    return Parts{section.object(), std::move(core), section.access(), false};
}

const std::string& SyncObject::name() const {
    static const std::string none;
    return object_ && object_->header().kind != Kind::section ? object_->name() : none;
}

Result<ObjectInfo> SyncObject::info() const { return object_ ? object_->info() : closed(); }
Result<void> SyncObject::set_keep(bool keep) { return object_ ? object_->set_keep(keep) : closed(); }
Result<int> SyncObject::share_descriptor(Access access) const { return object_ ? object_->share_descriptor(access) : closed(); }

tl::unexpected<Error> SyncObject::unusable() const {
    if (!core_) return closed();
    return fail(Code::permission_denied, 0, object_->name(), "the ", kind_name(core_->kind()), " '", shown(object_->name()), "' was opened for reading only");
}

tl::unexpected<Error> SyncObject::unwaitable() const {
    return fail(Code::permission_denied, 0, object_->name(), "the event '", shown(object_->name()),
                "' cannot be waited for by somebody who may only read it: when it was created its mode had no such readers");
}

tl::unexpected<Error> SyncObject::damaged() const {
    return fail(Code::corrupt, 0, object_->name(), "the ", kind_name(core_->kind()), " '", shown(object_->name()),
                "' is damaged: somebody wrote over its words; end its holders, then remove it with `comap rm`");
}

Result<Acquired> SyncObject::wait(Deadline deadline) const {
    WaitPoint<os::Machine> point = core_->point();
    switch (wait_any(std::span(&point, 1), deadline).end) {
        case Ended::acquired:
            return Acquired::acquired;
        case Ended::acquired_abandoned:
            return Acquired::acquired_abandoned;
        case Ended::timed_out:
            return Acquired::timed_out;
        case Ended::interrupted:
            return Acquired::interrupted;
        case Ended::too_deep:
            return fail(Code::limit_reached, 0, object_->name(), "the mutex '", shown(object_->name()), "' was locked more often by this thread than can be counted");
        case Ended::corrupt:
            break;
    }
    return damaged();
}

}  // namespace comap
