/* bench/produce_load.c — fills a Kafka topic with sensor readings, the same for the same seed.
 * A record is 105 bytes of JSON with the sensor as message key and the partition by murmur2, as a
 * Java producer would write it. Record i belongs to a sensor drawn uniformly; its value is a level
 * of the sensor plus normal noise, and every 1,000th on average is a spike of 50 (labelled:
 * "spike"). Everything is drawn from the record's number, so that a reference can be computed from
 * the topic. Usage: produce_load --brokers HOST:PORT --topic NAME [--records N] [--keys N]
 * [--partitions N]
 *        [--seed N] [--transactional] */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/memory.h"
#include "base/random.h"
#include "connectors/connector.h"

enum { RECORD_BYTES = 105, KEY_BYTES = 6, CHUNK_RECORDS = 2000, CHUNKS_PER_FLUSH = 50 };

static const int64_t first_time_ms = 1767225600000; /* 2026-01-01T00:00:00Z */

struct arguments {
    const char *brokers;
    const char *topic;
    uint64_t records;
    uint32_t keys;
    int32_t partitions;
    uint64_t seed;
    bool transactional;
};

static void parse(int count, char **values, struct arguments *arguments)
{
    static const struct option options[] = {
        {"brokers", required_argument, NULL, 'b'},    {"topic", required_argument, NULL, 't'},
        {"records", required_argument, NULL, 'n'},    {"keys", required_argument, NULL, 'k'},
        {"partitions", required_argument, NULL, 'p'}, {"seed", required_argument, NULL, 's'},
        {"transactional", no_argument, NULL, 'x'},    {0}};
    *arguments = (struct arguments){.brokers = "127.0.0.1:19092",
                                    .records = 3000000,
                                    .keys = 10000,
                                    .partitions = 4,
                                    .seed = 1};
    for (int code; (code = getopt_long(count, values, "", options, NULL)) != -1;) {
        if (code == 'b')
            arguments->brokers = optarg;
        else if (code == 't')
            arguments->topic = optarg;
        else if (code == 'n')
            arguments->records = strtoull(optarg, NULL, 10);
        else if (code == 'k')
            arguments->keys = (uint32_t)strtoul(optarg, NULL, 10);
        else if (code == 'p')
            arguments->partitions = (int32_t)strtol(optarg, NULL, 10);
        else if (code == 's')
            arguments->seed = strtoull(optarg, NULL, 10);
        else if (code == 'x')
            arguments->transactional = true;
        else
            exit(2);
    }
    if (arguments->topic == NULL || arguments->keys == 0 || arguments->keys > 100000 ||
        arguments->partitions < 1) {
        fprintf(stderr, "usage: produce_load --brokers HOST:PORT --topic NAME [--records N] "
                        "[--keys 1..100000] [--partitions N] [--seed N] [--transactional]\n");
        exit(2);
    }
}

/* Write record `number` of RECORD_BYTES bytes; the key is its sensor. */
static void make_record(const struct arguments *arguments, uint64_t number, char *value)
{
    static const char filling[] = "................................................";
    struct mr_random random;
    mr_random_init(&random, arguments->seed, number);
    uint32_t sensor = (uint32_t)mr_random_below(&random, arguments->keys);
    bool spike = mr_random_below(&random, 1000) == 0;
    double level = 20.0 + (double)(sensor % 17) + mr_random_normal(&random) + (spike ? 50.0 : 0.0);
    char text[RECORD_BYTES + 64];
    int size = snprintf(text, sizeof(text),
                        "{\"sensor\":\"s%05u\",\"ts\":%lld,\"value\":%.6f,\"ok\":true,\"spike\":%s,"
                        "\"note\":\"",
                        sensor, (long long)(first_time_ms + (int64_t)number), level,
                        spike ? "true" : "false");
    memcpy(value, text, (size_t)size);
    memcpy(value + size, filling, (size_t)(RECORD_BYTES - 2 - size));
    memcpy(value + RECORD_BYTES - 2, "\"}", 2);
}

