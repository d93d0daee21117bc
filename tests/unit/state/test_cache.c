/* tests/unit/state/test_cache.c — the cache finds what it holds, stays within its budget, evicts
 * what is not pinned and hands dirty entries over first. */
#include "state/cache.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/limits.h"
#include "base/memory.h"
#include "base/random.h"

static int owner;
static int other_owner;

struct evicted {
    uint32_t count;
    uint32_t last;
};

static void note_evicted(void *argument, struct mr_cache_entry *entry)
{
    struct evicted *evicted = argument;
    assert_true(entry->dirty);
    evicted->count++;
    memcpy(&evicted->last, entry->payload, sizeof evicted->last);
}

static struct mr_slice key_of(uint32_t number, char text[32])
{
    return mr_slice_from(text, (size_t)snprintf(text, 32, "key-%u", number));
}

static struct mr_cache_entry *find(struct mr_cache *cache, uint32_t number)
{
    char text[32];
    struct mr_slice key = key_of(number, text);
    return mr_cache_find(cache, &owner, key, MR_CACHE_OBJECT, mr_hash64(key));
}

static struct mr_cache_entry *insert(struct mr_cache *cache, uint32_t number, size_t payload)
{
    char text[32];
    struct mr_slice key = key_of(number, text);
    struct mr_cache_entry *entry =
        mr_cache_insert(cache, &owner, key, MR_CACHE_OBJECT, mr_hash64(key), payload);
    for (size_t i = 0; i < payload; i++)
        assert_int_equal(entry->payload[i], 0);
    memset(entry->payload, 0xab, payload);
    memcpy(entry->payload, &number, sizeof number);
    return entry;
}

static void test_find_by_owner_key_and_slot(void **state)
{
    (void)state;
    struct mr_cache cache;
    mr_cache_init(&cache, 1 << 20, note_evicted, NULL);
    struct mr_cache_entry *entry = insert(&cache, 1, 24);
    assert_ptr_equal(find(&cache, 1), entry);
    assert_ptr_equal(mr_cache_entry_of(entry->payload), entry);
    assert_int_equal((uintptr_t)entry->payload % 16, 0);
    struct mr_slice key = mr_cache_key(entry);
    assert_true(mr_slice_equal(key, mr_slice_text("key-1")));
    assert_null(mr_cache_find(&cache, &other_owner, key, MR_CACHE_OBJECT, entry->hash));
    assert_null(mr_cache_find(&cache, &owner, key, 0, entry->hash));
    assert_null(mr_cache_find(&cache, &owner, mr_slice_text("key-2"), MR_CACHE_OBJECT,
                              entry->hash)); /* the same hash */
    mr_cache_remove(&cache, entry);
    assert_null(find(&cache, 1));
    struct mr_slice none = {0};
    entry = mr_cache_insert(&cache, &owner, none, 3, 77, 8);
    assert_ptr_equal(mr_cache_find(&cache, &owner, none, 3, 77), entry);
    mr_cache_deinit(&cache);
}

static void test_the_budget_holds(void **state)
{
    (void)state;
    struct evicted evicted = {0};
    struct mr_cache cache;
    mr_cache_init(&cache, 1 << 20, note_evicted, &evicted);
    for (uint32_t i = 0; i < 50000; i++) {
        mr_cache_unpin(&cache);
        mr_cache_mark_dirty(&cache, insert(&cache, i, 24));
        assert_true(mr_cache_bytes(&cache) <= 1 << 20);
        assert_non_null(find(&cache, i));
    }
    assert_int_equal(evicted.count, 50000 - cache.entries_count);
    assert_true(cache.entries_count > 3000);
    uint64_t before = mr_memory_counters().allocation_count;
    for (uint32_t i = 50000; i < 60000; i++) {
        mr_cache_unpin(&cache);
        insert(&cache, i, 24);
    }
    assert_int_equal(mr_memory_counters().allocation_count, before);
    mr_cache_deinit(&cache);
}

static void test_what_is_used_stays(void **state)
{
    (void)state;
    struct mr_cache cache;
    mr_cache_init(&cache, 1 << 20, note_evicted, NULL);
    for (uint32_t i = 0; i < 100; i++)
        insert(&cache, i, 24);
    for (uint32_t i = 100; i < 40000; i++) {
        mr_cache_unpin(&cache);
        insert(&cache, i, 24);
        struct mr_cache_entry *hot = find(&cache, i % 100);
        assert_non_null(hot);
        mr_cache_pin(&cache, hot);
    }
    mr_cache_deinit(&cache);
}

