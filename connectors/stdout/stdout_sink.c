/* connectors/stdout/stdout_sink.c — the sink `stdout`: a line per record on standard output.
 * Design: lines wait in memory and are written when their transaction is committed, so what is
 * shown is true; a crash between the two loses them, and nothing remembers what was shown, hence
 * the guarantee NONE. Lines of several tasks do not mix: a task writes its lines under one lock.
 * Limits: lines that wait take at most 64 MiB; a transaction beyond that is shown early. */
#include "base/assert.h"
#include "connectors/line.h"
#include "connectors/registry.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <unistd.h>

enum { WAITING_BYTES_MAX = 64 << 20 };

struct stdout_sink {
    struct mr_buffer lines;
    size_t sealed_bytes; /* of the transaction that is being committed */
};

static pthread_mutex_t output_lock = PTHREAD_MUTEX_INITIALIZER;

static enum mr_status stdout_open(void *self, const struct mr_connector_open *open,
                                  struct mr_sink_position position, struct mr_error *error)
{
    MR_UNUSED(open);
    MR_UNUSED(position);
    MR_UNUSED(error);
    struct stdout_sink *sink = self;
    mr_buffer_init(&sink->lines, WAITING_BYTES_MAX);
    return MR_OK;
}

/* Standard output may be a pipe that somebody set to non-blocking. */
static bool wait_for_room(int errno_value)
{
    struct pollfd wait = {.fd = STDOUT_FILENO, .events = POLLOUT};
    if (errno_value == EINTR)
        return true;
    return errno_value == EAGAIN && (poll(&wait, 1, -1) >= 0 || errno == EINTR);
}

/* Show the first size bytes; what could be written leaves the buffer. */
static enum mr_status show(struct stdout_sink *sink, size_t size, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    size_t written = 0;
    if (size == 0)
        return MR_OK;
    pthread_mutex_lock(&output_lock);
    while (written < size && status == MR_OK) {
        ssize_t count = write(STDOUT_FILENO, sink->lines.data + written, size - written);
        if (count >= 0)
            written += (size_t)count;
        else if (errno == EPIPE)
            status = MR_FAIL_ERRNO(error, EPIPE, MR_RECOVERY_EXIT,
                                   "Nobody reads standard output any more");
        else if (!wait_for_room(errno))
            status = MR_FAIL_ERRNO(error, errno, mr_file_recovery(errno),
                                   "Standard output cannot be written");
    }
    pthread_mutex_unlock(&output_lock);
    memmove(sink->lines.data, sink->lines.data + written, sink->lines.size - written);
    sink->lines.size -= written;
    sink->sealed_bytes -= written < sink->sealed_bytes ? written : sink->sealed_bytes;
    return status;
}

static enum mr_status stdout_write(void *self, const struct mr_sink_record *records, uint32_t count,
                                   struct mr_error *error)
{
    struct stdout_sink *sink = self;
    for (uint32_t i = 0; i < count; i++) {
        if (mr_line_append(&sink->lines, &records[i]) == MR_OK)
            continue;
        enum mr_status status = show(sink, sink->lines.size, error);
        if (status != MR_OK)
            return status;
        if (mr_line_append(&sink->lines, &records[i]) != MR_OK)
            return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                           "A record of %zu bytes is too large for standard output.",
                           mr_line_size(&records[i]));
    }
    return MR_OK;
}

static enum mr_status stdout_prepare(void *self, struct mr_sink_position *position,
                                     struct mr_error *error)
{
    MR_UNUSED(error);
    struct stdout_sink *sink = self;
    sink->sealed_bytes = sink->lines.size;
    *position = (struct mr_sink_position){0};
    return MR_OK;
}

static enum mr_status stdout_committed(void *self, struct mr_error *error)
{
    struct stdout_sink *sink = self;
    return show(sink, sink->sealed_bytes, error);
}

static void stdout_close(void *self)
{
    struct stdout_sink *sink = self;
    mr_buffer_deinit(&sink->lines);
}

static const struct mr_option_spec stdout_options[] = {{.name = NULL}};

static const struct mr_type_spec stdout_spec = {
    .name = "stdout",
    .role = MR_ROLE_SINK,
    .summary = "Lines on standard output.",
    .description =
        "Writes one line per record to the standard output of the process that runs the task, "
        "after the transaction is committed.\n\n"
        "For looking at results with `millrace run`. It gives no guarantee: a crash right after a "
        "commit loses lines, and nothing remembers what was shown. A line break inside a value is "
        "written as a space, a tombstone as null; keys are not written.",
    .options = stdout_options,
    .guarantee = MR_GUARANTEE_NONE,
};

static const struct mr_sink_ops stdout_ops = {
    .instance_size = sizeof(struct stdout_sink),
    .open = stdout_open,
    .write = stdout_write,
    .prepare = stdout_prepare,
    .committed = stdout_committed,
    .close = stdout_close,
};

const struct mr_connector_type mr_connector_stdout = {.sink_spec = &stdout_spec,
                                                      .sink = &stdout_ops};
