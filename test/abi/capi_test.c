/* SPDX-License-Identifier: Apache-2.0 */
/* Every function of comap.h, called from C. */
#include <comap/comap.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
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
    test_descriptors(context);
    test_texts(context);
    test_conversions();
    test_watchers(context);
    test_null_arguments(context);
    comap_context_close(context);
    snprintf(command, sizeof command, "rm -r %s", root);
    CHECK(system(command) == 0);
    printf("%d checks of the C ABI passed\n", checks);
    return 0;
}
