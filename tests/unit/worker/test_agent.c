/* Tests of worker/agent.c, agent_reconcile.c and agent_requests.c: one rule after the other, with a
 * host that the test moves by hand. test_agent_leaving.c has its end, test_agent_faults.c all of
 * them under a bad network. */
#include "tests/unit/worker/agent_scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>
#include <string.h>

static void asks_at_once_and_opens_before_it_assigns(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_scene(&scene, false);
    agent_tick(&scene, 0);
    assert_string_equal(scene.address, "tcp://a:1");
    assert_int_equal(scene.sequence, 1);
    agent_want(&scene, 0, MR_TASK_ROLE_ACTIVE, 1);
    agent_answer(&scene);
    const struct mr_agent_command *send = agent_find_command(&scene, MR_AGENT_COMMAND_SEND);
    assert_non_null(send);
    assert_int_equal(send->request.kind, MR_REQUEST_TOPOLOGY);
    assert_int_equal(send->request.topology.version, 1);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    struct mr_reply reply = {.protocol_version = MR_PROTOCOL_VERSION, .kind = MR_REPLY_TOPOLOGY};
    reply.topology = (struct mr_topology_reply){
        .term = 3, .found = true, .name = "t", .generation = GENERATION, .version = 1};
    agent_give(&scene, &reply);
    const struct mr_agent_command *open = agent_find_command(&scene, MR_AGENT_COMMAND_OPEN);
    assert_non_null(open);
    assert_ptr_equal(open->topology, &reply.topology);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    agent_host_open(&scene.host, GENERATION, 1, false);
    agent_tick(&scene, 1);
    const struct mr_agent_command *assign = agent_find_command(&scene, MR_AGENT_COMMAND_ASSIGN);
    assert_non_null(assign);
    assert_int_equal(assign->task->epoch, 1);
    assert_true(mr_agent_contact(scene.agent, scene.now_ms).more); /* not begun yet */
    agent_host_add(&scene.host, &scene.wanted[0], MR_TASK_STATE_CLAIMING);
    agent_tick(&scene, 1);
    assert_false(mr_agent_contact(scene.agent, scene.now_ms).more);
    agent_close_scene(&scene);
}

static void a_lower_term_and_an_old_sequence_do_not_count(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_running(&scene);
    scene.wanted_count = 0;
    agent_tick(&scene, MR_AGENT_GAP_MS);
    uint64_t old = scene.sequence - 1;
    agent_answer_as(&scene, 3, old);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    agent_answer_as(&scene, 2, scene.sequence);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_ANSWERED));
    /* The deposed leader's answer sends it to another coordinator. */
    do
        agent_tick(&scene, MR_AGENT_GAP_MS);
    while (agent_find_command(&scene, MR_AGENT_COMMAND_SEND) == NULL);
    assert_string_equal(scene.address, "tcp://b:1");
    agent_answer(&scene);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    agent_close_scene(&scene);
}

static void silence_changes_nothing(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_running(&scene);
    for (int round = 0; round < 20000; round++) {
        agent_tick(&scene, MR_AGENT_GAP_MS);
        for (uint32_t index = 0; index < scene.commands.items_count; index++)
            assert_int_equal(scene.commands.items[index].kind, MR_AGENT_COMMAND_SEND);
        if (scene.commands.items_count > 0 && round % 3 == 0)
            agent_step(&scene, &(struct mr_agent_event){.kind = MR_AGENT_EVENT_BROKEN});
    }
    agent_close_scene(&scene);
}

static void released_is_said_and_answered_before_it_is_forgotten(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_running(&scene);
    scene.wanted_count = 0;
    agent_round_trip(&scene);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASING;
    agent_tick(&scene, MR_AGENT_GAP_MS); /* asks; RELEASED comes only afterwards */
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASED;
    agent_answer(&scene);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_FORGET));
    agent_tick(&scene, MR_AGENT_GAP_MS);
    const struct mr_agent_command *send = agent_find_command(&scene, MR_AGENT_COMMAND_SEND);
    assert_non_null(send);
    assert_int_equal(send->request.sync.tasks[0].state, MR_TASK_STATE_RELEASED);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_FORGET));
    agent_answer(&scene);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_FORGET));
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_CLOSE));
    agent_host_remove(&scene.host, 0);
    agent_tick(&scene, 1);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_CLOSE));
    agent_close_scene(&scene);
}

