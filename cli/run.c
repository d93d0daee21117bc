/* cli/run.c — running topologies in this process, with signals, progress and an orderly end. */
#include "base/cgroup.h"
#include "base/clock.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/memory.h"
#include "cli/catalogue.h"
#include "cli/generators.h"
#include "cli/load.h"
#include "cli/progress.h"
#include "cli/properties.h"
#include "connectors/connector.h"
#include "coordinator/standalone.h"
#include "worker/worker.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    FILES_MAX = 64,
    REACH_MS_MAX = 30000,
    STOP_MS_MAX = 30000,
    WATCH_MS = 15000, /* added partitions are found within 30 s */
    PROGRESS_MS = 1000,
    TICK_MS = 50,
    QUIET_TICKS_END = 6, /* the embedded broker has ended when nothing moves for so many ticks */
    EMBEDDED_PARTITIONS = 4
};

static const uint64_t EMBEDDED_TOPIC_BYTES_MAX = 64u << 20;

struct run_options {
    const struct mr_arguments *arguments; /* of the generators over WebSocket */
    const char *const *files;
    uint32_t files_count;
    const char *brokers;      /* NULL: the embedded broker */
    const char *kafka_config; /* file of name=value lines for the Kafka clients, NULL: none */
    const char *cluster;
    const char *state_directory; /* NULL: state in memory */
    uint32_t threads_count;
    bool until_end;
    bool quiet; /* no progress */
    const char *const *drop_state;
    uint32_t drop_state_count;
};

struct session {
    const struct run_options *options;
    struct mr_catalogue catalogue;
    struct mr_arena arena; /* plans */
    struct mr_arena round; /* deployments: made anew when a source grows */
    struct mr_plan *plans[FILES_MAX];
    struct mr_slice definitions[FILES_MAX]; /* as they would be submitted */
    struct mr_deployment *deployments[FILES_MAX];
    struct mr_running *runnings[FILES_MAX];
    uint32_t count;
    struct mr_log *log;
    struct mr_metrics *metrics;
    struct mr_query_registry *queries; /* what generators over WebSocket have learned */
    struct mr_run_generators *generators;
    struct mr_worker *worker;
    char name[64];
};

static volatile sig_atomic_t stop_signals;

