/* base/clock.c — clocks, and calendar time as text.
 * Design: days and civil dates are converted with the arithmetic of the 400-year Gregorian cycle
 * (146,097 days), in years that start on 1 March so that the leap day is the last of a year; no
 * table, no C library calendar (it depends on the time zone and is not thread-safe). */
#include "base/clock.h"

#include "base/assert.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { SECONDS_PER_DAY = 86400, DAYS_PER_ERA = 146097, YEARS_PER_ERA = 400 };

/* 0001-01-01T00:00:00.000Z and 9999-12-31T23:59:59.999Z */
static const int64_t wall_ms_min = -62135596800000;
static const int64_t wall_ms_max = 253402300799999;

/* Two clocks move one after the other: a reader between the two sees one a step behind, as it may
 * when it reads real clocks. */
static atomic_bool driven;
static _Atomic int64_t driven_wall_ms;
static _Atomic uint64_t driven_monotonic_ns;

static bool is_driven(void)
{
    return atomic_load_explicit(&driven, memory_order_acquire);
}

static uint64_t read_ns(clockid_t clock)
{
    struct timespec now;
    int result = clock_gettime(clock, &now);
    MR_ASSERT(result == 0);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

int64_t mr_clock_wall_ms(void)
{
    if (is_driven())
        return atomic_load_explicit(&driven_wall_ms, memory_order_relaxed);
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    MR_ASSERT(result == 0);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

uint64_t mr_clock_monotonic_ns(void)
{
    return is_driven() ? atomic_load_explicit(&driven_monotonic_ns, memory_order_relaxed)
                       : read_ns(CLOCK_MONOTONIC);
}

uint64_t mr_clock_monotonic_ms(void)
{
    return mr_clock_monotonic_ns() / 1000000u;
}

uint64_t mr_clock_steady_ns(void)
{
    return read_ns(CLOCK_MONOTONIC);
}

void mr_clock_drive(int64_t wall_ms)
{
    if (!is_driven())
        atomic_store_explicit(&driven_monotonic_ns, read_ns(CLOCK_MONOTONIC), memory_order_relaxed);
    atomic_store_explicit(&driven_wall_ms, wall_ms, memory_order_relaxed);
    atomic_store_explicit(&driven, true, memory_order_release);
}

void mr_clock_advance(uint32_t duration_ms)
{
    MR_ASSERT(is_driven());
    atomic_fetch_add(&driven_wall_ms, (int64_t)duration_ms);
    atomic_fetch_add(&driven_monotonic_ns, (uint64_t)duration_ms * 1000000u);
}

uint64_t mr_clock_thread_cpu_ns(void)
{
    return read_ns(CLOCK_THREAD_CPUTIME_ID);
}

uint64_t mr_clock_process_cpu_ns(void)
{
    return read_ns(CLOCK_PROCESS_CPUTIME_ID);
}

void mr_clock_sleep_ms(uint32_t duration_ms)
{
    struct timespec rest = {.tv_sec = (time_t)(duration_ms / 1000),
                            .tv_nsec = (long)(duration_ms % 1000) * 1000000};
    while (clock_nanosleep(CLOCK_MONOTONIC, 0, &rest, &rest) == EINTR)
        continue;
}

/* Floor division: the quotient for a divisor > 0, rounding towards minus infinity. */
static int64_t floor_divide(int64_t value, int64_t divisor)
{
    int64_t quotient = value / divisor;
    return value % divisor < 0 ? quotient - 1 : quotient;
}

int64_t mr_clock_days_from_civil(int64_t year, int32_t month, int32_t day)
{
    MR_ASSERT(month >= 1 && month <= 12);
    int64_t march_year = month <= 2 ? year - 1 : year;
    int64_t era = floor_divide(march_year, YEARS_PER_ERA);
    int64_t year_of_era = march_year - era * YEARS_PER_ERA;
    int64_t march_month = month > 2 ? month - 3 : month + 9;
    int64_t day_of_year = (153 * march_month + 2) / 5 + day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * DAYS_PER_ERA + day_of_era - 719468; /* 0000-03-01 to 1970-01-01 */
}

void mr_clock_civil_from_days(int64_t days, int64_t *year, int32_t *month, int32_t *day)
{
    int64_t shifted = days + 719468;
    int64_t era = floor_divide(shifted, DAYS_PER_ERA);
    int64_t day_of_era = shifted - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t march_month = (5 * day_of_year + 2) / 153;
    *day = (int32_t)(day_of_year - (153 * march_month + 2) / 5 + 1);
    *month = (int32_t)(march_month < 10 ? march_month + 3 : march_month - 9);
    *year = year_of_era + era * YEARS_PER_ERA + (*month <= 2 ? 1 : 0);
}

size_t mr_clock_format_rfc3339(int64_t wall_ms, char text[MR_CLOCK_TEXT_SIZE])
{
    if (wall_ms < wall_ms_min)
        wall_ms = wall_ms_min;
    if (wall_ms > wall_ms_max)
        wall_ms = wall_ms_max;
    int64_t seconds = floor_divide(wall_ms, 1000);
    int32_t milliseconds = (int32_t)(wall_ms - seconds * 1000);
    int64_t days = floor_divide(seconds, SECONDS_PER_DAY);
    int32_t second_of_day = (int32_t)(seconds - days * SECONDS_PER_DAY);
    int64_t year;
    int32_t month;
    int32_t day;
    mr_clock_civil_from_days(days, &year, &month, &day);
    int length =
        snprintf(text, MR_CLOCK_TEXT_SIZE, "%04d-%02d-%02dT%02d:%02d:%02d", (int)year, month, day,
                 second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    if (milliseconds != 0)
        length +=
            snprintf(text + length, (size_t)(MR_CLOCK_TEXT_SIZE - length), ".%03d", milliseconds);
    text[length] = 'Z';
    text[length + 1] = '\0';
    return (size_t)length + 1;
}

/* Reads exactly `digits` decimal digits at *cursor. */
static bool read_digits(struct mr_slice text, size_t *cursor, size_t digits, int32_t *value)
{
    if (digits > text.size - *cursor)
        return false;
    *value = 0;
    for (size_t i = 0; i < digits; i++) {
        uint8_t byte = text.data[*cursor + i];
        if (byte < '0' || byte > '9')
            return false;
        *value = *value * 10 + (byte - '0');
    }
    *cursor += digits;
    return true;
}

static bool read_byte(struct mr_slice text, size_t *cursor, char expected)
{
    if (*cursor >= text.size || text.data[*cursor] != (uint8_t)expected)
        return false;
    (*cursor)++;
    return true;
}

static bool read_date(struct mr_slice text, size_t *cursor, int64_t *days)
{
    static const int8_t month_days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t year;
    int32_t month;
    int32_t day;
    if (!read_digits(text, cursor, 4, &year) || !read_byte(text, cursor, '-') ||
        !read_digits(text, cursor, 2, &month) || !read_byte(text, cursor, '-') ||
        !read_digits(text, cursor, 2, &day))
        return false;
    if (month < 1 || month > 12)
        return false;
    bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    int32_t day_max = month_days[month - 1] + (month == 2 && leap ? 1 : 0);
    if (day < 1 || day > day_max)
        return false;
    *days = mr_clock_days_from_civil(year, month, day);
    return true;
}

/* Digits behind the ninth are below a nanosecond and cut. */
static bool read_fraction(struct mr_slice text, size_t *cursor, int32_t *nanoseconds)
{
    *nanoseconds = 0;
    if (!read_byte(text, cursor, '.'))
        return true;
    int32_t unit = 100000000;
    size_t start = *cursor;
    while (*cursor < text.size && text.data[*cursor] >= '0' && text.data[*cursor] <= '9') {
        *nanoseconds += (text.data[*cursor] - '0') * unit;
        unit /= 10;
        (*cursor)++;
    }
    return *cursor > start;
}

static bool read_offset(struct mr_slice text, size_t *cursor, int32_t *offset_seconds)
{
    *offset_seconds = 0;
    if (read_byte(text, cursor, 'Z') || read_byte(text, cursor, 'z'))
        return true;
    int32_t sign = 1;
    if (read_byte(text, cursor, '-'))
        sign = -1;
    else if (!read_byte(text, cursor, '+'))
        return false;
    int32_t hours;
    int32_t minutes;
    if (!read_digits(text, cursor, 2, &hours) || !read_byte(text, cursor, ':') ||
        !read_digits(text, cursor, 2, &minutes) || hours > 23 || minutes > 59)
        return false;
    *offset_seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool mr_clock_parse_rfc3339(struct mr_slice text, int64_t *seconds, int32_t *nanoseconds)
{
    size_t cursor = 0;
    int64_t days;
    int32_t hour;
    int32_t minute;
    int32_t second;
    int32_t fraction;
    int32_t offset_seconds;
    if (!read_date(text, &cursor, &days))
        return false;
    if (!read_byte(text, &cursor, 'T') && !read_byte(text, &cursor, 't'))
        return false;
    if (!read_digits(text, &cursor, 2, &hour) || !read_byte(text, &cursor, ':') ||
        !read_digits(text, &cursor, 2, &minute) || !read_byte(text, &cursor, ':') ||
        !read_digits(text, &cursor, 2, &second) || hour > 23 || minute > 59 || second > 60)
        return false;
    if (!read_fraction(text, &cursor, &fraction) || !read_offset(text, &cursor, &offset_seconds) ||
        cursor != text.size)
        return false;
    bool leap_second = second == 60;
    int64_t result = days * SECONDS_PER_DAY + (int64_t)hour * 3600 + (int64_t)minute * 60 +
                     (leap_second ? 59 : second) - offset_seconds;
    /* A leap second is the last one of a day in UTC; anywhere else :60 is a mistake. */
    if (leap_second &&
        result - floor_divide(result, SECONDS_PER_DAY) * SECONDS_PER_DAY != SECONDS_PER_DAY - 1)
        return false;
    *seconds = result;
    *nanoseconds = leap_second ? 999999999 : fraction;
    return true;
}
