/* tests/unit/state/test_memory_store.c — what only the memory store promises: its counts come back
 * to zero, and closing forgets. The contract is in tests/conformance/store_conformance.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/memory.h"
#include "state/store.h"

static void test_statistics_follow_the_content(void **state)
{
    (void)state;
    const struct mr_store_ops *ops = &mr_store_memory;
    struct mr_error error;
    struct mr_store_open open = {0};
    void *store = mr_memory_new(1, ops->instance_size);
    assert_int_equal(ops->open(store, &open, &error), MR_OK);
    struct mr_store_statistics statistics;
    for (uint32_t i = 0; i < 5000; i++) {
        uint8_t key[4] = {(uint8_t)(i >> 8), (uint8_t)i, 1, 2};
        uint8_t value[64] = {0};
        struct mr_store_write write = {.kind = MR_STORE_PUT,
                                       .key = mr_slice_from(key, sizeof key),
                                       .value = mr_slice_from(value, i % 64)};
        assert_int_equal(ops->write(store, &write, 1, &error), MR_OK);
    }
    ops->statistics(store, &statistics);
    assert_int_equal(statistics.keys_estimate, 5000);
    assert_true(statistics.memory_bytes > 5000 * 32);
    assert_int_equal(statistics.disk_bytes, 0);
    static const uint8_t end[] = {0xff};
    struct mr_store_write all = {.kind = MR_STORE_DELETE_RANGE,
                                 .key = mr_slice_from(end, 0),
                                 .range_end = mr_slice_from(end, 1)};
    assert_int_equal(ops->write(store, &all, 1, &error), MR_OK);
    ops->statistics(store, &statistics);
    assert_int_equal(statistics.keys_estimate, 0);
    assert_int_equal(statistics.memory_bytes, 0);
    ops->close(store);
    ops->close(store); /* a second close, or one after a failed open, is fine */
    mr_memory_free(store);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics_follow_the_content),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
