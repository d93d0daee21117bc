/* tests/unit/state/test_key_codec.c — stored keys keep their bytes over versions, order as they
 * should, and are read back or refused. */
#include "state/key_codec.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/random.h"
#include "tests/support/state_fixture.h"

enum { TABLE = 0x01020304 };

static void test_layouts_are_golden(void **state)
{
    (void)state;
    uint8_t key[MR_KEY_BYTES_MAX];
    struct mr_slice user = mr_slice_text("sensor-1");
    struct mr_slice none = {0};
#define GOLDEN(name, size) fixture_assert_golden("keys_v1", name, mr_slice_from(key, size))
    GOLDEN("table", mr_key_write_plain(key, TABLE, MR_KEY_TABLE));
    GOLDEN("object", mr_key_write_object(key, TABLE, user));
    GOLDEN("object-empty", mr_key_write_object(key, TABLE, none));
    GOLDEN("slot", mr_key_write_slot(key, TABLE, user, 258));
    GOLDEN("life", mr_key_write_life(key, mr_slice_text("score")));
    GOLDEN("state", mr_key_write_plain(key, 0, MR_KEY_STATE));
    GOLDEN("order", mr_key_write_order(key, TABLE, INT64_C(1700000000000), user));
    GOLDEN("order-negative", mr_key_write_order(key, TABLE, -1, user));
    GOLDEN("local", mr_key_write_plain(key, TABLE, MR_KEY_LOCAL));
#undef GOLDEN
    fixture_assert_golden("keys_v1", "progress", MR_STATE_PROGRESS_KEY);
    mr_key_write_plain(key, mr_key_table_id("score", "statistics", 0), MR_KEY_TABLE);
    fixture_assert_golden("keys_v1", "table-id-of-score/statistics", mr_slice_from(key, 4));
    mr_key_write_plain(key, mr_key_table_id("score", "statistics", 12), MR_KEY_TABLE);
    fixture_assert_golden("keys_v1", "table-id-of-score/statistics#12", mr_slice_from(key, 4));
}

static void test_every_kind_is_read_back(void **state)
{
    (void)state;
    uint8_t bytes[MR_KEY_BYTES_MAX];
    struct mr_key key;
    struct mr_slice user = mr_slice_text("a key");
    assert_true(mr_key_parse(mr_slice_from(bytes, mr_key_write_object(bytes, TABLE, user)), &key));
    assert_int_equal(key.kind, MR_KEY_OBJECT);
    assert_int_equal(key.table_id, TABLE);
    assert_true(mr_slice_equal(key.user, user));
    size_t size = mr_key_write_slot(bytes, TABLE, user, UINT32_MAX);
    assert_true(mr_key_parse(mr_slice_from(bytes, size), &key));
    assert_int_equal(key.kind, MR_KEY_SLOT);
    assert_int_equal(key.slot_index, UINT32_MAX);
    assert_true(mr_slice_equal(key.user, user));
    size = mr_key_write_order(bytes, TABLE, INT64_MIN, user);
    assert_true(mr_key_parse(mr_slice_from(bytes, size), &key));
    assert_int_equal(key.kind, MR_KEY_ORDER);
    assert_true(key.time_ms == INT64_MIN);
    assert_true(mr_key_is_local(mr_slice_from(bytes, size)));
    size = mr_key_write_plain(bytes, TABLE, MR_KEY_TABLE);
    assert_true(mr_key_parse(mr_slice_from(bytes, size), &key));
    assert_int_equal(key.kind, MR_KEY_TABLE);
    assert_false(mr_key_is_local(mr_slice_from(bytes, size)));
}

