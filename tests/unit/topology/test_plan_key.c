/* tests/unit/topology/test_plan_key.c — keys and repartitions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_fixture.h"

static uint32_t repartitions_of(const char *source_key, const char *operators)
{
    struct mr_arena arena;
    struct mr_topology_fixture fixture;
    mr_arena_init(&arena, 4096);
    mr_topology_fixture_open(&fixture,
                             mr_arena_format(&arena,
                                             "  sources:\n"
                                             "    - {name: in, type: kafka, topic: in%s}\n"
                                             "  operators:\n%s",
                                             source_key, operators));
    if (fixture.plan == NULL)
        print_error("%s\n", fixture.report.findings[0].message);
    assert_non_null(fixture.plan);
    uint32_t count = fixture.plan->repartitions_count;
    mr_topology_fixture_close(&fixture);
    mr_arena_deinit(&arena);
    return count;
}

static void a_repartition_comes_where_the_key_differs(void **state)
{
    (void)state;
    static const struct {
        const char *source_key;
        const char *operators;
        uint32_t count;
    } cases[] = {
        {", key: [a]", "    - {name: s, type: deduplicate, from: in, key: [a]}\n", 0},
        {", key: [a, b]", "    - {name: s, type: deduplicate, from: in, key: [a, b]}\n", 0},
        {", key: [a, b]", "    - {name: s, type: deduplicate, from: in, key: [b, a]}\n", 1},
        {", key: [a]", "    - {name: s, type: deduplicate, from: in, key: [a, b]}\n", 1},
        {", key: ['a[\"b\"]']", "    - {name: s, type: deduplicate, from: in, key: [a.b]}\n", 0},
        {"", "    - {name: s, type: deduplicate, from: in, key: [a]}\n", 1},
        {", key: [a]", "    - {name: s, type: deduplicate, from: in, key: []}\n", 1},
        {"", "    - {name: s, type: deduplicate, from: in, key: [a], scope: partition}\n", 0},
        {"", "    - {name: s, type: deduplicate, from: in, scope: partition}\n", 0},
        /* Behind a repartition its key holds. */
        {"",
         "    - {name: s, type: deduplicate, from: in, key: [a]}\n"
         "    - {name: t, type: deduplicate, from: s, key: [a]}\n",
         1},
        {"",
         "    - {name: s, type: deduplicate, from: in, key: []}\n"
         "    - {name: t, type: deduplicate, from: s, key: []}\n",
         1},
        /* Two readers of one output with one key share it. */
        {"",
         "    - {name: s, type: deduplicate, from: in, key: [a]}\n"
         "    - {name: t, type: deduplicate, from: in, key: [a]}\n",
         1},
        {"",
         "    - {name: s, type: deduplicate, from: in, key: [a]}\n"
         "    - {name: t, type: deduplicate, from: in, key: [b]}\n",
         2},
        {"",
         "    - {name: f, type: filter, from: in, where: ok}\n"
         "    - {name: s, type: deduplicate, from: in, key: [a]}\n"
         "    - {name: t, type: deduplicate, from: f, key: [a]}\n",
         2},
        /* Fields of the key that are changed on the way. */
        {", key: [a]",
         "    - {name: m, type: map, from: in, set: {a: b}}\n"
         "    - {name: s, type: deduplicate, from: m, key: [a]}\n",
         1},
        {", key: [a.x]",
         "    - {name: m, type: map, from: in, rename: {a: c}}\n"
         "    - {name: s, type: deduplicate, from: m, key: [c.x]}\n",
         1},
        {", key: [a]",
         "    - {name: m, type: map, from: in, set: {c: b}, remove: [d]}\n"
         "    - {name: s, type: deduplicate, from: m, key: [a]}\n",
         0},
        {", key: [a]", "    - {name: s, type: key_by, from: in, key: [b]}\n", 1},
        {", key: [a]", "    - {name: s, type: key_by, from: in, key: [a]}\n", 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n%s", cases[i].source_key, cases[i].operators);
        assert_int_equal(repartitions_of(cases[i].source_key, cases[i].operators), cases[i].count);
    }
}

static void both_sides_of_a_repartition_have_their_key(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                  "  operators:\n"
                  "    - {name: score, type: detect.zscore, from: in, key: [site.name], field: v}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: score}\n");

    assert_int_equal(fixture.plan->repartitions_count, 1);
    const struct mr_plan_repartition *repartition = &fixture.plan->repartitions[0];
    const struct mr_plan_node *score = mr_topology_fixture_node(&fixture, "score");
    assert_string_equal(repartition->name, "score-repartition");
    assert_int_equal(
        repartition->key.slots[0],
        mr_topology_fixture_read(mr_topology_fixture_domain(&fixture, "in"), "site.name"));
    const struct mr_plan_domain *domain = &fixture.plan->domains[repartition->source_domain];
    assert_int_equal(score->inputs[0].domain, repartition->source_domain);
    assert_int_equal(score->key.slots[0], mr_topology_fixture_read(domain, "site.name"));
    assert_true(score->inputs[0].repartition);
    assert_true(score->inputs[0].layout->from_payload);
    assert_int_equal(repartition->edges_count, 1);
    assert_int_equal(repartition->edges[0].consumer, score->index);
    assert_int_equal(mr_topology_fixture_node(&fixture, "in")->outputs[0].edges_count, 0);
    assert_false(repartition->single_partition);
    assert_int_not_equal(repartition->from_subtopology, repartition->to_subtopology);
    mr_topology_fixture_close(&fixture);
}

static void formats_of_keys_are_taken_over(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture,
        "  sources:\n"
        "    - {name: in, type: kafka, topic: in, key: [id], key_format: json}\n"
        "  sinks:\n"
        "    - {name: out, type: kafka, topic: out, from: in, key: [k], key_format: int64}\n");

    assert_int_equal(mr_topology_fixture_node(&fixture, "in")->key.format, MR_KEY_FORMAT_JSON);
    const struct mr_plan_key *key = &mr_topology_fixture_node(&fixture, "out")->key;
    assert_int_equal(key->format, MR_KEY_FORMAT_INT64);
    assert_string_equal(key->texts[0], "k");
    assert_true(key->given && !key->global);
    mr_topology_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_repartition_comes_where_the_key_differs),
        cmocka_unit_test(both_sides_of_a_repartition_have_their_key),
        cmocka_unit_test(formats_of_keys_are_taken_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
