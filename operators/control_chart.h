/* operators/control_chart.h — what all control charts (spc.*) share: options, the object or record
 * that a point is told in, the two phases, run rules, alerts, control records.
 * Model: records of a key make *samples* (a subgroup, or one record); a sample makes a *point*. In
 * phase 1 points are only kept; from the first `phase1.subgroups` of them centre line and sigma are
 * estimated, without those beyond the limits (operators/chart_limits.h). In phase 2 each point is
 * compared with the limits and the run rules (operators/run_rules.h), and may move the baseline.
 * A chart of subgroups makes a new record per subgroup; a chart of single records adds an object.
 * Charts of counts are of single records, which have a size (operators/chart_counts.h); samples of
 * several fields, or of sums, have numbers of their own (operators/chart_numbers.h).
 * A new chart is a *kind* (below) and a table:
 *
 *   1. operators/spc_<name>.c: `struct mr_chart` is the instance, its open calls mr_chart_open.
 *   2. Options: MR_CHART_OPTIONS_*; members: MR_CHART_MEMBERS, then those of the kind's extra.
 *   3. `struct mr_operator_type`: process, on_watermark, close, describe_state of this header.
 *
 * Why no detector's model (operators/model.h): a record may complete no point, a point is told with
 * its limits and the points that broke a rule, and a rule may be broken below the threshold.
 * The tables below are in chart_options.c.
 * Shared with detectors: the stage (freeze, mute, number of points), the first members' names and
 * meaning, severity, alerts, control records. docs/CONTROL_CHARTS.md says it to users. */
#ifndef MR_OPERATORS_CONTROL_CHART_H
#define MR_OPERATORS_CONTROL_CHART_H

#include "operators/chart_limits.h"
#include "operators/detector.h"
#include "operators/run_rules.h"

/* Members of the object, or fields of the record, in this order. */
enum mr_chart_member {
    MR_CHART_SCORE,
    MR_CHART_THRESHOLD,
    MR_CHART_IS_ANOMALY,
    MR_CHART_SEVERITY,
    MR_CHART_REASON,
    MR_CHART_DETECTOR,
    MR_CHART_STATE,
    MR_CHART_POINT,
    MR_CHART_RULES,
    MR_CHART_VALUE,
    MR_CHART_CENTER,
    MR_CHART_LOWER,
    MR_CHART_UPPER,
    MR_CHART_MEMBERS_COUNT /* the kind's own follow */
};
enum mr_chart_spread_member {
    MR_CHART_SPREAD = MR_CHART_MEMBERS_COUNT,
    MR_CHART_SPREAD_CENTER,
    MR_CHART_SPREAD_LOWER,
    MR_CHART_SPREAD_UPPER,
    MR_CHART_MEMBERS_MAX
};
/* Of kinds with numbers, behind MR_CHART_VALUE: of several fields these, else the kind's own. */
enum mr_chart_numbers_member {
    MR_CHART_NUMBERS_OWN = MR_CHART_VALUE + 1,
    MR_CHART_NUMBERS_UPPER = MR_CHART_NUMBERS_OWN,
    MR_CHART_NUMBERS_CONTRIBUTIONS
};
/* Fields of a subgroup's record, between the key's and the members. */
enum mr_chart_group_field {
    MR_CHART_WINDOW_START,
    MR_CHART_WINDOW_END,
    MR_CHART_SUBGROUP,
    MR_CHART_SIZE,
    MR_CHART_GROUP_FIELDS_COUNT
};

enum mr_chart_output { MR_CHART_OUTPUT_MAIN, MR_CHART_OUTPUT_ALERTS, MR_CHART_OUTPUT_LATE };
enum mr_chart_subgroup {
    MR_SUBGROUP_NONE,
    MR_SUBGROUP_COUNT,
    MR_SUBGROUP_FIELD,
    MR_SUBGROUP_WINDOW
};
enum mr_chart_learn { MR_CHART_LEARN_NORMAL_ONLY, MR_CHART_LEARN_ALWAYS };

