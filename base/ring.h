/* base/ring.h — a bounded queue of pointers from one thread to another.
 * Why: data crosses threads only by moving through a bounded ring; the sender sees when it is full
 * and applies back-pressure instead of growing.
 * Threads: one producer, one consumer; each end may block. Close wakes both. */
#ifndef MR_BASE_RING_H
#define MR_BASE_RING_H

#include "base/error.h"

struct mr_ring;

struct mr_ring *mr_ring_create(uint32_t capacity);
void mr_ring_destroy(struct mr_ring *ring); /* must be empty; accepts NULL */
/* Owner: item moves to the ring on MR_OK. wait_ms < 0 waits for ever, 0 does not wait.
 * Returns: MR_OK; MR_AGAIN when full; MR_CLOSED. */
enum mr_status mr_ring_push(struct mr_ring *ring, void *item, int64_t wait_ms) MR_NODISCARD;
/* Returns: MR_OK; MR_AGAIN when empty; MR_CLOSED when closed and empty. */
enum mr_status mr_ring_pop(struct mr_ring *ring, void **item, int64_t wait_ms) MR_NODISCARD;
void mr_ring_close(struct mr_ring *ring);
uint32_t mr_ring_count(const struct mr_ring *ring);

#endif
