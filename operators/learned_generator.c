/* operators/learned_generator.c — see learned_generator.h. */
#include "operators/learned_generator.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/learned_conditions.h"
#include "operators/natural_log.h"
#include "operators/pending_rows.h"

enum {
    WEIGHT_RECORDS = 1000, /* of which `weight` is the share */
    ROWS_FIRST = 512       /* of the first output batch of a call */
};

/* ---- Opening ---- */

static void bind_decay(struct mr_learned_models *models, const struct mr_options *options)
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

/* Milliseconds. */
static double instant_of(const struct mr_options *options, const char *name, double otherwise)
{
    return mr_options_present(options, name) ? (double)mr_options_integer(options, name)
                                             : otherwise;
}

static bool has_instants(const struct mr_options *condition)
{
    return mr_options_present(condition, "since") || mr_options_present(condition, "before");
}

struct mr_learned_conditions mr_learned_conditions_bind(const struct mr_options *options,
                                                        struct mr_copula_condition *conditions)
{
    const struct mr_option_value *given = mr_options_get(options, "conditions");
    for (uint32_t index = 0; index < given->count; index++) {
        const struct mr_options *one = &given->objects[index];
        const struct mr_option_value *texts = mr_options_get(one, "any_of");
        const char *name = mr_options_text(one, "field");
        bool is_instant = has_instants(one);
        conditions[index] = (struct mr_copula_condition){
            .column = column_of(mr_options_get(options, "fields"), name),
            .name = name,
            .texts = texts->texts,
            .texts_count = texts->count,
            .lowest = is_instant ? instant_of(one, "since", -INFINITY)
                                 : bound_of(one, "gte", bound_of(one, "gt", -INFINITY)),
            .highest = is_instant ? instant_of(one, "before", INFINITY)
                                  : bound_of(one, "lte", bound_of(one, "lt", INFINITY)),
            .lowest_is_out = mr_options_present(one, "gt"),
            .highest_is_out = mr_options_present(one, "lt") || is_instant,
            .is_instant = is_instant,
        };
    }
    return (struct mr_learned_conditions){conditions, given->count};
}

enum mr_status mr_learned_generator_open(struct mr_learned_generator *generator,
                                         const struct mr_operator_open *open,
                                         const struct mr_learned_kind *kind, struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    const struct mr_options *options = &node->options;
    generator->node = node;
    generator->fields = mr_options_get(options, "fields")->slots;
    generator->columns_count = mr_options_get(options, "fields")->count;
    mr_learned_rows_bind(&generator->rows, open->plan, node, 0, kind);
    generator->ratio = mr_options_number(options, "ratio");
    generator->min_records = (double)mr_options_integer(options, "min_records");
    generator->models.kind = kind;
    generator->models.block_rows = (uint32_t)mr_options_integer(options, "learn_batch");
    bind_decay(&generator->models, options);
    generator->models.conditions = mr_learned_conditions_bind(options, generator->conditions);
    enum mr_status status = mr_learned_models_open(&generator->models, open, error);
    generator->is_paced = mr_pace_is_asked(options);
    if (status == MR_OK && (generator->is_paced || node->requests != NULL))
        status = mr_learned_pace_open(&generator->pace, open, error);
    if (generator->is_paced)
        mr_learned_timer_open(&generator->timer, open, &generator->models, &generator->pace);
    generator->publishes = mr_learned_publishes(options);
    if (status == MR_OK && generator->publishes) {
        generator->timer.publisher = &generator->publisher;
        status = mr_learned_publisher_open(&generator->publisher, open, &generator->models,
                                           MR_LEARNED_OUTPUT_MODELS, error);
    }
    if (status != MR_OK || node->requests == NULL)
        return status;
    return mr_learned_answers_open(&generator->answers, open, &generator->models, &generator->pace,
                                   error);
}

void mr_learned_generator_close(void *self)
{
    struct mr_learned_generator *generator = self;
    mr_learned_answers_close(&generator->answers);
    mr_learned_publisher_close(&generator->publisher);
    mr_learned_models_close(&generator->models);
}

