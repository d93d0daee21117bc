/* tests/unit/coordinator/test_core_workers.c — who is there: silence, connections, instances, the
 * three ways to leave. */
#include "tests/support/core_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

enum { TASKS = 12 };

static struct core_shell *three_workers(const char *parts)
{
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    core_shell_worker(shell, "w1");
    core_shell_worker(shell, "w2");
    core_shell_worker(shell, "w3");
    core_shell_run(shell, 500);
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = parts});
    core_shell_run(shell, 1000);
    assert_int_equal(core_shell_running(shell), TASKS);
    return shell;
}

/* How long until all tasks run again. */
static uint64_t until_all_run(struct core_shell *shell)
{
    uint64_t since = shell->now_ms;
    while (core_shell_running(shell) < TASKS && shell->now_ms - since < 60000)
        core_shell_run(shell, 10);
    return shell->now_ms - since;
}

static enum mr_worker_state state_of(const struct core_shell *shell, const char *name)
{
    for (uint32_t i = 0; i < mr_core_workers_count(shell->core); i++)
        if (strcmp(mr_core_worker_at(shell->core, i, shell->now_ms).name, name) == 0)
            return mr_core_worker_at(shell->core, i, shell->now_ms).state;
    return (enum mr_worker_state)99;
}

static void test_a_silent_worker_is_replaced_within_a_second(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("main:12");
    core_shell_kill(shell, &shell->workers[1]);
    uint32_t moves = shell->moves_count;
    assert_in_range(until_all_run(shell), 500, 1400);
    assert_int_equal(shell->moves_count - moves, 4);
    assert_int_equal(state_of(shell, "w2"), MR_WORKER_GONE);
    assert_true(core_shell_told(shell, "Worker w2 is gone (it is silent"));
    core_shell_destroy(shell);
}

static void test_a_closed_connection_is_half_as_long(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("main:12");
    core_shell_kill(shell, &shell->workers[1]);
    core_shell_close(shell, &shell->workers[1]);
    assert_in_range(until_all_run(shell), 400, 800);
    assert_true(core_shell_told(shell, "its connection closed"));
    core_shell_destroy(shell);
}

static void test_a_connection_that_comes_back_is_no_loss(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("main:12");
    uint32_t assigned = shell->assigned_count;
    core_shell_close(shell, &shell->workers[1]);
    core_shell_run(shell, 3000);
    assert_int_equal(shell->assigned_count, assigned);
    assert_int_equal(core_shell_running(shell), TASKS);
    core_shell_destroy(shell);
}

static void test_a_new_instance_replaces_the_old_one_at_once(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("main:12");
    uint32_t moves = shell->moves_count;
    core_shell_kill(shell, &shell->workers[1]);
    core_shell_start(shell, &shell->workers[1]);
    assert_in_range(until_all_run(shell), 20, 300);
    assert_int_equal(shell->moves_count, moves);
    assert_int_equal(core_shell_count(shell, &shell->workers[1], MR_TASK_ROLE_ACTIVE), 4);
    core_shell_destroy(shell);
}

/* Two processes under one name: the later one has the tasks, the other gets nothing, slowly. */
static void test_a_replaced_instance_gets_nothing_and_cannot_spin(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("main:12");
    struct shell_worker *twin = core_shell_worker(shell, "w2");
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_running(shell), TASKS);
    assert_int_equal(core_shell_count(shell, &shell->workers[1], MR_TASK_ROLE_ACTIVE), 0);
    assert_int_equal(core_shell_count(shell, twin, MR_TASK_ROLE_ACTIVE), 4);
    uint32_t answers = shell->workers[1].answers_count;
    core_shell_run(shell, 10000);
    assert_in_range(shell->workers[1].answers_count - answers, 25, 55);
    core_shell_kill(shell, twin); /* then the other one is as good */
    core_shell_run(shell, 5000);
    assert_int_equal(core_shell_running(shell), TASKS);
    assert_true(core_shell_count(shell, &shell->workers[1], MR_TASK_ROLE_ACTIVE) > 0);
    core_shell_destroy(shell);
}

