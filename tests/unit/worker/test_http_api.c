/* tests/unit/worker/test_http_api.c — the worker's HTTP API over a real socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/engine_metrics.h"
#include "http/client.h"
#include "tests/unit/worker/query_fixture.h"
#include "worker/http_api.h"

static struct mr_worker_health health;
static struct mr_metrics *metrics;
static struct mr_query_registry *registry;
static struct mr_worker_http *api;
static struct mr_http_client *client;
static struct mr_arena arena;
static struct mr_http_reply reply;

static void tell_health(void *argument, struct mr_worker_health *told)
{
    (void)argument;
    *told = health;
}

static int setup(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_http_client_options client_options = {.token = "token"};
    health = (struct mr_worker_health){.started = true, .assigned = true};
    metrics = mr_metrics_create();
    registry = mr_query_registry_create();
    mr_arena_init(&arena, 4096);
    struct mr_worker_http_options options = {.address = "127.0.0.1:0",
                                             .token = "token",
                                             .metrics = metrics,
                                             .queries = registry,
                                             .health = tell_health};
    assert_int_equal(mr_worker_http_start(&options, &api, &error), MR_OK);
    assert_int_equal(mr_http_client_create(&client_options, &client, &error), MR_OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    mr_http_client_destroy(client);
    mr_worker_http_stop(api);
    mr_query_registry_destroy(registry);
    mr_metrics_destroy(metrics);
    mr_arena_deinit(&arena);
    return 0;
}

/* GET path; the code is checked, the body returned. */
static const char *get(const char *path, int code)
{
    struct mr_error error = {0};
    const char *url =
        mr_arena_format(&arena, "http://127.0.0.1:%d%s", mr_worker_http_port(api), path);
    assert_int_equal(mr_http_client_send(client, "GET", url, NULL, mr_slice_from(NULL, 0), 10000,
                                         &arena, &reply, &error),
                     MR_OK);
    if (reply.code != code)
        print_error("%s: %d %s\n", path, reply.code, (const char *)reply.body.data);
    assert_int_equal(reply.code, code);
    return (const char *)reply.body.data;
}

static void expect_in(const char *text, const char *part)
{
    if (strstr(text, part) == NULL)
        print_error("%s is not in %s\n", part, text);
    assert_non_null(strstr(text, part));
}

static void test_healthz_names_what_stands_still(void **state)
{
    (void)state;
    health.threads_silent_ms = 29999;
    health.follower_silent_ms = 2;
    health.agent_silent_ms = 3;
    expect_in(get("/healthz", 200), "{\"status\":\"ok\",\"task_threads_silent_ms\":29999,"
                                    "\"follower_silent_ms\":2,\"agent_silent_ms\":3}");
    health.threads_silent_ms = 30000;
    health.thread = 7;
    expect_in(get("/healthz", 503), "Task thread 7 has not turned for 30000 ms.");
    health.threads_silent_ms = 0;
    health.follower_silent_ms = 30001;
    expect_in(get("/healthz", 503), "The follower has not turned for 30001 ms.");
    health.follower_silent_ms = 0;
    health.agent_silent_ms = 40000;
    expect_in(get("/healthz", 503), "The agent has not turned for 40000 ms.");
    health = (struct mr_worker_health){0}; /* Kafka is awaited: that is alive */
    (void)get("/healthz", 200);
}

static void test_readyz_says_how_many_are_not_and_when(void **state)
{
    (void)state;
    expect_in(get("/readyz", 200), "{\"status\":\"ready\",\"tasks\":0,\"tasks_failed\":0}");
    health.assigned = false;
    expect_in(get("/readyz", 503), "No coordinator has answered yet.");
    health.started = false;
    expect_in(get("/readyz", 503), "No Kafka broker has answered yet.");
    health.started = true;
    health.assigned = true;
    health.more = true;
    expect_in(get("/readyz", 503), "The coordinator is about to give it tasks.");
    health.leaving = true;
    expect_in(get("/readyz", 503), "This worker is leaving.");
    health = (struct mr_worker_health){.started = true,
                                       .assigned = true,
                                       .tasks_count = 4,
                                       .tasks_ready = 2,
                                       .remaining_records = -1};
    expect_in(get("/readyz", 503), "2 of 4 tasks are not restored");
    assert_int_equal(reply.retry_after_s, 2);
    mr_clock_sleep_ms(600);
    health.restored_records = 6000;
    health.remaining_records = 10000;
    expect_in(get("/readyz", 503), "10000 records are left, about ");
    health.tasks_failed = 1;
    expect_in(get("/readyz", 503),
              "1 of 4 tasks are not restored (1 others failed or were fenced)");
    health.tasks_ready = 4;
    health.tasks_failed = 0;
    expect_in(get("/readyz", 200), "\"tasks\":4,\"tasks_failed\":0");
}

