/* operators/chart_vector.h — control charts of several fields together (spc.t2, spc.xbar_t2,
 * spc.mewma): mean and covariance from phase 1 or given, Hotelling's T2 of each point, its limit,
 * and what each field has to do with it.
 * Model: a point x of n records (a mean, or one record) has T2 = n (x - m)' S^-1 (x - m). The
 * baseline is m by N values and S by f degrees of freedom: of single records the sample covariance
 * (f = N - 1), of subgroups the covariance within them, pooled (f = N - subgroups). Limits for d
 * fields and a false alarm in 1 / alpha points:
 *
 *   phase 2             (1 + n / N) d f / (f - d + 1) F(alpha; d, f - d + 1)
 *   phase 1, subgroups  (1 - n / N) d f / (f - d + 1) F(alpha; d, f - d + 1)
 *   phase 1, records    (N - 1)^2 / N Beta(alpha; d / 2, (N - d - 1) / 2)
 *   given limits        chi-square(alpha; d)
 *
 * For subgroups of one size and for records these are the textbooks'; the first is of any sizes.
 * The average of spc.mewma has a limit by its run length (operators/mewma_limit.h). With an
 * exponential baseline N and f are the effective numbers, (sum of weights)^2 / sum of squared
 * weights. Phase 1 leaves out the points beyond, and estimates from the rest again, until none is;
 * a step that would leave fewer than half of them, or fewer than d + 2, is not taken. Fields that
 * determine each other, or do not vary, leave a covariance without an inverse: its pivots are
 * bounded (operators/covariance.h), so that T2 is finite, and large for a record that breaks the
 * tie. Sources: Hotelling (1947); Tracy, Young and Mason, J. Quality Technology 24 (1992);
 * Montgomery, Introduction to Statistical Quality Control, chapter 11.
 *
 * Numbers (operators/chart_numbers.h), where q = d + d (d + 1) / 2: of an open subgroup q, as
 * operators/covariance.h has them; of the baseline MR_VECTOR_HEAD, q, and of spc.mewma d for the
 * average; of a point of phase 1 its count, then d, or of subgroups q. */
#ifndef MR_OPERATORS_CHART_VECTOR_H
#define MR_OPERATORS_CHART_VECTOR_H

#include "operators/chart_numbers.h"

enum mr_vector_head {
    MR_VECTOR_WEIGHT,          /* sum of weights of the values behind the mean */
    MR_VECTOR_SQUARES,         /* of their squares */
    MR_VECTOR_FREEDOM,         /* what co-moments are divided by */
    MR_VECTOR_FREEDOM_SQUARES, /* FREEDOM^2 / degrees of freedom */
    MR_VECTOR_REACH,           /* the limit, of spc.t2 without (1 + n / N) */
    MR_VECTOR_HEAD
};

struct mr_vector_chart {
    struct mr_chart chart;
    double lambda;   /* of the average; 0: there is none */
    double alpha;    /* false alarms per point; of the average in phase 1 only */
    double limit;    /* of the average, and of given limits; else 0 */
    double *scratch; /* these four are one piece of memory */
    double *moments; /* of an average: those of the baseline with the mean 0 */
    double *given;   /* of given limits */
    double *contributions;
    bool *excluded; /* of phase 1, and those that the next step would exclude */
};

#define MR_VECTOR_OPTION_FIELDS                                                                    \
    {                                                                                              \
        .name = "fields", .type = MR_OPTION_PATHS,                                                 \
        .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND, .minimum = 1,                         \
        .maximum = MR_CHART_FIELDS_MAX, .help = "The numbers to watch together, in this order."    \
    }

#define MR_VECTOR_OPTION_ALPHA                                                                     \
    {                                                                                              \
        .name = "alpha", .type = MR_OPTION_SHARE, .flags = MR_OPTION_STATE_BOUND,                  \
        .default_text = "0.0027", .minimum = 1e-9, .maximum = 0.5,                                 \
        .help = "How often a point of a process in control is told: 0.0027 is once in 370."        \
    }

#define MR_VECTOR_OPTIONS                                                                          \
    MR_CHART_OPTIONS_WITH(mr_vector_limits_fields,                                                 \
                          "The known mean and standard deviation of each field, and their "        \
                          "correlations: there is no phase 1 then. Default: they are estimated.")

#define MR_VECTOR_MEMBERS(value_help)                                                              \
    MR_CHART_MEMBERS_OF("The value; 0 in phase 1.", "The upper limit; null in phase 1.",           \
                        value_help),                                                               \
        {"upper", MR_TYPE_DOUBLE, "Its upper limit; null in phase 1."},                            \
    {                                                                                              \
        "contributions", MR_TYPE_OBJECT,                                                           \
            "By field, how much smaller the value would be without it; null in phase 1."           \
    }

extern const struct mr_option_spec mr_vector_limits_fields[];
extern const struct mr_chart_kind mr_chart_kind_t2;
extern const struct mr_chart_kind mr_chart_kind_xbar_t2;
extern const struct mr_chart_kind mr_chart_kind_mewma;

/* For .open, .close, .spec.check and .spec.estimate. lambda and run_length are read where there is
 * an option of that name, and else alpha. */
enum mr_status mr_vector_open(struct mr_vector_chart *vector, const struct mr_operator_open *open,
                              const struct mr_chart_kind *kind,
                              struct mr_error *error) MR_NODISCARD;
void mr_vector_close(void *self);
enum mr_status mr_vector_check(const struct mr_options *options, const char **option,
                               struct mr_error *error) MR_NODISCARD;
void mr_vector_estimate(const struct mr_options *options, struct mr_state_estimate *estimate);

/* The limit of T2 in phase 1 of a point of n of N values with f degrees of freedom: of single
 * records n is 1. Pre: f >= d, of records N >= d + 2. For tests too. */
double mr_vector_limit_of_records(uint32_t fields_count, double values, double alpha);
/* d f / (f - d + 1) F(alpha; d, f - d + 1), at most 1e300. */
double mr_vector_reach(uint32_t fields_count, double freedom, double alpha);

#endif
