/* cli/worker_process.c — the process `millrace-worker`.
 * Order of the start: state folder (locked), HTTP (probes are answered while Kafka is awaited),
 * Kafka (until it answers), worker, standbys, janitor, agent. The main thread is the control
 * thread. */
#include "cli/worker_process.h"

#include "base/clock.h"
#include "base/engine_metrics.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "cli/catalogue.h"
#include "cli/properties.h"
#include "connectors/connector.h"
#include "worker/http_api.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    KAFKA_RETRY_MS = 1000,
    WORKER_STOP_MS = 5000, /* everything is released by then: threads and clients */
    LOOK_MS = 500,         /* between two looks at who listens to operators, and at the load */
    PATH_SIZE = 4096,
    ADDRESS_SIZE = 256
};

struct process {
    const struct mr_worker_options *options;
    struct mr_arena arena;
    int lock; /* the state folder's, -1: none */
    struct mr_catalogue catalogue;
    struct mr_log *log;
    char log_cluster_id[MR_LOG_ID_SIZE];
    struct mr_metrics *metrics;
    struct mr_metric *busy; /* what to scale by */
    struct mr_query_registry *queries;
    struct mr_worker *worker;
    struct mr_follower *follower;
    struct mr_janitor *janitor;
    struct mr_host *host;
    struct mr_transport *transport;
    struct mr_agent_loop *loop;
    struct mr_worker_http *http;
    atomic_bool has_loops; /* worker, follower, host and loop are there to be asked how they are */
    char http_address[ADDRESS_SIZE]; /* as others reach it; empty: no HTTP server */
};

static volatile sig_atomic_t stop_signals;
static volatile sig_atomic_t started; /* there is something to commit and release */

