/* worker/lane_poll.c — records from the log and from connectors to the lane's tasks. */
#include "worker/internal.h"

#include "base/clock.h"
#include "base/log.h"

enum {
    ADVANCE_MS = 20,    /* under load, too, tasks without records look at the time this often */
    SMALL_POLL = 512,   /* fewer messages than this: the source is nearly drained */
    PAUSE_SLICE_MS = 1, /* while records gather for a batch */
    OPEN_WAIT_MS = 1,   /* poll at most this long while a transaction is open */
    GAP_MS = 400, /* a turn without a look for so long, and without work, is an interruption */
    CLOCKS_APART_MS = 50,
    STEP_NS = 1000000, /* a step's work where lanes share the thread: others wait that long */
    STEP_ALONE_NS = 100000000,
    FIRST_STEP_RECORDS = 64
};

static enum mr_status take_trouble(struct mr_task_input *input, const struct mr_log_fetch *fetch,
                                   struct mr_error *error)
{
    if (fetch->error.recovery == MR_RECOVERY_RETRY) {
        MR_LOG_AT(MR_LOG_WARNING, "worker", MR_LOG_FIELDS("topic", input->topic), "%s",
                  fetch->error.message);
        return MR_OK;
    }
    *error = fetch->error;
    /* Records of a repartition are purged up to what its owner has committed: somebody else
     * owns the task, and a claim will say so. */
    if (input->repartition && error->status == MR_CORRUPT)
        error->recovery = MR_RECOVERY_REINCARNATE;
    return fetch->error.status;
}

/* The partition is read to its end. */
static void take_end(struct mr_lane *lane, struct mr_task *task, struct mr_task_input *input,
                     const struct mr_log_message *message)
{
    if (!lane->worker->open.until_end) { /* no commit for it: there may be one behind each record */
        mr_task_input_reached(input, message->offset);
        return;
    }
    /* Behind trailing markers; but not behind records that until_end leaves for the next run. */
    int64_t offset = message->offset;
    if (input->end_offset >= 0 && offset > input->end_offset)
        offset = input->end_offset;
    if (offset > input->next_offset) {
        input->next_offset = offset;
        task->touched = true;
        if (lane->open->opened_ns == 0)
            lane->open->opened_ns = mr_clock_monotonic_ns();
    }
    if (input->end_offset >= 0 && message->offset >= input->end_offset)
        input->ended = true;
}

static enum mr_status take_event(struct mr_lane *lane, struct mr_task_input *input,
                                 const struct mr_log_message *message, struct mr_error *error)
{
    bool at_end = message->event == MR_LOG_END_OF_PARTITION;
    for (uint32_t slot = 0; mr_lane_next_reader(lane, input, &slot); slot++) {
        struct mr_task_input *reader = lane->slots[slot].input;
        reader->at_end = at_end;
        if (at_end)
            take_end(lane, lane->slots[slot].task, reader, message);
    }
    return at_end ? MR_OK : take_trouble(input, &lane->fetch, error);
}

/* Records of one input in a row, from fetch_next on, to all that read it: those that come back
 * because one of them had enough are dropped by the others. The culprit of a failure in *task,
 * else one that has enough. */
static enum mr_status take_records(struct mr_lane *lane, struct mr_task_input *input,
                                   struct mr_task **task, struct mr_error *error)
{
    const struct mr_log_fetch *fetch = &lane->fetch;
    const struct mr_log_message *message = &fetch->messages[lane->fetch_next];
    enum mr_status status = MR_OK;
    uint32_t count = 1;
    while (lane->fetch_next + count < fetch->messages_count &&
           message[count].event == MR_LOG_RECORD && message[count].tag == message->tag)
        count++;
    uint32_t taken_least = count;
    for (uint32_t slot = 0; status == MR_OK && mr_lane_next_reader(lane, input, &slot); slot++) {
        struct mr_task *reader = lane->slots[slot].task;
        uint32_t taken;
        status = mr_task_feed(reader, lane->slots[slot].input, message, count, &taken, error);
        taken_least = taken < taken_least ? taken : taken_least;
        if (status != MR_OK || mr_task_has_enough(reader))
            *task = reader;
    }
    lane->fetch_next += taken_least;
    return status;
}

