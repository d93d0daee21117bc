/* formats/format.c — the registered formats, sorted by name. */
#include "formats/format.h"

#include "base/assert.h"
#include "formats/json.h"

static const struct mr_format_type *const formats[] = {
    &mr_format_bytes,
    &mr_format_csv,
    &mr_format_json,
    &mr_format_string,
};

const struct mr_format_type *mr_format_find(const char *name)
{
    for (size_t i = 0; i < MR_ARRAY_COUNT(formats); i++) {
        if (strcmp(formats[i]->name, name) == 0)
            return formats[i];
    }
    return NULL;
}

const struct mr_format_type *const *mr_formats(uint32_t *count)
{
    *count = (uint32_t)MR_ARRAY_COUNT(formats);
    return formats;
}
