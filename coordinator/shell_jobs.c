/* coordinator/shell_jobs.c — the core's JOBs on the jobs thread, and watching source topics.
 * A topology whose source has grown gets a version of its own: the same definition, bound anew. */
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "coordinator/binding.h"
#include "coordinator/internal.h"
#include "proto/codec.h"

#include <stdio.h>

struct job {
    enum mr_core_job_kind kind;
    uint64_t generation;
    const char *name;
    const char *argument;
    const char *note; /* what is to be said of a success; empty: nothing */
    struct mr_version_record *version;
    struct mr_version_record bound; /* of BIND */
};

static const char seek_note[] =
    "The topology goes on from the new place, with the state and the watermarks that it had.";

struct watching {
    struct mr_version_record *version;
    struct mr_version_record bound;
    bool grown;
};

/* The codec makes deep copies: what it decodes lies in the arena. */
struct mr_version_record *mr_shell_copy_version(const struct mr_version_record *record,
                                                struct mr_arena *arena)
{
    struct mr_error error;
    struct mr_version_record *copy = mr_arena_new(arena, 1, sizeof(*copy));
    if (record == NULL)
        return NULL;
    struct mr_slice bytes = mr_version_record_encode(record, arena);
    return mr_version_record_decode(bytes, arena, copy, &error) == MR_OK ? copy : NULL;
}

struct mr_topology_record *mr_shell_copy_topology(const struct mr_topology_record *record,
                                                  struct mr_arena *arena)
{
    struct mr_error error;
    struct mr_topology_record *copy = mr_arena_new(arena, 1, sizeof(*copy));
    if (record == NULL)
        return NULL;
    struct mr_slice bytes = mr_topology_record_encode(record, arena);
    return mr_topology_record_decode(bytes, arena, copy, &error) == MR_OK ? copy : NULL;
}

/* ---- JOBs ---- */

static void run_job(struct mr_coordinator *coordinator, struct mr_work *work)
{
    struct job *job = work->data;
    const struct mr_jobs *jobs = &coordinator->jobs;
    switch (job->kind) {
    case MR_JOB_BIND:
        work->status = mr_jobs_bind(jobs, job->version, job->generation, job->version, &work->arena,
                                    &job->bound, &work->error);
        break;
    case MR_JOB_FENCE: /* what only ever ran in a process of its own has no tasks here */
        work->status =
            job->version == NULL ? MR_OK : mr_jobs_fence(jobs, job->version, &work->error);
        break;
    case MR_JOB_DELETE:
        work->status = mr_jobs_delete(jobs, job->name, job->generation, &work->error);
        break;
    case MR_JOB_SEEK:
        work->status = mr_jobs_seek(jobs, job->version, job->argument, false, &work->error);
        break;
    }
}

static void finish_job(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    const struct job *job = work->data;
    const struct mr_core_event event = {
        .kind = MR_CORE_JOB_DONE,
        .id = work->id,
        .failed = work->status != MR_OK,
        .transient = work->status != MR_OK && work->status != MR_INVALID &&
                     work->error.recovery != MR_RECOVERY_FAIL_TOPOLOGY,
        .text = work->status != MR_OK ? work->error.message : job->note,
        .wall_ms = mr_clock_wall_ms(),
        .version_record = job->kind == MR_JOB_BIND && work->status == MR_OK ? &job->bound : NULL};
    if (work->status != MR_OK)
        MR_LOG_AT(MR_LOG_WARNING, "coordinator", MR_LOG_FIELDS("topology", job->name), "%s",
                  work->error.message);
    mr_shell_step(coordinator, &event, now_ms);
}

static bool needs_version(enum mr_core_job_kind kind)
{
    return kind == MR_JOB_BIND || kind == MR_JOB_SEEK;
}

/* A reset binds under the generation that follows; all else is about the present one. */
static uint64_t generation_of(const struct mr_core_command *command)
{
    return command->job == MR_JOB_BIND && command->next_generation != 0 ? command->next_generation
                                                                        : command->generation;
}

void mr_shell_job(struct mr_coordinator *coordinator, const struct mr_core_command *command,
                  uint64_t now_ms)
{
    struct mr_work *work = mr_work_create(run_job, finish_job);
    struct job *job = mr_arena_new(&work->arena, 1, sizeof(*job));
    (void)now_ms;
    work->id = command->id;
    work->data = job;
    job->kind = command->job;
    job->generation = generation_of(command);
    job->note = command->job == MR_JOB_SEEK ? seek_note : "";
    job->name = mr_arena_copy_text(&work->arena, command->name != NULL ? command->name : "");
    job->argument =
        mr_arena_copy_text(&work->arena, command->argument != NULL ? command->argument : "");
    job->version = mr_shell_copy_version(command->version_record, &work->arena);
    if (job->kind == MR_JOB_FENCE && job->version != NULL)
        job->version->generation = job->generation;
    if (needs_version(job->kind) && job->version == NULL) {
        work->status = MR_FAIL(&work->error, MR_INTERNAL, MR_RECOVERY_FAIL_TOPOLOGY,
                               "The version of this job cannot be copied.");
        mr_work_later(coordinator, work);
        return;
    }
    if (mr_work_send(coordinator->jobs_ring, work))
        return;
    work->status = MR_FAIL(&work->error, MR_LIMIT, MR_RECOVERY_RETRY,
                           "More than %d jobs wait already.", MR_WORK_RING);
    mr_work_later(coordinator, work);
}

