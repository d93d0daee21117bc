/* worker/claim.c — taking and releasing claims.
 * Design: the claim producer's initialisation ends every earlier claimer before the last claim is
 * read, and the owner that the last claim names is fenced before ours is written. Reading goes to
 * the end in the sense of mr_log_read_to_end. The order of these steps is the safety argument; do
 * not move one. */
#include "worker/claim.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/guard.h"
#include "base/hash.h"
#include "base/log.h"
#include "worker/failpoint.h"

#include <inttypes.h>
#include <stdio.h>

enum { CLAIM_VERSION = 1, CLAIM_TRANSACTION_TIMEOUT_MS = 5000, DATA_PRODUCERS_COUNT = 2 };

struct claim_search {
    struct mr_slice key;
    bool found;
    struct mr_claim claim;
};

void mr_claim_data_id(const char *cluster, uint64_t generation, uint64_t incarnation,
                      uint32_t producer, char id[MR_TRANSACTIONAL_ID_SIZE])
{
    (void)snprintf(id, MR_TRANSACTIONAL_ID_SIZE, "%s.data.%016" PRIx64 ".%016" PRIx64 ".%u",
                   cluster, generation, incarnation, producer);
}

static void claim_key(const struct mr_claim_request *request, char key[MR_CLAIM_KEY_SIZE])
{
    (void)snprintf(key, MR_CLAIM_KEY_SIZE, "%016" PRIx64 "/%s/%d", request->generation,
                   request->subtopology, request->partition);
}

static void claim_id(const struct mr_claimer *claimer, const char *key,
                     char id[MR_TRANSACTIONAL_ID_SIZE])
{
    (void)snprintf(id, MR_TRANSACTIONAL_ID_SIZE, "%s.claim.%s", claimer->cluster, key);
}

struct mr_slice mr_claim_encode(const struct mr_claim *claim, struct mr_arena *arena)
{
    size_t worker_size = strlen(claim->worker);
    uint8_t *bytes = mr_arena_take(arena, 1 + 1 + 8 + 8 + 2 + worker_size);
    bytes[0] = CLAIM_VERSION;
    bytes[1] = claim->released ? 1 : 0;
    mr_put_u64le(bytes + 2, claim->epoch);
    mr_put_u64le(bytes + 10, claim->incarnation);
    mr_put_u16le(bytes + 18, (uint16_t)worker_size);
    memcpy(bytes + 20, claim->worker, worker_size);
    return mr_slice_from(bytes, 20 + worker_size);
}

enum mr_status mr_claim_decode(struct mr_slice bytes, struct mr_claim *claim,
                               struct mr_error *error)
{
    struct mr_reader reader = mr_reader_from(bytes);
    uint8_t version = mr_read_u8(&reader);
    if (version != CLAIM_VERSION)
        return MR_FAIL(error, MR_VERSION, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A claim has version %u; this build reads version %d.", version,
                       CLAIM_VERSION);
    *claim = (struct mr_claim){.released = mr_read_u8(&reader) != 0};
    claim->epoch = mr_read_u64(&reader);
    claim->incarnation = mr_read_u64(&reader);
    struct mr_slice worker = mr_read_text(&reader);
    if (reader.bad || reader.cursor != reader.end || worker.size >= sizeof(claim->worker))
        return MR_FAIL(error, MR_CORRUPT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "A claim of %zu bytes is not complete.", bytes.size);
    if (worker.size > 0)
        memcpy(claim->worker, worker.data, worker.size);
    return MR_OK;
}

static enum mr_status claim_visit(void *argument, const struct mr_log_message *message,
                                  struct mr_error *error)
{
    struct claim_search *search = argument;
    if (message->key_null || !mr_slice_equal(message->key, search->key))
        return MR_OK;
    search->found = !message->value_null;
    return search->found ? mr_claim_decode(message->value, &search->claim, error) : MR_OK;
}

/* Read the task's last claim, to the end of its partition. */
static enum mr_status claim_read(const struct mr_claimer *claimer, const char *key,
                                 int32_t partition, struct claim_search *search,
                                 struct mr_error *error)
{
    int64_t end;
    *search = (struct claim_search){.key = mr_slice_text(key)};
    return mr_log_read_to_end(claimer->log, claimer->claims_topic, partition,
                              MR_LOG_OFFSET_EARLIEST, claim_visit, search, claimer->wait_ms, &end,
                              error);
}

void mr_fenced_init(struct mr_fenced *fenced)
{
    *fenced = (struct mr_fenced){0};
    for (uint32_t lane = 0; lane < MR_FENCED_LANES; lane++)
        (void)pthread_mutex_init(&fenced->lanes[lane].mutex, NULL);
}

void mr_fenced_deinit(struct mr_fenced *fenced)
{
    for (uint32_t lane = 0; lane < MR_FENCED_LANES; lane++)
        (void)pthread_mutex_destroy(&fenced->lanes[lane].mutex);
}

