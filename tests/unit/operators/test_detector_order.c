/* tests/unit/operators/test_detector_order.c — `order: event_time`: records out of order are judged
 * as sorted ones are, with what control records say among them. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/operator.h"
#include "tests/support/operator_harness.h"

enum { ROWS = 1500, DELAY = 60 };

/* What a detector said of a record. */
struct said {
    int64_t offset;
    int64_t time_ms;
    double score;
    double mean;
    bool is_anomaly;
    char state[12];
    char reason[200];
};

struct heard {
    struct said rows[ROWS];
    uint32_t count;
};

static void copy_text(char *output, size_t size, struct mr_value value)
{
    assert_int_equal(value.kind, MR_KIND_STRING);
    assert_true(value.size < size);
    memset(output, 0, size);
    memcpy(output, value.text, value.size);
}

static void hear(void *argument, const struct harness *harness, uint32_t output,
                 struct mr_view view)
{
    struct heard *heard = argument;
    if (output != 0)
        return;
    struct mr_value *const *columns = view.batch->columns;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        assert_true(heard->count < ROWS);
        struct said *said = &heard->rows[heard->count++];
        memset(said, 0, sizeof(*said));
        said->offset = view.batch->offsets[row];
        said->time_ms = view.batch->event_times_ms[row];
        said->score = columns[harness_added_slot(harness, "score")][row].number;
        said->mean = columns[harness_added_slot(harness, "mean")][row].number;
        said->is_anomaly = columns[harness_added_slot(harness, "is_anomaly")][row].boolean;
        copy_text(said->state, sizeof(said->state),
                  columns[harness_added_slot(harness, "state")][row]);
        copy_text(said->reason, sizeof(said->reason),
                  columns[harness_added_slot(harness, "reason")][row]);
    }
}

static void open(struct harness *harness, struct heard *heard, const char *options)
{
    char text[512];
    snprintf(text, sizeof(text),
             "    - {name: op, type: detect.zscore, from: in, control: in2, key: [k], field: "
             "value%s}\n",
             options);
    harness_open_sources(harness,
                         "    - {name: in, type: memory, key: [k]}\n"
                         "    - {name: in2, type: memory, key: [key]}\n",
                         text,
                         "    - {name: out, type: memory, from: op, where: 'tags != \"no\"'}\n"
                         "    - {name: alerts, type: memory, from: op.alerts}\n",
                         "op", 0, 1);
    harness->keeps_last = true;
    harness->row_watermarks = true;
    harness->on_emit = hear;
    harness->on_emit_argument = heard;
    if (heard != NULL)
        heard->count = 0;
}

static struct harness_row data(int64_t offset, int64_t time_ms, int64_t watermark_ms, double value)
{
    struct harness_row row =
        harness_row(offset, offset % 3 == 0 ? "a" : "b", mr_value_double(value));
    row.cells[2] = (struct harness_cell){"tags", mr_value_string(mr_slice_text("yes"))};
    row.event_time_ms = time_ms;
    row.watermark_ms = watermark_ms;
    return row;
}

static struct harness_row order_at(int64_t time_ms, int64_t watermark_ms, const char *key,
                                   const char *action)
{
    return (struct harness_row){
        .offset = 100000 + time_ms,
        .event_time_ms = time_ms,
        .watermark_ms = watermark_ms,
        .cells = {{"key", mr_value_string(mr_slice_text(key))},
                  {"action", mr_value_string(mr_slice_text(action))},
                  {"until", mr_value_null()}},
    };
}

static double number_of(int64_t row, struct mr_random *random)
{
    return row % 97 == 90 ? 400 : (double)mr_random_below(random, 20);
}

static void restart(struct harness *harness)
{
    harness_commit(harness);
    harness_restore(harness);
}

/* The first key is frozen, and the other muted, for a while. */
static const struct {
    int64_t time_ms;
    const char *key;
    const char *action;
} orders[] = {{700, "a", "freeze"},
              {900, "b", "mute"},
              {1300, "a", "unfreeze"},
              {1400, "b", "unmute"},
              {2000, "b", "reset"}};

