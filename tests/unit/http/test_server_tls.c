/* tests/unit/http/test_server_tls.c — TLS, with certificates made by openssl in a temporary folder.
 */
#include "base/clock.h"
#include "base/memory.h"
#include "http/client.h"
#include "tests/unit/http/fixture.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { PATH_BYTES = 128, LARGE_BYTES = 8 << 20 };

static char folder[] = "/tmp/millrace-http-tls-XXXXXX";
static char authority[PATH_BYTES], server_certificate[PATH_BYTES], server_key[PATH_BYTES];
static char client_certificate[PATH_BYTES], client_key[PATH_BYTES];
static char stranger_certificate[PATH_BYTES], stranger_key[PATH_BYTES];
static char *large;

static void on_hello(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_answer(exchange, 200, "text/plain", mr_slice_text("hello"));
}

static void on_echo(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_answer(exchange, 200, "text/plain", mr_http_request_of(exchange)->body);
}

static void on_large(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_answer(exchange, 200, "text/plain", mr_slice_from(large, LARGE_BYTES));
}

static const struct mr_http_route routes[] = {
    {MR_HTTP_GET, "/hello", on_hello},
    {MR_HTTP_POST, "/echo", on_echo},
    {MR_HTTP_GET, "/large", on_large},
    {MR_HTTP_GET, NULL, NULL},
};

/* Of two servers with TLS in a process, libwebsockets 4.1 keeps the older one's TLS context when it
 * is destroyed: one per server, not per connection. For LeakSanitizer, which calls this by name. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libcrypto.so\nleak:libssl.so\nleak:libwebsockets.so\n";
}

static void run(const char *command)
{
    assert_int_equal(system(command), 0);
}

/* A certificate NAME.pem with NAME.key, signed by ISSUER, or by itself when ISSUER is its name. */
static void make_certificate(const char *name, const char *issuer)
{
    char command[1024];
    if (strcmp(name, issuer) == 0)
        snprintf(command, sizeof command,
                 "cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 "
                 "-nodes -keyout %s.key -out %s.pem -days 2 -subj /CN=%s 2>/dev/null",
                 folder, name, name, name);
    else
        snprintf(command, sizeof command,
                 "cd %s && openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes "
                 "-keyout %s.key -out %s.csr -subj /CN=%s 2>/dev/null && "
                 "printf 'subjectAltName=IP:127.0.0.1\\n' > extension && "
                 "openssl x509 -req -in %s.csr -CA %s.pem -CAkey %s.key -CAcreateserial "
                 "-out %s.pem -days 2 -extfile extension 2>/dev/null",
                 folder, name, name, name, name, issuer, issuer, name);
    run(command);
}

static void set_path(char path[PATH_BYTES], const char *name)
{
    snprintf(path, PATH_BYTES, "%s/%s", folder, name);
}

static int make_certificates(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(folder));
    make_certificate("authority", "authority");
    make_certificate("server", "authority");
    make_certificate("client", "authority");
    make_certificate("stranger", "stranger");
    set_path(authority, "authority.pem");
    set_path(server_certificate, "server.pem");
    set_path(server_key, "server.key");
    set_path(client_certificate, "client.pem");
    set_path(client_key, "client.key");
    set_path(stranger_certificate, "stranger.pem");
    set_path(stranger_key, "stranger.key");
    large = mr_memory_new(1, LARGE_BYTES);
    memset(large, 'x', LARGE_BYTES);
    return 0;
}

static int remove_certificates(void **state)
{
    (void)state;
    char command[256];
    snprintf(command, sizeof command, "rm -r %s", folder);
    run(command);
    mr_memory_free(large);
    return 0;
}

static struct mr_http_server *start(bool mutual)
{
    return http_start(
        (struct mr_http_server_options){.routes = routes,
                                        .certificate_file = server_certificate,
                                        .key_file = server_key,
                                        .client_authority_file = mutual ? authority : NULL});
}

static enum mr_status request(const struct mr_http_client_options *options, const char *scheme,
                              const struct mr_http_server *server, const char *method,
                              const char *path, struct mr_slice body, struct mr_arena *arena,
                              struct mr_http_reply *reply)
{
    struct mr_http_client *client = NULL;
    struct mr_error error;
    char url[128];
    snprintf(url, sizeof url, "%s://127.0.0.1:%d%s", scheme, mr_http_server_port(server), path);
    assert_int_equal(mr_http_client_create(options, &client, &error), MR_OK);
    enum mr_status status =
        mr_http_client_send(client, method, url, body.size == 0 ? NULL : "text/plain", body, 10000,
                            arena, reply, &error);
    mr_http_client_destroy(client);
    return status;
}

static void expect(const struct mr_http_client_options *options, const char *scheme,
                   const struct mr_http_server *server, enum mr_status wanted)
{
    struct mr_arena arena;
    struct mr_http_reply reply = {0};
    mr_arena_init(&arena, 4096);
    enum mr_status status =
        request(options, scheme, server, "GET", "/hello", mr_slice_from(NULL, 0), &arena, &reply);
    assert_int_equal(status, wanted);
    if (wanted == MR_OK) {
        assert_int_equal(reply.code, 200);
        assert_string_equal((const char *)reply.body.data, "hello");
    }
    mr_arena_deinit(&arena);
}

