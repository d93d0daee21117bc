/* tests/unit/operators/test_bootstrap_sampler.c — rows made from a sample: moments, ties, missing
 * values, flips, conditions, seeds. */
#include "operators/bootstrap_sampler.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

/* Columns: 0 normal, 1 twice that and noise of sd 1 (correlation 0.894), 2 one of three texts or
 * missing, 3 a boolean, 4 whole from 0 to 9 where it is not 0 anyway. */
enum { D = 5, ROWS = 2000, BLOCK = 100, S = MR_COPULA_SAMPLE_ROWS, DRAWN = 64 * 500 };

static struct mr_bootstrap model;
static struct mr_bootstrap_sampler sampler;
static double drawn[D][DRAWN];

static void open_all(struct mr_bootstrap_noise noise)
{
    struct mr_copula_shape shape = {D, ROWS, 5};
    struct mr_bootstrap_work work;
    struct mr_value cells[D * BLOCK];
    static const char *const texts[] = {"a", "b", "c"};
    mr_bootstrap_create(&model, &shape);
    mr_bootstrap_work_create(&work, D);
    mr_bootstrap_sampler_create(&sampler, &shape, noise);
    for (uint64_t row = 0; row < ROWS; row++) {
        struct mr_random random;
        struct mr_value *at = cells + D * (row % BLOCK);
        mr_random_init(&random, 9, row);
        double z = mr_random_normal(&random);
        at[0] = mr_value_double(z);
        at[1] = mr_value_double(2 * z + mr_random_normal(&random));
        at[2] = row % 10 == 0 ? mr_value_null()
                              : mr_value_string(mr_slice_text(texts[row % 4 == 0 ? row % 3 : 0]));
        at[3] = mr_value_bool(z > 0);
        at[4] = mr_value_double(row % 2 == 0 ? 0 : (double)mr_random_below(&random, 60));
        if (row % BLOCK == BLOCK - 1)
            mr_bootstrap_learn(&model, &work, cells, BLOCK, 0);
    }
    mr_bootstrap_work_destroy(&work);
}

static void close_all(void)
{
    mr_bootstrap_destroy(&model);
    mr_bootstrap_sampler_destroy(&sampler);
}

static void draw_all(const struct mr_copula_condition *conditions, uint32_t count)
{
    struct mr_error error;
    double numbers[D * S];
    assert_int_equal(mr_bootstrap_sampler_make(&sampler, &model, conditions, count, &error), MR_OK);
    for (uint32_t first = 0; first < DRAWN; first += S) {
        mr_bootstrap_sample(&sampler, &model, 3, first, S, numbers);
        for (uint32_t column = 0; column < D; column++)
            memcpy(drawn[column] + first, numbers + (size_t)column * S, S * sizeof(double));
    }
}

static double mean_of(const double *numbers, uint32_t count)
{
    double sum = 0;
    for (uint32_t at = 0; at < count; at++)
        sum += numbers[at] / count;
    return sum;
}

static double covariance(const double *one, const double *other, uint32_t count)
{
    double sum = 0;
    double mean = mean_of(one, count);
    double other_mean = mean_of(other, count);
    for (uint32_t at = 0; at < count; at++)
        sum += (one[at] - mean) * (other[at] - other_mean) / count;
    return sum;
}

/* The sample's own column. */
static const double *column_of_sample(uint32_t column)
{
    static double numbers[2][ROWS];
    for (uint32_t row = 0; row < ROWS; row++)
        numbers[column][row] = mr_bootstrap_row_numbers(&model, row)[column];
    return numbers[column];
}

/* Also with much noise: mean, variances and correlation are the sample's. */
static void moments_stay(void **state)
{
    MR_UNUSED(state);
    static const double bandwidths[] = {0, -1, 0.7};
    for (size_t which = 0; which < MR_ARRAY_COUNT(bandwidths); which++) {
        open_all((struct mr_bootstrap_noise){.bandwidth = bandwidths[which]});
        draw_all(NULL, 0);
        assert_true(sampler.probability == 1);
        const double *first = column_of_sample(0);
        const double *second = column_of_sample(1);
        assert_true(fabs(mean_of(drawn[0], DRAWN) - mean_of(first, ROWS)) < 0.025);
        double variance = covariance(drawn[0], drawn[0], DRAWN);
        assert_true(fabs(variance / covariance(first, first, ROWS) - 1) < 0.04);
        double found = covariance(drawn[0], drawn[1], DRAWN) /
                       sqrt(variance * covariance(drawn[1], drawn[1], DRAWN));
        double wanted = covariance(first, second, ROWS) /
                        sqrt(covariance(first, first, ROWS) * covariance(second, second, ROWS));
        assert_true(fabs(found - wanted) < 0.006);
        close_all();
    }
}

