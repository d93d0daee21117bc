/* tests/unit/operators/test_join_interval.c — join.interval beside a nested loop over all pairs,
 * with rows out of order, late rows, other batch cuts, crashes and restores; by hand: bounds of the
 * interval, kinds, max_rows, what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "tests/support/operator_harness.h"

enum { ROWS_MAX = 600, LINES_MAX = 40000, END_MS = 100000 };

static const char sources[] = "    - {name: in, type: memory, key: [k]}\n"
                              "    - {name: in2, type: memory, key: [k]}\n";

/* ---- What came out, as sorted lines ---- */

struct lines {
    char (*items)[32];
    uint32_t count;
};

static void add_line(struct lines *lines, const char *format, ...) MR_PRINTF(2, 3);
static void add_line(struct lines *lines, const char *format, ...)
{
    va_list arguments;
    assert_true(lines->count < LINES_MAX);
    va_start(arguments, format);
    vsnprintf(lines->items[lines->count++], sizeof(lines->items[0]), format, arguments);
    va_end(arguments);
}

static int compare_lines(const void *left, const void *right)
{
    return strcmp(left, right);
}

static void sort_lines(struct lines *lines)
{
    qsort(lines->items, lines->count, sizeof(lines->items[0]), compare_lines);
}

static void assert_same_lines(const struct lines *expected, const struct lines *found)
{
    for (uint32_t i = 0; i < expected->count && i < found->count; i++)
        if (strcmp(expected->items[i], found->items[i]) != 0)
            fail_msg("line %u: expected %s, found %s", i, expected->items[i], found->items[i]);
    assert_int_equal(expected->count, found->count);
}

static double number_at(const struct mr_batch *batch, uint32_t slot, uint32_t row)
{
    assert_int_equal(batch->columns[slot][row].kind, MR_KIND_DOUBLE);
    return batch->columns[slot][row].number;
}

/* Main rows by the fields `l` and `r`, the others by their offsets. */
static void collect(void *argument, const struct harness *harness, uint32_t output,
                    struct mr_view view)
{
    static const char *const names[] = {"", "left", "right", "late"};
    struct lines *lines = argument;
    for (uint32_t i = 0; i < view.rows_count; i++) {
        uint32_t row = view.rows[i];
        long long time = (long long)view.batch->event_times_ms[row];
        if (output == 0)
            add_line(lines, "%g+%g t%lld", number_at(view.batch, harness->node->set_slots[0], row),
                     number_at(view.batch, harness->node->set_slots[1], row), time);
        else
            add_line(lines, "%s %lld t%lld", names[output], (long long)view.batch->offsets[row],
                     time);
    }
}

/* ---- The reference ---- */

struct event {
    uint32_t side;
    uint32_t key;
    double value;
    int64_t time_ms;
    int64_t watermark_ms;
    bool late;
    bool matched;
};

struct setting {
    int64_t before_ms;
    int64_t after_ms;
    int64_t lateness_ms;
    uint32_t kind; /* 0 inner, 1 left, 2 outer */
};

static bool is_pair(const struct setting *setting, const struct event *left,
                    const struct event *right)
{
    return left->side == 0 && right->side == 1 && !left->late && !right->late &&
           left->key == right->key && left->value <= right->value &&
           right->time_ms >= left->time_ms - setting->before_ms &&
           right->time_ms <= left->time_ms + setting->after_ms;
}

static void reference(const struct setting *setting, struct event *events, uint32_t count,
                      struct lines *lines)
{
    static const char *const names[] = {"left", "right"};
    for (uint32_t i = 0; i < count; i++) {
        events[i].late = events[i].time_ms + setting->lateness_ms < events[i].watermark_ms;
        if (events[i].late)
            add_line(lines, "late %u t%lld", i, (long long)events[i].time_ms);
    }
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < count; j++) {
            if (!is_pair(setting, &events[i], &events[j]))
                continue;
            int64_t time =
                events[i].time_ms > events[j].time_ms ? events[i].time_ms : events[j].time_ms;
            add_line(lines, "%u+%u t%lld", i, j, (long long)time);
            events[i].matched = true;
            events[j].matched = true;
        }
    for (uint32_t i = 0; i < count; i++) {
        long long time = (long long)events[i].time_ms;
        if (events[i].late || events[i].matched)
            continue;
        add_line(lines, "%s %u t%lld", names[events[i].side], i, time);
        if (setting->kind == 2 || (setting->kind == 1 && events[i].side == 0))
            add_line(lines, events[i].side == 0 ? "%u+-1 t%lld" : "-1+%u t%lld", i, time);
    }
    sort_lines(lines);
}

