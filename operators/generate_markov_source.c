/* operators/generate_markov_source.c — generate.markov as a source: sequences of states of a chain
 * that the topology spells out (state_chain.h).
 * Model: each key goes through states in event time; a record leaves when it enters one. The keys
 * of a partition are merged in the order of their times.
 * Why lives: how far a chain got has to be walked. So a key's time is cut into lives, each with
 * draws of its own, that begin at known times: at the key's phase and every `life` from there. At
 * the end of a life the sequence ends wherever it is, and a new one begins. A record is therefore
 * a function of (seed, key, life, its place in it), and a new instance walks one life of each key.
 * Position: (event time - start) * keys of the partition + the key's number among them: a key has
 * at most one record a ms, so that it belongs to one record and grows with time.
 * What `count` ends must be counted: with it a new instance walks from the beginning. It walks
 * WALK_MAX states a call. */
#include <math.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/generator.h"
#include "operators/registry.h"
#include "operators/state_chain.h"

enum {
    KEYS_MAX = 10000,
    KEY_DIGITS = 5,
    KEY_TEXT_BYTES = KEY_DIGITS + 48,
    WALK_MAX = 1 << 20,
    LIFE_STATES = 1000,
    NEW_WALK_MAX = 10000000, /* states that a new instance walks through on average */
    SEQUENCES_BITS = 48
};
enum markov_field {
    FIELD_KEY,
    FIELD_SEQUENCE,
    FIELD_NUMBER,
    FIELD_STATE,
    FIELD_TS,
    FIELD_DWELL,
    FIELD_LABEL,
    FIELD_VALUE,
    FIELDS_COUNT
};

/* Streams of the seed. */
static const uint64_t walk_seed = 0x6d61726b6f762121u;
static const uint64_t value_seed = 0x6d6b76616c756521u;

/* Behind it positions end: keys of 2,000 years. */
static const int64_t time_max_ms = (int64_t)1 << 46;

/* One key: the record that it makes next. */
struct markov_lane {
    struct mr_random random;
    int64_t key;
    int64_t phase_ms;
    int64_t life;
    int64_t sequence; /* of the life */
    int64_t number;   /* of the sequence */
    int64_t time_ms;  /* since start */
    int64_t dwell_ms;
    uint8_t state;
};

struct markov_source {
    struct mr_generator generator;
    struct mr_state_chain chain;
    uint64_t seed;
    struct mr_slice prefix;
    int64_t life_ms;
    bool is_counted;
    uint32_t lanes_count;
    struct markov_lane *lanes;
    uint32_t *heap; /* lanes, the earliest first; valid at `position` */
    int64_t position;
    int64_t made; /* records before it, of this instance or, with `count`, of all */
    /* The walk to a position. */
    int64_t target;        /* -1: none is under way */
    uint32_t walked_lanes; /* that are there */
};

/* ---- Keys ---- */

static void begin_sequence(struct markov_source *source, struct markov_lane *lane)
{
    lane->number = 0;
    lane->state = mr_state_chain_first(&source->chain, &lane->random);
    lane->dwell_ms = mr_state_chain_dwell(&source->chain, lane->state, &lane->random);
}

static void begin_life(struct markov_source *source, struct markov_lane *lane, int64_t life)
{
    int64_t begin_ms = life * source->life_ms - lane->phase_ms;
    lane->life = life;
    lane->sequence = 0;
    lane->time_ms = begin_ms < 0 ? 0 : begin_ms;
    mr_random_init(&lane->random, source->seed ^ walk_seed,
                   ((uint64_t)lane->key << SEQUENCES_BITS) | (uint64_t)life);
    begin_sequence(source, lane);
}

