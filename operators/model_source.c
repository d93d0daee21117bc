/* operators/model_source.c — see model_source.h. */
#include "operators/model_source.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/memory.h"
#include "operators/learned_conditions.h"
#include "record/json_value.h"

enum { CONDITIONS_BYTES_MAX = 1 << 20, ARENA_BYTES = 1 << 10 };

/* ---- Conditions ---- */

static void put_bound(struct mr_document_writer *writer, const struct mr_options *one,
                      const char *name, bool *is_first)
{
    if (!mr_options_present(one, name))
        return;
    mr_document_put(writer, *is_first ? "\"" : ",\"");
    mr_document_put(writer, name);
    mr_document_put(writer, "\":");
    mr_document_put_number(writer, mr_options_number(one, name));
    *is_first = false;
}

/* The same of an instant, as the text of a time. */
static void put_instant(struct mr_document_writer *writer, const struct mr_options *one,
                        const char *option, const char *name, bool *is_first)
{
    char text[MR_CLOCK_TEXT_SIZE];
    if (!mr_options_present(one, option))
        return;
    mr_document_put(writer, *is_first ? "\"" : ",\"");
    mr_document_put(writer, name);
    mr_document_put(writer, "\":");
    size_t size = mr_clock_format_rfc3339(mr_options_integer(one, option), text);
    mr_document_put_text(writer, mr_slice_from(text, size));
    *is_first = false;
}

/* Options give texts. They mean what else JSON has where the field's values are no texts. */
static void put_value(struct mr_document_writer *writer, const struct mr_sample_model *model,
                      const char *name, const char *text)
{
    struct mr_arena arena;
    struct mr_error error;
    struct mr_value value = {.kind = MR_KIND_ABSENT};
    struct mr_slice bytes = mr_slice_text(text);
    mr_arena_init(&arena, ARENA_BYTES);
    bool is_other = !mr_sample_model_has_texts(model, name) &&
                    mr_json_parse(bytes, NULL, &arena, &value, &error) == MR_OK &&
                    (value.kind == MR_KIND_BOOL || value.kind == MR_KIND_DOUBLE);
    if (is_other)
        mr_document_put(writer, text);
    else
        mr_document_put_text(writer, bytes);
    mr_arena_deinit(&arena);
}

static void put_condition(struct mr_document_writer *writer, const struct mr_sample_model *model,
                          const struct mr_options *one)
{
    const struct mr_option_value *texts = mr_options_get(one, "any_of");
    const char *name = mr_options_text(one, "field");
    bool is_first = true;
    mr_document_put_text(writer, mr_slice_text(name));
    mr_document_put(writer, texts->count > 0 ? ":{\"in\":[" : ":{");
    for (uint32_t text = 0; text < texts->count; text++) {
        mr_document_put(writer, text > 0 ? "," : "");
        put_value(writer, model, name, texts->texts[text]);
    }
    put_bound(writer, one, "gte", &is_first);
    put_bound(writer, one, "gt", &is_first);
    put_bound(writer, one, "lte", &is_first);
    put_bound(writer, one, "lt", &is_first);
    put_instant(writer, one, "since", "gte", &is_first);
    put_instant(writer, one, "before", "lt", &is_first);
    mr_document_put(writer, texts->count > 0 ? "]}" : "}");
}

static enum mr_status open_sample(const struct mr_sample_model *model,
                                  const struct mr_options *options, struct mr_sample **sample,
                                  struct mr_error *error)
{
    const struct mr_option_value *given = mr_options_get(options, "conditions");
    struct mr_buffer text;
    mr_buffer_init(&text, CONDITIONS_BYTES_MAX);
    struct mr_document_writer writer = {.output = &text};
    mr_document_put(&writer, "{");
    for (uint32_t index = 0; index < given->count; index++) {
        mr_document_put(&writer, index > 0 ? "," : "");
        put_condition(&writer, model, &given->objects[index]);
    }
    mr_document_put(&writer, "}");
    enum mr_status status = writer.status;
    if (status == MR_OK)
        status = mr_sample_open(model, mr_buffer_view(&text),
                                (uint64_t)mr_options_integer(options, "seed"), sample, error);
    else
        MR_FAIL(error, status, MR_RECOVERY_FAIL_TOPOLOGY, "the conditions exceed %d bytes",
                CONDITIONS_BYTES_MAX);
    mr_buffer_deinit(&text);
    return status;
}

/* ---- Opening ---- */

static enum mr_status read_model(const struct mr_sample_type *type,
                                 const struct mr_options *options, struct mr_sample_model **model,
                                 struct mr_error *error)
{
    const struct mr_option_value *value = mr_options_get(options, "model");
    enum mr_status status = mr_sample_model_read(*value->document, model, error);
    if (status != MR_OK || mr_sample_model_own(*model, type) != NULL)
        return status;
    status = MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                     "%s is a model of the type %s, and generate.%s draws from those of its own",
                     value->text, mr_sample_model_facts(*model)->type, type->name);
    mr_sample_model_destroy(*model);
    *model = NULL;
    return status;
}

