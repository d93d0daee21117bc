/* tests/unit/operators/test_detect_ensemble.c — detect.ensemble: several scores made into one. The
 * surprise of a score has its own test (test_score_history.c). */
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
             "    - {name: op, type: detect.ensemble, from: in, key: [k], fields: [a, b, c], "
             "warmup: 20, window: {count: 100}%s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
    offset = 0;
}

static void feed(struct harness *harness, double a, double b, double c)
{
    struct harness_row row = {.offset = ++offset,
                              .event_time_ms = offset,
                              .cells = {{"k", mr_value_string(mr_slice_text("one"))},
                                        {"a", mr_value_double(a)},
                                        {"b", mr_value_double(b)},
                                        {"c", mr_value_double(c)}}};
    harness_feed(harness, 0, &row, 1);
}

static double member(const struct harness *harness, const char *name)
{
    return harness_member(harness, name).number;
}

static void feed_noise(struct harness *harness, int rounds)
{
    struct mr_random random;
    mr_random_init(&random, 3, (uint64_t)offset);
    for (int round = 0; round < rounds; round++)
        feed(harness, fabs(mr_random_normal(&random)), 1e6 * mr_random_double(&random),
             1e-3 * mr_random_double(&random));
}

static void assert_near(double found, double expected)
{
    assert_true(fabs(found - expected) <= 1e-12 * fabs(expected));
}

/* 99 records with scores 1 to 99; then p is known. */
static void three_ways_to_combine(void **state)
{
    MR_UNUSED(state);
    static const char *const names[] = {"mean", "max", "rank"};
    const double first = log10(100.0 / 2);   /* of a = 99 */
    const double second = log10(100.0 / 50); /* of b = 51 */
    const double third = log10(100.0 / 11);  /* of c = 90 */
    const double mean_p = (2 + 50 + 11) / 300.0;
    const double scores[] = {(first + second + third) / 3, first, -log10(mean_p)};
    const double p_values[] = {2.71828182845904523536 * pow(10, -scores[0]), 3 * 0.02, 2 * mean_p};
    for (int way = 0; way < 3; way++) {
        struct harness harness;
        char options[64];
        snprintf(options, sizeof(options), ", members: conformal, combine: %s", names[way]);
        open(&harness, options);
        for (int round = 0; round < 99; round++)
            feed(&harness, 1 + round, 1 + round * 10 % 99, 1 + round * 7 % 99);
        feed(&harness, 99, 51, 90);
        assert_near(member(&harness, "score"), scores[way]);
        assert_near(member(&harness, "p_value"), p_values[way] < 1 ? p_values[way] : 1);
        for (int other = 0; other < 3; other++)
            assert_near(member(&harness, names[other]), scores[other]);
        assert_int_equal(harness_member(&harness, "count").integer, 99);
        harness_close(&harness);
    }
}

static void units_do_not_matter(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", threshold: 2");
    feed_noise(&harness, 150);
    uint64_t before = harness.emitted_count[1];
    feed(&harness, 20, 3e7, 3e-2);
    double all = member(&harness, "score");
    assert_true(all > 3 && harness_member(&harness, "is_anomaly").boolean);
    assert_int_equal(harness.emitted_count[1], before + 1);
    struct mr_value shares = harness_member(&harness, "contributions");
    assert_int_equal(shares.size, 3);
    double sum = 0;
    for (uint32_t index = 0; index < 3; index++) {
        assert_true(shares.entries[index].value.number > 0.15 * all);
        sum += shares.entries[index].value.number;
    }
    assert_true(fabs(sum - all) < 1e-12 * all);
    feed(&harness, 20, 0, 0); /* one of them alone */
    assert_true(member(&harness, "score") < 0.5 * all);
    assert_true(member(&harness, "rank") < 0.5);
    assert_true(member(&harness, "max") > 2);
    harness_close(&harness);
}

static void the_strangest_has_it_all(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", combine: max, threshold: 2");
    feed_noise(&harness, 150);
    feed(&harness, 0.1, 3e9, 0);
    struct mr_value shares = harness_member(&harness, "contributions");
    assert_true(shares.entries[0].value.number == 0 && shares.entries[2].value.number == 0);
    assert_true(shares.entries[1].value.number == member(&harness, "score"));
    assert_non_null(strstr(harness_output(&harness, 1), "the strangest is b = 3e+09"));
    harness_close(&harness);
}

