/* proto/sync_codec.c — the Sync: what a worker has, and what it should have.
 * Design: a Sync must never fail to be sent because of its errors' sentences: 16,384 tasks with
 * names of full length fit into a message, their sentences would not, so they share a budget. */
#include "proto/internal.h"

#include "base/assert.h"
#include "base/utf8.h"

/* Bytes that each sentence may have, so that all of them stay in their budget. */
static size_t text_share(const struct mr_sync_request *sync)
{
    size_t total = 0;
    size_t count = 0;
    for (uint32_t index = 0; index < sync->tasks_count; index++) {
        size_t size = strlen(sync->tasks[index].error);
        total += size;
        count += size != 0;
    }
    for (uint32_t index = 0; index < sync->topologies_count; index++) {
        size_t size = strlen(sync->topologies[index].error);
        total += size;
        count += size != 0;
    }
    return total <= MR_MESSAGE_TEXTS_BYTES_MAX ? MR_MESSAGE_TEXT_MAX
                                               : MR_MESSAGE_TEXTS_BYTES_MAX / count;
}

static ProtobufCBinaryData sentence_field(const char *text, size_t share)
{
    ProtobufCBinaryData field = mr_field_text(text, MR_MESSAGE_TEXT_MAX);
    if (field.len > share)
        field.len = mr_utf8_cut(mr_slice_from(field.data, field.len), share);
    return field;
}

static Millrace__TaskName *task_name_fields(const struct mr_task_name *name,
                                            Millrace__TaskName *fields)
{
    MR_ASSERT(name->partition >= 0);
    millrace__task_name__init(fields);
    fields->generation = name->generation;
    fields->subtopology = mr_field_text(name->subtopology, MR_MESSAGE_NAME_MAX);
    fields->partition = (uint32_t)name->partition;
    return fields;
}

static void task_report_fields(const struct mr_task_report *report, size_t share,
                               Millrace__TaskName *name, Millrace__TaskReport *fields)
{
    MR_ASSERT((uint32_t)report->role <= MR_TASK_ROLE_STANDBY);
    MR_ASSERT((uint32_t)report->state < MR_TASK_STATE_COUNT);
    millrace__task_report__init(fields);
    fields->name = task_name_fields(&report->name, name);
    fields->role = (Millrace__TaskRole)(report->role + 1);
    fields->state = (Millrace__TaskState)(report->state + 1);
    fields->version = report->version;
    fields->epoch = report->epoch;
    fields->seen_epoch = report->seen_epoch;
    fields->restored_records = report->restored_records;
    fields->restored_bytes = report->restored_bytes;
    fields->changelog_remaining = report->changelog_remaining;
    fields->lag = report->lag;
    fields->load_us = report->load_us;
    fields->input_records = report->input_records;
    fields->output_records = report->output_records;
    fields->idle_ms = report->idle_ms;
    fields->watermark_ms = report->watermark_ms;
    fields->held_by = report->held_by;
    fields->held_by_index = report->held_by_index;
    fields->held_by_partition = report->held_by_partition;
    fields->held_ms = report->held_ms;
    fields->error = sentence_field(report->error, share);
}

static void sync_request_lists(const struct mr_sync_request *sync, struct mr_arena *scratch,
                               Millrace__SyncRequest *fields)
{
    size_t share = text_share(sync);
    uint32_t count = sync->tasks_count;
    MR_ASSERT(count <= MR_MESSAGE_TASKS_MAX);
    fields->n_tasks = count;
    fields->tasks = mr_arena_take(scratch, count * sizeof(Millrace__TaskReport *));
    Millrace__TaskReport *tasks = mr_arena_take(scratch, count * sizeof(*tasks));
    Millrace__TaskName *names = mr_arena_take(scratch, count * sizeof(*names));
    for (uint32_t index = 0; index < count; index++) {
        task_report_fields(&sync->tasks[index], share, &names[index], &tasks[index]);
        fields->tasks[index] = &tasks[index];
    }
    count = sync->topologies_count;
    MR_ASSERT(count <= MR_MESSAGE_TOPOLOGIES_MAX);
    fields->n_topologies = count;
    fields->topologies = mr_arena_take(scratch, count * sizeof(Millrace__TopologyReport *));
    Millrace__TopologyReport *topologies = mr_arena_take(scratch, count * sizeof(*topologies));
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_topology_report *report = &sync->topologies[index];
        millrace__topology_report__init(&topologies[index]);
        topologies[index].generation = report->generation;
        topologies[index].version = report->version;
        topologies[index].refused = report->refused;
        topologies[index].error = sentence_field(report->error, share);
        fields->topologies[index] = &topologies[index];
    }
}

