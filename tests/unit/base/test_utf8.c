/* tests/unit/base/test_utf8.c — utf8.c: every code point, every malformed shape, cutting. */
#include "base/utf8.h"

#include "base/assert.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void every_code_point_round_trips(void **state)
{
    MR_UNUSED(state);
    for (uint32_t code_point = 0; code_point <= 0x10FFFFu; code_point++) {
        if (code_point >= 0xD800u && code_point <= 0xDFFFu)
            continue;
        uint8_t text[4];
        size_t size = mr_utf8_encode(code_point, text);
        size_t expected = 1u + (code_point > 0x7F) + (code_point > 0x7FF) + (code_point > 0xFFFF);
        uint32_t decoded = UINT32_MAX;
        if (size != expected || mr_utf8_decode(text, text + size, &decoded) != size ||
            decoded != code_point || !mr_utf8_valid(mr_slice_from(text, size)))
            fail_msg("code point %x", code_point);
        for (size_t cut = 1; cut < size; cut++) {
            if (mr_utf8_decode(text, text + cut, &decoded) != 0)
                fail_msg("code point %x is accepted with %zu bytes", code_point, cut);
        }
    }
}

static void malformed_bytes_are_refused(void **state)
{
    MR_UNUSED(state);
    static const char *const texts[] = {
        "\x80",
        "\xBF",
        "\xC0\x80",
        "\xC1\xBF",
        "\xC2",
        "\xC2\x41",
        "\xE0\x80\x80",
        "\xE0\x9F\xBF",
        "\xED\xA0\x80",
        "\xED\xBF\xBF",
        "\xE2\x82",
        "\xE2\x82\x41",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF5\x80\x80\x80",
        "\xF0\x9F\x98",
        "\xF8\x88\x80\x80\x80",
        "\xFE",
        "\xFF",
        "\xF0\x9F\x41\x80",
    };
    for (size_t i = 0; i < MR_ARRAY_COUNT(texts); i++) {
        /* At every place of a word: the fast path must not step over it. */
        for (size_t before = 0; before < 20; before++) {
            char text[40] = "abcdefghijklmnopqrstuvw";
            size_t size = strlen(texts[i]);
            memcpy(text + before, texts[i], size);
            struct mr_slice whole = mr_slice_from(text, before + size);
            if (mr_utf8_valid(whole) || mr_utf8_valid_size(whole) != before)
                fail_msg("text %zu is accepted behind %zu bytes", i, before);
        }
        uint32_t code_point;
        const uint8_t *start = (const uint8_t *)texts[i];
        assert_int_equal(mr_utf8_decode(start, start + strlen(texts[i]), &code_point), 0);
    }
    assert_true(mr_utf8_valid(mr_slice_from(NULL, 0)));
    assert_true(mr_utf8_valid(mr_slice_from("a\0b", 3)));
}

static void counts_and_cuts_at_code_points(void **state)
{
    MR_UNUSED(state);
    struct mr_slice text = mr_slice_text("aé€😀z"); /* 1 + 2 + 3 + 4 + 1 bytes */
    static const size_t cuts[] = {0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11};
    assert_int_equal(text.size, 11);
    assert_int_equal(mr_utf8_length(text), 5);
    assert_int_equal(mr_utf8_length(mr_slice_from(NULL, 0)), 0);
    for (size_t i = 0; i < MR_ARRAY_COUNT(cuts); i++)
        assert_int_equal(mr_utf8_cut(text, i), cuts[i]);
    /* Continuation bytes alone are no code point: the cut does not run away. */
    assert_int_equal(mr_utf8_cut(mr_slice_text("\x80\x80\x80\x80\x80\x80\x80\x80"), 6), 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_point_round_trips),
        cmocka_unit_test(malformed_bytes_are_refused),
        cmocka_unit_test(counts_and_cuts_at_code_points),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
