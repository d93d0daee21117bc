/* Lines on standard output, after the commit. Standard output is replaced by a file meanwhile. */
#include "base/memory.h"
#include "connectors/registry.h"
#include "tests/unit/connectors/option_helpers.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

struct sink {
    const struct mr_sink_ops *ops;
    void *self;
    int saved;
    int file;
    struct mr_error error;
};

static int setup(void **state)
{
    struct sink *sink = mr_memory_new(1, sizeof(*sink));
    FILE *file = tmpfile();
    if (file == NULL)
        return -1;
    sink->file = dup(fileno(file));
    (void)fclose(file);
    (void)fflush(stdout);
    sink->saved = dup(STDOUT_FILENO);
    sink->ops = mr_connector_stdout.sink;
    sink->self = mr_memory_new(1, sink->ops->instance_size);
    struct mr_connector_open open = {.name = "s"};
    *state = sink;
    return sink->ops->open(sink->self, &open, (struct mr_sink_position){0}, &sink->error) == MR_OK
               ? 0
               : -1;
}

static int teardown(void **state)
{
    struct sink *sink = *state;
    sink->ops->close(sink->self);
    (void)close(sink->file);
    (void)close(sink->saved);
    mr_memory_free(sink->self);
    mr_memory_free(sink);
    return 0;
}

static enum mr_status put(struct sink *sink, const char *text)
{
    struct mr_sink_record record = {.value = mr_slice_text(text)};
    return sink->ops->write(sink->self, &record, 1, &sink->error);
}

static enum mr_status committed(struct sink *sink, int output)
{
    (void)dup2(output, STDOUT_FILENO);
    enum mr_status status = sink->ops->committed(sink->self, &sink->error);
    (void)dup2(sink->saved, STDOUT_FILENO);
    return status;
}

static void expect_output(struct sink *sink, const char *expected)
{
    char text[256] = "";
    assert_true(pread(sink->file, text, sizeof(text) - 1, 0) >= 0);
    assert_string_equal(text, expected);
}

static void test_lines_appear_after_their_commit(void **state)
{
    struct sink *sink = *state;
    struct mr_sink_position position = {.file_number = 9, .bytes = 9};
    assert_int_equal(put(sink, "one"), MR_OK);
    assert_int_equal(sink->ops->prepare(sink->self, &position, &sink->error), MR_OK);
    assert_int_equal(position.file_number, 0);
    assert_int_equal(position.bytes, 0);
    /* The next transaction is running already. */
    assert_int_equal(put(sink, "two"), MR_OK);
    expect_output(sink, "");
    assert_int_equal(committed(sink, sink->file), MR_OK);
    expect_output(sink, "one\n");
    assert_int_equal(sink->ops->prepare(sink->self, &position, &sink->error), MR_OK);
    assert_int_equal(committed(sink, sink->file), MR_OK);
    expect_output(sink, "one\ntwo\n");
    /* Nothing is shown twice. */
    assert_int_equal(committed(sink, sink->file), MR_OK);
    expect_output(sink, "one\ntwo\n");
}

static void test_nobody_reads(void **state)
{
    struct sink *sink = *state;
    struct mr_sink_position position;
    int ends[2];
    (void)signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(close(ends[0]), 0);
    assert_int_equal(put(sink, "lost"), MR_OK);
    assert_int_equal(sink->ops->prepare(sink->self, &position, &sink->error), MR_OK);
    assert_int_not_equal(committed(sink, ends[1]), MR_OK);
    assert_int_equal(sink->error.recovery, MR_RECOVERY_EXIT);
    assert_int_equal(close(ends[1]), 0);
}

static void test_full_buffer_is_shown_early(void **state)
{
    struct sink *sink = *state;
    size_t size = 1 << 20;
    char *text = mr_memory_new(1, size + 1);
    memset(text, 'x', size);
    enum mr_status status = MR_OK;
    (void)dup2(sink->file, STDOUT_FILENO);
    for (uint32_t i = 0; i < 70 && status == MR_OK; i++)
        status = put(sink, text);
    (void)dup2(sink->saved, STDOUT_FILENO);
    assert_int_equal(status, MR_OK);
    off_t shown = lseek(sink->file, 0, SEEK_END);
    assert_int_equal(shown % (off_t)(size + 1), 0);
    assert_int_equal(shown / (off_t)(size + 1), 63);
    mr_memory_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lines_appear_after_their_commit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_nobody_reads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_full_buffer_is_shown_early, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
