/* operators/detector_rows.c — see detector_rows.h.
 * Design: a view is worked through in passes: keys, hashes and numbers, columns with what holds for
 * normal records, then the driver's loop over the state. Text, maps and alert rows are made for
 * anomalies only. An alert's id is a hash of what makes it unique (topology, operator, source
 * position, key, time, number), so that a replay makes the same id. */
#include "operators/detector_rows.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/alert.h"
#include "record/json_write.h"

const struct mr_output_spec mr_detector_outputs[MR_DETECTOR_OUTPUTS_COUNT] = {
    {.name = "main", .help = "Every record, with the object `as` added."},
    {.name = "alerts",
     .help = "One alert record per anomaly.",
     .fields = mr_alert_fields,
     .fields_count = MR_ALERT_FIELDS_COUNT},
};

static struct mr_value static_text(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

/* ---- Numbers ---- */

/* Why a cell is not what the detector reads. */
static void report_cell(const struct mr_detector_rows *rows, uint32_t row, const char *field,
                        struct mr_value cell)
{
    const struct mr_batch *batch = rows->view.batch;
    struct mr_operator_context *context = rows->context;
    double number;
    if (cell.kind == MR_KIND_ABSENT)
        mr_operator_row_error(context, batch, row, "field %s is missing", field);
    else if (cell.kind == MR_KIND_ERROR)
        mr_operator_row_error(context, batch, row, "field %s: %.*s", field, (int)cell.size,
                              (const char *)cell.text);
    else if (cell.kind == MR_KIND_DOUBLE && !isfinite(cell.number))
        mr_operator_row_error(context, batch, row, "field %s is %s, not a finite number", field,
                              isnan(cell.number) ? "NaN" : "infinite");
    else if (mr_value_as_double(cell, &number))
        mr_operator_row_error(context, batch, row, "field %s is %.6g, not %s", field, number,
                              rows->detector->type->range == MR_RANGE_BINARY ? "0 or 1"
                                                                             : "from 0 to 1");
    else
        mr_operator_row_error(context, batch, row, "field %s is %s, not a %s", field,
                              mr_kind_name((enum mr_kind)cell.kind),
                              rows->detector->type->reads_text ? "plain value" : "number");
}

static bool is_within(enum mr_detector_range range, double number)
{
    if (range == MR_RANGE_BINARY)
        return number == 0 || number == 1;
    return range == MR_RANGE_ANY || (number >= 0 && number <= 1);
}

static bool read_number(enum mr_detector_range range, struct mr_value cell, double *number)
{
    if (range != MR_RANGE_ANY && cell.kind == MR_KIND_BOOL)
        cell = mr_value_double(cell.boolean ? 1 : 0);
    if (!mr_value_as_double(cell, number) || !isfinite(*number) || !is_within(range, *number))
        return false;
    *number += 0.0; /* -0.0 becomes 0.0 */
    return true;
}

/* The text of a plain value; borrowed, or in the arena. */
static bool read_text(struct mr_arena *arena, struct mr_value cell, struct mr_slice *text)
{
    if (cell.kind == MR_KIND_STRING) {
        *text = mr_value_text(cell);
        return true;
    }
    if (cell.kind < MR_KIND_BOOL || cell.kind > MR_KIND_DOUBLE)
        return false;
    uint8_t *start = mr_arena_take(arena, mr_json_write_bound(cell) + MR_JSON_WRITE_SLACK);
    uint8_t *end = mr_json_write(start, cell);
    if (end == NULL)
        return false; /* NaN, infinity */
    *text = mr_slice_from(start, (size_t)(end - start));
    return true;
}

struct reading {
    struct mr_detector_rows *rows;
    const struct mr_value *cells[MR_MODEL_FIELDS_MAX];
    struct mr_slice *texts;
};

/* A number that a record should have had, and did not. */
static bool is_missing(struct mr_value cell)
{
    return cell.kind == MR_KIND_ABSENT || cell.kind == MR_KIND_NULL ||
           (cell.kind == MR_KIND_DOUBLE && !isfinite(cell.number));
}

/* The numbers of a row; false: reported. */
static bool read_row(const struct reading *reading, uint32_t row, double *values, uint8_t *mark,
                     struct mr_slice *text)
{
    const struct mr_detector *detector = reading->rows->detector;
    *mark = 0;
    for (uint32_t field = 0; field < detector->fields_count; field++) {
        struct mr_value cell = reading->cells[field][row];
        bool is_number = read_number(detector->type->range, cell, &values[field]);
        bool is_text =
            reading->texts != NULL && read_text(reading->rows->context->arena, cell, text);
        if (!is_number && !is_text) {
            if (detector->on_missing != MR_ON_MISSING_SKIP && is_missing(cell)) {
                *mark |= MR_MARK_MISSING;
                values[field] = 0;
                continue;
            }
            report_cell(reading->rows, row, detector->field_texts[field], cell);
            return false;
        }
        if (!is_number)
            values[field] = 0;
        if (fabs(values[field]) > MR_DETECTOR_LEARNED_MAX)
            *mark |= MR_MARK_UNLEARNED;
    }
    return true;
}

/* The usual case, one number each: no detour by structs. Returns how many rows are accepted. */
static uint32_t read_numbers(const struct reading *reading, struct mr_view view, uint16_t *accepted,
                             double *values, uint8_t *marks)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint16_t row = view.rows[index];
        struct mr_value cell = reading->cells[0][row];
        accepted[count] = row;
        if (cell.kind == MR_KIND_DOUBLE && fabs(cell.number) <= MR_DETECTOR_LEARNED_MAX) {
            values[count] = cell.number + 0.0;
            marks[count++] = 0;
        } else if (read_row(reading, row, &values[count], &marks[count], NULL)) {
            count++;
        }
    }
    return count;
}