enum {
    MR_CHART_GROUP_BYTES = 64, /* of the text of a value of `subgroup.field` */
    MR_CHART_PHASE1_MAX = 1024,
    MR_CHART_PHASE1_DEFAULT = 25,
    MR_CHART_PHASE1_SIGMAS = 3, /* of kinds whose limits are not those of single points */
    MR_CHART_KEY_FIELDS_MAX = 32,
    MR_CHART_FIELDS_MAX = 16 /* of several numbers */
};

/* ---- Tables ---- */

#define MR_CHART_OPTION_SIGMAS                                                                     \
    {                                                                                              \
        .name = "sigmas", .type = MR_OPTION_NUMBER, .flags = MR_OPTION_STATE_BOUND,                \
        .default_text = "3.0", .minimum = 0.1, .maximum = 100,                                     \
        .help = "Control limits stand so many standard errors from the centre line."               \
    }

#define MR_CHART_OPTION_RULES                                                                      \
    {                                                                                              \
        .name = "rules", .type = MR_OPTION_STRINGS, .minimum = 1, .maximum = 16,                   \
        .help = "Which rules make a point an anomaly: we1 to we4, nelson1 to nelson8, "            \
                "western_electric (we1 to we4) or nelson (all eight). Default: [we1], a point "    \
                "beyond the limits."                                                               \
    }

/* What every chart has. */
#define MR_CHART_OPTIONS MR_CHART_OPTIONS_OF(mr_chart_limits_fields)
#define MR_CHART_OPTIONS_OF(limits_fields)                                                         \
    MR_CHART_OPTIONS_WITH(limits_fields,                                                           \
                          "The known centre line and limits, or centre line and sigma: there is "  \
                          "no phase 1 then. Default: they are estimated.")
#define MR_CHART_OPTIONS_WITH(limits_fields, limits_help)                                          \
    {.name = "limits",                                                                             \
     .type = MR_OPTION_OBJECT,                                                                     \
     .flags = MR_OPTION_STATE_BOUND,                                                               \
     .fields = (limits_fields),                                                                    \
     .help = (limits_help)},                                                                       \
        {.name = "phase1",                                                                         \
         .type = MR_OPTION_OBJECT,                                                                 \
         .flags = MR_OPTION_STATE_BOUND,                                                           \
         .fields = mr_chart_phase1_fields,                                                         \
         .help = "How limits are estimated from a key's first points. Default: from 25."},         \
        {.name = "baseline",                                                                       \
         .type = MR_OPTION_CHOICE,                                                                 \
         .default_text = "none",                                                                   \
         .choices = mr_chart_updates,                                                              \
         .help = "How centre line and sigma follow later points: not at all (none), as the mean "  \
                 "of all points (cumulative), or with `baseline_weight` (exponential)."},          \
        {.name = "baseline_weight",                                                                \
         .type = MR_OPTION_SHARE,                                                                  \
         .default_text = "0.05",                                                                   \
         .minimum = 1e-6,                                                                          \
         .maximum = 1,                                                                             \
         .help = "Weight of the newest point with baseline: exponential."},                        \
    {                                                                                              \
        .name = "learn", .type = MR_OPTION_CHOICE, .default_text = "normal_only",                  \
        .choices = mr_chart_learns,                                                                \
        .help = "Which points the baseline follows: those that are no anomaly (normal_only), or "  \
                "all (always)."                                                                    \
    }

#define MR_CHART_MEMBERS(score_help, value_help)                                                   \
    MR_CHART_MEMBERS_OF(score_help, "Where the limits are, in the score's unit.", value_help),     \
        {"center", MR_TYPE_DOUBLE, "The centre line; null in phase 1."},                           \
        {"lower", MR_TYPE_DOUBLE, "The lower control limit of value; null in phase 1."},           \
    {                                                                                              \
        "upper", MR_TYPE_DOUBLE, "The upper control limit of value; null in phase 1."              \
    }

