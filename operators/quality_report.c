/* operators/quality_report.c — see quality_report.h. */
#include "operators/quality_report.h"

#include <inttypes.h>
#include <math.h>

#include "base/assert.h"
#include "base/hash.h"
#include "operators/quality_rows.h"

enum {
    RESULT_KEY,
    RESULT_START,
    RESULT_END,
    RESULT_RECORDS,
    RESULT_PASSED,
    RESULT_SCORE,
    RESULT_SEVERITY,
    RESULT_FAILED,
    RESULT_CHECKS
};

const struct mr_output_field mr_quality_result_fields[MR_QUALITY_RESULT_FIELDS_COUNT] = {
    {"key", MR_TYPE_STRING, "The operator's key as text; null without a key."},
    {"window_start", MR_TYPE_INT,
     "The window's begin, ms since the epoch; of a batch or record the least event time."},
    {"window_end", MR_TYPE_INT,
     "The window's end, exclusive; of a batch or record the greatest event time."},
    {"records", MR_TYPE_INT, "Records in the record's, batch's or window's unit."},
    {"passed", MR_TYPE_BOOL, "Its records went to the main output."},
    {"score", MR_TYPE_DOUBLE, "The share of the checks that did not fail, 0 to 1."},
    {"severity", MR_TYPE_STRING, "The worst severity of the checks that failed, else info."},
    {"failed", MR_TYPE_ANY, "A list: the names of the checks that failed."},
    {"checks", MR_TYPE_ANY,
     "A list, an object per check: name, expect, passed, severity, observed (the share of records "
     "that satisfy it, or the count, mean and so on; null: nothing to compare), counted and "
     "violated (records looked at, and found fault with), offenders: topic, partition and offset "
     "of the first 8 of those."},
};

