/* tests/unit/state/test_timed.c — due times of a timed table: set, moved both ways, found in their
 * order over all layers, after a restore, and dropped by keys_max. A run against a plain model is
 * tests/conformance/state_timed.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/internal.h"
#include "tests/support/state_fixture.h"

struct due_table {
    struct state_fixture fixture;
    struct mr_table_spec spec;
    struct mr_table *table;
};

static void open_table(struct due_table *due)
{
    fixture_open(&due->fixture);
    due->table = fixture_table(&due->fixture, &due->spec);
    fixture_restore(&due->fixture);
}

static void setup(struct due_table *due, const struct mr_store_ops *ops)
{
    due->spec = fixture_spec("timer");
    due->spec.timed = true;
    fixture_init(&due->fixture, ops, 1);
    open_table(due);
}

static void schedule(struct due_table *due, const char *text, int64_t due_ms)
{
    struct mr_slice key = mr_slice_text(text);
    void *memory;
    bool created;
    assert_int_equal(
        mr_table_get(due->table, key, mr_hash64(key), 77, &memory, &created, &due->fixture.error),
        MR_OK);
    ((struct fixture_object *)memory)->count++;
    mr_table_schedule(due->table, memory, due_ms);
}

static void remove_key(struct due_table *due, const char *text)
{
    struct mr_slice key = mr_slice_text(text);
    assert_int_equal(mr_table_remove(due->table, key, mr_hash64(key), &due->fixture.error), MR_OK);
}

/* The next due object is `text` with its count, or there is none when text is NULL. */
static void *assert_next(struct due_table *due, int64_t until_ms, const char *text, int64_t count)
{
    struct mr_slice key;
    uint64_t hash;
    void *memory;
    bool found;
    assert_int_equal(
        mr_table_next_due(due->table, until_ms, &key, &hash, &memory, &found, &due->fixture.error),
        MR_OK);
    assert_int_equal(found, text != NULL);
    if (!found)
        return NULL;
    assert_true(mr_slice_equal(key, mr_slice_text(text)));
    assert_true(hash == mr_hash64(key));
    assert_int_equal(((const struct fixture_object *)memory)->count, count);
    return memory;
}

static void test_order_and_until(void **state)
{
    (void)state;
    struct due_table due;
    setup(&due, &mr_store_memory);
    assert_next(&due, INT64_MAX, NULL, 0);
    schedule(&due, "c", 30);
    schedule(&due, "b", 20);
    schedule(&due, "a", 20);
    schedule(&due, "never", INT64_MAX);
    assert_next(&due, 19, NULL, 0);
    assert_next(&due, 20, "a", 1);
    assert_next(&due, 20, "a", 1); /* it stays due */
    remove_key(&due, "a");
    void *object = assert_next(&due, 25, "b", 1);
    mr_table_schedule(due.table, object, 40);
    assert_next(&due, 35, "c", 1);
    remove_key(&due, "c");
    assert_next(&due, 50, "b", 1);
    remove_key(&due, "b");
    assert_next(&due, INT64_MAX - 1, NULL, 0);
    assert_next(&due, INT64_MAX, "never", 1);
    fixture_deinit(&due.fixture);
}

