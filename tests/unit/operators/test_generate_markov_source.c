/* tests/unit/operators/test_generate_markov_source.c — the same records however they are cut and
 * from wherever an instance begins, their order in time, and the first ones' bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

enum { NOW_MS = 1700000000 };

#define ORDERS                                                                                     \
    "states: [{name: placed, next: [paid, lost], weights: [4, 1], mean: 3s}, {name: paid, next: "  \
    "[sent], dwell: gamma, mean: 2s, shape: 3}, {name: sent, dwell: fixed, value: 7, value_sd: "   \
    "1}, {name: lost, dwell: lognormal, mean: 4s, label: gone}]"
#define MACHINES                                                                                   \
    "states: [{name: idle, next: [busy], mean: 9s}, {name: busy, next: [idle, down], weights: "    \
    "[9, 1]}, {name: down, next: [idle, down], dwell: gamma, shape: 0.4, mean: 7s}]"

static void open_made(struct harness *harness, const char *options, int32_t partition,
                      int32_t partitions)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "    - {name: made, type: generate.markov, seed: 4, partitions: %d, %s}\n", partitions,
             options);
    harness_open_sources(harness, text, "", "    - {name: out, type: memory, from: made}\n", "made",
                         partition, partitions);
}

static enum mr_status make(struct harness *harness, int64_t *position, uint32_t rows_max)
{
    int64_t due_ms = 0;
    return harness_generate(harness, *position, NOW_MS, rows_max, position, &due_ms);
}

static void records_do_not_depend_on_cuts(void **state)
{
    MR_UNUSED(state);
    static const char *const options[] = {
        ORDERS ", keys: 7, count: 3000", MACHINES ", keys: 3, count: 3000, life: 1m",
        MACHINES ", count: 3000", "states: [{name: only, next: [only]}], keys: 2, count: 3000"};
    for (size_t at = 0; at < MR_ARRAY_COUNT(options); at++) {
        struct harness harness[2];
        for (int index = 0; index < 2; index++) {
            int64_t position = 0;
            open_made(&harness[index], options[at], 0, 1);
            for (int batch = 1; make(&harness[index], &position, index == 0 ? 4096 : 37) == MR_OK;
                 batch++)
                if (index == 1 && batch % 5 == 0)
                    harness_restore(&harness[index]);
            assert_int_equal(harness[index].emitted_count[0], 3000);
        }
        assert_string_equal(harness_output(&harness[0], 0), harness_output(&harness[1], 0));
        harness_close(&harness[0]);
        harness_close(&harness[1]);
    }
}

/* Without `count` a new instance walks one life only; what it makes is the same. */
static void an_instance_begins_anywhere(void **state)
{
    MR_UNUSED(state);
    enum { RECORDS = 400 };
    struct harness whole;
    struct harness other;
    struct mr_value times[RECORDS];
    int64_t offsets[RECORDS];
    int64_t position = 0;
    open_made(&whole, MACHINES ", keys: 5, life: 2m", 1, 2);
    whole.keeps_last = true;
    for (int record = 0; record < RECORDS; record++) {
        assert_int_equal(make(&whole, &position, 1), MR_OK);
        times[record] = harness_field(&whole, 0, "ts");
        offsets[record] = position;
    }
    open_made(&other, MACHINES ", keys: 5, life: 2m", 1, 2);
    other.keeps_last = true;
    for (int record = RECORDS - 1; record > 0; record -= 23) {
        position = offsets[record - 1];
        assert_int_equal(make(&other, &position, 1), MR_OK);
        assert_int_equal(position, offsets[record]);
        assert_true(mr_value_equal(times[record], harness_field(&other, 0, "ts")));
    }
    harness_close(&whole);
    harness_close(&other);
}

