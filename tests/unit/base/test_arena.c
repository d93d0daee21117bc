/* tests/unit/base/test_arena.c — an arena aligns, grows, keeps its chunks over a reset and gives
 * large ones back. */
#include "base/arena.h"

#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

enum { CHUNK_BYTES = 1024 };

static void test_memory_is_aligned_and_apart(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, CHUNK_BYTES);
    uint8_t *previous = NULL;
    for (size_t size = 1; size < 300; size++) {
        uint8_t *memory = mr_arena_take(&arena, size);
        assert_int_equal((uintptr_t)memory % 16, 0);
        memset(memory, (int)(size & 0xff), size);
        if (previous != NULL)
            for (size_t i = 0; i < size - 1; i++)
                assert_int_equal(previous[i], (size - 1) & 0xff);
        previous = memory;
    }
    mr_arena_deinit(&arena);
}

static void test_nothing_is_not_null(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, CHUNK_BYTES);
    assert_non_null(mr_arena_take(&arena, 0));
    assert_non_null(mr_arena_new(&arena, 0, 8));
    assert_int_equal(arena.used_bytes, 0);
    mr_arena_deinit(&arena);
}

/* One round as a batch would use the arena. */
static void use(struct mr_arena *arena)
{
    for (int i = 0; i < 100; i++)
        memset(mr_arena_take(arena, 200), i, 200);
}

static void test_reset_keeps_the_chunks(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, CHUNK_BYTES);
    use(&arena);
    assert_int_equal(arena.used_bytes, 100 * 208);
    struct mr_memory_counters before = mr_memory_counters();
    for (int round = 0; round < 5; round++) {
        mr_arena_reset(&arena);
        assert_int_equal(arena.used_bytes, 0);
        use(&arena);
    }
    assert_int_equal(mr_memory_counters().allocation_count, before.allocation_count);
    mr_arena_deinit(&arena);
}

static void test_large_requests_do_not_waste_the_chunk(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, CHUNK_BYTES);
    uint8_t *first = mr_arena_take(&arena, 16);
    uint8_t *large = mr_arena_take(&arena, 100000);
    uint8_t *second = mr_arena_take(&arena, 16);
    memset(large, 1, 100000);
    assert_ptr_equal(second, first + 16);
    use(&arena);
    mr_arena_reset(&arena);
    use(&arena);
    mr_arena_deinit(&arena);
}

static void test_large_requests_first(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, CHUNK_BYTES);
    for (int round = 0; round < 3; round++) {
        memset(mr_arena_take(&arena, 5000), 1, 5000);
        memset(mr_arena_take(&arena, 5000), 2, 5000);
        memset(mr_arena_take(&arena, 10), 3, 10);
        memset(mr_arena_take(&arena, 1024), 3, 1024);
        memset(mr_arena_take(&arena, 5000), 4, 5000);
        use(&arena);
        mr_arena_reset(&arena);
    }
    mr_arena_deinit(&arena);
}

static void test_new_is_zeroed_after_a_reset(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, CHUNK_BYTES);
    use(&arena);
    memset(mr_arena_take(&arena, 500), 0xff, 500);
    mr_arena_reset(&arena);
    memset(mr_arena_take(&arena, 500), 0xff, 500);
    mr_arena_reset(&arena);
    uint8_t *memory = mr_arena_new(&arena, 50, 10);
    for (size_t i = 0; i < 500; i++)
        assert_int_equal(memory[i], 0);
    mr_arena_deinit(&arena);
}

static void test_the_tail_of_the_latest_is_given_back(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, CHUNK_BYTES);
    uint8_t *first = mr_arena_take(&arena, 500);
    mr_arena_give_back(&arena, first, 500, 17);
    assert_int_equal(arena.used_bytes, 32);
    uint8_t *second = mr_arena_take(&arena, 16);
    assert_ptr_equal(second, first + 32);
    /* Something was taken since: nothing happens. */
    mr_arena_give_back(&arena, first, 32, 0);
    assert_int_equal(arena.used_bytes, 48);
    mr_arena_give_back(&arena, second, 16, 0);
    assert_ptr_equal(mr_arena_take(&arena, 16), second);
    mr_arena_deinit(&arena);
}

static void test_copies(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, CHUNK_BYTES);
    struct mr_slice copy = mr_arena_copy(&arena, mr_slice_from("a\0b", 3));
    assert_int_equal(copy.size, 3);
    assert_memory_equal(copy.data, "a\0b", 3);
    assert_int_equal(mr_arena_copy(&arena, mr_slice_from(NULL, 0)).size, 0);
    assert_string_equal(mr_arena_copy_text(&arena, "text"), "text");
    assert_string_equal(mr_arena_copy_bytes_text(&arena, "textual", 4), "text");
    assert_string_equal(mr_arena_format(&arena, "%s-%d", "n", 12), "n-12");
    char *wide = mr_arena_format(&arena, "%3000d", 7);
    assert_int_equal(strlen(wide), 3000);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory_is_aligned_and_apart),
        cmocka_unit_test(test_nothing_is_not_null),
        cmocka_unit_test(test_reset_keeps_the_chunks),
        cmocka_unit_test(test_large_requests_do_not_waste_the_chunk),
        cmocka_unit_test(test_large_requests_first),
        cmocka_unit_test(test_new_is_zeroed_after_a_reset),
        cmocka_unit_test(test_the_tail_of_the_latest_is_given_back),
        cmocka_unit_test(test_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
