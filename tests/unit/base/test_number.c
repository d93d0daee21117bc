/* tests/unit/base/test_number.c — number.c against strtod, printf and known shortest texts. */
#include "base/number.h"

#include "base/assert.h"
#include "base/clock.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static uint64_t bits_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    return bits;
}

static double double_of(uint64_t bits)
{
    double value;
    memcpy(&value, &bits, sizeof(value));
    return value;
}

/* A multiplicative generator is enough: the bits only have to be spread. */
static uint64_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 29) ^ (*state << 31) ^ *state;
}

static struct mr_number parse(const char *text)
{
    struct mr_number number = {.kind = MR_NUMBER_NONE};
    const uint8_t *start = (const uint8_t *)text;
    const uint8_t *end = mr_number_parse(start, start + strlen(text), &number);
    if (end == NULL || *end != 0)
        fail_msg("\"%s\" is not read to its end", text);
    return number;
}

static void expect_like_strtod(const char *text)
{
    double expected = strtod(text, NULL);
    double actual = parse(text).number;
    if (bits_of(actual) != bits_of(expected))
        fail_msg("%s reads as %.17g (%016" PRIx64 "), expected %.17g (%016" PRIx64 ")", text,
                 actual, bits_of(actual), expected, bits_of(expected));
}

static void reads_kinds(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        enum mr_number_kind kind;
        uint64_t integer;
    } cases[] = {
        {"0", MR_NUMBER_INT, 0},
        {"-0", MR_NUMBER_INT, 0},
        {"7", MR_NUMBER_INT, 7},
        {"-12345678", MR_NUMBER_INT, (uint64_t)-12345678},
        {"1767225600000", MR_NUMBER_INT, 1767225600000},
        {"9223372036854775807", MR_NUMBER_INT, INT64_MAX},
        {"-9223372036854775808", MR_NUMBER_INT, (uint64_t)INT64_MIN},
        {"9223372036854775808", MR_NUMBER_UINT, 9223372036854775808u},
        {"9999999999999999999", MR_NUMBER_UINT, 9999999999999999999u},
        {"10000000000000000000", MR_NUMBER_UINT, 10000000000000000000u},
        {"18446744073709551615", MR_NUMBER_UINT, UINT64_MAX},
        {"18446744073709551616", MR_NUMBER_DOUBLE, 0},
        {"18446744073709551620", MR_NUMBER_DOUBLE, 0},
        {"99999999999999999999", MR_NUMBER_DOUBLE, 0},
        {"100000000000000000000", MR_NUMBER_DOUBLE, 0},
        {"-9223372036854775809", MR_NUMBER_DOUBLE, 0},
        {"-18446744073709551615", MR_NUMBER_DOUBLE, 0},
        {"1.0", MR_NUMBER_DOUBLE, 0},
        {"1e0", MR_NUMBER_DOUBLE, 0},
        {"0.5", MR_NUMBER_DOUBLE, 0},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_number number = parse(cases[i].text);
        if (number.kind != cases[i].kind || number.unsigned_integer != cases[i].integer)
            fail_msg("%s: kind %d integer %" PRIu64, cases[i].text, number.kind,
                     number.unsigned_integer);
        expect_like_strtod(cases[i].text);
    }
    assert_true(signbit(parse("-0").number));
}

static void refuses_what_is_no_number(void **state)
{
    MR_UNUSED(state);
    static const char *const texts[] = {"",         "-",   "+1",  ".5",  "-.5", "1.",
                                        "1.e5",     "1e",  "1e+", "1e-", "-a",  "NaN",
                                        "Infinity", "1.-", "e1",  "--1"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(texts); i++) {
        struct mr_number number;
        const uint8_t *start = (const uint8_t *)texts[i];
        if (mr_number_parse(start, start + strlen(texts[i]), &number) != NULL)
            fail_msg("\"%s\" is accepted", texts[i]);
        assert_int_equal(number.kind, MR_NUMBER_NONE);
    }
}

