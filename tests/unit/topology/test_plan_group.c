/* tests/unit/topology/test_plan_group.c — the fields of rows that stand for groups. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/topology_fixture.h"

static void open(struct mr_topology_fixture *fixture, const char *operators)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    mr_topology_fixture_open(fixture,
                             mr_arena_format(&arena,
                                             "  sources:\n"
                                             "    - {name: in, type: kafka, topic: in, key: [a], "
                                             "schema: {id: int, name: string, pos: {x: double}}}\n"
                                             "  operators:\n%s",
                                             operators));
    mr_arena_deinit(&arena);
}

static void the_fields_are_those_of_key_type_and_aggregates(void **state)
{
    MR_UNUSED(state);
    struct mr_topology_fixture fixture;
    open(&fixture, "    - {name: w, type: window.aggregate, from: in, key: [id, pos.x], "
                   "window: {tumbling: 10s}, aggregates: {size: count(), aa: last(name)}}\n");
    if (fixture.plan == NULL)
        fail_msg("%s", fixture.report.findings[0].message);
    const struct mr_plan_domain *domain = mr_topology_fixture_domain(&fixture, "w");
    static const enum mr_type_code types[] = {MR_TYPE_INT, MR_TYPE_DOUBLE, MR_TYPE_INT,
                                              MR_TYPE_INT, MR_TYPE_STRING, MR_TYPE_INT};
    assert_int_equal(domain->field_slots_count, MR_ARRAY_COUNT(types));
    for (uint32_t i = 0; i < MR_ARRAY_COUNT(types); i++)
        assert_int_equal(domain->field_types[i], types[i]);
    const struct mr_plan_node *node = mr_topology_fixture_node(&fixture, "w");
    assert_non_null(mr_topology_fixture_edit(node->outputs[0].layout, "x"));
    assert_non_null(mr_topology_fixture_edit(node->outputs[0].layout, "window_end"));
    assert_int_equal(node->outputs[1].domain, node->inputs[0].domain);
    mr_topology_fixture_close(&fixture);
}

static void groups_stay_where_they_are(void **state)
{
    MR_UNUSED(state);
    struct mr_topology_fixture fixture;
    open(&fixture,
         "    - {name: w, type: window.aggregate, from: in, key: [a], window: {tumbling: 10s}, "
         "aggregates: {size: count()}, having: size > 1}\n"
         "    - {name: v, type: window.aggregate, from: w, key: [a], window: {tumbling: 1m}, "
         "aggregates: {most: avg(size)}}\n"
         "    - {name: u, type: window.aggregate, from: w, key: [size], "
         "window: {tumbling: 1m}, aggregates: {most: avg(size)}}\n");
    for (uint32_t i = 0; fixture.plan == NULL && i < fixture.report.findings_count; i++)
        print_error("%s\n", fixture.report.findings[i].message);
    assert_non_null(fixture.plan);
    assert_int_equal(fixture.plan->repartitions_count, 1);
    assert_string_equal(fixture.plan->repartitions[0].name, "u-repartition");
    const struct mr_plan_node *node = mr_topology_fixture_node(&fixture, "w");
    assert_non_null(mr_options_program(&node->options, "having"));
    mr_topology_fixture_close(&fixture);
}

static void what_does_not_fit_is_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *part;
    } cases[] = {
        {"key: [a], aggregates: {a: count()}", "'aggregates' makes a second field 'a'"},
        {"key: [a], aggregates: {window_end: count()}", "a second field 'window_end'"},
        {"key: [window_end], aggregates: {size: count()}", "rename it by a map before"},
        {"key: [a.b, c.b], aggregates: {size: count()}", "'key' makes a second field 'b'"},
        {"key: [a], aggregates: {size: count()}, having: siz > 1", "no field 'siz'"},
        {"key: [a], aggregates: {size: count()}, having: size", "bool"},
        {"key: [a], aggregates: {size: cout()}", "did you mean 'count'"},
        {"key: [a], aggregates: {mean: avg(name)}", "needs a number"},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_topology_fixture fixture;
        char text[512];
        snprintf(text, sizeof(text),
                 "    - {name: w, type: window.aggregate, from: in, window: {tumbling: 10s}, %s}\n",
                 cases[i].options);
        open(&fixture, text);
        assert_null(fixture.plan);
        if (!mr_topology_fixture_says(&fixture, cases[i].part))
            fail_msg("%s: %s", cases[i].options, fixture.report.findings[0].message);
        mr_topology_fixture_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_fields_are_those_of_key_type_and_aggregates),
        cmocka_unit_test(groups_stay_where_they_are),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
