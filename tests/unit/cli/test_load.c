/* tests/unit/cli/test_load.c — files up to a bound, and how findings are printed. */
#include "cli/load.h"

#include "base/assert.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    char folder[64];
    char path[96];
    struct mr_arena arena;
};

static int start(void **state)
{
    static struct fixture fixture;
    const char *base = getenv("TMPDIR");
    snprintf(fixture.folder, sizeof fixture.folder, "%.30s/millrace-load-XXXXXX",
             base != NULL ? base : "/tmp");
    if (mkdtemp(fixture.folder) == NULL)
        return 1;
    snprintf(fixture.path, sizeof fixture.path, "%s/file", fixture.folder);
    mr_arena_init(&fixture.arena, 4096);
    *state = &fixture;
    return 0;
}

static int end(void **state)
{
    struct fixture *fixture = *state;
    mr_arena_deinit(&fixture->arena);
    unlink(fixture->path);
    return rmdir(fixture->folder);
}

static void write_bytes(const char *path, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (size_t i = 0; i < size; i++)
        assert_int_not_equal(fputc((int)('a' + i % 26), file), EOF);
    assert_int_equal(fclose(file), 0);
}

static void test_bound_is_exact(void **state)
{
    struct fixture *fixture = *state;
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 200000};
    for (size_t i = 0; i < MR_ARRAY_COUNT(sizes); i++) {
        struct mr_error error;
        struct mr_slice bytes = {0};
        write_bytes(fixture->path, sizes[i]);
        assert_int_equal(mr_load_file(&fixture->arena, fixture->path, sizes[i], &bytes, &error),
                         MR_OK);
        assert_int_equal(bytes.size, sizes[i]);
        for (size_t j = 0; j < bytes.size; j++)
            assert_int_equal(bytes.data[j], 'a' + j % 26);
        if (sizes[i] == 0)
            continue;
        assert_int_equal(mr_load_file(&fixture->arena, fixture->path, sizes[i] - 1, &bytes, &error),
                         MR_LIMIT);
        char expected[64];
        snprintf(expected, sizeof expected, "is larger than the %zu bytes", sizes[i] - 1);
        assert_non_null(strstr(error.message, expected));
    }
}

static void test_files_that_cannot_be_read(void **state)
{
    struct fixture *fixture = *state;
    struct mr_error error;
    struct mr_slice bytes;
    assert_int_equal(mr_load_file(&fixture->arena, fixture->path, 10, &bytes, &error),
                     MR_NOT_FOUND);
    assert_non_null(strstr(error.message, fixture->path));
    assert_int_equal(mr_load_file(&fixture->arena, fixture->folder, 10, &bytes, &error), MR_IO);
    assert_non_null(strstr(error.message, "directory"));
}

/* What mr_load_print_findings writes to standard error. */
static void assert_printed(struct fixture *fixture, const struct mr_report *report,
                           const char *expected)
{
    char text[2048] = {0};
    fflush(stderr);
    int saved = dup(STDERR_FILENO);
    int file = open(fixture->path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(saved >= 0 && file >= 0);
    dup2(file, STDERR_FILENO);
    mr_load_print_findings(report);
    fflush(stderr);
    dup2(saved, STDERR_FILENO);
    close(saved);
    assert_true(pread(file, text, sizeof text - 1, 0) >= 0);
    close(file);
    assert_string_equal(text, expected);
}

static void test_findings(void **state)
{
    struct fixture *fixture = *state;
    struct mr_report report;
    mr_report_init(&report, &fixture->arena, "a.yaml");
    assert_printed(fixture, &report, "");
    mr_report_add(&report, MR_SEVERITY_ERROR, (struct mr_location){3, 7}, "found %s", "that");
    mr_report_add(&report, MR_SEVERITY_WARNING, (struct mr_location){0, 0}, "odd");
    mr_report_add(&report, MR_SEVERITY_ERROR, (struct mr_location){4, 1},
                  "a\x1b[31m\nb\x7fü\xc2\x9b\xff");
    assert_printed(fixture, &report,
                   "a.yaml:3:7: error: found that\na.yaml: warning: odd\n"
                   "a.yaml:4:1: error: a\\x1b[31m\\x0ab\\x7fü\\x9b\\xff\n");
    for (uint32_t i = 0; i < MR_REPORT_FINDINGS_MAX; i++)
        mr_report_add(&report, MR_SEVERITY_ERROR, (struct mr_location){i + 10, 1}, "%u", i);
    report.findings_count = 0;
    assert_printed(fixture, &report, "a.yaml: and 3 more findings\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_bound_is_exact, start, end),
        cmocka_unit_test_setup_teardown(test_files_that_cannot_be_read, start, end),
        cmocka_unit_test_setup_teardown(test_findings, start, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
