/* base/zone_rule.c — see zone_rule.h. */
#include "base/zone_rule.h"

#include "base/clock.h"

enum { HOUR_S = 3600, DAY_S = 86400, HOURS_OF_OFFSET = 24, HOURS_OF_TIME = 167 };

struct cursor {
    const uint8_t *next;
    const uint8_t *end;
};

static bool is_at(const struct cursor *cursor, char character)
{
    return cursor->next < cursor->end && *cursor->next == (uint8_t)character;
}

static bool skip(struct cursor *cursor, char character)
{
    bool found = is_at(cursor, character);
    cursor->next += found;
    return found;
}

/* A number of at most three digits, up to a maximum. */
static bool read_number(struct cursor *cursor, int32_t minimum, int32_t maximum, int32_t *number)
{
    int digits = 0;
    *number = 0;
    while (cursor->next < cursor->end && *cursor->next >= '0' && *cursor->next <= '9' &&
           digits < 3) {
        *number = *number * 10 + (*cursor->next++ - '0');
        digits++;
    }
    return digits > 0 && *number >= minimum && *number <= maximum;
}

/* [+-]hh[:mm[:ss]] */
static bool read_time(struct cursor *cursor, int32_t hours_max, int32_t *time_s)
{
    int32_t hours;
    int32_t minutes = 0;
    int32_t seconds = 0;
    bool negative = skip(cursor, '-');
    if (!negative)
        (void)skip(cursor, '+');
    if (!read_number(cursor, 0, hours_max, &hours))
        return false;
    if (skip(cursor, ':') && !read_number(cursor, 0, 59, &minutes))
        return false;
    if (skip(cursor, ':') && !read_number(cursor, 0, 59, &seconds))
        return false;
    *time_s = hours * HOUR_S + minutes * 60 + seconds;
    if (negative)
        *time_s = -*time_s;
    return true;
}

static bool is_letter(uint8_t byte)
{
    return (byte | 0x20) >= 'a' && (byte | 0x20) <= 'z';
}

/* CET, or <+0530>: nobody asks for it. */
static bool skip_name(struct cursor *cursor)
{
    bool quoted = skip(cursor, '<');
    const uint8_t *first = cursor->next;
    while (
        cursor->next < cursor->end &&
        (is_letter(*cursor->next) || (quoted && (*cursor->next == '+' || *cursor->next == '-' ||
                                                 (*cursor->next >= '0' && *cursor->next <= '9')))))
        cursor->next++;
    return cursor->next - first >= 3 && (!quoted || skip(cursor, '>'));
}

static bool read_when(struct cursor *cursor, struct mr_zone_when *when)
{
    *when = (struct mr_zone_when){.time_s = 2 * HOUR_S};
    bool fine;
    if (skip(cursor, 'M')) {
        fine = read_number(cursor, 1, 12, &when->month) && skip(cursor, '.') &&
               read_number(cursor, 1, 5, &when->week) && skip(cursor, '.') &&
               read_number(cursor, 0, 6, &when->day);
    } else if (skip(cursor, 'J')) {
        when->kind = MR_ZONE_DAY_JULIAN;
        fine = read_number(cursor, 1, 365, &when->day);
    } else {
        when->kind = MR_ZONE_DAY_OF_YEAR;
        fine = read_number(cursor, 0, 365, &when->day);
    }
    if (fine && skip(cursor, '/'))
        fine = read_time(cursor, HOURS_OF_TIME, &when->time_s);
    return fine;
}

bool mr_zone_rule_parse(struct mr_slice text, struct mr_zone_rule *rule)
{
    struct cursor cursor = {text.data, text.data + text.size};
    int32_t west_s;
    *rule = (struct mr_zone_rule){0};
    if (!skip_name(&cursor) || !read_time(&cursor, HOURS_OF_OFFSET, &west_s))
        return false;
    rule->offset_s = -west_s;
    if (cursor.next == cursor.end)
        return true;
    rule->has_daylight = true;
    rule->daylight_offset_s = rule->offset_s + HOUR_S;
    if (!skip_name(&cursor))
        return false;
    if (!is_at(&cursor, ',')) {
        if (!read_time(&cursor, HOURS_OF_OFFSET, &west_s))
            return false;
        rule->daylight_offset_s = -west_s;
    }
    return skip(&cursor, ',') && read_when(&cursor, &rule->begin) && skip(&cursor, ',') &&
           read_when(&cursor, &rule->end) && cursor.next == cursor.end;
}

/* ---- Years ---- */

static bool is_leap(int64_t year)
{
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int64_t month_day(const struct mr_zone_when *when, int64_t year)
{
    int64_t first = mr_clock_days_from_civil(year, when->month, 1);
    int64_t next = when->month == 12 ? mr_clock_days_from_civil(year + 1, 1, 1)
                                     : mr_clock_days_from_civil(year, when->month + 1, 1);
    int64_t weekday = ((first + 4) % 7 + 7) % 7; /* 1970-01-01 was a Thursday; 0 = Sunday */
    int64_t day = first + (when->day - weekday + 7) % 7 + (when->week - 1) * 7;
    return day < next ? day : day - 7;
}

/* Seconds of the zone's clock. */
static int64_t when_in(const struct mr_zone_when *when, int64_t year)
{
    int64_t day;
    if (when->kind == MR_ZONE_DAY_MONTH)
        day = month_day(when, year);
    else if (when->kind == MR_ZONE_DAY_OF_YEAR)
        day = mr_clock_days_from_civil(year, 1, 1) + when->day;
    else
        day = mr_clock_days_from_civil(year, 1, 1) + when->day - 1 +
              (is_leap(year) && when->day >= 60); /* 1 March is the 60th, always */
    return day * DAY_S + when->time_s;
}

void mr_zone_rule_year(const struct mr_zone_rule *rule, int64_t year, int64_t *begin_s,
                       int64_t *end_s)
{
    *begin_s = when_in(&rule->begin, year) - rule->offset_s;
    *end_s = when_in(&rule->end, year) - rule->daylight_offset_s;
}
