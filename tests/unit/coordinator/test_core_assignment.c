/* tests/unit/coordinator/test_core_assignment.c — who gets what: few moves, even loads, limits. */
#include "tests/support/core_shell.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static struct core_shell *begin(uint32_t workers)
{
    static const char *const names[] = {"w1", "w2", "w3", "w4", "w5", "w6"};
    struct core_shell *shell = core_shell_create(NULL);
    core_shell_lead(shell);
    for (uint32_t i = 0; i < workers; i++)
        core_shell_worker(shell, names[i]);
    core_shell_run(shell, 500);
    return shell;
}

static void submit(struct core_shell *shell, const char *name, const char *parts,
                   uint64_t memory_bytes)
{
    struct shell_topology topology = {.name = name, .parts = parts, .memory_bytes = memory_bytes};
    core_shell_submit(shell, &topology);
    core_shell_run(shell, 1500);
}

static uint32_t actives(const struct core_shell *shell, uint32_t worker)
{
    return core_shell_count(shell, &shell->workers[worker], MR_TASK_ROLE_ACTIVE);
}

static void test_a_fourth_worker_takes_twelve_of_48(void **state)
{
    (void)state;
    struct core_shell *shell = begin(3);
    submit(shell, "orders", "main:48", 0);
    uint32_t moves = shell->moves_count;
    uint32_t assigned = shell->assigned_count;
    core_shell_worker(shell, "w4");
    for (uint32_t i = 0; i < 1000; i++) {
        core_shell_run(shell, 10);
        assert_true(core_shell_running(shell) >= 48 - 8); /* moves_max at a time */
    }
    for (uint32_t i = 0; i < 4; i++)
        assert_int_equal(actives(shell, i), 12);
    assert_int_equal(shell->moves_count - moves, 12);
    assert_int_equal(shell->assigned_count - assigned, 12); /* no other was touched */
    core_shell_destroy(shell);
}

static void test_a_lost_worker_costs_its_own_tasks_only(void **state)
{
    (void)state;
    struct core_shell *shell = begin(4);
    submit(shell, "orders", "main:48", 0);
    uint32_t assigned = shell->assigned_count;
    core_shell_kill(shell, &shell->workers[2]);
    core_shell_run(shell, 10000);
    assert_int_equal(shell->assigned_count - assigned, 12);
    assert_int_equal(actives(shell, 0) + actives(shell, 1) + actives(shell, 3), 48);
    assert_int_equal(actives(shell, 0), 16);
    core_shell_destroy(shell);
}

static void test_threads_are_capacity(void **state)
{
    (void)state;
    struct core_shell *shell = begin(2);
    shell->workers[1].threads_count = 6;
    core_shell_run(shell, 500);
    submit(shell, "orders", "main:16", 0);
    assert_int_equal(actives(shell, 0), 4);
    assert_int_equal(actives(shell, 1), 12);
    core_shell_destroy(shell);
}

static void test_noise_in_loads_moves_nothing(void **state)
{
    (void)state;
    struct core_shell *shell = begin(3);
    struct mr_random random;
    mr_random_init(&random, 3, 0);
    submit(shell, "orders", "main:30", 0);
    uint32_t assigned = shell->assigned_count;
    for (uint32_t i = 0; i < 3000; i++) {
        for (uint32_t j = 0; j < 3; j++)
            shell->workers[j].load_us = 60000 + mr_random_below(&random, 60000);
        core_shell_run(shell, 100);
    }
    assert_int_equal(shell->assigned_count, assigned);
    core_shell_destroy(shell);
}

/* Tasks were dealt out in turn, so one worker has all that turn out to be heavy. */
static void test_measured_loads_are_evened_out(void **state)
{
    (void)state;
    struct core_shell *shell = begin(2);
    submit(shell, "orders", "main:8", 0);
    for (uint32_t i = 0; i < 2; i++) {
        shell->workers[i].load_us = 300000;
        shell->workers[i].odd_load_us = 10000;
    }
    core_shell_run(shell, 20000); /* what is uneven for a moment stays */
    assert_int_equal(shell->moves_count, 0);
    core_shell_run(shell, 60000);
    for (uint32_t i = 0; i < 2; i++) {
        uint32_t heavy = 0;
        for (uint32_t j = 0; j < shell->workers[i].tasks_count; j++)
            heavy += shell->workers[i].tasks[j].report.name.partition % 2 == 0;
        assert_int_equal(heavy, 2);
    }
    assert_in_range(shell->moves_count, 2, 4);
    core_shell_run(shell, 60000);
    assert_in_range(shell->moves_count, 2, 4);
    core_shell_destroy(shell);
}

