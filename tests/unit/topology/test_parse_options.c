/* tests/unit/topology/test_parse_options.c — tables: required, defaults, nested, unknown. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "topology/parse_options.h"

static const struct mr_option_spec nested[] = {
    {.name = "needed", .type = MR_OPTION_INTEGER, .flags = MR_OPTION_REQUIRED},
    {.name = "depth", .type = MR_OPTION_DURATION, .default_text = "5s"},
    {.name = NULL},
};
static const struct mr_option_spec specs[] = {
    {.name = "topic", .type = MR_OPTION_STRING, .flags = MR_OPTION_REQUIRED},
    {.name = "limit", .type = MR_OPTION_NUMBER, .default_text = "1e-9"},
    {.name = "empty", .type = MR_OPTION_STRING, .default_text = ""},
    {.name = "list", .type = MR_OPTION_STRINGS, .default_text = "[a, b]"},
    {.name = "one", .type = MR_OPTION_OBJECT, .fields = nested},
    {.name = "many", .type = MR_OPTION_OBJECTS, .fields = nested},
    {.name = NULL},
};

static const struct mr_refused_option refused[] = {
    {"topics", "it reads one"},
    {NULL, NULL},
};

struct parsed {
    struct mr_arena arena;
    struct mr_report report;
    struct mr_options_parser parser;
    struct mr_options options;
};

static void parse(struct parsed *parsed, const char *text)
{
    mr_arena_init(&parsed->arena, 4096);
    mr_report_init(&parsed->report, &parsed->arena, "x.yaml");
    parsed->parser = (struct mr_options_parser){.arena = &parsed->arena,
                                                .report = &parsed->report,
                                                .owner = "test",
                                                .prefix = "",
                                                .refused = refused};
    const struct mr_yaml_node *node =
        text == NULL ? NULL : mr_yaml_parse(mr_slice_text(text), &parsed->arena, &parsed->report);
    mr_options_parse(&parsed->parser, specs, node, (struct mr_location){7, 3}, &parsed->options);
    const struct mr_option_spec *tables[] = {specs};
    if (node != NULL)
        mr_options_check_unknown(&parsed->parser, node, tables, 1);
}

static void defaults_are_parsed_as_if_written(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "{topic: x}");
    assert_int_equal(parsed.report.errors_count, 0);
    assert_true(mr_options_number(&parsed.options, "limit") == 1e-9);
    assert_string_equal(mr_options_text(&parsed.options, "empty"), "");
    assert_int_equal(mr_options_get(&parsed.options, "list")->count, 2);
    assert_true(mr_options_present(&parsed.options, "limit"));
    assert_false(mr_options_get(&parsed.options, "limit")->given);
    assert_int_equal(mr_options_get(&parsed.options, "list")->location.line, 0);
    assert_false(mr_options_present(&parsed.options, "one"));
    mr_arena_deinit(&parsed.arena);
}

static void nested_options_are_complete(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "{topic: x, one: {needed: 1}, many: [{needed: 2, depth: 1m}, {needed: 3}]}");
    assert_int_equal(parsed.report.errors_count, 0);
    const struct mr_option_value *one = mr_options_get(&parsed.options, "one");
    const struct mr_option_value *many = mr_options_get(&parsed.options, "many");
    assert_int_equal(one->count, 1);
    assert_int_equal(mr_options_integer(&one->objects[0], "depth"), 5000);
    assert_int_equal(many->count, 2);
    assert_int_equal(mr_options_integer(&many->objects[0], "depth"), 60000);
    assert_int_equal(mr_options_integer(&many->objects[1], "needed"), 3);
    mr_arena_deinit(&parsed.arena);
}

static void what_is_refused_says_why(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "{topic: x, topics: [x, z], topik: z}");
    assert_int_equal(parsed.report.errors_count, 2);
    assert_string_equal(parsed.report.findings[0].message,
                        "test has no option 'topics': it reads one");
    assert_string_equal(parsed.report.findings[1].message,
                        "test has no option 'topik'; did you mean 'topic'?");
    mr_arena_deinit(&parsed.arena);
}

static void what_is_missing_is_reported_at_its_owner(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, NULL);
    assert_int_equal(parsed.report.errors_count, 1);
    assert_int_equal(parsed.report.findings[0].location.line, 7);
    assert_string_equal(parsed.report.findings[0].message, "test needs the option 'topic': a text");
    mr_arena_deinit(&parsed.arena);
    parse(&parsed, "{topic: x, one: {}, many: [{}, {needed: 1}]}");
    assert_int_equal(parsed.report.errors_count, 2);
    assert_string_equal(parsed.report.findings[0].message,
                        "test needs the option 'one.needed': an integer");
    mr_arena_deinit(&parsed.arena);
}

static void an_excused_option_may_be_missing(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "{topic: x}");
    parsed.parser.excused = "topic";
    mr_options_parse(&parsed.parser, specs, NULL, (struct mr_location){1, 1}, &parsed.options);
    assert_int_equal(parsed.report.errors_count, 0);
    mr_arena_deinit(&parsed.arena);
}

static void unknown_options_get_the_nearest_name(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "{topic: x, limmit: 1, zzzzzzzz: 2, one: {needed: 1, deph: 5s}}");
    assert_int_equal(parsed.report.errors_count, 3);
    mr_report_finish(&parsed.report);
    assert_string_equal(parsed.report.findings[0].message,
                        "test has no option 'limmit'; did you mean 'limit'?");
    assert_string_equal(parsed.report.findings[1].message, "test has no option 'zzzzzzzz'");
    assert_string_equal(parsed.report.findings[2].message,
                        "test has no option 'one.deph'; did you mean 'depth'?");
    mr_arena_deinit(&parsed.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_parsed_as_if_written),
        cmocka_unit_test(nested_options_are_complete),
        cmocka_unit_test(what_is_refused_says_why),
        cmocka_unit_test(what_is_missing_is_reported_at_its_owner),
        cmocka_unit_test(an_excused_option_may_be_missing),
        cmocka_unit_test(unknown_options_get_the_nearest_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
