/* operators/learned_answers.c — see learned_answers.h. */
#include "operators/learned_answers.h"

#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/hash.h"
#include "base/memory.h"
#include "operators/learned_conditions.h"
#include "operators/learned_timer.h"

enum { REPLIES = 1, ROWS_FIRST = 512, SAMPLER_ARENA_BYTES = 4096 };

static const char code_impossible[] = "impossible";
static const char code_not_ready[] = "not_ready";
static const char code_too_many[] = "too_many_requests";
static const char code_topic[] = "reply_topic_refused";

const struct mr_output_field mr_reply_fields[MR_REPLY_FIELDS_COUNT] = {
    [MR_REPLY_ACTION] = {"action", MR_TYPE_STRING, "complete, error or stats; not of data."},
    [MR_REPLY_STATUS] = {"status", MR_TYPE_STRING, "The same; not of data."},
    [MR_REPLY_CODE] = {"code", MR_TYPE_STRING,
                       "Of an error: bad_request, impossible, not_ready, too_many_requests, "
                       "reply_topic_refused."},
    [MR_REPLY_MESSAGE] = {"message", MR_TYPE_STRING, "Of an error: a sentence."},
    [MR_REPLY_REQUEST_ID] = {"request_id", MR_TYPE_ANY, "As in the request."},
    [MR_REPLY_N_SAMPLES] = {"n_samples", MR_TYPE_INT, "Records that were made."},
    [MR_REPLY_N_BATCHES] = {"n_batches", MR_TYPE_INT, "And their batches."},
    [MR_REPLY_PROBABILITY] = {"condition_probability", MR_TYPE_DOUBLE,
                              "How likely a record meets the conditions."},
    [MR_REPLY_N_REFUSED] = {"n_refused", MR_TYPE_INT,
                            "Records that were asked for and may not be made (privacy); of stats: "
                            "of the key."},
    [MR_REPLY_N_REDRAWN] = {"n_redrawn", MR_TYPE_INT,
                            "Rows that were drawn anew (privacy), besides those asked for; of "
                            "stats: of all requests."},
    [MR_REPLY_TOTAL_SAMPLES] = {"total_samples", MR_TYPE_INT, "Of stats: records made of the key."},
    [MR_REPLY_TOTAL_BATCHES] = {"total_batches", MR_TYPE_INT, "Of stats: and their batches."},
    [MR_REPLY_SAMPLES_PER_SECOND] = {"samples_per_second", MR_TYPE_DOUBLE,
                                     "Of stats: records by seconds from the first to the last."},
    [MR_REPLY_ELAPSED_TIME] = {"elapsed_time", MR_TYPE_DOUBLE,
                               "Of stats: seconds from the first record made to the last."},
    [MR_REPLY_CONDITION_SAMPLES] = {"condition_samples", MR_TYPE_INT,
                                    "Of stats: records made under conditions of requests."},
    [MR_REPLY_CONDITION_HIT_RATE] = {"condition_hit_rate", MR_TYPE_DOUBLE,
                                     "Of stats: of the rows that would have been drawn for these "
                                     "without conditions, the share that meets them."},
    [MR_REPLY_MODEL] = {"model", MR_TYPE_ANY,
                        "Of stats: rows, effective_rows, refits, last_refit, and by field drift "
                        "and missing, as a query of the state tells."},
    [MR_REPLY_MODEL_VERSION] = {"model_version", MR_TYPE_INT,
                                "Batches that the model had learned; the version of one that is "
                                "followed."},
    [MR_REPLY_BATCH_ID] = {"_batch_id", MR_TYPE_STRING, "Of data: batch-001 and on."},
    [MR_REPLY_GENERATED_AT] = {"_generated_at", MR_TYPE_STRING,
                               "Of data: the time of the request, RFC 3339 in UTC."},
    [MR_REPLY_REPLY_TOPIC] = {"reply_topic", MR_TYPE_STRING,
                              "As in the request, where it names one: for the sink's topic_from."},
};

/* ---- Opening ---- */

