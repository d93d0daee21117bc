/* tests/unit/operators/test_aggregate_order.c — min, max, first, last, argmin, argmax. */
#include "tests/support/aggregate_fixture.h"

#include <stdio.h>

enum { ROWS_MAX = 500 };

static const enum mr_type_code any[] = {MR_TYPE_ANY, MR_TYPE_ANY};
static const char *const names[] = {"min", "max", "first", "last", "argmin", "argmax"};

static struct mr_value text(const char *bytes)
{
    return mr_value_string(mr_slice_text(bytes));
}

static void open(struct aggregate_fixture *fixture, const char *name)
{
    aggregate_open(fixture, name, strncmp(name, "arg", 3) == 0 ? 2 : 1, any, NULL, 256);
}

static void assert_equal(struct mr_value value, struct mr_value expected)
{
    assert_int_equal(value.kind, expected.kind);
    assert_true(mr_value_equal(value, expected));
}

/* Four rows, not in the order of their event times; what each function says of them. */
static void each_says_its_row(void **state)
{
    (void)state;
    const struct {
        struct mr_value a;
        struct mr_value b;
        int64_t time_ms;
    } rows[] = {{text("m"), mr_value_int(5), 20},
                {text("c"), mr_value_double(9), 10},
                {text("x"), mr_value_int(9), 5},
                {text("a"), mr_value_int(-1), 15}};
    static const char *const expected[] = {"a", "x", "x", "m", "a", "x"};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(names); index++) {
        struct aggregate_fixture fixture;
        open(&fixture, names[index]);
        for (uint32_t row = 0; row < MR_ARRAY_COUNT(rows); row++)
            assert_int_equal(
                aggregate_add(&fixture, 0, rows[row].a, rows[row].b, rows[row].time_ms), MR_OK);
        assert_equal(aggregate_result(&fixture, 0), text(expected[index]));
        aggregate_close(&fixture);
    }
}

static void ties_go_by_time_and_arrival(void **state)
{
    (void)state;
    static const int64_t expected[] = {1, 1, 1, 2, 1, 1};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(names); index++) {
        for (uint32_t merged = 0; merged < 2; merged++) {
            struct aggregate_fixture fixture;
            bool extreme = index < 2;
            open(&fixture, names[index]);
            /* Equal values keep the first one's kind; equal times say who came first. */
            struct mr_value second = extreme ? mr_value_double(1) : mr_value_int(2);
            assert_int_equal(aggregate_add(&fixture, 0, mr_value_int(1), mr_value_int(7), -3),
                             MR_OK);
            assert_int_equal(aggregate_add(&fixture, merged, second, mr_value_double(7), -3),
                             MR_OK);
            assert_int_equal(aggregate_merge(&fixture, 0, 1), MR_OK);
            assert_equal(aggregate_result(&fixture, 0), mr_value_int(expected[index]));
            aggregate_close(&fixture);
        }
    }
}

static void texts_have_a_bound(void **state)
{
    (void)state;
    char long_text[200];
    memset(long_text, 'z', sizeof(long_text));
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(names); index++) {
        struct aggregate_fixture fixture;
        open(&fixture, names[index]);
        uint32_t bound = index < 2 ? 64 : 128;
        struct mr_value fits = mr_value_string(mr_slice_from(long_text, bound));
        struct mr_value over = mr_value_string(mr_slice_from(long_text, bound + 1));
        assert_int_equal(aggregate_add(&fixture, 0, fits, mr_value_int(1), 1), MR_OK);
        assert_int_equal(aggregate_add(&fixture, 0, over, mr_value_int(1), 1), MR_INVALID);
        assert_equal(aggregate_result(&fixture, 0), fits);
        aggregate_close(&fixture);
        double most = fixture.call.spec->parameters[0].maximum;
        aggregate_open(&fixture, names[index], index < 4 ? 1 : 2, any, &most, 256);
        assert_int_equal(fixture.aggregate.head_bytes, MR_AGGREGATE_HEAD_BYTES_MAX);
        aggregate_close(&fixture);
    }
}

static void text_orders_nothing_else(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    open(&fixture, "argmin");
    assert_int_equal(aggregate_add(&fixture, 0, mr_value_int(1), text("x"), 0), MR_INVALID);
    assert_string_equal(fixture.error.message,
                        "argmin(a): its second argument is a number or a time; this value is of "
                        "type string");
    assert_int_equal(aggregate_add(&fixture, 0, mr_value_null(), mr_value_int(1), 0), MR_OK);
    assert_int_equal(aggregate_result(&fixture, 0).kind, MR_KIND_NULL);
    aggregate_close(&fixture);
}

