/* connectors/memory/memory_log.h — what the memory log tells beyond struct mr_log_ops.
 * Model: see memory_internal.h. mr_memory_log_create is declared in connectors/connector.h. */
#ifndef MR_CONNECTORS_MEMORY_MEMORY_LOG_H
#define MR_CONNECTORS_MEMORY_MEMORY_LOG_H

#include "connectors/log.h"

struct mr_memory_log_statistics {
    uint64_t topics_count;
    uint64_t records_count;   /* readable now */
    uint64_t memory_bytes;    /* segments held by topics, as allocated */
    uint64_t pending_bytes;   /* of records that a reader has not passed yet */
    uint64_t dropped_records; /* left unread topics to stay within topic_bytes_max */
    uint64_t dropped_bytes;   /* as allocated */
    uint64_t compactions_count;
    uint64_t let_through_count; /* calls of over_limit that a standstill let through */
};

/* Sum over all topics, or of one. A name that is not a topic gives zeros. Pre: log is a memory log.
 * Threads: any. */
void mr_memory_log_statistics(struct mr_log *log, const char *topic,
                              struct mr_memory_log_statistics *statistics);

#endif
