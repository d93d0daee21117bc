/* tests/unit/coordinator/test_generators.c — paths, refusals, and models that are listed and
 * fetched from a source that the test plays. */
#include "coordinator/generators.h"

#include "base/assert.h"
#include "base/clock.h"
#include "tests/support/copula_rows.h"
#include "tests/unit/coordinator/websocket_client.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <unistd.h>

#include <cmocka.h>

enum { WAIT_MS = 20000 };

static struct mr_buffer document; /* version 7 of "people" */
static struct mr_error error;
static struct mr_generators *generators;

/* What the test's source says. */
static _Atomic uint32_t runs; /* of the names below */
static _Atomic uint32_t fetches;
static atomic_bool broken;
static const struct mr_generator_name names[] = {
    {"shop", "people", NULL}, {"shop", "orders", NULL}, {"bank", "orders", NULL}};

static enum mr_status list(void *argument, struct mr_arena *arena,
                           const struct mr_generator_name **listed, uint32_t *count,
                           struct mr_error *list_error)
{
    MR_UNUSED(argument);
    MR_UNUSED(arena);
    MR_UNUSED(list_error);
    *listed = names;
    *count = atomic_load(&runs);
    return MR_OK;
}

static enum mr_status fetch(void *argument, const struct mr_generator_name *name,
                            struct mr_arena *arena, struct mr_slice *fetched,
                            struct mr_error *fetch_error)
{
    MR_UNUSED(argument);
    atomic_fetch_add(&fetches, 1);
    if (name->key != NULL && strcmp(name->key, "We/st") != 0)
        return MR_FAIL(fetch_error, MR_NOT_FOUND, MR_RECOVERY_RETRY, "no key %s", name->key);
    if (atomic_load(&broken))
        return MR_FAIL(fetch_error, MR_NOT_FOUND, MR_RECOVERY_RETRY, "%s has learned nothing yet.",
                       name->node);
    *fetched = mr_arena_copy(arena, mr_buffer_view(&document));
    return MR_OK;
}

static const struct mr_generator_source source = {.list = list, .fetch = fetch};

static void start(struct mr_generators_options options)
{
    options.address = "127.0.0.1:0";
    enum mr_status status = mr_generators_start(&options, &generators, &error);
    if (status != MR_OK)
        print_error("%s\n", error.message);
    assert_int_equal(status, MR_OK);
}

static int set_up(void **state)
{
    MR_UNUSED(state);
    generators = NULL;
    atomic_store(&runs, 3);
    atomic_store(&fetches, 0);
    atomic_store(&broken, false);
    return 0;
}

static int tear_down(void **state)
{
    MR_UNUSED(state);
    mr_generators_stop(generators);
    return 0;
}

static int open_path(const char *path, const char *fields, int wanted)
{
    int code;
    int fd = websocket_open(mr_generators_port(generators), path, fields, &code);
    assert_int_equal(code, wanted);
    return fd;
}

/* Ask until the answer is of this code: what runs is listed once a second. */
static int await_path(const char *path, int wanted)
{
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS;
    for (;;) {
        int code;
        int fd = websocket_open(mr_generators_port(generators), path, "", &code);
        if (code == wanted)
            return fd;
        close(fd);
        assert_true(mr_clock_monotonic_ms() < until_ms);
        mr_clock_sleep_ms(10);
    }
}

static void expect_rows(int fd, const char *request, json_int_t rows)
{
    websocket_say(fd, request);
    json_t *reply = websocket_hear(fd, NULL);
    assert_int_equal(json_integer_value(json_object_get(reply, "n_samples")), rows);
    assert_int_equal(json_array_size(json_object_get(reply, "data")), (size_t)rows);
    json_decref(reply);
}

static void test_serves_files(void **state)
{
    MR_UNUSED(state);
    const struct mr_generator_document documents[] = {{"a.json", mr_buffer_view(&document)}};
    start((struct mr_generators_options){.documents = documents, .documents_count = 1});
    int fd = open_path("/people", "", 101);
    expect_rows(fd, "{\"action\":\"generate\",\"n_samples\":12}", 12);
    websocket_leave(fd);
    fd = open_path("/other", "", 404);
    assert_non_null(strstr(websocket_refusal(fd), "\"paths\":[\"/people\"]"));
    close(fd);
    close(open_path("/", "", 404));
    close(open_path("/metrics", "", 404));
}

static void test_serves_what_runs(void **state)
{
    MR_UNUSED(state);
    start((struct mr_generators_options){.source = &source});
    int fd = await_path("/shop/people", 101);
    int short_fd = open_path("/people", "", 101);
    expect_rows(fd, "{\"action\":\"generate\",\"n_samples\":3}", 3);
    expect_rows(short_fd, "{\"action\":\"generate\",\"n_samples\":4}", 4);
    int refused = open_path("/orders", "", 404); /* two have the name */
    const char *body = websocket_refusal(refused);
    assert_non_null(strstr(body, "\"/shop/people\",\"/people\",\"/shop/orders\",\"/bank/orders\""));
    close(refused);
    int key_fd = open_path("/shop/orders/We%2Fst", "", 101); /* the model of a key */
    expect_rows(key_fd, "{\"action\":\"generate\",\"n_samples\":5}", 5);
    websocket_leave(key_fd);
    key_fd = open_path("/shop/orders/East", "", 101);
    websocket_say(key_fd, "{\"action\":\"generate\",\"n_samples\":5}");
    json_t *missing = websocket_hear(key_fd, NULL);
    assert_string_equal(json_string_value(json_object_get(missing, "message")), "no key East");
    json_decref(missing);
    websocket_leave(key_fd);
    close(open_path("/shop/orders/", "", 404));
    websocket_leave(short_fd);
    atomic_store(&runs, 0); /* it ends while somebody is connected */
    close(await_path("/people", 404));
    websocket_say(fd, "{\"action\":\"generate\",\"n_samples\":3}");
    json_t *reply = websocket_hear(fd, NULL);
    assert_string_equal(json_string_value(json_object_get(reply, "code")), "unavailable");
    json_decref(reply);
    websocket_leave(fd);
}

