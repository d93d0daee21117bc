/* operators/sample_distance.c — see sample_distance.h.
 * Design: within a bin values are equally likely and a bin without width is a step, so that the
 * greatest difference is at an end of a bin of either side, or just below it. */
#include "operators/sample_distance.h"

#include <math.h>

/* The share below a value, or up to it. */
static double share_at(const struct mr_marginal *marginal, double total, double value, bool with)
{
    double sum = 0;
    for (uint32_t bin = 0; bin < marginal->bins_count; bin++) {
        const struct mr_marginal_bin *one = &marginal->bins[bin];
        if (one->highest < value || (with && one->highest <= value))
            sum += one->weight;
        else if (one->lowest < value)
            sum += one->weight * ((value - one->lowest) / (one->highest - one->lowest));
    }
    return sum / total;
}

static double greatest(const struct mr_marginal *ends, const struct mr_marginal *one,
                       double one_total, const struct mr_marginal *other, double other_total)
{
    double most = 0;
    for (uint32_t end = 0; end < 2 * ends->bins_count; end++) {
        const struct mr_marginal_bin *bin = &ends->bins[end / 2];
        double value = end % 2 == 0 ? bin->lowest : bin->highest;
        for (int with = 0; with < 2; with++) {
            double off = fabs(share_at(one, one_total, value, with != 0) -
                              share_at(other, other_total, value, with != 0));
            most = off > most ? off : most;
        }
    }
    return most;
}

double mr_sample_distance_numbers(const struct mr_marginal *one, const struct mr_marginal *other)
{
    double one_total = mr_marginal_weight(one);
    double other_total = mr_marginal_weight(other);
    if (!(one_total > 0) || !(other_total > 0))
        return one_total > 0 || other_total > 0 ? 1 : 0;
    double most = greatest(one, one, one_total, other, other_total);
    double more = greatest(other, one, one_total, other, other_total);
    return most > more ? most : more;
}

static double weight_of(const struct mr_copula_texts *texts)
{
    double total = 0;
    for (uint32_t text = 0; text < texts->count; text++)
        total += texts->weights[text];
    return total;
}

double mr_sample_text_share(const struct mr_copula_texts *texts, struct mr_slice text)
{
    double number = mr_copula_text_find(texts, text);
    double total = weight_of(texts);
    return number < MR_COPULA_RARE && total > 0 ? texts->weights[(uint32_t)number] / total : 0;
}

double mr_sample_distance_texts(const struct mr_copula_texts *one,
                                const struct mr_copula_texts *other)
{
    double one_total = weight_of(one);
    double other_total = weight_of(other);
    double sum = 0;
    if (!(one_total > 0) || !(other_total > 0))
        return one_total > 0 || other_total > 0 ? 1 : 0;
    for (uint32_t text = 0; text < one->count; text++) {
        struct mr_slice name = mr_slice_from(one->bytes[text], one->sizes[text]);
        double off = one->weights[text] / one_total - mr_sample_text_share(other, name);
        sum += off > 0 ? off : 0; /* the sum of the negative ones is as large */
    }
    return sum < 1 ? sum : 1;
}

double mr_sample_quantile(const struct mr_marginal *marginal, double share)
{
    double left = share * mr_marginal_weight(marginal);
    double value = 0;
    for (uint32_t bin = 0; bin < marginal->bins_count; bin++) {
        const struct mr_marginal_bin *one = &marginal->bins[bin];
        if (!(one->weight > 0))
            continue;
        if (left <= one->weight)
            return one->lowest + (one->highest - one->lowest) * (left > 0 ? left / one->weight : 0);
        left -= one->weight;
        value = one->highest;
    }
    return value;
}
