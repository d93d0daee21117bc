/* cli/markup.c — see markup.h. */
#include "cli/markup.h"

#include "base/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PIECE_BYTES = 512, NUMBER_BYTES = 64, DECIMALS_MAX = 12 };

void mr_markup_init(struct mr_markup *markup)
{
    *markup = (struct mr_markup){0};
    mr_buffer_init(&markup->buffer, MR_MARKUP_BYTES_MAX);
}

void mr_markup_deinit(struct mr_markup *markup)
{
    mr_buffer_deinit(&markup->buffer);
}

static void append(struct mr_markup *markup, const void *data, size_t size)
{
    if (mr_buffer_append(&markup->buffer, data, size) != MR_OK)
        markup->full = true;
}

void mr_markup_add(struct mr_markup *markup, const char *format, ...)
{
    char piece[PIECE_BYTES];
    va_list values;
    va_start(values, format);
    int size = vsnprintf(piece, sizeof(piece), format, values);
    va_end(values);
    if (size >= 0 && (size_t)size < sizeof(piece)) {
        append(markup, piece, (size_t)size);
        return;
    }
    if (size < 0 || mr_buffer_reserve(&markup->buffer, (size_t)size + 1) != MR_OK) {
        markup->full = true;
        return;
    }
    va_start(values, format);
    (void)vsnprintf((char *)markup->buffer.data + markup->buffer.size, (size_t)size + 1, format,
                    values);
    va_end(values);
    markup->buffer.size += (size_t)size;
}

static const char *entity_of(uint32_t code_point)
{
    return code_point == '&'    ? "&amp;"
           : code_point == '<'  ? "&lt;"
           : code_point == '>'  ? "&gt;"
           : code_point == '"'  ? "&quot;"
           : code_point == '\'' ? "&#39;"
                                : NULL;
}

void mr_markup_text(struct mr_markup *markup, const char *text)
{
    const uint8_t *end = (const uint8_t *)text + strlen(text);
    for (const uint8_t *cursor = (const uint8_t *)text; cursor < end;) {
        uint32_t code_point = 0;
        size_t size = mr_utf8_decode(cursor, end, &code_point);
        const char *entity = size == 0 ? NULL : entity_of(code_point);
        bool is_control = code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
        if (size == 0)
            mr_markup_add(markup, "\\x%02x", (unsigned)*cursor);
        else if (is_control)
            mr_markup_add(markup, "\\x%02x", (unsigned)code_point);
        else if (entity != NULL)
            append(markup, entity, strlen(entity));
        else
            append(markup, cursor, size);
        cursor += size == 0 ? 1 : size;
    }
}

void mr_markup_number(struct mr_markup *markup, double number, int decimals)
{
    char text[NUMBER_BYTES];
    double size = fabs(number);
    if (isnan(number)) {
        mr_markup_add(markup, "-");
        return;
    }
    bool is_plain = decimals >= 0 && decimals <= DECIMALS_MAX && size < 1e12;
    if (is_plain)
        (void)snprintf(text, sizeof(text), "%.*f", decimals, number);
    else
        (void)snprintf(text, sizeof(text), "%.6g", number);
    /* "-0.00" is a rounded number near zero. */
    bool is_zero = text[0] == '-' && strspn(text, "-0.") == strlen(text);
    mr_markup_add(markup, "%s", is_zero ? text + 1 : text);
}
