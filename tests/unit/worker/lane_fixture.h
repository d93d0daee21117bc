/* tests/unit/worker/lane_fixture.h — a topology as text, running in one lane that the test steps
 * itself, over the memory log. Why: the lane's whole path (claims, restore, operators, commits,
 * release) without a broker and without a task thread, so that a test decides when it advances and
 * when it stops. Model: the log lives as long as the fixture; lanes come and go on it, as processes
 * do on Kafka. State is in memory and restored from the changelog by each lane. */
#ifndef MR_TESTS_LANE_FIXTURE_H
#define MR_TESTS_LANE_FIXTURE_H

#include "base/metrics.h"
#include "topology/plan.h"
#include "worker/internal.h"

struct mr_lane_fixture {
    struct mr_log *log;
    struct mr_arena arena;
    struct mr_plan *plan;
    struct mr_deployment *deployment;
    struct mr_metrics *metrics;
    struct mr_worker *worker;
    struct mr_running *running;
    struct mr_lane *lane;
};

/* A log with the topics named in topics (pairs: name, partitions; ended by NULL) that keep
 * everything, and the topology deployed on it. Fails the test when the topology is not sound. */
struct mr_lane_topic {
    const char *name;
    int32_t partitions_count;
};
void mr_lane_fixture_open(struct mr_lane_fixture *fixture, const char *topology,
                          const struct mr_lane_topic *topics, uint32_t topics_count);
void mr_lane_fixture_close(struct mr_lane_fixture *fixture);

/* A plan from text; the test fails with the first finding when there is one. */
struct mr_plan *mr_lane_fixture_plan(struct mr_arena *arena, const char *topology);

/* A lane with all tasks, not yet stepped. */
void mr_lane_fixture_start(struct mr_lane_fixture *fixture);
/* Step until the lane has processed and committed everything that the log holds for it, or, with
 * failing commits, until the given number of them has failed. */
void mr_lane_fixture_settle(struct mr_lane_fixture *fixture);
/* Commit, release and end the lane. */
void mr_lane_fixture_stop(struct mr_lane_fixture *fixture);
/* End the lane without committing what is open: what a crash leaves on the log. */
void mr_lane_fixture_crash(struct mr_lane_fixture *fixture);

/* Write one record; key NULL: none; value NULL: a tombstone. */
void mr_lane_fixture_write(struct mr_lane_fixture *fixture, const char *topic, int32_t partition,
                           const char *key, const char *value);
/* Committed records of a partition, in order. Owner: texts are in arena. */
struct mr_lane_record {
    const char *key; /* NULL: none */
    const char *value;
    struct mr_headers headers;
};
struct mr_lane_record *mr_lane_fixture_read(struct mr_lane_fixture *fixture, const char *topic,
                                            int32_t partition, uint32_t *count);

#endif
