/* operators/markov_model.h — which state follows which, and for how long, learned over the keys of
 * a task, in its state.
 * Model:
 *   state    a text; the first so many different ones have numbers from 1 on, all others are 0,
 *            called `other`
 *   context  what the next state depends on: the state, and with order 2 the one before it; the
 *            weights of the states that followed. A sequence's first state has a context of its own
 *   dwell    of a state, the distribution of the ms until the next one (marginal.h)
 * Forgetting: a context or distribution loses the factor e^-(age - its age) when it learns; age is
 * a count of records or of event time. What has not been learned anew keeps its shares.
 * Of order 2 a context that nothing has followed yet falls back to its state alone.
 * Stored, version 1 (little-endian), in tables of the operator:
 *   pool      key "": uint64 transitions; int64 clock; double age; uint64 sequences begun; uint32
 *             sequences running; uint32 states. Slots of 65 bytes by number - 1: uint8 size, the
 * text contexts  key of two bytes, the state before (255: none) and the state: double age; double
 *             weight by number up to the last above 0
 *   dwells    key of one byte, the state: double age; of each bin double least, greatest, weight
 * Limits: MR_MARKOV_STATES_MAX named states of at most MR_MARKOV_TEXT_BYTES. Memory: the tables'
 * caches. Threads: the task's. The same bits everywhere. */
#ifndef MR_OPERATORS_MARKOV_MODEL_H
#define MR_OPERATORS_MARKOV_MODEL_H

#include "base/random.h"
#include "operators/marginal.h"
#include "operators/operator.h"

enum {
    MR_MARKOV_STATES_MAX = 64,
    MR_MARKOV_NUMBERS_MAX = MR_MARKOV_STATES_MAX + 1,
    MR_MARKOV_TEXT_BYTES = 64,
    MR_MARKOV_OTHER = 0,
    MR_MARKOV_NONE = 255, /* in place of a state */
    MR_MARKOV_MODEL_VERSION = 1,
    MR_MARKOV_POOL_BYTES = 40,
    MR_MARKOV_CONTEXT_BYTES = 8 + 8 * MR_MARKOV_NUMBERS_MAX,
    MR_MARKOV_DWELL_BYTES = 8 + 24 * MR_MARGINAL_BINS_MAX
};

struct mr_markov_pool {
    uint64_t transitions;
    int64_t clock_ms; /* the latest event time; INT64_MIN: none yet */
    double age;
    uint64_t begun;   /* synthetic sequences */
    uint32_t running; /* of them at once */
    uint32_t states_count;
};

struct mr_markov_name {
    uint8_t size;
    uint8_t text[MR_MARKOV_TEXT_BYTES];
};

struct mr_markov_model {
    /* Set before _open. */
    uint32_t states_max; /* named ones */
    uint32_t order;      /* 1 or 2 */
    double age_per_record;
    double age_per_ms;
    /* Own. */
    struct mr_table *pool;
    struct mr_table *contexts;
    struct mr_table *dwells;
    uint32_t names_count; /* of those read so far */
    struct mr_markov_name names[MR_MARKOV_STATES_MAX];
};

/* Where a sequence is. */
struct mr_markov_place {
    uint8_t before; /* MR_MARKOV_NONE: this is its first state */
    uint8_t state;  /* MR_MARKOV_NONE: it has not begun */
};

enum mr_status mr_markov_model_open(struct mr_markov_model *model,
                                    const struct mr_operator_open *open,
                                    struct mr_error *error) MR_NODISCARD;

/* The pool's counters; valid until the next call on the state. Change them and call
 * mr_markov_pool_dirty with what this gave. */
enum mr_status mr_markov_model_pool(struct mr_markov_model *model, struct mr_markov_pool **pool,
                                    struct mr_error *error) MR_NODISCARD;
void mr_markov_pool_dirty(struct mr_markov_model *model, struct mr_markov_pool *pool);

/* The number of a state's text, a new one where there is room. */
enum mr_status mr_markov_model_number(struct mr_markov_model *model, struct mr_slice text,
                                      uint8_t *number, struct mr_error *error) MR_NODISCARD;
/* Its text, of a number that was given; `other` of MR_MARKOV_OTHER. Valid until the model closes.
 */
enum mr_status mr_markov_model_text(struct mr_markov_model *model, uint8_t number,
                                    struct mr_slice other, struct mr_slice *text,
                                    struct mr_error *error) MR_NODISCARD;

/* A state followed where a sequence was, after dwell_ms >= 0, of no meaning for a first state. age:
 * the pool's. */
enum mr_status mr_markov_model_learn(struct mr_markov_model *model, struct mr_markov_place place,
                                     uint8_t next, int64_t dwell_ms, double age,
                                     struct mr_error *error) MR_NODISCARD;
/* Draw what follows; where nothing ever did: a first state. Pre: a sequence has begun. */
enum mr_status mr_markov_model_next(struct mr_markov_model *model, struct mr_markov_place place,
                                    struct mr_random *random, struct mr_markov_place *next,
                                    struct mr_error *error) MR_NODISCARD;
/* Draw how long a state lasts, ms, at least 1; 0: it was never seen to end. */
enum mr_status mr_markov_model_dwell(struct mr_markov_model *model, uint8_t state,
                                     struct mr_random *random, int64_t *dwell_ms,
                                     struct mr_error *error) MR_NODISCARD;

#endif
