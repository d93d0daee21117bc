/* coordinator/api_change.c — routes that change: submit, pause, resume, seek, rollback, reset,
 * delete, drain.
 * Design: what a user sends is first checked where waiting is allowed (the jobs thread: plan,
 * difference, topics), then put to the core, whose decision is the answer. Between the two the
 * topology may have changed: the generation and version that the check was about are compared once
 * more. With `dry_run=1` nothing reaches the core, and the answer says what would happen. */
#include "base/clock.h"
#include "coordinator/internal.h"

static bool is_given(const struct mr_http_exchange *exchange, const char *name)
{
    const char *text = mr_http_query(exchange, name);
    return text != NULL && strcmp(text, "0") != 0 && strcmp(text, "false") != 0;
}

static void drop_exchange(struct mr_work *work)
{
    mr_http_problem(work->exchange, 503, 1, "The coordinator is stopping.");
}

/* To the jobs thread, or 503. */
static void send_job(struct mr_coordinator *coordinator, struct mr_work *work)
{
    work->drop = drop_exchange;
    if (mr_work_send(coordinator->jobs_ring, work))
        return;
    drop_exchange(work);
    mr_work_destroy(work);
}

/* ---- Submit ---- */

struct submitting {
    struct mr_submission submission;
    struct mr_topology_record *record;
    struct mr_version_record *active;
    const char *name; /* in the definition, as far as it can be read; NULL: not found */
};

struct submit_body {
    struct mr_slice definition;
    const char *const *drop_state;
    uint32_t drop_state_count;
    bool dry_run;
};

static bool read_json_body(struct mr_http_exchange *exchange, struct submit_body *body)
{
    const struct mr_http_request *request = mr_http_request_of(exchange);
    struct mr_arena *arena = mr_http_arena(exchange);
    json_error_t problem;
    json_t *root = json_loadb((const char *)request->body.data, request->body.size, 0, &problem);
    json_t *definition = root != NULL ? json_object_get(root, "definition") : NULL;
    json_t *drop = root != NULL ? json_object_get(root, "drop_state") : NULL;
    json_t *dry_run = root != NULL ? json_object_get(root, "dry_run") : NULL;
    bool sound = json_is_string(definition) && (drop == NULL || json_is_array(drop)) &&
                 (dry_run == NULL || json_is_boolean(dry_run));
    if (sound) {
        body->definition = mr_arena_copy(
            arena, mr_slice_from(json_string_value(definition), json_string_length(definition)));
        body->dry_run = body->dry_run || json_is_true(dry_run);
        const char **names = mr_arena_new(arena, json_array_size(drop) + 1, sizeof(*names));
        for (size_t index = 0; index < json_array_size(drop) && sound; index++) {
            const char *name = json_string_value(json_array_get(drop, index));
            sound = name != NULL;
            if (sound)
                names[body->drop_state_count++] = mr_arena_copy_text(arena, name);
        }
        if (body->drop_state_count > 0)
            body->drop_state = names;
    }
    json_decref(root);
    if (!sound)
        mr_http_problem(exchange, 400, 0,
                        "The body is not what a submission looks like: {\"definition\": \"YAML "
                        "text\", \"dry_run\": false, \"drop_state\": [\"NAME\"]}.");
    return sound;
}

static bool is_type(const char *content_type, const char *name)
{
    size_t size = strlen(name);
    return strncmp(content_type, name, size) == 0 &&
           (content_type[size] == '\0' || content_type[size] == ';' || content_type[size] == ' ');
}

static bool read_body(struct mr_http_exchange *exchange, struct submit_body *body)
{
    const struct mr_http_request *request = mr_http_request_of(exchange);
    *body =
        (struct submit_body){.definition = request->body, .dry_run = is_given(exchange, "dry_run")};
    body->drop_state = mr_api_list(mr_http_arena(exchange), mr_http_query(exchange, "drop_state"),
                                   &body->drop_state_count);
    if (is_type(request->content_type, "application/json"))
        return read_json_body(exchange, body);
    if (is_type(request->content_type, "application/yaml") ||
        is_type(request->content_type, "application/x-yaml") ||
        is_type(request->content_type, "text/yaml"))
        return true;
    mr_http_problem(exchange, 415, 0,
                    "found content type '%.60s'; send YAML as application/yaml, or JSON with a "
                    "`definition` as application/json",
                    request->content_type);
    return false;
}

