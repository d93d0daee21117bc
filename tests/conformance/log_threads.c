/* tests/conformance/log_threads.c — the suite's tests with several threads.
 * Threads do not call cmocka; they count what went wrong and the test looks at the counts. */
#include "tests/conformance/log_tests.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>

struct late_writer {
    struct fixture *fixture;
    const char *topic;
    const char *id;
    atomic_uint failures;
};

static void *write_late(void *argument)
{
    struct late_writer *writer = argument;
    struct mr_error error;
    mr_clock_sleep_ms(100);
    struct mr_log_record record = fixture_record(writer->topic, 0, NULL, "late");
    if (mr_log_write_once(writer->fixture->log, writer->id, &record, 1,
                          writer->fixture->conformance->patience_ms, &error) != MR_OK)
        atomic_fetch_add(&writer->failures, 1u);
    return NULL;
}

void log_test_poll_wakes(void **state)
{
    struct fixture *fixture = *state;
    const struct mr_log_ops *ops = fixture->log->ops;
    const char *topic = fixture_topic(fixture, 1, MR_LOG_CLEANUP_DELETE);
    struct mr_log_consumer *consumer = fixture_consumer(fixture, topic, 0, 0);
    struct seen_list list = {0};
    fixture_read(fixture, consumer, 10, 1, &list);
    struct late_writer writer = {.fixture = fixture, .topic = topic, .id = fixture_id(fixture)};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, write_late, &writer), 0);
    struct mr_log_fetch fetch;
    uint64_t start_ms = mr_clock_monotonic_ms();
    uint32_t patience_ms = fixture->conformance->patience_ms;
    enum mr_status status = ops->consumer_poll(consumer, 10, patience_ms, &fetch, &fixture->error);
    uint64_t waited_ms = mr_clock_monotonic_ms() - start_ms;
    pthread_join(thread, NULL);
    assert_int_equal(atomic_load(&writer.failures), 0);
    REQUIRE_OK(fixture, status);
    assert_true(mr_slice_equal(fetch.messages[0].value, mr_slice_text("late")));
    assert_true(waited_ms < patience_ms);
    ops->fetch_release(consumer, &fetch);
    ops->consumer_destroy(consumer);
}

/* ---- Two writers of transactions over all partitions, two readers ---- */

enum { STRESS_PARTITIONS = 3, STRESS_WRITERS = 2, STRESS_READERS = 2, STRESS_RECORDS = 30 };

struct stress {
    struct fixture *fixture;
    const char *topic;
    const char *ids[STRESS_WRITERS];
    uint32_t transactions;
    atomic_uint failures;
    atomic_uint written;
};

struct stress_writer {
    struct stress *stress;
    uint32_t index;
};

/* A record's value: which writer, and its count within writer and partition. */
struct stress_value {
    uint32_t writer;
    uint32_t count;
};

static void *stress_write(void *argument)
{
    struct stress_writer *writer = argument;
    struct stress *stress = writer->stress;
    struct mr_log *log = stress->fixture->log;
    struct mr_error error;
    struct mr_log_producer *producer = NULL;
    struct mr_log_producer_options options = {.transactional_id = stress->ids[writer->index],
                                              .transaction_timeout_ms = 30000,
                                              .queued_bytes_max = 1 << 20};
    if (log->ops->producer_create(log, &options, 30000, &producer, &error) != MR_OK) {
        atomic_fetch_add(&stress->failures, 1u);
        return NULL;
    }
    uint32_t counts[STRESS_PARTITIONS] = {0};
    struct stress_value values[STRESS_RECORDS];
    struct mr_log_record records[STRESS_RECORDS];
    enum mr_status status = MR_OK;
    for (uint32_t turn = 0; turn < stress->transactions && status == MR_OK; turn++) {
        for (uint32_t i = 0; i < STRESS_RECORDS; i++) {
            uint32_t partition = (i + turn) % STRESS_PARTITIONS;
            values[i] = (struct stress_value){writer->index, counts[partition]++};
            records[i] = (struct mr_log_record){.topic = stress->topic,
                                                .partition = (int32_t)partition,
                                                .key_null = true,
                                                .value = mr_slice_from(&values[i], 8),
                                                .timestamp_ms = -1};
        }
        status = log->ops->producer_begin(producer, &error);
        if (status == MR_OK)
            status = log->ops->producer_send(producer, records, STRESS_RECORDS, &error);
        if (status == MR_OK)
            status = log->ops->producer_commit(producer, &error);
        if (status == MR_OK)
            atomic_fetch_add(&stress->written, (unsigned)STRESS_RECORDS);
    }
    if (status != MR_OK)
        atomic_fetch_add(&stress->failures, 1u);
    log->ops->producer_destroy(producer);
    return NULL;
}

/* Every writer's counts rise by one in each partition. */
static void stress_check(struct stress *stress, const struct mr_log_fetch *fetch,
                         uint32_t next[STRESS_PARTITIONS][STRESS_WRITERS], uint32_t *seen)
{
    for (uint32_t i = 0; i < fetch->messages_count; i++) {
        const struct mr_log_message *message = &fetch->messages[i];
        if (message->event != MR_LOG_RECORD || message->value.size != 8) {
            atomic_fetch_add(&stress->failures, 1u);
            continue;
        }
        struct stress_value value;
        memcpy(&value, message->value.data, sizeof(value));
        if (value.writer >= STRESS_WRITERS || next[message->tag][value.writer]++ != value.count)
            atomic_fetch_add(&stress->failures, 1u);
        (*seen)++;
    }
}

