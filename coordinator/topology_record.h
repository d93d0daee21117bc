/* coordinator/topology_record.h — what the control topic knows of a topology.
 * Model: the compacted topic <cluster>.control, partition 0, written only under the transactional
 * id <cluster>.control. Key "topology/<name>". Bytes, little-endian, version 1: u8 version | u64
 * generation | u64 plan_hash */
#ifndef MR_COORDINATOR_TOPOLOGY_RECORD_H
#define MR_COORDINATOR_TOPOLOGY_RECORD_H

#include "connectors/log.h"

struct mr_topology_record {
    uint64_t generation; /* random, new when the topology is created or reset */
    uint64_t plan_hash;
};

struct mr_slice mr_topology_record_encode(const struct mr_topology_record *record,
                                          struct mr_arena *arena);
enum mr_status mr_topology_record_decode(struct mr_slice bytes, struct mr_topology_record *record,
                                         struct mr_error *error) MR_NODISCARD;

/* Read a topology's record, or create it with a fresh generation; the hash is brought up to date.
 * *changed: the stored hash was another. wait_ms bounds each request. */
enum mr_status mr_topology_record_ensure(struct mr_log *log, const char *cluster,
                                         const char *control_topic, const char *topology,
                                         uint64_t plan_hash, uint32_t wait_ms,
                                         struct mr_topology_record *record, bool *changed,
                                         struct mr_error *error) MR_NODISCARD;

#endif
