/* operators/control_chart.c — see control_chart.h.
 * Design: a row finds its key's object, goes into the open subgroup (or is a sample by itself), and
 * what is complete makes a point. Subgroups by window are objects of their own, by key and window,
 * in a timed table: the watermark closes them in the order of (end, key), so that their points come
 * in that order whatever the order of the records was.
 * Stored: see chart_object.h; a window lies under the key's bytes and its begin (8 bytes,
 * big-endian). */
#include "operators/control_chart.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/memory.h"
#include "operators/alert.h"
#include "operators/chart_counts.h"
#include "operators/chart_numbers.h"
#include "operators/chart_rows.h"
#include "operators/control_record.h"
#include "operators/estimate.h"
#include "operators/window_time.h"

enum { WINDOW_SUFFIX = 8 };

static const char windows_table[] = "windows";

struct call {
    struct mr_chart *chart;
    struct mr_operator_context *context;
    struct mr_chart_rows rows;
};

/* What a row gives. */
struct reading {
    double values[MR_CHART_FIELDS_MAX];
    double size; /* of charts of counts: of the sample, 0: nothing was looked at; else 1 */
};

/* A key's object in hand. */
struct keyed {
    struct mr_slice key;
    uint64_t hash;
    int64_t event_time_ms;
    struct mr_detector_stage *stage;
    struct mr_chart_object *object;
};

/* ---- Opening ---- */

/* Of a key's object. */
static size_t object_bytes(const struct mr_chart *chart)
{
    return sizeof(struct mr_detector_stage) + sizeof(struct mr_chart_object) +
           (chart->numbers.sample + chart->numbers.baseline) * sizeof(double);
}

static enum mr_status open_tables(struct mr_chart *chart, struct mr_state *state,
                                  struct mr_error *error)
{
    const struct mr_plan_node *node = chart->node;
    struct mr_table_spec spec = {
        .operator_name = node->name,
        .name = mr_chart_table,
        .version = MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION),
        .object_size = object_bytes(chart),
        .encode = mr_chart_object_encode,
        .encoded_size_max = MR_STAGE_BYTES_MAX + MR_CHART_BYTES_MAX + MR_CHART_NUMBERS_HEAD_BYTES +
                            8 * (chart->numbers.sample + chart->numbers.baseline),
        .decode = mr_chart_object_decode,
        .slot_bytes = chart->slot_points * mr_chart_point_bytes(&chart->numbers),
        .slots_max = (MR_CHART_PHASE1_MAX + chart->slot_points - 1) / chart->slot_points,
        .ttl_ms = node->state_ttl_ms,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
    };
    MR_ASSERT(node->type->state_version == spec.version);
    enum mr_status status = mr_table_open(state, &spec, &chart->table, error);
    if (status != MR_OK || chart->subgroup != MR_SUBGROUP_WINDOW)
        return status;
    spec.name = windows_table;
    spec.object_size = sizeof(struct mr_chart_window) + chart->numbers.sample * sizeof(double);
    spec.encode = mr_chart_window_encode;
    spec.encoded_size_max = MR_CHART_SAMPLE_BYTES + 8 * chart->numbers.sample;
    spec.decode = mr_chart_window_decode;
    spec.slot_bytes = 0;
    spec.slots_max = 0;
    spec.ttl_ms = 0;
    spec.timed = true;
    return mr_table_open(state, &spec, &chart->windows, error);
}

static void bind_subgroup(struct mr_chart *chart, const struct mr_options *options)
{
    if (!chart->book.kind->has_groups)
        return;
    const struct mr_options *subgroup = mr_options_get(options, "subgroup")->objects;
    if (mr_options_present(subgroup, "count")) {
        chart->subgroup = MR_SUBGROUP_COUNT;
        chart->subgroup_count = (uint32_t)mr_options_integer(subgroup, "count");
    } else if (mr_options_present(subgroup, "field")) {
        chart->subgroup = MR_SUBGROUP_FIELD;
        chart->subgroup_slot = mr_options_slot(subgroup, "field");
    } else {
        chart->subgroup = MR_SUBGROUP_WINDOW;
        chart->subgroup_ms = mr_options_integer(subgroup, "window");
    }
}

