/* tests/conformance/detector_conformance.c — what must hold of every detector, over the cases of
 * operator_cases.h: odd series (constant, steps, huge, tiny, -0.0, single values, gaps, times out
 * of order and doubled) give finite scores >= 0 and states that fit, whatever the shared options
 * say; and a record's result does not depend on what comes behind it, also within its batch. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/conformance/operator_cases.h"
#include "tests/support/operator_harness.h"

enum { ROWS = 600, BATCH = 300 };

static struct mr_arena arena;

/* Those that add their object to each record. */
static bool is_detector(const struct operator_case *given)
{
    bool is_chart = strncmp(given->type, "spc.", 4) == 0; /* of single records */
    return (is_chart || strncmp(given->type, "detect.", 7) == 0 ||
            strncmp(given->type, "drift.", 6) == 0) &&
           (mr_operator_find(MR_ROLE_OPERATOR, given->type)->spec.flags & MR_TYPE_ADDS_FIELD) != 0;
}

/* Rows leave in the order of their event times, once the watermark has passed them. */
static bool waits(const struct operator_case *given)
{
    return strstr(given->options, "order: event_time") != NULL;
}

static void open_case(struct harness *harness, const struct operator_case *given)
{
    const char *operators =
        mr_arena_format(&arena,
                        "    - {name: op, type: %s, %s}\n"
                        "    - {name: other, type: filter, from: in2, where: 'true'}\n",
                        given->type, given->options);
    harness_open(harness, operators,
                 "    - {name: other-sink, type: memory, from: other}\n"
                 "    - {name: out, type: memory, from: op}\n"
                 "    - {name: alerts, type: memory, from: op.alerts}\n",
                 "op");
}

/* ---- Series ---- */

typedef double series(uint32_t index, struct mr_random *random);

static double constant(uint32_t index, struct mr_random *random)
{
    MR_UNUSED(index);
    MR_UNUSED(random);
    return 7.1;
}
static double steps(uint32_t index, struct mr_random *random)
{
    MR_UNUSED(random);
    return index / 100 % 2 == 0 ? 0 : 1;
}
static double huge(uint32_t index, struct mr_random *random)
{
    return index % 3 == 0 ? (index % 2 == 0 ? 1e308 : -DBL_MAX) : mr_random_normal(random);
}
static double as_huge_as_learned(uint32_t index, struct mr_random *random)
{
    MR_UNUSED(random);
    return index % 5 == 0 ? 1e140 : (index % 2 == 0 ? -1e140 : 1e139);
}
static double tiny(uint32_t index, struct mr_random *random)
{
    MR_UNUSED(random);
    return index % 2 == 0 ? 5e-324 : -5e-324 * (index % 7);
}
static double zeros(uint32_t index, struct mr_random *random)
{
    MR_UNUSED(random);
    return index % 2 == 0 ? 0.0 : -0.0;
}
static double one_spike(uint32_t index, struct mr_random *random)
{
    return index == 450 ? 1e9 : mr_random_normal(random);
}
static double holes(uint32_t index, struct mr_random *random)
{
    return index / 50 % 3 == 1 ? (double)NAN : mr_random_double(random);
}
static double bits(uint32_t index, struct mr_random *random)
{
    MR_UNUSED(index);
    return (double)mr_random_below(random, 2);
}

static series *const all_series[] = {constant,  steps, huge, as_huge_as_learned, tiny, zeros,
                                     one_spike, holes, bits};

/* Times that stand still, leap and go back. */
static int64_t odd_time(uint32_t index)
{
    int64_t time_ms = 1700000000000 + (int64_t)(index / 4) * 1000;
    if (index > ROWS / 2)
        time_ms += 30LL * 86400 * 1000;
    return index % 11 == 3 ? time_ms - 20000 : time_ms;
}

static void fill(struct harness_row *rows, series *values, uint64_t seed)
{
    struct mr_random random;
    mr_random_init(&random, seed, 0);
    for (uint32_t index = 0; index < ROWS; index++) {
        double value = values(index, &random);
        rows[index] = (struct harness_row){
            .offset = index,
            .event_time_ms = odd_time(index),
            .cells = {{"k", mr_value_string(mr_slice_text(index % 10 == 9 ? "b" : "a"))},
                      {"value", mr_value_double(value)},
                      {"second", mr_value_double(values(index + 1, &random))},
                      {"third", mr_value_double(mr_random_normal(&random))},
                      {"failed", mr_value_double((double)mr_random_below(&random, 2))},
                      {"defects", mr_value_double(value)},
                      {"units", mr_value_int(3 + index * 11 % 13)}},
        };
    }
}

/* ---- Results ---- */

static bool is_text(struct mr_value value, const char *text)
{
    return value.kind == MR_KIND_STRING &&
           mr_slice_equal(mr_value_text(value), mr_slice_text(text));
}

