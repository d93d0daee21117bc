/* operators/generate_timeseries.c — generate.timeseries: series with trend, seasons, correlated
 * noise, an arrival process, and anomalies that say what they are.
 * Design: as generate.random, the keys of a partition report in turn, and a record is a function of
 * (seed, key, its number): which content it has comes from series_anomaly.h, when from arrival.h,
 * its noise from series_noise.h.
 *
 *   value = level + level_sd N(key) + trend (t - start) / trend_per
 *           + sum of amplitude sin(2 pi (t / period + phase)) + noise x[number] + shift */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/arrival.h"
#include "operators/registry.h"
#include "operators/series_anomaly.h"
#include "operators/series_noise.h"

enum series_holds {
    HOLDS_SERIES,
    HOLDS_KEY,
    HOLDS_TIME,
    HOLDS_NUMBER,
    HOLDS_IS_ANOMALY,
    HOLDS_LABEL,
    HOLDS_ANOMALY_ID
};
enum {
    FIELDS_MAX = 32, /* bits of series_anomaly.fields */
    SEASONS_MAX = 8,
    KEYS_MAX = 100000,
    NOISE_STATES_MAX = 1000000, /* of 96 bytes */
    KEY_DIGITS_MIN = 5,
    ID_BYTES_MAX = 64 /* behind the key */
};

/* Streams of the seed beside the records' own. */
static const uint64_t level_seed = 0x6c6576656c732121u;
static const uint64_t noise_seed = 0x6e6f697365212121u;

struct season {
    double period_ms;
    double amplitude;
    double phase;
};

struct series_field {
    enum series_holds holds;
    double level;
    double trend_per_ms;
    struct season seasons[SEASONS_MAX];
    uint32_t seasons_count;
    double sd;
    double minimum;
    double maximum;
    double power_of_ten; /* 10^decimals */
    struct mr_series_noise noise;
    double *levels;                       /* by key of this partition; NULL: all 0 */
    struct mr_series_noise_state *states; /* the same; NULL: the noise has no memory */
};

struct series_source {
    struct mr_generator generator;
    struct mr_arrival arrival;
    struct mr_series_anomalies anomalies;
    struct mr_series_episode *episodes; /* by key of this partition and entry */
    struct series_field *fields;
    uint32_t fields_count;
    int64_t local_keys_count;
    struct mr_slice prefix;
    int key_digits;
    /* Nothing is from gap_position up to gap_next: what was found is not looked for again while the
     * records behind a gap are not due. */
    int64_t gap_position;
    int64_t gap_next;
};

/* A record on its way into a row. */
struct series_row {
    struct mr_arena *arena;
    int64_t local_key;
    uint64_t key;
    int64_t time_ms;
    struct mr_series_episode *episodes;
    struct mr_series_record record;
    struct mr_value values[FIELDS_MAX];
};

static const char *const holdings[] = {"series",     "key",   "time",       "number",
                                       "is_anomaly", "label", "anomaly_id", NULL};

/* ---- Opening ---- */

static void draw_levels(const struct series_source *source, struct series_field *field,
                        uint32_t field_index, uint64_t seed, double level_sd)
{
    if (level_sd <= 0)
        return;
    field->levels = mr_memory_new((size_t)source->local_keys_count, sizeof(*field->levels));
    for (int64_t local = 0; local < source->local_keys_count; local++) {
        int64_t key = local * source->generator.partitions_count + source->generator.partition;
        struct mr_random random;
        mr_random_init(&random, seed ^ level_seed, (uint64_t)key * FIELDS_MAX + field_index);
        field->levels[local] = level_sd * mr_random_normal(&random);
    }
}

