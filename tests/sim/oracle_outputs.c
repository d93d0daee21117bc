/* tests/sim/oracle_outputs.c — what must have come out of each topology.
 * Design: the outputs of a topology are divided by generation: the transactional id of who wrote
 * them names it. Per source partition and key the outputs of a generation are the records in their
 * order, each once, from the first on; after a seek to the beginning they may start over, as often
 * as that partition was moved. A generation that has gone may end anywhere, the last one has all.
 * The detector's count and level are what its outputs, in their order, give when they are computed
 * here: state goes on through seeks and starts anew with a generation. A topology that promises at
 * least once has each record at least once behind what its past generations wrote. */
#include "base/assert.h"
#include "base/hash.h"
#include "tests/sim/control.h"
#include "tests/sim/workload_internal.h"
#include "worker/progress.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { GENERATIONS_MAX = 64, WRITERS_MAX = 1024, PREFIX_SIZE = 48 };

struct era { /* of a generation */
    uint64_t generation;
    uint32_t counts[SIM_KEYS_MAX]; /* of the detector */
    double levels[SIM_KEYS_MAX];
    uint32_t next[KAFKA_PARTITIONS_MAX][SIM_KEYS_MAX]; /* place in the records' order */
    uint32_t restarts[KAFKA_PARTITIONS_MAX][SIM_KEYS_MAX];
    uint32_t seeks[KAFKA_PARTITIONS_MAX]; /* of its source's partitions */
};

struct check {
    const struct sim_flow *flow;
    bool violates;                    /* else it only looks whether all is there */
    uint32_t places[SIM_RECORDS_MAX]; /* of a record among those of its partition and key */
    uint32_t lengths[KAFKA_PARTITIONS_MAX][SIM_KEYS_MAX];
    bool seen[SIM_RECORDS_MAX]; /* at least once */
    struct era eras[GENERATIONS_MAX];
    uint32_t eras_count;
    int64_t writers[WRITERS_MAX]; /* producer ids that are known, and their eras */
    uint32_t writers_eras[WRITERS_MAX];
    uint32_t writers_count;
};

/* ---- Records ---- */

static struct check *check_new(const struct sim_flow *flow, bool violates)
{
    static struct check kept; /* it is large, and needed often */
    struct check *check = &kept;
    memset(check->lengths, 0, sizeof check->lengths);
    memset(check->seen, 0, sizeof check->seen);
    check->eras_count = 0;
    check->writers_count = 0;
    check->flow = flow;
    check->violates = violates;
    for (uint32_t id = 0; id < flow->written_count; id++) {
        const struct sim_record *record = &flow->records[id];
        check->places[id] = check->lengths[record->partition][record->key]++;
    }
    return check;
}

static double number_of(const char *json, const char *name)
{
    char quoted[32];
    (void)snprintf(quoted, sizeof quoted, "\"%s\":", name);
    const char *found = strstr(json, quoted);
    return found == NULL ? -1 : strtod(found + strlen(quoted), NULL);
}

static void to_text(const struct kafka_entry *entry, char *json, size_t json_size)
{
    size_t size = entry->value.size < json_size - 1 ? entry->value.size : json_size - 1;
    memcpy(json, entry->value.data, size);
    json[size] = '\0';
}

/* False: it is none of ours. */
static bool find_id(const struct check *check, const char *json, uint32_t *id)
{
    double found = number_of(json, "id");
    *id = (uint32_t)found;
    if (found >= 0 && found < check->flow->written_count)
        return true;
    sim_violation("an output without a known id: %s", json);
    return false;
}

static void check_place(const struct sim_flow *flow, uint32_t id, int32_t number)
{
    char key[16];
    (void)snprintf(key, sizeof key, "k%u", flow->records[id].key);
    if (number != mr_hash_partition(mr_slice_text(key), flow->sink->partitions_count))
        sim_violation("%s: record %u is in partition %d", flow->plan->name, id, (int)number);
}

/* ---- Generations ---- */

static void count_seek(void *argument, const struct kafka_partition *partition,
                       const struct mr_progress *progress)
{
    struct era *era = argument;
    if (progress->incarnation == 0)
        era->seeks[partition->number]++;
}

static void prefix_of(const struct sim_flow *flow, uint64_t generation, char prefix[PREFIX_SIZE])
{
    (void)snprintf(prefix, PREFIX_SIZE, "sim.%s.%016" PRIx64 ".", flow->plan->name, generation);
}

static struct era *era_new(struct check *check, uint64_t generation)
{
    MR_ASSERT(check->eras_count < GENERATIONS_MAX);
    struct era *era = &check->eras[check->eras_count++];
    char prefix[PREFIX_SIZE];
    *era = (struct era){.generation = generation};
    prefix_of(check->flow, generation, prefix);
    for (const struct kafka_topic *topic = kafka.topics;
         topic != NULL && check->flow->seeks > 0 && check->violates; topic = topic->next)
        for (int32_t number = 0;
             number < topic->partitions_count && strncmp(topic->name, prefix, strlen(prefix)) == 0;
             number++)
            sim_oracle_visit_progress(topic->partitions[number], count_seek, era);
    return era;
}

