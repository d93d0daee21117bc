/* operators/generate_markov.c — generate.markov: learns which state of a key follows which and for
 * how long, over all keys of its task, and makes sequences like them.
 * Model: markov_model.h. A real key is known by its place and since when it is in its state. `keys`
 * synthetic sequences run at once, in the event time of the records: when a record takes the clock
 * on, what is due up to it leaves, at most RECORDS_MAX records for one of the input, then the
 * record is learned. So what leaves depends on the order of the records alone.
 * Stored beside the model's tables, version 1 (little-endian):
 *   sequences  by the records' key: int64 since, ms; int64 latest record, ms; uint64 states; uint8
 *              the state before, uint8 the state
 *   chains     by uint32 number (big-endian), due when the next state begins: uint64 the
 *              sequence's number; uint64 states; int64 due; uint8 the state before, uint8 the state
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/endian.h"
#include "base/hash.h"
#include "operators/estimate.h"
#include "operators/markov_model.h"
#include "operators/registry.h"

enum {
    RECORDS_MAX = 64,
    CHAINS_MAX = 10000,
    SEQUENCE_BYTES = 26,
    CHAIN_BYTES = 26,
    ID_BYTES = 48, /* behind the prefix */
    ROWS_FIRST = 512
};
enum { FIELD_KEY, FIELD_STATE, FIELD_DWELL, FIELD_NUMBER, FIELDS_COUNT };

struct sequence {
    int64_t since_ms;
    int64_t latest_ms;
    uint64_t states;
    struct mr_markov_place place;
};

struct chain {
    uint64_t serial;
    uint64_t states;
    int64_t due_ms;
    struct mr_markov_place place;
};

struct markov_generator {
    struct mr_markov_model model;
    struct mr_table *sequences;
    struct mr_table *chains;
    const struct mr_plan_node *node;
    const uint32_t *slots; /* of the output, by field */
    uint32_t state_slot;
    int32_t partition;
    uint32_t chains_count;
    int64_t transitions_min;
    uint64_t seed;
    struct mr_slice prefix;
    struct mr_slice other;
    struct mr_batch *output;
    uint32_t output_rows;
};

static const char sequences_table[] = "sequences";

/* ---- Layout ---- */

static size_t sequence_encode(const void *object, uint8_t *output)
{
    const struct sequence *sequence = object;
    mr_put_u64le(output, (uint64_t)sequence->since_ms);
    mr_put_u64le(output + 8, (uint64_t)sequence->latest_ms);
    mr_put_u64le(output + 16, sequence->states);
    output[24] = sequence->place.before;
    output[25] = sequence->place.state;
    return SEQUENCE_BYTES;
}

static bool place_is_fine(struct mr_markov_place place)
{
    return (place.before < MR_MARKOV_NUMBERS_MAX || place.before == MR_MARKOV_NONE) &&
           (place.state < MR_MARKOV_NUMBERS_MAX || place.state == MR_MARKOV_NONE);
}

static bool sequence_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct sequence *sequence = object;
    if (version != MR_MARKOV_MODEL_VERSION || stored.size != SEQUENCE_BYTES)
        return false;
    sequence->since_ms = (int64_t)mr_get_u64le(stored.data);
    sequence->latest_ms = (int64_t)mr_get_u64le(stored.data + 8);
    sequence->states = mr_get_u64le(stored.data + 16);
    sequence->place = (struct mr_markov_place){stored.data[24], stored.data[25]};
    return place_is_fine(sequence->place);
}

static size_t chain_encode(const void *object, uint8_t *output)
{
    const struct chain *chain = object;
    mr_put_u64le(output, chain->serial);
    mr_put_u64le(output + 8, chain->states);
    mr_put_u64le(output + 16, (uint64_t)chain->due_ms);
    output[24] = chain->place.before;
    output[25] = chain->place.state;
    return CHAIN_BYTES;
}

