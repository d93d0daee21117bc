/* tests/support/faulty_log.c — commits that fail. */
#include "tests/support/faulty_log.h"

#include "base/assert.h"

#include <stdatomic.h>

static struct {
    const struct mr_log_ops *own;
    struct mr_log_ops exchanged;
    struct mr_fault fault;
    atomic_uint commits;
    atomic_uint failures;
    atomic_bool healed;
} faulty;

static enum mr_status commit(struct mr_log_producer *producer, struct mr_error *error)
{
    uint32_t call = atomic_fetch_add(&faulty.commits, 1) + 1;
    const struct mr_fault *fault = &faulty.fault;
    bool fails =
        !atomic_load(&faulty.healed) && call >= fault->first && call - fault->first < fault->count;
    if (!fails)
        return faulty.own->producer_commit(producer, error);
    atomic_fetch_add(&faulty.failures, 1);
    if (fault->kind == MR_FAULT_ANSWER_LOST) {
        enum mr_status status = faulty.own->producer_commit(producer, error);
        if (status != MR_OK)
            return status;
    }
    return MR_FAIL(error, MR_IO, MR_RECOVERY_REINCARNATE, "Commit %u failed on purpose.", call);
}

void mr_faulty_log_install(struct mr_log *log, const struct mr_fault *fault)
{
    MR_ASSERT(faulty.own == NULL);
    faulty.own = log->ops;
    faulty.exchanged = *log->ops;
    faulty.exchanged.producer_commit = commit;
    faulty.fault = *fault;
    atomic_store(&faulty.commits, 0);
    atomic_store(&faulty.failures, 0);
    atomic_store(&faulty.healed, false);
    log->ops = &faulty.exchanged;
}

uint32_t mr_faulty_log_commits(void)
{
    return atomic_load(&faulty.commits);
}

uint32_t mr_faulty_log_failures(void)
{
    return atomic_load(&faulty.failures);
}

void mr_faulty_log_heal(void)
{
    atomic_store(&faulty.healed, true);
}

void mr_faulty_log_remove(struct mr_log *log)
{
    MR_ASSERT(log->ops == &faulty.exchanged);
    log->ops = faulty.own;
    faulty.own = NULL;
}
