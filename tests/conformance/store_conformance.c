/* tests/conformance/store_conformance.c — the ordered store's contract (state/store.h), over each
 * store: order, batches, ranges, scans, arena copies, one reader beside one writer, reopening. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/random.h"
#include "tests/support/state_fixture.h"

struct suite {
    const struct mr_store_ops *ops;
    struct mr_store_resources *resources;
    void *store;
    char directory[64];
    struct mr_arena arena;
    struct mr_error error;
};

static void assert_ok(const struct suite *suite, enum mr_status status)
{
    if (status != MR_OK)
        fail_msg("%s: %s", mr_status_name(status), suite->error.message);
}

static void suite_open(struct suite *suite)
{
    struct mr_store_open open = {.directory = suite->directory, .resources = suite->resources};
    suite->store = mr_memory_new(1, suite->ops->instance_size);
    assert_ok(suite, suite->ops->open(suite->store, &open, &suite->error));
}

static void suite_close(struct suite *suite)
{
    suite->ops->close(suite->store);
    mr_memory_free(suite->store);
    suite->store = NULL;
}

static const struct mr_store_ops *chosen = &mr_store_memory;

static int setup(void **test_state)
{
    struct suite *suite = mr_memory_new(1, sizeof *suite);
    suite->ops = chosen;
    suite->resources = suite->ops->resources_create(16 << 20);
    memcpy(suite->directory, "/tmp/mr-store-XXXXXX", 21);
    if (mkdtemp(suite->directory) == NULL)
        return 1;
    mr_arena_init(&suite->arena, 1 << 16);
    suite_open(suite);
    *test_state = suite;
    return 0;
}

static int teardown(void **test_state)
{
    struct suite *suite = *test_state;
    suite_close(suite);
    suite->ops->resources_destroy(suite->resources);
    fixture_remove_folder(suite->directory);
    mr_arena_deinit(&suite->arena);
    mr_memory_free(suite);
    return 0;
}

static struct mr_store_write put(const char *key, const char *value)
{
    return (struct mr_store_write){
        .kind = MR_STORE_PUT, .key = mr_slice_text(key), .value = mr_slice_text(value)};
}

static void write_all(struct suite *suite, const struct mr_store_write *writes, size_t count)
{
    assert_ok(suite, suite->ops->write(suite->store, writes, count, &suite->error));
}

static void assert_value(struct suite *suite, const char *key, const char *value)
{
    struct mr_slice found;
    enum mr_status status =
        suite->ops->get(suite->store, mr_slice_text(key), &suite->arena, &found, &suite->error);
    if (value == NULL) {
        assert_int_equal(status, MR_NOT_FOUND);
        return;
    }
    assert_ok(suite, status);
    assert_int_equal(found.size, strlen(value));
    assert_memory_equal(found.data, value, found.size);
}

static void test_put_get_delete(void **test_state)
{
    struct suite *suite = *test_state;
    assert_value(suite, "a", NULL);
    struct mr_store_write first[] = {put("a", "1"), put("b", "22"), put("c", "")};
    write_all(suite, first, 3);
    assert_value(suite, "a", "1");
    assert_value(suite, "b", "22");
    assert_value(suite, "c", "");
    assert_value(suite, "ab", NULL);
    struct mr_store_write second[] = {put("a", "a longer value than before"),
                                      {.kind = MR_STORE_DELETE, .key = mr_slice_text("b")},
                                      {.kind = MR_STORE_DELETE, .key = mr_slice_text("not there")}};
    write_all(suite, second, 3);
    assert_value(suite, "a", "a longer value than before");
    assert_value(suite, "b", NULL);
}

static void test_a_value_is_the_arena_s(void **test_state)
{
    struct suite *suite = *test_state;
    struct mr_store_write first = put("key", "before");
    write_all(suite, &first, 1);
    struct mr_slice value;
    assert_ok(suite, suite->ops->get(suite->store, mr_slice_text("key"), &suite->arena, &value,
                                     &suite->error));
    struct mr_store_write second = put("key", "AFTER!");
    write_all(suite, &second, 1);
    assert_memory_equal(value.data, "before", 6);
}

static void test_the_last_write_of_a_batch_wins(void **test_state)
{
    struct suite *suite = *test_state;
    struct mr_store_write writes[] = {put("a", "1"),
                                      {.kind = MR_STORE_DELETE, .key = mr_slice_text("a")},
                                      put("a", "2"),
                                      put("b", "1"),
                                      {.kind = MR_STORE_DELETE, .key = mr_slice_text("b")}};
    write_all(suite, writes, 5);
    assert_value(suite, "a", "2");
    assert_value(suite, "b", NULL);
    write_all(suite, writes, 0);
    assert_value(suite, "a", "2");
}

static void test_delete_range(void **test_state)
{
    struct suite *suite = *test_state;
    struct mr_store_write writes[] = {put("a", "1"),  put("b", "1"),   put("b\x01", "1"),
                                      put("bz", "1"), put("c", "end"), put("d", "1")};
    write_all(suite, writes, 6);
    struct mr_store_write range = {
        .kind = MR_STORE_DELETE_RANGE, .key = mr_slice_text("b"), .range_end = mr_slice_text("c")};
    struct mr_store_write both[] = {range, put("bb", "after the range")};
    write_all(suite, both, 2);
    assert_value(suite, "a", "1");
    assert_value(suite, "b", NULL);
    assert_value(suite, "b\x01", NULL);
    assert_value(suite, "bz", NULL);
    assert_value(suite, "bb", "after the range");
    assert_value(suite, "c", "end");
}

struct listing {
    char text[512];
    size_t stop_after;
    size_t count;
};

static bool list(void *argument, struct mr_slice key, struct mr_slice value)
{
    struct listing *listing = argument;
    size_t used = strlen(listing->text);
    snprintf(listing->text + used, sizeof listing->text - used, "%.*s=%.*s ", (int)key.size,
             (const char *)key.data, (int)value.size, (const char *)value.data);
    return ++listing->count != listing->stop_after;
}

static void assert_listing(struct suite *suite, const char *first, const char *end,
                           size_t stop_after, const char *wanted)
{
    struct listing listing = {.stop_after = stop_after};
    assert_ok(suite, suite->ops->scan(suite->store, mr_slice_text(first), mr_slice_text(end), list,
                                      &listing, &suite->error));
    assert_string_equal(listing.text, wanted);
}

static void test_scan(void **test_state)
{
    struct suite *suite = *test_state;
    struct mr_store_write writes[] = {put("bb", "3"), put("a", "1"), put("b", "2"), put("c", "5"),
                                      put("b\xff", "4")};
    write_all(suite, writes, 5);
    assert_listing(suite, "", "z", 0, "a=1 b=2 bb=3 b\xff=4 c=5 ");
    assert_listing(suite, "b", "c", 0, "b=2 bb=3 b\xff=4 ");
    assert_listing(suite, "ba", "bb", 0, "");
    assert_listing(suite, "", "z", 2, "a=1 b=2 ");
    assert_listing(suite, "c", "b", 0, "");
}

/* ---- Against a plain model ---- */