static bool is_remembered(const struct mr_fenced_lane *lane, uint64_t incarnation)
{
    for (uint32_t index = 0; index < MR_FENCED_MAX; index++)
        if (lane->incarnations[index] == incarnation)
            return true;
    return false;
}

static enum mr_status fence_ids(const struct mr_claimer *claimer, uint64_t generation,
                                uint64_t incarnation, struct mr_error *error)
{
    for (uint32_t producer = 0; producer < DATA_PRODUCERS_COUNT; producer++) {
        char id[MR_TRANSACTIONAL_ID_SIZE];
        mr_claim_data_id(claimer->cluster, generation, incarnation, producer, id);
        enum mr_status status = mr_log_fence(claimer->log, id, claimer->wait_ms, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

/* Fence both data producers of an incarnation: it can never commit again. */
static enum mr_status claim_fence(const struct mr_claimer *claimer, uint64_t generation,
                                  uint64_t incarnation, struct mr_error *error)
{
    if (!MR_GUARD(FENCE))
        return MR_OK;
    if (claimer->fenced == NULL)
        return fence_ids(claimer, generation, incarnation, error);
    struct mr_fenced_lane *lane = &claimer->fenced->lanes[incarnation % MR_FENCED_LANES];
    (void)pthread_mutex_lock(&lane->mutex);
    enum mr_status status = MR_OK;
    if (!is_remembered(lane, incarnation)) {
        status = fence_ids(claimer, generation, incarnation, error);
        if (status == MR_OK)
            lane->incarnations[lane->next++ % MR_FENCED_MAX] = incarnation;
    }
    (void)pthread_mutex_unlock(&lane->mutex);
    return status;
}

static enum mr_status claim_write(const struct mr_claimer *claimer,
                                  struct mr_log_producer *producer, const char *key,
                                  int32_t partition, const struct mr_claim *claim,
                                  const struct mr_log_record *extra, struct mr_error *error)
{
    struct mr_arena arena;
    mr_arena_init(&arena, 1024);
    struct mr_log_record record = {.topic = claimer->claims_topic,
                                   .partition = partition,
                                   .key = mr_slice_text(key),
                                   .value = mr_claim_encode(claim, &arena),
                                   .timestamp_ms = -1};
    const struct mr_log_ops *ops = claimer->log->ops;
    enum mr_status status = ops->producer_begin(producer, error);
    if (status == MR_OK && extra != NULL)
        status = ops->producer_send(producer, extra, 1, error);
    if (status == MR_OK)
        status = ops->producer_send(producer, &record, 1, error);
    if (status == MR_OK)
        status = ops->producer_commit(producer, error);
    ops->producer_destroy(producer);
    mr_arena_deinit(&arena);
    return status;
}

static enum mr_status claim_producer(const struct mr_claimer *claimer, const char *key,
                                     struct mr_log_producer **producer, struct mr_error *error)
{
    char id[MR_TRANSACTIONAL_ID_SIZE];
    claim_id(claimer, key, id);
    struct mr_log_producer_options options = {.transactional_id = id,
                                              .transaction_timeout_ms =
                                                  CLAIM_TRANSACTION_TIMEOUT_MS,
                                              .queued_bytes_max = 1 << 20};
    return claimer->log->ops->producer_create(claimer->log, &options, claimer->wait_ms, producer,
                                              error);
}

/* Was the last claim written by the one who asks? */
static bool claim_is_own(const struct mr_claim_request *request, const struct mr_claim *last)
{
    const struct mr_claim_own *own = request->own;
    if (last->incarnation == request->incarnation)
        return true;
    return own != NULL && last->incarnation != 0 &&
           (last->incarnation == own->seen || last->incarnation == own->tried);
}

/* Steps (b) and (c): is the claim ours to take, and is the last owner out of the way? */
static enum mr_status claim_check(const struct mr_claimer *claimer,
                                  const struct mr_claim_request *request,
                                  const struct claim_search *search, uint64_t *epoch,
                                  struct mr_error *error)
{
    const struct mr_claim *last = &search->claim;
    *epoch = request->epoch != 0 ? request->epoch : 1;
    if (!search->found)
        return MR_OK;
    if (request->own != NULL)
        request->own->epoch_seen = last->epoch;
    bool ours = claim_is_own(request, last);
    if (ours && request->own != NULL)
        request->own->seen = last->incarnation;
    if (request->epoch == 0)
        *epoch = last->epoch + 1;
    else if (MR_GUARD(EPOCH_CHECK) &&
             (last->epoch > request->epoch || (last->epoch == request->epoch && !ours)))
        return MR_FAIL(error, MR_FENCED, MR_RECOVERY_FAIL_TOPOLOGY,
                       "Task %s/%d was taken over by %s (epoch %" PRIu64 ", ours is %" PRIu64 ").",
                       request->subtopology, request->partition, last->worker, last->epoch,
                       request->epoch);
    if (last->released || last->incarnation == request->incarnation || !request->transactional)
        return MR_OK;
    return claim_fence(claimer, request->generation, last->incarnation, error);
}

enum mr_status mr_claim_take(const struct mr_claimer *claimer,
                             const struct mr_claim_request *request, uint64_t *epoch,
                             struct mr_error *error)
{
    char key[MR_CLAIM_KEY_SIZE];
    claim_key(request, key);
    int32_t partition = mr_hash_partition(mr_slice_text(key), claimer->claims_partitions_count);
    struct mr_log_producer *producer = NULL;
    struct claim_search search;
    enum mr_status status = MR_OK;
    mr_failpoint("claim_before_init");
    if (!MR_GUARD(INIT_BEFORE_READ))
        status = claim_read(claimer, key, partition, &search, error);
    if (status == MR_OK)
        status = claim_producer(claimer, key, &producer, error);
    if (status != MR_OK)
        return status;
    mr_failpoint("claim_after_init");
    if (MR_GUARD(INIT_BEFORE_READ))
        status = claim_read(claimer, key, partition, &search, error);
    if (status == MR_OK)
        status = claim_check(claimer, request, &search, epoch, error);
    if (status != MR_OK) {
        claimer->log->ops->producer_destroy(producer);
        return status;
    }
    if (request->own != NULL)
        request->own->tried = request->incarnation;
    mr_failpoint("claim_before_write");
    struct mr_claim claim = {.epoch = *epoch, .incarnation = request->incarnation};
    (void)snprintf(claim.worker, sizeof(claim.worker), "%s", claimer->worker);
    return claim_write(claimer, producer, key, partition, &claim, NULL, error);
}

enum mr_status mr_claim_release(const struct mr_claimer *claimer,
                                const struct mr_claim_request *request, uint64_t epoch,
                                struct mr_error *error)
{
    char key[MR_CLAIM_KEY_SIZE];
    claim_key(request, key);
    int32_t partition = mr_hash_partition(mr_slice_text(key), claimer->claims_partitions_count);
    struct mr_log_producer *producer = NULL;
    enum mr_status status = claim_producer(claimer, key, &producer, error);
    if (status != MR_OK)
        return status;
    struct claim_search search;
    status = claim_read(claimer, key, partition, &search, error);
    if (status == MR_OK && MR_GUARD(STILL_MINE) &&
        (!search.found || search.claim.incarnation != request->incarnation ||
         search.claim.epoch != epoch))
        status = MR_FAIL(error, MR_FENCED, MR_RECOVERY_NONE,
                         "Task %s/%d is not released: the last claim is no longer our own.",
                         request->subtopology, request->partition);
    if (status != MR_OK) {
        claimer->log->ops->producer_destroy(producer);
        return status;
    }
    struct mr_claim claim = {.epoch = epoch, .incarnation = request->incarnation, .released = true};
    (void)snprintf(claim.worker, sizeof(claim.worker), "%s", claimer->worker);
    return claim_write(claimer, producer, key, partition, &claim, NULL, error);
}

/* Nobody's claim is released and names no incarnation: the next owner has nobody to fence. */
enum mr_status mr_claim_fence_task(const struct mr_claimer *claimer,
                                   const struct mr_claim_request *request, mr_claim_extra_fn extra,
                                   void *argument, uint64_t *epoch, struct mr_error *error)
{
    char key[MR_CLAIM_KEY_SIZE];
    claim_key(request, key);
    int32_t partition = mr_hash_partition(mr_slice_text(key), claimer->claims_partitions_count);
    struct mr_log_producer *producer = NULL;
    struct claim_search search;
    struct mr_log_record record = {0};
    bool wanted = false;
    enum mr_status status = claim_producer(claimer, key, &producer, error);
    if (status != MR_OK)
        return status;
    status = claim_read(claimer, key, partition, &search, error);
    if (status == MR_OK && search.found && request->epoch != 0 &&
        search.claim.epoch > request->epoch)
        status = MR_FAIL(error, MR_FENCED, MR_RECOVERY_NONE,
                         "Task %s/%d was claimed meanwhile (epoch %" PRIu64 " by %s).",
                         request->subtopology, request->partition, search.claim.epoch,
                         search.claim.worker);
    if (status == MR_OK && search.found && !search.claim.released && request->transactional)
        status = claim_fence(claimer, request->generation, search.claim.incarnation, error);
    *epoch = search.found ? search.claim.epoch + 1 : 1;
    if (status == MR_OK && extra != NULL)
        status = extra(argument, *epoch, &record, &wanted, error);
    if (status != MR_OK) {
        claimer->log->ops->producer_destroy(producer);
        return status;
    }
    struct mr_claim claim = {.epoch = *epoch, .released = true};
    return claim_write(claimer, producer, key, partition, &claim, wanted ? &record : NULL, error);
}
