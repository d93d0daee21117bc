/* cli/report_series.c — see report_series.h. */
#include "cli/report_series.h"

#include "base/assert.h"
#include "base/utf8.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define VALUE_MAX 1e306 /* sums and differences of a few stay finite */
static const int64_t NUMBER_MAX = INT64_C(1) << 53;

void mr_series_init(struct mr_series *series, const struct mr_series_shape *shape,
                    uint32_t last_wanted, struct mr_arena *arena)
{
    MR_ASSERT(last_wanted >= 1 && last_wanted <= MR_SERIES_LAST_MAX);
    *series = (struct mr_series){.shape = *shape, .last_wanted = last_wanted};
    series->first = mr_arena_new(arena, MR_SERIES_FIRST_MAX, sizeof(*series->first));
    series->lasts = mr_arena_new(arena, (size_t)2 * last_wanted, sizeof(*series->lasts));
    series->breaches =
        mr_arena_new(arena, (size_t)2 * MR_SERIES_BREACHES_MAX, sizeof(*series->breaches));
    series->columns = mr_arena_new(arena, MR_SERIES_COLUMNS_MAX, sizeof(*series->columns));
    series->column_points = 1;
    series->first_ms = INT64_MIN;
    series->last_ms = INT64_MIN;
}

/* The chart begins again: what came before is not part of the series. */
static void restart(struct mr_series *series)
{
    series->restarts++;
    series->points = series->learning = series->starved = series->anomalies = 0;
    series->number = 0;
    series->first_ms = series->last_ms = INT64_MIN;
    series->first_count = series->lasts_count = series->breaches_count = 0;
    series->breaches_total = 0;
    series->columns_count = series->tallies_count = 0;
    series->column_points = 1;
    series->column_filled = 0;
}

/* ---- Reading members ---- */

static void copy_text(char target[MR_SERIES_TEXT_BYTES], const char *text)
{
    struct mr_slice bytes = mr_slice_text(text);
    size_t size = mr_utf8_cut(bytes, MR_SERIES_TEXT_BYTES - 1);
    memcpy(target, text, size);
    target[size] = '\0';
}

/* A text is itself, another value its JSON. */
static void copy_value(char target[MR_SERIES_TEXT_BYTES], const json_t *value)
{
    char text[4 * MR_SERIES_TEXT_BYTES];
    target[0] = '\0';
    if (value == NULL || json_is_null(value))
        return;
    if (json_is_string(value)) {
        copy_text(target, json_string_value(value));
        return;
    }
    if (json_is_real(value)) {
        (void)snprintf(target, MR_SERIES_TEXT_BYTES, "%.15g", json_real_value(value));
        return;
    }
    size_t size = json_dumpb(value, text, sizeof(text) - 1, JSON_COMPACT | JSON_ENCODE_ANY);
    text[size < sizeof(text) ? size : sizeof(text) - 1] = '\0';
    copy_text(target, text);
}

static double number_of(const json_t *object, const char *name)
{
    const json_t *member = json_object_get(object, name);
    double number = json_is_number(member) ? json_number_value(member) : (double)NAN;
    return fabs(number) <= VALUE_MAX ? number : (double)NAN;
}

static int64_t integer_of(const json_t *object, const char *name, int64_t otherwise)
{
    const json_t *member = json_object_get(object, name);
    return json_is_integer(member) ? json_integer_value(member) : otherwise;
}

static bool text_is(const json_t *object, const char *name, const char *text)
{
    const char *found = json_string_value(json_object_get(object, name));
    return found != NULL && strcmp(found, text) == 0;
}

static const json_t *walk(const struct mr_path *path, const json_t *value)
{
    for (uint32_t index = 0; index < path->steps_count && value != NULL; index++) {
        const struct mr_path_step *step = &path->steps[index];
        value = step->name != NULL ? json_object_get(value, step->name)
                                   : json_array_get(value, step->index);
    }
    return value;
}

/* ---- The key ---- */

static void note_key(struct mr_series *series, const json_t *key)
{
    char text[MR_SERIES_TEXT_BYTES];
    if (json_array_size(key) == 1 && json_is_string(json_array_get(key, 0)))
        key = json_array_get(key, 0);
    copy_value(text, key);
    for (uint32_t index = 0; index < series->keys_count; index++)
        if (strcmp(series->keys[index], text) == 0)
            return;
    if (series->keys_count < MR_SERIES_KEYS_MAX)
        copy_text(series->keys[series->keys_count++], text);
}

