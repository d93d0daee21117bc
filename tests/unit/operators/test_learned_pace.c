/* tests/unit/operators/test_learned_pace.c — what is kept of time and counts: stored bytes,
 * statistics on request, options that exclude each other. */
#include "operators/learned_pace.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/request_fixture.h"

static void statistics_are_of_what_was_made(void **state)
{
    MR_UNUSED(state);
    struct mr_pace_entry entry = {.first_ms = INT64_MIN, .last_ms = INT64_MIN};
    struct mr_pace_statistics statistics;
    mr_pace_statistics(&entry, &statistics);
    assert_true(statistics.samples_per_second == 0 && statistics.elapsed_s == 0);
    mr_pace_note(&entry, 100, 2, 5000);
    mr_pace_statistics(&entry, &statistics);
    assert_true(statistics.total_samples == 100 && statistics.samples_per_second == 0);
    mr_pace_note(&entry, 300, 3, 7000);
    mr_pace_note(&entry, 0, 0, 6000); /* a clock that was set back */
    mr_pace_statistics(&entry, &statistics);
    assert_true(statistics.total_samples == 400 && statistics.total_batches == 5);
    assert_true(statistics.elapsed_s == 2 && statistics.samples_per_second == 200);
}

static void stats_are_told(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open(&fixture, ", ratio: 0");
    fixture.harness.keeps_last = true;
    request_fixture_learn(&fixture, "a", 0, 500);
    request_fixture_ask(&fixture, "a", "\"action\": \"stats\", \"request_id\": \"s\"");
    assert_string_equal(request_fixture_take(&fixture), "s stats\n");
    assert_true(harness_field(&fixture.harness, 1, "total_samples").integer == 0);
    request_fixture_ask(&fixture, "a", "\"n_samples\": 250");
    (void)harness_wall(&fixture.harness, 5000);
    request_fixture_ask(&fixture, "a", "\"n_samples\": 50");
    (void)harness_wall(&fixture.harness, 7000);
    harness_commit(&fixture.harness);
    harness_restore(&fixture.harness);
    request_fixture_ask(&fixture, "a", "\"action\": \"stats\"");
    assert_true(harness_field(&fixture.harness, 1, "total_samples").integer == 300);
    assert_true(harness_field(&fixture.harness, 1, "total_batches").integer == 4);
    assert_true(harness_field(&fixture.harness, 1, "elapsed_time").number == 2);
    assert_true(harness_field(&fixture.harness, 1, "samples_per_second").number == 150);
    assert_true(harness_field(&fixture.harness, 1, "model_version").integer == 10);
    assert_true(harness_field(&fixture.harness, 1, "n_redrawn").integer == 0);
    assert_true(harness_field(&fixture.harness, 1, "condition_samples").integer == 0);
    struct mr_value model = harness_field(&fixture.harness, 1, "model");
    assert_int_equal(model.kind, MR_KIND_MAP);
    static const char *const members[] = {"rows",       "effective_rows", "refits",
                                          "last_refit", "drift",          "missing"};
    assert_int_equal(model.size, MR_ARRAY_COUNT(members));
    for (uint32_t at = 0; at < model.size; at++)
        assert_true(
            mr_slice_equal(mr_value_text(model.entries[at].key), mr_slice_text(members[at])));
    assert_true(model.entries[1].value.number > 100 && model.entries[1].value.number <= 500);
    assert_int_equal(model.entries[4].value.kind, MR_KIND_MAP);
    request_fixture_close(&fixture);
}

/* Half of the rows meet one condition, nearly all the other: so many are drawn for one without. */
static void hit_rates_are_counted(void **state)
{
    MR_UNUSED(state);
    struct request_fixture fixture;
    request_fixture_open(&fixture, ", ratio: 0");
    fixture.harness.keeps_last = true;
    request_fixture_learn(&fixture, "a", 0, 500);
    double probabilities[2];
    static const char *const asked[] = {
        "\"n_samples\": 300, \"conditions\": {\"value\": {\"gte\": 30}}",
        "\"n_samples\": 100, \"conditions\": {\"value\": {\"gte\": 10}}"};
    for (int at = 0; at < 2; at++) {
        request_fixture_ask(&fixture, "a", asked[at]);
        (void)harness_wall(&fixture.harness, 5000 + at);
        probabilities[at] = harness_field(&fixture.harness, 1, "condition_probability").number;
        assert_true(harness_field(&fixture.harness, 1, "n_refused").integer == 0);
    }
    assert_true(probabilities[0] > 0.05 && probabilities[0] < probabilities[1]);
    harness_commit(&fixture.harness);
    harness_restore(&fixture.harness);
    request_fixture_ask(&fixture, "a", "\"action\": \"stats\"");
    assert_true(harness_field(&fixture.harness, 1, "condition_samples").integer == 400);
    double rate = harness_field(&fixture.harness, 1, "condition_hit_rate").number;
    double expected = 400 / (300 / probabilities[0] + 100 / probabilities[1]);
    assert_true(fabs(rate / expected - 1) < 1e-12);
    request_fixture_close(&fixture);
}

static void stored_bytes_are_as_written(void **state)
{
    MR_UNUSED(state);
    static const char text[] =
        "    - {name: op, type: generate.copula, learn: in, key: [k], fields: [value], "
        "learn_batch: 3, reservoir: 16, rate: 10/s, batch_size: 5, max_records: 20, "
        "fit: {max_records: 4, min_records: 4}}\n";
    static const char out[] = "    - {name: out, type: memory, from: op}\n";
    struct harness harness;
    harness_open(&harness, text, out, "op");
    harness.context.now_ms = 1000000;
    for (uint32_t number = 0; number < 6; number++) {
        struct harness_row row = harness_row(number, "a", mr_value_double(number));
        harness_feed(&harness, 0, &row, 1);
    }
    (void)harness_wall(&harness, 1000600);
    assert_int_equal(harness.emitted_count[0], 5);
    harness_commit(&harness);
    harness_check_golden(&harness, "generate_copula_pace_v2");
    harness_close(&harness);
    /* It goes on from those bytes, and from those of the version before. */
    static const char *const versions[] = {"generate_copula_pace_v1", "generate_copula_pace_v2"};
    for (size_t version = 0; version < MR_ARRAY_COUNT(versions); version++) {
        harness_open(&harness, text, out, "op");
        harness_load_golden(&harness, versions[version]);
        assert_true(harness_wall(&harness, 1001099) == 1001100);
        assert_int_equal(harness.emitted_count[0], 0);
        assert_true(harness_wall(&harness, 1001100) == 1001600);
        assert_int_equal(harness.emitted_count[0], 5);
        harness_close(&harness);
    }
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text),
             "    - {name: op, type: generate.copula, learn: in, key: [], fields: [value], %s}\n",
             options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory}\n", text,
                                            "    - {name: out, type: memory, from: op}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void options_are_checked(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("rate: 5/s, ratio: 1", "or by `ratio`, not by both"));
    assert_true(refused("batch_size: 5", "`batch_size` is about records made by the clock"));
    assert_true(refused("include_metadata: false", "`include_metadata` is about records made by"));
    assert_true(refused("fit: {}, min_records: 5", "give its min_records, not the operator's"));
    assert_true(refused("fit: {max_records: 5}", "`fit` has more min_records than max_records"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_are_of_what_was_made),
        cmocka_unit_test(stats_are_told),
        cmocka_unit_test(hit_rates_are_counted),
        cmocka_unit_test(stored_bytes_are_as_written),
        cmocka_unit_test(options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
