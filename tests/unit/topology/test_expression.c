/* tests/unit/topology/test_expression.c — the public functions: limits, expected types, results of
 * any kind. */
#include "tests/support/expression_fixture.h"

static void test_expected_types(void **state)
{
    struct expression_fixture *fixture = *state;
    struct mr_program *program = NULL;
    static const struct {
        const char *text;
        enum mr_type_code expected;
        bool fits;
    } cases[] = {{"true", MR_TYPE_BOOL, true}, {"value", MR_TYPE_BOOL, true},
                 {"id", MR_TYPE_BOOL, false},  {"name", MR_TYPE_STRING, true},
                 {"1", MR_TYPE_DOUBLE, true},  {"id", MR_TYPE_DOUBLE, false},
                 {"id", MR_TYPE_ANY, true}};
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        enum mr_status status = mr_expression_compile(&fixture->arena, cases[i].text,
                                                      cases[i].expected, &fixture->environment,
                                                      &program, &fixture->column, &fixture->error);
        assert_int_equal(status == MR_OK, cases[i].fits);
        assert_true(cases[i].fits || strstr(fixture->error.message, "is wanted") != NULL);
    }
    assert_int_equal(mr_program_type(expression_compile(fixture, "id + 1"))->code, MR_TYPE_INT);
    assert_int_equal(mr_program_type(expression_compile(fixture, "value"))->code, MR_TYPE_ANY);
}

static void test_limits(void **state)
{
    struct expression_fixture *fixture = *state;
    char *text = mr_arena_new(&fixture->arena, 1, MR_LIMIT_EXPRESSION_BYTES + 2);
    memset(text, ' ', MR_LIMIT_EXPRESSION_BYTES + 1);
    text[0] = '1';
    assert_null(expression_compile(fixture, text));
    assert_non_null(strstr(fixture->error.message, "65536 are allowed"));
    text[MR_LIMIT_EXPRESSION_BYTES] = '\0';
    assert_non_null(expression_compile(fixture, text));
    assert_null(expression_compile(fixture, "'\xFF'"));
    assert_non_null(strstr(fixture->error.message, "not UTF-8"));
}

static void test_results_keep_no_marks(void **state)
{
    struct expression_fixture *fixture = *state;
    static const char *const texts[] = {
        "1",         "flag ? value : 1", "flag ? 1 : value",
        "whole",     "[value, 1][1]",    "{'a': flag ? 1 : value}.a",
        "numbers[0]"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(texts); i++)
        assert_int_equal(expression_value(fixture, texts[i]).flags, 0);
    assert_int_equal(expression_value(fixture, "whole").kind, MR_KIND_DOUBLE);
}

static void test_without_an_environment(void **state)
{
    struct expression_fixture *fixture = *state;
    struct mr_program *program = NULL;
    assert_int_equal(mr_expression_compile(&fixture->arena, "1 + 1", MR_TYPE_ANY, NULL, &program,
                                           &fixture->column, &fixture->error),
                     MR_OK);
    assert_int_equal(mr_expression_compile(&fixture->arena, "x", MR_TYPE_ANY, NULL, &program,
                                           &fixture->column, &fixture->error),
                     MR_INVALID);
    assert_non_null(strstr(fixture->error.message, "'x' is not known here"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expected_types),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_results_keep_no_marks),
        cmocka_unit_test(test_without_an_environment),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
