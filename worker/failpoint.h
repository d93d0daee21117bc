/* worker/failpoint.h — named crash points, for the fault tests.
 * Why: a crash at each step of a commit must be survivable; the tests kill the process exactly
 * there. Compiled in with MR_FAILPOINTS only; in other builds a call is nothing. Use:
 * MILLRACE_FAILPOINT=name[:n][:kill|:stop|:sleep=MS] acts at the n-th time (default 1, kill).
 * A few names carry a number instead of an action: MILLRACE_FAILPOINT=name:number. */
#ifndef MR_WORKER_FAILPOINT_H
#define MR_WORKER_FAILPOINT_H

#include <stdint.h>

#ifdef MR_FAILPOINTS
/* Act when the environment asks for it at this point; kill is SIGKILL, stop is SIGSTOP. */
void mr_failpoint(const char *name);
/* The number that the environment gives this name; 0 when it names another one. */
int64_t mr_failpoint_value(const char *name);
#else
static inline void mr_failpoint(const char *name)
{
    (void)name;
}
static inline int64_t mr_failpoint_value(const char *name)
{
    (void)name;
    return 0;
}
#endif

#endif
