/* cli/topology_test.c — `millrace test`: the tests of topology files. */
#include "cli/topology_test.h"

#include "base/log.h"
#include "cli/catalogue.h"
#include "cli/command.h"
#include "cli/load.h"
#include "cli/topology_test_report.h"
#include "cli/topology_test_run.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { ARENA_CHUNK_BYTES = 256 << 10, REPORT_BYTES_MAX = 256 << 20, US_PER_MS = 1000 };

struct session {
    const char *filter; /* NULL: all tests */
    bool json;
    struct mr_buffer output; /* of one file, as JSON */
    struct mr_buffer junit;
    bool wants_junit;
    uint32_t files_count;
    uint32_t faulty_count;
    uint32_t tests_count;
    uint32_t failed_count;
    uint64_t duration_us;
};

static bool is_wanted(const struct session *session, const struct mr_test *test)
{
    return session->filter == NULL || strstr(test->name, session->filter) != NULL;
}

static enum mr_exit too_long(const char *path)
{
    (void)fprintf(stderr, "millrace: the report of '%s' is too long\n", path);
    return MR_EXIT_WRONG;
}

static enum mr_exit tell(struct session *session, const struct mr_test_file *file,
                         const struct mr_tested *tested, struct mr_arena *arena)
{
    const char *topology = tested->plan == NULL ? file->path : tested->plan->name;
    session->files_count++;
    session->faulty_count += file->report->errors_count > 0;
    session->tests_count += file->results_count;
    session->failed_count += mr_test_file_failed(file);
    session->duration_us += mr_test_file_duration_us(file);
    if (session->wants_junit && mr_test_report_junit(file, topology, &session->junit) != MR_OK)
        return too_long(file->path);
    if (!session->json) {
        if (file->report->errors_count > 0) /* `validate` tells warnings */
            mr_load_print_findings(file->report);
        mr_test_report_text(file, arena, stdout);
    } else {
        mr_buffer_clear(&session->output);
        if (mr_test_report_json(file, &session->output) != MR_OK)
            return too_long(file->path);
        (void)fwrite(session->output.data, 1, session->output.size, stdout);
    }
    (void)fflush(stdout);
    bool passed = file->report->errors_count == 0 && mr_test_file_failed(file) == 0;
    return passed ? MR_EXIT_FINE : MR_EXIT_WRONG;
}

/* With a slash behind it; "": where the program runs. */
static const char *folder_of(struct mr_arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == NULL ? "" : mr_arena_copy_bytes_text(arena, path, (size_t)(slash - path) + 1);
}

static enum mr_exit test_file(struct session *session, const char *path)
{
    struct mr_arena arena;
    struct mr_catalogue catalogue;
    struct mr_report report;
    struct mr_tested tested;
    struct mr_error error;
    mr_arena_init(&arena, ARENA_CHUNK_BYTES);
    mr_catalogue_make(&arena, &catalogue);
    enum mr_exit code = MR_EXIT_USAGE;
    if (mr_load_tested(&arena, path, &catalogue, &report, &tested, &error) != MR_OK) {
        (void)fprintf(stderr, "millrace: %s\n", error.message);
        goto cleanup;
    }
    struct mr_test_file file = {
        .path = report.file, .report = &report, .tests_count = tested.tests_count};
    struct mr_test_result *results = mr_arena_new(&arena, tested.tests_count, sizeof(*results));
    for (uint32_t i = 0; tested.plan != NULL && i < tested.tests_count; i++)
        if (is_wanted(session, &tested.tests[i]))
            mr_topology_test_run(&tested, &tested.tests[i], folder_of(&arena, path), &arena,
                                 &results[file.results_count++]);
    file.results = results;
    code = tell(session, &file, &tested, &arena);
cleanup:
    mr_arena_deinit(&arena);
    return code;
}

static enum mr_exit write_junit(struct session *session, const char *path)
{
    if (mr_test_report_junit_end(&session->junit) != MR_OK)
        return too_long(path);
    FILE *file = fopen(path, "we");
    bool written = file != NULL &&
                   fwrite(session->junit.data, 1, session->junit.size, file) == session->junit.size;
    if (file != NULL && fclose(file) != 0)
        written = false;
    if (written)
        return MR_EXIT_FINE;
    (void)fprintf(stderr, "millrace: cannot write '%s': %s\n", path, strerror(errno));
    return MR_EXIT_USAGE;
}

static void sum_up(const struct session *session)
{
    (void)printf("%" PRIu32 " test%s, %" PRIu32 " failed", session->tests_count,
                 session->tests_count == 1 ? "" : "s", session->failed_count);
    if (session->faulty_count > 0)
        (void)printf(", %" PRIu32 " file%s with errors", session->faulty_count,
                     session->faulty_count == 1 ? "" : "s");
    (void)printf(" (%" PRIu64 " ms)\n", session->duration_us / US_PER_MS);
}

static enum mr_exit run_session(struct session *session, const struct mr_arguments *arguments)
{
    enum mr_exit code = MR_EXIT_FINE;
    const char *junit = mr_arguments_flag(arguments, "junit")->text;
    session->wants_junit = mr_arguments_given(arguments, "junit");
    if (session->wants_junit && mr_test_report_junit_begin(&session->junit) != MR_OK)
        return too_long(junit);
    for (uint32_t i = 0; i < arguments->operands_count; i++) {
        enum mr_exit one = test_file(session, arguments->operands[i]);
        code = one > code ? one : code;
    }
    if (!session->json)
        sum_up(session);
    if (session->filter != NULL && session->tests_count == 0 && code == MR_EXIT_FINE) {
        (void)fprintf(stderr, "millrace: no test's name contains '%s'\n", session->filter);
        code = MR_EXIT_USAGE;
    }
    enum mr_exit written = session->wants_junit ? write_junit(session, junit) : MR_EXIT_FINE;
    return written > code ? written : code;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    struct session session = {.json = mr_arguments_flag(arguments, "output")->integer ==
                                      MR_OUTPUT_JSON};
    if (mr_arguments_given(arguments, "filter"))
        session.filter = mr_arguments_flag(arguments, "filter")->text;
    /* What stops a topology is told as a failure of its test. */
    mr_log_silence();
    mr_buffer_init(&session.output, REPORT_BYTES_MAX);
    mr_buffer_init(&session.junit, REPORT_BYTES_MAX);
    enum mr_exit code = run_session(&session, arguments);
    mr_buffer_deinit(&session.junit);
    mr_buffer_deinit(&session.output);
    return code;
}

static const struct mr_flag flags[] = {MR_FLAG_OUTPUT,
                                       {.name = "filter",
                                        .kind = MR_FLAG_TEXT,
                                        .value = "TEXT",
                                        .help = "Run only tests whose name contains this text."},
                                       {.name = "junit",
                                        .kind = MR_FLAG_TEXT,
                                        .value = "FILE",
                                        .help = "Write the results as JUnit's XML, too."},
                                       {.name = NULL}};

const struct mr_command mr_command_test = {
    .name = "test",
    .operands = "FILE...",
    .operands_min = 1,
    .operands_max = MR_OPERANDS_MAX,
    .summary = "Run the tests in topology files.",
    .description =
        "Each test of `tests:` runs the topology in this process: sources are given the test's "
        "records,\nsinks are captured, and time moves only when the test says so. Nothing is "
        "connected to.\nExit code 1: a test failed, or a file has errors.",
    .flags = flags,
    .run = run};
