/* Tests of worker/agent_loop.c and worker/host.c: a coordinator made of a table says what is wanted
 * through a transport that encodes and decodes; the tasks run for real, over the memory log. */
#include "tests/unit/worker/lane_fixture.h"

#include "base/clock.h"
#include "base/memory.h"
#include "cli/catalogue.h"
#include "coordinator/binding.h"
#include "proto/codec.h"
#include "worker/agent_loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

enum { WAIT_MS_MAX = 20000, TASKS_MAX = 8, PARTITIONS = 2 };

static const char topology[] = "apiVersion: millrace.io/v1alpha1\n"
                               "kind: Topology\n"
                               "metadata:\n"
                               "  name: looped\n"
                               "spec:\n"
                               "  commit_interval: 20ms\n"
                               "  sources:\n"
                               "    - name: readings\n"
                               "      type: kafka\n"
                               "      topic: in\n"
                               "      format: json\n"
                               "      key: [sensor]\n"
                               "      on_error: fail\n"
                               "  operators:\n"
                               "    - name: once\n"
                               "      type: deduplicate\n"
                               "      from: readings\n"
                               "      key: [sensor]\n"
                               "      within: 1h\n"
                               "  sinks:\n"
                               "    - name: results\n"
                               "      type: kafka\n"
                               "      from: once\n"
                               "      topic: out\n";

static const struct mr_lane_topic topics[] = {{"in", PARTITIONS}, {"out", 1}};

/* ---- A coordinator ---- */

struct said {
    enum mr_task_role role;
    enum mr_task_state state;
    uint64_t epoch;
    char error[MR_ERROR_MESSAGE_SIZE];
};

struct table {
    struct mr_transport transport;
    struct mr_transport_client client;
    struct mr_arena arena;
    struct mr_slice request;
    bool under_way;
    bool mute;
    struct mr_assigned_task wanted[TASKS_MAX];
    uint32_t wanted_count;
    struct mr_topology_reply topology;
    uint32_t topologies_asked;
    /* What the last Sync said. */
    uint64_t syncs_count;
    enum mr_leaving leaving;
    struct said said[TASKS_MAX];
    int32_t said_partitions[TASKS_MAX];
    uint32_t said_count;
    uint32_t versions_count;
    bool refused;
    char reason[MR_ERROR_MESSAGE_SIZE];
    uint64_t syncs_at_change;
};

static struct table table;

static enum mr_status client_create(struct mr_transport *transport,
                                    const struct mr_transport_tls *tls,
                                    struct mr_transport_client **client, struct mr_error *error)
{
    (void)tls;
    (void)error;
    table.client.transport = transport;
    *client = &table.client;
    return MR_OK;
}

static void client_destroy(struct mr_transport_client *client)
{
    (void)client;
}

static enum mr_status client_send(struct mr_transport_client *client, const char *address,
                                  struct mr_slice bytes, struct mr_error *error)
{
    (void)client;
    if (strcmp(address, "tcp://a:1") != 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "nobody is at %s", address);
    mr_arena_reset(&table.arena);
    table.request = mr_arena_copy(&table.arena, bytes);
    table.under_way = true;
    return MR_OK;
}

static void note_sync(const struct mr_sync_request *sync)
{
    table.syncs_count++;
    table.leaving = sync->leaving;
    table.said_count = sync->tasks_count;
    assert_in_range(sync->tasks_count, 0, TASKS_MAX);
    for (uint32_t index = 0; index < sync->tasks_count; index++) {
        const struct mr_task_report *report = &sync->tasks[index];
        table.said_partitions[index] = report->name.partition;
        table.said[index].role = report->role;
        table.said[index].state = report->state;
        table.said[index].epoch = report->epoch;
        (void)snprintf(table.said[index].error, MR_ERROR_MESSAGE_SIZE, "%s", report->error);
    }
    table.versions_count = sync->topologies_count;
    table.refused = false;
    for (uint32_t index = 0; index < sync->topologies_count; index++) {
        table.refused = table.refused || sync->topologies[index].refused;
        if (sync->topologies[index].refused)
            (void)snprintf(table.reason, sizeof(table.reason), "%s", sync->topologies[index].error);
    }
}

