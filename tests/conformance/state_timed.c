/* tests/conformance/state_timed.c — a timed table against a plain model, over each store.
 * A seed drives random scheduling (on, back, to times that were used before), due objects that are
 * removed or scheduled again, removals, seals, applies that other calls overtake, failed
 * transactions, crashes and wipes. The model is an array of due times: no layers, no transactions
 * but copies of the array. More keys than a window over the store holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "tests/support/state_fixture.h"

enum { KEYS = 3000, STEPS = 30000, OBJECT_BYTES = 700 };

struct model_key {
    bool exists;
    int64_t due_ms;
    int64_t count; /* in the object: how often it was scheduled since it was new */
};

struct model {
    struct model_key keys[KEYS];
    int64_t keys_count;
};

struct run {
    struct state_fixture fixture;
    struct mr_table_spec spec;
    struct mr_table *table;
    struct mr_random random;
    struct model live;
    struct model sealed;
    struct model committed;
    int64_t now_ms;
    uint32_t popped;
    uint32_t crashes;
};

/* Sorted as the numbers are, so that the model's order is that of the keys. */
static struct mr_slice key_of(uint32_t number, char text[24])
{
    return mr_slice_from(
        text, (size_t)snprintf(text, 24, "%05u%s", number, number % 5 == 0 ? "-longer" : ""));
}

