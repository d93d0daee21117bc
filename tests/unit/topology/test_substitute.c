/* tests/unit/topology/test_substitute.c — ${...} in scalars. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/limits.h"
#include "base/memory.h"
#include "topology/substitute.h"

struct filled {
    struct mr_arena arena;
    struct mr_report report;
    struct mr_yaml_node *root;
};

static const char *lookup(void *argument, const char *name)
{
    (void)argument;
    if (strcmp(name, "FIVE") == 0)
        return "5";
    if (strcmp(name, "BAD") == 0)
        return "\xff";
    return strcmp(name, "NESTED") == 0 ? "${FIVE}" : NULL;
}

static void fill(struct filled *filled, const char *text)
{
    struct mr_substitution substitution = {.lookup = lookup};
    mr_arena_init(&filled->arena, 4096);
    mr_report_init(&filled->report, &filled->arena, "x.yaml");
    filled->root = mr_yaml_parse(mr_slice_text(text), &filled->arena, &filled->report);
    assert_non_null(filled->root);
    const struct mr_yaml_pair *values =
        filled->root->kind == MR_YAML_MAPPING ? mr_yaml_find(filled->root, "values") : NULL;
    mr_substitute(filled->root, values == NULL ? NULL : values->value, &substitution,
                  &filled->arena, &filled->report);
}

static void names_and_defaults_are_filled(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *expected;
    } cases[] = {
        {"['${FIVE}']", "5"},
        {"['a${FIVE}b${FIVE}']", "a5b5"},
        {"['${NONE:x y}']", "x y"},
        {"['${NONE:}']", ""},
        {"['${NONE:a:b}']", "a:b"},
        {"['${FIVE:6}']", "5"},
        {"['$${FIVE}']", "${FIVE}"},
        {"['$${${FIVE}']", "${5"},
        {"['$FIVE $ {}']", "$FIVE $ {}"},
        {"['${NESTED}']", "${FIVE}"}, /* a value is not filled again */
        {"['${file:/a/b} ${secret:c/d}']", "${file:/a/b} ${secret:c/d}"},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct filled filled;
        fill(&filled, cases[i].text);
        assert_int_equal(filled.report.errors_count, 0);
        assert_string_equal(filled.root->items[0]->text, cases[i].expected);
        mr_arena_deinit(&filled.arena);
    }
}

static void a_whole_substitution_fits_text_and_number(void **state)
{
    (void)state;
    struct filled filled;
    fill(&filled, "['${FIVE}', 'x${FIVE}', plain, '${file:x}']");
    assert_true(filled.root->items[0]->substituted);
    assert_int_equal(filled.root->items[0]->scalar, MR_YAML_INTEGER);
    assert_false(filled.root->items[1]->substituted);
    assert_int_equal(filled.root->items[1]->scalar, MR_YAML_STRING);
    assert_false(filled.root->items[2]->substituted);
    assert_false(filled.root->items[3]->substituted);
    mr_arena_deinit(&filled.arena);
}

static void values_come_after_the_environment_and_stay_as_written(void **state)
{
    (void)state;
    struct filled filled;
    fill(&filled, "values: {FIVE: '6', SEVEN: '7', RAW: '${FIVE}'}\na: '${FIVE}${SEVEN}${RAW}'\n");
    assert_int_equal(filled.report.errors_count, 0);
    assert_string_equal(mr_yaml_find(filled.root, "a")->value->text, "57${FIVE}");
    mr_arena_deinit(&filled.arena);
}

static void faults_are_reported_once_and_mark_the_node(void **state)
{
    (void)state;
    static const char *const cases[] = {"['${NONE}']", "['${}']",      "['${1A}']",  "['${A-B:x}']",
                                        "['${OPEN']",  "['x ${BAD}']", "['${file}']"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct filled filled;
        fill(&filled, cases[i]);
        assert_int_equal(filled.report.errors_count, 1);
        assert_true(filled.root->items[0]->faulty);
        mr_arena_deinit(&filled.arena);
    }
}

static void the_filled_text_is_bounded(void **state)
{
    (void)state;
    size_t size = MR_LIMIT_EXPRESSION_BYTES;
    char *text = mr_memory_new(size + 64, 1);
    memcpy(text, "['", 2);
    memset(text + 2, 'x', size);
    strcat(text, "${FIVE}']");
    struct filled filled;
    fill(&filled, text);
    assert_int_equal(filled.report.errors_count, 1);
    mr_arena_deinit(&filled.arena);
    mr_memory_free(text);
}

static void secrets_are_recognised(void **state)
{
    (void)state;
    assert_true(mr_substitute_is_secret("${file:x}"));
    assert_true(mr_substitute_is_secret("a ${secret:x/y}"));
    assert_false(mr_substitute_is_secret("${FILE:x} file: secret:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_defaults_are_filled),
        cmocka_unit_test(a_whole_substitution_fits_text_and_number),
        cmocka_unit_test(values_come_after_the_environment_and_stay_as_written),
        cmocka_unit_test(faults_are_reported_once_and_mark_the_node),
        cmocka_unit_test(the_filled_text_is_bounded),
        cmocka_unit_test(secrets_are_recognised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
