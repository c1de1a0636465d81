/* SPDX-License-Identifier: Apache-2.0 */
/* comap for C and for every language that can call C.
 *
 * Named shared memory that lives exactly as long as someone holds it, whole UTF-8 texts, change notification, and locks that
 * survive their owners.
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
typedef struct comap_mutex comap_mutex;
typedef struct comap_event comap_event;
typedef struct comap_semaphore comap_semaphore;
typedef struct comap_cell comap_cell;

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
    COMAP_ACQUIRED = 0,    /* what was waited for is the caller's */
    COMAP_TIMED_OUT = 1,
    COMAP_INTERRUPTED = 2, /* a signal was handled meanwhile */
    COMAP_ALONE = 3,       /* no other holder is left (if asked for) */
    COMAP_ACQUIRED_ABANDONED = 4 /* a mutex, and it is the caller's; but its last owner died with it. Told once. */
} comap_wait_end;

typedef enum comap_wait_for { COMAP_WAIT_CHANGE = 0, COMAP_WAIT_CHANGE_OR_ALONE = 1 } comap_wait_for;

/* Option structs begin with their own size, so that later versions can add to them: use the INIT macros. Without it
 * (struct_size 0, or more than this library knows of) the answer is INVALID_ARGUMENT. */
typedef struct comap_create_options {
    size_t struct_size;
    uint32_t mode;         /* permission bits; 0600 */
    uint32_t keep;         /* not 0: outlives its holders */
    uint32_t lazy;         /* not 0: memory is taken when touched */
    comap_access access;   /* of this handle; COMAP_READ_WRITE */
    const char* file;      /* path of the file that is the body, or NULL */
    uint64_t file_offset;  /* a multiple of the page size */
    const void* initial;   /* sections in memory: the body's first bytes, there before anyone can open it; or NULL */
    size_t initial_bytes;
} comap_create_options;
#define COMAP_CREATE_OPTIONS_INIT {sizeof(comap_create_options), 0600, 0, 0, COMAP_READ_WRITE, NULL, 0, NULL, 0}

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

/* --- cells -------------------------------------------------------------------------------------------------------------- */

typedef struct comap_cell_options {
    size_t struct_size;
    uint32_t mode;          /* permission bits; 0600 */
    uint32_t keep;          /* not 0: outlives its holders */
    uint32_t history;       /* how many values before the latest can be read */
    uint32_t many_writers;  /* not 0: each store takes a lock; else one handle at a time may store */
} comap_cell_options;
#define COMAP_CELL_OPTIONS_INIT {sizeof(comap_cell_options), 0600, 0, 0, 0}

/* The latest value of a record. `format` describes the record, as in PEP 3118: "<T{d:bid:d:ask:16s:symbol:}", always little-endian,
 * without implied padding. Opening with a format that differs is LAYOUT_MISMATCH, naming the first field that does; with NULL any cell
 * is opened, and comap_cell_format() says what it holds. Readers never block and never get a torn value. */
COMAP_API comap_code comap_cell_create(comap_context* context, const char* name, const char* format, const comap_cell_options* options,
                                       comap_cell** out);
COMAP_API comap_code comap_cell_open(comap_context* context, const char* name, const char* format, const comap_open_options* options,
                                     comap_cell** out);
COMAP_API comap_code comap_cell_open_or_create(comap_context* context, const char* name, const char* format, const comap_cell_options* options,
                                               comap_cell** out);