static void bind_limits(struct mr_chart *chart, const struct mr_options *options)
{
    struct mr_chart_rule_book *book = &chart->book;
    chart->phase1_count = MR_CHART_PHASE1_DEFAULT;
    book->excludes = true;
    if (mr_options_present(options, "phase1")) {
        const struct mr_options *phase1 = mr_options_get(options, "phase1")->objects;
        chart->phase1_count = (uint32_t)mr_options_integer(phase1, "subgroups");
        book->excludes = mr_options_integer(phase1, "exclude") == 0;
    }
    if (!mr_options_present(options, "limits"))
        return;
    const struct mr_options *limits = mr_options_get(options, "limits")->objects;
    chart->phase1_count = 0;
    book->is_given = true;
    if (book->kind->numbers != NULL)
        return; /* they are the kind's own */
    book->given.center = mr_options_number(limits, "cl");
    if (book->kind->counts == MR_COUNTS_NONE)
        book->given.sigma = mr_options_number(limits, "sigma");
    book->is_fixed =
        mr_option_specs_find(limits->specs, "ucl") >= 0 && mr_options_present(limits, "ucl");
    if (!book->is_fixed)
        return;
    book->fixed = (struct mr_chart_lines){book->given.center, mr_options_number(limits, "lcl"),
                                          mr_options_number(limits, "ucl")};
    if (book->kind->counts != MR_COUNTS_NONE)
        return;
    /* What the process must vary by for limits this far apart. */
    double weight = chart->subgroup == MR_SUBGROUP_COUNT ? chart->subgroup_count : 1;
    book->given.sigma = (book->fixed.upper - book->fixed.lower) / (2 * book->sigmas) * sqrt(weight);
}

static void bind_fields(struct mr_chart *chart, const struct mr_options *options)
{
    bool several = mr_option_specs_find(options->specs, "fields") >= 0;
    const struct mr_option_value *fields = mr_options_get(options, several ? "fields" : "field");
    chart->fields_count = several ? fields->count : 1;
    chart->field_texts = several ? fields->texts : &fields->text;
    chart->field_slots = fields->slots;
    chart->field_text = chart->field_texts[0];
    MR_ASSERT(chart->fields_count >= 1 && chart->fields_count <= MR_CHART_FIELDS_MAX);
}

static void bind_baseline(struct mr_chart *chart, const struct mr_options *options)
{
    struct mr_chart_rule_book *book = &chart->book;
    if (mr_option_specs_find(options->specs, "baseline") < 0) { /* a kind without one */
        book->is_given = true;
        return;
    }
    book->update = (enum mr_chart_update)mr_options_integer(options, "baseline");
    book->update_weight = mr_options_number(options, "baseline_weight");
    chart->learn = (enum mr_chart_learn)mr_options_integer(options, "learn");
    bind_limits(chart, options);
}

static void bind_options(struct mr_chart *chart, const struct mr_options *options)
{
    struct mr_chart_rule_book *book = &chart->book;
    bool has_rules = mr_option_specs_find(options->specs, "rules") >= 0;
    const struct mr_option_value *rules = has_rules ? mr_options_get(options, "rules") : NULL;
    bool has_sigmas = mr_option_specs_find(options->specs, "sigmas") >= 0;
    if (has_sigmas)
        book->sigmas = mr_options_number(options, "sigmas");
    book->phase1_sigmas = book->kind->judge == NULL ? book->sigmas : MR_CHART_PHASE1_SIGMAS;
    chart->rules = rules == NULL || rules->count == 0 ? 1u << MR_RULE_WE1 : 0;
    for (uint32_t index = 0; rules != NULL && index < rules->count; index++)
        chart->rules |= mr_run_rules_named(mr_slice_text(rules->texts[index]));
    bind_fields(chart, options);
    bind_subgroup(chart, options);
    bind_baseline(chart, options);
}

