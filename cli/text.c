/* cli/text.c — see text.h. */
#include "cli/text.h"

#include "base/number.h"
#include "base/utf8.h"

#include <inttypes.h>

enum { ESCAPED_BYTES = 4, SECOND_MS = 1000 };

static bool must_escape(uint32_t code_point)
{
    return code_point < 0x20 || (code_point >= 0x7f && code_point < 0xa0);
}

/* Size of the next piece of text at cursor; *escaped: it must not be written as it is. */
static size_t next_piece(const uint8_t *cursor, const uint8_t *end, uint32_t *code_point,
                         bool *escaped)
{
    size_t size = mr_utf8_decode(cursor, end, code_point);
    *escaped = size == 0 || must_escape(*code_point);
    if (size == 0)
        *code_point = *cursor;
    return size == 0 ? 1 : size;
}

void mr_text_write(FILE *output, struct mr_slice text)
{
    const uint8_t *end = text.data + text.size;
    for (const uint8_t *cursor = text.data; cursor < end;) {
        uint32_t code_point = 0;
        bool escaped;
        size_t size = next_piece(cursor, end, &code_point, &escaped);
        if (escaped)
            (void)fprintf(output, "\\x%02x", (unsigned)code_point);
        else
            (void)fwrite(cursor, 1, size, output);
        cursor += size;
    }
}

const char *mr_text_escape(struct mr_arena *arena, struct mr_slice text)
{
    static const char hex[] = "0123456789abcdef";
    size_t size_max = text.size * ESCAPED_BYTES + 1;
    char *output = mr_arena_take(arena, size_max);
    size_t written = 0;
    const uint8_t *end = text.data + text.size;
    for (const uint8_t *cursor = text.data; cursor < end;) {
        uint32_t code_point = 0;
        bool escaped;
        size_t size = next_piece(cursor, end, &code_point, &escaped);
        if (escaped) {
            output[written++] = '\\';
            output[written++] = 'x';
            output[written++] = hex[(code_point >> 4) & 15];
            output[written++] = hex[code_point & 15];
        } else {
            memcpy(output + written, cursor, size);
            written += size;
        }
        cursor += size;
    }
    output[written++] = '\0';
    mr_arena_give_back(arena, output, size_max, written);
    return output;
}

uint32_t mr_text_width(const char *text)
{
    uint32_t width = 0;
    for (const char *cursor = text; *cursor != '\0'; cursor++)
        width += ((unsigned char)*cursor & 0xc0u) != 0x80u;
    return width;
}

const char *mr_text_duration(struct mr_arena *arena, int64_t duration_ms)
{
    enum { MINUTE_S = 60, HOUR_S = 3600, DAY_S = 86400 };
    int64_t seconds = duration_ms / SECOND_MS;
    if (duration_ms < 0)
        return "unknown";
    if (duration_ms < 10 * SECOND_MS && duration_ms % SECOND_MS >= 100)
        return mr_arena_format(arena, "%" PRId64 ".%d s", seconds,
                               (int)(duration_ms % SECOND_MS / 100));
    if (seconds < MINUTE_S)
        return mr_arena_format(arena, "%" PRId64 " s", seconds);
    if (seconds < HOUR_S)
        return seconds % MINUTE_S == 0
                   ? mr_arena_format(arena, "%" PRId64 " min", seconds / MINUTE_S)
                   : mr_arena_format(arena, "%" PRId64 " min %" PRId64 " s", seconds / MINUTE_S,
                                     seconds % MINUTE_S);
    if (seconds < DAY_S)
        return mr_arena_format(arena, "%" PRId64 " h %" PRId64 " min", seconds / HOUR_S,
                               seconds % HOUR_S / MINUTE_S);
    return mr_arena_format(arena, "%" PRId64 " d %" PRId64 " h", seconds / DAY_S,
                           seconds % DAY_S / HOUR_S);
}

const char *mr_text_ago(struct mr_arena *arena, int64_t then_ms, int64_t now_ms)
{
    int64_t passed_ms = now_ms - then_ms;
    if (passed_ms > -SECOND_MS && passed_ms < SECOND_MS)
        return "now";
    if (passed_ms < 0)
        return mr_arena_format(arena, "in %s",
                               mr_text_duration(arena, -passed_ms / SECOND_MS * SECOND_MS));
    return mr_arena_format(arena, "%s ago",
                           mr_text_duration(arena, passed_ms / SECOND_MS * SECOND_MS));
}

const char *mr_text_count(struct mr_arena *arena, int64_t count)
{
    char digits[MR_NUMBER_TEXT_SIZE];
    size_t size = mr_number_format_int(count, digits);
    char *text = mr_arena_take(arena, (size_t)2 * MR_NUMBER_TEXT_SIZE);
    size_t written = 0;
    for (size_t index = 0; index < size; index++) {
        bool digit_before = index > 0 && digits[index - 1] != '-';
        if (digit_before && (size - index) % 3 == 0)
            text[written++] = ',';
        text[written++] = digits[index];
    }
    text[written] = '\0';
    return text;
}

const char *mr_text_bytes(struct mr_arena *arena, int64_t bytes)
{
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    uint32_t unit = 0;
    double value = (double)bytes;
    for (; value >= 1024 && unit < sizeof units / sizeof units[0] - 1; unit++)
        value /= 1024;
    bool whole = value == (double)(int64_t)value || value >= 100;
    return mr_arena_format(arena, whole ? "%.0f %s" : "%.1f %s", value, units[unit]);
}

const char *mr_text_plural(struct mr_arena *arena, int64_t count, const char *noun)
{
    return mr_arena_format(arena, "%s %s%s", mr_text_count(arena, count), noun,
                           count == 1 ? "" : "s");
}

static bool is_unreserved(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' || byte == '~';
}

const char *mr_text_percent(struct mr_arena *arena, struct mr_slice text)
{
    static const char hex[] = "0123456789ABCDEF";
    char *output = mr_arena_take(arena, text.size * 3 + 1);
    size_t written = 0;
    for (size_t index = 0; index < text.size; index++) {
        uint8_t byte = text.data[index];
        if (is_unreserved(byte)) {
            output[written++] = (char)byte;
        } else {
            output[written++] = '%';
            output[written++] = hex[byte >> 4];
            output[written++] = hex[byte & 15];
        }
    }
    output[written] = '\0';
    return output;
}
