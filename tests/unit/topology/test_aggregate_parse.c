/* tests/unit/topology/test_aggregate_parse.c — calls of aggregate functions. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/topology_catalogue.h"
#include "topology/aggregate_parse.h"

static const struct mr_type string_type = {.code = MR_TYPE_STRING};
static const struct mr_type any_type = {.code = MR_TYPE_ANY};

static bool resolve(void *argument, const struct mr_path *path, uint32_t *steps_used,
                    uint32_t *slot, const struct mr_type **type, struct mr_error *error)
{
    MR_UNUSED(argument);
    *steps_used = 1;
    *slot = 0;
    *type = strcmp(path->steps[0].name, "name") == 0 ? &string_type : &any_type;
    if (strcmp(path->steps[0].name, "unknown") != 0)
        return true;
    MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "there is no field 'unknown'");
    return false;
}

struct parsed {
    struct mr_arena arena;
    struct mr_aggregate_call call;
    struct mr_error error;
    uint32_t column;
    bool uses_now;
};

static enum mr_status parse(struct parsed *parsed, const char *text)
{
    const struct mr_expression_environment environment = {.resolve = resolve};
    *parsed = (struct parsed){.call = {.name = "x", .text = text}};
    mr_arena_init(&parsed->arena, 4096);
    return mr_aggregate_parse(&parsed->arena, &mr_test_catalogue, &environment, &parsed->call,
                              &parsed->uses_now, &parsed->column, &parsed->error);
}

static void calls_are_compiled(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        uint32_t arguments_count;
        double parameter;
        enum mr_type_code type;
    } cases[] = {
        {"count()", 0, 0, MR_TYPE_INT},
        {" count ( value )", 1, 0, MR_TYPE_INT},
        {"var(value)", 1, 0, MR_TYPE_DOUBLE}, /* a reserved word of CEL */
        {"count(5)", 1, 0, MR_TYPE_INT},
        {"avg(value * 2.0 + 1)", 1, 0, MR_TYPE_DOUBLE},
        {"last(name)", 1, 0, MR_TYPE_STRING},
        {"quantile(value, 0.99)", 1, 0.99, MR_TYPE_DOUBLE},
        {"quantile(value, 1)", 1, 1, MR_TYPE_DOUBLE},
        {"top_n(value)", 1, 10, MR_TYPE_LIST},
        {"top_n(value, 3)", 1, 3, MR_TYPE_LIST},
        {"top_n(value, name, 3)", 2, 3, MR_TYPE_LIST},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct parsed parsed;
        if (parse(&parsed, cases[i].text) != MR_OK)
            fail_msg("%s: %s", cases[i].text, parsed.error.message);
        assert_int_equal(parsed.call.arguments_count, cases[i].arguments_count);
        assert_true(parsed.call.parameters[0] == cases[i].parameter);
        assert_int_equal(mr_aggregate_type(&parsed.call)->code, cases[i].type);
        for (uint32_t j = 0; j < parsed.call.arguments_count; j++)
            assert_non_null(parsed.call.arguments[j]);
        assert_false(parsed.uses_now);
        mr_arena_deinit(&parsed.arena);
    }
}

static void the_clock_is_noted(void **state)
{
    MR_UNUSED(state);
    struct parsed parsed;
    assert_int_equal(parse(&parsed, "last(now())"), MR_OK);
    assert_true(parsed.uses_now);
    mr_arena_deinit(&parsed.arena);
}

static void what_does_not_fit_is_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        uint32_t column;
        const char *part;
    } cases[] = {
        {"cuont()", 1, "There is no aggregate function 'cuont'; did you mean 'count'?"},
        {"value", 1, "Expected one call"},
        {"avg(value) + 1", 12, "Expected one call"},
        {"name.size()", 6, "Expected one call"},
        {"avg()", 1, "avg has 0 arguments here; it is called as avg(value)"},
        {"avg(value, 3)", 1, "avg has 2 arguments here"},
        {"avg(name)", 5, "avg needs a number for 'value', but this is string"},
        {"avg(unknown)", 5, "there is no field 'unknown'"},
        {"quantile(value)", 1, "quantile needs the literal number 'q': quantile(value, q)"},
        {"quantile(value, 1.5)", 17, "'q' of quantile is a number from 0 to 1"},
        {"top_n(value, 2.5)", 14, "'n' of top_n is a whole number from 1 to 100"},
        {"top_n(value, name, name)", 1, "called as top_n(value, by?, n?)"},
        {"avg(value", 10, "ends where"},
        {"", 1, "empty"},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct parsed parsed;
        assert_int_equal(parse(&parsed, cases[i].text), MR_INVALID);
        if (strstr(parsed.error.message, cases[i].part) == NULL || parsed.column != cases[i].column)
            fail_msg("%s: column %u: %s", cases[i].text, parsed.column, parsed.error.message);
        mr_arena_deinit(&parsed.arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(calls_are_compiled),
        cmocka_unit_test(the_clock_is_noted),
        cmocka_unit_test(what_does_not_fit_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
