/* operators/generate_sequence.c — generate.sequence: numbered records, for tests and load.
 * Design: see operators/generator.h; the record is its number, its time and its partition. */
#include "operators/generator.h"

#include "base/assert.h"
#include "operators/registry.h"

enum sequence_field { SEQUENCE_SEQ, SEQUENCE_TS, SEQUENCE_PARTITION };

struct sequence {
    struct mr_generator generator;
    int64_t first;
};

static enum mr_status sequence_open(void *self, const struct mr_operator_open *open,
                                    struct mr_error *error)
{
    struct sequence *sequence = self;
    MR_UNUSED(error);
    mr_generator_open(&sequence->generator, open);
    sequence->first = mr_options_integer(&open->node->options, "first");
    return MR_OK;
}

static enum mr_status sequence_generate(void *self, struct mr_operator_context *context,
                                        int64_t position, struct mr_batch *batch,
                                        int64_t *next_position, int64_t *due_ms,
                                        struct mr_error *error)
{
    struct sequence *sequence = self;
    struct mr_generator *generator = &sequence->generator;
    MR_UNUSED(error);
    uint32_t rows_count;
    enum mr_status status = mr_generator_due(generator, position, context->now_ms,
                                             batch->rows_capacity, &rows_count, due_ms);
    if (status != MR_OK)
        return status;
    mr_generator_rows(generator, batch, position, rows_count);
    struct mr_value *numbers = mr_batch_column(batch, generator->field_slots[SEQUENCE_SEQ]);
    struct mr_value *times = mr_batch_column(batch, generator->field_slots[SEQUENCE_TS]);
    struct mr_value *partitions =
        mr_batch_column(batch, generator->field_slots[SEQUENCE_PARTITION]);
    for (uint32_t row = 0; row < rows_count; row++) {
        numbers[row] =
            mr_value_int(sequence->first + mr_generator_index(generator, position + row));
        times[row] = mr_value_int(batch->event_times_ms[row]);
        partitions[row] = mr_value_int(generator->partition);
    }
    *next_position = position + rows_count;
    return MR_OK;
}

static void sequence_close(void *self)
{
    MR_UNUSED(self);
}

static const struct mr_option_spec sequence_options[] = {
    MR_GENERATOR_OPTIONS,
    {.name = "first",
     .type = MR_OPTION_INTEGER,
     .default_text = "0",
     .minimum = -1e15,
     .maximum = 1e15,
     .help = "Number of the first record."},
    {.name = NULL},
};

static const struct mr_output_field sequence_fields[] = {
    {"seq", MR_TYPE_INT, "The record's number over all partitions."},
    {"ts", MR_TYPE_INT, "Its event time in ms since the epoch."},
    {"partition", MR_TYPE_INT, "The partition that made it."},
};

static const struct mr_output_spec sequence_outputs[] = {
    {.name = "main",
     .help = "The numbered records.",
     .fields = sequence_fields,
     .fields_count = MR_ARRAY_COUNT(sequence_fields)},
};

const struct mr_operator_type mr_operator_generate_sequence = {
    .spec =
        {
            .name = "generate.sequence",
            .role = MR_ROLE_SOURCE,
            .flags = MR_TYPE_GENERATOR | MR_TYPE_RECORD_TYPED,
            .summary = "Makes numbered records {seq, ts, partition}.",
            .description =
                "Record n of the stream has seq = first + n and the event time start + n steps; "
                "records go to the partitions in turn. After a restart the source continues at its "
                "position with the same records, so that exactly-once holds from end to end.\n\n"
                "For tests and load. Event times begin at `start`: a Kafka topic with a short "
                "retention removes old times soon. For realistic values use generate.random.",
            .options = sequence_options,
            .outputs = sequence_outputs,
            .outputs_count = 1,
            .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
        },
    .instance_size = sizeof(struct sequence),
    .open = sequence_open,
    .generate = sequence_generate,
    .close = sequence_close,
};
