/* tests/unit/worker/test_agent_leaving.c — an agent that is told to leave: whom it asks, what it
 * lets go of and when it ends. */
#include "tests/unit/worker/agent_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void leaving_releases_says_so_and_exits(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_running(&scene);
    struct mr_assigned_task standby = *agent_want(&scene, 1, MR_TASK_ROLE_STANDBY, 0);
    agent_host_add(&scene.host, &standby, MR_TASK_STATE_FOLLOWING);
    agent_tick(&scene, MR_AGENT_GAP_MS);
    uint64_t before = scene.sequence;
    scene.now_ms += MR_AGENT_GAP_MS;
    agent_step(&scene,
               &(struct mr_agent_event){.kind = MR_AGENT_EVENT_LEAVE, .deadline_ms = 30000});
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_LEAVE));
    const struct mr_agent_command *send = agent_find_command(&scene, MR_AGENT_COMMAND_SEND);
    assert_non_null(send);
    assert_int_equal(send->request.sync.leaving, MR_LEAVING_RESTART);
    assert_int_equal(scene.sequence, before + 1);
    agent_answer(&scene); /* still wants both: nothing of it is heeded any more */
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    agent_host_remove(&scene.host, 1);
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASED;
    agent_tick(&scene, MR_AGENT_GAP_MS);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_EXIT));
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_REASSIGN));
    agent_answer(&scene);
    const struct mr_agent_command *leave = agent_find_command(&scene, MR_AGENT_COMMAND_EXIT);
    assert_non_null(leave);
    assert_false(leave->unfinished);
    agent_tick(&scene, 1000);
    assert_int_equal(scene.commands.items_count, 0);
    agent_close_scene(&scene);
}

static void leaving_ends_without_a_coordinator_and_at_the_deadline(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_running(&scene);
    struct mr_agent_event leave = {.kind = MR_AGENT_EVENT_LEAVE, .deadline_ms = 30000};
    agent_step(&scene, &leave);
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASED;
    agent_tick(&scene, 100);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_EXIT));
    agent_tick(&scene, MR_AGENT_FAREWELL_MS);
    assert_false(agent_find_command(&scene, MR_AGENT_COMMAND_EXIT)->unfinished);
    agent_close_scene(&scene);
    agent_open_running(&scene);
    agent_step(&scene, &leave);
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASING;
    agent_tick(&scene, 29000);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_EXIT));
    agent_tick(&scene, 1000);
    assert_true(agent_find_command(&scene, MR_AGENT_COMMAND_EXIT)->unfinished);
    agent_close_scene(&scene);
}

/* An answer to the last request that says as what it ends. */
static void answer_leave(struct agent_scene *scene, enum mr_leaving leave, bool leaves)
{
    struct mr_assigned_topology topology = {.generation = GENERATION, .version = 1, .name = "t"};
    struct mr_reply reply = {.protocol_version = MR_PROTOCOL_VERSION, .kind = MR_REPLY_SYNC};
    reply.sync = (struct mr_sync_reply){.term = scene->term,
                                        .instance = 42,
                                        .sequence = scene->sequence,
                                        .leaves = leaves,
                                        .leave = leave,
                                        .tasks = scene->wanted,
                                        .tasks_count = scene->wanted_count,
                                        .topologies = &topology,
                                        .topologies_count = 1};
    agent_give(scene, &reply);
}

/* Told to leave: it asks, and lets go of nothing. */
static void open_asking(struct agent_scene *scene)
{
    agent_open_running(scene);
    scene->now_ms += MR_AGENT_GAP_MS;
    agent_step(scene, &(struct mr_agent_event){
                          .kind = MR_AGENT_EVENT_LEAVE, .deadline_ms = 30000, .drain_ms = 60000});
    const struct mr_agent_command *send = agent_find_command(scene, MR_AGENT_COMMAND_SEND);
    assert_non_null(send);
    assert_true(send->request.sync.leave_asked);
    assert_int_equal(send->request.sync.leaving, MR_LEAVING_NOT);
    assert_null(agent_find_command(scene, MR_AGENT_COMMAND_REVOKE));
}

static enum mr_leaving said(struct agent_scene *scene)
{
    while (agent_find_command(scene, MR_AGENT_COMMAND_SEND) == NULL)
        agent_tick(scene, MR_AGENT_GAP_MS);
    const struct mr_sync_request *sync =
        &agent_find_command(scene, MR_AGENT_COMMAND_SEND)->request.sync;
    assert_false(sync->leave_asked);
    return sync->leaving;
}