static bool chain_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct chain *chain = object;
    if (version != MR_MARKOV_MODEL_VERSION || stored.size != CHAIN_BYTES)
        return false;
    chain->serial = mr_get_u64le(stored.data);
    chain->states = mr_get_u64le(stored.data + 8);
    chain->due_ms = (int64_t)mr_get_u64le(stored.data + 16);
    chain->place = (struct mr_markov_place){stored.data[24], stored.data[25]};
    return place_is_fine(chain->place);
}

/* ---- Opening ---- */

static void bind_decay(struct mr_markov_model *model, const struct mr_options *options)
{
    static const double log_two = 0.6931471805599453;
    const struct mr_option_value *half_life = mr_options_get(options, "half_life");
    if (half_life->present && half_life->boolean)
        model->age_per_record = log_two / (double)half_life->integer;
    else if (half_life->present)
        model->age_per_ms = log_two / (double)half_life->integer;
}

static enum mr_status open_tables(struct markov_generator *generator,
                                  const struct mr_operator_open *open, struct mr_error *error)
{
    const struct mr_plan_node *node = open->node;
    struct mr_table_spec sequences = {
        .operator_name = node->name,
        .name = sequences_table,
        .version = MR_MARKOV_MODEL_VERSION,
        .object_size = sizeof(struct sequence),
        .encode = sequence_encode,
        .encoded_size_max = SEQUENCE_BYTES,
        .decode = sequence_decode,
        .ttl_ms = node->state_ttl_ms,
        .keys_max = node->state_keys_max,
        .bytes_max = node->state_bytes_max,
        .on_full = node->state_full_fails ? MR_ON_FULL_FAIL : MR_ON_FULL_EVICT_OLDEST,
    };
    struct mr_table_spec chains = {
        .operator_name = node->name,
        .name = "chains",
        .version = MR_MARKOV_MODEL_VERSION,
        .object_size = sizeof(struct chain),
        .encode = chain_encode,
        .encoded_size_max = CHAIN_BYTES,
        .decode = chain_decode,
        .timed = true,
    };
    enum mr_status status = mr_table_open(open->state, &sequences, &generator->sequences, error);
    if (status == MR_OK)
        status = mr_table_open(open->state, &chains, &generator->chains, error);
    return status == MR_OK ? mr_markov_model_open(&generator->model, open, error) : status;
}

static enum mr_status generator_open(void *self, const struct mr_operator_open *open,
                                     struct mr_error *error)
{
    struct markov_generator *generator = self;
    const struct mr_options *options = &open->node->options;
    const struct mr_plan_domain *domain = &open->plan->domains[open->node->outputs[0].domain];
    MR_ASSERT(domain->field_slots_count == FIELDS_COUNT);
    generator->node = open->node;
    generator->slots = domain->field_slots;
    generator->state_slot = mr_options_slot(options, "field");
    generator->partition = open->partition;
    generator->chains_count = (uint32_t)mr_options_integer(options, "keys");
    generator->transitions_min = mr_options_integer(options, "min_records");
    generator->seed =
        (uint64_t)mr_options_integer(options, "seed") ^ ((uint64_t)open->partition << 48);
    generator->prefix = mr_slice_text(mr_options_text(options, "prefix"));
    generator->other = mr_slice_text(mr_options_text(options, "other"));
    generator->model.states_max = (uint32_t)mr_options_integer(options, "states");
    generator->model.order = (uint32_t)mr_options_integer(options, "chain_order");
    bind_decay(&generator->model, options);
    return open_tables(generator, open, error);
}

static void generator_close(void *self)
{
    MR_UNUSED(self);
}

/* ---- Making records ---- */

static void emit(struct markov_generator *generator, struct mr_operator_context *context)
{
    struct mr_batch *batch = generator->output;
    generator->output = NULL;
    if (batch != NULL && batch->rows_count > 0)
        mr_operator_emit(context, 0, mr_batch_view(batch));
}

static struct mr_value key_cell(const struct markov_generator *generator, uint64_t serial,
                                struct mr_arena *arena)
{
    size_t prefix = generator->prefix.size;
    uint8_t *text = mr_arena_take(arena, prefix + ID_BYTES);
    if (prefix > 0)
        memcpy(text, generator->prefix.data, prefix);
    int size = snprintf((char *)text + prefix, ID_BYTES, "%d-%05llu", generator->partition,
                        (unsigned long long)serial);
    return mr_value_string(mr_slice_from(text, prefix + (size_t)size));
}

