/* worker/query.c — reads of committed state by key.
 * Design: a list of entries, newest first; a worker has at most some thousands. The mutex is held
 * while a key is read: queries come one at a time from the server's thread anyway, and a close
 * waits for one read at most. */
#include "worker/query.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "operators/operator.h"

#include <pthread.h>
#include <stdatomic.h>

struct mr_query_entry {
    struct mr_query_registry *registry;
    struct mr_query_entry *next;
    struct mr_query_task task;
    char *topology;
    bool ready;
    _Atomic int64_t remaining;
    _Atomic int64_t current_ms;
};

struct mr_query_registry {
    pthread_mutex_t mutex; /* guards the entries but for their atomic members */
    struct mr_query_entry *entries;
};

struct mr_query_registry *mr_query_registry_create(void)
{
    struct mr_query_registry *registry = mr_memory_new(1, sizeof *registry);
    int code = pthread_mutex_init(&registry->mutex, NULL);
    MR_ASSERT(code == 0);
    return registry;
}

void mr_query_registry_destroy(struct mr_query_registry *registry)
{
    if (registry == NULL)
        return;
    MR_ASSERT(registry->entries == NULL);
    pthread_mutex_destroy(&registry->mutex);
    mr_memory_free(registry);
}

struct mr_query_entry *mr_query_register(struct mr_query_registry *registry,
                                         const struct mr_query_task *task)
{
    struct mr_query_entry *entry = mr_memory_new(1, sizeof *entry);
    entry->registry = registry;
    entry->task = *task;
    entry->topology = mr_memory_copy_text(task->topology);
    entry->task.topology = entry->topology;
    atomic_store(&entry->remaining, -1);
    pthread_mutex_lock(&registry->mutex);
    entry->next = registry->entries;
    registry->entries = entry;
    pthread_mutex_unlock(&registry->mutex);
    return entry;
}

void mr_query_remaining(struct mr_query_entry *entry, int64_t records)
{
    atomic_store_explicit(&entry->remaining, records, memory_order_relaxed);
}

void mr_query_current(struct mr_query_entry *entry, int64_t wall_ms)
{
    atomic_store_explicit(&entry->current_ms, wall_ms, memory_order_relaxed);
}

void mr_query_ready(struct mr_query_entry *entry)
{
    pthread_mutex_lock(&entry->registry->mutex);
    entry->ready = true;
    pthread_mutex_unlock(&entry->registry->mutex);
}

void mr_query_unregister(struct mr_query_entry *entry)
{
    if (entry == NULL)
        return;
    struct mr_query_registry *registry = entry->registry;
    pthread_mutex_lock(&registry->mutex);
    struct mr_query_entry **link = &registry->entries;
    while (*link != entry)
        link = &(*link)->next;
    *link = entry->next;
    pthread_mutex_unlock(&registry->mutex);
    mr_memory_free(entry->topology);
    mr_memory_free(entry);
}

/* ---- Names ---- */

static const struct mr_query_entry *find_topology(const struct mr_query_registry *registry,
                                                  const char *name)
{
    const struct mr_query_entry *entry = registry->entries;
    while (entry != NULL && strcmp(entry->topology, name) != 0)
        entry = entry->next;
    return entry;
}

static const char *nearest_topology(const struct mr_query_registry *registry, const char *name,
                                    struct mr_arena *arena)
{
    uint32_t count = 0;
    for (const struct mr_query_entry *entry = registry->entries; entry != NULL; entry = entry->next)
        count++;
    const char **names = mr_arena_take(arena, (count + 1) * sizeof *names);
    count = 0;
    for (const struct mr_query_entry *entry = registry->entries; entry != NULL; entry = entry->next)
        names[count++] = entry->topology;
    const char *nearest = mr_options_nearest(name, names, count);
    return nearest == NULL ? NULL : mr_arena_copy_text(arena, nearest);
}

static bool has_state(const struct mr_plan_node *node)
{
    return node->type->role == MR_ROLE_OPERATOR && node->type->state_version > 0;
}

