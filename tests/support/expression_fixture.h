/* tests/support/expression_fixture.h — expressions evaluated over one row of known fields, for
 * tests. Fields: value = 2.5 and flag = true undeclared; whole = 7 an undeclared JSON integer;
 * temperature = 21.5 declared double; id = 42 declared int; size_u = 9 declared uint; name =
 * "sensor-a" declared string; none = null; gone = absent; broken = an error; tags = ["a", "b",
 * "c"]; numbers = [1, 2.5, 4] of undeclared numbers; pos = {x: 1.5, in: 2, deep: {y: [10, 20]}}; at
 * = 2026-01-28T10:30:00.25Z; wait = 90 s; raw = bytes FF 00 61. anomaly.score = 0.75 is a column of
 * its own. */
#ifndef MR_TESTS_SUPPORT_EXPRESSION_FIXTURE_H
#define MR_TESTS_SUPPORT_EXPRESSION_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/assert.h"
#include "topology/cel_program.h"

struct expression_fixture {
    struct mr_arena arena;
    struct mr_evaluator *evaluator;
    struct mr_expression_environment environment;
    uint32_t column; /* of the last refusal */
    struct mr_error error;
};

enum { EXPRESSION_NOW_MS = 1769596200 }; /* in seconds x 1000: see expression_run */

/* cmocka group setup and teardown: *state is a struct expression_fixture. */
int expression_setup(void **state);
int expression_teardown(void **state);

/* NULL: refused; fixture->error and column say why. */
const struct mr_program *expression_compile(struct expression_fixture *fixture, const char *text);
/* Run over the known row, in the middle of a batch of three whose other rows are absent. */
struct mr_value expression_run(struct expression_fixture *fixture,
                               const struct mr_program *program);
/* Compile and run; a refusal fails the test. */
struct mr_value expression_value(struct expression_fixture *fixture, const char *text);

/* Each of count expressions must yield true. */
void expression_assert_true(struct expression_fixture *fixture, const char *const *texts,
                            size_t count);
struct expression_problem {
    const char *text;
    const char *part; /* of the message */
    uint32_t column;  /* of a refusal; 0: any */
};
/* Each must be refused, or must yield an error, with a message that holds the part. */
void expression_assert_refused(struct expression_fixture *fixture,
                               const struct expression_problem *problems, size_t count);
void expression_assert_errors(struct expression_fixture *fixture,
                              const struct expression_problem *problems, size_t count);

#define EXPRESSION_TRUE(fixture, ...)                                                              \
    expression_assert_true((fixture), (const char *const[]){__VA_ARGS__},                          \
                           MR_ARRAY_COUNT(((const char *const[]){__VA_ARGS__})))
#define EXPRESSION_REFUSED(fixture, problems)                                                      \
    expression_assert_refused((fixture), (problems), MR_ARRAY_COUNT(problems))
#define EXPRESSION_ERRORS(fixture, problems)                                                       \
    expression_assert_errors((fixture), (problems), MR_ARRAY_COUNT(problems))

#endif
