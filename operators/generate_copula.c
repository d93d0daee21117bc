/* operators/generate_copula.c — generate.copula: learns what records look like and makes new ones.
 * Design: models are in operators/copula_models.h. A record's share of synthetic records is drawn
 * with the model as it was before the record, up to 64 rows of one key at a time: drawing waits
 * until another key comes, the model learns, or the call ends. */
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "operators/copula_models.h"
#include "operators/estimate.h"
#include "operators/group_key.h"
#include "operators/natural_log.h"
#include "operators/pending_rows.h"
#include "operators/registry.h"

enum {
    RESERVOIR_MAX = 8192,
    WEIGHT_RECORDS = 1000, /* of which `weight` is the share */
    KEY_FIELDS_MAX = 32,
    ROWS_FIRST = 512 /* of the first output batch of a call */
};

/* Records of one key that are to be drawn. */
struct draws {
    struct mr_slice key;
    uint64_t hash;
    uint32_t count;
    uint64_t first;
    const struct mr_batch *cause; /* of the records that earned them */
    uint32_t rows[MR_COPULA_SAMPLE_ROWS];
    int64_t times_ms[MR_COPULA_SAMPLE_ROWS];
};

struct copula_generator {
    struct mr_copula_models models;
    const struct mr_plan_node *node;
    const uint32_t *slots; /* of the output: the key's fields, then the columns */
    const enum mr_type_code *types;
    const uint32_t *fields; /* slots of the input */
    uint32_t columns_count;
    double ratio;
    double min_records;
    struct mr_copula_condition conditions[MR_COPULA_CONDITIONS_MAX];
    double *numbers; /* of rows drawn */
    struct draws draws;
    struct mr_batch *output; /* being filled; NULL: none */
    uint32_t output_rows;    /* capacity of the next one of this call */
};

/* ---- Opening ---- */

static struct mr_copula_shape shape_of(const struct mr_options *options)
{
    return (struct mr_copula_shape){
        .columns_count = mr_options_get(options, "fields")->count,
        .reservoir_rows = (uint32_t)mr_options_integer(options, "reservoir"),
        .seed = (uint64_t)mr_options_integer(options, "seed"),
    };
}

static void bind_decay(struct mr_copula_models *models, const struct mr_options *options)
{
    static const double log_two = 0.6931471805599453;
    const struct mr_option_value *half_life = mr_options_get(options, "half_life");
    double weight = mr_options_number(options, "weight");
    if (!half_life->present)
        models->decay_rows = -mr_natural_log(1 - weight) / WEIGHT_RECORDS;
    else if (half_life->boolean)
        models->decay_rows = log_two / (double)half_life->integer;
    else
        models->decay_ms = (double)half_life->integer / log_two;
}

static uint32_t column_of(const struct mr_option_value *fields, const char *name)
{
    uint32_t column = 0;
    while (column < fields->count && strcmp(fields->texts[column], name) != 0)
        column++;
    return column;
}

static double bound_of(const struct mr_options *options, const char *name, double otherwise)
{
    return mr_options_present(options, name) ? mr_options_number(options, name) : otherwise;
}

static void bind_conditions(struct copula_generator *generator, const struct mr_options *options)
{
    const struct mr_option_value *given = mr_options_get(options, "conditions");
    for (uint32_t index = 0; index < given->count; index++) {
        const struct mr_options *one = &given->objects[index];
        const struct mr_option_value *texts = mr_options_get(one, "any_of");
        const char *name = mr_options_text(one, "field");
        generator->conditions[index] = (struct mr_copula_condition){
            .column = column_of(mr_options_get(options, "fields"), name),
            .name = name,
            .texts = texts->texts,
            .texts_count = texts->count,
            .lowest = bound_of(one, "gte", bound_of(one, "gt", -INFINITY)),
            .highest = bound_of(one, "lte", bound_of(one, "lt", INFINITY)),
            .lowest_is_out = mr_options_present(one, "gt"),
            .highest_is_out = mr_options_present(one, "lt"),
        };
    }
    generator->models.conditions = generator->conditions;
    generator->models.conditions_count = given->count;
}

