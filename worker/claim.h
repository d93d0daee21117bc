/* worker/claim.h — durable ownership of tasks (docs/EXACTLY_ONCE.md, rule 2: claim before reading).
 * Model: the compacted topic <cluster>.claims holds each task's last claim: "task T, epoch e, is
 * owned by incarnation I", or "released". It is written only by claim producers, one transactional
 * id per task. An incarnation's data producers are <cluster>.data.<generation>.<incarnation>.<0|1>.
 *
 * Bytes of a claim, little-endian, version 1:
 *   u8 version | u8 released | u64 epoch | u64 incarnation | u16+text worker
 * Key: "<generation in hex>/<subtopology>/<partition>".
 * Threads: any; one caller per task at a time. */
#ifndef MR_WORKER_CLAIM_H
#define MR_WORKER_CLAIM_H

#include "connectors/log.h"

#include <pthread.h>

enum { MR_CLAIM_KEY_SIZE = 128, MR_TRANSACTIONAL_ID_SIZE = 256 };

struct mr_claim {
    uint64_t epoch;
    uint64_t incarnation;
    bool released;
    char worker[64];
};

/* Incarnations that this process has fenced. A fence is for ever: takeovers of several tasks of one
 * owner fence it once. The newest are remembered, MR_FENCED_MAX of each lane. */
enum { MR_FENCED_LANES = 16, MR_FENCED_MAX = 32 };
struct mr_fenced {
    /* By incarnation: who fences one holds its mutex, and others wait for the outcome. */
    struct mr_fenced_lane {
        pthread_mutex_t mutex;
        uint64_t incarnations[MR_FENCED_MAX];
        uint32_t next;
    } lanes[MR_FENCED_LANES];
};

void mr_fenced_init(struct mr_fenced *fenced);
void mr_fenced_deinit(struct mr_fenced *fenced);

struct mr_claimer {
    struct mr_log *log;
    const char *cluster;
    const char *worker; /* name of this process */
    const char *claims_topic;
    int32_t claims_partitions_count;
    uint32_t wait_ms;         /* per request to the log */
    struct mr_fenced *fenced; /* NULL: nothing is remembered */
};

/* Incarnations of one owner that its task's last claim may name. Several may fail in a row without
 * a claim, and of a claim that failed nobody knows whether it is in the log: two are enough, since
 * each attempt reads before it writes. Zeroed at first; mr_claim_take keeps it. */
struct mr_claim_own {
    uint64_t seen;       /* read from the log */
    uint64_t tried;      /* of the last claim that was begun */
    uint64_t epoch_seen; /* of the last claim in the log, whoever wrote it; 0: none */
};

/* Who asks: the live incarnation and the epoch of the assignment. */
struct mr_claim_request {
    uint64_t generation;
    const char *subtopology;
    int32_t partition;
    uint64_t incarnation;
    struct mr_claim_own *own; /* NULL: the owner has had no other incarnation */
    uint64_t epoch;           /* 0: nobody assigns (run in one process): last epoch + 1 */
    bool transactional;       /* false: at_least_once, there is nothing to fence */
};

struct mr_slice mr_claim_encode(const struct mr_claim *claim, struct mr_arena *arena);
enum mr_status mr_claim_decode(struct mr_slice bytes, struct mr_claim *claim,
                               struct mr_error *error) MR_NODISCARD;

/* Claim a task: steps (a) to (d) of rule 2. *epoch is what the claim says.
 * MR_FENCED: a newer owner has claimed it: stop. recovery RETRY: try again later. */
enum mr_status mr_claim_take(const struct mr_claimer *claimer,
                             const struct mr_claim_request *request, uint64_t *epoch,
                             struct mr_error *error) MR_NODISCARD;

/* Release a task whose last commit is clean (rule 7): only while the last claim is our own. */
enum mr_status mr_claim_release(const struct mr_claimer *claimer,
                                const struct mr_claim_request *request, uint64_t epoch,
                                struct mr_error *error) MR_NODISCARD;

/* Claim a task for nobody: whoever owns it can never commit again, and the claim that follows needs
 * a higher epoch than *epoch. For delete, reset and seek. request: incarnation and own are not
 * used; epoch is the highest that the task may have (MR_FENCED when it has a higher one: somebody
 * else decides about it now), 0: any. extra (NULL: none) is asked, once the last owner can commit
 * no more, for a record that belongs into the claim's transaction: it is written if and only if the
 * claim is. It sets *wanted, and what the record borrows must live until this function returns. */
typedef enum mr_status (*mr_claim_extra_fn)(void *argument, uint64_t epoch,
                                            struct mr_log_record *record, bool *wanted,
                                            struct mr_error *error);
enum mr_status mr_claim_fence_task(const struct mr_claimer *claimer,
                                   const struct mr_claim_request *request, mr_claim_extra_fn extra,
                                   void *argument, uint64_t *epoch,
                                   struct mr_error *error) MR_NODISCARD;

/* Names of transactional ids. */
void mr_claim_data_id(const char *cluster, uint64_t generation, uint64_t incarnation,
                      uint32_t producer, char id[MR_TRANSACTIONAL_ID_SIZE]);

#endif
