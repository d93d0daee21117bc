/* operators/sample_model_copula.h — Gaussian copulas (copula.h) as documents (sample_model.h).
 * Document, beside what all types have:
 *   "weight", "squared_weights"   of the rows; effective_rows is weight^2 / squared_weights
 *   each of "fields": "kind" (number, boolean, category, date, time, timestamp, identifier,
 *     unknown), "missing" (weight of its missing values), and by kind
 *       numbers, booleans and times: "bins", ascending, of [lowest, highest, weight] (booleans 0
 *         and 1, dates in days, times in seconds since 1970); numbers and times: "decimals", the
 *         digits behind the point, absent: any
 *       categories: "categories" of {"value", "weight"}, in the order along their latent
 *       identifiers: "prefix", what made ones begin with
 *   "correlations": {"values": fields whose latents vary, "missingness": fields of which it varies
 *     whether they are there, "matrix": of both, one after the other, the rows of the lower
 *     triangle without the diagonal}
 * No row and no reservoir, but distributions: texts of categories and the bounds of bins are values
 * that were learned. An identifier's example is cut before its first digit.
 * Limits: as of copula.h. Pure. */
#ifndef MR_OPERATORS_SAMPLE_MODEL_COPULA_H
#define MR_OPERATORS_SAMPLE_MODEL_COPULA_H

#include "operators/copula_condition.h"
#include "operators/sample_type.h"

extern const struct mr_sample_type mr_sample_type_copula;

/* A copula as it is read; also for whoever compares models. */
struct mr_sample_copula {
    struct mr_copula model; /* without moments and rows */
    uint32_t latents_count;
    uint32_t latents[2 * MR_COPULA_COLUMNS_MAX]; /* that vary, as mr_copula_correlations */
    double *correlations;                        /* latents_count^2, as they are written */
    double *definite;                            /* the same, repaired where they are indefinite */
};

/* Append the model as a document. fields: one name per column; version: what is to be told. work:
 * of mr_copula_work_create for as many columns. MR_INVALID: nothing was learned yet; MR_LIMIT: the
 * output is full. */
enum mr_status mr_sample_copula_write(const struct mr_copula *model, struct mr_copula_work *work,
                                      const char *name, uint64_t version, const char *const *fields,
                                      struct mr_buffer *output,
                                      struct mr_error *error) MR_NODISCARD;

/* The copula of a model; NULL: it is of another type. */
const struct mr_sample_copula *mr_sample_model_copula(const struct mr_sample_model *model);

/* What a condition means of its column; texts in arena. MR_INVALID with a sentence: its kind has no
 * such values. */
enum mr_status mr_sample_copula_bind(const struct mr_sample_condition *condition,
                                     const struct mr_copula_column *column, struct mr_arena *arena,
                                     struct mr_copula_condition *bound,
                                     struct mr_error *error) MR_NODISCARD;

/* "number", "category", ... */
const char *mr_sample_copula_kind_name(uint8_t kind);

/* Between types whose fields are a copula's columns (sample_model_bootstrap.h): what their fields
 * have in common in documents. */
bool mr_sample_copula_has_decimals(uint8_t kind);
/* Numbers of cells of the kind are within +- this. */
double mr_sample_copula_number_max(uint8_t kind);
/* An identifier up to its first digit; without one nothing of it. */
struct mr_slice mr_sample_copula_prefix(const struct mr_copula_texts *texts);
void mr_sample_copula_read_kind(struct mr_document *document, const struct mr_document_place *field,
                                struct mr_copula_column *column);
/* Of a kind that has them. */
void mr_sample_copula_read_decimals(struct mr_document *document,
                                    const struct mr_document_place *field,
                                    struct mr_copula_column *column);
void mr_sample_copula_read_prefix(struct mr_document *document,
                                  const struct mr_document_place *field,
                                  struct mr_copula_column *column);

#endif
