/* tests/unit/operators/test_bootstrap_bytes.c — a sample as bytes and back, and bytes that are
 * damaged. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/memory.h"
#include "operators/bootstrap.h"
#include "tests/support/copula_rows.h"

enum { D = COPULA_ROWS_COLUMNS };

static struct mr_bootstrap model;
static struct mr_bootstrap again;
static struct mr_bootstrap_work work;

static void open_all(uint32_t reservoir_rows)
{
    struct mr_copula_shape shape = {D, reservoir_rows, 5};
    mr_bootstrap_create(&model, &shape);
    mr_bootstrap_create(&again, &shape);
    mr_bootstrap_work_create(&work, D);
}

static void close_all(void)
{
    mr_bootstrap_destroy(&model);
    mr_bootstrap_destroy(&again);
    mr_bootstrap_work_destroy(&work);
}

static void learn(struct mr_bootstrap *learner, const struct copula_rows *rows, uint32_t from,
                  uint32_t behind)
{
    for (uint32_t row = from; row < behind; row += 100)
        mr_bootstrap_learn(learner, &work, rows->cells + (size_t)row * D,
                           behind - row < 100 ? behind - row : 100, 0.05);
}

static uint8_t *encoded(const struct mr_bootstrap *learner, size_t *size)
{
    uint8_t *bytes = mr_memory_new(mr_bootstrap_bytes_max(&learner->shape), 1);
    *size = mr_bootstrap_encode(learner, bytes);
    assert_true(*size <= mr_bootstrap_bytes_max(&learner->shape));
    return bytes;
}

static void a_model_goes_on_as_if_nothing_had_happened(void **state)
{
    MR_UNUSED(state);
    static const uint32_t counts[] = {0, 100, 3000};
    struct copula_rows rows;
    copula_rows_make(&rows, 4000, 10, 0);
    for (size_t which = 0; which < MR_ARRAY_COUNT(counts); which++) {
        size_t size;
        size_t other_size;
        open_all(500);
        learn(&model, &rows, 0, counts[which]);
        uint8_t *bytes = encoded(&model, &size);
        assert_true(mr_bootstrap_decode(&again, mr_slice_from(bytes, size)));
        learn(&model, &rows, counts[which], counts[which] + 1000);
        learn(&again, &rows, counts[which], counts[which] + 1000);
        mr_memory_free(bytes);
        bytes = encoded(&model, &size);
        uint8_t *other = encoded(&again, &other_size);
        assert_int_equal(size, other_size);
        assert_memory_equal(bytes, other, size);
        mr_memory_free(bytes);
        mr_memory_free(other);
        close_all();
    }
    copula_rows_free(&rows);
}

/* One row and half its weight, byte by byte. */
static void the_layout_is_as_documented(void **state)
{
    MR_UNUSED(state);
    struct mr_copula_shape shape = {2, 4, 1};
    struct mr_value cells[2] = {mr_value_double(1.5), mr_value_string(mr_slice_text("ab"))};
    size_t size;
    mr_bootstrap_create(&model, &shape);
    mr_bootstrap_work_create(&work, 2);
    mr_bootstrap_learn(&model, &work, cells, 1, 0);
    uint8_t *bytes = encoded(&model, &size);
    assert_int_equal(size, 40 + 8 * 4 + 16 + 16 + 9 + 2);
    assert_memory_equal(bytes, "\1\0\2\0\1\0\0\0\1\0\0\0\0\0\0\0", 16);
    static const double head[] = {1, 1, 0, 1};
    for (size_t at = 0; at < MR_ARRAY_COUNT(head); at++)
        assert_true(mr_get_double_le(bytes + 16 + 8 * at) == head[at]);
    double u = mr_get_double_le(bytes + 48);
    assert_true(u > 0 && u <= 1);
    assert_true(mr_get_double_le(bytes + 56) == 1.5);
    assert_true(mr_get_double_le(bytes + 64) == 0);
    assert_memory_equal(bytes + 72, "\1\1\0\0\0\0\0\0", 8);
    assert_memory_equal(bytes + 88, "\3\0\1\0\0\0\0\0", 8);
    assert_true(mr_get_double_le(bytes + 104) == 1);
    assert_memory_equal(bytes + 112, "\2ab", 3);
    mr_memory_free(bytes);
    mr_bootstrap_destroy(&model);
    mr_bootstrap_work_destroy(&work);
}

static void damaged_bytes_are_refused(void **state)
{
    MR_UNUSED(state);
    struct copula_rows rows;
    size_t size;
    open_all(16);
    copula_rows_make(&rows, 64, 11, 0);
    learn(&model, &rows, 0, 64);
    uint8_t *bytes = encoded(&model, &size);
    for (size_t cut = 0; cut < size; cut += 7)
        assert_false(mr_bootstrap_decode(&again, mr_slice_from(bytes, cut)));
    assert_int_equal(again.rows, 0);
    static const size_t places[] = {0, 2, 4, 31, 39, 47, 55};
    for (size_t which = 0; which < MR_ARRAY_COUNT(places); which++) {
        bytes[places[which]] ^= 0xda;
        assert_false(mr_bootstrap_decode(&again, mr_slice_from(bytes, size)));
        bytes[places[which]] ^= 0xda;
    }
    /* The third column is of texts: a number that none of them has. */
    mr_put_double_le(bytes + 40 + 8 * 4, 77);
    assert_false(mr_bootstrap_decode(&again, mr_slice_from(bytes, size)));
    mr_put_double_le(bytes + 40 + 8 * 4, 0);
    assert_true(mr_bootstrap_decode(&again, mr_slice_from(bytes, size)));
    mr_memory_free(bytes);
    copula_rows_free(&rows);
    close_all();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_goes_on_as_if_nothing_had_happened),
        cmocka_unit_test(the_layout_is_as_documented),
        cmocka_unit_test(damaged_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
