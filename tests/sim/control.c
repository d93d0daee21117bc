/* tests/sim/control.c — see control.h. */
#include "tests/sim/control.h"

#include "base/assert.h"
#include "proto/codec.h"
#include "tests/sim/kafka.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { KEYS_MAX = 1024, KEY_SIZE = 160 };

static const struct kafka_partition *control(void)
{
    const struct kafka_topic *topic = kafka_topic_find("sim.control");
    return topic == NULL ? NULL : topic->partitions[0];
}

static bool counts(const struct kafka_entry *entry)
{
    return !entry->marker && entry->committed && !entry->key_null;
}

/* The last record of a key; NULL: none, or a tombstone. */
static const struct kafka_entry *last_of(const char *key)
{
    const struct kafka_partition *partition = control();
    for (int64_t offset = partition == NULL ? 0 : partition->count; offset-- > 0;) {
        const struct kafka_entry *entry = &partition->entries[offset];
        if (counts(entry) && mr_slice_equal(entry->key, mr_slice_text(key)))
            return entry->value_null || entry->value.size == 0 ? NULL : entry;
    }
    return NULL;
}

static bool find_topology(const char *name, struct mr_arena *arena,
                          struct mr_topology_record *record)
{
    char key[KEY_SIZE];
    struct mr_error error;
    (void)snprintf(key, sizeof key, "topology/%s", name);
    const struct kafka_entry *entry = last_of(key);
    if (entry == NULL)
        return false;
    if (mr_topology_record_decode(entry->value, arena, record, &error) == MR_OK)
        return true;
    sim_violation("%s: %s", key, error.message);
    return false;
}

uint64_t sim_control_generation(const char *topology)
{
    struct mr_arena arena;
    struct mr_topology_record record;
    mr_arena_init(&arena, 4096);
    bool found = find_topology(topology, &arena, &record) &&
                 (record.state == MR_TOPOLOGY_RUNNING || record.state == MR_TOPOLOGY_PAUSED);
    uint64_t generation = found ? record.generation : 0;
    mr_arena_deinit(&arena);
    return generation;
}

static void visit_tasks(const struct mr_version_record *version,
                        void (*visit)(void *argument, const struct sim_control_task *task),
                        void *argument)
{
    for (uint32_t index = 0; index < version->binding.subtopologies_count; index++) {
        const struct mr_bound_subtopology *part = &version->binding.subtopologies[index];
        for (int32_t number = 0; number < part->tasks_count; number++) {
            const struct sim_control_task task = {
                .generation = version->generation, .subtopology = part->name, .partition = number};
            visit(argument, &task);
        }
    }
}

bool sim_control_tasks(const char *topology,
                       void (*visit)(void *argument, const struct sim_control_task *task),
                       void *argument)
{
    char key[KEY_SIZE];
    struct mr_arena arena;
    struct mr_topology_record record;
    struct mr_version_record version;
    struct mr_error error;
    mr_arena_init(&arena, 4096);
    bool found = find_topology(topology, &arena, &record) && record.state != MR_TOPOLOGY_DELETING &&
                 record.state != MR_TOPOLOGY_RESETTING;
    if (found && record.state == MR_TOPOLOGY_RUNNING) {
        (void)snprintf(key, sizeof key, "version/%s/%u", topology, record.version);
        const struct kafka_entry *entry = last_of(key);
        if (entry == NULL ||
            mr_version_record_decode(entry->value, &arena, &version, &error) != MR_OK)
            sim_violation("%s is active and cannot be read", key);
        else
            visit_tasks(&version, visit, argument);
    }
    mr_arena_deinit(&arena);
    return found;
}

/* ---- One line of decisions ---- */

struct line { /* of a key: what may only rise */
    char key[KEY_SIZE];
    uint64_t generation;
    uint64_t number;
};

struct lines {
    struct mr_arena arena;
    struct mr_leader_record leader;
    int64_t writer; /* producer and its epoch, of the leader */
    int16_t writer_epoch;
    struct line items[KEYS_MAX];
    uint32_t count;
};

static struct line *line_of(struct lines *lines, const char *key)
{
    for (uint32_t index = 0; index < lines->count; index++)
        if (strcmp(lines->items[index].key, key) == 0)
            return &lines->items[index];
    MR_ASSERT(lines->count < KEYS_MAX);
    struct line *line = &lines->items[lines->count++];
    (void)snprintf(line->key, sizeof line->key, "%s", key);
    return line;
}

static void check_leader(struct lines *lines, const struct kafka_entry *entry)
{
    struct mr_leader_record leader;
    struct mr_error error;
    if (mr_leader_record_decode(entry->value, &lines->arena, &leader, &error) != MR_OK) {
        sim_violation("the leader's record: %s", error.message);
        return;
    }
    const struct mr_leader_record *last = &lines->leader;
    if (leader.term < last->term)
        sim_violation("term %" PRIu64 " follows term %" PRIu64, leader.term, last->term);
    if (leader.term == last->term &&
        (leader.candidate != last->candidate || leader.beat < last->beat || last->resigned))
        sim_violation("term %" PRIu64 " has two leaders, or one that goes back", leader.term);
    if (leader.term > last->term) {
        lines->writer = entry->producer_id;
        lines->writer_epoch = entry->epoch;
    }
    lines->leader = leader;
}

