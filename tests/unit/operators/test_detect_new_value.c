/* tests/unit/operators/test_detect_new_value.c — detect.new_value. How values are remembered has
 * its own test (test_known_values.c). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static int64_t offset;

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.new_value, from: in, key: [k], field: value, "
             "warmup: 20%s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
    offset = 0;
}

static void feed(struct harness *harness, struct mr_value value)
{
    struct harness_row row = harness_row(++offset, "one", value);
    row.event_time_ms = offset * 1000;
    harness_feed(harness, 0, &row, 1);
}

static void feed_text(struct harness *harness, const char *text)
{
    feed(harness, mr_value_string(mr_slice_text(text)));
}

static void feed_known(struct harness *harness, int rounds)
{
    static const char *const countries[] = {"SE", "DE", "FR"};
    for (int round = 0; round < rounds; round++)
        feed_text(harness, countries[offset % 3]);
}

static double member(const struct harness *harness, const char *name)
{
    return harness_member(harness, name).number;
}

static void a_first_value_is_told_once(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    feed_known(&harness, 150);
    assert_true(member(&harness, "score") == 0 && member(&harness, "p_value") == 1);
    assert_false(harness_member(&harness, "is_new").boolean);
    uint64_t before = harness.emitted_count[1];
    feed_text(&harness, "BR");
    assert_true(harness_member(&harness, "is_new").boolean);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_true(fabs(member(&harness, "score") - log10(151)) < 1e-12);
    assert_true(member(&harness, "p_value") == 1.0 / 151);
    assert_int_equal(harness_member(&harness, "values").integer, 3);
    assert_int_equal(harness_member(&harness, "count").integer, 150);
    assert_int_equal(harness.emitted_count[1], before + 1);
    assert_non_null(strstr(harness_output(&harness, 1), "\"BR\", which none of 150 earlier"));
    feed_text(&harness, "BR");
    assert_true(member(&harness, "score") == 0);
    assert_int_equal(harness.emitted_count[1], before + 1);
    harness_close(&harness);
}

static void a_field_that_is_ever_new_scores_low(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", max_values: 1000");
    for (int64_t id = 0; id < 300; id++)
        feed(&harness, mr_value_int(id));
    assert_true(member(&harness, "score") == 0 && member(&harness, "p_value") == 1);
    assert_true(harness_member(&harness, "is_new").boolean);
    assert_int_equal(harness.emitted_count[1], 0);
    harness_close(&harness);
}

static void nothing_is_judged_before_the_warmup(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", threshold: 0");
    feed_known(&harness, 19);
    feed_text(&harness, "BR");
    assert_true(member(&harness, "score") == 0);
    assert_text(harness_member(&harness, "state"), "learning");
    feed_text(&harness, "AR");
    assert_true(member(&harness, "score") > 0 && harness_member(&harness, "is_anomaly").boolean);
    harness_close(&harness);
}

/* Texts count: 7 and "7" are one value, true and "true" as well. */
static void kinds_of_values(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", on_missing: flag");
    for (int round = 0; round < 15; round++) {
        feed(&harness, mr_value_int(7));
        feed(&harness, mr_value_bool(true));
    }
    feed_text(&harness, "7");
    assert_false(harness_member(&harness, "is_new").boolean);
    feed_text(&harness, "true");
    assert_false(harness_member(&harness, "is_new").boolean);
    feed(&harness, mr_value_bool(false));
    assert_true(harness_member(&harness, "is_new").boolean);
    feed_text(&harness, "");
    assert_true(harness_member(&harness, "is_new").boolean);
    feed(&harness, mr_value_null());
    assert_text(harness_member(&harness, "state"), "starved");
    struct mr_value list = {.kind = MR_KIND_LIST};
    feed(&harness, list);
    assert_int_equal(harness.errors_count, 1);
    assert_non_null(strstr(harness_errors(&harness), "not a plain value"));
    harness_close(&harness);
}

static void a_value_is_forgotten(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", forget_after: 1h");
    feed_text(&harness, "BR");
    feed_known(&harness, 3600);
    feed_text(&harness, "BR");
    assert_true(harness_member(&harness, "is_new").boolean);
    feed_known(&harness, 3598);
    feed_text(&harness, "BR");
    assert_false(harness_member(&harness, "is_new").boolean);
    harness_close(&harness);
}

static void a_restart_changes_nothing(void **state)
{
    MR_UNUSED(state);
    double scores[2];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, ", max_values: 7");
        for (int64_t id = 0; id < 300; id++) {
            feed(&harness, mr_value_int(id * id % 23 % 9));
            if (turn == 1 && id % 40 == 20) {
                harness_commit(&harness);
                harness_restore(&harness);
            }
        }
        feed_text(&harness, "new");
        scores[turn] = member(&harness, "score");
        harness_close(&harness);
    }
    assert_true(scores[0] == scores[1] && scores[0] > 0);
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    feed_known(&harness, 25);
    feed_text(&harness, "BR");
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_new_value_v1");
    harness_close(&harness);
    open(&harness, "");
    harness_load_golden(&harness, "detect_new_value_v1");
    feed_text(&harness, "AR");
    assert_int_equal(harness_member(&harness, "count").integer, 26);
    assert_int_equal(harness_member(&harness, "values").integer, 4);
    assert_true(member(&harness, "p_value") == 2.0 / 27);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_first_value_is_told_once),
        cmocka_unit_test(a_field_that_is_ever_new_scores_low),
        cmocka_unit_test(nothing_is_judged_before_the_warmup),
        cmocka_unit_test(kinds_of_values),
        cmocka_unit_test(a_value_is_forgotten),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(stored_bytes_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
