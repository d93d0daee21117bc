/* tests/unit/topology/test_definition_tests.c — `tests:` of a file; the messages are in
 * tests/golden/topology. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_catalogue.h"
#include "tests/support/topology_fixture.h"
#include "topology/tested.h"

static const char frame[] =
    "  sources:\n"
    "    - {name: in, type: kafka, topic: in}\n"
    "  operators:\n"
    "    - {name: ways, type: branch, from: in, branches: [{name: hot, where: v > 1}]}\n"
    "  sinks:\n"
    "    - {name: out, type: kafka, topic: out, from: ways.hot}\n"
    "  tests:\n%s";

static uint32_t errors_of(const char *tests)
{
    struct mr_topology_fixture fixture;
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    char *body = mr_arena_take(&arena, sizeof(frame) + strlen(tests));
    memcpy(body, frame, sizeof(frame) - 3);
    memcpy(body + sizeof(frame) - 3, tests, strlen(tests) + 1);
    mr_topology_fixture_open(&fixture, body);
    uint32_t errors_count = fixture.report.errors_count;
    if (errors_count == 0)
        assert_int_equal(fixture.plan->tests_count, 1);
    mr_topology_fixture_close(&fixture);
    mr_arena_deinit(&arena);
    return errors_count;
}

static void right_tests_are_counted(void **state)
{
    (void)state;
    assert_int_equal(errors_of("    - name: x\n"
                               "      given: {in: [{record: {v: 1}, repeat: 3, set: {t: i * 2}}]}\n"
                               "      expect: {out: {count: 1, records: [{v: 1}], contains: [], "
                               "ordered: true, tolerance: 0.1}}\n"),
                     0);
    assert_int_equal(errors_of("    - {name: x, given: {}, expect: {ways.rest: {count: 0}}}\n"), 0);
    assert_int_equal(errors_of("    - {name: x, given: {}, expect: {ways.hot: {count: 0}}}\n"), 0);
}

static void wrong_tests_are_errors(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "    - {given: {}, expect: {out: {count: 0}}}\n",
        "    - {name: x, expect: {out: {count: 0}}}\n",
        "    - {name: x, given: {}}\n",
        "    - {name: x, given: [], expect: {}}\n",
        "    - {name: x, given: {}, expect: {ways: {count: 1}}}\n",
        "    - {name: x, given: {}, expect: {ways.cold: {count: 1}}}\n",
        "    - {name: x, given: {}, expect: {out: {count: -1}}}\n",
        "    - {name: x, given: {}, expect: {out: 5}}\n",
        "    - {name: x, given: {}, expect: {out: {count: 0}}, skip: true}\n",
        "    - {name: x, given: {}, expect: {}}\n",
        "    - {name: x, given: {}, steps: [], expect: {out: {count: 0}}}\n",
        "    - {name: x, steps: [{given: {}}]}\n",
        "    - {name: x, steps: [{}, {expect: {out: {count: 0}}}]}\n",
        "    - {name: x, steps: [{given: {}, expect: {out: {count: 0}}}]}\n",
        "    - {name: x, steps: [{wait: 3s}, {expect: {out: {count: 0}}}], expect: {}}\n",
        "    - {name: x, steps: [{advance: 3}, {expect: {out: {count: 0}}}]}\n",
        "    - {name: x, steps: [{end: [out]}, {expect: {out: {count: 0}}}]}\n",
        "    - {name: x, steps: {}, expect: {out: {count: 0}}}\n",
        "    - {name: x, clock: noon, given: {}, expect: {out: {count: 0}}}\n",
        "    - {name: x, given: {in: [{record: {}, partition: 1}]}, expect: {out: {count: 0}}}\n",
        "    - {name: x, given: {}, expect: {out: {count: 0}}}\n"
        "    - {name: x, given: {}, expect: {out: {count: 0}}}\n",
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        print_message("%s", wrong[i]);
        assert_int_equal(errors_of(wrong[i]), 1);
    }
}

static void steps_keep_their_order(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_report report;
    struct mr_tested tested;
    mr_arena_init(&arena, 4096);
    mr_report_init(&report, &arena, "test");
    char *text = mr_arena_format(
        &arena, "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
                "  sources:\n"
                "    - {name: in, type: kafka, topic: in}\n"
                "  sinks:\n"
                "    - {name: out, type: kafka, topic: out, from: in}\n"
                "  tests:\n"
                "    - name: x\n"
                "      partitions: 3\n"
                "      clock: '2026-01-01T00:00:01Z'\n"
                "      sources_end: false\n"
                "      given_state: {in: [{record: {}}]}\n"
                "      steps:\n"
                "        - given: {in: [{record: {}, partition: 2}]}\n"
                "        - advance: 1m30s\n"
                "        - end: [in]\n"
                "        - expect: {out: {count: 2}}\n"
                "      expect: {out: {count: 3}}\n");
    mr_topology_parse_tested(mr_slice_text(text), &mr_test_catalogue, NULL, &arena, &report,
                             &tested);
    assert_int_equal(report.errors_count, 0);
    assert_int_equal(tested.tests_count, 1);
    const struct mr_test *test = &tested.tests[0];
    assert_string_equal(test->name, "x");
    assert_int_equal(test->partitions_count, 3);
    assert_int_equal(test->clock_ms, 1767225601000);
    assert_false(test->sources_end);
    assert_int_equal(test->given_state.givens_count, 1);
    assert_int_equal(test->steps_count, 4);
    assert_int_equal(test->steps[0].kind, MR_TEST_GIVEN);
    assert_int_equal(test->steps[1].kind, MR_TEST_ADVANCE);
    assert_int_equal(test->steps[1].advance_ms, 90000);
    assert_int_equal(test->steps[2].kind, MR_TEST_END);
    assert_string_equal(test->steps[2].ends[0], "in");
    assert_int_equal(test->steps[3].kind, MR_TEST_EXPECT);
    assert_int_equal(test->steps[3].expectations[0].count, 2);
    assert_int_equal(test->expect.expectations[0].count, 3);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(right_tests_are_counted),
        cmocka_unit_test(wrong_tests_are_errors),
        cmocka_unit_test(steps_keep_their_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
