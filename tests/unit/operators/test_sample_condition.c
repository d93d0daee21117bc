/* tests/unit/operators/test_sample_condition.c — conditions from JSON: what they are, and what is
 * refused with which sentence. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/sample_type.h"

static const char *const fields[] = {"age", "region", "plan"};
static const struct mr_sample_facts facts = {.fields = fields, .fields_count = 3};
static struct mr_arena arena;
static struct mr_sample_condition *conditions;
static uint32_t count;
static struct mr_error error;

static enum mr_status read_text(const char *text)
{
    return mr_sample_conditions_read(mr_slice_text(text), &facts, &arena, &conditions, &count,
                                     &error);
}

static void conditions_are_read(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&arena, 4096);
    assert_int_equal(read_text(""), MR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(read_text(" {} "), MR_OK);
    assert_int_equal(count, 0);
    assert_int_equal(read_text("{\"plan\": {\"in\": [\"a\", true, 3]}, \"age\": {\"gt\": 21, "
                               "\"lte\": 65.5}, \"region\": \"West\"}"),
                     MR_OK);
    assert_int_equal(count, 3);
    assert_int_equal(conditions[0].field, 2);
    assert_int_equal(conditions[0].values_count, 3);
    assert_int_equal(conditions[0].values[1].kind, MR_KIND_BOOL);
    assert_int_equal(conditions[1].field, 0);
    assert_int_equal(conditions[1].values_count, 0);
    assert_true(conditions[1].lowest.number == 21 && conditions[1].lowest_is_out);
    assert_true(conditions[1].highest.number == 65.5 && !conditions[1].highest_is_out);
    assert_string_equal(conditions[2].name, "region");
    assert_int_equal(conditions[2].values_count, 1);
    mr_arena_deinit(&arena);
}

static void others_are_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        const char *message;
    } cases[] = {
        {"[]", "the conditions: it is no JSON object"},
        {"{\"ages\": 1}",
         "the conditions: the model has no field \"ages\"; its fields are age, region, plan"},
        {"{\"age\": null}", "the conditions, age: a text, a number, true or false is wanted"},
        {"{\"age\": 1e999}", "the conditions, age: a text, a number, true or false is wanted"},
        {"{\"age\": [1]}", "the conditions, age: a list is given as {\"in\": [...]}"},
        {"{\"age\": {}}", "the conditions, age: it is empty; give in, gte, gt, lte or lt"},
        {"{\"age\": {\"in\": []}}", "the conditions, age.in: it has 0 values; give 1 to 128"},
        {"{\"age\": {\"in\": [[]]}}",
         "the conditions, age.in[0]: a text, a number, true or false is wanted"},
        {"{\"age\": {\"in\": [1], \"gt\": 2}}",
         "the conditions, age: the member \"gt\" is not known"},
        {"{\"age\": {\"above\": 2}}", "the conditions, age: the member \"above\" is not known"},
        {"{\"age\": {\"gt\": 2, \"gte\": 3}}",
         "the conditions, age: it has both gte and gt: leave one out"},
        {"{\"age\": {\"lt\": true}}",
         "the conditions, age.lt: a bound is a number, or the text of a date or time"},
        {"{\"region\": \"a\\u0000b\"}",
         "the conditions, region: a text, a number, true or false is wanted"},
    };
    mr_arena_init(&arena, 4096);
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        assert_int_equal(read_text(cases[at].text), MR_INVALID);
        assert_string_equal(error.message, cases[at].message);
    }
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_are_read),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
