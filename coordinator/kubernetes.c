/* coordinator/kubernetes.c — see kubernetes.h. */
#include "coordinator/kubernetes.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "coordinator/internal.h"
#include "coordinator/kubernetes_admission.h"
#include "coordinator/kubernetes_certificate.h"
#include "coordinator/kubernetes_sync.h"

#include <stdio.h>

enum {
    PASS_MS = 500,
    STEP_MS = 50,
    PATH_SIZE = 256,
    THREADS_MAX = 4,
    LOOK_MS = 10000,    /* between looks at the certificate */
    LOOK_SOON_MS = 1000 /* while there is none */
};

struct watcher {
    struct mr_kubernetes *kubernetes;
    enum mr_kubernetes_kind kind;
    struct mr_kubernetes_client *client;
    char path[PATH_SIZE];
    const char *selector;
};

struct mr_kubernetes {
    struct mr_coordinator *coordinator;
    struct mr_kubernetes_objects *objects;
    struct mr_kubernetes_client *client; /* of the thread that acts */
    struct watcher watchers[MR_KUBERNETES_KINDS];
    struct mr_kubernetes_client *certificate_client; /* of the certificate's thread */
    struct mr_http_identity *identity;
    struct mr_kubernetes_admission *admission; /* NULL: not served */
    pthread_t threads[THREADS_MAX];
    uint32_t threads_count;
    atomic_bool ended;
    atomic_bool active; /* the acting thread lets the watches run */
    atomic_uint watching;
};

/* ---- Watching ---- */

static void visit(void *argument, enum mr_kubernetes_event event, json_t *object)
{
    const struct watcher *watcher = argument;
    mr_kubernetes_objects_note(watcher->kubernetes->objects, watcher->kind, event, object);
}

static bool is_over(void *argument)
{
    const struct watcher *watcher = argument;
    return atomic_load(&watcher->kubernetes->ended) || !atomic_load(&watcher->kubernetes->active);
}

static void *watch_main(void *argument)
{
    struct watcher *watcher = argument;
    struct mr_kubernetes *kubernetes = watcher->kubernetes;
    while (!atomic_load(&kubernetes->ended)) {
        struct mr_kubernetes_watch watch = {.path = watcher->path,
                                            .selector = watcher->selector,
                                            .visit = visit,
                                            .given_up = is_over,
                                            .argument = watcher};
        (void)atomic_fetch_add(&kubernetes->watching, 1);
        if (!is_over(watcher))
            mr_kubernetes_watch_run(watcher->client, &watch);
        (void)atomic_fetch_sub(&kubernetes->watching, 1);
        mr_clock_sleep_ms(STEP_MS);
    }
    return NULL;
}

/* ---- Acting ---- */

static enum mr_status ask(void *argument, const struct mr_http_asking *asking,
                          struct mr_arena *arena, struct mr_http_asked *asked,
                          struct mr_error *error)
{
    struct mr_kubernetes *kubernetes = argument;
    struct mr_http_asking cancellable = *asking;
    cancellable.cancelled = &kubernetes->ended;
    return mr_http_server_ask(kubernetes->coordinator->http, &cancellable, arena, asked, error);
}

/* Watches run while this coordinator leads; what they saw is void behind that. */
static bool follow_lead(struct mr_kubernetes *kubernetes)
{
    bool leads = atomic_load(&kubernetes->coordinator->leads);
    if (leads && !atomic_load(&kubernetes->active) && atomic_load(&kubernetes->watching) == 0) {
        mr_kubernetes_objects_clear(kubernetes->objects);
        atomic_store(&kubernetes->active, true);
    } else if (!leads) {
        atomic_store(&kubernetes->active, false);
    }
    return atomic_load(&kubernetes->active);
}