/* Without noise every row is one of the sample, with it none is. */
static void noise_moves_numbers(void **state)
{
    MR_UNUSED(state);
    static const double bandwidths[] = {0, 0.1};
    for (size_t which = 0; which < MR_ARRAY_COUNT(bandwidths); which++) {
        uint32_t equal = 0;
        open_all((struct mr_bootstrap_noise){.bandwidth = bandwidths[which]});
        draw_all(NULL, 0);
        for (uint32_t at = 0; at < 200; at++)
            for (uint32_t row = 0; row < ROWS; row++)
                equal += mr_bootstrap_row_numbers(&model, row)[0] == drawn[0][at] ? 1 : 0;
        assert_int_equal(equal, which == 0 ? 200 : 0);
        close_all();
    }
}

/* Half of the fifth column is 0 and stays so; the rest is whole, within the range, and not 0 more
 * often than before by much. */
static void tied_and_whole_numbers_are_kept(void **state)
{
    MR_UNUSED(state);
    open_all((struct mr_bootstrap_noise){.bandwidth = 0.3});
    draw_all(NULL, 0);
    uint32_t zeros = 0;
    for (uint32_t at = 0; at < DRAWN; at++) {
        assert_true(drawn[4][at] == nearbyint(drawn[4][at]));
        assert_true(drawn[4][at] >= 0 && drawn[4][at] <= 59);
        zeros += drawn[4][at] == 0;
    }
    assert_true(fabs((double)zeros / DRAWN - 0.51) < 0.015);
    close_all();
}

static void texts_flip_as_often_as_asked(void **state)
{
    MR_UNUSED(state);
    double shares[2][3] = {{0}};
    uint32_t disagree[2] = {0};
    for (int which = 0; which < 2; which++) {
        open_all((struct mr_bootstrap_noise){.bandwidth = 0, .flip = which == 0 ? 0 : 0.2});
        draw_all(NULL, 0);
        uint32_t missing = 0;
        for (uint32_t at = 0; at < DRAWN; at++) {
            missing += isnan(drawn[2][at]) ? 1 : 0;
            if (!isnan(drawn[2][at]))
                shares[which][(uint32_t)drawn[2][at]] += 1.0 / DRAWN;
            disagree[which] += (drawn[0][at] > 0) != (drawn[3][at] > 0.5);
        }
        assert_true(fabs((double)missing / DRAWN - 0.1) < 0.01);
        close_all();
    }
    for (int text = 0; text < 3; text++)
        assert_true(fabs(shares[0][text] - shares[1][text]) < 0.012);
    assert_int_equal(disagree[0], 0);
    /* A flip finds the other of two equal shares half of the time. */
    assert_true(fabs((double)disagree[1] / DRAWN - 0.1) < 0.008);
}

static void conditions_are_met(void **state)
{
    MR_UNUSED(state);
    static const char *const texts[] = {"b", "c"};
    static const char *const no[] = {"false"};
    struct mr_copula_condition conditions[] = {
        {.column = 1, .name = "f1", .lowest = 0.5, .highest = INFINITY, .lowest_is_out = true},
        {.column = 2, .name = "f2", .texts = texts, .texts_count = 2},
        {.column = 3, .name = "f3", .texts = no, .texts_count = 1},
    };
    open_all((struct mr_bootstrap_noise){.bandwidth = 0.5, .flip = 0.5});
    uint32_t met = 0;
    for (uint32_t row = 0; row < ROWS; row++) {
        const double *numbers = mr_bootstrap_row_numbers(&model, row);
        met += numbers[1] > 0.5 && (numbers[2] == 1 || numbers[2] == 2) && numbers[3] == 0;
    }
    assert_in_range(met, 5, 100);
    draw_all(conditions, 3);
    assert_true(fabs(sampler.probability - (double)met / ROWS) < 1e-12);
    for (uint32_t at = 0; at < DRAWN; at++) {
        assert_true(drawn[1][at] > 0.5);
        assert_true(drawn[2][at] == 1 || drawn[2][at] == 2);
        assert_true(drawn[3][at] == 0);
    }
    /* Exactly one number. */
    double zero[] = {0, 0};
    conditions[0] =
        (struct mr_copula_condition){.column = 4, .name = "f4", .lowest = 0, .highest = zero[0]};
    draw_all(conditions, 1);
    assert_true(sampler.probability > 0.5 && sampler.probability < 0.53);
    for (uint32_t at = 0; at < DRAWN; at++)
        assert_true(drawn[4][at] == 0);
    close_all();
}

