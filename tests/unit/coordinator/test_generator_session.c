/* tests/unit/coordinator/test_generator_session.c — requests and replies, in both dialects, over
 * sockets. */
#include "coordinator/generator_session.h"

#include "base/assert.h"
#include "base/clock.h"
#include "tests/support/copula_rows.h"
#include "tests/unit/coordinator/websocket_client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static struct mr_buffer document;
static struct mr_generators *generators;
static int client;

static int set_up(void **state)
{
    MR_UNUSED(state);
    int code;
    client = websocket_open(mr_generators_port(generators), "/people", "", &code);
    assert_int_equal(code, 101);
    return 0;
}

static int tear_down(void **state)
{
    MR_UNUSED(state);
    close(client);
    return 0;
}

static json_t *ask(const char *request)
{
    websocket_say(client, request);
    json_t *reply = websocket_hear(client, NULL);
    assert_non_null(reply);
    return reply;
}

static const char *text_of(const json_t *reply, const char *name)
{
    const char *text = json_string_value(json_object_get(reply, name));
    return text != NULL ? text : "";
}

static json_int_t count_of(const json_t *reply, const char *name)
{
    const json_t *count = json_object_get(reply, name);
    return json_is_integer(count) ? json_integer_value(count) : -1;
}

/* The next reply is a batch of the first dialect. */
static void hear_batch(size_t rows, const char *batch_id)
{
    json_t *reply = websocket_hear(client, NULL);
    const json_t *data = json_object_get(reply, "data");
    assert_string_equal(text_of(reply, "action"), "batch");
    assert_int_equal(json_object_size(reply), 3);
    assert_int_equal(json_array_size(data), rows);
    assert_int_equal(count_of(reply, "n_samples"), rows);
    assert_string_equal(text_of(json_array_get(data, 0), "_batch_id"), batch_id);
    assert_string_equal(text_of(json_array_get(data, rows - 1), "_batch_id"), batch_id);
    json_decref(reply);
}

static void hear_complete(const char *member, json_int_t rows)
{
    json_t *reply = websocket_hear(client, NULL);
    assert_string_equal(text_of(reply, member), "complete");
    assert_int_equal(json_object_size(reply), 2);
    assert_int_equal(count_of(reply, "n_samples"), rows);
    json_decref(reply);
}

static void test_speaks_the_first_dialect(void **state)
{
    MR_UNUSED(state);
    json_t *reply =
        ask("{\"action\":\"generate\",\"n_samples\":250,\"conditions\":{\"b\":{\"gte\":40}}}");
    const json_t *data = json_object_get(reply, "data");
    assert_string_equal(text_of(reply, "action"), "data");
    assert_int_equal(json_object_size(reply), 3);
    assert_int_equal(json_array_size(data), 250);
    assert_int_equal(count_of(reply, "n_samples"), 250);
    for (size_t row = 0; row < 250; row++) {
        const json_t *record = json_array_get(data, row);
        assert_true(json_number_value(json_object_get(record, "b")) >= 40);
        assert_int_equal(strlen(text_of(record, "_generated_at")), 20 + 4);
        assert_string_equal(text_of(record, "_batch_id"), "batch-001");
    }
    json_decref(reply);
    websocket_say(client, "{\"action\":\"stream\",\"n_batches\":3,\"batch_size\":130}");
    hear_batch(130, "batch-001");
    hear_batch(130, "batch-002");
    hear_batch(130, "batch-003");
    hear_complete("action", 390);
}

static void test_speaks_the_second_dialect(void **state)
{
    MR_UNUSED(state);
    websocket_say(client, "{\"action\":\"generate\",\"count\":250,\"batch_size\":100,"
                          "\"include_metadata\":false}");
    for (size_t rows = 250; rows > 0; rows -= rows < 100 ? rows : 100) {
        json_t *reply = websocket_hear(client, NULL);
        const json_t *records = json_object_get(reply, "records");
        assert_string_equal(text_of(reply, "status"), "batch");
        assert_int_equal(json_object_size(reply), 2);
        assert_int_equal(json_array_size(records), rows < 100 ? rows : 100);
        assert_null(json_object_get(json_array_get(records, 0), "_batch_id"));
        json_decref(reply);
    }
    hear_complete("status", 250);
}