/* One of the tasks that read the input is due, since its connectors were read. */
static bool is_awaited(const struct mr_lane *lane, const struct mr_task_input *input)
{
    for (uint32_t slot = 0; mr_lane_next_reader(lane, input, &slot); slot++)
        if (lane->slots[slot].task->due)
            return true;
    return false;
}

/* Feed what was fetched, until its end or until a task has enough. */
static enum mr_status take_fetch(struct mr_lane *lane, struct mr_task **culprit,
                                 struct mr_error *error)
{
    while (lane->fetch_next < lane->fetch.messages_count) {
        const struct mr_log_message *message = &lane->fetch.messages[lane->fetch_next];
        enum mr_status status;
        struct mr_task_input *input;
        struct mr_task *task;
        if (!mr_lane_find_input(lane, message->tag, &input, &task) ||
            task->phase != MR_TASK_RUNNING) {
            lane->fetch_next++;
            continue;
        }
        if (is_awaited(lane, input))
            break;
        if (message->event != MR_LOG_RECORD) {
            status = take_event(lane, input, message, error);
            lane->fetch_next++;
        } else {
            status = take_records(lane, input, &task, error);
        }
        if (status != MR_OK) {
            mr_lane_note_damage(task, error);
            *culprit = task;
            return status;
        }
        if (mr_task_has_enough(task))
            break;
    }
    return MR_OK;
}

/* until_end: what is read to its end is read no more, or records that keep coming would hold the
 * end up. */
static void remove_ended(struct mr_lane *lane)
{
    struct mr_error error;
    for (uint32_t slot = 0; slot < lane->slots_count; slot++)
        if (lane->slots[slot].input != NULL && lane->slots[slot].input->ended &&
            mr_lane_remove_input(lane, lane->slots[slot].input, &error) != MR_OK)
            mr_lane_fail(lane, NULL, &error);
}

/* The time that a step may take: where other lanes share the thread a slow topology must not make
 * its neighbours wait, and alone it must still commit and heed wishes. */
static uint64_t step_ns(const struct mr_lane *lane)
{
    return lane->shares_thread ? STEP_NS : STEP_ALONE_NS;
}

/* How many records a step may take: all that the batch allows, but about as many as take that time.
 * The first step, before anything was measured, is a small one. */
static uint32_t records_max(const struct mr_lane *lane)
{
    uint64_t records =
        lane->record_ns == 0 ? FIRST_STEP_RECORDS : step_ns(lane) / lane->record_ns + 1;
    return records < lane->poll_records_max ? (uint32_t)records : lane->poll_records_max;
}

static void measure_step(struct mr_lane *lane, uint64_t begun_ns, uint32_t records_count)
{
    uint64_t record_ns = (mr_clock_monotonic_ns() - begun_ns) / records_count + 1;
    /* Slower counts at once, faster little by little. */
    lane->record_ns =
        record_ns > lane->record_ns ? record_ns : (lane->record_ns * 7 + record_ns) / 8;
}

void mr_lane_drop_fetch(struct mr_lane *lane)
{
    if (lane->fetch_held)
        lane->log->ops->fetch_release(lane->consumer, &lane->fetch);
    lane->fetch_held = false;
}

