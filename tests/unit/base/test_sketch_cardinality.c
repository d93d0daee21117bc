/* tests/unit/base/test_sketch_cardinality.c — the estimate's error over many seeds, and merging. */
#include "base/sketch_cardinality.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"

enum { PIECE_BYTES = 1024, SEEDS = 1000, PARTS = 5 };

struct counted {
    struct mr_arena arena;
    struct mr_sketch sketch;
    uint8_t head[MR_SKETCH_CARDINALITY_HEAD_BYTES];
    struct mr_sketch_scratch scratch;
};

static void open(struct counted *counted, uint32_t precision)
{
    memset(counted, 0, sizeof(*counted));
    mr_arena_init(&counted->arena, 32 << 10);
    counted->sketch = mr_sketch_cardinality(precision, PIECE_BYTES);
    mr_sketch_scratch_init(&counted->scratch, &counted->arena, PIECE_BYTES,
                           counted->sketch.pieces_max);
}

static void add(struct counted *counted, uint64_t hash)
{
    struct mr_error error;
    assert_int_equal(mr_sketch_cardinality_add(&counted->sketch, counted->head,
                                               &counted->scratch.body, hash, &error),
                     MR_OK);
}

static int64_t estimate(struct counted *counted)
{
    struct mr_error error;
    int64_t values;
    assert_int_equal(mr_sketch_cardinality_estimate(&counted->sketch, counted->head,
                                                    &counted->scratch.body, &values, &error),
                     MR_OK);
    return values;
}

/* 99 of 100 estimates are within 2.6 standard errors: of 1,000 seeds 980 at least, which is more
 * than chance takes away (three of its deviations are 9). */
static void errors_are_as_stated(void **state)
{
    (void)state;
    static const struct {
        uint32_t precision;
        int64_t values;
    } cases[] = {{12, 100}, {12, 3000}, {12, 20000}, {8, 1000}, {10, 5000}};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        double bound = 2.6 * 1.04 / sqrt((double)(1u << cases[index].precision));
        uint32_t near = 0;
        double bias = 0;
        for (uint32_t seed = 0; seed < SEEDS; seed++) {
            struct counted counted;
            struct mr_random random;
            open(&counted, cases[index].precision);
            mr_random_init(&random, seed, (uint64_t)cases[index].values);
            for (int64_t value = 0; value < cases[index].values; value++)
                add(&counted, mr_random_u64(&random));
            double error = (double)estimate(&counted) / (double)cases[index].values - 1;
            near += fabs(error) <= bound;
            bias += error / SEEDS;
            mr_arena_deinit(&counted.arena);
        }
        if (near < SEEDS - SEEDS / 50 || fabs(bias) > bound / 15)
            fail_msg("case %u: %u of %d within the error, bias %g", index, near, (int)SEEDS, bias);
    }
}

static void few_values_are_exact(void **state)
{
    (void)state;
    struct counted counted;
    struct mr_random random;
    open(&counted, 12);
    mr_random_init(&random, 3, 3);
    assert_int_equal(estimate(&counted), 0);
    for (int64_t value = 1; value <= 30; value++) {
        uint64_t hash = mr_random_u64(&random);
        add(&counted, hash);
        add(&counted, hash);
        assert_int_equal(estimate(&counted), value);
    }
    assert_null(counted.scratch.pieces[0]);
    mr_arena_deinit(&counted.arena);
}

/* In parts of any size, sparse and dense: the bytes of one pass. */
static void merging_is_exact(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 7, 40, 500, 20000};
    struct mr_error error;
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(counts); index++) {
        struct counted whole;
        struct counted parts[PARTS];
        struct mr_random random;
        mr_random_init(&random, 11, index);
        open(&whole, 10);
        for (uint32_t part = 0; part < PARTS; part++)
            open(&parts[part], 10);
        for (uint32_t value = 0; value < counts[index]; value++) {
            uint64_t hash = mr_random_u64(&random);
            add(&whole, hash);
            add(&parts[mr_random_below(&random, PARTS)], hash);
        }
        for (uint32_t part = 1; part < PARTS; part++)
            assert_int_equal(mr_sketch_cardinality_merge(&whole.sketch, parts[0].head,
                                                         &parts[0].scratch.body, parts[part].head,
                                                         &parts[part].scratch.body, &error),
                             MR_OK);
        assert_memory_equal(whole.head, parts[0].head, sizeof(whole.head));
        for (uint32_t piece = 0; piece < whole.sketch.pieces_max; piece++)
            if (whole.scratch.pieces[piece] != NULL)
                assert_memory_equal(whole.scratch.pieces[piece], parts[0].scratch.pieces[piece],
                                    PIECE_BYTES);
        for (uint32_t part = 0; part < PARTS; part++)
            mr_arena_deinit(&parts[part].arena);
        mr_arena_deinit(&whole.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(errors_are_as_stated),
        cmocka_unit_test(few_values_are_exact),
        cmocka_unit_test(merging_is_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
