/* tests/unit/operators/test_branch.c — branch: the first match takes the row. */
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

static void the_first_match_takes_the_row(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open(&harness,
                 "    - {name: op, type: branch, from: in, branches: [{name: high, where: 'value > "
                 "5.0'}, {name: positive, where: 'value > 0.0'}]}\n",
                 "    - {name: h, type: memory, from: op.high}\n"
                 "    - {name: p, type: memory, from: op.positive}\n"
                 "    - {name: r, type: memory, from: op.rest}\n",
                 "op");
    struct harness_row rows[] = {number(1, 9), number(2, 3), number(3, -1), number(4, 6)};
    harness_feed(&harness, 0, rows, 4);
    for (uint32_t output = 0; output < harness.node->outputs_count; output++) {
        const char *name = harness.node->outputs[output].name;
        if (strcmp(name, "high") == 0)
            assert_string_equal(harness_offsets(&harness, output), "1 4");
        if (strcmp(name, "positive") == 0)
            assert_string_equal(harness_offsets(&harness, output), "2");
        if (strcmp(name, "rest") == 0)
            assert_string_equal(harness_offsets(&harness, output), "3");
    }
    harness_close(&harness);
}

static void names_are_checked(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    const char *sources = "    - {name: in, type: memory}\n";
    assert_non_null(strstr(harness_findings(&arena, sources,
                                            "    - {name: op, type: branch, from: in, branches: "
                                            "[{name: rest, where: 'true'}]}\n",
                                            "    - {name: out, type: memory, from: op.rest}\n"),
                           "cannot be named"));
    assert_non_null(strstr(harness_findings(&arena, sources,
                                            "    - {name: op, type: branch, from: in, branches: "
                                            "[{name: a, where: 'true'}, {name: a, where: "
                                            "'true'}]}\n",
                                            "    - {name: out, type: memory, from: op.a}\n"),
                           "two branches"));
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_match_takes_the_row),
        cmocka_unit_test(names_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
