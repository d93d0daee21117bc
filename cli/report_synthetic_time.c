/* cli/report_synthetic_time.c — see report_synthetic_time.h. */
#include "cli/report_synthetic_time.h"

#include "base/assert.h"
#include "base/clock.h"

#include <string.h>
#include <strings.h>

enum { MONTHS = 12, YEAR_FIRST = 1678, YEAR_LAST = 2261, PIVOT = 69 /* of years of two digits */ };

struct moment {
    int32_t year;
    int32_t month;
    int32_t day;
    int32_t day_of_year; /* 0: not said */
    int32_t hour;
    int32_t minute;
    int32_t second;
    int32_t nanosecond;
    int32_t zone_minutes;
    int8_t half; /* of the day: 0 am, 1 pm, -1 not said */
};

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
};

static const char *const month_names[MONTHS] = {"January",   "February", "March",    "April",
                                                "May",       "June",     "July",     "August",
                                                "September", "October",  "November", "December"};

/* Up to so many digits, at least one. */
static bool read_digits(struct cursor *cursor, uint32_t digits_max, int32_t *number)
{
    uint32_t digits = 0;
    *number = 0;
    for (; digits < digits_max && cursor->at < cursor->end && *cursor->at >= '0' &&
           *cursor->at <= '9';
         digits++)
        *number = *number * 10 + (*cursor->at++ - '0');
    return digits > 0;
}

static bool read_fraction(struct cursor *cursor, int32_t *nanosecond)
{
    int32_t scale = 100000000;
    const uint8_t *from = cursor->at;
    *nanosecond = 0;
    for (; cursor->at < cursor->end && *cursor->at >= '0' && *cursor->at <= '9'; cursor->at++) {
        *nanosecond += (*cursor->at - '0') * scale;
        scale /= 10;
    }
    return cursor->at > from && cursor->at - from <= 9;
}

static bool read_word(struct cursor *cursor, const char *word, size_t size)
{
    if ((size_t)(cursor->end - cursor->at) < size ||
        strncasecmp((const char *)cursor->at, word, size) != 0)
        return false;
    cursor->at += size;
    return true;
}

static bool read_month(struct cursor *cursor, bool is_whole, int32_t *month)
{
    for (int32_t index = 0; index < MONTHS; index++) {
        size_t size = is_whole ? strlen(month_names[index]) : 3;
        if (!read_word(cursor, month_names[index], size))
            continue;
        *month = index + 1;
        return true;
    }
    return false;
}

/* Z, +02, +0200, +02:00. */
static bool read_zone(struct cursor *cursor, int32_t *minutes)
{
    int32_t hours;
    int32_t rest = 0;
    *minutes = 0;
    if (cursor->at < cursor->end && (*cursor->at == 'Z' || *cursor->at == 'z')) {
        cursor->at++;
        return true;
    }
    if (cursor->at == cursor->end || (*cursor->at != '+' && *cursor->at != '-'))
        return false;
    int32_t sign = *cursor->at++ == '-' ? -1 : 1;
    if (!read_digits(cursor, 2, &hours))
        return false;
    if (cursor->at < cursor->end) {
        cursor->at += *cursor->at == ':';
        if (!read_digits(cursor, 2, &rest))
            return false;
    }
    *minutes = sign * (hours * 60 + rest);
    return hours < 24 && rest < 60;
}

static bool read_directive(struct cursor *cursor, char directive, struct moment *moment)
{
    int32_t number;
    switch (directive) {
    case 'Y':
        return read_digits(cursor, 4, &moment->year);
    case 'y':
        if (!read_digits(cursor, 2, &number))
            return false;
        moment->year = number + (number < PIVOT ? 2000 : 1900);
        return true;
    case 'm':
        return read_digits(cursor, 2, &moment->month);
    case 'd':
        return read_digits(cursor, 2, &moment->day);
    case 'j':
        return read_digits(cursor, 3, &moment->day_of_year);
    case 'H':
    case 'I':
        return read_digits(cursor, 2, &moment->hour);
    case 'M':
        return read_digits(cursor, 2, &moment->minute);
    case 'S':
        return read_digits(cursor, 2, &moment->second);
    case 'f':
        return read_fraction(cursor, &moment->nanosecond);
    case 'p':
        moment->half = (int8_t)read_word(cursor, "PM", 2);
        return moment->half == 1 || read_word(cursor, "AM", 2);
    case 'b':
        return read_month(cursor, false, &moment->month);
    case 'B':
        return read_month(cursor, true, &moment->month);
    case 'z':
        return read_zone(cursor, &moment->zone_minutes);
    default:
        return false;
    }
}

