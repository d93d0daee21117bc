/* The engine's operators as records. */
#include "base/engine_metrics.h"
#include "base/memory.h"
#include "connectors/registry.h"
#include "tests/unit/connectors/option_helpers.h"

struct source {
    const struct mr_source_ops *ops;
    struct helper_options options;
    struct mr_metrics *metrics;
    void *self;
    struct mr_arena arena;
    struct mr_log_message *messages;
    uint32_t count;
    int64_t next;
    int64_t due_ms;
    struct mr_error error;
};

static void source_open(struct source *source, int32_t partition, int64_t position)
{
    source->self = mr_memory_new(1, source->ops->instance_size);
    struct mr_connector_open open = {.options = &source->options.options,
                                     .name = "m",
                                     .partition = partition,
                                     .metrics = source->metrics};
    assert_int_equal(source->ops->open(source->self, &open, position, &source->error), MR_OK);
}

static void source_close(struct source *source)
{
    source->ops->close(source->self);
    mr_memory_free(source->self);
}

static int setup(void **state)
{
    struct source *source = mr_memory_new(1, sizeof(*source));
    source->ops = mr_connector_metrics.source;
    helper_options_init(&source->options, mr_connector_metrics.source_spec->options);
    helper_option(&source->options, "every")->integer = 1000;
    source->metrics = mr_metrics_create();
    mr_arena_init(&source->arena, 1 << 16);
    *state = source;
    return 0;
}

static int teardown(void **state)
{
    struct source *source = *state;
    mr_metrics_destroy(source->metrics);
    mr_arena_deinit(&source->arena);
    mr_memory_free(source);
    return 0;
}

static struct mr_metric *series(struct source *source, enum mr_engine_metric metric,
                                const char *operator_name)
{
    const char *const labels[] = {"t", operator_name};
    return mr_metrics_series(source->metrics, mr_engine_metric(metric), labels);
}

static enum mr_status poll(struct source *source, uint32_t messages_max, int64_t now_ms)
{
    return source->ops->poll(source->self, &source->arena, messages_max, now_ms, &source->messages,
                             &source->count, &source->next, &source->due_ms, &source->error);
}

static void expect_record(struct source *source, uint32_t index, const char *text)
{
    assert_true(index < source->count);
    char *found = mr_arena_copy_bytes_text(&source->arena, source->messages[index].value.data,
                                           source->messages[index].value.size);
    assert_string_equal(found, text);
}

static void test_differences_per_interval(void **state)
{
    struct source *source = *state;
    struct mr_metric *in = series(source, MR_ENGINE_OPERATOR_IN, "b");
    struct mr_metric *in_of_another_task = series(source, MR_ENGINE_OPERATOR_IN, "b");
    struct mr_metric *dead = series(source, MR_ENGINE_OPERATOR_DEAD_LETTERS, "a");
    (void)series(source, MR_ENGINE_OPERATOR_ERRORS, "c"); /* not one of those it tells */
    source_open(source, 0, 40);
    mr_metric_add(in, 5);
    mr_metric_add(in_of_another_task, 2);
    mr_metric_add(dead, 1);
    assert_int_equal(poll(source, 10, 10500), MR_AGAIN);
    assert_int_equal(source->due_ms, 11000);
    assert_int_equal(poll(source, 10, 10999), MR_AGAIN);
    assert_int_equal(poll(source, 1, 11002), MR_OK);
    assert_int_equal(source->count, 1);
    expect_record(source, 0,
                  "{\"topology\":\"t\",\"operator\":\"a\",\"time\":11000,\"in\":0,\"out\":0,"
                  "\"dropped\":0,\"late\":0,\"dead\":1,\"latency_p50_us\":0,"
                  "\"latency_p99_us\":0}");
    assert_int_equal(source->messages[0].offset, 40);
    assert_int_equal(source->messages[0].timestamp_ms, 11000);
    assert_int_equal(poll(source, 10, 11002), MR_OK);
    expect_record(source, 0,
                  "{\"topology\":\"t\",\"operator\":\"b\",\"time\":11000,\"in\":7,\"out\":0,"
                  "\"dropped\":0,\"late\":0,\"dead\":0,\"latency_p50_us\":0,"
                  "\"latency_p99_us\":0}");
    assert_int_equal(source->next, 42);
    assert_int_equal(poll(source, 10, 11002), MR_AGAIN);
    mr_metric_add(in, 3);
    assert_int_equal(poll(source, 10, 12000), MR_OK);
    assert_int_equal(source->count, 2);
    assert_non_null(strstr((const char *)source->messages[1].value.data, "\"in\":3"));
    source_close(source);
}

static void test_operators_that_leave_are_forgotten(void **state)
{
    struct source *source = *state;
    struct mr_metric *in = series(source, MR_ENGINE_OPERATOR_IN, "a");
    struct mr_metric *other = series(source, MR_ENGINE_OPERATOR_IN, "b");
    mr_metric_add(in, 9);
    source_open(source, 0, 0);
    assert_int_equal(poll(source, 10, 100), MR_AGAIN);
    assert_int_equal(poll(source, 10, 1000), MR_OK);
    assert_int_equal(source->count, 2);
    mr_metrics_remove(source->metrics, in);
    assert_int_equal(poll(source, 10, 2000), MR_OK);
    assert_int_equal(source->count, 1);
    /* Back again, it counts from its start. */
    in = series(source, MR_ENGINE_OPERATOR_IN, "a");
    mr_metric_add(in, 4);
    assert_int_equal(poll(source, 10, 3000), MR_OK);
    assert_int_equal(source->count, 2);
    assert_non_null(strstr((const char *)source->messages[0].value.data, "\"in\":4"));
    mr_metrics_remove(source->metrics, in);
    mr_metrics_remove(source->metrics, other);
    assert_int_equal(poll(source, 10, 4000), MR_AGAIN);
    source_close(source);
}

static void test_latency_and_missed_intervals(void **state)
{
    struct source *source = *state;
    struct mr_metric *duration = series(source, MR_ENGINE_OPERATOR_BATCH_DURATION, "a");
    for (uint64_t i = 1; i <= 1000; i++)
        mr_metric_observe(duration, i);
    source_open(source, 0, 0);
    assert_int_equal(poll(source, 10, 0), MR_AGAIN);
    assert_int_equal(poll(source, 10, 7777), MR_OK);
    assert_int_equal(source->count, 1);
    assert_int_equal(source->messages[0].timestamp_ms, 7000);
    const char *text = (const char *)source->messages[0].value.data;
    double p50 = strtod(strstr(text, "p50_us\":") + 8, NULL);
    double p99 = strtod(strstr(text, "p99_us\":") + 8, NULL);
    assert_true(p50 > 480 && p50 < 520);
    assert_true(p99 > 955 && p99 < 1025);
    assert_int_equal(source->ops->end_position(source->self), -1);
    source_close(source);
}

static void test_other_partitions_are_silent(void **state)
{
    struct source *source = *state;
    (void)series(source, MR_ENGINE_OPERATOR_IN, "a");
    source_open(source, 1, 0);
    assert_int_equal(poll(source, 10, 100), MR_AGAIN);
    assert_int_equal(poll(source, 10, 5000), MR_AGAIN);
    source_close(source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_differences_per_interval, setup, teardown),
        cmocka_unit_test_setup_teardown(test_operators_that_leave_are_forgotten, setup, teardown),
        cmocka_unit_test_setup_teardown(test_latency_and_missed_intervals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_other_partitions_are_silent, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
