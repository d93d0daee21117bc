/* Lines in files: names, rolling, and that a crash at any point leaves every record once. */
#include "base/memory.h"
#include "connectors/registry.h"
#include "tests/unit/connectors/option_helpers.h"

#include <dirent.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

struct sink {
    const struct mr_sink_ops *ops;
    struct helper_options options;
    struct helper_options roll;
    void *self;
    bool exactly_once;
    struct mr_sink_position prepared;
    struct mr_sink_position committed;
    struct mr_error error;
    char folder[256];
    char path[300];
};

static int setup(void **state)
{
    struct sink *sink = mr_memory_new(1, sizeof(*sink));
    const char *base = getenv("TMPDIR");
    (void)snprintf(sink->folder, sizeof(sink->folder), "%s/millrace-sink-XXXXXX",
                   base == NULL ? "/tmp" : base);
    if (mkdtemp(sink->folder) == NULL)
        return -1;
    (void)snprintf(sink->path, sizeof(sink->path), "%s/out.txt", sink->folder);
    sink->ops = mr_connector_file.sink;
    sink->exactly_once = true;
    helper_options_init(&sink->options, mr_connector_file.sink_spec->options);
    helper_option(&sink->options, "path")->text = sink->path;
    int roll = mr_option_specs_find(mr_connector_file.sink_spec->options, "roll");
    helper_options_init(&sink->roll, mr_connector_file.sink_spec->options[roll].fields);
    *state = sink;
    return 0;
}

/* Leave as a crash would: nothing is said to the instance but that its handles go. */
static void crash(struct sink *sink)
{
    if (sink->self == NULL)
        return;
    struct mr_error error;
    struct mr_sink_record record = {.value = mr_slice_text("")};
    (void)sink->ops->write(sink->self, &record, 1, &error); /* so that close names nothing */
    sink->ops->close(sink->self);
    mr_memory_free(sink->self);
    sink->self = NULL;
}

static void close_orderly(struct sink *sink)
{
    sink->ops->close(sink->self);
    mr_memory_free(sink->self);
    sink->self = NULL;
}

static void path_of(const struct sink *sink, const char *name, char path[600])
{
    (void)snprintf(path, 600, "%s/%s", sink->folder, name);
}

static int teardown(void **state)
{
    struct sink *sink = *state;
    crash(sink);
    DIR *folder = opendir(sink->folder);
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        char path[600];
        path_of(sink, entry->d_name, path);
        (void)unlink(path);
    }
    (void)closedir(folder);
    (void)rmdir(sink->folder);
    mr_memory_free(sink);
    return 0;
}

static enum mr_status sink_open(struct sink *sink)
{
    crash(sink);
    helper_option(&sink->options, "roll")->objects = &sink->roll.options;
    sink->self = mr_memory_new(1, sink->ops->instance_size);
    struct mr_connector_open open = {.options = &sink->options.options,
                                     .name = "lines",
                                     .partition = 3,
                                     .exactly_once = sink->exactly_once};
    return sink->ops->open(sink->self, &open, sink->committed, &sink->error);
}

static void require(struct sink *sink, enum mr_status status)
{
    if (status != MR_OK)
        fail_msg("%s: %s", mr_status_name(status), sink->error.message);
}

/* Lines "first", "first+1", ... */
static void write_numbers(struct sink *sink, uint32_t first, uint32_t count)
{
    for (uint32_t i = first; i < first + count; i++) {
        char text[16];
        (void)snprintf(text, sizeof(text), "%u", i);
        struct mr_sink_record record = {.value = mr_slice_text(text)};
        require(sink, sink->ops->write(sink->self, &record, 1, &sink->error));
    }
}

static void prepare(struct sink *sink)
{
    require(sink, sink->ops->prepare(sink->self, &sink->prepared, &sink->error));
}

static void commit(struct sink *sink)
{
    prepare(sink);
    sink->committed = sink->prepared;
    require(sink, sink->ops->committed(sink->self, &sink->error));
}

static bool is_there(const struct sink *sink, const char *name)
{
    char path[600];
    path_of(sink, name, path);
    return access(path, F_OK) == 0;
}

static void expect_content(const struct sink *sink, const char *name, const char *content)
{
    char path[600];
    char text[4096];
    path_of(sink, name, path);
    FILE *file = fopen(path, "r");
    if (file == NULL)
        fail_msg("there is no file %s", name);
    size_t size = fread(text, 1, sizeof(text) - 1, file);
    text[size] = 0;
    (void)fclose(file);
    assert_string_equal(text, content);
}

