/* tests/unit/topology/test_parse_value.c — values of every option type; wrong ones are in
 * tests/golden/topology. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "record/schema.h"
#include "topology/parse_options.h"

static const char *const choices[] = {"low", "high", NULL};
static const struct mr_option_spec specs[] = {
    {.name = "boolean", .type = MR_OPTION_BOOLEAN},
    {.name = "integer", .type = MR_OPTION_INTEGER},
    {.name = "number", .type = MR_OPTION_NUMBER},
    {.name = "string", .type = MR_OPTION_STRING},
    {.name = "choice", .type = MR_OPTION_CHOICE, .choices = choices},
    {.name = "duration", .type = MR_OPTION_DURATION},
    {.name = "size", .type = MR_OPTION_SIZE},
    {.name = "rate", .type = MR_OPTION_RATE},
    {.name = "share", .type = MR_OPTION_SHARE},
    {.name = "instant", .type = MR_OPTION_INSTANT},
    {.name = "strings", .type = MR_OPTION_STRINGS},
    {.name = "map", .type = MR_OPTION_STRING_MAP},
    {.name = "path", .type = MR_OPTION_PATH},
    {.name = "paths", .type = MR_OPTION_PATHS},
    {.name = "schema", .type = MR_OPTION_SCHEMA},
    {.name = "records", .type = MR_OPTION_RECORDS},
    {.name = "secret", .type = MR_OPTION_STRING, .flags = MR_OPTION_SECRET},
    {.name = "bounded", .type = MR_OPTION_INTEGER, .minimum = -2, .maximum = 3},
    {.name = "two", .type = MR_OPTION_STRINGS, .minimum = 2, .maximum = 3},
    {.name = "numbers", .type = MR_OPTION_NUMBERS, .minimum = 1, .maximum = 3},
    {.name = NULL},
};

struct parsed {
    struct mr_arena arena;
    struct mr_report report;
    struct mr_options options;
};

static void parse(struct parsed *parsed, const char *text)
{
    mr_arena_init(&parsed->arena, 4096);
    mr_report_init(&parsed->report, &parsed->arena, "x.yaml");
    struct mr_options_parser parser = {
        .arena = &parsed->arena, .report = &parsed->report, .owner = "test", .prefix = ""};
    const struct mr_yaml_node *node =
        mr_yaml_parse(mr_slice_text(text), &parsed->arena, &parsed->report);
    assert_non_null(node);
    mr_options_parse(&parser, specs, node, node->location, &parsed->options);
}

static const struct mr_option_value *get(const struct parsed *parsed, const char *name)
{
    return mr_options_get(&parsed->options, name);
}

/* 1 and 1.0 have the same text: the meaning of stored state is hashed from it. */
static void numbers_are_read(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "{numbers: [1.0, -2.5e3, -0]}");
    assert_int_equal(parsed.report.errors_count, 0);
    const struct mr_option_value *value = get(&parsed, "numbers");
    assert_true(value->present);
    assert_int_equal(value->count, 3);
    assert_true(value->numbers[0] == 1 && value->numbers[1] == -2500 && value->numbers[2] == 0);
    assert_string_equal(value->texts[0], "1");
    assert_string_equal(value->texts[2], "0");
    mr_arena_deinit(&parsed.arena);
    static const char *const wrong[] = {"{numbers: 1}", "{numbers: [1, '2']}", "{numbers: [.inf]}",
                                        "{numbers: []}", "{numbers: [1, 2, 3, 4]}"};
    for (size_t index = 0; index < sizeof(wrong) / sizeof(wrong[0]); index++) {
        parse(&parsed, wrong[index]);
        assert_int_equal(parsed.report.errors_count, 1);
        mr_arena_deinit(&parsed.arena);
    }
}

static void scalars_are_read(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "{boolean: true, integer: -9223372036854775808, number: 5, string: abc, "
                   "choice: high, duration: 1h30m, size: 64MiB, rate: 30/m, share: 0.25, "
                   "instant: '1970-01-01T00:00:01.5Z'}");
    assert_int_equal(parsed.report.errors_count, 0);
    assert_true(get(&parsed, "boolean")->boolean);
    assert_true(get(&parsed, "integer")->integer == INT64_MIN);
    assert_true(get(&parsed, "number")->number == 5.0);
    assert_string_equal(get(&parsed, "string")->text, "abc");
    assert_int_equal(get(&parsed, "choice")->integer, 1);
    assert_string_equal(get(&parsed, "choice")->text, "high");
    assert_int_equal(get(&parsed, "duration")->integer, 5400000);
    assert_int_equal(get(&parsed, "size")->integer, 64 << 20);
    assert_true(get(&parsed, "rate")->number == 0.5);
    assert_true(get(&parsed, "share")->number == 0.25);
    assert_int_equal(get(&parsed, "instant")->integer, 1500);
    assert_true(get(&parsed, "instant")->given && get(&parsed, "instant")->present);
    assert_int_equal(get(&parsed, "integer")->location.line, 1);
    mr_arena_deinit(&parsed.arena);
}

