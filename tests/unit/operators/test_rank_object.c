/* tests/unit/operators/test_rank_object.c — order, places and bytes of ranked entries. */
#include "operators/rank_object.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

enum { OBJECT_BYTES = 8192 };

static uint64_t memory[OBJECT_BYTES / 8];
static const struct mr_rank_order ascending = {.values_count = 1};
static const struct mr_rank_order two = {.values_count = 2, .descending = {true, false}};

static struct mr_rank_object *empty(void)
{
    memset(memory, 0, sizeof(memory));
    struct mr_rank_object *object = (struct mr_rank_object *)(void *)memory;
    object->until_ms = INT64_MIN;
    object->values_count = 1;
    return object;
}

static struct mr_rank_value number(struct mr_value value)
{
    struct mr_rank_value result;
    assert_true(mr_rank_value_read(value, &result));
    return result;
}

static void put(struct mr_rank_object *object, int64_t value)
{
    struct mr_rank_value read = number(mr_value_int(value));
    uint32_t position = mr_rank_position(object, &ascending, &read, true);
    mr_rank_insert(object, position)->values[0] = read;
}

static void numbers_are_compared_exactly(void **state)
{
    MR_UNUSED(state);
    const struct mr_rank_value rising[] = {
        number(mr_value_int(INT64_MIN)),
        number(mr_value_double(-0.5)),
        number(mr_value_bool(false)),
        number(mr_value_bool(true)),
        number(mr_value_double(9007199254740992.0)),
        number(mr_value_int(9007199254740993)),
        number(mr_value_int(INT64_MAX)),
        number(mr_value_double(9223372036854775808.0)),
        number(mr_value_uint(9223372036854775809u)),
        number(mr_value_uint(UINT64_MAX)),
        number(mr_value_double(1e300)),
    };
    for (size_t left = 0; left < MR_ARRAY_COUNT(rising); left++)
        for (size_t right = 0; right < MR_ARRAY_COUNT(rising); right++) {
            int expected = (left > right) - (left < right);
            assert_int_equal(mr_rank_compare(&ascending, &rising[left], &rising[right]), expected);
        }
    struct mr_rank_value first[] = {rising[3], rising[1]};
    struct mr_rank_value second[] = {rising[2], rising[0]};
    assert_int_equal(mr_rank_compare(&two, first, second), -1);
    second[0] = rising[3];
    assert_int_equal(mr_rank_compare(&two, first, second), 1);
}

static void what_has_no_order_is_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_rank_value result;
    assert_false(mr_rank_value_read(mr_value_null(), &result));
    assert_false(mr_rank_value_read(mr_value_string(mr_slice_text("3")), &result));
    assert_false(mr_rank_value_read(mr_value_double((double)NAN), &result));
    assert_false(mr_rank_value_read(mr_value_double((double)INFINITY), &result));
}

static void places_are_given_again(void **state)
{
    MR_UNUSED(state);
    struct mr_rank_object *object = empty();
    for (int64_t value = 10; value > 4; value--)
        put(object, value);
    assert_int_equal(object->entries[0].place, 5);
    assert_int_equal(object->entries[5].place, 0);
    object->count--; /* the worst goes, with place 0 */
    put(object, 3);
    assert_int_equal(object->entries[0].place, 0);
    assert_int_equal(object->count, 6);
}

static void level_entries_share_a_rank_or_follow_each_other(void **state)
{
    MR_UNUSED(state);
    struct mr_rank_object *object = empty();
    static const int64_t values[] = {5, 3, 5, 5, 7};
    for (size_t index = 0; index < MR_ARRAY_COUNT(values); index++)
        put(object, values[index]);
    assert_int_equal(mr_rank_of(object, &ascending, 3, false), 4);
    assert_int_equal(mr_rank_of(object, &ascending, 3, true), 2);
    assert_int_equal(mr_rank_of(object, &ascending, 4, true), 5);
    assert_int_equal(object->entries[1].place, 0); /* the 5 that came first */
    struct mr_rank_value level = number(mr_value_double(5));
    assert_int_equal(mr_rank_position(object, &ascending, &level, false), 1);
    assert_int_equal(mr_rank_position(object, &ascending, &level, true), 4);
}

static void bytes_are_read_back_and_checked(void **state)
{
    MR_UNUSED(state);
    struct mr_rank_object *object = empty();
    for (int64_t value = 0; value < MR_RANK_FEW; value++)
        put(object, value);
    object->until_ms = -7;
    object->entries[3].size = 65536;
    uint8_t bytes[4096];
    size_t size = mr_rank_encode(object, bytes);
    assert_int_equal(size, MR_RANK_HEAD_BYTES + MR_RANK_FEW * 15);
    static uint64_t other[OBJECT_BYTES / 8];
    assert_true(mr_rank_decoder(MR_RANK_FEW)(other, 1, mr_slice_from(bytes, size)));
    static uint8_t again[4096]; /* bytes are compared: structs have gaps, which mean nothing */
    assert_int_equal(mr_rank_encode(other, again), size);
    assert_memory_equal(again, bytes, size);
    assert_false(mr_rank_decoder(1)(other, 1, mr_slice_from(bytes, size)));
    assert_false(mr_rank_decoder(MR_RANK_FEW)(other, 2, mr_slice_from(bytes, size)));
    assert_false(mr_rank_decoder(MR_RANK_FEW)(other, 1, mr_slice_from(bytes, size - 1)));
    bytes[MR_RANK_HEAD_BYTES] = MR_RANK_FEW; /* a place beyond the capacity */
    assert_false(mr_rank_decoder(MR_RANK_FEW)(other, 1, mr_slice_from(bytes, size)));
    assert_int_equal(mr_rank_capacity(1), 1);
    assert_int_equal(mr_rank_capacity(2), MR_RANK_FEW);
    assert_int_equal(mr_rank_capacity(17), MR_RANK_ROWS_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_compared_exactly),
        cmocka_unit_test(what_has_no_order_is_refused),
        cmocka_unit_test(places_are_given_again),
        cmocka_unit_test(level_entries_share_a_rank_or_follow_each_other),
        cmocka_unit_test(bytes_are_read_back_and_checked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
