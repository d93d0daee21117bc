/* topology/report.c — see report.h.
 * Design: findings are kept in order of discovery and sorted by place at the end, so that the
 * checks need not run in the order of the file. A sentence about a place is said once, however many
 * checks come to it. */
#include "topology/report.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"

enum { MESSAGE_SIZE = 1024 };

void mr_report_init(struct mr_report *report, struct mr_arena *arena, const char *file)
{
    *report = (struct mr_report){.arena = arena, .file = file};
    report->findings = mr_arena_new(arena, MR_REPORT_FINDINGS_MAX, sizeof(*report->findings));
}

static bool is_known(const struct mr_report *report, struct mr_location location,
                     const char *message)
{
    for (uint32_t i = 0; i < report->findings_count; i++) {
        const struct mr_finding *finding = &report->findings[i];
        if (finding->location.line == location.line &&
            finding->location.column == location.column && strcmp(finding->message, message) == 0)
            return true;
    }
    return false;
}

void mr_report_add(struct mr_report *report, enum mr_severity severity, struct mr_location location,
                   const char *format, ...)
{
    char message[MESSAGE_SIZE];
    va_list arguments;
    va_start(arguments, format);
    int wanted = vsnprintf(message, sizeof(message), format, arguments);
    va_end(arguments);
    size_t size = wanted < 0 ? 0 : (size_t)wanted;
    if (size >= sizeof(message)) {
        size = mr_utf8_cut(mr_slice_from(message, sizeof(message) - 1), sizeof(message) - 1);
        message[size] = '\0';
    }
    if (is_known(report, location, message))
        return;
    if (severity == MR_SEVERITY_ERROR)
        report->errors_count++;
    if (report->findings_count == MR_REPORT_FINDINGS_MAX) {
        report->dropped_count++;
        return;
    }
    report->findings[report->findings_count++] =
        (struct mr_finding){.severity = severity,
                            .location = location,
                            .message = mr_arena_copy_bytes_text(report->arena, message, size)};
}

static int compare(const void *left, const void *right)
{
    const struct mr_finding *a = left;
    const struct mr_finding *b = right;
    if (a->location.line != b->location.line)
        return a->location.line < b->location.line ? -1 : 1;
    if (a->location.column != b->location.column)
        return a->location.column < b->location.column ? -1 : 1;
    if (a->severity != b->severity)
        return a->severity > b->severity ? -1 : 1;
    return strcmp(a->message, b->message);
}

void mr_report_finish(struct mr_report *report)
{
    qsort(report->findings, report->findings_count, sizeof(*report->findings), compare);
}
