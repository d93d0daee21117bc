/* worker/http_internal.h — what the files of the worker's HTTP API share. */
#ifndef MR_WORKER_HTTP_INTERNAL_H
#define MR_WORKER_HTTP_INTERNAL_H

#include "record/value.h"
#include "worker/http_api.h"

struct mr_worker_http {
    struct mr_worker_http_options options;
    struct mr_http_server *server;
    /* The server's thread: how fast the restore went between two questions. */
    uint64_t sample_ms;
    uint64_t sample_records;
    double records_per_ms;
    _Atomic uint64_t shown_count; /* ids of the taps' events */
};

/* 200 with value as JSON; 500 when JSON cannot hold it. */
void mr_worker_http_answer_value(struct mr_http_exchange *exchange, struct mr_value value);
/* Read key, `partition` and `standby` of the request and run the query. True: it found what was
 * asked for; else the exchange is answered. */
bool mr_worker_http_run_query(struct mr_worker_http *api, struct mr_http_exchange *exchange,
                              struct mr_query *query, struct mr_query_answer *answer);
/* Of the route: GET /v1/models/... */
void mr_worker_http_model(void *api, struct mr_http_exchange *exchange);
/* Of the route: GET /v1/state/... */
void mr_worker_http_query(void *api, struct mr_http_exchange *exchange);

#endif
