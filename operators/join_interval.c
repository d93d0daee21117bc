/* operators/join_interval.c — join.interval: pairs of rows of two streams with one key and near
 * times.
 * Design: a row looks for partners among the kept rows of the other side, then is kept itself as
 * long as partners may come. Candidates become rows of an output batch; the condition runs over
 * the whole batch at once. Only cells that somebody reads behind the join are kept
 * (topology/plan_join.c). A row is late when its event time is behind its own watermark by more
 * than `lateness`; every partner of a row that is not late is still kept then, so that results do
 * not depend on how records are cut into batches.
 * State: operators/join_rows.h; rows as bytes: record/row.h. */
#include "operators/operator.h"

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/condition.h"
#include "operators/derive.h"
#include "operators/estimate.h"
#include "operators/join_rows.h"
#include "operators/registry.h"
#include "record/row.h"

enum { LEFT, RIGHT, OUTPUT_MAIN = 0, OUTPUT_LEFT_ONLY = 1, OUTPUT_LATE = 3, PAIRS_MIN = 64 };

enum kind { KIND_INNER, KIND_LEFT, KIND_OUTER };

struct side {
    const struct mr_plan_join_side *plan;
    struct mr_row_shape input; /* to write */
    struct mr_row_shape main;  /* to read into pairs */
    struct mr_row_shape only;  /* to read into rows without a partner */
    int64_t before_ms;         /* partners have times from t - before_ms ... */
    int64_t after_ms;          /* ... to t + after_ms */
    bool in_main;              /* rows without a partner go to the main output */
    bool in_only;              /* and to their own one, where somebody reads it */
    bool late_is_read;
};

struct join {
    const struct mr_plan_node *node;
    struct side sides[MR_JOIN_SIDES];
    struct mr_join_rows rows;
    struct mr_program *where;
    const struct mr_option_value *set;
    int64_t lateness_ms;
    int64_t held_ms; /* by which rows that leave may be behind the watermark */
    int64_t rows_max;
    bool full_fails;
};

/* ---- Opening ---- */

static int64_t bound_of(const struct mr_options *options, const char *name)
{
    return mr_options_integer(mr_options_get(options, "interval")->objects, name);
}

/* Rows were kept for what these options say: under others they would mean something else. */
static uint32_t options_fingerprint(const struct mr_options *options, uint32_t fingerprint)
{
    const int64_t numbers[] = {bound_of(options, "before"), bound_of(options, "after"),
                               mr_options_integer(options, "lateness"),
                               mr_options_integer(options, "kind")};
    uint8_t bytes[sizeof(numbers)];
    for (size_t index = 0; index < MR_ARRAY_COUNT(numbers); index++)
        mr_put_u64le(bytes + index * sizeof(numbers[0]), (uint64_t)numbers[index]);
    return (uint32_t)mr_hash64_seeded(mr_slice_from(bytes, sizeof(bytes)), fingerprint);
}

static void init_shapes(const struct mr_options *options, const struct mr_plan_domain *domains,
                        const struct mr_plan_output *only, struct side *side)
{
    const struct mr_plan_join_side *plan = side->plan;
    bool message = plan->only.slot_map != NULL;
    struct mr_row_shape shape = {
        .slots = plan->input_slots,
        .slots_count = plan->slots_count,
        .spans = plan->input_spans,
        .spans_count = plan->spans_count,
        .whole = plan->whole,
        .message = message,
        .fingerprint = mr_row_fingerprint(plan->names, plan->slots_count, plan->whole, message),
    };
    if (plan->spans_count > 0) /* then somebody reads that output: it has a domain */
        shape.fingerprint = mr_row_fingerprint_spans(
            shape.fingerprint, domains[only->domain].tracked_names, plan->spans_count);
    shape.fingerprint = options_fingerprint(options, shape.fingerprint);
    side->input = shape;
    side->main = shape;
    side->main.slots = plan->main_slots;
    side->main.spans = NULL; /* pairs have no payload */
    side->only = shape;
    side->only.slots = plan->only_slots;
    side->only.spans = plan->only_spans;
}

