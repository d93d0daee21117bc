/* worker/follower.c — keeping the state of standbys close to their changelogs.
 * Design: the thread turns: take new standbys, carry out wishes, open what is due, poll, apply. A
 * standby's state is opened with its operators' tables (operators are created, and never run), so
 * that order keys are kept up with each transaction: a task that opens the folder later has nothing
 * to build anew. Records wait in the state until their progress record; what is gathered is written
 * whenever the end of the changelog is reached, or the end that was known is passed: a busy
 * changelog has no end-of-partition events.
 * A standby that fails is closed and opened again after a while, alone; when the consumer fails as
 * a whole, all go on with a new one where they are. */
#include "worker/follower.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/ring.h"
#include "operators/operator.h"
#include "state/state.h"
#include "worker/internal.h"
#include "worker/place.h"
#include "worker/query.h"

#include <inttypes.h>
#include <stdio.h>

enum {
    POLL_MESSAGES_MAX = 4096,
    POLL_WAIT_MS = 10, /* how long a wish may wait */
    IDLE_WAIT_MS = 100,
    END_AGE_MS = 1000, /* the end of a changelog is asked for so often, while it is not reached */
    QUIET_MS = 60000,  /* a state without news is told so often that it is current */
    RETRY_MS = 1000,
    RETRY_MS_MAX = 60000,
    DOUBLINGS_MAX = 6
};

struct mr_standby {
    struct mr_follower *follower;
    const struct mr_deployment *deployment;
    uint32_t subtopology;
    int32_t partition;

    /* The follower's thread. */
    struct mr_state *state;         /* NULL: not open */
    struct mr_query_entry *queries; /* NULL: nobody asks */
    struct mr_operator **operators;
    uint32_t operators_count;
    uint32_t tag;
    bool added;       /* the consumer reads its partition */
    int64_t position; /* next offset to read */
    int64_t end;      /* of the changelog, as of end_ms */
    uint64_t end_ms;
    bool at_end;          /* nothing came since the end-of-partition event */
    uint32_t pending;     /* records since the last progress record */
    bool applied;         /* something was applied since the last finish */
    uint64_t finished_ms; /* of the last finish */
    bool damaged;         /* wipe before it is opened again */
    uint64_t retry_ms;    /* not before this monotonic time */
    uint32_t failures_count;

    /* Read by the controlling thread. */
    atomic_bool leave_wanted;
    atomic_bool gone;
    _Atomic int state_now; /* enum mr_task_state */
    _Atomic uint64_t restored_records;
    _Atomic uint64_t restored_bytes;
    _Atomic int64_t remaining;
    pthread_mutex_t mutex; /* guards error */
    char error[MR_ERROR_MESSAGE_SIZE];
};

struct mr_follower {
    struct mr_log *log;
    const struct mr_store_ops *store_ops;
    struct mr_store_resources *store_resources;
    const char *state_directory;
    struct mr_query_registry *queries; /* NULL: nobody asks */
    struct mr_ring *arrivals;
    pthread_t thread;
    _Atomic uint64_t turned_ms; /* monotonic */
    /* The thread's. */
    struct mr_log_consumer *consumer; /* NULL: none yet */
    uint64_t consumer_retry_ms;
    struct mr_standby **standbys;
    uint32_t standbys_count;
    uint32_t last_tag;
    struct mr_standby *found; /* of the last message */
};

static const struct mr_deployed_topic *changelog(const struct mr_standby *standby)
{
    return &standby->deployment->subtopologies[standby->subtopology].log_topic;
}

static const struct mr_plan_subtopology *planned(const struct mr_standby *standby)
{
    return &standby->deployment->plan->subtopologies[standby->subtopology];
}

/* ---- Opening and closing ---- */

/* Operators are created for the tables that they open. */
static enum mr_status open_tables(struct mr_standby *standby, struct mr_error *error)
{
    const struct mr_plan *plan = standby->deployment->plan;
    const struct mr_plan_subtopology *subtopology = planned(standby);
    standby->operators = mr_memory_new(subtopology->nodes_count + 1u, sizeof(struct mr_operator *));
    for (uint32_t index = 0; index < subtopology->nodes_count; index++) {
        const struct mr_plan_node *node = &plan->nodes[subtopology->nodes[index]];
        const struct mr_operator_type *type = mr_operator_find(node->type->role, node->type->name);
        if (node->type->role == MR_ROLE_SINK || type == NULL)
            continue;
        struct mr_operator_open open = {
            .plan = plan,
            .node = node,
            .state = standby->state,
            .partition = standby->partition,
            .partitions_count =
                standby->deployment->subtopologies[standby->subtopology].tasks_count};
        enum mr_status status =
            mr_operator_create(type, &open, &standby->operators[standby->operators_count], error);
        if (status != MR_OK)
            return status;
        standby->operators_count++;
    }
    return MR_OK;
}