static void test_draws_the_same_with_a_seed(void **state)
{
    MR_UNUSED(state);
    static const char request[] = "{\"action\":\"generate\",\"n_samples\":500,\"seed\":9,"
                                  "\"include_metadata\":false}";
    uint32_t fragments;
    websocket_say(client, request);
    json_t *first = websocket_hear(client, &fragments);
    assert_int_equal(fragments, 5);
    json_t *second = ask(request);
    json_t *other = ask("{\"action\":\"generate\",\"n_samples\":500,\"include_metadata\":false}");
    assert_true(json_equal(first, second));
    assert_false(json_equal(first, other));
    json_decref(first);
    json_decref(second);
    json_decref(other);
}

static void expect_error(const char *request, const char *code, const char *sentence)
{
    json_t *reply = ask(request);
    assert_string_equal(text_of(reply, "action"), "error");
    assert_string_equal(text_of(reply, "status"), "error");
    assert_string_equal(text_of(reply, "code"), code);
    if (strstr(text_of(reply, "message"), sentence) == NULL)
        fail_msg("%s", text_of(reply, "message"));
    json_decref(reply);
}

static void test_lives_on_after_errors(void **state)
{
    MR_UNUSED(state);
    expect_error("what?", "request", "The request is no JSON");
    expect_error("{\"action\":\"dance\"}", "request", "`action` is");
    expect_error("{\"action\":\"generate\",\"n_samples\":1,\"conditions\":{\"zz\":1}}",
                 "conditions", "zz");
    json_t *reply =
        ask("{\"action\":\"generate\",\"n_samples\":1,\"request_id\":\"r\\n\xc3\xa4\"}");
    assert_string_equal(text_of(reply, "request_id"), "r\n\xc3\xa4");
    json_decref(reply);
}

static void test_tells_statistics(void **state)
{
    MR_UNUSED(state);
    json_t *reply = ask("{\"action\":\"generate\",\"n_samples\":30}");
    json_decref(reply);
    mr_clock_sleep_ms(5);
    reply = ask("{\"action\":\"stats\"}");
    assert_string_equal(text_of(reply, "action"), "stats");
    assert_int_equal(count_of(reply, "total_samples"), 30);
    assert_int_equal(count_of(reply, "total_batches"), 1);
    double elapsed_s = json_number_value(json_object_get(reply, "elapsed_time"));
    double speed = json_number_value(json_object_get(reply, "samples_per_second"));
    assert_true(elapsed_s >= 0.005);
    assert_true(speed * elapsed_s > 29.9 && speed * elapsed_s < 30.1);
    assert_string_equal(text_of(json_object_get(reply, "model"), "name"), "people");
    assert_int_equal(count_of(json_object_get(reply, "model"), "version"), 7);
    assert_int_equal(count_of(reply, "condition_samples"), 0);
    assert_true(json_is_null(json_object_get(reply, "condition_hit_rate")));
    json_decref(reply);
    reply = ask("{\"action\":\"generate\",\"n_samples\":20,\"conditions\":{\"b\":{\"gte\":40}}}");
    json_decref(reply);
    reply = ask("{\"action\":\"stats\"}");
    assert_int_equal(count_of(reply, "condition_samples"), 20);
    double rate = json_number_value(json_object_get(reply, "condition_hit_rate"));
    assert_true(rate > 0.3 && rate < 0.7);
    json_decref(reply);
}

static void test_stops(void **state)
{
    MR_UNUSED(state);
    websocket_say(client, "{\"action\":\"stop\"}");
    hear_complete("action", 0);
    websocket_say(client, "{\"action\":\"stream\",\"rate\":1000,\"batch_size\":10}");
    websocket_say(client, "{\"action\":\"generate\",\"n_samples\":5}"); /* waits, and is dropped */
    hear_batch(10, "batch-001");
    websocket_say(client, "{\"action\":\"stats\"}"); /* between batches */
    websocket_say(client, "{\"action\":\"stop\"}");
    bool told = false;
    json_int_t rows = 10;
    for (;;) {
        json_t *reply = websocket_hear(client, NULL);
        bool complete = strcmp(text_of(reply, "action"), "complete") == 0;
        told = told || strcmp(text_of(reply, "action"), "stats") == 0;
        if (complete)
            assert_int_equal(count_of(reply, "n_samples"), rows);
        else if (json_object_get(reply, "data") != NULL)
            rows += count_of(reply, "n_samples");
        json_decref(reply);
        if (complete)
            break;
    }
    assert_true(told);
    json_t *reply = ask("{\"action\":\"generate\",\"n_samples\":7}");
    assert_int_equal(count_of(reply, "n_samples"), 7);
    json_decref(reply);
}