Millrace__SyncRequest *mr_sync_request_fields(const struct mr_sync_request *sync,
                                              struct mr_arena *scratch)
{
    MR_ASSERT((uint32_t)sync->leaving <= MR_LEAVING_DRAIN);
    Millrace__SyncRequest *fields = mr_arena_take(scratch, sizeof(*fields));
    millrace__sync_request__init(fields);
    fields->cluster = mr_field_text(sync->cluster, MR_MESSAGE_NAME_MAX);
    fields->worker = mr_field_text(sync->worker, MR_MESSAGE_NAME_MAX);
    fields->instance = sync->instance;
    fields->sequence = sync->sequence;
    fields->term = sync->term;
    fields->zone = mr_field_text(sync->zone, MR_MESSAGE_NAME_MAX);
    fields->http = mr_field_text(sync->http, MR_MESSAGE_NAME_MAX);
    fields->build = mr_field_text(sync->build, MR_MESSAGE_NAME_MAX);
    fields->threads_count = sync->threads_count;
    fields->memory_bytes = sync->memory_bytes;
    fields->leaving = (Millrace__Leaving)(sync->leaving + 1);
    fields->leave_asked = sync->leave_asked;
    sync_request_lists(sync, scratch, fields);
    return fields;
}

static void take_task_name(struct mr_decoder *decoder, const Millrace__TaskName *fields,
                           struct mr_task_name *name)
{
    *name = (struct mr_task_name){.subtopology = ""};
    if (!mr_take_present(decoder, fields, "a task's name"))
        return;
    name->generation = fields->generation;
    name->subtopology =
        mr_take_text(decoder, fields->subtopology, MR_MESSAGE_NAME_MAX, "a task's subtopology");
    if (fields->partition > INT32_MAX)
        mr_decoder_fail(decoder, "a task's partition is too high (%u)", fields->partition);
    else
        name->partition = (int32_t)fields->partition;
}

static void take_task_report(struct mr_decoder *decoder, const Millrace__TaskReport *fields,
                             struct mr_task_report *report)
{
    take_task_name(decoder, fields->name, &report->name);
    report->role = (enum mr_task_role)mr_take_enum(decoder, (int)fields->role,
                                                   MR_TASK_ROLE_STANDBY + 1, "a task's role");
    report->state = (enum mr_task_state)mr_take_enum(decoder, (int)fields->state,
                                                     MR_TASK_STATE_COUNT, "a task's state");
    report->version = fields->version;
    report->epoch = fields->epoch;
    report->seen_epoch = fields->seen_epoch;
    report->restored_records = fields->restored_records;
    report->restored_bytes = fields->restored_bytes;
    report->changelog_remaining = fields->changelog_remaining;
    report->lag = fields->lag;
    report->load_us = fields->load_us;
    report->input_records = fields->input_records;
    report->output_records = fields->output_records;
    report->idle_ms = fields->idle_ms;
    report->watermark_ms = fields->watermark_ms;
    report->held_by = fields->held_by;
    report->held_by_index = fields->held_by_index;
    report->held_by_partition = fields->held_by_partition;
    report->held_ms = fields->held_ms;
    report->error = mr_take_text(decoder, fields->error, MR_MESSAGE_TEXT_MAX, "a task's error");
}