/* What is on the disk is whole transactions: queries may read it from now on. */
static void register_state(struct mr_standby *standby)
{
    const struct mr_deployment *deployment = standby->deployment;
    struct mr_query_task known = {.topology = deployment->plan->name,
                                  .generation = deployment->generation,
                                  .plan = deployment->plan,
                                  .subtopology = standby->subtopology,
                                  .partition = standby->partition,
                                  .partitions_count =
                                      deployment->subtopologies[standby->subtopology].tasks_count,
                                  .standby = true,
                                  .state = standby->state};
    if (standby->follower->queries == NULL)
        return;
    standby->queries = mr_query_register(standby->follower->queries, &known);
    mr_query_ready(standby->queries);
}

static void close_state(struct mr_standby *standby)
{
    mr_query_unregister(standby->queries);
    standby->queries = NULL;
    for (uint32_t index = 0; index < standby->operators_count; index++)
        mr_operator_destroy(standby->operators[index]);
    mr_memory_free(standby->operators);
    standby->operators = NULL;
    standby->operators_count = 0;
    mr_state_close(standby->state);
    standby->state = NULL;
    standby->pending = 0;
}

static enum mr_status find_end(struct mr_standby *standby, struct mr_error *error)
{
    struct mr_log *log = standby->follower->log;
    standby->end_ms = mr_clock_monotonic_ms();
    return log->ops->offset_find(log, changelog(standby)->name, standby->partition,
                                 MR_LOG_OFFSET_LATEST, &standby->end, error);
}

static enum mr_status open_state(struct mr_standby *standby, struct mr_error *error)
{
    const struct mr_follower *follower = standby->follower;
    const struct mr_place place = {.log = follower->log,
                                   .store_ops = follower->store_ops,
                                   .resources = follower->store_resources,
                                   .state_directory = follower->state_directory,
                                   .deployment = standby->deployment,
                                   .subtopology = standby->subtopology,
                                   .partition = standby->partition};
    struct mr_placed placed;
    enum mr_status status =
        mr_place_open(&place, standby->damaged, &standby->state, &placed, error);
    if (status != MR_OK)
        return status;
    standby->damaged = false;
    standby->position = placed.offset;
    standby->end = placed.end;
    standby->end_ms = mr_clock_monotonic_ms();
    return open_tables(standby, error);
}

static void leave_consumer(struct mr_standby *standby)
{
    struct mr_follower *follower = standby->follower;
    struct mr_error error;
    follower->found = NULL;
    if (!standby->added)
        return;
    standby->added = false;
    struct mr_log_assignment assignment = {.topic = changelog(standby)->name,
                                           .partition = standby->partition};
    if (follower->log->ops->consumer_remove(follower->consumer, &assignment, 1, &error) != MR_OK)
        MR_LOG_AT(MR_LOG_WARNING, "follower", MR_LOG_FIELDS("topic", assignment.topic),
                  "a changelog is still read: %s", error.message);
}

static void log_state(enum mr_log_level level, const struct mr_standby *standby, const char *what,
                      const char *why)
{
    char partition[16];
    (void)snprintf(partition, sizeof(partition), "%d", standby->partition);
    MR_LOG_AT(level, "follower",
              MR_LOG_FIELDS("topology", standby->deployment->plan->name, "subtopology",
                            planned(standby)->name, "partition", partition, "reason", why),
              "%s", what);
}

static void fail(struct mr_standby *standby, const struct mr_error *error)
{
    leave_consumer(standby);
    close_state(standby);
    uint32_t doublings =
        standby->failures_count < DOUBLINGS_MAX ? standby->failures_count : DOUBLINGS_MAX;
    uint64_t wait_ms = (uint64_t)RETRY_MS << doublings;
    if (wait_ms > RETRY_MS_MAX)
        wait_ms = RETRY_MS_MAX;
    standby->retry_ms = mr_clock_monotonic_ms() + wait_ms;
    standby->failures_count++;
    standby->damaged = standby->damaged || error->recovery == MR_RECOVERY_RESTORE;
    (void)pthread_mutex_lock(&standby->mutex);
    (void)snprintf(standby->error, sizeof(standby->error), "%s", error->message);
    (void)pthread_mutex_unlock(&standby->mutex);
    atomic_store(&standby->state_now, (int)MR_TASK_STATE_FAILED);
    atomic_store(&standby->remaining, -1);
    log_state(MR_LOG_WARNING, standby, "a standby fails and will try again", error->message);
}

