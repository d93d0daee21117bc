/* connectors/file/file_source.c — the source `file`: one record per line.
 * Model: position = byte offset of a line; what a line means is the format's business. A line ends
 * with a line feed, a carriage return before it is not part of it, and blank lines are no records.
 * Design: each poll reads a block at the position straight into the batch's arena, and messages
 * point into it, so nothing is copied and nothing is kept between polls; a line that is cut by the
 * end of the block is read again with the next one, in a larger block when it filled this one.
 * Rules: a bounded read ends where the file ended when it was opened, and its last line needs no
 * line feed. A followed file holds an unfinished line back until its line feed comes; that it
 * became shorter than the position, or that the path names another file, is an error, since
 * positions would no longer mean the same bytes. A line longer than max_line stops the source, or
 * is left out and counted in the log, by the option long_lines. Records' timestamps are the file's
 * modification time when it was opened (followed: the time of reading), so that a bounded replay
 * gives the same. */
#include "connectors/file/file.h"

#include "base/assert.h"
#include "base/log.h"
#include "connectors/line.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK_BYTES = 64 << 10, FOLLOW_POLL_MS = 50, LONG_LINES_FAIL = 0 };

struct file_source {
    bool opened;
    int handle;
    const char *name;
    const char *path;
    bool follow;
    bool skip_header;
    bool long_lines_fail;
    int64_t line_bytes_max;
    int64_t position;
    int64_t end; /* of a bounded read */
    int64_t timestamp_ms;
    dev_t device;
    ino_t inode;
};

static enum mr_status read_failed(struct file_source *source, int errno_value,
                                  struct mr_error *error)
{
    return MR_FAIL_ERRNO(error, errno_value, mr_file_recovery(errno_value),
                         "The file '%s' of source '%s' cannot be read", source->path, source->name);
}

static enum mr_status open_at(struct file_source *source, int64_t position, struct mr_error *error)
{
    source->handle = open(source->path, O_RDONLY | O_CLOEXEC);
    if (source->handle < 0)
        return read_failed(source, errno, error);
    source->opened = true;
    struct stat status;
    if (fstat(source->handle, &status) != 0)
        return read_failed(source, errno, error);
    if (!S_ISREG(status.st_mode))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "'%s' of source '%s' is not a regular file.", source->path, source->name);
    if (status.st_size < position)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The file '%s' of source '%s' has %" PRId64 " bytes, but %" PRId64
                       " were read before: it is not the same file.",
                       source->path, source->name, (int64_t)status.st_size, position);
    source->device = status.st_dev;
    source->inode = status.st_ino;
    source->end = status.st_size;
    source->timestamp_ms = (int64_t)status.st_mtim.tv_sec * 1000 + status.st_mtim.tv_nsec / 1000000;
    return MR_OK;
}

static enum mr_status file_open(void *self, const struct mr_connector_open *open, int64_t position,
                                struct mr_error *error)
{
    struct file_source *source = self;
    source->name = open->name;
    source->path = mr_options_text(open->options, "path");
    source->follow = mr_options_boolean(open->options, "follow");
    source->skip_header = mr_options_boolean(open->options, "skip_header");
    source->line_bytes_max = mr_options_integer(open->options, "max_line");
    source->long_lines_fail = mr_options_integer(open->options, "long_lines") == LONG_LINES_FAIL;
    source->position = position;
    if (open->partition > 0) {
        source->handle = -1; /* a file is one partition; the others are empty */
        source->end = position;
        source->follow = false;
        return MR_OK;
    }
    return open_at(source, position, error);
}

static void file_close(void *self)
{
    struct file_source *source = self;
    if (source->opened)
        (void)close(source->handle);
    source->opened = false;
}

/* ---- Poll ---- */

struct lines {
    struct mr_log_message *messages;
    uint32_t count;
    uint32_t count_max;
    int64_t timestamp_ms;
};

/* The line at offset is longer than max_line. */
static enum mr_status long_line(struct file_source *source, int64_t offset, struct mr_error *error)
{
    if (source->long_lines_fail)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The line at byte %" PRId64 " of '%s' is longer than %" PRId64
                       " bytes: raise max_line of source '%s', or set long_lines: skip.",
                       offset, source->path, source->line_bytes_max, source->name);
    MR_LOG_AT(MR_LOG_WARNING, "file", MR_LOG_FIELDS("source", source->name),
              "The line at byte %" PRId64 " is longer than max_line and was left out.", offset);
    return MR_OK;
}