static void it_asks_before_it_lets_go_and_restarts_when_told(void **state)
{
    (void)state;
    struct agent_scene scene;
    open_asking(&scene);
    answer_leave(&scene, MR_LEAVING_NOT, false); /* not known yet: it asks on */
    agent_tick(&scene, MR_AGENT_GAP_MS);
    assert_true(agent_find_command(&scene, MR_AGENT_COMMAND_SEND)->request.sync.leave_asked);
    answer_leave(&scene, MR_LEAVING_RESTART, false);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    assert_int_equal(said(&scene), MR_LEAVING_RESTART);
    agent_close_scene(&scene);
}

static void without_an_answer_in_time_it_restarts(void **state)
{
    (void)state;
    struct agent_scene scene;
    open_asking(&scene);
    agent_tick(&scene, MR_AGENT_ASK_MS - 1);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    agent_tick(&scene, 1);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    agent_tick(&scene, MR_AGENT_GAP_MS);
    assert_int_equal(said(&scene), MR_LEAVING_RESTART);
    agent_close_scene(&scene);
}

static void a_drain_goes_on_until_its_tasks_are_taken(void **state)
{
    (void)state;
    struct agent_scene scene;
    open_asking(&scene);
    answer_leave(&scene, MR_LEAVING_DRAIN, false);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    assert_int_equal(said(&scene), MR_LEAVING_DRAIN);
    answer_leave(&scene, MR_LEAVING_NOT, false);
    agent_tick(&scene, 30000); /* longer than a release may take */
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_EXIT));
    assert_int_equal(said(&scene), MR_LEAVING_DRAIN);
    scene.wanted_count = 0; /* it is taken away */
    answer_leave(&scene, MR_LEAVING_NOT, false);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    agent_host_remove(&scene.host, 0);
    agent_tick(&scene, MR_AGENT_GAP_MS);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_EXIT));
    answer_leave(&scene, MR_LEAVING_NOT, true);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_EXIT));
    assert_false(agent_find_command(&scene, MR_AGENT_COMMAND_EXIT)->unfinished);
    agent_close_scene(&scene);
}

static void a_drain_that_takes_too_long_releases_what_is_left(void **state)
{
    (void)state;
    struct agent_scene scene;
    open_asking(&scene);
    answer_leave(&scene, MR_LEAVING_DRAIN, false);
    assert_int_equal(said(&scene), MR_LEAVING_DRAIN);
    answer_leave(&scene, MR_LEAVING_NOT, false);
    agent_tick(&scene, 60000);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASED;
    agent_tick(&scene, MR_AGENT_GAP_MS);
    assert_int_equal(said(&scene), MR_LEAVING_DRAIN); /* it is not coming back */
    answer_leave(&scene, MR_LEAVING_NOT, true);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_EXIT));
    agent_close_scene(&scene);
}

static void a_drained_worker_stays_unless_it_is_told_to_go(void **state)
{
    (void)state;
    for (int exits = 0; exits < 2; exits++) {
        struct agent_scene scene;
        agent_open_scene(&scene, exits == 1);
        agent_tick(&scene, 0);
        struct mr_reply reply = {.protocol_version = MR_PROTOCOL_VERSION, .kind = MR_REPLY_SYNC};
        reply.sync = (struct mr_sync_reply){
            .term = 3, .instance = 42, .sequence = scene.sequence, .leaves = true};
        agent_give(&scene, &reply);
        assert_int_equal(agent_find_command(&scene, MR_AGENT_COMMAND_EXIT) != NULL, exits);
        agent_close_scene(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(leaving_releases_says_so_and_exits),
        cmocka_unit_test(leaving_ends_without_a_coordinator_and_at_the_deadline),
        cmocka_unit_test(it_asks_before_it_lets_go_and_restarts_when_told),
        cmocka_unit_test(without_an_answer_in_time_it_restarts),
        cmocka_unit_test(a_drain_goes_on_until_its_tasks_are_taken),
        cmocka_unit_test(a_drain_that_takes_too_long_releases_what_is_left),
        cmocka_unit_test(a_drained_worker_stays_unless_it_is_told_to_go),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
