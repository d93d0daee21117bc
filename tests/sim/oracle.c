/* tests/sim/oracle.c — what must have become of the logs and stores, besides the outputs
 * (oracle_outputs.c). Logs: progress never goes back, but where a seek moves it; epochs never go
 * back; no transaction is open. Stores: what the changelog folds to. Topologies that promise at
 * least once have neither promise. */
#include "base/assert.h"
#include "base/hash.h"
#include "state/key_codec.h"
#include "state/state.h"
#include "tests/sim/disk.h"
#include "tests/sim/kafka.h"
#include "tests/sim/workload_internal.h"
#include "worker/claim.h"
#include "worker/progress.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool sim_oracle_complete(char *text, size_t text_size)
{
    for (uint32_t index = 0; index < sim_workload.flows_count; index++)
        if (!sim_oracle_is_whole(&sim_workload.flows[index], text, text_size))
            return false;
    return true;
}

/* ---- Progress ---- */

static void check_step(const struct kafka_partition *partition, const struct mr_progress *last,
                       const struct mr_progress *next)
{
    const char *topic = partition->topic->name;
    if (next->sequence < last->sequence || next->epoch < last->epoch)
        sim_violation("%s[%d]: progress goes back: sequence %" PRIu64 " to %" PRIu64
                      ", epoch %" PRIu64 " to %" PRIu64,
                      topic, (int)partition->number, last->sequence, next->sequence, last->epoch,
                      next->epoch);
    bool moved = next->incarnation == 0; /* by nobody: a seek */
    for (uint32_t index = 0; index < last->inputs_count && index < next->inputs_count && !moved;
         index++)
        if (next->inputs[index].next_offset < last->inputs[index].next_offset)
            sim_violation("%s[%d]: progress goes back: %" PRId64 " to %" PRId64, topic,
                          (int)partition->number, last->inputs[index].next_offset,
                          next->inputs[index].next_offset);
}

static bool is_progress(const struct kafka_entry *entry)
{
    return !entry->marker && entry->committed && !entry->key_null &&
           mr_slice_equal(entry->key, MR_STATE_PROGRESS_KEY);
}

void sim_oracle_visit_progress(const struct kafka_partition *partition,
                               void (*visit)(void *argument,
                                             const struct kafka_partition *partition,
                                             const struct mr_progress *progress),
                               void *argument)
{
    struct mr_arena arena;
    struct mr_error error;
    mr_arena_init(&arena, 4096);
    for (int64_t offset = 0; offset < partition->count; offset++) {
        const struct kafka_entry *entry = &partition->entries[offset];
        struct mr_progress progress;
        if (!is_progress(entry))
            continue;
        if (mr_progress_decode(entry->value, &arena, &progress, &error) != MR_OK) {
            sim_violation("%s: %s", partition->topic->name, error.message);
            break;
        }
        visit(argument, partition, &progress);
    }
    mr_arena_deinit(&arena);
}

struct steps {
    struct mr_progress last;
    bool found;
};

static void check_next(void *argument, const struct kafka_partition *partition,
                       const struct mr_progress *progress)
{
    struct steps *steps = argument;
    if (steps->found)
        check_step(partition, &steps->last, progress);
    steps->last = *progress;
    steps->found = true;
}

static void check_progress(const struct kafka_partition *partition)
{
    struct steps steps = {0};
    if (!sim_oracle_is_repeated(partition->topic->name))
        sim_oracle_visit_progress(partition, check_next, &steps);
}

void sim_oracle_check(void)
{
    for (uint32_t index = 0; index < sim_workload.flows_count; index++)
        sim_oracle_check_outputs(&sim_workload.flows[index]);
    for (const struct kafka_topic *topic = kafka.topics; topic != NULL; topic = topic->next)
        for (int32_t number = 0; number < topic->partitions_count; number++) {
            const struct kafka_partition *partition = topic->partitions[number];
            check_progress(partition);
            if (kafka_stable(partition) != partition->count)
                sim_violation("%s[%d]: a transaction is left open at %" PRId64, topic->name,
                              (int)number, kafka_stable(partition));
        }
}

/* ---- Stores ---- */

enum { FOLDED_MAX = 2048 };

struct fold {
    struct mr_slice keys[FOLDED_MAX];
    struct mr_slice values[FOLDED_MAX];
    bool found[FOLDED_MAX];
    uint32_t count;
    const char *name;
};

