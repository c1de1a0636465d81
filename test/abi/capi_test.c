/* SPDX-License-Identifier: Apache-2.0 */
/* Every function of comap.h, called from C. */
#include <comap/comap.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int checks = 0;

#define CHECK(condition)                                                                                       \
    do {                                                                                                       \
        ++checks;                                                                                              \
        if (!(condition)) {                                                                                    \
            fprintf(stderr, "%s:%d: not so: %s (last message: %s)\n", __FILE__, __LINE__, #condition, comap_last_message()); \
            exit(1);                                                                                           \
        }                                                                                                      \
    } while (0)
#define CHECK_OK(call) CHECK((call) == COMAP_OK)

static uint64_t in_ms(uint64_t ms) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec + ms * 1000000u;
}

static void test_codes(void) {
    CHECK(strcmp(comap_code_name(COMAP_NOT_FOUND), "not_found") == 0);
    CHECK(strcmp(comap_code_text(COMAP_OK), "no error") == 0);
    CHECK(strcmp(comap_code_name((comap_code)999), "unknown") == 0);
    CHECK(strchr(comap_version_string(), '.') != NULL);
}

static void test_sections(comap_context* context) {
    comap_section* section = NULL;
    comap_section* other = NULL;
    comap_create_options create = COMAP_CREATE_OPTIONS_INIT;
    comap_open_options open = COMAP_OPEN_OPTIONS_INIT;
    comap_wait_end end = (comap_wait_end)77;
    uint64_t size = 77;
    uint32_t version = 77;
    int flag = 77;

    CHECK(comap_section_open(context, "c", NULL, &section) == COMAP_NOT_FOUND);
    CHECK(section == NULL);
    CHECK(strstr(comap_last_message(), "'c'") != NULL);
    CHECK(strcmp(comap_last_object(), "c") == 0);
    CHECK(comap_last_os_error() == ENOENT);

    create.mode = 0640;
    CHECK_OK(comap_section_create(context, "c", 1000, &create, &section));
    CHECK(comap_section_create(context, "c", 1000, NULL, &other) == COMAP_ALREADY_EXISTS && other == NULL);
    CHECK(comap_section_create(context, "d", 0, NULL, &other) == COMAP_INVALID_ARGUMENT && other == NULL);
    CHECK(comap_section_was_created(section) == 1);
    CHECK(strcmp(comap_section_name(section), "c") == 0);
    CHECK_OK(comap_section_open_or_create(context, "c", 5, NULL, &other));
    CHECK(comap_section_was_created(other) == 0);
    CHECK_OK(comap_section_size(other, &size));
    CHECK(size == 1000);
    CHECK_OK(comap_section_grow(section, 9000));
    CHECK_OK(comap_section_size(other, &size));
    CHECK(size == 9000);
    CHECK_OK(comap_section_is_only_holder(section, &flag));
    CHECK(flag == 0);
    comap_section_close(other);
    CHECK_OK(comap_section_is_only_holder(section, &flag));
    CHECK(flag == 1);

    open.access = COMAP_READ_ONLY;
    open.check_owner = 1;
    open.owner_uid = geteuid();
    CHECK_OK(comap_section_open(context, "c", &open, &other));
    CHECK(comap_section_publish(other) == COMAP_PERMISSION_DENIED);
    CHECK_OK(comap_section_version(other, &version));
    CHECK(version == 1);
    CHECK_OK(comap_section_wait(other, 1, in_ms(2), COMAP_WAIT_CHANGE, &end));
    CHECK(end == COMAP_TIMED_OUT);
    CHECK_OK(comap_section_publish(section));
    CHECK_OK(comap_section_wait(other, 1, COMAP_FOREVER, COMAP_WAIT_CHANGE, &end));
    CHECK(end == COMAP_CHANGED);
    comap_section_close(section);
    CHECK_OK(comap_section_wait(other, 2, COMAP_FOREVER, COMAP_WAIT_CHANGE_OR_ALONE, &end));
    CHECK(end == COMAP_ALONE);
    comap_section_close(other);
    CHECK(comap_section_open(context, "c", NULL, &other) == COMAP_NOT_FOUND);
    comap_section_close(NULL);
}

static void test_keep(comap_context* context) {
    comap_section* section = NULL;
    int gone = 77;
    CHECK_OK(comap_section_create(context, "k", 10, NULL, &section));
    CHECK_OK(comap_section_set_keep(section, 1));
    CHECK_OK(comap_remove(context, "k", &gone));
    CHECK(gone == 0);
    CHECK_OK(comap_section_set_keep(section, 1));
    comap_section_close(section);
    CHECK_OK(comap_remove(context, "k", &gone));
    CHECK(gone == 1);
    CHECK(comap_remove(context, "k", NULL) == COMAP_NOT_FOUND);
}

