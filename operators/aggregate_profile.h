/* operators/aggregate_profile.h — what quality.profile keeps of a window: two aggregate functions
 * that no topology can write.
 * `profile` sums up one field. Its arguments are the value and a verdict: true (valid), ABSENT (no
 * rule), anything else (invalid). Its parameters are how many heavy hitters are told, and the
 * precision of the number of distinct values. It never refuses a row. The result is an object, see
 * the operator's page; exact but for distinct (base/sketch_cardinality.h), quantiles
 * (base/sketch_quantile.h) and frequent values (base/sketch_frequent.h), and for rounding in mean
 * and stddev.
 * `profile_records` sums up the records: its argument is how many ms a record was on the way, its
 * parameter how many a fresh one may be. The result is a list in the order of enum
 * mr_profile_record. */
#ifndef MR_OPERATORS_AGGREGATE_PROFILE_H
#define MR_OPERATORS_AGGREGATE_PROFILE_H

#include "operators/aggregate_function.h"

enum { MR_PROFILE_TEXT_BYTES = 64 /* of a frequent text that are kept */ };

/* Numbers with a larger magnitude are left out of mean and stddev, whose squares stay finite so. */
#define MR_PROFILE_NUMBER_MAX 1e140

/* Members of the result of a field that scores are made of, by place. */
enum mr_profile_member {
    MR_PROFILE_COUNT,
    MR_PROFILE_PRESENT,
    MR_PROFILE_MISSING,
    MR_PROFILE_NULL,
    MR_PROFILE_COMPLETENESS,
    MR_PROFILE_TYPES,
    MR_PROFILE_DISTINCT,
    MR_PROFILE_UNIQUENESS,
    MR_PROFILE_VALID,
    MR_PROFILE_INVALID,
    MR_PROFILE_VALIDITY,
    MR_PROFILE_MIN,
    MR_PROFILE_MAX,
    MR_PROFILE_MEAN,
    MR_PROFILE_STDDEV,
    MR_PROFILE_QUANTILES,
    MR_PROFILE_FREQUENT,
    MR_PROFILE_MEMBERS_COUNT
};

enum mr_profile_record {
    MR_PROFILE_RECORDS,
    MR_PROFILE_FRESH,
    MR_PROFILE_DELAY_MIN,
    MR_PROFILE_DELAY_MEAN,
    MR_PROFILE_DELAY_MAX,
    MR_PROFILE_LATEST,
    MR_PROFILE_RECORD_VALUES
};

extern const struct mr_aggregate_function mr_aggregate_profile;
extern const struct mr_aggregate_function mr_aggregate_profile_records;

#endif
