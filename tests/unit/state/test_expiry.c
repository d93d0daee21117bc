/* tests/unit/state/test_expiry.c — ttl, max_keys and max_bytes: which key goes, when, and how much
 * in one call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
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

static bool add(struct mr_table *table, const char *key, int64_t time_ms)
{
    return fixture_add(&fixture, table, mr_slice_text(key), time_ms, 1);
}

static bool has(struct mr_table *table, const char *key)
{
    return fixture_find(&fixture, table, mr_slice_text(key)) != NULL;
}

static enum mr_status try_get(struct mr_table *table, const char *text)
{
    void *object;
    bool created;
    struct mr_slice key = mr_slice_text(text);
    return mr_table_get(table, key, mr_hash64(key), 0, &object, &created, &fixture.error);
}

static void expire(struct mr_table *table, int64_t watermark_ms)
{
    assert_int_equal(mr_table_expire(table, watermark_ms, &fixture.error), MR_OK);
}

static void test_max_keys_drops_the_oldest(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("bounded");
    spec.keys_max = 3;
    struct mr_table *table = fixture_table(&fixture, &spec);
    add(table, "a", 100);
    add(table, "b", 50);
    add(table, "c", 70);
    add(table, "b", 300); /* b is the youngest now */
    add(table, "d", 10);  /* drops c, not d itself */
    assert_false(has(table, "c"));
    assert_true(has(table, "a") && has(table, "b") && has(table, "d"));
    fixture_commit(&fixture);
    add(table, "a", 20); /* a late event does not make a older */
    add(table, "e", 400);
    assert_false(has(table, "d"));
    assert_true(has(table, "a"));
    add(table, "f", 400);
    assert_false(has(table, "a"));
    assert_int_equal(mr_table_keys(table), 3);
    add(table, "g", 300); /* equal times: the lesser key, b before g */
    assert_false(has(table, "b"));
}

static void test_full_and_fail(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("bounded");
    spec.keys_max = 2;
    spec.on_full = MR_ON_FULL_FAIL;
    struct mr_table *table = fixture_table(&fixture, &spec);
    add(table, "a", 1);
    add(table, "b", 2);
    assert_int_equal(try_get(table, "c"), MR_LIMIT);
    assert_int_equal(fixture.error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    assert_string_equal(fixture.error.message,
                        "the state of operator bounded is full: max_keys is 2 "
                        "and on_full is fail");
    assert_int_equal(try_get(table, "a"), MR_OK);
    struct mr_slice key = mr_slice_text("a");
    assert_int_equal(mr_table_remove(table, key, mr_hash64(key), &fixture.error), MR_OK);
    assert_int_equal(try_get(table, "c"), MR_OK);
}

static void test_max_bytes(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("bounded");
    spec.bytes_max = 100; /* a key of one byte takes 6 + 11 + 16 = 33 */
    struct mr_table *table = fixture_table(&fixture, &spec);
    add(table, "a", 1);
    add(table, "b", 2);
    add(table, "c", 3);
    assert_true(has(table, "a"));
    add(table, "d", 4);
    assert_false(has(table, "a")); /* counted with the call after the change */
    assert_int_equal(mr_table_keys(table), 3);
    spec = fixture_spec("failing");
    spec.bytes_max = 60;
    spec.on_full = MR_ON_FULL_FAIL;
    table = fixture_table(&fixture, &spec);
    add(table, "a", 1);
    add(table, "b", 1);
    add(table, "c", 1);
    assert_int_equal(try_get(table, "d"), MR_LIMIT);
    assert_non_null(strstr(fixture.error.message, "max_bytes is 60"));
}

static void test_ttl(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("ageing");
    spec.ttl_ms = 100;
    struct mr_table *table = fixture_table(&fixture, &spec);
    add(table, "a", 1000);
    add(table, "b", 1050);
    expire(table, 1099);
    assert_true(has(table, "a"));
    expire(table, 1100);
    assert_false(has(table, "a"));
    assert_int_equal(mr_table_keys(table), 1);
    assert_true(add(table, "a", 1101)); /* new again */
    expire(table, 500);                 /* a watermark never goes back */
    assert_true(has(table, "a"));
    fixture_commit(&fixture);
    /* After a full restore the watermark is known: b has ended for a get at once. */
    expire(table, 1149);
    assert_true(has(table, "b"));
    expire(table, 1150);
    fixture_commit(&fixture);
    fixture_close(&fixture);
    fixture_open(&fixture);
    table = fixture_table(&fixture, &spec);
    fixture_restore(&fixture);
    assert_true(add(table, "b", 1000)); /* born ended */
    assert_true(add(table, "b", 1000));
    assert_false(has(table, "b"));
    assert_true(has(table, "a"));
}

static void test_one_call_drops_a_bounded_number(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("ageing");
    spec.ttl_ms = 10;
    struct mr_table *table = fixture_table(&fixture, &spec);
    char key[32];
    for (int i = 0; i < 10000; i++) {
        snprintf(key, sizeof key, "key-%d", i);
        add(table, key, 0);
        if (i % 3000 == 0)
            fixture_commit(&fixture);
    }
    expire(table, 1000);
    assert_int_equal(mr_table_keys(table), 10000 - 8192);
    assert_false(has(table, "key-9999")); /* ended, and not dropped yet */
    expire(table, 1000);
    assert_int_equal(mr_table_keys(table), 0);
    fixture_commit(&fixture);
    struct fixture_map fold;
    fixture_fold(&fixture, &fold);
    assert_int_equal(fold.count, 1);
    fixture_assert_dump(&fixture, &fold);
    fixture_map_deinit(&fold);
}

static void test_a_ttl_set_later_counts_from_the_next_watermark(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("upgraded");
    struct mr_table *table = fixture_table(&fixture, &spec);
    add(table, "a", 1000);
    add(table, "b", 1000);
    fixture_commit(&fixture);
    fixture_close(&fixture);
    fixture_open(&fixture);
    spec.ttl_ms = 100;
    table = fixture_table(&fixture, &spec);
    fixture_restore(&fixture);
    expire(table, 5000);
    assert_true(has(table, "a"));
    fixture_commit(&fixture);
    add(table, "b", 5050);
    expire(table, 5100);
    assert_false(has(table, "a"));
    assert_true(has(table, "b"));
    fixture_commit(&fixture);
}

static void test_a_lower_bound_is_reached_step_by_step(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("upgraded");
    struct mr_table *table = fixture_table(&fixture, &spec);
    char key[32];
    for (int i = 0; i < 200; i++) {
        snprintf(key, sizeof key, "key-%03d", i);
        add(table, key, i);
    }
    fixture_commit(&fixture);
    fixture_close(&fixture);
    fixture_open(&fixture);
    spec.keys_max = 10;
    table = fixture_table(&fixture, &spec);
    fixture_restore(&fixture);
    add(table, "new-1", 1000);
    assert_int_equal(mr_table_keys(table), 200 - 64 + 1);
    add(table, "new-2", 1000);
    add(table, "new-3", 1000);
    add(table, "new-4", 1000);
    assert_int_equal(mr_table_keys(table), 10);
    assert_true(has(table, "new-1")); /* those without a time go first, by key */
    assert_true(has(table, "key-199"));
    assert_false(has(table, "key-193"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_max_keys_drops_the_oldest, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_and_fail, setup, teardown),
        cmocka_unit_test_setup_teardown(test_max_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ttl, setup, teardown),
        cmocka_unit_test_setup_teardown(test_one_call_drops_a_bounded_number, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_ttl_set_later_counts_from_the_next_watermark, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_lower_bound_is_reached_step_by_step, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