enum mr_status mr_learned_answers_open(struct mr_learned_answers *answers,
                                       const struct mr_operator_open *open,
                                       struct mr_learned_models *models,
                                       struct mr_learned_pace *pace, struct mr_error *error)
{
    const struct mr_options *options = &open->node->options;
    answers->node = open->node;
    answers->models = models;
    answers->pace = pace;
    answers->open_max = (uint32_t)mr_options_integer(options, "max_open_requests");
    answers->min_records = (double)mr_options_integer(options, "min_records");
    mr_learned_rows_bind(&answers->rows, open->plan, open->node, REPLIES, models->kind);
    for (uint32_t index = 0; index < MR_LEARNED_SAMPLERS; index++) {
        answers->samplers[index].sampler =
            models->kind->sampler_create(options, MR_LEARNED_CONDITIONS_MAX);
        mr_arena_init(&answers->samplers[index].arena, SAMPLER_ARENA_BYTES);
    }
    return mr_request_queue_open(&answers->queue, open, error);
}

void mr_learned_answers_close(struct mr_learned_answers *answers)
{
    if (answers->models == NULL)
        return;
    for (uint32_t index = 0; index < MR_LEARNED_SAMPLERS; index++) {
        answers->models->kind->sampler_destroy(answers->samplers[index].sampler);
        mr_arena_deinit(&answers->samplers[index].arena);
    }
}

/* ---- Records ---- */

static void emit(struct mr_learned_answers *answers, struct mr_operator_context *context)
{
    struct mr_batch *batch = answers->output;
    answers->output = NULL;
    if (batch != NULL && batch->rows_count > 0)
        mr_operator_emit(context, REPLIES, mr_batch_view(batch));
}

/* A batch with room. name: of its first row, for ids and randomness behind. */
static struct mr_batch *output_batch(struct mr_learned_answers *answers,
                                     struct mr_operator_context *context, uint64_t name)
{
    if (answers->output != NULL && answers->output->rows_count == answers->output->rows_capacity)
        emit(answers, context);
    if (answers->output != NULL)
        return answers->output;
    answers->output = mr_operator_batch_new(context, REPLIES, NULL, MR_LIMIT_BATCH_ROWS);
    answers->output->origin = (struct mr_origin){answers->node->name, answers->models->partition};
    answers->output->sequence_first = name;
    return answers->output;
}

static void set(struct mr_learned_answers *answers, struct mr_batch *batch,
                enum mr_reply_field field, uint32_t row, struct mr_value value)
{
    mr_learned_rows_other(&answers->rows, batch, field)[row] = value;
}

static struct mr_value copied(struct mr_batch *batch, struct mr_value value)
{
    return value.kind == MR_KIND_STRING
               ? mr_value_string(mr_arena_copy(batch->arena, mr_value_text(value)))
               : value;
}

/* A row that is about a request as a whole. */
static uint32_t add_status(struct mr_learned_answers *answers, struct mr_batch *batch,
                           struct mr_slice key, int64_t time_ms, const char *status,
                           struct mr_value id, struct mr_slice topic)
{
    uint32_t row = mr_learned_rows_add(&answers->rows, batch, key, time_ms);
    set(answers, batch, MR_REPLY_ACTION, row, mr_value_string(mr_slice_text(status)));
    set(answers, batch, MR_REPLY_STATUS, row, mr_value_string(mr_slice_text(status)));
    set(answers, batch, MR_REPLY_REQUEST_ID, row, copied(batch, id));
    if (topic.size > 0)
        set(answers, batch, MR_REPLY_REPLY_TOPIC, row, copied(batch, mr_value_string(topic)));
    return row;
}

struct refusal {
    const char *code;
    struct mr_error error;
};

static void add_error(struct mr_learned_answers *answers, struct mr_operator_context *context,
                      struct mr_slice key, int64_t time_ms, struct mr_value id,
                      struct mr_slice topic, const struct refusal *refusal)
{
    struct mr_batch *batch =
        output_batch(answers, context, mr_hash64_seeded(key, (uint64_t)time_ms));
    uint32_t row = add_status(answers, batch, key, time_ms, "error", id, topic);
    struct mr_slice message =
        mr_slice_text(mr_arena_copy_text(batch->arena, refusal->error.message));
    set(answers, batch, MR_REPLY_CODE, row, mr_value_string(mr_slice_text(refusal->code)));
    set(answers, batch, MR_REPLY_MESSAGE, row, mr_value_string(message));
}

