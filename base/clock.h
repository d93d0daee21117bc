/* base/clock.h — the only place that reads a clock.
 * Why: time is an input of the engine; operators get it from their context (replay is exact), and
 * time-outs use the monotonic clock, so that a jump of the wall clock changes nothing.
 * Units: milliseconds since the epoch for wall time, nanoseconds for monotonic time. */
#ifndef MR_BASE_CLOCK_H
#define MR_BASE_CLOCK_H

#include "base/slice.h"

int64_t mr_clock_wall_ms(void);
uint64_t mr_clock_monotonic_ns(void);
uint64_t mr_clock_monotonic_ms(void);
uint64_t mr_clock_thread_cpu_ns(void);
uint64_t mr_clock_process_cpu_ns(void);
void mr_clock_sleep_ms(uint32_t duration_ms);

/* The machine's monotonic clock, also while the clocks are driven: for deadlines of conditions,
 * which the system measures by itself, and to bound how long something really takes. */
uint64_t mr_clock_steady_ns(void);

/* ---- Driven clocks: `millrace test` and nothing else ----
 * Wall and monotonic clock stand still and move together when they are told to, in the whole
 * process and for good; sleeping still takes real time. The thread that drives is the only one that
 * may call these two; others may read. */

/* Stop both clocks, the wall clock at wall_ms. Again: the wall clock is set, the monotonic one
 * never goes back. Before the threads that should agree on it are started. */
void mr_clock_drive(int64_t wall_ms);
/* Move both clocks forward. Pre: they are driven. */
void mr_clock_advance(uint32_t duration_ms);

enum { MR_CLOCK_TEXT_SIZE = 40 };

/* RFC 3339 in UTC with milliseconds when they are not zero: "2026-01-28T10:30:00.250Z".
 * Returns the length. Years outside 0001..9999 are clamped. */
size_t mr_clock_format_rfc3339(int64_t wall_ms, char text[MR_CLOCK_TEXT_SIZE]);

/* Parse an RFC 3339 date-time with offset. Writes seconds since the epoch and nanoseconds
 * 0..999999999. Returns false when text is not one. A leap second (:60) reads as :59.999999999. */
bool mr_clock_parse_rfc3339(struct mr_slice text, int64_t *seconds, int32_t *nanoseconds);

/* Proleptic Gregorian calendar: days since 1970-01-01 and back. */
int64_t mr_clock_days_from_civil(int64_t year, int32_t month, int32_t day);
void mr_clock_civil_from_days(int64_t days, int64_t *year, int32_t *month, int32_t *day);

#endif
