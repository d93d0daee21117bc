/* worker/binding.c — from a definition and its binding to a deployment. */
#include "worker/binding.h"

#include "base/memory.h"

#include <inttypes.h>
#include <stdio.h>

enum { ARENA_CHUNK_BYTES = 1 << 16 };

struct mr_bound_version {
    struct mr_arena arena;
    struct mr_plan *plan;
    struct mr_deployment deployment;
};

static struct mr_deployed_topic deploy_topic(const struct mr_bound_topic *topic,
                                             struct mr_arena *arena)
{
    return (struct mr_deployed_topic){.name = mr_arena_copy_text(arena, topic->name),
                                      .topic_id = mr_arena_copy_text(arena, topic->topic_id),
                                      .partitions_count = topic->partitions_count,
                                      .message_bytes_max = topic->message_bytes_max,
                                      .delete_retention_ms = topic->delete_retention_ms};
}

/* The plan of a definition; the first error of a definition that is not sound here. */
static enum mr_status make_plan(struct mr_bound_version *version, const struct mr_bound_open *open,
                                struct mr_error *error)
{
    const struct mr_topology_reply *reply = open->reply;
    struct mr_report report;
    struct mr_slice text = mr_arena_copy(&version->arena, reply->definition);
    mr_report_init(&report, &version->arena, mr_arena_copy_text(&version->arena, reply->name));
    mr_topology_parse(text, open->catalogue, NULL, &version->arena, &report, &version->plan);
    for (uint32_t index = 0; version->plan == NULL && index < report.findings_count; index++)
        if (report.findings[index].severity == MR_SEVERITY_ERROR)
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "This worker (build %s) cannot plan the definition: line %u: %s",
                           MILLRACE_VERSION, report.findings[index].location.line,
                           report.findings[index].message);
    if (version->plan == NULL)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "This worker (build %s) cannot plan the definition.", MILLRACE_VERSION);
    if (version->plan->hash != reply->plan_hash)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "This worker (build %s) plans the topology otherwise than the coordinator "
                       "(plan %016" PRIx64 ", not %016" PRIx64 "); run the same version of both, "
                       "and with time zones the same tzdata, then submit it again.",
                       MILLRACE_VERSION, version->plan->hash, reply->plan_hash);
    return MR_OK;
}

static enum mr_status mismatch(const char *what, const char *name, struct mr_error *error)
{
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "The coordinator's binding does not fit the plan: %s \"%s\"; run the same "
                   "version of coordinator and worker.",
                   what, name);
}

static struct mr_deployed_node deploy_node(const struct mr_bound_node *bound,
                                           struct mr_arena *arena)
{
    struct mr_deployed_topic *topics =
        mr_arena_new(arena, bound->topics_count + 1u, sizeof(*topics));
    for (uint32_t index = 0; index < bound->topics_count; index++)
        topics[index] = deploy_topic(&bound->topics[index], arena);
    return (struct mr_deployed_node){.topics = bound->topics_count > 0 ? topics : NULL,
                                     .topics_count = bound->topics_count,
                                     .partitions_count = bound->partitions_count};
}

/* Every source and every sink of a literal topic has topics; nothing is bound that the plan lacks.
 */
static enum mr_status bind_nodes(struct mr_bound_version *version, const struct mr_binding *binding,
                                 struct mr_error *error)
{
    const struct mr_plan *plan = version->plan;
    version->deployment.nodes =
        mr_arena_new(&version->arena, plan->nodes_count + 1u, sizeof(struct mr_deployed_node));
    for (uint32_t index = 0; index < binding->nodes_count; index++) {
        const struct mr_plan_node *node = mr_plan_node_find(plan, binding->nodes[index].name);
        if (node == NULL)
            return mismatch("it has no node", binding->nodes[index].name, error);
        version->deployment.nodes[node->index] =
            deploy_node(&binding->nodes[index], &version->arena);
    }
    for (uint32_t index = 0; index < plan->nodes_count; index++) {
        const struct mr_plan_node *node = &plan->nodes[index];
        const struct mr_deployed_node *bound = &version->deployment.nodes[index];
        bool on_log = (node->type->flags & MR_TYPE_LOG) != 0;
        if (node->type->role == MR_ROLE_SOURCE && bound->partitions_count < 1)
            return mismatch("no partitions are bound to source", node->name, error);
        if (on_log && node->topic_from == NULL && bound->topics_count == 0)
            return mismatch("no topic is bound to", node->name, error);
    }
    return MR_OK;
}

int32_t mr_bound_subtopology_find(const struct mr_plan *plan, const char *name)
{
    for (uint32_t index = 0; index < plan->subtopologies_count; index++)
        if (strcmp(plan->subtopologies[index].name, name) == 0)
            return (int32_t)index;
    return -1;
}

