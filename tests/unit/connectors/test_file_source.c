/* Lines of a file: what is a line, where positions lie, what following means. */
#include "connectors/registry.h"
#include "tests/unit/connectors/option_helpers.h"

#include <sys/stat.h>
#include <unistd.h>

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
    char folder[256];
    char path[300];
};

static int setup(void **state)
{
    struct source *source = mr_memory_new(1, sizeof(*source));
    const char *base = getenv("TMPDIR");
    (void)snprintf(source->folder, sizeof(source->folder), "%s/millrace-file-XXXXXX",
                   base == NULL ? "/tmp" : base);
    if (mkdtemp(source->folder) == NULL)
        return -1;
    (void)snprintf(source->path, sizeof(source->path), "%s/in.txt", source->folder);
    source->ops = mr_connector_file.source;
    helper_options_init(&source->options, mr_connector_file.source_spec->options);
    helper_option(&source->options, "path")->text = source->path;
    mr_arena_init(&source->arena, 1 << 16);
    *state = source;
    return 0;
}

static void source_close(struct source *source)
{
    if (source->self != NULL)
        source->ops->close(source->self);
    mr_memory_free(source->self);
    source->self = NULL;
}

static int teardown(void **state)
{
    struct source *source = *state;
    source_close(source);
    (void)unlink(source->path);
    (void)rmdir(source->folder);
    mr_arena_deinit(&source->arena);
    mr_memory_free(source);
    return 0;
}

