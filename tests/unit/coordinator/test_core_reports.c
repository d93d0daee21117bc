/* tests/unit/coordinator/test_core_reports.c — reports that agree with the records, run ahead of
 * them, or lag behind. */
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
    core_shell_worker(shell, "w1");
    core_shell_worker(shell, "w2");
    core_shell_run(shell, 500);
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = parts});
    core_shell_run(shell, 1000);
    return shell;
}

static void test_a_fenced_task_starts_above_what_fenced_it(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:2");
    struct shell_worker *owner = core_shell_owner(shell, "main", 0);
    shell->claims[0].epoch = 40; /* of tasks' claims, the first is partition 0's or 1's */
    shell->claims[0].instance = 1;
    uint32_t moves = shell->moves_count;
    core_shell_run(shell, 500);
    assert_int_equal(core_shell_running(shell), 2);
    assert_int_equal(shell->moves_count, moves); /* to the same worker */
    assert_ptr_equal(core_shell_owner(shell, "main", 0), owner);
    assert_int_equal(shell->claims[0].epoch, 41);
    assert_true(core_shell_told(shell, "was fenced on worker"));
    core_shell_destroy(shell);
}

/* Something claims the task again and again: the coordinator must not answer every claim at once.
 */
static void test_fencing_without_end_does_not_spin(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:1");
    uint32_t writes = shell->writes_count;
    shell->workers[0].restore_ms = shell->workers[1].restore_ms = 100000;
    for (uint32_t i = 0; i < 1000; i++) {
        for (uint32_t j = 0; j < shell->workers_count; j++)
            for (uint32_t k = 0; k < shell->workers[j].tasks_count; k++)
                shell->workers[j].tasks[k].report.state = MR_TASK_STATE_FENCED;
        core_shell_run(shell, 20);
    }
    assert_in_range(shell->writes_count - writes, 5, 20); /* in twenty seconds */
    core_shell_destroy(shell);
}

/* A worker that was cut off for longer than it is waited for, and nobody could take its task. */
static void test_a_worker_that_comes_back_keeps_what_nobody_took(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:4");
    core_shell_kill(shell, &shell->workers[1]);
    core_shell_run(shell, 3000);
    assert_int_equal(core_shell_running(shell), 4);
    uint32_t assigned = shell->assigned_count;
    shell->workers[0].cut = true;
    core_shell_run(shell, 5000);
    assert_int_equal(core_shell_topology(shell, "orders").health, MR_HEALTH_BLOCKED);
    shell->workers[0].cut = false;
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_running(shell), 4);
    assert_int_equal(shell->assigned_count, assigned);
    assert_int_equal(core_shell_topology(shell, "orders").health, MR_HEALTH_RUNNING);
    core_shell_destroy(shell);
}

static void test_a_worker_that_comes_back_loses_what_others_took(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:4");
    shell->workers[0].cut = true;
    core_shell_run(shell, 5000);
    assert_int_equal(core_shell_count(shell, &shell->workers[1], MR_TASK_ROLE_ACTIVE), 4);
    shell->workers[0].cut = false;
    core_shell_run(shell, 10000);
    assert_int_equal(core_shell_running(shell), 4);
    assert_int_equal(core_shell_count(shell, &shell->workers[0], MR_TASK_ROLE_ACTIVE), 2);
    core_shell_destroy(shell);
}

/* The records are behind: what a worker runs at a higher epoch is the truth. */
static void test_a_higher_epoch_than_recorded_is_the_truth(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:1");
    struct shell_worker *owner = core_shell_owner(shell, "main", 0);
    struct shell_worker *other = owner == shell->workers ? &shell->workers[1] : shell->workers;
    other->tasks[other->tasks_count] = owner->tasks[0];
    other->tasks[other->tasks_count].report.epoch = 9;
    other->tasks_count++;
    owner->cut = true; /* or it would ask for a higher epoch, and get it */
    shell->claims[0].epoch = 9;
    shell->claims[0].instance = other->instance;
    core_shell_take_over(shell, true);
    core_shell_run(shell, 2000);
    assert_ptr_equal(core_shell_owner(shell, "main", 0), other);
    assert_int_equal(core_shell_task(other, "main", 0)->report.epoch, 9);
    assert_true(core_shell_told(shell, "which the control topic did not know"));
    core_shell_destroy(shell);
}

/* An answer that never arrived: the task is neither lost nor taken for released. */
static void test_a_lost_answer_is_made_up_for(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:2");
    struct shell_worker *worker = &shell->workers[0];
    core_shell_user(shell, MR_ACTION_DRAIN, "w2", NULL);
    for (uint32_t i = 0; i < 40; i++) { /* it forgets what it was told, each time */
        uint32_t before = worker->tasks_count;
        core_shell_run(shell, 30);
        if (worker->tasks_count > before)
            worker->tasks_count = before;
    }
    core_shell_run(shell, 1000);
    assert_int_equal(core_shell_running(shell), 2);
    assert_int_equal(core_shell_count(shell, worker, MR_TASK_ROLE_ACTIVE), 2);
    core_shell_destroy(shell);
}

static void test_a_failed_task_stays_and_is_retried_by_resume(void **state)
{
    (void)state;
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    struct shell_worker *worker = core_shell_worker(shell, "w1");
    worker->fails_version = 1;
    core_shell_run(shell, 500);
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "main:2"});
    core_shell_run(shell, 2000);
    struct mr_core_topology orders = core_shell_topology(shell, "orders");
    assert_int_equal(orders.health, MR_HEALTH_FAILED);
    assert_string_equal(orders.reason,
                        "Task orders/main/0 on worker w1 failed: the operator cannot start");
    worker->fails_version = 0;
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_running(shell), 0);
    uint64_t handle = core_shell_user(shell, MR_ACTION_RESUME, "orders", NULL);
    assert_string_equal(shell->answers[handle].text, "2 failed tasks of orders start again.");
    core_shell_run(shell, 1000);
    assert_int_equal(core_shell_running(shell), 2);
    core_shell_destroy(shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fenced_task_starts_above_what_fenced_it),
        cmocka_unit_test(test_fencing_without_end_does_not_spin),
        cmocka_unit_test(test_a_worker_that_comes_back_keeps_what_nobody_took),
        cmocka_unit_test(test_a_worker_that_comes_back_loses_what_others_took),
        cmocka_unit_test(test_a_higher_epoch_than_recorded_is_the_truth),
        cmocka_unit_test(test_a_lost_answer_is_made_up_for),
        cmocka_unit_test(test_a_failed_task_stays_and_is_retried_by_resume),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