/* The second one ends the process at once. */
static void on_signal(int signal_number)
{
    (void)signal_number;
    if (!started)
        _Exit(MR_EXIT_FINE);
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
    const struct mr_worker_options *options = process->options;
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
    for (;;) {
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
}

/* ---- The process ---- */

static enum mr_status start_worker(struct process *process, struct mr_error *error)
{
    const struct mr_worker_options *options = process->options;
    const struct mr_worker_open open = {.log = process->log,
                                        .metrics = process->metrics,
                                        .queries = process->queries,
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

static void count_task(void *argument, const char *topology, const struct mr_task_report *report)
{
    struct mr_worker_health *health = argument;
    (void)topology;
    if (report->role != MR_TASK_ROLE_ACTIVE || report->state == MR_TASK_STATE_RELEASED)
        return;
    health->tasks_count++;
    health->tasks_ready += report->state == MR_TASK_STATE_RUNNING;
    health->tasks_failed +=
        report->state == MR_TASK_STATE_FAILED || report->state == MR_TASK_STATE_FENCED;
    if (report->state != MR_TASK_STATE_RESTORING)
        return;
    health->restored_records += report->restored_records;
    if (report->changelog_remaining < 0 || health->remaining_records < 0)
        health->remaining_records = -1;
    else
        health->remaining_records += report->changelog_remaining;
}

/* The HTTP server's thread. */
static void tell_health(void *argument, struct mr_worker_health *health)
{
    struct process *process = argument;
    struct mr_agent_loop_contact contact;
    *health = (struct mr_worker_health){.started = atomic_load(&process->has_loops)};
    if (!health->started)
        return;
    mr_agent_loop_contact(process->loop, &contact);
    health->threads_silent_ms = mr_worker_silence_ms(process->worker, &health->thread);
    health->follower_silent_ms = mr_follower_silence_ms(process->follower);
    health->agent_silent_ms = mr_agent_loop_silence_ms(process->loop);
    health->assigned = contact.answered;
    health->more = contact.more;
    health->leaving = contact.leaving;
    mr_host_visit(process->host, count_task, health);
}

/* What the coordinator is told: users reach the worker there. The agent has not turned yet. */
static void choose_http_address(struct process *process)
{
    const struct mr_worker_options *options = process->options;
    const char *port = strrchr(options->http, ':');
    if (options->http_advertise != NULL || port == NULL)
        (void)snprintf(process->http_address, sizeof(process->http_address), "%s",
                       options->http_advertise != NULL ? options->http_advertise : options->http);
    else
        (void)snprintf(process->http_address, sizeof(process->http_address), "%.*s:%d",
                       (int)(port - options->http), options->http,
                       mr_worker_http_port(process->http));
}

static enum mr_status start_http(struct process *process, struct mr_error *error)
{
    const struct mr_worker_options *options = process->options;
    const struct mr_worker_http_options http = {.address = options->http,
                                                .certificate_file = options->http_certificate_file,
                                                .key_file = options->http_key_file,
                                                .client_authority_file =
                                                    options->http_client_authority_file,
                                                .token = options->http_token,
                                                .metrics = process->metrics,
                                                .queries = process->queries,
                                                .health = tell_health,
                                                .argument = process};
    enum mr_status status = mr_worker_http_start(&http, &process->http, error);
    if (status != MR_OK)
        return status;
    choose_http_address(process);
    return MR_OK;
}

/* From now on /healthz and /readyz speak of the loops. */
static void open_taps(struct process *process)
{
    if (process->http != NULL) {
        const struct mr_tap_outlet outlet = mr_worker_http_outlet(process->http);
        mr_worker_set_taps(process->worker, &outlet);
    }
    atomic_store(&process->has_loops, true);
}

static enum mr_status start_agent(struct process *process, struct mr_error *error)
{
    const struct mr_worker_options *options = process->options;
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
                  .http = process->http_address,
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

static void add_load(void *argument, const char *topology, const struct mr_task_report *report)
{
    uint64_t *load_us = argument;
    (void)topology;
    if (report->role == MR_TASK_ROLE_ACTIVE && report->state == MR_TASK_STATE_RUNNING)
        *load_us += report->load_us;
}

static void look_around(struct process *process)
{
    uint64_t load_us = 0;
    mr_host_visit(process->host, add_load, &load_us);
    mr_metric_set(process->busy, (double)load_us / 1e6 / process->options->threads_count);
    if (process->http != NULL)
        mr_worker_look_at_taps(process->worker);
}

static enum mr_exit run_turns(struct process *process)
{
    bool leaving = false;
    enum mr_agent_loop_state state = MR_AGENT_LOOP_GOES_ON;
    uint64_t looked_ms = 0;
    while (state == MR_AGENT_LOOP_GOES_ON) {
        uint64_t now_ms = mr_clock_monotonic_ms();
        if (now_ms - looked_ms >= LOOK_MS) {
            look_around(process);
            looked_ms = now_ms;
        }
        if (stop_signals > 0 && !leaving) {
            MR_LOG_AT(MR_LOG_INFO, "worker", NULL,
                      "leaving: tasks are moved first, or committed and released");
            mr_agent_loop_leave(process->loop, process->options->stop_ms,
                                process->options->drain_ms);
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

static void say_budget(const struct mr_worker_options *options)
{
    char memory[32];
    char threads[32];
    (void)snprintf(memory, sizeof(memory), "%" PRIu64 "MiB", options->memory_bytes >> 20);
    (void)snprintf(threads, sizeof(threads), "%" PRIu32, options->threads_count);
    MR_LOG_AT(MR_LOG_INFO, "worker",
              MR_LOG_FIELDS("memory", memory, "memory_from", options->memory_from, "threads",
                            threads, "threads_from", options->threads_from),
              "memory and threads");
}

static enum mr_exit start(struct process *process)
{
    struct mr_error error;
    say_budget(process->options);
    enum mr_exit code = lock_state(process);
    if (code == MR_EXIT_FINE)
        code = open_log(process);
    if (code == MR_EXIT_FINE && process->options->http != NULL &&
        start_http(process, &error) != MR_OK)
        return failure("--http", &error);
    if (code == MR_EXIT_FINE)
        code = reach_log(process);
    if (code != MR_EXIT_FINE)
        return code;
    started = 1;
    if (start_worker(process, &error) != MR_OK || start_agent(process, &error) != MR_OK)
        return failure("the worker does not start", &error);
    open_taps(process);
    MR_LOG_AT(MR_LOG_INFO, "worker",
              MR_LOG_FIELDS("name", process->options->name, "cluster", process->options->cluster,
                            "state", process->options->state_directory, "http",
                            process->http_address[0] == '\0' ? NULL : process->http_address),
              "the worker has started");
    return MR_EXIT_FINE;
}

/* Whoever uses something goes before it. */
static void finish(struct process *process)
{
    mr_worker_http_stop(process->http);
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
    mr_query_registry_destroy(process->queries);
    mr_metrics_destroy(process->metrics);
    if (process->lock >= 0)
        (void)close(process->lock);
    mr_arena_deinit(&process->arena);
}

enum mr_exit mr_worker_process_run(const struct mr_worker_options *options)
{
    struct process process = {.options = options, .lock = -1};
    mr_arena_init(&process.arena, 1 << 16);
    mr_catalogue_make(&process.arena, &process.catalogue);
    const char *const labels[] = {options->cluster, NULL};
    process.metrics = mr_metrics_create();
    process.busy =
        mr_metrics_series(process.metrics, mr_engine_metric(MR_ENGINE_WORKER_BUSY), labels);
    process.queries = mr_query_registry_create();
    catch_signals();
    enum mr_exit code = start(&process);
    if (code == MR_EXIT_FINE)
        code = run_turns(&process);
    finish(&process);
    return code;
}