static void test_serves_tls_to_those_who_trust_it(void **state)
{
    (void)state;
    struct mr_http_server *server = start(false);
    expect(&(struct mr_http_client_options){.authority_file = authority}, "https", server, MR_OK);
    expect(&(struct mr_http_client_options){.authority_file = stranger_certificate}, "https",
           server, MR_IO);
    expect(&(struct mr_http_client_options){0}, "http", server, MR_IO);
    mr_http_server_stop(server);
}

static void test_moves_large_bodies_over_tls(void **state)
{
    (void)state;
    struct mr_http_server *server = start(false);
    struct mr_http_client_options options = {.authority_file = authority};
    struct mr_arena arena;
    struct mr_http_reply reply = {0};
    mr_arena_init(&arena, 4096);
    struct mr_slice body = mr_slice_from(large, 5 << 20);
    assert_int_equal(request(&options, "https", server, "POST", "/echo", body, &arena, &reply),
                     MR_OK);
    assert_int_equal(reply.code, 200);
    assert_true(mr_slice_equal(reply.body, body));
    assert_int_equal(
        request(&options, "https", server, "GET", "/large", mr_slice_from(NULL, 0), &arena, &reply),
        MR_OK);
    assert_int_equal(reply.body.size, LARGE_BYTES);
    mr_arena_deinit(&arena);
    mr_http_server_stop(server);
}

static void test_demands_certificates_of_clients(void **state)
{
    (void)state;
    struct mr_http_server *server = start(true);
    expect(&(struct mr_http_client_options){.authority_file = authority}, "https", server, MR_IO);
    expect(&(struct mr_http_client_options){.authority_file = authority,
                                            .certificate_file = stranger_certificate,
                                            .key_file = stranger_key},
           "https", server, MR_IO);
    expect(&(struct mr_http_client_options){.authority_file = authority,
                                            .certificate_file = client_certificate,
                                            .key_file = client_key},
           "https", server, MR_OK);
    mr_http_server_stop(server);
}

static void *start_and_stop_servers(void *argument)
{
    _Atomic bool *stop = argument;
    while (!atomic_load(stop)) {
        struct mr_http_server *server = start(true);
        mr_http_server_stop(server);
    }
    return NULL;
}

/* The library has process-wide state for TLS; handshakes must not depend on it. */
static void test_handshakes_while_other_servers_start(void **state)
{
    (void)state;
    struct mr_http_server *server = start(true);
    struct mr_http_client_options options = {.authority_file = authority,
                                             .certificate_file = client_certificate,
                                             .key_file = client_key};
    _Atomic bool stop = false;
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, start_and_stop_servers, &stop), 0);
    for (int i = 0; i < 50; i++)
        expect(&options, "https", server, MR_OK);
    atomic_store(&stop, true);
    pthread_join(thread, NULL);
    mr_http_server_stop(server);
}

static void test_garbage_costs_only_its_connection(void **state)
{
    (void)state;
    struct mr_http_server *server = start(false);
    int silent = http_connect(mr_http_server_port(server));
    int fd = http_connect(mr_http_server_port(server));
    http_send(fd, "GET /hello HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_true(http_is_closed(fd));
    close(fd);
    expect(&(struct mr_http_client_options){.authority_file = authority}, "https", server, MR_OK);
    close(silent);
    mr_http_server_stop(server);
}

/* Connections that never shake hands take places, too. */
static void test_survives_a_flood_without_handshakes(void **state)
{
    (void)state;
    enum { FLOOD = 1300 };
    static int sockets[FLOOD];
    struct rlimit limit;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    if (limit.rlim_max < 2 * FLOOD + 200)
        skip();
    limit.rlim_cur = limit.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    struct mr_http_server *server = start(false);
    for (int i = 0; i < FLOOD; i++)
        sockets[i] = http_connect(mr_http_server_port(server));
    mr_clock_sleep_ms(100);
    for (int i = 0; i < FLOOD; i++)
        close(sockets[i]);
    mr_clock_sleep_ms(100);
    expect(&(struct mr_http_client_options){.authority_file = authority}, "https", server, MR_OK);
    mr_http_server_stop(server);
}

static void test_says_which_files_are_wrong(void **state)
{
    (void)state;
    struct mr_http_server *none = NULL;
    struct mr_error error = {0};
    struct mr_http_server_options options = {
        .address = "127.0.0.1:0", .routes = routes, .certificate_file = server_certificate};
    assert_int_equal(mr_http_server_start(&options, &none, &error), MR_INVALID);
    options.key_file = client_key;
    assert_int_equal(mr_http_server_start(&options, &none, &error), MR_INVALID);
    assert_non_null(strstr(error.message, client_key));
    options.key_file = server_key;
    options.certificate_file = "/nowhere/server.pem";
    assert_int_equal(mr_http_server_start(&options, &none, &error), MR_INVALID);
    assert_non_null(strstr(error.message, "/nowhere/server.pem"));
    options.certificate_file = server_certificate;
    options.client_authority_file = server_key;
    assert_int_equal(mr_http_server_start(&options, &none, &error), MR_INVALID);
    assert_non_null(strstr(error.message, server_key));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_serves_tls_to_those_who_trust_it),
        cmocka_unit_test(test_moves_large_bodies_over_tls),
        cmocka_unit_test(test_demands_certificates_of_clients),
        cmocka_unit_test(test_handshakes_while_other_servers_start),
        cmocka_unit_test(test_garbage_costs_only_its_connection),
        cmocka_unit_test(test_survives_a_flood_without_handshakes),
        cmocka_unit_test(test_says_which_files_are_wrong),
    };
    return cmocka_run_group_tests(tests, make_certificates, remove_certificates);
}
