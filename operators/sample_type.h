/* operators/sample_type.h — what a type of model (sample_model.h) brings: reading its part of a
 * document, and drawing.
 * A new type: a file sample_model_<type>.c with a table of this struct, a line in the list of
 * sample_model.c, a test beside test_sample_model_copula.c. */
#ifndef MR_OPERATORS_SAMPLE_TYPE_H
#define MR_OPERATORS_SAMPLE_TYPE_H

#include "operators/document.h"
#include "operators/sample_model.h"

enum { MR_SAMPLE_ROWS = 64 }; /* drawn at a time */

/* One condition, as it was asked for; what it means the type says. */
struct mr_sample_condition {
    uint32_t field;
    const char *name;
    /* One of these: texts, booleans, numbers. 0: within bounds. */
    const struct mr_value *values;
    uint32_t values_count;
    /* Numbers or texts; ABSENT: none. */
    struct mr_value lowest;
    struct mr_value highest;
    bool lowest_is_out; /* the bound itself does not count */
    bool highest_is_out;
};

struct mr_sample_type {
    const char *name;
    bool holds_rows; /* its documents have rows that were learned; they say "holds_rows": true */
    /* Read the members of the root and of each of its fields that are the type's own; what is
     * common to all types was read. Fails in the document; own state in *own even then. arena
     * lives as long as the model. */
    void (*read)(struct mr_document *document, const struct mr_document_place *root,
                 const struct mr_sample_facts *facts, struct mr_arena *arena, void **own);
    void (*destroy)(void *own); /* accepts NULL */
    /* Whether a field's values are texts, and not numbers, true or false. */
    bool (*has_texts)(const void *own, uint32_t field);
    /* Conditions are of different fields and live as long as *drawing. MR_INVALID with a sentence:
     * of the wrong kind or impossible; then nothing was made. */
    enum mr_status (*open)(const void *own, const struct mr_sample_condition *conditions,
                           uint32_t conditions_count, struct mr_arena *arena, void **drawing,
                           double *probability, struct mr_error *error);
    void (*close)(void *drawing);
    /* At most MR_SAMPLE_ROWS rows: cells[field * stride + row]. */
    void (*draw)(void *drawing, uint64_t seed, uint64_t first, uint32_t rows_count,
                 struct mr_arena *arena, struct mr_value *cells, uint32_t stride);
};

/* Members of the root that all types have; a type's `read` checks that there are only these and its
 * own (mr_document_only). */
#define MR_SAMPLE_MEMBERS                                                                          \
    "millrace_model", "type", "name", "version", "rows", "effective_rows", "fields", "arrival",    \
        "time", "keys", "seasons"

/* sample_condition.c: read conditions into arena; at most MR_SAMPLE_CONDITIONS_MAX. */
enum mr_status mr_sample_conditions_read(struct mr_slice text, const struct mr_sample_facts *facts,
                                         struct mr_arena *arena,
                                         struct mr_sample_condition **conditions, uint32_t *count,
                                         struct mr_error *error) MR_NODISCARD;
/* "the condition on field age: <sentence>", MR_INVALID. */
enum mr_status mr_sample_condition_fail(const struct mr_sample_condition *condition,
                                        struct mr_error *error, const char *format, ...)
    MR_PRINTF(3, 4) MR_NODISCARD;

/* What the model's type made of its document. */
/* Whether the field of that name has texts; false of one that there is not. */
bool mr_sample_model_has_texts(const struct mr_sample_model *model, const char *name);
const void *mr_sample_model_own(const struct mr_sample_model *model,
                                const struct mr_sample_type *type); /* NULL: another type */

/* Written documents: text behind a buffer. The first failure is kept. */
struct mr_document_writer {
    struct mr_buffer *output;
    enum mr_status status;
};
void mr_document_put(struct mr_document_writer *writer, const char *text);
void mr_document_put_number(struct mr_document_writer *writer, double number);
void mr_document_put_text(struct mr_document_writer *writer, struct mr_slice text);
/* The members of MR_SAMPLE_MEMBERS up to "effective_rows", with the opening brace and the comma
 * behind. */
void mr_document_put_facts(struct mr_document_writer *writer, const struct mr_sample_facts *facts);

#endif
