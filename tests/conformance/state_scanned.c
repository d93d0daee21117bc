/* tests/conformance/state_scanned.c — scans and removals of ranges against a plain model, over each
 * store. A seed drives changes, removals, scans of ranges, removals of ranges, seals, applies that
 * other calls overtake, failed transactions, crashes and wipes over a table that is scanned and one
 * that is scanned, timed and has slots. The model is an array in key order. At the end the store
 * equals the fold of the changelog. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "state/key_codec.h"
#include "tests/support/state_fixture.h"

enum { TABLES = 2, KEYS = 2000, STEPS = 12000, OBJECT_BYTES = 700, SLOT_BYTES = 8, SLOTS = 3 };
enum { PLAIN, TIMED };

struct model {
    int64_t counts[TABLES][KEYS]; /* 0: not there */
    int64_t keys[TABLES];
};

struct run {
    struct state_fixture fixture;
    struct mr_table_spec specs[TABLES];
    struct mr_table *tables[TABLES];
    struct mr_random random;
    struct model live;
    struct model sealed;
    struct model committed;
    uint64_t visited;
    uint64_t removed;
    uint32_t crashes;
};

/* In the order of their numbers; odd ones are the even one before with one byte more. */
static struct mr_slice key_of(uint32_t number, char text[16])
{
    int size = snprintf(text, 16, "%05u", number / 2);
    return mr_slice_from(text, (size_t)size + number % 2);
}

static uint32_t number_of(struct mr_slice key)
{
    uint32_t number = 0;
    for (size_t i = 0; i < 5; i++)
        number = number * 10 + (uint32_t)(key.data[i] - '0');
    return 2 * number + (key.size > 5);
}

static void assert_ok(struct run *run, enum mr_status status)
{
    if (status != MR_OK)
        fail_msg("%s: %s", mr_status_name(status), run->fixture.error.message);
}

static uint32_t pick(struct run *run, uint32_t bound)
{
    return (uint32_t)mr_random_below(&run->random, bound);
}

static void change(struct run *run, uint32_t table, uint32_t number)
{
    char text[16];
    struct mr_slice key = key_of(number, text);
    void *memory;
    bool created;
    int64_t *model = &run->live.counts[table][number];
    assert_ok(run, mr_table_get(run->tables[table], key, mr_hash64(key), 0, &memory, &created,
                                &run->fixture.error));
    assert_int_equal(created, *model == 0);
    struct fixture_object *object = memory;
    assert_int_equal(object->count, *model);
    if (pick(run, 20) == 0)
        return; /* a new one stays a ghost */
    run->live.keys[table] += *model == 0;
    object->count = ++*model;
    if (table == PLAIN) {
        mr_table_dirty(run->tables[table], memory);
        return;
    }
    void *slot;
    if (pick(run, 3) == 0)
        assert_ok(run, mr_table_slot(run->tables[table], memory, pick(run, SLOTS), true, &slot,
                                     &run->fixture.error));
    mr_table_schedule(run->tables[table], memory, (int64_t)pick(run, 1000));
}

static void remove_one(struct run *run, uint32_t table, uint32_t number)
{
    char text[16];
    struct mr_slice key = key_of(number, text);
    assert_ok(run, mr_table_remove(run->tables[table], key, mr_hash64(key), &run->fixture.error));
    run->live.keys[table] -= run->live.counts[table][number] != 0;
    run->live.counts[table][number] = 0;
}

struct range {
    char first_text[16];
    char end_text[16];
    struct mr_slice first;
    struct mr_slice end;
    uint32_t first_number;
    uint32_t end_number;
};

static void pick_range(struct run *run, struct range *range)
{
    uint32_t length = pick(run, 4) == 0 ? pick(run, KEYS) : pick(run, 30);
    *range = (struct range){.first_number = pick(run, KEYS)};
    range->end_number = range->first_number + length;
    range->first = key_of(range->first_number, range->first_text);
    range->end = key_of(range->end_number, range->end_text);
    if (pick(run, 20) == 0) {
        range->first_number = 0;
        range->first.size = 0;
    }
    if (pick(run, 20) == 0 || range->end_number >= KEYS) {
        range->end_number = KEYS;
        range->end = (struct mr_slice){0};
    }
}

struct walk {
    struct run *run;
    const int64_t *counts;
    uint32_t next; /* the least number that may come */
    uint32_t left; /* stops the scan */
};

static bool check_object(void *argument, struct mr_slice key, void *object)
{
    struct walk *walk = argument;
    uint32_t number = number_of(key);
    while (walk->next < number)
        assert_int_equal(walk->counts[walk->next++], 0); /* not left out */
    assert_int_equal(walk->next, number);
    assert_int_not_equal(walk->counts[number], 0);
    assert_int_equal(((const struct fixture_object *)object)->count, walk->counts[number]);
    walk->next++;
    walk->run->visited++;
    return --walk->left > 0;
}

static void scan(struct run *run, uint32_t table, const struct range *range, uint32_t most)
{
    struct walk walk = {
        .run = run, .counts = run->live.counts[table], .next = range->first_number, .left = most};
    assert_ok(run, mr_table_scan(run->tables[table], range->first, range->end, check_object, &walk,
                                 &run->fixture.error));
    while (walk.left > 0 && walk.next < range->end_number)
        assert_int_equal(walk.counts[walk.next++], 0);
}

