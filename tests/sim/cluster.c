/* tests/sim/cluster.c — real coordinators, real workers with their agents, and a user.
 * Model: one or two coordinator processes (coordinator/server.h) and the workers as cli/
 * worker_process.c makes them, over the model network, and a user (user.h). Faults: coordinators
 * are killed and stopped, links are cut one way. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"
#include "connectors/log.h"
#include "coordinator/server.h"
#include "tests/sim/control.h"
#include "tests/sim/kafka.h"
#include "tests/sim/network.h"
#include "tests/sim/rule.h"
#include "tests/sim/user.h"
#include "tests/sim/workload_internal.h"
#include "worker/agent_loop.h"
#include "worker/query.h"

#include <stdio.h>
#include <string.h>

enum {
    COORDINATORS_MAX = 2,
    LEAVE_MS = 8000,
    STOP_MS = 5000,
    MEMORY_BYTES = 1 << 20,
    LOOK_MS = 20
};

struct coordinator {
    struct sim_process *process;
    char listen[32];
    bool leave;
};

static struct {
    struct coordinator coordinators[COORDINATORS_MAX];
    uint32_t coordinators_count;
    const char *addresses[COORDINATORS_MAX];
    struct sim_process *processes[COORDINATORS_MAX]; /* of the coordinators */
    uint32_t grace_ms;
    uint32_t watch_ms;
    bool settled;
    bool leaving;
} cluster;

/* ---- Coordinators ---- */

static void *coordinator_main(void *argument)
{
    struct coordinator *self = argument;
    struct mr_coordinator *running = NULL;
    struct mr_error error;
    struct mr_log *log = kafka_log_create();
    const struct mr_coordinator_options options = {.cluster = "sim",
                                                   .log = log,
                                                   .transport = sim_transport_create(),
                                                   .catalogue = sim_workload_catalogue(),
                                                   .listen = self->listen,
                                                   .http = "user:0",
                                                   .grace_ms = cluster.grace_ms,
                                                   .watch_ms = cluster.watch_ms};
    while (mr_coordinator_start(&options, &running, &error) != MR_OK) {
        if (error.recovery != MR_RECOVERY_RETRY)
            sim_violation("%s does not start: %s", self->process->name, error.message);
        mr_clock_sleep_ms(500);
    }
    while (!self->leave)
        mr_clock_sleep_ms(LOOK_MS);
    mr_coordinator_stop(running);
    log->ops->close(log);
    return NULL;
}

static void start_coordinator(void *argument, uint64_t token)
{
    struct coordinator *self = argument;
    MR_UNUSED(token);
    if (self->process->alive || cluster.leaving)
        return;
    self->leave = false;
    sim_process_start(self->process, coordinator_main, self);
}

static void other_ended(struct sim_process *process)
{
    for (uint32_t index = 0; index < cluster.coordinators_count; index++)
        if (cluster.coordinators[index].process == process)
            sim_after(sim_between(50 * SIM_MS, 3 * SIM_SECOND), NULL, start_coordinator,
                      &cluster.coordinators[index], 0);
}

/* ---- Workers: as cli/worker_process.c ---- */

struct worker {
    struct sim_node *node;
    struct mr_log *log;
    struct mr_metrics *metrics;
    struct mr_query_registry *queries;
    struct mr_worker *worker;
    struct mr_follower *follower;
    struct mr_host *host;
    struct mr_agent_loop *loop;
    char log_cluster_id[MR_LOG_ID_SIZE];
    char directory[32];
};

static enum mr_status start_worker(struct worker *self, struct mr_error *error)
{
    struct mr_worker_open open = {.log = self->log,
                                  .metrics = self->metrics,
                                  .queries = self->queries,
                                  .name = self->node->process->name,
                                  .state_directory = self->directory,
                                  .threads_count = self->node->threads_count,
                                  .memory_bytes = MEMORY_BYTES,
                                  .outlives_process = true,
                                  .assigned = true};
    enum mr_status status = mr_worker_create(&open, &self->worker, error);
    if (status == MR_OK)
        status = mr_worker_start(self->worker, error);
    if (status == MR_OK)
        status = mr_follower_create(self->worker, &self->follower, error);
    return status;
}

static enum mr_status start_agent(struct worker *self, struct mr_error *error)
{
    const struct mr_host_open host = {.worker = self->worker,
                                      .follower = self->follower,
                                      .catalogue = sim_workload_catalogue(),
                                      .cluster = "sim",
                                      .log_cluster_id = self->log_cluster_id};
    self->host = mr_host_create(&host);
    const struct mr_agent_loop_open open = {.agent = {.cluster = "sim",
                                                      .worker = self->node->process->name,
                                                      .instance = mr_random_fresh_id(),
                                                      .zone = "",
                                                      .http = "",
                                                      .build = "simulated",
                                                      .threads_count = self->node->threads_count,
                                                      .memory_bytes = 0, /* no limit */
                                                      .addresses = cluster.addresses,
                                                      .addresses_count = cluster.coordinators_count,
                                                      .seed = mr_random_fresh_id()},
                                            .host = self->host,
                                            .transport = sim_transport_create()};
    return mr_agent_loop_create(&open, &self->loop, error);
}

