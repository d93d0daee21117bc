/* tests/unit/state/test_table.c — objects and slots through the layers, what is refused, and what a
 * damaged or newer stored value does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/memory.h"
#include "state/key_codec.h"
#include "state/stored_value.h"
#include "tests/support/state_fixture.h"

static struct state_fixture fixture;

static int setup(void **state)
{
    (void)state;
    fixture_init(&fixture, &mr_store_memory, 1 << 20);
    fixture_open(&fixture);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_deinit(&fixture);
    return 0;
}

static enum mr_status get(struct mr_table *table, const char *text, void **object, bool *created)
{
    struct mr_slice key = mr_slice_text(text);
    return mr_table_get(table, key, mr_hash64(key), 0, object, created, &fixture.error);
}

static void test_a_new_object_is_zeroed_and_counts_when_changed(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("plain");
    struct mr_table *table = fixture_table(&fixture, &spec);
    void *object;
    bool created;
    assert_int_equal(get(table, "a", &object, &created), MR_OK);
    assert_true(created);
    assert_int_equal(((struct fixture_object *)object)->count, 0);
    ((struct fixture_object *)object)->count = 99; /* never made dirty */
    assert_int_equal(mr_table_keys(table), 0);
    assert_null(fixture_find(&fixture, table, mr_slice_text("a")));
    assert_int_equal(get(table, "a", &object, &created), MR_OK);
    assert_true(created);
    assert_int_equal(((struct fixture_object *)object)->count, 0);
    mr_table_dirty(table, object);
    assert_int_equal(mr_table_keys(table), 1);
    assert_int_equal(get(table, "a", &object, &created), MR_OK);
    assert_false(created);
    assert_non_null(fixture_find(&fixture, table, mr_slice_text("a")));
}

static void test_an_object_that_did_not_change_is_not_logged(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("plain");
    struct mr_table *table = fixture_table(&fixture, &spec);
    fixture_add(&fixture, table, mr_slice_text("a"), 0, 1);
    fixture_add(&fixture, table, mr_slice_text("b"), 0, 1);
    fixture_commit(&fixture);
    assert_int_equal(fixture.log_count, 4); /* two objects, the table's counts, progress */
    assert_non_null(fixture_find(&fixture, table, mr_slice_text("a")));
    fixture_add(&fixture, table, mr_slice_text("b"), 0, 1);
    fixture_add(&fixture, table, mr_slice_text("b"), 0, 1);
    fixture_commit(&fixture);
    assert_int_equal(fixture.log_count, 6); /* b once, and progress */
    struct mr_key key;
    assert_true(mr_key_parse(fixture.log[4].key, &key));
    assert_true(mr_slice_equal(key.user, mr_slice_text("b")));
    fixture_commit(&fixture);
    assert_int_equal(fixture.log_count, 7); /* nothing but progress */
}

static void test_remove(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("plain");
    spec.slot_bytes = 8;
    spec.slots_max = 4;
    struct mr_table *table = fixture_table(&fixture, &spec);
    struct mr_slice key = mr_slice_text("a");
    void *object;
    void *slot;
    bool created;
    assert_int_equal(mr_table_remove(table, key, mr_hash64(key), &fixture.error), MR_OK);
    assert_int_equal(get(table, "a", &object, &created), MR_OK);
    assert_int_equal(mr_table_slot(table, object, 1, true, &slot, &fixture.error), MR_OK);
    memcpy(slot, "12345678", 8);
    assert_int_equal(mr_table_remove(table, key, mr_hash64(key), &fixture.error), MR_OK);
    assert_int_equal(mr_table_keys(table), 0);
    assert_int_equal(get(table, "a", &object, &created), MR_OK);
    assert_true(created);
    /* The slot of the key's earlier life is gone. */
    assert_int_equal(mr_table_slot(table, object, 1, false, &slot, &fixture.error), MR_OK);
    assert_memory_equal(slot, "\0\0\0\0\0\0\0\0", 8);
    fixture_add(&fixture, table, key, 0, 1);
    fixture_commit(&fixture);
    assert_int_equal(mr_table_remove(table, key, mr_hash64(key), &fixture.error), MR_OK);
    size_t before = fixture.log_count;
    fixture_commit(&fixture);
    assert_true(fixture.log[before].tombstone);
    assert_int_equal(fixture.log[before].value.size, 0);
    struct fixture_map fold;
    fixture_fold(&fixture, &fold);
    assert_int_equal(fold.count, 0); /* the counts of an empty table go too */
    fixture_assert_dump(&fixture, &fold);
    fixture_map_deinit(&fold);
}

