/* What the conformance suite does not ask: misuse, limits, deleted topics, and no heap per record.
 */
#include "tests/unit/connectors/memory_helpers.h"

#include "base/memory.h"

struct fixture {
    struct mr_log *log;
    const struct mr_log_ops *ops;
    struct mr_log_producer *producer;
    struct mr_log_record record;
    struct mr_error error;
};

static void open(struct fixture *fixture, const char *id)
{
    struct mr_log_producer_options options = {.transactional_id = id};
    fixture->log = helper_log(0, 0);
    fixture->ops = fixture->log->ops;
    helper_topic(fixture->log, "t", 2, MR_LOG_CLEANUP_DELETE, -1);
    fixture->record = (struct mr_log_record){.topic = "t", .value = mr_slice_text("v")};
    assert_int_equal(fixture->ops->producer_create(fixture->log, &options, 0, &fixture->producer,
                                                   &fixture->error),
                     MR_OK);
}

static void close(struct fixture *fixture)
{
    fixture->ops->producer_destroy(fixture->producer);
    fixture->log->ops->close(fixture->log);
}

static enum mr_status begin(struct fixture *fixture)
{
    return fixture->ops->producer_begin(fixture->producer, &fixture->error);
}

static enum mr_status send(struct fixture *fixture, uint32_t count)
{
    enum mr_status status = MR_OK;
    for (uint32_t i = 0; i < count && status == MR_OK; i++)
        status =
            fixture->ops->producer_send(fixture->producer, &fixture->record, 1, &fixture->error);
    return status;
}

static enum mr_status commit(struct fixture *fixture)
{
    return fixture->ops->producer_commit(fixture->producer, &fixture->error);
}

static void test_order_of_calls(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    open(&fixture, "id");
    assert_int_equal(begin(&fixture), MR_OK);
    assert_int_equal(begin(&fixture), MR_INVALID);
    close(&fixture);
    open(&fixture, "id");
    assert_int_equal(send(&fixture, 1), MR_INVALID);
    assert_int_equal(fixture.error.recovery, MR_RECOVERY_REINCARNATE);
    /* Broken for good. */
    assert_int_equal(begin(&fixture), MR_INVALID);
    close(&fixture);
    open(&fixture, "id");
    assert_int_equal(commit(&fixture), MR_INVALID);
    close(&fixture);
    open(&fixture, NULL);
    assert_int_equal(begin(&fixture), MR_INVALID);
    close(&fixture);
}

static void test_refused_records(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    char *value = mr_memory_new(1, MR_MEMORY_MESSAGE_BYTES_MAX + 64);
    open(&fixture, NULL);
    fixture.record.value = mr_slice_from(value, 1 << 20);
    assert_int_equal(send(&fixture, 1), MR_OK);
    fixture.record.value = mr_slice_from(value, MR_MEMORY_MESSAGE_BYTES_MAX + 64);
    assert_int_equal(send(&fixture, 1), MR_LIMIT);
    close(&fixture);
    mr_memory_free(value);
    open(&fixture, NULL);
    fixture.record.partition = 2;
    assert_int_equal(send(&fixture, 1), MR_NOT_FOUND);
    close(&fixture);
    open(&fixture, NULL);
    fixture.record.partition = -1;
    assert_int_equal(send(&fixture, 1), MR_NOT_FOUND);
    close(&fixture);
    open(&fixture, NULL);
    fixture.record.topic = "none";
    assert_int_equal(send(&fixture, 1), MR_NOT_FOUND);
    close(&fixture);
}

static void test_topic_deleted_under_a_transaction(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    open(&fixture, "id");
    helper_topic(fixture.log, "u", 1, MR_LOG_CLEANUP_DELETE, -1);
    assert_int_equal(begin(&fixture), MR_OK);
    assert_int_equal(send(&fixture, 10), MR_OK);
    fixture.record.topic = "u";
    assert_int_equal(send(&fixture, 10), MR_OK);
    assert_int_equal(fixture.ops->topic_delete(fixture.log, "t", &fixture.error), MR_OK);
    assert_int_equal(commit(&fixture), MR_NOT_FOUND);
    /* Nothing of it, in the other topic neither. */
    assert_int_equal(helper_statistics(fixture.log, "u").records_count, 0);
    close(&fixture);
}

