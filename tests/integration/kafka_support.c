/* tests/integration/kafka_support.c — see kafka_support.h. */
#include "tests/integration/kafka_support.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/random.h"

static struct mr_error error;

const char *support_brokers(void)
{
    const char *brokers = getenv("MILLRACE_KAFKA");
    if (brokers == NULL) {
        printf("SKIPPED: MILLRACE_KAFKA names no broker; run it by tests/integration/with_kafka\n");
        exit(77);
    }
    return brokers;
}

struct mr_log *support_log(const char *const *settings)
{
    struct mr_log *log = NULL;
    REQUIRE(mr_kafka_log_create(&(struct mr_kafka_log_open){.brokers = support_brokers(),
                                                            .client_id = "integration",
                                                            .settings = settings},
                                &log, &error));
    return log;
}

const char *support_name(const char *what)
{
    enum { NAMES_MAX = 256, NAME_SIZE = 64 };
    static char names[NAMES_MAX][NAME_SIZE];
    static uint32_t count;
    assert_true(count < NAMES_MAX);
    snprintf(names[count], NAME_SIZE, "%s-%016" PRIx64, what, mr_random_fresh_id());
    return names[count++];
}

const char *support_topic(struct mr_log *log, int32_t partitions_count)
{
    const char *name = support_name("topic");
    REQUIRE(log->ops->topic_create(
        log,
        &(struct mr_log_topic_create){
            .name = name, .partitions_count = partitions_count, .replication_factor = -1},
        &error));
    return name;
}

struct mr_log_producer *support_producer(struct mr_log *log, const char *transactional_id,
                                         const char *const *settings)
{
    struct mr_log_producer *producer = NULL;
    const struct mr_log_producer_options options = {.transactional_id = transactional_id,
                                                    .transaction_timeout_ms = 10000,
                                                    .queued_bytes_max = 16 << 20,
                                                    .settings = settings};
    REQUIRE(log->ops->producer_create(log, &options, SUPPORT_WAIT_MS, &producer, &error));
    return producer;
}

struct mr_log_record support_record(const char *topic, int32_t partition, const char *value)
{
    return (struct mr_log_record){.topic = topic,
                                  .partition = partition,
                                  .key_null = true,
                                  .value = mr_slice_text(value),
                                  .timestamp_ms = -1};
}

void support_write(struct mr_log *log, const char *topic, int32_t partition, uint32_t first,
                   uint32_t count)
{
    enum { VALUE_SIZE = 12 };
    char *values = mr_memory_new(count, VALUE_SIZE);
    struct mr_log_record *records = mr_memory_new(count, sizeof(*records));
    for (uint32_t index = 0; index < count; index++) {
        char *value = values + (size_t)index * VALUE_SIZE;
        snprintf(value, VALUE_SIZE, "%" PRIu32, first + index);
        records[index] = support_record(topic, partition, value);
    }
    REQUIRE(
        mr_log_write_once(log, support_name("writer"), records, count, SUPPORT_WAIT_MS, &error));
    mr_memory_free(records);
    mr_memory_free(values);
}

struct mr_log_consumer *support_consumer(struct mr_log *log, const char *topic, int32_t partition,
                                         int64_t offset)
{
    struct mr_log_consumer *consumer = NULL;
    const struct mr_log_consumer_options options = {.queued_bytes_max = 8 << 20};
    REQUIRE(log->ops->consumer_create(log, &options, &consumer, &error));
    const struct mr_log_assignment assignment = {
        .topic = topic, .partition = partition, .offset = offset};
    REQUIRE(log->ops->consumer_add(consumer, &assignment, 1, &error));
    return consumer;
}

uint32_t support_read(struct mr_log *log, struct mr_log_consumer *consumer, uint32_t count,
                      uint32_t wait_ms, struct mr_error *trouble)
{
    uint64_t deadline_ms = mr_clock_monotonic_ms() + wait_ms;
    uint32_t seen_count = 0;
    *trouble = (struct mr_error){0};
    while (seen_count < count && trouble->status == MR_OK &&
           mr_clock_monotonic_ms() < deadline_ms) {
        struct mr_log_fetch fetch;
        enum mr_status status = log->ops->consumer_poll(consumer, 1000, 100, &fetch, &error);
        if (status == MR_AGAIN)
            continue;
        if (status != MR_OK) {
            *trouble = error;
            break;
        }
        for (uint32_t index = 0; index < fetch.messages_count; index++) {
            if (fetch.messages[index].event == MR_LOG_PARTITION_ERROR)
                *trouble = fetch.error;
            else if (fetch.messages[index].event == MR_LOG_RECORD)
                seen_count++;
        }
        log->ops->fetch_release(consumer, &fetch);
    }
    return seen_count;
}

void support_kafka(const char *arguments)
{
    char command[1024];
    snprintf(command, sizeof(command), "'%s' %s --dir '%s' >/dev/null",
             getenv("MILLRACE_KAFKA_SCRIPT"), arguments, getenv("MILLRACE_KAFKA_DIR"));
    if (system(command) != 0)
        fail_msg("%s failed", command);
}

int support_broker_pid(void)
{
    char path[512];
    int pid = 0;
    snprintf(path, sizeof(path), "%s/broker.state", getenv("MILLRACE_KAFKA_DIR"));
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &pid), 1);
    fclose(file);
    assert_true(pid > 1);
    return pid;
}
