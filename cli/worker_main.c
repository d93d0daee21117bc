/* cli/worker_main.c — the program `millrace-worker`: its options. cli/worker_process.c is the rest.
 */
#include "base/limits.h"
#include "base/log.h"
#include "cli/budget.h"
#include "cli/settings.h"
#include "cli/worker_process.h"

#include <stdio.h>
#include <unistd.h>

enum {
    STOP_MS = 30000,
    STOP_MS_MIN = 1000,
    STOP_MS_MAX = 3600000,
    DRAIN_MS = 120000,
    THREADS_MAX = 256
};

#define MEMORY_BYTES_MIN ((int64_t)MR_CGROUP_BUDGET_BYTES_MIN)
#define MEMORY_BYTES_MAX (INT64_C(1) << 46)

static enum mr_exit usage(const char *format, const char *argument)
{
    (void)fputs("millrace-worker: ", stderr);
    (void)fprintf(stderr, "%s%s%s\n", format, argument[0] == '\0' ? "" : " ", argument);
    return MR_EXIT_USAGE;
}

/* Addresses divided by commas; they are cut in place. */
static bool split_addresses(char *list, struct mr_worker_options *options)
{
    char *rest = list;
    char *address;
    while ((address = strsep(&rest, ",")) != NULL) {
        if (address[0] == '\0' || strlen(address) >= MR_TRANSPORT_ADDRESS_SIZE ||
            options->addresses_count == MR_AGENT_ADDRESSES_MAX)
            return false;
        options->addresses[options->addresses_count++] = address;
    }
    return options->addresses_count > 0;
}

/* What can never be reached is said at once, and not with every try. */
static enum mr_exit check_addresses(const struct mr_worker_options *options)
{
    struct mr_error error;
    for (uint32_t index = 0; index < options->addresses_count; index++)
        if (mr_nng_address_check(options->addresses[index], options->has_tls ? &options->tls : NULL,
                                 &error) != MR_OK)
            return usage("--coordinators:", error.message);
    return MR_EXIT_FINE;
}

static enum mr_exit read_tls(const struct mr_arguments *arguments,
                             struct mr_worker_options *options)
{
    options->tls = (struct mr_transport_tls){
        .certificate_file = mr_settings_text(arguments, "tls-certificate", NULL),
        .key_file = mr_settings_text(arguments, "tls-key", NULL),
        .authority_file = mr_settings_text(arguments, "tls-authority", NULL)};
    int count = (options->tls.certificate_file != NULL) + (options->tls.key_file != NULL) +
                (options->tls.authority_file != NULL);
    options->has_tls = count == 3;
    if (count == 1 || count == 2)
        return usage("--tls-certificate, --tls-key and --tls-authority are given together", "");
    return check_addresses(options);
}

static enum mr_exit read_names(const struct mr_arguments *arguments, struct mr_arena *arena,
                               struct mr_worker_options *options)
{
    char host_name[MR_LIMIT_NAME_BYTES + 1] = "";
    const char *coordinators = mr_settings_text(arguments, "coordinators", NULL);
    (void)gethostname(host_name, sizeof(host_name) - 1);
    options->cluster = mr_settings_text(arguments, "cluster", "millrace");
    options->name = mr_arena_copy_text(arena, mr_settings_text(arguments, "name", host_name));
    options->zone = mr_settings_text(arguments, "zone", "");
    options->http = mr_settings_text(arguments, "http", NULL);
    options->http_advertise = mr_settings_text(arguments, "http-advertise", NULL);
    options->http_certificate_file = mr_settings_text(arguments, "http-certificate", NULL);
    options->http_key_file = mr_settings_text(arguments, "http-key", NULL);
    options->http_client_authority_file =
        mr_settings_text(arguments, "http-client-authority", NULL);
    options->brokers = mr_settings_text(arguments, "brokers", NULL);
    options->kafka_config = mr_settings_text(arguments, "kafka-config", NULL);
    options->state_directory = mr_settings_text(arguments, "state-dir", "millrace-state");
    if (!mr_settings_is_name(options->cluster))
        return usage("--cluster is 1 to 63 letters, digits, dots, dashes and underscores, not",
                     options->cluster);
    if (!mr_settings_is_name(options->name))
        return usage("--name is 1 to 63 letters, digits, dots, dashes and underscores, not",
                     options->name);
    if (strlen(options->zone) > MR_LIMIT_NAME_BYTES)
        return usage("--zone has at most 63 bytes:", options->zone);
    if (options->brokers == NULL)
        return usage("--brokers is missing: Kafka's bootstrap servers, host:port,...", "");
    if (coordinators == NULL)
        return usage("--coordinators is missing: their addresses, tcp://HOST:PORT,...", "");
    if (!split_addresses(mr_arena_copy_text(arena, coordinators), options))
        return usage("--coordinators takes 1 to 16 addresses divided by commas, not", coordinators);
    return read_tls(arguments, options);
}