/* ---- Samplers ---- */

/* The request's sampler, made for the model; valid until the next call. MR_INVALID: its conditions
 * are wrong or impossible, as the code says. */
static enum mr_status find_sampler(struct mr_learned_answers *answers, uint64_t sequence,
                                   struct mr_slice conditions,
                                   const struct mr_learned_expanded *expanded,
                                   struct mr_answer_sampler **found, struct refusal *refusal)
{
    struct mr_answer_sampler *oldest = &answers->samplers[0];
    struct mr_learned_conditions bound = {0};
    answers->turns++;
    for (uint32_t index = 0; index < MR_LEARNED_SAMPLERS; index++) {
        struct mr_answer_sampler *one = &answers->samplers[index];
        if (one->is_made && one->sequence == sequence && one->blocks == expanded->blocks) {
            one->used = answers->turns;
            *found = one;
            return MR_OK;
        }
        if (one->used < oldest->used)
            oldest = one;
    }
    oldest->is_made = false;
    mr_arena_reset(&oldest->arena);
    enum mr_status status = mr_learned_conditions_read(
        conditions, mr_options_get(&answers->node->options, "fields"), answers->models->kind,
        expanded->model, &oldest->arena, &bound, &refusal->error);
    refusal->code = mr_request_bad;
    if (status == MR_OK) {
        refusal->code = code_impossible;
        status = answers->models->kind->sampler_make(oldest->sampler, expanded->model,
                                                     answers->models->work, bound, &refusal->error);
    }
    if (status != MR_OK)
        return status;
    oldest->sequence = sequence;
    oldest->blocks = expanded->blocks;
    oldest->used = answers->turns;
    oldest->is_made = true;
    *found = oldest;
    return MR_OK;
}

void mr_learned_answers_forget(struct mr_learned_answers *answers)
{
    for (uint32_t index = 0; index < MR_LEARNED_SAMPLERS; index++)
        answers->samplers[index].is_made = false;
}

/* ---- Taking requests ---- */

/* `*` stands for any characters. */
static bool matches(const char *pattern, struct mr_slice text)
{
    const char *star = NULL;
    size_t mark = 0;
    size_t at = 0;
    while (at < text.size) {
        if (*pattern == '*') {
            star = pattern++;
            mark = at;
        } else if (*pattern == (char)text.data[at]) {
            pattern++;
            at++;
        } else if (star != NULL) {
            pattern = star + 1;
            at = ++mark;
        } else {
            return false;
        }
    }
    while (*pattern == '*')
        pattern++;
    return *pattern == '\0';
}

bool mr_learned_answers_may_name(const struct mr_options *options, struct mr_slice topic)
{
    const struct mr_option_value *patterns = mr_options_get(options, "reply_topics");
    for (uint32_t index = 0; index < patterns->count; index++)
        if (matches(patterns->texts[index], topic))
            return true;
    return false;
}

/* What can be told before the model is looked at. */
static enum mr_status check(struct mr_learned_answers *answers, struct mr_request *request,
                            struct refusal *refusal)
{
    if (request->reply_topic.size > 0 &&
        !mr_learned_answers_may_name(&answers->node->options, request->reply_topic)) {
        struct mr_slice topic = request->reply_topic;
        request->reply_topic = (struct mr_slice){0}; /* the refusal does not go there */
        refusal->code = code_topic;
        return MR_FAIL(&refusal->error, MR_INVALID, MR_RECOVERY_NONE,
                       "replies do not go to the topic %.*s: `reply_topics` of '%s' does not list "
                       "it",
                       (int)topic.size, (const char *)topic.data, answers->node->name);
    }
    if (request->action == MR_REQUEST_STATS ||
        mr_request_queue_count(&answers->queue) < answers->open_max)
        return MR_OK;
    refusal->code = code_too_many;
    return MR_FAIL(&refusal->error, MR_INVALID, MR_RECOVERY_NONE,
                   "%u requests are being answered, as many as may be (max_open_requests): ask "
                   "again later",
                   answers->open_max);
}

