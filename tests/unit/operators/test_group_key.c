/* tests/unit/operators/test_group_key.c — keys read back from their bytes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/group_key.h"
#include "record/batch.h"

enum { FIELDS = 3 };

/* Write the key of the cells and read it back. */
static bool round_trip(struct mr_arena *arena, const struct mr_value *cells,
                       const enum mr_type_code *types, uint32_t count, struct mr_value *fields)
{
    static const uint32_t slots[FIELDS] = {0, 1, 2};
    struct mr_batch batch;
    struct mr_slice key;
    mr_batch_init(&batch, arena, (struct mr_batch_shape){.slots_count = FIELDS}, 1);
    batch.rows_count = 1;
    for (uint32_t i = 0; i < count; i++)
        mr_batch_column(&batch, i)[0] = cells[i];
    assert_int_equal(mr_batch_key(&batch, slots, count, 0, &key), MR_OK);
    return mr_group_key_read(key, types, count, arena, fields);
}

static void single_fields_come_back(void **state)
{
    MR_UNUSED(state);
    const struct {
        struct mr_value cell;
        enum mr_type_code type;
        struct mr_value expected;
    } cases[] = {
        {mr_value_string(mr_slice_text("s1")), MR_TYPE_ANY, mr_value_string(mr_slice_text("s1"))},
        {mr_value_string(mr_slice_text("")), MR_TYPE_ANY, mr_value_string(mr_slice_text(""))},
        {mr_value_string(mr_slice_text("[1]")), MR_TYPE_STRING,
         mr_value_string(mr_slice_text("[1]"))},
        {mr_value_string(mr_slice_text("[1")), MR_TYPE_ANY, mr_value_string(mr_slice_text("[1"))},
        {mr_value_string(mr_slice_text("[\"a\"]")), MR_TYPE_ANY,
         mr_value_string(mr_slice_text("[\"a\"]"))},
        {mr_value_int(-7), MR_TYPE_INT, mr_value_int(-7)},
        {mr_value_int(INT64_MIN), MR_TYPE_INT, mr_value_int(INT64_MIN)},
        {mr_value_uint(UINT64_MAX), MR_TYPE_UINT, mr_value_uint(UINT64_MAX)},
        {mr_value_uint(3), MR_TYPE_UINT, mr_value_uint(3)},
        {mr_value_double(2.5), MR_TYPE_DOUBLE, mr_value_double(2.5)},
        {mr_value_double(5), MR_TYPE_ANY, mr_value_double(5)},
        {mr_value_bool(true), MR_TYPE_BOOL, mr_value_bool(true)},
        {mr_value_bool(false), MR_TYPE_ANY, mr_value_bool(false)},
        {{.kind = MR_KIND_TIMESTAMP, .integer = 1700000000123000000},
         MR_TYPE_TIMESTAMP,
         {.kind = MR_KIND_TIMESTAMP, .integer = 1700000000123000000}},
    };
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 14);
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_value field;
        assert_true(round_trip(&arena, &cases[i].cell, &cases[i].type, 1, &field));
        assert_int_equal(field.kind, cases[i].expected.kind);
        assert_true(mr_value_equal(field, cases[i].expected));
    }
    mr_arena_deinit(&arena);
}

static void several_fields_come_back(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 14);
    const struct mr_value list[] = {mr_value_int(1), mr_value_string(mr_slice_text("]\"\\x"))};
    const struct mr_value cells[FIELDS] = {
        mr_value_string(mr_slice_text("a \"quoted\"\n\x01 \xc3\xa4,]")),
        {.kind = MR_KIND_LIST, .size = 2, .items = list},
        mr_value_int(9)};
    const enum mr_type_code types[FIELDS] = {MR_TYPE_ANY, MR_TYPE_LIST, MR_TYPE_INT};
    struct mr_value fields[FIELDS];
    assert_true(round_trip(&arena, cells, types, FIELDS, fields));
    assert_true(mr_value_equal(fields[0], cells[0]));
    assert_int_equal(fields[1].kind, MR_KIND_JSON);
    assert_true(mr_slice_equal(mr_value_text(fields[1]), mr_slice_text("[1,\"]\\\"\\\\x\"]")));
    assert_true(mr_value_equal(fields[2], cells[2]));
    mr_arena_deinit(&arena);
}

static void what_is_no_key_is_refused(void **state)
{
    MR_UNUSED(state);
    static const char *const texts[] = {"",       "[",      "[1",      "[1,",     "[1,2",
                                        "[1,2]x", "[1 ,2]", "[tru,1]", "[\"a,1]", "[\"\\u12\",1]",
                                        "[1]",    "[{,1]",  "[1,2,3]"};
    static const enum mr_type_code types[] = {MR_TYPE_ANY, MR_TYPE_ANY};
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 12);
    for (size_t i = 0; i < MR_ARRAY_COUNT(texts); i++) {
        struct mr_value fields[2];
        if (mr_group_key_read(mr_slice_text(texts[i]), types, 2, &arena, fields))
            fail_msg("%s", texts[i]);
    }
    assert_true(mr_group_key_read(mr_slice_text("anything"), types, 0, &arena, NULL));
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_fields_come_back),
        cmocka_unit_test(several_fields_come_back),
        cmocka_unit_test(what_is_no_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
