/* cli/topology_test_report.c — see topology_test_report.h. */
#include "cli/topology_test_report.h"

#include "cli/text.h"
#include "topology/json_text.h"

#include <inttypes.h>

enum { US_PER_MS = 1000 };

uint32_t mr_test_file_failed(const struct mr_test_file *file)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < file->results_count; i++)
        count += file->results[i].failures_count > 0;
    return count;
}

uint64_t mr_test_file_duration_us(const struct mr_test_file *file)
{
    uint64_t duration_us = 0;
    for (uint32_t i = 0; i < file->results_count; i++)
        duration_us += file->results[i].duration_us;
    return duration_us;
}

static uint32_t kept_failures(const struct mr_test_result *result)
{
    return result->failures_count < MR_TEST_FAILURES_MAX ? result->failures_count
                                                         : MR_TEST_FAILURES_MAX;
}

/* ---- Text ---- */

static void put_text(FILE *output, const char *text)
{
    mr_text_write(output, mr_slice_text(text));
}

/* "      expected  {...}" */
static void put_labelled(FILE *output, const char *label, const char *text)
{
    fprintf(output, "      %-9s ", label);
    put_text(output, text);
    fputc('\n', output);
}

static void put_failure(const struct mr_test_file *file, const struct mr_test_failure *failure,
                        FILE *output)
{
    fputs("    ", output);
    put_text(output, file->path);
    if (failure->location.line > 0)
        fprintf(output, ":%" PRIu32 ":%" PRIu32, failure->location.line, failure->location.column);
    fputs(": ", output);
    put_text(output, failure->message);
    fputc('\n', output);
    if (failure->expected != NULL)
        put_labelled(output, "expected", failure->expected);
    if (failure->nearest != NULL)
        put_labelled(output, failure->expected == NULL ? "got" : "nearest", failure->nearest);
    for (uint32_t i = 0; i < failure->differences_count; i++) {
        const struct mr_test_difference *difference = &failure->differences[i];
        fprintf(output, "      %-9s ", i == 0 ? "differs" : "");
        put_text(output, difference->path[0] == '\0' ? "the record" : difference->path);
        fputs(": expected ", output);
        put_text(output, difference->expected);
        fputs(", got ", output);
        put_text(output, difference->actual);
        fputc('\n', output);
    }
}

static void put_result(const struct mr_test_file *file, const struct mr_test_result *result,
                       FILE *output)
{
    fputs(result->failures_count == 0 ? "  ok    " : "  FAIL  ", output);
    put_text(output, result->test->name);
    fprintf(output, " (%" PRIu64 " ms)\n", result->duration_us / US_PER_MS);
    for (uint32_t i = 0; i < kept_failures(result); i++)
        put_failure(file, &result->failures[i], output);
    if (result->failures_count > MR_TEST_FAILURES_MAX)
        fprintf(output, "    and %" PRIu32 " more\n",
                result->failures_count - MR_TEST_FAILURES_MAX);
    for (uint32_t i = 0; i < result->notes_count; i++)
        put_labelled(output, "note", result->notes[i]);
}

void mr_test_report_text(const struct mr_test_file *file, struct mr_arena *arena, FILE *output)
{
    put_text(output, file->path);
    if (file->report->errors_count > 0)
        fprintf(output, ": not tested, %s\n",
                mr_text_plural(arena, file->report->errors_count, "error"));
    else if (file->tests_count == 0)
        fputs(": no tests\n", output);
    else if (file->results_count == 0)
        fputs(": no test of this name\n", output);
    else
        fputc('\n', output);
    for (uint32_t i = 0; i < file->results_count; i++)
        put_result(file, &file->results[i], output);
}

/* ---- JSON ---- */

static enum mr_status append_member(struct mr_buffer *json, const char *before, const char *text)
{
    enum mr_status status = mr_buffer_append_text(json, before);
    if (status != MR_OK)
        return status;
    return text == NULL ? mr_buffer_append_text(json, "null") : mr_json_text_string(json, text);
}

static enum mr_status append_failure(struct mr_buffer *json, const struct mr_test_failure *failure)
{
    enum mr_status status =
        mr_buffer_append_format(json, "{\"line\":%" PRIu32 ",\"column\":%" PRIu32,
                                failure->location.line, failure->location.column);
    if (status == MR_OK)
        status = append_member(json, ",\"message\":", failure->message);
    if (status == MR_OK)
        status = append_member(json, ",\"expected\":", failure->expected);
    if (status == MR_OK)
        status = append_member(json, ",\"nearest\":", failure->nearest);
    if (status == MR_OK)
        status = mr_buffer_append_text(json, ",\"differences\":[");
    for (uint32_t i = 0; i < failure->differences_count && status == MR_OK; i++) {
        const struct mr_test_difference *difference = &failure->differences[i];
        status = append_member(json, i == 0 ? "{\"path\":" : ",{\"path\":", difference->path);
        if (status == MR_OK)
            status = append_member(json, ",\"expected\":", difference->expected);
        if (status == MR_OK)
            status = append_member(json, ",\"actual\":", difference->actual);
        if (status == MR_OK)
            status = mr_buffer_append_text(json, "}");
    }
    return status == MR_OK ? mr_buffer_append_text(json, "]}") : status;
}

