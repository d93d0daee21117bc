/* tests/unit/coordinator/test_core.c — from a Sync to an assignment and back, leads that come and
 * go, and who is answered when. */
#include "tests/support/core_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct core_shell *two_workers(uint32_t tasks)
{
    struct core_shell *shell = core_shell_create(NULL);
    char parts[32];
    (void)snprintf(parts, sizeof parts, "main:%u", tasks);
    core_shell_lead(shell);
    core_shell_worker(shell, "w1");
    core_shell_worker(shell, "w2");
    core_shell_run(shell, 500);
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = parts});
    core_shell_run(shell, 800);
    assert_int_equal(core_shell_running(shell), tasks);
    return shell;
}

static void test_a_submitted_topology_runs(void **state)
{
    (void)state;
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    core_shell_worker(shell, "w1");
    core_shell_worker(shell, "w2");
    core_shell_run(shell, 500);
    uint64_t handle =
        core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "main:4"});
    assert_int_equal(shell->answers[handle].code, 0);
    core_shell_run(shell, 600);
    assert_int_equal(shell->answers[handle].code, 200);
    assert_string_equal(shell->answers[handle].text, "Version 1 of topology orders is active.");
    assert_int_equal(core_shell_running(shell), 4);
    assert_int_equal(core_shell_count(shell, &shell->workers[0], MR_TASK_ROLE_ACTIVE), 2);
    assert_int_equal(core_shell_topology(shell, "orders").health, MR_HEALTH_RUNNING);
    assert_int_equal(core_shell_records(shell, "task/"), 4);
    core_shell_destroy(shell);
}

static void test_another_leader_stops_nothing(void **state)
{
    (void)state;
    struct core_shell *shell = two_workers(8);
    uint32_t assigned = shell->assigned_count;
    for (uint32_t i = 0; i < 5; i++) {
        core_shell_take_over(shell, true);
        for (uint32_t j = 0; j < 50; j++) {
            core_shell_run(shell, 100);
            assert_int_equal(core_shell_running(shell), 8);
        }
    }
    assert_int_equal(shell->assigned_count, assigned);
    assert_int_equal(mr_core_term(shell->core), 6);
    core_shell_destroy(shell);
}

static void test_what_is_not_heard_of_goes_elsewhere_after_the_take_over(void **state)
{
    (void)state;
    struct core_shell *shell = two_workers(8);
    core_shell_kill(shell, &shell->workers[0]);
    core_shell_take_over(shell, true);
    core_shell_run(shell, 1800); /* it listens */
    assert_int_equal(core_shell_running(shell), 4);
    core_shell_run(shell, 1000);
    assert_int_equal(core_shell_running(shell), 8);
    assert_true(core_shell_told(shell, "was not heard of"));
    core_shell_destroy(shell);
}

static void test_a_write_that_was_lost_is_decided_anew(void **state)
{
    (void)state;
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    core_shell_worker(shell, "w1");
    core_shell_run(shell, 300);
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "main:4"});
    assert_true(shell->write_id != 0);
    core_shell_take_over(shell, false);
    core_shell_run(shell, 500);
    assert_int_equal(mr_core_topologies_count(shell->core), 0);
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "main:4"});
    core_shell_run(shell, 10); /* the version is committed, the tasks' records are on their way */
    assert_true(shell->write_id != 0);
    core_shell_take_over(shell, false);
    core_shell_run(shell, 3000);
    assert_int_equal(core_shell_running(shell), 4);
    core_shell_destroy(shell);
}

static void test_a_follower_refuses_and_drops(void **state)
{
    (void)state;
    struct core_shell *shell = two_workers(4);
    core_shell_run(shell, 100);
    uint32_t refused = shell->refused_count;
    struct mr_arena arena;
    mr_arena_init(&arena, 1024);
    core_shell_follow(shell);
    assert_true(shell->refused_count >= refused + 2); /* what was kept */
    struct mr_sync_request sync = {.cluster = "test", .worker = "w1", .instance = 5, .sequence = 1};
    struct mr_core_event event = {.kind = MR_CORE_SYNC, .handle = 99999, .sync = &sync};
    struct mr_core_commands commands = mr_core_step(shell->core, &event, shell->now_ms);
    assert_int_equal(commands.items_count, 1);
    assert_int_equal(commands.items[0].reply.kind, MR_REPLY_REFUSED);
    assert_int_equal(commands.items[0].reply.refused.refusal, MR_REFUSAL_NOT_LEADER);
    uint64_t handle = core_shell_user(shell, MR_ACTION_PAUSE, "orders", NULL);
    assert_int_equal(shell->answers[handle].code, 503);
    mr_arena_deinit(&arena);
    core_shell_destroy(shell);
}