#define MR_CHART_MEMBERS_OF(score_help, threshold_help, value_help)                                \
    {"score", MR_TYPE_DOUBLE, score_help}, {"threshold", MR_TYPE_DOUBLE, threshold_help},          \
        {"is_anomaly", MR_TYPE_BOOL, "True when a rule is broken."},                               \
        {"severity", MR_TYPE_STRING,                                                               \
         "critical for a point beyond the limits, warning for another rule, else info."},          \
        {"reason", MR_TYPE_STRING, "For anomalies a sentence with the numbers, otherwise empty."}, \
        {"detector", MR_TYPE_STRING, "The operator's type."},                                      \
        {"state", MR_TYPE_STRING,                                                                  \
         "learning (phase 1: the score is 0), armed, starved (a subgroup too small for a point) "  \
         "or muted."},                                                                             \
        {"point", MR_TYPE_INT, "The number of the key's point, from 1."},                          \
        {"rules", MR_TYPE_ANY,                                                                     \
         "The rules broken: a list of {rule, chart, points}; chart is value or spread, points "    \
         "are the numbers of those that broke it, the oldest first."},                             \
    {                                                                                              \
        "value", MR_TYPE_DOUBLE, value_help                                                        \
    }

#define MR_CHART_SPREAD_MEMBERS(spread_help)                                                       \
    {"spread", MR_TYPE_DOUBLE, spread_help},                                                       \
        {"spread_center", MR_TYPE_DOUBLE, "The centre line of spread; null in phase 1."},          \
        {"spread_lower", MR_TYPE_DOUBLE, "The lower control limit of spread; null in phase 1."},   \
    {                                                                                              \
        "spread_upper", MR_TYPE_DOUBLE, "The upper control limit of spread; null in phase 1."      \
    }

#define MR_CHART_GROUP_FIELDS                                                                      \
    {"window_start", MR_TYPE_INT,                                                                  \
     "The subgroup's first event time, or its window's begin, ms since the epoch."},               \
        {"window_end", MR_TYPE_INT,                                                                \
         "1 ms behind its last event time, or its window's end, ms since the epoch."},             \
        {"subgroup", MR_TYPE_ANY, "The value of subgroup.field; null without one."},               \
    {                                                                                              \
        "size", MR_TYPE_INT, "How many records the subgroup has."                                  \
    }

/* Of charts of subgroups. */
#define MR_CHART_OPTION_SUBGROUP                                                                   \
    {                                                                                              \
        .name = "subgroup", .type = MR_OPTION_OBJECT,                                              \
        .flags = MR_OPTION_REQUIRED | MR_OPTION_STATE_BOUND, .fields = mr_chart_subgroup_fields,   \
        .help = "Which records make one point: exactly one of count, field and window."            \
    }
/* Their outputs; own_fields: a table. */
#define MR_CHART_GROUP_OUTPUTS(own_fields)                                                         \
    {.name = "main",                                                                               \
     .help = "One record per subgroup: the key's fields and those below. Its event time is "       \
             "window_end - 1 ms.",                                                                 \
     .fields = (own_fields),                                                                       \
     .fields_count = MR_ARRAY_COUNT(own_fields)},                                                  \
        {.name = "alerts",                                                                         \
         .help = "One alert record per point that breaks a rule; its `record` is null.",           \
         .fields = mr_alert_fields,                                                                \
         .fields_count = MR_ALERT_FIELDS_COUNT},                                                   \
    {                                                                                              \
        .name = "late", .help = "Records that came when their window was closed, unchanged."       \
    }

extern const struct mr_option_spec mr_chart_subgroup_fields[];
extern const struct mr_option_spec mr_chart_limits_fields[];
extern const struct mr_option_spec mr_chart_target_fields[]; /* cl and sigma alone */
extern const struct mr_option_spec mr_chart_phase1_fields[];
extern const char *const mr_chart_updates[];
extern const char *const mr_chart_learns[];
extern const struct mr_output_spec mr_chart_record_outputs[2]; /* of charts of single records */
extern const char mr_chart_table[];

/* Kinds whose mathematics are simulated without an operator around them (run lengths), and their
 * parameters in order. */
