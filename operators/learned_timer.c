/* operators/learned_timer.c — see learned_timer.h. */
#include "operators/learned_timer.h"

#include "base/assert.h"
#include "base/clock.h"
#include "base/hash.h"

const struct mr_output_field mr_timed_fields[MR_TIMED_FIELDS_COUNT] = {
    [MR_TIMED_BATCH_ID] = {"_batch_id", MR_TYPE_STRING, "batch-001 and on."},
    [MR_TIMED_GENERATED_AT] = {"_generated_at", MR_TYPE_STRING,
                               "When the batch was due, RFC 3339 in UTC."},
};

bool mr_timed_has_metadata(const struct mr_options *options)
{
    return mr_pace_is_timed(options) && mr_options_boolean(options, "include_metadata");
}

void mr_learned_timer_open(struct mr_learned_timer *timer, const struct mr_operator_open *open,
                           struct mr_learned_models *models, struct mr_learned_pace *pace)
{
    const struct mr_options *options = &open->node->options;
    timer->node = open->node;
    timer->models = models;
    timer->pace = pace;
    timer->min_records = (double)mr_options_integer(options, "min_records");
    timer->has_metadata = mr_timed_has_metadata(options);
    mr_learned_rows_bind(&timer->rows, open->plan, open->node, 0, models->kind);
}

struct mr_value mr_timed_batch_id(struct mr_arena *arena, uint64_t number)
{
    const char *text = mr_arena_format(arena, "batch-%03llu", (unsigned long long)number);
    return mr_value_string(mr_slice_text(text));
}

struct mr_value mr_timed_text(struct mr_arena *arena, int64_t time_ms)
{
    char text[MR_CLOCK_TEXT_SIZE];
    size_t size = mr_clock_format_rfc3339(time_ms, text);
    return mr_value_string(mr_arena_copy(arena, mr_slice_from(text, size)));
}

/* ---- What is waited for ---- */

/* Whether the timer may begin: objects handed out before are not valid any more. */
static enum mr_status is_ready(struct mr_learned_timer *timer, struct mr_slice key, uint64_t hash,
                               bool *ready, struct mr_error *error)
{
    struct mr_learned_entry *entry;
    struct mr_learned_expanded *expanded;
    enum mr_status status =
        mr_learned_models_expand(timer->models, key, hash, &entry, &expanded, error);
    *ready = status == MR_OK && entry->known > 0 &&
             (timer->pace->has_fit || (double)entry->known >= timer->min_records);
    return status == MR_NOT_FOUND ? MR_OK : status;
}

enum mr_status mr_learned_timer_touch(struct mr_learned_timer *timer,
                                      struct mr_operator_context *context, struct mr_slice key,
                                      uint64_t hash, struct mr_error *error)
{
    struct mr_pace_entry *entry;
    enum mr_status status =
        mr_learned_pace_get(timer->pace, key, hash, context->now_ms, &entry, error);
    if (status != MR_OK)
        return status;
    bool is_over =
        entry->started_ms != INT64_MIN && mr_learned_pace_due(timer->pace, entry) == INT64_MAX;
    int64_t due_ms = is_over ? INT64_MAX : context->now_ms;
    if (entry->started_ms != INT64_MIN && entry->next_ms > due_ms)
        due_ms = entry->next_ms;
    mr_learned_pace_schedule(timer->pace, entry, due_ms);
    mr_operator_wake(context, due_ms);
    return MR_OK;
}

/* ---- Fit ---- */

/* What waits is learned: the model is as of all records of the fit. */
static enum mr_status complete(struct mr_learned_timer *timer, struct mr_operator_context *context,
                               struct mr_slice key, uint64_t hash, struct mr_error *error)
{
    struct mr_learned_entry *entry;
    struct mr_learned_expanded *expanded;
    enum mr_status status =
        mr_learned_models_expand(timer->models, key, hash, &entry, &expanded, error);
    if (status != MR_OK || entry->pending_rows == 0)
        return status;
    mr_table_dirty(timer->models->table, entry);
    status = mr_learned_models_learn(timer->models, hash, entry, error);
    return status == MR_OK && timer->publisher != NULL
               ? mr_learned_publisher_touch(timer->publisher, context, key, hash, error)
               : status;
}