/* 0 stands for: as much as there is. */
static enum mr_exit read_budget(const struct mr_arguments *arguments, struct mr_budget *budget,
                                struct mr_worker_options *options)
{
    struct mr_error error;
    if (mr_budget_find("", (uint64_t)mr_settings_integer(arguments, "memory", 0),
                       (uint32_t)mr_settings_integer(arguments, "threads", 0), budget,
                       &error) != MR_OK)
        return usage(error.message, "");
    options->memory_bytes = budget->memory_bytes;
    options->memory_from = budget->memory_from;
    options->threads_count = budget->threads_count;
    options->threads_from = budget->threads_from;
    return MR_EXIT_FINE;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    struct mr_arena arena;
    struct mr_budget budget;
    struct mr_worker_options options = {
        .stop_ms = (uint32_t)mr_settings_integer(arguments, "stop-deadline", STOP_MS),
        .drain_ms = (uint32_t)mr_settings_integer(arguments, "drain-deadline", DRAIN_MS),
        .exit_when_drained = mr_arguments_given(arguments, "exit-when-drained")};
    mr_arena_init(&arena, 1024);
    enum mr_exit code = read_names(arguments, &arena, &options);
    const char *token_file = mr_settings_text(arguments, "http-token-file", NULL);
    struct mr_error error;
    if (code == MR_EXIT_FINE && token_file != NULL &&
        mr_settings_secret(token_file, &arena, &options.http_token, &error) != MR_OK)
        code = usage("--http-token-file:", error.message);
    if (code == MR_EXIT_FINE)
        code = read_budget(arguments, &budget, &options);
    mr_log_configure(MR_LOG_INFO, (enum mr_log_format)mr_settings_integer(arguments, "log-format",
                                                                          MR_LOG_LOGFMT));
    if (code == MR_EXIT_FINE)
        code = mr_worker_process_run(&options);
    mr_arena_deinit(&arena);
    return code;
}

#define FILE_FLAG(flag_name, text)                                                                 \
    {                                                                                              \
        .name = flag_name, .kind = MR_FLAG_TEXT, .value = "FILE", .help = text                     \
    }

static const char *const log_formats[] = {"logfmt", "json", NULL};

static const struct mr_flag worker_flags[] = {
    MR_FLAG_CLUSTER,
    MR_FLAG_BROKERS,
    MR_FLAG_KAFKA_CONFIG,
    {.name = "coordinators",
     .kind = MR_FLAG_TEXT,
     .value = "LIST",
     .help = "Addresses of the coordinators: tcp://HOST:PORT,... (tls+tcp:// with --tls-...)."},
    {.name = "name",
     .kind = MR_FLAG_TEXT,
     .value = "NAME",
     .help = "Stable name of this worker (default: the host's)."},
    {.name = "state-dir",
     .kind = MR_FLAG_TEXT,
     .value = "DIR",
     .help = "Where state is kept; one worker at a time (default ./millrace-state)."},
    {.name = "threads",
     .kind = MR_FLAG_INTEGER,
     .value = "N",
     .minimum = 1,
     .maximum = THREADS_MAX,
     .help = "Task threads (default: the processors that the process and its control group "
             "may use)."},
    {.name = "memory",
     .kind = MR_FLAG_SIZE,
     .value = "SIZE",
     .minimum = MEMORY_BYTES_MIN,
     .maximum = MEMORY_BYTES_MAX,
     .help = "Budget of caches and queues, 64MiB or more (default: 3/4 of what the control group "
             "allows less 64MiB; without a limit 1GiB)."},
    {.name = "http",
     .kind = MR_FLAG_TEXT,
     .value = "HOST:PORT",
     .help = "Serve health, metrics and state queries there (default: not at all)."},
    {.name = "http-advertise",
     .kind = MR_FLAG_TEXT,
     .value = "HOST:PORT",
     .help = "The same as coordinators reach it (default: --http)."},
    FILE_FLAG("http-certificate", "Certificate (PEM) for HTTPS."),
    FILE_FLAG("http-key", "Its key (PEM)."),
    FILE_FLAG("http-client-authority", "Whom clients' certificates must come from (PEM)."),
    FILE_FLAG("http-token-file", "A file with the bearer token that state queries must send."),
    {.name = "zone",
     .kind = MR_FLAG_TEXT,
     .value = "ZONE",
     .help = "Standbys are placed in other zones than their tasks."},
    {.name = "stop-deadline",
     .kind = MR_FLAG_DURATION,
     .value = "TIME",
     .minimum = STOP_MS_MIN,
     .maximum = STOP_MS_MAX,
     .help = "How long SIGTERM may take to commit and release everything (default 30s)."},
    {.name = "drain-deadline",
     .kind = MR_FLAG_DURATION,
     .value = "TIME",
     .minimum = 0,
     .maximum = STOP_MS_MAX,
     .help = "How long a worker that is scaled away may wait for its tasks to move before it "
             "releases\n        them (default 2m). 0s: SIGTERM is always a restart."},
    {.name = "exit-when-drained",
     .kind = MR_FLAG_SWITCH,
     .help = "End when `millrace drain` has moved everything away."},
    FILE_FLAG("tls-certificate", "This worker's certificate for the coordinators (PEM)."),
    FILE_FLAG("tls-key", "Its key (PEM)."),
    FILE_FLAG("tls-authority", "Whom the coordinators' certificates must come from (PEM)."),
    {.name = "config",
     .kind = MR_FLAG_TEXT,
     .value = "FILE",
     .help = "name=value lines: these options, where neither flags nor MILLRACE_... say more."},
    {.name = "log-format",
     .kind = MR_FLAG_CHOICE,
     .value = "FORMAT",
     .choices = log_formats,
     .help = "Log lines as `logfmt` (the default) or `json`."},
    {.name = NULL}};

int main(int words_count, char **words)
{
    const struct mr_command command = {
        .name = "millrace-worker",
        .operands = "",
        .summary = "Run the tasks that a coordinator assigns.",
        .description =
            "Runs until SIGTERM or SIGINT: tasks are committed, released and handed over, exit 0; "
            "a second\nsignal ends it at once. Each option is also MILLRACE_... in the environment "
            "(MILLRACE_BROKERS)\nand a line of the file that --config names; flags win over the "
            "environment, and that over the file.",
        .flags = worker_flags,
        .run = run,
    };
    return mr_settings_main(&command, words_count, words);
}
