/* tests/unit/operators/test_generate_sequence.c — generate.sequence: numbers, times, partitions. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void records_are_numbered_over_all_partitions(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open_sources(&harness,
                         "    - {name: made, type: generate.sequence, partitions: 3, count: 11, "
                         "first: 100, start: '2020-01-01T00:00:00Z', step: 2s}\n",
                         "", "    - {name: out, type: memory, from: made}\n", "made", 1, 3);
    harness.keeps_last = true;
    int64_t next = 0;
    int64_t due_ms = 0;
    /* Partition 1 has the numbers 1, 4, 7 and 10. */
    assert_int_equal(harness_generate(&harness, 0, 5, 3, &next, &due_ms), MR_OK);
    assert_int_equal(next, 3);
    assert_int_equal(harness_field(&harness, 0, "seq").integer, 107);
    assert_int_equal(harness_field(&harness, 0, "ts").integer, 1577836800000 + 14000);
    assert_int_equal(harness_field(&harness, 0, "partition").integer, 1);
    assert_int_equal(harness_generate(&harness, 3, 5, 3, &next, &due_ms), MR_OK);
    assert_int_equal(next, 4);
    assert_int_equal(harness_generate(&harness, 4, 5, 3, &next, &due_ms), MR_END);
    assert_string_equal(harness_offsets(&harness, 0), "0 1 2 3");
    harness_close(&harness);
}

static void a_rate_makes_it_wait(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open_sources(&harness, "    - {name: made, type: generate.sequence, rate: 10/s}\n", "",
                         "    - {name: out, type: memory, from: made}\n", "made", 0, 1);
    int64_t next = 0;
    int64_t due_ms = 0;
    assert_int_equal(harness_generate(&harness, 0, 1000, 100, &next, &due_ms), MR_OK);
    assert_int_equal(next, 1);
    assert_int_equal(harness_generate(&harness, 1, 1050, 100, &next, &due_ms), MR_AGAIN);
    assert_int_equal(due_ms, 1100);
    assert_int_equal(harness_generate(&harness, 1, 1399, 100, &next, &due_ms), MR_OK);
    assert_int_equal(next, 4);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_are_numbered_over_all_partitions),
        cmocka_unit_test(a_rate_makes_it_wait),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