static void on_signal(int signal_number)
{
    (void)signal_number;
    stop_signals++;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

/* What outlives the process is kept with its definition: the next version is compared with it. */
static enum mr_exit load_file(struct session *session, const char *path, struct mr_plan **plan,
                              struct mr_slice *definition)
{
    uint32_t names_count;
    *definition = (struct mr_slice){0};
    return session->options->brokers == NULL
               ? mr_load_plan(&session->arena, path, &session->catalogue, plan)
               : mr_load_definition(&session->arena, path, &session->catalogue, plan, definition,
                                    &names_count);
}

static enum mr_exit load_plans(struct session *session)
{
    bool sound = true;
    for (uint32_t index = 0; index < session->options->files_count; index++) {
        struct mr_plan *plan = NULL;
        enum mr_exit code = load_file(session, session->options->files[index], &plan,
                                      &session->definitions[session->count]);
        if (code == MR_EXIT_USAGE)
            return code;
        sound = sound && plan != NULL;
        for (uint32_t other = 0; plan != NULL && other < session->count; other++)
            if (strcmp(session->plans[other]->name, plan->name) == 0) {
                (void)fprintf(stderr,
                              "%s: the topology is named \"%s\", as another file's is; names must "
                              "differ.\n",
                              session->options->files[index], plan->name);
                sound = false;
            }
        session->plans[session->count++] = plan;
        if (plan == NULL)
            session->count--;
    }
    return sound ? MR_EXIT_FINE : MR_EXIT_WRONG;
}

static uint64_t memory_budget(const struct session *session)
{
    uint64_t bytes = 0;
    for (uint32_t index = 0; index < session->count; index++)
        bytes += (uint64_t)session->plans[index]->memory_bytes;
    return bytes;
}

static enum mr_status open_log(struct session *session, struct mr_error *error)
{
    const struct run_options *options = session->options;
    if (options->brokers == NULL) {
        struct mr_memory_log_open open = {.topic_bytes_max = EMBEDDED_TOPIC_BYTES_MAX};
        const char *brokers = getenv("MILLRACE_BROKERS"); /* other commands read it */
        if (!options->quiet)
            (void)fprintf(stderr,
                          "embedded broker: nothing outlives this process; --brokers HOST:PORT "
                          "runs on Kafka%s\n",
                          brokers != NULL && brokers[0] != '\0'
                              ? ", MILLRACE_BROKERS does not: `run` takes the flag only"
                              : "");
        if (!options->quiet && !options->until_end)
            (void)fprintf(stderr, "runs until it is interrupted, also at the end of files; "
                                  "--until-end stops there\n");
        return mr_memory_log_create(&open, &session->log, error);
    }
    const char *const *settings = NULL;
    if (options->kafka_config != NULL) {
        enum mr_status status =
            mr_properties_read(options->kafka_config, &session->arena, &settings, error);
        if (status != MR_OK)
            return status;
    }
    struct mr_kafka_log_open open = {.brokers = options->brokers,
                                     .client_id = session->name,
                                     .settings = settings,
                                     .queued_bytes_max = memory_budget(session) / 2};
    return mr_kafka_log_create(&open, &session->log, error);
}

/* A cluster that does not answer yet may still be starting: ask again for a while. */
static enum mr_status deploy_one(struct session *session, uint32_t index, struct mr_error *error)
{
    struct mr_deploy_options options = {
        .cluster = session->options->cluster,
        .embedded = session->options->brokers == NULL,
        .partitions_count = session->options->brokers == NULL ? EMBEDDED_PARTITIONS : 0,
        .wait_ms = REACH_MS_MAX / 2};
    const struct mr_standalone_version version = {.plan = session->plans[index],
                                                  .definition = session->definitions[index],
                                                  .catalogue = &session->catalogue,
                                                  .drop_state = session->options->drop_state,
                                                  .drop_state_count =
                                                      session->options->drop_state_count};
    uint64_t until_ms = mr_clock_monotonic_ms() + REACH_MS_MAX;
    for (;;) {
        bool changed;
        enum mr_status status =
            mr_standalone_deploy(session->log, &version, &options, &session->round,
                                 &session->deployments[index], &changed, error);
        if (status == MR_OK && changed)
            MR_LOG_AT(
                MR_LOG_INFO, "run", MR_LOG_FIELDS("topology", session->plans[index]->name),
                "the topology differs from the one that ran last; what its changes leave alone "
                "goes on");
        /* REINCARNATE: another process wrote to the control topic at the same time. */
        bool again =
            error->recovery == MR_RECOVERY_RETRY || error->recovery == MR_RECOVERY_REINCARNATE;
        if (status == MR_OK || !again || stop_signals > 0 || mr_clock_monotonic_ms() >= until_ms)
            return status;
        MR_LOG_AT(MR_LOG_WARNING, "run", MR_LOG_FIELDS("brokers", session->options->brokers),
                  "waiting for the cluster: %s", error->message);
        mr_clock_sleep_ms(500);
    }
}

static enum mr_exit failure(const struct session *session, const char *what,
                            const struct mr_error *error)
{
    (void)fprintf(stderr, "millrace: %s: %s", what, error->message);
    bool unreached = error->recovery == MR_RECOVERY_RETRY || error->status == MR_TIMEOUT;
    if (unreached && session->options->brokers != NULL)
        (void)fprintf(stderr, " Check that Kafka runs and is reached at --brokers %s.",
                      session->options->brokers);
    (void)fputc('\n', stderr);
    return unreached ? MR_EXIT_UNREACHED : MR_EXIT_WRONG;
}

static enum mr_exit start_worker(struct session *session)
{
    const struct run_options *options = session->options;
    struct mr_error error;
    for (uint32_t index = 0; index < session->count; index++)
        if (deploy_one(session, index, &error) != MR_OK)
            return failure(session, session->plans[index]->name, &error);
    struct mr_worker_open open = {.log = session->log,
                                  .metrics = session->metrics,
                                  .name = session->name,
                                  .state_directory = options->state_directory,
                                  .threads_count = options->threads_count,
                                  .memory_bytes = memory_budget(session),
                                  .until_end = options->until_end,
                                  .outlives_process = options->brokers != NULL,
                                  .queries = session->queries};
    if (mr_worker_create(&open, &session->worker, &error) != MR_OK)
        return failure(session, "the worker does not start", &error);
    for (uint32_t index = 0; index < session->count; index++)
        if (mr_worker_add(session->worker, session->deployments[index], &session->runnings[index],
                          &error) != MR_OK ||
            mr_worker_assign_all(session->runnings[index], &error) != MR_OK)
            return failure(session, session->plans[index]->name, &error);
    if (mr_worker_start(session->worker, &error) != MR_OK)
        return failure(session, "the worker does not start", &error);
    return MR_EXIT_FINE;
}

/* Everything has ended: each topology says so, and nothing has moved for a moment, since one
 * topology's end feeds another's source, and one task's the repartition of another. */
static bool all_ended(const struct session *session, uint64_t *moved, uint32_t *quiet_ticks)
{
    uint64_t now_moved = 0;
    bool ended = true;
    for (uint32_t index = 0; index < session->count; index++) {
        struct mr_running_status status;
        mr_worker_status(session->runnings[index], &status);
        now_moved += status.input_records + status.commits_count;
        ended = ended && status.state != MR_RUNNING_ACTIVE;
    }
    *quiet_ticks = ended && now_moved == *moved ? *quiet_ticks + 1 : 0;
    for (uint32_t index = 0; index < session->count && now_moved != *moved; index++)
        mr_worker_look_again(session->runnings[index]);
    *moved = now_moved;
    return ended && *quiet_ticks >= QUIET_TICKS_END;
}

static uint32_t failed_count(const struct session *session)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < session->count; index++) {
        struct mr_running_status status;
        mr_worker_status(session->runnings[index], &status);
        count += status.state == MR_RUNNING_FAILED;
    }
    return count;
}

