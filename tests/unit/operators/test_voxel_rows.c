/* tests/unit/operators/test_voxel_rows.c — more rows than a batch holds, and the statistics. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/voxel_rows.h"
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

enum { SIDE = 70, BATCH = 1000 };

/* Each voxel of a layer, told at one watermark: several batches, in whole and in parts. */
static void many_rows_of_one_call(void **state)
{
    MR_UNUSED(state);
    static struct harness_row rows[BATCH];
    for (int parts = 0; parts < 2; parts++) {
        struct harness harness;
        harness_open(&harness,
                     "    - {name: op, type: voxel.aggregate, from: in, key: [k], position: [px, "
                     "py, pz], signals: [value], bounds: [70, 70, 2], resolution: [1, 1, 1]}\n",
                     "    - {name: out, type: memory, from: op}\n"
                     "    - {name: boxes, type: memory, from: op.changed}\n",
                     "op");
        harness.in_parts = parts == 1;
        harness.crash_every = parts == 1 ? 7 : 0;
        uint32_t count = 0;
        for (int64_t voxel = 0; voxel < SIDE * SIDE; voxel++) {
            rows[count++] = point(voxel, "a", (double)(voxel % SIDE), (double)(voxel / SIDE), 1,
                                  mr_value_double((double)voxel));
            if (count < BATCH && voxel + 1 < SIDE * SIDE)
                continue;
            harness_feed(&harness, 0, rows, count);
            count = 0;
        }
        harness_commit(&harness);
        harness_watermark(&harness, 10000);
        assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_MAIN], SIDE * SIDE);
        assert_int_equal(harness.emitted_count[MR_VOXEL_OUTPUT_CHANGED], 81); /* of blocks */
        assert_true(parts == 0 || harness.parts_count > 3);
        harness_close(&harness);
    }
}

static void too_few_numbers_are_null(void **state)
{
    MR_UNUSED(state);
    static const char *const names[] = {"one", "none"};
    struct mr_voxel_cell cells[2] = {0};
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 12);
    mr_voxel_cell_add(&cells[0], 2.5, 7);
    struct mr_value value = mr_voxel_signals_value(&arena, names, cells, 2);
    assert_int_equal(value.size, 2);
    struct mr_value one = value.entries[0].value;
    struct mr_value none = value.entries[1].value;
    assert_int_equal(one.size, 9);
    assert_int_equal(none.size, 9);
    for (uint32_t member = 0; member < one.size; member++) {
        bool is_variance =
            mr_slice_equal(mr_value_text(one.entries[member].key), mr_slice_text("variance"));
        assert_int_equal(one.entries[member].value.kind == MR_KIND_NULL, is_variance);
        assert_int_equal(none.entries[member].value.kind == MR_KIND_NULL, member >= 2);
    }
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_rows_of_one_call),
        cmocka_unit_test(too_few_numbers_are_null),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
