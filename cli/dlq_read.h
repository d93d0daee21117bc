/* cli/dlq_read.h — reading a topology's dead letters: which there are, and which were replayed.
 * Model: the topic <topology>.dead-letters holds letters (headers millrace.cause, .operator,
 * .topic, .partition, .offset: worker/egress.c) and marks. A mark is written by `dlq replay` in the
 * transaction that writes the records back, in the partition of the letters that it names: header
 * millrace.replayed, value {"replayed":[offset,...]}. It lies behind its letters, so that retention
 * removes them first: a letter that is still there is known to be replayed, or not.
 * Limits: MR_DLQ_MARKED_MAX marked offsets. */
#ifndef MR_CLI_DLQ_READ_H
#define MR_CLI_DLQ_READ_H

#include "base/buffer.h"
#include "cli/kafka_access.h"

enum { MR_DLQ_MARKED_MAX = 50000000, MR_DLQ_STALL_MS = 15000 };

struct mr_dead_letter_read {
    int32_t partition; /* where the letter lies */
    const struct mr_log_message *message;
    struct mr_headers headers;
    struct mr_slice cause; /* empty: the header is missing */
    struct mr_slice node;
    struct mr_slice topic;    /* where the record came from; empty: the record is no letter */
    int32_t origin_partition; /* -1: missing */
    int64_t origin_offset;    /* -1: missing */
    bool truncated;
    bool replayed;
};

struct mr_dlq {
    struct mr_kafka_access *access;
    const char *topic_name;
    struct mr_log_topic topic;
    struct mr_arena scratch; /* of one letter */
    int64_t **marked;        /* per partition: offsets that were replayed, rising */
    uint32_t *marked_counts;
    uint32_t *marked_capacities;
    uint64_t marked_total;
};

/* Find the topic. Prints what is wrong; close it in any case. */
enum mr_exit mr_dlq_open(struct mr_dlq *dlq, struct mr_kafka_access *access, const char *topology);
void mr_dlq_close(struct mr_dlq *dlq);

/* Read the marks anew. */
enum mr_status mr_dlq_read_marks(struct mr_dlq *dlq, struct mr_error *error) MR_NODISCARD;
/* Visit every letter, partition by partition in order, as of now; a letter and all that it points
 * to is valid during the visit. visit returns MR_END to stop early without an error. Read the marks
 * first. */
enum mr_status mr_dlq_read(struct mr_dlq *dlq,
                           enum mr_status (*visit)(void *argument,
                                                   const struct mr_dead_letter_read *letter,
                                                   struct mr_error *error),
                           void *argument, struct mr_error *error) MR_NODISCARD;

/* The value of a mark. */
enum mr_status mr_dlq_mark_encode(struct mr_buffer *output, const int64_t *offsets,
                                  uint32_t count) MR_NODISCARD;
extern const char mr_dlq_mark_header[];

#endif