static enum mr_status generator_open(void *self, const struct mr_operator_open *open,
                                     struct mr_error *error)
{
    struct copula_generator *generator = self;
    const struct mr_plan_node *node = open->node;
    const struct mr_options *options = &node->options;
    const struct mr_plan_domain *domain = &open->plan->domains[node->outputs[0].domain];
    struct mr_copula_shape shape = shape_of(options);
    generator->node = node;
    generator->slots = domain->field_slots;
    generator->types = domain->field_types;
    generator->fields = mr_options_get(options, "fields")->slots;
    generator->columns_count = shape.columns_count;
    MR_ASSERT(domain->field_slots_count == node->key.slots_count + shape.columns_count);
    MR_ASSERT(node->key.slots_count <= KEY_FIELDS_MAX);
    generator->ratio = mr_options_number(options, "ratio");
    generator->min_records = (double)mr_options_integer(options, "min_records");
    generator->numbers =
        mr_memory_new((size_t)shape.columns_count * MR_COPULA_SAMPLE_ROWS, sizeof(double));
    generator->models.shape = shape;
    generator->models.block_rows = (uint32_t)mr_options_integer(options, "learn_batch");
    bind_decay(&generator->models, options);
    bind_conditions(generator, options);
    return mr_copula_models_open(&generator->models, open, error);
}

static void generator_close(void *self)
{
    struct copula_generator *generator = self;
    mr_copula_models_close(&generator->models);
    mr_memory_free(generator->numbers);
}

/* ---- Making records ---- */

static void emit(struct copula_generator *generator, struct mr_operator_context *context)
{
    struct mr_batch *batch = generator->output;
    generator->output = NULL;
    if (batch != NULL && batch->rows_count > 0)
        mr_operator_emit(context, 0, mr_batch_view(batch));
}

static struct mr_batch *output_batch(struct copula_generator *generator,
                                     struct mr_operator_context *context)
{
    if (generator->output == NULL) {
        generator->output = mr_operator_batch_new(context, 0, NULL, generator->output_rows);
        generator->output->origin =
            (struct mr_origin){generator->node->name, generator->models.partition};
        generator->output_rows = MR_LIMIT_BATCH_ROWS;
    }
    return generator->output;
}

/* Numbers are doubles, as undeclared ones of records are, unless the schema says int. */
static struct mr_value typed(struct mr_value cell, enum mr_type_code type)
{
    if (type != MR_TYPE_INT || cell.kind != MR_KIND_DOUBLE)
        return cell;
    double bounded = cell.number < -0x1p62 ? -0x1p62 : cell.number;
    return mr_value_int((int64_t)(bounded > 0x1p62 ? 0x1p62 : bounded));
}

/* Append rows from to behind - 1 of those that were drawn. */
static void fill_rows(struct copula_generator *generator, struct mr_batch *batch,
                      const struct mr_copula *model, uint32_t from, uint32_t behind)
{
    const struct draws *draws = &generator->draws;
    uint32_t keys_count = generator->node->key.slots_count;
    uint32_t start = batch->rows_count;
    struct mr_value fields[KEY_FIELDS_MAX];
    bool read = keys_count == 0 ||
                mr_group_key_read(draws->key, generator->types, keys_count, batch->arena, fields);
    MR_ASSERT(read); /* made by mr_batch_key */
    if (start == 0)  /* names the rows, for ids and randomness behind */
        batch->sequence_first = mr_hash64_seeded(draws->key, draws->first + from);
    for (uint32_t key = 0; key < keys_count; key++) {
        struct mr_value *cells = mr_batch_column(batch, generator->slots[key]) + start;
        for (uint32_t row = from; row < behind; row++)
            cells[row - from] = fields[key];
    }
    for (uint32_t column = 0; column < generator->columns_count; column++) {
        struct mr_value *cells =
            mr_batch_column(batch, generator->slots[keys_count + column]) + start;
        const double *numbers = generator->numbers + (size_t)column * MR_COPULA_SAMPLE_ROWS;
        for (uint32_t row = from; row < behind; row++)
            cells[row - from] = typed(mr_copula_cell(&model->columns[column], numbers[row],
                                                     draws->first + row, batch->arena),
                                      generator->types[keys_count + column]);
    }
    for (uint32_t row = start; row < start + behind - from; row++) {
        int64_t time_ms = draws->times_ms[from + row - start];
        batch->offsets[row] = -1;
        batch->timestamps_ms[row] = time_ms;
        batch->event_times_ms[row] = time_ms;
        batch->message_keys[row] = (struct mr_slice){0};
        batch->key_nulls[row] = true;
        batch->payloads[row] = mr_slice_text("{}");
        batch->payload_nulls[row] = false;
    }
    batch->rows_count = start + behind - from;
}

