/* worker/progress.h — the progress record: how far a task has come, as of one transaction.
 * It is the last record of the transaction that it describes, in the task's changelog partition
 * (or, for a stateless task, its partition of the progress topic), under MR_STATE_PROGRESS_KEY.
 *
 * Bytes, little-endian, version 4:
 *   u8 version | u64 epoch | u64 incarnation | u64 sequence | i64 watermark_ms | i64 told_ms
 *   i64 began_ms
 *   u16 inputs: { u16+text topic, i32 partition, u16+text topic_id, i64 next_offset,
 *                 i64 highest_event_ms, u8 idle, i64 carried_ms,
 *                 u16+text producer, u32 upstreams: { i64 watermark_ms, u8 rest } },
 *                 rest: 0 none, 1 idle, 2 ended; older builds read 2 as 1
 *   u16 sinks:  { u16+text name, i64 file_number, i64 bytes }
 * Version 3 has no began_ms, version 2 no told_ms, version 1 no carried_ms, producer and upstreams
 * either; they are read.
 */
#ifndef MR_WORKER_PROGRESS_H
#define MR_WORKER_PROGRESS_H

#include "base/arena.h"
#include "base/error.h"
#include "worker/watermark.h"

struct mr_progress_input {
    struct mr_slice topic; /* or the source's name where there is no topic */
    int32_t partition;
    struct mr_slice topic_id;
    int64_t next_offset;
    int64_t highest_event_ms; /* INT64_MIN: none yet */
    bool idle;
    int64_t carried_ms;            /* the watermark that records have carried; INT64_MIN: none */
    struct mr_slice producer;      /* of a repartition: the subtopology whose tasks write it */
    struct mr_upstream *upstreams; /* these tasks, by number */
    uint32_t upstreams_count;
};

struct mr_progress_sink {
    struct mr_slice name;
    int64_t file_number;
    int64_t bytes;
};

struct mr_progress {
    uint64_t epoch;
    uint64_t incarnation;
    uint64_t sequence; /* rows that the task has read: seeds of replayable ids */
    int64_t watermark_ms;
    /* The watermark that all operators were told; lower than the other while what is due at that
     * leaves in several transactions. */
    int64_t told_ms;
    int64_t began_ms; /* wall time at which the task first began; INT64_MIN: not known */
    struct mr_progress_input *inputs;
    uint32_t inputs_count;
    struct mr_progress_sink *sinks;
    uint32_t sinks_count;
};

struct mr_slice mr_progress_encode(const struct mr_progress *progress, struct mr_arena *arena);
/* Texts borrow from bytes; arrays are in arena. MR_VERSION, MR_CORRUPT. */
enum mr_status mr_progress_decode(struct mr_slice bytes, struct mr_arena *arena,
                                  struct mr_progress *progress,
                                  struct mr_error *error) MR_NODISCARD;

#endif