static void stops_behind_the_number(void **state)
{
    MR_UNUSED(state);
    static const struct {
        const char *text;
        size_t size;
    } cases[] = {{"01", 1},   {"-012", 2}, {"1,2", 1},           {"1.5.5", 3},
                 {"1e5e", 3}, {"0x10", 1}, {"12345678901}", 11}, {"1.25]", 4}};
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        struct mr_number number;
        const uint8_t *start = (const uint8_t *)cases[i].text;
        const uint8_t *end = mr_number_parse(start, start + strlen(cases[i].text), &number);
        assert_ptr_equal(end, start + cases[i].size);
    }
    /* The end is respected although more digits follow. */
    const uint8_t *digits = (const uint8_t *)"1234567890123";
    struct mr_number number;
    for (size_t size = 1; size <= 13; size++) {
        int64_t expected;
        assert_ptr_equal(mr_number_parse(digits, digits + size, &number), digits + size);
        assert_true(mr_number_parse_int(mr_slice_from(digits, size), &expected));
        assert_int_equal(number.signed_integer, expected);
    }
}

static void reads_hard_cases(void **state)
{
    MR_UNUSED(state);
    static const char *const texts[] = {
        "5e-324",
        "4.9406564584124654e-324",
        "2.4703282292062327208e-324",
        "2.4703282292062327209e-324",
        "2.5e-324",
        "1e-323",
        "2.2250738585072011e-308",
        "2.2250738585072012e-308",
        "2.2250738585072014e-308",
        "2.225073858507201136057409796709131975934819546351645648023426109724822222021e-308",
        "1.7976931348623157e308",
        "1.7976931348623158e308",
        "1.7976931348623159e308",
        "1.797693134862315807e308",
        "1.797693134862315808e308",
        "1e308",
        "1e309",
        "-1e400",
        "1e-400",
        "123456789012345678901234567890e-400",
        "0.000000000000000000000000000000000000000000000000000000000001e60",
        "9007199254740992",
        "9007199254740993",
        "9007199254740993.0",
        "9007199254740993.00000000000000000000000000000000000000000000000000000000000001",
        "9007199254740995",
        "9007199254740994.99999999999999999999999999999999999999999999999999999999999",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
        "1.00000000000000033306690738754696212708950042724609375",
        "1e23",
        "9.999999999999999e22",
        "8.41e21",
        "9.109e-31",
        "6.02214076e23",
        "7.2057594037927933e16",
        "3.518437208883201171875e13",
        "1e22",
        "1e-22",
        "123456789012345678e-22",
        "0e999999999999999999999",
        "1e-999999999999999999999",
        "1e999999999999999999999",
        "10000000000000000000000000000000000000000e-40",
        "0.1",
        "100000000000000016777215",
        "100000000000000016777216",
        "94393431193180696942841837085033647913224148539854e-358",
        "104308485241983990666713401708072175773165034278685682646111762292409330928739751702404"
        "658197872319129036519947435319418387839758990478549477777586673075945844895981012024387"
        "992135617064532141489278815239849108105951619997153633553314433129456446e-580",
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(texts); i++)
        expect_like_strtod(texts[i]);
}

/* The middle between two doubles, written out, and moved by its last digit. */
static void reads_exact_middles(void **state)
{
    MR_UNUSED(state);
    uint64_t random = 7;
    for (int i = 0; i < 300; i++) {
        uint64_t significand = (next_random(&random) & (((uint64_t)1 << 53) - 1)) | 1;
        int exponent = (int)(next_random(&random) % 1000) - 970;
        char text[1300];
        /* long double holds the middle of two doubles exactly; glibc prints all its digits. */
        long double middle = ldexpl((long double)significand + 0.5L, exponent);
        snprintf(text, sizeof(text), "%.1100Le", middle);
        expect_like_strtod(text);
        char *mantissa_end = strchr(text, 'e');
        mantissa_end[-1] = '1';
        expect_like_strtod(text);
        snprintf(text, sizeof(text), "%.40Le", middle);
        expect_like_strtod(text);
    }
    /* A digit far behind what is kept still decides. */
    char long_text[4000];
    size_t size = (size_t)snprintf(long_text, sizeof(long_text), "9007199254740993.");
    memset(long_text + size, '0', 3000);
    long_text[size + 3000] = '\0';
    assert_true(parse(long_text).number == 9007199254740992.0);
    long_text[size + 2999] = '1';
    assert_true(parse(long_text).number == 9007199254740994.0);
}

