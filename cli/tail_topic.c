/* cli/tail_topic.c — `millrace tail TOPIC`: a topic's committed records.
 * Design: one read_committed consumer reads all partitions. Without --follow it stops at each
 * partition's last stable offset as it is met: an open transaction does not hold it up. */
#include "cli/tail.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/number.h"
#include "cli/kafka_access.h"
#include "cli/record_text.h"

#include <stdio.h>

enum {
    FETCH_MESSAGES_MAX = 500,
    POLL_MS = 100,
    LINE_BYTES_MAX = 256 << 20,
    ARENA_CHUNK_BYTES = 64 << 10,
    OUTPUT_KEPT_BYTES = 1 << 20,
    DEFAULT_LAST = 10
};

enum from_kind { FROM_EARLIEST, FROM_LATEST, FROM_OFFSET, FROM_LAST, FROM_TIME };

struct tailing {
    struct mr_kafka_access access;
    const char *topic_name;
    struct mr_log_topic topic;
    struct mr_log_consumer *consumer;
    struct mr_arena scratch;
    struct mr_buffer line;
    enum from_kind from;
    int64_t from_number;
    bool *partition_ended;
    int32_t ended_count;
    uint64_t left_count; /* records still to print */
    bool follow;
    bool text;
};

static enum mr_exit read_from(struct tailing *tailing, const struct mr_arguments *arguments)
{
    const char *text = mr_arguments_flag(arguments, "from")->text;
    int64_t seconds;
    int32_t nanoseconds;
    tailing->from = tailing->follow ? FROM_LATEST : FROM_LAST;
    tailing->from_number = DEFAULT_LAST;
    if (text == NULL)
        return MR_EXIT_FINE;
    if (strcmp(text, "earliest") == 0) {
        tailing->from = FROM_EARLIEST;
    } else if (strcmp(text, "latest") == 0) {
        tailing->from = FROM_LATEST;
    } else if (mr_number_parse_int(mr_slice_text(text), &tailing->from_number)) {
        tailing->from = text[0] == '-' ? FROM_LAST : FROM_OFFSET;
        tailing->from_number *= text[0] == '-' && tailing->from_number != INT64_MIN ? -1 : 1;
    } else if (mr_clock_parse_rfc3339(mr_slice_text(text), &seconds, &nanoseconds)) {
        tailing->from = FROM_TIME;
        tailing->from_number = seconds * 1000 + nanoseconds / 1000000;
    } else {
        (void)fprintf(stderr,
                      "millrace: --from: found '%.80s', expected earliest, latest, an offset, -N "
                      "for the last N of each partition, or a time such as "
                      "2026-01-28T10:30:00Z; see `millrace help tail`\n",
                      text);
        return MR_EXIT_USAGE;
    }
    return MR_EXIT_FINE;
}

/* Where to start in a partition. */
static enum mr_status find_start(struct tailing *tailing, int32_t partition, int64_t *offset,
                                 struct mr_error *error)
{
    struct mr_log *log = tailing->access.log;
    int64_t first = 0;
    int64_t end = 0;
    enum mr_status status = log->ops->offset_find(log, tailing->topic_name, partition,
                                                  MR_LOG_OFFSET_EARLIEST, &first, error);
    if (status == MR_OK)
        status = log->ops->offset_find(log, tailing->topic_name, partition, MR_LOG_OFFSET_LATEST,
                                       &end, error);
    if (status == MR_OK && tailing->from == FROM_TIME)
        return log->ops->offset_find(log, tailing->topic_name, partition, tailing->from_number,
                                     offset, error);
    if (status != MR_OK)
        return status;
    int64_t wanted = tailing->from == FROM_EARLIEST ? first
                     : tailing->from == FROM_LATEST ? end
                     : tailing->from == FROM_LAST   ? end - tailing->from_number
                                                    : tailing->from_number;
    *offset = wanted < first ? first : wanted > end ? end : wanted;
    return MR_OK;
}

static enum mr_status start_reading(struct tailing *tailing, struct mr_error *error)
{
    struct mr_log *log = tailing->access.log;
    int32_t count = tailing->topic.partitions_count;
    struct mr_log_consumer_options options = {.end_of_partition = true};
    struct mr_log_assignment *assignments =
        mr_arena_new(&tailing->access.arena, (size_t)count, sizeof *assignments);
    enum mr_status status = MR_OK;
    for (int32_t partition = 0; partition < count && status == MR_OK; partition++) {
        assignments[partition] = (struct mr_log_assignment){
            .topic = tailing->topic_name, .partition = partition, .tag = (uint32_t)partition};
        status = find_start(tailing, partition, &assignments[partition].offset, error);
    }
    if (status == MR_OK)
        status = log->ops->consumer_create(log, &options, &tailing->consumer, error);
    if (status == MR_OK)
        status = log->ops->consumer_add(tailing->consumer, assignments, (uint32_t)count, error);
    return status;
}