static void a_released_task_that_is_wanted_again_runs_again(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_running(&scene);
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASED;
    scene.wanted[0].epoch = 2;
    agent_round_trip(&scene);
    const struct mr_agent_command *reassign = agent_find_command(&scene, MR_AGENT_COMMAND_REASSIGN);
    assert_non_null(reassign);
    assert_int_equal(reassign->epoch, 2);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_FORGET));
    agent_close_scene(&scene);
}

static void a_higher_epoch_reassigns_and_a_lower_one_does_not(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_running(&scene);
    scene.wanted[0].epoch = 5;
    agent_round_trip(&scene);
    assert_int_equal(agent_find_command(&scene, MR_AGENT_COMMAND_REASSIGN)->epoch, 5);
    scene.host.tasks[0].epoch = 5;
    scene.wanted[0].epoch = 4;
    agent_round_trip(&scene);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_REASSIGN));
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    agent_close_scene(&scene);
}

static void a_standby_is_left_before_its_task_is_assigned(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_scene(&scene, false);
    agent_want(&scene, 0, MR_TASK_ROLE_STANDBY, 0);
    agent_host_open(&scene.host, GENERATION, 1, false);
    agent_round_trip(&scene);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_FOLLOW));
    agent_host_add(&scene.host, &scene.wanted[0], MR_TASK_STATE_FOLLOWING);
    scene.wanted[0].role = MR_TASK_ROLE_ACTIVE;
    scene.wanted[0].epoch = 4;
    agent_round_trip(&scene);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_LEAVE));
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    agent_host_remove(&scene.host, 0);
    agent_tick(&scene, 1);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_CLOSE));
    agent_close_scene(&scene);
}

static void an_active_task_becomes_a_standby_after_it_is_forgotten(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_running(&scene);
    scene.wanted[0].role = MR_TASK_ROLE_STANDBY;
    scene.wanted[0].epoch = 0;
    agent_round_trip(&scene);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    scene.host.tasks[0].state = MR_TASK_STATE_RELEASED;
    agent_round_trip(&scene);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_FORGET));
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_FOLLOW));
    agent_host_remove(&scene.host, 0);
    agent_tick(&scene, 1);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_FOLLOW));
    agent_close_scene(&scene);
}

static void another_version_starts_when_the_old_one_is_gone(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_running(&scene);
    scene.wanted[0].version = 2;
    scene.wanted[0].epoch = 2;
    agent_host_open(&scene.host, GENERATION, 2, false);
    agent_round_trip(&scene);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_REVOKE));
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_CLOSE));
    agent_host_remove(&scene.host, 0);
    agent_tick(&scene, 1);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    assert_int_equal(agent_find_command(&scene, MR_AGENT_COMMAND_CLOSE)->version, 1);
    agent_close_scene(&scene);
}

static void a_refused_version_is_reported_and_gets_no_task(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_scene(&scene, false);
    agent_want(&scene, 0, MR_TASK_ROLE_ACTIVE, 1);
    agent_host_open(&scene.host, GENERATION, 1, true);
    agent_round_trip(&scene);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_ASSIGN));
    agent_tick(&scene, MR_AGENT_GAP_MS);
    const struct mr_agent_command *send = agent_find_command(&scene, MR_AGENT_COMMAND_SEND);
    assert_int_equal(send->request.kind, MR_REQUEST_SYNC);
    assert_true(send->request.sync.topologies[0].refused);
    scene.wanted_count = 0;
    agent_answer(&scene);
    assert_non_null(agent_find_command(&scene, MR_AGENT_COMMAND_CLOSE));
    agent_close_scene(&scene);
}

static void a_name_that_is_wanted_twice_is_assigned_once(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_scene(&scene, false);
    agent_host_open(&scene.host, GENERATION, 1, false);
    agent_want(&scene, 0, MR_TASK_ROLE_STANDBY, 0);
    agent_want(&scene, 0, MR_TASK_ROLE_ACTIVE, 1);
    agent_round_trip(&scene);
    assert_int_equal(agent_count_commands(&scene, MR_AGENT_COMMAND_ASSIGN), 1);
    assert_int_equal(agent_count_commands(&scene, MR_AGENT_COMMAND_FOLLOW), 0);
    agent_close_scene(&scene);
}

static void pauses_are_said_once_and_lifted(void **state)
{
    (void)state;
    static const char *const sources[] = {"readings"};
    struct agent_scene scene;
    agent_open_running(&scene);
    scene.paused = sources;
    scene.paused_count = 1;
    agent_round_trip(&scene);
    const struct mr_agent_command *pause = agent_find_command(&scene, MR_AGENT_COMMAND_PAUSE);
    assert_non_null(pause);
    assert_int_equal(pause->sources_count, 1);
    assert_string_equal(pause->sources[0], "readings");
    agent_round_trip(&scene);
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_PAUSE));
    scene.paused_count = 0;
    agent_round_trip(&scene);
    pause = agent_find_command(&scene, MR_AGENT_COMMAND_PAUSE);
    assert_non_null(pause);
    assert_int_equal(pause->sources_count, 0);
    agent_close_scene(&scene);
}

