/* topology/plan_subtopology.c — the parts of the graph between repartition topics.
 * Design: nodes joined by direct edges are one part (union-find); readers of one repartition are
 * too, since a task reads its partition once. A part is named by its first stateful operator in the
 * file's order, else its first source, else the first reader of a repartition: the name is part of
 * topics. */
#include "base/limits.h"
#include "topology/planner.h"

/* Fewer would cost more time than the memory is worth. */
enum { BATCH_ROWS_MIN = 16 };

struct parts {
    struct mr_planner *planner;
    uint32_t *parents;
};

static uint32_t part_of(const struct parts *parts, uint32_t node)
{
    while (parts->parents[node] != node) {
        parts->parents[node] = parts->parents[parts->parents[node]];
        node = parts->parents[node];
    }
    return node;
}

static void unite(const struct parts *parts, uint32_t left, uint32_t right)
{
    left = part_of(parts, left);
    right = part_of(parts, right);
    parts->parents[left > right ? left : right] = left > right ? right : left;
}

static void unite_all(const struct parts *parts)
{
    const struct mr_planner *planner = parts->planner;
    for (uint32_t i = 0; i < planner->graph->nodes_count; i++) {
        const struct mr_node_draft *node = &planner->nodes[i];
        for (uint32_t j = 0; j < node->graph->inputs_count; j++) {
            if (node->inputs[j].repartition)
                unite(parts, i, planner->repartitions[node->inputs[j].repartition_index].consumer);
            else
                unite(parts, i, node->graph->inputs[j].producer);
        }
    }
}

/* Records of as many keys may change all that each of them has at the same time. */
static void limit_batches(struct mr_plan_subtopology *part, const struct mr_plan_node *node,
                          uint64_t burst_bytes)
{
    if (burst_bytes == 0 || node->key.global)
        return;
    uint64_t rows = MR_LIMIT_TRANSACTION_BYTES / burst_bytes;
    uint64_t keys = node->state_keys_max > 0 ? (uint64_t)node->state_keys_max : UINT64_MAX;
    if (keys <= rows)
        return;
    if (rows < BATCH_ROWS_MIN)
        rows = BATCH_ROWS_MIN;
    if (rows < part->batch_rows)
        part->batch_rows = (uint32_t)rows;
}

static void add_estimate(struct mr_plan_subtopology *part, const struct mr_plan_node *node)
{
    if (node->type->state_version == 0)
        return;
    part->stateful = true;
    if (node->type->estimate == NULL)
        return;
    struct mr_state_estimate estimate = {0};
    node->type->estimate(&node->options, &estimate);
    part->state_object_bytes_per_key += estimate.object_bytes;
    part->changelog_bytes_per_record += estimate.changelog_bytes_per_record;
    part->instance_bytes += estimate.instance_bytes;
    limit_batches(part, node, estimate.burst_bytes_per_record);
}

static const char *part_name(const struct mr_plan *plan, const struct mr_plan_subtopology *part)
{
    uint32_t stateful = UINT32_MAX;
    uint32_t source = UINT32_MAX;
    uint32_t first = UINT32_MAX;
    for (uint32_t i = 0; i < part->nodes_count; i++) {
        uint32_t node = part->nodes[i];
        if (plan->nodes[node].type->state_version > 0 && node < stateful)
            stateful = node;
        if (plan->nodes[node].type->role == MR_ROLE_SOURCE && node < source)
            source = node;
        if (node < first)
            first = node;
    }
    for (uint32_t i = 0; i < part->repartitions_count; i++)
        if (source == UINT32_MAX)
            first = plan->repartitions[part->repartitions[0]].consumer;
    if (stateful != UINT32_MAX)
        return plan->nodes[stateful].name;
    return plan->nodes[source != UINT32_MAX ? source : first].name;
}

static void fill_part(const struct parts *parts, uint32_t root, uint32_t index)
{
    struct mr_planner *planner = parts->planner;
    struct mr_plan *plan = planner->plan;
    struct mr_plan_subtopology *part = &plan->subtopologies[index];
    uint32_t *nodes = mr_arena_new(planner->arena, plan->nodes_count, sizeof(*nodes));
    uint32_t *sources = mr_arena_new(planner->arena, plan->nodes_count, sizeof(*sources));
    uint32_t *repartitions =
        mr_arena_new(planner->arena, plan->repartitions_count, sizeof(*repartitions));
    part->batch_rows = MR_LIMIT_BATCH_ROWS;
    for (uint32_t i = 0; i < plan->nodes_count; i++) {
        uint32_t node = planner->graph->order[i];
        if (part_of(parts, node) != root)
            continue;
        nodes[part->nodes_count++] = node;
        plan->nodes[node].subtopology = index;
        if (plan->nodes[node].type->role == MR_ROLE_SOURCE)
            sources[part->sources_count++] = node;
        add_estimate(part, &plan->nodes[node]);
    }
    for (uint32_t i = 0; i < plan->repartitions_count; i++)
        if (part_of(parts, plan->repartitions[i].consumer) == root)
            repartitions[part->repartitions_count++] = i;
    part->nodes = nodes;
    part->sources = sources;
    part->repartitions = repartitions;
    part->name = part_name(plan, part);
}

bool mr_plan_reads_wall_clock(const struct mr_plan_node *node)
{
    const struct mr_type_spec *type = node->type;
    return (type->flags & MR_TYPE_WALL_CLOCK) != 0 ||
           (type->reads_wall_clock != NULL && type->reads_wall_clock(&node->options));
}

