/* tests/unit/state/test_state.c — opening and its wipe rules, sealing without new heap memory, the
 * seal's bytes against the live objects. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/key_codec.h"
#include "tests/support/state_fixture.h"

static struct state_fixture fixture;

static int setup(void **state)
{
    (void)state;
    fixture_init(&fixture, &mr_store_rocksdb, 4 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_deinit(&fixture);
    return 0;
}

static struct mr_table *open_plain(void)
{
    struct mr_table_spec spec = fixture_spec("plain");
    fixture_open(&fixture);
    return fixture_table(&fixture, &spec);
}

/* Leave a folder with one committed key, closed. */
static void prepare(void)
{
    struct mr_table *table = open_plain();
    assert_true(fixture.opened.wiped);
    assert_null(fixture.opened.wiped_reason);
    assert_int_equal(fixture.opened.changelog_offset, 0);
    fixture_add(&fixture, table, mr_slice_text("a"), 0, 1);
    fixture_commit(&fixture);
    fixture_close(&fixture);
}

static void assert_wiped(const char *reason)
{
    struct mr_table *table = open_plain();
    assert_true(fixture.opened.wiped);
    assert_non_null(fixture.opened.wiped_reason);
    assert_string_equal(fixture.opened.wiped_reason, reason);
    assert_int_equal(fixture.opened.changelog_offset, 0);
    assert_int_equal(mr_table_keys(table), 0);
    assert_null(fixture_find(&fixture, table, mr_slice_text("a")));
}

static void test_reopen_continues(void **state)
{
    (void)state;
    prepare();
    struct mr_table *table = open_plain();
    assert_false(fixture.opened.wiped);
    assert_int_equal(fixture.opened.changelog_offset, fixture.sealed_offset);
    assert_int_equal(fixture_restore(&fixture), 0);
    assert_int_equal(mr_table_keys(table), 1);
    assert_int_equal(fixture_find(&fixture, table, mr_slice_text("a"))->count, 1);
}

static void test_another_cluster_is_wiped(void **state)
{
    (void)state;
    prepare();
    snprintf(fixture.open.identity.cluster_id, 64, "cluster-2");
    assert_wiped("the local state belongs to another Kafka cluster");
}

static void test_another_topic_is_wiped(void **state)
{
    (void)state;
    prepare();
    snprintf(fixture.open.identity.topic_id, 64, "topic-2");
    assert_wiped("the local state belongs to another changelog topic");
}

static void test_another_generation_is_wiped(void **state)
{
    (void)state;
    prepare();
    fixture.open.identity.generation++;
    assert_wiped("the local state belongs to an earlier generation of the topology");
}

static void test_state_older_than_tombstones_is_wiped(void **state)
{
    (void)state;
    prepare();
    fixture.now_ms += fixture.open.tombstone_margin_ms;
    open_plain(); /* at the margin: kept */
    assert_false(fixture.opened.wiped);
    fixture_close(&fixture);
    fixture.now_ms += 1;
    assert_wiped("the local state is older than the changelog keeps deletions");
}

static void test_foreign_content_is_wiped(void **state)
{
    (void)state;
    void *store = mr_memory_new(1, mr_store_rocksdb.instance_size);
    struct mr_store_open open = {.directory = fixture.directory,
                                 .resources = fixture.open.resources};
    struct mr_store_write write = {
        .kind = MR_STORE_PUT, .key = mr_slice_text("hello"), .value = mr_slice_text("world")};
    assert_int_equal(mr_store_rocksdb.open(store, &open, &fixture.error), MR_OK);
    assert_int_equal(mr_store_rocksdb.write(store, &write, 1, &fixture.error), MR_OK);
    mr_store_rocksdb.close(store);
    mr_memory_free(store);
    assert_wiped("the local files do not hold a task's state");
}

