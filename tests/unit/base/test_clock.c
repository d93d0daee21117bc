/* tests/unit/base/test_clock.c — calendar arithmetic and RFC 3339, with the edges of both. */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void test_days_and_civil_dates_are_inverse(void **state)
{
    (void)state;
    assert_int_equal(mr_clock_days_from_civil(1970, 1, 1), 0);
    assert_int_equal(mr_clock_days_from_civil(2000, 3, 1), 11017);
    assert_int_equal(mr_clock_days_from_civil(1969, 12, 31), -1);
    assert_int_equal(mr_clock_days_from_civil(1, 1, 1), -719162);
    int64_t first = mr_clock_days_from_civil(-400, 1, 1);
    int64_t last = mr_clock_days_from_civil(2400, 12, 31);
    int64_t year_before = -400;
    int32_t month_before = 1;
    int32_t day_before = 0;
    for (int64_t days = first; days <= last; days++) {
        int64_t year;
        int32_t month;
        int32_t day;
        mr_clock_civil_from_days(days, &year, &month, &day);
        assert_int_equal(mr_clock_days_from_civil(year, month, day), days);
        bool next_day = year == year_before && month == month_before && day == day_before + 1;
        bool next_month = year == year_before && month == month_before + 1 && day == 1;
        bool next_year = year == year_before + 1 && month == 1 && day == 1 && month_before == 12;
        assert_true(next_day || next_month || next_year);
        year_before = year;
        month_before = month;
        day_before = day;
    }
    assert_int_equal(last - first + 1, 7 * 146097 + 366); /* 2801 years, 680 of them leap */
}

static void assert_formats(int64_t wall_ms, const char *expected)
{
    char text[MR_CLOCK_TEXT_SIZE];
    size_t length = mr_clock_format_rfc3339(wall_ms, text);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(expected));
}

static void test_format(void **state)
{
    (void)state;
    assert_formats(0, "1970-01-01T00:00:00Z");
    assert_formats(1769596200250, "2026-01-28T10:30:00.250Z");
    assert_formats(1, "1970-01-01T00:00:00.001Z");
    assert_formats(-1, "1969-12-31T23:59:59.999Z");
    assert_formats(-1000, "1969-12-31T23:59:59Z");
    assert_formats(951782400000, "2000-02-29T00:00:00Z");
    assert_formats(INT64_MAX, "9999-12-31T23:59:59.999Z");
    assert_formats(INT64_MIN, "0001-01-01T00:00:00Z");
}

static void assert_parses(const char *text, int64_t seconds, int32_t nanoseconds)
{
    int64_t parsed_seconds = 77;
    int32_t parsed_nanoseconds = 77;
    if (!mr_clock_parse_rfc3339(mr_slice_text(text), &parsed_seconds, &parsed_nanoseconds))
        fail_msg("'%s' was refused", text);
    assert_int_equal(parsed_seconds, seconds);
    assert_int_equal(parsed_nanoseconds, nanoseconds);
}

static void test_parse(void **state)
{
    (void)state;
    assert_parses("1970-01-01T00:00:00Z", 0, 0);
    assert_parses("2026-01-28T10:30:00.25Z", 1769596200, 250000000);
    assert_parses("2026-01-28T12:30:00+02:00", 1769596200, 0);
    assert_parses("2026-01-28T05:00:00-05:30", 1769596200, 0);
    assert_parses("2026-01-28t10:30:00z", 1769596200, 0);
    assert_parses("2026-01-28T10:30:00-00:00", 1769596200, 0);
    assert_parses("1969-12-31T23:59:59.5Z", -1, 500000000);
    assert_parses("1970-01-01T00:00:00.123456789Z", 0, 123456789);
    assert_parses("1970-01-01T00:00:00.1234567899999Z", 0, 123456789);
    assert_parses("2000-02-29T00:00:00Z", 951782400, 0);
    assert_parses("0001-01-01T00:00:00Z", -62135596800, 0);
    assert_parses("9999-12-31T23:59:59Z", 253402300799, 0);
    assert_parses("2016-12-31T23:59:60Z", 1483228799, 999999999);
    assert_parses("2017-01-01T05:29:60+05:30", 1483228799, 999999999);
}

