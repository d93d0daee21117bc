/* operators/control_hold.c — see control_hold.h. */
#include "operators/control_hold.h"

#include "base/assert.h"

void mr_control_hold_apply(struct mr_control_hold *hold, const struct mr_control_order *order)
{
    MR_ASSERT(order->action != MR_CONTROL_RESET);
    bool freezes = order->action == MR_CONTROL_FREEZE || order->action == MR_CONTROL_UNFREEZE;
    uint8_t flag = freezes ? MR_HOLD_FROZEN : MR_HOLD_MUTED;
    bool ends = order->action == MR_CONTROL_UNFREEZE || order->action == MR_CONTROL_UNMUTE;
    hold->flags = (uint8_t)(ends ? hold->flags & ~flag : hold->flags | flag);
    *(freezes ? &hold->frozen_until_ms : &hold->muted_until_ms) = ends ? 0 : order->until_ms;
}

void mr_control_hold_wake(struct mr_control_hold *hold, int64_t time_ms)
{
    for (uint8_t flag = MR_HOLD_FROZEN; flag <= MR_HOLD_MUTED; flag++)
        if (!mr_control_hold_lasts(hold, flag, time_ms))
            hold->flags &= (uint8_t)~flag;
}

uint8_t *mr_control_hold_encode(const struct mr_control_hold *hold, uint8_t *output)
{
    if ((hold->flags & MR_HOLD_FROZEN) != 0) {
        mr_put_u64le(output, (uint64_t)hold->frozen_until_ms);
        output += 8;
    }
    if ((hold->flags & MR_HOLD_MUTED) != 0) {
        mr_put_u64le(output, (uint64_t)hold->muted_until_ms);
        output += 8;
    }
    return output;
}

void mr_control_hold_decode(struct mr_control_hold *hold, uint8_t flags, struct mr_reader *reader)
{
    *hold = (struct mr_control_hold){.flags = flags & MR_HOLD_ALL};
    if ((flags & MR_HOLD_FROZEN) != 0)
        hold->frozen_until_ms = (int64_t)mr_read_u64(reader);
    if ((flags & MR_HOLD_MUTED) != 0)
        hold->muted_until_ms = (int64_t)mr_read_u64(reader);
}

void mr_control_hold_describe(const struct mr_control_hold *hold,
                              struct mr_state_description *description)
{
    if ((hold->flags & MR_HOLD_FROZEN) != 0)
        mr_describe_time(description, "frozen_until", hold->frozen_until_ms);
    if ((hold->flags & MR_HOLD_MUTED) != 0)
        mr_describe_time(description, "muted_until", hold->muted_until_ms);
}
