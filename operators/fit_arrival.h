/* operators/fit_arrival.h — which arrival process (arrival.h) event times look like.
 * Model: v, the standard deviation of the gaps between records over their mean. Regular arrivals
 * have 0, arrivals evenly within their step sqrt(1/6) = 0.41, a Poisson process 1. The nearest is
 * named; above 1 it is poisson, and v says how much more the records come in bursts. Times are
 * whole milliseconds: where gaps are below 4 of them on average, v is that of the sums of as many
 * gaps as take 8 ms, over the square root of that number, which is the same for a Poisson process;
 * regular and jittered arrivals cannot be told apart then, and are regular. Limits: none beyond the
 * caller's memory. Pure; plain arithmetic in a fixed order. */
#ifndef MR_OPERATORS_FIT_ARRIVAL_H
#define MR_OPERATORS_FIT_ARRIVAL_H

#include "operators/arrival.h"

struct mr_fit_arrival {
    enum mr_arrival_kind kind;
    uint64_t gaps;    /* 0: nothing is known */
    double rate;      /* records per second of event time; 0: all came at the same time */
    double variation; /* of the gaps */
};

/* times_ms ascending. */
void mr_fit_arrival(const int64_t *times_ms, size_t count, struct mr_fit_arrival *arrival);

#endif