static bool is_wanted(struct mr_series *series, const json_t *record)
{
    const struct mr_series_shape *shape = &series->shape;
    json_t *key = json_array();
    for (uint32_t index = 0; index < shape->paths_count; index++) {
        const json_t *value = walk(&shape->paths[index], record);
        json_array_append(key, value == NULL ? json_null() : (json_t *)(uintptr_t)value);
    }
    const char *text = shape->paths_count == 1 ? json_string_value(json_array_get(key, 0)) : NULL;
    bool wanted = shape->paths_count == 0 || (text != NULL && strcmp(text, shape->key) == 0);
    json_t *asked = wanted || text != NULL ? NULL : json_loads(shape->key, 0, NULL);
    wanted = wanted || (json_is_array(asked) && json_equal(asked, key) == 1);
    if (!wanted && series->points == 0)
        note_key(series, key);
    json_decref(asked);
    json_decref(key);
    return wanted;
}

/* ---- Columns of the whole series ---- */

static void join_columns(struct mr_series *series)
{
    for (uint32_t index = 0; index < MR_SERIES_COLUMNS_MAX / 2; index++) {
        struct mr_series_column joined = series->columns[2 * index];
        const struct mr_series_column *next = &series->columns[2 * index + 1];
        joined.last = next->last;
        joined.lowest = fmin(joined.lowest, next->lowest);
        joined.highest = fmax(joined.highest, next->highest);
        joined.anomalies += next->anomalies;
        joined.critical += next->critical;
        if (!isnan(next->lines.upper))
            joined.lines = next->lines;
        series->columns[index] = joined;
    }
    series->columns_count = MR_SERIES_COLUMNS_MAX / 2;
    series->column_points *= 2;
    series->column_filled = series->column_points;
}

static void add_to_columns(struct mr_series *series, const struct mr_series_point *point)
{
    bool is_full = series->column_filled == series->column_points;
    if (is_full && series->columns_count == MR_SERIES_COLUMNS_MAX)
        join_columns(series);
    if (series->columns_count == 0 || series->column_filled == series->column_points) {
        series->columns[series->columns_count++] =
            (struct mr_series_column){.first = point->number,
                                      .lowest = (double)NAN,
                                      .highest = (double)NAN,
                                      .lines = {NAN, NAN, NAN, NAN}};
        series->column_filled = 0;
    }
    struct mr_series_column *column = &series->columns[series->columns_count - 1];
    column->last = point->number;
    column->lowest = fmin(column->lowest, point->value.value);
    column->highest = fmax(column->highest, point->value.value);
    column->anomalies += point->is_anomaly;
    column->critical += point->is_critical;
    if (!isnan(point->value.upper))
        column->lines = point->value;
    series->column_filled++;
}

/* ---- Rules ---- */

static void tally(struct mr_series *series, const struct mr_series_breach *breach)
{
    uint32_t index = 0;
    for (; index < series->tallies_count; index++)
        if (series->tallies[index].by_spread == breach->by_spread &&
            strcmp(series->tallies[index].rule, breach->rule) == 0)
            break;
    if (index == MR_SERIES_TALLIES_MAX)
        return; /* more names than there are rules: the sum still counts them */
    if (index == series->tallies_count) {
        series->tallies[index] = (struct mr_series_tally){.by_spread = breach->by_spread};
        copy_text(series->tallies[series->tallies_count++].rule, breach->rule);
    }
    series->tallies[index].count++;
}

static void add_breach(struct mr_series *series, const struct mr_series_point *point,
                       const json_t *rule)
{
    if (series->breaches_count == 2 * MR_SERIES_BREACHES_MAX) {
        memmove(series->breaches, series->breaches + MR_SERIES_BREACHES_MAX,
                MR_SERIES_BREACHES_MAX * sizeof(*series->breaches));
        series->breaches_count = MR_SERIES_BREACHES_MAX;
    }
    struct mr_series_breach *breach = &series->breaches[series->breaches_count++];
    const json_t *points = json_object_get(rule, "points");
    *breach = (struct mr_series_breach){.number = point->number, .time_ms = point->time_ms};
    breach->by_spread = text_is(rule, "chart", "spread");
    breach->lines = breach->by_spread ? point->spread : point->value;
    copy_text(breach->label, point->label);
    copy_value(breach->rule, json_object_get(rule, "rule"));
    for (size_t index = 0; index < json_array_size(points); index++) {
        const json_t *number = json_array_get(points, index);
        bool is_number = json_integer_value(number) >= 1 && json_integer_value(number) < NUMBER_MAX;
        if (is_number && breach->points_count < MR_SERIES_RULE_POINTS_MAX)
            breach->points[breach->points_count++] = json_integer_value(number);
    }
    series->breaches_total++;
    tally(series, breach);
}

