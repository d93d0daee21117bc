/* cli/doctor_kafka.c — is this Kafka fit for exactly-once (DESIGN section 4)?
 * What is wrong breaks the promise or the start; what is a warning breaks it only when a broker is
 * lost, or cannot be seen from here. A cluster of one broker cannot have more replicas: that is one
 * warning of its own. */
#include "base/clock.h"
#include "cli/doctor.h"
#include "connectors/kafka/examine.h"

#include <inttypes.h>
#include <stdlib.h>

enum { WAIT_MS = 10000, REPLICAS_WANTED = 3, IN_SYNC_WANTED = 2, TRANSACTION_MS_WANTED = 30000 };

struct looking {
    struct mr_examination *examination;
    struct mr_log *log;
    const char *cluster;
    struct mr_arena *arena;
    uint32_t brokers_count;
    const char *prefix;
    uint32_t topics_count;
    uint32_t internal_count;
    const char *thin_topic; /* an internal topic with too few replicas */
    int32_t thin_replicas;
};

/* ---- Brokers and their settings ---- */

/* Kafka 4 has no inter.broker.protocol.version; earlier ones report their own, "3.9-IV0". */
static void check_version(struct looking *looking, const struct mr_kafka_settings *settings,
                          const char *broker)
{
    static const char remedy[] =
        "Millrace needs Kafka 3.9.2 or newer: in earlier ones a delayed request can decide a later "
        "transaction.";
    const char *version = mr_kafka_settings_value(settings, "inter.broker.protocol.version");
    if (version == NULL) {
        bool modern = mr_kafka_settings_value(settings, "group.consumer.max.size") != NULL;
        mr_examination_tell(looking->examination, modern ? MR_VERDICT_FINE : MR_VERDICT_WARNING,
                            "version", modern ? NULL : remedy, "broker %s is %s", broker,
                            modern ? "4.0 or newer" : "of a version that cannot be told from here");
        return;
    }
    char *end = NULL;
    long major = strtol(version, &end, 10);
    long minor = *end == '.' ? strtol(end + 1, NULL, 10) : 0;
    bool old = major < 3 || (major == 3 && minor < 9);
    bool unclear = major == 3 && minor == 9;
    mr_examination_tell(looking->examination,
                        old       ? MR_VERDICT_WRONG
                        : unclear ? MR_VERDICT_WARNING
                                  : MR_VERDICT_FINE,
                        "version",
                        old       ? remedy
                        : unclear ? "Make sure that it is 3.9.2 or newer: the last digit cannot be "
                                    "told from here."
                                  : NULL,
                        "broker %s is %ld.%ld", broker, major, minor);
}

static void check_flag(struct looking *looking, const struct mr_kafka_settings *settings,
                       const char *broker, const char *name, const char *wanted, const char *remedy)
{
    const char *value = mr_kafka_settings_value(settings, name);
    bool right = value != NULL && strcmp(value, wanted) == 0;
    mr_examination_tell(looking->examination,
                        right           ? MR_VERDICT_FINE
                        : value == NULL ? MR_VERDICT_WARNING
                                        : MR_VERDICT_WRONG,
                        name, right ? NULL : remedy, "%s on broker %s",
                        value == NULL ? "not reported" : value, broker);
}

static void check_number(struct looking *looking, const struct mr_kafka_settings *settings,
                         const char *broker, const char *name, int64_t wanted, const char *remedy)
{
    const char *value = mr_kafka_settings_value(settings, name);
    int64_t number = value == NULL ? -1 : strtoll(value, NULL, 10);
    bool right = number >= wanted;
    mr_examination_tell(looking->examination, right ? MR_VERDICT_FINE : MR_VERDICT_WARNING, name,
                        right ? NULL : remedy, "%s on broker %s",
                        value == NULL ? "not reported" : value, broker);
}

static void check_replication(struct looking *looking, const struct mr_kafka_settings *settings,
                              const char *broker)
{
    check_number(looking, settings, broker, "default.replication.factor", REPLICAS_WANTED,
                 "Set it to 3: Millrace's own topics take it when they are created.");
    check_number(looking, settings, broker, "min.insync.replicas", IN_SYNC_WANTED,
                 "Set it to 2: a commit on one replica can be lost with its disk.");
    check_number(looking, settings, broker, "transaction.state.log.replication.factor",
                 REPLICAS_WANTED, "Set it to 3 before the first transaction.");
    check_number(looking, settings, broker, "transaction.state.log.min.isr", IN_SYNC_WANTED,
                 "Set it to 2: a lost __transaction_state loses commits.");
}

