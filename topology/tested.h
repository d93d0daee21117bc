/* topology/tested.h — a topology made ready for its tests: the same operators between sources that
 * are given their records and sinks that are captured.
 * Model: the file is checked as it is. A lookup, which each task reads whole before anything else,
 * becomes a source of records that the test gives before it starts. Then each other source becomes
 * one of a topic that the test writes, with its format, schema, key, timestamp and watermark as
 * they were (what generates records, or reads files, becomes JSON with the same fields), and each
 * sink becomes one of a topic that the test reads, in JSON. An output that a test expects, and that
 * is no sink, gets a sink of its own. Topics: a source keeps its topic's name, without one its own,
 * where no other entry has it, since records and alerts tell it; else it is given.NAME. Sinks:
 * captured.NAME. Pure. Owner: everything lives in the arena. */
#ifndef MR_TOPOLOGY_TESTED_H
#define MR_TOPOLOGY_TESTED_H

#include "topology/definition_tests.h"

struct mr_tested_output {
    const char *name; /* as `expect` names it */
    const char *topic;
};

/* A source that is no topic and is read once, by joins of type join.lookup. */
struct mr_tested_lookup {
    const char *source;
    bool skip_header; /* the first line of its file is a heading */
};

struct mr_tested {
    const struct mr_test *tests;
    uint32_t tests_count;
    struct mr_plan *plan;                   /* NULL: the file has errors, or no tests */
    const struct mr_definition *definition; /* of the plan */
    const struct mr_tested_output *outputs; /* sinks, and all outputs that tests expect */
    uint32_t outputs_count;
    const struct mr_tested_lookup *lookups;
    uint32_t lookups_count;
};

/* Parse, check and plan. What is wrong is in report. */
void mr_topology_parse_tested(struct mr_slice text, const struct mr_catalogue *catalogue,
                              const struct mr_substitution *substitution, struct mr_arena *arena,
                              struct mr_report *report, struct mr_tested *tested);

/* NULL: the source is no lookup. */
const struct mr_tested_lookup *mr_tested_lookup(const struct mr_tested *tested, const char *source);

/* What a lookup holds when the topology is started next: payloads in its format, which the plan
 * borrows. Pre: it is a lookup. */
void mr_tested_give_lookup(const struct mr_tested *tested, const char *source,
                           const char *const *payloads, uint32_t payloads_count);

/* The topic that a source's records are given in. Pre: it is one of the definition's, and no
 * lookup. */
const char *mr_tested_source_topic(const struct mr_tested *tested, const char *source);

#endif
