/* tests/unit/base/test_ring.c — order, bounds, closing and blocking, on one thread and across two.
 */
#include "base/ring.h"

#include "base/clock.h"
#include "base/memory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_order_and_bounds(void **state)
{
    (void)state;
    int items[5];
    void *item = NULL;
    struct mr_ring *ring = mr_ring_create(3);
    assert_int_equal(mr_ring_pop(ring, &item, 0), MR_AGAIN);
    for (int round = 0; round < 4; round++) {
        for (int i = 0; i < 3; i++)
            assert_int_equal(mr_ring_push(ring, &items[i], 0), MR_OK);
        assert_int_equal(mr_ring_push(ring, &items[3], 0), MR_AGAIN);
        assert_int_equal(mr_ring_count(ring), 3);
        assert_int_equal(mr_ring_pop(ring, &item, 0), MR_OK);
        assert_ptr_equal(item, &items[0]);
        assert_int_equal(mr_ring_push(ring, &items[4], 0), MR_OK);
        assert_int_equal(mr_ring_pop(ring, &item, -1), MR_OK);
        assert_ptr_equal(item, &items[1]);
        assert_int_equal(mr_ring_pop(ring, &item, -1), MR_OK);
        assert_ptr_equal(item, &items[2]);
        assert_int_equal(mr_ring_pop(ring, &item, -1), MR_OK);
        assert_ptr_equal(item, &items[4]);
        assert_int_equal(mr_ring_count(ring), 0);
    }
    mr_ring_destroy(ring);
    mr_ring_destroy(NULL);
}

static void test_closed_ring_is_drained(void **state)
{
    (void)state;
    int value = 1;
    void *item = NULL;
    struct mr_ring *ring = mr_ring_create(2);
    assert_int_equal(mr_ring_push(ring, &value, -1), MR_OK);
    mr_ring_close(ring);
    mr_ring_close(ring);
    assert_int_equal(mr_ring_push(ring, &value, -1), MR_CLOSED);
    assert_int_equal(mr_ring_pop(ring, &item, -1), MR_OK);
    assert_ptr_equal(item, &value);
    assert_int_equal(mr_ring_pop(ring, &item, -1), MR_CLOSED);
    assert_int_equal(mr_ring_pop(ring, &item, 0), MR_CLOSED);
    mr_ring_destroy(ring);
}

static void test_waits_end_in_time(void **state)
{
    (void)state;
    int value = 1;
    void *item = NULL;
    struct mr_ring *ring = mr_ring_create(1);
    uint64_t start_ns = mr_clock_monotonic_ns();
    assert_int_equal(mr_ring_pop(ring, &item, 30), MR_AGAIN);
    assert_int_equal(mr_ring_push(ring, &value, 30), MR_OK);
    assert_int_equal(mr_ring_push(ring, &value, 30), MR_AGAIN);
    uint64_t elapsed_ns = mr_clock_monotonic_ns() - start_ns;
    assert_true(elapsed_ns >= 60000000);
    assert_int_equal(mr_ring_pop(ring, &item, INT64_MAX), MR_OK);
    mr_ring_destroy(ring);
}

enum { ITEM_COUNT = 20000 };

static void *produce(void *argument)
{
    struct mr_ring *ring = argument;
    for (uintptr_t i = 1; i <= ITEM_COUNT; i++) {
        uint32_t *item = mr_memory_new(1, sizeof *item);
        *item = (uint32_t)i;
        if (mr_ring_push(ring, item, -1) != MR_OK)
            mr_memory_free(item);
    }
    mr_ring_close(ring);
    return NULL;
}

static void test_two_threads_keep_the_order(void **state)
{
    (void)state;
    struct mr_ring *ring = mr_ring_create(4);
    pthread_t producer;
    assert_int_equal(pthread_create(&producer, NULL, produce, ring), 0);
    uint32_t expected = 1;
    void *item = NULL;
    enum mr_status status;
    while ((status = mr_ring_pop(ring, &item, expected % 2 == 0 ? -1 : 1000)) == MR_OK) {
        assert_int_equal(*(uint32_t *)item, expected);
        mr_memory_free(item);
        expected++;
    }
    assert_int_equal(status, MR_CLOSED);
    assert_int_equal(expected, ITEM_COUNT + 1);
    assert_int_equal(pthread_join(producer, NULL), 0);
    mr_ring_destroy(ring);
}

static void *push_blocked(void *argument)
{
    static int value;
    enum mr_status status = mr_ring_push(argument, &value, -1);
    return status == MR_CLOSED ? &value : NULL;
}

static void *pop_blocked(void *argument)
{
    static int value;
    void *item = NULL;
    enum mr_status status = mr_ring_pop(argument, &item, -1);
    return status == MR_CLOSED ? &value : NULL;
}

static void test_close_wakes_both_ends(void **state)
{
    (void)state;
    int value = 1;
    void *result = NULL;
    void *item = NULL;
    pthread_t thread;
    struct mr_ring *full = mr_ring_create(1);
    assert_int_equal(mr_ring_push(full, &value, 0), MR_OK);
    assert_int_equal(pthread_create(&thread, NULL, push_blocked, full), 0);
    mr_clock_sleep_ms(20);
    mr_ring_close(full);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_non_null(result);
    assert_int_equal(mr_ring_pop(full, &item, 0), MR_OK);
    mr_ring_destroy(full);
    struct mr_ring *empty = mr_ring_create(1);
    assert_int_equal(pthread_create(&thread, NULL, pop_blocked, empty), 0);
    mr_clock_sleep_ms(20);
    mr_ring_close(empty);
    assert_int_equal(pthread_join(thread, &result), 0);
    assert_non_null(result);
    mr_ring_destroy(empty);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_and_bounds),
        cmocka_unit_test(test_closed_ring_is_drained),
        cmocka_unit_test(test_waits_end_in_time),
        cmocka_unit_test(test_two_threads_keep_the_order),
        cmocka_unit_test(test_close_wakes_both_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