/* Rooms for points, and of kinds with numbers for what is taken out of the state meanwhile. */
static void make_rooms(struct mr_chart *chart)
{
    size_t points = chart->phase1_count;
    chart->slot_points = mr_chart_slot_points(&chart->numbers);
    if (chart->book.kind->numbers == NULL && points > 0)
        chart->kept = mr_memory_new(points, sizeof(*chart->kept));
    if (chart->numbers.kept > 0 && points > 0)
        chart->kept_numbers = mr_memory_new(points * chart->numbers.kept, sizeof(double));
    if (chart->numbers.sample > 0)
        chart->open_numbers = mr_memory_new(chart->numbers.sample, sizeof(double));
    chart->copy = mr_memory_new(1, object_bytes(chart));
}

/* Constants of all sizes that can come. */
static void bind_constants(struct mr_chart *chart)
{
    const struct mr_chart_kind *kind = chart->book.kind;
    uint32_t most = kind->most < MR_CONTROL_SIZE_MAX ? kind->most : MR_CONTROL_SIZE_MAX;
    if (!kind->needs_ranges)
        return;
    for (uint32_t size = 2; size <= most; size++)
        if (chart->subgroup != MR_SUBGROUP_COUNT || size == chart->subgroup_count)
            chart->book.ranges[size] = mr_control_range(size);
}

enum mr_status mr_chart_open(struct mr_chart *chart, const struct mr_operator_open *open,
                             const struct mr_chart_kind *kind, struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    chart->plan = open->plan;
    chart->node = node;
    chart->partition = open->partition;
    chart->book.kind = kind;
    mr_arena_init(&chart->keys, 1 << 12);
    bind_options(chart, &node->options);
    bind_constants(chart);
    chart->alerts_are_read = mr_operator_output_is_read(open->plan, node, MR_CHART_OUTPUT_ALERTS);
    chart->slots = node->added_slots;
    if (chart->subgroup == MR_SUBGROUP_NONE) {
        chart->record_layout = node->inputs[0].layout;
    } else {
        const struct mr_plan_domain *domain = &open->plan->domains[node->outputs[0].domain];
        chart->slots = domain->field_slots;
        chart->key_count = node->key.slots_count;
        MR_ASSERT(chart->key_count <= MR_CHART_KEY_FIELDS_MAX);
        for (uint32_t field = 0; field < chart->key_count; field++)
            chart->key_types[field] = domain->field_types[field];
    }
    make_rooms(chart);
    return open_tables(chart, open->state, error);
}

void mr_chart_close(void *self)
{
    struct mr_chart *chart = self;
    mr_memory_free(chart->kept);
    mr_memory_free(chart->kept_numbers);
    mr_memory_free(chart->open_numbers);
    mr_memory_free(chart->copy);
    mr_arena_deinit(&chart->keys);
}

/* ---- A key's object ---- */

static void begin(const struct mr_chart *chart, struct mr_chart_object *object)
{
    const struct mr_chart_numbers *numbers = chart->book.kind->numbers;
    object->sample_numbers = (uint16_t)chart->numbers.sample;
    object->baseline_numbers = (uint16_t)chart->numbers.baseline;
    if (!chart->book.is_given)
        return;
    object->baseline = chart->book.given;
    object->flags |= MR_CHART_HAS_BASELINE;
    if (numbers != NULL && numbers->begin != NULL)
        numbers->begin(chart, mr_chart_baseline_numbers(object));
}

static enum mr_status find(const struct mr_chart *chart, struct keyed *keyed,
                           struct mr_error *error)
{
    void *entry;
    bool created;
    enum mr_status status = mr_table_get(chart->table, keyed->key, keyed->hash,
                                         keyed->event_time_ms, &entry, &created, error);
    if (status != MR_OK)
        return status;
    keyed->stage = entry;
    keyed->object = mr_chart_object_of(entry);
    if (created)
        begin(chart, keyed->object);
    mr_stage_wake(keyed->stage, keyed->event_time_ms);
    mr_table_dirty(chart->table, entry);
    return MR_OK;
}

/* ---- Phase 1 ---- */

