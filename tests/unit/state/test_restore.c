/* tests/unit/state/test_restore.c — only whole transactions are applied, an interrupted restore is
 * not taken for a current one, and order keys follow. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/key_codec.h"
#include "state/stored_value.h"
#include "tests/support/state_fixture.h"

static struct state_fixture fixture;

static int setup(void **state)
{
    (void)state;
    fixture_init(&fixture, &mr_store_rocksdb, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_deinit(&fixture);
    return 0;
}

static struct mr_table *open_table(int64_t keys_max)
{
    struct mr_table_spec spec = fixture_spec("t");
    spec.keys_max = keys_max;
    fixture_open(&fixture);
    return fixture_table(&fixture, &spec);
}

static void record(const char *user, int64_t count)
{
    uint8_t key[64];
    uint8_t value[64];
    struct fixture_object object = {.count = count};
    struct mr_stored_object head = {.version = 3, .time_ms = MR_TIME_NONE};
    size_t size = mr_stored_object_write_head(value, &head);
    memcpy(value + size, &object, sizeof object);
    size_t key_size =
        mr_key_write_object(key, mr_key_table_id("t", "counts", 0), mr_slice_text(user));
    assert_int_equal(mr_state_restore_record(fixture.state, mr_slice_from(key, key_size),
                                             mr_slice_from(value, size + sizeof object), false,
                                             &fixture.error),
                     MR_OK);
}

static void commit(int64_t offset)
{
    assert_int_equal(mr_state_restore_commit(fixture.state, offset, fixture.now_ms, &fixture.error),
                     MR_OK);
}

static void finish(void)
{
    assert_int_equal(mr_state_restore_finish(fixture.state, &fixture.error), MR_OK);
}

static void test_records_behind_the_last_progress_are_dropped(void **state)
{
    (void)state;
    struct mr_table *table = open_table(0);
    record("a", 1);
    record("b", 1);
    record("a", 2); /* the last value wins */
    commit(10);
    record("b", 99);
    record("c", 99);
    finish();
    assert_int_equal(fixture_find(&fixture, table, mr_slice_text("a"))->count, 2);
    assert_int_equal(fixture_find(&fixture, table, mr_slice_text("b"))->count, 1);
    assert_null(fixture_find(&fixture, table, mr_slice_text("c")));
    fixture_close(&fixture);
    open_table(0);
    assert_int_equal(fixture.opened.changelog_offset, 10);
}

static void test_a_tombstone_deletes(void **state)
{
    (void)state;
    struct mr_table *table = open_table(0);
    record("a", 1);
    commit(5);
    finish();
    uint8_t key[64];
    size_t size = mr_key_write_object(key, mr_key_table_id("t", "counts", 0), mr_slice_text("a"));
    assert_int_equal(mr_state_restore_record(fixture.state, mr_slice_from(key, size),
                                             mr_slice_from(NULL, 0), true, &fixture.error),
                     MR_OK);
    commit(7);
    finish(); /* a standby reaches the end again and again */
    assert_null(fixture_find(&fixture, table, mr_slice_text("a")));
}

static void test_foreign_records_are_refused(void **state)
{
    (void)state;
    open_table(0);
    struct mr_slice value = mr_slice_text("x");
    uint8_t local[] = {1, 2, 3, 4, 0x82};
    struct mr_slice keys[] = {mr_slice_text("hello"), mr_slice_text(""),
                              mr_slice_from(local, sizeof local), MR_STATE_PROGRESS_KEY};
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(
            mr_state_restore_record(fixture.state, keys[i], value, false, &fixture.error),
            MR_CORRUPT);
        /* Reading the same changelog again would not help. */
        assert_int_equal(fixture.error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    }
}

static void fill(int count, int64_t offset)
{
    char key[32];
    for (int i = 0; i < count; i++) {
        snprintf(key, sizeof key, "key-%07d", i);
        record(key, offset);
    }
    commit(offset);
}

static void test_an_interrupted_restore_keeps_the_earlier_time(void **state)
{
    (void)state;
    open_table(0);
    for (int64_t offset = 1; offset <= 4; offset++) {
        fixture.now_ms += INT64_C(20) * 3600 * 1000; /* a very slow restore */
        fill(50000, offset);                         /* more than is gathered: written */
    }
    fixture_close(&fixture);
    /* 80 hours after the start it goes on, 85 hours after the start it begins anew. */
    open_table(0);
    assert_int_equal(fixture.opened.changelog_offset, 4);
    fixture_close(&fixture);
    fixture.now_ms += INT64_C(5) * 3600 * 1000;
    open_table(0);
    assert_true(fixture.opened.wiped);
    fill(50000, 5);
    finish();
    fixture_close(&fixture);
    open_table(0);
    assert_false(fixture.opened.wiped);
    assert_int_equal(fixture.opened.changelog_offset, 5);
}

