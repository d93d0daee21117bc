/* tests/unit/proto/test_record_codec.c — layouts of the control topic's records. Round trips and
 * golden bytes of all records are in test_codec.c. */
#include "proto/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct mr_arena arena;
static struct mr_error error;

static int setup(void **state)
{
    (void)state;
    mr_arena_init(&arena, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_arena_deinit(&arena);
    return 0;
}

static enum mr_status decode_topology(const char *bytes, size_t size,
                                      struct mr_topology_record *record)
{
    return mr_topology_record_decode(mr_slice_from(bytes, size), &arena, record, &error);
}

static void test_the_first_layout_is_read(void **state)
{
    static const char golden[] = "\x01\x02\x01\x00\x00\x00\x00\x00\x80\xff\x00\x00\x00\x00\x00\x00";
    struct mr_topology_record record;
    (void)state;
    assert_int_equal(sizeof(golden), 17);
    assert_int_equal(decode_topology(golden, sizeof(golden), &record), MR_OK);
    assert_true(record.generation == UINT64_C(0x8000000000000102));
    assert_int_equal(record.plan_hash, 0xff);
    assert_int_equal(record.state, MR_TOPOLOGY_RUNNING);
    assert_int_equal(record.version, 0);
    assert_string_equal(record.name, "");
    assert_string_equal(record.dropped_topics_prefix, "");
    for (size_t size = 1; size < sizeof(golden); size++)
        assert_int_equal(decode_topology(golden, size, &record), MR_CORRUPT);
    assert_int_equal(decode_topology("\x01\x02\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", 18, &record),
                     MR_CORRUPT);
}

static void test_other_layouts_are_refused(void **state)
{
    struct mr_topology_record topology;
    struct mr_leader_record leader;
    struct mr_version_record version;
    struct mr_task_record task;
    struct mr_slice newer = mr_slice_text("\x03\xff");
    struct mr_slice first = mr_slice_text("\x01\x08\x01");
    struct mr_slice nothing = {0};
    (void)state;
    assert_int_equal(mr_topology_record_decode(newer, &arena, &topology, &error), MR_VERSION);
    assert_non_null(strstr(error.message, "layout version 3"));
    assert_int_equal(mr_leader_record_decode(newer, &arena, &leader, &error), MR_VERSION);
    assert_int_equal(mr_leader_record_decode(first, &arena, &leader, &error), MR_VERSION);
    assert_int_equal(mr_version_record_decode(first, &arena, &version, &error), MR_VERSION);
    assert_int_equal(mr_task_record_decode(first, &arena, &task, &error), MR_VERSION);
    assert_int_equal(mr_topology_record_decode(nothing, &arena, &topology, &error), MR_CORRUPT);
    assert_int_equal(mr_task_record_decode(nothing, &arena, &task, &error), MR_CORRUPT);
    assert_int_equal(mr_task_record_decode(mr_slice_text("\x02\xff"), &arena, &task, &error),
                     MR_CORRUPT);
    assert_int_equal(error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
}

static void test_a_record_without_fields(void **state)
{
    struct mr_slice empty = mr_slice_text("\x02");
    struct mr_topology_record topology;
    struct mr_task_record task;
    (void)state;
    assert_int_equal(mr_task_record_decode(empty, &arena, &task, &error), MR_OK);
    assert_string_equal(task.worker, "");
    assert_int_equal(mr_topology_record_decode(empty, &arena, &topology, &error), MR_CORRUPT);
    assert_non_null(strstr(error.message, "the state is missing"));
}

/* A definition of 4 MiB fits; what does not is said and not cut. */
static void test_sizes(void **state)
{
    struct mr_slice half =
        mr_arena_copy(&arena, mr_slice_from(mr_arena_new(&arena, MR_MESSAGE_BYTES_MAX, 1),
                                            MR_MESSAGE_BYTES_MAX / 2));
    struct mr_version_record record = {.name = "t",
                                       .definition = half,
                                       .binding = {.cluster_id = "",
                                                   .dead_letters = {.name = "", .topic_id = ""},
                                                   .claims = {.name = "", .topic_id = ""}}};
    struct mr_version_record read;
    (void)state;
    struct mr_slice bytes = mr_version_record_encode(&record, &arena);
    assert_int_equal(mr_version_record_decode(bytes, &arena, &read, &error), MR_OK);
    assert_true(mr_slice_equal(read.definition, half));
    record.definition.data = mr_arena_new(&arena, MR_MESSAGE_BYTES_MAX, 1);
    record.definition.size = MR_MESSAGE_BYTES_MAX;
    assert_int_equal(mr_version_record_encode(&record, &arena).size, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_first_layout_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_layouts_are_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_record_without_fields, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sizes, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
