/* tests/unit/connectors/test_kafka_ledger.c — requests that are answered, late, lost or refused,
 * against librdkafka's mock brokers (good for scripted request errors; transactions need the real
 * one). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "connectors/kafka/internal.h"

#include <librdkafka/rdkafka_mock.h> /* needs librdkafka's own header before it */

enum { PRODUCE = 0 };

struct setup {
    struct kafka_ledger ledger;
    rd_kafka_t *handle;
    rd_kafka_mock_cluster_t *cluster;
};

static void set(rd_kafka_conf_t *conf, const char *name, const char *value)
{
    char text[KAFKA_TEXT_SIZE];
    assert_int_equal(rd_kafka_conf_set(conf, name, value, text, sizeof(text)), RD_KAFKA_CONF_OK);
}

static int start(void **state)
{
    static struct setup setup;
    memset(&setup, 0, sizeof(setup));
    char text[KAFKA_TEXT_SIZE];
    rd_kafka_conf_t *conf = rd_kafka_conf_new();
    set(conf, "test.mock.num.brokers", "1");
    set(conf, "enable.idempotence", "true");
    set(conf, "linger.ms", "0");
    set(conf, "socket.timeout.ms", "300");
    set(conf, "retry.backoff.ms", "10");
    set(conf, "log_level", "0");
    mr_kafka_ledger_attach(conf, &setup.ledger);
    setup.handle = rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof(text));
    assert_non_null(setup.handle);
    setup.cluster = rd_kafka_handle_mock_cluster(setup.handle);
    rd_kafka_mock_topic_create(setup.cluster, "t", 1, 1);
    *state = &setup;
    return 0;
}

static int stop(void **state)
{
    struct setup *setup = *state;
    rd_kafka_purge(setup->handle, RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT);
    rd_kafka_destroy(setup->handle);
    return 0;
}

static void produce(struct setup *setup, int64_t *offset)
{
    static char value[] = "v";
    /* The array call: the variadic one needs an extension of C that clang warns of. */
    const rd_kafka_vu_t arguments[] = {{.vtype = RD_KAFKA_VTYPE_TOPIC, .u.cstr = "t"},
                                       {.vtype = RD_KAFKA_VTYPE_PARTITION, .u.i32 = 0},
                                       {.vtype = RD_KAFKA_VTYPE_VALUE, .u.mem = {value, 1}},
                                       {.vtype = RD_KAFKA_VTYPE_OPAQUE, .u.ptr = offset}};
    assert_null(rd_kafka_produceva(setup->handle, arguments, 4));
}