static enum mr_status append_result(struct mr_buffer *json, const struct mr_test_result *result)
{
    enum mr_status status = append_member(json, "{\"name\":", result->test->name);
    if (status == MR_OK)
        status = mr_buffer_append_format(
            json,
            ",\"line\":%" PRIu32 ",\"passed\":%s,\"milliseconds\":%.3f,\"failures_count\":%" PRIu32
            ",\"failures\":[",
            result->test->location.line, result->failures_count == 0 ? "true" : "false",
            (double)result->duration_us / US_PER_MS, result->failures_count);
    for (uint32_t i = 0; i < kept_failures(result) && status == MR_OK; i++) {
        status = i > 0 ? mr_buffer_append_text(json, ",") : MR_OK;
        if (status == MR_OK)
            status = append_failure(json, &result->failures[i]);
    }
    if (status == MR_OK)
        status = mr_buffer_append_text(json, "],\"notes\":[");
    for (uint32_t i = 0; i < result->notes_count && status == MR_OK; i++)
        status = append_member(json, i > 0 ? "," : "", result->notes[i]);
    return status == MR_OK ? mr_buffer_append_text(json, "]}") : status;
}

static enum mr_status append_findings(struct mr_buffer *json, const struct mr_report *report)
{
    bool first = true;
    enum mr_status status = mr_buffer_append_text(json, ",\"errors\":[");
    for (uint32_t i = 0; i < report->findings_count && status == MR_OK; i++) {
        const struct mr_finding *finding = &report->findings[i];
        if (finding->severity != MR_SEVERITY_ERROR)
            continue;
        status = mr_buffer_append_format(json, "%s{\"line\":%" PRIu32 ",\"column\":%" PRIu32,
                                         first ? "" : ",", finding->location.line,
                                         finding->location.column);
        if (status == MR_OK)
            status = append_member(json, ",\"message\":", finding->message);
        if (status == MR_OK)
            status = mr_buffer_append_text(json, "}");
        first = false;
    }
    return status == MR_OK ? mr_buffer_append_text(json, "]") : status;
}

enum mr_status mr_test_report_json(const struct mr_test_file *file, struct mr_buffer *json)
{
    enum mr_status status = append_member(json, "{\"file\":", file->path);
    if (status == MR_OK)
        status = append_findings(json, file->report);
    if (status == MR_OK)
        status = mr_buffer_append_format(
            json,
            ",\"passed\":%" PRIu32 ",\"failed\":%" PRIu32 ",\"milliseconds\":%.3f,\"tests\":[",
            file->results_count - mr_test_file_failed(file), mr_test_file_failed(file),
            (double)mr_test_file_duration_us(file) / US_PER_MS);
    for (uint32_t i = 0; i < file->results_count && status == MR_OK; i++) {
        status = i > 0 ? mr_buffer_append_text(json, ",") : MR_OK;
        if (status == MR_OK)
            status = append_result(json, &file->results[i]);
    }
    return status == MR_OK ? mr_buffer_append_text(json, "]}\n") : status;
}

/* ---- JUnit ---- */

/* XML 1.0 has no control characters, not even escaped. */
static enum mr_status append_xml(struct mr_buffer *xml, const char *text)
{
    enum mr_status status = MR_OK;
    for (; *text != '\0' && status == MR_OK; text++) {
        uint8_t byte = (uint8_t)*text;
        if (byte == '&')
            status = mr_buffer_append_text(xml, "&amp;");
        else if (byte == '<')
            status = mr_buffer_append_text(xml, "&lt;");
        else if (byte == '>')
            status = mr_buffer_append_text(xml, "&gt;");
        else if (byte == '"')
            status = mr_buffer_append_text(xml, "&quot;");
        else if (byte == '\n')
            status = mr_buffer_append_text(xml, "&#10;");
        else
            status = mr_buffer_append(xml, byte < 0x20 ? "?" : text, 1);
    }
    return status;
}

static enum mr_status append_attribute(struct mr_buffer *xml, const char *name, const char *text)
{
    enum mr_status status = mr_buffer_append_format(xml, " %s=\"", name);
    if (status == MR_OK)
        status = append_xml(xml, text);
    return status == MR_OK ? mr_buffer_append_text(xml, "\"") : status;
}

static enum mr_status append_line(struct mr_buffer *xml, const char *label, const char *text)
{
    enum mr_status status = mr_buffer_append_format(xml, "\n%s: ", label);
    return status == MR_OK ? append_xml(xml, text) : status;
}

