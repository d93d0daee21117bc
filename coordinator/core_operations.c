/* coordinator/core_operations.c — the steps of what changes a topology.
 * Design: an operation is a place in a short list of stages, looked at after every event:
 *   submit, rollback   release -> commit (a rollback over a reset binds first)
 *   pause, resume      commit
 *   seek               release -> vacate -> fence (the shell's SEEK)
 *   delete             intent -> release -> vacate -> fence -> drop -> commit
 *   reset              intent -> release -> vacate -> fence -> drop -> bind -> commit
 * A drop is of the present generation, then of the next one: an earlier attempt to bind that may
 * have made topics for sources that have grown since.
 * Delete and reset are in the topology's record from their first write on, so another leader goes
 * on with them; the others are answered when they are done, and a user whose leader dies asks
 * again. Vacated tasks have an epoch of their own before the shell claims them for nobody. */
#include "coordinator/core_internal.h"

#include "base/assert.h"
#include "base/memory.h"

#include <inttypes.h>

enum { RETRY_MS = 1000, RETRY_MS_MAX = 60000 };

const char *mr_core_operation_text(enum mr_core_operation_kind kind)
{
    static const char *const texts[] = {
        [MR_OPERATION_NONE] = "is left alone",
        [MR_OPERATION_SUBMIT] = "is being given a new version",
        [MR_OPERATION_ROLLBACK] = "is being rolled back",
        [MR_OPERATION_PAUSE] = "is being paused",
        [MR_OPERATION_RESUME] = "is being resumed",
        [MR_OPERATION_DELETE] = "is being deleted",
        [MR_OPERATION_RESET] = "is being reset",
        [MR_OPERATION_SEEK] = "is being moved to other offsets",
    };
    return texts[kind];
}

/* ---- Begin and end ---- */

static void operation_clear(struct mr_core_operation *operation)
{
    mr_core_version_free(operation->version);
    mr_memory_free(operation->reason);
    mr_memory_free(operation->argument);
    mr_memory_free(operation->cause);
    *operation = (struct mr_core_operation){.kind = MR_OPERATION_NONE};
}

static enum mr_core_stage first_stage(enum mr_core_operation_kind kind)
{
    switch (kind) {
    case MR_OPERATION_DELETE:
    case MR_OPERATION_RESET:
        return MR_STAGE_INTENT;
    case MR_OPERATION_PAUSE:
    case MR_OPERATION_RESUME:
        return MR_STAGE_COMMIT;
    case MR_OPERATION_ROLLBACK:
        return MR_STAGE_BIND; /* passed over when its topics are this generation's */
    case MR_OPERATION_NONE:
    case MR_OPERATION_SUBMIT:
    case MR_OPERATION_SEEK:
        break;
    }
    return MR_STAGE_RELEASE;
}

struct mr_core_operation *mr_core_operation_begin(struct mr_core *core,
                                                  struct mr_core_topology_state *topology,
                                                  enum mr_core_operation_kind kind,
                                                  const struct mr_core_event *event)
{
    struct mr_core_operation *operation = &topology->operation;
    operation_clear(operation); /* a reset that is stuck, when it is deleted instead */
    operation->kind = kind;
    operation->stage = first_stage(kind);
    operation->since_ms = core->now_ms;
    if (event != NULL) {
        operation->handle = event->handle;
        operation->wall_ms = event->wall_ms;
    }
    return operation;
}

static bool may_run(const struct mr_core_topology_state *topology)
{
    return topology->record != NULL && topology->active != NULL &&
           (topology->record->record.state == MR_TOPOLOGY_RUNNING ||
            topology->record->record.state == MR_TOPOLOGY_PAUSED);
}

void mr_core_topology_open(struct mr_core *core, struct mr_core_topology_state *topology)
{
    topology->open = may_run(topology);
    topology->since_ms = core->now_ms;
    mr_core_set_changed(core);
}

