/* tests/sim/director.c — who assigns tasks when no coordinator runs.
 * Why: a real coordinator takes care; this one may be as wrong as one can be: it assigns anything
 * to anyone, with or without revoking it first, twice in a row, and hears and answers over a
 * network that loses, delays and is cut. Only its epochs rise. After the faults it raises the epoch
 * of what was fenced, and changes nothing else. */
#include "base/assert.h"
#include "proto/messages.h"
#include "tests/sim/kafka.h"
#include "tests/sim/node.h"
#include "tests/sim/rule.h"
#include "tests/sim/workload.h"

#include <stdio.h>
#include <string.h>

enum { NOBODY = 0xff };

static struct {
    uint8_t owners[SIM_TASKS_MAX]; /* node index, or NOBODY */
    uint64_t epochs[SIM_TASKS_MAX];
    bool settled;
    bool leaving;
    uint32_t lost_per_million;           /* answers and questions */
    uint64_t cut_from_ns[SIM_NODES_MAX]; /* nothing from the node arrives here */
    uint64_t cut_until_ns[SIM_NODES_MAX];
    struct sim_task_word words[SIM_NODES_MAX][SIM_TASKS_MAX]; /* the last ones */
} director;

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
        (director.cut_from_ns[question->node->index] <= sim_now_ns() &&
         director.cut_until_ns[question->node->index] > sim_now_ns()))
        return;
    heed_words(question);
    memcpy(director.words[question->node->index], question->words, sizeof question->words);
    if (sim_chance(director.lost_per_million))
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
    if (sim_chance(director.lost_per_million))
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

static void cut_control(const struct sim_node *node)
{
    uint64_t duration_ns = sim_some_time();
    sim_trace("fault: %s is cut off from the director for %.3f s", node->process->name,
              (double)duration_ns / 1e9);
    director.cut_from_ns[node->index] = sim_now_ns();
    director.cut_until_ns[node->index] = sim_now_ns() + duration_ns;
}

/* Who has what, when something is missing. */
static void explain(void)
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

/* A node hears of a task, and claims it long after somebody else was given it: Kafka does not let
 * it through at first, and nobody tells it. */
static void delay_claim(void)
{
    uint32_t task = (uint32_t)sim_random(sim_cluster.tasks_count);
    struct sim_node *node = &sim_cluster.nodes[random_node()];
    if (!node->process->alive)
        return;
    give(task, node->index);
    uint64_t kafka_ns = sim_between(500 * SIM_MS, 3 * SIM_SECOND);
    kafka_cut(node->process, true, sim_chance(500000), kafka_ns);
    sim_after(sim_between(300 * SIM_MS, 600 * SIM_MS), NULL, give_again, NULL, task);
    director.cut_from_ns[node->index] = sim_now_ns() + 280 * SIM_MS;
    director.cut_until_ns[node->index] = sim_now_ns() + 2 * kafka_ns;
}

/* Two claim at the same time; the first one's initialisation is late. */
static void race(void)
{
    uint32_t task = (uint32_t)sim_random(sim_cluster.tasks_count);
    struct sim_node *node = &sim_cluster.nodes[random_node()];
    give(task, node->index);
    kafka_hold_inits(node->process, sim_between(200 * SIM_MS, 900 * SIM_MS));
    sim_after(sim_random(200 * SIM_MS), NULL, give_again, NULL, task);
}

static void hand_on(void *argument, uint64_t token)
{
    uint8_t owner = director.owners[token];
    MR_UNUSED(argument);
    if (owner != NOBODY && !director.leaving && !director.settled)
        cut_control(&sim_cluster.nodes[owner]); /* it does not hear that it is over */
    if (!director.leaving)
        give((uint32_t)token, random_node());
}

/* A release that is late, and owners that follow each other quickly. */
static void relay(void)
{
    uint32_t task = (uint32_t)sim_random(sim_cluster.tasks_count);
    uint8_t owner = director.owners[task];
    if (owner == NOBODY)
        return;
    director.owners[task] = NOBODY;
    kafka_hold_inits(sim_cluster.nodes[owner].process, sim_between(300 * SIM_MS, SIM_SECOND));
    sim_after(sim_random(400 * SIM_MS), NULL, give_again, NULL, task);
    sim_after(sim_between(800 * SIM_MS, 1600 * SIM_MS), NULL, hand_on, NULL, task);
}

static void fault(void)
{
    switch (sim_random(10)) {
    case 0:
        delay_claim();
        break;
    case 1:
    case 2:
        race();
        break;
    case 3:
    case 4:
        relay();
        break;
    case 5:
        cut_control(&sim_cluster.nodes[random_node()]);
        break;
    default:
        shuffle_task();
        break;
    }
}

static void *deploy_main(void *argument)
{
    void (*ready)(void) = NULL;
    memcpy(&ready, &argument, sizeof ready);
    sim_workload_deploy();
    for (uint32_t task = 0; task < sim_cluster.tasks_count; task++)
        give(task, random_node());
    for (uint32_t index = 0; index < sim_cluster.nodes_count; index++)
        sim_node_start(&sim_cluster.nodes[index]);
    ready();
    struct sim_queue never = {0};
    (void)sim_wait(&never, UINT64_MAX); /* the deployments are in this process's memory */
    return NULL;
}

static void begin(void (*ready)(void))
{
    void *argument = NULL;
    memset(&director, 0, sizeof director);
    memset(director.owners, NOBODY, sizeof director.owners);
    director.lost_per_million = (uint32_t)sim_random(150000);
    sim_cluster.heard = heard;
    memcpy(&argument, &ready, sizeof argument);
    sim_process_start(sim_process_create("deployer"), deploy_main, argument);
}

static void node_ended(const struct sim_node *node)
{
    reassign_all(node->index);
}

static void other_ended(struct sim_process *process)
{
    MR_UNUSED(process); /* the deployer, at the end */
}

static void settle(void)
{
    director.settled = true;
    director.lost_per_million = 0;
    memset(director.cut_until_ns, 0, sizeof director.cut_until_ns);
}

static bool settled(void)
{
    return true;
}

static bool owned(char *text, size_t text_size)
{
    for (uint32_t task = 0; task < sim_cluster.tasks_count; task++) {
        uint8_t owner = director.owners[task];
        const struct sim_task_word *word = owner == NOBODY ? NULL : &director.words[owner][task];
        if (word != NULL && word->known && word->state == MR_TASK_STATE_RUNNING &&
            word->epoch == director.epochs[task] && sim_cluster.nodes[owner].process->alive)
            continue;
        (void)snprintf(text, text_size, "task %u", task);
        return false;
    }
    return true;
}

static void leave(void)
{
    director.leaving = true;
}

const struct sim_rule sim_rule_director = {
    .name = "director",
    .begin = begin,
    .node_start = sim_node_start,
    .node_ended = node_ended,
    .other_ended = other_ended,
    .fault = fault,
    .settle = settle,
    .settled = settled,
    .owned = owned,
    .leave = leave,
    .explain = explain,
};