/* All in one state and in any grouping: the very same bytes. */
static void any_grouping_gives_the_same(void **state)
{
    (void)state;
    static struct aggregate_row rows[ROWS_MAX];
    static char texts[ROWS_MAX][8];
    struct mr_random random;
    for (uint64_t seed = 0; seed < 20; seed++) {
        mr_random_init(&random, seed, 3);
        for (uint32_t index = 0; index < ROWS_MAX; index++) {
            snprintf(texts[index], sizeof(texts[index]), "%u",
                     (unsigned)mr_random_below(&random, 100));
            rows[index].a = seed % 3 == 0   ? text(texts[index])
                            : seed % 3 == 1 ? mr_value_int((int64_t)mr_random_below(&random, 50))
                                            : mr_value_double(mr_random_double(&random));
            rows[index].b = mr_value_int((int64_t)mr_random_below(&random, 50));
            rows[index].event_time_ms = (int64_t)mr_random_below(&random, 200) - 100;
        }
        for (uint32_t index = 0; index < MR_ARRAY_COUNT(names); index++) {
            struct aggregate_fixture fixture;
            open(&fixture, names[index]);
            aggregate_spread(&fixture, rows, ROWS_MAX, seed);
            assert_string_equal(aggregate_dump(&fixture, 0), aggregate_dump(&fixture, 1));
            assert_string_equal(aggregate_dump(&fixture, 0), aggregate_dump(&fixture, 2));
            aggregate_close(&fixture);
        }
    }
}

/* What is given back may be a list or a map; what is compared may not. */
static void lists_and_maps_come_back(void **state)
{
    (void)state;
    static const struct mr_value items[] = {{.kind = MR_KIND_INT, .integer = 4},
                                            {.kind = MR_KIND_NULL}};
    const struct mr_value list = {.kind = MR_KIND_LIST, .size = 2, .items = items};
    const struct mr_map_entry entries[] = {{text("pos"), list}};
    const struct mr_value map = {.kind = MR_KIND_MAP, .size = 1, .entries = entries};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(names); index++) {
        struct aggregate_fixture fixture;
        open(&fixture, names[index]);
        enum mr_status expected = index < 2 ? MR_INVALID : MR_OK;
        assert_int_equal(aggregate_add(&fixture, 0, list, mr_value_int(1), 1), expected);
        assert_int_equal(aggregate_add(&fixture, 1, map, mr_value_int(2), 2), expected);
        assert_int_equal(aggregate_merge(&fixture, 0, 1), MR_OK);
        bool second = strcmp(names[index], "last") == 0 || strcmp(names[index], "argmax") == 0;
        if (expected == MR_OK)
            assert_equal(aggregate_result(&fixture, 0), second ? map : list);
        else
            assert_equal(aggregate_result(&fixture, 0), mr_value_null());
        if (index >= 4)
            assert_int_equal(aggregate_add(&fixture, 0, mr_value_int(1), list, 1), MR_INVALID);
        aggregate_close(&fixture);
    }
}

static void stored_bytes_stay(void **state)
{
    (void)state;
    static struct aggregate_golden golden;
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(names); index++) {
        struct aggregate_fixture fixture;
        open(&fixture, names[index]);
        assert_int_equal(aggregate_add(&fixture, 0, text("sensor-a"), mr_value_double(1.5), 77),
                         MR_OK);
        assert_int_equal(aggregate_add(&fixture, 1, mr_value_int(-2), mr_value_uint(9), -1), MR_OK);
        for (uint32_t part = 0; part < 2; part++)
            aggregate_golden_add(&golden, &fixture, part);
        aggregate_close(&fixture);
    }
    aggregate_golden_check(&golden, "aggregate_order_v1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_says_its_row),
        cmocka_unit_test(ties_go_by_time_and_arrival),
        cmocka_unit_test(texts_have_a_bound),
        cmocka_unit_test(text_orders_nothing_else),
        cmocka_unit_test(any_grouping_gives_the_same),
        cmocka_unit_test(lists_and_maps_come_back),
        cmocka_unit_test(stored_bytes_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
