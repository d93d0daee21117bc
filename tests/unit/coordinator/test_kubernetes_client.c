/* tests/unit/coordinator/test_kubernetes_client.c — requests, the token's file, refusals, replicas.
 */
#include "coordinator/kubernetes_client.h"
#include "tests/support/scripted_server.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* cmocka.h needs these before it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct scripted_server *server;
static struct mr_kubernetes_client *client;
static struct mr_arena arena;
static char token_path[64];
static atomic_int attempts;

static void write_token(const char *token)
{
    FILE *file = fopen(token_path, "w");
    assert_non_null(file);
    (void)fputs(token, file);
    assert_int_equal(fclose(file), 0);
}

static const char stateful_set[] = "/apis/apps/v1/namespaces/here/statefulsets/millrace-worker";

static void answer(void *argument, const struct scripted_request *request)
{
    (void)argument;
    atomic_fetch_add(&attempts, 1);
    if (strstr(request->text, "Authorization: Bearer second\r\n") == NULL) {
        write_token("second\n"); /* rotated while the request was under way */
        scripted_json(request, 401, "{\"kind\":\"Status\",\"message\":\"Unauthorized\"}");
    } else if (strcmp(request->target, stateful_set) == 0) {
        scripted_json(request, 200, "{\"spec\":{\"replicas\":4,\"ordinals\":{\"start\":2}}}");
    } else if (strstr(request->target, "/statefulsets/none") != NULL) {
        scripted_json(request, 200, "{\"spec\":{}}");
    } else if (strstr(request->target, "/statefulsets/odd") != NULL) {
        scripted_json(request, 200, "{\"spec\":{\"replicas\":-1}}");
    } else if (strcmp(request->method, "PATCH") == 0) {
        assert_non_null(strstr(request->text, "Content-Type: application/merge-patch+json\r\n"));
        scripted_json(request, 200, request->body);
    } else if (strncmp(request->target, "/code/", 6) == 0) {
        scripted_json(request, (int)strtol(request->target + 6, NULL, 10),
                      "{\"message\":\"the reason\"}");
    } else {
        scripted_json(request, 200, "[1]");
    }
}

static int set_up(void **state)
{
    (void)state;
    struct mr_error error;
    mr_arena_init(&arena, 4096);
    (void)snprintf(token_path, sizeof(token_path), "/tmp/mr-token-XXXXXX");
    int fd = mkstemp(token_path);
    assert_true(fd >= 0);
    (void)close(fd);
    write_token("second\n");
    server = scripted_start(answer, NULL);
    const struct mr_kubernetes_options options = {
        .url = mr_arena_format(&arena, "http://127.0.0.1:%d/", scripted_port(server)),
        .token_file = token_path,
        .name_space = "here"};
    assert_int_equal(mr_kubernetes_client_create(&options, &client, &error), MR_OK);
    atomic_store(&attempts, 0);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_kubernetes_client_destroy(client);
    scripted_stop(server);
    (void)unlink(token_path);
    mr_arena_deinit(&arena);
    return 0;
}

static void test_counts_replicas(void **state)
{
    (void)state;
    struct mr_kubernetes_replicas replicas;
    struct mr_error error;
    assert_int_equal(mr_kubernetes_client_replicas(client, "millrace-worker", &replicas, &error),
                     MR_OK);
    assert_int_equal(replicas.replicas, 4);
    assert_int_equal(replicas.first_ordinal, 2);
    assert_int_equal(mr_kubernetes_client_replicas(client, "none", &replicas, &error), MR_OK);
    assert_int_equal(replicas.replicas, 1);
    assert_int_equal(replicas.first_ordinal, 0);
    assert_int_equal(mr_kubernetes_client_replicas(client, "odd", &replicas, &error), MR_CORRUPT);
    assert_int_equal(mr_kubernetes_client_replicas(client, "../x", &replicas, &error), MR_INVALID);
}

static void test_sends_a_body_and_reads_the_answer(void **state)
{
    (void)state;
    struct mr_error error;
    json_t *answered;
    json_t *body = json_pack("{s:{s:s}}", "status", "state", "Running");
    assert_int_equal(mr_kubernetes_client_send(client, "PATCH", "/x",
                                               "application/merge-patch+json", body, &answered,
                                               &error),
                     MR_OK);
    assert_true(json_equal(body, answered));
    json_decref(answered);
    json_decref(body);
    assert_int_equal(mr_kubernetes_client_get(client, "/list", &answered, &error), MR_CORRUPT);
}