static const struct mr_topology_report *take_topology_reports(struct mr_decoder *decoder,
                                                              const Millrace__SyncRequest *fields,
                                                              uint32_t *count)
{
    *count = mr_take_count(decoder, fields->n_topologies, MR_MESSAGE_TOPOLOGIES_MAX, "topologies");
    struct mr_topology_report *reports = mr_arena_take(decoder->arena, *count * sizeof(*reports));
    for (uint32_t index = 0; index < *count; index++) {
        const Millrace__TopologyReport *from = fields->topologies[index];
        reports[index] = (struct mr_topology_report){
            .generation = from->generation,
            .version = from->version,
            .refused = from->refused,
            .error = mr_take_text(decoder, from->error, MR_MESSAGE_TEXT_MAX, "a topology's error")};
    }
    return reports;
}

void mr_sync_request_take(struct mr_decoder *decoder, const Millrace__SyncRequest *fields,
                          struct mr_sync_request *sync)
{
    sync->cluster = mr_take_text(decoder, fields->cluster, MR_MESSAGE_NAME_MAX, "the cluster");
    sync->worker = mr_take_text(decoder, fields->worker, MR_MESSAGE_NAME_MAX, "the worker");
    sync->instance = fields->instance;
    sync->sequence = fields->sequence;
    sync->term = fields->term;
    sync->zone = mr_take_text(decoder, fields->zone, MR_MESSAGE_NAME_MAX, "the zone");
    sync->http = mr_take_text(decoder, fields->http, MR_MESSAGE_NAME_MAX, "the HTTP address");
    sync->build = mr_take_text(decoder, fields->build, MR_MESSAGE_NAME_MAX, "the build");
    sync->threads_count = fields->threads_count;
    sync->memory_bytes = fields->memory_bytes;
    sync->leaving = (enum mr_leaving)mr_take_enum(decoder, (int)fields->leaving,
                                                  MR_LEAVING_DRAIN + 1, "the worker's leaving");
    sync->leave_asked = fields->leave_asked;
    sync->tasks_count = mr_take_count(decoder, fields->n_tasks, MR_MESSAGE_TASKS_MAX, "tasks");
    struct mr_task_report *tasks =
        mr_arena_take(decoder->arena, sync->tasks_count * sizeof(*tasks));
    for (uint32_t index = 0; index < sync->tasks_count; index++)
        take_task_report(decoder, fields->tasks[index], &tasks[index]);
    sync->tasks = tasks;
    sync->topologies = take_topology_reports(decoder, fields, &sync->topologies_count);
}

static void assigned_tasks_fields(const struct mr_sync_reply *sync, struct mr_arena *scratch,
                                  Millrace__SyncReply *fields)
{
    uint32_t count = sync->tasks_count;
    MR_ASSERT(count <= MR_MESSAGE_TASKS_MAX);
    fields->n_tasks = count;
    fields->tasks = mr_arena_take(scratch, count * sizeof(Millrace__AssignedTask *));
    Millrace__AssignedTask *tasks = mr_arena_take(scratch, count * sizeof(*tasks));
    Millrace__TaskName *names = mr_arena_take(scratch, count * sizeof(*names));
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_assigned_task *task = &sync->tasks[index];
        MR_ASSERT((uint32_t)task->role <= MR_TASK_ROLE_STANDBY);
        millrace__assigned_task__init(&tasks[index]);
        tasks[index].name = task_name_fields(&task->name, &names[index]);
        tasks[index].role = (Millrace__TaskRole)(task->role + 1);
        tasks[index].version = task->version;
        tasks[index].epoch = task->epoch;
        fields->tasks[index] = &tasks[index];
    }
}

