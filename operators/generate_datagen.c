/* operators/generate_datagen.c — generate.datagen: records whose fields follow rules.
 * Design: the rules are in field_rule.c; here are the options and the rows. */
#include "base/assert.h"
#include "base/memory.h"
#include "operators/field_rule.h"
#include "operators/generator.h"
#include "operators/registry.h"

struct datagen {
    struct mr_generator generator;
    struct mr_field_rule *rules;
    uint32_t rules_count;
};

static enum mr_status datagen_open(void *self, const struct mr_operator_open *open,
                                   struct mr_error *error)
{
    struct datagen *datagen = self;
    const struct mr_options *options = &open->node->options;
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    MR_UNUSED(error);
    mr_generator_open(&datagen->generator, open);
    datagen->rules = mr_memory_new(fields->count, sizeof(*datagen->rules));
    datagen->rules_count = fields->count;
    for (uint32_t index = 0; index < fields->count; index++)
        mr_field_rule_open(&datagen->rules[index], fields, index,
                           (uint64_t)mr_options_integer(options, "seed"));
    return MR_OK;
}

static void datagen_close(void *self)
{
    struct datagen *datagen = self;
    for (uint32_t index = 0; index < datagen->rules_count; index++)
        mr_field_rule_close(&datagen->rules[index]);
    mr_memory_free(datagen->rules);
}

static enum mr_status datagen_generate(void *self, struct mr_operator_context *context,
                                       int64_t position, struct mr_batch *batch,
                                       int64_t *next_position, int64_t *due_ms,
                                       struct mr_error *error)
{
    struct datagen *datagen = self;
    struct mr_generator *generator = &datagen->generator;
    struct mr_value *columns[MR_FIELD_RULES_MAX];
    struct mr_value row[MR_FIELD_RULES_MAX];
    uint32_t rows_count;
    MR_UNUSED(error);
    enum mr_status status = mr_generator_due(generator, position, context->now_ms,
                                             batch->rows_capacity, &rows_count, due_ms);
    if (status != MR_OK)
        return status;
    mr_generator_rows(generator, batch, position, rows_count);
    for (uint32_t field = 0; field < datagen->rules_count; field++)
        columns[field] = mr_batch_column(batch, generator->field_slots[field]);
    for (uint32_t index = 0; index < rows_count; index++) {
        int64_t number = mr_generator_index(generator, position + index);
        for (uint32_t field = 0; field < datagen->rules_count; field++) {
            row[field] = mr_field_rule_value(&datagen->rules[field], number,
                                             batch->event_times_ms[index], row, batch->arena);
            columns[field][index] = row[field];
        }
    }
    *next_position = position + rows_count;
    return MR_OK;
}

static enum mr_status datagen_check(const struct mr_options *options, const char **option,
                                    struct mr_error *error)
{
    const struct mr_option_value *fields = mr_options_get(options, "fields");
    enum mr_status status = MR_OK;
    *option = "fields";
    for (uint32_t index = 0; index < fields->count && status == MR_OK; index++)
        status = mr_field_rule_check(fields, index, error);
    return status;
}

enum { VALUES_MAX = 10000 };

#define WEIGHTED_VALUES                                                                            \
    {.name = "values",                                                                             \
     .type = MR_OPTION_STRINGS,                                                                    \
     .minimum = 1,                                                                                 \
     .maximum = VALUES_MAX,                                                                        \
     .help = "Of choice: the texts, up to 10,000."},                                               \
    {                                                                                              \
        .name = "weights", .type = MR_OPTION_NUMBERS, .minimum = 1, .maximum = VALUES_MAX,         \
        .help = "Of choice: how likely each of `values` is, in proportion; up to 1e12 each. "      \
                "Default: all alike."                                                              \
    }

static const struct mr_option_spec case_options[] = {
    {.name = "is",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "What the field `by` holds, as text; '' is null."},
    WEIGHTED_VALUES,
    {.name = NULL},
};

