/* tests/unit/record/test_json_value.c — json_value.c: the public test suite of JSON parsers,
 * jansson as a judge of accepting and of values, declared types, limits. */
#include "record/json_value.h"

#include "tests/unit/formats/fixture.h"

#include <dirent.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>

static struct mr_arena arena;

static int setup(void **state)
{
    MR_UNUSED(state);
    mr_arena_init(&arena, 1 << 16);
    return 0;
}

static int teardown(void **state)
{
    MR_UNUSED(state);
    mr_arena_deinit(&arena);
    return 0;
}

/* Parse a copy of just its size: reading behind the end is seen by the address sanitizer. */
static enum mr_status parse(struct mr_slice text, const char *type, struct mr_value *value,
                            struct mr_error *error)
{
    const struct mr_type *declared = type != NULL ? mr_type_parse(&arena, type) : NULL;
    uint8_t *copy = mr_memory_new(text.size, 1);
    if (text.size > 0)
        memcpy(copy, text.data, text.size);
    enum mr_status status =
        mr_json_parse(mr_slice_from(copy, text.size), declared, &arena, value, error);
    if (status == MR_OK)
        *value = mr_value_copy(&arena, *value);
    mr_memory_free(copy);
    return status;
}

static void expect(const char *text, const char *type, const char *expected)
{
    struct mr_value value;
    struct mr_error error;
    if (parse(mr_slice_text(text), type, &value, &error) != MR_OK)
        fail_msg("%s: %s", text, error.message);
    struct mr_buffer output;
    mr_buffer_init(&output, 1 << 20);
    if (value.kind == MR_KIND_ERROR)
        assert_int_equal(mr_buffer_append(&output, value.text, value.size), MR_OK);
    else if (mr_json_append_value(&output, value, &error) != MR_OK)
        fail_msg("%s", error.message);
    if (!mr_slice_equal(mr_buffer_view(&output), mr_slice_text(expected)))
        fail_msg("%s as %s is %.*s, expected %s", text, type != NULL ? type : "any",
                 (int)output.size, (const char *)output.data, expected);
    mr_buffer_deinit(&output);
}

static void expect_refused(const char *text, const char *message)
{
    struct mr_value value;
    struct mr_error error;
    if (parse(mr_slice_text(text), NULL, &value, &error) != MR_INVALID)
        fail_msg("%s is accepted", text);
    if (strcmp(error.message, message) != 0)
        fail_msg("%s: %s", text, error.message);
}

static void values_are_written_as_they_were_read(void **state)
{
    MR_UNUSED(state);
    expect(" {\"a\" : [1, 2.50, -0, true, false, null], \"b\":{}, \"c\":[] } ", NULL,
           "{\"a\":[1,2.5,-0.0,true,false,null],\"b\":{},\"c\":[]}");
    expect("\"\\u0041\\ud83d\\ude00\\n\\/\"", NULL, "\"A😀\\n/\"");
    expect("\"\\u0000\"", NULL, "\"\\u0000\"");
    expect("\"\"", NULL, "\"\"");
    expect("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]", NULL,
           "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20]");
    struct mr_value value;
    struct mr_error error;
    assert_int_equal(parse(mr_slice_text("1"), NULL, &value, &error), MR_OK);
    assert_int_equal(value.kind, MR_KIND_DOUBLE);
    assert_int_equal(value.flags, MR_VALUE_UNDECLARED);
    assert_int_equal(parse(mr_slice_text("1"), "double", &value, &error), MR_OK);
    assert_int_equal(value.flags, 0);
}

