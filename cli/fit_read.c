/* cli/fit_read.c — see fit_read.h. */
#include "cli/fit_read.h"

#include "base/clock.h"
#include "cli/kafka_access.h"
#include "cli/line_reader.h"
#include "cli/report_synthetic_rows.h"
#include "cli/text.h"
#include "record/json_value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { FETCH_MESSAGES_MAX = 500, POLL_MS = 100, LINE_BYTES_MAX = 16 << 20 };

static bool is_full(const struct mr_fit_reading *reading)
{
    return reading->learner->rows_count >= reading->rows_max;
}

static enum mr_exit say(const char *where, const struct mr_error *error, enum mr_exit code)
{
    (void)fprintf(stderr, "millrace: %s%s", where == NULL ? "" : where, where == NULL ? "" : ": ");
    mr_text_write(stderr, mr_slice_text(error->message));
    (void)fputc('\n', stderr);
    return code;
}

/* A record's text. */
static enum mr_status take_json(struct mr_fit_reading *reading, struct mr_slice text,
                                int64_t time_ms, struct mr_error *error)
{
    struct mr_arena *arena = mr_fit_learner_arena(reading->learner);
    struct mr_value row = {0};
    struct mr_error why;
    if (mr_json_parse(mr_arena_copy(arena, text), NULL, arena, &row, &why) != MR_OK ||
        row.kind != MR_KIND_MAP) {
        reading->left_out++;
        return MR_OK;
    }
    return mr_fit_learner_add(reading->learner, row, time_ms, error);
}

/* ---- A topic ---- */

struct topic {
    struct mr_fit_reading *reading;
    struct mr_kafka_access access;
    const char *name;
    struct mr_log_topic described;
    struct mr_log_consumer *consumer;
    bool *ended;
    int32_t ended_count;
};

static enum mr_status start(struct topic *topic, struct mr_error *error)
{
    struct mr_log *log = topic->access.log;
    int32_t count = topic->described.partitions_count;
    struct mr_log_consumer_options options = {.end_of_partition = true};
    struct mr_log_assignment *assignments =
        mr_arena_new(&topic->access.arena, (size_t)count, sizeof(*assignments));
    enum mr_status status = MR_OK;
    topic->ended = mr_arena_new(&topic->access.arena, (size_t)count, sizeof(bool));
    for (int32_t partition = 0; partition < count && status == MR_OK; partition++) {
        assignments[partition] = (struct mr_log_assignment){
            .topic = topic->name, .partition = partition, .tag = (uint32_t)partition};
        status = log->ops->offset_find(log, topic->name, partition, MR_LOG_OFFSET_EARLIEST,
                                       &assignments[partition].offset, error);
    }
    if (status == MR_OK)
        status = log->ops->consumer_create(log, &options, &topic->consumer, error);
    return status == MR_OK
               ? log->ops->consumer_add(topic->consumer, assignments, (uint32_t)count, error)
               : status;
}

static enum mr_status take_message(struct topic *topic, const struct mr_log_fetch *fetch,
                                   const struct mr_log_message *message, struct mr_error *error)
{
    if (message->event == MR_LOG_PARTITION_ERROR) {
        *error = fetch->error;
        return error->status;
    }
    if (message->event == MR_LOG_END_OF_PARTITION) {
        topic->ended_count += !topic->ended[message->tag];
        topic->ended[message->tag] = true;
        return MR_OK;
    }
    if (is_full(topic->reading))
        return MR_OK;
    if (message->value_null) {
        topic->reading->left_out++;
        return MR_OK;
    }
    return take_json(topic->reading, message->value,
                     message->timestamp_ms < 0 ? INT64_MIN : message->timestamp_ms, error);
}

static bool is_done(const struct topic *topic)
{
    const struct mr_fit_reading *reading = topic->reading;
    return mr_stop_signalled() || is_full(reading) ||
           (topic->ended_count == topic->described.partitions_count &&
            reading->learner->rows_count >= reading->rows_min);
}

static enum mr_status read_records(struct topic *topic, struct mr_error *error)
{
    const struct mr_log_ops *ops = topic->access.log->ops;
    uint64_t begun_ms = mr_clock_monotonic_ms();
    enum mr_status status = MR_OK;
    while (status == MR_OK && !is_done(topic)) {
        struct mr_log_fetch fetch;
        if (mr_clock_monotonic_ms() - begun_ms >= (uint64_t)topic->reading->timeout_ms) {
            topic->reading->timed_out = true;
            break;
        }
        status = ops->consumer_poll(topic->consumer, FETCH_MESSAGES_MAX, POLL_MS, &fetch, error);
        if (status == MR_AGAIN) {
            status = MR_OK;
            continue;
        }
        if (status != MR_OK)
            break;
        for (uint32_t index = 0; index < fetch.messages_count && status == MR_OK; index++)
            status = take_message(topic, &fetch, &fetch.messages[index], error);
        ops->fetch_release(topic->consumer, &fetch);
    }
    return status;
}