static void test_views(comap_context* context) {
    comap_section* section = NULL;
    comap_view* view = NULL;
    comap_view* bad = NULL;
    comap_view_options options = COMAP_VIEW_OPTIONS_INIT;
    CHECK_OK(comap_section_create(context, "v", 10000, NULL, &section));
    CHECK_OK(comap_view_map(section, NULL, &view));
    CHECK(comap_view_size(view) == 10000);
    memcpy((char*)comap_view_data(view) + 5000, "middle", 6);
    comap_view_close(view);
    options.offset = 5000;
    options.size = 6;
    options.protection = COMAP_VIEW_READ_ONLY;
    options.prefault = 1;
    CHECK_OK(comap_view_map(section, &options, &view));
    CHECK(memcmp(comap_view_data(view), "middle", 6) == 0);
    CHECK_OK(comap_view_flush(view, 1));
    options.offset = 9999;
    CHECK(comap_view_map(section, &options, &bad) == COMAP_INVALID_ARGUMENT && bad == NULL);
    comap_section_close(section);
    CHECK(memcmp(comap_view_data(view), "middle", 6) == 0); /* the view holds the object */
    comap_view_close(view);
    comap_view_close(NULL);
}

static void test_old_option_structs(comap_context* context) {
    /* A caller built against a version whose struct ended after `mode`: the rest keeps its defaults. */
    comap_section* section = NULL;
    comap_create_options options;
    memset(&options, 0xff, sizeof options);
    options.struct_size = offsetof(comap_create_options, keep);
    options.mode = 0600;
    CHECK_OK(comap_section_create(context, "old", 10, &options, &section));
    comap_section_close(section);
    CHECK(comap_section_open(context, "old", NULL, &section) == COMAP_NOT_FOUND);
}

static void test_option_structs_without_their_size(comap_context* context) {
    comap_create_options options;
    comap_event* event = NULL;
    memset(&options, 0, sizeof options); /* not by COMAP_CREATE_OPTIONS_INIT */
    options.mode = 0644;
    CHECK(comap_event_create(context, "unsized", 0, 0, &options, &event) == COMAP_INVALID_ARGUMENT);
    CHECK(strstr(comap_last_message(), "_INIT") != NULL);
    options.struct_size = sizeof options + 1; /* of a later version */
    CHECK(comap_event_create(context, "unsized", 0, 0, &options, &event) == COMAP_INVALID_ARGUMENT);
    CHECK(event == NULL);
}

static void test_descriptors(comap_context* context) {
    comap_section* section = NULL;
    comap_section* same = NULL;
    comap_open_options read_only = COMAP_OPEN_OPTIONS_INIT;
    int descriptor = -1;
    uint32_t version = 77;
    read_only.access = COMAP_READ_ONLY;
    CHECK_OK(comap_section_create_unnamed(100, NULL, &section));
    CHECK(strcmp(comap_section_name(section), "") == 0);
    CHECK_OK(comap_section_share_descriptor(section, COMAP_READ_ONLY, &descriptor));
    CHECK_OK(comap_section_from_descriptor(context, descriptor, &read_only, &same));
    CHECK_OK(comap_section_publish(section));
    CHECK_OK(comap_section_version(same, &version));
    CHECK(version == 1);
    close(descriptor);
    comap_section_close(same);
    comap_section_close(section);
}

static void test_texts(comap_context* context) {
    comap_text* text = NULL;
    comap_text* other = NULL;
    comap_wait_end end = (comap_wait_end)77;
    char buffer[64];
    size_t length = 77;
    uint32_t version = 77;
    CHECK_OK(comap_text_create(context, "t", 20, NULL, &text));
    CHECK(comap_text_capacity(text) == 20);
    CHECK(comap_text_was_created(text) == 1);
    CHECK(strcmp(comap_text_name(text), "t") == 0);
    CHECK_OK(comap_text_set(text, "gr\xc3\xbc\xc3\x9f", 6, &version));
    CHECK(version == 1);
    CHECK_OK(comap_text_append(text, " dich", 5, NULL));
    CHECK_OK(comap_text_open(context, "t", NULL, &other));
    CHECK_OK(comap_text_get(other, buffer, sizeof buffer, &length, &version));
    CHECK(length == 11 && version == 2 && memcmp(buffer, "gr\xc3\xbc\xc3\x9f dich", 11) == 0);
    length = 77;
    CHECK(comap_text_get(other, buffer, 3, &length, NULL) == COMAP_TOO_LONG && length == 11);
    CHECK(comap_text_set(other, "this is longer than twenty bytes", 32, NULL) == COMAP_TOO_LONG);
    CHECK(comap_text_set(other, "\xff", 1, NULL) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_text_set(other, NULL, 1, NULL) == COMAP_INVALID_ARGUMENT);
    CHECK_OK(comap_text_set(other, NULL, 0, NULL));
    CHECK_OK(comap_text_get(text, NULL, 0, &length, &version));
    CHECK(length == 0 && version == 3);
    CHECK_OK(comap_text_version(text, &version));
    CHECK_OK(comap_text_wait(text, version, 0, COMAP_WAIT_CHANGE, &end));
    CHECK(end == COMAP_TIMED_OUT);
    CHECK_OK(comap_text_set_keep(text, 1));
    CHECK_OK(comap_text_set_keep(text, 0));
    comap_text_close(other);
    CHECK_OK(comap_text_open_or_create(context, "t", 0, NULL, &other));
    CHECK(comap_text_was_created(other) == 0);
    comap_text_close(other);
    comap_text_close(text);
}

