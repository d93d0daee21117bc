/* tests/support/aggregate_fixture.h — one aggregate over rows that a test makes, in one state or in
 * many that are merged. Arguments are columns `a` and `b` of a given type. */
#ifndef MR_TESTS_SUPPORT_AGGREGATE_FIXTURE_H
#define MR_TESTS_SUPPORT_AGGREGATE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "base/random.h"
#include "operators/aggregate.h"

enum { AGGREGATE_PIECE_BYTES = 256, AGGREGATE_STATES_MAX = 16 };

struct aggregate_state {
    uint8_t *head;
    struct mr_sketch_scratch scratch;
};

struct aggregate_fixture {
    struct mr_arena arena;
    struct mr_aggregate_call call;
    struct mr_aggregate aggregate;
    struct aggregate_state states[AGGREGATE_STATES_MAX];
    struct mr_error error;
};

/* A function's name; arguments: how many; types: of the columns (ANY: undeclared). parameters: NULL
 * for the defaults. */
void aggregate_open(struct aggregate_fixture *fixture, const char *name, uint32_t arguments,
                    const enum mr_type_code *types, const double *parameters, uint32_t piece_bytes);
void aggregate_close(struct aggregate_fixture *fixture);
/* Make all states empty. */
void aggregate_clear(struct aggregate_fixture *fixture);

/* Also asserts that mr_aggregate_check foresaw the status. */
enum mr_status aggregate_add(struct aggregate_fixture *fixture, uint32_t state, struct mr_value a,
                             struct mr_value b, int64_t event_time_ms);
/* Add a row that must be taken. */
void aggregate_take(struct aggregate_fixture *fixture, uint32_t state, struct mr_value a);
/* The state behind other's is left alone: checked. */
enum mr_status aggregate_merge(struct aggregate_fixture *fixture, uint32_t state, uint32_t other);
struct mr_value aggregate_result(struct aggregate_fixture *fixture, uint32_t state);
/* Over a window of this length. */
struct mr_value aggregate_result_over(struct aggregate_fixture *fixture, uint32_t state,
                                      int64_t span_ms);
/* The state's bytes: head without its trailing zeros, then each touched piece likewise, in hex. */
char *aggregate_dump(struct aggregate_fixture *fixture, uint32_t state);

/* A golden file: a line "name bytes" per state. */
struct aggregate_golden {
    char text[64 << 10];
    size_t size;
};
void aggregate_golden_add(struct aggregate_golden *golden, struct aggregate_fixture *fixture,
                          uint32_t state);
/* Compare with tests/golden/operators/<file>.hex; with MILLRACE_UPDATE_GOLDEN set it is written. */
void aggregate_golden_check(const struct aggregate_golden *golden, const char *file);

/* Rows for a property: the same rows in one state, and spread over parts that are merged behind
 * each other. */
struct aggregate_row {
    struct mr_value a;
    struct mr_value b;
    int64_t event_time_ms;
};
/* State 0: all rows, one by one. State 1: the rows of `parts` states (cut at random places of the
 * sequence), merged left to right. State 2: the same parts, merged in a tree. */
void aggregate_spread(struct aggregate_fixture *fixture, const struct aggregate_row *rows,
                      uint32_t rows_count, uint64_t seed);

#endif
