/* tests/unit/topology/test_plan_source.c — records as they enter. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_fixture.h"

static void json_is_open_and_starts_from_the_payload(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, "  sources:\n"
                                       "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                                       "  sinks:\n"
                                       "    - {name: out, type: kafka, topic: out, from: in}\n");

    const struct mr_plan_node *in = mr_topology_fixture_node(&fixture, "in");
    assert_true(in->outputs[0].layout->from_payload);
    assert_int_equal(in->outputs[0].layout->edits_count, 0);
    assert_string_equal(in->format, "json");
    mr_topology_fixture_close(&fixture);
}

static void declared_types_reach_the_reads(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture,
        "  sources:\n"
        "    - {name: in, type: kafka, topic: in, schema: {k: int, pos: {x: double}}}\n"
        "  operators:\n"
        "    - {name: f, type: filter, from: in, where: k > 3 && pos.x > 1.0 && other == 1.0}\n"
        "  sinks:\n"
        "    - {name: out, type: kafka, topic: out, from: f}\n");

    const struct mr_plan_domain *domain = mr_topology_fixture_domain(&fixture, "in");
    static const struct {
        const char *path;
        enum mr_type_code code;
    } expected[] = {{"k", MR_TYPE_INT}, {"pos.x", MR_TYPE_DOUBLE}, {"other", MR_TYPE_ANY}};
    assert_int_equal(domain->reads_count, 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_string_equal(domain->reads[i].path.text, expected[i].path);
        assert_int_equal(domain->reads[i].type->code, expected[i].code);
    }
    mr_topology_fixture_close(&fixture);
}

static void csv_has_its_columns(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, "  sources:\n"
                                       "    - {name: in, type: kafka, topic: in, format: csv, csv: "
                                       "{columns: [id, v]}, schema: {v: double}}\n"
                                       "  sinks:\n"
                                       "    - {name: out, type: kafka, topic: out, from: in}\n");

    const struct mr_plan_node *out = mr_topology_fixture_node(&fixture, "out");
    const struct mr_plan_domain *domain = mr_topology_fixture_domain(&fixture, "in");
    assert_false(out->layout->from_payload);
    assert_int_equal(out->layout->edits_count, 2);
    assert_int_equal(mr_topology_fixture_edit(out->layout, "v")->slot,
                     mr_topology_fixture_read(domain, "v"));
    assert_int_equal(domain->shape.spans_count, 0);
    mr_topology_fixture_close(&fixture);
}

static void generators_fill_their_declared_fields(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: generate.random, fields: [{name: z}, {name: a}]}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: in}\n");

    const struct mr_plan_domain *domain = mr_topology_fixture_domain(&fixture, "in");
    const struct mr_plan_node *out = mr_topology_fixture_node(&fixture, "out");
    assert_int_equal(domain->field_slots_count, 2);
    assert_int_equal(domain->reads_count, 0);
    assert_int_equal(mr_topology_fixture_edit(out->layout, "z")->slot, domain->field_slots[0]);
    assert_int_equal(mr_topology_fixture_edit(out->layout, "a")->slot, domain->field_slots[1]);
    assert_null(mr_topology_fixture_node(&fixture, "in")->format);
    mr_topology_fixture_close(&fixture);
}

static void typed_records_are_json_with_a_schema(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture,
                             "  sources:\n"
                             "    - {name: in, type: metrics}\n"
                             "  operators:\n"
                             "    - {name: f, type: filter, from: in, where: value > 1.0}\n"
                             "  sinks:\n"
                             "    - {name: out, type: kafka, topic: out, from: f}\n");

    const struct mr_plan_domain *domain = mr_topology_fixture_domain(&fixture, "in");
    assert_int_equal(domain->reads[0].type->code, MR_TYPE_DOUBLE);
    assert_true(mr_topology_fixture_node(&fixture, "in")->outputs[0].layout->from_payload);
    mr_topology_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_open_and_starts_from_the_payload),
        cmocka_unit_test(declared_types_reach_the_reads),
        cmocka_unit_test(csv_has_its_columns),
        cmocka_unit_test(generators_fill_their_declared_fields),
        cmocka_unit_test(typed_records_are_json_with_a_schema),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
