/* tests/conformance/state_conformance.c — a task's state against a plain model, over each store.
 * A seed drives random gets, changes, slots, removals, watermarks, seals, applies, crashes (before
 * and after the commit, in the middle of a transaction), wipes and restores over four tables:
 * without bounds, with slots and max_bytes, with max_keys, and with ttl. After each reopening the
 * store must equal the fold of the changelog, and both the model, byte for byte. The model has no
 * cache, no layers and no transactions: equality also says that bounds do not depend on these. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "base/ring.h"
#include "state/key_codec.h"
#include "state/stored_value.h"
#include "tests/support/state_fixture.h"

enum { TABLES = 4, KEYS = 400, SLOTS = 6, SLOT_BYTES = 40, STEPS = 6000, OBJECT_BYTES = 1500 };
enum { PLAIN, SLOTTED, BOUNDED, AGEING };

struct model_key {
    bool exists;
    int64_t time_ms;
    struct fixture_object object;
    uint32_t slots_count;
    uint8_t slots[SLOTS];
};

struct model_table {
    struct model_key keys[KEYS];
    int64_t count;
    int64_t bytes;
    int64_t watermark_ms;
    bool logged; /* a table record was ever due */
};

struct model {
    struct model_table tables[TABLES];
    int64_t time_ms;
};

struct run {
    struct state_fixture fixture;
    struct mr_table *tables[TABLES];
    struct mr_table_spec specs[TABLES];
    struct model live;
    struct model sealed;    /* as of the last seal */
    struct model committed; /* as of the last transaction in the changelog */
    struct mr_random random;
    uint32_t crashes;
    uint32_t full_restores;
    uint64_t evictions; /* misses of keys that exist: they were evicted, or lost by a crash */
};

static const char *const NAMES[TABLES] = {"plain", "slotted", "bounded", "ageing"};

/* Keys of different lengths, one of them a prefix of others, and one empty. */
static struct mr_slice key_bytes(uint32_t number, char text[64])
{
    if (number == 0)
        return mr_slice_from(text, 0);
    int size = snprintf(text, 64, "k%u%s", number, number % 7 == 0 ? "-with-a-longer-key" : "");
    return mr_slice_from(text, (size_t)size);
}

static uint64_t key_total(const struct run *run, uint32_t table, uint32_t key)
{
    const struct model_key *model = &run->live.tables[table].keys[key];
    char text[64];
    struct mr_slice bytes = key_bytes(key, text);
    bool timed = table != PLAIN && model->time_ms != MR_TIME_NONE;
    size_t value =
        3u + (timed ? 8u : 0u) + (model->slots_count > 0 ? 4u : 0u) + sizeof(struct fixture_object);
    return 5 + bytes.size + value + model->slots_count * (12 + bytes.size + SLOT_BYTES);
}

static void model_drop(struct run *run, uint32_t table, uint32_t key)
{
    struct model_table *model = &run->live.tables[table];
    model->bytes -= (int64_t)key_total(run, table, key);
    model->count--;
    model->keys[key] = (struct model_key){0};
}

static int compare_age(const struct run *run, uint32_t table, uint32_t left, uint32_t right)
{
    const struct model_key *keys = run->live.tables[table].keys;
    if (keys[left].time_ms != keys[right].time_ms)
        return keys[left].time_ms < keys[right].time_ms ? -1 : 1;
    char left_text[64];
    char right_text[64];
    return mr_slice_compare(key_bytes(left, left_text), key_bytes(right, right_text));
}

static uint32_t model_oldest(const struct run *run, uint32_t table)
{
    const struct model_key *keys = run->live.tables[table].keys;
    uint32_t oldest = KEYS;
    for (uint32_t key = 0; key < KEYS; key++) {
        if (keys[key].exists && (oldest == KEYS || compare_age(run, table, key, oldest) < 0))
            oldest = key;
    }
    return oldest;
}

static bool model_ended(const struct run *run, uint32_t table, uint32_t key)
{
    const struct model_table *model = &run->live.tables[table];
    return table == AGEING && model->watermark_ms != MR_TIME_NONE && model->keys[key].exists &&
           model->keys[key].time_ms + run->specs[table].ttl_ms <= model->watermark_ms;
}

