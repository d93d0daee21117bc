/* tests/unit/state/test_life.c — operators that start over: nothing of an earlier life is seen,
 * what it left goes, and a crash or a restore in between makes no difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "state/internal.h"
#include "tests/support/state_fixture.h"

enum { MANY = 10000, CLEARED = 4096 };

static struct state_fixture fixture;
static struct mr_table *score; /* with a bound: it has order keys */
static struct mr_table *other;
static bool changed;

static int setup_memory(void **state)
{
    (void)state;
    fixture_init(&fixture, &mr_store_memory, 1 << 20);
    return 0;
}

static int setup_rocksdb(void **state)
{
    (void)state;
    fixture_init(&fixture, &mr_store_rocksdb, 1 << 20);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    fixture_deinit(&fixture);
    return 0;
}

/* Meaning 0: the task has no such operator. */
static void open_with(uint64_t score_meaning, uint64_t other_meaning)
{
    struct mr_state_operator operators[2];
    uint32_t count = 0;
    if (fixture.state != NULL)
        fixture_close(&fixture);
    fixture_open(&fixture);
    if (score_meaning != 0)
        operators[count++] = (struct mr_state_operator){.name = "score", .meaning = score_meaning};
    if (other_meaning != 0)
        operators[count++] = (struct mr_state_operator){.name = "other", .meaning = other_meaning};
    assert_int_equal(mr_state_declare(fixture.state, operators, count, &fixture.error), MR_OK);
    struct mr_table_spec spec = fixture_spec("score");
    spec.keys_max = 2 * MANY;
    score = score_meaning == 0 ? NULL : fixture_table(&fixture, &spec);
    spec = fixture_spec("other");
    other = other_meaning == 0 ? NULL : fixture_table(&fixture, &spec);
    fixture_restore(&fixture);
}

static void begin_with(uint64_t score_meaning, uint64_t other_meaning)
{
    open_with(score_meaning, other_meaning);
    assert_int_equal(mr_state_begin(fixture.state, &changed, &fixture.error), MR_OK);
}

/* As another machine does: only the changelog is left. */
static void lose_files(void)
{
    fixture_close(&fixture);
    assert_int_equal(mr_state_wipe(&fixture.open, &fixture.error), MR_OK);
}

static void add(struct mr_table *table, const char *key)
{
    fixture_add(&fixture, table, mr_slice_text(key), 1, 1);
}

static int64_t count_of(struct mr_table *table, const char *key)
{
    const struct fixture_object *object = fixture_find(&fixture, table, mr_slice_text(key));
    return object == NULL ? 0 : object->count;
}

static enum mr_beginning beginning(const char *name)
{
    return mr_state_beginning(fixture.state, name);
}

static void assert_same_as_changelog(void)
{
    struct fixture_map map;
    fixture_fold(&fixture, &map);
    fixture_assert_dump(&fixture, &map);
    fixture_map_deinit(&map);
}

static void test_the_same_meaning_goes_on(void **state)
{
    (void)state;
    begin_with(7, 1);
    assert_false(changed); /* nothing was stored before: the first records may bring it */
    assert_int_equal(beginning("score"), MR_BEGINNING_NEW);
    add(score, "a");
    fixture_commit(&fixture);
    begin_with(7, 1);
    assert_false(changed);
    assert_int_equal(beginning("score"), MR_BEGINNING_NONE);
    assert_int_equal(count_of(score, "a"), 1);
    assert_same_as_changelog();
}

