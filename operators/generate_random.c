/* operators/generate_random.c — generate.random: seeded records of chosen distributions, with
 * labelled anomalies. Design: record i of the stream draws from its own counter-based sequence
 * (seed, i) in field order, so that its bytes are a function of (seed, partition, position). Each
 * key belongs to one partition, in turn, and its partition makes its records in rounds over its
 * keys, as sensors report; the order of a key's records is therefore the order of their event
 * times. What a key keeps for ever (its level, the phase of its season) comes from a sequence of
 * its own and is drawn once at open.
 *
 *   normal: mean + level_sd N(key) + season sin(2 pi (t / season_period + phase(key))) + sd
 * N(record) */
#include "operators/generator.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/registry.h"

enum random_distribution {
    RANDOM_NORMAL,
    RANDOM_UNIFORM,
    RANDOM_INTEGER,
    RANDOM_CHOICE,
    RANDOM_SEQUENCE,
    RANDOM_TIME,
    RANDOM_KEY,
    RANDOM_LABEL
};
enum random_anomaly { ANOMALY_SPIKE, ANOMALY_SHIFT };
enum { RANDOM_FIELDS_MAX = 64, RANDOM_KEYS_MAX = 1000000, RANDOM_KEY_DIGITS_MIN = 5 };

/* Streams of the seed beside the records' own. */
static const uint64_t key_seed = 0x6b65792d6c657665u;
static const uint64_t shift_seed = 0x73686966742d6f6eu;

struct random_field {
    enum random_distribution distribution;
    double mean;
    double sd;
    double season;
    double season_period_ms;
    double minimum;
    double maximum;
    double power_of_ten; /* 10^decimals */
    struct mr_slice prefix;
    const char *const *choices;
    uint32_t choices_count;
    bool takes_anomalies;
    /* One per key of this partition; NULL: all 0. */
    double *levels;
    double *phases;
};

struct random_source {
    struct mr_generator generator;
    struct random_field *fields;
    uint32_t fields_count;
    uint64_t seed;
    int64_t keys_count;       /* of all partitions */
    int64_t local_keys_count; /* of this partition */
    int key_digits;
    double anomaly_share; /* 0: none */
    double anomaly_size;
    enum random_anomaly anomaly_kind;
    int64_t anomaly_length;
};

/* What is drawn before a record's fields. */
struct random_row {
    int64_t index;
    int64_t local_key;
    int64_t key;
    int64_t time_ms;
    double anomaly; /* in standard deviations; 0: normal record */
    struct mr_random random;
};

static const char *const distributions[] = {"normal", "uniform", "integer", "choice", "sequence",
                                            "time",   "key",     "label",   NULL};
static const char *const anomaly_kinds[] = {"spike", "shift", NULL};

/* What each key keeps for ever. */
static void draw_keys(const struct random_source *source, struct random_field *field,
                      uint32_t field_index, double level_sd)
{
    if (level_sd <= 0 && field->season == 0)
        return;
    field->levels = mr_memory_new((size_t)source->local_keys_count, sizeof(double));
    field->phases = mr_memory_new((size_t)source->local_keys_count, sizeof(double));
    for (int64_t local = 0; local < source->local_keys_count; local++) {
        int64_t key = local * source->generator.partitions_count + source->generator.partition;
        struct mr_random random;
        mr_random_init(&random, source->seed ^ key_seed,
                       (uint64_t)key * RANDOM_FIELDS_MAX + field_index);
        field->levels[local] = level_sd * mr_random_normal(&random);
        field->phases[local] = mr_random_double(&random);
    }
}

static void open_field(const struct random_source *source, struct random_field *field,
                       uint32_t field_index, const struct mr_options *options)
{
    field->distribution = (enum random_distribution)mr_options_integer(options, "distribution");
    field->mean = mr_options_number(options, "mean");
    field->sd = mr_options_number(options, "sd");
    field->season = mr_options_number(options, "season");
    field->season_period_ms = (double)mr_options_integer(options, "season_period");
    field->minimum = mr_options_number(options, "minimum");
    field->maximum = mr_options_number(options, "maximum");
    field->power_of_ten = pow(10, (double)mr_options_integer(options, "decimals"));
    field->prefix = mr_slice_text(mr_options_text(options, "prefix"));
    const struct mr_option_value *values = mr_options_get(options, "values");
    field->choices = values->texts;
    field->choices_count = values->count;
    if (field->distribution == RANDOM_NORMAL)
        draw_keys(source, field, field_index, mr_options_number(options, "level_sd"));
}