/* What mr_table_get does to the model; returns whether the key is new. */
static bool model_get(struct run *run, uint32_t table, uint32_t key)
{
    const struct mr_table_spec *spec = &run->specs[table];
    struct model_table *model = &run->live.tables[table];
    if (model_ended(run, table, key))
        model_drop(run, table, key);
    if (model->keys[key].exists)
        return false;
    while ((spec->keys_max > 0 && model->count >= spec->keys_max) ||
           (spec->bytes_max > 0 && model->count > 0 && model->bytes >= spec->bytes_max))
        model_drop(run, table, model_oldest(run, table));
    return true;
}

/* After a change: bytes are counted at the next call, and what exceeds the bound is dropped. */
static void model_settle(struct run *run)
{
    struct model_table *model = &run->live.tables[SLOTTED];
    while (model->count > 0 && model->bytes > run->specs[SLOTTED].bytes_max)
        model_drop(run, SLOTTED, model_oldest(run, SLOTTED));
}

static uint32_t pick(struct run *run, uint32_t bound)
{
    return (uint32_t)mr_random_below(&run->random, bound);
}

static void assert_ok(struct run *run, enum mr_status status)
{
    if (status != MR_OK)
        fail_msg("%s: %s", mr_status_name(status), run->fixture.error.message);
}

static void change_slots(struct run *run, uint32_t table, struct model_key *model, void *object)
{
    for (uint32_t i = pick(run, 4); i > 0; i--) {
        uint32_t slot = pick(run, SLOTS);
        bool write = pick(run, 2) == 0;
        void *memory;
        assert_ok(run, mr_table_slot(run->tables[table], object, slot, write, &memory,
                                     &run->fixture.error));
        uint8_t *bytes = memory;
        for (uint32_t j = 0; j < SLOT_BYTES; j++)
            assert_int_equal(bytes[j], model->slots[slot]);
        if (!write)
            continue;
        model->slots[slot] = (uint8_t)pick(run, 256);
        memset(bytes, model->slots[slot], SLOT_BYTES);
        if (slot >= model->slots_count)
            model->slots_count = slot + 1;
    }
}

static void step_get(struct run *run, uint32_t table, uint32_t key)
{
    char text[64];
    struct mr_slice bytes = key_bytes(key, text);
    struct model_table *model_table = &run->live.tables[table];
    struct model_key *model = &model_table->keys[key];
    int64_t time_ms = run->live.time_ms - (int64_t)pick(run, 300);
    bool model_new = model_get(run, table, key);
    void *memory;
    bool created;
    assert_ok(run, mr_table_get(run->tables[table], bytes, mr_hash64(bytes), time_ms, &memory,
                                &created, &run->fixture.error));
    assert_int_equal(created, model_new);
    assert_memory_equal(memory, &model->object, sizeof model->object);
    if (pick(run, 8) == 0)
        return; /* looked at, not changed: a new key does not exist */
    int64_t bytes_before = model->exists ? (int64_t)key_total(run, table, key) : 0;
    if (!model->exists) {
        model->exists = true;
        model->time_ms = MR_TIME_NONE;
        model_table->count++;
    }
    if (table != PLAIN && time_ms > model->time_ms)
        model->time_ms = time_ms;
    struct fixture_object *object = memory;
    object->count += 1 + pick(run, 5);
    object->sum += 0.5;
    model->object = *object;
    mr_table_dirty(run->tables[table], memory);
    if (table == SLOTTED)
        change_slots(run, table, model, memory);
    model_table->bytes += (int64_t)key_total(run, table, key) - bytes_before;
}

static void step_find(struct run *run, uint32_t table, uint32_t key)
{
    char text[64];
    struct mr_state_statistics before;
    struct mr_state_statistics after;
    mr_state_statistics(run->fixture.state, &before);
    const struct fixture_object *found =
        fixture_find(&run->fixture, run->tables[table], key_bytes(key, text));
    const struct model_key *model = &run->live.tables[table].keys[key];
    assert_int_equal(found != NULL, model->exists && !model_ended(run, table, key));
    if (found == NULL)
        return;
    assert_memory_equal(found, &model->object, sizeof *found);
    mr_state_statistics(run->fixture.state, &after);
    run->evictions += after.cache_misses - before.cache_misses;
}

