/* topology/cel_time.c — now(), and the parts of timestamps and durations.
 * Design: calendar parts come from base/clock.h's civil calendar. Time zones are fixed offsets;
 * names like Europe/Paris would make a result depend on the machine's tz database and are refused.
 */
#include "base/clock.h"
#include "topology/cel_functions.h"

enum { NANOSECONDS = 1000000000, SECONDS_PER_DAY = 86400 };

struct calendar {
    int64_t year;
    int32_t month; /* 1..12 */
    int32_t day;   /* 1..31 */
    int64_t days;  /* since 1970-01-01 */
    int32_t second_of_day;
    int32_t millisecond;
};

bool mr_cel_parse_zone(struct mr_slice text, int32_t *seconds)
{
    *seconds = 0;
    if (mr_slice_equal(text, mr_slice_text("UTC")) || mr_slice_equal(text, mr_slice_text("Z")))
        return true;
    bool sign = text.size == 6 && (text.data[0] == '+' || text.data[0] == '-');
    if (!sign && text.size != 5)
        return false;
    const uint8_t *digits = text.data + (sign ? 1 : 0);
    for (int i = 0; i < 5; i++) {
        if (i == 2 ? digits[i] != ':' : digits[i] < '0' || digits[i] > '9')
            return false;
    }
    int32_t hours = (digits[0] - '0') * 10 + (digits[1] - '0');
    int32_t minutes = (digits[3] - '0') * 10 + (digits[4] - '0');
    *seconds = (hours * 60 + minutes) * 60;
    if (sign && text.data[0] == '-')
        *seconds = -*seconds;
    return hours < 24 && minutes < 60;
}

static int64_t floor_divide(int64_t number, int64_t divisor)
{
    int64_t quotient = number / divisor;
    return number % divisor < 0 ? quotient - 1 : quotient;
}

/* The calendar of arguments[0] in the zone arguments[1]; false: the zone is not one. */
static bool calendar_of(const struct mr_value *arguments, uint32_t count, struct calendar *calendar)
{
    int32_t zone = 0;
    if (count == 2 && !mr_cel_parse_zone(mr_value_text(arguments[1]), &zone))
        return false;
    int64_t seconds = floor_divide(arguments[0].integer, NANOSECONDS);
    int64_t rest = arguments[0].integer % NANOSECONDS;
    seconds += zone;
    calendar->days = floor_divide(seconds, SECONDS_PER_DAY);
    calendar->second_of_day = (int32_t)(seconds - calendar->days * SECONDS_PER_DAY);
    calendar->millisecond = (int32_t)((rest < 0 ? rest + NANOSECONDS : rest) / 1000000);
    mr_clock_civil_from_days(calendar->days, &calendar->year, &calendar->month, &calendar->day);
    return true;
}

static struct mr_value bad_zone(void)
{
    return mr_cel_error("a time zone is \"UTC\" or an offset like \"+02:00\"");
}

struct mr_value mr_cel_now(struct mr_cel_context *context, const struct mr_value *arguments,
                           uint32_t count)
{
    (void)arguments;
    (void)count;
    struct mr_value result = {.kind = MR_KIND_TIMESTAMP};
    if (__builtin_mul_overflow(context->now_ms, (int64_t)1000000, &result.integer))
        return mr_cel_error("timestamp out of range: years 1678 to 2261 are supported");
    return result;
}

struct mr_value mr_cel_get_full_year(struct mr_cel_context *context,
                                     const struct mr_value *arguments, uint32_t count)
{
    (void)context;
    struct calendar calendar;
    return calendar_of(arguments, count, &calendar) ? mr_value_int(calendar.year) : bad_zone();
}

struct mr_value mr_cel_get_month(struct mr_cel_context *context, const struct mr_value *arguments,
                                 uint32_t count)
{
    (void)context;
    struct calendar calendar;
    return calendar_of(arguments, count, &calendar) ? mr_value_int(calendar.month - 1) : bad_zone();
}

