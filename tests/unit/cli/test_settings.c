/* tests/unit/cli/test_settings.c — command line, then environment, then file; and what each error
 * says. */
#include "cli/settings.h"

#include "cli/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const char *const colours[] = {"red", "green", NULL};
static const struct mr_flag flags[] = {
    {.name = "config", .kind = MR_FLAG_TEXT, .value = "FILE", .help = "-"},
    {.name = "brokers", .kind = MR_FLAG_TEXT, .value = "LIST", .help = "-"},
    {.name = "http-token-file", .kind = MR_FLAG_TEXT, .value = "FILE", .help = "-"},
    {.name = "grace",
     .kind = MR_FLAG_DURATION,
     .value = "TIME",
     .minimum = 0,
     .maximum = 60000,
     .help = "-"},
    {.name = "colour", .kind = MR_FLAG_CHOICE, .value = "C", .choices = colours, .help = "-"},
    {.name = "quiet", .kind = MR_FLAG_SWITCH, .help = "-"},
    {.name = NULL}};
static const struct mr_command command = {
    .name = "millrace-thing", .operands = "", .summary = "-", .flags = flags};

static const char *const *environment; /* pairs */

static const char *lookup(const char *name)
{
    for (size_t at = 0; environment[at] != NULL; at += 2)
        if (strcmp(environment[at], name) == 0)
            return environment[at + 1];
    return NULL;
}

struct fixture {
    struct mr_arena arena;
    struct mr_arguments arguments;
    struct mr_error error;
    char path[64];
};

static int set_up(void **state)
{
    static struct fixture fixture;
    memset(&fixture, 0, sizeof(fixture));
    mr_arena_init(&fixture.arena, 4096);
    (void)snprintf(fixture.path, sizeof(fixture.path), "/tmp/millrace-settings-XXXXXX");
    int descriptor = mkstemp(fixture.path);
    assert_true(descriptor >= 0);
    (void)close(descriptor);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    (void)unlink(fixture->path);
    mr_arena_deinit(&fixture->arena);
    return 0;
}

static void write_file(struct fixture *fixture, const char *text)
{
    FILE *file = fopen(fixture->path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static enum mr_status parse(struct fixture *fixture, const char *const *words,
                            const char *const *pairs)
{
    uint32_t count = 0;
    while (words[count] != NULL)
        count++;
    environment = pairs;
    return mr_settings_parse(&fixture->arguments, &command, words, count, lookup, &fixture->arena,
                             &fixture->error);
}

static void test_the_first_that_says_it_wins(void **state)
{
    struct fixture *fixture = *state;
    const char *words[] = {"--brokers", "line:1", NULL};
    const char *pairs[] = {"MILLRACE_BROKERS",
                           "variable:1",
                           "MILLRACE_GRACE",
                           "5s",
                           "MILLRACE_CONFIG",
                           fixture->path,
                           "MILLRACE_COLOUR",
                           "",
                           NULL};
    write_file(fixture, "# a comment\nbrokers=file:1\ngrace=9s\ncolour=green\nquiet=true\n"
                        "http-token-file = /t\n");
    assert_int_equal(parse(fixture, words, pairs), MR_OK);
    assert_string_equal(mr_settings_text(&fixture->arguments, "brokers", NULL), "line:1");
    assert_int_equal(mr_settings_integer(&fixture->arguments, "grace", 0), 5000);
    assert_int_equal(mr_settings_integer(&fixture->arguments, "colour", 0), 1);
    assert_true(mr_arguments_given(&fixture->arguments, "quiet"));
    assert_string_equal(mr_settings_text(&fixture->arguments, "http-token-file", NULL), "/t");
}

static void test_what_nobody_says_has_its_default(void **state)
{
    struct fixture *fixture = *state;
    const char *words[] = {NULL};
    const char *pairs[] = {"MILLRACE_QUIET", "false", NULL};
    assert_int_equal(parse(fixture, words, pairs), MR_OK);
    assert_string_equal(mr_settings_text(&fixture->arguments, "brokers", "none"), "none");
    assert_int_equal(mr_settings_integer(&fixture->arguments, "grace", 30000), 30000);
    assert_false(mr_arguments_given(&fixture->arguments, "quiet"));
}

static void refused(struct fixture *fixture, const char *const *pairs, const char *sentence)
{
    const char *words[] = {NULL};
    assert_int_not_equal(parse(fixture, words, pairs), MR_OK);
    if (strstr(fixture->error.message, sentence) == NULL)
        fail_msg("\"%s\" is not in: %s", sentence, fixture->error.message);
}

static void test_errors_name_the_place(void **state)
{
    struct fixture *fixture = *state;
    const char *file[] = {"MILLRACE_CONFIG", fixture->path, NULL};
    const char *variable[] = {"MILLRACE_GRACE", "soon", NULL};
    const char *bound[] = {"MILLRACE_GRACE", "2h", NULL};
    const char *missing[] = {"MILLRACE_CONFIG", "/nowhere/at-all", NULL};
    refused(fixture, variable, "MILLRACE_GRACE: --grace: found 'soon'");
    refused(fixture, variable, "see `millrace-thing --help`");
    refused(fixture, bound, "0 to 60000 milliseconds");
    refused(fixture, missing, "/nowhere/at-all cannot be read");
    write_file(fixture, "broker=x\n");
    refused(fixture, file, "there is no option 'broker'; did you mean 'brokers'?");
    write_file(fixture, "quiet=yes\n");
    refused(fixture, file, "expected true or false");
}

static void test_a_secret_is_one_line(void **state)
{
    struct fixture *fixture = *state;
    const char *secret = NULL;
    write_file(fixture, "s3cret\n");
    assert_int_equal(mr_settings_secret(fixture->path, &fixture->arena, &secret, &fixture->error),
                     MR_OK);
    assert_string_equal(secret, "s3cret");
    write_file(fixture, "\n");
    assert_int_equal(mr_settings_secret(fixture->path, &fixture->arena, &secret, &fixture->error),
                     MR_INVALID);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_the_first_that_says_it_wins),
        CASE(test_what_nobody_says_has_its_default),
        CASE(test_errors_name_the_place),
        CASE(test_a_secret_is_one_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