static enum mr_exit read_topic(struct topic *topic)
{
    struct mr_error error;
    enum mr_exit code =
        mr_kafka_access_open(&topic->access, topic->reading->arguments, "millrace-fit");
    if (code == MR_EXIT_FINE)
        code = mr_kafka_access_topic(&topic->access, topic->name, &topic->described);
    if (code != MR_EXIT_FINE)
        return code;
    topic->reading->partitions = topic->described.partitions_count;
    mr_catch_stop_signals();
    enum mr_status status = start(topic, &error);
    if (status == MR_OK)
        status = read_records(topic, &error);
    if (status == MR_INVALID || status == MR_LIMIT)
        return say(topic->name, &error, MR_EXIT_WRONG);
    return status == MR_OK ? MR_EXIT_FINE
                           : mr_kafka_access_failure(&topic->access, topic->name, &error);
}

enum mr_exit mr_fit_read_topic(struct mr_fit_reading *reading, const char *name)
{
    struct topic topic = {.reading = reading, .name = name};
    enum mr_exit code = read_topic(&topic);
    if (topic.consumer != NULL)
        topic.access.log->ops->consumer_destroy(topic.consumer);
    mr_kafka_access_close(&topic.access);
    return code;
}

/* ---- A file ---- */

static enum mr_exit read_lines(struct mr_fit_reading *reading, struct mr_line_reader *reader,
                               const char *path)
{
    while (!is_full(reading)) {
        struct mr_slice line;
        struct mr_error error;
        enum mr_status status = mr_line_reader_next(reader, -1, &line, &error);
        if (status == MR_END)
            return MR_EXIT_FINE;
        if (status == MR_IO)
            return say(path, &error, MR_EXIT_USAGE);
        if (status == MR_LIMIT)
            reading->left_out++;
        if (status != MR_OK || line.size == 0)
            continue;
        if (take_json(reading, line, INT64_MIN, &error) != MR_OK)
            return say(path, &error, MR_EXIT_WRONG);
    }
    return MR_EXIT_FINE;
}

static enum mr_exit read_json(struct mr_fit_reading *reading, const char *path)
{
    bool is_input = strcmp(path, "-") == 0;
    int descriptor = is_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        (void)fprintf(stderr, "millrace: %s cannot be read: %s\n", path, strerror(errno));
        return MR_EXIT_USAGE;
    }
    struct mr_line_reader reader;
    mr_line_reader_init(&reader, descriptor, LINE_BYTES_MAX);
    enum mr_exit code = read_lines(reading, &reader, path);
    mr_line_reader_deinit(&reader);
    if (!is_input)
        (void)close(descriptor);
    return code;
}

/* The names of the columns, which all rows share. */
static struct mr_value *copy_names(const struct mr_synthetic_rows *rows, struct mr_arena *arena)
{
    struct mr_value *names = mr_arena_new(arena, rows->names_count, sizeof(*names));
    for (uint32_t column = 0; column < rows->names_count; column++)
        names[column] = mr_value_string(mr_arena_copy(arena, mr_slice_text(rows->names[column])));
    return names;
}

/* A row of CSV as an object of texts. */
static struct mr_value object_of(const struct mr_synthetic_rows *rows, const struct mr_value *names,
                                 struct mr_arena *arena)
{
    struct mr_map_entry *entries = mr_arena_new(arena, rows->names_count, sizeof(*entries));
    for (uint32_t column = 0; column < rows->names_count; column++) {
        bool is_missing = rows->cells[column].kind == MR_SYNTHETIC_CELL_MISSING;
        entries[column].key = names[column];
        entries[column].value =
            is_missing ? mr_value_null()
                       : mr_value_string(mr_arena_copy(arena, rows->cells[column].text));
    }
    return (struct mr_value){.kind = MR_KIND_MAP, .size = rows->names_count, .entries = entries};
}

static enum mr_status read_csv(struct mr_fit_reading *reading, struct mr_synthetic_rows *rows,
                               const char *path, struct mr_error *error)
{
    struct mr_arena *arena = mr_fit_learner_arena(reading->learner);
    enum mr_status status = mr_synthetic_rows_open(rows, path, error);
    if (status == MR_OK && !rows->is_csv)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "%s holds JSON, not CSV: say --format json", path);
    const struct mr_value *names = status == MR_OK ? copy_names(rows, arena) : NULL;
    while (status == MR_OK && !is_full(reading)) {
        status = mr_synthetic_rows_next(rows, error);
        if (status == MR_OK)
            status = mr_fit_learner_add(reading->learner, object_of(rows, names, arena), INT64_MIN,
                                        error);
    }
    return status == MR_END ? MR_OK : status;
}

enum mr_exit mr_fit_read_file(struct mr_fit_reading *reading, const char *path,
                              enum mr_fit_format format)
{
    struct mr_error error;
    if (format == MR_FIT_JSON)
        return read_json(reading, path);
    struct mr_synthetic_rows *rows = mr_arena_new(&reading->learner->arena, 1, sizeof(*rows));
    enum mr_status status = read_csv(reading, rows, path, &error);
    mr_synthetic_rows_close(rows);
    if (status == MR_OK)
        return MR_EXIT_FINE;
    return say(NULL, &error, status == MR_IO ? MR_EXIT_USAGE : MR_EXIT_WRONG);
}
