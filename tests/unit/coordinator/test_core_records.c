/* tests/unit/coordinator/test_core_records.c — the control topic read by a follower: any order of
 * keys, tombstones, and what cannot be read. */
#include "coordinator/core_internal.h"
#include "proto/codec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

struct fixture {
    struct mr_core *core;
    struct mr_arena arena;
};

static void begin(struct fixture *fixture)
{
    struct mr_core_options options = {.cluster = "test", .seed = 1};
    fixture->core = mr_core_create(&options);
    mr_arena_init(&fixture->arena, 1 << 14);
}

static void end(struct fixture *fixture)
{
    mr_core_destroy(fixture->core);
    mr_arena_deinit(&fixture->arena);
}

static struct mr_core_commands tell(struct fixture *fixture, const char *key, struct mr_slice value)
{
    struct mr_core_event event = {
        .kind = MR_CORE_RECORD, .key = mr_slice_text(key), .value = value};
    return mr_core_step(fixture->core, &event, 1000);
}

static void tell_version(struct fixture *fixture, const char *key, uint32_t number)
{
    const struct mr_bound_topic none = {.name = "", .topic_id = ""};
    struct mr_bound_subtopology part = {.name = "main", .tasks_count = 2, .log_topic = none};
    struct mr_version_record version = {.name = "orders",
                                        .generation = 0xabc,
                                        .version = number,
                                        .definition = mr_slice_text("x"),
                                        .binding = {.cluster_id = "",
                                                    .subtopologies = &part,
                                                    .subtopologies_count = 1,
                                                    .dead_letters = none,
                                                    .claims = none}};
    tell(fixture, key, mr_version_record_encode(&version, &fixture->arena));
}

static void tell_topology(struct fixture *fixture, uint32_t version)
{
    struct mr_topology_record record = {.name = "orders",
                                        .generation = 0xabc,
                                        .version = version,
                                        .version_last = version,
                                        .dropped_topics_prefix = ""};
    tell(fixture, "topology/orders", mr_topology_record_encode(&record, &fixture->arena));
}

static void tell_task(struct fixture *fixture, const char *key, uint64_t epoch, const char *worker)
{
    struct mr_task_record record = {.epoch = epoch, .worker = worker, .instance = 7};
    tell(fixture, key, mr_task_record_encode(&record, &fixture->arena));
}

static void test_any_order_of_keys_gives_the_same(void **state)
{
    (void)state;
    for (uint32_t order = 0; order < 2; order++) {
        struct fixture fixture;
        begin(&fixture);
        if (order == 0)
            tell_task(&fixture, "task/0000000000000abc/main/1", 5, "w1");
        tell_version(&fixture, "version/orders/3", 3);
        tell_topology(&fixture, 3);
        if (order == 1)
            tell_task(&fixture, "task/0000000000000abc/main/1", 5, "w1");
        struct mr_core_event lead = {.kind = MR_CORE_LEAD, .term = 4};
        mr_core_step(fixture.core, &lead, 1000);
        assert_int_equal(mr_core_topologies_count(fixture.core), 1);
        assert_int_equal(mr_core_tasks_count(fixture.core), 2);
        struct mr_core_task task = mr_core_task_at(fixture.core, 1, 1000);
        assert_int_equal(task.epoch, 5);
        assert_string_equal(task.worker, "w1");
        assert_string_equal(task.topology, "orders");
        assert_int_equal(mr_core_version(fixture.core, "orders", 0)->version, 3);
        end(&fixture);
    }
}

static void test_the_last_value_of_a_key_counts(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    tell_version(&fixture, "version/orders/1", 1);
    tell_topology(&fixture, 1);
    tell_task(&fixture, "task/0000000000000abc/main/0", 1, "w1");
    tell_version(&fixture, "version/orders/2", 2);
    tell_topology(&fixture, 2);
    tell_task(&fixture, "task/0000000000000abc/main/0", 6, "w2");
    assert_int_equal(mr_core_version(fixture.core, "orders", 0)->version, 2);
    assert_int_equal(mr_core_version(fixture.core, "orders", 1)->version, 1);
    struct mr_core_event lead = {.kind = MR_CORE_LEAD, .term = 1};
    mr_core_step(fixture.core, &lead, 1000);
    assert_string_equal(mr_core_task_at(fixture.core, 0, 1000).worker, "w2");
    end(&fixture);
}

