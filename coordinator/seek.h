/* coordinator/seek.h — moving a source's position: a progress record by nobody.
 * Model: progress is the last progress record of a task's log topic. A seek claims each task that
 * reads the source for nobody and, in that claim's transaction, writes the task's progress again
 * with other offsets for the source. So it is written if and only if no owner has claimed the task
 * meanwhile, and the next owner starts there.
 * What stays: state, watermarks, the other sources' positions. Records that were read before are
 * read again (or left out) by the same state; what is older than the watermark counts as late.
 * Threads: any, one seek of a topology at a time. */
#ifndef MR_COORDINATOR_SEEK_H
#define MR_COORDINATOR_SEEK_H

#include "proto/messages.h"
#include "topology/plan.h"
#include "worker/claim.h"

enum { MR_SEEK_OFFSETS_MAX = 4096 };

enum mr_seek_kind { MR_SEEK_EARLIEST, MR_SEEK_LATEST, MR_SEEK_TIME, MR_SEEK_OFFSETS };

struct mr_seek_offset {
    const char *topic; /* NULL: each topic of the source */
    int32_t partition;
    int64_t offset;
};

struct mr_seek_place {
    enum mr_seek_kind kind;
    int64_t time_ms;                /* TIME: the first record at or after it, else the end */
    struct mr_seek_offset *offsets; /* OFFSETS: partitions that are not named stay */
    uint32_t offsets_count;
};

/* "earliest", "latest", an RFC 3339 time, milliseconds since the epoch, or offsets:
 * "PARTITION=OFFSET,...", each also as "TOPIC:PARTITION=OFFSET". Owner: arena. MR_INVALID with a
 * sentence. */
enum mr_status mr_seek_parse(const char *text, struct mr_arena *arena, struct mr_seek_place *place,
                             struct mr_error *error) MR_NODISCARD;

struct mr_seek {
    const struct mr_claimer *claimer;
    const struct mr_plan *plan;
    const struct mr_version_record *version; /* generation, binding */
    const char *source;
    struct mr_seek_place place;
    /* Asked between tasks: true ends the seek with MR_CLOSED. NULL: never. */
    bool (*given_up)(void *argument);
    void *argument;
};

/* Can the source be moved to the place? MR_NOT_FOUND: no such source; MR_INVALID: it has no topics,
 * or an offset lies outside of its partition. Nothing is written. */
enum mr_status mr_seek_check(const struct mr_seek *seek, struct mr_error *error) MR_NODISCARD;

/* Move it, in all tasks that read it. Pre: they are released. *tasks_count: moved. After a failure
 * some may have moved; it can be repeated. MR_FENCED: a task was claimed meanwhile. */
enum mr_status mr_seek_run(const struct mr_seek *seek, uint32_t *tasks_count,
                           struct mr_error *error) MR_NODISCARD;

#endif
