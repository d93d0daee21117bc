/* cli/worker_main.c — the program `millrace-worker`: options, the process around the lanes, signals
 * and an orderly end.
 * Order of the start: state folder (locked), Kafka (until it answers), worker, standbys, janitor,
 * agent. The main thread is the control thread. */
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "cli/catalogue.h"
#include "cli/command.h"
#include "cli/properties.h"
#include "cli/settings.h"
#include "connectors/connector.h"
#include "worker/agent_loop.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    STOP_MS = 30000,
    STOP_MS_MIN = 1000,
    STOP_MS_MAX = 3600000,
    KAFKA_RETRY_MS = 1000,
    WORKER_STOP_MS = 5000, /* everything is released by then: threads and clients */
    PATH_SIZE = 4096,
    THREADS_MAX = 256
};

#define MEMORY_BYTES (INT64_C(1) << 30)
#define MEMORY_BYTES_MIN (INT64_C(64) << 20)
#define MEMORY_BYTES_MAX (INT64_C(1) << 46)

struct options {
    const char *cluster;
    const char *brokers;
    const char *kafka_config; /* NULL: none */
    const char *name;
    const char *zone;
    const char *http; /* empty: no HTTP server */
    const char *state_directory;
    const char *addresses[MR_AGENT_ADDRESSES_MAX];
    uint32_t addresses_count;
    uint32_t threads_count;
    uint64_t memory_bytes;
    uint32_t stop_ms;
    bool exit_when_drained;
    bool has_tls;
    struct mr_transport_tls tls;
};

struct process {
    const struct options *options;
    struct mr_arena arena;
    int lock; /* the state folder's, -1: none */
    struct mr_catalogue catalogue;
    struct mr_log *log;
    char log_cluster_id[MR_LOG_ID_SIZE];
    struct mr_metrics *metrics;
    struct mr_worker *worker;
    struct mr_follower *follower;
    struct mr_janitor *janitor;
    struct mr_host *host;
    struct mr_transport *transport;
    struct mr_agent_loop *loop;
};

static volatile sig_atomic_t stop_signals;

/* The second one ends the process at once. */
static void on_signal(int signal_number)
{
    (void)signal_number;
    if (stop_signals > 0)
        _Exit(MR_EXIT_WRONG);
    stop_signals = 1;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

static enum mr_exit failure(const char *what, const struct mr_error *error)
{
    bool unreached = error->recovery == MR_RECOVERY_RETRY || error->status == MR_TIMEOUT;
    (void)fprintf(stderr, "millrace-worker: %s: %s\n", what, error->message);
    return unreached ? MR_EXIT_UNREACHED : MR_EXIT_WRONG;
}

static enum mr_exit usage(const char *format, const char *argument)
{
    (void)fputs("millrace-worker: ", stderr);
    (void)fprintf(stderr, "%s %s\n", format, argument);
    return MR_EXIT_USAGE;
}

/* ---- State folder ---- */

static bool make_folders(char *path)
{
    for (char *at = path + 1; *at != '\0'; at++) {
        if (*at != '/')
            continue;
        *at = '\0';
        bool made = mkdir(path, 0755) == 0 || errno == EEXIST;
        *at = '/';
        if (!made)
            return false;
    }
    return mkdir(path, 0755) == 0 || errno == EEXIST;
}

/* One worker at a time: two would each take the other's state for their own. */
static enum mr_exit lock_state(struct process *process)
{
    char path[PATH_SIZE];
    char holder[128] = "";
    const char *directory = process->options->state_directory;
    if (snprintf(path, sizeof(path), "%s", directory) >= (int)sizeof(path) - 16 ||
        !make_folders(path)) {
        (void)fprintf(stderr, "millrace-worker: --state-dir %s cannot be created: %s\n", directory,
                      strerror(errno));
        return MR_EXIT_USAGE;
    }
    (void)snprintf(path + strlen(path), 16, "/worker.lock");
    process->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (process->lock < 0) {
        (void)fprintf(stderr, "millrace-worker: %s cannot be opened: %s\n", path, strerror(errno));
        return MR_EXIT_USAGE;
    }
    if (flock(process->lock, LOCK_EX | LOCK_NB) != 0) {
        ssize_t size = read(process->lock, holder, sizeof(holder) - 1);
        holder[size > 0 ? size : 0] = '\0';
        (void)fprintf(stderr,
                      "millrace-worker: --state-dir %s is in use by another worker (%s); give each "
                      "worker a folder of its own.\n",
                      directory, holder);
        return MR_EXIT_USAGE;
    }
    int size =
        snprintf(holder, sizeof(holder), "%s, process %ld", process->options->name, (long)getpid());
    if (ftruncate(process->lock, 0) != 0 || write(process->lock, holder, (size_t)size) != size)
        MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("file", path),
                  "the lock's holder could not be written down: %s", strerror(errno));
    return MR_EXIT_FINE;
}

/* ---- Kafka ---- */