static void test_an_interrupted_restore_goes_on_where_it_was(void **state)
{
    (void)state;
    open_table(0);
    record("a", 1);
    commit(7);
    record("a", 2);
    fixture.now_ms += INT64_C(80) * 3600 * 1000;
    assert_int_equal(mr_state_restore_interrupt(fixture.state, &fixture.error), MR_OK);
    fixture_close(&fixture);
    struct mr_table *table = open_table(0);
    assert_int_equal(fixture.opened.changelog_offset, 7);
    finish();
    assert_int_equal(fixture_find(&fixture, table, mr_slice_text("a"))->count, 1);
    fixture_close(&fixture);
    /* It was current 80 hours ago at best. */
    open_table(0);
    commit(8);
    assert_int_equal(mr_state_restore_interrupt(fixture.state, &fixture.error), MR_OK);
    fixture_close(&fixture);
    fixture.now_ms += INT64_C(80) * 3600 * 1000;
    open_table(0);
    assert_false(fixture.opened.wiped);
    fixture_close(&fixture);
    fixture.now_ms += INT64_C(5) * 3600 * 1000;
    open_table(0);
    assert_true(fixture.opened.wiped);
}

struct order_count {
    int64_t order_keys;
    int64_t objects;
};

static bool count_pair(void *argument, struct mr_slice key, struct mr_slice value)
{
    struct order_count *count = argument;
    MR_UNUSED(value);
    count->order_keys += key.data[4] == MR_KEY_ORDER;
    count->objects += key.data[4] == MR_KEY_OBJECT;
    return true;
}

/* Closes the state and looks at its files. */
static void assert_counts(int64_t objects, int64_t order_keys)
{
    static const uint8_t last[] = {0xff, 0xff, 0xff, 0xff, 0xff};
    const struct mr_store_ops *ops = fixture.open.store_ops;
    struct mr_store_open open = {.directory = fixture.directory,
                                 .resources = fixture.open.resources};
    struct order_count count = {0};
    fixture_close(&fixture);
    void *store = mr_memory_new(1, ops->instance_size);
    assert_int_equal(ops->open(store, &open, &fixture.error), MR_OK);
    assert_int_equal(ops->scan(store, mr_slice_from(last, 0), mr_slice_from(last, 5), count_pair,
                               &count, &fixture.error),
                     MR_OK);
    ops->close(store);
    mr_memory_free(store);
    assert_int_equal(count.objects, objects);
    assert_int_equal(count.order_keys, order_keys);
}

static void test_order_keys_are_made_in_parts(void **state)
{
    (void)state;
    open_table(1000000);
    fill(90000, 7);          /* more than one part */
    assert_counts(90000, 0); /* the batch is written, the pass comes with the end */
    open_table(1000000);
    finish();
    assert_counts(90000, 90000);
    open_table(0); /* the bound is gone: so are the order keys, with the next restore */
    finish();
    assert_counts(90000, 0);
}

/* A crash loses what was not flushed; the replay then corrects order keys that are there. */
static void test_a_replay_keeps_order_keys_true(void **state)
{
    (void)state;
    struct mr_table *table = open_table(3);
    fixture_add(&fixture, table, mr_slice_text("a"), 10, 1);
    fixture_add(&fixture, table, mr_slice_text("b"), 20, 1);
    fixture_add(&fixture, table, mr_slice_text("c"), 30, 1);
    fixture_commit(&fixture);
    fixture_close(&fixture);
    /* In the changelog, but not applied here: a is younger now, b is gone, d is new. */
    table = open_table(3);
    fixture_restore(&fixture); /* leaves the local record: the order keys are complete */
    fixture_add(&fixture, table, mr_slice_text("a"), 40, 1);
    struct mr_slice key = mr_slice_text("b");
    assert_int_equal(mr_table_remove(table, key, mr_hash64(key), &fixture.error), MR_OK);
    fixture_add(&fixture, table, mr_slice_text("d"), 35, 1);
    fixture_seal(&fixture, true);
    fixture_close(&fixture);
    table = open_table(3);
    assert_true(fixture_restore(&fixture) > 0);
    assert_counts(3, 3);
    table = open_table(3);
    fixture_restore(&fixture);
    fixture_add(&fixture, table, mr_slice_text("e"), 50, 1);
    assert_null(fixture_find(&fixture, table, mr_slice_text("c")));
    fixture_add(&fixture, table, mr_slice_text("f"), 50, 1);
    assert_null(fixture_find(&fixture, table, mr_slice_text("d")));
    assert_non_null(fixture_find(&fixture, table, mr_slice_text("a")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_records_behind_the_last_progress_are_dropped, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_tombstone_deletes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_records_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_interrupted_restore_keeps_the_earlier_time, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_an_interrupted_restore_goes_on_where_it_was, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_order_keys_are_made_in_parts, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_replay_keeps_order_keys_true, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