static uint32_t read_rows(const struct reading *reading, struct mr_view view, uint16_t *accepted,
                          double *values, uint8_t *marks)
{
    uint32_t width = reading->rows->detector->fields_count;
    uint32_t count = 0;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        struct mr_slice *text = reading->texts == NULL ? NULL : &reading->texts[count];
        if (read_row(reading, row, values + (size_t)count * width, &marks[count], text))
            accepted[count++] = (uint16_t)row;
    }
    return count;
}

/* Narrow the view to rows that can be judged. */
static void read_values(struct mr_detector_rows *rows)
{
    const struct mr_detector *detector = rows->detector;
    struct mr_arena *arena = rows->context->arena;
    struct mr_view view = rows->view;
    struct reading reading = {.rows = rows};
    size_t room = view.rows_count + 1u;
    uint32_t width = detector->fields_count;
    uint16_t *accepted = mr_arena_take(arena, room * sizeof(*accepted));
    double *values = mr_arena_take(arena, room * width * sizeof(*values));
    uint8_t *marks = mr_arena_take(arena, room);
    if (detector->type->reads_text)
        reading.texts = mr_arena_take(arena, room * sizeof(*reading.texts));
    for (uint32_t field = 0; field < width; field++)
        reading.cells[field] = mr_batch_column(view.batch, detector->field_slots[field]);
    bool is_plain = width == 1 && reading.texts == NULL && detector->type->range == MR_RANGE_ANY;
    uint32_t count = is_plain ? read_numbers(&reading, view, accepted, values, marks)
                              : read_rows(&reading, view, accepted, values, marks);
    rows->view = (struct mr_view){view.batch, accepted, count};
    rows->values = values;
    rows->marks = marks;
    rows->texts = reading.texts;
}

/* ---- Columns ---- */

static void fill_column(const struct mr_detector_rows *rows, enum mr_detector_member member,
                        struct mr_value value)
{
    struct mr_value *column = rows->columns[member];
    for (uint32_t index = 0; index < rows->view.rows_count; index++)
        column[rows->view.rows[index]] = value;
}

static void open_columns(struct mr_detector_rows *rows)
{
    const struct mr_detector *detector = rows->detector;
    struct mr_batch *batch = rows->view.batch;
    const uint32_t *slots = detector->node->added_slots;
    for (uint32_t member = 0; member < MR_DETECTOR_MEMBERS_COUNT; member++, slots++)
        if (member != MR_DETECTOR_P_VALUE)
            rows->columns[member] = mr_batch_column(batch, *slots);
    for (uint32_t own = 0; own < detector->own_count; own++)
        rows->own[own] = mr_batch_column(batch, *slots++);
    if (detector->contributes)
        rows->contributions = mr_batch_column(batch, *slots);
    fill_column(rows, MR_DETECTOR_THRESHOLD, mr_value_double(detector->threshold));
    fill_column(rows, MR_DETECTOR_IS_ANOMALY, mr_value_bool(false));
    fill_column(rows, MR_DETECTOR_SEVERITY, static_text("info"));
    fill_column(rows, MR_DETECTOR_REASON, static_text(""));
    fill_column(rows, MR_DETECTOR_NAME, static_text(detector->node->type->name));
    fill_column(rows, MR_DETECTOR_STATE, static_text(mr_detector_states[MR_DETECTOR_ARMED]));
}

