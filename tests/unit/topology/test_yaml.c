/* tests/unit/topology/test_yaml.c — YAML 1.2 core with places; what is refused is in
 * tests/golden/topology. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "topology/yaml.h"

struct parsed {
    struct mr_arena arena;
    struct mr_report report;
    struct mr_yaml_node *root;
};

static void parse(struct parsed *parsed, const char *text)
{
    mr_arena_init(&parsed->arena, 4096);
    mr_report_init(&parsed->report, &parsed->arena, "x.yaml");
    parsed->root = mr_yaml_parse(mr_slice_text(text), &parsed->arena, &parsed->report);
}

static void nodes_know_their_places(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "# comment\na: 1\n  \nlist:\n  - x\n  - {b: 'it''s', c: \"q\"}\n");
    assert_int_equal(parsed.report.errors_count, 0);
    const struct mr_yaml_node *root = parsed.root;
    assert_int_equal(root->kind, MR_YAML_MAPPING);
    assert_int_equal(root->count, 2);
    assert_int_equal(root->pairs[0].location.line, 2);
    assert_int_equal(root->pairs[0].value->location.column, 4);
    const struct mr_yaml_pair *list = mr_yaml_find(root, "list");
    assert_non_null(list);
    assert_null(mr_yaml_find(root, "lis"));
    assert_int_equal(list->location.line, 4);
    const struct mr_yaml_node *map = list->value->items[1];
    assert_int_equal(map->location.line, 6);
    assert_int_equal(map->location.column, 5);
    assert_string_equal(map->pairs[0].value->text, "it's");
    assert_int_equal(map->pairs[0].value->style, MR_YAML_SINGLE_QUOTED);
    assert_int_equal(map->pairs[1].value->style, MR_YAML_DOUBLE_QUOTED);
    assert_int_equal(map->pairs[1].value->location.column, 21);
    mr_arena_deinit(&parsed.arena);
}

static void columns_count_characters(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "\xC3\xA9\xC3\xA9: x\n");
    assert_int_equal(parsed.root->pairs[0].value->location.column, 5);
    mr_arena_deinit(&parsed.arena);
}

static void scalars_are_classified_as_the_core_schema_does(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum mr_yaml_scalar scalar;
    } cases[] = {
        {"", MR_YAML_NULL},        {"null", MR_YAML_NULL},    {"Null", MR_YAML_NULL},
        {"nUll", MR_YAML_STRING},  {"true", MR_YAML_BOOLEAN}, {"FALSE", MR_YAML_BOOLEAN},
        {"tRue", MR_YAML_STRING},  {"0", MR_YAML_INTEGER},    {"-12", MR_YAML_INTEGER},
        {"+5", MR_YAML_INTEGER},   {"0x1F", MR_YAML_INTEGER}, {"0o17", MR_YAML_INTEGER},
        {"0x", MR_YAML_STRING},    {"-", MR_YAML_STRING},     {"1.5", MR_YAML_FLOAT},
        {".5", MR_YAML_FLOAT},     {"5.", MR_YAML_FLOAT},     {"1e9", MR_YAML_FLOAT},
        {"1e-9", MR_YAML_FLOAT},   {"1e", MR_YAML_STRING},    {".", MR_YAML_STRING},
        {"-.inf", MR_YAML_FLOAT},  {".nan", MR_YAML_FLOAT},   {"-.nan", MR_YAML_STRING},
        {"1.2.3", MR_YAML_STRING}, {"5m", MR_YAML_STRING},    {"0xg", MR_YAML_STRING},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("%s\n", cases[i].text);
        assert_int_equal(mr_yaml_classify(cases[i].text), cases[i].scalar);
    }
}

static void quoted_scalars_are_texts_whatever_they_hold(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "['010', \"yes\", '~', '12:30', '']");
    assert_int_equal(parsed.report.errors_count, 0);
    for (uint32_t i = 0; i < parsed.root->count; i++) {
        assert_int_equal(parsed.root->items[i]->scalar, MR_YAML_STRING);
        assert_false(parsed.root->items[i]->faulty);
    }
    mr_arena_deinit(&parsed.arena);
}

static void harmless_plain_values_pass(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed,
          "[0, 0.5, -0, 10, 1e3, 0x10, a_1, 1h30m, 12:3x, a:30, nay, note, Yesterday, 1-2, "
          "2026-01, 'x']");
    assert_int_equal(parsed.report.errors_count, 0);
    mr_arena_deinit(&parsed.arena);
}

static void depth_is_bounded(void **state)
{
    (void)state;
    char text[2 * MR_LIMIT_YAML_DEPTH + 16];
    for (int extra = 0; extra < 2; extra++) {
        size_t depth = MR_LIMIT_YAML_DEPTH - 1 + (size_t)extra;
        memset(text, '[', depth);
        text[depth] = 'x';
        memset(text + depth + 1, ']', depth);
        text[2 * depth + 1] = '\0';
        struct parsed parsed;
        parse(&parsed, text);
        assert_int_equal(parsed.report.errors_count, extra);
        assert_int_equal(parsed.root == NULL, extra);
        mr_arena_deinit(&parsed.arena);
    }
}

static void size_and_encoding_are_checked(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "a: \xff\n");
    assert_null(parsed.root);
    assert_string_equal(parsed.report.findings[0].message, "the file is not valid UTF-8");
    static const uint8_t large[MR_LIMIT_TOPOLOGY_BYTES + 1];
    assert_null(mr_yaml_parse(mr_slice_from(large, sizeof(large)), &parsed.arena, &parsed.report));
    assert_int_equal(parsed.report.errors_count, 2);
    mr_arena_deinit(&parsed.arena);
}

static void nodes_are_described_for_messages(void **state)
{
    (void)state;
    struct parsed parsed;
    parse(&parsed, "[{}, [], 5, 1.5, true, null, abc]");
    static const char *const expected[] = {"a mapping",      "a list",           "the number 5",
                                           "the number 1.5", "the boolean true", "no value",
                                           "the text 'abc'"};
    for (uint32_t i = 0; i < parsed.root->count; i++)
        assert_string_equal(mr_yaml_describe(&parsed.arena, parsed.root->items[i]), expected[i]);
    mr_arena_deinit(&parsed.arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nodes_know_their_places),
        cmocka_unit_test(columns_count_characters),
        cmocka_unit_test(scalars_are_classified_as_the_core_schema_does),
        cmocka_unit_test(quoted_scalars_are_texts_whatever_they_hold),
        cmocka_unit_test(harmless_plain_values_pass),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(size_and_encoding_are_checked),
        cmocka_unit_test(nodes_are_described_for_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
