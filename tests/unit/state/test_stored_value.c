/* tests/unit/state/test_stored_value.c — stored values keep their bytes over versions, are read
 * back, and anything else is refused. */
#include "state/stored_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "tests/support/state_fixture.h"

static void golden(const char *name, const uint8_t *bytes, size_t size)
{
    fixture_assert_golden("values_v1", name, mr_slice_from(bytes, size));
}

static void test_object(void **state)
{
    (void)state;
    static const struct mr_stored_object objects[] = {
        {.version = 3, .time_ms = MR_TIME_NONE},
        {.version = 3, .time_ms = INT64_C(1700000000123)},
        {.version = 65535, .time_ms = MR_TIME_NONE, .slots_count = 7},
        {.version = 1, .time_ms = -5, .slots_count = 70000},
        {.version = 3, .time_ms = INT64_C(1700000000123), .due = true},
        {.version = 1, .time_ms = -5, .due = true, .slots_count = 70000}};
    static const char *const names[] = {"object",       "object-timed",
                                        "object-slots", "object-timed-slots",
                                        "object-due",   "object-due-slots"};
    for (size_t i = 0; i < 6; i++) {
        uint8_t bytes[MR_STORED_OBJECT_HEAD_MAX + 4];
        size_t size = mr_stored_object_write_head(bytes, &objects[i]);
        memcpy(bytes + size, "DATA", 4);
        golden(names[i], bytes, size + 4);
        struct mr_stored_object read;
        assert_true(mr_stored_object_parse(mr_slice_from(bytes, size + 4), &read));
        assert_int_equal(read.version, objects[i].version);
        assert_true(read.time_ms == objects[i].time_ms);
        assert_int_equal(read.due, objects[i].due);
        assert_int_equal(read.slots_count, objects[i].slots_count);
        assert_true(mr_slice_equal(read.encoded, mr_slice_text("DATA")));
        assert_true(mr_stored_object_parse(mr_slice_from(bytes, size), &read));
        assert_int_equal(read.encoded.size, 0);
        assert_false(mr_stored_object_parse(mr_slice_from(bytes, size - 1), &read));
        bytes[0] = (uint8_t)(bytes[0] + 0x10); /* a later layout */
        assert_false(mr_stored_object_parse(mr_slice_from(bytes, size), &read));
    }
    uint8_t unknown_flag[] = {0x18, 0, 1};
    uint8_t due_without_time[] = {0x14, 0, 1};
    struct mr_stored_object read;
    assert_false(mr_stored_object_parse(mr_slice_from(due_without_time, 3), &read));
    assert_false(mr_stored_object_parse(mr_slice_from(unknown_flag, 3), &read));
    assert_false(mr_stored_object_parse(mr_slice_from(unknown_flag, 0), &read));
}

static void test_slot(void **state)
{
    (void)state;
    uint8_t bytes[6] = {0};
    mr_stored_slot_write_head(bytes, 259);
    memcpy(bytes + 3, "abc", 3);
    golden("slot", bytes, 6);
    uint32_t version;
    struct mr_slice slot;
    assert_true(mr_stored_slot_parse(mr_slice_from(bytes, 6), &version, &slot));
    assert_int_equal(version, 259);
    assert_true(mr_slice_equal(slot, mr_slice_text("abc")));
    assert_false(mr_stored_slot_parse(mr_slice_from(bytes, 2), &version, &slot));
    bytes[0] = 0x11;
    assert_false(mr_stored_slot_parse(mr_slice_from(bytes, 6), &version, &slot));
}