static void test_conversions(void) {
    uint16_t wide[8];
    char narrow[16];
    size_t length = 77;
    CHECK_OK(comap_utf16_from_utf8("a\xf0\x9f\xa6\x80", 5, wide, 8, &length));
    CHECK(length == 3 && wide[0] == 'a' && wide[1] == 0xd83e && wide[2] == 0xdd80);
    CHECK_OK(comap_utf8_from_utf16(wide, 3, narrow, sizeof narrow, &length));
    CHECK(length == 5 && memcmp(narrow, "a\xf0\x9f\xa6\x80", 5) == 0);
    CHECK(comap_utf8_from_utf16(wide, 2, narrow, sizeof narrow, &length) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_utf16_from_utf8("abc", 3, wide, 2, &length) == COMAP_TOO_LONG && length == 3);
}

static void test_watchers(comap_context* context) {
    comap_watcher* watcher = NULL;
    comap_section* section = NULL;
    comap_text* text = NULL;
    int found = 77;
    uint64_t tag = 77;
    uint32_t version = 77;
    struct pollfd waiting;
    CHECK_OK(comap_watcher_create(&watcher));
    CHECK_OK(comap_section_create(context, "ws", 10, NULL, &section));
    CHECK_OK(comap_text_create(context, "wt", 10, NULL, &text));
    CHECK_OK(comap_watcher_add_section(watcher, section, 1, 0));
    CHECK_OK(comap_watcher_add_text(watcher, text, 2, 0));
    CHECK(comap_watcher_add_text(watcher, text, 2, 0) == COMAP_INVALID_ARGUMENT);
    CHECK_OK(comap_text_set(text, "x", 1, NULL));
    waiting.fd = comap_watcher_descriptor(watcher);
    waiting.events = POLLIN;
    CHECK(poll(&waiting, 1, 60000) == 1);
    CHECK_OK(comap_watcher_next(watcher, &found, &tag, &version));
    CHECK(found == 1 && tag == 2 && version == 1);
    CHECK_OK(comap_watcher_next(watcher, &found, &tag, &version));
    CHECK(found == 0 && tag == 2);
    CHECK_OK(comap_watcher_remove(watcher, 1));
    CHECK(comap_watcher_remove(watcher, 1) == COMAP_NOT_FOUND);
    comap_text_close(text);
    comap_section_close(section);
    comap_watcher_close(watcher);
}

static void test_null_arguments(comap_context* context) {
    comap_section* section = NULL;
    CHECK(comap_section_open(context, NULL, NULL, &section) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_section_open(context, "x", NULL, NULL) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_section_publish(NULL) == COMAP_INVALID_ARGUMENT);
    CHECK(strstr(comap_last_message(), "section must not be NULL") != NULL);
    CHECK(comap_view_data(NULL) == NULL);
    CHECK(comap_watcher_descriptor(NULL) == -1);
}

/* In a child process, which is killed while it owns the mutex. */
static void own_and_die(const comap_mutex* mutex) {
    comap_wait_end end = (comap_wait_end)77;
    const pid_t child = fork();
    if (child == 0) _exit(comap_mutex_lock(mutex, COMAP_FOREVER, &end) == COMAP_OK && end == COMAP_ACQUIRED ? 0 : 1);
    int status = 1;
    CHECK(child > 0 && waitpid(child, &status, 0) == child && status == 0);
}

