/* tests/unit/cli/test_markup.c — what data can write into a page, numbers, and the bound. */
#include "cli/markup.h"

#include "base/memory.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void expect(const struct mr_markup *markup, const char *text)
{
    assert_int_equal(markup->buffer.size, strlen(text));
    assert_memory_equal(markup->buffer.data, text, strlen(text));
}

static void test_text_is_escaped(void **state)
{
    (void)state;
    struct mr_markup markup;
    mr_markup_init(&markup);
    mr_markup_text(&markup, "<a href='x'>\"&amp;\x07\xc2\x9f\xff\xe2\x82\xac</a>");
    expect(&markup, "&lt;a href=&#39;x&#39;&gt;&quot;&amp;amp;\\x07\\x9f\\xff\xe2\x82\xac"
                    "&lt;/a&gt;");
    assert_false(markup.full);
    mr_markup_deinit(&markup);
}

static void expect_number(double number, int decimals, const char *text)
{
    struct mr_markup markup;
    mr_markup_init(&markup);
    mr_markup_number(&markup, number, decimals);
    expect(&markup, text);
    mr_markup_deinit(&markup);
}

static void test_numbers(void **state)
{
    (void)state;
    expect_number(74.00118, 3, "74.001");
    expect_number(-0.0004, 3, "0.000");
    expect_number(-0.0, 0, "0");
    expect_number(-0.0006, 3, "-0.001");
    expect_number(1e140, 2, "1e+140");
    expect_number(5e-324, 324, "4.94066e-324");
    expect_number((double)NAN, 2, "-");
}

static void test_the_bound(void **state)
{
    (void)state;
    struct mr_markup markup;
    enum { LONG = 1 << 20 };
    char *text = mr_memory_new(LONG + 1, 1);
    assert_non_null(text);
    memset(text, 'x', LONG);
    text[LONG] = '\0';
    mr_markup_init(&markup);
    mr_markup_add(&markup, "%s", text); /* more than a piece */
    assert_int_equal(markup.buffer.size, LONG);
    for (int round = 0; round < MR_MARKUP_BYTES_MAX / LONG; round++)
        mr_markup_add(&markup, "%s", text);
    assert_true(markup.full);
    assert_in_range(markup.buffer.size, 1, MR_MARKUP_BYTES_MAX);
    mr_markup_deinit(&markup);
    mr_memory_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_is_escaped),
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_the_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
