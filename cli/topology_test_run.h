/* cli/topology_test_run.h — one test: a log, a worker and clocks of its own, and its steps in their
 * order.
 * Rules: after each step the topology comes to rest before the next one. Time moves only by
 * `advance`, in small steps, each of which the topology sees (MR_TEST_ADVANCE_STEPS_MAX bounds
 * their number). Sources end behind the last step unless the test says otherwise.
 * Threads: one; the process's clocks are driven (base/clock.h). */
#ifndef MR_CLI_TOPOLOGY_TEST_RUN_H
#define MR_CLI_TOPOLOGY_TEST_RUN_H

#include "cli/topology_test.h"

enum { MR_TEST_ADVANCE_STEPS_MAX = 3600, MR_TEST_ADVANCE_STEP_MS_MIN = 100 };

/* Run a test. Whatever goes wrong is a failure of the result. folder: of the topology's file, with
 * a slash behind it, for the files that the test gives. Owner: result's texts are in arena. */
void mr_topology_test_run(const struct mr_tested *tested, const struct mr_test *test,
                          const char *folder, struct mr_arena *arena,
                          struct mr_test_result *result);

#endif
