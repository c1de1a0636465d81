/* SPDX-License-Identifier: Apache-2.0 */
/* The C ABI in plain C11. Succeeds if it works. */
#include <stdio.h>
#include <string.h>

#include <comap/comap.h>

int main(void) {
    comap_create_options options = COMAP_CREATE_OPTIONS_INIT;
    comap_section* section = NULL;
    comap_text* text = NULL;
    uint64_t size_bytes = 0;
    size_t length_bytes = 0;
    char value[8] = {0};

    if (strlen(comap_version_string()) == 0) return 1;
    if (comap_section_create(NULL, "c-consumer", 100, &options, &section) != COMAP_OK) return 2;
    if (comap_section_size(section, &size_bytes) != COMAP_OK || size_bytes != 100) return 3;
    comap_section_close(section);
    if (comap_section_open(NULL, "c-consumer", NULL, &section) != COMAP_NOT_FOUND) return 4;
    if (strlen(comap_last_message()) == 0 || strcmp(comap_code_name(COMAP_NOT_FOUND), "not_found") != 0) return 5;
    if (comap_text_create(NULL, "c-consumer", 0, NULL, &text) != COMAP_OK) return 6;
    if (comap_text_set(text, "abc", 3, NULL) != COMAP_OK) return 7;
    if (comap_text_get(text, value, sizeof value, &length_bytes, NULL) != COMAP_OK) return 8;
    if (length_bytes != 3 || memcmp(value, "abc", 3) != 0) return 9;
    comap_text_close(text);
    return 0;
}
