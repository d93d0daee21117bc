/* tests/conformance/operator_rows.h — the rows that the suite over all operators feeds: every kind
 * of odd value (missing, of another kind, NaN, infinite, largest, smallest, -0.0) among ordinary
 * ones, for 40 keys. A function of nothing, so that every run sees the same. */
#ifndef MILLRACE_TESTS_CONFORMANCE_OPERATOR_ROWS_H
#define MILLRACE_TESTS_CONFORMANCE_OPERATOR_ROWS_H

#include "base/memory.h"
#include "tests/support/operator_harness.h"

enum { OPERATOR_ROWS_COUNT = 6000 };

/* OPERATOR_ROWS_COUNT rows with keys of key_width bytes; live as long as the arena. */
struct harness_row *operator_rows(struct mr_arena *arena, int key_width);

/* A model (sample_model.h) of the field `value`, as a record has it. */
struct mr_value operator_rows_model(struct mr_arena *arena, uint64_t version);

/* What a learner of the field `value` publishes (learned_snapshot.h), with a reservoir of 16. */
struct mr_value operator_rows_snapshot(struct mr_arena *arena);

/* A key of width bytes. Keys differ in their first bytes, so that comparing them costs little
 * however long they are. */
struct mr_value operator_rows_key(struct mr_arena *arena, uint64_t key, int width);

#endif
