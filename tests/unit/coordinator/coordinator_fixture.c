/* tests/unit/coordinator/coordinator_fixture.c — see coordinator_fixture.h. */
#include "tests/unit/coordinator/coordinator_fixture.h"

#include "base/clock.h"
#include "base/memory.h"
#include "cli/catalogue.h"
#include "connectors/connector.h"
#include "proto/codec.h"
#include "proto/transport.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { PATIENCE_MS = 60000, PAUSE_MS = 20, TASKS_MAX = 64, BODY_MS = 60000 };

#define HEAD(name)                                                                                 \
    "apiVersion: millrace.io/v1alpha1\nkind: Topology\nmetadata: {name: " name "}\nspec:\n"        \
    "  sources:\n    - {name: a, type: kafka, format: json, topic: in, key: [k]}\n  operators:\n"
#define SCORE(name, more)                                                                          \
    "    - {name: " name ", type: detect.zscore, from: a, key: [k], field: value" more "}\n"
#define SINK(from) "  sinks:\n    - {name: results, type: kafka, from: " from ", topic: out}\n"

const char mr_fixture_stateful[] = HEAD("t") SCORE("score", "") SINK("score");
const char mr_fixture_tuned[] = HEAD("t") SCORE("score", ", threshold: 9.0") SINK("score");
const char mr_fixture_renamed[] = HEAD("t") SCORE("other", "") SINK("other");
const char mr_fixture_stateless[] =
    HEAD("u") "    - {name: pass, type: filter, from: a, where: 'k != \"\"'}\n" SINK("pass");

/* ---- A transport of one place: one request at a time ---- */

struct place {
    struct mr_transport transport; /* first */
    struct mr_transport_server server;
    pthread_mutex_t mutex;
    uint8_t *request;
    size_t request_size;
    bool taken;
    uint64_t handle; /* rises */
    uint8_t *reply;
    size_t reply_size;
    bool replied;
    bool dropped;
    uint8_t *handed; /* borrowed by the receiver until the next receive */
};

static struct place *place_of(struct mr_transport_server *server)
{
    return (struct place *)server->transport;
}

static enum mr_status place_create(struct mr_transport *transport, const char *address,
                                   const struct mr_transport_tls *tls,
                                   struct mr_transport_server **server, struct mr_error *error)
{
    (void)address;
    (void)tls;
    (void)error;
    *server = &((struct place *)transport)->server;
    return MR_OK;
}

static void place_destroy(struct mr_transport_server *server)
{
    (void)server;
}

static enum mr_status place_receive(struct mr_transport_server *server, uint32_t wait_ms,
                                    struct mr_transport_incoming *incoming, struct mr_error *error)
{
    struct place *place = place_of(server);
    enum mr_status status = MR_AGAIN;
    (void)error;
    for (uint32_t waited = 0; waited <= wait_ms && status == MR_AGAIN; waited += 2) {
        (void)pthread_mutex_lock(&place->mutex);
        if (place->request != NULL && !place->taken) {
            mr_memory_free(place->handed);
            place->handed = place->request;
            place->request = NULL;
            place->taken = true;
            *incoming = (struct mr_transport_incoming){
                .handle = place->handle,
                .peer = 7,
                .bytes = mr_slice_from(place->handed, place->request_size)};
            status = MR_OK;
        }
        (void)pthread_mutex_unlock(&place->mutex);
        if (status == MR_AGAIN)
            mr_clock_sleep_ms(2);
    }
    return status;
}

static void place_reply(struct mr_transport_server *server, uint64_t handle, struct mr_slice bytes)
{
    struct place *place = place_of(server);
    (void)pthread_mutex_lock(&place->mutex);
    if (handle == place->handle && !place->replied) {
        place->reply = (uint8_t *)mr_memory_copy_bytes(bytes.data, bytes.size);
        place->reply_size = bytes.size;
        place->replied = true;
    }
    (void)pthread_mutex_unlock(&place->mutex);
}

static void place_drop(struct mr_transport_server *server, uint64_t peer)
{
    struct place *place = place_of(server);
    (void)peer;
    (void)pthread_mutex_lock(&place->mutex);
    place->dropped = true;
    (void)pthread_mutex_unlock(&place->mutex);
}

static void place_wake(struct mr_transport_server *server)
{
    (void)server;
}

static void place_close(struct mr_transport *transport)
{
    struct place *place = (struct place *)transport;
    mr_memory_free(place->request);
    mr_memory_free(place->reply);
    mr_memory_free(place->handed);
    (void)pthread_mutex_destroy(&place->mutex);
    mr_memory_free(place);
}

static const struct mr_transport_ops place_ops = {.name = "place",
                                                  .server_create = place_create,
                                                  .server_destroy = place_destroy,
                                                  .server_receive = place_receive,
                                                  .server_reply = place_reply,
                                                  .server_drop = place_drop,
                                                  .server_wake = place_wake,
                                                  .close = place_close};

static struct mr_transport *place_new(void)
{
    struct place *place = mr_memory_new(1, sizeof(*place));
    place->transport.ops = &place_ops;
    place->server.transport = &place->transport;
    assert_int_equal(pthread_mutex_init(&place->mutex, NULL), 0);
    return &place->transport;
}

