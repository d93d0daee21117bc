/* coordinator/deploy.c — plans bound to topics and partition counts. */
#include "coordinator/deploy.h"

#include "base/clock.h"
#include "base/limits.h"

#include <inttypes.h>
#include <regex.h>
#include <stdio.h>

enum {
    CLAIMS_PARTITIONS = 8,
    CLAIMS_SEGMENT_MS = 600000, /* who claims reads a partition from its start */
    PATTERN_TOPICS_MAX = 1000,
    TOPIC_NAME_MAX = 249,
    DESCRIBE_TRIES = 40,
    DESCRIBE_PAUSE_MS = 50,
    PATIENT_TRIES = 3,
    PATIENT_PAUSE_MS = 300
};

struct deploying {
    struct mr_log *log;
    const struct mr_plan *plan;
    const struct mr_deploy_options *options;
    struct mr_arena *arena;
    struct mr_deployment *deployment;
};

static enum mr_status describe(struct deploying *deploying, const char *name,
                               struct mr_deployed_topic *topic, struct mr_error *error)
{
    struct mr_log_topic found;
    enum mr_status status =
        deploying->log->ops->topic_describe(deploying->log, name, &found, error);
    if (status != MR_OK)
        return status;
    *topic =
        (struct mr_deployed_topic){.name = mr_arena_copy_text(deploying->arena, name),
                                   .topic_id = mr_arena_copy_text(deploying->arena, found.topic_id),
                                   .partitions_count = found.partitions_count,
                                   .message_bytes_max = found.message_bytes_max,
                                   .delete_retention_ms = found.delete_retention_ms};
    return MR_OK;
}

/* Describe a topic that somebody else makes: one that was made a moment ago may
 * not be known to the broker that is asked. */
static enum mr_status describe_patiently(struct deploying *deploying, const char *name,
                                         struct mr_deployed_topic *topic, struct mr_error *error)
{
    enum mr_status status = describe(deploying, name, topic, error);
    for (int tries = 0; status == MR_NOT_FOUND && tries < PATIENT_TRIES; tries++) {
        mr_clock_sleep_ms(PATIENT_PAUSE_MS);
        status = describe(deploying, name, topic, error);
    }
    return status;
}

/* Describe a topic, creating it when it is missing. */
static enum mr_status ensure(struct deploying *deploying, const struct mr_log_topic_create *create,
                             struct mr_deployed_topic *topic, struct mr_error *error)
{
    enum mr_status status = describe(deploying, create->name, topic, error);
    if (status != MR_NOT_FOUND)
        return status;
    if (deploying->options->dry_run) {
        *topic = (struct mr_deployed_topic){
            .name = mr_arena_copy_text(deploying->arena, create->name),
            .topic_id = "",
            .partitions_count = create->partitions_count > 0 ? create->partitions_count : 1};
        return MR_OK;
    }
    if (deploying->options->given_up != NULL &&
        deploying->options->given_up(deploying->options->argument))
        return MR_FAIL(error, MR_CLOSED, MR_RECOVERY_RETRY,
                       "The coordinator stops, or leads no more.");
    status = deploying->log->ops->topic_create(deploying->log, create, error);
    /* A topic that was just created may take a moment to be known to every
     * broker. */
    for (int tries = 0; status == MR_OK && tries < DESCRIBE_TRIES; tries++) {
        status = describe(deploying, create->name, topic, error);
        if (status != MR_NOT_FOUND)
            return status;
        mr_clock_sleep_ms(DESCRIBE_PAUSE_MS);
        status = MR_OK;
    }
    if (status == MR_OK)
        return MR_FAIL(error, MR_TIMEOUT, MR_RECOVERY_RETRY,
                       "Topic %s was created but is not described yet.", create->name);
    return status;
}

static enum mr_status ensure_internal(struct deploying *deploying, const char *name,
                                      int32_t partitions_count, enum mr_log_cleanup cleanup,
                                      int64_t segment_ms, struct mr_deployed_topic *topic,
                                      struct mr_error *error)
{
    struct mr_log_topic_create create = {.name = name,
                                         .partitions_count = partitions_count,
                                         .replication_factor = -1,
                                         .cleanup = cleanup,
                                         .retention_ms = -1,
                                         .segment_ms = segment_ms};
    if (strlen(name) > TOPIC_NAME_MAX)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The internal topic %s would have a name of more than %d characters; "
                       "shorten the names of the cluster, the topology or the operator.",
                       name, TOPIC_NAME_MAX);
    return ensure(deploying, &create, topic, error);
}

