/* tests/support/group_results.h — the results of `window.aggregate` and `aggregate` under test: an
 * operator that counts and adds up `value` per key `k`, and what it has emitted, in order. */
#ifndef MR_TESTS_GROUP_RESULTS_H
#define MR_TESTS_GROUP_RESULTS_H

#include "tests/support/operator_harness.h"

enum { GROUP_RESULTS_MAX = 8000 };

struct group_result {
    char key[16];
    int64_t start_ms; /* 0 without a window */
    int64_t end_ms;   /* the event time without a window */
    int64_t count;
    double sum;
    bool retracted;
};

extern struct group_result group_results[GROUP_RESULTS_MAX];
extern uint32_t group_results_count;

/* With light cells alone, and beside one that needs pieces: append to the aggregates. */
extern const char *const group_cells[2];

/* An operator `op` of the type, with further aggregates and more options; forgets the results. */
void group_open(struct harness *harness, const char *type, const char *further, const char *more);
void group_feed(struct harness *harness, const char *key, int64_t time_ms, double value);
/* Fails when the result at index is another. */
void group_expect(uint32_t index, const char *key, int64_t start_ms, int64_t end_ms, int64_t count,
                  double sum);

#endif