static struct mr_operator_reach join_reach(const struct mr_plan_node *node)
{
    int64_t before_ms = bound_of(&node->options, "before");
    int64_t after_ms = bound_of(&node->options, "after");
    int64_t lateness_ms = mr_options_integer(&node->options, "lateness");
    int64_t kind = mr_options_integer(&node->options, "kind");
    const struct mr_plan_join_side *sides = node->join->sides;
    int64_t held_ms = 0;
    if (kind != KIND_INNER || sides[LEFT].only.slot_map != NULL)
        held_ms = after_ms;
    if ((kind == KIND_OUTER || sides[RIGHT].only.slot_map != NULL) && before_ms > held_ms)
        held_ms = before_ms;
    return (struct mr_operator_reach){
        .open_ms = (before_ms > after_ms ? before_ms : after_ms) + lateness_ms + 1,
        .held_ms = held_ms + lateness_ms,
    };
}

/* Rows of a side that nobody is told of leave by whole pages. A page's times are a part of the time
 * that its rows are kept, so that they do not stay much longer. */
static enum mr_status open_rows(struct join *join, const struct mr_operator_open *open,
                                struct mr_error *error)
{
    enum { PAGES_OF_A_STAY = 8, WIDTH_MIN_MS = 1000 };
    struct mr_join_rows_spec spec = {0};
    for (uint32_t index = 0; index < MR_JOIN_SIDES; index++) {
        const struct side *side = &join->sides[index];
        int64_t width_ms = (side->after_ms + join->lateness_ms) / PAGES_OF_A_STAY;
        spec.width_ms[index] = width_ms < WIDTH_MIN_MS ? WIDTH_MIN_MS : width_ms;
        spec.quiet[index] = !side->in_main && !side->in_only;
    }
    return mr_join_rows_open(&join->rows, open->state, open->node->name, &spec, error);
}

static enum mr_status join_open(void *self, const struct mr_operator_open *open,
                                struct mr_error *error)
{
    struct join *join = self;
    const struct mr_options *options = &open->node->options;
    int64_t kind = mr_options_integer(options, "kind");
    join->node = open->node;
    join->where =
        mr_options_present(options, "where") ? mr_options_program(options, "where") : NULL;
    join->set = mr_options_get(options, "set");
    join->lateness_ms = mr_options_integer(options, "lateness");
    join->rows_max = mr_options_integer(options, "max_rows");
    join->held_ms = join_reach(open->node).held_ms;
    join->full_fails = strcmp(mr_options_text(options, "on_full"), "fail") == 0;
    for (uint32_t index = 0; index < MR_JOIN_SIDES; index++) {
        struct side *side = &join->sides[index];
        side->plan = &open->node->join->sides[index];
        side->before_ms = bound_of(options, index == LEFT ? "before" : "after");
        side->after_ms = bound_of(options, index == LEFT ? "after" : "before");
        side->in_main = kind == KIND_OUTER || (kind == KIND_LEFT && index == LEFT);
        side->in_only = side->plan->only.slot_map != NULL;
        side->late_is_read = side->plan->late.slot_map != NULL;
        init_shapes(options, open->plan->domains, &open->node->outputs[OUTPUT_LEFT_ONLY + index],
                    side);
    }
    return open_rows(join, open, error);
}

/* ---- Times ---- */

static int64_t later(int64_t time_ms, int64_t by_ms)
{
    return time_ms > INT64_MAX - by_ms ? INT64_MAX : time_ms + by_ms;
}

static int64_t earlier(int64_t time_ms, int64_t by_ms)
{
    return time_ms < INT64_MIN + by_ms ? INT64_MIN : time_ms - by_ms;
}

/* The watermark from which on no partner can come. */
static int64_t due_of(const struct join *join, const struct side *side, int64_t time_ms)
{
    return later(time_ms, side->after_ms + join->lateness_ms + 1);
}