static int by_time(const void *left, const void *right)
{
    const struct harness_row *first = left;
    const struct harness_row *second = right;
    if (first->event_time_ms != second->event_time_ms)
        return first->event_time_ms < second->event_time_ms ? -1 : 1;
    return first->offset < second->offset ? -1 : 1;
}

static struct harness_row given[ROWS];

/* Times by chance out of order, by less than DELAY. */
static void make_given(uint64_t seed)
{
    struct mr_random random;
    mr_random_init(&random, seed, 1);
    int64_t highest = 0;
    for (int64_t row = 0; row < ROWS; row++) {
        int64_t time_ms = 2 * row + (int64_t)mr_random_below(&random, DELAY);
        given[row] = data(row, time_ms, highest - DELAY, number_of(row, &random));
        highest = time_ms > highest ? time_ms : highest;
    }
}

/* As they come to a detector that minds no order, sorted before. */
static void run_sorted(struct heard *heard)
{
    static struct harness_row sorted[ROWS];
    struct harness harness;
    size_t next_order = 0;
    memcpy(sorted, given, sizeof(sorted));
    qsort(sorted, ROWS, sizeof(*sorted), by_time);
    open(&harness, heard, ", warmup: 5");
    for (uint32_t row = 0; row < ROWS; row++) {
        while (next_order < MR_ARRAY_COUNT(orders) &&
               orders[next_order].time_ms <= sorted[row].event_time_ms) {
            struct harness_row order = order_at(orders[next_order].time_ms, INT64_MIN,
                                                orders[next_order].key, orders[next_order].action);
            harness_feed(&harness, 1, &order, 1);
            next_order++;
        }
        harness_feed(&harness, 0, &sorted[row], 1);
    }
    harness_close(&harness);
}

static void run_unsorted(struct heard *heard, uint64_t seed, bool in_parts)
{
    struct harness harness;
    struct mr_random random;
    size_t next_order = 0;
    mr_random_init(&random, seed, 2);
    open(&harness, heard, ", warmup: 5, order: event_time, max_waiting: 2000");
    harness.in_parts = in_parts;
    harness.crash_every = in_parts ? 5 : 0;
    for (uint32_t row = 0; row < ROWS;) {
        uint32_t count = 1 + (uint32_t)mr_random_below(&random, 40);
        count = count < ROWS - row ? count : ROWS - row;
        harness_feed(&harness, 0, given + row, count);
        row += count;
        int64_t watermark_ms = row < ROWS ? given[row].watermark_ms : INT64_MAX;
        /* What will count in a while comes early, what counted a while ago late. */
        while (next_order < MR_ARRAY_COUNT(orders) &&
               orders[next_order].time_ms < watermark_ms + DELAY) {
            struct harness_row order = order_at(orders[next_order].time_ms, INT64_MIN,
                                                orders[next_order].key, orders[next_order].action);
            assert_true(order.event_time_ms >= harness.watermark_ms);
            harness_feed(&harness, 1, &order, 1);
            next_order++;
        }
        if (mr_random_below(&random, 3) == 0)
            harness_watermark(&harness, watermark_ms);
        if (mr_random_below(&random, 8) == 0)
            restart(&harness);
    }
    harness_watermark(&harness, INT64_MAX);
    assert_int_equal(harness.late_count, 0);
    assert_true(!in_parts || harness.parts_count > 10);
    harness_close(&harness);
}