static enum mr_status open_field(const struct series_source *source, struct series_field *field,
                                 uint32_t field_index, uint64_t seed,
                                 const struct mr_options *options, struct mr_error *error)
{
    field->holds = (enum series_holds)mr_options_integer(options, "holds");
    if (field->holds != HOLDS_SERIES)
        return MR_OK;
    field->level = mr_options_number(options, "level");
    field->trend_per_ms =
        mr_options_number(options, "trend") / (double)mr_options_integer(options, "trend_per");
    field->sd = mr_options_number(options, "noise");
    field->minimum =
        mr_options_present(options, "minimum") ? mr_options_number(options, "minimum") : -INFINITY;
    field->maximum =
        mr_options_present(options, "maximum") ? mr_options_number(options, "maximum") : INFINITY;
    field->power_of_ten = pow(10, (double)mr_options_integer(options, "decimals"));
    const struct mr_option_value *seasons = mr_options_get(options, "seasons");
    field->seasons_count = seasons->count;
    for (uint32_t index = 0; index < seasons->count; index++)
        field->seasons[index] = (struct season){
            .period_ms = (double)mr_options_integer(&seasons->objects[index], "period"),
            .amplitude = mr_options_number(&seasons->objects[index], "amplitude"),
            .phase = mr_options_number(&seasons->objects[index], "phase")};
    draw_levels(source, field, field_index, seed, mr_options_number(options, "level_sd"));
    const struct mr_option_value *ar = mr_options_get(options, "ar");
    if (ar->count > 0)
        field->states = mr_memory_new((size_t)source->local_keys_count, sizeof(*field->states));
    return mr_series_noise_init(&field->noise, seed ^ noise_seed, field->sd, ar->numbers, ar->count,
                                error);
}

/* The series that an entry changes, a bit for each. */
static uint32_t changed_fields(const struct mr_option_value *fields, const struct mr_options *entry)
{
    const char *wanted = mr_options_text(entry, "field");
    uint32_t bits = 0;
    for (uint32_t index = 0; index < fields->count; index++) {
        const struct mr_options *field = &fields->objects[index];
        if (mr_options_integer(field, "holds") == HOLDS_SERIES &&
            (wanted == NULL || strcmp(mr_options_text(field, "name"), wanted) == 0))
            bits |= 1u << index;
    }
    return bits;
}

static void open_anomalies(struct series_source *source, uint64_t seed,
                           const struct mr_options *options)
{
    const struct mr_option_value *entries = mr_options_get(options, "anomalies");
    struct mr_series_anomalies *anomalies = &source->anomalies;
    anomalies->seed = seed;
    anomalies->count = entries->count;
    anomalies->duplicates = MR_SERIES_ANOMALIES_MAX;
    for (uint32_t index = 0; index < entries->count; index++) {
        anomalies->entries[index] = mr_series_anomaly_of(&entries->objects[index]);
        anomalies->entries[index].fields =
            changed_fields(mr_options_get(options, "fields"), &entries->objects[index]);
        if (anomalies->entries[index].kind == MR_SERIES_DUPLICATE)
            anomalies->duplicates = index;
    }
    source->episodes = mr_memory_new((size_t)source->local_keys_count * (entries->count + 1),
                                     sizeof(*source->episodes));
}

static enum mr_status series_open(void *self, const struct mr_operator_open *open,
                                  struct mr_error *error)
{
    struct series_source *source = self;
    const struct mr_options *options = &open->node->options;
    uint64_t seed = (uint64_t)mr_options_integer(options, "seed");
    int64_t keys_count = mr_options_integer(options, "keys");
    mr_generator_open(&source->generator, open);
    mr_arrival_init(&source->arrival, &source->generator,
                    (enum mr_arrival_kind)mr_options_integer(options, "arrival"), seed);
    source->local_keys_count =
        (keys_count - source->generator.partition - 1) / open->partitions_count + 1;
    source->prefix = mr_slice_text(mr_options_text(options, "prefix"));
    source->key_digits = KEY_DIGITS_MIN;
    source->gap_position = -1;
    for (int64_t bound = 100000; bound < keys_count; bound *= 10)
        source->key_digits++;
    open_anomalies(source, seed, options);
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    source->fields = mr_memory_new(fields->count, sizeof(*source->fields));
    source->fields_count = fields->count;
    enum mr_status status = MR_OK;
    for (uint32_t index = 0; index < fields->count && status == MR_OK; index++)
        status =
            open_field(source, &source->fields[index], index, seed, &fields->objects[index], error);
    return status;
}

static void series_close(void *self)
{
    struct series_source *source = self;
    for (uint32_t index = 0; index < source->fields_count; index++) {
        mr_memory_free(source->fields[index].levels);
        mr_memory_free(source->fields[index].states);
    }
    mr_memory_free(source->fields);
    mr_memory_free(source->episodes);
}

/* ---- Records ---- */

static int64_t time_of(struct series_source *source, int64_t local_key, int64_t content)
{
    return mr_arrival_time_ms(&source->arrival, content * source->local_keys_count + local_key);
}

