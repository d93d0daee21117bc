/* operators/rank.c — rank: the best rows of each key, whole.
 * Design: per key the entries in order (operators/rank_object.h) and the rows' bytes in slots, so
 * that a record logs the entries and its own row only. Every row that leaves is read back from its
 * bytes, whether it just came or was kept: what comes out does not depend on which. With `until` a
 * key's ranking is due when the watermark passes the latest `until` of its rows; a ranking that is
 * due when a row comes, by that row's own watermark, is closed first, so that how records are cut
 * into batches does not show.
 *
 * Stored slots, version 1: 512 bytes of a row (record/row.h) each, the last filled up with what was
 * there before. */
#include "operators/operator.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/hash.h"
#include "operators/condition.h"
#include "operators/estimate.h"
#include "operators/kept_row.h"
#include "operators/rank_object.h"
#include "operators/registry.h"

enum { OUTPUT_MAIN, OUTPUT_LATE };
enum { EMIT_UPDATE, EMIT_CLOSE };
enum { ROWS_FIRST = 64, ROWS_FACTOR = 8 };

static const char rank_table[] = "rows";
static const char *const emits[] = {"update", "close", NULL};

struct rank {
    const struct mr_plan_node *node;
    struct mr_table *table;
    struct mr_kept_row kept;
    struct mr_rank_order order;
    const struct mr_program *programs[MR_RANK_ORDERS_MAX];
    const struct mr_program *until; /* NULL: rankings are never closed */
    uint32_t count;
    uint32_t capacity;
    bool ties;
    bool closes; /* emit: close */
    bool late_is_read;
    uint32_t into_slot; /* MR_SLOT_NONE: ranks are not told */
};

/* One call of process or on_watermark. */
struct rank_call {
    const struct rank *rank;
    struct mr_operator_context *context;
    const struct mr_batch *input;                 /* NULL in on_watermark */
    struct mr_value *columns[MR_RANK_ORDERS_MAX]; /* what rows are ordered by */
    struct mr_value *untils;
    struct mr_batch *output; /* being filled; NULL: none yet */
    uint32_t rows_next;
};

static enum mr_status open_table(struct rank *rank, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    struct mr_table_spec spec = {
        .operator_name = open->node->name,
        .name = rank_table,
        .version = MR_RANK_VERSION,
        .object_size = mr_rank_object_size(rank->capacity),
        .encode = mr_rank_encode,
        .encoded_size_max = MR_RANK_HEAD_BYTES + (size_t)rank->capacity * MR_RANK_ENTRY_BYTES,
        .decode = mr_rank_decoder(rank->capacity),
        .slot_bytes = MR_RANK_PIECE_BYTES,
        .slots_max = rank->capacity * MR_RANK_PIECES_MAX,
        .ttl_ms = rank->until == NULL ? open->node->state_ttl_ms : 0,
        .keys_max = open->node->state_keys_max,
        .bytes_max = open->node->state_bytes_max,
        .on_full = open->node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
        .timed = rank->until != NULL,
    };
    return mr_table_open(open->state, &spec, &rank->table, error);
}

static enum mr_status rank_open(void *self, const struct mr_operator_open *open,
                                struct mr_error *error)
{
    struct rank *rank = self;
    const struct mr_options *options = &open->node->options;
    const struct mr_option_value *orders = mr_options_get(options, "sort_by");
    rank->node = open->node;
    rank->count = (uint32_t)mr_options_integer(options, "count");
    rank->ties = mr_options_boolean(options, "ties");
    rank->capacity = rank->ties ? MR_RANK_ROWS_MAX : mr_rank_capacity(rank->count);
    rank->closes = mr_options_integer(options, "emit") == EMIT_CLOSE;
    rank->until = mr_options_program(options, "until");
    rank->late_is_read = mr_operator_output_is_read(open->plan, open->node, OUTPUT_LATE);
    rank->into_slot =
        open->node->set_slots_count > 0 ? open->node->set_slots[0] : (uint32_t)MR_SLOT_NONE;
    MR_ASSERT(orders->count <= MR_RANK_ORDERS_MAX);
    rank->order.values_count = orders->count;
    for (uint32_t index = 0; index < orders->count; index++) {
        rank->programs[index] = mr_options_program(&orders->objects[index], "by");
        rank->order.descending[index] = mr_options_boolean(&orders->objects[index], "descending");
    }
    mr_kept_row_open(&rank->kept, open, false);
    return open_table(rank, open, error);
}

