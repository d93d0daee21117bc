/* tests/unit/topology/test_plan_requests.c — requests meet the model of their key. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/topology_fixture.h"

static void plan(struct mr_topology_fixture *fixture, struct mr_arena *arena, const char *sources,
                 const char *options)
{
    mr_topology_fixture_open(
        fixture, mr_arena_format(arena,
                                 "  sources:\n%s"
                                 "  operators:\n"
                                 "    - {name: op, type: generate.copula, learn: in, %s}\n",
                                 sources, options));
}

static void requests_are_grouped_as_what_is_learned(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *sources;
        const char *options;
        uint32_t repartitions_count;
    } cases[] = {
        {"    - {name: in, type: kafka, topic: in, key: [a]}\n"
         "    - {name: asked, type: kafka, topic: asked, key: [a]}\n",
         "requests: asked, key: [a], fields: [v]", 0},
        {"    - {name: in, type: kafka, topic: in, key: [a]}\n"
         "    - {name: asked, type: kafka, topic: asked}\n",
         "requests: asked, key: [a], fields: [v]", 1},
        {"    - {name: in, type: kafka, topic: in}\n"
         "    - {name: asked, type: kafka, topic: asked}\n",
         "requests: asked, key: [], fields: [v]", 2},
        /* Keys that are no text have other partitions. */
        {"    - {name: in, type: kafka, topic: in, key: [a], key_format: int64}\n"
         "    - {name: asked, type: kafka, topic: asked, key: [a]}\n",
         "requests: asked, key: [a], fields: [v]", 1},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        struct mr_arena arena;
        struct mr_topology_fixture fixture;
        mr_arena_init(&arena, 4096);
        plan(&fixture, &arena, cases[index].sources, cases[index].options);
        assert_non_null(fixture.plan);
        assert_int_equal(fixture.plan->repartitions_count, cases[index].repartitions_count);
        const struct mr_plan_node *node = mr_plan_node_find(fixture.plan, "op");
        assert_non_null(node->requests);
        assert_int_equal(node->requests->port, 1);
        assert_int_equal(node->requests->key.global, cases[index].repartitions_count == 2);
        for (uint32_t field = 0; field < MR_REQUEST_FIELDS_COUNT; field++)
            assert_int_not_equal(node->requests->slots[field], MR_SLOT_NONE);
        assert_true(mr_plan_is_woken(node) && !mr_plan_reads_wall_clock(node));
        mr_topology_fixture_close(&fixture);
        mr_arena_deinit(&arena);
    }
}

static bool finds(const char *sources, const char *options, const char *sentence)
{
    struct mr_arena arena;
    struct mr_topology_fixture fixture;
    mr_arena_init(&arena, 4096);
    plan(&fixture, &arena, sources, options);
    bool found = fixture.plan == NULL && mr_topology_fixture_says(&fixture, sentence);
    for (uint32_t index = 0; !found && index < fixture.report.findings_count; index++)
        print_message("found instead: %s\n", fixture.report.findings[index].message);
    mr_topology_fixture_close(&fixture);
    mr_arena_deinit(&arena);
    return found;
}

static void what_cannot_be_asked_is_refused(void **state)
{
    MR_UNUSED(state);
    static const char sources[] = "    - {name: in, type: kafka, topic: in}\n"
                                  "    - {name: asked, type: kafka, topic: asked}\n";
    static const char closed[] = "    - {name: in, type: kafka, topic: in}\n"
                                 "    - {name: asked, type: generate.sequence}\n";
    assert_true(finds(sources, "key: [], fields: [v], max_open_requests: 3",
                      "'max_open_requests' is about requests, and 'op' has no input `requests`"));
    assert_true(finds(sources, "requests: asked, key: [], fields: [status]",
                      "the learned field 'status' has the name of a field that the results"));
    assert_true(finds(sources, "requests: asked, key: [status], fields: [v]",
                      "the key's field 'status' has the name of a field that the results have"));
    assert_true(finds(closed, "requests: asked, key: [], fields: [v]",
                      "the records of 'asked' have no field 'action'"));
}

/* The name of a reply's field matters only where there are replies. */
static void names_of_replies_are_taken(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    struct mr_topology_fixture fixture;
    mr_arena_init(&arena, 4096);
    plan(&fixture, &arena, "    - {name: in, type: kafka, topic: in}\n",
         "key: [], fields: [status]");
    assert_non_null(fixture.plan);
    assert_null(mr_plan_node_find(fixture.plan, "op")->requests);
    assert_false(mr_plan_is_woken(mr_plan_node_find(fixture.plan, "op")));
    mr_topology_fixture_close(&fixture);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests_are_grouped_as_what_is_learned),
        cmocka_unit_test(what_cannot_be_asked_is_refused),
        cmocka_unit_test(names_of_replies_are_taken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
