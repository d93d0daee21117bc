/* cli/dlq_read.c — see dlq_read.h. */
#include "cli/dlq_read.h"

#include "base/memory.h"
#include "base/number.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

enum { SCRATCH_CHUNK_BYTES = 64 << 10, MARKS_FIRST = 256 };

const char mr_dlq_mark_header[] = "millrace.replayed";

enum mr_exit mr_dlq_open(struct mr_dlq *dlq, struct mr_kafka_access *access, const char *topology)
{
    struct mr_error error;
    *dlq = (struct mr_dlq){.access = access};
    mr_arena_init(&dlq->scratch, SCRATCH_CHUNK_BYTES);
    dlq->topic_name = mr_arena_format(&access->arena, "%s.dead-letters", topology);
    enum mr_status status =
        access->log->ops->topic_describe(access->log, dlq->topic_name, &dlq->topic, &error);
    if (status == MR_NOT_FOUND) {
        (void)fprintf(stderr,
                      "millrace: there is no topic '%s' at %s: the topology '%s' never ran there "
                      "with this name\n",
                      dlq->topic_name, access->brokers, topology);
        return MR_EXIT_WRONG;
    }
    if (status != MR_OK)
        return mr_kafka_access_failure(access, dlq->topic_name, &error);
    size_t count = (size_t)dlq->topic.partitions_count;
    dlq->marked = mr_arena_new(&access->arena, count, sizeof *dlq->marked);
    dlq->marked_counts = mr_arena_new(&access->arena, count, sizeof *dlq->marked_counts);
    dlq->marked_capacities = mr_arena_new(&access->arena, count, sizeof *dlq->marked_capacities);
    return MR_EXIT_FINE;
}

void mr_dlq_close(struct mr_dlq *dlq)
{
    for (int32_t index = 0; dlq->marked != NULL && index < dlq->topic.partitions_count; index++)
        mr_memory_free(dlq->marked[index]);
    mr_arena_deinit(&dlq->scratch);
}

enum mr_status mr_dlq_mark_encode(struct mr_buffer *output, const int64_t *offsets, uint32_t count)
{
    enum mr_status status = mr_buffer_append_text(output, "{\"replayed\":[");
    for (uint32_t index = 0; index < count && status == MR_OK; index++)
        status =
            mr_buffer_append_format(output, index == 0 ? "%" PRId64 : ",%" PRId64, offsets[index]);
    return status == MR_OK ? mr_buffer_append_text(output, "]}") : status;
}

static enum mr_status add_mark(struct mr_dlq *dlq, int32_t partition, int64_t offset,
                               struct mr_error *error)
{
    uint32_t *count = &dlq->marked_counts[partition];
    uint32_t *capacity = &dlq->marked_capacities[partition];
    if (dlq->marked_total++ >= MR_DLQ_MARKED_MAX)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                       "More than %d letters were replayed; older ones must leave the topic first.",
                       (int)MR_DLQ_MARKED_MAX);
    if (*count == *capacity) {
        *capacity = *capacity == 0 ? MARKS_FIRST : *capacity * 2;
        dlq->marked[partition] =
            mr_memory_resize(dlq->marked[partition], *capacity * sizeof(int64_t));
    }
    dlq->marked[partition][(*count)++] = offset;
    return MR_OK;
}

/* Offsets of a mark's value: the digits between its brackets. */
static enum mr_status decode_mark(struct mr_dlq *dlq, int32_t partition, struct mr_slice value,
                                  struct mr_error *error)
{
    const uint8_t *end = value.data + value.size;
    const uint8_t *cursor = value.size == 0 ? NULL : memchr(value.data, '[', value.size);
    enum mr_status status = MR_OK;
    while (cursor != NULL && cursor < end && *cursor != ']' && status == MR_OK) {
        struct mr_number number;
        const uint8_t *behind = mr_number_parse(cursor + 1, end, &number);
        if (behind == NULL || number.kind != MR_NUMBER_INT)
            break;
        status = add_mark(dlq, partition, number.signed_integer, error);
        cursor = behind;
    }
    return status;
}

static const struct mr_header *find_header(struct mr_headers headers, const char *name)
{
    for (uint32_t index = 0; index < headers.count; index++)
        if (strcmp(headers.items[index].name, name) == 0)
            return &headers.items[index];
    return NULL;
}

struct pass {
    struct mr_dlq *dlq;
    int32_t partition;
    enum mr_status (*visit)(void *argument, const struct mr_dead_letter_read *letter,
                            struct mr_error *error);
    void *argument;
    bool stopped;
};

