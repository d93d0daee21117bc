/* tests/unit/topology/test_crd.c — the CustomResourceDefinition is YAML, holds every option once,
 * and leaves open what types do not agree on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_catalogue.h"
#include "topology/common_options.h"
#include "topology/crd.h"
#include "topology/yaml.h"

static const struct mr_yaml_node *find(const struct mr_yaml_node *node, const char *key)
{
    assert_int_equal(node->kind, MR_YAML_MAPPING);
    const struct mr_yaml_pair *pair = mr_yaml_find(node, key);
    if (pair == NULL)
        fail_msg("there is no %s", key);
    return pair->value;
}

static const struct mr_yaml_node *make(struct mr_arena *arena, struct mr_buffer *buffer,
                                       const struct mr_catalogue *catalogue)
{
    struct mr_report report;
    mr_buffer_clear(buffer);
    assert_int_equal(mr_crd_write(catalogue, buffer), MR_OK);
    mr_report_init(&report, arena, "crd.yaml");
    const struct mr_yaml_node *root = mr_yaml_parse(mr_buffer_view(buffer), arena, &report);
    assert_int_equal(report.findings_count, 0);
    const struct mr_yaml_node *versions = find(find(root, "spec"), "versions");
    assert_int_equal(versions->count, 1);
    return find(find(versions->items[0], "schema"), "openAPIV3Schema");
}

static const struct mr_yaml_node *entries(const struct mr_yaml_node *schema, const char *list)
{
    const struct mr_yaml_node *spec = find(find(schema, "properties"), "spec");
    return find(find(find(find(spec, "properties"), list), "items"), "properties");
}

static void it_holds_the_options_of_every_type(void **state)
{
    (void)state;
    static const char *const lists[] = {"sources", "operators", "sinks"};
    struct mr_arena arena;
    struct mr_buffer buffer;
    mr_arena_init(&arena, 1 << 16);
    mr_buffer_init(&buffer, MR_CRD_BYTES_MAX);
    const struct mr_yaml_node *schema = make(&arena, &buffer, &mr_test_catalogue);
    for (uint32_t i = 0; i < mr_test_catalogue.types_count; i++) {
        const struct mr_type_spec *type = mr_test_catalogue.types[i];
        const struct mr_yaml_node *properties = entries(schema, lists[type->role]);
        const struct mr_option_spec *const tables[] = {
            type->options, mr_common_options(&arena, &mr_test_catalogue, type)};
        for (size_t table = 0; table < 2; table++)
            for (const struct mr_option_spec *spec = tables[table];
                 spec != NULL && spec->name != NULL; spec++)
                assert_non_null(
                    strstr(find(find(properties, spec->name), "description")->text, spec->help));
    }
    mr_buffer_deinit(&buffer);
    mr_arena_deinit(&arena);
}

static void it_says_types_and_traits(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_buffer buffer;
    mr_arena_init(&arena, 1 << 16);
    mr_buffer_init(&buffer, MR_CRD_BYTES_MAX);
    const struct mr_yaml_node *schema = make(&arena, &buffer, &mr_test_catalogue);
    const struct mr_yaml_node *operators = entries(schema, "operators");
    assert_string_equal(find(find(operators, "field"), "type")->text, "string");
    assert_string_equal(find(find(operators, "key"), "type")->text, "array");
    assert_string_equal(find(find(find(operators, "key"), "items"), "type")->text, "string");
    assert_null(mr_yaml_find(find(operators, "threshold"), "type"));
    assert_non_null(strstr(find(find(operators, "threshold"), "description")->text,
                           "(number, default 3, 0.1 to 100)"));
    assert_non_null(strstr(find(find(operators, "on_error"), "description")->text,
                           "(fail | skip | dead_letter, default dead_letter)"));
    const struct mr_yaml_node *watermark = find(entries(schema, "sources"), "watermark");
    assert_string_equal(find(find(find(watermark, "properties"), "max_delay"), "type")->text,
                        "string");
    mr_buffer_deinit(&buffer);
    mr_arena_deinit(&arena);
}

static const struct mr_option_spec texts[] = {
    {.name = "odd", .type = MR_OPTION_STRING, .help = "A text."}, {.name = NULL}};
static const struct mr_option_spec lists[] = {
    {.name = "odd", .type = MR_OPTION_STRINGS, .help = "A list."}, {.name = NULL}};

static void an_option_of_two_yaml_types_is_left_open(void **state)
{
    (void)state;
    static const struct mr_type_spec one = {.name = "one", .role = MR_ROLE_SINK, .options = texts};
    static const struct mr_type_spec two = {.name = "two", .role = MR_ROLE_SINK, .options = lists};
    static const struct mr_type_spec *const types[] = {&one, &two};
    const struct mr_catalogue catalogue = {.types = types, .types_count = 2};
    struct mr_arena arena;
    struct mr_buffer buffer;
    mr_arena_init(&arena, 1 << 16);
    mr_buffer_init(&buffer, MR_CRD_BYTES_MAX);
    const struct mr_yaml_node *odd =
        find(entries(make(&arena, &buffer, &catalogue), "sinks"), "odd");
    assert_string_equal(find(odd, "description")->text, "(string | strings) A text. Or: A list.");
    assert_null(mr_yaml_find(odd, "type"));
    mr_buffer_deinit(&buffer);
    mr_arena_deinit(&arena);
}

static void a_ceiling_is_kept(void **state)
{
    (void)state;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 5000);
    assert_int_equal(mr_crd_write(&mr_test_catalogue, &buffer), MR_LIMIT);
    mr_buffer_deinit(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_holds_the_options_of_every_type),
        cmocka_unit_test(it_says_types_and_traits),
        cmocka_unit_test(an_option_of_two_yaml_types_is_left_open),
        cmocka_unit_test(a_ceiling_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
