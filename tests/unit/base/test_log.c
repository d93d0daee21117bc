/* tests/unit/base/test_log.c — lines in both formats, escaping, cutting, levels and the rate limit.
 */
#include "base/log.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

/* Standard error is sent to a file while a test logs. */
static int saved_error = -1;
static int captured = -1;

static int capture_start(void **state)
{
    (void)state;
    char path[] = "/tmp/millrace-test-log-XXXXXX";
    captured = mkstemp(path);
    unlink(path);
    saved_error = dup(STDERR_FILENO);
    dup2(captured, STDERR_FILENO);
    return captured < 0 || saved_error < 0;
}

static int capture_end(void **state)
{
    (void)state;
    mr_log_flush();
    dup2(saved_error, STDERR_FILENO);
    close(saved_error);
    close(captured);
    mr_log_configure(MR_LOG_INFO, MR_LOG_LOGFMT);
    return 0;
}

/* What was logged since the last call, without the time of each line. Owner: the caller. */
static char *logged(void)
{
    off_t end = lseek(captured, 0, SEEK_END);
    char *text = mr_memory_new(1, (size_t)end + 1);
    assert_int_equal(pread(captured, text, (size_t)end, 0), end);
    assert_int_equal(ftruncate(captured, 0), 0);
    lseek(captured, 0, SEEK_SET);
    char *line = text;
    while ((line = strstr(line, "time")) != NULL) {
        char *rest = strstr(line, "level");
        assert_non_null(rest);
        memmove(line, rest, strlen(rest) + 1);
        line += strcspn(line, "\n");
    }
    return text;
}

static void assert_logged(const char *expected)
{
    char *text = logged();
    assert_string_equal(text, expected);
    mr_memory_free(text);
}

static void test_logfmt(void **state)
{
    (void)state;
    errno = EBUSY;
    MR_LOG_AT(MR_LOG_WARNING, "worker",
              MR_LOG_FIELDS("task", "0_1", "name", "two words", "none", NULL, "late", "x"),
              "The %s is %d", "lag", 5);
    assert_int_equal(errno, EBUSY);
    assert_logged("level=warning component=worker message=\"The lag is 5\" task=0_1 "
                  "name=\"two words\" late=x\n");
    MR_LOG_AT(MR_LOG_INFO, "worker", NULL, "ready");
    assert_logged("level=info component=worker message=ready\n");
}

static void test_escapes(void **state)
{
    (void)state;
    static const char *const fields[] = {"a",
                                         "quote\"d",
                                         "b",
                                         "back\\slash",
                                         "c",
                                         "x=y",
                                         "d",
                                         "",
                                         "e",
                                         "new\nline",
                                         "f",
                                         "\x1b[31m",
                                         "g",
                                         "\xc2\x9b"
                                         "31m",
                                         "h",
                                         "grün",
                                         "i",
                                         "\xff!",
                                         "j",
                                         "\x7f",
                                         NULL};
    static struct mr_log_site site;
    mr_log_write(&site, MR_LOG_ERROR, "test", fields, "m");
    assert_logged("level=error component=test message=m a=\"quote\\\"d\" b=\"back\\\\slash\" "
                  "c=\"x=y\" d=\"\" e=\"new\\nline\" f=\"\\u001b[31m\" g=\"\\u009b31m\" "
                  "h=\"grün\" i=\"\xef\xbf\xbd!\" j=\"\\u007f\"\n");
}

static void test_json(void **state)
{
    (void)state;
    mr_log_configure(MR_LOG_DEBUG, MR_LOG_JSON);
    MR_LOG_AT(MR_LOG_DEBUG, "worker", MR_LOG_FIELDS("task", "a\"b", "path", "tab\there"), "done");
    assert_logged("{\"level\":\"debug\",\"component\":\"worker\",\"message\":\"done\","
                  "\"task\":\"a\\\"b\",\"path\":\"tab\\there\"}\n");
}

static void test_level(void **state)
{
    (void)state;
    enum mr_log_level level = MR_LOG_DEBUG;
    mr_log_configure(MR_LOG_WARNING, MR_LOG_LOGFMT);
    assert_false(mr_log_enabled(MR_LOG_INFO));
    assert_true(mr_log_enabled(MR_LOG_WARNING));
    MR_LOG_AT(MR_LOG_INFO, "worker", NULL, "not shown");
    assert_logged("");
    assert_true(mr_log_level_parse("error", &level));
    assert_int_equal(level, MR_LOG_ERROR);
    assert_false(mr_log_level_parse("ERROR", &level));
    assert_false(mr_log_level_parse("", &level));
}

