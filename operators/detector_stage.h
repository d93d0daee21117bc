/* operators/detector_stage.h — what all detectors keep of a key beside their model.
 * Model: the table's object is this struct, and the model's own right behind it. Stored they are
 * one value: the stage's bytes, then the model's. The version of the stored value is 256 times the
 * stage's plus the model's; one below 256 was written by a detector without a stage and is the
 * model's bytes alone (then nothing is known but the model, and `seen` starts at 0).
 * Layouts in memory: most detectors have neither `control`, `suppress` nor `on_missing: impute`. Of
 * their stages only the head is there, so that stage and a small model share a cache line; a stored
 * object that says more, from when the topology had such an option, is read without it.
 *
 * Stored stage, version 1 (little-endian):
 *   0   uint8   flags: enum mr_stage_flags
 *   1   uint64  seen
 *   each if its flag is set, in this order:
 *   int64 frozen_until_ms; int64 muted_until_ms;
 *   uint64 episode_id, double episode_peak, int64 episode_last; double last_value */
#ifndef MR_OPERATORS_DETECTOR_STAGE_H
#define MR_OPERATORS_DETECTOR_STAGE_H

#include <stdalign.h>
#include <stddef.h>

#include "operators/model.h"
#include "operators/state_description.h"

enum {
    MR_STAGE_VERSION = 1,
    MR_STAGE_BYTES_MIN = 9,
    MR_STAGE_BYTES_EPISODE = 3 * 8,
    MR_STAGE_BYTES_LAST_VALUE = 8,
    MR_STAGE_BYTES_MAX =
        MR_STAGE_BYTES_MIN + 2 * 8 + MR_STAGE_BYTES_EPISODE + MR_STAGE_BYTES_LAST_VALUE
};

enum mr_stage_flags {
    MR_STAGE_FROZEN = 1u << 0,
    MR_STAGE_MUTED = 1u << 1,
    MR_STAGE_EPISODE_COUNT = 1u << 2, /* an episode is open; episode_last is a `seen` */
    MR_STAGE_EPISODE_TIME = 1u << 3,  /* an episode is open; episode_last is an event time in ms */
    MR_STAGE_LAST_VALUE = 1u << 4,
    MR_STAGE_FLAGS_ALL = 31
};

enum { MR_STAGE_EPISODE = MR_STAGE_EPISODE_COUNT | MR_STAGE_EPISODE_TIME };

/* How much of the struct below an object has. */
enum mr_stage_layout {
    MR_STAGE_WHOLE,
    MR_STAGE_HEAD, /* up to, and without, frozen_until_ms; flags is 0 */
    MR_STAGE_LAYOUTS_COUNT
};

struct mr_detector_stage {
    uint64_t seen; /* records that were judged */
    uint8_t flags;
    bool is_loaded; /* not stored: from the store, and not yet asked whether it fits the options */
    /* Only where a flag or an option says so. */
    int64_t frozen_until_ms; /* event time from which it learns again; INT64_MAX: never */
    int64_t muted_until_ms;
    uint64_t episode_id;
    double episode_peak; /* highest score of the open episode */
    int64_t episode_last;
    double last_value; /* for on_missing: impute */
};

_Static_assert(sizeof(struct mr_detector_stage) % alignof(double) == 0 &&
                   offsetof(struct mr_detector_stage, frozen_until_ms) % alignof(double) == 0,
               "the model's struct follows");

/* Where the model's struct begins within the table's object. */
static inline size_t mr_stage_bytes(enum mr_stage_layout layout)
{
    return layout == MR_STAGE_HEAD ? offsetof(struct mr_detector_stage, frozen_until_ms)
                                   : sizeof(struct mr_detector_stage);
}

static inline void *mr_stage_model(void *object, enum mr_stage_layout layout)
{
    return (uint8_t *)object + mr_stage_bytes(layout);
}

/* How long an episode lasts beyond its last record above the threshold. */
struct mr_stage_suppress {
    int64_t count;   /* records; 0: not by count */
    int64_t time_ms; /* of event time; 0: not by time */
};

/* What a judged record means for the episode. */
struct mr_stage_step {
    bool tells;           /* the record is an anomaly that is told */
    bool opens;           /* it opens an episode (else: it is higher than all before) */
    bool resolves;        /* an episode ends with this record, before it may open another */
    uint64_t resolved_id; /* of that episode */
    double resolved_peak;
};

/* Let the row's judgement into the stage, before `seen` counts it. above: its score is above the
 * threshold. Without suppress each such record tells, and opens nothing that is kept. When it opens
 * one the caller sets episode_id. */
struct mr_stage_step mr_stage_judge(struct mr_detector_stage *stage,
                                    const struct mr_stage_suppress *suppress,
                                    const struct mr_model_row *row, bool above);

/* Forget what a control record said when its time is over. */
static inline void mr_stage_wake(struct mr_detector_stage *stage, int64_t event_time_ms)
{
    if ((stage->flags & MR_STAGE_FROZEN) != 0 && event_time_ms >= stage->frozen_until_ms &&
        stage->frozen_until_ms != INT64_MAX)
        stage->flags &= (uint8_t)~MR_STAGE_FROZEN;
    if ((stage->flags & MR_STAGE_MUTED) != 0 && event_time_ms >= stage->muted_until_ms &&
        stage->muted_until_ms != INT64_MAX)
        stage->flags &= (uint8_t)~MR_STAGE_MUTED;
}

/* What one key takes with these options. */
struct mr_model_size mr_stage_model_size(const struct mr_model_type *model,
                                         const struct mr_options *options);

/* Of the whole object: called by the functions that MR_DETECTOR_CODEC makes. */
size_t mr_stage_encode(const struct mr_model_type *model, enum mr_stage_layout layout,
                       const void *object, uint8_t *output);
bool mr_stage_decode(const struct mr_model_type *model, enum mr_stage_layout layout, void *object,
                     uint32_t version, struct mr_slice stored);

/* For describe_state: the model's struct of a stored object goes to *model_object (zeroed), the
 * stage's members to description. False: the bytes are not this model's. */
bool mr_stage_describe(const struct mr_model_type *model, const struct mr_state_object *object,
                       void *model_object, struct mr_state_description *description);

#endif
