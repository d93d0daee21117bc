/* tests/unit/topology/test_common_options.c — which common options a type takes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/assert.h"
#include "tests/support/topology_catalogue.h"
#include "topology/common_options.h"

static bool takes(enum mr_role role, const char *type, const char *option)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    const struct mr_type_spec *spec = mr_catalogue_find(&mr_test_catalogue, role, type);
    assert_non_null(spec);
    bool found =
        mr_option_specs_find(mr_common_options(&arena, &mr_test_catalogue, spec), option) >= 0;
    mr_arena_deinit(&arena);
    return found;
}

static void flags_decide(void **state)
{
    (void)state;
    static const struct {
        enum mr_role role;
        const char *type;
        const char *option;
        bool taken;
    } cases[] = {
        {MR_ROLE_SOURCE, "kafka", "format", true},
        {MR_ROLE_SOURCE, "kafka", "csv", true},
        {MR_ROLE_SOURCE, "kafka", "json", false}, /* the format has no options */
        {MR_ROLE_SOURCE, "generate.sequence", "format", false},
        {MR_ROLE_SOURCE, "generate.sequence", "schema", true},
        {MR_ROLE_SOURCE, "metrics", "format", false},
        {MR_ROLE_SOURCE, "kafka", "from", false},
        {MR_ROLE_OPERATOR, "filter", "from", true},
        {MR_ROLE_OPERATOR, "filter", "key", false},
        {MR_ROLE_OPERATOR, "filter", "state", false},
        {MR_ROLE_OPERATOR, "filter", "as", false},
        {MR_ROLE_OPERATOR, "filter", "on_error", true},
        {MR_ROLE_OPERATOR, "key_by", "key", true},
        {MR_ROLE_OPERATOR, "key_by", "scope", false},
        {MR_ROLE_OPERATOR, "detect.zscore", "key", true},
        {MR_ROLE_OPERATOR, "detect.zscore", "scope", true},
        {MR_ROLE_OPERATOR, "detect.zscore", "as", true},
        {MR_ROLE_OPERATOR, "detect.zscore", "state", true},
        {MR_ROLE_OPERATOR, "merge", "from", false},
        {MR_ROLE_OPERATOR, "merge", "inputs", true},
        {MR_ROLE_SINK, "kafka", "topic_from", true},
        {MR_ROLE_SINK, "kafka", "headers", true},
        {MR_ROLE_SINK, "stdout", "headers", false},
        {MR_ROLE_SINK, "stdout", "where", true},
        {MR_ROLE_SINK, "stdout", "format", true},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        print_message("%s %s\n", cases[i].type, cases[i].option);
        assert_int_equal(takes(cases[i].role, cases[i].type, cases[i].option), cases[i].taken);
    }
}

static void an_option_of_the_type_hides_the_common_one(void **state)
{
    (void)state;
    static const struct mr_option_spec own[] = {{.name = "where", .type = MR_OPTION_STRING},
                                                {.name = NULL}};
    struct mr_type_spec type = {.name = "x", .role = MR_ROLE_SINK, .options = own};
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    const struct mr_option_spec *common = mr_common_options(&arena, &mr_test_catalogue, &type);
    assert_true(mr_option_specs_find(common, "where") < 0);
    assert_true(mr_option_specs_find(common, "from") >= 0);
    mr_arena_deinit(&arena);
}

static void check_table(const struct mr_option_spec *specs)
{
    for (; specs != NULL && specs->name != NULL; specs++) {
        assert_non_null(specs->help);
        assert_true(strlen(specs->help) > 5);
        for (const struct mr_option_spec *other = specs + 1; other->name != NULL; other++)
            assert_string_not_equal(specs->name, other->name);
        check_table(specs->fields);
    }
}

/* DESIGN 2.1 rule 2: a key means the same, and has one type, in every entry of a list: sources are
 * tables, joins name them. */
static void names_have_help_and_one_type(void **state)
{
    (void)state;
    struct mr_arena arena;
    mr_arena_init(&arena, 4096);
    const struct mr_catalogue *catalogue = &mr_test_catalogue;
    for (uint32_t i = 0; i < catalogue->types_count; i++) {
        const struct mr_option_spec *left =
            mr_common_options(&arena, catalogue, catalogue->types[i]);
        bool own_csv = false;
        for (const struct mr_option_spec *spec = left; spec->name != NULL; spec++)
            own_csv = own_csv || strcmp(spec->name, "csv") == 0;
        assert_int_equal(own_csv, mr_common_has_format(catalogue->types[i]));
        for (uint32_t j = 0; j < i; j++) {
            if (catalogue->types[j]->role != catalogue->types[i]->role)
                continue;
            const struct mr_option_spec *right =
                mr_common_options(&arena, catalogue, catalogue->types[j]);
            for (const struct mr_option_spec *spec = left; spec->name != NULL; spec++) {
                int index = mr_option_specs_find(right, spec->name);
                if (index >= 0)
                    assert_int_equal(right[index].type, spec->type);
            }
        }
    }
    check_table(mr_file_options);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(flags_decide),
        cmocka_unit_test(an_option_of_the_type_hides_the_common_one),
        cmocka_unit_test(names_have_help_and_one_type),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
