/* tests/unit/topology/test_plan_layout.c — views become layouts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_fixture.h"

static void spans_exist_only_where_records_are_written(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, "  sources:\n"
                                       "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                                       "  operators:\n"
                                       "    - {name: m, type: map, from: in, set: {x: v}}\n"
                                       "    - {name: f, type: filter, from: m, where: ok}\n"
                                       "  sinks:\n"
                                       "    - {name: out, type: kafka, topic: out, from: f}\n");

    const struct mr_plan_node *m = mr_topology_fixture_node(&fixture, "m");
    const struct mr_plan_node *f = mr_topology_fixture_node(&fixture, "f");
    assert_true(mr_topology_fixture_edit(m->outputs[0].layout, "x")->span == MR_SLOT_NONE);
    assert_int_equal(mr_topology_fixture_edit(f->outputs[0].layout, "x")->span, 0);
    assert_ptr_equal(mr_topology_fixture_node(&fixture, "out")->layout, f->outputs[0].layout);
    mr_topology_fixture_close(&fixture);
}

static void kept_members_are_copied_as_bytes(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture,
        "  sources:\n"
        "    - {name: in, type: kafka, topic: in, key: [id]}\n"
        "  operators:\n"
        "    - {name: m, type: map, from: in, set: {x: v}, keep: [x, a, b], rename: {b: c}}\n"
        "  sinks:\n"
        "    - {name: out, type: kafka, topic: out, from: m}\n");

    const struct mr_layout *layout = mr_topology_fixture_node(&fixture, "out")->layout;
    const struct mr_plan_domain *domain = mr_topology_fixture_domain(&fixture, "in");
    assert_false(layout->from_payload);
    assert_int_equal(layout->edits_count, 3);
    const struct mr_edit *a = mr_topology_fixture_edit(layout, "a");
    const struct mr_edit *c = mr_topology_fixture_edit(layout, "c");
    assert_string_equal(domain->tracked_names[a->raw_span], "a");
    assert_string_equal(domain->tracked_names[c->raw_span], "b");
    assert_true(a->slot == MR_SLOT_NONE && a->span == MR_SLOT_NONE);
    assert_true(mr_topology_fixture_edit(layout, "x")->slot != MR_SLOT_NONE);
    mr_topology_fixture_close(&fixture);
}

static void added_fields_are_in_name_order_behind_earlier_ones(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                  "  operators:\n"
                  "    - {name: m, type: map, from: in, set: {zz: v, aa: v}}\n"
                  "    - {name: score, type: detect.zscore, from: m, key: [id], field: v}\n"
                  "    - {name: k, type: map, from: score, set: {bb: v}}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: k}\n");

    const struct mr_layout *layout = mr_topology_fixture_node(&fixture, "out")->layout;
    static const char *const names[] = {"aa", "zz", "anomaly", "bb"};
    assert_int_equal(layout->edits_count, 4);
    for (uint32_t i = 0; i < 4; i++)
        assert_string_equal(layout->edits[i].name, names[i]);
    const struct mr_plan_node *score = mr_topology_fixture_node(&fixture, "score");
    assert_int_equal(layout->edits[2].group_count, 3);
    assert_string_equal(layout->edits[2].group[0].name, "score");
    assert_int_equal(layout->edits[2].group[2].slot, score->added_slots[2]);
    mr_topology_fixture_close(&fixture);
}

static void single_values_and_columns_have_layouts_of_their_own(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                  "  sinks:\n"
                  "    - {name: text, type: kafka, topic: out, from: in, format: string}\n"
                  "    - {name: rows, type: kafka, topic: out, from: in, format: csv, csv: "
                  "{columns: [id, pos.x]}}\n");

    const struct mr_plan_domain *domain = mr_topology_fixture_domain(&fixture, "in");
    const struct mr_plan_node *text = mr_topology_fixture_node(&fixture, "text");
    const struct mr_plan_node *rows = mr_topology_fixture_node(&fixture, "rows");
    assert_int_equal(text->value_slot, mr_topology_fixture_read(domain, "value"));
    assert_true(rows->value_slot == MR_SLOT_NONE);
    assert_int_equal(rows->layout->edits_count, 2);
    assert_int_equal(mr_topology_fixture_edit(rows->layout, "pos.x")->slot,
                     mr_topology_fixture_read(domain, "pos.x"));
    mr_topology_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_exist_only_where_records_are_written),
        cmocka_unit_test(kept_members_are_copied_as_bytes),
        cmocka_unit_test(added_fields_are_in_name_order_behind_earlier_ones),
        cmocka_unit_test(single_values_and_columns_have_layouts_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
