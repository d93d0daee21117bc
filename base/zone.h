/* base/zone.h — a time zone: what its clocks read at an instant, and when they read it first.
 * Model: a *reading* is what a clock on the wall shows, in milliseconds since 1970-01-01 00:00 of
 * that clock: the instant plus the zone's offset. Clocks are put forward and back, so a reading may
 * be skipped and may come twice. What tells windows apart must never go back, so here a reading is
 * the highest one that the zone's clocks have shown so far:
 *   mr_zone_reading_ms(t)   the highest reading up to instant t: it never falls as t rises
 *   mr_zone_instant_ms(r)   the first instant with a reading of r or more: it never falls either
 * A day from midnight to midnight is then r .. r + 24 h, and lasts 23, 24 or 25 hours: a midnight
 * that is skipped is the instant of the jump, one that comes twice counts when it comes first.
 * A table of steps (of the tz database, by base/zone_file.h) says it for all time: behind its last
 * step a zone with a rule repeats every 400 years, as the calendar does.
 * A zone is immutable once it is made; it may be read by any thread. */
#ifndef MR_BASE_ZONE_H
#define MR_BASE_ZONE_H

#include "base/arena.h"

enum {
    MR_ZONE_STEPS_MAX = 8192,
    MR_ZONE_OFFSET_MAX_S = 26 * 3600, /* exclusive, both ways: RFC 8536, 3.2 */
    MR_ZONE_NAME_BYTES = 64           /* with the NUL */
};

/* Instants and readings beyond are clamped. */
#define MR_ZONE_TIME_MAX (INT64_C(1) << 61)

/* From at_ms on the zone's offset is another. */
struct mr_zone_step {
    int64_t at_ms;
    int64_t offset_ms;
    int64_t highest_ms; /* highest reading before at_ms; kept by mr_zone_make */
};

struct mr_zone {
    const char *name;
    const struct mr_zone_step *steps; /* ascending; that of steps[0] is INT64_MIN */
    uint32_t steps_count;
    int64_t spread_ms; /* between the least and the greatest offset: a day is at most so much longer
                        */
    /* Of the name and the steps from 1970 on: two zones with the same hash say the same of them.
     * (Distributions differ in what they know of earlier times.) Never 0. */
    uint64_t hash;
    /* Behind repeat_ms what was 400 years before holds. INT64_MAX: the last step's offset does. */
    int64_t repeat_ms;
    int64_t repeat_reading_ms; /* reading at repeat_ms */
};

/* 400 years of the Gregorian calendar: whole weeks. */
#define MR_ZONE_PERIOD_MS (INT64_C(146097) * 86400000)

/* A zone of given steps: at_ms and offset_ms are filled in, steps[0].at_ms is INT64_MIN, later ones
 * ascend strictly and stay within +-MR_ZONE_TIME_MAX. Steps without a change are left out.
 * repeat_ms: see above; the steps from 400 years before it on come from a rule. steps are changed
 * and borrowed: they, and name, live as long as the zone. */
void mr_zone_make(struct mr_zone *zone, const char *name, struct mr_zone_step *steps,
                  uint32_t steps_count, int64_t repeat_ms);

int64_t mr_zone_reading_ms(const struct mr_zone *zone, int64_t instant_ms);
int64_t mr_zone_instant_ms(const struct mr_zone *zone, int64_t reading_ms);

#endif