static void note_running(void *argument, const char *topology, const struct mr_task_report *report)
{
    struct sim_node *node = argument;
    MR_UNUSED(topology);
    if (report->role != MR_TASK_ROLE_ACTIVE || report->state != MR_TASK_STATE_RUNNING ||
        node->running_count == SIM_TASKS_MAX)
        return;
    struct sim_running *running = &node->running[node->running_count++];
    running->generation = report->name.generation;
    running->partition = report->name.partition;
    (void)snprintf(running->subtopology, sizeof running->subtopology, "%s",
                   report->name.subtopology);
}

static double member_of(const struct mr_state_description *description, const char *name)
{
    for (uint32_t index = 0; index < description->members_count; index++) {
        const struct mr_map_entry *member = &description->members[index];
        if (mr_slice_equal(mr_slice_from(member->key.text, member->key.size), mr_slice_text(name)))
            return (double)member->value.unsigned_integer;
    }
    return -1;
}

/* Somebody asks for a key's state: it never says more than what was committed. */
static void query(struct worker *self)
{
    const struct sim_flow *flow = &sim_workload.flows[sim_random(sim_workload.flows_count)];
    char key[16];
    uint32_t number = (uint32_t)sim_random(flow->keys_count);
    struct mr_arena arena;
    struct mr_query_answer answer;
    (void)snprintf(key, sizeof key, "k%u", number);
    const struct mr_query wanted = {.topology = flow->plan->name,
                                    .store = "chart",
                                    .key = mr_slice_text(key),
                                    .partition = -1,
                                    .standby = sim_chance(500000)};
    mr_arena_init(&arena, 1024);
    mr_query_run(self->queries, &wanted, &arena, &answer);
    if (answer.outcome == MR_QUERY_FOUND && !flow->at_least_once) {
        double count = member_of(&answer.description, "count");
        sim_trace("a query for %s of %s finds count %.0f", key, flow->plan->name, count);
        if (count < 0 || count > sim_oracle_outputs_of(flow, number))
            sim_violation("a query for %s of %s finds count %.0f, and %u records were committed",
                          key, flow->plan->name, count, sim_oracle_outputs_of(flow, number));
    }
    if (answer.outcome == MR_QUERY_FAILED)
        sim_violation("a query for %s of %s fails: %s", key, flow->plan->name,
                      answer.error.message);
    mr_arena_deinit(&arena);
}

static bool run_turns(struct worker *self)
{
    bool leaving = false;
    enum mr_agent_loop_state state = MR_AGENT_LOOP_GOES_ON;
    while (state == MR_AGENT_LOOP_GOES_ON) {
        if (self->node->leave && !leaving) {
            sim_trace("%s leaves", self->node->process->name);
            mr_agent_loop_leave(self->loop, LEAVE_MS, LEAVE_MS);
            leaving = true;
        }
        state = mr_agent_loop_turn(self->loop);
        if (sim_chance(20000))
            query(self);
        self->node->running_count = 0;
        if (cluster.settled)
            mr_host_visit(self->host, note_running, self->node);
    }
    return state == MR_AGENT_LOOP_FINISHED && mr_worker_stop(self->worker, STOP_MS);
}

static void finish(struct worker *self)
{
    mr_agent_loop_destroy(self->loop);
    mr_follower_destroy(self->follower);
    mr_worker_destroy(self->worker);
    mr_host_destroy(self->host);
    self->log->ops->close(self->log);
    mr_query_registry_destroy(self->queries);
    mr_metrics_destroy(self->metrics);
}

static void end_hurried(void *argument, uint64_t token)
{
    MR_UNUSED(token);
    sim_process_kill(argument);
}

static void *worker_main(void *argument)
{
    struct sim_node *node = argument;
    struct mr_error error;
    struct worker *self = mr_memory_new(1, sizeof *self);
    self->node = node;
    (void)snprintf(self->directory, sizeof self->directory, "state-%u", node->index);
    self->log = kafka_log_create();
    self->metrics = mr_metrics_create();
    self->queries = mr_query_registry_create();
    while (self->log->ops->cluster_id(self->log, self->log_cluster_id, &error) != MR_OK)
        mr_clock_sleep_ms(1000);
    if (start_worker(self, &error) != MR_OK || start_agent(self, &error) != MR_OK)
        sim_violation("%s does not start: %s", node->process->name, error.message);
    node->left_whole = run_turns(self);
    sim_trace("%s has left%s", node->process->name, node->left_whole ? "" : " in a hurry");
    if (node->left_whole)
        finish(self);
    else /* exit: its other threads end with it */
        sim_after(0, node->process, end_hurried, node->process, 0);
    return NULL;
}

static void node_start(struct sim_node *node)
{
    node->leave = false;
    node->left_whole = false;
    node->running_count = 0;
    sim_process_start(node->process, worker_main, node);
}

static void node_ended(const struct sim_node *node)
{
    MR_UNUSED(node); /* the coordinators find out */
}

/* ---- Faults ---- */

