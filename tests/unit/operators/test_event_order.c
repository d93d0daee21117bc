/* tests/unit/operators/test_event_order.c — where in the order of event times something belongs,
 * what leaves when too many wait, and notes in front of the rows of their time, over a restart. */
#include "operators/event_order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/state_fixture.h"

enum { ROWS = 8, MAX = 3 };

static const uint32_t slot_map[1] = {0};
static const char *const slot_names[1] = {"a"};
static struct mr_plan_domain domain = {.shape = {.slots_count = 1}, .slot_names = slot_names};
static struct mr_plan plan = {.domains = &domain, .domains_count = 1};
static const struct mr_plan_input input = {.slot_map = slot_map};
static const struct mr_plan_output output = {.domain = 0};
static const struct mr_plan_node node = {
    .name = "op", .inputs = &input, .inputs_count = 1, .outputs = &output, .outputs_count = 1};

static struct state_fixture fixture;
static struct mr_arena arena;
static struct mr_operator_context context;
static struct mr_batch given;
static struct mr_event_order order;
static struct mr_event_order_task task;
static struct mr_error error;

static void open_order(bool has_notes)
{
    const struct mr_operator_open open = {.plan = &plan, .node = &node, .state = fixture.state};
    const struct mr_event_order_spec spec = {
        .rows_table = "rows", .task_table = "task", .records_max = MAX, .has_notes = has_notes};
    assert_int_equal(mr_event_order_open(&order, &open, &spec, &error), MR_OK);
}

static void start(bool has_notes)
{
    mr_arena_init(&arena, 1 << 16);
    context = (struct mr_operator_context){.arena = &arena};
    fixture_init(&fixture, &mr_store_memory, 1 << 20);
    fixture_open(&fixture);
    open_order(has_notes);
    fixture_restore(&fixture);
    assert_int_equal(mr_event_order_load(&order, &task, &error), MR_OK);
    mr_batch_init(&given, &arena, domain.shape, ROWS);
    given.rows_count = ROWS;
    for (uint32_t row = 0; row < ROWS; row++) {
        given.offsets[row] = row;
        given.timestamps_ms[row] = given.event_times_ms[row] = 10 * row;
        given.message_keys[row] = mr_slice_text("");
        given.payloads[row] = mr_slice_text("{}");
        given.payload_nulls[row] = false;
        mr_batch_column(&given, 0)[row] = mr_value_int(row);
    }
}

static void stop(void)
{
    mr_event_order_close(&order);
    fixture_close(&fixture);
    fixture_deinit(&fixture);
    mr_arena_deinit(&arena);
}

static void restart(void)
{
    assert_int_equal(mr_event_order_store(&order, &task, &error), MR_OK);
    fixture_commit(&fixture);
    mr_event_order_close(&order);
    fixture_close(&fixture);
    fixture_open(&fixture);
    open_order(order.has_notes);
    fixture_restore(&fixture);
    task = (struct mr_event_order_task){0};
    assert_int_equal(mr_event_order_load(&order, &task, &error), MR_OK);
}

static void put(uint32_t row, int64_t place_ms)
{
    bool taken;
    assert_int_equal(mr_event_order_put(&order, &context, &task, &given, row, mr_slice_text("k"),
                                        place_ms, &taken, &error),
                     MR_OK);
    assert_true(taken);
}

static void put_note(const char *text, int64_t place_ms)
{
    assert_int_equal(mr_event_order_put_note(&order, &arena, &task, mr_slice_text(text),
                                             mr_slice_text("k"), place_ms, &error),
                     MR_OK);
}

