/* tests/unit/operators/test_generate_bootstrap.c — generate.bootstrap: what its records look like,
 * the stored state, options. When records are made is in test_learned_generator.c. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/operator_harness.h"

static const char out[] = "    - {name: out, type: memory, from: op}\n";

static void open(struct harness *harness, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: generate.bootstrap, learn: in, key: [k], fields: [value, "
             "kind], %s}\n",
             options);
    harness_open(harness, text, out, "op");
}

/* Numbers of one decimal from 20.0 to 49.9, and whether they are below 35. */
static void feed(struct harness *harness, uint32_t first, uint32_t count)
{
    struct mr_random random;
    for (uint32_t number = first; number < first + count; number++) {
        mr_random_init(&random, 3, number);
        double value = (200 + (double)mr_random_below(&random, 300)) / 10;
        struct harness_row row = harness_row(number, "a", mr_value_double(value));
        row.cells[2] = (struct harness_cell){
            "kind", mr_value_string(mr_slice_text(value < 35 ? "low" : "high"))};
        harness_feed(harness, 0, &row, 1);
    }
}

/* The number that is printed as the bytes of a double behind the name. */
static double number_behind(const char *line, const char *name)
{
    unsigned long long bits;
    double number;
    const char *at = strstr(line, name);
    assert_non_null(at);
    assert_int_equal(sscanf(at + strlen(name), "%llx", &bits), 1);
    bits = __builtin_bswap64(bits);
    memcpy(&number, &bits, sizeof(number));
    return number;
}

/* How many of the records emitted agree with themselves; all are of one decimal and in range. */
static uint32_t agreeing(struct harness *harness, uint32_t *rows)
{
    uint32_t agree = 0;
    *rows = 0;
    for (const char *line = harness_output(harness, 0); *line != '\0';
         line = strchr(line, '\n') + 1, (*rows)++) {
        char kind[8];
        double value = number_behind(line, "0=string:'a'; 1=double:");
        assert_int_equal(sscanf(strstr(line, "2=string:"), "2=string:'%4[a-z]", kind), 1);
        assert_true(value >= 20 && value < 50 && nearbyint(value * 10) / 10 == value);
        agree += (value < 35) == (strcmp(kind, "low") == 0) ? 1 : 0;
    }
    return agree;
}

/* Without noise nothing disagrees, with little noise what lies beside 35. */
static void records_look_like_the_real_ones(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    uint32_t rows;
    open(&harness, "learn_batch: 50, min_records: 500, noise: 0");
    feed(&harness, 0, 700);
    harness_restore(&harness);
    assert_int_equal(agreeing(&harness, &rows), 200);
    assert_int_equal(rows, 200);
    harness_close(&harness);
    open(&harness, "learn_batch: 50, min_records: 500, noise: 0.05");
    feed(&harness, 0, 700);
    assert_in_range(agreeing(&harness, &rows), 185, 199);
    assert_int_equal(rows, 200);
    harness_close(&harness);
}

static void conditions_choose_among_the_records(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    uint32_t rows;
    open(&harness, "learn_batch: 50, min_records: 500, conditions: [{field: value, gt: 45}]");
    feed(&harness, 0, 700);
    assert_int_equal(agreeing(&harness, &rows), 200);
    assert_int_equal(rows, 200);
    for (const char *line = harness_output(&harness, 0); *line != '\0';
         line = strchr(line, '\n') + 1)
        assert_true(number_behind(line, "1=double:") > 45);
    harness_close(&harness);
    open(&harness, "learn_batch: 10, min_records: 10, conditions: [{field: value, gt: 50}]");
    feed(&harness, 0, 12);
    assert_int_equal(harness.emitted_count[0], 0);
    assert_int_equal(harness.errors_count, 2);
    assert_non_null(
        strstr(harness_errors(&harness), "none of the 10 records of the sample meets them"));
    harness_close(&harness);
}

static void the_state_is_as_it_was_stored(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "learn_batch: 10, min_records: 10, reservoir: 16");
    feed(&harness, 0, 45);
    harness_commit(&harness);
    harness_check_golden(&harness, "generate_bootstrap_v1");
    harness_close(&harness);
    /* It goes on from those bytes. */
    open(&harness, "learn_batch: 10, min_records: 10, reservoir: 16");
    harness_load_golden(&harness, "generate_bootstrap_v1");
    feed(&harness, 45, 30);
    assert_int_equal(harness.emitted_count[0], 30);
    harness_close(&harness);
}

static bool refused(const char *options, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 16);
    snprintf(text, sizeof(text), "    - {name: op, type: generate.bootstrap, learn: in, %s}\n",
             options);
    const char *findings =
        harness_findings(&arena, "    - {name: in, type: memory, key: [k]}\n", text, out);
    bool found = strstr(findings, sentence) != NULL;
    if (!found)
        print_message("found instead: %s\n", findings);
    mr_arena_deinit(&arena);
    return found;
}

static void options_are_checked(void **state)
{
    MR_UNUSED(state);
    assert_true(refused("key: [], fields: [value], weight: 0.2, half_life: 100",
                        "`weight` and `half_life` both say how fast old records are forgotten"));
    assert_true(refused("key: [], fields: [value], noise: -1", "noise"));
    assert_true(refused("key: [], fields: [value], flip: 1.5", "flip"));
    assert_true(refused("key: [], fields: [value], reservoir: 9000", "reservoir"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_look_like_the_real_ones),
        cmocka_unit_test(conditions_choose_among_the_records),
        cmocka_unit_test(the_state_is_as_it_was_stored),
        cmocka_unit_test(options_are_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
