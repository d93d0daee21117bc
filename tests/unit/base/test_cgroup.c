/* tests/unit/base/test_cgroup.c — limits of both versions, nested, hidden by namespaces, torn. */
#include "base/cgroup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/cgroup_fixture.h"

#define MIB (UINT64_C(1) << 20)
#define V2 "/sys/fs/cgroup"

static char root[CGROUP_ROOT_SIZE];
static struct mr_cgroup cgroup;
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

static void put(const char *path, const char *text)
{
    cgroup_root_write(root, path, text);
}

static void version_two(const char *line)
{
    put("/proc/self/cgroup", line);
    put(V2 "/cgroup.controllers", "cpu memory\n");
}

static void expect(uint64_t memory, const char *memory_file, uint64_t millis,
                   const char *processor_file)
{
    assert_int_equal(mr_cgroup_read(root, &cgroup, &failure), MR_OK);
    assert_int_equal(cgroup.memory_bytes, memory);
    assert_string_equal(cgroup.memory_file, memory_file);
    assert_int_equal(cgroup.processor_millis, millis);
    assert_string_equal(cgroup.processor_file, processor_file);
}

static void expect_refused(enum mr_status status, const char *part)
{
    assert_int_equal(mr_cgroup_read(root, &cgroup, &failure), status);
    print_message("%s\n", failure.message);
    assert_non_null(strstr(failure.message, part));
}

static void test_a_machine_without_groups_has_no_limits(void **state)
{
    (void)state;
    expect(0, "", 0, "");
    put("/proc/self/cgroup", "0::/\n");
    expect(0, "", 0, "");
}

static void test_version_two_in_a_namespace(void **state)
{
    (void)state;
    version_two("0::/\n");
    put(V2 "/memory.max", "536870912\n");
    put(V2 "/cpu.max", "150000 100000\n");
    expect(512 * MIB, V2 "/memory.max", 1500, V2 "/cpu.max");
    put(V2 "/memory.max", "max\n");
    put(V2 "/cpu.max", "max 100000\n");
    expect(0, "", 0, "");
    put(V2 "/memory.high", "268435456\n");
    expect(256 * MIB, V2 "/memory.high", 0, "");
}

/* Kubernetes limits the pod and the container; the lower one counts, wherever it is. */
static void test_the_lowest_limit_on_the_way_up_counts(void **state)
{
    (void)state;
    version_two("0::/kubepods/pod1/worker\n");
    put(V2 "/kubepods/pod1/worker/memory.max", "max\n");
    put(V2 "/kubepods/pod1/worker/cpu.max", "400000 100000\n");
    put(V2 "/kubepods/pod1/memory.max", "1073741824\n");
    put(V2 "/kubepods/pod1/cpu.max", "max 100000\n");
    put(V2 "/kubepods/memory.max", "8589934592\n");
    put(V2 "/kubepods/cpu.max", "200000 100000\n");
    expect(1024 * MIB, V2 "/kubepods/pod1/memory.max", 2000, V2 "/kubepods/cpu.max");
}

/* The name is the host's, the mount the container's. */
static void test_a_name_from_outside_means_the_root_of_the_mount(void **state)
{
    (void)state;
    version_two("0::/system.slice/docker-0123.scope\n");
    put(V2 "/memory.max", "104857600\n");
    expect(100 * MIB, V2 "/memory.max", 0, "");
    version_two("0::/../../etc\n");
    put("/etc/memory.max", "1048576\n");
    expect(100 * MIB, V2 "/memory.max", 0, "");
}

static void test_version_one(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "12:pids:/a\n4:cpu,cpuacct:/pod/worker\n3:memory:/pod/worker\n"
                             "1:name=systemd:/x\n0::/pod/worker\n");
    put(V2 "/memory/pod/worker/memory.limit_in_bytes", "9223372036854771712\n");
    put(V2 "/memory/pod/memory.limit_in_bytes", "2147483648\n");
    put(V2 "/cpu,cpuacct/pod/worker/cpu.cfs_quota_us", "-1\n");
    put(V2 "/cpu,cpuacct/pod/worker/cpu.cfs_period_us", "100000\n");
    put(V2 "/cpu,cpuacct/pod/cpu.cfs_quota_us", "50000\n");
    put(V2 "/cpu,cpuacct/pod/cpu.cfs_period_us", "100000\n");
    expect(2048 * MIB, V2 "/memory/pod/memory.limit_in_bytes", 500,
           V2 "/cpu,cpuacct/pod/cpu.cfs_quota_us");
}

/* Controllers that share a mount may be found under one name; the group under none. */
static void test_version_one_in_a_container(void **state)
{
    (void)state;
    put("/proc/self/cgroup", "4:cpuacct,cpu:/docker/1\n3:memory:/docker/1\n");
    put(V2 "/memory/memory.limit_in_bytes", "1073741824\n");
    put(V2 "/cpu/cpu.cfs_quota_us", "300000\n");
    put(V2 "/cpu/cpu.cfs_period_us", "100000\n");
    expect(1024 * MIB, V2 "/memory/memory.limit_in_bytes", 3000, V2 "/cpu/cpu.cfs_quota_us");
}