/* ---- Sources and sinks ---- */

static enum mr_status source_missing(const struct mr_plan_node *node, const char *topic,
                                     struct mr_error *error)
{
    return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                   "Source \"%s\" reads topic \"%s\", which does not exist. "
                   "Create it, or correct "
                   "`topic`.",
                   node->name, topic);
}

static enum mr_status add_source_topic(struct deploying *deploying, const struct mr_plan_node *node,
                                       const char *name, struct mr_deployed_topic *topic,
                                       struct mr_error *error)
{
    struct mr_log_topic_create create = {.name = name,
                                         .partitions_count = deploying->options->partitions_count,
                                         .replication_factor = -1};
    if (deploying->options->embedded)
        return ensure(deploying, &create, topic, error);
    enum mr_status status = describe_patiently(deploying, name, topic, error);
    return status == MR_NOT_FOUND ? source_missing(node, name, error) : status;
}

struct pattern_search {
    struct deploying *deploying;
    regex_t expression;
    const char **names;
    uint32_t names_count;
};

static void pattern_visit(void *argument, const char *name)
{
    struct pattern_search *search = argument;
    if (search->names_count < PATTERN_TOPICS_MAX &&
        regexec(&search->expression, name, 0, NULL, 0) == 0)
        search->names[search->names_count++] = mr_arena_copy_text(search->deploying->arena, name);
}

static enum mr_status pattern_topics(struct deploying *deploying, const struct mr_plan_node *node,
                                     const char *pattern, const char ***names,
                                     uint32_t *names_count, struct mr_error *error)
{
    struct pattern_search search = {.deploying = deploying};
    char *anchored = mr_arena_format(deploying->arena, "^(%s)$", pattern);
    if (regcomp(&search.expression, anchored, REG_EXTENDED | REG_NOSUB) != 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Source \"%s\": `pattern` is not a POSIX extended regular "
                       "expression: %s",
                       node->name, pattern);
    search.names = mr_arena_new(deploying->arena, PATTERN_TOPICS_MAX, sizeof(*search.names));
    enum mr_status status =
        deploying->log->ops->topics_list(deploying->log, pattern_visit, &search, error);
    regfree(&search.expression);
    if (status != MR_OK)
        return status;
    if (search.names_count == 0)
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Source \"%s\": no topic matches the pattern %s.", node->name, pattern);
    *names = search.names;
    *names_count = search.names_count;
    return MR_OK;
}

static enum mr_status source_names(struct deploying *deploying, const struct mr_plan_node *node,
                                   const char ***names, uint32_t *names_count,
                                   struct mr_error *error)
{
    const struct mr_option_value *topics = mr_options_get(&node->options, "topics");
    const char *topic = mr_options_text(&node->options, "topic");
    const char *pattern = mr_options_text(&node->options, "pattern");
    if (pattern != NULL)
        return pattern_topics(deploying, node, pattern, names, names_count, error);
    *names_count = topic != NULL ? 1 : topics->count;
    *names = mr_arena_new(deploying->arena, *names_count, sizeof(**names));
    for (uint32_t index = 0; index < *names_count; index++)
        (*names)[index] = topic != NULL ? topic : topics->texts[index];
    return MR_OK;
}

static enum mr_status deploy_source(struct deploying *deploying, const struct mr_plan_node *node,
                                    struct mr_error *error)
{
    struct mr_deployed_node *deployed = &deploying->deployment->nodes[node->index];
    const char **names = NULL;
    uint32_t names_count = 0;
    if ((node->type->flags & MR_TYPE_LOG) == 0) {
        deployed->partitions_count = mr_option_specs_find(node->type->options, "partitions") >= 0
                                         ? (int32_t)mr_options_integer(&node->options, "partitions")
                                         : 1;
        return MR_OK;
    }
    enum mr_status status = source_names(deploying, node, &names, &names_count, error);
    if (status != MR_OK)
        return status;
    struct mr_deployed_topic *topics = mr_arena_new(deploying->arena, names_count, sizeof(*topics));
    for (uint32_t index = 0; index < names_count; index++) {
        status = add_source_topic(deploying, node, names[index], &topics[index], error);
        if (status != MR_OK)
            return status;
        if (topics[index].partitions_count > deployed->partitions_count)
            deployed->partitions_count = topics[index].partitions_count;
    }
    deployed->topics = topics;
    deployed->topics_count = names_count;
    if (deployed->partitions_count > MR_LIMIT_PARTITIONS)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Source \"%s\" reads a topic of %d partitions; at most %d are supported.",
                       node->name, deployed->partitions_count, MR_LIMIT_PARTITIONS);
    return MR_OK;
}

