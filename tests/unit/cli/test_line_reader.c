/* tests/unit/cli/test_line_reader.c — lines from a pipe: ends, limits, waiting. */
#include "cli/line_reader.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

enum { LINE_BYTES_MAX = 10 };

static struct mr_line_reader reader;
static int ends[2];

static int start(void **state)
{
    (void)state;
    assert_int_equal(pipe(ends), 0);
    mr_line_reader_init(&reader, ends[0], LINE_BYTES_MAX);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    mr_line_reader_deinit(&reader);
    (void)close(ends[0]);
    if (ends[1] >= 0)
        (void)close(ends[1]);
    return 0;
}

static void put(const char *text)
{
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
}

static void put_end(void)
{
    (void)close(ends[1]);
    ends[1] = -1;
}

static void expect(enum mr_status expected, const char *text)
{
    struct mr_slice line;
    struct mr_error error;
    assert_int_equal(mr_line_reader_next(&reader, 0, &line, &error), expected);
    assert_true(mr_slice_equal(line, mr_slice_text(text)));
}

static void test_ends_of_lines(void **state)
{
    (void)state;
    put("one\ntwo\r\n\nlast");
    put_end();
    expect(MR_OK, "one");
    expect(MR_OK, "two");
    expect(MR_OK, "");
    expect(MR_OK, "last");
    expect(MR_END, "");
    expect(MR_END, "");
    assert_int_equal(reader.number, 4);
}

static void test_waits_for_the_rest(void **state)
{
    (void)state;
    expect(MR_AGAIN, "");
    put("ha");
    expect(MR_AGAIN, "");
    put("lf\nnext");
    expect(MR_OK, "half");
    expect(MR_AGAIN, "");
    put_end();
    expect(MR_OK, "next");
    expect(MR_END, "");
}

static void test_long_lines_are_left_out(void **state)
{
    (void)state;
    put("0123456789\n0123456789x\n0123456789\r\n01234567890123456789\nshort\n");
    expect(MR_OK, "0123456789");
    expect(MR_LIMIT, "");
    expect(MR_OK, "0123456789");
    expect(MR_LIMIT, "");
    expect(MR_OK, "short");
    assert_int_equal(reader.number, 5);
    put("a line that comes ");
    expect(MR_AGAIN, "");
    put("in two pieces and is too long\nfine\n");
    expect(MR_LIMIT, "");
    expect(MR_OK, "fine");
    put("the last one is too long as well");
    put_end();
    expect(MR_LIMIT, "");
    expect(MR_END, "");
}

static void test_nothing_at_all(void **state)
{
    (void)state;
    put_end();
    expect(MR_END, "");
    assert_int_equal(reader.number, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ends_of_lines, start, stop),
        cmocka_unit_test_setup_teardown(test_waits_for_the_rest, start, stop),
        cmocka_unit_test_setup_teardown(test_long_lines_are_left_out, start, stop),
        cmocka_unit_test_setup_teardown(test_nothing_at_all, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