static void test_mutexes(comap_context* context) {
    comap_mutex* mutex = NULL;
    comap_mutex* other = NULL;
    comap_event* event = NULL;
    comap_section* section = NULL;
    comap_create_options create = COMAP_CREATE_OPTIONS_INIT;
    comap_open_options read_only = COMAP_OPEN_OPTIONS_INIT;
    comap_wait_end end = (comap_wait_end)77;
    int descriptor = -1;
    int gone = 77;
    read_only.access = COMAP_READ_ONLY;
    CHECK(comap_mutex_open(context, "m", NULL, &mutex) == COMAP_NOT_FOUND && mutex == NULL);
    create.mode = 0644;
    create.keep = 1;
    CHECK_OK(comap_mutex_create(context, "m", &create, &mutex));
    CHECK(comap_mutex_create(context, "m", NULL, &other) == COMAP_ALREADY_EXISTS && other == NULL);
    CHECK(comap_event_open(context, "m", NULL, &event) == COMAP_KIND_MISMATCH && event == NULL);
    CHECK(strstr(comap_last_message(), "'m' is a mutex, not an event") != NULL);
    CHECK(strcmp(comap_last_object(), "m") == 0);
    create.mode = 0700;
    CHECK(comap_mutex_create(context, "n", &create, &other) == COMAP_INVALID_ARGUMENT && other == NULL);
    CHECK_OK(comap_mutex_open(context, "m", NULL, &other));
    CHECK(strcmp(comap_mutex_name(mutex), "m") == 0 && comap_mutex_was_created(mutex) == 1 && comap_mutex_was_created(other) == 0);
    CHECK_OK(comap_mutex_lock(mutex, COMAP_FOREVER, &end));
    CHECK(end == COMAP_ACQUIRED && comap_mutex_is_owned(other) == 1);
    CHECK_OK(comap_mutex_lock(other, 0, &end));
    CHECK(end == COMAP_ACQUIRED);
    CHECK_OK(comap_mutex_unlock(mutex, 0));
    CHECK_OK(comap_mutex_unlock(other, 1));
    CHECK(comap_mutex_is_owned(mutex) == 0);
    CHECK(comap_mutex_unlock(mutex, 0) == COMAP_NOT_OWNER);
    CHECK(strstr(comap_last_message(), "'m'") != NULL);
    CHECK_OK(comap_mutex_lock(mutex, 0, &end));
    CHECK(end == COMAP_ACQUIRED_ABANDONED);
    CHECK_OK(comap_mutex_unlock(mutex, 0));
    own_and_die(mutex);
    CHECK_OK(comap_mutex_lock(other, in_ms(60000), &end));
    CHECK(end == COMAP_ACQUIRED_ABANDONED);
    CHECK_OK(comap_mutex_unlock(other, 0));
    comap_mutex_close(other);
    CHECK_OK(comap_mutex_share_descriptor(mutex, COMAP_READ_ONLY, &descriptor));
    CHECK_OK(comap_mutex_from_descriptor(context, descriptor, &read_only, &other));
    CHECK(comap_mutex_lock(other, 0, &end) == COMAP_PERMISSION_DENIED);
    CHECK(comap_mutex_unlock(other, 0) == COMAP_PERMISSION_DENIED);
    close(descriptor);
    comap_mutex_close(other);
    CHECK_OK(comap_mutex_open_or_create(context, "m", NULL, &other));
    CHECK(comap_mutex_was_created(other) == 0);
    comap_mutex_close(other);
    CHECK_OK(comap_mutex_set_keep(mutex, 0));
    comap_mutex_close(mutex);
    CHECK(comap_remove(context, "m", &gone) == COMAP_NOT_FOUND);
    CHECK_OK(comap_mutex_create_unnamed(&mutex));
    CHECK(strcmp(comap_mutex_name(mutex), "") == 0);
    comap_mutex_close(mutex);
    CHECK_OK(comap_section_create(context, "place", 8192, NULL, &section));
    mutex = other = NULL;
    CHECK(comap_mutex_open_in(section, COMAP_SYNC_OFFSET(1), &mutex) == COMAP_NOT_FOUND);
    CHECK(comap_mutex_create_in(section, 8, &mutex) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_mutex_create_in(section, COMAP_SYNC_OFFSET(2), &mutex) == COMAP_INVALID_ARGUMENT && mutex == NULL);
    CHECK_OK(comap_mutex_create_in(section, COMAP_SYNC_OFFSET(1), &mutex));
    CHECK(comap_mutex_create_in(section, COMAP_SYNC_OFFSET(1), &other) == COMAP_ALREADY_EXISTS && other == NULL);
    CHECK_OK(comap_mutex_open_in(section, COMAP_SYNC_OFFSET(1), &other));
    CHECK(comap_event_open_in(section, COMAP_SYNC_OFFSET(1), &event) == COMAP_KIND_MISMATCH);
    comap_section_close(section);
    comap_mutex_close(mutex);
    CHECK_OK(comap_section_open(context, "place", NULL, &section)); /* the other handle holds it */
    comap_section_close(section);
    comap_mutex_close(other);
    comap_mutex_close(NULL);
}

static void test_events(comap_context* context) {
    comap_event* event = NULL;
    comap_event* other = NULL;
    comap_section* section = NULL;
    comap_create_options create = COMAP_CREATE_OPTIONS_INIT;
    comap_open_options read_only = COMAP_OPEN_OPTIONS_INIT;
    comap_wait_end end = (comap_wait_end)77;
    int descriptor = -1;
    int is_set = 77;
    read_only.access = COMAP_READ_ONLY;
    create.mode = 0644;
    CHECK_OK(comap_event_create(context, "e", 1, 1, &create, &event));
    CHECK(comap_event_is_manual(event) == 1 && comap_event_was_created(event) == 1);
    CHECK(strcmp(comap_event_name(event), "e") == 0);
    CHECK_OK(comap_event_open_or_create(context, "e", 0, 0, NULL, &other));
    CHECK(comap_event_was_created(other) == 0 && comap_event_is_manual(other) == 1);
    CHECK_OK(comap_event_is_set(other, &is_set));
    CHECK(is_set == 1);
    CHECK_OK(comap_event_wait(other, COMAP_FOREVER, &end));
    CHECK(end == COMAP_ACQUIRED);
    CHECK_OK(comap_event_reset(event));
    CHECK_OK(comap_event_wait(other, 0, &end));
    CHECK(end == COMAP_TIMED_OUT);
    CHECK_OK(comap_event_set(event));
    CHECK_OK(comap_event_pulse(event));
    CHECK_OK(comap_event_is_set(event, &is_set));
    CHECK(is_set == 0);
    comap_event_close(other);
    CHECK_OK(comap_event_share_descriptor(event, COMAP_READ_ONLY, &descriptor));
    CHECK_OK(comap_event_from_descriptor(context, descriptor, &read_only, &other));
    CHECK(comap_event_set(other) == COMAP_PERMISSION_DENIED);
    CHECK(comap_event_reset(other) == COMAP_PERMISSION_DENIED);
    CHECK(comap_event_pulse(other) == COMAP_PERMISSION_DENIED);
    CHECK_OK(comap_event_wait(other, in_ms(2), &end));
    CHECK(end == COMAP_TIMED_OUT);
    CHECK_OK(comap_event_set(event));
    CHECK_OK(comap_event_wait(other, COMAP_FOREVER, &end));
    CHECK(end == COMAP_ACQUIRED);
    close(descriptor);
    comap_event_close(other);
    CHECK_OK(comap_event_set_keep(event, 1));
    comap_event_close(event);
    CHECK_OK(comap_event_open(context, "e", NULL, &event));
    CHECK_OK(comap_event_set_keep(event, 0));
    comap_event_close(event);
    CHECK(comap_event_open(context, "e", NULL, &event) == COMAP_NOT_FOUND);
    CHECK_OK(comap_event_create_unnamed(0, 1, &event));
    CHECK(comap_event_is_manual(event) == 0);
    CHECK_OK(comap_event_wait(event, 0, &end));
    CHECK(end == COMAP_ACQUIRED);
    CHECK_OK(comap_event_wait(event, 0, &end));
    CHECK(end == COMAP_TIMED_OUT);
    comap_event_close(event);
    CHECK_OK(comap_section_create_unnamed(4096, NULL, &section));
    CHECK(comap_event_open_in(section, COMAP_SYNC_OFFSET(0), &event) == COMAP_NOT_FOUND);
    CHECK_OK(comap_event_create_in(section, COMAP_SYNC_OFFSET(0), 1, 0, &event));
    CHECK_OK(comap_event_open_in(section, COMAP_SYNC_OFFSET(0), &other));
    CHECK(comap_event_is_manual(other) == 1);
    comap_event_close(other);
    comap_event_close(event);
    comap_section_close(section);
    comap_event_close(NULL);
}

