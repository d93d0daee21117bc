/* tests/unit/operators/test_voxel_store.c — full blocks, pieces of many signals, and bounds. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/voxel_store.h"
#include "tests/support/operator_harness.h"

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

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: voxel.aggregate, from: in, key: [k], position: [px, py, pz], "
             "bounds: [64, 64, 64], resolution: [1, 1, 1], %s}\n",
             options);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
}

static void pieces_fit(void **state)
{
    MR_UNUSED(state);
    for (uint32_t signals = 1; signals <= MR_VOXEL_SIGNALS_MAX; signals++) {
        uint32_t bytes = mr_voxel_slot_bytes(signals);
        uint32_t cells = bytes / (uint32_t)(signals * sizeof(struct mr_voxel_cell));
        assert_true(bytes <= MR_LIMIT_STATE_SLOT_BYTES && cells >= 1);
        assert_true(mr_voxel_slots_max(signals) * cells >= MR_VOXEL_BLOCK - 1);
        assert_true(mr_voxel_object_bytes(signals) <= MR_LIMIT_STATE_SLOT_BYTES);
    }
    assert_int_equal(mr_voxel_slot_bytes(1), 4 * sizeof(struct mr_voxel_cell));
    assert_int_equal(mr_voxel_slots_max(3), 63);
}

static uint32_t right_count;

/* Rows whose voxel has twice its number as the sum of the first signal. */
static void count_right(void *argument, const struct harness *harness, uint32_t output,
                        struct mr_view view)
{
    MR_UNUSED(argument);
    enum { FIELD_I = 1, FIELD_J, FIELD_SIGNALS = 8, MEMBER_SUM = 1 };
    const uint32_t *slots =
        harness->plan->domains[harness->node->outputs[output].domain].field_slots;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        int64_t i = view.batch->columns[slots[FIELD_I]][row].integer;
        int64_t j = view.batch->columns[slots[FIELD_J]][row].integer;
        struct mr_value signals = view.batch->columns[slots[FIELD_SIGNALS]][row];
        double sum = signals.entries[0].value.entries[MEMBER_SUM].value.number;
        right_count += sum == (double)(2 * ((j - 16) * 8 + i - 8));
    }
}

/* Every voxel of a block in a scattered order, through a restore, twice. */
static void a_full_block(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {"signals: [value]", "signals: [value, px, py]"};
    for (size_t index = 0; index < MR_ARRAY_COUNT(options); index++) {
        struct harness harness;
        open(&harness, options[index]);
        right_count = 0;
        harness.on_emit = count_right;
        for (int64_t round = 0; round < 2; round++)
            for (int64_t step = 0; step < MR_VOXEL_BLOCK; step++) {
                int64_t voxel = step * 37 % MR_VOXEL_BLOCK;
                struct harness_row row =
                    point(step, "a", 8 + (double)(voxel % 8), 16 + (double)(voxel / 8), 5,
                          mr_value_double((double)voxel));
                harness_feed(&harness, 0, &row, 1);
                if (step % 13 == 0) {
                    harness_commit(&harness);
                    harness_restore(&harness);
                }
            }
        harness_watermark(&harness, 10000);
        assert_int_equal(harness.emitted_count[0], MR_VOXEL_BLOCK);
        assert_int_equal(right_count, MR_VOXEL_BLOCK);
        harness_close(&harness);
    }
}

/* state.max_keys bounds blocks; what was forgotten is not told. */
static void blocks_are_bounded(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "signals: [value], state: {max_keys: 5}");
    for (int64_t block = 0; block < 64; block++) {
        struct harness_row row = point(block, "a", 8 * (double)(block % 8), 8 * (double)(block / 8),
                                       5, mr_value_double(1));
        harness_feed(&harness, 0, &row, 1);
    }
    harness_commit(&harness);
    harness_watermark(&harness, 10000);
    assert_int_equal(harness.emitted_count[0], 5);
    harness_close(&harness);
    open(&harness, "signals: [value], state: {max_keys: 5, on_full: fail}");
    enum mr_status status = MR_OK;
    for (int64_t block = 0; block < 6; block++) {
        struct harness_row row = point(block, "a", 8 * (double)block, 0, 5, mr_value_double(1));
        struct mr_error error = {0};
        assert_int_equal(status, MR_OK);
        status = harness_try_feed(&harness, 0, &row, 1, &error);
    }
    assert_int_equal(status, MR_LIMIT);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pieces_fit),
        cmocka_unit_test(a_full_block),
        cmocka_unit_test(blocks_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
