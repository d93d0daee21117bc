/* tests/unit/state/test_scan.c — ranges over the layers: what is shown, where a scan stops, what a
 * removal leaves in the store, the changelog and the counts, and where it goes on. A run against a
 * plain model is tests/conformance/state_scanned.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "state/internal.h"
#include "tests/support/state_fixture.h"

struct scan_run {
    struct state_fixture fixture;
    struct mr_table_spec spec;
    struct mr_table *table;
};

static void setup(struct scan_run *run, const struct mr_store_ops *ops)
{
    run->spec = fixture_spec("scanned");
    run->spec.scanned = true;
    fixture_init(&run->fixture, ops, 1);
    fixture_open(&run->fixture);
    run->table = fixture_table(&run->fixture, &run->spec);
}

static void add(struct scan_run *run, const char *key, int64_t time_ms)
{
    fixture_add(&run->fixture, run->table, mr_slice_text(key), time_ms, 1);
}

static void remove_key(struct scan_run *run, const char *text)
{
    struct mr_slice key = mr_slice_text(text);
    assert_int_equal(mr_table_remove(run->table, key, mr_hash64(key), &run->fixture.error), MR_OK);
}

struct listing {
    char text[256];
    size_t size;
    size_t stop_after;
};

static bool list(void *argument, struct mr_slice key, void *object)
{
    struct listing *listing = argument;
    const struct fixture_object *counted = object;
    listing->size += (size_t)snprintf(
        listing->text + listing->size, sizeof listing->text - listing->size, "%.*s=%lld ",
        (int)key.size, (const char *)key.data, (long long)counted->count);
    return --listing->stop_after > 0;
}

static void assert_scan_of(struct scan_run *run, const char *first, const char *end,
                           size_t stop_after, const char *wanted)
{
    struct listing listing = {.stop_after = stop_after};
    assert_int_equal(mr_table_scan(run->table, mr_slice_text(first), mr_slice_text(end), list,
                                   &listing, &run->fixture.error),
                     MR_OK);
    assert_string_equal(listing.text, wanted);
}

static void assert_scan(struct scan_run *run, const char *first, const char *end,
                        const char *wanted)
{
    assert_scan_of(run, first, end, SIZE_MAX, wanted);
}

static void test_layers_are_merged(void **state)
{
    (void)state;
    struct scan_run run;
    setup(&run, &mr_store_memory);
    assert_scan(&run, "", "", "");
    add(&run, "stored", 0);
    add(&run, "removed", 0);
    add(&run, "everywhere", 0);
    fixture_commit(&run.fixture);
    add(&run, "everywhere", 0);
    add(&run, "sealed", 0);
    add(&run, "sealed-removed", 0);
    fixture_seal(&run.fixture, true);
    add(&run, "everywhere", 0);
    add(&run, "active", 0);
    add(&run, "new-removed", 0);
    remove_key(&run, "removed");
    remove_key(&run, "sealed-removed");
    remove_key(&run, "new-removed");
    struct mr_slice ghost = mr_slice_text("ghost");
    void *object;
    bool created;
    assert_int_equal(
        mr_table_get(run.table, ghost, mr_hash64(ghost), 0, &object, &created, &run.fixture.error),
        MR_OK);
    const char *all = "active=1 everywhere=3 sealed=1 stored=1 ";
    assert_scan(&run, "", "", all);
    fixture_apply(&run.fixture);
    assert_scan(&run, "", "", all);
    fixture_seal(&run.fixture, true);
    assert_scan(&run, "", "", all);
    fixture_apply(&run.fixture);
    assert_scan(&run, "", "", all);
    assert_scan(&run, "b", "stored", "everywhere=3 sealed=1 ");
    assert_scan(&run, "everywhere", "sealed", "everywhere=3 ");
    assert_scan_of(&run, "", "", 2, "active=1 everywhere=3 ");
    assert_scan(&run, "x", "b", "");
    fixture_deinit(&run.fixture);
}

/* Of a table with a ttl, what has ended is not live any more. */
static void test_ended_keys_are_left_out(void **state)
{
    (void)state;
    struct scan_run run;
    setup(&run, &mr_store_memory);
    fixture_close(&run.fixture);
    run.spec.ttl_ms = 10;
    run.spec.operator_name = "ageing";
    fixture_open(&run.fixture);
    run.table = fixture_table(&run.fixture, &run.spec);
    add(&run, "old", 0);
    add(&run, "young", 95);
    mr_table_set_watermark(run.table, 100); /* as if more had ended than one call drops */
    assert_scan(&run, "", "", "young=1 ");
    fixture_deinit(&run.fixture);
}

