/* tests/unit/coordinator/test_core_write.c — decisions on their way: one transaction at a time, all
 * of a step in one, and nothing told before. */
#include "tests/support/core_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct core_shell *begin(void)
{
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    core_shell_worker(shell, "w1");
    core_shell_run(shell, 300);
    return shell;
}

static void test_a_step_s_decisions_are_one_transaction(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "main:9"});
    assert_int_equal(shell->write_count, 2); /* the version and what makes it active */
    core_shell_run(shell, 10);
    assert_int_equal(shell->write_count, 9); /* all tasks */
    core_shell_run(shell, 2000);
    assert_int_equal(shell->writes_count, 2);
    core_shell_destroy(shell);
}

static void test_what_is_decided_meanwhile_waits(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    shell->write_ms = 500;
    core_shell_submit(shell, &(struct shell_topology){.name = "one", .parts = "main:1"});
    core_shell_submit(shell, &(struct shell_topology){.name = "two", .parts = "main:1"});
    core_shell_submit(shell, &(struct shell_topology){.name = "three", .parts = "main:1"});
    assert_int_equal(shell->writes_count, 1);
    assert_int_equal(shell->write_count, 2);
    core_shell_run(shell, 500);
    assert_int_equal(shell->writes_count, 2);
    assert_int_equal(shell->write_count, 5); /* two topologies, and the first one's task */
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_running(shell), 3);
    core_shell_destroy(shell);
}

static void test_nothing_is_told_before_it_is_written(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    shell->write_ms = 3000;
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "main:2"});
    core_shell_run(shell, 5900);
    assert_int_equal(shell->workers[0].tasks_count, 0);
    core_shell_run(shell, 500);
    assert_int_equal(core_shell_running(shell), 2);
    core_shell_destroy(shell);
}

static void test_after_a_failure_nothing_is_written(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "main:2"});
    struct mr_core_event failed = {.kind = MR_CORE_WRITTEN, .id = shell->write_id, .failed = true};
    mr_core_step(shell->core, &failed, shell->now_ms);
    struct mr_core_event tick = {.kind = MR_CORE_TICK};
    for (uint32_t i = 1; i < 20; i++) {
        struct mr_core_commands commands =
            mr_core_step(shell->core, &tick, shell->now_ms + i * 100);
        for (uint32_t j = 0; j < commands.items_count; j++)
            assert_int_not_equal(commands.items[j].kind, MR_COMMAND_WRITE);
    }
    core_shell_follow(shell);
    assert_int_equal(mr_core_topologies_count(shell->core), 0);
    core_shell_destroy(shell);
}

static void test_what_another_lead_wrote_does_not_count(void **state)
{
    (void)state;
    struct core_shell *shell = begin();
    core_shell_submit(shell, &(struct shell_topology){.name = "orders", .parts = "main:2"});
    struct mr_core_event written = {.kind = MR_CORE_WRITTEN, .id = shell->write_id};
    core_shell_follow(shell);
    core_shell_lead(shell);
    mr_core_step(shell->core, &written, shell->now_ms);
    assert_int_equal(mr_core_topologies_count(shell->core), 0);
    core_shell_destroy(shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_step_s_decisions_are_one_transaction),
        cmocka_unit_test(test_what_is_decided_meanwhile_waits),
        cmocka_unit_test(test_nothing_is_told_before_it_is_written),
        cmocka_unit_test(test_after_a_failure_nothing_is_written),
        cmocka_unit_test(test_what_another_lead_wrote_does_not_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
