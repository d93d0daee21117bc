/* worker/failpoint.c — named crash points, driven by MILLRACE_FAILPOINT. */
#include "worker/failpoint.h"

#ifdef MR_FAILPOINTS

#include "base/clock.h"

#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void mr_failpoint(const char *name)
{
    static atomic_uint hits_count;
    const char *wanted = getenv("MILLRACE_FAILPOINT");
    size_t name_size = strlen(name);
    if (wanted == NULL || strncmp(wanted, name, name_size) != 0 ||
        (wanted[name_size] != '\0' && wanted[name_size] != ':'))
        return;
    const char *rest = wanted + name_size;
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
        (void)kill(getpid(), strcmp(rest, ":stop") == 0 ? SIGSTOP : SIGKILL);
}

#else

typedef int mr_failpoint_is_empty;

#endif
