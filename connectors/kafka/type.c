/* connectors/kafka/type.c — the `kafka` source and sink as the language sees them.
 * Design: the ops of struct mr_connector_type stay NULL, since worker/ drives topics through
 * connectors/log.h. What is checked here is what one entry can know by itself: which topics, where
 * to start, and that no client setting weakens exactly-once. */
#include "connectors/kafka/kafka.h"

#include <regex.h>
#include <stdio.h>

#include "base/assert.h"
#include "connectors/kafka/internal.h"

/* ---- Source ---- */

static const char *const start_choices[] = {"earliest", "latest", "timestamp", "committed", NULL};

static const struct mr_option_spec batch_options[] = {
    {.name = "max_records",
     .type = MR_OPTION_INTEGER,
     .default_text = "4096",
     .minimum = 1,
     .maximum = MR_LIMIT_BATCH_ROWS,
     .help = "Records that are processed together at most."},
    {.name = "max_wait",
     .type = MR_OPTION_DURATION,
     .default_text = "0ms",
     .minimum = 0,
     .maximum = 60000,
     .help = "How long to wait for a full batch; 0ms takes what is there, as `--until-end` does."},
    {0}};

static const struct mr_option_spec source_options[] = {
    {.name = "topic",
     .type = MR_OPTION_STRING,
     .help = "The topic to read. Exactly one of topic, topics and pattern is given."},
    {.name = "topics", .type = MR_OPTION_STRINGS, .help = "Several topics to read as one source."},
    {.name = "pattern",
     .type = MR_OPTION_STRING,
     .help = "An extended regular expression (POSIX): every topic whose whole name matches is "
             "read, also one that appears later."},
    {.name = "start",
     .type = MR_OPTION_CHOICE,
     .default_text = "earliest",
     .choices = start_choices,
     .help = "Where a partition without progress starts: its first record, its end, at "
             "start_timestamp, or (committed) as earliest: progress always wins, and what a "
             "consumer group has committed is not looked at."},
    {.name = "start_timestamp",
     .type = MR_OPTION_INSTANT,
     .help = "With start: timestamp, the first record at or after this time."},
    {.name = "group",
     .type = MR_OPTION_STRING,
     .help = "The consumer group to which offsets are mirrored every few seconds, for lag tools "
             "and autoscalers. It is never read back. Default: CLUSTER.TOPOLOGY."},
    {.name = "batch",
     .type = MR_OPTION_OBJECT,
     .fields = batch_options,
     .help = "How many records are processed together."},
    {.name = "consumer",
     .type = MR_OPTION_STRING_MAP,
     .help = "Settings of librdkafka's consumer, as in its CONFIGURATION.md: fetch.wait.max.ms, "
             "fetch.message.max.bytes, ... What would weaken exactly-once, or follows from "
             "Millrace's own options, is refused with the reason."},
    {0}};

static bool topic_name_is_valid(const char *name)
{
    size_t size = strlen(name);
    if (size == 0 || size > 249 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") ==
           size;
}

static enum mr_status check_topic(const char *name, struct mr_error *error)
{
    if (topic_name_is_valid(name))
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "'%s' is no topic name: up to 249 letters, digits, '.', '_' and '-'.", name);
}

static enum mr_status check_pattern(const char *pattern, struct mr_error *error)
{
    regex_t compiled;
    int code = regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB);
    if (code == 0) {
        regfree(&compiled);
        return MR_OK;
    }
    char reason[KAFKA_TEXT_SIZE];
    regerror(code, &compiled, reason, sizeof(reason));
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "'%s' is no extended regular expression: %s.", pattern, reason);
}

static enum mr_status check_source_topics(const struct mr_options *options, const char **option,
                                          struct mr_error *error)
{
    bool topic = mr_options_present(options, "topic");
    bool topics = mr_options_present(options, "topics");
    bool pattern = mr_options_present(options, "pattern");
    *option = topics ? "topics" : pattern ? "pattern" : "topic";
    if ((int)topic + (int)topics + (int)pattern != 1)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Exactly one of 'topic', 'topics' and 'pattern' must be given.");
    if (topic)
        return check_topic(mr_options_text(options, "topic"), error);
    if (pattern)
        return check_pattern(mr_options_text(options, "pattern"), error);
    const struct mr_option_value *list = mr_options_get(options, "topics");
    if (list->count == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "'topics' is empty.");
    for (uint32_t index = 0; index < list->count; index++) {
        enum mr_status status = check_topic(list->texts[index], error);
        if (status != MR_OK)
            return status;
        for (uint32_t other = 0; other < index; other++) {
            if (strcmp(list->texts[other], list->texts[index]) == 0)
                return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                               "Topic '%s' is listed twice.", list->texts[index]);
        }
    }
    return MR_OK;
}

