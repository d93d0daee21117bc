/* worker/watermark.c — see watermark.h. */
#include "worker/watermark.h"

static int64_t row_watermark(const struct mr_watermark_run *run, int64_t highest_event_ms)
{
    int64_t allowed = mr_watermark_held(highest_event_ms, run->max_delay_ms);
    if (allowed > run->others_ms)
        allowed = run->others_ms;
    return allowed > run->task_ms ? allowed : run->task_ms;
}

void mr_watermark_rows(const struct mr_watermark_run *run, struct mr_view view)
{
    struct mr_batch *batch = view.batch;
    int64_t *watermarks_ms = mr_batch_watermarks(batch);
    int64_t highest_event_ms = run->highest_event_ms;
    int64_t watermark_ms = row_watermark(run, highest_event_ms);
    uint32_t next = 0; /* of the rows that failed and have none yet */
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        while (next <= row)
            watermarks_ms[next++] = watermark_ms;
        if (batch->event_times_ms[row] <= highest_event_ms)
            continue;
        highest_event_ms = batch->event_times_ms[row];
        watermark_ms = row_watermark(run, highest_event_ms);
    }
    while (next < batch->rows_count)
        watermarks_ms[next++] = watermark_ms;
}