static void errors_are_sentences_with_the_place(void **state)
{
    MR_UNUSED(state);
    expect_refused("", "Invalid JSON: expected a value at byte 0, where the text ends.");
    expect_refused("{\"a\":1 \"b\"", "Invalid JSON: expected ',' or '}' at byte 7.");
    expect_refused("{\"a\" 1}", "Invalid JSON: expected ':' at byte 5.");
    expect_refused("{a:1}", "Invalid JSON: expected a name at byte 1.");
    expect_refused("{\"a\":1,}", "Invalid JSON: expected a name at byte 7.");
    expect_refused("[1 2]", "Invalid JSON: expected ',' or ']' at byte 3.");
    expect_refused("[1,]", "Invalid JSON: expected a value at byte 3.");
    expect_refused("1 2", "Invalid JSON: expected the end of the text at byte 2.");
    expect_refused("01", "Invalid JSON: expected the end of the text at byte 1.");
    expect_refused("-", "Invalid JSON: expected a digit at byte 1, where the text ends.");
    expect_refused("[1.]", "Invalid JSON: expected a digit at byte 3.");
    expect_refused("tru", "Invalid JSON: expected a value at byte 0.");
    expect_refused("\"ab", "Invalid JSON: expected '\"' at byte 3, where the text ends.");
    expect_refused("\"a\xFF\"", "Invalid JSON: expected valid UTF-8 at byte 2.");
    expect_refused("\"a\\x\"", "Invalid JSON: expected one of the escapes of JSON at byte 2.");
    expect_refused("\"\\ud800\"",
                   "Invalid JSON: expected \\u with four hexadecimal digits that name a code point "
                   "or a pair of surrogates at byte 1.");
    expect_refused("\xEF\xBB\xBF{}", "Invalid JSON: expected a value at byte 0.");
}

static void depth_is_bounded(void **state)
{
    MR_UNUSED(state);
    char text[1200];
    struct mr_value value;
    struct mr_error error;
    for (size_t depth = 127; depth <= 129; depth++) {
        memset(text, '[', depth);
        memset(text + depth, ']', depth);
        enum mr_status expected = depth <= 128 ? MR_OK : MR_INVALID;
        assert_int_equal(parse(mr_slice_from(text, 2 * depth), NULL, &value, &error), expected);
        /* Also where nobody reads: the text contradicts the type and is skipped. */
        assert_int_equal(parse(mr_slice_from(text, 2 * depth), "int", &value, &error), expected);
        for (size_t i = 0; i < depth; i++)
            memcpy(text + 4 * i, "{\"\":", 4);
        text[4 * depth] = '1';
        memset(text + 4 * depth + 1, '}', depth);
        assert_int_equal(parse(mr_slice_from(text, 5 * depth + 1), NULL, &value, &error), expected);
    }
}

static void names_are_united(void **state)
{
    MR_UNUSED(state);
    expect("{\"a\":1,\"b\":2,\"a\":3}", NULL, "{\"a\":3,\"b\":2}");
    expect("{\"a\":1,\"\\u0061\":2,\"a\":3}", NULL, "{\"a\":3}");
    /* More than what is compared pairwise. */
    struct mr_buffer text;
    struct mr_buffer expected;
    mr_buffer_init(&text, 1 << 20);
    mr_buffer_init(&expected, 1 << 20);
    assert_int_equal(mr_buffer_append_text(&text, "{\"x\":0"), MR_OK);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(mr_buffer_append_format(&text, ",\"k%d\":%d", i % 300, i), MR_OK);
    assert_int_equal(mr_buffer_append_text(&text, ",\"x\":1}"), MR_OK);
    assert_int_equal(mr_buffer_append_text(&expected, "{\"x\":1"), MR_OK);
    for (int i = 0; i < 300; i++)
        assert_int_equal(
            mr_buffer_append_format(&expected, ",\"k%d\":%d", i, i < 100 ? i + 900 : i + 600),
            MR_OK);
    assert_int_equal(mr_buffer_append(&expected, "}", 2), MR_OK);
    assert_int_equal(mr_buffer_append(&text, "", 1), MR_OK);
    expect((const char *)text.data, NULL, (const char *)expected.data);
    mr_buffer_deinit(&text);
    mr_buffer_deinit(&expected);
}

