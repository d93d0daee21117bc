/* coordinator/core_topologies.c — what users and workers want of a topology.
 * Design: a command is checked against what is known, then becomes an operation
 * (core_operations.c); one at a time per topology. Every command is answered once, in a sentence
 * that says what happens or why it does not. */
#include "coordinator/core_internal.h"

#include "base/memory.h"
#include "base/options.h"

#include <inttypes.h>

/* ---- Workers ask for definitions ---- */

void mr_core_topology_request(struct mr_core *core, const struct mr_core_event *event)
{
    const struct mr_topology_request *request = event->topology;
    if (!core->leads) {
        mr_core_refuse(core, event->handle, MR_REFUSAL_NOT_LEADER,
                       "This coordinator does not lead.");
        return;
    }
    if (strcmp(request->cluster, core->cluster) != 0) {
        mr_core_refuse(core, event->handle, MR_REFUSAL_WRONG_CLUSTER,
                       "This is the coordinator of another cluster.");
        return;
    }
    const struct mr_core_generation *generation =
        mr_core_generation_find(core, request->generation);
    const struct mr_core_version_state *version = NULL;
    if (generation != NULL && generation->topology != NULL)
        version = mr_core_version_find(generation->topology, request->version);
    if (version != NULL && version->record.generation != request->generation)
        version = NULL; /* bound to the topics of a generation before a reset */
    struct mr_core_command *command = mr_core_command_add(core, MR_COMMAND_REPLY);
    command->handle = event->handle;
    command->reply.protocol_version = MR_PROTOCOL_VERSION;
    command->reply.kind = MR_REPLY_TOPOLOGY;
    struct mr_topology_reply *reply = &command->reply.topology;
    *reply = (struct mr_topology_reply){.term = core->term,
                                        .name = "",
                                        .generation = request->generation,
                                        .version = request->version,
                                        .binding = {.cluster_id = ""}};
    if (version == NULL)
        return;
    reply->found = true;
    reply->name = version->record.name;
    reply->definition = version->record.definition;
    reply->plan_hash = version->record.plan_hash;
    reply->binding = version->record.binding;
}

/* ---- A version runs, or cannot ---- */

static void queue_settled(struct mr_core *core, struct mr_core_topology_state *topology)
{
    struct mr_topology_record record = topology->record->record;
    record.version_before = 0;
    struct mr_core_change *change = mr_core_change_add(core, MR_CHANGE_TOPOLOGY);
    change->topology = topology;
    change->record = mr_core_topology_copy(&record);
    topology->writing = true;
}

void mr_core_topology_ran(struct mr_core *core, struct mr_core_topology_state *topology)
{
    topology->started = true;
    if (topology->record->record.version_before != 0 && !topology->writing &&
        topology->operation.kind == MR_OPERATION_NONE)
        queue_settled(core, topology);
}

void mr_core_topology_failed(struct mr_core *core, struct mr_core_topology_state *topology,
                             const char *reason)
{
    uint32_t before = topology->record->record.version_before;
    if (topology->failure == NULL || strcmp(topology->failure, reason) != 0) {
        mr_core_replace_text(&topology->failure, reason);
        mr_core_news(core, "topology-failed", topology->name, "%s", reason);
    }
    if (topology->started || before == 0 || topology->operation.kind != MR_OPERATION_NONE ||
        topology->writing || mr_core_version_find(topology, before) == NULL)
        return;
    struct mr_core_operation *operation =
        mr_core_operation_begin(core, topology, MR_OPERATION_ROLLBACK, NULL);
    operation->number = before;
    operation->cause = mr_memory_copy_text(reason);
}

/* ---- Commands ---- */

static struct mr_core_topology_state *find_named(struct mr_core *core,
                                                 const struct mr_core_event *event)
{
    struct mr_core_topology_state *topology = mr_core_topology_find(core, event->name);
    if (topology != NULL && topology->record != NULL)
        return topology;
    const char **names = mr_arena_new(&core->arena, core->topologies_count + 1, sizeof(char *));
    uint32_t count = 0;
    for (uint32_t i = 0; i < core->topologies_count; i++)
        if (core->topologies[i]->record != NULL)
            names[count++] = core->topologies[i]->name;
    const char *near = mr_options_nearest(event->name, names, count);
    mr_core_answer(core, event->handle, 404, "There is no topology %s.%s%s%s", event->name,
                   near == NULL ? "" : " Did you mean ", near == NULL ? "" : near,
                   near == NULL ? "" : "?");
    return NULL;
}

