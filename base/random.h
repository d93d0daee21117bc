/* base/random.h — counter-based random numbers: Philox4x32-10.
 * Why: the n-th number of a stream is a pure function of (key, n), so a replay after a crash gives
 * the same bytes and streams split by task without overlap. Source: Salmon, Moraes, Dror, Shaw:
 * Parallel random numbers: as easy as 1, 2, 3 (SC 2011). */
#ifndef MR_BASE_RANDOM_H
#define MR_BASE_RANDOM_H

#include <stdint.h>

struct mr_random {
    uint32_t key[2];
    uint64_t stream;  /* which sequence, for instance a record's sequence number */
    uint64_t counter; /* next block of the sequence */
    uint32_t block[4];
    uint32_t block_used;
};

/* One block of ten rounds: the reference function, for known-answer tests. */
void mr_philox4x32(const uint32_t counter[4], const uint32_t key[2], uint32_t block[4]);

/* Start the sequence of (seed, stream) at its beginning. */
void mr_random_init(struct mr_random *random, uint64_t seed, uint64_t stream);
uint32_t mr_random_u32(struct mr_random *random);
uint64_t mr_random_u64(struct mr_random *random);
/* In [0, 1), a multiple of 2^-53. */
double mr_random_double(struct mr_random *random);
/* In [0, bound), without bias; bound >= 1. */
uint64_t mr_random_below(struct mr_random *random, uint64_t bound);
/* Standard normal by Box-Muller (two uniforms a call, so that the position is easy to state). */
double mr_random_normal(struct mr_random *random);
/* A fresh 64-bit id from the operating system: incarnations, generations. Not replayable. */
uint64_t mr_random_fresh_id(void);

#endif
