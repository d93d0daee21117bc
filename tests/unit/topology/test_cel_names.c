/* tests/unit/topology/test_cel_names.c — names: fields, record[...], types of CEL, columns of
 * longer paths. */
#include "tests/support/expression_fixture.h"

static void test_fields(void **state)
{
    EXPRESSION_TRUE(*state, "value == 2.5", "record.value == 2.5", "record['in'] == 'reserved'",
                    "record[\"value\"] == 2.5", ".value == 2.5", "pos['in'] == 2.0",
                    "pos.deep.y[0] == 10.0", "anomaly.score == 0.75", "anomaly['score'] == 0.75",
                    "has(record['in'])", "!has(record.gone)");
}

static void test_fields_win_over_types(void **state)
{
    EXPRESSION_TRUE(*state, "string == 'a field'", "type(value) == double",
                    "has(string) && !has(double)", "type(1) == int");
}

static void test_absence(void **state)
{
    static const struct expression_problem problems[] = {
        {"gone", "no such field 'gone'", 0},
        {"gone + 1", "no such field 'gone'", 0},
        {"pos.z", "no such key: 'z'", 0},
        {"record.gone", "no such field 'gone'", 0},
        {"pos.deep.y[2]", "no such element in a list of 2", 0},
        {"broken", "a broken field", 0},
        {"has(broken)", "a broken field", 0},
        {"value.x", "'.' does not take double", 0},
        {"numbers.x", "'.' does not take list", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_has_sees_through_absence(void **state)
{
    EXPRESSION_TRUE(*state, "!has(gone.a.b)", "!has(pos.x.y)", "!has(none.a)", "has(none)",
                    "has(pos.deep.y[1]) && !has(pos.deep.y[2])", "!has(pos.deep['zz'])",
                    "gone == 1 || !has(gone)");
}

static void test_refusals(void **state)
{
    static const struct expression_problem problems[] = {
        {"nothing > 1", "There is no field 'nothing'", 1},
        {"1 + nothing.a[0]", "There is no field 'nothing.a[0]'", 5},
        {"anomaly.other > 1", "There is no field 'anomaly.other'", 1},
        {"record['odd name']", "There is no field '[\"odd name\"]'", 1},
    };
    EXPRESSION_REFUSED(*state, problems);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fields),   cmocka_unit_test(test_fields_win_over_types),
        cmocka_unit_test(test_absence),  cmocka_unit_test(test_has_sees_through_absence),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
