/* tests/unit/topology/test_plan_node.c — what an entry says of itself. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_fixture.h"

static void sources_have_their_times(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, timestamp: t, timestamp_unit: us, "
                  "watermark: {max_delay: 5s, idle_timeout: 30s}, max_ahead: 2h, on_error: fail}\n"
                  "    - {name: plain, type: kafka, topic: in}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: in}\n"
                  "    - {name: out2, type: kafka, topic: out, from: plain}\n");

    const struct mr_plan_node *in = mr_topology_fixture_node(&fixture, "in");
    assert_int_equal(in->timestamp_slot,
                     mr_topology_fixture_read(mr_topology_fixture_domain(&fixture, "in"), "t"));
    assert_int_equal(in->timestamp_unit_ns, 1000);
    assert_int_equal(in->max_delay_ms, 5000);
    assert_int_equal(in->idle_timeout_ms, 30000);
    assert_int_equal(in->max_ahead_ms, 7200000);
    assert_int_equal(in->on_error, MR_ON_ERROR_FAIL);
    const struct mr_plan_node *plain = mr_topology_fixture_node(&fixture, "plain");
    assert_true(plain->timestamp_slot == MR_SLOT_NONE);
    assert_true(plain->watermark_slot == MR_SLOT_NONE);
    assert_int_equal(plain->timestamp_unit_ns, 1000000);
    assert_int_equal(plain->max_delay_ms, 0);
    assert_int_equal(plain->max_ahead_ms, 3600000);
    assert_int_equal(plain->on_error, MR_ON_ERROR_DEAD_LETTER);
    assert_false(plain->key.given);
    mr_topology_fixture_close(&fixture);
}

static void records_may_carry_the_watermark(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture,
                             "  sources:\n"
                             "    - {name: in, type: kafka, topic: in, timestamp_unit: s, "
                             "watermark: {field: done.until, idle_timeout: 1s}}\n"
                             "  sinks:\n    - {name: out, type: kafka, topic: out, from: in}\n");
    const struct mr_plan_node *in = mr_topology_fixture_node(&fixture, "in");
    assert_int_equal(
        in->watermark_slot,
        mr_topology_fixture_read(mr_topology_fixture_domain(&fixture, "in"), "done.until"));
    assert_int_equal(in->timestamp_unit_ns, 1000000000);
    assert_int_equal(in->idle_timeout_ms, 1000);
    mr_topology_fixture_close(&fixture);
}

static void a_carried_watermark_has_no_delay_and_is_a_time(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture,
                             "  sources:\n"
                             "    - {name: in, type: kafka, topic: in, schema: {done: bool}, "
                             "watermark: {field: done, max_delay: 5s}}\n"
                             "  sinks:\n    - {name: out, type: kafka, topic: out, from: in}\n");
    assert_true(mr_topology_fixture_says(&fixture, "'max_delay' has no meaning beside 'field'"));
    assert_true(
        mr_topology_fixture_says(&fixture, "'field' needs a number, a text or a timestamp"));
    mr_topology_fixture_close(&fixture);
}

static void a_condition_may_say_which_records_move_the_watermark(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture,
                             "  sources:\n"
                             "    - {name: in, type: kafka, topic: in, "
                             "watermark: {when: last == true, idle_timeout: 1s}}\n"
                             "  sinks:\n    - {name: out, type: kafka, topic: out, from: in}\n");
    assert_non_null(mr_topology_fixture_node(&fixture, "in")->watermark_when);
    mr_topology_fixture_close(&fixture);
}

static void a_unit_needs_a_timestamp(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture,
                             "  sources:\n"
                             "    - {name: in, type: kafka, topic: in, timestamp_unit: us}\n"
                             "  sinks:\n"
                             "    - {name: out, type: kafka, topic: out, from: in}\n");

    assert_true(mr_topology_fixture_says(&fixture, "'timestamp_unit' has no meaning"));
    mr_topology_fixture_close(&fixture);
}

static void sinks_have_their_parts(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, from: in, where: v > 1.0, headers: {b: id, a: "
                  "'\"x\"'}, topic_from: site, topic_allow: ['t-*', u], on_error: skip}\n");

    const struct mr_plan_node *out = mr_topology_fixture_node(&fixture, "out");
    assert_non_null(out->where);
    assert_non_null(out->topic_from);
    assert_int_equal(out->topic_allow_count, 2);
    assert_string_equal(out->topic_allow[0], "t-*");
    assert_int_equal(out->headers_count, 2);
    assert_string_equal(out->header_names[0], "a");
    assert_non_null(out->header_programs[1]);
    assert_int_equal(out->on_error, MR_ON_ERROR_SKIP);
    assert_string_equal(out->format, "json");
    mr_topology_fixture_close(&fixture);
}

static void state_is_bounded_as_written(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(
        &fixture, "  sources:\n"
                  "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                  "  operators:\n"
                  "    - {name: a, type: deduplicate, from: in, key: [id], state: {ttl: 1h, "
                  "max_keys: 7, max_bytes: 1MiB, on_full: fail}}\n"
                  "    - {name: b, type: deduplicate, from: a, key: [id], state: {max_keys: 7}}\n"
                  "    - {name: c, type: deduplicate, from: b, key: [id]}\n"
                  "  sinks:\n"
                  "    - {name: out, type: kafka, topic: out, from: c}\n");

    const struct mr_plan_node *a = mr_topology_fixture_node(&fixture, "a");
    assert_int_equal(a->state_ttl_ms, 3600000);
    assert_int_equal(a->state_keys_max, 7);
    assert_int_equal(a->state_bytes_max, 1 << 20);
    assert_true(a->state_full_fails);
    const struct mr_plan_node *b = mr_topology_fixture_node(&fixture, "b");
    assert_int_equal(b->state_ttl_ms, 0);
    assert_false(b->state_full_fails);
    assert_int_equal(mr_topology_fixture_node(&fixture, "c")->state_keys_max, 0);
    mr_topology_fixture_close(&fixture);
}

static void detectors_add_their_object_under_as(void **state)
{
    (void)state;
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture,
                             "  sources:\n"
                             "    - {name: in, type: kafka, topic: in, key: [id]}\n"
                             "  operators:\n"
                             "    - {name: a, type: detect.zscore, from: in, key: [id], field: v}\n"
                             "    - {name: b, type: detect.zscore, from: a, key: [id], field: "
                             "anomaly.score, as: second}\n"
                             "    - {name: f, type: filter, from: b, where: second.is_anomaly && "
                             "anomaly.severity == \"critical\"}\n"
                             "  sinks:\n"
                             "    - {name: out, type: kafka, topic: out, from: f}\n");

    const struct mr_plan_node *a = mr_topology_fixture_node(&fixture, "a");
    const struct mr_plan_node *b = mr_topology_fixture_node(&fixture, "b");
    assert_string_equal(a->as, "anomaly");
    assert_string_equal(b->as, "second");
    assert_int_equal(mr_options_slot(&b->options, "field"), a->added_slots[0]);
    assert_int_not_equal(a->outputs[1].domain, a->outputs[0].domain); /* alerts */
    assert_int_equal(a->outputs[0].domain, b->outputs[0].domain);
    mr_topology_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_have_their_times),
        cmocka_unit_test(records_may_carry_the_watermark),
        cmocka_unit_test(a_carried_watermark_has_no_delay_and_is_a_time),
        cmocka_unit_test(a_condition_may_say_which_records_move_the_watermark),
        cmocka_unit_test(a_unit_needs_a_timestamp),
        cmocka_unit_test(sinks_have_their_parts),
        cmocka_unit_test(state_is_bounded_as_written),
        cmocka_unit_test(detectors_add_their_object_under_as),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