static enum mr_exit open_log(struct process *process)
{
    const struct options *options = process->options;
    const char *const *settings = NULL;
    struct mr_error error;
    if (options->kafka_config != NULL &&
        mr_properties_read(options->kafka_config, &process->arena, &settings, &error) != MR_OK) {
        (void)failure("--kafka-config", &error);
        return MR_EXIT_USAGE;
    }
    struct mr_kafka_log_open open = {.brokers = options->brokers,
                                     .client_id = options->name,
                                     .settings = settings,
                                     .queued_bytes_max = options->memory_bytes / 2};
    if (mr_kafka_log_create(&open, &process->log, &error) != MR_OK)
        return failure("Kafka", &error);
    return MR_EXIT_FINE;
}

/* Without Kafka nothing can run: it is waited for before the coordinator hears of this worker. */
static enum mr_exit reach_log(struct process *process)
{
    struct mr_error error;
    while (stop_signals == 0) {
        enum mr_status status =
            process->log->ops->cluster_id(process->log, process->log_cluster_id, &error);
        if (status == MR_OK)
            return MR_EXIT_FINE;
        if (error.recovery != MR_RECOVERY_RETRY && status != MR_TIMEOUT)
            return failure("Kafka", &error);
        MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("brokers", process->options->brokers),
                  "waiting for Kafka: %s", error.message);
        mr_clock_sleep_ms(KAFKA_RETRY_MS);
    }
    return MR_EXIT_FINE;
}

/* ---- The process ---- */

static enum mr_status start_worker(struct process *process, struct mr_error *error)
{
    const struct options *options = process->options;
    const struct mr_worker_open open = {.log = process->log,
                                        .metrics = process->metrics,
                                        .name = options->name,
                                        .state_directory = options->state_directory,
                                        .threads_count = options->threads_count,
                                        .memory_bytes = options->memory_bytes,
                                        .outlives_process = true,
                                        .assigned = true};
    process->janitor =
        mr_janitor_create(options->state_directory, &mr_store_rocksdb, mr_clock_monotonic_ms());
    enum mr_status status = mr_janitor_start(process->janitor, error);
    if (status == MR_OK)
        status = mr_worker_create(&open, &process->worker, error);
    if (status == MR_OK)
        status = mr_worker_start(process->worker, error);
    if (status == MR_OK)
        status = mr_follower_create(process->worker, &process->follower, error);
    return status;
}

static enum mr_status start_agent(struct process *process, struct mr_error *error)
{
    const struct options *options = process->options;
    const struct mr_host_open host = {.worker = process->worker,
                                      .follower = process->follower,
                                      .janitor = process->janitor,
                                      .catalogue = &process->catalogue,
                                      .cluster = options->cluster,
                                      .log_cluster_id = process->log_cluster_id};
    process->host = mr_host_create(&host);
    process->transport = mr_nng_transport_create();
    const struct mr_agent_loop_open open = {
        .agent = {.cluster = options->cluster,
                  .worker = options->name,
                  .instance = mr_random_fresh_id(),
                  .zone = options->zone,
                  .http = options->http,
                  .build = MILLRACE_VERSION,
                  .threads_count = options->threads_count,
                  .memory_bytes = options->memory_bytes,
                  .addresses = options->addresses,
                  .addresses_count = options->addresses_count,
                  .exit_when_drained = options->exit_when_drained,
                  .seed = mr_random_fresh_id()},
        .host = process->host,
        .transport = process->transport,
        .tls = options->has_tls ? &options->tls : NULL};
    return mr_agent_loop_create(&open, &process->loop, error);
}

static enum mr_exit run_turns(struct process *process)
{
    bool leaving = false;
    enum mr_agent_loop_state state = MR_AGENT_LOOP_GOES_ON;
    while (state == MR_AGENT_LOOP_GOES_ON) {
        if (stop_signals > 0 && !leaving) {
            MR_LOG_AT(MR_LOG_INFO, "worker", NULL, "leaving: tasks are committed and released");
            mr_agent_loop_leave(process->loop, process->options->stop_ms);
            leaving = true;
        }
        state = mr_agent_loop_turn(process->loop);
    }
    if (state == MR_AGENT_LOOP_FINISHED && mr_worker_stop(process->worker, WORKER_STOP_MS)) {
        MR_LOG_AT(MR_LOG_INFO, "worker", NULL, "everything is released");
        return MR_EXIT_FINE;
    }
    (void)fprintf(stderr,
                  "millrace-worker: not everything was committed and released within %u s; nothing "
                  "is lost, the next owners replay it.\n",
                  process->options->stop_ms / 1000);
    mr_log_flush();
    _Exit(MR_EXIT_WRONG);
}

static enum mr_exit start(struct process *process)
{
    struct mr_error error;
    enum mr_exit code = lock_state(process);
    if (code == MR_EXIT_FINE)
        code = open_log(process);
    if (code == MR_EXIT_FINE)
        code = reach_log(process);
    if (code != MR_EXIT_FINE || stop_signals > 0)
        return code;
    if (start_worker(process, &error) != MR_OK || start_agent(process, &error) != MR_OK)
        return failure("the worker does not start", &error);
    MR_LOG_AT(MR_LOG_INFO, "worker",
              MR_LOG_FIELDS("name", process->options->name, "cluster", process->options->cluster,
                            "state", process->options->state_directory),
              "the worker has started");
    return MR_EXIT_FINE;
}