static void declared_types_hold(void **state)
{
    MR_UNUSED(state);
    expect("9007199254740993", "int", "9007199254740993");
    expect("-9223372036854775808", "int", "-9223372036854775808");
    expect("18446744073709551615", "uint", "18446744073709551615");
    expect("5.0", "int", "5");
    expect("-0", "uint", "0");
    expect("null", "int", "null");
    expect("[1,9007199254740993]", "list(int)", "[1,9007199254740993]");
    expect("\"Zm9v\"", "bytes", "\"Zm9v\"");
    expect("1.5", "int", "declared int, but it is a number with a fraction");
    expect("9223372036854775808", "int", "declared int, but it is a number out of its range");
    expect("1e300", "int", "declared int, but it is a number out of its range");
    expect("-1", "uint", "declared uint, but it is a number out of its range");
    expect("\"1\"", "int", "declared int, but it is a string");
    expect("true", "int", "declared int, but it is a bool");
    expect("[]", "int", "declared int, but it is an array");
    expect("{}", "list(int)", "declared list(int), but it is an object");
    expect("1", "bool", "declared bool, but it is a number");
    expect("1", "string", "declared string, but it is a number");
    expect("1e999", "double", "a number beyond the range of a double");
    expect("-1e999", NULL, "a number beyond the range of a double");
    /* A wrong element is an error at its place, not of the list. */
    struct mr_value value;
    struct mr_error error;
    assert_int_equal(parse(mr_slice_text("[1,\"x\"]"), "list(int)", &value, &error), MR_OK);
    assert_int_equal(value.kind, MR_KIND_LIST);
    assert_int_equal(value.items[0].kind, MR_KIND_INT);
    assert_int_equal(value.items[1].kind, MR_KIND_ERROR);
}

static void objects_have_types_by_field(void **state)
{
    MR_UNUSED(state);
    struct mr_schema_field fields[] = {{"n", mr_type_parse(&arena, "int")}};
    struct mr_type type = {.code = MR_TYPE_OBJECT, .fields = fields, .fields_count = 1};
    struct mr_value value;
    struct mr_error error;
    struct mr_slice text = mr_slice_text("{\"n\":9007199254740993,\"m\":1}");
    assert_int_equal(mr_json_parse(text, &type, &arena, &value, &error), MR_OK);
    assert_int_equal(value.entries[0].value.kind, MR_KIND_INT);
    assert_true(value.entries[0].value.integer == 9007199254740993);
    assert_int_equal(value.entries[1].value.flags, MR_VALUE_UNDECLARED);
}

/* ---- The public suite: y_ must be accepted, n_ refused, i_ may be either. ---- */

static struct mr_slice read_file(const char *folder, const char *name)
{
    const char *path = mr_arena_format(&arena, "%s/%s", folder, name);
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        fail_msg("%s does not open", path);
    uint8_t *data = mr_arena_take(&arena, 1 << 20);
    size_t size = fread(data, 1, 1 << 20, file);
    fclose(file);
    return mr_slice_from(data, size);
}

static void judge_file(const char *folder, const char *name)
{
    struct mr_slice text = read_file(folder, name);
    struct mr_value value;
    struct mr_error error;
    bool accepted = parse(text, NULL, &value, &error) == MR_OK;
    if ((name[0] == 'y' && !accepted) || (name[0] == 'n' && accepted))
        fail_msg("%s is %s", name, accepted ? "accepted" : error.message);
    struct fixture fixture;
    fixture_init(&fixture, &mr_format_json);
    fixture_field(&fixture, "a.b[0]", NULL);
    fixture_field(&fixture, "a", NULL);
    fixture_track(&fixture, "zzz");
    fixture_decode(&fixture, &text, 1);
    bool record = accepted && value.kind == MR_KIND_MAP;
    if (record != (fixture.errors_count == 0))
        fail_msg("the record decoder disagrees on %s", name);
    fixture_deinit(&fixture);
}

