/* tests/unit/state/test_query.c — committed reads, also while commits are applied. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/endian.h"
#include "base/hash.h"
#include "tests/support/state_fixture.h"

enum { SLOTS = 3, SLOT_BYTES = 8, ROUNDS = 3000, READS_MIN = 100 };

static struct state_fixture fixture;
static struct mr_arena arena;
static _Atomic bool ended;

static int setup_store(const struct mr_store_ops *store)
{
    fixture_init(&fixture, store, 4 << 20);
    mr_arena_init(&arena, 4096);
    atomic_store(&ended, false);
    return 0;
}

static int setup_memory(void **state)
{
    (void)state;
    return setup_store(&mr_store_memory);
}

static int setup_rocksdb(void **state)
{
    (void)state;
    return setup_store(&mr_store_rocksdb);
}

static int teardown(void **state)
{
    (void)state;
    mr_arena_deinit(&arena);
    fixture_deinit(&fixture);
    return 0;
}

static enum mr_status copy_encoded(void *argument, const struct mr_state_object *object,
                                   struct mr_error *error)
{
    (void)error;
    *(struct mr_slice *)argument = object->encoded;
    assert_int_equal(object->version, fixture_spec("plain").version);
    return MR_OK;
}

static enum mr_status query(const char *key, struct mr_slice *encoded, int64_t *offset)
{
    struct mr_state_query wanted = {.operator_name = "plain",
                                    .table_name = fixture_spec("plain").name,
                                    .key = mr_slice_text(key),
                                    .visit = copy_encoded,
                                    .argument = encoded};
    struct mr_error error;
    return mr_state_query(fixture.state, &wanted, &arena, offset, &error);
}

static void test_sees_what_is_committed_and_nothing_else(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("plain");
    struct mr_slice first;
    struct mr_slice encoded;
    int64_t offset = -1;
    fixture_open(&fixture);
    struct mr_table *table = fixture_table(&fixture, &spec);
    fixture_restore(&fixture);
    assert_int_equal(query("a", &encoded, &offset), MR_NOT_FOUND);
    fixture_add(&fixture, table, mr_slice_text("a"), 0, 1);
    assert_int_equal(query("a", &encoded, &offset), MR_NOT_FOUND);
    fixture_seal(&fixture, true);
    assert_int_equal(query("a", &encoded, &offset), MR_NOT_FOUND);
    fixture_apply(&fixture);
    assert_int_equal(query("a", &first, &offset), MR_OK);
    assert_int_equal(offset, fixture.sealed_offset);
    fixture_add(&fixture, table, mr_slice_text("a"), 0, 1);
    assert_int_equal(query("a", &encoded, &offset), MR_OK);
    assert_true(mr_slice_equal(encoded, first));
    fixture_commit(&fixture);
    assert_int_equal(query("a", &encoded, &offset), MR_OK);
    assert_false(mr_slice_equal(encoded, first));
    struct mr_error error;
    assert_int_equal(
        mr_table_remove(table, mr_slice_text("a"), mr_hash64(mr_slice_text("a")), &error), MR_OK);
    fixture_commit(&fixture);
    assert_int_equal(query("a", &encoded, &offset), MR_NOT_FOUND);
}

/* ---- Ranges ---- */

struct ranged {
    struct mr_slice first;
    struct mr_slice end;
    uint32_t most;
    char keys[64]; /* one letter each */
    uint32_t count;
};

static bool note_key(void *argument, const struct mr_state_object *object)
{
    struct ranged *ranged = argument;
    assert_int_equal(object->version, fixture_spec("plain").version);
    ranged->keys[ranged->count++] = (char)object->key.data[0];
    ranged->keys[ranged->count] = 0;
    return ranged->count < ranged->most;
}

static enum mr_status visit_range(void *argument, const struct mr_state_object *object,
                                  struct mr_error *error)
{
    struct ranged *ranged = argument;
    const struct mr_state_query_range range = {.operator_name = "plain",
                                               .table_name = fixture_spec("plain").name,
                                               .first = ranged->first,
                                               .end = ranged->end,
                                               .each = note_key,
                                               .argument = ranged};
    ranged->count = 0;
    ranged->keys[0] = 0;
    return mr_state_query_range(object, &range, error);
}

static const char *range_of(const char *first, const char *end, uint32_t most)
{
    static struct ranged ranged;
    struct mr_error error;
    int64_t offset;
    ranged =
        (struct ranged){.first = mr_slice_text(first), .end = mr_slice_text(end), .most = most};
    const struct mr_state_query wanted = {.operator_name = "plain",
                                          .table_name = fixture_spec("plain").name,
                                          .key = mr_slice_text("c"),
                                          .visit = visit_range,
                                          .argument = &ranged};
    assert_int_equal(mr_state_query(fixture.state, &wanted, &arena, &offset, &error), MR_OK);
    return ranged.keys;
}

