/* coordinator/kubernetes_sync.c — see kubernetes_sync.h. */
#include "coordinator/kubernetes_sync.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/memory.h"
#include "coordinator/kubernetes_definition.h"
#include "coordinator/kubernetes_status.h"
#include "topology/yaml.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    ASK_MS = 55000,
    PATH_SIZE = 1024,
    TEXT_BYTES_MAX = 4000, /* of a message in a condition or an annotation */
    REFUSED_MS = 30000,
    LATER_MS = 2000,
    WRITE_MS = 2000,
    DETAIL_MS = 10000
};

/* One pass over one object. */
struct step {
    struct mr_kubernetes_sync *sync;
    struct mr_kubernetes_object *object;
    const json_t *topology; /* as the cluster has it; NULL: it has none */
    struct mr_arena arena;
    struct mr_slice definition;
    uint64_t now_ms;
    struct mr_error *error;
};

static void set_text(char **member, const char *text)
{
    char *copy = text != NULL ? mr_memory_copy_text(text) : NULL;
    mr_memory_free(*member);
    *member = copy;
}

static const json_t *metadata_of(const struct mr_kubernetes_object *object)
{
    return json_object_get(object->json, "metadata");
}

static const char *metadata_text(const struct mr_kubernetes_object *object, const char *name)
{
    return json_string_value(json_object_get(metadata_of(object), name));
}

static const char *annotation(const struct mr_kubernetes_object *object, const char *name)
{
    return json_string_value(
        json_object_get(json_object_get(metadata_of(object), "annotations"), name));
}

/* ---- Requests to the API server ---- */

static void path_of(const struct step *step, const char *behind, char path[PATH_SIZE])
{
    const char *name_space = mr_kubernetes_client_namespace(step->sync->client);
    if (step->object->kind == MR_KUBERNETES_TOPOLOGY)
        (void)snprintf(path, PATH_SIZE, "/apis/millrace.io/v1alpha1/namespaces/%s/topologies/%s%s",
                       name_space, step->object->id, behind);
    else
        (void)snprintf(path, PATH_SIZE, "/api/v1/namespaces/%s/configmaps/%s", name_space,
                       step->object->id);
}

/* patch is given up; the answer is the newest of the object. */
static enum mr_status patch_object(struct step *step, const char *behind, json_t *patch)
{
    char path[PATH_SIZE];
    json_t *answer;
    path_of(step, behind, path);
    enum mr_status status =
        mr_kubernetes_client_send(step->sync->client, "PATCH", path, "application/merge-patch+json",
                                  patch, &answer, step->error);
    json_decref(patch);
    if (status != MR_OK)
        return status;
    json_decref(step->object->json);
    step->object->json = answer;
    return MR_OK;
}

/* Put the finalizer on, or take it away; not if the object has changed meanwhile. */
static enum mr_status change_finalizer(struct step *step, bool wanted)
{
    const json_t *list = json_object_get(metadata_of(step->object), "finalizers");
    const char *version = metadata_text(step->object, "resourceVersion");
    json_t *changed = json_array();
    for (size_t index = 0; index < json_array_size(list); index++) {
        const char *name = json_string_value(json_array_get(list, index));
        if (name != NULL && strcmp(name, MR_KUBERNETES_FINALIZER) != 0)
            (void)json_array_append_new(changed, json_string(name));
    }
    if (wanted)
        (void)json_array_append_new(changed, json_string(MR_KUBERNETES_FINALIZER));
    json_t *patch = json_pack("{s:{s:s, s:o}}", "metadata", "resourceVersion",
                              version != NULL ? version : "", "finalizers", changed);
    if (step->object->released) /* it stays, and says nothing about a topology any more */
        (void)json_object_set_new(
            json_object_get(patch, "metadata"), "annotations",
            json_pack("{s:n, s:n, s:n, s:n, s:n}", "millrace.io/topology-name", "millrace.io/state",
                      "millrace.io/version", "millrace.io/error", "millrace.io/observed"));
    return patch_object(step, "", patch);
}