static void test_answered_requests_are_clean(void **state)
{
    struct setup *setup = *state;
    int64_t first = -7;
    int64_t third = -7;
    produce(setup, &first);
    assert_int_equal(rd_kafka_flush(setup->handle, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    produce(setup, NULL);
    produce(setup, &third);
    assert_int_equal(rd_kafka_flush(setup->handle, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_true(mr_kafka_ledger_clean(&setup->ledger));
    assert_true(atomic_load(&setup->ledger.sent[PRODUCE]) >= 2);
    assert_int_equal(atomic_load(&setup->ledger.sent[PRODUCE]),
                     atomic_load(&setup->ledger.answered[PRODUCE]));
    assert_int_equal(first, 0);
    assert_int_equal(third, 2);
    assert_int_equal(atomic_load(&setup->ledger.record_error), 0);
}

static void test_an_answer_with_an_error_is_spent(void **state)
{
    struct setup *setup = *state;
    rd_kafka_mock_push_request_errors(setup->cluster, PRODUCE, 2,
                                      RD_KAFKA_RESP_ERR_NOT_ENOUGH_REPLICAS,
                                      RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    int64_t offset = -7;
    produce(setup, &offset);
    assert_int_equal(rd_kafka_flush(setup->handle, 20000), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_int_equal(offset, 0);
    assert_true(atomic_load(&setup->ledger.sent[PRODUCE]) >= 3);
    assert_true(mr_kafka_ledger_clean(&setup->ledger));
}

static void test_a_request_that_timed_out_is_dirty(void **state)
{
    struct setup *setup = *state;
    produce(setup, NULL);
    assert_int_equal(rd_kafka_flush(setup->handle, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    /* The answer comes after socket.timeout.ms: librdkafka gives up, and sends again. */
    rd_kafka_mock_broker_push_request_error_rtts(setup->cluster, 1, PRODUCE, 1,
                                                 RD_KAFKA_RESP_ERR_NO_ERROR, 1500);
    produce(setup, NULL);
    assert_int_equal(rd_kafka_flush(setup->handle, 20000), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_false(mr_kafka_ledger_clean(&setup->ledger));
    char text[KAFKA_TEXT_SIZE];
    mr_kafka_ledger_describe(&setup->ledger, text, sizeof(text));
    assert_non_null(strstr(text, "not answered properly"));
}

static void test_a_broken_connection_is_dirty(void **state)
{
    struct setup *setup = *state;
    produce(setup, NULL);
    assert_int_equal(rd_kafka_flush(setup->handle, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_true(mr_kafka_ledger_clean(&setup->ledger));
    rd_kafka_mock_push_request_errors(setup->cluster, PRODUCE, 1, RD_KAFKA_RESP_ERR__TRANSPORT);
    produce(setup, NULL);
    assert_int_equal(rd_kafka_flush(setup->handle, 20000), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_false(mr_kafka_ledger_clean(&setup->ledger));
}

static void test_a_record_that_is_refused_is_noted(void **state)
{
    struct setup *setup = *state;
    rd_kafka_mock_push_request_errors(setup->cluster, PRODUCE, 1,
                                      RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    int64_t offset = -7;
    produce(setup, &offset);
    rd_kafka_flush(setup->handle, 10000);
    assert_int_equal(atomic_load(&setup->ledger.record_error),
                     RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE);
    assert_int_equal(offset, -7);
}

/* Three batches are refused by a leader that is just coming up, the fourth, in flight with them, is
 * accepted: librdkafka then takes the first three for written. They must not pass. */
static void test_records_that_are_acknowledged_by_a_later_one_are_noted(void **state)
{
    struct setup *setup = *state;
    produce(setup, NULL); /* so that the leader is known */
    assert_int_equal(rd_kafka_flush(setup->handle, 10000), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_false(atomic_load(&setup->ledger.offset_unknown));
    rd_kafka_mock_broker_set_rtt(setup->cluster, 1, 100);
    rd_kafka_mock_push_request_errors(
        setup->cluster, PRODUCE, 3, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION,
        RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION, RD_KAFKA_RESP_ERR_NOT_LEADER_FOR_PARTITION);
    int64_t offsets[4] = {-7, -7, -7, -7};
    for (uint32_t index = 0; index < 4; index++) {
        produce(setup, &offsets[index]);
        mr_clock_sleep_ms(15); /* a batch of its own */
    }
    assert_int_equal(rd_kafka_flush(setup->handle, 20000), RD_KAFKA_RESP_ERR_NO_ERROR);
    assert_true(atomic_load(&setup->ledger.offset_unknown));
    assert_true(offsets[0] < 0);
    assert_int_equal(atomic_load(&setup->ledger.record_error), 0); /* librdkafka calls it success */
}

static void test_unanswered_requests_are_told(void **state)
{
    (void)state;
    struct kafka_ledger ledger = {0};
    char text[KAFKA_TEXT_SIZE];
    assert_true(mr_kafka_ledger_clean(&ledger));
    atomic_store(&ledger.sent[2], 3);
    atomic_store(&ledger.answered[2], 2);
    assert_false(mr_kafka_ledger_clean(&ledger));
    mr_kafka_ledger_describe(&ledger, text, sizeof(text));
    assert_string_equal(text, "3 EndTxn requests were sent and 2 answered");
    atomic_store(&ledger.doubt, RD_KAFKA_RESP_ERR__NOENT);
    mr_kafka_ledger_describe(&ledger, text, sizeof(text));
    assert_non_null(strstr(text, "after its time-out"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answered_requests_are_clean, start, stop),
        cmocka_unit_test_setup_teardown(test_an_answer_with_an_error_is_spent, start, stop),
        cmocka_unit_test_setup_teardown(test_a_request_that_timed_out_is_dirty, start, stop),
        cmocka_unit_test_setup_teardown(test_a_broken_connection_is_dirty, start, stop),
        cmocka_unit_test_setup_teardown(test_a_record_that_is_refused_is_noted, start, stop),
        cmocka_unit_test_setup_teardown(test_records_that_are_acknowledged_by_a_later_one_are_noted,
                                        start, stop),
        cmocka_unit_test(test_unanswered_requests_are_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
