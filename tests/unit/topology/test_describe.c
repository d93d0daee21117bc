/* tests/unit/topology/test_describe.c — the text of a plan. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_fixture.h"
#include "topology/describe.h"

static const char body[] =
    "  memory: 64MiB\n"
    "  sources:\n"
    "    - {name: in, type: kafka, topic: readings, key: [id], timestamp: ts}\n"
    "    - {name: more, type: kafka, topic: more, key: [id]}\n"
    "    - {name: rates, type: kafka, topic: rates, key: [code], table: true}\n"
    "  operators:\n"
    "    - {name: all, type: merge, inputs: [in, more]}\n"
    "    - {name: score, type: detect.zscore, from: all, key: [site], field: v,\n"
    "       state: {max_keys: 2000000, ttl: 2h, max_bytes: 1GiB}}\n"
    "    - {name: whole, type: detect.zscore, from: score, key: [], field: v, as: total}\n"
    "    - {name: rated, type: join.lookup, from: whole, table: rates, key: [currency]}\n"
    "  sinks:\n"
    "    - {name: out, type: kafka, topic: out, from: rated}\n"
    "  tests:\n"
    "    - {name: a, given: {}, expect: {out: {count: 0}}}\n";

static void the_text_says_what_runs(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 1 << 20);
    mr_topology_fixture_open(&fixture, body);
    assert_non_null(fixture.plan);
    assert_int_equal(mr_plan_describe_text(fixture.plan, &buffer), MR_OK);
    assert_int_equal(mr_buffer_append(&buffer, "", 1), MR_OK);
    const char *text = (const char *)buffer.data;
    static const char *const parts[] = {
        "topology test\n",
        "exactly_once, a commit at least every 100ms",
        "may give other bytes: tasks of 'in' have several inputs",
        "1, run by `millrace test`",
        "one per partition of in, more, which must have equally many",
        "subtopology score (stateful)",
        "in (kafka readings), more (kafka more)",
        "rates, all partitions of its topic, whole in every task: each reads, holds, logs and "
        "restores it, at most 1000 keys with 0 bytes of state",
        "all (merge)",
        "score (detect.zscore by [site])",
        "whole (detect.zscore by [])",
        "fields      of in: id, ts, site",
        "<cluster>.test.<generation>.in.progress (compacted)",
        "<cluster>.test.<generation>.score.changelog (compacted)",
        "score: a key has 96 bytes in the cache, 40 on disk; a record logs 60 bytes at most; at "
        "most "
        "2000000 keys a task; at most 1024 MiB a task; forgotten after 2h",
        "from nothing 2s for each 1,000,000 keys of a task, 4s at most, at 500000 records/s",
        "repartition score-repartition\n",
        "'score' groups by [site], but its input is grouped by [id]",
        "one: the only partition of whole-repartition",
        "64MiB for caches and queues",
        "a memory limit of 150MiB or more lets a worker hold",
        "2 transactional producers",
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        print_message("%s\n", parts[i]);
        assert_non_null(strstr(text, parts[i]));
    }
    mr_topology_fixture_close(&fixture);
    mr_buffer_deinit(&buffer);
}

static void a_full_buffer_is_told(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 64);
    mr_topology_fixture_open(&fixture, body);
    assert_int_equal(mr_plan_describe_text(fixture.plan, &buffer), MR_LIMIT);
    assert_int_equal(mr_plan_describe_json(fixture.plan, &buffer), MR_LIMIT);
    mr_topology_fixture_close(&fixture);
    mr_buffer_deinit(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_text_says_what_runs),
        cmocka_unit_test(a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
