/* tests/sim/scenario.c — faults, and the end of a run.
 * Design: a rule (rule.h) runs the cluster; here processes are killed, stopped and told to leave,
 * disks are lost, and Kafka and its connections suffer. Then the faults end, and all records must
 * come out within a bound; all nodes leave, and the oracle looks at what is left. */
#include "tests/sim/scenario.h"

#include "base/assert.h"
#include "tests/sim/disk.h"
#include "tests/sim/kafka.h"
#include "tests/sim/network.h"
#include "tests/sim/rule.h"
#include "tests/sim/workload.h"

#include <stdio.h>
#include <string.h>

enum {
    SETTLE_SECONDS_MAX = 180,
    OWNED_SECONDS_MAX = 60, /* after the last fault until every task has an owner and runs */
    LEAVE_SECONDS_MAX = 60,
    WALL_MS_MAX = 3000000
};

static struct {
    const struct sim_rule *rule;
    bool settled; /* faults are over */
    bool feeding;
    bool leaving;
    uint64_t fault_gap_ns;
    uint64_t faults_ns; /* how long there are any */
    uint64_t deadline_ns;
    uint64_t settled_ns;
    uint64_t owned_ns; /* since the last fault; 0: not yet */
} scenario;

static struct sim_node *random_node(void)
{
    return &sim_cluster.nodes[sim_random(sim_cluster.nodes_count)];
}

/* ---- Faults ---- */

static void start_node(void *argument, uint64_t token)
{
    struct sim_node *node = argument;
    MR_UNUSED(token);
    if (!node->process->alive && !scenario.leaving)
        scenario.rule->node_start(node);
}

static void process_ended(struct sim_process *process)
{
    kafka_process_ended(process);
    sim_disk_process_ended(process);
    sim_network_process_ended(process);
    sim_http_process_ended(process);
    if (process->user == NULL) {
        scenario.rule->other_ended(process);
        return;
    }
    if (scenario.leaving)
        return;
    struct sim_node *node = process->user;
    scenario.rule->node_ended(node);
    if (!scenario.settled && sim_chance(150000))
        sim_disk_lose(process);
    else if (!scenario.settled && sim_chance(150000))
        sim_disk_bring_back(process);
    /* Sometimes longer than an announced restart is waited for. */
    uint64_t away_ns = sim_chance(150000) ? 12 * SIM_SECOND : 3 * SIM_SECOND;
    sim_after(sim_between(50 * SIM_MS, away_ns), NULL, start_node, node, 0);
}

static void resume_node(void *argument, uint64_t token)
{
    MR_UNUSED(token);
    sim_process_resume(argument);
}

static void pause_node(struct sim_process *process)
{
    if (process->paused)
        return;
    sim_process_pause(process);
    sim_after(sim_between(100 * SIM_MS, 9 * SIM_SECOND), NULL, resume_node, process, 0);
}

void sim_fault_process(struct sim_process *process)
{
    if (!process->alive)
        return;
    if (sim_chance(600000))
        sim_process_kill(process);
    else
        pause_node(process);
}

static void fault_node(struct sim_node *node)
{
    struct sim_process *process = node->process;
    if (!process->alive)
        return;
    switch (sim_random(6)) {
    case 0:
    case 1:
        sim_process_kill(process);
        break;
    case 2:
        pause_node(process);
        break;
    case 3:
        node->leave = true;
        break;
    case 4:
        /* Within `max_ahead`: beyond it records go to the dead letters. */
        process->wall_offset_ms = (int64_t)sim_random(2 * WALL_MS_MAX) - WALL_MS_MAX;
        break;
    default:
        sim_disk_copy(process);
        break;
    }
}

uint64_t sim_some_time(void)
{
    return sim_chance(700000) ? sim_random(SIM_SECOND) : sim_random(8 * SIM_SECOND);
}