/* Whoever uses something goes before it. */
static void finish(struct process *process)
{
    mr_agent_loop_destroy(process->loop);
    if (process->transport != NULL)
        process->transport->ops->close(process->transport);
    mr_follower_destroy(process->follower);
    if (process->worker != NULL)
        (void)mr_worker_stop(process->worker, WORKER_STOP_MS);
    mr_worker_destroy(process->worker);
    mr_host_destroy(process->host);
    mr_janitor_destroy(process->janitor);
    if (process->log != NULL)
        process->log->ops->close(process->log);
    mr_metrics_destroy(process->metrics);
    if (process->lock >= 0)
        (void)close(process->lock);
    mr_arena_deinit(&process->arena);
}

static enum mr_exit run_process(const struct options *options)
{
    struct process process = {.options = options, .lock = -1};
    mr_arena_init(&process.arena, 1 << 16);
    mr_catalogue_make(&process.arena, &process.catalogue);
    process.metrics = mr_metrics_create();
    catch_signals();
    enum mr_exit code = start(&process);
    if (code == MR_EXIT_FINE && process.loop != NULL)
        code = run_turns(&process);
    finish(&process);
    return code;
}

/* ---- Options ---- */

static bool is_name(const char *text)
{
    size_t size = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-");
    return size > 0 && size <= MR_LIMIT_NAME_BYTES && text[size] == '\0';
}

/* Addresses divided by commas; they are cut in place. */
static bool split_addresses(char *list, struct options *options)
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

static enum mr_exit read_tls(const struct mr_arguments *arguments, struct options *options)
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
    return MR_EXIT_FINE;
}

static enum mr_exit read_names(const struct mr_arguments *arguments, struct mr_arena *arena,
                               struct options *options)
{
    char host_name[MR_LIMIT_NAME_BYTES + 1] = "";
    const char *coordinators = mr_settings_text(arguments, "coordinators", NULL);
    (void)gethostname(host_name, sizeof(host_name) - 1);
    options->cluster = mr_settings_text(arguments, "cluster", "millrace");
    options->name = mr_arena_copy_text(arena, mr_settings_text(arguments, "name", host_name));
    options->zone = mr_settings_text(arguments, "zone", "");
    options->http = mr_settings_text(arguments, "http", "");
    options->brokers = mr_settings_text(arguments, "brokers", NULL);
    options->kafka_config = mr_settings_text(arguments, "kafka-config", NULL);
    options->state_directory = mr_settings_text(arguments, "state-dir", "millrace-state");
    if (!is_name(options->cluster))
        return usage("--cluster is 1 to 63 letters, digits, dots, dashes and underscores, not",
                     options->cluster);
    if (!is_name(options->name))
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

static enum mr_exit run(const struct mr_arguments *arguments)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    struct mr_arena arena;
    struct options options = {
        .threads_count = (uint32_t)mr_settings_integer(arguments, "threads", cores > 0 ? cores : 1),
        .memory_bytes = (uint64_t)mr_settings_integer(arguments, "memory", MEMORY_BYTES),
        .stop_ms = (uint32_t)mr_settings_integer(arguments, "stop-deadline", STOP_MS),
        .exit_when_drained = mr_arguments_given(arguments, "exit-when-drained")};
    mr_arena_init(&arena, 1024);
    enum mr_exit code = read_names(arguments, &arena, &options);
    mr_log_configure(MR_LOG_INFO, (enum mr_log_format)mr_settings_integer(arguments, "log-format",
                                                                          MR_LOG_LOGFMT));
    if (code == MR_EXIT_FINE)
        code = run_process(&options);
    mr_arena_deinit(&arena);
    return code;
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
     .help = "Task threads (default: the machine's cores)."},
    {.name = "memory",
     .kind = MR_FLAG_SIZE,
     .value = "SIZE",
     .minimum = MEMORY_BYTES_MIN,
     .maximum = MEMORY_BYTES_MAX,
     .help = "Budget of caches and queues, 64MiB or more (default 1GiB)."},
    {.name = "http",
     .kind = MR_FLAG_TEXT,
     .value = "HOST:PORT",
     .help = "Serve health, metrics and state queries there (default: not at all)."},
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
    {.name = "exit-when-drained",
     .kind = MR_FLAG_SWITCH,
     .help = "End when `millrace drain` has moved everything away."},
    {.name = "tls-certificate",
     .kind = MR_FLAG_TEXT,
     .value = "FILE",
     .help = "This worker's certificate for the coordinators (PEM)."},
    {.name = "tls-key", .kind = MR_FLAG_TEXT, .value = "FILE", .help = "Its private key (PEM)."},
    {.name = "tls-authority",
     .kind = MR_FLAG_TEXT,
     .value = "FILE",
     .help = "Whom the coordinators' certificates must come from (PEM)."},
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
