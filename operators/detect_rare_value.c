/* operators/detect_rare_value.c — detect.rare_value: a value that few of the key's records have.
 * Design: p is the share of the key's records, this one among them, whose value is at most as
 * frequent as this one's (operators/known_values.h); the score is -log10 p. That compares a value
 * with the others and not with a limit: where all values are as rare, none stands out.
 *
 * Stored model, version 1: the stored values (operators/known_values.h), behind the stage. */
#include "operators/detector.h"

#include <math.h>

#include "base/assert.h"
#include "operators/registry.h"
#include "operators/value_detector.h"

enum { RARE_VALUE_VERSION = 1 };
enum rare_value_own { OWN_SHARE, OWN_VALUES, OWN_COUNT };

static const char rare_value_table[] = "values";

static enum mr_status rare_value_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct mr_value_detector *detector = self;
    const struct mr_known_values *values = row->object;
    enum mr_status status = mr_value_detector_look(detector, row, error);
    if (status != MR_OK)
        return status;
    row->p_value = mr_known_values_p(values, &detector->look, &row->own[OWN_SHARE]);
    row->score = mr_value_detector_surprise(row->p_value);
    row->own[OWN_VALUES] = values->count;
    row->own[OWN_COUNT] = (double)values->learned;
    return MR_OK;
}

static const struct mr_model_type rare_value_model = {
    .table = rare_value_table,
    .version = RARE_VALUE_VERSION,
    .object_size = sizeof(struct mr_known_values),
    .encoded_size_max = MR_KNOWN_VALUES_BYTES,
    .size = mr_value_detector_size,
    .encode = mr_known_values_encode,
    .decode = mr_value_detector_decode,
    .begin = mr_value_detector_begin,
    .fits = mr_value_detector_fits,
    .ready = mr_value_detector_ready,
    .score = rare_value_score,
    .learn = mr_value_detector_learn,
};

static void rare_value_describe(const void *self, const struct mr_model_row *row,
                                struct mr_detector_finding *finding)
{
    const struct mr_value_detector *detector = self;
    struct mr_slice text = mr_value_detector_text(row);
    mr_detector_reason(finding,
                       "%s is \"%.*s\", the value of %.3g %% of %.0f earlier records; records with "
                       "as rare a value have a share of %.3g; the score is %.4g, the threshold "
                       "%.6g",
                       detector->detector.field_text, (int)text.size, (const char *)text.data,
                       isnan(row->own[OWN_SHARE]) ? 0 : 100 * row->own[OWN_SHARE],
                       row->own[OWN_COUNT], row->p_value, row->score, finding->threshold);
}

MR_DETECTOR_CODEC(rare_value, rare_value_model)

static const struct mr_detector_type rare_value_detector = {
    .model = &rare_value_model,
    .encode = rare_value_encode,
    .decode = rare_value_decode,
    .describe = rare_value_describe,
    .reads_text = true,
};

static enum mr_status rare_value_open(void *self, const struct mr_operator_open *open,
                                      struct mr_error *error)
{
    return mr_value_detector_open(self, open, &rare_value_detector, error);
}

static enum mr_status rare_value_describe_state(const struct mr_state_object *object,
                                                struct mr_arena *arena,
                                                struct mr_state_description *description,
                                                struct mr_error *error)
{
    MR_UNUSED(arena);
    return mr_value_detector_describe_state(&rare_value_model, object, description, error);
}

static void rare_value_estimate(const struct mr_options *options,
                                struct mr_state_estimate *estimate)
{
    mr_value_detector_estimate(&rare_value_model, options, estimate);
}

static const struct mr_option_spec rare_value_options[] = {
    MR_VALUE_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD(
        "2.0", "A record is an anomaly when its score is above this: 2 is a value as rare as those "
               "of one record in a hundred."),
    MR_DETECTOR_OPTION_WARMUP("100", 1, 1e9),
    MR_DETECTOR_OPTIONS,
    MR_VALUE_DETECTOR_OPTIONS,
    {.name = "decay",
     .type = MR_OPTION_SHARE,
     .flags = MR_OPTION_STATE_BOUND,
     .minimum = 1e-9,
     .maximum = 0.5,
     .help = "With each record the weight of all earlier ones shrinks by this share (0.001 "
             "remembers about the last 1,000; half of it after 0.69 / decay records). Default: all "
             "weigh the same."},
    {.name = NULL},
};

static const struct mr_output_field rare_value_fields[] = {
    MR_DETECTOR_MEMBERS("-log10 of the share of records with a value as rare."),
    {"share", MR_TYPE_DOUBLE, "Share of the value in the earlier records, by weight."},
    {"values", MR_TYPE_INT, "How many values are known."},
    {"count", MR_TYPE_INT, "How many earlier records were learned."},
};

const struct mr_operator_type mr_operator_detect_rare_value = {
    .spec =
        {
            .name = "detect.rare_value",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds values that few records of their key have.",
            .description =
                "The field is a text, a number or a boolean; its text counts. p_value is the share "
                "of the key's records, this one among them, whose value is at most as frequent as "
                "this one's; the score is -log10 p_value. p_value <= t has at most the probability "
                "t for records in any order (conformal prediction; with `decay` as far as they do "
                "not change faster than it forgets). A value among many equally rare ones scores "
                "0. The record is judged before it is learned.\n\n"
                "Use it for kinds that have their frequencies: the status of an answer, the type "
                "of an event, the action of a user. Not for numbers that are measured. A score of "
                "s needs 10^s records. For the first time alone that a value appears: "
                "detect.new_value.\n\n"
                "Memory is exact up to `max_values` of a key, by 64-bit hashes. With one more the "
                "value that was not seen for the most records is forgotten; its records then count "
                "as rare, so that too little memory finds less and not more. With `forget_after` a "
                "value and its records are forgotten when the field had others for so long, in "
                "event time. State: 32 bytes a value, in slots, and 16 in the cache; a record "
                "writes one slot of 128 bytes, and with `decay` all of them each 322 / decay "
                "records. Time grows with the values of the key: 2.5 us with 1,000. Book: Vovk, "
                "Gammerman, Shafer, Algorithmic Learning in a Random World (2005).",
            .options = rare_value_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = rare_value_fields,
            .added_fields_count = MR_ARRAY_COUNT(rare_value_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(RARE_VALUE_VERSION),
            .estimate = rare_value_estimate,
            .check = mr_value_detector_check,
        },
    .instance_size = sizeof(struct mr_value_detector),
    .open = rare_value_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = rare_value_table,
    .describe_state = rare_value_describe_state,
};
