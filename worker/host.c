/* worker/host.c — opened versions, tasks and standbys of this process.
 * Design: entries are kept by pointer in arrays in the order in which they came; an entry that is
 * gone is marked and taken out by the next look, so that the indexes of a look stay right while
 * the agent's commands are carried out. A version leaves the reports before its tear-down begins:
 * wanted again meanwhile, it is simply opened anew. */
#include "worker/host.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "worker/binding.h"

#include <pthread.h>
#include <stdio.h>

struct version {
    uint64_t generation;
    uint32_t number;
    struct mr_bound_version *bound; /* NULL: refused */
    struct mr_running *running;
    bool *paused; /* by node of the plan */
    uint64_t opened_ms;
    bool stale;   /* a younger binding takes its place */
    bool closing; /* no task is left */
    uint32_t tasks_count;
    struct mr_error error; /* why it was refused */
};

struct entry {
    struct version *version;
    enum mr_task_role role;
    char *subtopology;
    int32_t partition;
    uint64_t epoch;
    struct mr_task *task;       /* ACTIVE; NULL: it could not be assigned */
    struct mr_standby *standby; /* STANDBY; NULL: it could not be followed */
    bool released;              /* of one that could not be assigned */
    bool ending; /* forgotten or left: asked for until it is gone, whatever is wanted meanwhile */
    bool gone;
    struct mr_error error;
    char text[MR_ERROR_MESSAGE_SIZE]; /* of the report */
};

struct mr_host {
    struct mr_host_open open;
    struct version **versions;
    uint32_t versions_count;
    pthread_mutex_t mutex; /* guards entries and reports against mr_host_visit */
    struct entry **entries;
    uint32_t entries_count;
    struct mr_task_report *tasks;
    struct mr_topology_report *topologies;
    uint32_t capacity;
    uint32_t topologies_capacity;
    struct mr_agent_host view;
};

struct mr_host *mr_host_create(const struct mr_host_open *open)
{
    struct mr_host *host = mr_memory_new(1, sizeof(*host));
    host->open = *open;
    (void)pthread_mutex_init(&host->mutex, NULL);
    return host;
}

static void free_entry(struct entry *entry)
{
    mr_memory_free(entry->subtopology);
    mr_memory_free(entry);
}

static void free_version(struct version *version)
{
    mr_bound_version_close(version->bound);
    mr_memory_free(version->paused);
    mr_memory_free(version);
}

void mr_host_destroy(struct mr_host *host)
{
    if (host == NULL)
        return;
    for (uint32_t index = 0; index < host->entries_count; index++)
        free_entry(host->entries[index]);
    for (uint32_t index = 0; index < host->versions_count; index++)
        free_version(host->versions[index]);
    mr_memory_free(host->entries);
    mr_memory_free(host->versions);
    mr_memory_free(host->tasks);
    mr_memory_free(host->topologies);
    (void)pthread_mutex_destroy(&host->mutex);
    mr_memory_free(host);
}

/* ---- Looking ---- */

static void drop_gone(struct mr_host *host)
{
    uint32_t kept_count = 0;
    for (uint32_t index = 0; index < host->entries_count; index++) {
        struct entry *entry = host->entries[index];
        if (entry->gone) {
            entry->version->tasks_count--;
            free_entry(entry);
        } else {
            host->entries[kept_count++] = entry;
        }
    }
    host->entries_count = kept_count;
}

static void drop_versions(struct mr_host *host)
{
    uint32_t kept_count = 0;
    for (uint32_t index = 0; index < host->versions_count; index++) {
        struct version *version = host->versions[index];
        version->closing = version->closing || (version->stale && version->tasks_count == 0);
        if (version->closing && (version->running == NULL || mr_worker_remove(version->running)))
            free_version(version);
        else
            host->versions[kept_count++] = version;
    }
    host->versions_count = kept_count;
}