bool mr_plan_is_woken(const struct mr_plan_node *node)
{
    return mr_plan_reads_wall_clock(node) || node->requests != NULL;
}

/* Rows need their watermarks where an operator of the part reads them, or of a part behind it. */
static void mark_row_watermarks(struct mr_plan *plan, struct mr_plan_subtopology *parts)
{
    for (uint32_t i = 0; i < plan->nodes_count; i++)
        if ((plan->nodes[i].type->flags & MR_TYPE_ROW_WATERMARKS) != 0 ||
            mr_plan_waits(&plan->nodes[i].options))
            parts[plan->nodes[i].subtopology].row_watermarks = true;
    bool changed = true;
    while (changed) {
        changed = false;
        for (uint32_t i = 0; i < plan->repartitions_count; i++) {
            const struct mr_plan_repartition *repartition = &plan->repartitions[i];
            if (!parts[repartition->to_subtopology].row_watermarks ||
                parts[repartition->from_subtopology].row_watermarks)
                continue;
            parts[repartition->from_subtopology].row_watermarks = true;
            changed = true;
        }
    }
}

/* Do records of one part come to the other over repartitions? reached: by part, all false. */
static bool reaches(const struct mr_plan *plan, uint32_t from, uint32_t to, bool *reached)
{
    reached[from] = true;
    for (uint32_t i = 0; i < plan->repartitions_count; i++) {
        const struct mr_plan_repartition *repartition = &plan->repartitions[i];
        uint32_t next = repartition->to_subtopology;
        if (repartition->from_subtopology != from)
            continue;
        if (next == to || (!reached[next] && reaches(plan, next, to, reached)))
            return true;
    }
    return false;
}

/* The watermark of a task is the least over its inputs. One whose records come back to it over
 * repartitions waits for itself: nothing that waits for event time in it or behind it would ever
 * end. */
static void check_circles(struct mr_planner *planner)
{
    const struct mr_plan *plan = planner->plan;
    for (uint32_t i = 0; i < plan->repartitions_count; i++) {
        const struct mr_plan_repartition *repartition = &plan->repartitions[i];
        uint32_t from = repartition->from_subtopology;
        uint32_t to = repartition->to_subtopology;
        bool *reached = mr_arena_new(planner->arena, plan->subtopologies_count, sizeof(*reached));
        if (!plan->subtopologies[from].row_watermarks ||
            (from != to && !reaches(plan, to, from, reached)))
            continue;
        const struct mr_plan_node *consumer = &plan->nodes[repartition->consumer];
        mr_report_add(
            planner->report, MR_SEVERITY_ERROR, consumer->location,
            "'%s' groups records of '%s' anew, and what comes of them meets records again "
            "that were not: the task would wait for its own event time; put a key_by with "
            "the same key in front of '%s' and of the others that it meets",
            consumer->name, plan->nodes[repartition->producer].name, consumer->name);
        return; /* the first says what is wrong */
    }
}

static void check_replayable(struct mr_planner *planner)
{
    struct mr_plan *plan = planner->plan;
    const char *reason = NULL;
    if (planner->uses_now != NULL)
        reason =
            mr_arena_format(planner->arena, "an expression of '%s' calls now()", planner->uses_now);
    for (uint32_t i = 0; reason == NULL && i < plan->nodes_count; i++)
        if (mr_plan_reads_wall_clock(&plan->nodes[i]))
            reason = mr_arena_format(planner->arena, "'%s' (%s) depends on the clock",
                                     plan->nodes[i].name, plan->nodes[i].type->name);
    for (uint32_t i = 0; reason == NULL && i < plan->nodes_count; i++)
        if (plan->nodes[i].idle_timeout_ms > 0 &&
            plan->subtopologies[plan->nodes[i].subtopology].row_watermarks)
            reason =
                mr_arena_format(planner->arena, "the clock says when '%s' is silent (idle_timeout)",
                                plan->nodes[i].name);
    for (uint32_t i = 0; reason == NULL && i < plan->subtopologies_count; i++) {
        const struct mr_plan_subtopology *part = &plan->subtopologies[i];
        if (part->sources_count + part->repartitions_count > 1)
            reason = mr_arena_format(planner->arena,
                                     "tasks of '%s' have several inputs, whose records interleave "
                                     "as they arrive",
                                     part->name);
    }
    plan->replayable = reason == NULL;
    plan->not_replayable_reason = reason;
}

void mr_planner_subtopologies(struct mr_planner *planner)
{
    struct mr_plan *plan = planner->plan;
    struct parts parts = {.planner = planner};
    parts.parents = mr_arena_new(planner->arena, plan->nodes_count, sizeof(*parts.parents));
    for (uint32_t i = 0; i < plan->nodes_count; i++)
        parts.parents[i] = i;
    unite_all(&parts);
    plan->subtopologies =
        mr_arena_new(planner->arena, plan->nodes_count, sizeof(*plan->subtopologies));
    for (uint32_t i = 0; i < plan->nodes_count; i++)
        if (part_of(&parts, i) == i)
            fill_part(&parts, i, plan->subtopologies_count++);
    for (uint32_t i = 0; i < plan->repartitions_count; i++) {
        struct mr_plan_repartition *repartition = &plan->repartitions[i];
        repartition->from_subtopology = plan->nodes[repartition->producer].subtopology;
        repartition->to_subtopology = plan->nodes[repartition->consumer].subtopology;
    }
    mark_row_watermarks(plan, plan->subtopologies);
    check_circles(planner);
    check_replayable(planner);
}