static void advance(struct markov_source *source, struct markov_lane *lane)
{
    lane->time_ms += lane->dwell_ms;
    if (lane->time_ms >= (lane->life + 1) * source->life_ms - lane->phase_ms) {
        begin_life(source, lane, lane->life + 1);
        return;
    }
    if (mr_state_chain_is_final(&source->chain, lane->state)) {
        lane->sequence++;
        begin_sequence(source, lane);
        return;
    }
    lane->number++;
    lane->state = mr_state_chain_next(&source->chain, lane->state, &lane->random);
    lane->dwell_ms = mr_state_chain_dwell(&source->chain, lane->state, &lane->random);
}

static int64_t position_of(const struct markov_source *source, uint32_t lane)
{
    return source->lanes[lane].time_ms * source->lanes_count + lane;
}

/* ---- Order ---- */

/* Put the first of the heap's part from place on where it belongs. */
static void sift(struct markov_source *source, uint32_t place)
{
    uint32_t *heap = source->heap;
    uint32_t moved = heap[place];
    int64_t position = position_of(source, moved);
    for (;;) {
        uint32_t child = 2 * place + 1;
        if (child >= source->lanes_count)
            break;
        if (child + 1 < source->lanes_count &&
            position_of(source, heap[child + 1]) < position_of(source, heap[child]))
            child++;
        if (position_of(source, heap[child]) >= position)
            break;
        heap[place] = heap[child];
        place = child;
    }
    heap[place] = moved;
}

static void begin_lane(struct markov_source *source, uint32_t lane)
{
    int64_t time_ms = source->is_counted ? 0 : source->target / source->lanes_count;
    begin_life(source, &source->lanes[lane],
               (time_ms + source->lanes[lane].phase_ms) / source->life_ms);
}

/* All keys to their first records at the position or behind it. False: there is more to walk. */
static bool walk(struct markov_source *source, int64_t position)
{
    if (source->target != position) {
        source->target = position;
        source->walked_lanes = 0;
        source->made = 0;
        begin_lane(source, 0);
    }
    for (uint32_t steps = 0; source->walked_lanes < source->lanes_count;) {
        uint32_t lane = source->walked_lanes;
        if (position_of(source, lane) < position) {
            if (steps++ == WALK_MAX)
                return false;
            advance(source, &source->lanes[lane]);
            source->made += source->is_counted;
        } else if (++source->walked_lanes < source->lanes_count) {
            begin_lane(source, source->walked_lanes);
        }
    }
    for (uint32_t lane = 0; lane < source->lanes_count; lane++)
        source->heap[lane] = lane;
    for (uint32_t place = source->lanes_count / 2; place-- > 0;)
        sift(source, place);
    source->target = -1;
    source->position = position;
    return true;
}

/* ---- Opening ---- */

static double lane_share(int64_t life_ms, int64_t key, int64_t keys_count)
{
    return (double)life_ms * ((double)key / (double)keys_count);
}

static int64_t life_of(const struct mr_options *options, const struct mr_state_chain *chain)
{
    if (mr_options_present(options, "life"))
        return mr_options_integer(options, "life");
    return (int64_t)ceil(LIFE_STATES * mr_state_chain_mean_ms(chain));
}

static enum mr_status source_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct markov_source *source = self;
    const struct mr_options *options = &open->node->options;
    int64_t keys_count = mr_options_integer(options, "keys");
    MR_UNUSED(error);
    mr_generator_bind(&source->generator, open);
    mr_state_chain_open(&source->chain, mr_options_get(options, "states"));
    source->seed = (uint64_t)mr_options_integer(options, "seed");
    source->prefix = mr_slice_text(mr_options_text(options, "prefix"));
    source->life_ms = life_of(options, &source->chain);
    source->is_counted = mr_options_present(options, "count");
    source->lanes_count =
        (uint32_t)((keys_count - source->generator.partition - 1) / open->partitions_count + 1);
    source->lanes = mr_memory_new(source->lanes_count, sizeof(*source->lanes));
    source->heap = mr_memory_new(source->lanes_count, sizeof(*source->heap));
    for (uint32_t lane = 0; lane < source->lanes_count; lane++) {
        int64_t key = (int64_t)lane * open->partitions_count + source->generator.partition;
        source->lanes[lane].key = key;
        source->lanes[lane].phase_ms = (int64_t)lane_share(source->life_ms, key, keys_count);
    }
    source->position = -1;
    source->target = -1;
    return MR_OK;
}

