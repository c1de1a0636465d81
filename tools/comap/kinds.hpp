// SPDX-License-Identifier: Apache-2.0
// What is said and done differently for sections, texts, cells, channels, queues, mutexes, events and semaphores.
#pragma once

#include <string>
#include <string_view>

#include <comap/context.hpp>

namespace comap::tool {

bool is_section(const ObjectInfo& info);  // or a text, a cell, a channel or a queue
bool is_stream(const ObjectInfo& info);   // a channel or a queue

// "section", "cell", "channel", "mutex": as it is shown. A text is a section here.
std::string_view shown_kind(const ObjectInfo& info);

// Of a mutex, an event or a semaphore: "locked by 1234", "set, manual", "2/10". Empty for a section.
// `owner`: how to call the owner of a mutex; empty: by its number.
std::string sync_state(const ObjectInfo& info, const std::string& owner = {});

// As fail(); when the object is of another kind than was wanted, or a channel or a queue where something else was, it also says which
// commands there are for it.
int fail_kind(Context& context, const Error& error);

// The same, but for any object that is not what was wanted.
int fail_layout(Context& context, const Error& error);

}  // namespace comap::tool