static void test_table_and_order_and_local(void **state)
{
    (void)state;
    uint8_t bytes[MR_STORED_TABLE_BYTES];
    struct mr_stored_table table = {.keys = 1000, .bytes = 70000, .watermark_ms = MR_TIME_NONE};
    mr_stored_table_write(bytes, &table);
    golden("table", bytes, sizeof bytes);
    struct mr_stored_table read;
    assert_true(mr_stored_table_parse(mr_slice_from(bytes, sizeof bytes), &read));
    assert_int_equal(read.keys, 1000);
    assert_int_equal(read.bytes, 70000);
    assert_true(read.watermark_ms == MR_TIME_NONE);
    assert_false(mr_stored_table_parse(mr_slice_from(bytes, sizeof bytes - 1), &read));
    bytes[1] = 0x80; /* a negative count */
    assert_false(mr_stored_table_parse(mr_slice_from(bytes, sizeof bytes), &read));

    struct mr_stored_order order = {.slots_count = 5, .bytes = 4242};
    mr_stored_order_write(bytes, &order);
    golden("order", bytes, MR_STORED_ORDER_BYTES);
    struct mr_stored_order order_read;
    assert_true(mr_stored_order_parse(mr_slice_from(bytes, MR_STORED_ORDER_BYTES), &order_read));
    assert_int_equal(order_read.slots_count, 5);
    assert_int_equal(order_read.bytes, 4242);
    assert_false(mr_stored_order_parse(mr_slice_from(bytes, 8), &order_read));

    mr_stored_local_write(bytes);
    golden("local", bytes, 1);
    assert_true(mr_stored_local_parse(mr_slice_from(bytes, 1)));
    assert_false(mr_stored_local_parse(mr_slice_from(bytes, 0)));
}

static void test_life(void **state)
{
    (void)state;
    uint8_t bytes[MR_STORED_LIFE_BYTES];
    struct mr_stored_life life = {.number = 258, .meaning = UINT64_C(0x0123456789abcdef)};
    struct mr_stored_life read;
    mr_stored_life_write(bytes, &life);
    golden("life", bytes, sizeof bytes);
    assert_true(mr_stored_life_parse(mr_slice_from(bytes, sizeof bytes), &read));
    assert_int_equal(read.number, 258);
    assert_true(read.meaning == life.meaning);
    assert_false(mr_stored_life_parse(mr_slice_from(bytes, sizeof bytes - 1), &read));
    bytes[0] = 0x20;
    assert_false(mr_stored_life_parse(mr_slice_from(bytes, sizeof bytes), &read));
}

static void test_state(void **state)
{
    (void)state;
    struct mr_stored_state stored = {.changelog_offset = 123456789,
                                     .wall_ms = INT64_C(1700000000000),
                                     .identity = {.cluster_id = "lkc-1",
                                                  .topic_id = "pQ7dT0R1S6",
                                                  .generation = UINT64_C(0xfedcba9876543210)}};
    uint8_t bytes[MR_STORED_STATE_MAX];
    size_t size = mr_stored_state_write(bytes, &stored);
    golden("state", bytes, size);
    struct mr_stored_state read;
    memset(&read, 0xee, sizeof read);
    assert_true(mr_stored_state_parse(mr_slice_from(bytes, size), &read));
    assert_int_equal(read.changelog_offset, stored.changelog_offset);
    assert_int_equal(read.wall_ms, stored.wall_ms);
    assert_true(read.identity.generation == stored.identity.generation);
    assert_string_equal(read.identity.cluster_id, "lkc-1");
    assert_string_equal(read.identity.topic_id, "pQ7dT0R1S6");
    for (size_t cut = 0; cut < size; cut++)
        assert_false(mr_stored_state_parse(mr_slice_from(bytes, cut), &read));
    memset(stored.identity.cluster_id, 'c', 63);
    memset(stored.identity.topic_id, 't', 63);
    size = mr_stored_state_write(bytes, &stored);
    assert_true(size <= MR_STORED_STATE_MAX);
    assert_true(mr_stored_state_parse(mr_slice_from(bytes, size), &read));
    assert_int_equal(strlen(read.identity.topic_id), 63);
}

static void test_bytes_of_a_key(void **state)
{
    (void)state;
    /* object: 5 + 3 of key and 20 of value; each slot: 5 + 3 + 4 of key and 3 + 40 of value */
    assert_int_equal(mr_stored_key_bytes(3, 20, 0, 40), 28);
    assert_int_equal(mr_stored_key_bytes(3, 20, 2, 40), 28 + 2 * 55);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_object),
        cmocka_unit_test(test_slot),
        cmocka_unit_test(test_table_and_order_and_local),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_state),
        cmocka_unit_test(test_bytes_of_a_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
