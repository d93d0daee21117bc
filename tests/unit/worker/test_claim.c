/* tests/unit/worker/test_claim.c — taking and releasing claims over the memory log: who may, who
 * must be fenced, who is too late. */
#include "worker/claim.h"

#include "connectors/connector.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

enum { GENERATION = 0xabc, FIRST = 1001, SECOND = 1002 };

struct fixture {
    struct mr_log *log;
    struct mr_claimer claimer;
};

static int set_up(void **state)
{
    static struct fixture fixture;
    struct mr_error error;
    struct mr_memory_log_open open = {0};
    assert_int_equal(mr_memory_log_create(&open, &fixture.log, &error), MR_OK);
    struct mr_log_topic_create claims = {.name = "c.claims",
                                         .partitions_count = 2,
                                         .replication_factor = -1,
                                         .cleanup = MR_LOG_CLEANUP_COMPACT};
    struct mr_log_topic_create out = {
        .name = "out", .partitions_count = 1, .replication_factor = -1};
    assert_int_equal(fixture.log->ops->topic_create(fixture.log, &claims, &error), MR_OK);
    assert_int_equal(fixture.log->ops->topic_create(fixture.log, &out, &error), MR_OK);
    fixture.claimer = (struct mr_claimer){.log = fixture.log,
                                          .cluster = "c",
                                          .worker = "w",
                                          .claims_topic = "c.claims",
                                          .claims_partitions_count = 2,
                                          .wait_ms = 1000};
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    fixture->log->ops->close(fixture->log);
    return 0;
}

static struct mr_claim_request request_of(uint64_t incarnation, uint64_t epoch)
{
    return (struct mr_claim_request){.generation = GENERATION,
                                     .subtopology = "score",
                                     .partition = 3,
                                     .incarnation = incarnation,
                                     .epoch = epoch,
                                     .transactional = true};
}

static struct mr_log_producer *data_producer(struct fixture *fixture, uint64_t incarnation,
                                             uint32_t turn)
{
    char id[MR_TRANSACTIONAL_ID_SIZE];
    struct mr_error error;
    struct mr_log_producer *producer;
    mr_claim_data_id("c", GENERATION, incarnation, turn, id);
    struct mr_log_producer_options options = {.transactional_id = id,
                                              .transaction_timeout_ms = 10000};
    assert_int_equal(
        fixture->log->ops->producer_create(fixture->log, &options, 1000, &producer, &error), MR_OK);
    return producer;
}

static enum mr_status try_commit(struct mr_log_producer *producer, struct mr_error *error)
{
    const struct mr_log_ops *ops = producer->log->ops;
    struct mr_log_record record = {
        .topic = "out", .key_null = true, .value = mr_slice_text("x"), .timestamp_ms = -1};
    enum mr_status status = ops->producer_begin(producer, error);
    if (status == MR_OK)
        status = ops->producer_send(producer, &record, 1, error);
    return status == MR_OK ? ops->producer_commit(producer, error) : status;
}

static void test_first_claim_is_epoch_one(void **state)
{
    struct fixture *fixture = *state;
    struct mr_error error;
    uint64_t epoch = 0;
    struct mr_claim_request request = request_of(FIRST, 0);
    assert_int_equal(mr_claim_take(&fixture->claimer, &request, &epoch, &error), MR_OK);
    assert_int_equal(epoch, 1);
}