static enum mr_status deploy_sink(struct deploying *deploying, const struct mr_plan_node *node,
                                  struct mr_error *error)
{
    struct mr_deployed_node *deployed = &deploying->deployment->nodes[node->index];
    if ((node->type->flags & MR_TYPE_LOG) == 0 || node->topic_from != NULL)
        return MR_OK;
    const char *name = mr_options_text(&node->options, "topic");
    const struct mr_option_value *creation = mr_options_get(&node->options, "create_topic");
    struct mr_deployed_topic *topic = mr_arena_new(deploying->arena, 1, sizeof(*topic));
    struct mr_log_topic_create create = {.name = name,
                                         .partitions_count = deploying->options->partitions_count,
                                         .replication_factor = -1};
    if (create.partitions_count == 0)
        create.partitions_count = -1; /* the cluster's default */
    if (creation->present && creation->objects != NULL) {
        if (mr_options_present(creation->objects, "partitions"))
            create.partitions_count = (int32_t)mr_options_integer(creation->objects, "partitions");
        if (mr_options_present(creation->objects, "replication_factor"))
            create.replication_factor =
                (int16_t)mr_options_integer(creation->objects, "replication_factor");
        if (mr_options_present(creation->objects, "retention"))
            create.retention_ms = mr_options_integer(creation->objects, "retention");
    }
    enum mr_status status;
    if (deploying->options->embedded || creation->given) {
        status = ensure(deploying, &create, topic, error);
    } else {
        status = describe_patiently(deploying, name, topic, error);
        if (status == MR_NOT_FOUND)
            status = MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                             "Sink \"%s\" writes topic \"%s\", which does not exist. "
                             "Create it, or "
                             "let Millrace do so with `create_topic: {partitions: N}`.",
                             node->name, name);
    }
    deployed->topics = topic;
    deployed->topics_count = 1;
    deployed->partitions_count = topic->partitions_count;
    return status;
}

/* ---- Tasks ---- */

static enum mr_status check_copartitioned(const struct deploying *deploying,
                                          const struct mr_plan_subtopology *subtopology,
                                          struct mr_error *error)
{
    const struct mr_deployed_topic *first = NULL;
    if (!subtopology->stateful)
        return MR_OK;
    for (uint32_t source = 0; source < subtopology->sources_count; source++) {
        uint32_t node = subtopology->sources[source];
        const struct mr_deployed_node *deployed = &deploying->deployment->nodes[node];
        for (uint32_t index = 0;
             index < deployed->topics_count && !deploying->plan->nodes[node].is_broadcast;
             index++) {
            const struct mr_deployed_topic *topic = &deployed->topics[index];
            if (first != NULL && first->partitions_count != topic->partitions_count)
                return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                               "Topics %s (%d partitions) and %s (%d) feed the same keyed state "
                               "(%s) and must have as many partitions as each other; put a key_by "
                               "behind one of the sources.",
                               first->name, first->partitions_count, topic->name,
                               topic->partitions_count, subtopology->name);
            first = topic;
        }
    }
    return MR_OK;
}

/* How many tasks a subtopology gets from a repartition that it reads, as far as
 * is known yet. */
static int32_t repartition_width(const struct deploying *deploying, uint32_t index)
{
    const struct mr_plan_repartition *repartition = &deploying->plan->repartitions[index];
    if (repartition->single_partition)
        return 1;
    int32_t wide = deploying->deployment->subtopologies[repartition->from_subtopology].tasks_count;
    return wide > deploying->options->partitions_count ? wide
                                                       : deploying->options->partitions_count;
}

