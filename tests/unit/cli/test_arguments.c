/* tests/unit/cli/test_arguments.c — flags and operands in every form, and each refusal's sentence.
 */
#include "cli/arguments.h"

#include "base/assert.h"
#include "cli/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static enum mr_exit never_run(const struct mr_arguments *arguments)
{
    (void)arguments;
    return MR_EXIT_WRONG;
}

static const struct mr_flag flags[] = {
    {.name = "output",
     .letter = 'o',
     .kind = MR_FLAG_CHOICE,
     .value = "FORMAT",
     .choices = (const char *const[]){"text", "json", NULL},
     .help = "h"},
    {.name = "threads",
     .kind = MR_FLAG_INTEGER,
     .value = "N",
     .minimum = 1,
     .maximum = 64,
     .help = "h"},
    {.name = "set", .letter = 's', .kind = MR_FLAG_TEXTS, .value = "X", .help = "h"},
    {.name = "with", .kind = MR_FLAG_TEXTS, .value = "X", .help = "h"},
    {.name = "dry-run", .letter = 'n', .kind = MR_FLAG_SWITCH, .help = "h"},
    {.name = "wait", .kind = MR_FLAG_DURATION, .value = "TIME", .help = "h"},
    {.name = "memory",
     .kind = MR_FLAG_SIZE,
     .value = "SIZE",
     .minimum = 1024,
     .maximum = 1 << 20,
     .help = "h"},
    {.name = "name", .kind = MR_FLAG_TEXT, .value = "NAME", .help = "h"},
    {.name = NULL}};

static const struct mr_command command = {.name = "try",
                                          .operands = "FILE...",
                                          .operands_min = 1,
                                          .operands_max = 3,
                                          .summary = "s",
                                          .flags = flags,
                                          .run = never_run};
static const struct mr_command bare = {
    .name = "bare", .operands = "", .summary = "s", .run = never_run};

static struct mr_arguments arguments;

static void parse(const char *const *words)
{
    struct mr_error error;
    uint32_t count = 0;
    while (words[count] != NULL)
        count++;
    if (mr_arguments_parse(&arguments, &command, words, count, &error) != MR_OK)
        fail_msg("refused: %s", error.message);
}

static void assert_refused(const struct mr_command *tried, const char *const *words,
                           const char *sentence)
{
    struct mr_error error;
    uint32_t count = 0;
    while (words[count] != NULL)
        count++;
    assert_int_equal(mr_arguments_parse(&arguments, tried, words, count, &error), MR_INVALID);
    char expected[512];
    size_t size = strlen(sentence);
    assert_true(size < sizeof expected - 40);
    memcpy(expected, sentence, size);
    memcpy(expected + size, "; see `millrace help ", 22);
    strncat(expected, tried->name, 10);
    strncat(expected, "`", 2);
    assert_string_equal(error.message, expected);
}

#define WORDS(...) ((const char *const[]){__VA_ARGS__, NULL})

static void test_forms_of_flags(void **state)
{
    (void)state;
    parse(WORDS("a.yaml", "--output", "json", "b.yaml", "--threads=8", "-n", "--wait", "1h30m",
                "--memory=64KiB", "--name", "--odd"));
    assert_int_equal(arguments.operands_count, 2);
    assert_string_equal(arguments.operands[0], "a.yaml");
    assert_string_equal(arguments.operands[1], "b.yaml");
    assert_int_equal(mr_arguments_flag(&arguments, "output")->integer, 1);
    assert_string_equal(mr_arguments_flag(&arguments, "output")->text, "json");
    assert_int_equal(mr_arguments_flag(&arguments, "threads")->integer, 8);
    assert_true(mr_arguments_given(&arguments, "dry-run"));
    assert_int_equal(mr_arguments_flag(&arguments, "wait")->integer, 5400000);
    assert_int_equal(mr_arguments_flag(&arguments, "memory")->integer, 65536);
    assert_string_equal(mr_arguments_flag(&arguments, "name")->text, "--odd");
    parse(WORDS("-ojson", "--name=", "f"));
    assert_int_equal(mr_arguments_flag(&arguments, "output")->integer, 1);
    assert_string_equal(mr_arguments_flag(&arguments, "name")->text, "");
    assert_false(mr_arguments_given(&arguments, "threads"));
    parse(WORDS("--name=a=b", "f"));
    assert_string_equal(mr_arguments_flag(&arguments, "name")->text, "a=b");
}

static void test_operands(void **state)
{
    (void)state;
    parse(WORDS("-", "--", "--output", "-n"));
    assert_int_equal(arguments.operands_count, 3);
    assert_string_equal(arguments.operands[0], "-");
    assert_string_equal(arguments.operands[1], "--output");
    assert_string_equal(arguments.operands[2], "-n");
    assert_false(mr_arguments_given(&arguments, "output"));
}