/* The points of phase 1 are not needed any more: the object goes on without slots. */
static enum mr_status drop_slots(const struct mr_chart *chart, struct keyed *keyed,
                                 struct mr_error *error)
{
    memcpy(chart->copy, keyed->stage, object_bytes(chart));
    enum mr_status status = mr_table_remove(chart->table, keyed->key, keyed->hash, error);
    if (status == MR_OK)
        status = find(chart, keyed, error);
    if (status != MR_OK)
        return status;
    memcpy(keyed->stage, chart->copy, object_bytes(chart));
    return MR_OK;
}

static enum mr_status establish(const struct mr_chart *chart, struct keyed *keyed,
                                struct mr_error *error)
{
    struct mr_chart_object *object = keyed->object;
    const struct mr_chart_numbers *numbers = chart->book.kind->numbers;
    uint32_t points = chart->slot_points;
    for (uint32_t index = 0; index < object->kept; index++) {
        void *slot;
        enum mr_status status =
            mr_table_slot(chart->table, keyed->stage, index / points, false, &slot, error);
        if (status != MR_OK)
            return status;
        if (numbers == NULL)
            chart->kept[index].measure = mr_chart_slot_get(slot, index % points);
        else
            mr_chart_slot_get_numbers(slot, index % points, chart->numbers.kept,
                                      chart->kept_numbers + (size_t)index * chart->numbers.kept);
    }
    if (numbers == NULL)
        object->excluded =
            mr_chart_estimate_baseline(&chart->book, chart->kept, object->kept, &object->baseline);
    else
        object->excluded = numbers->establish(chart, chart->kept_numbers, object->kept,
                                              mr_chart_baseline_numbers(object));
    object->flags |= MR_CHART_HAS_BASELINE;
    return drop_slots(chart, keyed, error);
}

/* measure, or of kinds with numbers: given. */
static enum mr_status keep_point(const struct mr_chart *chart, struct keyed *keyed,
                                 const struct mr_chart_measure *measure,
                                 const struct mr_chart_numbered *given, struct mr_error *error)
{
    struct mr_chart_object *object = keyed->object;
    uint32_t place = object->kept % chart->slot_points;
    void *slot;
    if ((keyed->stage->flags & MR_STAGE_FROZEN) != 0)
        return MR_OK;
    enum mr_status status = mr_table_slot(chart->table, keyed->stage,
                                          object->kept / chart->slot_points, true, &slot, error);
    if (status != MR_OK)
        return status;
    if (measure != NULL) {
        mr_chart_slot_put(slot, place, measure);
    } else {
        chart->book.kind->numbers->keep(chart, given, chart->kept_numbers);
        mr_chart_slot_put_numbers(slot, place, chart->numbers.kept, chart->kept_numbers);
    }
    object->kept++;
    return object->kept == chart->phase1_count ? establish(chart, keyed, error) : MR_OK;
}

/* ---- Points ---- */

/* A point of phase 2: *row gets what is broken and the state. measure, or of kinds with numbers:
 * given. */
static void judge(const struct mr_chart *chart, struct keyed *keyed,
                  const struct mr_chart_measure *measure, const struct mr_chart_numbered *given,
                  struct mr_chart_point *point, struct mr_chart_row *row)
{
    struct mr_chart_object *object = keyed->object;
    const struct mr_chart_numbers *numbers = chart->book.kind->numbers;
    if (numbers != NULL) {
        *point = (struct mr_chart_point){.spread = (double)NAN};
        numbers->judge(chart, given, mr_chart_baseline_numbers(object), point);
    } else if (chart->book.kind->judge == NULL) {
        mr_chart_judge(&chart->book, &object->baseline, measure, point);
    } else {
        bool begins = (object->flags & MR_CHART_HAS_STATISTICS) == 0;
        chart->book.kind->judge(&chart->book, &object->baseline, measure, begins,
                                object->statistics, point);
        object->flags |= MR_CHART_HAS_STATISTICS;
    }
    mr_run_history_add(&object->history, point->value, point->distance, point->beyond);
    row->history = &object->history;
    row->broken = mr_run_rules_broken(&object->history, chart->rules);
    if (point->spread_beyond)
        row->broken |= chart->rules & MR_RULES_LIMITS;
    bool is_frozen = (keyed->stage->flags & MR_STAGE_FROZEN) != 0;
    bool follows = !is_frozen && (row->broken == 0 || chart->learn == MR_CHART_LEARN_ALWAYS);
    if (follows && numbers == NULL)
        mr_chart_follow(&chart->book, measure, &object->baseline);
    else if (follows && numbers->follow != NULL && chart->book.update != MR_CHART_UPDATE_NONE)
        numbers->follow(chart, given, mr_chart_baseline_numbers(object));
    row->state = MR_DETECTOR_ARMED;
    if ((keyed->stage->flags & MR_STAGE_MUTED) == 0)
        return;
    row->broken = 0;
    row->state = MR_DETECTOR_MUTED;
}