struct mr_value mr_cel_get_date(struct mr_cel_context *context, const struct mr_value *arguments,
                                uint32_t count)
{
    (void)context;
    struct calendar calendar;
    return calendar_of(arguments, count, &calendar) ? mr_value_int(calendar.day) : bad_zone();
}

struct mr_value mr_cel_get_day_of_month(struct mr_cel_context *context,
                                        const struct mr_value *arguments, uint32_t count)
{
    (void)context;
    struct calendar calendar;
    return calendar_of(arguments, count, &calendar) ? mr_value_int(calendar.day - 1) : bad_zone();
}

struct mr_value mr_cel_get_day_of_week(struct mr_cel_context *context,
                                       const struct mr_value *arguments, uint32_t count)
{
    (void)context;
    struct calendar calendar;
    if (!calendar_of(arguments, count, &calendar))
        return bad_zone();
    /* 1970-01-01 was a Thursday; Sunday is 0. */
    int64_t day = (calendar.days + 4) % 7;
    return mr_value_int(day < 0 ? day + 7 : day);
}

struct mr_value mr_cel_get_day_of_year(struct mr_cel_context *context,
                                       const struct mr_value *arguments, uint32_t count)
{
    (void)context;
    struct calendar calendar;
    if (!calendar_of(arguments, count, &calendar))
        return bad_zone();
    return mr_value_int(calendar.days - mr_clock_days_from_civil(calendar.year, 1, 1));
}

struct mr_value mr_cel_get_hours(struct mr_cel_context *context, const struct mr_value *arguments,
                                 uint32_t count)
{
    (void)context;
    struct calendar calendar;
    return calendar_of(arguments, count, &calendar) ? mr_value_int(calendar.second_of_day / 3600)
                                                    : bad_zone();
}

struct mr_value mr_cel_get_minutes(struct mr_cel_context *context, const struct mr_value *arguments,
                                   uint32_t count)
{
    (void)context;
    struct calendar calendar;
    return calendar_of(arguments, count, &calendar) ? mr_value_int(calendar.second_of_day / 60 % 60)
                                                    : bad_zone();
}

struct mr_value mr_cel_get_seconds(struct mr_cel_context *context, const struct mr_value *arguments,
                                   uint32_t count)
{
    (void)context;
    struct calendar calendar;
    return calendar_of(arguments, count, &calendar) ? mr_value_int(calendar.second_of_day % 60)
                                                    : bad_zone();
}

struct mr_value mr_cel_get_milliseconds(struct mr_cel_context *context,
                                        const struct mr_value *arguments, uint32_t count)
{
    (void)context;
    struct calendar calendar;
    return calendar_of(arguments, count, &calendar) ? mr_value_int(calendar.millisecond)
                                                    : bad_zone();
}

struct mr_value mr_cel_duration_hours(struct mr_cel_context *context,
                                      const struct mr_value *arguments, uint32_t count)
{
    (void)context;
    (void)count;
    return mr_value_int(arguments[0].integer / (3600ll * NANOSECONDS));
}

struct mr_value mr_cel_duration_minutes(struct mr_cel_context *context,
                                        const struct mr_value *arguments, uint32_t count)
{
    (void)context;
    (void)count;
    return mr_value_int(arguments[0].integer / (60ll * NANOSECONDS));
}

struct mr_value mr_cel_duration_seconds(struct mr_cel_context *context,
                                        const struct mr_value *arguments, uint32_t count)
{
    (void)context;
    (void)count;
    return mr_value_int(arguments[0].integer / NANOSECONDS);
}

struct mr_value mr_cel_duration_milliseconds(struct mr_cel_context *context,
                                             const struct mr_value *arguments, uint32_t count)
{
    (void)context;
    (void)count;
    return mr_value_int(arguments[0].integer / 1000000 % 1000);
}
