/* tests/unit/operators/test_aggregate_frequent.c — heavy_hitters beside exact counts. */
#include "tests/support/aggregate_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MAX = 5000, VALUES_MAX = 5000 };

static const enum mr_type_code any[] = {MR_TYPE_ANY};

static void open(struct aggregate_fixture *fixture, double count, uint32_t piece_bytes)
{
    const double parameters[] = {count, 64};
    aggregate_open(fixture, "heavy_hitters", 1, any, parameters, piece_bytes);
}

static int64_t member(struct mr_value map, uint32_t index, const char *name)
{
    assert_int_equal(map.kind, MR_KIND_MAP);
    assert_int_equal(map.size, 3);
    assert_true(mr_slice_equal(mr_value_text(map.entries[index].key), mr_slice_text(name)));
    assert_int_equal(map.entries[index].value.kind, MR_KIND_INT);
    return map.entries[index].value.integer;
}

static int descending(const void *left, const void *right)
{
    const int64_t *first = left;
    const int64_t *second = right;
    return *first > *second ? -1 : *first < *second;
}

/* What Space-Saving promises, of the state after any grouping. */
static void check_promises(struct mr_value list, const int64_t counts[VALUES_MAX], uint32_t n)
{
    static int64_t sorted[VALUES_MAX];
    memcpy(sorted, counts, sizeof(sorted));
    qsort(sorted, VALUES_MAX, sizeof(sorted[0]), descending);
    int64_t bound = ROWS_MAX / (10 * (int64_t)n);
    assert_int_equal(list.kind, MR_KIND_LIST);
    assert_true(list.size <= n);
    for (uint32_t index = 0; index < list.size; index++) {
        int64_t value = member(list.items[index], 0, "value");
        int64_t count = member(list.items[index], 1, "count");
        int64_t error = member(list.items[index], 2, "error");
        assert_true(count >= counts[value]);
        assert_true(count - error <= counts[value]);
        assert_true(error <= bound);
        assert_true(index == 0 || count <= member(list.items[index - 1], 1, "count"));
        /* The i-th count is at least the i-th true one, and by no more than the bound above it. */
        assert_true(count >= sorted[index]);
        assert_true(count <= sorted[index] + bound);
    }
}

static void counts_keep_their_promises(void **state)
{
    (void)state;
    static struct aggregate_row rows[ROWS_MAX];
    static int64_t counts[VALUES_MAX];
    struct mr_random random;
    for (uint32_t seed = 0; seed < 24; seed++) {
        struct aggregate_fixture fixture;
        uint32_t n = seed % 3 == 0 ? 1 : seed % 3 == 1 ? 5 : 40;
        memset(counts, 0, sizeof(counts));
        mr_random_init(&random, seed, 9);
        for (uint32_t row = 0; row < ROWS_MAX; row++) {
            /* About 1 / rank, and in every other run in waves. */
            double rank = pow(VALUES_MAX, mr_random_double(&random)) - 1;
            uint32_t value = seed % 2 ? (uint32_t)rank : ((uint32_t)rank + row / 1000) % VALUES_MAX;
            counts[value]++;
            rows[row].a = mr_value_int(value);
        }
        open(&fixture, n, seed % 4 < 2 ? 256 : 1024);
        aggregate_spread(&fixture, rows, ROWS_MAX, seed);
        for (uint32_t part = 0; part < 3; part++)
            check_promises(aggregate_result(&fixture, part), counts, n);
        aggregate_close(&fixture);
    }
}

static void few_values_are_exact(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    open(&fixture, 2, 256);
    static const char *const names[] = {"a", "b", "b", "c", "c", "c", "b", "c", "d"};
    for (uint32_t row = 0; row < MR_ARRAY_COUNT(names); row++)
        aggregate_take(&fixture, row % 3, mr_value_string(mr_slice_text(names[row])));
    assert_int_equal(aggregate_merge(&fixture, 0, 1), MR_OK);
    assert_int_equal(aggregate_merge(&fixture, 0, 2), MR_OK);
    struct mr_value list = aggregate_result(&fixture, 0);
    static const char *const expected[] = {"c", "b"};
    assert_int_equal(list.size, 2);
    for (uint32_t index = 0; index < 2; index++) {
        struct mr_value value = list.items[index].entries[0].value;
        assert_true(mr_slice_equal(mr_value_text(value), mr_slice_text(expected[index])));
        assert_int_equal(member(list.items[index], 1, "count"), 4 - index);
        assert_int_equal(member(list.items[index], 2, "error"), 0);
    }
    aggregate_close(&fixture);
}

static void stored_bytes_stay(void **state)
{
    (void)state;
    static struct aggregate_golden golden;
    struct aggregate_fixture fixture;
    open(&fixture, 1, 256);
    for (int row = 0; row < 12; row++)
        aggregate_take(&fixture, 0, mr_value_int(row));
    aggregate_take(&fixture, 0, mr_value_string(mr_slice_text("sensor-a")));
    aggregate_golden_add(&golden, &fixture, 0);
    aggregate_close(&fixture);
    aggregate_golden_check(&golden, "aggregate_frequent_v1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(counts_keep_their_promises),
        cmocka_unit_test(few_values_are_exact),
        cmocka_unit_test(stored_bytes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