static void test_long_values_are_cut(void **state)
{
    (void)state;
    static struct mr_log_site site;
    char value[1201];
    for (size_t i = 0; i < 1200; i += 3)
        memcpy(value + i, "\xe2\x82\xac", 3);
    value[1200] = '\0';
    mr_log_write(&site, MR_LOG_INFO, "test", (const char *const[]){"v", value, NULL}, "%s", value);
    char *text = logged();
    const char *cut = strstr(text, "v=\"");
    assert_non_null(cut);
    assert_int_equal(strlen(cut), strlen("v=\"") + 510 + strlen("...\"\n"));
    assert_null(strstr(text, "\xef\xbf\xbd")); /* no code point was split */
    mr_memory_free(text);
}

static void test_long_lines_say_so(void **state)
{
    (void)state;
    static struct mr_log_site site;
    const char *fields[101];
    char value[401];
    memset(value, 'v', 400);
    value[400] = '\0';
    for (size_t i = 0; i < 100; i += 2) {
        fields[i] = "f";
        fields[i + 1] = value;
    }
    fields[100] = NULL;
    for (int format = MR_LOG_LOGFMT; format <= MR_LOG_JSON; format++) {
        mr_log_configure(MR_LOG_INFO, (enum mr_log_format)format);
        mr_log_write(&site, MR_LOG_INFO, "test", fields, "m");
        char *text = logged();
        assert_in_range(strlen(text), 7000, 8192);
        assert_non_null(
            strstr(text, format == MR_LOG_JSON ? "vv\",\"cut\":\"true\"}\n" : "vv cut=true\n"));
        mr_memory_free(text);
    }
}

static size_t count_lines(const char *text, const char *part)
{
    size_t count = 0;
    for (const char *found = strstr(text, part); found != NULL; found = strstr(found + 1, part))
        count++;
    return count;
}

static void test_repeating_lines_are_summed_up(void **state)
{
    (void)state;
    static struct mr_log_site site;
    static struct mr_log_site other;
    for (int i = 0; i < 25; i++)
        mr_log_write(&site, MR_LOG_INFO, "loop", NULL, "again %d", i);
    char *text = logged();
    assert_int_equal(count_lines(text, "message=\"again"), 10);
    assert_int_equal(count_lines(text, "left out"), 0);
    mr_memory_free(text);
    mr_log_write(&other, MR_LOG_INFO, "else", NULL, "not suppressed");
    assert_logged("level=info component=else message=\"not suppressed\"\n");
    site.window_start_ms -= 60000; /* as if a minute had passed */
    mr_log_write(&other, MR_LOG_INFO, "else", NULL, "later");
    assert_logged("level=info component=loop message=\"left out 15 more lines like the last of "
                  "this kind\" kind=\"again %d\"\nlevel=info component=else message=later\n");
    mr_log_write(&site, MR_LOG_INFO, "loop", NULL, "again %d", 99);
    assert_logged("level=info component=loop message=\"again 99\"\n");
}

static void test_flush_sums_up(void **state)
{
    (void)state;
    static struct mr_log_site site;
    for (int i = 0; i < 12; i++)
        mr_log_write(&site, MR_LOG_ERROR, "loop", NULL, "again");
    mr_memory_free(logged());
    mr_log_flush();
    assert_logged("level=error component=loop message=\"left out 2 more lines like the last of "
                  "this kind\" kind=again\n");
    mr_log_flush();
    assert_logged("");
}

static void test_silence(void **state)
{
    (void)state;
    mr_log_silence();
    assert_false(mr_log_enabled(MR_LOG_ERROR));
    mr_log_configure(MR_LOG_INFO, MR_LOG_LOGFMT);
    assert_true(mr_log_enabled(MR_LOG_ERROR));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_logfmt, capture_start, capture_end),
        cmocka_unit_test_setup_teardown(test_escapes, capture_start, capture_end),
        cmocka_unit_test_setup_teardown(test_json, capture_start, capture_end),
        cmocka_unit_test_setup_teardown(test_level, capture_start, capture_end),
        cmocka_unit_test_setup_teardown(test_long_values_are_cut, capture_start, capture_end),
        cmocka_unit_test_setup_teardown(test_long_lines_say_so, capture_start, capture_end),
        cmocka_unit_test_setup_teardown(test_repeating_lines_are_summed_up, capture_start,
                                        capture_end),
        cmocka_unit_test_setup_teardown(test_flush_sums_up, capture_start, capture_end),
        cmocka_unit_test(test_silence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