static void run_submit(struct mr_coordinator *coordinator, struct mr_work *work)
{
    struct submitting *submitting = work->data;
    submitting->submission.record = submitting->record;
    submitting->submission.active = submitting->active;
    work->status =
        mr_jobs_submit(&coordinator->jobs, &submitting->submission, &work->arena, &work->error);
    if (work->status == MR_OK &&
        mr_shell_copy_version(&submitting->submission.version, &work->arena) == NULL)
        work->status = MR_FAIL(&work->error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                               "The definition with its topics is larger than the %d bytes that "
                               "the control topic keeps of a version.",
                               MR_MESSAGE_BYTES_MAX);
}

static json_t *describe_submission(const struct submitting *submitting)
{
    const struct mr_submission *submission = &submitting->submission;
    return json_pack(
        "{s:s, s:i, s:b, s:o, s:o}", "name", submission->version.name, "version",
        (int)submission->version.version, "dry_run", submission->dry_run, "difference",
        mr_view_difference(&submission->difference,
                           submitting->active != NULL ? &submitting->active->binding : NULL,
                           &submission->version.binding),
        "warnings", mr_view_findings(&submission->report));
}

/* Is the topology still what the plan was compared with? */
static bool is_unchanged(struct mr_coordinator *coordinator, const char *name,
                         const struct mr_topology_record *record, uint64_t now_ms)
{
    for (uint32_t index = 0; index < mr_core_topologies_count(coordinator->core); index++) {
        struct mr_core_topology topology = mr_core_topology_at(coordinator->core, index, now_ms);
        if (topology.record == NULL || strcmp(topology.record->name, name) != 0)
            continue;
        return record != NULL && record->generation == topology.record->generation &&
               record->version_last == topology.record->version_last;
    }
    return record == NULL;
}

static void refuse_submission(const struct mr_work *work, const struct submitting *submitting)
{
    const struct mr_submission *submission = &submitting->submission;
    if (submission->plan == NULL && submission->report.errors_count > 0)
        mr_api_problem(work->exchange, 422, work->error.message,
                       json_pack("{s:o}", "errors", mr_view_findings(&submission->report)));
    else
        mr_api_failure(work->exchange, &work->error);
}

static void finish_submit(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    const struct submitting *submitting = work->data;
    const struct mr_submission *submission = &submitting->submission;
    if (work->status != MR_OK) {
        refuse_submission(work, submitting);
        return;
    }
    if (submission->dry_run) {
        mr_api_answer(work->exchange, 200, describe_submission(submitting));
        return;
    }
    if (!is_unchanged(coordinator, submission->version.name, submitting->record, now_ms)) {
        mr_http_problem(work->exchange, 409, 0,
                        "Topology \"%s\" was changed while this version was checked; submit it "
                        "again.",
                        submission->version.name);
        return;
    }
    struct mr_core_event event = {.action = MR_ACTION_SUBMIT,
                                  .name = submission->version.name,
                                  .version_record = &submission->version};
    mr_api_ask(coordinator, work->exchange, describe_submission(submitting), &event, now_ms);
}

/* The name is in the definition: a first look at it, on the jobs thread, says which records to
 * compare with; the second does the work. */
static void run_plan(struct mr_coordinator *coordinator, struct mr_work *work)
{
    struct submitting *submitting = work->data;
    struct mr_submission *submission = &submitting->submission;
    mr_jobs_plan(&coordinator->jobs, submission->definition, &work->arena, &submission->report,
                 &submission->plan);
    if (submission->plan == NULL)
        work->status = MR_FAIL(&work->error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                               "The definition has %u errors.", submission->report.errors_count);
    else
        submitting->name = submission->plan->name;
}