static void open_anomalies(struct random_source *source, const struct mr_options *options)
{
    if (!mr_options_present(options, "anomalies"))
        return;
    const struct mr_options *anomalies = &mr_options_get(options, "anomalies")->objects[0];
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    source->anomaly_share = mr_options_number(anomalies, "share");
    source->anomaly_size = mr_options_number(anomalies, "size");
    source->anomaly_kind = (enum random_anomaly)mr_options_integer(anomalies, "kind");
    source->anomaly_length = mr_options_integer(anomalies, "length");
    const char *name = mr_options_text(anomalies, "field");
    for (uint32_t index = 0; index < source->fields_count; index++)
        source->fields[index].takes_anomalies =
            strcmp(mr_options_text(&fields->objects[index], "name"), name) == 0;
}

static enum mr_status random_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct random_source *source = self;
    const struct mr_options *options = &open->node->options;
    mr_generator_open(&source->generator, open);
    source->seed = (uint64_t)mr_options_integer(options, "seed");
    source->keys_count = mr_options_integer(options, "keys");
    if (source->keys_count < open->partitions_count)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "%lld keys do not suffice for %d partitions: each partition needs one",
                       (long long)source->keys_count, (int)open->partitions_count);
    source->local_keys_count =
        (source->keys_count - source->generator.partition - 1) / open->partitions_count + 1;
    source->key_digits = RANDOM_KEY_DIGITS_MIN;
    for (int64_t bound = 100000; bound < source->keys_count; bound *= 10)
        source->key_digits++;
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    source->fields = mr_memory_new(fields->count, sizeof(*source->fields));
    source->fields_count = fields->count;
    for (uint32_t index = 0; index < fields->count; index++)
        open_field(source, &source->fields[index], index, &fields->objects[index]);
    open_anomalies(source, options);
    return MR_OK;
}

/* Whether the record is an anomaly, and how many standard deviations it is off. */
static double draw_anomaly(const struct random_source *source, struct random_row *row)
{
    if (source->anomaly_share <= 0)
        return 0;
    struct mr_random episode = row->random;
    if (source->anomaly_kind == ANOMALY_SHIFT) {
        /* A block of `length` records of one key is shifted as a whole. */
        int64_t round = row->index / source->generator.partitions_count / source->local_keys_count;
        mr_random_init(&episode, source->seed ^ shift_seed ^ (uint64_t)row->key,
                       (uint64_t)(round / source->anomaly_length));
    }
    bool is_anomaly = mr_random_double(&episode) < source->anomaly_share;
    double sign = mr_random_double(&episode) < 0.5 ? -1 : 1;
    if (source->anomaly_kind == ANOMALY_SPIKE)
        row->random = episode;
    return is_anomaly ? sign * source->anomaly_size : 0;
}

static void begin_row(const struct random_source *source, int64_t position, int64_t time_ms,
                      struct random_row *row)
{
    const struct mr_generator *generator = &source->generator;
    row->index = mr_generator_index(generator, position);
    row->time_ms = time_ms;
    row->local_key = position % source->local_keys_count;
    row->key = row->local_key * generator->partitions_count + generator->partition;
    mr_random_init(&row->random, source->seed, (uint64_t)row->index);
    row->anomaly = draw_anomaly(source, row);
}

static struct mr_value round_value(const struct random_field *field, double number)
{
    return mr_value_double(nearbyint(number * field->power_of_ten) / field->power_of_ten + 0.0);
}

