/* operators/copula_kind.h — a Gaussian copula (copula.h, copula_sampler.h) as a kind of model that
 * learned_generator.h drives. Options: `fields`, `reservoir`, `seed`, `learn_batch`, and
 * `learn_window`: a copula of the newest records (copula_window.h); `privacy`: copula_privacy.h.
 * Bytes, version 1 (little-endian): 0 uint8 1; 1 uint8 1 with a window; 2 uint16 columns; 4 uint32
 * rows of which no copies are made; 8 uint64 how often the moments were made anew, 16 int64 event
 * time when they last were (ms; INT64_MIN: never); 24 uint64 rows that the model stands on, 32
 * double their weight, 40 double as many rows of weight 1 as tell as much; 48 of each column:
 * double drift, double share of missing values; then the copies, if any; then the copula, or the
 * window. */
#ifndef MR_OPERATORS_COPULA_KIND_H
#define MR_OPERATORS_COPULA_KIND_H

#include "operators/copula_privacy.h"
#include "operators/learned_models.h"

extern const char mr_copula_table[];
extern const struct mr_learned_kind mr_copula_kind;

/* What `learn_window` says. Without it: 0. */
struct mr_copula_window_bounds {
    uint64_t pane_rows;  /* of a window of records */
    int64_t pane_ms;     /* of a window of event time */
    uint32_t block_rows; /* that are learned together, by `learn_batch`, too */
};
struct mr_copula_window_bounds mr_copula_window_bounds(const struct mr_options *options);

/* Checks of `learn_window` with the other options, and of how fast a model forgets. */
enum mr_status mr_copula_window_check(const struct mr_options *options, const char **option,
                                      struct mr_error *error) MR_NODISCARD;
extern const struct mr_option_spec mr_copula_window_options[];
extern const struct mr_option_spec mr_copula_privacy_options[];

/* Append the model as a document (sample_model_copula.h); under privacy: of what the guard leaves
 * of the columns. */
enum mr_status mr_copula_kind_document(const struct mr_copula *model,
                                       const struct mr_copula_privacy *given,
                                       struct mr_copula_work *work, const char *name,
                                       uint64_t version, const char *const *fields,
                                       struct mr_buffer *output,
                                       struct mr_error *error) MR_NODISCARD;

/* Describe a key's model, of which the stored entry has this many bytes in the object's slots, as
 * the member `model`. Errors: of the state. */
enum mr_status mr_copula_kind_describe(const struct mr_state_object *object, uint32_t bytes,
                                       struct mr_arena *arena,
                                       struct mr_state_description *description,
                                       struct mr_error *error) MR_NODISCARD;

#endif