static struct mr_work *second_look(struct mr_coordinator *coordinator, struct mr_work *first,
                                   uint64_t now_ms)
{
    const struct submitting *before = first->data;
    struct mr_work *work = mr_work_create(run_submit, finish_submit);
    struct submitting *submitting = mr_arena_new(&work->arena, 1, sizeof(*submitting));
    work->data = submitting;
    work->exchange = first->exchange;
    submitting->submission.definition = before->submission.definition; /* the exchange's */
    submitting->submission.drop_state = before->submission.drop_state;
    submitting->submission.drop_state_count = before->submission.drop_state_count;
    submitting->submission.dry_run = before->submission.dry_run;
    for (uint32_t index = 0; index < mr_core_topologies_count(coordinator->core); index++) {
        struct mr_core_topology topology = mr_core_topology_at(coordinator->core, index, now_ms);
        if (topology.record == NULL || strcmp(topology.record->name, before->name) != 0)
            continue;
        submitting->record = mr_shell_copy_topology(topology.record, &work->arena);
        submitting->active = mr_shell_copy_version(topology.version, &work->arena);
    }
    return work;
}

static void finish_plan(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    const struct submitting *submitting = work->data;
    if (work->status != MR_OK) {
        refuse_submission(work, submitting);
        return;
    }
    struct mr_work *next = second_look(coordinator, work, now_ms);
    const struct submitting *compared = next->data;
    if (compared->record != NULL && (compared->record->state == MR_TOPOLOGY_DELETING ||
                                     compared->record->state == MR_TOPOLOGY_RESETTING)) {
        mr_http_problem(work->exchange, 409, 0,
                        "Topology \"%s\" is being %s; submit again when that is done.",
                        submitting->name,
                        compared->record->state == MR_TOPOLOGY_DELETING ? "deleted" : "reset");
        mr_work_destroy(next);
        return;
    }
    send_job(coordinator, next);
}

void mr_api_submit(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                   uint64_t now_ms)
{
    struct submit_body body;
    (void)now_ms;
    if (!read_body(exchange, &body))
        return;
    struct mr_work *work = mr_work_create(run_plan, finish_plan);
    struct submitting *submitting = mr_arena_new(&work->arena, 1, sizeof(*submitting));
    submitting->submission.definition = body.definition;
    submitting->submission.drop_state = body.drop_state;
    submitting->submission.drop_state_count = body.drop_state_count;
    submitting->submission.dry_run = body.dry_run;
    work->data = submitting;
    work->exchange = exchange;
    send_job(coordinator, work);
}

/* ---- Actions that the core decides at once ---- */

static json_t *dry_run_answer(const struct mr_core_topology *topology, const char *action)
{
    return json_pack("{s:s, s:b, s:s, s:i}", "name", topology->record->name, "dry_run", 1, "action",
                     action, "tasks", (int)topology->tasks_count);
}

static void act(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                enum mr_core_action action, const char *name, uint64_t now_ms)
{
    struct mr_core_topology topology;
    if (!mr_api_topology(coordinator, exchange, now_ms, &topology))
        return;
    if (is_given(exchange, "dry_run")) {
        mr_api_answer(exchange, 200, dry_run_answer(&topology, name));
        return;
    }
    struct mr_core_event event = {.action = action,
                                  .name = topology.record->name,
                                  .source = mr_http_query(exchange, "source")};
    mr_api_ask(coordinator, exchange, json_pack("{s:s}", "name", topology.record->name), &event,
               now_ms);
}

void mr_api_pause(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                  uint64_t now_ms)
{
    act(coordinator, exchange, MR_ACTION_PAUSE, "pause", now_ms);
}

void mr_api_resume(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                   uint64_t now_ms)
{
    act(coordinator, exchange, MR_ACTION_RESUME, "resume", now_ms);
}

void mr_api_reset(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                  uint64_t now_ms)
{
    act(coordinator, exchange, MR_ACTION_RESET, "reset", now_ms);
}

void mr_api_delete(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                   uint64_t now_ms)
{
    act(coordinator, exchange, MR_ACTION_DELETE, "delete", now_ms);
}

/* ---- Seek ---- */

struct seeking {
    struct mr_version_record *version;
    const char *argument;
    bool dry_run;
};

static const char seek_note[] =
    "State and watermarks are kept: records that were read before are read again by the same "
    "state, and what is older than the watermark counts as late. `reset` starts with empty state.";

static void run_seek_check(struct mr_coordinator *coordinator, struct mr_work *work)
{
    const struct seeking *seeking = work->data;
    work->status =
        mr_jobs_seek(&coordinator->jobs, seeking->version, seeking->argument, true, &work->error);
}

