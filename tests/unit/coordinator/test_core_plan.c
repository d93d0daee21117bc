/* tests/unit/coordinator/test_core_plan.c — weights that noise does not change, loads, memory, and
 * the order of workers. */
#include "coordinator/core_internal.h"
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
    core_shell_worker(shell, "w2")->threads_count = 4;
    core_shell_worker(shell, "w3");
    core_shell_run(shell, 500);
    struct shell_topology topology = {.name = "orders", .parts = parts, .memory_bytes = 1000};
    core_shell_submit(shell, &topology);
    core_shell_run(shell, 1000);
    return shell;
}

static void set_loads(struct core_shell *shell, uint64_t load_us)
{
    for (uint32_t i = 0; i < shell->core->tasks_count; i++)
        shell->core->tasks[i]->load_us = load_us;
    mr_core_weigh(shell->core);
}

static void test_a_weight_keeps_still_until_the_load_has_left_it(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:4");
    const struct mr_core_task_state *task = shell->core->tasks[0];
    assert_int_equal(mr_core_task_weight(task), MR_CORE_WEIGHT_DEFAULT);
    set_loads(shell, 100000);
    assert_int_equal(mr_core_task_weight(task), 131072);
    set_loads(shell, 90000);
    assert_int_equal(mr_core_task_weight(task), 131072);
    set_loads(shell, 180000);
    assert_int_equal(mr_core_task_weight(task), 131072);
    set_loads(shell, 300000);
    assert_int_equal(mr_core_task_weight(task), 262144);
    set_loads(shell, 1);
    assert_int_equal(mr_core_task_weight(task), MR_CORE_WEIGHT_MIN);
    set_loads(shell, UINT32_MAX);
    assert_int_equal(mr_core_task_weight(task), MR_CORE_WEIGHT_MAX);
    core_shell_destroy(shell);
}

static void test_only_who_stands_out_weighs_on_its_own(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:4");
    struct mr_core_task_state **tasks = shell->core->tasks;
    set_loads(shell, 100000);
    tasks[0]->load_us = 120000;
    mr_core_weigh(shell->core);
    assert_int_equal(tasks[0]->weight, 0);
    tasks[0]->load_us = 1000000;
    mr_core_weigh(shell->core);
    assert_int_equal(mr_core_task_weight(tasks[0]), 1048576);
    assert_int_equal(mr_core_task_weight(tasks[1]), 131072);
    tasks[0]->load_us = 100000;
    mr_core_weigh(shell->core);
    assert_int_equal(tasks[0]->weight, 0);
    core_shell_destroy(shell);
}

static void test_workers_are_taken_by_load_per_thread(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:8"); /* 2, 4 and 2: all are even */
    struct mr_core *core = shell->core;
    mr_core_plan_build(core);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(core->plan.counts[i], i == 1 ? 4 : 2);
    assert_int_equal(mr_core_plan_compare(core, 0, 2), 0);
    mr_core_plan_add(core, core->workers[0], core->tasks[0]);
    mr_core_heap_fill(core, false);
    const struct mr_core_worker_state *first = mr_core_heap_take(core);
    assert_string_equal(first->name, "w3"); /* as loaded as w2, with fewer tasks */
    assert_string_equal(mr_core_heap_take(core)->name, "w2");
    mr_core_heap_put(core, first);
    assert_string_equal(mr_core_heap_take(core)->name, "w3");
    assert_string_equal(mr_core_heap_take(core)->name, "w1");
    assert_null(mr_core_heap_take(core));
    core_shell_destroy(shell);
}

static void test_memory_counts_once_per_topology(void **state)
{
    (void)state;
    struct core_shell *shell = begin("main:8");
    struct mr_core *core = shell->core;
    struct mr_core_worker_state *worker = core->workers[0];
    mr_core_plan_build(core);
    assert_int_equal(core->plan.memory[0], 1000);
    worker->memory_bytes = 1500;
    assert_true(mr_core_plan_fits(core, worker, core->topologies[0])); /* it has some already */
    core->plan.memory[0] = 0;
    core->plan.presence[0] = 0;
    assert_true(mr_core_plan_fits(core, worker, core->topologies[0]));
    worker->memory_bytes = 999;
    assert_false(mr_core_plan_fits(core, worker, core->topologies[0]));
    worker->memory_bytes = 0;
    core->plan.counts[0] = MR_MESSAGE_TASKS_MAX; /* more do not fit into a message */
    assert_false(mr_core_plan_fits(core, worker, core->topologies[0]));
    core_shell_destroy(shell);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_weight_keeps_still_until_the_load_has_left_it),
        cmocka_unit_test(test_only_who_stands_out_weighs_on_its_own),
        cmocka_unit_test(test_workers_are_taken_by_load_per_thread),
        cmocka_unit_test(test_memory_counts_once_per_topology),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
