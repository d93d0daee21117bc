/* tests/unit/operators/test_waiting_rows.c — rows that wait come back as they were, in the order of
 * their due times and of one time in the order of their sequence: rows that fit into the object,
 * at its edge, and of several slots, over a commit. */
#include "operators/waiting_rows.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/state_fixture.h"

enum { ROWS = 7, SLOTS = 1, PAYLOAD_MAX = 20000 };

static const uint32_t slot_map[SLOTS] = {0};
static const char *const slot_names[SLOTS] = {"a"};
static struct mr_plan_domain domain = {.shape = {.slots_count = SLOTS}, .slot_names = slot_names};
static struct mr_plan plan = {.domains = &domain, .domains_count = 1};
static const struct mr_plan_input input = {.slot_map = slot_map};
static const struct mr_plan_output output = {.domain = 0};
static const struct mr_plan_node node = {
    .name = "op", .inputs = &input, .inputs_count = 1, .outputs = &output, .outputs_count = 1};

/* Payloads around what the object holds (1020 bytes with key and head) and around a slot's end. */
static const uint32_t sizes[ROWS] = {10, 900, 1000, 1100, 5100, 5200, PAYLOAD_MAX};
static const char *const keys[ROWS] = {"", "k", "k", "other", "k", "", "long"};
static const int64_t due_ms[ROWS] = {50, 20, INT64_MIN, 20, 10, 20, INT64_MAX};
static const uint32_t order[ROWS] = {2, 4, 1, 3, 5, 0, 6};

static struct state_fixture fixture;
static struct mr_arena arena;
static struct mr_batch given;
static struct mr_kept_row kept;
static struct mr_waiting_rows rows;
static struct mr_error error;

static void make_given(void)
{
    uint8_t *text = mr_arena_take(&arena, PAYLOAD_MAX);
    for (uint32_t index = 0; index < PAYLOAD_MAX; index++)
        text[index] = (uint8_t)('a' + index * 7 % 23);
    mr_batch_init(&given, &arena, domain.shape, ROWS);
    given.rows_count = ROWS;
    for (uint32_t row = 0; row < ROWS; row++) {
        given.event_times_ms[row] = row;
        given.timestamps_ms[row] = row;
        given.offsets[row] = row;
        given.message_keys[row] = mr_slice_text("");
        given.payloads[row] = mr_slice_from(text, sizes[row]);
        given.payload_nulls[row] = false;
        mr_batch_column(&given, 0)[0] = mr_value_int(row);
    }
}

static void open_rows(void)
{
    struct mr_operator_open open = {.plan = &plan, .node = &node, .state = fixture.state};
    mr_kept_row_open(&kept, &open, false);
    assert_int_equal(mr_waiting_rows_open(&rows, &kept, &open, "rows", &error), MR_OK);
}

static void put(uint32_t row)
{
    size_t size;
    assert_int_equal(mr_row_size(&kept.input, &given, row, &size, &error), MR_OK);
    assert_int_equal(mr_waiting_rows_put(&rows, &given, row, size, mr_slice_text(keys[row]), row,
                                         due_ms[row], &arena, &error),
                     MR_OK);
}

/* Take the next one that is due and compare it with the row that was put. */
static void expect(uint32_t row, int64_t until_ms)
{
    struct mr_waiting_row waiting;
    struct mr_batch back;
    bool found;
    assert_int_equal(mr_waiting_rows_take(&rows, until_ms, &arena, &waiting, &found, &error),
                     MR_OK);
    assert_true(found);
    assert_int_equal(waiting.sequence, row);
    assert_true(mr_slice_equal(waiting.key, mr_slice_text(keys[row])));
    mr_batch_init(&back, &arena, domain.shape, 1);
    assert_int_equal(mr_kept_row_append(&kept, waiting.row, &back, &error), MR_OK);
    assert_int_equal(back.event_times_ms[0], row);
    assert_true(mr_slice_equal(back.payloads[0], given.payloads[row]));
}

static void expect_none(int64_t until_ms)
{
    struct mr_waiting_row waiting;
    bool found = true;
    assert_int_equal(mr_waiting_rows_take(&rows, until_ms, &arena, &waiting, &found, &error),
                     MR_OK);
    assert_false(found);
}

static void rows_leave_in_order_as_they_came(void **state)
{
    MR_UNUSED(state);
    make_given();
    for (uint32_t row = 0; row < ROWS; row++)
        put(row);
    assert_int_equal(mr_waiting_rows_count(&rows), ROWS);
    fixture_commit(&fixture);
    expect(order[0], 9);
    expect_none(9);
    for (uint32_t index = 1; index < ROWS; index++)
        expect(order[index], INT64_MAX);
    expect_none(INT64_MAX);
    assert_int_equal(mr_waiting_rows_count(&rows), 0);
}

static void rows_come_back_from_the_store(void **state)
{
    MR_UNUSED(state);
    make_given();
    for (uint32_t row = 0; row < ROWS; row++)
        put(row);
    fixture_commit(&fixture);
    mr_kept_row_close(&kept);
    fixture_close(&fixture);
    fixture_open(&fixture);
    open_rows();
    fixture_restore(&fixture);
    for (uint32_t index = 0; index < ROWS; index++)
        expect(order[index], INT64_MAX);
    expect_none(INT64_MAX);
}

/* Bytes of the caller's own, small and of several slots, among the rows. */
static void own_bytes_wait_among_rows(void **state)
{
    enum { SEQUENCE = 100 };
    static const size_t own_sizes[] = {1, PAYLOAD_MAX};
    MR_UNUSED(state);
    make_given();
    put(0);
    put(1);
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(own_sizes); index++)
        assert_int_equal(mr_waiting_rows_put_bytes(
                             &rows, mr_slice_from(given.payloads[6].data, own_sizes[index]),
                             mr_slice_text("k"), SEQUENCE + index, 30, &arena, &error),
                         MR_OK);
    fixture_commit(&fixture);
    expect(1, INT64_MAX);
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(own_sizes); index++) {
        struct mr_waiting_row waiting;
        bool found;
        assert_int_equal(mr_waiting_rows_take(&rows, 30, &arena, &waiting, &found, &error), MR_OK);
        assert_true(found);
        assert_int_equal(waiting.sequence, SEQUENCE + index);
        assert_true(mr_slice_equal(waiting.key, mr_slice_text("k")));
        assert_true(
            mr_slice_equal(waiting.row, mr_slice_from(given.payloads[6].data, own_sizes[index])));
    }
    expect(0, INT64_MAX);
}

static int setup(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&arena, 1 << 16);
    fixture_init(&fixture, &mr_store_memory, 1 << 20);
    fixture_open(&fixture);
    open_rows();
    fixture_restore(&fixture);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_kept_row_close(&kept);
    fixture_close(&fixture);
    fixture_deinit(&fixture);
    mr_arena_deinit(&arena);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows_leave_in_order_as_they_came, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_come_back_from_the_store, setup, teardown),
        cmocka_unit_test_setup_teardown(own_bytes_wait_among_rows, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