/* ---- Applying ---- */

static void tell_remaining(struct mr_standby *standby)
{
    int64_t remaining = standby->at_end ? 0 : standby->end - standby->position;
    atomic_store(&standby->remaining, remaining > 0 ? remaining : 0);
    if (standby->queries != NULL)
        mr_query_remaining(standby->queries, remaining > 0 ? remaining : 0);
}

/* Write what is gathered. Never between the records of a transaction and their progress record:
 * they would be dropped. */
static enum mr_status finish(struct mr_standby *standby, struct mr_error *error)
{
    MR_ASSERT(standby->pending == 0);
    enum mr_status status = mr_state_restore_finish(standby->state, error);
    standby->applied = false;
    standby->finished_ms = mr_clock_monotonic_ms();
    if (status == MR_OK)
        standby->failures_count = 0;
    if (status == MR_OK && standby->queries != NULL)
        mr_query_current(standby->queries, mr_clock_wall_ms());
    return status;
}

static enum mr_status apply(struct mr_standby *standby, const struct mr_log_message *message,
                            struct mr_error *error)
{
    standby->position = message->offset + 1;
    standby->at_end = false;
    atomic_fetch_add_explicit(&standby->restored_records, 1, memory_order_relaxed);
    atomic_fetch_add_explicit(&standby->restored_bytes, message->key.size + message->value.size,
                              memory_order_relaxed);
    if (message->key_null || !mr_slice_equal(message->key, MR_STATE_PROGRESS_KEY)) {
        standby->pending++;
        return mr_state_restore_record(standby->state, message->key, message->value,
                                       message->value_null, error);
    }
    standby->pending = 0;
    standby->applied = true;
    return mr_state_restore_commit(standby->state, message->offset + 1, mr_clock_wall_ms(), error);
}

static enum mr_status heed(struct mr_standby *standby, const struct mr_log_fetch *fetch,
                           const struct mr_log_message *message, struct mr_error *error)
{
    if (message->event == MR_LOG_PARTITION_ERROR) {
        *error = fetch->error;
        return error->status;
    }
    if (message->event == MR_LOG_RECORD)
        return apply(standby, message, error);
    standby->at_end = true;
    if (message->offset > standby->position)
        standby->position = message->offset;
    tell_remaining(standby);
    if (standby->pending > 0)
        return MR_OK;
    if (standby->applied)
        return finish(standby, error);
    if (standby->queries != NULL)
        mr_query_current(standby->queries, mr_clock_wall_ms());
    return MR_OK;
}

static struct mr_standby *find_tag(struct mr_follower *follower, uint32_t tag)
{
    if (follower->found != NULL && follower->found->tag == tag)
        return follower->found;
    for (uint32_t index = 0; index < follower->standbys_count; index++)
        if (follower->standbys[index]->added && follower->standbys[index]->tag == tag)
            return follower->found = follower->standbys[index];
    return NULL;
}

static void heed_fetch(struct mr_follower *follower, const struct mr_log_fetch *fetch)
{
    for (uint32_t index = 0; index < fetch->messages_count; index++) {
        struct mr_error error;
        const struct mr_log_message *message = &fetch->messages[index];
        struct mr_standby *standby = find_tag(follower, message->tag);
        /* Not found: what was fetched before it left, or failed. */
        if (standby != NULL && heed(standby, fetch, message, &error) != MR_OK)
            fail(standby, &error);
    }
}

/* ---- Turns ---- */

static void lose_consumer(struct mr_follower *follower, const struct mr_error *error)
{
    MR_LOG_AT(MR_LOG_WARNING, "follower", NULL, "the standbys' consumer is made anew: %s",
              error->message);
    if (follower->consumer != NULL)
        follower->log->ops->consumer_destroy(follower->consumer);
    follower->consumer = NULL;
    follower->consumer_retry_ms = mr_clock_monotonic_ms() + RETRY_MS;
    follower->found = NULL;
    for (uint32_t index = 0; index < follower->standbys_count; index++)
        follower->standbys[index]->added = false;
}

static bool has_consumer(struct mr_follower *follower)
{
    /* Kafka's broker answers an empty fetch, and so tells the end, after this time only. */
    static const char *const settings[] = {"fetch.wait.max.ms", "100", NULL};
    const struct mr_log_consumer_options options = {.end_of_partition = true,
                                                    .queued_bytes_max = MR_CONSUMER_QUEUE_BYTES,
                                                    .settings = settings};
    struct mr_error error;
    if (follower->consumer != NULL)
        return true;
    if (mr_clock_monotonic_ms() < follower->consumer_retry_ms)
        return false;
    if (follower->log->ops->consumer_create(follower->log, &options, &follower->consumer, &error) ==
        MR_OK)
        return true;
    follower->consumer = NULL;
    lose_consumer(follower, &error);
    return false;
}

