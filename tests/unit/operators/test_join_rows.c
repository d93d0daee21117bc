/* tests/unit/operators/test_join_rows.c — join_rows.c over a state in memory, beside a plain list:
 * rows are found, due, earliest and removed as in the list, over commits, with few and with many
 * rows of a key. */
#include "operators/join_rows.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/random.h"
#include "tests/support/state_fixture.h"

enum { ROWS_MAX = 2000, TIMES = 50, KEYS = 3, STEPS = 4000 };

struct model_row {
    uint32_t side;
    uint32_t key;
    int64_t time_ms;
    uint64_t number;
    int64_t due_ms;
    size_t size;
    bool matched;
};

static struct model_row model[ROWS_MAX];
static uint32_t model_count;
static struct mr_join_rows rows;
static uint8_t bytes[2000];

static struct mr_slice key_of(uint32_t key)
{
    static const char *const keys[KEYS] = {"", "a", "ab"};
    return mr_slice_text(keys[key]);
}

static void must(enum mr_status status, const struct mr_error *error)
{
    if (status != MR_OK)
        fail_msg("%s", error->message);
}

static void assert_row(const struct mr_join_row *found, const struct model_row *expected)
{
    assert_int_equal(found->side, expected->side);
    assert_true(mr_slice_equal(found->key, key_of(expected->key)));
    assert_true(found->time_ms == expected->time_ms);
    assert_true(found->number == expected->number);
    assert_int_equal(found->matched, expected->matched);
    assert_int_equal(found->bytes.size, expected->size);
    assert_memory_equal(found->bytes.data, bytes, expected->size);
}

static void add(struct mr_random *random)
{
    struct mr_error error;
    struct model_row *row = &model[model_count++];
    *row = (struct model_row){
        .side = (uint32_t)mr_random_below(random, 2),
        .key = (uint32_t)mr_random_below(random, KEYS),
        .time_ms = (int64_t)mr_random_below(random, TIMES) - TIMES / 2,
        .due_ms = (int64_t)mr_random_below(random, TIMES),
        .size = mr_random_below(random, 3) == 0 ? mr_random_below(random, sizeof(bytes)) : 20};
    struct mr_join_row given = {.side = row->side,
                                .key = key_of(row->key),
                                .time_ms = row->time_ms,
                                .bytes = mr_slice_from(bytes, row->size)};
    must(mr_join_rows_add(&rows, &given, mr_hash64(given.key), row->due_ms, &error), &error);
    row->number = given.number;
}

static bool comes_before(const struct model_row *left, const struct model_row *right)
{
    return left->time_ms != right->time_ms ? left->time_ms < right->time_ms
                                           : left->number < right->number;
}

static void find(struct mr_random *random, struct mr_arena *arena)
{
    struct mr_error error;
    struct mr_join_found found = {0};
    uint32_t side = (uint32_t)mr_random_below(random, 2);
    uint32_t key = (uint32_t)mr_random_below(random, KEYS);
    int64_t first_ms = (int64_t)mr_random_below(random, TIMES) - TIMES / 2;
    int64_t last_ms = first_ms + (int64_t)mr_random_below(random, TIMES);
    uint32_t count = 0;
    must(mr_join_rows_count(&rows, key_of(key), mr_hash64(key_of(key)), side, &count, &error),
         &error);
    must(mr_join_rows_find(&rows, key_of(key), mr_hash64(key_of(key)), side, first_ms, last_ms,
                           arena, &found, &error),
         &error);
    const struct model_row *earliest = NULL;
    uint32_t expected = 0;
    for (uint32_t i = 0; i < model_count; i++) {
        const struct model_row *row = &model[i];
        if (row->side != side || row->key != key)
            continue;
        count--;
        if (earliest == NULL || comes_before(row, earliest))
            earliest = row;
        if (row->time_ms < first_ms || row->time_ms > last_ms)
            continue;
        expected++;
        uint32_t at = 0;
        while (at < found.count && found.items[at].number != row->number)
            at++;
        assert_true(at < found.count);
        assert_row(&found.items[at], row);
    }
    assert_int_equal(count, 0);
    assert_int_equal(found.count, expected);
    for (uint32_t i = 1; i < found.count; i++)
        assert_true(found.items[i - 1].time_ms <= found.items[i].time_ms);
    if (earliest == NULL)
        return;
    struct mr_join_row row;
    must(mr_join_rows_earliest(&rows, key_of(key), mr_hash64(key_of(key)), side, arena, &row,
                               &error),
         &error);
    assert_row(&row, earliest);
}

