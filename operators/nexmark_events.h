/* operators/nexmark_events.h — which events the Nexmark auction has, and what they refer to.
 * Why: a source that makes one kind and another that makes all must tell of the same persons,
 * auctions and bids. So everything here is a function of an event's number alone.
 * Model: events are numbered from 0. Of every 50 the first is a person, the next 3 are auctions,
 * then come 46 bids (published by Tucker, Tufte, Papadimos, Maier: NEXMark, 2008, and by the
 * configurations of Beam's and Flink's Nexmark). Persons and auctions are numbered from 0 in the
 * order of their events; ids are numbers plus 1,000.
 * Threads: pure functions. */
#ifndef MR_OPERATORS_NEXMARK_EVENTS_H
#define MR_OPERATORS_NEXMARK_EVENTS_H

#include "base/random.h"

enum mr_nexmark_kind { MR_NEXMARK_PERSON, MR_NEXMARK_AUCTION, MR_NEXMARK_BID, MR_NEXMARK_ALL };

enum {
    MR_NEXMARK_CYCLE_EVENTS = 50,
    MR_NEXMARK_FIRST_ID = 1000,
    MR_NEXMARK_FIRST_CATEGORY = 10,
    MR_NEXMARK_CATEGORIES = 5,
    MR_NEXMARK_SHUFFLE_STEP = 953 /* a prime: shuffled groups must not be a multiple of it */
};

enum mr_nexmark_kind mr_nexmark_kind_of(int64_t event);

/* Number of the event that is record `index` of a stream with events of one kind, or of all. */
int64_t mr_nexmark_event(enum mr_nexmark_kind kind, int64_t index);

/* How many records of the kind the first `events` events have. */
int64_t mr_nexmark_records(enum mr_nexmark_kind kind, int64_t events);

/* The index that arrives as the index-th of a stream of `records` records, when the records of
 * each full group of `group` (>= 1) come in an order of their own. A permutation. */
int64_t mr_nexmark_shuffled(int64_t index, int64_t group, int64_t records);

/* Number of the newest person, or auction, at an event; an event of its kind is its own. -1: none
 * yet (auctions at event 0). */
int64_t mr_nexmark_last_person(int64_t event);
int64_t mr_nexmark_last_auction(int64_t event);

/* Draw whom an auction or a bid refers to, as an id. Hot ones are the same for a hundred persons or
 * auctions; others are uniform over the last 1,000 persons and the last 100 auctions, and up to 10
 * that are still to come. */
int64_t mr_nexmark_draw_seller(struct mr_random *random, int64_t event);
int64_t mr_nexmark_draw_bidder(struct mr_random *random, int64_t event);
int64_t mr_nexmark_draw_auction(struct mr_random *random, int64_t event);

/* 100 to 100,000,000, uniform in its logarithm. */
int64_t mr_nexmark_draw_price(struct mr_random *random);

/* How many events an auction stays open on average: until the hundredth auction behind it. */
int64_t mr_nexmark_open_events(void);

#endif