/* Feed the fetch, or what is left of it; it is held while a task has enough. */
static void feed_fetch(struct mr_lane *lane)
{
    struct mr_error error;
    struct mr_task *culprit = NULL;
    uint64_t begun_ns = mr_clock_monotonic_ns();
    /* As long as this takes, nothing else tells that there was something to do. */
    atomic_store(&lane->at_end, false);
    uint32_t first = lane->fetch_next;
    lane->writer.now_wall_ms = mr_clock_wall_ms();
    enum mr_status status = take_fetch(lane, &culprit, &error);
    if (lane->fetch_next > first)
        measure_step(lane, begun_ns, lane->fetch_next - first);
    if (status != MR_OK || lane->fetch_next == lane->fetch.messages_count) {
        mr_lane_drop_fetch(lane);
        if (lane->worker->open.until_end)
            remove_ended(lane);
    }
    if (status != MR_OK)
        mr_lane_fail(lane, culprit, &error);
}

static bool poll_log(struct mr_lane *lane, uint32_t wait_ms)
{
    struct mr_error error;
    if (lane->consumer == NULL || atomic_load(&lane->tasks_running) == 0)
        return false;
    if (lane->poll_pause_ms > 0 && mr_clock_monotonic_ms() < lane->next_poll_ms) {
        mr_clock_sleep_ms(PAUSE_SLICE_MS);
        return false;
    }
    uint32_t messages_max = records_max(lane);
    enum mr_status status =
        lane->log->ops->consumer_poll(lane->consumer, messages_max, wait_ms, &lane->fetch, &error);
    bool full = status == MR_OK && lane->fetch.messages_count >= messages_max;
    lane->next_poll_ms = full ? 0 : mr_clock_monotonic_ms() + lane->poll_pause_ms;
    lane->poll_was_small =
        status == MR_AGAIN || (status == MR_OK && !full && lane->fetch.messages_count < SMALL_POLL);
    if (status == MR_AGAIN)
        return false;
    if (status == MR_OK) {
        lane->fetch_held = true;
        lane->fetch_next = 0;
        feed_fetch(lane);
    } else {
        mr_lane_fail(lane, NULL, &error);
    }
    return true;
}

/* Sources that are paused, or no longer, since the last look; inputs that wait for tables. */
static void heed_pauses(struct mr_lane *lane)
{
    struct mr_error error;
    for (uint32_t index = 0; index < lane->tasks_count; index++)
        if (lane->tasks[index]->phase == MR_TASK_RUNNING)
            mr_task_load(lane->tasks[index]);
    for (uint32_t slot = 0; slot < lane->slots_count; slot++) {
        struct mr_task_input *input = lane->slots[slot].input;
        if (input == NULL)
            continue;
        bool wanted =
            mr_task_holds(lane->slots[slot].task, input) ||
            (!input->repartition &&
             atomic_load_explicit(&lane->running->paused_nodes[input->node], memory_order_relaxed));
        if (wanted == input->paused || (input->kind == MR_INPUT_LOG && !input->assigned))
            continue;
        input->paused = wanted;
        mr_task_input_turned(lane->slots[slot].task, input);
        if (input->kind == MR_INPUT_LOG &&
            lane->log->ops->consumer_pause(lane->consumer, input->topic, input->partition, wanted,
                                           &error) != MR_OK) {
            mr_lane_fail(lane, NULL, &error);
            return;
        }
    }
}

/* The embedded broker's limits: sources wait while a topic that has a reader is full. */
static bool log_is_full(const struct mr_lane *lane)
{
    if (lane->log->ops->over_limit == NULL)
        return false;
    for (uint32_t index = 0; index < lane->writer.targets.items_count; index++)
        if (lane->log->ops->over_limit(lane->log, lane->writer.targets.items[index]->topic))
            return true;
    return false;
}

static bool poll_tasks(struct mr_lane *lane)
{
    bool any = false;
    struct mr_error error;
    int64_t now_wall_ms = mr_clock_wall_ms();
    lane->writer.now_wall_ms = now_wall_ms;
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        if (task->phase != MR_TASK_RUNNING || task->due || mr_transaction_full(lane->open))
            continue;
        enum mr_status status = mr_task_poll(task, now_wall_ms, &error);
        if (status != MR_OK && status != MR_AGAIN) {
            mr_lane_note_damage(task, &error);
            mr_lane_fail(lane, task, &error);
            return true;
        }
        any = any || status == MR_OK;
    }
    if (any)
        lane->poll_was_small = false;
    return any;
}

