/* operators/detector.h — what all detectors share: options, the object that is added to each
 * record, judging, learning, alerts. A new detector is a model (operators/model.h) and a table:
 *
 *   1. operators/detect_<name>.c with a `static const struct mr_model_type`: begin, fits, ready,
 *      score, learn, encode, decode. `self` is the operator's struct, whose first member is
 *      `struct mr_detector detector`; its open reads the detector's own options and then calls
 *      mr_detector_open.
 *   2. MR_DETECTOR_CODEC(name, model), and a `static const struct mr_detector_type` with
 *      name_encode, name_decode, the texts of own string members and the sentence for `reason`.
 *   3. Options: MR_DETECTOR_OPTION_FIELD (or _FIELDS), _THRESHOLD, _WARMUP, MR_DETECTOR_OPTIONS,
 *      and its own. Members: MR_DETECTOR_MEMBERS, its own, and last, of detectors of several fields
 *      that tell shares, MR_DETECTOR_MEMBER_CONTRIBUTIONS.
 *   4. `struct mr_operator_type`: .process = mr_detector_process, .on_watermark =
 *      mr_detector_watermark, .reach = mr_detector_reach, .spec.outputs = mr_detector_outputs,
 *      .spec.check = mr_detector_check (or its own, which calls that), .spec.state_version =
 *      MR_DETECTOR_STATE_VERSION(the model's), .spec.estimate calls mr_detector_estimate,
 *      .describe_state mr_stage_describe, .close = mr_detector_close or calls it.
 *   5. The registry, a line in the conformance suite, docs/ADDING_AN_OPERATOR.md.
 * operators/detect_ewma.c is the shortest example, detect_zscore.c one with slots,
 * detect_threshold.c one without state.
 *
 * Invariants: no NaN or infinity is emitted; -0.0 reads as 0.0; a record is judged before it is
 * learned. is_anomaly is score > threshold, unless the key is muted or `suppress` holds the record
 * back; `reason` is a sentence with the numbers for anomalies and "" for all others, so that normal
 * records cost no text. Severity: info while there is no anomaly; of anomalies what `bands` says,
 * else warning, and critical from twice the threshold on. docs/DETECTORS.md says it to users. */
#ifndef MR_OPERATORS_DETECTOR_H
#define MR_OPERATORS_DETECTOR_H

#include "operators/calibration.h"
#include "operators/detector_stage.h"
#include "operators/event_order.h"
#include "operators/operator.h"

/* Members of the added object that every detector has, in this order. */
enum mr_detector_member {
    MR_DETECTOR_SCORE,
    MR_DETECTOR_THRESHOLD,
    MR_DETECTOR_IS_ANOMALY,
    MR_DETECTOR_SEVERITY,
    MR_DETECTOR_REASON,
    MR_DETECTOR_NAME,
    MR_DETECTOR_P_VALUE,
    MR_DETECTOR_STATE,
    MR_DETECTOR_MEMBERS_COUNT /* the detector's own follow */
};

/* What a detector says of itself with each record, as text in `state`. */
enum mr_detector_state {
    MR_DETECTOR_LEARNING, /* too little was learned to judge: the score is 0 */
    MR_DETECTOR_ARMED,
    MR_DETECTOR_STARVED, /* the number is missing (on_missing): the score is 0 */
    MR_DETECTOR_MUTED,   /* judged, but no anomaly is told: a control record said so */
    MR_DETECTOR_STATES_COUNT
};

enum mr_detector_learn { MR_LEARN_ALWAYS, MR_LEARN_NORMAL_ONLY, MR_LEARN_NEVER };
enum mr_detector_on_missing { MR_ON_MISSING_SKIP, MR_ON_MISSING_IMPUTE, MR_ON_MISSING_FLAG };

enum {
    MR_DETECTOR_OUTPUTS_COUNT = 2,
    MR_DETECTOR_OUTPUT_ALERTS = 1,
    MR_DETECTOR_REASON_BYTES = 384
};

/* Larger numbers are scored but not learned: the sum of the squares of 2^53 numbers up to this one
 * is still a double, so that no mean or variance overflows. */
#define MR_DETECTOR_LEARNED_MAX 1e140

/* ---- Tables of a detector: the parts that all have ---- */

