/* connectors/file/file_sink.c — the sink `file`: one line per record, in files that are complete
 * when they have their name. Model: a file is written as NAME-<partition>-<number>.part and gets
 * its final name NAME-<partition>-<number>.EXTENSION when a transaction that ends behind it is
 * committed. Position: the number of the open file and how many of its bytes are committed; {0, 0}
 * before the first. Exactly once: the position is stored in the transaction, so after a crash
 * `open` knows what was committed: parts with a smaller number are complete and get their names,
 * the part of that number is cut back, parts with larger numbers are removed. A final name is never
 * touched. Without a stored position (a new topology, or a log that did not outlive its process)
 * numbers go on behind the largest that is there, and parts found are renamed to .stale: they are
 * of another life. On an orderly close, when all is committed, the open file gets its name too;
 * `open` recognises that and goes on with the next number. Errors: what may heal (disk full) is
 * RETRY: a call that failed is to be repeated with the same records; those already taken are not
 * written twice. A failed fsync is REINCARNATE: nobody knows which pages are on the disk, so the
 * part is cut back to what was committed before. */
#include "connectors/file/file_parts.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "connectors/file/file.h"
#include "connectors/line.h"

#include <errno.h>
#include <inttypes.h>
#include <unistd.h>

enum { FLUSH_BYTES = 256 << 10, BUFFER_BYTES_MAX = (MR_LIMIT_RECORD_BYTES + 1) + FLUSH_BYTES };

struct file_sink {
    struct mr_file_parts parts;
    bool exactly_once;
    int64_t roll_records; /* 0: no limit, as of the two below */
    int64_t roll_bytes;
    uint64_t roll_every_ms;
    struct mr_buffer buffer; /* behind flushed_bytes */
    int handle;              /* -1: no file is open */
    int64_t number;
    int64_t flushed_bytes;
    int64_t records_count;
    uint64_t started_ms; /* when the file got its first record */
    uint32_t taken;      /* records of a failed write that are in already */
    struct mr_sink_position prepared;
    int64_t named_below; /* files below this number have their names */
    bool prepared_all;   /* nothing was written since the last prepare */
    bool committed_all;  /* and that transaction is committed */
};

static enum mr_status sink_open(void *self, const struct mr_connector_open *open,
                                struct mr_sink_position position, struct mr_error *error)
{
    struct file_sink *sink = self;
    const struct mr_options *roll = mr_options_get(open->options, "roll")->objects;
    sink->handle = -1;
    sink->exactly_once = open->exactly_once;
    mr_buffer_init(&sink->buffer, BUFFER_BYTES_MAX);
    if (roll != NULL) {
        sink->roll_records = mr_options_integer(roll, "records");
        sink->roll_bytes = mr_options_integer(roll, "size");
        sink->roll_every_ms = (uint64_t)mr_options_integer(roll, "every");
    }
    enum mr_status status = mr_file_parts_open(&sink->parts, mr_options_text(open->options, "path"),
                                               open->name, open->partition, error);
    if (status == MR_OK)
        status = mr_file_parts_recover(&sink->parts, &position, error);
    if (status != MR_OK)
        return status;
    sink->number = sink->named_below = position.file_number;
    sink->flushed_bytes = position.bytes;
    sink->prepared = position;
    sink->prepared_all = sink->committed_all = true;
    if (position.bytes == 0)
        return MR_OK;
    sink->started_ms = mr_clock_monotonic_ms();
    status = mr_file_parts_open_part(&sink->parts, sink->number, &sink->handle, error);
    if (status == MR_OK)
        status = mr_file_parts_count_lines(&sink->parts, sink->handle, &sink->records_count, error);
    return status;
}

static enum mr_status flush(struct file_sink *sink, struct mr_error *error)
{
    size_t written = 0;
    enum mr_status status = MR_OK;
    if (sink->buffer.size == 0)
        return MR_OK;
    if (sink->handle < 0)
        status = mr_file_parts_open_part(&sink->parts, sink->number, &sink->handle, error);
    while (status == MR_OK && written < sink->buffer.size) {
        ssize_t size = pwrite(sink->handle, sink->buffer.data + written,
                              sink->buffer.size - written, sink->flushed_bytes);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0) {
            status = MR_FAIL_ERRNO(error, errno, mr_file_recovery(errno),
                                   "Part %" PRId64 " of '%s' cannot be written", sink->number,
                                   sink->parts.stem);
            break;
        }
        written += (size_t)size;
        sink->flushed_bytes += size;
    }
    /* What could not be written stays in the buffer, for the next try. */
    memmove(sink->buffer.data, sink->buffer.data + written, sink->buffer.size - written);
    sink->buffer.size -= written;
    return status;
}

static enum mr_status make_durable(struct file_sink *sink, struct mr_error *error)
{
    enum mr_status status = flush(sink, error);
    if (status == MR_OK && sink->exactly_once && sink->handle >= 0 && fdatasync(sink->handle) != 0)
        status = MR_FAIL_ERRNO(error, errno, MR_RECOVERY_REINCARNATE,
                               "Part %" PRId64 " of '%s' cannot be made durable", sink->number,
                               sink->parts.stem);
    return status;
}

/* The open file takes no more; the next record begins another. */
static enum mr_status roll(struct file_sink *sink, struct mr_error *error)
{
    enum mr_status status = make_durable(sink, error);
    if (status != MR_OK)
        return status;
    (void)close(sink->handle);
    sink->handle = -1;
    sink->number++;
    sink->flushed_bytes = 0;
    sink->records_count = 0;
    return MR_OK;
}

