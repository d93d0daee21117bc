/* tests/sim/workload_internal.h — what the workload and its oracle share. */
#ifndef MR_TESTS_SIM_WORKLOAD_INTERNAL_H
#define MR_TESTS_SIM_WORKLOAD_INTERNAL_H

#include "tests/sim/workload.h"

enum { SIM_PLANS = 5, SIM_KEYS_MAX = 6, SIM_RECORDS_MAX = 400 };

enum sim_shape { SIM_KEYED, SIM_REPARTITIONED, SIM_STATELESS };

struct sim_record { /* by id */
    uint32_t key;
    int32_t partition;
    double value;
};

struct sim_flow { /* a topology of the run */
    enum sim_shape shape;
    struct mr_plan *plan;
    const struct mr_deployment *deployment;
    struct kafka_topic *source;
    struct kafka_topic *sink;
    int32_t partitions_count;
    uint32_t keys_count;
    struct sim_record records[SIM_RECORDS_MAX];
    uint32_t written_count;
    uint32_t wanted_count;
};

struct sim_workload {
    struct sim_flow flows[SIM_TOPOLOGIES_MAX];
    uint32_t flows_count;
};

extern struct sim_workload sim_workload;

#endif
