/* cli/budget.h — how much memory and how many task threads a worker takes: what it was given, else
 * what the control group's limits leave (base/cgroup.h), else what it takes on a machine without
 * limits. Each comes with where it comes from, for the log and `millrace doctor`. */
#ifndef MR_CLI_BUDGET_H
#define MR_CLI_BUDGET_H

#include "base/cgroup.h"

enum { MR_BUDGET_TEXT_SIZE = MR_CGROUP_PATH_SIZE + 128 };

/* Where nothing limits it. */
#define MR_BUDGET_MEMORY_DEFAULT (UINT64_C(1) << 30)

struct mr_budget {
    uint64_t memory_bytes;
    uint32_t threads_count;
    char memory_from[MR_BUDGET_TEXT_SIZE];
    char threads_from[MR_BUDGET_TEXT_SIZE];
};

/* memory_bytes and threads_count: as given; 0: not given. root: of mr_cgroup_read, which is not
 * asked when both are given. MR_INVALID: the limit is too small for a worker, with what it takes;
 * else what mr_cgroup_read says. */
enum mr_status mr_budget_find(const char *root, uint64_t memory_bytes, uint32_t threads_count,
                              struct mr_budget *budget, struct mr_error *error) MR_NODISCARD;

#endif
