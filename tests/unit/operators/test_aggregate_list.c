/* tests/unit/operators/test_aggregate_list.c — collect and top_n. */
#include "tests/support/aggregate_fixture.h"

#include <stdio.h>
#include <stdlib.h>

enum { ROWS_MAX = 2000 };

static const enum mr_type_code any[] = {MR_TYPE_ANY};

static void open(struct aggregate_fixture *fixture, const char *name, double count, double bytes)
{
    const double parameters[] = {count, bytes};
    aggregate_open(fixture, name, 1, any, parameters, AGGREGATE_PIECE_BYTES);
}

static void assert_list(struct mr_value list, const struct aggregate_row *rows, uint32_t count)
{
    assert_int_equal(list.kind, MR_KIND_LIST);
    assert_int_equal(list.size, count);
    for (uint32_t index = 0; index < count; index++) {
        assert_int_equal(list.items[index].kind, rows[index].a.kind);
        assert_true(mr_value_equal(list.items[index], rows[index].a));
    }
}

static struct mr_value draw(struct mr_random *random, char text[64])
{
    static const struct mr_value numbers[] = {{.kind = MR_KIND_INT, .integer = -3},
                                              {.kind = MR_KIND_NULL},
                                              {.kind = MR_KIND_DOUBLE, .number = 0.1}};
    static const struct mr_map_entry entries[] = {
        {{.kind = MR_KIND_STRING, .size = 2, .text = (const uint8_t *)"at"},
         {.kind = MR_KIND_LIST, .size = 3, .items = numbers}},
        {{.kind = MR_KIND_STRING, .size = 1, .text = (const uint8_t *)"b"},
         {.kind = MR_KIND_BOOL, .boolean = true}}};
    uint32_t kind = (uint32_t)mr_random_below(random, 7);
    uint32_t size = (uint32_t)mr_random_below(random, 60);
    if (kind == 0)
        return mr_value_int((int64_t)mr_random_u64(random));
    if (kind == 1)
        return mr_value_double(mr_random_double(random));
    if (kind == 2)
        return mr_value_bool(size % 2 == 1);
    if (kind == 5)
        return (struct mr_value){.kind = MR_KIND_LIST, .size = size % 4, .items = numbers};
    if (kind == 6)
        return (struct mr_value){.kind = MR_KIND_MAP, .size = size % 3, .entries = entries};
    for (uint32_t index = 0; index < size; index++)
        text[index] = (char)('a' + mr_random_below(random, 26));
    return kind == 3 ? mr_value_string(mr_slice_from(text, size))
                     : mr_value_bytes(mr_slice_from(text, size));
}

static void the_first_values_are_collected(void **state)
{
    (void)state;
    static struct aggregate_row rows[ROWS_MAX];
    static char texts[ROWS_MAX][64];
    static const uint32_t bounds[] = {1, 10, 500, 3000};
    struct mr_random random;
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(bounds); index++) {
        struct aggregate_fixture fixture;
        mr_random_init(&random, index, 8);
        for (uint32_t row = 0; row < ROWS_MAX; row++)
            rows[row].a = draw(&random, texts[row]);
        open(&fixture, "collect", bounds[index], 60);
        aggregate_spread(&fixture, rows, ROWS_MAX, index);
        for (uint32_t part = 0; part < 3; part++)
            assert_list(aggregate_result(&fixture, part), rows,
                        bounds[index] < ROWS_MAX ? bounds[index] : ROWS_MAX);
        aggregate_close(&fixture);
    }
}

static void the_largest_list_fits(void **state)
{
    (void)state;
    static const double bytes[] = {8, 100, 256};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(bytes); index++) {
        struct aggregate_fixture fixture;
        char text[256];
        memset(text, 'x', sizeof(text));
        open(&fixture, "collect", 100, bytes[index]);
        for (uint32_t row = 0; row < 200; row++)
            aggregate_take(&fixture, 0, mr_value_string(mr_slice_from(text, (size_t)bytes[index])));
        assert_int_equal(aggregate_result(&fixture, 0).size, 100);
        if (index < 2)
            assert_int_equal(
                aggregate_add(&fixture, 1,
                              mr_value_string(mr_slice_from(text, (size_t)bytes[index] + 1)),
                              (struct mr_value){0}, 0),
                MR_INVALID);
        aggregate_close(&fixture);
    }
}

