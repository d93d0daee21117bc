/* coordinator/generator_opening.c — see generator_opening.h. */
#include "coordinator/generator_opening.h"

#include "base/assert.h"
#include "base/memory.h"
#include "operators/sample_model.h"

#include <stdatomic.h>

enum state { WAITING, DONE, DROPPED };

struct mr_generator_opening {
    _Atomic int state;
    struct mr_generator_model *model; /* a reference */
    char *conditions;
    size_t conditions_size;
    uint64_t seed;
    enum mr_status status;
    struct mr_error error;
    struct mr_sample *sample;
};

static void destroy(struct mr_generator_opening *opening)
{
    mr_generator_release(opening->model);
    mr_memory_free(opening->conditions);
    mr_memory_free(opening);
}

/* With what was opened, of which nobody knows. */
static void destroy_all(struct mr_generator_opening *opening)
{
    mr_sample_close(opening->sample);
    destroy(opening);
}

struct mr_generator_opening *mr_generator_opening_start(struct mr_ring *ring,
                                                        struct mr_generator_model *model,
                                                        struct mr_slice conditions, uint64_t seed)
{
    struct mr_generator_opening *opening = mr_memory_new(1, sizeof(*opening));
    atomic_init(&opening->state, WAITING);
    opening->model = mr_generator_share(model);
    opening->conditions = mr_memory_copy_bytes(conditions.data, conditions.size);
    opening->conditions_size = conditions.size;
    opening->seed = seed;
    if (mr_ring_push(ring, opening, 0) == MR_OK)
        return opening;
    destroy(opening);
    return NULL;
}

enum mr_status mr_generator_opening_take(struct mr_generator_opening *opening,
                                         struct mr_sample **sample, struct mr_error *error)
{
    if (atomic_load(&opening->state) != DONE)
        return MR_AGAIN;
    enum mr_status status = opening->status;
    *sample = opening->sample;
    if (status != MR_OK)
        *error = opening->error;
    destroy(opening);
    return status;
}

void mr_generator_opening_drop(struct mr_generator_opening *opening)
{
    if (opening != NULL && atomic_exchange(&opening->state, DROPPED) == DONE)
        destroy_all(opening);
}

static void open_one(struct mr_generator_opening *opening)
{
    if (atomic_load(&opening->state) == WAITING)
        opening->status =
            mr_sample_open(mr_generator_model_of(opening->model),
                           mr_slice_from(opening->conditions, opening->conditions_size),
                           opening->seed, &opening->sample, &opening->error);
    int before = WAITING;
    if (atomic_compare_exchange_strong(&opening->state, &before, DONE))
        return;
    MR_ASSERT(before == DROPPED);
    destroy_all(opening);
}

void mr_generator_opening_loop(struct mr_ring *ring)
{
    void *item;
    while (mr_ring_pop(ring, &item, -1) == MR_OK)
        open_one(item);
}
