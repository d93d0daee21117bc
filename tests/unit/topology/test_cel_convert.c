/* tests/unit/topology/test_cel_convert.c — conversions: ranges, and texts that are not what they
 * should be. */
#include "tests/support/expression_fixture.h"

static void test_numbers(void **state)
{
    EXPRESSION_TRUE(*state, "int('-12') == -12", "int(2.9) == 2 && int(-2.9) == -2",
                    "uint('18446744073709551615') == 18446744073709551615u",
                    "double('-1.5e3') == -1500.0", "double('Infinity') > 1e308",
                    "double('NaN') != double('NaN')",
                    "int(9u) == 9 && uint(9) == 9u && double(9) == 9.0", "int(at) == 1769596200",
                    "int(timestamp('1969-12-31T23:59:59.5Z')) == -1", "int(value) == 2");
}

static void test_number_errors(void **state)
{
    static const struct expression_problem problems[] = {
        {"int(1e19)", "int's range", 0},
        {"int(double('NaN'))", "int's range", 0},
        {"int(18446744073709551615u)", "int's range", 0},
        {"uint(-1)", "uint's range", 0},
        {"uint(-0.5)", "uint's range", 0},
        {"int('1.5')", "'1.5' is not an int", 0},
        {"int('')", "is not an int", 0},
        {"uint('-1')", "'-1' is not a uint", 0},
        {"uint('18446744073709551616')", "not a uint", 0},
        {"uint('')", "not a uint", 0},
        {"double('1,5')", "'1,5' is not a double", 0},
        {"double('')", "not a double", 0},
        {"bool('yes')", "'yes' is not a bool", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_strings(void **state)
{
    EXPRESSION_TRUE(
        *state, "string(-5) == '-5' && string(7u) == '7'",
        "string(1.5) == '1.5' && string(100.0) == '100'",
        "string(1.0 / 0.0) == 'Infinity' && string(-1.0 / 0.0) == '-Infinity'",
        "string(0.0 / 0.0) == 'NaN'", "string(true) == 'true' && string(false) == 'false'",
        "string(b'abc') == 'abc'", "string(at) == '2026-01-28T10:30:00.25Z'",
        "string(timestamp('1969-12-31T23:59:59.000000001Z')) == '1969-12-31T23:59:59.000000001Z'",
        "string(timestamp('1700-02-28T00:00:00Z')) == '1700-02-28T00:00:00Z'",
        "string(wait) == '90s'",
        "string(duration('-1.5s')) == '-1.5s' && string(duration('1m1ms')) == '60.001s'",
        "bytes('\\u00ff') == b'\\303\\277'", "string(whole) == '7'");
}

static void test_string_errors(void **state)
{
    static const struct expression_problem problems[] = {
        {"string(raw)", "not UTF-8", 0},
        {"string(dyn(tags))", "string does not take list", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_timestamps(void **state)
{
    EXPRESSION_TRUE(*state, "timestamp('2026-01-28T11:30:00.25+01:00') == at",
                    "timestamp(1769596200) < at", "timestamp(at) == at");
}

static void test_timestamp_errors(void **state)
{
    static const struct expression_problem problems[] = {
        {"timestamp(dyn('yesterday'))", "RFC 3339", 0},
        {"timestamp(dyn('9999-12-31T23:59:59Z'))", "out of range", 0},
        {"timestamp(dyn('0001-01-01T00:00:00Z'))", "out of range", 0},
        {"timestamp(dyn(9223372036854775807))", "out of range", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_durations(void **state)
{
    EXPRESSION_TRUE(*state, "duration('1h30m') == duration('5400s')",
                    "duration('1.5h') == duration('90m')", "duration('250ms') == duration('0.25s')",
                    "duration('-1h1m') == duration('-61m')", "duration('0') == duration('0s')",
                    "duration('1us') == duration('1000ns')",
                    "duration('0.123456789s') == duration('123456789ns')",
                    "duration('.5s') == duration('500ms')", "duration('+1s') == duration('1s')",
                    "duration('-9223372036854775808ns') < duration('0')");
}

static void test_duration_errors(void **state)
{
    static const struct expression_problem problems[] = {
        {"duration(dyn('1d'))", "not a duration", 0},
        {"duration(dyn(''))", "not a duration", 0},
        {"duration(dyn('-'))", "not a duration", 0},
        {"duration(dyn('1'))", "not a duration", 0},
        {"duration(dyn('s'))", "not a duration", 0},
        {"duration(dyn('.s'))", "not a duration", 0},
        {"duration(dyn('9223372036854775808ns'))", "not a duration", 0},
        {"duration(dyn('10000000h'))", "not a duration", 0},
        {"duration(dyn('1h 2m'))", "not a duration", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_types(void **state)
{
    EXPRESSION_TRUE(*state, "type(1) == int", "type(dyn(1.5)) != int", "type(name) == type('a')",
                    "type(type(1)) == type(int)", "type(none) == null_type",
                    "type(tags) == list && type(pos) == map",
                    "type(at) == google.protobuf.Timestamp", "type(b'') == bytes",
                    "bool('t') && !bool('False')");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_number_errors),
        cmocka_unit_test(test_strings),    cmocka_unit_test(test_string_errors),
        cmocka_unit_test(test_timestamps), cmocka_unit_test(test_timestamp_errors),
        cmocka_unit_test(test_durations),  cmocka_unit_test(test_duration_errors),
        cmocka_unit_test(test_types),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
