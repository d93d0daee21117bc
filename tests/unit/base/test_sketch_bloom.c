/* tests/unit/base/test_sketch_bloom.c — nothing added is missed; what was not is found as rarely as
 * stated, in full filters of many seeds, sizes and rates. */
#include "base/sketch_bloom.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"

struct filled {
    struct mr_arena arena;
    struct mr_sketch sketch;
    uint8_t head[MR_SKETCH_BLOOM_HEAD_BYTES];
    struct mr_sketch_scratch scratch;
};

static void open(struct filled *filled, uint64_t capacity, double rate)
{
    memset(filled, 0, sizeof(*filled));
    mr_arena_init(&filled->arena, 64 << 10);
    filled->sketch = mr_sketch_bloom(capacity, rate);
    mr_sketch_scratch_init(&filled->scratch, &filled->arena, MR_SKETCH_BLOOM_PIECE_BYTES,
                           filled->sketch.pieces_max);
}

static bool add(struct filled *filled, uint64_t hash, uint64_t stamp)
{
    struct mr_error error;
    bool found;
    assert_int_equal(mr_sketch_bloom_add(&filled->sketch, filled->head, &filled->scratch.body, hash,
                                         stamp, &found, &error),
                     MR_OK);
    return found;
}

static bool find(struct filled *filled, uint64_t hash, uint64_t stamp)
{
    struct mr_error error;
    bool found;
    assert_int_equal(
        mr_sketch_bloom_find(&filled->sketch, &filled->scratch.body, hash, stamp, &found, &error),
        MR_OK);
    return found;
}

/* The share of others that a full filter finds. */
static double rate_of(uint64_t capacity, double rate, uint64_t seed, uint32_t others)
{
    struct filled filled;
    struct mr_random random;
    uint32_t found = 0;
    open(&filled, capacity, rate);
    mr_random_init(&random, seed, capacity);
    for (uint64_t value = 0; value < capacity; value++)
        add(&filled, mr_random_u64(&random), 0);
    mr_random_init(&random, seed, capacity);
    for (uint64_t value = 0; value < capacity; value++)
        assert_true(find(&filled, mr_random_u64(&random), 0));
    for (uint32_t other = 0; other < others; other++)
        found += find(&filled, mr_random_u64(&random), 0);
    mr_arena_deinit(&filled.arena);
    return (double)found / others;
}

/* The mean over seeds is at most the rate, but for what chance makes of so many looks. */
static void rates_are_as_stated(void **state)
{
    (void)state;
    static const struct {
        uint64_t capacity;
        double rate;
        uint32_t others;
    } cases[] = {{1, 0.5, 2000},       {10, 0.25, 2000},    {300, 0.01, 2000},
                 {2000, 0.125, 2000},  {3000, 0.05, 2000},  {5000, 0.0078125, 4000},
                 {3000, 0.001, 20000}, {1000, 1e-4, 40000}, {40000, 0x1p-10, 10000}};
    enum { SEEDS = 20 };
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        double rate = 0;
        double looks = (double)SEEDS * cases[index].others;
        for (uint32_t seed = 0; seed < SEEDS; seed++)
            rate += rate_of(cases[index].capacity, cases[index].rate, seed, cases[index].others) /
                    SEEDS;
        if (rate > cases[index].rate + 2.33 * sqrt(cases[index].rate / looks))
            fail_msg("case %u: %g is above %g", index, rate, cases[index].rate);
        /* A filter that is far too large would keep its rate too: with 1.45 k bits a value the rate
         * is no less than a half to the k, but for the room that blocks are given. */
        if (cases[index].capacity > 1000 && rate < cases[index].rate / 8)
            fail_msg("case %u: %g is far below %g", index, rate, cases[index].rate);
    }
}

static void merging_is_exact(void **state)
{
    (void)state;
    struct mr_error error;
    struct filled whole;
    struct filled left;
    struct filled right;
    struct mr_random random;
    open(&whole, 3000, 0.01);
    open(&left, 3000, 0.01);
    open(&right, 3000, 0.01);
    mr_random_init(&random, 4, 4);
    for (uint32_t value = 0; value < 3000; value++) {
        uint64_t hash = mr_random_u64(&random);
        add(&whole, hash, 0);
        add(value % 3 == 0 ? &left : &right, hash, 0);
    }
    assert_int_equal(mr_sketch_bloom_merge(&whole.sketch, left.head, &left.scratch.body, right.head,
                                           &right.scratch.body, &error),
                     MR_OK);
    for (uint32_t piece = 0; piece < whole.sketch.pieces_max; piece++)
        assert_memory_equal(whole.scratch.pieces[piece], left.scratch.pieces[piece],
                            MR_SKETCH_BLOOM_PIECE_BYTES);
    /* One pass does not count what it found; the parts' sum may. */
    assert_true(mr_sketch_bloom_count(left.head) >= mr_sketch_bloom_count(whole.head));
    assert_true(mr_sketch_bloom_count(left.head) <= 3000);
    mr_arena_deinit(&whole.arena);
    mr_arena_deinit(&left.arena);
    mr_arena_deinit(&right.arena);
}

static void another_stamp_is_empty(void **state)
{
    (void)state;
    struct filled filled;
    open(&filled, 100, 0.01);
    assert_false(add(&filled, 12345, 1));
    assert_true(add(&filled, 12345, 1));
    assert_true(find(&filled, 12345, 1));
    assert_false(find(&filled, 12345, 2));
    assert_false(add(&filled, 12345, 2));
    assert_false(find(&filled, 12345, 1));
    mr_arena_deinit(&filled.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates_are_as_stated),
        cmocka_unit_test(merging_is_exact),
        cmocka_unit_test(another_stamp_is_empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
