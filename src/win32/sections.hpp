// SPDX-License-Identifier: Apache-2.0
// CreateFileMapping and its kin over comap's sections.
#pragma once

#include <memory>

#include <comap/section.hpp>

#include "win32/handles.hpp"
#include "win32/views.hpp"

namespace comap::win32 {

// Holds the section, and so its name, until the last handle goes. Views are mapped through the section's own open file, which costs
// nothing. Where the last handle is closed before they are unmapped, they are mapped anew, through one that holds nothing.
// Views that are copies, whose pages cannot be had anew, go through that from the start. Thread-safe.
class SectionObject final : public KernelObject {
  public:
    static constexpr Kind kKind = Kind::section;

    explicit SectionObject(Section section) : KernelObject(kKind), section_(std::move(section)) {}
    ~SectionObject() override;

    int share_descriptor() const override;

    // Maps a view; NULL, and the last error is set.
    void* map(DWORD protection, std::uint64_t offset_bytes, std::uint64_t size_bytes, void* address) const;

  private:
    const Section section_;
};

// For children that inherit a handle: the section behind a descriptor of share_descriptor(), for a handle with that access.
// Nothing if there is none. The descriptor stays the caller's.
std::shared_ptr<KernelObject> section_from_descriptor(int descriptor, DWORD access);

}  // namespace comap::win32
