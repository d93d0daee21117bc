/* operators/generate_model.c — generate.model: follows models that are published on a topic, and
 * makes synthetic records from them by the clock and on request.
 * Design: a record of the input `models` replaces its key's model in the state (learned_models.h),
 * in the transaction that reads it; requests and the clock are those of generators that learn
 * (learned_answers.h, learned_timer.h). So what is made is made once, by the model that the same
 * transaction knows, and a model that was read is known after any crash. */
#include "base/assert.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/followed_copula.h"
#include "operators/learned_document.h"
#include "operators/learned_generator.h"
#include "operators/registry.h"
#include "record/json_write.h"

enum { MODEL_BYTES_MIN = 1024, MODEL_BYTES_MOST = 8 << 20 };

struct follower {
    struct mr_learned_models models;
    const struct mr_plan_node *node;
    uint32_t field; /* slot of the document */
    struct mr_copula_condition conditions[MR_LEARNED_CONDITIONS_MAX];
    struct mr_learned_pace pace; /* open where one of these is asked for: */
    struct mr_learned_answers answers;
    struct mr_learned_timer timer;
    bool is_paced;
};

static enum mr_status follower_open(void *self, const struct mr_operator_open *open,
                                    struct mr_error *error)
{
    struct follower *follower = self;
    const struct mr_plan_node *node = open->node;
    follower->node = node;
    follower->field = mr_options_slot(&node->options, "field");
    follower->models.kind = &mr_followed_copula_kind;
    follower->models.conditions = mr_learned_conditions_bind(&node->options, follower->conditions);
    enum mr_status status = mr_learned_models_open(&follower->models, open, error);
    follower->is_paced = mr_pace_is_asked(&node->options);
    if (status == MR_OK && (follower->is_paced || node->requests != NULL))
        status = mr_learned_pace_open(&follower->pace, open, error);
    if (follower->is_paced)
        mr_learned_timer_open(&follower->timer, open, &follower->models, &follower->pace);
    if (status != MR_OK || node->requests == NULL)
        return status;
    return mr_learned_answers_open(&follower->answers, open, &follower->models, &follower->pace,
                                   error);
}

static void follower_close(void *self)
{
    struct follower *follower = self;
    mr_learned_answers_close(&follower->answers);
    mr_learned_models_close(&follower->models);
}

/* ---- Models ---- */

/* A model as text: an object of a record that was read, or the JSON of one that a merger in the
 * same task has made. False: it is neither. */
static bool read_text(struct mr_operator_context *context, struct mr_value cell,
                      struct mr_slice *document)
{
    if (cell.kind == MR_KIND_JSON) {
        *document = mr_value_text(cell);
        return true;
    }
    if (cell.kind != MR_KIND_MAP)
        return false;
    uint8_t *text = mr_arena_take(context->arena, mr_json_write_bound(cell) + MR_JSON_WRITE_SLACK);
    const uint8_t *end = mr_json_write(text, cell);
    if (end != NULL)
        *document = mr_slice_from(text, (size_t)(end - text));
    return end != NULL;
}

/* The row's document. False: reported. */
static bool read_row(const struct follower *follower, struct mr_operator_context *context,
                     const struct mr_batch *batch, uint32_t row, struct mr_slice *document,
                     struct mr_followed_facts *facts)
{
    struct mr_error error = {0};
    if (!read_text(context, batch->columns[follower->field][row], document)) {
        mr_operator_row_error(context, batch, row,
                              "the field %s is no object: it should be a model, as `millrace model "
                              "save` and model.merge write it",
                              mr_options_text(&follower->node->options, "field"));
        return false;
    }
    if (mr_followed_copula_check(&follower->node->options, *document, facts, &error) == MR_OK)
        return true;
    mr_operator_row_error(context, batch, row, "%s", error.message);
    return false;
}

static enum mr_status take_row(struct follower *follower, struct mr_operator_context *context,
                               const struct mr_batch *batch, uint32_t row, struct mr_slice key,
                               struct mr_error *error)
{
    struct mr_slice document;
    struct mr_followed_facts facts;
    struct mr_learned_entry *entry;
    uint64_t hash = mr_hash64(key);
    if (!read_row(follower, context, batch, row, &document, &facts))
        return MR_OK;
    enum mr_status status = mr_learned_models_get(&follower->models, key, hash,
                                                  batch->event_times_ms[row], &entry, error);
    if (status != MR_OK)
        return status;
    entry->seen++;
    entry->known = facts.rows;
    if (entry->seen == 1 || batch->event_times_ms[row] > entry->latest_ms)
        entry->latest_ms = batch->event_times_ms[row];
    status =
        mr_learned_models_replace(&follower->models, hash, entry, document, facts.version, error);
    if (status == MR_OK && follower->node->requests != NULL)
        mr_learned_answers_forget(&follower->answers);
    return status == MR_OK && follower->is_paced
               ? mr_learned_timer_touch(&follower->timer, context, key, hash, error)
               : status;
}