enum { MODEL_KEYS = 300, MODEL_STEPS = 4000 };

struct model_check {
    char (*values)[16];
    uint32_t next;
};

static bool match(void *argument, struct mr_slice key, struct mr_slice value)
{
    struct model_check *check = argument;
    while (check->next < MODEL_KEYS && check->values[check->next][0] == '\0')
        check->next++;
    char wanted[16];
    snprintf(wanted, sizeof wanted, "k%04u", check->next);
    assert_true(check->next < MODEL_KEYS && mr_slice_equal(key, mr_slice_text(wanted)));
    assert_true(mr_slice_equal(value, mr_slice_text(check->values[check->next])));
    check->next++;
    return true;
}

static void assert_model(struct suite *suite, char (*values)[16])
{
    struct model_check check = {.values = values};
    assert_ok(suite, suite->ops->scan(suite->store, mr_slice_text("k"), mr_slice_text("l"), match,
                                      &check, &suite->error));
    while (check.next < MODEL_KEYS && values[check.next][0] == '\0')
        check.next++;
    assert_int_equal(check.next, MODEL_KEYS);
}

static void random_step(struct suite *suite, struct mr_random *random, char (*values)[16])
{
    struct mr_store_write writes[8];
    char keys[8][2][16];
    size_t count = 1 + mr_random_below(random, 8);
    for (size_t i = 0; i < count; i++) {
        uint32_t key = (uint32_t)mr_random_below(random, MODEL_KEYS);
        uint32_t end = key + (uint32_t)mr_random_below(random, 5);
        uint64_t choice = mr_random_below(random, 20);
        snprintf(keys[i][0], sizeof keys[i][0], "k%04u", key);
        snprintf(keys[i][1], sizeof keys[i][1], "k%04u", end);
        writes[i] =
            (struct mr_store_write){.kind = MR_STORE_DELETE, .key = mr_slice_text(keys[i][0])};
        if (choice == 0) {
            writes[i].kind = MR_STORE_DELETE_RANGE;
            writes[i].range_end = mr_slice_text(keys[i][1]);
            for (uint32_t j = key; j < end && j < MODEL_KEYS; j++)
                values[j][0] = '\0';
        } else if (choice < 6) {
            values[key][0] = '\0';
        } else {
            snprintf(values[key], sizeof values[key], "%llu",
                     (unsigned long long)mr_random_below(random, UINT64_C(1) << 45));
            writes[i].kind = MR_STORE_PUT;
            writes[i].value = mr_arena_copy(&suite->arena, mr_slice_text(values[key]));
        }
    }
    write_all(suite, writes, count);
    mr_arena_reset(&suite->arena);
}

