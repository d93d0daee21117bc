/* operators/model.h — what a detector knows of one key, and how it judges a record: the interface
 * between a detector's mathematics and what all detectors share (operators/detector.h).
 *
 * Per key there is one object of the detector's table: the shared stage first (counters, freeze,
 * mute, episode), then the model's own struct, both in one stored value; large state goes into the
 * object's slots, so that a record logs few bytes. For each row, in order, the driver gets the
 * object, calls `score`, decides (threshold or calibration, learning, suppression), and calls
 * `learn` when the options and the control records say so. A score never sees what its own record
 * teaches, nor any later record: no look-ahead.
 *
 * Contract: pure. No clock, no I/O, no globals, no heap: scratch memory is taken in `open` of the
 * operator and lives in self; randomness is drawn from the row's seed and counter. Same rows, same
 * bytes, on each machine: plain IEEE arithmetic in a fixed order (-ffp-contract=off); of libm only
 * sqrt, fabs and fma count as the same everywhere, so what goes into state uses no other function
 * unless the detector's description says so.
 *
 * Invariants: scores are >= 0, not NaN, larger is stranger, and do not saturate; the driver clamps
 * +infinity to the largest double. Values are finite and -0.0 reads as 0.0. */
#ifndef MR_OPERATORS_MODEL_H
#define MR_OPERATORS_MODEL_H

#include "base/options.h"
#include "state/state.h"

enum {
    MR_MODEL_OWN_MAX = 12,       /* members that a detector adds behind the shared ones */
    MR_MODEL_FIELDS_MAX = 64,    /* numbers of a record */
    MR_MODEL_OBJECT_BYTES = 3072 /* encoded_size_max at most: more goes into slots */
};

/* One record in front of its key's model. */
struct mr_model_row {
    struct mr_table *table; /* for slots: mr_table_slot(row->table, row->entry, ...) */
    void *entry;            /* the table's object, as handed out */
    void *object;           /* the model's own struct within it */
    const double *values;   /* fields_count numbers */
    uint32_t fields_count;
    int64_t event_time_ms;
    uint64_t seen;        /* records of this key that were judged before this one */
    uint64_t seed;        /* the option `seed`, and the key's hash mixed in */
    struct mr_slice text; /* of detectors that read a text (mr_detector_type.reads_text) */
    /* Filled by score. */
    double score;
    double p_value; /* of the score under the model; NAN: the method gives none */
    /* The detector's own members, in the order declared, each filled by each call: an int member is
     * a whole number, a bool 0 or 1, a string the index of one of mr_detector_type.own_texts; NAN:
     * null. Infinities come out as the largest double. */
    double own[MR_MODEL_OWN_MAX];
    double *contributions; /* fields_count shares of the score, of detectors that declare them */
};

/* What one key takes; filled from the type before `size` is asked. */
struct mr_model_size {
    size_t object_bytes;  /* of the model's own struct */
    size_t encoded_bytes; /* of it, at most */
    uint32_t slot_bytes;  /* 0: no slots */
    uint32_t slots_max;
    bool slots_are_old; /* only what an earlier version stored has slots: none are written */
};

struct mr_model_type {
    const char *table;       /* the table's name; NULL: stateless, without learn and the like */
    uint32_t version;        /* of the stored layout, 1..255 */
    size_t object_size;      /* of the model's own struct, a multiple of 8 is best */
    size_t encoded_size_max; /* of it, <= MR_MODEL_OBJECT_BYTES */
    /* What depends on the options: a larger object, slots. NULL: nothing does, and no slots. Used
     * by open and by the estimate alike. */
    void (*size)(const struct mr_options *options, struct mr_model_size *size);
    size_t (*encode)(const void *object, uint8_t *output);
    /* Stored bytes of `version` (<= the current). false: corrupt. Derived members are computed
     * anew by the first score that misses them, not here: slots are out of reach. */
    bool (*decode)(void *object, uint32_t version, struct mr_slice stored);
    /* A key's first record: object is zeroed. */
    void (*begin)(const void *self, const struct mr_model_row *row, void *object);
    /* The stored object was made with options that fit these (those with MR_OPTION_STATE_BOUND,
     * which the message names). NULL: all do. Asked when an object was loaded. */
    bool (*fits)(const void *self, const void *object);
    /* Enough was learned to judge: until then the driver makes the score 0 and the state
     * `learning`. NULL: always. */
    bool (*ready)(const void *self, const void *object);
    /* Judge: fills row's results; changes no stored byte of the object and its slots (caches that
     * are not stored may change). Called for every row, ready or not. Errors: of the state only.
     * NULL: `learn` fills the results. So do change detectors (drift.*), which judge the stream
     * with the record in it: they always learn. */
    enum mr_status (*score)(void *self, struct mr_model_row *row, struct mr_error *error);
    /* Learn the same record, called right after score when at all: row is as score left it. Not
     * called with a value beyond +-1e140 (MR_DETECTOR_LEARNED_MAX); where score is NULL such a row
     * has the score 0 and null members. The driver makes the object dirty; slots are made dirty by
     * the model. Between score and learn the table may have been used: row->entry and row->object
     * are set anew, slots are asked for again. */
    enum mr_status (*learn)(void *self, struct mr_model_row *row, struct mr_error *error);
    /* Fill row->contributions of an anomaly, from what score left in self and from slots; learn may
     * have been called meanwhile, for no other row. NULL: score fills them for each row. */
    enum mr_status (*explain)(void *self, struct mr_model_row *row, struct mr_error *error);
};

#endif
