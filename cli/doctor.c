/* cli/doctor.c — `millrace doctor`: is this machine, and the Kafka named, fit for exactly-once?
 * Each check is one line: what was looked at, what was found, and what to do when it is not right.
 */
#include "base/clock.h"
#include "cli/command.h"
#include "cli/properties.h"
#include "connectors/connector.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { WAIT_MS = 10000, FREE_BYTES_MIN = 1 << 30, FILES_MIN = 4096 };

struct examination {
    uint32_t failed_count;
    uint32_t warned_count;
};

enum verdict { VERDICT_FINE, VERDICT_WARNING, VERDICT_WRONG };

static void tell(struct examination *examination, enum verdict verdict, const char *what,
                 const char *found)
{
    static const char *const names[] = {"ok     ", "warning", "wrong  "};
    examination->failed_count += verdict == VERDICT_WRONG;
    examination->warned_count += verdict == VERDICT_WARNING;
    printf("%s  %-28s %s\n", names[verdict], what, found);
}

static void check_machine(struct examination *examination, const char *state_directory)
{
    char found[256];
    struct rlimit files;
    struct statvfs disk;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        (void)snprintf(found, sizeof(found), "%" PRIu64 "%s", (uint64_t)files.rlim_cur,
                       files.rlim_cur < FILES_MIN
                           ? ": RocksDB opens many; raise it with `ulimit -n 65536`"
                           : "");
        tell(examination, files.rlim_cur < FILES_MIN ? VERDICT_WARNING : VERDICT_FINE, "open files",
             found);
    }
    if (statvfs(state_directory, &disk) != 0) {
        (void)snprintf(found, sizeof(found), "%s does not exist yet; `run` creates it",
                       state_directory);
        tell(examination, VERDICT_FINE, "state directory", found);
        return;
    }
    uint64_t free_bytes = (uint64_t)disk.f_bavail * disk.f_frsize;
    bool writable = access(state_directory, W_OK) == 0;
    (void)snprintf(found, sizeof(found), "%s: %" PRIu64 " MiB free%s", state_directory,
                   free_bytes >> 20, writable ? "" : ", not writable for this user");
    tell(examination,
         !writable                     ? VERDICT_WRONG
         : free_bytes < FREE_BYTES_MIN ? VERDICT_WARNING
                                       : VERDICT_FINE,
         "state directory", found);
}

static void count_topic(void *argument, const char *name)
{
    (void)name;
    (*(uint32_t *)argument)++;
}

/* Transactions: an id is initialised twice; the second initialisation must fence the first
 * producer. */
static void check_transactions(struct examination *examination, struct mr_log *log,
                               const char *cluster)
{
    char id[256];
    char found[MR_ERROR_MESSAGE_SIZE + 64];
    struct mr_error error;
    uint64_t start_ms = mr_clock_monotonic_ms();
    (void)snprintf(id, sizeof(id), "%s.doctor", cluster);
    enum mr_status status = mr_log_fence(log, id, WAIT_MS, &error);
    if (status == MR_OK)
        (void)snprintf(found, sizeof(found), "the id %s was initialised in %" PRIu64 " ms", id,
                       mr_clock_monotonic_ms() - start_ms);
    else
        (void)snprintf(found, sizeof(found), "%s", error.message);
    tell(examination, status == MR_OK ? VERDICT_FINE : VERDICT_WRONG, "transactional ids", found);
}

static void check_topic(struct examination *examination, struct mr_log *log, const char *what,
                        const char *name)
{
    struct mr_log_topic topic;
    char found[MR_ERROR_MESSAGE_SIZE + 64];
    struct mr_error error;
    enum mr_status status = log->ops->topic_describe(log, name, &topic, &error);
    if (status == MR_OK)
        (void)snprintf(found, sizeof(found), "%s, %d partitions", name, topic.partitions_count);
    else if (status == MR_NOT_FOUND)
        (void)snprintf(found, sizeof(found), "%s does not exist yet; `run` creates it", name);
    else
        (void)snprintf(found, sizeof(found), "%s", error.message);
    tell(examination, status == MR_OK || status == MR_NOT_FOUND ? VERDICT_FINE : VERDICT_WRONG,
         what, found);
}