/* ---- Rows out ---- */

static void flush(struct rank_call *call)
{
    if (call->output == NULL)
        return;
    struct mr_batch *output = call->output;
    call->output = NULL;
    mr_operator_emit(call->context, OUTPUT_MAIN, mr_batch_view(output));
}

/* until_ms: of a ranking that is closed; INT64_MIN: the row keeps its time. */
static enum mr_status put_row(struct rank_call *call, struct mr_slice bytes, uint32_t number,
                              int64_t until_ms, struct mr_error *error)
{
    const struct rank *rank = call->rank;
    if (call->output == NULL) {
        call->output =
            mr_operator_batch_new(call->context, OUTPUT_MAIN, call->input, call->rows_next);
        call->rows_next = call->rows_next * ROWS_FACTOR > MR_LIMIT_BATCH_ROWS
                              ? (uint32_t)MR_LIMIT_BATCH_ROWS
                              : call->rows_next * ROWS_FACTOR;
    }
    struct mr_batch *output = call->output;
    enum mr_status status = mr_kept_row_append(&rank->kept, bytes, output, error);
    if (status != MR_OK)
        return status;
    uint32_t row = output->rows_count - 1;
    if (rank->into_slot != MR_SLOT_NONE)
        mr_batch_column(output, rank->into_slot)[row] = mr_value_int(number);
    if (until_ms != INT64_MIN) {
        output->event_times_ms[row] = until_ms - 1;
        output->timestamps_ms[row] = until_ms - 1;
    }
    if (output->rows_count == output->rows_capacity)
        flush(call);
    return MR_OK;
}

/* A piece of a row, and how many of the row's bytes from `done` on are in it. */
static enum mr_status find_piece(const struct rank *rank, struct mr_rank_object *object,
                                 const struct mr_rank_entry *entry, uint32_t done, bool write,
                                 void **piece, uint32_t *size, struct mr_error *error)
{
    *size = entry->size - done;
    if (*size > MR_RANK_PIECE_BYTES)
        *size = MR_RANK_PIECE_BYTES;
    return mr_table_slot(rank->table, object,
                         done / MR_RANK_PIECE_BYTES * rank->capacity + entry->place, write, piece,
                         error);
}

static enum mr_status write_row(const struct rank *rank, struct mr_rank_object *object,
                                const struct mr_rank_entry *entry, const uint8_t *bytes,
                                struct mr_error *error)
{
    uint32_t size;
    for (uint32_t done = 0; done < entry->size; done += size) {
        void *piece;
        enum mr_status status = find_piece(rank, object, entry, done, true, &piece, &size, error);
        if (status != MR_OK)
            return status;
        memcpy(piece, bytes + done, size);
    }
    return MR_OK;
}

static enum mr_status read_row(const struct rank *rank, struct mr_rank_object *object,
                               const struct mr_rank_entry *entry, uint8_t *bytes,
                               struct mr_error *error)
{
    uint32_t size;
    for (uint32_t done = 0; done < entry->size; done += size) {
        void *piece;
        enum mr_status status = find_piece(rank, object, entry, done, false, &piece, &size, error);
        if (status != MR_OK)
            return status;
        memcpy(bytes + done, piece, size);
    }
    return MR_OK;
}

