/* tests/unit/operators/test_chart_object.c — stored bytes of a chart. */
#include "operators/chart_object.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

struct entry {
    struct mr_detector_stage stage;
    struct mr_chart_object chart;
};

static struct entry example(void)
{
    return (struct entry){.stage = {.seen = 77, .flags = MR_STAGE_FROZEN, .frozen_until_ms = 5},
                          .chart = {.flags = MR_CHART_HAS_BASELINE | MR_CHART_HAS_PREVIOUS,
                                    .group_size = 2,
                                    .kept = 25,
                                    .excluded = 3,
                                    .baseline = {1.5, 2.5, 3.5, 4.5},
                                    .history = {.marks = {1, 2, 3}, .count = 3, .last = 9.25},
                                    .previous = -1,
                                    .sample = {4, 1, 2, -3, 5, 100, 200},
                                    .group = "ab"}};
}

static void everything_comes_back(void **state)
{
    MR_UNUSED(state);
    uint8_t bytes[MR_STAGE_BYTES_MAX + MR_CHART_BYTES_MAX];
    struct entry given = example();
    struct entry found = {0};
    size_t size = mr_chart_object_encode(&given, bytes);
    assert_true(size <= sizeof(bytes));
    assert_true(mr_chart_object_decode(&found, MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION),
                                       mr_slice_from(bytes, size)));
    found.stage.is_loaded = false;
    assert_memory_equal(&found, &given, sizeof(given));
    assert_ptr_equal(mr_chart_object_of(&given), &given.chart);
    /* Nothing but the heads of an empty one. */
    struct entry empty = {0};
    assert_int_equal(mr_chart_object_encode(&empty, bytes), MR_STAGE_BYTES_MIN + 9);
}

static void broken_bytes_are_refused(void **state)
{
    MR_UNUSED(state);
    uint8_t bytes[MR_STAGE_BYTES_MAX + MR_CHART_BYTES_MAX + 1];
    uint32_t version = MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION);
    struct entry given = example();
    struct entry found = {0};
    size_t size = mr_chart_object_encode(&given, bytes);
    for (size_t cut = 0; cut < size; cut++)
        assert_false(mr_chart_object_decode(&found, version, mr_slice_from(bytes, cut)));
    assert_false(mr_chart_object_decode(&found, version, mr_slice_from(bytes, size + 1)));
    assert_false(mr_chart_object_decode(&found, version + 1, mr_slice_from(bytes, size)));
    given.chart.history.count = MR_RULE_POINTS_MAX;
    size = mr_chart_object_encode(&given, bytes);
    /* The count of the history, behind stage, head and baseline. */
    bytes[MR_STAGE_BYTES_MIN + 8 + 9 + 32] = MR_RULE_POINTS_MAX + 1;
    assert_false(mr_chart_object_decode(&found, version, mr_slice_from(bytes, size)));
}

static void points_of_a_slot(void **state)
{
    MR_UNUSED(state);
    uint8_t slot[MR_CHART_SLOT_BYTES] = {0};
    const struct mr_chart_measure given = {1, 2, 3, (double)NAN};
    mr_chart_slot_put(slot, MR_CHART_SLOT_POINTS - 1, &given);
    struct mr_chart_measure found = mr_chart_slot_get(slot, MR_CHART_SLOT_POINTS - 1);
    assert_true(found.location == 1 && found.weight == 2 && found.sigma == 3);
    assert_true(isnan(found.spread));
    assert_true(mr_chart_slot_get(slot, 0).weight == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_comes_back),
        cmocka_unit_test(broken_bytes_are_refused),
        cmocka_unit_test(points_of_a_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
