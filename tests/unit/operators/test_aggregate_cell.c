/* tests/unit/operators/test_aggregate_cell.c — values in cells, and their order. */
#include "operators/aggregate_cell.h"
#include "tests/support/aggregate_fixture.h"

#include <math.h>

static struct mr_value text(const char *bytes)
{
    return mr_value_string(mr_slice_text(bytes));
}

static void values_go_round(void **state)
{
    (void)state;
    const struct mr_value values[] = {
        mr_value_int(-5),
        mr_value_uint(UINT64_MAX),
        mr_value_double(0.1),
        mr_value_bool(true),
        mr_value_bool(false),
        {.kind = MR_KIND_TIMESTAMP, .integer = 1234567890123456789},
        {.kind = MR_KIND_DURATION, .integer = -1},
        text(""),
        text("0123456789abcdef"),
        mr_value_bytes(mr_slice_from("\0\1", 2)),
    };
    uint8_t cell[24];
    for (size_t index = 0; index < MR_ARRAY_COUNT(values); index++) {
        memset(cell, 0xee, sizeof(cell));
        mr_aggregate_cell_put(cell, sizeof(cell), &values[index]);
        assert_false(mr_aggregate_cell_is_empty(cell));
        struct mr_value found = mr_aggregate_cell_view(cell);
        assert_int_equal(found.kind, values[index].kind);
        assert_true(mr_value_equal(found, values[index]));
        assert_true(found.size > 15 || cell[23] == 0);
    }
    memset(cell, 0, sizeof(cell));
    assert_true(mr_aggregate_cell_is_empty(cell));
    assert_int_equal(mr_aggregate_cell_view(cell).kind, MR_KIND_ABSENT);
}

/* Ascending; `equal` to the one before where so marked. */
static void values_have_one_order(void **state)
{
    (void)state;
    const struct {
        struct mr_value value;
        bool equal;
    } values[] = {
        {mr_value_double(-1e300), false},
        {mr_value_double(-0x1p63), false},
        {mr_value_int(INT64_MIN), true},
        {mr_value_int(-2), false},
        {mr_value_double(-1.5), false},
        {mr_value_int(-1), false},
        {mr_value_double(-0.25), false},
        {mr_value_double(-0.0), false},
        {mr_value_int(0), true},
        {mr_value_uint(0), true},
        {mr_value_double(0.5), false},
        {mr_value_uint(1), false},
        {mr_value_double(9007199254740992.0), false},
        {mr_value_int(9007199254740993), false},
        {mr_value_int(INT64_MAX), false},
        {mr_value_double(0x1p63), false},
        {mr_value_uint(1ull << 63), true},
        {mr_value_uint(UINT64_MAX), false},
        {mr_value_double(0x1p64), false},
        {{.kind = MR_KIND_TIMESTAMP, .integer = -3}, false},
        {{.kind = MR_KIND_TIMESTAMP, .integer = 3}, false},
        {{.kind = MR_KIND_DURATION, .integer = -3}, false},
        {mr_value_bool(false), false},
        {mr_value_bool(true), false},
        {text(""), false},
        {text("a"), false},
        {text("ab"), false},
        {text("b"), false},
        {mr_value_bytes(mr_slice_from("a", 1)), false},
    };
    uint32_t rank[MR_ARRAY_COUNT(values)] = {0};
    for (size_t index = 1; index < MR_ARRAY_COUNT(values); index++)
        rank[index] = rank[index - 1] + !values[index].equal;
    for (size_t left = 0; left < MR_ARRAY_COUNT(values); left++)
        for (size_t right = 0; right < MR_ARRAY_COUNT(values); right++) {
            int order = mr_aggregate_compare(&values[left].value, &values[right].value);
            int expected = rank[left] < rank[right] ? -1 : rank[left] > rank[right];
            if ((order > 0) - (order < 0) != expected)
                fail_msg("values %zu and %zu", left, right);
        }
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    const enum mr_type_code any = MR_TYPE_ANY;
    aggregate_open(&fixture, "first", 1, &any, NULL, 256);
    struct mr_value value = text("123456789");
    assert_int_equal(mr_aggregate_cell_check(&fixture.aggregate, 24, &value, &fixture.error),
                     MR_OK);
    assert_int_equal(mr_aggregate_cell_check(&fixture.aggregate, 16, &value, &fixture.error),
                     MR_INVALID);
    assert_string_equal(fixture.error.message,
                        "first(a) keeps at most 8 bytes of text and this is of 9: raise the "
                        "function's parameter `bytes`, or shorten the text");
    value = mr_value_double((double)INFINITY);
    assert_int_equal(mr_aggregate_cell_check(&fixture.aggregate, 16, &value, &fixture.error),
                     MR_INVALID);
    assert_string_equal(fixture.error.message, "first(a): the number is not finite");
    value = (struct mr_value){.kind = MR_KIND_JSON};
    assert_int_equal(mr_aggregate_cell_check(&fixture.aggregate, 16, &value, &fixture.error),
                     MR_INVALID);
    assert_string_equal(fixture.error.message, "first(a) takes numbers, text, bytes, booleans and "
                                               "times; this value is of type json");
    aggregate_close(&fixture);
}

