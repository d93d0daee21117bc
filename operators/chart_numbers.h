/* operators/chart_numbers.h — control charts whose samples are more than one mean and its spread:
 * several fields (spc.t2, spc.mewma), or sums of a study (spc.capability).
 * Model: beside struct mr_chart_sample an open subgroup has `sample` doubles, and beside the
 * baseline's struct there are `baseline` doubles; both lie behind the key's object and are stored
 * with it (operators/chart_object.h). A sample of a single record is its values alone. What phase 1
 * keeps of a point are `kept` doubles in slots. The frame (operators/control_chart.c) finds,
 * stores, tells and closes; the kind does the mathematics through these functions. Baselines'
 * numbers are zeroed when a key is new. */
#ifndef MR_OPERATORS_CHART_NUMBERS_H
#define MR_OPERATORS_CHART_NUMBERS_H

#include <stddef.h>

#include "operators/control_chart.h"

/* A subgroup so far, or a single record: then numbers are its values. */
struct mr_chart_numbered {
    struct mr_chart_sample sample;
    const double *numbers;
};

struct mr_chart_numbers {
    bool has_contributions; /* point->more is one number per field; else one per own member */
    /* Add a record to an open subgroup: count and times are the frame's. */
    void (*add)(const struct mr_chart *chart, const struct mr_chart_sample *sample, double *numbers,
                const double *values);
    /* chart->numbers.kept doubles of a point of phase 1. NULL: there is no phase 1. */
    void (*keep)(const struct mr_chart *chart, const struct mr_chart_numbered *given, double *kept);
    /* The baseline by count such points; returns how many are excluded. */
    uint32_t (*establish)(const struct mr_chart *chart, const double *kept, uint32_t count,
                          double *baseline);
    /* The baseline of given limits. NULL: nothing. */
    void (*begin)(const struct mr_chart *chart, double *baseline);
    /* A point of phase 2: value, lines, distance, beyond and what is of such kinds only. */
    void (*judge)(const struct mr_chart *chart, const struct mr_chart_numbered *given,
                  double *baseline, struct mr_chart_point *point);
    /* The baseline follows a point. NULL: it never does. */
    void (*follow)(const struct mr_chart *chart, const struct mr_chart_numbered *given,
                   double *baseline);
    /* The sentence of a point that is told. */
    void (*describe)(const struct mr_chart *chart, uint64_t number,
                     const struct mr_chart_point *point, char *text, size_t size);
};

#endif
