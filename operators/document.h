/* operators/document.h — reading a JSON document member by member, strictly: what is missing, of
 * another kind, out of bounds or not known is an error that names its place, as in
 * "fields[3].bins[17]: the weight is -1".
 * Model: a place is a value and the way to it. Readers may go on after an error: the first one is
 * kept, and what is read afterwards is 0, "" or an empty list. So a reader checks once, at the end.
 * Owner: values are borrowed from the text and the arena that were parsed. Threads: one. Pure. */
#ifndef MR_OPERATORS_DOCUMENT_H
#define MR_OPERATORS_DOCUMENT_H

#include "base/error.h"
#include "record/value.h"

enum { MR_DOCUMENT_PLACE_BYTES = 200 };

struct mr_document {
    const char *noun; /* for sentences: "the model" */
    enum mr_status status;
    struct mr_error *error; /* filled with the first failure */
};

/* Places link to those above them: these must stay while the place is used. */
struct mr_document_place {
    const struct mr_document_place *above; /* NULL: the whole document */
    const char *name;                      /* of a member; NULL: an item */
    uint32_t index;
    struct mr_value value;
};

/* Parse text, at most bytes_max of it; MR_INVALID with the byte where it is no JSON. The root is a
 * map or the document has failed. */
void mr_document_open(struct mr_document *document, struct mr_slice text, size_t bytes_max,
                      struct mr_arena *arena, struct mr_document_place *root);
/* Keep the first failure: "<noun>, <place>: <sentence>". */
void mr_document_fail(struct mr_document *document, const struct mr_document_place *place,
                      const char *format, ...) MR_PRINTF(3, 4);

/* Members of a map. Absent ones fail but for _has. */
bool mr_document_has(const struct mr_document_place *place, const char *name);
struct mr_document_place mr_document_member(struct mr_document *document,
                                            const struct mr_document_place *place,
                                            const char *name);
/* Fail when the map has members other than these. */
void mr_document_only(struct mr_document *document, const struct mr_document_place *place,
                      const char *const *names, uint32_t names_count);
struct mr_document_place mr_document_list(struct mr_document *document,
                                          const struct mr_document_place *place, const char *name,
                                          uint32_t items_max);
/* In [lowest, highest]; never NaN. */
double mr_document_number(struct mr_document *document, const struct mr_document_place *place,
                          const char *name, double lowest, double highest);
/* A whole number 0..highest, below 2^53. */
uint64_t mr_document_count(struct mr_document *document, const struct mr_document_place *place,
                           const char *name, uint64_t highest);
/* Without NUL, at most bytes_max. */
struct mr_slice mr_document_text(struct mr_document *document,
                                 const struct mr_document_place *place, const char *name,
                                 size_t bytes_max);

/* Items of a list. Pre: index < place->value.size. */
struct mr_document_place mr_document_item(const struct mr_document_place *place, uint32_t index);
double mr_document_item_number(struct mr_document *document, const struct mr_document_place *place,
                               uint32_t index, double lowest, double highest);
struct mr_slice mr_document_item_text(struct mr_document *document,
                                      const struct mr_document_place *place, uint32_t index,
                                      size_t bytes_max);

#endif