static void report_entry(struct entry *entry, struct mr_task_report *report)
{
    if (entry->task != NULL)
        mr_worker_task_report(entry->task, entry->text, report);
    else if (entry->standby != NULL)
        mr_follower_report(entry->standby, entry->text, report);
    else
        *report = (struct mr_task_report){.state = entry->released ? MR_TASK_STATE_RELEASED
                                                                   : MR_TASK_STATE_FAILED,
                                          .epoch = entry->epoch,
                                          .changelog_remaining = -1,
                                          .lag = -1,
                                          .idle_ms = -1,
                                          .watermark_ms = INT64_MIN,
                                          .error = entry->error.message};
    report->name = (struct mr_task_name){.generation = entry->version->generation,
                                         .subtopology = entry->subtopology,
                                         .partition = entry->partition};
    report->role = entry->role;
    report->version = entry->version->number;
}

static void report_versions(struct mr_host *host)
{
    if (host->topologies_capacity < host->versions_count) {
        host->topologies_capacity = host->versions_count * 2;
        host->topologies = mr_memory_resize(host->topologies,
                                            host->topologies_capacity * sizeof(*host->topologies));
    }
    uint32_t count = 0;
    for (uint32_t index = 0; index < host->versions_count; index++) {
        const struct version *version = host->versions[index];
        if (version->stale || version->closing)
            continue;
        bool refused = version->bound == NULL;
        host->topologies[count++] =
            (struct mr_topology_report){.generation = version->generation,
                                        .version = version->number,
                                        .refused = refused,
                                        .error = refused ? version->error.message : ""};
    }
    host->view.topologies = host->topologies;
    host->view.topologies_count = count;
}

static void end_entry(struct mr_host *host, struct entry *entry, uint64_t now_ms)
{
    bool open = entry->task != NULL || entry->standby != NULL;
    if ((entry->task != NULL && !mr_worker_forget(entry->task)) ||
        (entry->standby != NULL && !mr_follower_leave(entry->standby)))
        return;
    (void)pthread_mutex_lock(&host->mutex);
    entry->gone = true;
    entry->task = NULL;
    entry->standby = NULL;
    (void)pthread_mutex_unlock(&host->mutex);
    if (open && host->open.janitor != NULL)
        mr_janitor_closed(host->open.janitor, entry->version->generation, entry->subtopology,
                          entry->partition, now_ms);
}

/* What is ending ends: a lane that has let go of a task does not take it back. */
static void go_on_ending(struct mr_host *host)
{
    for (uint32_t index = 0; index < host->entries_count; index++)
        if (host->entries[index]->ending && !host->entries[index]->gone)
            end_entry(host, host->entries[index], mr_clock_monotonic_ms());
}

const struct mr_agent_host *mr_host_look(struct mr_host *host)
{
    go_on_ending(host);
    /* Before the reports: a lane that begins to ask after this is told by the next look. */
    host->view.questions = mr_worker_questions(host->open.worker);
    (void)pthread_mutex_lock(&host->mutex);
    drop_gone(host);
    if (host->capacity < host->entries_count) {
        host->capacity = host->entries_count * 2;
        host->tasks = mr_memory_resize(host->tasks, host->capacity * sizeof(*host->tasks));
    }
    for (uint32_t index = 0; index < host->entries_count; index++)
        report_entry(host->entries[index], &host->tasks[index]);
    host->view.tasks = host->tasks;
    host->view.tasks_count = host->entries_count;
    drop_versions(host);
    (void)pthread_mutex_unlock(&host->mutex);
    report_versions(host);
    return &host->view;
}

void mr_host_visit(struct mr_host *host, mr_host_visit_fn visit, void *argument)
{
    (void)pthread_mutex_lock(&host->mutex);
    for (uint32_t index = 0; index < host->view.tasks_count && index < host->entries_count;
         index++) {
        const struct version *version = host->entries[index]->version;
        const char *topology = mr_bound_version_deployment(version->bound)->plan->name;
        visit(argument, topology, &host->tasks[index]);
    }
    (void)pthread_mutex_unlock(&host->mutex);
}

/* ---- Versions ---- */

static struct version *find_version(const struct mr_host *host, uint64_t generation,
                                    uint32_t number)
{
    for (uint32_t index = host->versions_count; index-- > 0;) {
        struct version *version = host->versions[index];
        if (version->generation == generation && version->number == number && !version->stale &&
            !version->closing)
            return version;
    }
    return NULL;
}