/* The key's model is there, and can be asked for these conditions. */
static enum mr_status check_model(struct mr_learned_answers *answers, struct mr_slice key,
                                  struct mr_slice conditions, struct mr_learned_entry **entry,
                                  struct refusal *refusal)
{
    struct mr_learned_expanded *expanded;
    struct mr_answer_sampler *sampler;
    enum mr_status status = mr_learned_models_expand(answers->models, key, mr_hash64(key), entry,
                                                     &expanded, &refusal->error);
    double learned = status == MR_OK ? (double)(*entry)->known : 0;
    bool is_enough = answers->pace->has_fit || learned >= answers->min_records;
    refusal->code = code_not_ready;
    if (status == MR_NOT_FOUND || (status == MR_OK && ((*entry)->known == 0 || !is_enough)))
        return MR_FAIL(
            &refusal->error, MR_INVALID, MR_RECOVERY_NONE,
            "the model has learned %.0f records, and makes none before it has learned "
            "%.0f (%s)",
            learned, answers->pace->has_fit ? (double)answers->pace->fit_min : answers->min_records,
            answers->pace->has_fit ? "fit" : "min_records");
    if (status != MR_OK)
        return status;
    /* Under a sequence that no request has, and not kept: the request gets its own. */
    status = find_sampler(answers, UINT64_MAX, conditions, expanded, &sampler, refusal);
    if (status == MR_OK)
        sampler->is_made = false;
    return status;
}

/* The key's fit is complete. */
static enum mr_status check_fit(struct mr_learned_answers *answers, struct mr_slice key,
                                struct refusal *refusal)
{
    bool is_fit;
    refusal->code = code_not_ready;
    enum mr_status status =
        mr_learned_pace_is_fit(answers->pace, key, mr_hash64(key), &is_fit, &refusal->error);
    if (status != MR_OK || is_fit)
        return status;
    return MR_FAIL(&refusal->error, MR_INVALID, MR_RECOVERY_NONE,
                   "the model is being fitted: it makes no records before it has learned %llu "
                   "(fit.min_records) and fit.timeout or fit.max_records has come",
                   (unsigned long long)answers->pace->fit_min);
}

/* Let a request wait for its turns. */
static enum mr_status accept(struct mr_learned_answers *answers,
                             struct mr_operator_context *context, const struct mr_request *request,
                             struct mr_slice key, int64_t time_ms, struct refusal *refusal)
{
    struct mr_queued_request *queued = &answers->request;
    struct mr_learned_entry *entry;
    uint64_t sequence;
    if (!mr_queued_request_set(queued, request, key, time_ms)) {
        refusal->code = mr_request_bad;
        return MR_FAIL(&refusal->error, MR_INVALID, MR_RECOVERY_NONE,
                       "the request's key, id, reply topic and conditions have more than %d bytes",
                       MR_REQUEST_TEXTS_BYTES_MAX);
    }
    enum mr_status status = check_fit(answers, key, refusal);
    if (status == MR_OK)
        status = check_model(answers, key, request->conditions, &entry, refusal);
    if (status != MR_OK)
        return status;
    queued->first = entry->made;
    entry->made += request->samples;
    mr_table_dirty(answers->models->table, entry);
    mr_operator_wake(context, context->now_ms);
    return mr_request_queue_add(&answers->queue, queued, &sequence, &refusal->error);
}