static void make_events(struct mr_random *random, struct event *events, uint32_t count,
                        uint32_t keys)
{
    int64_t highest = INT64_MIN;
    int64_t now = 1000;
    for (uint32_t i = 0; i < count; i++) {
        now += (int64_t)mr_random_below(random, 4);
        events[i] = (struct event){.side = (uint32_t)mr_random_below(random, 2),
                                   .key = (uint32_t)mr_random_below(random, keys),
                                   .value = (double)mr_random_below(random, 4),
                                   .time_ms = now - (int64_t)mr_random_below(random, 30),
                                   .watermark_ms = highest};
        if (highest == INT64_MIN || events[i].time_ms - 20 > highest)
            highest = events[i].time_ms - 20; /* some are further behind: late */
    }
}

/* ---- Running ---- */

static void open_join(struct harness *harness, const struct setting *setting, struct lines *lines)
{
    static const char *const kinds[] = {"inner", "left", "outer"};
    char operators[1024];
    snprintf(operators, sizeof(operators),
             "    - {name: op, type: join.interval, left: in, right: in2, key: [k], "
             "interval: {before: %lldms, after: %lldms}, lateness: %lldms, kind: %s, "
             "where: left.v <= right.v, set: {l: 'has(left.id) ? left.id : -1.0', "
             "r: 'has(right.id) ? right.id : -1.0'}}\n",
             (long long)setting->before_ms, (long long)setting->after_ms,
             (long long)setting->lateness_ms, kinds[setting->kind]);
    harness_open_sources(harness, sources, operators,
                         "    - {name: s0, type: memory, from: op}\n"
                         "    - {name: s1, type: memory, from: op.left_only, where: v >= 0.0}\n"
                         "    - {name: s2, type: memory, from: op.right_only}\n"
                         "    - {name: s3, type: memory, from: op.late}\n",
                         "op", 0, 1);
    harness->quiet = true;
    harness->row_watermarks = true;
    harness->on_emit = collect;
    harness->on_emit_argument = lines;
}

static struct harness_row row_of(const struct event *event, uint32_t index)
{
    static const char *const keys[] = {"a", "b", "c", "d", "e", "f", "g", "h"};
    return (struct harness_row){
        .offset = index,
        .event_time_ms = event->time_ms,
        .watermark_ms = event->watermark_ms,
        .cells = {{"k", mr_value_string(mr_slice_text(keys[event->key]))},
                  {"v", mr_value_double(event->value)},
                  {"id", mr_value_double((double)index)}},
    };
}

/* Feed runs of one side in random cuts; the watermark is told now and then. */
static void run_events(struct harness *harness, struct mr_random *random,
                       const struct event *events, uint32_t count, uint32_t crash_every)
{
    struct harness_row rows[64];
    uint32_t next = 0;
    while (next < count) {
        uint32_t taken = 0;
        uint32_t side = events[next].side;
        uint32_t most = 1 + (uint32_t)mr_random_below(random, 64);
        while (taken < most && next < count && events[next].side == side) {
            rows[taken++] = row_of(&events[next], next);
            next++;
        }
        harness_feed(harness, side, rows, taken);
        if (next < count && events[next].watermark_ms != INT64_MIN &&
            mr_random_below(random, 3) == 0)
            harness_watermark(harness, events[next].watermark_ms);
        if (crash_every > 0 && mr_random_below(random, crash_every) == 0) {
            harness_commit(harness);
            harness_restore(harness);
        }
    }
    harness_watermark(harness, END_MS);
}

static uint32_t count_text_lines(const char *text)
{
    uint32_t count = 0;
    for (; *text != '\0'; text++)
        count += *text == '\n';
    return count;
}