/* Take out the next: a row by its offset, or a note by its text. */
static void expect(int64_t until_ms, int64_t offset, const char *note)
{
    struct mr_waiting_row waiting;
    struct mr_batch back;
    bool found;
    bool is_note;
    assert_int_equal(
        mr_event_order_take(&order, until_ms, &arena, &waiting, &is_note, &found, &error), MR_OK);
    assert_true(found);
    assert_int_equal(is_note, note != NULL);
    assert_true(mr_slice_equal(waiting.key, mr_slice_text("k")));
    if (note != NULL) {
        assert_true(mr_slice_equal(waiting.row, mr_slice_text(note)));
        return;
    }
    mr_batch_init(&back, &arena, domain.shape, 1);
    assert_int_equal(mr_kept_row_append(&order.kept, waiting.row, &back, &error), MR_OK);
    assert_int_equal(back.offsets[0], offset);
    assert_int_equal(back.event_times_ms[0], 10 * offset);
}

static void expect_none(int64_t until_ms)
{
    struct mr_waiting_row waiting;
    bool found = true;
    bool is_note;
    assert_int_equal(
        mr_event_order_take(&order, until_ms, &arena, &waiting, &is_note, &found, &error), MR_OK);
    assert_false(found);
}

static void what_is_late_goes_behind_what_has_left(void **state)
{
    MR_UNUSED(state);
    static const struct {
        int64_t released_ms;
        int64_t time_ms;
        int64_t watermark_ms;
        int64_t place_ms;
        bool late;
    } cases[] = {
        {INT64_MIN, 5, INT64_MIN, 5, false},
        {INT64_MIN, INT64_MIN, INT64_MIN, INT64_MIN, false},
        {INT64_MIN, 5, 5, 5, false},
        {INT64_MIN, 4, 5, 4, true},
        {INT64_MIN, 1, 5, 4, true},
        {INT64_MIN, INT64_MIN, INT64_MAX, INT64_MAX - 1, true},
        {7, 7, 5, 7, false},
        {7, 6, 5, 7, true},
        {7, 1, 5, 7, true},
        {7, 1, 50, 49, true},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(cases); index++) {
        const struct mr_event_order_task known = {.released_ms = cases[index].released_ms};
        bool late;
        assert_int_equal(
            mr_event_order_place(&known, cases[index].time_ms, cases[index].watermark_ms, &late),
            cases[index].place_ms);
        assert_int_equal(late, cases[index].late);
    }
    struct mr_event_order_task pushing = {.released_ms = INT64_MIN};
    mr_event_order_pushed_out(&pushing, 4, 5); /* it was due */
    assert_int_equal(pushing.released_ms, INT64_MIN);
    mr_event_order_pushed_out(&pushing, 9, 5);
    mr_event_order_pushed_out(&pushing, 8, 5);
    assert_int_equal(pushing.released_ms, 9);
}

static void rows_leave_by_place_and_then_as_they_came(void **state)
{
    MR_UNUSED(state);
    start(false);
    put(3, 30);
    put(1, 10);
    assert_false(mr_event_order_is_full(&order));
    task.released_ms = 5;
    restart();
    assert_int_equal(task.released_ms, 5);
    assert_int_equal(task.next_sequence, 2);
    put(2, 10);
    assert_false(mr_event_order_is_full(&order));
    put(0, 10);
    assert_true(mr_event_order_is_full(&order));
    expect_none(9);
    expect(10, 1, NULL);
    expect(10, 2, NULL);
    expect(10, 0, NULL);
    expect_none(29);
    expect(30, 3, NULL);
    stop();
}

static void notes_are_in_front_of_the_rows_of_their_place(void **state)
{
    MR_UNUSED(state);
    start(true);
    put(2, 20);
    put(1, 10);
    put_note("second", 20);
    restart();
    put_note("third", 20);
    put_note("first", 10);
    put(3, 20);
    expect(INT64_MAX, -1, "first");
    expect(INT64_MAX, 1, NULL);
    expect(INT64_MAX, -1, "second");
    expect(INT64_MAX, -1, "third");
    expect(INT64_MAX, 2, NULL);
    expect(INT64_MAX, 3, NULL);
    expect_none(INT64_MAX);
    stop();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_late_goes_behind_what_has_left),
        cmocka_unit_test(rows_leave_by_place_and_then_as_they_came),
        cmocka_unit_test(notes_are_in_front_of_the_rows_of_their_place),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
