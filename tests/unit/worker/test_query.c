/* tests/unit/worker/test_query.c — finding a key's state, and closing while it is read. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdatomic.h>

#include "base/hash.h"
#include "tests/unit/worker/query_fixture.h"

static struct mr_query_registry *registry;
static struct mr_arena arena;

static int setup(void **state)
{
    (void)state;
    registry = mr_query_registry_create();
    mr_arena_init(&arena, 4096);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_query_registry_destroy(registry);
    mr_arena_deinit(&arena);
    return 0;
}

static struct mr_query_answer ask(const char *store, const char *key, int32_t partition,
                                  bool standby)
{
    struct mr_query_answer answer;
    struct mr_query query = {.topology = "sensors",
                             .store = store,
                             .key = mr_slice_text(key),
                             .partition = partition,
                             .standby = standby};
    mr_query_run(registry, &query, &arena, &answer);
    return answer;
}

static void expect_count(const struct mr_query_answer *answer, uint64_t count)
{
    assert_int_equal(answer->outcome, MR_QUERY_FOUND);
    assert_string_equal((const char *)answer->description.members[1].key.text, "count");
    assert_int_equal(answer->description.members[1].value.unsigned_integer, count);
}

static void test_answers_when_it_is_restored(void **state)
{
    (void)state;
    struct query_task task;
    query_task_open(&task, registry, 0, 1, false);
    query_task_feed(&task, "a", 1);
    query_task_feed(&task, "a", 2);
    struct mr_query_answer answer = ask("spikes", "a", -1, false);
    assert_int_equal(answer.outcome, MR_QUERY_RESTORING);
    assert_int_equal(answer.remaining, -1);
    mr_query_remaining(task.entry, 12);
    answer = ask("spikes", "a", -1, true);
    assert_int_equal(answer.outcome, MR_QUERY_RESTORING);
    assert_int_equal(answer.remaining, 12);
    mr_query_ready(task.entry);
    answer = ask("spikes", "a", -1, false);
    expect_count(&answer, 2);
    assert_true(answer.changelog_offset > 0);
    assert_false(answer.by_standby);
    assert_int_equal(ask("spikes", "b", -1, false).outcome, MR_QUERY_NO_KEY);
    query_task_close(&task);
    assert_int_equal(ask("spikes", "a", -1, false).outcome, MR_QUERY_NO_TOPOLOGY);
}

static void test_names_what_is_near(void **state)
{
    (void)state;
    struct query_task task;
    query_task_open(&task, registry, 0, 1, false);
    struct mr_query_answer answer = ask("spike", "a", -1, false);
    assert_int_equal(answer.outcome, MR_QUERY_NO_STORE);
    assert_string_equal(answer.nearest, "spikes");
    answer = ask("in", "a", -1, false);
    assert_int_equal(answer.outcome, MR_QUERY_NO_STORE);
    struct mr_query query = {.topology = "sensor", .store = "spikes", .partition = -1};
    mr_query_run(registry, &query, &arena, &answer);
    assert_int_equal(answer.outcome, MR_QUERY_NO_TOPOLOGY);
    assert_string_equal(answer.nearest, "sensors");
    query_task_close(&task);
}

/* A key for each of two partitions, as murmur2 places it. */
static void find_keys(char keys[2][2])
{
    bool found[2] = {false, false};
    for (char letter = 'a'; letter <= 'z'; letter++) {
        char text[2] = {letter, 0};
        int32_t partition = mr_hash_partition(mr_slice_text(text), 2);
        if (!found[partition])
            memcpy(keys[partition], text, 2);
        found[partition] = true;
    }
    assert_true(found[0] && found[1]);
}

static void test_goes_to_the_key_s_partition(void **state)
{
    (void)state;
    struct query_task task;
    char keys[2][2];
    find_keys(keys);
    query_task_open(&task, registry, 1, 2, false);
    mr_query_ready(task.entry);
    query_task_feed(&task, keys[1], 1);
    struct mr_query_answer answer = ask("spikes", keys[1], -1, false);
    expect_count(&answer, 1);
    assert_int_equal(answer.partition, 1);
    answer = ask("spikes", keys[0], -1, false);
    assert_int_equal(answer.outcome, MR_QUERY_NOT_HERE);
    assert_int_equal(answer.partition, 0);
    /* A foreign producer put it elsewhere. */
    query_task_feed(&task, keys[0], 1);
    answer = ask("spikes", keys[0], -1, false);
    expect_count(&answer, 1);
    assert_int_equal(answer.partition, 1);
    assert_int_equal(ask("spikes", keys[0], 0, false).outcome, MR_QUERY_NOT_HERE);
    query_task_close(&task);
}

static void test_a_standby_answers_when_asked(void **state)
{
    (void)state;
    struct query_task task;
    query_task_open(&task, registry, 0, 1, true);
    query_task_feed(&task, "a", 1);
    mr_query_ready(task.entry);
    mr_query_remaining(task.entry, 5);
    mr_query_current(task.entry, 1700000000000);
    assert_int_equal(ask("spikes", "a", -1, false).outcome, MR_QUERY_NOT_HERE);
    struct mr_query_answer answer = ask("spikes", "a", -1, true);
    expect_count(&answer, 1);
    assert_true(answer.by_standby);
    assert_int_equal(answer.remaining, 5);
    assert_int_equal(answer.current_ms, 1700000000000);
    /* The task itself is preferred. */
    struct query_task active;
    query_task_open(&active, registry, 0, 1, false);
    query_task_feed(&active, "a", 1);
    query_task_feed(&active, "a", 1);
    mr_query_ready(active.entry);
    answer = ask("spikes", "a", -1, true);
    expect_count(&answer, 2);
    assert_false(answer.by_standby);
    query_task_close(&active);
    query_task_close(&task);
}

static _Atomic bool ended;

static void *ask_all_along(void *argument)
{
    _Atomic uint64_t *found = argument;
    struct mr_arena own;
    mr_arena_init(&own, 4096);
    while (!atomic_load(&ended)) {
        struct mr_query_answer answer;
        struct mr_query query = {
            .topology = "sensors", .store = "spikes", .key = mr_slice_text("a"), .partition = -1};
        mr_arena_reset(&own);
        mr_query_run(registry, &query, &own, &answer);
        atomic_fetch_add(found, answer.outcome == MR_QUERY_FOUND);
    }
    mr_arena_deinit(&own);
    return NULL;
}

static void test_states_come_and_go_while_they_are_read(void **state)
{
    (void)state;
    _Atomic uint64_t found = 0;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, ask_all_along, &found), 0);
    for (int round = 0; round < 50 || (atomic_load(&found) == 0 && round < 5000); round++) {
        struct query_task task;
        query_task_open(&task, registry, 0, 1, false);
        mr_query_ready(task.entry);
        for (int i = 0; i < 20; i++)
            query_task_feed(&task, "a", i);
        query_task_close(&task);
    }
    atomic_store(&ended, true);
    pthread_join(thread, NULL);
    assert_true(atomic_load(&found) > 0);
}

#define WITH_REGISTRY(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_REGISTRY(test_answers_when_it_is_restored),
        WITH_REGISTRY(test_names_what_is_near),
        WITH_REGISTRY(test_goes_to_the_key_s_partition),
        WITH_REGISTRY(test_a_standby_answers_when_asked),
        WITH_REGISTRY(test_states_come_and_go_while_they_are_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