/* The state's own record is of a later layout: a newer program wrote the folder. */
static void test_a_later_layout_is_wiped(void **state)
{
    (void)state;
    prepare();
    void *store = mr_memory_new(1, mr_store_rocksdb.instance_size);
    struct mr_store_open open = {.directory = fixture.directory,
                                 .resources = fixture.open.resources};
    uint8_t key[MR_KEY_HEAD_BYTES];
    uint8_t value[32] = {0x20};
    struct mr_store_write write = {.kind = MR_STORE_PUT,
                                   .key =
                                       mr_slice_from(key, mr_key_write_plain(key, 0, MR_KEY_STATE)),
                                   .value = mr_slice_from(value, sizeof value)};
    assert_int_equal(mr_store_rocksdb.open(store, &open, &fixture.error), MR_OK);
    assert_int_equal(mr_store_rocksdb.write(store, &write, 1, &fixture.error), MR_OK);
    mr_store_rocksdb.close(store);
    mr_memory_free(store);
    assert_wiped("the local state was written by another version of the program");
}

static void test_a_second_opener_gets_a_clear_error(void **state)
{
    (void)state;
    struct mr_table *table = open_plain();
    struct mr_state *second;
    struct mr_state_opened opened;
    assert_int_equal(mr_state_open(&fixture.open, &second, &opened, &fixture.error), MR_IO);
    assert_int_equal(fixture.error.recovery, MR_RECOVERY_RETRY);
    assert_non_null(strstr(fixture.error.message, "has the state folder open"));
    fixture_add(&fixture, table, mr_slice_text("a"), 0, 1);
    fixture_commit(&fixture); /* the first is unharmed */
}

static void run_transaction(struct mr_table *table, struct mr_table *bounded, int round)
{
    for (int i = 0; i < 3000; i++) {
        char key[32];
        int size = snprintf(key, sizeof key, "key-%d", i);
        struct mr_slice bytes = mr_slice_from(key, (size_t)size);
        fixture_add(&fixture, table, bytes, round, 1);
        size = snprintf(key, sizeof key, "key-%d", (i + round * 50) % 5000);
        bytes = mr_slice_from(key, (size_t)size);
        fixture_add(&fixture, bounded, bytes, round * 3000 + i, 1);
    }
    assert_int_equal(mr_table_expire(bounded, round * 3000 - 8000, &fixture.error), MR_OK);
}

/* Objects, evictions from the cache, order keys, bounds and expiry: no heap memory per transaction.
 */
static void test_no_heap_memory_after_warm_up(void **state)
{
    (void)state;
    fixture.open.cache_bytes_max = 512 << 10; /* far less than the objects need */
    struct mr_table *table = open_plain();
    struct mr_table_spec spec = fixture_spec("bounded");
    spec.keys_max = 2000;
    spec.bytes_max = 1 << 20;
    spec.ttl_ms = 10000;
    struct mr_table *bounded = fixture_table(&fixture, &spec);
    for (int round = 1; round <= 60; round++) {
        uint64_t before = mr_memory_counters().allocation_count;
        run_transaction(table, bounded, round);
        const struct mr_state_change *changes;
        struct mr_sealed *sealed;
        size_t count;
        assert_int_equal(mr_state_seal(fixture.state, &sealed, &changes, &count, &fixture.error),
                         MR_OK);
        assert_true(count >= 3000);
        assert_int_equal(mr_state_apply_sealed(fixture.state, sealed, round, 1000, fixture.now_ms,
                                               &fixture.error),
                         MR_OK);
        mr_state_release_sealed(fixture.state, sealed);
        if (round > 30)
            assert_int_equal(mr_memory_counters().allocation_count, before);
    }
    struct mr_state_statistics statistics;
    mr_state_statistics(fixture.state, &statistics);
    assert_true(statistics.cache_bytes <= 512 << 10);
    assert_true(statistics.cache_misses > 10000);
}

