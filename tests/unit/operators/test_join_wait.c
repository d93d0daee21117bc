/* tests/unit/operators/test_join_wait.c — join_wait.c through join.table: when records leave, with
 * what, and in which order, by hand and beside a list; crashes and restores in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "tests/support/operator_harness.h"

enum { STREAM, TABLE, EVENTS = 1200, KEYS = 3, NONE = -1, WAIT_MS = 40, DELAY_MS = 5, MANY = 12 };

static const char *const keys[KEYS] = {"a", "b", "c"};

struct left {
    int64_t time_ms;
    double value; /* NONE: nothing */
    char text[16];
};

static struct left lefts[EVENTS];
static uint32_t lefts_count;

static void note(void *argument, const struct harness *harness, uint32_t output,
                 struct mr_view view)
{
    MR_UNUSED(argument);
    MR_UNUSED(harness);
    assert_int_equal(output, 0);
    for (uint32_t i = 0; i < view.rows_count; i++) {
        uint32_t row = view.rows[i];
        assert_true(lefts_count < EVENTS);
        struct left *left = &lefts[lefts_count++];
        *left = (struct left){.time_ms = view.batch->event_times_ms[row], .value = NONE};
        for (uint32_t slot = 0; slot < view.batch->slots_count; slot++) {
            const struct mr_value *column = view.batch->columns[slot];
            if (column != NULL && column[row].kind == MR_KIND_DOUBLE)
                left->value = column[row].number;
            if (column != NULL && column[row].kind == MR_KIND_STRING && column[row].size > 1)
                memcpy(left->text, column[row].text, column[row].size);
        }
    }
}

static void open_join(struct harness *harness, const char *options)
{
    char operators[512];
    snprintf(
        operators, sizeof(operators),
        "    - {name: op, type: join.table, from: in, table: facts, key: [k], join_wait: 40ms%s}"
        "\n    - {name: reader, type: filter, from: op, where: 'facts.v > 0.0 || note != k'}\n",
        options);
    lefts_count = 0;
    harness_open_sources(harness,
                         "    - {name: in, type: memory, key: [k]}\n"
                         "    - {name: facts, type: memory, key: [k], table: true, retention: 1s, "
                         "watermark: {max_delay: 5ms}}\n",
                         operators, "    - {name: s, type: memory, from: reader}\n", "op", 0, 1);
    harness->quiet = true;
    harness->on_emit = note;
}

static void put(struct harness *harness, uint32_t key, int64_t time_ms, double value)
{
    struct harness_row row = {
        .event_time_ms = time_ms,
        .cells = {{"k", mr_value_string(mr_slice_text(keys[key]))}, {"v", mr_value_double(value)}},
    };
    harness_feed(harness, TABLE, &row, 1);
}

static void look_up(struct harness *harness, uint32_t key, int64_t time_ms, const char *text)
{
    struct harness_row row = {
        .event_time_ms = time_ms,
        .cells = {{"k", mr_value_string(mr_slice_text(keys[key]))},
                  {"note", mr_value_string(mr_slice_text(text))}},
    };
    harness_feed(harness, STREAM, &row, 1);
}

static void assert_left(uint32_t index, int64_t time_ms, double value)
{
    assert_true(index < lefts_count);
    assert_true(lefts[index].time_ms == time_ms);
    assert_true(lefts[index].value == value);
}

static void records_wait_until_the_table_has_passed(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_join(&harness, "");
    put(&harness, 0, 90, 1);
    look_up(&harness, 0, 100, "first");
    put(&harness, 0, 99, 2);  /* the one that holds at 100 */
    put(&harness, 1, 105, 7); /* less max_delay: not past it */
    assert_int_equal(lefts_count, 0);
    harness_commit(&harness);
    harness_restore(&harness);
    put(&harness, 0, 106, 3);
    assert_int_equal(lefts_count, 1);
    assert_left(0, 100, 2);
    assert_string_equal(lefts[0].text, "first"); /* its other fields come with it */
    look_up(&harness, 0, 100, "second");         /* the table is past it already */
    assert_int_equal(lefts_count, 2);
    assert_left(1, 100, 2);
    assert_int_equal(harness.errors_count, 0);
    harness_close(&harness);
}

static enum mr_status describe(void *argument, const struct mr_state_object *object,
                               struct mr_error *error)
{
    struct harness *harness = argument;
    struct mr_state_description description = {.node = harness->node};
    enum mr_status status =
        harness->type->describe_state(object, &harness->plan_arena, &description, error);
    assert_int_equal(status, MR_OK);
    assert_int_equal(description.members_count, 2);
    assert_string_equal((const char *)description.members[1].key.text, "table_time");
    assert_int_equal(description.members[1].value.integer, INT64_C(105000000));
    return MR_OK;
}

/* A query of one key says how far the whole table has come. */
static void queries_show_the_table_s_time(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct mr_error error = {0};
    int64_t offset;
    open_join(&harness, "");
    put(&harness, 0, 90, 1);
    put(&harness, 1, 105, 7);
    harness_commit(&harness);
    const struct mr_state_query query = {.operator_name = harness.node->name,
                                         .table_name = harness.type->state_table,
                                         .key = mr_slice_text(keys[0]),
                                         .visit = describe,
                                         .argument = &harness};
    assert_int_equal(mr_state_query(harness.state, &query, &harness.plan_arena, &offset, &error),
                     MR_OK);
    harness_close(&harness);
}

