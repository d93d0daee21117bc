/* base/sketch_generations.c — see sketch_generations.h.
 * Design: filters lie in a ring, told apart by numbers from 1 on, which are the stamps of their
 * blocks: a filter is emptied by its next number, without touching its blocks. Filters live from
 * number `first` to `last`, and are forgotten a window after what was added to them last.
 * Ten are enough: of the filters that were added to within a window four at most were filled in it,
 * four at most were a quarter long in it, one began before it, and one is the newest.
 * Head, 256 bytes: u64 first; u64 last (0: nothing was added); per place of the ring i64 start, i64
 * latest, u64 values. */
#include "base/sketch_generations.h"

#include <string.h>

#include "base/assert.h"

struct generation {
    int64_t start;
    int64_t latest; /* time at which it was added to last */
    uint64_t count;
};

struct generations_head {
    uint64_t first;
    uint64_t last;
    struct generation ring[MR_SKETCH_GENERATIONS];
};

_Static_assert(sizeof(struct generations_head) == MR_SKETCH_GENERATIONS_HEAD_BYTES,
               "the head has no padding");

void mr_sketch_generations_init(struct mr_sketch_generations *generations, int64_t window,
                                uint64_t capacity, double rate)
{
    MR_ASSERT(window >= 1 && rate >= 1e-8 && rate <= 0.5);
    uint64_t share =
        (capacity + MR_SKETCH_GENERATIONS_PER_WINDOW - 1) / MR_SKETCH_GENERATIONS_PER_WINDOW;
    *generations = (struct mr_sketch_generations){
        .filter = mr_sketch_bloom(share, rate / MR_SKETCH_GENERATIONS),
        .share = share,
        .window = window};
}

uint32_t mr_sketch_generations_pieces(const struct mr_sketch_generations *generations)
{
    return generations->filter.pieces_max * MR_SKETCH_GENERATIONS;
}

static struct generation *generation_of(struct generations_head *head, uint64_t number)
{
    return &head->ring[number % MR_SKETCH_GENERATIONS];
}

static bool read_head(const uint8_t *bytes, struct generations_head *head)
{
    memcpy(head, bytes, sizeof(*head));
    return head->first <= head->last && head->last - head->first < MR_SKETCH_GENERATIONS &&
           (head->first > 0 || head->last == 0);
}

/* Time between, without overflow. Pre: from <= to. */
static uint64_t passed(int64_t from, int64_t to)
{
    return (uint64_t)to - (uint64_t)from;
}

static void begin_next(struct generations_head *head, int64_t now)
{
    head->last++;
    *generation_of(head, head->last) = (struct generation){.start = now, .latest = now};
}

/* Forget filters that were added to a window ago, and end the newest one where it is time. */
static void turn(const struct mr_sketch_generations *generations, struct generations_head *head,
                 int64_t now)
{
    uint64_t window = (uint64_t)generations->window;
    while (head->last > 0 && head->first <= head->last &&
           passed(generation_of(head, head->first)->latest, now) >= window)
        head->first++;
    if (head->last == 0 || head->first > head->last) {
        head->first = head->last + 1;
        begin_next(head, now);
        return;
    }
    const struct generation *newest = generation_of(head, head->last);
    uint64_t quarter =
        (window + MR_SKETCH_GENERATIONS_PER_WINDOW - 1) / MR_SKETCH_GENERATIONS_PER_WINDOW;
    bool is_done = newest->count >= generations->share || passed(newest->start, now) >= quarter;
    bool has_room = head->last - head->first + 1 < MR_SKETCH_GENERATIONS;
    if (is_done && has_room) /* else: beyond the capacity */
        begin_next(head, now);
}

/* The filter of a generation, as its blocks lie in the body. */
static void open_filter(const struct mr_sketch_generations *generations,
                        struct mr_sketch_body *body, uint64_t number, struct mr_sketch_part *part)
{
    mr_sketch_part_init(
        part, body, (uint32_t)(number % MR_SKETCH_GENERATIONS) * generations->filter.pieces_max);
}

enum mr_status mr_sketch_generations_add(const struct mr_sketch_generations *generations,
                                         uint8_t *head, struct mr_sketch_body *body, uint64_t hash,
                                         int64_t now, bool *found, double *load,
                                         struct mr_error *error)
{
    struct generations_head own;
    struct mr_sketch_part part;
    if (!read_head(head, &own))
        return mr_sketch_corrupt(&generations->filter, "its generations cannot be", error);
    if (own.last > 0 && now < generation_of(&own, own.last)->latest)
        now = generation_of(&own, own.last)->latest;
    turn(generations, &own, now);
    *found = false;
    for (uint64_t number = own.first; number < own.last && !*found; number++) {
        open_filter(generations, body, number, &part);
        enum mr_status status =
            mr_sketch_bloom_find(&generations->filter, &part.body, hash, number, found, error);
        if (status != MR_OK)
            return status;
    }
    bool found_newest;
    struct generation *newest = generation_of(&own, own.last);
    open_filter(generations, body, own.last, &part);
    enum mr_status status = mr_sketch_bloom_add(&generations->filter, (uint8_t *)&newest->count,
                                                &part.body, hash, own.last, &found_newest, error);
    if (status != MR_OK)
        return status;
    newest->latest = now;
    *found = *found || found_newest;
    *load = (double)newest->count / (double)generations->share;
    memcpy(head, &own, sizeof(own));
    return MR_OK;
}

bool mr_sketch_generations_count(const uint8_t *head, uint64_t *values, uint32_t *filters)
{
    struct generations_head own;
    *values = 0;
    *filters = 0;
    if (!read_head(head, &own))
        return false;
    for (uint64_t number = own.first; number <= own.last && number > 0; number++, ++*filters)
        *values += generation_of(&own, number)->count;
    return true;
}

bool mr_sketch_generations_end(const struct mr_sketch_generations *generations, const uint8_t *head,
                               int64_t *end)
{
    struct generations_head own;
    if (!read_head(head, &own))
        return false;
    uint64_t window = (uint64_t)generations->window;
    *end = INT64_MIN;
    if (own.last == 0)
        return true;
    int64_t latest = generation_of(&own, own.last)->latest;
    *end = passed(latest, INT64_MAX) < window ? INT64_MAX : latest + generations->window;
    return true;
}
