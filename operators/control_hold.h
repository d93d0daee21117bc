/* operators/control_hold.h — how long control records hold a key back, of types that have no stage
 * of detectors (operators/detector_stage.h): detect.heartbeat and detect.rate.
 * Model: a zeroed struct holds nothing; what it says is asked for a time, in the type's own time
 * (ms since the epoch), and is over from `until` on. Stored: the flags within the key's own flags,
 * at a bit that the type chooses; then, each if its flag is set, int64 frozen_until_ms, int64
 * muted_until_ms. A key that is not held takes no byte. */
#ifndef MR_OPERATORS_CONTROL_HOLD_H
#define MR_OPERATORS_CONTROL_HOLD_H

#include "base/endian.h"
#include "operators/control_record.h"
#include "operators/state_description.h"

enum { MR_HOLD_FROZEN = 1, MR_HOLD_MUTED = 2, MR_HOLD_ALL = 3, MR_HOLD_BYTES_MAX = 16 };

struct mr_control_hold {
    uint8_t flags;
    int64_t frozen_until_ms; /* INT64_MAX: until told otherwise */
    int64_t muted_until_ms;
};

static inline bool mr_control_hold_lasts(const struct mr_control_hold *hold, uint8_t flag,
                                         int64_t time_ms)
{
    int64_t until_ms = flag == MR_HOLD_FROZEN ? hold->frozen_until_ms : hold->muted_until_ms;
    return (hold->flags & flag) != 0 && (until_ms == INT64_MAX || time_ms < until_ms);
}

/* Freeze, unfreeze, mute or unmute; not reset. */
void mr_control_hold_apply(struct mr_control_hold *hold, const struct mr_control_order *order);
/* Forget what is over at time_ms. */
void mr_control_hold_wake(struct mr_control_hold *hold, int64_t time_ms);

/* Write the times; the end of what was written. */
uint8_t *mr_control_hold_encode(const struct mr_control_hold *hold, uint8_t *output);
/* Read the times of these flags. A reader that has not so many is bad. */
void mr_control_hold_decode(struct mr_control_hold *hold, uint8_t flags, struct mr_reader *reader);
void mr_control_hold_describe(const struct mr_control_hold *hold,
                              struct mr_state_description *description);

#endif
