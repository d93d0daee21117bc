/* operators/arrival.c — see arrival.h. */
#include "operators/arrival.h"

#include <math.h>

#include "base/assert.h"

const char *const mr_arrival_kinds[] = {"regular", "jitter", "poisson", NULL};

/* Stream of the seed beside the records' own. */
static const uint64_t arrival_seed = 0x6172726976616c73u;

void mr_arrival_init(struct mr_arrival *arrival, const struct mr_generator *generator,
                     enum mr_arrival_kind kind, uint64_t seed)
{
    arrival->generator = generator;
    arrival->kind = kind;
    arrival->seed = seed ^ arrival_seed;
    arrival->blocks[0].first_position = -1;
    arrival->blocks[1].first_position = -1;
}

static int64_t regular_ms(const struct mr_arrival *arrival, int64_t position)
{
    return mr_generator_time_ms(arrival->generator,
                                mr_generator_index(arrival->generator, position));
}

/* Ordered uniforms are sums of exponential gaps over their total with one gap more. */
static void draw_block(const struct mr_arrival *arrival, struct mr_arrival_block *block,
                       int64_t first_position)
{
    double sums[MR_ARRIVAL_BLOCK];
    double sum = 0;
    struct mr_random random;
    mr_random_init(&random, arrival->seed,
                   (uint64_t)mr_generator_index(arrival->generator, first_position));
    for (uint32_t index = 0; index < MR_ARRIVAL_BLOCK; index++) {
        sum -= log(1 - mr_random_double(&random));
        sums[index] = sum;
    }
    sum -= log(1 - mr_random_double(&random));
    int64_t begin_ms = regular_ms(arrival, first_position);
    double span_ms = (double)(regular_ms(arrival, first_position + MR_ARRIVAL_BLOCK) - begin_ms);
    for (uint32_t index = 0; index < MR_ARRIVAL_BLOCK; index++)
        block->times_ms[index] = begin_ms + (int64_t)floor(span_ms * (sums[index] / sum));
    block->first_position = first_position;
}

static int64_t poisson_ms(struct mr_arrival *arrival, int64_t position)
{
    int64_t first = position - position % MR_ARRIVAL_BLOCK;
    struct mr_arrival_block *blocks = arrival->blocks;
    if (blocks[0].first_position != first && blocks[1].first_position != first)
        draw_block(arrival,
                   blocks[0].first_position < blocks[1].first_position ? &blocks[0] : &blocks[1],
                   first);
    const struct mr_arrival_block *block =
        blocks[0].first_position == first ? &blocks[0] : &blocks[1];
    return block->times_ms[position - first];
}

static int64_t jitter_ms(const struct mr_arrival *arrival, int64_t position)
{
    struct mr_random random;
    int64_t begin_ms = regular_ms(arrival, position);
    mr_random_init(&random, arrival->seed,
                   (uint64_t)mr_generator_index(arrival->generator, position));
    double step_ms = (double)(regular_ms(arrival, position + 1) - begin_ms);
    return begin_ms + (int64_t)floor(step_ms * mr_random_double(&random));
}

int64_t mr_arrival_time_ms(struct mr_arrival *arrival, int64_t position)
{
    MR_ASSERT(position >= 0);
    switch (arrival->kind) {
    case MR_ARRIVAL_JITTER:
        return jitter_ms(arrival, position);
    case MR_ARRIVAL_POISSON:
        return poisson_ms(arrival, position);
    case MR_ARRIVAL_REGULAR:
        break;
    }
    return regular_ms(arrival, position);
}
