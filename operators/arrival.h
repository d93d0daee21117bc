/* operators/arrival.h — when the records of a generator's partition arrive in event time.
 * Model: regular: every step; jitter: evenly within their step; poisson: as the points of a Poisson
 * process of that mean rate. A process has no n-th point without those before it; so the points are
 * drawn by blocks of 1,024 records, which have exactly their share of time: within a block the
 * times are the ordered times of that many independent arrivals, as those of a Poisson process with
 * a known count are. Times of a partition never go back. */
#ifndef MR_OPERATORS_ARRIVAL_H
#define MR_OPERATORS_ARRIVAL_H

#include "operators/generator.h"

enum mr_arrival_kind { MR_ARRIVAL_REGULAR, MR_ARRIVAL_JITTER, MR_ARRIVAL_POISSON };
enum { MR_ARRIVAL_BLOCK = 1024 };

extern const char *const mr_arrival_kinds[]; /* by enum mr_arrival_kind, ended by NULL */

struct mr_arrival_block {
    int64_t first_position; /* -1: none */
    int64_t times_ms[MR_ARRIVAL_BLOCK];
};

struct mr_arrival {
    const struct mr_generator *generator;
    enum mr_arrival_kind kind;
    uint64_t seed;
    struct mr_arrival_block
        blocks[2]; /* the two asked for last: a record may be asked for a little early */
};

void mr_arrival_init(struct mr_arrival *arrival, const struct mr_generator *generator,
                     enum mr_arrival_kind kind, uint64_t seed);

/* Event time in ms of the record at a position of the partition. */
int64_t mr_arrival_time_ms(struct mr_arrival *arrival, int64_t position);

#endif
