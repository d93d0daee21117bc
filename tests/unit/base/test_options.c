/* tests/unit/base/test_options.c — option tables, the scalars of the grammar, and the nearest name.
 */
#include "base/options.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void test_duration(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t milliseconds;
    } right[] = {{"250ms", 250},
                 {"30s", 30000},
                 {"5m", 300000},
                 {"1h30m", 5400000},
                 {"7d", 604800000},
                 {"0s", 0},
                 {"1d2h3m4s5ms", 93784005},
                 {"1m500ms", 60500},
                 {"007s", 7000},
                 {"9223372036854775807ms", INT64_MAX}};
    for (size_t i = 0; i < MR_ARRAY_COUNT(right); i++) {
        int64_t duration_ms = -1;
        if (!mr_option_parse_duration(mr_slice_text(right[i].text), &duration_ms))
            fail_msg("'%s' was refused", right[i].text);
        assert_int_equal(duration_ms, right[i].milliseconds);
    }
    static const char *const wrong[] = {"",
                                        "5",
                                        "s",
                                        "ms",
                                        "-5s",
                                        "+5s",
                                        "1.5h",
                                        "5 s",
                                        " 5s",
                                        "5s ",
                                        "5S",
                                        "5min",
                                        "30m1h",
                                        "1h1h",
                                        "5sm",
                                        "1h30",
                                        "5us",
                                        "1w",
                                        "1_0s",
                                        "9223372036854775808ms",
                                        "9223372036854775807s",
                                        "106751991168d",
                                        "0x5s",
                                        "5s5"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(wrong); i++) {
        int64_t duration_ms = -1;
        if (mr_option_parse_duration(mr_slice_text(wrong[i]), &duration_ms))
            fail_msg("'%s' was taken", wrong[i]);
        assert_int_equal(duration_ms, -1);
    }
}

static void test_size(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t bytes;
    } right[] = {{"0B", 0},           {"512B", 512},  {"10KB", 10000},     {"10MB", 10000000},
                 {"2GB", 2000000000}, {"1KiB", 1024}, {"64MiB", 67108864}, {"3GiB", 3221225472}};
    for (size_t i = 0; i < MR_ARRAY_COUNT(right); i++) {
        int64_t size_bytes = -1;
        if (!mr_option_parse_size(mr_slice_text(right[i].text), &size_bytes))
            fail_msg("'%s' was refused", right[i].text);
        assert_int_equal(size_bytes, right[i].bytes);
    }
    static const char *const wrong[] = {"",      "64",   "MiB", "1.5MiB", "-1B",   "1kB",
                                        "1 MiB", "1Mib", "1mb", "1TB",    "1MiBs", "99999999999GiB",
                                        "1K",    "1M",   "1BB"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(wrong); i++) {
        int64_t size_bytes = -1;
        if (mr_option_parse_size(mr_slice_text(wrong[i]), &size_bytes))
            fail_msg("'%s' was taken", wrong[i]);
    }
}

static void test_rate(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        double per_second;
    } right[] = {{"1000/s", 1000.0},
                 {"5/m", 5.0 / 60.0},
                 {"2.5/s", 2.5},
                 {"1/h", 1.0 / 3600.0},
                 {"0.1/s", 0.1},
                 {"0/s", 0.0},
                 {"123456789.012345/s", 123456789.012345}};
    for (size_t i = 0; i < MR_ARRAY_COUNT(right); i++) {
        double per_second = -1;
        if (!mr_option_parse_rate(mr_slice_text(right[i].text), &per_second))
            fail_msg("'%s' was refused", right[i].text);
        assert_true(per_second == right[i].per_second);
    }
    static const char *const wrong[] = {
        "",      "5",    "/s",   "5/",      "5/d", "-5/s", ".5/s", "5./s",
        "1e3/s", "5 /s", "5/s ", "1.2.3/s", "./s", "5/ms", "5s",   "1234567890123456/s"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(wrong); i++) {
        double per_second = -1;
        if (mr_option_parse_rate(mr_slice_text(wrong[i]), &per_second))
            fail_msg("'%s' was taken", wrong[i]);
    }
}

