/* tests/unit/operators/test_sample_where.c — CEL conditions as JSON, and what is refused. */
#include "operators/sample_where.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"

static struct mr_error error;

static void expect(const char *const *expressions, uint32_t count, const char *json)
{
    struct mr_buffer output;
    mr_buffer_init(&output, 4096);
    if (mr_sample_where(expressions, count, &output, &error) != MR_OK)
        fail_msg("%s", error.message);
    if (output.size != strlen(json) || memcmp(output.data, json, output.size) != 0)
        fail_msg("%.*s instead of %s", (int)output.size, (const char *)output.data, json);
    mr_buffer_deinit(&output);
}

static void conditions_become_json(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *expression;
        const char *json;
    } cases[] = {
        {"age >= 21", "{\"age\":{\"gte\":21}}"},
        {"age >= 21 && age < 65.5", "{\"age\":{\"gte\":21,\"lt\":65.5}}"},
        {"-5 < t && t <= -1", "{\"t\":{\"gt\":-5,\"lte\":-1}}"},
        {"region == 'West' && fraud", "{\"region\":\"West\",\"fraud\":true}"},
        {"!fraud && 'a\"b' == plan", "{\"fraud\":false,\"plan\":\"a\\\"b\"}"},
        {"plan in ['a', 'b'] && fraud == false",
         "{\"plan\":{\"in\":[\"a\",\"b\"]},\"fraud\":false}"},
        {"n == -3", "{\"n\":-3}"},
        {"n in [1, -2.5]", "{\"n\":{\"in\":[1,-2.5]}}"},
        {"at >= timestamp('2026-01-28T10:30:00Z') && timestamp(\"2026-02-01T00:00:00Z\") > at",
         "{\"at\":{\"gte\":\"2026-01-28T10:30:00Z\",\"lt\":\"2026-02-01T00:00:00Z\"}}"},
        {"day >= '2026-01-28' && (a > 1 && b > 2)",
         "{\"day\":{\"gte\":\"2026-01-28\"},\"a\":{\"gt\":1},\"b\":{\"gt\":2}}"},
    };
    expect(NULL, 0, "{}");
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++)
        expect(&cases[at].expression, 1, cases[at].json);
    static const char *const several[] = {"age > 1", "age < 9", "ok"};
    expect(several, 3, "{\"age\":{\"gt\":1,\"lt\":9},\"ok\":true}");
}

static void others_are_refused(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *expression;
        const char *part; /* of the sentence */
    } cases[] = {
        {"", "''"},
        {"age >=", "'age >=', column"},
        {"age > 1 || age < 0", "column 9: || has no single distribution"},
        {"age != 3", "!= cannot be drawn"},
        {"age > income", "a field is compared with a value that is written out"},
        {"age + 1 > 3", "rows are drawn by comparisons"},
        {"a.b > 3", "without dots"},
        {"at > timestamp(now)", "a field is compared with a value that is written out"},
        {"size(name) > 3", "rows are drawn by comparisons"},
        {"age > 1 && age >= 2", "on the same side"},
        {"age == 1 && age == 2", "another condition on the same field"},
        {"age == 1 && age > 0", "on the same side"},
        {"age in []", "behind `in`"},
        {"age in other", "behind `in`"},
        {"age + 1", "a number or text, not a condition"},
        {"3 == 4", "rows are drawn by comparisons"},
    };
    for (size_t at = 0; at < MR_ARRAY_COUNT(cases); at++) {
        struct mr_buffer output;
        mr_buffer_init(&output, 4096);
        assert_int_equal(mr_sample_where(&cases[at].expression, 1, &output, &error), MR_INVALID);
        if (strstr(error.message, cases[at].part) == NULL)
            fail_msg("%s: %s", cases[at].expression, error.message);
        mr_buffer_deinit(&output);
    }
    struct mr_buffer small;
    static const char *const one[] = {"age > 1"};
    mr_buffer_init(&small, 4);
    assert_int_equal(mr_sample_where(one, 1, &small, &error), MR_LIMIT);
    mr_buffer_deinit(&small);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conditions_become_json),
        cmocka_unit_test(others_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
