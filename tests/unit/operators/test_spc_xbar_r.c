/* tests/unit/operators/test_spc_xbar_r.c — the piston rings, beside scipy and numpy
 * (tests/support/control_reference.py has the constants). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"
#include "tests/support/piston_rings.h"

static double number(const struct harness *harness, const char *name)
{
    return harness_field(harness, 0, name).number;
}

/* Phase 1 on 25 samples; of the 15 behind them 37 to 39 are beyond the limits. */
static void the_piston_rings(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: spc.xbar_r, from: in, key: [k], field: value, "
                 "subgroup: {count: 5}}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    harness.keeps_last = true;
    for (int index = 0; index < PISTON_RINGS_SAMPLES * PISTON_RINGS_SIZE; index++) {
        struct harness_row row = harness_row(index, "a", mr_value_double(piston_rings[index]));
        harness_feed(&harness, 0, &row, 1);
        int sample = index / PISTON_RINGS_SIZE + 1;
        if (index % PISTON_RINGS_SIZE != PISTON_RINGS_SIZE - 1)
            continue;
        assert_int_equal(harness.emitted_count[0], sample);
        assert_int_equal(harness_field(&harness, 0, "point").integer, sample);
        assert_text(harness_field(&harness, 0, "state"), sample <= 25 ? "learning" : "armed");
        assert_int_equal(harness_field(&harness, 0, "is_anomaly").boolean,
                         sample >= 37 && sample <= 39);
    }
    assert_true(fabs(number(&harness, "center") - 74.001176) < 1e-9);
    assert_true(fabs(number(&harness, "lower") - 73.98804759195622) < 1e-9);
    assert_true(fabs(number(&harness, "upper") - 74.01430440804378) < 1e-9);
    assert_true(fabs(number(&harness, "spread_center") - 0.022760000000000103) < 1e-9);
    assert_true(number(&harness, "spread_lower") == 0);
    assert_true(fabs(number(&harness, "spread_upper") - 0.048126000542302365) < 1e-9);
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
}

/* Limits are those of the subgroup's own size. */
static void sizes_may_differ(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: spc.xbar_r, from: in, key: [k], field: value, "
                 "subgroup: {field: batch}, limits: {cl: 10, sigma: 2}}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    harness.keeps_last = true;
    static const int sizes[] = {4, 16, 1};
    int64_t offset = 0;
    for (int batch = 0; batch < 3; batch++)
        for (int index = 0; index < sizes[batch]; index++) {
            struct harness_row row = {.offset = ++offset,
                                      .event_time_ms = offset,
                                      .cells = {{"k", mr_value_string(mr_slice_text("a"))},
                                                {"value", mr_value_double(9 + index % 2 * 2)},
                                                {"batch", mr_value_int(batch)}}};
            harness_feed(&harness, 0, &row, 1);
            if (harness.emitted_count[0] == 0 || index > 0)
                continue;
            double reach = batch == 1 ? 3 : 1.5;
            assert_true(number(&harness, "lower") == 10 - reach);
            assert_true(number(&harness, "upper") == 10 + reach);
            assert_int_equal(harness_field(&harness, 0, "size").integer, batch == 1 ? 4 : 16);
            assert_true(number(&harness, "subgroup") == batch - 1);
        }
    assert_int_equal(harness.emitted_count[0], 2);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_piston_rings),
        cmocka_unit_test(sizes_may_differ),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
