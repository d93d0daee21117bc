/* tests/unit/record/test_value.c — value.c: names, equality across number kinds, deep copies. */
#include "record/value.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct mr_value text(const char *bytes)
{
    return mr_value_string(mr_slice_text(bytes));
}

static void every_kind_has_a_name(void **state)
{
    MR_UNUSED(state);
    for (int kind = 0; kind < MR_KIND_COUNT; kind++)
        assert_true(strlen(mr_kind_name((enum mr_kind)kind)) > 2);
    assert_string_equal(mr_kind_name(MR_KIND_DOUBLE), "double");
    assert_string_equal(mr_kind_name(MR_KIND_ABSENT), "absent");
}

static void numbers_are_equal_by_value(void **state)
{
    MR_UNUSED(state);
    assert_true(mr_value_equal(mr_value_int(2), mr_value_double(2.0)));
    assert_true(mr_value_equal(mr_value_uint(2), mr_value_int(2)));
    assert_true(mr_value_equal(mr_value_double(0.0), mr_value_double(-0.0)));
    assert_true(mr_value_equal(mr_value_uint(UINT64_MAX), mr_value_uint(UINT64_MAX)));
    assert_false(mr_value_equal(mr_value_int(2), mr_value_double(2.5)));
    assert_false(mr_value_equal(mr_value_int(-1), mr_value_uint(UINT64_MAX)));
    assert_false(mr_value_equal(mr_value_int(INT64_MAX), mr_value_double(0x1p63)));
    assert_false(mr_value_equal(mr_value_double(0x1p64), mr_value_uint(UINT64_MAX)));
    /* 2^53 + 1 is no double: it must not be rounded before it is compared. */
    assert_false(mr_value_equal(mr_value_int(9007199254740993), mr_value_double(0x1p53)));
    assert_true(mr_value_equal(mr_value_int(INT64_MIN), mr_value_double(-0x1p63)));
    assert_false(
        mr_value_equal(mr_value_double(__builtin_nan("")), mr_value_double(__builtin_nan(""))));
}

static void kinds_are_told_apart(void **state)
{
    MR_UNUSED(state);
    struct mr_slice bytes = mr_slice_text("a");
    assert_false(mr_value_equal(text("a"), mr_value_bytes(bytes)));
    assert_false(mr_value_equal(text("a"), text("b")));
    assert_false(mr_value_equal(mr_value_null(), mr_value_bool(false)));
    assert_false(mr_value_equal(mr_value_bool(true), mr_value_bool(false)));
    assert_false(mr_value_equal(mr_value_bool(true), mr_value_int(1)));
    assert_true(mr_value_equal(mr_value_null(), mr_value_null()));
    struct mr_value time = {.kind = MR_KIND_TIMESTAMP, .integer = 5};
    assert_false(mr_value_equal(time, mr_value_int(5)));
    assert_true(mr_value_equal(time, time));
}

static void containers_are_compared_deeply(void **state)
{
    MR_UNUSED(state);
    struct mr_value items[] = {mr_value_int(1), text("x")};
    struct mr_value others[] = {mr_value_double(1), text("x")};
    struct mr_value list = {.kind = MR_KIND_LIST, .size = 2, .items = items};
    struct mr_value other_list = {.kind = MR_KIND_LIST, .size = 2, .items = others};
    assert_true(mr_value_equal(list, other_list));
    other_list.size = 1;
    assert_false(mr_value_equal(list, other_list));
    struct mr_map_entry left[] = {{text("a"), list}, {text("b"), mr_value_null()}};
    struct mr_map_entry right[] = {{text("b"), mr_value_null()}, {text("a"), list}};
    struct mr_value left_map = {.kind = MR_KIND_MAP, .size = 2, .entries = left};
    struct mr_value right_map = {.kind = MR_KIND_MAP, .size = 2, .entries = right};
    assert_true(mr_value_equal(left_map, right_map));
    right[0].key = text("c");
    assert_false(mr_value_equal(left_map, right_map));
    right[0].key = text("b");
    right[1].value = mr_value_null();
    assert_false(mr_value_equal(left_map, right_map));
}

static void copies_do_not_share_memory(void **state)
{
    MR_UNUSED(state);
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    char bytes[] = "hello";
    struct mr_value items[] = {mr_value_int(1), text(bytes)};
    struct mr_map_entry entries[] = {
        {text(bytes), {.kind = MR_KIND_LIST, .size = 2, .items = items}}};
    struct mr_value map = {.kind = MR_KIND_MAP, .size = 1, .entries = entries};
    struct mr_value copy = mr_value_copy(&arena, map);
    assert_true(mr_value_equal(map, copy));
    memset(bytes, 'x', 5);
    items[0] = mr_value_null();
    assert_true(mr_slice_equal(mr_value_text(copy.entries[0].key), mr_slice_text("hello")));
    assert_int_equal(copy.entries[0].value.items[0].kind, MR_KIND_INT);
    assert_true(
        mr_slice_equal(mr_value_text(copy.entries[0].value.items[1]), mr_slice_text("hello")));
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_has_a_name),
        cmocka_unit_test(numbers_are_equal_by_value),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(containers_are_compared_deeply),
        cmocka_unit_test(copies_do_not_share_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