/* The time goes back while the object is dirty, sealed, committed, and behind what was consumed. */
static void test_back_in_every_layer(void **state)
{
    (void)state;
    struct due_table due;
    setup(&due, &mr_store_memory);
    for (int layer = 0; layer < 4; layer++) {
        schedule(&due, "moving", 1000);
        schedule(&due, "other", 500);
        if (layer == 1)
            fixture_seal(&due.fixture, true);
        if (layer >= 2)
            fixture_commit(&due.fixture);
        assert_next(&due, 2000, "other", 1);
        if (layer == 3) {
            schedule(&due, "other", 3000);
            assert_next(&due, 2000, "moving", 1);
            fixture_commit(&due.fixture);
        }
        schedule(&due, "moving", 100);
        assert_next(&due, 2000, "moving", 2);
        if (layer == 1)
            fixture_apply(&due.fixture);
        assert_next(&due, 2000, "moving", 2);
        fixture_commit(&due.fixture);
        assert_next(&due, 2000, "moving", 2);
        schedule(&due, "moving", 90);
        schedule(&due, "moving", 1500);
        schedule(&due, "moving", 100); /* where its stored order key is */
        assert_next(&due, 2000, "moving", 5);
        fixture_commit(&due.fixture);
        assert_next(&due, 2000, "moving", 5);
        remove_key(&due, "moving");
        assert_next(&due, 2000, layer == 3 ? NULL : "other", 1);
        remove_key(&due, "other");
        fixture_commit(&due.fixture);
        assert_next(&due, INT64_MAX, NULL, 0);
    }
    fixture_deinit(&due.fixture);
}

/* Moving to and fro adds a node to the heap each time; those that meet become one. */
static void test_copies_meet(void **state)
{
    (void)state;
    struct due_table due;
    setup(&due, &mr_store_memory);
    schedule(&due, "x", 1);
    schedule(&due, "y", 1000000);
    for (int i = 0; i < 100; i++) {
        schedule(&due, "x", 200);
        schedule(&due, "x", 100);
    }
    assert_true(mr_state_dirty_bytes(due.fixture.state) > 100 * sizeof(struct mr_order_node));
    assert_next(&due, 1000, "x", 201);
    assert_int_equal(due.table->order.active.count, 2);
    remove_key(&due, "x");
    assert_next(&due, 1000, NULL, 0);
    assert_int_equal(due.table->order.active.count, 1);
    fixture_deinit(&due.fixture);
}

static void test_restore_rebuilds_the_order(void **state)
{
    (void)state;
    const struct mr_store_ops *stores[] = {&mr_store_memory, &mr_store_rocksdb};
    for (size_t i = 0; i < MR_ARRAY_COUNT(stores); i++) {
        struct due_table due;
        setup(&due, stores[i]);
        schedule(&due, "early", 10);
        schedule(&due, "late", 20);
        fixture_commit(&due.fixture);
        schedule(&due, "late", 5);
        fixture_commit(&due.fixture);
        schedule(&due, "early", 1); /* not committed */
        fixture_close(&due.fixture);
        open_table(&due);
        assert_next(&due, 100, "late", 2);
        remove_key(&due, "late");
        assert_next(&due, 100, "early", 1);
        fixture_close(&due.fixture);
        assert_int_equal(mr_state_wipe(&due.fixture.open, &due.fixture.error), MR_OK);
        open_table(&due);
        assert_next(&due, 100, "late", 2);
        fixture_deinit(&due.fixture);
    }
}

static void test_full_drops_the_earliest(void **state)
{
    (void)state;
    struct due_table due;
    setup(&due, &mr_store_memory);
    fixture_close(&due.fixture);
    due.spec.keys_max = 2;
    open_table(&due);
    schedule(&due, "a", 50);
    schedule(&due, "b", 40);
    schedule(&due, "a", 30);
    schedule(&due, "c", 60);
    assert_int_equal(mr_table_keys(due.table), 2);
    assert_next(&due, 100, "b", 1);
    fixture_deinit(&due.fixture);
}

static enum mr_status note_times(void *argument, const struct mr_state_object *object,
                                 struct mr_error *error)
{
    (void)error;
    int64_t *times = argument;
    times[0] = object->event_time_ms;
    times[1] = object->due_ms;
    return MR_OK;
}

static void test_query_tells_due_times(void **state)
{
    (void)state;
    struct due_table due;
    setup(&due, &mr_store_memory);
    schedule(&due, "a", 50);
    fixture_commit(&due.fixture);
    int64_t times[2] = {0};
    int64_t offset;
    struct mr_state_query query = {.operator_name = "timer",
                                   .table_name = "counts",
                                   .key = mr_slice_text("a"),
                                   .visit = note_times,
                                   .argument = times};
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    assert_int_equal(mr_state_query(due.fixture.state, &query, &arena, &offset, &due.fixture.error),
                     MR_OK);
    assert_true(times[0] == INT64_MIN && times[1] == 50);
    mr_arena_deinit(&arena);
    fixture_deinit(&due.fixture);
}

