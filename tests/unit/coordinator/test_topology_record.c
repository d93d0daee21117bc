/* tests/unit/coordinator/test_topology_record.c — generations in the control topic. */
#include "coordinator/topology_record.h"

#include "connectors/connector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static void test_golden_bytes(void **state)
{
    struct mr_arena arena;
    struct mr_error error;
    struct mr_topology_record record = {.generation = 0x0102, .plan_hash = 0xff};
    struct mr_topology_record read;
    (void)state;
    mr_arena_init(&arena, 256);
    struct mr_slice bytes = mr_topology_record_encode(&record, &arena);
    static const uint8_t golden[] = {1, 2, 1, 0, 0, 0, 0, 0, 0, 0xff, 0, 0, 0, 0, 0, 0, 0};
    assert_int_equal(bytes.size, sizeof(golden));
    assert_memory_equal(bytes.data, golden, sizeof(golden));
    assert_int_equal(mr_topology_record_decode(bytes, &read, &error), MR_OK);
    assert_int_equal(read.generation, 0x0102);
    assert_int_equal(mr_topology_record_decode(mr_slice_from(golden, 5), &read, &error),
                     MR_CORRUPT);
    static const uint8_t newer[] = {2};
    assert_int_equal(mr_topology_record_decode(mr_slice_from(newer, 1), &read, &error), MR_VERSION);
    mr_arena_deinit(&arena);
}

static void test_generation_is_kept_and_the_hash_follows(void **state)
{
    struct mr_log *log;
    struct mr_error error;
    struct mr_memory_log_open open = {0};
    struct mr_log_topic_create control = {.name = "c.control",
                                          .partitions_count = 1,
                                          .replication_factor = -1,
                                          .cleanup = MR_LOG_CLEANUP_COMPACT};
    struct mr_topology_record first;
    struct mr_topology_record again;
    struct mr_topology_record other;
    bool changed = true;
    (void)state;
    assert_int_equal(mr_memory_log_create(&open, &log, &error), MR_OK);
    assert_int_equal(log->ops->topic_create(log, &control, &error), MR_OK);
    assert_int_equal(
        mr_topology_record_ensure(log, "c", "c.control", "t", 1, 1000, &first, &changed, &error),
        MR_OK);
    assert_false(changed);
    assert_int_not_equal(first.generation, 0);
    assert_int_equal(mr_topology_record_ensure(log, "c", "c.control", "other", 1, 1000, &other,
                                               &changed, &error),
                     MR_OK);
    assert_true(other.generation != first.generation);
    assert_int_equal(
        mr_topology_record_ensure(log, "c", "c.control", "t", 2, 1000, &again, &changed, &error),
        MR_OK);
    assert_true(changed);
    assert_true(again.generation == first.generation);
    assert_int_equal(
        mr_topology_record_ensure(log, "c", "c.control", "t", 2, 1000, &again, &changed, &error),
        MR_OK);
    assert_false(changed);
    log->ops->close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden_bytes),
        cmocka_unit_test(test_generation_is_kept_and_the_hash_follows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
