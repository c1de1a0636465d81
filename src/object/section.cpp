// SPDX-License-Identifier: Apache-2.0
#include <comap/section.hpp>

#include "base/error.hpp"
#include "object/object.hpp"

namespace comap {
namespace {

using namespace internal;

NewObject bytes_of(std::uint64_t size_bytes, const CreateOptions& options) {
    NewObject wanted;
    wanted.size_bytes = size_bytes;
    wanted.options = options;
    return wanted;
}

tl::unexpected<Error> closed() { return fail(Code::invalid_argument, 0, "", "this section handle is closed"); }

}  // namespace

Section::Section(std::shared_ptr<internal::Object> object) : object_(std::move(object)) {}
Section::~Section() = default;
Section::Section(Section&& other) noexcept = default;
Section& Section::operator=(Section&& other) noexcept = default;

Result<Section> Section::create(std::string_view name, std::uint64_t size_bytes, const CreateOptions& options, Context& context) {
    COMAP_GET(auto object, Object::create(context.namespaces(), name, bytes_of(size_bytes, options)));
    return Section(std::move(object));
}

Result<Section> Section::open(std::string_view name, const OpenOptions& options, Context& context) {
    COMAP_GET(auto object, Object::open(context.namespaces(), name, options));
    return Section(std::move(object));
}

Result<Section> Section::open_or_create(std::string_view name, std::uint64_t size_bytes, const CreateOptions& options, Context& context) {
    COMAP_GET(auto object, Object::open_or_create(context.namespaces(), name, bytes_of(size_bytes, options)));
    return Section(std::move(object));
}

Result<Section> Section::create_unnamed(std::uint64_t size_bytes, const CreateOptions& options) {
    COMAP_GET(auto object, Object::create_unnamed(bytes_of(size_bytes, options)));
    return Section(std::move(object));
}

Result<Section> Section::from_descriptor(int descriptor, const OpenOptions& options, Context& context) {
    COMAP_GET(auto object, Object::from_descriptor(context.namespaces(), descriptor, options));
    return Section(std::move(object));
}

Result<int> Section::share_descriptor(Access access) const { return object_ ? object_->share_descriptor(access) : closed(); }

Result<BodyFile> Section::body_file(Access access) const {
    if (!object_) return closed();
    return object_->body_file(access);
}

Result<BodyFile> Section::own_body_file(Access access) const {
    if (!object_) return closed();
    return object_->own_body_file(access);
}

const std::string& Section::name() const {
    static const std::string none;
    return object_ ? object_->name() : none;
}

bool Section::was_created() const { return object_ && object_->was_created(); }
Access Section::access() const { return object_ ? object_->access() : Access::read_only; }
Result<ObjectInfo> Section::info() const { return object_ ? object_->info() : closed(); }
Result<std::uint64_t> Section::size_bytes() const { return object_ ? object_->size_bytes() : closed(); }
Result<void> Section::grow(std::uint64_t size_bytes) { return object_ ? object_->grow(size_bytes) : closed(); }
Result<void> Section::set_keep(bool keep) { return object_ ? object_->set_keep(keep) : closed(); }

Result<void> Section::publish() const {
    if (!object_) return closed();
    if (object_->header().layout != Layout::bytes) [[unlikely]]
        return object_->require_layout(Layout::bytes);
    return object_->publish();
}

Result<std::uint32_t> Section::version() const {
    if (!object_) return closed();
    COMAP_TRY(object_->require_versions());
    return object_->version();
}

Result<Wait> Section::wait(std::uint32_t seen, Deadline deadline, WaitFor what) const {
    if (!object_) return closed();
    COMAP_TRY(object_->require_versions());
    return object_->wait(seen, deadline, what);
}

Result<bool> Section::is_only_holder() const { return object_ ? object_->is_only_holder() : closed(); }
void Section::close() { object_.reset(); }

}  // namespace comap
