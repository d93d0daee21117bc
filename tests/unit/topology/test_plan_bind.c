/* tests/unit/topology/test_plan_bind.c — options become columns and programs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_fixture.h"

static void paths_and_expressions_share_columns(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                  "  operators:\n"
                  "    - {name: f, type: filter, from: in, where: 'value > 3.0 && pos.x[1] == 2.0 "
                  "&& value < 9.0'}\n"
                  "    - {name: score, type: detect.zscore, from: f, key: [id], field: value}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: score}\n");

    const struct mr_plan_domain *domain = mr_topology_fixture_domain(&fixture, "in");
    const struct mr_plan_node *score = mr_topology_fixture_node(&fixture, "score");
    assert_int_equal(domain->reads_count, 3); /* id, value, pos.x[1] */
    assert_int_equal(mr_options_slot(&score->options, "field"),
                     mr_topology_fixture_read(domain, "value"));
    assert_true(mr_topology_fixture_read(domain, "pos.x[1]") != MR_SLOT_NONE);
    assert_true(mr_topology_fixture_read(domain, "pos") == MR_SLOT_NONE);
    const struct mr_plan_node *filter = mr_topology_fixture_node(&fixture, "f");
    assert_int_equal(mr_program_type(mr_options_program(&filter->options, "where"))->code,
                     MR_TYPE_BOOL);
    mr_topology_fixture_close(&fixture);
}

static void expressions_of_a_mapping_are_bound_in_name_order(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture,
                             "  sources:\n"
                             "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                             "  operators:\n"
                             "    - {name: m, type: map, from: in, set: {z: '1', a: '\"x\"'}}\n"
                             "  sinks:\n"
                             "    - {name: out, type: kafka, topic: out, from: m}\n");

    const struct mr_option_value *set =
        mr_options_get(&mr_topology_fixture_node(&fixture, "m")->options, "set");
    assert_int_equal(set->count, 2);
    assert_string_equal(set->names[0], "a");
    assert_int_equal(mr_program_type(set->programs[0])->code, MR_TYPE_STRING);
    assert_int_equal(mr_program_type(set->programs[1])->code, MR_TYPE_INT);
    mr_topology_fixture_close(&fixture);
}

static void the_clock_makes_a_replay_differ(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, "  sources:\n"
                                       "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                                       "  operators:\n"
                                       "    - {name: m, type: map, from: in, set: {t: now()}}\n"
                                       "  sinks:\n"
                                       "    - {name: out, type: kafka, topic: out, from: m}\n");

    assert_false(fixture.plan->replayable);
    assert_string_equal(fixture.plan->not_replayable_reason, "an expression of 'm' calls now()");
    mr_topology_fixture_close(&fixture);
}

static void meta_fields_get_columns_once(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture,
        "  sources:\n"
        "    - {name: in, type: kafka, topic: in, key: [id]}\n"
        "  operators:\n"
        "    - {name: f, type: filter, from: in, where: meta.offset > 3 && meta.partition == 0}\n"
        "    - {name: g, type: filter, from: f, where: meta.offset < 9}\n"
        "  sinks:\n"
        "    - {name: out, type: kafka, topic: out, from: g}\n");

    const struct mr_plan_domain *domain = mr_topology_fixture_domain(&fixture, "in");
    assert_true(domain->meta_slots[MR_META_OFFSET] < domain->shape.slots_count);
    assert_true(domain->meta_slots[MR_META_PARTITION] < domain->shape.slots_count);
    assert_true(domain->meta_slots[MR_META_TOPIC] == MR_SLOT_NONE);
    assert_int_equal(domain->shape.slots_count, 3); /* id and two of meta */
    mr_topology_fixture_close(&fixture);
}

static uint32_t column_of_error(const char *where)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, mr_arena_format(&arena,
                                                       "  sources:\n"
                                                       "    - {name: in, type: kafka, topic: in}\n"
                                                       "  operators:\n"
                                                       "    - name: f\n"
                                                       "      type: filter\n"
                                                       "      from: in\n"
                                                       "      where: %s\n",
                                                       where));
    uint32_t column = 0;
    for (uint32_t i = 0; i < fixture.report.findings_count; i++)
        if (fixture.report.findings[i].severity == MR_SEVERITY_ERROR)
            column = fixture.report.findings[i].location.column;
    mr_topology_fixture_close(&fixture);
    mr_arena_deinit(&arena);
    return column;
}

static void errors_point_into_the_scalar(void **state)
{
    (void)state;
    assert_int_equal(column_of_error("a && && b"), 14 + 5);
    assert_int_equal(column_of_error("'a && && b'"), 15 + 5);
    assert_int_equal(column_of_error("\"a && && b\""), 15 + 5);
    assert_int_equal(column_of_error("'x == ''a'' && && b'"), 15 + 14);
    assert_int_equal(column_of_error("'x == \"\xC3\xA9\" && && b'"), 15 + 12);
    assert_int_equal(column_of_error("\"x == \\\"a\\\" && && b\""), 14); /* escapes: the scalar */
    assert_int_equal(column_of_error("'${NONE:a} && && b'"), 14);        /* filled in */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths_and_expressions_share_columns),
        cmocka_unit_test(expressions_of_a_mapping_are_bound_in_name_order),
        cmocka_unit_test(the_clock_makes_a_replay_differ),
        cmocka_unit_test(meta_fields_get_columns_once),
        cmocka_unit_test(errors_point_into_the_scalar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