void mr_core_topology_close(struct mr_core *core, struct mr_core_topology_state *topology)
{
    topology->open = false;
    if (topology->generation == NULL)
        return;
    for (uint32_t i = 0; i < topology->generation->parts_count; i++) {
        struct mr_core_part *part = topology->generation->parts[i];
        for (uint32_t j = 0; j < part->tasks_count; j++) {
            struct mr_core_task_state *task = part->tasks[j];
            if (task == NULL)
                continue;
            mr_core_task_revoke(core, task);
            task->target = NULL;
            while (task->copies_count > 0)
                mr_core_copy_remove(core, task, task->copies_count - 1);
        }
    }
}

static void operation_end(struct mr_core *core, struct mr_core_topology_state *topology)
{
    operation_clear(&topology->operation);
    if (topology->record == NULL && topology->versions_count == 0)
        mr_core_topology_remove(core, topology);
    else if (!topology->open)
        mr_core_topology_open(core, topology);
}

static void answer(struct mr_core *core, struct mr_core_operation *operation, int code,
                   const char *text)
{
    mr_core_answer(core, operation->handle, code, "%s", text);
    operation->handle = 0;
}

static void operation_fail(struct mr_core *core, struct mr_core_topology_state *topology, int code,
                           const char *text)
{
    mr_core_news(core, "operation-failed", topology->name, "%s", text);
    answer(core, &topology->operation, code, text);
    operation_end(core, topology);
}

/* ---- Writes ---- */

static struct mr_topology_record record_now(const struct mr_core_topology_state *topology)
{
    struct mr_topology_record record = {.name = topology->name, .dropped_topics_prefix = ""};
    if (topology->record != NULL)
        record = topology->record->record;
    if (topology->operation.wall_ms != 0)
        record.changed_ms = topology->operation.wall_ms;
    return record;
}

static void queue_record(struct mr_core *core, struct mr_core_topology_state *topology,
                         const struct mr_topology_record *record)
{
    struct mr_core_change *change = mr_core_change_add(core, MR_CHANGE_TOPOLOGY);
    change->topology = topology;
    change->record = mr_core_topology_copy(record);
    MR_ASSERT(change->record != NULL);
    topology->writing = true;
    topology->operation.writing = true;
}

static void queue_version(struct mr_core *core, struct mr_core_topology_state *topology,
                          uint32_t number, uint64_t generation)
{
    struct mr_core_version_state *version = topology->operation.version;
    version->record.name = topology->name;
    version->record.version = number;
    version->record.generation = generation;
    struct mr_core_change *change = mr_core_change_add(core, MR_CHANGE_VERSION);
    change->topology = topology;
    change->version = version;
    topology->operation.version = NULL;
}

/* Names of subtopologies are never used again under a generation: those of the version join. */
static void join_names(struct mr_core *core, struct mr_topology_record *record,
                       const struct mr_binding *binding)
{
    const char **names =
        mr_arena_new(&core->arena, record->subtopologies_count + binding->subtopologies_count + 1,
                     sizeof(char *));
    uint32_t count = 0;
    for (uint32_t i = 0; i < record->subtopologies_count; i++)
        names[count++] = record->subtopologies[i];
    for (uint32_t i = 0; i < binding->subtopologies_count; i++) {
        bool known = false;
        for (uint32_t j = 0; j < count && !known; j++)
            known = strcmp(names[j], binding->subtopologies[i].name) == 0;
        if (!known)
            names[count++] = binding->subtopologies[i].name;
    }
    record->subtopologies = names;
    record->subtopologies_count = count;
}