static void test_objects_are_left_out_of_the_cache(void **state)
{
    (void)state;
    struct scan_run run;
    setup(&run, &mr_store_memory);
    add(&run, "a", 0);
    fixture_commit(&run.fixture);
    fixture_close(&run.fixture);
    fixture_open(&run.fixture);
    run.table = fixture_table(&run.fixture, &run.spec);
    fixture_restore(&run.fixture);
    assert_scan(&run, "", "", "a=1 ");
    struct mr_state_statistics statistics;
    mr_state_statistics(run.fixture.state, &statistics);
    assert_int_equal(statistics.cache_objects, 0);
    fixture_deinit(&run.fixture);
}

static void test_errors(void **state)
{
    (void)state;
    struct scan_run run;
    setup(&run, &mr_store_memory);
    add(&run, "a", 0);
    fixture_commit(&run.fixture);
    uint8_t *longest = mr_memory_new(1, MR_LIMIT_KEY_BYTES + 1);
    struct listing listing = {.stop_after = SIZE_MAX};
    assert_int_equal(mr_table_scan(run.table, mr_slice_text(""),
                                   mr_slice_from(longest, MR_LIMIT_KEY_BYTES + 1), list, &listing,
                                   &run.fixture.error),
                     MR_INVALID);
    assert_string_equal(run.fixture.error.message,
                        "a range of keys of operator scanned begins or ends with 32769 bytes; at "
                        "most 32768 are stored");
    mr_memory_free(longest);
    fixture_close(&run.fixture);
    run.spec.version = 2; /* an older program */
    fixture_open(&run.fixture);
    run.table = fixture_table(&run.fixture, &run.spec);
    fixture_restore(&run.fixture);
    assert_int_equal(mr_table_scan(run.table, mr_slice_text(""), mr_slice_text(""), list, &listing,
                                   &run.fixture.error),
                     MR_VERSION);
    assert_string_equal(listing.text, "");
    fixture_deinit(&run.fixture);
}

/* ---- Removals ---- */

enum { MANY = 20000 };

static void add_numbers(struct scan_run *run, uint32_t first, uint32_t end)
{
    for (uint32_t i = first; i < end; i++) {
        char text[16];
        snprintf(text, sizeof text, "n%05u", i);
        add(run, text, 0);
    }
}

static size_t tombstones_since(const struct scan_run *run, size_t position)
{
    size_t count = 0;
    for (size_t i = position; i < run->fixture.log_count; i++)
        count += run->fixture.log[i].tombstone;
    return count;
}

static void assert_fold(struct scan_run *run)
{
    struct fixture_map fold;
    fixture_fold(&run->fixture, &fold);
    fixture_assert_dump(&run->fixture, &fold);
    fixture_map_deinit(&fold);
}