/* given: complete; row->sample and ->group are set. */
static enum mr_status take_sample(struct call *call, struct keyed *keyed,
                                  const struct mr_chart_numbered *given, uint32_t input_row,
                                  struct mr_chart_row *row, struct mr_error *error)
{
    const struct mr_chart *chart = call->chart;
    const struct mr_chart_kind *kind = chart->book.kind;
    const struct mr_chart_sample *sample = &given->sample;
    struct mr_chart_object *object = keyed->object;
    struct mr_chart_measure measured;
    const struct mr_chart_measure *measure = kind->numbers == NULL ? &measured : NULL;
    struct mr_chart_point point;
    row->key = keyed->key;
    if (sample->count < kind->least) {
        row->state = MR_DETECTOR_STARVED;
        mr_chart_rows_point(&call->rows, input_row, row, NULL, NULL);
        return MR_OK;
    }
    bool has_previous = (object->flags & MR_CHART_HAS_PREVIOUS) != 0;
    if (measure != NULL)
        kind->measure(&chart->book, sample, has_previous ? object->previous : (double)NAN,
                      &measured);
    if (measure != NULL && !kind->has_groups) {
        object->previous = sample->mean;
        object->flags |= MR_CHART_HAS_PREVIOUS;
    }
    row->number = ++keyed->stage->seen;
    if ((object->flags & MR_CHART_HAS_BASELINE) != 0) {
        judge(chart, keyed, measure, given, &point, row);
        mr_chart_rows_point(&call->rows, input_row, row, measure, &point);
        return MR_OK;
    }
    row->state = MR_DETECTOR_LEARNING;
    mr_chart_rows_point(&call->rows, input_row, row, measure, NULL);
    return keep_point(chart, keyed, measure, given, error);
}

/* The open subgroup is complete. */
static enum mr_status close_subgroup(struct call *call, struct keyed *keyed, uint32_t input_row,
                                     struct mr_error *error)
{
    const struct mr_chart *chart = call->chart;
    struct mr_chart_object *object = keyed->object;
    struct mr_chart_numbered given = {object->sample, chart->open_numbers};
    struct mr_chart_row row = {.sample = object->sample};
    row.sample.last_ms++;
    size_t numbers_bytes = chart->numbers.sample * sizeof(double);
    if (numbers_bytes > 0)
        memcpy(chart->open_numbers, object->numbers, numbers_bytes);
    if (object->group_size > 0)
        row.group =
            mr_arena_copy(call->context->arena, mr_slice_from(object->group, object->group_size));
    if (!chart->is_running) {
        object->sample = (struct mr_chart_sample){0};
        memset(object->numbers, 0, numbers_bytes);
    }
    object->group_size = 0;
    return take_sample(call, keyed, &given, input_row, &row, error);
}

/* ---- Rows ---- */

static bool read_number(const struct call *call, struct mr_batch *batch, uint32_t row,
                        uint32_t field, double *number)
{
    const struct mr_chart *chart = call->chart;
    const char *name = chart->field_texts[field];
    struct mr_value cell = mr_batch_column(batch, chart->field_slots[field])[row];
    if (mr_value_as_double(cell, number) && isfinite(*number) &&
        fabs(*number) <= MR_DETECTOR_LEARNED_MAX) {
        *number += 0.0; /* -0.0 becomes 0.0 */
        return true;
    }
    if (cell.kind == MR_KIND_ABSENT)
        mr_operator_row_error(call->context, batch, row, "field %s is missing", name);
    else if (cell.kind == MR_KIND_ERROR)
        mr_operator_row_error(call->context, batch, row, "field %s: %.*s", name, (int)cell.size,
                              (const char *)cell.text);
    else
        mr_operator_row_error(call->context, batch, row,
                              "field %s is %s, not a finite number up to 1e140", name,
                              mr_kind_name((enum mr_kind)cell.kind));
    return false;
}

