/* A record as a line. */
#include "connectors/line.h"
#include "tests/unit/connectors/option_helpers.h"

#include <errno.h>

static void expect_line(const char *value, const char *line)
{
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 100);
    struct mr_sink_record record = {.value = mr_slice_text(value == NULL ? "" : value),
                                    .value_null = value == NULL};
    assert_int_equal(mr_line_append(&buffer, &record), MR_OK);
    assert_true(mr_slice_equal(mr_buffer_view(&buffer), mr_slice_text(line)));
    assert_int_equal(mr_line_size(&record), strlen(line));
    mr_buffer_deinit(&buffer);
}

static void test_lines(void **state)
{
    MR_UNUSED(state);
    expect_line("{}", "{}\n");
    expect_line("", "\n");
    expect_line(NULL, "null\n");
    expect_line("{\n\"a\":\r\n1}\n", "{ \"a\":  1} \n");
}

static void test_full_buffer_stays_as_it_was(void **state)
{
    MR_UNUSED(state);
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 5);
    struct mr_sink_record record = {.value = mr_slice_text("abc")};
    assert_int_equal(mr_line_append(&buffer, &record), MR_OK);
    assert_int_equal(mr_line_append(&buffer, &record), MR_LIMIT);
    assert_int_equal(buffer.size, 4);
    mr_buffer_deinit(&buffer);
}

static void test_what_may_heal(void **state)
{
    MR_UNUSED(state);
    assert_int_equal(mr_file_recovery(ENOSPC), MR_RECOVERY_RETRY);
    assert_int_equal(mr_file_recovery(EIO), MR_RECOVERY_RETRY);
    assert_int_equal(mr_file_recovery(EACCES), MR_RECOVERY_FAIL_TOPOLOGY);
    assert_int_equal(mr_file_recovery(ENOENT), MR_RECOVERY_FAIL_TOPOLOGY);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_full_buffer_stays_as_it_was),
        cmocka_unit_test(test_what_may_heal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