static void nothing_is_judged_before_the_warmup(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    for (int round = 0; round < 20; round++) {
        feed(&harness, round == 19 ? 1e9 : round, round, 5);
        assert_true(member(&harness, "score") == 0);
        assert_text(harness_member(&harness, "state"), "learning");
    }
    feed(&harness, 1e12, 1e12, 1e12);
    assert_true(member(&harness, "score") > 2);
    harness_close(&harness);
}

static void a_score_is_missing(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", on_missing: flag");
    feed_noise(&harness, 30);
    feed(&harness, 1, (double)NAN, 1);
    assert_text(harness_member(&harness, "state"), "starved");
    feed(&harness, 1, 1, 1);
    assert_int_equal(harness_member(&harness, "count").integer, 30);
    harness_close(&harness);
}

/* Restored in the middle, all bits are those of an undisturbed run. */
static void a_restart_changes_nothing(void **state)
{
    MR_UNUSED(state);
    double scores[2];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, "");
        feed_noise(&harness, 130);
        if (turn == 1) {
            harness_commit(&harness);
            harness_restore(&harness);
        }
        feed_noise(&harness, 20);
        feed(&harness, 3.5, 999990, 0.00101);
        scores[turn] = member(&harness, "score");
        harness_close(&harness);
    }
    assert_true(scores[0] == scores[1] && scores[0] > 1);
}

static void what_does_not_fit_is_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *finding;
    } given[] = {
        {"window: {count: 3000}", "take a window of at most 2666 records"},
        {"warmup: 200, window: {count: 100}", "never ends in a window of 100 records"},
        {"on_missing: impute", "for detectors of one `field`"},
        {"combine: median", "combine"},
        {"members: as_is, combine: rank", "have no rank"},
    };
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    for (size_t index = 0; index < MR_ARRAY_COUNT(given); index++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "    - {name: op, type: detect.ensemble, from: in, key: [k], "
                 "fields: [a, b, c], %s}\n",
                 given[index].options);
        const char *findings =
            harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n", text,
                             "    - {name: out, type: memory, from: op}\n");
        if (strstr(findings, given[index].finding) == NULL)
            fail_msg("%s: %s", given[index].options, findings);
    }
    mr_arena_deinit(&arena);
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    feed_noise(&harness, 21);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_ensemble_v1");
    feed(&harness, 2, 9e5, 9e-4);
    double expected = member(&harness, "score");
    harness_close(&harness);
    open(&harness, "");
    harness_load_golden(&harness, "detect_ensemble_v1");
    feed(&harness, 2, 9e5, 9e-4);
    assert_true(member(&harness, "score") == expected && expected > 0);
    assert_int_equal(harness_member(&harness, "count").integer, 21);
    harness_close(&harness);
}

static void members_of_one_unit_are_taken_as_they_are(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", members: as_is, threshold: 4");
    for (int round = 0; round < 20; round++)
        feed(&harness, 1, 2, 3);
    feed(&harness, 3, 8, 4);
    assert_true(member(&harness, "score") == 5);
    assert_true(member(&harness, "max") == 8);
    assert_int_equal(harness_member(&harness, "rank").kind, MR_KIND_NULL);
    assert_int_equal(harness_member(&harness, "p_value").kind, MR_KIND_ABSENT);
    feed(&harness, -3, 8, 1); /* below 0 is 0 */
    assert_true(member(&harness, "score") == 3);
    feed(&harness, 1e308, 1e308, 1e308);
    assert_near(member(&harness, "score"), 1e140);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_ways_to_combine),
        cmocka_unit_test(units_do_not_matter),
        cmocka_unit_test(the_strangest_has_it_all),
        cmocka_unit_test(nothing_is_judged_before_the_warmup),
        cmocka_unit_test(members_of_one_unit_are_taken_as_they_are),
        cmocka_unit_test(a_score_is_missing),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(stored_bytes_stay_readable),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
