/* operators/generate_shuffle.c — generate.shuffle: the load of the benchmark ShuffleBench (Henning,
 * Vogel, Leichtfried, Ertl and Rabiser, ShuffleBench: A Benchmark for Large-Scale Data Shuffling
 * Operations with Distributed Stream Processing Frameworks, ICPE 2024): records of which each
 * matches some of many rules, so that a small share of all data must travel to the task of each
 * rule.
 * Design: rule k matches a record with probability p_k = total_selectivity k^-skew / sum, whatever
 * other rules do. A record's matches are drawn in time that grows with their number and not with
 * that of the rules: since p_k only falls, the way to the next candidate is geometric with the
 * present p_k, and the candidate j is taken with p_j / p_k. */
#include <math.h>

#include "base/assert.h"
#include "base/memory.h"
#include "operators/generator.h"
#include "operators/registry.h"

enum {
    RULES_MAX = 1000000,
    RECORD_BYTES_MAX = 1 << 20,
    MATCHES_MAX = 4096,
    ROWS_BYTES = 1 << 22 /* of data made in one call */
};

struct shuffle {
    struct mr_generator generator;
    uint64_t seed;
    uint32_t record_bytes;
    uint32_t rules_count;
    double skew;
    double first_chance; /* p_1 */
    double constant_log; /* log(1 - p_1) where all are alike */
    uint32_t rows_max;   /* of one call */
};

static enum mr_status shuffle_open(void *self, const struct mr_operator_open *open,
                                   struct mr_error *error)
{
    struct shuffle *shuffle = self;
    const struct mr_options *options = &open->node->options;
    MR_UNUSED(error);
    mr_generator_open(&shuffle->generator, open);
    shuffle->seed = (uint64_t)mr_options_integer(options, "seed");
    shuffle->record_bytes = (uint32_t)mr_options_integer(options, "record_bytes");
    shuffle->rules_count = (uint32_t)mr_options_integer(options, "rules_count");
    shuffle->skew = mr_options_number(options, "skew");
    double sum = 0;
    for (uint32_t rule = shuffle->rules_count; rule >= 1; rule--) /* small ones first */
        sum += pow(rule, -shuffle->skew);
    shuffle->first_chance = mr_options_number(options, "total_selectivity") / sum;
    if (shuffle->first_chance > 1)
        shuffle->first_chance = 1;
    shuffle->constant_log = log1p(-shuffle->first_chance);
    shuffle->rows_max = ROWS_BYTES / (shuffle->record_bytes + 1) + 1;
    return MR_OK;
}

static void shuffle_close(void *self)
{
    MR_UNUSED(self);
}

static double chance_of(const struct shuffle *shuffle, double rule)
{
    return shuffle->skew == 0 ? shuffle->first_chance
                              : shuffle->first_chance * pow(rule, -shuffle->skew);
}

/* Numbers of the rules that match, rising; the first MATCHES_MAX of them. */
static struct mr_value draw_matches(const struct shuffle *shuffle, struct mr_random *random,
                                    struct mr_arena *arena)
{
    struct mr_value found[MATCHES_MAX];
    uint32_t count = 0;
    double rule = 1; /* the next that may match */
    while (count < MATCHES_MAX && shuffle->first_chance > 0) {
        double chance = chance_of(shuffle, rule);
        if (chance < 1) {
            double logarithm = shuffle->skew == 0 ? shuffle->constant_log : log1p(-chance);
            rule += floor(log1p(-mr_random_double(random)) / logarithm);
        }
        if (!(rule <= shuffle->rules_count))
            break;
        if (shuffle->skew == 0 || mr_random_double(random) * chance < chance_of(shuffle, rule))
            found[count++] = mr_value_int((int64_t)rule);
        rule++;
    }
    struct mr_value *items = mr_arena_new(arena, count, sizeof(*items));
    for (uint32_t index = 0; index < count; index++)
        items[index] = found[index];
    return (struct mr_value){.kind = MR_KIND_LIST, .size = count, .items = items};
}

