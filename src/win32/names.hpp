// SPDX-License-Identifier: Apache-2.0
// What the names of Win32 objects mean as names of comap: prefixes, lengths, what is refused with which code.
#pragma once

#include <string>

#include <comap/context.hpp>

#include <windows.h>

namespace comap::win32 {

struct ObjectName {
    std::string native = {};  // empty: an object without a name
    Scope scope = Scope::local;
    DWORD error = ERROR_SUCCESS;  // then the call fails with this
};

// NULL and "" mean no name. Char is char (UTF-8) or WCHAR (UTF-16).
template <typename Char>
ObjectName name_to_create(const Char* name);

// NULL and "" are errors.
template <typename Char>
ObjectName name_to_open(const Char* name);

// What a failure to create or open by that name is called.
DWORD code_of_creation(const Error& error);
DWORD code_of_opening(const Error& error);

// Makes the directory of Global names where that is ours to do: for root, and below a COMAP_DIR of one's own.
bool may_set_up_global();

// Calls make(), again if all it lacked was the directory of Global names.
template <typename Make>
auto make_by_name(const ObjectName& name, const Make& make) {
    auto made = make();
    if (made || made.error().code != Code::no_namespace || name.scope != Scope::global) return made;
    return may_set_up_global() && Context::standard().setup_global() ? make() : std::move(made);
}

}  // namespace comap::win32
