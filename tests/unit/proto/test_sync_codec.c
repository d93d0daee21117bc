/* tests/unit/proto/test_sync_codec.c — what a Sync may hold, and that a worker's always fits. */
#include "base/clock.h"
#include "base/memory.h"
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
    mr_arena_init(&arena, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_arena_deinit(&arena);
    return 0;
}

static struct mr_request sync_of(const struct mr_task_report *tasks, uint32_t tasks_count,
                                 const struct mr_topology_report *topologies,
                                 uint32_t topologies_count)
{
    return (struct mr_request){.protocol_version = 1,
                               .kind = MR_REQUEST_SYNC,
                               .sync = {.cluster = "c",
                                        .worker = "w",
                                        .zone = "",
                                        .http = "",
                                        .build = "",
                                        .tasks = tasks,
                                        .tasks_count = tasks_count,
                                        .topologies = topologies,
                                        .topologies_count = topologies_count}};
}

static const char *long_text(size_t size, const char *piece)
{
    size_t piece_size = strlen(piece);
    char *text = mr_arena_new(&arena, size + 1, 1);
    for (size_t used = 0; used + piece_size <= size; used += piece_size)
        memcpy(text + used, piece, piece_size);
    return text;
}

/* 16,384 tasks with names of full length, large numbers and sentences of 4,096 bytes each. */
static void test_the_largest_sync_fits(void **state)
{
    struct mr_task_report *tasks = mr_arena_new(&arena, MR_MESSAGE_TASKS_MAX, sizeof(*tasks));
    struct mr_topology_report *topologies =
        mr_arena_new(&arena, MR_MESSAGE_TOPOLOGIES_MAX, sizeof(*topologies));
    const char *name = long_text(MR_MESSAGE_NAME_MAX, "n");
    const char *sentence = long_text(MR_MESSAGE_TEXT_MAX, "\xc3\xa9");
    struct mr_request read;
    (void)state;
    for (uint32_t index = 0; index < MR_MESSAGE_TASKS_MAX; index++)
        tasks[index] = (struct mr_task_report){
            .name = {.generation = UINT64_MAX, .subtopology = name, .partition = INT32_MAX},
            .state = MR_TASK_STATE_FAILED,
            .version = UINT32_MAX,
            .epoch = UINT64_MAX,
            .seen_epoch = UINT64_MAX,
            .restored_records = UINT64_MAX,
            .restored_bytes = UINT64_MAX,
            .changelog_remaining = INT64_MAX,
            .lag = INT64_MAX,
            .load_us = UINT64_MAX,
            .input_records = UINT64_MAX,
            .output_records = UINT64_MAX,
            .idle_ms = INT64_MAX,
            .watermark_ms = INT64_MIN,
            .held_by = UINT32_MAX,
            .held_by_index = UINT32_MAX,
            .held_by_partition = UINT32_MAX,
            .held_ms = INT64_MIN,
            .error = sentence};
    for (uint32_t index = 0; index < MR_MESSAGE_TOPOLOGIES_MAX; index++)
        topologies[index] = (struct mr_topology_report){
            .generation = UINT64_MAX, .version = UINT32_MAX, .refused = true, .error = sentence};
    struct mr_request request =
        sync_of(tasks, MR_MESSAGE_TASKS_MAX, topologies, MR_MESSAGE_TOPOLOGIES_MAX);
    struct mr_slice bytes = mr_request_encode(&request, &arena);
    assert_true(bytes.size != 0 && bytes.size <= MR_MESSAGE_BYTES_MAX);
    assert_int_equal(mr_request_decode(bytes, &arena, &read, &error), MR_OK);
    assert_int_equal(read.sync.tasks_count, MR_MESSAGE_TASKS_MAX);
    size_t size = strlen(read.sync.tasks[7].error);
    assert_true(size >= 58 && size % 2 == 0); /* cut between code points */
    assert_memory_equal(read.sync.tasks[7].error, sentence, size);
}

static void test_sentences_are_whole_while_they_fit(void **state)
{
    struct mr_task_report tasks[255];
    const char *sentence = long_text(MR_MESSAGE_TEXT_MAX, "s");
    struct mr_request read;
    (void)state;
    for (uint32_t index = 0; index < 255; index++)
        tasks[index] = (struct mr_task_report){.name = {.subtopology = "main"}, .error = sentence};
    struct mr_request request = sync_of(tasks, 255, NULL, 0);
    struct mr_slice bytes = mr_request_encode(&request, &arena);
    assert_int_equal(mr_request_decode(bytes, &arena, &read, &error), MR_OK);
    assert_string_equal(read.sync.tasks[254].error, sentence);
}

static enum mr_status decode_fields(Millrace__SyncRequest *sync)
{
    Millrace__Request fields = MILLRACE__REQUEST__INIT;
    struct mr_request request;
    fields.version = 1;
    fields.sync = sync;
    struct mr_slice bytes = mr_message_pack((struct mr_slice){0}, &fields.base, &arena);
    return mr_request_decode(bytes, &arena, &request, &error);
}

