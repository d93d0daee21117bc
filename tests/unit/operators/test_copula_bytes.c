/* tests/unit/operators/test_copula_bytes.c — a model as bytes and back, and bytes that are damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/memory.h"
#include "tests/support/copula_rows.h"

static struct copula_rows rows;
static struct copula_fixture fixture;
static struct copula_fixture again;

static uint8_t *encoded(const struct mr_copula *model, size_t *size)
{
    uint8_t *bytes = mr_memory_new(mr_copula_bytes_max(&model->shape), 1);
    *size = mr_copula_encode(model, bytes);
    assert_true(*size <= mr_copula_bytes_max(&model->shape));
    return bytes;
}

static void a_model_goes_on_as_if_nothing_had_happened(void **state)
{
    MR_UNUSED(state);
    static const uint32_t counts[] = {0, 100, 3000};
    for (size_t which = 0; which < MR_ARRAY_COUNT(counts); which++) {
        size_t size;
        size_t other_size;
        copula_fixture_open(&fixture, 500);
        copula_fixture_open(&again, 500);
        copula_rows_make(&rows, counts[which] + 1, 10, 0);
        rows.count = counts[which];
        copula_fixture_learn(&fixture, &rows, 256, 1e-3);
        uint8_t *bytes = encoded(&fixture.model, &size);
        assert_true(mr_copula_decode(&again.model, mr_slice_from(bytes, size)));
        rows.count = counts[which] + 1;
        copula_fixture_learn(&fixture, &rows, 100, 1e-3);
        copula_fixture_learn(&again, &rows, 100, 1e-3);
        mr_memory_free(bytes);
        bytes = encoded(&fixture.model, &size);
        uint8_t *other = encoded(&again.model, &other_size);
        assert_int_equal(size, other_size);
        assert_memory_equal(bytes, other, size);
        mr_memory_free(bytes);
        mr_memory_free(other);
        copula_rows_free(&rows);
        copula_fixture_close(&fixture);
        copula_fixture_close(&again);
    }
}

static void damaged_bytes_are_refused(void **state)
{
    MR_UNUSED(state);
    size_t size;
    copula_fixture_open(&fixture, 16);
    copula_rows_make(&rows, 64, 11, 0);
    copula_fixture_learn(&fixture, &rows, 64, 0);
    uint8_t *bytes = encoded(&fixture.model, &size);
    for (size_t cut = 0; cut < size; cut += 7)
        assert_false(mr_copula_decode(&fixture.model, mr_slice_from(bytes, cut)));
    assert_int_equal(fixture.model.rows, 0);
    static const size_t places[] = {0, 2, 4};
    for (size_t which = 0; which < MR_ARRAY_COUNT(places); which++) {
        bytes[places[which]] ^= 0x5a;
        assert_false(mr_copula_decode(&fixture.model, mr_slice_from(bytes, size)));
        bytes[places[which]] ^= 0x5a;
    }
    assert_true(mr_copula_decode(&fixture.model, mr_slice_from(bytes, size)));
    mr_memory_free(bytes);
    copula_rows_free(&rows);
    copula_fixture_close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_goes_on_as_if_nothing_had_happened),
        cmocka_unit_test(damaged_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