static void source_close(void *self)
{
    struct markov_source *source = self;
    mr_memory_free(source->lanes);
    mr_memory_free(source->heap);
}

/* ---- Records ---- */

/* KEY, or KEY/LIFE.SEQUENCE. */
static struct mr_value name_value(const struct markov_source *source,
                                  const struct markov_lane *lane, bool of_sequence,
                                  struct mr_arena *arena)
{
    uint8_t *text = mr_arena_take(arena, source->prefix.size + KEY_TEXT_BYTES);
    size_t size = source->prefix.size;
    if (size > 0)
        memcpy(text, source->prefix.data, size);
    char *end = (char *)text + size;
    size += (size_t)(of_sequence ? snprintf(end, KEY_TEXT_BYTES, "%0*lld/%lld.%lld", KEY_DIGITS,
                                            (long long)lane->key, (long long)lane->life,
                                            (long long)lane->sequence)
                                 : snprintf(end, KEY_TEXT_BYTES, "%0*lld", KEY_DIGITS,
                                            (long long)lane->key));
    return mr_value_string(mr_slice_from(text, size));
}

static struct mr_value value_of(const struct markov_source *source, const struct markov_lane *lane,
                                int64_t position)
{
    const struct mr_chain_state *state = &source->chain.states[lane->state];
    struct mr_random random;
    if (!state->has_value)
        return mr_value_null();
    mr_random_init(&random, source->seed ^ value_seed ^ ((uint64_t)lane->key << SEQUENCES_BITS),
                   (uint64_t)position);
    double number = state->value + state->value_sd * mr_random_normal(&random);
    double rounded = nearbyint(number * 1e3) / 1e3;
    /* + 0.0: no -0. Too large to be rounded: as it is. */
    return mr_value_double((isfinite(rounded) ? rounded : number) + 0.0);
}

static void make_row(const struct markov_source *source, const struct markov_lane *lane,
                     int64_t position, struct mr_value *const *columns, struct mr_batch *batch)
{
    const struct mr_chain_state *state = &source->chain.states[lane->state];
    int64_t time_ms = source->generator.start_ms + lane->time_ms;
    uint32_t row = batch->rows_count;
    columns[FIELD_KEY][row] = name_value(source, lane, false, batch->arena);
    columns[FIELD_SEQUENCE][row] = name_value(source, lane, true, batch->arena);
    columns[FIELD_NUMBER][row] = mr_value_int(lane->number);
    columns[FIELD_STATE][row] = mr_value_string(state->name);
    columns[FIELD_TS][row] = mr_value_int(time_ms);
    columns[FIELD_DWELL][row] = mr_state_chain_is_final(&source->chain, lane->state)
                                    ? mr_value_null()
                                    : mr_value_int(lane->dwell_ms);
    columns[FIELD_LABEL][row] =
        state->label.data == NULL ? mr_value_null() : mr_value_string(state->label);
    columns[FIELD_VALUE][row] = value_of(source, lane, position);
    mr_generator_row(&source->generator, batch, position, time_ms);
}

