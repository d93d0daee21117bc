/* cli/budget.c — see budget.h. */
#include "cli/budget.h"

#include <inttypes.h>
#include <stdio.h>

static enum mr_status find_memory(const struct mr_cgroup *cgroup, struct mr_budget *budget,
                                  struct mr_error *error)
{
    if (cgroup->memory_bytes == 0) {
        budget->memory_bytes = MR_BUDGET_MEMORY_DEFAULT;
        (void)snprintf(budget->memory_from, sizeof(budget->memory_from),
                       "default: no control group limits memory");
        return MR_OK;
    }
    budget->memory_bytes = mr_cgroup_budget(cgroup->memory_bytes);
    if (budget->memory_bytes == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE,
                       "%s allows %" PRIu64 " MiB, and a worker needs %" PRIu64
                       " MiB: 64 MiB for code and clients, and a third more than the least "
                       "--memory of 64MiB. Raise the container's memory limit.",
                       cgroup->memory_file, cgroup->memory_bytes >> 20,
                       mr_cgroup_limit_for(MR_CGROUP_BUDGET_BYTES_MIN) >> 20);
    (void)snprintf(budget->memory_from, sizeof(budget->memory_from),
                   "3/4 of what %s allows (%" PRIu64 " MiB) less 64 MiB", cgroup->memory_file,
                   cgroup->memory_bytes >> 20);
    return MR_OK;
}

static void find_threads(const struct mr_cgroup *cgroup, struct mr_budget *budget)
{
    static const struct mr_cgroup unlimited = {0};
    uint32_t processors = mr_cgroup_processors(&unlimited);
    budget->threads_count = mr_cgroup_processors(cgroup);
    if (budget->threads_count == processors)
        (void)snprintf(budget->threads_from, sizeof(budget->threads_from),
                       "the processors that this process may use");
    else
        (void)snprintf(budget->threads_from, sizeof(budget->threads_from),
                       "whole processors that %s allows (%" PRIu64 ".%03" PRIu64 ")",
                       cgroup->processor_file, cgroup->processor_millis / 1000,
                       cgroup->processor_millis % 1000);
}

enum mr_status mr_budget_find(const char *root, uint64_t memory_bytes, uint32_t threads_count,
                              struct mr_budget *budget, struct mr_error *error)
{
    struct mr_cgroup cgroup = {0};
    *budget = (struct mr_budget){.memory_bytes = memory_bytes, .threads_count = threads_count};
    (void)snprintf(budget->memory_from, sizeof(budget->memory_from), "--memory");
    (void)snprintf(budget->threads_from, sizeof(budget->threads_from), "--threads");
    enum mr_status status = MR_OK;
    if (memory_bytes == 0 || threads_count == 0)
        status = mr_cgroup_read(root, &cgroup, error);
    if (status == MR_OK && memory_bytes == 0)
        status = find_memory(&cgroup, budget, error);
    if (status == MR_OK && threads_count == 0)
        find_threads(&cgroup, budget);
    return status;
}