static void finish_seek_check(struct mr_coordinator *coordinator, struct mr_work *work,
                              uint64_t now_ms)
{
    const struct seeking *seeking = work->data;
    const char *name = seeking->version->name;
    const struct mr_version_record *active = mr_core_version(coordinator->core, name, 0);
    if (work->status != MR_OK) {
        mr_api_failure(work->exchange, &work->error);
        return;
    }
    json_t *members = json_pack("{s:s, s:s, s:s, s:b}", "name", name, "seek", seeking->argument,
                                "state", seek_note, "dry_run", seeking->dry_run);
    if (seeking->dry_run) {
        mr_api_answer(work->exchange, 200, members);
        return;
    }
    if (active == NULL || active->generation != seeking->version->generation ||
        active->version != seeking->version->version) {
        json_decref(members);
        mr_http_problem(work->exchange, 409, 0, "Topology \"%s\" was changed meanwhile.", name);
        return;
    }
    struct mr_core_event event = {
        .action = MR_ACTION_SEEK, .name = name, .argument = seeking->argument};
    mr_api_ask(coordinator, work->exchange, members, &event, now_ms);
}

/* {"source": NAME, "to": PLACE} as "NAME PLACE" in arena; NULL: answered with 400. */
static const char *seek_argument(struct mr_http_exchange *exchange, struct mr_arena *arena)
{
    const struct mr_http_request *request = mr_http_request_of(exchange);
    json_t *root = json_loadb((const char *)request->body.data, request->body.size, 0, NULL);
    const char *source = json_string_value(json_object_get(root, "source"));
    json_t *to = json_object_get(root, "to");
    const char *argument = NULL;
    if (source != NULL && strchr(source, ' ') == NULL && json_is_string(to))
        argument = mr_arena_format(arena, "%s %s", source, json_string_value(to));
    else if (source != NULL && strchr(source, ' ') == NULL && json_is_integer(to))
        argument = mr_arena_format(arena, "%s %lld", source, (long long)json_integer_value(to));
    json_decref(root);
    if (argument == NULL)
        mr_http_problem(exchange, 400, 0,
                        "The body is not what a seek looks like: {\"source\": \"NAME\", \"to\": "
                        "\"earliest\" | \"latest\" | a time | offsets such as \"0=1200,1=1180\"}.");
    return argument;
}

void mr_api_seek(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                 uint64_t now_ms)
{
    struct mr_core_topology topology;
    if (!mr_api_topology(coordinator, exchange, now_ms, &topology))
        return;
    if (topology.version == NULL) {
        mr_http_problem(exchange, 409, 0, "Topology \"%s\" has no version yet.",
                        topology.record->name);
        return;
    }
    struct mr_work *work = mr_work_create(run_seek_check, finish_seek_check);
    struct seeking *seeking = mr_arena_new(&work->arena, 1, sizeof(*seeking));
    seeking->argument = seek_argument(exchange, &work->arena);
    if (seeking->argument == NULL) {
        mr_work_destroy(work);
        return;
    }
    seeking->version = mr_shell_copy_version(topology.version, &work->arena);
    seeking->dry_run = is_given(exchange, "dry_run");
    work->data = seeking;
    work->exchange = exchange;
    send_job(coordinator, work);
}

/* ---- Rollback ---- */

struct returning {
    struct mr_topology_record *record;
    struct mr_version_record *active;
    struct mr_version_record *target;
    const char *const *drop_state;
    uint32_t drop_state_count;
    bool dry_run;
    struct mr_difference difference;
};

static void run_rollback_check(struct mr_coordinator *coordinator, struct mr_work *work)
{
    struct returning *returning = work->data;
    work->status = mr_jobs_compare(&coordinator->jobs, returning->record, returning->active,
                                   returning->target->definition, returning->drop_state,
                                   returning->drop_state_count, &work->arena,
                                   &returning->difference, &work->error);
}