static const char *nearest_store(const struct mr_plan *plan, const char *name,
                                 struct mr_arena *arena)
{
    const char **names = mr_arena_take(arena, (plan->nodes_count + 1) * sizeof *names);
    uint32_t count = 0;
    for (uint32_t index = 0; index < plan->nodes_count; index++) {
        if (has_state(&plan->nodes[index]))
            names[count++] = plan->nodes[index].name;
    }
    const char *nearest = mr_options_nearest(name, names, count);
    if (nearest == NULL && count == 1)
        nearest = names[0];
    return nearest == NULL ? NULL : mr_arena_copy_text(arena, nearest);
}

/* ---- Reading ---- */

struct reading {
    const struct mr_query *query;
    const struct mr_operator_type *type;
    const struct mr_plan_node *node;
    struct mr_arena *arena;
    struct mr_query_answer *answer;
};

static enum mr_status describe(void *argument, const struct mr_state_object *object,
                               struct mr_error *error)
{
    struct reading *reading = argument;
    struct mr_query_answer *answer = reading->answer;
    answer->event_time_ms = object->event_time_ms;
    if (reading->query->document != NULL)
        return reading->type->write_model(object, reading->node, reading->query->model_name,
                                          reading->query->document, error);
    answer->description.members_count = 0;
    answer->description.node = reading->node;
    answer->description.last = reading->query->last;
    answer->description.since_ms = reading->query->since_ms;
    answer->description.place = reading->query->place;
    return reading->type->describe_state(object, reading->arena, &answer->description, error);
}

/* What is asked for, by names: versions of a topology have plans of their own. */
struct wanted {
    const struct mr_query *query;
    const char *topology;
    uint64_t generation;
    const char *subtopology;
    struct mr_arena *arena;
    struct mr_query_answer *answer;
};

/* What is asked besides the key is for the type. */
static bool can_answer(const struct mr_query *query, const struct mr_operator_type *operator,
                       struct mr_error * error)
{
    const struct mr_type_spec *type = &operator->spec;
    if (query->document != NULL && operator->write_model == NULL) {
        MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                "%s learns no model: that do generate.copula and its like", type->name);
        return false;
    }
    bool has_records = (type->flags & MR_TYPE_KEEPS_RECORDS) != 0;
    bool has_places = (type->flags & MR_TYPE_PLACES) != 0;
    if ((query->last != 0 && !has_records) ||
        (query->since_ms != 0 && !has_records && !has_places)) {
        MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                "%s keeps no records: last and since are for operators as buffer", type->name);
        return false;
    }
    if ((query->place.has_layer || query->place.has_box) && !has_places) {
        MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                "%s keeps no voxels: layer, from and to are for voxel.aggregate", type->name);
        return false;
    }
    return true;
}

static void read_key(const struct mr_query_entry *entry, const struct wanted *wanted)
{
    struct mr_query_answer *answer = wanted->answer;
    const struct mr_plan_node *node = mr_plan_node_find(entry->task.plan, wanted->query->store);
    answer->outcome = MR_QUERY_NO_KEY;
    if (node == NULL || !has_state(node))
        return; /* the entry's version does not have the store */
    const struct mr_operator_type *type = mr_operator_find(node->type->role, node->type->name);
    if (!can_answer(wanted->query, type, &answer->error)) {
        answer->outcome = MR_QUERY_FAILED;
        return;
    }
    struct reading reading = {.query = wanted->query,
                              .type = type,
                              .node = node,
                              .arena = wanted->arena,
                              .answer = answer};
    struct mr_state_query query = {.operator_name = node->name,
                                   .table_name = type->state_table,
                                   .key = wanted->query->key,
                                   .visit = describe,
                                   .argument = &reading};
    answer->partition = entry->task.partition;
    answer->by_standby = entry->task.standby;
    answer->remaining = atomic_load_explicit(&entry->remaining, memory_order_relaxed);
    answer->current_ms = atomic_load_explicit(&entry->current_ms, memory_order_relaxed);
    enum mr_status status = mr_state_query(entry->task.state, &query, wanted->arena,
                                           &answer->changelog_offset, &answer->error);
    if (status == MR_OK)
        answer->outcome = MR_QUERY_FOUND;
    else if (status != MR_NOT_FOUND)
        answer->outcome = MR_QUERY_FAILED;
}

