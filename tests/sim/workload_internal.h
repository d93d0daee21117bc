/* tests/sim/workload_internal.h — what the workload and its oracle share. */
#ifndef MR_TESTS_SIM_WORKLOAD_INTERNAL_H
#define MR_TESTS_SIM_WORKLOAD_INTERNAL_H

#include "tests/sim/kafka.h"
#include "tests/sim/workload.h"

enum { SIM_PLANS = 11, SIM_PLANS_ONCE = 9, SIM_KEYS_MAX = 6, SIM_RECORDS_MAX = 400 };

enum sim_shape { SIM_KEYED, SIM_REPARTITIONED, SIM_STATELESS, SIM_TICKED, SIM_SILENT };

struct sim_record { /* by id */
    uint32_t key;
    int32_t partition;
    double value;
};

struct sim_flow { /* a topology of the run */
    enum sim_shape shape;
    bool at_least_once;
    struct mr_plan *plan;
    const struct mr_deployment *deployment;
    struct kafka_topic *source;
    struct kafka_topic *sink;
    int32_t partitions_count; /* that are written to */
    uint32_t keys_count;
    struct sim_record records[SIM_RECORDS_MAX];
    uint32_t written_count;
    uint32_t wanted_count;
    uint32_t seeks;                     /* that were asked for */
    int64_t anew[KAFKA_PARTITIONS_MAX]; /* of the sink: what lies before is a past generation's */
    uint64_t looked; /* records in the sink when it was looked whether all came out */
    bool whole;      /* what that found */
};

struct sim_workload {
    struct sim_flow flows[SIM_TOPOLOGIES_MAX];
    uint32_t flows_count;
};

extern struct sim_workload sim_workload;

/* A delete or a reset is asked for: the outputs that follow are another generation's. */
void sim_workload_begins_anew(struct sim_flow *flow);
/* Its source gets more partitions. What has state goes on with those that it has. */
void sim_workload_grow(struct sim_flow *flow);

/* ---- oracle_outputs.c ---- */

bool sim_oracle_is_whole(struct sim_flow *flow, char *text, size_t text_size);
void sim_oracle_check_outputs(const struct sim_flow *flow);
/* Outputs of a key that are committed, or may be: their transaction was not aborted. */
uint32_t sim_oracle_outputs_of(const struct sim_flow *flow, uint32_t key);
/* Is it a topic of a flow that promises at least once only? */
bool sim_oracle_is_repeated(const char *topic);
/* Of a topic and partition: visit each committed progress record; texts are valid meanwhile. */
struct mr_progress;
void sim_oracle_visit_progress(const struct kafka_partition *partition,
                               void (*visit)(void *argument,
                                             const struct kafka_partition *partition,
                                             const struct mr_progress *progress),
                               void *argument);

#endif
