/* tests/unit/operators/test_value_ring.c — numbers in slots. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "operators/value_ring.h"
#include "tests/support/operator_harness.h"

static size_t encode(const void *object, uint8_t *output)
{
    memcpy(output, object, 4);
    return 4;
}

static bool decode(void *object, uint32_t version, struct mr_slice stored)
{
    MR_UNUSED(version);
    memcpy(object, stored.data, 4);
    return true;
}

static void numbers_go_round(void **state)
{
    MR_UNUSED(state);
    enum { CAPACITY = 40 };
    struct mr_error error;
    struct mr_store_resources *resources = mr_store_memory.resources_create(1 << 20);
    struct mr_state_open open = {.store_ops = &mr_store_memory,
                                 .resources = resources,
                                 .directory = "",
                                 .identity = {.cluster_id = "c", .topic_id = "t"},
                                 .cache_bytes_max = 1 << 20};
    struct mr_state *keyed = NULL;
    struct mr_state_opened opened;
    assert_int_equal(mr_state_open(&open, &keyed, &opened, &error), MR_OK);
    struct mr_table_spec spec = {.operator_name = "op",
                                 .name = "ring",
                                 .version = 1,
                                 .object_size = 4,
                                 .encode = encode,
                                 .encoded_size_max = 4,
                                 .decode = decode,
                                 .slot_bytes = MR_VALUE_RING_SLOT_BYTES,
                                 .slots_max = mr_value_ring_slots(CAPACITY)};
    assert_int_equal(spec.slots_max, 3);
    struct mr_table *table;
    assert_int_equal(mr_table_open(keyed, &spec, &table, &error), MR_OK);
    assert_int_equal(mr_state_restore_finish(keyed, &error), MR_OK);
    struct mr_slice key = mr_slice_text("key");
    void *object;
    bool created;
    assert_int_equal(mr_table_get(table, key, mr_hash64(key), 0, &object, &created, &error), MR_OK);
    for (uint32_t number = 0; number < 100; number++) {
        double old = -1;
        assert_int_equal(mr_value_ring_get(table, object, number % CAPACITY, &old, &error), MR_OK);
        assert_true(old == (number < CAPACITY ? 0 : number - CAPACITY + 0.5));
        assert_int_equal(
            mr_value_ring_exchange(table, object, number % CAPACITY, number + 0.5, &old, &error),
            MR_OK);
        assert_true(old == (number < CAPACITY ? 0 : number - CAPACITY + 0.5));
        assert_int_equal(mr_value_ring_get(table, object, number % CAPACITY, &old, &error), MR_OK);
        assert_true(old == number + 0.5);
    }
    double values[CAPACITY + 1] = {0};
    values[37] = -7;
    assert_int_equal(mr_value_ring_read(table, object, 37, values, &error), MR_OK);
    for (uint32_t place = 0; place < 37; place++)
        assert_true(values[place] == (place < 20 ? 80 + place : 40 + place) + 0.5);
    assert_true(values[37] == -7);
    mr_state_close(keyed);
    mr_store_memory.resources_destroy(resources);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_go_round),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
