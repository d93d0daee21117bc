/* connectors/kafka/config.c — client settings: ours, the user's, and those that are refused.
 * Why: users may pass any librdkafka setting, but some would silently take exactly-once away, or
 * belong to the engine. Each of those is refused with its reason when the topology is validated,
 * and again when a client is made, so that no way around the first check exists. Secrets:
 * librdkafka's message about a wrong value repeats the value, so for names that may hold a secret
 * only the name is reported. */
#include "connectors/kafka/internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "base/assert.h"
#include "base/limits.h"
#include "base/memory.h"

/* ---- Refused settings ---- */

struct rule {
    const char *name;
    const char *accepted; /* the one value that is accepted; NULL: none */
    const char *reason;
};

static const char reason_acks[] =
    "a record counts as written only when every in-sync replica has it";
static const char reason_retries[] =
    "with no retry the first hiccup of the network would fail the transaction";
static const char reason_in_flight[] =
    "with more than 5 requests in flight the broker cannot keep retried batches in order";
static const char reason_group[] =
    "partitions are assigned by Millrace, not by a consumer group; `group:` names the group whose "
    "offsets are mirrored for tools";
static const char reason_offsets[] =
    "offsets are committed in the same transaction as the output, never by the client";
static const char reason_brokers[] = "the brokers are given by --brokers or the connection";
static const char reason_log[] = "the client's log goes through Millrace's own";
static const char reason_engine[] = "the engine sets it";

static const struct rule rules[] = {
    {"enable.idempotence", "true", "a batch that is retried could be written twice"},
    {"acks", "all", reason_acks},
    {"request.required.acks", "all", reason_acks},
    {"transactional.id", NULL, "the engine chooses it: it is what fences an older owner"},
    {"transaction.timeout.ms", NULL, "it follows from the commit interval"},
    {"queuing.strategy", "fifo", "records of a key would change their order"},
    {"isolation.level", "read_committed", "records of aborted transactions would be processed"},
    {"enable.auto.commit", "false", reason_offsets},
    {"auto.commit.enable", "false", reason_offsets},
    {"enable.auto.offset.store", "false", reason_offsets},
    {"auto.offset.reset", "error",
     "an offset that is not there any more would silently skip or repeat records; `start:` says "
     "where a new topology starts"},
    {"group.id", NULL, reason_group},
    {"group.instance.id", NULL, reason_group},
    {"group.protocol", NULL, reason_group},
    {"partition.assignment.strategy", NULL, reason_group},
    {"enable.partition.eof", NULL, reason_engine},
    {"delivery.report.only.error", NULL, reason_engine},
    {"bootstrap.servers", NULL, reason_brokers},
    {"metadata.broker.list", NULL, reason_brokers},
    {"allow.auto.create.topics", "false", "a mistyped name would create a topic"},
    {"partitioner", "murmur2", "it is murmur2 everywhere, so that topics can be joined"},
    {"queued.max.messages.kbytes", NULL, "it follows from the memory budget"},
    {"fetch.max.bytes", NULL, "it follows from the memory budget"},
    {"queue.buffering.max.kbytes", NULL, "it follows from the memory budget (`buffer_memory:`)"},
    {"queue.buffering.max.messages", NULL, "it follows from the memory budget"},
    {"debug", NULL, reason_log},
    {"log_level", NULL, reason_log},
    {"plugin.library.paths", NULL, "it would load foreign code into the process"},
    {"test.mock.num.brokers", NULL, "a mock broker has no transactions"},
};

/* Settings of a whole number with bounds. */
struct bound {
    const char *name;
    long minimum;
    long maximum;
    const char *reason;
};

static const struct bound bounds[] = {
    {"max.in.flight", 1, 5, reason_in_flight},
    {"max.in.flight.requests.per.connection", 1, 5, reason_in_flight},
    {"retries", 1, INT32_MAX, reason_retries},
    {"message.send.max.retries", 1, INT32_MAX, reason_retries},
    {"max.block.ms", 1, INT32_MAX, "it is milliseconds that a full queue may block"},
};

