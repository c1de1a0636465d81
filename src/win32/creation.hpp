// SPDX-License-Identifier: Apache-2.0
// What all calls that create an object have in common.
#pragma once

#include <memory>
#include <optional>
#include <utility>

#include "win32/access.hpp"
#include "win32/errors.hpp"
#include "win32/handles.hpp"
#include "win32/names.hpp"
#include "win32/security.hpp"

namespace comap::win32 {

// A handle to what make(name, mode) makes, or opens, or makes without a name if that is empty. NULL, and the last error is set:
// code_of(error), if it was make that failed.
template <typename Object, typename Char, typename Make, typename CodeOf = DWORD (*)(const Error&)>
HANDLE create_object(const SECURITY_ATTRIBUTES* attributes, const Char* given, DWORD access, const Make& make, const CodeOf& code_of = code_of_creation) {
    const ObjectName name = name_to_create(given);
    if (name.error != ERROR_SUCCESS) return fail_null(name.error);
    const std::optional<std::uint32_t> mode = mode_of(attributes);
    if (!mode) return nullptr;
    auto native = make_by_name(name, [&] { return make(name.native, *mode); });
    if (!native) return fail_null(code_of(native.error()));
    const bool is_new = native->was_created();
    const HANDLE handle = insert_handle(std::make_shared<Object>(std::move(*native)),
                                        {.access = specific_access(Object::kKind, access), .is_inherited = is_inherited(attributes)});
    if (handle) SetLastError(is_new ? ERROR_SUCCESS : ERROR_ALREADY_EXISTS);
    return handle;
}

}  // namespace comap::win32