static void pairs_are_those_of_a_nested_loop(void **state)
{
    MR_UNUSED(state);
    static const struct setting settings[] = {
        {0, 0, 0, 0}, {10, 0, 0, 0}, {0, 25, 5, 2}, {30, 20, 0, 1}, {15, 15, 40, 2},
    };
    static struct event events[ROWS_MAX];
    struct lines expected = {.items = mr_memory_new(LINES_MAX, 32)};
    struct lines found = {.items = mr_memory_new(LINES_MAX, 32)};
    for (uint64_t seed = 1; seed <= 30; seed++) {
        const struct setting *setting = &settings[seed % MR_ARRAY_COUNT(settings)];
        struct mr_random random;
        struct harness harness;
        mr_random_init(&random, seed, 0);
        /* One key: more rows than a key lists. */
        make_events(&random, events, ROWS_MAX, seed % 3 == 0 ? 1 : 8);
        expected.count = 0;
        found.count = 0;
        reference(setting, events, ROWS_MAX, &expected);
        open_join(&harness, setting, &found);
        run_events(&harness, &random, events, ROWS_MAX, seed % 2 == 0 ? 8 : 0);
        sort_lines(&found);
        assert_same_lines(&expected, &found);
        assert_int_equal(harness.errors_count, 0);
        /* Everything has left; the next number and the tables' counters stay. */
        harness_commit(&harness);
        assert_in_range(count_text_lines(harness_dump(&harness, &harness.plan_arena)), 1, 4);
        harness_close(&harness);
    }
    mr_memory_free(expected.items);
    mr_memory_free(found.items);
}

/* ---- By hand ---- */

static void feed_one(struct harness *harness, uint32_t side, int64_t id, const char *key,
                     int64_t time_ms)
{
    struct harness_row row = {
        .offset = id,
        .event_time_ms = time_ms,
        .cells = {{"k", mr_value_string(mr_slice_text(key))}, {"id", mr_value_double((double)id)}},
    };
    harness_feed(harness, side, &row, 1);
}

static void open_plain(struct harness *harness, const char *more)
{
    char operators[512];
    snprintf(operators, sizeof(operators),
             "    - {name: op, type: join.interval, left: in, right: in2, key: [k], "
             "interval: {before: 10ms, after: 20ms}, set: {l: left.id, r: right.id}%s}\n",
             more);
    harness_open_sources(harness, sources, operators, "    - {name: s0, type: memory, from: op}\n",
                         "op", 0, 1);
}

static void both_ends_of_the_interval_are_in(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_plain(&harness, "");
    feed_one(&harness, 0, 1, "a", 1000);
    feed_one(&harness, 1, 2, "a", 989);
    feed_one(&harness, 1, 3, "a", 990);
    feed_one(&harness, 1, 4, "a", 1020);
    feed_one(&harness, 1, 5, "a", 1021);
    feed_one(&harness, 1, 6, "b", 1000);
    assert_int_equal(harness.emitted_count[0], 2);
    harness_close(&harness);
}

/* Rows that leave to make room are the earliest, whatever the order in which they came. */
static void a_full_key_drops_its_earliest_row(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_plain(&harness, ", max_rows: 2");
    feed_one(&harness, 0, 1, "a", 1005);
    feed_one(&harness, 0, 2, "a", 1001);
    feed_one(&harness, 0, 3, "a", 1003);
    feed_one(&harness, 1, 4, "a", 1004);
    assert_int_equal(harness.emitted_count[0], 2);
    feed_one(&harness, 1, 5, "b", 1004);
    assert_int_equal(harness.emitted_count[0], 2);
    harness_close(&harness);
}

static void a_full_key_can_stop_the_topology(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_error error;
    open_plain(&harness, ", max_rows: 1, on_full: fail");
    feed_one(&harness, 0, 1, "a", 1000);
    feed_one(&harness, 0, 2, "b", 1000);
    harness_watermark(&harness, 1021);
    feed_one(&harness, 0, 3, "a", 1030); /* the first has left */
    struct harness_row row = {
        .offset = 4, .event_time_ms = 1031, .cells = {{"k", mr_value_string(mr_slice_text("a"))}}};
    assert_int_equal(harness_try_feed(&harness, 0, &row, 1, &error), MR_LIMIT);
    assert_non_null(strstr(error.message,
                           "a key has 1 records of the input \"left\" that wait for partners, as "
                           "many as max_rows allows: raise max_rows, shorten the interval, or use "
                           "on_full: evict_oldest"));
    harness_close(&harness);
}

