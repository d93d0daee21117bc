/* cli/settings.h — options of the servers: from the command line, else the environment, else a
 * configuration file.
 * Model: the flags of a command's table. `--brokers` is MILLRACE_BROKERS in the environment and
 * `brokers` in the file that --config or MILLRACE_CONFIG names (lines name=value). What comes first
 * wins, flag by flag. A switch is true or false there; TEXTS take one value. An empty variable is
 * one that is not set. A name in the file that is no flag is an error: it would have no effect.
 * `config` itself must be among the flags. */
#ifndef MR_CLI_SETTINGS_H
#define MR_CLI_SETTINGS_H

#include "base/arena.h"
#include "cli/arguments.h"

/* Parse words, then fill in what they do not say. Owner: arguments borrow from words, the
 * environment and arena. lookup: the environment (getenv but in tests). Errors: MR_INVALID and what
 * reading the file may give, with a sentence that names the place, never a value of the file. */
enum mr_status mr_settings_parse(struct mr_arguments *arguments, const struct mr_command *command,
                                 const char *const *words, uint32_t words_count,
                                 const char *(*lookup)(const char *name), struct mr_arena *arena,
                                 struct mr_error *error) MR_NODISCARD;

/* Text of a flag, or otherwise when it is not given. */
const char *mr_settings_text(const struct mr_arguments *arguments, const char *name,
                             const char *otherwise);
int64_t mr_settings_integer(const struct mr_arguments *arguments, const char *name,
                            int64_t otherwise);

/* A name of a cluster or worker: 1 to 63 letters, digits, dots, dashes and underscores. */
bool mr_settings_is_name(const char *text);

/* A file that holds one secret, without the line's end. Owner: arena. */
enum mr_status mr_settings_secret(const char *path, struct mr_arena *arena, const char **secret,
                                  struct mr_error *error) MR_NODISCARD;

/* Run a server's program: settings, --help, --version, then command->run. Returns its exit code. */
int mr_settings_main(const struct mr_command *command, int words_count, char **words);

#endif
