/* coordinator/generators_cluster.c — see generators_cluster.h.
 * Design: a topology's definition is asked for and planned once per version; the names of its
 * generators are kept. */
#include "coordinator/generators_cluster.h"

#include "base/memory.h"

enum { ASK_MS = 10000, ARENA_BYTES = 16 << 10 };

/* The generators of a version. */
struct known_version {
    struct mr_arena arena;
    const char *name; /* NULL: the place is free */
    const char *generation;
    json_int_t version;
    const struct mr_generator_name *names;
    uint32_t names_count;
    bool seen; /* by the present listing */
};

struct mr_cluster_generators {
    struct mr_coordinator *coordinator;
    struct mr_http_client *client;
    struct mr_generator_source source;
    struct mr_generators *service;
    struct known_version versions[MR_GENERATORS_MAX];
};

/* ---- Asking the leader ---- */

/* An answer of 200. */
static enum mr_status ask(struct mr_cluster_generators *generators, const char *path,
                          struct mr_arena *arena, struct mr_slice *body, struct mr_error *error)
{
    struct mr_coordinator *coordinator = generators->coordinator;
    char address[MR_SHELL_TEXT_MAX];
    char http[MR_SHELL_TEXT_MAX];
    struct mr_http_reply reply;
    uint64_t term;
    if (!mr_lead_known(coordinator, address, http, &term) || http[0] == '\0')
        return MR_FAIL(error, MR_IO, MR_RECOVERY_RETRY, "No coordinator leads just now.");
    const char *url = mr_arena_format(
        arena, "%s://%s%s", coordinator->options.http_certificate_file != NULL ? "https" : "http",
        http, path);
    enum mr_status status = mr_http_client_send(generators->client, "GET", url, NULL,
                                                (struct mr_slice){0}, ASK_MS, arena, &reply, error);
    if (status != MR_OK)
        return status;
    *body = reply.body;
    if (reply.code == 200)
        return MR_OK;
    json_t *problem = json_loadb((const char *)reply.body.data, reply.body.size, 0, NULL);
    const char *detail = json_string_value(json_object_get(problem, "detail"));
    status = MR_FAIL(error, reply.code == 404 ? MR_NOT_FOUND : MR_IO, MR_RECOVERY_RETRY, "%s",
                     detail != NULL ? detail : "The leader's answer is no model.");
    json_decref(problem);
    return status;
}

static enum mr_status ask_json(struct mr_cluster_generators *generators, const char *path,
                               struct mr_arena *arena, json_t **value, struct mr_error *error)
{
    struct mr_slice body;
    enum mr_status status = ask(generators, path, arena, &body, error);
    if (status != MR_OK)
        return status;
    *value = json_loadb((const char *)body.data, body.size, 0, NULL);
    return *value != NULL ? MR_OK
                          : MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_RETRY,
                                    "The leader's answer to %.100s is no JSON.", path);
}

/* ---- What runs ---- */

static void forget(struct known_version *known)
{
    mr_arena_deinit(&known->arena);
    *known = (struct known_version){0};
}

static struct known_version *find_version(struct mr_cluster_generators *generators,
                                          const char *name, const char *generation,
                                          json_int_t version)
{
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++) {
        struct known_version *known = &generators->versions[index];
        if (known->name != NULL && known->version == version && strcmp(known->name, name) == 0 &&
            strcmp(known->generation, generation) == 0)
            return known;
    }
    return NULL;
}

static struct known_version *free_version(struct mr_cluster_generators *generators)
{
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++)
        if (generators->versions[index].name == NULL)
            return &generators->versions[index];
    return NULL;
}

/* Plan a version and keep the names of its generators. */
static enum mr_status learn(struct mr_cluster_generators *generators, const char *name,
                            const char *generation, json_int_t version, struct mr_arena *arena,
                            struct known_version **learned, struct mr_error *error)
{
    struct mr_report report;
    struct mr_plan *plan = NULL;
    json_t *whole = NULL;
    struct known_version *known = free_version(generators);
    *learned = known;
    if (known == NULL)
        return MR_OK;
    const char *path =
        mr_arena_format(arena, "/v1/topologies/%s/versions/%lld", name, (long long)version);
    enum mr_status status = ask_json(generators, path, arena, &whole, error);
    if (status != MR_OK)
        return status;
    mr_arena_init(&known->arena, ARENA_BYTES);
    known->name = mr_arena_copy_text(&known->arena, name);
    known->generation = mr_arena_copy_text(&known->arena, generation);
    known->version = version;
    const json_t *definition = json_object_get(whole, "definition");
    if (json_is_string(definition))
        mr_jobs_plan(&generators->coordinator->jobs,
                     mr_slice_from(json_string_value(definition), json_string_length(definition)),
                     arena, &report, &plan);
    if (plan != NULL)
        known->names = mr_generators_of_plan(plan, &known->arena, &known->names_count);
    json_decref(whole);
    return MR_OK;
}

