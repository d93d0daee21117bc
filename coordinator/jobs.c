/* coordinator/jobs.c — see jobs.h. */
#include "coordinator/jobs.h"

#include "base/clock.h"
#include "base/random.h"
#include "coordinator/binding.h"
#include "coordinator/deploy.h"
#include "coordinator/seek.h"

#include <inttypes.h>

enum { TOPICS_MAX = 4096 };

/* Nothing is left to fill in: the environment is the submitter's, not the coordinator's. */
static const char *lookup_nothing(void *argument, const char *name)
{
    (void)argument;
    (void)name;
    return NULL;
}

void mr_jobs_plan(const struct mr_jobs *jobs, struct mr_slice definition, struct mr_arena *arena,
                  struct mr_report *report, struct mr_plan **plan)
{
    const struct mr_substitution substitution = {.lookup = lookup_nothing};
    mr_report_init(report, arena, "definition");
    mr_topology_parse(definition, jobs->catalogue, &substitution, arena, report, plan);
}

/* The plan of a version that was accepted once; a newer program may have come to other terms. */
static enum mr_status plan_again(const struct mr_jobs *jobs,
                                 const struct mr_version_record *version, struct mr_arena *arena,
                                 struct mr_plan **plan, struct mr_error *error)
{
    struct mr_report report;
    mr_jobs_plan(jobs, version->definition, arena, &report, plan);
    if (*plan != NULL)
        return MR_OK;
    const struct mr_finding *finding = &report.findings[0];
    for (uint32_t index = 0; index < report.findings_count; index++)
        if (report.findings[index].severity == MR_SEVERITY_ERROR) {
            finding = &report.findings[index];
            break;
        }
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "Version %u of \"%s\" was accepted by another version of this program, which "
                   "does not read it: line %u: %s",
                   version->version, version->name, finding->location.line, finding->message);
}

static bool given_up(const struct mr_jobs *jobs)
{
    return jobs->given_up != NULL && jobs->given_up(jobs->argument);
}

static enum mr_status fail_given_up(struct mr_error *error)
{
    return MR_FAIL(error, MR_CLOSED, MR_RECOVERY_RETRY, "The coordinator stops, or leads no more.");
}

/* ---- Binding ---- */

static enum mr_status bind_plan(const struct mr_jobs *jobs, const struct mr_plan *plan,
                                uint64_t generation, bool dry_run, struct mr_arena *arena,
                                struct mr_binding *binding, struct mr_error *error)
{
    const struct mr_deploy_options options = {.cluster = jobs->cluster,
                                              .generation = generation,
                                              .wait_ms = jobs->wait_ms,
                                              .dry_run = dry_run,
                                              .given_up = jobs->given_up,
                                              .argument = jobs->argument};
    struct mr_deployment *deployment;
    enum mr_status status = mr_deploy(jobs->log, plan, &options, arena, &deployment, error);
    if (status == MR_OK)
        mr_binding_make(deployment, arena, binding);
    return status;
}

static enum mr_status compare(const struct mr_jobs *jobs, const struct mr_topology_record *record,
                              const struct mr_version_record *active, const struct mr_plan *plan,
                              const struct mr_difference_permit *permit, struct mr_arena *arena,
                              struct mr_difference *difference, struct mr_error *error)
{
    struct mr_plan *before = NULL;
    struct mr_version_record alone = {.name = plan->name}; /* it ran in a process of its own */
    if (active == NULL && record != NULL && record->definition.size > 0) {
        alone.definition = record->definition;
        active = &alone;
    }
    if (active != NULL) {
        enum mr_status status = plan_again(jobs, active, arena, &before, error);
        if (status != MR_OK)
            return status;
        before->hash = active->plan_hash; /* today its time zones may have other rules */
    }
    mr_difference_make(before, plan, arena, difference);
    if (record == NULL)
        return MR_OK;
    if (before == NULL) /* an older program ran it in a process of its own: only names are known */
        return mr_difference_check_names(record->subtopologies, record->subtopologies_count, plan,
                                         error);
    return mr_difference_check(difference, permit, error);
}

static struct mr_difference_permit permit_of(const struct mr_topology_record *record,
                                             const char *const *drop_state,
                                             uint32_t drop_state_count)
{
    return (struct mr_difference_permit){.used = record != NULL ? record->subtopologies : NULL,
                                         .used_count =
                                             record != NULL ? record->subtopologies_count : 0,
                                         .drop = drop_state,
                                         .drop_count = drop_state_count};
}

