/* tests/unit/topology/test_cel_types.c — types: joins, names, and the way to schemas and back. */
#include "tests/support/expression_fixture.h"

static void test_joins(void **state)
{
    struct expression_fixture *fixture = *state;
    struct mr_arena *arena = &fixture->arena;
    const struct mr_cel_type *integer = mr_cel_type_simple(MR_KIND_INT);
    const struct mr_cel_type *text = mr_cel_type_simple(MR_KIND_STRING);
    const struct mr_cel_type *unknown = mr_cel_type_simple(MR_CEL_FREE);
    const struct mr_cel_type *list = mr_cel_type_list(arena, integer);
    assert_ptr_equal(mr_cel_type_join(arena, integer, integer), integer);
    assert_null(mr_cel_type_join(arena, integer, text));
    assert_ptr_equal(mr_cel_type_join(arena, unknown, text), text);
    assert_true(
        mr_cel_type_is_dyn(mr_cel_type_join(arena, text, mr_cel_type_simple(MR_KIND_NULL))));
    assert_null(mr_cel_type_join(arena, list, mr_cel_type_list(arena, text)));
    assert_string_equal(
        mr_cel_type_text(arena, mr_cel_type_join(arena, list, mr_cel_type_list(arena, unknown))),
        "list(int)");
    assert_null(mr_cel_type_join(arena, mr_cel_type_map(arena, text, integer),
                                 mr_cel_type_map(arena, integer, integer)));
    assert_string_equal(mr_cel_type_text(arena, mr_cel_type_map(arena, text, list)),
                        "map(string, list(int))");
}

static void test_schemas(void **state)
{
    struct expression_fixture *fixture = *state;
    struct mr_arena *arena = &fixture->arena;
    const struct mr_type *list = mr_type_parse(arena, "list(list(double))");
    const struct mr_cel_type *type = mr_cel_type_from_schema(arena, list);
    assert_string_equal(mr_cel_type_text(arena, type), "list(list(double))");
    const struct mr_type *back = mr_cel_type_to_schema(arena, type);
    assert_int_equal(back->code, MR_TYPE_LIST);
    assert_int_equal(back->element->element->code, MR_TYPE_DOUBLE);
    assert_true(mr_cel_type_is_dyn(mr_cel_type_from_schema(arena, NULL)));
    assert_int_equal(mr_cel_type_to_schema(arena, mr_cel_type_simple(MR_KIND_NULL))->code,
                     MR_TYPE_ANY);
    const struct mr_type number = {.code = MR_TYPE_DOUBLE};
    const struct mr_schema_field field = {.name = "x", .type = &number};
    const struct mr_type object = {.code = MR_TYPE_OBJECT, .fields = &field, .fields_count = 1};
    const struct mr_cel_type *map = mr_cel_type_from_schema(arena, &object);
    assert_int_equal(map->kind, MR_KIND_MAP);
    assert_ptr_equal(mr_cel_type_to_schema(arena, map), &object);
}

static void test_constants(void **state)
{
    struct expression_fixture *fixture = *state;
    struct mr_value items[] = {mr_value_int(1), mr_value_double(2)};
    struct mr_value list = {.kind = MR_KIND_LIST, .size = 2, .items = items};
    assert_string_equal(mr_cel_type_text(&fixture->arena, mr_cel_type_of(&fixture->arena, list)),
                        "list(dyn)");
    list.size = 1;
    assert_string_equal(mr_cel_type_text(&fixture->arena, mr_cel_type_of(&fixture->arena, list)),
                        "list(int)");
    assert_string_equal(mr_cel_kind_text(MR_KIND_NULL), "null_type");
    assert_null(mr_cel_kind_text(MR_KIND_JSON));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_joins),
        cmocka_unit_test(test_schemas),
        cmocka_unit_test(test_constants),
    };
    return cmocka_run_group_tests(tests, expression_setup, expression_teardown);
}
