/* cli/line_reader.c — see line_reader.h. */
#include "cli/line_reader.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

enum { READ_BYTES = 64 << 10 };

void mr_line_reader_init(struct mr_line_reader *reader, int descriptor, size_t bytes_max)
{
    *reader = (struct mr_line_reader){.descriptor = descriptor, .bytes_max = bytes_max};
    mr_buffer_init(&reader->buffer, bytes_max + 2 + READ_BYTES);
}

void mr_line_reader_deinit(struct mr_line_reader *reader)
{
    mr_buffer_deinit(&reader->buffer);
}

static void drop_taken(struct mr_line_reader *reader)
{
    struct mr_buffer *buffer = &reader->buffer;
    if (reader->taken == 0)
        return;
    memmove(buffer->data, buffer->data + reader->taken, buffer->size - reader->taken);
    buffer->size -= reader->taken;
    reader->taken = 0;
}

static enum mr_status fill(struct mr_line_reader *reader, int wait_ms, struct mr_error *error)
{
    struct pollfd poll_one = {.fd = reader->descriptor, .events = POLLIN};
    int ready = poll(&poll_one, 1, wait_ms);
    if (ready == 0 || (ready < 0 && errno == EINTR))
        return MR_AGAIN;
    drop_taken(reader);
    enum mr_status status = mr_buffer_reserve(&reader->buffer, READ_BYTES);
    if (status != MR_OK)
        return MR_FAIL(error, MR_INTERNAL, MR_RECOVERY_EXIT, "The reader's buffer is too small.");
    ssize_t size = read(reader->descriptor, reader->buffer.data + reader->buffer.size, READ_BYTES);
    if (size < 0 && errno == EINTR)
        return MR_AGAIN;
    if (size < 0)
        return MR_FAIL_ERRNO(error, errno, MR_RECOVERY_NONE, "the input cannot be read");
    reader->buffer.size += (size_t)size;
    reader->ended = size == 0;
    return MR_OK;
}

/* Take what is buffered up to `size` bytes, of which `line_size` are the line. */
static struct mr_slice take(struct mr_line_reader *reader, size_t line_size, size_t size)
{
    struct mr_slice line = mr_slice_from(reader->buffer.data + reader->taken, line_size);
    if (line.size > 0 && line.data[line.size - 1] == '\r')
        line.size--;
    reader->taken += size;
    return line;
}

enum mr_status mr_line_reader_next(struct mr_line_reader *reader, int wait_ms,
                                   struct mr_slice *line, struct mr_error *error)
{
    *line = (struct mr_slice){0};
    for (;;) {
        size_t size = reader->buffer.size - reader->taken;
        const uint8_t *start = size > 0 ? reader->buffer.data + reader->taken : NULL;
        const uint8_t *newline = size > 0 ? memchr(start, '\n', size) : NULL;
        bool last = newline == NULL && reader->ended;
        if (last && size == 0 && !reader->skipping)
            return MR_END;
        if (newline != NULL || last) {
            bool skipped = reader->skipping;
            size_t line_size = newline != NULL ? (size_t)(newline - start) : size;
            *line = take(reader, line_size, line_size + (newline != NULL));
            reader->number++;
            reader->skipping = false;
            if (!skipped && line->size <= reader->bytes_max)
                return MR_OK;
            *line = (struct mr_slice){0};
            return MR_LIMIT;
        }
        if (size > reader->bytes_max + 1) { /* one more for a carriage return */
            reader->skipping = true;
            reader->taken += size;
        }
        enum mr_status status = fill(reader, wait_ms, error);
        if (status != MR_OK)
            return status;
    }
}