static void test_reads_the_token_anew(void **state)
{
    (void)state;
    struct mr_kubernetes_replicas replicas;
    struct mr_error error;
    write_token("first");
    assert_int_equal(mr_kubernetes_client_replicas(client, "millrace-worker", &replicas, &error),
                     MR_OK);
    assert_int_equal(atomic_load(&attempts), 2);
    write_token("");
    assert_int_equal(mr_kubernetes_client_replicas(client, "millrace-worker", &replicas, &error),
                     MR_INVALID);
    write_token("two\nlines");
    assert_int_equal(mr_kubernetes_client_replicas(client, "millrace-worker", &replicas, &error),
                     MR_INVALID);
    assert_null(strstr(error.message, "lines"));
    (void)unlink(token_path);
    assert_int_equal(mr_kubernetes_client_replicas(client, "millrace-worker", &replicas, &error),
                     MR_NOT_FOUND);
    assert_int_equal(atomic_load(&attempts), 2);
}

static void test_translates_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *path;
        enum mr_status status;
        enum mr_recovery recovery;
    } codes[] = {
        {"/code/404", MR_NOT_FOUND, MR_RECOVERY_NONE}, {"/code/409", MR_FENCED, MR_RECOVERY_RETRY},
        {"/code/410", MR_VERSION, MR_RECOVERY_RETRY},  {"/code/403", MR_INVALID, MR_RECOVERY_NONE},
        {"/code/422", MR_INVALID, MR_RECOVERY_NONE},   {"/code/429", MR_IO, MR_RECOVERY_RETRY},
        {"/code/500", MR_IO, MR_RECOVERY_RETRY},       {"/code/302", MR_INVALID, MR_RECOVERY_NONE},
    };
    for (size_t index = 0; index < sizeof(codes) / sizeof(*codes); index++) {
        struct mr_error error;
        json_t *answered;
        assert_int_equal(mr_kubernetes_client_get(client, codes[index].path, &answered, &error),
                         codes[index].status);
        assert_int_equal(error.recovery, codes[index].recovery);
        assert_non_null(strstr(error.message, "the reason"));
        assert_null(answered);
    }
}

static void test_refuses_addresses_and_names(void **state)
{
    (void)state;
    static const struct mr_kubernetes_options wrong[] = {
        {.url = "10.0.0.1:443", .name_space = "x"},
        {.url = "https://user:secret@10.0.0.1", .name_space = "x"},
        {.url = "https://10.0.0.1", .name_space = "X"},
        {.url = "https://10.0.0.1", .name_space = ""},
        {.url = "https://10.0.0.1", .name_space = "a/b"},
    };
    struct mr_error error;
    struct mr_kubernetes_client *created = NULL;
    for (size_t index = 0; index < sizeof(wrong) / sizeof(*wrong); index++) {
        assert_int_equal(mr_kubernetes_client_create(&wrong[index], &created, &error), MR_INVALID);
        assert_null(strstr(error.message, "secret"));
    }
}

static void test_finds_the_server_of_a_pod(void **state)
{
    (void)state;
    struct mr_error error;
    struct mr_kubernetes_options options = {.name_space = "n"};
    (void)unsetenv("KUBERNETES_SERVICE_HOST");
    assert_int_equal(mr_kubernetes_options_fill(&options, &arena, &error), MR_INVALID);
    (void)setenv("KUBERNETES_SERVICE_HOST", "fd00::1", 1);
    (void)setenv("KUBERNETES_SERVICE_PORT", "443", 1);
    assert_int_equal(mr_kubernetes_options_fill(&options, &arena, &error), MR_OK);
    assert_string_equal(options.url, "https://[fd00::1]:443");
    assert_non_null(strstr(options.token_file, "/token"));
    struct mr_kubernetes_options given = {.url = "https://10.0.0.1", .name_space = "n"};
    assert_int_equal(mr_kubernetes_options_fill(&given, &arena, &error), MR_OK);
    assert_string_equal(given.url, "https://10.0.0.1");
    assert_null(given.token_file);
}

static void test_a_cancelled_client_asks_no_more(void **state)
{
    (void)state;
    struct mr_kubernetes_replicas replicas;
    struct mr_error error;
    mr_kubernetes_client_cancel(client);
    assert_int_equal(mr_kubernetes_client_replicas(client, "millrace-worker", &replicas, &error),
                     MR_CLOSED);
}

#define WITH_SERVER(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_SERVER(test_counts_replicas),
        WITH_SERVER(test_sends_a_body_and_reads_the_answer),
        WITH_SERVER(test_reads_the_token_anew),
        WITH_SERVER(test_translates_refusals),
        WITH_SERVER(test_refuses_addresses_and_names),
        WITH_SERVER(test_finds_the_server_of_a_pod),
        WITH_SERVER(test_a_cancelled_client_asks_no_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
