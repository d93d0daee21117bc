/* tests/unit/connectors/test_kafka_error.c — what a caller may do after each kind of error. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/assert.h"
#include "connectors/kafka/internal.h"

struct expectation {
    rd_kafka_resp_err_t code;
    enum mr_status status;
    enum mr_recovery recovery; /* of consumers and admin requests */
    enum mr_recovery producer;
};

static const struct expectation expectations[] = {
    {RD_KAFKA_RESP_ERR__TRANSPORT, MR_IO, MR_RECOVERY_RETRY, MR_RECOVERY_REINCARNATE},
    {RD_KAFKA_RESP_ERR__ALL_BROKERS_DOWN, MR_IO, MR_RECOVERY_RETRY, MR_RECOVERY_REINCARNATE},
    {RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, MR_IO, MR_RECOVERY_RETRY, MR_RECOVERY_REINCARNATE},
    {RD_KAFKA_RESP_ERR__TIMED_OUT, MR_TIMEOUT, MR_RECOVERY_RETRY, MR_RECOVERY_REINCARNATE},
    {RD_KAFKA_RESP_ERR__FENCED, MR_FENCED, MR_RECOVERY_REINCARNATE, MR_RECOVERY_REINCARNATE},
    {RD_KAFKA_RESP_ERR_PRODUCER_FENCED, MR_FENCED, MR_RECOVERY_REINCARNATE,
     MR_RECOVERY_REINCARNATE},
    {RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH, MR_FENCED, MR_RECOVERY_REINCARNATE,
     MR_RECOVERY_REINCARNATE},
    {RD_KAFKA_RESP_ERR_INVALID_TXN_STATE, MR_IO, MR_RECOVERY_REINCARNATE, MR_RECOVERY_REINCARNATE},
    {RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
     MR_RECOVERY_FAIL_TOPOLOGY},
    {RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
     MR_RECOVERY_FAIL_TOPOLOGY},
    {RD_KAFKA_RESP_ERR_SASL_AUTHENTICATION_FAILED, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
     MR_RECOVERY_FAIL_TOPOLOGY},
    {RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
     MR_RECOVERY_FAIL_TOPOLOGY},
    {RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, MR_LIMIT, MR_RECOVERY_REINCARNATE,
     MR_RECOVERY_REINCARNATE},
    {RD_KAFKA_RESP_ERR_UNSUPPORTED_VERSION, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
     MR_RECOVERY_FAIL_TOPOLOGY},
};

static void test_translation(void **state)
{
    (void)state;
    for (size_t index = 0; index < MR_ARRAY_COUNT(expectations); index++) {
        const struct expectation *expected = &expectations[index];
        struct mr_error error = {0};
        enum mr_status status = mr_kafka_fail(&error, expected->code, NULL, "Doing %s", "it");
        if (status != expected->status || error.status != status ||
            error.recovery != expected->recovery)
            fail_msg("%s: %s, %s", rd_kafka_err2name(expected->code), mr_status_name(status),
                     mr_recovery_name(error.recovery));
        assert_string_equal(error.origin, "kafka");
        assert_int_equal(error.origin_code, expected->code);
        assert_int_equal(strncmp(error.message, "Doing it: ", 10), 0);
        status = mr_kafka_fail_producer(&error, expected->code, NULL, "Doing it");
        assert_int_equal(status, expected->status);
        assert_int_equal(error.recovery, expected->producer);
    }
}

static void test_no_error_lets_a_producer_be_used_again(void **state)
{
    (void)state;
    for (int code = RD_KAFKA_RESP_ERR__BEGIN + 1; code < 200; code++) {
        struct mr_error error = {0};
        if (code == RD_KAFKA_RESP_ERR_NO_ERROR)
            continue;
        mr_kafka_fail_producer(&error, (rd_kafka_resp_err_t)code, NULL, "Writing");
        assert_int_not_equal(error.recovery, MR_RECOVERY_RETRY);
        assert_int_not_equal(error.recovery, MR_RECOVERY_NONE);
        assert_int_not_equal(error.status, MR_OK);
    }
}

static void test_sentences(void **state)
{
    (void)state;
    struct mr_error error = {0};
    mr_kafka_fail(&error, RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE, "too big.", "Writing to 't'");
    assert_string_equal(error.message,
                        "Writing to 't': too big. Raise the topic's max.message.bytes, or make the "
                        "record smaller.");
    mr_kafka_fail(&error, RD_KAFKA_RESP_ERR__TRANSPORT, "gone", "Reading");
    assert_string_equal(error.message, "Reading: gone.");
}

static void test_refused_login_says_what_the_broker_said(void **state)
{
    (void)state;
    struct kafka_client client;
    struct mr_error error = {0};
    mr_kafka_client_init(&client);
    snprintf(client.text, sizeof(client.text), "no such user");
    assert_int_equal(mr_kafka_fail_refused(&error, &client, "Listing"), MR_INVALID);
    assert_non_null(strstr(error.message, "no such user"));
    assert_int_equal(error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    mr_kafka_client_deinit(&client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_translation),
        cmocka_unit_test(test_no_error_lets_a_producer_be_used_again),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_refused_login_says_what_the_broker_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
