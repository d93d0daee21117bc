/* cli/main.c — the program `millrace`: the table of commands, help, and the exit code.
 * Order to read: command.h, arguments.h, this file, then one file per command. */
#include "base/assert.h"
#include "base/options.h"
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>

/* Sorted as the help shows them; a command with a heading begins a group. */
static const struct {
    const char *heading;
    const struct mr_command *command;
} commands[] = {
    {"Topology files", &mr_command_validate},
    {NULL, &mr_command_plan},
    {NULL, &mr_command_test},
    {NULL, &mr_command_run},
    {NULL, &mr_command_docs},
    {"Topologies of a cluster (--server)", &mr_command_submit},
    {NULL, &mr_command_list},
    {NULL, &mr_command_status},
    {NULL, &mr_command_describe},
    {NULL, &mr_command_why},
    {NULL, &mr_command_lag},
    {NULL, &mr_command_query},
    {NULL, &mr_command_pause},
    {NULL, &mr_command_resume},
    {NULL, &mr_command_seek},
    {NULL, &mr_command_diff},
    {NULL, &mr_command_rollback},
    {NULL, &mr_command_reset},
    {NULL, &mr_command_delete},
    {"The cluster itself (--server)", &mr_command_workers},
    {NULL, &mr_command_tasks},
    {NULL, &mr_command_drain},
    {NULL, &mr_command_events},
    {NULL, &mr_command_top},
    {"Records (--brokers)", &mr_command_produce},
    {NULL, &mr_command_tail},
    {NULL, &mr_command_dlq},
    {NULL, &mr_command_report},
    {"Models of generators", &mr_command_model},
    {NULL, &mr_command_fit},
    {NULL, &mr_command_generate},
    {"Help", &mr_command_doctor},
};

static const struct mr_command *find_command(const char *name)
{
    for (size_t i = 0; i < MR_ARRAY_COUNT(commands); i++)
        if (strcmp(commands[i].command->name, name) == 0)
            return commands[i].command;
    return NULL;
}

static void print_overview(FILE *output)
{
    fputs("Millrace is a distributed stream processor for detectors and generators.\n\n"
          "usage: millrace COMMAND [FLAG...] [OPERAND...]\n",
          output);
    for (size_t i = 0; i < MR_ARRAY_COUNT(commands); i++) {
        if (commands[i].heading != NULL)
            fprintf(output, "\n%s\n", commands[i].heading);
        fprintf(output, "  %-10s %s\n", commands[i].command->name, commands[i].command->summary);
    }
    fputs(
        "  version    Print the version.\n"
        "  help       Show what a command does and its flags: millrace help COMMAND.\n\n"
        "Exit codes: 0 fine, 1 the topology or the data is wrong, 2 usage, 3 the cluster cannot be "
        "reached.\n",
        output);
}

static void print_flag(const struct mr_flag *flag)
{
    char head[64];
    char letter[8] = "    ";
    if (flag->letter != '\0')
        snprintf(letter, sizeof letter, "-%c, ", flag->letter);
    snprintf(head, sizeof head, "%s--%s%s%s", letter, flag->name,
             flag->kind == MR_FLAG_SWITCH ? "" : " ",
             flag->kind == MR_FLAG_SWITCH ? "" : flag->value);
    printf("  %-28s %s\n", head, flag->help);
}

static void print_help(const struct mr_command *command)
{
    bool has_flags = command->flags != NULL && command->flags[0].name != NULL;
    printf("usage: millrace %s%s%s%s\n\n%s\n", command->name, has_flags ? " [FLAG...]" : "",
           command->operands[0] != '\0' ? " " : "", command->operands, command->summary);
    if (command->description != NULL)
        printf("%s\n", command->description);
    if (has_flags)
        putchar('\n');
    for (size_t i = 0; has_flags && command->flags[i].name != NULL; i++)
        print_flag(&command->flags[i]);
}

static enum mr_exit unknown_command(const char *name)
{
    const char *names[MR_ARRAY_COUNT(commands) + 2];
    size_t count = 0;
    for (; count < MR_ARRAY_COUNT(commands); count++)
        names[count] = commands[count].command->name;
    names[count++] = "version";
    names[count++] = "help";
    const char *nearest = mr_options_nearest(name, names, (uint32_t)count);
    fprintf(stderr, "millrace: there is no command '%s'", name);
    if (nearest != NULL)
        fprintf(stderr, "; did you mean '%s'?", nearest);
    fputs("; `millrace help` lists them\n", stderr);
    return MR_EXIT_USAGE;
}

static enum mr_exit help(int words_count, const char *const *words)
{
    if (words_count == 0) {
        print_overview(stdout);
        return MR_EXIT_FINE;
    }
    const struct mr_command *command = find_command(words[0]);
    if (command == NULL)
        return unknown_command(words[0]);
    print_help(command);
    return MR_EXIT_FINE;
}

static enum mr_exit run_command(const struct mr_command *command, int words_count,
                                const char *const *words)
{
    struct mr_arguments arguments;
    struct mr_error error;
    if (mr_arguments_parse(&arguments, command, words, (uint32_t)words_count, &error) != MR_OK) {
        fprintf(stderr, "millrace: %s\n", error.message);
        return MR_EXIT_USAGE;
    }
    if (arguments.help) {
        print_help(command);
        return MR_EXIT_FINE;
    }
    return command->run(&arguments);
}

static enum mr_exit dispatch(int words_count, const char *const *words)
{
    if (words_count == 0) {
        print_overview(stderr);
        return MR_EXIT_USAGE;
    }
    const char *name = words[0];
    if (strcmp(name, "help") == 0 || strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return help(words_count - 1, words + 1);
    if (strcmp(name, "version") == 0 || strcmp(name, "--version") == 0) {
        puts("millrace " MILLRACE_VERSION);
        return MR_EXIT_FINE;
    }
    const struct mr_command *command = find_command(name);
    return command != NULL ? run_command(command, words_count - 1, words + 1)
                           : unknown_command(name);
}

int main(int words_count, char **words)
{
    const char *const *behind_name = (const char *const *)(words + (words_count > 0 ? 1 : 0));
    enum mr_exit code = dispatch(words_count > 0 ? words_count - 1 : 0, behind_name);
    /* Output that could not be written is not fine: a full disk, a closed pipe. */
    if (fflush(stdout) != 0 || ferror(stdout)) {
        fputs("millrace: standard output could not be written\n", stderr);
        code = code == MR_EXIT_FINE ? MR_EXIT_WRONG : code;
    }
    return (int)code;
}
