/* tests/integration/kafka_support.h — what the tests against a real Kafka share: the log under
 * test, fresh topics and ids, writing, reading. Helpers fail the running cmocka test by themselves.
 */
#ifndef MR_TESTS_KAFKA_SUPPORT_H
#define MR_TESTS_KAFKA_SUPPORT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "connectors/connector.h"

enum { SUPPORT_WAIT_MS = 20000 };

#define REQUIRE(call)                                                                              \
    do {                                                                                           \
        enum mr_status require_status = (call);                                                    \
        if (require_status != MR_OK)                                                               \
            fail_msg("%s: %s: %s", #call, mr_status_name(require_status), error.message);          \
    } while (0)

/* The broker that tests/integration/with_kafka started. */
const char *support_brokers(void);
struct mr_log *support_log(const char *const *settings);
/* Names that nobody has used; valid until the program ends. */
const char *support_name(const char *what);
const char *support_topic(struct mr_log *log, int32_t partitions_count);
struct mr_log_producer *support_producer(struct mr_log *log, const char *transactional_id,
                                         const char *const *settings);
struct mr_log_record support_record(const char *topic, int32_t partition, const char *value);
/* count records with the values "first", "first + 1", ... in one transaction. */
void support_write(struct mr_log *log, const char *topic, int32_t partition, uint32_t first,
                   uint32_t count);
struct mr_log_consumer *support_consumer(struct mr_log *log, const char *topic, int32_t partition,
                                         int64_t offset);
/* Poll until count records were seen or an event other than a record came; returns records seen.
 * The last fetch's error is copied to trouble (status MR_OK: none). */
uint32_t support_read(struct mr_log *log, struct mr_log_consumer *consumer, uint32_t count,
                      uint32_t wait_ms, struct mr_error *trouble);
/* Run `script/kafka ARGUMENTS --dir DIR` on the test's broker. */
void support_kafka(const char *arguments);
/* Process id of the test's broker. */
int support_broker_pid(void);

int run_admin_tests(void);
int run_offsets_tests(void);
int run_log_tests(void);
int run_producer_tests(void);
int run_consumer_tests(void);
int run_examine_tests(void);

#endif
