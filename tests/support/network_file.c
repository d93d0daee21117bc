/* tests/support/network_file.c — see network_file.h. */
#include "tests/support/network_file.h"

#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"

enum { FILE_BYTES_MAX = 1 << 20 };

char *network_file_read(const char *name)
{
    char path[1024];
    char *text = mr_memory_new(FILE_BYTES_MAX, 1);
    snprintf(path, sizeof(path), "%s/tests/golden/operators/%s", MR_SOURCE_DIR, name);
    FILE *file = fopen(path, "rb");
    MR_ASSERT(file != NULL);
    size_t size = fread(text, 1, FILE_BYTES_MAX - 1, file);
    MR_ASSERT(size > 0 && size < FILE_BYTES_MAX - 1);
    fclose(file);
    return text;
}

char *network_file_changed(const char *find, const char *replacement)
{
    char *text = network_file_read("network_model.json");
    char *place = strstr(text, find);
    MR_ASSERT(place != NULL);
    size_t tail = strlen(place + strlen(find)) + 1;
    memmove(place + strlen(replacement), place + strlen(find), tail);
    memcpy(place, replacement, strlen(replacement));
    return text;
}
