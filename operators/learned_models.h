/* operators/learned_models.h — the models of an operator's keys, in its state.
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
 *   68  uint64  rows that the model stands on; 76 uint64 records too late to be learned
 *   84  uint64  of the records made those that the model refused to make
 * Stored slots of 1 kB: 64 of pending rows (pending_rows.h), then the model's bytes,
 * as its kind writes them (learned_kind.h). */
#ifndef MR_OPERATORS_LEARNED_MODELS_H
#define MR_OPERATORS_LEARNED_MODELS_H

#include "operators/learned_kind.h"
#include "operators/operator.h"

enum {
    MR_LEARNED_ENTRY_VERSION = 1,
    MR_LEARNED_ENTRY_BYTES = 92,
    MR_LEARNED_SLOT_BYTES = 1024,
    MR_LEARNED_PENDING_SLOTS = 64,
    MR_LEARNED_PANES = 8 /* of a model of the newest event time */
};

struct mr_learned_entry {
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
    uint64_t known;
    uint64_t late;
    uint64_t refused;
};

struct mr_learned_expanded {
    uint64_t seed; /* of the key */
    uint64_t blocks;
    uint64_t used; /* when, in calls */
    bool is_valid;
    bool is_made; /* the sampler follows the model */
    void *model;
    void *sampler;
};

struct mr_learned_models {
    /* Set before _open. */
    const struct mr_learned_kind *kind;
    uint32_t block_rows; /* at most MR_LEARNED_BLOCK_MAX; 0: models are replaced and never learn */
    double decay_rows;   /* decay exponent of a row */
    double decay_ms;     /* of event time in which weights fall to 1 / e; 0: by rows */
    /* 0, or the length of a pane of event time: a block is of one pane, and the model hears of each
     * pane that begins. Records MR_LEARNED_PANES before the newest one are late: not learned. */
    int64_t pane_ms;
    struct mr_learned_conditions conditions; /* that the expanded samplers' rows meet */
    /* Own. */
    const char *name;
    uint32_t columns_count;
    uint64_t seed;
    size_t model_bytes_max;
    int32_t partition;
    struct mr_table *table;
    void *work;
    struct mr_learned_expanded *expanded;
    uint32_t expanded_count;
    uint64_t calls;
    uint8_t *bytes;         /* of a model, in whole slots */
    uint8_t *pending;       /* of all pending rows */
    struct mr_value *cells; /* of a block */
};

enum mr_status mr_learned_models_open(struct mr_learned_models *models,
                                      const struct mr_operator_open *open,
                                      struct mr_error *error) MR_NODISCARD;
void mr_learned_models_close(struct mr_learned_models *models); /* also after a failed open */

/* The entry of a key, made where there is none, and part of the transaction; valid until the next
 * call that takes a key. Errors: as mr_table_get. */
enum mr_status mr_learned_models_get(struct mr_learned_models *models, struct mr_slice key,
                                     uint64_t hash, int64_t time_ms,
                                     struct mr_learned_entry **entry,
                                     struct mr_error *error) MR_NODISCARD;
/* The number of the pane of a time. */
int64_t mr_learned_pane(int64_t time_ms, int64_t pane_ms);
/* A record of this time begins a pane: mr_learned_models_turn is to come first. */
bool mr_learned_models_is_behind(const struct mr_learned_models *models,
                                 const struct mr_learned_entry *entry, int64_t time_ms);
/* Learn the rows that wait, and let the pane of this time begin. */
enum mr_status mr_learned_models_turn(struct mr_learned_models *models, uint64_t hash,
                                      struct mr_learned_entry *entry, int64_t time_ms,
                                      struct mr_error *error) MR_NODISCARD;
/* Let a row wait, unless it is late; slots: the batch's columns. */
enum mr_status mr_learned_models_add(struct mr_learned_models *models,
                                     struct mr_learned_entry *entry, const struct mr_batch *batch,
                                     uint32_t row, const uint32_t *slots,
                                     struct mr_error *error) MR_NODISCARD;
/* The pending rows are to be learned before another one is added. */
bool mr_learned_models_is_due(const struct mr_learned_models *models,
                              const struct mr_learned_entry *entry);
enum mr_status mr_learned_models_learn(struct mr_learned_models *models, uint64_t hash,
                                       struct mr_learned_entry *entry,
                                       struct mr_error *error) MR_NODISCARD;
/* The key's model is what these bytes say, which its kind accepts, from version on. Pre: at most
 * as many as the kind's bytes_max. */
enum mr_status mr_learned_models_replace(struct mr_learned_models *models, uint64_t hash,
                                         struct mr_learned_entry *entry, struct mr_slice bytes,
                                         uint64_t version, struct mr_error *error) MR_NODISCARD;
/* The model of a key; valid until the next call. MR_NOT_FOUND: the key has no entry. */
enum mr_status mr_learned_models_expand(struct mr_learned_models *models, struct mr_slice key,
                                        uint64_t hash, struct mr_learned_entry **entry,
                                        struct mr_learned_expanded **found,
                                        struct mr_error *error) MR_NODISCARD;
/* The model of a key that has learned, with its sampler; valid until the next call. MR_INVALID: the
 * conditions are impossible under it. */
enum mr_status mr_learned_models_sampler(struct mr_learned_models *models, struct mr_slice key,
                                         uint64_t hash, struct mr_learned_expanded **found,
                                         struct mr_error *error) MR_NODISCARD;

/* So many records of the key were refused. */
enum mr_status mr_learned_models_refuse(struct mr_learned_models *models, struct mr_slice key,
                                        uint64_t hash, uint32_t count,
                                        struct mr_error *error) MR_NODISCARD;

bool mr_learned_entry_decode(void *object, uint32_t version, struct mr_slice stored);
/* Slots of a model of so many bytes at most. */
uint32_t mr_learned_model_slots(size_t bytes_max);
/* Memory of struct mr_learned_models besides the state, of a kind with these options. */
size_t mr_learned_models_bytes(const struct mr_learned_kind *kind,
                               const struct mr_options *options);

#endif
