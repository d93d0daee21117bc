/* operators/join_table.c — join.table and join.lookup: what a table knows of a record's key, added
 * to the record.
 * Design: the table's rows are kept by key and event time as joins keep theirs (join_rows.h). With
 * a retention a row is kept until the watermark is that far behind the row that replaced it, so
 * that a record finds the row as of its own time; an empty row says that the key was deleted.
 * Without one each row replaces the last at once, in the order of the topic. Of a row only the
 * cells are kept that are read behind the join. The worker reads the table before the stream
 * (worker/load.c). */
#include "operators/operator.h"

#include "base/assert.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/join_rows.h"
#include "operators/join_wait.h"
#include "operators/registry.h"
#include "record/row.h"

enum { STREAM, TABLE, KIND_INNER = 0 };

struct table_join {
    const struct mr_plan_node *node;
    const struct mr_plan_join_side *side;
    struct mr_row_shape input; /* to write, of the table's rows */
    struct mr_row_shape added; /* to read, into the stream's */
    struct mr_join_rows rows;
    int64_t retention_ms;
    bool inner;
    struct mr_join_wait wait;
};

static enum mr_status table_open(void *self, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    struct table_join *join = self;
    const struct mr_plan_join_side *side = &open->node->join->sides[TABLE];
    join->node = open->node;
    join->side = side;
    join->inner = mr_options_integer(&open->node->options, "kind") == KIND_INNER;
    join->retention_ms = open->plan->nodes[open->node->inputs[TABLE].producer].retention_ms;
    join->input = (struct mr_row_shape){
        .slots = side->input_slots,
        .slots_count = side->slots_count,
        .fingerprint = mr_row_fingerprint(side->names, side->slots_count, false, false),
    };
    join->added = join->input;
    join->added.slots = side->main_slots;
    int64_t keys_max = mr_option_specs_find(open->node->options.specs, "max_keys") < 0
                           ? 0
                           : mr_options_integer(&open->node->options, "max_keys");
    enum { WIDTH_MS = 3600 * 1000 }; /* versions of a key come seldom */
    struct mr_join_rows_spec spec = {
        .keys_max = keys_max, .small_pages = true, .width_ms = {WIDTH_MS, WIDTH_MS}};
    enum mr_status status =
        mr_join_rows_open(&join->rows, open->state, open->node->name, &spec, error);
    return status != MR_OK
               ? status
               : mr_join_wait_open(
                     &join->wait, open,
                     open->plan->nodes[open->node->inputs[TABLE].producer].max_delay_ms, error);
}

/* ---- The table's rows ---- */

static int64_t until(const struct table_join *join, int64_t replaced_ms)
{
    return replaced_ms > INT64_MAX - join->retention_ms ? INT64_MAX
                                                        : replaced_ms + join->retention_ms;
}

/* Without a retention: what came before is gone. */
static enum mr_status replace(struct table_join *join, struct mr_operator_context *context,
                              struct mr_join_row *row, uint64_t hash, struct mr_error *error)
{
    struct mr_join_row last;
    bool any;
    enum mr_status status = mr_join_rows_latest(&join->rows, row->key, hash, TABLE, INT64_MAX,
                                                context->arena, &last, &any, error);
    if (status == MR_OK && any)
        status = mr_join_rows_remove(&join->rows, &last, error);
    if (status != MR_OK || row->bytes.size == 0)
        return status;
    return mr_join_rows_add(&join->rows, row, hash, INT64_MAX, error);
}

/* With a retention: the row counts from its time to the next one's. */
static enum mr_status insert(struct table_join *join, struct mr_operator_context *context,
                             struct mr_join_row *row, uint64_t hash, struct mr_error *error)
{
    struct mr_join_found later = {0};
    struct mr_join_row before;
    bool any;
    enum mr_status status = mr_join_rows_latest(&join->rows, row->key, hash, TABLE, row->time_ms,
                                                context->arena, &before, &any, error);
    if (status == MR_OK && any)
        status = mr_join_rows_schedule(&join->rows, &before, until(join, row->time_ms), error);
    if (status == MR_OK && row->time_ms < INT64_MAX)
        status = mr_join_rows_find(&join->rows, row->key, hash, TABLE, row->time_ms + 1, INT64_MAX,
                                   context->arena, &later, error);
    if (status != MR_OK)
        return status;
    int64_t due_ms = row->bytes.size == 0 ? until(join, row->time_ms) : INT64_MAX;
    if (later.count > 0)
        due_ms = until(join, later.items[0].time_ms);
    return mr_join_rows_add(&join->rows, row, hash, due_ms, error);
}

