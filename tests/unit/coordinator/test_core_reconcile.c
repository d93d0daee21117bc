/* tests/unit/coordinator/test_core_reconcile.c — a task's steps: revoked, released, assigned at the
 * next epoch; a warm copy first where there is state. */
#include "tests/support/core_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct core_shell *begin(uint32_t workers, const char *parts)
{
    static const char *const names[] = {"w1", "w2", "w3", "w4"};
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    for (uint32_t i = 0; i < workers; i++)
        core_shell_worker(shell, names[i]);
    core_shell_run(shell, 500);
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = parts});
    core_shell_run(shell, 1000);
    return shell;
}

static void test_a_task_is_released_before_it_is_assigned_again(void **state)
{
    (void)state;
    struct core_shell *shell = begin(1, "main:2");
    shell->workers[0].release_ms = 700;
    shell->workers[0].leaving = MR_LEAVING_DRAIN;
    core_shell_worker(shell, "w2");
    uint64_t since = shell->now_ms;
    while (core_shell_owner(shell, "main", 0) != &shell->workers[1]) {
        core_shell_run(shell, 10);
        assert_true(shell->now_ms - since < 10000);
    }
    assert_true(shell->now_ms - since >= 700);
    assert_int_equal(core_shell_task(&shell->workers[1], "main", 0)->report.epoch, 2);
    core_shell_destroy(shell);
}

static void test_state_is_warmed_up_before_it_moves(void **state)
{
    (void)state;
    struct core_shell *shell = begin(1, "agg*:4");
    struct shell_worker *second = core_shell_worker(shell, "w2");
    second->warm_ms = 3000;
    core_shell_run(shell, 2500);
    assert_int_equal(core_shell_count(shell, second, MR_TASK_ROLE_STANDBY), 2);
    assert_int_equal(core_shell_count(shell, &shell->workers[0], MR_TASK_ROLE_ACTIVE), 4);
    assert_string_equal(mr_core_task_at(shell->core, 0, shell->now_ms).moving_to, "w2");
    core_shell_run(shell, 3000);
    assert_int_equal(core_shell_count(shell, second, MR_TASK_ROLE_STANDBY), 0);
    assert_int_equal(core_shell_count(shell, second, MR_TASK_ROLE_ACTIVE), 2);
    core_shell_destroy(shell);
}

static void test_a_move_ends_when_its_target_is_gone(void **state)
{
    (void)state;
    struct core_shell *shell = begin(1, "agg*:4");
    struct shell_worker *second = core_shell_worker(shell, "w2");
    second->warm_ms = 60000;
    core_shell_run(shell, 3000);
    assert_string_equal(mr_core_task_at(shell->core, 0, shell->now_ms).moving_to, "w2");
    core_shell_kill(shell, second);
    core_shell_run(shell, 2000);
    for (uint32_t i = 0; i < mr_core_tasks_count(shell->core); i++)
        assert_string_equal(mr_core_task_at(shell->core, i, shell->now_ms).moving_to, "");
    assert_int_equal(core_shell_running(shell), 4);
    assert_int_equal(shell->moves_count, 0);
    core_shell_destroy(shell);
}

static void test_a_move_whose_source_dies_goes_on(void **state)
{
    (void)state;
    struct core_shell *shell = begin(1, "agg*:4");
    struct shell_worker *second = core_shell_worker(shell, "w2");
    second->warm_ms = 60000;
    core_shell_run(shell, 3000);
    core_shell_kill(shell, &shell->workers[0]);
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_count(shell, second, MR_TASK_ROLE_ACTIVE), 4);
    core_shell_destroy(shell);
}

/* A copy that never gets warm is given up after ten minutes; a drain goes on without. */
static void test_a_warm_up_takes_ten_minutes_at_most(void **state)
{
    (void)state;
    struct core_shell *shell = begin(1, "agg*:2");
    struct shell_worker *second = core_shell_worker(shell, "w2");
    second->warm_ms = 1u << 30;
    shell->workers[0].leaving = MR_LEAVING_DRAIN;
    core_shell_run(shell, 590000);
    assert_int_equal(core_shell_count(shell, &shell->workers[0], MR_TASK_ROLE_ACTIVE), 2);
    core_shell_run(shell, 20000);
    assert_int_equal(core_shell_count(shell, second, MR_TASK_ROLE_ACTIVE), 2);
    core_shell_destroy(shell);
}

static void test_moves_are_bounded(void **state)
{
    (void)state;
    struct core_shell *shell = begin(1, "agg*:40");
    core_shell_worker(shell, "w2")->warm_ms = 2000;
    uint32_t most = 0;
    for (uint32_t i = 0; i < 1200; i++) {
        core_shell_run(shell, 10);
        uint32_t moving = 0;
        for (uint32_t j = 0; j < mr_core_tasks_count(shell->core); j++)
            moving += mr_core_task_at(shell->core, j, shell->now_ms).moving_to[0] != '\0';
        most = moving > most ? moving : most;
    }
    assert_int_equal(most, 8);
    assert_int_equal(core_shell_count(shell, &shell->workers[1], MR_TASK_ROLE_ACTIVE), 20);
    core_shell_destroy(shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_task_is_released_before_it_is_assigned_again),
        cmocka_unit_test(test_state_is_warmed_up_before_it_moves),
        cmocka_unit_test(test_a_move_ends_when_its_target_is_gone),
        cmocka_unit_test(test_a_move_whose_source_dies_goes_on),
        cmocka_unit_test(test_a_warm_up_takes_ten_minutes_at_most),
        cmocka_unit_test(test_moves_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
