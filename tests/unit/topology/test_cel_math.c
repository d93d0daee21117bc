/* tests/unit/topology/test_cel_math.c — the math. functions, at their edges. */
#include "tests/support/expression_fixture.h"

static void test_extremes(void **state)
{
    EXPRESSION_TRUE(*state, "math.greatest(1, 2.5, 2u) == 2.5", "math.least(1, 2.5, 2u) == 1",
                    "math.greatest([3, 1]) == 3", "math.greatest(numbers) == 4.0",
                    "math.least(-1.5) == -1.5", "math.greatest(value, 0) == 2.5");
}

static void test_functions(void **state)
{
    EXPRESSION_TRUE(
        *state, "math.abs(-5) == 5 && math.abs(-1.5) == 1.5 && math.abs(2u) == 2u",
        "math.ceil(1.2) == 2.0 && math.floor(-1.2) == -2.0",
        "math.round(2.5) == 3.0 && math.round(-2.5) == -3.0", "math.trunc(-1.9) == -1.0",
        "math.sign(-3) == -1 && math.sign(0.0) == 0.0 && math.sign(4u) == 1u",
        "math.isNaN(0.0 / 0.0) && !math.isNaN(1.0)", "math.isInf(1.0 / 0.0) && !math.isInf(1.0)",
        "math.isFinite(1.0) && !math.isFinite(0.0 / 0.0)",
        "math.sqrt(81) == 9.0 && math.isNaN(math.sqrt(-1.0))", "math.isNaN(math.sign(0.0 / 0.0))",
        "math.sign(value) == 1.0");
}

static void test_mistakes(void **state)
{
    static const struct expression_problem problems[] = {
        {"math.abs(-9223372036854775808)", "overflow", 0},
        {"math.greatest([])", "math.greatest() of an empty list", 0},
        {"math.greatest(['a'])", "math.greatest() does not take string", 0},
        {"math.abs(none)", "math.abs does not take null_type", 0},
        {"math.floor(gone)", "no such field 'gone'", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_extremes),
        cmocka_unit_test(test_functions),
        cmocka_unit_test(test_mistakes),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