/* Sources whose partitions are tasks; tables that every task reads are not. */
static uint32_t own_sources(const struct mr_plan *plan,
                            const struct mr_plan_subtopology *subtopology)
{
    uint32_t count = 0;
    for (uint32_t index = 0; index < subtopology->sources_count; index++)
        count += !plan->nodes[subtopology->sources[index]].is_broadcast;
    return count;
}

/* State that a source feeds directly: its partitions are those of the keys, and
 * repartitions into the same tasks have as many. */
static bool follows_sources(const struct deploying *deploying, uint32_t index)
{
    const struct mr_plan_subtopology *planned = &deploying->plan->subtopologies[index];
    return planned->stateful && own_sources(deploying->plan, planned) > 0;
}

/* Tasks of a subtopology: its widest input. Repartitions are as wide as the
 * tasks that write them, so that widths spread along them, at most as many
 * steps as there are subtopologies. */
static void count_tasks(struct deploying *deploying)
{
    const struct mr_plan *plan = deploying->plan;
    struct mr_deployed_subtopology *deployed = deploying->deployment->subtopologies;
    bool spreads = true;
    for (uint32_t index = 0; index < plan->subtopologies_count; index++)
        for (uint32_t source = 0; source < plan->subtopologies[index].sources_count; source++) {
            uint32_t node = plan->subtopologies[index].sources[source];
            int32_t wide = deploying->deployment->nodes[node].partitions_count;
            if (!plan->nodes[node].is_broadcast && wide > deployed[index].tasks_count)
                deployed[index].tasks_count = wide;
        }
    for (uint32_t step = 0; step < plan->subtopologies_count && spreads; step++) {
        spreads = false;
        for (uint32_t index = 0; index < plan->subtopologies_count; index++)
            for (uint32_t read = 0; !follows_sources(deploying, index) &&
                                    read < plan->subtopologies[index].repartitions_count;
                 read++) {
                int32_t wide =
                    repartition_width(deploying, plan->subtopologies[index].repartitions[read]);
                if (wide <= deployed[index].tasks_count)
                    continue;
                deployed[index].tasks_count = wide;
                spreads = true;
            }
    }
}

static enum mr_status check_subtopology(struct deploying *deploying, uint32_t index,
                                        struct mr_error *error)
{
    const struct mr_plan_subtopology *planned = &deploying->plan->subtopologies[index];
    int32_t count = deploying->deployment->subtopologies[index].tasks_count;
    if (count > MR_LIMIT_PARTITIONS)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "\"%s\" would have %d tasks; at most %d are supported.", planned->name,
                       count, MR_LIMIT_PARTITIONS);
    return check_copartitioned(deploying, planned, error);
}

static enum mr_status frozen_count(const struct mr_plan_subtopology *subtopology,
                                   const struct mr_deployed_topic *topic, int32_t wanted,
                                   struct mr_error *error)
{
    if (topic->partitions_count == wanted)
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "blocked: repartition needed. \"%s\" has state in %d tasks, its source "
                   "now has "
                   "%d partitions: keys would move away from their state. Write the source "
                   "into a "
                   "topic with the old count, or start the topology under a new name.",
                   subtopology->name, topic->partitions_count, wanted);
}

/* State that is fed by repartitions only keeps its number of tasks when a
 * source behind them grows: who writes a repartition goes by that topic's
 * partitions, so keys stay where their state is. */
static enum mr_status keep_count(const struct deploying *deploying, const char *changelog,
                                 int32_t *tasks_count, struct mr_error *error)
{
    struct mr_log_topic found;
    enum mr_status status =
        deploying->log->ops->topic_describe(deploying->log, changelog, &found, error);
    if (status == MR_OK)
        *tasks_count = found.partitions_count;
    return status == MR_NOT_FOUND ? MR_OK : status;
}

