/* cli/arguments.h — the command line: flags declared as tables, errors that say what to write.
 * Grammar: `--name VALUE`, `--name=VALUE`, `-n VALUE`, `--switch`; flags and operands in any order;
 * `--` ends the flags; `-` is an operand. A flag is given once, unless its kind is TEXTS.
 * Limits: MR_FLAGS_MAX flags of a command, MR_OPERANDS_MAX operands. */
#ifndef MR_CLI_ARGUMENTS_H
#define MR_CLI_ARGUMENTS_H

#include "base/error.h"

enum { MR_FLAGS_MAX = 48, MR_OPERANDS_MAX = 256 };

enum mr_flag_kind {
    MR_FLAG_SWITCH,
    MR_FLAG_TEXT,
    MR_FLAG_TEXTS, /* may be given more than once */
    MR_FLAG_INTEGER,
    MR_FLAG_DURATION, /* "30s"; integer is milliseconds */
    MR_FLAG_SIZE,     /* "64MiB"; integer is bytes */
    MR_FLAG_CHOICE    /* integer is the index into choices */
};

struct mr_flag {
    const char *name; /* without the dashes */
    char letter;      /* of the short form; 0: none */
    enum mr_flag_kind kind;
    const char *value;          /* what the value is called in the help: "DIR"; NULL for switches */
    const char *const *choices; /* of CHOICE, ended by NULL */
    int64_t minimum;            /* of INTEGER, DURATION and SIZE, both inclusive; */
    int64_t maximum;            /* checked when minimum < maximum */
    const char *help;
};

struct mr_flag_value {
    uint32_t count; /* times given */
    int64_t integer;
    const char *text;         /* as written, the last one */
    const char *const *texts; /* of TEXTS, count of them; borrowed from the arguments */
};

struct mr_command;

struct mr_arguments {
    const struct mr_command *command;
    const char *const *operands;
    uint32_t operands_count;
    struct mr_flag_value values[MR_FLAGS_MAX]; /* by the command's flags */
    bool help; /* --help or -h was given; nothing else was checked then */
    const char *operand_storage[MR_OPERANDS_MAX];
    const char *text_storage[MR_OPERANDS_MAX]; /* of all TEXTS flags, each a run */
};

/* Parse the words behind the command's name. Texts borrow from words.
 * Errors: MR_INVALID with a sentence for the user. */
enum mr_status mr_arguments_parse(struct mr_arguments *arguments, const struct mr_command *command,
                                  const char *const *words, uint32_t words_count,
                                  struct mr_error *error) MR_NODISCARD;

/* The value of a flag. Pre: the command declares it (asserted). */
const struct mr_flag_value *mr_arguments_flag(const struct mr_arguments *arguments,
                                              const char *name);
/* Whether the command has the flag at all. */
bool mr_arguments_declared(const struct mr_arguments *arguments, const char *name);
bool mr_arguments_given(const struct mr_arguments *arguments, const char *name);

#endif
