/* topology/describe.c — see describe.h. describe_json.c writes the same facts as JSON.
 * Design: a writer whose first failure sticks, so that the code reads as the page does. */
#include "topology/describe.h"

#include "base/cgroup.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "topology/describe_facts.h"
#include "topology/option_text.h"

struct page {
    const struct mr_plan *plan;
    struct mr_buffer *output;
    struct mr_arena arena; /* for the words of sizes and durations */
    enum mr_status status;
};

static void put(struct page *page, const char *format, ...) MR_PRINTF(2, 3);

static void put(struct page *page, const char *format, ...)
{
    char text[2048];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (size >= (int)sizeof(text))
        size = (int)sizeof(text) - 1; /* only names of the file can be that long */
    if (page->status == MR_OK && size > 0)
        page->status = mr_buffer_append(page->output, text, (size_t)size);
}

static void label(struct page *page, const char *name)
{
    put(page, "  %-12s", name);
}

static const char *size_text(struct page *page, int64_t size_bytes)
{
    if (size_bytes >= 10 << 20)
        return mr_arena_format(&page->arena, "%.0f MiB", (double)size_bytes / (1 << 20));
    if (size_bytes >= 10 << 10)
        return mr_arena_format(&page->arena, "%.0f KiB", (double)size_bytes / (1 << 10));
    return mr_arena_format(&page->arena, "%" PRId64 " bytes", size_bytes);
}

static void put_key(struct page *page, const struct mr_plan_key *key)
{
    put(page, "[");
    for (uint32_t i = 0; i < key->slots_count; i++)
        put(page, "%s%s", i == 0 ? "" : ", ", key->texts[i]);
    put(page, "]");
}

static const char *topic_of(const struct mr_plan_node *node)
{
    int index = mr_option_specs_find(node->options.specs, "topic");
    return index < 0 || node->options.values[index].text == NULL ? ""
                                                                 : node->options.values[index].text;
}

static void put_node(struct page *page, const struct mr_plan_node *node, bool first)
{
    const char *topic = topic_of(node);
    put(page, "%s%s (%s%s%s", first ? "" : ", ", node->name, node->type->name,
        topic[0] == '\0' ? "" : " ", topic);
    if (node->key.given && node->type->role == MR_ROLE_OPERATOR) {
        put(page, " by ");
        put_key(page, &node->key);
    }
    put(page, ")");
}

static void put_role(struct page *page, const struct mr_plan_subtopology *part, enum mr_role role,
                     const char *name)
{
    bool first = true;
    for (uint32_t i = 0; i < part->nodes_count; i++) {
        const struct mr_plan_node *node = &page->plan->nodes[part->nodes[i]];
        if (node->type->role != role)
            continue;
        if (first)
            label(page, name);
        put_node(page, node, first);
        first = false;
    }
    if (!first)
        put(page, "\n");
}

/* What tasks are made of: the i-th source or repartition; NULL: a table that all of them read. */
static const char *input_name(const struct page *page, const struct mr_plan_subtopology *part,
                              uint32_t i)
{
    if (i >= part->sources_count)
        return page->plan->repartitions[part->repartitions[i - part->sources_count]].name;
    const struct mr_plan_node *source = &page->plan->nodes[part->sources[i]];
    return source->is_broadcast ? NULL : source->name;
}

static void put_table(struct page *page, const struct mr_plan_node *source)
{
    struct mr_describe_table table = mr_describe_table(page->plan, source);
    label(page, "tables");
    put(page,
        "%s%s, whole in every task: each reads, holds, logs and restores it, at most %" PRId64
        " keys with %s of state\n",
        source->name,
        (source->type->flags & MR_TYPE_LOG) != 0 ? ", all partitions of its topic" : "",
        table.keys_max, size_text(page, table.state_bytes_max));
}