static void open_version(struct mr_host *host, const struct mr_topology_reply *reply,
                         uint64_t now_ms)
{
    /* The bounds of a Sync; the agent asks again. */
    if (find_version(host, reply->generation, reply->version) != NULL ||
        host->versions_count == MR_MESSAGE_TOPOLOGIES_MAX)
        return;
    struct version *version = mr_memory_new(1, sizeof(*version));
    *version = (struct version){
        .generation = reply->generation, .number = reply->version, .opened_ms = now_ms};
    struct mr_bound_open open = {.reply = reply,
                                 .catalogue = host->open.catalogue,
                                 .cluster = host->open.cluster,
                                 .log_cluster_id = host->open.log_cluster_id};
    enum mr_status status = mr_bound_version_open(&open, &version->bound, &version->error);
    if (status == MR_OK) {
        const struct mr_deployment *deployment = mr_bound_version_deployment(version->bound);
        version->paused = mr_memory_new(deployment->plan->nodes_count + 1u, sizeof(bool));
        status = mr_worker_add(host->open.worker, deployment, &version->running, &version->error);
    }
    if (status != MR_OK) {
        MR_LOG_AT(MR_LOG_ERROR, "agent", MR_LOG_FIELDS("topology", reply->name),
                  "the topology cannot run here: %s", version->error.message);
        mr_bound_version_close(version->bound);
        version->bound = NULL;
        version->running = NULL;
    }
    (void)pthread_mutex_lock(&host->mutex);
    host->versions =
        mr_memory_resize(host->versions, (host->versions_count + 1u) * sizeof(struct version *));
    host->versions[host->versions_count++] = version;
    (void)pthread_mutex_unlock(&host->mutex);
}

static bool is_named(const struct mr_agent_command *command, const char *name)
{
    for (uint32_t index = 0; index < command->sources_count; index++)
        if (strcmp(command->sources[index], name) == 0)
            return true;
    return false;
}

static void pause_sources(struct version *version, const struct mr_agent_command *command)
{
    if (version->running == NULL)
        return;
    const struct mr_plan *plan = mr_bound_version_deployment(version->bound)->plan;
    for (uint32_t index = 0; index < plan->nodes_count; index++) {
        bool paused = is_named(command, plan->nodes[index].name);
        if (plan->nodes[index].type->role != MR_ROLE_SOURCE || paused == version->paused[index])
            continue;
        version->paused[index] = paused;
        mr_worker_pause_source(version->running, index, paused);
    }
}

static void pause_versions(struct mr_host *host, const struct mr_agent_command *command)
{
    for (uint32_t index = 0; index < host->versions_count; index++)
        if (host->versions[index]->generation == command->generation &&
            host->versions[index]->number == command->version && !host->versions[index]->closing)
            pause_sources(host->versions[index], command);
}

static void close_version(struct mr_host *host, const struct mr_agent_command *command)
{
    struct version *version = find_version(host, command->generation, command->version);
    if (version != NULL && version->tasks_count == 0)
        version->closing = true;
}

/* ---- Tasks ---- */

/* Assign it, or follow its changelog; why not stays in the entry. */
static void begin(struct mr_host *host, struct entry *entry)
{
    const struct mr_deployment *deployment = mr_bound_version_deployment(entry->version->bound);
    int32_t subtopology = mr_bound_subtopology_find(deployment->plan, entry->subtopology);
    enum mr_status status;
    entry->released = false;
    if (subtopology < 0) {
        status = MR_FAIL(&entry->error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                         "Version %u of topology %s has no subtopology \"%s\".",
                         entry->version->number, deployment->plan->name, entry->subtopology);
    } else if (entry->partition < 0 ||
               entry->partition >= deployment->subtopologies[subtopology].tasks_count) {
        status = MR_FAIL(&entry->error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                         "\"%s\" of topology %s has %d tasks; there is no task %d.",
                         entry->subtopology, deployment->plan->name,
                         deployment->subtopologies[subtopology].tasks_count, entry->partition);
    } else if (entry->role == MR_TASK_ROLE_ACTIVE) {
        status = mr_worker_assign(entry->version->running, (uint32_t)subtopology, entry->partition,
                                  entry->epoch, &entry->task, &entry->error);
    } else if (!deployment->plan->subtopologies[subtopology].stateful) {
        status = MR_FAIL(&entry->error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                         "\"%s\" of topology %s keeps no state: nothing can be kept warm.",
                         entry->subtopology, deployment->plan->name);
    } else {
        entry->standby = mr_follower_follow(host->open.follower, deployment, (uint32_t)subtopology,
                                            entry->partition);
        status = MR_OK;
    }
    if (status != MR_OK)
        MR_LOG_AT(MR_LOG_ERROR, "agent", MR_LOG_FIELDS("topology", deployment->plan->name),
                  "a task cannot be run: %s", entry->error.message);
    else if (host->open.janitor != NULL)
        mr_janitor_opened(host->open.janitor, deployment->generation, entry->subtopology,
                          entry->partition);
}

