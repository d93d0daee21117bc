/* base/sketch_generations.h — whether a value has been there lately: Bloom filters that take turns.
 * Model: time is a number that does not go back (ms, or records). Values are added to the newest
 * filter; a filter ends when it holds its share of the capacity, or when a quarter of the window
 * has passed since it began, and is forgotten a window after what was added to it last. There is
 * room for ten, which is enough as long as no window has more than `capacity` records.
 * Error: a value that was added less than `window` ago is always found. One that was not added at
 * all, or more than 1.25 windows ago, is found with a probability of `rate` at most, as long as no
 * window has more than `capacity` records (of which those that repeat a value within one filter
 * count once); between one and 1.25 windows ago it may be found. Beyond the capacity the newest
 * filter takes more than its share: nothing is forgotten, and the probability is higher; `load`
 * says so.
 * Bytes: a head of 256; the bodies of ten filters of a quarter of the capacity and a tenth of the
 * rate: at 1 % 39 bits per value of the capacity.
 * A value costs a look into each filter that lives, and one piece that is written. */
#ifndef MR_BASE_SKETCH_GENERATIONS_H
#define MR_BASE_SKETCH_GENERATIONS_H

#include "base/sketch_bloom.h"

enum {
    MR_SKETCH_GENERATIONS_HEAD_BYTES = 256,
    MR_SKETCH_GENERATIONS = 10,
    MR_SKETCH_GENERATIONS_PER_WINDOW = 4
};

struct mr_sketch_generations {
    struct mr_sketch filter; /* of one generation */
    uint64_t share;          /* values of one */
    int64_t window;
};

/* window: from 1 on; capacity: records of a window, 1..1e8; rate: 1e-8..0.5. */
void mr_sketch_generations_init(struct mr_sketch_generations *generations, int64_t window,
                                uint64_t capacity, double rate);
uint32_t mr_sketch_generations_pieces(const struct mr_sketch_generations *generations);
/* Look for the value of a good hash and add it at `now` (>= that of the call before; an earlier one
 * counts as that). Found values are added too: they have then been there lately. *load: values of
 * the newest filter per share; above 1: beyond the capacity. MR_CORRUPT: the head cannot be. */
enum mr_status mr_sketch_generations_add(const struct mr_sketch_generations *generations,
                                         uint8_t *head, struct mr_sketch_body *body, uint64_t hash,
                                         int64_t now, bool *found, double *load,
                                         struct mr_error *error) MR_NODISCARD;
/* Values of the filters that live, and how many those are; false: the head cannot be. */
bool mr_sketch_generations_count(const uint8_t *head, uint64_t *values, uint32_t *filters);
/* From when on nothing of the head is found any more; false: the head cannot be. */
bool mr_sketch_generations_end(const struct mr_sketch_generations *generations, const uint8_t *head,
                               int64_t *end);

#endif