static void test_slots_stay_valid_together(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("large");
    spec.slot_bytes = 4096;
    spec.slots_max = 400; /* 1.6 MB an object, above the cache's 1 MiB */
    struct mr_table *table = fixture_table(&fixture, &spec);
    for (int round = 0; round < 3; round++) {
        void *object;
        bool created;
        uint8_t *slots[400];
        assert_int_equal(get(table, "large", &object, &created), MR_OK);
        for (uint32_t i = 0; i < 400; i++) {
            void *slot;
            assert_int_equal(mr_table_slot(table, object, i, true, &slot, &fixture.error), MR_OK);
            slots[i] = slot;
            assert_int_equal(slots[i][4095], round == 0 ? 0 : (uint8_t)(i + (uint32_t)round - 1));
        }
        for (uint32_t i = 0; i < 400; i++)
            memset(slots[i], (int)(i + (uint32_t)round), 4096);
        fixture_commit(&fixture);
        struct mr_state_statistics statistics;
        mr_state_statistics(fixture.state, &statistics);
        assert_true(statistics.cache_bytes <= (1 << 20) + (64 << 10));
    }
}

static void test_specs_beyond_the_limits(void **state)
{
    (void)state;
    struct mr_table *table;
    struct mr_table_spec good = fixture_spec("plain");
    struct mr_table_spec specs[8];
    for (size_t i = 0; i < 8; i++)
        specs[i] = good;
    specs[0].version = 65536;
    specs[1].object_size = 0;
    specs[2].object_size = (16 << 10) + 1;
    specs[3].encoded_size_max = 4097;
    specs[4].slot_bytes = 4097;
    specs[5].slot_bytes = 4096;
    specs[5].slots_max = 1 << 20;
    specs[6].ttl_ms = -1;
    specs[7].name = "";
    for (size_t i = 0; i < 8; i++) {
        assert_int_equal(mr_table_open(fixture.state, &specs[i], &table, &fixture.error),
                         MR_INVALID);
        assert_int_equal(fixture.error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    }
    fixture_table(&fixture, &good);
    assert_int_equal(mr_table_open(fixture.state, &good, &table, &fixture.error), MR_INVALID);
    assert_non_null(strstr(fixture.error.message, "same id"));
}

static void test_a_key_that_is_too_long(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("plain");
    struct mr_table *table = fixture_table(&fixture, &spec);
    uint8_t *bytes = mr_memory_new(1, MR_LIMIT_KEY_BYTES + 1);
    struct mr_slice key = mr_slice_from(bytes, MR_LIMIT_KEY_BYTES + 1);
    void *object;
    bool created;
    assert_int_equal(mr_table_get(table, key, mr_hash64(key), 0, &object, &created, &fixture.error),
                     MR_INVALID);
    key.size--;
    fixture_add(&fixture, table, key, 0, 1);
    fixture_commit(&fixture);
    assert_int_equal(fixture_find(&fixture, table, key)->count, 1);
    mr_memory_free(bytes);
}

/* Put a value for key "k" of table `plain` into the store as a restore would. */
static struct mr_table *with_stored(const uint8_t *value, size_t size)
{
    uint8_t key[64];
    size_t key_size =
        mr_key_write_object(key, mr_key_table_id("plain", "counts", 0), mr_slice_text("k"));
    struct mr_table_spec spec = fixture_spec("plain");
    struct mr_table *table = fixture_table(&fixture, &spec);
    assert_int_equal(mr_state_restore_record(fixture.state, mr_slice_from(key, key_size),
                                             mr_slice_from(value, size), false, &fixture.error),
                     MR_OK);
    assert_int_equal(mr_state_restore_commit(fixture.state, 5, fixture.now_ms, &fixture.error),
                     MR_OK);
    assert_int_equal(mr_state_restore_finish(fixture.state, &fixture.error), MR_OK);
    return table;
}

static void test_a_newer_layout_is_refused(void **state)
{
    (void)state;
    uint8_t value[32] = {0x10, 0, 4};
    void *object;
    bool created;
    struct mr_table *table = with_stored(value, 19);
    assert_int_equal(get(table, "k", &object, &created), MR_VERSION);
    assert_int_equal(fixture.error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    assert_non_null(strstr(fixture.error.message, "newer program"));
}

static void test_a_damaged_object_asks_for_a_restore(void **state)
{
    (void)state;
    uint8_t value[32] = {0x10, 0, 3};
    void *object;
    bool created;
    struct mr_table *table = with_stored(value, 18); /* one byte short: decode says no */
    assert_int_equal(get(table, "k", &object, &created), MR_CORRUPT);
    assert_int_equal(fixture.error.recovery, MR_RECOVERY_RESTORE);
    assert_int_equal(get(table, "k", &object, &created), MR_CORRUPT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_new_object_is_zeroed_and_counts_when_changed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_object_that_did_not_change_is_not_logged, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_remove, setup, teardown),
        cmocka_unit_test_setup_teardown(test_slots_stay_valid_together, setup, teardown),
        cmocka_unit_test_setup_teardown(test_specs_beyond_the_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_key_that_is_too_long, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_newer_layout_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_damaged_object_asks_for_a_restore, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