static enum mr_status see(struct mr_cluster_generators *generators, const json_t *topology,
                          struct mr_arena *arena, struct mr_generator_name *names,
                          uint32_t *names_count, struct mr_error *error)
{
    const char *name = json_string_value(json_object_get(topology, "name"));
    const char *generation = json_string_value(json_object_get(topology, "generation"));
    json_int_t version = json_integer_value(json_object_get(topology, "version"));
    if (name == NULL || generation == NULL || version == 0)
        return MR_OK;
    struct known_version *known = find_version(generators, name, generation, version);
    if (known == NULL) {
        enum mr_status status = learn(generators, name, generation, version, arena, &known, error);
        if (status != MR_OK)
            return status;
    }
    if (known == NULL)
        return MR_OK;
    known->seen = true;
    for (uint32_t index = 0; index < known->names_count && *names_count < MR_GENERATORS_MAX;
         index++)
        names[(*names_count)++] = known->names[index];
    return MR_OK;
}

static enum mr_status list(void *argument, struct mr_arena *arena,
                           const struct mr_generator_name **names, uint32_t *names_count,
                           struct mr_error *error)
{
    struct mr_cluster_generators *generators = argument;
    struct mr_generator_name *found = mr_arena_new(arena, MR_GENERATORS_MAX, sizeof(*found));
    json_t *root = NULL;
    *names = found;
    *names_count = 0;
    enum mr_status status = ask_json(generators, "/v1/topologies", arena, &root, error);
    if (status != MR_OK)
        return status;
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++)
        generators->versions[index].seen = false;
    const json_t *topologies = json_object_get(root, "topologies");
    for (size_t index = 0; status == MR_OK && index < json_array_size(topologies); index++)
        status =
            see(generators, json_array_get(topologies, index), arena, found, names_count, error);
    json_decref(root);
    for (uint32_t index = 0; status == MR_OK && index < MR_GENERATORS_MAX; index++)
        if (generators->versions[index].name != NULL && !generators->versions[index].seen)
            forget(&generators->versions[index]);
    return status;
}

/* Percent-encoded. */
static const char *escape(const char *text, struct mr_arena *arena)
{
    static const char digits[] = "0123456789ABCDEF";
    char *escaped = mr_arena_take(arena, 3 * strlen(text) + 1);
    size_t size = 0;
    for (; *text != '\0'; text++) {
        uint8_t byte = (uint8_t)*text;
        bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                     (byte >= '0' && byte <= '9') || byte == '-' || byte == '_' || byte == '.';
        if (plain) {
            escaped[size++] = (char)byte;
            continue;
        }
        escaped[size++] = '%';
        escaped[size++] = digits[byte >> 4];
        escaped[size++] = digits[byte & 15];
    }
    escaped[size] = '\0';
    return escaped;
}

static enum mr_status fetch(void *argument, const struct mr_generator_name *name,
                            struct mr_arena *arena, struct mr_slice *document,
                            struct mr_error *error)
{
    const char *path = mr_arena_format(arena, "/v1/models/%s/%s%s%s", name->topology, name->node,
                                       name->key == NULL ? "" : "/",
                                       name->key == NULL ? "" : escape(name->key, arena));
    return ask(argument, path, arena, document, error);
}

static void cancel(void *argument)
{
    const struct mr_cluster_generators *generators = argument;
    mr_http_client_cancel(generators->client);
}

/* ---- Start and stop ---- */

enum mr_status mr_cluster_generators_start(struct mr_coordinator *coordinator,
                                           struct mr_cluster_generators **generators,
                                           struct mr_error *error)
{
    const struct mr_coordinator_options *options = &coordinator->options;
    const struct mr_http_client_options client = {.token = options->http_token,
                                                  .authority_file = options->http_authority_file,
                                                  .certificate_file =
                                                      options->http_certificate_file,
                                                  .key_file = options->http_key_file};
    *generators = NULL;
    if (options->websocket == NULL)
        return MR_OK;
    struct mr_cluster_generators *started = mr_memory_new(1, sizeof(*started));
    started->coordinator = coordinator;
    started->source = (struct mr_generator_source){
        .argument = started, .list = list, .fetch = fetch, .cancel = cancel};
    const struct mr_generators_options service = {
        .address = options->websocket,
        .certificate_file = options->http_certificate_file,
        .key_file = options->http_key_file,
        .client_authority_file = options->http_client_authority_file,
        .token = options->http_token,
        .connections_max = options->websocket_connections,
        .source = &started->source,
        .documents = options->websocket_documents,
        .documents_count = options->websocket_documents_count};
    enum mr_status status = mr_http_client_create(&client, &started->client, error);
    if (status == MR_OK)
        status = mr_generators_start(&service, &started->service, error);
    if (status != MR_OK) {
        mr_cluster_generators_stop(started);
        return status;
    }
    *generators = started;
    return MR_OK;
}

int mr_cluster_generators_port(const struct mr_cluster_generators *generators)
{
    return mr_generators_port(generators->service);
}

void mr_cluster_generators_stop(struct mr_cluster_generators *generators)
{
    if (generators == NULL)
        return;
    mr_generators_stop(generators->service);
    mr_http_client_destroy(generators->client);
    for (uint32_t index = 0; index < MR_GENERATORS_MAX; index++)
        if (generators->versions[index].name != NULL)
            forget(&generators->versions[index]);
    mr_memory_free(generators);
}
