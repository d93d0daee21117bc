/* base/processor.c — sched_setattr, for which the C library has no name yet. */
#include "base/processor.h"

#include "base/assert.h"

#include <errno.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

/* The first version of the kernel's struct sched_attr. */
struct attributes {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns; /* of SCHED_OTHER and SCHED_BATCH: the slice */
    uint64_t deadline_ns;
    uint64_t period_ns;
};

enum mr_status mr_processor_ask_slice(uint64_t slice_ns, struct mr_error *error)
{
    struct attributes attributes = {.size = sizeof(attributes)};
    MR_ASSERT(slice_ns == 0 ||
              (slice_ns >= MR_PROCESSOR_SLICE_NS_MIN && slice_ns <= MR_PROCESSOR_SLICE_NS_MAX));
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof(attributes), 0) != 0)
        return MR_FAIL_ERRNO(error, errno, MR_RECOVERY_NONE, "Reading how a thread is scheduled");
    if (attributes.policy != SCHED_OTHER && attributes.policy != SCHED_BATCH)
        return MR_OK;
    attributes.size = sizeof(attributes);
    attributes.runtime_ns = slice_ns;
    if (syscall(SYS_sched_setattr, 0, &attributes, 0) != 0)
        return MR_FAIL_ERRNO(error, errno, MR_RECOVERY_NONE, "Asking for time slices");
    return MR_OK;
}