static struct era *era_of(struct check *check, uint64_t generation)
{
    for (uint32_t index = 0; index < check->eras_count; index++)
        if (check->eras[index].generation == generation)
            return &check->eras[index];
    return era_new(check, generation);
}

/* By the transactional id of its writer: sim.data.<generation>.<incarnation>.<number>. */
static struct era *era_of_entry(struct check *check, const struct kafka_entry *entry)
{
    static const char start[] = "sim.data.";
    for (uint32_t index = 0; index < check->writers_count; index++)
        if (check->writers[index] == entry->producer_id)
            return &check->eras[check->writers_eras[index]];
    const char *name = kafka_transaction_name(entry->producer_id);
    if (name == NULL || strncmp(name, start, strlen(start)) != 0)
        return NULL;
    struct era *era = era_of(check, strtoull(name + strlen(start), NULL, 16));
    MR_ASSERT(check->writers_count < WRITERS_MAX);
    check->writers[check->writers_count] = entry->producer_id;
    check->writers_eras[check->writers_count++] = (uint32_t)(era - check->eras);
    return era;
}

/* ---- Exactly once ---- */

static void check_chart(const struct check *check, struct era *era, const char *json, uint32_t id)
{
    const struct sim_record *record = &check->flow->records[id];
    uint32_t key = record->key;
    double *level = &era->levels[key];
    *level = era->counts[key] == 0 ? record->value : 0.25 * record->value + 0.75 * *level;
    double count = number_of(json, "count"); /* of the records before */
    double found = number_of(json, "level");
    if (count != era->counts[key] || fabs(found - *level) > 1e-6)
        sim_violation("record %u of key k%u has %u before it and level %.9g; the output says %.0f "
                      "and %.9g: %s",
                      id, key, era->counts[key], *level, count, found, json);
    era->counts[key]++;
}

static void check_order(const struct check *check, struct era *era, uint32_t id)
{
    const struct sim_record *record = &check->flow->records[id];
    uint32_t *next = &era->next[record->partition][record->key];
    uint32_t place = check->places[id];
    if (place == 0 && *next > 0) { /* it starts over */
        uint32_t restarts = ++era->restarts[record->partition][record->key];
        if (check->violates && restarts > era->seeks[record->partition])
            sim_violation("%s: record %u came out twice in generation %016" PRIx64,
                          check->flow->plan->name, id, era->generation);
    } else if (place != *next && check->violates) {
        sim_violation("%s: record %u of partition %d, key k%u, came out %s, in generation "
                      "%016" PRIx64,
                      check->flow->plan->name, id, (int)record->partition, record->key,
                      place < *next ? "twice" : "before one that was written earlier",
                      era->generation);
    }
    *next = place + 1;
}

static void walk_once(struct check *check, const struct kafka_entry *entry, int32_t number)
{
    char json[1024];
    uint32_t id;
    to_text(entry, json, sizeof json);
    if (!find_id(check, json, &id))
        return;
    struct era *era = era_of_entry(check, entry);
    if (era == NULL) {
        sim_violation("%s: nobody's output: %s", check->flow->plan->name, json);
        return;
    }
    check_order(check, era, id);
    if (!check->violates)
        return;
    check_place(check->flow, id, number);
    if (check->flow->shape != SIM_STATELESS)
        check_chart(check, era, json, id);
}

/* The first record that the generation lacks at its end. */
static bool lacks(const struct check *check, const struct era *era, uint32_t *id)
{
    for (*id = 0; *id < check->flow->written_count; ++*id) {
        const struct sim_record *record = &check->flow->records[*id];
        if (check->places[*id] >= era->next[record->partition][record->key])
            return true;
    }
    return false;
}

/* ---- At least once ---- */

static void walk_repeated(struct check *check, const struct kafka_entry *entry, int32_t number,
                          bool counts)
{
    char json[1024];
    uint32_t id;
    to_text(entry, json, sizeof json);
    if (!find_id(check, json, &id))
        return;
    if (check->violates)
        check_place(check->flow, id, number);
    check->seen[id] = check->seen[id] || counts;
}

static bool lacks_seen(const struct check *check, uint32_t *id)
{
    for (*id = 0; *id < check->flow->written_count; ++*id)
        if (!check->seen[*id])
            return true;
    return false;
}

/* ---- Both ---- */

static void walk(struct check *check)
{
    const struct sim_flow *flow = check->flow;
    for (int32_t number = 0; number < flow->sink->partitions_count; number++) {
        const struct kafka_partition *partition = flow->sink->partitions[number];
        for (int64_t offset = 0; offset < partition->count; offset++) {
            const struct kafka_entry *entry = &partition->entries[offset];
            if (!kafka_readable(entry))
                continue;
            if (flow->at_least_once)
                walk_repeated(check, entry, number, offset >= flow->anew[number]);
            else
                walk_once(check, entry, number);
        }
    }
}