static enum mr_status visit_mark(void *argument, const struct mr_log_message *message,
                                 struct mr_error *error)
{
    struct pass *pass = argument;
    struct mr_dlq *dlq = pass->dlq;
    mr_arena_reset(&dlq->scratch);
    struct mr_headers headers = dlq->access->log->ops->message_headers(message, &dlq->scratch);
    if (find_header(headers, mr_dlq_mark_header) == NULL)
        return MR_OK;
    return decode_mark(dlq, pass->partition, message->value, error);
}

static int compare_offsets(const void *left, const void *right)
{
    int64_t a = *(const int64_t *)left;
    int64_t b = *(const int64_t *)right;
    return a < b ? -1 : a > b;
}

static bool is_marked(const struct mr_dlq *dlq, int32_t partition, int64_t offset)
{
    uint32_t count = dlq->marked_counts[partition];
    return count > 0 && bsearch(&offset, dlq->marked[partition], count, sizeof(int64_t),
                                compare_offsets) != NULL;
}

static int64_t header_number(struct mr_headers headers, const char *name)
{
    const struct mr_header *header = find_header(headers, name);
    int64_t value = -1;
    return header != NULL && mr_number_parse_int(header->value, &value) && value >= 0 ? value : -1;
}

static struct mr_slice header_text(struct mr_headers headers, const char *name)
{
    const struct mr_header *header = find_header(headers, name);
    return header == NULL ? (struct mr_slice){0} : header->value;
}

static enum mr_status visit_letter(void *argument, const struct mr_log_message *message,
                                   struct mr_error *error)
{
    struct pass *pass = argument;
    struct mr_dlq *dlq = pass->dlq;
    mr_arena_reset(&dlq->scratch);
    struct mr_headers headers = dlq->access->log->ops->message_headers(message, &dlq->scratch);
    if (pass->stopped || find_header(headers, mr_dlq_mark_header) != NULL)
        return MR_OK;
    int64_t partition = header_number(headers, "millrace.partition");
    struct mr_dead_letter_read letter = {
        .partition = pass->partition,
        .message = message,
        .headers = headers,
        .cause = header_text(headers, "millrace.cause"),
        .node = header_text(headers, "millrace.operator"),
        .topic = header_text(headers, "millrace.topic"),
        .origin_partition = partition > INT32_MAX ? -1 : (int32_t)partition,
        .origin_offset = header_number(headers, "millrace.offset"),
        .truncated = find_header(headers, "millrace.truncated") != NULL,
        .replayed = is_marked(dlq, pass->partition, message->offset)};
    enum mr_status status = pass->visit(pass->argument, &letter, error);
    pass->stopped = status == MR_END;
    return status == MR_END ? MR_OK : status;
}

static enum mr_status read_partitions(struct pass *pass,
                                      enum mr_status (*visit)(void *argument,
                                                              const struct mr_log_message *message,
                                                              struct mr_error *error),
                                      struct mr_error *error)
{
    struct mr_dlq *dlq = pass->dlq;
    enum mr_status status = MR_OK;
    for (int32_t partition = 0;
         partition < dlq->topic.partitions_count && status == MR_OK && !pass->stopped;
         partition++) {
        int64_t end;
        pass->partition = partition;
        status =
            mr_log_read_to_end(dlq->access->log, dlq->topic_name, partition, MR_LOG_OFFSET_EARLIEST,
                               visit, pass, MR_DLQ_STALL_MS, &end, error);
    }
    return status;
}

enum mr_status mr_dlq_read_marks(struct mr_dlq *dlq, struct mr_error *error)
{
    struct pass pass = {.dlq = dlq};
    dlq->marked_total = 0;
    memset(dlq->marked_counts, 0, (size_t)dlq->topic.partitions_count * sizeof *dlq->marked_counts);
    enum mr_status status = read_partitions(&pass, visit_mark, error);
    for (int32_t index = 0; index < dlq->topic.partitions_count; index++)
        if (dlq->marked_counts[index] > 1)
            qsort(dlq->marked[index], dlq->marked_counts[index], sizeof(int64_t), compare_offsets);
    return status;
}

enum mr_status mr_dlq_read(struct mr_dlq *dlq,
                           enum mr_status (*visit)(void *argument,
                                                   const struct mr_dead_letter_read *letter,
                                                   struct mr_error *error),
                           void *argument, struct mr_error *error)
{
    struct pass pass = {.dlq = dlq, .visit = visit, .argument = argument};
    return read_partitions(&pass, visit_letter, error);
}