/* One topology's bad data must not hold up the rollout that corrects it. */
static void test_failed_tasks_do_not_make_it_unready(void **state)
{
    (void)state;
    health = (struct mr_worker_health){
        .started = true, .assigned = true, .tasks_count = 4, .tasks_ready = 3, .tasks_failed = 1};
    expect_in(get("/readyz", 200), "{\"status\":\"ready\",\"tasks\":4,\"tasks_failed\":1}");
    health.tasks_ready = 0;
    health.tasks_failed = 4;
    expect_in(get("/readyz", 200), "\"tasks_failed\":4");
}

static void test_metrics_are_what_promtool_takes(void **state)
{
    (void)state;
    static const char *const values[] = {"t", "s", "0", NULL};
    for (int i = 0; i < MR_ENGINE_METRIC_COUNT; i++)
        (void)mr_metrics_series(metrics, mr_engine_metric((enum mr_engine_metric)i), values);
    const char *text = get("/metrics", 200);
    assert_string_equal(reply.content_type, "text/plain; version=0.0.4; charset=utf-8");
    expect_in(text,
              "# TYPE millrace_claims_total counter\nmillrace_claims_total{topology=\"t\"} 0\n");
    if (system("command -v promtool >/dev/null") != 0)
        skip(); /* Debian's package prometheus: script/bootstrap installs it */
    FILE *promtool = popen("promtool check metrics", "w");
    assert_non_null(promtool);
    assert_int_equal(fwrite(reply.body.data, 1, reply.body.size, promtool), reply.body.size);
    assert_int_equal(pclose(promtool), 0);
}

static void test_state_is_read_by_key(void **state)
{
    (void)state;
    struct query_task task;
    query_task_open(&task, registry, 0, 1, false);
    expect_in(get("/v1/state/sensors/spikes/a", 503), "is being restored");
    assert_int_equal(reply.retry_after_s, 2);
    mr_query_remaining(task.entry, 70);
    expect_in(get("/v1/state/sensors/spikes/a", 503), "70 records are left");
    mr_query_ready(task.entry);
    query_task_feed(&task, "a/b \"c\"", 3);
    query_task_feed(&task, "[1,\"x y\"]", 5);
    expect_in(get("/v1/state/sensors/spikes/a%2Fb%20%22c%22", 200),
              "{\"topology\":\"sensors\",\"store\":\"spikes\",\"key\":\"a/b \\\"c\\\"\","
              "\"partition\":0,\"value\":{\"seen\":1,\"count\":1,\"mean\":3,\"sd\":0},"
              "\"as_of\":{\"changelog_offset\":");
    expect_in(get("/v1/state/sensors/spikes/%5B1%2C%20%22x%20y%22%5D", 200), "\"mean\":5");
    expect_in(get("/v1/state/sensors/spikes/none", 404), "holds nothing for the key");
    expect_in(get("/v1/state/sensors/spikes", 404), "holds nothing for the key");
    expect_in(get("/v1/state/sensors/spikez/a", 404), "the nearest is spikes");
    expect_in(get("/v1/state/sensor/spikes/a", 404), "the nearest is sensors");
    expect_in(get("/v1/state/sensors/spikes/a?partition=x", 400), "`partition` is not a number");
    expect_in(get("/v1/state/sensors/spikes/a?last=0", 400), "`last` is a number of records");
    expect_in(get("/v1/state/sensors/spikes/a?since=9", 400), "`since` a duration");
    expect_in(get("/v1/state/sensors/spikes/a?last=5", 400), "detect.zscore keeps no records");
    expect_in(get("/v1/state/sensors/spikes/a?since=9s", 400), "detect.zscore keeps no records");
    static const char *const places[] = {"layer=x",         "layer=-1",
                                         "from=1,2,3",      "to=1,2,3",
                                         "from=1,2&to=1,2", "from=1,2,3,&to=1,2,3",
                                         "from=a&to=1,2,3", "from=1,2,3&to=1,2,1e999"};
    for (size_t index = 0; index < MR_ARRAY_COUNT(places); index++) {
        char path[128];
        snprintf(path, sizeof(path), "/v1/state/sensors/spikes/a?%s", places[index]);
        expect_in(get(path, 400), "`layer` is the index of a layer");
    }
    expect_in(get("/v1/state/sensors/spikes/a?layer=1", 400), "detect.zscore keeps no voxels");
    expect_in(get("/v1/state/sensors/spikes/a?from=0,-1,2.5&to=1,2,3e2", 400), "keeps no voxels");
    expect_in(get("/v1/state/sensors/spikes/a?partition=7", 503), "is not on this worker now");
    assert_int_equal(reply.retry_after_s, 1);
    (void)get("/v1/state/sensors/spikes/%00", 400);
    query_task_close(&task);
}

