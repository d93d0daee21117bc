/* worker/http_api.c — the worker's probes and metrics. */
#include "worker/http_api.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "record/json_write.h"
#include "worker/http_internal.h"

#include <inttypes.h>
#include <stdio.h>

enum { SAMPLE_MS_MIN = 500, RETRY_S = 2 };

void mr_worker_http_answer_value(struct mr_http_exchange *exchange, struct mr_value value)
{
    struct mr_arena *arena = mr_http_arena(exchange);
    uint8_t *text = mr_arena_take(arena, mr_json_write_bound(value) + MR_JSON_WRITE_SLACK);
    uint8_t *end = mr_json_write(text, value);
    if (end == NULL) {
        mr_http_problem(exchange, 500, 0, "The answer cannot be written as JSON: %s.",
                        mr_json_write_refusal(arena, value));
        return;
    }
    *end++ = '\n';
    mr_http_answer(exchange, 200, "application/json", mr_slice_from(text, (size_t)(end - text)));
}

static struct mr_worker_health ask(struct mr_worker_http *api)
{
    struct mr_worker_health health = {0};
    api->options.health(api->options.argument, &health);
    return health;
}

/* A loop that stands still is named. */
static bool stands_still(struct mr_http_exchange *exchange, const char *loop, uint64_t silent_ms)
{
    if (silent_ms < MR_WORKER_SILENCE_MS_MAX)
        return false;
    mr_http_problem(exchange, 503, 0, "%s has not turned for %" PRIu64 " ms.", loop, silent_ms);
    return true;
}

static void answer_healthz(void *argument, struct mr_http_exchange *exchange)
{
    struct mr_worker_health health = ask(argument);
    char thread[32];
    (void)snprintf(thread, sizeof thread, "Task thread %" PRIu32, health.thread);
    if (stands_still(exchange, thread, health.threads_silent_ms) ||
        stands_still(exchange, "The follower", health.follower_silent_ms) ||
        stands_still(exchange, "The agent", health.agent_silent_ms))
        return;
    struct mr_state_description members = {0};
    mr_describe_member(&members, "status", mr_value_string(mr_slice_text("ok")));
    mr_describe_member(&members, "task_threads_silent_ms", mr_value_uint(health.threads_silent_ms));
    mr_describe_member(&members, "follower_silent_ms", mr_value_uint(health.follower_silent_ms));
    mr_describe_member(&members, "agent_silent_ms", mr_value_uint(health.agent_silent_ms));
    mr_worker_http_answer_value(exchange, mr_description_value(&members));
}

/* When the restore will end, as a part of a sentence. */
static void estimate(struct mr_worker_http *api, const struct mr_worker_health *health, char *text,
                     size_t size)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    uint64_t elapsed_ms = now_ms - api->sample_ms;
    if (api->sample_ms == 0 || health->restored_records < api->sample_records) {
        api->sample_ms = now_ms;
        api->sample_records = health->restored_records;
        api->records_per_ms = 0;
    } else if (elapsed_ms >= SAMPLE_MS_MIN) {
        api->records_per_ms =
            (double)(health->restored_records - api->sample_records) / (double)elapsed_ms;
        api->sample_ms = now_ms;
        api->sample_records = health->restored_records;
    }
    if (health->remaining_records < 0)
        (void)snprintf(text, size, "how much is left is not known yet");
    else if (api->records_per_ms > 0)
        (void)snprintf(text, size, "%" PRId64 " records are left, about %.1f s",
                       health->remaining_records,
                       (double)health->remaining_records / api->records_per_ms / 1000);
    else
        (void)snprintf(text, size, "%" PRId64 " records are left, how long is not known yet",
                       health->remaining_records);
}

/* Failed and fenced tasks do not count: time does not heal them, and a worker that is not ready for
 * them would hold up the very rollout that brings the correction. */
static void answer_readyz(void *argument, struct mr_http_exchange *exchange)
{
    struct mr_worker_http *api = argument;
    struct mr_worker_health health = ask(api);
    char left[128];
    estimate(api, &health, left, sizeof left);
    uint32_t waiting = health.tasks_count - health.tasks_ready - health.tasks_failed;
    if (!health.started || !health.assigned) {
        mr_http_problem(exchange, 503, RETRY_S, "%s has answered yet.",
                        health.started ? "No coordinator" : "No Kafka broker");
    } else if (health.leaving) {
        mr_http_problem(exchange, 503, RETRY_S, "This worker is leaving.");
    } else if (health.more) {
        mr_http_problem(exchange, 503, RETRY_S, "The coordinator is about to give it tasks.");
    } else if (waiting > 0) {
        mr_http_problem(exchange, 503, RETRY_S,
                        "%u of %u tasks are not restored (%u others failed or were fenced); %s.",
                        waiting, health.tasks_count, health.tasks_failed, left);
    } else {
        struct mr_state_description members = {0};
        mr_describe_member(&members, "status", mr_value_string(mr_slice_text("ready")));
        mr_describe_member(&members, "tasks", mr_value_uint(health.tasks_count));
        mr_describe_member(&members, "tasks_failed", mr_value_uint(health.tasks_failed));
        mr_worker_http_answer_value(exchange, mr_description_value(&members));
    }
}

