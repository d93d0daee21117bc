/* tests/unit/record/test_row.c — row.c: rows come back as they were; golden bytes; what was not
 * written by it is refused. */
#include "record/row.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

enum { SLOTS_COUNT = 16, ROWS_COUNT = 4 };

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

static struct mr_batch *make_batch(void)
{
    struct mr_batch *batch = mr_arena_new(&arena, 1, sizeof(*batch));
    struct mr_batch_shape shape = {.slots_count = SLOTS_COUNT, .spans_count = 2};
    mr_batch_init(batch, &arena, shape, ROWS_COUNT);
    batch->rows_count = ROWS_COUNT;
    return batch;
}

static const uint32_t all_slots[SLOTS_COUNT] = {0, 1, 2,  3,  4,  5,  6,  7,
                                                8, 9, 10, 11, 12, 13, 14, 15};
static const uint32_t all_spans[2] = {0, 1};

static struct mr_value text_of(enum mr_kind kind, const char *text)
{
    struct mr_value value = mr_value_string(mr_slice_text(text));
    value.kind = (uint8_t)kind;
    return value;
}

/* One cell of each kind. */
static void fill_cells(struct mr_batch *batch, uint32_t row)
{
    static const struct mr_value inner[2] = {{.kind = MR_KIND_NULL},
                                             {.kind = MR_KIND_BOOL, .boolean = true}};
    struct mr_map_entry *entries = mr_arena_new(&arena, 1, sizeof(*entries));
    entries[0].key = text_of(MR_KIND_STRING, "k");
    entries[0].value = (struct mr_value){.kind = MR_KIND_LIST, .size = 2, .items = inner};
    struct mr_value cells[SLOTS_COUNT] = {
        {.kind = MR_KIND_ABSENT},
        {.kind = MR_KIND_REMOVED},
        text_of(MR_KIND_ERROR, "why"),
        mr_value_null(),
        mr_value_bool(true),
        mr_value_int(INT64_MIN),
        mr_value_uint(UINT64_MAX),
        mr_value_double(0.1),
        text_of(MR_KIND_STRING, "caf\xc3\xa9"),
        text_of(MR_KIND_BYTES, "\xff\xfe"),
        {.kind = MR_KIND_TIMESTAMP, .integer = INT64_C(1700000000123456789)},
        {.kind = MR_KIND_DURATION, .integer = -1500000000},
        {.kind = MR_KIND_LIST, .size = 2, .items = inner},
        {.kind = MR_KIND_MAP, .size = 1, .entries = entries},
        text_of(MR_KIND_JSON, "{\"a\":1}"),
        text_of(MR_KIND_TYPE, "int"),
    };
    cells[7].flags = MR_VALUE_UNDECLARED;
    for (uint32_t slot = 0; slot < SLOTS_COUNT; slot++)
        mr_batch_column(batch, slot)[row] = cells[slot];
}

static void fill_message(struct mr_batch *batch, uint32_t row)
{
    batch->event_times_ms[row] = INT64_C(1700000000123);
    batch->timestamps_ms[row] = INT64_C(1700000000999);
    batch->offsets[row] = 300;
    batch->message_keys[row] = mr_slice_text("key");
    batch->payloads[row] = mr_slice_text("{\"a\":1}");
    mr_batch_span(batch, 1)[row] = (struct mr_span){1, 5, 1};
}

static struct mr_slice write_row(const struct mr_row_shape *shape, const struct mr_batch *batch,
                                 uint32_t row)
{
    struct mr_error error;
    size_t size = 0;
    assert_int_equal(mr_row_size(shape, batch, row, &size, &error), MR_OK);
    uint8_t *bytes = mr_arena_take(&arena, size + 1);
    bytes[size] = 0xA5;
    mr_row_write(shape, batch, row, bytes);
    assert_int_equal(bytes[size], 0xA5);
    return mr_slice_from(bytes, size);
}

static void expect_hex(struct mr_slice bytes, const char *expected)
{
    char *text = mr_arena_new(&arena, bytes.size * 2 + 1, 1);
    for (size_t index = 0; index < bytes.size; index++)
        snprintf(text + index * 2, 3, "%02x", bytes.data[index]);
    assert_string_equal(text, expected);
}