static struct mr_value normal_value(const struct random_field *field, struct random_row *row)
{
    static const double two_pi = 6.283185307179586;
    double number = field->mean;
    if (field->levels != NULL)
        number += field->levels[row->local_key] +
                  field->season * sin(two_pi * ((double)row->time_ms / field->season_period_ms +
                                                field->phases[row->local_key]));
    number += field->sd * mr_random_normal(&row->random);
    if (field->takes_anomalies)
        number += field->sd * row->anomaly;
    return round_value(field, number);
}

static struct mr_value key_value(const struct random_source *source,
                                 const struct random_field *field, int64_t key,
                                 struct mr_arena *arena)
{
    size_t digits = (size_t)source->key_digits;
    uint8_t *text = mr_arena_take(arena, field->prefix.size + digits);
    if (field->prefix.size > 0)
        memcpy(text, field->prefix.data, field->prefix.size);
    for (size_t place = field->prefix.size + digits; place > field->prefix.size; place--) {
        text[place - 1] = (uint8_t)('0' + key % 10);
        key /= 10;
    }
    return mr_value_string(mr_slice_from(text, field->prefix.size + digits));
}

static struct mr_value field_value(const struct random_source *source,
                                   const struct random_field *field, struct random_row *row,
                                   struct mr_arena *arena)
{
    switch (field->distribution) {
    case RANDOM_NORMAL:
        return normal_value(field, row);
    case RANDOM_UNIFORM:
        return round_value(field, field->minimum + (field->maximum - field->minimum) *
                                                       mr_random_double(&row->random));
    case RANDOM_INTEGER: {
        int64_t lowest = (int64_t)ceil(field->minimum);
        int64_t highest = (int64_t)floor(field->maximum);
        return mr_value_int(
            lowest + (int64_t)mr_random_below(&row->random, (uint64_t)(highest - lowest) + 1));
    }
    case RANDOM_CHOICE:
        return mr_value_string(
            mr_slice_text(field->choices[mr_random_below(&row->random, field->choices_count)]));
    case RANDOM_SEQUENCE:
        return mr_value_int(row->index);
    case RANDOM_TIME:
        return mr_value_int(row->time_ms);
    case RANDOM_KEY:
        return key_value(source, field, row->key, arena);
    case RANDOM_LABEL:
        break;
    }
    return mr_value_bool(row->anomaly != 0);
}

static enum mr_status random_generate(void *self, struct mr_operator_context *context,
                                      int64_t position, struct mr_batch *batch,
                                      int64_t *next_position, int64_t *due_ms,
                                      struct mr_error *error)
{
    struct random_source *source = self;
    struct mr_generator *generator = &source->generator;
    MR_UNUSED(error);
    uint32_t rows_count;
    enum mr_status status = mr_generator_due(generator, position, context->now_ms,
                                             batch->rows_capacity, &rows_count, due_ms);
    if (status != MR_OK)
        return status;
    mr_generator_rows(generator, batch, position, rows_count);
    struct mr_value *columns[RANDOM_FIELDS_MAX];
    for (uint32_t field = 0; field < source->fields_count; field++)
        columns[field] = mr_batch_column(batch, generator->field_slots[field]);
    for (uint32_t index = 0; index < rows_count; index++) {
        struct random_row row;
        begin_row(source, position + index, batch->event_times_ms[index], &row);
        for (uint32_t field = 0; field < source->fields_count; field++)
            columns[field][index] = field_value(source, &source->fields[field], &row, batch->arena);
    }
    *next_position = position + rows_count;
    return MR_OK;
}

static void random_close(void *self)
{
    struct random_source *source = self;
    for (uint32_t index = 0; index < source->fields_count; index++) {
        mr_memory_free(source->fields[index].levels);
        mr_memory_free(source->fields[index].phases);
    }
    mr_memory_free(source->fields);
}

