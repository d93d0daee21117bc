/* tests/unit/operators/test_detect_nearest.c — detect.nearest: distances by hand, which points are
 * kept, stored bytes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.nearest, from: in, key: [k], field: value%s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
}

static void feed(struct harness *harness, double value)
{
    static int64_t offset;
    struct harness_row row = harness_row(++offset, "a", mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
}

static double member(const struct harness *harness, const char *name)
{
    return harness_member(harness, name).number;
}

static bool is_near(double found, double expected)
{
    return fabs(found - expected) < 1e-12 * (1 + fabs(expected));
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.nearest, from: in, key: [k], field: value, %s}\n",
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void the_score_is_the_distance_in_usual_ones(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, resolution: 0, decay: 0, threshold: 4");
    feed(&harness, 10);
    feed(&harness, 13); /* 3 away, nothing to compare with */
    assert_true(member(&harness, "score") == 0);
    feed(&harness, 9); /* 1 away; the root mean square of 3 */
    assert_true(member(&harness, "distance") == 1);
    assert_true(member(&harness, "scale") == 3);
    assert_true(is_near(member(&harness, "score"), 1.0 / 3));
    feed(&harness, 40); /* 27 away; of 3 and 1 */
    assert_true(member(&harness, "distance") == 27);
    assert_true(is_near(member(&harness, "scale"), sqrt(5)));
    assert_true(is_near(member(&harness, "score"), 27 / sqrt(5)));
    assert_text(harness_member(&harness, "severity"), "critical");
    assert_int_equal(harness_member(&harness, "points").integer, 3);
    feed(&harness, 40); /* it is no longer new */
    assert_true(member(&harness, "score") == 0);
    assert_int_equal(harness_member(&harness, "points").integer, 4);
    feed(&harness, 11.5);
    assert_int_equal(harness_member(&harness, "points").integer, 4);
    assert_int_equal(harness_member(&harness, "count").integer, 5);
    harness_close(&harness);
}

static void near_points_are_not_kept(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, resolution: 0.5, decay: 0");
    feed(&harness, 0);
    feed(&harness, 8); /* usual: 8 */
    feed(&harness, 4); /* 4 away, not above half of 8 */
    feed(&harness, 4);
    assert_true(member(&harness, "distance") == 4);
    assert_int_equal(harness_member(&harness, "points").integer, 2);
    harness_close(&harness);
}

static void the_first_point_leaves_a_full_collection(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, resolution: 0, points: 2");
    feed(&harness, 0);
    feed(&harness, 100);
    feed(&harness, 200);
    feed(&harness, 0);
    assert_true(member(&harness, "distance") == 100);
    assert_int_equal(harness_member(&harness, "points").integer, 2);
    harness_close(&harness);
}

static void a_shingle_finds_sequences(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 4, resolution: 0.1, shingle: 2");
    for (int round = 0; round < 400; round++)
        feed(&harness, round % 2 == 0 ? 10 : 20 + round % 3);
    assert_true(member(&harness, "score") < 1);
    feed(&harness, 10);
    feed(&harness, 10); /* (10, 10) is 10 away from (10, 20) */
    assert_true(is_near(member(&harness, "distance"), 10));
    assert_true(member(&harness, "score") > 4);
    harness_close(&harness);
}

static void a_decay_forgets_a_huge_distance(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, decay: 0.5");
    feed(&harness, 0);
    feed(&harness, 1e9);
    for (int round = 0; round < 100; round++)
        feed(&harness, 0);
    feed(&harness, 1);
    assert_true(is_near(member(&harness, "scale"), 1e9 * pow(0.5, 50)));
    harness_close(&harness);
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("points: 4000, shingle: 5", "take at most 3200 points"));
    assert_true(refused("shingle: 33", "shingle"));
    assert_true(refused("suppress: {count: 1, time: 1s}", "suppress"));
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 2, resolution: 0, points: 11, shingle: 3");
    for (int round = 0; round < 16; round++)
        feed(&harness, (round * 7) % 16);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_nearest_v1");
    feed(&harness, 3);
    double distance = member(&harness, "distance");
    double score = member(&harness, "score");
    assert_true(distance > 0 && score > 0);
    harness_close(&harness);
    open(&harness, ", warmup: 2, resolution: 0, points: 11, shingle: 3");
    harness_load_golden(&harness, "detect_nearest_v1");
    feed(&harness, 3);
    assert_true(member(&harness, "distance") == distance);
    assert_true(member(&harness, "score") == score);
    harness_close(&harness);
}

static void another_shape_is_refused(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", points: 11, shingle: 32");
    harness_load_golden(&harness, "detect_nearest_v1");
    struct harness_row row = harness_row(1, "a", mr_value_double(1));
    struct mr_error error;
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
    assert_non_null(strstr(error.message, "made with another `"));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_score_is_the_distance_in_usual_ones),
        cmocka_unit_test(near_points_are_not_kept),
        cmocka_unit_test(the_first_point_leaves_a_full_collection),
        cmocka_unit_test(a_shingle_finds_sequences),
        cmocka_unit_test(a_decay_forgets_a_huge_distance),
        cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(another_shape_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