static void lists_and_mappings_are_read(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed,
          "{strings: [a, '1'], map: {z: x, b: w}, path: 'a[\"o d\"].c[2]', paths: [a.b, c], "
          "records: [{a: 1, b: [x]}]}");
    assert_int_equal(parsed.report.errors_count, 0);
    assert_int_equal(get(&parsed, "strings")->count, 2);
    assert_string_equal(get(&parsed, "strings")->texts[1], "1");
    assert_string_equal(get(&parsed, "map")->names[0], "b"); /* sorted by name */
    assert_string_equal(get(&parsed, "map")->texts[0], "w");
    assert_string_equal(get(&parsed, "map")->texts[1], "x");
    assert_int_equal(get(&parsed, "path")->paths[0].steps_count, 4);
    assert_int_equal(get(&parsed, "paths")->count, 2);
    assert_string_equal(get(&parsed, "paths")->paths[0].text, "a.b");
    assert_string_equal(get(&parsed, "records")->texts[0], "{\"a\":1,\"b\":[\"x\"]}");
    mr_arena_deinit(&parsed.arena);
}

static void schemas_are_read(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "{schema: {id: int, pos: {x: double}, tags: list(string)}}");
    assert_int_equal(parsed.report.errors_count, 0);
    const struct mr_schema *schema = get(&parsed, "schema")->schema;
    struct mr_path path;
    struct mr_error error;
    assert_int_equal(mr_path_parse(&parsed.arena, "pos.x", &path, &error), MR_OK);
    assert_int_equal(mr_schema_find(schema, &path)->code, MR_TYPE_DOUBLE);
    assert_int_equal(mr_path_parse(&parsed.arena, "tags[0]", &path, &error), MR_OK);
    assert_int_equal(mr_schema_find(schema, &path)->code, MR_TYPE_STRING);
    mr_arena_deinit(&parsed.arena);
}

static void wrong_values_are_left_out(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "{boolean: 1, integer: 1.0, number: abc, string: 5, choice: lo, duration: 5, "
                   "size: 5, rate: 5, instant: now, strings: a, map: [a], path: a..b, paths: a, "
                   "schema: {a: b}, records: {a: 1}}");
    assert_int_equal(parsed.report.errors_count, 15);
    for (uint32_t i = 0; i < parsed.options.count; i++)
        assert_false(parsed.options.values[i].present);
    mr_arena_deinit(&parsed.arena);
}

static void bounds_are_inclusive(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t errors_count;
    } cases[] = {{"{bounded: -2, two: [a, b], share: 0}", 0},
                 {"{bounded: 3, two: [a, b, c], share: 1}", 0},
                 {"{bounded: -3, two: [a], share: -0.1}", 3},
                 {"{bounded: 4, two: [a, b, c, d], share: 1.1}", 3}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct parsed parsed;
        parse(&parsed, cases[i].text);
        assert_int_equal(parsed.report.errors_count, cases[i].errors_count);
        mr_arena_deinit(&parsed.arena);
    }
}

static void secrets_are_references(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "{secret: '${secret:a/b}'}");
    assert_int_equal(parsed.report.errors_count, 0);
    assert_string_equal(get(&parsed, "secret")->text, "${secret:a/b}");
    mr_arena_deinit(&parsed.arena);
    parse(&parsed, "{secret: letmein, string: '${file:x}'}");
    assert_int_equal(parsed.report.errors_count, 2);
    for (uint32_t i = 0; i < parsed.report.findings_count; i++)
        assert_null(strstr(parsed.report.findings[i].message, "letmein"));
    mr_arena_deinit(&parsed.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers_are_read),
        cmocka_unit_test(scalars_are_read),
        cmocka_unit_test(lists_and_mappings_are_read),
        cmocka_unit_test(schemas_are_read),
        cmocka_unit_test(wrong_values_are_left_out),
        cmocka_unit_test(bounds_are_inclusive),
        cmocka_unit_test(secrets_are_references),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
