/* tests/unit/operators/test_generate_timeseries.c — generate.timeseries: the formula, the same
 * records however they are cut and however many partitions make them, gaps at a rate, checks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "tests/support/operator_harness.h"

enum { NOW_MS = 1700000000 };

#define FIELDS                                                                                     \
    "fields: [{name: key, holds: key}, {name: number, holds: number}, {name: at, holds: time}, "   \
    "{name: v, level: 5, level_sd: 1, noise: 0.5, ar: [0.7], "                                     \
    "seasons: [{period: 1h, amplitude: 2}]}, {name: w, decimals: 6}, "                             \
    "{name: bad, holds: is_anomaly}, {name: kind, holds: label}, {name: id, holds: anomaly_id}]"
#define ANOMALIES                                                                                  \
    "anomalies: [{kind: spike, share: 0.02, field: w}, {kind: gap, share: 0.05}, "                 \
    "{kind: duplicate, share: 0.02}, {kind: reorder, share: 0.02, length: 2}, "                    \
    "{kind: stuck, share: 0.05, length: 5, field: v}, {kind: drift, share: 0.05}]"

static void open_made(struct harness *harness, const char *options, int32_t partition,
                      int32_t partitions)
{
    char text[2048];
    snprintf(text, sizeof(text),
             "    - {name: made, type: generate.timeseries, partitions: %d, %s}\n", partitions,
             options);
    harness_open_sources(harness, text, "", "    - {name: out, type: memory, from: made}\n", "made",
                         partition, partitions);
}

/* All rows of a partition, by at most rows_max. */
static void make_all(struct harness *harness, uint32_t rows_max)
{
    int64_t position = 0;
    int64_t due_ms = 0;
    while (harness_generate(harness, position, NOW_MS, rows_max, &position, &due_ms) == MR_OK) {
    }
}

static void records_do_not_depend_on_cuts(void **state)
{
    MR_UNUSED(state);
    struct harness harness[2];
    for (int index = 0; index < 2; index++) {
        open_made(&harness[index], "keys: 6, count: 6000, arrival: poisson, " FIELDS ", " ANOMALIES,
                  0, 1);
        make_all(&harness[index], index == 0 ? 4096 : 37);
    }
    assert_string_equal(harness_output(&harness[0], 0), harness_output(&harness[1], 0));
    assert_in_range(harness[0].emitted_count[0], 5500, 5900);
    harness_close(&harness[0]);
    harness_close(&harness[1]);
}

enum { KEY, NUMBER, AT, V, W, BAD, KIND, ID, FIELDS_COUNT, KEYS = 8 };

/* What each key's rows are, in their order. */
struct digests {
    uint64_t of_key[KEYS];
};

static uint64_t hash_value(struct mr_value value, uint64_t seed)
{
    if (value.kind == MR_KIND_STRING)
        return mr_hash64_seeded(mr_value_text(value), seed);
    if (value.kind == MR_KIND_NULL)
        return seed * 31;
    return mr_hash64_seeded(mr_slice_from(&value.integer, sizeof(value.integer)), seed);
}

static void digest(void *argument, const struct harness *harness, uint32_t output,
                   struct mr_view view)
{
    struct digests *digests = argument;
    const uint32_t *slots = harness->plan->domains[harness->node->outputs[0].domain].field_slots;
    MR_UNUSED(output);
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        struct mr_value key = view.batch->columns[slots[KEY]][row];
        uint32_t number = (uint32_t)(key.text[key.size - 1] - '0');
        assert_in_range(number, 0, KEYS - 1);
        assert_int_equal(number % (uint32_t)harness->partitions_count,
                         (uint32_t)harness->partition);
        for (uint32_t field = KEY; field < FIELDS_COUNT; field++)
            if (field != BAD)
                digests->of_key[number] =
                    hash_value(view.batch->columns[slots[field]][row], digests->of_key[number]);
    }
}

static void partitions_share_the_keys(void **state)
{
    MR_UNUSED(state);
    struct digests digests[2] = {0};
    uint64_t rows[2] = {0};
    for (int32_t partition = 0; partition < 5; partition++) {
        struct harness harness;
        int32_t partitions = partition == 4 ? 1 : 4;
        open_made(&harness, "keys: 8, count: 4000, " FIELDS ", " ANOMALIES, partition % 4,
                  partitions);
        harness.quiet = true;
        harness.on_emit = digest;
        harness.on_emit_argument = &digests[partition == 4];
        make_all(&harness, 500);
        rows[partition == 4] += harness.emitted_count[0];
        harness_close(&harness);
    }
    assert_int_equal(rows[0], rows[1]);
    assert_memory_equal(&digests[0], &digests[1], sizeof(digests[0]));
}

