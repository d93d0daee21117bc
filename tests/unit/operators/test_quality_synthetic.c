/* tests/unit/operators/test_quality_synthetic.c — quality.synthetic: scores of two streams, alerts,
 * samples that do not depend on the order, kinds, what validate refuses, and the stored bytes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static const char sources[] = "    - {name: in, type: memory, key: [k]}\n"
                              "    - {name: in2, type: memory, key: [k]}\n";
static const char sinks[] = "    - {name: out, type: memory, from: op}\n"
                            "    - {name: alerts, type: memory, from: op.alerts}\n";

enum { ROWS = 60 };

static const char *operator_text(char text[512], const char *more)
{
    snprintf(text, 512,
             "    - {name: op, type: quality.synthetic, real: in, synthetic: in2, key: [k], "
             "fields: [value, other], %s}\n",
             more);
    return text;
}

static void open(struct harness *harness, const char *more)
{
    char text[512];
    harness_open_sources(harness, sources, operator_text(text, more), sinks, "op", 0, 1);
    harness->keeps_last = true;
}

static struct harness_row record(int64_t offset, double value, const char *other,
                                 int64_t event_time_ms)
{
    struct harness_row row = harness_row(offset, "a", mr_value_double(value));
    row.cells[2] = (struct harness_cell){"other", mr_value_string(mr_slice_text(other))};
    row.event_time_ms = event_time_ms;
    return row;
}

static double number(const struct harness *harness, const char *field)
{
    struct mr_value value = harness_field(harness, 0, field);
    assert_int_equal(value.kind, MR_KIND_DOUBLE);
    return value.number;
}

static struct mr_value member(struct mr_value map, const char *name)
{
    assert_int_equal(map.kind, MR_KIND_MAP);
    for (uint32_t index = 0; index < map.size; index++)
        if (mr_slice_equal(mr_value_text(map.entries[index].key), mr_slice_text(name)))
            return map.entries[index].value;
    return (struct mr_value){.kind = MR_KIND_ABSENT};
}

/* ROWS of each side within the second from `start_ms`: even ones are low and "x", odd ones high and
 * "y"; synthetic numbers are `shift` off. backwards: the last one first. */
static void feed(struct harness *harness, int64_t start_ms, double shift, bool backwards)
{
    for (uint32_t port = 0; port < 2; port++) {
        struct harness_row rows[ROWS];
        for (int index = 0; index < ROWS; index++) {
            int which = backwards ? ROWS - 1 - index : index;
            double value = which % 2 * 100 + which + (port == 1 ? shift : 0);
            rows[index] =
                record(start_ms + which, value, which % 2 == 0 ? "x" : "y", start_ms + which);
        }
        harness_feed(harness, port, rows, ROWS);
    }
}

static void streams_alike_pass(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {tumbling: 1s}, distances: true");
    feed(&harness, 0, 0.5, false);
    harness_watermark(&harness, 999);
    assert_int_equal(harness.emitted_count[0], 0);
    harness_watermark(&harness, 1000);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_int_equal(harness_field(&harness, 0, "real_records").integer, ROWS);
    assert_int_equal(harness_field(&harness, 0, "synthetic_records").integer, ROWS);
    assert_true(harness_field(&harness, 0, "passed").boolean);
    assert_true(harness_field(&harness, 0, "exact").boolean);
    assert_true(number(&harness, "error") == 0);
    assert_true(fabs(number(&harness, "column_shapes") - (1 - 1.0 / ROWS / 2)) < 1e-12);
    assert_true(number(&harness, "column_pair_trends") > 0.95);
    assert_true(number(&harness, "new_rows") < 0.8); /* within 1 % of the high ones */
    assert_true(number(&harness, "distance") < 0.5);
    struct mr_value value = member(harness_field(&harness, 0, "fields"), "value");
    assert_text(member(value, "kind"), "numerical");
    assert_text(member(value, "metric"), "KSComplement");
    assert_int_equal(member(member(value, "missing"), "real").integer, 0);
    assert_int_equal(harness_field(&harness, 0, "pairs").size, 1);
    assert_int_equal(harness.emitted_count[1], 0);
    harness_close(&harness);
}

static void streams_apart_are_told(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {tumbling: 1s}, threshold: 0.9");
    feed(&harness, 0, 500, false);
    harness_watermark(&harness, 1000);
    assert_false(harness_field(&harness, 0, "passed").boolean);
    assert_text(harness_field(&harness, 0, "severity"), "warning");
    assert_int_equal(harness.emitted_count[1], 1);
    assert_text(harness_field(&harness, 1, "key"), "a");
    assert_true(harness_field(&harness, 1, "threshold").number == 0.9);
    struct mr_slice reason = mr_value_text(harness_field(&harness, 0, "reason"));
    static const char start[] = "the score of 60 synthetic beside 60 real records is ";
    assert_memory_equal(reason.data, start, sizeof(start) - 1);
    harness_close(&harness);
}

/* A late record is counted; a side without records is not judged. */
static void one_side_alone_is_not_judged(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {tumbling: 1s}, min_records: 1");
    struct harness_row row = record(1, 5, "x", 100);
    harness_feed(&harness, 0, &row, 1);
    harness_watermark(&harness, 1000);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_int_equal(harness_field(&harness, 0, "passed").kind, MR_KIND_NULL);
    assert_int_equal(harness_field(&harness, 0, "score").kind, MR_KIND_NULL);
    assert_int_equal(harness_field(&harness, 0, "distance").kind, MR_KIND_NULL);
    assert_text(harness_field(&harness, 0, "reason"), "1 real and 0 synthetic records are not "
                                                      "judged");
    harness_feed(&harness, 1, &row, 1);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_int_equal(harness.emitted_count[1], 0);
    assert_int_equal(harness.late_count, 1);
    harness_close(&harness);
}

