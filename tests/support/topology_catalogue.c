/* tests/support/topology_catalogue.c — see topology_catalogue.h. */
#include "tests/support/topology_catalogue.h"

#include <string.h>

#include "base/assert.h"
#include "base/zone.h"
#include "topology/window_option.h"

static const char *const starts[] = {"earliest", "latest", NULL};
static const char *const distributions[] = {"normal", "key", NULL};

/* ---- Sources and sinks ---- */

static const struct mr_option_spec kafka_source_options[] = {
    {.name = "topic", .type = MR_OPTION_STRING, .flags = MR_OPTION_REQUIRED, .help = "The topic."},
    {.name = "connection", .type = MR_OPTION_STRING, .help = "A connection of the cluster."},
    {.name = "start",
     .type = MR_OPTION_CHOICE,
     .default_text = "earliest",
     .choices = starts,
     .help = "Where to begin."},
    {.name = "since", .type = MR_OPTION_INSTANT, .help = "Begin at this time."},
    {.name = "password", .type = MR_OPTION_STRING, .flags = MR_OPTION_SECRET, .help = "Secret."},
    {.name = NULL},
};
static const struct mr_option_spec kafka_sink_options[] = {
    {.name = "topic", .type = MR_OPTION_STRING, .flags = MR_OPTION_REQUIRED, .help = "The topic."},
    {.name = NULL},
};
static const struct mr_option_spec memory_options[] = {
    {.name = "records", .type = MR_OPTION_RECORDS, .minimum = 1, .maximum = 3, .help = "Records."},
    {.name = "delay", .type = MR_OPTION_DURATION, .default_text = "0s", .help = "Between records."},
    {.name = NULL},
};
static const struct mr_option_spec random_field_options[] = {
    {.name = "name", .type = MR_OPTION_STRING, .flags = MR_OPTION_REQUIRED, .help = "Name."},
    {.name = "distribution",
     .type = MR_OPTION_CHOICE,
     .default_text = "normal",
     .choices = distributions,
     .help = "What it holds."},
    {.name = "mean", .type = MR_OPTION_NUMBER, .default_text = "0", .help = "Mean."},
    {.name = NULL},
};
static const struct mr_option_spec random_options[] = {
    {.name = "rate", .type = MR_OPTION_RATE, .minimum = 1, .maximum = 1e6, .help = "Rate."},
    {.name = "fields",
     .type = MR_OPTION_OBJECTS,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = 64,
     .fields = random_field_options,
     .help = "Fields."},
    {.name = NULL},
};
static const struct mr_option_spec no_options[] = {{.name = NULL}};
static const struct mr_output_field sequence_fields[] = {{"seq", MR_TYPE_INT, "Number."},
                                                         {"ts", MR_TYPE_INT, "Time."}};
static const struct mr_output_spec sequence_outputs[] = {
    {.name = "main", .help = "Records.", .fields = sequence_fields, .fields_count = 2}};
static const struct mr_output_field metrics_fields[] = {{"name", MR_TYPE_STRING, "Metric."},
                                                        {"value", MR_TYPE_DOUBLE, "Value."}};
static const struct mr_output_spec metrics_outputs[] = {
    {.name = "main", .help = "Records.", .fields = metrics_fields, .fields_count = 2}};

static const struct mr_type_spec kafka_source = {.name = "kafka",
                                                 .role = MR_ROLE_SOURCE,
                                                 .flags = MR_TYPE_LOG,
                                                 .summary = "Reads a topic.",
                                                 .description = "Reads a topic.",
                                                 .options = kafka_source_options,
                                                 .guarantee = MR_GUARANTEE_EXACTLY_ONCE};
static const struct mr_type_spec memory_source = {.name = "memory",
                                                  .role = MR_ROLE_SOURCE,
                                                  .summary = "Inline records.",
                                                  .description = "Inline records.",
                                                  .options = memory_options,
                                                  .guarantee = MR_GUARANTEE_EXACTLY_ONCE};
static const struct mr_type_spec generate_random = {.name = "generate.random",
                                                    .role = MR_ROLE_SOURCE,
                                                    .flags = MR_TYPE_GENERATOR,
                                                    .summary = "Random records.",
                                                    .description = "Random records.",
                                                    .options = random_options,
                                                    .guarantee = MR_GUARANTEE_EXACTLY_ONCE};
