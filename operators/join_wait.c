/* operators/join_wait.c — see join_wait.h. */
#include "operators/join_wait.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/estimate.h"

enum { WAIT_VERSION = 1, TASK_BYTES = 16 };

static const char task_table[] = "wait";

struct wait_task {
    uint64_t next_sequence;
    int64_t table_ms;
};

/* ---- Stored objects ---- */

static size_t task_encode(const void *object, uint8_t *output)
{
    const struct wait_task *task = object;
    mr_put_u64le(output, task->next_sequence);
    mr_put_u64le(output + 8, (uint64_t)task->table_ms);
    return TASK_BYTES;
}

static bool task_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct wait_task *task = object;
    if (version != WAIT_VERSION || stored.size != TASK_BYTES)
        return false;
    task->next_sequence = mr_get_u64le(stored.data);
    task->table_ms = (int64_t)mr_get_u64le(stored.data + 8);
    return true;
}

enum mr_status mr_join_wait_open(struct mr_join_wait *wait, const struct mr_operator_open *open,
                                 int64_t delay_ms, struct mr_error *error)
{
    if (!mr_plan_waits(&open->node->options))
        return MR_OK;
    wait->wait_ms = mr_options_integer(&open->node->options, "join_wait");
    wait->records_max = mr_options_integer(&open->node->options, "max_waiting");
    wait->delay_ms = delay_ms;
    mr_kept_row_open(&wait->kept, open, true);
    const struct mr_table_spec task = {.operator_name = open->node->name,
                                       .name = task_table,
                                       .version = WAIT_VERSION,
                                       .object_size = sizeof(struct wait_task),
                                       .encode = task_encode,
                                       .encoded_size_max = TASK_BYTES,
                                       .decode = task_decode};
    enum mr_status status =
        mr_waiting_rows_open(&wait->waiting, &wait->kept, open, "waiting", error);
    return status != MR_OK ? status : mr_table_open(open->state, &task, &wait->task, error);
}

void mr_join_wait_estimate(struct mr_state_estimate *estimate)
{
    struct mr_state_estimate row = {0};
    struct mr_state_estimate task = {0};
    mr_waiting_rows_estimate(&row);
    mr_estimate_object(sizeof(struct wait_task), TASK_BYTES, &task);
    estimate->object_bytes += row.object_bytes;
    estimate->stored_bytes += row.stored_bytes;
    /* A row, what takes it away again, and the task's entry twice. */
    estimate->changelog_bytes_per_record += row.changelog_bytes_per_record + MR_ESTIMATE_KEY_BYTES +
                                            MR_ESTIMATE_RECORD_BYTES +
                                            2 * task.changelog_bytes_per_record;
}

void mr_join_wait_close(struct mr_join_wait *wait)
{
    mr_kept_row_close(&wait->kept);
}

/* ---- Queries ---- */

static enum mr_status describe_task(void *argument, const struct mr_state_object *object,
                                    struct mr_error *error)
{
    struct wait_task *task = argument;
    return task_decode(task, object->version, object->encoded) ? MR_OK
                                                               : mr_operator_not_described(error);
}

enum mr_status mr_join_wait_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                     struct mr_state_description *description,
                                     struct mr_error *error)
{
    struct wait_task task = {.table_ms = INT64_MIN};
    int64_t changelog_offset;
    struct mr_error unread;
    if (!mr_plan_waits(&description->node->options))
        return MR_OK;
    const struct mr_state_query query = {.operator_name = description->node->name,
                                         .table_name = task_table,
                                         .visit = describe_task,
                                         .argument = &task};
    enum mr_status status =
        mr_state_query(object->state, &query, arena, &changelog_offset, &unread);
    if (status != MR_OK && status != MR_NOT_FOUND) {
        *error = unread;
        return status;
    }
    if (task.table_ms != INT64_MIN)
        mr_describe_time(description, "table_time", task.table_ms);
    return MR_OK;
}

