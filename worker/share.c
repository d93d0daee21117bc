/* worker/share.c — see share.h. */
#include "worker/share.h"

void mr_shares_begin(struct mr_shares *shares)
{
    shares->long_stepped = false;
    shares->looked_at = 0;
    for (uint32_t index = 0; index < shares->count; index++)
        shares->items[index].stepped = false;
}

uint32_t mr_shares_next(struct mr_shares *shares)
{
    while (shares->looked_at < shares->count) {
        uint32_t index = shares->looked_at++;
        if (!shares->items[index].is_long)
            return index;
    }
    uint32_t least = shares->count;
    for (uint32_t index = 0; index < shares->count && !shares->long_stepped; index++) {
        const struct mr_share *share = &shares->items[index];
        if (share->is_long && !share->stepped &&
            (least == shares->count || share->used_ns < shares->items[least].used_ns))
            least = index;
    }
    return least;
}

/* One that turns out long joins the others where they are: what it has not used while it had little
 * to do is no credit, and what it used when they were not there is no debt. */
static void join(const struct mr_shares *shares, struct mr_share *joining)
{
    uint64_t least_ns = UINT64_MAX;
    uint64_t most_ns = 0;
    for (uint32_t index = 0; index < shares->count; index++) {
        const struct mr_share *share = &shares->items[index];
        if (!share->is_long)
            continue;
        least_ns = share->used_ns < least_ns ? share->used_ns : least_ns;
        most_ns = share->used_ns > most_ns ? share->used_ns : most_ns;
    }
    if (least_ns > most_ns)
        return; /* there are no others */
    if (joining->used_ns < least_ns)
        joining->used_ns = least_ns;
    if (joining->used_ns > most_ns)
        joining->used_ns = most_ns;
}

void mr_shares_stepped(struct mr_shares *shares, uint32_t index, uint64_t work_ns)
{
    struct mr_share *share = &shares->items[index];
    bool was_long = share->is_long;
    bool is_long = work_ns >= MR_SHARE_LONG_NS;
    if (is_long && !was_long)
        join(shares, share);
    share->stepped = true;
    share->is_long = is_long;
    if (!is_long)
        return; /* a long one that finds nothing leaves the turn to the next */
    share->used_ns += work_ns;
    shares->long_stepped = shares->long_stepped || was_long;
}
