/* tests/sim/scale_internal.h — what the large cluster's scenario (scale.c) and its workers' hosts
 * (scale_host.c) share: who has claimed which task. The claims stand for the claims topic: the
 * higher epoch wins, of the same epoch the first. */
#ifndef MR_TESTS_SIM_SCALE_INTERNAL_H
#define MR_TESTS_SIM_SCALE_INTERNAL_H

#include "tests/sim/scale.h"
#include "worker/host.h"

enum { SIM_SCALE_TOPOLOGIES_MAX = 24, SIM_SCALE_PARTITIONS = 1000 };

struct sim_scale_task {
    uint64_t epoch;
    const struct sim_process *owner; /* NULL: never claimed */
    uint32_t life;                   /* of the owner */
    bool running;
    bool released;
    bool seen; /* running, since the phase began */
};

struct sim_scale_generation {
    uint64_t id;
    const char *subtopology;
    struct sim_scale_task tasks[SIM_SCALE_PARTITIONS];
};

struct sim_scale_claims {
    struct sim_scale_generation *generations[SIM_SCALE_TOPOLOGIES_MAX];
    uint32_t generations_count;
    uint64_t takeovers_count; /* claims that fenced a running owner */
};

extern struct sim_scale_claims sim_scale_claims;

/* A task whose owner's process lives, is not stopped, and runs it. */
bool sim_scale_owned(const struct sim_scale_task *task);
/* On a thread of the worker's process. The host dies with the process. */
struct mr_host *sim_scale_host_create(void);
/* From here on hosts are those of this file; false: the real ones again. */
void sim_scale_hosts(bool begin);

#endif