static void the_watermark_bounds_the_wait(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_join(&harness, ", kind: left");
    look_up(&harness, 0, 220, "late");
    look_up(&harness, 0, 200, "early");
    look_up(&harness, 1, 201, "none");
    harness_watermark(&harness, 239);
    assert_int_equal(lefts_count, 0);
    put(&harness, 0, 195, 4); /* it came late, but in time for both */
    harness_watermark(&harness, 240);
    assert_int_equal(lefts_count, 1);
    assert_left(0, 200, 4);
    harness_commit(&harness);
    harness_restore(&harness);
    harness_watermark(&harness, 400);
    assert_int_equal(lefts_count, 3);
    assert_left(1, 201, NONE); /* left: passes without the object */
    assert_left(2, 220, 4);
    look_up(&harness, 0, 300, "behind"); /* the watermark is past it: nothing to wait for */
    assert_int_equal(lefts_count, 4);
    harness_close(&harness);
}

static void a_full_task_joins_the_earliest_at_once(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    struct harness_row rows[3];
    open_join(&harness, ", max_waiting: 2");
    put(&harness, 0, 10, 1);
    for (uint32_t i = 0; i < 3; i++)
        rows[i] = (struct harness_row){
            .event_time_ms = 103 - (int64_t)i, /* the earliest comes last */
            .cells = {{"k", mr_value_string(mr_slice_text("a"))},
                      {"note", mr_value_string(mr_slice_text("n"))}},
        };
    harness_feed(&harness, STREAM, rows, 3);
    assert_int_equal(lefts_count, 1);
    assert_left(0, 101, 1);
    put(&harness, 0, 100, 2); /* too late for that one, in time for the others */
    harness_watermark(&harness, 200);
    assert_int_equal(lefts_count, 3);
    assert_left(1, 102, 2);
    assert_left(2, 103, 2);
    harness_close(&harness);
}

/* ---- Beside a list ---- */

struct waiting {
    uint32_t key;
    int64_t time_ms;
};

static struct {
    struct waiting waiting[EVENTS];
    uint32_t waiting_count;
    struct left expected[EVENTS];
    uint32_t expected_count;
    struct {
        uint32_t key;
        int64_t time_ms;
        double value;
    } rows[EVENTS];
    uint32_t rows_count;
    int64_t table_ms;
    int64_t watermark_ms;
} model;

static void model_leave(uint32_t index)
{
    const struct waiting gone = model.waiting[index];
    struct left *left = &model.expected[model.expected_count++];
    int64_t best_ms = INT64_MIN;
    *left = (struct left){.time_ms = gone.time_ms, .value = NONE};
    for (uint32_t i = 0; i < model.rows_count; i++)
        if (model.rows[i].key == gone.key && model.rows[i].time_ms <= gone.time_ms &&
            model.rows[i].time_ms >= best_ms) {
            best_ms = model.rows[i].time_ms;
            left->value = model.rows[i].value;
        }
    model.waiting_count--;
    for (uint32_t i = index; i < model.waiting_count; i++)
        model.waiting[i] = model.waiting[i + 1];
}

static void model_settle(void)
{
    while (model.waiting_count > 0) {
        uint32_t first = 0;
        for (uint32_t i = 1; i < model.waiting_count; i++)
            if (model.waiting[i].time_ms < model.waiting[first].time_ms)
                first = i;
        int64_t time_ms = model.waiting[first].time_ms;
        if (time_ms >= model.table_ms - DELAY_MS && time_ms + WAIT_MS > model.watermark_ms &&
            model.waiting_count <= MANY)
            return;
        model_leave(first);
    }
}

static void records_leave_as_the_list_says(void **state)
{
    MR_UNUSED(state);
    for (uint64_t seed = 0; seed < 12; seed++) {
        struct harness harness;
        struct mr_random random;
        int64_t now = 1000;
        memset(&model, 0, sizeof(model));
        mr_random_init(&random, seed, 0);
        open_join(&harness, ", kind: left, max_waiting: 12");
        for (uint32_t event = 0; event < EVENTS; event++) {
            uint32_t key = (uint32_t)mr_random_below(&random, KEYS);
            uint64_t what = mr_random_below(&random, 100);
            int64_t time_ms = now - (int64_t)mr_random_below(&random, 30);
            now += (int64_t)mr_random_below(&random, 4);
            if (what < 40) {
                model.rows[model.rows_count].key = key;
                model.rows[model.rows_count].time_ms = time_ms;
                model.rows[model.rows_count++].value = event + 1;
                model.table_ms = time_ms > model.table_ms ? time_ms : model.table_ms;
                model_settle();
                put(&harness, key, time_ms, event + 1);
            } else if (what < 85) {
                model.waiting[model.waiting_count++] = (struct waiting){key, time_ms};
                model_settle();
                look_up(&harness, key, time_ms, "n");
            } else if (what < 95) {
                model.watermark_ms = now - 30 > model.watermark_ms ? now - 30 : model.watermark_ms;
                model_settle();
                harness_watermark(&harness, model.watermark_ms);
            } else {
                harness_commit(&harness);
                harness_restore(&harness);
            }
            assert_int_equal(lefts_count, model.expected_count);
        }
        for (uint32_t i = 0; i < lefts_count; i++)
            assert_left(i, model.expected[i].time_ms, model.expected[i].value);
        assert_in_range(lefts_count, EVENTS / 4, EVENTS);
        assert_int_equal(harness.errors_count, 0);
        harness_close(&harness);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(records_wait_until_the_table_has_passed),
        cmocka_unit_test(queries_show_the_table_s_time),
        cmocka_unit_test(the_watermark_bounds_the_wait),
        cmocka_unit_test(a_full_task_joins_the_earliest_at_once),
        cmocka_unit_test(records_leave_as_the_list_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
