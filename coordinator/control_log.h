/* coordinator/control_log.h — the control topic: followed, initialised, written.
 * Model: the compacted topic <cluster>.control, one partition, holds what the cluster has decided
 * (proto/messages.h). Anybody follows it; one process at a time writes it, under the transactional
 * id <cluster>.control. That id is stable: whoever wants to write initialises it first, which ends
 * every earlier writer, and reads to the end afterwards. What that finds is everything, and nobody
 * but us can add to it.
 * Errors: recovery RETRY: the log does not answer; MR_FENCED: somebody else writes now. After any
 * failed write the writer is gone and the outcome is open: initialise and read again.
 * Threads: one at a time. Limits: a record is at most MR_MESSAGE_BYTES_MAX. */
#ifndef MR_COORDINATOR_CONTROL_LOG_H
#define MR_COORDINATOR_CONTROL_LOG_H

#include "connectors/log.h"
#include "coordinator/core.h"

struct mr_control_log;

struct mr_control_log_options {
    struct mr_log *log; /* borrowed */
    const char *cluster;
    uint32_t wait_ms; /* bounds each request to the log */
};

/* A record of the topic, in its order; value of size 0: a tombstone. written_ms: wall clock. */
typedef enum mr_status (*mr_control_visit_fn)(void *argument, struct mr_slice key,
                                              struct mr_slice value, int64_t written_ms,
                                              struct mr_error *error);

/* Creates the topic when it is missing. */
enum mr_status mr_control_log_open(const struct mr_control_log_options *options,
                                   struct mr_control_log **control,
                                   struct mr_error *error) MR_NODISCARD;
void mr_control_log_close(struct mr_control_log *control); /* accepts NULL */

/* Visit what was written since the last visit, waiting up to wait_ms for it. MR_OK, also when there
 * was nothing. A consumer that cannot go on is made anew by the next call. */
enum mr_status mr_control_log_follow(struct mr_control_log *control, uint32_t wait_ms,
                                     mr_control_visit_fn visit, void *argument,
                                     struct mr_error *error) MR_NODISCARD;

/* Visit everything up to the end that the topic has now: behind every record and marker. */
enum mr_status mr_control_log_read_to_end(struct mr_control_log *control, mr_control_visit_fn visit,
                                          void *argument, struct mr_error *error) MR_NODISCARD;

/* Become the writer: every earlier one is fenced. */
enum mr_status mr_control_log_initialise(struct mr_control_log *control,
                                         struct mr_error *error) MR_NODISCARD;

/* Commit records in one transaction. Pre: initialised, and no write has failed since (MR_CLOSED
 * otherwise). */
enum mr_status mr_control_log_write(struct mr_control_log *control,
                                    const struct mr_core_record *records, uint32_t records_count,
                                    struct mr_error *error) MR_NODISCARD;

/* Read nothing for a while: what a consumer would gather meanwhile is given up. The next call goes
 * on where the last one stopped. */
void mr_control_log_rest(struct mr_control_log *control);

/* Write no more. */
void mr_control_log_resign(struct mr_control_log *control);

#endif