static enum mr_status source_generate(void *self, struct mr_operator_context *context,
                                      int64_t position, struct mr_batch *batch,
                                      int64_t *next_position, int64_t *due_ms,
                                      struct mr_error *error)
{
    struct markov_source *source = self;
    struct mr_value *columns[FIELDS_COUNT];
    uint32_t rows_count;
    MR_UNUSED(error);
    if (source->position != position && !walk(source, position)) {
        *due_ms = context->now_ms + 1;
        return MR_AGAIN;
    }
    struct markov_lane *first = &source->lanes[source->heap[0]];
    if (first->time_ms >= time_max_ms)
        return MR_END;
    enum mr_status status = mr_generator_due(&source->generator, source->made, context->now_ms,
                                             batch->rows_capacity, &rows_count, due_ms);
    if (status != MR_OK)
        return status;
    for (uint32_t field = 0; field < FIELDS_COUNT; field++)
        columns[field] = mr_batch_column(batch, source->generator.field_slots[field]);
    for (uint32_t row = 0; row < rows_count; row++) {
        first = &source->lanes[source->heap[0]];
        if (first->time_ms >= time_max_ms)
            break;
        position = position_of(source, source->heap[0]);
        make_row(source, first, position, columns, batch);
        advance(source, first);
        sift(source, 0);
    }
    source->made += batch->rows_count;
    source->position = position + 1;
    *next_position = position + 1;
    return MR_OK;
}

/* ---- Checks ---- */

static enum mr_status check_life(const struct mr_options *options, struct mr_error *error)
{
    struct mr_state_chain chain;
    mr_state_chain_open(&chain, mr_options_get(options, "states"));
    double mean_ms = mr_state_chain_mean_ms(&chain);
    int64_t keys_count = mr_options_integer(options, "keys");
    int64_t partitions_count = mr_options_integer(options, "partitions");
    double lanes = (double)((keys_count - 1) / partitions_count + 1);
    double states = lanes * (double)life_of(options, &chain) / mean_ms;
    if (states <= NEW_WALK_MAX + lanes)
        return MR_OK;
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "a life has about %.3g states and a partition %.0f keys: after a restart "
                   "%.3g states would have to be gone through, above the limit of %d; lower "
                   "`life` to %.0fms, or raise `partitions`",
                   states / lanes, lanes, states, NEW_WALK_MAX,
                   floor(NEW_WALK_MAX / lanes * mean_ms));
}

static enum mr_status source_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    const struct mr_option_value *states = mr_options_get(options, "states");
    int64_t keys_count = mr_options_integer(options, "keys");
    *option = "keys";
    if (keys_count < mr_options_integer(options, "partitions"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "each partition needs a key of its own: `keys` (%lld) must not be below "
                       "`partitions` (%lld)",
                       (long long)keys_count, (long long)mr_options_integer(options, "partitions"));
    *option = "states";
    enum mr_status status = mr_state_chain_check(states, error);
    for (uint32_t index = 0; status == MR_OK && index < states->count; index++)
        if (mr_options_text(&states->objects[index], "name") == NULL)
            return MR_OK; /* that it is missing was told */
    if (status != MR_OK || states->count == 0)
        return status;
    *option = "life";
    return check_life(options, error);
}

/* ---- Table ---- */

static const struct mr_option_spec source_options[] = {
    {.name = "states",
     .type = MR_OPTION_OBJECTS,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = MR_STATE_CHAIN_MAX,
     .fields = mr_state_chain_options,
     .help = "The states, 1 to 64, each with what follows it and how long it lasts."},
    {.name = "keys",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1",
     .minimum = 1,
     .maximum = KEYS_MAX,
     .help = "How many keys go through the states at once, up to 10,000; each belongs to one "
             "partition."},
    {.name = "prefix",
     .type = MR_OPTION_STRING,
     .default_text = "m-",
     .help = "Written in front of a key's number of five digits: m-00042."},
    {.name = "life",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1,
     .maximum = 3660.0 * 86400e3,
     .help = "Event time after which a key's sequence ends wherever it is, and another one "
             "begins: what a restart has to go through. Default: 1,000 states on average."},
    {.name = "seed",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "1",
     .minimum = 0,
     .maximum = 9007199254740992.0,
     .help = "The same seed makes the same records."},
    {.name = "rate",
     .type = MR_OPTION_RATE,
     .minimum = 1e-3,
     .maximum = 1e9,
     .help = "Records per second over all partitions, for instance 1000/s, whatever their event "
             "times are. Default: as fast as they are taken."},
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .minimum = 0,
     .maximum = 1e10,
     .help = "How many records over all partitions, then the source ends. A restart counts them "
             "again from the first one, some 10,000,000 a second. Default: no end."},
    MR_GENERATOR_OPTION_PARTITIONS,
    {.name = "start",
     .type = MR_OPTION_INSTANT,
     .default_text = "2024-01-01T00:00:00Z",
     .help = "Event time of each key's first record."},
    {.name = NULL},
};

