/* tests/unit/formats/test_format.c — format.c: the registry is sorted and complete. */
#include "formats/format.h"

#include "tests/unit/formats/fixture.h"

static void formats_are_sorted_and_complete(void **state)
{
    MR_UNUSED(state);
    uint32_t count;
    const struct mr_format_type *const *formats = mr_formats(&count);
    assert_int_equal(count, 4);
    for (uint32_t i = 0; i < count; i++) {
        const struct mr_format_type *format = formats[i];
        assert_true(i == 0 || strcmp(formats[i - 1]->name, format->name) < 0);
        assert_ptr_equal(mr_format_find(format->name), format);
        assert_true(strlen(format->help) > 10);
        assert_non_null(format->options);
        assert_true(format->decoder_size > 0 && format->encoder_size > 0);
        assert_true(format->decoder_open != NULL && format->decode != NULL &&
                    format->decoder_close != NULL);
        assert_true(format->encoder_open != NULL && format->encode != NULL &&
                    format->encoder_close != NULL);
        assert_false(format->payload_is_json && format->single_value);
    }
    assert_true(mr_format_find("json")->payload_is_json);
    assert_true(mr_format_find("string")->single_value);
    assert_null(mr_format_find("xml"));
    assert_null(mr_format_find(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(formats_are_sorted_and_complete)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