static void stop(const char *what, const struct mr_error *error)
{
    fprintf(stderr, "produce_load: %s: %s\n", what, error->message);
    exit(1);
}

/* Make and send records first .. first + count - 1 from memory. */
static void send_chunk(struct mr_log *log, struct mr_log_producer *producer,
                       const struct arguments *arguments, uint64_t first, uint32_t count,
                       char *values)
{
    static struct mr_log_record records[CHUNK_RECORDS];
    struct mr_error error;
    for (uint32_t index = 0; index < count; index++) {
        char *value = values + (size_t)index * RECORD_BYTES;
        make_record(arguments, first + index, value);
        struct mr_slice key = mr_slice_from(value + strlen("{\"sensor\":\""), KEY_BYTES);
        records[index] =
            (struct mr_log_record){.topic = arguments->topic,
                                   .partition = mr_hash_partition(key, arguments->partitions),
                                   .key = key,
                                   .value = mr_slice_from(value, RECORD_BYTES),
                                   .timestamp_ms = -1};
    }
    if (log->ops->producer_send(producer, records, count, &error) != MR_OK)
        stop("send", &error);
}

static void fill(struct mr_log *log, const struct arguments *arguments)
{
    struct mr_error error;
    struct mr_log_producer *producer = NULL;
    const struct mr_log_producer_options options = {
        .transactional_id = arguments->transactional ? "produce-load" : NULL,
        .transaction_timeout_ms = 60000,
        .queued_bytes_max = 64 << 20};
    const struct mr_log_ops *ops = log->ops;
    if (ops->producer_create(log, &options, 30000, &producer, &error) != MR_OK)
        stop("producer", &error);
    size_t chunk_bytes = (size_t)CHUNK_RECORDS * RECORD_BYTES;
    char *values = mr_memory_new(CHUNKS_PER_FLUSH, chunk_bytes);
    for (uint64_t done = 0; done < arguments->records;) {
        if (ops->producer_begin(producer, &error) != MR_OK)
            stop("begin", &error);
        for (uint32_t chunk = 0; chunk < CHUNKS_PER_FLUSH && done < arguments->records; chunk++) {
            uint64_t left = arguments->records - done;
            uint32_t count = left < CHUNK_RECORDS ? (uint32_t)left : CHUNK_RECORDS;
            send_chunk(log, producer, arguments, done, count, values + chunk * chunk_bytes);
            done += count;
        }
        if (ops->producer_commit(producer, &error) != MR_OK)
            stop("commit", &error);
    }
    ops->producer_destroy(producer);
    mr_memory_free(values);
}

int main(int count, char **values)
{
    struct arguments arguments;
    parse(count, values, &arguments);
    struct mr_error error;
    struct mr_log *log = NULL;
    const struct mr_kafka_log_open open = {.brokers = arguments.brokers,
                                           .client_id = "produce-load"};
    if (mr_kafka_log_create(&open, &log, &error) != MR_OK)
        stop("brokers", &error);
    const struct mr_log_topic_create create = {.name = arguments.topic,
                                               .partitions_count = arguments.partitions,
                                               .replication_factor = -1,
                                               .retention_ms = -1};
    struct mr_log_topic topic;
    if (log->ops->topic_create(log, &create, &error) != MR_OK ||
        log->ops->topic_describe(log, arguments.topic, &topic, &error) != MR_OK)
        stop("topic", &error);
    arguments.partitions = topic.partitions_count;
    uint64_t start_ns = mr_clock_monotonic_ns();
    fill(log, &arguments);
    double seconds = (double)(mr_clock_monotonic_ns() - start_ns) / 1e9;
    printf("produced %llu records of %d bytes to %s (%d partitions) in %.2f s, %.0f records/s\n",
           (unsigned long long)arguments.records, RECORD_BYTES, arguments.topic,
           (int)arguments.partitions, seconds, (double)arguments.records / seconds);
    log->ops->close(log);
    return 0;
}