static void step_remove(struct run *run, uint32_t table, uint32_t key)
{
    char text[64];
    struct mr_slice bytes = key_bytes(key, text);
    assert_ok(run,
              mr_table_remove(run->tables[table], bytes, mr_hash64(bytes), &run->fixture.error));
    if (run->live.tables[table].keys[key].exists)
        model_drop(run, table, key);
}

static void step_watermark(struct run *run)
{
    struct model_table *model = &run->live.tables[AGEING];
    int64_t watermark_ms = run->live.time_ms - 400;
    assert_ok(run, mr_table_expire(run->tables[AGEING], watermark_ms, &run->fixture.error));
    if (watermark_ms > model->watermark_ms)
        model->watermark_ms = watermark_ms;
    for (uint32_t key = 0; key < KEYS; key++) {
        if (model_ended(run, AGEING, key))
            model_drop(run, AGEING, key);
    }
}

/* ---- The model as stored pairs ---- */

static void expect_put(struct mr_arena *arena, struct fixture_map *map, const uint8_t *key,
                       size_t key_size, const uint8_t *value, size_t value_size)
{
    fixture_map_set(map, mr_arena_copy(arena, mr_slice_from(key, key_size)),
                    mr_arena_copy(arena, mr_slice_from(value, value_size)));
}

static void expect_key(struct mr_arena *arena, struct fixture_map *map, uint32_t table_id,
                       uint32_t key, const struct model_key *model)
{
    char text[64];
    uint8_t stored[128];
    uint8_t value[128];
    struct mr_slice bytes = key_bytes(key, text);
    struct mr_stored_object head = {
        .version = 3, .time_ms = model->time_ms, .slots_count = model->slots_count};
    size_t size = mr_stored_object_write_head(value, &head);
    memcpy(value + size, &model->object, sizeof model->object);
    expect_put(arena, map, stored, mr_key_write_object(stored, table_id, bytes), value,
               size + sizeof model->object);
    for (uint32_t slot = 0; slot < model->slots_count; slot++) {
        if (model->slots[slot] == 0)
            continue; /* perhaps never written: left out on both sides */
        mr_stored_slot_write_head(value, 3);
        memset(value + MR_STORED_SLOT_HEAD, model->slots[slot], SLOT_BYTES);
        expect_put(arena, map, stored, mr_key_write_slot(stored, table_id, bytes, slot), value,
                   MR_STORED_SLOT_HEAD + SLOT_BYTES);
    }
}

static void drop_empty_slots(struct fixture_map *map)
{
    size_t kept = 0;
    for (size_t i = 0; i < map->count; i++) {
        const struct fixture_record *item = &map->items[i];
        if (item->key.data[4] != MR_KEY_SLOT || item->value.data[MR_STORED_SLOT_HEAD] != 0)
            map->items[kept++] = *item;
    }
    map->count = kept;
}

static void assert_equals_model(struct run *run)
{
    struct fixture_map fold;
    struct fixture_map expected = {0};
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 16);
    fixture_fold(&run->fixture, &fold);
    fixture_assert_dump(&run->fixture, &fold);
    for (uint32_t i = 0; i < TABLES; i++) {
        const struct model_table *model = &run->committed.tables[i];
        uint32_t id = mr_key_table_id(NAMES[i], "counts", 0);
        uint8_t key[MR_KEY_HEAD_BYTES];
        uint8_t value[MR_STORED_TABLE_BYTES];
        struct mr_stored_table counts = {
            .keys = model->count, .bytes = model->bytes, .watermark_ms = model->watermark_ms};
        mr_stored_table_write(value, &counts);
        if (model->logged)
            expect_put(&arena, &expected, key, mr_key_write_plain(key, id, MR_KEY_TABLE), value,
                       sizeof value);
        for (uint32_t k = 0; k < KEYS; k++) {
            if (model->keys[k].exists)
                expect_key(&arena, &expected, id, k, &model->keys[k]);
        }
        assert_int_equal(mr_table_keys(run->tables[i]), model->count);
    }
    drop_empty_slots(&fold);
    assert_int_equal(fold.count, expected.count);
    for (size_t i = 0; i < fold.count; i++) {
        assert_true(mr_slice_equal(fold.items[i].key, expected.items[i].key));
        assert_true(mr_slice_equal(fold.items[i].value, expected.items[i].value));
    }
    fixture_map_deinit(&fold);
    fixture_map_deinit(&expected);
    mr_arena_deinit(&arena);
}