/* What a record says of its key's next one is so. */
static void states_last_as_they_say(void **state)
{
    MR_UNUSED(state);
    enum { KEYS = 4 };
    struct harness harness;
    int64_t position = 0;
    int64_t latest = 0;
    int64_t ends[KEYS] = {0};
    struct mr_value sequences[KEYS] = {{0}};
    char texts[KEYS][64];
    open_made(&harness, ORDERS ", keys: 4, count: 2000", 0, 1);
    harness.keeps_last = true;
    while (make(&harness, &position, 1) == MR_OK) {
        int64_t ts = harness_field(&harness, 0, "ts").integer;
        struct mr_slice key = mr_value_text(harness_field(&harness, 0, "key"));
        struct mr_slice name = mr_value_text(harness_field(&harness, 0, "sequence"));
        struct mr_value dwell = harness_field(&harness, 0, "dwell_ms");
        int place = key.data[key.size - 1] - '0';
        bool is_same = sequences[place].kind == MR_KIND_STRING &&
                       mr_slice_equal(mr_value_text(sequences[place]), name);
        assert_true(ts >= latest);
        latest = ts;
        if (is_same)
            assert_int_equal(ts, ends[place]);
        assert_int_equal(harness_field(&harness, 0, "number").integer == 0, !is_same);
        bool is_last = mr_slice_equal(mr_value_text(harness_field(&harness, 0, "state")),
                                      mr_slice_text("sent")) ||
                       mr_slice_equal(mr_value_text(harness_field(&harness, 0, "state")),
                                      mr_slice_text("lost"));
        assert_int_equal(dwell.kind == MR_KIND_NULL, is_last);
        ends[place] = is_last ? -1 : ts + dwell.integer;
        memcpy(texts[place], name.data, name.size);
        sequences[place] = mr_value_string(mr_slice_from((uint8_t *)texts[place], name.size));
    }
    assert_int_equal(harness.emitted_count[0], 2000);
    harness_close(&harness);
}

static void partitions_share_the_keys_and_the_count(void **state)
{
    MR_UNUSED(state);
    uint64_t made = 0;
    for (int32_t partition = 0; partition < 3; partition++) {
        struct harness harness;
        int64_t position = 0;
        open_made(&harness, ORDERS ", keys: 7, count: 1000", partition, 3);
        while (make(&harness, &position, 100) == MR_OK) {
        }
        made += harness.emitted_count[0];
        harness_close(&harness);
    }
    assert_int_equal(made, 1000);
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[1024];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text), "    - {name: made, type: generate.markov, %s}\n", options);
    const char *findings =
        harness_findings(&arena, text, "", "    - {name: out, type: memory, from: made}\n");
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void options_are_checked_across(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("states: [{name: a}, {name: a}]", "two states are named \"a\""));
    assert_true(refused("states: [{name: ''}]", "has an empty `name`"));
    assert_true(refused("states: [{name: a, next: [b]}]", "no state is named \"b\""));
    assert_true(refused("states: [{name: a, next: [a, a]}]", "`next` names \"a\" twice"));
    assert_true(refused("states: [{name: a, next: [a], weights: [1, 2]}]",
                        "one number for each of `next`: there are 2 and 1"));
    assert_true(refused("states: [{name: a, next: [a], weights: [0]}]", "all `weights` are 0"));
    assert_true(refused("states: [{name: a, next: [a], weights: [-1]}]", "from 0 to 1e12"));
    assert_true(refused("states: [{name: a, start: 0}]", "`start` is 0 in all states"));
    assert_true(refused("keys: 2, partitions: 3, states: [{name: a}]", "must not be below"));
    assert_true(refused("keys: 10000, life: 10m, states: [{name: a, mean: 10ms}]",
                        "lower `life` to 10000ms, or raise `partitions`"));
    assert_true(refused("states: [{mean: 1s}]", "name"));
    assert_true(refused("max_records: 5, states: [{name: a}]", "say `count`"));
    assert_true(refused("learn: x, states: [{name: a}]", "a source is told the chain"));
}

/* A change of these bytes changes what users' topologies make: it needs a reason. */
static void the_first_records_stay(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    int64_t position = 0;
    open_made(&harness, ORDERS ", keys: 2", 0, 1);
    assert_int_equal(make(&harness, &position, 8), MR_OK);
    harness_check_golden(&harness, "generate.markov.source");
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_do_not_depend_on_cuts),
        cmocka_unit_test(an_instance_begins_anywhere),
        cmocka_unit_test(states_last_as_they_say),
        cmocka_unit_test(partitions_share_the_keys_and_the_count),
        cmocka_unit_test(options_are_checked_across),
        cmocka_unit_test(the_first_records_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
