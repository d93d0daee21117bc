/* tests/unit/record/test_schema.c — schema.c: type texts and the types of paths. */
#include "record/schema.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct mr_arena arena;

static int setup(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&arena, 4096);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    return 0;
}

static void type_texts_round_trip(void **state)
{
    MR_UNUSED(state);
    static const char *const texts[] = {"any",
                                        "bool",
                                        "int",
                                        "uint",
                                        "double",
                                        "string",
                                        "bytes",
                                        "timestamp",
                                        "duration",
                                        "list(int)",
                                        "list(list(string))"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(texts); i++) {
        const struct mr_type *type = mr_type_parse(&arena, texts[i]);
        assert_non_null(type);
        assert_string_equal(mr_type_name(&arena, type), texts[i]);
    }
    assert_string_equal(mr_type_name(&arena, mr_type_parse(&arena, " list( int ) ")), "list(int)");
}

static void other_texts_are_refused(void **state)
{
    MR_UNUSED(state);
    static const char *const texts[] = {"",        "integer",  "Int",       "list",     "list()",
                                        "list(x)", "list(int", "list int)", "lis(int)", "{x: int}"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(texts); i++)
        assert_null(mr_type_parse(&arena, texts[i]));
    /* Nesting is bounded. */
    char deep[1024] = "";
    for (int i = 0; i < 100; i++)
        memcpy(deep + 5 * i, "list(", 5);
    memcpy(deep + 500, "int", 3);
    memset(deep + 503, ')', 100);
    assert_null(mr_type_parse(&arena, deep));
}

static int find(const struct mr_schema *schema, const char *text)
{
    struct mr_path path;
    struct mr_error error;
    assert_int_equal(mr_path_parse(&arena, text, &path, &error), MR_OK);
    const struct mr_type *type = mr_schema_find(schema, &path);
    return type == NULL ? -1 : (int)type->code;
}

static void paths_find_their_types(void **state)
{
    MR_UNUSED(state);
    const struct mr_type *number = mr_type_parse(&arena, "double");
    struct mr_schema_field position_fields[] = {{"x", number}};
    struct mr_type position = {
        .code = MR_TYPE_OBJECT, .fields = position_fields, .fields_count = 1};
    struct mr_schema_field fields[] = {
        {"id", mr_type_parse(&arena, "int")},
        {"tags", mr_type_parse(&arena, "list(string)")},
        {"pos", &position},
        {"free", mr_type_parse(&arena, "any")},
    };
    struct mr_schema schema = {
        .root = {.code = MR_TYPE_OBJECT, .fields = fields, .fields_count = 4}};
    assert_int_equal(find(&schema, "id"), MR_TYPE_INT);
    assert_int_equal(find(&schema, "tags"), MR_TYPE_LIST);
    assert_int_equal(find(&schema, "tags[3]"), MR_TYPE_STRING);
    assert_int_equal(find(&schema, "pos"), MR_TYPE_OBJECT);
    assert_int_equal(find(&schema, "pos.x"), MR_TYPE_DOUBLE);
    assert_int_equal(find(&schema, "pos.y"), MR_TYPE_ANY);
    assert_int_equal(find(&schema, "other.a[0]"), MR_TYPE_ANY);
    assert_int_equal(find(&schema, "free.a[0]"), MR_TYPE_ANY);
    assert_true(find(&schema, "id.x") == -1);
    assert_true(find(&schema, "id[0]") == -1);
    assert_true(find(&schema, "tags.x") == -1);
    assert_true(find(&schema, "pos[0]") == -1);
    assert_int_equal(find(NULL, "id.x"), MR_TYPE_ANY);
    assert_string_equal(mr_type_name(&arena, &schema.root),
                        "{id: int, tags: list(string), pos: {x: double}, free: any}");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(type_texts_round_trip),
        cmocka_unit_test(other_texts_are_refused),
        cmocka_unit_test(paths_find_their_types),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
