/* tests/unit/topology/test_plan_derive.c — rows copied into a domain of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "tests/support/topology_fixture.h"

static void a_write_of_one_input_is_absent_in_the_other(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, "  sources:\n"
                                       "    - {name: a, type: kafka, topic: a, key: [id]}\n"
                                       "    - {name: b, type: kafka, topic: b, key: [id]}\n"
                                       "  operators:\n"
                                       "    - {name: m, type: map, from: b, set: {x: v + 1.0}}\n"
                                       "    - {name: all, type: merge, inputs: [a, m]}\n"
                                       "    - {name: f, type: filter, from: all, where: x > 1.0}\n"
                                       "  sinks:\n"
                                       "    - {name: out, type: kafka, topic: out, from: f}\n");

    const struct mr_plan_node *all = mr_topology_fixture_node(&fixture, "all");
    const struct mr_plan_node *m = mr_topology_fixture_node(&fixture, "m");
    const struct mr_plan_node *out = mr_topology_fixture_node(&fixture, "out");
    const struct mr_edit *edit = mr_topology_fixture_edit(out->layout, "x");
    assert_non_null(edit);
    assert_true(out->layout->from_payload);
    /* The edit's cell is what m wrote, and nothing in the rows of a: those keep their own x. */
    assert_true(all->inputs[0].slot_map[edit->slot] == MR_SLOT_NONE);
    assert_int_equal(all->inputs[1].slot_map[edit->slot], m->set_slots[0]);
    /* The filter reads the payload's x in the rows of a. */
    uint32_t read = mr_topology_fixture_read(mr_topology_fixture_domain(&fixture, "a"), "x");
    assert_true(read != MR_SLOT_NONE);
    bool found = false;
    uint32_t slots_count = mr_topology_fixture_domain(&fixture, "all")->shape.slots_count;
    for (uint32_t i = 0; i < slots_count; i++)
        found = found || (all->inputs[0].slot_map[i] == read &&
                          all->inputs[1].slot_map[i] == m->set_slots[0]);
    assert_true(found);
    mr_topology_fixture_close(&fixture);
}

static void slots_say_what_they_hold(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture,
        "  sources:\n"
        "    - {name: a, type: kafka, topic: a, key: [id]}\n"
        "    - {name: b, type: kafka, topic: b, key: [id]}\n"
        "  operators:\n"
        "    - {name: m, type: map, from: b, set: {x: v + 1.0}}\n"
        "    - {name: all, type: merge, inputs: [a, m]}\n"
        "    - {name: f, type: filter, from: all, where: pos.x > 1.0 && meta.offset > 5}\n"
        "    - {name: score, type: detect.zscore, from: f, key: [id], field: v}\n"
        "  sinks:\n"
        "    - {name: out, type: kafka, topic: out, from: score}\n");
    const struct mr_plan_domain *domain = mr_topology_fixture_domain(&fixture, "all");
    const struct mr_plan_node *score = mr_topology_fixture_node(&fixture, "score");
    static const char *const expected[] = {"id", "v", "pos.x", "edit x", "meta 3"};
    for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++) {
        bool found = false;
        for (uint32_t slot = 0; slot < domain->shape.slots_count; slot++)
            found = found || (domain->slot_names[slot] != NULL &&
                              strcmp(domain->slot_names[slot], expected[i]) == 0);
        if (!found)
            fail_msg("no slot holds %s", expected[i]);
    }
    assert_null(domain->slot_names[score->added_slots[0]]); /* made behind */
    assert_null(mr_topology_fixture_domain(&fixture, "a")->slot_names);
    mr_topology_fixture_close(&fixture);
}

static void keys_and_spans_are_mapped(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: a, type: kafka, topic: a, key: [id]}\n"
                  "    - {name: b, type: kafka, topic: b, key: [id]}\n"
                  "  operators:\n"
                  "    - {name: all, type: merge, inputs: [a, b]}\n"
                  "    - {name: score, type: detect.zscore, from: all, key: [id], field: v}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: score}\n");

    assert_int_equal(fixture.plan->repartitions_count, 0); /* both are grouped by id */
    const struct mr_plan_node *all = mr_topology_fixture_node(&fixture, "all");
    const struct mr_plan_node *score = mr_topology_fixture_node(&fixture, "score");
    for (uint32_t i = 0; i < 2; i++) {
        const struct mr_plan_node *source = &fixture.plan->nodes[all->inputs[i].producer];
        assert_int_equal(all->inputs[i].key_map[score->key.key_id], source->key.key_id);
        const struct mr_edit *edit = mr_topology_fixture_edit(score->outputs[0].layout, "anomaly");
        uint32_t span = all->inputs[i].span_map[edit->span];
        const struct mr_plan_domain *domain = &fixture.plan->domains[source->outputs[0].domain];
        assert_string_equal(domain->tracked_names[span], "anomaly");
    }
    mr_topology_fixture_close(&fixture);
}

