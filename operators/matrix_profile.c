/* operators/matrix_profile.c — see matrix_profile.h.
 * Design: dot products are kept by lag, so that a record changes each in its place:
 *   q'[lag] = q[lag] - x[start - 1 - lag] x[start - 1] + x[newest - lag] x[newest]
 * and are stored from the largest lag to lag 0, so that places of products, of subsequences and of
 * numbers grow together and the loops become vector instructions (elementwise: no order of sums is
 * changed). When the product that leaves was far greater than what is left, its rounding errors are
 * what is left: such a dot product is computed anew, so that a huge number leaves nothing behind.
 * The distance is sqrt(2 length (1 - correlation)); the nearest is the one with the greatest
 * correlation, of equal ones the oldest. */
#include "operators/matrix_profile.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "operators/sorted_window.h"

enum { LANES = 8, MIDDLE_SAMPLES = 64 };

static const double number_max = 1e140;
static const double lost_ratio = 1e6; /* of what left over what is left: ten digits are good */

struct mr_matrix_profile_shape mr_matrix_profile_shape_of(uint32_t length, uint32_t window)
{
    return (struct mr_matrix_profile_shape){length, window, (length + 3) / 4};
}

size_t mr_matrix_profile_bytes(const struct mr_matrix_profile_shape *shape)
{
    size_t places = (size_t)shape->window + shape->length;
    return (5 * places + 3 * (size_t)shape->window) * sizeof(double);
}

void mr_matrix_profile_init(struct mr_matrix_profile *profile,
                            const struct mr_matrix_profile_shape *shape, void *memory)
{
    size_t places = (size_t)shape->window + shape->length;
    MR_ASSERT(shape->length >= 3 && shape->window >= 2 * shape->length);
    *profile = (struct mr_matrix_profile){.shape = *shape, .raw = memory};
    profile->values = profile->raw + places;
    profile->means = profile->values + places;
    profile->inverses = profile->means + places;
    profile->constants = profile->inverses + places;
    profile->products = profile->constants + places;
    profile->next = profile->products + shape->window;
    profile->scratch = profile->next + shape->window;
}

/* ---- One subsequence ---- */

static bool is_constant(const double *numbers, uint32_t length)
{
    for (uint32_t index = 1; index < length; index++)
        if (numbers[index] != numbers[0])
            return false;
    return true;
}

static void describe(struct mr_matrix_profile *profile, size_t place)
{
    uint32_t length = profile->shape.length;
    const double *values = profile->values + place;
    double sum = 0;
    double squares = 0;
    for (uint32_t index = 0; index < length; index++)
        sum += values[index];
    double mean = sum / length;
    for (uint32_t index = 0; index < length; index++)
        squares += (values[index] - mean) * (values[index] - mean);
    /* Squares of the smallest numbers are 0. */
    bool constant = !(squares > 0) || is_constant(profile->raw + place, length);
    profile->means[place] = mean;
    profile->inverses[place] = constant ? 0 : 1 / sqrt(squares);
    profile->constants[place] = constant ? 0.5 : 0;
}

static double product_of(const double *left, const double *right, uint32_t length)
{
    double sum = 0;
    for (uint32_t index = 0; index < length; index++)
        sum += left[index] * right[index];
    return sum;
}

/* ---- The anchor ---- */

/* A number amid those of the window, which a few huge ones cannot move. */
static double middle_of(const double *numbers, uint32_t count)
{
    double samples[MIDDLE_SAMPLES];
    uint32_t taken = count < MIDDLE_SAMPLES ? count : MIDDLE_SAMPLES;
    if (taken == 0)
        return 0;
    for (uint32_t index = 0; index < taken; index++)
        samples[index] = numbers[(uint64_t)index * count / taken];
    mr_sorted_window_sort(samples, taken);
    return samples[taken / 2];
}