/* The row as it is kept; of size 0: the key is deleted. False: reported. */
static bool write_row(struct table_join *join, struct mr_operator_context *context,
                      struct mr_batch *batch, uint32_t row, struct mr_slice *bytes)
{
    struct mr_error error = {0};
    struct mr_slice text;
    size_t size = 0;
    *bytes = mr_slice_from("", 0);
    if (batch->payload_nulls[row])
        return true;
    enum mr_status status = MR_OK;
    if (join->side->text_slot != MR_SLOT_NONE) {
        status = mr_operator_record_text(context, TABLE, batch, row, &text, &error);
        if (status == MR_OK)
            mr_batch_column(batch, join->side->text_slot)[row] = (struct mr_value){
                .kind = MR_KIND_JSON, .size = (uint32_t)text.size, .text = text.data};
    }
    if (status == MR_OK)
        status = mr_row_size(&join->input, batch, row, &size, &error);
    if (status != MR_OK) {
        mr_operator_row_error(context, batch, row, "%s", error.message);
        return false;
    }
    uint8_t *written = mr_arena_take(context->arena, size);
    mr_row_write(&join->input, batch, row, written);
    *bytes = mr_slice_from(written, size);
    return true;
}

static enum mr_status take_row(struct table_join *join, struct mr_operator_context *context,
                               struct mr_batch *batch, uint32_t index, struct mr_slice key,
                               struct mr_error *error)
{
    struct mr_join_row row = {.side = TABLE, .key = key, .time_ms = batch->event_times_ms[index]};
    if (key.size > MR_JOIN_KEY_BYTES_MAX) {
        mr_operator_row_error(context, batch, index,
                              "the key has %zu bytes, at most %d are allowed", key.size,
                              (int)MR_JOIN_KEY_BYTES_MAX);
        return MR_OK;
    }
    if (!write_row(join, context, batch, index, &row.bytes))
        return MR_OK;
    uint64_t hash = mr_hash64(key);
    if (join->wait.wait_ms > 0) {
        enum mr_status status = mr_join_wait_note(&join->wait, row.time_ms, error);
        if (status != MR_OK)
            return status;
    }
    return join->retention_ms == 0 ? replace(join, context, &row, hash, error)
                                   : insert(join, context, &row, hash, error);
}

/* The rows that have fields; the others are deletions, whose key is the message's. */
static struct mr_view with_payload(struct mr_operator_context *context, struct mr_view view)
{
    uint16_t *rows = mr_arena_take(context->arena, view.rows_count * sizeof(*rows));
    uint32_t rows_count = 0;
    for (uint32_t index = 0; index < view.rows_count; index++)
        if (!view.batch->payload_nulls[view.rows[index]])
            rows[rows_count++] = view.rows[index];
    return (struct mr_view){.batch = view.batch, .rows = rows, .rows_count = rows_count};
}

static enum mr_status take_table(struct table_join *join, struct mr_operator_context *context,
                                 struct mr_view view, struct mr_error *error)
{
    struct mr_view keyed;
    const struct mr_slice *keys =
        mr_operator_keys_of(context, &join->side->key, with_payload(context, view), &keyed);
    uint32_t next = 0;
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; status == MR_OK && index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        if (view.batch->payload_nulls[row]) {
            status = take_row(join, context, view.batch, row, view.batch->message_keys[row], error);
        } else if (next < keyed.rows_count && keyed.rows[next] == row) {
            next++;
            status = take_row(join, context, view.batch, row, keys[row], error);
        }
    }
    return status == MR_OK ? mr_join_rows_settle(&join->rows, error) : status;
}

/* ---- The stream's rows ---- */