static bool fits(const struct mr_query_entry *entry, const struct wanted *wanted)
{
    const struct mr_query_task *task = &entry->task;
    return strcmp(entry->topology, wanted->topology) == 0 &&
           task->generation == wanted->generation &&
           strcmp(task->plan->subtopologies[task->subtopology].name, wanted->subtopology) == 0;
}

static const struct mr_query_entry *find_partition(const struct mr_query_registry *registry,
                                                   const struct wanted *wanted, bool standby,
                                                   int32_t partition)
{
    const struct mr_query_entry *entry = registry->entries;
    while (entry != NULL && (!fits(entry, wanted) || entry->task.standby != standby ||
                             entry->task.partition != partition))
        entry = entry->next;
    return entry;
}

/* The key may be in another partition than the one that murmur2 says. */
static bool read_elsewhere(const struct mr_query_registry *registry, const struct wanted *wanted,
                           int32_t partition)
{
    for (const struct mr_query_entry *entry = registry->entries; entry != NULL;
         entry = entry->next) {
        if (!fits(entry, wanted) || !entry->ready || entry->task.partition == partition ||
            (entry->task.standby && !wanted->query->standby))
            continue;
        read_key(entry, wanted);
        if (wanted->answer->outcome == MR_QUERY_FOUND)
            return true;
    }
    return false;
}

/* The partition of the key, as producers place it. */
static int32_t partition_of(const struct mr_query_registry *registry, const struct wanted *wanted)
{
    if (wanted->query->partition >= 0)
        return wanted->query->partition;
    const struct mr_query_entry *entry = registry->entries;
    while (entry != NULL && !fits(entry, wanted))
        entry = entry->next;
    int32_t count = entry == NULL ? 0 : entry->task.partitions_count;
    return count <= 1 ? 0 : mr_hash_partition(wanted->query->key, count);
}

static void read_store(struct mr_query_registry *registry, const struct wanted *wanted)
{
    const struct mr_query *query = wanted->query;
    struct mr_query_answer *answer = wanted->answer;
    int32_t partition = partition_of(registry, wanted);
    const struct mr_query_entry *entry = find_partition(registry, wanted, false, partition);
    if (query->standby && (entry == NULL || !entry->ready)) {
        const struct mr_query_entry *other = find_partition(registry, wanted, true, partition);
        entry = other == NULL ? entry : other;
    }
    bool readable = entry != NULL && entry->ready;
    if (readable)
        read_key(entry, wanted);
    if (readable && answer->outcome != MR_QUERY_NO_KEY)
        return;
    if (query->partition < 0 && read_elsewhere(registry, wanted, partition))
        return;
    answer->partition = partition;
    if (readable)
        answer->outcome = MR_QUERY_NO_KEY;
    else
        answer->outcome = entry == NULL ? MR_QUERY_NOT_HERE : MR_QUERY_RESTORING;
    if (entry != NULL)
        answer->remaining = atomic_load_explicit(&entry->remaining, memory_order_relaxed);
}

void mr_query_run(struct mr_query_registry *registry, const struct mr_query *query,
                  struct mr_arena *arena, struct mr_query_answer *answer)
{
    *answer =
        (struct mr_query_answer){.partition = -1, .remaining = -1, .event_time_ms = INT64_MIN};
    pthread_mutex_lock(&registry->mutex);
    const struct mr_query_entry *model = find_topology(registry, query->topology);
    const struct mr_plan_node *node =
        model == NULL ? NULL : mr_plan_node_find(model->task.plan, query->store);
    if (model == NULL) {
        answer->outcome = MR_QUERY_NO_TOPOLOGY;
        answer->nearest = nearest_topology(registry, query->topology, arena);
    } else if (node == NULL || !has_state(node)) {
        answer->outcome = MR_QUERY_NO_STORE;
        answer->nearest = nearest_store(model->task.plan, query->store, arena);
    } else {
        struct wanted wanted = {.query = query,
                                .topology = model->topology,
                                .generation = model->task.generation,
                                .subtopology =
                                    model->task.plan->subtopologies[node->subtopology].name,
                                .arena = arena,
                                .answer = answer};
        read_store(registry, &wanted);
    }
    pthread_mutex_unlock(&registry->mutex);
}
