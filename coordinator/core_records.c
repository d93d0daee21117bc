/* coordinator/core_records.c — the control topic as data: topologies, versions, generations with
 * their tasks, names of workers.
 * Design: everything is an array in the order of its key, found by bisection: no step depends on
 * where the heap put something. Compaction reorders keys, so a task's record may come before its
 * topology's: tasks hang on generations, and a generation on a topology once both are known. */
#include "coordinator/core_internal.h"

#include "base/assert.h"
#include "base/memory.h"
#include "proto/codec.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_BYTES = 4096 };

/* ---- Workers ---- */

static uint32_t worker_place(const struct mr_core *core, const char *name, bool *found)
{
    uint32_t low = 0;
    uint32_t high = core->workers_count;
    *found = false;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = strcmp(core->workers[middle]->name, name);
        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

struct mr_core_worker_state *mr_core_worker_find(const struct mr_core *core, const char *name)
{
    bool found = false;
    uint32_t place = worker_place(core, name, &found);
    return found ? core->workers[place] : NULL;
}

struct mr_core_worker_state *mr_core_worker_ensure(struct mr_core *core, const char *name)
{
    bool found = false;
    uint32_t place = worker_place(core, name, &found);
    if (found)
        return core->workers[place];
    if (core->workers_count == MR_CORE_WORKERS_MAX)
        return NULL;
    core->workers = mr_core_grow(core->workers, core->workers_count, &core->workers_capacity,
                                 sizeof(struct mr_core_worker_state *));
    memmove(core->workers + place + 1, core->workers + place,
            (core->workers_count - place) * sizeof(struct mr_core_worker_state *));
    struct mr_core_worker_state *worker = mr_memory_new(1, sizeof *worker);
    worker->name = mr_memory_copy_text(name);
    worker->zone = mr_memory_copy_text("");
    worker->http = mr_memory_copy_text("");
    worker->build = mr_memory_copy_text("");
    worker->threads_count = 1;
    worker->gone = true;
    worker->gone_ms = core->now_ms;
    core->workers[place] = worker;
    core->workers_count++;
    return worker;
}

static void refused_free(struct mr_core_worker_state *worker)
{
    for (uint32_t i = 0; i < worker->refused_count; i++)
        mr_memory_free(worker->refused[i].error);
    mr_memory_free(worker->refused);
}

void mr_core_worker_free(struct mr_core_worker_state *worker)
{
    refused_free(worker);
    mr_memory_free(worker->name);
    mr_memory_free(worker->zone);
    mr_memory_free(worker->http);
    mr_memory_free(worker->build);
    mr_memory_free(worker->actives);
    mr_memory_free(worker->copies);
    mr_memory_free(worker);
}

/* ---- Generations, parts, tasks ---- */

static uint32_t generation_place(const struct mr_core *core, uint64_t id, bool *found)
{
    uint32_t low = 0;
    uint32_t high = core->generations_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (core->generations[middle]->id < id)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < core->generations_count && core->generations[low]->id == id;
    return low;
}

struct mr_core_generation *mr_core_generation_find(const struct mr_core *core, uint64_t id)
{
    bool found = false;
    uint32_t place = generation_place(core, id, &found);
    return found ? core->generations[place] : NULL;
}

struct mr_core_generation *mr_core_generation_ensure(struct mr_core *core, uint64_t id)
{
    bool found = false;
    uint32_t place = generation_place(core, id, &found);
    if (found)
        return core->generations[place];
    core->generations = mr_memory_resize(
        core->generations, (core->generations_count + 1) * sizeof(struct mr_core_generation *));
    memmove(core->generations + place + 1, core->generations + place,
            (core->generations_count - place) * sizeof(struct mr_core_generation *));
    struct mr_core_generation *generation = mr_memory_new(1, sizeof *generation);
    generation->id = id;
    core->generations[place] = generation;
    core->generations_count++;
    return generation;
}

static uint32_t part_place(const struct mr_core_generation *generation, const char *name,
                           bool *found)
{
    uint32_t low = 0;
    uint32_t high = generation->parts_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(generation->parts[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < generation->parts_count && strcmp(generation->parts[low]->name, name) == 0;
    return low;
}

struct mr_core_part *mr_core_part_find(const struct mr_core_generation *generation,
                                       const char *name)
{
    bool found = false;
    uint32_t place = part_place(generation, name, &found);
    return found ? generation->parts[place] : NULL;
}

struct mr_core_part *mr_core_part_ensure(struct mr_core_generation *generation, const char *name)
{
    bool found = false;
    uint32_t place = part_place(generation, name, &found);
    if (found)
        return generation->parts[place];
    generation->parts = mr_memory_resize(generation->parts, (generation->parts_count + 1) *
                                                                sizeof(struct mr_core_part *));
    memmove(generation->parts + place + 1, generation->parts + place,
            (generation->parts_count - place) * sizeof(struct mr_core_part *));
    struct mr_core_part *part = mr_memory_new(1, sizeof *part);
    part->generation = generation;
    part->name = mr_memory_copy_text(name);
    part->weight = MR_CORE_WEIGHT_DEFAULT;
    generation->parts[place] = part;
    generation->parts_count++;
    return part;
}

struct mr_core_task_state *mr_core_task_find(const struct mr_core *core,
                                             const struct mr_task_name *name)
{
    const struct mr_core_generation *generation = mr_core_generation_find(core, name->generation);
    if (generation == NULL)
        return NULL;
    const struct mr_core_part *part = mr_core_part_find(generation, name->subtopology);
    if (part == NULL || name->partition < 0 || (uint32_t)name->partition >= part->tasks_count)
        return NULL;
    return part->tasks[name->partition];
}

/* Returns: NULL when the partition's number is beyond all bounds. Tasks are made up to it. */
struct mr_core_task_state *mr_core_task_ensure(struct mr_core *core, struct mr_core_part *part,
                                               int32_t partition)
{
    if (partition < 0 || partition >= MR_CORE_TASKS_MAX)
        return NULL;
    uint32_t count = (uint32_t)partition + 1;
    if (count > part->tasks_count) {
        part->tasks = mr_memory_resize(part->tasks, count * sizeof(struct mr_core_task_state *));
        while (part->tasks_count < count)
            part->tasks[part->tasks_count++] = NULL;
    }
    if (part->tasks[partition] != NULL)
        return part->tasks[partition];
    core->tasks = mr_core_grow(core->tasks, core->tasks_count, &core->tasks_capacity,
                               sizeof(struct mr_core_task_state *));
    struct mr_core_task_state *task = mr_memory_new(1, sizeof *task);
    task->part = part;
    task->partition = partition;
    task->index = core->tasks_count;
    task->since_ms = core->now_ms;
    core->tasks[core->tasks_count++] = task;
    part->tasks[partition] = task;
    return task;
}

static void generation_free(struct mr_core_generation *generation)
{
    for (uint32_t i = 0; i < generation->parts_count; i++) {
        mr_memory_free(generation->parts[i]->name);
        mr_memory_free(generation->parts[i]->tasks);
        mr_memory_free(generation->parts[i]);
    }
    mr_memory_free(generation->parts);
    mr_memory_free(generation);
}

static void generation_prune(struct mr_core *core, struct mr_core_generation *generation)
{
    if (generation->topology != NULL)
        return;
    for (uint32_t i = 0; i < generation->parts_count; i++)
        for (uint32_t j = 0; j < generation->parts[i]->tasks_count; j++)
            if (generation->parts[i]->tasks[j] != NULL)
                return;
    bool found = false;
    uint32_t place = generation_place(core, generation->id, &found);
    generation_free(generation);
    core->generations_count--;
    memmove(core->generations + place, core->generations + place + 1,
            (core->generations_count - place) * sizeof(struct mr_core_generation *));
}

/* Pre: it is FREE and has no copies. */
void mr_core_task_forget(struct mr_core *core, struct mr_core_task_state *task)
{
    struct mr_core_part *part = task->part;
    part->tasks[task->partition] = NULL;
    core->tasks_count--;
    core->tasks[task->index] = core->tasks[core->tasks_count];
    core->tasks[task->index]->index = task->index;
    mr_memory_free(task->error);
    mr_memory_free(task);
    generation_prune(core, part->generation);
}

/* ---- Topologies and versions ---- */

static uint32_t topology_place(const struct mr_core *core, const char *name, bool *found)
{
    uint32_t low = 0;
    uint32_t high = core->topologies_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (strcmp(core->topologies[middle]->name, name) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = low < core->topologies_count && strcmp(core->topologies[low]->name, name) == 0;
    return low;
}

struct mr_core_topology_state *mr_core_topology_find(const struct mr_core *core, const char *name)
{
    bool found = false;
    uint32_t place = topology_place(core, name, &found);
    return found ? core->topologies[place] : NULL;
}

struct mr_core_topology_state *mr_core_topology_ensure(struct mr_core *core, const char *name)
{
    bool found = false;
    uint32_t place = topology_place(core, name, &found);
    if (found)
        return core->topologies[place];
    core->topologies = mr_memory_resize(
        core->topologies, (core->topologies_count + 1) * sizeof(struct mr_core_topology_state *));
    memmove(core->topologies + place + 1, core->topologies + place,
            (core->topologies_count - place) * sizeof(struct mr_core_topology_state *));
    struct mr_core_topology_state *topology = mr_memory_new(1, sizeof *topology);
    topology->name = mr_memory_copy_text(name);
    topology->since_ms = core->now_ms;
    core->topologies[place] = topology;
    core->topologies_count++;
    return topology;
}

static void topology_free(struct mr_core_topology_state *topology)
{
    for (uint32_t i = 0; i < topology->versions_count; i++)
        mr_core_version_free(topology->versions[i]);
    mr_core_topology_record_free(topology->record);
    mr_core_version_free(topology->operation.version);
    mr_memory_free(topology->operation.reason);
    mr_memory_free(topology->operation.argument);
    mr_memory_free(topology->operation.cause);
    mr_memory_free(topology->failure);
    mr_memory_free(topology->name);
    mr_memory_free(topology);
}

void mr_core_topology_remove(struct mr_core *core, struct mr_core_topology_state *topology)
{
    bool found = false;
    uint32_t place = topology_place(core, topology->name, &found);
    for (uint32_t i = core->generations_count; i-- > 0;)
        if (core->generations[i]->topology == topology) {
            core->generations[i]->topology = NULL;
            generation_prune(core, core->generations[i]);
        }
    core->topologies_count--;
    memmove(core->topologies + place, core->topologies + place + 1,
            (core->topologies_count - place) * sizeof(struct mr_core_topology_state *));
    topology_free(topology);
}

static struct mr_core_version_state *version_decode(struct mr_slice bytes)
{
    struct mr_error error;
    struct mr_core_version_state *version = mr_memory_new(1, sizeof *version);
    mr_arena_init(&version->arena, ARENA_BYTES);
    struct mr_slice kept = mr_arena_copy(&version->arena, bytes);
    if (mr_version_record_decode(kept, &version->arena, &version->record, &error) != MR_OK) {
        mr_core_version_free(version);
        return NULL;
    }
    return version;
}

/* The codec makes the copy: one place knows all fields. */
struct mr_core_version_state *mr_core_version_copy(const struct mr_version_record *record)
{
    struct mr_arena arena;
    mr_arena_init(&arena, ARENA_BYTES);
    struct mr_core_version_state *version =
        version_decode(mr_version_record_encode(record, &arena));
    mr_arena_deinit(&arena);
    return version;
}

void mr_core_version_free(struct mr_core_version_state *version)
{
    if (version == NULL)
        return;
    mr_arena_deinit(&version->arena);
    mr_memory_free(version);
}

struct mr_core_version_state *mr_core_version_find(const struct mr_core_topology_state *topology,
                                                   uint32_t number)
{
    for (uint32_t i = 0; i < topology->versions_count; i++)
        if (topology->versions[i]->record.version == number)
            return topology->versions[i];
    return NULL;
}

void mr_core_version_drop(struct mr_core_topology_state *topology, uint32_t number)
{
    for (uint32_t i = 0; i < topology->versions_count; i++) {
        if (topology->versions[i]->record.version != number)
            continue;
        if (topology->active == topology->versions[i])
            topology->active = NULL;
        mr_core_version_free(topology->versions[i]);
        topology->versions_count--;
        memmove(topology->versions + i, topology->versions + i + 1,
                (topology->versions_count - i) * sizeof topology->versions[0]);
        return;
    }
}

void mr_core_version_put(struct mr_core_topology_state *topology,
                         struct mr_core_version_state *version)
{
    uint32_t number = version->record.version;
    bool active = topology->active != NULL && topology->active->record.version == number;
    mr_core_version_drop(topology, number);
    if (topology->versions_count == MR_ARRAY_COUNT(topology->versions))
        mr_core_version_drop(topology, topology->versions[0]->record.version);
    uint32_t place = topology->versions_count;
    while (place > 0 && topology->versions[place - 1]->record.version > number) {
        topology->versions[place] = topology->versions[place - 1];
        place--;
    }
    topology->versions[place] = version;
    topology->versions_count++;
    if (active)
        topology->active = version;
}

static struct mr_core_topology_record *topology_decode(struct mr_slice bytes)
{
    struct mr_error error;
    struct mr_core_topology_record *record = mr_memory_new(1, sizeof *record);
    mr_arena_init(&record->arena, ARENA_BYTES / 4);
    struct mr_slice kept = mr_arena_copy(&record->arena, bytes);
    if (mr_topology_record_decode(kept, &record->arena, &record->record, &error) != MR_OK) {
        mr_core_topology_record_free(record);
        return NULL;
    }
    return record;
}

struct mr_core_topology_record *mr_core_topology_copy(const struct mr_topology_record *record)
{
    struct mr_arena arena;
    mr_arena_init(&arena, ARENA_BYTES);
    struct mr_core_topology_record *copy =
        topology_decode(mr_topology_record_encode(record, &arena));
    mr_arena_deinit(&arena);
    return copy;
}

void mr_core_topology_record_free(struct mr_core_topology_record *record)
{
    if (record == NULL)
        return;
    mr_arena_deinit(&record->arena);
    mr_memory_free(record);
}

void mr_core_topology_put(struct mr_core *core, struct mr_core_topology_state *topology,
                          struct mr_core_topology_record *record)
{
    record->record.name = topology->name; /* layout 1 has none */
    mr_core_topology_record_free(topology->record);
    topology->record = record;
    struct mr_core_generation *past = topology->generation;
    if (past == NULL || past->id != record->record.generation) {
        topology->generation = mr_core_generation_ensure(core, record->record.generation);
        topology->generation->topology = topology;
        if (past != NULL) {
            past->topology = NULL;
            generation_prune(core, past);
        }
    }
    topology->active = mr_core_version_find(topology, record->record.version);
}

void mr_core_topology_shape(struct mr_core *core, struct mr_core_topology_state *topology)
{
    struct mr_core_generation *generation = topology->generation;
    for (uint32_t i = 0; i < generation->parts_count; i++)
        generation->parts[i]->wanted_count = 0;
    if (topology->active == NULL)
        return;
    const struct mr_binding *binding = &topology->active->record.binding;
    for (uint32_t i = 0; i < binding->subtopologies_count; i++) {
        const struct mr_bound_subtopology *bound = &binding->subtopologies[i];
        struct mr_core_part *part = mr_core_part_ensure(generation, bound->name);
        part->stateful = bound->stateful;
        for (int32_t j = 0; j < bound->tasks_count; j++)
            if (mr_core_task_ensure(core, part, j) != NULL)
                part->wanted_count = (uint32_t)j + 1;
    }
}

/* ---- Records ---- */

/* "<generation, 16 hex digits>/<subtopology>/<partition>"; name->subtopology is in `text`. */
static bool task_key_parse(char *text, struct mr_task_name *name)
{
    char *slash = strchr(text, '/');
    char *last = strrchr(text, '/');
    if (slash == NULL || last == slash || slash - text != 16 || last[1] == '\0')
        return false;
    *slash = '\0';
    *last = '\0';
    char *end = NULL;
    name->generation = strtoull(text, &end, 16);
    if (*end != '\0')
        return false;
    long partition = strtol(last + 1, &end, 10);
    if (*end != '\0' || partition < 0 || partition >= MR_CORE_TASKS_MAX)
        return false;
    name->subtopology = slash + 1;
    name->partition = (int32_t)partition;
    return true;
}

static bool record_task(struct mr_core *core, char *text, struct mr_slice value)
{
    struct mr_task_name name;
    if (!task_key_parse(text, &name))
        return false;
    if (value.size == 0) {
        struct mr_core_task_state *task = mr_core_task_find(core, &name);
        if (task != NULL)
            mr_core_task_forget(core, task);
        return true;
    }
    struct mr_task_record record;
    struct mr_error error;
    if (mr_task_record_decode(value, &core->arena, &record, &error) != MR_OK)
        return false;
    struct mr_core_generation *generation = mr_core_generation_ensure(core, name.generation);
    struct mr_core_part *part = mr_core_part_ensure(generation, name.subtopology);
    struct mr_core_task_state *task = mr_core_task_ensure(core, part, name.partition);
    if (task == NULL)
        return false;
    task->recorded = true;
    task->epoch = record.epoch;
    task->instance = record.instance;
    task->holder = record.worker[0] == '\0' ? NULL : mr_core_worker_ensure(core, record.worker);
    return true;
}

static bool record_topology(struct mr_core *core, const char *name, struct mr_slice value)
{
    if (value.size == 0) {
        struct mr_core_topology_state *topology = mr_core_topology_find(core, name);
        if (topology != NULL && topology->versions_count == 0) {
            mr_core_topology_remove(core, topology);
        } else if (topology != NULL) {
            mr_core_topology_record_free(topology->record);
            topology->record = NULL;
            topology->active = NULL;
        }
        return true;
    }
    struct mr_core_topology_record *record = topology_decode(value);
    if (record == NULL)
        return false;
    mr_core_topology_put(core, mr_core_topology_ensure(core, name), record);
    return true;
}

static bool record_version(struct mr_core *core, char *text, struct mr_slice value)
{
    char *slash = strrchr(text, '/');
    if (slash == NULL)
        return false;
    *slash = '\0';
    char *end = NULL;
    unsigned long number = strtoul(slash + 1, &end, 10);
    if (slash[1] == '\0' || *end != '\0' || number > UINT32_MAX)
        return false;
    if (value.size == 0) {
        struct mr_core_topology_state *topology = mr_core_topology_find(core, text);
        if (topology == NULL)
            return true;
        mr_core_version_drop(topology, (uint32_t)number);
        if (topology->versions_count == 0 && topology->record == NULL)
            mr_core_topology_remove(core, topology);
        return true;
    }
    struct mr_core_version_state *version = version_decode(value);
    if (version == NULL)
        return false;
    struct mr_core_topology_state *topology = mr_core_topology_ensure(core, text);
    mr_core_version_put(topology, version);
    if (topology->record != NULL)
        topology->active = mr_core_version_find(topology, topology->record->record.version);
    return true;
}

static bool record_leader(struct mr_core *core, struct mr_slice value)
{
    struct mr_leader_record record;
    struct mr_error error;
    if (value.size == 0)
        return true;
    if (mr_leader_record_decode(value, &core->arena, &record, &error) != MR_OK)
        return false;
    mr_core_replace_text(&core->leader, record.resigned ? NULL : record.address);
    return true;
}

static bool record_drain(struct mr_core *core, const char *name, struct mr_slice value)
{
    struct mr_core_worker_state *worker = mr_core_worker_ensure(core, name);
    if (worker != NULL)
        worker->drained = value.size != 0;
    return worker != NULL;
}

static bool record_restart(struct mr_core *core, const char *name, struct mr_slice value)
{
    struct mr_task_record record = {0};
    struct mr_error error;
    if (value.size != 0 && mr_task_record_decode(value, &core->arena, &record, &error) != MR_OK)
        return false;
    struct mr_core_worker_state *worker = mr_core_worker_ensure(core, name);
    if (worker != NULL)
        worker->restart_recorded = record.instance;
    return worker != NULL;
}

static char *key_after(char *key, const char *prefix)
{
    size_t size = strlen(prefix);
    return strncmp(key, prefix, size) == 0 ? key + size : NULL;
}

void mr_core_record_event(struct mr_core *core, struct mr_slice key, struct mr_slice value)
{
    char text[MR_CORE_KEY_MAX];
    if (key.size >= sizeof text)
        return;
    memcpy(text, key.data, key.size);
    text[key.size] = '\0';
    bool good = true;
    char *rest = NULL;
    if (strcmp(text, "leader") == 0)
        good = record_leader(core, value);
    else if ((rest = key_after(text, "task/")) != NULL)
        good = record_task(core, rest, value);
    else if ((rest = key_after(text, "topology/")) != NULL)
        good = record_topology(core, rest, value);
    else if ((rest = key_after(text, "version/")) != NULL)
        good = record_version(core, rest, value);
    else if ((rest = key_after(text, "drain/")) != NULL)
        good = record_drain(core, rest, value);
    else if ((rest = key_after(text, "restart/")) != NULL)
        good = record_restart(core, rest, value);
    if (!good)
        mr_core_news(core, "record-unreadable", "",
                     "A record of the control topic cannot be read and is left aside: its key "
                     "begins with %.64s.",
                     text);
}

void mr_core_records_free(struct mr_core *core)
{
    for (uint32_t i = 0; i < core->tasks_count; i++) {
        mr_memory_free(core->tasks[i]->error);
        mr_memory_free(core->tasks[i]);
    }
    for (uint32_t i = 0; i < core->generations_count; i++)
        generation_free(core->generations[i]);
    for (uint32_t i = 0; i < core->topologies_count; i++)
        topology_free(core->topologies[i]);
    for (uint32_t i = 0; i < core->workers_count; i++)
        mr_core_worker_free(core->workers[i]);
    mr_memory_free(core->tasks);
    mr_memory_free(core->generations);
    mr_memory_free(core->topologies);
    mr_memory_free(core->workers);
}
