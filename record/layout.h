/* record/layout.h — what a record looks like at one edge of the graph, known when it is planned.
 * Why: outputs keep the payload's bytes of every field that nobody touches. The planner therefore
 * describes a record as its original payload plus a static list of edits; the encoder splices.
 * Model: an edit names a top-level member and where its new content comes from: a column slot, or
 * a group of slots that form one object (`anomaly: {score, threshold, ...}`). The cell decides
 * per row: ABSENT leaves the payload's member as it is, REMOVED drops it, anything else replaces
 * the member in place, or adds it behind the last one, in the order of the edits.
 * A `raw` edit copies the bytes of another top-level member (rename, keep) by its span; an edit
 * that has a slot too copies them when its cell is ABSENT. A group leaves out ABSENT members;
 * when all are ABSENT, the edit does nothing. */
#ifndef MR_RECORD_LAYOUT_H
#define MR_RECORD_LAYOUT_H

#include "base/options.h"

struct mr_group_member {
    const char *name;
    uint32_t slot;
};

struct mr_edit {
    const char *name;  /* the top-level member that is written or removed */
    uint32_t slot;     /* source column; MR_SLOT_NONE for a group, a raw copy or a removal */
    uint32_t span;     /* tracked span of `name` in the payload, MR_SLOT_NONE: cannot be there */
    uint32_t raw_span; /* rename: tracked span whose value bytes are copied, else MR_SLOT_NONE */
    bool remove;       /* drop `name` from the payload, whatever the cells say */
    const struct mr_group_member *group; /* members of an object in writing order, or NULL */
    uint32_t group_count;
};

struct mr_layout {
    bool from_payload; /* start from the payload's bytes; false: from an empty object */
    const struct mr_edit *edits;
    uint32_t edits_count;
};

#endif
