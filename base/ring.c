/* base/ring.c — bounded queue between two threads.
 * Design: a mutex and two conditions. What crosses a ring is a batch or a command, thousands a
 * second at most, so a lock costs nothing that shows; a lock-free ring would still need a way to
 * sleep. Locks: `mutex` guards everything but `count`, which is atomic for mr_ring_count. */
#include "base/ring.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

struct mr_ring {
    pthread_mutex_t mutex;
    pthread_cond_t not_full;
    pthread_cond_t not_empty;
    uint32_t capacity;
    uint32_t first; /* index of the oldest item */
    _Atomic uint32_t count;
    bool closed;
    void *items[];
};

static void condition_init(pthread_cond_t *condition)
{
    pthread_condattr_t attributes;
    int result = pthread_condattr_init(&attributes);
    MR_ASSERT(result == 0);
    result = pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    MR_ASSERT(result == 0);
    result = pthread_cond_init(condition, &attributes);
    MR_ASSERT(result == 0);
    pthread_condattr_destroy(&attributes);
}

struct mr_ring *mr_ring_create(uint32_t capacity)
{
    MR_ASSERT(capacity > 0);
    struct mr_ring *ring =
        mr_memory_new(1, sizeof(struct mr_ring) + (size_t)capacity * sizeof(void *));
    int result = pthread_mutex_init(&ring->mutex, NULL);
    MR_ASSERT(result == 0);
    condition_init(&ring->not_full);
    condition_init(&ring->not_empty);
    ring->capacity = capacity;
    return ring;
}

void mr_ring_destroy(struct mr_ring *ring)
{
    if (ring == NULL)
        return;
    MR_ASSERT(mr_ring_count(ring) == 0);
    pthread_cond_destroy(&ring->not_empty);
    pthread_cond_destroy(&ring->not_full);
    pthread_mutex_destroy(&ring->mutex);
    mr_memory_free(ring);
}

static void lock(struct mr_ring *ring)
{
    int result = pthread_mutex_lock(&ring->mutex);
    MR_ASSERT(result == 0);
}

static void unlock(struct mr_ring *ring)
{
    int result = pthread_mutex_unlock(&ring->mutex);
    MR_ASSERT(result == 0);
}

static struct timespec deadline_after(int64_t wait_ms)
{
    uint64_t now_ns = mr_clock_steady_ns();
    uint64_t wait_ns = (uint64_t)wait_ms * 1000000u;
    if (wait_ns / 1000000u != (uint64_t)wait_ms || now_ns > INT64_MAX - wait_ns)
        wait_ns = INT64_MAX - now_ns;
    uint64_t deadline_ns = now_ns + wait_ns;
    return (struct timespec){.tv_sec = (time_t)(deadline_ns / 1000000000u),
                             .tv_nsec = (long)(deadline_ns % 1000000000u)};
}

/* Waits until the ring is closed or its count is no longer `blocked`. False: time is over. */
static bool wait_for(struct mr_ring *ring, pthread_cond_t *condition, uint32_t blocked,
                     int64_t wait_ms)
{
    struct timespec deadline = {0};
    if (wait_ms > 0 && mr_ring_count(ring) == blocked && !ring->closed)
        deadline = deadline_after(wait_ms);
    while (mr_ring_count(ring) == blocked && !ring->closed) {
        if (wait_ms == 0)
            return false;
        int result = wait_ms < 0 ? pthread_cond_wait(condition, &ring->mutex)
                                 : pthread_cond_timedwait(condition, &ring->mutex, &deadline);
        MR_ASSERT(result == 0 || result == ETIMEDOUT);
        if (result == ETIMEDOUT)
            return mr_ring_count(ring) != blocked || ring->closed;
    }
    return true;
}

enum mr_status mr_ring_push(struct mr_ring *ring, void *item, int64_t wait_ms)
{
    enum mr_status status = MR_OK;
    lock(ring);
    if (!wait_for(ring, &ring->not_full, ring->capacity, wait_ms)) {
        status = MR_AGAIN;
    } else if (ring->closed) {
        status = MR_CLOSED;
    } else {
        uint32_t count = mr_ring_count(ring);
        ring->items[((uint64_t)ring->first + count) % ring->capacity] = item;
        atomic_store_explicit(&ring->count, count + 1, memory_order_relaxed);
        pthread_cond_signal(&ring->not_empty);
    }
    unlock(ring);
    return status;
}

enum mr_status mr_ring_pop(struct mr_ring *ring, void **item, int64_t wait_ms)
{
    enum mr_status status = MR_OK;
    lock(ring);
    bool ready = wait_for(ring, &ring->not_empty, 0, wait_ms);
    uint32_t count = mr_ring_count(ring);
    if (!ready) {
        status = MR_AGAIN;
    } else if (count == 0) {
        status = MR_CLOSED;
    } else {
        *item = ring->items[ring->first];
        ring->first = ring->first + 1 == ring->capacity ? 0 : ring->first + 1;
        atomic_store_explicit(&ring->count, count - 1, memory_order_relaxed);
        pthread_cond_signal(&ring->not_full);
    }
    unlock(ring);
    return status;
}

void mr_ring_close(struct mr_ring *ring)
{
    lock(ring);
    ring->closed = true;
    pthread_cond_broadcast(&ring->not_full);
    pthread_cond_broadcast(&ring->not_empty);
    unlock(ring);
}

uint32_t mr_ring_count(const struct mr_ring *ring)
{
    return atomic_load_explicit(&ring->count, memory_order_relaxed);
}