static uint32_t number_of(struct mr_slice key)
{
    uint32_t number = 0;
    for (size_t i = 0; i < 5; i++)
        number = number * 10 + (uint32_t)(key.data[i] - '0');
    return number;
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

static int64_t pick_time(struct run *run)
{
    switch (pick(run, 4)) {
    case 0:
        return run->now_ms + (int64_t)pick(run, 10) * 100; /* a window's end: many are equal */
    case 1:
        return run->now_ms - (int64_t)pick(run, 500);
    default:
        return run->now_ms + (int64_t)pick(run, 3000);
    }
}

static uint32_t model_next(const struct model *model)
{
    uint32_t next = KEYS;
    for (uint32_t i = 0; i < KEYS; i++) {
        if (model->keys[i].exists &&
            (next == KEYS || model->keys[i].due_ms < model->keys[next].due_ms))
            next = i;
    }
    return next;
}

static void model_remove(struct model *model, uint32_t number)
{
    model->keys_count -= model->keys[number].exists;
    model->keys[number] = (struct model_key){0};
}

static void set(struct run *run, uint32_t number, void *memory, int64_t due_ms)
{
    struct model_key *key = &run->live.keys[number];
    struct fixture_object *object = memory;
    run->live.keys_count += !key->exists;
    key->exists = true;
    key->due_ms = due_ms;
    object->count++;
    key->count++;
    if (pick(run, 8) == 0) { /* in two steps */
        mr_table_schedule(run->table, memory, due_ms + (int64_t)pick(run, 200) - 100);
        mr_table_dirty(run->table, memory);
    }
    mr_table_schedule(run->table, memory, due_ms);
}

static void step_schedule(struct run *run, uint32_t number)
{
    char text[24];
    struct mr_slice key = key_of(number, text);
    void *memory;
    bool created;
    struct model_key *model = &run->live.keys[number];
    if (!model->exists && run->spec.keys_max > 0 && run->live.keys_count >= run->spec.keys_max)
        model_remove(&run->live, model_next(&run->live));
    assert_ok(run, mr_table_get(run->table, key, mr_hash64(key), run->now_ms, &memory, &created,
                                &run->fixture.error));
    assert_int_equal(created, !model->exists);
    assert_int_equal(((struct fixture_object *)memory)->count, model->count);
    if (pick(run, 10) != 0)
        set(run, number, memory, pick_time(run));
    else if (!created)
        mr_table_dirty(run->table, memory); /* its time stays */
}

static void step_remove(struct run *run, uint32_t number)
{
    char text[24];
    struct mr_slice key = key_of(number, text);
    assert_ok(run, mr_table_remove(run->table, key, mr_hash64(key), &run->fixture.error));
    model_remove(&run->live, number);
}

static bool pop(struct run *run, int64_t until_ms)
{
    struct mr_slice key;
    uint64_t hash;
    void *memory;
    bool found;
    uint32_t wanted = model_next(&run->live);
    assert_ok(run, mr_table_next_due(run->table, until_ms, &key, &hash, &memory, &found,
                                     &run->fixture.error));
    assert_int_equal(found, wanted < KEYS && run->live.keys[wanted].due_ms <= until_ms);
    if (!found)
        return false;
    assert_int_equal(number_of(key), wanted);
    assert_true(hash == mr_hash64(key));
    assert_int_equal(((struct fixture_object *)memory)->count, run->live.keys[wanted].count);
    run->popped++;
    if (pick(run, 3) == 0)
        set(run, wanted, memory, until_ms + 1 + (int64_t)pick(run, 1500));
    else
        step_remove(run, wanted);
    return true;
}

static void step_due(struct run *run)
{
    int64_t until_ms = run->now_ms - 200;
    for (uint32_t i = pick(run, 40); i > 0 && pop(run, until_ms); i--)
        ;
}

static void open_table(struct run *run)
{
    fixture_open(&run->fixture);
    run->table = fixture_table(&run->fixture, &run->spec);
    fixture_restore(&run->fixture);
    run->live = run->committed;
    assert_int_equal(mr_table_keys(run->table), run->committed.keys_count);
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
    open_table(run);
}

static void step_crash(struct run *run)
{
    if (run->fixture.sealed != NULL)
        run->committed = run->sealed; /* the commit had won */
    fixture_close(&run->fixture);
    if (pick(run, 3) == 0)
        assert_ok(run, mr_state_wipe(&run->fixture.open, &run->fixture.error));
    run->crashes++;
    open_table(run);
}

static void step(struct run *run)
{
    uint32_t choice = pick(run, 1000);
    uint32_t number = pick(run, 3) == 0 ? pick(run, KEYS / 20) : pick(run, KEYS);
    run->now_ms += pick(run, 5);
    if (choice < 10)
        step_seal(run);
    else if (choice < 11)
        step_crash(run);
    else if (choice < 22 && run->fixture.sealed != NULL) {
        fixture_apply(&run->fixture);
        run->committed = run->sealed;
    } else if (choice < 80)
        step_remove(run, number);
    else if (choice < 250)
        step_due(run);
    else
        step_schedule(run, number);
}

static void fill(struct run *run)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        char text[24];
        void *memory;
        bool created;
        struct mr_slice key = key_of(i, text);
        if (run->spec.keys_max > 0 && run->live.keys_count >= run->spec.keys_max)
            break;
        assert_ok(run, mr_table_get(run->table, key, mr_hash64(key), 0, &memory, &created,
                                    &run->fixture.error));
        set(run, i, memory, run->now_ms + (int64_t)pick(run, 6000));
    }
    fixture_commit(&run->fixture);
    run->committed = run->live;
}

static void run_seed(const struct mr_store_ops *ops, uint64_t seed, uint64_t cache_bytes)
{
    struct run *run = mr_memory_new(1, sizeof *run);
    mr_random_init(&run->random, seed, 1);
    fixture_init(&run->fixture, ops, cache_bytes);
    run->spec = fixture_spec("due");
    run->spec.timed = true;
    run->spec.object_size = OBJECT_BYTES;
    run->spec.keys_max = seed % 3 == 0 ? KEYS / 2 : 0;
    run->now_ms = 1000000;
    open_table(run);
    fill(run);
    for (uint32_t i = 0; i < STEPS; i++)
        step(run);
    step_crash(run);
    while (run->live.keys_count > 0) {
        run->now_ms += 3000;
        while (pop(run, run->now_ms))
            ;
    }
    assert_false(pop(run, INT64_MAX));
    print_message("seed %llu, cache %llu kB: %u popped, %u crashes, %zu changelog records\n",
                  (unsigned long long)seed, (unsigned long long)cache_bytes >> 10, run->popped,
                  run->crashes, run->fixture.log_count);
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