static void test_pinned_entries_go_over_the_budget(void **state)
{
    (void)state;
    struct mr_cache cache;
    mr_cache_init(&cache, 1, note_evicted, NULL); /* raised to four pages */
    uint64_t budget = cache.bytes_max;
    for (uint32_t i = 0; i < 200; i++)
        insert(&cache, i, 4096);
    for (uint32_t i = 0; i < 200; i++)
        assert_non_null(find(&cache, i));
    assert_true(mr_cache_bytes(&cache) > budget);
    mr_cache_trim(&cache); /* still pinned */
    assert_int_equal(cache.entries_count, 200);
    mr_cache_unpin(&cache);
    mr_cache_trim(&cache);
    assert_true(mr_cache_bytes(&cache) <= budget + MR_CACHE_PAGE_BYTES);
    assert_true(cache.entries_count < 200);
    mr_cache_deinit(&cache);
}

static void test_pages_follow_the_mix_of_sizes(void **state)
{
    (void)state;
    struct mr_cache cache;
    mr_cache_init(&cache, 2 << 20, note_evicted, NULL);
    for (uint32_t i = 0; i < 20000; i++) {
        mr_cache_unpin(&cache);
        insert(&cache, i, 24);
    }
    for (uint32_t i = 20000; i < 30000; i++) {
        mr_cache_unpin(&cache);
        insert(&cache, i, 2000);
    }
    uint32_t large = 0;
    for (uint32_t i = 20000; i < 30000; i++)
        large += find(&cache, i) != NULL;
    /* The pages beside the index hold 24 * 25 of these; a class that stayed with its first
     * page, 25. */
    assert_true(large > 500);
    assert_true(mr_cache_bytes(&cache) <= 2 << 20);
    mr_cache_deinit(&cache);
}

static void test_the_largest_entry(void **state)
{
    (void)state;
    struct mr_cache cache;
    mr_cache_init(&cache, 1, note_evicted, NULL);
    uint8_t *bytes = mr_memory_new(1, MR_LIMIT_KEY_BYTES);
    for (uint8_t i = 0; i < 20; i++) {
        bytes[0] = i;
        struct mr_slice key = mr_slice_from(bytes, MR_LIMIT_KEY_BYTES);
        mr_cache_unpin(&cache);
        mr_cache_insert(&cache, &owner, key, 0, mr_hash64(key), MR_CACHE_PAYLOAD_MAX);
        assert_non_null(mr_cache_find(&cache, &owner, key, 0, mr_hash64(key)));
    }
    mr_memory_free(bytes);
    mr_cache_deinit(&cache);
}

/* Insertions and removals against a plain array; hashes collide on purpose. */
static void test_random_operations(void **state)
{
    (void)state;
    enum { KEYS = 600, STEPS = 60000 };
    struct mr_cache cache;
    struct mr_random random;
    mr_cache_init(&cache, 4 << 20, note_evicted, NULL);
    mr_random_init(&random, 3, 0);
    struct mr_cache_entry *model[KEYS] = {0};
    uint32_t dirty = 0;
    for (int i = 0; i < STEPS; i++) {
        uint32_t number = (uint32_t)mr_random_below(&random, KEYS);
        uint64_t hash = number % 97; /* six keys each */
        char text[32];
        struct mr_slice key = key_of(number, text);
        assert_ptr_equal(mr_cache_find(&cache, &owner, key, 5, hash), model[number]);
        if (model[number] == NULL) {
            model[number] = mr_cache_insert(&cache, &owner, key, 5, hash, 8);
        } else if (mr_random_below(&random, 2) == 0) {
            dirty -= model[number]->dirty;
            mr_cache_remove(&cache, model[number]);
            model[number] = NULL;
        } else if (!model[number]->dirty) {
            mr_cache_mark_dirty(&cache, model[number]);
            dirty++;
        } else {
            mr_cache_mark_clean(&cache, model[number]);
            dirty--;
        }
    }
    uint32_t listed = 0;
    for (const struct mr_cache_entry *entry = cache.dirty_first; entry != NULL; entry = entry->next)
        listed++;
    assert_int_equal(listed, dirty);
    mr_cache_deinit(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_find_by_owner_key_and_slot),
        cmocka_unit_test(test_the_budget_holds),
        cmocka_unit_test(test_what_is_used_stays),
        cmocka_unit_test(test_pinned_entries_go_over_the_budget),
        cmocka_unit_test(test_pages_follow_the_mix_of_sizes),
        cmocka_unit_test(test_the_largest_entry),
        cmocka_unit_test(test_random_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
