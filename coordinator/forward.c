/* coordinator/forward.c — GET /v1/taps/{topology}/{operator}: what an operator gives, as it passes.
 * Design: the user subscribes here to a channel; for each worker that runs the topology a thread
 * listens to that worker's own tap and publishes what comes. Once a second the core thread looks:
 * workers that came get a thread, those that left lose theirs, and when nobody listens any more all
 * of them end, so that the workers stop rendering rows. A thread that ends says so and is joined at
 * the next look, which therefore never waits.
 * Limits: FORWARDED_MAX operators at a time, THREADS_MAX threads; what is beyond is told 503, or (a
 * worker) left out and logged. */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "coordinator/internal.h"

#include <stdio.h>

enum {
    FORWARDED_MAX = 16,
    THREADS_MAX = 64,
    LOOK_MS = 1000,
    AGAIN_MS = 1000,
    SLICE_MS = 100,
    COMING_MS = 5000, /* until a subscription counts, at most */
    URL_SIZE = 1024,
    RETRY_S = 2
};

struct listener {
    struct mr_coordinator *coordinator;
    struct mr_http_client *client; /* NULL: the place is free */
    pthread_t thread;
    char channel[MR_HTTP_CHANNEL_BYTES_MAX + 1];
    char url[URL_SIZE];
    atomic_bool cancelled;
    atomic_bool ended;
    bool wanted; /* by the present look */
};

struct forwarded {
    char topology[MR_SHELL_TEXT_MAX]; /* empty: the place is free */
    char node[MR_SHELL_TEXT_MAX];
    uint64_t heard_ms; /* when somebody was last seen to listen, or has come */
};

/* The core thread's. */
struct mr_forward {
    struct forwarded operators[FORWARDED_MAX];
    struct listener listeners[THREADS_MAX];
    uint64_t next_look_ms;
    bool led; /* at the last look */
};

static void name_channel(char channel[MR_HTTP_CHANNEL_BYTES_MAX + 1], const char *topology,
                         const char *node)
{
    (void)snprintf(channel, MR_HTTP_CHANNEL_BYTES_MAX + 1, "tap/%s/%s", topology, node);
}

/* ---- A listener's thread ---- */

static bool pass_on(void *argument, const char *event, struct mr_slice data)
{
    struct listener *listener = argument;
    mr_http_publish(listener->coordinator->http, listener->channel, event, 0, data);
    return !atomic_load(&listener->cancelled);
}

static void *listen_main(void *argument)
{
    struct listener *listener = argument;
    while (!atomic_load(&listener->cancelled)) {
        struct mr_error error;
        if (mr_http_client_listen(listener->client, listener->url, pass_on, listener, &error) !=
                MR_OK &&
            error.status != MR_CLOSED)
            MR_LOG_AT(MR_LOG_INFO, "coordinator", MR_LOG_FIELDS("url", listener->url),
                      "A worker's tap has ended: %s", error.message);
        for (uint32_t waited_ms = 0; waited_ms < AGAIN_MS && !atomic_load(&listener->cancelled);
             waited_ms += SLICE_MS)
            mr_clock_sleep_ms(SLICE_MS);
    }
    atomic_store(&listener->ended, true);
    return NULL;
}

static void cancel(struct listener *listener)
{
    atomic_store(&listener->cancelled, true);
    mr_http_client_cancel(listener->client);
}

static void join(struct listener *listener)
{
    (void)pthread_join(listener->thread, NULL);
    mr_http_client_destroy(listener->client);
    listener->client = NULL;
}

static enum mr_status start(struct mr_coordinator *coordinator, struct listener *listener,
                            const char *channel, const char *url, struct mr_error *error)
{
    const struct mr_coordinator_options *options = &coordinator->options;
    const struct mr_http_client_options client = {.token = options->http_token,
                                                  .authority_file = options->http_authority_file};
    listener->coordinator = coordinator;
    (void)snprintf(listener->channel, sizeof(listener->channel), "%s", channel);
    (void)snprintf(listener->url, sizeof(listener->url), "%s", url);
    atomic_store(&listener->cancelled, false);
    atomic_store(&listener->ended, false);
    enum mr_status status = mr_http_client_create(&client, &listener->client, error);
    if (status != MR_OK)
        return status;
    int failed = pthread_create(&listener->thread, NULL, listen_main, listener);
    if (failed == 0)
        return MR_OK;
    mr_http_client_destroy(listener->client);
    listener->client = NULL;
    return MR_FAIL_ERRNO(error, failed, MR_RECOVERY_RETRY, "A thread cannot be started");
}

