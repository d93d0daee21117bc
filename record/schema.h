/* record/schema.h — declared field types: {id: int, tags: list(string), pos: {x: double}}
 * (DESIGN 2.1 rule 7). A field without a declaration is dynamic. */
#ifndef MR_RECORD_SCHEMA_H
#define MR_RECORD_SCHEMA_H

#include "record/path.h"
#include "record/value.h"

enum mr_type_code {
    MR_TYPE_ANY, /* undeclared: a JSON number reads as a double */
    MR_TYPE_BOOL,
    MR_TYPE_INT,
    MR_TYPE_UINT,
    MR_TYPE_DOUBLE,
    MR_TYPE_STRING,
    MR_TYPE_BYTES,     /* base64 in JSON */
    MR_TYPE_TIMESTAMP, /* RFC 3339 text, or ms since the epoch, in JSON */
    MR_TYPE_DURATION,  /* "1.5s" text in JSON, as protobuf prints it */
    MR_TYPE_LIST,      /* of element */
    MR_TYPE_OBJECT     /* of fields */
};

struct mr_schema_field;

struct mr_type {
    enum mr_type_code code;
    const struct mr_type *element;        /* of LIST */
    const struct mr_schema_field *fields; /* of OBJECT */
    uint32_t fields_count;
};

struct mr_schema_field {
    const char *name;
    const struct mr_type *type;
};

struct mr_schema {
    struct mr_type root; /* code OBJECT */
};

/* Parse a scalar or list type as written: "double", "list(string)", "list(list(int))". NULL: not
 * one. */
const struct mr_type *mr_type_parse(struct mr_arena *arena, const char *text);
/* The type at path; the ANY type where the schema (may be NULL) says nothing; NULL when path
 * contradicts the schema (a member of a scalar). */
const struct mr_type *mr_schema_find(const struct mr_schema *schema, const struct mr_path *path);
/* "list(string)", "{x: double}". */
const char *mr_type_name(struct mr_arena *arena, const struct mr_type *type);

#endif
