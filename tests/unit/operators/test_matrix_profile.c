/* tests/unit/operators/test_matrix_profile.c — distances beside their definition; what is restored
 * goes on bit for bit. */
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
#include "operators/matrix_profile.h"

enum { NUMBERS = 900 };

static double numbers[NUMBERS];

static bool is_constant(const double *values, uint32_t length)
{
    for (uint32_t index = 1; index < length; index++)
        if (values[index] != values[0])
            return false;
    return true;
}

/* By the definition. */
static double distance_of(const double *left, const double *right, uint32_t length)
{
    bool constants[2] = {is_constant(left, length), is_constant(right, length)};
    if (constants[0] || constants[1])
        return constants[0] && constants[1] ? 0 : sqrt(length);
    double means[2] = {0};
    double squares[2] = {0};
    double sum = 0;
    for (uint32_t index = 0; index < length; index++) {
        means[0] += left[index] / length;
        means[1] += right[index] / length;
    }
    for (uint32_t index = 0; index < length; index++) {
        squares[0] += (left[index] - means[0]) * (left[index] - means[0]) / length;
        squares[1] += (right[index] - means[1]) * (right[index] - means[1]) / length;
    }
    for (uint32_t index = 0; index < length; index++) {
        double difference = (left[index] - means[0]) / sqrt(squares[0]) -
                            (right[index] - means[1]) / sqrt(squares[1]);
        sum += difference * difference;
    }
    return sqrt(sum);
}

static double nearest_of(const struct mr_matrix_profile_shape *shape, uint32_t last)
{
    double least = INFINITY;
    uint32_t oldest = last + 1 > shape->window ? last + 1 - shape->window : 0;
    uint32_t newest = last + 1 - shape->length;
    for (uint32_t start = oldest; start + shape->exclusion < newest; start++) {
        double distance = distance_of(numbers + newest, numbers + start, shape->length);
        least = distance < least ? distance : least;
    }
    return least;
}

static double wave(uint32_t index, struct mr_random *random)
{
    return 1e3 + 10 * sin(index * 0.37) + mr_random_normal(random);
}
static double steps(uint32_t index, struct mr_random *random)
{
    return index / 40 % 2 == 0 ? 5.1 : mr_random_double(random);
}
static double spikes(uint32_t index, struct mr_random *random)
{
    return index % 97 == 96 ? 1e4 : mr_random_normal(random);
}

static void make_numbers(double (*make)(uint32_t index, struct mr_random *random))
{
    struct mr_random random;
    mr_random_init(&random, 5, 0);
    for (uint32_t index = 0; index < NUMBERS; index++)
        numbers[index] = make(index, &random);
}

static void distances_are_those_of_the_definition(void **state)
{
    MR_UNUSED(state);
    static const uint32_t shapes[][2] = {{8, 100}, {3, 12}, {16, 2000}, {25, 50}};
    double (*const series[])(uint32_t, struct mr_random *) = {wave, steps, spikes};
    for (size_t index = 0; index < MR_ARRAY_COUNT(shapes) * MR_ARRAY_COUNT(series); index++) {
        const uint32_t *sizes = shapes[index % MR_ARRAY_COUNT(shapes)];
        struct mr_matrix_profile_shape shape = mr_matrix_profile_shape_of(sizes[0], sizes[1]);
        struct mr_matrix_profile profile;
        void *memory = mr_memory_new(1, mr_matrix_profile_bytes(&shape));
        make_numbers(series[index / MR_ARRAY_COUNT(shapes)]);
        mr_matrix_profile_init(&profile, &shape, memory);
        for (uint32_t last = 0; last < NUMBERS; last++) {
            struct mr_matrix_profile_match match = mr_matrix_profile_judge(&profile, numbers[last]);
            double asked = last + 1 < shape.length ? INFINITY : nearest_of(&shape, last);
            if (isinf(asked)) {
                assert_true(isnan(match.distance));
            } else {
                if (!(fabs(match.distance - asked) <= 1e-6))
                    fail_msg("length %u, number %u: %.17g, not %.17g", shape.length, last,
                             match.distance, asked);
                double there =
                    distance_of(numbers + last + 1 - shape.length,
                                numbers + last + 1 - shape.length - match.lag, shape.length);
                assert_true(match.lag > shape.exclusion);
                assert_true(fabs(there - asked) <= 1e-6);
            }
            mr_matrix_profile_learn(&profile);
        }
        mr_memory_free(memory);
    }
}