/* ---- Making records ---- */

static void emit(struct mr_learned_generator *generator, struct mr_operator_context *context)
{
    struct mr_batch *batch = generator->output;
    generator->output = NULL;
    if (batch != NULL && batch->rows_count > 0)
        mr_operator_emit(context, 0, mr_batch_view(batch));
}

static struct mr_batch *output_batch(struct mr_learned_generator *generator,
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

/* No record can be made: those that earned some are reported, once each. */
static void report_draws(struct mr_learned_generator *generator,
                         struct mr_operator_context *context, const struct mr_error *error)
{
    const struct mr_learned_draws *draws = &generator->draws;
    for (uint32_t at = 0; at < draws->count; at++)
        if (at == 0 || draws->rows[at] != draws->rows[at - 1])
            mr_operator_row_error(context, draws->cause, draws->rows[at], "%s", error->message);
}

/* Draw what is to be drawn. Objects handed out before are not valid any more. */
static enum mr_status draw(struct mr_learned_generator *generator,
                           struct mr_operator_context *context, struct mr_error *error)
{
    struct mr_learned_draws *draws = &generator->draws;
    struct mr_learned_expanded *expanded;
    if (draws->count == 0)
        return MR_OK;
    enum mr_status status =
        mr_learned_models_sampler(&generator->models, draws->key, draws->hash, &expanded, error);
    if (status == MR_INVALID) {
        report_draws(generator, context, error);
        draws->count = 0;
        return MR_OK;
    }
    if (status != MR_OK)
        return status;
    for (uint32_t row = 0; row < draws->count;) {
        struct mr_batch *batch = output_batch(generator, context);
        uint32_t room = batch->rows_capacity - batch->rows_count;
        uint32_t behind = draws->count - row < room ? draws->count : row + room;
        if (batch->rows_count == 0) /* names the rows, for ids and randomness behind */
            batch->sequence_first = mr_hash64_seeded(draws->key, draws->first + row);
        uint32_t made =
            mr_learned_rows_draw(&generator->rows, batch, draws->key, expanded, expanded->sampler,
                                 draws->first + row, behind - row, draws->times_ms + row);
        draws->refused += behind - row - made;
        row = behind;
        if (batch->rows_count == batch->rows_capacity)
            emit(generator, context);
    }
    draws->count = 0;
    uint32_t refused = draws->refused;
    draws->refused = 0;
    return refused == 0 ? MR_OK
                        : mr_learned_models_refuse(&generator->models, draws->key, draws->hash,
                                                   refused, error);
}

/* ---- Records ---- */

static bool row_is_fine(const struct mr_learned_generator *generator,
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
            mr_operator_row_error(
                context, batch, row,
                "field %s is %s; %s learns numbers, booleans, texts and timestamps",
                fields->texts[column], mr_kind_name((enum mr_kind)cell.kind),
                generator->models.kind->type);
            return false;
        }
    }
    return true;
}

