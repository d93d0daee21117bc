/* topology/definition_tests.h — `tests:` of a topology, read and checked (DESIGN 2.1 rule 14).
 * Model: a test is a list of steps. `given` and `expect` of a simple test are the first and the
 * last step of one; a test with `steps` writes them out where the order between sources, time and
 * expectations matters. `given_state` is given first, and what comes of it is not judged.
 *
 *   given    source -> records; sources take turns in the order of `sources:`, not of the mapping
 *   advance  how far both clocks move
 *   end      sources that have said everything: they hold no watermark any more
 *   expect   output -> what it wrote since the last `expect` step (of the test itself: in all)
 *   expect_state  what operators hold for keys
 *
 * Pure: nothing is run here; cli/topology_test*.c does.
 * Owner: everything lives in the arena of the definition. */
#ifndef MR_TOPOLOGY_DEFINITION_TESTS_H
#define MR_TOPOLOGY_DEFINITION_TESTS_H

#include "topology/definition.h"
#include "topology/expression.h"

enum {
    MR_TEST_PARTITIONS_MAX = 64,
    MR_TEST_REPEAT_MAX = 1000000,
    MR_TEST_STEPS_MAX = 10000,
    MR_TEST_ADVANCE_MS_MAX = 2000000000 /* 23 days in one step */
};

/* A message: as it is given, or as it is expected. */
struct mr_test_message {
    struct mr_location location;
    const struct mr_yaml_node *record; /* a mapping; NULL: payload, tombstone or file */
    const char *payload;               /* bytes as they are, NULL: none */
    const char *file;                  /* of a lookup: these lines, NULL: none */
    bool tombstone;
    uint32_t repeat;
    const char *const *set_names; /* top-level fields of record */
    struct mr_program *const *set_programs;
    const struct mr_location *set_locations;
    uint32_t set_count;
    int32_t partition;                    /* -1: by the key */
    const char *key;                      /* NULL: as the source's `key` says */
    struct mr_program *timestamp_program; /* milliseconds over i; NULL: the clock */
    struct mr_location timestamp_location;
    const char *const *header_names;
    const char *const *header_values;
    uint32_t headers_count;
};

struct mr_test_given {
    const char *source;
    struct mr_location location;
    const struct mr_test_message *messages;
    uint32_t messages_count;
};

struct mr_test_expectation {
    const char *output; /* a sink, NAME.OUTPUT or mr_test_dead_letters */
    struct mr_location location;
    bool counted;
    uint32_t count;
    struct mr_location count_location;
    const struct mr_yaml_node *records;  /* a list: these and no others; NULL: not judged */
    const struct mr_yaml_node *contains; /* a list: these among others */
    bool messages_given;
    const struct mr_test_message *messages; /* these and no others, with key, time and headers */
    uint32_t messages_count;
    struct mr_location messages_location;
    const struct mr_yaml_node *least; /* a mapping: numbers that no record is below; NULL: none */
    const struct mr_yaml_node *most;  /* the same: above */
    bool ordered;
    double tolerance; /* of numbers, absolute */
};

struct mr_test_state {
    struct mr_location location;
    const char *operator_name;
    const struct mr_yaml_node *key_values; /* a list */
    int32_t partition;                     /* of the operator's tasks; -1: where the key belongs */
    const struct mr_yaml_node *holds;      /* a mapping; NULL: nothing is held for the key */
    double tolerance;
};

enum mr_test_step_kind {
    MR_TEST_GIVEN,
    MR_TEST_ADVANCE,
    MR_TEST_END,
    MR_TEST_EXPECT,
    MR_TEST_EXPECT_STATE
};

struct mr_test_step {
    enum mr_test_step_kind kind;
    struct mr_location location;
    const struct mr_test_given *givens; /* GIVEN: in the order of the definition's sources */
    uint32_t givens_count;
    uint32_t advance_ms;
    const char *const *ends; /* END: sources */
    uint32_t ends_count;
    const struct mr_test_expectation *expectations;
    uint32_t expectations_count;
    const struct mr_test_state *states;
    uint32_t states_count;
};

struct mr_test {
    const char *name;
    struct mr_location location;
    int32_t partitions_count; /* of every source */
    int64_t clock_ms;         /* where the clocks stand at first */
    bool sources_end;         /* after the last step, before the test's own expectations */
    struct mr_test_step given_state;
    const struct mr_test_step *steps;
    uint32_t steps_count;
    struct mr_test_step expect; /* over all outputs of the steps; may be empty */
    struct mr_test_step expect_state;
};

/* The name of dead letters in `expect`: no entry can have it. */
extern const char mr_test_dead_letters[];

/* Read and check all tests. False: something is wrong (reported). */
bool mr_definition_read_tests(const struct mr_definition *definition, struct mr_arena *arena,
                              struct mr_report *report, const struct mr_test **tests,
                              uint32_t *tests_count);

/* ---- Between the files that read tests ---- */

struct mr_test_reader {
    const struct mr_definition *definition;
    struct mr_arena *arena;
    struct mr_report *report;
    const char *owner; /* "test 'a spike is found'" */
};

/* True when the node is a mapping, else it is reported. */
bool mr_test_is_mapping(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                        const char *what, const char *expected);
/* True when the node is a list, else it is reported. */
bool mr_test_is_list(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                     const char *what, const char *expected);
/* Names of all entries of a role: for the nearest one. */
const char **mr_test_names(const struct mr_test_reader *reader, enum mr_role role, uint32_t *count);

/* definition_given.c: a message, whose keys begin with prefix in findings ("given."). */
void mr_test_read_message(const struct mr_test_reader *reader, const char *prefix,
                          const struct mr_yaml_node *node, struct mr_test_message *message);
/* A mapping of sources to lists of messages. */
void mr_test_read_given(const struct mr_test_reader *reader, const char *what,
                        const struct mr_yaml_node *node, struct mr_test_step *step);
/* definition_expect.c: a mapping of outputs to expectations; a list of states. */
void mr_test_read_expect(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                         struct mr_test_step *step);
void mr_test_read_states(const struct mr_test_reader *reader, const struct mr_yaml_node *node,
                         struct mr_test_step *step);

#endif
