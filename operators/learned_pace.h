/* operators/learned_pace.h — what a generator that learns knows of time, per key: whether its fit
 * is complete, when its next batch is due, and how much it has made.
 * Model: a timed table. All times come from the task's wall clock (the context's now_ms) and are
 * kept: a batch has the time at which it was due, so that what is made again after a crash has the
 * same bytes.
 *   fit    begins with the key's first record (with `key: []`: with the task), is complete with
 *          max_records, or after timeout with at least min_records
 *   timer  begins when the fit is complete (without one: when `min_records` are learned); batch n
 * is due n intervals later. Without rate and delay a batch is due when the one before was made
 * Limits: one object of 97 bytes per key.
 *
 * Stored pace, version 2 (little-endian; version 1 ends before the records under conditions):
 *   0   uint64  records made on request or by the timer, 8 uint64 their batches
 *   16  int64   wall time of the first, 24 int64 of the last; INT64_MIN: none was made
 *   32  uint64  records made by the timer
 *   40  int64   begin of the timer; INT64_MIN: not begun. 48 int64 due time of the next batch
 *   56  int64   begin of the fit; INT64_MIN: there is none. 64 uint8 1: the fit is complete
 *   65  int64   when it is looked at next
 *   73  uint64  of the records made on request those under conditions; 81 double rows that would
 *               have been drawn for them without, by the probability of the conditions
 *   89  uint64  rows that were drawn anew (privacy) */
#ifndef MR_OPERATORS_LEARNED_PACE_H
#define MR_OPERATORS_LEARNED_PACE_H

#include "operators/operator.h"

struct mr_pace_entry {
    uint64_t total_samples;
    uint64_t total_batches;
    int64_t first_ms;
    int64_t last_ms;
    uint64_t timed_samples;
    int64_t started_ms;
    int64_t next_ms;
    int64_t fit_ms;
    bool is_fit;
    int64_t due_ms; /* as scheduled */
    uint64_t conditioned_samples;
    double conditioned_draws;
    uint64_t redrawn;
};

struct mr_learned_pace {
    struct mr_table *table; /* NULL: nothing of this is asked for */
    bool has_fit;
    int64_t fit_timeout_ms;
    uint64_t fit_max; /* UINT64_MAX: none */
    uint64_t fit_min;
    bool is_timed;
    uint64_t samples_max; /* UINT64_MAX: none */
    uint32_t batch_size;
    double interval_ms; /* 0: as fast as they are taken */
};

extern const char mr_pace_table[];

/* The options ask for records by the clock; and for that or a fit. */
bool mr_pace_is_timed(const struct mr_options *options);
bool mr_pace_is_asked(const struct mr_options *options);

enum mr_status mr_learned_pace_open(struct mr_learned_pace *pace,
                                    const struct mr_operator_open *open,
                                    struct mr_error *error) MR_NODISCARD;
/* The key's entry, made where there is none: its fit begins at now_ms. Valid until the next call on
 * the state, which must not come before mr_learned_pace_schedule when it is new. */
enum mr_status mr_learned_pace_get(struct mr_learned_pace *pace, struct mr_slice key, uint64_t hash,
                                   int64_t now_ms, struct mr_pace_entry **entry,
                                   struct mr_error *error) MR_NODISCARD;
/* The key may make records: there is no fit, or it is complete. */
enum mr_status mr_learned_pace_is_fit(struct mr_learned_pace *pace, struct mr_slice key,
                                      uint64_t hash, bool *is_fit,
                                      struct mr_error *error) MR_NODISCARD;
/* Keep the entry, and look at it at due_ms; INT64_MAX: not by itself. */
void mr_learned_pace_schedule(struct mr_learned_pace *pace, struct mr_pace_entry *entry,
                              int64_t due_ms);
/* What becomes due next by itself. */
int64_t mr_learned_pace_due(const struct mr_learned_pace *pace, const struct mr_pace_entry *entry);
/* How long after its begin the timer's batch is due, ms. */
int64_t mr_learned_pace_batch_ms(const struct mr_learned_pace *pace, uint64_t batch);
/* Count what was made at now_ms. */
void mr_pace_note(struct mr_pace_entry *entry, uint64_t samples, uint64_t batches, int64_t now_ms);

/* Count records that were asked for under conditions, which a row meets with the probability. */
void mr_pace_note_conditions(struct mr_pace_entry *entry, uint64_t samples, double probability);

struct mr_pace_statistics {
    uint64_t total_samples;
    uint64_t total_batches;
    double samples_per_second; /* 0: in no time */
    double elapsed_s;
    uint64_t conditioned_samples;
    double
        hit_rate; /* of rows drawn without conditions, how many meet them; NaN: none were asked */
    uint64_t redrawn;
};
void mr_pace_statistics(const struct mr_pace_entry *entry, struct mr_pace_statistics *statistics);
/* The same of the key that is queried, described where the node keeps it. */
enum mr_status mr_learned_pace_describe(const struct mr_state_object *object,
                                        struct mr_arena *arena,
                                        struct mr_state_description *description,
                                        struct mr_error *error) MR_NODISCARD;

#endif
