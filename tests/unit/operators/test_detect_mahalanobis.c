/* tests/unit/operators/test_detect_mahalanobis.c — detect.mahalanobis: several numbers and how they
 * belong together. The mathematics has its own test (test_covariance.c). */
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
             "    - {name: op, type: detect.mahalanobis, from: in, key: [k], fields: [a, b], "
             "warmup: 5%s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
    offset = 0;
}

static void feed(struct harness *harness, double a, double b)
{
    struct harness_row row = {.offset = ++offset,
                              .event_time_ms = offset,
                              .cells = {{"k", mr_value_string(mr_slice_text("one"))},
                                        {"a", mr_value_double(a)},
                                        {"b", mr_value_double(b)}}};
    harness_feed(harness, 0, &row, 1);
}

static double member(const struct harness *harness, const char *name)
{
    return harness_member(harness, name).number;
}

/* b is about twice a. */
static void feed_line(struct harness *harness, int rounds)
{
    struct mr_random random;
    mr_random_init(&random, 3, 0);
    for (int round = 0; round < rounds; round++) {
        double a = mr_random_normal(&random);
        feed(harness, 10 + a, 20 + 2 * a + 0.1 * mr_random_normal(&random));
    }
}

static void a_pair_that_does_not_belong_together(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    feed_line(&harness, 300);
    uint64_t before = harness.emitted_count[1];
    feed(&harness, 12, 24);
    assert_true(member(&harness, "score") < 3 && member(&harness, "p_value") > 0.01);
    assert_int_equal(harness.emitted_count[1], before);
    feed(&harness, 11, 18); /* each of them is one standard deviation off */
    assert_true(member(&harness, "score") > 10 && member(&harness, "p_value") < 1e-9);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_int_equal(harness.emitted_count[1], before + 1);
    double score = member(&harness, "score");
    assert_true(fabs(score * score - member(&harness, "squared")) < 1e-9 * score * score);
    struct mr_value shares = harness_member(&harness, "contributions");
    assert_int_equal(shares.size, 2);
    double total = shares.entries[0].value.number + shares.entries[1].value.number;
    assert_true(fabs(total - score) < 1e-9 * score);
    harness_close(&harness);
}

static void nothing_is_judged_before_the_warmup(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    for (int round = 0; round < 5; round++) {
        feed(&harness, round == 4 ? 1e6 : round, -round);
        assert_true(member(&harness, "score") == 0);
    }
    feed(&harness, 1, 1e9);
    assert_true(member(&harness, "score") > 6);
    harness_close(&harness);
}

static void decay_forgets(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {"", ", decay: 0.05"};
    double scores[2];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, options[turn]);
        feed(&harness, 1e7, -1e7);
        feed_line(&harness, 1000);
        feed(&harness, 11, 18);
        scores[turn] = member(&harness, "score");
        harness_close(&harness);
    }
    assert_true(scores[0] < 2 && scores[1] > 4);
}

/* Restored in the middle, all bits are those of an undisturbed run. */
static void a_restart_changes_nothing(void **state)
{
    MR_UNUSED(state);
    double scores[2];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, ", decay: 0.01");
        feed_line(&harness, 50);
        if (turn == 1) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
        feed_line(&harness, 20);
        scores[turn] = member(&harness, "score");
        harness_close(&harness);
    }
    assert_true(scores[0] == scores[1] && scores[0] > 0);
}

/* The moments of 33 fields lie in two slots; the last field tells. */
static void many_fields(void **state)
{
    MR_UNUSED(state);
    enum { FIELDS = 33 };
    static char names[FIELDS][16];
    char text[512] = "    - {name: op, type: detect.mahalanobis, from: in, key: [k], fields: [";
    for (int field = 0; field < FIELDS; field++) {
        snprintf(names[field], sizeof(names[field]), "f%d", field);
        strcat(strcat(text, field > 0 ? ", " : ""), names[field]);
    }
    strcat(text, "]}\n");
    struct harness harness;
    harness_open(&harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    harness.keeps_last = true;
    struct mr_random random;
    mr_random_init(&random, 3, 0);
    for (int round = 0; round < 200; round++) {
        struct harness_row row = {.offset = round, .event_time_ms = round};
        row.cells[0] = (struct harness_cell){"k", mr_value_string(mr_slice_text("one"))};
        for (int field = 0; field < FIELDS; field++)
            row.cells[1 + field] = (struct harness_cell){
                names[field],
                mr_value_double(round < 199 || field < FIELDS - 1 ? mr_random_normal(&random)
                                                                  : 20)};
        harness_feed(&harness, 0, &row, 1);
        if (round % 50 == 49) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
    }
    assert_true(member(&harness, "score") > 15);
    struct mr_value shares = harness_member(&harness, "contributions");
    assert_int_equal(shares.size, FIELDS);
    assert_true(shares.entries[FIELDS - 1].value.number > 0.8 * member(&harness, "score"));
    harness_close(&harness);
}

static double score_after(const char *golden)
{
    struct harness harness;
    open(&harness, "");
    harness_load_golden(&harness, golden);
    feed(&harness, 10, 20);
    double score = member(&harness, "score");
    assert_int_equal(harness_member(&harness, "count").integer, 20);
    feed(&harness, 11, 20);
    harness_commit(&harness);
    harness_restore(&harness); /* what was in slots is in the object now */
    feed(&harness, 10, 20);
    assert_int_equal(harness_member(&harness, "count").integer, 22);
    score += member(&harness, "score");
    harness_close(&harness);
    return score;
}

/* Version 1 has the moments in slots. */
static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    feed_line(&harness, 20);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_mahalanobis_v2");
    feed(&harness, 10, 20);
    double expected = member(&harness, "score");
    feed(&harness, 11, 20);
    feed(&harness, 10, 20);
    expected += member(&harness, "score");
    harness_close(&harness);
    assert_true(expected > 0);
    assert_true(score_after("detect_mahalanobis_v2") == expected);
    assert_true(score_after("detect_mahalanobis_v1") == expected);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_that_does_not_belong_together),
        cmocka_unit_test(nothing_is_judged_before_the_warmup),
        cmocka_unit_test(decay_forgets),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(many_fields),
        cmocka_unit_test(stored_bytes_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