/* No record can be made: those that earned some are reported, once each. */
static void report_draws(struct copula_generator *generator, struct mr_operator_context *context,
                         const struct mr_error *error)
{
    const struct draws *draws = &generator->draws;
    for (uint32_t at = 0; at < draws->count; at++)
        if (at == 0 || draws->rows[at] != draws->rows[at - 1])
            mr_operator_row_error(context, draws->cause, draws->rows[at], "%s", error->message);
}

/* Draw what is to be drawn. Objects handed out before are not valid any more. */
static enum mr_status draw(struct copula_generator *generator, struct mr_operator_context *context,
                           struct mr_error *error)
{
    struct draws *draws = &generator->draws;
    struct mr_copula_expanded *expanded;
    if (draws->count == 0)
        return MR_OK;
    enum mr_status status =
        mr_copula_models_sampler(&generator->models, draws->key, draws->hash, &expanded, error);
    if (status == MR_INVALID) {
        report_draws(generator, context, error);
        draws->count = 0;
        return MR_OK;
    }
    if (status != MR_OK)
        return status;
    mr_copula_sample(&expanded->sampler, &expanded->model, expanded->seed, draws->first,
                     draws->count, generator->numbers);
    for (uint32_t row = 0; row < draws->count;) {
        struct mr_batch *batch = output_batch(generator, context);
        uint32_t room = batch->rows_capacity - batch->rows_count;
        uint32_t behind = draws->count - row < room ? draws->count : row + room;
        fill_rows(generator, batch, &expanded->model, row, behind);
        row = behind;
        if (batch->rows_count == batch->rows_capacity)
            emit(generator, context);
    }
    draws->count = 0;
    return MR_OK;
}

/* ---- Records ---- */

static bool row_is_fine(const struct copula_generator *generator,
                        struct mr_operator_context *context, const struct mr_batch *batch,
                        uint32_t row)
{
    const struct mr_option_value *fields = mr_options_get(&generator->node->options, "fields");
    for (uint32_t column = 0; column < generator->columns_count; column++) {
        struct mr_value cell = batch->columns[generator->fields[column]][row];
        switch ((enum mr_kind)cell.kind) {
        case MR_KIND_ERROR:
            mr_operator_row_error(context, batch, row, "field %s: %.*s", fields->texts[column],
                                  (int)cell.size, (const char *)cell.text);
            return false;
        case MR_KIND_ABSENT:
        case MR_KIND_NULL:
        case MR_KIND_BOOL:
        case MR_KIND_INT:
        case MR_KIND_UINT:
        case MR_KIND_DOUBLE:
        case MR_KIND_STRING:
        case MR_KIND_TIMESTAMP:
            break;
        case MR_KIND_REMOVED:
        case MR_KIND_BYTES:
        case MR_KIND_DURATION:
        case MR_KIND_LIST:
        case MR_KIND_MAP:
        case MR_KIND_JSON:
        case MR_KIND_TYPE:
        case MR_KIND_COUNT:
            mr_operator_row_error(context, batch, row,
                                  "field %s is %s; generate.copula learns numbers, booleans, texts "
                                  "and timestamps",
                                  fields->texts[column], mr_kind_name((enum mr_kind)cell.kind));
            return false;
        }
    }
    return true;
}

/* Note what the record has earned: `ratio` records, where the model has seen enough. */
static enum mr_status earn(struct copula_generator *generator, struct mr_operator_context *context,
                           const struct mr_batch *batch, uint32_t row, struct mr_slice key,
                           uint64_t hash, struct mr_error *error)
{
    int64_t time_ms = batch->event_times_ms[row];
    struct draws *draws = &generator->draws;
    struct mr_copula_entry *entry;
    enum mr_status status =
        mr_copula_models_get(&generator->models, key, hash, time_ms, &entry, error);
    if (status != MR_OK || entry->blocks == 0 ||
        (double)(entry->seen - entry->pending_rows) < generator->min_records)
        return status;
    double owed = entry->owed + generator->ratio;
    double whole = floor(owed);
    entry->owed = owed - whole;
    uint64_t first = entry->made;
    entry->made += (uint64_t)whole;
    for (double count = 0; count < whole && status == MR_OK; count++) {
        if (draws->count == MR_COPULA_SAMPLE_ROWS)
            status = draw(generator, context, error);
        if (draws->count == 0) {
            draws->key = key;
            draws->hash = hash;
            draws->first = first;
            draws->cause = batch;
        }
        draws->rows[draws->count] = row;
        draws->times_ms[draws->count++] = time_ms;
        first++;
    }
    return status;
}