static void agrees_with_strtod_on_random_bits(void **state)
{
    MR_UNUSED(state);
    uint64_t random = 42;
    uint64_t deadline = mr_clock_monotonic_ns() + 1000000000u;
    uint32_t count = 0;
    for (; count < 4000000 && mr_clock_monotonic_ns() < deadline; count++) {
        double value = double_of(next_random(&random));
        if (!isfinite(value))
            continue;
        char text[64];
        int digits = (int)(count % 21) + 1;
        snprintf(text, sizeof(text), "%.*e", digits - 1, value);
        expect_like_strtod(text);
        if (digits >= 17)
            assert_true(bits_of(parse(text).number) == bits_of(value));
    }
    assert_true(count > 10000);
}

static void expect_shortest(double value)
{
    char text[MR_NUMBER_TEXT_SIZE];
    size_t size = mr_number_format_double(value, text);
    assert_true(size < MR_NUMBER_TEXT_SIZE);
    text[size] = '\0';
    if (bits_of(parse(text).number) != bits_of(value))
        fail_msg("%.17g prints as %s, which reads as another double", value, text);
    /* No text with fewer digits reads back; among those of this length it is the closest. */
    int digits = 0;
    for (const char *c = text; *c != '\0' && *c != 'e'; c++)
        digits += *c >= '0' && *c <= '9' && (digits > 0 || *c != '0');
    while (digits > 1 && strchr(text, '.') == NULL && strchr(text, 'e') == NULL &&
           text[size - 1] == '0') {
        size--;
        digits--;
    }
    char other[64];
    if (digits > 1) {
        snprintf(other, sizeof(other), "%.*e", digits - 2, value);
        if (bits_of(strtod(other, NULL)) == bits_of(value))
            fail_msg("%s prints with %d digits, but %s is shorter", text, digits, other);
    }
    if (digits < 1)
        return;
    snprintf(other, sizeof(other), "%.*e", digits - 1, value);
    double nearest = strtod(other, NULL);
    if (nearest == value && strtold(other, NULL) != strtold(text, NULL))
        fail_msg("%s is not the closest to %.17g: %s", text, value, other);
}

static void prints_random_bits_shortest(void **state)
{
    MR_UNUSED(state);
    uint64_t random = 4711;
    uint64_t deadline = mr_clock_monotonic_ns() + 1000000000u;
    uint32_t count = 0;
    for (; count < 4000000 && mr_clock_monotonic_ns() < deadline; count++) {
        uint64_t bits = next_random(&random);
        if (count % 8 == 0)
            bits &= 0xFFF0000000000000u; /* powers of two: the lower neighbour is closer */
        if (count % 8 == 1)
            bits &= 0x800FFFFFFFFFFFFFu; /* denormals */
        double value = double_of(bits);
        if (count % 8 == 2)
            value = (double)(int64_t)(bits % 2000000000000u) / 1000.0;
        if (isfinite(value))
            expect_shortest(value);
    }
    assert_true(count > 10000);
}

