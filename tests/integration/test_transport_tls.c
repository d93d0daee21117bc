/* tests/integration/test_transport_tls.c — who is let in over tls+tcp: both sides need a
 * certificate of the authority, and the server's must bear the name that was dialled. */
#include "tests/integration/transport_support.h"

#include "base/clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static struct support_pair pair;

static int setup(void **state)
{
    (void)state;
    support_pair_init(&pair, "tls+tcp");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    support_pair_deinit(&pair);
    return 0;
}

/* The honest client is served, and nobody else's request came before. */
static void expect_service_for_the_honest_only(void)
{
    support_send(&pair, pair.client, "honest");
    struct mr_transport_incoming incoming = support_receive(&pair);
    assert_true(mr_slice_equal(incoming.bytes, mr_slice_text("honest")));
    support_reply(&pair, incoming.handle, "served");
    support_expect(&pair, pair.client, "served");
}

/* A client with these files asks and gets no answer. */
static void expect_refused(struct mr_transport_tls tls)
{
    struct mr_transport_tls before = pair.client_tls;
    struct mr_slice reply;
    pair.client_tls = tls;
    struct mr_transport_client *client = support_client(&pair);
    support_send(&pair, client, "let me in");
    assert_int_equal(pair.ops->client_wait(client, 700, &pair.arena, &reply, &pair.error),
                     MR_AGAIN);
    pair.ops->client_destroy(client);
    pair.client_tls = before;
    expect_service_for_the_honest_only();
}

static void test_the_honest_are_served(void **state)
{
    (void)state;
    expect_service_for_the_honest_only();
}

static void test_a_client_of_another_authority(void **state)
{
    (void)state;
    expect_refused(support_tls("other", "authority"));
}

static void test_a_server_of_another_authority(void **state)
{
    (void)state;
    expect_refused(support_tls("client", "other-authority"));
}

static void test_a_server_of_another_name(void **state)
{
    (void)state;
    support_pair_deinit(&pair);
    support_pair_init(&pair, "tls+tcp");
    pair.ops->server_destroy(pair.server);
    pair.server = NULL;
    pair.server_tls = support_tls("elsewhere", "authority");
    support_listen(&pair);
    struct mr_slice reply;
    support_send(&pair, pair.client, "are you localhost?");
    assert_int_equal(pair.ops->client_wait(pair.client, 700, &pair.arena, &reply, &pair.error),
                     MR_AGAIN);
    struct mr_transport_incoming none;
    assert_int_equal(pair.ops->server_receive(pair.server, 0, &none, &pair.error), MR_AGAIN);
}

/* openssl's own client, with and without a certificate, as a peer that is not ours. */
static void test_a_client_without_a_certificate(void **state)
{
    char command[SUPPORT_PATH_SIZE * 2];
    const char *const certificates[] = {"", "-cert %s -key %s"};
    char with[SUPPORT_PATH_SIZE];
    (void)state;
    (void)snprintf(with, sizeof(with), "-cert %s -key %s", support_path("client.pem"),
                   support_path("client-key.pem"));
    for (int index = 0; index < 2; index++) {
        /* The server's greeting comes only to those who were let in. */
        (void)snprintf(command, sizeof(command),
                       "sleep 1 | openssl s_client -quiet -connect localhost:%d -CAfile %s %s "
                       "2>/dev/null | grep -aq MRTR",
                       pair.port, support_path("authority.pem"),
                       *certificates[index] == 0 ? "" : with);
        int status = system(command);
        assert_int_equal(status == 0, index == 1);
        expect_service_for_the_honest_only();
    }
}

static void test_a_plain_client(void **state)
{
    (void)state;
    int file = support_connect(pair.port);
    assert_int_equal(send(file, "MRTR\1\0\0\0", 8, MSG_NOSIGNAL), 8);
    (void)support_send_raw(file, 1, "plain", 5);
    assert_true(support_is_closed(file, SUPPORT_WAIT_MS));
    assert_int_equal(close(file), 0);
    expect_service_for_the_honest_only();
}

/* A TLS client at a plain server, and the reverse: neither hangs the other. */
static void test_a_plain_server(void **state)
{
    struct support_pair plain;
    struct mr_slice reply;
    char address[MR_TRANSPORT_ADDRESS_SIZE];
    (void)state;
    support_pair_init(&plain, "tcp");
    (void)snprintf(address, sizeof(address), "tls+tcp://localhost:%d", plain.port);
    assert_int_equal(
        pair.ops->client_send(pair.client, address, mr_slice_text("secret"), &pair.error), MR_OK);
    assert_int_equal(pair.ops->client_wait(pair.client, 300, &pair.arena, &reply, &pair.error),
                     MR_AGAIN);
    support_send(&plain, plain.client, "plain");
    struct mr_transport_incoming incoming = support_receive(&plain);
    assert_true(mr_slice_equal(incoming.bytes, mr_slice_text("plain")));
    support_pair_deinit(&plain);
    expect_service_for_the_honest_only();
}

static void test_silent_peers_do_not_hold_the_door(void **state)
{
    enum { SILENT = 100 };
    int files[SILENT];
    (void)state;
    for (int index = 0; index < SILENT; index++) {
        files[index] = support_connect(pair.port);
        if (index % 2 == 0)
            assert_int_equal(send(files[index], "\x16\x03\x01\x02", 4, MSG_NOSIGNAL), 4);
    }
    expect_service_for_the_honest_only();
    for (int index = 0; index < SILENT; index++)
        assert_int_equal(close(files[index]), 0);
    expect_service_for_the_honest_only();
}

static void expect_files_refused(struct mr_transport_tls tls, const char *named)
{
    struct mr_transport_client *client = NULL;
    struct mr_transport_server *server = NULL;
    struct mr_error error;
    assert_int_not_equal(pair.ops->client_create(pair.transport, &tls, &client, &error), MR_OK);
    assert_non_null(strstr(error.message, named));
    assert_null(strstr(error.message, "BEGIN EC"));
    assert_int_not_equal(
        pair.ops->server_create(pair.transport, "tls+tcp://127.0.0.1:1", &tls, &server, &error),
        MR_OK);
    assert_non_null(strstr(error.message, named));
}

static void test_wrong_files_are_named(void **state)
{
    struct mr_transport_tls good = support_tls("server", "authority");
    struct mr_transport_tls tls;
    (void)state;
    tls = good;
    tls.certificate_file = support_path("nowhere.pem");
    expect_files_refused(tls, "nowhere.pem");
    tls = good;
    tls.key_file = support_path("server.csr"); /* PEM, but no key */
    expect_files_refused(tls, "server.csr");
    tls = good;
    tls.authority_file = support_path("server-key.pem"); /* PEM, but no certificate */
    expect_files_refused(tls, "authority");
    tls = good;
    tls.authority_file = MR_SOURCE_DIR "/LICENSE";
    expect_files_refused(tls, "LICENSE");
    tls = good;
    tls.key_file = NULL;
    expect_files_refused(tls, "the key is not configured");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_the_honest_are_served, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_client_of_another_authority, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_server_of_another_authority, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_server_of_another_name, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_client_without_a_certificate, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_plain_client, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_plain_server, setup, teardown),
        cmocka_unit_test_setup_teardown(test_silent_peers_do_not_hold_the_door, setup, teardown),
        cmocka_unit_test_setup_teardown(test_wrong_files_are_named, setup, teardown),
    };
    support_folder_create();
    int failures = cmocka_run_group_tests(tests, NULL, NULL);
    support_folder_remove();
    return failures == 0 ? 0 : 1;
}
