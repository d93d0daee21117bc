/* tests/unit/operators/test_duplicate_memory.c — windows of time and of records and Bloom filters
 * beside definitions that remember everything. */
#include "operators/duplicate_memory.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/operator_harness.h"

enum { ROWS_MAX = 6000, VALUES = 60, BATCH = 97, MORE_TEXT = 160 };

struct expected {
    int64_t time_ms;
    uint32_t key;
    uint32_t value;
    bool found;
};

struct stream {
    struct harness harness;
    struct expected rows[ROWS_MAX];
    uint32_t rows_count;
    uint32_t seen;
};

static const char *const keys[] = {"a", "b"};

/* Notes which rows were found, by their offset. */
static void note(void *argument, const struct harness *harness, uint32_t output,
                 struct mr_view view)
{
    struct stream *stream = argument;
    if (output != 0)
        return;
    const struct mr_value *passed =
        mr_batch_column(view.batch, harness_added_slot(harness, "passed"));
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        stream->rows[view.batch->offsets[row]].found = !passed[row].boolean;
        stream->seen++;
    }
}

/* `disorder`: how far event times go back at most. */
static void fill(struct stream *stream, uint64_t seed, uint32_t rows, uint32_t values,
                 int64_t step_ms, int64_t disorder_ms)
{
    struct mr_random random;
    int64_t now_ms = 5000;
    mr_random_init(&random, seed, rows);
    stream->rows_count = rows;
    for (uint32_t row = 0; row < rows; row++) {
        now_ms += (int64_t)mr_random_below(&random, (uint64_t)(2 * step_ms + 1));
        if (mr_random_below(&random, 200) == 0)
            now_ms += 50 * step_ms; /* a pause */
        stream->rows[row] = (struct expected){
            .time_ms = now_ms - (int64_t)mr_random_below(&random, (uint64_t)disorder_ms + 1),
            .key = (uint32_t)mr_random_below(&random, MR_ARRAY_COUNT(keys)),
            .value = (uint32_t)mr_random_below(&random, values)};
    }
}

/* Feed in batches; the watermark follows `delay` behind the highest time; restores on the way. */
static void run(struct stream *stream, const char *options, int64_t delay_ms)
{
    char text[256];
    static struct harness_row rows[BATCH];
    int64_t highest_ms = INT64_MIN;
    snprintf(
        text, sizeof(text),
        "    - {name: op, type: quality.duplicates, from: in, key: [k], fields: [value], %s}\n",
        options);
    harness_open(&stream->harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    stream->harness.quiet = true;
    stream->harness.on_emit = note;
    stream->harness.on_emit_argument = stream;
    stream->seen = 0;
    for (uint32_t first = 0; first < stream->rows_count; first += BATCH) {
        uint32_t count = 0;
        for (; count < BATCH && first + count < stream->rows_count; count++) {
            const struct expected *given = &stream->rows[first + count];
            rows[count] =
                harness_row(first + count, keys[given->key], mr_value_int((int64_t)given->value));
            rows[count].event_time_ms = given->time_ms;
            if (given->time_ms > highest_ms)
                highest_ms = given->time_ms;
        }
        harness_feed(&stream->harness, 0, rows, count);
        harness_watermark(&stream->harness, highest_ms - delay_ms);
        harness_commit(&stream->harness);
        if (first / BATCH % 7 == 3)
            harness_restore(&stream->harness);
    }
    assert_int_equal(stream->seen, stream->rows_count);
    assert_int_equal(stream->harness.errors_count, 0);
    harness_close(&stream->harness);
}

/* An equal record that came before is less than the window away. */
static bool is_near(const struct stream *stream, uint32_t row, int64_t window_ms)
{
    const struct expected *own = &stream->rows[row];
    for (uint32_t before = 0; before < row; before++) {
        const struct expected *other = &stream->rows[before];
        if (other->key == own->key && other->value == own->value &&
            llabs(other->time_ms - own->time_ms) < window_ms)
            return true;
    }
    return false;
}

/* An equal record is among the `count` of its key before it. */
static bool is_recent(const struct stream *stream, uint32_t row, uint32_t count)
{
    const struct expected *own = &stream->rows[row];
    uint32_t left = count;
    for (uint32_t before = row; before > 0 && left > 0; before--) {
        const struct expected *other = &stream->rows[before - 1];
        if (other->key != own->key)
            continue;
        if (other->value == own->value)
            return true;
        left--;
    }
    return false;
}

static void windows_of_time_are_exact(void **state)
{
    MR_UNUSED(state);
    static struct stream stream;
    static const int64_t disorders[] = {0, 40, 99};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(disorders); index++) {
        fill(&stream, index + 1, 3000, VALUES, 4, disorders[index]);
        run(&stream, "window: {sliding: 100ms}", disorders[index]);
        uint32_t duplicates = 0;
        for (uint32_t row = 0; row < stream.rows_count; row++) {
            bool expected = is_near(&stream, row, 100);
            duplicates += expected;
            if (expected != stream.rows[row].found)
                fail_msg("disorder %d, row %u: %d", (int)disorders[index], row, expected);
        }
        assert_in_range(duplicates, 300, 2700);
    }
}

