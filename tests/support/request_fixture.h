/* tests/support/request_fixture.h — a generate.copula that is asked for records, over the operator
 * harness: it learns the fields value (0 to 100) and kind (low below 50, else high) of the key k,
 * and what leaves on `replies` is kept as text, a line per record:
 *   data     "<request_id> <_batch_id> <value> <kind> v<model_version> <_generated_at>"
 *   others   "<request_id> <status> [<code>: <message>] [n=<n_samples>/<n_batches>]"
 * and behind it "to <reply_topic>" where it has one; what is not there is "-". */
#ifndef MR_TESTS_SUPPORT_REQUEST_FIXTURE_H
#define MR_TESTS_SUPPORT_REQUEST_FIXTURE_H

#include "tests/support/operator_harness.h"

struct request_fixture {
    struct harness harness;
    struct mr_buffer replies;
    uint32_t replies_count;
};

/* Instead of generate.copula. */
void request_fixture_open_type(struct request_fixture *fixture, const char *type,
                               const char *options);
/* The same for generate.model, which follows models instead of learning. */
void request_fixture_open_follower(struct request_fixture *fixture, const char *options);
/* A model of the key for it: all values are the version's number, and all kinds low. An even one
 * comes as JSON text, as from an operator of the same task, an odd one as an object. */
void request_fixture_publish(struct request_fixture *fixture, const char *key, uint32_t version);
/* options: of the operator, behind `fields`, with a comma in front or "". */
void request_fixture_open(struct request_fixture *fixture, const char *options);
void request_fixture_close(struct request_fixture *fixture);
/* Rows first to first + count - 1 of the key's stream. */
void request_fixture_learn(struct request_fixture *fixture, const char *key, uint32_t first,
                           uint32_t count);
/* A request about the key, NULL: about none; json: its members, as in "\"n_samples\": 3". Its time
 * is 1000 s. */
void request_fixture_ask(struct request_fixture *fixture, const char *key, const char *json);
/* Replies so far, NUL-ended; then none. */
const char *request_fixture_take(struct request_fixture *fixture);
uint32_t request_fixture_lines(const char *text, const char *beginning);

#endif
