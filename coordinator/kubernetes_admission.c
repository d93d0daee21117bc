/* coordinator/kubernetes_admission.c — see kubernetes_admission.h.
 * Design: the review is read on the listener's thread; the core thread copies what runs under that
 * name; the reads thread plans and compares; the core thread answers. */
#include "coordinator/kubernetes_admission.h"

#include "base/memory.h"
#include "coordinator/internal.h"
#include "coordinator/kubernetes_definition.h"
#include "coordinator/kubernetes_json.h"

#include <stdio.h>

enum { MESSAGE_BYTES_MAX = 16 << 10, WARNING_BYTES_MAX = 256, WARNINGS_MAX = 16 };

struct mr_kubernetes_admission {
    struct mr_coordinator *coordinator;
    struct mr_http_server *server;
};

/* One review. Texts are in the exchange's arena. */
struct review {
    const char *uid;
    const char *name;
    struct mr_slice definition;
    const char *const *drop_state;
    uint32_t drop_state_count;
    struct mr_topology_record *record; /* NULL: there is no such topology */
    struct mr_version_record *active;
    struct mr_report report;
    struct mr_plan *plan;
};

/* ---- Answers ---- */

/* message NULL: allowed. warnings (given up) may be NULL. */
static void answer(struct mr_http_exchange *exchange, const char *uid, const char *message,
                   json_t *warnings)
{
    json_t *response = json_pack("{s:s, s:b}", "uid", uid, "allowed", message == NULL);
    if (message != NULL)
        (void)json_object_set_new(response, "status",
                                  json_pack("{s:i, s:s, s:o}", "code", 422, "reason", "Invalid",
                                            "message", mr_view_text(message)));
    if (warnings != NULL)
        (void)json_object_set_new(response, "warnings", warnings);
    mr_api_answer(exchange, 200,
                  json_pack("{s:s, s:s, s:o}", "apiVersion", "admission.k8s.io/v1", "kind",
                            "AdmissionReview", "response", response));
}

static void drop_review(struct mr_work *work)
{
    mr_http_problem(work->exchange, 503, 1, "The coordinator is stopping, or too much waits.");
}

/* kubectl prints each on a line of its own. */
static json_t *warnings_of(const struct mr_report *report)
{
    json_t *warnings = json_array();
    for (uint32_t index = 0; index < report->findings_count; index++) {
        const struct mr_finding *finding = &report->findings[index];
        char text[WARNING_BYTES_MAX];
        if (finding->severity != MR_SEVERITY_WARNING || json_array_size(warnings) == WARNINGS_MAX)
            continue;
        (void)snprintf(text, sizeof(text), "line %u: %s", finding->location.line, finding->message);
        json_t *warning = json_string(text);
        if (warning != NULL) /* cut within a character: not worth an answer */
            (void)json_array_append_new(warnings, warning);
    }
    return warnings;
}

/* ---- Judging ---- */

static void run_review(struct mr_coordinator *coordinator, struct mr_work *work)
{
    struct review *review = work->data;
    struct mr_difference difference;
    mr_jobs_plan(&coordinator->jobs, review->definition, &work->arena, &review->report,
                 &review->plan);
    if (review->plan == NULL || review->record == NULL)
        return;
    work->status =
        mr_jobs_compare(&coordinator->jobs, review->record, review->active, review->definition,
                        NULL, 0, &work->arena, &difference, &work->error);
    /* The permission stays in the object when the change is made: it counts where it is needed. */
    if (work->status != MR_OK && review->drop_state_count > 0)
        work->status = mr_jobs_compare(
            &coordinator->jobs, review->record, review->active, review->definition,
            review->drop_state, review->drop_state_count, &work->arena, &difference, &work->error);
}

static void finish_review(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    const struct review *review = work->data;
    char message[MESSAGE_BYTES_MAX];
    (void)coordinator;
    (void)now_ms;
    if (work->status != MR_OK) {
        answer(work->exchange, review->uid, work->error.message, NULL);
        return;
    }
    if (review->plan != NULL) {
        answer(work->exchange, review->uid, NULL, warnings_of(&review->report));
        return;
    }
    json_t *findings = mr_view_findings(&review->report);
    json_t *described = mr_kubernetes_findings(review->definition, findings);
    mr_kubernetes_findings_text(described, message, sizeof(message));
    json_decref(described);
    json_decref(findings);
    answer(work->exchange, review->uid, message, NULL);
}

/* On the core thread: what runs under that name goes along. */
static void finish_reading(struct mr_coordinator *coordinator, struct mr_work *work,
                           uint64_t now_ms)
{
    const struct review *read = work->data;
    struct mr_work *next = mr_work_create(run_review, finish_review);
    struct review *review = mr_arena_new(&next->arena, 1, sizeof(*review));
    *review = *read;
    next->data = review;
    next->exchange = work->exchange;
    next->drop = drop_review;
    for (uint32_t index = 0; index < mr_core_topologies_count(coordinator->core); index++) {
        struct mr_core_topology topology = mr_core_topology_at(coordinator->core, index, now_ms);
        if (topology.record == NULL || strcmp(topology.record->name, review->name) != 0)
            continue;
        review->record = mr_shell_copy_topology(topology.record, &next->arena);
        review->active = mr_shell_copy_version(topology.version, &next->arena);
    }
    if (mr_work_send(coordinator->reads_ring, next))
        return;
    drop_review(next);
    mr_work_destroy(next);
}

