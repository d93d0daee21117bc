/* operators/copula.h — a Gaussian copula that is learned from a stream: what records look like, as
 * one distribution per column and one matrix of correlations, in bounded memory.
 * Why: refitting stored rows grows with the stream. Here each block of rows is learned once and
 * forgotten by and by.
 * Model:
 *   column     a kind (told by the first block), its distribution (marginal.h, or the weights of
 *              its texts) and the weight of its missing values
 *   latent     a standard normal number behind each column, and one behind whether it is missing.
 *              A column's map leads from a value to the score of its latent and back; the score of
 *              a tied value (a text, a whole number) is the mean of its interval of the latent
 *   moments    decayed sums of products of scores; correlations follow from them, for tied columns
 *              by Hermite series that undo the attenuation (copula_latents.c)
 *   reservoir  a sample of the rows by their decayed weight. From it the order of texts and the
 *              moments are made anew while it holds all rows, and when distributions have moved so
 *              far that scores learned before mean something else
 *   sampler    (copula_sampler.h) draws rows
 * A block is the unit of everything: decay, learning, rebuilding. So the result depends on the rows
 * alone and not on how they arrive.
 * Bytes: mr_copula_encode writes all of it (layout: copula_bytes.c); what is derived (maps) is made
 * anew by mr_copula_decode. Two models of the same columns merge.
 * Limits: 64 columns, 128 different texts of at most 64 bytes per column (the others count as rare
 * and are never made), numbers within +-1e140; others, and NaN, count as missing.
 * Memory: of d columns and a reservoir of R rows: 21000 d + 20 d^2 + 8 R (d + 1.5) bytes. Threads:
 * none of its own. Plain arithmetic in a fixed order: the same bits everywhere. Sources: Sklar's
 * theorem; Efraimidis and Spirakis, Weighted random sampling with a reservoir (2006); Olsson,
 * Drasgow and Dorans, The polyserial correlation coefficient (1982). */
#ifndef MR_OPERATORS_COPULA_H
#define MR_OPERATORS_COPULA_H

#include "base/random.h"
#include "operators/marginal.h"
#include "record/value.h"

enum {
    MR_COPULA_COLUMNS_MAX = 64,
    MR_COPULA_BLOCK_MAX = MR_MARGINAL_BLOCK_MAX,
    MR_COPULA_TEXTS_MAX = 128,
    MR_COPULA_TEXT_BYTES = 64,
    MR_COPULA_HERMITE = 24, /* terms */
    MR_COPULA_DECIMALS_MAX = 9
};

#define MR_COPULA_NUMBER_MAX 1e140
/* In place of the number of a text that is none of the column's. */
#define MR_COPULA_RARE ((double)MR_COPULA_TEXTS_MAX)

enum mr_copula_kind {
    MR_COPULA_UNKNOWN, /* nothing but missing values so far */
    MR_COPULA_NUMBER,
    MR_COPULA_BOOLEAN,
    MR_COPULA_TEXT,       /* a category */
    MR_COPULA_DATE,       /* text "2026-01-28"; days */
    MR_COPULA_TIME,       /* text of RFC 3339; seconds, to the ms */
    MR_COPULA_TIMESTAMP,  /* a timestamp by the schema; seconds, to the ms */
    MR_COPULA_IDENTIFIER, /* texts that hardly ever repeat: new ones are made */
    MR_COPULA_KINDS_COUNT
};

/* The texts of a column. */
struct mr_copula_texts {
    uint32_t count;
    uint8_t sizes[MR_COPULA_TEXTS_MAX];
    uint8_t bytes[MR_COPULA_TEXTS_MAX][MR_COPULA_TEXT_BYTES];
    double weights[MR_COPULA_TEXTS_MAX];
    uint8_t order[MR_COPULA_TEXTS_MAX]; /* by rank: which text */
    uint8_t ranks[MR_COPULA_TEXTS_MAX]; /* derived: by text: its rank */
};