/* The number to watch. */
#define MR_DETECTOR_OPTION_FIELD                                                                   \
    {                                                                                              \
        .name = "field", .type = MR_OPTION_PATH, .flags = MR_OPTION_REQUIRED | MR_OPTION_NUMERIC,  \
        .help = "The number to watch."                                                             \
    }

/* The numbers to watch together. */
#define MR_DETECTOR_OPTION_FIELDS(least)                                                           \
    {                                                                                              \
        .name = "fields", .type = MR_OPTION_PATHS,                                                 \
        .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND, .minimum = (least),                   \
        .maximum = MR_MODEL_FIELDS_MAX, .help = "The numbers to watch together, in this order."    \
    }

/* help: a sentence that says what the threshold is compared with, and its unit. */
#define MR_DETECTOR_OPTION_THRESHOLD(default_value, help_text)                                     \
    {                                                                                              \
        .name = "threshold", .type = MR_OPTION_NUMBER, .default_text = (default_value),            \
        .minimum = 0, .maximum = 1e300, .help = (help_text)                                        \
    }

#define MR_DETECTOR_OPTION_WARMUP(default_value, least, most)                                      \
    {                                                                                              \
        .name = "warmup", .type = MR_OPTION_INTEGER, .default_text = (default_value),              \
        .minimum = (least), .maximum = (most),                                                     \
        .help = "Records of a key that are only learned: their score is 0."                        \
    }

#define MR_DETECTOR_OPTION_BANDS                                                                   \
    {                                                                                              \
        .name = "bands", .type = MR_OPTION_OBJECT, .fields = mr_detector_bands_fields,             \
        .help = "The severity of an anomaly by its score. Default: each is at least a warning, "   \
                "and critical from twice the threshold on."                                        \
    }

#define MR_DETECTOR_OPTION_LEARN                                                                   \
    {                                                                                              \
        .name = "learn", .type = MR_OPTION_CHOICE, .default_text = "always",                       \
        .choices = mr_detector_learns,                                                             \
        .help = "What becomes part of what is normal: every record, those at or below the "        \
                "threshold (normal_only), or none after the warm-up (never)."                      \
    }

#define MR_DETECTOR_OPTION_ON_MISSING                                                              \
    {                                                                                              \
        .name = "on_missing", .type = MR_OPTION_CHOICE, .default_text = "skip",                    \
        .choices = mr_detector_on_missings,                                                        \
        .help = "A record whose number is missing, null, NaN or infinite: it follows on_error "    \
                "(skip), it is judged as if it had the key's last number (impute), or it goes on " \
                "with the score 0 and the state starved (flag)."                                   \
    }

#define MR_DETECTOR_OPTION_SUPPRESS                                                                \
    {                                                                                              \
        .name = "suppress", .type = MR_OPTION_OBJECT, .fields = mr_detector_suppress_fields,       \
        .help = "One alert per episode: only its first record is an anomaly, and later ones that " \
                "score higher than all before. It ends, with an alert `resolved`, when so many "   \
                "records or so long were without a score above the threshold. Default: each "      \
                "record for itself."                                                               \
    }

#define MR_DETECTOR_OPTION_CALIBRATE                                                               \
    {                                                                                              \
        .name = "calibrate", .type = MR_OPTION_OBJECT, .flags = MR_OPTION_STATE_BOUND,             \
        .fields = mr_calibration_fields,                                                           \
        .help = "Take the threshold from the key's own scores, so that a share `rate` of normal "  \
                "records is above it, and tell p_value; `threshold` counts until enough are "      \
                "there. Default: `threshold` is fixed."                                            \
    }

#define MR_DETECTOR_OPTION_WARM_FROM                                                               \
    {                                                                                              \
        .name = "warm_from", .type = MR_OPTION_OBJECT, .fields = mr_detector_warm_fields,          \
        .help = "Learn from what the sources have kept before going live: they start so far back " \
                "where they have no progress. Default: the detector goes live at once."            \
    }

