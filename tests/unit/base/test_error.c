/* tests/unit/base/test_error.c — errors carry text, place, origin and recovery; assertions stop the
 * process. */
#include "base/error.h"

#include "base/assert.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static void test_set_fills_everything(void **state)
{
    (void)state;
    struct mr_error error;
    memset(&error, 0xff, sizeof error);
    int line = __LINE__ + 2;
    enum mr_status status =
        MR_FAIL(&error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "%s is %d.", "x", 5);
    assert_int_equal(status, MR_INVALID);
    assert_int_equal(error.status, MR_INVALID);
    assert_int_equal(error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    assert_string_equal(error.origin, "millrace");
    assert_int_equal(error.origin_code, 0);
    assert_in_range(error.line, line - 1, line);
    assert_non_null(strstr(error.file, "test_error.c"));
    assert_string_equal(error.message, "x is 5.");
}

static void test_old_message_may_be_an_argument(void **state)
{
    (void)state;
    struct mr_error error;
    (void)MR_FAIL(&error, MR_IO, MR_RECOVERY_RETRY, "the disk is full");
    (void)MR_FAIL(&error, MR_LIMIT, MR_RECOVERY_EXIT, "while writing: %s", error.message);
    assert_string_equal(error.message, "while writing: the disk is full");
    mr_error_context(&error, "store '%s'", "counts");
    assert_string_equal(error.message, "store 'counts': while writing: the disk is full");
    assert_int_equal(error.status, MR_LIMIT);
    mr_error_origin(&error, "rocksdb", 7);
    assert_string_equal(error.origin, "rocksdb");
    assert_int_equal(error.origin_code, 7);
}

static void test_long_messages_are_cut_between_code_points(void **state)
{
    (void)state;
    char text[3001];
    for (size_t i = 0; i < 3000; i += 3)
        memcpy(text + i, "\xe2\x82\xac", 3);
    text[3000] = '\0';
    for (int shift = 0; shift < 3; shift++) {
        struct mr_error error;
        (void)MR_FAIL(&error, MR_IO, MR_RECOVERY_RETRY, "%.*s%s", shift, "ab", text);
        size_t length = strlen(error.message);
        assert_in_range(length, MR_ERROR_MESSAGE_SIZE - 4, MR_ERROR_MESSAGE_SIZE - 1);
        assert_int_equal((length - (size_t)shift) % 3, 0);
        mr_error_context(&error, "%s", text);
        length = strlen(error.message);
        assert_in_range(length, MR_ERROR_MESSAGE_SIZE - 6, MR_ERROR_MESSAGE_SIZE - 1);
    }
}

static void test_errno(void **state)
{
    (void)state;
    struct mr_error error;
    enum mr_status status =
        MR_FAIL_ERRNO(&error, ENOENT, MR_RECOVERY_EXIT, "open '%s'", "/nowhere");
    assert_int_equal(status, MR_NOT_FOUND);
    assert_string_equal(error.message, "open '/nowhere': No such file or directory");
    assert_string_equal(error.origin, "errno");
    assert_int_equal(error.origin_code, ENOENT);
    assert_int_equal(MR_FAIL_ERRNO(&error, ENOSPC, MR_RECOVERY_RETRY, "write"), MR_IO);
    assert_int_equal(error.recovery, MR_RECOVERY_RETRY);
}

static void test_names(void **state)
{
    (void)state;
    for (int status = 0; status < MR_STATUS_COUNT; status++) {
        assert_non_null(mr_status_name((enum mr_status)status));
        for (int other = 0; other < status; other++)
            assert_string_not_equal(mr_status_name((enum mr_status)status),
                                    mr_status_name((enum mr_status)other));
    }
    assert_string_equal(mr_status_name(MR_NOT_FOUND), "not_found");
    assert_string_equal(mr_recovery_name(MR_RECOVERY_FAIL_TOPOLOGY), "fail_topology");
    assert_string_equal(mr_recovery_name(MR_RECOVERY_EXIT), "exit");
    assert_string_equal(mr_recovery_name((enum mr_recovery)99), "unknown");
}

static void test_assertions_abort_with_a_sentence(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        MR_ASSERT(ends[0] < 0);
        _exit(0);
    }
    close(ends[1]);
    char text[512] = {0};
    size_t size = 0;
    ssize_t part;
    while ((part = read(ends[0], text + size, sizeof text - 1 - size)) > 0)
        size += (size_t)part;
    close(ends[0]);
    int result = 0;
    assert_int_equal(waitpid(child, &result, 0), child);
    assert_true(WIFSIGNALED(result) && WTERMSIG(result) == SIGABRT);
    assert_non_null(strstr(text, "assertion failed: ends[0] < 0"));
    assert_non_null(strstr(text, "test_error.c:"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_set_fills_everything),
        cmocka_unit_test(test_old_message_may_be_an_argument),
        cmocka_unit_test(test_long_messages_are_cut_between_code_points),
        cmocka_unit_test(test_errno),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_assertions_abort_with_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