static void windows_of_records_are_exact(void **state)
{
    MR_UNUSED(state);
    static struct stream stream;
    static const uint32_t counts[] = {1, 10, 31, 32, 200};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(counts); index++) {
        char options[MORE_TEXT];
        snprintf(options, sizeof(options), "window: {count: %u}", counts[index]);
        fill(&stream, index + 20, 3000, counts[index] * 2, 4, 300);
        run(&stream, options, 0);
        uint32_t duplicates = 0;
        for (uint32_t row = 0; row < stream.rows_count; row++) {
            bool expected = is_recent(&stream, row, counts[index]);
            duplicates += expected;
            if (expected != stream.rows[row].found)
                fail_msg("count %u, row %u: %d", counts[index], row, expected);
        }
        assert_in_range(duplicates, 500, 2500);
    }
}

/* Values of the last window only are kept. */
static void windows_of_records_are_bounded(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct harness_row rows[BATCH];
    harness_open(&harness,
                 "    - {name: op, type: quality.duplicates, from: in, key: [], fields: [value], "
                 "window: {count: 20}}\n",
                 "    - {name: out, type: memory, from: op}\n", "op");
    for (int64_t first = 0; first < 20 * BATCH; first += BATCH) {
        for (int64_t index = 0; index < BATCH; index++)
            rows[index] = harness_row(first + index, "a", mr_value_int(first + index));
        harness_feed(&harness, 0, rows, BATCH);
        harness_commit(&harness);
    }
    size_t lines = 0;
    for (const char *text = harness_dump(&harness, &harness.plan_arena); *text != '\0'; text++)
        lines += *text == '\n';
    assert_in_range(lines, 20, 30);
    harness_close(&harness);
}

/* Nothing of the window is missed, and others are found no more often than stated. */
static void check_filters(const char *options, int64_t window_ms, uint32_t count,
                          int64_t disorder_ms, double rate)
{
    static struct stream stream;
    double looks = 0;
    double found = 0;
    for (uint64_t seed = 0; seed < 5; seed++) {
        fill(&stream, seed + 50, ROWS_MAX, 3000, 4, disorder_ms);
        run(&stream, options, disorder_ms);
        for (uint32_t row = 0; row < stream.rows_count; row++) {
            bool in = count > 0 ? is_recent(&stream, row, count) : is_near(&stream, row, window_ms);
            bool out = count > 0 ? !is_recent(&stream, row, count * 5 / 4 + 2)
                                 : !is_near(&stream, row, (window_ms + disorder_ms) * 5 / 4 + 2);
            if (in)
                assert_true(stream.rows[row].found);
            looks += out;
            found += out && stream.rows[row].found;
        }
    }
    assert_true(looks > 2000);
    assert_true(found <= rate * looks + 2.33 * sqrt(rate * looks));
}

static void filters_keep_their_rate(void **state)
{
    MR_UNUSED(state);
    check_filters("window: {sliding: 4s}, bloom: {rate: 0.02, capacity: 1200}", 4000, 0, 0, 0.02);
    check_filters("window: {sliding: 4s}, bloom: {rate: 0.02, capacity: 1300, lateness: 200ms}",
                  4000, 0, 200, 0.02);
    check_filters("window: {count: 400}, bloom: {rate: 0.05}", 0, 400, 300, 0.05);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_of_time_are_exact),
        cmocka_unit_test(windows_of_records_are_exact),
        cmocka_unit_test(windows_of_records_are_bounded),
        cmocka_unit_test(filters_keep_their_rate),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
