/* tests/unit/base/test_processor.c — slices are asked for and given back; nothing else changes. */
#include "base/processor.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <cmocka.h>

enum { ATTRIBUTES_WORDS = 6, RUNTIME_WORD = 3 };

/* The slice that this thread has, as the kernel tells it. */
static uint64_t slice_of_kernel(void)
{
    uint64_t words[ATTRIBUTES_WORDS] = {0};
    assert_int_equal(syscall(SYS_sched_getattr, 0, words, sizeof(words), 0), 0);
    return words[RUNTIME_WORD];
}

/* Slices are heeded from Linux 6.12 on. */
static bool kernel_heeds(void)
{
    struct utsname name;
    int major = 0;
    int minor = 0;
    assert_int_equal(uname(&name), 0);
    assert_int_equal(sscanf(name.release, "%d.%d", &major, &minor), 2);
    return major > 6 || (major == 6 && minor >= 12);
}

static void test_a_slice_is_asked_for_and_given_back(void **state)
{
    (void)state;
    struct mr_error error;
    uint64_t before_ns = slice_of_kernel();
    assert_int_equal(mr_processor_ask_slice(10000000, &error), MR_OK);
    if (kernel_heeds())
        assert_int_equal(slice_of_kernel(), 10000000);
    assert_int_equal(mr_processor_ask_slice(0, &error), MR_OK);
    assert_int_equal(slice_of_kernel(), before_ns);
}

static void test_the_bounds_are_taken(void **state)
{
    (void)state;
    struct mr_error error;
    assert_int_equal(mr_processor_ask_slice(MR_PROCESSOR_SLICE_NS_MIN, &error), MR_OK);
    assert_int_equal(mr_processor_ask_slice(MR_PROCESSOR_SLICE_NS_MAX, &error), MR_OK);
    assert_int_equal(mr_processor_ask_slice(0, &error), MR_OK);
}

static void test_priority_and_policy_stay(void **state)
{
    (void)state;
    struct mr_error error;
    struct sched_param parameters = {0};
    int nice_before = getpriority(PRIO_PROCESS, 0);
    assert_int_equal(setpriority(PRIO_PROCESS, 0, nice_before < 18 ? nice_before + 1 : 19), 0);
    nice_before = getpriority(PRIO_PROCESS, 0);
    assert_int_equal(sched_setscheduler(0, SCHED_BATCH, &parameters), 0);
    assert_int_equal(mr_processor_ask_slice(10000000, &error), MR_OK);
    assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
    assert_int_equal(getpriority(PRIO_PROCESS, 0), nice_before);
    assert_int_equal(mr_processor_ask_slice(0, &error), MR_OK);
    assert_int_equal(sched_getscheduler(0), SCHED_BATCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_slice_is_asked_for_and_given_back),
        cmocka_unit_test(test_the_bounds_are_taken),
        cmocka_unit_test(test_priority_and_policy_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
