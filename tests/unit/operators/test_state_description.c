/* tests/unit/operators/test_state_description.c — named values as a JSON object. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "operators/state_description.h"
#include "record/json_write.h"

static void test_members_become_an_object(void **state)
{
    (void)state;
    struct mr_state_description description = {0};
    mr_describe_member(&description, "count", mr_value_uint(3));
    mr_describe_member(&description, "mean", mr_value_double(0.5));
    mr_describe_time(&description, "passed", 1700000000250);
    mr_describe_time(&description, "far", INT64_MAX);
    uint8_t text[512];
    uint8_t *end = mr_json_write(text, mr_description_value(&description));
    assert_non_null(end);
    assert_true(mr_slice_equal(mr_slice_from(text, (size_t)(end - text)),
                               mr_slice_text("{\"count\":3,\"mean\":0.5,\"passed\":"
                                             "\"2023-11-14T22:13:20.250Z\","
                                             "\"far\":9223372036854775807}")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_members_become_an_object)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