static enum mr_status take_row(struct copula_generator *generator,
                               struct mr_operator_context *context, const struct mr_batch *batch,
                               uint32_t row, struct mr_slice key, struct mr_error *error)
{
    int64_t time_ms = batch->event_times_ms[row];
    uint64_t hash = mr_hash64(key);
    struct mr_copula_entry *entry;
    enum mr_status status = MR_OK;
    if (generator->draws.count > 0 && !mr_slice_equal(generator->draws.key, key))
        status = draw(generator, context, error);
    if (status == MR_OK)
        status = earn(generator, context, batch, row, key, hash, error);
    if (status == MR_OK)
        status = mr_copula_models_get(&generator->models, key, hash, time_ms, &entry, error);
    if (status == MR_OK)
        status =
            mr_copula_models_add(&generator->models, entry, batch, row, generator->fields, error);
    if (status != MR_OK || !mr_copula_models_is_due(&generator->models, entry))
        return status;
    status = draw(generator, context, error);
    if (status == MR_OK)
        status = mr_copula_models_get(&generator->models, key, hash, time_ms, &entry, error);
    return status == MR_OK ? mr_copula_models_learn(&generator->models, hash, entry, error)
                           : status;
}

static enum mr_status generator_process(void *self, struct mr_operator_context *context,
                                        uint32_t port, struct mr_view view, struct mr_error *error)
{
    struct copula_generator *generator = self;
    struct mr_view keyed;
    MR_UNUSED(port);
    const struct mr_slice *keys = mr_operator_keys(context, generator->node, view, &keyed);
    for (uint32_t column = 0; column < generator->columns_count; column++)
        (void)mr_batch_column(view.batch, generator->fields[column]);
    generator->output = NULL;
    generator->output_rows = ROWS_FIRST;
    generator->draws.count = 0;
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < keyed.rows_count && status == MR_OK; index++) {
        uint32_t row = keyed.rows[index];
        if (row_is_fine(generator, context, view.batch, row))
            status = take_row(generator, context, view.batch, row, keys[row], error);
    }
    if (status == MR_OK)
        status = draw(generator, context, error);
    if (status == MR_OK)
        emit(generator, context);
    return status;
}

static enum mr_status generator_watermark(void *self, struct mr_operator_context *context,
                                          struct mr_error *error)
{
    struct copula_generator *generator = self;
    return mr_table_expire(generator->models.table, context->watermark_ms, error);
}

/* ---- Description ---- */

static enum mr_status generator_describe(const struct mr_state_object *object,
                                         struct mr_arena *arena,
                                         struct mr_state_description *description,
                                         struct mr_error *error)
{
    struct mr_copula_entry entry;
    MR_UNUSED(arena);
    if (!mr_copula_entry_decode(&entry, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_member(description, "seen", mr_value_uint(entry.seen));
    mr_describe_member(description, "learned", mr_value_uint(entry.seen - entry.pending_rows));
    mr_describe_member(description, "blocks", mr_value_uint(entry.blocks));
    mr_describe_member(description, "made", mr_value_uint(entry.made));
    mr_describe_member(description, "condition_probability",
                       entry.made == 0 ? mr_value_null() : mr_value_double(entry.probability));
    mr_describe_member(description, "model_bytes", mr_value_uint(entry.model_bytes));
    mr_describe_time(description, "latest", entry.latest_ms);
    return MR_OK;
}

/* At the worst each record is a block of its own and changes all of the model. */
static void generator_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    struct mr_copula_shape shape = shape_of(options);
    uint64_t batch = (uint64_t)mr_options_integer(options, "learn_batch");
    uint64_t slots = mr_copula_model_slots(&shape);
    mr_estimate_slots(sizeof(struct mr_copula_entry), MR_COPULA_ENTRY_BYTES, MR_COPULA_SLOT_BYTES,
                      MR_COPULA_PENDING_SLOTS + slots, estimate);
    uint64_t row_bytes = (uint64_t)shape.columns_count * MR_PENDING_CELL_BYTES;
    uint64_t row_slots = 1 + row_bytes / MR_COPULA_SLOT_BYTES;
    uint64_t slot_bytes = MR_COPULA_SLOT_BYTES + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    estimate->changelog_bytes_per_record += (row_slots + slots / batch + 1) * slot_bytes;
}

static enum mr_status check_condition(const struct mr_options *options, uint32_t index,
                                      struct mr_error *error)
{
    const struct mr_option_value *given = mr_options_get(options, "conditions");
    const struct mr_options *one = &given->objects[index];
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    const char *name = mr_options_text(one, "field");
    bool has_texts = mr_options_get(one, "any_of")->count > 0;
    bool has_low = mr_options_present(one, "gte") || mr_options_present(one, "gt");
    bool has_high = mr_options_present(one, "lte") || mr_options_present(one, "lt");
    if (name == NULL)
        return MR_OK; /* reported with the option */
    if (column_of(fields, name) == fields->count)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the condition's field \"%s\" is not among `fields`", name);
    if (has_texts == (has_low || has_high))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the condition on \"%s\" needs either `any_of`, or bounds by `gte`, `gt`, "
                       "`lte` and `lt`",
                       name);
    if ((mr_options_present(one, "gte") && mr_options_present(one, "gt")) ||
        (mr_options_present(one, "lte") && mr_options_present(one, "lt")))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the condition on \"%s\" has two bounds on one side: leave one out", name);
    for (uint32_t earlier = 0; earlier < index; earlier++) {
        const char *other = mr_options_text(&given->objects[earlier], "field");
        if (other != NULL && strcmp(other, name) == 0)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "two conditions are on \"%s\": make one of them", name);
    }
    return MR_OK;
}

