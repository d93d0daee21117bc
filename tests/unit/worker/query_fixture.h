/* tests/unit/worker/query_fixture.h — tasks with state in a query registry: each is a harness
 * (tests/support/operator_harness.h) of one z-score whose rows the test feeds. */
#ifndef MR_TESTS_WORKER_QUERY_FIXTURE_H
#define MR_TESTS_WORKER_QUERY_FIXTURE_H

#include "tests/support/operator_harness.h"
#include "worker/query.h"

struct query_task {
    struct harness harness;
    struct mr_query_entry *entry;
};

/* Register as partition of partitions of topology "sensors", not ready. */
void query_task_open(struct query_task *task, struct mr_query_registry *registry, int32_t partition,
                     int32_t partitions_count, bool standby);
/* The same with operators of its own, of which `node` is the one that is fed. */
void query_task_open_node(struct query_task *task, struct mr_query_registry *registry,
                          const char *operators, const char *node);
/* A committed record of key. */
void query_task_feed(struct query_task *task, const char *key, double value);
void query_task_close(struct query_task *task);

#endif