static bool has_input_ended(const struct mr_operator_context *context)
{
    return (context->ended_ports & 1) != 0; /* port 0 is what it learns */
}

static enum mr_status refuse_fit(const struct mr_learned_timer *timer, struct mr_slice key,
                                 uint64_t seen, bool has_ended, struct mr_error *error)
{
    const struct mr_learned_pace *pace = timer->pace;
    const char *of = key.size == 0 ? "the stream" : "a key";
    if (has_ended)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "the fit of \"%s\" (%s) has %llu records of %s at the end of what it learns "
                       "from, and needs %llu (fit.min_records): give it more, or ask for fewer",
                       timer->node->name, timer->models->kind->type, (unsigned long long)seen, of,
                       (unsigned long long)pace->fit_min);
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "the fit of \"%s\" (%s) has %llu records of %s after %lld s, and needs %llu "
                   "(fit.min_records): give it more time (fit.timeout), or fewer records",
                   timer->node->name, timer->models->kind->type, (unsigned long long)seen, of,
                   (long long)(pace->fit_timeout_ms / 1000), (unsigned long long)pace->fit_min);
}

/* Look whether the key's fit is complete. */
static enum mr_status judge_fit(struct mr_learned_timer *timer, struct mr_operator_context *context,
                                struct mr_slice key, uint64_t hash, int64_t timeout_at_ms,
                                bool *is_fit, struct mr_error *error)
{
    struct mr_learned_entry *entry;
    struct mr_learned_expanded *expanded;
    const struct mr_learned_pace *pace = timer->pace;
    enum mr_status status =
        mr_learned_models_expand(timer->models, key, hash, &entry, &expanded, error);
    uint64_t seen = status == MR_OK ? entry->seen : 0;
    *is_fit = false;
    if (status != MR_OK && status != MR_NOT_FOUND)
        return status;
    bool is_time = context->now_ms >= timeout_at_ms;
    if (seen < pace->fit_max && !is_time && !has_input_ended(context))
        return MR_OK;
    if (seen < pace->fit_min)
        return refuse_fit(timer, key, seen, !is_time, error);
    *is_fit = true;
    return complete(timer, context, key, hash, error);
}

/* ---- Batches ---- */

static void emit(struct mr_learned_timer *timer, struct mr_operator_context *context)
{
    struct mr_batch *batch = timer->output;
    timer->output = NULL;
    if (batch != NULL && batch->rows_count > 0)
        mr_operator_emit(context, 0, mr_batch_view(batch));
}

/* Some rows of the batch that is due: first is the number of their model's row. Returns how many
 * were drawn; *there: how many of them there are. */
static uint32_t make_rows(struct mr_learned_timer *timer, struct mr_operator_context *context,
                          struct mr_slice key, const struct mr_learned_expanded *expanded,
                          const struct mr_pace_entry *entry, uint64_t first, uint64_t count,
                          uint32_t *there)
{
    int64_t times_ms[MR_LEARNED_DRAW_MAX];
    if (timer->output != NULL && timer->output->rows_count == timer->output->rows_capacity)
        emit(timer, context);
    if (timer->output == NULL) {
        timer->output = mr_operator_batch_new(context, 0, NULL, MR_LIMIT_BATCH_ROWS);
        timer->output->origin = (struct mr_origin){timer->node->name, timer->models->partition};
        timer->output->sequence_first = mr_hash64_seeded(key, first);
    }
    struct mr_batch *batch = timer->output;
    uint32_t from = batch->rows_count;
    uint32_t room = batch->rows_capacity - from;
    uint32_t rows = count < MR_LEARNED_DRAW_MAX ? (uint32_t)count : MR_LEARNED_DRAW_MAX;
    rows = rows < room ? rows : room;
    for (uint32_t row = 0; row < rows; row++)
        times_ms[row] = entry->next_ms;
    *there = mr_learned_rows_draw(&timer->rows, batch, key, expanded, expanded->sampler, first,
                                  rows, times_ms);
    if (!timer->has_metadata)
        return rows;
    struct mr_value number =
        mr_timed_batch_id(batch->arena, entry->timed_samples / timer->pace->batch_size + 1);
    struct mr_value time = mr_timed_text(batch->arena, entry->next_ms);
    for (uint32_t row = from; row < batch->rows_count; row++) {
        mr_learned_rows_other(&timer->rows, batch, MR_TIMED_BATCH_ID)[row] = number;
        mr_learned_rows_other(&timer->rows, batch, MR_TIMED_GENERATED_AT)[row] = time;
    }
    return rows;
}