static bool is_late(const struct join *join, const struct mr_batch *batch, uint32_t row)
{
    int64_t watermark_ms = mr_operator_row_watermark(batch, row);
    return later(batch->event_times_ms[row], join->lateness_ms) < watermark_ms;
}

static bool is_tracked(const struct side *side)
{
    return side->in_main || side->in_only;
}

/* What consumers of a row that leaves because of this one take for the watermark. */
static int64_t held_watermark(const struct join *join, const struct mr_batch *batch, uint32_t row)
{
    return earlier(mr_operator_row_watermark(batch, row), join->held_ms);
}

/* ---- Pairs ---- */

/* Candidates, as rows of a batch of the main output. */
struct pairs {
    struct mr_batch *batch;
    struct mr_join_row *partners; /* per row: the kept row, when its side is tracked */
    uint16_t *rows;               /* per row: the row of the input */
};

/* What a call of process works with. */
struct run {
    struct join *join;
    struct mr_operator_context *context;
    uint32_t port;
    struct mr_batch *batch; /* the input's */
    struct pairs pairs;
    bool *matched;          /* per row of the input: it has found a partner */
    struct mr_slice *bytes; /* per row of the input, as it is kept */
    struct mr_join_found found;
    struct mr_error *error;
};

static void pairs_begin(struct run *run, uint32_t capacity)
{
    struct mr_arena *arena = run->context->arena;
    run->pairs.batch = mr_operator_batch_new(run->context, OUTPUT_MAIN, run->batch, capacity);
    run->pairs.partners = mr_arena_take(arena, capacity * sizeof(*run->pairs.partners));
    run->pairs.rows = mr_arena_take(arena, capacity * sizeof(*run->pairs.rows));
}

/* Compute the fields of `set` and send the rows on. */
static void emit_main(const struct join *join, struct mr_operator_context *context,
                      struct mr_view view)
{
    for (uint32_t index = 0; join->set->present && index < join->set->count; index++) {
        struct mr_value *column = mr_batch_column(view.batch, join->node->set_slots[index]);
        view = mr_condition_compute(context, join->set->programs[index], join->set->names[index],
                                    view, column);
    }
    mr_operator_emit(context, OUTPUT_MAIN, view);
}

static enum mr_status note_matches(struct run *run, struct mr_view view)
{
    const struct join *join = run->join;
    const struct side *own = &join->sides[run->port];
    const struct side *other = &join->sides[1 - run->port];
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; status == MR_OK && index < view.rows_count; index++) {
        uint32_t row = view.rows[index];
        if (is_tracked(own))
            run->matched[run->pairs.rows[row]] = true;
        if (is_tracked(other) && !run->pairs.partners[row].matched)
            status = mr_join_rows_match(&run->join->rows, &run->pairs.partners[row], run->error);
    }
    return status;
}

static enum mr_status pairs_flush(struct run *run)
{
    struct mr_batch *batch = run->pairs.batch;
    if (batch == NULL || batch->rows_count == 0)
        return MR_OK;
    struct mr_view view = mr_batch_view(batch);
    if (run->join->where != NULL) {
        struct mr_view others;
        mr_condition_split(run->context, run->join->where, "where", view, &view, &others);
    }
    enum mr_status status = note_matches(run, view);
    run->pairs.batch = NULL;
    if (status == MR_OK)
        emit_main(run->join, run->context, view);
    return status;
}

/* Fill a row of the main output's with the cells of an input row. */
static void copy_cells(const struct mr_plan_join_side *plan, struct mr_batch *output,
                       uint32_t target, const struct mr_batch *input, uint32_t row)
{
    for (uint32_t index = 0; index < plan->slots_count; index++) {
        const struct mr_value *column = input->columns[plan->input_slots[index]];
        if (plan->main_slots[index] != MR_SLOT_NONE && column != NULL)
            mr_batch_column(output, plan->main_slots[index])[target] = column[row];
    }
}

