/* tests/unit/http/test_certificate.c — an authority, what it signs, and a server that shows it. */
#include "base/clock.h"
#include "http/certificate.h"
#include "http/client.h"
#include "tests/unit/http/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static struct mr_arena arena;
static struct mr_error error;

static int set_up(void **state)
{
    (void)state;
    mr_arena_init(&arena, 4096);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    mr_arena_deinit(&arena);
    return 0;
}

static void make(struct mr_certificate *authority, struct mr_certificate *made, const char *name)
{
    const char *const names[] = {name, "other.example"};
    assert_int_equal(
        mr_certificate_make_authority("test", mr_clock_wall_ms(), 10, &arena, authority, &error),
        MR_OK);
    assert_int_equal(
        mr_certificate_make(authority, names, 2, mr_clock_wall_ms(), 5, &arena, made, &error),
        MR_OK);
}

static void certificates_have_names_and_an_end(void **state)
{
    (void)state;
    struct mr_certificate authority;
    struct mr_certificate made;
    int64_t ends_ms;
    const char *const names[] = {"a.b.svc"};
    assert_int_equal(
        mr_certificate_make_authority("test", 1700000000000, 10, &arena, &authority, &error),
        MR_OK);
    assert_int_equal(
        mr_certificate_make(&authority, names, 1, 1700000000000, 5, &arena, &made, &error), MR_OK);
    assert_int_equal(mr_certificate_ends(authority.certificate, &ends_ms, &error), MR_OK);
    assert_int_equal(ends_ms, 1700000000000 + 10 * 86400000LL);
    assert_int_equal(mr_certificate_ends(made.certificate, &ends_ms, &error), MR_OK);
    assert_int_equal(ends_ms, 1700000000000 + 5 * 86400000LL);
    assert_true(mr_certificate_is_for(made.certificate, "a.b.svc"));
    assert_false(mr_certificate_is_for(made.certificate, "b.svc"));
    assert_false(mr_certificate_is_for("x", "b.svc"));
    assert_int_equal(mr_certificate_ends("x", &ends_ms, &error), MR_INVALID);
    const struct mr_certificate mixed = {.certificate = authority.certificate, .key = made.key};
    assert_int_equal(mr_certificate_make(&mixed, names, 1, 0, 5, &arena, &made, &error),
                     MR_INVALID);
}

static void base64_goes_both_ways(void **state)
{
    (void)state;
    static const char *const texts[] = {"", "a", "ab", "abc", "abcd", "a longer text\n"};
    for (size_t at = 0; at < sizeof(texts) / sizeof(*texts); at++)
        assert_string_equal(
            mr_certificate_from_base64(&arena, mr_certificate_base64(&arena, texts[at])),
            texts[at]);
    assert_string_equal(mr_certificate_base64(&arena, "ab"), "YWI=");
    assert_null(mr_certificate_from_base64(&arena, "YWI"));
    assert_null(mr_certificate_from_base64(&arena, "Y*I="));
    assert_null(mr_certificate_from_base64(&arena, "AAAA"));
}

static void on_hello(void *argument, struct mr_http_exchange *exchange)
{
    (void)argument;
    mr_http_answer(exchange, 200, "text/plain", mr_slice_text("hello"));
}

static const struct mr_http_route routes[] = {{MR_HTTP_GET, "/hello", on_hello},
                                              {MR_HTTP_GET, NULL, NULL}};

static enum mr_status ask(int port, const struct mr_certificate *authority)
{
    char path[] = "/tmp/mr-authority-XXXXXX";
    char url[64];
    struct mr_http_client *client;
    struct mr_http_reply reply = {0};
    const struct mr_http_client_options options = {.authority_file = path};
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_true(write(fd, authority->certificate, strlen(authority->certificate)) > 0);
    (void)close(fd);
    (void)snprintf(url, sizeof(url), "https://localhost:%d/hello", port);
    assert_int_equal(mr_http_client_create(&options, &client, &error), MR_OK);
    enum mr_status status = mr_http_client_send(client, "GET", url, NULL, (struct mr_slice){0},
                                                5000, &arena, &reply, &error);
    assert_true(status != MR_OK || reply.code == 200);
    mr_http_client_destroy(client);
    (void)unlink(path);
    return status;
}

static void a_server_shows_what_it_was_given_last(void **state)
{
    (void)state;
    struct mr_certificate first_authority;
    struct mr_certificate first;
    struct mr_certificate second_authority;
    struct mr_certificate second;
    struct mr_http_identity *identity = mr_http_identity_create();
    struct mr_http_server *server =
        http_start((struct mr_http_server_options){.routes = routes, .identity = identity});
    int port = mr_http_server_port(server);
    make(&first_authority, &first, "localhost");
    make(&second_authority, &second, "localhost");
    assert_false(mr_http_identity_is_set(identity));
    assert_int_equal(ask(port, &first_authority), MR_IO);
    assert_int_equal(mr_http_identity_set(identity, &first, &error), MR_OK);
    assert_true(mr_http_identity_is_set(identity));
    assert_int_equal(ask(port, &first_authority), MR_OK);
    assert_int_equal(ask(port, &second_authority), MR_IO);
    assert_int_equal(mr_http_identity_set(identity, &second, &error), MR_OK);
    assert_int_equal(ask(port, &second_authority), MR_OK);
    const struct mr_certificate mixed = {.certificate = first.certificate, .key = second.key};
    assert_int_equal(mr_http_identity_set(identity, &mixed, &error), MR_INVALID);
    assert_int_equal(ask(port, &second_authority), MR_OK);
    mr_http_server_stop(server);
    mr_http_identity_destroy(identity);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(certificates_have_names_and_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(base64_goes_both_ways, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_server_shows_what_it_was_given_last, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