static const struct mr_type_spec generate_sequence = {.name = "generate.sequence",
                                                      .role = MR_ROLE_SOURCE,
                                                      .flags =
                                                          MR_TYPE_GENERATOR | MR_TYPE_RECORD_TYPED,
                                                      .summary = "Numbered records.",
                                                      .description = "Numbered records.",
                                                      .options = no_options,
                                                      .outputs = sequence_outputs,
                                                      .outputs_count = 1,
                                                      .guarantee = MR_GUARANTEE_EXACTLY_ONCE};
static const struct mr_type_spec metrics_source = {.name = "metrics",
                                                   .role = MR_ROLE_SOURCE,
                                                   .flags =
                                                       MR_TYPE_RECORD_TYPED | MR_TYPE_WALL_CLOCK,
                                                   .summary = "The engine's own metrics.",
                                                   .description = "The engine's own metrics.",
                                                   .options = no_options,
                                                   .outputs = metrics_outputs,
                                                   .outputs_count = 1,
                                                   .guarantee = MR_GUARANTEE_AT_LEAST_ONCE};
static const struct mr_type_spec kafka_sink = {.name = "kafka",
                                               .role = MR_ROLE_SINK,
                                               .flags = MR_TYPE_LOG,
                                               .summary = "Writes a topic.",
                                               .description = "Writes a topic.",
                                               .options = kafka_sink_options,
                                               .guarantee = MR_GUARANTEE_EXACTLY_ONCE};
static const struct mr_type_spec stdout_sink = {.name = "stdout",
                                                .role = MR_ROLE_SINK,
                                                .summary = "Prints.",
                                                .description = "Prints.",
                                                .options = no_options,
                                                .guarantee = MR_GUARANTEE_NONE};

/* ---- Operators ---- */

static const struct mr_option_spec filter_options[] = {
    {.name = "where", .type = MR_OPTION_EXPRESSION, .flags = MR_OPTION_REQUIRED, .help = "CEL."},
    {.name = NULL},
};
static const struct mr_option_spec map_options[] = {
    {.name = "set", .type = MR_OPTION_EXPRESSIONS, .help = "Fields to set."},
    {.name = "remove", .type = MR_OPTION_NAMES, .help = "Fields to remove."},
    {.name = "keep", .type = MR_OPTION_NAMES, .help = "Fields to keep."},
    {.name = "rename", .type = MR_OPTION_NAME_MAP, .help = "Fields to rename."},
    {.name = NULL},
};
static const struct mr_option_spec flat_map_options[] = {
    {.name = "field",
     .type = MR_OPTION_PATH,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_LIST,
     .help = "The list."},
    {.name = "into", .type = MR_OPTION_STRING, .help = "The element."},
    {.name = NULL},
};
static const struct mr_option_spec branch_fields[] = {
    {.name = "name", .type = MR_OPTION_STRING, .flags = MR_OPTION_REQUIRED, .help = "Name."},
    {.name = "where", .type = MR_OPTION_EXPRESSION, .flags = MR_OPTION_REQUIRED, .help = "CEL."},
    {.name = NULL},
};
static const struct mr_option_spec branch_options[] = {
    {.name = "branches",
     .type = MR_OPTION_OBJECTS,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = 63,
     .fields = branch_fields,
     .help = "The branches."},
    {.name = NULL},
};
static const struct mr_option_spec window_fields[] = {
    {.name = "count",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 2,
     .maximum = 1000,
     .help = "Records."},
    {.name = NULL},
};
static const struct mr_option_spec warm_fields[] = {
    {.name = "since",
     .type = MR_OPTION_DURATION,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = 1e12,
     .help = "How far back."},
    {.name = NULL},
};
static const struct mr_option_spec zscore_options[] = {
    {.name = "field",
     .type = MR_OPTION_PATH,
     .flags = MR_OPTION_REQUIRED | MR_OPTION_NUMERIC,
     .help = "The value."},
    {.name = "threshold",
     .type = MR_OPTION_NUMBER,
     .default_text = "3",
     .minimum = 0.1,
     .maximum = 100,
     .help = "In standard deviations."},
    {.name = "warmup",
     .type = MR_OPTION_INTEGER,
     .default_text = "30",
     .minimum = 2,
     .maximum = 1000000,
     .help = "Records per key."},
    {.name = "share", .type = MR_OPTION_SHARE, .default_text = "0.5", .help = "A share."},
    {.name = "verbose", .type = MR_OPTION_BOOLEAN, .default_text = "false", .help = "A flag."},
    {.name = "window", .type = MR_OPTION_OBJECT, .fields = window_fields, .help = "Last records."},
    {.name = "warm_from", .type = MR_OPTION_OBJECT, .fields = warm_fields, .help = "History."},
    {.name = NULL},
};
static const struct mr_option_spec deduplicate_options[] = {
    {.name = "within",
     .type = MR_OPTION_DURATION,
     .default_text = "1h",
     .minimum = 1,
     .maximum = 86400e3,
     .help = "Time."},
    {.name = NULL},
};

