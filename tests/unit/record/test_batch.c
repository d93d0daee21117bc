/* tests/unit/record/test_batch.c — batch.c: columns on first use, views, keys. */
#include "record/batch.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct mr_arena arena;

static int setup(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&arena, 1 << 16);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    return 0;
}

static struct mr_batch make(uint32_t rows)
{
    struct mr_batch batch;
    struct mr_batch_shape shape = {.slots_count = 3, .spans_count = 1, .keys_count = 1};
    mr_batch_init(&batch, &arena, shape, rows);
    batch.rows_count = rows;
    return batch;
}

static void columns_are_taken_on_first_use(void **state)
{
    MR_UNUSED(state);
    struct mr_batch batch = make(100);
    assert_null(batch.columns[1]);
    struct mr_value *column = mr_batch_column(&batch, 1);
    for (uint32_t row = 0; row < 100; row++)
        assert_int_equal(column[row].kind, MR_KIND_ABSENT);
    column[99] = mr_value_int(5);
    assert_ptr_equal(mr_batch_column(&batch, 1), column);
    assert_int_equal(mr_batch_column(&batch, 1)[99].integer, 5);
    assert_null(batch.columns[0]);
    assert_int_equal(mr_batch_span(&batch, 0)[99].value_size, 0);
    assert_int_equal(batch.offsets[0], -1);
    assert_int_equal(batch.offsets[99], -1);
    assert_false(batch.payload_nulls[99]);
    assert_null(batch.headers);
}

static void watermarks_are_taken_when_somebody_fills_them(void **state)
{
    MR_UNUSED(state);
    struct mr_batch batch = make(3);
    assert_null(batch.watermarks_ms);
    int64_t *watermarks_ms = mr_batch_watermarks(&batch);
    watermarks_ms[2] = 7;
    assert_ptr_equal(mr_batch_watermarks(&batch), watermarks_ms);
    assert_int_equal(batch.watermarks_ms[2], 7);
}

static void a_view_selects_all_rows(void **state)
{
    MR_UNUSED(state);
    struct mr_batch batch = make(4096);
    struct mr_view view = mr_batch_view(&batch);
    assert_int_equal(view.rows_count, 4096);
    for (uint32_t i = 0; i < view.rows_count; i++)
        assert_int_equal(view.rows[i], i);
    batch.rows_count = 0;
    assert_int_equal(mr_batch_view(&batch).rows_count, 0);
}

static void expect_key(struct mr_batch *batch, uint32_t slots_count, const char *expected)
{
    static const uint32_t slots[] = {0, 1, 2};
    struct mr_slice key;
    assert_int_equal(mr_batch_key(batch, slots, slots_count, 0, &key), MR_OK);
    if (!mr_slice_equal(key, mr_slice_text(expected)))
        fail_msg("key %.*s, expected %s", (int)key.size, (const char *)key.data, expected);
}

static void keys_are_text_or_a_compact_array(void **state)
{
    MR_UNUSED(state);
    struct mr_batch batch = make(1);
    struct mr_value *first = mr_batch_column(&batch, 0);
    expect_key(&batch, 0, "[]");
    first[0] = mr_value_string(mr_slice_text("a\"b"));
    expect_key(&batch, 1, "a\"b");
    mr_batch_column(&batch, 1)[0] = mr_value_double(100);
    expect_key(&batch, 2, "[\"a\\\"b\",100]");
    mr_batch_column(&batch, 2)[0] = mr_value_bool(true);
    expect_key(&batch, 3, "[\"a\\\"b\",100,true]");
    first[0] = mr_value_int(-7);
    expect_key(&batch, 1, "[-7]");
    first[0] = mr_value_uint(UINT64_MAX);
    expect_key(&batch, 1, "[18446744073709551615]");
}

static void cells_without_a_value_are_no_key(void **state)
{
    MR_UNUSED(state);
    struct mr_batch batch = make(1);
    const uint32_t slot = 0;
    struct mr_slice key;
    assert_int_equal(mr_batch_key(&batch, &slot, 1, 0, &key), MR_INVALID);
    struct mr_value *cell = mr_batch_column(&batch, 0);
    assert_int_equal(mr_batch_key(&batch, &slot, 1, 0, &key), MR_INVALID);
    cell[0] = mr_value_null();
    assert_int_equal(mr_batch_key(&batch, &slot, 1, 0, &key), MR_INVALID);
    cell[0] = mr_value_error(mr_slice_text("wrong"));
    assert_int_equal(mr_batch_key(&batch, &slot, 1, 0, &key), MR_INVALID);
    cell[0] = mr_value_double(__builtin_nan(""));
    assert_int_equal(mr_batch_key(&batch, &slot, 1, 0, &key), MR_INVALID);
    /* The bytes of an earlier key stay as they are. */
    cell[0] = mr_value_int(1);
    struct mr_slice other;
    assert_int_equal(mr_batch_key(&batch, &slot, 1, 0, &key), MR_OK);
    cell[0] = mr_value_int(2);
    assert_int_equal(mr_batch_key(&batch, &slot, 1, 0, &other), MR_OK);
    assert_true(mr_slice_equal(key, mr_slice_text("[1]")));
    assert_true(mr_slice_equal(other, mr_slice_text("[2]")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns_are_taken_on_first_use),
        cmocka_unit_test(watermarks_are_taken_when_somebody_fills_them),
        cmocka_unit_test(a_view_selects_all_rows),
        cmocka_unit_test(keys_are_text_or_a_compact_array),
        cmocka_unit_test(cells_without_a_value_are_no_key),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
