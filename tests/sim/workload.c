/* tests/sim/workload.c — topologies and the records that feed them.
 * Design: four shapes: keyed state at the source; a repartition before keyed state; records that
 * wait for event time in front of a repartition and behind it; stateless. Two versions of those
 * with state: with a short commit interval, and with a longer one and standbys; and two that
 * promise at least once. The records carry an id, which says where it was written. Event time goes
 * on with the ids, so that no record may be late. Behind the last one it goes on by a record in
 * each partition of which nothing comes out, or by silence: all that waits leaves. */
#include "tests/sim/workload.h"

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "cli/catalogue.h"
#include "coordinator/deploy.h"
#include "tests/sim/kafka.h"
#include "tests/sim/workload_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { EVENT_STEP_MS = 10, TICK_AFTER_MS = 600000 };

static const int64_t begin_ms = 1767225600000; /* where the wall clocks begin */

#define HEAD                                                                                       \
    "apiVersion: millrace.io/v1alpha1\n"                                                           \
    "kind: Topology\n"

#define SOURCE(topic, key)                                                                         \
    "  sources:\n"                                                                                 \
    "    - {name: readings, type: kafka, topic: " topic ", format: json, key: [" key "]}\n"

#define SINK(from, topic)                                                                          \
    "  sinks:\n"                                                                                   \
    "    - {name: results, type: kafka, from: " from ", topic: " topic ", key: [k]}\n"

#define EWMA(from)                                                                                 \
    "    - {name: chart, type: detect.ewma, from: " from ", key: [k], field: value, "              \
    "lambda: 0.25}\n"

#define KEYED(name, interval, in, out)                                                             \
    HEAD "metadata: {name: " name "}\nspec:\n  commit_interval: " interval                         \
         "\n" SOURCE(in, "k") "  operators:\n" EWMA("readings") SINK("chart", out)

#define REPARTITIONED(name, interval, in, out)                                                     \
    HEAD "metadata: {name: " name "}\nspec:\n  commit_interval: " interval "\n" SOURCE(            \
        in, "d") "  operators:\n"                                                                  \
                 "    - {name: by-key, type: key_by, from: readings, key: [k]}\n" EWMA("by-key")   \
                     SINK("chart", out)

/* No record is late, so each comes out; parts of what is due end where system.c likes. */
#define SORTED(name, interval, in, out, watermark)                                                 \
    HEAD "metadata: {name: " name "}\nspec:\n  commit_interval: " interval "\n  sources:\n"        \
         "    - {name: readings, type: kafka, topic: " in ", format: json, key: [d],"              \
         " timestamp: ts, max_ahead: 3660d, watermark: {" watermark "}}\n"                         \
         "  operators:\n"                                                                          \
         "    - {name: known, type: filter, from: readings, where: 'id >= 0.0'}\n"                 \
         "    - {name: parts, type: sort, from: known, scope: partition}\n"                        \
         "    - {name: by-key, type: key_by, from: parts, key: [k]}\n"                             \
         "    - {name: whole, type: sort, from: by-key, key: [k]}\n" EWMA("whole")                 \
             SINK("chart", out)

/* Longer than it takes to write all records: time goes on behind the last of them only. */
#define SILENT "max_delay: 1s, idle_timeout: 20s"
#define TICKED "max_delay: 0s"

#define STATELESS(name, interval, in, out)                                                         \
    HEAD "metadata: {name: " name "}\nspec:\n  commit_interval: " interval "\n" SOURCE(            \
        in, "k") "  operators:\n"                                                                  \
                 "    - {name: known, type: filter, from: readings, where: 'id >= 0.0'}\n" SINK(   \
                     "known", out)

#define AT_LEAST_ONCE "50ms\n  guarantee: at_least_once"