static bool refused(struct mr_copula_condition condition, const char *sentence)
{
    struct mr_error error;
    return mr_bootstrap_sampler_make(&sampler, &model, &condition, 1, &error) == MR_INVALID &&
           strstr(error.message, sentence) != NULL;
}

static void impossible_conditions_are_refused(void **state)
{
    MR_UNUSED(state);
    static const char *const none[] = {"none"};
    open_all((struct mr_bootstrap_noise){.bandwidth = -1});
    assert_true(refused((struct mr_copula_condition){.column = 2, .texts = none, .texts_count = 1},
                        "none of the 2000 records of the sample meets them"));
    assert_true(
        refused((struct mr_copula_condition){.column = 0, .lowest = 100, .highest = INFINITY},
                "none of the 2000 records"));
    assert_true(refused((struct mr_copula_condition){.column = 0, .texts = none, .texts_count = 1},
                        "it has numbers, as '21'"));
    assert_true(refused((struct mr_copula_condition){.column = 2, .lowest = 1, .highest = 2},
                        "it has no numbers"));
    close_all();
}

/* Row n does not depend on which rows are drawn with it. */
static void rows_are_functions_of_their_number(void **state)
{
    MR_UNUSED(state);
    double numbers[D * S];
    open_all((struct mr_bootstrap_noise){.bandwidth = -1, .flip = 0.3});
    draw_all(NULL, 0);
    mr_bootstrap_sample(&sampler, &model, 3, 101, 7, numbers);
    for (uint32_t column = 0; column < D; column++)
        assert_memory_equal(numbers + (size_t)column * S, drawn[column] + 101, 7 * sizeof(double));
    mr_bootstrap_sample(&sampler, &model, 4, 101, 7, numbers);
    assert_memory_not_equal(numbers, drawn[0] + 101, 7 * sizeof(double));
    close_all();
}

/* Constant columns, a single row, the ends of what is learned, and fields that are each other. */
static void odd_samples_are_fine(void **state)
{
    MR_UNUSED(state);
    static const double odd[][2] = {{1e140, 3}, {-1e140, 3}, {5e-324, 3}, {0, 3}, {1, 3}};
    struct mr_copula_shape shape = {4, 16, 5};
    struct mr_bootstrap_work work;
    struct mr_error error;
    double numbers[4 * S];
    mr_bootstrap_create(&model, &shape);
    mr_bootstrap_work_create(&work, 4);
    mr_bootstrap_sampler_create(&sampler, &shape, (struct mr_bootstrap_noise){.bandwidth = 1});
    for (uint32_t row = 0; row < MR_ARRAY_COUNT(odd); row++) {
        struct mr_value cells[4] = {mr_value_double(odd[row][0]), mr_value_double(odd[row][1]),
                                    mr_value_double(odd[row][0]), mr_value_null()};
        mr_bootstrap_learn(&model, &work, cells, 1, 0);
        assert_int_equal(mr_bootstrap_sampler_make(&sampler, &model, NULL, 0, &error), MR_OK);
        mr_bootstrap_sample(&sampler, &model, 1, 0, S, numbers);
        for (uint32_t at = 0; at < S; at++) {
            assert_true(fabs(numbers[at]) <= 1e140);
            assert_true(numbers[S + at] == 3);
            assert_true(fabs(numbers[2 * S + at]) <= 1e140);
            assert_true(isnan(numbers[3 * S + at]));
        }
    }
    mr_bootstrap_work_destroy(&work);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(moments_stay),
        cmocka_unit_test(noise_moves_numbers),
        cmocka_unit_test(tied_and_whole_numbers_are_kept),
        cmocka_unit_test(texts_flip_as_often_as_asked),
        cmocka_unit_test(conditions_are_met),
        cmocka_unit_test(impossible_conditions_are_refused),
        cmocka_unit_test(rows_are_functions_of_their_number),
        cmocka_unit_test(odd_samples_are_fine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
