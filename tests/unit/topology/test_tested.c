/* tests/unit/topology/test_tested.c — a topology between given sources and captured sinks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_catalogue.h"
#include "topology/tested.h"

static const char text[] =
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
    "  sources:\n"
    "    - {name: in, type: kafka, topic: t.in, key: [k], format: csv, csv: {columns: [k, v]},\n"
    "       schema: {v: double}}\n"
    "    - {name: twin, type: kafka, topic: shared}\n"
    "    - {name: other, type: kafka, topic: shared}\n"
    "    - {name: numbers, type: metrics}\n"
    "  operators:\n"
    "    - {name: ways, type: branch, from: in, branches: [{name: hot, where: v > 1.0}]}\n"
    "    - {name: score, type: detect.zscore, from: in, key: [k], field: v}\n"
    "  sinks:\n"
    "    - {name: out, type: kafka, topic: t.out, key: [k], from: ways.hot, where: v > 2.0}\n"
    "    - {name: screen, type: stdout, from: score}\n"
    "    - {name: captured-2, type: stdout, from: numbers}\n"
    "    - {name: all, type: stdout, from: twin}\n"
    "    - {name: more, type: stdout, from: other}\n"
    "  tests:\n"
    "    - name: x\n"
    "      given: {}\n"
    "      expect:\n"
    "        score.main: {count: 0}\n"
    "        score.alerts: {count: 0}\n"
    "        out: {count: 0}\n"
    "        dead_letters: {count: 0}\n"
    "    - {name: z, steps: [{expect: {ways.rest: {count: 0}, score.alerts: {count: 0}}}]}\n";

static const char *topic_of(const struct mr_tested *tested, const char *output)
{
    for (uint32_t i = 0; i < tested->outputs_count; i++)
        if (strcmp(tested->outputs[i].name, output) == 0)
            return tested->outputs[i].topic;
    return NULL;
}

static void sources_and_sinks_are_replaced(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_report report;
    struct mr_tested tested;
    mr_arena_init(&arena, 4096);
    mr_report_init(&report, &arena, "test");
    mr_topology_parse_tested(mr_slice_text(text), &mr_test_catalogue, NULL, &arena, &report,
                             &tested);
    for (uint32_t i = 0; i < report.findings_count; i++)
        print_message("%s\n", report.findings[i].message);
    assert_non_null(tested.plan);
    assert_int_equal(tested.tests_count, 2);

    /* What a record is stays; where it comes from does not. */
    const struct mr_plan_node *in = mr_plan_node_find(tested.plan, "in");
    assert_string_equal(in->format, "csv");
    assert_true(in->key.given);
    assert_string_equal(mr_tested_source_topic(&tested, "in"), "t.in");
    assert_string_equal(mr_tested_source_topic(&tested, "twin"), "given.twin");
    assert_string_equal(mr_tested_source_topic(&tested, "numbers"), "numbers");
    const struct mr_plan_node *numbers = mr_plan_node_find(tested.plan, "numbers");
    assert_string_equal(numbers->type->name, "kafka");
    assert_string_equal(numbers->format, "json");
    assert_non_null(
        mr_definition_value(mr_definition_find(tested.definition, "numbers"), "schema")->schema);

    const struct mr_plan_node *out = mr_plan_node_find(tested.plan, "out");
    assert_non_null(out->where);
    assert_true(out->key.given);
    assert_string_equal(mr_plan_node_find(tested.plan, "screen")->type->name, "kafka");
    assert_string_equal(topic_of(&tested, "out"), "captured.out");
    assert_string_equal(topic_of(&tested, "screen"), "captured.screen");

    /* An output gets one sink, whatever the number of tests that expect it, and a name of its own.
     */
    assert_int_equal(tested.outputs_count, 8);
    assert_non_null(topic_of(&tested, "score.main"));
    assert_non_null(topic_of(&tested, "score.alerts"));
    assert_non_null(topic_of(&tested, "ways.rest"));
    assert_null(topic_of(&tested, "dead_letters"));
    mr_arena_deinit(&arena);
}

static void a_file_without_tests_has_no_plan(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_report report;
    struct mr_tested tested;
    mr_arena_init(&arena, 4096);
    mr_report_init(&report, &arena, "test");
    struct mr_slice whole = mr_slice_text(text);
    whole.size = (size_t)(strstr(text, "  tests:") - text);
    mr_topology_parse_tested(whole, &mr_test_catalogue, NULL, &arena, &report, &tested);
    assert_int_equal(report.errors_count, 0);
    assert_int_equal(tested.tests_count, 0);
    assert_null(tested.plan);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_and_sinks_are_replaced),
        cmocka_unit_test(a_file_without_tests_has_no_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