/* A row for what the chain has just become. dwell_ms 0: it was never seen to end. */
static enum mr_status add_row(struct markov_generator *generator,
                              struct mr_operator_context *context, const struct chain *chain,
                              int64_t dwell_ms, struct mr_error *error)
{
    struct mr_slice state;
    enum mr_status status = mr_markov_model_text(&generator->model, chain->place.state,
                                                 generator->other, &state, error);
    if (status != MR_OK)
        return status;
    if (generator->output == NULL) {
        generator->output = mr_operator_batch_new(context, 0, NULL, generator->output_rows);
        generator->output->origin = (struct mr_origin){generator->node->name, generator->partition};
        generator->output_rows = MR_LIMIT_BATCH_ROWS;
    }
    struct mr_batch *batch = generator->output;
    uint32_t row = batch->rows_count++;
    if (row == 0) /* names the rows, for ids and randomness behind */
        batch->sequence_first = (chain->serial << 32) + chain->states;
    const struct mr_value cells[FIELDS_COUNT] = {
        [FIELD_KEY] = key_cell(generator, chain->serial, batch->arena),
        [FIELD_STATE] = mr_value_string(state),
        [FIELD_DWELL] = dwell_ms == 0 ? mr_value_null() : mr_value_int(dwell_ms),
        [FIELD_NUMBER] = mr_value_int((int64_t)chain->states - 1),
    };
    for (uint32_t field = 0; field < FIELDS_COUNT; field++)
        mr_batch_column(batch, generator->slots[field])[row] = cells[field];
    batch->offsets[row] = -1;
    batch->timestamps_ms[row] = chain->due_ms;
    batch->event_times_ms[row] = chain->due_ms;
    batch->message_keys[row] = (struct mr_slice){0};
    batch->key_nulls[row] = true;
    batch->payloads[row] = mr_slice_text("{}");
    batch->payload_nulls[row] = false;
    if (batch->rows_count == batch->rows_capacity)
        emit(generator, context);
    return MR_OK;
}

/* A chain that has no sequence begins one. */
static enum mr_status begin_sequence(struct markov_generator *generator, struct chain *chain,
                                     struct mr_error *error)
{
    struct mr_markov_pool *pool;
    enum mr_status status = mr_markov_model_pool(&generator->model, &pool, error);
    if (status != MR_OK)
        return status;
    chain->serial = pool->begun++;
    chain->states = 0;
    chain->place = (struct mr_markov_place){MR_MARKOV_NONE, MR_MARKOV_NONE};
    mr_markov_pool_dirty(&generator->model, pool);
    return MR_OK;
}

/* The chain's next state begins: its record leaves, and it is due again when that ends. */
static enum mr_status step_chain(struct markov_generator *generator,
                                 struct mr_operator_context *context, struct chain *chain,
                                 struct mr_error *error)
{
    struct mr_random random;
    struct mr_markov_place next;
    int64_t dwell_ms = 0;
    enum mr_status status = MR_OK;
    if (chain->place.state == MR_MARKOV_NONE)
        status = begin_sequence(generator, chain, error);
    if (status != MR_OK)
        return status;
    mr_random_init(&random, generator->seed, (chain->serial << 32) + chain->states);
    status = mr_markov_model_next(&generator->model, chain->place, &random, &next, error);
    if (status == MR_OK && next.before == MR_MARKOV_NONE && chain->states > 0)
        status = begin_sequence(generator, chain, error); /* nothing follows */
    if (status != MR_OK)
        return status;
    chain->place = next;
    chain->states++;
    status =
        mr_markov_model_dwell(&generator->model, chain->place.state, &random, &dwell_ms, error);
    if (status == MR_OK)
        status = add_row(generator, context, chain, dwell_ms, error);
    /* A state that was never seen to end is the sequence's last. */
    chain->due_ms += dwell_ms == 0 ? 1 : dwell_ms;
    if (dwell_ms == 0)
        chain->place = (struct mr_markov_place){MR_MARKOV_NONE, MR_MARKOV_NONE};
    return status;
}