/* What was sealed does not move when the objects change before it is applied. */
static void test_sealed_bytes_are_immutable(void **state)
{
    (void)state;
    struct mr_table *table = open_plain();
    struct mr_sealed *sealed;
    const struct mr_state_change *changes;
    size_t changes_count;
    int64_t count;
    fixture_add(&fixture, table, mr_slice_text("a"), 0, 1);
    assert_int_equal(
        mr_state_seal(fixture.state, &sealed, &changes, &changes_count, &fixture.error), MR_OK);
    assert_int_equal(changes_count, 2);
    assert_int_equal(fixture_find(&fixture, table, mr_slice_text("a"))->count, 1);
    fixture_add(&fixture, table, mr_slice_text("a"), 0, 1);
    assert_int_equal(changes[0].value.size, 3 + sizeof(struct fixture_object));
    memcpy(&count, changes[0].value.data + 3, sizeof count);
    assert_int_equal(count, 1);
    assert_int_equal(
        mr_state_apply_sealed(fixture.state, sealed, 5, 100, fixture.now_ms, &fixture.error),
        MR_OK);
    mr_state_release_sealed(fixture.state, sealed);
    /* A crash now loses only the second change. */
    fixture_close(&fixture);
    table = open_plain();
    assert_int_equal(fixture.opened.changelog_offset, 5);
    fixture_restore(&fixture);
    assert_int_equal(fixture_find(&fixture, table, mr_slice_text("a"))->count, 1);
}

static void test_dirty_bytes(void **state)
{
    (void)state;
    struct mr_table *table = open_plain();
    assert_int_equal(mr_state_dirty_bytes(fixture.state), 0);
    fixture_add(&fixture, table, mr_slice_text("a"), 0, 1);
    uint64_t one = mr_state_dirty_bytes(fixture.state);
    assert_true(one >= 6 + 19);
    fixture_add(&fixture, table, mr_slice_text("a"), 0, 1);
    assert_int_equal(mr_state_dirty_bytes(fixture.state), one);
    fixture_add(&fixture, table, mr_slice_text("b"), 0, 1);
    assert_int_equal(mr_state_dirty_bytes(fixture.state), 2 * one);
    fixture_seal(&fixture, true);
    assert_int_equal(mr_state_dirty_bytes(fixture.state), 0);
}

static uint64_t disk_bytes(void)
{
    struct mr_state_statistics statistics;
    mr_state_statistics(fixture.state, &statistics);
    return statistics.store.disk_bytes;
}

/* What was applied last comes to the disk also when nothing follows; only then, and once. */
static void test_rest_flushes_what_is_old(void **state)
{
    enum { FLUSH_MS = 30000, WAIT_STEPS = 2000, STEP_MS = 10 };
    (void)state;
    struct mr_table *table = open_plain();
    int64_t now_ms = fixture.now_ms;
    fixture_add(&fixture, table, mr_slice_text("a"), 0, 1);
    fixture_commit(&fixture);
    assert_int_equal(mr_state_rest(fixture.state, now_ms + FLUSH_MS - 1, &fixture.error), MR_OK);
    mr_clock_sleep_ms(STEP_MS);
    assert_int_equal(disk_bytes(), 0);
    assert_int_equal(mr_state_rest(fixture.state, now_ms + FLUSH_MS, &fixture.error), MR_OK);
    for (uint32_t step = 0; step < WAIT_STEPS && disk_bytes() == 0; step++)
        mr_clock_sleep_ms(STEP_MS);
    uint64_t flushed_bytes = disk_bytes();
    assert_true(flushed_bytes > 0);
    assert_int_equal(mr_state_rest(fixture.state, now_ms + 3 * FLUSH_MS, &fixture.error), MR_OK);
    mr_clock_sleep_ms(STEP_MS);
    assert_int_equal(disk_bytes(), flushed_bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reopen_continues, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rest_flushes_what_is_old, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_cluster_is_wiped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_topic_is_wiped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_another_generation_is_wiped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_state_older_than_tombstones_is_wiped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_foreign_content_is_wiped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_later_layout_is_wiped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_second_opener_gets_a_clear_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_heap_memory_after_warm_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sealed_bytes_are_immutable, setup, teardown),
        cmocka_unit_test_setup_teardown(test_dirty_bytes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
