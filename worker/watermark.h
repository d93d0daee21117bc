/* worker/watermark.h — arithmetic of watermarks: what rows and inputs allow, without clock or I/O.
 * A watermark is a time in ms since the epoch up to which event time is known to have come;
 * INT64_MIN: nothing is known; INT64_MAX (of an input): it does not hold the task back. */
#ifndef MR_WORKER_WATERMARK_H
#define MR_WORKER_WATERMARK_H

#include "record/batch.h"

#include <stdbool.h>

/* A watermark lowered by held_ms. */
static inline int64_t mr_watermark_held(int64_t watermark_ms, int64_t held_ms)
{
    if (watermark_ms == INT64_MIN || watermark_ms == INT64_MAX)
        return watermark_ms;
    return watermark_ms < INT64_MIN + 1 + held_ms ? INT64_MIN + 1 : watermark_ms - held_ms;
}

/* ---- Source partitions ---- */

/* What a run of rows needs to know. */
struct mr_watermark_run {
    int64_t task_ms;   /* the task's watermark before the run */
    int64_t others_ms; /* the least that its other inputs allow; INT64_MAX: none holds it */
    int64_t last_ms;   /* with none of them: how far they let it rise when this one holds no more */
    /* Of source partitions: */
    const int64_t *times_ms; /* by row: event times, or the watermarks that records carry */
    int64_t highest_ms;      /* of these, before the run */
    int64_t max_delay_ms;
};

/* Give each row of view's batch the task's watermark just before it. Rows that are not in view
 * (they failed) do not move it. */
void mr_watermark_rows(const struct mr_watermark_run *run, struct mr_view view);

/* A byte of marks and of progress. */
enum mr_upstream_rest { MR_UPSTREAM_ACTIVE, MR_UPSTREAM_IDLE, MR_UPSTREAM_ENDED };

/* ---- Repartitions ----
 * Each record of a repartition topic says which task wrote it (the upstream) and that task's
 * watermark just before it; marks say the watermark where no record does. */

struct mr_upstream {
    int64_t watermark_ms;
    bool idle;  /* its sources are silent or at their end: it does not hold the others up */
    bool ended; /* and idle: nothing more comes of it */
};

/* All tasks that write one repartition. The number is the plan's; one that has said nothing yet
 * holds the watermark at INT64_MIN. */
struct mr_upstreams {
    struct mr_upstream *items;
    uint32_t count;
    int64_t lowest_ms;  /* over those that are not idle; INT64_MAX: all are */
    int64_t highest_ms; /* over all */
};

/* What one record or mark says. */
struct mr_carried {
    int64_t watermark_ms;
    uint32_t upstream; /* MR_UPSTREAM_UNKNOWN: it says nothing */
    bool mark;         /* no record of the stream */
    bool idle;         /* of marks */
    bool ended;        /* and idle */
};
#define MR_UPSTREAM_UNKNOWN UINT32_MAX

/* Nothing is known of any. items: room for count. */
void mr_upstreams_init(struct mr_upstreams *upstreams, struct mr_upstream *items, uint32_t count);
/* Take what a record or mark says. A watermark never goes back; a number that the plan does not
 * have is passed over. */
void mr_upstreams_take(struct mr_upstreams *upstreams, const struct mr_carried *carried);
/* The same for a run of them, in order; watermarks_ms, where not NULL, gets the task's watermark
 * just before each (of run: task_ms, others_ms). */
void mr_upstreams_take_run(struct mr_upstreams *upstreams, const struct mr_carried *carried,
                           uint32_t count, const struct mr_watermark_run *run,
                           int64_t *watermarks_ms);
/* There are some, and nothing more comes of any. */
bool mr_upstreams_ended(const struct mr_upstreams *upstreams);
/* The upstream that holds the watermark: the first with the lowest; false when all are idle. */
bool mr_upstreams_holder(const struct mr_upstreams *upstreams, uint32_t *upstream);

#endif
