/* tests/unit/record/test_json_write.c — json_write.c: texts of every kind, escapes, bounds,
 * refusals. */
#include "record/json_write.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

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

static void expect(struct mr_value value, const char *expected)
{
    size_t bound = mr_json_write_bound(value);
    uint8_t *text = mr_arena_take(&arena, bound + MR_JSON_WRITE_SLACK);
    uint8_t *end = mr_json_write(text, value);
    assert_non_null(end);
    if (!mr_slice_equal(mr_slice_from(text, (size_t)(end - text)), mr_slice_text(expected)))
        fail_msg("wrote %.*s, expected %s", (int)(end - text), (const char *)text, expected);
    assert_true((size_t)(end - text) <= bound);
    assert_null(mr_json_write_refusal(&arena, value));
}

static struct mr_value of_kind(enum mr_kind kind, int64_t integer)
{
    return (struct mr_value){.kind = (uint8_t)kind, .integer = integer};
}

static void scalars(void **state)
{
    MR_UNUSED(state);
    expect(mr_value_null(), "null");
    expect(mr_value_bool(true), "true");
    expect(mr_value_bool(false), "false");
    expect(mr_value_int(INT64_MIN), "-9223372036854775808");
    expect(mr_value_uint(UINT64_MAX), "18446744073709551615");
    expect(mr_value_double(-2.2250738585072014e-308), "-2.2250738585072014e-308");
    expect(mr_value_double(3), "3");
    struct mr_value json = mr_value_string(mr_slice_text("[1, 2]"));
    json.kind = MR_KIND_JSON;
    expect(json, "[1, 2]");
}

static void timestamps_and_durations(void **state)
{
    MR_UNUSED(state);
    expect(of_kind(MR_KIND_TIMESTAMP, 0), "\"1970-01-01T00:00:00Z\"");
    expect(of_kind(MR_KIND_TIMESTAMP, -1), "\"1969-12-31T23:59:59.999999999Z\"");
    expect(of_kind(MR_KIND_TIMESTAMP, 1769596200250000000), "\"2026-01-28T10:30:00.250Z\"");
    expect(of_kind(MR_KIND_TIMESTAMP, 1769596200250001000), "\"2026-01-28T10:30:00.250001Z\"");
    expect(of_kind(MR_KIND_TIMESTAMP, INT64_MIN), "\"1677-09-21T00:12:43.145224192Z\"");
    expect(of_kind(MR_KIND_TIMESTAMP, INT64_MAX), "\"2262-04-11T23:47:16.854775807Z\"");
    expect(of_kind(MR_KIND_DURATION, 1500000000), "\"1.5s\"");
    expect(of_kind(MR_KIND_DURATION, 0), "\"0s\"");
    expect(of_kind(MR_KIND_DURATION, -1), "\"-0.000000001s\"");
    expect(of_kind(MR_KIND_DURATION, 60000000000), "\"60s\"");
    expect(of_kind(MR_KIND_DURATION, INT64_MIN), "\"-9223372036.854775808s\"");
}

static void bytes_are_base64(void **state)
{
    MR_UNUSED(state);
    expect(mr_value_bytes(mr_slice_from(NULL, 0)), "\"\"");
    expect(mr_value_bytes(mr_slice_text("f")), "\"Zg==\"");
    expect(mr_value_bytes(mr_slice_text("fo")), "\"Zm8=\"");
    expect(mr_value_bytes(mr_slice_text("foo")), "\"Zm9v\"");
    expect(mr_value_bytes(mr_slice_text("foob")), "\"Zm9vYg==\"");
    expect(mr_value_bytes(mr_slice_text("\xFF\xFE\xFD")), "\"//79\"");
}