static void check_row(const struct harness *harness, const struct mr_batch *batch, uint32_t row)
{
    const struct mr_plan_node *node = harness->node;
    for (uint32_t field = 0; field < node->type->added_fields_count; field++) {
        const struct mr_value *column = batch->columns[node->added_slots[field]];
        if (column != NULL && column[row].kind == MR_KIND_DOUBLE)
            assert_true(isfinite(column[row].number) || column[row].number == 0);
    }
    double score = batch->columns[harness_added_slot(harness, "score")][row].number;
    bool is_anomaly = batch->columns[harness_added_slot(harness, "is_anomaly")][row].boolean;
    struct mr_value state = batch->columns[harness_added_slot(harness, "state")][row];
    bool is_chart = strncmp(node->type->name, "spc.", 4) == 0; /* without one */
    const struct mr_value *p_value =
        is_chart ? NULL : batch->columns[harness_added_slot(harness, "p_value")];
    assert_true(score >= 0);
    if (is_text(state, "learning") || is_text(state, "starved")) {
        assert_true(score == 0);
        assert_false(is_anomaly);
    } else {
        assert_true(is_text(state, "armed"));
    }
    if (p_value != NULL && p_value[row].kind != MR_KIND_ABSENT)
        assert_true(p_value[row].number >= 0 && p_value[row].number <= 1);
}

static void check_emitted(void *argument, const struct harness *harness, uint32_t output,
                          struct mr_view view)
{
    MR_UNUSED(argument);
    for (uint32_t index = 0; output == 0 && index < view.rows_count; index++)
        check_row(harness, view.batch, view.rows[index]);
}

static void odd_series_give_finite_scores(void **state)
{
    MR_UNUSED(state);
    static struct harness_row rows[ROWS];
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        const struct operator_case *given = &cases[index];
        if (!is_detector(given))
            continue;
        print_message("  %s: %s\n", given->type, given->options);
        for (size_t kind = 0; kind < MR_ARRAY_COUNT(all_series); kind++) {
            struct harness harness;
            open_case(&harness, given);
            harness.on_emit = check_emitted;
            harness.quiet = true;
            fill(rows, all_series[kind], kind);
            for (uint32_t row = 0; row < ROWS; row += BATCH) {
                harness_feed(&harness, 0, rows + row, BATCH);
                harness_commit(&harness);
                harness_restore(&harness);
            }
            if (waits(given))
                harness_watermark(&harness, INT64_MAX);
            assert_int_equal(harness.emitted_count[0] + harness.errors_count, ROWS);
            harness_close(&harness);
        }
    }
}

/* The first lines of the main output. */
static size_t prefix_size(const char *text, uint32_t lines)
{
    size_t size = 0;
    for (; lines > 0 && text[size] != '\0'; size++)
        lines -= text[size] == '\n';
    assert_int_equal(lines, 0);
    return size;
}

static void nothing_is_seen_ahead(void **state)
{
    MR_UNUSED(state);
    static struct harness_row rows[2][ROWS];
    enum { COMMON = 350 }; /* within the second batch */
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        const struct operator_case *given = &cases[index];
        if (!is_detector(given))
            continue;
        fill(rows[0], bits, 1);
        fill(rows[1], bits, 1);
        for (uint32_t row = COMMON; row < ROWS; row++) {
            rows[1][row].cells[1].value = mr_value_double(1 - row % 2);
            rows[1][row].cells[4].value = mr_value_double(row % 2);
            rows[1][row].cells[5].value = mr_value_int(row % 3);
            rows[1][row].event_time_ms += 7;
        }
        /* Behind is later: times that go back would bring what is behind to the front. */
        for (uint32_t row = 0; waits(given) && row < ROWS; row++)
            rows[0][row].event_time_ms = rows[1][row].event_time_ms = odd_time(0) + row;
        struct harness harness[2];
        for (int future = 0; future < 2; future++) {
            open_case(&harness[future], given);
            for (uint32_t row = 0; row < ROWS; row += BATCH)
                harness_feed(&harness[future], 0, rows[future] + row, BATCH);
            assert_int_equal(harness[future].errors_count, 0);
        }
        const char *first = harness_output(&harness[0], 0);
        const char *second = harness_output(&harness[1], 0);
        size_t size = prefix_size(first, COMMON);
        if (memcmp(first, second, size) != 0)
            fail_msg("%s: %s sees what comes later", given->type, given->options);
        assert_string_not_equal(first + size, second + size);
        harness_close(&harness[0]);
        harness_close(&harness[1]);
    }
}

static int setup(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(odd_series_give_finite_scores, setup, teardown),
        cmocka_unit_test_setup_teardown(nothing_is_seen_ahead, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