static void remove_at(uint32_t index)
{
    model[index] = model[--model_count];
}

static void match_or_remove(struct mr_random *random)
{
    struct mr_error error;
    if (model_count == 0)
        return;
    uint32_t index = (uint32_t)mr_random_below(random, model_count);
    struct model_row *row = &model[index];
    struct mr_join_row given = {
        .side = row->side, .key = key_of(row->key), .time_ms = row->time_ms, .number = row->number};
    if (mr_random_below(random, 2) == 0) {
        must(mr_join_rows_match(&rows, &given, &error), &error);
        row->matched = true;
    } else {
        must(mr_join_rows_remove(&rows, &given, &error), &error);
        remove_at(index);
    }
}

static void take_due(struct mr_random *random, struct mr_arena *arena)
{
    struct mr_error error;
    int64_t until_ms = (int64_t)mr_random_below(random, TIMES);
    bool any = true;
    while (any) {
        struct mr_join_row row;
        must(mr_join_rows_due(&rows, until_ms, arena, &row, &any, &error), &error);
        uint32_t due = 0;
        for (uint32_t i = 0; i < model_count; i++)
            due += model[i].due_ms <= until_ms;
        assert_int_equal(any, due > 0);
        for (uint32_t i = 0; any && i < model_count; i++)
            if (model[i].number == row.number) {
                assert_true(model[i].due_ms <= until_ms);
                assert_row(&row, &model[i]);
                remove_at(i);
                break;
            }
        if (any)
            must(mr_join_rows_remove(&rows, &row, &error), &error);
    }
}

static void rows_are_those_of_a_list(void **state)
{
    MR_UNUSED(state);
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    for (uint64_t seed = 0; seed < 6; seed++) {
        struct state_fixture fixture;
        struct mr_random random;
        struct mr_arena arena;
        struct mr_error error;
        fixture_init(&fixture, &mr_store_memory, seed % 2 == 0 ? 1 << 20 : 1);
        fixture_open(&fixture);
        mr_arena_init(&arena, 1 << 16);
        mr_random_init(&random, seed, 0);
        rows = (struct mr_join_rows){0};
        model_count = 0;
        struct mr_join_rows_spec spec = {.small_pages = seed % 3 == 0,
                                         .width_ms = {1 + (int64_t)seed * 4, 7}};
        must(mr_join_rows_open(&rows, fixture.state, "join", &spec, &error), &error);
        assert_int_equal(fixture_restore(&fixture), 0);
        for (uint32_t step = 0; step < STEPS; step++) {
            uint64_t what = mr_random_below(&random, 100);
            if (what < 40 && model_count < ROWS_MAX)
                add(&random);
            else if (what < 70)
                find(&random, &arena);
            else if (what < 97)
                match_or_remove(&random);
            else if (what < 98)
                take_due(&random, &arena);
            else {
                must(mr_join_rows_settle(&rows, &error), &error);
                fixture_commit(&fixture);
            }
            mr_arena_reset(&arena);
        }
        mr_arena_deinit(&arena);
        fixture_close(&fixture);
        fixture_deinit(&fixture);
    }
}

static void add_at(uint32_t side, int64_t time_ms)
{
    struct mr_error error;
    struct mr_join_row row = {.side = side,
                              .key = key_of(1),
                              .time_ms = time_ms,
                              .bytes = mr_slice_from(bytes, sizeof(bytes))};
    must(mr_join_rows_add(&rows, &row, mr_hash64(row.key), time_ms + 5, &error), &error);
}

