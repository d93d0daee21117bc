/* tests/unit/topology/test_docs.c — reference pages say what the tables say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/support/topology_catalogue.h"
#include "topology/docs.h"

static char *page(struct mr_buffer *buffer, enum mr_role role, const char *name,
                  enum mr_docs_form form)
{
    const struct mr_type_spec *type = mr_catalogue_find(&mr_test_catalogue, role, name);
    assert_non_null(type);
    mr_buffer_clear(buffer);
    assert_int_equal(mr_docs_type(&mr_test_catalogue, type, form, buffer), MR_OK);
    assert_int_equal(mr_buffer_append(buffer, "", 1), MR_OK);
    return (char *)buffer->data;
}

static void a_text_page_holds_everything(void **state)
{
    (void)state;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 1 << 20);
    const char *text = page(&buffer, MR_ROLE_OPERATOR, "detect.zscore", MR_DOCS_TEXT);
    static const char *const parts[] = {
        "detect.zscore (operator)",
        "Not for skewed values.",
        "threshold (number, default 3, 0.1 to 100)",
        "field (path, required)",
        "window.count (integer, required, 2 to 1000)",
        "Common options",
        "as (string, default anomaly)",
        "state.on_full (evict_oldest | fail, default evict_oldest)",
        "alerts: Alerts.",
        "metric_value (double)",
        "Members of the added object (default `anomaly`)",
        "is_anomaly (bool)",
        "layout version 1",
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        print_message("%s\n", parts[i]);
        assert_non_null(strstr(text, parts[i]));
    }
    mr_buffer_deinit(&buffer);
}

static void text_is_folded(void **state)
{
    (void)state;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 1 << 20);
    const char *text = page(&buffer, MR_ROLE_SOURCE, "kafka", MR_DOCS_TEXT);
    size_t column = 0;
    for (; *text != '\0'; text++) {
        column = *text == '\n' ? 0 : column + 1;
        assert_true(column <= 100);
    }
    mr_buffer_deinit(&buffer);
}

static void markdown_has_tables(void **state)
{
    (void)state;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 1 << 20);
    const char *text = page(&buffer, MR_ROLE_SOURCE, "kafka", MR_DOCS_MARKDOWN);
    assert_non_null(strstr(text, "# kafka (source)\n"));
    assert_non_null(strstr(text, "\n## Options\n"));
    assert_non_null(strstr(text, "| `start` | earliest \\| latest, default earliest | "));
    assert_non_null(strstr(text, "| `password` | string, secret | "));
    assert_non_null(strstr(text, "Exactly once."));
    text = page(&buffer, MR_ROLE_SINK, "stdout", MR_DOCS_MARKDOWN);
    assert_non_null(strstr(text, "None: a crash may lose"));
    assert_null(strstr(text, "## Outputs"));
    text = page(&buffer, MR_ROLE_OPERATOR, "branch", MR_DOCS_MARKDOWN);
    assert_non_null(strstr(text, "and `rest`"));
    assert_non_null(strstr(text, "`branches[].where`"));
    mr_buffer_deinit(&buffer);
}

static void lists_and_the_file_have_pages(void **state)
{
    (void)state;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 1 << 20);
    assert_int_equal(mr_docs_list(&mr_test_catalogue, MR_DOCS_TEXT, &buffer), MR_OK);
    assert_int_equal(mr_docs_file(MR_DOCS_MARKDOWN, &buffer), MR_OK);
    assert_int_equal(mr_buffer_append(&buffer, "", 1), MR_OK);
    const char *text = (const char *)buffer.data;
    for (uint32_t i = 0; i < mr_test_catalogue.types_count; i++)
        assert_non_null(strstr(text, mr_test_catalogue.types[i]->name));
    assert_non_null(strstr(text, "`spec.commit_interval`"));
    mr_buffer_deinit(&buffer);
}

static void aggregate_functions_have_a_page(void **state)
{
    (void)state;
    static const struct mr_aggregate_parameter parameters[] = {
        {.name = "q", .maximum = 1, .required = true, .help = "The share."},
        {.name = "bytes",
         .minimum = 8,
         .maximum = 100000000,
         .is_integer = true,
         .default_number = 64,
         .help = "a|b"}};
    static const struct mr_aggregate_spec share = {.name = "share",
                                                   .help = "A share.",
                                                   .argument_names = {"x", "y"},
                                                   .arguments_min = 1,
                                                   .arguments_max = 2,
                                                   .parameters = parameters,
                                                   .parameters_count = 2,
                                                   .result = MR_TYPE_DOUBLE};
    static const struct mr_aggregate_spec *const specs[] = {&share};
    const struct mr_catalogue catalogue = {.aggregates = specs, .aggregates_count = 1};
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 1 << 20);
    assert_int_equal(mr_docs_aggregates(&catalogue, MR_DOCS_TEXT, &buffer), MR_OK);
    assert_int_equal(mr_docs_aggregates(&catalogue, MR_DOCS_MARKDOWN, &buffer), MR_OK);
    assert_int_equal(mr_buffer_append(&buffer, "", 1), MR_OK);
    static const char *const parts[] = {
        "\nshare(x[, y], q[, bytes])\n  A share.\n  Type of the result: double.\n",
        "    q (number, required, 0 to 1)\n        The share.\n",
        "    bytes (integer, default 64, 8 to 100000000)\n",
        "\n## `share(x[, y], q[, bytes])`\n\nA share.\n\nType of the result: double.\n\n| param",
        "| `bytes` | integer, default 64, 8 to 100000000 | a\\|b |\n",
    };
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        print_message("%s\n", parts[i]);
        assert_non_null(strstr((char *)buffer.data, parts[i]));
    }
    mr_buffer_deinit(&buffer);
}

static void a_full_buffer_is_told(void **state)
{
    (void)state;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 100);
    assert_int_equal(mr_docs_list(&mr_test_catalogue, MR_DOCS_TEXT, &buffer), MR_LIMIT);
    mr_buffer_deinit(&buffer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_text_page_holds_everything),
        cmocka_unit_test(text_is_folded),
        cmocka_unit_test(markdown_has_tables),
        cmocka_unit_test(lists_and_the_file_have_pages),
        cmocka_unit_test(aggregate_functions_have_a_page),
        cmocka_unit_test(a_full_buffer_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
