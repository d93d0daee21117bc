/* tests/unit/operators/test_window_list.c — lists of entries with cells. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/window_list.h"

static void entries_are_inserted_and_removed(void **state)
{
    MR_UNUSED(state);
    static _Alignas(8) uint8_t memory[1024];
    struct mr_windowing windowing = {.ring_inline = true, .capacity = 20};
    struct mr_window_list *list = (struct mr_window_list *)memory;
    windowing.set.cell_bytes = 16;
    list->head.size = sizeof(*list);
    for (int64_t i = 0; i < 10; i++) {
        struct mr_window_entry *entry = mr_window_list_insert(&windowing, list, (uint32_t)i / 2);
        entry->number = i;
        memset(entry->cell, (int)i, 16);
    }
    static const int64_t order[] = {1, 3, 5, 7, 9, 8, 6, 4, 2, 0};
    assert_int_equal(mr_window_list_count(&windowing, list), 10);
    for (uint32_t i = 0; i < 10; i++) {
        struct mr_window_entry *entry = mr_window_list_at(&windowing, list, i);
        assert_int_equal(entry->number, order[i]);
        assert_int_equal(entry->cell[15], order[i]);
    }
    mr_window_list_remove(&windowing, list, 9);
    mr_window_list_remove(&windowing, list, 0);
    assert_int_equal(mr_window_list_count(&windowing, list), 8);
    assert_int_equal(mr_window_list_at(&windowing, list, 0)->number, 3);
    assert_int_equal(mr_window_list_at(&windowing, list, 7)->number, 2);
}

static void parts_are_greatest_common_divisors(void **state)
{
    MR_UNUSED(state);
    const struct mr_window window = {.kind = MR_WINDOW_COUNT, .count = 100, .every_count = 30};
    assert_int_equal(mr_windowing_count_parts(&window), 10);
    struct mr_aggregate_set set = {.cell_bytes = 8};
    struct mr_state_estimate estimate;
    mr_windowing_list_estimate(&window, &set, &estimate);
    assert_in_range(estimate.object_bytes, 10 * 32, 10 * 32 + 400);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(entries_are_inserted_and_removed),
        cmocka_unit_test(parts_are_greatest_common_divisors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
