/* tests/unit/topology/test_cel_fold.c — constants are worked out at compile time; what can differ
 * per row is not. */
#include "tests/support/expression_fixture.h"

static void test_constants_leave_no_instruction_but_one(void **state)
{
    struct expression_fixture *fixture = *state;
    static const char *const texts[] = {"1 + 2 * 3",
                                        "duration('1h') > duration('1m')",
                                        "[1, 2, 3][1]",
                                        "{'a': [1]}.a[0]",
                                        "'a' in ['a', 'b']",
                                        "true ? 1 : 2",
                                        "'abc'.size() > 2 && true",
                                        "-(1)",
                                        "1 / 0"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(texts); i++) {
        const struct mr_program *program = expression_compile(fixture, texts[i]);
        assert_non_null(program);
        assert_int_equal(program->instructions_count, 1);
        assert_int_equal(program->instructions[0].operation, MR_CEL_OP_COPY);
    }
}

static void test_a_constant_list_inside_is_folded(void **state)
{
    struct expression_fixture *fixture = *state;
    const struct mr_program *program =
        expression_compile(fixture, "name in ['a', 'sensor-' + 'a']");
    assert_int_equal(program->instructions_count, 1);
    assert_true(expression_run(fixture, program).boolean);
}

static void test_now_and_has_stay(void **state)
{
    EXPRESSION_TRUE(*state, "now() == timestamp(1769596200)",
                    "has({'a': 1}.a) && !has({'a': 1}.b)");
}

static void test_constant_errors_are_absorbed(void **state)
{
    EXPRESSION_TRUE(*state, "1 / 0 == 1 || true", "!(1 / 0 == 1 && false)",
                    "{1: 1, 1: 2} == {} || true");
}

static void test_map_errors(void **state)
{
    static const struct expression_problem problems[] = {
        {"{1: 1, 1: 2}", "the same key twice", 0},
        {"{1: 1, 1u: 2}", "the same key twice", 0},
        {"{dyn(1.5): 1}", "the key of a map", 0},
        {"{value: 1}", "the key of a map", 0},
        {"{name: 1, 'sensor-a': 2}", "the same key twice", 0},
        {"[1 / 0]", "division by zero", 0},
        {"{1 / 0: 1}", "division by zero", 0},
        {"{1: 1 / 0}", "division by zero", 0},
    };
    EXPRESSION_ERRORS(*state, problems);
}

static void test_what_is_too_large_is_left_to_the_evaluator(void **state)
{
    struct expression_fixture *fixture = *state;
    char text[4096] = "'aaaaaaaaaaaaaaaaaaaa'";
    for (int i = 0; i < 12; i++)
        strcat(text, ".replace('a', 'aaaaaaaaaaaaaaaaaaaa')");
    const struct mr_program *program = expression_compile(fixture, text);
    assert_non_null(program);
    assert_true(program->instructions_count > 1);
    assert_true(fixture->arena.used_bytes < 16 << 20);
    assert_int_equal(expression_run(fixture, program).kind, MR_KIND_ERROR);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constants_leave_no_instruction_but_one),
        cmocka_unit_test(test_a_constant_list_inside_is_folded),
        cmocka_unit_test(test_now_and_has_stay),
        cmocka_unit_test(test_constant_errors_are_absorbed),
        cmocka_unit_test(test_map_errors),
        cmocka_unit_test(test_what_is_too_large_is_left_to_the_evaluator),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
