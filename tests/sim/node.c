/* tests/sim/node.c — the controlling thread of a simulated worker.
 * Design: as worker/agent_loop does it, without its messages: questions and answers carry the whole
 * of what is wanted, an answer older than the newest is dropped. */
#include "tests/sim/node.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "tests/sim/kafka.h"
#include "worker/worker.h"

#include <stdio.h>
#include <string.h>

enum { LOOP_MS = 15, STOP_MS = 8000, MEMORY_BYTES = 1 << 20 };

struct sim_cluster sim_cluster;

struct control {
    struct sim_node *node;
    struct mr_worker *worker;
    struct mr_running *runnings[SIM_TOPOLOGIES_MAX];
    struct mr_task *tasks[SIM_TASKS_MAX];
    uint64_t given[SIM_TASKS_MAX];
    bool forgetting[SIM_TASKS_MAX];
    struct sim_task_word words[SIM_TASKS_MAX];
    char directory[32];
};

static void fail(const struct control *control, const char *what, const struct mr_error *error)
{
    sim_violation("%s: %s: %s", control->node->process->name, what, error->message);
}

static void assign(struct control *control, uint32_t index, uint64_t epoch)
{
    const struct sim_task *named = &sim_cluster.tasks[index];
    struct mr_error error;
    if (mr_worker_assign(control->runnings[named->topology], named->subtopology, named->partition,
                         epoch, &control->tasks[index], &error) != MR_OK)
        fail(control, "a task was not assigned", &error);
    control->given[index] = epoch;
    control->forgetting[index] = false;
}

static void look_after(struct control *control, uint32_t index)
{
    char text[MR_ERROR_MESSAGE_SIZE];
    struct mr_task_report report;
    uint64_t wanted = control->node->wanted[index];
    struct mr_task *task = control->tasks[index];
    struct sim_task_word *word = &control->words[index];
    *word = (struct sim_task_word){0};
    if (task == NULL) {
        if (wanted != 0)
            assign(control, index, wanted);
        return;
    }
    if (control->forgetting[index]) {
        if (mr_worker_forget(task))
            control->tasks[index] = NULL;
        return;
    }
    mr_worker_task_report(task, text, &report);
    *word = (struct sim_task_word){.known = true,
                                   .state = report.state,
                                   .epoch = report.epoch,
                                   .seen_epoch = report.seen_epoch,
                                   .lag = report.lag};
    if (report.state == MR_TASK_STATE_FAILED)
        sim_violation("%s: task %u failed: %s", control->node->process->name, index, report.error);
    if (wanted == 0) {
        mr_worker_revoke(task);
        control->forgetting[index] = report.state == MR_TASK_STATE_RELEASED;
    } else if (wanted != control->given[index]) {
        mr_worker_reassign(task, wanted);
        control->given[index] = wanted;
    }
}

static void deliver_question(void *argument, uint64_t token)
{
    MR_UNUSED(token);
    sim_cluster.heard(argument);
}

static void ask(struct control *control)
{
    struct sim_node *node = control->node;
    if (sim_now_ns() < node->next_ask_ns)
        return;
    node->next_ask_ns = sim_now_ns() + sim_between(60 * SIM_MS, 250 * SIM_MS);
    struct sim_question *question = sim_new(sizeof *question);
    question->node = node;
    question->life = node->process->life;
    question->number = ++node->asked;
    question->questions = mr_worker_questions(control->worker);
    memcpy(question->words, control->words, sizeof question->words);
    if (!sim_chance(100000)) /* else it is lost */
        sim_after(sim_between(SIM_MS / 5, 20 * SIM_MS), NULL, deliver_question, question, 0);
}

void sim_node_answer(struct sim_node *node, uint32_t life, uint64_t number, uint64_t questions,
                     const uint64_t *wanted)
{
    if (!node->process->alive || node->process->life != life || number <= node->heard)
        return;
    node->heard = number;
    node->questions_answered = questions;
    memcpy(node->wanted, wanted, sizeof node->wanted);
}

static void open_worker(struct control *control)
{
    struct mr_error error;
    (void)snprintf(control->directory, sizeof control->directory, "state-%u", control->node->index);
    struct mr_worker_open open = {.log = kafka_log_create(),
                                  .metrics = mr_metrics_create(),
                                  .name = control->node->process->name,
                                  .state_directory = control->directory,
                                  .threads_count = control->node->threads_count,
                                  .memory_bytes = MEMORY_BYTES,
                                  .outlives_process = true,
                                  .assigned = true};
    enum mr_status status = mr_worker_create(&open, &control->worker, &error);
    for (uint32_t index = 0; index < sim_cluster.topologies_count && status == MR_OK; index++)
        status = mr_worker_add(control->worker, sim_cluster.deployments[index],
                               &control->runnings[index], &error);
    if (status == MR_OK)
        status = mr_worker_start(control->worker, &error);
    if (status != MR_OK)
        fail(control, "the worker does not start", &error);
}

static void *node_main(void *argument)
{
    struct sim_node *node = argument;
    struct control *control = mr_memory_new(1, sizeof *control);
    control->node = node;
    open_worker(control);
    while (!node->leave) {
        uint64_t questions = node->questions_answered;
        for (uint32_t index = 0; index < sim_cluster.tasks_count; index++)
            look_after(control, index);
        mr_worker_answered(control->worker, questions);
        ask(control);
        mr_clock_sleep_ms(LOOP_MS);
    }
    sim_trace("%s leaves", node->process->name);
    if (mr_worker_stop(control->worker, STOP_MS)) {
        mr_worker_destroy(control->worker);
        node->left_whole = true;
    }
    sim_trace("%s has left%s", node->process->name, node->left_whole ? "" : " in a hurry");
    return NULL;
}

static void end_hurried(void *argument, uint64_t token)
{
    const struct sim_node *node = argument;
    MR_UNUSED(token);
    if (node->process->alive)
        sim_process_kill(node->process);
}

static void *node_thread(void *argument)
{
    struct sim_node *node = argument;
    (void)node_main(node);
    if (!node->left_whole) /* exit: its other threads end with it */
        sim_after(0, node->process, end_hurried, node, 0);
    return NULL;
}

void sim_node_start(struct sim_node *node)
{
    node->leave = false;
    node->left_whole = false;
    node->asked = 0;
    node->heard = 0;
    node->next_ask_ns = 0;
    node->questions_answered = 0;
    memset(node->wanted, 0, sizeof node->wanted);
    sim_process_start(node->process, node_thread, node);
}
