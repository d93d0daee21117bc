/* tests/unit/coordinator/test_core_standbys.c — where warm copies are, and what they are good for.
 */
#include "tests/support/core_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

static struct core_shell *begin(uint32_t workers, uint32_t standbys, const char *const *zones)
{
    static const char *const names[] = {"w1", "w2", "w3", "w4"};
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    for (uint32_t i = 0; i < workers; i++) {
        struct shell_worker *worker = core_shell_worker(shell, names[i]);
        (void)snprintf(worker->zone, sizeof worker->zone, "%s", zones == NULL ? "" : zones[i]);
    }
    core_shell_run(shell, 500);
    struct shell_topology topology = {
        .name = "orders", .parts = "agg*:8 map:4", .standbys_count = standbys};
    core_shell_submit(shell, &topology);
    core_shell_run(shell, 3000);
    assert_int_equal(core_shell_running(shell), 12);
    return shell;
}

static uint32_t standbys(const struct core_shell *shell)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < shell->workers_count; i++)
        if (shell->workers[i].alive)
            count += core_shell_count(shell, &shell->workers[i], MR_TASK_ROLE_STANDBY);
    return count;
}

/* The copies of a partition are on other workers than the task, and in the zones that are given. */
static void check_apart(struct core_shell *shell, uint32_t copies, bool zones)
{
    for (int32_t partition = 0; partition < 8; partition++) {
        const struct shell_worker *owner = core_shell_owner(shell, "agg", partition);
        uint32_t found = 0;
        assert_non_null(owner);
        for (uint32_t i = 0; i < shell->workers_count; i++) {
            struct shell_worker *worker = &shell->workers[i];
            const struct shell_task *task = core_shell_task(worker, "agg", partition);
            if (!worker->alive || task == NULL || task->report.role != MR_TASK_ROLE_STANDBY)
                continue;
            found++;
            assert_ptr_not_equal(worker, owner);
            if (zones)
                assert_string_not_equal(worker->zone, owner->zone);
        }
        assert_int_equal(found, copies);
    }
}

static void test_each_stateful_task_has_its_copies_elsewhere(void **state)
{
    (void)state;
    struct core_shell *shell = begin(3, 1, NULL);
    check_apart(shell, 1, false);
    assert_int_equal(standbys(shell), 8); /* none of the stateless part */
    for (uint32_t i = 0; i < 3; i++)
        assert_in_range(core_shell_count(shell, &shell->workers[i], MR_TASK_ROLE_STANDBY), 2, 3);
    core_shell_destroy(shell);
    shell = begin(3, 2, NULL);
    check_apart(shell, 2, false);
    core_shell_destroy(shell);
    shell = begin(2, 3, NULL); /* as many as there are places */
    check_apart(shell, 1, false);
    core_shell_destroy(shell);
}

static void test_copies_are_in_other_zones(void **state)
{
    (void)state;
    static const char *const zones[] = {"a", "a", "b", "b"};
    struct core_shell *shell = begin(4, 1, zones);
    check_apart(shell, 1, true);
    core_shell_destroy(shell);
}

static void test_a_lost_worker_s_tasks_go_to_their_warm_copies(void **state)
{
    (void)state;
    struct core_shell *shell = begin(3, 1, NULL);
    struct shell_worker *lost = core_shell_owner(shell, "agg", 0);
    const struct shell_worker *copy = NULL;
    for (uint32_t i = 0; i < 3; i++) {
        const struct shell_task *task = core_shell_task(&shell->workers[i], "agg", 0);
        if (task != NULL && task->report.role == MR_TASK_ROLE_STANDBY)
            copy = &shell->workers[i];
    }
    assert_non_null(copy);
    core_shell_kill(shell, lost);
    core_shell_run(shell, 1600);
    assert_ptr_equal(core_shell_owner(shell, "agg", 0), copy);
    core_shell_run(shell, 2000);
    check_apart(shell, 1, false); /* and there are new ones */
    core_shell_destroy(shell);
}

static void test_a_restarting_worker_s_tasks_go_to_warm_copies_and_others_wait(void **state)
{
    (void)state;
    struct core_shell *shell = begin(3, 1, NULL);
    struct shell_worker *worker = &shell->workers[0];
    uint32_t stateless = 0;
    for (uint32_t i = 0; i < worker->tasks_count; i++)
        stateless += worker->tasks[i].subtopology[0] == 'm';
    assert_true(stateless > 0);
    worker->leaving = MR_LEAVING_RESTART;
    core_shell_run(shell, 600);
    assert_true(worker->left);
    core_shell_kill(shell, worker);
    core_shell_run(shell, 400);
    assert_int_equal(core_shell_running(shell), 12 - stateless);
    core_shell_run(shell, 5000);
    assert_int_equal(core_shell_running(shell), 12 - stateless);
    core_shell_start(shell, worker);
    core_shell_run(shell, 500);
    assert_int_equal(core_shell_running(shell), 12);
    core_shell_run(shell, 20000);
    check_apart(shell, 1, false);
    assert_in_range(core_shell_count(shell, worker, MR_TASK_ROLE_ACTIVE), 3, 5); /* balanced */
    core_shell_destroy(shell);
}

static void test_a_new_leader_keeps_the_copies(void **state)
{
    (void)state;
    struct core_shell *shell = begin(3, 1, NULL);
    struct shell_worker *before[8];
    for (int32_t i = 0; i < 8; i++)
        for (uint32_t j = 0; j < 3; j++) {
            const struct shell_task *task = core_shell_task(&shell->workers[j], "agg", i);
            if (task != NULL && task->report.role == MR_TASK_ROLE_STANDBY)
                before[i] = &shell->workers[j];
        }
    core_shell_take_over(shell, true);
    for (uint32_t i = 0; i < 50; i++) {
        core_shell_run(shell, 100);
        for (int32_t j = 0; j < 8; j++) {
            const struct shell_task *task = core_shell_task(before[j], "agg", j);
            assert_non_null(task);
            assert_int_equal(task->report.changelog_remaining, 0); /* never started anew */
        }
    }
    core_shell_destroy(shell);
}

static void test_copies_obey_the_memory_too(void **state)
{
    (void)state;
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    core_shell_worker(shell, "w1");
    core_shell_worker(shell, "w2")->memory_bytes = 100;
    core_shell_run(shell, 500);
    struct shell_topology topology = {
        .name = "orders", .parts = "agg*:4", .memory_bytes = 1000, .standbys_count = 1};
    core_shell_submit(shell, &topology);
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_running(shell), 4);
    assert_int_equal(standbys(shell), 0);
    core_shell_destroy(shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_stateful_task_has_its_copies_elsewhere),
        cmocka_unit_test(test_copies_are_in_other_zones),
        cmocka_unit_test(test_a_lost_worker_s_tasks_go_to_their_warm_copies),
        cmocka_unit_test(test_a_restarting_worker_s_tasks_go_to_warm_copies_and_others_wait),
        cmocka_unit_test(test_a_new_leader_keeps_the_copies),
        cmocka_unit_test(test_copies_obey_the_memory_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