static void rise(struct line *line, uint64_t generation, uint64_t number)
{
    if (line->generation == generation && number < line->number)
        sim_violation("control topic: %s goes back from %" PRIu64 " to %" PRIu64, line->key,
                      line->number, number);
    line->generation = generation;
    line->number = number;
}

static void check_record(struct lines *lines, const struct kafka_entry *entry, const char *key)
{
    struct mr_error error;
    struct mr_task_record task;
    struct mr_topology_record topology;
    if (strncmp(key, "task/", 5) == 0 &&
        mr_task_record_decode(entry->value, &lines->arena, &task, &error) == MR_OK)
        rise(line_of(lines, key), 0, task.epoch);
    if (strncmp(key, "topology/", 9) == 0 &&
        mr_topology_record_decode(entry->value, &lines->arena, &topology, &error) == MR_OK)
        rise(line_of(lines, key), topology.generation, topology.version_last);
}

void sim_control_check(void)
{
    const struct kafka_partition *partition = control();
    struct lines *lines = sim_new(sizeof *lines);
    mr_arena_init(&lines->arena, 4096);
    for (int64_t offset = 0; partition != NULL && offset < partition->count; offset++) {
        const struct kafka_entry *entry = &partition->entries[offset];
        char key[KEY_SIZE];
        if (!counts(entry))
            continue;
        (void)snprintf(key, sizeof key, "%.*s", (int)entry->key.size,
                       (const char *)entry->key.data);
        if (strcmp(key, "leader") == 0)
            check_leader(lines, entry);
        if (entry->producer_id != lines->writer || entry->epoch != lines->writer_epoch)
            sim_violation("control topic: %s at %" PRId64 " is not the leader's of term %" PRIu64,
                          key, offset, lines->leader.term);
        if (!entry->value_null && entry->value.size > 0)
            check_record(lines, entry, key);
    }
    mr_arena_deinit(&lines->arena);
}

/* ---- What is left ---- */

/* Was it ever recorded? What a coordinator made that died before it recorded it stays: nobody knows
 * of it. Nor does anybody know of what Kafka makes by a request that its client has given up, and
 * that arrives when the topology is deleted already (`unasked`). */
static bool was_recorded(uint64_t generation)
{
    const struct kafka_partition *partition = control();
    struct mr_arena arena;
    bool found = false;
    mr_arena_init(&arena, 4096);
    for (int64_t offset = 0; partition != NULL && offset < partition->count; offset++) {
        const struct kafka_entry *entry = &partition->entries[offset];
        struct mr_topology_record record;
        struct mr_error error;
        if (counts(entry) && entry->key.size > 9 && entry->value.size > 0 &&
            memcmp(entry->key.data, "topology/", 9) == 0 &&
            mr_topology_record_decode(entry->value, &arena, &record, &error) == MR_OK)
            found =
                found || record.generation == generation || record.next_generation == generation;
    }
    mr_arena_deinit(&arena);
    return found;
}

/* Made by a request that was given up, and never used. */
static bool is_unasked(const struct kafka_topic *topic)
{
    bool empty = true;
    for (int32_t partition = 0; partition < topic->partitions_count; partition++)
        empty = empty && topic->partitions[partition]->count == 0;
    return topic->unasked && empty;
}

static bool is_present(uint64_t generation, const char *const *names, uint32_t names_count)
{
    for (uint32_t index = 0; index < names_count; index++)
        if (sim_control_generation(names[index]) == generation)
            return true;
    return false;
}

void sim_control_check_leftovers(void)
{
    static const char *const names[] = {"first", "second"};
    const struct kafka_partition *partition = control();
    for (const struct kafka_topic *topic = kafka.topics; topic != NULL; topic = topic->next)
        for (uint32_t index = 0; index < MR_ARRAY_COUNT(names) && !topic->deleted; index++) {
            char prefix[32];
            int size = snprintf(prefix, sizeof prefix, "sim.%s.", names[index]);
            if (strncmp(topic->name, prefix, (size_t)size) == 0 &&
                !is_present(strtoull(topic->name + size, NULL, 16), names, MR_ARRAY_COUNT(names)) &&
                was_recorded(strtoull(topic->name + size, NULL, 16)) && !is_unasked(topic))
                sim_violation("topic %s was left behind", topic->name);
        }
    for (int64_t offset = 0; partition != NULL && offset < partition->count; offset++) {
        const struct kafka_entry *entry = &partition->entries[offset];
        char key[KEY_SIZE];
        if (!counts(entry) || entry->key.size < 5 || memcmp(entry->key.data, "task/", 5) != 0)
            continue;
        (void)snprintf(key, sizeof key, "%.*s", (int)entry->key.size,
                       (const char *)entry->key.data);
        if (last_of(key) == entry &&
            !is_present(strtoull(key + 5, NULL, 16), names, MR_ARRAY_COUNT(names)))
            sim_violation("control topic: %s was left behind", key);
    }
}
