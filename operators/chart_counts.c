/* operators/chart_counts.c — see chart_counts.h. */
#include "operators/chart_counts.h"

#include <math.h>

#include "base/assert.h"

/* clang-format off */
#define LIMITS(most)                                                                               \
    {.name = "cl",                                                                                 \
     .type = MR_OPTION_NUMBER,                                                                     \
     .flags = MR_OPTION_REQUIRED,                                                                  \
     .minimum = 0,                                                                                 \
     .maximum = (most),                                                                            \
     .help = "The centre line of the plotted value. Limits follow from it and each sample's "      \
             "size, where none are given."},                                                       \
    {.name = "ucl",                                                                                \
     .type = MR_OPTION_NUMBER,                                                                     \
     .minimum = 0,                                                                                 \
     .maximum = (most),                                                                            \
     .help = "The upper control limit of the plotted value, for samples of one size."},            \
    {.name = "lcl",                                                                                \
     .type = MR_OPTION_NUMBER,                                                                     \
     .minimum = 0,                                                                                 \
     .maximum = (most),                                                                            \
     .help = "The lower control limit of the plotted value, for samples of one size."},            \
    {                                                                                              \
        .name = NULL                                                                               \
    }
/* clang-format on */

const struct mr_option_spec mr_chart_share_limits[] = {LIMITS(1)};
const struct mr_option_spec mr_chart_count_limits[] = {LIMITS(MR_COUNT_MAX)};

/* ---- Options ---- */

enum mr_status mr_chart_counts_open(struct mr_chart *chart, const struct mr_operator_open *open,
                                    const struct mr_chart_kind *kind, struct mr_error *error)
{
    const struct mr_options *options = &open->node->options;
    chart->sample_size = 1;
    if (mr_option_specs_find(options->specs, "size") >= 0) {
        chart->size_text = mr_options_text(options, "size");
        if (chart->size_text != NULL)
            chart->size_slot = mr_options_slot(options, "size");
        else if (kind->counts == MR_COUNTS_ITEMS)
            chart->sample_size = (double)mr_options_integer(options, "sample_size");
        else
            chart->sample_size = mr_options_number(options, "sample_size");
    }
    return mr_chart_open(chart, open, kind, error);
}

enum mr_status mr_chart_counts_check(const struct mr_options *options, const char **option,
                                     struct mr_error *error)
{
    bool takes_size = mr_option_specs_find(options->specs, "size") >= 0;
    bool has_size = takes_size && mr_options_present(options, "size");
    *option = "size";
    if (takes_size && has_size == mr_options_present(options, "sample_size"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "say either `size`, the field with the size of each sample, or "
                       "`sample_size`, that of all");
    *option = "limits";
    if (has_size && mr_options_present(options, "limits") &&
        mr_options_present(mr_options_get(options, "limits")->objects, "ucl"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`limits`: ucl and lcl hold for samples of one size: leave them out, so "
                       "that they follow from cl, or say `sample_size`");
    return mr_chart_check(options, option, error);
}

/* ---- Samples ---- */

static bool is_size(const struct mr_chart *chart, double size)
{
    if (size == 0)
        return true;
    if (chart->book.kind->counts == MR_COUNTS_ITEMS)
        return size >= 1 && size <= MR_COUNT_MAX && size == floor(size);
    return size >= MR_UNITS_MIN && size <= MR_COUNT_MAX;
}

static bool read_size(const struct mr_chart *chart, struct mr_operator_context *context,
                      struct mr_batch *batch, uint32_t row, double *size)
{
    struct mr_value cell = mr_batch_column(batch, chart->size_slot)[row];
    const char *sizes = chart->book.kind->counts == MR_COUNTS_ITEMS
                            ? "a whole number from 0 to 1e15"
                            : "0 or a number from 1e-9 to 1e15";
    bool is_number = mr_value_as_double(cell, size);
    if (is_number && is_size(chart, *size)) {
        *size += 0.0; /* -0.0 becomes 0.0 */
        return true;
    }
    if (is_number)
        mr_operator_row_error(context, batch, row, "field %s is %.10g, no size of a sample: %s",
                              chart->size_text, *size, sizes);
    else if (cell.kind == MR_KIND_ABSENT)
        mr_operator_row_error(context, batch, row, "field %s is missing", chart->size_text);
    else if (cell.kind == MR_KIND_ERROR)
        mr_operator_row_error(context, batch, row, "field %s: %.*s", chart->size_text,
                              (int)cell.size, (const char *)cell.text);
    else
        mr_operator_row_error(context, batch, row, "field %s is %s, no size of a sample: %s",
                              chart->size_text, mr_kind_name((enum mr_kind)cell.kind), sizes);
    return false;
}

bool mr_chart_count_read(const struct mr_chart *chart, struct mr_operator_context *context,
                         struct mr_batch *batch, uint32_t row, double count, double *size)
{
    *size = chart->sample_size;
    if (!(count >= 0 && count <= MR_COUNT_MAX && count == floor(count))) {
        mr_operator_row_error(context, batch, row,
                              "field %s is %.10g, no count: a whole number from 0 to 1e15",
                              chart->field_text, count);
        return false;
    }
    if (chart->size_text != NULL && !read_size(chart, context, batch, row, size))
        return false;
    bool is_bounded = chart->book.kind->counts == MR_COUNTS_ITEMS || *size == 0;
    if (!is_bounded || count <= *size)
        return true;
    mr_operator_row_error(context, batch, row,
                          "field %s is %.10g, more than a sample of size %.10g can have",
                          chart->field_text, count, *size);
    return false;
}

void mr_chart_count_measure(const struct mr_chart_rule_book *book,
                            const struct mr_chart_sample *sample, double previous,
                            struct mr_chart_measure *measure)
{
    MR_UNUSED(book);
    MR_UNUSED(previous);
    measure->location = sample->mean / sample->size;
    measure->weight = sample->size;
    measure->sigma = (double)NAN;
    measure->spread = (double)NAN;
}

double mr_chart_share_error(const struct mr_chart_rule_book *book,
                            const struct mr_chart_baseline *baseline, double weight)
{
    MR_UNUSED(book);
    double center = baseline->center;
    /* A mean of ones may be rounded to more than one. */
    return sqrt(fmax(0, center * (1 - center)) / weight);
}

double mr_chart_rate_error(const struct mr_chart_rule_book *book,
                           const struct mr_chart_baseline *baseline, double weight)
{
    MR_UNUSED(book);
    return sqrt(baseline->center / weight);
}
