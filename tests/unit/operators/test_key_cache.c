/* tests/unit/operators/test_key_cache.c — entries of the keys seen last. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/key_cache.h"

static void the_key_seen_longest_ago_leaves(void **state)
{
    MR_UNUSED(state);
    struct mr_key_cache cache;
    bool found;
    mr_key_cache_init(&cache, 8, 24);
    assert_int_equal(cache.entries_count, 3);
    for (uint64_t seed = 0; seed < 3; seed++) {
        uint64_t *entry = mr_key_cache_get(&cache, seed, &found);
        assert_false(found);
        *entry = 10 + seed;
    }
    assert_int_equal(*(uint64_t *)mr_key_cache_get(&cache, 0, &found), 10);
    assert_true(found);
    assert_int_equal(*(uint64_t *)mr_key_cache_get(&cache, 0, &found), 10);
    assert_true(found);
    mr_key_cache_get(&cache, 3, &found); /* in the place of 1 */
    assert_false(found);
    assert_int_equal(*(uint64_t *)mr_key_cache_get(&cache, 2, &found), 12);
    assert_true(found);
    mr_key_cache_get(&cache, 1, &found); /* in the place of 0 */
    assert_false(found);
    mr_key_cache_get(&cache, 0, &found);
    assert_false(found);
    mr_key_cache_deinit(&cache);
}

static void there_is_one_entry_at_least_and_a_bound(void **state)
{
    MR_UNUSED(state);
    struct mr_key_cache cache;
    bool found;
    mr_key_cache_init(&cache, 4096, 100);
    assert_int_equal(cache.entries_count, 1);
    memset(mr_key_cache_get(&cache, 7, &found), 1, 4096);
    assert_false(found);
    mr_key_cache_get(&cache, 7, &found);
    assert_true(found);
    mr_key_cache_get(&cache, 8, &found);
    assert_false(found);
    mr_key_cache_deinit(&cache);
    mr_key_cache_init(&cache, 8, MR_KEY_CACHE_BYTES);
    assert_int_equal(cache.entries_count, MR_KEY_CACHE_ENTRIES_MAX);
    mr_key_cache_deinit(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_key_seen_longest_ago_leaves),
        cmocka_unit_test(there_is_one_entry_at_least_and_a_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
