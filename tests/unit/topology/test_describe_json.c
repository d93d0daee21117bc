/* tests/unit/topology/test_describe_json.c — the JSON of a plan, read by another reader. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <jansson.h>

#include "tests/support/topology_fixture.h"
#include "topology/describe.h"

static const char body[] =
    "  memory: 64MiB\n"
    "  sources:\n"
    "    - {name: in, type: kafka, topic: readings, key: [id], timestamp: ts}\n"
    "    - {name: more, type: kafka, topic: more, key: [id]}\n"
    "  operators:\n"
    "    - {name: all, type: merge, inputs: [in, more]}\n"
    "    - {name: score, type: detect.zscore, from: all, key: [site], field: v,\n"
    "       state: {max_keys: 2000000, ttl: 2h, max_bytes: 1GiB}}\n"
    "    - {name: whole, type: detect.zscore, from: score, key: [], field: v, as: total}\n"
    "  sinks:\n"
    "    - {name: out, type: kafka, topic: out, from: whole}\n"
    "  tests:\n"
    "    - {name: a, given: {}, expect: {out: {count: 0}}}\n";

static void the_document_is_json_and_names_agree(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 1 << 20);
    mr_topology_fixture_open(&fixture, body);
    assert_non_null(fixture.plan);
    assert_int_equal(mr_plan_describe_json(fixture.plan, &buffer), MR_OK);
    json_error_t error;
    json_t *root =
        json_loadb((const char *)buffer.data, buffer.size, JSON_REJECT_DUPLICATES, &error);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "name")), "test");
    assert_int_equal(strlen(json_string_value(json_object_get(root, "hash"))), 16);
    assert_int_equal(json_integer_value(json_object_get(root, "tests")), 1);
    assert_true(json_is_false(json_object_get(root, "replayable")));
    json_t *parts = json_object_get(root, "subtopologies");
    assert_int_equal(json_array_size(parts), 3);
    json_t *score = json_array_get(parts, 1);
    assert_string_equal(json_string_value(json_object_get(score, "name")), "score");
    assert_int_equal(json_integer_value(json_object_get(score, "keys_max")), 2000000);
    assert_int_equal(json_integer_value(json_object_get(score, "changelog_bytes_per_record")), 60);
    json_t *memory = json_object_get(score, "task_memory");
    assert_int_equal(json_integer_value(json_object_get(memory, "state_bytes")), 192000000);
    json_t *nodes = json_object_get(root, "nodes");
    assert_int_equal(json_array_size(nodes), fixture.plan->nodes_count);
    json_t *whole = json_array_get(nodes, 4);
    assert_string_equal(json_string_value(json_object_get(whole, "name")), "whole");
    assert_int_equal(json_array_size(json_object_get(whole, "key")), 0);
    json_t *input = json_array_get(json_object_get(whole, "inputs"), 0);
    assert_string_equal(json_string_value(json_object_get(input, "repartition")),
                        "whole-repartition");
    json_t *repartition = json_array_get(json_object_get(root, "repartitions"), 1);
    assert_true(json_is_true(json_object_get(repartition, "single_partition")));
    json_decref(root);
    mr_topology_fixture_close(&fixture);
    mr_buffer_deinit(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_document_is_json_and_names_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
