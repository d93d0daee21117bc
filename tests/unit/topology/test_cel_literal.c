/* tests/unit/topology/test_cel_literal.c — numbers and escapes, as CEL defines them, and the places
 * of mistakes. */
#include "tests/support/expression_fixture.h"

static void test_numbers(void **state)
{
    EXPRESSION_TRUE(*state, "0x1F == 31 && 0XFFu == 255u", "007 == 7",
                    "-9223372036854775808 < -9223372036854775807", "18446744073709551615u > 1u",
                    "1e3 == 1000.0 && .5 == 0.5 && 1.5E-1 == 0.15", "00.5 == 0.5", "1e-400 == 0.0");
}

static void test_number_refusals(void **state)
{
    static const struct expression_problem problems[] = {
        {"9223372036854775808", "does not fit into an int", 1},
        {"1 + 18446744073709551616u", "does not fit into 64 bits", 5},
        {"0x1ffffffffffffffff", "does not fit into 64 bits", 1},
        {"1e999", "beyond the largest double", 1},
    };
    EXPRESSION_REFUSED(*state, problems);
}

static void test_escapes(void **state)
{
    EXPRESSION_TRUE(*state, "'\\x41\\101\\u0041\\U00000041' == 'AAAA'",
                    "'\\a\\b\\f\\n\\r\\t\\v\\\\\\?\\'\\\"\\`'.size() == 12",
                    "b'\\xff\\377' == b'\\377\\xff'", "'\\xff' == '\\u00ff'",
                    "r'\\n' == '\\\\n' && R'\\x'.size() == 2",
                    "br'\\x' == b'\\\\x' && rb'\\x' == b'\\\\x'");
}

static void test_escape_refusals(void **state)
{
    static const struct expression_problem problems[] = {
        {"'a\\s'", "starts no escape", 3},
        {"'\\uD800'", "starts no escape", 2},
        {"'\\U00110000'", "starts no escape", 2},
        {"'\\x4'", "starts no escape", 2},
        {"'\\400'", "starts no escape", 2},
        {"b'\\u0041'", "starts no escape that CEL knows in bytes", 3},
        {"'\\u12'", "starts no escape", 2},
    };
    EXPRESSION_REFUSED(*state, problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_number_refusals),
        cmocka_unit_test(test_escapes),
        cmocka_unit_test(test_escape_refusals),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
