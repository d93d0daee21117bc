/* cli/settings.c — see settings.h.
 * Design: a value from elsewhere is parsed as if it stood on a command line of its own, so that it
 * is checked by the same code; its error then names where it stands. */
#include "cli/settings.h"

#include "base/assert.h"
#include "base/limits.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/load.h"
#include "cli/properties.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>

enum { NAME_SIZE = 96, SECRET_BYTES_MAX = 4096 };

struct filling {
    struct mr_arguments *arguments;
    const struct mr_command *command;
    struct mr_arena *arena;
    struct mr_error *error;
};

static void variable_name(const char *flag, char name[NAME_SIZE])
{
    size_t size = (size_t)snprintf(name, NAME_SIZE, "MILLRACE_%s", flag);
    for (size_t at = 0; at < size && at < NAME_SIZE; at++)
        name[at] = name[at] == '-' ? '_' : (char)toupper((unsigned char)name[at]);
}

/* Take a value from elsewhere for a flag that has none. place: for errors. */
static enum mr_status fill(const struct filling *filling, uint32_t index, const char *value,
                           const char *place)
{
    const struct mr_flag *flag = &filling->command->flags[index];
    const bool is_switch = flag->kind == MR_FLAG_SWITCH;
    const char *word =
        mr_arena_format(filling->arena, is_switch ? "--%s" : "--%s=%s", flag->name, value);
    struct mr_command lenient = *filling->command;
    struct mr_arguments *parsed = mr_arena_new(filling->arena, 1, sizeof(*parsed));
    lenient.operands_min = 0;
    if (is_switch && strcmp(value, "true") != 0 && strcmp(value, "false") != 0)
        return MR_FAIL(filling->error, MR_INVALID, MR_RECOVERY_NONE,
                       "%s: %s is a switch; expected true or false", place, flag->name);
    if (is_switch && strcmp(value, "false") == 0)
        return MR_OK;
    enum mr_status status = mr_arguments_parse(parsed, &lenient, &word, 1, filling->error);
    if (status != MR_OK) {
        mr_error_context(filling->error, "%s", place);
        return status;
    }
    filling->arguments->values[index] = parsed->values[index];
    return MR_OK;
}

