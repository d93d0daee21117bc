/* The source of inline records. */
#include "connectors/registry.h"
#include "tests/unit/connectors/option_helpers.h"

struct source {
    const struct mr_source_ops *ops;
    struct helper_options options;
    void *self;
    struct mr_arena arena;
    struct mr_log_message *messages;
    uint32_t count;
    int64_t next;
    int64_t due_ms;
    struct mr_error error;
};

static const char *const texts[] = {"{\"i\":0}", "{\"i\":1}", "{\"i\":2}"};

static void source_open(struct source *source, int64_t delay_ms, int64_t repeat, int32_t partition,
                        int32_t partitions_count, int64_t position)
{
    memset(source, 0, sizeof(*source));
    source->ops = mr_connector_memory.source;
    helper_options_init(&source->options, mr_connector_memory.source_spec->options);
    helper_option(&source->options, "records")->count = 3;
    helper_option(&source->options, "records")->texts = texts;
    helper_option(&source->options, "delay")->integer = delay_ms;
    helper_option(&source->options, "repeat")->integer = repeat;
    mr_arena_init(&source->arena, 1 << 16);
    source->self = mr_memory_new(1, source->ops->instance_size);
    struct mr_connector_open open = {.options = &source->options.options,
                                     .name = "s",
                                     .partition = partition,
                                     .partitions_count = partitions_count};
    assert_int_equal(source->ops->open(source->self, &open, position, &source->error), MR_OK);
}

static void source_close(struct source *source)
{
    source->ops->close(source->self);
    mr_arena_deinit(&source->arena);
    mr_memory_free(source->self);
}

static enum mr_status poll(struct source *source, uint32_t messages_max, int64_t now_ms)
{
    return source->ops->poll(source->self, &source->arena, messages_max, now_ms, &source->messages,
                             &source->count, &source->next, &source->due_ms, &source->error);
}

static void expect_text(struct source *source, uint32_t index, const char *text)
{
    assert_true(mr_slice_equal(source->messages[index].value, mr_slice_text(text)));
}

static void test_all_at_once_then_end(void **state)
{
    MR_UNUSED(state);
    struct source source;
    source_open(&source, 0, 2, 0, 1, 0);
    assert_int_equal(source.ops->end_position(source.self), 6);
    assert_int_equal(poll(&source, 4, 1000), MR_OK);
    assert_int_equal(source.count, 4);
    assert_int_equal(source.next, 4);
    expect_text(&source, 3, texts[0]);
    assert_int_equal(source.messages[3].offset, 3);
    assert_int_equal(source.messages[3].timestamp_ms, 1000);
    assert_true(source.messages[3].key_null);
    assert_int_equal(poll(&source, 4, 1000), MR_OK);
    assert_int_equal(source.count, 2);
    expect_text(&source, 1, texts[2]);
    assert_int_equal(poll(&source, 4, 1000), MR_END);
    assert_int_equal(source.next, 6);
    source_close(&source);
}

static void test_opens_at_a_position(void **state)
{
    MR_UNUSED(state);
    struct source source;
    source_open(&source, 0, 1, 0, 1, 2);
    assert_int_equal(poll(&source, 10, 0), MR_OK);
    assert_int_equal(source.count, 1);
    expect_text(&source, 0, texts[2]);
    source_close(&source);
    source_open(&source, 0, 1, 0, 1, 3);
    assert_int_equal(poll(&source, 10, 0), MR_END);
    source_close(&source);
}

static void test_pace(void **state)
{
    MR_UNUSED(state);
    struct source source;
    source_open(&source, 10, 2, 0, 1, 1);
    assert_int_equal(poll(&source, 10, 5000), MR_OK);
    assert_int_equal(source.count, 1);
    assert_int_equal(poll(&source, 10, 5009), MR_AGAIN);
    assert_int_equal(source.due_ms, 5010);
    assert_int_equal(poll(&source, 10, 5010), MR_OK);
    assert_int_equal(source.count, 1);
    /* Late: what has become due meanwhile comes together. */
    assert_int_equal(poll(&source, 10, 5035), MR_OK);
    assert_int_equal(source.count, 2);
    assert_int_equal(poll(&source, 10, 5039), MR_AGAIN);
    assert_int_equal(source.due_ms, 5040);
    /* The clock was set back: nothing is due, nothing breaks. */
    assert_int_equal(poll(&source, 10, 10), MR_AGAIN);
    assert_int_equal(poll(&source, 10, 5040), MR_OK);
    assert_int_equal(poll(&source, 10, 5041), MR_END);
    source_close(&source);
}

static void test_partitions_share_the_records(void **state)
{
    MR_UNUSED(state);
    struct source source;
    source_open(&source, 0, 1, 0, 2, 0);
    assert_int_equal(poll(&source, 10, 0), MR_OK);
    assert_int_equal(source.count, 2);
    expect_text(&source, 1, texts[2]);
    source_close(&source);
    source_open(&source, 0, 1, 1, 2, 0);
    assert_int_equal(source.ops->end_position(source.self), 1);
    assert_int_equal(poll(&source, 10, 0), MR_OK);
    assert_int_equal(source.count, 1);
    expect_text(&source, 0, texts[1]);
    source_close(&source);
    source_open(&source, 0, 1, 7, 8, 0);
    assert_int_equal(poll(&source, 10, 0), MR_END);
    source_close(&source);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_at_once_then_end),
        cmocka_unit_test(test_opens_at_a_position),
        cmocka_unit_test(test_pace),
        cmocka_unit_test(test_partitions_share_the_records),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