/* Letters, digits, - and _: six random bits each. */
static struct mr_value draw_data(const struct shuffle *shuffle, struct mr_random *random,
                                 struct mr_arena *arena)
{
    static const char signs[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    uint8_t *text = mr_arena_take(arena, shuffle->record_bytes);
    for (uint32_t at = 0; at < shuffle->record_bytes;) {
        uint64_t bits = mr_random_u64(random);
        for (uint32_t sign = 0; sign < 10 && at < shuffle->record_bytes; sign++, bits >>= 6)
            text[at++] = (uint8_t)signs[bits & 63];
    }
    return mr_value_string(mr_slice_from(text, shuffle->record_bytes));
}

static enum mr_status shuffle_generate(void *self, struct mr_operator_context *context,
                                       int64_t position, struct mr_batch *batch,
                                       int64_t *next_position, int64_t *due_ms,
                                       struct mr_error *error)
{
    struct shuffle *shuffle = self;
    struct mr_generator *generator = &shuffle->generator;
    uint32_t rows_count;
    MR_UNUSED(error);
    uint32_t rows_max =
        batch->rows_capacity < shuffle->rows_max ? batch->rows_capacity : shuffle->rows_max;
    enum mr_status status =
        mr_generator_due(generator, position, context->now_ms, rows_max, &rows_count, due_ms);
    if (status != MR_OK)
        return status;
    mr_generator_rows(generator, batch, position, rows_count);
    struct mr_value *numbers = mr_batch_column(batch, generator->field_slots[0]);
    struct mr_value *times = mr_batch_column(batch, generator->field_slots[1]);
    struct mr_value *rules = mr_batch_column(batch, generator->field_slots[2]);
    struct mr_value *data = mr_batch_column(batch, generator->field_slots[3]);
    for (uint32_t row = 0; row < rows_count; row++) {
        int64_t number = mr_generator_index(generator, position + row);
        struct mr_random random;
        mr_random_init(&random, shuffle->seed, (uint64_t)number);
        numbers[row] = mr_value_int(number);
        times[row] = mr_value_int(batch->event_times_ms[row]);
        rules[row] = draw_matches(shuffle, &random, batch->arena);
        data[row] = draw_data(shuffle, &random, batch->arena);
    }
    *next_position = position + rows_count;
    return MR_OK;
}

static const struct mr_option_spec shuffle_options[] = {
    {.name = "record_bytes",
     .type = MR_OPTION_INTEGER,
     .default_text = "1024",
     .minimum = 0,
     .maximum = RECORD_BYTES_MAX,
     .help = "Bytes of the field data, up to 1,048,576."},
    {.name = "rules_count",
     .type = MR_OPTION_INTEGER,
     .default_text = "1000",
     .minimum = 1,
     .maximum = RULES_MAX,
     .help = "How many rules there are, up to 1,000,000."},
    {.name = "total_selectivity",
     .type = MR_OPTION_NUMBER,
     .default_text = "0.2",
     .minimum = 0,
     .maximum = 1000,
     .help = "How many rules a record matches on average (a rule never more than each record)."},
    {.name = "skew",
     .type = MR_OPTION_NUMBER,
     .default_text = "0",
     .minimum = 0,
     .maximum = 10,
     .help = "Rule k matches k^-skew times as often as rule 1: 0 is all alike."},
    MR_GENERATOR_OPTION_SEED,
    MR_GENERATOR_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field shuffle_fields[] = {
    {"number", MR_TYPE_INT, "The record's number, from 0 on."},
    {"ts", MR_TYPE_INT, "Its event time, ms."},
    {"rules", MR_TYPE_LIST, "Numbers of the rules that it matches, from 1 on, rising."},
    {"data", MR_TYPE_STRING, "Random letters, digits, - and _."},
};

static const struct mr_output_spec shuffle_outputs[] = {
    {.name = "main",
     .help = "The records.",
     .fields = shuffle_fields,
     .fields_count = sizeof(shuffle_fields) / sizeof(shuffle_fields[0])},
};

const struct mr_operator_type mr_operator_generate_shuffle = {
    .spec =
        {
            .name = "generate.shuffle",
            .role = MR_ROLE_SOURCE,
            .flags = MR_TYPE_GENERATOR | MR_TYPE_RECORD_TYPED,
            .summary = "Makes the load of ShuffleBench: records that match some of many rules.",
            .description =
                "Each record has `record_bytes` of random text and says which of `rules_count` "
                "rules it matches; each rule matches at random, independently of the others. A "
                "topology behind it sends each record to the task of every rule that it matches "
                "(flat_map over `rules`, key_by, aggregate): few of many records, to many keys, "
                "which is what shuffling costs. At most 4,096 matches of a record are told.\n\n"
                "A record is a function of (seed, its number): the same topology makes the same "
                "records, also after a restart, so that exactly-once holds from end to end. "
                "Defaults are the benchmark's. Paper: Henning and others, ShuffleBench (ICPE "
                "2024). Numbers: Philox4x32-10 (Salmon and others, SC 2011).",
            .options = shuffle_options,
            .outputs = shuffle_outputs,
            .outputs_count = 1,
            .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
        },
    .instance_size = sizeof(struct shuffle),
    .open = shuffle_open,
    .generate = shuffle_generate,
    .close = shuffle_close,
};