/* What %T and the like stand for; NULL: nothing. */
static const char *written_out(char directive)
{
    return directive == 'T'   ? "%H:%M:%S"
           : directive == 'D' ? "%m/%d/%y"
           : directive == 'F' ? "%Y-%m-%d"
                              : NULL;
}

static bool read_format(struct cursor *cursor, const char *format, struct moment *moment)
{
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            if (cursor->at == cursor->end || *cursor->at++ != (uint8_t)*format)
                return false;
            continue;
        }
        format += 1 + (format[1] == '-');
        const char *more = written_out(*format);
        if (more != NULL) {
            if (!read_format(cursor, more, moment))
                return false;
        } else if (*format == '%') {
            if (cursor->at == cursor->end || *cursor->at++ != '%')
                return false;
        } else if (!read_directive(cursor, *format, moment)) {
            return false;
        }
    }
    return true;
}

bool mr_synthetic_time_check(const char *format, const char **wrong)
{
    for (; *format != '\0'; format++) {
        if (*format != '%')
            continue;
        *wrong = format;
        format += 1 + (format[1] == '-');
        if (*format == '\0' || strchr("YymdjHIMSfpbBzTDF%", *format) == NULL)
            return false;
    }
    return true;
}

static bool is_leap(int32_t year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int32_t days_in(int32_t year, int32_t month)
{
    static const int32_t days[MONTHS] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

static bool to_nanoseconds(struct moment *moment, int64_t *nanoseconds)
{
    if (moment->half >= 0) {
        if (moment->hour < 1 || moment->hour > 12)
            return false;
        moment->hour = moment->hour % 12 + 12 * moment->half;
    }
    if (moment->year < YEAR_FIRST || moment->year > YEAR_LAST || moment->month < 1 ||
        moment->month > MONTHS || moment->hour > 23 || moment->minute > 59 || moment->second > 59)
        return false;
    if (moment->day < 1 || moment->day > days_in(moment->year, moment->month) ||
        moment->day_of_year > 365 + is_leap(moment->year))
        return false;
    int64_t days = mr_clock_days_from_civil(moment->year, moment->month, moment->day);
    if (moment->day_of_year > 0)
        days = mr_clock_days_from_civil(moment->year, 1, 1) + moment->day_of_year - 1;
    int64_t seconds = days * 86400 + moment->hour * 3600 +
                      (moment->minute - moment->zone_minutes) * 60 + moment->second;
    *nanoseconds = seconds * 1000000000 + moment->nanosecond;
    return true;
}

static bool parse(const char *format, struct mr_slice text, int64_t *nanoseconds)
{
    struct moment moment = {.year = 1900, .month = 1, .day = 1, .half = -1};
    struct cursor cursor = {text.data, text.data + text.size};
    return read_format(&cursor, format, &moment) && cursor.at == cursor.end &&
           to_nanoseconds(&moment, nanoseconds);
}

bool mr_synthetic_time_parse(const char *format, struct mr_slice text, int64_t *nanoseconds)
{
    static const char *const usual[] = {"%Y-%m-%d",
                                        "%Y-%m-%d %H:%M",
                                        "%Y-%m-%dT%H:%M",
                                        "%Y-%m-%d %H:%M:%S",
                                        "%Y-%m-%d %H:%M:%S.%f",
                                        "%Y-%m-%dT%H:%M:%S",
                                        "%Y-%m-%dT%H:%M:%S.%f",
                                        "%Y-%m-%dT%H:%M:%S%z",
                                        "%Y-%m-%dT%H:%M:%S.%f%z",
                                        "%Y-%m-%d %H:%M:%S%z",
                                        "%Y-%m-%d %H:%M:%S.%f%z"};
    enum { DATE_BYTES = 10 };
    if (format != NULL)
        return parse(format, text, nanoseconds);
    if (text.size < DATE_BYTES || text.data[4] != '-' || text.data[7] != '-')
        return false;
    for (size_t index = 0; index < MR_ARRAY_COUNT(usual); index++)
        if (parse(usual[index], text, nanoseconds))
            return true;
    return false;
}
