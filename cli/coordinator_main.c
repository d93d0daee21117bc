/* cli/coordinator_main.c — the program `millrace-coordinator`: options, signals, an orderly end. */
#include "base/clock.h"
#include "base/log.h"
#include "cli/catalogue.h"
#include "cli/command.h"
#include "cli/generators.h"
#include "cli/kubernetes_flags.h"
#include "cli/properties.h"
#include "cli/settings.h"
#include "connectors/connector.h"
#include "coordinator/server.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

enum { REACH_MS_MAX = 60000, RETRY_MS = 1000, TICK_MS = 50 };

static volatile sig_atomic_t stop_signals;

static void on_signal(int signal_number)
{
    (void)signal_number;
    stop_signals++;
}

static void catch_signals(void)
{
    struct sigaction action = {.sa_handler = on_signal};
    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    (void)sigaction(SIGPIPE, &ignore, NULL);
}

static enum mr_status open_log(const struct mr_arguments *arguments, struct mr_arena *arena,
                               struct mr_log **log, struct mr_error *error)
{
    const char *const *settings = NULL;
    const char *path = mr_settings_text(arguments, "kafka-config", NULL);
    if (path != NULL) {
        enum mr_status status = mr_properties_read(path, arena, &settings, error);
        if (status != MR_OK)
            return status;
    }
    struct mr_kafka_log_open open = {
        .brokers = mr_settings_text(arguments, "brokers", NULL),
        .client_id = mr_arena_format(arena, "millrace-coordinator-%ld", (long)getpid()),
        .settings = settings,
        .queued_bytes_max = 64 << 20};
    return mr_kafka_log_create(&open, log, error);
}

static const struct mr_transport_tls *read_tls(const struct mr_arguments *arguments,
                                               struct mr_arena *arena)
{
    struct mr_transport_tls *tls = mr_arena_new(arena, 1, sizeof(*tls));
    tls->certificate_file = mr_settings_text(arguments, "listen-tls-certificate", NULL);
    tls->key_file = mr_settings_text(arguments, "listen-tls-key", NULL);
    tls->authority_file = mr_settings_text(arguments, "listen-tls-authority", NULL);
    return tls->certificate_file != NULL ? tls : NULL;
}

/* Only who works with Kubernetes needs to be where it is. */
static enum mr_status read_kubernetes(const struct mr_arguments *arguments, struct mr_arena *arena,
                                      struct mr_coordinator_options *options,
                                      struct mr_error *error)
{
    struct mr_kubernetes_options *kubernetes = mr_arena_new(arena, 1, sizeof(*kubernetes));
    options->kubernetes = kubernetes;
    options->workers_set = mr_settings_text(arguments, "workers-set", NULL);
    options->kubernetes_topologies = mr_arguments_given(arguments, "kubernetes-topologies");
    if (options->workers_set != NULL && !mr_kubernetes_is_name(options->workers_set))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "--workers-set is the name of a StatefulSet, not %.60s.",
                       options->workers_set);
    options->admission = mr_settings_text(arguments, "kubernetes-admission", NULL);
    options->admission_secret = mr_settings_text(arguments, "kubernetes-admission-secret", NULL);
    options->admission_service = mr_settings_text(arguments, "kubernetes-admission-service", NULL);
    options->admission_webhook = mr_settings_text(arguments, "kubernetes-admission-webhook", NULL);
    if (options->workers_set == NULL && !options->kubernetes_topologies &&
        options->admission == NULL)
        return MR_OK;
    return mr_kubernetes_flags_read(arguments, arena, kubernetes, error);
}

static enum mr_status fill(const struct mr_arguments *arguments, struct mr_arena *arena,
                           struct mr_coordinator_options *options, struct mr_error *error)
{
    struct mr_catalogue *catalogue = mr_arena_new(arena, 1, sizeof(*catalogue));
    const char *token_file = mr_settings_text(arguments, "http-token-file", NULL);
    mr_catalogue_make(arena, catalogue);
    options->catalogue = catalogue;
    options->cluster = mr_settings_text(arguments, "cluster", "millrace");
    options->listen = mr_settings_text(arguments, "listen", NULL);
    options->advertise = mr_settings_text(arguments, "advertise", NULL);
    options->tls = read_tls(arguments, arena);
    options->http = mr_settings_text(arguments, "http", NULL);
    options->http_advertise = mr_settings_text(arguments, "http-advertise", NULL);
    options->http_certificate_file = mr_settings_text(arguments, "http-certificate", NULL);
    options->http_key_file = mr_settings_text(arguments, "http-key", NULL);
    options->http_client_authority_file =
        mr_settings_text(arguments, "http-client-authority", NULL);
    options->http_authority_file = mr_settings_text(arguments, "http-authority", NULL);
    options->websocket = mr_settings_text(arguments, "websocket", NULL);
    options->websocket_connections =
        (uint32_t)mr_settings_integer(arguments, "websocket-connections", 0);
    options->grace_ms = (uint32_t)mr_settings_integer(arguments, "grace", 0);
    options->silence_ms = (uint32_t)mr_settings_integer(arguments, "silence", 0);
    options->moves_max = (uint32_t)mr_settings_integer(arguments, "moves", 0);
    enum mr_status status = read_kubernetes(arguments, arena, options, error);
    if (status == MR_OK)
        status = mr_generators_read_documents(arguments, arena, &options->websocket_documents,
                                              &options->websocket_documents_count, error);
    return status == MR_OK && token_file != NULL
               ? mr_settings_secret(token_file, arena, &options->http_token, error)
               : status;
}