static enum mr_status join_consumer(struct mr_standby *standby, struct mr_error *error)
{
    struct mr_follower *follower = standby->follower;
    standby->tag = ++follower->last_tag;
    struct mr_log_assignment assignment = {.topic = changelog(standby)->name,
                                           .partition = standby->partition,
                                           .offset = standby->position,
                                           .tag = standby->tag};
    enum mr_status status =
        follower->log->ops->consumer_add(follower->consumer, &assignment, 1, error);
    standby->added = status == MR_OK;
    standby->at_end = false;
    return status;
}

/* Open what is due and refresh what is known. */
static enum mr_status tend(struct mr_standby *standby, uint64_t now_ms, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    if (standby->state == NULL) {
        status = open_state(standby, error);
        if (status != MR_OK)
            return status;
        register_state(standby);
        atomic_store(&standby->state_now, (int)MR_TASK_STATE_FOLLOWING);
        tell_remaining(standby);
        log_state(MR_LOG_INFO, standby, "a standby follows", NULL);
    }
    if (!standby->added && has_consumer(standby->follower))
        status = join_consumer(standby, error);
    if (status == MR_OK && !standby->at_end && now_ms - standby->end_ms >= END_AGE_MS) {
        /* Everything that was there a second ago has been read: as good as an end. */
        if (standby->position >= standby->end && standby->applied && standby->pending == 0)
            status = finish(standby, error);
        if (status == MR_OK)
            status = find_end(standby, error);
    }
    if (status == MR_OK && standby->at_end && standby->pending == 0 &&
        now_ms - standby->finished_ms >= QUIET_MS) {
        status =
            mr_state_restore_commit(standby->state, standby->position, mr_clock_wall_ms(), error);
        if (status == MR_OK)
            status = finish(standby, error);
    }
    tell_remaining(standby);
    return status;
}

static void part(struct mr_standby *standby)
{
    struct mr_error error;
    leave_consumer(standby);
    /* What is not written is in the changelog: the task replays it. */
    if (standby->state != NULL && mr_state_restore_interrupt(standby->state, &error) != MR_OK)
        log_state(MR_LOG_WARNING, standby, "the last records of a standby were not written",
                  error.message);
    close_state(standby);
    atomic_store(&standby->gone, true);
}

/* At most one state is opened in a turn, since that takes a while and a wish to leave must not
 * wait. True: more are due. */
static bool turn(struct mr_follower *follower)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    uint32_t kept_count = 0;
    bool opened = false;
    bool more = false;
    for (uint32_t index = 0; index < follower->standbys_count; index++) {
        struct mr_standby *standby = follower->standbys[index];
        struct mr_error error;
        if (atomic_load(&standby->leave_wanted)) {
            part(standby);
            continue;
        }
        follower->standbys[kept_count++] = standby;
        if (now_ms < standby->retry_ms)
            continue;
        bool opens = standby->state == NULL;
        more = more || (opens && opened);
        if (opens && opened)
            continue;
        opened = opened || opens;
        if (tend(standby, now_ms, &error) != MR_OK)
            fail(standby, &error);
    }
    follower->standbys_count = kept_count;
    return more;
}

/* False: the follower ends. */
static bool take_arrivals(struct mr_follower *follower)
{
    void *item;
    int64_t wait_ms = follower->standbys_count > 0 ? 0 : IDLE_WAIT_MS;
    enum mr_status status = mr_ring_pop(follower->arrivals, &item, wait_ms);
    while (status == MR_OK) {
        follower->standbys = mr_memory_resize(follower->standbys, (follower->standbys_count + 1u) *
                                                                      sizeof(struct mr_standby *));
        follower->standbys[follower->standbys_count++] = item;
        status = mr_ring_pop(follower->arrivals, &item, 0);
    }
    return status != MR_CLOSED;
}

static void poll(struct mr_follower *follower, uint32_t wait_ms)
{
    struct mr_log_fetch fetch;
    struct mr_error error;
    if (follower->consumer == NULL) {
        mr_clock_sleep_ms(wait_ms);
        return;
    }
    const struct mr_log_ops *ops = follower->log->ops;
    enum mr_status status =
        ops->consumer_poll(follower->consumer, POLL_MESSAGES_MAX, wait_ms, &fetch, &error);
    if (status == MR_OK) {
        heed_fetch(follower, &fetch);
        ops->fetch_release(follower->consumer, &fetch);
    } else if (status != MR_AGAIN) {
        lose_consumer(follower, &error);
    }
}