static void test_texts_need_no_nul(void **state)
{
    (void)state;
    int64_t value = 0;
    double rate = 0;
    assert_true(mr_option_parse_duration(mr_slice_from("5s9", 2), &value));
    assert_int_equal(value, 5000);
    assert_true(mr_option_parse_size(mr_slice_from("5MBx", 3), &value));
    assert_int_equal(value, 5000000);
    assert_true(mr_option_parse_rate(mr_slice_from("5/sx", 3), &rate));
    assert_false(mr_option_parse_rate(mr_slice_from("5/s", 1), &rate));
}

static void test_nearest(void **state)
{
    (void)state;
    static const char *const names[] = {"filter", "detect.zscore", "window.aggregate",
                                        "map",    "merge",         "detect.threshold"};
    uint32_t count = MR_ARRAY_COUNT(names);
    assert_string_equal(mr_options_nearest("filtre", names, count), "filter");
    assert_string_equal(mr_options_nearest("detect.zscores", names, count), "detect.zscore");
    assert_string_equal(mr_options_nearest("detct.treshold", names, count), "detect.threshold");
    assert_string_equal(mr_options_nearest("map", names, count), "map");
    assert_string_equal(mr_options_nearest("mpa", names, count), "map"); /* one exchange */
    assert_null(mr_options_nearest("window", names, count));
    assert_null(mr_options_nearest("xy", names, count));
    assert_null(mr_options_nearest("", names, count));
    assert_null(mr_options_nearest("nothing", names, 0));
    assert_null(mr_options_nearest("filterxxxx", names, count)); /* distance 4 */
    assert_string_equal(mr_options_nearest("filterxxx", names, count), "filter");
    assert_null(mr_options_nearest("ma", (const char *const[]){"mapxy"}, 1));
    char wide[200];
    memset(wide, 'x', sizeof wide - 1);
    wide[sizeof wide - 1] = '\0';
    assert_null(mr_options_nearest(wide, names, count));
    assert_null(mr_options_nearest("abc", (const char *const[]){wide}, 1));
    assert_string_equal(mr_options_nearest("abd", (const char *const[]){"abc", "abe"}, 2), "abc");
}

static void test_lookup(void **state)
{
    (void)state;
    static const struct mr_option_spec specs[] = {{.name = "field", .type = MR_OPTION_PATH},
                                                  {.name = "threshold", .type = MR_OPTION_NUMBER},
                                                  {.name = "where", .type = MR_OPTION_EXPRESSION},
                                                  {.name = "size", .type = MR_OPTION_SIZE},
                                                  {.name = "strict", .type = MR_OPTION_BOOLEAN},
                                                  {.name = NULL}};
    uint32_t slot = 12;
    struct mr_option_value values[5] = {
        {.present = true, .given = true, .text = "a.b", .slots = &slot},
        {.present = true, .number = 2.5},
        {0},
        {.present = true, .integer = 1024},
        {.present = true, .boolean = true}};
    struct mr_options options = {.specs = specs, .count = 5, .values = values};
    assert_int_equal(mr_option_specs_count(specs), 5);
    assert_int_equal(mr_option_specs_count(NULL), 0);
    assert_int_equal(mr_option_specs_find(specs, "size"), 3);
    assert_int_equal(mr_option_specs_find(specs, "sizes"), -1);
    assert_int_equal(mr_option_specs_find(NULL, "size"), -1);
    assert_ptr_equal(mr_options_get(&options, "strict"), &values[4]);
    assert_true(mr_options_present(&options, "field"));
    assert_false(mr_options_present(&options, "where"));
    assert_int_equal(mr_options_integer(&options, "size"), 1024);
    assert_true(mr_options_number(&options, "threshold") == 2.5);
    assert_true(mr_options_boolean(&options, "strict"));
    assert_string_equal(mr_options_text(&options, "field"), "a.b");
    assert_null(mr_options_text(&options, "where"));
    assert_int_equal(mr_options_slot(&options, "field"), 12);
    assert_int_equal(mr_options_slot(&options, "where"), MR_SLOT_NONE);
    assert_null(mr_options_program(&options, "where"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_duration), cmocka_unit_test(test_size),
        cmocka_unit_test(test_rate),     cmocka_unit_test(test_texts_need_no_nul),
        cmocka_unit_test(test_nearest),  cmocka_unit_test(test_lookup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
