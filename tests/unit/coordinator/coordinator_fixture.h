/* tests/unit/coordinator/coordinator_fixture.h — a whole coordinator in the test's process: the
 * memory log, a transport of its own, HTTP on a free loopback port.
 * Model: the log outlives coordinators; each fixture may start two of them on it. A worker is
 * played by the test: it syncs, and says of every task that it was given that it runs. */
#ifndef MR_TESTS_COORDINATOR_FIXTURE_H
#define MR_TESTS_COORDINATOR_FIXTURE_H

#include "coordinator/server.h"
#include "http/client.h"
#include "proto/messages.h"

enum { MR_FIXTURE_COORDINATORS = 2 };

struct mr_coordinator_fixture {
    struct mr_log *log;
    struct mr_catalogue catalogue;
    struct mr_arena arena;
    struct mr_transport *transports[MR_FIXTURE_COORDINATORS];
    struct mr_coordinator *coordinators[MR_FIXTURE_COORDINATORS];
    struct mr_http_client *client;
    struct mr_error error;
    uint64_t sequence;
    uint32_t stuck_ms; /* of the coordinators; 0: the default */
    /* What its worker says of the tasks of a subtopology, of whom a watermark waits. NULL: of none.
     */
    const char *held_subtopology;
    struct mr_task_report held; /* held_by..., held_ms, watermark_ms */
    const char *worker_http;    /* that workers say they serve; NULL: one where nobody listens */
    const char *workers_set;    /* NULL: none; else kubernetes says how many */
    const struct mr_kubernetes_options *kubernetes;
    bool kubernetes_topologies;
    bool leave_asked;      /* its worker asks whether it is coming back */
    enum mr_leaving leave; /* and was answered */
    const char *websocket; /* of generators; NULL: they are not served */
};

/* cmocka's set-up and tear-down; the state is the fixture. Topics `in` and `out` have 2 partitions
 * each. Nothing is started yet. */
int mr_coordinator_fixture_set_up(void **state);
int mr_coordinator_fixture_tear_down(void **state);

/* Start coordinator `index`; stop it (it hands over). */
void mr_coordinator_fixture_start(struct mr_coordinator_fixture *fixture, uint32_t index);
void mr_coordinator_fixture_stop(struct mr_coordinator_fixture *fixture, uint32_t index);
/* Wait until it leads. */
void mr_coordinator_fixture_lead(struct mr_coordinator_fixture *fixture, uint32_t index);

/* One HTTP request; body NULL: none. Owner: the answer is in the fixture's arena. */
struct mr_http_reply mr_coordinator_fixture_ask(struct mr_coordinator_fixture *fixture,
                                                uint32_t index, const char *method,
                                                const char *path, const char *content_type,
                                                const char *body);
/* The same, and check: the code, and that the body holds text (NULL: anything). */
void mr_coordinator_fixture_expect(struct mr_coordinator_fixture *fixture, const char *method,
                                   const char *path, const char *body, int code, const char *text);
/* Ask until the body holds text. */
void mr_coordinator_fixture_await(struct mr_coordinator_fixture *fixture, const char *path,
                                  const char *text);

/* Bytes to coordinator `index`, and its answer; *dropped: the connection was closed. */
struct mr_slice mr_coordinator_fixture_request(struct mr_coordinator_fixture *fixture,
                                               uint32_t index, struct mr_slice bytes,
                                               bool *dropped);
/* A worker's Sync: it runs what the last answer gave it. Returns the number of tasks given now. */
uint32_t mr_coordinator_fixture_sync(struct mr_coordinator_fixture *fixture, uint32_t index,
                                     const char *worker);
/* Sync until the worker has count tasks. */
void mr_coordinator_fixture_work(struct mr_coordinator_fixture *fixture, const char *worker,
                                 uint32_t count);

/* A topology `t` with keyed state (operator `score`) and one without. */
extern const char mr_fixture_stateful[];
extern const char mr_fixture_tuned[];     /* the same with another option */
extern const char mr_fixture_renamed[];   /* the same with another name for its operator */
extern const char mr_fixture_stateless[]; /* topology `u` */

#endif