static void test_semaphores(comap_context* context) {
    comap_semaphore* semaphore = NULL;
    comap_semaphore* other = NULL;
    comap_section* section = NULL;
    comap_wait_end end = (comap_wait_end)77;
    uint32_t count = 77;
    int descriptor = -1;
    CHECK(comap_semaphore_create(context, "s", 0, 0, NULL, &semaphore) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_semaphore_create(context, "s", 2, 1, NULL, &semaphore) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_semaphore_create(context, "s", 0, COMAP_SEMAPHORE_MAX + 1, NULL, &semaphore) == COMAP_INVALID_ARGUMENT && semaphore == NULL);
    CHECK_OK(comap_semaphore_create(context, "s", 2, 5, NULL, &semaphore));
    CHECK(comap_semaphore_maximum(semaphore) == 5 && comap_semaphore_was_created(semaphore) == 1);
    CHECK(strcmp(comap_semaphore_name(semaphore), "s") == 0);
    CHECK_OK(comap_semaphore_open_or_create(context, "s", 1, 1, NULL, &other));
    CHECK(comap_semaphore_maximum(other) == 5 && comap_semaphore_was_created(other) == 0);
    CHECK(comap_semaphore_release(other, 0, &count) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_semaphore_release(other, -1, &count) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_semaphore_release(other, 4, &count) == COMAP_LIMIT_REACHED && count == 77);
    CHECK(strstr(comap_last_message(), "'s'") != NULL);
    CHECK_OK(comap_semaphore_release(other, 3, &count));
    CHECK(count == 2);
    CHECK(comap_semaphore_release(other, 1, NULL) == COMAP_LIMIT_REACHED);
    CHECK_OK(comap_semaphore_acquire(semaphore, COMAP_FOREVER, &end));
    CHECK(end == COMAP_ACQUIRED);
    CHECK_OK(comap_semaphore_release(semaphore, 1, NULL));
    CHECK_OK(comap_semaphore_count(semaphore, &count));
    CHECK(count == 5);
    CHECK_OK(comap_semaphore_share_descriptor(semaphore, COMAP_READ_WRITE, &descriptor));
    comap_semaphore_close(other);
    CHECK_OK(comap_semaphore_from_descriptor(context, descriptor, NULL, &other));
    CHECK_OK(comap_semaphore_count(other, &count));
    CHECK(count == 5);
    close(descriptor);
    comap_semaphore_close(other);
    CHECK_OK(comap_semaphore_set_keep(semaphore, 1));
    CHECK_OK(comap_semaphore_set_keep(semaphore, 0));
    comap_semaphore_close(semaphore);
    CHECK(comap_semaphore_open(context, "s", NULL, &semaphore) == COMAP_NOT_FOUND);
    CHECK_OK(comap_semaphore_create_unnamed(0, COMAP_SEMAPHORE_MAX, &semaphore));
    CHECK_OK(comap_semaphore_acquire(semaphore, in_ms(2), &end));
    CHECK(end == COMAP_TIMED_OUT);
    CHECK_OK(comap_semaphore_release(semaphore, COMAP_SEMAPHORE_MAX, &count));
    CHECK(count == 0);
    comap_semaphore_close(semaphore);
    CHECK_OK(comap_section_create_unnamed(4096, NULL, &section));
    CHECK_OK(comap_semaphore_create_in(section, COMAP_SYNC_OFFSET(0), 1, 2, &semaphore));
    CHECK_OK(comap_semaphore_open_in(section, COMAP_SYNC_OFFSET(0), &other));
    CHECK(comap_semaphore_maximum(other) == 2);
    comap_semaphore_close(other);
    comap_semaphore_close(semaphore);
    comap_section_close(section);
    comap_semaphore_close(NULL);
}

