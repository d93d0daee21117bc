/* tests/sim/system.c — clocks, fresh ids, log lines and assertions of the simulated processes, and
 * where parts of what is due end.
 * Design: linked by --wrap in place of the system's and of base/'s. Outside a run (while
 * topologies are planned) the real calls are made. */
#include "base/assert.h"
#include "base/log.h"
#include "operators/operator.h"
#include "tests/sim/kernel.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* 2026-01-01T00:00:00Z: where the wall clocks stand when virtual time is 0. */
static const int64_t wall_start_ms = 1767225600000;

int __wrap_clock_gettime(clockid_t clock, struct timespec *now);
int __real_clock_gettime(clockid_t clock, struct timespec *now);
int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted,
                           struct timespec *left);
ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags);
ssize_t __real_getrandom(void *buffer, size_t size, unsigned flags);
void __wrap_mr_log_write(struct mr_log_site *site, enum mr_log_level level, const char *component,
                         const char *const *fields, const char *format, ...) MR_PRINTF(5, 6);
bool __wrap_mr_operator_is_enough(struct mr_operator_context *context);
bool __real_mr_operator_is_enough(struct mr_operator_context *context);
bool __wrap_mr_log_enabled(enum mr_log_level level);
_Noreturn void __wrap_mr_assert_failed(const char *condition, const char *file, int line);

int __wrap_clock_gettime(clockid_t clock, struct timespec *now)
{
    const struct sim_process *process = sim_process_current();
    if (process == NULL)
        return __real_clock_gettime(clock, now);
    sim_preempt();
    uint64_t time_ns = sim_now_ns();
    if (clock == CLOCK_REALTIME)
        time_ns += (uint64_t)(wall_start_ms + process->wall_offset_ms) * SIM_MS;
    *now = (struct timespec){.tv_sec = (time_t)(time_ns / SIM_SECOND),
                             .tv_nsec = (long)(time_ns % SIM_SECOND)};
    return 0;
}

int __wrap_clock_nanosleep(clockid_t clock, int flags, const struct timespec *wanted,
                           struct timespec *left)
{
    MR_UNUSED(clock);
    MR_UNUSED(flags);
    MR_UNUSED(left);
    uint64_t duration_ns = (uint64_t)wanted->tv_sec * SIM_SECOND + (uint64_t)wanted->tv_nsec;
    uint64_t least_ns = sim_machine()->sleep_min_ns;
    if (duration_ns < least_ns)
        duration_ns = least_ns + sim_random(least_ns + 1);
    sim_sleep(duration_ns);
    return 0;
}

ssize_t __wrap_getrandom(void *buffer, size_t size, unsigned flags)
{
    if (sim_process_current() == NULL)
        return __real_getrandom(buffer, size, flags);
    uint8_t *bytes = buffer;
    for (size_t index = 0; index < size; index++)
        bytes[index] = (uint8_t)sim_random(256);
    return (ssize_t)size;
}

/* A part ends when a transaction is full or a step's time is over: it may be anywhere. */
bool __wrap_mr_operator_is_enough(struct mr_operator_context *context)
{
    return sim_chance(sim_machine()->part_ends_per_million) ||
           __real_mr_operator_is_enough(context);
}

bool __wrap_mr_log_enabled(enum mr_log_level level)
{
    return level > MR_LOG_DEBUG && sim_tracing();
}

void __wrap_mr_log_write(struct mr_log_site *site, enum mr_log_level level, const char *component,
                         const char *const *fields, const char *format, ...)
{
    static const char *const names[] = {[MR_LOG_DEBUG] = "debug",
                                        [MR_LOG_INFO] = "info",
                                        [MR_LOG_WARNING] = "warning",
                                        [MR_LOG_ERROR] = "error"};
    MR_UNUSED(site);
    if (!sim_tracing())
        return;
    char text[1536];
    va_list arguments;
    va_start(arguments, format);
    int size = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    size_t used = size < 0 ? 0 : (size_t)size;
    for (; fields != NULL && fields[0] != NULL && used < sizeof text; fields += 2)
        if (fields[1] != NULL)
            used +=
                (size_t)snprintf(text + used, sizeof text - used, " %s=%s", fields[0], fields[1]);
    sim_trace("log %s %s: %s", names[level], component, text);
}

void __wrap_mr_assert_failed(const char *condition, const char *file, int line)
{
    if (sim_process_current() == NULL) {
        (void)fprintf(stderr, "assertion failed: %s (%s:%d)\n", condition, file, line);
        abort();
    }
    sim_violation("process %s: an assertion failed: %s (%s:%d)", sim_process_current()->name,
                  condition, file, line);
    abort(); /* sim_violation does not return on a thread */
}