extern const struct mr_chart_kind mr_chart_kind_cusum; /* k, h, head, restart */
extern const struct mr_chart_kind mr_chart_kind_ewma;  /* lambda, steady */
extern const struct mr_chart_kind mr_chart_kind_i_mr;  /* none; book->ranges[2] */

/* ---- An instance ---- */

/* How many doubles a kind with numbers has; of others all are 0. */
struct mr_chart_counts_of {
    uint32_t sample;   /* of an open subgroup */
    uint32_t baseline; /* beside it */
    uint32_t kept;     /* of a point of phase 1 */
};

struct mr_chart {
    const struct mr_plan *plan;
    const struct mr_plan_node *node;
    struct mr_chart_rule_book book; /* kind, constants, limits */
    struct mr_table *table;
    struct mr_table *windows; /* SUBGROUP_WINDOW: open windows of all keys; else NULL */
    const struct mr_layout *record_layout; /* of the input; NULL: alerts are about own rows */
    const char *field_text;                /* the first one, for sentences */
    const char *const *field_texts;
    const uint32_t *field_slots;
    uint32_t fields_count; /* 1, or of several fields */
    struct mr_chart_counts_of numbers;
    uint32_t slot_points; /* of phase 1 in a slot */
    double *kept_numbers; /* room for phase1_count points of them */
    double *open_numbers; /* room for a subgroup that is being closed */
    void *copy;           /* room for an object */
    bool is_running;      /* a subgroup that is told goes on: it is all since the begin */
    enum mr_chart_subgroup subgroup;
    uint32_t subgroup_count;
    uint32_t subgroup_slot;
    int64_t subgroup_ms;
    double sample_size;    /* of charts of counts (operators/chart_counts.h): of each sample */
    const char *size_text; /* or the field that has it, and its slot; NULL: none */
    uint32_t size_slot;
    uint32_t rules;        /* bits by enum mr_run_rule */
    uint32_t phase1_count; /* 0: the limits are given */
    enum mr_chart_learn learn;
    struct mr_chart_kept *kept; /* room for phase1_count points, while they are estimated from */
    bool alerts_are_read;
    int32_t partition;
    uint32_t key_count;
    enum mr_type_code key_types[MR_CHART_KEY_FIELDS_MAX];
    const uint32_t *slots; /* of the members; of groups: of the key's fields first */
    struct mr_arena keys;  /* of a window that is being closed */
};

/* For .open: bind options, compute constants, open tables. kind is static. */
enum mr_status mr_chart_open(struct mr_chart *chart, const struct mr_operator_open *open,
                             const struct mr_chart_kind *kind, struct mr_error *error) MR_NODISCARD;
/* For .process, .on_watermark, .reach, .close, .describe_state. */
enum mr_status mr_chart_process(void *self, struct mr_operator_context *context, uint32_t port,
                                struct mr_view view, struct mr_error *error) MR_NODISCARD;
enum mr_status mr_chart_watermark(void *self, struct mr_operator_context *context,
                                  struct mr_error *error) MR_NODISCARD;
struct mr_operator_reach mr_chart_reach(const struct mr_plan_node *node);
void mr_chart_close(void *self);
enum mr_status mr_chart_describe(const struct mr_state_object *object, struct mr_arena *arena,
                                 struct mr_state_description *description,
                                 struct mr_error *error) MR_NODISCARD;
enum mr_status mr_chart_check_subgroup(const struct mr_options *options, const char **option,
                                       struct mr_error *error) MR_NODISCARD;
/* For .spec.estimate of kinds with numbers. */
void mr_chart_estimate_numbers(const struct mr_options *options,
                               const struct mr_chart_counts_of *numbers,
                               struct mr_state_estimate *estimate);
/* Checks across the shared options, for .spec.check, and what a key takes, for .spec.estimate. */
enum mr_status mr_chart_check(const struct mr_options *options, const char **option,
                              struct mr_error *error) MR_NODISCARD;
void mr_chart_estimate(const struct mr_options *options, struct mr_state_estimate *estimate);

#endif