static void test_removal_in_portions(void **state)
{
    (void)state;
    const struct mr_store_ops *stores[] = {&mr_store_memory, &mr_store_rocksdb};
    for (size_t i = 0; i < MR_ARRAY_COUNT(stores); i++) {
        struct scan_run run;
        setup(&run, stores[i]);
        add(&run, "m", 0);
        add(&run, "n", 0);
        add(&run, "o", 0);
        add_numbers(&run, 0, MANY);
        fixture_commit(&run.fixture);
        size_t position = run.fixture.log_count;
        struct mr_slice rest = mr_slice_text("n0");
        for (int64_t left = MANY; left > 0;) {
            assert_non_null(rest.data);
            assert_int_equal(mr_table_remove_range(run.table, rest, mr_slice_text("o"), &rest,
                                                   &run.fixture.error),
                             MR_OK);
            left -= left < MR_STATE_EXPIRE_PER_CALL ? left : MR_STATE_EXPIRE_PER_CALL;
            assert_int_equal(mr_table_keys(run.table), 3 + left);
            add(&run, "n00017", 0); /* comes back: behind the range */
            remove_key(&run, "n00017");
        }
        assert_null(rest.data);
        add(&run, "n00019", 0);
        assert_scan(&run, "", "", "m=1 n=1 n00019=1 o=1 ");
        fixture_seal(&run.fixture, true);
        assert_int_equal(tombstones_since(&run, position), MANY - 1);
        assert_scan(&run, "", "", "m=1 n=1 n00019=1 o=1 ");
        fixture_apply(&run.fixture);
        assert_scan(&run, "", "", "m=1 n=1 n00019=1 o=1 ");
        assert_fold(&run);
        fixture_deinit(&run.fixture);
    }
}

/* Many neighbours are one write of the store, few are not. */
static void test_ranges_of_the_store(void **state)
{
    (void)state;
    struct scan_run run;
    struct mr_slice rest;
    setup(&run, &mr_store_memory);
    add_numbers(&run, 0, 1000);
    fixture_commit(&run.fixture);
    const struct mr_overlay *overlay = &run.fixture.state->active->overlay;
    assert_int_equal(mr_table_remove_range(run.table, mr_slice_text("n00000"),
                                           mr_slice_text("n00063"), &rest, &run.fixture.error),
                     MR_OK);
    assert_int_equal(overlay->ranges_count, 0);
    assert_int_equal(mr_table_remove_range(run.table, mr_slice_text("n00100"),
                                           mr_slice_text("n00200"), &rest, &run.fixture.error),
                     MR_OK);
    assert_int_equal(overlay->ranges_count, 1);
    size_t ranged = 0;
    for (size_t i = 0; i < overlay->records_count; i++)
        ranged += overlay->records[i].ranged;
    assert_int_equal(ranged, 100);
    add(&run, "n00150", 0);
    fixture_commit(&run.fixture);
    assert_int_equal(mr_table_keys(run.table), 1000 - 63 - 100 + 1);
    assert_scan(&run, "n00099", "n00201", "n00099=1 n00150=1 n00200=1 ");
    assert_fold(&run);
    /* What was removed is not found again. */
    assert_int_equal(mr_table_remove_range(run.table, mr_slice_text("n00100"),
                                           mr_slice_text("n00200"), &rest, &run.fixture.error),
                     MR_OK);
    assert_int_equal(mr_table_keys(run.table), 1000 - 63 - 100);
    fixture_deinit(&run.fixture);
}

static void test_memory_counts_for_sealing(void **state)
{
    (void)state;
    struct scan_run run;
    setup(&run, &mr_store_memory);
    uint64_t before = mr_state_dirty_bytes(run.fixture.state);
    add(&run, "a", 0);
    uint64_t one = mr_state_dirty_bytes(run.fixture.state) - before;
    assert_true(one > run.table->scanning->active.arena.used_bytes);
    assert_true(run.table->scanning->active.arena.used_bytes > 0);
    fixture_commit(&run.fixture);
    assert_int_equal(mr_state_dirty_bytes(run.fixture.state), before);
    fixture_deinit(&run.fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_layers_are_merged),
        cmocka_unit_test(test_ended_keys_are_left_out),
        cmocka_unit_test(test_objects_are_left_out_of_the_cache),
        cmocka_unit_test(test_errors),
        cmocka_unit_test(test_removal_in_portions),
        cmocka_unit_test(test_ranges_of_the_store),
        cmocka_unit_test(test_memory_counts_for_sealing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
