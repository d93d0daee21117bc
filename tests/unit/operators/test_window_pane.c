/* tests/unit/operators/test_window_pane.c — panes with objects of their own. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/endian.h"
#include "operators/window_pane.h"

static void keys_sort_by_pane(void **state)
{
    MR_UNUSED(state);
    static const int64_t panes[] = {INT64_MIN / 4, -1, 0, 1, 77, INT64_MAX / 4};
    struct mr_arena arena;
    struct mr_slice last = {0};
    mr_arena_init(&arena, 4096);
    for (size_t i = 0; i < MR_ARRAY_COUNT(panes); i++) {
        struct mr_window_pane_key key = mr_window_pane_key(&arena, mr_slice_text("key"), panes[i]);
        assert_int_equal(key.full.size, 11);
        assert_true(i == 0 || memcmp(last.data, key.full.data, 8) < 0);
        last = key.full;
        struct mr_window_pane_key read = mr_window_pane_key_read(key.full, key.hash);
        assert_int_equal(read.pane, panes[i]);
        assert_true(mr_slice_equal(read.key, mr_slice_text("key")));
        assert_true(read.hash == key.hash);
    }
    struct mr_window_pane_key empty = mr_window_pane_key(&arena, (struct mr_slice){0}, 3);
    assert_int_equal(empty.full.size, 8);
    assert_int_equal(empty.key.size, 0);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_sort_by_pane),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
