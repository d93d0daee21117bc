/* base/sketch_bloom.h — whether a value has been there: a Bloom filter in blocks.
 * Sources: Bloom, Space/time trade-offs in hash coding with allowable errors (1970); Putze,
 * Sanders, Singler, Cache-, hash- and space-efficient Bloom filters (2007), for blocks: all bits of
 * a value lie in one piece, so that a value dirties one piece.
 * Error: a value that was added is always found. One that was not is found with a probability of
 * `rate` at most, as long as no more than `capacity` values were added: a value has k bits, where
 * 2^-k <= rate, and room for k * (1.445 + 0.006 k) bits, of which the part above k / ln 2 makes up
 * for blocks that are fuller than others by chance. Nothing of this is computed with logarithms:
 * each machine has the same shape.
 * Bytes: a head of 8, and 512 per block; at 1 % 11 bits a value.
 * Merge: exact: the bytes of the blocks are those of one pass; the head's count is the sum.
 * Parameters: blocks, bits of a value. */
#ifndef MR_BASE_SKETCH_BLOOM_H
#define MR_BASE_SKETCH_BLOOM_H

#include "base/sketch.h"

enum {
    MR_SKETCH_BLOOM_HEAD_BYTES = 8, /* u64 values added that were not found before */
    MR_SKETCH_BLOOM_PIECE_BYTES = 512,
    MR_SKETCH_BLOOM_BITS_MAX = 32, /* of a value: a rate of 2^-32 */
    MR_SKETCH_BLOOM_CAPACITY_MAX = 100 * 1000 * 1000
};

/* capacity: values, from 1 on; rate: 2^-32..0.5. */
struct mr_sketch mr_sketch_bloom(uint64_t capacity, double rate);
/* Add the value of a good hash of 64 bits. *found: it, or others with its bits, had been added.
 * stamp: of the filter's life. Blocks remember the one that they were written with, and count as
 * empty under another: to empty a filter take another stamp and set the head to zero. A filter that
 * is used once has the stamp 0. */
enum mr_status mr_sketch_bloom_add(const struct mr_sketch *sketch, uint8_t *head,
                                   struct mr_sketch_body *body, uint64_t hash, uint64_t stamp,
                                   bool *found, struct mr_error *error) MR_NODISCARD;
/* The same without adding. */
enum mr_status mr_sketch_bloom_find(const struct mr_sketch *sketch, struct mr_sketch_body *body,
                                    uint64_t hash, uint64_t stamp, bool *found,
                                    struct mr_error *error) MR_NODISCARD;
uint64_t mr_sketch_bloom_count(const uint8_t *head);
/* Both filters have the stamp 0. */
enum mr_status mr_sketch_bloom_merge(const struct mr_sketch *sketch, uint8_t *head,
                                     struct mr_sketch_body *body, const uint8_t *other_head,
                                     struct mr_sketch_body *other_body,
                                     struct mr_error *error) MR_NODISCARD;

#endif
