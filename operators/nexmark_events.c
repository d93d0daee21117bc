/* operators/nexmark_events.c — see nexmark_events.h. */
#include "operators/nexmark_events.h"

#include <math.h>
#include <stdbool.h>

#include "base/assert.h"

enum {
    PERSONS = 1, /* of a cycle */
    AUCTIONS = 3,
    BIDS = MR_NEXMARK_CYCLE_EVENTS - PERSONS - AUCTIONS,
    ACTIVE_PERSONS = 1000,
    OPEN_AUCTIONS = 100,
    LEAD = 10,       /* how many that do not exist yet may be referred to */
    HOT_EVERY = 100, /* persons or auctions that share a hot one */
    HOT_AUCTION_RATIO = 2,
    HOT_SELLER_RATIO = 4,
    HOT_BIDDER_RATIO = 4
};

/* First event of a kind in a cycle, and how many there are. */
static const struct {
    int64_t first;
    int64_t count;
} places[] = {
    [MR_NEXMARK_PERSON] = {0, PERSONS},
    [MR_NEXMARK_AUCTION] = {PERSONS, AUCTIONS},
    [MR_NEXMARK_BID] = {PERSONS + AUCTIONS, BIDS},
    [MR_NEXMARK_ALL] = {0, MR_NEXMARK_CYCLE_EVENTS},
};

enum mr_nexmark_kind mr_nexmark_kind_of(int64_t event)
{
    int64_t place = event % MR_NEXMARK_CYCLE_EVENTS;
    if (place < PERSONS)
        return MR_NEXMARK_PERSON;
    return place < PERSONS + AUCTIONS ? MR_NEXMARK_AUCTION : MR_NEXMARK_BID;
}

int64_t mr_nexmark_event(enum mr_nexmark_kind kind, int64_t index)
{
    return index / places[kind].count * MR_NEXMARK_CYCLE_EVENTS + places[kind].first +
           index % places[kind].count;
}

int64_t mr_nexmark_records(enum mr_nexmark_kind kind, int64_t events)
{
    int64_t rest = events % MR_NEXMARK_CYCLE_EVENTS - places[kind].first;
    if (rest < 0)
        rest = 0;
    if (rest > places[kind].count)
        rest = places[kind].count;
    return events / MR_NEXMARK_CYCLE_EVENTS * places[kind].count + rest;
}

int64_t mr_nexmark_shuffled(int64_t index, int64_t group, int64_t records)
{
    int64_t first = index / group * group;
    if (first > records - group)
        return index; /* the last group is not full: its order stays */
    return first + (index - first) * MR_NEXMARK_SHUFFLE_STEP % group;
}

int64_t mr_nexmark_last_person(int64_t event)
{
    return mr_nexmark_records(MR_NEXMARK_PERSON, event + 1) - 1;
}

int64_t mr_nexmark_last_auction(int64_t event)
{
    return mr_nexmark_records(MR_NEXMARK_AUCTION, event + 1) - 1;
}

/* Uniform over the last `window` of the numbers up to last, and LEAD that follow. */
static int64_t draw_recent(struct mr_random *random, int64_t last, int64_t window)
{
    int64_t first = last + 1 < window ? 0 : last + 1 - window;
    return first + (int64_t)mr_random_below(random, (uint64_t)(last + 1 - first + LEAD));
}

/* All but one of `ratio` draws give the hot one of the hundred to which `last` belongs. */
static bool draw_hot(struct mr_random *random, uint64_t ratio)
{
    return mr_random_below(random, ratio) != 0;
}

int64_t mr_nexmark_draw_seller(struct mr_random *random, int64_t event)
{
    int64_t last = mr_nexmark_last_person(event);
    int64_t number = draw_hot(random, HOT_SELLER_RATIO) ? last / HOT_EVERY * HOT_EVERY
                                                        : draw_recent(random, last, ACTIVE_PERSONS);
    return MR_NEXMARK_FIRST_ID + number;
}

int64_t mr_nexmark_draw_bidder(struct mr_random *random, int64_t event)
{
    int64_t last = mr_nexmark_last_person(event);
    /* The second of the hundred: the hot bidder is not the hot seller. */
    int64_t number = draw_hot(random, HOT_BIDDER_RATIO) ? last / HOT_EVERY * HOT_EVERY + 1
                                                        : draw_recent(random, last, ACTIVE_PERSONS);
    return MR_NEXMARK_FIRST_ID + number;
}

int64_t mr_nexmark_draw_auction(struct mr_random *random, int64_t event)
{
    int64_t last = mr_nexmark_last_auction(event);
    MR_ASSERT(last >= 0);
    int64_t number = draw_hot(random, HOT_AUCTION_RATIO)
                         ? last / HOT_EVERY * HOT_EVERY
                         : draw_recent(random, last, OPEN_AUCTIONS + 1);
    return MR_NEXMARK_FIRST_ID + number;
}

int64_t mr_nexmark_draw_price(struct mr_random *random)
{
    return (int64_t)round(pow(10, mr_random_double(random) * 6) * 100);
}

int64_t mr_nexmark_open_events(void)
{
    return (int64_t)OPEN_AUCTIONS * MR_NEXMARK_CYCLE_EVENTS / AUCTIONS;
}