/* The eleventh goes: the oldest that is neither active nor the one to go back to. */
static void drop_oldest(struct mr_core *core, struct mr_core_topology_state *topology,
                        uint32_t before)
{
    uint32_t excess = topology->versions_count + 1 > MR_CORE_VERSIONS_KEPT
                          ? topology->versions_count + 1 - MR_CORE_VERSIONS_KEPT
                          : 0;
    for (uint32_t i = 0; i < topology->versions_count && excess > 0; i++) {
        uint32_t number = topology->versions[i]->record.version;
        if (number == before)
            continue;
        struct mr_core_change *change = mr_core_change_add(core, MR_CHANGE_VERSION_GONE);
        change->topology = topology;
        change->number = number;
        excess--;
    }
}

static void commit_submit(struct mr_core *core, struct mr_core_topology_state *topology)
{
    const struct mr_version_record *version = &topology->operation.version->record;
    struct mr_topology_record record = record_now(topology);
    record.version_before = topology->active == NULL ? 0 : record.version;
    record.version = record.version_last + 1;
    record.version_last = record.version;
    record.generation = version->generation;
    record.plan_hash = version->plan_hash;
    record.definition = (struct mr_slice){0}; /* from now on versions have theirs */
    if (topology->operation.wall_ms == 0)
        record.changed_ms = version->submitted_ms;
    join_names(core, &record, &version->binding);
    drop_oldest(core, topology, record.version_before);
    queue_record(core, topology, &record);
    queue_version(core, topology, record.version, record.generation);
}

static void commit_rollback(struct mr_core *core, struct mr_core_topology_state *topology)
{
    struct mr_core_operation *operation = &topology->operation;
    const struct mr_core_version_state *version =
        operation->version != NULL ? operation->version
                                   : mr_core_version_find(topology, operation->number);
    MR_ASSERT(version != NULL);
    struct mr_topology_record record = record_now(topology);
    record.version = operation->number;
    record.version_before = 0;
    record.plan_hash = version->record.plan_hash;
    join_names(core, &record, &version->record.binding);
    queue_record(core, topology, &record);
    if (operation->version != NULL)
        queue_version(core, topology, operation->number, record.generation);
}

static void commit_pause(struct mr_core *core, struct mr_core_topology_state *topology)
{
    const struct mr_core_operation *operation = &topology->operation;
    bool pauses = operation->kind == MR_OPERATION_PAUSE;
    struct mr_topology_record record = record_now(topology);
    if (operation->argument == NULL) {
        record.state = pauses ? MR_TOPOLOGY_PAUSED : MR_TOPOLOGY_RUNNING;
        queue_record(core, topology, &record);
        return;
    }
    const char **names =
        mr_arena_new(&core->arena, record.paused_sources_count + 1, sizeof(char *));
    uint32_t count = 0;
    for (uint32_t i = 0; i < record.paused_sources_count; i++)
        if (strcmp(record.paused_sources[i], operation->argument) != 0)
            names[count++] = record.paused_sources[i];
    if (pauses)
        names[count++] = operation->argument;
    record.paused_sources = names;
    record.paused_sources_count = count;
    queue_record(core, topology, &record);
}

static void queue_tasks_gone(struct mr_core *core, const struct mr_core_generation *generation)
{
    for (uint32_t i = 0; i < generation->parts_count; i++)
        for (uint32_t j = 0; j < generation->parts[i]->tasks_count; j++)
            if (generation->parts[i]->tasks[j] != NULL)
                mr_core_change_add(core, MR_CHANGE_TASK_GONE)->task =
                    generation->parts[i]->tasks[j];
}

static void commit_delete(struct mr_core *core, struct mr_core_topology_state *topology)
{
    queue_tasks_gone(core, topology->generation);
    for (uint32_t i = 0; i < topology->versions_count; i++) {
        struct mr_core_change *change = mr_core_change_add(core, MR_CHANGE_VERSION_GONE);
        change->topology = topology;
        change->number = topology->versions[i]->record.version;
    }
    mr_core_change_add(core, MR_CHANGE_TOPOLOGY_GONE)->topology = topology;
    topology->writing = true;
    topology->operation.writing = true;
    mr_core_news(core, "topology-deleted", topology->name, "Topology %s is deleted.",
                 topology->name);
}