static void test_ranges_are_of_committed_keys_in_order(void **state)
{
    (void)state;
    struct mr_table_spec spec = fixture_spec("plain");
    fixture_open(&fixture);
    struct mr_table *table = fixture_table(&fixture, &spec);
    fixture_restore(&fixture);
    for (const char *key = "dbca"; *key != 0; key++)
        fixture_add(&fixture, table, mr_slice_from(key, 1), 0, 1);
    fixture_commit(&fixture);
    fixture_add(&fixture, table, mr_slice_text("e"), 0, 1);
    assert_string_equal(range_of("", "", 10), "abcd");
    assert_string_equal(range_of("b", "d", 10), "bc");
    assert_string_equal(range_of("b", "", 2), "bc");
    assert_string_equal(range_of("x", "z", 2), "");
}

/* ---- One transaction, however many commits are applied meanwhile ---- */

static size_t encode(const void *object, uint8_t *output)
{
    mr_put_u64le(output, *(const uint64_t *)object);
    return 8;
}

static bool decode(void *object, uint32_t version, struct mr_slice stored)
{
    (void)version;
    *(uint64_t *)object = mr_get_u64le(stored.data);
    return stored.size == 8;
}

static enum mr_status check_whole(void *argument, const struct mr_state_object *object,
                                  struct mr_error *error)
{
    uint64_t *numbers = argument;
    numbers[0] = mr_get_u64le(object->encoded.data);
    for (uint32_t i = 0; i < SLOTS; i++) {
        struct mr_slice bytes;
        enum mr_status status = mr_state_query_slot(object, i, &bytes, error);
        if (status != MR_OK)
            return status;
        numbers[i + 1] = mr_get_u64le(bytes.data);
    }
    return MR_OK;
}

/* What the reading thread saw. */
struct reads {
    _Atomic uint64_t count;
    _Atomic bool torn; /* an object and a slot of different transactions, or a number went back */
};

static void *read_all_along(void *argument)
{
    struct reads *reads = argument;
    uint64_t last = 0;
    struct mr_arena own;
    mr_arena_init(&own, 4096);
    while (!atomic_load(&ended)) {
        uint64_t numbers[SLOTS + 1] = {0};
        struct mr_state_query wanted = {.operator_name = "wide",
                                        .table_name = "slots",
                                        .key = mr_slice_text("k"),
                                        .visit = check_whole,
                                        .argument = numbers};
        struct mr_error error;
        int64_t offset;
        mr_arena_reset(&own);
        enum mr_status status = mr_state_query(fixture.state, &wanted, &own, &offset, &error);
        if (status == MR_TIMEOUT)
            continue;
        if (status != MR_OK) {
            atomic_store(&reads->torn, true);
            break;
        }
        for (uint32_t i = 1; i <= SLOTS; i++)
            if (numbers[i] != numbers[0])
                atomic_store(&reads->torn, true);
        if (numbers[0] < last)
            atomic_store(&reads->torn, true);
        last = numbers[0];
        atomic_fetch_add(&reads->count, 1);
    }
    mr_arena_deinit(&own);
    return NULL;
}

static void write_number(struct mr_table *table, uint64_t number)
{
    struct mr_slice key = mr_slice_text("k");
    struct mr_error error;
    void *object;
    bool created;
    assert_int_equal(mr_table_get(table, key, mr_hash64(key), 0, &object, &created, &error), MR_OK);
    *(uint64_t *)object = number;
    mr_table_dirty(table, object);
    for (uint32_t i = 0; i < SLOTS; i++) {
        void *slot;
        assert_int_equal(mr_table_slot(table, object, i, true, &slot, &error), MR_OK);
        mr_put_u64le(slot, number);
    }
    fixture_commit(&fixture);
}

static void test_object_and_slots_are_of_one_transaction(void **state)
{
    (void)state;
    struct mr_table_spec spec = {.operator_name = "wide",
                                 .name = "slots",
                                 .version = 1,
                                 .object_size = 8,
                                 .encode = encode,
                                 .encoded_size_max = 8,
                                 .decode = decode,
                                 .slot_bytes = SLOT_BYTES,
                                 .slots_max = SLOTS};
    fixture_open(&fixture);
    struct mr_table *table = fixture_table(&fixture, &spec);
    fixture_restore(&fixture);
    write_number(table, 1);
    struct reads reads = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, read_all_along, &reads), 0);
    for (uint64_t number = 2;
         !atomic_load(&reads.torn) && (number <= ROUNDS || atomic_load(&reads.count) < READS_MIN);
         number++)
        write_number(table, number);
    atomic_store(&ended, true);
    pthread_join(thread, NULL);
    assert_false(atomic_load(&reads.torn));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sees_what_is_committed_and_nothing_else, setup_rocksdb,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ranges_are_of_committed_keys_in_order, setup_rocksdb,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ranges_are_of_committed_keys_in_order, setup_memory,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_object_and_slots_are_of_one_transaction, setup_memory,
                                        teardown),
/* ThreadSanitizer does not see the order that RocksDB keeps: the library is built without it. */
#ifndef __SANITIZE_THREAD__
        cmocka_unit_test_setup_teardown(test_object_and_slots_are_of_one_transaction, setup_rocksdb,
                                        teardown),
#endif
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
