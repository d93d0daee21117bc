/* coordinator/core_workers.c — who is there.
 * Design: a Sync is the heartbeat. A worker is gone when it has been silent for `silence_ms`, or
 * `gone_ms` after its connection closed; what it had is free at once, because a claim fences its
 * last owner whether it is dead or not. An announced restart makes its silence expected: what it
 * had waits for the same name, up to `grace_ms`. A new instance under a name replaces the one
 * before; the old one is answered with nothing from then on. */
#include "coordinator/core_internal.h"

#include "base/memory.h"
#include "base/options.h"

#include <inttypes.h>

bool mr_core_worker_alive(const struct mr_core_worker_state *worker)
{
    return !worker->gone && worker->instance != 0;
}

bool mr_core_worker_drains(const struct mr_core_worker_state *worker)
{
    return worker->drained || worker->leaving == MR_LEAVING_DRAIN;
}

bool mr_core_worker_usable(const struct mr_core_worker_state *worker)
{
    return mr_core_worker_alive(worker) && worker->leaving == MR_LEAVING_NOT && !worker->drained;
}

bool mr_core_worker_awaited(const struct mr_core *core, const struct mr_core_worker_state *worker)
{
    return worker->restart_until_ms > core->now_ms && !worker->drained;
}

const char *mr_core_worker_refusal(const struct mr_core_worker_state *worker,
                                   const struct mr_core_topology_state *topology)
{
    for (uint32_t i = 0; i < worker->refused_count; i++)
        if (topology->active != NULL && topology->generation->id == worker->refused[i].generation &&
            topology->active->record.version == worker->refused[i].version)
            return worker->refused[i].error;
    return NULL;
}

void mr_core_set_changed(struct mr_core *core)
{
    core->dirty = true;
    core->balance = true;
    core->settle_until_ms = core->now_ms + core->options.settle_ms;
}

/* Its next answer has news. */
void mr_core_worker_touch(struct mr_core *core, struct mr_core_worker_state *worker)
{
    worker->revision++;
    if (worker->touched)
        return;
    core->touched = mr_core_grow(core->touched, core->touched_count, &core->touched_capacity,
                                 sizeof(struct mr_core_worker_state *));
    core->touched[core->touched_count++] = worker;
    worker->touched = true;
}

/* ---- Answers ---- */

static struct mr_reply *reply_add(struct mr_core *core, uint64_t handle, enum mr_reply_kind kind)
{
    struct mr_core_command *command = mr_core_command_add(core, MR_COMMAND_REPLY);
    command->handle = handle;
    command->reply.protocol_version = MR_PROTOCOL_VERSION;
    command->reply.kind = kind;
    return &command->reply;
}

void mr_core_refuse(struct mr_core *core, uint64_t handle, enum mr_refusal refusal,
                    const char *text)
{
    struct mr_reply *reply = reply_add(core, handle, MR_REPLY_REFUSED);
    reply->refused.term = core->term;
    reply->refused.refusal = refusal;
    reply->refused.leader = "";
    if (refusal == MR_REFUSAL_NOT_LEADER && core->leader != NULL && !core->leads)
        reply->refused.leader = mr_arena_copy_text(&core->arena, core->leader);
    reply->refused.text = text;
}

static void stranger_answer(struct mr_core *core, const struct mr_core_stranger *stranger)
{
    struct mr_reply *reply = reply_add(core, stranger->handle, MR_REPLY_SYNC);
    reply->sync.term = core->term;
    reply->sync.instance = stranger->instance;
    reply->sync.sequence = stranger->sequence;
}

struct sync_answer {
    struct mr_assigned_task *tasks;
    uint32_t tasks_count;
    struct mr_assigned_topology *topologies;
    uint32_t topologies_count;
};

/* A paused topology pauses all its sources: every node with topics or partitions is named, and
 * workers look for sources only. */
static void name_paused(struct mr_core *core, const struct mr_core_topology_state *topology,
                        struct mr_assigned_topology *assigned)
{
    const struct mr_topology_record *record = &topology->record->record;
    assigned->paused_sources = record->paused_sources;
    assigned->paused_sources_count = record->paused_sources_count;
    if (record->state != MR_TOPOLOGY_PAUSED)
        return;
    const struct mr_binding *binding = &topology->active->record.binding;
    const char **names = mr_arena_new(&core->arena, binding->nodes_count + 1, sizeof(char *));
    for (uint32_t i = 0; i < binding->nodes_count; i++)
        names[i] = binding->nodes[i].name;
    assigned->paused_sources = names;
    assigned->paused_sources_count = binding->nodes_count;
}

