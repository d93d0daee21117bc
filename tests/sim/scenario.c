/* tests/sim/scenario.c — the director of the tasks, the faults, and the end of a run.
 * Design: the director stands in for a coordinator that may be as wrong as one can be: it assigns
 * anything to anyone, with or without revoking it first, and hears and answers over a network that
 * loses and delays. Only its epochs rise. After the faults it settles, raises the epoch of what was
 * fenced, and waits until everything has come out; then all nodes leave and the oracle looks. */
#include "tests/sim/scenario.h"

#include "base/assert.h"
#include "proto/messages.h"
#include "tests/sim/disk.h"
#include "tests/sim/kafka.h"
#include "tests/sim/node.h"
#include "tests/sim/workload.h"

#include <stdio.h>
#include <string.h>

enum { SETTLE_SECONDS_MAX = 180, LEAVE_SECONDS_MAX = 60, NOBODY = 0xff, WALL_MS_MAX = 3000000 };

static struct {
    uint8_t owners[SIM_TASKS_MAX]; /* node index, or NOBODY */
    uint64_t epochs[SIM_TASKS_MAX];
    bool settled; /* faults are over */
    bool feeding;
    bool leaving;
    uint64_t fault_gap_ns;
    uint64_t faults_end_ns;
    uint64_t deadline_ns;
    uint64_t lost_per_million;            /* answers and questions */
    uint64_t cut_until_ns[SIM_NODES_MAX]; /* nothing from the node arrives here */
    struct sim_task_word words[SIM_NODES_MAX][SIM_TASKS_MAX]; /* the last ones */
} director;

/* ---- The director ---- */

static uint32_t random_node(void)
{
    return (uint32_t)sim_random(sim_cluster.nodes_count);
}

static void give(uint32_t task, uint32_t node)
{
    director.epochs[task]++;
    director.owners[task] = (uint8_t)node;
    sim_trace("director: task %u is %s's at epoch %llu", task,
              sim_cluster.nodes[node].process->name, (unsigned long long)director.epochs[task]);
}

struct answer {
    struct sim_node *node;
    uint32_t life;
    uint64_t number;
    uint64_t questions;
    uint64_t wanted[SIM_TASKS_MAX];
};

static void deliver_answer(void *argument, uint64_t token)
{
    const struct answer *answer = argument;
    MR_UNUSED(token);
    sim_node_answer(answer->node, answer->life, answer->number, answer->questions, answer->wanted);
}

/* What a node says may mean that a task needs a higher epoch, here or elsewhere. */
static void heed_words(const struct sim_question *question)
{
    for (uint32_t task = 0; task < sim_cluster.tasks_count; task++) {
        const struct sim_task_word *word = &question->words[task];
        if (word->known && word->seen_epoch > director.epochs[task])
            director.epochs[task] = word->seen_epoch;
        if (!word->known || director.owners[task] != question->node->index ||
            word->epoch != director.epochs[task] || director.leaving)
            continue;
        if (word->state == MR_TASK_STATE_FENCED)
            give(task,
                 director.settled || sim_chance(500000) ? question->node->index : random_node());
    }
}

static void heard(const struct sim_question *question)
{
    if (question->node->process->life != question->life ||
        director.cut_until_ns[question->node->index] > sim_now_ns())
        return;
    heed_words(question);
    memcpy(director.words[question->node->index], question->words, sizeof question->words);
    if (sim_chance((uint32_t)director.lost_per_million))
        return;
    struct answer *answer = sim_new(sizeof *answer);
    answer->node = question->node;
    answer->life = question->life;
    answer->number = question->number;
    answer->questions = question->questions;
    for (uint32_t task = 0; task < sim_cluster.tasks_count; task++)
        answer->wanted[task] =
            director.owners[task] == question->node->index ? director.epochs[task] : 0;
    uint64_t delay_ns = sim_between(SIM_MS / 5, 20 * SIM_MS);
    if (sim_chance((uint32_t)director.lost_per_million))
        delay_ns = sim_random(2 * SIM_SECOND);
    sim_after(delay_ns, question->node->process, deliver_answer, answer, 0);
}

static void assign_later(void *argument, uint64_t token)
{
    MR_UNUSED(argument);
    if (director.owners[token] == NOBODY && !director.leaving)
        give((uint32_t)token, random_node());
}

static void revoke(uint32_t task)
{
    director.owners[task] = NOBODY;
    sim_trace("director: task %u is revoked", task);
    sim_after(sim_random(SIM_SECOND), NULL, assign_later, NULL, task);
}