static const char *const secret_words[] = {"password", "secret",      "jaas",
                                           "token",    "ssl.key.pem", "ssl_key"};

static bool is_secret(const char *name)
{
    for (size_t index = 0; index < MR_ARRAY_COUNT(secret_words); index++) {
        if (strstr(name, secret_words[index]) != NULL)
            return true;
    }
    return false;
}

/* max.block.ms is no librdkafka setting: producer.c bounds its waiting with it. */
static bool is_ours(const char *name)
{
    return strcmp(name, "max.block.ms") == 0;
}

static enum mr_status check_rules(const char *name, const char *value, struct mr_error *error)
{
    for (size_t index = 0; index < MR_ARRAY_COUNT(rules); index++) {
        const struct rule *rule = &rules[index];
        if (strcasecmp(rule->name, name) != 0)
            continue;
        bool all = strcasecmp(value, "-1") == 0 && rule->reason == reason_acks;
        if (rule->accepted != NULL && (all || strcasecmp(rule->accepted, value) == 0))
            return MR_OK;
        if (rule->accepted == NULL) {
            return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                           "The client setting '%s' cannot be given: %s.", name, rule->reason);
        }
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The client setting '%s' must stay '%s', not '%s': %s.", name,
                       rule->accepted, value, rule->reason);
    }
    return MR_OK;
}

static enum mr_status check_bounds(const char *name, const char *value, struct mr_error *error)
{
    for (size_t index = 0; index < MR_ARRAY_COUNT(bounds); index++) {
        const struct bound *bound = &bounds[index];
        if (strcasecmp(bound->name, name) != 0)
            continue;
        char *end = NULL;
        long number = strtol(value, &end, 10);
        if (end != value && *end == '\0' && number >= bound->minimum && number <= bound->maximum)
            return MR_OK;
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The client setting '%s' must be a whole number from %ld to %ld, not '%s': "
                       "%s.",
                       name, bound->minimum, bound->maximum, value, bound->reason);
    }
    return MR_OK;
}

static enum mr_status set(rd_kafka_conf_t *conf, const char *name, const char *value,
                          struct mr_error *error)
{
    char reason[KAFKA_TEXT_SIZE];
    rd_kafka_conf_res_t result = rd_kafka_conf_set(conf, name, value, reason, sizeof(reason));
    if (result == RD_KAFKA_CONF_OK)
        return MR_OK;
    if (result == RD_KAFKA_CONF_UNKNOWN) {
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "There is no client setting '%s' in librdkafka %s.", name,
                       rd_kafka_version_str());
    }
    if (is_secret(name)) {
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "The value of the client setting '%s' is not accepted (it is not shown, "
                       "since it may be a secret).",
                       name);
    }
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "The value '%s' of the client setting '%s' is not accepted: %s.", value, name,
                   reason);
}

enum mr_status mr_kafka_setting_check(const char *name, const char *value, struct mr_error *error)
{
    enum mr_status status = check_rules(name, value, error);
    if (status == MR_OK)
        status = check_bounds(name, value, error);
    if (status != MR_OK || is_ours(name))
        return status;
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    status = set(conf, name, value, error);
    rd_kafka_conf_destroy(conf);
    return status;
}

enum mr_status mr_kafka_settings_check(const char *const *settings, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (size_t index = 0; settings != NULL && settings[index] != NULL && status == MR_OK;
         index += 2)
        status = mr_kafka_setting_check(settings[index], settings[index + 1], error);
    return status;
}

const char *mr_kafka_setting_find(const char *const *settings, const char *name)
{
    const char *value = NULL;
    for (size_t index = 0; settings != NULL && settings[index] != NULL; index += 2) {
        if (strcmp(settings[index], name) == 0)
            value = settings[index + 1];
    }
    return value;
}

/* ---- The engine's settings ---- */

/* Nagle's algorithm delays small requests; the final telemetry push keeps rd_kafka_destroy waiting;
 * short back-offs, since a broker that comes back is waited for anyway. A topic that is missing is
 * believed to be new for 5 s; the next refresh of its metadata then says that it does not exist. */
