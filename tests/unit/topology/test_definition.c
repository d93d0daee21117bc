/* tests/unit/topology/test_definition.c — the frame and the entries of a file. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "tests/support/topology_catalogue.h"
#include "tests/support/topology_fixture.h"
#include "topology/definition.h"

static void names_follow_rule_1(void **state)
{
    (void)state;
    char longest[65];
    memset(longest, 'a', sizeof(longest));
    longest[63] = '\0';
    assert_true(mr_definition_is_name("a"));
    assert_true(mr_definition_is_name("a-1"));
    assert_true(mr_definition_is_name(longest));
    longest[63] = 'a';
    longest[64] = '\0';
    assert_false(mr_definition_is_name(longest));
    static const char *const wrong[] = {"", "-a", "1a", "A", "a_b", "a.b", "a b", "\xC3\xA9"};
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
        assert_false(mr_definition_is_name(wrong[i]));
}

static bool read(struct mr_arena *arena, const char *text, struct mr_definition *definition,
                 struct mr_report *report)
{
    mr_report_init(report, arena, "x.yaml");
    const struct mr_yaml_node *root = mr_yaml_parse(mr_slice_text(text), arena, report);
    assert_non_null(root);
    return mr_definition_read(root, &mr_test_catalogue, arena, report, definition);
}

static void entries_keep_their_order_and_options(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_report report;
    struct mr_definition definition;
    mr_arena_init(&arena, 4096);
    assert_true(read(&arena,
                     "apiVersion: millrace.io/v1alpha1\nkind: Topology\n"
                     "metadata: {name: x, labels: {a: b}}\nspec:\n"
                     "  sinks: [{name: s, type: stdout, from: b}]\n"
                     "  sources:\n"
                     "    - {name: b, type: kafka, topic: t}\n"
                     "    - {name: a, type: kafka, topic: u, csv: {columns: [x]}, format: csv}\n",
                     &definition, &report));
    assert_int_equal(report.errors_count, 0);
    assert_string_equal(definition.name, "x");
    assert_int_equal(definition.entries_count, 3);
    assert_int_equal(definition.sources_count, 2);
    assert_string_equal(definition.entries[0].name, "b");
    assert_string_equal(definition.entries[2].name, "s"); /* sinks come last */
    struct mr_definition_entry *entry = mr_definition_find(&definition, "a");
    assert_non_null(entry);
    assert_string_equal(entry->format->name, "csv");
    assert_int_equal(mr_options_get(&entry->format_options, "columns")->count, 1);
    assert_string_equal(mr_definition_value(entry, "topic")->text, "u");         /* its type's */
    assert_string_equal(mr_definition_value(entry, "key_format")->text, "text"); /* common */
    assert_null(mr_definition_value(entry, "where"));
    assert_true(mr_definition_has(entry, "start"));
    assert_false(mr_definition_has(entry, "since"));
    assert_false(mr_definition_has(entry, "nothing"));
    assert_null(mr_definition_find(&definition, "z"));
    mr_arena_deinit(&arena);
}

static void a_file_without_spec_ends_the_reading(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_report report;
    struct mr_definition definition;
    mr_arena_init(&arena, 4096);
    assert_false(read(&arena, "kind: Topology\n", &definition, &report));
    assert_int_equal(report.errors_count, 3); /* apiVersion, metadata, spec */
    mr_arena_deinit(&arena);
}

static void too_many_entries_are_refused(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, 64 << 10);
    struct mr_buffer text;
    mr_buffer_init(&text, 1 << 20);
    assert_int_equal(mr_buffer_append_text(&text, "  sources:\n"), MR_OK);
    for (int i = 0; i < 1001; i++)
        assert_int_equal(
            mr_buffer_append_format(&text, "    - {name: s%d, type: kafka, topic: t}\n", i), MR_OK);
    assert_int_equal(mr_buffer_append(&text, "", 1), MR_OK);
    struct mr_topology_fixture fixture;
    mr_topology_fixture_open(&fixture, (const char *)text.data);
    assert_null(fixture.plan);
    assert_true(mr_topology_fixture_says(&fixture, "may have 1000 sources, operators and sinks"));
    mr_topology_fixture_close(&fixture);
    mr_buffer_deinit(&text);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_follow_rule_1),
        cmocka_unit_test(entries_keep_their_order_and_options),
        cmocka_unit_test(a_file_without_spec_ends_the_reading),
        cmocka_unit_test(too_many_entries_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