static const struct mr_input_spec merge_inputs[] = {
    {.option = "inputs", .required = true, .help = "The streams."}, {.option = NULL}};
static const struct mr_output_spec main_output[] = {{.name = "main", .help = "Records."}};
static const struct mr_output_field alert_fields[] = {{"id", MR_TYPE_STRING, "Id."},
                                                      {"severity", MR_TYPE_STRING, "Severity."},
                                                      {"metric_value", MR_TYPE_DOUBLE, "Value."},
                                                      {"record", MR_TYPE_OBJECT, "The record."}};
static const struct mr_output_spec detector_outputs[] = {
    {.name = "main", .help = "Every record."},
    {.name = "alerts", .help = "Alerts.", .fields = alert_fields, .fields_count = 4}};
static const struct mr_output_field anomaly_fields[] = {
    {"score", MR_TYPE_DOUBLE, "Score."},
    {"is_anomaly", MR_TYPE_BOOL, "Above the threshold."},
    {"severity", MR_TYPE_STRING, "info, warning or critical."}};

static void zscore_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    MR_UNUSED(options);
    estimate->object_bytes = 96;
    estimate->stored_bytes = 40;
    estimate->changelog_bytes_per_record = 60;
}

static enum mr_status zscore_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    if (!mr_options_present(options, "window") || mr_options_integer(options, "warmup") <= 1000)
        return MR_OK;
    *option = "warmup";
    return MR_FAIL(error, MR_INVALID, MR_RECOVERY_FAIL_TOPOLOGY,
                   "warmup is longer than any window");
}

static const struct mr_type_spec branch = {.name = "branch",
                                           .role = MR_ROLE_OPERATOR,
                                           .flags = MR_TYPE_DYNAMIC_OUTPUTS,
                                           .summary = "Branches.",
                                           .description = "Branches.",
                                           .options = branch_options};
static const struct mr_type_spec deduplicate = {.name = "deduplicate",
                                                .role = MR_ROLE_OPERATOR,
                                                .flags = MR_TYPE_KEYED,
                                                .summary = "First of each key.",
                                                .description = "First of each key.",
                                                .options = deduplicate_options,
                                                .outputs = main_output,
                                                .outputs_count = 1,
                                                .state_version = 1};
static const struct mr_type_spec zscore = {
    .name = "detect.zscore",
    .role = MR_ROLE_OPERATOR,
    .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
    .summary = "Standard deviations from the mean.",
    .description = "Compares with the key's earlier records.\n\nNot for skewed values.",
    .options = zscore_options,
    .outputs = detector_outputs,
    .outputs_count = 2,
    .as_default = "anomaly",
    .added_fields = anomaly_fields,
    .added_fields_count = 3,
    .state_version = 1,
    .estimate = zscore_estimate,
    .check = zscore_check};
static const struct mr_type_spec filter = {.name = "filter",
                                           .role = MR_ROLE_OPERATOR,
                                           .summary = "Passes some.",
                                           .description = "Passes some.",
                                           .options = filter_options,
                                           .outputs = main_output,
                                           .outputs_count = 1};
static const struct mr_type_spec flat_map = {.name = "flat_map",
                                             .role = MR_ROLE_OPERATOR,
                                             .flags = MR_TYPE_DERIVED_ROWS,
                                             .summary = "One per element.",
                                             .description = "One per element.",
                                             .options = flat_map_options,
                                             .outputs = main_output,
                                             .outputs_count = 1};
static const struct mr_type_spec key_by = {.name = "key_by",
                                           .role = MR_ROLE_OPERATOR,
                                           .flags = MR_TYPE_REPARTITION,
                                           .summary = "Groups.",
                                           .description = "Groups.",
                                           .options = no_options,
                                           .outputs = main_output,
                                           .outputs_count = 1};
static const struct mr_type_spec map = {.name = "map",
                                        .role = MR_ROLE_OPERATOR,
                                        .summary = "Changes fields.",
                                        .description = "Changes fields.",
                                        .options = map_options,
                                        .outputs = main_output,
                                        .outputs_count = 1};
