/* tests/unit/operators/test_quality_checks.c — each expectation against values of every kind, the
 * sentences, and what options are refused with. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "operators/quality_checks.h"
#include "tests/support/operator_harness.h"

static void open_rules(struct harness *harness, const char *check)
{
    char text[1024];
    snprintf(text, sizeof(text),
             "    - {name: op, type: quality.rules, from: in, checks: [{name: c, %s}]}\n", check);
    harness_open(harness, text, "    - {name: out, type: memory, from: op}\n", "op");
    harness->keeps_last = true;
}

/* Whether a value satisfies a check, and the sentence when it does not; NULL: satisfied. */
static const char *found(const char *check, struct mr_value value)
{
    static char reason[512];
    struct harness harness;
    open_rules(&harness, check);
    struct harness_row row = harness_row(0, "a", value);
    harness_feed(&harness, 0, &row, 1);
    assert_int_equal(harness.errors_count, 0);
    bool passed = harness_member(&harness, "passed").boolean;
    struct mr_value text = harness_member(&harness, "reason");
    snprintf(reason, sizeof(reason), "%.*s", (int)text.size, (const char *)text.text);
    assert_int_equal(passed, text.size == 0);
    harness_close(&harness);
    return passed ? NULL : reason;
}

static struct mr_value text(const char *value)
{
    return mr_value_string(mr_slice_text(value));
}

static const struct mr_value absent = {.kind = MR_KIND_ABSENT};

#define NUMBER(value) mr_value_double(value)

static void missing_values_violate_not_null_alone(void **state)
{
    MR_UNUSED(state);
    static const char *const others[] = {
        "field: value, expect: type, of: number",
        "field: value, expect: between, min: 3",
        "field: value, expect: in_set, values: [a]",
        "field: value, expect: matches, pattern: x",
    };
    assert_string_equal(found("field: value, expect: not_null", absent), "c: value is missing");
    assert_string_equal(found("field: value, expect: not_null", mr_value_null()),
                        "c: value is null");
    assert_null(found("field: value, expect: not_null", text("")));
    assert_null(found("field: value, expect: not_null", NUMBER((double)NAN)));
    for (size_t index = 0; index < MR_ARRAY_COUNT(others); index++) {
        assert_null(found(others[index], absent));
        assert_null(found(others[index], mr_value_null()));
    }
}

static void numbers_lie_between_bounds_or_on_them(void **state)
{
    MR_UNUSED(state);
    const char *both = "field: value, expect: between, min: -5, max: 1.5";
    assert_null(found(both, NUMBER(-5)));
    assert_null(found(both, NUMBER(1.5)));
    assert_null(found(both, NUMBER(-0.0)));
    assert_null(found(both, NUMBER(5e-324)));
    assert_null(found(both, mr_value_int(1)));
    assert_string_equal(found(both, NUMBER(1.6)), "c: value is 1.6, above the maximum of 1.5");
    assert_string_equal(found(both, mr_value_int(-6)), "c: value is -6, below the minimum of -5");
    assert_string_equal(found(both, text("1")), "c: value is \"1\", no number to compute with");
    assert_non_null(found(both, NUMBER((double)NAN)));
    assert_non_null(found(both, NUMBER(-(double)INFINITY)));
    assert_non_null(found(both, mr_value_bool(true)));
    assert_null(found("field: value, expect: between, min: 0", NUMBER(DBL_MAX)));
    assert_non_null(found("field: value, expect: between, max: 1e300", NUMBER(1e308)));
    assert_string_equal(found(both, mr_value_error(mr_slice_text("not a double"))),
                        "c: value is not to be read (not a double), no number to compute with");
}