static void *stress_read(void *argument)
{
    struct stress *stress = argument;
    struct mr_log *log = stress->fixture->log;
    struct mr_error error;
    struct mr_log_consumer *consumer = NULL;
    struct mr_log_consumer_options options = {.queued_bytes_max = 1 << 20};
    if (log->ops->consumer_create(log, &options, &consumer, &error) != MR_OK) {
        atomic_fetch_add(&stress->failures, 1u);
        return NULL;
    }
    for (uint32_t i = 0; i < STRESS_PARTITIONS; i++) {
        struct mr_log_assignment assignment = {
            .topic = stress->topic, .partition = (int32_t)i, .offset = 0, .tag = i};
        if (log->ops->consumer_add(consumer, &assignment, 1, &error) != MR_OK)
            atomic_fetch_add(&stress->failures, 1u);
    }
    uint32_t next[STRESS_PARTITIONS][STRESS_WRITERS] = {{0}};
    uint32_t wanted = stress->transactions * STRESS_RECORDS * STRESS_WRITERS;
    uint64_t deadline_ms = mr_clock_monotonic_ms() + 60000;
    uint32_t seen = 0;
    while (seen < wanted && mr_clock_monotonic_ms() < deadline_ms) {
        struct mr_log_fetch fetch;
        if (log->ops->consumer_poll(consumer, 100, 200, &fetch, &error) != MR_OK)
            continue;
        stress_check(stress, &fetch, next, &seen);
        log->ops->fetch_release(consumer, &fetch);
    }
    if (seen != wanted)
        atomic_fetch_add(&stress->failures, 1u);
    log->ops->consumer_destroy(consumer);
    return NULL;
}

void log_test_threads(void **state)
{
    struct fixture *fixture = *state;
    struct stress stress = {.fixture = fixture,
                            .topic =
                                fixture_topic(fixture, STRESS_PARTITIONS, MR_LOG_CLEANUP_DELETE),
                            .transactions = fixture->conformance->stress_transactions};
    pthread_t threads[STRESS_WRITERS + STRESS_READERS];
    struct stress_writer writers[STRESS_WRITERS];
    for (uint32_t i = 0; i < STRESS_WRITERS; i++) {
        stress.ids[i] = fixture_id(fixture);
        writers[i] = (struct stress_writer){&stress, i};
    }
    for (uint32_t i = 0; i < STRESS_WRITERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, stress_write, &writers[i]), 0);
    for (uint32_t i = 0; i < STRESS_READERS; i++)
        assert_int_equal(pthread_create(&threads[STRESS_WRITERS + i], NULL, stress_read, &stress),
                         0);
    for (uint32_t i = 0; i < STRESS_WRITERS + STRESS_READERS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&stress.failures), 0);
    assert_int_equal(atomic_load(&stress.written),
                     stress.transactions * STRESS_RECORDS * STRESS_WRITERS);
}

/* ---- Owners of one id take turns by force ---- */

enum { RACE_THREADS = 3, RACE_TURNS = 8 };

struct race {
    struct fixture *fixture;
    const char *topic;
    const char *id;
    atomic_uint committed;
    atomic_uint failures;
};

/* Take the id over, commit one pair of records or be fenced. */
static void race_turn(struct race *race)
{
    struct mr_log *log = race->fixture->log;
    struct mr_error error;
    struct mr_log_producer *producer = NULL;
    struct mr_log_producer_options options = {
        .transactional_id = race->id, .transaction_timeout_ms = 30000, .queued_bytes_max = 1 << 20};
    struct mr_log_record records[] = {fixture_record(race->topic, 0, NULL, "x"),
                                      fixture_record(race->topic, 1, NULL, "x")};
    enum mr_status status = log->ops->producer_create(log, &options, 30000, &producer, &error);
    bool sent = false;
    if (status == MR_OK)
        status = log->ops->producer_begin(producer, &error);
    if (status == MR_OK)
        status = log->ops->producer_send(producer, records, 2, &error);
    if (status == MR_OK) {
        sent = true;
        status = log->ops->producer_commit(producer, &error);
    }
    if (status == MR_OK)
        atomic_fetch_add(&race->committed, 1u);
    else if (sent && error.recovery != MR_RECOVERY_REINCARNATE)
        atomic_fetch_add(&race->failures, 1u);
    if (producer != NULL)
        log->ops->producer_destroy(producer);
}

static void *race_run(void *argument)
{
    for (uint32_t i = 0; i < RACE_TURNS; i++)
        race_turn(argument);
    return NULL;
}

/* What is readable is exactly what was acknowledged, in both partitions. */
void log_test_fencing_race(void **state)
{
    struct fixture *fixture = *state;
    struct race race = {.fixture = fixture,
                        .topic = fixture_topic(fixture, 2, MR_LOG_CLEANUP_DELETE),
                        .id = fixture_id(fixture)};
    pthread_t threads[RACE_THREADS];
    for (uint32_t i = 0; i < RACE_THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, race_run, &race), 0);
    for (uint32_t i = 0; i < RACE_THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(atomic_load(&race.failures), 0);
    uint32_t committed = atomic_load(&race.committed);
    uint32_t first_count = fixture_read_all(fixture, race.topic, 0, 0).count;
    uint32_t second_count = fixture_read_all(fixture, race.topic, 1, 0).count;
    assert_int_equal(first_count, second_count);
    assert_true(first_count >= committed);
    if (fixture->conformance->acknowledged_is_all)
        assert_int_equal(first_count, committed);
}