/* ---- Life ---- */

int mr_coordinator_fixture_set_up(void **state)
{
    static struct mr_coordinator_fixture fixture;
    const struct mr_memory_log_open open = {0};
    const char *const names[] = {"in", "out"};
    const struct mr_http_client_options client = {0};
    memset(&fixture, 0, sizeof(fixture));
    mr_arena_init(&fixture.arena, 1 << 16);
    mr_catalogue_make(&fixture.arena, &fixture.catalogue);
    assert_int_equal(mr_memory_log_create(&open, &fixture.log, &fixture.error), MR_OK);
    for (int at = 0; at < 2; at++) {
        const struct mr_log_topic_create topic = {
            .name = names[at], .partitions_count = 2, .replication_factor = -1};
        assert_int_equal(fixture.log->ops->topic_create(fixture.log, &topic, &fixture.error),
                         MR_OK);
    }
    assert_int_equal(mr_http_client_create(&client, &fixture.client, &fixture.error), MR_OK);
    *state = &fixture;
    return 0;
}

int mr_coordinator_fixture_tear_down(void **state)
{
    struct mr_coordinator_fixture *fixture = *state;
    for (uint32_t index = 0; index < MR_FIXTURE_COORDINATORS; index++)
        mr_coordinator_fixture_stop(fixture, index);
    mr_http_client_destroy(fixture->client);
    fixture->log->ops->close(fixture->log);
    mr_arena_deinit(&fixture->arena);
    return 0;
}

void mr_coordinator_fixture_start(struct mr_coordinator_fixture *fixture, uint32_t index)
{
    fixture->transports[index] = place_new();
    const struct mr_coordinator_options options = {.cluster = "c",
                                                   .log = fixture->log,
                                                   .transport = fixture->transports[index],
                                                   .catalogue = &fixture->catalogue,
                                                   .listen = index == 0 ? "place://0" : "place://1",
                                                   .http = "127.0.0.1:0",
                                                   .websocket = fixture->websocket,
                                                   .workers_set = fixture->workers_set,
                                                   .stuck_ms = fixture->stuck_ms,
                                                   .kubernetes = fixture->kubernetes,
                                                   .kubernetes_topologies =
                                                       fixture->kubernetes_topologies,
                                                   .silence_ms = 5000,
                                                   .takeover_ms = 50,
                                                   .settle_ms = 10,
                                                   .watch_ms = 200,
                                                   .wait_ms = 2000};
    if (mr_coordinator_start(&options, &fixture->coordinators[index], &fixture->error) != MR_OK)
        fail_msg("%s", fixture->error.message);
}

void mr_coordinator_fixture_stop(struct mr_coordinator_fixture *fixture, uint32_t index)
{
    mr_coordinator_stop(fixture->coordinators[index]);
    fixture->coordinators[index] = NULL;
    if (fixture->transports[index] != NULL)
        fixture->transports[index]->ops->close(fixture->transports[index]);
    fixture->transports[index] = NULL;
}

/* ---- Users ---- */

struct mr_http_reply mr_coordinator_fixture_ask(struct mr_coordinator_fixture *fixture,
                                                uint32_t index, const char *method,
                                                const char *path, const char *content_type,
                                                const char *body)
{
    struct mr_http_reply reply = {0};
    char url[1024];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%d%s",
                   mr_coordinator_http_port(fixture->coordinators[index]), path);
    if (mr_http_client_send(fixture->client, method, url, body != NULL ? content_type : NULL,
                            mr_slice_text(body != NULL ? body : ""), BODY_MS, &fixture->arena,
                            &reply, &fixture->error) != MR_OK)
        fail_msg("%s %s: %s", method, path, fixture->error.message);
    return reply;
}

static bool holds(const struct mr_http_reply *reply, const char *text)
{
    return text == NULL || strstr((const char *)reply->body.data, text) != NULL;
}

void mr_coordinator_fixture_expect(struct mr_coordinator_fixture *fixture, const char *method,
                                   const char *path, const char *body, int code, const char *text)
{
    const char *type = body != NULL && body[0] == '{' ? "application/json" : "application/yaml";
    struct mr_http_reply reply = mr_coordinator_fixture_ask(fixture, 0, method, path, type, body);
    if (reply.code != code || !holds(&reply, text))
        fail_msg("%s %s: %d, expected %d with \"%s\": %.600s", method, path, reply.code, code,
                 text != NULL ? text : "", (const char *)reply.body.data);
}

void mr_coordinator_fixture_await(struct mr_coordinator_fixture *fixture, const char *path,
                                  const char *text)
{
    struct mr_http_reply reply = {0};
    for (uint64_t until_ms = mr_clock_monotonic_ms() + PATIENCE_MS;
         mr_clock_monotonic_ms() < until_ms; mr_clock_sleep_ms(PAUSE_MS)) {
        reply = mr_coordinator_fixture_ask(fixture, 0, "GET", path, NULL, NULL);
        if (holds(&reply, text))
            return;
    }
    fail_msg("%s: never \"%s\": %.600s", path, text, (const char *)reply.body.data);
}