/* ---- Requests to the cluster ---- */

static enum mr_status ask(struct step *step, enum mr_http_method method, const char *target,
                          struct mr_slice body, struct mr_http_asked *asked)
{
    const struct mr_http_asking asking = {.method = method,
                                          .target = target,
                                          .content_type = body.size > 0 ? "application/yaml" : NULL,
                                          .body = body,
                                          .wait_ms = ASK_MS};
    return step->sync->ask(step->sync->argument, &asking, &step->arena, asked, step->error);
}

static json_t *parse(const struct mr_http_asked *asked)
{
    return json_loadb((const char *)asked->body.data, asked->body.size, 0, NULL);
}

static const char *detail_of(const json_t *answer)
{
    const char *detail = json_string_value(json_object_get(answer, "detail"));
    return detail != NULL ? detail : "The cluster gave no reason.";
}

/* ---- Verdicts ---- */

static void judge(struct step *step, enum mr_kubernetes_verdict verdict, const char *message,
                  const json_t *findings)
{
    struct mr_kubernetes_object *object = step->object;
    char text[TEXT_BYTES_MAX];
    json_t *described = NULL;
    if (json_array_size(findings) > 0) {
        described = mr_kubernetes_findings(step->definition, findings);
        mr_kubernetes_findings_text(described, text, sizeof(text));
        if (verdict == MR_VERDICT_INVALID && text[0] != '\0')
            message = text;
    }
    set_text(&object->message, message);
    json_decref(object->findings);
    object->findings = described;
    object->verdict = verdict;
    object->retry_ms = step->now_ms + (verdict == MR_VERDICT_ACCEPTED ? 0
                                       : verdict == MR_VERDICT_LATER  ? LATER_MS
                                                                      : REFUSED_MS);
}

/* An answer of the cluster that is no success. */
static void judge_refusal(struct step *step, const struct mr_http_asked *asked)
{
    json_t *answer = parse(asked);
    bool wrong = asked->code == 422 || asked->code == 400 || asked->code == 413;
    judge(step, wrong ? MR_VERDICT_INVALID : MR_VERDICT_LATER, detail_of(answer),
          json_object_get(answer, "errors"));
    json_decref(answer);
}

/* ---- Deploying ---- */

/* What an attempt is about: changes when the object's wish does. */
static const char *wish_of(struct step *step)
{
    const json_t *generation = json_object_get(metadata_of(step->object), "generation");
    const char *drop = annotation(step->object, "millrace.io/drop-state");
    if (step->object->kind == MR_KUBERNETES_TOPOLOGY && drop == NULL)
        return mr_arena_format(&step->arena, "%lld", (long long)json_integer_value(generation));
    uint64_t hash = mr_hash64(step->definition);
    if (drop != NULL)
        hash = mr_hash64_seeded(mr_slice_text(drop), hash);
    return mr_arena_format(&step->arena, "%016" PRIx64, hash);
}

static bool render(struct step *step)
{
    enum mr_status status =
        step->object->kind == MR_KUBERNETES_TOPOLOGY
            ? mr_kubernetes_definition(step->object->json, &step->arena, &step->definition,
                                       step->error)
            : mr_kubernetes_definition_text(step->object->json, &step->definition, step->error);
    if (status == MR_OK) /* an answer of the API server replaces the object */
        step->definition = mr_arena_copy(&step->arena, step->definition);
    else
        judge(step, MR_VERDICT_INVALID, step->error->message, NULL);
    return status == MR_OK;
}

