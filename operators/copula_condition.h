/* operators/copula_condition.h — rows of a copula that meet conditions, drawn as such instead of
 * drawing until one does.
 * Model: a condition on a column is a set of intervals of its latent, or points where numbers of a
 * continuous column are asked, of which none has a probability of its own (in a set that has both
 * only the intervals count); besides, the value must not be missing. Points are conditioned on
 * exactly: with the constrained latents first in the factor of the correlations, their normals
 * follow by substitution. Sets of points are a mixture: each choice of one point per set has the
 * weight of its density times the probability of the intervals given it. One latent with intervals
 * is drawn exactly from its truncated normal distribution; of several the row's own Gibbs chain is
 * run from a draw of one after the other. What remains is normal given these.
 * Probability: of the intervals, given the points: exact for one, for several the mean over
 * MR_COPULA_PROBABILITY_DRAWS fixed draws (Geweke, Hajivassiliou and Keane); of a mixture fewer for
 * each choice. Below MR_COPULA_PROBABILITY_MIN a condition is refused.
 * Pure; the same bits everywhere. */
#ifndef MR_OPERATORS_COPULA_CONDITION_H
#define MR_OPERATORS_COPULA_CONDITION_H

#include "base/error.h"
#include "operators/copula.h"

enum {
    MR_COPULA_CONDITIONS_MAX = 16,
    MR_COPULA_BOXES_MAX = 2 * MR_COPULA_CONDITIONS_MAX,
    MR_COPULA_GIBBS_SWEEPS = 32,
    MR_COPULA_PROBABILITY_DRAWS = 2000,
    MR_COPULA_VALUES_MAX = MR_COPULA_TEXTS_MAX, /* numbers of a set */
    MR_COPULA_CHOICES_MAX = 128                 /* of one point of each set */
};

#define MR_COPULA_PROBABILITY_MIN 1e-9

/* What a column must be; one condition per column. */
struct mr_copula_condition {
    uint32_t column;
    const char *name; /* of the field, for sentences */
    /* One of these texts ("true" and "false" of a boolean; of numbers, dates and times what they
     * are written as); 0: a number. */
    const char *const *texts;
    uint32_t texts_count;
    /* One of these numbers, in the unit of the column, at most MR_COPULA_VALUES_MAX; 0: within
     * bounds. */
    const double *numbers;
    uint32_t numbers_count;
    double lowest; /* -INFINITY: none */
    double highest;
    bool lowest_is_out; /* the bound itself does not count */
    bool highest_is_out;
    /* The bounds are ms since the epoch, of a date or a time. Without it they are in the unit of
     * the column: days of a date, seconds of a time. */
    bool is_instant;
};

struct mr_copula_part {
    double from;
    double to;
};

struct mr_copula_point {
    double z;
    double log_density; /* of the column's number, over that of z */
};

/* A constrained latent: one of the parts, or without any one of the points. */
struct mr_copula_box {
    uint32_t latent;
    uint32_t parts_count;
    uint32_t points_count;
    union {
        struct mr_copula_part parts[MR_COPULA_TEXTS_MAX];
        struct mr_copula_point points[MR_COPULA_VALUES_MAX];
    };
};

/* The numbers that a column must have one of; ascending. */
struct mr_copula_members {
    uint32_t count; /* 0: within the bounds */
    double numbers[MR_COPULA_VALUES_MAX];
};

/* Conditions under a model: points first. */
struct mr_copula_boxes {
    uint32_t count;
    uint32_t points_count;
    struct mr_copula_box boxes[MR_COPULA_BOXES_MAX];
    /* Numbers of the conditioned columns are kept within these, by condition. */
    uint32_t bounds_count;
    uint32_t columns[MR_COPULA_CONDITIONS_MAX];
    double lowest[MR_COPULA_CONDITIONS_MAX];
    double highest[MR_COPULA_CONDITIONS_MAX];
    struct mr_copula_members members[MR_COPULA_CONDITIONS_MAX];
    /* Of the factor's first rows, by choice of points; filled by mr_copula_boxes_bind. */
    uint32_t choices_count;              /* 1: without a choice */
    double below[MR_COPULA_CHOICES_MAX]; /* probability of this choice and those before */
    double normals[MR_COPULA_CHOICES_MAX][MR_COPULA_CONDITIONS_MAX]; /* of the points */
    double means[MR_COPULA_CHOICES_MAX]
                [MR_COPULA_BOXES_MAX]; /* of latents with parts, given them */
    double precision[MR_COPULA_BOXES_MAX * MR_COPULA_BOXES_MAX];
    double probability;
};

/* The numbers, of this column, that the condition's `texts` or `numbers` are: ascending, each once.
 * False: a text is none of the column's kind. */
bool mr_copula_condition_members(const struct mr_copula_condition *condition,
                                 const struct mr_copula_column *column,
                                 struct mr_copula_members *members);
/* The nearest of some members. */
double mr_copula_members_nearest(const struct mr_copula_members *members, double number);

/* What the conditions mean under the model. MR_INVALID with a sentence: one is impossible. */
enum mr_status mr_copula_boxes_make(struct mr_copula_boxes *boxes, const struct mr_copula *model,
                                    const struct mr_copula_condition *conditions,
                                    uint32_t conditions_count, struct mr_error *error) MR_NODISCARD;
/* The factor's first boxes->count rows, of `stride` doubles, are those of the boxes. MR_INVALID:
 * together they are impossible. */
enum mr_status mr_copula_boxes_bind(struct mr_copula_boxes *boxes, const double *factor,
                                    size_t stride, struct mr_error *error) MR_NODISCARD;
/* The first boxes->count normals of a row: of the points, then of draws. */
void mr_copula_boxes_draw(const struct mr_copula_boxes *boxes, const double *factor, size_t stride,
                          struct mr_random *random, double *normals);

#endif
