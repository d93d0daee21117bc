/* tests/unit/proto/message_fixture.h — every message and record as a table of its fields, so that
 * one generator fills any of them and one comparison finds the field that was lost. */
#ifndef MR_TESTS_MESSAGE_FIXTURE_H
#define MR_TESTS_MESSAGE_FIXTURE_H

#include "base/random.h"
#include "proto/codec.h"

enum fixture_field_kind {
    FIELD_U64,
    FIELD_I64,
    FIELD_U32,
    FIELD_NATURAL, /* int32_t, not negative */
    FIELD_I32,
    FIELD_BOOL,
    FIELD_ENUM, /* limit: how many values */
    FIELD_TEXT, /* limit: bytes */
    FIELD_BYTES,
    FIELD_STRUCT,
    FIELD_LIST, /* of structs: pointer, and a uint32_t count */
    FIELD_NAMES /* of texts: pointer, and a uint32_t count */
};

struct fixture_shape;

struct fixture_field {
    const char *name;
    size_t offset;
    enum fixture_field_kind kind;
    size_t limit;
    size_t count_offset;
    const struct fixture_shape *shape;
    uint32_t added; /* 0: from the first; else the number of the addition that it came with */
};

struct fixture_shape {
    size_t size;
    const struct fixture_field *fields;
    size_t fields_count;
};

/* A message of requests and replies by its part, or a record. */
struct fixture_message {
    const char *name; /* of its line in tests/golden/proto/messages_v1.hex */
    const struct fixture_shape *shape;
    struct mr_slice (*encode)(const void *value, struct mr_arena *arena);
    enum mr_status (*decode)(struct mr_slice bytes, struct mr_arena *arena, void *value,
                             struct mr_error *error);
};

enum { FIXTURE_MESSAGES_COUNT = 9, FIXTURE_VALUE_SIZE = 1024 };
extern const struct fixture_message fixture_messages[FIXTURE_MESSAGES_COUNT];

/* A random value of the shape in arena. */
void *fixture_fill(const struct fixture_message *message, struct mr_random *random,
                   struct mr_arena *arena);
/* A value that follows from the fields' names, the same for ever; fields of later additions are
 * zero, which is not sent. */
void *fixture_fill_golden(const struct fixture_message *message, uint32_t addition,
                          struct mr_arena *arena);
/* Fails the test with the field's name where they differ. */
void fixture_assert_same(const struct fixture_message *message, const void *wanted,
                         const void *found);
/* Fails when a table has left out a member of its struct (as far as padding lets one see). */
void fixture_assert_complete(const struct fixture_message *message);

/* The bytes of a line of messages_v1.hex, in arena; fails when there is none. */
struct mr_slice fixture_golden(const char *name, struct mr_arena *arena);

#endif
