/* coordinator/api_views.c — what the core knows, as JSON. docs/openapi.yaml describes each object;
 * tests/e2e/test_openapi.py holds the two together. What is not known is null, never a number that
 * looks like one. */
#include "base/assert.h"
#include "coordinator/binding.h"
#include "coordinator/internal.h"

#include <inttypes.h>
#include <stdio.h>

json_t *mr_view_id(uint64_t id)
{
    char text[20];
    (void)snprintf(text, sizeof(text), "%016" PRIx64, id);
    return json_string(text);
}

json_t *mr_view_text(const char *text)
{
    json_t *value = text == NULL || text[0] == '\0' ? NULL : json_string(text);
    return value != NULL ? value : json_null();
}

/* -1, and nothing else below 0: not known. */
static json_t *known(int64_t number)
{
    return number < 0 ? json_null() : json_integer(number);
}

static json_t *count_of(uint64_t number)
{
    return json_integer(number > INT64_MAX ? INT64_MAX : (json_int_t)number);
}

static void put(json_t *object, const char *name, json_t *value)
{
    int failed = json_object_set_new(object, name, value);
    MR_ASSERT(failed == 0);
}

const char *mr_view_task_state(enum mr_task_state state)
{
    static const char *const names[MR_TASK_STATE_COUNT] = {"waiting", "claiming",  "restoring",
                                                           "running", "releasing", "released",
                                                           "fenced",  "failed",    "following"};
    MR_ASSERT(state < MR_TASK_STATE_COUNT);
    return names[state];
}

const char *mr_view_health(enum mr_core_health health)
{
    static const char *const names[] = {"running", "starting", "stalled", "paused",
                                        "failed",  "blocked",  "deleting"};
    MR_ASSERT((size_t)health < MR_ARRAY_COUNT(names));
    return names[health];
}

const char *mr_view_worker_state(enum mr_worker_state state)
{
    static const char *const names[] = {"present", "restarting", "draining", "gone"};
    MR_ASSERT((size_t)state < MR_ARRAY_COUNT(names));
    return names[state];
}

static const char *topology_state(enum mr_topology_state state)
{
    static const char *const names[] = {"running", "paused", "deleting", "resetting"};
    MR_ASSERT((size_t)state < MR_ARRAY_COUNT(names));
    return names[state];
}

static json_t *texts(const char *const *items, uint32_t count)
{
    json_t *list = json_array();
    for (uint32_t index = 0; index < count; index++)
        (void)json_array_append_new(list, mr_view_text(items[index]));
    return list;
}

json_t *mr_view_topology(const struct mr_coordinator *coordinator,
                         const struct mr_core_topology *topology)
{
    const struct mr_topology_record *record = topology->record;
    uint32_t numbers[MR_CORE_VERSIONS_KEPT];
    uint64_t since_ms;
    json_t *value = json_object();
    json_t *versions = json_array();
    uint32_t count = mr_core_versions(coordinator->core, record->name, numbers);
    for (uint32_t index = 0; index < count; index++)
        (void)json_array_append_new(versions, json_integer(numbers[index]));
    put(value, "name", json_string(record->name));
    put(value, "generation", mr_view_id(record->generation));
    put(value, "version", json_integer(record->version));
    put(value, "versions", versions);
    put(value, "state", json_string(topology_state(record->state)));
    put(value, "health", json_string(mr_view_health(topology->health)));
    put(value, "reason", mr_view_text(topology->reason));
    put(value, "warning",
        mr_view_text(mr_shell_warning(coordinator, record->generation, &since_ms)));
    put(value, "paused_sources", texts(record->paused_sources, record->paused_sources_count));
    put(value, "tasks", json_integer(topology->tasks_count));
    put(value, "tasks_running", json_integer(topology->tasks_running));
    put(value, "tasks_restoring", json_integer(topology->tasks_restoring));
    put(value, "lag", known(topology->lag));
    put(value, "input_records", count_of(topology->input_records));
    put(value, "output_records", count_of(topology->output_records));
    put(value, "changed_ms", json_integer(record->changed_ms));
    put(value, "plan_hash", mr_view_id(record->plan_hash));
    return value;
}