static void check_broker(struct looking *looking, const struct mr_kafka_broker *broker)
{
    struct mr_kafka_settings settings;
    struct mr_error error;
    if (mr_kafka_broker_settings(looking->log, broker->id, looking->arena, &settings, &error) !=
        MR_OK) {
        mr_examination_tell(looking->examination, MR_VERDICT_WARNING, "broker settings",
                            "Grant DescribeConfigs on the cluster, or compare with "
                            "docs/CONNECTING_TO_KAFKA.md by hand.",
                            "%s: %s", broker->address, error.message);
        return;
    }
    check_version(looking, &settings, broker->address);
    check_flag(looking, &settings, broker->address, "transaction.partition.verification.enable",
               "true", "Set it to true: a late write of an old owner must be refused.");
    check_flag(looking, &settings, broker->address, "unclean.leader.election.enable", "false",
               "Set it to false: it drops records that were committed.");
    check_number(looking, &settings, broker->address, "transaction.max.timeout.ms",
                 TRANSACTION_MS_WANTED,
                 "Set it to 30000 or more: transactions ask for max(10 s, 3 x commit_interval).");
    if (looking->brokers_count > 1)
        check_replication(looking, &settings, broker->address);
}

static bool check_brokers(struct looking *looking)
{
    const struct mr_kafka_broker *brokers = NULL;
    char id[MR_LOG_ID_SIZE];
    struct mr_error error;
    if (looking->log->ops->cluster_id(looking->log, id, &error) != MR_OK ||
        mr_kafka_brokers(looking->log, looking->arena, &brokers, &looking->brokers_count, &error) !=
            MR_OK) {
        looking->examination->unreached = true;
        mr_examination_tell(looking->examination, MR_VERDICT_WRONG, "brokers",
                            "Check --brokers, the network, and the login of --kafka-config.", "%s",
                            error.message);
        return false;
    }
    mr_examination_tell(looking->examination, MR_VERDICT_FINE, "brokers", NULL,
                        "cluster %s, %u of them", id, looking->brokers_count);
    if (looking->brokers_count < REPLICAS_WANTED)
        mr_examination_tell(looking->examination, MR_VERDICT_WARNING, "replicas",
                            "Fine for development; where data must not be lost with a disk, run 3 "
                            "brokers or more.",
                            "%u broker%s cannot hold 3 replicas", looking->brokers_count,
                            looking->brokers_count == 1 ? "" : "s");
    for (uint32_t index = 0; index < looking->brokers_count; index++)
        check_broker(looking, &brokers[index]);
    return true;
}

/* ---- Topics ---- */

/* Operations that are not allowed, as a list; NULL: all are, or nothing is told. */
static const char *missing_rights(struct looking *looking, uint64_t allowed, uint64_t wanted)
{
    static const struct {
        uint64_t bit;
        const char *name;
    } rights[] = {{MR_KAFKA_READ, "Read"},
                  {MR_KAFKA_WRITE, "Write"},
                  {MR_KAFKA_DELETE, "Delete"},
                  {MR_KAFKA_DESCRIBE, "Describe"},
                  {MR_KAFKA_DESCRIBE_CONFIGS, "DescribeConfigs"}};
    const char *list = NULL;
    for (size_t index = 0; allowed != 0 && index < sizeof rights / sizeof rights[0]; index++)
        if ((wanted & rights[index].bit) != 0 && (allowed & rights[index].bit) == 0)
            list = list == NULL
                       ? rights[index].name
                       : mr_arena_format(looking->arena, "%s, %s", list, rights[index].name);
    return list;
}

static void check_replicas(struct looking *looking, const char *check, const char *name,
                           const struct mr_kafka_topic_view *view)
{
    struct mr_kafka_settings settings = {0};
    struct mr_error error;
    const char *in_sync = NULL;
    if (mr_kafka_topic_settings(looking->log, name, looking->arena, &settings, &error) == MR_OK)
        in_sync = mr_kafka_settings_value(&settings, "min.insync.replicas");
    bool thin = view->replicas_min < REPLICAS_WANTED ||
                (in_sync != NULL && strtol(in_sync, NULL, 10) < IN_SYNC_WANTED);
    bool lagging = view->in_sync_min < view->replicas_min;
    bool wanted = looking->brokers_count >= REPLICAS_WANTED;
    mr_examination_tell(
        looking->examination, lagging || (thin && wanted) ? MR_VERDICT_WARNING : MR_VERDICT_FINE,
        check,
        lagging          ? "A replica is behind or away: look at the brokers."
        : thin && wanted ? "Give it 3 replicas (kafka-reassign-partitions) and min.insync.replicas "
                           "2."
                         : NULL,
        "%s: %d partitions, %d replicas, %d in sync, min.insync.replicas %s", name,
        (int)view->partitions_count, (int)view->replicas_min, (int)view->in_sync_min,
        in_sync == NULL ? "not reported" : in_sync);
}