void mr_coordinator_fixture_lead(struct mr_coordinator_fixture *fixture, uint32_t index)
{
    for (uint64_t until_ms = mr_clock_monotonic_ms() + PATIENCE_MS;
         mr_clock_monotonic_ms() < until_ms; mr_clock_sleep_ms(PAUSE_MS)) {
        struct mr_http_reply reply =
            mr_coordinator_fixture_ask(fixture, index, "GET", "/v1/leader", NULL, NULL);
        if (holds(&reply, "\"leads\":true"))
            return;
    }
    fail_msg("coordinator %u does not lead", index);
}

/* ---- Workers ---- */

struct mr_slice mr_coordinator_fixture_request(struct mr_coordinator_fixture *fixture,
                                               uint32_t index, struct mr_slice bytes, bool *dropped)
{
    struct place *place = (struct place *)fixture->transports[index];
    struct mr_slice answer = {0};
    (void)pthread_mutex_lock(&place->mutex);
    place->request = (uint8_t *)mr_memory_copy_bytes(bytes.data, bytes.size);
    place->request_size = bytes.size;
    place->handle++;
    place->taken = place->replied = place->dropped = false;
    (void)pthread_mutex_unlock(&place->mutex);
    for (uint64_t until_ms = mr_clock_monotonic_ms() + PATIENCE_MS;
         answer.data == NULL && mr_clock_monotonic_ms() < until_ms; mr_clock_sleep_ms(2)) {
        (void)pthread_mutex_lock(&place->mutex);
        if (place->replied) {
            answer = mr_arena_copy(&fixture->arena, mr_slice_from(place->reply, place->reply_size));
            mr_memory_free(place->reply);
            place->reply = NULL;
        }
        (void)pthread_mutex_unlock(&place->mutex);
    }
    if (answer.data == NULL)
        fail_msg("no answer");
    mr_clock_sleep_ms(5); /* the connection is dropped behind the answer */
    (void)pthread_mutex_lock(&place->mutex);
    *dropped = place->dropped;
    (void)pthread_mutex_unlock(&place->mutex);
    return answer;
}

/* What each of two workers was given last. */
static struct mr_task_report given[TASKS_MAX];
static uint32_t given_count;

uint32_t mr_coordinator_fixture_sync(struct mr_coordinator_fixture *fixture, uint32_t index,
                                     const char *worker)
{
    struct mr_reply reply;
    bool dropped;
    if (fixture->sequence == 0)
        given_count = 0;
    const struct mr_request request = {
        .protocol_version = MR_PROTOCOL_VERSION,
        .kind = MR_REQUEST_SYNC,
        .sync = {.cluster = "c",
                 .worker = worker,
                 .instance = 42,
                 .sequence = ++fixture->sequence,
                 .zone = "",
                 .http = fixture->worker_http != NULL ? fixture->worker_http : "127.0.0.1:1",
                 .build = "test",
                 .threads_count = 2,
                 .leave_asked = fixture->leave_asked,
                 .tasks = given,
                 .tasks_count = given_count}};
    struct mr_slice answer = mr_coordinator_fixture_request(
        fixture, index, mr_request_encode(&request, &fixture->arena), &dropped);
    assert_int_equal(mr_reply_decode(answer, &fixture->arena, &reply, &fixture->error), MR_OK);
    if (reply.kind != MR_REPLY_SYNC)
        return 0;
    given_count = reply.sync.tasks_count;
    fixture->leave = reply.sync.leave;
    assert_true(given_count <= TASKS_MAX);
    for (uint32_t at = 0; at < given_count; at++)
        given[at] = (struct mr_task_report){.name = reply.sync.tasks[at].name,
                                            .role = reply.sync.tasks[at].role,
                                            .state = MR_TASK_STATE_RUNNING,
                                            .version = reply.sync.tasks[at].version,
                                            .epoch = reply.sync.tasks[at].epoch,
                                            .lag = 0,
                                            .idle_ms = 5,
                                            .watermark_ms = INT64_MIN,
                                            .error = ""};
    for (uint32_t at = 0; at < given_count && fixture->held_subtopology != NULL; at++) {
        if (strcmp(given[at].name.subtopology, fixture->held_subtopology) != 0)
            continue;
        given[at].watermark_ms = fixture->held.watermark_ms;
        given[at].held_by = fixture->held.held_by;
        given[at].held_by_index = fixture->held.held_by_index;
        given[at].held_by_partition = fixture->held.held_by_partition;
        given[at].held_ms = fixture->held.held_ms;
    }
    return given_count;
}

void mr_coordinator_fixture_work(struct mr_coordinator_fixture *fixture, const char *worker,
                                 uint32_t count)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + PATIENCE_MS;
    uint32_t has = given_count + 1;
    while (mr_clock_monotonic_ms() < until_ms && has != count)
        has = mr_coordinator_fixture_sync(fixture, 0, worker);
    assert_int_equal(has, count);
    (void)mr_coordinator_fixture_sync(fixture, 0, worker); /* and says so */
}
