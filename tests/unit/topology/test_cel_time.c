/* tests/unit/topology/test_cel_time.c — parts of times, and time zones as offsets. */
#include "tests/support/expression_fixture.h"

static void test_parts(void **state)
{
    EXPRESSION_TRUE(*state, "at.getFullYear() == 2026 && at.getMonth() == 0",
                    "at.getDate() == 28 && at.getDayOfMonth() == 27",
                    "at.getDayOfWeek() == 3 && at.getDayOfYear() == 27",
                    "at.getHours() == 10 && at.getMinutes() == 30 && at.getSeconds() == 0 && "
                    "at.getMilliseconds() == 250",
                    "timestamp('1969-12-28T23:59:59.999Z').getDayOfWeek() == 0",
                    "timestamp('1969-12-31T23:59:59.999Z').getMilliseconds() == 999",
                    "timestamp('2024-12-31T00:00:00Z').getDayOfYear() == 365",
                    "timestamp('2000-02-29T12:00:00Z').getDate() == 29");
}

static void test_zones(void **state)
{
    EXPRESSION_TRUE(*state, "at.getHours('+02:00') == 12 && at.getHours('02:00') == 12",
                    "at.getHours('-11:30') == 23 && at.getDate('-11:30') == 27",
                    "at.getHours('UTC') == 10",
                    "timestamp('2023-12-31T23:00:00Z').getFullYear('+01:00') == 2024",
                    "at.getMinutes(dyn('+00:45')) == 15");
}

static void test_durations(void **state)
{
    EXPRESSION_TRUE(
        *state, "wait.getHours() == 0 && wait.getMinutes() == 1 && wait.getSeconds() == 90",
        "duration('1.234s').getMilliseconds() == 234", "duration('-90m').getHours() == -1");
}

static void test_now(void **state)
{
    EXPRESSION_TRUE(*state, "now() == timestamp(1769596200) && at - now() == duration('250ms')");
}

static void test_mistakes(void **state)
{
    static const struct expression_problem problems[] = {
        {"at.getHours(name)", "a time zone is", 0},
        {"at.getDate(name + '25:00')", "a time zone is", 0},
        {"value.getHours()", "getHours does not take double", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_parsing(void **state)
{
    (void)state;
    int32_t seconds = 0;
    int64_t nanoseconds = 0;
    assert_true(mr_cel_parse_zone(mr_slice_text("-05:30"), &seconds));
    assert_int_equal(seconds, -19800);
    assert_false(mr_cel_parse_zone(mr_slice_text("+24:00"), &seconds));
    assert_false(mr_cel_parse_zone(mr_slice_text("+0200"), &seconds));
    assert_false(mr_cel_parse_zone(mr_slice_text(""), &seconds));
    assert_true(mr_cel_parse_duration(mr_slice_text("1h0.5m"), &nanoseconds));
    assert_int_equal(nanoseconds, 3630000000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_parts),     cmocka_unit_test(test_zones),
        cmocka_unit_test(test_durations), cmocka_unit_test(test_now),
        cmocka_unit_test(test_mistakes),  cmocka_unit_test(test_parsing),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