static struct mr_slice serve(struct mr_arena *arena)
{
    struct mr_request request;
    struct mr_error error;
    struct mr_assigned_topology assigned = {
        .generation = table.topology.generation, .version = 1, .name = "looped"};
    struct mr_reply reply = {.protocol_version = MR_PROTOCOL_VERSION, .kind = MR_REPLY_TOPOLOGY};
    if (mr_request_decode(table.request, &table.arena, &request, &error) != MR_OK)
        fail_msg("%s", error.message);
    if (request.kind == MR_REQUEST_TOPOLOGY) {
        table.topologies_asked++;
        reply.topology = table.topology;
        return mr_reply_encode(&reply, arena);
    }
    note_sync(&request.sync);
    reply.kind = MR_REPLY_SYNC;
    reply.sync = (struct mr_sync_reply){.term = 1,
                                        .instance = request.sync.instance,
                                        .sequence = request.sync.sequence,
                                        .tasks = table.wanted,
                                        .tasks_count = table.wanted_count,
                                        .topologies = &assigned,
                                        .topologies_count = 1};
    return mr_reply_encode(&reply, arena);
}

static enum mr_status client_wait(struct mr_transport_client *client, uint32_t wait_ms,
                                  struct mr_arena *arena, struct mr_slice *reply,
                                  struct mr_error *error)
{
    (void)client;
    (void)error;
    mr_clock_sleep_ms(wait_ms < 2 ? wait_ms : 2);
    if (!table.under_way || table.mute)
        return table.under_way ? MR_AGAIN : MR_NOT_FOUND;
    table.under_way = false;
    *reply = serve(arena);
    return MR_OK;
}

static void client_wake(struct mr_transport_client *client)
{
    (void)client;
}

static const struct mr_transport_ops table_ops = {.name = "table",
                                                  .client_create = client_create,
                                                  .client_destroy = client_destroy,
                                                  .client_send = client_send,
                                                  .client_wait = client_wait,
                                                  .client_wake = client_wake};

/* ---- A process ---- */

struct scene {
    struct mr_lane_fixture fixture;
    struct mr_catalogue catalogue;
    struct mr_worker *worker;
    struct mr_follower *follower;
    struct mr_host *host;
    struct mr_agent_loop *loop;
};

static struct scene scene;

static void open_process(void)
{
    static const char *const addresses[] = {"tcp://nobody:1", "tcp://a:1"};
    struct mr_error error;
    struct mr_worker_open open = {.log = scene.fixture.log,
                                  .metrics = scene.fixture.metrics,
                                  .name = "w",
                                  .threads_count = 2,
                                  .memory_bytes = 64 << 20,
                                  .assigned = true};
    assert_int_equal(mr_worker_create(&open, &scene.worker, &error), MR_OK);
    assert_int_equal(mr_worker_start(scene.worker, &error), MR_OK);
    assert_int_equal(mr_follower_create(scene.worker, &scene.follower, &error), MR_OK);
    const struct mr_host_open host = {.worker = scene.worker,
                                      .follower = scene.follower,
                                      .catalogue = &scene.catalogue,
                                      .cluster = "c",
                                      .log_cluster_id = scene.fixture.deployment->cluster_id};
    scene.host = mr_host_create(&host);
    const struct mr_agent_loop_open loop = {.agent = {.cluster = "c",
                                                      .worker = "w",
                                                      .instance = 77,
                                                      .zone = "",
                                                      .http = "",
                                                      .build = "test",
                                                      .threads_count = 2,
                                                      .addresses = addresses,
                                                      .addresses_count = 2},
                                            .host = scene.host,
                                            .transport = &table.transport};
    assert_int_equal(mr_agent_loop_create(&loop, &scene.loop, &error), MR_OK);
}

static int setup(void **state)
{
    (void)state;
    memset(&scene, 0, sizeof(scene));
    memset(&table, 0, sizeof(table));
    mr_lane_fixture_open(&scene.fixture, topology, topics, 2);
    mr_catalogue_make(&scene.fixture.arena, &scene.catalogue);
    mr_arena_init(&table.arena, 1 << 14);
    table.transport.ops = &table_ops;
    table.topology = (struct mr_topology_reply){.term = 1,
                                                .found = true,
                                                .name = "looped",
                                                .generation = scene.fixture.deployment->generation,
                                                .version = 1,
                                                .definition = mr_slice_text(topology),
                                                .plan_hash = scene.fixture.plan->hash};
    mr_binding_make(scene.fixture.deployment, &scene.fixture.arena, &table.topology.binding);
    open_process();
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_agent_loop_destroy(scene.loop);
    mr_follower_destroy(scene.follower);
    assert_true(mr_worker_stop(scene.worker, WAIT_MS_MAX));
    mr_worker_destroy(scene.worker);
    mr_host_destroy(scene.host);
    mr_lane_fixture_close(&scene.fixture);
    mr_arena_deinit(&table.arena);
    return 0;
}