static void test_waiting(comap_context* context) {
    comap_mutex* mutex = NULL;
    comap_event* event = NULL;
    comap_semaphore* semaphore = NULL;
    comap_section* section = NULL;
    comap_text* text = NULL;
    comap_waitable list[5];
    comap_waitable* long_list = calloc(COMAP_WAIT_MAX + 1, sizeof *long_list);
    comap_wait_end end = (comap_wait_end)77;
    size_t index = 77;
    size_t i;
    uint32_t count = 77;
    int is_set = 77;
    CHECK_OK(comap_mutex_create(context, "wm", NULL, &mutex));
    CHECK_OK(comap_event_create(context, "we", 0, 0, NULL, &event));
    CHECK_OK(comap_semaphore_create(context, "ws", 0, 3, NULL, &semaphore));
    CHECK_OK(comap_section_create(context, "wc", 10, NULL, &section));
    CHECK_OK(comap_text_create(context, "wt", 10, NULL, &text));
    memset(list, 0, sizeof list);
    list[0].event = event;
    list[1].semaphore = semaphore;
    list[2].section = section;
    list[3].text = text;
    list[4].mutex = mutex;
    CHECK_OK(comap_wait_any(list, 4, in_ms(2), &end, &index));
    CHECK(end == COMAP_TIMED_OUT);
    CHECK_OK(comap_wait_any(list, 5, COMAP_FOREVER, &end, &index));
    CHECK(end == COMAP_ACQUIRED && index == 4 && comap_mutex_is_owned(mutex) == 1);
    CHECK_OK(comap_mutex_unlock(mutex, 0));
    CHECK_OK(comap_text_set(text, "x", 1, NULL));
    CHECK_OK(comap_wait_any(list, 5, 0, &end, NULL));
    CHECK_OK(comap_wait_any(list, 5, 0, &end, &index));
    CHECK(end == COMAP_ACQUIRED && index == 3);
    CHECK_OK(comap_section_publish(section));
    CHECK_OK(comap_semaphore_release(semaphore, 2, NULL));
    CHECK_OK(comap_wait_all(list, 5, in_ms(2), &end, &index)); /* the event is missing */
    CHECK(end == COMAP_TIMED_OUT && comap_mutex_is_owned(mutex) == 0);
    CHECK_OK(comap_semaphore_count(semaphore, &count));
    CHECK(count == 2);
    CHECK_OK(comap_event_set(event));
    own_and_die(mutex);
    CHECK_OK(comap_wait_all(list, 5, COMAP_FOREVER, &end, &index));
    CHECK(end == COMAP_ACQUIRED_ABANDONED && index == 4);
    CHECK_OK(comap_event_is_set(event, &is_set));
    CHECK_OK(comap_semaphore_count(semaphore, &count));
    CHECK(is_set == 0 && count == 1);
    CHECK_OK(comap_mutex_unlock(mutex, 0));

    end = (comap_wait_end)77;
    index = 77;
    CHECK(comap_wait_any(list, 0, 0, &end, &index) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_wait_all(NULL, 0, 0, &end, &index) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_wait_any(NULL, 2, 0, &end, &index) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_wait_any(list, 5, 0, NULL, &index) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_wait_all(list, 5, 0, NULL, &index) == COMAP_INVALID_ARGUMENT);
    list[1].event = event; /* two in one entry */
    CHECK(comap_wait_any(list, 5, 0, &end, &index) == COMAP_INVALID_ARGUMENT);
    CHECK(strstr(comap_last_message(), "entry 1") != NULL);
    list[1].event = NULL;
    list[1].semaphore = NULL; /* none */
    CHECK(comap_wait_all(list, 5, 0, &end, &index) == COMAP_INVALID_ARGUMENT);
    list[1].event = event; /* the same twice */
    CHECK(comap_wait_all(list, 5, 0, &end, &index) == COMAP_INVALID_ARGUMENT);
    CHECK(long_list != NULL);
    for (i = 0; i <= COMAP_WAIT_MAX; ++i) long_list[i].event = event;
    CHECK(comap_wait_any(long_list, COMAP_WAIT_MAX + 1, 0, &end, &index) == COMAP_INVALID_ARGUMENT);
    CHECK(strstr(comap_last_message(), "128") != NULL);
    CHECK(comap_wait_any(long_list, (size_t)-1, 0, &end, &index) == COMAP_INVALID_ARGUMENT);
    CHECK(end == (comap_wait_end)77 && index == 77);
    CHECK_OK(comap_event_set(event));
    CHECK_OK(comap_wait_any(long_list, COMAP_WAIT_MAX, 0, &end, &index));
    CHECK(end == COMAP_ACQUIRED && index == 0);
    free(long_list);
    comap_text_close(text);
    comap_section_close(section);
    comap_semaphore_close(semaphore);
    comap_event_close(event);
    comap_mutex_close(mutex);
}

