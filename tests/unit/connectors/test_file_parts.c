/* Names of a sink's files. What recovery does with them is in test_file_sink.c. */
#include "base/assert.h"
#include "connectors/file/file_parts.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

static void expect_names(const char *path, const char *folder, const char *stem,
                         const char *extension)
{
    struct mr_file_parts parts = {0};
    struct mr_error error = {0};
    assert_int_equal(mr_file_parts_open(&parts, path, "sink", 2, &error), MR_OK);
    assert_string_equal(parts.folder_path, folder);
    assert_string_equal(parts.stem, stem);
    assert_string_equal(parts.extension, extension);
    mr_file_parts_close(&parts);
    mr_file_parts_close(&parts); /* again: nothing */
}

static void test_names(void **state)
{
    MR_UNUSED(state);
    expect_names("/tmp/out.jsonl", "/tmp/", "out-2", ".jsonl");
    expect_names("/tmp/out", "/tmp/", "out-2", "");
    expect_names("/tmp/a.b.csv", "/tmp/", "a.b-2", ".csv");
    expect_names("/tmp/.hidden", "/tmp/", ".hidden-2", "");
    expect_names("/tmp/", "/tmp/", "sink-2", "");
    expect_names("/tmp", "/tmp", "sink-2", "");
    expect_names("out.txt", ".", "out-2", ".txt");
    expect_names("/out.txt", "/", "out-2", ".txt");
}

static void expect_refused(const char *path, enum mr_status status)
{
    struct mr_file_parts parts = {0};
    struct mr_error error = {0};
    assert_int_equal(mr_file_parts_open(&parts, path, "sink", 0, &error), status);
    assert_int_equal(error.recovery, MR_RECOVERY_FAIL_TOPOLOGY);
    mr_file_parts_close(&parts);
}

static void test_refused_paths(void **state)
{
    MR_UNUSED(state);
    char longest[1000];
    memset(longest, 'x', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    expect_refused(longest, MR_INVALID);
    expect_refused("/tmp/x.part", MR_INVALID);
    expect_refused("/tmp/x.stale", MR_INVALID);
    expect_refused("/no/such/folder/x.txt", MR_NOT_FOUND);
}

static void test_parts_and_final_names(void **state)
{
    MR_UNUSED(state);
    char folder[] = "/tmp/millrace-parts-XXXXXX";
    char path[100];
    struct mr_file_parts parts = {0};
    struct mr_error error = {0};
    int handle = -1;
    int64_t lines_count = -1;
    assert_non_null(mkdtemp(folder));
    (void)snprintf(path, sizeof(path), "%s/x.txt", folder);
    assert_int_equal(mr_file_parts_open(&parts, path, "sink", 0, &error), MR_OK);
    assert_int_equal(mr_file_parts_open_part(&parts, 1234567, &handle, &error), MR_OK);
    assert_int_equal(write(handle, "a\nb\nc", 5), 5);
    assert_int_equal(mr_file_parts_count_lines(&parts, handle, &lines_count, &error), MR_OK);
    assert_int_equal(lines_count, 2);
    assert_int_equal(close(handle), 0);
    assert_int_equal(mr_file_parts_finish(&parts, 1234567, &error), MR_OK);
    assert_int_equal(mr_file_parts_finish(&parts, 1234567, &error), MR_OK);
    assert_int_equal(mr_file_parts_sync_folder(&parts, &error), MR_OK);
    /* A final name that is taken is never written over. */
    assert_int_equal(mr_file_parts_open_part(&parts, 1234567, &handle, &error), MR_OK);
    assert_int_equal(close(handle), 0);
    assert_int_equal(mr_file_parts_finish(&parts, 1234567, &error), MR_CORRUPT);
    mr_file_parts_close(&parts);
    (void)snprintf(path, sizeof(path), "%s/x-0-1234567.txt", folder);
    assert_int_equal(unlink(path), 0);
    (void)snprintf(path, sizeof(path), "%s/x-0-1234567.part", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_refused_paths),
        cmocka_unit_test(test_parts_and_final_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