static void test_another_meaning_starts_over(void **state)
{
    (void)state;
    begin_with(7, 1);
    add(score, "a");
    add(other, "a");
    fixture_commit(&fixture);
    begin_with(8, 1);
    assert_true(changed);
    assert_int_equal(beginning("score"), MR_BEGINNING_AGAIN);
    assert_int_equal(beginning("other"), MR_BEGINNING_NONE);
    assert_int_equal(mr_table_keys(score), 0);
    assert_int_equal(count_of(score, "a"), 0);
    assert_int_equal(count_of(other, "a"), 1);
    begin_with(7, 1); /* a crash before the commit: the old life is whole */
    assert_false(changed);
    assert_int_equal(count_of(score, "a"), 1);
    begin_with(8, 1);
    add(score, "b");
    fixture_commit(&fixture);
    for (int files = 0; files < 2; files++) {
        begin_with(8, 1);
        assert_false(changed);
        assert_int_equal(count_of(score, "a"), 0);
        assert_int_equal(count_of(score, "b"), 1);
        assert_int_equal(count_of(other, "a"), 1);
        assert_same_as_changelog();
        lose_files();
    }
    begin_with(7, 1); /* what was dropped does not come back */
    assert_int_equal(beginning("score"), MR_BEGINNING_AGAIN);
    assert_int_equal(count_of(score, "a"), 0);
    assert_int_equal(count_of(score, "b"), 0);
}

static void test_an_operator_that_was_gone_starts_over(void **state)
{
    (void)state;
    begin_with(7, 1);
    add(score, "a");
    add(other, "a");
    fixture_commit(&fixture);
    begin_with(0, 1);
    assert_true(changed);
    begin_with(7, 1); /* nothing was committed without it */
    assert_int_equal(count_of(score, "a"), 1);
    begin_with(0, 1);
    fixture_commit(&fixture);
    begin_with(0, 1);
    assert_false(changed);
    begin_with(7, 1);
    assert_int_equal(beginning("score"), MR_BEGINNING_AGAIN);
    assert_int_equal(count_of(score, "a"), 0);
    assert_int_equal(count_of(other, "a"), 1);
}

/* Written by a program that knew of no lives. */
static void test_what_has_no_record_is_kept(void **state)
{
    (void)state;
    fixture_open(&fixture);
    struct mr_table_spec spec = fixture_spec("score");
    score = fixture_table(&fixture, &spec);
    fixture_restore(&fixture);
    add(score, "a");
    fixture_commit(&fixture);
    begin_with(7, 1);
    assert_true(changed);
    assert_int_equal(beginning("score"), MR_BEGINNING_NONE);
    assert_int_equal(beginning("other"), MR_BEGINNING_NEW);
    assert_int_equal(count_of(score, "a"), 1);
    fixture_commit(&fixture);
    begin_with(8, 1);
    assert_int_equal(beginning("score"), MR_BEGINNING_AGAIN);
    assert_int_equal(count_of(score, "a"), 0);
}

static void test_what_earlier_lives_left_goes_by_and_by(void **state)
{
    (void)state;
    char key[16];
    struct fixture_map map;
    begin_with(7, 1);
    for (int index = 0; index < MANY; index++) {
        (void)snprintf(key, sizeof key, "%d", index);
        add(score, key);
    }
    add(other, "a");
    fixture_commit(&fixture);
    begin_with(8, 1);
    size_t before = fixture.log_count;
    for (int round = 0; round < 8; round++) {
        add(score, "new");
        fixture_commit(&fixture);
        assert_in_range(fixture.log_count - before, 2, CLEARED + 8);
        before = fixture.log_count;
        if (round == 1) { /* another process goes on */
            lose_files();
            begin_with(8, 1);
            assert_int_equal(count_of(score, "new"), 2);
        }
        assert_same_as_changelog();
    }
    assert_false(fixture.state->leftovers.wanted);
    fixture_fold(&fixture, &map); /* both lives' records; of score and other: counts, one key */
    assert_in_range(map.count, 5, 6);
    fixture_map_deinit(&map);
    assert_int_equal(count_of(score, "new"), 8);
    assert_int_equal(count_of(other, "a"), 1);
}

