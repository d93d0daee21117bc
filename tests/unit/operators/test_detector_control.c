/* tests/unit/operators/test_detector_control.c — freeze, mute and reset by records. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/operator.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(
        text, sizeof(text),
        "    - {name: op, type: detect.zscore, from: in, control: in2, field: value, warmup: 2, "
        "%s}\n",
        options);
    harness_open_sources(harness,
                         "    - {name: in, type: memory, key: [k]}\n"
                         "    - {name: in2, type: memory, key: [key]}\n",
                         text,
                         "    - {name: out, type: memory, from: op}\n"
                         "    - {name: alerts, type: memory, from: op.alerts}\n",
                         "op", 0, 1);
    harness->keeps_last = true;
}

static int64_t clock_ms;

static void feed(struct harness *harness, const char *key, double value)
{
    struct harness_row row = harness_row(++clock_ms, key, mr_value_double(value));
    harness_feed(harness, 0, &row, 1);
}

static void order(struct harness *harness, const char *key, const char *action,
                  struct mr_value until)
{
    struct harness_row row = {
        .offset = ++clock_ms,
        .event_time_ms = clock_ms,
        .cells = {{"key", mr_value_string(mr_slice_text(key))},
                  {"action", mr_value_string(mr_slice_text(action))},
                  {"operator", mr_value_string(mr_slice_text("op"))},
                  {"until", until}},
    };
    harness_feed(harness, 1, &row, 1);
}

static void save(struct harness *harness)
{
    harness_commit(harness);
    harness_restore(harness);
}

static int64_t count(const struct harness *harness)
{
    return harness_member(harness, "count").integer;
}

static void a_frozen_key_does_not_learn(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    clock_ms = 0;
    open(&harness, "key: [k]");
    feed(&harness, "a", 1);
    feed(&harness, "b", 1);
    order(&harness, "a", "freeze", mr_value_null());
    save(&harness);
    for (int round = 0; round < 3; round++) {
        feed(&harness, "a", 1);
        assert_int_equal(count(&harness), 1);
        feed(&harness, "b", 1);
        assert_int_equal(count(&harness), 1 + round);
    }
    order(&harness, "a", "unfreeze", mr_value_null());
    feed(&harness, "a", 1);
    feed(&harness, "a", 1);
    assert_int_equal(count(&harness), 2);
    order(&harness, "a", "freeze", mr_value_double(20));
    clock_ms = 18;
    feed(&harness, "a", 1);
    assert_int_equal(count(&harness), 3);
    feed(&harness, "a", 1); /* at 20: no longer */
    feed(&harness, "a", 1);
    assert_int_equal(count(&harness), 4);
    harness_close(&harness);
}

static void a_muted_key_tells_nothing(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    clock_ms = 0;
    open(&harness, "key: [k]");
    for (int round = 0; round < 4; round++)
        feed(&harness, "a", round % 2);
    order(&harness, "a", "mute", mr_value_string(mr_slice_text("1970-01-01T00:00:00.010Z")));
    save(&harness);
    feed(&harness, "a", 100);
    assert_text(harness_member(&harness, "state"), "muted");
    assert_true(harness_member(&harness, "score").number > 3);
    assert_false(harness_member(&harness, "is_anomaly").boolean);
    assert_int_equal(harness.emitted_count[1], 0);
    clock_ms = 9;
    feed(&harness, "a", 10000);
    assert_text(harness_member(&harness, "state"), "armed");
    assert_true(harness_member(&harness, "is_anomaly").boolean);
    order(&harness, "a", "mute", mr_value_null());
    feed(&harness, "a", 1e9);
    assert_int_equal(harness.emitted_count[1], 1);
    order(&harness, "a", "unmute", mr_value_null());
    feed(&harness, "a", 1e20);
    assert_int_equal(harness.emitted_count[1], 2);
    harness_close(&harness);
}