static void questions_go_back_with_the_answer_of_their_request(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_running(&scene);
    scene.host.questions = 5;
    agent_tick(&scene, MR_AGENT_GAP_MS);
    scene.host.questions = 9; /* asked after the request was built */
    agent_answer(&scene);
    assert_int_equal(agent_find_command(&scene, MR_AGENT_COMMAND_ANSWERED)->questions, 5);
    scene.wanted_count = 0;
    agent_round_trip(&scene);
    /* What the answer wants is said before the question counts as answered. */
    assert_int_equal(scene.commands.items[0].kind, MR_AGENT_COMMAND_REVOKE);
    assert_int_equal(scene.commands.items[1].kind, MR_AGENT_COMMAND_ANSWERED);
    assert_int_equal(scene.commands.items[1].questions, 9);
    agent_close_scene(&scene);
}

static void a_changed_task_is_told_soon_but_not_too_often(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_running(&scene);
    agent_tick(&scene, MR_AGENT_GAP_MS);
    uint64_t before = scene.sequence;
    agent_tick(&scene, 100);
    assert_int_equal(scene.sequence, before); /* long poll: nothing new, nothing sent */
    scene.host.tasks[0].state = MR_TASK_STATE_FENCED;
    agent_tick(&scene, 1);
    assert_int_equal(scene.sequence, before + 1);
    scene.host.tasks[0].state = MR_TASK_STATE_CLAIMING;
    agent_tick(&scene, MR_AGENT_GAP_MS - 1);
    assert_int_equal(scene.sequence, before + 1);
    agent_tick(&scene, 3 * MR_AGENT_GAP_MS);
    assert_int_equal(scene.sequence, before + 2);
    agent_close_scene(&scene);
}

/* A state that changes all the time must not keep every answer from being the newest one's. */
static void constant_change_leaves_time_for_an_answer(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_running(&scene);
    uint64_t sent_ms = 0;
    uint64_t longest_ms = 0;
    for (int round = 0; round < 200; round++) {
        scene.host.tasks[0].seen_epoch++;
        uint64_t before = scene.sequence;
        agent_tick(&scene, 10);
        if (scene.sequence == before)
            continue;
        longest_ms = scene.now_ms - sent_ms > longest_ms && sent_ms > 0 ? scene.now_ms - sent_ms
                                                                        : longest_ms;
        sent_ms = scene.now_ms;
    }
    assert_in_range(longest_ms, MR_AGENT_GAP_MS_MAX, 2 * MR_AGENT_GAP_MS_MAX);
    agent_close_scene(&scene);
}

static void the_named_leader_is_asked_then_the_list(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_scene(&scene, false);
    agent_tick(&scene, 0);
    agent_refuse(&scene, 4, "tcp://c:1");
    agent_tick(&scene, MR_AGENT_GAP_MS);
    assert_string_equal(scene.address, "tcp://c:1"); /* at once: the first redirection */
    agent_step(&scene, &(struct mr_agent_event){.kind = MR_AGENT_EVENT_BROKEN});
    assert_null(agent_find_command(&scene, MR_AGENT_COMMAND_SEND));
    agent_tick(&scene, MR_AGENT_BACK_OFF_MS_MAX);
    assert_string_equal(scene.address, "tcp://b:1");
    agent_refuse(&scene, 4, "");
    agent_tick(&scene, MR_AGENT_BACK_OFF_MS_MAX);
    assert_string_equal(scene.address, "tcp://a:1");
    /* Term 4 was named: an answer of term 3 does not count any more. */
    agent_answer_as(&scene, 3, scene.sequence);
    assert_false(mr_agent_contact(scene.agent, scene.now_ms).answered);
    agent_tick(&scene, MR_AGENT_BACK_OFF_MS_MAX);
    agent_answer_as(&scene, 4, scene.sequence);
    assert_true(mr_agent_contact(scene.agent, scene.now_ms).answered);
    agent_close_scene(&scene);
}

/* A follower names the leader that has died, again and again; that one answers nobody. Whoever asks
 * it must be back within the two seconds that a new leader waits for its workers. */