static void begin_row(struct mr_batch *batch, uint32_t row, int64_t event_time_ms)
{
    batch->event_times_ms[row] = event_time_ms;
    batch->timestamps_ms[row] = event_time_ms;
    batch->offsets[row] = -1;
    batch->message_keys[row] = (struct mr_slice){0};
    batch->key_nulls[row] = true;
    batch->payloads[row] = mr_slice_text("{}");
    batch->payload_nulls[row] = false;
}

static enum mr_status add_pair(struct run *run, uint32_t row, const struct mr_join_row *partner)
{
    const struct join *join = run->join;
    const struct mr_batch *input = run->batch;
    enum mr_status status = MR_OK;
    if (run->pairs.batch == NULL)
        pairs_begin(run, run->found.count > PAIRS_MIN ? MR_LIMIT_BATCH_ROWS : PAIRS_MIN);
    struct mr_batch *batch = run->pairs.batch;
    uint32_t target = batch->rows_count;
    status =
        mr_row_read(&join->sides[1 - run->port].main, partner->bytes, batch, target, run->error);
    if (status != MR_OK)
        return status;
    int64_t time_ms = input->event_times_ms[row];
    begin_row(batch, target, time_ms > partner->time_ms ? time_ms : partner->time_ms);
    copy_cells(join->sides[run->port].plan, batch, target, input, row);
    if (batch->watermarks_ms != NULL)
        batch->watermarks_ms[target] = held_watermark(join, input, row);
    run->pairs.partners[target] = *partner;
    run->pairs.rows[target] = (uint16_t)row;
    batch->rows_count++;
    return batch->rows_count == batch->rows_capacity ? pairs_flush(run) : MR_OK;
}

/* ---- Rows without a partner ---- */

/* Rows that leave without a partner, gathered for their outputs. */
struct lonely {
    struct join *join;
    struct mr_operator_context *context;
    const int64_t *watermark_ms; /* of rows that leave; NULL: as batches come */
    struct mr_batch *main;
    struct mr_batch *only[MR_JOIN_SIDES];
};

static void flush_main(struct lonely *lonely)
{
    struct mr_batch *batch = lonely->main;
    lonely->main = NULL;
    if (batch != NULL)
        emit_main(lonely->join, lonely->context, mr_batch_view(batch));
}

static void flush_only(struct lonely *lonely, uint32_t side)
{
    struct mr_batch *batch = lonely->only[side];
    lonely->only[side] = NULL;
    if (batch != NULL)
        mr_operator_emit(lonely->context, OUTPUT_LEFT_ONLY + side, mr_batch_view(batch));
}

static void lonely_flush(struct lonely *lonely)
{
    flush_main(lonely);
    for (uint32_t side = 0; side < MR_JOIN_SIDES; side++)
        flush_only(lonely, side);
}

static void lonely_begin(const struct lonely *lonely, struct mr_batch *batch, struct mr_slice bytes)
{
    begin_row(batch, batch->rows_count, mr_row_event_time(bytes));
    if (lonely->watermark_ms != NULL && batch->watermarks_ms != NULL)
        batch->watermarks_ms[batch->rows_count] = *lonely->watermark_ms;
}

static enum mr_status lonely_add(struct lonely *lonely, uint32_t index, struct mr_slice bytes,
                                 struct mr_error *error)
{
    const struct side *side = &lonely->join->sides[index];
    enum mr_status status = MR_OK;
    if (side->in_main) {
        if (lonely->main == NULL)
            lonely->main =
                mr_operator_batch_new(lonely->context, OUTPUT_MAIN, NULL, MR_LIMIT_BATCH_ROWS);
        struct mr_batch *batch = lonely->main;
        status = mr_row_read(&side->main, bytes, batch, batch->rows_count, error);
        if (status != MR_OK)
            return status;
        lonely_begin(lonely, batch, bytes);
        if (++batch->rows_count == batch->rows_capacity)
            flush_main(lonely);
    }
    if (side->in_only) {
        if (lonely->only[index] == NULL)
            lonely->only[index] = mr_operator_batch_new(lonely->context, OUTPUT_LEFT_ONLY + index,
                                                        NULL, MR_LIMIT_BATCH_ROWS);
        struct mr_batch *batch = lonely->only[index];
        lonely_begin(lonely, batch, bytes);
        status = mr_row_read(&side->only, bytes, batch, batch->rows_count, error);
        if (status == MR_OK && ++batch->rows_count == batch->rows_capacity)
            flush_only(lonely, index);
    }
    return status;
}