/* Whether the version that runs is this very definition. */
static bool runs_already(struct step *step)
{
    struct mr_http_asked asked;
    bool same = false;
    json_int_t version = json_integer_value(json_object_get(step->topology, "version"));
    if (step->topology == NULL || version == 0)
        return false;
    const char *target = mr_arena_format(&step->arena, "/v1/topologies/%s/versions/%lld",
                                         step->object->topology, (long long)version);
    if (ask(step, MR_HTTP_GET, target, (struct mr_slice){0}, &asked) != MR_OK || asked.code != 200)
        return false;
    json_t *answer = parse(&asked);
    const json_t *definition = json_object_get(answer, "definition");
    if (json_is_string(definition))
        same = mr_slice_equal(step->definition, mr_slice_from(json_string_value(definition),
                                                              json_string_length(definition)));
    json_decref(answer);
    return same;
}

/* Letters, digits, dashes, dots and commas only: it goes into a query. */
static const char *drop_state_of(const struct step *step)
{
    const char *drop = annotation(step->object, "millrace.io/drop-state");
    if (drop == NULL)
        return "";
    return drop[strspn(drop, "abcdefghijklmnopqrstuvwxyz0123456789-.,_")] == '\0' ? drop : "";
}

static enum mr_status submit(struct step *step, bool dry_run, const char *drop_state,
                             bool *accepted)
{
    struct mr_http_asked asked;
    const char *target = mr_arena_format(&step->arena, "/v1/topologies?drop_state=%s%s", drop_state,
                                         dry_run ? "&dry_run=1" : "");
    enum mr_status status = ask(step, MR_HTTP_POST, target, step->definition, &asked);
    *accepted = false;
    if (status != MR_OK) {
        judge(step, MR_VERDICT_LATER, step->error->message, NULL);
        return status;
    }
    if (asked.code == 307) /* another leads */
        return MR_AGAIN;
    *accepted = asked.code >= 200 && asked.code < 300;
    if (!*accepted) {
        judge_refusal(step, &asked);
        return MR_OK;
    }
    json_t *answer = parse(&asked);
    judge(step, MR_VERDICT_ACCEPTED, NULL, json_object_get(answer, "warnings"));
    json_decref(answer);
    return MR_OK;
}

/* Without it the object could go and leave its topology: no verdict stands before it is on. */
static enum mr_status ensure_finalizer(struct step *step)
{
    if (mr_kubernetes_has_finalizer(step->object->json))
        return MR_OK;
    enum mr_status status = change_finalizer(step, true);
    if (status != MR_OK)
        judge(step, MR_VERDICT_LATER, step->error->message, NULL);
    return status;
}

static enum mr_status deploy(struct step *step)
{
    bool accepted;
    enum mr_status status = MR_OK;
    if (runs_already(step)) {
        status = ensure_finalizer(step);
        if (status == MR_OK)
            judge(step, MR_VERDICT_ACCEPTED, NULL, NULL);
        return status;
    }
    const char *drop_state = "";
    status = submit(step, true, drop_state, &accepted);
    if (status == MR_OK && !accepted && step->object->verdict == MR_VERDICT_INVALID &&
        step->object->findings == NULL && drop_state_of(step)[0] != '\0') {
        /* The permission stays in the object when the change is made: it counts where needed. */
        drop_state = drop_state_of(step);
        status = submit(step, true, drop_state, &accepted);
    }
    if (status != MR_OK || !accepted)
        return status;
    status = ensure_finalizer(step);
    if (status != MR_OK)
        return status;
    status = submit(step, false, drop_state, &accepted);
    if (status == MR_OK && accepted)
        MR_LOG_AT(MR_LOG_INFO, "kubernetes", MR_LOG_FIELDS("topology", step->object->topology),
                  "a topology was deployed from an object of Kubernetes");
    return status;
}

/* ---- Status ---- */

static const char *state_text(enum mr_kubernetes_verdict verdict, const json_t *status)
{
    return verdict == MR_VERDICT_INVALID || verdict == MR_VERDICT_CONFLICT
               ? "Refused"
               : json_string_value(json_object_get(status, "state"));
}

