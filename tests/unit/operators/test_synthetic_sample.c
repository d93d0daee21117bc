/* tests/unit/operators/test_synthetic_sample.c — the kept rows beside all rows sorted by key: in
 * one pass, merged from parts, and in another order. */
#include "operators/synthetic_sample.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"

enum { PIECE_BYTES = 1024, ROWS = 4000, PARTS = 3, FIELDS = 2 };

struct sampled {
    struct mr_arena arena;
    struct mr_aggregate_call call;
    struct mr_aggregate aggregate;
    uint8_t head[MR_AGGREGATE_HEAD_BYTES_MAX];
    struct mr_sketch_scratch scratch;
};

static enum mr_status try_open(struct sampled *sampled, double rows, double fields)
{
    struct mr_error error;
    memset(sampled, 0, sizeof(*sampled));
    mr_arena_init(&sampled->arena, 64 << 10);
    sampled->call = (struct mr_aggregate_call){.name = "rows",
                                               .text = "",
                                               .spec = &mr_aggregate_synthetic_sample.spec,
                                               .arguments_count = 2,
                                               .parameters = {rows, fields}};
    enum mr_status status =
        mr_aggregate_prepare(&sampled->call, PIECE_BYTES, &sampled->aggregate, &error);
    if (status == MR_OK)
        mr_sketch_scratch_init(&sampled->scratch, &sampled->arena, PIECE_BYTES,
                               sampled->aggregate.pieces_max);
    return status;
}

static void open(struct sampled *sampled, double rows)
{
    assert_int_equal(try_open(sampled, rows, FIELDS), MR_OK);
}

static void close(struct sampled *sampled)
{
    mr_arena_deinit(&sampled->arena);
}

static void add(struct sampled *sampled, bool synthetic, uint64_t key, struct mr_value first,
                struct mr_value second)
{
    struct mr_error error;
    const struct mr_value items[FIELDS + 1] = {mr_value_bool(synthetic), first, second};
    const struct mr_aggregate_row row = {
        .arguments = {{.kind = MR_KIND_LIST, .size = FIELDS + 1, .items = items},
                      mr_value_uint(key)}};
    assert_int_equal(
        mr_aggregate_add(&sampled->aggregate, sampled->head, &sampled->scratch.body, &row, &error),
        MR_OK);
}

static struct mr_value result_of(struct sampled *sampled)
{
    struct mr_error error;
    struct mr_value result;
    const struct mr_aggregate_span span = {0, 1};
    assert_int_equal(mr_aggregate_result(&sampled->aggregate, sampled->head, &sampled->scratch.body,
                                         &span, &sampled->arena, &result, &error),
                     MR_OK);
    return result;
}

static uint64_t key_at(uint32_t row)
{
    struct mr_random random;
    mr_random_init(&random, 3, row);
    return mr_random_u64(&random);
}

static void add_row(struct sampled *sampled, uint32_t row)
{
    add(sampled, row % 3 == 0, key_at(row), mr_value_double(row), mr_value_int(row % 7));
}

static int compare_keys(const void *left, const void *right)
{
    uint64_t one = key_at(*(const uint32_t *)left);
    uint64_t two = key_at(*(const uint32_t *)right);
    return (one > two) - (one < two);
}

/* The rows of a side that should be kept, ascending by key. */
static uint32_t expected(uint32_t side, uint32_t rows[ROWS])
{
    uint32_t count = 0;
    for (uint32_t row = 0; row < ROWS; row++)
        if ((row % 3 == 0) == (side == 1))
            rows[count++] = row;
    qsort(rows, count, sizeof(*rows), compare_keys);
    return count;
}

static void the_smallest_keys_are_kept(void **state)
{
    MR_UNUSED(state);
    static uint32_t rows[ROWS];
    const uint32_t bounds[] = {1, 10, 127, 129, 1000, 5000};
    for (size_t index = 0; index < MR_ARRAY_COUNT(bounds); index++) {
        struct sampled sampled;
        struct mr_synthetic_sample sample;
        open(&sampled, bounds[index]);
        for (uint32_t row = 0; row < ROWS; row++)
            add_row(&sampled, row);
        mr_synthetic_sample_read(result_of(&sampled), &sample);
        for (uint32_t side = 0; side < MR_SYNTHETIC_SIDES; side++) {
            uint32_t count = expected(side, rows);
            assert_int_equal(sample.rows[side], count);
            assert_int_equal(sample.kept[side], count < bounds[index] ? count : bounds[index]);
            for (uint32_t place = 0; place < sample.kept[side]; place++) {
                uint64_t value = sample.values[side][place * FIELDS];
                assert_true(mr_synthetic_sample_number(value) == rows[place]);
                assert_int_equal(sample.kinds[side][place * FIELDS + 1], MR_SYNTHETIC_VALUE_INT);
            }
        }
        close(&sampled);
    }
}