static enum mr_status put_chain(struct markov_generator *generator, struct mr_slice key,
                                const struct chain *chain, struct mr_error *error)
{
    void *object;
    bool created;
    enum mr_status status = mr_table_get(generator->chains, key, mr_hash64(key), chain->due_ms,
                                         &object, &created, error);
    if (status != MR_OK)
        return status;
    *(struct chain *)object = *chain;
    mr_table_schedule(generator->chains, object, chain->due_ms);
    return MR_OK;
}

/* Those that do not run yet begin at the clock. */
static enum mr_status begin_chains(struct markov_generator *generator, uint32_t first,
                                   int64_t clock_ms, struct mr_error *error)
{
    enum mr_status status = MR_OK;
    for (uint32_t number = first; number < generator->chains_count && status == MR_OK; number++) {
        uint8_t key[4];
        struct chain chain = {.due_ms = clock_ms, .place = {MR_MARKOV_NONE, MR_MARKOV_NONE}};
        mr_put_u32be(key, number);
        status = put_chain(generator, mr_slice_from(key, sizeof(key)), &chain, error);
    }
    return status;
}

/* Chains up to the clock, at most RECORDS_MAX records. */
static enum mr_status run_chains(struct markov_generator *generator,
                                 struct mr_operator_context *context, int64_t clock_ms,
                                 struct mr_error *error)
{
    for (int records = 0; records < RECORDS_MAX; records++) {
        struct mr_slice key;
        uint64_t hash;
        void *object;
        bool found;
        uint8_t bytes[4];
        enum mr_status status =
            mr_table_next_due(generator->chains, clock_ms, &key, &hash, &object, &found, error);
        if (status != MR_OK || !found)
            return status;
        struct chain chain = *(struct chain *)object;
        MR_ASSERT(key.size == sizeof(bytes));
        memcpy(bytes, key.data, sizeof(bytes));
        if (mr_get_u32be(bytes) >= generator->chains_count) { /* `keys` was lowered */
            status = mr_table_remove(generator->chains, mr_slice_from(bytes, sizeof(bytes)), hash,
                                     error);
        } else {
            status = step_chain(generator, context, &chain, error);
            if (status == MR_OK)
                status = put_chain(generator, mr_slice_from(bytes, sizeof(bytes)), &chain, error);
        }
        if (status != MR_OK)
            return status;
    }
    return MR_OK;
}

/* ---- Learning ---- */

/* The text of a state; false: the record has none, or was reported. */
static bool state_text(const struct markov_generator *generator,
                       struct mr_operator_context *context, const struct mr_batch *batch,
                       uint32_t row, struct mr_slice *text)
{
    struct mr_value cell = batch->columns[generator->state_slot][row];
    double number;
    char *digits;
    int size;
    switch ((enum mr_kind)cell.kind) {
    case MR_KIND_STRING:
        *text = mr_value_text(cell);
        return true;
    case MR_KIND_BOOL:
        *text = mr_slice_text(cell.boolean ? "true" : "false");
        return true;
    case MR_KIND_INT:
    case MR_KIND_UINT:
    case MR_KIND_DOUBLE:
        if (!mr_value_as_double(cell, &number) || !(fabs(number) < 0x1p53) ||
            floor(number) != number)
            break;
        digits = mr_arena_take(context->arena, ID_BYTES);
        size = snprintf(digits, ID_BYTES, "%lld", (long long)number);
        *text = mr_slice_from(digits, (size_t)size);
        return true;
    case MR_KIND_ABSENT:
    case MR_KIND_NULL:
        return false;
    case MR_KIND_ERROR:
        mr_operator_row_error(context, batch, row, "field %s: %.*s",
                              mr_options_get(&generator->node->options, "field")->text,
                              (int)cell.size, (const char *)cell.text);
        return false;
    case MR_KIND_TIMESTAMP:
    case MR_KIND_REMOVED:
    case MR_KIND_BYTES:
    case MR_KIND_DURATION:
    case MR_KIND_LIST:
    case MR_KIND_MAP:
    case MR_KIND_JSON:
    case MR_KIND_TYPE:
    case MR_KIND_COUNT:
        break;
    }
    mr_operator_row_error(context, batch, row,
                          "the state is %s; generate.markov learns texts, booleans and whole "
                          "numbers below 2^53",
                          mr_kind_name((enum mr_kind)cell.kind));
    return false;
}

