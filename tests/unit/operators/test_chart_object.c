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
#include "base/limits.h"

enum { SAMPLE_NUMBERS = 2, BASELINE_NUMBERS = 3, NUMBERS = SAMPLE_NUMBERS + BASELINE_NUMBERS };

struct entry {
    struct mr_detector_stage stage;
    _Alignas(double) uint8_t chart[sizeof(struct mr_chart_object) + NUMBERS * sizeof(double)];
};

static struct entry example(void)
{
    struct entry entry = {.stage = {.seen = 77, .flags = MR_STAGE_FROZEN, .frozen_until_ms = 5}};
    *mr_chart_object_of(&entry) =
        (struct mr_chart_object){.flags = MR_CHART_HAS_BASELINE | MR_CHART_HAS_PREVIOUS,
                                 .group_size = 2,
                                 .kept = 25,
                                 .excluded = 3,
                                 .baseline = {1.5, 2.5, 3.5, 4.5},
                                 .history = {.marks = {1, 2, 3}, .count = 3, .last = 9.25},
                                 .previous = -1,
                                 .sample = {4, 1, 2, -3, 5, 100, 200, 0},
                                 .group = "ab"};
    return entry;
}

/* As of kinds whose samples have numbers. */
static struct entry example_of_numbers(void)
{
    struct entry entry = example();
    struct mr_chart_object *chart = mr_chart_object_of(&entry);
    chart->sample_numbers = SAMPLE_NUMBERS;
    chart->baseline_numbers = BASELINE_NUMBERS;
    for (int index = 0; index < NUMBERS; index++)
        chart->numbers[index] = index + 0.25;
    return entry;
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
    assert_ptr_equal(mr_chart_object_of(&given), given.chart);
    /* Nothing but the heads of an empty one. */
    struct entry empty = {0};
    assert_int_equal(mr_chart_object_encode(&empty, bytes), MR_STAGE_BYTES_MIN + 9);
}

/* Numbers of a sample and of the baseline are stored where these are. */
static void numbers_come_back(void **state)
{
    MR_UNUSED(state);
    uint8_t
        bytes[MR_STAGE_BYTES_MAX + MR_CHART_BYTES_MAX + MR_CHART_NUMBERS_HEAD_BYTES + 8 * NUMBERS];
    uint32_t version = MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION);
    struct entry plain = example();
    struct entry given = example_of_numbers();
    struct entry found = {0};
    size_t plain_size = mr_chart_object_encode(&plain, bytes);
    size_t size = mr_chart_object_encode(&given, bytes);
    assert_int_equal(size, plain_size + MR_CHART_NUMBERS_HEAD_BYTES + 8 * NUMBERS);
    assert_true(mr_chart_object_decode(&found, version, mr_slice_from(bytes, size)));
    found.stage.is_loaded = false;
    assert_memory_equal(&found, &given, sizeof(given));
    for (size_t cut = plain_size; cut < size; cut++)
        assert_false(mr_chart_object_decode(&found, version, mr_slice_from(bytes, cut)));
    mr_chart_object_of(&given)->sample.count = 0;
    size = mr_chart_object_encode(&given, bytes);
    assert_int_equal(size, plain_size - MR_CHART_SAMPLE_BYTES + MR_CHART_NUMBERS_HEAD_BYTES +
                               8 * BASELINE_NUMBERS);
    memset(&found, 0, sizeof(found));
    assert_true(mr_chart_object_decode(&found, version, mr_slice_from(bytes, size)));
    assert_true(mr_chart_object_of(&found)->numbers[0] == 0);
    assert_true(mr_chart_baseline_numbers(mr_chart_object_of(&found))[2] == 4.25);
}

static void windows_come_back(void **state)
{
    MR_UNUSED(state);
    static uint64_t given_room[32];
    static uint64_t found_room[32];
    uint8_t bytes[MR_CHART_SAMPLE_BYTES + 8 * NUMBERS];
    uint32_t version = MR_DETECTOR_STATE_VERSION(MR_CHART_VERSION);
    struct mr_chart_window *given = (void *)given_room;
    struct mr_chart_window *found = (void *)found_room;
    for (given->numbers_count = 0; given->numbers_count <= NUMBERS; given->numbers_count += 5) {
        given->sample = (struct mr_chart_sample){4, 1, 2, -3, 5, 100, 200, 0};
        for (uint32_t index = 0; index < given->numbers_count; index++)
            given->numbers[index] = index + 0.5;
        size_t size = mr_chart_window_encode(given, bytes);
        assert_int_equal(size, MR_CHART_SAMPLE_BYTES + 8 * given->numbers_count);
        assert_true(mr_chart_window_decode(found, version, mr_slice_from(bytes, size)));
        assert_memory_equal(found_room, given_room, sizeof(given_room));
        assert_false(mr_chart_window_decode(found, version, mr_slice_from(bytes, size - 1)));
        assert_false(mr_chart_window_decode(found, version + 1, mr_slice_from(bytes, size)));
    }
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
    mr_chart_object_of(&given)->history.count = MR_RULE_POINTS_MAX;
    size = mr_chart_object_encode(&given, bytes);
    /* The count of the history, behind stage, head and baseline. */
    bytes[MR_STAGE_BYTES_MIN + 8 + 9 + 32] = MR_RULE_POINTS_MAX + 1;
    assert_false(mr_chart_object_decode(&found, version, mr_slice_from(bytes, size)));
}

static void numbers_of_a_slot(void **state)
{
    MR_UNUSED(state);
    static uint8_t slot[MR_LIMIT_STATE_SLOT_BYTES];
    const struct mr_chart_counts_of few = {.kept = 3};
    const struct mr_chart_counts_of many = {.kept = 153};
    const double given[] = {1.5, -2, 1e140};
    double found[3];
    assert_int_equal(mr_chart_slot_points(&(struct mr_chart_counts_of){0}), MR_CHART_SLOT_POINTS);
    assert_int_equal(mr_chart_slot_points(&few), MR_CHART_SLOT_POINTS);
    assert_int_equal(mr_chart_slot_points(&many), 3);
    assert_int_equal(mr_chart_point_bytes(&many), 1224);
    mr_chart_slot_put_numbers(slot, 31, 3, given);
    mr_chart_slot_get_numbers(slot, 31, 3, found);
    assert_memory_equal(found, given, sizeof(given));
    mr_chart_slot_get_numbers(slot, 30, 3, found);
    assert_true(found[2] == 0);
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
        cmocka_unit_test(everything_comes_back), cmocka_unit_test(numbers_come_back),
        cmocka_unit_test(windows_come_back),     cmocka_unit_test(broken_bytes_are_refused),
        cmocka_unit_test(points_of_a_slot),      cmocka_unit_test(numbers_of_a_slot),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