/* Time may have passed: idle sources hold the watermark no more, operators wait for wall times. */
static void advance_tasks(struct mr_lane *lane)
{
    struct mr_error error;
    lane->last_advance_ms = mr_clock_monotonic_ms();
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        if (task->phase == MR_TASK_RUNNING && mr_task_advance(task, &error) != MR_OK) {
            mr_lane_note_damage(task, &error);
            mr_lane_fail(lane, task, &error);
            return;
        }
    }
    mr_arena_reset(&lane->batch_arena);
}

/* Count the time in which silence is the sources' own. A process that was stopped, or a thread that
 * was held up, finds records waiting: that time does not count, and a turn of
 * work counts as one look and not for as long as it took, since records may have come behind it.
 * Clocks that are driven move without time that passes. */
static void watch(struct mr_lane *lane)
{
    uint64_t now_ms = mr_clock_monotonic_ms();
    uint64_t steady_ns = mr_clock_steady_ns();
    uint64_t cpu_ns = mr_clock_thread_cpu_ns();
    uint64_t passed_ms = now_ms - lane->looked_ms;
    uint64_t stood_ns = steady_ns - lane->looked_steady_ns;
    bool away = passed_ms > GAP_MS && stood_ns / 1000000 + CLOCKS_APART_MS > passed_ms;
    if (lane->looked_ms == 0 || (away && cpu_ns - lane->looked_cpu_ns < stood_ns / 2))
        lane->interrupted_ms = lane->watched_ms;
    else
        lane->watched_ms += away ? GAP_MS : passed_ms;
    lane->looked_ms = now_ms;
    lane->looked_steady_ns = steady_ns;
    lane->looked_cpu_ns = cpu_ns;
}

/* Let out what is due before records are read, as far as the transaction has room; true when there
 * was something. */
static bool let_out(struct mr_lane *lane)
{
    struct mr_error error;
    bool any = false;
    for (uint32_t index = 0; index < lane->tasks_count; index++) {
        struct mr_task *task = lane->tasks[index];
        if (task->phase != MR_TASK_RUNNING || !task->due)
            continue;
        any = true;
        if (mr_lane_is_full(lane))
            break;
        enum mr_status status = mr_task_advance(task, &error);
        mr_arena_reset(&lane->batch_arena);
        if (status != MR_OK) {
            mr_lane_note_damage(task, &error);
            mr_lane_fail(lane, task, &error);
            break;
        }
    }
    return any;
}

bool mr_lane_poll(struct mr_lane *lane, uint32_t wait_ms)
{
    bool worked = false;
    lane->part_end_ns = mr_clock_monotonic_ns() + step_ns(lane);
    watch(lane);
    heed_pauses(lane);
    if (let_out(lane)) {
        lane->interrupted_ms = lane->watched_ms; /* nobody looks at the sources meanwhile */
        return true;
    }
    if (lane->fetch_held) {
        feed_fetch(lane);
        return true;
    }
    if (!log_is_full(lane))
        worked = poll_tasks(lane);
    else
        lane->interrupted_ms = lane->watched_ms; /* sources wait for readers */
    bool waiting = !mr_transaction_empty(lane->open) || lane->committing != NULL;
    if (lane->phase == MR_LANE_RUNNING) {
        uint32_t poll_wait_ms = worked                              ? 0
                                : waiting && wait_ms > OPEN_WAIT_MS ? OPEN_WAIT_MS
                                                                    : wait_ms;
        worked = poll_log(lane, poll_wait_ms) || worked;
    }
    if (lane->phase == MR_LANE_RUNNING &&
        (!worked || mr_clock_monotonic_ms() - lane->last_advance_ms >= ADVANCE_MS))
        advance_tasks(lane);
    if (lane->consumer == NULL && !worked)
        lane->poll_was_small = true;
    return worked;
}
