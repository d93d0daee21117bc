/* operators/copula_models.h — the copulas of an operator's keys, in its state.
 * Model: a key's entry counts and says what its slots hold: rows that wait to be learned, and the
 * bytes of its model. Models and their samplers are kept expanded beside the state, as many as fit
 * into 32 MiB, at most 256: an expanded model is known by its key's seed and the blocks that it has
 * learned, and made anew from the slots when it is not there. What is expanded changes no result.
 *
 * Stored entry, version 1 (little-endian):
 *   0   uint64  records seen; 8 uint64 blocks learned; 16 uint64 records made
 *   24  double  records owed, below 1
 *   32  int64   latest event time; 40 int64 the same when the last block was learned
 *   48  double  how likely the conditions were when records were last drawn; 1: there are none
 *   56  uint32  pending rows; 60 uint32 their bytes; 64 uint32 bytes of the model
 * Stored slots of 1 kB: 64 of pending rows (pending_rows.h), then the model's bytes
 * (copula_bytes.c). */
#ifndef MR_OPERATORS_COPULA_MODELS_H
#define MR_OPERATORS_COPULA_MODELS_H

#include "operators/copula_sampler.h"
#include "operators/operator.h"

enum {
    MR_COPULA_MODELS_VERSION = 1,
    MR_COPULA_ENTRY_BYTES = 68,
    MR_COPULA_SLOT_BYTES = 1024,
    MR_COPULA_PENDING_SLOTS = 64
};

struct mr_copula_entry {
    uint64_t seen;
    uint64_t blocks;
    uint64_t made;
    double owed;
    int64_t latest_ms;
    int64_t learned_ms;
    double probability;
    uint32_t pending_rows;
    uint32_t pending_bytes;
    uint32_t model_bytes;
};

struct mr_copula_expanded {
    uint64_t seed; /* of the key */
    uint64_t blocks;
    uint64_t used; /* when, in calls */
    bool is_valid;
    bool is_made; /* the sampler follows the model */
    struct mr_copula model;
    struct mr_copula_sampler sampler;
};

struct mr_copula_models {
    /* Set before _open. */
    struct mr_copula_shape shape;
    uint32_t block_rows; /* at most MR_COPULA_BLOCK_MAX */
    double decay_rows;   /* decay exponent of a row */
    double decay_ms;     /* of event time in which weights fall to 1 / e; 0: by rows */
    const struct mr_copula_condition *conditions; /* that all rows drawn meet */
    uint32_t conditions_count;
    /* Own. */
    const char *name;
    int32_t partition;
    struct mr_table *table;
    struct mr_copula_work work;
    struct mr_copula_expanded *expanded;
    uint32_t expanded_count;
    uint64_t calls;
    uint8_t *bytes;         /* of a model, in whole slots */
    uint8_t *pending;       /* of all pending rows */
    struct mr_value *cells; /* of a block */
};

extern const char mr_copula_models_table[];

enum mr_status mr_copula_models_open(struct mr_copula_models *models,
                                     const struct mr_operator_open *open,
                                     struct mr_error *error) MR_NODISCARD;
void mr_copula_models_close(struct mr_copula_models *models); /* also after a failed open */

/* The entry of a key, made where there is none, and part of the transaction; valid until the next
 * call that takes a key. Errors: as mr_table_get. */
enum mr_status mr_copula_models_get(struct mr_copula_models *models, struct mr_slice key,
                                    uint64_t hash, int64_t time_ms, struct mr_copula_entry **entry,
                                    struct mr_error *error) MR_NODISCARD;
/* Let a row wait; slots: the batch's columns. */
enum mr_status mr_copula_models_add(struct mr_copula_models *models, struct mr_copula_entry *entry,
                                    const struct mr_batch *batch, uint32_t row,
                                    const uint32_t *slots, struct mr_error *error) MR_NODISCARD;
/* The pending rows are to be learned before another one is added. */
bool mr_copula_models_is_due(const struct mr_copula_models *models,
                             const struct mr_copula_entry *entry);
enum mr_status mr_copula_models_learn(struct mr_copula_models *models, uint64_t hash,
                                      struct mr_copula_entry *entry,
                                      struct mr_error *error) MR_NODISCARD;
/* The model of a key that has learned, with its sampler; valid until the next call. MR_INVALID: the
 * conditions are impossible under it. */
enum mr_status mr_copula_models_sampler(struct mr_copula_models *models, struct mr_slice key,
                                        uint64_t hash, struct mr_copula_expanded **found,
                                        struct mr_error *error) MR_NODISCARD;

bool mr_copula_entry_decode(void *object, uint32_t version, struct mr_slice stored);
uint32_t mr_copula_model_slots(const struct mr_copula_shape *shape);

#endif
