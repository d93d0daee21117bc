/* tests/unit/operators/test_generate_markov.c — generate.markov: what sequences look like, when
 * they begin, odd records, the stored state. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static const char out[] = "    - {name: out, type: memory, from: op}\n";

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: generate.markov, learn: in, key: [k], field: value, %s}\n",
             options);
    harness_open(harness, text, out, "op");
}

static void feed(struct harness *harness, int64_t time_ms, const char *key, struct mr_value state)
{
    struct harness_row row = harness_row(time_ms, key, state);
    row.event_time_ms = time_ms;
    harness_feed(harness, 0, &row, 1);
}

static struct mr_value text(const char *state)
{
    return mr_value_string(mr_slice_text(state));
}

/* off 5 s, on 10 s, off ... of two keys. */
static void feed_cycle(struct harness *harness, uint32_t cycles)
{
    for (uint32_t cycle = 0; cycle < cycles; cycle++) {
        int64_t start = (int64_t)cycle * 15000;
        feed(harness, start, "a", text("off"));
        feed(harness, start + 1000, "b", text("off"));
        feed(harness, start + 5000, "a", text("on"));
        feed(harness, start + 6000, "b", text("on"));
        feed(harness, start + 9000, "a", text("on")); /* goes on */
    }
}

static uint32_t count_of(const char *output, const char *part)
{
    uint32_t count = 0;
    for (const char *at = strstr(output, part); at != NULL; at = strstr(at + 1, part))
        count++;
    return count;
}

static void a_cycle_is_made_again(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "keys: 2, min_records: 11");
    feed_cycle(&harness, 3); /* 10 changes: 2 of the first cycle, 4 of each one more */
    assert_int_equal(harness.emitted_count[0], 0);
    harness_commit(&harness);
    harness_restore(&harness);
    feed_cycle(&harness, 13);
    const char *output = harness_output(&harness, 0);
    assert_true(harness.emitted_count[0] > 30);
    assert_int_equal(count_of(output, "synthetic-0-00000"), count_of(output, "synthetic-0-00001"));
    assert_int_equal(count_of(output, "synthetic-0-00002"), 0);
    uint32_t on = count_of(output, "string:'on'");
    uint32_t off = count_of(output, "string:'off'");
    assert_int_equal(on + off, harness.emitted_count[0]);
    /* Each state's own time: 10 s is 0x2710, 5 s 0x1388. */
    assert_int_equal(count_of(output, "string:'on'; 2=int:10000"), on);
    assert_int_equal(count_of(output, "string:'off'; 2=int:5000"), off);
    harness_close(&harness);
}

/* The last two states tell the next: a b c b a b c b ...; by one alone b is followed by both. */
static void two_states_tell_the_next(void **state)
{
    MR_UNUSED(state);
    static const char *const turns[] = {"up", "mid", "low", "mid"};
    for (int order = 1; order <= 2; order++) {
        struct harness harness;
        uint32_t wrong = 0;
        open(&harness,
             order == 1 ? "keys: 1, min_records: 40" : "keys: 1, min_records: 40, chain_order: 2");
        for (uint32_t row = 0; row < 400; row++)
            feed(&harness, (int64_t)row * 1000, "a", text(turns[row % 4]));
        const char *names[3] = {"", "", ""};
        for (const char *line = harness_output(&harness, 0); *line != '\0';
             line = strchr(line, '\n') + 1) {
            names[0] = names[1];
            names[1] = names[2];
            const char *at = strstr(line, "1=string:'") + 10;
            names[2] = *at == 'u' ? "up" : *at == 'm' ? "mid" : "low";
            bool is_known = names[0][0] != '\0' && strcmp(names[1], "mid") == 0;
            wrong += is_known && strcmp(names[0], names[2]) == 0 ? 1 : 0;
        }
        assert_in_range(harness.emitted_count[0], 300, 400);
        assert_true(order == 1 ? wrong > 50 : wrong == 0);
        harness_close(&harness);
    }
}

