/* SPDX-License-Identifier: Apache-2.0 */
/* comap from C. Makes a text, reads it back through a second handle, and is told of a change; then a section and a view. */
#include <stdio.h>
#include <string.h>

#include <comap/comap.h>

static int fail(const char* what) {
    fprintf(stderr, "hello: %s: %s\n", what, comap_last_message());
    return 1;
}

/* A text is whole at every moment, and knows its length and version. */
static int share_a_text(void) {
    comap_text* writer = NULL;
    comap_text* reader = NULL;
    char value[64];
    size_t length_bytes = 0;
    uint32_t version = 0;
    comap_wait_end end = COMAP_TIMED_OUT;

    if (comap_text_create(NULL, "greeting", 0, NULL, &writer) != COMAP_OK) return fail("create");
    if (comap_text_open(NULL, "greeting", NULL, &reader) != COMAP_OK) return fail("open");
    if (comap_text_set(writer, "hello", strlen("hello"), NULL) != COMAP_OK) return fail("set");

    /* The reader has seen version 0, the empty text; the wait ends at once, because there is a newer one. */
    if (comap_text_wait(reader, 0, COMAP_FOREVER, COMAP_WAIT_CHANGE, &end) != COMAP_OK) return fail("wait");
    if (comap_text_get(reader, value, sizeof value, &length_bytes, &version) != COMAP_OK) return fail("get");
    printf("text: \"%.*s\", %zu bytes, version %u, wait ended as %s\n", (int)length_bytes, value, length_bytes,
           (unsigned)version, end == COMAP_CHANGED ? "changed" : "something else");

    comap_text_close(reader);
    comap_text_close(writer); /* the last holder: the name is gone now */
    if (comap_text_open(NULL, "greeting", NULL, &reader) != COMAP_NOT_FOUND) return fail("the name should be gone");
    return 0;
}

/* A section is bytes, and a view is where they are in this process. */
static int share_a_section(void) {
    comap_create_options options = COMAP_CREATE_OPTIONS_INIT;
    comap_section* section = NULL;
    comap_view* view = NULL;
    uint64_t size_bytes = 0;

    options.mode = 0640; /* the group may read it */
    if (comap_section_create(NULL, "numbers", 1000 * sizeof(uint32_t), &options, &section) != COMAP_OK)
        return fail("create");
    if (comap_section_size(section, &size_bytes) != COMAP_OK) return fail("size");
    if (comap_view_map(section, NULL, &view) != COMAP_OK) return fail("map");

    ((uint32_t*)comap_view_data(view))[999] = 42;
    if (comap_section_publish(section) != COMAP_OK) return fail("publish");
    printf("section: \"%s\", %u bytes, the last number is %u\n", comap_section_name(section), (unsigned)size_bytes,
           (unsigned)((const uint32_t*)comap_view_data(view))[999]);

    comap_section_close(section);
    comap_view_close(view); /* a view holds the object too, so it lived until here */
    return 0;
}

int main(void) {
    printf("comap %s\n", comap_version_string());
    if (share_a_text() != 0) return 1;
    return share_a_section();
}
