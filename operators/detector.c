/* operators/detector.c — see detector.h.
 * Design: a view is worked through in passes: keys, hashes and numbers, then the detector's own
 * loop over its state, then constants column by column. Each pass streams over few arrays; text,
 * maps and alert rows are made for anomalies only. An alert's id is a hash of what makes it unique
 * (topology, operator, source position, key, time, number), so that a replay makes the same id. */
#include "operators/detector.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "operators/alert.h"

const struct mr_output_spec mr_detector_outputs[MR_DETECTOR_OUTPUTS_COUNT] = {
    {.name = "main", .help = "Every record, with the object `as` added."},
    {.name = "alerts",
     .help = "One alert record per anomaly.",
     .fields = mr_alert_fields,
     .fields_count = MR_ALERT_FIELDS_COUNT},
};

enum mr_status mr_detector_open(struct mr_detector *detector, const struct mr_operator_open *open,
                                struct mr_table_spec *spec, struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    const struct mr_plan_input *input = &node->inputs[0];
    detector->plan = open->plan;
    detector->node = node;
    detector->field_text = mr_options_text(&node->options, "field");
    detector->field_slot = mr_options_slot(&node->options, "field");
    detector->record_layout = input->layout;
    detector->alerts_are_read =
        mr_operator_output_is_read(open->plan, node, MR_DETECTOR_OUTPUT_ALERTS);
    if (mr_option_specs_find(node->options.specs, "threshold") >= 0) {
        detector->threshold = mr_options_number(&node->options, "threshold");
        detector->critical_score =
            detector->threshold * mr_options_number(&node->options, "critical_ratio");
    }
    if (spec == NULL)
        return MR_OK;
    spec->operator_name = node->name;
    spec->ttl_ms = node->state_ttl_ms;
    spec->keys_max = node->state_keys_max;
    spec->bytes_max = node->state_bytes_max;
    spec->on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST;
    return mr_table_open(open->state, spec, &detector->table, error);
}

/* Why a cell is not a finite number. */
static void report_cell(const struct mr_detector *detector, struct mr_operator_context *context,
                        const struct mr_batch *batch, uint32_t row, struct mr_value cell)
{
    const char *field = detector->field_text;
    if (cell.kind == MR_KIND_ABSENT)
        mr_operator_row_error(context, batch, row, "field %s is missing", field);
    else if (cell.kind == MR_KIND_ERROR)
        mr_operator_row_error(context, batch, row, "field %s: %.*s", field, (int)cell.size,
                              (const char *)cell.text);
    else if (cell.kind == MR_KIND_DOUBLE)
        mr_operator_row_error(context, batch, row, "field %s is %s, not a finite number", field,
                              isnan(cell.number) ? "NaN" : "infinite");
    else
        mr_operator_row_error(context, batch, row, "field %s is %s, not a number", field,
                              mr_kind_name((enum mr_kind)cell.kind));
}

/* Narrow the view to rows with a finite number. */
static struct mr_view read_values(const struct mr_detector *detector,
                                  struct mr_operator_context *context, struct mr_view view,
                                  double *values)
{
    const struct mr_value *cells = mr_batch_column(view.batch, detector->field_slot);
    uint16_t *rows = mr_arena_take(context->arena, (view.rows_count + 1) * sizeof(*rows));
    uint32_t rows_count = 0;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint16_t row = view.rows[index];
        double number = 0;
        if (!mr_value_as_double(cells[row], &number) || !isfinite(number)) {
            report_cell(detector, context, view.batch, row, cells[row]);
            continue;
        }
        rows[rows_count] = row;
        values[rows_count++] = number + 0.0; /* -0.0 becomes 0.0 */
    }
    return (struct mr_view){view.batch, rows, rows_count};
}

void mr_detector_begin(const struct mr_detector *detector, struct mr_operator_context *context,
                       struct mr_view view, struct mr_detector_rows *rows)
{
    *rows = (struct mr_detector_rows){0};
    if (detector->table != NULL || detector->node->key.slots_count > 0)
        rows->keys = mr_operator_keys(context, detector->node, view, &view);
    size_t room = view.rows_count + 1u;
    double *values = mr_arena_take(context->arena, room * sizeof(*values));
    rows->values = values;
    rows->view = read_values(detector, context, view, values);
    if (detector->table != NULL) {
        uint64_t *hashes = mr_arena_take(context->arena, room * sizeof(*hashes));
        for (uint32_t index = 0; index < rows->view.rows_count; index++)
            hashes[index] = mr_hash64(rows->keys[rows->view.rows[index]]);
        rows->hashes = hashes;
    }
    for (uint32_t member = 0; member < MR_DETECTOR_MEMBERS_COUNT; member++)
        rows->columns[member] = mr_batch_column(view.batch, detector->node->added_slots[member]);
    rows->anomalies = mr_arena_take(context->arena, room * sizeof(*rows->anomalies));
}

struct mr_value *mr_detector_column(const struct mr_detector *detector,
                                    const struct mr_detector_rows *rows, uint32_t own)
{
    MR_ASSERT(MR_DETECTOR_MEMBERS_COUNT + own < detector->node->type->added_fields_count);
    return mr_batch_column(rows->view.batch,
                           detector->node->added_slots[MR_DETECTOR_MEMBERS_COUNT + own]);
}

void mr_detector_reason(struct mr_detector_finding *finding, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int written = vsnprintf(finding->reason, sizeof(finding->reason), format, arguments);
    va_end(arguments);
    MR_ASSERT(written >= 0);
    if ((size_t)written < sizeof(finding->reason))
        return;
    size_t size = mr_utf8_cut(mr_slice_from(finding->reason, sizeof(finding->reason) - 1),
                              sizeof(finding->reason) - 2);
    finding->reason[size] = '\0';
}

