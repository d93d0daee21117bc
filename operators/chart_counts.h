/* operators/chart_counts.h — what charts of counts (spc.p, spc.np, spc.c, spc.u) share: reading a
 * sample's count and size, their measure and errors, options and checks.
 * Model: a record is a sample: `field` has how many were found, `size` among how many, or
 * `sample_size` for all of them. Its location is count / size with the size as weight, so that a
 * centre line is all that was found over all that was looked at, whatever the sizes; the standard
 * error follows from the centre line and the size (operators/chart_limits.h): each point has limits
 * of its own. spc.np plots the count itself, with lines that are so many times higher.
 * A sample of size 0 makes no point: its record says starved.
 * Bounds: counts are whole numbers up to MR_COUNT_MAX, with which count / size * size rounds to the
 * count; sizes are whole numbers up to that for items, and MR_UNITS_MIN to MR_COUNT_MAX for units.
 * Sources: Shewhart (1931); Montgomery, Introduction to Statistical Quality Control, chapter 7. */
#ifndef MR_OPERATORS_CHART_COUNTS_H
#define MR_OPERATORS_CHART_COUNTS_H

#include "operators/control_chart.h"

#define MR_COUNT_MAX 1e15
#define MR_UNITS_MIN 1e-9

#define MR_CHART_OPTION_COUNT(help_text)                                                           \
    {                                                                                              \
        .name = "field", .type = MR_OPTION_PATH, .flags = MR_OPTION_REQUIRED | MR_OPTION_NUMERIC,  \
        .help = (help_text)                                                                        \
    }

#define MR_CHART_OPTION_SIZE(help_text)                                                            \
    {                                                                                              \
        .name = "size", .type = MR_OPTION_PATH, .flags = MR_OPTION_NUMERIC, .help = (help_text)    \
    }

/* Of items. */
#define MR_CHART_OPTION_SAMPLE_SIZE                                                                \
    {                                                                                              \
        .name = "sample_size", .type = MR_OPTION_INTEGER, .flags = MR_OPTION_STATE_BOUND,          \
        .minimum = 1, .maximum = MR_COUNT_MAX,                                                     \
        .help = "How many items each sample has; instead of size."                                 \
    }

#define MR_CHART_OPTIONS_COUNTS(limits_fields)                                                     \
    MR_CHART_OPTIONS_WITH(limits_fields, "The known centre line, and limits where they do not "    \
                                         "follow from it: there is no phase 1 then. Default: "     \
                                         "they are estimated.")

extern const struct mr_option_spec mr_chart_share_limits[]; /* cl, ucl and lcl from 0 to 1 */
extern const struct mr_option_spec mr_chart_count_limits[]; /* from 0 to MR_COUNT_MAX */

/* For .open: as mr_chart_open, with the sizes of samples. Without the options size and sample_size
 * each is 1. */
enum mr_status mr_chart_counts_open(struct mr_chart *chart, const struct mr_operator_open *open,
                                    const struct mr_chart_kind *kind,
                                    struct mr_error *error) MR_NODISCARD;
/* For .spec.check. */
enum mr_status mr_chart_counts_check(const struct mr_options *options, const char **option,
                                     struct mr_error *error) MR_NODISCARD;

/* Whether count is one, and the size of its sample (0: nothing was looked at); false: reported. */
bool mr_chart_count_read(const struct mr_chart *chart, struct mr_operator_context *context,
                         struct mr_batch *batch, uint32_t row, double count, double *size);

/* Members of kinds. */
void mr_chart_count_measure(const struct mr_chart_rule_book *book,
                            const struct mr_chart_sample *sample, double previous,
                            struct mr_chart_measure *measure);
/* sqrt(p (1 - p) / n), of the binomial distribution. */
double mr_chart_share_error(const struct mr_chart_rule_book *book,
                            const struct mr_chart_baseline *baseline, double weight);
/* sqrt(u / n), of the Poisson distribution. */
double mr_chart_rate_error(const struct mr_chart_rule_book *book,
                           const struct mr_chart_baseline *baseline, double weight);

#endif