static void append(struct source *source, const char *text)
{
    FILE *file = fopen(source->path, "a");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static enum mr_status source_open(struct source *source, int64_t position)
{
    source_close(source);
    source->self = mr_memory_new(1, source->ops->instance_size);
    struct mr_connector_open open = {.options = &source->options.options, .name = "s"};
    return source->ops->open(source->self, &open, position, &source->error);
}

static enum mr_status poll(struct source *source, uint32_t messages_max)
{
    return source->ops->poll(source->self, &source->arena, messages_max, 1000, &source->messages,
                             &source->count, &source->next, &source->due_ms, &source->error);
}

static void expect_line(struct source *source, uint32_t index, const char *text, int64_t offset)
{
    assert_true(index < source->count);
    assert_true(mr_slice_equal(source->messages[index].value, mr_slice_text(text)));
    assert_int_equal(source->messages[index].offset, offset);
}

static void test_lines_of_a_bounded_file(void **state)
{
    struct source *source = *state;
    append(source, "one\n\ntwo\r\n   \nlast");
    assert_int_equal(source_open(source, 0), MR_OK);
    assert_int_equal(source->ops->end_position(source->self), 18);
    assert_int_equal(poll(source, 10), MR_OK);
    assert_int_equal(source->count, 4);
    expect_line(source, 0, "one", 0);
    expect_line(source, 1, "two", 5);
    expect_line(source, 2, "   ", 10);
    expect_line(source, 3, "last", 14);
    assert_int_equal(source->next, 18);
    assert_int_equal(poll(source, 10), MR_END);
    /* What is written later belongs to another run. */
    append(source, "\nmore\n");
    assert_int_equal(poll(source, 10), MR_END);
    struct stat status;
    assert_int_equal(stat(source->path, &status), 0);
    assert_int_equal(source_open(source, 14), MR_OK);
    assert_int_equal(poll(source, 1), MR_OK);
    expect_line(source, 0, "last", 14);
    assert_int_equal(source->next, 19);
    assert_int_equal(source->messages[0].timestamp_ms / 1000, status.st_mtim.tv_sec);
    assert_int_equal(poll(source, 1), MR_OK);
    expect_line(source, 0, "more", 19);
}

static void test_only_blank_lines(void **state)
{
    struct source *source = *state;
    append(source, "\n\n\r\n");
    assert_int_equal(source_open(source, 0), MR_OK);
    assert_int_equal(poll(source, 10), MR_END);
    assert_int_equal(source->next, 4);
}

static void test_heading_is_skipped_once(void **state)
{
    struct source *source = *state;
    append(source, "a,b\n1,2\n3,4\n");
    helper_option(&source->options, "skip_header")->boolean = true;
    assert_int_equal(source_open(source, 0), MR_OK);
    assert_int_equal(poll(source, 10), MR_OK);
    assert_int_equal(source->count, 2);
    expect_line(source, 0, "1,2", 4);
    assert_int_equal(source_open(source, 4), MR_OK);
    assert_int_equal(poll(source, 1), MR_OK);
    expect_line(source, 0, "1,2", 4);
}

static void test_every_position_and_batch_size_gives_the_same(void **state)
{
    struct source *source = *state;
    char line[64];
    for (uint32_t i = 0; i < 20000; i++) { /* several blocks */
        (void)snprintf(line, sizeof(line), "line-%u-%.*s\n", i, (int)(i % 23),
                       "abcdefghijklmnopqrstuvw");
        if (i % 100 == 0)
            append(source, line);
        else
            append(source, "x\n");
    }
    for (uint32_t step = 1; step < 5000; step = step * 7 + 3) {
        int64_t position = 0;
        uint32_t count = 0;
        assert_int_equal(source_open(source, 0), MR_OK);
        while (poll(source, step) == MR_OK) {
            assert_true(source->count <= step && source->count > 0);
            assert_int_equal(source->messages[0].offset, position);
            position = source->next;
            if (count % 100 == 0)
                assert_memory_equal(source->messages[0].value.data, "line-", 5);
            count += source->count;
            mr_arena_reset(&source->arena);
        }
        assert_int_equal(count, 20000);
    }
}

static void test_follow_holds_an_unfinished_line_back(void **state)
{
    struct source *source = *state;
    helper_option(&source->options, "follow")->boolean = true;
    append(source, "one\ntw");
    assert_int_equal(source_open(source, 0), MR_OK);
    assert_int_equal(source->ops->end_position(source->self), 4);
    assert_int_equal(poll(source, 10), MR_OK);
    assert_int_equal(source->count, 1);
    assert_int_equal(poll(source, 10), MR_AGAIN);
    assert_true(source->due_ms > 1000);
    assert_int_equal(source->next, 4);
    append(source, "o");
    assert_int_equal(poll(source, 10), MR_AGAIN);
    append(source, "\nthree\n");
    assert_int_equal(source->ops->end_position(source->self), 14);
    assert_int_equal(poll(source, 10), MR_OK);
    expect_line(source, 0, "two", 4);
    expect_line(source, 1, "three", 8);
    assert_int_equal(source->messages[0].timestamp_ms, 1000);
}

static void test_follow_notices_a_cut_or_replaced_file(void **state)
{
    struct source *source = *state;
    helper_option(&source->options, "follow")->boolean = true;
    append(source, "one\ntwo\n");
    assert_int_equal(source_open(source, 0), MR_OK);
    assert_int_equal(poll(source, 10), MR_OK);
    assert_int_equal(truncate(source->path, 4), 0);
    assert_int_equal(poll(source, 10), MR_CORRUPT);
    assert_int_equal(source->error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    assert_non_null(strstr(source->error.message, "cut"));
    /* Opened again it is seen at once. */
    assert_int_equal(source_open(source, 8), MR_CORRUPT);
    assert_int_equal(source_open(source, 4), MR_OK);
    assert_int_equal(poll(source, 10), MR_AGAIN);
    char moved[320];
    (void)snprintf(moved, sizeof(moved), "%s.1", source->path);
    assert_int_equal(rename(source->path, moved), 0);
    assert_int_equal(poll(source, 10), MR_CORRUPT);
    append(source, "new file\n");
    assert_int_equal(poll(source, 10), MR_CORRUPT);
    assert_int_equal(unlink(moved), 0);
}

static void test_bounded_read_notices_a_cut(void **state)
{
    struct source *source = *state;
    append(source, "one\ntwo\n");
    assert_int_equal(source_open(source, 0), MR_OK);
    assert_int_equal(truncate(source->path, 6), 0);
    assert_int_equal(poll(source, 10), MR_CORRUPT);
}

static void write_long(struct source *source, size_t size)
{
    char *line = mr_memory_new(1, size + 1);
    memset(line, 'x', size);
    line[size] = 0;
    append(source, line);
    mr_memory_free(line);
}

static void test_long_lines_fail_by_their_place(void **state)
{
    struct source *source = *state;
    append(source, "one\n");
    write_long(source, 300000);
    append(source, "\ntwo\n");
    helper_option(&source->options, "max_line")->integer = 1000;
    assert_int_equal(source_open(source, 0), MR_OK);
    assert_int_equal(poll(source, 10), MR_OK);
    assert_int_equal(source->count, 1);
    assert_int_equal(poll(source, 10), MR_LIMIT);
    assert_non_null(strstr(source->error.message, "byte 4 "));
    assert_int_equal(poll(source, 10), MR_LIMIT);
    /* With a larger limit it goes on from there. */
    helper_option(&source->options, "max_line")->integer = 300000;
    assert_int_equal(source_open(source, 4), MR_OK);
    assert_int_equal(poll(source, 10), MR_OK);
    assert_int_equal(source->messages[0].value.size, 300000);
}

static void test_long_lines_can_be_skipped(void **state)
{
    struct source *source = *state;
    append(source, "one\n");
    write_long(source, 1001);
    append(source, "\ntwo\n");
    write_long(source, 300000);
    append(source, "\nthree\n");
    write_long(source, 200000);
    helper_option(&source->options, "max_line")->integer = 1000;
    helper_option(&source->options, "long_lines")->integer = 1;
    assert_int_equal(source_open(source, 0), MR_OK);
    char seen[64] = "";
    while (poll(source, 1) == MR_OK) {
        assert_int_equal(source->count, 1);
        (void)snprintf(seen + strlen(seen), sizeof(seen) - strlen(seen), "%.*s ",
                       (int)source->messages[0].value.size,
                       (const char *)source->messages[0].value.data);
    }
    assert_string_equal(seen, "one two three ");
    assert_int_equal(source->next, source->ops->end_position(source->self));
}

static void test_open_errors(void **state)
{
    struct source *source = *state;
    assert_int_equal(source_open(source, 0), MR_NOT_FOUND);
    assert_int_equal(source->error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    assert_non_null(strstr(source->error.message, source->path));
    helper_option(&source->options, "path")->text = source->folder;
    assert_int_equal(source_open(source, 0), MR_INVALID);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines_of_a_bounded_file, setup, teardown),
        cmocka_unit_test_setup_teardown(test_only_blank_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_heading_is_skipped_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_every_position_and_batch_size_gives_the_same, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_follow_holds_an_unfinished_line_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_follow_notices_a_cut_or_replaced_file, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_bounded_read_notices_a_cut, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_lines_fail_by_their_place, setup, teardown),
        cmocka_unit_test_setup_teardown(test_long_lines_can_be_skipped, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open_errors, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
