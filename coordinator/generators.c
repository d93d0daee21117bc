/* coordinator/generators.c — see generators.h.
 * Design: paths are a table behind one mutex, which is held for moments only. The refresher thread
 * lists what runs once a second, and fetches the documents of generators that somebody is connected
 * to; a document of the same bytes is not read again. A path that is listed no more keeps its place
 * until its last connection has gone, and answers requests with the reason. */
#include "coordinator/generators.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "coordinator/generator_opening.h"
#include "coordinator/generator_session.h"
#include "http/route.h"
#include "operators/operator.h"
#include "operators/sample_model.h"

#include <jansson.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum {
    KNOWN_PATHS_MAX = 100,
    RETRY_S = 5,
    ADDRESS_SIZE = 300,
    ARENA_BYTES = 64 << 10,
    LOOK_MS = 100,
    STALE_MS = 5000 /* a model that nobody asks for is kept as long */
};

struct mr_generator_model {
    _Atomic uint32_t references;
    uint64_t hash; /* of the document */
    struct mr_sample_model *model;
};

/* Guarded by the service's mutex, but texts, which stay as long as the place is taken. The
 * refresher alone changes the model of what runs, and so reads it without. */
struct mr_generator {
    struct mr_generators *service;
    bool taken;
    bool file;      /* from a document: it never changes */
    bool listed;    /* it runs */
    char *topology; /* NULL of files */
    char *node;     /* of files: the document's name */
    char *key;      /* NULL: none */
    uint32_t connections;
    struct mr_generator_model *model; /* NULL: never fetched */
    bool failed;                      /* the last fetch; error says why */
    struct mr_error error;
    uint64_t fetched_ms; /* begun; 0: never */
};

struct mr_generators {
    struct mr_http_server *http;
    const struct mr_generator_source *source;
    bool has_token;
    uint32_t connections_max;
    pthread_mutex_t mutex;
    pthread_cond_t wanted; /* of the refresher: a model, or the end */
    struct mr_generator places[MR_GENERATORS_MAX];
    uint32_t connections;
    bool waiting; /* somebody waits for a model */
    bool ended;
    bool full_logged;
    pthread_t refresher;
    bool refreshes;
    struct mr_ring *openings;
    pthread_t opener;
    bool opens;
};

const struct mr_generator_name *mr_generators_of_plan(const struct mr_plan *plan,
                                                      struct mr_arena *arena, uint32_t *names_count)
{
    struct mr_generator_name *names = mr_arena_new(arena, plan->nodes_count + 1u, sizeof(*names));
    *names_count = 0;
    for (uint32_t index = 0; index < plan->nodes_count; index++) {
        const struct mr_plan_node *node = &plan->nodes[index];
        const struct mr_operator_type *type =
            node->type->role == MR_ROLE_OPERATOR
                ? mr_operator_find(MR_ROLE_OPERATOR, node->type->name)
                : NULL;
        if (type != NULL && type->write_model != NULL)
            names[(*names_count)++] =
                (struct mr_generator_name){.topology = mr_arena_copy_text(arena, plan->name),
                                           .node = mr_arena_copy_text(arena, node->name)};
    }
    return names;
}

/* ---- Models ---- */

const struct mr_sample_model *mr_generator_model_of(const struct mr_generator_model *model)
{
    return model->model;
}

struct mr_generator_model *mr_generator_share(struct mr_generator_model *model)
{
    atomic_fetch_add(&model->references, 1);
    return model;
}

void mr_generator_release(struct mr_generator_model *model)
{
    if (model == NULL || atomic_fetch_sub(&model->references, 1) > 1)
        return;
    mr_sample_model_destroy(model->model);
    mr_memory_free(model);
}

static enum mr_status read_model(struct mr_slice document, struct mr_generator_model **model,
                                 struct mr_error *error)
{
    struct mr_sample_model *sample;
    enum mr_status status = mr_sample_model_read(document, &sample, error);
    if (status != MR_OK)
        return status;
    *model = mr_memory_new(1, sizeof(**model));
    atomic_init(&(*model)->references, 1);
    (*model)->hash = mr_hash64(document);
    (*model)->model = sample;
    return MR_OK;
}

