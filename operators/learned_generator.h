/* operators/learned_generator.h — the shell of generators that learn: generate.copula and its like
 * share when records are learned and made; a kind of model (learned_kind.h) says what is learned.
 * Model: models are in learned_models.h. A record's share of synthetic records is drawn with the
 * model as it was before the record, up to MR_LEARNED_DRAW_MAX rows of one key at a time: drawing
 * waits until another key comes, the model learns, or the call ends.
 * A type of this family is a table that names the functions below, an `open` that hands its kind to
 * mr_learned_generator_open, and the options MR_LEARNED_OPTIONS with those of its own. */
#ifndef MR_OPERATORS_LEARNED_GENERATOR_H
#define MR_OPERATORS_LEARNED_GENERATOR_H

#include "operators/learned_answers.h"
#include "operators/learned_publish.h"
#include "operators/learned_timer.h"

/* ---- Tables of a type: the parts that all have ---- */

/* help: what can be learned of the fields. */
#define MR_LEARNED_OPTION_FIELDS(help_text)                                                        \
    {                                                                                              \
        .name = "fields", .type = MR_OPTION_PATHS,                                                 \
        .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND, .minimum = 1,                         \
        .maximum = MR_LEARNED_COLUMNS_MAX, .help = (help_text)                                     \
    }

#define MR_LEARNED_OPTION_RATIO                                                                    \
    {                                                                                              \
        .name = "ratio", .type = MR_OPTION_NUMBER, .default_text = "1.0", .minimum = 0,            \
        .maximum = 1000,                                                                           \
        .help = "Synthetic records for each real one, once `min_records` are learned; 0.1 makes "  \
                "one for ten."                                                                     \
    }

#define MR_LEARNED_OPTION_MIN_RECORDS                                                              \
    {                                                                                              \
        .name = "min_records", .type = MR_OPTION_INTEGER, .default_text = "500", .minimum = 1,     \
        .maximum = 1e9,                                                                            \
        .help = "Records of the key that must be learned before the first one is made."            \
    }

#define MR_LEARNED_OPTION_CONDITIONS                                                               \
    {                                                                                              \
        .name = "conditions", .type = MR_OPTION_OBJECTS, .fields = mr_learned_condition_options,   \
        .minimum = 0, .maximum = MR_LEARNED_CONDITIONS_MAX,                                        \
        .help = "What every synthetic record meets, one condition per field, at most 16. While "   \
                "the conditions are impossible by what is known (a text that was never seen) a "   \
                "real record that should have made some follows `on_error`."                       \
    }

#define MR_LEARNED_OPTION_WEIGHT                                                                   \
    {                                                                                              \
        .name = "weight", .type = MR_OPTION_SHARE, .default_text = "0.1", .minimum = 0.000001,     \
        .maximum = 0.99,                                                                           \
        .help = "How fast old records are forgotten: the share that the newest 1,000 records "     \
                "have in what is known, in the long run."                                          \
    }

#define MR_LEARNED_OPTION_HALF_LIFE                                                                \
    {                                                                                              \
        .name = "half_life", .type = MR_OPTION_STEP, .minimum = 1, .maximum = 1e15,                \
        .help = "Instead of `weight`: records, or event time, after which a record counts half. "  \
                "A record that comes late is learned when it comes, with the weight of one that "  \
                "is on time."                                                                      \
    }

#define MR_LEARNED_OPTION_LEARN_BATCH                                                              \
    {                                                                                              \
        .name = "learn_batch", .type = MR_OPTION_INTEGER, .flags = MR_OPTION_STATE_BOUND,          \
        .default_text = "256", .minimum = 1, .maximum = MR_LEARNED_BLOCK_MAX,                      \
        .help = "Records that are learned together, 1 to 256. The first of these batches tells "   \
                "the kinds of the fields."                                                         \
    }

#define MR_LEARNED_OPTION_SEED                                                                     \
    {                                                                                              \
        .name = "seed", .type = MR_OPTION_INTEGER, .flags = MR_OPTION_STATE_BOUND,                 \
        .default_text = "1", .minimum = 0, .maximum = 1e15,                                        \
        .help = "What the records are drawn from, with the key: the same input has the same "      \
                "synthetic records in every run."                                                  \
    }