static enum mr_status follower_process(void *self, struct mr_operator_context *context,
                                       uint32_t port, struct mr_view view, struct mr_error *error)
{
    struct follower *follower = self;
    struct mr_view keyed;
    if (follower->node->requests != NULL && port == follower->node->requests->port)
        return mr_learned_answers_take(&follower->answers, context, view, error);
    const struct mr_slice *keys = mr_operator_keys(context, follower->node, view, &keyed);
    (void)mr_batch_column(view.batch, follower->field);
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < keyed.rows_count && status == MR_OK; index++) {
        uint32_t row = keyed.rows[index];
        status = take_row(follower, context, view.batch, row, keys[row], error);
    }
    return status;
}

static enum mr_status follower_watermark(void *self, struct mr_operator_context *context,
                                         struct mr_error *error)
{
    struct follower *follower = self;
    return mr_table_expire(follower->models.table, context->watermark_ms, error);
}

static enum mr_status follower_wall(void *self, struct mr_operator_context *context,
                                    int64_t *due_ms, struct mr_error *error)
{
    struct follower *follower = self;
    enum mr_status status = MR_OK;
    *due_ms = INT64_MAX;
    if (follower->node->requests != NULL)
        status = mr_learned_answers_go_on(&follower->answers, context, error);
    return status == MR_OK && follower->is_paced
               ? mr_learned_timer_go_on(&follower->timer, context, due_ms, error)
               : status;
}

/* ---- Description ---- */