/* ---- Reading a review ---- */

static const char *text(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

/* Whether the object needs no look: it goes, or only its metadata has changed. */
static bool is_harmless(const json_t *request, const json_t *object)
{
    const char *operation = text(request, "operation");
    const char *kind = text(object, "kind");
    const json_t *old = json_object_get(request, "oldObject");
    if (operation == NULL || kind == NULL || strcmp(kind, "Topology") != 0 ||
        (strcmp(operation, "CREATE") != 0 && strcmp(operation, "UPDATE") != 0))
        return true;
    if (text(json_object_get(object, "metadata"), "deletionTimestamp") != NULL)
        return true;
    return strcmp(operation, "UPDATE") == 0 &&
           json_equal(json_object_get(object, "spec"), json_object_get(old, "spec")) != 0;
}

/* Into a work item for the core thread, or answered. */
static void take_review(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                        const json_t *root)
{
    const json_t *request = json_object_get(root, "request");
    const json_t *object = json_object_get(request, "object");
    const json_t *metadata = json_object_get(object, "metadata");
    const json_t *drop_state =
        json_object_get(json_object_get(metadata, "annotations"), "millrace.io/drop-state");
    struct mr_arena *arena = mr_http_arena(exchange);
    struct mr_error error;
    const char *uid = text(request, "uid");
    const char *name = text(metadata, "name");
    if (uid == NULL) {
        mr_http_problem(exchange, 400, 0,
                        "The body is no AdmissionReview of admission.k8s.io/v1 with a request.");
        return;
    }
    if (is_harmless(request, object)) {
        answer(exchange, uid, NULL, NULL);
        return;
    }
    if (name == NULL) /* generateName: it is made later, and may be none */
        name = "";
    struct mr_work *work = mr_work_create(NULL, finish_reading);
    struct review *review = mr_arena_new(&work->arena, 1, sizeof(*review));
    review->uid = mr_arena_copy_text(arena, uid);
    review->name = mr_arena_copy_text(arena, name);
    review->drop_state =
        mr_api_list(arena, json_string_value(drop_state), &review->drop_state_count);
    work->data = review;
    work->exchange = exchange;
    work->drop = drop_review;
    if (mr_kubernetes_definition(object, arena, &review->definition, &error) != MR_OK) {
        answer(exchange, review->uid, error.message, NULL);
        mr_work_destroy(work);
    } else if (!mr_work_send(coordinator->events, work)) {
        drop_review(work);
        mr_work_destroy(work);
    }
}

static void on_review(void *argument, struct mr_http_exchange *exchange)
{
    const struct mr_kubernetes_admission *admission = argument;
    const struct mr_http_request *request = mr_http_request_of(exchange);
    mr_metric_add(admission->coordinator->series.requests, 1);
    if (!atomic_load(&admission->coordinator->warm)) {
        mr_http_problem(exchange, 503, 1, "The control topic was not read to its end yet.");
        return;
    }
    json_t *root = mr_kubernetes_json(request->body);
    take_review(admission->coordinator, exchange, root);
    json_decref(root);
}

static void on_healthz(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_answer(exchange, 200, "text/plain", mr_slice_text("ok\n"));
}

static const struct mr_http_route routes[] = {{MR_HTTP_POST, "/v1/admission", on_review},
                                              {MR_HTTP_GET, "/healthz", on_healthz},
                                              {MR_HTTP_GET, NULL, NULL}};

/* ---- Start and stop ---- */

enum mr_status mr_kubernetes_admission_start(struct mr_coordinator *coordinator,
                                             const char *address, struct mr_http_identity *identity,
                                             struct mr_kubernetes_admission **admission,
                                             struct mr_error *error)
{
    struct mr_kubernetes_admission *started = mr_memory_new(1, sizeof(*started));
    const struct mr_http_server_options options = {
        .address = address, .identity = identity, .routes = routes, .argument = started};
    started->coordinator = coordinator;
    enum mr_status status = mr_http_server_start(&options, &started->server, error);
    if (status != MR_OK) {
        mr_memory_free(started);
        return status;
    }
    *admission = started;
    return MR_OK;
}

int mr_kubernetes_admission_port(const struct mr_kubernetes_admission *admission)
{
    return mr_http_server_port(admission->server);
}

void mr_kubernetes_admission_stop(struct mr_kubernetes_admission *admission)
{
    if (admission == NULL)
        return;
    mr_http_server_stop(admission->server);
    mr_memory_free(admission);
}
