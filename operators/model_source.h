/* operators/model_source.h — what sources share that draw from a model's document (sample_model.h):
 * generate.bootstrap, generate.copula and generate.network.
 * Model: see operators/generator.h. The document is read when the topology is planned, so that
 * every worker has the same one. Rows of a model are drawn MR_SAMPLE_ROWS at a time: position p of
 * partition q draws row (p / 64 * partitions + q) * 64 + p % 64, so that a partition's rows are
 * next to each other and no row is drawn twice. */
#ifndef MR_OPERATORS_MODEL_SOURCE_H
#define MR_OPERATORS_MODEL_SOURCE_H

#include "operators/arrival.h"
#include "operators/learned_generator.h"
#include "operators/sample_type.h"

struct mr_model_source {
    struct mr_generator generator;
    struct mr_arrival arrival;
    const enum mr_type_code *types;
    struct mr_sample_model *model;
    struct mr_sample *sample;
    struct mr_value *cells; /* of MR_SAMPLE_ROWS rows */
    uint32_t fields_count;
    int64_t batch_rows;
    double delay_ms;
    bool has_metadata;
    bool is_stepped;
};

/* For a type's own open, which knows the type of its models. */
enum mr_status mr_model_source_open(struct mr_model_source *source,
                                    const struct mr_sample_type *type,
                                    const struct mr_operator_open *open,
                                    struct mr_error *error) MR_NODISCARD;
/* As mr_operator_type's generate and close. */
enum mr_status mr_model_source_generate(void *self, struct mr_operator_context *context,
                                        int64_t position, struct mr_batch *batch,
                                        int64_t *next_position, int64_t *due_ms,
                                        struct mr_error *error) MR_NODISCARD;
void mr_model_source_close(void *self);
/* For check_bound: what the model makes impossible is told before anything runs. */
enum mr_status mr_model_source_check(const struct mr_sample_type *type,
                                     const struct mr_options *options, const char **option,
                                     struct mr_error *error) MR_NODISCARD;
/* As mr_type_spec's check. */
enum mr_status mr_model_source_check_conditions(const struct mr_options *options,
                                                const char **option,
                                                struct mr_error *error) MR_NODISCARD;

extern const struct mr_output_spec mr_model_source_outputs[1];

/* The options of all of them, without the end; what is said of `model` and `conditions` differs. */
#define MR_MODEL_SOURCE_OPTIONS(model_help, conditions_help)                                       \
    {.name = "model",                                                                              \
     .type = MR_OPTION_DOCUMENT,                                                                   \
     .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND,                                          \
     .help = (model_help)},                                                                        \
        {.name = "conditions",                                                                     \
         .type = MR_OPTION_OBJECTS,                                                                \
         .flags = MR_OPTION_STATE_BOUND,                                                           \
         .fields = mr_learned_condition_options,                                                   \
         .minimum = 0,                                                                             \
         .maximum = MR_SAMPLE_CONDITIONS_MAX,                                                      \
         .help = (conditions_help)},                                                               \
        MR_GENERATOR_OPTION_RATE, MR_GENERATOR_OPTION_COUNT,                                       \
        {.name = "batch_size",                                                                     \
         .type = MR_OPTION_INTEGER,                                                                \
         .flags = MR_OPTION_STATE_BOUND,                                                           \
         .default_text = "1000",                                                                   \
         .minimum = 1,                                                                             \
         .maximum = 1e9,                                                                           \
         .help = "Records that share a `_batch_id`, and between which there is no `delay`."},      \
        {.name = "delay",                                                                          \
         .type = MR_OPTION_DURATION,                                                               \
         .flags = MR_OPTION_STATE_BOUND,                                                           \
         .default_text = "0s",                                                                     \
         .minimum = 0,                                                                             \
         .maximum = 86400e3,                                                                       \
         .help = "Time between the last record of a batch and the first one of the next, besides " \
                 "what "                                                                           \
                 "`rate` says; also of event time, unless there is a `step`."},                    \
        {.name = "arrival",                                                                        \
         .type = MR_OPTION_CHOICE,                                                                 \
         .choices = mr_arrival_kinds,                                                              \
         .default_text = "regular",                                                                \
         .help = "How records lie in event time: `regular`, evenly; `jitter`, at random within "   \
                 "their step; `poisson`, at random, and on average at the `rate` or `step`."},     \
        {.name = "include_metadata",                                                               \
         .type = MR_OPTION_BOOLEAN,                                                                \
         .default_text = "true",                                                                   \
         .help = "Whether records have `_generated_at` (their event time, RFC 3339 in UTC) and "   \
                 "`_batch_id` (\"batch-001\" is the first)."},                                     \
        {.name = "seed",                                                                           \
         .type = MR_OPTION_INTEGER,                                                                \
         .flags = MR_OPTION_STATE_BOUND,                                                           \
         .default_text = "1",                                                                      \
         .minimum = 0,                                                                             \
         .maximum = 1e15,                                                                          \
         .help =                                                                                   \
             "What the records are drawn from: the same seed, the same records, which with one "   \
             "partition are those of `millrace generate --seed`."},                                \
        MR_GENERATOR_OPTION_PARTITIONS, MR_GENERATOR_OPTION_START,                                 \
    {                                                                                              \
        .name = "step", .type = MR_OPTION_DURATION, .minimum = 1, .maximum = 366.0 * 86400e3,      \
        .help = "Event time from one record to the next. Default: what `rate` and `delay` say, "   \
                "or 1ms "                                                                          \
                "without a rate."                                                                  \
    }

#endif
