/* SPDX-License-Identifier: Apache-2.0 */
/* comap for C and for every language that can call C.
 *
 * Named shared memory that lives exactly as long as someone holds it, whole UTF-8 texts, and change notification.
 *
 * Every function that can fail returns a comap_code; then nothing was changed, out parameters included, and
 * comap_last_message() of the same thread says what was wrong and what to do. Strings are UTF-8. Sizes and offsets are bytes.
 * Names are "name" or "Local\name" (this user's), or "Global\name" (every user's): up to 240 bytes of UTF-8 without NUL and backslash.
 * Handles may be used by several threads at once, except that closing is the last use; a watcher is for one thread at a time.
 * A thread inside comap must not be cancelled (pthread_cancel).
 * Unless it says otherwise, a function does not block for long, and is not safe in a signal handler. Since 0.1. */
#ifndef COMAP_COMAP_H
#define COMAP_COMAP_H

#include <stddef.h>
#include <stdint.h>

#include <comap/codes.h>
#include <comap/export.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct comap_context comap_context;
typedef struct comap_section comap_section;
typedef struct comap_view comap_view;
typedef struct comap_text comap_text;
typedef struct comap_watcher comap_watcher;

/* A deadline that never comes. Others are nanoseconds of CLOCK_MONOTONIC; a past one (0) only looks. */
#define COMAP_FOREVER UINT64_MAX

typedef enum comap_access { COMAP_READ_ONLY = 0, COMAP_READ_WRITE = 1 } comap_access;

typedef enum comap_protection {
    COMAP_VIEW_AS_OPENED = 0,
    COMAP_VIEW_READ_ONLY = 1,
    COMAP_VIEW_READ_WRITE = 2,
    COMAP_VIEW_COPY_ON_WRITE = 3
} comap_protection;

/* How a wait ended; none of these is an error. */
typedef enum comap_wait_end {
    COMAP_CHANGED = 0,
    COMAP_TIMED_OUT = 1,
    COMAP_INTERRUPTED = 2, /* a signal was handled meanwhile */
    COMAP_ALONE = 3        /* no other holder is left (if asked for) */
} comap_wait_end;

typedef enum comap_wait_for { COMAP_WAIT_CHANGE = 0, COMAP_WAIT_CHANGE_OR_ALONE = 1 } comap_wait_for;

/* Option structs begin with their own size, so that later versions can add to them: use the INIT macros. */
typedef struct comap_create_options {
    size_t struct_size;
    uint32_t mode;         /* permission bits; 0600 */
    uint32_t keep;         /* not 0: outlives its holders */
    uint32_t lazy;         /* not 0: memory is taken when touched */
    comap_access access;   /* of this handle; COMAP_READ_WRITE */
    const char* file;      /* path of the file that is the body, or NULL */
    uint64_t file_offset;  /* a multiple of the page size */
} comap_create_options;
#define COMAP_CREATE_OPTIONS_INIT {sizeof(comap_create_options), 0600, 0, 0, COMAP_READ_WRITE, NULL, 0}

typedef struct comap_open_options {
    size_t struct_size;
    comap_access access;    /* COMAP_READ_WRITE */
    uint32_t check_owner;   /* not 0: the object must belong to owner_uid */
    uint32_t owner_uid;
    uint32_t reserved;      /* 0 */
    const char* file;       /* the file expected under the section, or NULL */
} comap_open_options;
#define COMAP_OPEN_OPTIONS_INIT {sizeof(comap_open_options), COMAP_READ_WRITE, 0, 0, 0, NULL}

typedef struct comap_view_options {
    size_t struct_size;
    uint64_t offset;
    uint64_t size;          /* 0: up to the end */
    comap_protection protection;
    uint32_t prefault;      /* not 0: every page is mapped before the call returns */
    uint32_t huge_pages;    /* not 0: ask for 2 MiB pages; COMAP_UNSUPPORTED if the kernel gives none */
    uint32_t reserved;      /* 0 */
} comap_view_options;
#define COMAP_VIEW_OPTIONS_INIT {sizeof(comap_view_options), 0, 0, COMAP_VIEW_AS_OPENED, 0, 0, 0}

/* --- errors ------------------------------------------------------------------------------------------------------------ */

