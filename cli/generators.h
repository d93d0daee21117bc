/* cli/generators.h — generators over WebSocket (coordinator/generators.h) as options of programs,
 * and those of `millrace run`, whose models come from the topologies in this process. */
#ifndef MR_CLI_GENERATORS_H
#define MR_CLI_GENERATORS_H

#include "cli/command.h"
#include "coordinator/generators.h"
#include "worker/query.h"

/* Of every program that serves generators. */
#define MR_FLAGS_WEBSOCKET                                                                         \
    {.name = "websocket",                                                                          \
     .kind = MR_FLAG_TEXT,                                                                         \
     .value = "HOST[:PORT]",                                                                       \
     .help = "Where generators are asked by WebSocket (default: not at all; the port is 8765)."},  \
        {.name = "websocket-connections",                                                          \
         .kind = MR_FLAG_INTEGER,                                                                  \
         .value = "N",                                                                             \
         .minimum = 1,                                                                             \
         .maximum = MR_GENERATORS_CONNECTIONS_MAX,                                                 \
         .help = "WebSocket connections at a time (default 100)."},                                \
    {                                                                                              \
        .name = "websocket-model", .kind = MR_FLAG_TEXTS, .value = "FILE",                         \
        .help = "A model document that is served as well, at /NAME; more than once."               \
    }

/* The model documents that the flags name. Owner: arena. */
enum mr_status mr_generators_read_documents(const struct mr_arguments *arguments,
                                            struct mr_arena *arena,
                                            const struct mr_generator_document **documents,
                                            uint32_t *documents_count,
                                            struct mr_error *error) MR_NODISCARD;

/* ---- millrace run ---- */

/* Beside MR_FLAGS_WEBSOCKET: a coordinator has these for its HTTP. */
#define MR_FLAGS_WEBSOCKET_TLS                                                                     \
    {.name = "websocket-certificate",                                                              \
     .kind = MR_FLAG_TEXT,                                                                         \
     .value = "FILE",                                                                              \
     .help = "Certificate (PEM) for wss."},                                                        \
        {.name = "websocket-key",                                                                  \
         .kind = MR_FLAG_TEXT,                                                                     \
         .value = "FILE",                                                                          \
         .help = "Its key (PEM)."},                                                                \
    {                                                                                              \
        .name = "websocket-token-file", .kind = MR_FLAG_TEXT, .value = "FILE",                     \
        .help = "A file with the bearer token that WebSocket clients must send."                   \
    }

struct mr_run_generators;

/* *generators is NULL when the flags ask for none. Threads: the caller's. Owner: plans and queries
 * are borrowed until it is stopped. */
enum mr_status mr_run_generators_start(const struct mr_arguments *arguments,
                                       struct mr_plan *const *plans, uint32_t plans_count,
                                       struct mr_query_registry *queries,
                                       struct mr_run_generators **generators,
                                       struct mr_error *error) MR_NODISCARD;
void mr_run_generators_stop(struct mr_run_generators *generators); /* accepts NULL */

#endif