static void *follower_main(void *argument)
{
    struct mr_follower *follower = argument;
    while (take_arrivals(follower)) {
        bool more = turn(follower);
        if (follower->standbys_count > 0)
            poll(follower, more ? 0 : POLL_WAIT_MS);
        atomic_store(&follower->turned_ms, mr_clock_monotonic_ms());
    }
    for (uint32_t index = 0; index < follower->standbys_count; index++)
        part(follower->standbys[index]);
    if (follower->consumer != NULL)
        follower->log->ops->consumer_destroy(follower->consumer);
    return NULL;
}

/* ---- The controlling thread's ---- */

enum mr_status mr_follower_create(struct mr_worker *worker, struct mr_follower **follower,
                                  struct mr_error *error)
{
    struct mr_follower *made = mr_memory_new(1, sizeof(*made));
    made->log = worker->open.log;
    made->store_ops = worker->store_ops;
    made->store_resources = worker->store_resources;
    made->state_directory = worker->open.state_directory;
    made->queries = worker->open.queries;
    made->arrivals = mr_ring_create(MR_WORKER_TASKS_MAX);
    atomic_store(&made->turned_ms, mr_clock_monotonic_ms());
    int failed = pthread_create(&made->thread, NULL, follower_main, made);
    if (failed != 0) {
        mr_ring_destroy(made->arrivals);
        mr_memory_free(made);
        return MR_FAIL_ERRNO(error, failed, MR_RECOVERY_EXIT, "The follower's thread");
    }
    *follower = made;
    return MR_OK;
}

uint64_t mr_follower_silence_ms(const struct mr_follower *follower)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    uint64_t turned_ms = atomic_load(&follower->turned_ms);
    return now_ms > turned_ms ? now_ms - turned_ms : 0;
}

static void standby_destroy(struct mr_standby *standby)
{
    (void)pthread_mutex_destroy(&standby->mutex);
    mr_memory_free(standby);
}

void mr_follower_destroy(struct mr_follower *follower)
{
    if (follower == NULL)
        return;
    mr_ring_close(follower->arrivals);
    (void)pthread_join(follower->thread, NULL);
    for (uint32_t index = 0; index < follower->standbys_count; index++)
        standby_destroy(follower->standbys[index]);
    mr_ring_destroy(follower->arrivals);
    mr_memory_free(follower->standbys);
    mr_memory_free(follower);
}

struct mr_standby *mr_follower_follow(struct mr_follower *follower,
                                      const struct mr_deployment *deployment, uint32_t subtopology,
                                      int32_t partition)
{
    struct mr_standby *standby = mr_memory_new(1, sizeof(*standby));
    standby->follower = follower;
    standby->deployment = deployment;
    standby->subtopology = subtopology;
    standby->partition = partition;
    atomic_store(&standby->state_now, (int)MR_TASK_STATE_FOLLOWING);
    atomic_store(&standby->remaining, -1);
    (void)pthread_mutex_init(&standby->mutex, NULL);
    enum mr_status status = mr_ring_push(follower->arrivals, standby, 0);
    MR_ASSERT(status == MR_OK); /* as many as a worker may have */
    return standby;
}

bool mr_follower_leave(struct mr_standby *standby)
{
    atomic_store(&standby->leave_wanted, true);
    if (!atomic_load(&standby->gone))
        return false;
    standby_destroy(standby);
    return true;
}

void mr_follower_report(struct mr_standby *standby, char *text, struct mr_task_report *report)
{
    *report = (struct mr_task_report){.name = {.generation = standby->deployment->generation,
                                               .subtopology = planned(standby)->name,
                                               .partition = standby->partition},
                                      .role = MR_TASK_ROLE_STANDBY,
                                      .state = (enum mr_task_state)atomic_load(&standby->state_now),
                                      .restored_records = atomic_load(&standby->restored_records),
                                      .restored_bytes = atomic_load(&standby->restored_bytes),
                                      .changelog_remaining = atomic_load(&standby->remaining),
                                      .lag = -1,
                                      .idle_ms = -1,
                                      .watermark_ms = INT64_MIN,
                                      .error = ""};
    if (report->state != MR_TASK_STATE_FAILED)
        return;
    (void)pthread_mutex_lock(&standby->mutex);
    memcpy(text, standby->error, MR_ERROR_MESSAGE_SIZE);
    (void)pthread_mutex_unlock(&standby->mutex);
    report->error = text;
}
