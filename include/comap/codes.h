/* SPDX-License-Identifier: Apache-2.0 */
/* The one list of result codes. The C enum, the C++ enum class, their names and texts, and the error types of every
 * other language are made from it. A number is never reused; a new code is added only if a caller would act on it. */
#ifndef COMAP_CODES_H
#define COMAP_CODES_H

/* X(number, C name, C++ name, text) */
#define COMAP_CODES(X)                                                                              \
    X(0, OK, ok, "no error")                                                                        \
    X(1, INVALID_ARGUMENT, invalid_argument, "an argument is out of range or malformed")            \
    X(2, NOT_FOUND, not_found, "no live object has this name")                                      \
    X(3, ALREADY_EXISTS, already_exists, "an object of this name already exists")                   \
    X(4, KIND_MISMATCH, kind_mismatch, "the name belongs to an object of another kind")             \
    X(5, VERSION_MISMATCH, version_mismatch, "the object has another format version")               \
    X(6, LAYOUT_MISMATCH, layout_mismatch, "the object's data has another layout")                  \
    X(7, PERMISSION_DENIED, permission_denied, "the object, file or directory may not be used so")  \
    X(8, NO_SPACE, no_space, "not enough memory or disk space")                                     \
    X(9, BUSY, busy, "another process kept the object locked for too long")                         \
    X(10, CORRUPT, corrupt, "the object's bytes are not what they must be")                         \
    X(11, NO_NAMESPACE, no_namespace, "the namespace directory is missing or unusable")             \
    X(12, TOO_LONG, too_long, "the value is longer than the room for it")                           \
    X(13, FILE_CHANGED, file_changed, "the file under the section was replaced, removed or shortened") \
    X(14, UNSUPPORTED, unsupported, "this system cannot do that")                                   \
    X(15, OS_ERROR, os_error, "the operating system refused a call")                                \
    X(16, NOT_OWNER, not_owner, "the calling thread does not own the mutex")                        \
    X(17, LIMIT_REACHED, limit_reached, "the count would exceed its maximum")

/* One code for every function. COMAP_OK is 0. */
typedef enum comap_code {
#define COMAP_CODE_ENTRY(number, c_name, cpp_name, text) COMAP_##c_name = number,
    COMAP_CODES(COMAP_CODE_ENTRY)
#undef COMAP_CODE_ENTRY
} comap_code;

#endif