static void *act_main(void *argument)
{
    struct mr_kubernetes *kubernetes = argument;
    struct mr_kubernetes_sync sync = {.client = kubernetes->client,
                                      .objects = kubernetes->objects,
                                      .cluster = kubernetes->coordinator->options.cluster,
                                      .ask = ask,
                                      .argument = kubernetes};
    uint64_t next_ms = 0;
    enum mr_status logged = MR_OK;
    while (!atomic_load(&kubernetes->ended)) {
        uint64_t now_ms = mr_clock_monotonic_ms();
        struct mr_error error;
        mr_clock_sleep_ms(STEP_MS);
        if (!follow_lead(kubernetes) || now_ms < next_ms)
            continue;
        enum mr_status status = mr_kubernetes_sync_pass(&sync, now_ms, &error);
        if (status == MR_CLOSED) /* stopped; what it was at goes on with the next leader */
            break;
        if (status != MR_OK && status != MR_AGAIN && status != logged)
            MR_LOG_AT(MR_LOG_WARNING, "kubernetes", NULL, "%s", error.message);
        logged = status;
        next_ms = now_ms + PASS_MS;
    }
    return NULL;
}

/* ---- The webhook's certificate ---- */

static void *certificate_main(void *argument)
{
    struct mr_kubernetes *kubernetes = argument;
    const struct mr_coordinator_options *options = &kubernetes->coordinator->options;
    struct mr_kubernetes_certificate certificate = {
        .client = kubernetes->certificate_client,
        .identity = kubernetes->identity,
        .secret =
            options->admission_secret != NULL ? options->admission_secret : "millrace-admission",
        .service = options->admission_service != NULL ? options->admission_service
                                                      : "millrace-coordinator",
        .webhook = options->admission_webhook};
    uint64_t next_ms = 0;
    bool led = false;
    enum mr_status logged = MR_OK;
    while (!atomic_load(&kubernetes->ended)) {
        uint64_t now_ms = mr_clock_monotonic_ms();
        bool leads = atomic_load(&kubernetes->coordinator->leads);
        struct mr_error error;
        mr_clock_sleep_ms(STEP_MS);
        if (now_ms < next_ms && leads == led)
            continue;
        led = leads;
        enum mr_status status =
            mr_kubernetes_certificate_look(&certificate, leads, mr_clock_wall_ms(), &error);
        if (status != MR_OK && status != MR_AGAIN && status != logged)
            MR_LOG_AT(MR_LOG_WARNING, "kubernetes", NULL, "%s", error.message);
        logged = status;
        next_ms = now_ms + (mr_http_identity_is_set(kubernetes->identity) && status == MR_OK
                                ? LOOK_MS
                                : LOOK_SOON_MS);
    }
    mr_kubernetes_certificate_deinit(&certificate);
    return NULL;
}

/* ---- Start and stop ---- */

static enum mr_status open_clients(struct mr_kubernetes *kubernetes, struct mr_error *error)
{
    static const struct {
        const char *path;
        const char *selector;
    } collections[] = {
        [MR_KUBERNETES_TOPOLOGY] = {"/apis/millrace.io/v1alpha1/namespaces/%s/topologies", NULL},
        [MR_KUBERNETES_CONFIG_MAP] = {"/api/v1/namespaces/%s/configmaps",
                                      "millrace.io%2Ftopology%3Dtrue"},
    };
    const struct mr_kubernetes_options *options = kubernetes->coordinator->options.kubernetes;
    enum mr_status status = mr_kubernetes_client_create(options, &kubernetes->client, error);
    for (uint32_t kind = 0; kind < MR_KUBERNETES_KINDS && status == MR_OK; kind++) {
        struct watcher *watcher = &kubernetes->watchers[kind];
        watcher->kubernetes = kubernetes;
        watcher->kind = (enum mr_kubernetes_kind)kind;
        watcher->selector = collections[kind].selector;
        const char *at = strstr(collections[kind].path, "%s");
        (void)snprintf(watcher->path, sizeof(watcher->path), "%.*s%s%s",
                       (int)(at - collections[kind].path), collections[kind].path,
                       options->name_space, at + 2);
        status = mr_kubernetes_client_create(options, &watcher->client, error);
    }
    return status;
}

