/* coordinator/work.c — items of work between the coordinator's threads. */
#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "coordinator/internal.h"

enum { ARENA_CHUNK_BYTES = 4096 };

struct mr_work *mr_work_create(mr_work_run_fn run, mr_work_finish_fn finish)
{
    struct mr_work *work = mr_memory_new(1, sizeof(*work));
    mr_arena_init(&work->arena, ARENA_CHUNK_BYTES);
    work->run = run;
    work->finish = finish;
    return work;
}

void mr_work_destroy(struct mr_work *work)
{
    if (work == NULL)
        return;
    mr_arena_deinit(&work->arena);
    mr_memory_free(work);
}

bool mr_work_send(struct mr_ring *ring, struct mr_work *work)
{
    return mr_ring_push(ring, work, 0) == MR_OK;
}

static void drop(struct mr_work *work)
{
    if (work->drop != NULL)
        work->drop(work);
    mr_work_destroy(work);
}

void mr_work_report(struct mr_coordinator *coordinator, struct mr_work *work)
{
    if (mr_ring_push(coordinator->events, work, -1) != MR_OK)
        drop(work);
}

void mr_work_later(struct mr_coordinator *coordinator, struct mr_work *work)
{
    work->next = NULL;
    *coordinator->later_end = work;
    coordinator->later_end = &work->next;
}

void mr_work_loop(struct mr_coordinator *coordinator, struct mr_ring *ring)
{
    void *item;
    while (mr_ring_pop(ring, &item, -1) == MR_OK) {
        struct mr_work *work = item;
        MR_ASSERT(work->run != NULL);
        work->run(coordinator, work);
        mr_work_report(coordinator, work);
    }
}

void mr_work_drain(struct mr_ring *ring)
{
    void *item;
    while (mr_ring_pop(ring, &item, 0) == MR_OK)
        drop(item);
}