static enum mr_status deploy_subtopology(struct deploying *deploying, uint32_t index,
                                         struct mr_error *error)
{
    const struct mr_plan_subtopology *planned = &deploying->plan->subtopologies[index];
    struct mr_deployment *deployment = deploying->deployment;
    struct mr_deployed_subtopology *deployed = &deployment->subtopologies[index];
    enum mr_status status = MR_OK;
    char *name = mr_arena_format(deploying->arena, "%s.%s.%016" PRIx64 ".%s.%s",
                                 deployment->cluster, deploying->plan->name, deployment->generation,
                                 planned->name, planned->stateful ? "changelog" : "progress");
    if (planned->stateful && own_sources(deploying->plan, planned) == 0)
        status = keep_count(deploying, name, &deployed->tasks_count, error);
    if (status != MR_OK)
        return status;
    status = ensure_internal(deploying, name, deployed->tasks_count, MR_LOG_CLEANUP_COMPACT, 0,
                             &deployed->log_topic, error);
    if (status == MR_OK && !planned->stateful &&
        deployed->log_topic.partitions_count < deployed->tasks_count) {
        deployed->tasks_before = deployed->log_topic.partitions_count;
        if (!deploying->options->dry_run)
            status =
                deploying->log->ops->topic_grow(deploying->log, name, deployed->tasks_count, error);
        if (status == MR_OK)
            deployed->log_topic.partitions_count = deployed->tasks_count;
        return status;
    }
    return status == MR_OK && planned->stateful
               ? frozen_count(planned, &deployed->log_topic, deployed->tasks_count, error)
               : status;
}

static enum mr_status deploy_repartition(struct deploying *deploying, uint32_t index,
                                         struct mr_error *error)
{
    const struct mr_plan_repartition *planned = &deploying->plan->repartitions[index];
    struct mr_deployment *deployment = deploying->deployment;
    int32_t partitions_count = deployment->subtopologies[planned->to_subtopology].tasks_count;
    char *name = mr_arena_format(deploying->arena, "%s.%s.%016" PRIx64 ".%s", deployment->cluster,
                                 deploying->plan->name, deployment->generation, planned->name);
    return ensure_internal(deploying, name, planned->single_partition ? 1 : partitions_count,
                           MR_LOG_CLEANUP_DELETE, 0, &deployment->repartitions[index], error);
}

/* ---- All ---- */

