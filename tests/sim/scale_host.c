/* tests/sim/scale_host.c — what a worker of the large cluster runs: tasks as step machines.
 * Design: stands in for worker/host.c by --wrap while a large cluster runs. A task claims,
 * restores, runs and releases, each after a random while; a claim counts when no other of the same
 * or a higher epoch was there before. Removed tasks go with the next look, since indexes are of the
 * last one. */
#include "base/assert.h"
#include "base/memory.h"
#include "tests/sim/scale_internal.h"

#include <inttypes.h>
#include <string.h>

enum { CLAIM_MS_MAX = 40, RESTORE_MS_MAX = 1500, RELEASE_MS_MAX = 100 };

struct held {
    uint64_t until_ns; /* of CLAIMING, RESTORING, RELEASING */
    bool removed;
};

struct host {
    struct mr_agent_host seen;
    struct mr_task_report *said; /* as of the last look: what is sent borrows it */
    struct mr_task_report *reports;
    struct held *held;
    uint32_t count;
    uint32_t capacity;
    struct mr_topology_report topologies[SIM_SCALE_TOPOLOGIES_MAX];
};

struct sim_scale_claims sim_scale_claims;
static bool hosts_are_models;

const struct mr_agent_host *__wrap_mr_host_look(struct mr_host *host);
const struct mr_agent_host *__real_mr_host_look(struct mr_host *host);
void __wrap_mr_host_obey(struct mr_host *host, const struct mr_agent_command *command,
                         uint64_t now_ms);
void __real_mr_host_obey(struct mr_host *host, const struct mr_agent_command *command,
                         uint64_t now_ms);

void sim_scale_hosts(bool begin)
{
    hosts_are_models = begin;
    memset(&sim_scale_claims, 0, sizeof sim_scale_claims);
}

struct mr_host *sim_scale_host_create(void)
{
    struct host *host = mr_memory_new(1, sizeof *host);
    host->seen.topologies = host->topologies;
    return (struct mr_host *)(void *)host;
}

/* ---- Claims ---- */

static struct sim_scale_generation *generation_of(const struct mr_task_name *name)
{
    struct sim_scale_claims *claims = &sim_scale_claims;
    for (uint32_t index = 0; index < claims->generations_count; index++)
        if (claims->generations[index]->id == name->generation)
            return claims->generations[index];
    MR_ASSERT(claims->generations_count < SIM_SCALE_TOPOLOGIES_MAX);
    struct sim_scale_generation *generation = sim_new(sizeof *generation);
    generation->id = name->generation;
    generation->subtopology = sim_copy_text(name->subtopology);
    claims->generations[claims->generations_count++] = generation;
    return generation;
}

static struct sim_scale_task *task_of(const struct mr_task_report *report)
{
    MR_ASSERT(report->name.partition < SIM_SCALE_PARTITIONS);
    return &generation_of(&report->name)->tasks[report->name.partition];
}

static bool is_mine(const struct sim_scale_task *task)
{
    const struct sim_process *process = sim_process_current();
    return task->owner == process && task->life == process->life;
}

bool sim_scale_owned(const struct sim_scale_task *task)
{
    return task->running && !task->released && task->owner->alive && !task->owner->paused &&
           task->owner->life == task->life;
}

static uint64_t after_ms(uint64_t most_ms)
{
    return sim_now_ns() + sim_between(1, most_ms) * SIM_MS;
}

static void fence(struct mr_task_report *report, const struct sim_scale_task *task)
{
    report->state = MR_TASK_STATE_FENCED;
    report->seen_epoch = task->epoch;
    report->error = "A foreign claim was found.";
}

static void claim(struct mr_task_report *report, struct held *held)
{
    struct sim_scale_task *task = task_of(report);
    if (task->epoch > report->epoch || (task->epoch == report->epoch && !is_mine(task))) {
        fence(report, task);
        return;
    }
    bool warm = is_mine(task) && task->running;
    if (sim_scale_owned(task) && !is_mine(task)) {
        sim_scale_claims.takeovers_count++;
        sim_trace("it fences %s, which runs %" PRIx64 "[%d] at epoch %" PRIu64, task->owner->name,
                  report->name.generation, (int)report->name.partition, task->epoch);
    }
    *task = (struct sim_scale_task){.epoch = report->epoch,
                                    .owner = sim_process_current(),
                                    .life = sim_process_current()->life,
                                    .running = warm,
                                    .seen = task->seen};
    report->seen_epoch = report->epoch;
    report->state = warm ? MR_TASK_STATE_RUNNING : MR_TASK_STATE_RESTORING;
    held->until_ns = after_ms(RESTORE_MS_MAX);
}

/* ---- Steps ---- */

static void finish(struct mr_task_report *report, struct held *held)
{
    if (held->until_ns > sim_now_ns())
        return;
    if (report->state == MR_TASK_STATE_CLAIMING) {
        claim(report, held);
    } else if (report->state == MR_TASK_STATE_RESTORING) {
        report->changelog_remaining = 0;
        report->state =
            report->role == MR_TASK_ROLE_ACTIVE ? MR_TASK_STATE_RUNNING : MR_TASK_STATE_FOLLOWING;
        if (report->role == MR_TASK_ROLE_ACTIVE && is_mine(task_of(report)))
            task_of(report)->running = true;
    } else {
        report->state = MR_TASK_STATE_RELEASED;
        if (is_mine(task_of(report)))
            task_of(report)->released = true;
    }
}