static void answer_add(struct mr_core *core, struct sync_answer *answer,
                       const struct mr_core_task_state *task, enum mr_task_role role)
{
    struct mr_core_topology_state *topology = mr_core_task_topology(task);
    uint32_t version = topology->active->record.version;
    answer->tasks[answer->tasks_count++] = (struct mr_assigned_task){
        .name = {.generation = task->part->generation->id,
                 .subtopology = task->part->name,
                 .partition = task->partition},
        .role = role,
        .version = version,
        .epoch = role == MR_TASK_ROLE_ACTIVE ? task->epoch : 0,
    };
    if (topology->stamp == core->stamp)
        return;
    topology->stamp = core->stamp;
    struct mr_assigned_topology *assigned = &answer->topologies[answer->topologies_count++];
    *assigned = (struct mr_assigned_topology){
        .generation = task->part->generation->id, .version = version, .name = topology->name};
    name_paused(core, topology, assigned);
}

static void answer_fill(struct mr_core *core, struct mr_core_worker_state *worker,
                        struct sync_answer *answer)
{
    uint32_t most = worker->actives_count + worker->copies_count;
    answer->tasks = mr_arena_new(&core->arena, most, sizeof *answer->tasks);
    answer->topologies = mr_arena_new(&core->arena, most, sizeof *answer->topologies);
    core->stamp++;
    for (uint32_t i = 0; i < worker->actives_count; i++) {
        struct mr_core_task_state *task = worker->actives[i];
        if (task->phase != MR_PHASE_ASSIGNED)
            continue;
        answer_add(core, answer, task, MR_TASK_ROLE_ACTIVE);
    }
    for (uint32_t i = 0; i < worker->copies_count && worker->leaving == MR_LEAVING_NOT; i++)
        answer_add(core, answer, worker->copies[i], MR_TASK_ROLE_STANDBY);
}

/* The whole of what the worker should have. */
static void answer(struct mr_core *core, struct mr_core_worker_state *worker, uint64_t handle,
                   uint64_t sequence)
{
    struct sync_answer answer = {0};
    answer_fill(core, worker, &answer);
    struct mr_reply *reply = reply_add(core, handle, MR_REPLY_SYNC);
    reply->sync.term = core->term;
    reply->sync.instance = worker->instance;
    reply->sync.sequence = sequence;
    reply->sync.leaves = (worker->leaving != MR_LEAVING_NOT || worker->drained) &&
                         worker->actives_count == 0 && worker->incoming_count == 0;
    reply->sync.more = core->listening || worker->incoming_count > 0;
    reply->sync.leave = worker->leave_told;
    reply->sync.tasks = answer.tasks;
    reply->sync.tasks_count = answer.tasks_count;
    reply->sync.topologies = answer.topologies;
    reply->sync.topologies_count = answer.topologies_count;
}

void mr_core_reply_sync(struct mr_core *core, struct mr_core_worker_state *worker)
{
    answer(core, worker, worker->kept_handle, worker->kept_sequence);
    worker->kept = false;
    worker->told_revision = worker->revision;
}

void mr_core_workers_follow(struct mr_core *core)
{
    const char *text = "This coordinator does not lead.";
    for (uint32_t i = 0; i < core->workers_count; i++) {
        struct mr_core_worker_state *worker = core->workers[i];
        if (worker->kept)
            mr_core_refuse(core, worker->kept_handle, MR_REFUSAL_NOT_LEADER, text);
        worker->kept = false;
    }
    for (uint32_t i = 0; i < core->strangers_count; i++)
        mr_core_refuse(core, core->strangers[i].handle, MR_REFUSAL_NOT_LEADER, text);
    core->strangers_count = 0;
}

/* What was heard of them is from before the suspension; a connection that closed since was not told
 * of. */
void mr_core_workers_resume(struct mr_core *core)
{
    for (uint32_t i = 0; i < core->workers_count; i++) {
        core->workers[i]->seen_ms = core->now_ms;
        core->workers[i]->peer_gone_ms = 0;
    }
}

/* ---- Syncs ---- */

static bool was_replaced(const struct mr_core_worker_state *worker, uint64_t instance)
{
    for (uint32_t i = 0; i < MR_CORE_INSTANCES_KEPT; i++)
        if (worker->replaced[i] == instance)
            return true;
    return false;
}