/* A ConfigMap's annotations, as a merge patch. */
static json_t *annotations_of(const struct step *step, const json_t *status)
{
    const struct mr_kubernetes_object *object = step->object;
    const json_t *version = json_object_get(status, "version");
    const json_t *problem = json_object_get(status, "lastError");
    json_t *annotations = json_object();
    (void)json_object_set_new(annotations, "millrace.io/topology-name",
                              object->topology != NULL ? json_string(object->topology)
                                                       : json_null());
    (void)json_object_set_new(annotations, "millrace.io/state",
                              json_string(state_text(object->verdict, status)));
    (void)json_object_set_new(annotations, "millrace.io/version",
                              version != NULL
                                  ? json_sprintf("%lld", (long long)json_integer_value(version))
                                  : json_null());
    (void)json_object_set_new(annotations, "millrace.io/error",
                              problem != NULL ? json_string(json_string_value(problem))
                                              : json_null());
    if (object->verdict == MR_VERDICT_ACCEPTED)
        (void)json_object_set_new(annotations, "millrace.io/observed",
                                  json_string(object->attempted));
    return annotations;
}

/* Whether an object has these annotations; null: it has not. */
static bool is_annotated(const struct mr_kubernetes_object *object, const json_t *annotations)
{
    const json_t *present = json_object_get(metadata_of(object), "annotations");
    const char *key;
    json_t *value;
    json_t *iterated = (json_t *)(uintptr_t)annotations; /* jansson's iterator wants no const */
    json_object_foreach(iterated, key, value)
    {
        const json_t *known = json_object_get(present, key);
        if (json_is_null(value) ? known != NULL : known == NULL || json_equal(known, value) == 0)
            return false;
    }
    return true;
}

/* Whether something may be written now; if so, it is counted. */
static bool may_write(struct step *step, uint64_t due_ms)
{
    if (step->now_ms < due_ms || step->sync->writes_count >= MR_SYNC_WRITES_MAX)
        return false;
    step->sync->writes_count++;
    step->object->write_ms = step->now_ms + WRITE_MS;
    return true;
}

static enum mr_status write_annotations(struct step *step, const json_t *status)
{
    json_t *annotations = annotations_of(step, status);
    if (is_annotated(step->object, annotations) || !may_write(step, step->object->write_ms)) {
        json_decref(annotations);
        return MR_OK;
    }
    return patch_object(step, "", json_pack("{s:{s:o}}", "metadata", "annotations", annotations));
}

static enum mr_status write_status(struct step *step)
{
    struct mr_kubernetes_object *object = step->object;
    const json_t *before = json_object_get(object->json, "status");
    const struct mr_kubernetes_facts facts = {
        .cluster = step->sync->cluster,
        .generation = json_integer_value(json_object_get(metadata_of(object), "generation")),
        .verdict = object->verdict,
        .message = object->message,
        .findings = object->findings,
        .topology = object->owner ? step->topology : NULL,
        .deleting = object->released || mr_kubernetes_is_deleting(object->json),
        .wall_ms = mr_clock_wall_ms()};
    json_t *status = mr_kubernetes_status(&facts, before);
    enum mr_status result = MR_OK;
    if (object->kind == MR_KUBERNETES_CONFIG_MAP) {
        result = write_annotations(step, status);
    } else {
        enum mr_kubernetes_change change = mr_kubernetes_status_change(before, status);
        uint64_t due_ms =
            object->write_ms + (change == MR_STATUS_DETAIL ? DETAIL_MS - WRITE_MS : 0);
        if (change != MR_STATUS_SAME && may_write(step, due_ms))
            result = patch_object(
                step, "/status",
                json_pack("{s:o}", "status", mr_kubernetes_status_patch(before, status)));
    }
    json_decref(status);
    return result;
}

/* ---- Names ---- */