static const struct mr_option_spec field_options[] = {
    {.name = "name",
     .type = MR_OPTION_STRING,
     .flags = MR_OPTION_REQUIRED,
     .help = "The field's name."},
    {.name = "rule",
     .type = MR_OPTION_CHOICE,
     .flags = MR_OPTION_REQUIRED,
     .choices = mr_field_rule_names,
     .help = "What the field holds: sequence (first, increment, last), integer and uniform "
             "(minimum, maximum, decimals), normal (mean, sd, decimals), zipf (whole numbers, "
             "minimum being the most frequent; maximum, exponent), boolean (true_share), choice "
             "(values, weights, or by and cases), regex (pattern), template (text), copy (of), "
             "uuid (version 4), time (the record's event time in ms, max_past)."},
    {.name = "null_share",
     .type = MR_OPTION_SHARE,
     .default_text = "0",
     .minimum = 0,
     .maximum = 1,
     .help = "Share of the records in which the field is null."},
    {.name = "first",
     .type = MR_OPTION_INTEGER,
     .default_text = "0",
     .minimum = -1e15,
     .maximum = 1e15,
     .help = "Of sequence: the first record's number."},
    {.name = "increment",
     .type = MR_OPTION_INTEGER,
     .default_text = "1",
     .minimum = -1e6,
     .maximum = 1e6,
     .help = "Of sequence: from one record to the next."},
    {.name = "last",
     .type = MR_OPTION_INTEGER,
     .minimum = -1e15,
     .maximum = 1e15,
     .help = "Of sequence: behind it the numbers begin again. Default: they go on."},
    {.name = "minimum",
     .type = MR_OPTION_NUMBER,
     .default_text = "0",
     .minimum = -1e15,
     .maximum = 1e15,
     .help = "Of integer, uniform and zipf: the smallest value."},
    {.name = "maximum",
     .type = MR_OPTION_NUMBER,
     .default_text = "1",
     .minimum = -1e15,
     .maximum = 1e15,
     .help = "Of integer, uniform and zipf: the largest value."},
    {.name = "decimals",
     .type = MR_OPTION_INTEGER,
     .default_text = "3",
     .minimum = 0,
     .maximum = 15,
     .help = "Of uniform and normal: digits behind the decimal point."},
    {.name = "mean",
     .type = MR_OPTION_NUMBER,
     .default_text = "0",
     .minimum = -1e100,
     .maximum = 1e100,
     .help = "Of normal: the mean."},
    {.name = "sd",
     .type = MR_OPTION_NUMBER,
     .default_text = "1",
     .minimum = 0,
     .maximum = 1e100,
     .help = "Of normal: the standard deviation."},
    {.name = "exponent",
     .type = MR_OPTION_NUMBER,
     .default_text = "1",
     .minimum = 0,
     .maximum = MR_ZIPF_EXPONENT_MAX,
     .help = "Of zipf: the k-th value is as likely as k^-exponent."},
    {.name = "true_share",
     .type = MR_OPTION_SHARE,
     .default_text = "0.5",
     .minimum = 0,
     .maximum = 1,
     .help = "Of boolean: share of true."},
    WEIGHTED_VALUES,
    {.name = "by",
     .type = MR_OPTION_STRING,
     .help = "Of choice: an earlier field that decides which of `cases` counts; where none "
             "matches, `values` do, and without them the field is null."},
    {.name = "cases",
     .type = MR_OPTION_OBJECTS,
     .fields = case_options,
     .minimum = 1,
     .maximum = MR_FIELD_CASES_MAX,
     .help = "Of choice: values for each value of the field `by`, up to 256."},
    {.name = "pattern",
     .type = MR_OPTION_STRING,
     .help = "Of regex: a regular expression that the text matches, such as '[A-Z]{3}-[0-9]{4}'. "
             "* and + draw at most eight more than their least; texts have at most 1,024 bytes."},
    {.name = "text",
     .type = MR_OPTION_STRING,
     .help = "Of template: a text in which {NAME} stands for the value of an earlier field; {{ and "
             "}} are the signs themselves. At most 32 pieces."},
    {.name = "of",
     .type = MR_OPTION_STRING,
     .help = "Of copy: the earlier field whose value it has, too."},
    {.name = "max_past",
     .type = MR_OPTION_DURATION,
     .default_text = "0s",
     .minimum = 0,
     .maximum = 3660.0 * 86400e3,
     .help = "Of time: the time is up to this before the record's own, at random."},
    {.name = NULL},
};

static const struct mr_option_spec datagen_options[] = {
    {.name = "fields",
     .type = MR_OPTION_OBJECTS,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = MR_FIELD_RULES_MAX,
     .fields = field_options,
     .help = "The fields of a record, 1 to 64, in the order in which they are written; a field may "
             "refer to those before it."},
    MR_GENERATOR_OPTION_SEED,
    MR_GENERATOR_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_spec datagen_outputs[] = {
    {.name = "main", .help = "The records, with the fields of the option `fields`."},
};

const struct mr_operator_type mr_operator_generate_datagen = {
    .spec =
        {
            .name = "generate.datagen",
            .role = MR_ROLE_SOURCE,
            .flags = MR_TYPE_GENERATOR | MR_TYPE_RECORD_TYPED,
            .summary = "Makes records field by field from rules: sequences, choices, patterns, "
                       "references.",
            .description =
                "Each field has a rule: numbers of a distribution, a sequence, a choice among "
                "texts with weights (also such that depend on an earlier field), a text that "
                "matches a regular expression, a text with the values of earlier fields in it, a "
                "uuid, a time; any of them may be null in a share of the records.\n\n"
                "A value is a function of (seed, the field's name, record number): the same "
                "topology makes the same records with any number of workers and after a restart, "
                "so that exactly-once holds from end to end, and adding a field changes no "
                "other.\n\n"
                "For tests, demonstrations and load where the shape of records is known. Fields "
                "are independent but for `by`, template and copy, and records of each other; what "
                "must be computed, a `map` behind it computes. Data that shall resemble a given "
                "data set: generate.copula, generate.bootstrap; series over time with anomalies: "
                "generate.timeseries, generate.random. Numbers: Philox4x32-10 (Salmon and others, "
                "SC 2011); zipf by rejection-inversion (Hoermann and Derflinger, 1996).",
            .options = datagen_options,
            .outputs = datagen_outputs,
            .outputs_count = 1,
            .guarantee = MR_GUARANTEE_EXACTLY_ONCE,
            .check = datagen_check,
        },
    .instance_size = sizeof(struct datagen),
    .open = datagen_open,
    .generate = datagen_generate,
    .close = datagen_close,
};
