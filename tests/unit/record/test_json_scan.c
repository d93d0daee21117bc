/* tests/unit/record/test_json_scan.c — json_scan.c: strings at every alignment, escapes, skipping.
 */
#include "record/json_scan.h"

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

static struct mr_json_scan scan_of(const char *text, size_t size)
{
    const uint8_t *start = (const uint8_t *)text;
    return (struct mr_json_scan){.start = start, .end = start + size, .arena = &arena};
}

/* Every byte value at every place of strings of many lengths. */
static void each_byte_is_judged_at_each_place(void **state)
{
    MR_UNUSED(state);
    for (size_t size = 1; size < 40; size++) {
        for (size_t place = 0; place < size; place++) {
            for (int byte = 0; byte < 256; byte++) {
                char text[48];
                memset(text, 'x', sizeof(text));
                text[place] = (char)byte;
                text[size] = '"';
                struct mr_json_scan scan = scan_of(text, size + 1);
                bool escaped;
                const uint8_t *end = mr_json_string_end(&scan, scan.start, &escaped);
                bool plain = byte >= 0x20 && byte < 0x80 && byte != '"' && byte != '\\';
                const uint8_t *expected = plain         ? scan.start + size
                                          : byte == '"' ? scan.start + place
                                                        : NULL;
                if (byte == '\\' && place + 1 == size)
                    expected = NULL; /* escapes the closing quote */
                if (end != expected)
                    fail_msg("byte %02x at %zu of %zu", (unsigned)byte, place, size);
            }
        }
    }
}

static void escapes_are_undone(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        const char *expected; /* NULL: refused */
    } cases[] = {
        {"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", "\"\\/\b\f\n\r\t"},
        {"a\\u0041\\u00e9\\u20AC\\ud83D\\uDE00z\"", "aAé€😀z"},
        {"\\uD7FF\\uE000\"", "\xED\x9F\xBF\xEE\x80\x80"},
        {"\\ud800\"", NULL},
        {"\\udc00\"", NULL},
        {"\\ud800\\u0041\"", NULL},
        {"\\ud800\\ud800\"", NULL},
        {"\\ud83d\\ude0\"", NULL},
        {"\\ud83dx\"", NULL},
        {"\\u12g4\"", NULL},
        {"\\u123", NULL},
        {"\\x41\"", NULL},
        {"\\", NULL},
        {"\\U0041\"", NULL},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_json_scan scan = scan_of(cases[i].text, strlen(cases[i].text));
        bool escaped;
        const uint8_t *end = mr_json_string_end(&scan, scan.start, &escaped);
        if ((end != NULL) != (cases[i].expected != NULL))
            fail_msg("%s is judged wrong", cases[i].text);
        if (end == NULL)
            continue;
        assert_true(escaped);
        struct mr_slice text = mr_json_unescape(&scan, scan.start, end);
        assert_true(mr_slice_equal(text, mr_slice_text(cases[i].expected)));
    }
}

static void whole_values_are_skipped(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        size_t size; /* 0: refused */
    } cases[] = {
        {"1,", 1},
        {"-0.5e+10]", 8},
        {"true}", 4},
        {"null", 4},
        {"false ", 5},
        {"\"a\\\"b\"x", 6},
        {"[ ]", 3},
        {"[1, [2] , {}]", 13},
        {"{ }", 3},
        {"{\"a\" : {\"b\":[]} , \"c\":1}", 24},
        {"[1 2]", 0},
        {"[1,]", 0},
        {"{\"a\"}", 0},
        {"{\"a\":1,}", 0},
        {"{1:2}", 0},
        {"nul", 0},
        {"-", 0},
        {"1.", 0},
        {"1e", 0},
        {"", 0},
        {"[", 0},
        {"{", 0},
        {"'a'", 0},
        {"NaN", 0},
        {"{\"a\":1 \"b\":2}", 0},
        {"01", 1},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_json_scan scan = scan_of(cases[i].text, strlen(cases[i].text));
        const uint8_t *end = mr_json_skip_value(&scan, scan.start, 0);
        size_t size = end == NULL ? 0 : (size_t)(end - scan.start);
        if (size != cases[i].size)
            fail_msg("%s: %zu bytes", cases[i].text, size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_byte_is_judged_at_each_place),
        cmocka_unit_test(escapes_are_undone),
        cmocka_unit_test(whole_values_are_skipped),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
