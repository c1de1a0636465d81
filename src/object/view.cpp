// SPDX-License-Identifier: Apache-2.0
#include <cerrno>
#include <utility>

#include <comap/section.hpp>

#include "base/error.hpp"
#include "object/object.hpp"

namespace comap {
namespace {

using namespace internal;

os::MapMode map_mode(Protection protection) {
    switch (protection) {
        case Protection::read_only:
            return os::MapMode::read_only;
        case Protection::read_write:
            return os::MapMode::read_write;
        case Protection::copy_on_write:
            return os::MapMode::copy_on_write;
    }
    return os::MapMode::read_only;
}

Protection default_protection(const Object& object) {
    return object.access() == Access::read_write ? Protection::read_write : Protection::read_only;
}

Result<std::uint64_t> wanted_size(const Object& object, const ViewOptions& options) {
    if (options.size_bytes > 0) return options.size_bytes;
    COMAP_GET(const std::uint64_t size, object.last_known_size_bytes());
    if (options.offset_bytes < size) return size - options.offset_bytes;
    return fail(Code::invalid_argument, 0, object.name(), "a view from byte ", options.offset_bytes, " on does not lie in '",
                shown(object.name()), "', which has ", size, " bytes");
}

Result<void> make_huge(const Object& object, const os::Mapping& mapping, std::uint64_t file_offset) {
    const auto huge = os::make_huge(mapping, file_offset);
    if (huge && *huge > 0) return {};
    const int os_error = huge ? EINVAL : huge.error();
    return fail(Code::unsupported, os_error, object.name(), "no huge pages for this view of '", shown(object.name()), "': ",
                huge ? "it contains no whole 2 MiB page of the file" : os_text(os_error));
}

Result<void> prefault(const Object& object, const os::Mapping& mapping, Protection protection) {
    const auto populated = os::populate(mapping.address(), mapping.size_bytes(), protection != Protection::read_only);
    if (populated) return {};
    const Code code = populated.error() == EFAULT ? Code::no_space : code_of(populated.error());
    return fail(code, populated.error(), object.name(), "the pages of this view of '", shown(object.name()), "' cannot be had: ",
                code == Code::no_space ? "not enough memory, or the file was shortened" : os_text(populated.error()));
}

}  // namespace

View::~View() { close(); }

View::View(View&& other) noexcept
    : object_(std::move(other.object_)),
      data_(std::exchange(other.data_, nullptr)),
      size_bytes_(std::exchange(other.size_bytes_, 0)),
      offset_bytes_(std::exchange(other.offset_bytes_, 0)),
      map_(std::exchange(other.map_, nullptr)),
      map_size_bytes_(std::exchange(other.map_size_bytes_, 0)),
      protection_(std::exchange(other.protection_, Protection::read_only)) {}

View& View::operator=(View&& other) noexcept {
    if (this != &other) {
        close();
        object_ = std::move(other.object_);
        data_ = std::exchange(other.data_, nullptr);
        size_bytes_ = std::exchange(other.size_bytes_, 0);
        offset_bytes_ = std::exchange(other.offset_bytes_, 0);
        map_ = std::exchange(other.map_, nullptr);
        map_size_bytes_ = std::exchange(other.map_size_bytes_, 0);
        protection_ = std::exchange(other.protection_, Protection::read_only);
    }
    return *this;
}

void View::close() {
    if (map_) os::unmap(std::exchange(map_, nullptr), map_size_bytes_);
    data_ = nullptr;
    size_bytes_ = 0;
    protection_ = Protection::read_only;
    object_.reset();
}

Result<void> View::flush(bool wait_until_written) const {
    if (!map_) return fail(Code::invalid_argument, 0, "", "this view is closed");
    if (protection_ == Protection::copy_on_write)
        return fail(Code::invalid_argument, 0, object_->name(), "a copy-on-write view of '", shown(object_->name()), "' has nothing to write back");
    const auto flushed = os::flush(map_, map_size_bytes_, wait_until_written);
    if (flushed) return {};
    return fail(code_of(flushed.error()), flushed.error(), object_->name(), "'", shown(object_->name()), "' cannot be written back: ", os_text(flushed.error()));
}

std::uint64_t View::huge_page_bytes() const { return map_ ? os::huge_bytes(map_, map_size_bytes_) : 0; }

Result<View> Section::view(const ViewOptions& options) const {
    if (!object_) return fail(Code::invalid_argument, 0, "", "this section handle is closed");
    const Protection protection = options.protection.value_or(default_protection(*object_));
    if (protection == Protection::read_write) {
        COMAP_TRY(object_->require_writable("written through a view"));
        COMAP_TRY(object_->require_layout(Layout::bytes));
    }
    COMAP_GET(const std::uint64_t size, wanted_size(*object_, options));
    COMAP_GET(os::Mapping mapping, object_->map_body(options.offset_bytes, size, map_mode(protection), options.huge_pages));
    const std::uint64_t file_offset = object_->body_offset_bytes() + options.offset_bytes;
    const std::uint64_t lead = mapping.size_bytes() - size;  // the mapping begins at a page, and ends where the view does
    if (options.huge_pages) COMAP_TRY(make_huge(*object_, mapping, file_offset - lead));
    if (options.prefault) COMAP_TRY(prefault(*object_, mapping, protection));
    View view;
    view.object_ = object_;
    view.map_size_bytes_ = mapping.size_bytes();
    view.map_ = mapping.release();
    view.data_ = static_cast<std::byte*>(view.map_) + lead;
    view.size_bytes_ = static_cast<std::size_t>(size);
    view.offset_bytes_ = options.offset_bytes;
    view.protection_ = protection;
    return view;
}

}  // namespace comap