/* Two: `order` and what bounds it. */
#define MR_DETECTOR_OPTION_ORDER                                                                   \
    {.name = "order",                                                                              \
     .type = MR_OPTION_CHOICE,                                                                     \
     .default_text = "arrival",                                                                    \
     .choices = mr_detector_orders,                                                                \
     .help = "arrival: records and what `control` says count as they come; event_time: they wait " \
             "until the watermark has passed them, and count in the order of their event times."}, \
    {                                                                                              \
        .name = "max_waiting", .type = MR_OPTION_INTEGER, .default_text = "100000", .minimum = 1,  \
        .maximum = 1e9,                                                                            \
        .help = "Records of a task that wait at most, with `order: event_time`. One more and the " \
                "earliest is judged at once, and what then comes with an earlier time is late."    \
    }

/* What every detector with a model and state has. Change detectors, which always learn, take the
 * single ones that mean something to them. */
#define MR_DETECTOR_OPTIONS                                                                        \
    MR_DETECTOR_OPTION_BANDS, MR_DETECTOR_OPTION_LEARN, MR_DETECTOR_OPTION_ON_MISSING,             \
        MR_DETECTOR_OPTION_SUPPRESS, MR_DETECTOR_OPTION_CALIBRATE, MR_DETECTOR_OPTION_WARM_FROM,   \
        MR_DETECTOR_OPTION_ORDER

/* The shared members of the added object; score_help is a phrase of what the score is. */
#define MR_DETECTOR_MEMBERS(score_help)                                                            \
    {"score", MR_TYPE_DOUBLE, score_help},                                                         \
        {"threshold", MR_TYPE_DOUBLE, "What the score was compared with."},                        \
        {"is_anomaly", MR_TYPE_BOOL, "True when the score is above the threshold."},               \
        {"severity", MR_TYPE_STRING, "info, warning or critical."},                                \
        {"reason", MR_TYPE_STRING, "For anomalies a sentence with the numbers, otherwise empty."}, \
        {"detector", MR_TYPE_STRING, "The operator's type."},                                      \
        {"p_value", MR_TYPE_DOUBLE,                                                                \
         "How likely a normal record scores as high; only where the method gives one."},           \
    {                                                                                              \
        "state", MR_TYPE_STRING,                                                                   \
            "learning (the score is 0), armed, starved (no number: the score is 0) or muted."      \
    }

#define MR_DETECTOR_MEMBER_CONTRIBUTIONS                                                           \
    {                                                                                              \
        "contributions", MR_TYPE_OBJECT,                                                           \
            "Of anomalies: the share of each field in the score, by the field's path."             \
    }

#define MR_DETECTOR_STATE_VERSION(model_version) (256 * MR_STAGE_VERSION + (model_version))

typedef size_t mr_detector_encode(const void *object, uint8_t *output);
typedef bool mr_detector_decode(void *object, uint32_t version, struct mr_slice stored);

/* name_encode and name_decode of a model, for each layout of the stage: the table's callbacks have
 * no argument to find model and layout by. */