/* What was made on request and by the clock. */
static void set_statistics(struct mr_learned_answers *answers, struct mr_batch *batch, uint32_t row,
                           const struct mr_pace_entry *entry)
{
    struct mr_pace_statistics statistics;
    mr_pace_statistics(entry, &statistics);
    set(answers, batch, MR_REPLY_TOTAL_SAMPLES, row,
        mr_value_int((int64_t)statistics.total_samples));
    set(answers, batch, MR_REPLY_TOTAL_BATCHES, row,
        mr_value_int((int64_t)statistics.total_batches));
    set(answers, batch, MR_REPLY_SAMPLES_PER_SECOND, row,
        mr_value_double(statistics.samples_per_second));
    set(answers, batch, MR_REPLY_ELAPSED_TIME, row, mr_value_double(statistics.elapsed_s));
    set(answers, batch, MR_REPLY_N_REDRAWN, row, mr_value_int((int64_t)statistics.redrawn));
    set(answers, batch, MR_REPLY_CONDITION_SAMPLES, row,
        mr_value_int((int64_t)statistics.conditioned_samples));
    if (!isnan(statistics.hit_rate))
        set(answers, batch, MR_REPLY_CONDITION_HIT_RATE, row, mr_value_double(statistics.hit_rate));
}

/* Numbers of the key: 0 where nothing was made yet. */
static enum mr_status tell_stats(struct mr_learned_answers *answers,
                                 struct mr_operator_context *context,
                                 const struct mr_request *request, struct mr_slice key,
                                 int64_t time_ms, struct mr_error *error)
{
    void *object;
    struct mr_learned_entry *model = NULL;
    struct mr_learned_expanded *expanded;
    struct mr_pace_entry entry = {.first_ms = INT64_MIN};
    uint64_t hash = mr_hash64(key);
    const struct mr_learned_kind *kind = answers->models->kind;
    enum mr_status status = mr_table_find(answers->pace->table, key, hash, &object, error);
    if (status == MR_OK)
        entry = *(const struct mr_pace_entry *)object;
    if (status == MR_OK || status == MR_NOT_FOUND)
        status = mr_learned_models_expand(answers->models, key, hash, &model, &expanded, error);
    if (status != MR_OK && status != MR_NOT_FOUND)
        return status;
    bool is_there = status == MR_OK;
    struct mr_batch *batch =
        output_batch(answers, context, mr_hash64_seeded(key, (uint64_t)time_ms));
    uint32_t row =
        add_status(answers, batch, key, time_ms, "stats", request->id, request->reply_topic);
    set_statistics(answers, batch, row, &entry);
    set(answers, batch, MR_REPLY_N_REFUSED, row,
        mr_value_int(is_there ? (int64_t)model->refused : 0));
    set(answers, batch, MR_REPLY_MODEL_VERSION, row,
        mr_value_int(is_there ? (int64_t)model->blocks : 0));
    if (is_there && model->blocks > 0 && kind->statistics != NULL)
        set(answers, batch, MR_REPLY_MODEL, row,
            kind->statistics(expanded->model,
                             mr_options_get(&answers->node->options, "fields")->texts,
                             batch->arena));
    return MR_OK;
}

static enum mr_status take(struct mr_learned_answers *answers, struct mr_operator_context *context,
                           struct mr_batch *batch, uint32_t row, struct mr_slice key,
                           struct mr_error *error)
{
    struct mr_request request;
    struct refusal refusal = {.code = mr_request_bad};
    int64_t time_ms = batch->event_times_ms[row];
    enum mr_status status =
        mr_request_read(answers->node, batch, row, context->arena, &request, &refusal.error);
    if (status == MR_OK)
        status = check(answers, &request, &refusal);
    if (status == MR_OK && request.action == MR_REQUEST_STATS)
        status = tell_stats(answers, context, &request, key, time_ms, &refusal.error);
    else if (status == MR_OK)
        status = accept(answers, context, &request, key, time_ms, &refusal);
    if (status == MR_INVALID) {
        if (!mr_learned_answers_may_name(&answers->node->options, request.reply_topic))
            request.reply_topic = (struct mr_slice){0};
        add_error(answers, context, key, time_ms, request.id, request.reply_topic, &refusal);
        return MR_OK;
    }
    if (status != MR_OK)
        *error = refusal.error;
    return status;
}

/* The first of the key's fields that a request does not have; NULL: it has all. */
static const char *find_missing(const struct mr_plan_key *key, const struct mr_batch *batch,
                                uint32_t row)
{
    for (uint32_t at = 0; at < key->slots_count; at++) {
        uint8_t kind = batch->columns[key->slots[at]] == NULL
                           ? MR_KIND_ABSENT
                           : batch->columns[key->slots[at]][row].kind;
        if (kind <= MR_KIND_NULL) /* as of mr_batch_key */
            return key->texts[at];
    }
    return NULL;
}