static enum mr_status append_record(struct tailing *tailing, const struct mr_log_message *message)
{
    struct mr_buffer *line = &tailing->line;
    enum mr_status status;
    if (tailing->text) {
        status = mr_buffer_append(line, message->value.data, message->value.size);
    } else {
        struct mr_record_text record = {
            .topic = tailing->topic_name, .partition = (int32_t)message->tag, .message = message};
        record.headers = tailing->access.log->ops->message_headers(message, &tailing->scratch);
        status = mr_record_text_json(line, &record, &tailing->scratch);
        mr_arena_reset(&tailing->scratch);
    }
    return status == MR_OK ? mr_buffer_append_text(line, "\n") : status;
}

static void flush_lines(struct tailing *tailing)
{
    (void)fwrite(tailing->line.data, 1, tailing->line.size, stdout);
    mr_buffer_clear(&tailing->line);
}

static enum mr_status take_message(struct tailing *tailing, const struct mr_log_fetch *fetch,
                                   const struct mr_log_message *message, struct mr_error *error)
{
    if (message->event == MR_LOG_PARTITION_ERROR) {
        *error = fetch->error;
        return error->status;
    }
    if (message->event == MR_LOG_END_OF_PARTITION) {
        bool *ended = &tailing->partition_ended[message->tag];
        tailing->ended_count += !*ended;
        *ended = true;
        return MR_OK;
    }
    if (tailing->left_count == 0)
        return MR_OK;
    tailing->left_count--;
    if (append_record(tailing, message) != MR_OK)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE, "The record at %s[%d]@%lld is too large.",
                       tailing->topic_name, (int)message->tag, (long long)message->offset);
    if (tailing->line.size > OUTPUT_KEPT_BYTES)
        flush_lines(tailing);
    return MR_OK;
}

static bool is_done(const struct tailing *tailing)
{
    return mr_stop_signalled() || tailing->left_count == 0 || ferror(stdout) ||
           (!tailing->follow && tailing->ended_count == tailing->topic.partitions_count);
}

static enum mr_status read_records(struct tailing *tailing, struct mr_error *error)
{
    const struct mr_log_ops *ops = tailing->access.log->ops;
    enum mr_status status = MR_OK;
    while (status == MR_OK && !is_done(tailing)) {
        struct mr_log_fetch fetch;
        status = ops->consumer_poll(tailing->consumer, FETCH_MESSAGES_MAX, POLL_MS, &fetch, error);
        if (status == MR_AGAIN) {
            status = MR_OK;
            continue;
        }
        if (status != MR_OK)
            return status;
        for (uint32_t index = 0; index < fetch.messages_count && status == MR_OK; index++)
            status = take_message(tailing, &fetch, &fetch.messages[index], error);
        ops->fetch_release(tailing->consumer, &fetch);
        flush_lines(tailing);
        (void)fflush(stdout);
    }
    return status;
}

static enum mr_exit tail_open(struct tailing *tailing, const struct mr_arguments *arguments)
{
    struct mr_error error;
    enum mr_exit code = mr_kafka_access_open(&tailing->access, arguments, "millrace-tail");
    if (code == MR_EXIT_FINE)
        code = read_from(tailing, arguments);
    if (code == MR_EXIT_FINE)
        code = mr_kafka_access_topic(&tailing->access, tailing->topic_name, &tailing->topic);
    if (code != MR_EXIT_FINE)
        return code;
    tailing->partition_ended =
        mr_arena_new(&tailing->access.arena, (size_t)tailing->topic.partitions_count, sizeof(bool));
    mr_catch_stop_signals();
    enum mr_status status = start_reading(tailing, &error);
    if (status == MR_OK)
        status = read_records(tailing, &error);
    return status == MR_OK ? MR_EXIT_FINE
                           : mr_kafka_access_failure(&tailing->access, tailing->topic_name, &error);
}

enum mr_exit mr_tail_topic(const struct mr_arguments *arguments)
{
    struct tailing tailing = {.topic_name = arguments->operands[0],
                              .follow = mr_arguments_given(arguments, "follow"),
                              .left_count = UINT64_MAX};
    const struct mr_flag_value *output = mr_arguments_flag(arguments, "output");
    tailing.text = output->count > 0 && output->integer == MR_OUTPUT_TEXT;
    if (mr_arguments_given(arguments, "count"))
        tailing.left_count = (uint64_t)mr_arguments_flag(arguments, "count")->integer;
    mr_arena_init(&tailing.scratch, ARENA_CHUNK_BYTES);
    mr_buffer_init(&tailing.line, LINE_BYTES_MAX);
    enum mr_exit code = tail_open(&tailing, arguments);
    if (tailing.consumer != NULL)
        tailing.access.log->ops->consumer_destroy(tailing.consumer);
    mr_buffer_deinit(&tailing.line);
    mr_arena_deinit(&tailing.scratch);
    mr_kafka_access_close(&tailing.access);
    return code;
}