static void fill_column(const struct mr_detector_rows *rows, enum mr_detector_member member,
                        struct mr_value value)
{
    struct mr_value *column = rows->columns[member];
    for (uint32_t index = 0; index < rows->view.rows_count; index++)
        column[rows->view.rows[index]] = value;
}

static struct mr_value static_text(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

/* Position of a row in the view; rows of anomalies ascend, so the search goes on from *cursor. */
static double value_of(const struct mr_detector_rows *rows, uint32_t row, uint32_t *cursor)
{
    while (rows->view.rows[*cursor] != row)
        (*cursor)++;
    return rows->values[*cursor];
}

/* 16 hexadecimal digits that a replay makes again. */
static struct mr_value alert_id(const struct mr_detector *detector,
                                struct mr_operator_context *context, const struct mr_batch *batch,
                                uint32_t row, struct mr_slice key, double value)
{
    uint8_t numbers[8 * 5];
    mr_put_u64le(numbers, (uint64_t)batch->offsets[row]);
    mr_put_u64le(numbers + 8, (uint64_t)batch->event_times_ms[row]);
    mr_put_u64le(numbers + 16, (uint64_t)batch->origin.partition);
    mr_put_double_le(numbers + 24, value);
    mr_put_u64le(numbers + 32,
                 batch->origin.topic == NULL ? 0 : mr_hash64(mr_slice_text(batch->origin.topic)));
    uint64_t hash = mr_hash64(mr_slice_text(detector->plan->name));
    hash = mr_hash64_seeded(mr_slice_text(detector->node->name), hash);
    hash = mr_hash64_seeded(mr_slice_from(numbers, sizeof(numbers)), hash);
    hash = mr_hash64_seeded(key, hash);
    return static_text(mr_arena_format(context->arena, "%016" PRIx64, hash));
}

static void write_alert(const struct mr_detector *detector, struct mr_operator_context *context,
                        const struct mr_detector_rows *rows, uint32_t row, double value,
                        const struct mr_detector_finding *finding, struct mr_batch *alerts)
{
    const struct mr_batch *batch = rows->view.batch;
    struct mr_slice key = rows->keys == NULL ? (struct mr_slice){0} : rows->keys[row];
    struct mr_alert alert = {
        .id = alert_id(detector, context, batch, row, key, value),
        .topology = detector->plan->name,
        .operator_name = detector->node->name,
        .detector = detector->node->type->name,
        .key = detector->node->key.slots_count == 0 ? mr_value_null() : mr_value_string(key),
        .severity = rows->columns[MR_DETECTOR_SEVERITY][row],
        .message = rows->columns[MR_DETECTOR_REASON][row],
        .metric_value = finding->metric_value,
        .threshold = finding->threshold,
    };
    const struct mr_plan_output *output = &detector->node->outputs[MR_DETECTOR_OUTPUT_ALERTS];
    mr_alert_write(alerts, detector->plan->domains[output->domain].field_slots, &alert, batch, row,
                   detector->record_layout);
}

/* Reasons, severities and alert rows of the anomalies. */
static void describe_anomalies(const struct mr_detector *detector,
                               struct mr_operator_context *context,
                               const struct mr_detector_rows *rows, const void *self,
                               mr_detector_describe *describe)
{
    struct mr_view anomalies = {rows->view.batch, rows->anomalies, rows->anomalies_count};
    struct mr_batch *alerts = NULL;
    if (detector->alerts_are_read)
        alerts = mr_operator_batch_new(context, MR_DETECTOR_OUTPUT_ALERTS, rows->view.batch,
                                       rows->anomalies_count);
    uint32_t cursor = 0;
    for (uint32_t index = 0; index < rows->anomalies_count; index++) {
        uint32_t row = rows->anomalies[index];
        double value = value_of(rows, row, &cursor);
        double score = rows->columns[MR_DETECTOR_SCORE][row].number;
        struct mr_detector_finding finding = {.metric_value = score,
                                              .threshold = detector->threshold};
        describe(self, rows, row, value, &finding);
        if (finding.severity == NULL)
            finding.severity = score >= detector->critical_score ? "critical" : "warning";
        rows->columns[MR_DETECTOR_SEVERITY][row] = static_text(finding.severity);
        rows->columns[MR_DETECTOR_REASON][row] =
            static_text(mr_arena_copy_text(rows->view.batch->arena, finding.reason));
        if (alerts != NULL)
            write_alert(detector, context, rows, row, value, &finding, alerts);
    }
    /* Without a reader the rows are only counted: nothing is made for it. */
    mr_operator_emit(context, MR_DETECTOR_OUTPUT_ALERTS,
                     alerts == NULL ? anomalies : mr_batch_view(alerts));
}

void mr_detector_finish(const struct mr_detector *detector, struct mr_operator_context *context,
                        struct mr_detector_rows *rows, const void *self,
                        mr_detector_describe *describe)
{
    fill_column(rows, MR_DETECTOR_THRESHOLD, mr_value_double(detector->threshold));
    fill_column(rows, MR_DETECTOR_SEVERITY, static_text("info"));
    fill_column(rows, MR_DETECTOR_REASON, static_text(""));
    fill_column(rows, MR_DETECTOR_NAME, static_text(detector->node->type->name));
    if (rows->anomalies_count > 0)
        describe_anomalies(detector, context, rows, self, describe);
    mr_operator_emit(context, 0, rows->view);
}

enum mr_status mr_detector_expire(const struct mr_detector *detector,
                                  const struct mr_operator_context *context, struct mr_error *error)
{
    if (detector->table == NULL)
        return MR_OK;
    return mr_table_expire(detector->table, context->watermark_ms, error);
}