/* The last two promise at least once. */
static const struct {
    enum sim_shape shape;
    const char *text;
} texts[SIM_TOPOLOGIES_MAX][SIM_PLANS] = {
    {{SIM_KEYED, KEYED("first", "20ms", "in-0", "out-0")},
     {SIM_KEYED, KEYED("first", "100ms\n  standbys: 1", "in-0", "out-0")},
     {SIM_REPARTITIONED, REPARTITIONED("first", "20ms", "in-0", "out-0")},
     {SIM_REPARTITIONED, REPARTITIONED("first", "100ms\n  standbys: 1", "in-0", "out-0")},
     {SIM_STATELESS, STATELESS("first", "50ms", "in-0", "out-0")},
     {SIM_TICKED, SORTED("first", "20ms", "in-0", "out-0", TICKED)},
     {SIM_TICKED, SORTED("first", "100ms\n  standbys: 1", "in-0", "out-0", TICKED)},
     {SIM_SILENT, SORTED("first", "20ms", "in-0", "out-0", SILENT)},
     {SIM_SILENT, SORTED("first", "100ms\n  standbys: 1", "in-0", "out-0", SILENT)},
     {SIM_KEYED, KEYED("first", AT_LEAST_ONCE, "in-0", "out-0")},
     {SIM_STATELESS, STATELESS("first", AT_LEAST_ONCE, "in-0", "out-0")}},
    {{SIM_KEYED, KEYED("second", "20ms", "in-1", "out-1")},
     {SIM_KEYED, KEYED("second", "100ms\n  standbys: 1", "in-1", "out-1")},
     {SIM_REPARTITIONED, REPARTITIONED("second", "20ms", "in-1", "out-1")},
     {SIM_REPARTITIONED, REPARTITIONED("second", "100ms\n  standbys: 1", "in-1", "out-1")},
     {SIM_STATELESS, STATELESS("second", "50ms", "in-1", "out-1")},
     {SIM_TICKED, SORTED("second", "20ms", "in-1", "out-1", TICKED)},
     {SIM_TICKED, SORTED("second", "100ms\n  standbys: 1", "in-1", "out-1", TICKED)},
     {SIM_SILENT, SORTED("second", "20ms", "in-1", "out-1", SILENT)},
     {SIM_SILENT, SORTED("second", "100ms\n  standbys: 1", "in-1", "out-1", SILENT)},
     {SIM_KEYED, KEYED("second", AT_LEAST_ONCE, "in-1", "out-1")},
     {SIM_STATELESS, STATELESS("second", AT_LEAST_ONCE, "in-1", "out-1")}},
};

static struct mr_plan *plans[SIM_TOPOLOGIES_MAX][SIM_PLANS];
struct sim_workload sim_workload;

static const char *lookup_nothing(void *argument, const char *name)
{
    MR_UNUSED(argument);
    MR_UNUSED(name);
    return NULL;
}

static struct mr_catalogue catalogue;

const struct mr_catalogue *sim_workload_catalogue(void)
{
    return &catalogue;
}

bool sim_workload_plan(void)
{
    static struct mr_arena arena;
    struct mr_substitution substitution = {.lookup = lookup_nothing};
    mr_arena_init(&arena, 1 << 16);
    mr_catalogue_make(&arena, &catalogue);
    for (uint32_t topology = 0; topology < SIM_TOPOLOGIES_MAX; topology++)
        for (uint32_t index = 0; index < SIM_PLANS; index++) {
            struct mr_report report;
            mr_report_init(&report, &arena, "simulation");
            mr_topology_parse(mr_slice_text(texts[topology][index].text), &catalogue, &substitution,
                              &arena, &report, &plans[topology][index]);
            if (plans[topology][index] == NULL) {
                (void)fprintf(stderr, "topology %u.%u: %s\n", topology, index,
                              report.findings[0].message);
                return false;
            }
        }
    return true;
}

static void begin_flow(struct sim_flow *flow, uint32_t index, bool all)
{
    char name[16];
    uint32_t chosen = (uint32_t)sim_random(all ? SIM_PLANS : SIM_PLANS_ONCE);
    flow->plan = plans[index][chosen];
    flow->at_least_once = chosen >= SIM_PLANS_ONCE;
    flow->shape = texts[index][chosen].shape;
    flow->keys_count = (uint32_t)sim_between(1, SIM_KEYS_MAX);
    flow->partitions_count = (int32_t)sim_between(1, 4);
    flow->wanted_count = (uint32_t)sim_between(40, SIM_RECORDS_MAX);
    (void)snprintf(name, sizeof name, "in-%u", index);
    flow->source = kafka_topic_make(name, flow->partitions_count, MR_LOG_CLEANUP_DELETE);
    (void)snprintf(name, sizeof name, "out-%u", index);
    flow->sink = kafka_topic_make(name, (int32_t)sim_between(1, 3), MR_LOG_CLEANUP_DELETE);
}

const char *sim_workload_version(uint32_t flow)
{
    uint32_t chosen;
    do
        chosen = (uint32_t)sim_random(SIM_PLANS);
    while (texts[flow][chosen].shape != sim_workload.flows[flow].shape ||
           (chosen >= SIM_PLANS_ONCE) != sim_workload.flows[flow].at_least_once);
    return texts[flow][chosen].text;
}

void sim_workload_begins_anew(struct sim_flow *flow)
{
    for (int32_t number = 0; number < flow->sink->partitions_count; number++)
        flow->anew[number] = flow->sink->partitions[number]->count;
}

