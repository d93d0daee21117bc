/* cli/properties.c — reading name=value files. */
#include "cli/properties.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { PAIRS_MAX = 256, LINE_SIZE = 8192 };

static char *trim(char *text)
{
    while (isspace((unsigned char)*text))
        text++;
    size_t size = strlen(text);
    while (size > 0 && isspace((unsigned char)text[size - 1]))
        text[--size] = '\0';
    return text;
}

enum mr_status mr_properties_read(const char *path, struct mr_arena *arena,
                                  const char *const **pairs, struct mr_error *error)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return MR_FAIL_ERRNO(error, errno, MR_RECOVERY_EXIT, "%s cannot be read", path);
    const char **items = mr_arena_new(arena, PAIRS_MAX * 2 + 1, sizeof(*items));
    char line[LINE_SIZE];
    uint32_t count = 0;
    int line_number = 0;
    enum mr_status status = MR_OK;
    while (status == MR_OK && fgets(line, sizeof(line), file) != NULL) {
        char *text = trim(line);
        char *equals = strchr(text, '=');
        line_number++;
        if (*text == '\0' || *text == '#')
            continue;
        if (equals == NULL || equals == text || count == PAIRS_MAX * 2) {
            status = MR_FAIL(error, MR_INVALID, MR_RECOVERY_EXIT,
                             "%s:%d: expected name=value (at most %d lines).", path, line_number,
                             PAIRS_MAX);
            continue;
        }
        *equals = '\0';
        items[count++] = mr_arena_copy_text(arena, trim(text));
        items[count++] = mr_arena_copy_text(arena, trim(equals + 1));
    }
    (void)fclose(file);
    memset(line, 0, sizeof(line));
    *pairs = items;
    return status;
}