static void the_public_suite_is_judged_right(void **state)
{
    MR_UNUSED(state);
    char folder[900];
    const char *data = getenv("MILLRACE_TEST_DATA");
    snprintf(folder, sizeof(folder), "%s/json-test-suite/test_parsing",
             data != NULL ? data : MR_TEST_DATA);
    DIR *directory = opendir(folder);
    if (directory == NULL) {
        print_message("skipped: no test data at %s\n", folder);
        skip();
    }
    uint32_t count = 0;
    for (struct dirent *entry; (entry = readdir(directory)) != NULL;) {
        if (strstr(entry->d_name, ".json") == NULL)
            continue;
        judge_file(folder, entry->d_name);
        mr_arena_reset(&arena);
        count++;
    }
    closedir(directory);
    assert_true(count > 300);
}

/* ---- jansson as the judge. ---- */

static bool same_as_jansson(struct mr_value value, const json_t *other)
{
    switch (json_typeof(other)) {
    case JSON_NULL:
        return value.kind == MR_KIND_NULL;
    case JSON_TRUE:
    case JSON_FALSE:
        return value.kind == MR_KIND_BOOL && value.boolean == (json_typeof(other) == JSON_TRUE);
    case JSON_INTEGER:
        return false; /* never: decoded as reals */
    case JSON_REAL:
        return value.kind == MR_KIND_DOUBLE && value.number == json_real_value(other) &&
               signbit(value.number) == signbit(json_real_value(other));
    case JSON_STRING:
        return value.kind == MR_KIND_STRING &&
               mr_slice_equal(mr_value_text(value),
                              mr_slice_from(json_string_value(other), json_string_length(other)));
    case JSON_ARRAY:
        if (value.kind != MR_KIND_LIST || value.size != json_array_size(other))
            return false;
        for (uint32_t i = 0; i < value.size; i++) {
            if (!same_as_jansson(value.items[i], json_array_get(other, i)))
                return false;
        }
        return true;
    case JSON_OBJECT:
        break;
    }
    if (value.kind != MR_KIND_MAP || value.size != json_object_size(other))
        return false;
    for (uint32_t i = 0; i < value.size; i++) {
        struct mr_value key = value.entries[i].key;
        char name[8192];
        snprintf(name, sizeof(name), "%.*s", (int)key.size, (const char *)key.text);
        const json_t *member = json_object_get(other, name);
        if (member == NULL || !same_as_jansson(value.entries[i].value, member))
            return false;
    }
    return true;
}

static void jansson_agrees_on_random_documents(void **state)
{
    MR_UNUSED(state);
    static struct generator generator = {.state = 20260101};
    uint32_t accepted_count = 0;
    uint32_t refused_count = 0;
    for (uint32_t i = 0; i < 60000; i++) {
        generator.size = 0;
        generator.text[0] = '\0';
        generator_value(&generator, 0);
        if (i % 2 == 1)
            generator_damage(&generator);
        struct mr_slice text = generator_view(&generator);
        json_error_t json_error;
        json_t *other =
            json_loadb(generator.text, generator.size,
                       JSON_DECODE_ANY | JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL, &json_error);
        struct mr_value value;
        struct mr_error error;
        bool accepted = parse(text, NULL, &value, &error) == MR_OK;
        /* A number beyond the doubles is refused by jansson and an ERROR cell here. */
        bool beyond = strstr(json_error.text, "real number overflow") != NULL;
        if (accepted != (other != NULL) && !(accepted && other == NULL && beyond))
            fail_msg("%s: %s, jansson says %s", generator.text,
                     accepted ? "accepted" : error.message,
                     other != NULL ? "accepted" : json_error.text);
        if (accepted && other != NULL && !same_as_jansson(value, other))
            fail_msg("%s is read differently", generator.text);
        accepted_count += accepted;
        refused_count += !accepted;
        json_decref(other);
        mr_arena_reset(&arena);
    }
    assert_true(accepted_count > 20000);
    assert_true(refused_count > 10000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_written_as_they_were_read),
        cmocka_unit_test(errors_are_sentences_with_the_place),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(names_are_united),
        cmocka_unit_test(declared_types_hold),
        cmocka_unit_test(objects_have_types_by_field),
        cmocka_unit_test(the_public_suite_is_judged_right),
        cmocka_unit_test(jansson_agrees_on_random_documents),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