static void test_tombstones_take_everything_away(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    tell_version(&fixture, "version/orders/1", 1);
    tell_topology(&fixture, 1);
    tell_task(&fixture, "task/0000000000000abc/main/0", 1, "w1");
    tell(&fixture, "task/0000000000000abc/main/0", (struct mr_slice){0});
    tell(&fixture, "topology/orders", (struct mr_slice){0});
    tell(&fixture, "version/orders/1", (struct mr_slice){0});
    tell(&fixture, "topology/unheard-of", (struct mr_slice){0});
    assert_int_equal(mr_core_topologies_count(fixture.core), 0);
    assert_int_equal(fixture.core->topologies_count, 0);
    assert_int_equal(fixture.core->tasks_count, 0);
    assert_int_equal(fixture.core->generations_count, 0);
    end(&fixture);
}

/* What a delete has left, and tasks of a generation that nobody has: a new leader clears it up. */
static void test_remains_are_swept(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    tell_version(&fixture, "version/orders/1", 1);
    tell_task(&fixture, "task/0000000000000def/main/0", 1, "");
    struct mr_core_event lead = {.kind = MR_CORE_LEAD, .term = 1};
    struct mr_core_commands commands = mr_core_step(fixture.core, &lead, 1000);
    const struct mr_core_command *write = NULL;
    for (uint32_t i = 0; i < commands.items_count; i++)
        if (commands.items[i].kind == MR_COMMAND_WRITE)
            write = &commands.items[i];
    assert_non_null(write);
    assert_int_equal(write->records_count, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(write->records[i].value.size, 0);
    struct mr_core_event written = {.kind = MR_CORE_WRITTEN, .id = write->id};
    mr_core_step(fixture.core, &written, 1010);
    assert_int_equal(fixture.core->topologies_count, 0);
    assert_int_equal(fixture.core->tasks_count, 0);
    end(&fixture);
}

static void test_what_cannot_be_read_is_told_and_left_aside(void **state)
{
    (void)state;
    static const char *const keys[] = {"task/xyz/main/0",
                                       "task/0000000000000abc/main/-1",
                                       "task/0000000000000abc/main/99999999",
                                       "task/0000000000000abc/0",
                                       "topology/orders",
                                       "version/orders/x",
                                       "version/orders/1",
                                       "leader"};
    struct fixture fixture;
    begin(&fixture);
    for (uint32_t i = 0; i < sizeof keys / sizeof keys[0]; i++) {
        struct mr_core_commands commands = tell(&fixture, keys[i], mr_slice_text("\xff"));
        assert_int_equal(commands.items_count, 1);
        assert_string_equal(commands.items[0].event, "record-unreadable");
    }
    /* Keys that a later version may write. */
    assert_int_equal(tell(&fixture, "quota/orders", mr_slice_text("1")).items_count, 0);
    assert_int_equal(fixture.core->topologies_count, 0);
    end(&fixture);
}

static void test_the_leader_is_named_in_refusals(void **state)
{
    (void)state;
    struct fixture fixture;
    begin(&fixture);
    struct mr_leader_record leader = {.term = 3, .address = "tcp://a:1", .http = ""};
    tell(&fixture, "leader", mr_leader_record_encode(&leader, &fixture.arena));
    struct mr_sync_request sync = {.cluster = "test", .worker = "w1"};
    struct mr_core_event event = {.kind = MR_CORE_SYNC, .handle = 1, .sync = &sync};
    struct mr_core_commands commands = mr_core_step(fixture.core, &event, 1000);
    assert_string_equal(commands.items[0].reply.refused.leader, "tcp://a:1");
    leader.resigned = true;
    tell(&fixture, "leader", mr_leader_record_encode(&leader, &fixture.arena));
    commands = mr_core_step(fixture.core, &event, 1000);
    assert_string_equal(commands.items[0].reply.refused.leader, "");
    end(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_order_of_keys_gives_the_same),
        cmocka_unit_test(test_the_last_value_of_a_key_counts),
        cmocka_unit_test(test_tombstones_take_everything_away),
        cmocka_unit_test(test_remains_are_swept),
        cmocka_unit_test(test_what_cannot_be_read_is_told_and_left_aside),
        cmocka_unit_test(test_the_leader_is_named_in_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