enum mr_status mr_generator_acquire(struct mr_generator *generator,
                                    struct mr_generator_model **model, struct mr_error *error)
{
    struct mr_generators *service = generator->service;
    enum mr_status status = MR_AGAIN;
    pthread_mutex_lock(&service->mutex);
    if (generator->model != NULL && generator->listed) {
        *model = mr_generator_share(generator->model);
        status = MR_OK;
    } else if (!generator->listed) {
        status = MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_RETRY,
                         "Operator %s of topology %s does not run any more.", generator->node,
                         generator->topology);
    } else if (generator->failed) {
        *error = generator->error;
        status = error->status;
    } else {
        service->waiting = true;
        pthread_cond_signal(&service->wanted);
    }
    pthread_mutex_unlock(&service->mutex);
    return status;
}

struct mr_ring *mr_generator_openings(struct mr_generator *generator)
{
    return generator->service->openings;
}

void mr_generator_leave(struct mr_generator *generator)
{
    struct mr_generators *service = generator->service;
    pthread_mutex_lock(&service->mutex);
    generator->connections--;
    service->connections--;
    pthread_mutex_unlock(&service->mutex);
}

/* ---- The table; with the mutex held ---- */

static void free_place(struct mr_generator *place)
{
    mr_memory_free(place->topology);
    mr_memory_free(place->node);
    mr_memory_free(place->key);
    mr_generator_release(place->model);
    *place = (struct mr_generator){0};
}

static bool is_of(const struct mr_generator *place, const struct mr_generator_name *name)
{
    return strcmp(place->topology, name->topology) == 0 && strcmp(place->node, name->node) == 0;
}

static const char *key_of(const char *key)
{
    return key == NULL ? "" : key;
}

/* The place of the name, taken for it if need be; NULL: there is none. */
static struct mr_generator *find_place(struct mr_generators *service,
                                       const struct mr_generator_name *name)
{
    struct mr_generator *free = NULL;
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++) {
        struct mr_generator *place = &service->places[index];
        if (place->taken && !place->file && is_of(place, name) &&
            strcmp(key_of(place->key), key_of(name->key)) == 0)
            return place;
        if (!place->taken && free == NULL)
            free = place;
    }
    if (free != NULL)
        *free =
            (struct mr_generator){.service = service,
                                  .taken = true,
                                  .topology = mr_memory_copy_text(name->topology),
                                  .node = mr_memory_copy_text(name->node),
                                  .key = name->key == NULL ? NULL : mr_memory_copy_text(name->key)};
    return free;
}

static void list_one(struct mr_generators *service, const struct mr_generator_name *name)
{
    struct mr_generator *place = find_place(service, name);
    if (place == NULL) {
        if (!service->full_logged)
            MR_LOG_AT(MR_LOG_WARNING, "generators",
                      MR_LOG_FIELDS("topology", name->topology, "operator", name->node),
                      "%d generators are served already; this one and others are not.",
                      MR_GENERATORS_MAX);
        service->full_logged = true;
        return;
    }
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++) {
        place = &service->places[index];
        if (place->taken && !place->file && is_of(place, name))
            place->listed = true;
    }
}

/* Models that nobody asks for take memory only. */
static void forget_model(struct mr_generator *place)
{
    mr_generator_release(place->model);
    place->model = NULL;
    place->fetched_ms = 0;
}

static void merge_list(struct mr_generators *service, const struct mr_generator_name *names,
                       uint32_t names_count, uint64_t now_ms)
{
    pthread_mutex_lock(&service->mutex);
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++)
        service->places[index].listed = service->places[index].file;
    for (uint32_t index = 0; index < names_count; index++)
        list_one(service, &names[index]);
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++) {
        struct mr_generator *place = &service->places[index];
        if (place->taken && place->connections == 0 && (!place->listed || place->key != NULL))
            free_place(place);
        else if (place->taken && place->connections == 0 && !place->file &&
                 now_ms >= place->fetched_ms + STALE_MS)
            forget_model(place);
    }
    pthread_mutex_unlock(&service->mutex);
}