/* {tags: ["a", null], when: 5} and whatever else the third item is. */
static struct mr_value nested(struct mr_value items[3], struct mr_map_entry entries[2],
                              struct mr_value third)
{
    items[0] = text("a");
    items[1] = mr_value_null();
    items[2] = third;
    entries[0] =
        (struct mr_map_entry){text("tags"), {.kind = MR_KIND_LIST, .size = 3, .items = items}};
    entries[1] = (struct mr_map_entry){text("when"), {.kind = MR_KIND_DURATION, .integer = 5}};
    return (struct mr_value){.kind = MR_KIND_MAP, .size = 2, .entries = entries};
}

static void lists_and_maps_are_kept(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    struct mr_value items[3];
    struct mr_map_entry entries[2];
    const enum mr_type_code any = MR_TYPE_ANY;
    const struct mr_value values[] = {
        nested(items, entries, mr_value_double(-0.0)),
        {.kind = MR_KIND_LIST},
        {.kind = MR_KIND_MAP},
        {.kind = MR_KIND_JSON, .size = 4, .text = (const uint8_t *)"[1 ]"},
        mr_value_int(5),
        text("0123456789"),
    };
    aggregate_open(&fixture, "first", 1, &any, NULL, 256);
    for (size_t index = 0; index < MR_ARRAY_COUNT(values); index++) {
        uint8_t cell[64];
        uint8_t again[64];
        struct mr_value found;
        assert_int_equal(mr_aggregate_kept_check(&fixture.aggregate, sizeof(cell), &values[index],
                                                 &fixture.error),
                         MR_OK);
        memset(cell, 0xee, sizeof(cell));
        mr_aggregate_kept_put(cell, sizeof(cell), &values[index]);
        assert_false(mr_aggregate_cell_is_empty(cell));
        memcpy(again, cell, sizeof(cell));
        assert_int_equal(mr_aggregate_kept_read(again, &fixture.arena, &found, &fixture.error),
                         MR_OK);
        memset(again, 0xee, sizeof(again)); /* nothing is borrowed from the cell */
        assert_int_equal(found.kind, values[index].kind);
        assert_true(found.kind == MR_KIND_JSON
                        ? mr_slice_equal(mr_value_text(found), mr_slice_text("[1 ]"))
                        : mr_value_equal(found, values[index]));
    }
    aggregate_close(&fixture);
}

static void what_cannot_be_kept_is_refused(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    struct mr_value items[3];
    struct mr_map_entry entries[2];
    const enum mr_type_code any = MR_TYPE_ANY;
    aggregate_open(&fixture, "first", 1, &any, NULL, 256);
    struct mr_value value = nested(items, entries, mr_value_double((double)NAN));
    assert_int_equal(mr_aggregate_kept_check(&fixture.aggregate, 64, &value, &fixture.error),
                     MR_INVALID);
    assert_string_equal(fixture.error.message,
                        "first(a): the map holds a number that is not finite");
    value = nested(items, entries, (struct mr_value){.kind = MR_KIND_TYPE});
    assert_int_equal(mr_aggregate_kept_check(&fixture.aggregate, 64, &value, &fixture.error),
                     MR_INVALID);
    assert_string_equal(fixture.error.message,
                        "first(a): the map holds a value of a type that JSON does not have");
    value = nested(items, entries, text("a text that is longer than the rest"));
    assert_int_equal(mr_aggregate_kept_check(&fixture.aggregate, 64, &value, &fixture.error),
                     MR_INVALID);
    assert_string_equal(fixture.error.message,
                        "first(a) keeps at most 56 bytes of a value and this map takes 59: raise "
                        "the function's parameter `bytes`, or take the part that is needed");
    value = mr_value_null();
    for (uint32_t level = 0; level < 2000; level++) {
        struct mr_value *inner = mr_arena_new(&fixture.arena, 1, sizeof(*inner));
        *inner = value;
        value = (struct mr_value){.kind = MR_KIND_LIST, .size = 1, .items = inner};
    }
    assert_int_equal(mr_aggregate_kept_check(&fixture.aggregate, 4096, &value, &fixture.error),
                     MR_INVALID);
    assert_string_equal(fixture.error.message, "first(a): the list is nested too deep to be kept, "
                                               "at most 400 levels are");
    /* Stored bytes that were damaged. */
    uint8_t cell[64];
    value = nested(items, entries, mr_value_null());
    mr_aggregate_kept_put(cell, sizeof(cell), &value);
    cell[MR_AGGREGATE_CELL_HEAD_BYTES + 1] = 99;
    assert_int_equal(mr_aggregate_kept_read(cell, &fixture.arena, &value, &fixture.error),
                     MR_CORRUPT);
    aggregate_close(&fixture);
}