static enum mr_status bind_subtopologies(struct mr_bound_version *version,
                                         const struct mr_binding *binding, struct mr_error *error)
{
    const struct mr_plan *plan = version->plan;
    struct mr_deployed_subtopology *subtopologies =
        mr_arena_new(&version->arena, plan->subtopologies_count + 1u, sizeof(*subtopologies));
    version->deployment.subtopologies = subtopologies;
    for (uint32_t index = 0; index < binding->subtopologies_count; index++) {
        const struct mr_bound_subtopology *bound = &binding->subtopologies[index];
        int32_t found = mr_bound_subtopology_find(plan, bound->name);
        if (found < 0)
            return mismatch("it has no subtopology", bound->name, error);
        if (plan->subtopologies[found].stateful != bound->stateful)
            return mismatch("only one of them keeps state in subtopology", bound->name, error);
        if (bound->tasks_count < 1 || bound->log_topic.partitions_count < bound->tasks_count)
            return mismatch("the tasks do not fit the log topic of", bound->name, error);
        subtopologies[found] = (struct mr_deployed_subtopology){
            .tasks_count = bound->tasks_count,
            .tasks_before = bound->tasks_before,
            .log_topic = deploy_topic(&bound->log_topic, &version->arena)};
    }
    for (uint32_t index = 0; index < plan->subtopologies_count; index++)
        if (subtopologies[index].tasks_count == 0)
            return mismatch("nothing is bound to subtopology", plan->subtopologies[index].name,
                            error);
    return MR_OK;
}

static enum mr_status bind_repartitions(struct mr_bound_version *version,
                                        const struct mr_binding *binding, struct mr_error *error)
{
    const struct mr_plan *plan = version->plan;
    version->deployment.repartitions = mr_arena_new(&version->arena, plan->repartitions_count + 1u,
                                                    sizeof(struct mr_deployed_topic));
    for (uint32_t index = 0; index < plan->repartitions_count; index++) {
        const char *name = plan->repartitions[index].name;
        const struct mr_bound_node *bound = NULL;
        for (uint32_t other = 0; other < binding->repartitions_count && bound == NULL; other++)
            if (strcmp(binding->repartitions[other].name, name) == 0)
                bound = &binding->repartitions[other];
        if (bound == NULL || bound->topics_count != 1 || bound->topics[0].partitions_count < 1)
            return mismatch("no topic is bound to repartition", name, error);
        version->deployment.repartitions[index] = deploy_topic(&bound->topics[0], &version->arena);
    }
    if (binding->repartitions_count != plan->repartitions_count)
        return mismatch("the number of repartitions differs in", plan->name, error);
    return MR_OK;
}

static enum mr_status bind_cluster(struct mr_bound_version *version,
                                   const struct mr_bound_open *open, struct mr_error *error)
{
    const struct mr_binding *binding = &open->reply->binding;
    struct mr_deployment *deployment = &version->deployment;
    if (strcmp(binding->cluster_id, open->log_cluster_id) != 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "This worker is connected to the Kafka cluster %s and the coordinator to "
                       "%s; give both the same --brokers.",
                       open->log_cluster_id, binding->cluster_id);
    if (binding->claims.partitions_count < 1)
        return mismatch("there is no claims topic for", open->cluster, error);
    deployment->plan = version->plan;
    deployment->cluster = open->cluster;
    deployment->generation = open->reply->generation;
    (void)snprintf(deployment->cluster_id, sizeof(deployment->cluster_id), "%s",
                   binding->cluster_id);
    deployment->dead_letters = deploy_topic(&binding->dead_letters, &version->arena);
    deployment->claims = deploy_topic(&binding->claims, &version->arena);
    return MR_OK;
}

enum mr_status mr_bound_version_open(const struct mr_bound_open *open,
                                     struct mr_bound_version **version, struct mr_error *error)
{
    struct mr_bound_version *made = mr_memory_new(1, sizeof(*made));
    const struct mr_binding *binding = &open->reply->binding;
    mr_arena_init(&made->arena, ARENA_CHUNK_BYTES);
    enum mr_status status = make_plan(made, open, error);
    if (status == MR_OK)
        status = bind_cluster(made, open, error);
    if (status == MR_OK)
        status = bind_nodes(made, binding, error);
    if (status == MR_OK)
        status = bind_subtopologies(made, binding, error);
    if (status == MR_OK)
        status = bind_repartitions(made, binding, error);
    if (status != MR_OK) {
        mr_bound_version_close(made);
        return status;
    }
    *version = made;
    return MR_OK;
}

void mr_bound_version_close(struct mr_bound_version *version)
{
    if (version == NULL)
        return;
    mr_arena_deinit(&version->arena);
    mr_memory_free(version);
}

const struct mr_deployment *mr_bound_version_deployment(const struct mr_bound_version *version)
{
    return &version->deployment;
}
