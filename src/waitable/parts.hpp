// SPDX-License-Identifier: Apache-2.0
// What a handle of a mutex, an event or a semaphore is made of.
#pragma once

#include <memory>

#include <comap/sync_object.hpp>

#include "waitable/core.hpp"

namespace comap {

struct SyncObject::Parts {
    std::shared_ptr<internal::Object> object;  // holds it; of the section, for one that lies in a section
    std::shared_ptr<internal::SyncCore> core;
    Access access = Access::read_write;
    bool was_created = false;
};

// A handle of the wanted class.
template <typename Handle>
Result<Handle> SyncObject::made(Result<Parts>&& parts) {
    if (!parts) return tl::unexpected<Error>(std::move(parts).error());
    Handle handle;
    handle.adopt(std::move(*parts));
    return handle;
}

}  // namespace comap