struct seen {
    uint32_t rows;
    double error_max;
};

static void check_formula(void *argument, const struct harness *harness, uint32_t output,
                          struct mr_view view)
{
    struct seen *seen = argument;
    const uint32_t *slots = harness->plan->domains[harness->node->outputs[0].domain].field_slots;
    MR_UNUSED(output);
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        double time_ms = (double)view.batch->columns[slots[0]][row].integer;
        double expected = 10 + 24 * (time_ms - 1704067200000) / 86400e3 +
                          2 * sin(2 * M_PI * (time_ms / 3600e3 + 0.25));
        double off = fabs(view.batch->columns[slots[1]][row].number - fmin(expected, 11.5));
        seen->error_max = fmax(seen->error_max, off);
        seen->rows++;
        assert_int_equal(view.batch->event_times_ms[row], (int64_t)time_ms);
    }
}

static void values_follow_the_formula(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct seen seen = {0};
    open_made(&harness,
              "count: 1000, step: 10s, fields: [{name: at, holds: time}, {name: v, level: 10, "
              "trend: 24, noise: 0, seasons: [{period: 1h, amplitude: 2, phase: 0.25}], decimals: "
              "9, maximum: 11.5}]",
              0, 1);
    harness.quiet = true;
    harness.on_emit = check_formula;
    harness.on_emit_argument = &seen;
    make_all(&harness, 4096);
    assert_int_equal(seen.rows, 1000);
    assert_true(seen.error_max < 1e-6);
    harness_close(&harness);
}

/* At a rate a gap takes its time. */
static void a_gap_takes_its_time(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    int64_t position = 0;
    int64_t due_ms = 0;
    open_made(&harness,
              "rate: 1000/s, seed: 3, fields: [{name: v}], "
              "anomalies: [{kind: gap, share: 0.2, length: 500}]",
              0, 1);
    int64_t now_ms = NOW_MS;
    int64_t made_ms = now_ms;
    int64_t silent_ms = 0;
    while (position < 10000) {
        enum mr_status status =
            harness_generate(&harness, position, now_ms, 64, &position, &due_ms);
        assert_true(status == MR_OK || status == MR_AGAIN);
        if (status == MR_OK) {
            silent_ms = now_ms - made_ms > silent_ms ? now_ms - made_ms : silent_ms;
            made_ms = now_ms;
        } else {
            assert_true(due_ms > now_ms);
            now_ms = due_ms;
        }
    }
    assert_in_range(silent_ms, 490, 510);
    assert_true(now_ms - NOW_MS >= 9000);
    harness_close(&harness);
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[1024];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text), "    - {name: made, type: generate.timeseries, %s}\n", options);
    const char *findings =
        harness_findings(&arena, text, "", "    - {name: out, type: memory, from: made}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("fields: [{name: a}, {name: a, holds: time}]", "two fields are named"));
    assert_true(refused("fields: [{name: a, holds: time}]", "none of the fields holds a series"));
    assert_true(refused("fields: [{name: a, ar: [1.0]}]", "field \"a\": noise with these"));
    assert_true(refused("fields: [{name: a, minimum: 2, maximum: 2}]", "must be below"));
    assert_true(refused("partitions: 4, keys: 3, fields: [{name: a}]", "must not be below"));
    assert_true(refused("keys: 100000, fields: [{name: a, ar: [0.1]}, {name: b, ar: [0.1]}, "
                        "{name: c, ar: [0.1]}, {name: d, ar: [0.1]}, {name: e, ar: [0.1]}, "
                        "{name: f, ar: [0.1]}, {name: g, ar: [0.1]}, {name: h, ar: [0.1]}, "
                        "{name: i, ar: [0.1]}, {name: j, ar: [0.1]}, {name: k, ar: [0.1]}]",
                        "at most 1000000 of them"));
    assert_true(refused("fields: [{name: a}, {name: t, holds: time}], "
                        "anomalies: [{kind: spike, share: 0.1, field: t}]",
                        "\"t\" is none"));
    assert_true(refused("fields: [{name: a}], anomalies: [{kind: gap, share: 0.1, field: a}]",
                        "leave `field` out"));
    assert_true(refused("fields: [{name: a}], anomalies: [{kind: duplicate, share: 0.1}, "
                        "{kind: duplicate, share: 0.1}]",
                        "only one of the anomalies"));
    assert_true(refused("fields: [{name: a}], anomalies: [{kind: gap, share: 0.24, length: 1}]",
                        "at most 0.125"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_do_not_depend_on_cuts),
        cmocka_unit_test(partitions_share_the_keys),
        cmocka_unit_test(values_follow_the_formula),
        cmocka_unit_test(a_gap_takes_its_time),
        cmocka_unit_test(options_are_checked_across),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