/* A kept row leaves. */
static enum mr_status retire(struct lonely *lonely, const struct mr_join_row *row,
                             struct mr_error *error)
{
    enum mr_status status = MR_OK;
    if (!row->matched && is_tracked(&lonely->join->sides[row->side]))
        status = lonely_add(lonely, row->side, row->bytes, error);
    return status == MR_OK ? mr_join_rows_remove(&lonely->join->rows, row, error) : status;
}

static enum mr_status join_watermark(void *self, struct mr_operator_context *context,
                                     struct mr_error *error)
{
    struct join *join = self;
    struct lonely lonely = {.join = join, .context = context};
    enum mr_status status = MR_OK;
    bool any = true;
    while (status == MR_OK && any) {
        struct mr_join_row row;
        status =
            mr_join_rows_due(&join->rows, context->watermark_ms, context->arena, &row, &any, error);
        if (status == MR_OK && any && row.side < MR_JOIN_SIDES)
            status = retire(&lonely, &row, error);
        if (status == MR_OK && any && mr_operator_is_enough(context))
            status = MR_AGAIN;
    }
    if (status == MR_OK || status == MR_AGAIN)
        lonely_flush(&lonely);
    return status;
}

/* ---- Rows that come ---- */

static void emit_late(struct run *run, const uint16_t *rows, uint32_t rows_count)
{
    const struct side *side = &run->join->sides[run->port];
    struct mr_view view = {.batch = run->batch, .rows = rows, .rows_count = rows_count};
    if (rows_count == 0)
        return;
    mr_operator_late(run->context, rows_count);
    if (side->late_is_read) {
        struct mr_batch *output =
            mr_operator_batch_new(run->context, OUTPUT_LATE, run->batch, rows_count);
        mr_derive_batch(output, run->batch);
        mr_derive_rows(output, run->batch, &side->plan->late, rows, rows_count);
        view = mr_batch_view(output);
    }
    mr_operator_emit(run->context, OUTPUT_LATE, view);
}

/* Take out the late rows. */
static struct mr_view divide_late(struct run *run, struct mr_view view)
{
    struct mr_arena *arena = run->context->arena;
    uint16_t *timely = mr_arena_take(arena, view.rows_count * sizeof(*timely));
    uint16_t *late = mr_arena_take(arena, view.rows_count * sizeof(*late));
    uint32_t timely_count = 0;
    uint32_t late_count = 0;
    for (uint32_t index = 0; index < view.rows_count; index++) {
        if (is_late(run->join, view.batch, view.rows[index]))
            late[late_count++] = view.rows[index];
        else
            timely[timely_count++] = view.rows[index];
    }
    emit_late(run, late, late_count);
    return (struct mr_view){.batch = view.batch, .rows = timely, .rows_count = timely_count};
}

/* The record's text where pairs are written as a whole. False: reported. */
static bool write_text(struct run *run, uint32_t row)
{
    uint32_t slot = run->join->sides[run->port].plan->text_slot;
    struct mr_slice text;
    if (slot == MR_SLOT_NONE)
        return true;
    struct mr_error error = {0};
    if (mr_operator_record_text(run->context, run->port, run->batch, row, &text, &error) != MR_OK) {
        mr_operator_row_error(run->context, run->batch, row, "%s", error.message);
        return false;
    }
    mr_batch_column(run->batch, slot)[row] = text.data == NULL
                                                 ? mr_value_null()
                                                 : (struct mr_value){.kind = MR_KIND_JSON,
                                                                     .size = (uint32_t)text.size,
                                                                     .text = text.data};
    return true;
}