/* Version 1 stays readable: these bytes never change. */
static void bytes_stay_as_they_are(void **state)
{
    MR_UNUSED(state);
    struct mr_batch *batch = make_batch();
    fill_cells(batch, 1);
    fill_message(batch, 1);
    struct mr_row_shape cells = {
        .slots = all_slots, .slots_count = SLOTS_COUNT, .fingerprint = 0x01020304};
    expect_hex(write_row(&cells, batch, 1), "10"
                                            "04030201"
                                            "7b68e5cf8b010000"
                                            "00"
                                            "01"
                                            "0203776879"
                                            "03"
                                            "0401"
                                            "05ffffffffffffffffff01"
                                            "06ffffffffffffffffff01"
                                            "879a9999999999b93f"
                                            "0805636166c3a9"
                                            "0902fffe"
                                            "0a15cd853dfe9c9717"
                                            "0bffbbc1960b"
                                            "0c02030401"
                                            "0d0108016b0c02030401"
                                            "0e077b2261223a317d"
                                            "0f03696e74");
    struct mr_row_shape whole = {
        .spans = all_spans, .spans_count = 2, .whole = true, .message = true, .fingerprint = 5};
    expect_hex(write_row(&whole, batch, 1), "10"
                                            "05000000"
                                            "7b68e5cf8b010000"
                                            "e76be5cf8b010000"
                                            "d804"
                                            "036b6579"
                                            "077b2261223a317d"
                                            "000000"
                                            "010501");
    batch->key_nulls[1] = true;
    batch->payload_nulls[1] = true;
    whole.spans_count = 0;
    expect_hex(write_row(&whole, batch, 1), "13"
                                            "05000000"
                                            "7b68e5cf8b010000"
                                            "e76be5cf8b010000"
                                            "d804");
}

static void rows_come_back(void **state)
{
    MR_UNUSED(state);
    struct mr_batch *batch = make_batch();
    struct mr_batch *other = make_batch();
    struct mr_error error;
    fill_cells(batch, 3);
    fill_message(batch, 3);
    struct mr_row_shape shape = {.slots = all_slots,
                                 .slots_count = SLOTS_COUNT,
                                 .spans = all_spans,
                                 .spans_count = 2,
                                 .whole = true,
                                 .message = true,
                                 .fingerprint = 7};
    struct mr_slice bytes = write_row(&shape, batch, 3);
    assert_int_equal(mr_row_event_time(bytes), INT64_C(1700000000123));
    assert_int_equal(mr_row_read(&shape, bytes, other, 0, &error), MR_OK);
    for (uint32_t slot = 0; slot < SLOTS_COUNT; slot++) {
        assert_int_equal(other->columns[slot][0].kind, batch->columns[slot][3].kind);
        assert_int_equal(other->columns[slot][0].flags, batch->columns[slot][3].flags);
        assert_true(mr_value_equal(other->columns[slot][0], batch->columns[slot][3]));
    }
    assert_int_equal(other->event_times_ms[0], batch->event_times_ms[3]);
    assert_int_equal(other->timestamps_ms[0], batch->timestamps_ms[3]);
    assert_int_equal(other->offsets[0], 300);
    assert_true(mr_slice_equal(other->message_keys[0], mr_slice_text("key")));
    assert_true(mr_slice_equal(other->payloads[0], batch->payloads[3]));
    assert_int_equal(other->spans[1][0].value_offset, 5);
    assert_int_equal(other->spans[0][0].value_size, 0);
}

static void writer_and_reader_number_cells_apart(void **state)
{
    MR_UNUSED(state);
    static const uint32_t from[3] = {8, MR_SLOT_NONE, 5};
    static const uint32_t to[3] = {2, 3, MR_SLOT_NONE};
    struct mr_batch *batch = make_batch();
    struct mr_batch *other = make_batch();
    struct mr_error error;
    fill_cells(batch, 0);
    mr_batch_column(other, 3)[2] = mr_value_int(9);
    struct mr_row_shape writer = {.slots = from, .slots_count = 3};
    struct mr_row_shape reader = {.slots = to, .slots_count = 3};
    struct mr_slice bytes = write_row(&writer, batch, 0);
    assert_int_equal(mr_row_read(&reader, bytes, other, 2, &error), MR_OK);
    assert_true(mr_value_equal(other->columns[2][2], text_of(MR_KIND_STRING, "caf\xc3\xa9")));
    assert_int_equal(other->columns[3][2].kind, MR_KIND_ABSENT);
    assert_null(other->columns[5]);
}