static struct mr_value series_value(struct series_source *source, uint32_t field_index,
                                    struct series_row *row)
{
    static const double two_pi = 6.283185307179586;
    struct series_field *field = &source->fields[field_index];
    bool is_held = (row->record.held_fields & (1u << field_index)) != 0;
    int64_t content = is_held ? row->record.held : row->record.content;
    int64_t time_ms = is_held ? time_of(source, row->local_key, content) : row->time_ms;
    struct mr_series_change change = mr_series_change_at(&source->anomalies, row->key, content,
                                                         field_index, row->episodes, &row->record);
    double number = field->level +
                    field->trend_per_ms * (double)(time_ms - source->generator.start_ms) +
                    (field->levels == NULL ? 0 : field->levels[row->local_key]);
    for (uint32_t index = 0; index < field->seasons_count; index++) {
        const struct season *season = &field->seasons[index];
        number += season->amplitude *
                  sin(two_pi * (fmod((double)time_ms, season->period_ms) / season->period_ms +
                                season->phase));
    }
    number += change.noise *
              mr_series_noise_at(&field->noise, row->key * FIELDS_MAX + field_index, content,
                                 field->states == NULL ? NULL : &field->states[row->local_key]);
    number = fmin(fmax(number + change.shift * field->sd, field->minimum), field->maximum);
    double rounded = nearbyint(number * field->power_of_ten) / field->power_of_ten;
    /* + 0.0: no -0. Too large to be rounded: as it is. */
    return mr_value_double((isfinite(rounded) ? rounded : number) + 0.0);
}

static size_t write_key(const struct series_source *source, uint64_t key, uint8_t *text)
{
    size_t size = source->prefix.size + (size_t)source->key_digits;
    if (source->prefix.size > 0)
        memcpy(text, source->prefix.data, source->prefix.size);
    for (size_t place = size; place > source->prefix.size; place--) {
        text[place - 1] = (uint8_t)('0' + key % 10);
        key /= 10;
    }
    return size;
}

/* KEY, or KEY/KIND/ENTRY.SLOT: the same for all records of an episode, and for no other. */
static struct mr_value name_value(const struct series_source *source, const struct series_row *row,
                                  bool of_anomaly)
{
    uint8_t *text =
        mr_arena_take(row->arena, source->prefix.size + (size_t)source->key_digits + ID_BYTES_MAX);
    size_t size = write_key(source, row->key, text);
    if (of_anomaly) {
        const struct mr_series_anomaly *entry = &source->anomalies.entries[row->record.entry];
        size += (size_t)snprintf((char *)text + size, ID_BYTES_MAX, "/%s/%d.%lld",
                                 mr_series_anomaly_kinds[entry->kind], (int)row->record.entry,
                                 (long long)row->record.slot);
    }
    return mr_value_string(mr_slice_from(text, size));
}

static struct mr_value told_value(struct series_source *source, uint32_t field,
                                  const struct series_row *row)
{
    bool is_anomaly = row->record.entry >= 0;
    switch (source->fields[field].holds) {
    case HOLDS_SERIES:
        return row->values[field];
    case HOLDS_KEY:
        return name_value(source, row, false);
    case HOLDS_TIME:
        return mr_value_int(row->time_ms);
    case HOLDS_NUMBER:
        return mr_value_int(row->record.content);
    case HOLDS_IS_ANOMALY:
        return mr_value_bool(is_anomaly);
    case HOLDS_LABEL:
        break;
    case HOLDS_ANOMALY_ID:
        return is_anomaly ? name_value(source, row, true) : mr_value_null();
    }
    if (!is_anomaly)
        return mr_value_null();
    enum mr_series_anomaly_kind kind = source->anomalies.entries[row->record.entry].kind;
    return mr_value_string(mr_slice_text(mr_series_anomaly_kinds[kind]));
}