/* Note what the record has earned: `ratio` records, where the model has seen enough. */
static enum mr_status earn(struct mr_learned_generator *generator,
                           struct mr_operator_context *context, const struct mr_batch *batch,
                           uint32_t row, struct mr_slice key, uint64_t hash, struct mr_error *error)
{
    int64_t time_ms = batch->event_times_ms[row];
    struct mr_learned_draws *draws = &generator->draws;
    struct mr_learned_entry *entry;
    enum mr_status status =
        mr_learned_models_get(&generator->models, key, hash, time_ms, &entry, error);
    bool is_enough = generator->pace.has_fit || (double)entry->known >= generator->min_records;
    if (status != MR_OK || entry->known == 0 || !is_enough || generator->pace.is_timed)
        return status;
    if (generator->is_paced) {
        bool is_fit;
        status = mr_learned_pace_is_fit(&generator->pace, key, hash, &is_fit, error);
        if (status != MR_OK || !is_fit || generator->pace.is_timed)
            return status;
        status = mr_learned_models_get(&generator->models, key, hash, time_ms, &entry, error);
        if (status != MR_OK)
            return status;
    }
    double owed = entry->owed + generator->ratio;
    double whole = floor(owed);
    entry->owed = owed - whole;
    uint64_t first = entry->made;
    entry->made += (uint64_t)whole;
    for (double count = 0; count < whole && status == MR_OK; count++) {
        if (draws->count == MR_LEARNED_DRAW_MAX)
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

/* The key has learned: its model is to be published. Objects handed out before are not valid any
 * more. */
static enum mr_status note_learned(struct mr_learned_generator *generator,
                                   struct mr_operator_context *context, struct mr_slice key,
                                   uint64_t hash, struct mr_error *error)
{
    return generator->publishes
               ? mr_learned_publisher_touch(&generator->publisher, context, key, hash, error)
               : MR_OK;
}

/* The key's model hears of the time that has passed, where a record of time_ms begins a pane. */
static enum mr_status turn(struct mr_learned_generator *generator,
                           struct mr_operator_context *context, struct mr_slice key, uint64_t hash,
                           int64_t time_ms, struct mr_error *error)
{
    struct mr_learned_models *models = &generator->models;
    struct mr_learned_entry *entry;
    enum mr_status status = mr_learned_models_get(models, key, hash, time_ms, &entry, error);
    if (status != MR_OK || !mr_learned_models_is_behind(models, entry, time_ms))
        return status;
    status = draw(generator, context, error);
    if (status == MR_OK)
        status = mr_learned_models_get(models, key, hash, time_ms, &entry, error);
    if (status == MR_OK)
        status = mr_learned_models_turn(models, hash, entry, time_ms, error);
    return status == MR_OK ? note_learned(generator, context, key, hash, error) : status;
}

static enum mr_status take_row(struct mr_learned_generator *generator,
                               struct mr_operator_context *context, const struct mr_batch *batch,
                               uint32_t row, struct mr_slice key, struct mr_error *error)
{
    int64_t time_ms = batch->event_times_ms[row];
    uint64_t hash = mr_hash64(key);
    struct mr_learned_entry *entry;
    enum mr_status status = MR_OK;
    if (generator->draws.count > 0 && !mr_slice_equal(generator->draws.key, key))
        status = draw(generator, context, error);
    if (status == MR_OK && generator->models.pane_ms > 0)
        status = turn(generator, context, key, hash, time_ms, error);
    if (status == MR_OK)
        status = earn(generator, context, batch, row, key, hash, error);
    if (status == MR_OK)
        status = mr_learned_models_get(&generator->models, key, hash, time_ms, &entry, error);
    if (status != MR_OK || (generator->is_paced && entry->seen >= generator->pace.fit_max))
        return status;
    uint64_t late = entry->late;
    status = mr_learned_models_add(&generator->models, entry, batch, row, generator->fields, error);
    if (status != MR_OK)
        return status;
    if (entry->late > late)
        mr_operator_late(context, 1);
    bool is_due = mr_learned_models_is_due(&generator->models, entry);
    bool is_news = is_due || entry->seen == 1 || entry->seen == generator->pace.fit_max;
    if (is_due)
        status = draw(generator, context, error);
    if (status == MR_OK && is_due)
        status = mr_learned_models_get(&generator->models, key, hash, time_ms, &entry, error);
    if (status == MR_OK && is_due)
        status = mr_learned_models_learn(&generator->models, hash, entry, error);
    if (status == MR_OK && is_due)
        status = note_learned(generator, context, key, hash, error);
    return status == MR_OK && is_news && generator->is_paced
               ? mr_learned_timer_touch(&generator->timer, context, key, hash, error)
               : status;
}

enum mr_status mr_learned_generator_process(void *self, struct mr_operator_context *context,
                                            uint32_t port, struct mr_view view,
                                            struct mr_error *error)
{
    struct mr_learned_generator *generator = self;
    struct mr_view keyed;
    if (generator->node->requests != NULL && port == generator->node->requests->port)
        return mr_learned_answers_take(&generator->answers, context, view, error);
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

enum mr_status mr_learned_generator_watermark(void *self, struct mr_operator_context *context,
                                              struct mr_error *error)
{
    struct mr_learned_generator *generator = self;
    return mr_table_expire(generator->models.table, context->watermark_ms, error);
}

enum mr_status mr_learned_generator_wall(void *self, struct mr_operator_context *context,
                                         int64_t *due_ms, struct mr_error *error)
{
    struct mr_learned_generator *generator = self;
    enum mr_status status = MR_OK;
    *due_ms = INT64_MAX;
    if (generator->node->requests != NULL)
        status = mr_learned_answers_go_on(&generator->answers, context, error);
    if (status == MR_OK && generator->is_paced)
        status = mr_learned_timer_go_on(&generator->timer, context, due_ms, error);
    if (status != MR_OK || !generator->publishes)
        return status;
    int64_t publish_ms;
    status = mr_learned_publisher_go_on(&generator->publisher, context, &publish_ms, error);
    *due_ms = publish_ms < *due_ms ? publish_ms : *due_ms;
    return status;
}

/* ---- Description ---- */

enum mr_status mr_learned_generator_describe(const struct mr_state_object *object,
                                             struct mr_arena *arena,
                                             struct mr_state_description *description,
                                             struct mr_error *error)
{
    struct mr_learned_entry entry;
    if (!mr_learned_entry_decode(&entry, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_member(description, "seen", mr_value_uint(entry.seen));
    mr_describe_member(description, "learned",
                       mr_value_uint(entry.seen - entry.late - entry.pending_rows));
    mr_describe_member(description, "late", mr_value_uint(entry.late));
    mr_describe_member(description, "blocks", mr_value_uint(entry.blocks));
    mr_describe_member(description, "made", mr_value_uint(entry.made - entry.refused));
    mr_describe_member(description, "refused", mr_value_uint(entry.refused));
    mr_describe_member(description, "condition_probability",
                       entry.made == 0 ? mr_value_null() : mr_value_double(entry.probability));
    mr_describe_member(description, "model_bytes", mr_value_uint(entry.model_bytes));
    mr_describe_time(description, "latest", entry.latest_ms);
    return mr_learned_pace_describe(object, arena, description, error);
}

/* At the worst all fields are texts of the greatest length, each record is a transaction of its
 * own, and each block changes all of the model. */
void mr_learned_estimate(const struct mr_learned_kind *kind, const struct mr_options *options,
                         struct mr_state_estimate *estimate)
{
    uint64_t batch = (uint64_t)mr_options_integer(options, "learn_batch");
    uint64_t slots = mr_learned_model_slots(kind->bytes_max(options));
    uint64_t row_bytes = (uint64_t)mr_options_get(options, "fields")->count * MR_PENDING_CELL_BYTES;
    uint64_t row_slots = 1 + mr_learned_model_slots(row_bytes); /* it may begin within one */
    uint64_t pending = mr_learned_model_slots(batch * row_bytes);
    if (pending > MR_LEARNED_PENDING_SLOTS)
        pending = MR_LEARNED_PENDING_SLOTS;
    mr_estimate_slots(sizeof(struct mr_learned_entry), MR_LEARNED_ENTRY_BYTES,
                      MR_LEARNED_SLOT_BYTES, pending + slots, estimate);
    uint64_t slot_bytes = MR_LEARNED_SLOT_BYTES + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    estimate->changelog_bytes_per_record +=
        (row_slots - 1) * slot_bytes + (slots * slot_bytes + batch - 1) / batch;
    estimate->burst_bytes_per_record = (row_slots + slots) * slot_bytes;
    estimate->instance_bytes = mr_learned_models_bytes(kind, options);
}

static enum mr_status check_condition(const struct mr_options *options, uint32_t index,
                                      struct mr_error *error)
{
    const struct mr_option_value *given = mr_options_get(options, "conditions");
    const struct mr_options *one = &given->objects[index];
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    const char *name = mr_options_text(one, "field");
    if (name == NULL)
        return MR_OK; /* reported with the option */
    if (column_of(fields, name) == fields->count)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the condition's field \"%s\" is not among `fields`", name);
    enum mr_status status = mr_learned_condition_check(one, error);
    if (status != MR_OK)
        return status;
    for (uint32_t earlier = 0; earlier < index; earlier++) {
        const char *other = mr_options_text(&given->objects[earlier], "field");
        if (other != NULL && strcmp(other, name) == 0)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "two conditions are on \"%s\": make one of them", name);
    }
    return MR_OK;
}

static enum mr_status check_timed(const struct mr_options *options, const char **option,
                                  struct mr_error *error)
{
    static const char *const timed[] = {"batch_size", "include_metadata"};
    bool is_timed = mr_pace_is_timed(options);
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(timed) && !is_timed; index++) {
        *option = timed[index];
        if (mr_options_get(options, timed[index])->given)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "`%s` is about records made by the clock: say how fast, by `rate`, "
                           "`delay` or `max_records`, or leave it out",
                           timed[index]);
    }
    return MR_OK;
}

static enum mr_status check_pace(const struct mr_options *options, const char **option,
                                 struct mr_error *error)
{
    *option = "ratio";
    if (mr_pace_is_timed(options) && mr_options_get(options, "ratio")->given)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "records are made by the clock (`rate`, `delay`, `max_records`) or by "
                       "`ratio`, not by both");
    if (!mr_options_present(options, "fit"))
        return MR_OK;
    const struct mr_options *fit = mr_options_get(options, "fit")->objects;
    *option = "min_records";
    if (mr_options_get(options, "min_records")->given)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`fit` says how much is learned before: give its min_records, not the "
                       "operator's");
    *option = "fit";
    if (mr_options_present(fit, "max_records") &&
        mr_options_integer(fit, "max_records") < mr_options_integer(fit, "min_records"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`fit` has more min_records than max_records: it would never be complete");
    return MR_OK;
}

enum mr_status mr_learned_check_making(const struct mr_options *options, const char **option,
                                       struct mr_error *error)
{
    enum mr_status timed = check_timed(options, option, error);
    if (timed != MR_OK)
        return timed;
    const struct mr_option_value *topics = mr_options_get(options, "reply_topics");
    *option = "reply_topics";
    for (uint32_t index = 0; index < topics->count; index++)
        if (topics->texts[index][0] == '*' || topics->texts[index][0] == '\0')
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "the pattern \"%s\" lets a request name any topic: say how their "
                           "names begin",
                           topics->texts[index]);
    *option = "conditions";
    for (uint32_t index = 0; index < mr_options_get(options, "conditions")->count; index++) {
        enum mr_status status = check_condition(options, index, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

enum mr_status mr_learned_check(const struct mr_options *options, const char **option,
                                struct mr_error *error)
{
    enum mr_status status = mr_learned_check_making(options, option, error);
    if (status == MR_OK)
        status = check_pace(options, option, error);
    if (status != MR_OK)
        return status;
    const struct mr_option_value *half_life = mr_options_get(options, "half_life");
    if (half_life->given && mr_options_get(options, "weight")->given) {
        *option = "half_life";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`weight` and `half_life` both say how fast old records are forgotten: give "
                       "one of them");
    }
    return MR_OK;
}

/* ---- Tables ---- */

bool mr_learned_reads_wall_clock(const struct mr_options *options)
{
    return mr_pace_is_asked(options);
}

const struct mr_option_spec mr_learned_fit_options[] = {
    {.name = "timeout",
     .type = MR_OPTION_DURATION,
     .default_text = "60s",
     .minimum = 1,
     .maximum = 86400e3,
     .help = "After which it is complete, from the key's first record on (with key: [] from the "
             "start on). When what it learns from ends, as a file does, it is complete then."},
    {.name = "max_records",
     .type = MR_OPTION_INTEGER,
     .minimum = 1,
     .maximum = 1e15,
     .help = "With which it is complete sooner; then nothing more is learned. Default: it goes on "
             "learning."},
    {.name = "min_records",
     .type = MR_OPTION_INTEGER,
     .default_text = "500",
     .minimum = 1,
     .maximum = 1e15,
     .help = "Fewer at the time-out, or at the end, stop the topology with an error that says how "
             "many there are."},
    {.name = NULL},
};

const struct mr_option_spec mr_learned_condition_options[] = {
    {.name = "field",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "One of `fields`: a number, a category, a boolean, a date or a time. Identifiers "
             "cannot be asked for: they are made anew for each record."},
    {.name = "any_of",
     .type = MR_OPTION_STRINGS,
     .maximum = MR_COPULA_VALUES_MAX,
     .help = "It is one of these texts, at most 128; of a boolean 'true' or 'false', of numbers, "
             "dates and times what they are written as, as in ['21', '42.5']. In a set of a field "
             "whose numbers are any, each counts by its density."},
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
    {.name = "since",
     .type = MR_OPTION_INSTANT,
     .help = "Of a date or time: it is this or later. A date counts as its first moment in UTC."},
    {.name = "before", .type = MR_OPTION_INSTANT, .help = "Of a date or time: it is before this."},
    {.name = NULL},
};

const struct mr_input_spec mr_learned_inputs[] = {
    {.option = "learn",
     .required = true,
     .help = "The records to learn from: NAME or NAME.OUTPUT."},
    {.option = "requests",
     .help =
         "Records that ask for synthetic ones, answered on the output `replies`; they have the "
         "key's fields. {\"action\": \"generate\", \"n_samples\": 100, \"conditions\": {\"age\": "
         "{\"gte\": 21}, \"region\": \"West\", \"plan\": {\"in\": [\"a\", \"b\"]}}, "
         "\"request_id\": \"r-1\"} is answered by as many records with request_id, and by one with "
         "status complete behind them. `count` is another name of n_samples, and {\"action\": "
         "\"stream\", \"n_batches\": 10, \"batch_size\": 100} asks for the product. batch_size "
         "(100) "
         "divides them by _batch_id; _generated_at is the time of the request record, "
         "model_version "
         "says how many batches the model had learned; include_metadata: false leaves these out. "
         "What cannot be served is answered by one record with status error, a code and a message; "
         "{\"action\": \"stats\"} by total_samples, total_batches, samples_per_second, "
         "elapsed_time, condition_samples and condition_hit_rate (of the rows that would have been "
         "drawn for these without conditions, the share that meets them), n_redrawn (privacy) and "
         "what is known of the model; queries tell them, too. Each "
         "request is answered once, whatever stops meanwhile. Large ones take turns, and go on "
         "over "
         "transactions; a record is drawn with the model as it then is. The option `conditions` is "
         "not about them."},
    {.option = NULL},
};

#define OUTPUT_MAIN                                                                                \
    {                                                                                              \
        .name = "main",                                                                            \
        .help = "Synthetic records: the key's fields and those of `fields`; made by the clock "    \
                "also _batch_id and _generated_at.",                                               \
        .fields = mr_timed_fields, .fields_count = MR_TIMED_FIELDS_COUNT, .has_made_fields = true, \
        .has_fields = mr_timed_has_metadata                                                        \
    }

#define OUTPUT_REPLIES                                                                             \
    {                                                                                              \
        .name = "replies",                                                                         \
        .help = "Answers to `requests`: synthetic records, and one per request that says that it " \
                "is complete, or why it is not answered.",                                         \
        .fields = mr_reply_fields, .fields_count = MR_REPLY_FIELDS_COUNT, .has_key = true,         \
        .has_made_fields = true                                                                    \
    }

const struct mr_output_spec mr_learned_outputs[MR_LEARNED_OUTPUTS_COUNT] = {
    OUTPUT_MAIN,
    OUTPUT_REPLIES,
};

const struct mr_output_spec mr_learned_publishing_outputs[MR_LEARNED_PUBLISHING_OUTPUTS_COUNT] = {
    OUTPUT_MAIN,
    OUTPUT_REPLIES,
    {.name = "models",
     .help = "With `publish`: what is known of each key, all of it each time, for model.merge. It "
             "holds the records of the reservoir.",
     .fields = mr_snapshot_fields,
     .fields_count = MR_SNAPSHOT_FIELDS_COUNT,
     .has_key = true},
};
