/* The table of connectors, and that its check finds what it is for. */
#include "connectors/registry.h"
#include "tests/unit/connectors/option_helpers.h"

static void test_registry_is_sound(void **state)
{
    MR_UNUSED(state);
    struct mr_error error = {0};
    if (mr_connector_registry_check(&error) != MR_OK)
        fail_msg("%s", error.message);
    uint32_t count = 0;
    const struct mr_connector_type *const *types = mr_connectors(&count);
    assert_int_equal(count, 5);
    assert_string_equal(mr_connector_name(types[0]), "file");
}

static void test_find_goes_by_role(void **state)
{
    MR_UNUSED(state);
    assert_ptr_equal(mr_connector_find(MR_ROLE_SOURCE, "file"), &mr_connector_file);
    assert_ptr_equal(mr_connector_find(MR_ROLE_SINK, "file"), &mr_connector_file);
    assert_ptr_equal(mr_connector_find(MR_ROLE_SINK, "stdout"), &mr_connector_stdout);
    assert_null(mr_connector_find(MR_ROLE_SOURCE, "stdout"));
    assert_null(mr_connector_find(MR_ROLE_SINK, "memory"));
    assert_null(mr_connector_find(MR_ROLE_OPERATOR, "file"));
    assert_null(mr_connector_find(MR_ROLE_SOURCE, "nothing"));
    const struct mr_connector_type *kafka = mr_connector_find(MR_ROLE_SOURCE, "kafka");
    assert_non_null(kafka);
    assert_null(kafka->source);
    assert_true((kafka->source_spec->flags & MR_TYPE_LOG) != 0);
}

static void expect_broken(const struct mr_connector_type *type)
{
    struct mr_error error = {0};
    assert_int_equal(mr_connector_table_check(&type, 1, &error), MR_INTERNAL);
    assert_true(strlen(error.message) > 0);
}

static void test_check_finds_faults(void **state)
{
    MR_UNUSED(state);
    struct mr_error error;
    const struct mr_connector_type *sound = &mr_connector_stdout;
    assert_int_equal(mr_connector_table_check(&sound, 1, &error), MR_OK);
    const struct mr_connector_type *twice[] = {&mr_connector_stdout, &mr_connector_stdout};
    assert_int_equal(mr_connector_table_check(twice, 2, &error), MR_INTERNAL);
    const struct mr_connector_type *unsorted[] = {&mr_connector_stdout, &mr_connector_file};
    assert_int_equal(mr_connector_table_check(unsorted, 2, &error), MR_INTERNAL);

    struct mr_connector_type type = {0};
    expect_broken(&type);
    type = mr_connector_stdout;
    type.sink = NULL;
    expect_broken(&type);
    struct mr_sink_ops ops = *mr_connector_stdout.sink;
    ops.committed = NULL;
    type.sink = &ops;
    expect_broken(&type);
    struct mr_type_spec spec = *mr_connector_stdout.sink_spec;
    type = mr_connector_stdout;
    type.sink_spec = &spec;
    spec.summary = "no sentence";
    expect_broken(&type);
    spec = *mr_connector_stdout.sink_spec;
    spec.role = MR_ROLE_SOURCE;
    expect_broken(&type);
    struct mr_option_spec options[] = {{.name = "a", .type = MR_OPTION_CHOICE, .help = "Help."},
                                       {.name = NULL}};
    spec = *mr_connector_stdout.sink_spec;
    spec.options = options;
    expect_broken(&type);
    options[0].type = MR_OPTION_STRING;
    assert_int_equal(
        mr_connector_table_check(&(const struct mr_connector_type *){&type}, 1, &error), MR_OK);
    options[0].flags = MR_OPTION_REQUIRED;
    options[0].default_text = "x";
    expect_broken(&type);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry_is_sound),
        cmocka_unit_test(test_find_goes_by_role),
        cmocka_unit_test(test_check_finds_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