/* The name in a definition, copied; NULL: it has none. */
static char *name_in(struct mr_slice definition)
{
    struct mr_arena arena;
    struct mr_report report;
    char *name = NULL;
    mr_arena_init(&arena, 1 << 16);
    mr_report_init(&report, &arena, "definition");
    const struct mr_yaml_node *node = mr_yaml_parse(definition, &arena, &report);
    static const char *const steps[] = {"metadata", "name"};
    for (size_t index = 0; index < 2 && node != NULL; index++) {
        const struct mr_yaml_pair *pair =
            node->kind == MR_YAML_MAPPING ? mr_yaml_find(node, steps[index]) : NULL;
        node = pair != NULL ? pair->value : NULL;
    }
    if (node != NULL && node->kind == MR_YAML_SCALAR && mr_kubernetes_is_name(node->text))
        name = mr_memory_copy_text(node->text);
    mr_arena_deinit(&arena);
    return name;
}

/* ---- One object ---- */

/* Ask for the deletion of an object's topology; a refusal is said in the object. */
static enum mr_status request_removal(struct step *step)
{
    struct mr_kubernetes_object *object = step->object;
    struct mr_http_asked asked;
    const char *target = mr_arena_format(&step->arena, "/v1/topologies/%s", object->topology);
    if (object->verdict == MR_VERDICT_LATER && step->now_ms < object->retry_ms)
        return MR_OK;
    enum mr_status status = ask(step, MR_HTTP_DELETE, target, (struct mr_slice){0}, &asked);
    if (status != MR_OK) {
        judge(step, MR_VERDICT_LATER, step->error->message, NULL);
    } else if (asked.code == 307) { /* another leads */
        status = MR_AGAIN;
    } else if (asked.code >= 400 && asked.code != 404) {
        json_t *answer = parse(&asked);
        judge(step, MR_VERDICT_LATER, detail_of(answer), NULL);
        json_decref(answer);
    } else if (object->verdict == MR_VERDICT_LATER) {
        judge(step, MR_VERDICT_NONE, NULL, NULL);
    }
    return status;
}

/* Deleted or released: the topology goes first, then the finalizer. */
static enum mr_status remove_topology(struct step *step)
{
    struct mr_kubernetes_object *object = step->object;
    enum mr_status status = MR_OK;
    if (!mr_kubernetes_has_finalizer(object->json))
        return MR_OK;
    if (step->topology == NULL || !object->owner || object->topology == NULL)
        return change_finalizer(step, false);
    const char *state = json_string_value(json_object_get(step->topology, "state"));
    if (state == NULL || strcmp(state, "deleting") != 0)
        status = request_removal(step);
    if (status == MR_AGAIN)
        return status;
    enum mr_status written = write_status(step);
    return status != MR_OK ? status : written;
}

/* A ConfigMap that its watch shows no more: looked at itself, as the label may be back, or it may
 * have been deleted meanwhile. */
static enum mr_status release(struct step *step)
{
    struct mr_kubernetes_object *object = step->object;
    char path[PATH_SIZE];
    json_t *newest;
    if (step->now_ms < object->look_ms)
        return MR_OK;
    path_of(step, "", path);
    enum mr_status status =
        mr_kubernetes_client_get(step->sync->client, path, &newest, step->error);
    object->look_ms = step->now_ms + (status == MR_INVALID ? REFUSED_MS : LATER_MS);
    bool gone = status == MR_NOT_FOUND && step->error->origin_code == 404; /* no missing token */
    if (status != MR_OK && !gone)
        return status;
    json_decref(object->json);
    object->json = newest; /* NULL: it is gone, and forgotten with the next pass */
    const char *label = json_string_value(
        json_object_get(json_object_get(metadata_of(object), "labels"), "millrace.io/topology"));
    return label != NULL && strcmp(label, "true") == 0 ? MR_OK : remove_topology(step);
}