/* The batch has been made: when is the next one due? */
static void step(const struct mr_learned_timer *timer, struct mr_pace_entry *entry, int64_t now_ms)
{
    const struct mr_learned_pace *pace = timer->pace;
    uint64_t batches = entry->timed_samples / pace->batch_size;
    if (pace->interval_ms > 0)
        entry->next_ms = entry->started_ms + mr_learned_pace_batch_ms(pace, batches);
    else if (now_ms > entry->next_ms)
        entry->next_ms = now_ms;
}

/* Take rows of the model for a batch: *first is the number of the first. MR_INVALID: none can be
 * drawn now. */
static enum mr_status reserve(struct mr_learned_timer *timer, struct mr_slice key, uint64_t hash,
                              struct mr_learned_entry **model,
                              struct mr_learned_expanded **expanded, struct mr_error *error)
{
    enum mr_status status = mr_learned_models_sampler(timer->models, key, hash, expanded, error);
    if (status != MR_OK)
        return status;
    return mr_learned_models_expand(timer->models, key, hash, model, expanded, error);
}

/* Make the rest of the batch that is due, as far as the transaction has room. */
static enum mr_status make_batch(struct mr_learned_timer *timer,
                                 struct mr_operator_context *context, struct mr_slice key,
                                 uint64_t hash, struct mr_pace_entry *copy, bool *is_full,
                                 struct mr_error *error)
{
    const struct mr_learned_pace *pace = timer->pace;
    struct mr_learned_entry *model;
    struct mr_learned_expanded *expanded;
    uint64_t begun = copy->timed_samples % pace->batch_size;
    uint64_t count = pace->batch_size - begun;
    if (count > pace->samples_max - copy->timed_samples)
        count = pace->samples_max - copy->timed_samples;
    enum mr_status status = reserve(timer, key, hash, &model, &expanded, error);
    if (status != MR_OK)
        return status;
    uint64_t first = model->made;
    uint64_t made = 0;
    uint64_t refused = 0;
    while (made < count && !*is_full) {
        uint32_t there;
        uint32_t rows =
            make_rows(timer, context, key, expanded, copy, first + made, count - made, &there);
        made += rows;
        refused += rows - there;
        *is_full = mr_operator_is_enough(context);
    }
    model->made += made;
    model->refused += refused;
    mr_table_dirty(timer->models->table, model);
    copy->timed_samples += made;
    mr_pace_note(copy, made - refused, begun == 0 ? 1 : 0, context->now_ms);
    if (made == count)
        step(timer, copy, context->now_ms);
    return MR_OK;
}

/* ---- What is due ---- */

/* A fit that is complete ends, a timer that may begin begins; then the batch that is due is made.
 * waits: not before the model has learned more. */