/* ---- What the task knows ---- */

/* Valid until the next call on the state. */
static enum mr_status load_task(struct mr_join_wait *wait, struct wait_task **task,
                                struct mr_error *error)
{
    void *object;
    bool created;
    struct mr_slice none = {0};
    enum mr_status status =
        mr_table_get(wait->task, none, mr_hash64(none), 0, &object, &created, error);
    if (status != MR_OK)
        return status;
    *task = object;
    if (created)
        (*task)->table_ms = INT64_MIN;
    return MR_OK;
}

enum mr_status mr_join_wait_note(struct mr_join_wait *wait, int64_t time_ms, struct mr_error *error)
{
    struct wait_task *task;
    enum mr_status status = load_task(wait, &task, error);
    if (status != MR_OK || time_ms <= task->table_ms)
        return status;
    task->table_ms = time_ms;
    mr_table_dirty(wait->task, task);
    return MR_OK;
}

static enum mr_status take_sequence(struct mr_join_wait *wait, uint64_t *sequence,
                                    struct mr_error *error)
{
    struct wait_task *task;
    enum mr_status status = load_task(wait, &task, error);
    if (status != MR_OK)
        return status;
    *sequence = task->next_sequence++;
    mr_table_dirty(wait->task, task);
    return MR_OK;
}

/* ---- Records in ---- */

static int64_t sum(int64_t left, int64_t right)
{
    int64_t total;
    if (__builtin_add_overflow(left, right, &total))
        return right < 0 ? INT64_MIN + 1 : INT64_MAX;
    return total == INT64_MIN ? INT64_MIN + 1 : total;
}

enum mr_status mr_join_wait_add(struct mr_join_wait *wait, struct mr_operator_context *context,
                                const struct mr_batch *batch, uint32_t row, struct mr_slice key,
                                bool *taken, struct mr_error *error)
{
    size_t size;
    uint64_t sequence;
    enum mr_status status = mr_row_size(&wait->kept.input, batch, row, &size, error);
    *taken = status == MR_OK;
    if (status == MR_LIMIT) {
        mr_operator_row_error(context, batch, row, "%s", error->message);
        return MR_OK;
    }
    if (status == MR_OK)
        status = take_sequence(wait, &sequence, error);
    if (status != MR_OK)
        return status;
    return mr_waiting_rows_put(&wait->waiting, batch, row, size, key, sequence,
                               sum(batch->event_times_ms[row], wait->wait_ms), context->arena,
                               error);
}

/* ---- Records out ---- */

bool mr_join_wait_is_full(const struct mr_join_wait *wait)
{
    return mr_waiting_rows_count(&wait->waiting) > wait->records_max;
}

/* Up to which due time records wait no longer. */
static enum mr_status find_until(struct mr_join_wait *wait, int64_t watermark_ms, int64_t *until_ms,
                                 struct mr_error *error)
{
    struct wait_task *task;
    enum mr_status status = load_task(wait, &task, error);
    *until_ms = watermark_ms;
    if (status != MR_OK)
        return status;
    int64_t passed_ms = task->table_ms == INT64_MIN
                            ? INT64_MIN
                            : sum(sum(task->table_ms, -wait->delay_ms), wait->wait_ms - 1);
    *until_ms = passed_ms > watermark_ms ? passed_ms : watermark_ms;
    if (mr_join_wait_is_full(wait))
        *until_ms = INT64_MAX;
    return MR_OK;
}

enum mr_status mr_join_wait_next(struct mr_join_wait *wait, int64_t watermark_ms,
                                 struct mr_arena *arena, struct mr_waiting_row *waited, bool *any,
                                 struct mr_error *error)
{
    int64_t until_ms;
    *any = false;
    enum mr_status status = find_until(wait, watermark_ms, &until_ms, error);
    if (status != MR_OK)
        return status;
    return mr_waiting_rows_take(&wait->waiting, until_ms, arena, waited, any, error);
}
