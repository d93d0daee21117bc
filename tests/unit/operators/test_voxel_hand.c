/* tests/unit/operators/test_voxel_hand.c — what is kept in hand leaves no trace: the stored bytes
 * are those of points that come one by one, whatever layers and keys they change between. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { ROWS = 600 };

static void open(struct harness *harness)
{
    harness_open(harness,
                 "    - {name: op, type: voxel.aggregate, from: in, key: [k], position: [px, py, "
                 "pz], signals: [value], bounds: [40, 40, 9], resolution: [1, 1, 1], lateness: "
                 "5ms, layer_timeout: 100ms, every: 50ms}\n",
                 "    - {name: layers, type: memory, from: op.layers}\n", "op");
}

static struct harness_row point(int64_t time_ms, const char *key, double x, double y, double z,
                                struct mr_value value)
{
    return (struct harness_row){
        .offset = time_ms,
        .event_time_ms = time_ms,
        .cells = {{"k", mr_value_string(mr_slice_text(key))},
                  {"px", mr_value_double(x)},
                  {"py", mr_value_double(y)},
                  {"pz", mr_value_double(z)},
                  {"value", value}},
    };
}

static void make_rows(struct harness_row *rows)
{
    static const char *const keys[] = {"a", "b", ""};
    struct mr_random random;
    mr_random_init(&random, 5, 0);
    for (uint32_t row = 0; row < ROWS; row++) {
        double z = (double)(row / 80) + (double)mr_random_below(&random, 2);
        int64_t time_ms = 10 * (int64_t)row - (int64_t)mr_random_below(&random, 30);
        rows[row] =
            point(time_ms, keys[mr_random_below(&random, 3)], mr_random_double(&random) * 40,
                  mr_random_double(&random) * 40, z, mr_value_double(mr_random_normal(&random)));
    }
}

/* Feed in batches of `cut` rows, with a watermark behind every 60th row. */
static void run(struct harness *harness, const struct harness_row *rows, uint32_t cut,
                bool restores)
{
    open(harness);
    for (uint32_t row = 0; row < ROWS;) {
        uint32_t stop = (row / 60 + 1) * 60;
        uint32_t count = stop - row < cut ? stop - row : cut;
        harness_feed(harness, 0, rows + row, count);
        row += count;
        if (row % 60 == 0)
            harness_watermark(harness, rows[row - 1].event_time_ms - 30);
        if (row % 60 == 0 && restores) {
            harness_commit(harness);
            harness_restore(harness);
        }
    }
    harness_commit(harness);
}

static void the_same_however_it_is_cut(void **state)
{
    MR_UNUSED(state);
    static struct harness_row rows[ROWS];
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    make_rows(rows);
    struct harness single;
    run(&single, rows, 1, false);
    assert_true(single.emitted_count[2] > 10);
    assert_int_equal(single.errors_count, 0);
    const char *stored = harness_dump(&single, &arena);
    static const uint32_t cuts[] = {2, 7, 60};
    for (size_t index = 0; index < MR_ARRAY_COUNT(cuts); index++) {
        struct harness other;
        run(&other, rows, cuts[index], index == 1);
        assert_string_equal(harness_output(&single, 2), harness_output(&other, 2));
        assert_string_equal(stored, harness_dump(&other, &arena));
        harness_close(&other);
    }
    harness_close(&single);
    mr_arena_deinit(&arena);
}

/* Event times and watermarks beyond what windows know neither overflow nor stop layers. */
static void times_at_the_ends(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness);
    const int64_t times_ms[] = {INT64_MIN, INT64_MAX, 0, INT64_MAX - 1};
    for (size_t index = 0; index < MR_ARRAY_COUNT(times_ms); index++) {
        struct harness_row row =
            point(times_ms[index], "a", 1, 1, (double)index, mr_value_double(1));
        harness_feed(&harness, 0, &row, 1);
    }
    harness_watermark(&harness, INT64_MAX - 1);
    assert_int_equal(harness.emitted_count[2], 4);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_however_it_is_cut),
        cmocka_unit_test(times_at_the_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