static void commit_reset(struct mr_core *core, struct mr_core_topology_state *topology)
{
    struct mr_topology_record record = record_now(topology);
    record.generation = record.next_generation;
    record.next_generation = 0;
    record.state = MR_TOPOLOGY_RUNNING;
    record.version_before = 0;
    record.dropped_topics_prefix = "";
    record.subtopologies_count = 0;
    record.plan_hash = topology->operation.version->record.plan_hash;
    join_names(core, &record, &topology->operation.version->record.binding);
    queue_record(core, topology, &record);
    queue_version(core, topology, record.version, record.generation);
    queue_tasks_gone(core, topology->generation);
}

static void write_intent(struct mr_core *core, struct mr_core_topology_state *topology)
{
    struct mr_topology_record record = record_now(topology);
    record.version_before = 0;
    if (topology->operation.kind == MR_OPERATION_DELETE) {
        record.state = MR_TOPOLOGY_DELETING;
        record.dropped_topics_prefix = mr_arena_format(
            &core->arena, "%s.%s.%016" PRIx64, core->cluster, topology->name, record.generation);
    } else {
        record.state = MR_TOPOLOGY_RESETTING;
        while (record.next_generation == 0)
            record.next_generation = mr_random_u64(&core->random);
    }
    queue_record(core, topology, &record);
}

static void write_last(struct mr_core *core, struct mr_core_topology_state *topology)
{
    switch (topology->operation.kind) {
    case MR_OPERATION_SUBMIT:
        commit_submit(core, topology);
        break;
    case MR_OPERATION_ROLLBACK:
        commit_rollback(core, topology);
        break;
    case MR_OPERATION_PAUSE:
    case MR_OPERATION_RESUME:
        commit_pause(core, topology);
        break;
    case MR_OPERATION_DELETE:
        commit_delete(core, topology);
        break;
    case MR_OPERATION_RESET:
        commit_reset(core, topology);
        break;
    case MR_OPERATION_NONE:
    case MR_OPERATION_SEEK:
        break;
    }
}

/* ---- Stages ---- */

static struct mr_core_task_state *busy_task(const struct mr_core_topology_state *topology)
{
    for (uint32_t i = 0; i < topology->generation->parts_count; i++) {
        const struct mr_core_part *part = topology->generation->parts[i];
        for (uint32_t j = 0; j < part->tasks_count; j++)
            if (part->tasks[j] != NULL && part->tasks[j]->phase == MR_PHASE_REVOKED)
                return part->tasks[j];
    }
    return NULL;
}

/* Delete and reset fence all tasks next: a worker that does not let go cannot hold them up. */
static void release_late(struct mr_core *core, struct mr_core_topology_state *topology)
{
    struct mr_core_operation *operation = &topology->operation;
    struct mr_core_task_state *task = busy_task(topology);
    if (task == NULL)
        return; /* a write is under way */
    if (operation->kind == MR_OPERATION_DELETE || operation->kind == MR_OPERATION_RESET) {
        for (; task != NULL; task = busy_task(topology))
            mr_core_task_free(core, task);
        return;
    }
    operation_fail(core, topology, 409,
                   mr_arena_format(&core->arena,
                                   "Topology %s goes on as before: worker %s has not released "
                                   "task %s within %d s.",
                                   topology->name, task->holder->name,
                                   mr_core_task_text(core, task), MR_CORE_RELEASE_MS / 1000));
}

static void run_release(struct mr_core *core, struct mr_core_topology_state *topology)
{
    struct mr_core_operation *operation = &topology->operation;
    if (operation->release_ms == 0) {
        operation->release_ms = core->now_ms + 1;
        mr_core_topology_close(core, topology);
    }
    if (topology->busy_count > 0) {
        if (core->now_ms >= operation->release_ms + MR_CORE_RELEASE_MS)
            release_late(core, topology);
        return;
    }
    bool commits =
        operation->kind == MR_OPERATION_SUBMIT || operation->kind == MR_OPERATION_ROLLBACK;
    operation->stage = commits ? MR_STAGE_COMMIT : MR_STAGE_VACATE;
}