static void further_states_are_others(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    char name[16];
    open(&harness, "keys: 2, min_records: 10, states: 2, other: rest");
    for (uint32_t row = 0; row < 100; row++) {
        snprintf(name, sizeof(name), "s%u", (unsigned)(row % 7));
        feed(&harness, (int64_t)row * 1000, "a", text(name));
    }
    const char *output = harness_output(&harness, 0);
    assert_true(count_of(output, "string:'rest'") > 5);
    assert_true(count_of(output, "string:'s0'") > 5);
    assert_int_equal(count_of(output, "string:'s2'"), 0);
    harness_close(&harness);
}

/* Records without a state, of other kinds, late and sent again. */
static void odd_records_are_told_or_left_out(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "keys: 1, min_records: 1000");
    feed(&harness, 1000, "a", text("on"));
    feed(&harness, 2000, "a", mr_value_null());
    feed(&harness, 3000, "a", mr_value_double(1.5));
    feed(&harness, 4000, "a", mr_value_error(mr_slice_text("not a text at byte 7")));
    assert_int_equal(harness.errors_count, 2);
    assert_non_null(strstr(harness_errors(&harness),
                           "the state is double; generate.markov learns texts, booleans and"));
    assert_non_null(strstr(harness_errors(&harness), "field value: not a text at byte 7"));
    feed(&harness, 5000, "a", mr_value_int(7));
    feed(&harness, 6000, "a", mr_value_bool(true));
    harness_commit(&harness);
    const char *before = harness_dump(&harness, &harness.plan_arena);
    feed(&harness, 1000, "a", text("on"));
    feed(&harness, 6000, "a", mr_value_bool(true));
    harness_commit(&harness);
    assert_string_equal(before, harness_dump(&harness, &harness.plan_arena));
    harness_close(&harness);
}

/* Half of the weight is the last half-life's: from then on the new way is taken more often. */
static void old_ways_fade(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "keys: 1, min_records: 10, half_life: 60");
    for (uint32_t row = 0; row < 1200; row++) {
        bool is_hub = row % 2 == 0;
        feed(&harness, (int64_t)row * 1000, "a", text(is_hub ? "hub" : row < 600 ? "old" : "new"));
    }
    const char *output = harness_output(&harness, 0);
    assert_in_range(count_of(output, "string:'old'"), 300, 380);
    assert_in_range(count_of(output, "string:'new'"), 220, 300);
    harness_close(&harness);
}

static void the_state_is_as_it_was_stored(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "keys: 2, min_records: 11, chain_order: 2, half_life: 1h");
    feed_cycle(&harness, 5);
    harness_commit(&harness);
    harness_check_golden(&harness, "generate_markov_v1");
    harness_close(&harness);
    /* It goes on from those bytes. */
    open(&harness, "keys: 2, min_records: 11, chain_order: 2, half_life: 1h");
    harness_load_golden(&harness, "generate_markov_v1");
    feed(&harness, 100000, "a", text("off"));
    assert_true(harness.emitted_count[0] > 4);
    harness_close(&harness);
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char operators[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(operators, sizeof(operators),
             "    - {name: op, type: generate.markov, learn: in, %s}\n", options);
    const char *findings =
        harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n", operators, out);
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void options_are_checked(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("key: [k]", "field"));
    assert_true(refused("key: [k], field: value, chain_order: 3", "chain_order"));
    assert_true(refused("key: [k], field: value, states: 65", "states"));
    assert_true(refused("field: value", "key"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cycle_is_made_again),
        cmocka_unit_test(two_states_tell_the_next),
        cmocka_unit_test(further_states_are_others),
        cmocka_unit_test(odd_records_are_told_or_left_out),
        cmocka_unit_test(old_ways_fade),
        cmocka_unit_test(the_state_is_as_it_was_stored),
        cmocka_unit_test(options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