static void test_watching_waitables(comap_context* context) {
    comap_watcher* watcher = NULL;
    comap_event* event = NULL;
    comap_semaphore* semaphore = NULL;
    int found = 77;
    uint64_t tag = 77;
    uint32_t version = 77;
    struct pollfd waiting;
    CHECK_OK(comap_watcher_create(&watcher));
    CHECK_OK(comap_event_create(context, "watched", 1, 0, NULL, &event));
    CHECK_OK(comap_semaphore_create(context, "watched too", 0, 5, NULL, &semaphore));
    CHECK(comap_watcher_add_event(NULL, event, 1) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_watcher_add_event(watcher, NULL, 1) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_watcher_add_semaphore(NULL, semaphore, 1) == COMAP_INVALID_ARGUMENT);
    CHECK(comap_watcher_add_semaphore(watcher, NULL, 1) == COMAP_INVALID_ARGUMENT);
    CHECK_OK(comap_watcher_add_event(watcher, event, 1));
    CHECK_OK(comap_watcher_add_semaphore(watcher, semaphore, 2));
    CHECK(comap_watcher_add_event(watcher, event, 2) == COMAP_INVALID_ARGUMENT);
    CHECK_OK(comap_semaphore_release(semaphore, 1, NULL));
    waiting.fd = comap_watcher_descriptor(watcher);
    waiting.events = POLLIN;
    CHECK(poll(&waiting, 1, 60000) == 1);
    CHECK_OK(comap_watcher_next(watcher, &found, &tag, &version));
    CHECK(found == 1 && tag == 2);
    CHECK_OK(comap_event_set(event));
    CHECK(poll(&waiting, 1, 60000) == 1);
    do CHECK_OK(comap_watcher_next(watcher, &found, &tag, &version));
    while (found == 1 && tag == 2);
    CHECK(found == 1 && tag == 1);
    comap_semaphore_close(semaphore);
    comap_event_close(event);
    comap_watcher_close(watcher);
}

#define NEEDS(argument, call)                                                  \
    do {                                                                       \
        CHECK((call) == COMAP_INVALID_ARGUMENT);                               \
        CHECK(strstr(comap_last_message(), argument " must not be NULL") != NULL); \
    } while (0)

