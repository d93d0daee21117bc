/* worker/watermark.h — arithmetic of watermarks: what rows and inputs allow, without clock or I/O.
 * A watermark is a time in ms since the epoch up to which event time is known to have come;
 * INT64_MIN: nothing is known; INT64_MAX (of an input): it does not hold the task back. */
#ifndef MR_WORKER_WATERMARK_H
#define MR_WORKER_WATERMARK_H

#include "record/batch.h"

/* A watermark lowered by held_ms. */
static inline int64_t mr_watermark_held(int64_t watermark_ms, int64_t held_ms)
{
    if (watermark_ms == INT64_MIN || watermark_ms == INT64_MAX)
        return watermark_ms;
    return watermark_ms < INT64_MIN + 1 + held_ms ? INT64_MIN + 1 : watermark_ms - held_ms;
}

/* What a run of rows of one source partition needs to know. */
struct mr_watermark_run {
    int64_t task_ms;          /* the task's watermark before the run */
    int64_t others_ms;        /* the least that its other inputs allow; INT64_MAX: none holds it */
    int64_t highest_event_ms; /* of the input before the run */
    int64_t max_delay_ms;
};

/* Give each row of view's batch the task's watermark just before it. Rows that are not in view
 * (they failed) do not move it. */
void mr_watermark_rows(const struct mr_watermark_run *run, struct mr_view view);

#endif