static void step_scan(struct run *run, uint32_t table)
{
    struct range range;
    pick_range(run, &range);
    scan(run, table, &range, pick(run, 3) == 0 ? 1 + pick(run, 20) : UINT32_MAX);
}

static void step_remove_range(struct run *run, uint32_t table)
{
    struct range range;
    struct mr_slice rest;
    pick_range(run, &range);
    assert_ok(run, mr_table_remove_range(run->tables[table], range.first, range.end, &rest,
                                         &run->fixture.error));
    assert_null(rest.data);
    for (uint32_t i = range.first_number; i < range.end_number; i++) {
        run->removed += run->live.counts[table][i] != 0;
        run->live.keys[table] -= run->live.counts[table][i] != 0;
        run->live.counts[table][i] = 0;
    }
    scan(run, table, &range, UINT32_MAX);
}

static void open_tables(struct run *run)
{
    fixture_open(&run->fixture);
    for (uint32_t i = 0; i < TABLES; i++)
        run->tables[i] = fixture_table(&run->fixture, &run->specs[i]);
    fixture_restore(&run->fixture);
    run->live = run->committed;
    struct range all = {.end_number = KEYS};
    for (uint32_t i = 0; i < TABLES; i++) {
        assert_int_equal(mr_table_keys(run->tables[i]), run->committed.keys[i]);
        scan(run, i, &all, UINT32_MAX);
    }
}

static void step_seal(struct run *run)
{
    if (run->fixture.sealed != NULL) {
        fixture_apply(&run->fixture);
        run->committed = run->sealed;
    }
    bool commits = pick(run, 12) != 0;
    fixture_seal(&run->fixture, commits);
    run->sealed = run->live;
    if (commits)
        return;
    fixture_close(&run->fixture);
    open_tables(run);
}

static void step_crash(struct run *run)
{
    if (run->fixture.sealed != NULL)
        run->committed = run->sealed; /* the commit had won */
    fixture_close(&run->fixture);
    if (pick(run, 3) == 0)
        assert_ok(run, mr_state_wipe(&run->fixture.open, &run->fixture.error));
    run->crashes++;
    open_tables(run);
}

static void step(struct run *run)
{
    uint32_t choice = pick(run, 1000);
    uint32_t table = pick(run, TABLES);
    if (choice < 10)
        step_seal(run);
    else if (choice < 11)
        step_crash(run);
    else if (choice < 20 && run->fixture.sealed != NULL) {
        fixture_apply(&run->fixture);
        run->committed = run->sealed;
    } else if (choice < 25)
        step_remove_range(run, table);
    else if (choice < 100)
        remove_one(run, table, pick(run, KEYS));
    else if (choice < 250)
        step_scan(run, table);
    else
        change(run, table, pick(run, KEYS));
}

static void run_seed(const struct mr_store_ops *ops, uint64_t seed, uint64_t cache_bytes)
{
    struct run *run = mr_memory_new(1, sizeof *run);
    mr_random_init(&run->random, seed, 1);
    fixture_init(&run->fixture, ops, cache_bytes);
    run->specs[PLAIN] = fixture_spec("plain");
    run->specs[TIMED] = fixture_spec("timed");
    for (uint32_t i = 0; i < TABLES; i++) {
        run->specs[i].scanned = true;
        run->specs[i].object_size = OBJECT_BYTES;
    }
    run->specs[TIMED].timed = true;
    run->specs[TIMED].slot_bytes = SLOT_BYTES;
    run->specs[TIMED].slots_max = SLOTS;
    open_tables(run);
    for (uint32_t i = 0; i < KEYS; i++)
        change(run, i % TABLES, i);
    fixture_commit(&run->fixture);
    run->committed = run->live;
    for (uint32_t i = 0; i < STEPS; i++)
        step(run);
    step_crash(run);
    struct fixture_map fold;
    fixture_fold(&run->fixture, &fold);
    fixture_assert_dump(&run->fixture, &fold);
    fixture_map_deinit(&fold);
    print_message("seed %llu, cache %llu kB: %llu visited, %llu removed by range, %u crashes\n",
                  (unsigned long long)seed, (unsigned long long)cache_bytes >> 10,
                  (unsigned long long)run->visited, (unsigned long long)run->removed, run->crashes);
    fixture_deinit(&run->fixture);
    mr_memory_free(run);
}

static void test_random_runs(void **test_state)
{
    const struct mr_store_ops *ops = *test_state;
    const char *text = getenv("MR_TEST_SEEDS");
    uint64_t seeds = text == NULL ? 4 : strtoull(text, NULL, 10);
    for (uint64_t seed = 1; seed <= seeds; seed++)
        run_seed(ops, seed, seed % 2 == 0 ? 8 << 20 : 1);
}

int main(int argc, char **argv)
{
    const struct mr_store_ops *ops = &mr_store_memory;
    if (argc > 1 && strcmp(argv[1], mr_store_rocksdb.name) == 0)
        ops = &mr_store_rocksdb;
    union {
        const struct mr_store_ops *ops;
        void *argument;
    } store = {.ops = ops};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_prestate(test_random_runs, store.argument),
    };
    return cmocka_run_group_tests_name(ops->name, tests, NULL, NULL);
}