static bool lacks_any(struct check *check, uint32_t *id)
{
    uint64_t generation = sim_control_generation(check->flow->plan->name);
    if (check->flow->at_least_once)
        return lacks_seen(check, id);
    /* The director has no control topic, and one generation. */
    if (generation == 0 && check->eras_count > 0)
        generation = check->eras[0].generation;
    return lacks(check, era_of(check, generation), id);
}

void sim_oracle_check_outputs(const struct sim_flow *flow)
{
    uint32_t id;
    struct check *check = check_new(flow, true);
    walk(check);
    if (lacks_any(check, &id))
        sim_violation("%s: record %u is lost", flow->plan->name, id);
}

/* ---- Has it come to its end? ---- */

static bool is_read(const struct mr_progress_input *input)
{
    char name[160];
    (void)snprintf(name, sizeof name, "%.*s", (int)input->topic.size,
                   (const char *)input->topic.data);
    const struct kafka_topic *topic = kafka_topic_find(name);
    if (topic == NULL)
        return true;
    const struct kafka_partition *partition = topic->partitions[input->partition];
    for (int64_t offset = input->next_offset; offset < partition->count; offset++)
        if (kafka_readable(&partition->entries[offset]))
            return false;
    return true;
}

static void look_behind(void *argument, const struct kafka_partition *partition,
                        const struct mr_progress *progress)
{
    bool *whole = argument;
    MR_UNUSED(partition);
    *whole = true; /* as of the last one */
    for (uint32_t index = 0; index < progress->inputs_count; index++)
        *whole = *whole && is_read(&progress->inputs[index]);
}

/* After a seek all may have come out, and be about to come out again. */
static bool all_is_read(const struct sim_flow *flow)
{
    char prefix[PREFIX_SIZE];
    bool whole = true;
    prefix_of(flow, sim_control_generation(flow->plan->name), prefix);
    for (const struct kafka_topic *topic = kafka.topics; topic != NULL; topic = topic->next)
        for (int32_t number = 0; number < topic->partitions_count && whole &&
                                 strncmp(topic->name, prefix, strlen(prefix)) == 0;
             number++)
            sim_oracle_visit_progress(topic->partitions[number], look_behind, &whole);
    return whole;
}

static uint64_t count_outputs(const struct sim_flow *flow)
{
    uint64_t count = 0;
    for (int32_t number = 0; number < flow->sink->partitions_count; number++) {
        const struct kafka_partition *partition = flow->sink->partitions[number];
        for (int64_t offset = 0; offset < partition->count; offset++)
            count += kafka_readable(&partition->entries[offset]);
    }
    return count;
}

uint32_t sim_oracle_outputs_of(const struct sim_flow *flow, uint32_t key)
{
    uint32_t count = 0;
    for (int32_t number = 0; number < flow->sink->partitions_count; number++) {
        const struct kafka_partition *partition = flow->sink->partitions[number];
        for (int64_t offset = 0; offset < partition->count; offset++) {
            const struct kafka_entry *entry = &partition->entries[offset];
            char json[1024];
            if (entry->marker || entry->aborted)
                continue;
            to_text(entry, json, sizeof json);
            double id = number_of(json, "id");
            count += id >= 0 && id < flow->written_count && flow->records[(uint32_t)id].key == key;
        }
    }
    return count;
}

bool sim_oracle_is_whole(struct sim_flow *flow, char *text, size_t text_size)
{
    uint32_t id = 0;
    uint64_t count = count_outputs(flow);
    if (count < flow->wanted_count) {
        (void)snprintf(text, text_size, "%s has %" PRIu64 " of %u outputs", flow->plan->name, count,
                       flow->wanted_count);
        return false;
    }
    if (count != flow->looked) {
        struct check *check = check_new(flow, false);
        walk(check);
        flow->looked = count;
        flow->whole = !lacks_any(check, &id);
    }
    if (!flow->whole)
        (void)snprintf(text, text_size, "%s lacks record %u", flow->plan->name, id);
    else if (flow->seeks == 0 || flow->at_least_once || all_is_read(flow))
        return true;
    else
        (void)snprintf(text, text_size, "%s has not read its inputs", flow->plan->name);
    return false;
}

bool sim_oracle_is_repeated(const char *topic)
{
    for (uint32_t index = 0; index < sim_workload.flows_count; index++) {
        const struct sim_flow *flow = &sim_workload.flows[index];
        char prefix[PREFIX_SIZE];
        int size = snprintf(prefix, sizeof prefix, "sim.%s.", flow->plan->name);
        if (flow->at_least_once && strncmp(topic, prefix, (size_t)size) == 0)
            return true;
    }
    return false;
}