static void fault_kafka(const struct sim_node *node)
{
    switch (sim_random(8)) {
    case 0:
    case 1:
    case 2:
        kafka_stall(sim_some_time());
        break;
    case 3:
        kafka_break_any();
        break;
    case 4:
        kafka_cut(node->process, sim_chance(700000), sim_chance(700000), sim_some_time());
        break;
    case 5:
        kafka_hold_markers(sim_some_time());
        break;
    case 6:
        kafka_broker_down((uint32_t)sim_random(KAFKA_BROKERS), sim_some_time());
        break;
    default:
        kafka_compact();
        break;
    }
}

static void make_fault(void *argument, uint64_t token)
{
    MR_UNUSED(argument);
    MR_UNUSED(token);
    if (scenario.settled)
        return;
    uint64_t kind = sim_random(10);
    if (kind < 4)
        scenario.rule->fault();
    else if (kind < 7)
        fault_node(random_node());
    else
        fault_kafka(random_node());
    sim_after(sim_random(2 * scenario.fault_gap_ns) + 1, NULL, make_fault, NULL, 0);
}

static void feed(void *argument, uint64_t token)
{
    MR_UNUSED(argument);
    MR_UNUSED(token);
    if (scenario.settled)
        while (sim_workload_feed())
            continue;
    scenario.feeding = sim_workload_feed();
    if (scenario.feeding)
        sim_after(sim_between(SIM_MS, 150 * SIM_MS), NULL, feed, NULL, 0);
}

/* ---- The end ---- */

static void end_run(void)
{
    sim_oracle_check();
    sim_oracle_check_stores();
    if (scenario.rule->check != NULL)
        scenario.rule->check();
    sim_stop();
}

static void wait_for_leave(void *argument, uint64_t token)
{
    MR_UNUSED(argument);
    MR_UNUSED(token);
    bool alive = kafka_open_transactions() > 0;
    for (uint32_t index = 0; index < sim_cluster.nodes_count; index++)
        alive = alive || sim_cluster.nodes[index].process->alive;
    if (!alive)
        end_run();
    else if (sim_now_ns() > scenario.deadline_ns)
        sim_violation("a node has not left within %d s, or a transaction is left open",
                      LEAVE_SECONDS_MAX);
    else
        sim_after(100 * SIM_MS, NULL, wait_for_leave, NULL, 0);
}

/* Each task runs somewhere, within the bound: from then on tasks move only for balance. */
static bool all_is_owned(void)
{
    char text[256] = "";
    if (scenario.owned_ns != 0)
        return true;
    uint64_t since_ns = sim_now_ns() - scenario.settled_ns;
    if (scenario.rule->settled() && scenario.rule->owned(text, sizeof text)) {
        scenario.owned_ns = since_ns;
        sim_trace("every task runs");
        return true;
    }
    if (since_ns > OWNED_SECONDS_MAX * SIM_SECOND) {
        scenario.rule->explain();
        sim_violation("not every task runs %d s after the last fault: %s", OWNED_SECONDS_MAX, text);
    }
    return false;
}

static void wait_for_outputs(void *argument, uint64_t token)
{
    char text[256] = "not every task has an owner";
    MR_UNUSED(argument);
    MR_UNUSED(token);
    if (all_is_owned() && !scenario.feeding && sim_oracle_complete(text, sizeof text)) {
        scenario.leaving = true;
        scenario.rule->leave();
        scenario.deadline_ns = sim_now_ns() + LEAVE_SECONDS_MAX * SIM_SECOND;
        for (uint32_t index = 0; index < sim_cluster.nodes_count; index++)
            sim_cluster.nodes[index].leave = true;
        wait_for_leave(NULL, 0);
    } else if (sim_now_ns() > scenario.deadline_ns) {
        scenario.rule->explain();
        sim_violation("not all came out within %d s after the last fault: %s", SETTLE_SECONDS_MAX,
                      scenario.feeding ? "not all was written" : text);
        sim_oracle_check(); /* says what */
    } else {
        sim_after(100 * SIM_MS, NULL, wait_for_outputs, NULL, 0);
    }
}

