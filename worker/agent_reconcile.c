/* worker/agent_reconcile.c — from what is wanted and what the host has to the next steps. */
#include "base/hash.h"
#include "base/memory.h"
#include "worker/agent_internal.h"

#include <stdlib.h>

/* ---- Names ---- */

int mr_agent_compare_names(const struct mr_task_name *left, const struct mr_task_name *right)
{
    if (left->generation != right->generation)
        return left->generation < right->generation ? -1 : 1;
    int order = strcmp(left->subtopology, right->subtopology);
    if (order != 0)
        return order;
    return (left->partition > right->partition) - (left->partition < right->partition);
}

int mr_agent_compare_assigned(const void *left, const void *right)
{
    const struct mr_assigned_task *first = left;
    const struct mr_assigned_task *second = right;
    int order = mr_agent_compare_names(&first->name, &second->name);
    return order != 0 ? order : (int)first->role - (int)second->role;
}

static int compare_reports(const void *left, const void *right)
{
    const struct mr_task_report *const *first = left;
    const struct mr_task_report *const *second = right;
    int order = mr_agent_compare_names(&(*first)->name, &(*second)->name);
    return order != 0 ? order : (int)(*first)->role - (int)(*second)->role;
}

static int compare_named(const void *left, const void *right)
{
    return mr_agent_compare_names(left, right);
}

