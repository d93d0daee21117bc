/* tests/unit/operators/test_voxel_tell.c — voxels leave for each interval that they have points of,
 * whatever order points come in, over many blocks and regions; what is due while rows are taken is
 * bounded. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/voxel_rows.h"
#include "tests/support/operator_harness.h"

enum { SIDE = 150, EVERY = 100, ROUNDS = 12, ROWS = 1500 };

static void open(struct harness *harness)
{
    harness_open(harness,
                 "    - {name: op, type: voxel.aggregate, from: in, key: [k], position: [px, py, "
                 "pz], signals: [value], bounds: [150, 150, 2], resolution: [1, 1, 1], every: "
                 "100ms}\n",
                 "    - {name: main, type: memory, from: op}\n"
                 "    - {name: changed, type: memory, from: op.changed}\n",
                 "op");
    harness->quiet = true;
}

static struct harness_row point(int64_t time_ms, uint32_t i, uint32_t j, uint32_t k)
{
    return (struct harness_row){
        .offset = time_ms,
        .event_time_ms = time_ms,
        .cells = {{"k", mr_value_string(mr_slice_text("a"))},
                  {"px", mr_value_double((double)i)},
                  {"py", mr_value_double((double)j)},
                  {"pz", mr_value_double((double)k)},
                  {"value", mr_value_double(1)}},
    };
}

/* By interval: 1, to be told as a voxel; 2, to be covered by a box. */
static uint8_t expected[ROUNDS + 8][2][SIDE][SIDE];

static int64_t number(const struct harness *harness, uint32_t output, struct mr_view view,
                      uint32_t row, uint32_t field)
{
    const struct mr_plan_domain *domain =
        &harness->plan->domains[harness->node->outputs[output].domain];
    return view.batch->columns[domain->field_slots[field]][row].integer;
}

/* Nothing is left to be told of an interval. */
static bool is_told(int64_t interval)
{
    static const uint8_t none[2][SIDE][SIDE];
    return memcmp(expected[interval], none, sizeof(none)) == 0;
}

static void check_told(void *argument, const struct harness *harness, uint32_t output,
                       struct mr_view view)
{
    MR_UNUSED(argument);
    enum { VOXEL_I = 1, VOXEL_J, VOXEL_K, VOXEL_END = 7 };
    enum { BOX_I = 1, BOX_I_LAST, BOX_J, BOX_J_LAST, BOX_K, BOX_END = 9 };
    for (uint32_t index = 0; index < view.rows_count && output < 2; index++) {
        uint32_t row = view.rows[index];
        bool boxes = output == MR_VOXEL_OUTPUT_CHANGED;
        int64_t i = number(harness, output, view, row, boxes ? BOX_I : VOXEL_I);
        int64_t j = number(harness, output, view, row, boxes ? BOX_J : VOXEL_J);
        int64_t k = number(harness, output, view, row, boxes ? BOX_K : VOXEL_K);
        int64_t last_i = boxes ? number(harness, output, view, row, BOX_I_LAST) : i;
        int64_t last_j = boxes ? number(harness, output, view, row, BOX_J_LAST) : j;
        int64_t end = number(harness, output, view, row, boxes ? BOX_END : VOXEL_END);
        uint8_t bit = boxes ? 2 : 1;
        for (int64_t y = j; y <= last_j; y++)
            for (int64_t x = i; x <= last_i; x++) {
                uint8_t *told = &expected[end / EVERY - 1][k][y][x];
                assert_true((*told & bit) != 0);
                *told &= (uint8_t)~bit;
            }
    }
}

/* Points of the interval that is due next, of the one behind it and of the two after that, in any
 * order, then the watermark. */
static void intervals_in_any_order(void **state)
{
    MR_UNUSED(state);
    static struct harness_row rows[ROWS];
    struct harness harness;
    struct mr_random random;
    mr_random_init(&random, 8, 0);
    memset(expected, 0, sizeof(expected));
    open(&harness);
    harness.on_emit = check_told;
    harness_watermark(&harness, 0);
    for (int64_t round = 0; round < ROUNDS; round++) {
        for (uint32_t row = 0; row < ROWS; row++) {
            uint32_t i = (uint32_t)mr_random_below(&random, row % 2 == 0 ? SIDE : 20);
            uint32_t j = (uint32_t)mr_random_below(&random, row % 2 == 0 ? SIDE : 20);
            uint32_t k = (uint32_t)mr_random_below(&random, 2);
            int64_t interval = round + (int64_t)mr_random_below(&random, 4) - 1;
            rows[row] = point(interval * EVERY + (int64_t)mr_random_below(&random, EVERY), i, j, k);
            expected[interval < round ? round : interval][k][j][i] = 3;
        }
        harness_feed(&harness, 0, rows, ROWS);
        if (round % 3 == 0)
            harness_commit(&harness);
        if (round % 6 == 0)
            harness_restore(&harness);
        harness_watermark(&harness, (round + 1) * EVERY);
        assert_true(is_told(round));
    }
    harness_watermark(&harness, (ROUNDS + 4) * EVERY);
    for (int64_t interval = 0; interval < ROUNDS + 8; interval++)
        assert_true(is_told(interval));
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
}

/* While many regions are due, rows are taken up to the first of them only. */
static void what_rows_make_due_is_bounded(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_error error = {0};
    int64_t watermark_ms;
    open(&harness);
    for (uint32_t region = 0; region < 18; region++) {
        struct harness_row row = point(150, region % 3 * 64, region / 3 % 3 * 64, region / 9);
        assert_int_equal(
            mr_operator_horizon(harness.operator_instance, 10000, &watermark_ms, &error), MR_OK);
        assert_int_equal(watermark_ms >= 10000, region <= 16);
        harness_feed(&harness, 0, &row, 1);
    }
    assert_int_equal(mr_operator_horizon(harness.operator_instance, 10000, &watermark_ms, &error),
                     MR_OK);
    assert_int_equal(watermark_ms, 199);
    harness_watermark(&harness, 200);
    assert_int_equal(mr_operator_horizon(harness.operator_instance, 10000, &watermark_ms, &error),
                     MR_OK);
    assert_true(watermark_ms >= 10000);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(intervals_in_any_order),
        cmocka_unit_test(what_rows_make_due_is_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
