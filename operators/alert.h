/* operators/alert.h — the alert record, the same for every operator that raises alerts
 * (DESIGN 2.1 rule 13): its fields, and writing one as a row of the output `alerts`. */
#ifndef MR_OPERATORS_ALERT_H
#define MR_OPERATORS_ALERT_H

#include "record/batch.h"
#include "topology/type.h"

enum { MR_ALERT_FIELDS_COUNT = 13 };

/* The declared fields, in the order of struct mr_plan_domain.field_slots. */
extern const struct mr_output_field mr_alert_fields[MR_ALERT_FIELDS_COUNT];

struct mr_alert {
    struct mr_value id;
    const char *topology;
    const char *operator_name;
    const char *detector;
    const char *state;   /* open, update or resolved */
    struct mr_value key; /* a string, or null */
    struct mr_value severity;
    struct mr_value message;
    double metric_value;
    double threshold;
};

/* A record's place in its source. */
struct mr_alert_place {
    struct mr_origin origin;
    int64_t offset;
};

/* A place as a cell: an object of topic, partition and offset in arena. */
struct mr_value mr_alert_place_value(struct mr_arena *arena, const struct mr_alert_place *place);

/* Append alert to alerts, about the row of cause. The event time is that record's; `record` is the
 * record as its source delivered it, or, where it has no payload of its own, the object of its
 * fields at layout; null without a layout (a record that the operator itself makes). Text is
 * borrowed and must live as long as cause. Pre: alerts has room. */
void mr_alert_write(struct mr_batch *alerts, const uint32_t *field_slots,
                    const struct mr_alert *alert, const struct mr_batch *cause, uint32_t row,
                    const struct mr_layout *layout);

/* The same for an alert about no record (a silence, a window): `record` is null, and so is
 * `source`, unless place says where a record is that the alert names. */
void mr_alert_write_alone(struct mr_batch *alerts, const uint32_t *field_slots,
                          const struct mr_alert *alert, int64_t event_time_ms,
                          const struct mr_alert_place *place);

#endif
