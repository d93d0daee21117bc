/* tests/unit/operators/test_quality_rows.c — alerts about single records: ids, numbers, places. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/quality_rows.h"
#include "tests/support/operator_harness.h"

static void open_rules(struct harness *harness)
{
    harness_open(harness,
                 "    - {name: op, type: quality.rules, from: in, checks: [{name: low, field: "
                 "value, expect: between, min: 1, max: 9, severity: critical}, {name: named, "
                 "field: k, expect: matches, pattern: '^a'}]}\n",
                 "    - {name: out, type: memory, from: op.alerts}\n", "op");
    harness->keeps_last = true;
}

static void an_alert_has_the_number_and_the_bound(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_rules(&harness);
    struct harness_row row = harness_row(7, "a", mr_value_double(0.5));
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.emitted_count[1], 1);
    assert_true(harness_field(&harness, 1, "metric_value").number == 0.5);
    assert_true(harness_field(&harness, 1, "threshold").number == 1);
    assert_text(harness_field(&harness, 1, "severity"), "critical");
    assert_text(harness_field(&harness, 1, "message"), "low: value is 0.5, below the minimum of 1");
    struct mr_value source = harness_field(&harness, 1, "source");
    assert_int_equal(source.size, 3);
    assert_int_equal(source.entries[2].value.integer, 7);
    row = harness_row(8, "b", mr_value_double(20));
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.emitted_count[1], 3);
    assert_true(harness_field(&harness, 1, "metric_value").number == 0);
    assert_true(harness_field(&harness, 1, "threshold").number == 1);
    assert_text(harness_field(&harness, 1, "severity"), "warning");
    harness_close(&harness);
}

static void a_replay_makes_the_same_ids(void **state)
{
    MR_UNUSED(state);
    char ids[4][17];
    for (uint32_t run = 0; run < 2; run++) {
        struct harness harness;
        open_rules(&harness);
        for (uint32_t index = 0; index < 2; index++) {
            struct harness_row row = harness_row(index, "a", mr_value_double(0));
            harness_feed(&harness, 0, &row, 1);
            struct mr_value id = harness_field(&harness, 1, "id");
            assert_int_equal(id.size, 16);
            memcpy(ids[2 * run + index], id.text, 16);
            ids[2 * run + index][16] = '\0';
        }
        harness_close(&harness);
    }
    assert_string_equal(ids[0], ids[2]);
    assert_string_equal(ids[1], ids[3]);
    assert_string_not_equal(ids[0], ids[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_alert_has_the_number_and_the_bound),
        cmocka_unit_test(a_replay_makes_the_same_ids),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