json_t *mr_view_worker(const struct mr_core_worker *worker)
{
    json_t *value = json_object();
    put(value, "name", json_string(worker->name));
    put(value, "zone", mr_view_text(worker->zone));
    put(value, "http", mr_view_text(worker->http));
    put(value, "build", mr_view_text(worker->build));
    put(value, "instance", mr_view_id(worker->instance));
    put(value, "state", json_string(mr_view_worker_state(worker->state)));
    put(value, "silent_ms", count_of(worker->silent_ms));
    put(value, "threads", json_integer(worker->threads_count));
    put(value, "memory_bytes",
        worker->memory_bytes > 0 ? count_of(worker->memory_bytes) : json_null());
    put(value, "memory_planned_bytes", count_of(worker->memory_planned_bytes));
    put(value, "active_tasks", json_integer(worker->active_count));
    put(value, "standby_tasks", json_integer(worker->standby_count));
    put(value, "load_us", count_of(worker->load_us));
    return value;
}

static void put_report(json_t *value, const struct mr_task_report *report)
{
    put(value, "restored_records", count_of(report->restored_records));
    put(value, "restored_bytes", count_of(report->restored_bytes));
    put(value, "changelog_remaining", known(report->changelog_remaining));
    put(value, "lag", known(report->lag));
    put(value, "load_us", count_of(report->load_us));
    put(value, "input_records", count_of(report->input_records));
    put(value, "output_records", count_of(report->output_records));
    put(value, "idle_ms", known(report->idle_ms));
    put(value, "watermark_ms",
        report->watermark_ms == INT64_MIN ? json_null() : json_integer(report->watermark_ms));
    put(value, "watermark_held_ms",
        report->held_by == MR_HOLDER_NONE ? json_null() : json_integer(report->held_ms));
    put(value, "error", mr_view_text(report->error));
}

json_t *mr_view_task(const struct mr_core_task *task)
{
    static const struct mr_task_report silence = {.changelog_remaining = -1,
                                                  .lag = -1,
                                                  .idle_ms = -1,
                                                  .watermark_ms = INT64_MIN,
                                                  .error = ""};
    json_t *value = json_object();
    put(value, "topology", mr_view_text(task->topology));
    put(value, "generation", mr_view_id(task->name.generation));
    put(value, "subtopology", json_string(task->name.subtopology));
    put(value, "partition", json_integer(task->name.partition));
    put(value, "role", json_string(task->role == MR_TASK_ROLE_ACTIVE ? "active" : "standby"));
    put(value, "epoch", count_of(task->epoch));
    put(value, "worker", mr_view_text(task->worker));
    put(value, "moving_to", mr_view_text(task->moving_to));
    put(value, "blocked", mr_view_text(task->blocked));
    put(value, "state",
        task->reported ? json_string(mr_view_task_state(task->report.state)) : json_null());
    put(value, "version", task->reported ? json_integer(task->report.version) : json_null());
    put(value, "since_ms", count_of(task->since_ms));
    put_report(value, task->reported ? &task->report : &silence);
    return value;
}

static json_t *view_binding(const struct mr_binding *binding)
{
    json_t *sources = json_array();
    json_t *parts = json_array();
    for (uint32_t index = 0; index < binding->nodes_count; index++) {
        const struct mr_bound_node *node = &binding->nodes[index];
        json_t *topics = json_array();
        for (uint32_t at = 0; at < node->topics_count; at++)
            (void)json_array_append_new(topics,
                                        json_pack("{s:s, s:s, s:i}", "name", node->topics[at].name,
                                                  "id", node->topics[at].topic_id, "partitions",
                                                  (int)node->topics[at].partitions_count));
        (void)json_array_append_new(sources,
                                    json_pack("{s:s, s:i, s:o}", "name", node->name, "partitions",
                                              (int)node->partitions_count, "topics", topics));
    }
    for (uint32_t index = 0; index < binding->subtopologies_count; index++) {
        const struct mr_bound_subtopology *part = &binding->subtopologies[index];
        (void)json_array_append_new(parts,
                                    json_pack("{s:s, s:i, s:b, s:s}", "name", part->name, "tasks",
                                              (int)part->tasks_count, "stateful", part->stateful,
                                              "topic", part->log_topic.name));
    }
    return json_pack("{s:o, s:o}", "nodes", sources, "subtopologies", parts);
}