enum mr_status mr_model_source_open(struct mr_model_source *source,
                                    const struct mr_sample_type *type,
                                    const struct mr_operator_open *open, struct mr_error *error)
{
    const struct mr_options *options = &open->node->options;
    mr_generator_open(&source->generator, open);
    mr_arrival_init(&source->arrival, &source->generator,
                    (enum mr_arrival_kind)mr_options_integer(options, "arrival"),
                    (uint64_t)mr_options_integer(options, "seed"));
    source->types = open->plan->domains[open->node->outputs[0].domain].field_types;
    source->batch_rows = mr_options_integer(options, "batch_size");
    source->delay_ms = (double)mr_options_integer(options, "delay");
    source->is_stepped = mr_options_present(options, "step");
    source->has_metadata = mr_options_boolean(options, "include_metadata");
    enum mr_status status = read_model(type, options, &source->model, error);
    if (status == MR_OK)
        status = open_sample(source->model, options, &source->sample, error);
    if (status != MR_OK)
        return status;
    source->fields_count = mr_sample_model_facts(source->model)->fields_count;
    source->cells =
        mr_memory_new((size_t)source->fields_count * MR_SAMPLE_ROWS, sizeof(*source->cells));
    return MR_OK;
}

void mr_model_source_close(void *self)
{
    struct mr_model_source *source = self;
    mr_sample_close(source->sample);
    mr_sample_model_destroy(source->model);
    mr_memory_free(source->cells);
}

/* ---- Time ---- */

/* How long all batches before the record's are followed by nothing, ms. */
static double delay_before(const struct mr_model_source *source, int64_t index)
{
    return source->delay_ms * (double)(index / source->batch_rows);
}

static int64_t time_of(struct mr_model_source *source, int64_t position)
{
    static const double latest = 0x1p60;
    int64_t index = mr_generator_index(&source->generator, position);
    int64_t time_ms = mr_arrival_time_ms(&source->arrival, position);
    double delayed = (double)time_ms + (source->is_stepped ? 0 : delay_before(source, index));
    return delayed < latest && !source->is_stepped ? time_ms + (int64_t)delay_before(source, index)
                                                   : time_ms;
}

/* When the record is due behind the first one of the stream, ms. */
static double due_of(const struct mr_model_source *source, int64_t position)
{
    int64_t index = mr_generator_index(&source->generator, position);
    double rate = source->generator.rate;
    return (rate > 0 ? floor((double)index * 1000 / rate) : 0) + delay_before(source, index);
}

/* As mr_generator_due, with a delay between batches. */
static enum mr_status find_due(struct mr_model_source *source, int64_t position, int64_t now_ms,
                               uint32_t rows_max, uint32_t *rows_count, int64_t *due_ms)
{
    struct mr_generator *generator = &source->generator;
    if (!(source->delay_ms > 0))
        return mr_generator_due(generator, position, now_ms, rows_max, rows_count, due_ms);
    if (position >= generator->end_position)
        return MR_END;
    if (!generator->paced) {
        generator->paced = true;
        generator->pace_ms = now_ms;
        generator->pace_position = position;
    }
    double begun = due_of(source, generator->pace_position);
    double passed = (double)(now_ms - generator->pace_ms);
    int64_t left = generator->end_position - position;
    uint32_t count = 0;
    while (count < rows_max && count < left && due_of(source, position + count) - begun <= passed)
        count++;
    *rows_count = count;
    *due_ms = generator->pace_ms + (int64_t)(due_of(source, position) - begun);
    return count > 0 ? MR_OK : MR_AGAIN;
}

/* ---- Records ---- */

/* Numbers are doubles, as undeclared ones of records are, unless the schema says int. Texts are
 * copied: they may outlive the model. */
static struct mr_value settled(struct mr_value cell, enum mr_type_code type, struct mr_arena *arena)
{
    if (cell.kind == MR_KIND_STRING)
        return mr_value_string(mr_arena_copy(arena, mr_value_text(cell)));
    if (type != MR_TYPE_INT || cell.kind != MR_KIND_DOUBLE)
        return cell;
    double bounded = cell.number < -0x1p62 ? -0x1p62 : cell.number;
    return mr_value_int((int64_t)(bounded > 0x1p62 ? 0x1p62 : bounded));
}