static void test_a_standby_says_how_stale_it_is(void **state)
{
    (void)state;
    struct query_task task;
    query_task_open(&task, registry, 0, 1, true);
    query_task_feed(&task, "a", 3);
    mr_query_ready(task.entry);
    (void)get("/v1/state/sensors/spikes/a", 503);
    expect_in(get("/v1/state/sensors/spikes/a?standby=1", 200),
              "\"standby\":true,\"staleness_ms\":null,\"staleness_records\":null}");
    mr_query_current(task.entry, mr_clock_wall_ms());
    mr_query_remaining(task.entry, 4);
    const char *text = get("/v1/state/sensors/spikes/a?standby=1", 200);
    expect_in(text, "\"staleness_records\":4}");
    const char *staleness = strstr(text, "\"staleness_ms\":");
    assert_non_null(staleness);
    assert_in_range(strtol(staleness + 15, NULL, 10), 0, 5000);
    query_task_close(&task);
}

static void test_a_model_is_a_document(void **state)
{
    (void)state;
    struct query_task task;
    query_task_open_node(&task, registry,
                         "    - {name: like, type: generate.copula, learn: in, key: [k], fields: "
                         "[value], learn_batch: 8}\n",
                         "like");
    mr_query_ready(task.entry);
    for (int row = 0; row < 7; row++)
        query_task_feed(&task, "a/b", row);
    expect_in(get("/v1/models/sensors/like/a%2Fb", 400),
              "sensors/like/a/b has learned nothing yet: 7 records wait, and 8 are learned");
    query_task_feed(&task, "a/b", 7);
    const char *text = get("/v1/models/sensors/like/a%2Fb", 200);
    assert_string_equal(reply.content_type, "application/json");
    expect_in(text, "\"millrace_model\": 1,\n\"type\": \"copula\",\n\"name\": "
                    "\"sensors/like/a/b\",\n\"version\": 1,\n\"rows\": 8,");
    expect_in(get("/v1/models/sensors/like/none", 404), "holds nothing for the key");
    expect_in(get("/v1/models/sensors/like", 404), "holds nothing for the key");
    expect_in(get("/v1/models/sensors/like?partition=3", 503), "Partition 3 of sensors");
    expect_in(get("/v1/models/sensors/likes/a", 404), "the nearest is like");
    expect_in(get("/v1/models/sensors/like/a?partition=x", 400), "`partition` is not a number");
    query_task_close(&task);
    query_task_open(&task, registry, 0, 1, false);
    mr_query_ready(task.entry);
    query_task_feed(&task, "a", 3);
    expect_in(get("/v1/models/sensors/spikes/a", 400), "detect.zscore learns no model");
    query_task_close(&task);
}

static void test_probes_are_open_and_state_is_not(void **state)
{
    (void)state;
    struct mr_http_client *stranger = client;
    struct mr_http_client_options options = {0};
    struct mr_error error;
    assert_int_equal(mr_http_client_create(&options, &client, &error), MR_OK);
    (void)get("/healthz", 200);
    (void)get("/metrics", 200);
    (void)get("/v1/state/sensors/spikes/a", 401);
    mr_http_client_destroy(client);
    client = stranger;
}

/* Shows a row as soon as somebody listens, as a task thread would. */
static void *show_rows(void *argument)
{
    struct mr_tap_outlet *outlet = argument;
    for (int turn = 0; turn < 1000 && outlet->listeners(outlet->argument, "t", "score") == 0;
         turn++)
        mr_clock_sleep_ms(5);
    outlet->publish(outlet->argument, "t", "other", mr_slice_text("{\"other\":1}"));
    outlet->publish(outlet->argument, "t", "score", mr_slice_text("{\"offset\":7}"));
    return NULL;
}

static bool keep_row(void *argument, const char *event, struct mr_slice data)
{
    assert_string_equal(event, "record");
    (void)snprintf(argument, 64, "%.*s", (int)data.size, (const char *)data.data);
    return false;
}

static void test_a_tap_is_a_stream_of_events(void **state)
{
    (void)state;
    struct mr_tap_outlet outlet = mr_worker_http_outlet(api);
    struct mr_error error = {0};
    pthread_t thread;
    char row[64] = "";
    assert_int_equal(outlet.listeners(outlet.argument, "t", "score"), 0);
    assert_int_equal(pthread_create(&thread, NULL, show_rows, &outlet), 0);
    const char *url =
        mr_arena_format(&arena, "http://127.0.0.1:%d/v1/taps/t/score", mr_worker_http_port(api));
    assert_int_equal(mr_http_client_listen(client, url, keep_row, row, &error), MR_OK);
    (void)pthread_join(thread, NULL);
    assert_string_equal(row, "{\"offset\":7}");
}

#define WITH_API(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_API(test_healthz_names_what_stands_still),
        WITH_API(test_readyz_says_how_many_are_not_and_when),
        WITH_API(test_failed_tasks_do_not_make_it_unready),
        WITH_API(test_metrics_are_what_promtool_takes),
        WITH_API(test_state_is_read_by_key),
        WITH_API(test_a_standby_says_how_stale_it_is),
        WITH_API(test_a_model_is_a_document),
        WITH_API(test_probes_are_open_and_state_is_not),
        WITH_API(test_a_tap_is_a_stream_of_events),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