/* "0.1.0". */
COMAP_API const char* comap_version_string(void);

/* "not_found", and "no live object has this name". Never NULL. */
COMAP_API const char* comap_code_name(comap_code code);
COMAP_API const char* comap_code_text(comap_code code);

/* Of the last failed call of this thread: the sentence; errno or 0; the object's name or "". Valid until this thread's
 * next call. Never NULL. */
COMAP_API const char* comap_last_message(void);
COMAP_API int comap_last_os_error(void);
COMAP_API const char* comap_last_object(void);

/* --- where names are looked up ------------------------------------------------------------------------------------------ */

/* Most callers pass NULL where a context is asked for: the standard one ($COMAP_DIR, else /dev/shm).
 *   root   directory that holds the namespaces; NULL: as the standard context. */
COMAP_API comap_code comap_context_create(const char* root, comap_context** out);
COMAP_API void comap_context_close(comap_context* context); /* after everything opened through it; NULL is ignored */

/* Removes a kept or dead object now (*gone = 1); a held one becomes an ordinary object that ends with its last holder (0).
 * Errors: NOT_FOUND, PERMISSION_DENIED, BUSY. `gone` may be NULL. */
COMAP_API comap_code comap_remove(comap_context* context, const char* name, int* gone);

/* --- sections ----------------------------------------------------------------------------------------------------------- */

/* `options` may be NULL in all of these.
 * create: a section of size_bytes zero bytes, its memory committed. Errors: ALREADY_EXISTS, NO_SPACE, INVALID_ARGUMENT, BUSY.
 * open: Errors: NOT_FOUND, KIND_MISMATCH, VERSION_MISMATCH, CORRUPT, FILE_CHANGED, BUSY.
 * open_or_create: exactly one of several callers creates; comap_section_was_created() says which. */
COMAP_API comap_code comap_section_create(comap_context* context, const char* name, uint64_t size_bytes,
                                          const comap_create_options* options, comap_section** out);
COMAP_API comap_code comap_section_open(comap_context* context, const char* name, const comap_open_options* options,
                                        comap_section** out);
COMAP_API comap_code comap_section_open_or_create(comap_context* context, const char* name, uint64_t size_bytes,
                                                  const comap_create_options* options, comap_section** out);
COMAP_API comap_code comap_section_create_unnamed(uint64_t size_bytes, const comap_create_options* options,
                                                  comap_section** out);

/* A new close-on-exec descriptor that holds the object and can be sent to another process; the caller closes it. */
COMAP_API comap_code comap_section_share_descriptor(const comap_section* section, comap_access access, int* descriptor);

/* The section behind such a descriptor, which is duplicated and stays the caller's. */
COMAP_API comap_code comap_section_from_descriptor(comap_context* context, int descriptor, const comap_open_options* options,
                                                   comap_section** out);

/* Valid until the section is closed. "" for an unnamed one. */
COMAP_API const char* comap_section_name(const comap_section* section);
COMAP_API int comap_section_was_created(const comap_section* section);
COMAP_API comap_code comap_section_size(const comap_section* section, uint64_t* size_bytes);
COMAP_API comap_code comap_section_grow(comap_section* section, uint64_t size_bytes);
COMAP_API comap_code comap_section_set_keep(comap_section* section, int keep);

/* Change notification. A version is a count of changes modulo 2^31. `wait` blocks until the version is not `seen`, or the
 * deadline is over, or a signal was handled; it works through read-only handles. */
COMAP_API comap_code comap_section_publish(const comap_section* section);
COMAP_API comap_code comap_section_version(const comap_section* section, uint32_t* version);
COMAP_API comap_code comap_section_wait(const comap_section* section, uint32_t seen, uint64_t deadline_ns, comap_wait_for what,
                                        comap_wait_end* end);
COMAP_API comap_code comap_section_is_only_holder(const comap_section* section, int* only_holder);

/* The object ends here if no view and no other holder is left. NULL is ignored. */
COMAP_API void comap_section_close(comap_section* section);

/* --- views -------------------------------------------------------------------------------------------------------------- */