static void fill_fields(struct mr_model_source *source, struct mr_batch *batch, int64_t position,
                        uint32_t rows_count)
{
    const struct mr_generator *generator = &source->generator;
    for (uint32_t done = 0; done < rows_count;) {
        int64_t at = position + done;
        uint32_t within = (uint32_t)(at % MR_SAMPLE_ROWS);
        uint32_t count = MR_SAMPLE_ROWS - within;
        if (count > rows_count - done)
            count = rows_count - done;
        int64_t block = at / MR_SAMPLE_ROWS * generator->partitions_count + generator->partition;
        struct mr_sample_times times = {.origin_ms = generator->start_ms,
                                        .times_ms = batch->event_times_ms + done};
        mr_sample_cells_timed(source->sample, (uint64_t)block * MR_SAMPLE_ROWS + within, count,
                              &times, batch->arena, source->cells);
        for (uint32_t field = 0; field < source->fields_count; field++) {
            struct mr_value *column = mr_batch_column(batch, generator->field_slots[field]) + done;
            for (uint32_t row = 0; row < count; row++)
                column[row] = settled(source->cells[(size_t)field * count + row],
                                      source->types[field], batch->arena);
        }
        done += count;
    }
}

static void fill_metadata(const struct mr_model_source *source, struct mr_batch *batch,
                          int64_t position, uint32_t rows_count)
{
    const struct mr_generator *generator = &source->generator;
    struct mr_value *times = mr_batch_column(batch, generator->field_slots[source->fields_count]);
    struct mr_value *batches =
        mr_batch_column(batch, generator->field_slots[source->fields_count + 1]);
    int64_t known = -1;
    for (uint32_t row = 0; row < rows_count; row++) {
        char text[MR_CLOCK_TEXT_SIZE];
        int64_t number = mr_generator_index(generator, position + row) / source->batch_rows + 1;
        if (row > 0 && batch->event_times_ms[row] == batch->event_times_ms[row - 1])
            times[row] = times[row - 1];
        else
            times[row] = mr_value_string(mr_arena_copy(
                batch->arena,
                mr_slice_from(text, mr_clock_format_rfc3339(batch->event_times_ms[row], text))));
        if (number != known)
            batches[row] = mr_value_string(
                mr_slice_text(mr_arena_format(batch->arena, "batch-%03" PRId64, number)));
        else
            batches[row] = batches[row - 1];
        known = number;
    }
}

enum mr_status mr_model_source_generate(void *self, struct mr_operator_context *context,
                                        int64_t position, struct mr_batch *batch,
                                        int64_t *next_position, int64_t *due_ms,
                                        struct mr_error *error)
{
    struct mr_model_source *source = self;
    uint32_t rows_count;
    MR_UNUSED(error);
    enum mr_status status =
        find_due(source, position, context->now_ms, batch->rows_capacity, &rows_count, due_ms);
    if (status != MR_OK)
        return status;
    mr_generator_rows_untimed(&source->generator, batch, position, rows_count);
    for (uint32_t row = 0; row < rows_count; row++) {
        int64_t time_ms = time_of(source, position + row);
        batch->timestamps_ms[row] = time_ms;
        batch->event_times_ms[row] = time_ms;
    }
    fill_fields(source, batch, position, rows_count);
    if (source->has_metadata)
        fill_metadata(source, batch, position, rows_count);
    *next_position = position + rows_count;
    return MR_OK;
}

/* ---- Checks ---- */

enum mr_status mr_model_source_check(const struct mr_sample_type *type,
                                     const struct mr_options *options, const char **option,
                                     struct mr_error *error)
{
    struct mr_sample_model *model = NULL;
    struct mr_sample *sample = NULL;
    *option = "model";
    enum mr_status status = read_model(type, options, &model, error);
    if (status == MR_OK) {
        *option = "conditions";
        status = open_sample(model, options, &sample, error);
    }
    mr_sample_close(sample);
    mr_sample_model_destroy(model);
    return status;
}

enum mr_status mr_model_source_check_conditions(const struct mr_options *options,
                                                const char **option, struct mr_error *error)
{
    *option = "conditions";
    for (uint32_t index = 0; index < mr_options_get(options, "conditions")->count; index++) {
        const struct mr_options *one = &mr_options_get(options, "conditions")->objects[index];
        const char *name = mr_options_text(one, "field");
        enum mr_status status = mr_learned_condition_check(one, error);
        if (status != MR_OK)
            return status;
        for (uint32_t other = 0; name != NULL && other < index; other++) {
            const char *earlier =
                mr_options_text(&mr_options_get(options, "conditions")->objects[other], "field");
            if (earlier != NULL && strcmp(earlier, name) == 0)
                return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                               "two conditions are on \"%s\": make one of them", name);
        }
    }
    return MR_OK;
}

/* ---- Outputs ---- */

static const struct mr_output_field metadata_fields[] = {
    {"_generated_at", MR_TYPE_STRING, "With `include_metadata`: the record's event time."},
    {"_batch_id", MR_TYPE_STRING, "With `include_metadata`: which batch the record is of."},
};

const struct mr_output_spec mr_model_source_outputs[1] = {
    {.name = "main",
     .help = "The fields of the model, and behind them those of the metadata.",
     .fields = metadata_fields,
     .fields_count = MR_ARRAY_COUNT(metadata_fields)},
};
