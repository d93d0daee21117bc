/* operators/sort.c — sort: records in the order of their event times.
 * Design: a record waits in a timed table until the watermark has passed it; then all that are due
 * leave, the earliest first, of one time in the order in which they came (event_order.h). That is
 * the order of all records of the task and so of each key's. Rows are kept as kept_row.h says, so
 * that they leave in a row space of their own. When more than `max_records` wait the earliest
 * leaves before its time. What comes behind it with an earlier time is late, as is what comes
 * behind the watermark: the output is in order in any case.
 *
 * Stored, version 1 (little-endian). Tables "rows" and "task": event_order.h. Table "keys", by the
 * group's key, for queries
 *   0  uint64  records that wait
 *   8  int64   latest event time in ms of those that came */
#include "operators/operator.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/event_order.h"
#include "operators/registry.h"

enum {
    SORT_VERSION = 1,
    ENTRY_BYTES = 16, /* of table "keys" */
    OUTPUT_LATE = 1
};

static const char keys_table[] = "keys";

struct sort_key {
    uint64_t held_count;
    int64_t latest_ms;
};

struct sort {
    const struct mr_plan_node *node;
    struct mr_event_order order;
    struct mr_table *keys;
};

/* ---- Stored objects ---- */

static size_t key_encode(const void *object, uint8_t *output)
{
    const struct sort_key *key = object;
    mr_put_u64le(output, key->held_count);
    mr_put_u64le(output + 8, (uint64_t)key->latest_ms);
    return ENTRY_BYTES;
}

static bool key_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct sort_key *key = object;
    if (version != SORT_VERSION || stored.size != ENTRY_BYTES)
        return false;
    key->held_count = mr_get_u64le(stored.data);
    key->latest_ms = (int64_t)mr_get_u64le(stored.data + 8);
    return true;
}