static void test_takeover_fences_both_producers(void **state)
{
    struct fixture *fixture = *state;
    struct mr_error error;
    uint64_t epoch;
    struct mr_log_producer *producers[2] = {data_producer(fixture, FIRST, 0),
                                            data_producer(fixture, FIRST, 1)};
    struct mr_claim_request first = request_of(FIRST, 0);
    assert_int_equal(mr_claim_take(&fixture->claimer, &first, &epoch, &error), MR_OK);
    assert_int_equal(try_commit(producers[0], &error), MR_OK);
    struct mr_claim_request second = request_of(SECOND, 0);
    assert_int_equal(mr_claim_take(&fixture->claimer, &second, &epoch, &error), MR_OK);
    assert_int_equal(epoch, 2);
    for (int turn = 0; turn < 2; turn++) {
        enum mr_status status = try_commit(producers[turn], &error);
        assert_int_equal(status, MR_FENCED);
        fixture->log->ops->producer_destroy(producers[turn]);
    }
    /* The old owner asks again with its old epoch: too late. */
    first.epoch = 1;
    assert_int_equal(mr_claim_take(&fixture->claimer, &first, &epoch, &error), MR_FENCED);
    assert_int_equal(error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    assert_non_null(strstr(error.message, "taken over"));
}

static void test_own_error_claims_again_with_the_same_epoch(void **state)
{
    struct fixture *fixture = *state;
    struct mr_error error;
    uint64_t epoch;
    struct mr_claim_own own = {0};
    struct mr_claim_request first = request_of(FIRST, 0);
    first.own = &own;
    assert_int_equal(mr_claim_take(&fixture->claimer, &first, &epoch, &error), MR_OK);
    struct mr_claim_request again = request_of(SECOND, epoch);
    again.own = &own;
    assert_int_equal(mr_claim_take(&fixture->claimer, &again, &epoch, &error), MR_OK);
    assert_int_equal(epoch, 1);
    /* Another owner with the same epoch is no heir. */
    struct mr_claim_request foreign = request_of(77, epoch);
    assert_int_equal(mr_claim_take(&fixture->claimer, &foreign, &epoch, &error), MR_FENCED);
}

/* Incarnations that fail before they claim do not make the last claim a stranger's. */
static void test_own_errors_in_a_row_claim_again(void **state)
{
    struct fixture *fixture = *state;
    struct mr_error error;
    uint64_t epoch;
    struct mr_claim_own own = {0};
    struct mr_claim_request request = request_of(FIRST, 0);
    request.own = &own;
    assert_int_equal(mr_claim_take(&fixture->claimer, &request, &epoch, &error), MR_OK);
    request.epoch = epoch;
    struct mr_claimer unreachable = fixture->claimer;
    unreachable.claims_topic = "missing";
    for (uint64_t incarnation = 2000; incarnation < 2003; incarnation++) {
        request.incarnation = incarnation;
        assert_int_not_equal(mr_claim_take(&unreachable, &request, &epoch, &error), MR_OK);
    }
    request.incarnation = SECOND;
    assert_int_equal(mr_claim_take(&fixture->claimer, &request, &epoch, &error), MR_OK);
    assert_int_equal(epoch, 1);
    assert_int_equal(own.tried, SECOND);
    /* A claim of which the owner does not know that it was written is its own as well. */
    own.seen = FIRST;
    request.incarnation = 3000;
    assert_int_equal(mr_claim_take(&fixture->claimer, &request, &epoch, &error), MR_OK);
    assert_int_equal(own.seen, SECOND);
}

static void test_released_claim_needs_no_fence(void **state)
{
    struct fixture *fixture = *state;
    struct mr_error error;
    uint64_t epoch;
    struct mr_log_producer *producer = data_producer(fixture, FIRST, 0);
    struct mr_claim_request first = request_of(FIRST, 0);
    assert_int_equal(mr_claim_take(&fixture->claimer, &first, &epoch, &error), MR_OK);
    assert_int_equal(mr_claim_release(&fixture->claimer, &first, epoch, &error), MR_OK);
    struct mr_claim_request second = request_of(SECOND, 0);
    assert_int_equal(mr_claim_take(&fixture->claimer, &second, &epoch, &error), MR_OK);
    assert_int_equal(epoch, 2);
    assert_int_equal(try_commit(producer, &error), MR_OK); /* of other tasks: still its own */
    fixture->log->ops->producer_destroy(producer);
}

static void test_only_the_owner_releases(void **state)
{
    struct fixture *fixture = *state;
    struct mr_error error;
    uint64_t epoch;
    struct mr_claim_request first = request_of(FIRST, 0);
    struct mr_claim_request second = request_of(SECOND, 0);
    assert_int_equal(mr_claim_take(&fixture->claimer, &first, &epoch, &error), MR_OK);
    uint64_t old_epoch = epoch;
    assert_int_equal(mr_claim_take(&fixture->claimer, &second, &epoch, &error), MR_OK);
    assert_int_equal(mr_claim_release(&fixture->claimer, &first, old_epoch, &error), MR_FENCED);
    assert_int_equal(mr_claim_release(&fixture->claimer, &second, epoch, &error), MR_OK);
}

static enum mr_status extra_record(void *argument, uint64_t epoch, struct mr_log_record *record,
                                   bool *wanted, struct mr_error *error)
{
    uint64_t *seen = argument;
    (void)error;
    *seen = epoch;
    *record = (struct mr_log_record){
        .topic = "out", .key_null = true, .value = mr_slice_text("moved"), .timestamp_ms = -1};
    *wanted = true;
    return MR_OK;
}

static enum mr_status count_records(void *argument, const struct mr_log_message *message,
                                    struct mr_error *error)
{
    int *count = argument;
    (void)error;
    (void)message;
    ++*count;
    return MR_OK;
}

static int records_of(struct fixture *fixture, const char *topic)
{
    struct mr_error error;
    int64_t end;
    int count = 0;
    assert_int_equal(mr_log_read_to_end(fixture->log, topic, 0, MR_LOG_OFFSET_EARLIEST,
                                        count_records, &count, 1000, &end, &error),
                     MR_OK);
    return count;
}

static void test_fencing_a_task_ends_its_owner(void **state)
{
    struct fixture *fixture = *state;
    struct mr_error error;
    uint64_t epoch;
    uint64_t seen = 0;
    struct mr_log_producer *producer = data_producer(fixture, FIRST, 0);
    struct mr_claim_request owner = request_of(FIRST, 0);
    assert_int_equal(mr_claim_take(&fixture->claimer, &owner, &epoch, &error), MR_OK);
    struct mr_claim_request nobody = request_of(0, 0);
    assert_int_equal(
        mr_claim_fence_task(&fixture->claimer, &nobody, extra_record, &seen, &epoch, &error),
        MR_OK);
    assert_int_equal(epoch, 2);
    assert_int_equal(seen, 2);
    assert_int_equal(records_of(fixture, "out"), 1);
    assert_int_equal(try_commit(producer, &error), MR_FENCED);
    fixture->log->ops->producer_destroy(producer);
    owner.epoch = 1;
    assert_int_equal(mr_claim_take(&fixture->claimer, &owner, &epoch, &error), MR_FENCED);
    struct mr_claim_request next = request_of(SECOND, 3);
    assert_int_equal(mr_claim_take(&fixture->claimer, &next, &epoch, &error), MR_OK);
}

/* A decision that comes late (its coordinator slept) does not touch the task's new owner. */
static void test_a_late_fence_changes_nothing(void **state)
{
    struct fixture *fixture = *state;
    struct mr_error error;
    uint64_t epoch;
    uint64_t seen = 0;
    struct mr_log_producer *producer = data_producer(fixture, FIRST, 0);
    struct mr_claim_request owner = request_of(FIRST, 5);
    assert_int_equal(mr_claim_take(&fixture->claimer, &owner, &epoch, &error), MR_OK);
    struct mr_claim_request late = request_of(0, 4);
    assert_int_equal(
        mr_claim_fence_task(&fixture->claimer, &late, extra_record, &seen, &epoch, &error),
        MR_FENCED);
    assert_int_equal(seen, 0);
    assert_int_equal(records_of(fixture, "out"), 0);
    assert_int_equal(try_commit(producer, &error), MR_OK);
    fixture->log->ops->producer_destroy(producer);
}

static void test_golden_bytes(void **state)
{
    struct mr_arena arena;
    struct mr_error error;
    struct mr_claim claim = {.epoch = 2, .incarnation = 0x0102, .released = true, .worker = "ab"};
    struct mr_claim read;
    (void)state;
    mr_arena_init(&arena, 1024);
    struct mr_slice bytes = mr_claim_encode(&claim, &arena);
    static const uint8_t golden[] = {1, 1, 2, 0, 0, 0, 0, 0, 0, 0,   2,
                                     1, 0, 0, 0, 0, 0, 0, 2, 0, 'a', 'b'};
    assert_int_equal(bytes.size, sizeof(golden));
    assert_memory_equal(bytes.data, golden, sizeof(golden));
    assert_int_equal(mr_claim_decode(bytes, &read, &error), MR_OK);
    assert_string_equal(read.worker, "ab");
    assert_int_equal(mr_claim_decode(mr_slice_from(golden, 10), &read, &error), MR_CORRUPT);
    mr_arena_deinit(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_first_claim_is_epoch_one, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_takeover_fences_both_producers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_own_error_claims_again_with_the_same_epoch, set_up,
                                        tear_down),
        cmocka_unit_test_setup_teardown(test_own_errors_in_a_row_claim_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_released_claim_needs_no_fence, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_only_the_owner_releases, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fencing_a_task_ends_its_owner, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_late_fence_changes_nothing, set_up, tear_down),
        cmocka_unit_test(test_golden_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