/* Keys of one line are equal, of different lines they differ. */
static void keys_tell_values_apart(void **state)
{
    (void)state;
    static const char long_text[] = "0123456789abcdef";
    const struct {
        struct mr_value value;
        uint32_t line;
    } values[] = {
        {mr_value_int(0), 0},
        {mr_value_double(-0.0), 0},
        {mr_value_uint(0), 0},
        {mr_value_int(5), 1},
        {mr_value_uint(5), 1},
        {mr_value_double(5), 1},
        {mr_value_double(5.5), 2},
        {mr_value_int(-5), 3},
        {mr_value_uint(1ull << 63), 4},
        {mr_value_double(0x1p63), 4},
        {mr_value_int(INT64_MIN), 5},
        {mr_value_double(-0x1p63), 5},
        {mr_value_double(0x1p64), 6},
        {mr_value_int(INT64_MAX), 7},
        {mr_value_bool(false), 8},
        {mr_value_bool(true), 9},
        {{.kind = MR_KIND_TIMESTAMP, .integer = 5}, 10},
        {{.kind = MR_KIND_DURATION, .integer = 5}, 11},
        {text(""), 12},
        {mr_value_bytes(mr_slice_from("", 0)), 13},
        {text("5"), 14},
        {mr_value_string(mr_slice_from("5\0", 2)), 15},
        {mr_value_string(mr_slice_from(long_text, 15)), 16},
        {mr_value_bytes(mr_slice_from(long_text, 15)), 17},
        {mr_value_string(mr_slice_from(long_text, 16)), 18},
        {mr_value_bytes(mr_slice_from(long_text, 16)), 19},
    };
    for (size_t left = 0; left < MR_ARRAY_COUNT(values); left++)
        for (size_t right = 0; right < MR_ARRAY_COUNT(values); right++) {
            struct mr_aggregate_key first = mr_aggregate_key_of(&values[left].value);
            struct mr_aggregate_key second = mr_aggregate_key_of(&values[right].value);
            assert_int_not_equal(first.bytes[15], 0);
            assert_int_equal(memcmp(&first, &second, sizeof(first)) == 0,
                             values[left].line == values[right].line);
        }
}

static void declared_types_make_small_cells(void **state)
{
    (void)state;
    static const struct {
        enum mr_type_code type;
        uint32_t bytes;
    } sizes[] = {{MR_TYPE_ANY, 112},  {MR_TYPE_STRING, 112},   {MR_TYPE_BYTES, 112},
                 {MR_TYPE_INT, 16},   {MR_TYPE_DOUBLE, 16},    {MR_TYPE_UINT, 16},
                 {MR_TYPE_BOOL, 16},  {MR_TYPE_TIMESTAMP, 16}, {MR_TYPE_DURATION, 16},
                 {MR_TYPE_LIST, 112}, {MR_TYPE_OBJECT, 112}};
    for (size_t index = 0; index < MR_ARRAY_COUNT(sizes); index++) {
        struct aggregate_fixture fixture;
        aggregate_open(&fixture, "first", 1, &sizes[index].type, NULL, 256);
        assert_int_equal(mr_aggregate_cell_bytes(&fixture.call, 0, 100), sizes[index].bytes);
        aggregate_close(&fixture);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_go_round),
        cmocka_unit_test(values_have_one_order),
        cmocka_unit_test(what_does_not_fit_is_refused),
        cmocka_unit_test(lists_and_maps_are_kept),
        cmocka_unit_test(what_cannot_be_kept_is_refused),
        cmocka_unit_test(keys_tell_values_apart),
        cmocka_unit_test(declared_types_make_small_cells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
