/* topology/tested.h — a topology made ready for its tests: the same operators between sources that
 * are given their records and sinks that are captured.
 * Model: the file is checked as it is. Then each source becomes one of a topic that the test
 * writes, with its format, schema, key, timestamp and watermark as they were (what generates
 * records, or reads files, becomes JSON with the same fields), and each sink becomes one of a topic
 * that the test reads, in JSON. An output that a test expects, and that is no sink, gets a sink of
 * its own. Topics: a source keeps its topic's name, without one
 * its own, where no other entry has it, since records and alerts tell it; else it is given.NAME.
 * Sinks: captured.NAME. Pure. Owner: everything lives in the
 * arena. */
#ifndef MR_TOPOLOGY_TESTED_H
#define MR_TOPOLOGY_TESTED_H

#include "topology/definition_tests.h"

struct mr_tested_output {
    const char *name; /* as `expect` names it */
    const char *topic;
};

struct mr_tested {
    const struct mr_test *tests;
    uint32_t tests_count;
    struct mr_plan *plan;                   /* NULL: the file has errors, or no tests */
    const struct mr_definition *definition; /* of the plan */
    const struct mr_tested_output *outputs; /* sinks, and all outputs that tests expect */
    uint32_t outputs_count;
};

/* Parse, check and plan. What is wrong is in report. */
void mr_topology_parse_tested(struct mr_slice text, const struct mr_catalogue *catalogue,
                              const struct mr_substitution *substitution, struct mr_arena *arena,
                              struct mr_report *report, struct mr_tested *tested);

/* The topic that a source's records are given in. Pre: it is one of the definition's. */
const char *mr_tested_source_topic(const struct mr_tested *tested, const char *source);

#endif