static void test_counts_have_bounds(void **state)
{
    Millrace__SyncRequest sync = MILLRACE__SYNC_REQUEST__INIT;
    Millrace__TaskName name = MILLRACE__TASK_NAME__INIT;
    Millrace__TaskReport task = MILLRACE__TASK_REPORT__INIT;
    Millrace__TopologyReport topology = MILLRACE__TOPOLOGY_REPORT__INIT;
    (void)state;
    static const size_t limits[] = {MR_MESSAGE_TASKS_MAX, MR_MESSAGE_TOPOLOGIES_MAX};
    task.name = &name;
    name.subtopology = mr_field_text("a-subtopology-of-this-name", MR_MESSAGE_NAME_MAX);
    task.role = MILLRACE__TASK_ROLE__TASK_ROLE_ACTIVE;
    task.state = MILLRACE__TASK_STATE__TASK_STATE_RUNNING;
    topology.generation = 7;
    sync.leaving = MILLRACE__LEAVING__LEAVING_NOT;
    sync.tasks = mr_arena_new(&arena, limits[0] + 1, sizeof(*sync.tasks));
    sync.topologies = mr_arena_new(&arena, limits[1] + 1, sizeof(*sync.topologies));
    for (size_t index = 0; index <= limits[0]; index++)
        sync.tasks[index] = &task;
    for (size_t index = 0; index <= limits[1]; index++)
        sync.topologies[index] = &topology;
    sync.n_tasks = limits[0];
    sync.n_topologies = limits[1];
    assert_int_equal(decode_fields(&sync), MR_OK);
    sync.n_tasks++;
    assert_int_equal(decode_fields(&sync), MR_INVALID);
    assert_non_null(strstr(error.message, "16385 tasks"));
    sync.n_tasks--;
    sync.n_topologies++;
    assert_int_equal(decode_fields(&sync), MR_INVALID);
    assert_non_null(strstr(error.message, "1025 topologies"));
}

static void test_each_field_of_a_task_is_checked(void **state)
{
    Millrace__SyncRequest sync = MILLRACE__SYNC_REQUEST__INIT;
    Millrace__TaskName name = MILLRACE__TASK_NAME__INIT;
    Millrace__TaskReport task = MILLRACE__TASK_REPORT__INIT;
    Millrace__TaskReport *tasks[] = {&task};
    (void)state;
    sync.leaving = MILLRACE__LEAVING__LEAVING_NOT;
    sync.tasks = tasks;
    sync.n_tasks = 1;
    task.role = MILLRACE__TASK_ROLE__TASK_ROLE_ACTIVE;
    task.state = MILLRACE__TASK_STATE__TASK_STATE_FOLLOWING;
    assert_int_equal(decode_fields(&sync), MR_INVALID); /* no name */
    task.name = &name;
    name.partition = INT32_MAX;
    assert_int_equal(decode_fields(&sync), MR_OK);
    name.partition++;
    assert_int_equal(decode_fields(&sync), MR_INVALID);
    name.partition = 0;
    task.role = MILLRACE__TASK_ROLE__TASK_ROLE_ABSENT;
    assert_int_equal(decode_fields(&sync), MR_INVALID);
    task.role = (Millrace__TaskRole)(MILLRACE__TASK_ROLE__TASK_ROLE_STANDBY + 1);
    assert_int_equal(decode_fields(&sync), MR_INVALID);
    task.role = MILLRACE__TASK_ROLE__TASK_ROLE_STANDBY;
    task.state = (Millrace__TaskState)(MR_TASK_STATE_COUNT + 1);
    assert_int_equal(decode_fields(&sync), MR_INVALID);
    task.state = MILLRACE__TASK_STATE__TASK_STATE_ABSENT;
    assert_int_equal(decode_fields(&sync), MR_INVALID);
    task.state = MILLRACE__TASK_STATE__TASK_STATE_WAITING;
    sync.leaving = (Millrace__Leaving)(MR_LEAVING_DRAIN + 2);
    assert_int_equal(decode_fields(&sync), MR_INVALID);
    sync.leaving = MILLRACE__LEAVING__LEAVING_DRAIN;
    assert_int_equal(decode_fields(&sync), MR_OK);
}

static void fill_usual(struct mr_task_report *tasks, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++)
        tasks[index] = (struct mr_task_report){.name = {.generation = 0x123456789abcdef0,
                                                        .subtopology = "main",
                                                        .partition = (int32_t)index},
                                               .state = MR_TASK_STATE_RUNNING,
                                               .version = 3,
                                               .epoch = 7,
                                               .seen_epoch = 7,
                                               .lag = 1000,
                                               .load_us = 12345,
                                               .input_records = 10000000,
                                               .output_records = 1234567,
                                               .idle_ms = 120,
                                               .watermark_ms = 1785000000000,
                                               .error = ""};
}

/* Prints what encoding and decoding a usual Sync costs; the bound is loose, since the machine that
 * runs the tests is shared. */
static void test_a_usual_sync_is_cheap(void **state)
{
    enum { ROUNDS = 2000, TASKS = 64 };
    struct mr_task_report tasks[TASKS];
    struct mr_request read;
    struct mr_slice bytes = {0};
    (void)state;
    fill_usual(tasks, TASKS);
    struct mr_request request = sync_of(tasks, TASKS, NULL, 0);
    uint64_t start_ns = mr_clock_thread_cpu_ns();
    for (int round = 0; round < ROUNDS; round++) {
        mr_arena_reset(&arena);
        bytes = mr_request_encode(&request, &arena);
        assert_int_equal(mr_request_decode(bytes, &arena, &read, &error), MR_OK);
    }
    uint64_t cost_ns = (mr_clock_thread_cpu_ns() - start_ns) / ROUNDS;
    print_message("a Sync with %d tasks: %zu bytes, %llu ns to encode and decode\n", TASKS,
                  bytes.size, (unsigned long long)cost_ns);
    assert_true(cost_ns < 5000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_largest_sync_fits, setup, teardown),
        cmocka_unit_test_setup_teardown(test_sentences_are_whole_while_they_fit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_counts_have_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_each_field_of_a_task_is_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_usual_sync_is_cheap, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
