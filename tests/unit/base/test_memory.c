/* tests/unit/base/test_memory.c — heap memory is zeroed, counted per thread, and never NULL. */
#include "base/memory.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_new_is_zeroed_and_counted(void **state)
{
    (void)state;
    struct mr_memory_counters before = mr_memory_counters();
    uint8_t *memory = mr_memory_new(100, 7);
    struct mr_memory_counters after = mr_memory_counters();
    for (size_t i = 0; i < 700; i++)
        assert_int_equal(memory[i], 0);
    assert_int_equal(after.allocation_count - before.allocation_count, 1);
    assert_int_equal(after.allocation_bytes - before.allocation_bytes, 700);
    mr_memory_free(memory);
    after = mr_memory_counters();
    assert_int_equal(after.allocation_count - before.allocation_count, 1);
}

static void test_nothing_is_not_null(void **state)
{
    (void)state;
    void *memory = mr_memory_new(0, 8);
    assert_non_null(memory);
    memory = mr_memory_resize(memory, 0);
    assert_non_null(memory);
    mr_memory_free(memory);
    mr_memory_free(NULL);
}

static void test_resize_keeps_the_content(void **state)
{
    (void)state;
    char *memory = mr_memory_resize(NULL, 4);
    memcpy(memory, "abc", 4);
    memory = mr_memory_resize(memory, 100000);
    assert_string_equal(memory, "abc");
    mr_memory_free(memory);
}

static void test_copies_end_with_nul(void **state)
{
    (void)state;
    char *text = mr_memory_copy_text("grüße");
    assert_string_equal(text, "grüße");
    mr_memory_free(text);
    char *bytes = mr_memory_copy_bytes("a\0b", 3);
    assert_memory_equal(bytes, "a\0b", 4);
    mr_memory_free(bytes);
    char *none = mr_memory_copy_bytes(NULL, 0);
    assert_string_equal(none, "");
    mr_memory_free(none);
}

static void *allocate_elsewhere(void *argument)
{
    struct mr_memory_counters *counters = argument;
    mr_memory_free(mr_memory_new(1, 64));
    *counters = mr_memory_counters();
    return NULL;
}

static void test_counters_belong_to_the_thread(void **state)
{
    (void)state;
    struct mr_memory_counters before = mr_memory_counters();
    struct mr_memory_counters other = {0};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, allocate_elsewhere, &other), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(other.allocation_count, 1);
    assert_int_equal(other.allocation_bytes, 64);
    assert_int_equal(mr_memory_counters().allocation_count, before.allocation_count);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_new_is_zeroed_and_counted),
        cmocka_unit_test(test_nothing_is_not_null),
        cmocka_unit_test(test_resize_keeps_the_content),
        cmocka_unit_test(test_copies_end_with_nul),
        cmocka_unit_test(test_counters_belong_to_the_thread),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
