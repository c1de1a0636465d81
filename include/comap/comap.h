/* SPDX-License-Identifier: Apache-2.0 */
/* comap for C and for every language that can call C.
 *
 * Named shared memory that lives exactly as long as someone holds it, whole UTF-8 texts, change notification, and locks that
 * survive their owners.
 *
 * Every function that can fail returns a comap_code; then nothing was changed, out parameters included, and
 * comap_last_message() of the same thread says what was wrong and what to do. Strings are UTF-8. Sizes and offsets are bytes.
 * Names are "name" or "Local\name" (this user's), or "Global\name" (every user's): up to 240 bytes of UTF-8 without NUL and backslash.
 * Handles may be used by several threads at once, except that closing is the last use; a watcher, a subscription, an item and a loan
 * are for one thread at a time. An enum value that is none of its enum's is INVALID_ARGUMENT.
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
typedef struct comap_channel comap_channel;
typedef struct comap_subscription comap_subscription;
typedef struct comap_queue comap_queue;
typedef struct comap_item comap_item;
typedef struct comap_loan comap_loan;

/* A deadline that never comes. Others are nanoseconds of CLOCK_MONOTONIC; a past one (0) only looks. */
#define COMAP_FOREVER UINT64_MAX

/* For what waits for room in a channel or a queue: until its patience is over, which is an option of create. Elsewhere COMAP_FOREVER. */
#define COMAP_DEFAULT_DEADLINE (UINT64_MAX - 1)

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
    COMAP_SENT = 0,        /* the message is in; with any other end nothing of it is */
    COMAP_MESSAGE = 0,     /* there is a message */
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
 * the conversions below and comap_channel_publish_batch the only exception to "out parameters unchanged". `version` may be NULL. */
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
    uint32_t history;       /* how many values before the latest can be read, at least */
    uint32_t writers;       /* how many handles may store at a time: 1 to 64 */
} comap_cell_options;
#define COMAP_CELL_OPTIONS_INIT {sizeof(comap_cell_options), 0600, 0, 0, 1}

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
/* Makes it the latest value; `size_bytes` is the record's. For one thread at a time, unless the cell has several writers. Never
 * waits for another writer. Errors: BUSY (as many other handles are writers as may be; or for two seconds others always came first),
 * PERMISSION_DENIED. `version` may be NULL. */
COMAP_API comap_code comap_cell_store(const comap_cell* cell, const void* value, size_t size_bytes, uint32_t* version);
COMAP_API void comap_cell_give_up_role(const comap_cell* cell);
COMAP_API comap_code comap_cell_version(const comap_cell* cell, uint32_t* version);
COMAP_API comap_code comap_cell_wait(const comap_cell* cell, uint32_t seen, uint64_t deadline_ns, comap_wait_for what, comap_wait_end* end);
COMAP_API void comap_cell_close(comap_cell* cell);

/* --- channels ----------------------------------------------------------------------------------------------------------- */

typedef struct comap_channel_options {
    size_t struct_size;
    uint32_t mode;            /* permission bits; 0600 */
    uint32_t keep;            /* not 0: outlives its holders */
    uint32_t message_bytes;   /* the longest message, 1 to 2^27; of records: their size, whatever is said here */
    uint32_t many_publishers; /* not 0: each publish takes a lock that survives its owner (64-bit programs); else one handle at a time may publish */
    uint64_t capacity;        /* how many messages of that size are kept, at least; in batches, up to two batches fewer */
    uint64_t patience_ns;     /* how long a publish with COMAP_DEFAULT_DEADLINE waits; COMAP_FOREVER: without end */
    uint32_t subscribers_waited_for; /* 0: publishers wait for nobody; else for up to so many subscribers, the most there can be; at most 32 */
    uint32_t reserved;        /* 0 */
} comap_channel_options;
#define COMAP_CHANNEL_OPTIONS_INIT {sizeof(comap_channel_options), 0600, 0, 1024, 0, 1024, UINT64_C(2000000000), 0, 0}

/* Where a subscriber begins: with the oldest message that is kept, the last one, or what is published from now on. */
typedef enum comap_from { COMAP_FROM_OLDEST = 0, COMAP_FROM_LATEST = 1, COMAP_FROM_NEXT = 2 } comap_from;

/* A stream of messages that every subscriber sees, whole and in order. Who reads too slowly misses messages and is told how many; or
 * publishers wait for it (subscribers_waited_for). `format` as for cells: every message is such a record; NULL: messages are any bytes,
 * and open takes any channel, whose format comap_channel_format() says ("": any bytes). `options` may be NULL. An existing channel keeps
 * its own options. Errors: as for sections; INVALID_ARGUMENT (options out of range), LAYOUT_MISMATCH (no channel; another format). */
