/* coordinator/standalone.c — one topology's place in the control topic, without a coordinator.
 * Order: look for a live leader before the control id is initialised (which would end it), read
 * again afterwards (what was written in between). The generation is committed before topics are
 * made under it, so that none is left that nobody knows of; the names of the subtopologies after
 * that, so that a plan that cannot be bound leaves none. */
#include "coordinator/standalone.h"

#include "base/clock.h"
#include "base/limits.h"
#include "base/random.h"
#include "coordinator/control_log.h"
#include "coordinator/difference.h"
#include "proto/codec.h"

#include <inttypes.h>
#include <stdio.h>

enum { KEY_SIZE = 96 };

struct standalone {
    struct mr_log *log;
    const struct mr_standalone_version *version;
    const struct mr_plan *plan;
    const struct mr_deploy_options *options;
    struct mr_arena *arena;
    struct mr_control_log *control;
    char key[KEY_SIZE];
    bool led; /* there is a leader record */
    struct mr_leader_record leader;
    int64_t leader_written_ms;
    bool found;
    struct mr_topology_record record;
};

static enum mr_status visit(void *argument, struct mr_slice key, struct mr_slice value,
                            int64_t written_ms, struct mr_error *error)
{
    struct standalone *standalone = argument;
    if (mr_slice_equal(key, mr_slice_text("leader")) && value.size > 0) {
        standalone->led = true;
        standalone->leader_written_ms = written_ms;
        return mr_leader_record_decode(value, standalone->arena, &standalone->leader, error);
    }
    if (!mr_slice_equal(key, mr_slice_text(standalone->key)))
        return MR_OK;
    standalone->found = value.size > 0;
    return standalone->found
               ? mr_topology_record_decode(value, standalone->arena, &standalone->record, error)
               : MR_OK;
}

static enum mr_status check_free(const struct standalone *standalone, struct mr_error *error)
{
    int64_t age_ms = mr_clock_wall_ms() - standalone->leader_written_ms;
    if (standalone->led && !standalone->leader.resigned && age_ms < MR_LEADER_LIVE_MS)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Cluster \"%s\" has a coordinator, at %s; this process would take its "
                       "topologies away from it. Use `millrace submit`, or another --cluster.",
                       standalone->options->cluster, standalone->leader.http);
    if (standalone->found && standalone->record.version > 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Topology \"%s\" belongs to the workers of cluster \"%s\" (version %u), "
                       "although no coordinator answers now. Start one, or use another --cluster.",
                       standalone->plan->name, standalone->options->cluster,
                       standalone->record.version);
    return MR_OK;
}

/* ---- Names of subtopologies ---- */

struct leftover_search {
    struct mr_arena *arena;
    const char *prefix;
    const char **names;
    uint32_t names_count;
};

static void leftover_visit(void *argument, const char *name)
{
    struct leftover_search *search = argument;
    size_t size = strlen(search->prefix);
    const char *rest = name + size;
    if (strncmp(name, search->prefix, size) != 0 || search->names_count == MR_LIMIT_TOPOLOGY_NODES)
        return;
    const char *dot = strrchr(rest, '.');
    if (dot != NULL && (strcmp(dot, ".changelog") == 0 || strcmp(dot, ".progress") == 0))
        search->names[search->names_count++] =
            mr_arena_copy_bytes_text(search->arena, rest, (size_t)(dot - rest));
}

/* Records of version 0.1 do not hold the names; the topics tell them. */
static enum mr_status names_of_topics(struct standalone *standalone, struct mr_error *error)
{
    struct leftover_search search = {
        .arena = standalone->arena,
        .prefix = mr_arena_format(standalone->arena, "%s.%s.%016" PRIx64 ".",
                                  standalone->options->cluster, standalone->plan->name,
                                  standalone->record.generation),
        .names = mr_arena_new(standalone->arena, MR_LIMIT_TOPOLOGY_NODES, sizeof(char *))};
    enum mr_status status =
        standalone->log->ops->topics_list(standalone->log, leftover_visit, &search, error);
    standalone->record.subtopologies = search.names;
    standalone->record.subtopologies_count = search.names_count;
    return status;
}

static bool has_name(const struct mr_topology_record *record, const char *name)
{
    for (uint32_t index = 0; index < record->subtopologies_count; index++)
        if (strcmp(record->subtopologies[index], name) == 0)
            return true;
    return false;
}

/* Names are never used again under a generation: those of the plan join. */
static void join_names(struct standalone *standalone)
{
    const struct mr_plan *plan = standalone->plan;
    struct mr_topology_record *record = &standalone->record;
    const char **names = mr_arena_new(
        standalone->arena, record->subtopologies_count + plan->subtopologies_count, sizeof(*names));
    uint32_t count = 0;
    for (uint32_t index = 0; index < record->subtopologies_count; index++)
        names[count++] = record->subtopologies[index];
    for (uint32_t index = 0; index < plan->subtopologies_count; index++)
        if (!has_name(record, plan->subtopologies[index].name))
            names[count++] = plan->subtopologies[index].name;
    record->subtopologies = names;
    record->subtopologies_count = count;
}

/* ---- May it follow? ---- */