static void stranger_keep(struct mr_core *core, const struct mr_core_event *event)
{
    struct mr_core_stranger stranger = {.handle = event->handle,
                                        .instance = event->sync->instance,
                                        .sequence = event->sync->sequence,
                                        .since_ms = core->now_ms};
    if (core->strangers_count < MR_CORE_STRANGERS_MAX)
        core->strangers[core->strangers_count++] = stranger;
    else
        stranger_answer(core, &stranger);
}

/* The process before this one is gone, whatever it still does. */
static void replace_instance(struct mr_core *core, struct mr_core_worker_state *worker,
                             const struct mr_sync_request *sync)
{
    bool returned = mr_core_worker_awaited(core, worker);
    bool doubled = mr_core_worker_alive(worker) && !returned;
    if (worker->instance != 0) {
        worker->replaced[worker->replaced_next] = worker->instance;
        worker->replaced_next = (worker->replaced_next + 1) % MR_CORE_INSTANCES_KEPT;
    }
    for (uint32_t i = 0; i < MR_CORE_INSTANCES_KEPT; i++)
        if (worker->replaced[i] == sync->instance)
            worker->replaced[i] = 0;
    worker->instance = sync->instance;
    worker->sequence = 0;
    worker->leaving = MR_LEAVING_NOT;
    worker->leave_asked = false;
    worker->leave_told = MR_LEAVING_NOT;
    mr_core_restart_announced(core, worker, 0);
    bool known = false;
    for (uint32_t i = worker->actives_count; i-- > 0;)
        if (worker->actives[i]->instance != sync->instance)
            mr_core_task_free(core, worker->actives[i]);
        else
            known = true;
    mr_core_worker_came(core, worker, known);
    for (uint32_t i = 0; i < worker->copies_count; i++)
        mr_core_copy_find(worker->copies[i], worker)->reported = false;
    mr_core_worker_touch(core, worker);
    mr_core_set_changed(core);
    mr_core_news(core, returned ? "worker-returned" : "worker-joined", worker->name,
                 "Worker %s %s (instance %016" PRIx64 ")%s", worker->name,
                 returned ? "is back" : "has joined", sync->instance,
                 !doubled ? "."
                          : " in place of one that was there a moment ago: if both processes "
                            "run, give each a --name of its own.");
}

static void take_leaving(struct mr_core *core, struct mr_core_worker_state *worker,
                         enum mr_leaving leaving)
{
    if (worker->leaving == leaving)
        return;
    worker->leaving = leaving;
    mr_core_restart_announced(core, worker, leaving == MR_LEAVING_RESTART ? worker->instance : 0);
    mr_core_worker_touch(core, worker);
    mr_core_set_changed(core);
    if (leaving == MR_LEAVING_NOT)
        return;
    if (leaving == MR_LEAVING_RESTART) {
        mr_core_restart_record(core, worker);
        for (uint32_t i = 0; i < worker->actives_count; i++)
            mr_core_task_revoke(core, worker->actives[i]);
    }
    mr_core_news(core, leaving == MR_LEAVING_RESTART ? "worker-restarting" : "worker-draining",
                 worker->name,
                 leaving == MR_LEAVING_RESTART
                     ? "Worker %s restarts: its tasks wait for it, or go to a warm standby."
                     : "Worker %s leaves: its tasks move to other workers first.",
                 worker->name);
}

static void take_facts(struct mr_core *core, struct mr_core_worker_state *worker,
                       const struct mr_sync_request *sync)
{
    if (worker->threads_count != sync->threads_count || worker->memory_bytes != sync->memory_bytes)
        mr_core_set_changed(core);
    worker->threads_count = sync->threads_count == 0 ? 1 : sync->threads_count;
    worker->memory_bytes = sync->memory_bytes;
    mr_core_replace_text(&worker->zone, sync->zone);
    mr_core_replace_text(&worker->http, sync->http);
    mr_core_replace_text(&worker->build, sync->build);
    if (worker->gone) {
        worker->gone = false;
        mr_core_set_changed(core);
    }
    worker->seen_ms = core->now_ms;
    worker->peer_gone_ms = 0;
    worker->sequence = sync->sequence;
    take_leaving(core, worker, sync->leaving);
    mr_core_leave_asked(core, worker, sync->leave_asked);
}

static void keep(struct mr_core *core, struct mr_core_worker_state *worker,
                 const struct mr_core_event *event, bool at_once)
{
    worker->kept = true;
    worker->kept_handle = event->handle;
    worker->kept_sequence = event->sync->sequence;
    worker->kept_ms = core->now_ms;
    worker->peer = event->peer;
    if (at_once && mr_core_worker_answerable(worker))
        mr_core_reply_sync(core, worker);
    else if (worker->revision != worker->told_revision && !worker->touched) {
        worker->revision--;
        mr_core_worker_touch(core, worker);
    }
}