static void test_an_announced_restart_moves_nothing(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("agg*:12");
    uint32_t moves = shell->moves_count;
    for (uint32_t i = 0; i < 3; i++) {
        struct shell_worker *worker = &shell->workers[i];
        worker->leaving = MR_LEAVING_RESTART;
        uint64_t since = shell->now_ms;
        while (!worker->left && shell->now_ms - since < 5000)
            core_shell_run(shell, 10);
        assert_true(worker->left);
        assert_in_range(shell->now_ms - since, 20, 700);
        assert_int_equal(state_of(shell, worker->name), MR_WORKER_RESTARTING);
        assert_int_equal(core_shell_running(shell), TASKS - 4); /* the others' go on */
        core_shell_kill(shell, worker);
        core_shell_close(shell, worker);
        core_shell_run(shell, 8000);
        assert_int_equal(core_shell_running(shell), TASKS - 4);
        core_shell_start(shell, worker);
        assert_in_range(until_all_run(shell), 10, 300);
        assert_int_equal(state_of(shell, worker->name), MR_WORKER_PRESENT);
    }
    assert_int_equal(shell->moves_count, moves);
    core_shell_destroy(shell);
}

static void test_nothing_is_balanced_while_somebody_restarts(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("main:12");
    shell->workers[0].leaving = MR_LEAVING_RESTART;
    core_shell_run(shell, 500);
    core_shell_kill(shell, &shell->workers[0]);
    core_shell_worker(shell, "w4");
    core_shell_run(shell, 10000);
    assert_int_equal(shell->moves_count, 0);
    core_shell_start(shell, &shell->workers[0]);
    core_shell_run(shell, 5000);
    assert_int_equal(shell->moves_count, 3);
    core_shell_destroy(shell);
}

static void test_the_grace_of_a_restart_ends(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("main:12");
    shell->workers[0].leaving = MR_LEAVING_RESTART;
    core_shell_run(shell, 500);
    core_shell_kill(shell, &shell->workers[0]);
    core_shell_run(shell, 29000);
    assert_int_equal(core_shell_running(shell), TASKS - 4);
    core_shell_run(shell, 1500);
    assert_int_equal(core_shell_running(shell), TASKS);
    assert_int_equal(state_of(shell, "w1"), MR_WORKER_GONE);
    assert_true(core_shell_told(shell, "did not come back within 30000 ms"));
    core_shell_destroy(shell);
}

static void test_a_leaving_worker_is_emptied_first(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("agg*:12");
    struct shell_worker *worker = &shell->workers[0];
    worker->leaving = MR_LEAVING_DRAIN;
    while (!worker->left) {
        core_shell_run(shell, 10);
        assert_in_range(core_shell_running(shell), TASKS - 4, TASKS);
        assert_true(shell->now_ms < 60000);
    }
    core_shell_run(shell, 200);
    assert_int_equal(core_shell_running(shell), TASKS);
    assert_int_equal(core_shell_count(shell, worker, MR_TASK_ROLE_ACTIVE), 0);
    core_shell_kill(shell, worker);
    core_shell_run(shell, 2000);
    assert_true(core_shell_told(shell, "Worker w1 has left."));
    core_shell_destroy(shell);
}

static void test_the_last_worker_may_leave(void **state)
{
    (void)state;
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    struct shell_worker *worker = core_shell_worker(shell, "w1");
    core_shell_run(shell, 500);
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "agg*:4"});
    core_shell_run(shell, 1000);
    worker->leaving = MR_LEAVING_DRAIN;
    core_shell_run(shell, 1500);
    assert_true(worker->left);
    assert_int_equal(core_shell_topology(shell, "orders").health, MR_HEALTH_BLOCKED);
    core_shell_destroy(shell);
}

