/* tests/unit/operators/test_generate_random.c — generate.random: distributions, keys, anomalies. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { RECORDS = 40000 };

static const char source[] =
    "    - {name: made, type: generate.random, seed: 5, keys: 200, partitions: 2, count: 40000, "
    "fields: [{name: sensor, distribution: key}, "
    "{name: value, distribution: normal, mean: 100, sd: 2, level_sd: 10}, "
    "{name: u, distribution: uniform, minimum: 5, maximum: 6, decimals: 6}, "
    "{name: die, distribution: integer, minimum: 1, maximum: 6}, "
    "{name: color, distribution: choice, values: [red, green, blue]}, "
    "{name: bad, distribution: label}], anomalies: {share: 0.02, field: value, size: 50}}\n";

enum field { SENSOR, VALUE, U, DIE, COLOR, BAD };

struct sums {
    uint32_t count;
    uint32_t anomalies;
    double uniform;
    uint32_t faces[7];
    uint32_t colors[3];
    double value[200];
    double squares[200];
    uint32_t value_count[200];
};

static struct sums sums;

static void add_row(const struct harness *harness, const struct mr_batch *batch, uint32_t row)
{
    const uint32_t *slots = harness->plan->domains[harness->node->outputs[0].domain].field_slots;
    struct mr_value sensor = batch->columns[slots[SENSOR]][row];
    assert_int_equal(sensor.size, 7);
    assert_memory_equal(sensor.text, "s-00", 4);
    uint32_t key = (uint32_t)((sensor.text[4] - '0') * 100 + (sensor.text[5] - '0') * 10 +
                              (sensor.text[6] - '0'));
    assert_in_range(key, 0, 199);
    /* A key belongs to one partition. */
    assert_int_equal(key % 2, (uint32_t)harness->partition);
    sums.count++;
    double value = batch->columns[slots[VALUE]][row].number;
    assert_true(fabs(value * 1000 - nearbyint(value * 1000)) < 1e-6);
    if (batch->columns[slots[BAD]][row].boolean) {
        sums.anomalies++;
    } else {
        sums.value[key] += value;
        sums.squares[key] += value * value;
        sums.value_count[key]++;
    }
    double uniform = batch->columns[slots[U]][row].number;
    assert_true(uniform >= 5 && uniform <= 6);
    sums.uniform += uniform;
    int64_t face = batch->columns[slots[DIE]][row].integer;
    assert_in_range(face, 1, 6);
    sums.faces[face]++;
    uint32_t color_size = batch->columns[slots[COLOR]][row].size;
    assert_in_range(color_size, 3, 5);
    sums.colors[color_size - 3]++;
}

static void collect(void *argument, const struct harness *harness, uint32_t output,
                    struct mr_view view)
{
    MR_UNUSED(argument);
    MR_UNUSED(output);
    for (uint32_t index = 0; index < view.rows_count; index++)
        add_row(harness, view.batch, view.rows[index]);
}

static void fields_follow_their_distributions(void **state)
{
    MR_UNUSED(state);
    for (int32_t partition = 0; partition < 2; partition++) {
        struct harness harness;
        harness_open_sources(&harness, source, "", "    - {name: out, type: memory, from: made}\n",
                             "made", partition, 2);
        harness.quiet = true;
        harness.on_emit = collect;
        int64_t position = 0;
        int64_t due_ms = 0;
        while (harness_generate(&harness, position, 1, 4096, &position, &due_ms) == MR_OK) {
        }
        harness_close(&harness);
    }
    assert_int_equal(sums.count, RECORDS);
    /* Five standard errors around what is expected. */
    assert_in_range(sums.anomalies, 660, 940);
    assert_true(fabs(sums.uniform / RECORDS - 5.5) < 5 * 0.2887 / 200);
    for (uint32_t face = 1; face <= 6; face++)
        assert_in_range(sums.faces[face], 6290, 7045);
    for (uint32_t color = 0; color < 3; color++)
        assert_in_range(sums.colors[color], 12860, 13810);
    double levels = 0;
    double spread = 0;
    for (uint32_t key = 0; key < 200; key++) {
        double mean = sums.value[key] / sums.value_count[key];
        double variance = sums.squares[key] / sums.value_count[key] - mean * mean;
        assert_true(sqrt(variance) > 1.4 && sqrt(variance) < 2.6);
        levels += mean;
        spread += (mean - 100) * (mean - 100);
    }
    assert_true(fabs(levels / 200 - 100) < 5 * 10 / sqrt(200));
    assert_true(sqrt(spread / 200) > 7.5 && sqrt(spread / 200) < 12.5);
}

static void a_seed_makes_its_own_records(void **state)
{
    MR_UNUSED(state);
    const char *texts[3];
    struct harness harness[3];
    static const char *const seeds[] = {"seed: 1", "seed: 2", "seed: 1"};
    for (int index = 0; index < 3; index++) {
        char text[256];
        snprintf(text, sizeof(text),
                 "    - {name: made, type: generate.random, %s, fields: [{name: v, distribution: "
                 "normal}]}\n",
                 seeds[index]);
        harness_open_sources(&harness[index], text, "",
                             "    - {name: out, type: memory, from: made}\n", "made", 0, 1);
        int64_t next = 0;
        int64_t due_ms = 0;
        assert_int_equal(harness_generate(&harness[index], 0, 1, 50, &next, &due_ms), MR_OK);
        texts[index] = harness_output(&harness[index], 0);
    }
    assert_string_equal(texts[0], texts[2]);
    assert_string_not_equal(texts[0], texts[1]);
    for (int index = 0; index < 3; index++)
        harness_close(&harness[index]);
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text), "    - {name: made, type: generate.random, %s}\n", options);
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
    assert_true(refused("fields: [{name: a, distribution: choice}]", "needs `values`"));
    assert_true(refused("fields: [{name: a, distribution: label}]", "there are no `anomalies`"));
    assert_true(refused("fields: [{name: a, distribution: normal}, {name: a, distribution: time}]",
                        "two fields are named"));
    assert_true(refused("fields: [{name: a, distribution: integer, minimum: 0.2, maximum: 0.8}]",
                        "no integer"));
    assert_true(refused("fields: [{name: a, distribution: uniform, minimum: 2, maximum: 2}]",
                        "must be below"));
    assert_true(
        refused("fields: [{name: a, distribution: time}], anomalies: {share: 0.1, field: a}",
                "distribution normal"));
    assert_true(refused("partitions: 4, keys: 3, fields: [{name: a, distribution: time}]",
                        "must not be below"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_follow_their_distributions),
        cmocka_unit_test(a_seed_makes_its_own_records),
        cmocka_unit_test(options_are_checked_across),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