/* The plan of what ran last; NULL: it is not known. */
static enum mr_status plan_before(struct standalone *standalone, struct mr_plan **before,
                                  struct mr_error *error)
{
    struct mr_report report;
    struct mr_slice definition = standalone->record.definition;
    *before = NULL;
    if (definition.size == 0 || standalone->version->catalogue == NULL)
        return MR_OK;
    mr_report_init(&report, standalone->arena, "what ran last");
    mr_topology_parse(definition, standalone->version->catalogue, NULL, standalone->arena, &report,
                      before);
    if (*before != NULL)
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "What ran last as \"%s\" was accepted by another version of this program, and "
                   "this one does not read it: it cannot be told what would become of its state. "
                   "Run it with that program, or give the topology another name.",
                   standalone->plan->name);
}

static enum mr_status check_follows(struct standalone *standalone, struct mr_error *error)
{
    const struct mr_topology_record *record = &standalone->record;
    struct mr_plan *before;
    struct mr_difference difference;
    if (record->plan_hash == standalone->plan->hash)
        return MR_OK;
    enum mr_status status = plan_before(standalone, &before, error);
    if (status != MR_OK)
        return status;
    if (before == NULL)
        return mr_difference_check_names(record->subtopologies, record->subtopologies_count,
                                         standalone->plan, error);
    const struct mr_difference_permit permit = {.used = record->subtopologies,
                                                .used_count = record->subtopologies_count,
                                                .drop = standalone->version->drop_state,
                                                .drop_count =
                                                    standalone->version->drop_state_count};
    mr_difference_make(before, standalone->plan, standalone->arena, &difference);
    return mr_difference_check(&difference, &permit, error);
}

/* ---- All ---- */

static enum mr_status take_over(struct standalone *standalone, struct mr_error *error)
{
    enum mr_status status =
        mr_control_log_read_to_end(standalone->control, visit, standalone, error);
    if (status == MR_OK)
        status = check_free(standalone, error);
    if (status == MR_OK)
        status = mr_control_log_initialise(standalone->control, error);
    if (status == MR_OK)
        status = mr_control_log_read_to_end(standalone->control, visit, standalone, error);
    return status == MR_OK ? check_free(standalone, error) : status;
}

static enum mr_status write_record(struct standalone *standalone, struct mr_error *error)
{
    standalone->record.changed_ms = mr_clock_wall_ms();
    const struct mr_core_record record = {
        .key = mr_slice_text(standalone->key),
        .value = mr_topology_record_encode(&standalone->record, standalone->arena)};
    return mr_control_log_write(standalone->control, &record, 1, error);
}

static enum mr_status find_generation(struct standalone *standalone, bool *changed,
                                      struct mr_error *error)
{
    struct mr_topology_record *record = &standalone->record;
    const char *name = standalone->plan->name;
    *changed = false;
    if (!standalone->found) {
        *record = (struct mr_topology_record){.name = name,
                                              .generation = mr_random_fresh_id(),
                                              .state = MR_TOPOLOGY_RUNNING,
                                              .dropped_topics_prefix = ""};
        return write_record(standalone, error);
    }
    *changed = record->plan_hash != 0 && record->plan_hash != standalone->plan->hash;
    if (record->name[0] == '\0') {
        enum mr_status status = names_of_topics(standalone, error);
        if (status != MR_OK)
            return status;
        record->name = name;
        record->dropped_topics_prefix = "";
    }
    return check_follows(standalone, error);
}

static enum mr_status deploy(struct standalone *standalone, struct mr_deployment **deployment,
                             bool *changed, struct mr_error *error)
{
    enum mr_status status = take_over(standalone, error);
    if (status == MR_OK)
        status = find_generation(standalone, changed, error);
    struct mr_deploy_options options = *standalone->options;
    options.generation = standalone->record.generation;
    if (status == MR_OK)
        status = mr_deploy(standalone->log, standalone->plan, &options, standalone->arena,
                           deployment, error);
    if (status != MR_OK)
        return status;
    if (standalone->record.plan_hash == standalone->plan->hash &&
        (standalone->record.definition.size > 0 || standalone->version->definition.size == 0))
        return MR_OK;
    join_names(standalone);
    standalone->record.plan_hash = standalone->plan->hash;
    standalone->record.definition = standalone->version->definition;
    return write_record(standalone, error);
}

enum mr_status mr_standalone_deploy(struct mr_log *log, const struct mr_standalone_version *version,
                                    const struct mr_deploy_options *options, struct mr_arena *arena,
                                    struct mr_deployment **deployment, bool *changed,
                                    struct mr_error *error)
{
    const struct mr_plan *plan = version->plan;
    struct standalone standalone = {
        .log = log, .version = version, .plan = plan, .options = options, .arena = arena};
    const struct mr_control_log_options control = {
        .log = log, .cluster = options->cluster, .wait_ms = options->wait_ms};
    (void)snprintf(standalone.key, sizeof(standalone.key), "topology/%s", plan->name);
    enum mr_status status = mr_control_log_open(&control, &standalone.control, error);
    if (status == MR_OK)
        status = deploy(&standalone, deployment, changed, error);
    mr_control_log_close(standalone.control);
    return status;
}
