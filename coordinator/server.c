/* coordinator/server.c — starting and ending a coordinator: rings, threads, listeners, metrics.
 * Order of the start: whatever can be refused at once (addresses, the log) before the first thread;
 * listeners before the control thread, since a leader must be reachable. Order of the end: the core
 * thread hands over first, while everything works; then the rings are closed, each thread takes
 * what is left in its own and ends. */
#include "coordinator/server.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/engine_metrics.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/random.h"
#include "coordinator/generators_cluster.h"
#include "coordinator/internal.h"
#include "coordinator/kubernetes.h"

#include <stdio.h>

enum { WAIT_MS = 15000, WATCH_MS = 15000, STUCK_MS = 30000, THREADS_COUNT = 6, HOST_SIZE = 200 };

/* ---- Threads ---- */

static void *core_main(void *argument)
{
    mr_shell_core_loop(argument);
    return NULL;
}

static void *receive_main(void *argument)
{
    mr_shell_receive_loop(argument);
    return NULL;
}

static void *control_main(void *argument)
{
    mr_lead_control_loop(argument);
    return NULL;
}

static void *jobs_main(void *argument)
{
    struct mr_coordinator *coordinator = argument;
    mr_work_loop(coordinator, coordinator->jobs_ring);
    return NULL;
}

static void *reads_main(void *argument)
{
    struct mr_coordinator *coordinator = argument;
    mr_work_loop(coordinator, coordinator->reads_ring);
    return NULL;
}

static void *scale_main(void *argument)
{
    struct mr_coordinator *coordinator = argument;
    mr_work_loop(coordinator, coordinator->scale_ring);
    return NULL;
}

static enum mr_status start_threads(struct mr_coordinator *coordinator, struct mr_error *error)
{
    static void *(*const mains[THREADS_COUNT])(void *) = {core_main, receive_main, control_main,
                                                          jobs_main, reads_main,   scale_main};
    for (; coordinator->threads_count < THREADS_COUNT; coordinator->threads_count++) {
        uint32_t index = coordinator->threads_count;
        int failed = pthread_create(&coordinator->threads[index], NULL, mains[index], coordinator);
        if (failed != 0)
            return MR_FAIL_ERRNO(error, failed, MR_RECOVERY_EXIT,
                                 "A thread of the coordinator cannot be started");
    }
    return MR_OK;
}

static void join_threads(struct mr_coordinator *coordinator)
{
    for (uint32_t index = 1; index < coordinator->threads_count; index++)
        (void)pthread_join(coordinator->threads[index], NULL);
}

/* ---- Metrics ---- */

static struct mr_metric *series(struct mr_coordinator *coordinator, enum mr_engine_metric metric,
                                const char *state)
{
    const char *const labels[] = {coordinator->options.cluster, state, NULL};
    return mr_metrics_series(coordinator->metrics, mr_engine_metric(metric), labels);
}

static void open_metrics(struct mr_coordinator *coordinator)
{
    struct mr_shell_metrics *metrics = &coordinator->series;
    coordinator->metrics = mr_metrics_create();
    metrics->leader = series(coordinator, MR_ENGINE_COORDINATOR_LEADER, NULL);
    metrics->term = series(coordinator, MR_ENGINE_COORDINATOR_TERM, NULL);
    metrics->steps = series(coordinator, MR_ENGINE_COORDINATOR_STEP_DURATION, NULL);
    metrics->syncs = series(coordinator, MR_ENGINE_COORDINATOR_SYNCS, NULL);
    metrics->refused = series(coordinator, MR_ENGINE_COORDINATOR_REFUSED, NULL);
    metrics->control_writes = series(coordinator, MR_ENGINE_COORDINATOR_WRITES, NULL);
    metrics->requests = series(coordinator, MR_ENGINE_COORDINATOR_REQUESTS, NULL);
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(metrics->workers); index++)
        metrics->workers[index] = series(coordinator, MR_ENGINE_COORDINATOR_WORKERS,
                                         mr_view_worker_state((enum mr_worker_state)index));
    for (uint32_t index = 0; index < MR_TASK_STATE_COUNT; index++)
        metrics->tasks[index] = series(coordinator, MR_ENGINE_COORDINATOR_TASKS,
                                       mr_view_task_state((enum mr_task_state)index));
    metrics->tasks[MR_TASK_STATE_COUNT] =
        series(coordinator, MR_ENGINE_COORDINATOR_TASKS, "unassigned");
    for (uint32_t index = 0; index < MR_ARRAY_COUNT(metrics->topologies); index++)
        metrics->topologies[index] = series(coordinator, MR_ENGINE_COORDINATOR_TOPOLOGIES,
                                            mr_view_health((enum mr_core_health)index));
}

