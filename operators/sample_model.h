/* operators/sample_model.h — models that records are drawn from, as documents: saved, loaded,
 * compared, and shared by commands, sources and servers.
 * Document: JSON text, so that YAML reads it, too. Common to all types:
 *   {"millrace_model": 1, "type": "copula", "name": "shop/people", "version": 12, "rows": 3000,
 *    "effective_rows": 2210.5, "fields": [{"name": "age", ...}, ...], ...}
 * version counts what was learned, rows the records. What a type adds says its file
 * (sample_model_copula.h). Documents that were fitted to a stream also hold what was seen beside
 * the distribution of its rows (sample_observed.h): "arrival", "time", "keys" and "seasons".
 * Numbers are written so that they read as the same doubles: a document draws the same bytes as the
 * state that it came from. It holds no row of what was learned, unless it says so ("holds_rows":
 * true). Drawing: row n is a function of (document, conditions, seed, n, and its time where the
 * document has seasons), so that rows come in any order and number, on any machine. Conditions: a
 * JSON object by field. A value is equality; an object has `in` (a list), or bounds:
 *   {"age": {"gte": 21, "lt": 65}, "region": "West", "plan": {"in": ["a", "b"]}, "fraud": true}
 * Limits: documents of MR_SAMPLE_DOCUMENT_BYTES_MAX bytes (reading one takes up to 48 bytes of
 * memory for each of its bytes, for a moment), MR_SAMPLE_FIELDS_MAX fields,
 * MR_SAMPLE_CONDITIONS_MAX conditions, one per field, MR_SAMPLE_VALUES_MAX values in a set.
 * A type of model is a table (sample_type.h) in the list of sample_model.c. Pure. */
#ifndef MR_OPERATORS_SAMPLE_MODEL_H
#define MR_OPERATORS_SAMPLE_MODEL_H

#include "base/buffer.h"
#include "base/error.h"
#include "record/value.h"
#include "topology/type.h"

enum {
    MR_SAMPLE_DOCUMENT_BYTES_MAX = 64 << 20,
    MR_SAMPLE_FIELDS_MAX = 64,
    MR_SAMPLE_NAME_BYTES_MAX = 1 << 16,
    MR_SAMPLE_CONDITIONS_BYTES_MAX = 1 << 20,
    MR_SAMPLE_CONDITIONS_MAX = 16,
    MR_SAMPLE_VALUES_MAX = 128
};

struct mr_sample_model; /* read-only once it is read: any thread */
struct mr_sample_observed;
struct mr_sample; /* one drawing under fixed conditions: one thread */

struct mr_sample_facts {
    const char *type;
    const char *name;
    uint64_t version;
    uint32_t fields_count;
    const char *const *fields;
    double rows;
    double effective_rows;
    bool holds_rows; /* of what was learned: whoever reads the document reads them */
};

/* MR_INVALID with a sentence that names the place. Owner of *model: the caller, until _destroy,
 * which accepts NULL. The text need not stay. */
enum mr_status mr_sample_model_read(struct mr_slice document, struct mr_sample_model **model,
                                    struct mr_error *error) MR_NODISCARD;
void mr_sample_model_destroy(struct mr_sample_model *model);
/* Valid as long as the model. */
const struct mr_sample_facts *mr_sample_model_facts(const struct mr_sample_model *model);
/* What was seen beside the rows (sample_observed.h). Valid as long as the model. */
const struct mr_sample_observed *mr_sample_model_observed(const struct mr_sample_model *model);

/* conditions: as above, or no bytes: none. MR_INVALID with a sentence: an unknown field, a value of
 * the wrong kind, or impossible (with the reason). The model must stay until _close. */
enum mr_status mr_sample_open(const struct mr_sample_model *model, struct mr_slice conditions,
                              uint64_t seed, struct mr_sample **sample,
                              struct mr_error *error) MR_NODISCARD;
void mr_sample_close(struct mr_sample *sample); /* accepts NULL */
/* How likely a row of the model meets the conditions; 1 without any. */
double mr_sample_probability(const struct mr_sample *sample);

/* Rows first..first + rows_count - 1: cells[field * rows_count + row]. A missing value is NULL.
 * Texts live in arena or in the model. */
void mr_sample_cells(struct mr_sample *sample, uint64_t first, uint32_t rows_count,
                     struct mr_arena *arena, struct mr_value *cells);

/* For the planner (topology/type.h): the model at a path that was read; bytes, which must be one,
 * stay the caller's. Errors: as mr_sample_model_read. */
enum mr_status mr_sample_document_facts(struct mr_slice bytes, struct mr_arena *arena,
                                        struct mr_document_facts *facts,
                                        struct mr_error *error) MR_NODISCARD;

struct mr_sample_metadata {
    int64_t generated_ms; /* wall or event time: `_generated_at`, RFC 3339 in UTC */
    uint64_t batch;       /* `_batch_id`: 1 is "batch-001" */
};

/* Event times of rows. */
struct mr_sample_times {
    int64_t origin_ms; /* of the stream's first record: where trends begin */
    const int64_t *times_ms;
};

/* The same at given times; NULL: those of mr_sample_cells, which follow each other at the rate that
 * the document says. Only documents with seasons or a field for the time tell them apart. */
void mr_sample_cells_timed(struct mr_sample *sample, uint64_t first, uint32_t rows_count,
                           const struct mr_sample_times *times, struct mr_arena *arena,
                           struct mr_value *cells);

/* The same rows as JSON objects, appended to output; between: what stands between two of them,
 * NULL: ",\n". metadata NULL: none. MR_LIMIT: the output is full; it is then as it was. */
enum mr_status mr_sample_write(struct mr_sample *sample, uint64_t first, uint32_t rows_count,
                               const struct mr_sample_metadata *metadata, const char *between,
                               struct mr_buffer *output) MR_NODISCARD;

#endif