static uint32_t count_of(uint32_t side)
{
    struct mr_error error;
    uint32_t count = 0;
    must(mr_join_rows_count(&rows, key_of(1), mr_hash64(key_of(1)), side, &count, &error), &error);
    return count;
}

/* Of a quiet side whole pages leave, when their last row is due; and pages are looked for where
 * their width says, so that rows of another width are refused. */
static void quiet_sides_are_not_told(void **state)
{
    MR_UNUSED(state);
    struct state_fixture fixture;
    struct mr_arena arena;
    struct mr_error error;
    struct mr_join_rows_spec spec = {.width_ms = {10, 10}, .quiet = {true, false}};
    struct mr_join_row row;
    bool any;
    fixture_init(&fixture, &mr_store_memory, 1 << 20);
    fixture_open(&fixture);
    mr_arena_init(&arena, 1 << 16);
    rows = (struct mr_join_rows){0};
    must(mr_join_rows_open(&rows, fixture.state, "join", &spec, &error), &error);
    assert_int_equal(fixture_restore(&fixture), 0);
    for (int64_t time_ms = 0; time_ms < 30; time_ms++)
        add_at(0, time_ms);
    add_at(1, 29);
    do { /* a page a call */
        must(mr_join_rows_due(&rows, 33, &arena, &row, &any, &error), &error);
        assert_true(!any || row.side == MR_JOIN_SIDES);
    } while (any);
    assert_true(count_of(0) > 0 && count_of(0) <= 10);
    do {
        must(mr_join_rows_due(&rows, 34, &arena, &row, &any, &error), &error);
    } while (any && row.side == MR_JOIN_SIDES);
    assert_true(any && row.side == 1 && row.time_ms == 29);
    assert_int_equal(row.bytes.size, sizeof(bytes));
    assert_int_equal(count_of(0), 0);
    assert_int_equal(count_of(1), 1);
    must(mr_join_rows_settle(&rows, &error), &error);
    fixture_commit(&fixture);
    fixture_close(&fixture);
    fixture_open(&fixture);
    spec.width_ms[1] = 11;
    rows = (struct mr_join_rows){0};
    must(mr_join_rows_open(&rows, fixture.state, "join", &spec, &error), &error);
    fixture_restore(&fixture);
    assert_int_equal(mr_join_rows_due(&rows, 34, &arena, &row, &any, &error), MR_VERSION);
    assert_non_null(strstr(error.message, "kept for other options"));
    mr_arena_deinit(&arena);
    fixture_close(&fixture);
    fixture_deinit(&fixture);
}

static void odd_bytes_are_refused(void **state)
{
    MR_UNUSED(state);
    uint32_t counts[MR_JOIN_SIDES];
    static const uint8_t stored[18 + 16] = {3, 0, 0, 0, 1, 0, 0, 0, 1};
    static const uint8_t more_listed[18 + 32] = {3, 0, 0, 0, 1, 0, 0, 0, 2};
    static const uint8_t more_pages[18 + 16] = {3, 0, 0, 0, 4, 0, 0, 0, 1};
    assert_true(mr_join_rows_counts(1, mr_slice_from(stored, 34), counts));
    assert_int_equal(counts[0], 3);
    assert_int_equal(counts[1], 0);
    assert_false(mr_join_rows_counts(1, mr_slice_from(stored, 33), counts));
    assert_false(mr_join_rows_counts(1, mr_slice_from(stored, 18), counts));
    assert_false(mr_join_rows_counts(2, mr_slice_from(stored, 34), counts));
    assert_false(mr_join_rows_counts(1, mr_slice_from(more_listed, 50), counts));
    assert_false(mr_join_rows_counts(1, mr_slice_from(more_pages, 34), counts));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_those_of_a_list),
        cmocka_unit_test(quiet_sides_are_not_told),
        cmocka_unit_test(odd_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