/* A request that does not say of which key is answered, too. */
static void refuse_unkeyed(struct mr_learned_answers *answers, struct mr_operator_context *context,
                           struct mr_batch *batch, uint32_t row, const char *missing)
{
    struct mr_request request;
    struct refusal refusal = {.code = mr_request_bad};
    if (mr_request_read(answers->node, batch, row, context->arena, &request, &refusal.error) ==
        MR_OK)
        (void)MR_FAIL(&refusal.error, MR_INVALID, MR_RECOVERY_NONE,
                      "the request has no \"%s\": '%s' has a model for each key, and the request's "
                      "key fields say whose is asked for",
                      missing, answers->node->name);
    if (!mr_learned_answers_may_name(&answers->node->options, request.reply_topic))
        request.reply_topic = (struct mr_slice){0};
    add_error(answers, context, mr_slice_text(""), batch->event_times_ms[row], request.id,
              request.reply_topic, &refusal);
}

/* Those that have a key. */
static struct mr_view keyed_view(const struct mr_learned_answers *answers,
                                 struct mr_operator_context *context, struct mr_view view)
{
    const struct mr_plan_key *key = &answers->node->requests->key;
    uint16_t *rows = mr_arena_take(context->arena, view.rows_count * sizeof(*rows));
    struct mr_view keyed = {.batch = view.batch, .rows = rows};
    for (uint32_t index = 0; index < view.rows_count; index++)
        if (find_missing(key, view.batch, view.rows[index]) == NULL)
            rows[keyed.rows_count++] = view.rows[index];
    return keyed;
}

/* In the order of the rows: what is answered does not depend on how they come together. */
enum mr_status mr_learned_answers_take(struct mr_learned_answers *answers,
                                       struct mr_operator_context *context, struct mr_view view,
                                       struct mr_error *error)
{
    const struct mr_plan_key *key = &answers->node->requests->key;
    struct mr_view keyed;
    uint32_t next = 0;
    enum mr_status status = MR_OK;
    answers->output = NULL;
    const struct mr_slice *keys =
        mr_operator_keys_of(context, key, keyed_view(answers, context, view), &keyed);
    for (uint32_t index = 0; index < view.rows_count && status == MR_OK; index++) {
        uint32_t row = view.rows[index];
        const char *missing = find_missing(key, view.batch, row);
        if (missing != NULL)
            refuse_unkeyed(answers, context, view.batch, row, missing);
        else if (next < keyed.rows_count && keyed.rows[next] == row)
            status = take(answers, context, view.batch, keyed.rows[next++], keys[row], error);
    }
    if (status == MR_OK)
        emit(answers, context);
    return status;
}

/* ---- Turns ---- */

/* One request's turn. */
struct turn {
    uint64_t sequence;
    struct mr_slice key;
    const struct mr_learned_expanded *expanded;
    void *sampler;
    uint64_t made;
    uint64_t refused; /* in this turn */
    uint64_t redrawn;
};

/* What the records have besides the model's fields: rows from..behind - 1, of one batch id. */
static void describe_rows(struct mr_learned_answers *answers, struct mr_batch *batch,
                          const struct turn *turn, uint32_t from)
{
    const struct mr_queued_request *request = &answers->request;
    struct mr_slice topic = mr_queued_request_text(request, MR_QUEUED_TOPIC);
    struct mr_value id = copied(batch, mr_queued_request_id(request));
    struct mr_value time = mr_timed_text(batch->arena, request->time_ms);
    struct mr_value name = copied(batch, mr_value_string(topic));
    struct mr_value number = mr_timed_batch_id(batch->arena, turn->made / request->batch_size + 1);
    for (uint32_t row = from; row < batch->rows_count; row++) {
        set(answers, batch, MR_REPLY_REQUEST_ID, row, id);
        if (topic.size > 0)
            set(answers, batch, MR_REPLY_REPLY_TOPIC, row, name);
        if (!request->has_metadata)
            continue;
        set(answers, batch, MR_REPLY_BATCH_ID, row, number);
        set(answers, batch, MR_REPLY_GENERATED_AT, row, time);
        set(answers, batch, MR_REPLY_MODEL_VERSION, row,
            mr_value_int((int64_t)turn->expanded->blocks));
    }
}