static enum mr_status look_up(struct table_join *join, struct mr_operator_context *context,
                              struct mr_batch *batch, uint32_t row, struct mr_slice key,
                              bool *found, struct mr_error *error)
{
    struct mr_join_row known;
    int64_t time_ms = batch->event_times_ms[row];
    *found = false;
    if (key.size > MR_JOIN_KEY_BYTES_MAX)
        return MR_OK; /* no table has it */
    enum mr_status status = mr_join_rows_latest(&join->rows, key, mr_hash64(key), TABLE,
                                                join->retention_ms == 0 ? INT64_MAX : time_ms,
                                                context->arena, &known, found, error);
    *found = *found && known.bytes.size > 0;
    if (status != MR_OK || !*found)
        return status;
    status = mr_row_read(&join->added, known.bytes, batch, row, error);
    batch->event_times_ms[row] = time_ms;
    return status;
}

static enum mr_status take_stream(struct table_join *join, struct mr_operator_context *context,
                                  struct mr_view view, struct mr_error *error)
{
    struct mr_view keyed;
    const struct mr_slice *keys = mr_operator_keys(context, join->node, view, &keyed);
    uint16_t *rows = mr_arena_take(context->arena, keyed.rows_count * sizeof(*rows));
    uint32_t rows_count = 0;
    for (uint32_t index = 0; index < keyed.rows_count; index++) {
        uint32_t row = keyed.rows[index];
        bool found;
        enum mr_status status = look_up(join, context, view.batch, row, keys[row], &found, error);
        if (status != MR_OK)
            return status;
        if (found || !join->inner)
            rows[rows_count++] = (uint16_t)row;
    }
    view.rows = rows;
    view.rows_count = rows_count;
    mr_operator_emit(context, 0, view);
    return MR_OK;
}

/* ---- Rows that wait ---- */

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
    if (view.rows_count > 0)
        mr_operator_emit(leaving->context, 0, view);
}

static enum mr_status leave(struct table_join *join, struct leaving *leaving,
                            const struct mr_waiting_row *waited, struct mr_error *error)
{
    bool found;
    if (leaving->batch == NULL)
        leaving->batch =
            mr_operator_batch_new(leaving->context, 0, leaving->cause, MR_LIMIT_BATCH_ROWS);
    struct mr_batch *batch = leaving->batch;
    enum mr_status status = mr_kept_row_append(&join->wait.kept, waited->row, batch, error);
    if (status == MR_OK)
        status = look_up(join, leaving->context, batch, batch->rows_count - 1, waited->key, &found,
                         error);
    if (status != MR_OK)
        return status;
    if (!found && join->inner)
        batch->rows_count--;
    if (batch->rows_count == batch->rows_capacity)
        leaving_emit(leaving);
    return MR_OK;
}

/* All that wait no longer; parts: as many as one call of on_watermark may do. */
static enum mr_status leave_all(struct table_join *join, struct leaving *leaving, bool parts,
                                struct mr_error *error)
{
    struct mr_operator_context *context = leaving->context;
    enum mr_status status = MR_OK;
    bool any = join->wait.wait_ms > 0;
    while (status == MR_OK && any) {
        struct mr_waiting_row waited;
        status = mr_join_wait_next(&join->wait, context->watermark_ms, context->arena, &waited,
                                   &any, error);
        if (status == MR_OK && any)
            status = leave(join, leaving, &waited, error);
        if (status == MR_OK && any && parts && mr_operator_is_enough(context))
            status = MR_AGAIN;
    }
    if (status == MR_OK || status == MR_AGAIN)
        leaving_emit(leaving);
    return status;
}

static enum mr_status let_wait(struct table_join *join, struct mr_operator_context *context,
                               struct mr_view view, struct mr_error *error)
{
    struct mr_view keyed;
    struct leaving leaving = {.context = context, .cause = view.batch};
    const struct mr_slice *keys = mr_operator_keys(context, join->node, view, &keyed);
    for (uint32_t index = 0; index < keyed.rows_count; index++) {
        uint32_t row = keyed.rows[index];
        bool taken;
        enum mr_status status =
            mr_join_wait_add(&join->wait, context, view.batch, row, keys[row], &taken, error);
        if (status == MR_OK && mr_join_wait_is_full(&join->wait)) /* whatever the batches are */
            status = leave_all(join, &leaving, false, error);
        if (status != MR_OK)
            return status;
    }
    return leave_all(join, &leaving, false, error);
}

static enum mr_status take_table_row_times(struct table_join *join,
                                           struct mr_operator_context *context, struct mr_view view,
                                           struct mr_error *error)
{
    struct leaving leaving = {.context = context, .cause = view.batch};
    enum mr_status status = take_table(join, context, view, error);
    return status == MR_OK ? leave_all(join, &leaving, false, error) : status;
}

