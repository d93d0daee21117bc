/* connectors/line.c — see line.h. */
#include "connectors/line.h"

#include <errno.h>

static const struct mr_slice null_line = {.data = (const uint8_t *)"null", .size = 4};

static struct mr_slice line_bytes(const struct mr_sink_record *record)
{
    return record->value_null ? null_line : record->value;
}

size_t mr_line_size(const struct mr_sink_record *record)
{
    return line_bytes(record).size + 1;
}

static void blank_breaks(uint8_t *bytes, size_t size, uint8_t line_break)
{
    uint8_t *found = memchr(bytes, line_break, size);
    while (found != NULL) {
        *found++ = ' ';
        found = memchr(found, line_break, size - (size_t)(found - bytes));
    }
}

enum mr_status mr_line_append(struct mr_buffer *buffer, const struct mr_sink_record *record)
{
    struct mr_slice bytes = line_bytes(record);
    enum mr_status status = mr_buffer_reserve(buffer, bytes.size + 1);
    if (status != MR_OK)
        return status;
    uint8_t *line = buffer->data + buffer->size;
    if (bytes.size > 0) {
        memcpy(line, bytes.data, bytes.size);
        blank_breaks(line, bytes.size, '\n');
        blank_breaks(line, bytes.size, '\r');
    }
    line[bytes.size] = '\n';
    buffer->size += bytes.size + 1;
    return MR_OK;
}

enum mr_recovery mr_file_recovery(int errno_value)
{
    switch (errno_value) {
    case ENOSPC:
    case EDQUOT:
    case EIO:
    case EINTR:
    case EAGAIN:
    case ENOMEM:
    case EMFILE:
    case ENFILE:
    case EBUSY:
    case ETIMEDOUT:
    case ESTALE:
        return MR_RECOVERY_RETRY;
    default:
        return MR_RECOVERY_FAIL_TOPOLOGY;
    }
}
