/* cli/environment.h — the values of ${NAME} that a definition takes from this environment, written
 * into its `spec.values`, so that the cluster reads the same topology.
 * Why: what is stored must be whole, and an old version must mean the same when it is rolled back
 * to. Writing them into spec.values keeps the file's lines, comments and quoting, and cannot change
 * the structure. */
#ifndef MR_CLI_ENVIRONMENT_H
#define MR_CLI_ENVIRONMENT_H

#include "base/arena.h"
#include "topology/plan.h"

/* *stored: text as it is sent, in arena; text itself when nothing comes from the environment. Pre:
 * the text with the environment is free of errors. MR_INVALID with a sentence: `spec` or its
 * `values` is written in a form that cannot be added to. *names: how many values were taken. */
enum mr_status mr_environment_store(struct mr_slice text, const struct mr_catalogue *catalogue,
                                    struct mr_arena *arena, struct mr_slice *stored,
                                    uint32_t *names_count, struct mr_error *error) MR_NODISCARD;

#endif