static void assigned_topologies_fields(const struct mr_sync_reply *sync, struct mr_arena *scratch,
                                       Millrace__SyncReply *fields)
{
    uint32_t count = sync->topologies_count;
    MR_ASSERT(count <= MR_MESSAGE_TOPOLOGIES_MAX);
    fields->n_topologies = count;
    fields->topologies = mr_arena_take(scratch, count * sizeof(Millrace__AssignedTopology *));
    Millrace__AssignedTopology *topologies = mr_arena_take(scratch, count * sizeof(*topologies));
    for (uint32_t index = 0; index < count; index++) {
        const struct mr_assigned_topology *topology = &sync->topologies[index];
        MR_ASSERT(topology->paused_sources_count <= MR_MESSAGE_NAMES_MAX);
        millrace__assigned_topology__init(&topologies[index]);
        topologies[index].generation = topology->generation;
        topologies[index].version = topology->version;
        topologies[index].name = mr_field_text(topology->name, MR_MESSAGE_NAME_MAX);
        topologies[index].n_paused_sources = topology->paused_sources_count;
        topologies[index].paused_sources =
            mr_field_names(topology->paused_sources, topology->paused_sources_count, scratch);
        fields->topologies[index] = &topologies[index];
    }
}

Millrace__SyncReply *mr_sync_reply_fields(const struct mr_sync_reply *sync,
                                          struct mr_arena *scratch)
{
    Millrace__SyncReply *fields = mr_arena_take(scratch, sizeof(*fields));
    millrace__sync_reply__init(fields);
    fields->term = sync->term;
    fields->instance = sync->instance;
    fields->sequence = sync->sequence;
    fields->leaves = sync->leaves;
    fields->more = sync->more;
    if (sync->leave != MR_LEAVING_NOT) /* absent, as from coordinators that do not know of it */
        fields->leave = (Millrace__Leaving)(sync->leave + 1);
    assigned_tasks_fields(sync, scratch, fields);
    assigned_topologies_fields(sync, scratch, fields);
    return fields;
}

static const struct mr_assigned_task *
take_assigned_tasks(struct mr_decoder *decoder, const Millrace__SyncReply *fields, uint32_t *count)
{
    *count = mr_take_count(decoder, fields->n_tasks, MR_MESSAGE_TASKS_MAX, "tasks");
    struct mr_assigned_task *tasks = mr_arena_take(decoder->arena, *count * sizeof(*tasks));
    for (uint32_t index = 0; index < *count; index++) {
        const Millrace__AssignedTask *from = fields->tasks[index];
        take_task_name(decoder, from->name, &tasks[index].name);
        tasks[index].role = (enum mr_task_role)mr_take_enum(
            decoder, (int)from->role, MR_TASK_ROLE_STANDBY + 1, "a task's role");
        tasks[index].version = from->version;
        tasks[index].epoch = from->epoch;
    }
    return tasks;
}

void mr_sync_reply_take(struct mr_decoder *decoder, const Millrace__SyncReply *fields,
                        struct mr_sync_reply *sync)
{
    sync->term = fields->term;
    sync->instance = fields->instance;
    sync->sequence = fields->sequence;
    sync->leaves = fields->leaves;
    sync->more = fields->more;
    sync->leave = MR_LEAVING_NOT;
    if (fields->leave != MILLRACE__LEAVING__LEAVING_ABSENT)
        sync->leave = (enum mr_leaving)mr_take_enum(decoder, (int)fields->leave,
                                                    MR_LEAVING_DRAIN + 1, "how to leave");
    sync->tasks = take_assigned_tasks(decoder, fields, &sync->tasks_count);
    sync->topologies_count =
        mr_take_count(decoder, fields->n_topologies, MR_MESSAGE_TOPOLOGIES_MAX, "topologies");
    struct mr_assigned_topology *topologies =
        mr_arena_take(decoder->arena, sync->topologies_count * sizeof(*topologies));
    for (uint32_t index = 0; index < sync->topologies_count; index++) {
        const Millrace__AssignedTopology *from = fields->topologies[index];
        struct mr_assigned_topology *topology = &topologies[index];
        topology->generation = from->generation;
        topology->version = from->version;
        topology->name =
            mr_take_text(decoder, from->name, MR_MESSAGE_NAME_MAX, "a topology's name");
        topology->paused_sources =
            mr_take_names(decoder, from->paused_sources, from->n_paused_sources, "paused sources",
                          &topology->paused_sources_count);
    }
    sync->topologies = topologies;
}
