/* tests/unit/topology/test_plan_join.c — plan_join.c: what is kept of a row is what is read behind
 * the join, in an order that does not depend on who asks first. Whole plans and findings:
 * tests/golden/topology/plan_join.yaml, rule06_joins.yaml. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/plan_check.h"
#include "tests/support/topology_fixture.h"

static struct mr_topology_fixture fixture;

static const struct mr_plan_node *plan_join(const char *join, const char *behind)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    mr_topology_fixture_open(
        &fixture,
        mr_arena_format(&arena,
                        "  sources:\n"
                        "    - {name: a, type: kafka, topic: a, key: [id]}\n"
                        "    - {name: b, type: kafka, topic: b, key: [id]}\n"
                        "  operators:\n"
                        "    - {name: pairs, type: join.interval, left: a, right: b, key: [id]%s}\n"
                        "%s",
                        join, behind));
    mr_arena_deinit(&arena);
    const struct mr_plan_node *node = mr_topology_fixture_node(&fixture, "pairs");
    mr_plan_check(fixture.plan);
    return node;
}

static void only_what_is_read_is_kept(void **state)
{
    MR_UNUSED(state);
    const struct mr_plan_node *node =
        plan_join(", set: {x: left.p + right.q}",
                  "  sinks:\n    - {name: o, type: kafka, topic: o, from: pairs}\n");
    const struct mr_plan_join_side *left = &node->join->sides[0];
    assert_int_equal(left->slots_count, 1);
    assert_string_equal(left->names[0], "p");
    assert_int_equal(left->text_slot, MR_SLOT_NONE);
    assert_int_equal(node->join->sides[1].slots_count, 1);
    assert_false(left->whole);
    assert_null(left->only.slot_map);
    assert_null(left->late.slot_map);
    mr_topology_fixture_close(&fixture);
}

static void the_order_of_questions_does_not_matter(void **state)
{
    MR_UNUSED(state);
    static const char *const behind[] = {
        "    - {name: f, type: filter, from: pairs, where: left.b > left.a}\n"
        "    - {name: g, type: filter, from: f, where: left.c.d > 1.0}\n",
        "    - {name: g, type: filter, from: pairs, where: left.c.d > 1.0}\n"
        "    - {name: f, type: filter, from: g, where: left.a < left.b}\n",
    };
    static const char *const names[] = {"a", "b", "c.d"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(behind); i++) {
        const struct mr_plan_join_side *left = &plan_join("", behind[i])->join->sides[0];
        assert_int_equal(left->slots_count, 3);
        for (uint32_t j = 0; j < 3; j++)
            assert_string_equal(left->names[j], names[j]);
        mr_topology_fixture_close(&fixture);
    }
}

static void whole_records_travel_as_text(void **state)
{
    MR_UNUSED(state);
    const struct mr_plan_node *node =
        plan_join("", "  sinks:\n"
                      "    - {name: o, type: kafka, topic: o, from: pairs}\n"
                      "    - {name: l, type: kafka, topic: o, from: pairs.left_only}\n");
    const struct mr_plan_join_side *left = &node->join->sides[0];
    assert_int_not_equal(left->text_slot, MR_SLOT_NONE);
    assert_string_equal(left->names[0], "");
    assert_int_equal(left->input_slots[0], left->text_slot);
    assert_true(left->whole);
    assert_non_null(left->only.slot_map);
    assert_false(node->join->sides[1].whole);
    mr_topology_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_what_is_read_is_kept),
        cmocka_unit_test(the_order_of_questions_does_not_matter),
        cmocka_unit_test(whole_records_travel_as_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