/* Emit the kept rows from a position on. */
static enum mr_status put_kept(struct rank_call *call, struct mr_rank_object *object,
                               uint32_t first, int64_t until_ms, struct mr_error *error)
{
    const struct rank *rank = call->rank;
    for (uint32_t index = first; index < object->count; index++) {
        const struct mr_rank_entry *entry = &object->entries[index];
        uint8_t *bytes = mr_arena_take(call->context->arena, entry->size);
        enum mr_status status = read_row(rank, object, entry, bytes, error);
        if (status == MR_OK)
            status = put_row(call, mr_slice_from(bytes, entry->size),
                             mr_rank_of(object, &rank->order, index, rank->ties), until_ms, error);
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

/* ---- Rows in ---- */

/* False: the row was reported. */
static bool read_values(const struct rank_call *call, uint32_t row, struct mr_rank_value *values)
{
    for (uint32_t index = 0; index < call->rank->order.values_count; index++) {
        struct mr_value value = call->columns[index][row];
        if (mr_rank_value_read(value, &values[index]))
            continue;
        mr_operator_row_error(call->context, call->input, row,
                              "sort_by[%u]: the value is %s; rows are ordered by finite numbers, "
                              "times and booleans",
                              index, mr_kind_name((enum mr_kind)value.kind));
        return false;
    }
    return true;
}

static bool read_until(const struct rank_call *call, uint32_t row, int64_t *until_ms)
{
    struct mr_value value = call->untils[row];
    double number;
    if (value.kind == MR_KIND_TIMESTAMP) {
        *until_ms = value.integer / 1000000 - (value.integer % 1000000 < 0);
        return true;
    }
    /* Within what a double holds exactly. */
    if (mr_value_as_double(value, &number) && fabs(number) <= 9007199254740992.0) {
        *until_ms = (int64_t)number;
        return true;
    }
    mr_operator_row_error(call->context, call->input, row,
                          "until: the value is %s, not a time: give a timestamp or ms since the "
                          "epoch",
                          mr_kind_name((enum mr_kind)value.kind));
    return false;
}

/* Makes room for the row and tells its position. False: it is not among the best, or (reported) too
 * many are level with it. */
static bool find_position(const struct rank_call *call, struct mr_rank_object *object,
                          const struct mr_rank_value *values, uint32_t row, uint32_t *position)
{
    const struct rank *rank = call->rank;
    *position = mr_rank_position(object, &rank->order, values, true);
    if (!rank->ties) {
        if (*position >= rank->count)
            return false;
        if (object->count == rank->count)
            object->count--;
        return true;
    }
    if (mr_rank_position(object, &rank->order, values, false) >= rank->count)
        return false;
    if (object->count < MR_RANK_ROWS_MAX)
        return true;
    /* The last row leaves if the new one pushes it down far enough. */
    if (*position == object->count ||
        mr_rank_of(object, &rank->order, object->count - 1, true) < rank->count) {
        mr_operator_row_error(call->context, call->input, row,
                              "more than %d rows are among the best %u: too many are level",
                              (int)MR_RANK_ROWS_MAX, rank->count);
        return false;
    }
    object->count--;
    return true;
}

/* Level rows that are not among the best any more. */
static void trim(const struct rank *rank, struct mr_rank_object *object)
{
    while (object->count > rank->count &&
           mr_rank_of(object, &rank->order, object->count - 1, rank->ties) > rank->count)
        object->count--;
}

/* The key's object; a ranking that is over by the row's watermark is closed before. */
static enum mr_status find_object(struct rank_call *call, struct mr_slice key, uint32_t row,
                                  struct mr_rank_object **found, struct mr_error *error)
{
    const struct rank *rank = call->rank;
    void *object;
    bool created;
    enum mr_status status =
        mr_table_get(rank->table, key, mr_hash64(key), call->input->event_times_ms[row], &object,
                     &created, error);
    if (status != MR_OK)
        return status;
    struct mr_rank_object *ranking = object;
    *found = ranking;
    if (created) {
        ranking->until_ms = INT64_MIN;
        ranking->values_count = rank->order.values_count;
    } else if (rank->until != NULL &&
               ranking->until_ms <= mr_operator_row_watermark(call->input, row)) {
        if (rank->closes)
            status = put_kept(call, ranking, 0, ranking->until_ms, error);
        ranking->count = 0;
        ranking->until_ms = INT64_MIN;
    }
    return status;
}

/* The row's bytes. *fits: it may be kept; else it was reported. */
static enum mr_status keep_bytes(const struct rank_call *call, uint32_t row, struct mr_slice *bytes,
                                 bool *fits, struct mr_error *error)
{
    enum mr_status status =
        mr_kept_row_write(&call->rank->kept, call->input, row, call->context->arena, bytes, error);
    if (status == MR_OK && bytes->size > MR_RANK_PIECES_MAX * MR_RANK_PIECE_BYTES)
        status = MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE,
                         "the row takes %zu bytes, at most %d are kept: remove fields by a map "
                         "before",
                         bytes->size, MR_RANK_PIECES_MAX * MR_RANK_PIECE_BYTES);
    *fits = status == MR_OK;
    if (status != MR_LIMIT)
        return status;
    mr_operator_row_error(call->context, call->input, row, "%s", error->message);
    return MR_OK;
}

/* A row that is among the best: keep it, and tell where that is wanted. */
static enum mr_status put_best(struct rank_call *call, struct mr_rank_object *object,
                               uint32_t position, const struct mr_rank_value *values,
                               struct mr_slice bytes, struct mr_error *error)
{
    const struct rank *rank = call->rank;
    struct mr_rank_entry *entry = mr_rank_insert(object, position);
    entry->size = (uint32_t)bytes.size;
    memcpy(entry->values, values, sizeof(*values) * rank->order.values_count);
    trim(rank, object);
    mr_table_dirty(rank->table, object);
    enum mr_status status = write_row(rank, object, entry, bytes.data, error);
    if (status != MR_OK || rank->closes)
        return status;
    status = put_row(call, bytes, position + 1, INT64_MIN, error);
    if (status == MR_OK && rank->into_slot != MR_SLOT_NONE)
        status = put_kept(call, object, position + 1, INT64_MIN, error);
    return status;
}

static enum mr_status take_row(struct rank_call *call, struct mr_slice key, uint32_t row,
                               int64_t until_ms, struct mr_error *error)
{
    const struct rank *rank = call->rank;
    struct mr_rank_value values[MR_RANK_ORDERS_MAX];
    struct mr_slice bytes;
    bool fits;
    if (!read_values(call, row, values))
        return MR_OK;
    enum mr_status status = keep_bytes(call, row, &bytes, &fits, error);
    if (status != MR_OK || !fits)
        return status;
    struct mr_rank_object *object;
    status = find_object(call, key, row, &object, error);
    if (status != MR_OK)
        return status;
    uint32_t position;
    bool best = find_position(call, object, values, row, &position);
    if (rank->until != NULL && until_ms > object->until_ms) {
        object->until_ms = until_ms;
        mr_table_schedule(rank->table, object, until_ms);
    }
    return best ? put_best(call, object, position, values, bytes, error) : MR_OK;
}

/* Run the option's programs; rows on which one fails are reported and left out. */
static struct mr_view compute(struct rank_call *call, struct mr_view view)
{
    const struct rank *rank = call->rank;
    for (uint32_t index = 0; index < rank->order.values_count; index++) {
        call->columns[index] = mr_arena_take(call->context->arena,
                                             view.batch->rows_capacity * sizeof(struct mr_value));
        view = mr_condition_compute(call->context, rank->programs[index], "sort_by", view,
                                    call->columns[index]);
    }
    if (rank->until == NULL)
        return view;
    call->untils =
        mr_arena_take(call->context->arena, view.batch->rows_capacity * sizeof(struct mr_value));
    return mr_condition_compute(call->context, rank->until, "until", view, call->untils);
}

static enum mr_status rank_process(void *self, struct mr_operator_context *context, uint32_t port,
                                   struct mr_view view, struct mr_error *error)
{
    struct rank *rank = self;
    MR_UNUSED(port);
    struct rank_call call = {
        .rank = rank, .context = context, .input = view.batch, .rows_next = ROWS_FIRST};
    struct mr_view keyed;
    const struct mr_slice *keys = mr_operator_keys(context, rank->node, view, &keyed);
    keyed = compute(&call, keyed);
    uint16_t *late = mr_arena_take(context->arena, (keyed.rows_count + 1) * sizeof(*late));
    uint32_t late_count = 0;
    for (uint32_t index = 0; index < keyed.rows_count; index++) {
        uint16_t row = keyed.rows[index];
        int64_t until_ms = INT64_MIN;
        if (rank->until != NULL && !read_until(&call, row, &until_ms))
            continue;
        if (rank->until != NULL && mr_operator_row_watermark(view.batch, row) >= until_ms) {
            late[late_count++] = row;
            continue;
        }
        enum mr_status status = take_row(&call, keys[row], row, until_ms, error);
        if (status != MR_OK)
            return status;
    }
    flush(&call);
    if (late_count > 0) {
        mr_operator_late(context, late_count);
        mr_operator_emit(context, OUTPUT_LATE, (struct mr_view){view.batch, late, late_count});
    }
    return MR_OK;
}

static enum mr_status rank_watermark(void *self, struct mr_operator_context *context,
                                     struct mr_error *error)
{
    struct rank *rank = self;
    if (rank->until == NULL)
        return mr_table_expire(rank->table, context->watermark_ms, error);
    struct rank_call call = {.rank = rank, .context = context, .rows_next = ROWS_FIRST};
    for (;;) {
        struct mr_slice key;
        uint64_t hash;
        void *object;
        bool found;
        enum mr_status status = mr_table_next_due(rank->table, context->watermark_ms, &key, &hash,
                                                  &object, &found, error);
        if (status != MR_OK || !found) {
            flush(&call);
            return status;
        }
        struct mr_rank_object *ranking = object;
        if (rank->closes)
            status = put_kept(&call, ranking, 0, ranking->until_ms, error);
        if (status == MR_OK)
            status = mr_table_remove(rank->table, mr_arena_copy(context->arena, key), hash, error);
        if (status != MR_OK)
            return status;
        if (mr_operator_is_enough(context)) {
            flush(&call);
            return MR_AGAIN;
        }
    }
}

static void rank_close(void *self)
{
    struct rank *rank = self;
    mr_kept_row_close(&rank->kept);
}

static enum mr_status rank_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                    struct mr_state_description *description,
                                    struct mr_error *error)
{
    struct mr_rank_object *ranking = mr_arena_take(arena, mr_rank_object_size(MR_RANK_ROWS_MAX));
    if (!mr_rank_decoder(MR_RANK_ROWS_MAX)(ranking, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_member(description, "rows", mr_value_int(ranking->count));
    if (ranking->until_ms != INT64_MIN)
        mr_describe_time(description, "until", ranking->until_ms);
    return MR_OK;
}

static void rank_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    uint32_t rows = mr_options_boolean(options, "ties")
                        ? (uint32_t)MR_RANK_ROWS_MAX
                        : (uint32_t)mr_options_integer(options, "count");
    mr_estimate_slots(mr_rank_object_size(mr_rank_capacity(rows)),
                      MR_RANK_HEAD_BYTES + (size_t)rows * MR_RANK_ENTRY_BYTES, MR_RANK_PIECE_BYTES,
                      rows, estimate);
}

static enum mr_status rank_check(const struct mr_options *options, const char **option,
                                 struct mr_error *error)
{
    bool closes = mr_options_integer(options, "emit") == EMIT_CLOSE;
    if (closes && !mr_options_present(options, "until")) {
        *option = "emit";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`emit: close` needs `until`: an expression for the time at which a key's "
                       "ranking is final");
    }
    if (!closes && mr_options_boolean(options, "ties")) {
        *option = "ties";
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "`ties` needs `emit: close`: rows that share a rank cannot replace each "
                       "other in updates");
    }
    return MR_OK;
}