/* Numbers that dwarf all others, learned, and gone from the newest subsequence. */
static void a_huge_number_leaves_nothing_behind(void **state)
{
    MR_UNUSED(state);
    struct mr_matrix_profile_shape shape = mr_matrix_profile_shape_of(16, 400);
    struct mr_matrix_profile profile;
    void *memory = mr_memory_new(1, mr_matrix_profile_bytes(&shape));
    make_numbers(wave);
    for (uint32_t index = 0; index < NUMBERS; index++)
        numbers[index] -= 1000;
    numbers[250] = 1e38;
    numbers[400] = -1e12;
    numbers[402] = 1e12;
    mr_matrix_profile_init(&profile, &shape, memory);
    for (uint32_t last = 0; last < NUMBERS; last++) {
        struct mr_matrix_profile_match match = mr_matrix_profile_judge(&profile, numbers[last]);
        mr_matrix_profile_learn(&profile);
        if (last > 100 && !(fabs(match.distance - nearest_of(&shape, last)) <= 1e-6))
            fail_msg("number %u: %.17g, not %.17g", last, match.distance, nearest_of(&shape, last));
    }
    mr_memory_free(memory);
}

static void what_is_restored_goes_on_bit_for_bit(void **state)
{
    MR_UNUSED(state);
    struct mr_matrix_profile_shape shape = mr_matrix_profile_shape_of(8, 50);
    struct mr_matrix_profile live;
    struct mr_matrix_profile restored;
    void *memory[2] = {mr_memory_new(1, mr_matrix_profile_bytes(&shape)),
                       mr_memory_new(1, mr_matrix_profile_bytes(&shape))};
    make_numbers(wave);
    mr_matrix_profile_init(&live, &shape, memory[0]);
    for (uint32_t count = 0; count < 300; count++) {
        uint32_t needed = mr_matrix_profile_needed(&shape, count);
        assert_in_range(needed, 0, shape.window + shape.length - 1);
        memset(memory[1], 0xff, mr_matrix_profile_bytes(&shape)); /* NaN */
        mr_matrix_profile_init(&restored, &shape, memory[1]);
        mr_matrix_profile_restore(&restored, count, numbers + count - needed);
        mr_matrix_profile_judge(&live, -7); /* judged, not learned */
        for (uint32_t more = 0; more < 20; more++) {
            struct mr_matrix_profile_match found =
                mr_matrix_profile_judge(&restored, numbers[count + more]);
            mr_matrix_profile_learn(&restored);
            if (more > 0)
                continue;
            struct mr_matrix_profile_match asked = mr_matrix_profile_judge(&live, numbers[count]);
            assert_memory_equal(&found.distance, &asked.distance, sizeof(double));
            assert_int_equal(found.lag, asked.lag);
        }
        mr_matrix_profile_learn(&live);
    }
    mr_memory_free(memory[0]);
    mr_memory_free(memory[1]);
}

static void odd_numbers_stay_within_bounds(void **state)
{
    MR_UNUSED(state);
    static const double odd[] = {1e140,   -1e140,   5e-324, 0,    1e-160, -1e-160,
                                 DBL_MAX, -DBL_MAX, 1,      1e70, 2};
    struct mr_matrix_profile_shape shape = mr_matrix_profile_shape_of(4, 40);
    struct mr_matrix_profile profile;
    struct mr_random random;
    void *memory = mr_memory_new(1, mr_matrix_profile_bytes(&shape));
    mr_random_init(&random, 1, 0);
    mr_matrix_profile_init(&profile, &shape, memory);
    for (uint32_t round = 0; round < 5000; round++) {
        double number = odd[mr_random_below(&random, MR_ARRAY_COUNT(odd))];
        struct mr_matrix_profile_match match = mr_matrix_profile_judge(&profile, number);
        if (round >= 5)
            assert_true(match.distance >= 0 && match.distance <= 2 * sqrt(4));
        mr_matrix_profile_learn(&profile);
    }
    mr_memory_free(memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances_are_those_of_the_definition),
        cmocka_unit_test(a_huge_number_leaves_nothing_behind),
        cmocka_unit_test(what_is_restored_goes_on_bit_for_bit),
        cmocka_unit_test(odd_numbers_stay_within_bounds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
