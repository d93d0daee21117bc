/* operators/duplicate_memory.h — what quality.duplicates remembers: whether an equal record came in
 * the window, and where the first one was.
 * Model: a *digest* stands for what must be equal (128 bits of hash). Records of one group, the
 * node's key, are compared. Three ways to remember:
 * - exact, a window of time: per digest the *chain* of records that are each less than the window
 *   away from another one of it: the event times of its first and its last one in time, how many,
 *   and the position of the one that came first. A record is less than a window away from a record
 *   of the chain just when it is less than a window outside of [first, last]. A record a window or
 *   more behind the chain begins a new one; one that is as much before it is no duplicate and not
 *   remembered. Records out of order by less than the window miss nothing: what an earlier chain
 *   holds within a window of them is then no nearer than the chain that took its place.
 * - exact, a window of records: the same object with the number of the last record that had the
 *   digest, and a ring of the digests of the last records in slots, by which a digest is forgotten
 *   with the last record that had it.
 * - Bloom: filters that take turns (base/sketch_generations.h), in slots.
 * A group that was forgotten and comes again has another `life`: what was left of it counts as
 * never seen in a window of records.
 * Threads: the task's. Errors: those of the state. */
#ifndef MR_OPERATORS_DUPLICATE_MEMORY_H
#define MR_OPERATORS_DUPLICATE_MEMORY_H

#include "base/sketch_generations.h"
#include "operators/operator.h"

enum {
    MR_DUPLICATE_VERSION = 1,
    MR_DUPLICATE_TOPIC_BYTES_MAX = 249 /* Kafka's limit */
};

enum mr_duplicate_form { MR_DUPLICATE_TIME, MR_DUPLICATE_RECORDS, MR_DUPLICATE_BLOOM };

struct mr_duplicate_memory {
    const struct mr_plan_node *node;
    enum mr_duplicate_form form;
    bool by_records; /* the window is one of records */
    int64_t window_ms;
    uint64_t window_records;
    struct mr_sketch_generations generations; /* of Bloom */
    struct mr_table *groups;
    struct mr_table *values; /* NULL: Bloom */
};

/* Where a record came from. */
struct mr_duplicate_position {
    int64_t offset; /* -1: from no topic */
    int64_t time_ms;
    int32_t partition;
    uint8_t topic_bytes;
    char topic[MR_DUPLICATE_TOPIC_BYTES_MAX];
};

struct mr_duplicate_digest {
    uint64_t words[2];
};

/* What is found of a row. */
struct mr_duplicate_finding {
    bool is_duplicate;
    uint64_t count; /* of its chain, with it; 0: not known */
    double load;    /* of the filter */
    struct mr_duplicate_position first;
    uint64_t number; /* of the record in its group, from 1 */
    /* Of a duplicate: the same in a replay. Of Bloom equal ones of one place share it. */
    uint64_t name;
};

/* One row. */
struct mr_duplicate_row {
    struct mr_operator_context *context;
    const struct mr_batch *batch;
    uint32_t row;
    struct mr_slice key; /* of the group */
    struct mr_duplicate_digest digest;
    struct mr_duplicate_finding finding; /* zero before */
};

extern const char mr_duplicate_groups_table[];

/* The window and the form, from the options `window` and `bloom`. */
void mr_duplicate_memory_read(struct mr_duplicate_memory *memory, const struct mr_options *options);
/* The same, and the tables. */
enum mr_status mr_duplicate_memory_open(struct mr_duplicate_memory *memory,
                                        const struct mr_operator_open *open,
                                        struct mr_error *error) MR_NODISCARD;
/* Fill the row's finding, and remember the row. */
enum mr_status mr_duplicate_memory_take(struct mr_duplicate_memory *memory,
                                        struct mr_duplicate_row *row,
                                        struct mr_error *error) MR_NODISCARD;
enum mr_status mr_duplicate_memory_expire(struct mr_duplicate_memory *memory, int64_t watermark_ms,
                                          struct mr_error *error) MR_NODISCARD;

/* Members of the operator's type. */
enum mr_status mr_duplicate_memory_describe(const struct mr_state_object *object,
                                            struct mr_arena *arena,
                                            struct mr_state_description *description,
                                            struct mr_error *error);
void mr_duplicate_memory_estimate(const struct mr_options *options,
                                  struct mr_state_estimate *estimate);

#endif