static void put_file(const struct sink *sink, const char *name, const char *content)
{
    char path[600];
    path_of(sink, name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs(content, file);
    assert_int_equal(fclose(file), 0);
}

static void test_a_file_gets_its_name_when_the_closing_transaction_commits(void **state)
{
    struct sink *sink = *state;
    helper_option(&sink->roll, "records")->integer = 2;
    require(sink, sink_open(sink));
    write_numbers(sink, 1, 5);
    prepare(sink);
    assert_int_equal(sink->prepared.file_number, 3);
    assert_int_equal(sink->prepared.bytes, 2);
    assert_true(is_there(sink, "out-3-000001.part"));
    assert_false(is_there(sink, "out-3-000001.txt"));
    require(sink, sink->ops->committed(sink->self, &sink->error));
    expect_content(sink, "out-3-000001.txt", "1\n2\n");
    expect_content(sink, "out-3-000002.txt", "3\n4\n");
    assert_true(is_there(sink, "out-3-000003.part"));
    assert_false(is_there(sink, "out-3-000003.txt"));
    sink->committed = sink->prepared;
    /* The count goes on in the file that was reopened. */
    require(sink, sink_open(sink));
    write_numbers(sink, 6, 1);
    commit(sink);
    expect_content(sink, "out-3-000003.txt", "5\n6\n");
}

static void test_rolls_by_size_and_age(void **state)
{
    struct sink *sink = *state;
    helper_option(&sink->roll, "size")->integer = 6;
    require(sink, sink_open(sink));
    write_numbers(sink, 1, 4);
    commit(sink);
    expect_content(sink, "out-3-000001.txt", "1\n2\n3\n");
    helper_option(&sink->roll, "size")->integer = 0;
    helper_option(&sink->roll, "every")->integer = 20;
    require(sink, sink_open(sink));
    commit(sink);
    assert_true(is_there(sink, "out-3-000002.part"));
    (void)usleep(30000);
    commit(sink);
    expect_content(sink, "out-3-000002.txt", "4\n");
    commit(sink);
    assert_false(is_there(sink, "out-3-000003.part"));
}

static void test_orderly_close_names_the_last_file(void **state)
{
    struct sink *sink = *state;
    require(sink, sink_open(sink));
    write_numbers(sink, 1, 3);
    commit(sink);
    close_orderly(sink);
    expect_content(sink, "out-3-000001.txt", "1\n2\n3\n");
    require(sink, sink_open(sink));
    write_numbers(sink, 4, 1);
    /* A crash before the commit: the new part is of no worth, the named file stays. */
    prepare(sink);
    require(sink, sink_open(sink));
    assert_false(is_there(sink, "out-3-000002.part"));
    write_numbers(sink, 4, 2);
    commit(sink);
    close_orderly(sink);
    expect_content(sink, "out-3-000001.txt", "1\n2\n3\n");
    expect_content(sink, "out-3-000002.txt", "4\n5\n");
}

/* Ten transactions with a crash at every step of each, in turn; rolling every three records. */
static void test_crash_anywhere_leaves_every_record_once(void **state)
{
    struct sink *sink = *state;
    helper_option(&sink->roll, "records")->integer = 3;
    enum { TRANSACTIONS = 10, RECORDS = 4, STEPS = 4 };
    require(sink, sink_open(sink));
    for (uint32_t turn = 0; turn < TRANSACTIONS; turn++) {
        for (uint32_t step = 0; step < STEPS; step++) {
            bool durable = step == 3; /* committed, but the sink was not told */
            write_numbers(sink, turn * RECORDS, step == 0 ? 2 : RECORDS);
            if (step >= 2)
                prepare(sink);
            if (durable)
                sink->committed = sink->prepared;
            require(sink, sink_open(sink));
        }
    }
    commit(sink);
    char all[4096] = "";
    char name[64];
    for (int64_t number = 1; number <= sink->committed.file_number; number++) {
        char path[600];
        bool open = number == sink->committed.file_number;
        (void)snprintf(name, sizeof(name), "out-3-%06d.%s", (int)number, open ? "part" : "txt");
        path_of(sink, name, path);
        FILE *file = fopen(path, "r");
        /* Numbers of parts that crashed before the first commit, or a part without a record. */
        if (file == NULL && (open || strlen(all) == 0))
            continue;
        assert_non_null(file);
        size_t before = strlen(all);
        all[before + fread(all + before, 1, sizeof(all) - before - 1, file)] = 0;
        (void)fclose(file);
    }
    char expected[4096] = "";
    for (uint32_t i = 0; i < TRANSACTIONS * RECORDS; i++)
        (void)snprintf(expected + strlen(expected), 16, "%u\n", i);
    assert_string_equal(all, expected);
}

static void test_writes_of_the_next_transaction_do_not_name_files(void **state)
{
    struct sink *sink = *state;
    helper_option(&sink->roll, "records")->integer = 2;
    require(sink, sink_open(sink));
    write_numbers(sink, 1, 1);
    prepare(sink);
    /* The pipeline runs ahead: the file is closed by a transaction that is not committed yet. */
    write_numbers(sink, 2, 3);
    require(sink, sink->ops->committed(sink->self, &sink->error));
    assert_false(is_there(sink, "out-3-000001.txt"));
    commit(sink);
    expect_content(sink, "out-3-000001.txt", "1\n2\n");
}

static void test_files_of_another_life_are_kept(void **state)
{
    struct sink *sink = *state;
    put_file(sink, "out-3-000007.txt", "old\n");
    put_file(sink, "out-3-000009.part", "unfinished\n");
    put_file(sink, "out-4-000020.part", "another partition\n");
    put_file(sink, "out-3-x.part", "not ours\n");
    put_file(sink, "out-3-0000011.part", "not ours either\n");
    require(sink, sink_open(sink));
    write_numbers(sink, 1, 1);
    commit(sink);
    close_orderly(sink);
    expect_content(sink, "out-3-000007.txt", "old\n");
    expect_content(sink, "out-3-000009.stale", "unfinished\n");
    expect_content(sink, "out-4-000020.part", "another partition\n");
    expect_content(sink, "out-3-x.part", "not ours\n");
    expect_content(sink, "out-3-0000011.part", "not ours either\n");
    expect_content(sink, "out-3-000010.txt", "1\n");
}

static void test_what_was_committed_must_be_there(void **state)
{
    struct sink *sink = *state;
    require(sink, sink_open(sink));
    write_numbers(sink, 1, 3);
    commit(sink);
    crash(sink);
    put_file(sink, "out-3-000001.part", "1\n");
    assert_int_equal(sink_open(sink), MR_CORRUPT);
    assert_int_equal(sink->error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    put_file(sink, "out-3-000001.part", "1\n2\n3\n4\n5");
    require(sink, sink_open(sink));
    expect_content(sink, "out-3-000001.part", "1\n2\n3\n");
    crash(sink);
    put_file(sink, "out-3-000002.txt", "by another program\n");
    assert_int_equal(sink_open(sink), MR_CORRUPT);
}

static void test_folder_and_bad_paths(void **state)
{
    struct sink *sink = *state;
    helper_option(&sink->options, "path")->text = sink->folder;
    require(sink, sink_open(sink));
    write_numbers(sink, 1, 1);
    commit(sink);
    close_orderly(sink);
    expect_content(sink, "lines-3-000001", "1\n");
    sink->committed = (struct mr_sink_position){0};
    helper_option(&sink->options, "path")->text = "/nowhere/at/all/x.txt";
    assert_int_equal(sink_open(sink), MR_NOT_FOUND);
    assert_int_equal(sink->error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    close_orderly(sink);
    helper_option(&sink->options, "path")->text = "x.part";
    assert_int_equal(sink_open(sink), MR_INVALID);
    close_orderly(sink);
}

/* A disk that is full (here: a limit on the size of files) and heals: nothing twice, nothing lost.
 */
static void test_a_failed_write_can_be_repeated(void **state)
{
    struct sink *sink = *state;
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    struct rlimit small = {.rlim_cur = 100000, .rlim_max = before.rlim_max};
    require(sink, sink_open(sink));
    char *value = mr_memory_new(1, 1000);
    memset(value, 'v', 999);
    struct mr_sink_record records[500];
    for (uint32_t i = 0; i < 500; i++)
        records[i] = (struct mr_sink_record){.value = mr_slice_from(value, 999)};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
    enum mr_status first = sink->ops->write(sink->self, records, 500, &sink->error);
    enum mr_status second = sink->ops->write(sink->self, records, 500, &sink->error);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(first, MR_IO);
    assert_int_equal(second, MR_IO);
    require(sink, sink->ops->write(sink->self, records, 500, &sink->error));
    commit(sink);
    mr_memory_free(value);
    assert_int_equal(sink->committed.bytes, 500 * 1000);
    char path[600];
    struct stat status;
    path_of(sink, "out-3-000001.part", path);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 500 * 1000);
}

#define SINK_TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        SINK_TEST(test_a_file_gets_its_name_when_the_closing_transaction_commits),
        SINK_TEST(test_rolls_by_size_and_age),
        SINK_TEST(test_orderly_close_names_the_last_file),
        SINK_TEST(test_crash_anywhere_leaves_every_record_once),
        SINK_TEST(test_writes_of_the_next_transaction_do_not_name_files),
        SINK_TEST(test_files_of_another_life_are_kept),
        SINK_TEST(test_what_was_committed_must_be_there),
        SINK_TEST(test_folder_and_bad_paths),
        SINK_TEST(test_a_failed_write_can_be_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