/* The record at a position of the partition. False: it is missing. */
static bool make_row(struct series_source *source, int64_t position, struct series_row *row)
{
    const struct mr_generator *generator = &source->generator;
    row->local_key = position % source->local_keys_count;
    row->key = (uint64_t)(row->local_key * generator->partitions_count + generator->partition);
    row->episodes = source->episodes + row->local_key * (source->anomalies.count + 1);
    mr_series_record_at(&source->anomalies, row->key, position / source->local_keys_count,
                        row->episodes, &row->record);
    if (row->record.missing)
        return false;
    row->time_ms = time_of(source, row->local_key, row->record.content);
    /* First what makes a label, then what tells it. */
    for (uint32_t field = 0; field < source->fields_count; field++)
        if (source->fields[field].holds == HOLDS_SERIES)
            row->values[field] = series_value(source, field, row);
    for (uint32_t field = 0; field < source->fields_count; field++)
        row->values[field] = told_value(source, field, row);
    return true;
}

static enum mr_status series_generate(void *self, struct mr_operator_context *context,
                                      int64_t position, struct mr_batch *batch,
                                      int64_t *next_position, int64_t *due_ms,
                                      struct mr_error *error)
{
    struct series_source *source = self;
    struct mr_generator *generator = &source->generator;
    MR_UNUSED(error);
    struct mr_value *columns[FIELDS_MAX];
    for (uint32_t field = 0; field < source->fields_count; field++)
        columns[field] = mr_batch_column(batch, generator->field_slots[field]);
    struct series_row row = {.arena = batch->arena};
    int64_t next = position == source->gap_position ? source->gap_next : position;
    enum mr_status status = MR_OK;
    /* Until the batch is full: a gap makes no rows, and is passed when what is behind it is due. */
    while (status == MR_OK && batch->rows_count < batch->rows_capacity) {
        uint32_t allowed;
        status = mr_generator_due(generator, next, context->now_ms,
                                  batch->rows_capacity - batch->rows_count, &allowed, due_ms);
        for (; status == MR_OK && allowed > 0; allowed--, next++) {
            if (!make_row(source, next, &row))
                continue;
            for (uint32_t field = 0; field < source->fields_count; field++)
                columns[field][batch->rows_count] = row.values[field];
            mr_generator_row(generator, batch, next, row.time_ms);
        }
    }
    source->gap_position = position;
    source->gap_next = next;
    if (batch->rows_count == 0)
        return status;
    source->gap_position = -1;
    *next_position = batch->offsets[batch->rows_count - 1] + 1;
    return MR_OK;
}

/* ---- Checks ---- */

static enum mr_status check_field(const struct mr_options *field, struct mr_error *error)
{
    const char *name = mr_options_text(field, "name");
    double minimum = mr_options_number(field, "minimum");
    double maximum = mr_options_number(field, "maximum");
    const struct mr_option_value *ar = mr_options_get(field, "ar");
    struct mr_series_noise noise;
    struct mr_error reason;
    if (mr_options_present(field, "minimum") && mr_options_present(field, "maximum") &&
        !(minimum < maximum))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "field \"%s\": `minimum` (%g) must be below `maximum` (%g)", name, minimum,
                       maximum);
    if (mr_series_noise_init(&noise, 0, 1, ar->numbers, ar->count, &reason) != MR_OK)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY, "field \"%s\": %s", name,
                       reason.message);
    return MR_OK;
}

static enum mr_status check_fields(const struct mr_option_value *fields, int64_t keys_count,
                                   struct mr_error *error)
{
    int64_t states = 0;
    bool has_series = false;
    for (uint32_t index = 0; index < fields->count; index++) {
        const struct mr_options *field = &fields->objects[index];
        const char *name = mr_options_text(field, "name");
        for (uint32_t other = 0; other < index; other++) {
            const char *earlier = mr_options_text(&fields->objects[other], "name");
            if (name != NULL && earlier != NULL && strcmp(name, earlier) == 0)
                return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                               "two fields are named \"%s\"", name);
        }
        enum mr_status status = check_field(field, error);
        if (status != MR_OK)
            return status;
        has_series = has_series || mr_options_integer(field, "holds") == HOLDS_SERIES;
        states += mr_options_get(field, "ar")->count > 0 ? keys_count : 0;
    }
    if (!has_series)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "none of the fields holds a series: leave `holds` out where one shall be");
    if (states > NOISE_STATES_MAX)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "noise with `ar` takes 112 bytes per key and field: at most %d of them, and "
                       "here are %lld; lower `keys`, or leave `ar` out",
                       NOISE_STATES_MAX, (long long)states);
    return MR_OK;
}

