/* cli/topology_test_report.h — results of tests for people, for programs and for CI servers.
 * Forms: text, one line a test and a paragraph a failure; JSON, one object per file and line, as
 * `validate -o json`; JUnit's XML, one <testsuite> per file. */
#ifndef MR_CLI_TOPOLOGY_TEST_REPORT_H
#define MR_CLI_TOPOLOGY_TEST_REPORT_H

#include "base/buffer.h"
#include "cli/topology_test.h"

#include <stdio.h>

/* One file's results. report holds what is wrong with the file itself: then there are none. */
struct mr_test_file {
    const char *path;
    const struct mr_report *report;
    const struct mr_test_result *results;
    uint32_t results_count;
    uint32_t tests_count; /* with those that the filter left out */
};

uint32_t mr_test_file_failed(const struct mr_test_file *file);
uint64_t mr_test_file_duration_us(const struct mr_test_file *file);

void mr_test_report_text(const struct mr_test_file *file, struct mr_arena *arena, FILE *output);
enum mr_status mr_test_report_json(const struct mr_test_file *file,
                                   struct mr_buffer *json) MR_NODISCARD;
/* The element of one file; begin and end surround them. */
enum mr_status mr_test_report_junit_begin(struct mr_buffer *xml) MR_NODISCARD;
enum mr_status mr_test_report_junit(const struct mr_test_file *file, const char *topology,
                                    struct mr_buffer *xml) MR_NODISCARD;
enum mr_status mr_test_report_junit_end(struct mr_buffer *xml) MR_NODISCARD;

#endif