COMAP_API const char* comap_cell_name(const comap_cell* cell);
COMAP_API int comap_cell_was_created(const comap_cell* cell);
COMAP_API const char* comap_cell_format(const comap_cell* cell); /* valid until the cell is closed */
COMAP_API uint64_t comap_cell_record_size(const comap_cell* cell);
COMAP_API uint32_t comap_cell_history(const comap_cell* cell);
COMAP_API comap_code comap_cell_set_keep(comap_cell* cell, int keep);
/* The latest value; `size_bytes` is at most the record's. `version` may be NULL. Errors: BUSY (stored without pause for two seconds). */
COMAP_API comap_code comap_cell_load(const comap_cell* cell, void* value, size_t size_bytes, uint32_t* version);
/* The value that was the latest at that version. Errors: NOT_FOUND. */
COMAP_API comap_code comap_cell_load_version(const comap_cell* cell, uint32_t version, void* value, size_t size_bytes);
/* Makes it the latest value; `size_bytes` is the record's. For one thread at a time, unless the cell has many writers. Errors: BUSY
 * (another handle is the writer; or, with many writers, one does not finish for two seconds), PERMISSION_DENIED. `version` may be NULL. */
COMAP_API comap_code comap_cell_store(const comap_cell* cell, const void* value, size_t size_bytes, uint32_t* version);
COMAP_API void comap_cell_give_up_role(const comap_cell* cell);
COMAP_API comap_code comap_cell_version(const comap_cell* cell, uint32_t* version);
COMAP_API comap_code comap_cell_wait(const comap_cell* cell, uint32_t seen, uint64_t deadline_ns, comap_wait_for what, comap_wait_end* end);
COMAP_API void comap_cell_close(comap_cell* cell);

/* --- mutexes, events, semaphores ------------------------------------------------------------------------------------------ */

/* All three: of the options of create only mode and keep are used; `options` may be NULL. Errors of create, open and
 * open_or_create: as for sections. An existing object keeps its own parameters and state. The _in functions are for those who
 * lay out their own memory: the object lies in the last 64 bytes of a 4 KiB page of the section (COMAP_SYNC_OFFSET(page)); who
 * made the section creates it once, others open it. A handle keeps its object, or that section, alive. Deadlines are as everywhere:
 * COMAP_FOREVER, nanoseconds of CLOCK_MONOTONIC, or 0 to look only. */
#define COMAP_SYNC_OFFSET(page) ((uint64_t)(page)*4096 + 4032)

/* A recursive lock owned by a thread. When its owner ends in whatever way, the next gets it as COMAP_ACQUIRED_ABANDONED. A
 * 32-bit program gets UNSUPPORTED. */
COMAP_API comap_code comap_mutex_create(comap_context* context, const char* name, const comap_create_options* options, comap_mutex** out);
COMAP_API comap_code comap_mutex_open(comap_context* context, const char* name, const comap_open_options* options, comap_mutex** out);
COMAP_API comap_code comap_mutex_open_or_create(comap_context* context, const char* name, const comap_create_options* options, comap_mutex** out);
COMAP_API comap_code comap_mutex_create_unnamed(comap_mutex** out);
COMAP_API comap_code comap_mutex_from_descriptor(comap_context* context, int descriptor, const comap_open_options* options, comap_mutex** out);
COMAP_API comap_code comap_mutex_create_in(const comap_section* section, uint64_t offset, comap_mutex** out);
/* Any number of callers at once; bytes that are zero become a mutex. */
COMAP_API comap_code comap_mutex_open_or_create_in(const comap_section* section, uint64_t offset, comap_mutex** out);
COMAP_API comap_code comap_mutex_open_in(const comap_section* section, uint64_t offset, comap_mutex** out);
COMAP_API comap_code comap_mutex_share_descriptor(const comap_mutex* mutex, comap_access access, int* descriptor);
COMAP_API const char* comap_mutex_name(const comap_mutex* mutex);
COMAP_API int comap_mutex_was_created(const comap_mutex* mutex);
COMAP_API comap_code comap_mutex_set_keep(comap_mutex* mutex, int keep);
/* *end: ACQUIRED, ACQUIRED_ABANDONED, TIMED_OUT or INTERRUPTED. Each of the first two needs an unlock. */
COMAP_API comap_code comap_mutex_lock(const comap_mutex* mutex, uint64_t deadline_ns, comap_wait_end* end);
/* Errors: NOT_OWNER (nothing changed), CORRUPT. as_abandoned: not 0: the next owner is told that this one did not finish. */
COMAP_API comap_code comap_mutex_unlock(const comap_mutex* mutex, int as_abandoned);
COMAP_API int comap_mutex_is_owned(const comap_mutex* mutex); /* by the calling thread */
COMAP_API int comap_mutex_was_abandoned(const comap_mutex* mutex); /* when the calling thread, which owns it, got it */
/* Does not unlock: an owned mutex stays locked until its owner's thread ends. NULL is ignored. */
COMAP_API void comap_mutex_close(comap_mutex* mutex);

