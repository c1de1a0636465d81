// SPDX-License-Identifier: Apache-2.0
// What is said and done differently for sections, texts, mutexes, events and semaphores.
#pragma once

#include <string>

#include <comap/context.hpp>

namespace comap::tool {

bool is_section(const ObjectInfo& info);  // or a text

// Of a mutex, an event or a semaphore: "locked by 1234", "set, manual", "2/10". Empty for a section.
// `owner`: how to call the owner of a mutex; empty: by its number.
std::string sync_state(const ObjectInfo& info, const std::string& owner = {});

// As fail(); when the object is of another kind than was wanted, it also says which commands there are for it.
int fail_kind(Context& context, const Error& error);

}  // namespace comap::tool