static const char *const settings_all[] = {"socket.nagle.disable",
                                           "true",
                                           "enable.metrics.push",
                                           "false",
                                           "log.connection.close",
                                           "false",
                                           "socket.keepalive.enable",
                                           "true",
                                           "reconnect.backoff.ms",
                                           "50",
                                           "reconnect.backoff.max.ms",
                                           "1000",
                                           "topic.metadata.propagation.max.ms",
                                           "5000",
                                           "topic.metadata.refresh.interval.ms",
                                           "60000",
                                           NULL};

/* A client that connects only to brokers that it needs forgets its back-off when a request waits
 * for one that is down: it then connects some ten thousand times a second, for as long as the
 * request waits (librdkafka 2.8: a connection that is asked for is expedited, and each failure
 * asks). */
static const char *const settings_admin[] = {"enable.sparse.connections", "false", NULL};

/* Fetch back-offs: the defaults (1 s when the queue is full, 500 ms after an error) starve a fast
 * consumer. Batches carry their own checksum on disk and TCP its own on the way: check.crcs costs
 * CPU. debug: see client.c. */
static const char *const settings_consumer[] = {"enable.auto.commit",
                                                "false",
                                                "enable.auto.offset.store",
                                                "false",
                                                "auto.offset.reset",
                                                "error",
                                                "isolation.level",
                                                "read_committed",
                                                "fetch.wait.max.ms",
                                                "50",
                                                "fetch.queue.backoff.ms",
                                                "10",
                                                "fetch.error.backoff.ms",
                                                "50",
                                                "check.crcs",
                                                "false",
                                                "queued.min.messages",
                                                "20000",
                                                "debug",
                                                "metadata",
                                                "log_level",
                                                "7",
                                                NULL};

static const char *const settings_producer[] = {
    "enable.idempotence",         "true", "acks", "all", "linger.ms", "5",
    "delivery.report.only.error", "true", NULL};

static enum mr_status set_all(rd_kafka_conf_t *conf, const char *const *settings,
                              struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (size_t index = 0; settings != NULL && settings[index] != NULL && status == MR_OK;
         index += 2) {
        if (!is_ours(settings[index]))
            status = set(conf, settings[index], settings[index + 1], error);
    }
    return status;
}

/* A record may be as large as the topic allows: the broker's limit decides, not the client's. */
static enum mr_status set_sizes(rd_kafka_conf_t *conf, struct mr_error *error)
{
    char text[32];
    snprintf(text, sizeof(text), "%d", MR_LIMIT_RECORD_BYTES + (1 << 20));
    return set(conf, "message.max.bytes", text, error);
}

enum mr_status mr_kafka_conf_create(struct kafka_log *log, enum kafka_role role,
                                    const char *const *settings, const char *const *engine,
                                    struct kafka_client *client, rd_kafka_conf_t **conf,
                                    struct mr_error *error)
{
    const char *const address[] = {"bootstrap.servers", log->brokers, "client.id", log->client_id,
                                   NULL};
    rd_kafka_conf_t *made = rd_kafka_conf_new();
    enum mr_status status = set_all(made, address, error);
    if (status == MR_OK)
        status = set_all(made, settings_all, error);
    if (status == MR_OK && role == KAFKA_ADMIN)
        status = set_all(made, settings_admin, error);
    if (status == MR_OK && role == KAFKA_CONSUMER)
        status = set_all(made, settings_consumer, error);
    if (status == MR_OK && role == KAFKA_PRODUCER)
        status = set_all(made, settings_producer, error);
    if (status == MR_OK && role == KAFKA_PRODUCER)
        status = set_sizes(made, error);
    if (status == MR_OK)
        status = set_all(made, (const char *const *)log->settings, error);
    if (status == MR_OK)
        status = mr_kafka_settings_check(settings, error);
    if (status == MR_OK)
        status = set_all(made, settings, error);
    if (status == MR_OK)
        status = set_all(made, engine, error);
    if (status != MR_OK) {
        rd_kafka_conf_destroy(made);
        return status;
    }
    mr_kafka_client_attach(made, client);
    *conf = made;
    return MR_OK;
}