COMAP_API comap_code comap_channel_create(comap_context* context, const char* name, const char* format, const comap_channel_options* options,
                                          comap_channel** out);
COMAP_API comap_code comap_channel_open(comap_context* context, const char* name, const char* format, const comap_open_options* options,
                                        comap_channel** out);
COMAP_API comap_code comap_channel_open_or_create(comap_context* context, const char* name, const char* format,
                                                  const comap_channel_options* options, comap_channel** out);
COMAP_API const char* comap_channel_name(const comap_channel* channel);   /* valid until the channel is closed */
COMAP_API int comap_channel_was_created(const comap_channel* channel);
COMAP_API const char* comap_channel_format(const comap_channel* channel); /* valid until the channel is closed; "": any bytes */
COMAP_API uint32_t comap_channel_message_bytes(const comap_channel* channel);
COMAP_API uint64_t comap_channel_ring_bytes(const comap_channel* channel); /* what its messages lie in */
COMAP_API uint64_t comap_channel_capacity(const comap_channel* channel); /* how many of the longest messages it keeps, at least */
COMAP_API uint64_t comap_channel_patience_ns(const comap_channel* channel); /* as in its options */
COMAP_API int comap_channel_has_many_publishers(const comap_channel* channel);
COMAP_API uint32_t comap_channel_subscribers_waited_for(const comap_channel* channel);
COMAP_API comap_code comap_channel_set_keep(comap_channel* channel, int keep);
/* Messages published so far, by all. Does not block. Errors: CORRUPT. */
COMAP_API comap_code comap_channel_published(const comap_channel* channel, uint64_t* count);

/* Publishes one message. *end: SENT; or TIMED_OUT or INTERRUPTED, then it is not in. Blocks only where publishers wait for subscribers or
 * for each other. In a channel for one publisher the first publish of a handle takes the publisher's role, until give_up_role, close or the
 * process's end; then publishing is for one thread at a time. Errors, and then nothing is in: BUSY (another handle has the role), TOO_LONG,
 * INVALID_ARGUMENT (not a record's size), PERMISSION_DENIED, CORRUPT. `message` may be NULL if size_bytes is 0. */
COMAP_API comap_code comap_channel_publish(const comap_channel* channel, const void* message, size_t size_bytes, uint64_t deadline_ns,
                                           comap_wait_end* end);
/* Publishes `count` messages of message_bytes each, which lie one after the other; subscribers see all of them at once, or, of more than
 * a quarter of the ring, part by part. *published: how many are in, also after an error; it may be NULL. *end, errors and threads as for
 * publish; INVALID_ARGUMENT also for messages of 0 bytes. */
COMAP_API comap_code comap_channel_publish_batch(const comap_channel* channel, const void* messages, uint32_t message_bytes, size_t count,
                                                 uint64_t deadline_ns, uint64_t* published, comap_wait_end* end);
/* Room in the channel itself for `count` messages of message_bytes, to be filled and published: see loans. *end as for publish; *out is set
 * with ACQUIRED only. Errors: as publish; INVALID_ARGUMENT (no message; several of more than a quarter of the ring; or a loan of this
 * handle is neither published nor given up). */
COMAP_API comap_code comap_channel_loan(const comap_channel* channel, uint32_t message_bytes, uint32_t count, uint64_t deadline_ns,
                                        comap_wait_end* end, comap_loan** out);
/* Lets another handle publish. REQUIRES: no loan. */
COMAP_API void comap_channel_give_up_role(const comap_channel* channel);
/* REQUIRES: no loan. Its subscriptions stay. NULL is ignored. */
COMAP_API void comap_channel_close(comap_channel* channel);

/* One reader's place in the stream; it holds the object. For one thread at a time. Where publishers wait for it, it belongs to the process
 * that made it: a forked child gets INVALID_ARGUMENT. A killed subscriber stops nobody. Errors: PERMISSION_DENIED (a read-only handle cannot
 * be waited for), LIMIT_REACHED (publishers wait for as many as they can), INVALID_ARGUMENT (`from`), CORRUPT. */
COMAP_API comap_code comap_channel_subscribe(const comap_channel* channel, comap_from from, comap_subscription** out);
/* Copies the next message out. Blocks until there is one. *end: MESSAGE, TIMED_OUT or INTERRUPTED; the rest is set with MESSAGE only, and each
 * may be NULL: its size; how many messages were overwritten before it could be read. Errors, and then the message stays: TOO_LONG
 * (comap_channel_message_bytes() is always enough), CORRUPT. */