/* What an earlier leader left in the object: it was accepted as it is, and is held. */
static void recall(struct step *step, const char *wish)
{
    struct mr_kubernetes_object *object = step->object;
    const json_t *status = json_object_get(object->json, "status");
    const json_t *conditions = json_object_get(status, "conditions");
    bool accepted = false;
    if (object->kind == MR_KUBERNETES_CONFIG_MAP) {
        const char *observed = annotation(object, "millrace.io/observed");
        accepted = observed != NULL && strcmp(observed, wish) == 0;
    }
    for (size_t index = 0; index < json_array_size(conditions); index++) {
        const json_t *condition = json_array_get(conditions, index);
        const char *type = json_string_value(json_object_get(condition, "type"));
        const char *value = json_string_value(json_object_get(condition, "status"));
        if (type != NULL && value != NULL && strcmp(type, "Accepted") == 0)
            accepted = strcmp(value, "True") == 0 &&
                       json_equal(json_object_get(status, "observedGeneration"),
                                  json_object_get(metadata_of(object), "generation")) != 0;
    }
    if (!accepted || !mr_kubernetes_has_finalizer(object->json))
        return;
    set_text(&object->attempted, wish);
    object->verdict = MR_VERDICT_ACCEPTED;
}

/* A ConfigMap stands for one topology: under another name it would leave the first behind. */
static bool keeps_name(struct step *step)
{
    if (step->object->kind == MR_KUBERNETES_TOPOLOGY || step->object->topology == NULL)
        return true;
    char *name = name_in(step->definition);
    bool same = name == NULL || strcmp(name, step->object->topology) == 0;
    mr_memory_free(name);
    if (!same)
        judge(
            step, MR_VERDICT_INVALID,
            mr_arena_format(&step->arena,
                            "metadata.name: the ConfigMap deploys the topology \"%s\", whose name "
                            "cannot change; delete the ConfigMap, or make another.",
                            step->object->topology),
            NULL);
    return same;
}

static enum mr_status want_topology(struct step *step)
{
    struct mr_kubernetes_object *object = step->object;
    enum mr_status status = MR_OK;
    const char *state = json_string_value(json_object_get(step->topology, "state"));
    if (render(step)) {
        const char *wish = wish_of(step);
        if (object->attempted == NULL)
            recall(step, wish);
        bool changed = object->attempted == NULL || strcmp(object->attempted, wish) != 0;
        bool stands = object->verdict == MR_VERDICT_ACCEPTED && step->topology != NULL;
        bool busy = state != NULL && strcmp(state, "deleting") == 0;
        if (!object->owner) {
            judge(step, MR_VERDICT_CONFLICT,
                  "Another object of this namespace deploys a topology "
                  "of this name; the older one does.",
                  NULL);
        } else if (!busy && (changed || (!stands && step->now_ms >= object->retry_ms))) {
            set_text(&object->attempted, wish);
            if (keeps_name(step))
                status = deploy(step);
        }
    }
    if (status == MR_AGAIN)
        return status;
    enum mr_status written = write_status(step);
    return status != MR_OK ? status : written;
}

/* ---- All objects ---- */

/* A ConfigMap that has deployed a topology stands for that one as long as it is there. */
static void name_topology(struct mr_kubernetes_object *object)
{
    struct mr_slice definition;
    struct mr_error error;
    const char *known = annotation(object, "millrace.io/topology-name");
    if (object->kind == MR_KUBERNETES_TOPOLOGY) {
        set_text(&object->topology, object->id);
    } else if (mr_kubernetes_has_finalizer(object->json) && known != NULL &&
               mr_kubernetes_is_name(known)) {
        set_text(&object->topology, known);
    } else {
        mr_memory_free(object->topology);
        object->topology = mr_kubernetes_definition_text(object->json, &definition, &error) == MR_OK
                               ? name_in(definition)
                               : NULL;
    }
}

static bool is_older(const struct mr_kubernetes_object *left,
                     const struct mr_kubernetes_object *right)
{
    const char *first = metadata_text(left, "creationTimestamp");
    const char *second = metadata_text(right, "creationTimestamp");
    int order = strcmp(first != NULL ? first : "", second != NULL ? second : "");
    if (order == 0 && left->kind != right->kind)
        return left->kind < right->kind;
    return order < 0 || (order == 0 && strcmp(left->id, right->id) < 0);
}

