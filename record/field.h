/* record/field.h — a field that a topology reads: what the planner asks of a decoder. */
#ifndef MR_RECORD_FIELD_H
#define MR_RECORD_FIELD_H

#include "record/schema.h"

struct mr_field_read {
    struct mr_path path;
    uint32_t slot;              /* column of the domain */
    const struct mr_type *type; /* declared; code ANY where it is not */
};

#endif