COMAP_API comap_code comap_subscription_receive(comap_subscription* subscription, void* buffer, size_t buffer_bytes, uint64_t deadline_ns,
                                                comap_wait_end* end, size_t* size_bytes, uint64_t* missed);
/* The next message where it lies, read-only; the same again until release, which goes on to the next one. `missed` may be NULL. Where
 * publishers do not wait it may be overwritten while it is looked at: then *whole is 0, what was read of it is worth nothing, and it counts
 * as missed. Blocks and fails as receive. release does not block. */
COMAP_API comap_code comap_subscription_borrow(comap_subscription* subscription, uint64_t deadline_ns, comap_wait_end* end, const void** bytes,
                                               size_t* size_bytes, uint64_t* missed);
COMAP_API comap_code comap_subscription_release(comap_subscription* subscription, int* whole);
/* Blocks until there is a message: *end as for receive. */
COMAP_API comap_code comap_subscription_wait(comap_subscription* subscription, uint64_t deadline_ns, comap_wait_end* end);
COMAP_API uint64_t comap_subscription_missed_in_all(const comap_subscription* subscription);
/* Of the next message, counted from 0, the channel's first. */
COMAP_API uint64_t comap_subscription_number(const comap_subscription* subscription);
/* NULL is ignored. */
COMAP_API void comap_subscription_close(comap_subscription* subscription);

/* --- queues ------------------------------------------------------------------------------------------------------------- */

typedef struct comap_queue_options {
    size_t struct_size;
    uint32_t mode;          /* permission bits; 0600 */
    uint32_t keep;          /* not 0: outlives its holders */
    uint32_t message_bytes; /* the longest message, 1 to 2^27; of records: their size, whatever is said here */
    uint32_t reserved;      /* 0 */
    uint64_t capacity;      /* how many messages of that size it holds, at least */
    uint64_t patience_ns;   /* how long a push with COMAP_DEFAULT_DEADLINE waits; COMAP_FOREVER: without end */
} comap_queue_options;
#define COMAP_QUEUE_OPTIONS_INIT {sizeof(comap_queue_options), 0600, 0, 1024, 0, 1024, UINT64_C(2000000000)}

/* Work, each message of which one taker gets. `format`, `options` and errors as for channels. Any number of threads and processes may
 * push and take; that needs a writable handle and a 64-bit program (else UNSUPPORTED). */
COMAP_API comap_code comap_queue_create(comap_context* context, const char* name, const char* format, const comap_queue_options* options,
                                        comap_queue** out);
COMAP_API comap_code comap_queue_open(comap_context* context, const char* name, const char* format, const comap_open_options* options,
                                      comap_queue** out);
COMAP_API comap_code comap_queue_open_or_create(comap_context* context, const char* name, const char* format,
                                                const comap_queue_options* options, comap_queue** out);
COMAP_API const char* comap_queue_name(const comap_queue* queue);   /* valid until the queue is closed */
COMAP_API int comap_queue_was_created(const comap_queue* queue);
COMAP_API const char* comap_queue_format(const comap_queue* queue); /* valid until the queue is closed; "": any bytes */
COMAP_API uint32_t comap_queue_message_bytes(const comap_queue* queue);
COMAP_API uint64_t comap_queue_ring_bytes(const comap_queue* queue); /* what its messages lie in */
COMAP_API uint64_t comap_queue_capacity(const comap_queue* queue); /* how many of the longest messages it holds, at least */
COMAP_API uint64_t comap_queue_patience_ns(const comap_queue* queue); /* as in its options */
COMAP_API comap_code comap_queue_set_keep(comap_queue* queue, int keep);
/* Messages that wait, and messages that were taken and are not confirmed; either may be NULL. Errors: BUSY, PERMISSION_DENIED, CORRUPT. */
COMAP_API comap_code comap_queue_counts(const comap_queue* queue, uint64_t* waiting, uint64_t* held);

/* Adds a message. *end: SENT; or TIMED_OUT or INTERRUPTED, then it is not in. Blocks while the queue is full. Errors, and then it is not in:
 * TOO_LONG, INVALID_ARGUMENT (not a record's size), PERMISSION_DENIED, CORRUPT. `message` may be NULL if size_bytes is 0. */
COMAP_API comap_code comap_queue_push(const comap_queue* queue, const void* message, size_t size_bytes, uint64_t deadline_ns,
                                      comap_wait_end* end);
/* Room in the queue itself for a message: see loans. Other pushes wait meanwhile. *end as for push; *out is set with ACQUIRED only. Errors:
 * as push; INVALID_ARGUMENT (this thread has a loan of this handle already). */