static bool refuse_sync(struct mr_core *core, const struct mr_core_event *event)
{
    const struct mr_sync_request *sync = event->sync;
    if (!core->leads || core->suspended)
        mr_core_refuse(core, event->handle, MR_REFUSAL_NOT_LEADER,
                       "This coordinator does not lead.");
    else if (strcmp(sync->cluster, core->cluster) != 0)
        mr_core_refuse(core, event->handle, MR_REFUSAL_WRONG_CLUSTER,
                       mr_arena_format(&core->arena,
                                       "This is the coordinator of cluster %s, not of %s.",
                                       core->cluster, sync->cluster));
    else if (sync->term > core->term)
        mr_core_refuse(core, event->handle, MR_REFUSAL_NOT_LEADER,
                       "Another coordinator leads with a higher term.");
    else
        return false;
    return true;
}

void mr_core_sync_event(struct mr_core *core, const struct mr_core_event *event)
{
    const struct mr_sync_request *sync = event->sync;
    if (refuse_sync(core, event))
        return;
    struct mr_core_worker_state *worker = mr_core_worker_ensure(core, sync->worker);
    if (worker == NULL) {
        mr_core_refuse(core, event->handle, MR_REFUSAL_BUSY, "There are too many workers.");
        return;
    }
    if (sync->instance != worker->instance) {
        if (was_replaced(worker, sync->instance) && !worker->gone) {
            stranger_keep(core, event);
            return;
        }
        if (worker->kept) /* of the instance before */
            mr_core_reply_sync(core, worker);
        replace_instance(core, worker, sync);
    }
    if (sync->sequence < worker->sequence) { /* late: what it says was said anew since */
        answer(core, worker, event->handle, sync->sequence);
        return;
    }
    if (worker->kept)
        mr_core_reply_sync(core, worker);
    bool again = sync->sequence == worker->sequence && worker->seen_ms != 0;
    if (!again) {
        take_facts(core, worker, sync);
        mr_core_reports_take(core, worker, sync);
    }
    keep(core, worker, event, again);
}

void mr_core_peer_gone(struct mr_core *core, uint64_t peer)
{
    for (uint32_t i = 0; i < core->workers_count; i++) {
        struct mr_core_worker_state *worker = core->workers[i];
        if (!mr_core_worker_alive(worker) || worker->peer != peer || worker->peer_gone_ms != 0)
            continue;
        worker->peer_gone_ms = core->now_ms == 0 ? 1 : core->now_ms;
        if (worker->kept)
            mr_core_reply_sync(core, worker);
    }
}

/* ---- Time ---- */

static void drop_copies(struct mr_core *core, struct mr_core_worker_state *worker)
{
    while (worker->copies_count > 0) {
        struct mr_core_task_state *task = worker->copies[worker->copies_count - 1];
        struct mr_core_copy *copy = mr_core_copy_find(task, worker);
        mr_core_copy_remove(core, task, (uint32_t)(copy - task->copies));
    }
}

static void declare_gone(struct mr_core *core, struct mr_core_worker_state *worker)
{
    uint64_t silent = core->now_ms - worker->seen_ms;
    uint32_t tasks = worker->actives_count;
    if (worker->kept)
        mr_core_reply_sync(core, worker);
    worker->gone = true;
    worker->gone_ms = core->now_ms;
    mr_core_worker_lost(core, worker);
    mr_core_set_changed(core);
    if (mr_core_worker_awaited(core, worker))
        return;
    drop_copies(core, worker);
    const char *why = worker->peer_gone_ms != 0 ? "its connection closed" : "it is silent";
    if (worker->leaving != MR_LEAVING_NOT && tasks == 0)
        mr_core_news(core, "worker-left", worker->name, "Worker %s has left.", worker->name);
    else
        mr_core_news(core, "worker-gone", worker->name,
                     "Worker %s is gone (%s; last heard %" PRIu64 " ms ago): %" PRIu32
                     " tasks go to other workers.",
                     worker->name, why, silent, tasks);
}

void mr_core_restart_over(struct mr_core *core, struct mr_core_worker_state *worker)
{
    mr_core_restart_announced(core, worker, 0);
    if (worker->gone)
        drop_copies(core, worker);
    mr_core_set_changed(core);
}