static void answer_metrics(void *argument, struct mr_http_exchange *exchange)
{
    struct mr_worker_http *api = argument;
    struct mr_buffer text;
    mr_buffer_init(&text, MR_WORKER_METRICS_BYTES_MAX);
    if (mr_metrics_format_prometheus(api->options.metrics, &text) == MR_OK)
        mr_http_answer(exchange, 200, "text/plain; version=0.0.4; charset=utf-8",
                       mr_buffer_view(&text));
    else
        mr_http_problem(exchange, 500, 0, "The metrics' text is larger than %d MiB.",
                        MR_WORKER_METRICS_BYTES_MAX >> 20);
    mr_buffer_deinit(&text);
}

/* ---- Taps ---- */

enum { CHANNEL_SIZE = 256 };

static void name_channel(char channel[CHANNEL_SIZE], const char *topology, const char *node)
{
    (void)snprintf(channel, CHANNEL_SIZE, "tap/%s/%s", topology, node);
}

static void subscribe(void *argument, struct mr_http_exchange *exchange)
{
    const struct mr_http_request *request = mr_http_request_of(exchange);
    char channel[CHANNEL_SIZE];
    (void)argument;
    name_channel(channel, request->parts[0], request->parts[1]);
    mr_http_subscribe(exchange, channel);
}

static uint32_t count_listeners(void *argument, const char *topology, const char *node)
{
    struct mr_worker_http *api = argument;
    char channel[CHANNEL_SIZE];
    name_channel(channel, topology, node);
    return mr_http_subscribers(api->server, channel);
}

static void show(void *argument, const char *topology, const char *node, struct mr_slice json)
{
    struct mr_worker_http *api = argument;
    char channel[CHANNEL_SIZE];
    name_channel(channel, topology, node);
    mr_http_publish(api->server, channel, "record", atomic_fetch_add(&api->shown_count, 1) + 1,
                    json);
}

struct mr_tap_outlet mr_worker_http_outlet(struct mr_worker_http *api)
{
    return (struct mr_tap_outlet){.argument = api, .listeners = count_listeners, .publish = show};
}

static const struct mr_http_route routes[] = {
    {MR_HTTP_GET, "/healthz", answer_healthz},
    {MR_HTTP_GET, "/readyz", answer_readyz},
    {MR_HTTP_GET, "/metrics", answer_metrics},
    {MR_HTTP_GET, "/v1/state/{topology}/{store}/{key*}", mr_worker_http_query},
    {MR_HTTP_GET, "/v1/state/{topology}/{store}", mr_worker_http_query},
    {MR_HTTP_GET, "/v1/models/{topology}/{operator}/{key*}", mr_worker_http_model},
    {MR_HTTP_GET, "/v1/models/{topology}/{operator}", mr_worker_http_model},
    {MR_HTTP_GET, "/v1/taps/{topology}/{operator}", subscribe},
    {MR_HTTP_GET, NULL, NULL},
};

enum mr_status mr_worker_http_start(const struct mr_worker_http_options *options,
                                    struct mr_worker_http **api, struct mr_error *error)
{
    struct mr_worker_http *started = mr_memory_new(1, sizeof *started);
    started->options = *options;
    struct mr_http_server_options server = {
        .address = options->address,
        .certificate_file = options->certificate_file,
        .key_file = options->key_file,
        .client_authority_file = options->client_authority_file,
        .token = options->token,
        .routes = routes,
        .argument = started,
    };
    enum mr_status status = mr_http_server_start(&server, &started->server, error);
    if (status != MR_OK) {
        mr_memory_free(started);
        return status;
    }
    *api = started;
    return MR_OK;
}

void mr_worker_http_stop(struct mr_worker_http *api)
{
    if (api == NULL)
        return;
    mr_http_server_stop(api->server);
    mr_memory_free(api);
}

int mr_worker_http_port(const struct mr_worker_http *api)
{
    return mr_http_server_port(api->server);
}