static void test_topic_created_anew_between_transactions(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    open(&fixture, "id");
    for (uint32_t i = 0; i < 2; i++) {
        assert_int_equal(begin(&fixture), MR_OK);
        assert_int_equal(send(&fixture, 3), MR_OK);
        assert_int_equal(commit(&fixture), MR_OK);
        assert_int_equal(helper_statistics(fixture.log, "t").records_count, 3);
        assert_int_equal(fixture.ops->topic_delete(fixture.log, "t", &fixture.error), MR_OK);
        helper_topic(fixture.log, "t", 2, MR_LOG_CLEANUP_DELETE, -1);
    }
    close(&fixture);
}

static void test_unflushed_records_go_out_in_time(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    uint8_t value[1000] = {0};
    open(&fixture, NULL);
    fixture.record.value = mr_slice_from(value, sizeof(value));
    assert_int_equal(send(&fixture, 500), MR_OK);
    assert_int_equal(helper_statistics(fixture.log, "t").records_count, 0);
    assert_int_equal(send(&fixture, 1500), MR_OK);
    assert_true(helper_statistics(fixture.log, "t").records_count >= 1000);
    assert_int_equal(fixture.ops->producer_flush(fixture.producer, &fixture.error), MR_OK);
    assert_int_equal(helper_statistics(fixture.log, "t").records_count, 2000);
    close(&fixture);
}

static void test_identities_leave_with_their_producers(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    char id[32];
    open(&fixture, "kept");
    for (uint32_t i = 0; i < 100; i++) {
        (void)snprintf(id, sizeof(id), "id-%u", i);
        assert_int_equal(mr_log_fence(fixture.log, id, 0, &fixture.error), MR_OK);
    }
    assert_int_equal(((struct mr_memory_log *)fixture.log)->identities_count, 1);
    close(&fixture);
}

/* After the first transactions the way of a record through the log takes no heap memory. */
static void test_no_heap_per_record(void **state)
{
    MR_UNUSED(state);
    struct fixture fixture;
    struct mr_log_consumer *consumer = NULL;
    struct mr_log_consumer_options options = {0};
    struct mr_log_assignment assignment = {.topic = "t"};
    open(&fixture, "id");
    assert_int_equal(fixture.ops->consumer_create(fixture.log, &options, &consumer, &fixture.error),
                     MR_OK);
    assert_int_equal(fixture.ops->consumer_add(consumer, &assignment, 1, &fixture.error), MR_OK);
    uint64_t before = 0;
    for (uint32_t turn = 0; turn < 60; turn++) {
        if (turn == 20)
            before = mr_memory_counters().allocation_count;
        assert_int_equal(begin(&fixture), MR_OK);
        assert_int_equal(send(&fixture, turn % 2 == 0 ? 2000 : 10), MR_OK);
        assert_int_equal(commit(&fixture), MR_OK);
        struct mr_log_fetch fetch;
        int64_t next = 0;
        while (fixture.ops->consumer_poll(consumer, 500, 0, &fetch, &fixture.error) == MR_OK) {
            next = fetch.messages[fetch.messages_count - 1].offset + 1;
            fixture.ops->fetch_release(consumer, &fetch);
        }
        assert_int_equal(fixture.ops->records_delete(fixture.log, "t", 0, next, &fixture.error),
                         MR_OK);
    }
    assert_int_equal(mr_memory_counters().allocation_count, before);
    fixture.ops->consumer_destroy(consumer);
    close(&fixture);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order_of_calls),
        cmocka_unit_test(test_refused_records),
        cmocka_unit_test(test_topic_deleted_under_a_transaction),
        cmocka_unit_test(test_topic_created_anew_between_transactions),
        cmocka_unit_test(test_unflushed_records_go_out_in_time),
        cmocka_unit_test(test_identities_leave_with_their_producers),
        cmocka_unit_test(test_no_heap_per_record),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