static void inputs_grouped_otherwise_lose_the_key(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: a, type: kafka, topic: a, key: [id]}\n"
                  "    - {name: b, type: kafka, topic: b, key: [site]}\n"
                  "  operators:\n"
                  "    - {name: all, type: merge, inputs: [a, b]}\n"
                  "    - {name: score, type: detect.zscore, from: all, key: [id], field: v}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: score}\n");

    assert_int_equal(fixture.plan->repartitions_count, 1);
    assert_non_null(strstr(fixture.plan->repartitions[0].reason,
                           "the inputs of 'all' are not grouped by one key"));
    mr_topology_fixture_close(&fixture);
}

static void the_element_replaces_the_field(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture,
        "  sources:\n"
        "    - {name: in, type: kafka, topic: in, key: [id]}\n"
        "  operators:\n"
        "    - {name: each, type: flat_map, from: in, field: items, into: item}\n"
        "    - {name: f, type: filter, from: each, where: item.price > 1.0 && size(items) > 2}\n"
        "  sinks:\n"
        "    - {name: out, type: kafka, topic: out, from: f}\n");

    const struct mr_plan_node *each = mr_topology_fixture_node(&fixture, "each");
    assert_int_equal(each->set_slots_count, 1);
    assert_true(each->inputs[0].slot_map[each->set_slots[0]] == MR_SLOT_NONE);
    const struct mr_plan_node *out = mr_topology_fixture_node(&fixture, "out");
    assert_int_equal(mr_topology_fixture_edit(out->layout, "item")->slot, each->set_slots[0]);
    assert_null(mr_topology_fixture_edit(out->layout, "items"));
    assert_int_not_equal(each->outputs[0].domain, each->inputs[0].domain);
    mr_topology_fixture_close(&fixture);
}

/* Every level doubles the ways from the source: planning must not walk them one by one. */
static void a_chain_of_diamonds_is_planned_in_time(void **state)
{
    (void)state;
    struct mr_buffer text;
    mr_buffer_init(&text, 1 << 20);
    assert_int_equal(mr_buffer_append_text(&text, "  sources:\n"
                                                  "    - {name: m0, type: generate.sequence}\n"
                                                  "  operators:\n"),
                     MR_OK);
    for (int i = 1; i <= 100; i++)
        assert_int_equal(
            mr_buffer_append_format(
                &text,
                "    - {name: l%d, type: filter, from: m%d, where: seq > 1 && meta.offset > 2}\n"
                "    - {name: r%d, type: filter, from: m%d, where: ts > 1}\n"
                "    - {name: m%d, type: merge, inputs: [l%d, r%d]}\n",
                i, i - 1, i, i - 1, i, i, i),
            MR_OK);
    assert_int_equal(mr_buffer_append_text(&text, "  sinks:\n"
                                                  "    - {name: o, type: stdout, from: m100}\n"),
                     MR_OK);
    size_t size = text.size;
    assert_int_equal(mr_buffer_append(&text, "", 1), MR_OK);
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, (const char *)text.data);
    assert_non_null(fixture.plan);
    mr_topology_fixture_close(&fixture);
    text.size = size; /* the same for a name that nobody has */
    assert_int_equal(
        mr_buffer_append_text(&text, "    - {name: p, type: stdout, from: m100, where: no > 1}\n"),
        MR_OK);
    assert_int_equal(mr_buffer_append(&text, "", 1), MR_OK);
    mr_topology_fixture_open(&fixture, (const char *)text.data);
    assert_int_equal(fixture.report.errors_count, 1);
    assert_true(mr_topology_fixture_says(&fixture, "have no field 'no'"));
    mr_topology_fixture_close(&fixture);
    mr_buffer_deinit(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_write_of_one_input_is_absent_in_the_other),
        cmocka_unit_test(slots_say_what_they_hold),
        cmocka_unit_test(keys_and_spans_are_mapped),
        cmocka_unit_test(inputs_grouped_otherwise_lose_the_key),
        cmocka_unit_test(the_element_replaces_the_field),
        cmocka_unit_test(a_chain_of_diamonds_is_planned_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