struct mr_copula_column {
    uint8_t kind;     /* enum mr_copula_kind */
    uint8_t decimals; /* of numbers and times; above MR_COPULA_DECIMALS_MAX: any */
    double missing;   /* weight */
    struct mr_marginal marginal;
    struct mr_copula_texts texts;
    /* Derived. */
    struct mr_marginal_map map;
};

/* One latent's way from scores to correlations. Derived. */
struct mr_copula_latent {
    bool is_active; /* it varies */
    bool is_tied;
    double present; /* of missingness: the score of a value that is there, and of one that is not */
    double missing;
    double threshold; /* of missingness: above it the value is missing */
    double hermite[MR_COPULA_HERMITE];
};

struct mr_copula_shape {
    uint32_t columns_count;
    uint32_t reservoir_rows;
    uint64_t seed; /* of the reservoir */
};

struct mr_copula {
    struct mr_copula_shape shape;
    uint64_t rows;  /* learned */
    double weight;  /* of all rows */
    double squares; /* of the rows' weights */
    double age;     /* sum of all decay exponents */
    uint32_t kept;  /* rows of the reservoir */
    struct mr_copula_column *columns;
    double *moments;          /* of 2 d latents: lower triangle by rows */
    double *means;            /* sums of scores */
    double *missing_together; /* of d columns: lower triangle by rows */
    double *reservoir;        /* reservoir_rows of priority and d numbers */
    /* Derived. */
    struct mr_copula_latent *latents; /* 2 d: the columns', then those of missingness */
    uint32_t *heap;                   /* of the reservoir's rows, the greatest priority first */
};

/* Memory that learning and correlating need, for models of up to columns_count columns. */
struct mr_copula_work {
    double *numbers; /* d columns of MR_COPULA_BLOCK_MAX */
    double *scores;  /* 2 d latents of MR_COPULA_BLOCK_MAX */
    double *sorted;
    double *row;     /* 2 d */
    double *matrix;  /* (2 d)^2 */
    double *scratch; /* for mr_symmetric_repair */
    double *sums;    /* d * MR_COPULA_TEXTS_MAX */
};

/* Owner: the caller, until _destroy, which accepts one that was never created (zeroed). */
void mr_copula_create(struct mr_copula *model, const struct mr_copula_shape *shape);
void mr_copula_destroy(struct mr_copula *model);
void mr_copula_work_create(struct mr_copula_work *work, uint32_t columns_count);
void mr_copula_work_destroy(struct mr_copula_work *work);
/* Forget everything. */
void mr_copula_clear(struct mr_copula *model);

/* Learn a block of 1..MR_COPULA_BLOCK_MAX rows: cells[row * d + column]; kinds other than numbers,
 * booleans, strings and timestamps count as missing. decay >= 0: what was learned before loses the
 * factor e^-decay. True: distributions had moved, and the moments were made anew from the
 * reservoir. */
bool mr_copula_learn(struct mr_copula *model, struct mr_copula_work *work,
                     const struct mr_value *cells, uint32_t rows_count, double decay);

/* As many rows of weight 1 as tell as much. */
double mr_copula_effective_rows(const struct mr_copula *model);
/* How far a column's distribution has moved since the moments were last made anew, by the mean and
 * the variance of its scores: 0 not at all; above 1 they are made anew. */
double mr_copula_drift(const struct mr_copula *model, uint32_t column);
/* Correlations of the latents that vary: their numbers (2 d at most) to latents, the matrix to
 * matrix by rows. It may be indefinite. Returns how many. */
uint32_t mr_copula_correlations(const struct mr_copula *model, uint32_t *latents, double *matrix);

/* Take what another model of as many columns has learned; its rows count with their weights. A
 * column whose kind is another there counts as missing in those rows. Where the two have the same
 * distributions their moments add up, else they are made anew from both reservoirs. */
void mr_copula_merge(struct mr_copula *model, struct mr_copula_work *work,
                     const struct mr_copula *other);

