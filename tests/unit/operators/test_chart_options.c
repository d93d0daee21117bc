/* tests/unit/operators/test_chart_options.c — options of charts that exclude each other. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void refused(const char *type, const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text),
             "    - {name: op, type: %s, from: in, key: [k], field: value, %s}\n", type, options);
    const char *findings = harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n",
                                            text, "    - {name: out, type: memory, from: op}\n");
    if (strstr(findings, sentence) == NULL)
        fail_msg("%s: found instead: %s", options, findings);
    mr_arena_deinit(&arena);
}

static void subgroups(void **state)
{
    MR_UNUSED(state);
    refused("spc.xbar_r", "sigmas: 3", "subgroup");
    refused("spc.xbar_r", "subgroup: {count: 5, window: 1s}", "takes one of");
    refused("spc.xbar_r", "subgroup: {}", "takes one of");
    refused("spc.xbar_r", "subgroup: {count: 101}", "take spc.xbar_s");
    refused("spc.xbar_s", "subgroup: {count: 1}", "count");
}

static void limits(void **state)
{
    MR_UNUSED(state);
    refused("spc.i_mr", "limits: {cl: 1}", "either sigma or both");
    refused("spc.i_mr", "limits: {cl: 1, sigma: 1, ucl: 2, lcl: 0}", "either sigma or both");
    refused("spc.i_mr", "limits: {cl: 1, ucl: 2}", "either sigma or both");
    refused("spc.i_mr", "limits: {cl: 1, ucl: 2, lcl: 1}", "must be below cl");
    refused("spc.i_mr", "limits: {cl: 1, sigma: 1}, phase1: {subgroups: 20}", "leave out `phase1`");
    refused("spc.i_mr", "limits: {cl: 1, sigma: 1}, baseline: cumulative", "baseline: exponential");
    refused("spc.i_mr", "limits: {cl: 1, ucl: 2, lcl: 0}, baseline: exponential",
            "cannot follow the process");
    refused("spc.xbar_r", "subgroup: {window: 1s}, limits: {cl: 1, ucl: 2, lcl: 0}", "of one size");
}

static void rules(void **state)
{
    MR_UNUSED(state);
    refused("spc.i_mr", "rules: [we1, we5]", "there is no rule 'we5'");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(subgroups),
        cmocka_unit_test(limits),
        cmocka_unit_test(rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