/* A field that an entry names is a series with noise to measure by. */
static enum mr_status check_anomaly(const struct mr_option_value *fields,
                                    const struct mr_options *entry, struct mr_error *error)
{
    const char *wanted = mr_options_text(entry, "field");
    bool is_found = wanted == NULL;
    for (uint32_t index = 0; index < fields->count; index++) {
        const struct mr_options *field = &fields->objects[index];
        const char *name = mr_options_text(field, "name");
        is_found = is_found || (name != NULL && strcmp(name, wanted) == 0 &&
                                mr_options_integer(field, "holds") == HOLDS_SERIES);
    }
    if (!is_found)
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "anomalies change a field that holds a series, and \"%s\" is none", wanted);
    return MR_OK;
}

static enum mr_status series_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    const struct mr_option_value *anomalies = mr_options_get(options, "anomalies");
    int64_t keys_count = mr_options_integer(options, "keys");
    *option = "keys";
    if (keys_count < mr_options_integer(options, "partitions"))
        return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                       "each partition needs a key of its own: `keys` (%lld) must not be below "
                       "`partitions` (%lld)",
                       (long long)keys_count, (long long)mr_options_integer(options, "partitions"));
    *option = "fields";
    enum mr_status status = check_fields(fields, keys_count, error);
    if (status == MR_OK) {
        *option = "anomalies";
        status = mr_series_anomalies_check(anomalies, error);
    }
    for (uint32_t index = 0; status == MR_OK && index < anomalies->count; index++)
        status = check_anomaly(fields, &anomalies->objects[index], error);
    return status;
}

/* ---- Table ---- */

static const struct mr_option_spec season_options[] = {
    {.name = "period",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "Its period, in event time."},
    {.name = "amplitude",
     .type = MR_OPTION_NUMBER,
     .default_text = "1",
     .minimum = -1e100,
     .maximum = 1e100,
     .help = "How far it goes up and down."},
    {.name = "phase",
     .type = MR_OPTION_SHARE,
     .default_text = "0",
     .minimum = 0,
     .maximum = 1,
     .help = "Where in the period it is at the epoch, as a share of the period: 0.25 is the top."},
    {.name = NULL},
};

static const struct mr_option_spec field_options[] = {
    {.name = "name",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "The field's name."},
    {.name = "holds",
     .type = MR_OPTION_CHOICE,
     .default_text = "series",
     .choices = holdings,
     .help = "A series, or what belongs to all series of the record: key (`prefix` and the key's "
             "number), time (its event time in ms), number (its number within its key; a copy has "
             "that of its original), is_anomaly (true or false), label (the kind of its anomaly, "
             "or null), anomaly_id (KEY/KIND/ENTRY.SLOT, the same for all records of one episode, "
             "or null)."},
    {.name = "level",
     .type = MR_OPTION_NUMBER,
     .default_text = "0",
     .minimum = -1e100,
     .maximum = 1e100,
     .help = "What the series moves around."},
    {.name = "level_sd",
     .type = MR_OPTION_NUMBER,
     .default_text = "0",
     .minimum = 0,
     .maximum = 1e100,
     .help = "Standard deviation of the keys' own levels around that."},
    {.name = "trend",
     .type = MR_OPTION_NUMBER,
     .default_text = "0",
     .minimum = -1e100,
     .maximum = 1e100,
     .help = "How much it rises within `trend_per` of event time, from `start` on."},
    {.name = "trend_per",
     .type = MR_OPTION_DURATION,
     .default_text = "1d",
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "The time in which it rises by `trend`."},
    {.name = "seasons",
     .type = MR_OPTION_OBJECTS,
     .minimum = 0,
     .maximum = SEASONS_MAX,
     .fields = season_options,
     .help = "Sines that are added, up to 8."},
    {.name = "noise",
     .type = MR_OPTION_NUMBER,
     .default_text = "1",
     .minimum = 0,
     .maximum = 1e100,
     .help = "Standard deviation of the noise, whatever `ar` is."},
    {.name = "ar",
     .type = MR_OPTION_NUMBERS,
     .minimum = 0,
     .maximum = MR_SERIES_NOISE_ORDER_MAX,
     .help = "What is left of the last values' noise in the next, the last one first: [0.8] or "
             "[0.5, 0.3], up to 8. Default: noise without memory."},
    {.name = "minimum",
     .type = MR_OPTION_NUMBER,
     .minimum = -1e300,
     .maximum = 1e300,
     .help = "Values below are set to it. Default: none."},
    {.name = "maximum",
     .type = MR_OPTION_NUMBER,
     .minimum = -1e300,
     .maximum = 1e300,
     .help = "Values above are set to it. Default: none."},
    {.name = "decimals",
     .type = MR_OPTION_INTEGER,
     .default_text = "3",
     .minimum = 0,
     .maximum = 15,
     .help = "Digits behind the decimal point."},
    {.name = NULL},
};