/* Names and addresses that no Kafka and no network can help. */
static bool are_sound(const struct mr_coordinator_options *options)
{
    struct mr_error error;
    if (!mr_settings_is_name(options->cluster)) {
        (void)fprintf(
            stderr,
            "millrace-coordinator: --cluster is 1 to 63 letters, digits, dots, dashes and "
            "underscores, not %s\n",
            options->cluster);
        return false;
    }
    if (mr_nng_address_check(options->listen, options->tls, &error) == MR_OK)
        return true;
    (void)fprintf(stderr, "millrace-coordinator: --listen: %s\n", error.message);
    return false;
}

/* Kafka may still be starting: ask for a while. */
static enum mr_status start(const struct mr_coordinator_options *options, const char *brokers,
                            struct mr_coordinator **coordinator, struct mr_error *error)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + REACH_MS_MAX;
    for (;;) {
        enum mr_status status = mr_coordinator_start(options, coordinator, error);
        if (status == MR_OK || error->recovery != MR_RECOVERY_RETRY || stop_signals > 0 ||
            mr_clock_monotonic_ms() >= until_ms)
            return status;
        MR_LOG_AT(MR_LOG_WARNING, "coordinator", MR_LOG_FIELDS("brokers", brokers),
                  "waiting for Kafka: %s", error->message);
        mr_clock_sleep_ms(RETRY_MS);
    }
}

static enum mr_exit failed(const struct mr_error *error)
{
    bool unreached = error->recovery == MR_RECOVERY_RETRY || error->status == MR_TIMEOUT;
    (void)fprintf(stderr, "millrace-coordinator: %s%s\n", error->message,
                  unreached ? " Check that Kafka runs and is reached at --brokers." : "");
    return unreached ? MR_EXIT_UNREACHED : MR_EXIT_WRONG;
}

static enum mr_exit serve(struct mr_coordinator_options *options, const char *brokers)
{
    struct mr_coordinator *coordinator = NULL;
    struct mr_error error;
    options->transport = mr_nng_transport_create();
    enum mr_exit code = MR_EXIT_FINE;
    if (start(options, brokers, &coordinator, &error) != MR_OK) {
        code = failed(&error);
    } else {
        char port[16];
        char websocket_port[16];
        char admission_port[16];
        (void)snprintf(port, sizeof(port), "%d", mr_coordinator_http_port(coordinator));
        (void)snprintf(websocket_port, sizeof(websocket_port), "%d",
                       mr_coordinator_websocket_port(coordinator));
        (void)snprintf(admission_port, sizeof(admission_port), "%d",
                       mr_coordinator_admission_port(coordinator));
        MR_LOG_AT(MR_LOG_INFO, "coordinator",
                  MR_LOG_FIELDS("cluster", options->cluster, "listen", options->listen, "http_port",
                                port, "websocket_port", websocket_port, "admission_port",
                                admission_port),
                  "the coordinator listens");
        while (stop_signals == 0)
            mr_clock_sleep_ms(TICK_MS);
        mr_coordinator_stop(coordinator);
    }
    options->transport->ops->close(options->transport);
    return code;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    static const char *const needed[] = {"brokers", "listen", "http", NULL};
    struct mr_coordinator_options options = {0};
    struct mr_arena arena;
    struct mr_error error;
    for (size_t index = 0; needed[index] != NULL; index++)
        if (!mr_arguments_given(arguments, needed[index])) {
            (void)fprintf(stderr,
                          "millrace-coordinator: --%s is needed; see `millrace-coordinator "
                          "--help`\n",
                          needed[index]);
            return MR_EXIT_USAGE;
        }
    if (mr_arguments_given(arguments, "log-format"))
        mr_log_configure(MR_LOG_INFO,
                         (enum mr_log_format)mr_settings_integer(arguments, "log-format", 0));
    mr_arena_init(&arena, 1 << 16);
    catch_signals();
    enum mr_exit code = MR_EXIT_FINE;
    if (fill(arguments, &arena, &options, &error) != MR_OK) {
        code = failed(&error);
    } else if (!are_sound(&options)) {
        code = MR_EXIT_USAGE;
    } else if (open_log(arguments, &arena, &options.log, &error) != MR_OK) {
        code = failed(&error);
    } else {
        code = serve(&options, mr_settings_text(arguments, "brokers", ""));
        options.log->ops->close(options.log);
    }
    mr_arena_deinit(&arena);
    return code;
}

