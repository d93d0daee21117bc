/* base/sketch_frequent.h — the most frequent values and how often they came: Space-Saving.
 * Sources: Metwally, Agrawal, El Abbadi, Efficient computation of frequent and top-k elements in
 * data streams (2005); Agarwal and others, Mergeable summaries (2012), for the merge.
 * Error: a count is never too low, and too high by its `error` at most, which is at most the rows
 * divided by the counters; a value that is more frequent than that has a counter. All of this is
 * certain. Exact for up to as many distinct values as there are counters.
 * Bytes: a head of 16, and per counter 24 and a payload: whatever the caller keeps of the value,
 * which is told apart by a hash of 64 bits.
 * Merge: keeps the same promises; the counts are not those of one pass.
 * Parameters: counters, payload bytes. */
#ifndef MR_BASE_SKETCH_FREQUENT_H
#define MR_BASE_SKETCH_FREQUENT_H

#include "base/sketch.h"

enum {
    MR_SKETCH_FREQUENT_HEAD_BYTES = 16,
    MR_SKETCH_FREQUENT_COUNTERS_MAX = 1000,
    MR_SKETCH_FREQUENT_PAYLOAD_BYTES_MAX = 248 /* an entry fits the smallest piece */
};

/* One value with a counter. payload is borrowed from the body, until its next call. */
struct mr_sketch_frequent_value {
    uint64_t count;
    uint64_t error;
    const uint8_t *payload;
};

struct mr_sketch mr_sketch_frequent(uint32_t counters, uint32_t payload_bytes,
                                    uint32_t piece_bytes);
/* *payload: where the caller writes what it keeps of the value, all zero and valid until the next
 * call on the body; NULL: the value has a counter. */
enum mr_status mr_sketch_frequent_add(const struct mr_sketch *sketch, uint8_t *head,
                                      struct mr_sketch_body *body, uint64_t hash, uint8_t **payload,
                                      struct mr_error *error) MR_NODISCARD;
enum mr_status mr_sketch_frequent_merge(const struct mr_sketch *sketch, uint8_t *head,
                                        struct mr_sketch_body *body, const uint8_t *other_head,
                                        struct mr_sketch_body *other_body,
                                        struct mr_error *error) MR_NODISCARD;
/* Values with a counter, in no order that means anything. */
uint32_t mr_sketch_frequent_used(const uint8_t *head);
enum mr_status mr_sketch_frequent_value(const struct mr_sketch *sketch, struct mr_sketch_body *body,
                                        uint32_t index, struct mr_sketch_frequent_value *value,
                                        struct mr_error *error) MR_NODISCARD;

#endif