static void records_out_of_order_are_judged_as_sorted_ones(void **state)
{
    MR_UNUSED(state);
    static struct heard expected;
    static struct heard heard;
    for (uint64_t seed = 0; seed < 4; seed++) {
        make_given(seed);
        run_sorted(&expected);
        assert_int_equal(expected.count, ROWS);
        run_unsorted(&heard, seed, seed % 2 == 1);
        assert_int_equal(heard.count, ROWS);
        uint32_t anomalies = 0;
        uint32_t muted = 0;
        for (uint32_t row = 0; row < ROWS; row++) {
            assert_memory_equal(&heard.rows[row], &expected.rows[row], sizeof(heard.rows[row]));
            anomalies += heard.rows[row].is_anomaly;
            muted += strcmp(heard.rows[row].state, "muted") == 0;
        }
        assert_in_range(anomalies, 5, 30);
        assert_in_range(muted, 50, 500);
    }
}

static void late_records_are_judged_behind_what_has_left(void **state)
{
    MR_UNUSED(state);
    static struct heard heard;
    struct harness harness;
    open(&harness, &heard, ", warmup: 2, order: event_time");
    const struct harness_row rows[] = {
        data(0, 100, INT64_MIN, 1), data(3, 60, INT64_MIN, 2), data(6, 80, INT64_MIN, 3),
        data(9, 10, 70, 4), /* late by what it knows: behind what is due there */
        data(12, 200, 70, 5),
    };
    harness_feed(&harness, 0, rows, MR_ARRAY_COUNT(rows));
    assert_int_equal(harness.late_count, 1);
    assert_int_equal(heard.count, 0);
    harness_watermark(&harness, 70);
    assert_string_equal(harness_offsets(&harness, 0), "3 9");
    harness_watermark(&harness, 150);
    assert_string_equal(harness_offsets(&harness, 0), "3 9 6 0");
    assert_int_equal(heard.rows[1].time_ms, 10);
    /* The watermark has been told: it need not rise for them to leave. */
    const struct harness_row later[] = {data(15, 149, 150, 6), data(18, 5, 150, 7)};
    harness_feed(&harness, 0, later, MR_ARRAY_COUNT(later));
    assert_string_equal(harness_offsets(&harness, 0), "3 9 6 0 15 18");
    struct harness_row order = order_at(20, 150, "a", "mute");
    harness_feed(&harness, 1, &order, 1);
    assert_int_equal(harness.late_count, 4);
    harness_watermark(&harness, INT64_MAX);
    assert_string_equal(harness_offsets(&harness, 0), "3 9 6 0 15 18 12");
    assert_string_equal(heard.rows[6].state, "muted");
    harness_close(&harness);
}

static void a_full_task_judges_the_earliest(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    static struct heard heard;
    open(&harness, &heard, ", warmup: 2, order: event_time, max_waiting: 2");
    const struct harness_row rows[] = {
        data(0, 40, INT64_MIN, 1),  data(3, 20, INT64_MIN, 2), data(6, 30, INT64_MIN, 3),
        data(9, 10, INT64_MIN, 4), /* late: 20 has left; it leaves at once */
        data(12, 50, INT64_MIN, 5),
    };
    harness_feed(&harness, 0, rows, MR_ARRAY_COUNT(rows));
    assert_string_equal(harness_offsets(&harness, 0), "3 9 6");
    assert_int_equal(harness.late_count, 1);
    restart(&harness);
    struct harness_row order = order_at(29, INT64_MIN, "a", "mute"); /* late, and at once */
    harness_feed(&harness, 1, &order, 1);
    assert_int_equal(harness.late_count, 2);
    harness_watermark(&harness, 1000);
    assert_string_equal(harness_offsets(&harness, 0), "3 9 6 0 12");
    assert_string_equal(heard.rows[3].state, "muted");
    harness_close(&harness);
}

/* Of one time orders come first, whichever came first. */
static void a_freeze_holds_from_its_time_on(void **state)
{
    MR_UNUSED(state);
    for (int first = 0; first < 2; first++) {
        struct harness harness;
        open(&harness, NULL, ", warmup: 1, order: event_time");
        harness.on_emit = NULL;
        struct harness_row order = order_at(20, INT64_MIN, "a", "freeze");
        const struct harness_row rows[] = {data(0, 30, INT64_MIN, 1), data(3, 20, INT64_MIN, 1),
                                           data(6, 19, INT64_MIN, 1)};
        if (first == 1)
            harness_feed(&harness, 1, &order, 1);
        harness_feed(&harness, 0, rows, MR_ARRAY_COUNT(rows));
        if (first == 0)
            harness_feed(&harness, 1, &order, 1);
        harness_watermark(&harness, 1000);
        assert_string_equal(harness_offsets(&harness, 0), "6 3 0");
        assert_int_equal(harness_member(&harness, "count").integer, 1); /* the one at 19 */
        harness_close(&harness);
    }
}

