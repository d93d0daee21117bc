/* operators/quality_rows.c — see quality_rows.h. */
#include "operators/quality_rows.h"

#include <math.h>

#include "base/endian.h"
#include "base/hash.h"

static struct mr_value static_text(const char *text)
{
    return mr_value_string(mr_slice_text(text));
}

double mr_quality_rows_score(const struct mr_quality_checks *checks, uint32_t bits)
{
    return (double)(checks->count - (uint32_t)__builtin_popcount(bits)) / checks->count;
}

static const char *reason_of(const struct mr_quality_checks *checks,
                             const struct mr_quality_findings *findings,
                             const struct mr_batch *batch, uint32_t row, struct mr_arena *arena)
{
    const char *reason = "";
    for (uint32_t index = 0; index < checks->count; index++) {
        if ((findings->violated[row] >> index & 1u) == 0)
            continue;
        reason = mr_arena_format(arena, "%s%s%s: %s", reason, reason[0] == '\0' ? "" : "; ",
                                 checks->items[index].name,
                                 mr_quality_why(checks, index, findings, batch, row, arena));
    }
    return reason;
}

void mr_quality_rows_write(const struct mr_quality_checks *checks,
                           const struct mr_quality_findings *findings, struct mr_view view,
                           struct mr_batch *output, const uint32_t *added_slots)
{
    struct mr_value *columns[MR_QUALITY_MEMBERS_COUNT];
    const struct mr_value none = {.kind = MR_KIND_LIST};
    for (uint32_t member = 0; member < MR_QUALITY_MEMBERS_COUNT; member++)
        columns[member] = mr_batch_column(output, added_slots[member]);
    for (uint32_t place = 0; place < view.rows_count; place++) {
        uint32_t row = view.rows[place];
        uint32_t bits = findings->violated[row];
        columns[MR_QUALITY_PASSED][row] = mr_value_bool((bits & checks->fatal) == 0);
        columns[MR_QUALITY_SCORE][row] = mr_value_double(mr_quality_rows_score(checks, bits));
        columns[MR_QUALITY_SEVERITY][row] =
            static_text(mr_quality_severities[mr_quality_worst(checks, bits)]);
        columns[MR_QUALITY_REASON][row] = static_text(
            bits == 0 ? "" : reason_of(checks, findings, view.batch, row, output->arena));
        columns[MR_QUALITY_FAILED][row] =
            bits == 0 ? none : mr_quality_names(checks, bits, output->arena);
    }
}

/* The same in a replay: of the record's place and the check. */
static uint64_t alert_id(const struct mr_alert_teller *teller, const struct mr_batch *batch,
                         uint32_t row, uint32_t check, struct mr_slice key)
{
    uint8_t numbers[8 * 5];
    mr_put_u64le(numbers, (uint64_t)batch->offsets[row]);
    mr_put_u64le(numbers + 8, (uint64_t)batch->event_times_ms[row]);
    mr_put_u64le(numbers + 16, (uint64_t)batch->origin.partition);
    mr_put_u64le(numbers + 24, check);
    mr_put_u64le(numbers + 32,
                 batch->origin.topic == NULL ? 0 : mr_hash64(mr_slice_text(batch->origin.topic)));
    return mr_alert_teller_id(teller, key,
                              (int64_t)mr_hash64(mr_slice_from(numbers, sizeof(numbers))));
}

/* What was compared: the number and the bound that it passed, else that none of one satisfied. */
static void measure(const struct mr_quality_check *check, const struct mr_batch *batch,
                    uint32_t row, struct mr_alert_notice *notice)
{
    double number;
    notice->metric_value = 0;
    notice->threshold = 1;
    if (check->expect != MR_EXPECT_BETWEEN || batch->columns[check->slot] == NULL ||
        !mr_value_as_double(batch->columns[check->slot][row], &number) || !isfinite(number))
        return;
    notice->metric_value = number;
    notice->threshold = number < check->minimum ? check->minimum : check->maximum;
}

void mr_quality_rows_alert(const struct mr_quality_checks *checks,
                           const struct mr_quality_findings *findings, struct mr_view view,
                           const struct mr_slice *keys, struct mr_alert_batch *alerts)
{
    struct mr_arena *arena = alerts->context->arena;
    if (!alerts->teller->is_read)
        return;
    for (uint32_t place = 0; place < view.rows_count; place++) {
        uint32_t row = view.rows[place];
        struct mr_slice key = keys == NULL ? (struct mr_slice){0} : keys[row];
        for (uint32_t index = 0; index < checks->count; index++) {
            const struct mr_quality_check *check = &checks->items[index];
            if ((findings->violated[row] >> index & 1u) == 0)
                continue;
            struct mr_alert_notice notice = {
                .id = alert_id(alerts->teller, view.batch, row, index, key),
                .state = "open",
                .severity = mr_quality_severities[check->severity],
                .message = mr_arena_format(
                    arena, "%s: %s", check->name,
                    mr_quality_why(checks, index, findings, view.batch, row, arena)),
                .key = key,
                .about_row = true,
                .row = row,
            };
            measure(check, view.batch, row, &notice);
            mr_alert_batch_add(alerts, &notice);
        }
    }
}
