/* tests/unit/topology/test_definition_expect.c — what tests expect; messages are in
 * tests/golden/topology/rule14_*. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/topology_catalogue.h"
#include "topology/tested.h"

static const char frame[] =
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
    "  sources:\n"
    "    - {name: in, type: kafka, topic: in}\n"
    "  operators:\n"
    "    - {name: ways, type: branch, from: in, branches: [{name: hot, where: v > 1}]}\n"
    "    - {name: score, type: detect.zscore, from: in, key: [k], field: v}\n"
    "  sinks:\n"
    "    - {name: out, type: kafka, topic: out, from: ways.hot}\n"
    "    - {name: scores, type: kafka, topic: scores, from: score}\n"
    "  tests:\n"
    "    - name: x\n%s";

struct fixture {
    struct mr_arena arena;
    struct mr_report report;
    struct mr_tested tested;
};

static void open_test(struct fixture *fixture, const char *test)
{
    mr_arena_init(&fixture->arena, 4096);
    mr_report_init(&fixture->report, &fixture->arena, "test");
    char *text = mr_arena_take(&fixture->arena, sizeof(frame) + strlen(test));
    memcpy(text, frame, sizeof(frame) - 3);
    memcpy(text + sizeof(frame) - 3, test, strlen(test) + 1);
    mr_topology_parse_tested(mr_slice_text(text), &mr_test_catalogue, NULL, &fixture->arena,
                             &fixture->report, &fixture->tested);
}

/* The test has one finding, and it holds part. */
static void refuses(const char *test, const char *part)
{
    struct fixture fixture;
    open_test(&fixture, test);
    for (uint32_t i = 0; i < fixture.report.findings_count; i++)
        print_message("%s\n", fixture.report.findings[i].message);
    assert_int_equal(fixture.report.errors_count, 1);
    assert_non_null(strstr(fixture.report.findings[0].message, part));
    assert_null(fixture.tested.plan);
    mr_arena_deinit(&fixture.arena);
}

static void bounds_are_numbers_by_field(void **state)
{
    (void)state;
    struct fixture fixture;
    open_test(&fixture, "      given: {}\n"
                        "      expect: {out: {min: {a: 0.5, b: {c: -1}}, max: {a: 7}}}\n");
    assert_int_equal(fixture.report.errors_count, 0);
    const struct mr_test_expectation *expectation = fixture.tested.tests[0].expect.expectations;
    assert_int_equal(expectation->least->count, 2);
    assert_int_equal(expectation->most->count, 1);
    mr_arena_deinit(&fixture.arena);
    refuses("      given: {}\n      expect: {out: {min: {a: high}}}\n",
            "'expect.min' of test 'x' takes numbers by the names of fields, as in min: "
            "{recall: 0.95}");
    refuses("      given: {}\n      expect: {out: {max: {a: {b: [1]}}}}\n", "takes numbers");
    refuses("      given: {}\n      expect: {out: {max: {a: {}}}}\n", "takes numbers");
    refuses("      given: {}\n      expect: {out: {min: 3}}\n", "a mapping of fields to numbers");
}

static void expectations_are_read(void **state)
{
    (void)state;
    struct fixture fixture;
    open_test(&fixture,
              "      given: {}\n"
              "      expect:\n"
              "        out: {count: 1, records: [{v: 1}], ordered: true, tolerance: 0.5}\n"
              "        ways.rest: {contains: [{}]}\n"
              "        dead_letters: {messages: [{message_key: k, tombstone: true}]}\n"
              "      expect_state:\n"
              "        - {operator: score, key_values: [a, 5], holds: {mean: 1}}\n"
              "        - {operator: score, key_values: [], partition: 2, absent: true}\n");
    assert_int_equal(fixture.report.errors_count, 0);
    const struct mr_test *test = &fixture.tested.tests[0];
    const struct mr_test_expectation *all = test->expect.expectations;
    assert_int_equal(test->expect.expectations_count, 3);
    assert_true(all[0].counted && all[0].ordered);
    assert_int_equal(all[0].count, 1);
    assert_int_equal(all[0].records->count, 1);
    assert_null(all[0].contains);
    assert_true(all[0].tolerance == 0.5);
    assert_false(all[1].counted);
    assert_non_null(all[1].contains);
    assert_string_equal(all[2].output, mr_test_dead_letters);
    assert_true(all[2].messages_given);
    assert_true(all[2].messages[0].tombstone);
    assert_int_equal(test->expect_state.states_count, 2);
    assert_string_equal(test->expect_state.states[0].operator_name, "score");
    assert_int_equal(test->expect_state.states[0].key_values->count, 2);
    assert_non_null(test->expect_state.states[0].holds);
    assert_null(test->expect_state.states[1].holds);
    assert_int_equal(test->expect_state.states[0].partition, -1);
    assert_int_equal(test->expect_state.states[1].partition, 2);
    mr_arena_deinit(&fixture.arena);
}

static void wrong_expectations_are_errors(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"expect: {ways: {count: 1}}", "neither a sink nor NAME.OUTPUT"},
        {"expect: {ways.cold: {count: 1}}", "neither a sink nor NAME.OUTPUT"},
        {"expect: {out: {count: -1}}", "'expect.count' is -1"},
        {"expect: {out: {}}", "expects nothing of 'out'"},
        {"expect: {out: {ordered: true}}", "expects nothing of 'out'"},
        {"expect: {out: {messages: {}}}", "expected a list of messages"},
        {"expect: {out: {messages: [{record: {}, repeat: 2}]}}", "for given records"},
        {"expect_state: {}", "expected a list of expected states"},
        {"expect_state: [{key_values: [a], absent: true}]",
         "needs the option 'expect_state.operator'"},
        {"expect_state: [{operator: skore, key_values: [a], absent: true}]",
         "which is no operator; did you mean 'score'?"},
        {"expect_state: [{operator: ways, key_values: [a], absent: true}]",
         "but branch keeps none"},
        {"expect_state: [{operator: score, absent: true}]", "needs 'key_values'"},
        {"expect_state: [{operator: score, key_values: [{}], absent: true}]", "a value of a key"},
        {"expect_state: [{operator: score, key_values: [a]}]", "needs one of 'holds'"},
        {"expect_state: [{operator: score, key_values: [a], holds: {}, absent: true}]",
         "needs only one of 'holds'"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char test[256];
        (void)snprintf(test, sizeof(test), "      given: {}\n      %s\n", wrong[i][0]);
        refuses(test, wrong[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bounds_are_numbers_by_field),
        cmocka_unit_test(expectations_are_read),
        cmocka_unit_test(wrong_expectations_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