enum watch_result { WATCH_STOP, WATCH_RESTART };

/* Look at source topics: a topic that grew makes a stateless topology start over with more tasks.
 */
static bool sources_grew(struct session *session)
{
    for (uint32_t index = 0; index < session->count && stop_signals == 0; index++) {
        struct mr_error error;
        bool grown = false;
        enum mr_status status =
            mr_deployment_watch(session->log, session->deployments[index], &grown, &error);
        if (status != MR_OK && error.recovery == MR_RECOVERY_FAIL_TOPOLOGY)
            mr_worker_fail(session->runnings[index], &error);
        if (grown)
            return true;
    }
    return false;
}

static enum watch_result watch(struct session *session, struct mr_progress_view *view)
{
    uint64_t moved = 0;
    uint32_t quiet_ticks = 0;
    uint64_t next_progress_ms = mr_clock_monotonic_ms() + PROGRESS_MS;
    uint64_t next_watch_ms = mr_clock_monotonic_ms() + WATCH_MS;
    while (stop_signals == 0) {
        mr_clock_sleep_ms(TICK_MS);
        uint64_t now_ms = mr_clock_monotonic_ms();
        if (failed_count(session) == session->count)
            return WATCH_STOP;
        if (session->options->until_end && all_ended(session, &moved, &quiet_ticks))
            return WATCH_STOP;
        if (now_ms >= next_progress_ms) {
            mr_progress_view_print(view, session->runnings, session->count);
            next_progress_ms = now_ms + PROGRESS_MS;
        }
        if (now_ms >= next_watch_ms) {
            if (sources_grew(session))
                return WATCH_RESTART;
            next_watch_ms = now_ms + WATCH_MS;
        }
    }
    return WATCH_STOP;
}

