/* worker/watermark.c — see watermark.h. */
#include "worker/watermark.h"

/* The task's watermark where its input allows this; last_ms: how far it goes when nothing holds. */
static int64_t task_watermark(const struct mr_watermark_run *run, int64_t allowed_ms,
                              int64_t last_ms)
{
    if (allowed_ms == INT64_MAX && run->others_ms == INT64_MAX)
        allowed_ms = last_ms > run->last_ms ? last_ms : run->last_ms;
    if (allowed_ms > run->others_ms)
        allowed_ms = run->others_ms;
    return allowed_ms > run->task_ms ? allowed_ms : run->task_ms;
}

static int64_t row_watermark(const struct mr_watermark_run *run, int64_t highest_ms)
{
    return task_watermark(run, mr_watermark_held(highest_ms, run->max_delay_ms), INT64_MIN);
}

void mr_watermark_rows(const struct mr_watermark_run *run, struct mr_view view)
{
    struct mr_batch *batch = view.batch;
    int64_t *watermarks_ms = mr_batch_watermarks(batch);
    int64_t highest_ms = run->highest_ms;
    int64_t watermark_ms = row_watermark(run, highest_ms);
    uint32_t next = 0; /* of the rows that failed and have none yet */
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        while (next <= row)
            watermarks_ms[next++] = watermark_ms;
        if (run->times_ms[row] <= highest_ms)
            continue;
        highest_ms = run->times_ms[row];
        watermark_ms = row_watermark(run, highest_ms);
    }
    while (next < batch->rows_count)
        watermarks_ms[next++] = watermark_ms;
}

void mr_upstreams_init(struct mr_upstreams *upstreams, struct mr_upstream *items, uint32_t count)
{
    *upstreams = (struct mr_upstreams){.items = items,
                                       .count = count,
                                       .lowest_ms = count == 0 ? INT64_MAX : INT64_MIN,
                                       .highest_ms = INT64_MIN};
    for (uint32_t index = 0; index < count; index++)
        items[index] = (struct mr_upstream){.watermark_ms = INT64_MIN};
}

static void find_lowest(struct mr_upstreams *upstreams)
{
    int64_t lowest_ms = INT64_MAX;
    for (uint32_t index = 0; index < upstreams->count; index++)
        if (!upstreams->items[index].idle && upstreams->items[index].watermark_ms < lowest_ms)
            lowest_ms = upstreams->items[index].watermark_ms;
    upstreams->lowest_ms = lowest_ms;
}

void mr_upstreams_take(struct mr_upstreams *upstreams, const struct mr_carried *carried)
{
    if (carried->upstream >= upstreams->count)
        return;
    struct mr_upstream *upstream = &upstreams->items[carried->upstream];
    bool idle = carried->mark && carried->idle;
    bool advanced = carried->watermark_ms > upstream->watermark_ms;
    upstream->ended = idle && carried->ended;
    if (!advanced && idle == upstream->idle)
        return;
    /* Only the one that held the others can let them go on. */
    bool held = !upstream->idle && upstream->watermark_ms == upstreams->lowest_ms;
    if (advanced)
        upstream->watermark_ms = carried->watermark_ms;
    upstream->idle = idle;
    if (upstream->watermark_ms > upstreams->highest_ms)
        upstreams->highest_ms = upstream->watermark_ms;
    if (held)
        find_lowest(upstreams);
    else if (!idle && upstream->watermark_ms < upstreams->lowest_ms)
        upstreams->lowest_ms = upstream->watermark_ms;
}

void mr_upstreams_take_run(struct mr_upstreams *upstreams, const struct mr_carried *carried,
                           uint32_t count, const struct mr_watermark_run *run,
                           int64_t *watermarks_ms)
{
    int64_t watermark_ms = run->task_ms;
    for (uint32_t index = 0; index < count; index++) {
        mr_upstreams_take(upstreams, &carried[index]);
        if (watermarks_ms == NULL)
            continue;
        /* It does not fall when one that was idle goes on behind the others, and where all are idle
         * it rises here and not behind the run: a row knows what it would if it came alone. */
        int64_t now_ms = task_watermark(run, upstreams->lowest_ms, upstreams->highest_ms);
        watermark_ms = now_ms > watermark_ms ? now_ms : watermark_ms;
        watermarks_ms[index] = watermark_ms;
    }
}

bool mr_upstreams_ended(const struct mr_upstreams *upstreams)
{
    for (uint32_t index = 0; index < upstreams->count; index++)
        if (!upstreams->items[index].ended)
            return false;
    return upstreams->count > 0;
}

bool mr_upstreams_holder(const struct mr_upstreams *upstreams, uint32_t *upstream)
{
    for (uint32_t index = 0; index < upstreams->count; index++)
        if (!upstreams->items[index].idle &&
            upstreams->items[index].watermark_ms == upstreams->lowest_ms) {
            *upstream = index;
            return true;
        }
    return false;
}