static void settle(void *argument, uint64_t token)
{
    MR_UNUSED(argument);
    MR_UNUSED(token);
    sim_trace("faults are over");
    scenario.settled = true;
    scenario.settled_ns = sim_now_ns();
    scenario.deadline_ns = sim_now_ns() + SETTLE_SECONDS_MAX * SIM_SECOND;
    kafka_heal();
    sim_network_heal();
    for (uint32_t index = 0; index < sim_cluster.nodes_count; index++)
        sim_process_resume(sim_cluster.nodes[index].process);
    scenario.rule->settle();
    wait_for_outputs(NULL, 0);
}

/* ---- The beginning ---- */

static void ready(void)
{
    sim_after(SIM_SECOND, NULL, make_fault, NULL, 0);
    sim_after(0, NULL, feed, NULL, 0);
    sim_after(scenario.faults_ns, NULL, settle, NULL, 0);
}

static void tune(void)
{
    struct sim_machine *machine = sim_machine();
    struct kafka_tuning *tuning = &kafka.tuning;
    machine->preempt_per_million = sim_chance(500000) ? 0 : (uint32_t)sim_random(20000);
    machine->part_ends_per_million = sim_chance(300000) ? 0 : (uint32_t)sim_random(1000000);
    machine->sleep_min_ns = sim_between(2, 10) * SIM_MS;
    machine->run_delay_ns = sim_between(1, 200) * 1000;
    tuning->delay_min_ns = sim_between(50, 500) * 1000;
    tuning->delay_max_ns = tuning->delay_min_ns + sim_between(100, 5000) * 1000;
    tuning->spike_ns = sim_between(20, 400) * SIM_MS;
    tuning->spike_per_million = (uint32_t)sim_random(10000);
    tuning->request_timeout_ns = sim_between(300, 4000) * SIM_MS;
    tuning->late_per_million = 500000;
    tuning->late_ns = sim_between(1, 10) * SIM_SECOND;
    tuning->end_stalls_per_million = sim_chance(500000) ? 0 : (uint32_t)sim_random(40000);
    tuning->init_stalls_per_million = sim_chance(500000) ? 0 : (uint32_t)sim_random(150000);
    tuning->marker_slow_per_million = (uint32_t)sim_random(50000);
    tuning->marker_slow_ns = sim_between(100, 3000) * SIM_MS;
    scenario.fault_gap_ns = sim_between(60, 1200) * SIM_MS;
    scenario.faults_ns = sim_between(3, 15) * SIM_SECOND;
    scenario.feeding = true;
}

static void begin(const struct sim_rule *rule)
{
    memset(&scenario, 0, sizeof scenario);
    memset(&sim_cluster, 0, sizeof sim_cluster);
    kafka_begin();
    sim_disk_begin();
    sim_network_begin();
    sim_http_begin();
    scenario.rule = rule;
    tune();
    sim_workload_begin(rule->user);
    sim_cluster.nodes_count = (uint32_t)sim_between(2, SIM_NODES_MAX);
    for (uint32_t index = 0; index < sim_cluster.nodes_count; index++) {
        struct sim_node *node = &sim_cluster.nodes[index];
        char name[SIM_NAME_SIZE];
        (void)snprintf(name, sizeof name, "worker-%u", index);
        node->index = index;
        node->threads_count = (uint32_t)sim_between(1, 2);
        node->process = sim_process_create(name);
        node->process->user = node;
    }
    sim_on_process_end(process_ended);
    rule->begin(ready);
}

void sim_scenario_run(const struct sim_options *options, struct sim_verdict *verdict)
{
    sim_begin(options);
    begin(options->rule);
    sim_run();
    sim_end(verdict);
    verdict->owned_ns = scenario.owned_ns;
}
