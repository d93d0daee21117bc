/* cli/arguments.c — see arguments.h.
 * Design: one pass over the words. Each flag keeps one value; the values of TEXTS flags are
 * gathered in a second pass, so that those of one flag lie side by side. */
#include "cli/arguments.h"

#include "base/assert.h"
#include "base/number.h"
#include "base/options.h"
#include "cli/command.h"

#include <stdio.h>

const char *const mr_output_names[] = {"text", "json", NULL};

/* Where the parser stands. */
struct parser {
    struct mr_arguments *arguments;
    const char *const *words;
    uint32_t words_count;
    uint32_t position; /* of the word behind the current one */
    bool flags_ended;
    const char *texts[MR_OPERANDS_MAX]; /* values of TEXTS flags as they came */
    uint32_t text_flags[MR_OPERANDS_MAX];
    uint32_t texts_count;
    struct mr_error *error;
};

static uint32_t count_flags(const struct mr_command *command)
{
    uint32_t count = 0;
    while (command->flags != NULL && command->flags[count].name != NULL)
        count++;
    MR_ASSERT(count <= MR_FLAGS_MAX);
    return count;
}

static enum mr_status wrong(struct parser *parser, const char *sentence)
{
    const char *name = parser->arguments->command->name;
    if (strncmp(name, "millrace-", 9) == 0) /* a program of its own: cli/settings.h */
        return MR_FAIL(parser->error, MR_INVALID, MR_RECOVERY_NONE, "%s; see `%s --help`", sentence,
                       name);
    return MR_FAIL(parser->error, MR_INVALID, MR_RECOVERY_NONE, "%s; see `millrace help %s`",
                   sentence, name);
}

static int find_long(const struct mr_command *command, struct mr_slice name)
{
    for (uint32_t i = 0; i < count_flags(command); i++)
        if (mr_slice_equal(mr_slice_text(command->flags[i].name), name))
            return (int)i;
    return -1;
}

static int find_letter(const struct mr_command *command, char letter)
{
    for (uint32_t i = 0; i < count_flags(command); i++)
        if (letter != '\0' && command->flags[i].letter == letter)
            return (int)i;
    return -1;
}

static enum mr_status unknown_flag(struct parser *parser, const char *word, struct mr_slice name)
{
    const struct mr_command *command = parser->arguments->command;
    const char *names[MR_FLAGS_MAX];
    uint32_t count = count_flags(command);
    for (uint32_t i = 0; i < count; i++)
        names[i] = command->flags[i].name;
    char text[64] = "";
    if (name.size > 0 && name.size < sizeof text)
        memcpy(text, name.data, name.size);
    const char *nearest = mr_options_nearest(text, names, count);
    char sentence[256];
    if (nearest != NULL)
        snprintf(sentence, sizeof sentence, "there is no flag '%.80s'; did you mean '--%s'?", word,
                 nearest);
    else
        snprintf(sentence, sizeof sentence, "there is no flag '%.80s'", word);
    return wrong(parser, sentence);
}

static enum mr_status bad_value(struct parser *parser, const struct mr_flag *flag, const char *text,
                                const char *expected)
{
    char sentence[400];
    snprintf(sentence, sizeof sentence, "--%s: found '%.80s', expected %s", flag->name, text,
             expected);
    return wrong(parser, sentence);
}

static enum mr_status parse_choice(struct parser *parser, const struct mr_flag *flag,
                                   const char *text, int64_t *integer)
{
    char expected[256] = "one of ";
    uint32_t count = 0;
    for (; flag->choices[count] != NULL; count++) {
        if (strcmp(flag->choices[count], text) == 0) {
            *integer = count;
            return MR_OK;
        }
        size_t size = strlen(expected);
        snprintf(expected + size, sizeof expected - size, "%s'%s'", count > 0 ? ", " : "",
                 flag->choices[count]);
    }
    return bad_value(parser, flag, text, expected);
}

static enum mr_status parse_bounded(struct parser *parser, const struct mr_flag *flag,
                                    const char *text, int64_t *integer)
{
    struct mr_slice slice = mr_slice_text(text);
    const char *expected = "a whole number";
    bool parsed;
    if (flag->kind == MR_FLAG_DURATION) {
        expected = "a duration such as 250ms, 30s or 1h30m";
        parsed = mr_option_parse_duration(slice, integer);
    } else if (flag->kind == MR_FLAG_SIZE) {
        expected = "a size such as 512KiB, 64MiB or 10GB";
        parsed = mr_option_parse_size(slice, integer);
    } else {
        parsed = mr_number_parse_int(slice, integer);
    }
    if (!parsed)
        return bad_value(parser, flag, text, expected);
    if (flag->minimum < flag->maximum && (*integer < flag->minimum || *integer > flag->maximum)) {
        char range[128];
        const char *unit = flag->kind == MR_FLAG_DURATION ? " milliseconds"
                           : flag->kind == MR_FLAG_SIZE   ? " bytes"
                                                          : "";
        snprintf(range, sizeof range, "%lld to %lld%s", (long long)flag->minimum,
                 (long long)flag->maximum, unit);
        return bad_value(parser, flag, text, range);
    }
    return MR_OK;
}