/* Rows that the turn's sampler has drawn anew so far. */
static uint64_t redrawn_of(const struct mr_learned_answers *answers, const struct turn *turn)
{
    const struct mr_learned_kind *kind = answers->models->kind;
    return kind->redrawn == NULL ? 0 : kind->redrawn(turn->sampler);
}

/* Some rows of the request: of one batch id and one output batch. */
static void make_rows(struct mr_learned_answers *answers, struct mr_operator_context *context,
                      struct turn *turn)
{
    const struct mr_queued_request *request = &answers->request;
    uint64_t in_batch = request->batch_size - turn->made % request->batch_size;
    uint64_t count = request->samples - turn->made;
    int64_t times_ms[MR_LEARNED_DRAW_MAX];
    struct mr_batch *batch =
        output_batch(answers, context, mr_hash64_seeded(turn->key, request->first + turn->made));
    uint32_t from = batch->rows_count;
    count = count < in_batch ? count : in_batch;
    count = count < MR_LEARNED_DRAW_MAX ? count : MR_LEARNED_DRAW_MAX;
    if (count > batch->rows_capacity - from)
        count = batch->rows_capacity - from;
    for (uint64_t row = 0; row < count; row++)
        times_ms[row] = request->time_ms;
    uint64_t redrawn = redrawn_of(answers, turn);
    uint32_t there =
        mr_learned_rows_draw(&answers->rows, batch, turn->key, turn->expanded, turn->sampler,
                             request->first + turn->made, (uint32_t)count, times_ms);
    turn->refused += count - there;
    turn->redrawn += redrawn_of(answers, turn) - redrawn;
    describe_rows(answers, batch, turn, from);
    turn->made += count;
}

static void add_complete(struct mr_learned_answers *answers, struct mr_operator_context *context,
                         const struct turn *turn)
{
    const struct mr_queued_request *request = &answers->request;
    struct mr_batch *batch =
        output_batch(answers, context, mr_hash64_seeded(turn->key, request->first + turn->made));
    uint32_t row =
        add_status(answers, batch, turn->key, request->time_ms, "complete",
                   mr_queued_request_id(request), mr_queued_request_text(request, MR_QUEUED_TOPIC));
    uint64_t batches = (request->samples + request->batch_size - 1) / request->batch_size;
    set(answers, batch, MR_REPLY_N_SAMPLES, row,
        mr_value_int((int64_t)(request->samples - request->refused - turn->refused)));
    set(answers, batch, MR_REPLY_N_BATCHES, row, mr_value_int((int64_t)batches));
    set(answers, batch, MR_REPLY_N_REFUSED, row,
        mr_value_int((int64_t)(request->refused + turn->refused)));
    set(answers, batch, MR_REPLY_N_REDRAWN, row,
        mr_value_int((int64_t)(request->redrawn + turn->redrawn)));
    set(answers, batch, MR_REPLY_PROBABILITY, row,
        mr_value_double(answers->models->kind->probability(turn->sampler)));
    set(answers, batch, MR_REPLY_MODEL_VERSION, row, mr_value_int((int64_t)turn->expanded->blocks));
}

