/* tests/unit/operators/test_spectral_residual.c — saliency beside its definition with libm; what
 * does not change it. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "operators/spectral_residual.h"

enum { SIZE = 64, COUNT = SIZE - MR_SPECTRAL_AHEAD };

static const double turn = 6.283185307179586476925;

static void transform(const double (*given)[2], double direction, double (*found)[2])
{
    for (uint32_t place = 0; place < SIZE; place++) {
        found[place][0] = found[place][1] = 0;
        for (uint32_t index = 0; index < SIZE; index++) {
            double angle = direction * turn * (place * index % SIZE) / SIZE;
            found[place][0] += given[index][0] * cos(angle) - given[index][1] * sin(angle);
            found[place][1] += given[index][0] * sin(angle) + given[index][1] * cos(angle);
        }
    }
}

/* By the paper's formulas. */
static double defined_score(const double *numbers, uint32_t smooth, uint32_t local)
{
    double values[SIZE][2] = {{0}};
    double found[SIZE][2];
    double logs[SIZE];
    double slope = 0;
    for (uint32_t back = 1; back <= 5; back++)
        slope += (numbers[COUNT - 2] - numbers[COUNT - 2 - back]) / back / 5;
    for (uint32_t place = 0; place < SIZE; place++)
        values[place][0] = place < COUNT ? numbers[place] : numbers[COUNT - 6] + 5 * slope;
    transform((const double(*)[2])values, -1, found);
    for (uint32_t place = 0; place < SIZE; place++)
        logs[place] = log(hypot(found[place][0], found[place][1]));
    for (uint32_t place = 0; place < SIZE; place++) {
        uint32_t count = place + 1 < smooth ? place + 1 : smooth;
        double mean = 0;
        for (uint32_t back = 0; back < count; back++)
            mean += logs[place - back] / count;
        double phase = atan2(found[place][1], found[place][0]);
        values[place][0] = exp(logs[place] - mean) * cos(phase);
        values[place][1] = exp(logs[place] - mean) * sin(phase);
    }
    transform((const double(*)[2])values, 1, found);
    double mean = 0;
    for (uint32_t place = COUNT - 1 - local; place < COUNT - 1; place++)
        mean += hypot(found[place][0], found[place][1]) / local;
    double score = (hypot(found[COUNT - 1][0], found[COUNT - 1][1]) - mean) / mean;
    return score > 0 ? score : 0;
}

static struct mr_spectral_saliency judge(const double *numbers, uint32_t smooth, uint32_t local)
{
    double copy[COUNT];
    struct mr_spectral_residual residual = {.size = SIZE, .smooth = smooth, .local = local};
    void *memory = mr_memory_new(1, mr_spectral_residual_bytes(SIZE));
    memcpy(copy, numbers, sizeof(copy));
    mr_spectral_residual_prepare(&residual, memory);
    struct mr_spectral_saliency found = mr_spectral_residual_judge(&residual, copy);
    mr_memory_free(memory);
    return found;
}

static void make_numbers(double *numbers, uint64_t seed, double spike)
{
    struct mr_random random;
    mr_random_init(&random, seed, 0);
    for (uint32_t index = 0; index < COUNT; index++)
        numbers[index] = 20 + 3 * sin(index * 0.7) + mr_random_normal(&random);
    numbers[COUNT - 1] += spike;
}

static void scores_are_those_of_the_definition(void **state)
{
    MR_UNUSED(state);
    double numbers[COUNT];
    static const uint32_t windows[][2] = {{3, 21}, {1, 5}, {2, 58}, {15, 10}, {7, 1}};
    for (uint64_t seed = 0; seed < 40; seed++)
        for (size_t index = 0; index < MR_ARRAY_COUNT(windows); index++) {
            make_numbers(numbers, seed, (double)(seed % 3) * 5);
            double asked = defined_score(numbers, windows[index][0], windows[index][1]);
            double found = judge(numbers, windows[index][0], windows[index][1]).score;
            if (!(fabs(found - asked) <= 1e-9 * (1 + asked)))
                fail_msg("%.17g, not %.17g", found, asked);
        }
}

static void a_spike_is_salient(void **state)
{
    MR_UNUSED(state);
    double numbers[COUNT];
    make_numbers(numbers, 1, 0);
    assert_true(judge(numbers, 3, 21).score < 3);
    make_numbers(numbers, 1, 25);
    assert_true(judge(numbers, 3, 21).score > 3);
}

static void scale_does_not_count(void **state)
{
    MR_UNUSED(state);
    double numbers[COUNT];
    double scaled[COUNT];
    make_numbers(numbers, 7, 9);
    double asked = judge(numbers, 3, 21).score;
    static const int exponents[] = {1000, -900, 1};
    for (size_t index = 0; index < MR_ARRAY_COUNT(exponents); index++) {
        for (uint32_t place = 0; place < COUNT; place++)
            scaled[place] = ldexp(numbers[place], exponents[index]);
        double found = judge(scaled, 3, 21).score;
        assert_memory_equal(&found, &asked, sizeof(double));
    }
}

static void odd_numbers_give_scores(void **state)
{
    MR_UNUSED(state);
    static const double odd[] = {DBL_MAX, -DBL_MAX, 0, 5e-324, 1, -5e-324, 1e140};
    double numbers[COUNT] = {0};
    assert_true(judge(numbers, 3, 21).score == 0); /* nothing but zeros */
    for (uint32_t place = 0; place < COUNT; place++)
        numbers[place] = 7.1;
    assert_true(judge(numbers, 3, 21).score < 1e-9);
    numbers[COUNT - 1] = 5e-324;
    assert_true(judge(numbers, 3, 21).score > 3);
    struct mr_random random;
    mr_random_init(&random, 2, 0);
    for (int round = 0; round < 1000; round++) {
        for (uint32_t place = 0; place < COUNT; place++)
            numbers[place] = odd[mr_random_below(&random, MR_ARRAY_COUNT(odd))];
        struct mr_spectral_saliency found = judge(numbers, 15, 21);
        assert_true(found.score >= 0 && isfinite(found.score));
        assert_true(isfinite(found.newest) && isfinite(found.local));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scores_are_those_of_the_definition),
        cmocka_unit_test(a_spike_is_salient),
        cmocka_unit_test(scale_does_not_count),
        cmocka_unit_test(odd_numbers_give_scores),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