static void put_inputs(struct page *page, const struct mr_plan_subtopology *part)
{
    uint32_t count = 0;
    bool single = true;
    for (uint32_t i = 0; i < part->sources_count; i++)
        single = single && page->plan->nodes[part->sources[i]].is_broadcast;
    for (uint32_t i = 0; i < part->repartitions_count; i++)
        single = single && page->plan->repartitions[part->repartitions[i]].single_partition;
    label(page, "tasks");
    put(page, single ? "one: the only partition of " : "one per partition of ");
    for (uint32_t i = 0; i < part->sources_count + part->repartitions_count; i++)
        if (input_name(page, part, i) != NULL)
            put(page, "%s%s", count++ == 0 ? "" : ", ", input_name(page, part, i));
    put(page, count > 1 ? ", which must have equally many\n" : "\n");
    for (uint32_t i = 0; i < part->sources_count; i++)
        if (input_name(page, part, i) == NULL)
            put_table(page, &page->plan->nodes[part->sources[i]]);
}

/* The fields that decoders of the part extract. */
static void put_fields(struct page *page, const struct mr_plan_subtopology *part)
{
    for (uint32_t i = 0; i < part->sources_count + part->repartitions_count; i++) {
        bool source = i < part->sources_count;
        uint32_t index = source ? part->sources[i] : part->repartitions[i - part->sources_count];
        const char *name =
            source ? page->plan->nodes[index].name : page->plan->repartitions[index].name;
        const struct mr_plan_domain *domain =
            &page->plan->domains[source ? page->plan->nodes[index].outputs[0].domain
                                        : page->plan->repartitions[index].source_domain];
        if (domain->reads_count == 0)
            continue;
        label(page, "fields");
        put(page, "of %s: ", name);
        for (uint32_t j = 0; j < domain->reads_count; j++)
            put(page, "%s%s", j == 0 ? "" : ", ", domain->reads[j].path.text);
        put(page, "\n");
    }
}

static void put_store(struct page *page, const struct mr_plan_node *node)
{
    struct mr_state_estimate estimate = mr_describe_estimate(node);
    label(page, "store");
    put(page,
        "%s: a key has %" PRIu64 " bytes in the cache, %" PRIu64 " on disk; a record logs "
        "%" PRIu64 " bytes at most",
        node->name, estimate.object_bytes, estimate.stored_bytes,
        estimate.changelog_bytes_per_record);
    if (node->state_keys_max > 0)
        put(page, "; at most %" PRId64 " keys a task", node->state_keys_max);
    if (node->state_bytes_max > 0)
        put(page, "; at most %s a task", size_text(page, node->state_bytes_max));
    if (node->state_ttl_ms > 0)
        put(page, "; forgotten after %s",
            mr_option_duration_text(&page->arena, node->state_ttl_ms));
    put(page, "\n");
}

static void put_state(struct page *page, const struct mr_plan_subtopology *part)
{
    label(page, "topic");
    put(page, "<cluster>.%s.<generation>.%s.%s (compacted)\n", page->plan->name, part->name,
        part->stateful ? "changelog" : "progress");
    if (!part->stateful)
        return;
    for (uint32_t i = 0; i < part->nodes_count; i++) {
        const struct mr_plan_node *node = &page->plan->nodes[part->nodes[i]];
        if (node->type->state_version > 0)
            put_store(page, node);
    }
    int64_t keys_count = mr_describe_keys_max(page->plan, part);
    label(page, "restore");
    put(page, "from nothing %s for each 1,000,000 keys of a task",
        mr_option_duration_text(&page->arena, mr_plan_restore_ms(1000000)));
    if (keys_count > 0)
        put(page, ", %s at most",
            mr_option_duration_text(&page->arena, mr_plan_restore_ms(keys_count)));
    put(page, ", at %d records/s\n", MR_RESTORE_RECORDS_PER_SECOND);
}

static void put_memory(struct page *page, const struct mr_plan_subtopology *part)
{
    struct mr_describe_memory memory = mr_describe_memory(page->plan, part);
    label(page, "memory");
    put(page, "a task at most: batch columns %s, open transactions %s",
        size_text(page, memory.batch_bytes), size_text(page, memory.transaction_bytes));
    if (memory.instance_bytes > 0)
        put(page, ", operators %s", size_text(page, memory.instance_bytes));
    put(page, "\n");
    if (!part->stateful)
        return;
    label(page, "state");
    if (memory.state_bytes > 0)
        put(page, "of a task %s at most, on disk; ", size_text(page, memory.state_bytes));
    put(page, "in memory what fits into spec.memory\n");
}

