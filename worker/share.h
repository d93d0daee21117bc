/* worker/share.h — whose step is next where several lanes share a task thread.
 * Policy: a turn steps every lane whose last step was short and, of those whose last step was long,
 * the one that has used the least time. So a lane with little to do waits for one long step and not
 * for one of each neighbour, and those with much to do get the same time each, however long their
 * steps are.
 * Bounds: a short lane is stepped in every turn; a turn holds one step of a long lane, and one more
 * of each lane that has just turned out long. No long lane starves: every turn steps one of them,
 * and what they have used never differs by more than two of the longest steps, so that between two
 * steps of a lane each other long one works for no longer than three.
 * Pure: no clock and no lanes. A task thread's own. */
#ifndef MR_WORKER_SHARE_H
#define MR_WORKER_SHARE_H

#include <stdbool.h>
#include <stdint.h>

enum { MR_SHARE_LONG_NS = 500000 /* of work: such a step is long */ };

struct mr_share {
    uint64_t used_ns; /* by long steps */
    bool is_long;     /* its last step was */
    bool stepped;     /* in this turn */
};

struct mr_shares {
    struct mr_share *items; /* the caller's; zeroed when they are new */
    uint32_t count;
    uint32_t looked_at; /* of the short ones: where this turn is */
    bool long_stepped;  /* in this turn a long lane has had its step */
};

/* A new turn. */
void mr_shares_begin(struct mr_shares *shares);
/* The lane whose step is next, by its index; count: the turn is over. Say how long its step took
 * before the next one is asked for. */
uint32_t mr_shares_next(struct mr_shares *shares);
/* Its step was work for so long. */
void mr_shares_stepped(struct mr_shares *shares, uint32_t index, uint64_t work_ns);

#endif