/* `stop` inside a message: it is ended as JSON, with the rows that it has. */
static void test_stops_inside_a_message(void **state)
{
    MR_UNUSED(state);
    websocket_say(client, "{\"action\":\"generate\",\"n_samples\":1000000,\"rate\":1000}");
    char first;
    assert_int_equal(recv(client, &first, 1, MSG_PEEK), 1); /* it has begun */
    websocket_say(client, "{\"action\":\"stats\"}");        /* waits for the message's end */
    websocket_say(client, "nonsense");
    websocket_say(client, "{\"action\":\"stop\"}");
    json_t *reply = websocket_hear(client, NULL);
    json_int_t rows = count_of(reply, "n_samples");
    assert_string_equal(text_of(reply, "action"), "data");
    assert_true(rows >= 100 && rows < 1000000);
    assert_int_equal(json_array_size(json_object_get(reply, "data")), (size_t)rows);
    json_decref(reply);
    reply = websocket_hear(client, NULL);
    assert_string_equal(text_of(reply, "action"), "stats");
    json_decref(reply);
    reply = websocket_hear(client, NULL);
    assert_string_equal(text_of(reply, "action"), "error");
    json_decref(reply);
}

static void test_paces(void **state)
{
    MR_UNUSED(state);
    uint64_t began_ms = mr_clock_monotonic_ms();
    websocket_say(client, "{\"action\":\"stream\",\"n_batches\":3,\"batch_size\":10,\"rate\":100}");
    for (uint32_t batch = 0; batch < 3; batch++) {
        json_t *reply = websocket_hear(client, NULL);
        assert_true(mr_clock_monotonic_ms() - began_ms >= 100 * batch);
        json_decref(reply);
    }
    hear_complete("action", 30);
    began_ms = mr_clock_monotonic_ms();
    websocket_say(client, "{\"action\":\"stream\",\"n_batches\":2,\"delay\":0.1}");
    json_decref(websocket_hear(client, NULL));
    json_decref(websocket_hear(client, NULL));
    assert_true(mr_clock_monotonic_ms() - began_ms >= 100);
}

static void test_bounds_what_waits(void **state)
{
    MR_UNUSED(state);
    websocket_say(client, "{\"action\":\"stream\",\"rate\":1,\"batch_size\":1}");
    for (uint32_t index = 0; index < MR_GENERATOR_WAITING_MAX; index++)
        websocket_say(client, "{\"action\":\"generate\",\"n_samples\":1}");
    json_t *reply = websocket_hear(client, NULL);
    while (strcmp(text_of(reply, "action"), "batch") == 0) { /* before or behind */
        json_decref(reply);
        reply = websocket_hear(client, NULL);
    }
    assert_string_equal(text_of(reply, "code"), "busy");
    json_decref(reply);
}

static int make_document(void **state)
{
    MR_UNUSED(state);
    struct copula_fixture fixture;
    struct copula_rows rows;
    struct mr_error error;
    copula_rows_make(&rows, 2000, 3, 0);
    copula_fixture_open(&fixture, 500);
    copula_fixture_learn(&fixture, &rows, 256, 1e-3);
    copula_rows_free(&rows);
    mr_buffer_init(&document, 1 << 20);
    copula_fixture_document(&fixture, &document);
    copula_fixture_close(&fixture);
    const struct mr_generator_document documents[] = {{"a.json", mr_buffer_view(&document)}};
    const struct mr_generators_options options = {
        .address = "127.0.0.1:0", .documents = documents, .documents_count = 1};
    return mr_generators_start(&options, &generators, &error) == MR_OK ? 0 : -1;
}

static int free_document(void **state)
{
    MR_UNUSED(state);
    mr_generators_stop(generators);
    mr_buffer_deinit(&document);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_speaks_the_first_dialect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_speaks_the_second_dialect, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_draws_the_same_with_a_seed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_lives_on_after_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_tells_statistics, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stops, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stops_inside_a_message, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_paces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bounds_what_waits, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, make_document, free_document);
}
