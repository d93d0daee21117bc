/* tests/unit/base/test_sketch_generations.c — nothing of the window is missed, what is older is
 * forgotten, and others are found as rarely as stated: beside exact times. */
#include "base/sketch_generations.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"

enum { VALUES = 4000 };

struct filled {
    struct mr_arena arena;
    struct mr_sketch_generations shape;
    uint8_t head[MR_SKETCH_GENERATIONS_HEAD_BYTES];
    struct mr_sketch_scratch scratch;
    double load;
};

static void open(struct filled *filled, int64_t window, uint64_t capacity, double rate)
{
    memset(filled, 0, sizeof(*filled));
    mr_arena_init(&filled->arena, 64 << 10);
    mr_sketch_generations_init(&filled->shape, window, capacity, rate);
    mr_sketch_scratch_init(&filled->scratch, &filled->arena, MR_SKETCH_BLOOM_PIECE_BYTES,
                           mr_sketch_generations_pieces(&filled->shape));
}

static bool add(struct filled *filled, uint64_t hash, int64_t now)
{
    struct mr_error error;
    bool found;
    assert_int_equal(mr_sketch_generations_add(&filled->shape, filled->head, &filled->scratch.body,
                                               hash, now, &found, &filled->load, &error),
                     MR_OK);
    return found;
}

struct outcome {
    uint64_t missed;
    uint64_t looks; /* at values that are not there */
    uint64_t found; /* of those */
    double load_max;
};

/* A stream of `records` whose mean distance in time is `step`; bursts have none. */
static struct outcome run(uint64_t seed, int64_t window, uint64_t capacity, double rate,
                          uint32_t records, double step)
{
    static int64_t seen[VALUES];
    static bool has[VALUES];
    struct outcome outcome = {0};
    struct filled filled;
    struct mr_random random;
    open(&filled, window, capacity, rate);
    mr_random_init(&random, seed, records);
    memset(has, 0, sizeof(has));
    int64_t now = -1000000;
    for (uint32_t record = 0; record < records; record++) {
        if (record / 500 % 2 == 0) /* bursts and a steady flow by turns */
            now += (int64_t)(2 * step * mr_random_double(&random) + 0.5);
        uint32_t value = (uint32_t)mr_random_below(&random, VALUES);
        bool expected = has[value] && now - seen[value] < window;
        /* Between one window and a quarter more both answers are right. */
        bool either = has[value] && !expected && now - seen[value] <= window + window / 4 + 1;
        bool found = add(&filled, (value + 1) * UINT64_C(0x9e3779b97f4a7c15) * (value + 77), now);
        outcome.missed += expected && !found;
        outcome.looks += !expected && !either;
        outcome.found += !expected && !either && found;
        outcome.load_max = fmax(outcome.load_max, filled.load);
        has[value] = true;
        seen[value] = now;
    }
    mr_arena_deinit(&filled.arena);
    return outcome;
}

static void windows_of_time(void **state)
{
    (void)state;
    uint64_t looks = 0;
    uint64_t found = 0;
    for (uint64_t seed = 0; seed < 40; seed++) {
        struct outcome outcome = run(seed, 1000, 1000, 0.01, 6000, 4);
        assert_int_equal(outcome.missed, 0);
        assert_true(outcome.load_max <= 1);
        looks += outcome.looks;
        found += outcome.found;
    }
    assert_true(looks > 50000);
    assert_true((double)found <= 0.01 * (double)looks + 2.33 * sqrt(0.01 * (double)looks));
}

/* Time is the record's number: the window of the last records. */
static void windows_of_records(void **state)
{
    (void)state;
    struct filled filled;
    struct mr_random random;
    static int64_t seen[VALUES];
    memset(seen, 0, sizeof(seen));
    open(&filled, 300, 300, 0.01);
    mr_random_init(&random, 1, 1);
    for (int64_t record = 1; record < 20000; record++) {
        uint32_t value = (uint32_t)mr_random_below(&random, VALUES);
        bool found =
            add(&filled, (value + 1) * UINT64_C(0x9e3779b97f4a7c15) * (value + 77), record);
        assert_true(found || seen[value] == 0 || record - seen[value] >= 300);
        assert_true(filled.load <= 1);
        seen[value] = record;
    }
    mr_arena_deinit(&filled.arena);
}

static void beyond_the_capacity_nothing_is_forgotten(void **state)
{
    (void)state;
    struct outcome outcome = run(1, 1000000, 100, 0.01, 5000, 4);
    assert_int_equal(outcome.missed, 0);
    assert_true(outcome.load_max > 1);
}

static void a_pause_forgets_all(void **state)
{
    (void)state;
    struct filled filled;
    uint64_t values;
    uint32_t filters;
    int64_t end;
    open(&filled, 1000, 100, 0.01);
    assert_true(mr_sketch_generations_end(&filled.shape, filled.head, &end));
    assert_true(end == INT64_MIN);
    assert_false(add(&filled, 77, 0));
    assert_true(add(&filled, 77, 999));
    assert_true(add(&filled, 77, 1998));
    assert_false(add(&filled, 77, 2998));
    assert_true(add(&filled, 77, 2000)); /* time does not go back */
    assert_false(add(&filled, 78, INT64_MAX));
    assert_true(mr_sketch_generations_count(filled.head, &values, &filters));
    assert_int_equal(values, 1);
    assert_int_equal(filters, 1);
    assert_true(mr_sketch_generations_end(&filled.shape, filled.head, &end));
    assert_true(end == INT64_MAX);
    mr_arena_deinit(&filled.arena);
    open(&filled, INT64_MAX, 100, 0.01);
    assert_false(add(&filled, 77, INT64_MIN));
    assert_false(add(&filled, 77, INT64_MAX));
    mr_arena_deinit(&filled.arena);
}

static void heads_that_cannot_be_are_refused(void **state)
{
    (void)state;
    struct filled filled;
    struct mr_error error;
    bool found;
    double load;
    uint64_t values;
    uint32_t filters;
    static const uint64_t heads[][2] = {{2, 1}, {0, 5}, {1, 11}, {5, UINT64_MAX}};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(heads); index++) {
        open(&filled, 1000, 100, 0.01);
        memcpy(filled.head, heads[index], sizeof(heads[index]));
        assert_int_equal(mr_sketch_generations_add(&filled.shape, filled.head, &filled.scratch.body,
                                                   1, 1, &found, &load, &error),
                         MR_CORRUPT);
        assert_false(mr_sketch_generations_count(filled.head, &values, &filters));
        mr_arena_deinit(&filled.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_of_time),
        cmocka_unit_test(windows_of_records),
        cmocka_unit_test(beyond_the_capacity_nothing_is_forgotten),
        cmocka_unit_test(a_pause_forgets_all),
        cmocka_unit_test(heads_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