static void step(struct mr_task_report *report, struct held *held)
{
    switch ((int)report->state) {
    case MR_TASK_STATE_CLAIMING:
    case MR_TASK_STATE_RESTORING:
    case MR_TASK_STATE_RELEASING:
        finish(report, held);
        break;
    case MR_TASK_STATE_RUNNING:
        report->input_records += 10;
        report->output_records += 10;
        if (!is_mine(task_of(report)))
            fence(report, task_of(report));
        break;
    default:
        break;
    }
}

const struct mr_agent_host *__wrap_mr_host_look(struct mr_host *base)
{
    if (!hosts_are_models)
        return __real_mr_host_look(base);
    struct host *host = (struct host *)(void *)base;
    uint32_t kept = 0;
    for (uint32_t index = 0; index < host->count; index++) {
        if (host->held[index].removed)
            continue;
        host->reports[kept] = host->reports[index];
        host->held[kept] = host->held[index];
        step(&host->reports[kept], &host->held[kept]);
        kept++;
    }
    host->count = kept;
    host->said = mr_memory_resize(host->said, (kept + 1u) * sizeof *host->said);
    if (kept > 0)
        memcpy(host->said, host->reports, kept * sizeof *host->said);
    host->seen.tasks_count = kept;
    host->seen.tasks = host->said;
    return &host->seen;
}

/* ---- Commands ---- */

static void add(struct host *host, const struct mr_assigned_task *assigned)
{
    if (host->count == host->capacity) {
        host->capacity = host->capacity == 0 ? 32 : host->capacity * 2;
        host->reports = mr_memory_resize(host->reports, host->capacity * sizeof *host->reports);
        host->held = mr_memory_resize(host->held, host->capacity * sizeof *host->held);
    }
    bool active = assigned->role == MR_TASK_ROLE_ACTIVE;
    struct mr_task_name name = {.generation = assigned->name.generation,
                                .subtopology = generation_of(&assigned->name)->subtopology,
                                .partition = assigned->name.partition};
    host->held[host->count] =
        (struct held){.until_ns = after_ms(active ? CLAIM_MS_MAX : RESTORE_MS_MAX)};
    host->reports[host->count++] =
        (struct mr_task_report){.name = name,
                                .role = assigned->role,
                                .state = active ? MR_TASK_STATE_CLAIMING : MR_TASK_STATE_RESTORING,
                                .version = assigned->version,
                                .epoch = assigned->epoch,
                                .changelog_remaining = 100000,
                                .load_us = active ? 20000 : 0,
                                .watermark_ms = INT64_MIN,
                                .error = ""};
}

static void revoke(struct mr_task_report *report, struct held *held)
{
    if (report->state != MR_TASK_STATE_RUNNING) {
        report->state = MR_TASK_STATE_RELEASED;
        return;
    }
    task_of(report)->running = task_of(report)->running && !is_mine(task_of(report));
    report->state = MR_TASK_STATE_RELEASING;
    held->until_ns = after_ms(RELEASE_MS_MAX);
}

static void open_version(struct host *host, const struct mr_topology_reply *topology)
{
    MR_ASSERT(host->seen.topologies_count < SIM_SCALE_TOPOLOGIES_MAX);
    host->topologies[host->seen.topologies_count++] = (struct mr_topology_report){
        .generation = topology->generation, .version = topology->version, .error = ""};
}

static void close_version(struct host *host, const struct mr_agent_command *command)
{
    uint32_t kept = 0;
    for (uint32_t index = 0; index < host->seen.topologies_count; index++)
        if (host->topologies[index].generation != command->generation ||
            host->topologies[index].version != command->version)
            host->topologies[kept++] = host->topologies[index];
    host->seen.topologies_count = kept;
}

void __wrap_mr_host_obey(struct mr_host *base, const struct mr_agent_command *command,
                         uint64_t now_ms)
{
    if (!hosts_are_models) {
        __real_mr_host_obey(base, command, now_ms);
        return;
    }
    struct host *host = (struct host *)(void *)base;
    switch ((int)command->kind) {
    case MR_AGENT_COMMAND_OPEN:
        open_version(host, command->topology);
        break;
    case MR_AGENT_COMMAND_CLOSE:
        close_version(host, command);
        break;
    case MR_AGENT_COMMAND_ASSIGN:
    case MR_AGENT_COMMAND_FOLLOW:
        add(host, command->task);
        break;
    case MR_AGENT_COMMAND_REASSIGN:
        host->reports[command->index].epoch = command->epoch;
        host->reports[command->index].state = MR_TASK_STATE_CLAIMING;
        host->reports[command->index].error = "";
        host->held[command->index].until_ns = after_ms(CLAIM_MS_MAX);
        break;
    case MR_AGENT_COMMAND_REVOKE:
        revoke(&host->reports[command->index], &host->held[command->index]);
        break;
    case MR_AGENT_COMMAND_FORGET:
    case MR_AGENT_COMMAND_LEAVE:
        host->held[command->index].removed = true;
        break;
    default:
        break;
    }
}