/* What was stored before the table was timed is due at the time it had, at once without one. */
static void test_objects_from_before(void **state)
{
    (void)state;
    struct due_table due;
    setup(&due, &mr_store_memory);
    fixture_close(&due.fixture);
    due.spec.timed = false;
    open_table(&due);
    fixture_add(&due.fixture, due.table, mr_slice_text("plain"), 70, 1);
    fixture_commit(&due.fixture);
    fixture_close(&due.fixture);
    due.spec.timed = true;
    open_table(&due);
    schedule(&due, "new", -5);
    assert_next(&due, -100, "plain", 1);
    schedule(&due, "plain", 9);
    assert_next(&due, 100, "new", 1);
    fixture_commit(&due.fixture);
    assert_next(&due, 100, "new", 1);
    fixture_deinit(&due.fixture);
}

static void schedule_number(struct due_table *due, int number, int64_t due_ms)
{
    char text[16];
    snprintf(text, sizeof text, "%04d", number);
    schedule(due, text, due_ms);
}

/* Keys of the window's middle are moved behind it and leave the cache: the window knows. */
static void test_window_after_an_apply(void **state)
{
    (void)state;
    enum { NUMBERS = 300, MOVED = 20, KEPT = 31 };
    struct due_table due;
    setup(&due, &mr_store_memory);
    fixture_close(&due.fixture);
    due.spec.object_size = MR_CACHE_PAYLOAD_MAX;
    open_table(&due);
    for (int i = 0; i < NUMBERS; i++)
        schedule_number(&due, i, i);
    fixture_commit(&due.fixture);
    assert_next(&due, NUMBERS, "0000", 1);
    for (int i = MOVED; i < KEPT; i++)
        schedule_number(&due, i, 100000 + i);
    fixture_commit(&due.fixture);
    assert_true(due.table->order.window_count > KEPT); /* read once, not dropped */
    for (int i = 100; i < NUMBERS; i++) {
        char text[16];
        snprintf(text, sizeof text, "%04d", i);
        assert_non_null(fixture_find(&due.fixture, due.table, mr_slice_text(text)));
    }
    for (int i = 0; i < NUMBERS; i++) {
        char text[16];
        snprintf(text, sizeof text, "%04d", i);
        if (i >= MOVED && i < KEPT)
            continue;
        assert_next(&due, NUMBERS, text, 1);
        remove_key(&due, text);
    }
    assert_next(&due, NUMBERS, NULL, 0);
    assert_next(&due, INT64_MAX, "0020", 2);
    fixture_deinit(&due.fixture);
}

static void test_no_ttl(void **state)
{
    (void)state;
    struct due_table due;
    setup(&due, &mr_store_memory);
    struct mr_table_spec spec = fixture_spec("both");
    spec.timed = true;
    spec.ttl_ms = 1;
    struct mr_table *table;
    assert_int_equal(mr_table_open(due.fixture.state, &spec, &table, &due.fixture.error),
                     MR_INVALID);
    assert_string_equal(due.fixture.error.message, "table counts of operator both cannot be "
                                                   "opened: a timed table has no ttl");
    fixture_deinit(&due.fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_until),
        cmocka_unit_test(test_back_in_every_layer),
        cmocka_unit_test(test_copies_meet),
        cmocka_unit_test(test_restore_rebuilds_the_order),
        cmocka_unit_test(test_full_drops_the_earliest),
        cmocka_unit_test(test_query_tells_due_times),
        cmocka_unit_test(test_objects_from_before),
        cmocka_unit_test(test_window_after_an_apply),
        cmocka_unit_test(test_no_ttl),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