/* ---- The refresher ---- */

/* One that somebody asks for and whose model is older than a period; NULL: none. */
static struct mr_generator *next_to_fetch(struct mr_generators *service, uint64_t now_ms)
{
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++) {
        struct mr_generator *place = &service->places[index];
        if (place->listed && !place->file && place->connections > 0 &&
            (place->fetched_ms == 0 || now_ms >= place->fetched_ms + MR_GENERATORS_PERIOD_MS))
            return place;
    }
    return NULL;
}

/* What was fetched becomes the model; the old one stays if there is none. */
static void take_model(struct mr_generators *service, struct mr_generator *place,
                       enum mr_status status, struct mr_generator_model *model,
                       const struct mr_error *error)
{
    struct mr_generator_model *old = model;
    pthread_mutex_lock(&service->mutex);
    place->failed = status != MR_OK;
    if (status != MR_OK) {
        place->error = *error;
    } else if (model != NULL) {
        old = place->model;
        place->model = model;
    }
    pthread_mutex_unlock(&service->mutex);
    mr_generator_release(old);
}

static void fetch(struct mr_generators *service, struct mr_generator *place, struct mr_arena *arena)
{
    const struct mr_generator_name name = {place->topology, place->node, place->key};
    struct mr_generator_model *model = NULL;
    struct mr_slice document = {0};
    struct mr_error error;
    mr_arena_reset(arena);
    enum mr_status status =
        service->source->fetch(service->source->argument, &name, arena, &document, &error);
    bool same =
        status == MR_OK && place->model != NULL && place->model->hash == mr_hash64(document);
    if (status == MR_OK && !same)
        status = read_model(document, &model, &error);
    take_model(service, place, status, model, &error);
}

static void list(struct mr_generators *service, struct mr_arena *arena, uint64_t now_ms)
{
    const struct mr_generator_name *names = NULL;
    uint32_t names_count = 0;
    struct mr_error error;
    mr_arena_reset(arena);
    if (service->source->list(service->source->argument, arena, &names, &names_count, &error) ==
        MR_OK)
        merge_list(service, names, names_count, now_ms);
    else
        MR_LOG_AT(MR_LOG_INFO, "generators", NULL, "what runs cannot be listed: %s", error.message);
}

/* With the mutex held: until somebody waits, the end, or a moment. */
static void wait_a_moment(struct mr_generators *service)
{
    uint64_t until_ns = mr_clock_steady_ns() + (uint64_t)LOOK_MS * 1000000u;
    struct timespec until = {.tv_sec = (time_t)(until_ns / 1000000000u),
                             .tv_nsec = (long)(until_ns % 1000000000u)};
    (void)pthread_cond_timedwait(&service->wanted, &service->mutex, &until);
}

static void *open_drawings(void *argument)
{
    const struct mr_generators *service = argument;
    mr_generator_opening_loop(service->openings);
    return NULL;
}

static void *refresh(void *argument)
{
    struct mr_generators *service = argument;
    struct mr_arena arena;
    uint64_t next_list_ms = 0;
    mr_arena_init(&arena, ARENA_BYTES);
    pthread_mutex_lock(&service->mutex);
    while (!service->ended) {
        uint64_t now_ms = mr_clock_monotonic_ms();
        struct mr_generator *place = next_to_fetch(service, now_ms);
        service->waiting = false;
        if (place != NULL)
            place->fetched_ms = now_ms;
        pthread_mutex_unlock(&service->mutex);
        if (place != NULL)
            fetch(service, place, &arena);
        if (now_ms >= next_list_ms) {
            list(service, &arena, now_ms);
            next_list_ms = now_ms + MR_GENERATORS_PERIOD_MS;
        }
        pthread_mutex_lock(&service->mutex);
        if (place == NULL && !service->waiting && !service->ended)
            wait_a_moment(service);
    }
    pthread_mutex_unlock(&service->mutex);
    mr_arena_deinit(&arena);
    return NULL;
}

/* ---- Paths ---- */

