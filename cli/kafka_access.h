/* cli/kafka_access.h — the Kafka that a command talks to directly: `produce`, `tail TOPIC`, `dlq`.
 * Flags: MR_FLAG_BROKERS (else MILLRACE_BROKERS), MR_FLAG_KAFKA_CONFIG (else
 * MILLRACE_KAFKA_CONFIG), MR_FLAG_CLUSTER (else MILLRACE_CLUSTER, else "millrace"). */
#ifndef MR_CLI_KAFKA_ACCESS_H
#define MR_CLI_KAFKA_ACCESS_H

#include "cli/command.h"
#include "connectors/connector.h"

struct mr_kafka_access {
    struct mr_arena arena; /* lives as long as the access */
    struct mr_log *log;
    const char *brokers;
    const char *cluster;
};

/* A flag's text, else the environment's, else `otherwise`. */
const char *mr_access_text(const struct mr_arguments *arguments, const char *flag,
                           const char *variable, const char *otherwise);

/* Prints what is wrong and returns the exit code; close it in any case. */
enum mr_exit mr_kafka_access_open(struct mr_kafka_access *access,
                                  const struct mr_arguments *arguments, const char *client_id);
void mr_kafka_access_close(struct mr_kafka_access *access);
/* Print `what: error` with what to try; 3 when Kafka did not answer, else 1. */
enum mr_exit mr_kafka_access_failure(const struct mr_kafka_access *access, const char *what,
                                     const struct mr_error *error);
/* Describe a topic; prints what is wrong, and the nearest name for one that is not there. */
enum mr_exit mr_kafka_access_topic(struct mr_kafka_access *access, const char *name,
                                   struct mr_log_topic *topic);

/* SIGINT and SIGTERM end the command's loop instead of the process. */
void mr_catch_stop_signals(void);
bool mr_stop_signalled(void);

#endif
