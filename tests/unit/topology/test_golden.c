/* tests/unit/topology/test_golden.c — every file of tests/golden/topology against its .expected:
 * all findings of a faulty topology, or the whole plan of a good one. MILLRACE_UPDATE_GOLDEN=1
 * writes the expected files anew: read the difference before you commit it. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "tests/support/plan_check.h"
#include "tests/support/plan_dump.h"
#include "tests/support/topology_catalogue.h"

enum { FILES_MAX = 512, FILE_BYTES_MAX = 8 << 20, PATH_SIZE = 512 };

static const char *lookup(void *argument, const char *name)
{
    (void)argument;
    if (strcmp(name, "TOPIC") == 0)
        return "from-environment";
    return strcmp(name, "NUMBER") == 0 ? "7.5" : NULL;
}

static bool read_all(const char *path, struct mr_buffer *buffer)
{
    FILE *file = fopen(path, "rb");
    if (file == NULL)
        return false;
    char chunk[4096];
    size_t size;
    while ((size = fread(chunk, 1, sizeof(chunk), file)) > 0)
        assert_int_equal(mr_buffer_append(buffer, chunk, size), MR_OK);
    fclose(file);
    return true;
}

static void write_all(const char *path, const struct mr_buffer *buffer)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(buffer->data, 1, buffer->size, file), buffer->size);
    fclose(file);
}

/* The first line that differs, with what was expected. */
static void print_difference(const char *name, struct mr_slice expected, struct mr_slice actual)
{
    size_t start = 0;
    unsigned line = 1;
    size_t at = 0;
    while (at < expected.size && at < actual.size && expected.data[at] == actual.data[at]) {
        if (expected.data[at++] == '\n') {
            start = at;
            line++;
        }
    }
    print_error("%s, line %u of the expected file:\n", name, line);
    const struct mr_slice sides[] = {expected, actual};
    for (int i = 0; i < 2; i++) {
        size_t end = start;
        while (end < sides[i].size && sides[i].data[end] != '\n')
            end++;
        print_error("  %s %.*s\n", i == 0 ? "expected:" : "found:   ", (int)(end - start),
                    (const char *)sides[i].data + start);
    }
}

static bool run_file(const char *name)
{
    char path[PATH_SIZE];
    char expected_path[PATH_SIZE];
    struct mr_buffer text;
    struct mr_buffer expected;
    struct mr_buffer actual;
    struct mr_arena arena;
    mr_buffer_init(&text, FILE_BYTES_MAX);
    mr_buffer_init(&expected, FILE_BYTES_MAX);
    mr_buffer_init(&actual, FILE_BYTES_MAX);
    mr_arena_init(&arena, 64 << 10);
    snprintf(path, sizeof(path), "%s/%s", MR_GOLDEN_FOLDER, name);
    snprintf(expected_path, sizeof(expected_path), "%s/%.*s.expected", MR_GOLDEN_FOLDER,
             (int)(strlen(name) - strlen(".yaml")), name);
    assert_true(read_all(path, &text));
    struct mr_report report;
    struct mr_plan *plan;
    struct mr_substitution substitution = {.lookup = lookup};
    mr_report_init(&report, &arena, name);
    mr_topology_parse(mr_buffer_view(&text), &mr_test_catalogue, &substitution, &arena, &report,
                      &plan);
    assert_int_equal(plan == NULL, report.errors_count > 0);
    if (plan != NULL)
        mr_plan_check(plan);
    mr_plan_dump(&report, plan, &actual);
    if (getenv("MILLRACE_UPDATE_GOLDEN") != NULL)
        write_all(expected_path, &actual);
    bool fine = read_all(expected_path, &expected) &&
                mr_slice_equal(mr_buffer_view(&expected), mr_buffer_view(&actual));
    if (!fine)
        print_difference(name, mr_buffer_view(&expected), mr_buffer_view(&actual));
    mr_arena_deinit(&arena);
    mr_buffer_deinit(&text);
    mr_buffer_deinit(&expected);
    mr_buffer_deinit(&actual);
    return fine;
}

static void all_files_are_as_expected(void **state)
{
    (void)state;
    DIR *folder = opendir(MR_GOLDEN_FOLDER);
    assert_non_null(folder);
    uint32_t files_count = 0;
    uint32_t failed_count = 0;
    const struct dirent *entry;
    while ((entry = readdir(folder)) != NULL) {
        size_t size = strlen(entry->d_name);
        if (size < 5 || strcmp(entry->d_name + size - 5, ".yaml") != 0)
            continue;
        files_count++;
        failed_count += !run_file(entry->d_name);
    }
    closedir(folder);
    print_message("%u golden topologies\n", files_count);
    assert_true(files_count >= 40);
    assert_int_equal(failed_count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(all_files_are_as_expected)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