/* Sums over each subsequence at once: the same order of additions for each as in describe. */
static void describe_all(struct mr_matrix_profile *profile, size_t first, size_t count)
{
    uint32_t length = profile->shape.length;
    const double *restrict values = profile->values + first;
    double *restrict means = profile->means + first;
    double *restrict squares = profile->inverses + first;
    memset(means, 0, count * sizeof(double));
    memset(squares, 0, count * sizeof(double));
    for (uint32_t index = 0; index < length; index++)
        for (size_t place = 0; place < count; place++)
            means[place] += values[place + index];
    for (size_t place = 0; place < count; place++)
        means[place] /= length;
    for (uint32_t index = 0; index < length; index++)
        for (size_t place = 0; place < count; place++) {
            double deviation = values[place + index] - means[place];
            squares[place] += deviation * deviation;
        }
    const double *raw = profile->raw + first;
    uint32_t equal = 1; /* numbers up to this one that are equal */
    for (uint32_t index = 1; index < length; index++)
        equal = raw[index] == raw[index - 1] ? equal + 1 : 1;
    for (size_t place = 0; place < count; place++) {
        bool constant = !(squares[place] > 0) || equal >= length;
        squares[place] = constant ? 0 : 1 / sqrt(squares[place]);
        profile->constants[first + place] = constant ? 0.5 : 0;
        if (place + 1 < count)
            equal = raw[place + length] == raw[place + length - 1] ? equal + 1 : 1;
    }
}

static void multiply_all(struct mr_matrix_profile *profile, size_t first, size_t count)
{
    uint32_t length = profile->shape.length;
    const double *restrict values = profile->values + first;
    const double *restrict newest = profile->values + profile->shape.window - length;
    double *restrict products = profile->products + (profile->shape.window - length + 1 - count);
    memset(products, 0, count * sizeof(double));
    for (uint32_t index = 0; index < length; index++) {
        double factor = newest[index];
        for (size_t place = 0; place < count; place++)
            products[place] += values[place + index] * factor;
    }
}

/* Compute everything anew at count, a multiple of length; raw is filled up to place window. */
static void drop_anchor(struct mr_matrix_profile *profile)
{
    uint32_t window = profile->shape.window;
    uint32_t length = profile->shape.length;
    uint32_t count = profile->count < window ? (uint32_t)profile->count : window;
    size_t first = window - count;
    profile->anchor = profile->count;
    profile->middle = middle_of(profile->raw + first, count);
    for (size_t place = first; place < window; place++)
        profile->values[place] = profile->raw[place] - profile->middle;
    if (count < length)
        return;
    describe_all(profile, first, count - length + 1);
    multiply_all(profile, first, count - length + 1);
}

static void move_anchor(struct mr_matrix_profile *profile)
{
    memmove(profile->raw, profile->raw + profile->shape.length,
            profile->shape.window * sizeof(double));
    drop_anchor(profile);
}

/* ---- One number ---- */

/* Starts of subsequences that are compared with the newest one, of which there are `count`, the
 * oldest at place `first`; their products begin at `product`. */
struct span {
    size_t newest; /* start of the newest */
    size_t first;
    size_t product;
    size_t count;
};

/* With the judged number as the newest; false: no subsequence is complete. */
static bool span_of(const struct mr_matrix_profile *profile, struct span *span)
{
    uint32_t window = profile->shape.window;
    uint32_t length = profile->shape.length;
    uint64_t numbers = profile->count + 1;
    if (numbers < length)
        return false;
    size_t lags = (size_t)window - length + 1; /* with lag 0 */
    if (numbers - length + 1 < lags)
        lags = (size_t)(numbers - length + 1);
    span->newest = (size_t)(numbers - profile->anchor) + window - length;
    span->first = span->newest + 1 - lags;
    span->product = (size_t)window - length + 1 - lags;
    span->count = lags;
    return true;
}

/* Compute anew the dot products from which much more went away than is left. */
static void mend_products(struct mr_matrix_profile *profile, const struct span *span,
                          const double *restrict leaves, double left, size_t known)
{
    double *restrict next = profile->next + span->product + known;
    size_t count = span->count - known;
    uint64_t lost = 0;
    for (size_t place = 0; place < count; place++)
        lost += fabs(leaves[place] * left) > lost_ratio * fabs(next[place]);
    for (size_t place = 0; lost > 0 && place < count; place++)
        if (fabs(leaves[place] * left) > lost_ratio * fabs(next[place]))
            next[place] = product_of(profile->values + span->first + known + place,
                                     profile->values + span->newest, profile->shape.length);
}

static void extend_products(struct mr_matrix_profile *profile, const struct span *span)
{
    uint32_t length = profile->shape.length;
    const double *restrict values = profile->values;
    /* The first subsequence of all has none before it. */
    bool is_all = span->count == profile->count + 2 - length;
    size_t known = is_all ? 1 : 0;
    if (is_all)
        profile->next[span->product] =
            product_of(values + span->first, values + span->newest, length);
    const double *restrict leaves = values + span->first + known - 1;
    const double *restrict comes = values + span->first + known + length - 1;
    const double *restrict products = profile->products + span->product + known;
    double *restrict next = profile->next + span->product + known;
    double left = values[span->newest - 1];
    double right = values[span->newest + length - 1];
    size_t count = span->count - known;
    for (size_t place = 0; place < count; place++)
        next[place] = products[place] - leaves[place] * left + comes[place] * right;
    mend_products(profile, span, leaves, left, known);
}

