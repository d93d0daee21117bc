/* tests/unit/topology/test_tested.c — a topology between given sources and captured sinks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

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

static const char lookups[] =
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
    "  sources:\n"
    "    - {name: in, type: kafka, topic: in}\n"
    "    - {name: side, type: memory, records: [{k: 1}], format: csv,\n"
    "       csv: {columns: [k, v]}, key: [k], table: true}\n"
    "  operators:\n"
    "    - {name: known, type: join.lookup, from: in, table: side, key: [k]}\n"
    "  sinks:\n"
    "    - {name: out, type: kafka, topic: out, from: known}\n"
    "  tests:\n"
    "    - {name: x, expect: {out: {count: 0}}, steps: [%s]}\n";

static void parse_lookups(const char *steps, struct mr_arena *arena, struct mr_report *report,
                          struct mr_tested *tested)
{
    mr_arena_init(arena, 4096);
    mr_report_init(report, arena, "test");
    char *whole = mr_arena_take(arena, sizeof(lookups) + strlen(steps));
    (void)snprintf(whole, sizeof(lookups) + strlen(steps), lookups, steps);
    mr_topology_parse_tested(mr_slice_text(whole), &mr_test_catalogue, NULL, arena, report, tested);
    for (uint32_t i = 0; i < report->findings_count; i++)
        print_message("%s\n", report->findings[i].message);
}

static void a_lookup_is_given_before_the_start(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_report report;
    struct mr_tested tested;
    parse_lookups("{given: {side: [{file: a.csv}, {record: {k: 1}}]}}, {given: {in: []}}", &arena,
                  &report, &tested);
    assert_int_equal(report.errors_count, 0);
    assert_int_equal(tested.lookups_count, 1);
    assert_null(mr_tested_lookup(&tested, "in"));
    assert_false(mr_tested_lookup(&tested, "side")->skip_header);
    assert_string_equal(tested.tests[0].steps[0].givens[0].messages[0].file, "a.csv");
    const struct mr_plan_node *side = mr_plan_node_find(tested.plan, "side");
    assert_string_equal(side->type->name, "memory");
    assert_string_equal(side->format, "csv");
    assert_true(side->is_broadcast);
    static const char *const payloads[] = {"1,a", "2,b"};
    mr_tested_give_lookup(&tested, "side", payloads, 2);
    assert_int_equal(mr_options_get(&side->options, "records")->count, 2);
    assert_string_equal(mr_options_get(&side->options, "records")->texts[1], "2,b");
    mr_arena_deinit(&arena);
}

static void a_lookup_is_given_lines_only(void **state)
{
    (void)state;
    static const char *const wrong[][2] = {
        {"{given: {in: []}}, {given: {side: [{file: f}]}}", "is read once"},
        {"{given: {in: [{file: f}]}}", "'in' is none"},
        {"{given: {side: [{tombstone: true}]}}", "is no tombstone"},
        {"{given: {side: [{payload: a, message_key: k}]}}", "it has no message key"},
        {"{given: {side: [{payload: a, partition: 0}]}}", "it has no message key"},
        {"{given: {side: [{payload: a, file: f}]}}", "has more than one of"},
        {"{expect: {out: {messages: [{file: f}]}}}", "no option"},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct mr_arena arena;
        struct mr_report report;
        struct mr_tested tested;
        parse_lookups(wrong[i][0], &arena, &report, &tested);
        assert_int_equal(report.errors_count, 1);
        assert_non_null(strstr(report.findings[0].message, wrong[i][1]));
        assert_null(tested.plan);
        mr_arena_deinit(&arena);
    }
}

/* A topic that every task reads stays one: what comes later is a change. */
static void a_lookup_in_a_topic_is_a_table(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_report report;
    struct mr_tested tested;
    static const char topic[] =
        "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: t}\nspec:\n"
        "  sources:\n"
        "    - {name: in, type: kafka, topic: in}\n"
        "    - {name: side, type: kafka, topic: side, key: [k], table: true}\n"
        "  operators:\n"
        "    - {name: known, type: join.lookup, from: in, table: side, key: [k]}\n"
        "  sinks:\n"
        "    - {name: out, type: kafka, topic: out, from: known}\n"
        "  tests:\n"
        "    - {name: x, expect: {out: {count: 0}}, steps: [{given: {in: []}},\n"
        "       {given: {side: [{record: {k: a}, partition: 0}, {tombstone: true, message_key: "
        "a}]}}]}\n";
    mr_arena_init(&arena, 4096);
    mr_report_init(&report, &arena, "test");
    mr_topology_parse_tested(mr_slice_text(topic), &mr_test_catalogue, NULL, &arena, &report,
                             &tested);
    for (uint32_t i = 0; i < report.findings_count; i++)
        print_message("%s\n", report.findings[i].message);
    assert_int_equal(report.errors_count, 0);
    assert_int_equal(tested.lookups_count, 0);
    const struct mr_plan_node *side = mr_plan_node_find(tested.plan, "side");
    assert_string_equal(side->type->name, "kafka");
    assert_true(side->is_broadcast);
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
        cmocka_unit_test(a_lookup_is_given_before_the_start),
        cmocka_unit_test(a_lookup_is_given_lines_only),
        cmocka_unit_test(a_lookup_in_a_topic_is_a_table),
        cmocka_unit_test(a_file_without_tests_has_no_plan),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
