/* base/processor.h — what a thread asks of the kernel that shares out the processors.
 * Why: a thread that works without a rest must not make those wait that have just woken up.
 * Units: nanoseconds. Threads: any; a request is for the calling thread. */
#ifndef MR_BASE_PROCESSOR_H
#define MR_BASE_PROCESSOR_H

#include "base/error.h"

#define MR_PROCESSOR_SLICE_NS_MIN 100000ull
#define MR_PROCESSOR_SLICE_NS_MAX 100000000ull

/* Ask for time in pieces of slice_ns (MIN to MAX; 0: what the kernel has by default). It is neither
 * more time nor less, but who asks for long pieces is interrupted at once for those who ask for
 * shorter ones. Priority and policy stay as they are; no privilege is needed. A thread under a
 * policy of real time is left alone. Linux before 6.12 takes the request and does not heed it.
 * Fails with the system's reason where such calls are forbidden (seccomp). */
enum mr_status mr_processor_ask_slice(uint64_t slice_ns, struct mr_error *error) MR_NODISCARD;

#endif