static bool read_row(const struct call *call, struct mr_batch *batch, uint32_t row,
                     struct reading *reading)
{
    const struct mr_chart *chart = call->chart;
    reading->size = 1;
    for (uint32_t field = 0; field < chart->fields_count; field++)
        if (!read_number(call, batch, row, field, &reading->values[field]))
            return false;
    return chart->book.kind->counts == MR_COUNTS_NONE ||
           mr_chart_count_read(chart, call->context, batch, row, reading->values[0],
                               &reading->size);
}

/* numbers: the sample's, of kinds that have some. */
static void add_values(const struct mr_chart *chart, struct mr_chart_sample *sample,
                       double *numbers, const double *values, int64_t event_time_ms)
{
    mr_chart_sample_add(sample, values[0], event_time_ms);
    if (chart->numbers.sample > 0)
        chart->book.kind->numbers->add(chart, sample, numbers, values);
}

/* The text of subgroup.field; false: reported. */
static bool read_group(const struct call *call, struct mr_batch *batch, uint32_t row,
                       struct mr_slice *group)
{
    enum mr_status status = mr_batch_key(batch, &call->chart->subgroup_slot, 1, row, group);
    if (status == MR_OK && group->size > 0 && group->size <= MR_CHART_GROUP_BYTES)
        return true;
    mr_operator_row_error(call->context, batch, row,
                          status == MR_OK ? "subgroup.field is empty or longer than %d bytes"
                                          : "subgroup.field has no value of up to %d bytes",
                          MR_CHART_GROUP_BYTES);
    return false;
}

/* A record of a subgroup that the records themselves end. */
static enum mr_status add_to_subgroup(struct call *call, struct keyed *keyed,
                                      struct mr_batch *batch, uint32_t row, const double *values,
                                      struct mr_error *error)
{
    const struct mr_chart *chart = call->chart;
    struct mr_chart_object *object = keyed->object;
    struct mr_slice group = {0};
    enum mr_status status = MR_OK;
    if (chart->subgroup == MR_SUBGROUP_FIELD) {
        if (!read_group(call, batch, row, &group))
            return MR_OK;
        bool is_same = mr_slice_equal(group, mr_slice_from(object->group, object->group_size));
        if (object->group_size > 0 && !is_same)
            status = close_subgroup(call, keyed, row, error);
        if (status != MR_OK)
            return status;
        object = keyed->object;
        memcpy(object->group, group.data, group.size);
        object->group_size = (uint8_t)group.size;
    }
    if (object->sample.count >= chart->book.kind->most && !chart->is_running) {
        mr_operator_row_error(call->context, batch, row,
                              "the subgroup has %" PRIu64 " records already: as many as %s takes",
                              object->sample.count, chart->node->type->name);
        return MR_OK;
    }
    add_values(chart, &object->sample, object->numbers, values, keyed->event_time_ms);
    if (chart->subgroup == MR_SUBGROUP_COUNT && object->sample.count % chart->subgroup_count == 0)
        return close_subgroup(call, keyed, row, error);
    return MR_OK;
}

static enum mr_status add_record(struct call *call, const struct mr_slice *keys,
                                 struct mr_batch *batch, uint32_t row,
                                 const struct reading *reading, struct mr_error *error)
{
    struct keyed keyed = {.key = keys[row],
                          .hash = mr_hash64(keys[row]),
                          .event_time_ms = batch->event_times_ms[row]};
    enum mr_status status = find(call->chart, &keyed, error);
    if (status != MR_OK)
        return status;
    if (call->chart->subgroup != MR_SUBGROUP_NONE)
        return add_to_subgroup(call, &keyed, batch, row, reading->values, error);
    struct mr_chart_numbered given = {{.size = reading->size}, reading->values};
    struct mr_chart_row told = {0};
    if (reading->size > 0) /* else it is starved */
        mr_chart_sample_add(&given.sample, reading->values[0], keyed.event_time_ms);
    call->rows.accepted[call->rows.accepted_count++] = (uint16_t)row;
    return take_sample(call, &keyed, &given, row, &told, error);
}

