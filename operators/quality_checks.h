/* operators/quality_checks.h — named checks of records: what quality.rules and quality.checkpoint
 * share.
 * Model: a check has a name, an expectation and what that needs: a field, bounds, a set, a pattern,
 * a condition. Expectations of single records (not_null, type, between, in_set, matches,
 * references, where) are judged row by row; those of many records (unique, row_count_between,
 * mean_between, stdev_between, min_between, max_between) have a meaning over a batch or a window
 * only, and what a row can do wrong to them is to hold no number. All checks are judged for every
 * row, none hides another.
 * Missing values: a field that is missing or null violates not_null and nothing else; all other
 * expectations pass over it, as in SQL, Deequ and Great Expectations. A condition that cannot be
 * computed, and a cell that could not be decoded as declared, violate the check.
 * Limits: MR_QUALITY_CHECKS_MAX checks. Threads: those of the operator. */
#ifndef MR_OPERATORS_QUALITY_CHECKS_H
#define MR_OPERATORS_QUALITY_CHECKS_H

#include "operators/operator.h"
#include "topology/cel_regex.h"

enum { MR_QUALITY_CHECKS_MAX = 32, MR_QUALITY_VALUES_MAX = 1000, MR_QUALITY_NAME_BYTES_MAX = 63 };

/* Larger numbers are no numbers to mean_between and the like: sums of squares of 2^53 of them stay
 * finite up to here. */
#define MR_QUALITY_NUMBER_MAX 1e140

enum mr_quality_expect {
    MR_EXPECT_WHERE,
    MR_EXPECT_NOT_NULL,
    MR_EXPECT_TYPE,
    MR_EXPECT_BETWEEN,
    MR_EXPECT_IN_SET,
    MR_EXPECT_MATCHES,
    MR_EXPECT_REFERENCES,
    MR_EXPECT_UNIQUE, /* this and what follows: of many records */
    MR_EXPECT_ROW_COUNT,
    MR_EXPECT_MEAN,
    MR_EXPECT_STDEV,
    MR_EXPECT_MIN,
    MR_EXPECT_MAX,
    MR_EXPECTS_COUNT
};

enum mr_quality_severity { MR_QUALITY_INFO, MR_QUALITY_WARNING, MR_QUALITY_CRITICAL };

/* Options of one entry of `checks`. */
extern const struct mr_option_spec mr_quality_check_options[];
extern const char *const mr_quality_severities[];

struct mr_quality_check {
    const char *name;
    enum mr_quality_expect expect;
    enum mr_quality_severity severity;
    const char *field;     /* as written; NULL: none */
    const char *reference; /* as written; NULL: none */
    const char *text;      /* the condition, or the pattern */
    uint32_t slot;
    uint32_t reference_slot;
    uint32_t type;           /* index of the choices of `of` */
    double minimum;          /* -infinity: none */
    double maximum;          /* +infinity: none */
    double mostly;           /* share of the records that must satisfy it */
    const char *bounds;      /* "from 0 to 150", for sentences */
    struct mr_value *texts;  /* IN_SET: as strings */
    struct mr_value *values; /* and as what else they read as; ABSENT: nothing else */
    uint32_t values_count;
    const struct mr_cel_regex *regex;
    const struct mr_program *program;
};

struct mr_quality_checks {
    struct mr_quality_check items[MR_QUALITY_CHECKS_MAX];
    uint32_t count;
    uint32_t fatal;        /* bits of the checks whose failing counts: at first all */
    struct mr_arena arena; /* of patterns and sets */
    struct mr_cel_regex_scratch *scratch;
};

/* What the rows of a view are found to be; arrays by row of the batch, bits by check. */
struct mr_quality_findings {
    uint32_t *counted;  /* the check has looked at the row: it is not passed over */
    uint32_t *violated; /* and found fault with it */
    const struct mr_value *results[MR_QUALITY_CHECKS_MAX]; /* of conditions; NULL of others */
};

/* Of many records: without a batch or a window it has no meaning. */
static inline bool mr_quality_is_of_many(enum mr_quality_expect expect)
{
    return expect >= MR_EXPECT_UNIQUE;
}

/* Has a number of its own to compare with min and max: row_count_between, mean_between, ... */
static inline bool mr_quality_is_aggregate(enum mr_quality_expect expect)
{
    return expect >= MR_EXPECT_ROW_COUNT;
}

/* Check the option `checks`, for .spec.check; of_many: the operator has a batch or a window.
 * MR_INVALID: *option and error say what is wrong. */
enum mr_status mr_quality_check(const struct mr_options *options, bool of_many, const char **option,
                                struct mr_error *error) MR_NODISCARD;

/* The same with what fields are declared as, for .spec.check_bound. */
enum mr_status mr_quality_check_bound(const struct mr_options *options, const char **option,
                                      struct mr_error *error) MR_NODISCARD;

/* Bind the option `checks`. Pre: mr_quality_check was fine. */
void mr_quality_checks_open(struct mr_quality_checks *checks, const struct mr_options *options);
void mr_quality_checks_close(struct mr_quality_checks *checks); /* also of a zeroed one */

/* Judge the rows of a view. Owner: arrays and results live in the context's arena. */
void mr_quality_find(const struct mr_quality_checks *checks, struct mr_operator_context *context,
                     struct mr_view view, struct mr_quality_findings *findings);

/* Why a row violates a check: "value is 900, above the maximum of 150", in arena. */
const char *mr_quality_why(const struct mr_quality_checks *checks, uint32_t check,
                           const struct mr_quality_findings *findings, const struct mr_batch *batch,
                           uint32_t row, struct mr_arena *arena);
/* A cell as sentences show it: its JSON text, cut to some sixty bytes. */
const char *mr_quality_show(struct mr_value cell, struct mr_arena *arena);

/* The names of the checks whose bits are set, as a list of strings in arena. */
struct mr_value mr_quality_names(const struct mr_quality_checks *checks, uint32_t bits,
                                 struct mr_arena *arena);
/* The worst severity of the checks whose bits are set; INFO without any. */
enum mr_quality_severity mr_quality_worst(const struct mr_quality_checks *checks, uint32_t bits);

#endif