static void run_vacate(struct mr_core *core, struct mr_core_topology_state *topology)
{
    for (uint32_t i = 0; i < topology->generation->parts_count; i++) {
        struct mr_core_part *part = topology->generation->parts[i];
        for (uint32_t j = 0; j < part->tasks_count; j++)
            if (part->tasks[j] != NULL && part->tasks[j]->phase == MR_PHASE_FREE)
                mr_core_task_vacate(core, part->tasks[j]);
    }
    topology->operation.stage = MR_STAGE_VACATING;
}

static enum mr_core_job_kind job_of(const struct mr_core_operation *operation)
{
    if (operation->stage == MR_STAGE_DROP)
        return MR_JOB_DELETE;
    if (operation->stage == MR_STAGE_BIND)
        return MR_JOB_BIND;
    return operation->kind == MR_OPERATION_SEEK ? MR_JOB_SEEK : MR_JOB_FENCE;
}

static void run_job(struct mr_core *core, struct mr_core_topology_state *topology)
{
    struct mr_core_operation *operation = &topology->operation;
    if (operation->job_id != 0 || core->now_ms < operation->retry_ms)
        return;
    const struct mr_core_version_state *version = topology->active;
    if (operation->kind == MR_OPERATION_ROLLBACK) {
        version = mr_core_version_find(topology, operation->number);
        if (version->record.generation == topology->generation->id) {
            operation->stage = MR_STAGE_RELEASE;
            return;
        }
    }
    operation->job_id = ++core->next_id;
    struct mr_core_command *command = mr_core_command_add(core, MR_COMMAND_JOB);
    command->id = operation->job_id;
    command->job = job_of(operation);
    command->generation = operation->next_drops ? topology->record->record.next_generation
                                                : topology->record->record.generation;
    command->next_generation = topology->record->record.next_generation;
    command->version_record = version == NULL ? NULL : &version->record;
    command->topology_record = &topology->record->record;
    command->name = topology->name;
    command->argument = operation->argument == NULL ? "" : operation->argument;
}

static void run_stage(struct mr_core *core, struct mr_core_topology_state *topology)
{
    switch (topology->operation.stage) {
    case MR_STAGE_INTENT:
        write_intent(core, topology);
        break;
    case MR_STAGE_RELEASE:
        run_release(core, topology);
        break;
    case MR_STAGE_VACATE:
        run_vacate(core, topology);
        break;
    case MR_STAGE_VACATING:
        if (topology->busy_count == 0)
            topology->operation.stage = MR_STAGE_FENCE;
        break;
    case MR_STAGE_FENCE:
    case MR_STAGE_DROP:
    case MR_STAGE_BIND:
        run_job(core, topology);
        break;
    case MR_STAGE_COMMIT:
        write_last(core, topology);
        break;
    }
}

void mr_core_operations_run(struct mr_core *core)
{
    for (uint32_t i = core->topologies_count; i-- > 0;) {
        struct mr_core_topology_state *topology = core->topologies[i];
        uint32_t count = core->topologies_count;
        enum mr_core_stage stage = MR_STAGE_INTENT;
        do {
            if (topology->operation.kind == MR_OPERATION_NONE || topology->writing)
                break;
            stage = topology->operation.stage;
            run_stage(core, topology);
        } while (core->topologies_count == count && topology->operation.stage != stage);
    }
}

/* ---- What was waited for ---- */