static void grace_over(struct mr_core *core, struct mr_core_worker_state *worker)
{
    mr_core_restart_over(core, worker);
    mr_core_news(core, "worker-gone", worker->name,
                 "Worker %s did not come back within %" PRIu32
                 " ms of its announced restart: its tasks go to other workers.",
                 worker->name, core->options.grace_ms);
}

static bool is_named(const struct mr_core *core, const struct mr_core_worker_state *worker)
{
    for (uint32_t i = 0; i < core->tasks_count; i++) {
        const struct mr_core_task_state *task = core->tasks[i];
        if (task->holder == worker || task->next == worker || task->target == worker)
            return true;
    }
    return worker->drained || worker->drain_writing || worker->restart_writing ||
           worker->restart_recorded != 0 || worker->copies_count > 0;
}

static void forget_worker(struct mr_core *core, uint32_t index)
{
    struct mr_core_worker_state *worker = core->workers[index];
    for (uint32_t i = 0; i < core->tasks_count; i++) {
        if (core->tasks[i]->before == worker)
            core->tasks[i]->before = NULL;
        if (core->tasks[i]->block_worker == worker)
            core->tasks[i]->block_worker = NULL;
    }
    core->workers_count--;
    memmove(core->workers + index, core->workers + index + 1,
            (core->workers_count - index) * sizeof(struct mr_core_worker_state *));
    mr_core_worker_free(worker);
}

static void worker_tick(struct mr_core *core, struct mr_core_worker_state *worker)
{
    uint64_t now = core->now_ms;
    if (mr_core_worker_alive(worker) && now >= core->patient_until_ms &&
        (now - worker->seen_ms >= core->options.silence_ms ||
         (worker->peer_gone_ms != 0 && now - worker->peer_gone_ms >= core->options.gone_ms)))
        declare_gone(core, worker);
    if (worker->restart_until_ms != 0 && worker->restart_until_ms <= now && worker->gone)
        grace_over(core, worker);
    mr_core_restart_record(core, worker);
    /* Half a tick early rather than half a tick late. */
    if (worker->kept && mr_core_worker_answerable(worker) &&
        worker->kept_ms + core->options.poll_ms <= now + 50)
        mr_core_reply_sync(core, worker);
}

void mr_core_workers_tick(struct mr_core *core)
{
    for (uint32_t i = core->workers_count; i-- > 0;) {
        struct mr_core_worker_state *worker = core->workers[i];
        worker_tick(core, worker);
        if (!worker->gone || worker->touched || core->listening ||
            core->now_ms - worker->gone_ms < MR_CORE_FORGET_MS)
            continue;
        if (is_named(core, worker))
            worker->gone_ms = core->now_ms;
        else
            forget_worker(core, i);
    }
    uint32_t kept = 0;
    for (uint32_t i = 0; i < core->strangers_count; i++) {
        struct mr_core_stranger *stranger = &core->strangers[i];
        if (stranger->since_ms + core->options.poll_ms <= core->now_ms + 50)
            stranger_answer(core, stranger);
        else
            core->strangers[kept++] = *stranger;
    }
    core->strangers_count = kept;
}

/* ---- What users want of a worker ---- */

static void answer_unknown(struct mr_core *core, const struct mr_core_event *event)
{
    const char **names = mr_arena_new(&core->arena, core->workers_count + 1, sizeof(char *));
    for (uint32_t i = 0; i < core->workers_count; i++)
        names[i] = core->workers[i]->name;
    const char *near = mr_options_nearest(event->worker, names, core->workers_count);
    mr_core_answer(core, event->handle, 404, "There is no worker %s.%s%s%s", event->worker,
                   near == NULL ? "" : " Did you mean ", near == NULL ? "" : near,
                   near == NULL ? "" : "?");
}

void mr_core_user_drain(struct mr_core *core, const struct mr_core_event *event)
{
    bool drain = event->action == MR_ACTION_DRAIN;
    struct mr_core_worker_state *worker = mr_core_worker_find(core, event->worker);
    if (worker == NULL) {
        answer_unknown(core, event);
        return;
    }
    if (worker->drain_writing) {
        mr_core_answer(core, event->handle, 409,
                       "Another command about worker %s is being recorded: ask again.",
                       worker->name);
        return;
    }
    if (worker->drained == drain) {
        mr_core_answer(core, event->handle, 200,
                       drain ? "Worker %s is drained already." : "Worker %s is not drained.",
                       worker->name);
        return;
    }
    worker->drain_writing = true;
    struct mr_core_change *change =
        mr_core_change_add(core, drain ? MR_CHANGE_DRAIN : MR_CHANGE_DRAIN_GONE);
    change->worker = worker;
    change->handle = event->handle;
}