COMAP_API comap_code comap_queue_loan(const comap_queue* queue, uint32_t size_bytes, uint64_t deadline_ns, comap_wait_end* end, comap_loan** out);
/* Takes the next message and copies it out; nobody gets it again, also if this process dies at once. Blocks until there is one. *end: MESSAGE,
 * TIMED_OUT or INTERRUPTED; the rest is set with MESSAGE only, and each may be NULL: its size; 1 if somebody took it before, and died or
 * gave it back. Errors, and then the message stays: TOO_LONG (comap_queue_message_bytes() is always enough), PERMISSION_DENIED, CORRUPT. */
COMAP_API comap_code comap_queue_pop(const comap_queue* queue, void* buffer, size_t buffer_bytes, uint64_t deadline_ns, comap_wait_end* end,
                                     size_t* size_bytes, int* redelivered);
/* Takes the next message and leaves it where it is until it is confirmed, given back, or its taker is dead: then another gets it. Blocks until
 * there is one. *end: ACQUIRED, TIMED_OUT or INTERRUPTED; *out is set with ACQUIRED only. Errors: as pop; LIMIT_REACHED (32 handles take so). */
COMAP_API comap_code comap_queue_take(const comap_queue* queue, uint64_t deadline_ns, comap_wait_end* end, comap_item** out);
/* Blocks until there is a message: *end as for pop. Takes nothing: another may be faster. */
COMAP_API comap_code comap_queue_wait(const comap_queue* queue, uint64_t deadline_ns, comap_wait_end* end);
/* REQUIRES: no loan. Its items stay. NULL is ignored. */
COMAP_API void comap_queue_close(comap_queue* queue);

/* A message that was taken, where it lies; it holds the object. Valid until it is confirmed or given back. */
COMAP_API const void* comap_item_bytes(const comap_item* item);
COMAP_API size_t comap_item_size(const comap_item* item);
COMAP_API uint32_t comap_item_takings(const comap_item* item); /* how often it was taken, this time included; more than 65535 are 65535 */
/* The work is done: nobody gets it again. COMAP_OK ends the item; after an error it is still there, to be tried again or given back. Errors:
 * NOT_OWNER (it is not held by this process: it has forked since, or somebody wrote over the queue), BUSY (a process that was stopped holds
 * the takers' lock), CORRUPT. Waits for other takers, no longer than the queue's patience. */
COMAP_API comap_code comap_item_confirm(comap_item* item);
/* Another gets it, before those that wait. Ends the item in any case; after BUSY the message goes back when this handle of the queue and its other
 * items have ended. Errors: as confirm. NULL is ignored. */
COMAP_API comap_code comap_item_give_back(comap_item* item);

/* --- loans -------------------------------------------------------------------------------------------------------------- */

/* Room for messages in the channel or queue, to be filled and published, without a copy. What is in it first is undefined. The handle that
 * it is of must not be closed before. Where several may send, the others wait meanwhile, and only the thread that has it may end it. */
COMAP_API void* comap_loan_bytes(const comap_loan* loan, uint32_t index); /* of the message of that index; NULL if there is none */
COMAP_API uint32_t comap_loan_size(const comap_loan* loan);               /* of each message, as it was asked for */
COMAP_API uint32_t comap_loan_count(const comap_loan* loan);
/* Publishes the messages. size_bytes: their size; a single message that is no record may be shorter than was asked for. Does not block.
 * COMAP_OK ends the loan; after INVALID_ARGUMENT (another size) it is still there. */
COMAP_API comap_code comap_loan_publish(comap_loan* loan, uint32_t size_bytes);
/* Ends the loan; nothing was published. NULL is ignored. */
COMAP_API void comap_loan_give_up(comap_loan* loan);

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
    comap_subscription* subscription; /* ready when there is a message; takes nothing */
    const comap_queue* queue;         /* the same; another may be faster to take it */
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
/* Reported when there is a message; nothing is taken. Then receive or take with deadline 0 until that times out. A subscription or queue
 * must be removed before it is closed. Errors: also UNSUPPORTED (membarrier(2), Linux 4.16, is missing or refused). */
COMAP_API comap_code comap_watcher_add_subscription(comap_watcher* watcher, comap_subscription* subscription, uint64_t tag);
COMAP_API comap_code comap_watcher_add_queue(comap_watcher* watcher, const comap_queue* queue, uint64_t tag);
COMAP_API comap_code comap_watcher_remove(comap_watcher* watcher, uint64_t tag);
/* The next change: *found = 1, its tag and version; or *found = 0. Does not block. */
COMAP_API comap_code comap_watcher_next(comap_watcher* watcher, int* found, uint64_t* tag, uint32_t* version);
COMAP_API void comap_watcher_close(comap_watcher* watcher);

#ifdef __cplusplus
}
#endif

#endif
