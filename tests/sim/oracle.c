/* tests/sim/oracle.c — what must have become of the records.
 * Outputs: each id once; the records of a (source partition, key) in their order; per key the
 * detector's count goes 1, 2, 3 and its level is what the same records give when they are computed
 * here. Logs: progress never goes back and ends at the sources' ends; epochs never go back; a
 * reader of the changelog sees no transaction that is open. Stores: what the changelog folds to. */
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
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static double number_of(const char *json, const char *name)
{
    char quoted[32];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *found = strstr(json, quoted);
    return found == NULL ? -1 : strtod(found + strlen(quoted), NULL);
}

bool sim_oracle_complete(char *text, size_t text_size)
{
    for (uint32_t index = 0; index < sim_workload.flows_count; index++) {
        const struct sim_flow *flow = &sim_workload.flows[index];
        uint32_t count = 0;
        for (int32_t number = 0; number < flow->sink->partitions_count; number++) {
            const struct kafka_partition *partition = flow->sink->partitions[number];
            for (int64_t offset = 0; offset < partition->count; offset++)
                count += kafka_readable(&partition->entries[offset]);
        }
        if (count >= flow->wanted_count)
            continue;
        (void)snprintf(text, text_size, "flow %u has %u of %u outputs", index, count,
                       flow->wanted_count);
        return false;
    }
    return true;
}

/* ---- Outputs ---- */

struct check {
    const struct sim_flow *flow;
    uint8_t seen[SIM_RECORDS_MAX];
    uint32_t counts[SIM_KEYS_MAX];
    double levels[SIM_KEYS_MAX];
    int64_t last_ids[KAFKA_PARTITIONS_MAX][SIM_KEYS_MAX];
};

static void check_chart(struct check *check, const char *json, uint32_t id, uint32_t key)
{
    double value = check->flow->records[id].value;
    double *level = &check->levels[key];
    *level = check->counts[key] == 0 ? value : 0.25 * value + 0.75 * *level;
    double count = number_of(json, "count"); /* of the records before */
    double found = number_of(json, "level");
    if (count != check->counts[key] || fabs(found - *level) > 1e-6)
        sim_violation("record %u of key k%u has %u before it and level %.9g; the output says %.0f "
                      "and %.9g: %s",
                      id, key, check->counts[key], *level, count, found, json);
    check->counts[key]++;
}

static void check_output(struct check *check, const struct kafka_entry *entry, int32_t number)
{
    char json[1024];
    const struct sim_flow *flow = check->flow;
    size_t size = entry->value.size < sizeof json - 1 ? entry->value.size : sizeof json - 1;
    memcpy(json, entry->value.data, size);
    json[size] = '\0';
    double found = number_of(json, "id");
    if (found < 0 || found >= flow->written_count) {
        sim_violation("an output without a known id: %s", json);
        return;
    }
    uint32_t id = (uint32_t)found;
    const struct sim_record *record = &flow->records[id];
    if (check->seen[id]++ > 0) {
        sim_violation("%s: record %u came out twice", flow->plan->name, id);
        return;
    }
    char key[16];
    (void)snprintf(key, sizeof key, "k%u", record->key);
    if (number != mr_hash_partition(mr_slice_text(key), flow->sink->partitions_count))
        sim_violation("%s: record %u is in partition %d", flow->plan->name, id, (int)number);
    int64_t *last = &check->last_ids[record->partition][record->key];
    if (*last > (int64_t)id)
        sim_violation("%s: record %u of partition %d, key %s, came out behind record %" PRId64,
                      flow->plan->name, id, (int)record->partition, key, *last);
    *last = id;
    if (flow->shape != SIM_STATELESS)
        check_chart(check, json, id, record->key);
}

static void check_outputs(const struct sim_flow *flow)
{
    struct check *check = sim_new(sizeof *check);
    check->flow = flow;
    memset(check->last_ids, 0xff, sizeof check->last_ids);
    for (int32_t number = 0; number < flow->sink->partitions_count; number++) {
        const struct kafka_partition *partition = flow->sink->partitions[number];
        for (int64_t offset = 0; offset < partition->count; offset++)
            if (kafka_readable(&partition->entries[offset]))
                check_output(check, &partition->entries[offset], number);
    }
    for (uint32_t id = 0; id < flow->written_count; id++)
        if (check->seen[id] == 0)
            sim_violation("%s: record %u is lost", flow->plan->name, id);
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
    for (uint32_t index = 0; index < last->inputs_count && index < next->inputs_count; index++)
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

static void check_progress(const struct kafka_partition *partition)
{
    struct mr_arena arena;
    struct mr_progress last = {0};
    struct mr_error error;
    bool found = false;
    mr_arena_init(&arena, 4096);
    for (int64_t offset = 0; offset < partition->count; offset++) {
        const struct kafka_entry *entry = &partition->entries[offset];
        struct mr_progress next;
        if (!is_progress(entry))
            continue;
        if (mr_progress_decode(entry->value, &arena, &next, &error) != MR_OK) {
            sim_violation("%s: %s", partition->topic->name, error.message);
            break;
        }
        if (found)
            check_step(partition, &last, &next);
        last = next;
        found = true;
    }
    mr_arena_deinit(&arena);
}

void sim_oracle_check(void)
{
    for (uint32_t index = 0; index < sim_workload.flows_count; index++)
        check_outputs(&sim_workload.flows[index]);
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

enum { FOLDED_MAX = 256 };

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
        if (end == NULL || generation == NULL || topic->deleted)
            continue;
        const char *subtopology = generation + 18;
        for (int32_t number = 0; number < topic->partitions_count; number++)
            check_task_store(topic->partitions[number], generation + 1, (int)(end - subtopology),
                             subtopology);
    }
}
