/* state/key_codec.h — the keys of a task's store, and of its changelog.
 * Why: all tables of a task share one ordered store (one column family, so that a crash leaves a
 * prefix of the batches); the key must say which table, keep the order of user keys, and never be
 * readable in two ways.
 * Layout, integers big-endian:
 *
 *   bytes        0..3       4     5..                                  in the changelog
 *   table        table id   0x01  (nothing)                            yes
 *   object       table id   0x02  user key                             yes
 *   slot         table id   0x03  user key, slot index (4 bytes)       yes
 *   life         0          0x04  operator's name                      yes
 *   state        0          0x80  (nothing)                            no
 *   order        table id   0x81  time (8 bytes), user key             no
 *   local        table id   0x82  (nothing)                            no
 *   progress     0          "progress"                                 only there
 *
 * Unambiguous: the kind fixes the sizes of all parts but one, the user key, which is what remains.
 * Slots lie apart from objects, so that a scan of objects does not read them. A kind with its high
 * bit set is local: derived from the rest, or about this copy of the state, hence never logged.
 * `order` lists the keys of a table with bounds, oldest first; times as in base/endian.h.
 * Table ids: the first 4 bytes of XXH3("operator/table") in an operator's first life, number 0, and
 * of XXH3("operator/table#number") in later ones (state/life.c); 0 is the state itself. */
#ifndef MR_STATE_KEY_CODEC_H
#define MR_STATE_KEY_CODEC_H

#include "base/limits.h"
#include "base/slice.h"

enum mr_key_kind {
    MR_KEY_TABLE = 0x01,
    MR_KEY_OBJECT = 0x02,
    MR_KEY_SLOT = 0x03,
    MR_KEY_LIFE = 0x04,
    MR_KEY_STATE = 0x80,
    MR_KEY_ORDER = 0x81,
    MR_KEY_LOCAL = 0x82
};

enum {
    MR_KEY_HEAD_BYTES = 5, /* table id and kind */
    MR_KEY_SLOT_BYTES = 4,
    MR_KEY_TIME_BYTES = 8,
    MR_KEY_BYTES_MAX = MR_KEY_HEAD_BYTES + MR_KEY_TIME_BYTES + MR_LIMIT_KEY_BYTES
};

struct mr_key {
    uint32_t table_id;
    enum mr_key_kind kind;
    struct mr_slice user; /* OBJECT, SLOT, LIFE, ORDER; borrowed from the stored key */
    uint32_t slot_index;  /* SLOT */
    int64_t time_ms;      /* ORDER */
};

/* The id of (operator, table) in a life of the operator. May be 0, which no table may have:
 * mr_table_open refuses it. */
uint32_t mr_key_table_id(const char *operator_name, const char *table_name, uint32_t life);

/* Each writes a stored key to output (room for MR_KEY_BYTES_MAX) and returns its size.
 * Pre: user.size <= MR_LIMIT_KEY_BYTES. */
size_t mr_key_write_plain(uint8_t *output, uint32_t table_id, enum mr_key_kind kind);
size_t mr_key_write_object(uint8_t *output, uint32_t table_id, struct mr_slice user);
size_t mr_key_write_slot(uint8_t *output, uint32_t table_id, struct mr_slice user,
                         uint32_t slot_index);
size_t mr_key_write_life(uint8_t *output, struct mr_slice operator_name);
size_t mr_key_write_order(uint8_t *output, uint32_t table_id, int64_t time_ms,
                          struct mr_slice user);

/* Read a stored key; false when stored is not one. The progress key is not one. */
bool mr_key_parse(struct mr_slice stored, struct mr_key *key);

/* True for a stored key that never goes to the changelog. */
static inline bool mr_key_is_local(struct mr_slice stored)
{
    return stored.size >= MR_KEY_HEAD_BYTES && (stored.data[4] & 0x80u) != 0;
}

#endif
