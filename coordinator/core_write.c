/* coordinator/core_write.c — decisions on their way to the control topic.
 * Design: one WRITE is under way at a time; what is decided meanwhile waits and goes with the next
 * one, so no key is ever written twice at once, and what one step decides is one transaction. A
 * decision takes effect (an assignment appears in answers, a version becomes active) when its WRITE
 * is committed. */
#include "coordinator/core_internal.h"

#include "base/assert.h"
#include "base/memory.h"
#include "proto/codec.h"

#include <inttypes.h>

struct mr_core_change *mr_core_change_add(struct mr_core *core, enum mr_core_change_kind kind)
{
    struct mr_core_changes *pending = &core->pending;
    pending->items =
        mr_core_grow(pending->items, pending->count, &pending->capacity, sizeof *pending->items);
    struct mr_core_change *change = &pending->items[pending->count++];
    *change = (struct mr_core_change){.kind = kind};
    return change;
}

void mr_core_write_task(struct mr_core *core, struct mr_core_task_state *task)
{
    mr_core_change_add(core, MR_CHANGE_TASK)->task = task;
}

static struct mr_slice task_key(struct mr_core *core, const struct mr_core_task_state *task)
{
    return mr_slice_text(mr_arena_format(&core->arena, "task/%016" PRIx64 "/%s/%d",
                                         task->part->generation->id, task->part->name,
                                         task->partition));
}

static struct mr_slice task_value(struct mr_core *core, const struct mr_core_task_state *task)
{
    struct mr_task_record record = {.epoch = task->next_epoch, .worker = ""};
    if (!task->vacating) {
        record.worker = task->next->name;
        record.instance = task->next_instance;
    }
    return mr_task_record_encode(&record, &core->arena);
}

static struct mr_slice name_key(struct mr_core *core, const char *prefix, const char *name)
{
    return mr_slice_text(mr_arena_format(&core->arena, "%s%s", prefix, name));
}

static struct mr_slice version_key(struct mr_core *core, const char *name, uint32_t number)
{
    return mr_slice_text(mr_arena_format(&core->arena, "version/%s/%" PRIu32, name, number));
}

static struct mr_core_record encode(struct mr_core *core, const struct mr_core_change *change)
{
    struct mr_core_record record = {0};
    switch (change->kind) {
    case MR_CHANGE_TASK:
        record.key = task_key(core, change->task);
        record.value = task_value(core, change->task);
        break;
    case MR_CHANGE_TASK_GONE:
        record.key = task_key(core, change->task);
        break;
    case MR_CHANGE_TOPOLOGY:
        record.key = name_key(core, "topology/", change->topology->name);
        record.value = mr_topology_record_encode(&change->record->record, &core->arena);
        break;
    case MR_CHANGE_TOPOLOGY_GONE:
        record.key = name_key(core, "topology/", change->topology->name);
        break;
    case MR_CHANGE_VERSION:
        record.key = version_key(core, change->topology->name, change->version->record.version);
        record.value = mr_version_record_encode(&change->version->record, &core->arena);
        break;
    case MR_CHANGE_VERSION_GONE:
        record.key = version_key(core, change->topology->name, change->number);
        break;
    case MR_CHANGE_DRAIN: {
        struct mr_task_record drain = {.worker = change->worker->name};
        record.key = name_key(core, "drain/", change->worker->name);
        record.value = mr_task_record_encode(&drain, &core->arena);
        break;
    }
    case MR_CHANGE_DRAIN_GONE:
        record.key = name_key(core, "drain/", change->worker->name);
        break;
    case MR_CHANGE_RESTART: {
        struct mr_task_record restart = {.worker = change->worker->name,
                                         .instance = change->instance};
        record.key = name_key(core, "restart/", change->worker->name);
        record.value = mr_task_record_encode(&restart, &core->arena);
        break;
    }
    case MR_CHANGE_RESTART_GONE:
        record.key = name_key(core, "restart/", change->worker->name);
        break;
    }
    return record;
}