static void integers_of_every_size_come_back(void **state)
{
    MR_UNUSED(state);
    static const uint32_t slots[2] = {0, 1};
    struct mr_batch *batch = make_batch();
    struct mr_error error;
    struct mr_row_shape shape = {.slots = slots, .slots_count = 2};
    for (unsigned bits = 0; bits <= 64; bits++) {
        uint64_t number = bits == 64 ? UINT64_MAX : (UINT64_C(1) << bits) - (bits & 1);
        mr_batch_column(batch, 0)[0] = mr_value_uint(number);
        mr_batch_column(batch, 1)[0] = mr_value_int((int64_t)number);
        assert_int_equal(mr_row_read(&shape, write_row(&shape, batch, 0), batch, 1, &error), MR_OK);
        assert_true(batch->columns[0][1].unsigned_integer == number);
        assert_true(batch->columns[1][1].integer == (int64_t)number);
    }
}

static void other_cells_and_layouts_are_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_batch *batch = make_batch();
    struct mr_error error;
    fill_cells(batch, 0);
    struct mr_row_shape shape = {.slots = all_slots, .slots_count = 4, .fingerprint = 1};
    struct mr_slice bytes = write_row(&shape, batch, 0);
    shape.fingerprint = 2;
    assert_int_equal(mr_row_read(&shape, bytes, batch, 1, &error), MR_VERSION);
    assert_string_equal(error.message,
                        "a stored record was written for other fields or options than the topology "
                        "has now: undo the change of the topology, or reset it");
    shape.fingerprint = 1;
    uint8_t *changed = mr_arena_take(&arena, bytes.size);
    memcpy(changed, bytes.data, bytes.size);
    changed[0] = 0x20;
    assert_int_equal(mr_row_read(&shape, mr_slice_from(changed, bytes.size), batch, 1, &error),
                     MR_VERSION);
    assert_string_equal(error.message,
                        "a stored record has the layout 2, this program reads 1: run the program "
                        "that wrote it, or reset the topology");
    changed[0] = 0x11; /* a null payload in a row without one */
    assert_int_equal(mr_row_read(&shape, mr_slice_from(changed, bytes.size), batch, 1, &error),
                     MR_CORRUPT);
}

/* Every cut, and every changed byte, is refused or read as something: never outside the bytes. */
static void damaged_bytes_are_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_batch *batch = make_batch();
    struct mr_error error;
    fill_cells(batch, 0);
    fill_message(batch, 0);
    struct mr_row_shape shape = {.slots = all_slots,
                                 .slots_count = SLOTS_COUNT,
                                 .spans = all_spans,
                                 .spans_count = 2,
                                 .whole = true,
                                 .message = true};
    struct mr_slice bytes = write_row(&shape, batch, 0);
    for (size_t size = 0; size < bytes.size; size++) {
        uint8_t *cut = mr_arena_take(&arena, size);
        memcpy(cut, bytes.data, size);
        assert_int_equal(mr_row_read(&shape, mr_slice_from(cut, size), batch, 1, &error),
                         MR_CORRUPT);
    }
    for (size_t index = 0; index < bytes.size; index++) {
        for (unsigned flip = 1; flip < 256; flip += 5) {
            uint8_t *changed = mr_arena_take(&arena, bytes.size);
            memcpy(changed, bytes.data, bytes.size);
            changed[index] ^= (uint8_t)flip;
            enum mr_status status =
                mr_row_read(&shape, mr_slice_from(changed, bytes.size), batch, 1, &error);
            assert_true(status == MR_OK || status == MR_CORRUPT || status == MR_VERSION);
        }
    }
}

static struct mr_value nested(uint32_t depth)
{
    struct mr_value value = mr_value_int(1);
    for (uint32_t level = 0; level < depth; level++) {
        struct mr_value *item = mr_arena_take(&arena, sizeof(*item));
        *item = value;
        value = (struct mr_value){.kind = MR_KIND_LIST, .size = 1, .items = item};
    }
    return value;
}