static void test_torn_files_are_refused_by_name(void **state)
{
    static const char *const memory[] = {
        "", "0\n", "-5\n", "12x\n", "max5\n", "1 2\n", "99999999999999999999999\n"};
    static const char *const processors[] = {"",           "100000\n",       "max\n",
                                             "0 100000\n", "100000 0\n",     "100000 max\n",
                                             "1 2 3\n",    "50000 100000x\n"};
    (void)state;
    version_two("0::/\n");
    for (size_t i = 0; i < sizeof(memory) / sizeof(memory[0]); i++) {
        put(V2 "/memory.max", memory[i]);
        expect_refused(MR_CORRUPT, V2 "/memory.max says '");
    }
    put(V2 "/memory.max", "max\n");
    for (size_t i = 0; i < sizeof(processors) / sizeof(processors[0]); i++) {
        put(V2 "/cpu.max", processors[i]);
        expect_refused(MR_CORRUPT, V2 "/cpu.max says '");
    }
    put("/proc/self/cgroup", "nonsense\n");
    expect_refused(MR_CORRUPT, "the line 'nonsense'");
}

static void test_everything_is_bounded(void **state)
{
    static char text[MR_CGROUP_FILE_BYTES_MAX + 2];
    (void)state;
    version_two("0::/\n");
    memset(text, '7', 200);
    put(V2 "/memory.max", text);
    expect_refused(MR_CORRUPT, "longer than");
    put(V2 "/memory.max", "max\n");
    char *at = text + snprintf(text, sizeof(text), "0::");
    for (int i = 0; i < MR_CGROUP_LEVELS_MAX; i++)
        at += snprintf(at, 8, "/d");
    put("/proc/self/cgroup", text);
    char deep[MR_CGROUP_PATH_SIZE];
    (void)snprintf(deep, sizeof(deep), V2 "%.*s/memory.max", MR_CGROUP_LEVELS_MAX * 2, text + 3);
    put(deep, "max\n");
    expect_refused(MR_LIMIT, "deeper than 64 levels");
    memset(text + 3, '/', MR_CGROUP_PATH_SIZE);
    text[3 + MR_CGROUP_PATH_SIZE] = '\0';
    put("/proc/self/cgroup", text);
    expect_refused(MR_LIMIT, "is too long");
    memset(text, 'x', sizeof(text) - 1);
    put("/proc/self/cgroup", text);
    expect_refused(MR_CORRUPT, "longer than");
}

static void test_budgets_and_limits_are_each_others_inverse(void **state)
{
    (void)state;
    assert_int_equal(mr_cgroup_budget(0), 0);
    assert_int_equal(mr_cgroup_budget(64 * MIB), 0);
    assert_int_equal(mr_cgroup_budget(149 * MIB), 0);
    assert_int_equal(mr_cgroup_budget(150 * MIB), 64 * MIB);
    assert_int_equal(mr_cgroup_budget(1024 * MIB), 720 * MIB);
    assert_int_equal(mr_cgroup_limit_for(0), 150 * MIB);
    for (uint64_t budget = 64; budget < 5000; budget++) {
        uint64_t limit = mr_cgroup_limit_for(budget * MIB);
        assert_true(mr_cgroup_budget(limit) >= budget * MIB);
        assert_true(mr_cgroup_budget(limit - MIB) < budget * MIB);
    }
}

static void test_processors_are_whole_and_at_least_one(void **state)
{
    (void)state;
    struct mr_cgroup none = {0};
    uint32_t all = mr_cgroup_processors(&none);
    assert_in_range(all, 1, MR_CGROUP_PROCESSORS_MAX);
    const struct {
        uint64_t millis;
        uint32_t threads;
    } cases[] = {{1, 1}, {999, 1}, {1999, 1}, {UINT64_MAX, all}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mr_cgroup limited = {.processor_millis = cases[i].millis};
        assert_int_equal(mr_cgroup_processors(&limited), cases[i].threads);
    }
}

#define IN_A_ROOT(test) cmocka_unit_test_setup_teardown(test, start, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_A_ROOT(test_a_machine_without_groups_has_no_limits),
        IN_A_ROOT(test_version_two_in_a_namespace),
        IN_A_ROOT(test_the_lowest_limit_on_the_way_up_counts),
        IN_A_ROOT(test_a_name_from_outside_means_the_root_of_the_mount),
        IN_A_ROOT(test_version_one),
        IN_A_ROOT(test_version_one_in_a_container),
        IN_A_ROOT(test_torn_files_are_refused_by_name),
        IN_A_ROOT(test_everything_is_bounded),
        cmocka_unit_test(test_budgets_and_limits_are_each_others_inverse),
        cmocka_unit_test(test_processors_are_whole_and_at_least_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
