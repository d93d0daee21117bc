/* operators/chart_rows.c — see chart_rows.h. */
#include "operators/chart_rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/alert.h"
#include "operators/chart_numbers.h"
#include "operators/group_key.h"

/* Most calls make few rows; a full batch is followed by a larger one. */
enum { ROWS_FIRST = 64, ROWS_FACTOR = 8, REASON_BYTES = MR_DETECTOR_REASON_BYTES };

static struct mr_value static_text(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

static struct mr_value number_value(double number)
{
    return isfinite(number) ? mr_value_double(number + 0.0) : mr_value_null();
}

void mr_chart_rows_begin(struct mr_chart_rows *rows, const struct mr_chart *chart,
                         struct mr_operator_context *context, struct mr_view view)
{
    *rows = (struct mr_chart_rows){.chart = chart, .context = context, .rows_next = ROWS_FIRST};
    if (chart->subgroup != MR_SUBGROUP_NONE)
        return;
    rows->batch = view.batch;
    rows->accepted = mr_arena_take(context->arena, (view.rows_count + 1u) * sizeof(uint16_t));
}

/* ---- Emitting ---- */

static void write_alert(const struct mr_chart_rows *rows, const struct mr_chart_alert *given,
                        struct mr_batch *alerts)
{
    const struct mr_chart *chart = rows->chart;
    const struct mr_plan_node *node = chart->node;
    struct mr_alert alert = {
        .id = static_text(mr_arena_format(rows->context->arena, "%016" PRIx64, given->id)),
        .topology = chart->plan->name,
        .operator_name = node->name,
        .detector = node->type->name,
        .key = node->key.slots_count == 0 ? mr_value_null() : mr_value_string(given->key),
        .state = "open",
        .severity = given->severity,
        .message = given->message,
        .metric_value = given->metric_value,
        .threshold = given->threshold,
    };
    const struct mr_plan_output *output = &node->outputs[MR_CHART_OUTPUT_ALERTS];
    mr_alert_write(alerts, chart->plan->domains[output->domain].field_slots, &alert, rows->batch,
                   given->row, chart->record_layout);
}

/* Alerts, without a reader only counted, then the rows that they are about. */
static void emit(struct mr_chart_rows *rows, struct mr_view view)
{
    struct mr_operator_context *context = rows->context;
    if (!rows->chart->alerts_are_read && rows->alerts_count > 0) {
        uint16_t *found = mr_arena_take(context->arena, rows->alerts_count * sizeof(*found));
        for (uint32_t index = 0; index < rows->alerts_count; index++)
            found[index] = (uint16_t)rows->alerts[index].row;
        mr_operator_emit(context, MR_CHART_OUTPUT_ALERTS,
                         (struct mr_view){rows->batch, found, rows->alerts_count});
    } else if (rows->alerts_count > 0) {
        struct mr_batch *alerts =
            mr_operator_batch_new(context, MR_CHART_OUTPUT_ALERTS, rows->batch, rows->alerts_count);
        for (uint32_t index = 0; index < rows->alerts_count; index++)
            write_alert(rows, &rows->alerts[index], alerts);
        mr_operator_emit(context, MR_CHART_OUTPUT_ALERTS, mr_batch_view(alerts));
    }
    rows->alerts_count = 0;
    mr_operator_judged(context, rows->judged_counts);
    memset(rows->judged_counts, 0, sizeof(rows->judged_counts));
    mr_operator_emit(context, MR_CHART_OUTPUT_MAIN, view);
}

void mr_chart_rows_room(struct mr_chart_rows *rows)
{
    if (rows->chart->subgroup == MR_SUBGROUP_NONE || rows->batch == NULL ||
        rows->batch->rows_count < rows->batch->rows_capacity)
        return;
    emit(rows, mr_batch_view(rows->batch));
    rows->batch = NULL;
}

void mr_chart_rows_end(struct mr_chart_rows *rows)
{
    if (rows->chart->subgroup == MR_SUBGROUP_NONE)
        emit(rows, (struct mr_view){rows->batch, rows->accepted, rows->accepted_count});
    else if (rows->batch != NULL && rows->batch->rows_count > 0)
        emit(rows, mr_batch_view(rows->batch));
    rows->batch = NULL;
}

/* ---- A subgroup's row ---- */

static struct mr_value group_value(struct mr_batch *batch, struct mr_slice group)
{
    static const enum mr_type_code any = MR_TYPE_ANY;
    struct mr_value value;
    if (group.data == NULL)
        return mr_value_null();
    bool read = mr_group_key_read(group, &any, 1, batch->arena, &value);
    MR_ASSERT(read); /* made by mr_batch_key */
    return value;
}

/* A new row with everything but the members; returns its number. */
static uint32_t add_row(struct mr_chart_rows *rows, const struct mr_chart_row *given)
{
    const struct mr_chart *chart = rows->chart;
    if (rows->batch == NULL) {
        rows->batch =
            mr_operator_batch_new(rows->context, MR_CHART_OUTPUT_MAIN, NULL, rows->rows_next);
        rows->batch->origin = (struct mr_origin){chart->node->name, chart->partition};
        rows->rows_next *= ROWS_FACTOR;
        if (rows->rows_next > MR_LIMIT_BATCH_ROWS)
            rows->rows_next = MR_LIMIT_BATCH_ROWS;
    }
    struct mr_batch *batch = rows->batch;
    MR_ASSERT(batch->rows_count < batch->rows_capacity);
    uint32_t row = batch->rows_count++;
    int64_t event_time_ms = given->sample.last_ms - 1;
    if (row == 0) /* names the rows, for ids and randomness behind */
        batch->sequence_first = mr_hash64_seeded(given->key, (uint64_t)event_time_ms);
    struct mr_value key[MR_CHART_KEY_FIELDS_MAX];
    bool read =
        mr_group_key_read(given->key, chart->key_types, chart->key_count, batch->arena, key);
    MR_ASSERT(read);
    for (uint32_t field = 0; field < chart->key_count; field++)
        mr_batch_column(batch, chart->slots[field])[row] = key[field];
    const uint32_t *slots = chart->slots + chart->key_count;
    const struct mr_value cells[MR_CHART_GROUP_FIELDS_COUNT] = {
        [MR_CHART_WINDOW_START] = mr_value_int(given->sample.first_ms),
        [MR_CHART_WINDOW_END] = mr_value_int(given->sample.last_ms),
        [MR_CHART_SUBGROUP] = group_value(batch, given->group),
        [MR_CHART_SIZE] = mr_value_int((int64_t)given->sample.count),
    };
    for (uint32_t field = 0; field < MR_CHART_GROUP_FIELDS_COUNT; field++)
        mr_batch_column(batch, slots[field])[row] = cells[field];
    batch->offsets[row] = -1;
    batch->timestamps_ms[row] = event_time_ms;
    batch->event_times_ms[row] = event_time_ms;
    batch->message_keys[row] = (struct mr_slice){0};
    batch->key_nulls[row] = true;
    batch->payloads[row] = mr_slice_text("{}");
    batch->payload_nulls[row] = false;
    return row;
}

/* ---- Rules and sentences ---- */

static struct mr_value rule_value(struct mr_arena *arena, const char *rule, const char *chart,
                                  const struct mr_value *points, uint32_t points_count)
{
    struct mr_map_entry *entries = mr_arena_take(arena, 3 * sizeof(*entries));
    entries[0] = (struct mr_map_entry){static_text("rule"), static_text(rule)};
    entries[1] = (struct mr_map_entry){static_text("chart"), static_text(chart)};
    entries[2] = (struct mr_map_entry){
        static_text("points"), {.kind = MR_KIND_LIST, .size = points_count, .items = points}};
    return (struct mr_value){.kind = MR_KIND_MAP, .size = 3, .entries = entries};
}

/* The points of a rule by their numbers. */
static struct mr_value value_rule(struct mr_arena *arena, const struct mr_chart_row *row,
                                  enum mr_run_rule rule, const char *name)
{
    uint8_t back[MR_RULE_POINTS_MAX];
    uint32_t count = mr_run_rule_points(row->history, rule, back);
    struct mr_value *points = mr_arena_take(arena, count * sizeof(*points));
    for (uint32_t index = 0; index < count; index++)
        points[index] = mr_value_int((int64_t)(row->number - back[index]));
    return rule_value(arena, name, "value", points, count);
}

static struct mr_value rules_value(struct mr_arena *arena, const struct mr_chart_kind *kind,
                                   const struct mr_chart_row *row,
                                   const struct mr_chart_point *point)
{
    struct mr_value *items = mr_arena_take(arena, 2 * MR_RULES_COUNT * sizeof(*items));
    uint32_t count = 0;
    for (uint32_t rule = 0; rule < MR_RULES_COUNT; rule++) {
        bool is_limit = (MR_RULES_LIMITS & 1u << rule) != 0;
        if ((row->broken & 1u << rule) == 0)
            continue;
        if (!is_limit || point->beyond)
            items[count++] = value_rule(
                arena, row, (enum mr_run_rule)rule,
                kind->limit_rule != NULL && is_limit ? kind->limit_rule : mr_run_rule_names[rule]);
        if (!is_limit || !point->spread_beyond)
            continue;
        struct mr_value *number = mr_arena_take(arena, sizeof(*number));
        *number = mr_value_int((int64_t)row->number);
        items[count++] = rule_value(arena, mr_run_rule_names[rule], "spread", number, 1);
    }
    return (struct mr_value){.kind = MR_KIND_LIST, .size = count, .items = items};
}

/* "we1 and nelson2" behind what is written; returns the new size. */
static size_t append_runs(char *text, size_t used, uint32_t broken)
{
    for (uint32_t rule = 0; rule < MR_RULES_COUNT && used < REASON_BYTES; rule++)
        if ((broken & ~(uint32_t)MR_RULES_LIMITS & 1u << rule) != 0)
            used += (size_t)snprintf(text + used, REASON_BYTES - used, "; %s (%s)",
                                     mr_run_rule_texts[rule], mr_run_rule_names[rule]);
    return used;
}

static const char *reason_of(const struct mr_chart_rows *rows, const struct mr_chart_row *row,
                             const struct mr_chart_point *point)
{
    const struct mr_chart *chart = rows->chart;
    const struct mr_chart_kind *kind = chart->book.kind;
    char text[REASON_BYTES];
    if (kind->numbers != NULL) {
        kind->numbers->describe(chart, row->number, point, text, sizeof(text));
        return mr_arena_copy_text(rows->batch->arena, text);
    }
    size_t used =
        (size_t)snprintf(text, sizeof(text),
                         "point %" PRIu64 ": the %s of %.100s is %.10g%s; the limits are %.10g to "
                         "%.10g",
                         row->number, kind->value_text, chart->field_text, point->value,
                         !point->beyond        ? ""
                         : point->distance > 0 ? ", above the upper limit"
                                               : ", below the lower limit",
                         point->lines.lower, point->lines.upper);
    if (point->spread_beyond && used < sizeof(text))
        used += (size_t)snprintf(
            text + used, sizeof(text) - used, "; its %s is %.10g, the limits are %.10g to %.10g",
            kind->spread_text, point->spread, point->spread_lines.lower, point->spread_lines.upper);
    append_runs(text, used, row->broken);
    return mr_arena_copy_text(rows->batch->arena, text);
}

/* ---- Points ---- */

struct target {
    struct mr_batch *batch;
    uint32_t row;
    const uint32_t *slots; /* of the members */
};

static void put(const struct target *target, uint32_t member, struct mr_value value)
{
    mr_batch_column(target->batch, target->slots[member])[target->row] = value;
}

static void put_lines(const struct target *target, uint32_t first,
                      const struct mr_chart_lines *lines)
{
    put(target, first, lines == NULL ? mr_value_null() : number_value(lines->center));
    put(target, first + 1, lines == NULL ? mr_value_null() : number_value(lines->lower));
    put(target, first + 2, lines == NULL ? mr_value_null() : number_value(lines->upper));
}

/* {field: number} */
static struct mr_value contributions_value(const struct mr_chart *chart, struct mr_arena *arena,
                                           const double *contributions)
{
    struct mr_map_entry *entries = mr_arena_take(arena, chart->fields_count * sizeof(*entries));
    for (uint32_t field = 0; field < chart->fields_count; field++)
        entries[field] = (struct mr_map_entry){static_text(chart->field_texts[field]),
                                               number_value(contributions[field])};
    return (struct mr_value){.kind = MR_KIND_MAP, .size = chart->fields_count, .entries = entries};
}

/* Of kinds with numbers. */
static void put_more(const struct mr_chart *chart, const struct target *target,
                     const struct mr_chart_point *point)
{
    const struct mr_chart_kind *kind = chart->book.kind;
    bool is_none = point == NULL;
    put(target, MR_CHART_SCORE, mr_value_double(is_none ? 0 : point->score));
    put(target, MR_CHART_THRESHOLD, number_value(is_none ? (double)NAN : point->threshold));
    put(target, MR_CHART_VALUE, number_value(is_none ? (double)NAN : point->value));
    if (kind->numbers->has_contributions) {
        put(target, MR_CHART_NUMBERS_UPPER,
            number_value(is_none ? (double)NAN : point->lines.upper));
        put(target, MR_CHART_NUMBERS_CONTRIBUTIONS,
            is_none ? mr_value_null()
                    : contributions_value(chart, target->batch->arena, point->more));
        return;
    }
    for (uint32_t own = 0; own < kind->own_count; own++)
        put(target, MR_CHART_NUMBERS_OWN + own,
            number_value(is_none ? (double)NAN : point->more[own]));
    put(target, MR_CHART_NUMBERS_OWN + kind->own_count,
        is_none || point->text == NULL ? mr_value_null() : static_text(point->text));
}

static void put_numbers(const struct mr_chart *chart, const struct target *target,
                        const struct mr_chart_measure *measure, const struct mr_chart_point *point)
{
    bool is_plain = measure != NULL && chart->book.kind->judge == NULL;
    double value = point != NULL ? point->value
                   : is_plain    ? mr_chart_plotted(chart->book.kind, measure)
                                 : (double)NAN;
    put(target, MR_CHART_SCORE, mr_value_double(point == NULL ? 0 : fabs(point->distance)));
    put(target, MR_CHART_THRESHOLD, mr_value_double(chart->book.sigmas));
    put(target, MR_CHART_VALUE, number_value(value));
    put_lines(target, MR_CHART_CENTER, point == NULL ? NULL : &point->lines);
    for (uint32_t own = 0; own < chart->book.kind->own_count; own++)
        put(target, MR_CHART_MEMBERS_COUNT + own,
            point == NULL ? mr_value_null() : number_value(point->own[own]));
    if (!chart->book.kind->has_spread)
        return;
    bool has_spread = measure != NULL && !isnan(measure->spread);
    put(target, MR_CHART_SPREAD, has_spread ? number_value(measure->spread) : mr_value_null());
    put_lines(target, MR_CHART_SPREAD_CENTER,
              point == NULL || !has_spread ? NULL : &point->spread_lines);
}

static uint64_t alert_id(const struct mr_chart *chart, const struct mr_chart_row *row,
                         int64_t event_time_ms)
{
    uint8_t numbers[16];
    mr_put_u64le(numbers, row->number);
    mr_put_u64le(numbers + 8, (uint64_t)event_time_ms);
    uint64_t hash = mr_hash64(mr_slice_text(chart->plan->name));
    hash = mr_hash64_seeded(mr_slice_text(chart->node->name), hash);
    hash = mr_hash64_seeded(mr_slice_from(numbers, sizeof(numbers)), hash);
    return mr_hash64_seeded(row->key, hash);
}

static struct mr_chart_alert *add_alert(struct mr_chart_rows *rows)
{
    if (rows->alerts_count == rows->alerts_capacity) {
        uint32_t capacity = rows->alerts_capacity == 0 ? 64 : 2 * rows->alerts_capacity;
        struct mr_chart_alert *alerts =
            mr_arena_take(rows->context->arena, capacity * sizeof(*alerts));
        if (rows->alerts_count > 0)
            memcpy(alerts, rows->alerts, rows->alerts_count * sizeof(*alerts));
        rows->alerts = alerts;
        rows->alerts_capacity = capacity;
    }
    return &rows->alerts[rows->alerts_count++];
}

static void tell(struct mr_chart_rows *rows, const struct target *target,
                 const struct mr_chart_row *row, const struct mr_chart_point *point)
{
    struct mr_arena *arena = target->batch->arena;
    bool is_critical = (row->broken & MR_RULES_LIMITS) != 0;
    struct mr_value severity = static_text(is_critical && !point->is_mild ? "critical" : "warning");
    struct mr_value message = static_text(reason_of(rows, row, point));
    put(target, MR_CHART_SEVERITY, severity);
    put(target, MR_CHART_REASON, message);
    put(target, MR_CHART_RULES, rules_value(arena, rows->chart->book.kind, row, point));
    bool by_spread = point->spread_beyond && !point->beyond && is_critical;
    const struct mr_chart_lines *lines = by_spread ? &point->spread_lines : &point->lines;
    double value = by_spread ? point->spread : point->value;
    *add_alert(rows) = (struct mr_chart_alert){
        .id = alert_id(rows->chart, row, target->batch->event_times_ms[target->row]),
        .row = target->row,
        .key = mr_arena_copy(rows->context->arena, row->key),
        .severity = severity,
        .message = message,
        .metric_value = value,
        .threshold = value < lines->center ? lines->lower : lines->upper,
    };
}

void mr_chart_rows_point(struct mr_chart_rows *rows, uint32_t input_row,
                         const struct mr_chart_row *row, const struct mr_chart_measure *measure,
                         const struct mr_chart_point *point)
{
    const struct mr_chart *chart = rows->chart;
    struct target target = {.row = input_row, .slots = chart->slots};
    if (chart->subgroup != MR_SUBGROUP_NONE) {
        target.row = add_row(rows, row);
        target.slots += chart->key_count + MR_CHART_GROUP_FIELDS_COUNT;
    }
    target.batch = rows->batch;
    bool is_anomaly = row->broken != 0;
    put(&target, MR_CHART_IS_ANOMALY, mr_value_bool(is_anomaly));
    put(&target, MR_CHART_SEVERITY, static_text("info"));
    put(&target, MR_CHART_REASON, static_text(""));
    put(&target, MR_CHART_DETECTOR, static_text(chart->node->type->name));
    put(&target, MR_CHART_STATE, static_text(mr_detector_states[row->state]));
    put(&target, MR_CHART_POINT,
        row->number == 0 ? mr_value_null() : mr_value_int((int64_t)row->number));
    put(&target, MR_CHART_RULES, (struct mr_value){.kind = MR_KIND_LIST});
    if (chart->book.kind->numbers == NULL)
        put_numbers(chart, &target, measure, point);
    else
        put_more(chart, &target, point);
    rows->judged_counts[row->state]++;
    if (is_anomaly)
        tell(rows, &target, row, point);
}