static struct mr_value static_text(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

void mr_quality_reporter_open(struct mr_quality_reporter *reporter,
                              const struct mr_operator_open *open,
                              const struct mr_quality_checks *checks, uint32_t alerts_output,
                              uint32_t results_output)
{
    const struct mr_plan_node *node = open->node;
    int index = mr_option_specs_find(mr_quality_check_options, "expect");
    *reporter = (struct mr_quality_reporter){
        .node = node,
        .checks = checks,
        .expects = mr_quality_check_options[index].choices,
        .slots = open->plan->domains[node->outputs[results_output].domain].field_slots,
        .output = results_output,
        .results_are_read = mr_operator_output_is_read(open->plan, node, results_output),
        .partition = open->partition,
    };
    mr_alert_teller_open(&reporter->teller, open, alerts_output);
}

void mr_quality_report_begin(struct mr_quality_report *report,
                             const struct mr_quality_reporter *reporter,
                             struct mr_operator_context *context, const struct mr_batch *cause)
{
    *report = (struct mr_quality_report){
        .reporter = reporter,
        .context = context,
        .cause = cause,
        .alerts = {.teller = &reporter->teller, .context = context, .cause = cause},
    };
}

static void emit_results(struct mr_quality_report *report)
{
    if (report->results == NULL)
        return;
    struct mr_view view = mr_batch_view(report->results);
    report->results = NULL;
    mr_operator_emit(report->context, report->reporter->output, view);
}

void mr_quality_report_end(struct mr_quality_report *report)
{
    mr_alert_batch_end(&report->alerts);
    emit_results(report);
}

const char *mr_quality_report_reason(const struct mr_quality_checks *checks,
                                     const struct mr_quality_unit *unit, struct mr_arena *arena)
{
    const char *reason = "";
    for (uint32_t index = 0; index < checks->count; index++)
        if ((unit->failed >> index & 1u) != 0)
            reason =
                mr_arena_format(arena, "%s%s%s: %s", reason, reason[0] == '\0' ? "" : "; ",
                                checks->items[index].name,
                                mr_quality_unit_why(unit, index, &checks->items[index], arena));
    return reason;
}

/* ---- Results ---- */

static uint32_t offenders_count(const struct mr_quality_tally *tally)
{
    return tally->violated < MR_QUALITY_OFFENDERS_MAX ? (uint32_t)tally->violated
                                                      : MR_QUALITY_OFFENDERS_MAX;
}

static struct mr_value places_value(const struct mr_quality_verdict *verdict, uint32_t index,
                                    struct mr_arena *arena)
{
    uint32_t count = offenders_count(&verdict->unit->tallies[index]);
    const struct mr_alert_place *places =
        verdict->offenders + (size_t)index * MR_QUALITY_OFFENDERS_MAX;
    struct mr_value *items = mr_arena_take(arena, count * sizeof(*items));
    for (uint32_t item = 0; item < count; item++) {
        struct mr_alert_place place = places[item];
        if (place.origin.topic != NULL)
            place.origin.topic = mr_arena_copy_text(arena, place.origin.topic);
        items[item] = mr_alert_place_value(arena, &place);
    }
    return (struct mr_value){.kind = MR_KIND_LIST, .size = count, .items = items};
}

static struct mr_value check_value(const struct mr_quality_report *report,
                                   const struct mr_quality_verdict *verdict, uint32_t index,
                                   struct mr_arena *arena)
{
    const struct mr_quality_check *check = &report->reporter->checks->items[index];
    const struct mr_quality_tally *tally = &verdict->unit->tallies[index];
    double observed;
    bool any = mr_quality_unit_observed(verdict->unit, index, check, &observed);
    const struct {
        const char *name;
        struct mr_value value;
    } members[] = {
        {"name", static_text(check->name)},
        {"expect", static_text(report->reporter->expects[check->expect])},
        {"passed", mr_value_bool((verdict->unit->failed >> index & 1u) == 0)},
        {"severity", static_text(mr_quality_severities[check->severity])},
        {"observed", any ? mr_value_double(observed) : mr_value_null()},
        {"counted", mr_value_int((int64_t)tally->counted)},
        {"violated", mr_value_int((int64_t)tally->violated)},
        {"offenders", places_value(verdict, index, arena)},
    };
    const uint32_t count = MR_ARRAY_COUNT(members);
    struct mr_map_entry *entries = mr_arena_take(arena, count * sizeof(*entries));
    for (uint32_t member = 0; member < count; member++)
        entries[member] =
            (struct mr_map_entry){static_text(members[member].name), members[member].value};
    return (struct mr_value){.kind = MR_KIND_MAP, .size = count, .entries = entries};
}

static struct mr_value checks_value(const struct mr_quality_report *report,
                                    const struct mr_quality_verdict *verdict,
                                    struct mr_arena *arena)
{
    uint32_t count = report->reporter->checks->count;
    struct mr_value *items = mr_arena_take(arena, count * sizeof(*items));
    for (uint32_t index = 0; index < count; index++)
        items[index] = check_value(report, verdict, index, arena);
    return (struct mr_value){.kind = MR_KIND_LIST, .size = count, .items = items};
}

static void open_results(struct mr_quality_report *report, const struct mr_quality_verdict *verdict)
{
    const struct mr_quality_reporter *reporter = report->reporter;
    if (report->results != NULL)
        return;
    report->results = mr_operator_batch_new(report->context, reporter->output, report->cause,
                                            MR_LIMIT_BATCH_ROWS);
    report->results->origin = (struct mr_origin){reporter->node->name, reporter->partition};
    report->results->sequence_first = /* names the rows, for ids and randomness behind */
        mr_hash64_seeded(verdict->key, verdict->unit->number ^ (uint64_t)verdict->time_ms);
}

static void write_result(struct mr_quality_report *report, const struct mr_quality_verdict *verdict)
{
    const struct mr_quality_reporter *reporter = report->reporter;
    const struct mr_quality_checks *checks = reporter->checks;
    uint32_t failed = verdict->unit->failed;
    open_results(report, verdict);
    struct mr_batch *batch = report->results;
    uint32_t row = batch->rows_count++;
    const struct mr_value cells[MR_QUALITY_RESULT_FIELDS_COUNT] = {
        [RESULT_KEY] = reporter->node->key.slots_count == 0
                           ? mr_value_null()
                           : mr_value_string(mr_arena_copy(batch->arena, verdict->key)),
        [RESULT_START] = mr_value_int(verdict->start_ms),
        [RESULT_END] = mr_value_int(verdict->end_ms),
        [RESULT_RECORDS] = mr_value_int((int64_t)verdict->unit->records),
        [RESULT_PASSED] = mr_value_bool((failed & checks->fatal) == 0),
        [RESULT_SCORE] = mr_value_double(mr_quality_rows_score(checks, failed)),
        [RESULT_SEVERITY] = static_text(mr_quality_severities[mr_quality_worst(checks, failed)]),
        [RESULT_FAILED] = mr_quality_names(checks, failed, batch->arena),
        [RESULT_CHECKS] = checks_value(report, verdict, batch->arena),
    };
    for (uint32_t field = 0; field < MR_QUALITY_RESULT_FIELDS_COUNT; field++)
        mr_batch_column(batch, reporter->slots[field])[row] = cells[field];
    batch->offsets[row] = -1;
    batch->timestamps_ms[row] = verdict->time_ms;
    batch->event_times_ms[row] = verdict->time_ms;
    batch->message_keys[row] = (struct mr_slice){0};
    batch->key_nulls[row] = true;
    batch->payloads[row] = mr_slice_text("{}");
    batch->payload_nulls[row] = false;
    if (batch->rows_count == batch->rows_capacity)
        emit_results(report);
}

/* ---- Alerts ---- */

/* What was compared with what. */
static void measure(const struct mr_quality_verdict *verdict, uint32_t index,
                    const struct mr_quality_check *check, struct mr_alert_notice *notice)
{
    double observed;
    (void)mr_quality_unit_observed(verdict->unit, index, check, &observed);
    notice->metric_value = observed;
    notice->threshold = check->mostly;
    if (!mr_quality_is_aggregate(check->expect))
        return;
    bool is_below = observed < check->minimum || isinf(check->maximum);
    notice->threshold = is_below ? check->minimum : check->maximum;
}

static const char *message_of(const struct mr_quality_verdict *verdict, uint32_t index,
                              const struct mr_quality_check *check, struct mr_arena *arena)
{
    uint32_t count = offenders_count(&verdict->unit->tallies[index]);
    const char *why = mr_quality_unit_why(verdict->unit, index, check, arena);
    const struct mr_alert_place *first =
        verdict->offenders + (size_t)index * MR_QUALITY_OFFENDERS_MAX;
    if (count == 0)
        return mr_arena_format(arena, "%s: %s", check->name, why);
    return mr_arena_format(arena, "%s: %s; the first is %s, partition %" PRId32 ", offset %" PRId64,
                           check->name, why,
                           first->origin.topic == NULL ? "a record" : first->origin.topic,
                           first->origin.partition, first->offset);
}

static void tell_alerts(struct mr_quality_report *report, const struct mr_quality_verdict *verdict)
{
    const struct mr_quality_reporter *reporter = report->reporter;
    struct mr_arena *arena = report->context->arena;
    for (uint32_t index = 0; index < reporter->checks->count; index++) {
        const struct mr_quality_check *check = &reporter->checks->items[index];
        if ((verdict->unit->failed >> index & 1u) == 0)
            continue;
        uint64_t number = verdict->unit->number * MR_QUALITY_CHECKS_MAX + index;
        struct mr_alert_notice notice = {
            .id = mr_alert_teller_id(&reporter->teller, verdict->key, (int64_t)number),
            .state = "open",
            .severity = mr_quality_severities[check->severity],
            .message = message_of(verdict, index, check, arena),
            .key = verdict->key,
            .event_time_ms = verdict->time_ms,
        };
        struct mr_alert_place place = verdict->offenders[(size_t)index * MR_QUALITY_OFFENDERS_MAX];
        if (verdict->unit->tallies[index].violated > 0) {
            if (place.origin.topic != NULL)
                place.origin.topic = mr_arena_copy_text(arena, place.origin.topic);
            notice.place = &place;
        }
        measure(verdict, index, check, &notice);
        mr_alert_batch_add(&report->alerts, &notice);
    }
}

void mr_quality_report_unit(struct mr_quality_report *report,
                            const struct mr_quality_verdict *verdict)
{
    if (verdict->tells_alerts && report->reporter->teller.is_read)
        tell_alerts(report, verdict);
    if (report->reporter->results_are_read)
        write_result(report, verdict);
}