static const struct mr_type_spec merge = {.name = "merge",
                                          .role = MR_ROLE_OPERATOR,
                                          .flags = MR_TYPE_DERIVED_ROWS,
                                          .summary = "One of several.",
                                          .description = "One of several.",
                                          .options = no_options,
                                          .inputs = merge_inputs,
                                          .outputs = main_output,
                                          .outputs_count = 1};

static const char *const join_kinds[] = {"inner", "left", "outer", NULL};
static const struct mr_option_spec join_options[] = {
    {.name = "right_key", .type = MR_OPTION_PATHS, .minimum = 1, .maximum = 8, .help = "Fields."},
    {.name = "kind",
     .type = MR_OPTION_CHOICE,
     .default_text = "inner",
     .choices = join_kinds,
     .help = "Kind."},
    {.name = "where", .type = MR_OPTION_EXPRESSION, .help = "CEL."},
    {.name = "set", .type = MR_OPTION_EXPRESSIONS, .help = "Fields."},
    {.name = NULL},
};
static const struct mr_input_spec join_inputs[] = {
    {.option = "left", .required = true, .help = "Left."},
    {.option = "right", .required = true, .help = "Right."},
    {.option = NULL},
};
static const struct mr_output_spec join_outputs[] = {{.name = "main", .help = "Pairs."},
                                                     {.name = "left_only", .help = "Left."},
                                                     {.name = "right_only", .help = "Right."},
                                                     {.name = "late", .help = "Late."}};
static const struct mr_option_spec table_join_options[] = {
    {.name = "as", .type = MR_OPTION_STRING, .help = "The field."},
    {.name = "join_wait", .type = MR_OPTION_DURATION, .default_text = "0s", .help = "The wait."},
    {.name = NULL}};
static const struct mr_option_spec lookup_options[] = {
    {.name = "as", .type = MR_OPTION_STRING, .help = "The field."},
    {.name = "max_keys",
     .type = MR_OPTION_INTEGER,
     .default_text = "1000",
     .minimum = 1,
     .maximum = 1e9,
     .help = "Keys."},
    {.name = NULL}};
static const struct mr_input_spec table_join_inputs[] = {
    {.option = "from", .required = true, .help = "Stream."},
    {.option = "table", .required = true, .help = "Table."},
    {.option = NULL},
};
static const struct mr_type_spec join_lookup = {.name = "join.lookup",
                                                .role = MR_ROLE_OPERATOR,
                                                .flags = MR_TYPE_KEYED | MR_TYPE_TABLE_JOIN |
                                                         MR_TYPE_LOOKUP,
                                                .summary = "Looks up.",
                                                .description = "Looks up.",
                                                .options = lookup_options,
                                                .inputs = table_join_inputs,
                                                .outputs = main_output,
                                                .outputs_count = 1,
                                                .state_version = 1};
static const struct mr_type_spec join_table = {.name = "join.table",
                                               .role = MR_ROLE_OPERATOR,
                                               .flags = MR_TYPE_KEYED | MR_TYPE_TABLE_JOIN,
                                               .summary = "Looks up.",
                                               .description = "Looks up.",
                                               .options = table_join_options,
                                               .inputs = table_join_inputs,
                                               .outputs = main_output,
                                               .outputs_count = 1,
                                               .state_version = 1};
static const struct mr_type_spec join_interval = {.name = "join.interval",
                                                  .role = MR_ROLE_OPERATOR,
                                                  .flags = MR_TYPE_KEYED | MR_TYPE_PAIRS,
                                                  .summary = "Pairs.",
                                                  .description = "Pairs.",
                                                  .options = join_options,
                                                  .inputs = join_inputs,
                                                  .outputs = join_outputs,
                                                  .outputs_count = 4,
                                                  .state_version = 1};

static const struct mr_option_spec window_options[] = {
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED,
     .fields = mr_window_options,
     .help = "Window."},
    {.name = "aggregates",
     .type = MR_OPTION_AGGREGATES,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = 8,
     .help = "Calls."},
    {.name = "having",
     .type = MR_OPTION_EXPRESSION,
     .flags = MR_OPTION_OF_OUTPUT,
     .help = "Condition."},
    {.name = NULL},
};
static const struct mr_output_field window_result[] = {{"window_start", MR_TYPE_INT, "Start."},
                                                       {"window_end", MR_TYPE_INT, "End."}};
static const struct mr_output_spec window_outputs[] = {
    {.name = "main", .help = "Results.", .fields = window_result, .fields_count = 2},
    {.name = "late", .help = "Late."}};