static enum mr_status sort_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                    struct mr_state_description *description,
                                    struct mr_error *error)
{
    MR_UNUSED(arena);
    struct sort_key key;
    if (!key_decode(&key, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_member(description, "waiting", mr_value_int((int64_t)key.held_count));
    mr_describe_time(description, "latest", key.latest_ms);
    return MR_OK;
}

/* ---- Opening ---- */

static enum mr_status open_tables(struct sort *sort, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    struct mr_table_spec keys = {.operator_name = node->name,
                                 .name = keys_table,
                                 .version = SORT_VERSION,
                                 .object_size = sizeof(struct sort_key),
                                 .encode = key_encode,
                                 .encoded_size_max = ENTRY_BYTES,
                                 .decode = key_decode,
                                 .ttl_ms = node->state_ttl_ms,
                                 .keys_max = node->state_keys_max,
                                 .bytes_max = node->state_bytes_max,
                                 .on_full = node->state_full_fails ? MR_ON_FULL_FAIL
                                                                   : MR_ON_FULL_EVICT_OLDEST};
    const struct mr_event_order_spec order = {
        .rows_table = "rows",
        .task_table = "task",
        .records_max = mr_options_integer(&node->options, "max_records")};
    enum mr_status status = mr_event_order_open(&sort->order, open, &order, error);
    return status != MR_OK ? status : mr_table_open(open->state, &keys, &sort->keys, error);
}

static enum mr_status sort_open(void *self, const struct mr_operator_open *open,
                                struct mr_error *error)
{
    struct sort *sort = self;
    sort->node = open->node;
    return open_tables(sort, open, error);
}

static void sort_close(void *self)
{
    struct sort *sort = self;
    mr_event_order_close(&sort->order);
}

/* ---- Rows out ---- */

/* Rows of the main output that are being gathered. */
struct leaving {
    struct mr_operator_context *context;
    const struct mr_batch *cause; /* NULL: the watermark */
    struct mr_batch *batch;
};

static void leaving_emit(struct leaving *leaving)
{
    if (leaving->batch == NULL)
        return;
    struct mr_view view = mr_batch_view(leaving->batch);
    leaving->batch = NULL;
    mr_operator_emit(leaving->context, 0, view);
}

static enum mr_status count_left(struct sort *sort, struct mr_slice key, struct mr_error *error)
{
    void *object;
    uint64_t hash = mr_hash64(key);
    enum mr_status status = mr_table_find(sort->keys, key, hash, &object, error);
    if (status == MR_NOT_FOUND)
        return MR_OK; /* a bound of `state:` has made the task forget it */
    if (status != MR_OK)
        return status;
    struct sort_key *entry = object;
    if (entry->held_count <= 1)
        return mr_table_remove(sort->keys, key, hash, error);
    entry->held_count--;
    mr_table_dirty(sort->keys, object);
    return MR_OK;
}

/* Take out the earliest row with a time up to until_ms, if there is one. */
static enum mr_status leave(struct sort *sort, struct leaving *leaving, int64_t until_ms,
                            int64_t *time_ms, bool *found, struct mr_error *error)
{
    struct mr_waiting_row waiting;
    bool is_note;
    enum mr_status status = mr_event_order_take(&sort->order, until_ms, leaving->context->arena,
                                                &waiting, &is_note, found, error);
    if (status != MR_OK || !*found)
        return status;
    if (leaving->batch == NULL)
        leaving->batch =
            mr_operator_batch_new(leaving->context, 0, leaving->cause, MR_LIMIT_BATCH_ROWS);
    struct mr_batch *batch = leaving->batch;
    status = mr_kept_row_append(&sort->order.kept, waiting.row, batch, error);
    if (status != MR_OK)
        return status;
    *time_ms = batch->event_times_ms[batch->rows_count - 1];
    status = count_left(sort, waiting.key, error);
    if (batch->rows_count == batch->rows_capacity)
        leaving_emit(leaving);
    return status;
}

static enum mr_status sort_watermark(void *self, struct mr_operator_context *context,
                                     struct mr_error *error)
{
    struct sort *sort = self;
    struct leaving leaving = {.context = context};
    enum mr_status status = mr_table_expire(sort->keys, context->watermark_ms, error);
    bool found = context->watermark_ms > INT64_MIN;
    while (status == MR_OK && found) {
        int64_t time_ms;
        status = leave(sort, &leaving, context->watermark_ms - 1, &time_ms, &found, error);
        if (status == MR_OK && found && mr_operator_is_enough(context))
            status = MR_AGAIN;
    }
    if (status == MR_OK || status == MR_AGAIN)
        leaving_emit(&leaving);
    return status;
}

/* ---- Rows in ---- */

static enum mr_status count_came(struct sort *sort, struct mr_slice key, int64_t event_time_ms,
                                 struct mr_error *error)
{
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(sort->keys, key, mr_hash64(key), event_time_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct sort_key *entry = object;
    if (created || event_time_ms > entry->latest_ms)
        entry->latest_ms = event_time_ms;
    entry->held_count++;
    mr_table_dirty(sort->keys, object);
    return MR_OK;
}

/* One row, which has a key. *late: it is for the other output. */
static enum mr_status take_row(struct sort *sort, struct leaving *leaving, struct mr_batch *batch,
                               uint32_t row, struct mr_slice key, struct mr_event_order_task *task,
                               bool *late, struct mr_error *error)
{
    bool taken;
    int64_t event_time_ms = batch->event_times_ms[row];
    int64_t watermark_ms = mr_operator_row_watermark(batch, row);
    int64_t place_ms = mr_event_order_place(task, event_time_ms, watermark_ms, late);
    if (*late)
        return MR_OK;
    enum mr_status status = mr_event_order_put(&sort->order, leaving->context, task, batch, row,
                                               key, place_ms, &taken, error);
    if (status == MR_OK && taken)
        status = count_came(sort, key, event_time_ms, error);
    while (status == MR_OK && mr_event_order_is_full(&sort->order)) {
        bool found;
        int64_t time_ms = INT64_MIN;
        status = leave(sort, leaving, INT64_MAX, &time_ms, &found, error);
        MR_ASSERT(status != MR_OK || found);
        mr_event_order_pushed_out(task, time_ms, watermark_ms);
    }
    return status;
}

static enum mr_status sort_process(void *self, struct mr_operator_context *context, uint32_t port,
                                   struct mr_view view, struct mr_error *error)
{
    struct sort *sort = self;
    MR_UNUSED(port);
    struct mr_view keyed;
    struct mr_event_order_task task;
    const struct mr_slice *keys = mr_operator_keys(context, sort->node, view, &keyed);
    uint16_t *lates = mr_arena_take(context->arena, (keyed.rows_count + 1) * sizeof(*lates));
    uint32_t lates_count = 0;
    struct leaving leaving = {.context = context, .cause = view.batch};
    enum mr_status status = mr_event_order_load(&sort->order, &task, error);
    uint64_t first_sequence = task.next_sequence;
    for (uint32_t index = 0; index < keyed.rows_count && status == MR_OK; index++) {
        uint16_t row = keyed.rows[index];
        bool late;
        status = take_row(sort, &leaving, view.batch, row, keys[row], &task, &late, error);
        if (late)
            lates[lates_count++] = row;
    }
    if (status == MR_OK && task.next_sequence != first_sequence)
        status = mr_event_order_store(&sort->order, &task, error);
    if (status != MR_OK)
        return status;
    leaving_emit(&leaving);
    if (lates_count > 0) {
        mr_operator_late(context, lates_count);
        mr_operator_emit(context, OUTPUT_LATE, (struct mr_view){view.batch, lates, lates_count});
    }
    return MR_OK;
}

/* ---- The type ---- */

/* A record waits for the watermark to pass its own time, and leaves with that time. */
static struct mr_operator_reach sort_reach(const struct mr_plan_node *node)
{
    MR_UNUSED(node);
    return (struct mr_operator_reach){.open_ms = 1};
}

static void sort_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    struct mr_state_estimate key;
    MR_UNUSED(options);
    *estimate = (struct mr_state_estimate){0};
    mr_event_order_estimate(estimate);
    mr_estimate_object(sizeof(struct sort_key), ENTRY_BYTES, &key);
    /* A row, what takes it away again, its key's entry twice. */
    estimate->changelog_bytes_per_record += 2 * key.changelog_bytes_per_record;
}

static const struct mr_option_spec sort_options[] = {
    {.name = "max_records",
     .type = MR_OPTION_INTEGER,
     .default_text = "100000",
     .minimum = 1,
     .maximum = 1e9,
     .help = "Records that wait in one task at most: with one more the earliest leaves before the "
             "watermark has passed it, and what then comes with an earlier time is late."},
    {.name = NULL},
};

static const struct mr_output_spec sort_outputs[] = {
    {.name = "main", .help = "The records, unchanged, in the order of their event times."},
    {.name = "late", .help = "The input's records that came behind their place in the order."},
};

const struct mr_operator_type mr_operator_sort = {
    .spec =
        {
            .name = "sort",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_DERIVED_ROWS | MR_TYPE_ROW_WATERMARKS,
            .summary = "Puts the records of a key into the order of their event times.",
            .description =
                "A record waits until the watermark has passed its event time. Then it leaves, "
                "behind all with an earlier time; of records with the same time the one that came "
                "first is first. The source's `watermark: {max_delay}` therefore says how long "
                "records wait and how far out of order they may come. Records that come behind "
                "the watermark go to the output `late`, are counted, and are dropped when nobody "
                "reads it.\n\n"
                "Use it before what depends on the order of records, as a `deduplicate`; windows "
                "and joins do not need it, and detectors have `order: event_time` themselves. The "
                "order is that of all records of one task, not of the key alone: a fast key does "
                "not wait for a slow one, since the watermark is the same for both. State: a "
                "record's bytes while it waits, at most `max_records` of them; `state:` bounds "
                "only the entries per key that queries see.",
            .options = sort_options,
            .outputs = sort_outputs,
            .outputs_count = 2,
            .state_version = SORT_VERSION,
            .estimate = sort_estimate,
        },
    .instance_size = sizeof(struct sort),
    .open = sort_open,
    .process = sort_process,
    .on_watermark = sort_watermark,
    .reach = sort_reach,
    .close = sort_close,
    .state_table = keys_table,
    .describe_state = sort_describe,
};
