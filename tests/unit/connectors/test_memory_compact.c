/* Compaction: the newest per key stays, old tombstones go, and restore never misses a deletion. */
#include "tests/unit/connectors/memory_helpers.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { KEYS = 50, FILL_BYTES = 40000 };

struct table {
    char values[KEYS][16]; /* "" : absent */
    uint32_t records_count;
    int64_t last_offset;
};

static void apply(struct table *table, const struct mr_log_message *message)
{
    assert_true(message->offset > table->last_offset);
    table->last_offset = message->offset;
    table->records_count++;
    char text[16] = {0};
    assert_true(message->key.size < sizeof(text));
    memcpy(text, message->key.data, message->key.size);
    char *value = table->values[strtoul(text, NULL, 10)];
    memset(value, 0, 16);
    if (!message->value_null)
        memcpy(value, message->value.data, message->value.size < 15 ? message->value.size : 15);
}

/* Read on until the end of the partition. */
static void follow(struct mr_log *log, struct mr_log_consumer *consumer, uint32_t messages_max,
                   uint32_t polls_max, struct table *table)
{
    struct mr_error error;
    for (uint32_t polls = 0; polls < polls_max; polls++) {
        struct mr_log_fetch fetch;
        assert_int_equal(log->ops->consumer_poll(consumer, messages_max, 1000, &fetch, &error),
                         MR_OK);
        bool end = false;
        for (uint32_t i = 0; i < fetch.messages_count; i++) {
            end = fetch.messages[i].event == MR_LOG_END_OF_PARTITION;
            if (!end) {
                assert_int_equal(fetch.messages[i].event, MR_LOG_RECORD);
                apply(table, &fetch.messages[i]);
            }
        }
        log->ops->fetch_release(consumer, &fetch);
        if (end)
            return;
    }
}

static struct mr_log_consumer *reader(struct mr_log *log, int64_t offset)
{
    struct mr_error error;
    struct mr_log_consumer *consumer = NULL;
    struct mr_log_consumer_options options = {.end_of_partition = true};
    struct mr_log_assignment assignment = {.topic = "c", .offset = offset};
    assert_int_equal(log->ops->consumer_create(log, &options, &consumer, &error), MR_OK);
    assert_int_equal(log->ops->consumer_add(consumer, &assignment, 1, &error), MR_OK);
    return consumer;
}

static struct table read_from(struct mr_log *log, int64_t offset)
{
    struct table table = {.last_offset = -1};
    struct mr_log_consumer *consumer = reader(log, offset);
    follow(log, consumer, 64, UINT32_MAX, &table);
    log->ops->consumer_destroy(consumer);
    return table;
}

/* Rounds of values for every key; each record carries padding, so that compactions become due. */
static void write_rounds(struct mr_log *log, uint32_t first, uint32_t count)
{
    char key[8];
    char *value = test_malloc(FILL_BYTES + 1);
    for (uint32_t round = first; round < first + count; round++) {
        for (uint32_t i = 0; i < KEYS; i++) {
            memset(value, '.', FILL_BYTES);
            value[FILL_BYTES] = 0;
            (void)snprintf(key, sizeof(key), "%u", i);
            int written = snprintf(value, 16, "%u/%u", round, i);
            value[written] = '.';
            helper_put(log, "c", key, value);
        }
    }
    test_free(value);
}

static void expect_round(const struct table *table, uint32_t round, uint32_t except)
{
    for (uint32_t i = 0; i < KEYS; i++) {
        char expected[16];
        (void)snprintf(expected, sizeof(expected), "%u/%u.", round, i);
        if (i == except)
            assert_string_equal(table->values[i], "");
        else
            assert_memory_equal(table->values[i], expected, strlen(expected));
    }
}

static void test_newest_per_key_stays(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    helper_topic(log, "c", 1, MR_LOG_CLEANUP_COMPACT, 0);
    write_rounds(log, 0, 6);
    struct mr_memory_log_statistics statistics = helper_statistics(log, "c");
    assert_true(statistics.compactions_count > 0);
    assert_true(statistics.records_count < 6 * KEYS);
    assert_true(statistics.records_count >= KEYS);
    struct table table = read_from(log, MR_LOG_OFFSET_EARLIEST);
    assert_int_equal(table.records_count, statistics.records_count);
    expect_round(&table, 5, KEYS);
    assert_int_equal(table.last_offset, 6 * KEYS - 1);
    log->ops->close(log);
}