static enum mr_status table_process(void *self, struct mr_operator_context *context, uint32_t port,
                                    struct mr_view view, struct mr_error *error)
{
    const struct table_join *join = self;
    if (join->wait.wait_ms > 0)
        return port == TABLE ? take_table_row_times(self, context, view, error)
                             : let_wait(self, context, view, error);
    return port == TABLE ? take_table(self, context, view, error)
                         : take_stream(self, context, view, error);
}

static enum mr_status table_watermark(void *self, struct mr_operator_context *context,
                                      struct mr_error *error)
{
    struct table_join *join = self;
    struct leaving leaving = {.context = context};
    bool any = true;
    /* What waits may need rows that are over. */
    enum mr_status status = leave_all(join, &leaving, true, error);
    while (status == MR_OK && any) {
        struct mr_join_row row;
        status =
            mr_join_rows_due(&join->rows, context->watermark_ms, context->arena, &row, &any, error);
        if (status == MR_OK && any && row.side < MR_JOIN_SIDES)
            status = mr_join_rows_remove(&join->rows, &row, error);
        if (status == MR_OK && any && mr_operator_is_enough(context))
            status = MR_AGAIN;
    }
    return status;
}

static struct mr_operator_reach table_reach(const struct mr_plan_node *node)
{
    if (!mr_plan_waits(&node->options))
        return (struct mr_operator_reach){0};
    int64_t wait_ms = mr_options_integer(&node->options, "join_wait");
    return (struct mr_operator_reach){.open_ms = wait_ms, .held_ms = wait_ms};
}

static void table_close(void *self)
{
    struct table_join *join = self;
    mr_join_wait_close(&join->wait);
}

/* ---- The tables of the types ---- */

static enum mr_status table_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                     struct mr_state_description *description,
                                     struct mr_error *error)
{
    uint32_t counts[MR_JOIN_SIDES];
    if (!mr_join_rows_counts(object->version, object->encoded, counts))
        return mr_operator_not_described(error);
    mr_describe_member(description, "versions", mr_value_int(counts[TABLE]));
    return mr_join_wait_describe(object, arena, description, error);
}

static void table_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    enum { REMOVED_BYTES = 128 };
    struct mr_state_estimate row = {0};
    mr_estimate_object(MR_JOIN_PAGE_SMALL + 8,
                       MR_JOIN_PAGE_FRAME + MR_JOIN_PAGE_SMALL + MR_JOIN_FRAME_BYTES, &row);
    mr_estimate_object(sizeof(uint64_t) * 2 * MR_JOIN_SIDES * (MR_JOIN_LISTED_MAX + 1),
                       MR_JOIN_KEYS_BYTES_MAX, estimate);
    estimate->object_bytes += row.object_bytes;
    estimate->stored_bytes += row.stored_bytes;
    estimate->changelog_bytes_per_record += row.changelog_bytes_per_record + REMOVED_BYTES;
    if (mr_plan_waits(options))
        mr_join_wait_estimate(estimate);
}

static const char *const kinds[] = {"inner", "left", NULL};

#define KIND_AND_AS                                                                                \
    {.name = "kind",                                                                               \
     .type = MR_OPTION_CHOICE,                                                                     \
     .default_text = "inner",                                                                      \
     .choices = kinds,                                                                             \
     .help = "Records of whose key the table knows nothing are dropped (inner) or pass without "   \
             "the object (left)."},                                                                \
    {                                                                                              \
        .name = "as", .type = MR_OPTION_STRING,                                                    \
        .help = "The top-level field that gets the table's record; without it the table's name."   \
    }

static const struct mr_option_spec table_options[] = {
    KIND_AND_AS,
    {.name = "join_wait",
     .type = MR_OPTION_DURATION,
     .default_text = "0s",
     .minimum = 0,
     .maximum = 366.0 * 86400e3,
     .help = "For how long, in event time, a record waits for the table: until the table's own "
             "time has passed the record's, and no longer than until the watermark is this far "
             "behind it. At most the table's `retention`. 0s: a record is joined when it comes."},
    {.name = "max_waiting",
     .type = MR_OPTION_INTEGER,
     .default_text = "100000",
     .minimum = 1,
     .maximum = 1e9,
     .help = "Records of a task that wait at most. One more and the earliest is joined at once, "
             "with what the table says then."},
    {.name = NULL}};

