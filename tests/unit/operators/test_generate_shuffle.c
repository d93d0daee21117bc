/* tests/unit/operators/test_generate_shuffle.c — rules match as often as they should and do not
 * know of each other; the same records however they are cut and shared. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { NOW_MS = 1700000000, RULES = 10 };

static void open_made(struct harness *harness, const char *options, int32_t partition,
                      int32_t partitions)
{
    char text[512];
    snprintf(text, sizeof(text), "    - {name: made, type: generate.shuffle, partitions: %d, %s}\n",
             partitions, options);
    harness_open_sources(harness, text, "", "    - {name: out, type: memory, from: made}\n", "made",
                         partition, partitions);
}

static uint64_t make_all(struct harness *harness, uint32_t rows_max)
{
    int64_t position = 0;
    int64_t due_ms = 0;
    while (harness_generate(harness, position, NOW_MS, rows_max, &position, &due_ms) == MR_OK) {
    }
    return (uint64_t)position;
}

struct counts {
    uint32_t of_rule[RULES + 1];
    uint32_t of_pair; /* the first two together */
    uint32_t rows;
    uint32_t slots[4];
};

static void count(void *argument, const struct harness *harness, uint32_t output,
                  struct mr_view view)
{
    struct counts *counts = argument;
    const uint32_t *slots = harness->plan->domains[harness->node->outputs[0].domain].field_slots;
    MR_UNUSED(output);
    for (uint32_t index = 0; index < view.rows_count; index++) {
        struct mr_value rules = view.batch->columns[slots[2]][view.rows[index]];
        struct mr_value data = view.batch->columns[slots[3]][view.rows[index]];
        int64_t before = 0;
        uint32_t seen = 0;
        assert_int_equal(rules.kind, MR_KIND_LIST);
        assert_int_equal(data.size, 16);
        for (uint32_t at = 0; at < rules.size; at++) {
            int64_t rule = rules.items[at].integer;
            assert_true(rule > before && rule <= RULES);
            before = rule;
            counts->of_rule[rule]++;
            seen += rule <= 2;
        }
        counts->of_pair += seen == 2;
        counts->rows++;
    }
}

static void rules_match_as_often_as_they_should(void **state)
{
    MR_UNUSED(state);
    static const struct {
        double total;
        double skew;
    } cases[] = {{0.2, 0}, {3, 0}, {2, 1}, {1.5, 2.5}, {0, 1}, {10, 0}, {1000, 1}};
    for (size_t at = 0; at < sizeof(cases) / sizeof(cases[0]); at++) {
        struct harness harness;
        struct counts counts = {0};
        char options[256];
        double sum = 0;
        double chances[RULES + 1];
        snprintf(options, sizeof(options),
                 "count: 40000, record_bytes: 16, rules_count: %d, total_selectivity: %g, skew: %g",
                 RULES, cases[at].total, cases[at].skew);
        open_made(&harness, options, 0, 1);
        harness.quiet = true;
        harness.on_emit = count;
        harness.on_emit_argument = &counts;
        make_all(&harness, 4096);
        for (int rule = 1; rule <= RULES; rule++)
            sum += pow(rule, -cases[at].skew);
        for (int rule = 1; rule <= RULES; rule++) {
            chances[rule] = fmin(cases[at].total / sum, 1) * pow(rule, -cases[at].skew);
            double expected = chances[rule] * counts.rows;
            double deviation = sqrt(expected * (1 - chances[rule])) + 1e-9;
            assert_true(fabs(counts.of_rule[rule] - expected) < 4.5 * deviation);
        }
        double both = chances[1] * chances[2] * counts.rows;
        assert_true(fabs(counts.of_pair - both) < 5 * sqrt(both) + 1e-9);
        harness_close(&harness);
    }
}

static void records_do_not_depend_on_cuts(void **state)
{
    MR_UNUSED(state);
    struct harness harness[2];
    for (int index = 0; index < 2; index++) {
        open_made(&harness[index], "count: 700, record_bytes: 40", 0, 1);
        assert_int_equal(make_all(&harness[index], index == 0 ? 4096 : 37), 700);
    }
    assert_string_equal(harness_output(&harness[0], 0), harness_output(&harness[1], 0));
    harness_close(&harness[0]);
    harness_close(&harness[1]);
}

/* Large records come few at a time: a batch stays within memory. */
static void large_records_come_few_at_a_time(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    int64_t next;
    int64_t due_ms;
    open_made(&harness, "record_bytes: 1048576", 0, 1);
    harness.quiet = true;
    assert_int_equal(harness_generate(&harness, 0, NOW_MS, 4096, &next, &due_ms), MR_OK);
    assert_in_range(next, 1, 5);
    harness_close(&harness);
}

static void the_first_records_stay(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    int64_t next;
    int64_t due_ms;
    open_made(&harness, "seed: 4, record_bytes: 30, rules_count: 9, total_selectivity: 2", 1, 3);
    assert_int_equal(harness_generate(&harness, 0, NOW_MS, 5, &next, &due_ms), MR_OK);
    harness_check_golden(&harness, "generate.shuffle");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rules_match_as_often_as_they_should),
        cmocka_unit_test(records_do_not_depend_on_cuts),
        cmocka_unit_test(large_records_come_few_at_a_time),
        cmocka_unit_test(the_first_records_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