static const struct mr_option_spec series_options[] = {
    {.name = "fields",
     .type = MR_OPTION_OBJECTS,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = FIELDS_MAX,
     .fields = field_options,
     .help = "The fields of a record, 1 to 32, in the order in which they are written."},
    MR_GENERATOR_OPTION_SEED,
    {.name = "keys",
     .type = MR_OPTION_INTEGER,
     .default_text = "1",
     .minimum = 1,
     .maximum = KEYS_MAX,
     .help = "How many keys report in turn, up to 100,000; each belongs to one partition."},
    {.name = "prefix",
     .type = MR_OPTION_STRING,
     .default_text = "s-",
     .help = "Written in front of a key's number of at least five digits: s-00042."},
    {.name = "anomalies",
     .type = MR_OPTION_OBJECTS,
     .minimum = 0,
     .maximum = MR_SERIES_ANOMALIES_MAX,
     .fields = mr_series_anomaly_options,
     .help = "Anomalies to inject, up to 16 entries. Default: none."},
    {.name = "arrival",
     .type = MR_OPTION_CHOICE,
     .default_text = "regular",
     .choices = mr_arrival_kinds,
     .help = "Event times of a partition's records: regular (every step), jitter (somewhere within "
             "their step), poisson (at random, at that mean rate)."},
    MR_GENERATOR_OPTION_RATE,
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .minimum = 0,
     .maximum = 1e15,
     .help = "How many records over all partitions, those that are missing in gaps counted; then "
             "the source ends. Default: no end."},
    MR_GENERATOR_OPTION_PARTITIONS,
    MR_GENERATOR_OPTION_START,
    {.name = "step",
     .type = MR_OPTION_DURATION,
     .minimum = 1,
     .maximum = 366.0 * 86400e3,
     .help = "Event time from one record to the next, whatever their keys. Default: what `rate` "
             "says, or 1ms without a rate."},
    {.name = NULL},
};

static const struct mr_output_spec series_outputs[] = {
    {.name = "main", .help = "The records, with the fields of the option `fields`."},
};

const struct mr_operator_type mr_operator_generate_timeseries = {
    .spec =
        {
            .name = "generate.timeseries",
            .role = MR_ROLE_SOURCE,
            .flags = MR_TYPE_GENERATOR | MR_TYPE_RECORD_TYPED,
            .summary = "Makes time series with trend, seasons, noise that remembers, and anomalies "
                       "that say what they are.",
            .description =
                "A series is `level` + trend + seasons + noise; records come at regular times, "
                "with jitter, or as a Poisson process. Each record is a function of (seed, key, "
                "its number): the same topology makes the same records, also after a restart, so "
                "that exactly-once holds from end to end. The keys of a partition report in "
                "turn.\n\n"
                "Eight kinds of anomalies, each with a share of the records, a size and a length: "
                "spike, level_shift, drift, variance_change, stuck, gap, duplicate, reorder. "
                "Fields of `holds: is_anomaly`, `label` and `anomaly_id` say of each record "
                "whether it is one, which kind, and which episode, so that a detector can be "
                "judged (evaluate.detection; docs/DETECTORS.md has figures). Changes of values add "
                "up; the label is then that of the entry named "
                "first. Copies and late records have event times of before: give the source a "
                "`watermark: {max_delay: ...}` of (length + 1) x keys x step for them, or they "
                "are late.\n\n"
                "For tests, demonstrations and the measurement of detectors. Data that shall "
                "resemble a given data set needs a generator that learns from it. Numbers: "
                "Philox4x32-10 (Salmon and others, SC 2011). Memory: 112 bytes per key and series "
                "with `ar`, 8 with `level_sd`, 32 per key and entry of `anomalies`.",
            .options = series_options,
            .outputs = series_outputs,
            .outputs_count = 1,
            .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
            .check = series_check,
        },
    .instance_size = sizeof(struct series_source),
    .open = series_open,
    .generate = series_generate,
    .close = series_close,
};
