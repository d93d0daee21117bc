/* tests/unit/topology/test_json_text.c — JSON text of strings, numbers and nodes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "topology/json_text.h"

static const char *string_of(struct mr_buffer *buffer, const char *text)
{
    mr_buffer_clear(buffer);
    assert_int_equal(mr_json_text_string(buffer, text), MR_OK);
    assert_int_equal(mr_buffer_append(buffer, "", 1), MR_OK);
    return (const char *)buffer->data;
}

static void strings_are_escaped(void **state)
{
    (void)state;
    struct mr_buffer buffer;
    mr_buffer_init(&buffer, 1024);
    assert_string_equal(string_of(&buffer, ""), "\"\"");
    assert_string_equal(string_of(&buffer, "a\"b\\c/"), "\"a\\\"b\\\\c/\"");
    assert_string_equal(string_of(&buffer, "\n\t\x01\x7f"), "\"\\n\\u0009\\u0001\x7f\"");
    assert_string_equal(string_of(&buffer, "\xC3\xA9"), "\"\xC3\xA9\"");
    mr_buffer_deinit(&buffer);
}

static void numbers_become_those_of_json(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected; /* NULL: JSON has no such number */
    } cases[] = {
        {"5", "5"},
        {"-5", "-5"},
        {"+5", "5"},
        {".5", "0.5"},
        {"-.5", "-0.5"},
        {"5.", "5"},
        {"1e9", "1e9"},
        {"5.e3", "5e3"},
        {"00.5", "0.5"},
        {"0x1F", "31"},
        {"0o17", "15"},
        {"0", "0"},
        {"-0", "-0"},
        {".inf", NULL},
        {"-.Inf", NULL},
        {".nan", NULL},
        {"0xffffffffffffffff", "18446744073709551615"},
        {"0x10000000000000000", NULL},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char output[64];
        const char *text = mr_json_text_number(cases[i].text, output, sizeof(output));
        if (cases[i].expected == NULL)
            assert_null(text);
        else
            assert_string_equal(text, cases[i].expected);
    }
}

static void nodes_become_compact_json(void **state)
{
    (void)state;
    struct mr_arena arena;
    struct mr_report report;
    struct mr_buffer buffer;
    mr_arena_init(&arena, 4096);
    mr_report_init(&report, &arena, "x.yaml");
    mr_buffer_init(&buffer, 1024);
    static const char yaml[] = "{b: [1, .5, 'x', TRUE, null], a: {}, c: []}";
    const struct mr_yaml_node *node = mr_yaml_parse(mr_slice_text(yaml), &arena, &report);
    const struct mr_yaml_node *culprit = NULL;
    assert_int_equal(mr_json_text_node(&buffer, node, &culprit), MR_OK);
    assert_true(mr_slice_equal(mr_buffer_view(&buffer),
                               mr_slice_text("{\"b\":[1,0.5,\"x\",true,null],\"a\":{},\"c\":[]}")));
    node = mr_yaml_parse(mr_slice_text("[1, [.inf]]"), &arena, &report);
    assert_int_equal(mr_json_text_node(&buffer, node, &culprit), MR_INVALID);
    assert_string_equal(culprit->text, ".inf");
    mr_buffer_deinit(&buffer);
    mr_buffer_init(&buffer, 4);
    node = mr_yaml_parse(mr_slice_text("[12345]"), &arena, &report);
    assert_int_equal(mr_json_text_node(&buffer, node, &culprit), MR_LIMIT);
    mr_buffer_deinit(&buffer);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(numbers_become_those_of_json),
        cmocka_unit_test(nodes_become_compact_json),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
