/* tests/unit/base/test_sketch_quantile.c — quantiles beside sorted numbers over many seeds. */
#include "base/sketch_quantile.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"

enum { PIECE_BYTES = 1024, SEEDS = 200, NUMBERS_MAX = 2000, PARTS = 4, SHAPES = 5 };

static const double shares[] = {0, 0.01, 0.25, 0.5, 0.75, 0.95, 0.999, 1};

struct ranked {
    struct mr_arena arena;
    struct mr_sketch sketch;
    uint8_t head[MR_SKETCH_QUANTILE_HEAD_BYTES];
    struct mr_sketch_scratch scratch;
};

static void open(struct ranked *ranked)
{
    memset(ranked, 0, sizeof(*ranked));
    mr_arena_init(&ranked->arena, 32 << 10);
    ranked->sketch = mr_sketch_quantile(PIECE_BYTES);
    mr_sketch_scratch_init(&ranked->scratch, &ranked->arena, PIECE_BYTES,
                           ranked->sketch.pieces_max);
}

static void add(struct ranked *ranked, double number)
{
    struct mr_error error;
    assert_int_equal(mr_sketch_quantile_add(&ranked->sketch, ranked->head, &ranked->scratch.body,
                                            number, &error),
                     MR_OK);
}

static double of_share(struct ranked *ranked, double share)
{
    struct mr_error error;
    double number;
    assert_int_equal(
        mr_sketch_quantile_of_share(ranked->head, &ranked->scratch.body, share, &number, &error),
        MR_OK);
    return number;
}

static int ascending(const void *left, const void *right)
{
    const double *first = left;
    const double *second = right;
    return *first < *second ? -1 : *first > *second;
}

static double draw(struct mr_random *random, uint32_t shape)
{
    double normal = mr_random_normal(random);
    switch (shape) {
    case 0:
        return normal;
    case 1:
        return exp(3 * normal);
    case 2:
        return floor(6 * mr_random_double(random)) - 2;
    case 3:
        return 1e9 + normal;
    default:
        return (mr_random_double(random) - 0.5) * 1e-3;
    }
}

/* One pass and four parts: both within 0.8 %, and equal. Not in 99 of 100 cases: in all. */
static void errors_are_as_stated(void **state)
{
    (void)state;
    static double numbers[NUMBERS_MAX];
    struct mr_error error;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        struct ranked whole;
        struct ranked parts[PARTS];
        struct mr_random random;
        mr_random_init(&random, seed, 5);
        uint32_t count = 1 + (uint32_t)mr_random_below(&random, NUMBERS_MAX);
        open(&whole);
        for (uint32_t part = 0; part < PARTS; part++)
            open(&parts[part]);
        for (uint32_t index = 0; index < count; index++) {
            numbers[index] = draw(&random, seed % SHAPES);
            add(&whole, numbers[index]);
            add(&parts[mr_random_below(&random, PARTS)], numbers[index]);
        }
        for (uint32_t part = 1; part < PARTS; part++)
            assert_int_equal(mr_sketch_quantile_merge(&whole.sketch, parts[0].head,
                                                      &parts[0].scratch.body, parts[part].head,
                                                      &parts[part].scratch.body, &error),
                             MR_OK);
        assert_int_equal(mr_sketch_quantile_count(parts[0].head), count);
        qsort(numbers, count, sizeof(numbers[0]), ascending);
        for (uint32_t index = 0; index < MR_ARRAY_COUNT(shares); index++) {
            double rank = ceil(shares[index] * count);
            double wanted = numbers[rank < 1 ? 0 : (uint32_t)rank - 1];
            double found = of_share(&whole, shares[index]);
            if (!(fabs(found - wanted) <= 0.008 * fabs(wanted)) || (count <= 16 && found != wanted))
                fail_msg("seed %u, share %g of %u: %.17g, not %.17g", seed, shares[index], count,
                         found, wanted);
            assert_true(found == of_share(&parts[0], shares[index]));
        }
        for (uint32_t part = 0; part < PARTS; part++)
            mr_arena_deinit(&parts[part].arena);
        mr_arena_deinit(&whole.arena);
    }
}

static void odd_numbers_stay_bounded(void **state)
{
    (void)state;
    static const double odd[] = {1e308, -1e308, 4e-324, -4e-324, -0.0, 0.0, 1e-308, -1e-300, 1};
    struct ranked ranked;
    open(&ranked);
    for (uint32_t round = 0; round < 30; round++)
        for (uint32_t index = 0; index < MR_ARRAY_COUNT(odd); index++)
            add(&ranked, odd[index]);
    double before = -INFINITY;
    for (double share = 0; share <= 1; share += 0.01) {
        double number = of_share(&ranked, share);
        assert_true(isfinite(number) && number >= before && !(number == 0 && signbit(number)));
        before = number;
    }
    assert_true(of_share(&ranked, 0) == -1e308 && of_share(&ranked, 1) == 1e308);
    mr_arena_deinit(&ranked.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_as_stated),
        cmocka_unit_test(odd_numbers_stay_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
