/* worker/tap.h — a live look at what an operator emits, for people.
 * Model: the controlling thread asks about once a second who listens to which operator; only then
 * the pipeline renders rows, as JSON, and hands them on. A tap never holds records up: at most
 * MR_TAP_ROWS_PER_SECOND rows of an operator a second are shown, the others are counted.
 * What is seen is not committed yet: a transaction that fails is seen again.
 * Cost where nobody looks: one relaxed load per batch and operator. */
#ifndef MR_WORKER_TAP_H
#define MR_WORKER_TAP_H

#include "record/batch.h"
#include "topology/plan.h"

#include <stdatomic.h>

enum { MR_TAP_ROWS_PER_SECOND = 500, MR_TAP_PAYLOAD_BYTES_MAX = 16 << 10 };

/* Who listens, and where rows go. Threads: listeners on the controlling thread, publish on any. */
struct mr_tap_outlet {
    void *argument;
    uint32_t (*listeners)(void *argument, const char *topology, const char *node);
    void (*publish)(void *argument, const char *topology, const char *node, struct mr_slice json);
};

/* Of one node of one running topology. */
struct mr_tap {
    atomic_bool open;
    _Atomic uint64_t second; /* monotonic, that `shown` counts in */
    _Atomic uint32_t shown;
    _Atomic uint64_t skipped; /* since the last row that was shown */
};

/* Show rows of the node's main output. Texts are made in the batch's arena. */
void mr_tap_show(struct mr_tap *tap, const struct mr_tap_outlet *outlet, const struct mr_plan *plan,
                 const struct mr_plan_node *node, struct mr_view view);

#endif
