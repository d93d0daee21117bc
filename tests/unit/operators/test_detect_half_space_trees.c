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

/* The contribution of a field; the last row is an anomaly. */
static double contribution(const struct harness *harness, uint32_t field)
{
    struct mr_value contributions = harness_member(harness, "contributions");
    assert_int_equal(contributions.kind, MR_KIND_MAP);
    assert_int_equal(contributions.size, 2);
    return contributions.entries[field].value.number;
}

static void fields_contribute_what_their_cuts_take(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_random random;
    open(&harness, ", threshold: 3");
    mr_random_init(&random, 1, 0);
    for (int round = 0; round < 250; round++)
        feed(&harness, mr_random_normal(&random), mr_random_normal(&random));
    feed(&harness, 0, 9);
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    assert_true(contribution(&harness, 1) > 4 * contribution(&harness, 0));
    assert_true(fabs(contribution(&harness, 0) + contribution(&harness, 1) -
                     member(&harness, "score")) < 1e-12);
    struct mr_value reason = harness_member(&harness, "reason");
    assert_non_null(memmem(reason.text, reason.size, "most by b = 9", 13));
    feed(&harness, -9, 0);
    assert_true(contribution(&harness, 0) > 4 * contribution(&harness, 1));
    harness_close(&harness);
}

/* A calibrated record is learned before it is known to be an anomaly: that it ends a window, and
 * widens the ranges, changes nothing. */
static void the_end_of_a_window_explains_by_the_window_before(void **state)
{
    MR_UNUSED(state);
    double found[2][2];
    for (int calibrated = 0; calibrated < 2; calibrated++) {
        struct harness harness;
        open(&harness, calibrated ? ", threshold: 3, calibrate: {conformal: 100, rate: 0.05}"
                                  : ", threshold: 3");
        feed_clusters(&harness, 499, 1);
        feed(&harness, 1, -8);
        assert_true(harness_member(&harness, "is_anomaly").boolean);
        for (uint32_t field = 0; field < 2; field++)
            found[calibrated][field] = contribution(&harness, field);
        harness_close(&harness);
    }
    assert_memory_equal(found[0], found[1], sizeof(found[0]));
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
        cmocka_unit_test(fields_contribute_what_their_cuts_take),
        cmocka_unit_test(the_end_of_a_window_explains_by_the_window_before),
        cmocka_unit_test(a_huge_number_is_forgotten),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(other_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