/* ---- Transactions and crashes ---- */

static void open_tables(struct run *run)
{
    fixture_open(&run->fixture);
    for (uint32_t i = 0; i < TABLES; i++)
        run->tables[i] = fixture_table(&run->fixture, &run->specs[i]);
    fixture_restore(&run->fixture);
}

static void note_logged(struct model *model, const struct model *before)
{
    for (uint32_t i = 0; i < TABLES; i++) {
        struct model_table *table = &model->tables[i];
        const struct model_table *old = &before->tables[i];
        if (table->count != old->count || table->bytes != old->bytes ||
            table->watermark_ms != old->watermark_ms)
            table->logged = true;
    }
}

static void step_seal(struct run *run)
{
    bool commits = pick(run, 10) != 0;
    if (run->fixture.sealed != NULL) {
        fixture_apply(&run->fixture);
        run->committed = run->sealed;
    }
    model_settle(run);
    note_logged(&run->live, &run->committed);
    fixture_seal(&run->fixture, commits);
    run->sealed = run->live;
    if (commits)
        return;
    /* The transaction failed: everything since is dropped. */
    fixture_close(&run->fixture);
    run->live = run->committed;
    open_tables(run);
    assert_equals_model(run);
}

/* Crash: what is in the changelog stays, what is only in memory goes. */
static void step_crash(struct run *run, bool wipe)
{
    if (run->fixture.sealed != NULL)
        run->committed = run->sealed; /* the commit had won */
    fixture_close(&run->fixture);
    if (wipe) {
        assert_ok(run, mr_state_wipe(&run->fixture.open, &run->fixture.error));
        run->full_restores++;
    }
    run->crashes++;
    run->live = run->committed;
    open_tables(run);
    assert_equals_model(run);
}

static void step(struct run *run)
{
    uint32_t table = pick(run, TABLES);
    /* Three quarters of the calls go to a tenth of the keys. */
    uint32_t key = pick(run, 4) == 0 ? pick(run, KEYS) : pick(run, KEYS / 10);
    uint32_t choice = pick(run, 1000);
    run->live.time_ms += pick(run, 12);
    if (choice >= 15)
        model_settle(run);
    if (choice < 12)
        step_seal(run);
    else if (choice < 15)
        step_crash(run, choice == 12);
    else if (choice < 25 && run->fixture.sealed != NULL) {
        fixture_apply(&run->fixture);
        run->committed = run->sealed;
    } else if (choice < 60)
        step_watermark(run);
    else if (choice < 120)
        step_remove(run, table, key);
    else if (choice < 220)
        step_find(run, table, key);
    else
        step_get(run, table, key);
}

static void run_seed(const struct mr_store_ops *ops, uint64_t seed, uint64_t cache_bytes)
{
    struct run *run = mr_memory_new(1, sizeof *run);
    mr_random_init(&run->random, seed, 1);
    fixture_init(&run->fixture, ops, cache_bytes);
    run->live.time_ms = 1000000;
    for (uint32_t i = 0; i < TABLES; i++) {
        run->specs[i] = fixture_spec(NAMES[i]);
        run->specs[i].object_size = OBJECT_BYTES; /* so that the small cache must evict */
        run->live.tables[i].watermark_ms = MR_TIME_NONE;
    }
    run->specs[SLOTTED].slot_bytes = SLOT_BYTES;
    run->specs[SLOTTED].slots_max = SLOTS;
    run->specs[SLOTTED].bytes_max = 12000;
    run->specs[BOUNDED].keys_max = 40;
    run->specs[AGEING].ttl_ms = 900;
    run->committed = run->live;
    open_tables(run);
    for (uint32_t i = 0; i < STEPS; i++)
        step(run);
    step_crash(run, true);
    print_message("seed %llu, cache %llu kB: %u crashes, %u full restores, %llu found below the "
                  "cache, %zu changelog records\n",
                  (unsigned long long)seed, (unsigned long long)cache_bytes >> 10, run->crashes,
                  run->full_restores, (unsigned long long)run->evictions, run->fixture.log_count);
    if (cache_bytes == 1)
        assert_true(run->evictions > 0);
    fixture_deinit(&run->fixture);
    mr_memory_free(run);
}