static enum mr_status generator_check(const struct mr_options *options, const char **option,
                                      struct mr_error *error)
{
    *option = "conditions";
    for (uint32_t index = 0; index < mr_options_get(options, "conditions")->count; index++) {
        enum mr_status status = check_condition(options, index, error);
        if (status != MR_OK)
            return status;
    }
    const struct mr_option_value *half_life = mr_options_get(options, "half_life");
    if (half_life->given && mr_options_get(options, "weight")->given) {
        *option = "half_life";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`weight` and `half_life` both say how fast old records are forgotten: give "
                       "one of them");
    }
    return MR_OK;
}

static const struct mr_option_spec condition_options[] = {
    {.name = "field",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "One of `fields`: a number, a category or a boolean."},
    {.name = "any_of",
     .type = MR_OPTION_STRINGS,
     .help = "It is one of these texts; of a boolean 'true' or 'false'."},
    {.name = "gte",
     .type = MR_OPTION_NUMBER,
     .minimum = -1e140,
     .maximum = 1e140,
     .help = "It is at least this."},
    {.name = "gt",
     .type = MR_OPTION_NUMBER,
     .minimum = -1e140,
     .maximum = 1e140,
     .help = "It is above this."},
    {.name = "lte",
     .type = MR_OPTION_NUMBER,
     .minimum = -1e140,
     .maximum = 1e140,
     .help = "It is at most this; with the same `gte`: exactly this."},
    {.name = "lt",
     .type = MR_OPTION_NUMBER,
     .minimum = -1e140,
     .maximum = 1e140,
     .help = "It is below this."},
    {.name = NULL},
};

static const struct mr_option_spec generator_options[] = {
    {.name = "fields",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = MR_COPULA_COLUMNS_MAX,
     .help = "The fields that are learned and made, 1 to 64: numbers, booleans, texts and "
             "timestamps, of which any may be missing. The key's fields are made too and not "
             "listed."},
    {.name = "ratio",
     .type = MR_OPTION_NUMBER,
     .default_text = "1.0",
     .minimum = 0,
     .maximum = 1000,
     .help = "Synthetic records for each real one, once `min_records` are learned; 0.1 makes one "
             "for ten."},
    {.name = "min_records",
     .type = MR_OPTION_INTEGER,
     .default_text = "500",
     .minimum = 1,
     .maximum = 1e9,
     .help = "Records of the key that must be learned before the first one is made."},
    {.name = "conditions",
     .type = MR_OPTION_OBJECTS,
     .fields = condition_options,
     .minimum = 0,
     .maximum = MR_COPULA_CONDITIONS_MAX,
     .help = "What every synthetic record meets, one condition per field, at most 16. The records "
             "are drawn as such, not chosen among others, so that rare ones cost no more. While "
             "the conditions are impossible by what is known (a text that was never seen, or less "
             "likely together than 1e-9) a real record that should have made some follows "
             "`on_error`."},
    {.name = "weight",
     .type = MR_OPTION_SHARE,
     .default_text = "0.1",
     .minimum = 0.000001,
     .maximum = 0.99,
     .help = "How fast old records are forgotten: the share that the newest 1,000 records have in "
             "what is known, in the long run."},
    {.name = "half_life",
     .type = MR_OPTION_STEP,
     .minimum = 1,
     .maximum = 1e15,
     .help = "Instead of `weight`: records, or event time, after which a record counts half."},
    {.name = "learn_batch",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "256",
     .minimum = 1,
     .maximum = MR_COPULA_BLOCK_MAX,
     .help = "Records that are learned together, 1 to 256. The first of these batches tells the "
             "kinds of the fields."},
    {.name = "reservoir",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1024",
     .minimum = 16,
     .maximum = RESERVOIR_MAX,
     .help = "Records of a sample that corrects the correlations when distributions move, 16 to "
             "8,192; the first so many are learned exactly."},
    {.name = "seed",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1",
     .minimum = 0,
     .maximum = 1e15,
     .help = "What the records are drawn from, with the key: the same input has the same synthetic "
             "records in every run."},
    {.name = NULL},
};