/* ---- Addresses ---- */

/* The address that users and other coordinators are given: with the port that was found. */
static void name_http(struct mr_coordinator *coordinator)
{
    const struct mr_coordinator_options *options = &coordinator->options;
    if (options->http_advertise != NULL) {
        (void)snprintf(coordinator->http_address, sizeof(coordinator->http_address), "%.*s",
                       MR_SHELL_TEXT_MAX - 1, options->http_advertise);
        return;
    }
    const char *colon = strrchr(options->http, ':');
    int size = colon != NULL ? (int)(colon - options->http) : (int)strlen(options->http);
    (void)snprintf(coordinator->http_address, sizeof(coordinator->http_address), "%.*s:%d",
                   size < HOST_SIZE ? size : HOST_SIZE, options->http,
                   mr_http_server_port(coordinator->http));
}

static enum mr_status check_options(const struct mr_coordinator_options *options,
                                    struct mr_error *error)
{
    const char *const texts[] = {options->cluster, options->listen, options->advertise,
                                 options->http, options->http_advertise};
    for (size_t index = 0; index < MR_ARRAY_COUNT(texts); index++)
        if (texts[index] != NULL && strlen(texts[index]) >= MR_SHELL_TEXT_MAX - 16)
            return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_EXIT,
                           "An address or name is too long: %.60s...", texts[index]);
    return MR_OK;
}

/* ---- Start ---- */

static void open_rings(struct mr_coordinator *coordinator)
{
    coordinator->events = mr_ring_create(MR_COORDINATOR_EVENTS_MAX);
    coordinator->control_ring = mr_ring_create(MR_WORK_RING);
    coordinator->jobs_ring = mr_ring_create(MR_WORK_RING);
    coordinator->reads_ring = mr_ring_create(MR_WORK_RING);
    coordinator->scale_ring = mr_ring_create(MR_WORK_RING);
}

static void open_core(struct mr_coordinator *coordinator)
{
    const struct mr_coordinator_options *options = &coordinator->options;
    const struct mr_core_options core = {.cluster = options->cluster,
                                         .workers_set = options->workers_set,
                                         .seed = mr_random_fresh_id(),
                                         .silence_ms = options->silence_ms,
                                         .gone_ms = options->gone_ms,
                                         .grace_ms = options->grace_ms,
                                         .takeover_ms = options->takeover_ms,
                                         .moves_max = options->moves_max,
                                         .settle_ms = options->settle_ms};
    coordinator->core = mr_core_create(&core);
    coordinator->warnings = mr_memory_new(MR_SHELL_WARNINGS_MAX, sizeof(*coordinator->warnings));
    coordinator->later_end = &coordinator->later;
    coordinator->jobs = (struct mr_jobs){.log = options->log,
                                         .catalogue = options->catalogue,
                                         .cluster = options->cluster,
                                         .name = "coordinator",
                                         .wait_ms = options->wait_ms,
                                         .given_up = mr_shell_given_up,
                                         .argument = coordinator};
}

static enum mr_status open_listeners(struct mr_coordinator *coordinator, struct mr_error *error)
{
    const struct mr_coordinator_options *options = &coordinator->options;
    const struct mr_http_server_options http = {.address = options->http,
                                                .certificate_file = options->http_certificate_file,
                                                .key_file = options->http_key_file,
                                                .client_authority_file =
                                                    options->http_client_authority_file,
                                                .token = options->http_token,
                                                .routes = mr_api_routes,
                                                .argument = coordinator};
    const struct mr_http_client_options client = {.token = options->http_token,
                                                  .authority_file = options->http_authority_file};
    enum mr_status status = options->transport->ops->server_create(
        options->transport, options->listen, options->tls, &coordinator->server, error);
    if (status == MR_OK)
        status = mr_http_client_create(&client, &coordinator->client, error);
    if (status == MR_OK)
        status = mr_http_server_start(&http, &coordinator->http, error);
    if (status == MR_OK)
        name_http(coordinator);
    return status;
}