/* The row as it is kept. False: reported. */
static bool write_row(struct run *run, uint32_t row, struct mr_slice key)
{
    const struct side *side = &run->join->sides[run->port];
    struct mr_error error = {0};
    size_t size = 0;
    if (key.size > MR_JOIN_KEY_BYTES_MAX) {
        mr_operator_row_error(run->context, run->batch, row,
                              "the key has %zu bytes, at most %d are allowed", key.size,
                              (int)MR_JOIN_KEY_BYTES_MAX);
        return false;
    }
    if (!write_text(run, row))
        return false;
    if (mr_row_size(&side->input, run->batch, row, &size, &error) != MR_OK) {
        mr_operator_row_error(run->context, run->batch, row, "%s", error.message);
        return false;
    }
    uint8_t *bytes = mr_arena_take(run->context->arena, size);
    mr_row_write(&side->input, run->batch, row, bytes);
    run->bytes[row] = mr_slice_from(bytes, size);
    return true;
}

static enum mr_status find_partners(struct run *run, uint32_t row, struct mr_slice key,
                                    uint64_t hash)
{
    const struct side *side = &run->join->sides[run->port];
    int64_t time_ms = run->batch->event_times_ms[row];
    enum mr_status status = mr_join_rows_find(
        &run->join->rows, key, hash, 1 - run->port, earlier(time_ms, side->before_ms),
        later(time_ms, side->after_ms), run->context->arena, &run->found, run->error);
    for (uint32_t index = 0; status == MR_OK && index < run->found.count; index++)
        status = add_pair(run, row, &run->found.items[index]);
    return status;
}

/* Make room for a row of the key. What is beyond its time leaves first; results are then the same
 * whether or not the watermark has reached on_watermark. */
static enum mr_status make_room(struct run *run, struct lonely *lonely, uint32_t row,
                                struct mr_slice key, uint64_t hash)
{
    struct join *join = run->join;
    uint32_t count = 0;
    enum mr_status status =
        mr_join_rows_count(&join->rows, key, hash, run->port, &count, run->error);
    if (status != MR_OK || count < join->rows_max)
        return status;
    struct mr_join_row earliest;
    status = mr_join_rows_earliest(&join->rows, key, hash, run->port, run->context->arena,
                                   &earliest, run->error);
    if (status != MR_OK)
        return status;
    bool is_due = due_of(join, &join->sides[run->port], earliest.time_ms) <=
                  mr_operator_row_watermark(run->batch, row);
    if (!is_due && join->full_fails)
        return MR_FAIL(run->error, MR_LIMIT, MR_RECOVERY_FAIL_TOPOLOGY,
                       "a key has %lld records of the input \"%s\" that wait for partners, as many "
                       "as max_rows allows: raise max_rows, shorten the interval, or use on_full: "
                       "evict_oldest",
                       (long long)join->rows_max, join->sides[run->port].plan->name);
    return retire(lonely, &earliest, run->error);
}

/* Keep the row as long as partners can come: a row that is not late may have some. */
static enum mr_status keep_row(struct run *run, struct lonely *lonely, uint32_t row,
                               struct mr_slice key, uint64_t hash)
{
    struct join *join = run->join;
    int64_t time_ms = run->batch->event_times_ms[row];
    enum mr_status status = make_room(run, lonely, row, key, hash);
    struct mr_join_row kept = {.side = run->port,
                               .key = key,
                               .time_ms = time_ms,
                               .matched = run->matched[row],
                               .bytes = run->bytes[row]};
    if (status != MR_OK)
        return status;
    return mr_join_rows_add(&join->rows, &kept, hash,
                            due_of(join, &join->sides[run->port], time_ms), run->error);
}

