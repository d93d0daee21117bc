/* operators/state_description.h — what a key's stored state says, for people: named values that a
 * query shows. Limits: members beyond MR_DESCRIPTION_MEMBERS_MAX are a broken contract. */
#ifndef MR_OPERATORS_STATE_DESCRIPTION_H
#define MR_OPERATORS_STATE_DESCRIPTION_H

#include "record/value.h"

enum { MR_DESCRIPTION_MEMBERS_MAX = 24 };

struct mr_plan_node;

/* A place in a key's grid: a layer, a box, or a layer of a box. */
struct mr_state_place {
    bool has_layer;
    bool has_box;
    int64_t layer;
    double from[3]; /* in the unit of the fields */
    double to[3];   /* not in the box */
};

struct mr_state_description {
    struct mr_map_entry members[MR_DESCRIPTION_MEMBERS_MAX];
    uint32_t members_count;
    const struct mr_plan_node *node; /* the operator whose state it is; set by who asks */
    /* What the query asks of operators that keep records (MR_TYPE_KEEPS_RECORDS) or voxels
     * (MR_TYPE_PLACES, not `last`); 0: not asked. */
    uint32_t last;               /* the last so many */
    int64_t since_ms;            /* those of the last so many ms of event time */
    struct mr_state_place place; /* of voxels */
};

/* name is static text; value borrows what it points to. */
void mr_describe_member(struct mr_state_description *description, const char *name,
                        struct mr_value value);
/* A time in ms since the epoch: a timestamp, or a number where no timestamp holds it. */
void mr_describe_time(struct mr_state_description *description, const char *name, int64_t time_ms);
/* All members as a map, which borrows from description. */
struct mr_value mr_description_value(const struct mr_state_description *description);

#endif