static void test_random_runs(void **test_state)
{
    const struct mr_store_ops *ops = *test_state;
    const char *text = getenv("MR_TEST_SEEDS");
    uint64_t seeds = text == NULL ? 6 : strtoull(text, NULL, 10);
    for (uint64_t seed = 1; seed <= seeds; seed++)
        run_seed(ops, seed, seed % 2 == 0 ? 1 : 8 << 20);
}

/* ---- Task thread and committer ---- */

enum { ROUNDS = 60, ROUND_KEYS = 400 };

struct committer {
    struct mr_state *state;
    struct mr_ring *sealed;
    struct mr_ring *applied;
    int64_t offset;
};

/* Applies while the task thread reads and changes the next transaction. */
static void *commit_rounds(void *argument)
{
    struct committer *committer = argument;
    void *sealed;
    while (mr_ring_pop(committer->sealed, &sealed, -1) == MR_OK) {
        struct mr_error error;
        enum mr_status status = mr_state_apply_sealed(committer->state, sealed, ++committer->offset,
                                                      1 << 20, 0, &error);
        MR_ASSERT(status == MR_OK);
        status = mr_ring_push(committer->applied, sealed, -1);
        MR_ASSERT(status == MR_OK);
    }
    return NULL;
}

static void change_keys(struct state_fixture *fixture, struct mr_table *const *tables, int round)
{
    for (uint32_t i = 0; i < ROUND_KEYS; i++) {
        char text[64];
        struct mr_slice key = key_bytes((i * 7 + (uint32_t)round) % 1000, text);
        fixture_add(fixture, tables[0], key, round, 1);
        fixture_add(fixture, tables[1], key, round, 1);
        if (i % 10 == 0)
            fixture_find(fixture, tables[0], key_bytes(i, text));
    }
    assert_int_equal(mr_table_expire(tables[1], round, &fixture->error), MR_OK);
}

static void test_task_and_committer(void **test_state)
{
    struct state_fixture fixture;
    fixture_init(&fixture, *test_state, 1);
    fixture_open(&fixture);
    struct mr_table_spec specs[] = {fixture_spec("plain"), fixture_spec("bounded")};
    specs[0].object_size = OBJECT_BYTES;
    specs[1].keys_max = 300;
    specs[1].ttl_ms = 20;
    struct mr_table *const tables[] = {fixture_table(&fixture, &specs[0]),
                                       fixture_table(&fixture, &specs[1])};
    struct committer committer = {
        .state = fixture.state, .sealed = mr_ring_create(1), .applied = mr_ring_create(1)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, commit_rounds, &committer), 0);
    for (int round = 0; round < ROUNDS; round++) {
        change_keys(&fixture, tables, round);
        void *applied;
        if (fixture.sealed != NULL) {
            assert_int_equal(mr_ring_pop(committer.applied, &applied, -1), MR_OK);
            mr_state_release_sealed(fixture.state, applied);
        }
        fixture_seal(&fixture, true);
        assert_int_equal(mr_ring_push(committer.sealed, fixture.sealed, -1), MR_OK);
    }
    void *applied;
    assert_int_equal(mr_ring_pop(committer.applied, &applied, -1), MR_OK);
    mr_state_release_sealed(fixture.state, applied);
    mr_ring_close(committer.sealed);
    pthread_join(thread, NULL);
    mr_ring_destroy(committer.sealed);
    mr_ring_destroy(committer.applied);
    int64_t total = 0;
    for (uint32_t i = 0; i < 1000; i++) {
        char text[64];
        const struct fixture_object *object = fixture_find(&fixture, tables[0], key_bytes(i, text));
        total += object == NULL ? 0 : object->count;
    }
    assert_int_equal(total, ROUNDS * ROUND_KEYS);
    assert_true(mr_table_keys(tables[1]) <= 300);
    struct fixture_map fold;
    fixture_fold(&fixture, &fold);
    fixture_assert_dump(&fixture, &fold);
    fixture_map_deinit(&fold);
    fixture_deinit(&fixture);
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
        cmocka_unit_test_prestate(test_task_and_committer, store.argument),
    };
    return cmocka_run_group_tests_name(ops->name, tests, NULL, NULL);
}