/* The rows that can be joined, with their bytes. */
static struct mr_view write_rows(struct run *run, struct mr_view view, const struct mr_slice *keys)
{
    uint16_t *rows = mr_arena_take(run->context->arena, view.rows_count * sizeof(*rows));
    uint32_t rows_count = 0;
    for (uint32_t index = 0; index < view.rows_count; index++)
        if (write_row(run, view.rows[index], keys[view.rows[index]]))
            rows[rows_count++] = view.rows[index];
    return (struct mr_view){.batch = view.batch, .rows = rows, .rows_count = rows_count};
}

static enum mr_status join_process(void *self, struct mr_operator_context *context, uint32_t port,
                                   struct mr_view view, struct mr_error *error)
{
    struct join *join = self;
    struct mr_arena *arena = context->arena;
    struct run run = {
        .join = join, .context = context, .port = port, .batch = view.batch, .error = error};
    int64_t watermark_ms;
    struct lonely lonely = {.join = join, .context = context, .watermark_ms = &watermark_ms};
    struct mr_view keyed;
    view = divide_late(&run, view);
    const struct mr_slice *keys =
        mr_operator_keys_of(context, &join->sides[port].plan->key, view, &keyed);
    run.matched = mr_arena_new(arena, view.batch->rows_count, sizeof(*run.matched));
    run.bytes = mr_arena_take(arena, view.batch->rows_count * sizeof(*run.bytes));
    keyed = write_rows(&run, keyed, keys);
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; status == MR_OK && index < keyed.rows_count; index++) {
        uint32_t row = keyed.rows[index];
        status = find_partners(&run, row, keys[row], mr_hash64(keys[row]));
    }
    if (status == MR_OK)
        status = pairs_flush(&run);
    for (uint32_t index = 0; status == MR_OK && index < keyed.rows_count; index++) {
        uint32_t row = keyed.rows[index];
        watermark_ms = held_watermark(join, view.batch, row);
        status = keep_row(&run, &lonely, row, keys[row], mr_hash64(keys[row]));
    }
    if (status == MR_OK)
        status = mr_join_rows_settle(&join->rows, error);
    if (status == MR_OK)
        lonely_flush(&lonely);
    return status;
}

static void join_close(void *self)
{
    MR_UNUSED(self);
}

/* ---- The table ---- */

static enum mr_status join_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                    struct mr_state_description *description,
                                    struct mr_error *error)
{
    uint32_t counts[MR_JOIN_SIDES];
    MR_UNUSED(arena);
    if (!mr_join_rows_counts(object->version, object->encoded, counts))
        return mr_operator_not_described(error);
    mr_describe_member(description, "left", mr_value_int(counts[LEFT]));
    mr_describe_member(description, "right", mr_value_int(counts[RIGHT]));
    return MR_OK;
}

static void join_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    enum { REMOVED_BYTES = 128 };
    struct mr_state_estimate row = {0};
    MR_UNUSED(options);
    mr_estimate_object(MR_JOIN_PAGE_LARGE + 8,
                       MR_JOIN_PAGE_FRAME + MR_JOIN_PAGE_LARGE + MR_JOIN_FRAME_BYTES, &row);
    mr_estimate_object(sizeof(uint64_t) * 2 * MR_JOIN_SIDES * (MR_JOIN_LISTED_MAX + 1),
                       MR_JOIN_KEYS_BYTES_MAX, estimate);
    estimate->object_bytes += row.object_bytes;
    estimate->stored_bytes += row.stored_bytes;
    estimate->changelog_bytes_per_record += row.changelog_bytes_per_record + REMOVED_BYTES;
}

static const char *const kinds[] = {"inner", "left", "outer", NULL};
static const char *const on_fulls[] = {"evict_oldest", "fail", NULL};

#define DAYS(count) ((count)*86400e3)