/* A standby follows the owner into the new life, and takes over. */
static void test_a_standby_sees_the_new_life(void **state)
{
    (void)state;
    begin_with(7, 1);
    add(score, "a");
    fixture_commit(&fixture);
    size_t known = fixture.log_count;
    begin_with(8, 1);
    add(score, "b");
    fixture_commit(&fixture);
    size_t all = fixture.log_count;
    lose_files();
    fixture.log_count = known;
    open_with(8, 1); /* its tables are opened before it has read of the life */
    fixture.log_count = all;
    fixture.opened.changelog_offset = fixture.log[known].offset;
    fixture_restore(&fixture);
    assert_int_equal(count_of(score, "a"), 0);
    assert_int_equal(count_of(score, "b"), 1);
    begin_with(8, 1);
    assert_false(changed);
    assert_int_equal(count_of(score, "b"), 1);
}

static enum mr_status note(void *argument, const struct mr_state_object *object,
                           struct mr_error *error)
{
    (void)error;
    *(uint32_t *)argument = object->version;
    return MR_OK;
}

static enum mr_status ask(const char *key)
{
    struct mr_arena arena;
    uint32_t version = 0;
    int64_t offset;
    const struct mr_state_query query = {.operator_name = "score",
                                         .table_name = "counts",
                                         .key = mr_slice_text(key),
                                         .visit = note,
                                         .argument = &version};
    mr_arena_init(&arena, 1024);
    enum mr_status status = mr_state_query(fixture.state, &query, &arena, &offset, &fixture.error);
    mr_arena_deinit(&arena);
    return status;
}

static void test_queries_see_the_present_life(void **state)
{
    (void)state;
    begin_with(7, 1);
    add(score, "a");
    fixture_commit(&fixture);
    assert_int_equal(ask("a"), MR_OK);
    begin_with(8, 1);
    assert_int_equal(ask("a"), MR_NOT_FOUND); /* the old bytes are not shown as new ones */
    add(score, "b");
    fixture_commit(&fixture);
    assert_int_equal(ask("a"), MR_NOT_FOUND);
    assert_int_equal(ask("b"), MR_OK);
}

static void test_a_damaged_record_is_noticed(void **state)
{
    (void)state;
    begin_with(7, 1);
    add(score, "a");
    fixture_commit(&fixture);
    for (size_t index = 0; index < fixture.log_count; index++)
        if (fixture.log[index].key.data[4] == MR_KEY_LIFE)
            fixture.log[index].value.size = 5;
    lose_files();
    fixture_open(&fixture);
    const struct mr_state_operator declared = {.name = "score", .meaning = 7};
    assert_int_equal(mr_state_declare(fixture.state, &declared, 1, &fixture.error), MR_OK);
    for (size_t index = 0; index < fixture.log_count; index++)
        if (!fixture.log[index].progress)
            assert_int_equal(mr_state_restore_record(fixture.state, fixture.log[index].key,
                                                     fixture.log[index].value, false,
                                                     &fixture.error),
                             MR_OK);
    assert_int_equal(mr_state_restore_commit(fixture.state, 9, fixture.now_ms, &fixture.error),
                     MR_OK);
    assert_int_equal(mr_state_restore_finish(fixture.state, &fixture.error), MR_CORRUPT);
    assert_non_null(strstr(fixture.error.message, "life of operator score"));
}

#define BOTH(test)                                                                                 \
    cmocka_unit_test_setup_teardown(test, setup_memory, teardown),                                 \
        cmocka_unit_test_setup_teardown(test, setup_rocksdb, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_same_meaning_goes_on, setup_rocksdb, teardown),
        cmocka_unit_test_setup_teardown(test_another_meaning_starts_over, setup_rocksdb, teardown),
        cmocka_unit_test_setup_teardown(test_an_operator_that_was_gone_starts_over, setup_rocksdb,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_what_has_no_record_is_kept, setup_rocksdb, teardown),
        cmocka_unit_test_setup_teardown(test_what_earlier_lives_left_goes_by_and_by, setup_rocksdb,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_a_standby_sees_the_new_life, setup_rocksdb, teardown),
        BOTH(test_queries_see_the_present_life),
        cmocka_unit_test_setup_teardown(test_a_damaged_record_is_noticed, setup_rocksdb, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