/* Whatever the order, and whatever is merged with what. */
static void parts_are_the_whole(void **state)
{
    MR_UNUSED(state);
    struct sampled whole;
    struct sampled merged;
    struct sampled parts[PARTS];
    struct mr_error error;
    open(&whole, 100);
    open(&merged, 100);
    for (uint32_t row = 0; row < ROWS; row++)
        add_row(&whole, ROWS - 1 - row);
    for (uint32_t part = 0; part < PARTS; part++)
        open(&parts[part], 100);
    for (uint32_t row = 0; row < ROWS; row++)
        add_row(&parts[row < 50 ? 0 : row < 3000 ? 1 : 2], row);
    for (uint32_t part = PARTS; part > 0; part--)
        assert_int_equal(mr_aggregate_merge(&merged.aggregate, merged.head, &merged.scratch.body,
                                            parts[part - 1].head, &parts[part - 1].scratch.body,
                                            &error),
                         MR_OK);
    struct mr_value one = result_of(&whole);
    struct mr_value two = result_of(&merged);
    assert_int_equal(one.size, two.size);
    assert_memory_equal(one.text, two.text, one.size);
    for (uint32_t part = 0; part < PARTS; part++)
        close(&parts[part]);
    close(&merged);
    close(&whole);
}

static void values_have_kinds(void **state)
{
    MR_UNUSED(state);
    static const struct {
        struct mr_value value;
        uint8_t kind;
        double number;
    } cases[] = {
        {{.kind = MR_KIND_ABSENT}, MR_SYNTHETIC_VALUE_MISSING, 0},
        {{.kind = MR_KIND_NULL}, MR_SYNTHETIC_VALUE_MISSING, 0},
        {{.kind = MR_KIND_LIST}, MR_SYNTHETIC_VALUE_MISSING, 0},
        {{.kind = MR_KIND_DOUBLE, .number = NAN}, MR_SYNTHETIC_VALUE_MISSING, 0},
        {{.kind = MR_KIND_DOUBLE, .number = INFINITY}, MR_SYNTHETIC_VALUE_MISSING, 0},
        {{.kind = MR_KIND_DOUBLE, .number = 1e308}, MR_SYNTHETIC_VALUE_INT, 1e308},
        {{.kind = MR_KIND_DOUBLE, .number = 5e-324}, MR_SYNTHETIC_VALUE_DOUBLE, 5e-324},
        {{.kind = MR_KIND_DOUBLE, .number = -0.0}, MR_SYNTHETIC_VALUE_INT, 0},
        {{.kind = MR_KIND_BOOL, .boolean = true}, MR_SYNTHETIC_VALUE_BOOL, 1},
        {{.kind = MR_KIND_TIMESTAMP, .integer = 17}, MR_SYNTHETIC_VALUE_TIME, 17},
        {{.kind = MR_KIND_UINT, .unsigned_integer = 9}, MR_SYNTHETIC_VALUE_INT, 9},
    };
    struct sampled sampled;
    struct mr_synthetic_sample sample;
    const uint32_t count = MR_ARRAY_COUNT(cases);
    open(&sampled, 50);
    for (uint32_t index = 0; index < count; index++)
        add(&sampled, false, index, cases[index].value, mr_value_null());
    add(&sampled, false, count, mr_value_string(mr_slice_text("a")),
        mr_value_string(mr_slice_text("a")));
    mr_synthetic_sample_read(result_of(&sampled), &sample);
    for (uint32_t index = 0; index < count; index++) {
        assert_int_equal(sample.kinds[0][index * FIELDS], cases[index].kind);
        double number = mr_synthetic_sample_number(sample.values[0][index * FIELDS]);
        assert_true(number == cases[index].number && !signbit(number));
    }
    assert_int_equal(sample.kinds[0][count * FIELDS], MR_SYNTHETIC_VALUE_TEXT);
    assert_true(sample.values[0][count * FIELDS] == sample.values[0][count * FIELDS + 1]);
    assert_int_equal(sample.kept[1], 0);
    close(&sampled);
}

static void too_many_rows_are_refused(void **state)
{
    MR_UNUSED(state);
    struct sampled sampled;
    assert_int_equal(try_open(&sampled, MR_SYNTHETIC_SAMPLE_ROWS_MAX, 31), MR_OK);
    close(&sampled);
    assert_int_equal(try_open(&sampled, 8000, 31), MR_LIMIT);
    close(&sampled);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_smallest_keys_are_kept),
        cmocka_unit_test(parts_are_the_whole),
        cmocka_unit_test(values_have_kinds),
        cmocka_unit_test(too_many_rows_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