static void types_are_told_apart(void **state)
{
    MR_UNUSED(state);
    assert_null(found("field: value, expect: type, of: string", text("x")));
    assert_string_equal(found("field: value, expect: type, of: string", NUMBER(1)),
                        "c: value is 1, not of the type string");
    assert_null(found("field: value, expect: type, of: number", NUMBER(1.5)));
    assert_non_null(found("field: value, expect: type, of: number", text("1.5")));
    assert_non_null(found("field: value, expect: type, of: number", NUMBER((double)INFINITY)));
    assert_null(found("field: value, expect: type, of: integer", NUMBER(3)));
    assert_null(found("field: value, expect: type, of: integer", mr_value_uint(UINT64_MAX)));
    assert_non_null(found("field: value, expect: type, of: integer", NUMBER(3.5)));
    assert_null(found("field: value, expect: type, of: boolean", mr_value_bool(false)));
    assert_non_null(found("field: value, expect: type, of: boolean", text("true")));
    assert_null(found("field: value, expect: type, of: timestamp", text("2026-01-28T10:30:00Z")));
    assert_non_null(found("field: value, expect: type, of: timestamp", text("yesterday")));
    assert_null(
        found("field: value, expect: type, of: list", (struct mr_value){.kind = MR_KIND_LIST}));
    assert_null(
        found("field: value, expect: type, of: object", (struct mr_value){.kind = MR_KIND_MAP}));
    assert_non_null(
        found("field: value, expect: type, of: object", (struct mr_value){.kind = MR_KIND_LIST}));
}

static void sets_and_patterns(void **state)
{
    MR_UNUSED(state);
    const char *set = "field: value, expect: in_set, values: [C, '1', '2.5', 'true']";
    assert_null(found(set, text("C")));
    assert_null(found(set, text("1")));
    assert_null(found(set, NUMBER(1)));
    assert_null(found(set, mr_value_int(1)));
    assert_null(found(set, NUMBER(2.5)));
    assert_null(found(set, mr_value_bool(true)));
    assert_non_null(found(set, mr_value_bool(false)));
    assert_string_equal(found(set, text("c")), "c: value is \"c\", none of C, 1, 2.5, true");
    assert_non_null(found(set, text("")));
    const char *part = "field: value, expect: matches, pattern: 'b+'";
    assert_null(found(part, text("abbc")));
    assert_string_equal(found(part, text("ac")), "c: value is \"ac\", which does not match b+");
    assert_non_null(found(part, NUMBER(1)));
    assert_non_null(found("field: value, expect: matches, pattern: '^b+$'", text("abb")));
    char late[200];
    memset(late, 'x', sizeof(late));
    late[199] = '\0';
    assert_non_null(strstr(found(part, text(late)), "xxx..., which"));
}

static void conditions_that_fail_are_violated(void **state)
{
    MR_UNUSED(state);
    assert_null(found("where: 'value > 1.0'", NUMBER(2)));
    assert_string_equal(found("where: 'value > 1.0'", NUMBER(1)), "c: value > 1.0 is false");
    assert_non_null(
        strstr(found("where: 'value > 1.0'", absent), "c: value > 1.0 cannot be computed: "));
    assert_null(found("where: '!has(record.value) || value > 1.0'", absent));
}

static void a_reference_is_a_field_of_what_was_joined(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_rules(&harness, "field: k, expect: references, references: table.id");
    struct harness_row known = harness_row(0, "a", NUMBER(1));
    known.cells[1] = (struct harness_cell){"table.id", text("a")};
    harness_feed(&harness, 0, &known, 1);
    assert_true(harness_member(&harness, "passed").boolean);
    struct harness_row unknown = harness_row(1, "b", NUMBER(1));
    harness_feed(&harness, 0, &unknown, 1);
    assert_text(harness_member(&harness, "reason"), "c: k is \"b\", which is not in table");
    struct harness_row without = harness_row(2, "b", NUMBER(1));
    without.cells[0].value = mr_value_null();
    harness_feed(&harness, 0, &without, 1);
    assert_true(harness_member(&harness, "passed").boolean);
    harness_close(&harness);
}

static void all_checks_are_judged(void **state)
{
    MR_UNUSED(state);
    struct harness harness;
    open_rules(&harness, "field: value, expect: between, max: 1, severity: critical}, "
                         "{name: d, field: k, expect: matches, pattern: '^z'}, "
                         "{name: e, where: 'true'}, {name: f, where: 'false', severity: info");
    struct harness_row row = harness_row(0, "a", NUMBER(2));
    harness_feed(&harness, 0, &row, 1);
    struct mr_value failed = harness_member(&harness, "failed");
    assert_int_equal(failed.size, 3);
    assert_text(failed.items[0], "c");
    assert_text(failed.items[1], "d");
    assert_text(failed.items[2], "f");
    assert_text(harness_member(&harness, "severity"), "critical");
    assert_true(harness_member(&harness, "score").number == 0.25);
    assert_text(harness_member(&harness, "reason"),
                "c: value is 2, above the maximum of 1; d: k is \"a\", which does not match ^z; "
                "f: false is false");
    harness_close(&harness);
}

