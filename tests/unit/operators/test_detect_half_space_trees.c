/* tests/unit/operators/test_detect_half_space_trees.c —
 * detect.half_space_trees: thin parts of space. The mathematics has its own
 * test (test_half_space_trees.c). */
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
             "    - {name: op, type: detect.half_space_trees, from: in, key: "
             "[k], fields: [a, b]%s}\n",
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
    feed_clusters(&harness, 250, 1);
    assert_true(member(&harness, "score") == 0); /* the first window is only learned */
    double most = 0;
    for (uint64_t seed = 2; seed < 52; seed++) {
        feed_clusters(&harness, 2, seed);
        double score = member(&harness, "score");
        most = score > most ? score : most;
    }
    feed(&harness, 1, -1);
    assert_true(member(&harness, "score") > most + 1);
    double rarity = member(&harness, "rarity");
    assert_true(fabs(pow(2, -member(&harness, "score")) - (1 - rarity)) < 1e-12);
    feed(&harness, 1e9, 1e9);
    assert_true(member(&harness, "score") > most + 1);
    harness_close(&harness);
}

/* A huge number widens the range; some windows later it is forgotten. */
static void a_huge_number_is_forgotten(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "");
    feed_clusters(&harness, 300, 1);
    feed(&harness, 1e6, -1e6);
    feed_clusters(&harness, 250 * 30, 2);
    double normal = member(&harness, "score");
    feed(&harness, 1, -1);
    assert_true(member(&harness, "score") > normal + 1);
    harness_close(&harness);
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
    static const char options[] = ", trees: 2, depth: 3, window_size: 10";
    struct harness harness;
    open(&harness, options);
    feed_clusters(&harness, 23, 1);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_half_space_trees_v1");
    feed(&harness, 0.5, 3);
    double expected = member(&harness, "score");
    assert_true(expected > 0);
    harness_close(&harness);
    open(&harness, options);
    harness_load_golden(&harness, "detect_half_space_trees_v1");
    feed(&harness, 0.5, 3);
    assert_true(fabs(member(&harness, "score") - expected) < 1e-9);
    assert_int_equal(harness_member(&harness, "count").integer, 23);
    harness_close(&harness);
}

/* The stored layout follows from these options. */
static void other_options_are_refused(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", trees: 2, depth: 4, window_size: 10");
    harness_load_golden(&harness, "detect_half_space_trees_v1");
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
        cmocka_unit_test(a_huge_number_is_forgotten),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(other_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
