/* operators/waiting_rows.h — rows with a key that wait in state until their time: what `sort`,
 * detectors in the order of event times and joins that wait for a table keep.
 * Model: a timed table of its own; rows leave by due time, of one time in the order of their
 * sequence. What is kept of a row is what the kept_row.h of the caller says. A caller may let
 * bytes of its own wait among the rows; it tells them apart by the sequence.
 * Limits: a row of MR_LIMIT_ROW_BYTES with a key of MR_LIMIT_KEY_BYTES. Threads: the operator's.
 *
 * Stored (little-endian), as operators/long_value.h says. Key: u64 sequence, big-endian; due: as
 * the caller says; bytes: uint32 size of the key, the key, the row (record/row.h). */
#ifndef MR_OPERATORS_WAITING_ROWS_H
#define MR_OPERATORS_WAITING_ROWS_H

#include "operators/kept_row.h"

struct mr_waiting_rows {
    const struct mr_kept_row *kept;
    struct mr_table *table;
};

/* A row that leaves. Owner: the arena of the call. */
struct mr_waiting_row {
    uint64_t sequence;
    struct mr_slice key;
    struct mr_slice row; /* for mr_kept_row_append; or the caller's own bytes */
};

/* Open the table `name`. kept is open and lives as long as rows. */
enum mr_status mr_waiting_rows_open(struct mr_waiting_rows *rows, const struct mr_kept_row *kept,
                                    const struct mr_operator_open *open, const char *name,
                                    struct mr_error *error) MR_NODISCARD;
/* What one row costs, for `estimate`: of a record of 512 bytes. */
void mr_waiting_rows_estimate(struct mr_state_estimate *estimate);

int64_t mr_waiting_rows_count(const struct mr_waiting_rows *rows);

/* Keep a row of `size` bytes by mr_row_size, due at due_ms, with a sequence that none has had. */
enum mr_status mr_waiting_rows_put(struct mr_waiting_rows *rows, const struct mr_batch *batch,
                                   uint32_t row, size_t size, struct mr_slice key,
                                   uint64_t sequence, int64_t due_ms, struct mr_arena *arena,
                                   struct mr_error *error) MR_NODISCARD;
/* The same of the caller's own bytes, at most MR_LIMIT_ROW_BYTES. */
enum mr_status mr_waiting_rows_put_bytes(struct mr_waiting_rows *rows, struct mr_slice given,
                                         struct mr_slice key, uint64_t sequence, int64_t due_ms,
                                         struct mr_arena *arena,
                                         struct mr_error *error) MR_NODISCARD;
/* Take out the first row that is due at until_ms or before; *found: there is one. */
enum mr_status mr_waiting_rows_take(struct mr_waiting_rows *rows, int64_t until_ms,
                                    struct mr_arena *arena, struct mr_waiting_row *waiting,
                                    bool *found, struct mr_error *error) MR_NODISCARD;

#endif
