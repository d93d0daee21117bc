/* operators/quality_unit.h — what is known of the records of one batch or window: a tally per check
 * and the verdict.
 * Model: each record adds to the tallies as it comes, in constant time, so that the verdict costs
 * nothing but a look at them. Mean and variance are Welford's; the bytes after the same records in
 * the same order are the same. The first MR_QUALITY_OFFENDERS_MAX records that violate a check are
 * remembered by their number within the unit.
 *
 * Object, in this machine's order (group_object.h): head; int64 due, int64 window, uint64 number,
 * uint64 records, uint64 released, int64 first and last event time; uint32 flags (1 judged, 2 cut),
 * uint32 failed checks; then a tally per check: uint64 counted, uint64 violated, double mean,
 * squares, minimum, maximum, 8 uint32 offenders. */
#ifndef MR_OPERATORS_QUALITY_UNIT_H
#define MR_OPERATORS_QUALITY_UNIT_H

#include "operators/group_object.h"
#include "operators/quality_checks.h"

enum { MR_QUALITY_OFFENDERS_MAX = 8 };
enum mr_quality_unit_flags {
    MR_QUALITY_JUDGED = 1u << 0,
    MR_QUALITY_CUT = 1u << 1 /* judged before its end: too many records waited */
};

struct mr_quality_tally {
    uint64_t counted;  /* records that the check has looked at */
    uint64_t violated; /* and found fault with */
    double mean;       /* of the numbers, for mean_between and the like */
    double squares;    /* sum of the squares of the distances from the mean */
    double minimum;
    double maximum;
    uint32_t offenders[MR_QUALITY_OFFENDERS_MAX]; /* numbers of records in the unit */
};

struct mr_quality_unit {
    struct mr_group_object head;
    int64_t due_ms;
    int64_t window;   /* of aligned windows */
    uint64_t number;  /* of the unit in the task */
    uint64_t records; /* that came */
    uint64_t released;
    int64_t first_ms; /* least and greatest event time */
    int64_t last_ms;
    uint32_t flags;
    uint32_t failed; /* bits, when judged */
    struct mr_quality_tally tallies[];
};

/* Bytes of a unit with so many checks. */
static inline size_t mr_quality_unit_size(uint32_t checks_count)
{
    return sizeof(struct mr_quality_unit) + checks_count * sizeof(struct mr_quality_tally);
}

/* Add a row of a batch as the next record. repeated: bits of `unique` that it violates. */
void mr_quality_unit_add(struct mr_quality_unit *unit, const struct mr_quality_checks *checks,
                         const struct mr_quality_findings *findings, const struct mr_batch *batch,
                         uint32_t row, uint32_t repeated);

/* What a check has to compare: a share of satisfied records, a count, a mean. False: there is
 * nothing, as of a mean without numbers. */
bool mr_quality_unit_observed(const struct mr_quality_unit *unit, uint32_t index,
                              const struct mr_quality_check *check, double *observed);
/* The check fails. */
bool mr_quality_unit_fails(const struct mr_quality_unit *unit, uint32_t index,
                           const struct mr_quality_check *check);
/* Judge: the bits of the checks that fail. */
uint32_t mr_quality_unit_judge(const struct mr_quality_unit *unit,
                               const struct mr_quality_checks *checks);
/* Why a check failed: "3 of 100 records are violations, at most ...", in arena. */
const char *mr_quality_unit_why(const struct mr_quality_unit *unit, uint32_t index,
                                const struct mr_quality_check *check, struct mr_arena *arena);

#endif