/* Bytes of the model: at most mr_copula_bytes_max of its shape. */
size_t mr_copula_bytes_max(const struct mr_copula_shape *shape);
size_t mr_copula_encode(const struct mr_copula *model, uint8_t *output);
/* False: not bytes of a model of this shape; the model is then empty. */
bool mr_copula_decode(struct mr_copula *model, struct mr_slice bytes);

/* ---- Between the files of the copula ---- */

static inline size_t mr_copula_triangle(size_t row, size_t column)
{
    return row * (row + 1) / 2 + column;
}

/* copula_columns.c: kinds, numbers of cells, distributions. */
void mr_copula_learn_columns(struct mr_copula *model, struct mr_copula_work *work,
                             const struct mr_value *cells, uint32_t rows_count, double factor);
/* The map of a column, of which the model has its number of rows. */
void mr_copula_map_column(const struct mr_copula *model, struct mr_copula_column *column);
void mr_copula_map_columns(struct mr_copula *model);
/* The numbers of a column's cells, which are columns_count apart: its kind is told by the first
 * that have one, its texts and decimals follow them. NaN: missing. */
void mr_copula_column_numbers(struct mr_copula_column *column, const struct mr_value *cells,
                              uint32_t columns_count, uint32_t rows_count, double *numbers);
double mr_copula_scale(const struct mr_copula_column *column);
/* The column's number of a text; MR_COPULA_RARE: none. */
double mr_copula_text_find(const struct mr_copula_texts *texts, struct mr_slice text);
/* The same; a new text is added while there is room. */
double mr_copula_text_number(struct mr_copula_texts *texts, struct mr_slice text);
/* The number of a date's or time's text, as of a column of this kind; false: it is none. */
bool mr_copula_time_number(uint8_t kind, struct mr_slice text, double *number);
/* The same of a date or a time, whichever the column has: a date is its first moment in UTC. */
bool mr_copula_instant_number(uint8_t kind, struct mr_slice text, double *number);
/* The score of a column's number; NaN: it has none. */
double mr_copula_score(const struct mr_copula_column *column, double number);

/* copula_latents.c: scores, moments, reservoir. */
void mr_copula_learn_latents(struct mr_copula *model, struct mr_copula_work *work,
                             uint32_t rows_count, double factor);
void mr_copula_keep_row(struct mr_copula *model, double priority, const double *numbers,
                        size_t stride);
void mr_copula_keep_rows(struct mr_copula *model, const struct mr_copula_work *work,
                         uint32_t rows_count);
void mr_copula_heap_make(struct mr_copula *model);
void mr_copula_map_latents(struct mr_copula *model);
bool mr_copula_has_moved(const struct mr_copula *model);
void mr_copula_rebuild(struct mr_copula *model, struct mr_copula_work *work);
/* Add the moments of the block in work, scored as the frame scores, to sums: the frame itself, or a
 * model of the same numbers. */
void mr_copula_add_block(struct mr_copula *sums, const struct mr_copula *frame,
                         struct mr_copula_work *work, uint32_t rows_count);
/* Make the moments of sums anew from rows of the frame's reservoir; they stand for its weight. */
void mr_copula_make_moments(struct mr_copula *sums, const struct mr_copula *frame,
                            struct mr_copula_work *work, uint32_t first, uint32_t rows_count);
void mr_copula_order_texts(struct mr_copula *model, struct mr_copula_work *work);

/* copula_merge.c: a column learns another one's distribution (numbers: by text of the other, its
 * number here); the reservoir takes the other's rows (numbers: the same by column). */
void mr_copula_merge_column(struct mr_copula_column *column, const struct mr_copula_column *other,
                            double other_weight, double numbers[MR_COPULA_TEXTS_MAX]);
void mr_copula_merge_rows(struct mr_copula *model, const struct mr_copula *other,
                          const double *numbers);
void mr_copula_add_moments(struct mr_copula *model, const struct mr_copula *other);

/* copula_bytes.c: mr_copula_decode without what is derived but the heap. */
bool mr_copula_decode_stored(struct mr_copula *model, struct mr_slice bytes);

#endif