static enum mr_exit report_failures(const struct session *session)
{
    enum mr_exit code = MR_EXIT_FINE;
    for (uint32_t index = 0; index < session->count; index++) {
        struct mr_running_status status;
        mr_worker_status(session->runnings[index], &status);
        if (status.state != MR_RUNNING_FAILED)
            continue;
        (void)fprintf(stderr, "millrace: topology \"%s\" stopped: %s\n",
                      session->plans[index]->name, status.error.message);
        code = MR_EXIT_WRONG;
    }
    return code;
}

/* What has failed is not started again when the others start over. */
static void drop_failed(struct session *session)
{
    uint32_t kept_count = 0;
    for (uint32_t index = 0; index < session->count; index++) {
        struct mr_running_status status;
        mr_worker_status(session->runnings[index], &status);
        if (status.state == MR_RUNNING_FAILED)
            continue;
        session->definitions[kept_count] = session->definitions[index];
        session->plans[kept_count++] = session->plans[index];
    }
    session->count = kept_count;
}

static enum mr_exit run_rounds(struct session *session)
{
    struct mr_progress_view view;
    enum watch_result result;
    enum mr_exit worst = MR_EXIT_FINE;
    do {
        mr_arena_reset(&session->round);
        enum mr_exit code = start_worker(session);
        if (code != MR_EXIT_FINE)
            return code;
        mr_progress_view_init(&view, session->metrics, session->options->quiet);
        result = watch(session, &view);
        bool stopped = mr_worker_stop(session->worker, STOP_MS_MAX);
        mr_progress_view_finish(&view, session->runnings, session->count);
        code = report_failures(session);
        worst = code == MR_EXIT_FINE ? worst : code;
        if (!stopped) {
            (void)fprintf(stderr,
                          "millrace: not everything was committed and released within "
                          "%d s; nothing is lost, the next start replays it.\n",
                          STOP_MS_MAX / 1000);
            _Exit(MR_EXIT_WRONG);
        }
        if (result == WATCH_RESTART) {
            MR_LOG_AT(MR_LOG_INFO, "run", NULL, "a source has more partitions: starting over");
            drop_failed(session);
            mr_worker_destroy(session->worker);
            session->worker = NULL;
        }
    } while (result == WATCH_RESTART && session->count > 0 && stop_signals == 0);
    return worst;
}

static enum mr_exit run_session(const struct run_options *options)
{
    struct session session = {.options = options};
    struct mr_error error;
    mr_arena_init(&session.arena, 1 << 16);
    mr_arena_init(&session.round, 1 << 16);
    mr_catalogue_make(&session.arena, &session.catalogue);
    session.metrics = mr_metrics_create();
    (void)snprintf(session.name, sizeof(session.name), "millrace-run-%ld", (long)getpid());
    catch_signals();
    enum mr_exit code = load_plans(&session);
    if (code == MR_EXIT_FINE && open_log(&session, &error) != MR_OK)
        code = failure(&session, "the log cannot be opened", &error);
    session.queries = mr_query_registry_create();
    if (code == MR_EXIT_FINE &&
        mr_run_generators_start(options->arguments, session.plans, session.count, session.queries,
                                &session.generators, &error) != MR_OK)
        code = failure(&session, "generators are not served", &error);
    if (code == MR_EXIT_FINE)
        code = run_rounds(&session);
    mr_run_generators_stop(session.generators);
    mr_worker_destroy(session.worker);
    mr_query_registry_destroy(session.queries);
    mr_log_flush();
    if (session.log != NULL)
        session.log->ops->close(session.log);
    mr_metrics_destroy(session.metrics);
    mr_arena_deinit(&session.round);
    mr_arena_deinit(&session.arena);
    return code;
}