/* ---- Looking, on the core thread ---- */

/* Mark the listener of a worker as wanted; start it when there is none. */
static void want(struct mr_coordinator *coordinator, const char *channel, const char *url)
{
    struct listener *place = NULL;
    struct mr_error error;
    for (uint32_t index = 0; index < THREADS_MAX; index++) {
        struct listener *listener = &coordinator->forward->listeners[index];
        if (listener->client == NULL) {
            place = place == NULL ? listener : place;
        } else if (strcmp(listener->channel, channel) == 0 && strcmp(listener->url, url) == 0 &&
                   !atomic_load(&listener->cancelled)) {
            listener->wanted = true;
            return;
        }
    }
    enum mr_status status = place == NULL ? MR_FAIL(&error, MR_LIMIT, MR_RECOVERY_RETRY,
                                                    "%d workers are tapped already", THREADS_MAX)
                                          : start(coordinator, place, channel, url, &error);
    if (status == MR_OK)
        place->wanted = true;
    else
        MR_LOG_AT(MR_LOG_WARNING, "coordinator", MR_LOG_FIELDS("url", url),
                  "A worker cannot be tapped: %s.", error.message);
}

static bool runs_on(const struct mr_coordinator *coordinator, const char *topology,
                    const char *worker, uint64_t now_ms)
{
    for (uint32_t index = 0; index < mr_core_tasks_count(coordinator->core); index++) {
        struct mr_core_task task = mr_core_task_at(coordinator->core, index, now_ms);
        if (task.role == MR_TASK_ROLE_ACTIVE && strcmp(task.topology, topology) == 0 &&
            strcmp(task.worker, worker) == 0)
            return true;
    }
    return false;
}

static void want_workers(struct mr_coordinator *coordinator, const struct forwarded *tapped,
                         const char *channel, uint64_t now_ms)
{
    const char *scheme = coordinator->options.http_certificate_file != NULL ? "https" : "http";
    for (uint32_t index = 0; index < mr_core_workers_count(coordinator->core); index++) {
        char url[URL_SIZE];
        struct mr_core_worker worker = mr_core_worker_at(coordinator->core, index, now_ms);
        if (worker.state == MR_WORKER_GONE || worker.http[0] == '\0' ||
            !runs_on(coordinator, tapped->topology, worker.name, now_ms))
            continue;
        (void)snprintf(url, sizeof(url), "%s://%s/v1/taps/%s/%s", scheme, worker.http,
                       tapped->topology, tapped->node);
        want(coordinator, channel, url);
    }
}

/* Start, cancel and join listeners, so that they fit those who listen here. */
static void adjust(struct mr_coordinator *coordinator, uint64_t now_ms)
{
    struct mr_forward *forward = coordinator->forward;
    for (uint32_t index = 0; index < THREADS_MAX; index++) {
        struct listener *listener = &forward->listeners[index];
        if (listener->client != NULL && atomic_load(&listener->ended))
            join(listener);
        listener->wanted = false;
    }
    for (uint32_t index = 0; index < FORWARDED_MAX; index++) {
        char channel[MR_HTTP_CHANNEL_BYTES_MAX + 1];
        struct forwarded *tapped = &forward->operators[index];
        if (tapped->topology[0] == '\0')
            continue;
        name_channel(channel, tapped->topology, tapped->node);
        if (mr_http_subscribers(coordinator->http, channel) > 0)
            tapped->heard_ms = now_ms;
        if (forward->led && now_ms - tapped->heard_ms < COMING_MS)
            want_workers(coordinator, tapped, channel, now_ms);
        else
            tapped->topology[0] = '\0';
    }
    for (uint32_t index = 0; index < THREADS_MAX; index++) {
        struct listener *listener = &forward->listeners[index];
        if (listener->client != NULL && !listener->wanted)
            cancel(listener);
    }
}

/* Who leads no more has nothing to tell: those who listen are sent away, to the leader. */
static void send_away(struct mr_coordinator *coordinator)
{
    const struct mr_forward *forward = coordinator->forward;
    const struct mr_slice nothing = mr_slice_text("{}");
    mr_http_publish(coordinator->http, "events", "end", 0, nothing);
    for (uint32_t index = 0; index < FORWARDED_MAX; index++) {
        char channel[MR_HTTP_CHANNEL_BYTES_MAX + 1];
        const struct forwarded *tapped = &forward->operators[index];
        if (tapped->topology[0] == '\0')
            continue;
        name_channel(channel, tapped->topology, tapped->node);
        mr_http_publish(coordinator->http, channel, "end", 0, nothing);
    }
}

