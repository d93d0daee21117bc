/* operators/alert_batch.h — alerts of one call of an operator, among them alerts that no record
 * causes: what a watermark or the clock makes due. They are written as they come, and leave when a
 * batch is full and at the end of the call. Emission runs the operators behind, which use the same
 * state: what was got from it before is not valid any more after mr_alert_batch_add and _end.
 * Memory: the batch's arena, which is the call's. */
#ifndef MR_OPERATORS_ALERT_BATCH_H
#define MR_OPERATORS_ALERT_BATCH_H

#include "operators/alert.h"
#include "operators/operator.h"

/* Whose alerts they are; as of open. */
struct mr_alert_teller {
    const struct mr_plan *plan;
    const struct mr_plan_node *node;
    const struct mr_layout *record_layout; /* of the input */
    uint32_t output;
    int32_t partition;
    bool is_read; /* without a reader nothing is written */
};

struct mr_alert_batch {
    const struct mr_alert_teller *teller;
    struct mr_operator_context *context;
    const struct mr_batch *cause; /* the input's; NULL: the watermark or the clock */
    struct mr_batch *batch;       /* being filled; NULL: none */
};

struct mr_alert_notice {
    uint64_t id;
    const char *state;    /* static */
    const char *severity; /* static */
    const char *message;  /* copied */
    double metric_value;
    double threshold;
    struct mr_slice key; /* copied */
    bool about_row;      /* the row of the cause; else event_time_ms counts */
    uint32_t row;
    int64_t event_time_ms;
    const struct mr_alert_place *place; /* of no row: a record that it names; NULL: none */
};

void mr_alert_teller_open(struct mr_alert_teller *teller, const struct mr_operator_open *open,
                          uint32_t output);
/* The same in a replay: of (topology, operator, key, number). */
uint64_t mr_alert_teller_id(const struct mr_alert_teller *teller, struct mr_slice key,
                            int64_t number);
void mr_alert_batch_add(struct mr_alert_batch *alerts, const struct mr_alert_notice *notice);
/* Emit what is left. */
void mr_alert_batch_end(struct mr_alert_batch *alerts);

#endif