static void finish_rollback_check(struct mr_coordinator *coordinator, struct mr_work *work,
                                  uint64_t now_ms)
{
    const struct returning *returning = work->data;
    const char *name = returning->record->name;
    if (work->status != MR_OK) {
        mr_api_failure(work->exchange, &work->error);
        return;
    }
    json_t *members =
        json_pack("{s:s, s:i, s:b, s:o}", "name", name, "version", (int)returning->target->version,
                  "dry_run", returning->dry_run, "difference",
                  mr_view_difference(&returning->difference, &returning->active->binding,
                                     &returning->target->binding));
    if (returning->dry_run) {
        mr_api_answer(work->exchange, 200, members);
        return;
    }
    if (!is_unchanged(coordinator, name, returning->record, now_ms)) {
        json_decref(members);
        mr_http_problem(work->exchange, 409, 0, "Topology \"%s\" was changed meanwhile.", name);
        return;
    }
    struct mr_core_event event = {
        .action = MR_ACTION_ROLLBACK, .name = name, .version = returning->target->version};
    mr_api_ask(coordinator, work->exchange, members, &event, now_ms);
}

/* The version before the active one that is kept; 0: none. */
static uint32_t version_before(const struct mr_coordinator *coordinator,
                               const struct mr_topology_record *record)
{
    uint32_t numbers[MR_CORE_VERSIONS_KEPT];
    uint32_t count = mr_core_versions(coordinator->core, record->name, numbers);
    uint32_t found = 0;
    for (uint32_t index = 0; index < count; index++)
        if (numbers[index] < record->version)
            found = numbers[index];
    return found;
}

void mr_api_rollback(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                     uint64_t now_ms)
{
    struct mr_core_topology topology;
    uint32_t to;
    if (!mr_api_topology(coordinator, exchange, now_ms, &topology) ||
        !mr_api_number(exchange, "to", version_before(coordinator, topology.record), &to))
        return;
    const struct mr_version_record *target =
        mr_core_version(coordinator->core, topology.record->name, to);
    if (to == 0) {
        mr_http_problem(exchange, 404, 0, "Topology \"%s\" has no earlier version to go back to.",
                        topology.record->name);
        return;
    }
    if (target == NULL || topology.version == NULL) {
        mr_http_problem(exchange, 404, 0, "Topology \"%s\" has no version %u to go back to.",
                        topology.record->name, to);
        return;
    }
    struct mr_work *work = mr_work_create(run_rollback_check, finish_rollback_check);
    struct returning *returning = mr_arena_new(&work->arena, 1, sizeof(*returning));
    returning->record = mr_shell_copy_topology(topology.record, &work->arena);
    returning->active = mr_shell_copy_version(topology.version, &work->arena);
    returning->target = mr_shell_copy_version(target, &work->arena);
    returning->drop_state = mr_api_list(&work->arena, mr_http_query(exchange, "drop_state"),
                                        &returning->drop_state_count);
    returning->dry_run = is_given(exchange, "dry_run");
    work->data = returning;
    work->exchange = exchange;
    send_job(coordinator, work);
}

/* ---- Workers ---- */

static void act_on_worker(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                          enum mr_core_action action, uint64_t now_ms)
{
    const char *name = mr_http_request_of(exchange)->parts[0];
    for (uint32_t index = 0; index < mr_core_workers_count(coordinator->core); index++) {
        struct mr_core_worker worker = mr_core_worker_at(coordinator->core, index, now_ms);
        if (strcmp(worker.name, name) != 0)
            continue;
        if (is_given(exchange, "dry_run")) {
            mr_api_answer(exchange, 200,
                          json_pack("{s:s, s:b, s:i, s:i}", "worker", name, "dry_run", 1,
                                    "active_tasks", (int)worker.active_count, "standby_tasks",
                                    (int)worker.standby_count));
            return;
        }
        struct mr_core_event event = {.action = action, .worker = name};
        mr_api_ask(coordinator, exchange, json_pack("{s:s}", "worker", name), &event, now_ms);
        return;
    }
    mr_http_problem(exchange, 404, 0, "There is no worker \"%s\".", name);
}

void mr_api_drain(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                  uint64_t now_ms)
{
    act_on_worker(coordinator, exchange, MR_ACTION_DRAIN, now_ms);
}

void mr_api_undrain(struct mr_coordinator *coordinator, struct mr_http_exchange *exchange,
                    uint64_t now_ms)
{
    act_on_worker(coordinator, exchange, MR_ACTION_UNDRAIN, now_ms);
}