/* The node's process has ended: what it had is somebody's else, sooner or later. */
static void reassign_all(uint32_t node)
{
    for (uint32_t task = 0; task < sim_cluster.tasks_count; task++)
        if (director.owners[task] == node)
            revoke(task);
}

static void give_again(void *argument, uint64_t token)
{
    MR_UNUSED(argument);
    if (!director.leaving)
        give((uint32_t)token, random_node());
}

static void shuffle_task(void)
{
    uint32_t task = (uint32_t)sim_random(sim_cluster.tasks_count);
    if (sim_chance(400000)) {
        revoke(task);
        return;
    }
    give(task, random_node());
    if (sim_chance(500000)) /* two of them claim at the same time */
        sim_after(sim_random(300 * SIM_MS), NULL, give_again, NULL, task);
}

/* ---- Faults ---- */

static void start_node(void *argument, uint64_t token)
{
    struct sim_node *node = argument;
    MR_UNUSED(token);
    if (!node->process->alive && !director.leaving)
        sim_node_start(node);
}

static void process_ended(struct sim_process *process)
{
    kafka_process_ended(process);
    sim_disk_process_ended(process);
    if (process->user == NULL || director.leaving)
        return;
    struct sim_node *node = process->user;
    reassign_all(node->index);
    if (!director.settled && sim_chance(150000))
        sim_disk_lose(process);
    else if (!director.settled && sim_chance(150000))
        sim_disk_bring_back(process);
    sim_after(sim_between(50 * SIM_MS, 3 * SIM_SECOND), NULL, start_node, node, 0);
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

static void fault_process(struct sim_node *node)
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

static uint64_t some_time(void)
{
    return sim_chance(700000) ? sim_random(SIM_SECOND) : sim_random(8 * SIM_SECOND);
}

static void cut_control(const struct sim_node *node)
{
    uint64_t duration_ns = some_time();
    sim_trace("fault: %s is cut off from the director for %.3f s", node->process->name,
              (double)duration_ns / 1e9);
    director.cut_until_ns[node->index] = sim_now_ns() + duration_ns;
}

static void fault_network(const struct sim_node *node)
{
    switch (sim_random(10)) {
    case 0:
    case 1:
        cut_control(node);
        break;
    case 2:
        cut_control(node); /* from everybody; from Kafka for a shorter time */
        kafka_cut(node->process, true, true, some_time() / 2);
        break;
    case 8:
    case 9:
        kafka_stall(some_time());
        break;
    case 3:
        kafka_break_any();
        break;
    case 4:
        kafka_cut(node->process, sim_chance(700000), sim_chance(700000), some_time());
        break;
    case 5:
        kafka_hold_markers(some_time());
        break;
    case 6:
        kafka_broker_down((uint32_t)sim_random(KAFKA_BROKERS), some_time());
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
    if (director.settled)
        return;
    struct sim_node *node = &sim_cluster.nodes[random_node()];
    uint64_t kind = sim_random(10);
    if (kind < 3)
        shuffle_task();
    else if (kind < 6)
        fault_process(node);
    else
        fault_network(node);
    sim_after(sim_random(2 * director.fault_gap_ns) + 1, NULL, make_fault, NULL, 0);
}

static void feed(void *argument, uint64_t token)
{
    MR_UNUSED(argument);
    MR_UNUSED(token);
    if (director.settled)
        while (sim_workload_feed())
            continue;
    director.feeding = sim_workload_feed();
    if (director.feeding)
        sim_after(sim_between(SIM_MS, 150 * SIM_MS), NULL, feed, NULL, 0);
}

/* ---- The end ---- */

static void end_run(void)
{
    sim_oracle_check();
    sim_oracle_check_stores();
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
    else if (sim_now_ns() > director.deadline_ns)
        sim_violation("a node has not left within %d s, or a transaction is left open",
                      LEAVE_SECONDS_MAX);
    else
        sim_after(100 * SIM_MS, NULL, wait_for_leave, NULL, 0);
}

/* Who has what, when something is missing. */
static void trace_tasks(void)
{
    for (uint32_t task = 0; task < sim_cluster.tasks_count && sim_tracing(); task++)
        for (uint32_t index = 0; index < sim_cluster.nodes_count; index++) {
            const struct sim_task_word *word = &director.words[index][task];
            const struct sim_task *named = &sim_cluster.tasks[task];
            if (word->known)
                sim_trace("task %u (%u.%u[%d]) on worker-%u: state %d, epoch %llu, lag %lld%s",
                          task, named->topology, named->subtopology, (int)named->partition, index,
                          word->state, (unsigned long long)word->epoch, (long long)word->lag,
                          director.owners[task] == index ? ", owner" : "");
        }
}

static void wait_for_outputs(void *argument, uint64_t token)
{
    char text[256];
    MR_UNUSED(argument);
    MR_UNUSED(token);
    if (!director.feeding && sim_oracle_complete(text, sizeof text)) {
        director.leaving = true;
        director.deadline_ns = sim_now_ns() + LEAVE_SECONDS_MAX * SIM_SECOND;
        for (uint32_t index = 0; index < sim_cluster.nodes_count; index++)
            sim_cluster.nodes[index].leave = true;
        wait_for_leave(NULL, 0);
    } else if (sim_now_ns() > director.deadline_ns) {
        trace_tasks();
        sim_oracle_check();
        sim_violation("not all came out within %d s after the last fault: %s", SETTLE_SECONDS_MAX,
                      director.feeding ? "not all was written" : text);
    } else {
        sim_after(100 * SIM_MS, NULL, wait_for_outputs, NULL, 0);
    }
}

static void settle(void *argument, uint64_t token)
{
    MR_UNUSED(argument);
    MR_UNUSED(token);
    sim_trace("faults are over");
    director.settled = true;
    director.lost_per_million = 0;
    memset(director.cut_until_ns, 0, sizeof director.cut_until_ns);
    director.deadline_ns = sim_now_ns() + SETTLE_SECONDS_MAX * SIM_SECOND;
    kafka_heal();
    for (uint32_t index = 0; index < sim_cluster.nodes_count; index++)
        sim_process_resume(sim_cluster.nodes[index].process);
    wait_for_outputs(NULL, 0);
}

/* ---- The beginning ---- */

static void *deploy_main(void *argument)
{
    MR_UNUSED(argument);
    sim_workload_deploy();
    for (uint32_t task = 0; task < sim_cluster.tasks_count; task++)
        give(task, random_node());
    for (uint32_t index = 0; index < sim_cluster.nodes_count; index++)
        sim_node_start(&sim_cluster.nodes[index]);
    sim_after(SIM_SECOND, NULL, make_fault, NULL, 0);
    sim_after(0, NULL, feed, NULL, 0);
    sim_at(director.faults_end_ns, NULL, settle, NULL, 0);
    struct sim_queue never = {0};
    (void)sim_wait(&never, UINT64_MAX); /* the deployments are in this process's memory */
    return NULL;
}

static void tune(void)
{
    struct sim_machine *machine = sim_machine();
    struct kafka_tuning *tuning = &kafka.tuning;
    machine->preempt_per_million = sim_chance(500000) ? 0 : (uint32_t)sim_random(20000);
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
    tuning->marker_slow_per_million = (uint32_t)sim_random(50000);
    tuning->marker_slow_ns = sim_between(100, 3000) * SIM_MS;
    director.lost_per_million = sim_random(150000);
    director.fault_gap_ns = sim_between(60, 1200) * SIM_MS;
    director.faults_end_ns = sim_now_ns() + sim_between(3, 15) * SIM_SECOND;
    director.feeding = true;
}

static void begin(void)
{
    memset(&director, 0, sizeof director);
    memset(&sim_cluster, 0, sizeof sim_cluster);
    memset(director.owners, NOBODY, sizeof director.owners);
    kafka_begin();
    sim_disk_begin();
    tune();
    sim_workload_begin();
    sim_cluster.heard = heard;
    sim_cluster.nodes_count = (uint32_t)sim_between(2, SIM_NODES_MAX);
    for (uint32_t index = 0; index < sim_cluster.nodes_count; index++) {
        struct sim_node *node = &sim_cluster.nodes[index];
        char name[16];
        (void)snprintf(name, sizeof name, "worker-%u", index);
        node->index = index;
        node->threads_count = (uint32_t)sim_between(1, 2);
        node->process = sim_process_create(name);
        node->process->user = node;
    }
    sim_on_process_end(process_ended);
    sim_process_start(sim_process_create("deployer"), deploy_main, NULL);
}

void sim_scenario_run(const struct sim_options *options, struct sim_verdict *verdict)
{
    sim_begin(options);
    begin();
    sim_run();
    sim_end(verdict);
}