static void want(int32_t partition, enum mr_task_role role, uint64_t epoch)
{
    struct mr_assigned_task *task = &table.wanted[table.wanted_count++];
    *task = (struct mr_assigned_task){.name = {.generation = table.topology.generation,
                                               .subtopology = "once",
                                               .partition = partition},
                                      .role = role,
                                      .version = 1,
                                      .epoch = epoch};
}

static const struct said *said_of(int32_t partition)
{
    for (uint32_t index = 0; index < table.said_count; index++)
        if (table.said_partitions[index] == partition)
            return &table.said[index];
    return NULL;
}

/* Turn until a Sync says of the partition's task that it is in this state. */
static const struct said *turn_until(int32_t partition, enum mr_task_state state)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    for (;;) {
        const struct said *said = said_of(partition);
        if (said != NULL && said->state == state)
            return said;
        if (mr_clock_monotonic_ms() > until_ms)
            fail_msg("task %d is in state %d, not %d: %s", partition,
                     said == NULL ? -1 : (int)said->state, (int)state,
                     said == NULL ? "not there" : said->error);
        assert_int_equal(mr_agent_loop_turn(scene.loop), MR_AGENT_LOOP_GOES_ON);
    }
}

static void turn_until_gone(int32_t partition)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    while (said_of(partition) != NULL) {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        assert_int_equal(mr_agent_loop_turn(scene.loop), MR_AGENT_LOOP_GOES_ON);
    }
}

static void turn_for(uint32_t duration_ms)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + duration_ms;
    while (mr_clock_monotonic_ms() < until_ms)
        assert_int_equal(mr_agent_loop_turn(scene.loop), MR_AGENT_LOOP_GOES_ON);
}

static uint32_t outputs(void)
{
    uint32_t count;
    (void)mr_lane_fixture_read(&scene.fixture, "out", 0, &count);
    return count;
}

static void wait_for_outputs(uint32_t count)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    while (outputs() < count) {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        turn_for(10);
    }
    assert_int_equal(outputs(), count);
}

static void count_visited(void *argument, const char *name, const struct mr_task_report *report)
{
    uint32_t *count = argument;
    assert_string_equal(name, "looped");
    assert_string_equal(report->name.subtopology, "once");
    (*count)++;
}

static void tasks_come_run_and_go(void **state)
{
    (void)state;
    uint32_t visited_count = 0;
    want(0, MR_TASK_ROLE_ACTIVE, 1);
    want(1, MR_TASK_ROLE_ACTIVE, 1);
    turn_until(0, MR_TASK_STATE_RUNNING);
    assert_int_equal(turn_until(1, MR_TASK_STATE_RUNNING)->epoch, 1);
    assert_int_equal(table.topologies_asked, 1);
    mr_lane_fixture_write(&scene.fixture, "in", 0, "s", "{\"sensor\":\"s\"}");
    mr_lane_fixture_write(&scene.fixture, "in", 1, "t", "{\"sensor\":\"t\"}");
    wait_for_outputs(2);
    mr_host_visit(scene.host, count_visited, &visited_count);
    assert_int_equal(visited_count, 2);
    table.wanted_count = 1;
    turn_until(1, MR_TASK_STATE_RELEASED);
    turn_until_gone(1);
    assert_int_equal(said_of(0)->state, MR_TASK_STATE_RUNNING);
    table.wanted_count = 0;
    turn_until_gone(0);
    turn_for(200);
    assert_int_equal(table.versions_count, 0); /* closed */
    want(0, MR_TASK_ROLE_ACTIVE, 2);
    turn_until(0, MR_TASK_STATE_RUNNING);
    assert_int_equal(table.topologies_asked, 2);
    struct mr_agent_loop_contact contact;
    mr_agent_loop_contact(scene.loop, &contact);
    assert_true(contact.answered);
    assert_string_equal(contact.address, "tcp://a:1");
}

static void silence_stops_nothing(void **state)
{
    (void)state;
    want(0, MR_TASK_ROLE_ACTIVE, 1);
    turn_until(0, MR_TASK_STATE_RUNNING);
    table.mute = true;
    turn_for(1500);
    mr_lane_fixture_write(&scene.fixture, "in", 0, "s", "{\"sensor\":\"s\"}");
    wait_for_outputs(1);
    table.mute = false;
    uint64_t before = table.syncs_count;
    turn_for(1500);
    assert_true(table.syncs_count > before);
    assert_int_equal(said_of(0)->state, MR_TASK_STATE_RUNNING);
    assert_int_equal(said_of(0)->epoch, 1);
}