static void test_a_user_drains_and_undrains(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("main:12");
    uint64_t handle = core_shell_user(shell, MR_ACTION_DRAIN, "w1", NULL);
    core_shell_run(shell, 100);
    assert_int_equal(shell->answers[handle].code, 202);
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_count(shell, &shell->workers[0], MR_TASK_ROLE_ACTIVE), 0);
    assert_int_equal(core_shell_running(shell), TASKS);
    assert_int_equal(state_of(shell, "w1"), MR_WORKER_DRAINING);
    assert_true(shell->workers[0].left); /* it may end: with --exit-when-drained it does */
    core_shell_take_over(shell, true);   /* another leader knows */
    core_shell_run(shell, 5000);
    assert_int_equal(core_shell_count(shell, &shell->workers[0], MR_TASK_ROLE_ACTIVE), 0);
    handle = core_shell_user(shell, MR_ACTION_DRAIN, "w1", NULL);
    assert_string_equal(shell->answers[handle].text, "Worker w1 is drained already.");
    handle = core_shell_user(shell, MR_ACTION_UNDRAIN, "w1", NULL);
    core_shell_run(shell, 5000);
    assert_int_equal(shell->answers[handle].code, 200);
    assert_int_equal(core_shell_count(shell, &shell->workers[0], MR_TASK_ROLE_ACTIVE), 4);
    assert_int_equal(core_shell_records(shell, "drain/"), 0);
    handle = core_shell_user(shell, MR_ACTION_DRAIN, "w7", NULL);
    assert_int_equal(shell->answers[handle].code, 404);
    core_shell_destroy(shell);
}

static void test_old_sequences_change_nothing(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("main:12");
    const struct shell_worker *worker = &shell->workers[0];
    struct mr_sync_request sync = {.cluster = "test",
                                   .worker = "w1",
                                   .instance = worker->instance,
                                   .sequence = worker->sequence - 2,
                                   .zone = "",
                                   .http = "",
                                   .build = "",
                                   .leaving = MR_LEAVING_RESTART};
    struct mr_core_event event = {.kind = MR_CORE_SYNC, .handle = 99999, .sync = &sync};
    struct mr_core_commands commands = mr_core_step(shell->core, &event, shell->now_ms);
    assert_int_equal(commands.items_count, 1);
    assert_int_equal(commands.items[0].handle, 99999);
    assert_int_equal(commands.items[0].reply.sync.sequence, sync.sequence);
    assert_int_equal(commands.items[0].reply.sync.tasks_count, 4);
    core_shell_run(shell, 3000);
    assert_int_equal(core_shell_running(shell), TASKS);
    core_shell_destroy(shell);
}

/* What is sent twice is answered twice. */
static void test_a_repeated_sync_is_answered_again(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("main:12");
    const struct shell_worker *worker = &shell->workers[0];
    struct mr_sync_request sync = {.cluster = "test",
                                   .worker = "w1",
                                   .instance = worker->instance,
                                   .sequence = worker->sequence};
    struct mr_core_event event = {.kind = MR_CORE_SYNC, .handle = 99999, .sync = &sync};
    struct mr_core_commands commands = mr_core_step(shell->core, &event, shell->now_ms);
    assert_in_range(commands.items_count, 1, 2);
    const struct mr_core_command *last = &commands.items[commands.items_count - 1];
    assert_int_equal(last->handle, 99999);
    assert_int_equal(last->reply.sync.tasks_count, 4);
    core_shell_destroy(shell);
}

static void test_a_worker_that_is_gone_is_forgotten(void **state)
{
    (void)state;
    struct core_shell *shell = three_workers("main:12");
    core_shell_kill(shell, &shell->workers[2]);
    core_shell_run(shell, 590000);
    assert_int_equal(mr_core_workers_count(shell->core), 3);
    core_shell_run(shell, 20000);
    assert_int_equal(mr_core_workers_count(shell->core), 2);
    core_shell_destroy(shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_silent_worker_is_replaced_within_a_second),
        cmocka_unit_test(test_a_closed_connection_is_half_as_long),
        cmocka_unit_test(test_a_connection_that_comes_back_is_no_loss),
        cmocka_unit_test(test_a_new_instance_replaces_the_old_one_at_once),
        cmocka_unit_test(test_a_replaced_instance_gets_nothing_and_cannot_spin),
        cmocka_unit_test(test_an_announced_restart_moves_nothing),
        cmocka_unit_test(test_nothing_is_balanced_while_somebody_restarts),
        cmocka_unit_test(test_the_grace_of_a_restart_ends),
        cmocka_unit_test(test_a_leaving_worker_is_emptied_first),
        cmocka_unit_test(test_the_last_worker_may_leave),
        cmocka_unit_test(test_a_user_drains_and_undrains),
        cmocka_unit_test(test_old_sequences_change_nothing),
        cmocka_unit_test(test_a_repeated_sync_is_answered_again),
        cmocka_unit_test(test_a_worker_that_is_gone_is_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
