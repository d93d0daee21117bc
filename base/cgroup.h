/* base/cgroup.h — the limits of the control group that this process runs in, and what a worker
 * makes of them.
 * Model: /proc/self/cgroup names the group, /sys/fs/cgroup holds it. Version 2 (memory.max,
 * memory.high, cpu.max) and version 1 (memory.limit_in_bytes, cpu.cfs_quota_us over
 * cpu.cfs_period_us) are read, also side by side. A limit above the group holds, too: each file is
 * looked for from the group up to the root of the mount, and the lowest limit counts. In a
 * container without a namespace of its own the name may be the host's and mean nothing under the
 * mount; then the mount's root is the group.
 * Not read: mounts elsewhere than /sys/fs/cgroup; cpusets, which mr_cgroup_processors sees in the
 * processors that this process may run on.
 * Limits: MR_CGROUP_LEVELS_MAX levels and MR_CGROUP_FILE_BYTES_MAX bytes of a file; what lies
 * beyond is refused. Blocks on reads. Threads: any. */
#ifndef MR_BASE_CGROUP_H
#define MR_BASE_CGROUP_H

#include "base/error.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MR_CGROUP_PATH_SIZE = 1024,
    MR_CGROUP_LEVELS_MAX = 64,
    MR_CGROUP_FILE_BYTES_MAX = 64 << 10,
    MR_CGROUP_PROCESSORS_MAX = 256 /* a worker's threads */
};

struct mr_cgroup {
    uint64_t memory_bytes;                 /* 0: no limit */
    uint64_t processor_millis;             /* thousandths of a processor; 0: no limit */
    char memory_file[MR_CGROUP_PATH_SIZE]; /* that says so, as this process sees it; empty: none */
    char processor_file[MR_CGROUP_PATH_SIZE]; /* the same */
};

/* root: in front of /proc and /sys; empty, but in tests. A machine without control groups has no
 * limits. MR_CORRUPT: a file that is there cannot be understood, with its name; MR_IO. */
enum mr_status mr_cgroup_read(const char *root, struct mr_cgroup *cgroup,
                              struct mr_error *error) MR_NODISCARD;

/* ---- What a worker takes of it ---- */

/* Outside of the budget (`memory`): 64 MiB for code, stacks and the client libraries' own, and a
 * quarter of the rest for RocksDB's indexes and what allocators cannot use. */
#define MR_CGROUP_RESERVE_BYTES (UINT64_C(64) << 20)
/* The least budget that a worker takes. */
#define MR_CGROUP_BUDGET_BYTES_MIN (UINT64_C(64) << 20)

/* The budget under a limit: (limit - reserve) x 3/4, in whole MiB; 0: the limit is too small for
 * any. */
uint64_t mr_cgroup_budget(uint64_t limit_bytes);
/* The least limit, in whole MiB, under which the budget is as large. */
uint64_t mr_cgroup_limit_for(uint64_t budget_bytes);
/* Processors for task threads: those that this process may run on, and not more than the limit in
 * whole processors (rounded down: what is left over runs committers and clients); at least 1. */
uint32_t mr_cgroup_processors(const struct mr_cgroup *cgroup);

#endif
