/* cli/topology_test.h — `millrace test`: what a test came to, and what it came from.
 * Model: a file's tests share one plan (topology/tested.h); each test gets a log, a worker and
 * clocks of its own. Everything about one test lives in an arena that goes with its file.
 *
 *   topology_test.c          the command: files, filter, exit code
 *   topology_test_run.c      one test: its steps, the clock
 *   topology_test_feed.c     given records to messages on the log
 *   topology_test_outputs.c  what was written, read back from the log
 *   topology_test_match.c    one expected value against one actual: which fields differ
 *   topology_test_judge.c    expectations against outputs and state
 *   topology_test_report.c   text, JSON, JUnit */
#ifndef MR_CLI_TOPOLOGY_TEST_H
#define MR_CLI_TOPOLOGY_TEST_H

#include "topology/tested.h"

enum {
    MR_TEST_FAILURES_MAX = 20,   /* of a test; more are counted */
    MR_TEST_DIFFERENCES_MAX = 5, /* of a failure */
    MR_TEST_NOTES_MAX = 3,
    MR_TEST_SHOWN_BYTES_MAX = 400 /* of a record */
};

/* A field of the nearest record that is not as expected. */
struct mr_test_difference {
    const char *path; /* empty: the whole value */
    const char *expected;
    const char *actual;
};

struct mr_test_failure {
    struct mr_location location; /* of the expectation; line 0: none */
    const char *message;
    const char *expected; /* JSON, NULL: the message says it */
    const char *nearest;  /* JSON of an actual record, NULL: there is none */
    const struct mr_test_difference *differences;
    uint32_t differences_count;
};

struct mr_test_result {
    const struct mr_test *test;
    struct mr_test_failure failures[MR_TEST_FAILURES_MAX];
    uint32_t failures_count;              /* also those that were not kept */
    const char *notes[MR_TEST_NOTES_MAX]; /* what may explain a failure: dead letters */
    uint32_t notes_count;
    uint64_t duration_us; /* real time */
};

/* One more failure, to be filled further; NULL: there are enough. message is a format. */
struct mr_test_failure *mr_test_fail(struct mr_test_result *result, struct mr_arena *arena,
                                     struct mr_location location, const char *message, ...)
    MR_PRINTF(4, 5);

#endif