/* Event time goes on behind all records; of the record itself nothing comes out. */
static void put_tick(struct sim_flow *flow, int32_t partition)
{
    char value[96];
    (void)snprintf(value, sizeof value,
                   "{\"k\":\"tick\",\"d\":\"tick\",\"id\":-1,\"value\":0,\"ts\":%" PRId64 "}",
                   begin_ms + TICK_AFTER_MS);
    (void)kafka_put(flow->source->partitions[partition], mr_slice_text("tick"),
                    mr_slice_text(value), (int64_t)(begin_ms + (int64_t)(sim_now_ns() / SIM_MS)));
}

void sim_workload_grow(struct sim_flow *flow)
{
    struct kafka_topic *source = flow->source;
    if (source->partitions_count == KAFKA_PARTITIONS_MAX)
        return;
    source->partitions_count++;
    sim_trace("%s has %d partitions", source->name, (int)source->partitions_count);
    if (flow->shape == SIM_STATELESS)
        flow->partitions_count = source->partitions_count;
    if (flow->shape == SIM_TICKED && flow->written_count == flow->wanted_count)
        put_tick(flow, source->partitions_count - 1);
}

void sim_workload_begin(bool all)
{
    memset(&sim_workload, 0, sizeof sim_workload);
    sim_workload.flows_count = (uint32_t)sim_between(1, SIM_TOPOLOGIES_MAX);
    for (uint32_t index = 0; index < sim_workload.flows_count; index++)
        begin_flow(&sim_workload.flows[index], index, all);
}

static void add_tasks(uint32_t topology, const struct mr_deployment *deployment)
{
    for (uint32_t subtopology = 0; subtopology < deployment->plan->subtopologies_count;
         subtopology++)
        for (int32_t partition = 0; partition < deployment->subtopologies[subtopology].tasks_count;
             partition++) {
            MR_ASSERT(sim_cluster.tasks_count < SIM_TASKS_MAX);
            sim_cluster.tasks[sim_cluster.tasks_count++] = (struct sim_task){
                .topology = topology, .subtopology = subtopology, .partition = partition};
        }
}

void sim_workload_deploy(void)
{
    struct mr_arena *arena = mr_memory_new(1, sizeof *arena);
    struct mr_log *log = kafka_log_create();
    mr_arena_init(arena, 1 << 14);
    for (uint32_t index = 0; index < sim_workload.flows_count; index++) {
        struct mr_deployment *deployment = NULL;
        struct mr_error error;
        struct mr_deploy_options options = {
            .cluster = "sim", .generation = 0x5eed + index, .wait_ms = 15000};
        if (mr_deploy(log, sim_workload.flows[index].plan, &options, arena, &deployment, &error) !=
            MR_OK)
            sim_violation("the topology was not deployed: %s", error.message);
        sim_workload.flows[index].deployment = deployment;
        sim_cluster.deployments[index] = deployment;
        add_tasks(index, deployment);
    }
    sim_cluster.topologies_count = sim_workload.flows_count;
    log->ops->close(log);
}

static void feed_one(struct sim_flow *flow)
{
    char key[16];
    char device[16];
    char value[160];
    uint32_t id = flow->written_count;
    struct sim_record *record = &flow->records[id];
    record->key = (uint32_t)sim_random(flow->keys_count);
    record->value = (double)sim_random(1000) / 8;
    (void)snprintf(key, sizeof key, "k%u", record->key);
    (void)snprintf(device, sizeof device, "d%u", (uint32_t)sim_random(9));
    bool by_device = flow->shape != SIM_KEYED && flow->shape != SIM_STATELESS;
    const char *routed = by_device ? device : key;
    record->partition = mr_hash_partition(mr_slice_text(routed), flow->partitions_count);
    (void)snprintf(value, sizeof value,
                   "{\"k\":\"%s\",\"d\":\"%s\",\"id\":%u,\"value\":%.3f,\"ts\":%" PRId64 "}", key,
                   device, id, record->value, begin_ms + (int64_t)id * EVENT_STEP_MS);
    (void)kafka_put(flow->source->partitions[record->partition], mr_slice_text(routed),
                    mr_slice_text(value), begin_ms + (int64_t)(sim_now_ns() / SIM_MS));
    flow->written_count++;
    if (flow->shape != SIM_TICKED || flow->written_count < flow->wanted_count)
        return;
    for (int32_t partition = 0; partition < flow->source->partitions_count; partition++)
        put_tick(flow, partition);
}

bool sim_workload_feed(void)
{
    bool more = false;
    for (uint32_t index = 0; index < sim_workload.flows_count; index++) {
        struct sim_flow *flow = &sim_workload.flows[index];
        uint32_t count = (uint32_t)sim_between(0, 6);
        for (uint32_t turn = 0; turn < count && flow->written_count < flow->wanted_count; turn++)
            feed_one(flow);
        more = more || flow->written_count < flow->wanted_count;
    }
    return more;
}