/* Set or not. manual_reset 0: lets one waiter pass, who resets it; else: lets everybody pass until it is reset. */
COMAP_API comap_code comap_event_create(comap_context* context, const char* name, int manual_reset, int initially_set,
                                        const comap_create_options* options, comap_event** out);
COMAP_API comap_code comap_event_open(comap_context* context, const char* name, const comap_open_options* options, comap_event** out);
COMAP_API comap_code comap_event_open_or_create(comap_context* context, const char* name, int manual_reset, int initially_set,
                                                const comap_create_options* options, comap_event** out);
COMAP_API comap_code comap_event_create_unnamed(int manual_reset, int initially_set, comap_event** out);
COMAP_API comap_code comap_event_from_descriptor(comap_context* context, int descriptor, const comap_open_options* options, comap_event** out);
COMAP_API comap_code comap_event_create_in(const comap_section* section, uint64_t offset, int manual_reset, int initially_set, comap_event** out);
COMAP_API comap_code comap_event_open_in(const comap_section* section, uint64_t offset, comap_event** out);
COMAP_API comap_code comap_event_share_descriptor(const comap_event* event, comap_access access, int* descriptor);
COMAP_API const char* comap_event_name(const comap_event* event);
COMAP_API int comap_event_was_created(const comap_event* event);
COMAP_API comap_code comap_event_set_keep(comap_event* event, int keep);
COMAP_API int comap_event_is_manual(const comap_event* event);
COMAP_API comap_code comap_event_set(const comap_event* event);
COMAP_API comap_code comap_event_reset(const comap_event* event);
/* Lets pass who waits now (all, or one) and leaves it reset. */
COMAP_API comap_code comap_event_pulse(const comap_event* event);
COMAP_API comap_code comap_event_is_set(const comap_event* event, int* is_set);
COMAP_API comap_code comap_event_wait(const comap_event* event, uint64_t deadline_ns, comap_wait_end* end);
COMAP_API void comap_event_close(comap_event* event);

/* A count of tokens between 0 and `maximum`, which is at most COMAP_SEMAPHORE_MAX. */
#define COMAP_SEMAPHORE_MAX UINT32_C(0x7fffffff)
COMAP_API comap_code comap_semaphore_create(comap_context* context, const char* name, uint32_t initial, uint32_t maximum,
                                            const comap_create_options* options, comap_semaphore** out);
COMAP_API comap_code comap_semaphore_open(comap_context* context, const char* name, const comap_open_options* options, comap_semaphore** out);
COMAP_API comap_code comap_semaphore_open_or_create(comap_context* context, const char* name, uint32_t initial, uint32_t maximum,
                                                    const comap_create_options* options, comap_semaphore** out);