static void a_leader_that_died_is_asked_once_between_two_followers_words(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_scene(&scene, false);
    uint64_t asked_ms = 0;
    for (uint32_t at = 0; at < 20000; at += 10) {
        agent_tick(&scene, 10);
        if (agent_find_command(&scene, MR_AGENT_COMMAND_SEND) == NULL ||
            strcmp(scene.address, "tcp://b:1") != 0)
            continue;
        if (asked_ms > 0)
            assert_in_range(scene.now_ms - asked_ms, 1,
                            MR_AGENT_RESEND_MS + MR_AGENT_BACK_OFF_MS_MAX + 50);
        asked_ms = scene.now_ms;
        agent_refuse(&scene, 4, "tcp://a:1");
    }
    assert_true(asked_ms > 18000);
    /* News of another leader is followed at once. */
    while (strcmp(scene.address, "tcp://b:1") != 0 ||
           agent_find_command(&scene, MR_AGENT_COMMAND_SEND) == NULL)
        agent_tick(&scene, 10);
    agent_refuse(&scene, 5, "tcp://c:1");
    agent_tick(&scene, MR_AGENT_GAP_MS);
    assert_string_equal(scene.address, "tcp://c:1");
    agent_close_scene(&scene);
}

/* Two that do not lead and name each other must not keep the third from being asked. */
static void who_was_named_names_nobody(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_scene(&scene, false);
    agent_tick(&scene, 0);
    agent_refuse(&scene, 4, "tcp://c:1");
    agent_tick(&scene, MR_AGENT_BACK_OFF_MS_MAX);
    assert_string_equal(scene.address, "tcp://c:1");
    agent_refuse(&scene, 4, "tcp://a:1");
    agent_tick(&scene, MR_AGENT_BACK_OFF_MS_MAX);
    assert_string_equal(scene.address, "tcp://b:1");
    agent_close_scene(&scene);
}

static void failures_back_off_up_to_a_second(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_scene(&scene, false);
    uint64_t last_ms = 0;
    for (int failure = 0; failure < 40; failure++) {
        uint64_t before = scene.sequence;
        do
            agent_tick(&scene, 1);
        while (scene.sequence == before);
        if (failure > 6)
            assert_in_range(scene.now_ms - last_ms, MR_AGENT_BACK_OFF_MS_MAX / 2,
                            MR_AGENT_BACK_OFF_MS_MAX + 1);
        last_ms = scene.now_ms;
        agent_refuse(&scene, 0, "");
    }
    agent_close_scene(&scene);
}

static void an_answer_that_does_not_come_is_asked_for_elsewhere(void **state)
{
    (void)state;
    struct agent_scene scene;
    agent_open_scene(&scene, false);
    agent_tick(&scene, 0);
    assert_string_equal(scene.address, "tcp://a:1");
    agent_tick(&scene, MR_AGENT_RESEND_MS - 1);
    assert_int_equal(scene.sequence, 1);
    agent_tick(&scene, 1);
    assert_int_equal(scene.sequence, 2);
    assert_string_equal(scene.address, "tcp://b:1");
    agent_close_scene(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asks_at_once_and_opens_before_it_assigns),
        cmocka_unit_test(a_lower_term_and_an_old_sequence_do_not_count),
        cmocka_unit_test(silence_changes_nothing),
        cmocka_unit_test(released_is_said_and_answered_before_it_is_forgotten),
        cmocka_unit_test(a_released_task_that_is_wanted_again_runs_again),
        cmocka_unit_test(a_higher_epoch_reassigns_and_a_lower_one_does_not),
        cmocka_unit_test(a_standby_is_left_before_its_task_is_assigned),
        cmocka_unit_test(an_active_task_becomes_a_standby_after_it_is_forgotten),
        cmocka_unit_test(another_version_starts_when_the_old_one_is_gone),
        cmocka_unit_test(a_refused_version_is_reported_and_gets_no_task),
        cmocka_unit_test(a_name_that_is_wanted_twice_is_assigned_once),
        cmocka_unit_test(pauses_are_said_once_and_lifted),
        cmocka_unit_test(questions_go_back_with_the_answer_of_their_request),
        cmocka_unit_test(a_changed_task_is_told_soon_but_not_too_often),
        cmocka_unit_test(constant_change_leaves_time_for_an_answer),
        cmocka_unit_test(the_named_leader_is_asked_then_the_list),
        cmocka_unit_test(a_leader_that_died_is_asked_once_between_two_followers_words),
        cmocka_unit_test(who_was_named_names_nobody),
        cmocka_unit_test(failures_back_off_up_to_a_second),
        cmocka_unit_test(an_answer_that_does_not_come_is_asked_for_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