/* Errors: INVALID_ARGUMENT (past the end: both numbers), PERMISSION_DENIED (writing through a read-only handle). */
COMAP_API comap_code comap_view_map(const comap_section* section, const comap_view_options* options, comap_view** out);
COMAP_API void* comap_view_data(const comap_view* view);
COMAP_API size_t comap_view_size(const comap_view* view);
/* Writes changed pages to the backing file; blocks until they are there if wait_until_written is not 0. */
COMAP_API comap_code comap_view_flush(const comap_view* view, int wait_until_written);
/* Unmaps; the view held the object until now. NULL is ignored. */
COMAP_API void comap_view_close(comap_view* view);

/* --- texts -------------------------------------------------------------------------------------------------------------- */

/* capacity_bytes: the longest value; 0 is 64 KiB. Of the options only mode and keep are used. */
COMAP_API comap_code comap_text_create(comap_context* context, const char* name, uint32_t capacity_bytes,
                                       const comap_create_options* options, comap_text** out);
COMAP_API comap_code comap_text_open(comap_context* context, const char* name, const comap_open_options* options,
                                     comap_text** out);
COMAP_API comap_code comap_text_open_or_create(comap_context* context, const char* name, uint32_t capacity_bytes,
                                               const comap_create_options* options, comap_text** out);
COMAP_API const char* comap_text_name(const comap_text* text);
COMAP_API int comap_text_was_created(const comap_text* text);
COMAP_API uint32_t comap_text_capacity(const comap_text* text);

/* Replaces the value, or adds to it. `value` need not end with NUL. Waits for another writer, at most two seconds.
 * Errors: TOO_LONG (nothing is cut), INVALID_ARGUMENT (not UTF-8), PERMISSION_DENIED, BUSY. `version` may be NULL. */
COMAP_API comap_code comap_text_set(const comap_text* text, const char* value, size_t length_bytes, uint32_t* version);
COMAP_API comap_code comap_text_append(const comap_text* text, const char* value, size_t length_bytes, uint32_t* version);

/* One whole value into the caller's buffer, without a NUL. On TOO_LONG *length_bytes is the length that is needed: with
 * the conversions below the only exception to "out parameters unchanged". `version` may be NULL. */
COMAP_API comap_code comap_text_get(const comap_text* text, char* buffer, size_t buffer_bytes, size_t* length_bytes,
                                    uint32_t* version);
COMAP_API comap_code comap_text_version(const comap_text* text, uint32_t* version);
COMAP_API comap_code comap_text_wait(const comap_text* text, uint32_t seen, uint64_t deadline_ns, comap_wait_for what,
                                     comap_wait_end* end);
COMAP_API comap_code comap_text_set_keep(comap_text* text, int keep);
COMAP_API void comap_text_close(comap_text* text);

/* Strict conversions. The result's length goes to *length (in units of the result); TOO_LONG if `capacity` is less, then
 * *length is what is needed. A NUL is not added. */
COMAP_API comap_code comap_utf16_from_utf8(const char* utf8, size_t utf8_bytes, uint16_t* utf16, size_t capacity,
                                           size_t* length);
COMAP_API comap_code comap_utf8_from_utf16(const uint16_t* utf16, size_t utf16_units, char* utf8, size_t capacity,
                                           size_t* length);

/* --- watching many objects through one descriptor ------------------------------------------------------------------------ */

COMAP_API comap_code comap_watcher_create(comap_watcher** out);
/* Becomes readable when comap_watcher_next() may have something. The watcher's own; not to be read or closed. */
COMAP_API int comap_watcher_descriptor(const comap_watcher* watcher);
/* `tag` is the caller's and must not be in use. Versions other than `seen` are reported. The watcher holds the object. */
COMAP_API comap_code comap_watcher_add_section(comap_watcher* watcher, const comap_section* section, uint64_t tag,
                                               uint32_t seen);
COMAP_API comap_code comap_watcher_add_text(comap_watcher* watcher, const comap_text* text, uint64_t tag, uint32_t seen);
COMAP_API comap_code comap_watcher_remove(comap_watcher* watcher, uint64_t tag);
/* The next change: *found = 1, its tag and version; or *found = 0. Does not block. */
COMAP_API comap_code comap_watcher_next(comap_watcher* watcher, int* found, uint64_t* tag, uint32_t* version);
COMAP_API void comap_watcher_close(comap_watcher* watcher);

#ifdef __cplusplus
}
#endif

#endif