static bool is_heading(const struct file_source *source, int64_t offset)
{
    return source->skip_header && offset == 0;
}

/* A line from the position on, without its line feed; size_with_break bytes are used up. */
static enum mr_status take_line(struct file_source *source, struct lines *lines,
                                const uint8_t *text, size_t size, size_t size_with_break,
                                struct mr_error *error)
{
    int64_t offset = source->position;
    if (size > 0 && text[size - 1] == '\r')
        size--;
    if (size > 0 && !is_heading(source, offset)) {
        if ((int64_t)size > source->line_bytes_max) {
            enum mr_status status = long_line(source, offset, error);
            if (status != MR_OK)
                return status;
        } else {
            struct mr_log_message *message = &lines->messages[lines->count++];
            memset(message, 0, sizeof(*message));
            message->event = MR_LOG_RECORD;
            message->offset = offset;
            message->timestamp_ms = lines->timestamp_ms;
            message->key_null = true;
            message->value = mr_slice_from(text, size);
        }
    }
    source->position += (int64_t)size_with_break;
    return MR_OK;
}

/* A line too long for a block: on behind its line feed, or to where a bounded read ends. */
static enum mr_status skip_long_line(struct file_source *source, struct mr_arena *arena,
                                     struct mr_error *error)
{
    if (!is_heading(source, source->position)) {
        enum mr_status status = long_line(source, source->position, error);
        if (status != MR_OK)
            return status;
    }
    uint8_t *block = mr_arena_take(arena, BLOCK_BYTES);
    for (int64_t at = source->position;;) {
        ssize_t got = pread(source->handle, block, BLOCK_BYTES, at);
        if (got < 0)
            return read_failed(source, errno, error);
        if (got == 0 && source->follow)
            return MR_AGAIN; /* unfinished: from its beginning again next time */
        const uint8_t *line_break = memchr(block, '\n', (size_t)got);
        at += line_break == NULL ? got : line_break - block + 1;
        if (got == 0 || line_break != NULL || (!source->follow && at >= source->end)) {
            source->position = !source->follow && at > source->end ? source->end : at;
            return MR_OK;
        }
    }
}

static enum mr_status take_lines(struct file_source *source, struct lines *lines,
                                 const uint8_t *block, size_t size, bool last,
                                 struct mr_error *error)
{
    size_t at = 0;
    while (at < size && lines->count < lines->count_max) {
        const uint8_t *line_break = memchr(block + at, '\n', size - at);
        if (line_break == NULL && !last)
            return MR_OK;
        size_t line = line_break == NULL ? size - at : (size_t)(line_break - block) - at;
        size_t used = line + (line_break != NULL);
        enum mr_status status = take_line(source, lines, block + at, line, used, error);
        if (status != MR_OK)
            return status;
        at += used;
    }
    return MR_OK;
}

/* Is the file that is followed still the one at the path? */
static enum mr_status check_followed(struct file_source *source, struct mr_error *error)
{
    struct stat opened;
    struct stat named;
    if (fstat(source->handle, &opened) != 0)
        return read_failed(source, errno, error);
    if (opened.st_size < source->position)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The file '%s' of source '%s' was cut to %" PRId64
                       " bytes while it was followed; %" PRId64 " were read already.",
                       source->path, source->name, (int64_t)opened.st_size, source->position);
    if (stat(source->path, &named) != 0 || named.st_dev != source->device ||
        named.st_ino != source->inode)
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The file '%s' of source '%s' was replaced or removed while it was "
                       "followed.",
                       source->path, source->name);
    return MR_OK;
}

/* Read blocks until there is a record, or no complete line is left. */
static enum mr_status read_lines(struct file_source *source, struct mr_arena *arena,
                                 struct lines *lines, struct mr_error *error)
{
    int64_t block_bytes = BLOCK_BYTES;
    while (lines->count == 0) {
        int64_t wanted = block_bytes;
        if (!source->follow && source->end - source->position < wanted)
            wanted = source->end - source->position;
        if (wanted == 0)
            return MR_END;
        uint8_t *block = mr_arena_take(arena, (size_t)wanted);
        ssize_t got = pread(source->handle, block, (size_t)wanted, source->position);
        if (got < 0)
            return read_failed(source, errno, error);
        if (got < wanted && !source->follow)
            return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                           "The file '%s' of source '%s' was cut while it was read.", source->path,
                           source->name);
        int64_t before = source->position;
        bool last = !source->follow && before + got >= source->end;
        enum mr_status status = take_lines(source, lines, block, (size_t)got, last, error);
        if (status != MR_OK)
            return lines->count > 0 ? MR_OK : status;
        if (source->position != before)
            continue;
        if (got < wanted)
            return MR_AGAIN; /* followed, and no line feed yet */
        if (block_bytes > source->line_bytes_max + 1) {
            status = skip_long_line(source, arena, error);
            if (status != MR_OK)
                return status;
        } else {
            block_bytes *= 2;
        }
    }
    return MR_OK;
}