static void test_what_is_not_a_key_is_refused(void **state)
{
    (void)state;
    struct mr_key key;
    uint8_t bytes[] = {1, 2, 3, 4, MR_KEY_SLOT, 'k', 0, 0, 0, 9};
    assert_true(mr_key_parse(mr_slice_from(bytes, 10), &key));
    assert_false(mr_key_parse(mr_slice_from(bytes, 8), &key)); /* half a slot index */
    assert_false(mr_key_parse(mr_slice_from(bytes, 4), &key));
    assert_false(mr_key_parse(mr_slice_from(bytes, 0), &key));
    bytes[4] = MR_KEY_ORDER;
    assert_false(mr_key_parse(mr_slice_from(bytes, 10), &key)); /* half a time */
    bytes[4] = MR_KEY_TABLE;
    assert_false(mr_key_parse(mr_slice_from(bytes, 10), &key)); /* trailing bytes */
    bytes[4] = 0x05;
    assert_false(mr_key_parse(mr_slice_from(bytes, 10), &key)); /* unknown kind */
    bytes[4] = MR_KEY_LIFE;
    assert_false(mr_key_parse(mr_slice_from(bytes, 10), &key)); /* of a table */
    bytes[4] = MR_KEY_STATE;
    assert_false(mr_key_parse(mr_slice_from(bytes, 5), &key)); /* of a table */
    memset(bytes, 0, 4);
    assert_true(mr_key_parse(mr_slice_from(bytes, 5), &key));
    bytes[4] = MR_KEY_LIFE;
    assert_true(mr_key_parse(mr_slice_from(bytes, 10), &key));
    assert_int_equal(key.user.size, 5);
    assert_false(mr_key_parse(mr_slice_from(bytes, 5), &key)); /* of nobody */
    bytes[4] = MR_KEY_OBJECT;
    assert_false(mr_key_parse(mr_slice_from(bytes, 10), &key)); /* table 0 has no objects */
    assert_false(mr_key_parse(MR_STATE_PROGRESS_KEY, &key));
    uint8_t *large = mr_memory_new(1, MR_KEY_BYTES_MAX);
    mr_key_write_plain(large, TABLE, MR_KEY_OBJECT);
    assert_false(
        mr_key_parse(mr_slice_from(large, MR_KEY_BYTES_MAX), &key)); /* user key too long */
    assert_true(mr_key_parse(mr_slice_from(large, 5 + MR_LIMIT_KEY_BYTES), &key));
    mr_memory_free(large);
}

static void test_order_follows_time_then_key(void **state)
{
    (void)state;
    static const int64_t times[] = {INT64_MIN, -1000, -1, 0, 1, 255, 256, 1700000000000, INT64_MAX};
    uint8_t left[64];
    uint8_t right[64];
    struct mr_slice low = mr_slice_text("a");
    struct mr_slice high = mr_slice_text("ab");
    for (size_t i = 0; i + 1 < sizeof times / sizeof times[0]; i++) {
        /* A later time comes later whatever the keys; at one time the keys decide. */
        struct mr_slice earlier =
            mr_slice_from(left, mr_key_write_order(left, TABLE, times[i], high));
        struct mr_slice later =
            mr_slice_from(right, mr_key_write_order(right, TABLE, times[i + 1], low));
        assert_true(mr_slice_compare(earlier, later) < 0);
        later = mr_slice_from(right, mr_key_write_order(right, TABLE, times[i], low));
        assert_true(mr_slice_compare(later, earlier) < 0);
    }
}

/* Different (user key, slot) pairs never share stored bytes, also where one key is another with
 * bytes that look like a slot index behind it. */
static void test_slots_are_unambiguous(void **state)
{
    (void)state;
    struct mr_random random;
    mr_random_init(&random, 5, 5);
    for (int i = 0; i < 20000; i++) {
        uint8_t user[2][8];
        size_t size[2];
        uint32_t slot[2];
        uint8_t stored[2][32];
        size_t stored_size[2];
        for (int side = 0; side < 2; side++) {
            size[side] = mr_random_below(&random, 6);
            slot[side] = (uint32_t)mr_random_below(&random, 2) << (8 * mr_random_below(&random, 4));
            for (size_t j = 0; j < size[side]; j++)
                user[side][j] = (uint8_t)mr_random_below(&random, 2);
            stored_size[side] = mr_key_write_slot(
                stored[side], TABLE, mr_slice_from(user[side], size[side]), slot[side]);
        }
        bool same = slot[0] == slot[1] && mr_slice_equal(mr_slice_from(user[0], size[0]),
                                                         mr_slice_from(user[1], size[1]));
        assert_int_equal(same, mr_slice_equal(mr_slice_from(stored[0], stored_size[0]),
                                              mr_slice_from(stored[1], stored_size[1])));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layouts_are_golden),
        cmocka_unit_test(test_every_kind_is_read_back),
        cmocka_unit_test(test_what_is_not_a_key_is_refused),
        cmocka_unit_test(test_order_follows_time_then_key),
        cmocka_unit_test(test_slots_are_unambiguous),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