static void find_owners(struct mr_kubernetes_object *const *items, uint32_t count)
{
    for (uint32_t index = 0; index < count; index++) {
        items[index]->owner = true;
        for (uint32_t other = 0; other < count && items[index]->topology != NULL; other++)
            if (other != index && items[other]->topology != NULL &&
                strcmp(items[index]->topology, items[other]->topology) == 0 &&
                is_older(items[other], items[index]))
                items[index]->owner = false;
    }
}

/* What depends on the objects alone is found anew when one of them has changed. */
static void look_at_new(struct mr_kubernetes_sync *sync, struct mr_kubernetes_object *const *items,
                        uint32_t count)
{
    bool changed = sync->known_count != count;
    for (uint32_t index = 0; index < count; index++) {
        if (!items[index]->fresh)
            continue;
        name_topology(items[index]);
        items[index]->fresh = false;
        changed = true;
    }
    sync->known_count = count;
    if (changed)
        find_owners(items, count);
}

static const json_t *find_topology(const json_t *list, const char *name)
{
    for (size_t index = 0; name != NULL && index < json_array_size(list); index++) {
        const json_t *topology = json_array_get(list, index);
        const char *known = json_string_value(json_object_get(topology, "name"));
        if (known != NULL && strcmp(known, name) == 0)
            return topology;
    }
    return NULL;
}

static enum mr_status visit(struct mr_kubernetes_sync *sync, struct mr_kubernetes_object *object,
                            const json_t *list, uint64_t now_ms, struct mr_error *error)
{
    struct step step = {.sync = sync,
                        .object = object,
                        .topology = find_topology(list, object->topology),
                        .now_ms = now_ms,
                        .error = error};
    mr_arena_init(&step.arena, 1 << 16);
    enum mr_status status = object->released                          ? release(&step)
                            : mr_kubernetes_is_deleting(object->json) ? remove_topology(&step)
                                                                      : want_topology(&step);
    mr_arena_deinit(&step.arena);
    /* Changed or deleted meanwhile: the watch will tell. */
    return status == MR_FENCED || status == MR_NOT_FOUND ? MR_OK : status;
}

static enum mr_status list_topologies(struct mr_kubernetes_sync *sync, json_t **list,
                                      struct mr_error *error)
{
    struct mr_arena arena;
    struct mr_http_asked asked;
    const struct mr_http_asking asking = {
        .method = MR_HTTP_GET, .target = "/v1/topologies", .wait_ms = ASK_MS};
    mr_arena_init(&arena, 1 << 16);
    enum mr_status status = sync->ask(sync->argument, &asking, &arena, &asked, error);
    *list = NULL;
    if (status == MR_OK && asked.code == 200)
        *list = parse(&asked);
    else if (status == MR_OK) /* another leads, or nobody does */
        status = MR_AGAIN;
    mr_arena_deinit(&arena);
    return status;
}

enum mr_status mr_kubernetes_sync_pass(struct mr_kubernetes_sync *sync, uint64_t now_ms,
                                       struct mr_error *error)
{
    struct mr_kubernetes_object *const *items;
    uint32_t count;
    json_t *answer;
    if (!mr_kubernetes_objects_take(sync->objects, &items, &count))
        return MR_AGAIN;
    sync->writes_count = 0;
    if (count == 0)
        return MR_OK;
    enum mr_status status = list_topologies(sync, &answer, error);
    if (status != MR_OK)
        return status;
    look_at_new(sync, items, count);
    for (uint32_t index = 0; index < count && status != MR_AGAIN && status != MR_CLOSED; index++) {
        struct mr_error own;
        enum mr_status done =
            visit(sync, items[index], json_object_get(answer, "topologies"), now_ms, &own);
        if (done == MR_OK)
            continue;
        status = done;
        if (done != MR_AGAIN)
            *error = own;
    }
    json_decref(answer);
    return status;
}
