/* cli/topology_test_feed.h — given records as messages on a test's log.
 * Rules: a record is written in its source's format; its key is made of the source's `key` as a
 * producer would, its partition of that key as Kafka's clients do. Without a key records take turns
 * over the partitions. A message's time is the clock's unless the test says it.
 * Threads: one. */
#ifndef MR_CLI_TOPOLOGY_TEST_FEED_H
#define MR_CLI_TOPOLOGY_TEST_FEED_H

#include "connectors/log.h"
#include "topology/tested.h"

struct mr_test_feed {
    struct mr_log *log;
    const struct mr_tested *tested;
    int32_t partitions_count;
    struct mr_evaluator *evaluator;
    uint32_t turn; /* of records without a key */
    struct mr_arena scratch;
};

/* evaluator is borrowed. */
void mr_test_feed_init(struct mr_test_feed *feed, struct mr_log *log,
                       const struct mr_tested *tested, int32_t partitions_count,
                       struct mr_evaluator *evaluator);
void mr_test_feed_deinit(struct mr_test_feed *feed);

/* Write a source's records. *location: of what is wrong. Errors: MR_INVALID: an expression fails,
 * or the source's format cannot hold the record. */
enum mr_status mr_test_feed_given(struct mr_test_feed *feed, const struct mr_test_given *given,
                                  struct mr_location *location,
                                  struct mr_error *error) MR_NODISCARD;

/* Lines of a lookup, in its format. */
struct mr_test_lines {
    const char **texts;
    uint32_t count;
    uint32_t capacity;
};

/* Append a lookup's records. Files are relative to folder. Owner: the texts are in arena. Errors:
 * as above; MR_NOT_FOUND, MR_IO, MR_LIMIT: a file cannot be read. */
enum mr_status mr_test_feed_lookup(struct mr_test_feed *feed, const struct mr_test_given *given,
                                   const char *folder, struct mr_arena *arena,
                                   struct mr_test_lines *lines, struct mr_location *location,
                                   struct mr_error *error) MR_NODISCARD;

/* The milliseconds that message_timestamp gives for a repetition. Pre: it has a program. */
enum mr_status mr_test_timestamp(const struct mr_test_message *message, uint32_t repetition,
                                 struct mr_evaluator *evaluator, struct mr_arena *arena,
                                 int64_t *timestamp_ms, struct mr_error *error) MR_NODISCARD;

/* Bytes of an operator's key: one text is its UTF-8, no values are no bytes, else a compact JSON
 * array (DESIGN 2.1 rule 5). */
enum mr_status mr_test_key_values(const struct mr_yaml_node *values, struct mr_arena *arena,
                                  struct mr_slice *key, struct mr_error *error) MR_NODISCARD;

#endif
