/* operators/generator.c — see generator.h.
 * Design: the pace starts with the first call of an instance, at its position and the wall time
 * given; record n behind it is due n / (rate / partitions) seconds later. A stream that was held up
 * catches up to its rate, a batch at a time. */
#include "operators/generator.h"

#include <math.h>

#include "base/assert.h"

/* Positions stay exact in doubles, and position * partitions in int64. */
static const int64_t position_max = (int64_t)1 << 50;

/* A stream that gets this far has left the calendar: its times stop here. */
static const int64_t time_max_ms = (int64_t)1 << 60;

void mr_generator_end(struct mr_generator *generator, int64_t records_count)
{
    int64_t behind = records_count - generator->partition;
    generator->end_position = behind <= 0 ? 0 : (behind - 1) / generator->partitions_count + 1;
}

void mr_generator_bind(struct mr_generator *generator, const struct mr_operator_open *open)
{
    const struct mr_options *options = &open->node->options;
    const struct mr_plan_domain *domain = &open->plan->domains[open->node->outputs[0].domain];
    generator->node = open->node;
    generator->field_slots = domain->field_slots;
    generator->partition = open->partition;
    generator->partitions_count = open->partitions_count;
    generator->end_position = position_max;
    if (mr_options_present(options, "count"))
        mr_generator_end(generator, mr_options_integer(options, "count"));
    generator->start_ms = mr_options_integer(options, "start");
    generator->rate = mr_options_present(options, "rate") ? mr_options_number(options, "rate") : 0;
}

void mr_generator_open(struct mr_generator *generator, const struct mr_operator_open *open)
{
    const struct mr_options *options = &open->node->options;
    mr_generator_bind(generator, open);
    if (mr_options_present(options, "step"))
        generator->step_ms = mr_options_integer(options, "step");
    else if (generator->rate <= 0)
        generator->step_ms = 1;
}

enum mr_status mr_generator_due(struct mr_generator *generator, int64_t position, int64_t now_ms,
                                uint32_t rows_max, uint32_t *rows_count, int64_t *due_ms)
{
    int64_t left = generator->end_position - position;
    if (left <= 0)
        return MR_END;
    int64_t rows = left < (int64_t)rows_max ? left : (int64_t)rows_max;
    if (generator->rate > 0) {
        if (!generator->paced) {
            generator->paced = true;
            generator->pace_ms = now_ms;
            generator->pace_position = position;
        }
        double per_ms = generator->rate / 1000 / (double)generator->partitions_count;
        double made = (double)(position - generator->pace_position);
        double allowed = floor((double)(now_ms - generator->pace_ms) * per_ms) + 1 - made;
        if (allowed < 1) {
            double wait_ms = ceil(made / per_ms);
            /* Rounding must not make a due time that has passed already. */
            *due_ms = generator->pace_ms + (int64_t)wait_ms;
            if (*due_ms <= now_ms)
                *due_ms = now_ms + 1;
            return MR_AGAIN;
        }
        if (allowed < (double)rows)
            rows = (int64_t)allowed;
    }
    *rows_count = (uint32_t)rows;
    return MR_OK;
}

int64_t mr_generator_time_ms(const struct mr_generator *generator, int64_t index)
{
    int64_t since_ms;
    if (generator->step_ms > 0) {
        if (__builtin_mul_overflow(index, generator->step_ms, &since_ms))
            return time_max_ms;
    } else {
        double since = floor((double)index * 1000 / generator->rate);
        if (since > (double)time_max_ms)
            return time_max_ms;
        since_ms = (int64_t)since;
    }
    return since_ms > time_max_ms - generator->start_ms ? time_max_ms
                                                        : generator->start_ms + since_ms;
}

static void begin_rows(const struct mr_generator *generator, struct mr_batch *batch)
{
    batch->origin.topic = generator->node->name;
    batch->origin.partition = (int32_t)generator->partition;
}

static void fill_row(struct mr_batch *batch, uint32_t row, int64_t position)
{
    batch->offsets[row] = position;
    batch->message_keys[row] = (struct mr_slice){0};
    batch->key_nulls[row] = true;
    batch->payloads[row] = mr_slice_text("{}");
    batch->payload_nulls[row] = false;
}

void mr_generator_rows_untimed(const struct mr_generator *generator, struct mr_batch *batch,
                               int64_t position, uint32_t rows_count)
{
    MR_ASSERT(batch->rows_count == 0 && rows_count <= batch->rows_capacity);
    begin_rows(generator, batch);
    for (uint32_t row = 0; row < rows_count; row++)
        fill_row(batch, row, position + row);
    batch->rows_count = rows_count;
}

void mr_generator_row(const struct mr_generator *generator, struct mr_batch *batch,
                      int64_t position, int64_t time_ms)
{
    uint32_t row = batch->rows_count++;
    MR_ASSERT(row < batch->rows_capacity);
    begin_rows(generator, batch);
    fill_row(batch, row, position);
    batch->timestamps_ms[row] = time_ms;
    batch->event_times_ms[row] = time_ms;
}

void mr_generator_rows(const struct mr_generator *generator, struct mr_batch *batch,
                       int64_t position, uint32_t rows_count)
{
    mr_generator_rows_untimed(generator, batch, position, rows_count);
    for (uint32_t row = 0; row < rows_count; row++) {
        int64_t time_ms =
            mr_generator_time_ms(generator, mr_generator_index(generator, position + row));
        batch->timestamps_ms[row] = time_ms;
        batch->event_times_ms[row] = time_ms;
    }
}