static const char *const log_formats[] = {"logfmt", "json", NULL};

#define FILE_FLAG(flag_name, text)                                                                 \
    {                                                                                              \
        .name = flag_name, .kind = MR_FLAG_TEXT, .value = "FILE", .help = text                     \
    }

static const struct mr_flag flags[] = {
    {.name = "config",
     .kind = MR_FLAG_TEXT,
     .value = "FILE",
     .help = "Lines name=value, for options that neither the command line nor the environment "
             "says."},
    MR_FLAG_BROKERS,
    MR_FLAG_KAFKA_CONFIG,
    MR_FLAG_CLUSTER,
    {.name = "listen",
     .kind = MR_FLAG_TEXT,
     .value = "ADDRESS",
     .help = "Where workers ask: tcp://HOST:PORT, tls+tcp://HOST:PORT or ipc://PATH."},
    {.name = "advertise",
     .kind = MR_FLAG_TEXT,
     .value = "ADDRESS",
     .help = "The same as workers reach it (default: --listen)."},
    FILE_FLAG("listen-tls-certificate", "Certificate (PEM) for tls+tcp."),
    FILE_FLAG("listen-tls-key", "Its key (PEM)."),
    FILE_FLAG("listen-tls-authority", "Whom workers' certificates must come from (PEM)."),
    {.name = "http",
     .kind = MR_FLAG_TEXT,
     .value = "HOST:PORT",
     .help = "Where users ask: the API, /healthz, /readyz, /metrics. Port 0: a free one."},
    {.name = "http-advertise",
     .kind = MR_FLAG_TEXT,
     .value = "HOST:PORT",
     .help = "The same as users and other coordinators reach it (default: --http)."},
    FILE_FLAG("http-certificate", "Certificate (PEM) for HTTPS."),
    FILE_FLAG("http-key", "Its key (PEM)."),
    FILE_FLAG("http-client-authority", "Whom users' certificates must come from (PEM)."),
    FILE_FLAG("http-authority", "Whom the workers' HTTPS certificates come from (PEM)."),
    FILE_FLAG("http-token-file", "A file with the bearer token that users must send."),
    MR_FLAGS_WEBSOCKET,
    {.name = "grace",
     .kind = MR_FLAG_DURATION,
     .value = "TIME",
     .minimum = 0,
     .maximum = 3600000,
     .help = "How long the tasks of a worker that restarts wait for it (default 30s)."},
    {.name = "silence",
     .kind = MR_FLAG_DURATION,
     .value = "TIME",
     .minimum = 200,
     .maximum = 60000,
     .help = "A worker that says nothing for as long is gone (default 1s)."},
    {.name = "moves",
     .kind = MR_FLAG_INTEGER,
     .value = "N",
     .minimum = 1,
     .maximum = 1000,
     .help = "Tasks that move for balance's sake at a time (default 8)."},
    {.name = "workers-set",
     .kind = MR_FLAG_TEXT,
     .value = "NAME",
     .help = "The StatefulSet of the workers: one that ends with a number beyond its replicas is "
             "drained,\n        any other restarts."},
    {.name = "kubernetes-topologies",
     .kind = MR_FLAG_SWITCH,
     .help = "Deploy the Topologies of the namespace, and its ConfigMaps with the label "
             "millrace.io/topology=true."},
    {.name = "kubernetes-admission",
     .kind = MR_FLAG_TEXT,
     .value = "HOST:PORT",
     .help = "Serve the admission webhook for Topologies here, over TLS: /v1/admission."},
    {.name = "kubernetes-admission-secret",
     .kind = MR_FLAG_TEXT,
     .value = "NAME",
     .help = "The Secret with its certificate (default millrace-admission); the leader fills an "
             "empty one\n        and, if it may, makes a missing one."},
    {.name = "kubernetes-admission-service",
     .kind = MR_FLAG_TEXT,
     .value = "NAME",
     .help = "The Service that the certificate is for (default millrace-coordinator)."},
    {.name = "kubernetes-admission-webhook",
     .kind = MR_FLAG_TEXT,
     .value = "NAME",
     .help = "The ValidatingWebhookConfiguration whose caBundle the leader writes (default: "
             "none)."},
    MR_FLAGS_KUBERNETES,
    {.name = "log-format",
     .kind = MR_FLAG_CHOICE,
     .value = "FORMAT",
     .choices = log_formats,
     .help = "Log lines as `logfmt` (the default) or `json`."},
    {.name = NULL}};

static const struct mr_command command = {
    .name = "millrace-coordinator",
    .operands = "",
    .summary = "Assigns the tasks of topologies to workers, and answers users.",
    .description = "Several may run for one cluster; one leads. Ends with SIGTERM or SIGINT, "
                   "handing over first.",
    .flags = flags,
    .run = run,
};

int main(int words_count, char **words)
{
    return mr_settings_main(&command, words_count, words);
}