/* The key's sequence goes on with the record; *was: as it was, where the record begins a state. */
static enum mr_status follow(struct markov_generator *generator,
                             struct mr_operator_context *context, struct mr_slice key,
                             uint8_t state, int64_t time_ms, bool *begins, struct sequence *was,
                             struct mr_error *error)
{
    void *object;
    bool created;
    *begins = false;
    enum mr_status status =
        mr_table_get(generator->sequences, key, mr_hash64(key), time_ms, &object, &created, error);
    if (status != MR_OK)
        return status;
    struct sequence *sequence = object;
    if (created) {
        sequence->place = (struct mr_markov_place){MR_MARKOV_NONE, MR_MARKOV_NONE};
        sequence->latest_ms = time_ms;
    }
    if (time_ms < sequence->latest_ms) {
        mr_operator_late(context, 1);
        return MR_OK;
    }
    *was = *sequence;
    sequence->latest_ms = time_ms;
    *begins = sequence->place.state != state;
    if (*begins) {
        sequence->since_ms = time_ms;
        sequence->states++;
        sequence->place.before = sequence->place.state;
        sequence->place.state = state;
    }
    mr_table_dirty(generator->sequences, sequence);
    return MR_OK;
}

/* Take the clock on to the record, and the chains with it; *age: of what is learned now. */
static enum mr_status move_clock(struct markov_generator *generator,
                                 struct mr_operator_context *context, int64_t time_ms, double *age,
                                 struct mr_error *error)
{
    struct mr_markov_pool *pool;
    enum mr_status status = mr_markov_model_pool(&generator->model, &pool, error);
    if (status != MR_OK)
        return status;
    if (pool->clock_ms == INT64_MIN)
        pool->clock_ms = time_ms;
    if (time_ms > pool->clock_ms) {
        pool->age += generator->model.age_per_ms * ((double)time_ms - (double)pool->clock_ms);
        pool->clock_ms = time_ms;
    }
    pool->age += generator->model.age_per_record;
    *age = pool->age;
    int64_t clock_ms = pool->clock_ms;
    bool is_ready = pool->transitions >= (uint64_t)generator->transitions_min;
    uint32_t running = pool->running;
    if (is_ready)
        pool->running = generator->chains_count;
    mr_markov_pool_dirty(&generator->model, pool);
    if (!is_ready)
        return MR_OK;
    status = begin_chains(generator, running, clock_ms, error);
    return status == MR_OK ? run_chains(generator, context, clock_ms, error) : status;
}

static enum mr_status learn(struct markov_generator *generator, const struct sequence *was,
                            uint8_t state, int64_t time_ms, double age, struct mr_error *error)
{
    struct mr_markov_pool *pool;
    double passed = (double)time_ms - (double)was->since_ms;
    int64_t dwell_ms = passed < 0x1p50 ? time_ms - was->since_ms : (int64_t)1 << 50;
    enum mr_status status =
        mr_markov_model_learn(&generator->model, was->place, state, dwell_ms, age, error);
    if (status != MR_OK || was->place.state == MR_MARKOV_NONE)
        return status;
    status = mr_markov_model_pool(&generator->model, &pool, error);
    if (status != MR_OK)
        return status;
    pool->transitions++;
    mr_markov_pool_dirty(&generator->model, pool);
    return MR_OK;
}

static enum mr_status take_row(struct markov_generator *generator,
                               struct mr_operator_context *context, const struct mr_batch *batch,
                               uint32_t row, struct mr_slice key, struct mr_error *error)
{
    int64_t time_ms = batch->event_times_ms[row];
    struct mr_slice text;
    struct sequence was;
    double age;
    bool begins;
    uint8_t state;
    if (!state_text(generator, context, batch, row, &text))
        return MR_OK;
    enum mr_status status = move_clock(generator, context, time_ms, &age, error);
    if (status == MR_OK)
        status = mr_markov_model_number(&generator->model, text, &state, error);
    if (status == MR_OK)
        status = follow(generator, context, key, state, time_ms, &begins, &was, error);
    return status == MR_OK && begins ? learn(generator, &was, state, time_ms, age, error) : status;
}