static void activated(struct mr_core *core, struct mr_core_topology_state *topology)
{
    struct mr_core_operation *operation = &topology->operation;
    uint32_t number = topology->record->record.version;
    const char *text = mr_arena_format(
        &core->arena, "Version %" PRIu32 " of topology %s is active.", number, topology->name);
    if (operation->cause != NULL)
        text = mr_arena_format(&core->arena,
                               "Topology %s is back at version %" PRIu32
                               ", since the next one did not start: %s",
                               topology->name, number, operation->cause);
    mr_core_replace_text(&topology->failure, operation->cause == NULL ? NULL : text);
    topology->started = false;
    mr_core_topology_shape(core, topology);
    mr_core_news(core,
                 operation->kind == MR_OPERATION_ROLLBACK ? "topology-rolled-back"
                                                          : "topology-activated",
                 topology->name, "%s", text);
    answer(core, operation, 200, text);
    operation_end(core, topology);
}

static void paused(struct mr_core *core, struct mr_core_topology_state *topology)
{
    struct mr_core_operation *operation = &topology->operation;
    const char *what = operation->kind == MR_OPERATION_PAUSE ? "is paused" : "goes on";
    const char *text = operation->argument == NULL
                           ? mr_arena_format(&core->arena, "Topology %s %s.", topology->name, what)
                           : mr_arena_format(&core->arena, "Source %s of topology %s %s.",
                                             operation->argument, topology->name, what);
    for (uint32_t i = 0; i < core->workers_count; i++)
        mr_core_worker_touch(core, core->workers[i]);
    mr_core_news(core,
                 operation->kind == MR_OPERATION_PAUSE ? "topology-paused" : "topology-resumed",
                 topology->name, "%s", text);
    answer(core, operation, 200, text);
    operation_end(core, topology);
}

static void intended(struct mr_core *core, struct mr_core_topology_state *topology)
{
    struct mr_core_operation *operation = &topology->operation;
    const char *text = mr_arena_format(&core->arena, "Topology %s %s.", topology->name,
                                       mr_core_operation_text(operation->kind));
    mr_core_news(
        core, operation->kind == MR_OPERATION_DELETE ? "topology-deleting" : "topology-resetting",
        topology->name, "%s", text);
    answer(core, operation, 202, text);
    operation->stage = MR_STAGE_RELEASE;
}

void mr_core_operation_written(struct mr_core *core, struct mr_core_topology_state *topology)
{
    struct mr_core_operation *operation = &topology->operation;
    if (!operation->writing)
        return; /* the record was not the operation's */
    operation->writing = false;
    if (operation->stage == MR_STAGE_INTENT)
        intended(core, topology);
    else if (operation->kind == MR_OPERATION_PAUSE || operation->kind == MR_OPERATION_RESUME)
        paused(core, topology);
    else
        activated(core, topology);
}

static void job_failed(struct mr_core *core, struct mr_core_topology_state *topology,
                       const char *text, bool transient)
{
    struct mr_core_operation *operation = &topology->operation;
    if (operation->kind == MR_OPERATION_SEEK || operation->kind == MR_OPERATION_ROLLBACK) {
        operation_fail(core, topology, transient ? 503 : 422, text);
        return;
    }
    uint64_t wait = (uint64_t)RETRY_MS << (operation->tries < 6 ? operation->tries : 6);
    operation->tries++;
    operation->retry_ms = core->now_ms + (wait < RETRY_MS_MAX ? wait : RETRY_MS_MAX);
    mr_core_replace_text(&operation->reason, text);
    if (operation->stage == MR_STAGE_FENCE)
        operation->stage = MR_STAGE_VACATE; /* above what it may have claimed */
    if (operation->stage == MR_STAGE_BIND)
        operation->stage = MR_STAGE_DROP; /* of what it may have made */
    mr_core_news(core, "job-failed", topology->name,
                 "Topology %s %s; an attempt failed and is made again: %s", topology->name,
                 mr_core_operation_text(operation->kind), text);
}

