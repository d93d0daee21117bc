/* tools/run_lengths.c — mean run lengths of control charts by simulation: how many points it takes
 * on average until one is told, of a normal process that is off by so many sigma. The points go
 * through the charts' own judging code (operators/chart_limits.h and the kinds), without rows and
 * state around it, so that 200,000 runs take seconds; tests/detectors/checks_charts.py compares
 * them with Markov chains of its own.
 *   run_lengths < lines     a line: CHART SHIFT RUNS NUMBER...
 *     rules MASK            limits at 3 sigma and the rules of enum mr_run_rule, as bits
 *     ewma  LAMBDA SIGMAS   steady limits
 *     cusum K H HEAD
 *     t2 FIELDS ALPHA       of known mean and covariance; the shift is of one field
 *     mewma FIELDS LAMBDA RUN_LENGTH
 * Answers a line each: the mean run length, and its standard error. Exit code 1: another word. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/chart_vector.h"
#include "operators/covariance.h"
#include "operators/mewma_limit.h"
#include "operators/quantile.h"

enum { SEED = 7, NUMBERS_MAX = 3, FIELDS_MAX = 4, MOMENTS_MAX = 14 };

struct chart {
    struct mr_chart_rule_book book;
    struct mr_chart_baseline baseline;
    uint32_t rules;
};

/* The rooms of a chart of several fields. */
static struct mr_vector_chart vector;
static double scratch[(FIELDS_MAX + 2) * (FIELDS_MAX + 2)];
static double moments[MOMENTS_MAX];
static double given[MOMENTS_MAX];
static double contributions[FIELDS_MAX];

/* Points until one is told, of a chart of several fields. */
static uint64_t vector_run_of(double shift, struct mr_random *random)
{
    const struct mr_chart *chart = &vector.chart;
    const struct mr_chart_numbers *numbers = chart->book.kind->numbers;
    double baseline[MR_VECTOR_HEAD + MOMENTS_MAX + FIELDS_MAX] = {0};
    double values[FIELDS_MAX];
    struct mr_chart_point point = {0};
    struct mr_chart_numbered sample = {{.count = 1}, values};
    uint64_t points = 0;
    numbers->begin(chart, baseline);
    while (!point.beyond) {
        for (uint32_t field = 0; field < chart->fields_count; field++)
            values[field] = mr_random_normal(random) + (field == 0 ? shift : 0);
        numbers->judge(chart, &sample, baseline, &point);
        points++;
    }
    return points;
}

/* Independent fields with mean 0 and standard deviation 1. limit: of the chart. */
static void make_vector(const struct mr_chart_kind *kind, uint32_t fields_count, double lambda,
                        double limit)
{
    vector = (struct mr_vector_chart){.chart = {.fields_count = fields_count},
                                      .lambda = lambda,
                                      .limit = limit,
                                      .scratch = scratch,
                                      .moments = moments,
                                      .given = given,
                                      .contributions = contributions};
    vector.chart.book.kind = kind;
    vector.chart.book.is_given = true;
    memset(given, 0, sizeof(given));
    double *diagonal = given + fields_count;
    for (uint32_t field = 0; field < fields_count; diagonal += ++field + 1)
        *diagonal = 1;
}

/* Points until one is told. */
static uint64_t run_of(const struct chart *chart, double shift, struct mr_random *random)
{
    double statistics[MR_CHART_STATISTICS] = {0};
    struct mr_run_history history = {0};
    struct mr_chart_point point = {0};
    uint64_t points = 0;
    if (chart->book.kind->numbers != NULL)
        return vector_run_of(shift, random);
    do {
        struct mr_chart_measure measure = {.location = shift + mr_random_normal(random),
                                           .weight = 1,
                                           .sigma = (double)NAN,
                                           .spread = (double)NAN};
        if (chart->book.kind->judge == NULL)
            mr_chart_judge(&chart->book, &chart->baseline, &measure, &point);
        else
            chart->book.kind->judge(&chart->book, &chart->baseline, &measure, points == 0,
                                    statistics, &point);
        mr_run_history_add(&history, point.value, point.distance, point.beyond);
        points++;
    } while (mr_run_rules_broken(&history, chart->rules) == 0);
    return points;
}

/* false: there is no such chart, or its numbers are missing. */
static bool read_chart(const char *name, struct chart *chart)
{
    double numbers[NUMBERS_MAX];
    bool is_t2 = strcmp(name, "t2") == 0;
    bool is_mewma = strcmp(name, "mewma") == 0;
    uint32_t count = strcmp(name, "rules") == 0               ? 1
                     : strcmp(name, "ewma") == 0 || is_t2     ? 2
                     : strcmp(name, "cusum") == 0 || is_mewma ? 3
                                                              : 0;
    for (uint32_t index = 0; index < count; index++)
        if (scanf("%lf", &numbers[index]) != 1)
            return false;
    *chart = (struct chart){.baseline = {.sigma = 1}, .rules = 1u << MR_RULE_WE1};
    if ((is_t2 || is_mewma) && !(numbers[0] >= 1 && numbers[0] <= FIELDS_MAX))
        return false;
    if (is_t2 || is_mewma) {
        uint32_t fields_count = (uint32_t)numbers[0];
        chart->book.kind = is_t2 ? &mr_chart_kind_t2 : &mr_chart_kind_mewma;
        make_vector(chart->book.kind, fields_count, is_t2 ? 0 : numbers[1],
                    is_t2 ? mr_chi_square_quantile(fields_count, numbers[1])
                          : mr_mewma_limit(fields_count, numbers[1], numbers[2]));
    } else if (count == 1) {
        chart->book = (struct mr_chart_rule_book){.kind = &mr_chart_kind_i_mr, .sigmas = 3};
        chart->book.ranges[2] = mr_control_range(2);
        chart->rules = (uint32_t)numbers[0];
    } else if (count == 2) {
        chart->book = (struct mr_chart_rule_book){
            .kind = &mr_chart_kind_ewma, .sigmas = numbers[1], .parameters = {numbers[0], 1}};
    } else if (count == 3) {
        chart->book =
            (struct mr_chart_rule_book){.kind = &mr_chart_kind_cusum,
                                        .sigmas = numbers[1],
                                        .parameters = {numbers[0], numbers[1], numbers[2]}};
    }
    return count > 0;
}

int main(void)
{
    char name[16];
    double shift;
    double runs;
    while (scanf("%15s %lf %lf", name, &shift, &runs) == 3) {
        struct chart chart;
        struct mr_random random;
        double sum = 0;
        double squares = 0;
        if (!read_chart(name, &chart))
            return 1;
        mr_random_init(&random, SEED, 1);
        for (double run = 0; run < runs; run++) {
            double length = (double)run_of(&chart, shift, &random);
            sum += length;
            squares += length * length;
        }
        double mean = sum / runs;
        printf("%.17g %.17g\n", mean, sqrt((squares / runs - mean * mean) / runs));
    }
    return feof(stdin) ? 0 : 1;
}