#define MR_DETECTOR_CODEC(name, model)                                                             \
    MR_DETECTOR_CODEC_OF(name##_whole, model, MR_STAGE_WHOLE)                                      \
    MR_DETECTOR_CODEC_OF(name##_head, model, MR_STAGE_HEAD)                                        \
    static mr_detector_encode *const name##_encode[MR_STAGE_LAYOUTS_COUNT] = {name##_whole_encode, \
                                                                              name##_head_encode}; \
    static mr_detector_decode *const name##_decode[MR_STAGE_LAYOUTS_COUNT] = {name##_whole_decode, \
                                                                              name##_head_decode};

#define MR_DETECTOR_CODEC_OF(name, model, layout)                                                  \
    static size_t name##_encode(const void *object, uint8_t *output)                               \
    {                                                                                              \
        return mr_stage_encode(&(model), layout, object, output);                                  \
    }                                                                                              \
    static bool name##_decode(void *object, uint32_t version, struct mr_slice stored)              \
    {                                                                                              \
        return mr_stage_decode(&(model), layout, object, version, stored);                         \
    }

extern const struct mr_output_spec mr_detector_outputs[MR_DETECTOR_OUTPUTS_COUNT];
extern const char *const mr_detector_learns[];
extern const char *const mr_detector_on_missings[];
extern const char *const mr_detector_orders[];
extern const struct mr_option_spec mr_detector_suppress_fields[];
extern const struct mr_option_spec mr_detector_warm_fields[];
extern const struct mr_option_spec mr_detector_bands_fields[];
extern const char *const mr_detector_states[MR_DETECTOR_STATES_COUNT];

/* ---- A detector ---- */

/* What a detector says of one anomaly. */
struct mr_detector_finding {
    char reason[MR_DETECTOR_REASON_BYTES]; /* a sentence, ended by NUL */
    const char *severity;                  /* NULL: by the bands above */
    double metric_value;                   /* of the alert; set to the score before the call */
    double threshold; /* of the alert; set to what the score was compared with */
};

/* row is as score left it. */
typedef void mr_detector_describe(const void *self, const struct mr_model_row *row,
                                  struct mr_detector_finding *finding);

/* Which numbers a detector takes; other ones are reported. */
enum mr_detector_range {
    MR_RANGE_ANY,
    MR_RANGE_BINARY, /* 0 and 1, or a bool */
    MR_RANGE_SHARE   /* 0 to 1, or a bool */
};

struct mr_detector_type {
    const struct mr_model_type *model;
    /* By MR_DETECTOR_CODEC, by layout of the stage; NULL: the model is stateless. */
    mr_detector_encode *const *encode;
    mr_detector_decode *const *decode;
    /* Texts of own members that are strings; NULL of others. */
    const char *const *own_texts[MR_MODEL_OWN_MAX];
    mr_detector_describe *describe; /* NULL: a sentence with score and threshold */
    /* `field` is any plain value: row->text has its text (a number's as JSON writes it) and
     * row->values[0] the number, 0 of what is none. */
    bool reads_text;
    enum mr_detector_range range;
};

/* First member of every detector's own struct. */
struct mr_detector {
    const struct mr_plan *plan;
    const struct mr_plan_node *node;
    const struct mr_detector_type *type;
    struct mr_table *table;                /* NULL: stateless */
    enum mr_stage_layout layout;           /* of the table's objects */
    const struct mr_layout *record_layout; /* of what is judged: for the alert's `record` */
    const char *field_text;                /* the first field */
    const char *const *field_texts;
    const uint32_t *field_slots;
    uint32_t fields_count;
    uint32_t own_count;
    enum mr_type_code own_types[MR_MODEL_OWN_MAX];
    bool contributes;
    bool alerts_are_read;
    uint64_t seed; /* option `seed`: the same scores in every run, and on every worker */
    double threshold;
    double warning_from;  /* score; NAN: the threshold */
    double critical_from; /* score; NAN: twice the threshold */
    enum mr_detector_learn learn;
    enum mr_detector_on_missing on_missing;
    struct mr_stage_suppress suppress;
    /* Records before this event time are history: learned, and not told of nor emitted
     * (`warm_from`). INT64_MIN: there is none. */
    int64_t live_ms;
    struct mr_calibration calibration;
    bool waits; /* `order: event_time`: what comes goes through order, detector_order.h */
    struct mr_event_order order;
    int32_t partition; /* the task's */
};

/* Bind the shared options and open the table; the detector's struct begins with *detector. type is
 * static. */
enum mr_status mr_detector_open(struct mr_detector *detector, const struct mr_operator_open *open,
                                const struct mr_detector_type *type,
                                struct mr_error *error) MR_NODISCARD;

/* For .process, .on_watermark and .reach. */
enum mr_status mr_detector_process(void *self, struct mr_operator_context *context, uint32_t port,
                                   struct mr_view view, struct mr_error *error) MR_NODISCARD;
enum mr_status mr_detector_watermark(void *self, struct mr_operator_context *context,
                                     struct mr_error *error) MR_NODISCARD;
struct mr_operator_reach mr_detector_reach(const struct mr_plan_node *node);
/* For .close; a detector that has something of its own to give back calls it, too. Also of a zeroed
 * one. */
void mr_detector_close(void *self);

/* Checks across the shared options, for .spec.check. */
enum mr_status mr_detector_check(const struct mr_options *options, const char **option,
                                 struct mr_error *error) MR_NODISCARD;

void mr_detector_estimate(const struct mr_model_type *model, const struct mr_options *options,
                          struct mr_state_estimate *estimate);

/* Write finding->reason; a text that does not fit is cut at a character. */
void mr_detector_reason(struct mr_detector_finding *finding, const char *format, ...)
    MR_PRINTF(2, 3);

#endif