/* ---- Watching ---- */

static struct mr_shell_warning *find_warning(struct mr_coordinator *coordinator,
                                             uint64_t generation)
{
    for (uint32_t index = 0; index < MR_SHELL_WARNINGS_MAX; index++)
        if (coordinator->warnings[index].generation == generation)
            return &coordinator->warnings[index];
    return NULL;
}

const char *mr_shell_warning(const struct mr_coordinator *coordinator, uint64_t generation,
                             uint64_t *since_ms)
{
    for (uint32_t index = 0; index < MR_SHELL_WARNINGS_MAX; index++)
        if (coordinator->warnings[index].generation == generation) {
            *since_ms = coordinator->warnings[index].since_ms;
            return coordinator->warnings[index].text;
        }
    return NULL;
}

static void clear_warning(struct mr_shell_warning *warning)
{
    mr_memory_free(warning->text);
    *warning = (struct mr_shell_warning){0};
}

void mr_shell_warnings_clear(struct mr_coordinator *coordinator)
{
    for (uint32_t index = 0; index < MR_SHELL_WARNINGS_MAX; index++)
        clear_warning(&coordinator->warnings[index]);
}

static void set_warning(struct mr_coordinator *coordinator, const struct mr_version_record *version,
                        const char *text, uint64_t now_ms)
{
    struct mr_shell_warning *warning = find_warning(coordinator, version->generation);
    if (text == NULL && warning != NULL)
        clear_warning(warning);
    if (text == NULL || (warning != NULL && strcmp(warning->text, text) == 0))
        return;
    if (warning == NULL)
        warning = find_warning(coordinator, 0);
    if (warning == NULL)
        return; /* as many as there may be topologies, and each is shown by its tasks as well */
    mr_memory_free(warning->text);
    *warning = (struct mr_shell_warning){
        .generation = version->generation, .since_ms = now_ms, .text = mr_memory_copy_text(text)};
    MR_LOG_AT(MR_LOG_WARNING, "coordinator", MR_LOG_FIELDS("topology", version->name), "%s", text);
    mr_api_news(coordinator, "source-fault", version->name, text);
}

static void run_watch(struct mr_coordinator *coordinator, struct mr_work *work)
{
    struct watching *watching = work->data;
    work->status =
        mr_jobs_watch(&coordinator->jobs, watching->version, &watching->grown, &work->error);
    if (work->status != MR_OK || !watching->grown)
        return;
    work->status =
        mr_jobs_bind(&coordinator->jobs, watching->version, watching->version->generation,
                     watching->version, &work->arena, &watching->bound, &work->error);
}

static void finish_watch(struct mr_coordinator *coordinator, struct mr_work *work, uint64_t now_ms)
{
    const struct watching *watching = work->data;
    const struct mr_version_record *active =
        mr_core_version(coordinator->core, watching->version->name, 0);
    if (!atomic_load(&coordinator->leads) || active == NULL ||
        active->generation != watching->version->generation ||
        active->version != watching->version->version)
        return; /* it is about a version that does not run any more */
    bool failed = work->status != MR_OK && work->error.recovery == MR_RECOVERY_FAIL_TOPOLOGY;
    set_warning(coordinator, watching->version, failed ? work->error.message : NULL, now_ms);
    if (work->status != MR_OK || !watching->grown ||
        mr_binding_equal(&watching->bound.binding, &active->binding))
        return;
    /* The same definition, bound anew: a version like any other, that nobody waits for. */
    const struct mr_core_event event = {.kind = MR_CORE_USER,
                                        .action = MR_ACTION_SUBMIT,
                                        .name = watching->version->name,
                                        .wall_ms = mr_clock_wall_ms(),
                                        .version_record = &watching->bound};
    mr_shell_step(coordinator, &event, now_ms);
}

void mr_shell_watch(struct mr_coordinator *coordinator, uint64_t now_ms)
{
    if (!atomic_load(&coordinator->leads))
        return;
    for (uint32_t index = 0; index < mr_core_topologies_count(coordinator->core); index++) {
        struct mr_core_topology topology = mr_core_topology_at(coordinator->core, index, now_ms);
        if (topology.version == NULL || topology.record == NULL ||
            topology.record->state == MR_TOPOLOGY_DELETING ||
            topology.record->state == MR_TOPOLOGY_RESETTING)
            continue;
        struct mr_work *work = mr_work_create(run_watch, finish_watch);
        struct watching *watching = mr_arena_new(&work->arena, 1, sizeof(*watching));
        work->data = watching;
        watching->version = mr_shell_copy_version(topology.version, &work->arena);
        if (watching->version == NULL || !mr_work_send(coordinator->jobs_ring, work))
            mr_work_destroy(work); /* the next look is in some seconds */
    }
}