static enum mr_status file_poll(void *self, struct mr_arena *arena, uint32_t messages_max,
                                int64_t now_wall_ms, struct mr_log_message **messages,
                                uint32_t *messages_count, int64_t *next_position, int64_t *due_ms,
                                struct mr_error *error)
{
    struct file_source *source = self;
    MR_ASSERT(messages_max > 0);
    struct lines lines = {.count_max = messages_max};
    lines.timestamp_ms = source->follow ? now_wall_ms : source->timestamp_ms;
    lines.messages = mr_arena_take(arena, messages_max * sizeof(struct mr_log_message));
    *due_ms = 0;
    enum mr_status status = MR_END;
    if (source->follow || source->position < source->end)
        status = read_lines(source, arena, &lines, error);
    if (status == MR_AGAIN) {
        *due_ms = now_wall_ms + FOLLOW_POLL_MS;
        if (check_followed(source, error) != MR_OK)
            status = error->status;
    }
    *messages = lines.messages;
    *messages_count = lines.count;
    *next_position = source->position;
    return status;
}

/* Of a followed file: behind its last line feed, since an unfinished line is held back. */
static int64_t file_end_position(void *self)
{
    struct file_source *source = self;
    if (!source->follow)
        return source->end;
    struct stat status;
    if (fstat(source->handle, &status) != 0)
        return source->position;
    uint8_t block[4096];
    int64_t at = status.st_size;
    while (at > source->position) {
        int64_t first = at - (int64_t)sizeof(block);
        if (first < source->position)
            first = source->position;
        ssize_t got = pread(source->handle, block, (size_t)(at - first), first);
        if (got <= 0)
            break;
        const uint8_t *line_break = memrchr(block, '\n', (size_t)got);
        if (line_break != NULL)
            return first + (line_break - block) + 1;
        at = first;
    }
    return source->position;
}

/* ---- What the language knows of it ---- */

static const char *const long_lines_choices[] = {"fail", "skip", NULL};

static const struct mr_option_spec file_source_options[] = {
    {.name = "path",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .help = "The file to read."},
    {.name = "follow",
     .type = MR_OPTION_BOOLEAN,
     .default_text = "false",
     .help = "Whether to wait for lines that are written later, instead of ending with the file."},
    {.name = "skip_header",
     .type = MR_OPTION_BOOLEAN,
     .default_text = "false",
     .help = "Whether the first line is a heading and no record."},
    {.name = "max_line",
     .type = MR_OPTION_SIZE,
     .default_text = "1MiB",
     .minimum = 16,
     .maximum = MR_LIMIT_RECORD_BYTES,
     .help = "The longest line in bytes."},
    {.name = "long_lines",
     .type = MR_OPTION_CHOICE,
     .default_text = "fail",
     .choices = long_lines_choices,
     .help = "What a line longer than max_line does: stop the topology, or be left out with a "
             "warning in the program's log."},
    {.name = NULL},
};

static const struct mr_output_spec file_source_outputs[] = {
    {.name = "main", .help = "A record per line."},
};

const struct mr_type_spec mr_file_source_spec = {
    .name = "file",
    .role = MR_ROLE_SOURCE,
    .summary = "Lines of a file.",
    .description =
        "Reads a file line by line; the format says what a line means (json, csv, text).\n\n"
        "Without `follow` it ends where the file ended when it was opened, so that the same "
        "topology runs on a file as a batch. With `follow` it waits for more lines; a line counts "
        "when its line feed is there. A file that is cut or replaced while it is followed stops "
        "the topology: rotate by writing to a new file and a new source.\n\n"
        "Blank lines are left out. A record's timestamp is the file's modification time (with "
        "`follow`: the time of reading); name the field that holds the time in `timestamp`. The "
        "file must be on the worker that runs the task.",
    .options = file_source_options,
    .outputs = file_source_outputs,
    .outputs_count = 1,
    .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
};

const struct mr_source_ops mr_file_source_ops = {
    .instance_size = sizeof(struct file_source),
    .open = file_open,
    .poll = file_poll,
    .end_position = file_end_position,
    .close = file_close,
};
