/* tests/unit/operators/test_map.c — map: computed fields, and what is refused. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static struct harness_row number(int64_t offset, double value)
{
    return harness_row(offset, "a", mr_value_double(value));
}

static void expressions_fill_their_columns(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: map, from: in, set: {value: 'value * 2.0', was: value}, "
                 "rename: {k: key}}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    struct harness_row rows[] = {number(1, 1.5)};
    harness.keeps_last = true;
    harness_feed(&harness, 0, rows, 1);
    /* In name order; both see the record as it came in. */
    assert_int_equal(harness.node->set_slots_count, 2);
    assert_true(harness_last(&harness, 0, harness.node->set_slots[0]).number == 3);
    assert_true(harness_last(&harness, 0, harness.node->set_slots[1]).number == 1.5);
    harness_close(&harness);
}

static void a_map_must_do_something_and_only_once(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    const char *sources = "    - {name: in, type: memory}\n";
    const char *sinks = "    - {name: out, type: memory, from: op}\n";
    assert_non_null(
        strstr(harness_findings(&arena, sources, "    - {name: op, type: map, from: in}\n", sinks),
               "at least one of"));
    assert_non_null(strstr(harness_findings(&arena, sources,
                                            "    - {name: op, type: map, from: in, keep: [a], "
                                            "remove: [b]}\n",
                                            sinks),
                           "not both"));
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(expressions_fill_their_columns),
        cmocka_unit_test(a_map_must_do_something_and_only_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