static void test_parse_refuses(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "",
        "2026-01-28",
        "2026-01-28T10:30:00",
        "2026-01-28 10:30:00Z",
        "2026-01-28T10:30Z",
        "2026-01-28T10:30:00.Z",
        "2026-01-28T10:30:00,5Z",
        "2026-01-28T10:30:00Zx",
        "2026-01-28T10:30:00+0200",
        "2026-01-28T10:30:00+24:00",
        "2026-01-28T10:30:00+02:60",
        "2026-01-28T10:30:00+2:00",
        "2026-00-28T10:30:00Z",
        "2026-13-28T10:30:00Z",
        "2026-01-00T10:30:00Z",
        "2026-01-32T10:30:00Z",
        "2026-04-31T10:30:00Z",
        "2026-02-29T10:30:00Z",
        "1900-02-29T10:30:00Z",
        "2026-01-28T24:00:00Z",
        "2026-01-28T10:60:00Z",
        "2026-01-28T10:30:61Z",
        "2026-01-28T10:30:60Z",
        "2026-01-28T23:59:60+01:00",
        "-026-01-28T10:30:00Z",
        "+2026-01-28T10:30:00Z",
        "12026-01-28T10:30:00Z",
        "2026-1-28T10:30:00Z",
        " 2026-01-28T10:30:00Z",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        int64_t seconds;
        int32_t nanoseconds;
        if (mr_clock_parse_rfc3339(mr_slice_text(wrong[i]), &seconds, &nanoseconds))
            fail_msg("'%s' was taken", wrong[i]);
    }
    const char *whole = "2026-01-28T10:30:00.25+02:00";
    for (size_t size = 0; size < strlen(whole); size++) {
        int64_t seconds;
        int32_t nanoseconds;
        assert_false(mr_clock_parse_rfc3339(mr_slice_from(whole, size), &seconds, &nanoseconds));
    }
}

static void test_format_and_parse_are_inverse(void **state)
{
    (void)state;
    for (int64_t wall_ms = -62135596800000; wall_ms < 253402300799999; wall_ms += 86399999977) {
        char text[MR_CLOCK_TEXT_SIZE];
        size_t length = mr_clock_format_rfc3339(wall_ms, text);
        int64_t seconds;
        int32_t nanoseconds;
        assert_true(mr_clock_parse_rfc3339(mr_slice_from(text, length), &seconds, &nanoseconds));
        assert_int_equal(seconds * 1000 + nanoseconds / 1000000, wall_ms);
    }
}

static void test_clocks_advance(void **state)
{
    (void)state;
    uint64_t before_ns = mr_clock_monotonic_ns();
    uint64_t before_cpu_ns = mr_clock_thread_cpu_ns();
    mr_clock_sleep_ms(20);
    uint64_t elapsed_ns = mr_clock_monotonic_ns() - before_ns;
    assert_true(elapsed_ns >= 20000000);
    assert_true(mr_clock_thread_cpu_ns() - before_cpu_ns < elapsed_ns);
    assert_true(mr_clock_process_cpu_ns() > 0);
    assert_true(mr_clock_wall_ms() > 1700000000000);
    assert_true(mr_clock_monotonic_ms() >= before_ns / 1000000);
}

/* The last test: what is driven stays driven. */
static void test_driven_clocks_move_together(void **state)
{
    (void)state;
    uint64_t before_ns = mr_clock_monotonic_ns();
    mr_clock_drive(1000);
    uint64_t start_ns = mr_clock_monotonic_ns();
    assert_true(start_ns >= before_ns);
    uint64_t steady_ns = mr_clock_steady_ns();
    mr_clock_sleep_ms(2);
    assert_int_equal(mr_clock_wall_ms(), 1000);
    assert_int_equal(mr_clock_monotonic_ns(), start_ns);
    assert_true(mr_clock_steady_ns() - steady_ns >= 2000000);
    mr_clock_advance(2500);
    assert_int_equal(mr_clock_wall_ms(), 3500);
    assert_int_equal(mr_clock_monotonic_ns() - start_ns, 2500000000);
    mr_clock_drive(-5);
    assert_int_equal(mr_clock_wall_ms(), -5);
    assert_int_equal(mr_clock_monotonic_ns() - start_ns, 2500000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_days_and_civil_dates_are_inverse),
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_parse_refuses),
        cmocka_unit_test(test_format_and_parse_are_inverse),
        cmocka_unit_test(test_clocks_advance),
        cmocka_unit_test(test_driven_clocks_move_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