static bool roll_due(const struct file_sink *sink)
{
    int64_t bytes = sink->flushed_bytes + (int64_t)sink->buffer.size;
    return bytes > 0 && ((sink->roll_records > 0 && sink->records_count >= sink->roll_records) ||
                         (sink->roll_bytes > 0 && bytes >= sink->roll_bytes));
}

static enum mr_status take(struct file_sink *sink, const struct mr_sink_record *record,
                           struct mr_error *error)
{
    enum mr_status status = MR_OK;
    if (roll_due(sink))
        status = roll(sink, error);
    if (status == MR_OK && sink->buffer.size >= FLUSH_BYTES)
        status = flush(sink, error);
    if (status != MR_OK)
        return status;
    if (mr_line_append(&sink->buffer, record) != MR_OK)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A record of %zu bytes is too large for a file.", mr_line_size(record));
    if (sink->records_count++ == 0)
        sink->started_ms = mr_clock_monotonic_ms();
    sink->prepared_all = sink->committed_all = false;
    return MR_OK;
}

static enum mr_status sink_write(void *self, const struct mr_sink_record *records, uint32_t count,
                                 struct mr_error *error)
{
    struct file_sink *sink = self;
    MR_ASSERT(sink->taken <= count);
    while (sink->taken < count) {
        enum mr_status status = take(sink, &records[sink->taken], error);
        if (status != MR_OK)
            return status;
        sink->taken++;
    }
    sink->taken = 0;
    return MR_OK;
}

static enum mr_status sink_prepare(void *self, struct mr_sink_position *position,
                                   struct mr_error *error)
{
    struct file_sink *sink = self;
    bool old = sink->roll_every_ms > 0 && sink->flushed_bytes + (int64_t)sink->buffer.size > 0 &&
               mr_clock_monotonic_ms() - sink->started_ms >= sink->roll_every_ms;
    enum mr_status status = old || roll_due(sink) ? roll(sink, error) : make_durable(sink, error);
    if (status == MR_OK && sink->exactly_once)
        status = mr_file_parts_sync_folder(&sink->parts, error);
    if (status != MR_OK)
        return status;
    sink->prepared =
        (struct mr_sink_position){.file_number = sink->number, .bytes = sink->flushed_bytes};
    sink->prepared_all = true;
    *position = sink->prepared;
    return MR_OK;
}

static enum mr_status sink_committed(void *self, struct mr_error *error)
{
    struct file_sink *sink = self;
    bool named = false;
    for (; sink->named_below < sink->prepared.file_number; sink->named_below++) {
        enum mr_status status = mr_file_parts_finish(&sink->parts, sink->named_below, error);
        if (status != MR_OK)
            return status;
        named = true;
    }
    sink->committed_all = sink->prepared_all;
    return named && sink->exactly_once ? mr_file_parts_sync_folder(&sink->parts, error) : MR_OK;
}

static void sink_close(void *self)
{
    struct file_sink *sink = self;
    if (sink->handle >= 0) {
        (void)close(sink->handle);
        /* A part that stays one is recovered by the next open. */
        struct mr_error error;
        if (sink->committed_all &&
            mr_file_parts_finish(&sink->parts, sink->number, &error) != MR_OK)
            MR_LOG_AT(MR_LOG_WARNING, "file", MR_LOG_FIELDS("reason", error.message),
                      "The last file keeps its unfinished name until the next start.");
    }
    sink->handle = -1;
    mr_buffer_deinit(&sink->buffer);
    mr_file_parts_close(&sink->parts);
}

/* ---- What the language knows of it ---- */

static const struct mr_option_spec roll_options[] = {
    {.name = "records",
     .type = MR_OPTION_INTEGER,
     .minimum = 1,
     .maximum = 1e12,
     .help = "Records per file."},
    {.name = "size",
     .type = MR_OPTION_SIZE,
     .minimum = 1,
     .maximum = 1e15,
     .help = "Bytes after which the next record begins a new file."},
    {.name = "every",
     .type = MR_OPTION_DURATION,
     .minimum = 1,
     .maximum = 1e12,
     .help = "Age of a file at which the next transaction closes it."},
    {.name = NULL},
};

static const struct mr_option_spec file_sink_options[] = {
    {.name = "path",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "A file name such as out/readings.jsonl, from which the files are named "
             "(out/readings-0-000001.jsonl), or an existing folder."},
    {.name = "roll",
     .type = MR_OPTION_OBJECT,
     .fields = roll_options,
     .help = "When to begin a new file; without it there is one file per start of the task."},
    {.name = NULL},
};

const struct mr_type_spec mr_file_sink_spec = {
    .name = "file",
    .role = MR_ROLE_SINK,
    .summary = "Lines in files.",
    .description =
        "Writes one line per record. A file is called NAME-<partition>-<number>.part while it "
        "grows, and gets its final name at once when the transaction that closes it is committed: "
        "whoever reads files by their final names sees complete files and every record exactly "
        "once.\n\n"
        "Exactly once holds as long as the task finds the same disk again. On several workers put "
        "the files on shared storage, or use kafka.\n\n"
        "A line break inside a value is written as a space, a tombstone as null; keys are not "
        "written.",
    .options = file_sink_options,
    .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
};

const struct mr_sink_ops mr_file_sink_ops = {
    .instance_size = sizeof(struct file_sink),
    .open = sink_open,
    .write = sink_write,
    .prepare = sink_prepare,
    .committed = sink_committed,
    .close = sink_close,
};
