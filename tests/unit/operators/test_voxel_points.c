/* tests/unit/operators/test_voxel_points.c — what is said of rows that are no points. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/operator_harness.h"

static void open(struct harness *harness)
{
    harness_open(harness,
                 "    - {name: op, type: voxel.aggregate, from: in, key: [k], position: [px, py, "
                 "pz], signals: [value], bounds: [4, 4, 4], resolution: [1, 1, 1]}\n",
                 "    - {name: out, type: memory, from: op.outside}\n", "op");
}

static struct harness_row point(int64_t time_ms, const char *key, double x, double y, double z,
                                struct mr_value value)
{
    return (struct harness_row){
        .offset = time_ms,
        .event_time_ms = time_ms,
        .cells = {{"k", mr_value_string(mr_slice_text(key))},
                  {"px", mr_value_double(x)},
                  {"py", mr_value_double(y)},
                  {"pz", mr_value_double(z)},
                  {"value", value}},
    };
}

static void wrong_numbers_are_reported(void **state)
{
    MR_UNUSED(state);
    static const struct {
        struct mr_value value;
        const char *says;
    } wrong[] = {
        {{.kind = MR_KIND_NULL}, "the point has none of the `signals`"},
        {{.kind = MR_KIND_ABSENT}, "the point has none of the `signals`"},
        {{.kind = MR_KIND_BOOL}, "field value is bool, not a number"},
        {{.kind = MR_KIND_DOUBLE, .number = 2e140},
         "field value is 2e+140; numbers from -1e140 to 1e140 are possible"},
    };
    for (size_t index = 0; index < MR_ARRAY_COUNT(wrong); index++) {
        struct harness harness;
        open(&harness);
        struct harness_row row = point(1, "a", 1, 1, 1, wrong[index].value);
        harness_feed(&harness, 0, &row, 1);
        assert_int_equal(harness.errors_count, 1);
        if (strstr(harness_errors(&harness), wrong[index].says) == NULL)
            fail_msg("%s", harness_errors(&harness));
        harness_close(&harness);
    }
}

/* A position is no number: neither outside nor in the grid. */
static void wrong_places_are_reported(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open(&harness);
    struct harness_row row = point(1, "a", 1, (double)NAN, 1, mr_value_double(1));
    harness_feed(&harness, 0, &row, 1);
    row = point(2, "a", 1, 1, 1, mr_value_double(1));
    row.cells[3].value = mr_value_null();
    harness_feed(&harness, 0, &row, 1);
    row.cells[3].value = mr_value_error(mr_slice_text("not a double"));
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.errors_count, 3);
    assert_non_null(strstr(harness_errors(&harness), "field py is "));
    assert_non_null(strstr(harness_errors(&harness), "field pz is null, not a number"));
    assert_non_null(strstr(harness_errors(&harness), "field pz: not a double"));
    /* An outside point is told though it has no signal. */
    row = point(3, "a", 1, 1, -1, mr_value_null());
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.errors_count, 3);
    assert_string_equal(harness_offsets(&harness, 3), "3");
    harness_close(&harness);
}

static void long_keys_are_reported(void **state)
{
    MR_UNUSED(state);
    static char key[MR_LIMIT_KEY_BYTES + 1];
    struct harness harness;
    open(&harness);
    memset(key, 'k', MR_LIMIT_KEY_BYTES - 23);
    struct harness_row row = point(1, key, 1, 1, 1, mr_value_double(1));
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.errors_count, 1);
    key[MR_LIMIT_KEY_BYTES - 24] = '\0';
    row = point(2, key, 1, 1, 1, mr_value_double(1));
    harness_feed(&harness, 0, &row, 1);
    harness_commit(&harness);
    assert_int_equal(harness.errors_count, 1);
    harness_close(&harness);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_numbers_are_reported),
        cmocka_unit_test(wrong_places_are_reported),
        cmocka_unit_test(long_keys_are_reported),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
