/* tests/support/clock_faults.c — a wall clock that jumps, for tests of whole processes.
 * Preloaded (LD_PRELOAD) into a program: real time is what the system says plus the number of
 * seconds in the file that MILLRACE_CLOCK_FILE names, an int64 that the test changes while the
 * program runs. Monotonic clocks are left alone, as by a step of NTP. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

typedef int clock_gettime_fn(clockid_t clock, struct timespec *time);

static const volatile int64_t *offset_s;
static clock_gettime_fn *real_clock_gettime;

static clock_gettime_fn *find(void)
{
    union {
        void *object;
        clock_gettime_fn *function;
    } found = {.object = dlsym(RTLD_NEXT, "clock_gettime")};
    return found.function;
}

__attribute__((constructor)) static void open_offset(void)
{
    const char *path = getenv("MILLRACE_CLOCK_FILE");
    int file = path != NULL ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    real_clock_gettime = find();
    if (file < 0)
        return;
    const void *map = mmap(NULL, sizeof(int64_t), PROT_READ, MAP_SHARED, file, 0);
    if (map != MAP_FAILED)
        offset_s = map;
    (void)close(file);
}

/* The declarations are the C library's. */
int clock_gettime(clockid_t clock, struct timespec *time)
{
    if (real_clock_gettime == NULL) /* before our constructor */
        real_clock_gettime = find();
    int result = real_clock_gettime(clock, time);
    if (result == 0 && offset_s != NULL &&
        (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
        time->tv_sec += (time_t)*offset_s;
    return result;
}

time_t time(time_t *result)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    if (result != NULL)
        *result = now.tv_sec;
    return now.tv_sec;
}
