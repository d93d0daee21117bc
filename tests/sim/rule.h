/* tests/sim/rule.h — who decides in a run which node has which task: the director, which is as
 * wrong as one can be, or real coordinators. */
#ifndef MR_TESTS_SIM_RULE_H
#define MR_TESTS_SIM_RULE_H

#include "tests/sim/node.h"

struct sim_rule {
    const char *name;
    void (*begin)(void (*ready)(void)); /* ready: what is needed runs; faults may begin */
    void (*node_start)(struct sim_node *node);
    void (*node_ended)(const struct sim_node *node);
    void (*other_ended)(struct sim_process *process); /* one of the rule's own processes */
    void (*fault)(void);                              /* one of its own kind */
    void (*settle)(void);                             /* no more faults: put right what is wrong */
    bool (*settled)(void);                            /* it is right */
    bool (*owned)(char *text, size_t text_size);      /* every task runs; else text says which */
    void (*check)(void);                              /* at the end; NULL: nothing */
    void (*leave)(void);                              /* the nodes were told to leave */
    void (*explain)(void);                            /* into the trace: who has what */
    bool user;                                        /* topologies come and go */
};

extern const struct sim_rule sim_rule_director;
extern const struct sim_rule sim_rule_cluster;

/* scenario.c: mostly short, sometimes seconds. */
uint64_t sim_some_time(void);
/* Kill or stop a process. */
void sim_fault_process(struct sim_process *process);

#endif