static enum mr_status generator_process(void *self, struct mr_operator_context *context,
                                        uint32_t port, struct mr_view view, struct mr_error *error)
{
    struct markov_generator *generator = self;
    struct mr_view keyed;
    MR_UNUSED(port);
    const struct mr_slice *keys = mr_operator_keys(context, generator->node, view, &keyed);
    (void)mr_batch_column(view.batch, generator->state_slot);
    generator->output = NULL;
    generator->output_rows = ROWS_FIRST;
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < keyed.rows_count && status == MR_OK; index++) {
        uint32_t row = keyed.rows[index];
        status = take_row(generator, context, view.batch, row, keys[row], error);
    }
    if (status == MR_OK)
        emit(generator, context);
    return status;
}

static enum mr_status generator_watermark(void *self, struct mr_operator_context *context,
                                          struct mr_error *error)
{
    struct markov_generator *generator = self;
    return mr_table_expire(generator->sequences, context->watermark_ms, error);
}

/* ---- Description ---- */

static enum mr_status generator_describe(const struct mr_state_object *object,
                                         struct mr_arena *arena,
                                         struct mr_state_description *description,
                                         struct mr_error *error)
{
    struct sequence sequence;
    MR_UNUSED(arena);
    if (!sequence_decode(&sequence, object->version, object->encoded))
        return mr_operator_not_described(error);
    mr_describe_member(description, "states", mr_value_uint(sequence.states));
    mr_describe_member(description, "state_number",
                       sequence.place.state == MR_MARKOV_NONE
                           ? mr_value_null()
                           : mr_value_uint(sequence.place.state));
    mr_describe_time(description, "since", sequence.since_ms);
    mr_describe_time(description, "latest", sequence.latest_ms);
    return MR_OK;
}

/* A record changes a sequence, the pool, a name, up to two contexts and a distribution, and makes
 * some records: those that one makes at the most would be far above what any stream has. */
static void generator_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    enum { CHAINS_PER_RECORD = 8 };
    uint64_t frame = MR_ESTIMATE_KEY_BYTES + MR_ESTIMATE_RECORD_BYTES;
    uint64_t context = 16 + 8 * ((uint64_t)mr_options_integer(options, "states") + 1);
    mr_estimate_object(sizeof(struct sequence), SEQUENCE_BYTES, estimate);
    estimate->changelog_bytes_per_record +=
        (4 + CHAINS_PER_RECORD) * frame + MR_MARKOV_POOL_BYTES + sizeof(struct mr_markov_name) +
        2 * context + MR_MARKOV_DWELL_BYTES + CHAINS_PER_RECORD * (uint64_t)CHAIN_BYTES;
}

static const struct mr_option_spec generator_options[] = {
    {.name = "field",
     .type = MR_OPTION_PATH,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .help =
         "The field that holds the state: a text, a boolean or a whole number. A record without "
         "it is passed over."},
    {.name = "chain_order",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1",
     .minimum = 1,
     .maximum = 2,
     .help = "How many states the next one depends on: the last one, or the last two."},
    {.name = "states",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "32",
     .minimum = 1,
     .maximum = MR_MARKOV_STATES_MAX,
     .help = "How many different states are told apart, the first ones seen, up to 64; the rest, "
             "and texts above 64 bytes, are the state `other`."},
    {.name = "other",
     .type = MR_OPTION_STRING,
     .default_text = "other",
     .help = "What all further states are called."},
    {.name = "keys",
     .type = MR_OPTION_INTEGER,
     .default_text = "10",
     .minimum = 1,
     .maximum = CHAINS_MAX,
     .help = "How many synthetic sequences each task runs at once, up to 10,000."},
    {.name = "prefix",
     .type = MR_OPTION_STRING,
     .default_text = "synthetic-",
     .help = "Written in front of the task's number and the sequence's: synthetic-0-00042."},
    {.name = "min_records",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "500",
     .minimum = 1,
     .maximum = 1e9,
     .help = "Changes of state that the task must have seen before sequences begin."},
    {.name = "half_life",
     .type = MR_OPTION_STEP,
     .minimum = 1,
     .maximum = 1e15,
     .help = "Records of the task, or event time, after which what was learned counts half. "
             "Default: nothing is forgotten."},
    {.name = "seed",
     .type = MR_OPTION_INTEGER,
     .default_text = "1",
     .minimum = 0,
     .maximum = 1e9,
     .help = "What sequences are drawn from: the same input has the same synthetic records in "
             "every run."},
    {.name = NULL},
};

