/* tests/unit/operators/test_detector_rows.c — cells of own members, and many alerts of a batch. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/detector_rows.h"
#include "tests/support/operator_harness.h"

static void own_members_are_finite_or_null(void **state)
{
    MR_UNUSED(state);
    static const struct mr_output_field fields[] = {
        MR_DETECTOR_MEMBERS("What it is."), {"d", MR_TYPE_DOUBLE, "."}, {"i", MR_TYPE_INT, "."},
        {"b", MR_TYPE_BOOL, "."},           {"s", MR_TYPE_STRING, "."},
    };
    static const char *const texts[] = {"zero", "one"};
    const struct mr_type_spec spec = {.added_fields = fields,
                                      .added_fields_count = MR_ARRAY_COUNT(fields)};
    const struct mr_plan_node node = {.type = &spec};
    const struct mr_detector_type type = {.own_texts = {[3] = texts}};
    const struct mr_detector detector = {
        .node = &node,
        .type = &type,
        .own_types = {MR_TYPE_DOUBLE, MR_TYPE_INT, MR_TYPE_BOOL, MR_TYPE_STRING}};
    for (uint32_t own = 0; own < 4; own++)
        assert_int_equal(mr_detector_rows_own(&detector, own, (double)NAN).kind, MR_KIND_NULL);
    assert_true(mr_detector_rows_own(&detector, 0, 2.5).number == 2.5);
    assert_true(mr_detector_rows_own(&detector, 0, (double)INFINITY).number == DBL_MAX);
    assert_true(mr_detector_rows_own(&detector, 0, -(double)INFINITY).number == -DBL_MAX);
    assert_int_equal(mr_detector_rows_own(&detector, 1, -7).integer, -7);
    assert_true(mr_detector_rows_own(&detector, 1, 1e300).integer == INT64_MAX);
    assert_true(mr_detector_rows_own(&detector, 1, -1e300).integer == INT64_MIN);
    assert_true(mr_detector_rows_own(&detector, 2, 1).boolean);
    assert_text(mr_detector_rows_own(&detector, 3, 1), "one");
}

static void every_row_of_a_full_batch_may_be_an_anomaly(void **state)
{
    MR_UNUSED(state);
    static struct harness_row rows[MR_LIMIT_BATCH_ROWS];
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: detect.threshold, from: in, field: value, above: 1}\n",
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness.keeps_last = true;
    for (uint32_t index = 0; index < MR_LIMIT_BATCH_ROWS; index++)
        rows[index] = harness_row(index, "a", mr_value_double(2 + index));
    harness_feed(&harness, 0, rows, MR_LIMIT_BATCH_ROWS);
    assert_int_equal(harness.emitted_count[0], MR_LIMIT_BATCH_ROWS);
    assert_int_equal(harness.emitted_count[1], MR_LIMIT_BATCH_ROWS);
    assert_true(harness_field(&harness, 1, "metric_value").number == MR_LIMIT_BATCH_ROWS + 1.0);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(own_members_are_finite_or_null),
        cmocka_unit_test(every_row_of_a_full_batch_may_be_an_anomaly),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