static bool conflicts(struct mr_core *core, const struct mr_core_event *event,
                      const struct mr_core_topology_state *topology)
{
    const struct mr_core_operation *operation = &topology->operation;
    bool stuck_reset =
        operation->kind == MR_OPERATION_RESET && operation->job_id == 0 && operation->retry_ms != 0;
    if (operation->kind == MR_OPERATION_NONE || (event->action == MR_ACTION_DELETE && stuck_reset))
        return false;
    mr_core_answer(core, event->handle, 409,
                   "Topology %s %s, since %" PRIu64 " ms%s%s: ask again when that is done.",
                   topology->name, mr_core_operation_text(operation->kind),
                   core->now_ms - operation->since_ms,
                   operation->reason == NULL ? "" : "; the last attempt failed: ",
                   operation->reason == NULL ? "" : operation->reason);
    return true;
}

static uint64_t tasks_of(const struct mr_binding *binding)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < binding->subtopologies_count; i++)
        count += (uint64_t)(binding->subtopologies[i].tasks_count > 0
                                ? binding->subtopologies[i].tasks_count
                                : 0);
    return count;
}

static bool submit_fits(struct mr_core *core, const struct mr_core_event *event,
                        const struct mr_core_topology_state *topology)
{
    uint64_t tasks = tasks_of(&event->version_record->binding);
    for (uint32_t i = 0; i < core->topologies_count; i++)
        if (core->topologies[i] != topology && core->topologies[i]->active != NULL)
            tasks += tasks_of(&core->topologies[i]->active->record.binding);
    if (tasks > MR_CORE_TASKS_MAX) {
        mr_core_answer(core, event->handle, 422,
                       "With %s the cluster would have %" PRIu64 " tasks; it can have %d.",
                       event->name, tasks, MR_CORE_TASKS_MAX);
        return false;
    }
    if (topology == NULL && core->topologies_count >= MR_CORE_TOPOLOGIES_MAX) {
        mr_core_answer(core, event->handle, 422, "The cluster has %d topologies, the most it can.",
                       MR_CORE_TOPOLOGIES_MAX);
        return false;
    }
    return true;
}

static void submit(struct mr_core *core, const struct mr_core_event *event)
{
    struct mr_core_topology_state *topology = mr_core_topology_find(core, event->name);
    if ((topology != NULL && conflicts(core, event, topology)) ||
        !submit_fits(core, event, topology))
        return;
    const struct mr_version_record *version = event->version_record;
    if (topology != NULL && topology->record != NULL &&
        topology->record->record.generation != version->generation) {
        mr_core_answer(core, event->handle, 409,
                       "Topology %s was deleted or reset since this version was planned: "
                       "submit it again.",
                       event->name);
        return;
    }
    /* What it keeps and drops was compared with the version before it. */
    uint32_t last =
        topology != NULL && topology->record != NULL ? topology->record->record.version_last : 0;
    if (event->handle != 0 && version->version != 0 && version->version != last + 1) {
        mr_core_answer(core, event->handle, 409,
                       "Topology %s got version %" PRIu32
                       " since this one was planned: submit it again.",
                       event->name, last);
        return;
    }
    struct mr_core_version_state *copy = mr_core_version_copy(version);
    if (copy == NULL) {
        mr_core_answer(core, event->handle, 422, "The version of %s exceeds a limit.", event->name);
        return;
    }
    topology = mr_core_topology_ensure(core, event->name);
    mr_core_operation_begin(core, topology, MR_OPERATION_SUBMIT, event)->version = copy;
}

static void rollback(struct mr_core *core, const struct mr_core_event *event,
                     struct mr_core_topology_state *topology)
{
    uint32_t active = topology->record->record.version;
    uint32_t number = event->version;
    for (uint32_t i = 0; number == 0 && i < topology->versions_count; i++)
        if (topology->versions[topology->versions_count - 1 - i]->record.version < active)
            number = topology->versions[topology->versions_count - 1 - i]->record.version;
    if (number == 0 || mr_core_version_find(topology, number) == NULL) {
        mr_core_answer(core, event->handle, 404,
                       number == 0 ? "Topology %s has no version before the active one."
                                   : "Topology %s has no version %" PRIu32
                                     "; the last ten are kept.",
                       topology->name, number);
        return;
    }
    if (number == active) {
        mr_core_answer(core, event->handle, 200, "Version %" PRIu32 " of %s is active already.",
                       number, topology->name);
        return;
    }
    mr_core_operation_begin(core, topology, MR_OPERATION_ROLLBACK, event)->number = number;
}

static bool knows_source(struct mr_core *core, const struct mr_core_event *event,
                         const struct mr_core_topology_state *topology)
{
    if (topology->active == NULL)
        return false;
    const struct mr_binding *binding = &topology->active->record.binding;
    const char **names = mr_arena_new(&core->arena, binding->nodes_count + 1, sizeof(char *));
    for (uint32_t i = 0; i < binding->nodes_count; i++) {
        names[i] = binding->nodes[i].name;
        if (strcmp(names[i], event->source) == 0)
            return true;
    }
    const char *near = mr_options_nearest(event->source, names, binding->nodes_count);
    mr_core_answer(core, event->handle, 404, "Topology %s has no source %s.%s%s%s", topology->name,
                   event->source, near == NULL ? "" : " Did you mean ", near == NULL ? "" : near,
                   near == NULL ? "" : "?");
    return false;
}

