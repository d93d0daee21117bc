/* tests/unit/proto/test_nng_transport.c — addresses, certificates' files, nng's errors. */
#include "proto/nng_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static const struct mr_nng_identity no_identity;

static enum mr_status parse(const char *address, struct mr_nng_address *parsed,
                            struct mr_error *error)
{
    return mr_nng_address_parse(address, &no_identity, parsed, error);
}

static void test_addresses(void **state)
{
    struct mr_nng_address parsed;
    struct mr_error error;
    (void)state;
    assert_int_equal(parse("tcp://coordinator-0.millrace:4711", &parsed, &error), MR_OK);
    assert_string_equal(parsed.host, "coordinator-0.millrace");
    assert_false(parsed.tls || parsed.ipc);
    assert_int_equal(parse("tcp://[::1]:1", &parsed, &error), MR_OK);
    assert_string_equal(parsed.host, "::1");
    assert_int_equal(parse("ipc:///tmp/x", &parsed, &error), MR_OK);
    assert_true(parsed.ipc);
}

static void test_addresses_that_are_none(void **state)
{
    static const char *const wrong[] = {"",
                                        "host:1",
                                        "http://host:1",
                                        "tcp://host",
                                        "tcp://host:",
                                        "tcp://:1",
                                        "tcp://host:0",
                                        "tcp://host:65536",
                                        "tcp://host:1x",
                                        "tcp://host:-1",
                                        "tcp://::1:1",
                                        "tcp://[::1:1",
                                        "tcp://[]:1",
                                        "tcp://a b:1",
                                        "tcp://a/b:1",
                                        "ipc://",
                                        "tcp://host: 1",
                                        "tls+tcp://host",
                                        "tcp://host:+1"};
    struct mr_nng_address parsed;
    struct mr_error error;
    char longest[MR_TRANSPORT_ADDRESS_SIZE + 1];
    (void)state;
    for (size_t index = 0; index < sizeof(wrong) / sizeof(wrong[0]); index++) {
        if (parse(wrong[index], &parsed, &error) != MR_INVALID)
            fail_msg("'%s' is taken for an address", wrong[index]);
        assert_non_null(strstr(error.message, "Write tcp://HOST:PORT"));
    }
    memset(longest, 'h', sizeof(longest));
    memcpy(longest, "tcp://", 6);
    memcpy(longest + sizeof(longest) - 4, ":99", 4);
    assert_int_equal(parse(longest, &parsed, &error), MR_INVALID);
}

/* An address that somebody suggests must not lead around TLS. */
static void test_tls_and_plain_do_not_mix(void **state)
{
    char key[] = "key";
    struct mr_nng_identity identity = {.key = key};
    struct mr_nng_address parsed;
    struct mr_error error;
    (void)state;
    assert_int_equal(parse("tls+tcp://host:1", &parsed, &error), MR_INVALID);
    assert_non_null(strstr(error.message, "no certificate"));
    assert_int_equal(mr_nng_address_parse("tls+tcp://host:1", &identity, &parsed, &error), MR_OK);
    assert_true(parsed.tls);
    assert_int_equal(mr_nng_address_parse("tcp://host:1", &identity, &parsed, &error), MR_INVALID);
    assert_int_equal(mr_nng_address_parse("ipc:///x", &identity, &parsed, &error), MR_INVALID);
}

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void test_identity_files(void **state)
{
    char good[] = "/tmp/millrace-identity.XXXXXX";
    char bad[] = "/tmp/millrace-identity.XXXXXX";
    struct mr_nng_identity identity;
    struct mr_error error;
    (void)state;
    assert_int_equal(close(mkstemp(good)), 0);
    assert_int_equal(close(mkstemp(bad)), 0);
    write_file(good, "-----BEGIN SOMETHING-----\n");
    write_file(bad, "no PEM");
    struct mr_transport_tls tls = {good, good, good};
    assert_int_equal(mr_nng_identity_load(&tls, &identity, &error), MR_OK);
    assert_string_equal(identity.key, "-----BEGIN SOMETHING-----\n");
    assert_string_equal(identity.files.key_file, good);
    mr_nng_identity_deinit(&identity);
    assert_null(identity.key);
    tls.key_file = bad;
    assert_int_equal(mr_nng_identity_load(&tls, &identity, &error), MR_INVALID);
    assert_non_null(strstr(error.message, bad));
    assert_null(strstr(error.message, "no PEM")); /* what a key's file holds is nobody's business */
    tls.key_file = "";
    assert_int_equal(mr_nng_identity_load(&tls, &identity, &error), MR_INVALID);
    tls.key_file = "/nowhere/at/all";
    assert_int_equal(mr_nng_identity_load(&tls, &identity, &error), MR_NOT_FOUND);
    assert_int_equal(mr_nng_identity_load(NULL, &identity, &error), MR_OK);
    assert_null(identity.key);
    assert_int_equal(unlink(good), 0);
    assert_int_equal(unlink(bad), 0);
}

static void test_codes(void **state)
{
    struct mr_error error;
    (void)state;
    assert_int_equal(mr_nng_fail(&error, NNG_EADDRINUSE, "Cannot listen at '%s'", "x"), MR_IO);
    assert_string_equal(error.message, "Cannot listen at 'x': Address in use.");
    assert_int_equal(error.origin_code, NNG_EADDRINUSE);
    assert_int_equal(mr_nng_fail(&error, NNG_EADDRINVAL, "No"), MR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_addresses),
        cmocka_unit_test(test_addresses_that_are_none),
        cmocka_unit_test(test_tls_and_plain_do_not_mix),
        cmocka_unit_test(test_identity_files),
        cmocka_unit_test(test_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
