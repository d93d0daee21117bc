/* tests/unit/topology/test_plan_subtopology.c — parts between repartitions, and their names. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_fixture.h"

static const struct mr_plan_subtopology *part_of(const struct mr_topology_fixture *fixture,
                                                 const char *node)
{
    return &fixture->plan->subtopologies[mr_topology_fixture_node(fixture, node)->subtopology];
}

static void parts_end_at_repartitions(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                  "  operators:\n"
                  "    - {name: pre, type: filter, from: in, where: ok}\n"
                  "    - {name: s, type: detect.zscore, from: pre, key: [site], field: v}\n"
                  "    - {name: t, type: deduplicate, from: pre, key: [site]}\n"
                  "    - {name: by, type: key_by, from: s, key: [other]}\n"
                  "  sinks:\n"
                  "    - {name: o1, type: kafka, topic: out, from: s}\n"
                  "    - {name: o2, type: kafka, topic: out, from: t}\n"
                  "    - {name: o3, type: kafka, topic: out, from: by}\n");

    assert_int_equal(fixture.plan->subtopologies_count, 3);
    const struct mr_plan_subtopology *first = part_of(&fixture, "in");
    const struct mr_plan_subtopology *second = part_of(&fixture, "s");
    const struct mr_plan_subtopology *third = part_of(&fixture, "by");
    assert_string_equal(first->name, "in");           /* its source: nothing stateful */
    assert_string_equal(second->name, "s");           /* the first stateful operator */
    assert_string_equal(third->name, "by");           /* the reader of the repartition */
    assert_ptr_equal(part_of(&fixture, "t"), second); /* they share the repartition */
    assert_ptr_equal(part_of(&fixture, "pre"), first);
    assert_false(first->stateful);
    assert_true(second->stateful);
    assert_int_equal(first->sources_count, 1);
    assert_int_equal(second->repartitions_count, 1);
    assert_int_equal(second->sources_count, 0);
    assert_int_equal(second->state_object_bytes_per_key, 96);
    assert_int_equal(second->changelog_bytes_per_record, 60);
    assert_true(fixture.plan->replayable);
    mr_topology_fixture_close(&fixture);
}

static void names_follow_the_files_order(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture,
                             "  sources:\n"
                             "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                             "  operators:\n"
                             "    - {name: later, type: deduplicate, from: first, key: [id]}\n"
                             "    - {name: first, type: deduplicate, from: in, key: [id]}\n"
                             "  sinks:\n"
                             "    - {name: out, type: kafka, topic: out, from: later}\n");

    assert_string_equal(fixture.plan->subtopologies[0].name, "later");
    mr_topology_fixture_close(&fixture);
}

static void merged_sources_are_one_part(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, "  sources:\n"
                                       "    - {name: a, type: kafka, topic: a}\n"
                                       "    - {name: b, type: kafka, topic: b}\n"
                                       "    - {name: c, type: kafka, topic: c}\n"
                                       "  operators:\n"
                                       "    - {name: all, type: merge, inputs: [b, a]}\n"
                                       "  sinks:\n"
                                       "    - {name: out, type: kafka, topic: out, from: all}\n");

    assert_int_equal(fixture.plan->subtopologies_count, 2);
    assert_int_equal(part_of(&fixture, "all")->sources_count, 2);
    assert_string_equal(part_of(&fixture, "all")->name, "a");
    assert_string_equal(part_of(&fixture, "c")->name, "c");
    assert_false(fixture.plan->replayable);
    assert_non_null(strstr(fixture.plan->not_replayable_reason, "several inputs"));
    mr_topology_fixture_close(&fixture);
}

/* Only where somebody looks at rows' watermarks does it matter who is silent. */
static void silence_is_told_by_the_clock(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, watermark: {idle_timeout: 5s}}\n"
                  "  operators:\n"
                  "    - {name: once, type: deduplicate, from: in, key: [id]}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: once}\n");
    assert_true(fixture.plan->replayable);
    for (uint32_t i = 0; i < fixture.plan->subtopologies_count; i++)
        assert_false(fixture.plan->subtopologies[i].row_watermarks);
    mr_topology_fixture_close(&fixture);
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, watermark: {idle_timeout: 5s}}\n"
                  "  operators:\n"
                  "    - {name: once, type: deduplicate, from: in, key: [id]}\n"
                  "    - {name: sums, type: window.aggregate, from: once, key: [k], window: "
                  "{tumbling: 1s}, aggregates: {rows: count()}}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: sums}\n");
    assert_non_null(strstr(fixture.plan->not_replayable_reason, "when 'in' is silent"));
    assert_int_equal(fixture.plan->subtopologies_count, 3);
    for (uint32_t i = 0; i < fixture.plan->subtopologies_count; i++)
        assert_true(fixture.plan->subtopologies[i].row_watermarks);
    mr_topology_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_end_at_repartitions),
        cmocka_unit_test(names_follow_the_files_order),
        cmocka_unit_test(merged_sources_are_one_part),
        cmocka_unit_test(silence_is_told_by_the_clock),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