/* The operator that a one-part path names, if it names one only. With the mutex held. */
static struct mr_generator *find_node(struct mr_generators *service, const char *node)
{
    struct mr_generator *found = NULL;
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++) {
        struct mr_generator *place = &service->places[index];
        if (!place->listed || place->file || place->key != NULL || strcmp(place->node, node) != 0)
            continue;
        if (found != NULL)
            return NULL;
        found = place;
    }
    return found;
}

/* What of the path (without its slash) is behind the generator's own; NULL: it is another's. */
static const char *behind(const struct mr_generator *place, const char *path)
{
    size_t size = place->file ? 0 : strlen(place->topology);
    if (!place->file && (strncmp(path, place->topology, size) != 0 || path[size++] != '/'))
        return NULL;
    path += size;
    size = strlen(place->node);
    return strncmp(path, place->node, size) == 0 ? path + size : NULL;
}

/* The model of a key, "TOPOLOGY/OPERATOR/KEY", whose place is taken if need be. With the mutex
 * held. */
static struct mr_generator *find_key(struct mr_generators *service, const char *path)
{
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++) {
        const struct mr_generator *place = &service->places[index];
        if (!place->listed || place->file || place->key != NULL)
            continue;
        const char *key = behind(place, path);
        if (key == NULL || key[0] != '/' || key[1] == '\0')
            continue;
        const struct mr_generator_name name = {place->topology, place->node, key + 1};
        struct mr_generator *found = find_place(service, &name);
        if (found != NULL)
            found->listed = true;
        return found;
    }
    return NULL;
}

/* With the mutex held; path without its slash. NULL: there is none. */
static struct mr_generator *find_path(struct mr_generators *service, const char *path)
{
    struct mr_generator *found = NULL;
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++) {
        struct mr_generator *place = &service->places[index];
        if (!place->listed || place->key != NULL)
            continue;
        const char *rest = behind(place, path);
        if (rest != NULL && rest[0] == '\0' && (found == NULL || place->file))
            found = place;
    }
    return found != NULL ? found : find_node(service, path);
}

/* With the mutex held: all paths that lead somewhere, the short ones behind their long ones. */
static json_t *known_paths(struct mr_generators *service)
{
    json_t *paths = json_array();
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++) {
        struct mr_generator *place = &service->places[index];
        if (!place->listed || place->key != NULL || json_array_size(paths) >= KNOWN_PATHS_MAX)
            continue;
        if (!place->file)
            (void)json_array_append_new(paths,
                                        json_sprintf("/%s/%s", place->topology, place->node));
        if (find_path(service, place->node) == place)
            (void)json_array_append_new(paths, json_sprintf("/%s", place->node));
    }
    return paths;
}

/* Ended by NUL. */
static struct mr_slice dump(struct mr_arena *arena, const json_t *value)
{
    const size_t flags = JSON_COMPACT | JSON_PRESERVE_ORDER;
    size_t size = json_dumpb(value, NULL, 0, flags);
    char *text = mr_arena_new(arena, size + 1, 1);
    size_t written = json_dumpb(value, text, size, flags);
    MR_ASSERT(written == size);
    return mr_slice_from(text, size);
}

static void answer_unknown(struct mr_generators *service, struct mr_http_exchange *exchange)
{
    const struct mr_http_request *request = mr_http_request_of(exchange);
    struct mr_arena *arena = mr_http_arena(exchange);
    pthread_mutex_lock(&service->mutex);
    json_t *paths = known_paths(service);
    pthread_mutex_unlock(&service->mutex);
    const char *detail =
        json_array_size(paths) == 0
            ? mr_arena_format(arena, "There is no generator at %s; none runs just now.",
                              request->path)
            : mr_arena_format(arena, "There is no generator at %s; there are %s.", request->path,
                              (const char *)dump(arena, paths).data);
    json_t *problem = json_pack("{s:s, s:s, s:i, s:s, s:o}", "type", "about:blank", "title",
                                "Not Found", "status", 404, "detail", detail, "paths", paths);
    struct mr_slice text = dump(arena, problem);
    json_decref(problem);
    mr_http_answer(exchange, 404, "application/problem+json", text);
}