static void a_reset_key_begins_anew(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    clock_ms = 0;
    open(&harness, "key: [k], calibrate: {conformal: 20, rate: 0.4}");
    for (int round = 0; round < 10; round++)
        feed(&harness, "a", round % 3);
    assert_int_not_equal(harness_member(&harness, "p_value").kind, MR_KIND_ABSENT);
    order(&harness, "a", "reset", mr_value_null());
    save(&harness);
    feed(&harness, "a", 1);
    assert_int_equal(count(&harness), 0);
    assert_text(harness_member(&harness, "state"), "learning");
    feed(&harness, "a", 1);
    feed(&harness, "a", 1);
    assert_int_equal(harness_member(&harness, "p_value").kind, MR_KIND_ABSENT);
    harness_close(&harness);
}

static void a_whole_stream_is_controlled_at_once(void **state)
{
    MR_UNUSED(state);
    char text[] = "    - {name: op, type: detect.zscore, from: in, control: in2, field: value, "
                  "warmup: 2, key: []}\n"
                  "    - {name: op2, type: detect.zscore, from: in, control: in2, field: value, "
                  "key: [k, 'tags']}\n";
    struct harness harness;
    clock_ms = 0;
    harness_open_sources(&harness,
                         "    - {name: in, type: memory}\n    - {name: in2, type: memory}\n", text,
                         "    - {name: out, type: memory, from: op}\n"
                         "    - {name: out2, type: memory, from: op2}\n",
                         "op", 0, 1);
    harness.keeps_last = true;
    /* One group needs one partition, and a key of two fields is told by its text. */
    assert_int_equal(harness.plan->repartitions_count, 4);
    feed(&harness, "a", 1);
    order(&harness, "whatever", "freeze", mr_value_null());
    feed(&harness, "b", 1);
    feed(&harness, "c", 1);
    assert_int_equal(count(&harness), 1);
    harness_close(&harness);
}

static void what_makes_no_sense_is_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    clock_ms = 0;
    open(&harness, "key: [k]");
    order(&harness, "a", "explode", mr_value_null());
    order(&harness, "a", "freeze", mr_value_bool(true));
    struct harness_row rows[] = {
        {.offset = 3, .cells = {{"action", mr_value_string(mr_slice_text("freeze"))}}},
        {.offset = 4, .cells = {{"key", mr_value_string(mr_slice_text("a"))}}},
        {.offset = 5,
         .cells = {{"key", mr_value_string(mr_slice_text("a"))},
                   {"action", mr_value_string(mr_slice_text("explode"))},
                   {"operator", mr_value_string(mr_slice_text("other"))}}},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(rows); index++)
        harness_feed(&harness, 1, &rows[index], 1);
    assert_string_equal(
        harness_errors(&harness),
        "@1 'the control record's action 'explode' is none of freeze, unfreeze, reset, mute and "
        "unmute'\n"
        "@2 'the control record's until is no time: give ms since the epoch or RFC 3339 text'\n"
        "@3 'the record has no key: one of its 1 key fields (key) is missing, null or not a plain "
        "value'\n"
        "@4 'the control record's action is missing or no text and is none of freeze, unfreeze, "
        "reset, mute and unmute'\n");
    harness_close(&harness);
}

static void a_control_needs_a_key(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    const char *findings = harness_findings(
        &arena, "    - {name: in, type: memory}\n    - {name: in2, type: memory}\n",
        "    - {name: op, type: detect.zscore, from: in, control: in2, scope: partition, field: "
        "value}\n",
        "    - {name: out, type: memory, from: op}\n");
    assert_non_null(strstr(findings, "leave out scope: partition"));
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_frozen_key_does_not_learn),
        cmocka_unit_test(a_muted_key_tells_nothing),
        cmocka_unit_test(a_reset_key_begins_anew),
        cmocka_unit_test(a_whole_stream_is_controlled_at_once),
        cmocka_unit_test(what_makes_no_sense_is_reported),
        cmocka_unit_test(a_control_needs_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