void mr_forward_look(struct mr_coordinator *coordinator, uint64_t now_ms)
{
    if (coordinator->forward == NULL)
        coordinator->forward = mr_memory_new(1, sizeof(*coordinator->forward));
    struct mr_forward *forward = coordinator->forward;
    bool leads = atomic_load(&coordinator->leads);
    if (forward->led && !leads)
        send_away(coordinator);
    if (forward->led == leads && now_ms < forward->next_look_ms)
        return;
    forward->led = leads;
    forward->next_look_ms = now_ms + LOOK_MS;
    adjust(coordinator, now_ms);
}

void mr_forward_stop(struct mr_coordinator *coordinator)
{
    struct mr_forward *forward = coordinator->forward;
    for (uint32_t index = 0; forward != NULL && index < THREADS_MAX; index++)
        if (forward->listeners[index].client != NULL)
            cancel(&forward->listeners[index]);
    for (uint32_t index = 0; forward != NULL && index < THREADS_MAX; index++)
        if (forward->listeners[index].client != NULL)
            join(&forward->listeners[index]);
    mr_memory_free(forward);
    coordinator->forward = NULL;
}

/* ---- The route ---- */

struct tapping {
    struct mr_version_record *version;
    const char *node;
    bool found;
};

static void drop_tapping(struct mr_work *work)
{
    mr_http_problem(work->exchange, 503, 1, "The coordinator is stopping.");
}

static void run_find(struct mr_coordinator *coordinator, struct mr_work *work)
{
    struct tapping *tapping = work->data;
    struct mr_report report;
    struct mr_plan *plan;
    mr_jobs_plan(&coordinator->jobs, tapping->version->definition, &work->arena, &report, &plan);
    const struct mr_plan_node *node = plan == NULL ? NULL : mr_plan_node_find(plan, tapping->node);
    tapping->found = node != NULL && node->type->role != MR_ROLE_SINK;
}

/* A place for the operator; false: there is none. */
static bool remember(struct mr_coordinator *coordinator, const char *topology, const char *node,
                     uint64_t now_ms)
{
    struct forwarded *place = NULL;
    for (uint32_t index = 0; index < FORWARDED_MAX; index++) {
        struct forwarded *tapped = &coordinator->forward->operators[index];
        bool same = strcmp(tapped->topology, topology) == 0 && strcmp(tapped->node, node) == 0;
        if (same || (tapped->topology[0] == '\0' && place == NULL))
            place = tapped;
        if (same)
            break;
    }
    if (place == NULL)
        return false;
    place->heard_ms = now_ms;
    (void)snprintf(place->topology, sizeof(place->topology), "%s", topology);
    (void)snprintf(place->node, sizeof(place->node), "%s", node);
    return true;
}

static void finish_find(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    const struct tapping *tapping = work->data;
    char channel[MR_HTTP_CHANNEL_BYTES_MAX + 1];
    if (!tapping->found) {
        mr_http_problem(work->exchange, 404, 0, "Topology \"%s\" has no source or operator \"%s\".",
                        tapping->version->name, tapping->node);
        return;
    }
    name_channel(channel, tapping->version->name, tapping->node);
    mr_forward_look(coordinator, now_ms); /* makes it */
    if (!remember(coordinator, tapping->version->name, tapping->node, now_ms)) {
        mr_http_problem(work->exchange, 503, RETRY_S, "%d operators are tapped already.",
                        FORWARDED_MAX);
        return;
    }
    mr_http_subscribe(work->exchange, channel);
    coordinator->forward->next_look_ms = now_ms;
}

void mr_api_tap(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                uint64_t now_ms)
{
    struct mr_core_topology topology;
    if (!mr_api_topology(coordinator, exchange, now_ms, &topology))
        return;
    if (topology.version == NULL) {
        mr_http_problem(exchange, 503, RETRY_S, "Topology \"%s\" has no version yet.",
                        topology.record->name);
        return;
    }
    struct mr_work *work = mr_work_create(run_find, finish_find);
    struct tapping *tapping = mr_arena_new(&work->arena, 1, sizeof(*tapping));
    tapping->version = mr_shell_copy_version(topology.version, &work->arena);
    tapping->node = mr_arena_copy_text(&work->arena, mr_http_request_of(exchange)->parts[1]);
    work->data = tapping;
    work->exchange = exchange;
    work->drop = drop_tapping;
    if (tapping->version != NULL && mr_work_send(coordinator->reads_ring, work))
        return;
    drop_tapping(work);
    mr_work_destroy(work);
}