static struct sim_process *random_process(void)
{
    uint64_t count = cluster.coordinators_count + sim_cluster.nodes_count;
    uint64_t index = sim_random(count);
    return index < cluster.coordinators_count
               ? cluster.coordinators[index].process
               : sim_cluster.nodes[index - cluster.coordinators_count].process;
}

static void cut_links(void)
{
    struct sim_process *one = random_process();
    uint64_t duration_ns = sim_some_time();
    bool in = sim_chance(700000);
    bool out = !in || sim_chance(500000);
    for (uint32_t index = 0; index < cluster.coordinators_count + sim_cluster.nodes_count;
         index++) {
        struct sim_process *other =
            index < cluster.coordinators_count
                ? cluster.coordinators[index].process
                : sim_cluster.nodes[index - cluster.coordinators_count].process;
        if (other != one && in)
            sim_network_cut(other, one, duration_ns);
        if (other != one && out)
            sim_network_cut(one, other, duration_ns);
    }
}

static void fault(void)
{
    struct coordinator *coordinator = &cluster.coordinators[sim_random(cluster.coordinators_count)];
    switch (sim_random(9)) {
    case 0:
        sim_fault_process(coordinator->process);
        break;
    case 1:
        coordinator->leave = true;
        break;
    case 2:
        kafka_cut(coordinator->process, sim_chance(700000), sim_chance(700000), sim_some_time());
        break;
    case 3:
    case 4:
        cut_links();
        break;
    default:
        sim_user_fault();
        break;
    }
}

static void settle(void)
{
    cluster.settled = true;
    for (uint32_t index = 0; index < cluster.coordinators_count; index++)
        sim_process_resume(cluster.coordinators[index].process);
    sim_user_settle();
}

static void stop_coordinators(void *argument, uint64_t token)
{
    MR_UNUSED(argument);
    MR_UNUSED(token);
    for (uint32_t index = 0; index < cluster.coordinators_count; index++)
        cluster.coordinators[index].leave = true;
}

static void leave(void)
{
    cluster.leaving = true;
    sim_user_leave();
    sim_after(20 * SIM_SECOND, NULL, stop_coordinators, NULL, 0);
}

/* ---- Who owns what ---- */

struct missing {
    char *text;
    size_t size;
    uint32_t count;
};

static bool runs(const struct sim_node *node, const struct sim_control_task *task)
{
    for (uint32_t index = 0; node->process->alive && index < node->running_count; index++)
        if (node->running[index].generation == task->generation &&
            node->running[index].partition == task->partition &&
            strcmp(node->running[index].subtopology, task->subtopology) == 0)
            return true;
    return false;
}

static void look_for(void *argument, const struct sim_control_task *task)
{
    struct missing *missing = argument;
    for (uint32_t index = 0; index < sim_cluster.nodes_count; index++)
        if (runs(&sim_cluster.nodes[index], task))
            return;
    missing->count++;
    (void)snprintf(missing->text, missing->size, "%s[%d] of generation %016llx, and %u others",
                   task->subtopology, (int)task->partition, (unsigned long long)task->generation,
                   missing->count - 1);
}

static bool owned(char *text, size_t text_size)
{
    struct missing missing = {.text = text, .size = text_size};
    for (uint32_t index = 0; index < sim_workload.flows_count; index++)
        if (!sim_control_tasks(sim_workload.flows[index].plan->name, look_for, &missing)) {
            (void)snprintf(text, text_size, "topology %u is not there", index);
            return false;
        }
    return missing.count == 0;
}

static void check(void)
{
    sim_control_check();
    sim_control_check_leftovers();
}

static void begin(void (*ready)(void))
{
    memset(&cluster, 0, sizeof cluster);
    cluster.coordinators_count = (uint32_t)sim_between(1, COORDINATORS_MAX);
    cluster.grace_ms = (uint32_t)sim_between(1000, 8000);
    cluster.watch_ms = (uint32_t)sim_between(500, 5000);
    sim_network.delay_max_ns = sim_between(1, 30) * SIM_MS;
    sim_network.lost_per_million = (uint32_t)sim_random(50000);
    sim_network.doubled_per_million = (uint32_t)sim_random(50000);
    for (uint32_t index = 0; index < cluster.coordinators_count; index++) {
        struct coordinator *coordinator = &cluster.coordinators[index];
        (void)snprintf(coordinator->listen, sizeof coordinator->listen, "coordinator-%u", index);
        coordinator->process = sim_process_create(coordinator->listen);
        cluster.addresses[index] = coordinator->listen;
        cluster.processes[index] = coordinator->process;
        start_coordinator(coordinator, 0);
    }
    for (uint32_t index = 0; index < sim_cluster.nodes_count; index++)
        node_start(&sim_cluster.nodes[index]);
    sim_user_begin(cluster.processes, cluster.coordinators_count);
    ready();
}

const struct sim_rule sim_rule_cluster = {
    .name = "cluster",
    .begin = begin,
    .node_start = node_start,
    .node_ended = node_ended,
    .other_ended = other_ended,
    .fault = fault,
    .settle = settle,
    .settled = sim_user_settled,
    .owned = owned,
    .check = check,
    .leave = leave,
    .explain = sim_user_explain,
    .user = true,
};
