/* tests/unit/operators/test_detect_rare_value.c — detect.rare_value. How values are remembered has
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
             "    - {name: op, type: detect.rare_value, from: in, key: [k], field: value, "
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

static void a_rare_value_is_told(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    feed_text(&harness, "BR");
    feed_known(&harness, 299);
    assert_true(member(&harness, "score") < 1);
    uint64_t before = harness.emitted_count[1];
    feed_text(&harness, "BR");
    assert_true(fabs(member(&harness, "score") - log10(301.0 / 2)) < 1e-12);
    assert_true(member(&harness, "p_value") == 2.0 / 301);
    assert_true(member(&harness, "share") == 1.0 / 300);
    assert_int_equal(harness_member(&harness, "values").integer, 4);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_int_equal(harness.emitted_count[1], before + 1);
    assert_non_null(strstr(harness_output(&harness, 1), "\"BR\", the value of 0.333 %"));
    feed_text(&harness, "AR"); /* a new one is as rare as it gets */
    assert_true(member(&harness, "p_value") == 1.0 / 302);
    harness_close(&harness);
}

/* Many values of one record each: none of them stands out, a second record of one is a rarity. */
static void equally_rare_values_score_nothing(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", max_values: 1000");
    for (int64_t id = 0; id < 200; id++)
        feed(&harness, mr_value_int(id));
    assert_true(member(&harness, "score") == 0 && member(&harness, "p_value") == 1);
    assert_int_equal(harness.emitted_count[1], 0);
    harness_close(&harness);
}

/* With decay a value that was frequent once becomes rare; without it does not. */
static void what_was_frequent_becomes_rare(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {"", ", decay: 0.02"};
    for (int way = 0; way < 2; way++) {
        struct harness harness;
        open(&harness, options[way]);
        for (int round = 0; round < 400; round++)
            feed_text(&harness, "old");
        feed_known(&harness, 600);
        feed_text(&harness, "old");
        double share = member(&harness, "share");
        assert_true(way == 0 ? share == 0.4 : share < 1e-4);
        assert_true(way == 0 ? member(&harness, "score") == 0 : member(&harness, "score") > 1.5);
        harness_close(&harness);
    }
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
    assert_true(member(&harness, "score") > 0.9);
    harness_close(&harness);
}

static void a_restart_changes_nothing(void **state)
{
    MR_UNUSED(state);
    double scores[2];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, ", max_values: 7, decay: 0.05");
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
    harness_check_golden(&harness, "detect_rare_value_v1");
    harness_close(&harness);
    open(&harness, "");
    harness_load_golden(&harness, "detect_rare_value_v1");
    feed_text(&harness, "AR");
    assert_int_equal(harness_member(&harness, "count").integer, 26);
    assert_int_equal(harness_member(&harness, "values").integer, 4);
    assert_true(member(&harness, "p_value") == 2.0 / 27);
    assert_true(member(&harness, "share") == 0);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rare_value_is_told),
        cmocka_unit_test(equally_rare_values_score_nothing),
        cmocka_unit_test(what_was_frequent_becomes_rare),
        cmocka_unit_test(nothing_is_judged_before_the_warmup),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(stored_bytes_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
