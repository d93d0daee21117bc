/* tests/unit/base/test_sketch_frequent.c — Space-Saving's promises, in one pass and after merges.
 */
#include "base/sketch_frequent.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"

#include "base/hash.h"

enum { PIECE_BYTES = 512, SEEDS = 100, ROWS = 3000, VALUES = 400, COUNTERS = 40, PARTS = 4 };

struct counted {
    struct mr_arena arena;
    struct mr_sketch sketch;
    uint8_t head[MR_SKETCH_FREQUENT_HEAD_BYTES];
    struct mr_sketch_scratch scratch;
};

static void open(struct counted *counted)
{
    memset(counted, 0, sizeof(*counted));
    mr_arena_init(&counted->arena, 32 << 10);
    counted->sketch = mr_sketch_frequent(COUNTERS, sizeof(uint64_t), PIECE_BYTES);
    mr_sketch_scratch_init(&counted->scratch, &counted->arena, PIECE_BYTES,
                           counted->sketch.pieces_max);
}

static void add(struct counted *counted, uint64_t value)
{
    struct mr_error error;
    uint8_t *payload;
    uint64_t hash = mr_hash64(mr_slice_from(&value, sizeof(value)));
    assert_int_equal(mr_sketch_frequent_add(&counted->sketch, counted->head, &counted->scratch.body,
                                            hash, &payload, &error),
                     MR_OK);
    if (payload != NULL)
        memcpy(payload, &value, sizeof(value));
}

static void check_promises(struct counted *counted, const uint64_t counts[VALUES], uint64_t rows)
{
    struct mr_error error;
    bool has_counter[VALUES] = {0};
    uint64_t bound = rows / COUNTERS;
    for (uint32_t index = 0; index < mr_sketch_frequent_used(counted->head); index++) {
        struct mr_sketch_frequent_value found;
        uint64_t value;
        assert_int_equal(mr_sketch_frequent_value(&counted->sketch, &counted->scratch.body, index,
                                                  &found, &error),
                         MR_OK);
        memcpy(&value, found.payload, sizeof(value));
        assert_true(value < VALUES && !has_counter[value]);
        has_counter[value] = true;
        assert_true(found.count >= counts[value]);
        assert_true(found.count - found.error <= counts[value]);
        assert_true(found.error <= bound);
    }
    for (uint32_t value = 0; value < VALUES; value++)
        assert_true(has_counter[value] || counts[value] <= bound);
}

static void promises_are_kept(void **state)
{
    (void)state;
    struct mr_error error;
    for (uint32_t seed = 0; seed < SEEDS; seed++) {
        struct counted whole;
        struct counted parts[PARTS];
        struct mr_random random;
        uint64_t counts[VALUES] = {0};
        mr_random_init(&random, seed, 9);
        open(&whole);
        for (uint32_t part = 0; part < PARTS; part++)
            open(&parts[part]);
        double skew = 1 + 3 * mr_random_double(&random);
        for (uint32_t row = 0; row < ROWS; row++) {
            uint64_t value = (uint64_t)(pow(mr_random_double(&random), skew) * VALUES);
            counts[value]++;
            add(&whole, value);
            add(&parts[mr_random_below(&random, PARTS)], value);
        }
        check_promises(&whole, counts, ROWS);
        for (uint32_t part = 1; part < PARTS; part++)
            assert_int_equal(mr_sketch_frequent_merge(&whole.sketch, parts[0].head,
                                                      &parts[0].scratch.body, parts[part].head,
                                                      &parts[part].scratch.body, &error),
                             MR_OK);
        check_promises(&parts[0], counts, ROWS);
        for (uint32_t part = 0; part < PARTS; part++)
            mr_arena_deinit(&parts[part].arena);
        mr_arena_deinit(&whole.arena);
    }
}

static void few_values_are_exact(void **state)
{
    (void)state;
    struct mr_error error;
    struct counted counted;
    open(&counted);
    for (uint64_t value = 0; value < COUNTERS; value++)
        for (uint64_t times = 0; times <= value; times++)
            add(&counted, value);
    assert_int_equal(mr_sketch_frequent_used(counted.head), COUNTERS);
    for (uint32_t index = 0; index < COUNTERS; index++) {
        struct mr_sketch_frequent_value found;
        uint64_t value;
        assert_int_equal(
            mr_sketch_frequent_value(&counted.sketch, &counted.scratch.body, index, &found, &error),
            MR_OK);
        memcpy(&value, found.payload, sizeof(value));
        assert_int_equal(found.count, value + 1);
        assert_int_equal(found.error, 0);
    }
    mr_arena_deinit(&counted.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(promises_are_kept),
        cmocka_unit_test(few_values_are_exact),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