static enum mr_status window_check(const struct mr_options *options, const char **option,
                                   struct mr_error *error)
{
    *option = "window";
    return mr_window_check(&mr_options_get(options, "window")->objects[0], error);
}

static const struct mr_type_spec window_aggregate = {.name = "window.aggregate",
                                                     .role = MR_ROLE_OPERATOR,
                                                     .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS |
                                                              MR_TYPE_ROW_WATERMARKS,
                                                     .summary = "Sums up.",
                                                     .description = "Sums up.",
                                                     .options = window_options,
                                                     .outputs = window_outputs,
                                                     .outputs_count = 2,
                                                     .state_version = 1,
                                                     .check = window_check};

static const struct mr_option_spec twin_options[] = {
    {.name = "fields",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = 31,
     .help = "Fields."},
    {.name = "window",
     .type = MR_OPTION_OBJECT,
     .flags = MR_OPTION_REQUIRED,
     .fields = mr_window_options,
     .help = "Window."},
    {.name = NULL},
};
static const struct mr_input_spec twin_inputs[] = {
    {.option = "real", .required = true, .help = "One."},
    {.option = "synthetic", .required = true, .help = "Other."},
    {.option = NULL},
};
static const struct mr_output_spec twin_outputs[] = {
    {.name = "main", .help = "Results.", .fields = window_result, .fields_count = 2}};
static const struct mr_type_spec quality_synthetic = {.name = "quality.synthetic",
                                                      .role = MR_ROLE_OPERATOR,
                                                      .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS |
                                                               MR_TYPE_TWIN,
                                                      .summary = "Compares.",
                                                      .description = "Compares.",
                                                      .options = twin_options,
                                                      .inputs = twin_inputs,
                                                      .outputs = twin_outputs,
                                                      .outputs_count = 1,
                                                      .state_version = 1};
static const struct mr_option_spec copula_options[] = {
    {.name = "fields",
     .type = MR_OPTION_PATHS,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = 8,
     .help = "What is learned."},
    {.name = "max_open_requests",
     .type = MR_OPTION_INTEGER,
     .default_text = "64",
     .minimum = 1,
     .maximum = 100,
     .help = "Requests."},
    {.name = NULL},
};
static const struct mr_input_spec copula_inputs[] = {
    {.option = "learn", .required = true, .help = "Records."},
    {.option = "requests", .help = "Requests."},
    {.option = NULL},
};
static const struct mr_output_field reply_fields[] = {{"status", MR_TYPE_STRING, "A status."}};
static const struct mr_output_spec copula_outputs[] = {
    {.name = "main", .help = "Records."},
    {.name = "replies",
     .help = "Replies.",
     .fields = reply_fields,
     .fields_count = 1,
     .has_key = true,
     .has_made_fields = true},
};
static const struct mr_type_spec generate_copula = {.name = "generate.copula",
                                                    .role = MR_ROLE_OPERATOR,
                                                    .flags = MR_TYPE_KEYED | MR_TYPE_GROUPS |
                                                             MR_TYPE_ANSWERS,
                                                    .summary = "Learns and answers.",
                                                    .description = "Learns and answers.",
                                                    .options = copula_options,
                                                    .inputs = copula_inputs,
                                                    .outputs = copula_outputs,
                                                    .outputs_count = 2,
                                                    .state_version = 1};

static const struct mr_aggregate_spec aggregate_avg = {.name = "avg",
                                                       .help = "Mean.",
                                                       .arguments = {MR_AGGREGATE_NUMBER},
                                                       .argument_names = {"value"},
                                                       .arguments_min = 1,
                                                       .arguments_max = 1,
                                                       .result = MR_TYPE_DOUBLE};
static const struct mr_aggregate_spec aggregate_count = {.name = "count",
                                                         .help = "Rows.",
                                                         .argument_names = {"value"},
                                                         .arguments_max = 1,
                                                         .result = MR_TYPE_INT};
static const struct mr_aggregate_spec aggregate_last = {.name = "last",
                                                        .help = "Last.",
                                                        .argument_names = {"value"},
                                                        .arguments_min = 1,
                                                        .arguments_max = 1};
static const struct mr_aggregate_parameter quantile_parameters[] = {
    {.name = "q", .minimum = 0, .maximum = 1, .required = true, .help = "Which."}};
