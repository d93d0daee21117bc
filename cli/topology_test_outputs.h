/* cli/topology_test_outputs.h — what a tested topology has written: sinks, further outputs that
 * tests expect, dead letters. Model: each output is a topic of the test's log; reading adds what
 * was committed since the last time, partition by partition in their order. A record is JSON: an
 * object as it was written, null of a tombstone, a text of what is no JSON. A dead letter is an
 * object {operator, cause, source, partition, offset, record}. Limits: MR_TEST_OUTPUT_RECORDS_MAX
 * records of an output. Owner: what is read lives in the arena; JSON values until the outputs are
 * closed. */
#ifndef MR_CLI_TOPOLOGY_TEST_OUTPUTS_H
#define MR_CLI_TOPOLOGY_TEST_OUTPUTS_H

#include "connectors/log.h"
#include "topology/tested.h"

#include <jansson.h>

enum { MR_TEST_OUTPUT_RECORDS_MAX = 1000000 };

struct mr_test_record {
    int32_t partition;
    int64_t timestamp_ms;
    bool key_null;
    struct mr_slice key;
    struct mr_slice value;
    bool value_null;
    struct mr_headers headers;
    json_t *json; /* mr_test_record_json; NULL: not asked for yet */
};

struct mr_test_output {
    const char *name; /* as expectations name it */
    const char *topic;
    bool dead_letters;
    int64_t *next_offsets; /* by partition */
    int32_t partitions_count;
    struct mr_test_record *records;
    uint32_t count;
    uint32_t capacity;
    uint32_t judged_from; /* the first that comes of what is given, not of given_state */
    uint32_t step_from;   /* the first behind the last `expect` step */
};

struct mr_test_outputs {
    struct mr_log *log;
    struct mr_arena *arena;
    const struct mr_tested *tested;
    struct mr_test_output *items; /* the last one: dead letters */
    uint32_t count;
};

/* The topics must be there. */
enum mr_status mr_test_outputs_open(struct mr_test_outputs *outputs, struct mr_log *log,
                                    const struct mr_tested *tested, struct mr_arena *arena,
                                    struct mr_error *error) MR_NODISCARD;
void mr_test_outputs_close(struct mr_test_outputs *outputs);
/* Read what is new. MR_LIMIT: an output wrote too much. */
enum mr_status mr_test_outputs_read(struct mr_test_outputs *outputs,
                                    struct mr_error *error) MR_NODISCARD;
/* What was written so far is not judged: before the test, or (step) by later steps. */
void mr_test_outputs_pass(struct mr_test_outputs *outputs, bool step);
/* Pre: the output is one of them. */
struct mr_test_output *mr_test_outputs_find(const struct mr_test_outputs *outputs,
                                            const char *name);

/* The record's value. Owner: the record. */
const json_t *mr_test_record_json(const struct mr_test_outputs *outputs,
                                  const struct mr_test_output *output,
                                  struct mr_test_record *record);

#endif
