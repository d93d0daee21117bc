/* cli/dlq_replay.h — which letters a command means, and writing them back.
 * Guarantee: a letter is replayed at most once, and exactly once when the command says so. The
 * records and the marks of their letters are one transaction of the id
 * <cluster>.<topology>.dlq-replay, and letters and marks are read after that id was initialised:
 * what an earlier replay has committed is seen, what it has not can never commit. Two replays at
 * the same time: the later one goes on, the earlier one is refused by Kafka. */
#ifndef MR_CLI_DLQ_REPLAY_H
#define MR_CLI_DLQ_REPLAY_H

#include "cli/dlq_read.h"

struct mr_dlq_place {
    int32_t partition;
    int64_t offset;
};

struct mr_dlq_choice {
    const char *cause; /* NULL: any */
    const char *node;  /* NULL: any */
    const struct mr_dlq_place *places;
    uint32_t places_count; /* 0: any */
    uint64_t count_max;    /* 0: no limit */
    bool any;              /* nothing was said */
};

/* From the flags --cause, --operator, --offset, --count; prints what is wrong. */
enum mr_exit mr_dlq_choice_read(struct mr_dlq_choice *choice, const struct mr_arguments *arguments,
                                struct mr_arena *arena);
bool mr_dlq_chosen(const struct mr_dlq_choice *choice, const struct mr_dead_letter_read *letter);

enum mr_exit mr_dlq_replay(struct mr_dlq *dlq, const char *topology,
                           const struct mr_dlq_choice *choice, bool dry_run, bool json);

#endif
