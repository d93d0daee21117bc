/* tests/unit/operators/test_long_value.c — bytes of every length around the object's and a slot's
 * end come back, also from a state that was restored. */
#include "operators/long_value.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "tests/support/state_fixture.h"

enum { BYTES_MAX = 20000 };

static const uint32_t sizes[] = {0, 1, 1019, 1020, 1021, 1020 + 4096, 1020 + 4097, BYTES_MAX};

static struct mr_table *open_table(struct state_fixture *fixture)
{
    struct mr_table_spec spec = {.operator_name = "op", .name = "long"};
    struct mr_table *table;
    mr_long_value_spec(&spec);
    fixture_open(fixture);
    assert_int_equal(mr_table_open(fixture->state, &spec, &table, &fixture->error), MR_OK);
    fixture_restore(fixture);
    return table;
}

static struct mr_slice key_of(const uint32_t *size)
{
    return mr_slice_from(size, sizeof(*size));
}

static void check(struct mr_table *table, const uint8_t *bytes, struct mr_arena *arena)
{
    for (size_t index = 0; index < MR_ARRAY_COUNT(sizes); index++) {
        struct mr_error error = {0};
        struct mr_slice key = key_of(&sizes[index]);
        struct mr_slice read;
        void *object;
        assert_int_equal(mr_table_find(table, key, mr_hash64(key), &object, &error), MR_OK);
        assert_int_equal(mr_long_value_read(table, object, arena, &read, &error), MR_OK);
        assert_int_equal(read.size, sizes[index]);
        assert_memory_equal(read.data, bytes, sizes[index]);
    }
}

static void bytes_of_any_length_come_back(void **state)
{
    MR_UNUSED(state);
    static uint8_t bytes[BYTES_MAX];
    struct state_fixture fixture;
    struct mr_arena arena;
    for (uint32_t index = 0; index < BYTES_MAX; index++)
        bytes[index] = (uint8_t)(index * 7 % 251);
    mr_arena_init(&arena, 1 << 16);
    fixture_init(&fixture, &mr_store_memory, 1 << 20);
    struct mr_table *table = open_table(&fixture);
    for (size_t index = 0; index < MR_ARRAY_COUNT(sizes); index++) {
        struct mr_slice key = key_of(&sizes[index]);
        void *object;
        bool created;
        assert_int_equal(
            mr_table_get(table, key, mr_hash64(key), 0, &object, &created, &fixture.error), MR_OK);
        mr_table_dirty(table, object);
        assert_int_equal(
            mr_long_value_put(table, object, mr_slice_from(bytes, sizes[index]), &fixture.error),
            MR_OK);
    }
    check(table, bytes, &arena);
    fixture_commit(&fixture);
    check(table, bytes, &arena);
    fixture_close(&fixture);
    table = open_table(&fixture);
    check(table, bytes, &arena);
    fixture_deinit(&fixture);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_of_any_length_come_back)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