/* One field's own rules; the sentence goes to error. */
static enum mr_status check_field(const struct mr_options *field, bool has_anomalies,
                                  struct mr_error *error)
{
    const char *name = mr_options_text(field, "name");
    enum random_distribution distribution =
        (enum random_distribution)mr_options_integer(field, "distribution");
    double minimum = mr_options_number(field, "minimum");
    double maximum = mr_options_number(field, "maximum");
    if (distribution == RANDOM_CHOICE && mr_options_get(field, "values")->count == 0)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "field \"%s\" of distribution choice needs `values`", name);
    if (distribution == RANDOM_LABEL && !has_anomalies)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "field \"%s\" labels anomalies, but there are no `anomalies`", name);
    if (distribution == RANDOM_UNIFORM && !(minimum < maximum))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "field \"%s\": `minimum` (%g) must be below `maximum` (%g)", name, minimum,
                       maximum);
    if (distribution == RANDOM_INTEGER && ceil(minimum) > floor(maximum))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "field \"%s\": there is no integer from %g to %g", name, minimum, maximum);
    return MR_OK;
}

/* The anomalies' field exists and is normal. */
static enum mr_status check_anomalies(const struct mr_option_value *fields,
                                      const struct mr_options *anomalies, struct mr_error *error)
{
    const char *wanted = mr_options_text(anomalies, "field");
    for (uint32_t index = 0; wanted != NULL && index < fields->count; index++) {
        const struct mr_options *field = &fields->objects[index];
        const char *name = mr_options_text(field, "name");
        if (name != NULL && strcmp(name, wanted) == 0 &&
            mr_options_integer(field, "distribution") == RANDOM_NORMAL)
            return MR_OK;
    }
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "`anomalies` needs a field of distribution normal, and \"%s\" is none",
                   wanted == NULL ? "" : wanted);
}

static enum mr_status random_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    bool has_anomalies = mr_options_present(options, "anomalies");
    *option = "fields";
    for (uint32_t index = 0; index < fields->count; index++) {
        const char *name = mr_options_text(&fields->objects[index], "name");
        for (uint32_t other = 0; other < index; other++) {
            const char *earlier = mr_options_text(&fields->objects[other], "name");
            if (name != NULL && earlier != NULL && strcmp(name, earlier) == 0)
                return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                               "two fields are named \"%s\"", name);
        }
        enum mr_status status = check_field(&fields->objects[index], has_anomalies, error);
        if (status != MR_OK)
            return status;
    }
    if (has_anomalies) {
        *option = "anomalies";
        enum mr_status status =
            check_anomalies(fields, &mr_options_get(options, "anomalies")->objects[0], error);
        if (status != MR_OK)
            return status;
    }
    *option = "keys";
    if (mr_options_integer(options, "keys") < mr_options_integer(options, "partitions"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "each partition needs a key of its own: `keys` (%lld) must not be below "
                       "`partitions` (%lld)",
                       (long long)mr_options_integer(options, "keys"),
                       (long long)mr_options_integer(options, "partitions"));
    return MR_OK;
}

static const struct mr_option_spec random_field_options[] = {
    {.name = "name",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "The field's name."},
    {.name = "distribution",
     .type = MR_OPTION_CHOICE,
     .flags = MR_OPTION_REQUIRED,
     .choices = distributions,
     .help = "What the field holds: normal (mean, sd, level_sd, season), uniform and integer "
             "(minimum, maximum), choice (values), sequence (the record's number), time (its event "
             "time in ms), key (prefix and the key's number), label (true for an injected "
             "anomaly)."},
    {.name = "mean",
     .type = MR_OPTION_NUMBER,
     .default_text = "0",
     .minimum = -1e100,
     .maximum = 1e100,
     .help = "Of normal: the mean over all keys."},
    {.name = "sd",
     .type = MR_OPTION_NUMBER,
     .default_text = "1",
     .minimum = 0,
     .maximum = 1e100,
     .help = "Of normal: standard deviation of the noise of a key's records."},
    {.name = "level_sd",
     .type = MR_OPTION_NUMBER,
     .default_text = "0",
     .minimum = 0,
     .maximum = 1e100,
     .help = "Of normal: standard deviation of the keys' own levels around the mean."},
    {.name = "season",
     .type = MR_OPTION_NUMBER,
     .default_text = "0",
     .minimum = 0,
     .maximum = 1e100,
     .help = "Of normal: amplitude of a sine over event time; each key has a phase of its own."},
    {.name = "season_period",
     .type = MR_OPTION_DURATION,
     .default_text = "1h",
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "Of normal: period of that sine."},
    {.name = "minimum",
     .type = MR_OPTION_NUMBER,
     .default_text = "0",
     .minimum = -1e15,
     .maximum = 1e15,
     .help = "Of uniform and integer: the smallest value."},
    {.name = "maximum",
     .type = MR_OPTION_NUMBER,
     .default_text = "1",
     .minimum = -1e15,
     .maximum = 1e15,
     .help = "Of uniform and integer: the largest value."},
    {.name = "values",
     .type = MR_OPTION_STRINGS,
     .minimum = 1,
     .maximum = 10000,
     .help = "Of choice: the texts, each equally likely."},
    {.name = "prefix",
     .type = MR_OPTION_STRING,
     .default_text = "s-",
     .help = "Of key: written in front of the key's number of at least five digits: s-00042."},
    {.name = "decimals",
     .type = MR_OPTION_INTEGER,
     .default_text = "3",
     .minimum = 0,
     .maximum = 15,
     .help = "Of normal and uniform: digits behind the decimal point."},
    {.name = NULL},
};

