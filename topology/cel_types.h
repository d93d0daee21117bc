/* topology/cel_types.h — types as the checker sees them: what a cell can be, known as far as
 * possible. Model: a kind of cells (record/value.h) or DYN (anything) or FREE (the element of an
 * empty list: fits every type and becomes DYN where nothing else fixes it), with element types of
 * lists and maps. */
#ifndef MR_TOPOLOGY_CEL_TYPES_H
#define MR_TOPOLOGY_CEL_TYPES_H

#include "record/schema.h"

enum { MR_CEL_DYN = MR_KIND_COUNT, MR_CEL_FREE, MR_CEL_TYPE_COUNT };

struct mr_cel_type {
    uint8_t kind;                      /* enum mr_kind of cells, or MR_CEL_DYN, MR_CEL_FREE */
    const struct mr_cel_type *key;     /* of MAP */
    const struct mr_cel_type *element; /* of LIST; values of MAP */
    const struct mr_type *declared;    /* of MAP: an object of a schema; its members are known */
};

/* The one instance of a type without parameters. */
const struct mr_cel_type *mr_cel_type_simple(uint8_t kind);
const struct mr_cel_type *mr_cel_type_list(struct mr_arena *arena,
                                           const struct mr_cel_type *element);
const struct mr_cel_type *mr_cel_type_map(struct mr_arena *arena, const struct mr_cel_type *key,
                                          const struct mr_cel_type *element);
const struct mr_cel_type *mr_cel_type_from_schema(struct mr_arena *arena,
                                                  const struct mr_type *type);
const struct mr_type *mr_cel_type_to_schema(struct mr_arena *arena, const struct mr_cel_type *type);
/* The type of a constant. */
const struct mr_cel_type *mr_cel_type_of(struct mr_arena *arena, struct mr_value value);

static inline bool mr_cel_type_is_dyn(const struct mr_cel_type *type)
{
    return type->kind >= MR_CEL_DYN;
}

/* The narrowest type that holds both; NULL when they contradict each other. null fits every type.
 */
const struct mr_cel_type *mr_cel_type_join(struct mr_arena *arena, const struct mr_cel_type *left,
                                           const struct mr_cel_type *right);
/* "list(string)", "map(string, dyn)", "google.protobuf.Timestamp". */
const char *mr_cel_type_text(struct mr_arena *arena, const struct mr_cel_type *type);
/* The name of a cell's type as CEL's type() yields it; NULL where there is none. */
const char *mr_cel_kind_text(uint8_t kind);

#endif