static void test_repeated_texts(void **state)
{
    (void)state;
    parse(WORDS("--set", "a", "--with=x", "-sb", "f", "--set=c", "--with", "y"));
    const struct mr_flag_value *set = mr_arguments_flag(&arguments, "set");
    const struct mr_flag_value *with = mr_arguments_flag(&arguments, "with");
    assert_int_equal(set->count, 3);
    assert_string_equal(set->texts[0], "a");
    assert_string_equal(set->texts[1], "b");
    assert_string_equal(set->texts[2], "c");
    assert_int_equal(with->count, 2);
    assert_string_equal(with->texts[0], "x");
    assert_string_equal(with->texts[1], "y");
    parse(WORDS("f"));
    assert_int_equal(mr_arguments_flag(&arguments, "set")->count, 0);
}

static void test_help_wins(void **state)
{
    (void)state;
    parse(WORDS("--help"));
    assert_true(arguments.help);
    parse(WORDS("-h", "--nonsense"));
    assert_true(arguments.help);
    parse(WORDS("f", "--", "--help"));
    assert_false(arguments.help);
}

static void test_unknown_flags(void **state)
{
    (void)state;
    assert_refused(&command, WORDS("--outptu", "json", "f"),
                   "there is no flag '--outptu'; did you mean '--output'?");
    assert_refused(&command, WORDS("f", "--dryrun"),
                   "there is no flag '--dryrun'; did you mean '--dry-run'?");
    assert_refused(&command, WORDS("f", "--completely-else=5"),
                   "there is no flag '--completely-else=5'");
    assert_refused(&command, WORDS("f", "-z"), "there is no flag '-z'");
    assert_refused(&command, WORDS("f", "--=x"), "there is no flag '--=x'");
    assert_refused(&bare, WORDS("--output"), "there is no flag '--output'");
}

static void test_wrong_values(void **state)
{
    (void)state;
    assert_refused(&command, WORDS("f", "--output", "yaml"),
                   "--output: found 'yaml', expected one of 'text', 'json'");
    assert_refused(&command, WORDS("f", "--threads", "two"),
                   "--threads: found 'two', expected a whole number");
    assert_refused(&command, WORDS("f", "--threads=65"), "--threads: found '65', expected 1 to 64");
    assert_refused(&command, WORDS("f", "--threads=0"), "--threads: found '0', expected 1 to 64");
    assert_refused(&command, WORDS("f", "--wait", "5"),
                   "--wait: found '5', expected a duration such as 250ms, 30s or 1h30m");
    assert_refused(&command, WORDS("f", "--memory", "5"),
                   "--memory: found '5', expected a size such as 512KiB, 64MiB or 10GB");
    assert_refused(&command, WORDS("f", "--memory", "1B"),
                   "--memory: found '1B', expected 1024 to 1048576 bytes");
    assert_refused(&command, WORDS("f", "--dry-run=yes"), "--dry-run takes no value");
    assert_refused(&command, WORDS("f", "--name"), "--name needs a value: NAME");
    assert_refused(&command, WORDS("f", "-o"), "--output needs a value: FORMAT");
    assert_refused(&command, WORDS("f", "-n", "--dry-run"), "--dry-run is given twice");
    assert_refused(&command, WORDS("f", "-o", "json", "-o", "json"), "--output is given twice");
}

static void test_wrong_operands(void **state)
{
    (void)state;
    assert_refused(&command, WORDS("-n"), "'try' needs FILE...");
    assert_refused(&command, WORDS("a", "b", "c", "d"),
                   "'try' takes at most 3 of FILE...; 'd' is too many");
    assert_refused(&bare, WORDS("a"), "'bare' takes no 'a'");
    const char *many[MR_OPERANDS_MAX + 2];
    for (size_t i = 0; i < MR_ARRAY_COUNT(many) - 1; i++)
        many[i] = "-sx";
    many[MR_ARRAY_COUNT(many) - 1] = NULL;
    assert_refused(&command, many, "the command line has too many words");
    many[MR_OPERANDS_MAX - 1] = "f";
    many[MR_OPERANDS_MAX] = NULL;
    parse(many);
    assert_int_equal(mr_arguments_flag(&arguments, "set")->count, MR_OPERANDS_MAX - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_forms_of_flags), cmocka_unit_test(test_operands),
        cmocka_unit_test(test_repeated_texts), cmocka_unit_test(test_help_wins),
        cmocka_unit_test(test_unknown_flags),  cmocka_unit_test(test_wrong_values),
        cmocka_unit_test(test_wrong_operands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
