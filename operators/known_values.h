/* operators/known_values.h — the values that a key's field has had, how often, and how rare one is.
 * Why: detect.new_value and detect.rare_value ask the same of the same memory.
 * Model: up to `capacity` values by their 64-bit hash, each with a weight: how many records had it,
 * of which with `keep` below 1 each counts keep times what the next one does. When there is no room
 * the value that was not seen for the most records leaves; its weight goes to `evicted`. With a
 * time to live, a value not seen for so long counts as never seen, and each record looks at one
 * place in turn to clear it. Weights are kept in units that grow with each record (forward decay),
 * so that a record changes one of them; all are scaled down when the unit is 1e140. p-value: of n +
 * 1 records of which nothing is known but that any order is as likely, the last one has p <= t with
 * probability t at most (without `keep` and eviction exactly; conformal prediction): p = weight of
 * the records whose value is, with this one, at most as frequent / all weight What was evicted
 * counts as at most as frequent. For a value that is new this is Good's estimate of the chance of
 * something new, (values seen once + 1) / (n + 1). Sources: Good, The population frequencies of
 * species, Biometrika 40 (1953); Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World
 * (2005).
 *
 * Stored by the caller, version 1 (little-endian), mr_known_values_encode:
 *   0 uint32 capacity  4 uint32 places  8 uint64 records learned  16 double unit  24 double evicted
 * Stored slot, 4 places of 32 bytes each:
 *   0 uint64 hash  8 double weight, 0: empty  16 uint64 learned when it was last seen
 *   24 int64 latest event time in ms
 * Limits: capacity <= MR_KNOWN_VALUES_MAX. Two values with the same hash count as one: with 1,000
 * values that happens once in 10^13 keys. Threads: the task's. */
#ifndef MR_OPERATORS_KNOWN_VALUES_H
#define MR_OPERATORS_KNOWN_VALUES_H

#include "base/options.h"
#include "state/state.h"

enum {
    MR_KNOWN_VALUES_MAX = 1000, /* an object stays within what the cache takes */
    MR_KNOWN_VALUES_BYTES = 32,
    MR_KNOWN_VALUES_SLOT_BYTES = 128
};

struct mr_known_value {
    uint64_t hash;
    double weight; /* in units; 0: empty */
};

/* In the cache; zeroed but for capacity and unit (mr_known_values_begin). */
struct mr_known_values {
    uint32_t capacity;
    uint32_t places; /* in use or empty again */
    uint32_t count;  /* values; made when the places are read */
    uint32_t stale;  /* places are to be read from the slots */
    uint64_t learned;
    double unit;
    double evicted;
    struct mr_known_value values[]; /* capacity of them */
};

struct mr_known_access {
    struct mr_table *table;
    void *entry; /* the table's object, as handed out */
    struct mr_known_values *values;
    double keep;             /* above 0, up to 1 */
    int64_t forget_after_ms; /* of event time; 0: never */
};

/* What is known of a value. */
struct mr_known_look {
    uint64_t hash;
    int64_t time_ms; /* of the record */
    uint32_t place;  /* UINT32_MAX: none */
    double weight;   /* in units; 0: never seen, or too long ago */
};

static inline size_t mr_known_values_bytes(uint32_t capacity)
{
    return sizeof(struct mr_known_values) + capacity * sizeof(struct mr_known_value);
}

static inline uint32_t mr_known_values_slots(uint32_t capacity)
{
    return (capacity + 3) / 4;
}

void mr_known_values_begin(struct mr_known_values *values, uint32_t capacity);
size_t mr_known_values_encode(const void *values, uint8_t *output);
/* Of version 1; false: corrupt. */
bool mr_known_values_decode(void *values, struct mr_slice stored);

/* Find a text among the key's values. Errors: of the state. */
enum mr_status mr_known_values_look(const struct mr_known_access *access, struct mr_slice text,
                                    int64_t time_ms, struct mr_known_look *look,
                                    struct mr_error *error) MR_NODISCARD;
/* The p-value of a record with the value, above 0. *share: of the value in the weight of earlier
 * records; NAN while there are none. */
double mr_known_values_p(const struct mr_known_values *values, const struct mr_known_look *look,
                         double *share);
/* Count the value. look: of this record, with nothing learned in between. Errors: of the state. */
enum mr_status mr_known_values_learn(const struct mr_known_access *access,
                                     const struct mr_known_look *look,
                                     struct mr_error *error) MR_NODISCARD;

#endif