void mr_detector_rows_begin(const struct mr_detector *detector, struct mr_operator_context *context,
                            struct mr_view view, const struct mr_slice *keys,
                            struct mr_detector_rows *rows)
{
    *rows = (struct mr_detector_rows){.detector = detector, .context = context, .keys = keys};
    if (keys == NULL && (detector->table != NULL || detector->node->key.slots_count > 0))
        rows->keys = mr_operator_keys(context, detector->node, view, &view);
    rows->view = view;
    read_values(rows);
    size_t room = rows->view.rows_count + 1u;
    if (detector->table != NULL) {
        uint64_t *hashes = mr_arena_take(context->arena, room * sizeof(*hashes));
        for (uint32_t index = 0; index < rows->view.rows_count; index++)
            hashes[index] = mr_hash64(rows->keys[rows->view.rows[index]]);
        rows->hashes = hashes;
    }
    open_columns(rows);
    rows->anomalies = mr_arena_take(context->arena, room * sizeof(*rows->anomalies));
}

struct mr_value mr_detector_rows_own(const struct mr_detector *detector, uint32_t own,
                                     double number)
{
    if (isnan(number))
        return mr_value_null();
    enum mr_type_code type = detector->own_types[own];
    if (type == MR_TYPE_DOUBLE)
        return mr_value_double(number > DBL_MAX ? DBL_MAX : number < -DBL_MAX ? -DBL_MAX : number);
    if (type == MR_TYPE_INT && fabs(number) < 9e18)
        return mr_value_int((int64_t)number);
    if (type == MR_TYPE_INT)
        return mr_value_int(number < 0 ? INT64_MIN : INT64_MAX);
    if (type == MR_TYPE_BOOL)
        return mr_value_bool(number != 0);
    MR_ASSERT(type == MR_TYPE_STRING && detector->type->own_texts[own] != NULL);
    return static_text(detector->type->own_texts[own][(uint32_t)number]);
}

/* ---- Alerts ---- */

static void add_alert(struct mr_detector_rows *rows, const struct mr_detector_alert *alert)
{
    if (rows->alerts_count == rows->alerts_capacity) {
        uint32_t capacity = rows->alerts_capacity == 0 ? 64 : 2 * rows->alerts_capacity;
        struct mr_detector_alert *alerts =
            mr_arena_take(rows->context->arena, capacity * sizeof(*alerts));
        if (rows->alerts_count > 0)
            memcpy(alerts, rows->alerts, rows->alerts_count * sizeof(*alerts));
        rows->alerts = alerts;
        rows->alerts_capacity = capacity;
    }
    rows->alerts[rows->alerts_count++] = *alert;
}

static void note_alert(struct mr_detector_rows *rows, uint32_t position,
                       const struct mr_detector_finding *finding, const char *state, uint64_t id,
                       struct mr_value message)
{
    uint32_t row = rows->view.rows[position];
    if (rows->anomalies_count == 0 || rows->anomalies[rows->anomalies_count - 1] != row)
        rows->anomalies[rows->anomalies_count++] = (uint16_t)row;
    struct mr_detector_alert alert = {id,
                                      row,
                                      position,
                                      state,
                                      static_text(finding->severity),
                                      message,
                                      finding->metric_value,
                                      finding->threshold};
    if (rows->detector->alerts_are_read)
        add_alert(rows, &alert);
}

static struct mr_value message_of(struct mr_detector_rows *rows,
                                  const struct mr_detector_finding *finding)
{
    return static_text(mr_arena_copy_text(rows->view.batch->arena, finding->reason));
}

void mr_detector_rows_alert(struct mr_detector_rows *rows, uint32_t position,
                            const struct mr_detector_finding *finding, const char *state,
                            uint64_t id)
{
    note_alert(rows, position, finding, state, id, message_of(rows, finding));
}

void mr_detector_rows_p_value(struct mr_detector_rows *rows, uint32_t row, double p_value)
{
    struct mr_value **column = &rows->columns[MR_DETECTOR_P_VALUE];
    if (*column == NULL)
        *column = mr_batch_column(rows->view.batch,
                                  rows->detector->node->added_slots[MR_DETECTOR_P_VALUE]);
    (*column)[row] = mr_value_double(p_value);
}

