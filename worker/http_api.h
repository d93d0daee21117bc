/* worker/http_api.h — what a worker serves by HTTP: probes, metrics, queries of its state.
 *   /healthz  200 while the task threads, the follower and the agent turn; else 503 names what has
 *             not for 30 s. A disk that stalls or a record that takes as long is borne up to there;
 *             Kafka, coordinators and restores are waited for by other threads and never count
 *   /readyz   200 when Kafka and a coordinator have answered and every assigned task that can run
 * is restored, with the number of those that failed or were fenced: they are an alert's; else 503
 * with what is awaited: how many tasks are not, and when they will be /metrics  Prometheus text
 *   /v1/state/{topology}/{store}/{key}  committed state: {store} is the operator's name, {key} the
 *             key as message keys have it, percent-encoded (one text: itself; several values: a
 *             compact JSON array); without {key} that of an operator with `key: []`.
 *             ?partition=N: only there; ?standby=1: a standby may answer, with its staleness.
 *   /v1/models/{topology}/{operator}/{key}  what an operator that learns has learned of the key, as
 *             a document (operators/sample_model.h), from committed state; key, ?partition and
 *             ?standby as above; without {key} that of partition 0, or N
 *   /v1/taps/{topology}/{operator}  what the operator emits, live, as server-sent events `record`
 * Why a registry and a function: the API knows nothing of lanes and the agent; the process puts
 * them together (cli/). Threads: start and stop belong to one thread. */
#ifndef MR_WORKER_HTTP_API_H
#define MR_WORKER_HTTP_API_H

#include "base/metrics.h"
#include "http/server.h"
#include "worker/query.h"
#include "worker/tap.h"

enum { MR_WORKER_SILENCE_MS_MAX = 30000, MR_WORKER_METRICS_BYTES_MAX = 64 << 20 };

/* How the worker is, as its control thread knows it. */
struct mr_worker_health {
    uint64_t threads_silent_ms; /* of the task thread that is furthest behind */
    uint32_t thread;            /* its number */
    uint64_t follower_silent_ms;
    uint64_t agent_silent_ms; /* since the agent's last step; 0 without an agent */
    bool started;             /* Kafka has answered, so that there are threads */
    bool assigned;            /* a coordinator has answered, or none is needed */
    bool more;                /* it is about to give more tasks */
    bool leaving;
    uint32_t tasks_count; /* active ones: ready, failed, and those that will be ready */
    uint32_t tasks_ready;
    uint32_t tasks_failed;     /* and fenced ones: they need a decision, not time */
    int64_t remaining_records; /* to replay; -1: not known */
    uint64_t restored_records; /* so far, of those that are being restored */
};

struct mr_worker_http_options {
    const char *address; /* HOST:PORT */
    const char *certificate_file;
    const char *key_file;
    const char *client_authority_file;
    const char *token; /* of /v1/; NULL: none */
    struct mr_metrics *metrics;
    struct mr_query_registry *queries;
    /* Called on the server's thread; must not wait. */
    void (*health)(void *argument, struct mr_worker_health *health);
    void *argument;
};

struct mr_worker_http;

enum mr_status mr_worker_http_start(const struct mr_worker_http_options *options,
                                    struct mr_worker_http **api,
                                    struct mr_error *error) MR_NODISCARD;
void mr_worker_http_stop(struct mr_worker_http *api); /* accepts NULL */
int mr_worker_http_port(const struct mr_worker_http *api);
/* The outlet of the worker's taps (worker/tap.h), valid until the API is stopped. */
struct mr_tap_outlet mr_worker_http_outlet(struct mr_worker_http *api);

#endif