/* Without a token any page that a user visits could ask: only pages of this machine may. */
static bool origin_may(const struct mr_generators *service, const char *origin)
{
    static const char *const hosts[] = {"localhost", "127.0.0.1", "[::1]"};
    const char *host = strstr(origin, "://");
    if (origin[0] == '\0' || service->has_token)
        return true;
    for (size_t index = 0; host != NULL && index < MR_ARRAY_COUNT(hosts); index++) {
        size_t size = strlen(hosts[index]);
        if (strncmp(host + 3, hosts[index], size) == 0 &&
            (host[3 + size] == '\0' || host[3 + size] == ':'))
            return true;
    }
    return false;
}

/* With the mutex held: somebody has come. */
static void enter(struct mr_generator *place)
{
    if (place->connections == 0 && place->failed) { /* maybe long ago */
        place->failed = false;
        place->fetched_ms = 0;
    }
    place->service->waiting = true;
    pthread_cond_signal(&place->service->wanted);
    place->connections++;
    place->service->connections++;
}

static void on_path(void *argument, struct mr_http_exchange *exchange)
{
    struct mr_generators *service = argument;
    const struct mr_http_request *request = mr_http_request_of(exchange);
    const char *path = request->parts[0] != NULL ? request->parts[0] : "";
    uint64_t now_ms = mr_clock_monotonic_ms();
    if (!origin_may(service, request->origin)) {
        mr_http_problem(exchange, 403, 0,
                        "Pages of other hosts may not ask here without a token: start with "
                        "--http-token-file, and ask with ?access_token=TOKEN.");
        return;
    }
    pthread_mutex_lock(&service->mutex);
    bool full = service->connections >= service->connections_max;
    struct mr_generator *place =
        mr_http_route_is_open(request->path) ? NULL : find_path(service, path);
    if (place == NULL && !full && mr_websocket_asked(exchange))
        place = find_key(service, path);
    if (place != NULL && !full && mr_websocket_asked(exchange))
        enter(place);
    pthread_mutex_unlock(&service->mutex);
    if (full && mr_websocket_asked(exchange))
        mr_http_problem(exchange, 503, RETRY_S, "There are %u connections already.",
                        service->connections_max);
    else if (place == NULL)
        answer_unknown(service, exchange);
    else if (!mr_websocket_asked(exchange))
        mr_websocket_refuse(exchange);
    else
        mr_websocket_upgrade(exchange, &mr_generator_session_handler,
                             mr_generator_session_create(place, now_ms));
}

static const struct mr_http_route routes[] = {
    {MR_HTTP_GET, "/", on_path}, {MR_HTTP_GET, "/{path*}", on_path}, {MR_HTTP_GET, NULL, NULL}};

/* ---- Start and stop ---- */

static enum mr_status read_file(struct mr_generators *service, uint32_t index,
                                const struct mr_generator_document *document,
                                struct mr_error *error)
{
    struct mr_generator *place = &service->places[index];
    enum mr_status status = read_model(document->text, &place->model, error);
    if (status != MR_OK) {
        mr_error_context(error, "%s", document->file);
        return status;
    }
    const char *name = mr_sample_model_facts(place->model->model)->name;
    for (uint32_t other = 0; other < index; other++)
        if (strcmp(service->places[other].node, name) == 0)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                           "%s: another file's model is named \"%.200s\" as well; names are "
                           "paths and must differ.",
                           document->file, name);
    place->service = service;
    place->taken = true;
    place->file = true;
    place->listed = true;
    place->node = mr_memory_copy_text(name);
    return MR_OK;
}

/* HOST alone gets the port. */
static void complete_address(const char *given, char address[ADDRESS_SIZE])
{
    const char *behind = strrchr(given, ']');
    const char *colon = strrchr(behind != NULL ? behind : given, ':');
    if (colon != NULL)
        (void)snprintf(address, ADDRESS_SIZE, "%s", given);
    else
        (void)snprintf(address, ADDRESS_SIZE, "%s:%d", given, MR_GENERATORS_PORT);
}

