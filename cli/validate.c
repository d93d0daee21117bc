/* cli/validate.c — `millrace validate`: all errors and warnings of topology files, in one run. */
#include "cli/catalogue.h"
#include "cli/command.h"
#include "cli/load.h"
#include "topology/json_text.h"

#include <stdio.h>

enum { ARENA_CHUNK_BYTES = 256 << 10, JSON_BYTES_MAX = 4 << 20 };

static void print_verdict(const struct mr_report *report)
{
    uint32_t findings = report->findings_count + report->dropped_count;
    uint32_t warnings = findings - report->errors_count;
    const char *plural = warnings == 1 ? "" : "s";
    if (report->errors_count > 0)
        printf("%s: %u error%s, %u warning%s\n", report->file, report->errors_count,
               report->errors_count == 1 ? "" : "s", warnings, plural);
    else if (warnings > 0)
        printf("%s: valid, %u warning%s\n", report->file, warnings, plural);
    else
        printf("%s: valid\n", report->file);
}

static enum mr_status append_finding(struct mr_buffer *json, const struct mr_finding *finding)
{
    const char *severity = finding->severity == MR_SEVERITY_ERROR ? "error" : "warning";
    enum mr_status status = mr_buffer_append_format(
        json, "{\"severity\":\"%s\",\"line\":%u,\"column\":%u,\"message\":", severity,
        finding->location.line, finding->location.column);
    if (status == MR_OK)
        status = mr_json_text_string(json, finding->message);
    return status == MR_OK ? mr_buffer_append_text(json, "}") : status;
}

/* One object per file and line, so that many files can be read as they come. */
static enum mr_status append_report(struct mr_buffer *json, const struct mr_report *report)
{
    enum mr_status status = mr_buffer_append_text(json, "{\"file\":");
    if (status == MR_OK)
        status = mr_json_text_string(json, report->file);
    if (status == MR_OK)
        status = mr_buffer_append_format(json, ",\"valid\":%s,\"dropped\":%u,\"findings\":[",
                                         report->errors_count == 0 ? "true" : "false",
                                         report->dropped_count);
    for (uint32_t i = 0; i < report->findings_count && status == MR_OK; i++) {
        if (i > 0)
            status = mr_buffer_append_text(json, ",");
        if (status == MR_OK)
            status = append_finding(json, &report->findings[i]);
    }
    return status == MR_OK ? mr_buffer_append_text(json, "]}\n") : status;
}

static enum mr_exit print_json(const struct mr_report *report)
{
    struct mr_buffer json;
    mr_buffer_init(&json, JSON_BYTES_MAX);
    enum mr_exit code = report->errors_count > 0 ? MR_EXIT_WRONG : MR_EXIT_FINE;
    if (append_report(&json, report) == MR_OK) {
        fwrite(json.data, 1, json.size, stdout);
    } else {
        fprintf(stderr, "millrace: the findings of '%s' are too long for JSON\n", report->file);
        code = MR_EXIT_WRONG;
    }
    mr_buffer_deinit(&json);
    return code;
}

static enum mr_exit validate_file(const char *path, bool json)
{
    struct mr_arena arena;
    struct mr_catalogue catalogue;
    struct mr_report report;
    struct mr_plan *plan;
    struct mr_error error;
    enum mr_exit code = MR_EXIT_FINE;
    mr_arena_init(&arena, ARENA_CHUNK_BYTES);
    mr_catalogue_make(&arena, &catalogue);
    if (mr_load_topology(&arena, path, &catalogue, &report, &plan, &error) != MR_OK) {
        fprintf(stderr, "millrace: %s\n", error.message);
        code = MR_EXIT_USAGE;
    } else if (json) {
        code = print_json(&report);
    } else {
        mr_load_print_findings(&report);
        print_verdict(&report);
        code = report.errors_count > 0 ? MR_EXIT_WRONG : MR_EXIT_FINE;
    }
    mr_arena_deinit(&arena);
    return code;
}

static enum mr_exit run(const struct mr_arguments *arguments)
{
    bool json = mr_arguments_flag(arguments, "output")->integer == MR_OUTPUT_JSON;
    enum mr_exit code = MR_EXIT_FINE;
    for (uint32_t i = 0; i < arguments->operands_count; i++) {
        enum mr_exit one = validate_file(arguments->operands[i], json);
        code = one > code ? one : code;
    }
    return code;
}

static const struct mr_flag flags[] = {MR_FLAG_OUTPUT, {.name = NULL}};

const struct mr_command mr_command_validate = {
    .name = "validate",
    .operands = "FILE...",
    .operands_min = 1,
    .operands_max = MR_OPERANDS_MAX,
    .summary = "Check topology files and report everything that is wrong with them.",
    .description = "Each finding is one line on standard error: FILE:LINE:COLUMN, what was found, "
                   "what was expected. Nothing is connected to. `-` reads standard input. ${NAME} "
                   "in a file is taken from the environment.",
    .flags = flags,
    .run = run};