enum mr_status mr_jobs_compare(const struct mr_jobs *jobs, const struct mr_topology_record *record,
                               const struct mr_version_record *active, struct mr_slice definition,
                               const char *const *drop_state, uint32_t drop_state_count,
                               struct mr_arena *arena, struct mr_difference *difference,
                               struct mr_error *error)
{
    struct mr_report report;
    struct mr_plan *plan;
    const struct mr_difference_permit permit = permit_of(record, drop_state, drop_state_count);
    mr_jobs_plan(jobs, definition, arena, &report, &plan);
    if (plan == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The definition has %u errors.", report.errors_count);
    return compare(jobs, record, active, plan, &permit, arena, difference, error);
}

enum mr_status mr_jobs_submit(const struct mr_jobs *jobs, struct mr_submission *submission,
                              struct mr_arena *arena, struct mr_error *error)
{
    const struct mr_topology_record *record = submission->record;
    mr_jobs_plan(jobs, submission->definition, arena, &submission->report, &submission->plan);
    if (submission->plan == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The definition has %u errors.", submission->report.errors_count);
    const struct mr_difference_permit permit =
        permit_of(record, submission->drop_state, submission->drop_state_count);
    enum mr_status status = compare(jobs, record, submission->active, submission->plan, &permit,
                                    arena, &submission->difference, error);
    if (status != MR_OK)
        return status;
    const struct mr_plan *plan = submission->plan;
    struct mr_version_record *version = &submission->version;
    *version = (struct mr_version_record){.name = plan->name,
                                          .generation = record != NULL ? record->generation
                                                                       : mr_random_fresh_id(),
                                          .version = record != NULL ? record->version_last + 1 : 1,
                                          .definition = submission->definition,
                                          .plan_hash = plan->hash,
                                          .submitted_ms = mr_clock_wall_ms(),
                                          .memory_bytes = (uint64_t)plan->memory_bytes,
                                          .standbys_count = plan->standbys_count};
    status = bind_plan(jobs, plan, version->generation, submission->dry_run, arena,
                       &version->binding, error);
    if (status == MR_OK && submission->active != NULL)
        mr_binding_keep(&version->binding, &submission->active->binding, arena);
    return status;
}

enum mr_status mr_jobs_bind(const struct mr_jobs *jobs, const struct mr_version_record *version,
                            uint64_t generation, const struct mr_version_record *before,
                            struct mr_arena *arena, struct mr_version_record *bound,
                            struct mr_error *error)
{
    struct mr_plan *plan;
    enum mr_status status = plan_again(jobs, version, arena, &plan, error);
    if (status != MR_OK)
        return status;
    *bound = *version;
    bound->generation = generation;
    status = bind_plan(jobs, plan, generation, false, arena, &bound->binding, error);
    if (status == MR_OK && before != NULL && before->generation == generation)
        mr_binding_keep(&bound->binding, &before->binding, arena);
    return status;
}

/* ---- Fencing, moving ---- */

static struct mr_claimer claimer_of(const struct mr_jobs *jobs,
                                    const struct mr_version_record *version)
{
    return (struct mr_claimer){.log = jobs->log,
                               .cluster = jobs->cluster,
                               .worker = jobs->name,
                               .claims_topic = version->binding.claims.name,
                               .claims_partitions_count = version->binding.claims.partitions_count,
                               .wait_ms = jobs->wait_ms};
}

enum mr_status mr_jobs_fence(const struct mr_jobs *jobs, const struct mr_version_record *version,
                             struct mr_error *error)
{
    const struct mr_claimer claimer = claimer_of(jobs, version);
    for (uint32_t index = 0; index < version->binding.subtopologies_count; index++) {
        const struct mr_bound_subtopology *part = &version->binding.subtopologies[index];
        for (int32_t at = 0; at < part->tasks_count; at++) {
            /* At least once: there may be nothing to fence, and fencing an id that was never used
             * costs little. */
            const struct mr_claim_request request = {.generation = version->generation,
                                                     .subtopology = part->name,
                                                     .partition = at,
                                                     .transactional = true};
            uint64_t epoch;
            if (given_up(jobs))
                return fail_given_up(error);
            enum mr_status status =
                mr_claim_fence_task(&claimer, &request, NULL, NULL, &epoch, error);
            if (status != MR_OK)
                return status;
        }
    }
    return MR_OK;
}

enum mr_status mr_jobs_seek(const struct mr_jobs *jobs, const struct mr_version_record *version,
                            const char *argument, bool check_only, struct mr_error *error)
{
    struct mr_arena arena;
    struct mr_plan *plan;
    uint32_t tasks_count;
    const char *space = strchr(argument, ' ');
    if (space == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A seek needs a source and a place.");
    mr_arena_init(&arena, 1 << 16);
    const struct mr_claimer claimer = claimer_of(jobs, version);
    struct mr_seek seek = {
        .claimer = &claimer,
        .version = version,
        .source = mr_arena_copy_bytes_text(&arena, argument, (size_t)(space - argument)),
        .given_up = jobs->given_up,
        .argument = jobs->argument};
    enum mr_status status = plan_again(jobs, version, &arena, &plan, error);
    seek.plan = plan;
    if (status == MR_OK)
        status = mr_seek_parse(space + 1, &arena, &seek.place, error);
    if (status == MR_OK)
        status = check_only ? mr_seek_check(&seek, error) : mr_seek_run(&seek, &tasks_count, error);
    mr_arena_deinit(&arena);
    return status;
}

/* ---- Deleting ---- */

struct topic_search {
    struct mr_arena *arena;
    const char *prefix;
    const char **names;
    uint32_t names_count;
};

static void topic_visit(void *argument, const char *name)
{
    struct topic_search *search = argument;
    if (search->names_count < TOPICS_MAX &&
        strncmp(name, search->prefix, strlen(search->prefix)) == 0)
        search->names[search->names_count++] = mr_arena_copy_text(search->arena, name);
}

enum mr_status mr_jobs_delete(const struct mr_jobs *jobs, const char *topology, uint64_t generation,
                              struct mr_error *error)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 1 << 14);
    struct topic_search search = {.arena = &arena,
                                  .prefix = mr_arena_format(&arena, "%s.%s.%016" PRIx64 ".",
                                                            jobs->cluster, topology, generation),
                                  .names = mr_arena_new(&arena, TOPICS_MAX, sizeof(char *))};
    enum mr_status status = jobs->log->ops->topics_list(jobs->log, topic_visit, &search, error);
    for (uint32_t index = 0; index < search.names_count && status == MR_OK; index++) {
        status = given_up(jobs)
                     ? fail_given_up(error)
                     : jobs->log->ops->topic_delete(jobs->log, search.names[index], error);
        if (status == MR_NOT_FOUND)
            status = MR_OK;
    }
    mr_arena_deinit(&arena);
    return status;
}

/* ---- Watching ---- */

/* As much of a deployment as watching needs. */
static struct mr_deployment *deployment_of(const struct mr_version_record *version,
                                           const struct mr_plan *plan, struct mr_arena *arena)
{
    struct mr_deployment *deployment = mr_arena_new(arena, 1, sizeof(*deployment));
    deployment->plan = plan;
    deployment->generation = version->generation;
    deployment->nodes = mr_arena_new(arena, plan->nodes_count, sizeof(*deployment->nodes));
    for (uint32_t index = 0; index < plan->nodes_count; index++) {
        const struct mr_bound_node *bound =
            mr_binding_node(&version->binding, plan->nodes[index].name);
        if (bound == NULL)
            continue;
        struct mr_deployed_topic *topics =
            mr_arena_new(arena, bound->topics_count + 1u, sizeof(*topics));
        for (uint32_t at = 0; at < bound->topics_count; at++)
            topics[at] =
                (struct mr_deployed_topic){.name = bound->topics[at].name,
                                           .topic_id = bound->topics[at].topic_id,
                                           .partitions_count = bound->topics[at].partitions_count};
        deployment->nodes[index] =
            (struct mr_deployed_node){.topics = topics,
                                      .topics_count = bound->topics_count,
                                      .partitions_count = bound->partitions_count};
    }
    return deployment;
}

enum mr_status mr_jobs_watch(const struct mr_jobs *jobs, const struct mr_version_record *version,
                             bool *grown, struct mr_error *error)
{
    struct mr_arena arena;
    struct mr_plan *plan;
    mr_arena_init(&arena, 1 << 16);
    *grown = false;
    enum mr_status status = plan_again(jobs, version, &arena, &plan, error);
    if (status == MR_OK)
        status = mr_deployment_watch(jobs->log, deployment_of(version, plan, &arena), grown, error);
    mr_arena_deinit(&arena);
    return status;
}
