/* state/stored_value.h — the values of a task's store, and of its changelog.
 * Layouts, integers big-endian. The high half of byte 0 is the layout's version, today 1; a reader
 * refuses another one. Golden files: tests/golden/state/.
 *
 *   object   0      0x10 + flags: 1 the time follows, 2 the slots' count follows, 4 the time is
 *                   the one when the object is due (with flag 1: timed tables)
 *            1..2   version of the operator's encoding (struct mr_table_spec)
 *            8      last event time in ms, or due time, as an order key writes it (with flag 1:
 *                   tables with bounds, timed tables)
 *            4      slots written, counted to the highest one (with flag 2)
 *            rest   the operator's encoding
 *
 *   slot     0      0x10
 *            1..2   version of the operator's encoding
 *            rest   the slot's bytes
 *
 *   table    0      0x10
 *            1..8   keys in the table
 *            9..16  bytes of the table: keys and values of its objects and slots
 *            17..24 watermark up to which keys have ended, as an order key writes it
 *
 *   life     0      0x10
 *            1..4   number of the operator's life
 *            5..12  what its state means in it, a hash; 0: the operator is gone
 *
 *   order    0      0x10
 *            1..4   slots written (so that a key is dropped without reading it)
 *            5..8   bytes of the key's object and slots
 *
 *   local    0      0x10 (there when the table's order keys are complete)
 *
 *   state    0      0x10
 *            1..8   next changelog offset to replay
 *            9..16  wall time in ms up to which the state was known to be current
 *            17..24 generation of the topology
 *            1+n    cluster id: size and bytes
 *            1+n    id of the changelog topic: size and bytes
 *
 * An object without time (flag 1 absent) was written while its table had neither. */
#ifndef MR_STATE_STORED_VALUE_H
#define MR_STATE_STORED_VALUE_H

#include "state/state.h"

enum {
    MR_STORED_OBJECT_HEAD_MAX = 15,
    MR_STORED_SLOT_HEAD = 3,
    MR_STORED_TABLE_BYTES = 25,
    MR_STORED_LIFE_BYTES = 13,
    MR_STORED_ORDER_BYTES = 9,
    MR_STORED_LOCAL_BYTES = 1,
    MR_STORED_STATE_MAX = 27 + 2 * 64,
    MR_STORED_VERSION_MAX = 0xffff
};

/* The time of an object that has none: before every other. */
#define MR_TIME_NONE INT64_MIN

struct mr_stored_object {
    uint32_t version;
    int64_t time_ms; /* MR_TIME_NONE: not there */
    bool due;        /* time_ms is when the object is due */
    uint32_t slots_count;
    struct mr_slice encoded; /* for reading; borrowed */
};

/* Write what comes before the encoding to output (MR_STORED_OBJECT_HEAD_MAX); returns its size. */
size_t mr_stored_object_write_head(uint8_t *output, const struct mr_stored_object *object);
bool mr_stored_object_parse(struct mr_slice value, struct mr_stored_object *object);

void mr_stored_slot_write_head(uint8_t *output, uint32_t version);
bool mr_stored_slot_parse(struct mr_slice value, uint32_t *version, struct mr_slice *bytes);

struct mr_stored_table {
    int64_t keys;
    int64_t bytes;
    int64_t watermark_ms; /* MR_TIME_NONE: none yet */
};
void mr_stored_table_write(uint8_t *output, const struct mr_stored_table *table);
bool mr_stored_table_parse(struct mr_slice value, struct mr_stored_table *table);

struct mr_stored_life {
    uint32_t number;
    uint64_t meaning;
};
void mr_stored_life_write(uint8_t *output, const struct mr_stored_life *life);
bool mr_stored_life_parse(struct mr_slice value, struct mr_stored_life *life);

struct mr_stored_order {
    uint32_t slots_count;
    uint32_t bytes;
};
void mr_stored_order_write(uint8_t *output, const struct mr_stored_order *order);
bool mr_stored_order_parse(struct mr_slice value, struct mr_stored_order *order);

void mr_stored_local_write(uint8_t *output);
bool mr_stored_local_parse(struct mr_slice value);

struct mr_stored_state {
    int64_t changelog_offset;
    int64_t wall_ms;
    struct mr_state_identity identity;
};
/* output: MR_STORED_STATE_MAX; returns the size. */
size_t mr_stored_state_write(uint8_t *output, const struct mr_stored_state *state);
bool mr_stored_state_parse(struct mr_slice value, struct mr_stored_state *state);

/* Bytes that a key takes: its object's key and value, and those of its slots. */
uint64_t mr_stored_key_bytes(size_t user_key_size, size_t object_value_size, uint32_t slots_count,
                             uint32_t slot_bytes);

#endif