static void test_commands_under_way_are_answered_when_the_lead_is_lost(void **state)
{
    (void)state;
    struct core_shell *shell = two_workers(4);
    uint64_t submit =
        core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "main:5"});
    uint64_t drain = core_shell_user(shell, MR_ACTION_DRAIN, "w1", NULL);
    core_shell_follow(shell);
    assert_int_equal(shell->answers[submit].code, 503);
    assert_int_equal(shell->answers[drain].code, 503);
    core_shell_destroy(shell);
}

static void test_a_suspended_leader_refuses_and_forgets_nothing(void **state)
{
    (void)state;
    struct core_shell *shell = two_workers(8);
    core_shell_run(shell, 100);
    uint32_t refused = shell->refused_count;
    uint32_t assigned = shell->assigned_count;
    core_shell_suspend(shell, 0);
    assert_true(shell->refused_count >= refused + 2); /* what was kept */
    core_shell_suspend(shell, 10000);
    assert_false(core_shell_told(shell, "leads no more"));
    for (uint32_t i = 0; i < 50; i++) {
        core_shell_run(shell, 100);
        assert_int_equal(core_shell_running(shell), 8);
    }
    assert_int_equal(shell->assigned_count, assigned);
    assert_false(core_shell_told(shell, "is gone"));
    core_shell_destroy(shell);
}

/* Nobody was listened to: silence counts from the end of the suspension and its patience. */
static void test_a_worker_that_dies_meanwhile_is_missed_afterwards(void **state)
{
    (void)state;
    struct core_shell *shell = two_workers(8);
    core_shell_kill(shell, &shell->workers[0]);
    core_shell_suspend(shell, 5000);
    core_shell_run(shell, 1800);
    assert_int_equal(core_shell_running(shell), 4);
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_running(shell), 8);
    core_shell_destroy(shell);
}

static void test_a_command_is_answered_behind_a_suspension(void **state)
{
    (void)state;
    struct core_shell *shell = two_workers(4);
    shell->write_ms = 3000;
    uint64_t drain = core_shell_user(shell, MR_ACTION_DRAIN, "w1", NULL);
    core_shell_suspend(shell, 5000);
    core_shell_run(shell, 200);
    assert_int_equal(shell->answers[drain].code, 202);
    core_shell_destroy(shell);
}

static void test_a_sync_without_news_is_kept_for_a_while(void **state)
{
    (void)state;
    struct core_shell *shell = two_workers(4);
    core_shell_run(shell, 3000);
    uint32_t answers = shell->workers[0].answers_count;
    core_shell_run(shell, 10000);
    answers = shell->workers[0].answers_count - answers;
    assert_in_range(answers, 33, 55); /* every 250 ms, a tick early; 10 ms between two */
    core_shell_destroy(shell);
}

static void test_other_clusters_and_higher_terms_are_refused(void **state)
{
    (void)state;
    struct core_shell *shell = two_workers(4);
    struct mr_sync_request sync = {.cluster = "other", .worker = "w9", .sequence = 1};
    struct mr_core_event event = {.kind = MR_CORE_SYNC, .handle = 99999, .sync = &sync};
    struct mr_core_commands commands = mr_core_step(shell->core, &event, shell->now_ms);
    assert_int_equal(commands.items[0].reply.refused.refusal, MR_REFUSAL_WRONG_CLUSTER);
    sync.cluster = "test";
    sync.term = 2;
    commands = mr_core_step(shell->core, &event, shell->now_ms);
    assert_int_equal(commands.items[0].reply.refused.refusal, MR_REFUSAL_NOT_LEADER);
    assert_int_equal(mr_core_workers_count(shell->core), 2);
    core_shell_destroy(shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_submitted_topology_runs),
        cmocka_unit_test(test_another_leader_stops_nothing),
        cmocka_unit_test(test_what_is_not_heard_of_goes_elsewhere_after_the_take_over),
        cmocka_unit_test(test_a_write_that_was_lost_is_decided_anew),
        cmocka_unit_test(test_a_follower_refuses_and_drops),
        cmocka_unit_test(test_commands_under_way_are_answered_when_the_lead_is_lost),
        cmocka_unit_test(test_a_suspended_leader_refuses_and_forgets_nothing),
        cmocka_unit_test(test_a_worker_that_dies_meanwhile_is_missed_afterwards),
        cmocka_unit_test(test_a_command_is_answered_behind_a_suspension),
        cmocka_unit_test(test_a_sync_without_news_is_kept_for_a_while),
        cmocka_unit_test(test_other_clusters_and_higher_terms_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
