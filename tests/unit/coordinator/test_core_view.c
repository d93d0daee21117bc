/* tests/unit/coordinator/test_core_view.c — health and its reasons, workers, tasks. */
#include "tests/support/core_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct core_shell *begin(const char *parts)
{
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    struct shell_worker *worker = core_shell_worker(shell, "w1");
    worker->memory_bytes = 5000;
    core_shell_run(shell, 300);
    struct shell_topology topology = {.name = "orders", .parts = parts, .memory_bytes = 3000};
    core_shell_submit(shell, &topology);
    core_shell_run(shell, 100);
    return shell;
}

static enum mr_core_health health(const struct core_shell *shell)
{
    return core_shell_topology(shell, "orders").health;
}

static const char *reason(const struct core_shell *shell)
{
    return core_shell_topology(shell, "orders").reason;
}

static void test_starting_then_running(void **state)
{
    (void)state;
    struct core_shell *shell = begin("agg*:2");
    shell->workers[0].tasks[0].report.state = MR_TASK_STATE_RESTORING;
    shell->workers[0].tasks[0].until_ms = shell->now_ms + 4000;
    core_shell_run(shell, 2000);
    assert_int_equal(health(shell), MR_HEALTH_STARTING);
    assert_non_null(strstr(reason(shell), "on worker w1 "));
    core_shell_run(shell, 4000);
    assert_int_equal(health(shell), MR_HEALTH_RUNNING);
    assert_int_equal(core_shell_topology(shell, "orders").lag, 0);
    assert_int_equal(core_shell_topology(shell, "orders").tasks_running, 2);
    core_shell_destroy(shell);
}

static void test_lag_without_commits_is_stalled(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:2");
    core_shell_run(shell, 12000);
    shell->workers[0].lag = 500;
    shell->workers[0].idle_ms = 200; /* it commits */
    core_shell_run(shell, 1000);
    assert_int_equal(health(shell), MR_HEALTH_RUNNING);
    assert_int_equal(core_shell_topology(shell, "orders").lag, 1000);
    shell->workers[0].idle_ms = 15000;
    core_shell_run(shell, 1000);
    assert_int_equal(health(shell), MR_HEALTH_STALLED);
    assert_string_equal(reason(shell), "Task orders/main/0 on worker w1 has 500 records to read "
                                       "and has committed none for 15000 ms.");
    shell->workers[0].lag = 0;
    core_shell_run(shell, 1000);
    assert_int_equal(health(shell), MR_HEALTH_RUNNING);
    core_shell_destroy(shell);
}

static void test_a_claim_that_takes_too_long_is_stalled(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:1");
    shell->workers[0].tasks[0].report.state = MR_TASK_STATE_CLAIMING;
    core_shell_run(shell, 5000);
    assert_int_equal(health(shell), MR_HEALTH_STARTING);
    core_shell_run(shell, 8000);
    assert_int_equal(health(shell), MR_HEALTH_STALLED);
    assert_non_null(
        strstr(reason(shell), "Task orders/main/0 on worker w1 is being claimed since"));
    core_shell_destroy(shell);
}

static void test_a_long_restore_is_not_stalled(void **state)
{
    (void)state;
    struct core_shell *shell = begin("agg*:1");
    core_shell_run(shell, 100);
    shell->workers[0].tasks[0].report.state = MR_TASK_STATE_RESTORING;
    shell->workers[0].tasks[0].until_ms = UINT64_MAX;
    shell->workers[0].tasks[0].report.changelog_remaining = 4711;
    core_shell_run(shell, 60000);
    assert_int_equal(health(shell), MR_HEALTH_STARTING);
    assert_non_null(strstr(reason(shell), "4711 records are left"));
    core_shell_destroy(shell);
}

static void test_workers_and_tasks(void **state)
{
    (void)state;
    struct core_shell *shell = begin("a:1 b:2");
    shell->workers[0].load_us = 1000;
    core_shell_run(shell, 2000);
    struct mr_core_worker worker = mr_core_worker_at(shell->core, 0, shell->now_ms);
    assert_string_equal(worker.name, "w1");
    assert_int_equal(worker.active_count, 3);
    assert_int_equal(worker.memory_planned_bytes, 3000);
    assert_int_equal(worker.memory_bytes, 5000);
    assert_int_equal(worker.load_us, 3000);
    assert_true(worker.silent_ms <= 300);
    assert_int_equal(mr_core_tasks_count(shell->core), 3);
    struct mr_core_task task = mr_core_task_at(shell->core, 2, shell->now_ms);
    assert_string_equal(task.name.subtopology, "b");
    assert_int_equal(task.name.partition, 1);
    assert_string_equal(task.worker, "w1");
    assert_string_equal(task.blocked, "");
    assert_true(task.reported);
    assert_int_equal(task.report.state, MR_TASK_STATE_RUNNING);
    core_shell_destroy(shell);
}

static void test_a_task_that_waits_for_a_restart_says_so(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:1");
    core_shell_run(shell, 500);
    shell->workers[0].leaving = MR_LEAVING_RESTART;
    core_shell_run(shell, 1000);
    struct mr_core_task task = mr_core_task_at(shell->core, 0, shell->now_ms);
    assert_string_equal(task.worker, "");
    assert_string_equal(task.blocked, "It waits for worker w1, which restarts.");
    core_shell_destroy(shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_starting_then_running),
        cmocka_unit_test(test_lag_without_commits_is_stalled),
        cmocka_unit_test(test_a_claim_that_takes_too_long_is_stalled),
        cmocka_unit_test(test_a_long_restore_is_not_stalled),
        cmocka_unit_test(test_workers_and_tasks),
        cmocka_unit_test(test_a_task_that_waits_for_a_restart_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