static const struct mr_option_spec rank_order_options[] = {
    {.name = "by",
     .type = MR_OPTION_EXPRESSION,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .help = "A CEL expression: a number, a time, a duration or a boolean."},
    {.name = "descending",
     .type = MR_OPTION_BOOLEAN,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "false",
     .help = "Whether the greatest comes first instead of the least."},
    {.name = NULL},
};

static const struct mr_option_spec rank_options[] = {
    {.name = "sort_by",
     .type = MR_OPTION_OBJECTS,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = MR_RANK_ORDERS_MAX,
     .fields = rank_order_options,
     .help = "What makes a record better: the first entry decides, then the next; of records that "
             "are level the earlier one is better. 1 to 4."},
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1",
     .minimum = 1,
     .maximum = MR_RANK_ROWS_MAX,
     .help = "How many records of a key are the best ones; 1 to 64."},
    {.name = "ties",
     .type = MR_OPTION_BOOLEAN,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "false",
     .help = "Whether records that are level share a rank, so that more than `count` may be among "
             "the best; at most 64. Needs `emit: close`."},
    {.name = "until",
     .type = MR_OPTION_EXPRESSION,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "A CEL expression for the time at which a key's ranking is final, in event time: a "
             "timestamp, or ms since the epoch; the latest of the key's records counts. It is "
             "forgotten then. Default: never."},
    {.name = "emit",
     .type = MR_OPTION_CHOICE,
     .default_text = "update",
     .choices = emits,
     .help = "update: each record that gets among the best, at once; close: the best records, once "
             "the watermark passes `until`."},
    {.name = "into",
     .type = MR_OPTION_STRING,
     .help = "The top-level field that gets the record's rank, from 1. With `emit: update` records "
             "whose rank changed are then emitted again. Default: ranks are not told."},
    {.name = NULL},
};

