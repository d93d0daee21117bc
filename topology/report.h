/* topology/report.h — all errors and warnings of a file, each with its place, in one run.
 * A message reads: FILE:LINE:COLUMN: what was found, what was expected, the nearest known name. */
#ifndef MR_TOPOLOGY_REPORT_H
#define MR_TOPOLOGY_REPORT_H

#include "base/arena.h"
#include "base/options.h"

enum mr_severity { MR_SEVERITY_WARNING, MR_SEVERITY_ERROR };

struct mr_finding {
    enum mr_severity severity;
    struct mr_location location; /* line 0: the whole file */
    const char *message;
};

enum { MR_REPORT_FINDINGS_MAX = 200 }; /* more are counted, not kept */

struct mr_report {
    struct mr_arena *arena;
    const char *file; /* as the user named it */
    struct mr_finding *findings;
    uint32_t findings_count;
    uint32_t errors_count;
    uint32_t dropped_count;
};

void mr_report_init(struct mr_report *report, struct mr_arena *arena, const char *file);
void mr_report_add(struct mr_report *report, enum mr_severity severity, struct mr_location location,
                   const char *format, ...) __attribute__((format(printf, 4, 5)));
/* Sort by place. */
void mr_report_finish(struct mr_report *report);

#endif
