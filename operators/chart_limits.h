/* operators/chart_limits.h — the mathematics of control charts: what a sample says of the process,
 * estimating centre line and sigma from the points of phase 1, limits, and how a baseline follows.
 * Model: a *kind* of chart measures each sample: its location (a mean, a share), the weight of that
 * (how many values are behind it), and, where the chart has one, its spread (range, standard
 * deviation, moving range) and the process sigma that the spread alone would tell. The baseline is
 * the weighted mean of the locations and the mean of the sigmas; limits stand at `sigmas` standard
 * errors of a location around it. Sources: Shewhart, Economic Control of Quality (1931);
 * Montgomery, Introduction to Statistical Quality Control, chapters 6, 7 and 9. Exclusion: points
 * of phase 1 beyond the limits (of location or spread) that all points give are left out and the
 * rest is estimated from again, until no more are beyond; a step that would leave fewer than half
 * of the points, or fewer than two, is not taken. Constant data: sigma is 0, and the first other
 * value is beyond the limits. Counts have no sigma: their error follows from the centre line.
 * Contract: pure; only what IEEE 754 makes exact of libm. */
#ifndef MR_OPERATORS_CHART_LIMITS_H
#define MR_OPERATORS_CHART_LIMITS_H

#include <stdbool.h>
#include <stdint.h>

#include "operators/control_constants.h"

enum mr_chart_update {
    MR_CHART_UPDATE_NONE,
    MR_CHART_UPDATE_CUMULATIVE,
    MR_CHART_UPDATE_EXPONENTIAL
};

enum {
    MR_CHART_OWN_MAX = 2,       /* members that a kind adds */
    MR_CHART_STATISTICS = 2,    /* numbers that a kind keeps from point to point */
    MR_CHART_PARAMETERS_MAX = 4 /* of a kind */
};

/* What a chart of counts counts. */
enum mr_chart_counts {
    MR_COUNTS_NONE,   /* it is none: values are measured */
    MR_COUNTS_ITEMS,  /* items of so many: a location is a share, from 0 to 1 */
    MR_COUNTS_DEFECTS /* defects on so many units: a location is a rate, from 0 on */
};

/* The records of a subgroup, or one. */
struct mr_chart_sample {
    uint64_t count;
    double mean;
    double squares; /* sum of squared deviations from the mean */
    double minimum;
    double maximum;
    int64_t first_ms; /* event time */
    int64_t last_ms;
    double size; /* of charts of counts: of the sample that mean counts in; never stored */
};
void mr_chart_sample_add(struct mr_chart_sample *sample, double value, int64_t event_time_ms);

/* What a sample says. */
struct mr_chart_measure {
    double location;
    double weight;
    double sigma;  /* of the process, by this sample's spread; NAN: it tells none */
    double spread; /* NAN: none */
};

struct mr_chart_baseline {
    double center;
    double sigma;
    double weight;       /* of the locations behind center */
    double sigmas_count; /* samples behind sigma */
};

struct mr_chart_lines {
    double center;
    double lower;
    double upper;
};

/* A point in phase 2. */
struct mr_chart_point {
    double value; /* what is plotted */
    struct mr_chart_lines lines;
    double distance; /* of the value from the centre line in standard errors, above it > 0 */
    bool beyond;
    double spread; /* NAN: none */
    struct mr_chart_lines spread_lines;
    bool spread_beyond;
    double own[MR_CHART_OWN_MAX]; /* the kind's own members */
    /* Of kinds with numbers only (operators/chart_numbers.h). */
    double score;
    double threshold;
    const double *more; /* one per field, or per own member; the kind's */
    const char *text;   /* static; NULL: none */
    bool is_mild;       /* beyond its limit, but no more than a warning */
};

struct mr_chart_rule_book;
struct mr_chart_numbers; /* operators/chart_numbers.h */

struct mr_chart_kind {
    bool has_groups; /* charts subgroups: rows are new records */
    bool has_spread;
    bool needs_ranges; /* book->ranges */
    enum mr_chart_counts counts;
    bool is_total;  /* plotted are location times weight: whole numbers, and lines of each size */
    uint32_t least; /* records that a point needs */
    uint32_t most;  /* records that a subgroup may have */
    const char *value_text;  /* "mean", for sentences */
    const char *spread_text; /* "range"; NULL: none */
    /* previous: the record's before, of the same key, NAN: there was none. */
    void (*measure)(const struct mr_chart_rule_book *book, const struct mr_chart_sample *sample,
                    double previous, struct mr_chart_measure *measure);
    /* Standard error of a location of that weight. */
    double (*error)(const struct mr_chart_rule_book *book, const struct mr_chart_baseline *baseline,
                    double weight);
    /* Judge a point of phase 2 in place of mr_chart_judge, by numbers that go from point to point;
     * begins: it is the first. NULL: mr_chart_judge. */
    void (*judge)(const struct mr_chart_rule_book *book, const struct mr_chart_baseline *baseline,
                  const struct mr_chart_measure *measure, bool begins,
                  double statistics[MR_CHART_STATISTICS], struct mr_chart_point *point);
    const char *limit_rule; /* the name of the rule of limits; NULL: those of run_rules.h */
    uint32_t own_count;     /* members of its own */
    /* Mean and standard deviation of the spread where the process has sigma 1. NULL: none. */
    struct mr_range_constants (*spread)(const struct mr_chart_rule_book *book, double weight);
    /* Samples have more than a mean and a spread: none of the above is called then. Else NULL. */
    const struct mr_chart_numbers *numbers;
};

/* What points of one operator are judged by. */
struct mr_chart_rule_book {
    const struct mr_chart_kind *kind;
    double sigmas;        /* where the limits are, in the score's unit */
    double phase1_sigmas; /* points of phase 1 beyond so many standard errors are excluded */
    double parameters[MR_CHART_PARAMETERS_MAX]; /* of the kind, by its own enum */
    bool excludes;                              /* in phase 1 */
    enum mr_chart_update update;
    double update_weight;
    bool is_given; /* given is the baseline; else it is estimated */
    bool is_fixed; /* fixed are the limits of the value */
    struct mr_chart_baseline given;
    struct mr_chart_lines fixed; /* of what is plotted */
    /* By size of the subgroup, those that can come. */
    struct mr_range_constants ranges[MR_CONTROL_SIZE_MAX + 1];
};

/* A point of phase 1. */
struct mr_chart_kept {
    struct mr_chart_measure measure;
    bool is_excluded; /* set by mr_chart_estimate_baseline */
};

/* Baseline from count points; returns how many are excluded. Pre: count >= 1. */
uint32_t mr_chart_estimate_baseline(const struct mr_chart_rule_book *book,
                                    struct mr_chart_kept *kept, uint32_t count,
                                    struct mr_chart_baseline *baseline);

void mr_chart_judge(const struct mr_chart_rule_book *book, const struct mr_chart_baseline *baseline,
                    const struct mr_chart_measure *measure, struct mr_chart_point *point);

/* What is plotted of a sample by kinds without judge. */
double mr_chart_plotted(const struct mr_chart_kind *kind, const struct mr_chart_measure *measure);

/* (value - center) / error; the largest double where error is 0 and they differ. */
double mr_chart_distance(double value, double center, double error);

/* The baseline follows a point, as the book's update says. */
void mr_chart_follow(const struct mr_chart_rule_book *book, const struct mr_chart_measure *measure,
                     struct mr_chart_baseline *baseline);

#endif