enum mr_status mr_coordinator_start(const struct mr_coordinator_options *options,
                                    struct mr_coordinator **coordinator, struct mr_error *error)
{
    struct mr_coordinator *started = mr_memory_new(1, sizeof(*started));
    started->options = *options;
    if (started->options.wait_ms == 0)
        started->options.wait_ms = WAIT_MS;
    if (started->options.watch_ms == 0)
        started->options.watch_ms = WATCH_MS;
    if (started->options.stuck_ms == 0)
        started->options.stuck_ms = STUCK_MS;
    atomic_store(&started->core_turned_ms, mr_clock_monotonic_ms());
    atomic_store(&started->receive_turned_ms, mr_clock_monotonic_ms());
    started->candidate = mr_random_fresh_id();
    int failed = pthread_mutex_init(&started->mutex, NULL);
    MR_ASSERT(failed == 0);
    (void)snprintf(started->advertise, sizeof(started->advertise), "%.*s", MR_SHELL_TEXT_MAX - 1,
                   options->advertise != NULL ? options->advertise : options->listen);
    open_metrics(started);
    open_rings(started);
    open_core(started);
    const struct mr_control_log_options control = {
        .log = options->log, .cluster = options->cluster, .wait_ms = started->options.wait_ms};
    enum mr_status status = check_options(options, error);
    if (status == MR_OK)
        status = mr_control_log_open(&control, &started->control, error);
    if (status == MR_OK && options->workers_set != NULL)
        status = mr_kubernetes_client_create(options->kubernetes, &started->kubernetes, error);
    if (status == MR_OK)
        status = open_listeners(started, error);
    if (status == MR_OK) {
        mr_lead_open(started);
        status = start_threads(started, error);
    }
    if (status == MR_OK)
        status = mr_cluster_generators_start(started, &started->generators, error);
    if (status == MR_OK)
        status = mr_kubernetes_start(started, &started->kubernetes_topologies, error);
    if (status != MR_OK) {
        mr_coordinator_stop(started);
        return status;
    }
    *coordinator = started;
    return MR_OK;
}

int mr_coordinator_http_port(const struct mr_coordinator *coordinator)
{
    return mr_http_server_port(coordinator->http);
}

int mr_coordinator_websocket_port(const struct mr_coordinator *coordinator)
{
    return coordinator->generators != NULL ? mr_cluster_generators_port(coordinator->generators)
                                           : 0;
}

int mr_coordinator_admission_port(const struct mr_coordinator *coordinator)
{
    return mr_kubernetes_port(coordinator->kubernetes_topologies);
}

/* ---- End ---- */

static void close_rings(struct mr_coordinator *coordinator)
{
    struct mr_ring *const rings[] = {coordinator->events, coordinator->control_ring,
                                     coordinator->jobs_ring, coordinator->reads_ring,
                                     coordinator->scale_ring};
    for (size_t index = 0; index < MR_ARRAY_COUNT(rings); index++)
        mr_ring_close(rings[index]);
}

static void destroy_rings(struct mr_coordinator *coordinator)
{
    struct mr_ring *const rings[] = {coordinator->events, coordinator->control_ring,
                                     coordinator->jobs_ring, coordinator->reads_ring,
                                     coordinator->scale_ring};
    for (size_t index = 0; index < MR_ARRAY_COUNT(rings); index++) {
        mr_work_drain(rings[index]);
        mr_ring_destroy(rings[index]);
    }
}

void mr_coordinator_stop(struct mr_coordinator *coordinator)
{
    if (coordinator == NULL)
        return;
    mr_kubernetes_stop(coordinator->kubernetes_topologies);
    mr_cluster_generators_stop(coordinator->generators); /* it asks the leader, maybe this one */
    atomic_store(&coordinator->stopping, true);
    if (coordinator->threads_count > 0) /* hands over, and ends when that is done */
        (void)pthread_join(coordinator->threads[0], NULL);
    atomic_store(&coordinator->ended, true);
    close_rings(coordinator);
    if (coordinator->kubernetes != NULL)
        mr_kubernetes_client_cancel(coordinator->kubernetes);
    if (coordinator->server != NULL)
        coordinator->server->transport->ops->server_wake(coordinator->server);
    join_threads(coordinator);
    mr_api_give_up(coordinator);
    mr_forward_stop(coordinator);
    destroy_rings(coordinator);
    mr_http_server_stop(coordinator->http);
    mr_http_client_destroy(coordinator->client);
    mr_kubernetes_client_destroy(coordinator->kubernetes);
    if (coordinator->server != NULL)
        coordinator->server->transport->ops->server_destroy(coordinator->server);
    mr_control_log_close(coordinator->control);
    mr_lead_close(coordinator);
    mr_core_destroy(coordinator->core);
    mr_shell_warnings_clear(coordinator);
    mr_memory_free(coordinator->warnings);
    mr_metrics_destroy(coordinator->metrics);
    (void)pthread_mutex_destroy(&coordinator->mutex);
    mr_memory_free(coordinator);
}