json_t *mr_view_version(const struct mr_version_record *record, bool whole)
{
    json_t *value = json_object();
    put(value, "name", json_string(record->name));
    put(value, "generation", mr_view_id(record->generation));
    put(value, "version", json_integer(record->version));
    put(value, "submitted_ms", json_integer(record->submitted_ms));
    put(value, "plan_hash", mr_view_id(record->plan_hash));
    put(value, "memory_bytes", count_of(record->memory_bytes));
    put(value, "standbys", json_integer(record->standbys_count));
    put(value, "tasks", json_integer(mr_binding_tasks_count(&record->binding)));
    if (!whole)
        return value;
    json_t *definition =
        json_stringn((const char *)record->definition.data, record->definition.size);
    put(value, "definition", definition != NULL ? definition : json_null());
    put(value, "binding", view_binding(&record->binding));
    return value;
}

/* ---- Differences ---- */

static json_t *tasks_of(const struct mr_binding *binding, const char *name)
{
    const struct mr_bound_subtopology *part =
        binding == NULL ? NULL : mr_binding_subtopology(binding, name);
    return part == NULL ? json_null() : json_integer(part->tasks_count);
}

static json_t *view_parts(const struct mr_difference *difference, const struct mr_binding *before,
                          const struct mr_binding *after)
{
    json_t *list = json_array();
    for (uint32_t index = 0; index < difference->parts_count; index++) {
        const struct mr_difference_part *part = &difference->parts[index];
        (void)json_array_append_new(list, json_pack("{s:s, s:s, s:b, s:o, s:o}", "name", part->name,
                                                    "change", mr_change_name(part->change),
                                                    "stateful", part->stateful, "tasks_before",
                                                    tasks_of(before, part->name), "tasks_after",
                                                    tasks_of(after, part->name)));
    }
    return list;
}

static json_t *view_states(const struct mr_difference *difference)
{
    json_t *list = json_array();
    for (uint32_t index = 0; index < difference->states_count; index++) {
        const struct mr_difference_state *state = &difference->states[index];
        json_t *view =
            json_pack("{s:s, s:s, s:s, s:s, s:o, s:b}", "operator", state->name, "type",
                      state->type, "change", mr_change_name(state->change), "subtopology",
                      state->part, "subtopology_before", mr_view_text(state->part_before),
                      "starts_over", mr_difference_starts_over(state));
        put(view, "type_before", mr_view_text(state->type_before));
        put(view, "changed_option", mr_view_text(state->option));
        put(view, "changed_field", mr_view_text(state->field));
        put(view, "changed_harmlessly", mr_view_text(state->tuned));
        (void)json_array_append_new(list, view);
    }
    return list;
}

static json_t *view_sources(const struct mr_difference *difference)
{
    json_t *list = json_array();
    for (uint32_t index = 0; index < difference->sources_count; index++) {
        const struct mr_difference_source *source = &difference->sources[index];
        bool starts = source->change == MR_CHANGE_ADDED || source->change == MR_CHANGE_MOVED;
        json_t *view = json_pack("{s:s, s:s, s:o}", "name", source->name, "change",
                                 mr_change_name(source->change), "starts",
                                 mr_view_text(starts ? source->start : NULL));
        put(view, "type_before", mr_view_text(source->type_before));
        put(view, "changed_option", mr_view_text(source->option));
        put(view, "changed_for_new_records", mr_view_text(source->tuned));
        (void)json_array_append_new(list, view);
    }
    return list;
}

static json_t *view_topics(const struct mr_difference *difference)
{
    json_t *list = json_array();
    for (uint32_t index = 0; index < difference->topics_count; index++)
        (void)json_array_append_new(
            list, json_pack("{s:s, s:s}", "suffix", difference->topics[index].suffix, "change",
                            mr_change_name(difference->topics[index].change)));
    return list;
}

json_t *mr_view_difference(const struct mr_difference *difference, const struct mr_binding *before,
                           const struct mr_binding *after)
{
    return json_pack("{s:b, s:b, s:o, s:o, s:o, s:o}", "new", difference->first, "same",
                     difference->same, "subtopologies", view_parts(difference, before, after),
                     "state", view_states(difference), "sources", view_sources(difference),
                     "topics", view_topics(difference));
}

json_t *mr_view_findings(const struct mr_report *report)
{
    json_t *list = json_array();
    for (uint32_t index = 0; index < report->findings_count; index++) {
        const struct mr_finding *finding = &report->findings[index];
        (void)json_array_append_new(
            list, json_pack("{s:i, s:i, s:s, s:o}", "line", (int)finding->location.line, "column",
                            (int)finding->location.column, "severity",
                            finding->severity == MR_SEVERITY_ERROR ? "error" : "warning", "message",
                            mr_view_text(finding->message)));
    }
    return list;
}
