/* tests/unit/state/test_overlay.c — the last change of a key wins, in the order of first changes,
 * and a reset keeps the memory. */
#include "state/overlay.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/memory.h"

static void put(struct mr_overlay *overlay, const char *key, const char *value)
{
    struct mr_slice bytes = mr_slice_text(key);
    size_t size = strlen(value);
    uint8_t *memory = mr_overlay_put(overlay, bytes, mr_hash64(bytes), (uint32_t)size, false);
    if (size > 0)
        memcpy(memory, value, size);
}

static const struct mr_overlay_record *find(const struct mr_overlay *overlay, const char *key)
{
    struct mr_slice bytes = mr_slice_text(key);
    return mr_overlay_find(overlay, bytes, mr_hash64(bytes));
}

static void assert_value(const struct mr_overlay *overlay, const char *key, const char *value)
{
    const struct mr_overlay_record *record = find(overlay, key);
    assert_non_null(record);
    assert_false(record->tombstone);
    assert_true(
        mr_slice_equal(mr_slice_from(record->value, record->value_size), mr_slice_text(value)));
}

static void test_the_last_change_wins(void **state)
{
    (void)state;
    struct mr_overlay overlay;
    mr_overlay_init(&overlay);
    assert_null(find(&overlay, "a"));
    put(&overlay, "a", "first");
    put(&overlay, "b", "x");
    put(&overlay, "a", "2nd"); /* in place */
    assert_value(&overlay, "a", "2nd");
    put(&overlay, "a", "much longer than the first"); /* elsewhere */
    assert_value(&overlay, "a", "much longer than the first");
    assert_value(&overlay, "b", "x");
    struct mr_slice key = mr_slice_text("a");
    mr_overlay_delete(&overlay, key, mr_hash64(key), true);
    assert_true(find(&overlay, "a")->tombstone);
    assert_true(find(&overlay, "a")->local);
    put(&overlay, "a", "");
    assert_value(&overlay, "a", "");
    assert_false(find(&overlay, "a")->local);
    key = mr_slice_text("c");
    mr_overlay_delete(&overlay, key, mr_hash64(key), false);
    put(&overlay, "c", "after a deletion"); /* a record that never had a value */
    assert_value(&overlay, "c", "after a deletion");
    assert_int_equal(overlay.records_count, 3);
    assert_true(mr_slice_equal(overlay.records[0].key, mr_slice_text("a")));
    assert_true(mr_slice_equal(overlay.records[2].key, mr_slice_text("c")));
    mr_overlay_deinit(&overlay);
}

static void fill(struct mr_overlay *overlay, uint32_t count)
{
    char text[32];
    for (uint32_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "key-%u", i);
        put(overlay, text, text);
    }
    for (uint32_t i = 0; i < count; i++) {
        snprintf(text, sizeof text, "key-%u", i);
        assert_value(overlay, text, text);
    }
}

static void test_a_reset_forgets_and_keeps_memory(void **state)
{
    (void)state;
    struct mr_overlay overlay;
    mr_overlay_init(&overlay);
    fill(&overlay, 20000);
    mr_overlay_reset(&overlay);
    assert_null(find(&overlay, "key-7"));
    assert_int_equal(mr_overlay_bytes(&overlay), 0);
    uint64_t before = mr_memory_counters().allocation_count;
    fill(&overlay, 20000);
    mr_overlay_reset(&overlay);
    fill(&overlay, 10); /* few in a large index: reset by their places */
    mr_overlay_reset(&overlay);
    assert_null(find(&overlay, "key-3"));
    fill(&overlay, 3000);
    assert_int_equal(mr_memory_counters().allocation_count, before);
    mr_overlay_deinit(&overlay);
}

static void test_adopted_bytes(void **state)
{
    (void)state;
    struct mr_overlay overlay;
    mr_overlay_init(&overlay);
    struct mr_slice key = mr_arena_copy(&overlay.arena, mr_slice_text("key"));
    struct mr_slice value = mr_arena_copy(&overlay.arena, mr_slice_text("value"));
    mr_overlay_adopt(&overlay, key, mr_hash64(key), value, false);
    assert_value(&overlay, "key", "value");
    mr_overlay_adopt(&overlay, key, mr_hash64(key), mr_slice_from(NULL, 0), true);
    assert_true(find(&overlay, "key")->tombstone);
    put(&overlay, "key", "again");
    assert_value(&overlay, "key", "again");
    mr_overlay_deinit(&overlay);
}

static void test_ranges(void **state)
{
    (void)state;
    struct mr_overlay overlay;
    mr_overlay_init(&overlay);
    uint64_t before = mr_overlay_bytes(&overlay);
    for (int round = 0; round < 2; round++) {
        char first[] = "a";
        char end[] = "b";
        for (size_t i = 0; i < 100; i++)
            mr_overlay_delete_range(&overlay, mr_slice_text(first), mr_slice_text(end));
        first[0] = end[0] = 'x'; /* they were copied */
        assert_int_equal(overlay.ranges_count, 100);
        assert_true(mr_slice_equal(overlay.ranges[99].first, mr_slice_text("a")));
        assert_true(mr_slice_equal(overlay.ranges[99].end, mr_slice_text("b")));
        assert_true(mr_overlay_bytes(&overlay) > before);
        mr_overlay_reset(&overlay);
        assert_int_equal(mr_overlay_bytes(&overlay), before);
    }
    mr_overlay_deinit(&overlay);
}

/* A change of a key that a range covers is a change of its own again. */
static void test_changes_after_a_range(void **state)
{
    (void)state;
    struct mr_overlay overlay;
    struct mr_slice key = mr_slice_text("key");
    mr_overlay_init(&overlay);
    mr_overlay_delete(&overlay, key, mr_hash64(key), false);
    struct mr_overlay_record *record = mr_overlay_find(&overlay, key, mr_hash64(key));
    record->ranged = true;
    put(&overlay, "key", "new");
    assert_false(record->ranged);
    record->ranged = true;
    mr_overlay_delete(&overlay, key, mr_hash64(key), false);
    assert_false(record->ranged);
    mr_overlay_deinit(&overlay);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_last_change_wins),
        cmocka_unit_test(test_a_reset_forgets_and_keeps_memory),
        cmocka_unit_test(test_adopted_bytes),
        cmocka_unit_test(test_ranges),
        cmocka_unit_test(test_changes_after_a_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