static const struct mr_aggregate_spec aggregate_quantile = {.name = "quantile",
                                                            .help = "Quantile.",
                                                            .arguments = {MR_AGGREGATE_NUMBER},
                                                            .argument_names = {"value"},
                                                            .arguments_min = 1,
                                                            .arguments_max = 1,
                                                            .parameters = quantile_parameters,
                                                            .parameters_count = 1,
                                                            .result = MR_TYPE_DOUBLE};
static const struct mr_aggregate_parameter top_parameters[] = {{.name = "n",
                                                                .minimum = 1,
                                                                .maximum = 100,
                                                                .is_integer = true,
                                                                .default_number = 10,
                                                                .help = "How many."}};
static const struct mr_aggregate_spec aggregate_top = {.name = "top_n",
                                                       .help = "Highest.",
                                                       .argument_names = {"value", "by"},
                                                       .arguments_min = 1,
                                                       .arguments_max = 2,
                                                       .parameters = top_parameters,
                                                       .parameters_count = 1,
                                                       .result = MR_TYPE_LIST};
static const struct mr_aggregate_spec aggregate_var = {.name = "var",
                                                       .help = "Variance.",
                                                       .arguments = {MR_AGGREGATE_NUMBER},
                                                       .argument_names = {"value"},
                                                       .arguments_min = 1,
                                                       .arguments_max = 1,
                                                       .result = MR_TYPE_DOUBLE};
static const struct mr_aggregate_spec *const aggregates[] = {&aggregate_avg,  &aggregate_count,
                                                             &aggregate_last, &aggregate_quantile,
                                                             &aggregate_top,  &aggregate_var};

/* ---- Time zones ---- */

/* A zone with a step, of which there are two editions: at_ms says which. */
static enum mr_status load_zone(void *argument, const char *name, struct mr_arena *arena,
                                const struct mr_zone **zone, struct mr_error *error)
{
    const int64_t *at_ms = argument;
    if (strcmp(name, "Europe/Berlin") != 0 && strcmp(name, "Europe/Paris") != 0)
        return MR_FAIL(error, MR_NOT_FOUND, MR_RECOVERY_FAIL_TOPOLOGY,
                       "there is no time zone '%s'; did you mean 'Europe/Berlin'?", name);
    struct mr_zone_step *steps = mr_arena_new(arena, 2, sizeof(*steps));
    struct mr_zone *made = mr_arena_new(arena, 1, sizeof(*made));
    steps[0] = (struct mr_zone_step){.at_ms = INT64_MIN, .offset_ms = 3600000};
    steps[1] = (struct mr_zone_step){.at_ms = *at_ms, .offset_ms = 7200000};
    mr_zone_make(made, mr_arena_copy_text(arena, name), steps, 2, INT64_MAX);
    *zone = made;
    return MR_OK;
}

int64_t mr_test_zone_step_ms = 1000;

static const struct mr_zone_source zones = {.load = load_zone, .argument = &mr_test_zone_step_ms};

/* ---- Formats ---- */

static const struct mr_option_spec csv_options[] = {
    {.name = "delimiter", .type = MR_OPTION_STRING, .default_text = ",", .help = "Delimiter."},
    {.name = "columns",
     .type = MR_OPTION_NAMES,
     .flags = MR_OPTION_REQUIRED,
     .minimum = 1,
     .maximum = 4096,
     .help = "Columns."},
    {.name = NULL},
};
static const struct mr_format_spec formats[] = {
    {.name = "csv", .help = "CSV.", .options = csv_options},
    {.name = "json", .help = "JSON.", .options = no_options, .payload_is_json = true},
    {.name = "string", .help = "Text.", .options = no_options, .single_value = true},
};

static const struct mr_type_spec *const types[] = {&generate_random,
                                                   &generate_sequence,
                                                   &kafka_source,
                                                   &memory_source,
                                                   &metrics_source,
                                                   &branch,
                                                   &deduplicate,
                                                   &zscore,
                                                   &filter,
                                                   &flat_map,
                                                   &generate_copula,
                                                   &join_interval,
                                                   &join_lookup,
                                                   &join_table,
                                                   &key_by,
                                                   &map,
                                                   &merge,
                                                   &quality_synthetic,
                                                   &window_aggregate,
                                                   &kafka_sink,
                                                   &stdout_sink};

const struct mr_catalogue mr_test_catalogue = {.types = types,
                                               .types_count = MR_ARRAY_COUNT(types),
                                               .formats = formats,
                                               .formats_count = MR_ARRAY_COUNT(formats),
                                               .aggregates = aggregates,
                                               .aggregates_count = MR_ARRAY_COUNT(aggregates),
                                               .zones = &zones};
