/* tools/run_lengths.c — mean run lengths of control charts by simulation: how many points it takes
 * on average until one is told, of a normal process that is off by so many sigma. The points go
 * through the charts' own judging code (operators/chart_limits.h and the kinds), without rows and
 * state around it, so that 200,000 runs take seconds; tests/detectors/checks_charts.py compares
 * them with Markov chains of its own.
 *   run_lengths < lines     a line: CHART SHIFT RUNS NUMBER...
 *     rules MASK            limits at 3 sigma and the rules of enum mr_run_rule, as bits
 *     ewma  LAMBDA SIGMAS   steady limits
 *     cusum K H HEAD
 * Answers a line each: the mean run length, and its standard error. Exit code 1: another word. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/control_chart.h"

enum { SEED = 7, NUMBERS_MAX = 3 };

struct chart {
    struct mr_chart_rule_book book;
    struct mr_chart_baseline baseline;
    uint32_t rules;
};

/* Points until one is told. */
static uint64_t run_of(const struct chart *chart, double shift, struct mr_random *random)
{
    double statistics[MR_CHART_STATISTICS] = {0};
    struct mr_run_history history = {0};
    struct mr_chart_point point = {0};
    uint64_t points = 0;
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
    uint32_t count = strcmp(name, "rules") == 0   ? 1
                     : strcmp(name, "ewma") == 0  ? 2
                     : strcmp(name, "cusum") == 0 ? 3
                                                  : 0;
    for (uint32_t index = 0; index < count; index++)
        if (scanf("%lf", &numbers[index]) != 1)
            return false;
    *chart = (struct chart){.baseline = {.sigma = 1}, .rules = 1u << MR_RULE_WE1};
    if (count == 1) {
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