static const struct mr_output_spec rank_outputs[] = {
    {.name = "main", .help = "The best records of each key, whole."},
    {.name = "late", .help = "Records whose `until` had passed already, unchanged."},
};

const struct mr_operator_type mr_operator_rank = {
    .spec =
        {
            .name = "rank",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_DERIVED_ROWS | MR_TYPE_ROW_WATERMARKS,
            .summary = "Keeps the best records of each key, whole, by one or more expressions.",
            .description =
                "Of the records of a `key` the first `count` in the given order are the best. With "
                "`emit: update` a record that gets among them is emitted at once: with `count: 1` "
                "the key's best record so far, with `into` each record whose rank changed, so that "
                "the newest record per key and rank is the ranking. With `emit: close` the best "
                "records are emitted once, in order, when the watermark passes the key's `until`, "
                "with the event time one millisecond before it.\n\n"
                "For the last record per key (`sort_by` its time, descending), winning bids, the "
                "top ten of a window (with the window's end in `key` and `until`). Records that "
                "leave have no message key, position or headers of their own. For aggregates of "
                "numbers use window.aggregate.\n\n"
                "State: the JSON payload and the fields that are read behind the operator, at most "
                "64 KiB a record, in pieces of 512 bytes; a record that gets among the best writes "
                "itself and 9 to 42 bytes per kept record. Without "
                "`until` a key stays for ever: bound it by `state.ttl` or `state.max_keys`.",
            .options = rank_options,
            .outputs = rank_outputs,
            .outputs_count = 2,
            .state_version = MR_RANK_VERSION,
            .estimate = rank_estimate,
            .check = rank_check,
        },
    .instance_size = sizeof(struct rank),
    .open = rank_open,
    .process = rank_process,
    .on_watermark = rank_watermark,
    .close = rank_close,
    .state_table = rank_table,
    .describe_state = rank_describe,
};