static const struct mr_input_spec generator_inputs[] = {
    {.option = "learn",
     .required = true,
     .help = "The records to learn from: NAME or NAME.OUTPUT."},
    {.option = NULL},
};

static const struct mr_output_field generator_fields[FIELDS_COUNT] = {
    [FIELD_KEY] = {"sequence", MR_TYPE_STRING, "Which synthetic sequence the record is of."},
    [FIELD_STATE] = {"state", MR_TYPE_STRING, "The state that begins at the record's event time."},
    [FIELD_DWELL] = {"dwell_ms", MR_TYPE_INT,
                     "How long it will last, ms; null where it was never seen to end: the "
                     "sequence's last."},
    [FIELD_NUMBER] = {"number", MR_TYPE_INT, "The record's number in its sequence, from 0 on."},
};

static const struct mr_output_spec generator_outputs[] = {
    {.name = "main",
     .help = "A record for each state that a synthetic sequence enters.",
     .fields = generator_fields,
     .fields_count = FIELDS_COUNT},
};

const struct mr_operator_type mr_operator_generate_markov = {
    .spec =
        {
            .name = "generate.markov",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_NEW_ROWS,
            .summary = "Learns which state of a key follows which, and after how long, and makes "
                       "sequences like them, online.",
            .description =
                "A semi-Markov chain: how often a state follows another (`chain_order: 1`) or the "
                "last "
                "two (`chain_order: 2`), and how long each state lasts, learned over all keys of a "
                "task. "
                "A key's state begins with the first record that has it and lasts until the first "
                "record that has another; records that are older than their key's last one are "
                "late and left out, so that records sent again change nothing.\n\n"
                "Once `min_records` changes are known each task runs `keys` synthetic sequences in "
                "the event time of its records: a record leaves when a sequence enters a state, "
                "with that event time, the state, and how long it will last. After a leap of the "
                "event time they catch up, 64 records for each one of the input. A sequence ends "
                "in a state that was never left so far; another one, with a number of its own, "
                "begins then.\n\n"
                "Use it for the life of machines, sessions and orders: what happens after what. "
                "Not where the time in a state depends on the next one, or numbers matter: see "
                "generate.bootstrap. The partitions of the input are pooled apart; with one "
                "partition all keys are. What was learned fades with `half_life`, by what is "
                "learned anew: a state that is not seen any more is reached less and less, but "
                "what follows it stays as it was.\n\n"
                "State: 26 bytes a key; of a task 4 kB a state, (`states` + 1)^`chain_order` "
                "contexts of "
                "at most 0.5 kB each, and 26 bytes per synthetic sequence. Changelog: what a "
                "transaction's records have changed of these, once each. A dwell time is drawn "
                "from at most 168 bins with their exact ends, which follow the weight. Numbers: "
                "Philox4x32-10. Paper: Howard, Dynamic Probabilistic Systems, volume 2 (1971).",
            .options = generator_options,
            .inputs = generator_inputs,
            .outputs = generator_outputs,
            .outputs_count = 1,
            .state_version = MR_MARKOV_MODEL_VERSION,
            .estimate = generator_estimate,
        },
    .instance_size = sizeof(struct markov_generator),
    .open = generator_open,
    .process = generator_process,
    .on_watermark = generator_watermark,
    .close = generator_close,
    .state_table = sequences_table,
    .describe_state = generator_describe,
};
