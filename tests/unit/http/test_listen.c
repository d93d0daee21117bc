/* tests/unit/http/test_listen.c — listening sockets. */
#include "base/clock.h"
#include "http/listen.h"
#include "tests/unit/http/fixture.h"

#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* A connection to where it listens: localhost may be ::1 or 127.0.0.1, by /etc/hosts. */
static int connect_to(const struct mr_http_listen *listen)
{
    struct sockaddr_storage address;
    socklen_t size = sizeof address;
    assert_int_equal(getsockname(listen->fd, (struct sockaddr *)&address, &size), 0);
    int fd = socket(address.ss_family, SOCK_STREAM, 0);
    assert_true(fd >= 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&address, size), 0);
    return fd;
}

static void test_listens_and_accepts(void **state)
{
    (void)state;
    struct mr_http_listen listen;
    struct mr_error error;
    assert_int_equal(mr_http_listen_open(&listen, "localhost:0", &error), MR_OK);
    assert_int_equal(mr_http_listen_accept(&listen), -1);
    int client = connect_to(&listen);
    int fd = mr_http_listen_accept(&listen);
    assert_true(fd >= 0);
    assert_int_equal(mr_http_listen_accept(&listen), -1);
    close(fd);
    close(client);
    mr_http_listen_close(&listen);
}

static void test_takes_ipv6_in_brackets(void **state)
{
    (void)state;
    struct mr_http_listen listen;
    struct mr_error error;
    enum mr_status status = mr_http_listen_open(&listen, "[::1]:0", &error);
    assert_true(status == MR_OK || status == MR_IO); /* a machine without IPv6 */
    if (status == MR_OK)
        assert_true(listen.port > 0);
    mr_http_listen_close(&listen);
}

/* Without descriptors the waiting connection is taken and closed, not left to wake the loop. */
static void test_refuses_when_descriptors_run_out(void **state)
{
    (void)state;
    struct mr_http_listen listen;
    struct mr_error error;
    assert_int_equal(mr_http_listen_open(&listen, "127.0.0.1:0", &error), MR_OK);
    int client = http_connect(listen.port);
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    struct rlimit none = {.rlim_cur = (rlim_t)listen.spare_fd, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int fds[64];
    int count = 0;
    while (count < 64 && (fds[count] = dup(0)) >= 0)
        count++;
    none.rlim_cur = (rlim_t)listen.spare_fd + 1;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    int first = dup(0);
    assert_true(first < 0); /* the spare one is the last */
    assert_int_equal(mr_http_listen_accept(&listen), -1);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_true(http_is_closed(client));
    assert_true(listen.spare_fd >= 0);
    while (count > 0)
        close(fds[--count]);
    close(client);
    mr_http_listen_close(&listen);
}

static void test_names_a_wrong_address(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "", "a", ":1", "a:", "a:b", "::1:1", "[::1]", "127.0.0.1:70000"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct mr_http_listen listen;
        struct mr_error error;
        assert_int_equal(mr_http_listen_open(&listen, bad[i], &error), MR_INVALID);
        assert_non_null(strstr(error.message, "HOST:PORT"));
        mr_http_listen_close(&listen);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_listens_and_accepts),
        cmocka_unit_test(test_takes_ipv6_in_brackets),
        cmocka_unit_test(test_refuses_when_descriptors_run_out),
        cmocka_unit_test(test_names_a_wrong_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