/* ---- Windows ---- */

/* *is_late: the record's window is closed. */
static enum mr_status add_to_window(struct call *call, const struct mr_slice *keys,
                                    struct mr_batch *batch, uint32_t row, const double *values,
                                    bool *is_late, struct mr_error *error)
{
    const struct mr_chart *chart = call->chart;
    int64_t time_ms = mr_window_clamp(batch->event_times_ms[row]);
    int64_t start_ms = mr_window_divide(time_ms, chart->subgroup_ms) * chart->subgroup_ms;
    int64_t end_ms = start_ms + chart->subgroup_ms;
    struct mr_slice key = keys[row];
    void *entry;
    bool created;
    *is_late = mr_operator_row_watermark(batch, row) >= end_ms;
    if (*is_late)
        return MR_OK;
    if (key.size > MR_LIMIT_KEY_BYTES - WINDOW_SUFFIX) {
        mr_operator_row_error(call->context, batch, row,
                              "the key has more than %d bytes, too long for windows",
                              MR_LIMIT_KEY_BYTES - WINDOW_SUFFIX);
        return MR_OK;
    }
    uint8_t *bytes = mr_arena_take(call->context->arena, key.size + WINDOW_SUFFIX);
    if (key.size > 0)
        memcpy(bytes, key.data, key.size);
    mr_put_u64be(bytes + key.size, (uint64_t)start_ms);
    struct mr_slice window = mr_slice_from(bytes, key.size + WINDOW_SUFFIX);
    enum mr_status status =
        mr_table_get(chart->windows, window, mr_hash64(window), time_ms, &entry, &created, error);
    if (status != MR_OK)
        return status;
    struct mr_chart_window *open = entry;
    struct mr_chart_sample *sample = &open->sample;
    if (created)
        open->numbers_count = chart->numbers.sample;
    if (sample->count >= chart->book.kind->most) {
        mr_operator_row_error(call->context, batch, row,
                              "the subgroup has %" PRIu64 " records already: as many as %s takes",
                              sample->count, chart->node->type->name);
        return MR_OK;
    }
    add_values(chart, sample, open->numbers, values, time_ms);
    if (created)
        mr_table_schedule(chart->windows, entry, end_ms);
    mr_table_dirty(chart->windows, entry);
    if (!created)
        return MR_OK;
    /* The key is known from its first record on, for queries and for the bounds of `state`. */
    struct keyed keyed = {.key = key, .hash = mr_hash64(key), .event_time_ms = time_ms};
    return find(chart, &keyed, error);
}

static enum mr_status close_window(struct call *call, struct mr_slice window, uint64_t hash,
                                   const struct mr_chart_window *open, struct mr_error *error)
{
    struct mr_chart *chart = call->chart;
    mr_arena_reset(&chart->keys);
    window = mr_arena_copy(&chart->keys, window);
    struct mr_slice key = mr_slice_from(window.data, window.size - WINDOW_SUFFIX);
    struct mr_chart_numbered closed = {open->sample, chart->open_numbers};
    struct mr_chart_row row = {.sample = open->sample};
    if (chart->numbers.sample > 0)
        memcpy(chart->open_numbers, open->numbers, chart->numbers.sample * sizeof(double));
    row.sample.first_ms = (int64_t)mr_get_u64be(window.data + key.size);
    row.sample.last_ms = row.sample.first_ms + chart->subgroup_ms;
    enum mr_status status = mr_table_remove(chart->windows, window, hash, error);
    struct keyed keyed = {
        .key = key, .hash = mr_hash64(key), .event_time_ms = row.sample.last_ms - 1};
    if (status == MR_OK)
        status = find(chart, &keyed, error);
    return status == MR_OK ? take_sample(call, &keyed, &closed, 0, &row, error) : status;
}

