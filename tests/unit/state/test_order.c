/* tests/unit/state/test_order.c — the oldest key over heaps, window and store: against a sorted
 * list, with more keys than a window holds, late times, and transactions applied while the window
 * is read. */
#include "state/order.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "tests/support/state_fixture.h"

enum { KEYS = 3000 };

struct order_run {
    struct state_fixture fixture;
    struct mr_table *table;
    struct mr_random random;
    int64_t times[KEYS]; /* -1: not there */
};

static struct mr_slice key_of(uint32_t number, char text[16])
{
    return mr_slice_from(text, (size_t)snprintf(text, 16, "%05u", number));
}

static void touch(struct order_run *run, uint32_t number, int64_t time_ms)
{
    char text[16];
    fixture_add(&run->fixture, run->table, key_of(number, text), time_ms, 1);
    if (time_ms > run->times[number])
        run->times[number] = time_ms;
}

static void assert_oldest(struct order_run *run)
{
    uint32_t oldest = KEYS;
    for (uint32_t i = 0; i < KEYS; i++) {
        if (run->times[i] >= 0 && (oldest == KEYS || run->times[i] < run->times[oldest]))
            oldest = i;
    }
    struct mr_order_node node;
    bool found;
    char text[16];
    assert_int_equal(mr_order_oldest(run->table, &node, &found, &run->fixture.error), MR_OK);
    assert_int_equal(found, oldest < KEYS);
    if (!found)
        return;
    assert_int_equal(node.time_ms, run->times[oldest]);
    assert_true(mr_slice_equal(node.key, key_of(oldest, text)));
}

static void drop_oldest(struct order_run *run)
{
    struct mr_order_node node;
    bool found;
    assert_int_equal(mr_order_oldest(run->table, &node, &found, &run->fixture.error), MR_OK);
    assert_true(found);
    uint32_t number = 0;
    for (size_t i = 0; i < node.key.size; i++)
        number = number * 10 + (uint32_t)(node.key.data[i] - '0');
    uint8_t copy[16];
    memcpy(copy, node.key.data, node.key.size);
    struct mr_slice key = mr_slice_from(copy, node.key.size);
    assert_int_equal(mr_table_remove(run->table, key, mr_hash64(key), &run->fixture.error), MR_OK);
    run->times[number] = -1;
}

static void step(struct order_run *run, int64_t now_ms)
{
    uint32_t choice = (uint32_t)mr_random_below(&run->random, 100);
    uint32_t number = (uint32_t)mr_random_below(&run->random, KEYS);
    if (choice < 45)
        touch(run, number, now_ms);
    else if (choice < 60)
        touch(run, number, (int64_t)mr_random_below(&run->random, (uint64_t)now_ms)); /* late */
    else if (choice < 92)
        assert_oldest(run);
    else if (choice < 98)
        drop_oldest(run);
    else if (run->fixture.sealed == NULL)
        fixture_seal(&run->fixture, true);
    else
        fixture_apply(&run->fixture);
    if (mr_table_keys(run->table) == 0)
        touch(run, number, now_ms);
}

static void run_over(const struct mr_store_ops *ops, uint64_t cache_bytes)
{
    struct order_run *run = mr_memory_new(1, sizeof *run);
    struct mr_table_spec spec = fixture_spec("ordered");
    spec.ttl_ms = 1;
    spec.object_size = 600;
    mr_random_init(&run->random, cache_bytes, 0);
    fixture_init(&run->fixture, ops, cache_bytes);
    fixture_open(&run->fixture);
    run->table = fixture_table(&run->fixture, &spec);
    memset(run->times, 0xff, sizeof run->times);
    for (uint32_t i = 0; i < KEYS; i++) {
        touch(run, i, 1 + (int64_t)mr_random_below(&run->random, 500)); /* many equal times */
        if (i % 700 == 0)
            fixture_commit(&run->fixture);
    }
    for (int64_t i = 0; i < 12000; i++)
        step(run, 500 + i / 4);
    while (mr_table_keys(run->table) > 0) {
        assert_oldest(run);
        drop_oldest(run);
    }
    assert_oldest(run);
    fixture_deinit(&run->fixture);
    mr_memory_free(run);
}

static void test_oldest_in_memory(void **state)
{
    (void)state;
    run_over(&mr_store_memory, 16 << 20);
    run_over(&mr_store_memory, 1);
}

static void test_oldest_on_disk(void **state)
{
    (void)state;
    run_over(&mr_store_rocksdb, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_oldest_in_memory),
        cmocka_unit_test(test_oldest_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
