/* worker/place.h — where a task's state lies on this worker, and where it stands in the changelog.
 * Why: an active task and its standby use the same folder by the same rules (DESIGN section 4,
 * rule 4): it is wiped when it is damaged, when its stored offset lies outside the changelog, or
 * when the cluster, the topic or the generation is another one.
 * Threads: any; one at a time per place. */
#ifndef MR_WORKER_PLACE_H
#define MR_WORKER_PLACE_H

#include "connectors/log.h"
#include "state/state.h"
#include "topology/deployment.h"

enum { MR_PLACE_PATH_SIZE = 1024 };

struct mr_place {
    struct mr_log *log;
    const struct mr_store_ops *store_ops;
    struct mr_store_resources *resources;
    const char *state_directory; /* NULL: state in memory */
    const struct mr_deployment *deployment;
    uint32_t subtopology;
    int32_t partition;
    uint64_t cache_bytes_max; /* of objects; 0: a standby reads none */
};

struct mr_placed {
    int64_t offset;           /* the changelog is replayed from here */
    int64_t end;              /* of the changelog, behind every record and marker */
    bool wiped;               /* the local state was unusable or missing */
    const char *wiped_reason; /* static sentence, NULL when not wiped or there was none */
};

/* The folder of the state, for messages and wiping. */
void mr_place_path(const struct mr_place *place, char path[MR_PLACE_PATH_SIZE]);
/* Open the state; wipe: it was found damaged, and starts empty. */
enum mr_status mr_place_open(const struct mr_place *place, bool wipe, struct mr_state **state,
                             struct mr_placed *placed, struct mr_error *error) MR_NODISCARD;

#endif