static enum mr_status check_source(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    enum mr_status status = check_source_topics(options, option, error);
    if (status != MR_OK)
        return status;
    bool by_time = mr_options_integer(options, "start") == MR_KAFKA_START_TIMESTAMP;
    *option = "start_timestamp";
    if (by_time && !mr_options_present(options, "start_timestamp"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "'start: timestamp' needs 'start_timestamp'.");
    if (!by_time && mr_options_present(options, "start_timestamp"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "'start_timestamp' is only used with 'start: timestamp'.");
    *option = "consumer";
    const struct mr_option_value *consumer = mr_options_get(options, "consumer");
    for (uint32_t index = 0; index < consumer->count && status == MR_OK; index++)
        status = mr_kafka_setting_check(consumer->names[index], consumer->texts[index], error);
    return status;
}

static const struct mr_output_spec source_outputs[] = {
    {.name = "main", .help = "The topic's records."}};

const struct mr_type_spec mr_kafka_source_spec = {
    .name = "kafka",
    .role = MR_ROLE_SOURCE,
    .flags = MR_TYPE_LOG,
    .summary = "Reads one or more Kafka topics.",
    .description =
        "Reads committed records only, by manual assignment: partitions are tasks, and their "
        "positions are part of the same transaction as the output. A record whose partition is "
        "not there any more, or an offset that expired, stops the topology with a sentence "
        "instead of skipping silently; so does a topic that was deleted and created anew."
        "\n\n"
        "Without --brokers the topic is one of the embedded broker, in this process, and ends "
        "with it.",
    .options = source_options,
    .outputs = source_outputs,
    .outputs_count = MR_ARRAY_COUNT(source_outputs),
    .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
    .check = check_source,
};

/* ---- Sink ---- */

static const char *const acks_choices[] = {"all", "1", "0", NULL};
static const char *const compression_choices[] = {"none", "gzip", "snappy", "lz4", "zstd", NULL};

static const struct mr_option_spec producer_options[] = {
    {.name = "acks",
     .type = MR_OPTION_CHOICE,
     .default_text = "all",
     .choices = acks_choices,
     .help = "Which replicas must have a record; only all keeps what was written."},
    {.name = "retries",
     .type = MR_OPTION_INTEGER,
     .default_text = "2147483647",
     .minimum = 1,
     .maximum = 2147483647.0,
     .help = "How often a batch is tried again within the transaction's time."},
    {.name = "linger",
     .type = MR_OPTION_DURATION,
     .default_text = "5ms",
     .minimum = 0,
     .maximum = 900000,
     .help = "How long records wait for a fuller batch; a commit sends at once."},
    {.name = "compression",
     .type = MR_OPTION_CHOICE,
     .default_text = "none",
     .choices = compression_choices,
     .help = "How batches are compressed: less network and disk for more CPU."},
    {.name = "max_block",
     .type = MR_OPTION_DURATION,
     .default_text = "60s",
     .minimum = 1,
     .maximum = 2147483647.0,
     .help = "How long a full queue, or a topic without a leader, may hold a record up."},
    {.name = "buffer_memory",
     .type = MR_OPTION_SIZE,
     .default_text = "64MiB",
     .minimum = 1 << 20,
     .maximum = 2147483647.0,
     .help = "Bytes of records that wait for the broker at most, per task thread."},
    {0}};

static const struct mr_option_spec create_topic_options[] = {
    {.name = "partitions",
     .type = MR_OPTION_INTEGER,
     .minimum = 1,
     .maximum = MR_LIMIT_PARTITIONS,
     .help = "Number of partitions. Default: the cluster's."},
    {.name = "replication_factor",
     .type = MR_OPTION_INTEGER,
     .default_text = "-1",
     .minimum = -1,
     .maximum = 32767,
     .help = "Copies of each partition; -1 is the cluster's default."},
    {.name = "retention",
     .type = MR_OPTION_DURATION,
     .minimum = 1000,
     .maximum = 3153600000000.0,
     .help = "How long records are kept, by their timestamps, which are event times. Default: the "
             "cluster's."},
    {0}};

static const struct mr_option_spec sink_options[] = {
    {.name = "topic",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "The topic to write. The partition is murmur2 of the message key, as Java's clients "
             "choose it."},
    {.name = "producer",
     .type = MR_OPTION_OBJECT,
     .fields = producer_options,
     .help = "How records are sent. One producer writes all sinks of a topology on a thread, so "
             "sinks that say it must agree."},
    {.name = "create_topic",
     .type = MR_OPTION_OBJECT,
     .fields = create_topic_options,
     .help = "Create the topic at start when it does not exist. Without it a missing topic is an "
             "error."},
    {0}};

static enum mr_status check_sink(const struct mr_options *options, const char **option,
                                 struct mr_error *error)
{
    *option = "topic";
    enum mr_status status = MR_OK;
    if (mr_options_present(options, "topic")) /* else topic_from names it */
        status = check_topic(mr_options_text(options, "topic"), error);
    if (status != MR_OK)
        return status;
    *option = "producer";
    if (mr_options_present(options, "producer")) {
        const struct mr_options *producer = mr_options_get(options, "producer")->objects;
        status = mr_kafka_setting_check("acks", mr_options_text(producer, "acks"), error);
    }
    if (status != MR_OK || !mr_options_present(options, "create_topic"))
        return status;
    *option = "create_topic";
    const struct mr_options *create = mr_options_get(options, "create_topic")->objects;
    if (mr_options_integer(create, "replication_factor") == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "'replication_factor' is at least 1, or -1 for the cluster's default.");
    return MR_OK;
}

const struct mr_type_spec mr_kafka_sink_spec = {
    .name = "kafka",
    .role = MR_ROLE_SINK,
    .flags = MR_TYPE_LOG,
    .summary = "Writes a Kafka topic.",
    .description =
        "Writes in the transaction that also holds state and progress: a reader with "
        "isolation.level=read_committed sees each record exactly once. Records of one key go to "
        "one partition, in order."
        "\n\n"
        "Without --brokers the topic is one of the embedded broker, in this process, and ends "
        "with it.",
    .options = sink_options,
    .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
    .check = check_sink,
};

/* ---- Options as client settings ---- */

const char *const *mr_kafka_source_settings(const struct mr_options *source, struct mr_arena *arena)
{
    const struct mr_option_value *consumer = mr_options_get(source, "consumer");
    const char **pairs = mr_arena_new(arena, (size_t)consumer->count * 2 + 1, sizeof(*pairs));
    for (uint32_t index = 0; index < consumer->count; index++) {
        pairs[2 * index] = mr_arena_copy_text(arena, consumer->names[index]);
        pairs[2 * index + 1] = mr_arena_copy_text(arena, consumer->texts[index]);
    }
    return (const char *const *)pairs;
}

const char *const *mr_kafka_sink_settings(const struct mr_options *sink, struct mr_arena *arena)
{
    const struct mr_option_value *value = mr_options_get(sink, "producer");
    const char **pairs = mr_arena_new(arena, 11, sizeof(*pairs));
    if (!value->present)
        return (const char *const *)pairs;
    const struct mr_options *producer = value->objects;
    uint32_t count = 0;
    pairs[count++] = "acks";
    pairs[count++] = mr_options_text(producer, "acks");
    pairs[count++] = "retries";
    pairs[count++] =
        mr_arena_format(arena, "%lld", (long long)mr_options_integer(producer, "retries"));
    pairs[count++] = "linger.ms";
    pairs[count++] =
        mr_arena_format(arena, "%lld", (long long)mr_options_integer(producer, "linger"));
    pairs[count++] = "compression.type";
    pairs[count++] = mr_options_text(producer, "compression");
    pairs[count++] = "max.block.ms";
    pairs[count++] =
        mr_arena_format(arena, "%lld", (long long)mr_options_integer(producer, "max_block"));
    return (const char *const *)pairs;
}