static bool source_paused(const struct mr_topology_record *record, const char *source)
{
    for (uint32_t i = 0; i < record->paused_sources_count; i++)
        if (strcmp(record->paused_sources[i], source) == 0)
            return true;
    return false;
}

/* What failed is tried again, at once, where it was. */
static uint32_t retry_failed(struct mr_core *core, struct mr_core_topology_state *topology)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < topology->generation->parts_count; i++) {
        struct mr_core_part *part = topology->generation->parts[i];
        for (uint32_t j = 0; j < part->tasks_count; j++) {
            struct mr_core_task_state *task = part->tasks[j];
            if (task == NULL || task->phase != MR_PHASE_ASSIGNED || !task->reported ||
                task->report.state != MR_TASK_STATE_FAILED)
                continue;
            mr_core_task_free(core, task);
            count++;
        }
    }
    if (count > 0)
        mr_core_replace_text(&topology->failure, NULL);
    return count;
}

static void pause(struct mr_core *core, const struct mr_core_event *event,
                  struct mr_core_topology_state *topology)
{
    const struct mr_topology_record *record = &topology->record->record;
    bool wants = event->action == MR_ACTION_PAUSE;
    if (event->source != NULL && !knows_source(core, event, topology))
        return;
    uint32_t retried = wants || event->source != NULL ? 0 : retry_failed(core, topology);
    bool paused = event->source != NULL ? source_paused(record, event->source)
                                        : record->state == MR_TOPOLOGY_PAUSED;
    if (paused == wants) {
        const char *what = wants ? "is paused already" : "is not paused";
        if (retried > 0)
            mr_core_answer(core, event->handle, 200, "%" PRIu32 " failed tasks of %s start again.",
                           retried, topology->name);
        else if (event->source != NULL)
            mr_core_answer(core, event->handle, 200, "Source %s of %s %s.", event->source,
                           topology->name, what);
        else if (!wants && record->paused_sources_count > 0)
            mr_core_answer(core, event->handle, 200,
                           "Topology %s is not paused, but its source %s is: resume that one.",
                           topology->name, record->paused_sources[0]);
        else
            mr_core_answer(core, event->handle, 200, "Topology %s %s.", topology->name, what);
        return;
    }
    struct mr_core_operation *operation = mr_core_operation_begin(
        core, topology, wants ? MR_OPERATION_PAUSE : MR_OPERATION_RESUME, event);
    if (event->source != NULL)
        operation->argument = mr_memory_copy_text(event->source);
}

static void seek(struct mr_core *core, const struct mr_core_event *event,
                 struct mr_core_topology_state *topology)
{
    if (topology->active == NULL) {
        mr_core_answer(core, event->handle, 409, "Topology %s has no active version.",
                       topology->name);
        return;
    }
    struct mr_core_operation *operation =
        mr_core_operation_begin(core, topology, MR_OPERATION_SEEK, event);
    operation->argument = mr_memory_copy_text(event->argument == NULL ? "" : event->argument);
}

static void reset(struct mr_core *core, const struct mr_core_event *event,
                  struct mr_core_topology_state *topology)
{
    if (topology->active == NULL)
        mr_core_answer(core, event->handle, 409, "Topology %s has no active version.",
                       topology->name);
    else
        mr_core_operation_begin(core, topology, MR_OPERATION_RESET, event);
}

static void topology_command(struct mr_core *core, const struct mr_core_event *event)
{
    struct mr_core_topology_state *topology = find_named(core, event);
    if (topology == NULL || conflicts(core, event, topology))
        return;
    switch (event->action) {
    case MR_ACTION_ROLLBACK:
        rollback(core, event, topology);
        break;
    case MR_ACTION_PAUSE:
    case MR_ACTION_RESUME:
        pause(core, event, topology);
        break;
    case MR_ACTION_DELETE:
        mr_core_operation_begin(core, topology, MR_OPERATION_DELETE, event);
        break;
    case MR_ACTION_RESET:
        reset(core, event, topology);
        break;
    case MR_ACTION_SEEK:
        seek(core, event, topology);
        break;
    case MR_ACTION_SUBMIT:
    case MR_ACTION_DRAIN:
    case MR_ACTION_UNDRAIN:
        break;
    }
}

void mr_core_user_event(struct mr_core *core, const struct mr_core_event *event)
{
    if (!core->leads)
        mr_core_answer(core, event->handle, 503, "This coordinator does not lead.");
    else if (event->action == MR_ACTION_DRAIN || event->action == MR_ACTION_UNDRAIN)
        mr_core_user_drain(core, event);
    else if (event->action == MR_ACTION_SUBMIT)
        submit(core, event);
    else
        topology_command(core, event);
}