static const struct mr_assigned_task *find_wanted(const struct mr_agent *agent,
                                                  const struct mr_task_name *name)
{
    uint32_t low = 0;
    uint32_t high = agent->wanted.tasks_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = mr_agent_compare_names(&agent->wanted.tasks[middle].name, name);
        if (order == 0)
            return &agent->wanted.tasks[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

struct mr_task_name mr_agent_copy_name(const struct mr_task_name *name, struct mr_arena *arena)
{
    return (struct mr_task_name){.generation = name->generation,
                                 .subtopology = mr_arena_copy_text(arena, name->subtopology),
                                 .partition = name->partition};
}

/* ---- Versions ---- */

struct mr_agent_version *mr_agent_find_version(const struct mr_agent *agent, uint64_t generation,
                                               uint32_t number)
{
    for (uint32_t index = 0; index < agent->versions_count; index++)
        if (agent->versions[index].generation == generation &&
            agent->versions[index].number == number)
            return &agent->versions[index];
    return NULL;
}

static struct mr_agent_version *note_version(struct mr_agent *agent, uint64_t generation,
                                             uint32_t number)
{
    struct mr_agent_version *version = mr_agent_find_version(agent, generation, number);
    if (version != NULL)
        return version;
    agent->versions =
        mr_memory_resize(agent->versions, (agent->versions_count + 1u) * sizeof(*agent->versions));
    version = &agent->versions[agent->versions_count++];
    *version = (struct mr_agent_version){.generation = generation, .number = number};
    return version;
}

void mr_agent_see_versions(struct mr_agent *agent)
{
    for (uint32_t index = 0; index < agent->versions_count; index++) {
        agent->versions[index].wanted = false;
        agent->versions[index].present = NULL;
    }
    uint64_t generation = 0;
    uint32_t number = 0;
    for (uint32_t index = 0; !agent->leaving && index < agent->wanted.tasks_count; index++) {
        const struct mr_assigned_task *task = &agent->wanted.tasks[index];
        if (index > 0 && task->name.generation == generation && task->version == number)
            continue;
        generation = task->name.generation;
        number = task->version;
        note_version(agent, generation, number)->wanted = true;
    }
    for (uint32_t index = 0; index < agent->host->topologies_count; index++) {
        const struct mr_topology_report *report = &agent->host->topologies[index];
        note_version(agent, report->generation, report->version)->present = report;
    }
    uint32_t kept_count = 0;
    for (uint32_t index = 0; index < agent->versions_count; index++) {
        struct mr_agent_version *version = &agent->versions[index];
        if (version->present == NULL)
            version->pauses_hash = 0;
        else
            version->asked_count = 0;
        if (version->wanted || version->present != NULL)
            agent->versions[kept_count++] = *version;
    }
    agent->versions_count = kept_count;
}

static bool has_tasks(const struct mr_agent *agent, const struct mr_agent_version *version)
{
    for (uint32_t index = 0; index < agent->host->tasks_count; index++)
        if (agent->host->tasks[index].name.generation == version->generation &&
            agent->host->tasks[index].version == version->number)
            return true;
    return false;
}

static const struct mr_assigned_topology *find_assigned(const struct mr_agent *agent,
                                                        const struct mr_agent_version *version)
{
    for (uint32_t index = 0; index < agent->wanted.topologies_count; index++)
        if (agent->wanted.topologies[index].generation == version->generation &&
            agent->wanted.topologies[index].version == version->number)
            return &agent->wanted.topologies[index];
    return NULL;
}

static void say_pauses(struct mr_agent *agent, struct mr_agent_version *version)
{
    const struct mr_assigned_topology *assigned = find_assigned(agent, version);
    if (assigned == NULL || version->present == NULL || version->present->refused)
        return;
    uint64_t hash = 1;
    for (uint32_t index = 0; index < assigned->paused_sources_count; index++)
        hash = mr_hash64_seeded(mr_slice_text(assigned->paused_sources[index]), hash);
    if (hash == version->pauses_hash)
        return;
    bool nothing_new = version->pauses_hash == 0 && assigned->paused_sources_count == 0;
    version->pauses_hash = hash;
    if (nothing_new)
        return;
    struct mr_agent_command *pause = mr_agent_command(agent, MR_AGENT_COMMAND_PAUSE);
    pause->generation = version->generation;
    pause->version = version->number;
    pause->sources = assigned->paused_sources;
    pause->sources_count = assigned->paused_sources_count;
}

static void reconcile_versions(struct mr_agent *agent)
{
    for (uint32_t index = 0; index < agent->versions_count; index++) {
        struct mr_agent_version *version = &agent->versions[index];
        if (version->wanted) {
            say_pauses(agent, version);
        } else if (version->present != NULL && !agent->leaving && !has_tasks(agent, version)) {
            struct mr_agent_command *close = mr_agent_command(agent, MR_AGENT_COMMAND_CLOSE);
            close->generation = version->generation;
            close->version = version->number;
        }
    }
}

/* ---- Tasks ---- */

static uint32_t index_of(const struct mr_agent *agent, const struct mr_task_report *report)
{
    return (uint32_t)(report - agent->host->tasks);
}

static bool released_was_answered(const struct mr_agent *agent, const struct mr_task_name *name)
{
    return agent->answered.names_count > 0 &&
           bsearch(name, agent->answered.names, agent->answered.names_count, sizeof(*name),
                   compare_named) != NULL;
}

/* An active task that should not be here, or not as it is. */
static void take_down(struct mr_agent *agent, const struct mr_task_report *report)
{
    enum mr_agent_command_kind kind = MR_AGENT_COMMAND_REVOKE;
    if (report->state == MR_TASK_STATE_RELEASING)
        return;
    if (report->state == MR_TASK_STATE_RELEASED) {
        if (agent->leaving || !released_was_answered(agent, &report->name))
            return;
        kind = MR_AGENT_COMMAND_FORGET;
    }
    mr_agent_command(agent, kind)->index = index_of(agent, report);
}

static void reconcile_active(struct mr_agent *agent, const struct mr_task_report *report,
                             const struct mr_assigned_task *wanted)
{
    if (wanted == NULL || wanted->role != MR_TASK_ROLE_ACTIVE ||
        wanted->version != report->version) {
        take_down(agent, report);
        return;
    }
    bool stopped =
        report->state == MR_TASK_STATE_RELEASING || report->state == MR_TASK_STATE_RELEASED;
    if (wanted->epoch < report->epoch || (wanted->epoch == report->epoch && !stopped))
        return;
    struct mr_agent_command *reassign = mr_agent_command(agent, MR_AGENT_COMMAND_REASSIGN);
    reassign->index = index_of(agent, report);
    reassign->epoch = wanted->epoch;
}

static void reconcile_present(struct mr_agent *agent)
{
    for (uint32_t index = 0; index < agent->host->tasks_count; index++) {
        const struct mr_task_report *report = agent->sorted[index];
        const struct mr_assigned_task *wanted =
            agent->leaving ? NULL : find_wanted(agent, &report->name);
        if (report->role == MR_TASK_ROLE_ACTIVE)
            reconcile_active(agent, report, wanted);
        else if (wanted == NULL || wanted->role != MR_TASK_ROLE_STANDBY ||
                 wanted->version != report->version)
            mr_agent_command(agent, MR_AGENT_COMMAND_LEAVE)->index = index_of(agent, report);
    }
}

/* Both are sorted: one pass finds what is wanted and of whose name nothing is here. */
static void reconcile_missing(struct mr_agent *agent)
{
    uint32_t present = 0;
    agent->lacks = false;
    for (uint32_t index = 0; index < agent->wanted.tasks_count; index++) {
        const struct mr_assigned_task *wanted = &agent->wanted.tasks[index];
        while (present < agent->host->tasks_count &&
               mr_agent_compare_names(&agent->sorted[present]->name, &wanted->name) < 0)
            present++;
        if (present < agent->host->tasks_count &&
            mr_agent_compare_names(&agent->sorted[present]->name, &wanted->name) == 0)
            continue;
        agent->lacks = agent->lacks || wanted->role == MR_TASK_ROLE_ACTIVE;
        const struct mr_agent_version *version =
            mr_agent_find_version(agent, wanted->name.generation, wanted->version);
        if (version == NULL || version->present == NULL || version->present->refused)
            continue;
        mr_agent_command(agent, wanted->role == MR_TASK_ROLE_ACTIVE ? MR_AGENT_COMMAND_ASSIGN
                                                                    : MR_AGENT_COMMAND_FOLLOW)
            ->task = wanted;
    }
}

void mr_agent_sort_host(struct mr_agent *agent)
{
    uint32_t count = agent->host->tasks_count;
    if (agent->sorted_capacity < count) {
        agent->sorted_capacity = count * 2;
        agent->sorted =
            mr_memory_resize(agent->sorted, agent->sorted_capacity * sizeof(*agent->sorted));
    }
    for (uint32_t index = 0; index < count; index++)
        agent->sorted[index] = &agent->host->tasks[index];
    if (count > 1)
        qsort(agent->sorted, count, sizeof(*agent->sorted), compare_reports);
}

void mr_agent_reconcile(struct mr_agent *agent)
{
    if (!agent->heard && !agent->leaving)
        return;
    reconcile_versions(agent);
    reconcile_present(agent);
    if (!agent->leaving)
        reconcile_missing(agent);
}