/* text: the flag's value, NULL for a switch. */
static enum mr_status set_flag(struct parser *parser, uint32_t index, const char *text)
{
    const struct mr_flag *flag = &parser->arguments->command->flags[index];
    struct mr_flag_value *value = &parser->arguments->values[index];
    if (value->count > 0 && flag->kind != MR_FLAG_TEXTS) {
        char sentence[128];
        snprintf(sentence, sizeof sentence, "--%s is given twice", flag->name);
        return wrong(parser, sentence);
    }
    value->count++;
    value->text = text;
    switch (flag->kind) {
    case MR_FLAG_CHOICE:
        return parse_choice(parser, flag, text, &value->integer);
    case MR_FLAG_INTEGER:
    case MR_FLAG_DURATION:
    case MR_FLAG_SIZE:
        return parse_bounded(parser, flag, text, &value->integer);
    case MR_FLAG_TEXTS: /* fewer than words, which are at most MR_OPERANDS_MAX */
        parser->texts[parser->texts_count] = text;
        parser->text_flags[parser->texts_count++] = index;
        break;
    case MR_FLAG_SWITCH:
    case MR_FLAG_TEXT:
        break;
    }
    return MR_OK;
}

/* attached: the value behind '=', or NULL. Takes the next word as the value otherwise. */
static enum mr_status take_flag(struct parser *parser, uint32_t index, const char *attached)
{
    const struct mr_flag *flag = &parser->arguments->command->flags[index];
    char sentence[128];
    if (flag->kind == MR_FLAG_SWITCH) {
        if (attached == NULL)
            return set_flag(parser, index, NULL);
        snprintf(sentence, sizeof sentence, "--%s takes no value", flag->name);
        return wrong(parser, sentence);
    }
    if (attached == NULL) {
        if (parser->position == parser->words_count) {
            snprintf(sentence, sizeof sentence, "--%s needs a value: %s", flag->name, flag->value);
            return wrong(parser, sentence);
        }
        attached = parser->words[parser->position++];
    }
    return set_flag(parser, index, attached);
}

static enum mr_status take_long(struct parser *parser, const char *word)
{
    const char *equals = strchr(word, '=');
    size_t size = equals != NULL ? (size_t)(equals - word) : strlen(word);
    struct mr_slice name = mr_slice_from(word + 2, size - 2);
    int index = find_long(parser->arguments->command, name);
    if (index < 0)
        return unknown_flag(parser, word, name);
    return take_flag(parser, (uint32_t)index, equals != NULL ? equals + 1 : NULL);
}

static enum mr_status take_short(struct parser *parser, const char *word)
{
    int index = find_letter(parser->arguments->command, word[1]);
    if (index < 0)
        return unknown_flag(parser, word, mr_slice_text(word + 1));
    return take_flag(parser, (uint32_t)index, word[2] != '\0' ? word + 2 : NULL);
}

static enum mr_status take_operand(struct parser *parser, const char *word)
{
    struct mr_arguments *arguments = parser->arguments;
    const struct mr_command *command = arguments->command;
    if (arguments->operands_count == command->operands_max ||
        arguments->operands_count == MR_OPERANDS_MAX) {
        char sentence[256];
        if (command->operands_max == 0)
            snprintf(sentence, sizeof sentence, "'%s' takes no '%.80s'", command->name, word);
        else
            snprintf(sentence, sizeof sentence, "'%s' takes at most %u of %s; '%.80s' is too many",
                     command->name, command->operands_max, command->operands, word);
        return wrong(parser, sentence);
    }
    arguments->operand_storage[arguments->operands_count++] = word;
    return MR_OK;
}

static enum mr_status take_word(struct parser *parser)
{
    const char *word = parser->words[parser->position++];
    if (parser->flags_ended || word[0] != '-' || word[1] == '\0')
        return take_operand(parser, word);
    if (strcmp(word, "--") == 0) {
        parser->flags_ended = true;
        return MR_OK;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
        parser->arguments->help = true;
        return MR_OK;
    }
    return word[1] == '-' ? take_long(parser, word) : take_short(parser, word);
}

/* Put the values of each TEXTS flag side by side, in the order of the command line. */
static void gather_texts(const struct parser *parser)
{
    struct mr_arguments *arguments = parser->arguments;
    uint32_t used = 0;
    for (uint32_t i = 0; i < count_flags(arguments->command); i++) {
        if (arguments->command->flags[i].kind != MR_FLAG_TEXTS)
            continue;
        arguments->values[i].texts = &arguments->text_storage[used];
        for (uint32_t j = 0; j < parser->texts_count; j++)
            if (parser->text_flags[j] == i)
                arguments->text_storage[used++] = parser->texts[j];
    }
}

enum mr_status mr_arguments_parse(struct mr_arguments *arguments, const struct mr_command *command,
                                  const char *const *words, uint32_t words_count,
                                  struct mr_error *error)
{
    *arguments = (struct mr_arguments){.command = command};
    arguments->operands = arguments->operand_storage;
    struct parser parser = {
        .arguments = arguments, .words = words, .words_count = words_count, .error = error};
    if (words_count > MR_OPERANDS_MAX)
        return wrong(&parser, "the command line has too many words");
    while (parser.position < words_count && !arguments->help) {
        enum mr_status status = take_word(&parser);
        if (status != MR_OK)
            return status;
    }
    if (arguments->help)
        return MR_OK;
    if (arguments->operands_count < command->operands_min) {
        char sentence[160];
        snprintf(sentence, sizeof sentence, "'%s' needs %s", command->name, command->operands);
        return wrong(&parser, sentence);
    }
    gather_texts(&parser);
    return MR_OK;
}

const struct mr_flag_value *mr_arguments_flag(const struct mr_arguments *arguments,
                                              const char *name)
{
    int index = find_long(arguments->command, mr_slice_text(name));
    MR_ASSERT(index >= 0);
    return &arguments->values[index];
}

bool mr_arguments_declared(const struct mr_arguments *arguments, const char *name)
{
    return find_long(arguments->command, mr_slice_text(name)) >= 0;
}

bool mr_arguments_given(const struct mr_arguments *arguments, const char *name)
{
    return mr_arguments_flag(arguments, name)->count > 0;
}
