/* tests/unit/operators/test_detect_knn_cad.c — detect.knn_cad: beside a plain computation from the
 * whole series, what it finds, its pause, its state. The distances have their own test
 * (test_neighbours.c). */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/neighbours.h"
#include "tests/support/operator_harness.h"

static const char golden_options[] = ", warmup: 30, shingle: 4, neighbours: 3, pause: 6";

static int64_t offset;

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.knn_cad, from: in, key: [k], field: value%s}\n",
             options);
    harness_open(harness, text,
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
    harness->keeps_last = true;
    offset = 0;
}

static double feed_to(struct harness *harness, const char *key, double value)
{
    struct harness_row row = harness_row(++offset, key, mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
    return harness_member(harness, "score").number;
}

static double feed(struct harness *harness, double value)
{
    return feed_to(harness, "one", value);
}

/* A wave with noise: record number from 1. */
static double wave(struct mr_random *random, int record)
{
    return 10 + sin(record * 0.7) + 0.1 * mr_random_normal(random);
}

/* ---- A plain computation: lists of points, as the source describes it ---- */

enum { PERIOD = 31, SHINGLE = 4, NEIGHBOURS = 3, POINTS = PERIOD - SHINGLE, RECORDS = 260 };

static double series[RECORDS + 1]; /* from 1 */
static double plain_scores[RECORDS + 1];

static double plain_nonconformity(int first, int point, const double *factor, bool without)
{
    double whitened[SHINGLE * POINTS];
    double own[SHINGLE];
    double scratch[POINTS];
    uint32_t left_out = POINTS;
    for (int at = 0; at < POINTS; at++) {
        mr_neighbours_whiten(factor, series + first + at - SHINGLE + 1, SHINGLE, own);
        for (int dimension = 0; dimension < SHINGLE; dimension++)
            whitened[dimension * POINTS + at] = own[dimension];
        if (without && first + at == point)
            left_out = (uint32_t)at;
    }
    struct mr_neighbours_points points = {whitened, POINTS, POINTS, SHINGLE};
    mr_neighbours_whiten(factor, series + point - SHINGLE + 1, SHINGLE, own);
    return mr_neighbours_sum(&points, own, NEIGHBOURS, left_out, scratch);
}

/* The share of each record from PERIOD on. The training set of record r ends with the records first
 * to first + POINTS - 1. */
static void compute_plainly(void)
{
    double factor[SHINGLE * (SHINGLE + 1) / 2];
    double scores[RECORDS + POINTS];
    int count = 0;
    for (int record = PERIOD; record <= RECORDS; record++) {
        int first = record <= 2 * PERIOD ? SHINGLE : SHINGLE + record - 2 * PERIOD;
        if (record % PERIOD == 0 || record % PERIOD == PERIOD / 2) {
            memset(factor, 0, sizeof(factor));
            for (int at = 0; at < POINTS; at++)
                mr_neighbours_add(factor, series + first + at - SHINGLE + 1, SHINGLE);
            assert_true(mr_neighbours_factor(factor, SHINGLE, factor));
        }
        for (int at = 0; record == PERIOD && at < POINTS; at++)
            scores[count++] = plain_nonconformity(first, first + at, factor, true);
        double own = plain_nonconformity(first, record, factor, false);
        int lower = 0;
        for (int at = count - POINTS; at < count; at++)
            lower += scores[at] < own;
        plain_scores[record] = (double)lower / POINTS;
        scores[count++] = own;
    }
}

static void it_equals_a_plain_computation(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 30, shingle: 4, neighbours: 3");
    struct mr_random random;
    mr_random_init(&random, 1, 0);
    for (int record = 1; record <= RECORDS; record++)
        series[record] = wave(&random, record) + (record == 200 ? 3 : 0);
    compute_plainly();
    for (int record = 1; record <= RECORDS; record++) {
        double score = feed(&harness, series[record]);
        if (record < PERIOD) {
            assert_text(harness_member(&harness, "state"), "learning");
            continue;
        }
        double share = harness_member(&harness, "share").number;
        assert_true(share == plain_scores[record]);
        assert_true(share < 1 ? score == share : score >= 1);
        double p_value = harness_member(&harness, "p_value").number;
        assert_true(fabs(p_value - (1 + POINTS * (1 - share)) / (POINTS + 1)) < 1e-12);
    }
    harness_close(&harness);
}

/* A wave that stands still: each number is usual. */
static void a_break_in_the_shape_is_found(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, ", warmup: 200, shingle: 10, neighbours: 10");
    struct mr_random random;
    mr_random_init(&random, 2, 0);
    int found = 0;
    for (int record = 1; record <= 600; record++)
        found += feed(&harness, wave(&random, record)) > 1;
    assert_true(found < 15);
    double highest = 0;
    for (int record = 0; record < 10; record++) {
        double score = feed(&harness, 10 + 0.1 * mr_random_normal(&random));
        highest = score > highest ? score : highest;
    }
    assert_true(highest > 1.5);
    double far = feed(&harness, 1e6);
    assert_true(far > 1e6);
    assert_true(feed(&harness, 1e9) > 1000); /* far is among the recent ones: no upper end */
    harness_close(&harness);
}