static int compare_descending(const void *left, const void *right)
{
    const struct aggregate_row *first = left;
    const struct aggregate_row *second = right;
    return first->a.integer > second->a.integer ? -1 : first->a.integer < second->a.integer;
}

static void the_largest_are_listed_in_order(void **state)
{
    (void)state;
    static struct aggregate_row rows[ROWS_MAX];
    static const uint32_t bounds[] = {1, 2, 7, 30, 31, 300, 2500};
    struct mr_random random;
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(bounds); index++)
        for (uint32_t order = 0; order < 3; order++) {
            struct aggregate_fixture fixture;
            mr_random_init(&random, index, order);
            for (uint32_t row = 0; row < ROWS_MAX; row++)
                rows[row].a = mr_value_int(
                    order == 0 ? row
                               : (int64_t)mr_random_below(&random, order == 1 ? 400 : 1u << 30));
            open(&fixture, "top_n", bounds[index], 0);
            assert_int_equal(mr_aggregate_is_light(&fixture.aggregate), bounds[index] <= 30);
            aggregate_spread(&fixture, rows, ROWS_MAX, index);
            qsort(rows, ROWS_MAX, sizeof(*rows), compare_descending);
            for (uint32_t part = 0; part < 3; part++)
                assert_list(aggregate_result(&fixture, part), rows,
                            bounds[index] < ROWS_MAX ? bounds[index] : ROWS_MAX);
            aggregate_close(&fixture);
        }
}

static void texts_have_no_top(void **state)
{
    (void)state;
    struct aggregate_fixture fixture;
    open(&fixture, "top_n", 3, 0);
    assert_int_equal(
        aggregate_add(&fixture, 0, mr_value_string(mr_slice_text("x")), (struct mr_value){0}, 0),
        MR_INVALID);
    assert_string_equal(fixture.error.message,
                        "top_n(a) takes numbers and times; this value is of type string");
    aggregate_close(&fixture);
}

/* A list of maps and lists, as they are stored. */
static void stored_lists_stay(void **state)
{
    (void)state;
    static struct aggregate_golden golden;
    static const struct mr_value items[] = {{.kind = MR_KIND_INT, .integer = -3},
                                            {.kind = MR_KIND_NULL}};
    static const struct mr_map_entry entries[] = {
        {{.kind = MR_KIND_STRING, .size = 2, .text = (const uint8_t *)"at"},
         {.kind = MR_KIND_LIST, .size = 2, .items = items}}};
    static const char *const names[] = {"collect", "first", "last"};
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(names); index++) {
        struct aggregate_fixture fixture;
        const double parameters[] = {index == 0 ? 10 : 40, 40};
        aggregate_open(&fixture, names[index], 1, any, parameters, AGGREGATE_PIECE_BYTES);
        aggregate_take(&fixture, 0,
                       (struct mr_value){.kind = MR_KIND_MAP, .size = 1, .entries = entries});
        aggregate_take(&fixture, 0,
                       (struct mr_value){.kind = MR_KIND_LIST, .size = 2, .items = items});
        aggregate_golden_add(&golden, &fixture, 0);
        aggregate_close(&fixture);
    }
    aggregate_golden_check(&golden, "aggregate_nested_v1");
}

static void stored_bytes_stay(void **state)
{
    (void)state;
    static struct aggregate_golden golden;
    struct aggregate_fixture fixture;
    open(&fixture, "collect", 10, 100);
    aggregate_take(&fixture, 0, mr_value_string(mr_slice_text("sensor-a")));
    aggregate_take(&fixture, 0, mr_value_double(1.5));
    aggregate_take(&fixture, 0, mr_value_bool(true));
    aggregate_golden_add(&golden, &fixture, 0);
    aggregate_close(&fixture);
    for (uint32_t part = 0; part < 2; part++) {
        open(&fixture, "top_n", part == 0 ? 3 : 40, 0);
        for (int row = 0; row < 5; row++)
            aggregate_take(&fixture, 0, mr_value_int(7 * row % 5));
        aggregate_golden_add(&golden, &fixture, 0);
        aggregate_close(&fixture);
    }
    aggregate_golden_check(&golden, "aggregate_list_v1");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_values_are_collected),
        cmocka_unit_test(the_largest_list_fits),
        cmocka_unit_test(the_largest_are_listed_in_order),
        cmocka_unit_test(texts_have_no_top),
        cmocka_unit_test(stored_bytes_stay),
        cmocka_unit_test(stored_lists_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
