/* operators/quality_single.c — see quality_single.h. */
#include "operators/quality_single.h"

#include <string.h>

#include "operators/derive.h"

static void split(const struct mr_quality_checks *checks, struct mr_operator_context *context,
                  const struct mr_quality_findings *findings, struct mr_view view,
                  struct mr_view ways[2])
{
    uint16_t *rows = mr_arena_take(context->arena, (2u * view.rows_count + 1u) * sizeof(*rows));
    uint16_t *failed = rows + view.rows_count;
    ways[MR_QUALITY_OUTPUT_MAIN] = (struct mr_view){view.batch, rows, 0};
    ways[MR_QUALITY_OUTPUT_FAIL] = (struct mr_view){view.batch, failed, 0};
    for (uint32_t place = 0; place < view.rows_count; place++) {
        uint16_t row = view.rows[place];
        if ((findings->violated[row] & checks->fatal) == 0)
            rows[ways[MR_QUALITY_OUTPUT_MAIN].rows_count++] = row;
        else
            failed[ways[MR_QUALITY_OUTPUT_FAIL].rows_count++] = row;
    }
}

/* Results of records, each a unit of its own. */
static void report_records(struct mr_quality_report *report,
                           const struct mr_quality_findings *findings, struct mr_view view,
                           const struct mr_slice *keys)
{
    struct mr_arena *arena = report->context->arena;
    const struct mr_quality_checks *checks = report->reporter->checks;
    size_t size = mr_quality_unit_size(checks->count);
    if (!report->reporter->results_are_read)
        return;
    uint32_t places_count = MR_QUALITY_CHECKS_MAX * MR_QUALITY_OFFENDERS_MAX;
    struct mr_alert_place *places = mr_arena_new(arena, places_count, sizeof(*places));
    struct mr_quality_unit *unit = mr_arena_take(arena, size);
    for (uint32_t place = 0; place < view.rows_count; place++) {
        uint32_t row = view.rows[place];
        int64_t time_ms = view.batch->event_times_ms[row];
        memset(unit, 0, size);
        mr_quality_unit_add(unit, checks, findings, view.batch, row, 0);
        unit->failed = findings->violated[row];
        for (uint32_t index = 0; index < checks->count; index++)
            places[index * MR_QUALITY_OFFENDERS_MAX] =
                (struct mr_alert_place){view.batch->origin, view.batch->offsets[row]};
        mr_quality_report_unit(report, &(struct mr_quality_verdict){.unit = unit,
                                                                    .key = keys[row],
                                                                    .start_ms = time_ms,
                                                                    .end_ms = time_ms,
                                                                    .time_ms = time_ms,
                                                                    .offenders = places});
    }
}

void mr_quality_single_judge(const struct mr_plan_node *node,
                             const struct mr_quality_checks *checks,
                             const struct mr_quality_reporter *reporter,
                             struct mr_operator_context *context, struct mr_view view)
{
    struct mr_quality_findings findings;
    struct mr_quality_report report;
    struct mr_view ways[2];
    struct mr_view keyed;
    const uint32_t *slots = node->added_slots;
    const struct mr_slice *keys = mr_operator_keys(context, node, view, &keyed);
    mr_quality_find(checks, context, keyed, &findings);
    struct mr_batch *output = mr_operator_batch_new(context, MR_QUALITY_OUTPUT_MAIN, view.batch, 1);
    mr_derive_alias(output, view.batch, &node->inputs[0]);
    mr_quality_rows_write(checks, &findings, keyed, output, slots);
    struct mr_value *violated = mr_batch_column(output, slots[MR_QUALITY_VIOLATED]);
    struct mr_value *records = mr_batch_column(output, slots[MR_QUALITY_RECORDS]);
    const struct mr_value *failed = mr_batch_column(output, slots[MR_QUALITY_FAILED]);
    for (uint32_t place = 0; place < keyed.rows_count; place++) {
        violated[keyed.rows[place]] = failed[keyed.rows[place]];
        records[keyed.rows[place]] = mr_value_int(1);
    }
    mr_quality_report_begin(&report, reporter, context, view.batch);
    mr_quality_rows_alert(checks, &findings, keyed, keys, &report.alerts);
    report_records(&report, &findings, keyed, keys);
    mr_quality_report_end(&report);
    split(checks, context, &findings, keyed, ways);
    for (uint32_t way = MR_QUALITY_OUTPUT_MAIN; way <= MR_QUALITY_OUTPUT_FAIL; way++) {
        ways[way].batch = output;
        mr_operator_emit(context, way, ways[way]);
    }
}