static const char *text_flag(const struct mr_arguments *arguments, const char *name,
                             const char *otherwise)
{
    return mr_arguments_given(arguments, name) ? mr_arguments_flag(arguments, name)->text
                                               : otherwise;
}

/* As given, else the processors that the process and its control group may use. */
static enum mr_exit read_threads(const struct mr_arguments *arguments, struct run_options *options)
{
    struct mr_cgroup cgroup;
    struct mr_error error;
    if (mr_arguments_given(arguments, "threads")) {
        options->threads_count = (uint32_t)mr_arguments_flag(arguments, "threads")->integer;
        return MR_EXIT_FINE;
    }
    if (mr_cgroup_read("", &cgroup, &error) != MR_OK) {
        (void)fprintf(stderr, "millrace run: %s\n", error.message);
        return MR_EXIT_USAGE;
    }
    options->threads_count = mr_cgroup_processors(&cgroup);
    return MR_EXIT_FINE;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    const char *brokers = text_flag(arguments, "brokers", NULL);
    struct run_options options = {
        .arguments = arguments,
        .files = arguments->operands,
        .files_count = arguments->operands_count,
        .brokers = brokers,
        .kafka_config = text_flag(arguments, "kafka-config", NULL),
        .cluster = text_flag(arguments, "cluster", "millrace"),
        .state_directory =
            text_flag(arguments, "state-dir", brokers == NULL ? NULL : "millrace-state"),
        .until_end = mr_arguments_given(arguments, "until-end"),
        .quiet = mr_arguments_given(arguments, "quiet"),
        .drop_state = mr_arguments_flag(arguments, "drop-state")->texts,
        .drop_state_count = mr_arguments_flag(arguments, "drop-state")->count};
    if (mr_arguments_given(arguments, "log-format"))
        mr_log_configure(MR_LOG_INFO,
                         (enum mr_log_format)mr_arguments_flag(arguments, "log-format")->integer);
    enum mr_exit code = read_threads(arguments, &options);
    return code == MR_EXIT_FINE ? run_session(&options) : code;
}

static const char *const log_formats[] = {"logfmt", "json", NULL};

static const struct mr_flag run_flags[] = {
    MR_FLAG_BROKERS,
    MR_FLAG_KAFKA_CONFIG,
    MR_FLAG_CLUSTER,
    {.name = "state-dir",
     .kind = MR_FLAG_TEXT,
     .value = "DIR",
     .help = "Where state is kept (default ./millrace-state on Kafka, memory otherwise)."},
    {.name = "threads",
     .kind = MR_FLAG_INTEGER,
     .value = "N",
     .minimum = 1,
     .maximum = 256,
     .help = "Task threads (default: the processors that the process and its control group "
             "may use)."},
    {.name = "drop-state",
     .kind = MR_FLAG_TEXTS,
     .value = "NAME",
     .help =
         "An operator, source or part whose state or position a changed topology may drop; more "
         "than once. Without it such a change is refused."},
    {.name = "until-end",
     .kind = MR_FLAG_SWITCH,
     .help = "Stop when everything up to the ends seen at start is processed and committed."},
    {.name = "quiet", .letter = 'q', .kind = MR_FLAG_SWITCH, .help = "Show no progress."},
    MR_FLAGS_WEBSOCKET,
    MR_FLAGS_WEBSOCKET_TLS,
    {.name = "log-format",
     .kind = MR_FLAG_CHOICE,
     .value = "FORMAT",
     .choices = log_formats,
     .help = "Log lines as `logfmt` (the default) or `json`."},
    {.name = NULL}};

const struct mr_command mr_command_run = {
    .name = "run",
    .operands = "FILE...",
    .operands_min = 1,
    .operands_max = FILES_MAX,
    .summary = "Run topologies in this process.",
    .description =
        "Runs until it is interrupted (SIGINT, SIGTERM: commit, release, exit 0) or, with "
        "--until-end,\nuntil everything is processed. State and progress survive a crash "
        "when --brokers names a Kafka.",
    .flags = run_flags,
    .run = run,
};