static void job_succeeded(struct mr_core *core, struct mr_core_topology_state *topology,
                          const struct mr_core_event *event)
{
    struct mr_core_operation *operation = &topology->operation;
    operation->tries = 0;
    operation->retry_ms = 0;
    mr_core_replace_text(&operation->reason, NULL);
    if (operation->stage == MR_STAGE_FENCE && operation->kind == MR_OPERATION_SEEK) {
        const char *text = event->text != NULL && event->text[0] != '\0'
                               ? event->text
                               : "The topology goes on from the new offsets.";
        mr_core_news(core, "topology-moved", topology->name, "%s", text);
        answer(core, operation, 200, text);
        operation_end(core, topology);
    } else if (operation->stage == MR_STAGE_FENCE) {
        operation->stage = MR_STAGE_DROP;
    } else if (operation->stage == MR_STAGE_DROP && topology->record->record.next_generation != 0 &&
               !operation->next_drops) {
        operation->next_drops = true;
    } else if (operation->stage == MR_STAGE_DROP) {
        operation->stage = operation->kind == MR_OPERATION_DELETE ? MR_STAGE_COMMIT : MR_STAGE_BIND;
    } else {
        operation->version =
            event->version_record == NULL ? NULL : mr_core_version_copy(event->version_record);
        if (operation->version == NULL)
            job_failed(core, topology, "The binding was not made.", false);
        else
            operation->stage =
                operation->kind == MR_OPERATION_ROLLBACK ? MR_STAGE_RELEASE : MR_STAGE_COMMIT;
    }
}

void mr_core_job_done(struct mr_core *core, const struct mr_core_event *event)
{
    for (uint32_t i = 0; i < core->topologies_count; i++) {
        struct mr_core_topology_state *topology = core->topologies[i];
        if (event->id == 0 || topology->operation.job_id != event->id)
            continue;
        topology->operation.job_id = 0;
        if (event->failed)
            job_failed(core, topology, event->text == NULL ? "No reason was given." : event->text,
                       event->transient);
        else
            job_succeeded(core, topology, event);
        return;
    }
}

/* ---- The lead comes and goes ---- */

static void resume(struct mr_core *core, struct mr_core_topology_state *topology)
{
    topology->busy_count = 0;
    topology->started = false;
    topology->open = false;
    topology->since_ms = core->now_ms;
    mr_core_replace_text(&topology->failure, NULL);
    if (topology->record == NULL) { /* versions that a delete has left */
        for (uint32_t i = 0; i < topology->versions_count; i++) {
            struct mr_core_change *change = mr_core_change_add(core, MR_CHANGE_VERSION_GONE);
            change->topology = topology;
            change->number = topology->versions[i]->record.version;
        }
        mr_core_change_add(core, MR_CHANGE_TOPOLOGY_GONE)->topology = topology;
        topology->writing = true;
        return;
    }
    mr_core_topology_shape(core, topology);
    enum mr_topology_state state = topology->record->record.state;
    if (state == MR_TOPOLOGY_DELETING || state == MR_TOPOLOGY_RESETTING) {
        mr_core_operation_begin(
            core, topology,
            state == MR_TOPOLOGY_DELETING ? MR_OPERATION_DELETE : MR_OPERATION_RESET, NULL)
            ->stage = MR_STAGE_RELEASE;
    } else {
        topology->open = may_run(topology);
    }
}

void mr_core_operations_resume(struct mr_core *core)
{
    for (uint32_t i = 0; i < core->topologies_count; i++)
        resume(core, core->topologies[i]);
}

void mr_core_operations_follow(struct mr_core *core)
{
    for (uint32_t i = core->topologies_count; i-- > 0;) {
        struct mr_core_topology_state *topology = core->topologies[i];
        mr_core_answer(core, topology->operation.handle, 503,
                       "The coordinator lost the lead before this was done: look at topology %s "
                       "and ask again.",
                       topology->name);
        operation_clear(&topology->operation);
        topology->writing = false;
        topology->busy_count = 0;
        if (topology->record == NULL && topology->versions_count == 0)
            mr_core_topology_remove(core, topology);
    }
}