static enum mr_status fill_from_environment(const struct filling *filling,
                                            const char *(*lookup)(const char *name))
{
    for (uint32_t index = 0; filling->command->flags[index].name != NULL; index++) {
        char name[NAME_SIZE];
        variable_name(filling->command->flags[index].name, name);
        const char *value = lookup(name);
        if (filling->arguments->values[index].count > 0 || value == NULL || value[0] == '\0')
            continue;
        enum mr_status status = fill(filling, index, value, name);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static int find_flag(const struct mr_command *command, const char *name)
{
    for (int index = 0; command->flags[index].name != NULL; index++)
        if (strcmp(command->flags[index].name, name) == 0)
            return index;
    return -1;
}

static enum mr_status unknown_name(const struct filling *filling, const char *path,
                                   const char *name)
{
    const char *names[MR_FLAGS_MAX];
    uint32_t count = 0;
    for (; filling->command->flags[count].name != NULL; count++)
        names[count] = filling->command->flags[count].name;
    const char *nearest = mr_options_nearest(name, names, count);
    return MR_FAIL(filling->error, MR_INVALID, MR_RECOVERY_NONE,
                   "%s: there is no option '%.60s'%s%s%s", path, name,
                   nearest != NULL ? "; did you mean '" : "", nearest != NULL ? nearest : "",
                   nearest != NULL ? "'?" : "");
}

static enum mr_status fill_from_file(const struct filling *filling, const char *path)
{
    const char *const *pairs = NULL;
    enum mr_status status = mr_properties_read(path, filling->arena, &pairs, filling->error);
    for (uint32_t at = 0; status == MR_OK && pairs[at] != NULL; at += 2) {
        int index = find_flag(filling->command, pairs[at]);
        if (index < 0)
            return unknown_name(filling, path, pairs[at]);
        if (filling->arguments->values[index].count == 0)
            status = fill(filling, (uint32_t)index, pairs[at + 1], path);
    }
    return status;
}

enum mr_status mr_settings_parse(struct mr_arguments *arguments, const struct mr_command *command,
                                 const char *const *words, uint32_t words_count,
                                 const char *(*lookup)(const char *name), struct mr_arena *arena,
                                 struct mr_error *error)
{
    const struct filling filling = {
        .arguments = arguments, .command = command, .arena = arena, .error = error};
    MR_ASSERT(find_flag(command, "config") >= 0);
    enum mr_status status = mr_arguments_parse(arguments, command, words, words_count, error);
    if (status != MR_OK || arguments->help)
        return status;
    status = fill_from_environment(&filling, lookup);
    const char *path = mr_settings_text(arguments, "config", NULL);
    return status == MR_OK && path != NULL ? fill_from_file(&filling, path) : status;
}

const char *mr_settings_text(const struct mr_arguments *arguments, const char *name,
                             const char *otherwise)
{
    return mr_arguments_given(arguments, name) ? mr_arguments_flag(arguments, name)->text
                                               : otherwise;
}

int64_t mr_settings_integer(const struct mr_arguments *arguments, const char *name,
                            int64_t otherwise)
{
    return mr_arguments_given(arguments, name) ? mr_arguments_flag(arguments, name)->integer
                                               : otherwise;
}

bool mr_settings_is_name(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return size > 0 && size <= MR_LIMIT_NAME_BYTES && text[size] == '\0';
}

enum mr_status mr_settings_secret(const char *path, struct mr_arena *arena, const char **secret,
                                  struct mr_error *error)
{
    struct mr_slice bytes;
    enum mr_status status = mr_load_file(arena, path, SECRET_BYTES_MAX, &bytes, error);
    if (status != MR_OK)
        return status;
    while (bytes.size > 0 && isspace(bytes.data[bytes.size - 1]))
        bytes.size--;
    if (bytes.size == 0 || memchr(bytes.data, '\0', bytes.size) != NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "'%s' holds no secret", path);
    *secret = mr_arena_copy_bytes_text(arena, bytes.data, bytes.size);
    return MR_OK;
}

static const char *from_environment(const char *name)
{
    return getenv(name);
}

static void print_help(const struct mr_command *command)
{
    printf("usage: %s [FLAG...]\n\n%s\n%s\n\n", command->name, command->summary,
           command->description != NULL ? command->description : "");
    for (size_t at = 0; command->flags[at].name != NULL; at++) {
        char variable[NAME_SIZE];
        const struct mr_flag *flag = &command->flags[at];
        variable_name(flag->name, variable);
        printf("  --%s%s%s\n        %s [%s]\n", flag->name, flag->value != NULL ? " " : "",
               flag->value != NULL ? flag->value : "", flag->help, variable);
    }
}

int mr_settings_main(const struct mr_command *command, int words_count, char **words)
{
    const char *const *behind_name = (const char *const *)(words + (words_count > 0 ? 1 : 0));
    uint32_t count = words_count > 0 ? (uint32_t)words_count - 1 : 0;
    struct mr_arguments arguments;
    struct mr_arena arena;
    struct mr_error error;
    if (count == 1 && strcmp(behind_name[0], "--version") == 0) {
        printf("%s " MILLRACE_VERSION "\n", command->name);
        return MR_EXIT_FINE;
    }
    mr_arena_init(&arena, 1 << 14);
    enum mr_exit code = MR_EXIT_FINE;
    if (mr_settings_parse(&arguments, command, behind_name, count, from_environment, &arena,
                          &error) != MR_OK) {
        (void)fprintf(stderr, "%s: %s\n", command->name, error.message);
        code = MR_EXIT_USAGE;
    } else if (arguments.help) {
        print_help(command);
    } else {
        code = command->run(&arguments);
    }
    mr_log_flush();
    mr_arena_deinit(&arena);
    return (int)code;
}