static const struct mr_refused_option source_refused[] = {
    {"learn", "a source is told the chain; use `type: generate.markov` below `operators`, which "
              "learns it from its input"},
    {"max_records", "say `count`"},
    {"step", "how long states last says when the next record comes"},
    {NULL, NULL},
};

static const struct mr_output_field source_fields[FIELDS_COUNT] = {
    [FIELD_KEY] = {"key", MR_TYPE_STRING, "Who enters the state: `prefix` and a number."},
    [FIELD_SEQUENCE] = {"sequence", MR_TYPE_STRING,
                        "Which of its sequences it is: KEY/LIFE.NUMBER."},
    [FIELD_NUMBER] = {"number", MR_TYPE_INT, "The record's number in its sequence, from 0 on."},
    [FIELD_STATE] = {"state", MR_TYPE_STRING, "The state that begins at the record's event time."},
    [FIELD_TS] = {"ts", MR_TYPE_INT, "That event time in ms since the epoch."},
    [FIELD_DWELL] = {"dwell_ms", MR_TYPE_INT,
                     "How long it lasts, ms; null of a state without `next`: the sequence's last. "
                     "The end of a life may come earlier."},
    [FIELD_LABEL] = {"label", MR_TYPE_STRING, "The state's `label`."},
    [FIELD_VALUE] = {"value", MR_TYPE_DOUBLE, "A normal number by the state's `value`."},
};

static const struct mr_output_spec source_outputs[] = {
    {.name = "main",
     .help = "A record for each state that a key enters.",
     .fields = source_fields,
     .fields_count = FIELDS_COUNT},
};

const struct mr_operator_type mr_operator_generate_markov_source = {
    .spec =
        {
            .name = "generate.markov",
            .role = MR_ROLE_SOURCE,
            .flags = MR_TYPE_GENERATOR | MR_TYPE_RECORD_TYPED,
            .summary = "Makes sequences of states with durations from a chain that is spelled out.",
            .description =
                "A semi-Markov chain: `next` and `weights` of all states are the matrix of "
                "transitions, `dwell` says how long a state lasts, whatever follows it. Each of "
                "`keys` goes through it in event time, and a record leaves when a state begins. A "
                "sequence ends with a state that has no `next`; the key's next one begins when "
                "that state's duration is over.\n\n"
                "Records are a function of the options and the seed: the same topology makes the "
                "same ones with any number of workers and after a restart, so that exactly-once "
                "holds from end to end. The records of a partition are in the order of their event "
                "times; offsets grow with time, with gaps. A key's time is cut into lives, so that "
                "a restart need not begin at the beginning: at the end of one the sequence is cut "
                "off. Group by `sequence` where that matters, by `key` where it does not.\n\n"
                "For tests, demonstrations and load: sessions, orders, machines. The operator of "
                "the same name learns such chains from a stream. Memory: 120 bytes a key. Numbers: "
                "Philox4x32-10 (Salmon and others, SC 2011); gamma by Marsaglia and Tsang (2000).",
            .options = source_options,
            .refused = source_refused,
            .outputs = source_outputs,
            .outputs_count = 1,
            .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
            .check = source_check,
        },
    .instance_size = sizeof(struct markov_source),
    .open = source_open,
    .generate = source_generate,
    .close = source_close,
};