static void check_own_topic(struct looking *looking, const char *check, const char *suffix)
{
    struct mr_kafka_topic_view view;
    struct mr_error error;
    const char *name = mr_arena_format(looking->arena, "%s.%s", looking->cluster, suffix);
    enum mr_status status = mr_kafka_topic_view(looking->log, name, &view, &error);
    if (status == MR_NOT_FOUND) {
        mr_examination_tell(looking->examination, MR_VERDICT_FINE, check, NULL,
                            "%s does not exist yet; the coordinator or `run` creates it", name);
        return;
    }
    if (status != MR_OK) {
        mr_examination_tell(looking->examination, MR_VERDICT_WRONG, check,
                            "Grant the rights of docs/CONNECTING_TO_KAFKA.md on the prefix.", "%s",
                            error.message);
        return;
    }
    check_replicas(looking, check, name, &view);
    const char *missing = missing_rights(looking, view.allowed,
                                         MR_KAFKA_READ | MR_KAFKA_WRITE | MR_KAFKA_DELETE |
                                             MR_KAFKA_DESCRIBE | MR_KAFKA_DESCRIBE_CONFIGS);
    if (missing != NULL)
        mr_examination_tell(looking->examination, MR_VERDICT_WRONG, check,
                            "Grant them on topics with the prefix, see "
                            "docs/CONNECTING_TO_KAFKA.md.",
                            "%s: this user may not %s", name, missing);
}

static void check_transaction_state(struct looking *looking)
{
    static const char name[] = "__transaction_state";
    struct mr_kafka_topic_view view;
    struct mr_error error;
    enum mr_status status = mr_kafka_topic_view(looking->log, name, &view, &error);
    if (status == MR_OK)
        check_replicas(looking, "transaction state", name, &view);
    else
        mr_examination_tell(looking->examination,
                            status == MR_NOT_FOUND ? MR_VERDICT_FINE : MR_VERDICT_WARNING,
                            "transaction state",
                            status == MR_NOT_FOUND ? NULL : "Grant Describe on it to see more.",
                            "%s", error.message);
}

static void look_at_topic(void *argument, const char *name)
{
    struct looking *looking = argument;
    struct mr_kafka_topic_view view;
    struct mr_error error;
    size_t size = strlen(looking->prefix);
    looking->topics_count++;
    if (strncmp(name, looking->prefix, size) != 0)
        return;
    looking->internal_count++;
    if (looking->thin_topic != NULL || looking->internal_count > MR_FINDINGS_MAX)
        return;
    if (mr_kafka_topic_view(looking->log, name, &view, &error) == MR_OK &&
        view.replicas_min < REPLICAS_WANTED) {
        looking->thin_topic = mr_arena_copy_text(looking->arena, name);
        looking->thin_replicas = view.replicas_min;
    }
}

static void check_internal_topics(struct looking *looking)
{
    struct mr_error error;
    looking->prefix = mr_arena_format(looking->arena, "%s.", looking->cluster);
    if (looking->log->ops->topics_list(looking->log, look_at_topic, looking, &error) != MR_OK) {
        mr_examination_tell(looking->examination, MR_VERDICT_WRONG, "topics",
                            "Grant Describe on topics.", "%s", error.message);
        return;
    }
    bool thin = looking->thin_topic != NULL && looking->brokers_count >= REPLICAS_WANTED;
    if (thin)
        mr_examination_tell(looking->examination, MR_VERDICT_WARNING, "internal topics",
                            "Give such topics 3 replicas (kafka-reassign-partitions).",
                            "%s has %d replicas", looking->thin_topic, (int)looking->thin_replicas);
    else
        mr_examination_tell(looking->examination, MR_VERDICT_FINE, "internal topics", NULL,
                            "%u of %u visible topics", looking->internal_count,
                            looking->topics_count);
}

/* An id is initialised, which also shows the right to use ids of the prefix. */
static void check_transactional_id(struct looking *looking)
{
    struct mr_error error;
    uint64_t start_ms = mr_clock_monotonic_ms();
    const char *id = mr_arena_format(looking->arena, "%s.doctor", looking->cluster);
    if (mr_log_fence(looking->log, id, WAIT_MS, &error) == MR_OK)
        mr_examination_tell(looking->examination, MR_VERDICT_FINE, "transactional ids", NULL,
                            "the id %s was initialised in %" PRIu64 " ms", id,
                            mr_clock_monotonic_ms() - start_ms);
    else
        mr_examination_tell(looking->examination, MR_VERDICT_WRONG, "transactional ids",
                            "Grant Describe and Write on transactional ids with the prefix.", "%s",
                            error.message);
}

void mr_examine_kafka(struct mr_examination *examination, struct mr_log *log, const char *cluster)
{
    struct looking looking = {
        .examination = examination, .log = log, .cluster = cluster, .arena = &examination->arena};
    if (!check_brokers(&looking))
        return;
    check_own_topic(&looking, "control topic", "control");
    check_own_topic(&looking, "claims topic", "claims");
    check_internal_topics(&looking);
    check_transactional_id(&looking);
    check_transaction_state(&looking);
}
