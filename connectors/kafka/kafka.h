/* connectors/kafka/kafka.h — what the rest of the program may know of the Kafka connector: its two
 * entries in the catalogue, and how their options become client settings.
 * Why: worker/ drives topics through connectors/log.h only; the option tables of `kafka` sources
 * and sinks and the list of refused client settings belong to this folder. The log itself is made
 * by mr_kafka_log_create (connectors/connector.h). */
#ifndef MR_CONNECTORS_KAFKA_KAFKA_H
#define MR_CONNECTORS_KAFKA_KAFKA_H

#include "base/arena.h"
#include "topology/type.h"

extern const struct mr_type_spec mr_kafka_source_spec;
extern const struct mr_type_spec mr_kafka_sink_spec;

/* Values of the source option `start`, in the order of its choices. */
enum mr_kafka_start {
    MR_KAFKA_START_EARLIEST,
    MR_KAFKA_START_LATEST,
    MR_KAFKA_START_TIMESTAMP,
    MR_KAFKA_START_COMMITTED
};

/* Pairs name, value ended by NULL, for mr_log_consumer_options.settings and
 * mr_log_producer_options.settings, from a source's or sink's options. Memory: arena. */
const char *const *mr_kafka_source_settings(const struct mr_options *source,
                                            struct mr_arena *arena);
const char *const *mr_kafka_sink_settings(const struct mr_options *sink, struct mr_arena *arena);

#endif
