/* tests/support/drift_parity.h — a change detector's model over a stream, and beside river.
 * Model: the model is called as its driver calls it (get, begin for new keys, learn, dirty) over a
 * state in memory whose changes are kept as a changelog. The reference (drift_reference.py) makes
 * streams, runs river's detector over them and prints what it says of every record; all of it must
 * be equal, drift and warning index for index and numbers to the bit where not said otherwise. */
#ifndef MR_TESTS_SUPPORT_DRIFT_PARITY_H
#define MR_TESTS_SUPPORT_DRIFT_PARITY_H

#include "operators/drift.h"
#include "tests/support/state_fixture.h"

struct drift_stream {
    struct state_fixture fixture;
    const struct mr_model_type *model;
    void *self;
    uint32_t slot_bytes;
    uint32_t slots_max;
    struct mr_table *table;
    struct mr_model_row row; /* what the last record gave */
};

/* Owner: the caller closes. slots_max 0: a model without slots. */
void drift_stream_open(struct drift_stream *stream, const struct mr_model_type *model, void *self,
                       uint32_t slot_bytes, uint32_t slots_max);
void drift_stream_close(struct drift_stream *stream);
/* A record of a key: its score. */
double drift_stream_feed(struct drift_stream *stream, const char *key, double value);
/* Commit, forget everything in memory, and restore from the changelog. */
void drift_stream_restart(struct drift_stream *stream);

enum { DRIFT_PARAMETERS_MAX = 8, DRIFT_NUMBERS = 4 };

struct drift_parity {
    const char *detector; /* as drift_reference.py calls it */
    const struct mr_model_type *model;
    void *self;
    uint32_t slot_bytes;
    uint32_t slots_max;
    /* Set self from the numbers that the reference printed for a stream. */
    void (*configure)(void *self, const double *parameters);
    int warning;                /* own member; -1: none */
    int numbers[DRIFT_NUMBERS]; /* own members that river's numbers equal; -1: none */
    bool draws;                 /* the reference prints draws: only KSWIN */
    void (*drawn)(void *self, const uint32_t *places, uint32_t count);
};

/* Every stream of the reference: "published" are the examples of river's documentation, which need
 * no river; "river" are many streams and options. Skips with a message without python3, or river.
 */
void drift_parity(const struct drift_parity *parity, const char *kind);

#endif