#define MR_LEARNED_OPTION_RATE                                                                     \
    {                                                                                              \
        .name = "rate", .type = MR_OPTION_RATE, .minimum = 1e-3, .maximum = 1e9,                   \
        .help = "Make records by the clock instead of by `ratio`: so many per second and key, in " \
                "batches, for instance 100/s. Default, with `delay` or `max_records`: as fast as " \
                "they are taken. A record has the time at which its batch was due; these times "   \
                "are kept in state, and what was not made in time is made up for."                 \
    }

#define MR_LEARNED_OPTION_DELAY                                                                    \
    {                                                                                              \
        .name = "delay", .type = MR_OPTION_DURATION, .minimum = 0, .maximum = 86400e3,             \
        .help = "Time between two batches by the clock, besides what `rate` asks."                 \
    }

#define MR_LEARNED_OPTION_MAX_RECORDS                                                              \
    {                                                                                              \
        .name = "max_records", .type = MR_OPTION_INTEGER, .minimum = 1, .maximum = 1e15,           \
        .help = "Records of a key that are made by the clock. Default: no end."                    \
    }

#define MR_LEARNED_OPTION_BATCH_SIZE                                                               \
    {                                                                                              \
        .name = "batch_size", .type = MR_OPTION_INTEGER, .default_text = "1000", .minimum = 1,     \
        .maximum = 100000,                                                                         \
        .help = "Records of a batch by the clock, that have one _batch_id and one time."           \
    }

#define MR_LEARNED_OPTION_INCLUDE_METADATA                                                         \
    {                                                                                              \
        .name = "include_metadata", .type = MR_OPTION_BOOLEAN, .default_text = "true",             \
        .help = "Whether records made by the clock have _batch_id (batch-001 and on) and "         \
                "_generated_at (the time at which the batch was due)."                             \
    }

#define MR_LEARNED_OPTION_FIT                                                                      \
    {                                                                                              \
        .name = "fit", .type = MR_OPTION_OBJECT, .fields = mr_learned_fit_options,                 \
        .help =                                                                                    \
            "What must be learned of a key before its first record is made, instead of "           \
            "`min_records`: from a topic, or from a file of CSV (a `file` source as `learn`). "    \
            "With fit.max_records the model stays as it then is, and what is made depends on "     \
            "no arrival any more. Requests that come before are answered with an error "           \
            "(not_ready), and do not wait."                                                        \
    }

#define MR_LEARNED_OPTION_MAX_OPEN_REQUESTS                                                        \
    {                                                                                              \
        .name = "max_open_requests", .type = MR_OPTION_INTEGER, .default_text = "64",              \
        .minimum = 1, .maximum = 1024,                                                             \
        .help = "Requests of a task that are being answered at a time, 1 to 1,024; further ones "  \
                "are answered by an error. Each takes up to 4 kB of state."                        \
    }

#define MR_LEARNED_OPTION_REPLY_TOPICS                                                             \
    {                                                                                              \
        .name = "reply_topics", .type = MR_OPTION_STRINGS, .minimum = 0, .maximum = 64,            \
        .help = "Topics that a request may name as reply_topic, with * for any characters, but "   \
                "not in front. Replies carry the name on, and the sink writes them there: "        \
                "topic_from: 'has(record.reply_topic) ? reply_topic : \"replies\"', with a "       \
                "topic_allow that lists the same and the default. Without it no request may name " \
                "one."                                                                             \
    }

#define MR_LEARNED_OPTIONS                                                                         \
    MR_LEARNED_OPTION_RATIO, MR_LEARNED_OPTION_MIN_RECORDS, MR_LEARNED_OPTION_CONDITIONS,          \
        MR_LEARNED_OPTION_WEIGHT, MR_LEARNED_OPTION_HALF_LIFE, MR_LEARNED_OPTION_LEARN_BATCH,      \
        MR_LEARNED_OPTION_SEED, MR_LEARNED_OPTION_MAX_OPEN_REQUESTS,                               \
        MR_LEARNED_OPTION_REPLY_TOPICS, MR_LEARNED_OPTION_RATE, MR_LEARNED_OPTION_DELAY,           \
        MR_LEARNED_OPTION_MAX_RECORDS, MR_LEARNED_OPTION_BATCH_SIZE,                               \
        MR_LEARNED_OPTION_INCLUDE_METADATA, MR_LEARNED_OPTION_FIT