static void test_random_batches(void **test_state)
{
    struct suite *suite = *test_state;
    char(*values)[16] = mr_memory_new(MODEL_KEYS, sizeof *values);
    struct mr_random random;
    mr_random_init(&random, 11, 0);
    for (int i = 0; i < MODEL_STEPS; i++) {
        random_step(suite, &random, values);
        if (i % 200 == 0)
            assert_model(suite, values);
        if (i % 1000 == 999)
            assert_ok(suite, suite->ops->flush(suite->store, i % 2000 == 999, &suite->error));
    }
    assert_model(suite, values);
    mr_memory_free(values);
}

/* ---- One writer, one reader ---- */

enum { PAIR_KEYS = 50, PAIR_ROUNDS = 400 };

struct writer {
    struct suite *suite;
    atomic_bool done;
};

static void *write_rounds(void *argument)
{
    struct writer *writer = argument;
    struct mr_error error;
    for (int round = 0; round < PAIR_ROUNDS; round++) {
        struct mr_store_write writes[PAIR_KEYS];
        char keys[PAIR_KEYS][16];
        char value[16];
        snprintf(value, sizeof value, "%d", round);
        for (int i = 0; i < PAIR_KEYS; i++) {
            snprintf(keys[i], sizeof keys[i], "p%04d", i);
            writes[i] = put(keys[i], value);
        }
        enum mr_status status =
            writer->suite->ops->write(writer->suite->store, writes, PAIR_KEYS, &error);
        MR_ASSERT(status == MR_OK);
    }
    atomic_store(&writer->done, true);
    return NULL;
}

struct same {
    struct mr_slice first;
    char text[16];
    uint32_t count;
};

static bool all_same(void *argument, struct mr_slice key, struct mr_slice value)
{
    struct same *same = argument;
    MR_UNUSED(key);
    if (same->count++ == 0) {
        memcpy(same->text, value.data, value.size);
        same->first = mr_slice_from(same->text, value.size);
    }
    assert_true(mr_slice_equal(same->first, value));
    return true;
}

static void test_a_scan_sees_whole_batches(void **test_state)
{
    struct suite *suite = *test_state;
    struct writer writer = {.suite = suite};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_rounds, &writer), 0);
    uint32_t scans = 0;
    while (!atomic_load(&writer.done) || scans == 0) {
        struct same same = {0};
        assert_ok(suite, suite->ops->scan(suite->store, mr_slice_text("p"), mr_slice_text("q"),
                                          all_same, &same, &suite->error));
        assert_true(same.count == 0 || same.count == PAIR_KEYS);
        struct mr_slice value;
        enum mr_status status = suite->ops->get(suite->store, mr_slice_text("p0001"), &suite->arena,
                                                &value, &suite->error);
        assert_true(status == MR_OK || status == MR_NOT_FOUND);
        mr_arena_reset(&suite->arena);
        scans++;
    }
    pthread_join(thread, NULL);
    assert_value(suite, "p0049", "399");
}

/* ---- Reopening ---- */

static void test_close_and_wipe(void **test_state)
{
    struct suite *suite = *test_state;
    struct mr_store_write write = put("kept", "1");
    write_all(suite, &write, 1);
    struct mr_store_statistics statistics;
    assert_ok(suite, suite->ops->flush(suite->store, true, &suite->error));
    suite->ops->statistics(suite->store, &statistics);
    assert_int_equal(statistics.keys_estimate, 1);
    suite_close(suite);
    suite_open(suite);
    /* Only a store on disk keeps anything. */
    assert_value(suite, "kept", suite->ops == &mr_store_memory ? NULL : "1");
    suite_close(suite);
    assert_ok(suite, suite->ops->wipe(suite->directory, &suite->error));
    assert_ok(suite, suite->ops->wipe(suite->directory, &suite->error)); /* nothing there: fine */
    suite_open(suite);
    assert_value(suite, "kept", NULL);
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], mr_store_rocksdb.name) == 0)
        chosen = &mr_store_rocksdb;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_put_get_delete, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_value_is_the_arena_s, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_last_write_of_a_batch_wins, setup, teardown),
        cmocka_unit_test_setup_teardown(test_delete_range, setup, teardown),
        cmocka_unit_test_setup_teardown(test_scan, setup, teardown),
        cmocka_unit_test_setup_teardown(test_random_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_scan_sees_whole_batches, setup, teardown),
        cmocka_unit_test_setup_teardown(test_close_and_wipe, setup, teardown),
    };
    return cmocka_run_group_tests_name(chosen->name, tests, NULL, NULL);
}
