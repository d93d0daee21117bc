/* operators/learned_kind.h — what a kind of model that is learned from a stream brings along, so
 * that one shell (learned_models.h, learned_generator.h) keeps its models in state, drives them and
 * answers requests.
 * Why: a copula and a weighted reservoir differ in what they learn and how they draw, not in when.
 * Model: a kind is one table. Its options are those of MR_LEARNED_OPTIONS (learned_generator.h) and
 * its own; it reads both. A model belongs to a key; it learns blocks of rows and is written as
 * bytes. A sampler draws rows from a model under conditions; there may be several of one model.
 * Contract: pure; the same calls give the same bytes on every machine; no memory is taken after
 * _create, but of the arena that is given. */
#ifndef MR_OPERATORS_LEARNED_KIND_H
#define MR_OPERATORS_LEARNED_KIND_H

#include "base/buffer.h"
#include "operators/copula_condition.h"
#include "topology/type.h"

enum {
    MR_LEARNED_COLUMNS_MAX = MR_COPULA_COLUMNS_MAX,
    MR_LEARNED_BLOCK_MAX = MR_COPULA_BLOCK_MAX,          /* rows that are learned together */
    MR_LEARNED_DRAW_MAX = 64,                            /* rows of one call of draw */
    MR_LEARNED_CONDITIONS_MAX = MR_COPULA_CONDITIONS_MAX /* of one sampler */
};

/* Rows to learn. */
struct mr_learned_block {
    const struct mr_value *cells; /* [row * columns_count + column] */
    uint32_t rows_count;          /* 1 to MR_LEARNED_BLOCK_MAX; 0: only time has passed */
    double decay;                 /* >= 0: what was learned before loses the factor e^-decay */
    int64_t latest_ms;            /* event time of the latest of the key's records */
};

/* What rows must be. */
struct mr_learned_conditions {
    const struct mr_copula_condition *items; /* of different columns; borrowed */
    uint32_t count;                          /* at most MR_LEARNED_CONDITIONS_MAX */
};

struct mr_sample_condition; /* sample_type.h */

struct mr_learned_kind {
    const char *type;  /* of the operator, for sentences: "generate.copula" */
    const char *table; /* of the models in state */

    /* Scratch that learning and samplers share. Owner: the caller, as of all that follows; the
     * _destroy functions accept NULL. */
    void *(*work_create)(const struct mr_options *options);
    void (*work_destroy)(void *work);

    void *(*model_create)(const struct mr_options *options);
    void (*model_destroy)(void *model);
    /* The model of a key that has learned nothing yet; seed: of that key. */
    void (*begin)(void *model, uint64_t seed);
    /* rows_count is 0 only of models with panes of time (struct mr_learned_models). */
    void (*learn)(void *model, void *work, const struct mr_learned_block *block);
    /* NULL: it never forgets a row wholly. Rows that the model stands on. */
    uint64_t (*rows)(const void *model);
    /* Bytes of the model, at most bytes_max; they say their own version. */
    size_t (*bytes_max)(const struct mr_options *options);
    size_t (*encode)(const void *model, uint8_t *output);
    /* Behind `begin`. False: these are no bytes of a model with these options. */
    bool (*decode)(void *model, struct mr_slice bytes);

    /* conditions_max: the most conditions it is ever made with. */
    void *(*sampler_create)(const struct mr_options *options, uint32_t conditions_max);
    void (*sampler_destroy)(void *sampler);
    /* Follow the model as it is now; the conditions stay valid until it is made anew. MR_INVALID
     * with a sentence: they are impossible. */
    enum mr_status (*sampler_make)(void *sampler, const void *model, void *work,
                                   struct mr_learned_conditions conditions, struct mr_error *error);
    /* What a condition means under the model; in arena. MR_INVALID with a sentence: the kind of
     * its column has no such values. */
    enum mr_status (*bind)(const void *model, const struct mr_sample_condition *condition,
                           struct mr_arena *arena, struct mr_copula_condition *bound,
                           struct mr_error *error);
    /* How likely a row of the model meets the conditions. */
    double (*probability)(const void *sampler);
    /* Rows first to first + rows_count - 1, at most MR_LEARNED_DRAW_MAX, into columns[column][0 ..
     * rows_count - 1]; row n is a function of (model, conditions, seed, n). Texts live in
     * arena: another key's model may take this one's place. */
    void (*draw)(void *sampler, const void *model, uint64_t seed, uint64_t first,
                 uint32_t rows_count, struct mr_arena *arena, struct mr_value *const *columns);
    /* NULL: every row can be made. Of the rows of the last `draw` those that could not, by bits;
     * their cells are missing and no records. */
    uint64_t (*refused)(const void *sampler);
    /* NULL: none ever is. Rows that the sampler has drawn anew since it was created. */
    uint64_t (*redrawn)(const void *sampler);
    /* NULL: it tells nothing. What is known of the model, a map; fields: one name per column. */
    struct mr_value (*statistics)(const void *model, const char *const *fields,
                                  struct mr_arena *arena);
    /* Of types with write_model. Append the model as a document (sample_model.h) called name;
     * fields: one name per column. MR_INVALID with a sentence: it stands on nothing; MR_LIMIT: the
     * output is full. */
    enum mr_status (*document)(const void *model, void *work, const char *name, uint64_t version,
                               const char *const *fields, struct mr_buffer *output,
                               struct mr_error *error);
    /* Memory of an expanded model with its sampler, bytes. */
    size_t (*memory)(const struct mr_options *options, uint32_t conditions_max);
};

#endif