static enum mr_status start_thread(struct mr_kubernetes *kubernetes, void *(*main)(void *),
                                   void *argument, struct mr_error *error)
{
    int failed =
        pthread_create(&kubernetes->threads[kubernetes->threads_count], NULL, main, argument);
    if (failed != 0)
        return MR_FAIL_ERRNO(error, failed, MR_RECOVERY_EXIT,
                             "A thread of the coordinator cannot be started");
    kubernetes->threads_count++;
    return MR_OK;
}

static enum mr_status start_topologies(struct mr_kubernetes *kubernetes, struct mr_error *error)
{
    enum mr_status status = open_clients(kubernetes, error);
    for (uint32_t kind = 0; kind < MR_KUBERNETES_KINDS && status == MR_OK; kind++)
        status = start_thread(kubernetes, watch_main, &kubernetes->watchers[kind], error);
    return status == MR_OK ? start_thread(kubernetes, act_main, kubernetes, error) : status;
}

static enum mr_status start_admission(struct mr_kubernetes *kubernetes, struct mr_error *error)
{
    const struct mr_coordinator_options *options = &kubernetes->coordinator->options;
    kubernetes->identity = mr_http_identity_create();
    enum mr_status status =
        mr_kubernetes_client_create(options->kubernetes, &kubernetes->certificate_client, error);
    if (status == MR_OK)
        status = mr_kubernetes_admission_start(kubernetes->coordinator, options->admission,
                                               kubernetes->identity, &kubernetes->admission, error);
    return status == MR_OK ? start_thread(kubernetes, certificate_main, kubernetes, error) : status;
}

enum mr_status mr_kubernetes_start(struct mr_coordinator *coordinator,
                                   struct mr_kubernetes **kubernetes, struct mr_error *error)
{
    *kubernetes = NULL;
    if (!coordinator->options.kubernetes_topologies && coordinator->options.admission == NULL)
        return MR_OK;
    struct mr_kubernetes *started = mr_memory_new(1, sizeof(*started));
    started->coordinator = coordinator;
    started->objects = mr_kubernetes_objects_create();
    enum mr_status status = MR_OK;
    if (coordinator->options.kubernetes_topologies)
        status = start_topologies(started, error);
    if (status == MR_OK && coordinator->options.admission != NULL)
        status = start_admission(started, error);
    if (status != MR_OK) {
        mr_kubernetes_stop(started);
        return status;
    }
    *kubernetes = started;
    return MR_OK;
}

int mr_kubernetes_port(const struct mr_kubernetes *kubernetes)
{
    return kubernetes != NULL && kubernetes->admission != NULL
               ? mr_kubernetes_admission_port(kubernetes->admission)
               : 0;
}

void mr_kubernetes_stop(struct mr_kubernetes *kubernetes)
{
    if (kubernetes == NULL)
        return;
    atomic_store(&kubernetes->ended, true);
    mr_kubernetes_admission_stop(kubernetes->admission);
    if (kubernetes->certificate_client != NULL)
        mr_kubernetes_client_cancel(kubernetes->certificate_client);
    if (kubernetes->client != NULL)
        mr_kubernetes_client_cancel(kubernetes->client);
    for (uint32_t kind = 0; kind < MR_KUBERNETES_KINDS; kind++)
        if (kubernetes->watchers[kind].client != NULL)
            mr_kubernetes_client_cancel(kubernetes->watchers[kind].client);
    for (uint32_t index = 0; index < kubernetes->threads_count; index++)
        (void)pthread_join(kubernetes->threads[index], NULL);
    for (uint32_t kind = 0; kind < MR_KUBERNETES_KINDS; kind++)
        mr_kubernetes_client_destroy(kubernetes->watchers[kind].client);
    mr_kubernetes_client_destroy(kubernetes->client);
    mr_kubernetes_client_destroy(kubernetes->certificate_client);
    mr_http_identity_destroy(kubernetes->identity);
    mr_kubernetes_objects_destroy(kubernetes->objects);
    mr_memory_free(kubernetes);
}