static void test_memory_bounds_an_assignment(void **state)
{
    (void)state;
    struct core_shell *shell = begin(2);
    shell->workers[0].memory_bytes = shell->workers[1].memory_bytes = 256ull << 20;
    core_shell_run(shell, 500);
    submit(shell, "one", "main:4", 200ull << 20);
    assert_int_equal(core_shell_running(shell), 4);
    submit(shell, "two", "main:4", 300ull << 20);
    assert_int_equal(core_shell_running(shell), 4);
    struct mr_core_topology two = core_shell_topology(shell, "two");
    assert_int_equal(two.health, MR_HEALTH_BLOCKED);
    assert_non_null(strstr(two.reason, "worker w1 has 256 MiB and needs 500 MiB"));
    shell->workers[1].memory_bytes = 512ull << 20; /* it says so with its next Sync */
    core_shell_run(shell, 2000);
    assert_int_equal(core_shell_running(shell), 8);
    assert_int_equal(core_shell_topology(shell, "two").health, MR_HEALTH_RUNNING);
    core_shell_destroy(shell);
}

static void test_without_a_worker_the_reason_is_said(void **state)
{
    (void)state;
    struct core_shell *shell = begin(0);
    submit(shell, "orders", "main:4", 0);
    struct mr_core_topology orders = core_shell_topology(shell, "orders");
    assert_int_equal(orders.health, MR_HEALTH_BLOCKED);
    assert_non_null(strstr(orders.reason, "No worker is there."));
    assert_string_equal(mr_core_task_at(shell->core, 0, shell->now_ms).blocked,
                        "No worker is there.");
    core_shell_worker(shell, "w1");
    core_shell_run(shell, 1000);
    assert_int_equal(core_shell_running(shell), 4);
    core_shell_destroy(shell);
}

static void test_who_refuses_a_version_does_not_get_it(void **state)
{
    (void)state;
    struct core_shell *shell = begin(2);
    shell->workers[0].refuses_version = 1;
    shell->workers[0].refuses_generation = 77;
    core_shell_run(shell, 500);
    struct shell_topology topology = {.name = "orders", .parts = "main:4", .generation = 77};
    core_shell_submit(shell, &topology);
    core_shell_run(shell, 1000);
    assert_int_equal(actives(shell, 0), 0);
    assert_int_equal(actives(shell, 1), 4);
    assert_int_equal(core_shell_topology(shell, "orders").health, MR_HEALTH_RUNNING);
    core_shell_destroy(shell);
}

static void test_topologies_spread_over_workers(void **state)
{
    (void)state;
    struct core_shell *shell = begin(3);
    submit(shell, "one", "main:3", 0);
    submit(shell, "two", "main:3", 0);
    submit(shell, "three", "a:3 b:3", 0);
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t parts = 0;
        assert_int_equal(actives(shell, i), 4);
        for (uint32_t j = 0; j < shell->workers[i].tasks_count; j++)
            parts += shell->workers[i].tasks[j].subtopology[0] == 'm';
        assert_int_equal(parts, 2);
    }
    core_shell_destroy(shell);
}

/* Workers that come one after the other: every number is even in the end. */
static void test_workers_that_come_late_get_their_share(void **state)
{
    (void)state;
    struct core_shell *shell = begin(1);
    submit(shell, "orders", "agg*:20", 0);
    assert_int_equal(actives(shell, 0), 20);
    core_shell_worker(shell, "w2");
    core_shell_worker(shell, "w3");
    core_shell_run(shell, 20000);
    assert_int_equal(core_shell_running(shell), 20);
    for (uint32_t i = 0; i < 3; i++)
        assert_in_range(actives(shell, i), 6, 7);
    assert_int_equal(shell->moves_count, 13);
    core_shell_destroy(shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_fourth_worker_takes_twelve_of_48),
        cmocka_unit_test(test_a_lost_worker_costs_its_own_tasks_only),
        cmocka_unit_test(test_threads_are_capacity),
        cmocka_unit_test(test_noise_in_loads_moves_nothing),
        cmocka_unit_test(test_measured_loads_are_evened_out),
        cmocka_unit_test(test_memory_bounds_an_assignment),
        cmocka_unit_test(test_without_a_worker_the_reason_is_said),
        cmocka_unit_test(test_who_refuses_a_version_does_not_get_it),
        cmocka_unit_test(test_topologies_spread_over_workers),
        cmocka_unit_test(test_workers_that_come_late_get_their_share),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