static void refused(const char *check, const char *sentence)
{
    struct mr_arena arena;
    char text[1024];
    mr_arena_init(&arena, 1 << 14);
    snprintf(text, sizeof(text),
             "    - {name: op, type: quality.rules, from: in, checks: [{name: c%s}]}\n", check);
    const char *findings = harness_findings(
        &arena, "    - {name: in, type: memory}\n    - {name: in2, type: memory}\n", text,
        "    - {name: out, type: memory, from: op}\n    - {name: o2, type: memory, from: in2}\n");
    if (strstr(findings, sentence) == NULL)
        fail_msg("%s\nis not in\n%s", sentence, findings);
    mr_arena_deinit(&arena);
}

static void wrong_options_are_refused(void **state)
{
    MR_UNUSED(state);
    refused(", where: 'records.size() > 3'", "a condition is about one record");
    refused(", where: 'size(\"records\") > 3 && !records[0].ok'", "about one record");
    refused("", "check 'c' says nothing to expect: give it a condition, as in where: 'a < b', or "
                "expect: not_null, between, in_set or another one");
    refused(", field: a", "check 'c' says nothing to expect");
    refused(", field: a, expect: between", "between needs field, and min, max or both");
    refused(", expect: matches, field: a", "matches needs field and pattern");
    refused(", field: a, expect: between, min: 2, max: 1",
            "min (2) must not exceed max (1): nothing could satisfy it");
    refused(", field: a, expect: matches, pattern: 'a(b'",
            "the pattern is no regular expression, at its byte 4: '(' is not closed");
    refused(", field: a, expect: mean_between, min: 1",
            "mean_between is about many records: it needs quality.checkpoint with a window");
    refused(", field: a, expect: not_null, mostly: 0.5", "'mostly' is a share of many records");
    refused(", field: a, expect: not_null, min: 1", "'min' means nothing to not_null");
    refused(", where: 'true'}, {name: c, where: 'true'", "two checks are named 'c'");
    refused(" d, where: 'true'", "a check cannot be named 'c d'");
    refused(", field: a, expect: in_set, values: [1]",
            "'checks.values' has the number 1 in it, expected texts: quote it ('1')");
    refused(", field: a, expect: betwen, min: 1", "did you mean 'between'?");
}

static void refused_by_schema(const char *check, const char *sentence)
{
    struct mr_arena arena;
    char text[512];
    mr_arena_init(&arena, 1 << 14);
    snprintf(text, sizeof(text),
             "    - {name: op, type: quality.rules, from: in, checks: [{name: c, %s}]}\n", check);
    const char *findings =
        harness_findings(&arena,
                         "    - {name: in, type: memory, schema: {k: string, m: int, t: "
                         "list(double)}}\n",
                         text, "    - {name: out, type: memory, from: op}\n");
    if (sentence == NULL ? strstr(findings, "check 'c'") != NULL
                         : strstr(findings, sentence) == NULL)
        fail_msg("%s: %s", check, findings);
    mr_arena_deinit(&arena);
}

static void declared_types_that_cannot_satisfy_are_refused(void **state)
{
    MR_UNUSED(state);
    refused_by_schema("field: k, expect: between, min: 1",
                      "check 'c': between is about numbers, but 'k' is string by its declaration");
    refused_by_schema("field: m, expect: matches, pattern: x",
                      "check 'c': matches is about texts, but 'm' is int by its declaration");
    refused_by_schema("field: t, expect: between, min: 1", "'t' is list(double)");
    refused_by_schema("field: m, expect: between, min: 1", NULL);
    refused_by_schema("field: k, expect: matches, pattern: x", NULL);
    refused_by_schema("field: other, expect: between, min: 1", NULL);
    refused_by_schema("field: k, expect: in_set, values: [a]", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(missing_values_violate_not_null_alone),
        cmocka_unit_test(numbers_lie_between_bounds_or_on_them),
        cmocka_unit_test(types_are_told_apart),
        cmocka_unit_test(sets_and_patterns),
        cmocka_unit_test(conditions_that_fail_are_violated),
        cmocka_unit_test(a_reference_is_a_field_of_what_was_joined),
        cmocka_unit_test(all_checks_are_judged),
        cmocka_unit_test(wrong_options_are_refused),
        cmocka_unit_test(declared_types_that_cannot_satisfy_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