static void test_memory_is_bounded_by_the_live_keys(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    helper_topic(log, "c", 1, MR_LOG_CLEANUP_COMPACT, 0);
    for (uint32_t round = 0; round < 12; round++) {
        write_rounds(log, round, 1);
        /* Twice the live data, 1 MiB, and what is unused at the ends of segments. */
        assert_true(helper_statistics(log, "c").memory_bytes < 3 * KEYS * FILL_BYTES + (5 << 20));
    }
    log->ops->close(log);
}

static void test_reader_inside_goes_on_after_a_compaction(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    helper_topic(log, "c", 1, MR_LOG_CLEANUP_COMPACT, 0);
    write_rounds(log, 0, 1);
    struct table table = {.last_offset = -1};
    struct mr_log_consumer *consumer = reader(log, 0);
    follow(log, consumer, 7, 3, &table);
    assert_int_equal(table.records_count, 21);
    write_rounds(log, 1, 5);
    assert_true(helper_statistics(log, "c").compactions_count > 0);
    follow(log, consumer, 7, UINT32_MAX, &table);
    expect_round(&table, 5, KEYS);
    log->ops->consumer_destroy(consumer);
    log->ops->close(log);
}

static void test_young_tombstone_reaches_a_late_restore(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    helper_topic(log, "c", 1, MR_LOG_CLEANUP_COMPACT, 0);
    write_rounds(log, 0, 1);
    struct table table = read_from(log, 0);
    expect_round(&table, 0, KEYS);
    int64_t stored = table.last_offset + 1;
    helper_put(log, "c", "3", NULL);
    char key[] = "4";
    for (uint32_t i = 0; i < 200; i++) {
        char value[30001];
        memset(value, 'x', sizeof(value) - 1);
        value[30000] = 0;
        helper_put(log, "c", key, value);
    }
    assert_true(helper_statistics(log, "c").compactions_count > 0);
    /* A store that had stopped before the deletion learns of it. */
    struct mr_log_consumer *consumer = reader(log, stored);
    follow(log, consumer, 64, UINT32_MAX, &table);
    log->ops->consumer_destroy(consumer);
    assert_string_equal(table.values[3], "");
    assert_int_equal(table.values[4][0], 'x');
    /* So does one from the beginning. */
    struct table fresh = read_from(log, 0);
    assert_string_equal(fresh.values[3], "");
    log->ops->close(log);
}

static void test_old_tombstones_go(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 1);
    struct mr_error error;
    struct mr_log_topic topic = {0};
    helper_topic(log, "c", 1, MR_LOG_CLEANUP_COMPACT, 0);
    assert_int_equal(log->ops->topic_describe(log, "c", &topic, &error), MR_OK);
    assert_int_equal(topic.delete_retention_ms, 1);
    char key[16];
    for (uint32_t i = 0; i < 1000; i++) {
        (void)snprintf(key, sizeof(key), "gone-%u", i);
        helper_put(log, "c", key, "value");
        helper_put(log, "c", key, NULL);
    }
    mr_clock_sleep_ms(10);
    write_rounds(log, 0, 3);
    assert_true(helper_statistics(log, "c").compactions_count > 0);
    assert_true(helper_statistics(log, "c").records_count <= 3 * KEYS);
    struct table table = read_from(log, 0);
    expect_round(&table, 2, KEYS);
    log->ops->close(log);
}

static void test_everything_deleted_leaves_an_empty_log_with_its_end(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 1);
    struct mr_error error;
    helper_topic(log, "c", 1, MR_LOG_CLEANUP_COMPACT, 0);
    write_rounds(log, 0, 1);
    for (uint32_t i = 0; i < KEYS; i++) {
        char key[8];
        (void)snprintf(key, sizeof(key), "%u", i);
        helper_put(log, "c", key, NULL);
    }
    mr_clock_sleep_ms(10);
    struct mr_memory_log *memory = (struct mr_memory_log *)log;
    mr_memory_compact(memory, memory->topics[0], 0);
    assert_int_equal(helper_statistics(log, "c").records_count, 0);
    assert_int_equal(helper_statistics(log, "c").memory_bytes, 0);
    int64_t end = -1;
    assert_int_equal(log->ops->offset_find(log, "c", 0, MR_LOG_OFFSET_LATEST, &end, &error), MR_OK);
    assert_int_equal(end, 2 * KEYS);
    struct table table = read_from(log, 0);
    assert_int_equal(table.records_count, 0);
    helper_put(log, "c", "1", "again.");
    table = read_from(log, 5);
    assert_int_equal(table.records_count, 1);
    assert_int_equal(table.last_offset, 2 * KEYS);
    log->ops->close(log);
}

/* ---- Compaction beside writers, readers and a topic that grows ---- */