static void what_is_wrong_is_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, NULL, ", warmup: 1, order: event_time");
    harness.on_emit = NULL;
    struct harness_row no_key = data(0, 10, INT64_MIN, 1);
    no_key.cells[0].value = mr_value_null();
    harness_feed(&harness, 0, &no_key, 1);
    assert_int_equal(harness.errors_count, 1);
    struct harness_row order = order_at(20, INT64_MIN, "a", "melt");
    harness_feed(&harness, 1, &order, 1);
    assert_int_equal(harness.errors_count, 2);
    struct harness_row no_number = data(3, 10, INT64_MIN, 1);
    no_number.cells[1].value = mr_value_string(mr_slice_text("much"));
    harness_feed(&harness, 0, &no_number, 1);
    assert_int_equal(harness.errors_count, 2);
    harness_watermark(&harness, 1000);
    assert_int_equal(harness.errors_count, 3);
    assert_non_null(strstr(harness_errors(&harness), "field value is string, not a number"));
    assert_int_equal(harness.emitted_count[0], 0);
    harness_close(&harness);
}

static void alerts_are_of_the_record_that_waited(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness, NULL, ", warmup: 5, order: event_time");
    harness.on_emit = NULL;
    for (int64_t row = 0; row < 40; row++) {
        struct harness_row one = data(3 * row, row, INT64_MIN, row == 30 ? 500 : (double)(row % 2));
        harness_feed(&harness, 0, &one, 1);
        if (row == 33)
            restart(&harness);
    }
    harness_watermark(&harness, 1000);
    assert_int_equal(harness.emitted_count[1], 1);
    assert_text(harness_field(&harness, 1, "key"), "a");
    assert_int_equal(harness_field(&harness, 1, "event_time").integer, 30);
    struct mr_value record = harness_field(&harness, 1, "record");
    assert_int_equal(record.kind, MR_KIND_JSON);
    assert_true(
        mr_slice_equal(mr_slice_from(record.text, record.size), mr_slice_text("{\"offset\":90}")));
    struct mr_value source = harness_field(&harness, 1, "source");
    assert_text(source.entries[0].value, "op");
    assert_int_equal(source.entries[2].value.integer, 90);
    harness_close(&harness);
}

/* Rows that are made on the way have no payload: the alert's record is made of the columns. */
static void alerts_gather_records_of_columns(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open_sources(
        &harness, "    - {name: in, type: memory, key: [k]}\n",
        "    - {name: w, type: window.aggregate, from: in, key: [k], window: {tumbling: 1s}, "
        "aggregates: {value: avg(value)}}\n"
        "    - {name: op, type: detect.zscore, from: w, key: [k], field: value, order: "
        "event_time}\n",
        "    - {name: alerts, type: memory, from: op.alerts}\n", "op", 0, 1);
    const struct mr_layout *came = harness.node->inputs[0].layout;
    const struct mr_layout *waited = harness.node->waited_layout;
    assert_non_null(waited);
    assert_false(waited->from_payload);
    assert_int_equal(waited->edits_count, came->edits_count);
    assert_true(waited->edits_count >= 4);
    for (uint32_t edit = 0; edit < waited->edits_count; edit++) {
        assert_string_equal(waited->edits[edit].name, came->edits[edit].name);
        assert_int_equal(harness.node->inputs[0].slot_map[waited->edits[edit].slot],
                         came->edits[edit].slot);
    }
    harness_close(&harness);
}

