/* tests/support/harness_text.c — see harness_text.h. */
#include "tests/support/harness_text.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/hash.h"

void harness_append_text(struct mr_buffer *output, const char *text)
{
    assert_int_equal(mr_buffer_append(output, text, strlen(text)), MR_OK);
}

/* Printing takes most of the time of the suites that compare runs: no format for what is frequent.
 */
void harness_append_hex(struct mr_buffer *output, const uint8_t *bytes, size_t size)
{
    static const char digits[] = "0123456789abcdef";
    assert_int_equal(mr_buffer_reserve(output, 2 * size), MR_OK);
    for (size_t index = 0; index < size; index++) {
        output->data[output->size++] = (uint8_t)digits[bytes[index] >> 4];
        output->data[output->size++] = (uint8_t)digits[bytes[index] & 15];
    }
}

static void append_integer(struct mr_buffer *output, int64_t number)
{
    char text[24];
    size_t at = sizeof(text);
    uint64_t rest = number < 0 ? -(uint64_t)number : (uint64_t)number;
    do {
        text[--at] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (number < 0)
        text[--at] = '-';
    assert_int_equal(mr_buffer_append(output, text + at, sizeof(text) - at), MR_OK);
}

void harness_append(struct mr_buffer *output, const char *format, ...)
{
    char text[4096];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    assert_in_range(size, 0, sizeof(text) - 1);
    assert_int_equal(mr_buffer_append(output, text, (size_t)size), MR_OK);
}

/* Long texts are written as a hash. */
void harness_append_bytes(struct mr_buffer *output, struct mr_slice bytes)
{
    if (bytes.size > 1024) {
        harness_append(output, "%zu bytes %016" PRIx64, bytes.size, mr_hash64(bytes));
        return;
    }
    assert_int_equal(mr_buffer_append(output, "'", 1), MR_OK);
    assert_int_equal(mr_buffer_append(output, bytes.data, bytes.size), MR_OK);
    assert_int_equal(mr_buffer_append(output, "'", 1), MR_OK);
}

void harness_print_value(struct mr_buffer *output, struct mr_value value)
{
    harness_append_text(output, mr_kind_name((enum mr_kind)value.kind));
    harness_append_text(output, ":");
    switch ((enum mr_kind)value.kind) {
    case MR_KIND_BOOL:
        harness_append(output, "%d", value.boolean);
        break;
    case MR_KIND_INT:
    case MR_KIND_TIMESTAMP:
    case MR_KIND_DURATION:
        append_integer(output, value.integer);
        break;
    case MR_KIND_UINT:
        harness_append(output, "%" PRIu64, value.unsigned_integer);
        break;
    case MR_KIND_DOUBLE:
        harness_append_hex(output, (const uint8_t *)&value.number, sizeof(value.number));
        break;
    case MR_KIND_STRING:
    case MR_KIND_BYTES:
    case MR_KIND_JSON:
    case MR_KIND_TYPE:
    case MR_KIND_ERROR:
        harness_append_bytes(output, mr_value_text(value));
        break;
    case MR_KIND_LIST:
        for (uint32_t index = 0; index < value.size; index++)
            harness_print_value(output, value.items[index]);
        break;
    case MR_KIND_MAP:
        for (uint32_t index = 0; index < value.size; index++) {
            harness_print_value(output, value.entries[index].key);
            harness_print_value(output, value.entries[index].value);
        }
        break;
    case MR_KIND_ABSENT:
    case MR_KIND_REMOVED:
    case MR_KIND_NULL:
    case MR_KIND_COUNT:
        break;
    }
    harness_append_text(output, ";");
}

void harness_print_row(struct mr_buffer *output, const struct mr_batch *batch, uint32_t row)
{
    harness_append_text(output, "@");
    append_integer(output, batch->offsets[row]);
    harness_append_text(output, " t");
    append_integer(output, batch->event_times_ms[row]);
    harness_append_text(output, " ");
    harness_append_bytes(output, batch->payloads[row]);
    for (uint32_t slot = 0; slot < batch->slots_count; slot++) {
        if (batch->columns[slot] == NULL || batch->columns[slot][row].kind == MR_KIND_ABSENT)
            continue;
        harness_append_text(output, " ");
        append_integer(output, slot);
        harness_append_text(output, "=");
        harness_print_value(output, batch->columns[slot][row]);
    }
    harness_append(output, "\n");
}
