/* base/zone_rule.h — the rule at the end of a zone's file: when its clocks are put forward and back
 * in every year behind the listed ones, as POSIX's TZ and RFC 8536, 3.3.1 write it:
 *   CET-1CEST,M3.5.0,M10.5.0/3    standard time, daylight time, begin and end of the latter
 * Offsets are written west of Greenwich; days as Mm.w.d (the w-th weekday d of month m, w = 5: the
 * last), Jn (1 .. 365, never 29 February) or n (0 .. 365); times of day from -167 to 167 hours.
 * Threads: no state. */
#ifndef MR_BASE_ZONE_RULE_H
#define MR_BASE_ZONE_RULE_H

#include "base/slice.h"

enum mr_zone_day { MR_ZONE_DAY_MONTH, MR_ZONE_DAY_JULIAN, MR_ZONE_DAY_OF_YEAR };

/* A day of the year and a time of it. */
struct mr_zone_when {
    enum mr_zone_day kind;
    int32_t month; /* 1 .. 12 */
    int32_t week;  /* 1 .. 5 */
    int32_t day;   /* MONTH: 0 = Sunday; JULIAN: 1 .. 365; OF_YEAR: 0 .. 365 */
    int32_t time_s;
};

struct mr_zone_rule {
    int64_t offset_s; /* east of Greenwich, of standard time */
    bool has_daylight;
    int64_t daylight_offset_s;
    struct mr_zone_when begin; /* by standard time */
    struct mr_zone_when end;   /* by daylight time */
};

/* False: text is not such a rule, or has daylight time without saying when. */
bool mr_zone_rule_parse(struct mr_slice text, struct mr_zone_rule *rule);
/* The instants of a year's begin and end of daylight time, in seconds. Pre: the rule has it. */
void mr_zone_rule_year(const struct mr_zone_rule *rule, int64_t year, int64_t *begin_s,
                       int64_t *end_s);

#endif