/* ---- Points ---- */

static void read_point(const json_t *record, const json_t *members, int64_t time_ms,
                       struct mr_series_point *point)
{
    *point = (struct mr_series_point){
        .number = integer_of(members, "point", 0),
        .time_ms = integer_of(record, "window_start", time_ms),
        .size = integer_of(record, "size", 0),
        .value = {number_of(members, "value"), number_of(members, "center"),
                  number_of(members, "lower"), number_of(members, "upper")},
        .spread = {number_of(members, "spread"), number_of(members, "spread_center"),
                   number_of(members, "spread_lower"), number_of(members, "spread_upper")},
        .high = number_of(members, "high"),
        .low = number_of(members, "low"),
        .threshold = number_of(members, "threshold"),
        .score = number_of(members, "score"),
        .is_learning = text_is(members, "state", "learning"),
        .is_muted = text_is(members, "state", "muted"),
        .is_anomaly = json_is_true(json_object_get(members, "is_anomaly")),
        .is_critical = text_is(members, "severity", "critical"),
    };
}

static void add_point(struct mr_series *series, const struct mr_series_point *point)
{
    if (series->points++ == 0) {
        series->first_number = point->number;
        series->first_ms = point->time_ms;
    }
    series->number = point->number;
    series->last_ms = point->time_ms;
    series->learning += point->is_learning;
    series->anomalies += point->is_anomaly;
    bool follows = series->first_count == 0 || series->first[series->first_count - 1].is_learning;
    if (follows && series->first_count < MR_SERIES_FIRST_MAX)
        series->first[series->first_count++] = *point;
    if (series->lasts_count == 2 * series->last_wanted) {
        memmove(series->lasts, series->lasts + series->last_wanted,
                series->last_wanted * sizeof(*series->lasts));
        series->lasts_count = series->last_wanted;
    }
    series->lasts[series->lasts_count++] = *point;
    add_to_columns(series, point);
}

static void take(struct mr_series *series, const json_t *record, const json_t *members,
                 int64_t time_ms)
{
    struct mr_series_point point;
    const json_t *rules = json_object_get(members, "rules");
    series->taken++;
    if (text_is(members, "state", "starved")) {
        series->starved++;
        return;
    }
    bool is_group = members == record;
    read_point(is_group ? record : NULL, members, time_ms, &point);
    if (is_group)
        copy_value(point.label, json_object_get(record, "subgroup"));
    if (point.number == 1 && series->points > 0)
        restart(series);
    if (point.number <= series->number || point.number >= NUMBER_MAX) {
        series->repeated++;
        return;
    }
    add_point(series, &point);
    for (size_t index = 0; index < json_array_size(rules); index++)
        add_breach(series, &point, json_array_get(rules, index));
}

void mr_series_add(struct mr_series *series, struct mr_slice text, int64_t time_ms)
{
    json_t *record = json_loadb((const char *)text.data, text.size, JSON_ALLOW_NUL, NULL);
    const json_t *members =
        series->shape.as == NULL ? record : json_object_get(record, series->shape.as);
    series->records++;
    if (text_is(members, "detector", series->shape.type) &&
        json_object_get(members, "point") != NULL && json_object_get(members, "rules") != NULL) {
        if (is_wanted(series, record))
            take(series, record, members, time_ms);
    } else {
        series->others++;
    }
    json_decref(record);
}

const struct mr_series_point *mr_series_last(const struct mr_series *series, uint32_t *count)
{
    *count = series->lasts_count < series->last_wanted ? series->lasts_count : series->last_wanted;
    return series->lasts + (series->lasts_count - *count);
}

const struct mr_series_breach *mr_series_breaches(const struct mr_series *series, uint32_t *count)
{
    *count = series->breaches_count < MR_SERIES_BREACHES_MAX ? series->breaches_count
                                                             : MR_SERIES_BREACHES_MAX;
    return series->breaches + (series->breaches_count - *count);
}
