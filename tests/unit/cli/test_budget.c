/* tests/unit/cli/test_budget.c — what a worker takes, and where it says that it comes from. */
#include "cli/budget.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/cgroup_fixture.h"

static char root[CGROUP_ROOT_SIZE];
static struct mr_budget budget;
static struct mr_error failure;

static int start(void **state)
{
    (void)state;
    cgroup_root_open(root);
    return 0;
}

static int end(void **state)
{
    (void)state;
    cgroup_root_close(root);
    return 0;
}

static void limit(const char *memory, const char *processors)
{
    cgroup_root_write(root, "/proc/self/cgroup", "0::/\n");
    cgroup_root_write(root, "/sys/fs/cgroup/cgroup.controllers", "cpu memory\n");
    cgroup_root_write(root, "/sys/fs/cgroup/memory.max", memory);
    cgroup_root_write(root, "/sys/fs/cgroup/cpu.max", processors);
}

static void test_without_a_limit_there_is_a_default(void **state)
{
    (void)state;
    assert_int_equal(mr_budget_find(root, 0, 0, &budget, &failure), MR_OK);
    assert_int_equal(budget.memory_bytes, MR_BUDGET_MEMORY_DEFAULT);
    assert_string_equal(budget.memory_from, "default: no control group limits memory");
    assert_string_equal(budget.threads_from, "the processors that this process may use");
}

static void test_limits_are_heeded_and_named(void **state)
{
    (void)state;
    limit("1073741824\n", "70000 100000\n");
    assert_int_equal(mr_budget_find(root, 0, 0, &budget, &failure), MR_OK);
    assert_int_equal(budget.memory_bytes, UINT64_C(720) << 20);
    assert_string_equal(budget.memory_from,
                        "3/4 of what /sys/fs/cgroup/memory.max allows (1024 MiB) less 64 MiB");
    assert_int_equal(budget.threads_count, 1);
    struct mr_cgroup none = {0};
    if (mr_cgroup_processors(&none) > 1)
        assert_string_equal(budget.threads_from,
                            "whole processors that /sys/fs/cgroup/cpu.max allows (0.700)");
}

static void test_what_is_given_wins(void **state)
{
    (void)state;
    limit("nonsense", "nonsense"); /* not even read */
    assert_int_equal(mr_budget_find(root, 1 << 28, 7, &budget, &failure), MR_OK);
    assert_int_equal(budget.memory_bytes, 1 << 28);
    assert_int_equal(budget.threads_count, 7);
    assert_string_equal(budget.memory_from, "--memory");
    assert_string_equal(budget.threads_from, "--threads");
    limit("104857600\n", "max 100000\n"); /* too small, but not asked about */
    assert_int_equal(mr_budget_find(root, 1 << 28, 0, &budget, &failure), MR_OK);
    assert_int_equal(budget.memory_bytes, 1 << 28);
}

static void test_too_little_is_refused(void **state)
{
    (void)state;
    limit("156237824\n", "max 100000\n"); /* 149 MiB */
    assert_int_equal(mr_budget_find(root, 0, 0, &budget, &failure), MR_INVALID);
    assert_string_equal(failure.message,
                        "/sys/fs/cgroup/memory.max allows 149 MiB, and a worker needs 150 MiB: 64 "
                        "MiB for code and clients, and a third more than the least --memory of "
                        "64MiB. Raise the container's memory limit.");
    limit("nonsense", "max 100000\n");
    assert_int_equal(mr_budget_find(root, 0, 0, &budget, &failure), MR_CORRUPT);
}

#define IN_A_ROOT(test) cmocka_unit_test_setup_teardown(test, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_ROOT(test_without_a_limit_there_is_a_default),
        IN_A_ROOT(test_limits_are_heeded_and_named),
        IN_A_ROOT(test_what_is_given_wins),
        IN_A_ROOT(test_too_little_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
