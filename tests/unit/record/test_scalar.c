/* tests/unit/record/test_scalar.c — scalar.c: texts of every declared type, and back. */
#include "record/scalar.h"

#include "tests/unit/formats/fixture.h"

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

static void expect_text(struct mr_value value, enum mr_kind kind, const char *text,
                        const char *expected)
{
    if (value.kind != kind)
        fail_msg("'%s' is of kind %s", text, mr_kind_name((enum mr_kind)value.kind));
    struct mr_slice written =
        kind == MR_KIND_ERROR ? mr_value_text(value) : mr_scalar_to_text(&arena, value);
    if (!mr_slice_equal(written, mr_slice_text(expected)))
        fail_msg("'%s' is %.*s, expected %s", text, (int)written.size, (const char *)written.data,
                 expected);
}

static void texts_become_their_declared_type(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *type;
        const char *text;
        enum mr_kind kind;
        const char *expected;
    } cases[] = {
        {"any", "12", MR_KIND_STRING, "12"},
        {"string", "", MR_KIND_STRING, ""},
        {"int", "-12", MR_KIND_INT, "-12"},
        {"uint", "18446744073709551615", MR_KIND_UINT, "18446744073709551615"},
        {"double", "1e3", MR_KIND_DOUBLE, "1000"},
        {"bool", "true", MR_KIND_BOOL, "true"},
        {"bool", "false", MR_KIND_BOOL, "false"},
        {"bytes", "Zm9v", MR_KIND_BYTES, "Zm9v"},
        {"timestamp", "1769596200250", MR_KIND_TIMESTAMP, "2026-01-28T10:30:00.250Z"},
        {"timestamp", "0.5", MR_KIND_TIMESTAMP, "1970-01-01T00:00:00.000500Z"},
        {"timestamp", "2026-01-28T11:30:00.25+01:00", MR_KIND_TIMESTAMP,
         "2026-01-28T10:30:00.250Z"},
        {"duration", "1.5s", MR_KIND_DURATION, "1.5s"},
        {"duration", "-0.000000001s", MR_KIND_DURATION, "-0.000000001s"},
        {"duration", "0s", MR_KIND_DURATION, "0s"},
        {"int", "x", MR_KIND_ERROR, "declared int, but it is a text that is not a number"},
        {"int", "1 ", MR_KIND_ERROR, "declared int, but it is a text that is not a number"},
        {"int", "", MR_KIND_ERROR, "declared int, but it is a text that is not a number"},
        {"bool", "TRUE", MR_KIND_ERROR, "declared bool, but it is neither \"true\" nor \"false\""},
        {"timestamp", "yesterday", MR_KIND_ERROR,
         "declared timestamp, but it is a text that is not an RFC 3339 time"},
        {"timestamp", "9223372036855", MR_KIND_ERROR,
         "declared timestamp, but it is a number of milliseconds outside the years 1678 to 2261"},
        {"timestamp", "3000-01-01T00:00:00Z", MR_KIND_ERROR,
         "declared timestamp, but it is a time outside the years 1678 to 2261"},
        {"duration", "9223372037s", MR_KIND_ERROR,
         "declared duration, but it is a duration above 292 years"},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++)
        expect_text(mr_scalar_from_text(&arena, mr_slice_text(cases[i].text),
                                        mr_type_parse(&arena, cases[i].type)),
                    cases[i].kind, cases[i].text, cases[i].expected);
}

static void durations_have_one_form(void **state)
{
    MR_UNUSED(state);
    static const char *const bad[] = {"",     "s",   "1",   "1.5",          "1.5m",
                                      ".5s",  "1.s", "-s",  "--1s",         "1.-5s",
                                      "1e3s", "+1s", "1 s", "1.0000000001s"};
    const struct mr_type *type = mr_type_parse(&arena, "duration");
    for (size_t i = 0; i < MR_ARRAY_COUNT(bad); i++) {
        struct mr_value value = mr_scalar_from_string(&arena, mr_slice_text(bad[i]), type);
        if (value.kind != MR_KIND_ERROR)
            fail_msg("'%s' is accepted", bad[i]);
    }
    struct mr_value value = mr_scalar_from_string(&arena, mr_slice_text("-1.25s"), type);
    assert_int_equal(value.kind, MR_KIND_DURATION);
    assert_true(value.integer == -1250000000);
}

static void base64_has_two_alphabets_and_optional_padding(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        const char *bytes; /* NULL: refused */
    } cases[] = {
        {"", ""},
        {"Zg==", "f"},
        {"Zg", "f"},
        {"Zm8=", "fo"},
        {"Zm8", "fo"},
        {"Zm9v", "foo"},
        {"Zm9vYg==", "foob"},
        {"//79", "\xFF\xFE\xFD"},
        {"__79", "\xFF\xFE\xFD"},
        {"Z", NULL},
        {"Zm9vZ", NULL},
        {"Zg=", NULL},
        {"====", NULL},
        {"Z===", NULL},
        {"Zm 9v", NULL},
        {"Zm9v=", NULL},
        {"=Zg=", NULL},
    };
    const struct mr_type *type = mr_type_parse(&arena, "bytes");
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_value value = mr_scalar_from_string(&arena, mr_slice_text(cases[i].text), type);
        bool expected = cases[i].bytes != NULL;
        if ((value.kind == MR_KIND_BYTES) != expected ||
            (expected && !mr_slice_equal(mr_value_text(value), mr_slice_text(cases[i].bytes))))
            fail_msg("'%s' is %s", cases[i].text, mr_kind_name((enum mr_kind)value.kind));
    }
}

static void strings_of_numbers_are_no_numbers(void **state)
{
    MR_UNUSED(state);
    struct mr_value value =
        mr_scalar_from_string(&arena, mr_slice_text("1"), mr_type_parse(&arena, "int"));
    expect_text(value, MR_KIND_ERROR, "1", "declared int, but it is a string");
}

static void values_without_a_text(void **state)
{
    MR_UNUSED(state);
    assert_null(mr_scalar_to_text(&arena, mr_value_double(__builtin_nan(""))).data);
    assert_null(mr_scalar_to_text(&arena, (struct mr_value){.kind = MR_KIND_ABSENT}).data);
    assert_non_null(mr_scalar_to_text(&arena, mr_value_string(mr_slice_from(NULL, 0))).data);
    assert_non_null(mr_scalar_to_text(&arena, mr_value_bytes(mr_slice_from(NULL, 0))).data);
    struct mr_value item = mr_value_int(1);
    struct mr_value list = {.kind = MR_KIND_LIST, .size = 1, .items = &item};
    assert_true(mr_slice_equal(mr_scalar_to_text(&arena, list), mr_slice_text("[1]")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_their_declared_type),
        cmocka_unit_test(durations_have_one_form),
        cmocka_unit_test(base64_has_two_alphabets_and_optional_padding),
        cmocka_unit_test(strings_of_numbers_are_no_numbers),
        cmocka_unit_test(values_without_a_text),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
