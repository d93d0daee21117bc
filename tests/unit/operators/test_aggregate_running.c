/* tests/unit/operators/test_aggregate_running.c — aggregate: its options. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void options_that_exclude_each_other_are_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *part;
    } cases[] = {
        {"emit: periodic, aggregates: {size: count()}", "needs `emit_every`"},
        {"emit_every: 1s, aggregates: {size: count()}", "no meaning without emit: periodic"},
        {"emit: close, aggregates: {size: count()}", "update | periodic"},
        {"aggregates: {}", "0 elements"},
        {"emit: update", "needs the option 'aggregates'"},
    };
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 14);
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        const char *findings = harness_findings(
            &arena, "    - {name: in, type: memory, key: [k]}\n",
            mr_arena_format(&arena, "    - {name: op, type: aggregate, from: in, key: [k], %s}\n",
                            cases[i].options),
            "    - {name: out, type: memory, from: op}\n");
        if (strstr(findings, cases[i].part) == NULL)
            fail_msg("%s: %s", cases[i].options, findings);
    }
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(options_that_exclude_each_other_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