/* Beyond `rows` samples are compared, the same ones in whatever order the records come. */
static void samples_do_not_depend_on_the_order(void **state)
{
    MR_UNUSED(state);
    double scores[2];
    for (int backwards = 0; backwards < 2; backwards++) {
        struct harness harness;
        open(&harness, "window: {tumbling: 1s}, rows: 20");
        feed(&harness, 0, 0.5, backwards == 1);
        harness_watermark(&harness, 1000);
        assert_false(harness_field(&harness, 0, "exact").boolean);
        assert_true(fabs(number(&harness, "error") - 2 * 1.63 / sqrt(20)) < 1e-12);
        assert_int_equal(harness_field(&harness, 0, "real_records").integer, ROWS);
        scores[backwards] = number(&harness, "score");
        harness_close(&harness);
    }
    assert_true(scores[0] == scores[1]);
    assert_true(scores[0] < 1 && scores[0] > 0.4);
}

/* A hopping window is what its panes are together. */
static void windows_of_parts_are_the_whole(void **state)
{
    MR_UNUSED(state);
    double scores[2];
    static const char *const windows[] = {"window: {tumbling: 2s}, rows: 30",
                                          "window: {hopping: 2s, every: 1s}, rows: 30"};
    for (int which = 0; which < 2; which++) {
        struct harness harness;
        open(&harness, windows[which]);
        feed(&harness, 0, 3, false);
        feed(&harness, 1000, 7, false);
        harness_watermark(&harness, 2000);
        assert_int_equal(harness_field(&harness, 0, "window_start").integer, 0);
        assert_int_equal(harness_field(&harness, 0, "window_end").integer, 2000);
        assert_int_equal(harness_field(&harness, 0, "real_records").integer, 2 * ROWS);
        scores[which] = number(&harness, "score");
        harness_close(&harness);
    }
    assert_true(scores[0] == scores[1]);
}

static void kinds_are_declared(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {tumbling: 1s}, min_records: 1, kinds: {value: categorical, other: "
                   "datetime}");
    const struct harness_row real[] = {record(1, 1, "2026-01-01", 100),
                                       record(2, 2, "2026-01-03T00:00:00Z", 101)};
    const struct harness_row synthetic[] = {record(1, 2, "2026-01-02", 100),
                                            record(2, 2, "no date", 101)};
    harness_feed(&harness, 0, real, 2);
    harness_feed(&harness, 1, synthetic, 2);
    harness_watermark(&harness, 1000);
    struct mr_value fields = harness_field(&harness, 0, "fields");
    assert_text(member(member(fields, "value"), "kind"), "categorical");
    assert_true(member(member(fields, "value"), "score").number == 0.5);
    assert_text(member(member(fields, "other"), "kind"), "datetime");
    assert_true(member(member(fields, "other"), "score").number == 0.5);
    assert_int_equal(member(member(member(fields, "other"), "missing"), "synthetic").integer, 1);
    harness_close(&harness);
}

static void validate_refuses(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *options;
        const char *message;
    } cases[] = {
        {"window: {count: 10}", "two streams are compared by time"},
        {"window: {sliding: 10s}", "two streams are compared by time"},
        {"window: {tumbling: 1s}, kinds: {third: boolean}", "'third' is not among the `fields`"},
        {"window: {tumbling: 1s}, kinds: {value: id}", "'id' of 'value' is no kind"},
        {"window: {tumbling: 1s}, rows: 9", "rows"},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        char text[512];
        struct mr_arena arena;
        mr_arena_init(&arena, 4096);
        const char *found =
            harness_findings(&arena, sources, operator_text(text, cases[index].options), sinks);
        if (strstr(found, cases[index].message) == NULL)
            fail_msg("expected '%s' in: %s", cases[index].message, found);
        mr_arena_deinit(&arena);
    }
}

static void stored_bytes_are_the_golden_ones(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, "window: {tumbling: 1s}, rows: 12");
    feed(&harness, 0, 0.5, false);
    harness_commit(&harness);
    harness_check_golden(&harness, "quality_synthetic_v1");
    harness_close(&harness);
    open(&harness, "window: {tumbling: 1s}, rows: 12");
    harness_load_golden(&harness, "quality_synthetic_v1");
    harness_watermark(&harness, 1000);
    assert_int_equal(harness.emitted_count[0], 1);
    assert_int_equal(harness_field(&harness, 0, "real_records").integer, ROWS);
    double restored = number(&harness, "score");
    harness_close(&harness);
    open(&harness, "window: {tumbling: 1s}, rows: 12");
    feed(&harness, 0, 0.5, false);
    harness_watermark(&harness, 1000);
    assert_true(number(&harness, "score") == restored);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_alike_pass),
        cmocka_unit_test(streams_apart_are_told),
        cmocka_unit_test(one_side_alone_is_not_judged),
        cmocka_unit_test(samples_do_not_depend_on_the_order),
        cmocka_unit_test(windows_of_parts_are_the_whole),
        cmocka_unit_test(kinds_are_declared),
        cmocka_unit_test(validate_refuses),
        cmocka_unit_test(stored_bytes_are_the_golden_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