static void rows_are_bounded(void **state)
{
    MR_UNUSED(state);
    struct mr_batch *batch = make_batch();
    struct mr_error error;
    size_t size;
    struct mr_row_shape shape = {.slots = all_slots, .slots_count = 1};
    mr_batch_column(batch, 0)[0] = nested(MR_ROW_DEPTH_MAX);
    assert_int_equal(mr_row_read(&shape, write_row(&shape, batch, 0), batch, 1, &error), MR_OK);
    mr_batch_column(batch, 0)[0] = nested(MR_ROW_DEPTH_MAX + 1);
    assert_int_equal(mr_row_size(&shape, batch, 0, &size, &error), MR_LIMIT);
    assert_string_equal(
        error.message, "a field of the record nests more than 400 lists and objects, more than can "
                       "be kept: take the part that is needed by a map before");
    uint8_t *text = mr_arena_new(&arena, MR_LIMIT_ROW_BYTES, 1);
    mr_batch_column(batch, 0)[0] =
        mr_value_string(mr_slice_from(text, MR_LIMIT_ROW_BYTES - 13 - 1 - 3));
    assert_int_equal(mr_row_size(&shape, batch, 0, &size, &error), MR_OK);
    assert_int_equal(size, MR_LIMIT_ROW_BYTES);
    mr_batch_column(batch, 0)[0].size++;
    assert_int_equal(mr_row_size(&shape, batch, 0, &size, &error), MR_LIMIT);
    assert_string_equal(error.message,
                        "the record takes 1048577 bytes, more than the 1048576 that can be kept: "
                        "keep only the fields that are needed by a map before");
}

static void fingerprints_tell_shapes_apart(void **state)
{
    MR_UNUSED(state);
    static const char *const names[] = {"a", "b", "ab"};
    uint32_t first = mr_row_fingerprint(names, 2, false, false);
    assert_int_equal(first, mr_row_fingerprint(names, 2, false, false));
    assert_int_equal(first, 0xef5010b6); /* stored: never changes */
    assert_int_not_equal(first, mr_row_fingerprint(names + 2, 1, false, false));
    assert_int_not_equal(first, mr_row_fingerprint(names, 1, false, false));
    assert_int_not_equal(first, mr_row_fingerprint(names + 1, 2, false, false));
    assert_int_not_equal(first, mr_row_fingerprint(names, 2, true, false));
    assert_int_not_equal(first, mr_row_fingerprint(names, 2, false, true));
    assert_int_equal(first, mr_row_fingerprint_spans(first, NULL, 0));
    assert_int_not_equal(first, mr_row_fingerprint_spans(first, names, 1));
    assert_int_not_equal(mr_row_fingerprint_spans(first, names + 1, 1),
                         mr_row_fingerprint_spans(first, names, 1));
}

static void single_cells_come_back(void **state)
{
    MR_UNUSED(state);
    struct mr_batch *batch = make_batch();
    struct mr_error error;
    fill_cells(batch, 0);
    for (uint32_t slot = 0; slot < SLOTS_COUNT; slot++) {
        const struct mr_value *cell = &batch->columns[slot][0];
        uint8_t bytes[128];
        size_t size = mr_row_cell_size(cell);
        struct mr_value found;
        assert_true(size > 0 && size <= sizeof(bytes));
        mr_row_cell_write(cell, bytes);
        struct mr_slice stored = mr_slice_from(bytes, size);
        assert_int_equal(mr_row_cell_read(stored, &arena, &found, &error), MR_OK);
        assert_int_equal(found.kind, cell->kind);
        assert_int_equal(found.flags, cell->flags);
        assert_int_equal(mr_row_cell_size(&found), size);
        /* All bytes, and no more. */
        stored.size--;
        assert_int_equal(mr_row_cell_read(stored, &arena, &found, &error), MR_CORRUPT);
        bytes[size] = 0;
        stored.size += 2;
        assert_int_equal(mr_row_cell_read(stored, &arena, &found, &error), MR_CORRUPT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(bytes_stay_as_they_are, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(writer_and_reader_number_cells_apart, setup, teardown),
        cmocka_unit_test_setup_teardown(integers_of_every_size_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(other_cells_and_layouts_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged_bytes_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(single_cells_come_back, setup, teardown),
        cmocka_unit_test_setup_teardown(rows_are_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(fingerprints_tell_shapes_apart, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