/* Returns false when the cluster was not reached. */
static bool check_cluster(struct examination *examination, struct mr_log *log, const char *cluster)
{
    char id[MR_LOG_ID_SIZE];
    char text[256];
    uint32_t topics_count = 0;
    struct mr_error error;
    if (log->ops->cluster_id(log, id, &error) != MR_OK) {
        tell(examination, VERDICT_WRONG, "brokers", error.message);
        return false;
    }
    if (log->ops->topics_list(log, count_topic, &topics_count, &error) != MR_OK) {
        tell(examination, VERDICT_WRONG, "topics", error.message);
        return false;
    }
    (void)snprintf(text, sizeof(text), "cluster %s, %u topics visible", id, topics_count);
    tell(examination, VERDICT_FINE, "brokers", text);
    (void)snprintf(text, sizeof(text), "%s.control", cluster);
    check_topic(examination, log, "control topic", text);
    (void)snprintf(text, sizeof(text), "%s.claims", cluster);
    check_topic(examination, log, "claims topic", text);
    check_topic(examination, log, "transaction state", "__transaction_state");
    check_transactions(examination, log, cluster);
    return true;
}

static enum mr_exit check_kafka(struct examination *examination, const char *brokers,
                                const char *config, const char *cluster)
{
    struct mr_arena arena;
    struct mr_error error;
    struct mr_log *log = NULL;
    const char *const *settings = NULL;
    mr_arena_init(&arena, 4096);
    enum mr_status status = MR_OK;
    if (config != NULL)
        status = mr_properties_read(config, &arena, &settings, &error);
    struct mr_kafka_log_open open = {.brokers = brokers,
                                     .client_id = "millrace-doctor",
                                     .settings = settings,
                                     .queued_bytes_max = 1 << 20};
    if (status == MR_OK)
        status = mr_kafka_log_create(&open, &log, &error);
    bool reached = false;
    if (status != MR_OK)
        tell(examination, VERDICT_WRONG, "Kafka configuration", error.message);
    else
        reached = check_cluster(examination, log, cluster);
    if (log != NULL)
        log->ops->close(log);
    mr_arena_deinit(&arena);
    return status == MR_OK && !reached ? MR_EXIT_UNREACHED : MR_EXIT_FINE;
}

static enum mr_exit doctor(const struct mr_arguments *arguments)
{
    struct examination examination = {0};
    enum mr_exit code = MR_EXIT_FINE;
    const char *state_directory = mr_arguments_given(arguments, "state-dir")
                                      ? mr_arguments_flag(arguments, "state-dir")->text
                                      : "millrace-state";
    check_machine(&examination, state_directory);
    if (mr_arguments_given(arguments, "brokers"))
        code = check_kafka(&examination, mr_arguments_flag(arguments, "brokers")->text,
                           mr_arguments_given(arguments, "kafka-config")
                               ? mr_arguments_flag(arguments, "kafka-config")->text
                               : NULL,
                           mr_arguments_given(arguments, "cluster")
                               ? mr_arguments_flag(arguments, "cluster")->text
                               : "millrace");
    else
        printf("        Kafka was not looked at: give --brokers HOST:PORT\n");
    printf("%u wrong, %u warnings\n", examination.failed_count, examination.warned_count);
    if (code != MR_EXIT_FINE)
        return code;
    return examination.failed_count > 0 ? MR_EXIT_WRONG : MR_EXIT_FINE;
}

static const struct mr_flag doctor_flags[] = {
    MR_FLAG_BROKERS,
    MR_FLAG_KAFKA_CONFIG,
    MR_FLAG_CLUSTER,
    {.name = "state-dir",
     .kind = MR_FLAG_TEXT,
     .value = "DIR",
     .help = "Where state is kept (default ./millrace-state)."},
    {.name = NULL}};

const struct mr_command mr_command_doctor = {
    .name = "doctor",
    .operands = "",
    .summary = "Examine this machine and a Kafka cluster.",
    .flags = doctor_flags,
    .run = doctor,
};