static const struct mr_input_spec generator_inputs[] = {
    {.option = "learn",
     .required = true,
     .help = "The records to learn from: NAME or NAME.OUTPUT."},
    {.option = NULL},
};

static const struct mr_output_spec generator_outputs[] = {
    {.name = "main", .help = "Synthetic records: the key's fields and those of `fields`."},
};

const struct mr_operator_type mr_operator_generate_copula = {
    .spec =
        {
            .name = "generate.copula",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS,
            .summary = "Learns what records look like and makes synthetic ones like them, online.",
            .description =
                "A Gaussian copula: the distribution of each field by itself, and the correlations "
                "of the fields, learned record by record in bounded memory. For each record that "
                "arrives, `ratio` new ones leave, with its event time; each is drawn anew. The "
                "first batch of `learn_batch` records tells what a field is: a boolean; a number, "
                "whole or with so many decimals; a timestamp (to the millisecond); a date or a "
                "time where all texts are "
                "one (2026-01-28, RFC 3339); an identifier where at least 20 texts hardly ever "
                "repeat (the letters before the first digit and a new number are made); else a "
                "category. Missing values go along with what they went along with. A value that "
                "does not fit its field's kind later counts as missing.\n\n"
                "What was learned fades: `weight` or `half_life`. When distributions move, the "
                "correlations are made anew from a sample of the records. State begins with the "
                "first record; `weight`, `half_life`, `ratio` and `min_records` may be changed "
                "later.\n\n"
                "With `conditions` the records are as if those had been kept that meet them; how "
                "likely that is the state says (`millrace query`).\n\n"
                "Use it for test data that looks like production's, and for load. Not where "
                "records of a key follow each other in time: each is drawn by itself. A category "
                "has at most 128 texts of at most 64 bytes, the first ones seen; others are never "
                "made, nor numbers beyond +-1e140. Shapes that correlations cannot say (a ring, "
                "two crossing lines) are lost. There is no guarantee of privacy: texts and extreme "
                "values are real ones, and a record of few categories may equal a real one.\n\n"
                "State of a key with d fields: at most 4 kB a number, 10 kB a category, 20 d^2 and "
                "8 (d + 1) * `reservoir` bytes, and 64 kB of rows that wait: 0.3 MB with 15 "
                "fields. "
                "Changelog per record: the slot of 1 kB that the record is in, and, once in "
                "`learn_batch` records, the model. The last used models are kept expanded, 32 MiB "
                "of them; another key's is read from its state first. Numbers: Philox4x32-10. "
                "Papers: Sklar (1959); Olsson, Drasgow and Dorans, The polyserial correlation "
                "coefficient (1982); Efraimidis and Spirakis, Weighted random sampling with a "
                "reservoir (2006).",
            .options = generator_options,
            .inputs = generator_inputs,
            .outputs = generator_outputs,
            .outputs_count = 1,
            .state_version = MR_COPULA_MODELS_VERSION,
            .estimate = generator_estimate,
            .check = generator_check,
        },
    .instance_size = sizeof(struct copula_generator),
    .open = generator_open,
    .process = generator_process,
    .on_watermark = generator_watermark,
    .close = generator_close,
    .state_table = mr_copula_models_table,
    .describe_state = generator_describe,
};