static void strings_are_escaped(void **state)
{
    MR_UNUSED(state);
    expect(mr_value_string(mr_slice_from(NULL, 0)), "\"\"");
    expect(mr_value_string(mr_slice_text("\"\\/\b\f\n\r\t\x01\x1f\x7f")),
           "\"\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    expect(mr_value_string(mr_slice_text("größer € 😀")), "\"größer € 😀\"");
    expect(mr_value_string(mr_slice_from("a\0b", 3)), "\"a\\u0000b\"");
    /* An escape at every place of a long text, by the fast path and behind it. */
    for (size_t size = 1; size < 300; size += 7) {
        char text[320];
        char expected[340];
        memset(text, 'x', size);
        for (size_t place = 0; place < size; place++) {
            text[place] = '\n';
            expected[0] = '"';
            memcpy(expected + 1, text, place);
            memcpy(expected + 1 + place, "\\n", 2);
            memcpy(expected + 3 + place, text + place + 1, size - place - 1);
            memcpy(expected + 2 + size, "\"", 2);
            expect(mr_value_string(mr_slice_from(text, size)), expected);
            text[place] = 'x';
        }
    }
}

static void bounds_hold_for_the_worst_text(void **state)
{
    MR_UNUSED(state);
    uint8_t worst[600];
    memset(worst, 1, sizeof(worst));
    static uint8_t text[600 * 6 + 2 + MR_JSON_WRITE_SLACK];
    for (size_t size = 0; size <= sizeof(worst); size++) {
        struct mr_value value = mr_value_string(mr_slice_from(worst, size));
        uint8_t *end = mr_json_write(text, value);
        assert_true((size_t)(end - text) == mr_json_write_bound(value));
    }
}

static void containers(void **state)
{
    MR_UNUSED(state);
    struct mr_value items[] = {mr_value_int(1), mr_value_string(mr_slice_text("a"))};
    struct mr_value list = {.kind = MR_KIND_LIST, .size = 2, .items = items};
    struct mr_map_entry entries[] = {
        {mr_value_string(mr_slice_text("k\"")), list},
        {mr_value_int(5), mr_value_null()},
        {mr_value_bool(true), {.kind = MR_KIND_MAP}},
        {mr_value_string(mr_slice_text("l")), {.kind = MR_KIND_LIST}},
    };
    struct mr_value map = {.kind = MR_KIND_MAP, .size = 4, .entries = entries};
    expect(list, "[1,\"a\"]");
    expect(map, "{\"k\\\"\":[1,\"a\"],\"5\":null,\"true\":{},\"l\":[]}");
}

static void expect_refused(struct mr_value value, const char *reason)
{
    uint8_t text[256];
    assert_null(mr_json_write(text, value));
    assert_string_equal(mr_json_write_refusal(&arena, value), reason);
}

static void what_json_cannot_hold_is_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_value nan = mr_value_double(__builtin_nan(""));
    expect_refused(nan, "NaN is not a JSON number");
    expect_refused(mr_value_double(-__builtin_inf()), "an infinity is not a JSON number");
    expect_refused(of_kind(MR_KIND_ABSENT, 0), "JSON has no value of kind absent");
    expect_refused(of_kind(MR_KIND_TYPE, 0), "JSON has no value of kind type");
    expect_refused(mr_value_error(mr_slice_text("no such field")), "no such field");
    struct mr_value list = {.kind = MR_KIND_LIST, .size = 1, .items = &nan};
    expect_refused(list, "NaN is not a JSON number");
    struct mr_map_entry entry = {mr_value_string(mr_slice_text("a")), list};
    struct mr_value map = {.kind = MR_KIND_MAP, .size = 1, .entries = &entry};
    expect_refused(map, "NaN is not a JSON number");
    entry = (struct mr_map_entry){mr_value_null(), mr_value_null()};
    expect_refused(map, "a null is not a name of a JSON object");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scalars),
        cmocka_unit_test(timestamps_and_durations),
        cmocka_unit_test(bytes_are_base64),
        cmocka_unit_test(strings_are_escaped),
        cmocka_unit_test(bounds_hold_for_the_worst_text),
        cmocka_unit_test(containers),
        cmocka_unit_test(what_json_cannot_hold_is_refused),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