static uint32_t folded_index(struct fold *fold, struct mr_slice key)
{
    uint32_t index = 0;
    while (index < fold->count && !mr_slice_equal(fold->keys[index], key))
        index++;
    return index;
}

static void fold_entry(struct fold *fold, const struct kafka_entry *entry)
{
    uint32_t index = folded_index(fold, entry->key);
    MR_ASSERT(index < FOLDED_MAX);
    if (entry->value_null && index == fold->count)
        return;
    if (entry->value_null) {
        fold->count--;
        fold->keys[index] = fold->keys[fold->count];
        fold->values[index] = fold->values[fold->count];
        return;
    }
    fold->keys[index] = entry->key;
    fold->values[index] = entry->value;
    fold->count += index == fold->count;
}

static void compare_pair(void *argument, struct mr_slice key, struct mr_slice value)
{
    struct fold *fold = argument;
    struct mr_key parsed;
    if (mr_key_is_local(key) || !mr_key_parse(key, &parsed))
        return;
    uint32_t index = folded_index(fold, key);
    if (index == fold->count)
        sim_violation("the store %s holds a key that its changelog does not", fold->name);
    else if (!mr_slice_equal(fold->values[index], value))
        sim_violation("the store %s holds another value than its changelog", fold->name);
    else
        fold->found[index] = true;
}

/* Compare a task's store on a node with its changelog. part: of the store's folder's name. */
static void check_store(const struct sim_node *node, const char *part,
                        const struct kafka_partition *changelog)
{
    struct fold *fold = sim_new(sizeof *fold);
    fold->name = part;
    for (int64_t offset = 0; offset < changelog->count; offset++) {
        const struct kafka_entry *entry = &changelog->entries[offset];
        if (!entry->marker && entry->committed && !is_progress(entry))
            fold_entry(fold, entry);
    }
    if (!sim_disk_find(node->process, part, compare_pair, fold))
        return;
    for (uint32_t index = 0; index < fold->count; index++)
        if (!fold->found[index])
            sim_violation("the store %s lacks a key of its changelog", part);
}

/* The last claim of a task, from the whole history of the claims. */
static bool last_claim(const char *key, struct mr_claim *claim)
{
    const struct kafka_topic *topic = kafka_topic_find("sim.claims");
    struct mr_error error;
    bool found = false;
    for (int32_t number = 0; topic != NULL && number < topic->partitions_count; number++) {
        const struct kafka_partition *partition = topic->partitions[number];
        for (int64_t offset = 0; offset < partition->count; offset++) {
            const struct kafka_entry *entry = &partition->entries[offset];
            if (!entry->marker && entry->committed &&
                mr_slice_equal(entry->key, mr_slice_text(key)))
                found = mr_claim_decode(entry->value, claim, &error) == MR_OK;
        }
    }
    return found;
}

static void check_task_store(const struct kafka_partition *changelog, const char *generation,
                             int subtopology_size, const char *subtopology)
{
    char part[160];
    struct mr_claim claim;
    (void)snprintf(part, sizeof part, "%.16s/%.*s/%d", generation, subtopology_size, subtopology,
                   (int)changelog->number);
    if (!last_claim(part, &claim) || !claim.released)
        return;
    for (uint32_t index = 0; index < sim_cluster.nodes_count; index++) {
        const struct sim_node *node = &sim_cluster.nodes[index];
        if (node->left_whole && strcmp(node->process->name, claim.worker) == 0)
            check_store(node, part, changelog);
    }
}

/* Changelogs are named sim.<topology>.<generation>.<subtopology>.changelog. */
void sim_oracle_check_stores(void)
{
    static const char suffix[] = ".changelog";
    for (const struct kafka_topic *topic = kafka.topics; topic != NULL; topic = topic->next) {
        const char *end = strstr(topic->name, suffix);
        const char *generation = strchr(topic->name, '.');
        generation = generation == NULL ? NULL : strchr(generation + 1, '.');
        if (end == NULL || generation == NULL || topic->deleted ||
            sim_oracle_is_repeated(topic->name))
            continue;
        const char *subtopology = generation + 18;
        for (int32_t number = 0; number < topic->partitions_count; number++)
            check_task_store(topic->partitions[number], generation + 1, (int)(end - subtopology),
                             subtopology);
    }
}
