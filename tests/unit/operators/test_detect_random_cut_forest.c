/* tests/unit/operators/test_detect_random_cut_forest.c — detect.random_cut_forest: unlikely in
 * random projections. The mathematics has its own test (test_random_cut_tree.c). */
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
             "    - {name: op, type: detect.random_cut_forest, from: in, key: [k], fields: "
             "[a, b]%s}\n",
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

/* Two clusters around (1, 1) and (-1, -1). */
static void feed_clusters(struct harness *harness, int rounds, uint64_t seed)
{
    struct mr_random random;
    mr_random_init(&random, seed, 0);
    for (int round = 0; round < rounds; round++) {
        double centre = round % 2 == 0 ? 1 : -1;
        feed(harness, centre + 0.1 * mr_random_normal(&random),
             centre + 0.1 * mr_random_normal(&random));
    }
}

static void what_lies_between_the_clusters_is_found(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    feed_clusters(&harness, 64, 1);
    assert_true(member(&harness, "score") == 0); /* too few to judge by */
    feed_clusters(&harness, 500, 2);
    assert_true(member(&harness, "score") < 30);
    assert_int_equal(harness_member(&harness, "sampled").integer, 256);
    feed(&harness, -1, 1);
    assert_true(member(&harness, "score") > 60);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    feed(&harness, 1, 50);
    double far = member(&harness, "score");
    assert_true(far > 100);
    struct mr_value shares = harness_member(&harness, "contributions");
    assert_true(shares.entries[1].value.number > 0.8 * far);
    assert_true(fabs(shares.entries[0].value.number + shares.entries[1].value.number - far) < 1e-9);
    harness_close(&harness);
}

/* A sequence that breaks the pattern is found by a shingle only: each number is usual. */
static void a_broken_pattern_is_found_by_a_shingle(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {", shingle: 1", ", shingle: 4"};
    double scores[2];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        char text[256];
        snprintf(text, sizeof(text),
                 "    - {name: op, type: detect.random_cut_forest, from: in, key: [k], fields: "
                 "[a]%s}\n",
                 options[turn]);
        harness_open(&harness, text, "    - {name: out, type: memory, from: op}\n", "op");
        harness.keeps_last = true;
        struct mr_random random;
        mr_random_init(&random, 9, 0);
        for (int round = 0; round < 600; round++)
            feed(&harness, (round % 2 == 0 ? 1 : -1) + 0.05 * mr_random_normal(&random), 0);
        feed(&harness, -1, 0); /* after a -1 */
        scores[turn] = member(&harness, "score");
        harness_close(&harness);
    }
    assert_true(scores[0] < 30 && scores[1] > 100);
}

/* More keys than forests are kept expanded: made anew from the slots, they are the same. */
static void forests_of_many_keys_take_turns(void **state)
{
    MR_UNUSED(state);
    enum { KEYS = 100, ROUNDS = 20 };
    static double scores[ROUNDS];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, ", trees: 3, sample: 8, warmup: 2");
        struct mr_random random;
        mr_random_init(&random, 9, 0);
        for (int round = 0; round < ROUNDS; round++) {
            double a = mr_random_normal(&random);
            for (int key = 0; key < (turn == 0 ? 1 : KEYS); key++) {
                char name[16];
                snprintf(name, sizeof(name), "k%d", key);
                struct harness_row row = {.offset = ++offset,
                                          .event_time_ms = offset,
                                          .cells = {{"k", mr_value_string(mr_slice_text(name))},
                                                    {"a", mr_value_double(a)},
                                                    {"b", mr_value_double(key)}}};
                harness_feed(&harness, 0, &row, 1);
                if (key > 0)
                    continue;
                if (turn == 1)
                    assert_true(scores[round] == member(&harness, "score"));
                scores[round] = member(&harness, "score");
            }
        }
        assert_true(scores[ROUNDS - 1] > 0);
        harness_close(&harness);
    }
}

/* Restored in the middle of a window, all bits are those of an undisturbed run.
 */
static void a_restart_changes_nothing(void **state)
{
    MR_UNUSED(state);
    enum { ROUNDS = 700 };
    static double scores[ROUNDS];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, "");
        struct mr_random random;
        mr_random_init(&random, 9, 0);
        for (int round = 0; round < ROUNDS; round++) {
            feed(&harness, mr_random_normal(&random), mr_random_normal(&random));
            if (turn == 1) {
                assert_true(scores[round] == member(&harness, "score"));
                if (round % 97 == 96) {
                    harness_commit(&harness);
                    harness_restore(&harness);
                }
            }
            scores[round] = member(&harness, "score");
        }
        assert_true(scores[ROUNDS - 1] > 0);
        harness_close(&harness);
    }
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    static const char options[] = ", trees: 2, sample: 8, warmup: 2";
    struct harness harness;
    open(&harness, options);
    feed_clusters(&harness, 40, 1);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_random_cut_forest_v1");
    feed(&harness, 0.5, 3);
    double expected = member(&harness, "score");
    assert_true(expected > 0);
    harness_close(&harness);
    open(&harness, options);
    harness_load_golden(&harness, "detect_random_cut_forest_v1");
    feed(&harness, 0.5, 3);
    assert_true(fabs(member(&harness, "score") - expected) < 1e-9);
    assert_int_equal(harness_member(&harness, "count").integer, 40);
    harness_close(&harness);
}

/* The stored layout follows from these options. */
static void other_options_are_refused(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", trees: 2, sample: 9, warmup: 2");
    harness_load_golden(&harness, "detect_random_cut_forest_v1");
    struct harness_row row = {.offset = 1,
                              .event_time_ms = 1,
                              .cells = {{"k", mr_value_string(mr_slice_text("one"))},
                                        {"a", mr_value_double(1)},
                                        {"b", mr_value_double(1)}}};
    struct mr_error error = {0};
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_lies_between_the_clusters_is_found),
        cmocka_unit_test(a_broken_pattern_is_found_by_a_shingle),
        cmocka_unit_test(forests_of_many_keys_take_turns),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(other_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