extern const struct mr_option_spec mr_learned_condition_options[];
extern const struct mr_option_spec mr_learned_fit_options[];
/* Inputs and outputs of the family. */
enum { MR_LEARNED_OUTPUTS_COUNT = 2 };
extern const struct mr_input_spec mr_learned_inputs[];
extern const struct mr_output_spec mr_learned_outputs[MR_LEARNED_OUTPUTS_COUNT];
/* The same, with `models` behind: of types with the option `publish`, whose kind's models begin
 * with a struct mr_copula. */
enum { MR_LEARNED_OUTPUT_MODELS = MR_LEARNED_OUTPUTS_COUNT, MR_LEARNED_PUBLISHING_OUTPUTS_COUNT };
extern const struct mr_output_spec mr_learned_publishing_outputs[];

/* `reads_wall_clock`, `check` and, for the kind's bytes, `estimate` of a type. */
bool mr_learned_reads_wall_clock(const struct mr_options *options);
enum mr_status mr_learned_check(const struct mr_options *options, const char **option,
                                struct mr_error *error) MR_NODISCARD;
/* The same of what making records asks alone: `conditions`, `reply_topics`, and the clock. */
enum mr_status mr_learned_check_making(const struct mr_options *options, const char **option,
                                       struct mr_error *error) MR_NODISCARD;
/* The option `conditions`: of columns by their places in `fields`, in conditions (room for
 * MR_LEARNED_CONDITIONS_MAX), which must stay. */
struct mr_learned_conditions mr_learned_conditions_bind(const struct mr_options *options,
                                                        struct mr_copula_condition *conditions);
void mr_learned_estimate(const struct mr_learned_kind *kind, const struct mr_options *options,
                         struct mr_state_estimate *estimate);

/* ---- The operator ---- */

/* Records of one key that are to be drawn. */
struct mr_learned_draws {
    struct mr_slice key;
    uint64_t hash;
    uint32_t count;
    uint64_t first;
    uint32_t refused;             /* of those drawn */
    const struct mr_batch *cause; /* of the records that earned them */
    uint32_t rows[MR_LEARNED_DRAW_MAX];
    int64_t times_ms[MR_LEARNED_DRAW_MAX];
};

/* An instance. */
struct mr_learned_generator {
    struct mr_learned_models models;
    const struct mr_plan_node *node;
    struct mr_learned_rows rows; /* of the main output */
    const uint32_t *fields;      /* slots of the input */
    uint32_t columns_count;
    double ratio;
    double min_records;
    struct mr_copula_condition conditions[MR_LEARNED_CONDITIONS_MAX];
    struct mr_learned_draws draws;
    struct mr_learned_pace pace;       /* open where one of these is asked for: */
    struct mr_learned_answers answers; /* where the node has `requests` */
    struct mr_learned_timer timer;     /* with `rate`, `delay`, `max_records` or `fit` */
    bool is_paced;
    bool publishes; /* and then: */
    struct mr_learned_publisher publisher;
    struct mr_batch *output; /* being filled; NULL: none */
    uint32_t output_rows;    /* capacity of the next one of this call */
};

enum mr_status mr_learned_generator_open(struct mr_learned_generator *generator,
                                         const struct mr_operator_open *open,
                                         const struct mr_learned_kind *kind,
                                         struct mr_error *error) MR_NODISCARD;
/* For the type's table; self: a struct mr_learned_generator. */
void mr_learned_generator_close(void *self);
enum mr_status mr_learned_generator_process(void *self, struct mr_operator_context *context,
                                            uint32_t port, struct mr_view view,
                                            struct mr_error *error) MR_NODISCARD;
enum mr_status mr_learned_generator_watermark(void *self, struct mr_operator_context *context,
                                              struct mr_error *error) MR_NODISCARD;
enum mr_status mr_learned_generator_wall(void *self, struct mr_operator_context *context,
                                         int64_t *due_ms, struct mr_error *error) MR_NODISCARD;
enum mr_status mr_learned_generator_describe(const struct mr_state_object *object,
                                             struct mr_arena *arena,
                                             struct mr_state_description *description,
                                             struct mr_error *error) MR_NODISCARD;

#endif