static void a_pause_bounds_the_score(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, golden_options);
    struct mr_random random;
    mr_random_init(&random, 3, 0);
    for (int record = 1; record <= 100; record++)
        feed(&harness, wave(&random, record));
    while (harness_member(&harness, "paused").boolean)
        feed(&harness, 10);
    assert_true(feed(&harness, 1000) > 1);
    assert_false(harness_member(&harness, "paused").boolean);
    for (int record = 0; record < 6; record++) {
        assert_true(feed(&harness, 1000 * (record + 2)) == 0.5);
        assert_true(harness_member(&harness, "paused").boolean);
    }
    assert_true(feed(&harness, 1e6) > 1);
    harness_close(&harness);
}

/* All points equal: no metric, no distance; then a change is beyond all. */
static void a_constant_series_is_strange_when_it_changes(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, golden_options);
    for (int record = 0; record < 200; record++)
        assert_true(feed(&harness, 7.1) == 0);
    assert_true(feed(&harness, 7.2) > 1e6);
    harness_close(&harness);
}

/* More keys than have derived numbers: those are made anew, and are the same. */
static void many_keys_take_turns(void **state)
{
    MR_UNUSED(state);
    enum { KEYS = 90, ROUNDS = 100 };
    static double scores[ROUNDS];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, golden_options);
        struct mr_random random;
        mr_random_init(&random, 4, 0);
        for (int round = 0; round < ROUNDS; round++) {
            double value = wave(&random, round);
            double score = feed(&harness, value);
            assert_true(turn == 0 || scores[round] == score);
            scores[round] = score;
            for (int key = 1; key < KEYS && turn == 1; key++) {
                char name[16];
                snprintf(name, sizeof(name), "k%d", key);
                feed_to(&harness, name, key * value);
            }
        }
        harness_close(&harness);
    }
}

static void a_restart_changes_nothing(void **state)
{
    MR_UNUSED(state);
    enum { ROUNDS = 300 };
    static double scores[ROUNDS];
    for (int turn = 0; turn < 2; turn++) {
        struct harness harness;
        open(&harness, golden_options);
        struct mr_random random;
        mr_random_init(&random, 9, 0);
        for (int round = 0; round < ROUNDS; round++) {
            double score = feed(&harness, wave(&random, round));
            if (turn == 1) {
                assert_true(scores[round] == score);
                if (round % 13 == 12) {
                    harness_commit(&harness);
                    harness_restore(&harness);
                }
            }
            scores[round] = score;
        }
        harness_close(&harness);
    }
}

static void stored_bytes_stay_readable(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_random random;
    mr_random_init(&random, 5, 0);
    open(&harness, golden_options);
    for (int round = 0; round < 75; round++)
        feed(&harness, floor(16 * wave(&random, round)) / 16);
    harness_commit(&harness);
    harness_check_golden(&harness, "detect_knn_cad_v1");
    double expected = feed(&harness, 14);
    assert_true(expected > 0);
    harness_close(&harness);
    open(&harness, golden_options);
    harness_load_golden(&harness, "detect_knn_cad_v1");
    assert_true(feed(&harness, 14) == expected);
    assert_int_equal(harness_member(&harness, "count").integer, 75);
    harness_close(&harness);
    open(&harness, ", warmup: 30, shingle: 4, neighbours: 4");
    harness_load_golden(&harness, "detect_knn_cad_v1");
    struct harness_row row = harness_row(1, "one", mr_value_double(1));
    struct mr_error error = {0};
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_VERSION);
    harness_close(&harness);
}

static void too_short_a_warmup_is_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    const char *findings = harness_findings(
        &arena, "    - {name: in, type: memory, records: [{k: a, value: 1.5}], timestamp: value}\n",
        "    - {name: op, type: detect.knn_cad, from: in, key: [k], field: value, warmup: 45}\n",
        "    - {name: out, type: memory, from: op}\n");
    if (strstr(findings, "makes 27 points of 19 records, too few to have 27 neighbours: at least "
                         "46 records are needed") == NULL)
        fail_msg("%s", findings);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_equals_a_plain_computation),
        cmocka_unit_test(a_break_in_the_shape_is_found),
        cmocka_unit_test(a_pause_bounds_the_score),
        cmocka_unit_test(a_constant_series_is_strange_when_it_changes),
        cmocka_unit_test(many_keys_take_turns),
        cmocka_unit_test(a_restart_changes_nothing),
        cmocka_unit_test(stored_bytes_stay_readable),
        cmocka_unit_test(too_short_a_warmup_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
