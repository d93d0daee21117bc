/* cli/topology_test_judge.h — expectations against what a topology wrote and holds.
 * Rules: `records` and `messages` are all records, `contains` are some; which expected record
 * stands for which actual one is chosen so that as many as possible match, unless `ordered` says
 * that both come in the same order. A failure shows the actual record that differs in the fewest
 * fields. Limits: MR_TEST_PAIRS_MAX pairs of expected and actual records of one list. */
#ifndef MR_CLI_TOPOLOGY_TEST_JUDGE_H
#define MR_CLI_TOPOLOGY_TEST_JUDGE_H

#include "cli/topology_test_match.h"
#include "cli/topology_test_outputs.h"
#include "topology/expression.h"

enum { MR_TEST_PAIRS_MAX = 100000000 };

struct mr_test_judge {
    struct mr_test_outputs *outputs;
    struct mr_evaluator *evaluator; /* of expected timestamps */
    struct mr_test_result *result;
    struct mr_arena *arena; /* of failures */
};

/* Judge the records of the expectation's output from index first on. */
void mr_test_judge_output(struct mr_test_judge *judge,
                          const struct mr_test_expectation *expectation, uint32_t first);

/* held: what the operator holds for the key, NULL: nothing. */
void mr_test_judge_state(struct mr_test_judge *judge, const struct mr_test_state *state,
                         const json_t *held);

#endif