static enum mr_status deploy_nodes(struct deploying *deploying, struct mr_error *error)
{
    for (uint32_t index = 0; index < deploying->plan->nodes_count; index++) {
        const struct mr_plan_node *node = &deploying->plan->nodes[index];
        enum mr_status status = MR_OK;
        if (node->type->role == MR_ROLE_SOURCE)
            status = deploy_source(deploying, node, error);
        else if (node->type->role == MR_ROLE_SINK)
            status = deploy_sink(deploying, node, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

static enum mr_status deploy_dead_letters(struct deploying *deploying, struct mr_error *error)
{
    int32_t widest = 1;
    for (uint32_t index = 0; index < deploying->plan->nodes_count; index++)
        if (deploying->plan->nodes[index].type->role == MR_ROLE_SOURCE &&
            deploying->deployment->nodes[index].partitions_count > widest)
            widest = deploying->deployment->nodes[index].partitions_count;
    struct mr_log_topic_create create = {
        .name = mr_arena_format(deploying->arena, "%s.dead-letters", deploying->plan->name),
        .partitions_count = widest,
        .replication_factor = -1};
    return ensure(deploying, &create, &deploying->deployment->dead_letters, error);
}

static enum mr_status deploy_cluster(struct deploying *deploying, struct mr_error *error)
{
    struct mr_deployment *deployment = deploying->deployment;
    char *claims_name = mr_arena_format(deploying->arena, "%s.claims", deploying->options->cluster);
    enum mr_status status =
        deploying->log->ops->cluster_id(deploying->log, deployment->cluster_id, error);
    return status == MR_OK
               ? ensure_internal(deploying, claims_name, CLAIMS_PARTITIONS, MR_LOG_CLEANUP_COMPACT,
                                 CLAIMS_SEGMENT_MS, &deployment->claims, error)
               : status;
}

enum mr_status mr_deploy(struct mr_log *log, const struct mr_plan *plan,
                         const struct mr_deploy_options *options, struct mr_arena *arena,
                         struct mr_deployment **deployment, struct mr_error *error)
{
    struct mr_deployment *created = mr_arena_new(arena, 1, sizeof(*created));
    struct deploying deploying = {
        .log = log, .plan = plan, .options = options, .arena = arena, .deployment = created};
    created->plan = plan;
    created->cluster = options->cluster;
    created->generation = options->generation;
    created->nodes = mr_arena_new(arena, plan->nodes_count, sizeof(*created->nodes));
    created->subtopologies =
        mr_arena_new(arena, plan->subtopologies_count, sizeof(*created->subtopologies));
    created->repartitions =
        mr_arena_new(arena, plan->repartitions_count + 1u, sizeof(*created->repartitions));
    enum mr_status status = deploy_nodes(&deploying, error);
    if (status == MR_OK)
        count_tasks(&deploying);
    for (uint32_t index = 0; index < plan->subtopologies_count && status == MR_OK; index++)
        status = check_subtopology(&deploying, index, error);
    if (status == MR_OK)
        status = deploy_cluster(&deploying, error);
    for (uint32_t index = 0; index < plan->subtopologies_count && status == MR_OK; index++)
        status = deploy_subtopology(&deploying, index, error);
    for (uint32_t index = 0; index < plan->repartitions_count && status == MR_OK; index++)
        status = deploy_repartition(&deploying, index, error);
    if (status == MR_OK)
        status = deploy_dead_letters(&deploying, error);
    if (status == MR_OK)
        *deployment = created;
    return status;
}

/* ---- Watching ---- */

static enum mr_status watch_topic(struct mr_log *log, const struct mr_deployment *deployment,
                                  const struct mr_plan_node *node,
                                  const struct mr_deployed_topic *topic, bool *grown,
                                  struct mr_error *error)
{
    struct mr_log_topic found;
    enum mr_status status = log->ops->topic_describe(log, topic->name, &found, error);
    if (status == MR_NOT_FOUND || (status == MR_OK && strcmp(found.topic_id, topic->topic_id) != 0))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Topic %s was deleted%s while the topology read it; its "
                       "offsets no longer "
                       "mean what the tasks have stored. Start the topology under "
                       "a new name to "
                       "read the new topic.",
                       topic->name, status == MR_OK ? " and created anew" : "");
    if (status != MR_OK || found.partitions_count <= topic->partitions_count)
        return status;
    if (!node->is_broadcast && deployment->plan->subtopologies[node->subtopology].stateful)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "blocked: repartition needed. Topic %s has grown from %d to "
                       "%d partitions "
                       "under keyed state: keys would move away from their state. "
                       "Write the source "
                       "into a topic with the old count, or start the topology "
                       "under a new name.",
                       topic->name, topic->partitions_count, found.partitions_count);
    *grown = true;
    return MR_OK;
}

/* A source with a pattern reads topics that appear later, too. */
static enum mr_status watch_pattern(struct mr_log *log, const struct mr_plan_node *node,
                                    const struct mr_deployed_node *deployed, bool *grown,
                                    struct mr_error *error)
{
    const char *pattern = mr_options_text(&node->options, "pattern");
    struct mr_arena arena;
    const char **names = NULL;
    uint32_t names_count = 0;
    if (pattern == NULL)
        return MR_OK;
    mr_arena_init(&arena, 1 << 14);
    struct deploying deploying = {.log = log, .arena = &arena};
    enum mr_status status = pattern_topics(&deploying, node, pattern, &names, &names_count, error);
    if (status == MR_OK && names_count > deployed->topics_count)
        *grown = true;
    mr_arena_deinit(&arena);
    return status;
}

enum mr_status mr_deployment_watch(struct mr_log *log, const struct mr_deployment *deployment,
                                   bool *grown, struct mr_error *error)
{
    *grown = false;
    for (uint32_t index = 0; index < deployment->plan->nodes_count; index++) {
        const struct mr_plan_node *node = &deployment->plan->nodes[index];
        const struct mr_deployed_node *deployed = &deployment->nodes[index];
        for (uint32_t topic = 0;
             node->type->role == MR_ROLE_SOURCE && topic < deployed->topics_count; topic++) {
            enum mr_status status =
                watch_topic(log, deployment, node, &deployed->topics[topic], grown, error);
            if (status != MR_OK)
                return status;
        }
        if (deployed->topics_count > 0 && node->type->role == MR_ROLE_SOURCE) {
            enum mr_status status = watch_pattern(log, node, deployed, grown, error);
            if (status != MR_OK)
                return status;
        }
    }
    return MR_OK;
}