static void put_subtopology(struct page *page, const struct mr_plan_subtopology *part)
{
    put(page, "\nsubtopology %s%s\n", part->name, part->stateful ? " (stateful)" : "");
    put_inputs(page, part);
    put_role(page, part, MR_ROLE_SOURCE, "sources");
    put_role(page, part, MR_ROLE_OPERATOR, "operators");
    put_role(page, part, MR_ROLE_SINK, "sinks");
    put_fields(page, part);
    put_state(page, part);
    put_memory(page, part);
}

static void put_repartition(struct page *page, const struct mr_plan_repartition *repartition)
{
    const struct mr_plan *plan = page->plan;
    const struct mr_plan_node *producer = &plan->nodes[repartition->producer];
    put(page, "\nrepartition %s\n", repartition->name);
    label(page, "because");
    put(page, "%s\n", repartition->reason);
    label(page, "way");
    put(page, "%s.%s in %s to ", producer->name, producer->outputs[repartition->output].name,
        plan->subtopologies[repartition->from_subtopology].name);
    for (uint32_t i = 0; i < repartition->edges_count; i++)
        put(page, "%s%s", i == 0 ? "" : ", ", plan->nodes[repartition->edges[i].consumer].name);
    put(page, " in %s, key ", plan->subtopologies[repartition->to_subtopology].name);
    put_key(page, &repartition->key);
    put(page, "%s\n", repartition->single_partition ? ", one partition" : "");
    label(page, "topic");
    put(page, "<cluster>.%s.<generation>.%s (purged up to committed progress)\n", plan->name,
        repartition->name);
}

static void put_header(struct page *page)
{
    const struct mr_plan *plan = page->plan;
    put(page, "topology %s\n", plan->name);
    label(page, "hash");
    put(page, "%016" PRIx64 "\n", plan->hash);
    label(page, "guarantee");
    put(page, "%s, a commit at least every %s\n",
        plan->exactly_once ? "exactly_once" : "at_least_once",
        mr_option_duration_text(&page->arena, plan->commit_interval_ms));
    label(page, "replay");
    if (plan->replayable)
        put(page, "gives the same bytes\n");
    else
        put(page, "may give other bytes: %s\n", plan->not_replayable_reason);
    if (plan->tests_count > 0) {
        label(page, "tests");
        put(page, "%" PRIu32 ", run by `millrace test`\n", plan->tests_count);
    }
}

static void put_process(struct page *page)
{
    const struct mr_plan *plan = page->plan;
    put(page, "\neach process\n");
    label(page, "memory");
    put(page, "%s for caches and queues of this topology (spec.memory)\n",
        mr_option_size_text(&page->arena, plan->memory_bytes));
    label(page, "container");
    put(page, "a memory limit of %s or more lets a worker hold this topology alone\n",
        mr_option_size_text(&page->arena,
                            (int64_t)mr_cgroup_limit_for((uint64_t)plan->memory_bytes)));
    label(page, "resident");
    put(page, "%s at most with one task of each subtopology and one task thread\n",
        size_text(page, mr_describe_resident_bytes(plan)));
    label(page, "threads");
    put(page, "T task threads (--threads), as many committers, 2 T + 2 (at most 16) for claims and "
              "restores, and those of the clients\n");
    label(page, "clients");
    put(page, "of each task thread 1 consumer and %s; of each claim 1 producer for a moment\n",
        plan->exactly_once ? "2 transactional producers" : "1 producer");
}

enum mr_status mr_plan_describe_text(const struct mr_plan *plan, struct mr_buffer *output)
{
    struct page page = {.plan = plan, .output = output};
    mr_arena_init(&page.arena, 4096);
    put_header(&page);
    for (uint32_t i = 0; i < plan->subtopologies_count; i++)
        put_subtopology(&page, &plan->subtopologies[i]);
    for (uint32_t i = 0; i < plan->repartitions_count; i++)
        put_repartition(&page, &plan->repartitions[i]);
    put_process(&page);
    mr_arena_deinit(&page.arena);
    return page.status;
}