void mr_core_write_flush(struct mr_core *core)
{
    if (core->writing_id != 0 || core->pending.count == 0)
        return;
    struct mr_core_changes taken = core->pending;
    core->pending = core->writing;
    core->pending.count = 0;
    core->writing = taken;
    core->writing_id = ++core->next_id;
    struct mr_core_record *records =
        mr_arena_new(&core->arena, taken.count, sizeof(struct mr_core_record));
    for (uint32_t i = 0; i < taken.count; i++)
        records[i] = encode(core, &taken.items[i]);
    struct mr_core_command *command = mr_core_command_add(core, MR_COMMAND_WRITE);
    command->id = core->writing_id;
    command->records = records;
    command->records_count = taken.count;
}

static void drain_done(struct mr_core *core, const struct mr_core_change *change)
{
    struct mr_core_worker_state *worker = change->worker;
    worker->drain_writing = false;
    worker->drained = change->kind == MR_CHANGE_DRAIN;
    core->dirty = true;
    mr_core_set_changed(core);
    mr_core_worker_touch(core, worker);
    mr_core_answer(core, change->handle, worker->drained ? 202 : 200,
                   worker->drained ? "The tasks of worker %s move to other workers."
                                   : "Worker %s takes tasks again.",
                   worker->name);
    mr_core_news(core, worker->drained ? "worker-draining" : "worker-undrained", worker->name,
                 worker->drained ? "Worker %s is drained: its tasks move to other workers."
                                 : "Worker %s takes tasks again.",
                 worker->name);
}

/* Records of versions first: the topology's record makes one of them active. */
static void apply_version(const struct mr_core_change *change)
{
    if (change->kind == MR_CHANGE_VERSION)
        mr_core_version_put(change->topology, change->version);
    else if (change->kind == MR_CHANGE_VERSION_GONE)
        mr_core_version_drop(change->topology, change->number);
}

static void apply(struct mr_core *core, const struct mr_core_change *change)
{
    struct mr_core_topology_state *topology = change->topology;
    switch (change->kind) {
    case MR_CHANGE_TASK:
        mr_core_task_written(core, change->task);
        break;
    case MR_CHANGE_TASK_GONE:
        mr_core_task_forget(core, change->task);
        break;
    case MR_CHANGE_TOPOLOGY:
        mr_core_topology_put(core, topology, change->record);
        topology->writing = false;
        mr_core_operation_written(core, topology);
        break;
    case MR_CHANGE_TOPOLOGY_GONE:
        topology->writing = false;
        if (topology->operation.kind != MR_OPERATION_SUBMIT) /* under the name of remains */
            mr_core_topology_remove(core, topology);
        break;
    case MR_CHANGE_DRAIN:
    case MR_CHANGE_DRAIN_GONE:
        drain_done(core, change);
        break;
    case MR_CHANGE_RESTART:
    case MR_CHANGE_RESTART_GONE:
        change->worker->restart_writing = false;
        change->worker->restart_recorded = change->instance;
        mr_core_worker_touch(core, change->worker);
        break;
    case MR_CHANGE_VERSION:
    case MR_CHANGE_VERSION_GONE:
        break;
    }
}

/* What follows from one record may be decided upon while the others are applied: it is pending. */
void mr_core_write_done(struct mr_core *core, uint64_t id, bool failed)
{
    if (id == 0 || id != core->writing_id || failed)
        return; /* of an earlier lead, or FOLLOW comes */
    core->writing_id = 0;
    struct mr_core_changes done = core->writing;
    core->writing = (struct mr_core_changes){0};
    for (uint32_t i = 0; i < done.count; i++)
        apply_version(&done.items[i]);
    for (uint32_t i = 0; i < done.count; i++)
        apply(core, &done.items[i]);
    mr_memory_free(done.items);
}

static void forget(struct mr_core *core, struct mr_core_changes *changes)
{
    for (uint32_t i = 0; i < changes->count; i++) {
        struct mr_core_change *change = &changes->items[i];
        mr_core_topology_record_free(change->record);
        mr_core_version_free(change->version);
        if (change->worker != NULL) {
            change->worker->drain_writing = false;
            change->worker->restart_writing = false;
            mr_core_answer(core, change->handle, 503,
                           "The coordinator lost the lead before this was written: ask again.");
        }
    }
    mr_core_changes_free(changes);
}

void mr_core_write_forget(struct mr_core *core)
{
    forget(core, &core->pending);
    forget(core, &core->writing);
    core->writing_id = 0;
}

void mr_core_changes_free(struct mr_core_changes *changes)
{
    mr_memory_free(changes->items);
    *changes = (struct mr_core_changes){0};
}
