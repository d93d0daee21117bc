/* operators/quality_report.h — what quality.checkpoint tells of its units: a result per unit, with
 * every check by its name, and an alert per check that failed, both with the places of the records
 * that did it. They are written as units are judged and leave when a batch is full and at the end
 * of the call. Emission runs the operators behind, which use the same state: what was got from it
 * before is not valid any more after mr_quality_report_unit and _end.
 * Memory: the batches' arena, which is the call's. Threads: the operator's. */
#ifndef MR_OPERATORS_QUALITY_REPORT_H
#define MR_OPERATORS_QUALITY_REPORT_H

#include "operators/alert_batch.h"
#include "operators/quality_unit.h"

enum { MR_QUALITY_RESULT_FIELDS_COUNT = 9 };

/* The fields of a result, in the order of struct mr_plan_domain.field_slots. */
extern const struct mr_output_field mr_quality_result_fields[MR_QUALITY_RESULT_FIELDS_COUNT];

/* Who reports; as of open. */
struct mr_quality_reporter {
    const struct mr_plan_node *node;
    const struct mr_quality_checks *checks;
    const char *const *expects; /* names of the expectations */
    struct mr_alert_teller teller;
    const uint32_t *slots; /* of a result */
    uint32_t output;       /* of results */
    bool results_are_read;
    int32_t partition;
};

/* One call of the operator. */
struct mr_quality_report {
    const struct mr_quality_reporter *reporter;
    struct mr_operator_context *context;
    const struct mr_batch *cause; /* the input's; NULL: the watermark */
    struct mr_alert_batch alerts;
    struct mr_batch *results; /* being filled; NULL: none */
};

/* A unit that is judged. */
struct mr_quality_verdict {
    const struct mr_quality_unit *unit;
    struct mr_slice key;
    int64_t start_ms;
    int64_t end_ms;
    int64_t time_ms; /* event time of what is told */
    /* Of each check MR_QUALITY_OFFENDERS_MAX places, as many as its tally has. */
    const struct mr_alert_place *offenders;
    bool tells_alerts; /* else somebody has */
};

void mr_quality_reporter_open(struct mr_quality_reporter *reporter,
                              const struct mr_operator_open *open,
                              const struct mr_quality_checks *checks, uint32_t alerts_output,
                              uint32_t results_output);
/* Somebody reads what is told of units. */
static inline bool mr_quality_reporter_is_read(const struct mr_quality_reporter *reporter)
{
    return reporter->results_are_read || reporter->teller.is_read;
}
void mr_quality_report_begin(struct mr_quality_report *report,
                             const struct mr_quality_reporter *reporter,
                             struct mr_operator_context *context, const struct mr_batch *cause);
void mr_quality_report_unit(struct mr_quality_report *report,
                            const struct mr_quality_verdict *verdict);
/* Emit what is left. */
void mr_quality_report_end(struct mr_quality_report *report);

/* The reason for a verdict: a clause per check that failed, in arena. */
const char *mr_quality_report_reason(const struct mr_quality_checks *checks,
                                     const struct mr_quality_unit *unit, struct mr_arena *arena);

#endif