static void whole_pairs_hold_both_records(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    harness_open_sources(&harness, sources,
                         "    - {name: op, type: join.interval, left: in, right: in2, key: [k], "
                         "interval: {after: 5ms}}\n",
                         "    - {name: s0, type: memory, from: op}\n", "op", 0, 1);
    feed_one(&harness, 1, 7, "a", 1003);
    feed_one(&harness, 0, 8, "a", 1000);
    assert_non_null(strstr(harness_output(&harness, 0), "{\"offset\":7}"));
    assert_non_null(strstr(harness_output(&harness, 0), "{\"offset\":8}"));
    harness_close(&harness);
}

/* Version 1 stays readable: a key with rows of both sides, one of which has found a partner, a row
 * with a slot, and a key with more pages than it lists. */
static void stored_rows_stay_as_they_are(void **state)
{
    MR_UNUSED(state);
    static char text[1400];
    struct harness harness;
    memset(text, 'x', sizeof(text));
    open_plain(&harness, ", kind: outer");
    feed_one(&harness, 0, 1, "a", 1000);
    feed_one(&harness, 1, 2, "a", 1010);
    feed_one(&harness, 0, 3, "a", 1100);
    for (int64_t id = 10; id < 20; id++)
        feed_one(&harness, 1, id, "many", 1000 + id - (id - 10) * 1000);
    struct harness_row row = {
        .offset = 4,
        .event_time_ms = 1000,
        .cells = {{"k", mr_value_string(mr_slice_text("b"))},
                  {"id", mr_value_string(mr_slice_from(text, sizeof(text)))}},
    };
    harness_feed(&harness, 0, &row, 1);
    harness_commit(&harness);
    harness_check_golden(&harness, "join_interval_v1");
    harness_close(&harness);
    open_plain(&harness, ", kind: outer");
    harness_load_golden(&harness, "join_interval_v1");
    harness_watermark(&harness, 1060);
    feed_one(&harness, 1, 5, "a", 1100);
    /* What is due without a partner fails in `set`, which wants both; then one pair. */
    assert_int_equal(harness.errors_count, 10 + 1);
    assert_int_equal(harness.emitted_count[0], 1);
    harness_close(&harness);
}

/* Rows that were kept under another kind have not noted what this one asks. */
static void rows_of_other_options_are_refused(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_error error;
    open_plain(&harness, ", kind: left");
    harness_load_golden(&harness, "join_interval_v1");
    struct harness_row row = {
        .offset = 5,
        .event_time_ms = 1000,
        .cells = {{"k", mr_value_string(mr_slice_text("a"))}, {"id", mr_value_double(5)}},
    };
    assert_int_equal(harness_try_feed(&harness, 1, &row, 1, &error), MR_VERSION);
    harness_close(&harness);
}

static void a_row_too_large_is_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    static char text[MR_LIMIT_ROW_BYTES + 1];
    memset(text, 'x', sizeof(text));
    open_plain(&harness, "");
    struct harness_row row = {
        .offset = 1,
        .event_time_ms = 1000,
        .cells = {{"k", mr_value_string(mr_slice_text("a"))},
                  {"id", mr_value_string(mr_slice_from(text, sizeof(text)))}},
    };
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.errors_count, 1);
    assert_non_null(strstr(harness_errors(&harness), "keep only the fields that are needed"));
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_are_those_of_a_nested_loop),
        cmocka_unit_test(both_ends_of_the_interval_are_in),
        cmocka_unit_test(a_full_key_drops_its_earliest_row),
        cmocka_unit_test(a_full_key_can_stop_the_topology),
        cmocka_unit_test(whole_pairs_hold_both_records),
        cmocka_unit_test(stored_rows_stay_as_they_are),
        cmocka_unit_test(rows_of_other_options_are_refused),
        cmocka_unit_test(a_row_too_large_is_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