static void test_null_arguments_of_waitables(comap_context* context) {
    comap_mutex* mutex = NULL;
    comap_event* event = NULL;
    comap_semaphore* semaphore = NULL;
    comap_section* section = NULL;
    comap_wait_end end = (comap_wait_end)77;
    uint32_t count = 77;
    int number = 77;
    NEEDS("name", comap_mutex_create(context, NULL, NULL, &mutex));
    NEEDS("name", comap_mutex_open(context, NULL, NULL, &mutex));
    NEEDS("name", comap_mutex_open_or_create(context, NULL, NULL, &mutex));
    NEEDS("section", comap_mutex_create_in(NULL, COMAP_SYNC_OFFSET(0), &mutex));
    NEEDS("section", comap_mutex_open_in(NULL, COMAP_SYNC_OFFSET(0), &mutex));
    NEEDS("name", comap_event_create(context, NULL, 0, 0, NULL, &event));
    NEEDS("name", comap_event_open(context, NULL, NULL, &event));
    NEEDS("name", comap_event_open_or_create(context, NULL, 0, 0, NULL, &event));
    NEEDS("section", comap_event_create_in(NULL, COMAP_SYNC_OFFSET(0), 0, 0, &event));
    NEEDS("section", comap_event_open_in(NULL, COMAP_SYNC_OFFSET(0), &event));
    NEEDS("name", comap_semaphore_create(context, NULL, 0, 1, NULL, &semaphore));
    NEEDS("name", comap_semaphore_open(context, NULL, NULL, &semaphore));
    NEEDS("name", comap_semaphore_open_or_create(context, NULL, 0, 1, NULL, &semaphore));
    NEEDS("section", comap_semaphore_create_in(NULL, COMAP_SYNC_OFFSET(0), 0, 1, &semaphore));
    NEEDS("section", comap_semaphore_open_in(NULL, COMAP_SYNC_OFFSET(0), &semaphore));
    CHECK(mutex == NULL && event == NULL && semaphore == NULL);

    NEEDS("out", comap_mutex_create(context, "x", NULL, NULL));
    NEEDS("out", comap_mutex_open(context, "x", NULL, NULL));
    NEEDS("out", comap_mutex_open_or_create(context, "x", NULL, NULL));
    NEEDS("out", comap_mutex_create_unnamed(NULL));
    NEEDS("out", comap_mutex_from_descriptor(context, 0, NULL, NULL));
    NEEDS("out", comap_event_create(context, "x", 0, 0, NULL, NULL));
    NEEDS("out", comap_event_open(context, "x", NULL, NULL));
    NEEDS("out", comap_event_open_or_create(context, "x", 0, 0, NULL, NULL));
    NEEDS("out", comap_event_create_unnamed(0, 0, NULL));
    NEEDS("out", comap_event_from_descriptor(context, 0, NULL, NULL));
    NEEDS("out", comap_semaphore_create(context, "x", 0, 1, NULL, NULL));
    NEEDS("out", comap_semaphore_open(context, "x", NULL, NULL));
    NEEDS("out", comap_semaphore_open_or_create(context, "x", 0, 1, NULL, NULL));
    NEEDS("out", comap_semaphore_create_unnamed(0, 1, NULL));
    NEEDS("out", comap_semaphore_from_descriptor(context, 0, NULL, NULL));
    CHECK_OK(comap_section_create_unnamed(4096, NULL, &section));
    NEEDS("out", comap_mutex_create_in(section, COMAP_SYNC_OFFSET(0), NULL));
    NEEDS("out", comap_mutex_open_in(section, COMAP_SYNC_OFFSET(0), NULL));
    NEEDS("out", comap_event_create_in(section, COMAP_SYNC_OFFSET(0), 0, 0, NULL));
    NEEDS("out", comap_event_open_in(section, COMAP_SYNC_OFFSET(0), NULL));
    NEEDS("out", comap_semaphore_create_in(section, COMAP_SYNC_OFFSET(0), 0, 1, NULL));
    NEEDS("out", comap_semaphore_open_in(section, COMAP_SYNC_OFFSET(0), NULL));
    CHECK(comap_mutex_open_in(section, COMAP_SYNC_OFFSET(0), &mutex) == COMAP_NOT_FOUND); /* nothing was made */
    comap_section_close(section);

    NEEDS("mutex", comap_mutex_lock(NULL, 0, &end));
    NEEDS("mutex", comap_mutex_unlock(NULL, 0));
    NEEDS("mutex", comap_mutex_set_keep(NULL, 0));
    NEEDS("mutex", comap_mutex_share_descriptor(NULL, COMAP_READ_ONLY, &number));
    NEEDS("event", comap_event_set(NULL));
    NEEDS("event", comap_event_reset(NULL));
    NEEDS("event", comap_event_pulse(NULL));
    NEEDS("event", comap_event_is_set(NULL, &number));
    NEEDS("event", comap_event_wait(NULL, 0, &end));
    NEEDS("event", comap_event_set_keep(NULL, 0));
    NEEDS("event", comap_event_share_descriptor(NULL, COMAP_READ_ONLY, &number));
    NEEDS("semaphore", comap_semaphore_release(NULL, 1, &count));
    NEEDS("semaphore", comap_semaphore_acquire(NULL, 0, &end));
    NEEDS("semaphore", comap_semaphore_count(NULL, &count));
    NEEDS("semaphore", comap_semaphore_set_keep(NULL, 0));
    NEEDS("semaphore", comap_semaphore_share_descriptor(NULL, COMAP_READ_ONLY, &number));
    CHECK(end == (comap_wait_end)77 && count == 77 && number == 77);
    CHECK(strcmp(comap_mutex_name(NULL), "") == 0 && strcmp(comap_event_name(NULL), "") == 0 && strcmp(comap_semaphore_name(NULL), "") == 0);
    CHECK(comap_mutex_was_created(NULL) == 0 && comap_event_was_created(NULL) == 0 && comap_semaphore_was_created(NULL) == 0);
    CHECK(comap_mutex_is_owned(NULL) == 0 && comap_event_is_manual(NULL) == 0 && comap_semaphore_maximum(NULL) == 0);

    CHECK_OK(comap_mutex_create_unnamed(&mutex));
    CHECK_OK(comap_event_create_unnamed(0, 1, &event));
    CHECK_OK(comap_semaphore_create_unnamed(1, 1, &semaphore));
    NEEDS("end", comap_mutex_lock(mutex, 0, NULL));
    NEEDS("end", comap_event_wait(event, 0, NULL));
    NEEDS("end", comap_semaphore_acquire(semaphore, 0, NULL));
    NEEDS("is_set", comap_event_is_set(event, NULL));
    NEEDS("count", comap_semaphore_count(semaphore, NULL));
    NEEDS("descriptor", comap_mutex_share_descriptor(mutex, COMAP_READ_ONLY, NULL));
    NEEDS("descriptor", comap_event_share_descriptor(event, COMAP_READ_ONLY, NULL));
    NEEDS("descriptor", comap_semaphore_share_descriptor(semaphore, COMAP_READ_ONLY, NULL));
    CHECK(comap_mutex_is_owned(mutex) == 0); /* nothing was taken */
    CHECK_OK(comap_event_is_set(event, &number));
    CHECK_OK(comap_semaphore_count(semaphore, &count));
    CHECK(number == 1 && count == 1);
    comap_semaphore_close(semaphore);
    comap_event_close(event);
    comap_mutex_close(mutex);
}

int main(void) {
    char root[] = "/dev/shm/comap-test-XXXXXX";
    char command[64];
    comap_context* context = NULL;
    CHECK(mkdtemp(root) != NULL);
    setenv("COMAP_DIR", root, 1);
    CHECK_OK(comap_context_create(root, &context));
    test_codes();
    test_sections(context);
    test_sections(NULL); /* the standard context, by COMAP_DIR */
    test_keep(context);
    test_views(context);
    test_old_option_structs(context);
    test_option_structs_without_their_size(context);
    test_descriptors(context);
    test_texts(context);
    test_conversions();
    test_watchers(context);
    test_null_arguments(context);
    test_mutexes(context);
    test_mutexes(NULL);
    test_events(context);
    test_semaphores(context);
    test_waiting(context);
    test_watching_waitables(context);
    test_null_arguments_of_waitables(context);
    comap_context_close(context);
    snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0);
    printf("%d checks of the C ABI passed\n", checks);
    return 0;
}
