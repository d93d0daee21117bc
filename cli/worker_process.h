/* cli/worker_process.h — the process `millrace-worker`, once its options are known: everything that
 * it is made of, its signals and its end. */
#ifndef MR_CLI_WORKER_PROCESS_H
#define MR_CLI_WORKER_PROCESS_H

#include "cli/command.h"
#include "worker/agent_loop.h"

/* All borrowed until the process has ended. */
struct mr_worker_options {
    const char *cluster;
    const char *brokers;
    const char *kafka_config; /* NULL: none */
    const char *name;
    const char *zone;           /* empty: none */
    const char *http;           /* NULL: no HTTP server */
    const char *http_advertise; /* NULL: as it listens */
    const char *http_certificate_file;
    const char *http_key_file;
    const char *http_client_authority_file;
    const char *http_token; /* NULL: none */
    const char *state_directory;
    const char *addresses[MR_AGENT_ADDRESSES_MAX]; /* of the coordinators */
    uint32_t addresses_count;
    uint32_t threads_count;
    uint64_t memory_bytes;
    const char *threads_from; /* where they come from, for the log */
    const char *memory_from;
    uint32_t stop_ms;  /* how long the release after SIGTERM may take */
    uint32_t drain_ms; /* and a drain before it; 0: SIGTERM is always a restart */
    bool exit_when_drained;
    bool has_tls;
    struct mr_transport_tls tls;
};

/* Run until a signal or a drain ends it. A second signal ends it at once. */
enum mr_exit mr_worker_process_run(const struct mr_worker_options *options);

#endif
