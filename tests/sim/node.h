/* tests/sim/node.h — a simulated worker process: the real worker, told what to run by a director.
 * Model: the director (scenario.c) decides; a node asks it now and then, over a network that loses
 * and delays, and works towards the newest answer. */
#ifndef MR_TESTS_SIM_NODE_H
#define MR_TESTS_SIM_NODE_H

#include "tests/sim/kernel.h"
#include "topology/deployment.h"

enum { SIM_NODES_MAX = 4, SIM_TASKS_MAX = 48, SIM_TOPOLOGIES_MAX = 2 };

struct sim_task { /* of the whole cluster, in order */
    uint32_t topology;
    uint32_t subtopology;
    int32_t partition;
};

struct sim_running { /* a task that a node runs */
    uint64_t generation;
    int32_t partition;
    char subtopology[SIM_NAME_SIZE];
};

struct sim_node {
    struct sim_process *process;
    uint32_t index;
    uint32_t threads_count;
    bool leave;      /* commit, release and end */
    bool left_whole; /* it ended with everything committed and released */
    uint64_t asked;  /* number of the newest question, of this life */
    uint64_t heard;  /* of the newest answer */
    uint64_t next_ask_ns;
    uint64_t wanted[SIM_TASKS_MAX];            /* epoch to run at; 0: not */
    struct sim_running running[SIM_TASKS_MAX]; /* noted when faults are over */
    uint32_t running_count;
    uint64_t questions_asked;
    uint64_t questions_answered; /* given to mr_worker_answered once it is acted upon */
};

/* What a node says of a task when it asks. */
struct sim_task_word {
    bool known;
    int state; /* enum mr_task_state */
    uint64_t epoch;
    uint64_t seen_epoch;
    int64_t lag;
};

struct sim_question {
    struct sim_node *node;
    uint32_t life;
    uint64_t number;
    uint64_t questions;
    struct sim_task_word words[SIM_TASKS_MAX];
};

/* Of the run: filled by scenario.c before nodes start. */
struct sim_cluster {
    const struct mr_deployment *deployments[SIM_TOPOLOGIES_MAX];
    uint32_t topologies_count;
    struct sim_task tasks[SIM_TASKS_MAX];
    uint32_t tasks_count;
    struct sim_node nodes[SIM_NODES_MAX];
    uint32_t nodes_count;
    /* The director hears a question; it answers by sim_node_answer. */
    void (*heard)(const struct sim_question *question);
};

extern struct sim_cluster sim_cluster;

void sim_node_start(struct sim_node *node);
/* The answer to a question arrives at the node now. */
void sim_node_answer(struct sim_node *node, uint32_t life, uint64_t number, uint64_t questions,
                     const uint64_t *wanted);

#endif