/* ---- Calls ---- */

static enum mr_status obey(struct mr_chart *chart, struct mr_slice key, int64_t event_time_ms,
                           const struct mr_control_order *order, struct mr_error *error)
{
    struct keyed keyed = {.key = key, .hash = mr_hash64(key), .event_time_ms = event_time_ms};
    if (order->action == MR_CONTROL_RESET)
        return mr_table_remove(chart->table, keyed.key, keyed.hash, error);
    enum mr_status status = find(chart, &keyed, error);
    if (status == MR_OK)
        mr_control_apply(keyed.stage, order);
    return status;
}

static enum mr_status control(struct mr_chart *chart, struct mr_operator_context *context,
                              struct mr_view view, struct mr_error *error)
{
    const struct mr_slice *keys =
        mr_operator_keys_of(context, &chart->node->control->key, view, &view);
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; status == MR_OK && index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        struct mr_control_order order;
        if (mr_control_read(chart->node, context, view.batch, row, &order))
            status = obey(chart, keys[row], view.batch->event_times_ms[row], &order, error);
    }
    return status;
}

enum mr_status mr_chart_process(void *self, struct mr_operator_context *context, uint32_t port,
                                struct mr_view view, struct mr_error *error)
{
    struct mr_chart *chart = self;
    struct call call = {.chart = chart, .context = context};
    if (port != 0)
        return control(chart, context, view, error);
    const struct mr_slice *keys = mr_operator_keys(context, chart->node, view, &view);
    uint16_t *late = mr_arena_take(context->arena, (view.rows_count + 1u) * sizeof(*late));
    uint32_t late_count = 0;
    mr_chart_rows_begin(&call.rows, chart, context, view);
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint16_t row = view.rows[index];
        struct reading reading;
        bool is_late = false;
        if (!read_row(&call, view.batch, row, &reading))
            continue;
        mr_chart_rows_room(&call.rows);
        enum mr_status status =
            chart->windows != NULL
                ? add_to_window(&call, keys, view.batch, row, reading.values, &is_late, error)
                : add_record(&call, keys, view.batch, row, &reading, error);
        if (status != MR_OK)
            return status;
        if (is_late)
            late[late_count++] = row;
    }
    mr_chart_rows_end(&call.rows);
    if (late_count > 0) {
        mr_operator_late(context, late_count);
        mr_operator_emit(context, MR_CHART_OUTPUT_LATE,
                         (struct mr_view){view.batch, late, late_count});
    }
    return MR_OK;
}

static enum mr_status close_windows(struct call *call, struct mr_error *error)
{
    const struct mr_chart *chart = call->chart;
    for (;;) {
        struct mr_slice key;
        uint64_t hash;
        void *object;
        bool found;
        enum mr_status status = mr_table_next_due(chart->windows, call->context->watermark_ms, &key,
                                                  &hash, &object, &found, error);
        if (status != MR_OK || !found)
            return status;
        status = close_window(call, key, hash, object, error);
        if (status != MR_OK)
            return status;
        mr_chart_rows_room(&call->rows);
        if (mr_operator_is_enough(call->context))
            return MR_AGAIN;
    }
}

enum mr_status mr_chart_watermark(void *self, struct mr_operator_context *context,
                                  struct mr_error *error)
{
    struct mr_chart *chart = self;
    struct call call = {.chart = chart, .context = context};
    if (chart->windows != NULL) {
        mr_chart_rows_begin(&call.rows, chart, context, (struct mr_view){0});
        enum mr_status status = close_windows(&call, error);
        if (status == MR_OK || status == MR_AGAIN)
            mr_chart_rows_end(&call.rows);
        if (status != MR_OK)
            return status;
    }
    return mr_table_expire(chart->table, context->watermark_ms, error);
}

struct mr_operator_reach mr_chart_reach(const struct mr_plan_node *node)
{
    const struct mr_options *subgroup = mr_options_get(&node->options, "subgroup")->objects;
    return (struct mr_operator_reach){.open_ms = mr_options_integer(subgroup, "window")};
}