COMAP_API comap_code comap_semaphore_create_unnamed(uint32_t initial, uint32_t maximum, comap_semaphore** out);
COMAP_API comap_code comap_semaphore_from_descriptor(comap_context* context, int descriptor, const comap_open_options* options, comap_semaphore** out);
COMAP_API comap_code comap_semaphore_create_in(const comap_section* section, uint64_t offset, uint32_t initial, uint32_t maximum, comap_semaphore** out);
COMAP_API comap_code comap_semaphore_open_in(const comap_section* section, uint64_t offset, comap_semaphore** out);
COMAP_API comap_code comap_semaphore_share_descriptor(const comap_semaphore* semaphore, comap_access access, int* descriptor);
COMAP_API const char* comap_semaphore_name(const comap_semaphore* semaphore);
COMAP_API int comap_semaphore_was_created(const comap_semaphore* semaphore);
COMAP_API comap_code comap_semaphore_set_keep(comap_semaphore* semaphore, int keep);
COMAP_API uint32_t comap_semaphore_maximum(const comap_semaphore* semaphore);
COMAP_API comap_code comap_semaphore_count(const comap_semaphore* semaphore, uint32_t* count);
/* Adds tokens; *before (may be NULL): how many there were. Errors: INVALID_ARGUMENT (0 or less), LIMIT_REACHED; nothing changed. */
COMAP_API comap_code comap_semaphore_release(const comap_semaphore* semaphore, int64_t count, uint32_t* before);
COMAP_API comap_code comap_semaphore_acquire(const comap_semaphore* semaphore, uint64_t deadline_ns, comap_wait_end* end);
COMAP_API void comap_semaphore_close(comap_semaphore* semaphore);

/* One entry of a list to wait for: exactly one of the pointers is not NULL. */
typedef struct comap_waitable {
    const comap_mutex* mutex;
    const comap_event* event;
    const comap_semaphore* semaphore;
    const comap_section* section; /* ready when its version is not `seen` */
    const comap_text* text;       /* the same */
    const comap_cell* cell;       /* the same */
    uint32_t seen;
    uint32_t reserved;            /* 0 */
} comap_waitable;

#define COMAP_WAIT_MAX 128 /* the longest list */

/* any: waits until one is ready and takes it, the first in the list if there are several. all: waits until all are ready at one
 * moment and takes all, or none; the same object twice is INVALID_ARGUMENT. *end as for comap_mutex_lock; *index: what was acquired
 * (any), or the first abandoned mutex (all). Errors: INVALID_ARGUMENT (an empty list, or one longer than COMAP_WAIT_MAX; a bad entry). */
COMAP_API comap_code comap_wait_any(const comap_waitable* list, size_t count, uint64_t deadline_ns, comap_wait_end* end, size_t* index);
COMAP_API comap_code comap_wait_all(const comap_waitable* list, size_t count, uint64_t deadline_ns, comap_wait_end* end, size_t* index);

/* --- watching many objects through one descriptor ------------------------------------------------------------------------ */

COMAP_API comap_code comap_watcher_create(comap_watcher** out);
/* Becomes readable when comap_watcher_next() may have something. The watcher's own; not to be read or closed. */
COMAP_API int comap_watcher_descriptor(const comap_watcher* watcher);
/* `tag` is the caller's and must not be in use. Versions other than `seen` are reported. The watcher holds the object. */
COMAP_API comap_code comap_watcher_add_section(comap_watcher* watcher, const comap_section* section, uint64_t tag,
                                               uint32_t seen);
COMAP_API comap_code comap_watcher_add_text(comap_watcher* watcher, const comap_text* text, uint64_t tag, uint32_t seen);
/* Reported when the event is set or the semaphore has tokens; nothing is taken. Then wait with deadline 0 until that times out. */
COMAP_API comap_code comap_watcher_add_event(comap_watcher* watcher, const comap_event* event, uint64_t tag);
COMAP_API comap_code comap_watcher_add_semaphore(comap_watcher* watcher, const comap_semaphore* semaphore, uint64_t tag);
COMAP_API comap_code comap_watcher_add_cell(comap_watcher* watcher, const comap_cell* cell, uint64_t tag, uint32_t seen);
COMAP_API comap_code comap_watcher_remove(comap_watcher* watcher, uint64_t tag);
/* The next change: *found = 1, its tag and version; or *found = 0. Does not block. */
COMAP_API comap_code comap_watcher_next(comap_watcher* watcher, int* found, uint64_t* tag, uint32_t* version);
COMAP_API void comap_watcher_close(comap_watcher* watcher);

#ifdef __cplusplus
}
#endif

#endif