static bool is_loopback(const char *address)
{
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "localhost:", 10) == 0 ||
           strncmp(address, "[::1]:", 6) == 0;
}

static enum mr_status listen_for_clients(struct mr_generators *service,
                                         const struct mr_generators_options *options,
                                         struct mr_error *error)
{
    char address[ADDRESS_SIZE];
    const struct mr_http_server_options http = {.address = address,
                                                .certificate_file = options->certificate_file,
                                                .key_file = options->key_file,
                                                .client_authority_file =
                                                    options->client_authority_file,
                                                .token = options->token,
                                                .routes = routes,
                                                .argument = service};
    complete_address(options->address, address);
    if (!is_loopback(address) && (options->certificate_file == NULL || options->token == NULL))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "Generators are served to other machines with TLS and a token only: "
                       "%.100s is not of this machine. Give a certificate, its key and a token "
                       "file, or listen on 127.0.0.1.",
                       address);
    return mr_http_server_start(&http, &service->http, error);
}

static void init_wait(struct mr_generators *service)
{
    pthread_condattr_t attributes;
    int failed = pthread_mutex_init(&service->mutex, NULL);
    failed |= pthread_condattr_init(&attributes);
    failed |= pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    failed |= pthread_cond_init(&service->wanted, &attributes);
    failed |= pthread_condattr_destroy(&attributes);
    MR_ASSERT(failed == 0);
}

static enum mr_status start_threads(struct mr_generators *service, struct mr_error *error)
{
    int failed = pthread_create(&service->opener, NULL, open_drawings, service);
    service->opens = failed == 0;
    if (failed == 0 && service->source != NULL) {
        failed = pthread_create(&service->refresher, NULL, refresh, service);
        service->refreshes = failed == 0;
    }
    return failed == 0 ? MR_OK
                       : MR_FAIL_ERRNO(error, failed, MR_RECOVERY_EXIT,
                                       "A thread of the generators cannot be started");
}

enum mr_status mr_generators_start(const struct mr_generators_options *options,
                                   struct mr_generators **generators, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    struct mr_generators *service = mr_memory_new(1, sizeof(*service));
    init_wait(service);
    service->openings = mr_ring_create(MR_GENERATOR_OPENINGS_MAX);
    service->source = options->source;
    service->has_token = options->token != NULL;
    service->connections_max =
        options->connections_max > 0 ? options->connections_max : MR_GENERATORS_CONNECTIONS;
    MR_ASSERT(service->connections_max <= MR_GENERATORS_CONNECTIONS_MAX);
    MR_ASSERT(options->documents_count < MR_GENERATORS_MAX);
    for (uint32_t index = 0; status == MR_OK && index < options->documents_count; index++)
        status = read_file(service, index, &options->documents[index], error);
    if (status == MR_OK)
        status = start_threads(service, error);
    if (status == MR_OK)
        status = listen_for_clients(service, options, error);
    if (status != MR_OK) {
        mr_generators_stop(service);
        return status;
    }
    *generators = service;
    return MR_OK;
}

int mr_generators_port(const struct mr_generators *generators)
{
    return mr_http_server_port(generators->http);
}

void mr_generators_stop(struct mr_generators *generators)
{
    if (generators == NULL)
        return;
    pthread_mutex_lock(&generators->mutex);
    generators->ended = true;
    pthread_cond_signal(&generators->wanted);
    pthread_mutex_unlock(&generators->mutex);
    if (generators->refreshes) {
        if (generators->source->cancel != NULL)
            generators->source->cancel(generators->source->argument);
        (void)pthread_join(generators->refresher, NULL);
    }
    mr_http_server_stop(generators->http); /* its sessions leave */
    mr_ring_close(generators->openings);
    if (generators->opens)
        (void)pthread_join(generators->opener, NULL);
    mr_ring_destroy(generators->openings);
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++)
        free_place(&generators->places[index]);
    (void)pthread_cond_destroy(&generators->wanted);
    (void)pthread_mutex_destroy(&generators->mutex);
    mr_memory_free(generators);
}
