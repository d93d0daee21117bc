/* tests/conformance/log_fixture.h — helpers of the log suite: topics, writing, reading back.
 * Helpers fail the running cmocka test when the log answers with a failure that they do not ask
 * for. */
#ifndef MR_TESTS_LOG_FIXTURE_H
#define MR_TESTS_LOG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "tests/conformance/log_conformance.h"

enum { FIXTURE_TOPICS_MAX = 64 };

struct fixture {
    const struct mr_log_conformance *conformance;
    struct mr_log *log;
    struct mr_arena arena; /* of one test */
    struct mr_error error;
    char prefix[48];
    char *topics[FIXTURE_TOPICS_MAX];
    uint32_t topics_count;
    uint32_t serial;
};

struct seen {
    int64_t offset;
    int64_t timestamp_ms;
    uint32_t tag;
    const char *key;   /* NULL: none */
    const char *value; /* NULL: a tombstone */
};

struct seen_list {
    struct seen *items;
    uint32_t count;
    uint32_t capacity;
    int64_t end; /* of the last END_OF_PARTITION */
};

#define REQUIRE_OK(fixture, call)                                                                  \
    do {                                                                                           \
        enum mr_status require_status = (call);                                                    \
        if (require_status != MR_OK)                                                               \
            fail_msg("%s: %s: %s", #call, mr_status_name(require_status),                          \
                     (fixture)->error.message);                                                    \
    } while (0)

/* A new topic, deleted at the end of the suite. */
const char *fixture_topic(struct fixture *fixture, int32_t partitions_count,
                          enum mr_log_cleanup cleanup);
const char *fixture_id(struct fixture *fixture); /* a transactional id that nobody has used */
struct mr_log_producer *fixture_producer(struct fixture *fixture, const char *id);
struct mr_log_record fixture_record(const char *topic, int32_t partition, const char *key,
                                    const char *value);
/* One transaction of records. */
void fixture_write(struct fixture *fixture, const struct mr_log_record *records, uint32_t count);
/* count records "0", "1", ... to one partition, in one transaction. */
void fixture_write_numbers(struct fixture *fixture, const char *topic, int32_t partition,
                           uint32_t first, uint32_t count);
struct mr_log_consumer *fixture_consumer(struct fixture *fixture, const char *topic,
                                         int32_t partition, int64_t offset);
/* Poll until the end of every assigned partition (of `ends` END_OF_PARTITION events) was seen. */
void fixture_read(struct fixture *fixture, struct mr_log_consumer *consumer, uint32_t messages_max,
                  uint32_t ends, struct seen_list *list);
/* Everything in a partition from offset on, with a consumer of its own. */
struct seen_list fixture_read_all(struct fixture *fixture, const char *topic, int32_t partition,
                                  int64_t offset);
void fixture_keep(struct fixture *fixture, struct seen_list *list,
                  const struct mr_log_message *message);

#endif