static const struct mr_option_spec random_anomaly_options[] = {
    {.name = "share",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 0,
     .maximum = 1,
     .help = "Share of the records that are anomalies; of shift: of the blocks of records."},
    {.name = "field",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "The field of distribution normal that they change."},
    {.name = "kind",
     .type = MR_OPTION_CHOICE,
     .default_text = "spike",
     .choices = anomaly_kinds,
     .help = "spike: single records; shift: `length` records of a key one after the other."},
    {.name = "size",
     .type = MR_OPTION_NUMBER,
     .default_text = "8",
     .minimum = 0,
     .maximum = 1e6,
     .help = "How far they are off, up or down, in multiples of the field's sd."},
    {.name = "length",
     .type = MR_OPTION_INTEGER,
     .default_text = "10",
     .minimum = 1,
     .maximum = 1e6,
     .help = "Of shift: records of a key in a block."},
    {.name = NULL},
};

static const struct mr_option_spec random_options[] = {
    {.name = "fields",
     .type = MR_OPTION_OBJECTS,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = RANDOM_FIELDS_MAX,
     .fields = random_field_options,
     .help = "The fields of a record, 1 to 64, in the order in which they are written."},
    MR_GENERATOR_OPTION_SEED,
    {.name = "keys",
     .type = MR_OPTION_INTEGER,
     .default_text = "1",
     .minimum = 1,
     .maximum = RANDOM_KEYS_MAX,
     .help = "How many keys report in turn; each belongs to one partition."},
    {.name = "anomalies",
     .type = MR_OPTION_OBJECT,
     .fields = random_anomaly_options,
     .help = "Anomalies to inject; a field of distribution label tells them. Default: none."},
    MR_GENERATOR_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_spec random_outputs[] = {
    {.name = "main", .help = "The records, with the fields of the option `fields`."},
};

const struct mr_operator_type mr_operator_generate_random = {
    .spec =
        {
            .name = "generate.random",
            .role = MR_ROLE_SOURCE,
            .flags = MR_TYPE_GENERATOR | MR_TYPE_RECORD_TYPED,
            .summary = "Makes seeded random records, with labelled anomalies where wanted.",
            .description =
                "Each record is drawn from a counter-based sequence of (seed, record number): the "
                "same topology makes the same records, also after a restart, so that exactly-once "
                "holds from end to end. The keys of a partition report in turn.\n\n"
                "A field of distribution normal has a level per key (`level_sd`), noise (`sd`) and "
                "a season (`season`); `anomalies` changes some of its records, and a field of "
                "distribution label says which, so that a detector can be judged.\n\n"
                "For tests, demonstrations and load. Records of a key are independent but for "
                "level, season and shifts: data that shall resemble a given data set needs a "
                "generator that learns from it. Numbers: Philox4x32-10 (Salmon and others, SC "
                "2011).",
            .options = random_options,
            .outputs = random_outputs,
            .outputs_count = 1,
            .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
            .check = random_check,
        },
    .instance_size = sizeof(struct random_source),
    .open = random_open,
    .generate = random_generate,
    .close = random_close,
};
