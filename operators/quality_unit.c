/* operators/quality_unit.c — see quality_unit.h. */
#include "operators/quality_unit.h"

#include <inttypes.h>
#include <math.h>

#include "base/assert.h"

_Static_assert(sizeof(struct mr_quality_unit) +
                       MR_QUALITY_CHECKS_MAX * sizeof(struct mr_quality_tally) <=
                   MR_GROUP_OBJECT_BYTES_MAX,
               "a unit with all checks must be a stored object");

static void add_number(struct mr_quality_tally *tally, double number)
{
    double count = (double)(tally->counted - tally->violated); /* this one included */
    double before = number - tally->mean;
    number += 0.0; /* -0.0 becomes 0.0 */
    tally->mean += before / count;
    tally->squares += before * (number - tally->mean);
    if (count == 1 || number < tally->minimum)
        tally->minimum = number;
    if (count == 1 || number > tally->maximum)
        tally->maximum = number;
}

void mr_quality_unit_add(struct mr_quality_unit *unit, const struct mr_quality_checks *checks,
                         const struct mr_quality_findings *findings, const struct mr_batch *batch,
                         uint32_t row, uint32_t repeated)
{
    uint32_t counted = findings->counted[row];
    uint32_t violated = findings->violated[row] | repeated;
    int64_t time_ms = batch->event_times_ms[row];
    if (unit->records == 0 || time_ms < unit->first_ms)
        unit->first_ms = time_ms;
    if (unit->records == 0 || time_ms > unit->last_ms)
        unit->last_ms = time_ms;
    for (uint32_t index = 0; index < checks->count; index++) {
        struct mr_quality_tally *tally = &unit->tallies[index];
        double number;
        if ((counted >> index & 1u) == 0)
            continue;
        tally->counted++;
        if ((violated >> index & 1u) != 0) {
            if (tally->violated < MR_QUALITY_OFFENDERS_MAX)
                tally->offenders[tally->violated] = (uint32_t)unit->records;
            tally->violated++;
        } else if (checks->items[index].expect >= MR_EXPECT_MEAN &&
                   mr_value_as_double(batch->columns[checks->items[index].slot][row], &number)) {
            add_number(tally, number);
        }
    }
    unit->records++;
}

bool mr_quality_unit_observed(const struct mr_quality_unit *unit, uint32_t index,
                              const struct mr_quality_check *check, double *observed)
{
    const struct mr_quality_tally *tally = &unit->tallies[index];
    uint64_t satisfied = tally->counted - tally->violated;
    *observed = 0;
    switch (check->expect) {
    case MR_EXPECT_ROW_COUNT:
        *observed = (double)unit->records;
        return true;
    case MR_EXPECT_MEAN:
        *observed = tally->mean;
        return satisfied > 0;
    case MR_EXPECT_STDEV:
        if (satisfied > 1)
            *observed = sqrt(tally->squares / (double)(satisfied - 1));
        return satisfied > 1;
    case MR_EXPECT_MIN:
        *observed = tally->minimum;
        return satisfied > 0;
    case MR_EXPECT_MAX:
        *observed = tally->maximum;
        return satisfied > 0;
    case MR_EXPECT_WHERE:
    case MR_EXPECT_NOT_NULL:
    case MR_EXPECT_TYPE:
    case MR_EXPECT_BETWEEN:
    case MR_EXPECT_IN_SET:
    case MR_EXPECT_MATCHES:
    case MR_EXPECT_REFERENCES:
    case MR_EXPECT_UNIQUE:
    case MR_EXPECTS_COUNT:
        break;
    }
    *observed = tally->counted == 0 ? 1 : (double)satisfied / (double)tally->counted;
    return true;
}

bool mr_quality_unit_fails(const struct mr_quality_unit *unit, uint32_t index,
                           const struct mr_quality_check *check)
{
    double observed;
    bool any = mr_quality_unit_observed(unit, index, check, &observed);
    if (!mr_quality_is_aggregate(check->expect))
        return observed < check->mostly;
    return unit->tallies[index].violated > 0 ||
           (any && (observed < check->minimum || observed > check->maximum));
}

uint32_t mr_quality_unit_judge(const struct mr_quality_unit *unit,
                               const struct mr_quality_checks *checks)
{
    uint32_t failed = 0;
    for (uint32_t index = 0; index < checks->count; index++)
        if (mr_quality_unit_fails(unit, index, &checks->items[index]))
            failed |= 1u << index;
    return failed;
}

const char *mr_quality_unit_why(const struct mr_quality_unit *unit, uint32_t index,
                                const struct mr_quality_check *check, struct mr_arena *arena)
{
    static const char *const names[MR_EXPECTS_COUNT] = {[MR_EXPECT_MEAN] = "the mean of ",
                                                        [MR_EXPECT_STDEV] =
                                                            "the standard deviation of ",
                                                        [MR_EXPECT_MIN] = "the minimum of ",
                                                        [MR_EXPECT_MAX] = "the maximum of "};
    const struct mr_quality_tally *tally = &unit->tallies[index];
    double observed;
    (void)mr_quality_unit_observed(unit, index, check, &observed);
    if (check->expect == MR_EXPECT_ROW_COUNT)
        return mr_arena_format(arena, "%" PRIu64 " records, where %s are expected", unit->records,
                               check->bounds);
    if (mr_quality_is_aggregate(check->expect) && tally->violated > 0)
        return mr_arena_format(
            arena, "%s is no number to compute with in %" PRIu64 " of %" PRIu64 " records",
            check->field, tally->violated, tally->counted);
    if (mr_quality_is_aggregate(check->expect))
        return mr_arena_format(arena, "%s%s is %.10g, where %s is expected", names[check->expect],
                               check->field, observed, check->bounds);
    if (check->mostly >= 1)
        return mr_arena_format(arena, "%" PRIu64 " of %" PRIu64 " records violate it",
                               tally->violated, tally->counted);
    return mr_arena_format(arena,
                           "%" PRIu64 " of %" PRIu64 " records violate it: %.6g satisfy it, where "
                           "a share of %.6g is asked",
                           tally->violated, tally->counted, observed, check->mostly);
}