static void a_standby_becomes_the_task_and_back(void **state)
{
    (void)state;
    want(0, MR_TASK_ROLE_STANDBY, 0);
    turn_until(0, MR_TASK_STATE_FOLLOWING);
    table.wanted[0].role = MR_TASK_ROLE_ACTIVE;
    table.wanted[0].epoch = 3;
    turn_until(0, MR_TASK_STATE_RUNNING);
    mr_lane_fixture_write(&scene.fixture, "in", 0, "s", "{\"sensor\":\"s\"}");
    wait_for_outputs(1);
    table.wanted[0].role = MR_TASK_ROLE_STANDBY;
    table.wanted[0].epoch = 0;
    turn_until(0, MR_TASK_STATE_RELEASED);
    turn_until(0, MR_TASK_STATE_FOLLOWING);
}

static void a_definition_that_cannot_run_here_is_reported(void **state)
{
    (void)state;
    table.topology.plan_hash++;
    want(0, MR_TASK_ROLE_ACTIVE, 1);
    turn_for(300);
    assert_true(table.refused);
    assert_non_null(strstr(table.reason, "plans the topology otherwise"));
    assert_int_equal(table.said_count, 0);
    /* Wanted no more: it may be tried again. */
    table.wanted_count = 0;
    turn_for(200);
    assert_int_equal(table.versions_count, 0);
    table.topology.plan_hash--;
    want(0, MR_TASK_ROLE_ACTIVE, 2);
    turn_until(0, MR_TASK_STATE_RUNNING);
}

static void a_task_that_is_not_in_the_plan_is_reported(void **state)
{
    (void)state;
    want(0, MR_TASK_ROLE_ACTIVE, 1);
    table.wanted[0].name.subtopology = "twice";
    const struct said *said = turn_until(0, MR_TASK_STATE_FAILED);
    assert_non_null(strstr(said->error, "twice"));
    table.wanted_count = 0;
    turn_until(0, MR_TASK_STATE_RELEASED);
    turn_until_gone(0);
}

/* The source has grown: the same version has a younger binding with more tasks. */
static void a_task_beyond_the_binding_asks_for_it_again(void **state)
{
    (void)state;
    struct mr_bound_subtopology grown = table.topology.binding.subtopologies[0];
    struct mr_bound_subtopology small = grown;
    small.tasks_count = 1;
    table.topology.binding.subtopologies = &small;
    want(0, MR_TASK_ROLE_ACTIVE, 1);
    turn_until(0, MR_TASK_STATE_RUNNING);
    turn_for(MR_HOST_REBIND_MS);
    table.topology.binding.subtopologies = &grown;
    want(1, MR_TASK_ROLE_ACTIVE, 1);
    turn_until(1, MR_TASK_STATE_RUNNING);
    assert_int_equal(table.topologies_asked, 2);
    assert_int_equal(said_of(0)->state, MR_TASK_STATE_RUNNING);
    table.wanted_count = 0;
    turn_until_gone(0);
    turn_until_gone(1);
    turn_for(200);
    assert_int_equal(table.versions_count, 0);
}

static void leaving_releases_everything(void **state)
{
    (void)state;
    want(0, MR_TASK_ROLE_ACTIVE, 1);
    want(1, MR_TASK_ROLE_STANDBY, 0);
    turn_until(0, MR_TASK_STATE_RUNNING);
    turn_until(1, MR_TASK_STATE_FOLLOWING);
    mr_agent_loop_leave(scene.loop, WAIT_MS_MAX, 0);
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS_MAX;
    enum mr_agent_loop_state result;
    do {
        assert_true(mr_clock_monotonic_ms() < until_ms);
        result = mr_agent_loop_turn(scene.loop);
    } while (result == MR_AGENT_LOOP_GOES_ON);
    assert_int_equal(result, MR_AGENT_LOOP_FINISHED);
    assert_int_equal(table.leaving, MR_LEAVING_RESTART);
    assert_int_equal(table.said_count, 1);
    assert_int_equal(table.said[0].state, MR_TASK_STATE_RELEASED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tasks_come_run_and_go, setup, teardown),
        cmocka_unit_test_setup_teardown(silence_stops_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(a_standby_becomes_the_task_and_back, setup, teardown),
        cmocka_unit_test_setup_teardown(a_definition_that_cannot_run_here_is_reported, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_task_that_is_not_in_the_plan_is_reported, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_task_beyond_the_binding_asks_for_it_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(leaving_releases_everything, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
