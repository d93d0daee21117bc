/* cli/command.h — the commands of the program, and what they return to the shell.
 * Model: a command is a name, its flags and a function; cli/main.c holds the table, cli/arguments.c
 * fills the flags' values before the function is called. A new command is one file and one line in
 * the table. */
#ifndef MR_CLI_COMMAND_H
#define MR_CLI_COMMAND_H

#include "cli/arguments.h"

enum mr_exit {
    MR_EXIT_FINE = 0,
    MR_EXIT_WRONG = 1,    /* the topology or the data is wrong */
    MR_EXIT_USAGE = 2,    /* the command line is wrong, or names a file that cannot be read */
    MR_EXIT_UNREACHED = 3 /* the cluster cannot be reached */
};

struct mr_command {
    const char *name;
    const char *operands; /* as the usage line shows them: "FILE...", "" */
    uint32_t operands_min;
    uint32_t operands_max;
    const char *summary;         /* one sentence */
    const char *description;     /* paragraphs under the usage; NULL: the summary says it all */
    const struct mr_flag *flags; /* ended by a NULL name; NULL: none */
    /* Runs the command. Returns the exit code. */
    enum mr_exit (*run)(const struct mr_arguments *arguments);
};

/* `-o text|json`, the same flag for every command that reads; its integer is an mr_output. */
enum mr_output { MR_OUTPUT_TEXT, MR_OUTPUT_JSON };
extern const char *const mr_output_names[];
#define MR_FLAG_OUTPUT                                                                             \
    {                                                                                              \
        .name = "output", .letter = 'o', .kind = MR_FLAG_CHOICE, .value = "FORMAT",                \
        .choices = mr_output_names, .help = "Print `text` (the default) or `json`."                \
    }

/* The flags of every command that talks to a cluster. */
#define MR_FLAG_BROKERS                                                                            \
    {                                                                                              \
        .name = "brokers", .kind = MR_FLAG_TEXT, .value = "LIST",                                  \
        .help = "Kafka's bootstrap servers, host:port,... (`run` without it: an embedded broker)." \
    }
#define MR_FLAG_KAFKA_CONFIG                                                                       \
    {                                                                                              \
        .name = "kafka-config", .kind = MR_FLAG_TEXT, .value = "FILE",                             \
        .help = "name=value lines for the Kafka clients: SASL, TLS, other librdkafka settings."    \
    }
#define MR_FLAG_CLUSTER                                                                            \
    {                                                                                              \
        .name = "cluster", .kind = MR_FLAG_TEXT, .value = "NAME",                                  \
        .help = "Prefix of internal topics and transactional ids (default millrace)."              \
    }

/* The flags of every command that talks to a coordinator (cli/server.h). */
#define MR_FLAGS_SERVER                                                                            \
    {.name = "server",                                                                             \
     .letter = 's',                                                                                \
     .kind = MR_FLAG_TEXT,                                                                         \
     .value = "URL",                                                                               \
     .help = "Coordinators, separated by commas (else MILLRACE_SERVER, http://127.0.0.1:8080)."},  \
        {.name = "token-file",                                                                     \
         .kind = MR_FLAG_TEXT,                                                                     \
         .value = "FILE",                                                                          \
         .help = "Holds the bearer token (else MILLRACE_TOKEN_FILE)."},                            \
        {.name = "ca-file",                                                                        \
         .kind = MR_FLAG_TEXT,                                                                     \
         .value = "FILE",                                                                          \
         .help = "Certificates to trust for https (else MILLRACE_CA_FILE, the system's)."},        \
    {                                                                                              \
        .name = "request-timeout", .kind = MR_FLAG_DURATION, .value = "TIME", .minimum = 1,        \
        .maximum = 3600000,                                                                        \
        .help = "How long one request may take (default 15s, 65s where something changes)."        \
    }
/* Of the commands that change something. */
#define MR_FLAG_DRY_RUN                                                                            \
    {                                                                                              \
        .name = "dry-run", .kind = MR_FLAG_SWITCH,                                                 \
        .help = "Say what would change, change nothing."                                           \
    }

extern const struct mr_command mr_command_delete;
extern const struct mr_command mr_command_describe;
extern const struct mr_command mr_command_diff;
extern const struct mr_command mr_command_dlq;
extern const struct mr_command mr_command_docs;
extern const struct mr_command mr_command_doctor;
extern const struct mr_command mr_command_drain;
extern const struct mr_command mr_command_events;
extern const struct mr_command mr_command_fit;
extern const struct mr_command mr_command_lag;
extern const struct mr_command mr_command_list;
extern const struct mr_command mr_command_pause;
extern const struct mr_command mr_command_plan;
extern const struct mr_command mr_command_produce;
extern const struct mr_command mr_command_query;
extern const struct mr_command mr_command_report;
extern const struct mr_command mr_command_generate;
extern const struct mr_command mr_command_model;
extern const struct mr_command mr_command_reset;
extern const struct mr_command mr_command_resume;
extern const struct mr_command mr_command_rollback;
extern const struct mr_command mr_command_run;
extern const struct mr_command mr_command_seek;
extern const struct mr_command mr_command_status;
extern const struct mr_command mr_command_submit;
extern const struct mr_command mr_command_tail;
extern const struct mr_command mr_command_tasks;
extern const struct mr_command mr_command_test;
extern const struct mr_command mr_command_top;
extern const struct mr_command mr_command_validate;
extern const struct mr_command mr_command_why;
extern const struct mr_command mr_command_workers;

#endif