static enum mr_status follower_describe(const struct mr_state_object *object,
                                        struct mr_arena *arena,
                                        struct mr_state_description *description,
                                        struct mr_error *error)
{
    struct mr_learned_entry entry;
    if (!mr_learned_entry_decode(&entry, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_member(description, "models_seen", mr_value_uint(entry.seen));
    mr_describe_member(description, "model_version", mr_value_uint(entry.blocks));
    mr_describe_member(description, "rows", mr_value_uint(entry.known));
    mr_describe_member(description, "model_bytes", mr_value_uint(entry.model_bytes));
    mr_describe_member(description, "made", mr_value_uint(entry.made));
    mr_describe_time(description, "latest", entry.latest_ms);
    return mr_learned_pace_describe(object, arena, description, error);
}

static enum mr_status follower_write_model(const struct mr_state_object *object,
                                           const struct mr_plan_node *node, const char *name,
                                           struct mr_buffer *output, struct mr_error *error)
{
    struct mr_learned_entry entry;
    struct mr_slice bytes;
    if (!mr_learned_entry_decode(&entry, object->version, object->encoded))
        return mr_operator_not_described(error);
    if (entry.blocks == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_NONE, "%s has read no model yet", name);
    if (entry.model_bytes > mr_followed_copula_kind.bytes_max(&node->options))
        return mr_operator_not_described(error);
    enum mr_status status = mr_learned_read_bytes(object, entry.model_bytes, &bytes, error);
    if (status != MR_OK)
        return status;
    if (mr_buffer_append(output, bytes.data, bytes.size) != MR_OK)
        return MR_FAIL(error, MR_LIMIT, MR_RECOVERY_NONE, "the model of %s exceeds %zu bytes", name,
                       output->size_max);
    return MR_OK;
}

static void follower_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    uint64_t slots = mr_learned_model_slots(mr_followed_copula_kind.bytes_max(options));
    uint64_t slot_bytes = MR_LEARNED_SLOT_BYTES + MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    mr_estimate_slots(sizeof(struct mr_learned_entry), MR_LEARNED_ENTRY_BYTES,
                      MR_LEARNED_SLOT_BYTES, slots, estimate);
    estimate->changelog_bytes_per_record += slots * slot_bytes;
}

/* ---- Tables ---- */

static const struct mr_option_spec follower_options[] = {
    {.name = "fields",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND | MR_OPTION_OF_OUTPUT,
     .minimum = 1,
     .maximum = MR_LEARNED_COLUMNS_MAX,
     .help = "The fields of the models, 1 to 64, in their order: what records are made of. A model "
             "of others follows `on_error`."},
    {.name = "field",
     .type = MR_OPTION_PATH,
     .default_text = "model",
     .help = "Where a record of `models` has the model, an object as `millrace model save` writes "
             "it."},
    {.name = "max_model_bytes",
     .type = MR_OPTION_SIZE,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1MiB",
     .minimum = MODEL_BYTES_MIN,
     .maximum = MODEL_BYTES_MOST,
     .help = "The most that a model's text may have, 1KiB to 8MiB; a larger one follows "
             "`on_error`."},
    {.name = "min_records",
     .type = MR_OPTION_INTEGER,
     .default_text = "1",
     .minimum = 1,
     .maximum = 1e9,
     .help = "Records that a model must have been learned from before one is made of it."},
    MR_LEARNED_OPTION_CONDITIONS,
    MR_LEARNED_OPTION_SEED,
    MR_LEARNED_OPTION_MAX_OPEN_REQUESTS,
    MR_LEARNED_OPTION_REPLY_TOPICS,
    MR_LEARNED_OPTION_RATE,
    MR_LEARNED_OPTION_DELAY,
    MR_LEARNED_OPTION_MAX_RECORDS,
    MR_LEARNED_OPTION_BATCH_SIZE,
    MR_LEARNED_OPTION_INCLUDE_METADATA,
    {.name = NULL},
};

static const struct mr_refused_option follower_refused[] = {
    {"learn", "it makes records from models that others have learned: name their input `models`, "
              "or use generate.copula, which learns"},
    {"ratio", "no records are learned from: say how many are made by `rate`, `delay` and "
              "`max_records`, or ask for them on `requests`"},
    {"fit", "its models are learned elsewhere; `min_records` says how much they must stand on"},
    {"model", "its models come from the input `models`; the source generate.copula draws from a "
              "file"},
    {NULL, NULL},
};

static const struct mr_input_spec follower_inputs[] = {
    {.option = "models",
     .required = true,
     .help = "Records with models, the key's fields beside the model: for instance of a compacted "
             "topic that model.merge writes. The newest one of a key is the one that is followed."},
    {.option = "requests",
     .help = "Records that ask for synthetic ones, answered on the output `replies`, as of "
             "generate.copula; they have the key's fields. model_version says the version of the "
             "model that each record was drawn from."},
    {.option = NULL},
};

const struct mr_operator_type mr_operator_generate_model = {
    .spec =
        {
            .name = "generate.model",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS | MR_TYPE_ANSWERS,
            .summary = "Makes synthetic records from models that it follows on a topic.",
            .description =
                "Models are learned and merged elsewhere (generate.copula with `publish`, "
                "model.merge), or saved by hand, and published on a topic that is best compacted; "
                "any number of topologies follow it. Each record of `models` has a model and the "
                "key's fields; the newest one counts, whatever its version. `key: []`: one model "
                "for all; put a filter before where a topic has several.\n\n"
                "There are two ways to drive it: by the clock (`rate`, `delay`, `max_records`) and "
                "on request (`requests`); both as of generate.copula. A request that comes before "
                "its key's model is answered by an error, not_ready. A model and the requests "
                "behind it are taken in the order in which the task reads them: what was asked "
                "is drawn with the newest model that the task has read by then, and each record "
                "says its version.\n\n"
                "A model comes from outside: it is checked as strictly as one in a file, and what "
                "is wrong with it is said by `on_error`; the one before stays. It holds "
                "distributions and no records (see `millrace model`), so that `privacy` is a "
                "matter of who learns it. Models are copulas; a network's is drawn from by its "
                "own source.\n\n"
                "Use it where one model serves several topologies, or where answering is to go on "
                "while learning does not. Not for a model that never changes: the source "
                "generate.copula draws from a file.\n\n"
                "State of a key: its model's text, at most `max_model_bytes`, all of which goes to "
                "the changelog with each version. The last used models are kept expanded, 32 MiB "
                "of them.",
            .options = follower_options,
            .refused = follower_refused,
            .inputs = follower_inputs,
            .outputs = mr_learned_outputs,
            .outputs_count = MR_LEARNED_OUTPUTS_COUNT,
            .state_version = MR_LEARNED_ENTRY_VERSION,
            .estimate = follower_estimate,
            .check = mr_learned_check_making,
            .reads_wall_clock = mr_learned_reads_wall_clock,
        },
    .instance_size = sizeof(struct follower),
    .open = follower_open,
    .process = follower_process,
    .on_watermark = follower_watermark,
    .on_wall = follower_wall,
    .close = follower_close,
    .state_table = mr_followed_table,
    .describe_state = follower_describe,
    .write_model = follower_write_model,
};