void mr_detector_rows_found(struct mr_detector_rows *rows, uint32_t position,
                            const struct mr_detector_finding *finding, const char *state,
                            uint64_t id)
{
    uint32_t row = rows->view.rows[position];
    struct mr_value message = message_of(rows, finding);
    rows->columns[MR_DETECTOR_IS_ANOMALY][row] = mr_value_bool(true);
    rows->columns[MR_DETECTOR_SEVERITY][row] = static_text(finding->severity);
    rows->columns[MR_DETECTOR_REASON][row] = message;
    note_alert(rows, position, finding, state, id, message);
}

uint64_t mr_detector_rows_id(const struct mr_detector_rows *rows, uint32_t position)
{
    const struct mr_batch *batch = rows->view.batch;
    uint32_t row = rows->view.rows[position];
    struct mr_slice key = rows->keys == NULL ? (struct mr_slice){0} : rows->keys[row];
    double value = rows->values[(size_t)position * rows->detector->fields_count];
    uint8_t numbers[8 * 5];
    mr_put_u64le(numbers, (uint64_t)batch->offsets[row]);
    mr_put_u64le(numbers + 8, (uint64_t)batch->event_times_ms[row]);
    mr_put_u64le(numbers + 16, (uint64_t)batch->origin.partition);
    mr_put_double_le(numbers + 24, value);
    mr_put_u64le(numbers + 32,
                 batch->origin.topic == NULL ? 0 : mr_hash64(mr_slice_text(batch->origin.topic)));
    uint64_t hash = mr_hash64(mr_slice_text(rows->detector->plan->name));
    hash = mr_hash64_seeded(mr_slice_text(rows->detector->node->name), hash);
    hash = mr_hash64_seeded(mr_slice_from(numbers, sizeof(numbers)), hash);
    return mr_hash64_seeded(key, hash);
}

static void write_alert(const struct mr_detector_rows *rows, const struct mr_detector_alert *given,
                        struct mr_batch *alerts)
{
    const struct mr_detector *detector = rows->detector;
    struct mr_slice key = rows->keys == NULL ? (struct mr_slice){0} : rows->keys[given->row];
    uint64_t id = given->id != 0 ? given->id : mr_detector_rows_id(rows, given->position);
    struct mr_alert alert = {
        .id = static_text(mr_arena_format(rows->context->arena, "%016" PRIx64, id)),
        .topology = detector->plan->name,
        .operator_name = detector->node->name,
        .detector = detector->node->type->name,
        .key = detector->node->key.slots_count == 0 ? mr_value_null() : mr_value_string(key),
        .state = given->state,
        .severity = given->severity,
        .message = given->message,
        .metric_value = given->metric_value,
        .threshold = given->threshold,
    };
    const struct mr_plan_output *output = &detector->node->outputs[MR_DETECTOR_OUTPUT_ALERTS];
    mr_alert_write(alerts, detector->plan->domains[output->domain].field_slots, &alert,
                   rows->view.batch, given->row, detector->record_layout);
}

void mr_detector_rows_finish(struct mr_detector_rows *rows)
{
    struct mr_operator_context *context = rows->context;
    struct mr_view anomalies = {rows->view.batch, rows->anomalies, rows->anomalies_count};
    /* Without a reader the rows are only counted: nothing is made for it. */
    if (!rows->detector->alerts_are_read)
        mr_operator_emit(context, MR_DETECTOR_OUTPUT_ALERTS, anomalies);
    for (uint32_t first = 0; first < rows->alerts_count; first += MR_LIMIT_BATCH_ROWS) {
        uint32_t count = rows->alerts_count - first;
        count = count < MR_LIMIT_BATCH_ROWS ? count : MR_LIMIT_BATCH_ROWS;
        struct mr_batch *alerts =
            mr_operator_batch_new(context, MR_DETECTOR_OUTPUT_ALERTS, rows->view.batch, count);
        for (uint32_t index = 0; index < count; index++)
            write_alert(rows, &rows->alerts[first + index], alerts);
        mr_operator_emit(context, MR_DETECTOR_OUTPUT_ALERTS, mr_batch_view(alerts));
    }
    mr_operator_judged(context, rows->judged_counts);
    mr_operator_emit(context, 0, rows->present);
}
