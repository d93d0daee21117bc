/* tests/unit/coordinator/test_core.c — from a Sync to an assignment and back, leads that come and
 * go, and who is answered when. */
#include "tests/support/core_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_submitted_topology_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
