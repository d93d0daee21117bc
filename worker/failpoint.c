/* worker/failpoint.c — named crash points, driven by MILLRACE_FAILPOINT. */
#include "worker/failpoint.h"

#ifdef MR_FAILPOINTS

#include "base/clock.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What follows the name in the environment; NULL when another name is wanted, or none. */
static const char *wanted_behind(const char *name)
{
    const char *wanted = getenv("MILLRACE_FAILPOINT");
    size_t name_size = strlen(name);
    if (wanted == NULL || strncmp(wanted, name, name_size) != 0 ||
        (wanted[name_size] != '\0' && wanted[name_size] != ':'))
        return NULL;
    return wanted + name_size;
}

int64_t mr_failpoint_value(const char *name)
{
    const char *rest = wanted_behind(name);
    return rest == NULL || rest[0] == '\0' ? 0 : (int64_t)strtoll(rest + 1, NULL, 10);
}

void mr_failpoint(const char *name)
{
    static atomic_uint hits_count;
    const char *rest = wanted_behind(name);
    if (rest == NULL)
        return;
    unsigned long hit_wanted = 1;
    if (rest[0] == ':' && rest[1] >= '0' && rest[1] <= '9') {
        char *end;
        hit_wanted = strtoul(rest + 1, &end, 10);
        rest = end;
    }
    if (atomic_fetch_add(&hits_count, 1) + 1 != hit_wanted)
        return;
    if (strncmp(rest, ":sleep=", 7) == 0)
        mr_clock_sleep_ms((uint32_t)strtoul(rest + 7, NULL, 10));
    else
        /* To this thread: as a signal to the process, the main thread may take a stop, and this
         * one would run on until that is scheduled. */
        (void)raise(strcmp(rest, ":stop") == 0 ? SIGSTOP : SIGKILL);
}

#else

typedef int mr_failpoint_is_empty;

#endif
