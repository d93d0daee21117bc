/* operators/quality_hold.h — the records that wait for the verdict on their batch or window, and
 * what is known of each such unit (quality_unit.h).
 * Model: a unit has a number that none before it in the task has had; its records wait under that
 * number, in the order in which they came, with the place in the source that each came from. A
 * value that `unique` has seen is kept under the unit's number too. All of it goes with the unit.
 *
 * Stored. Table "units", timed, due when the unit is judged: key: the operator's key, then the
 * window, int64 big-endian with its sign bit turned (0 of batches); object: quality_unit.h.
 * Table "rows": key: uint64 number of the unit, uint32 of the record, big-endian; bytes
 * (long_value.h), version 1, little-endian:
 *   0  uint32  bits of the checks that the record violates
 *   4  int32   partition that it came from
 *   8  int64   offset there
 *   16 uint16  size of the topic's name, the name, then the row (record/row.h)
 * Table "seen", scanned: key: uint64 number of the unit, big-endian, uint8 check, the value's JSON
 * text (beyond 4096 bytes: as many of it, its size and its hash); object, version 1: nothing.
 * Table "keys", by the operator's key, for queries, version 1, little-endian:
 *   0  uint64  records that wait
 *   8  uint64  units judged
 *   16 uint64  units that failed
 * Table "task", one object with an empty key, version 1, little-endian: uint64 next number.
 * Threads: the operator's. */
#ifndef MR_OPERATORS_QUALITY_HOLD_H
#define MR_OPERATORS_QUALITY_HOLD_H

#include "operators/alert.h"
#include "operators/kept_row.h"
#include "operators/quality_unit.h"

enum { MR_QUALITY_HOLD_VERSION = 1 };

extern const char mr_quality_hold_keys[]; /* the table for queries */

struct mr_quality_hold {
    const struct mr_plan_node *node;
    struct mr_kept_row kept;
    struct mr_table *units;
    struct mr_table *rows;
    struct mr_table *seen; /* NULL: no check is `unique` */
    struct mr_table *keys;
    struct mr_table *task;
    uint32_t fingerprint;
    uint32_t unit_size;
    uint32_t unique; /* bits of the checks that are */
};

/* A unit's key. */
struct mr_quality_unit_key {
    struct mr_slice bytes; /* in arena */
    uint64_t hash;
    struct mr_slice key; /* the operator's: the first part */
};

/* A record that waits. Owner: the arena of the call. */
struct mr_quality_held {
    uint32_t violated;
    struct mr_alert_place place;
    struct mr_slice row; /* for mr_kept_row_append */
};

enum mr_status mr_quality_hold_open(struct mr_quality_hold *hold,
                                    const struct mr_operator_open *open,
                                    const struct mr_quality_checks *checks,
                                    struct mr_error *error) MR_NODISCARD;
void mr_quality_hold_close(struct mr_quality_hold *hold); /* also of a zeroed one */

struct mr_quality_unit_key mr_quality_hold_key(struct mr_arena *arena, struct mr_slice key,
                                               int64_t window);
/* The same of stored bytes, copied into arena. */
struct mr_quality_unit_key mr_quality_hold_key_of(struct mr_arena *arena, struct mr_slice bytes,
                                                  uint64_t hash);

/* Find the unit, or make it; a new one is to be scheduled. */
enum mr_status mr_quality_hold_unit(struct mr_quality_hold *hold,
                                    const struct mr_quality_unit_key *key,
                                    struct mr_quality_unit **unit, bool *created,
                                    struct mr_error *error) MR_NODISCARD;
/* The bits of the checks `unique` that the row violates; its values are seen from then on. */
enum mr_status mr_quality_hold_repeats(struct mr_quality_hold *hold,
                                       const struct mr_quality_checks *checks,
                                       const struct mr_quality_findings *findings,
                                       const struct mr_batch *batch, uint32_t row, uint64_t number,
                                       struct mr_arena *arena, uint32_t *repeated,
                                       struct mr_error *error) MR_NODISCARD;
/* Keep a row of `size` bytes by mr_row_size. */
enum mr_status mr_quality_hold_put(struct mr_quality_hold *hold, const struct mr_batch *batch,
                                   uint32_t row, size_t size, uint32_t violated, uint64_t number,
                                   uint32_t index, struct mr_arena *arena,
                                   struct mr_error *error) MR_NODISCARD;
/* Read a record that waits. */
enum mr_status mr_quality_hold_read(struct mr_quality_hold *hold, uint64_t number, uint32_t index,
                                    struct mr_arena *arena, struct mr_quality_held *held,
                                    struct mr_error *error) MR_NODISCARD;
enum mr_status mr_quality_hold_drop(struct mr_quality_hold *hold, uint64_t number, uint32_t index,
                                    struct mr_error *error) MR_NODISCARD;
/* Forget the unit, which has no records any more, with the values that were seen. */
enum mr_status mr_quality_hold_forget(struct mr_quality_hold *hold,
                                      const struct mr_quality_unit_key *key, uint64_t number,
                                      struct mr_error *error) MR_NODISCARD;
/* Records of a key that wait, all keys. */
int64_t mr_quality_hold_waiting(const struct mr_quality_hold *hold);

/* What queries are told of a key: one record more; some less. */
enum mr_status mr_quality_hold_came(struct mr_quality_hold *hold, struct mr_slice key,
                                    int64_t event_time_ms, struct mr_error *error) MR_NODISCARD;
enum mr_status mr_quality_hold_left(struct mr_quality_hold *hold, struct mr_slice key,
                                    uint64_t records, struct mr_error *error) MR_NODISCARD;
/* And a verdict. */
enum mr_status mr_quality_hold_judged(struct mr_quality_hold *hold, struct mr_slice key,
                                      bool failed, struct mr_error *error) MR_NODISCARD;
/* For .describe_state. */
enum mr_status mr_quality_hold_describe(const struct mr_state_object *object,
                                        struct mr_arena *arena,
                                        struct mr_state_description *description,
                                        struct mr_error *error) MR_NODISCARD;

/* The next unit's number. */
enum mr_status mr_quality_hold_next(struct mr_quality_hold *hold, uint64_t *next,
                                    struct mr_error *error) MR_NODISCARD;
enum mr_status mr_quality_hold_set_next(struct mr_quality_hold *hold, uint64_t next,
                                        struct mr_error *error) MR_NODISCARD;

#endif