/* Put the number behind the learned ones; false: no subsequence is complete. */
static bool extend(struct mr_matrix_profile *profile, double number, struct span *span)
{
    size_t place = (size_t)(profile->count - profile->anchor) + profile->shape.window;
    number = number > number_max ? number_max : number < -number_max ? -number_max : number;
    profile->raw[place] = number;
    profile->values[place] = number - profile->middle;
    if (!span_of(profile, span))
        return false;
    describe(profile, span->newest);
    extend_products(profile, span);
    return true;
}

/* Greatest of count numbers, of which there is one. */
static double greatest_of(const double *numbers, size_t count)
{
    double lanes[LANES];
    for (size_t lane = 0; lane < LANES; lane++)
        lanes[lane] = numbers[0];
    size_t index = 0;
    for (; index + LANES <= count; index += LANES)
        for (size_t lane = 0; lane < LANES; lane++)
            lanes[lane] = numbers[index + lane] > lanes[lane] ? numbers[index + lane] : lanes[lane];
    for (; index < count; index++)
        lanes[0] = numbers[index] > lanes[0] ? numbers[index] : lanes[0];
    for (size_t lane = 1; lane < LANES; lane++)
        lanes[0] = lanes[lane] > lanes[0] ? lanes[lane] : lanes[0];
    return lanes[0];
}

static size_t place_of(const double *numbers, double number)
{
    size_t place = 0;
    while (numbers[place] != number)
        place++;
    return place;
}

struct mr_matrix_profile_match mr_matrix_profile_judge(struct mr_matrix_profile *profile,
                                                       double number)
{
    struct mr_matrix_profile_match match = {NAN, 0};
    uint32_t length = profile->shape.length;
    struct span span;
    if (!extend(profile, number, &span) || span.count <= profile->shape.exclusion + 1u)
        return match;
    size_t count = span.count - profile->shape.exclusion - 1;
    double *restrict found = profile->scratch;
    const double *restrict constants = profile->constants + span.first;
    double correlation;
    if (profile->constants[span.newest] > 0) {
        /* 1 with a constant one, and a half, for sqrt(length), with all others. */
        for (size_t place = 0; place < count; place++)
            found[place] = constants[place] + 0.5;
    } else {
        const double *restrict products = profile->next + span.product;
        const double *restrict means = profile->means + span.first;
        const double *restrict inverses = profile->inverses + span.first;
        double sum = profile->means[span.newest] * length;
        double inverse = profile->inverses[span.newest];
        for (size_t place = 0; place < count; place++)
            found[place] = (products[place] - means[place] * sum) * inverses[place] * inverse +
                           constants[place];
    }
    correlation = greatest_of(found, count);
    match.lag = (uint32_t)(span.count - 1 - place_of(found, correlation));
    correlation = correlation < 1 ? correlation : 1;
    correlation = correlation > -1 ? correlation : -1;
    match.distance = sqrt(2.0 * length * (1 - correlation));
    return match;
}

void mr_matrix_profile_learn(struct mr_matrix_profile *profile)
{
    double *products = profile->products;
    profile->products = profile->next;
    profile->next = products;
    profile->count++;
    if (profile->count - profile->anchor == profile->shape.length)
        move_anchor(profile);
}

/* ---- Restoring ---- */

uint32_t mr_matrix_profile_needed(const struct mr_matrix_profile_shape *shape, uint64_t count)
{
    uint32_t most = shape->window + (uint32_t)(count % shape->length);
    return count < most ? (uint32_t)count : most;
}

void mr_matrix_profile_restore(struct mr_matrix_profile *profile, uint64_t count,
                               const double *numbers)
{
    uint32_t window = profile->shape.window;
    uint32_t needed = mr_matrix_profile_needed(&profile->shape, count);
    uint32_t behind = (uint32_t)(count % profile->shape.length);
    uint32_t before = needed - behind;
    memcpy(profile->raw + (window - before), numbers, before * sizeof(double));
    profile->count = count - behind;
    drop_anchor(profile);
    for (uint32_t index = before; index < needed; index++) {
        struct span span;
        extend(profile, numbers[index], &span);
        mr_matrix_profile_learn(profile);
    }
}