static void prints_golden_texts(void **state)
{
    MR_UNUSED(state);
    static const struct {
        double value;
        const char *text;
    } cases[] = {
        {0.0, "0"},
        {-0.0, "-0.0"},
        {1.0, "1"},
        {-1.5, "-1.5"},
        {100.0, "100"},
        {0.1, "0.1"},
        {0.3, "0.3"},
        {0.1 + 0.2, "0.30000000000000004"},
        {1.0 / 3.0, "0.3333333333333333"},
        {20.123456, "20.123456"},
        {1e20, "100000000000000000000"},
        {123456789012345680000.0, "123456789012345680000"},
        {1e21, "1e21"},
        {1.5e21, "1.5e21"},
        {1e-6, "0.000001"},
        {1.25e-6, "0.00000125"},
        {1e-7, "1e-7"},
        {1.25e-7, "1.25e-7"},
        {5e-324, "5e-324"},
        {2.2250738585072014e-308, "2.2250738585072014e-308"},
        {2.225073858507201e-308, "2.225073858507201e-308"},
        {1.7976931348623157e308, "1.7976931348623157e308"},
        {9007199254740992.0, "9007199254740992"},
        {9007199254740994.0, "9007199254740994"},
        {18446744073709551616.0, "18446744073709552000"},
        {1e22, "1e22"},
        {1e23, "1e23"},
        {9.5367431640625e-7, "9.5367431640625e-7"},
        {4.35, "4.35"},
        {2e-44, "2e-44"},
        {123456.789, "123456.789"},
        {1767225600000.0, "1767225600000"},
        {-1.7976931348623157e308, "-1.7976931348623157e308"},
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(cases); i++) {
        char text[MR_NUMBER_TEXT_SIZE];
        text[mr_number_format_double(cases[i].value, text)] = '\0';
        assert_string_equal(text, cases[i].text);
    }
}

static void prints_integers(void **state)
{
    MR_UNUSED(state);
    char text[MR_NUMBER_TEXT_SIZE];
    char expected[64];
    uint64_t value = 0;
    for (int i = 0; i < 200; i++) {
        uint64_t around[] = {value - 1, value, value + 1};
        for (size_t k = 0; k < 3; k++) {
            text[mr_number_format_uint(around[k], text)] = '\0';
            snprintf(expected, sizeof(expected), "%" PRIu64, around[k]);
            assert_string_equal(text, expected);
            text[mr_number_format_int((int64_t)around[k], text)] = '\0';
            snprintf(expected, sizeof(expected), "%" PRId64, (int64_t)around[k]);
            assert_string_equal(text, expected);
        }
        value = i < 20 ? (value == 0 ? 1 : value * 10) : (uint64_t)1 << (i % 64);
    }
}

static void parses_integers(void **state)
{
    MR_UNUSED(state);
    int64_t value = 1;
    assert_true(mr_number_parse_int(mr_slice_text("0"), &value));
    assert_int_equal(value, 0);
    assert_true(mr_number_parse_int(mr_slice_text("-42"), &value));
    assert_int_equal(value, -42);
    assert_true(mr_number_parse_int(mr_slice_text("9223372036854775807"), &value));
    assert_true(value == INT64_MAX);
    assert_true(mr_number_parse_int(mr_slice_text("-9223372036854775808"), &value));
    assert_true(value == INT64_MIN);
    static const char *const bad[] = {"",
                                      "-",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "1.0",
                                      "1e3",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "92233720368547758070",
                                      "a"};
    for (size_t i = 0; i < MR_ARRAY_COUNT(bad); i++)
        assert_false(mr_number_parse_int(mr_slice_text(bad[i]), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_kinds),
        cmocka_unit_test(refuses_what_is_no_number),
        cmocka_unit_test(stops_behind_the_number),
        cmocka_unit_test(reads_hard_cases),
        cmocka_unit_test(reads_exact_middles),
        cmocka_unit_test(agrees_with_strtod_on_random_bits),
        cmocka_unit_test(prints_random_bits_shortest),
        cmocka_unit_test(prints_golden_texts),
        cmocka_unit_test(prints_integers),
        cmocka_unit_test(parses_integers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
