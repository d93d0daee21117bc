/* cli/model_open.h — the model that a command is given: a file, or TOPOLOGY/OPERATOR of a cluster.
 * Flags: MR_FLAGS_MODEL, and those of MR_FLAGS_SERVER. */
#ifndef MR_CLI_MODEL_OPEN_H
#define MR_CLI_MODEL_OPEN_H

#include "base/arena.h"
#include "cli/command.h"
#include "operators/sample_model.h"

#define MR_FLAGS_MODEL                                                                             \
    {.name = "key",                                                                                \
     .letter = 'k',                                                                                \
     .kind = MR_FLAG_TEXT,                                                                         \
     .value = "KEY",                                                                               \
     .help = "Of TOPOLOGY/OPERATOR: whose model, where it has one for each key."},                 \
    {                                                                                              \
        .name = "partition", .kind = MR_FLAG_INTEGER, .value = "N", .minimum = 0,                  \
        .maximum = 999999999,                                                                      \
        .help = "Of TOPOLOGY/OPERATOR without a key: whose model (default 0)."                     \
    }

struct mr_cli_model {
    struct mr_slice text; /* of the document, in the arena */
    struct mr_sample_model *model;
};

/* operand: a file ("-": standard input) or, where there is no such file, TOPOLOGY/OPERATOR. Prints
 * what is wrong; close it in any case. */
enum mr_exit mr_cli_model_open(struct mr_cli_model *model, const struct mr_arguments *arguments,
                               const char *operand, struct mr_arena *arena);
/* The same from a file alone, and from a cluster alone. */
enum mr_exit mr_cli_model_read(struct mr_cli_model *model, const char *path,
                               struct mr_arena *arena);
enum mr_exit mr_cli_model_fetch(struct mr_cli_model *model, const struct mr_arguments *arguments,
                                const char *operand, struct mr_arena *arena);
void mr_cli_model_close(struct mr_cli_model *model);

#endif
