/* tests/unit/cli/test_kubernetes_flags.c — what is given, and what a pod finds. */
#include "cli/kubernetes_flags.h"

#include "cli/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const struct mr_flag flags[] = {MR_FLAGS_KUBERNETES, {.name = NULL}};
static const struct mr_command command = {.name = "program", .operands = "", .flags = flags};

static enum mr_status read(const char *const *words, uint32_t count, struct mr_arena *arena,
                           struct mr_kubernetes_options *options, struct mr_error *error)
{
    struct mr_arguments arguments;
    assert_int_equal(mr_arguments_parse(&arguments, &command, words, count, error), MR_OK);
    return mr_kubernetes_flags_read(&arguments, arena, options, error);
}

static void test_what_is_given_is_taken(void **state)
{
    static const char *const words[] = {"--kubernetes=https://k:1", "--kubernetes-authority=/a",
                                        "--kubernetes-token-file=/t",
                                        "--kubernetes-namespace=streams"};
    struct mr_kubernetes_options options;
    struct mr_arena arena;
    struct mr_error error;
    (void)state;
    mr_arena_init(&arena, 1024);
    assert_int_equal(read(words, 4, &arena, &options, &error), MR_OK);
    assert_string_equal(options.url, "https://k:1");
    assert_string_equal(options.authority_file, "/a");
    assert_string_equal(options.token_file, "/t");
    assert_string_equal(options.name_space, "streams");
    mr_arena_deinit(&arena);
}

static void test_elsewhere_than_in_a_pod_something_must_be_given(void **state)
{
    struct mr_kubernetes_options options;
    struct mr_arena arena;
    struct mr_error error;
    (void)state;
    mr_arena_init(&arena, 1024);
    (void)unsetenv("KUBERNETES_SERVICE_HOST");
    assert_int_equal(read(NULL, 0, &arena, &options, &error), MR_INVALID);
    assert_non_null(strstr(error.message, "--kubernetes"));
    assert_int_equal(setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1", 1), 0);
    assert_int_equal(setenv("KUBERNETES_SERVICE_PORT", "443", 1), 0);
    if (read(NULL, 0, &arena, &options, &error) == MR_OK) /* its files are not everywhere */
        assert_string_equal(options.url, "https://10.0.0.1:443");
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_given_is_taken),
        cmocka_unit_test(test_elsewhere_than_in_a_pod_something_must_be_given),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
