/* coordinator/jobs.h — long work for the coordinator: whatever waits on the log or parses a
 * definition. Each function is called by the job thread (coordinator/server.c), one at a time, and
 * may take seconds; all can be repeated after a failure or a change of leaders.
 * Owner: results are in the arena that is given. Errors: recovery RETRY: the log does not answer;
 * MR_CLOSED: given up; FAIL_TOPOLOGY: the user's, with a sentence. */
#ifndef MR_COORDINATOR_JOBS_H
#define MR_COORDINATOR_JOBS_H

#include "connectors/log.h"
#include "coordinator/difference.h"
#include "proto/messages.h"

struct mr_jobs {
    struct mr_log *log;
    const struct mr_catalogue *catalogue;
    const char *cluster;
    const char *name;                 /* of this process, in claims */
    uint32_t wait_ms;                 /* bounds each request to the log */
    bool (*given_up)(void *argument); /* asked between steps: stop, another leads. NULL: never */
    void *argument;
};

/* Plan a definition as it is stored: ${NAME} is filled already. *plan NULL: report has errors. */
void mr_jobs_plan(const struct mr_jobs *jobs, struct mr_slice definition, struct mr_arena *arena,
                  struct mr_report *report, struct mr_plan **plan);

/* A version that somebody submits, compared with what runs and bound to the cluster. */
struct mr_submission {
    struct mr_slice definition;
    const struct mr_topology_record *record; /* NULL: the topology is new */
    const struct mr_version_record *active;  /* of record; NULL: no version runs */
    const char *const *drop_state;           /* names; see mr_difference_permit */
    uint32_t drop_state_count;
    bool dry_run; /* nothing is created */

    struct mr_report report; /* results */
    struct mr_plan *plan;
    struct mr_difference difference;
    struct mr_version_record version; /* its number is one above record's highest */
};

/* MR_INVALID with findings in report: the definition is not sound; without: another reason. */
enum mr_status mr_jobs_submit(const struct mr_jobs *jobs, struct mr_submission *submission,
                              struct mr_arena *arena, struct mr_error *error) MR_NODISCARD;

/* May a definition follow what runs? As mr_jobs_submit, without binding anything. */
enum mr_status mr_jobs_compare(const struct mr_jobs *jobs, const struct mr_topology_record *record,
                               const struct mr_version_record *active, struct mr_slice definition,
                               const char *const *drop_state, uint32_t drop_state_count,
                               struct mr_arena *arena, struct mr_difference *difference,
                               struct mr_error *error) MR_NODISCARD;

/* Bind a version anew under a generation: topics that are missing are made. before NULL: nothing
 * was bound under that generation. */
enum mr_status mr_jobs_bind(const struct mr_jobs *jobs, const struct mr_version_record *version,
                            uint64_t generation, const struct mr_version_record *before,
                            struct mr_arena *arena, struct mr_version_record *bound,
                            struct mr_error *error) MR_NODISCARD;

/* Claim every task of a version for nobody: no owner of one can commit again. */
enum mr_status mr_jobs_fence(const struct mr_jobs *jobs, const struct mr_version_record *version,
                             struct mr_error *error) MR_NODISCARD;

/* Delete the internal topics of a topology's generation. What is gone already is fine. */
enum mr_status mr_jobs_delete(const struct mr_jobs *jobs, const char *topology, uint64_t generation,
                              struct mr_error *error) MR_NODISCARD;

/* argument: "SOURCE PLACE", see coordinator/seek.h. check_only: nothing moves. */
enum mr_status mr_jobs_seek(const struct mr_jobs *jobs, const struct mr_version_record *version,
                            const char *argument, bool check_only,
                            struct mr_error *error) MR_NODISCARD;

/* Look at a version's source topics. *grown: bind it anew. FAIL_TOPOLOGY: a topic was deleted or
 * made anew, or has grown under keyed state. */
enum mr_status mr_jobs_watch(const struct mr_jobs *jobs, const struct mr_version_record *version,
                             bool *grown, struct mr_error *error) MR_NODISCARD;

#endif