/* The request's model and sampler. MR_INVALID: they are not there any more. */
static enum mr_status begin_turn(struct mr_learned_answers *answers, struct turn *turn,
                                 struct refusal *refusal)
{
    const struct mr_queued_request *request = &answers->request;
    struct mr_learned_entry *entry;
    struct mr_learned_expanded *expanded;
    struct mr_answer_sampler *sampler;
    turn->key = mr_queued_request_text(request, MR_QUEUED_KEY);
    turn->made = request->made;
    refusal->code = code_not_ready;
    enum mr_status status = mr_learned_models_expand(
        answers->models, turn->key, mr_hash64(turn->key), &entry, &expanded, &refusal->error);
    if (status == MR_NOT_FOUND)
        return MR_FAIL(&refusal->error, MR_INVALID, MR_RECOVERY_NONE,
                       "the model was dropped after %llu of %llu records (`state`)",
                       (unsigned long long)request->made, (unsigned long long)request->samples);
    if (status != MR_OK)
        return status;
    turn->expanded = expanded;
    status =
        find_sampler(answers, turn->sequence, mr_queued_request_text(request, MR_QUEUED_CONDITIONS),
                     expanded, &sampler, refusal);
    turn->sampler = status == MR_OK ? sampler->sampler : NULL;
    return status;
}

static enum mr_status note(struct mr_learned_answers *answers, struct mr_operator_context *context,
                           const struct turn *turn, struct mr_error *error)
{
    const struct mr_queued_request *request = &answers->request;
    struct mr_pace_entry *entry;
    uint64_t size = request->batch_size;
    enum mr_status status = mr_learned_pace_get(answers->pace, turn->key, mr_hash64(turn->key),
                                                context->now_ms, &entry, error);
    if (status != MR_OK)
        return status;
    mr_pace_note(entry, turn->made - request->made - turn->refused,
                 (turn->made + size - 1) / size - (request->made + size - 1) / size,
                 context->now_ms);
    entry->redrawn += turn->redrawn;
    if (mr_queued_request_text(request, MR_QUEUED_CONDITIONS).size > 0)
        mr_pace_note_conditions(entry, turn->made - request->made - turn->refused,
                                answers->models->kind->probability(turn->sampler));
    mr_learned_pace_schedule(answers->pace, entry, entry->due_ms);
    return turn->refused == 0
               ? MR_OK
               : mr_learned_models_refuse(answers->models, turn->key, mr_hash64(turn->key),
                                          (uint32_t)turn->refused, error);
}

/* Make records of the request until it has had enough, or the transaction. */
static enum mr_status take_turn(struct mr_learned_answers *answers,
                                struct mr_operator_context *context, uint64_t sequence,
                                bool *is_full, struct mr_error *error)
{
    const struct mr_queued_request *request = &answers->request;
    struct turn turn = {.sequence = sequence};
    struct refusal refusal = {0};
    enum mr_status status = begin_turn(answers, &turn, &refusal);
    if (status == MR_INVALID) {
        add_error(answers, context, turn.key, request->time_ms, mr_queued_request_id(request),
                  mr_queued_request_text(request, MR_QUEUED_TOPIC), &refusal);
        return mr_request_queue_remove(&answers->queue, sequence, error);
    }
    if (status != MR_OK) {
        *error = refusal.error;
        return status;
    }
    while (!*is_full && turn.made < request->samples &&
           turn.made - request->made < MR_LEARNED_TURN_ROWS) {
        make_rows(answers, context, &turn);
        *is_full = mr_operator_is_enough(context);
    }
    bool is_complete = turn.made == request->samples;
    if (is_complete)
        add_complete(answers, context, &turn);
    status = note(answers, context, &turn, error);
    if (status != MR_OK)
        return status;
    return is_complete ? mr_request_queue_remove(&answers->queue, sequence, error)
                       : mr_request_queue_pass(&answers->queue, sequence, turn.made,
                                               request->refused + turn.refused,
                                               request->redrawn + turn.redrawn, error);
}

enum mr_status mr_learned_answers_go_on(struct mr_learned_answers *answers,
                                        struct mr_operator_context *context, struct mr_error *error)
{
    uint64_t sequence;
    bool found = true;
    bool is_full = false;
    enum mr_status status = MR_OK;
    answers->output = NULL;
    while (status == MR_OK && !is_full) {
        status =
            mr_request_queue_next(&answers->queue, &sequence, &answers->request, &found, error);
        if (status != MR_OK || !found)
            break;
        status = take_turn(answers, context, sequence, &is_full, error);
    }
    if (status == MR_OK)
        emit(answers, context);
    return status == MR_OK && found && is_full ? MR_AGAIN : status;
}
