/* cli/load.c — see load.h. */
#include "cli/load.h"

#include "cli/environment.h"

#include "base/limits.h"
#include "cli/text.h"

#include <stdio.h>
#include <stdlib.h>

static const char *lookup_environment(void *argument, const char *name)
{
    (void)argument;
    return getenv(name);
}

void mr_load_text(struct mr_arena *arena, const char *path, struct mr_slice text,
                  const struct mr_catalogue *catalogue, struct mr_report *report,
                  struct mr_plan **plan)
{
    struct mr_substitution substitution = {.lookup = lookup_environment};
    mr_report_init(report, arena, strcmp(path, "-") == 0 ? "standard input" : path);
    mr_topology_parse(text, catalogue, &substitution, arena, report, plan);
}

enum mr_status mr_load_topology(struct mr_arena *arena, const char *path,
                                const struct mr_catalogue *catalogue, struct mr_report *report,
                                struct mr_plan **plan, struct mr_error *error)
{
    struct mr_slice text = {0};
    *plan = NULL;
    enum mr_status status = mr_load_file(arena, path, MR_LIMIT_TOPOLOGY_BYTES, &text, error);
    if (status == MR_OK)
        mr_load_text(arena, path, text, catalogue, report, plan);
    return status;
}

enum mr_status mr_load_tested(struct mr_arena *arena, const char *path,
                              const struct mr_catalogue *catalogue, struct mr_report *report,
                              struct mr_tested *tested, struct mr_error *error)
{
    struct mr_substitution substitution = {.lookup = lookup_environment};
    struct mr_slice text = {0};
    *tested = (struct mr_tested){0};
    enum mr_status status = mr_load_file(arena, path, MR_LIMIT_TOPOLOGY_BYTES, &text, error);
    if (status != MR_OK)
        return status;
    mr_report_init(report, arena, strcmp(path, "-") == 0 ? "standard input" : path);
    mr_topology_parse_tested(text, catalogue, &substitution, arena, report, tested);
    return MR_OK;
}

void mr_load_print_findings(const struct mr_report *report)
{
    for (uint32_t i = 0; i < report->findings_count; i++) {
        const struct mr_finding *finding = &report->findings[i];
        fprintf(stderr, "%s:", report->file);
        if (finding->location.line > 0)
            fprintf(stderr, "%u:%u:", finding->location.line, finding->location.column);
        fputs(finding->severity == MR_SEVERITY_ERROR ? " error: " : " warning: ", stderr);
        mr_text_write(stderr, mr_slice_text(finding->message));
        fputc('\n', stderr);
    }
    if (report->dropped_count > 0)
        fprintf(stderr, "%s: and %u more findings\n", report->file, report->dropped_count);
}

enum mr_exit mr_load_plan(struct mr_arena *arena, const char *path,
                          const struct mr_catalogue *catalogue, struct mr_plan **plan)
{
    struct mr_report report;
    struct mr_error error;
    if (mr_load_topology(arena, path, catalogue, &report, plan, &error) != MR_OK) {
        fprintf(stderr, "millrace: %s\n", error.message);
        return MR_EXIT_USAGE;
    }
    mr_load_print_findings(&report);
    return *plan == NULL ? MR_EXIT_WRONG : MR_EXIT_FINE;
}

enum mr_exit mr_load_definition(struct mr_arena *arena, const char *path,
                                const struct mr_catalogue *catalogue, struct mr_plan **plan,
                                struct mr_slice *definition, uint32_t *names_count)
{
    struct mr_slice text = {0};
    struct mr_report report;
    struct mr_error error;
    *plan = NULL;
    if (mr_load_file(arena, path, MR_LIMIT_TOPOLOGY_BYTES, &text, &error) != MR_OK) {
        fprintf(stderr, "millrace: %s\n", error.message);
        return MR_EXIT_USAGE;
    }
    mr_load_text(arena, path, text, catalogue, &report, plan);
    mr_load_print_findings(&report);
    if (*plan == NULL)
        return MR_EXIT_WRONG;
    if (mr_environment_store(text, catalogue, arena, definition, names_count, &error) == MR_OK)
        return MR_EXIT_FINE;
    fprintf(stderr, "%s: error: %s\n", report.file, error.message);
    *plan = NULL;
    return MR_EXIT_WRONG;
}