static const struct mr_option_spec interval_options[] = {
    {.name = "before",
     .type = MR_OPTION_DURATION,
     .default_text = "0s",
     .minimum = 0,
     .maximum = DAYS(366),
     .help = "How much earlier than the left record the right one may be."},
    {.name = "after",
     .type = MR_OPTION_DURATION,
     .default_text = "0s",
     .minimum = 0,
     .maximum = DAYS(366),
     .help = "How much later than the left record the right one may be."},
    {.name = NULL},
};

static const struct mr_option_spec join_options[] = {
    {.name = "right_key",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 32,
     .help = "The fields of the right records that stand for those of `key`, in their order; "
             "without it they have the same names."},
    {.name = "interval",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .fields = interval_options,
     .help = "How far apart the event times of a pair may be, both ends included."},
    {.name = "where",
     .type = MR_OPTION_EXPRESSION,
     .help = "A CEL condition over `left` and `right`: other candidates are no pairs."},
    {.name = "kind",
     .type = MR_OPTION_CHOICE,
     .default_text = "inner",
     .choices = kinds,
     .flags = MR_OPTION_STATE_BOUND,
     .help = "Pairs only (inner), or also left records (left) or all records (outer) that found "
             "no partner, with the other side absent."},
    {.name = "set",
     .type = MR_OPTION_EXPRESSIONS,
     .help = "The fields of the output's records, a mapping of name to CEL expression over `left` "
             "and `right`; without it they are the objects `left` and `right`."},
    {.name = "lateness",
     .type = MR_OPTION_DURATION,
     .default_text = "0s",
     .minimum = 0,
     .maximum = DAYS(366),
     .flags = MR_OPTION_STATE_BOUND,
     .help = "How far behind the watermark a record may be and still be joined."},
    {.name = "max_rows",
     .type = MR_OPTION_INTEGER,
     .default_text = "10000",
     .minimum = 1,
     .maximum = 1e6,
     .help = "Records of one key that each side keeps at once."},
    {.name = "on_full",
     .type = MR_OPTION_CHOICE,
     .default_text = "evict_oldest",
     .choices = on_fulls,
     .help = "What a record beyond max_rows does: the key's earliest leaves as if its time were "
             "over, or (fail) the topology stops with the reason."},
    {.name = NULL},
};

static const struct mr_input_spec join_inputs[] = {
    {.option = "left", .required = true, .help = "The left stream: NAME or NAME.OUTPUT."},
    {.option = "right", .required = true, .help = "The right stream: NAME or NAME.OUTPUT."},
    {.option = NULL},
};

static const struct mr_output_spec join_outputs[] = {
    {.name = "main", .help = "Pairs, with the later of the two event times."},
    {.name = "left_only",
     .help = "Left records that found no partner, once none can come any more."},
    {.name = "right_only",
     .help = "Right records that found no partner, once none can come any more."},
    {.name = "late", .help = "Records that came too late to be joined."},
};

const struct mr_operator_type mr_operator_join_interval = {
    .spec =
        {
            .name = "join.interval",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_PAIRS | MR_TYPE_ROW_WATERMARKS,
            .summary = "Joins records of two streams with the same key and near event times.",
            .description =
                "Makes a pair of each left and each right record with the same key whose event "
                "times are at most `interval` apart, in whatever order they come. A pair is an "
                "object with the members `left` and `right`, or the fields of `set`. Both inputs "
                "are repartitioned by the key where they are not grouped by it.\n\n"
                "A record is kept until the watermark says that no partner can come, and only "
                "those of its fields that are read behind the join. With long intervals or very "
                "frequent keys that is much: bound it by `interval` and `max_rows`. To look up "
                "what "
                "is known of a key whatever its age, use join.table.",
            .options = join_options,
            .inputs = join_inputs,
            .outputs = join_outputs,
            .outputs_count = 4,
            .state_version = MR_JOIN_VERSION,
            .estimate = join_estimate,
        },
    .instance_size = sizeof(struct join),
    .open = join_open,
    .process = join_process,
    .on_watermark = join_watermark,
    .reach = join_reach,
    .close = join_close,
    .state_table = "keys",
    .describe_state = join_describe,
};
