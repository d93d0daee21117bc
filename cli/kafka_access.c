/* cli/kafka_access.c — see kafka_access.h. */
#include "cli/kafka_access.h"

#include "base/log.h"
#include "base/options.h"
#include "cli/properties.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { ARENA_CHUNK_BYTES = 64 << 10, QUEUED_BYTES_MAX = 64 << 20, NAMES_MAX = 4096 };

const char *mr_access_text(const struct mr_arguments *arguments, const char *flag,
                           const char *variable, const char *otherwise)
{
    if (mr_arguments_given(arguments, flag))
        return mr_arguments_flag(arguments, flag)->text;
    const char *text = getenv(variable);
    return text != NULL && text[0] != '\0' ? text : otherwise;
}

enum mr_exit mr_kafka_access_open(struct mr_kafka_access *access,
                                  const struct mr_arguments *arguments, const char *client_id)
{
    struct mr_error error;
    const char *const *settings = NULL;
    *access = (struct mr_kafka_access){0};
    mr_log_configure(MR_LOG_ERROR, MR_LOG_LOGFMT); /* a client's retries are no news here */
    mr_arena_init(&access->arena, ARENA_CHUNK_BYTES);
    access->brokers = mr_access_text(arguments, "brokers", "MILLRACE_BROKERS", NULL);
    access->cluster = mr_access_text(arguments, "cluster", "MILLRACE_CLUSTER", "millrace");
    const char *config = mr_access_text(arguments, "kafka-config", "MILLRACE_KAFKA_CONFIG", NULL);
    if (access->brokers == NULL) {
        (void)fprintf(stderr,
                      "millrace: '%s' reads and writes Kafka itself: give --brokers HOST:PORT,... "
                      "or set MILLRACE_BROKERS\n",
                      arguments->command->name);
        return MR_EXIT_USAGE;
    }
    if (config != NULL && mr_properties_read(config, &access->arena, &settings, &error) != MR_OK) {
        (void)fprintf(stderr, "millrace: %s\n", error.message);
        return MR_EXIT_USAGE;
    }
    struct mr_kafka_log_open open = {.brokers = access->brokers,
                                     .client_id = client_id,
                                     .settings = settings,
                                     .queued_bytes_max = QUEUED_BYTES_MAX};
    if (mr_kafka_log_create(&open, &access->log, &error) != MR_OK) {
        (void)fprintf(stderr, "millrace: %s\n", error.message);
        return MR_EXIT_USAGE;
    }
    return MR_EXIT_FINE;
}

void mr_kafka_access_close(struct mr_kafka_access *access)
{
    if (access->log != NULL)
        access->log->ops->close(access->log);
    access->log = NULL;
    mr_arena_deinit(&access->arena);
}

enum mr_exit mr_kafka_access_failure(const struct mr_kafka_access *access, const char *what,
                                     const struct mr_error *error)
{
    bool unreached = error->recovery == MR_RECOVERY_RETRY || error->status == MR_TIMEOUT;
    (void)fprintf(stderr, "millrace: %s: %s", what, error->message);
    if (unreached)
        (void)fprintf(stderr, " Check that Kafka runs and is reached at --brokers %s.",
                      access->brokers);
    (void)fputc('\n', stderr);
    return unreached ? MR_EXIT_UNREACHED : MR_EXIT_WRONG;
}

struct names {
    struct mr_arena *arena;
    const char *items[NAMES_MAX];
    uint32_t count;
};

static void note_name(void *argument, const char *name)
{
    struct names *names = argument;
    if (names->count < NAMES_MAX)
        names->items[names->count++] = mr_arena_copy_text(names->arena, name);
}

enum mr_exit mr_kafka_access_topic(struct mr_kafka_access *access, const char *name,
                                   struct mr_log_topic *topic)
{
    struct mr_error error;
    const struct mr_log_ops *ops = access->log->ops;
    enum mr_status status = ops->topic_describe(access->log, name, topic, &error);
    if (status == MR_OK)
        return MR_EXIT_FINE;
    if (status != MR_NOT_FOUND)
        return mr_kafka_access_failure(access, name, &error);
    struct names *names = mr_arena_new(&access->arena, 1, sizeof *names);
    struct mr_error ignored;
    names->arena = &access->arena;
    const char *nearest = NULL;
    if (ops->topics_list(access->log, note_name, names, &ignored) == MR_OK)
        nearest = mr_options_nearest(name, names->items, names->count);
    (void)fprintf(stderr, "millrace: there is no topic '%s' at %s", name, access->brokers);
    if (nearest != NULL)
        (void)fprintf(stderr, "; did you mean '%s'?", nearest);
    (void)fputc('\n', stderr);
    return MR_EXIT_WRONG;
}

static volatile sig_atomic_t stop_signals;

static void on_signal(int signal_number)
{
    (void)signal_number;
    stop_signals++;
}

void mr_catch_stop_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal, .sa_flags = (int)SA_RESETHAND};
    (void)sigaction(SIGINT, &action, NULL); /* a second one ends the process at once */
    (void)sigaction(SIGTERM, &action, NULL);
}

bool mr_stop_signalled(void)
{
    return stop_signals > 0;
}