static void test_says_why_there_is_no_model(void **state)
{
    MR_UNUSED(state);
    atomic_store(&broken, true);
    start((struct mr_generators_options){.source = &source});
    int fd = await_path("/people", 101);
    websocket_say(fd, "{\"action\":\"generate\",\"count\":3,\"request_id\":\"r\"}");
    json_t *reply = websocket_hear(fd, NULL);
    assert_string_equal(json_string_value(json_object_get(reply, "action")), "error");
    assert_string_equal(json_string_value(json_object_get(reply, "message")),
                        "people has learned nothing yet.");
    assert_string_equal(json_string_value(json_object_get(reply, "request_id")), "r");
    json_decref(reply);
    atomic_store(&broken, false); /* it is asked again, about once a second */
    uint64_t until_ms = mr_clock_monotonic_ms() + WAIT_MS;
    bool came = false;
    while (!came) {
        websocket_say(fd, "{\"action\":\"generate\",\"n_samples\":3}");
        reply = websocket_hear(fd, NULL);
        came = json_object_get(reply, "data") != NULL;
        json_decref(reply);
        assert_true(mr_clock_monotonic_ms() < until_ms);
        mr_clock_sleep_ms(10);
    }
    websocket_leave(fd);
}

static void test_refuses_too_many(void **state)
{
    MR_UNUSED(state);
    const struct mr_generator_document documents[] = {{"a.json", mr_buffer_view(&document)}};
    start((struct mr_generators_options){
        .documents = documents, .documents_count = 1, .connections_max = 2});
    int one = open_path("/people", "", 101);
    int two = open_path("/people", "", 101);
    int three = open_path("/people", "", 503);
    assert_non_null(strstr(websocket_refusal(three), "2 connections"));
    close(three);
    websocket_leave(one);
    close(await_path("/people", 101));
    websocket_leave(two);
}

static void test_refuses_foreign_pages(void **state)
{
    MR_UNUSED(state);
    const struct mr_generator_document documents[] = {{"a.json", mr_buffer_view(&document)}};
    start((struct mr_generators_options){.documents = documents, .documents_count = 1});
    close(open_path("/people", "Origin: https://example.org\r\n", 403));
    close(open_path("/people", "Origin: http://localhost.example.org\r\n", 403));
    close(open_path("/people", "Origin: null\r\n", 403));
    close(open_path("/people", "Origin: http://localhost:3000\r\n", 101));
    close(open_path("/people", "Origin: http://127.0.0.1\r\n", 101));
    mr_generators_stop(generators);
    start((struct mr_generators_options){
        .documents = documents, .documents_count = 1, .token = "secret"});
    close(open_path("/people", "", 401));
    close(open_path("/people", "Authorization: Bearer secret\r\n", 101));
    close(open_path("/people?access_token=secret", "Origin: https://example.org\r\n", 101));
}

static void expect_refused(struct mr_generators_options options, const char *sentence)
{
    assert_int_equal(mr_generators_start(&options, &generators, &error), MR_INVALID);
    if (strstr(error.message, sentence) == NULL)
        fail_msg("%s", error.message);
}

static void test_refuses_options(void **state)
{
    MR_UNUSED(state);
    const struct mr_generator_document wrong[] = {{"b.json", mr_slice_text("{}")}};
    const struct mr_generator_document twice[] = {{"a.json", mr_buffer_view(&document)},
                                                  {"b.json", mr_buffer_view(&document)}};
    expect_refused((struct mr_generators_options){.address = "0.0.0.0"}, "0.0.0.0:8765 is not of");
    expect_refused((struct mr_generators_options){.address = "[::]:1", .token = "t"},
                   "with TLS and a token only");
    expect_refused((struct mr_generators_options){.address = "127.0.0.1:0",
                                                  .documents = wrong,
                                                  .documents_count = 1},
                   "b.json: the model");
    expect_refused((struct mr_generators_options){.address = "127.0.0.1:0",
                                                  .documents = twice,
                                                  .documents_count = 2},
                   "b.json: another file's model is named \"people\" as well");
    expect_refused((struct mr_generators_options){.address = "127.0.0.1:x"}, "is not HOST:PORT");
}

static int make_document(void **state)
{
    MR_UNUSED(state);
    struct copula_fixture fixture;
    struct copula_rows rows;
    copula_rows_make(&rows, 2000, 3, 0);
    copula_fixture_open(&fixture, 500);
    copula_fixture_learn(&fixture, &rows, 256, 1e-3);
    copula_rows_free(&rows);
    mr_buffer_init(&document, 1 << 20);
    copula_fixture_document(&fixture, &document);
    copula_fixture_close(&fixture);
    return 0;
}

static int free_document(void **state)
{
    MR_UNUSED(state);
    mr_buffer_deinit(&document);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_serves_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_serves_what_runs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_says_why_there_is_no_model, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_too_many, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_foreign_pages, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refuses_options, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, make_document, free_document);
}