static enum mr_status advance(struct mr_learned_timer *timer, struct mr_operator_context *context,
                              struct mr_slice key, uint64_t hash, struct mr_pace_entry *copy,
                              bool *waits, bool *is_full, struct mr_error *error)
{
    struct mr_learned_pace *pace = timer->pace;
    bool ready = true;
    enum mr_status status = MR_OK;
    if (pace->has_fit && !copy->is_fit)
        status = judge_fit(timer, context, key, hash, copy->fit_ms + pace->fit_timeout_ms,
                           &copy->is_fit, error);
    if (status != MR_OK || !pace->is_timed || (pace->has_fit && !copy->is_fit))
        return status;
    if (copy->started_ms == INT64_MIN) {
        status = is_ready(timer, key, hash, &ready, error);
        if (status != MR_OK || !ready)
            return status;
        copy->started_ms = context->now_ms;
        copy->next_ms = context->now_ms;
    }
    if (copy->timed_samples >= pace->samples_max || copy->next_ms > context->now_ms)
        return MR_OK;
    status = make_batch(timer, context, key, hash, copy, is_full, error);
    *waits = status == MR_INVALID && pace->fit_max == UINT64_MAX; /* else it learns no more */
    return *waits ? MR_OK : status;
}

/* One key whose time has come. */
static enum mr_status take_due(struct mr_learned_timer *timer, struct mr_operator_context *context,
                               struct mr_slice borrowed, uint64_t hash,
                               const struct mr_pace_entry *found, bool *is_full,
                               struct mr_error *error)
{
    struct mr_pace_entry copy = *found;
    struct mr_pace_entry *entry;
    struct mr_slice key = mr_arena_copy(context->arena, borrowed);
    bool waits = false;
    enum mr_status status = advance(timer, context, key, hash, &copy, &waits, is_full, error);
    if (status == MR_NOT_FOUND) /* the model was dropped (`state`) */
        return mr_table_remove(timer->pace->table, key, hash, error);
    if (status != MR_OK)
        return status;
    status = mr_learned_pace_get(timer->pace, key, hash, context->now_ms, &entry, error);
    if (status != MR_OK)
        return status;
    *entry = copy;
    mr_learned_pace_schedule(timer->pace, entry,
                             waits ? INT64_MAX : mr_learned_pace_due(timer->pace, entry));
    return MR_OK;
}

/* The whole stream is one key: it is there before its first record, for its fit's time-out. */
static enum mr_status begin(struct mr_learned_timer *timer, struct mr_operator_context *context,
                            struct mr_error *error)
{
    struct mr_pace_entry *entry;
    struct mr_slice key = {0};
    if (timer->is_begun || !timer->pace->has_fit || !timer->node->key.global)
        return MR_OK;
    enum mr_status status =
        mr_learned_pace_get(timer->pace, key, mr_hash64(key), context->now_ms, &entry, error);
    if (status != MR_OK)
        return status;
    mr_learned_pace_schedule(timer->pace, entry, mr_learned_pace_due(timer->pace, entry));
    timer->is_begun = true;
    return MR_OK;
}

enum mr_status mr_learned_timer_go_on(struct mr_learned_timer *timer,
                                      struct mr_operator_context *context, int64_t *due_ms,
                                      struct mr_error *error)
{
    bool is_full = false;
    enum mr_status status = begin(timer, context, error);
    timer->output = NULL;
    while (status == MR_OK) {
        struct mr_slice key;
        uint64_t hash;
        void *object;
        bool found;
        *due_ms = INT64_MAX;
        status = mr_table_next_due(timer->pace->table, INT64_MAX - 1, &key, &hash, &object, &found,
                                   error);
        if (status != MR_OK || !found)
            break;
        const struct mr_pace_entry *entry = object;
        bool is_judged = timer->pace->has_fit && !entry->is_fit && has_input_ended(context);
        *due_ms = entry->due_ms;
        if ((*due_ms > context->now_ms && !is_judged) || is_full)
            break;
        status = take_due(timer, context, key, hash, object, &is_full, error);
    }
    if (status == MR_OK)
        emit(timer, context);
    return status == MR_OK && is_full && *due_ms <= context->now_ms ? MR_AGAIN : status;
}