enum { WRITERS = 2, WRITER_KEYS = 20, WRITER_ROUNDS = 60, WRITER_BYTES = 4000 };

struct writer {
    struct mr_log *log;
    uint32_t index;
    atomic_bool *failed;
};

/* Values are the round's number; each writer has keys of its own. */
static void *write_keys(void *argument)
{
    struct writer *writer = argument;
    const struct mr_log_ops *ops = writer->log->ops;
    struct mr_error error;
    struct mr_log_producer *producer = NULL;
    struct mr_log_producer_options options = {.transactional_id =
                                                  writer->index == 0 ? "first" : "second"};
    char value[WRITER_BYTES] = {0};
    enum mr_status status = ops->producer_create(writer->log, &options, 0, &producer, &error);
    for (uint32_t round = 0; round < WRITER_ROUNDS && status == MR_OK; round++) {
        status = ops->producer_begin(producer, &error);
        for (uint32_t i = 0; i < WRITER_KEYS && status == MR_OK; i++) {
            char key[16];
            (void)snprintf(key, sizeof(key), "%u", writer->index * WRITER_KEYS + i);
            (void)snprintf(value, 16, "%u.", round);
            struct mr_log_record record = {.topic = "c",
                                           .key = mr_slice_text(key),
                                           .value = mr_slice_from(value, WRITER_BYTES),
                                           .timestamp_ms = -1};
            status = ops->producer_send(producer, &record, 1, &error);
        }
        if (status == MR_OK)
            status = ops->producer_commit(producer, &error);
    }
    if (status != MR_OK)
        atomic_store(writer->failed, true);
    ops->producer_destroy(producer);
    return NULL;
}

static void test_compaction_beside_writers_and_a_reader(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_error error;
    atomic_bool failed = false;
    pthread_t threads[WRITERS];
    struct writer writers[WRITERS];
    helper_topic(log, "c", 1, MR_LOG_CLEANUP_COMPACT, 0);
    struct mr_log_consumer *consumer = reader(log, 0);
    struct table table = {.last_offset = -1};
    for (uint32_t i = 0; i < WRITERS; i++) {
        writers[i] = (struct writer){log, i, &failed};
        assert_int_equal(pthread_create(&threads[i], NULL, write_keys, &writers[i]), 0);
    }
    int64_t last = WRITERS * WRITER_KEYS * WRITER_ROUNDS - 1;
    int32_t partitions_count = 1;
    while (table.last_offset < last && !atomic_load(&failed)) {
        follow(log, consumer, 16, 1, &table);
        if (partitions_count < 64)
            assert_int_equal(log->ops->topic_grow(log, "c", ++partitions_count, &error), MR_OK);
    }
    for (uint32_t i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    assert_false(atomic_load(&failed));
    assert_true(helper_statistics(log, "c").compactions_count > 0);
    struct table fresh = read_from(log, 0);
    for (uint32_t i = 0; i < WRITERS * WRITER_KEYS; i++) {
        assert_memory_equal(table.values[i], "59.", 3);
        assert_memory_equal(fresh.values[i], "59.", 3);
    }
    log->ops->consumer_destroy(consumer);
    log->ops->close(log);
}

static void test_record_without_a_key_is_refused(void **state)
{
    MR_UNUSED(state);
    struct mr_log *log = helper_log(0, 0);
    struct mr_error error;
    helper_topic(log, "c", 1, MR_LOG_CLEANUP_COMPACT, 0);
    struct mr_log_producer *producer = NULL;
    struct mr_log_producer_options options = {0};
    struct mr_log_record record = {.topic = "c", .key_null = true, .value = mr_slice_text("v")};
    assert_int_equal(log->ops->producer_create(log, &options, 0, &producer, &error), MR_OK);
    assert_int_equal(log->ops->producer_send(producer, &record, 1, &error), MR_INVALID);
    log->ops->producer_destroy(producer);
    assert_int_equal(log->ops->records_delete(log, "c", 0, 0, &error), MR_INVALID);
    log->ops->close(log);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_newest_per_key_stays),
        cmocka_unit_test(test_memory_is_bounded_by_the_live_keys),
        cmocka_unit_test(test_reader_inside_goes_on_after_a_compaction),
        cmocka_unit_test(test_young_tombstone_reaches_a_late_restore),
        cmocka_unit_test(test_old_tombstones_go),
        cmocka_unit_test(test_everything_deleted_leaves_an_empty_log_with_its_end),
        cmocka_unit_test(test_compaction_beside_writers_and_a_reader),
        cmocka_unit_test(test_record_without_a_key_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