static enum mr_status append_xml_failure(struct mr_buffer *xml, const char *path,
                                         const struct mr_test_failure *failure)
{
    enum mr_status status = mr_buffer_append_text(xml, "      <failure");
    if (status == MR_OK)
        status = append_attribute(xml, "message", failure->message);
    if (status == MR_OK)
        status = mr_buffer_append_text(xml, ">");
    if (status == MR_OK)
        status = append_xml(xml, path);
    if (status == MR_OK)
        status = mr_buffer_append_format(xml, ":%" PRIu32 ":%" PRIu32, failure->location.line,
                                         failure->location.column);
    if (status == MR_OK && failure->expected != NULL)
        status = append_line(xml, "expected", failure->expected);
    if (status == MR_OK && failure->nearest != NULL)
        status = append_line(xml, failure->expected == NULL ? "got" : "nearest", failure->nearest);
    for (uint32_t i = 0; i < failure->differences_count && status == MR_OK; i++) {
        const struct mr_test_difference *difference = &failure->differences[i];
        status = append_line(xml, "differs", difference->path);
        if (status == MR_OK)
            status = mr_buffer_append_text(xml, ": expected ");
        if (status == MR_OK)
            status = append_xml(xml, difference->expected);
        if (status == MR_OK)
            status = mr_buffer_append_text(xml, ", got ");
        if (status == MR_OK)
            status = append_xml(xml, difference->actual);
    }
    return status == MR_OK ? mr_buffer_append_text(xml, "</failure>\n") : status;
}

static enum mr_status append_case(struct mr_buffer *xml, const struct mr_test_file *file,
                                  const char *topology, const struct mr_test_result *result)
{
    enum mr_status status = mr_buffer_append_text(xml, "    <testcase");
    if (status == MR_OK)
        status = append_attribute(xml, "name", result->test->name);
    if (status == MR_OK)
        status = append_attribute(xml, "classname", topology);
    if (status == MR_OK)
        status = append_attribute(xml, "file", file->path);
    if (status == MR_OK)
        status =
            mr_buffer_append_format(xml, " line=\"%" PRIu32 "\" time=\"%.6f\">\n",
                                    result->test->location.line, (double)result->duration_us / 1e6);
    for (uint32_t i = 0; i < kept_failures(result) && status == MR_OK; i++)
        status = append_xml_failure(xml, file->path, &result->failures[i]);
    return status == MR_OK ? mr_buffer_append_text(xml, "    </testcase>\n") : status;
}

/* A file that is not sound is one case, in error. */
static enum mr_status append_file_error(struct mr_buffer *xml, const struct mr_test_file *file)
{
    const struct mr_report *report = file->report;
    enum mr_status status = mr_buffer_append_text(xml, "    <testcase name=\"the file\"");
    if (status == MR_OK)
        status = append_attribute(xml, "classname", file->path);
    if (status == MR_OK)
        status = mr_buffer_append_text(xml, " time=\"0\">\n");
    for (uint32_t i = 0; i < report->findings_count && status == MR_OK; i++) {
        const struct mr_finding *finding = &report->findings[i];
        if (finding->severity != MR_SEVERITY_ERROR)
            continue;
        status = mr_buffer_append_text(xml, "      <error");
        if (status == MR_OK)
            status = append_attribute(xml, "message", finding->message);
        if (status == MR_OK)
            status = mr_buffer_append_format(xml, ">line %" PRIu32 ", column %" PRIu32 "</error>\n",
                                             finding->location.line, finding->location.column);
    }
    return status == MR_OK ? mr_buffer_append_text(xml, "    </testcase>\n") : status;
}

enum mr_status mr_test_report_junit_begin(struct mr_buffer *xml)
{
    return mr_buffer_append_text(xml, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
}

enum mr_status mr_test_report_junit(const struct mr_test_file *file, const char *topology,
                                    struct mr_buffer *xml)
{
    bool faulty = file->report->errors_count > 0;
    enum mr_status status = mr_buffer_append_text(xml, "  <testsuite");
    if (status == MR_OK)
        status = append_attribute(xml, "name", file->path);
    if (status == MR_OK)
        status = mr_buffer_append_format(
            xml, " tests=\"%" PRIu32 "\" failures=\"%" PRIu32 "\" errors=\"%d\" time=\"%.6f\">\n",
            faulty ? 1 : file->results_count, mr_test_file_failed(file), faulty ? 1 : 0,
            (double)mr_test_file_duration_us(file) / 1e6);
    if (status == MR_OK && faulty)
        status = append_file_error(xml, file);
    for (uint32_t i = 0; i < file->results_count && status == MR_OK; i++)
        status = append_case(xml, file, topology, &file->results[i]);
    return status == MR_OK ? mr_buffer_append_text(xml, "  </testsuite>\n") : status;
}

enum mr_status mr_test_report_junit_end(struct mr_buffer *xml)
{
    return mr_buffer_append_text(xml, "</testsuites>\n");
}