static void what_makes_no_sense_is_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    static const char *const cases[][2] = {
        {"type: detect.zscore, key: [k], field: value, max_waiting: 5",
         "`max_waiting` bounds what waits with `order: event_time`: say that too, or leave it out"},
        {"type: detect.zscore, key: [k], field: value, order: arrival, max_waiting: 5",
         "`max_waiting` bounds what waits"},
        {"type: detect.threshold, field: value, above: 5, order: event_time",
         "has no option 'order'"},
        {"type: detect.heartbeat, key: [k], timeout: 5s, order: event_time",
         "has no option 'order'"},
        {"type: drift.adwin, key: [k], field: value, order: wall", "order"},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        const char *findings = harness_findings(
            &arena, "    - {name: in, type: memory, records: [{k: a}]}\n",
            mr_arena_format(&arena, "    - {name: op, from: in, %s}\n", cases[index][0]),
            "    - {name: out, type: memory, from: op}\n");
        if (strstr(findings, cases[index][1]) == NULL)
            fail_msg("%s: %s", cases[index][0], findings);
    }
    mr_arena_deinit(&arena);
}

/* Every type with the option has what it needs. */
static void every_detector_with_the_option_waits(void **state)
{
    MR_UNUSED(state);
    uint32_t count;
    uint32_t found = 0;
    const struct mr_operator_type *const *types = mr_operators(&count);
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_operator_type *type = types[index];
        bool judges = strncmp(type->spec.name, "detect.", 7) == 0 ||
                      strncmp(type->spec.name, "drift.", 6) == 0;
        bool is_timed = strcmp(type->spec.name, "detect.heartbeat") == 0 ||
                        strcmp(type->spec.name, "detect.rate") == 0;
        bool has_order = mr_option_specs_find(type->spec.options, "order") >= 0;
        assert_int_equal(has_order, judges && !is_timed && type->spec.state_version > 0);
        if (!has_order)
            continue;
        found++;
        assert_non_null(type->reach);
        assert_true(mr_option_specs_find(type->spec.options, "max_waiting") >= 0);
    }
    assert_true(found >= 29);
}

static void stored_bytes_stay(void **state)
{
    MR_UNUSED(state);
    static const char *const options = ", warmup: 1, order: event_time, max_waiting: 3";
    struct harness harness;
    open(&harness, NULL, options);
    harness.on_emit = NULL;
    const struct harness_row rows[] = {data(0, 10, INT64_MIN, 1), data(3, 30, INT64_MIN, 2),
                                       data(6, 20, INT64_MIN, 3)};
    struct harness_row order = order_at(20, INT64_MIN, "a", "freeze");
    order.cells[2].value = mr_value_double(25);
    harness_feed(&harness, 0, rows, MR_ARRAY_COUNT(rows));
    harness_feed(&harness, 1, &order, 1);
    harness_commit(&harness);
    harness_check_golden(&harness, "detector_order_v1");
    harness_close(&harness);
    open(&harness, NULL, options);
    harness.on_emit = NULL;
    harness_load_golden(&harness, "detector_order_v1");
    harness_watermark(&harness, 1000);
    assert_string_equal(harness_offsets(&harness, 0), "6 3");
    assert_int_equal(harness_member(&harness, "count").integer, 1); /* at 20 it was frozen */
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_out_of_order_are_judged_as_sorted_ones),
        cmocka_unit_test(late_records_are_judged_behind_what_has_left),
        cmocka_unit_test(a_full_task_judges_the_earliest),
        cmocka_unit_test(a_freeze_holds_from_its_time_on),
        cmocka_unit_test(what_is_wrong_is_reported),
        cmocka_unit_test(alerts_are_of_the_record_that_waited),
        cmocka_unit_test(alerts_gather_records_of_columns),
        cmocka_unit_test(what_makes_no_sense_is_refused),
        cmocka_unit_test(every_detector_with_the_option_waits),
        cmocka_unit_test(stored_bytes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
