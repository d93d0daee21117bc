/* tests/unit/formats/test_json.c — json.c: appending values to buffers. */
#include "formats/json.h"

#include "tests/unit/formats/fixture.h"

static void values_are_appended(void **state)
{
    MR_UNUSED(state);
    struct mr_buffer output;
    struct mr_error error;
    mr_buffer_init(&output, 64);
    assert_int_equal(mr_json_append_string(&output, mr_slice_text("a\n")), MR_OK);
    assert_int_equal(mr_json_append_value(&output, mr_value_double(0.5), &error), MR_OK);
    assert_true(mr_slice_equal(mr_buffer_view(&output), mr_slice_text("\"a\\n\"0.5")));
    mr_buffer_deinit(&output);
}

static void failures_leave_the_buffer_as_it_was(void **state)
{
    MR_UNUSED(state);
    struct mr_buffer output;
    struct mr_error error;
    mr_buffer_init(&output, 12);
    assert_int_equal(mr_buffer_append_text(&output, "before"), MR_OK);
    assert_int_equal(mr_json_append_value(&output, mr_value_double(__builtin_nan("")), &error),
                     MR_INVALID);
    assert_string_equal(error.message,
                        "The value cannot be written as JSON: NaN is not a JSON number.");
    assert_int_equal(mr_json_append_value(&output, mr_value_string(mr_slice_text("12345")), &error),
                     MR_LIMIT);
    assert_int_equal(mr_json_append_string(&output, mr_slice_text("12345")), MR_LIMIT);
    assert_true(mr_slice_equal(mr_buffer_view(&output), mr_slice_text("before")));
    /* The limit counts the text, not its upper bound. */
    assert_int_equal(mr_json_append_value(&output, mr_value_string(mr_slice_text("1234")), &error),
                     MR_OK);
    assert_true(mr_slice_equal(mr_buffer_view(&output), mr_slice_text("before\"1234\"")));
    mr_buffer_deinit(&output);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_appended),
        cmocka_unit_test(failures_leave_the_buffer_as_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
