/* cli/record_text.c — see record_text.h. */
#include "cli/record_text.h"

#include "base/clock.h"
#include "base/utf8.h"
#include "formats/json.h"
#include "record/json_value.h"

#include <inttypes.h>

static enum mr_status append_base64(struct mr_buffer *output, struct mr_slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum mr_status status = mr_buffer_append_text(output, "{\"base64\":\"");
    for (size_t index = 0; index < bytes.size && status == MR_OK; index += 3) {
        size_t left = bytes.size - index;
        uint32_t group = (uint32_t)bytes.data[index] << 16;
        group |= left > 1 ? (uint32_t)bytes.data[index + 1] << 8 : 0;
        group |= left > 2 ? (uint32_t)bytes.data[index + 2] : 0;
        char four[4] = {digits[group >> 18], digits[(group >> 12) & 63],
                        left > 1 ? digits[(group >> 6) & 63] : '=',
                        left > 2 ? digits[group & 63] : '='};
        status = mr_buffer_append(output, four, sizeof four);
    }
    return status == MR_OK ? mr_buffer_append_text(output, "\"}") : status;
}

/* One line must stay one line: JSON with a newline between its tokens is given as a string. */
static bool stands_as_json(struct mr_slice bytes, struct mr_arena *scratch)
{
    struct mr_value value;
    struct mr_error error;
    if (bytes.size < 2 || (bytes.data[0] != '{' && bytes.data[0] != '[') ||
        memchr(bytes.data, '\n', bytes.size) != NULL)
        return false;
    return mr_json_parse(bytes, NULL, scratch, &value, &error) == MR_OK;
}

enum mr_status mr_record_text_bytes(struct mr_buffer *output, struct mr_slice bytes, bool null,
                                    struct mr_arena *scratch)
{
    if (null)
        return mr_buffer_append_text(output, "null");
    if (stands_as_json(bytes, scratch))
        return mr_buffer_append(output, bytes.data, bytes.size);
    return mr_utf8_valid(bytes) ? mr_json_append_string(output, bytes)
                                : append_base64(output, bytes);
}

static enum mr_status append_headers(struct mr_buffer *output, struct mr_headers headers,
                                     struct mr_arena *scratch)
{
    enum mr_status status = mr_buffer_append_text(output, ",\"headers\":[");
    for (uint32_t index = 0; index < headers.count && status == MR_OK; index++) {
        const struct mr_header *header = &headers.items[index];
        status = mr_buffer_append_text(output, index == 0 ? "{\"name\":" : ",{\"name\":");
        if (status == MR_OK)
            status = mr_json_append_string(output, mr_slice_text(header->name));
        if (status == MR_OK)
            status = mr_buffer_append_text(output, ",\"value\":");
        if (status == MR_OK)
            status = mr_record_text_bytes(output, header->value, false, scratch);
        if (status == MR_OK)
            status = mr_buffer_append_text(output, "}");
    }
    return status == MR_OK ? mr_buffer_append_text(output, "]") : status;
}

enum mr_status mr_record_text_json(struct mr_buffer *output, const struct mr_record_text *record,
                                   struct mr_arena *scratch)
{
    const struct mr_log_message *message = record->message;
    char time[MR_CLOCK_TEXT_SIZE];
    (void)mr_clock_format_rfc3339(message->timestamp_ms, time);
    enum mr_status status = mr_buffer_append_format(
        output,
        "{\"topic\":\"%s\",\"partition\":%d,\"offset\":%" PRId64 ",\"timestamp\":\"%s\",\"key\":",
        record->topic, (int)record->partition, message->offset, time);
    if (status == MR_OK)
        status = mr_record_text_bytes(output, message->key, message->key_null, scratch);
    if (status == MR_OK)
        status = append_headers(output, record->headers, scratch);
    if (status == MR_OK)
        status = mr_buffer_append_text(output, ",\"value\":");
    if (status == MR_OK)
        status = mr_record_text_bytes(output, message->value, message->value_null, scratch);
    return status == MR_OK ? mr_buffer_append_text(output, "}") : status;
}
