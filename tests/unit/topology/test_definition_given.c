/* tests/unit/topology/test_definition_given.c — records that tests give; messages are in
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

static void messages_are_read(void **state)
{
    (void)state;
    struct fixture fixture;
    open_test(&fixture, "      given:\n"
                        "        in:\n"
                        "          - {record: {v: 1}, repeat: 3, set: {v: i, w: 'i * 2'}}\n"
                        "          - {payload: '{broken', message_key: k1}\n"
                        "          - {tombstone: true, message_key: k2, message_timestamp: '5',\n"
                        "             message_headers: {a: b}}\n"
                        "      expect: {out: {count: 0}}\n");
    assert_int_equal(fixture.report.errors_count, 0);
    const struct mr_test_step *step = &fixture.tested.tests[0].steps[0];
    assert_int_equal(step->givens_count, 1);
    assert_string_equal(step->givens[0].source, "in");
    const struct mr_test_message *messages = step->givens[0].messages;
    assert_int_equal(step->givens[0].messages_count, 3);
    assert_non_null(messages[0].record);
    assert_int_equal(messages[0].repeat, 3);
    assert_int_equal(messages[0].set_count, 2);
    assert_string_equal(messages[0].set_names[1], "w");
    assert_non_null(messages[0].set_programs[1]);
    assert_int_equal(messages[0].partition, -1);
    assert_null(messages[0].key);
    assert_string_equal(messages[1].payload, "{broken");
    assert_string_equal(messages[1].key, "k1");
    assert_true(messages[2].tombstone);
    assert_non_null(messages[2].timestamp_program);
    assert_int_equal(messages[2].headers_count, 1);
    assert_string_equal(messages[2].header_values[0], "b");
    mr_arena_deinit(&fixture.arena);
}

static void wrong_messages_are_errors(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"{out: []}", "which is no source"},
        {"{in: {}}", "expected a list"},
        {"{in: [{repeat: 1}]}", "needs one of: 'record'"},
        {"{in: [{record: {}, tombstone: true}]}", "has more than one of"},
        {"{in: [{payload: x, set: {a: i}}]}", "there is no 'record'"},
        {"{in: [{record: {}, set: {t: k}}]}", "the only variable is i"},
        {"{in: [{record: {}, message_timestamp: 5}]}", "quote it ('5')"},
        {"{in: [{record: {}, message_timestamp: 'i +'}]}", "message_timestamp"},
        {"{in: [{record: {}, message_key: 5}]}", "quote it ('5')"},
        {"{in: [{record: {}, key: k}]}", "no option 'given.key'"},
        {"{in: [{record: []}]}", "expected a mapping"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        char test[256];
        (void)snprintf(test, sizeof(test), "      given: %s\n      expect: {out: {count: 0}}\n",
                       wrong[i][0]);
        refuses(test, wrong[i][1]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_read),
        cmocka_unit_test(wrong_messages_are_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