/* A partition that the binding lacks: the source has grown since, there is a younger binding. */
static bool has_grown(const struct version *version, const struct mr_assigned_task *task,
                      uint64_t now_ms)
{
    const struct mr_deployment *deployment = mr_bound_version_deployment(version->bound);
    int32_t subtopology = mr_bound_subtopology_find(deployment->plan, task->name.subtopology);
    return subtopology >= 0 && now_ms - version->opened_ms >= MR_HOST_REBIND_MS &&
           task->name.partition >= deployment->subtopologies[subtopology].tasks_count;
}

static void add_entry(struct mr_host *host, const struct mr_assigned_task *task, uint64_t now_ms)
{
    struct version *version = find_version(host, task->name.generation, task->version);
    if (version == NULL || version->bound == NULL || host->entries_count == MR_MESSAGE_TASKS_MAX)
        return;
    if (has_grown(version, task, now_ms)) {
        version->stale = true; /* the agent asks for the definition again */
        return;
    }
    struct entry *entry = mr_memory_new(1, sizeof(*entry));
    entry->version = version;
    entry->role = task->role;
    entry->subtopology = mr_memory_copy_text(task->name.subtopology);
    entry->partition = task->name.partition;
    entry->epoch = task->epoch;
    version->tasks_count++;
    begin(host, entry);
    (void)pthread_mutex_lock(&host->mutex);
    host->entries =
        mr_memory_resize(host->entries, (host->entries_count + 1u) * sizeof(struct entry *));
    host->entries[host->entries_count++] = entry;
    (void)pthread_mutex_unlock(&host->mutex);
}

static void obey_entry(struct mr_host *host, const struct mr_agent_command *command,
                       uint64_t now_ms)
{
    MR_ASSERT(command->index < host->view.tasks_count);
    struct entry *entry = host->entries[command->index];
    if (command->kind == MR_AGENT_COMMAND_FORGET || command->kind == MR_AGENT_COMMAND_LEAVE) {
        entry->ending = true;
        end_entry(host, entry, now_ms);
    } else if (entry->ending) {
        return; /* the next look has it no more, and what is wanted begins anew */
    } else if (command->kind == MR_AGENT_COMMAND_REVOKE) {
        entry->released = true;
        if (entry->task != NULL)
            mr_worker_revoke(entry->task);
    } else {
        entry->epoch = command->epoch;
        if (entry->task != NULL)
            mr_worker_reassign(entry->task, command->epoch);
        else
            begin(host, entry);
    }
}

void mr_host_obey(struct mr_host *host, const struct mr_agent_command *command, uint64_t now_ms)
{
    switch (command->kind) {
    case MR_AGENT_COMMAND_OPEN:
        open_version(host, command->topology, now_ms);
        break;
    case MR_AGENT_COMMAND_CLOSE:
        close_version(host, command);
        break;
    case MR_AGENT_COMMAND_PAUSE:
        pause_versions(host, command);
        break;
    case MR_AGENT_COMMAND_ASSIGN:
    case MR_AGENT_COMMAND_FOLLOW:
        add_entry(host, command->task, now_ms);
        break;
    case MR_AGENT_COMMAND_REASSIGN:
    case MR_AGENT_COMMAND_REVOKE:
    case MR_AGENT_COMMAND_FORGET:
    case MR_AGENT_COMMAND_LEAVE:
        obey_entry(host, command, now_ms);
        break;
    case MR_AGENT_COMMAND_ANSWERED:
        mr_worker_answered(host->open.worker, command->questions);
        break;
    case MR_AGENT_COMMAND_SEND:
    case MR_AGENT_COMMAND_SAY:
    case MR_AGENT_COMMAND_EXIT:
        MR_ASSERT(false); /* the loop's */
        break;
    }
}