static const struct mr_option_spec lookup_options[] = {
    KIND_AND_AS,
    {.name = "max_keys",
     .type = MR_OPTION_INTEGER,
     .default_text = "1000000",
     .minimum = 1,
     .maximum = 1e9,
     .help = "Keys that the table may have; one with more stops the topology."},
    {.name = NULL}};

static const struct mr_input_spec table_inputs[] = {
    {.option = "from", .required = true, .help = "The stream: NAME or NAME.OUTPUT."},
    {.option = "table", .required = true, .help = "The table: a source with table: true."},
    {.option = NULL},
};

static const struct mr_input_spec lookup_inputs[] = {
    {.option = "from", .required = true, .help = "The stream: NAME or NAME.OUTPUT."},
    {.option = "table",
     .required = true,
     .help = "The table: a source with table: true, a topic or for instance a file."},
    {.option = NULL},
};

static const struct mr_output_spec table_outputs[] = {
    {.name = "main", .help = "The stream's records with the table's record added."},
};

const struct mr_operator_type mr_operator_join_table = {
    .spec =
        {
            .name = "join.table",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_TABLE_JOIN,
            .summary = "Adds to each record what a table knows of its key.",
            .description =
                "The table is a source with `table: true`: the last record of each of its keys "
                "counts, and one without a value deletes the key. `key` names the stream's fields "
                "that stand for the table's key; the stream is repartitioned by them where it is "
                "not grouped by them. Both topics need equally many partitions where no "
                "repartition is between.\n\n"
                "A task reads its table to the end before it takes records of the stream. "
                "Afterwards a record finds what has been read of the table by then: with a "
                "`retention` of the table the record as of its own event time, without one the "
                "last. With `join_wait` it waits for rows that come later than itself: until the "
                "latest row of the table, less the source's `max_delay`, is later than the record, "
                "or the watermark has passed the record by `join_wait` (what Kafka Streams calls a "
                "grace period), whichever is first; a table that falls silent holds records up for "
                "that long. Records that wait are in the state and leave in the order of their "
                "event times. To join two streams whose records may come in any order, use "
                "join.interval.",
            .options = table_options,
            .inputs = table_inputs,
            .outputs = table_outputs,
            .outputs_count = 1,
            .state_version = MR_JOIN_VERSION,
            .estimate = table_estimate,
        },
    .instance_size = sizeof(struct table_join),
    .open = table_open,
    .process = table_process,
    .on_watermark = table_watermark,
    .reach = table_reach,
    .close = table_close,
    .state_table = "keys",
    .describe_state = table_describe,
};

const struct mr_operator_type mr_operator_join_lookup = {
    .spec =
        {
            .name = "join.lookup",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_TABLE_JOIN | MR_TYPE_LOOKUP,
            .summary = "Adds to each record what a file, or a topic that every task reads whole, "
                       "knows of its key.",
            .description =
                "The table is a source with `table: true` and a `key`: a compacted topic, a file "
                "(JSON lines or CSV) or memory. Every task reads all of it before it takes "
                "records, and keeps it in its state, so that the records stay in the tasks that "
                "they are in: there is no repartition. `key` names the record's fields that stand "
                "for the table's key.\n\n"
                "Of a topic each task reads all partitions, however many the streams have, and "
                "applies changes and deletions as they come, as join.table does: with a "
                "`retention` of the source a record finds the row as of its own event time, "
                "without one the last. A topology of T tasks has the table T times, in its state "
                "and in its changelog, and reads it T times: a table that is large or changes much "
                "belongs into join.table, which has it once. A topic that gets more partitions "
                "needs a `retention`: the rows of a key may then lie in two of them, and only "
                "their times say which is the newer.\n\n"
                "A file must be there wherever a task may run. It is read once: what is appended "
                "to it later is read when a task starts anew, and a file that was replaced is not "
                "noticed.",
            .options = lookup_options,
            .inputs = lookup_inputs,
            .outputs = table_outputs,
            .outputs_count = 1,
            .state_version = MR_JOIN_VERSION,
            .estimate = table_estimate,
        },
    .instance_size = sizeof(struct table_join),
    .open = table_open,
    .process = table_process,
    .on_watermark = table_watermark,
    .close = table_close,
    .state_table = "keys",
    .describe_state = table_describe,
};
