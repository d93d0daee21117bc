/* operators/detect_new_value.c — detect.new_value: a value that the key's field has not had before.
 * Design: the values are remembered as operators/known_values.h says. Of n + 1 records in whatever
 * order the last brings something new with probability (values seen once + 1) / (n + 1) at most, so
 * -log10 of that is the score: it is low for a field that always brings something new, and
 * grows with each record that does not.
 *
 * Stored model, version 1: the stored values (operators/known_values.h), behind the stage. */
#include "operators/detector.h"

#include <math.h>

#include "base/assert.h"
#include "operators/known_values.h"
#include "operators/natural_log.h"
#include "operators/registry.h"
#include "operators/value_detector.h"

enum { NEW_VALUE_VERSION = 1 };
enum new_value_own { OWN_IS_NEW, OWN_VALUES, OWN_COUNT };

static const char new_value_table[] = "values";

static enum mr_status new_value_score(void *self, struct mr_model_row *row, struct mr_error *error)
{
    struct mr_value_detector *detector = self;
    const struct mr_known_values *values = row->object;
    double share;
    enum mr_status status = mr_value_detector_look(detector, row, error);
    if (status != MR_OK)
        return status;
    bool is_new = !(detector->look.weight > 0);
    row->p_value = is_new ? mr_known_values_p(values, &detector->look, &share) : 1;
    row->score = is_new ? mr_value_detector_surprise(row->p_value) : 0;
    row->own[OWN_IS_NEW] = is_new ? 1 : 0;
    row->own[OWN_VALUES] = values->count;
    row->own[OWN_COUNT] = (double)values->learned;
    return MR_OK;
}

static const struct mr_model_type new_value_model = {
    .table = new_value_table,
    .version = NEW_VALUE_VERSION,
    .object_size = sizeof(struct mr_known_values),
    .encoded_size_max = MR_KNOWN_VALUES_BYTES,
    .size = mr_value_detector_size,
    .encode = mr_known_values_encode,
    .decode = mr_value_detector_decode,
    .begin = mr_value_detector_begin,
    .fits = mr_value_detector_fits,
    .ready = mr_value_detector_ready,
    .score = new_value_score,
    .learn = mr_value_detector_learn,
};

static void new_value_describe(const void *self, const struct mr_model_row *row,
                               struct mr_detector_finding *finding)
{
    const struct mr_value_detector *detector = self;
    struct mr_slice text = mr_value_detector_text(row);
    mr_detector_reason(finding,
                       "%s is \"%.*s\", which none of %.0f earlier records had (%.0f values are "
                       "known); as new a value comes with probability %.3g; the score is %.4g, the "
                       "threshold %.6g",
                       detector->detector.field_text, (int)text.size, (const char *)text.data,
                       row->own[OWN_COUNT], row->own[OWN_VALUES], row->p_value, row->score,
                       finding->threshold);
}

MR_DETECTOR_CODEC(new_value, new_value_model)

static const struct mr_detector_type new_value_detector = {
    .model = &new_value_model,
    .encode = new_value_encode,
    .decode = new_value_decode,
    .describe = new_value_describe,
    .reads_text = true,
};

static enum mr_status new_value_open(void *self, const struct mr_operator_open *open,
                                     struct mr_error *error)
{
    return mr_value_detector_open(self, open, &new_value_detector, error);
}

static enum mr_status new_value_describe_state(const struct mr_state_object *object,
                                               struct mr_arena *arena,
                                               struct mr_state_description *description,
                                               struct mr_error *error)
{
    MR_UNUSED(arena);
    return mr_value_detector_describe_state(&new_value_model, object, description, error);
}

static void new_value_estimate(const struct mr_options *options, struct mr_state_estimate *estimate)
{
    mr_value_detector_estimate(&new_value_model, options, estimate);
}

static const struct mr_option_spec new_value_options[] = {
    MR_VALUE_DETECTOR_OPTION_FIELD,
    MR_DETECTOR_OPTION_THRESHOLD(
        "2.0", "A record is an anomaly when its score is above this: 2 is a value as new as one "
               "record in a hundred brings. 0: every new value."),
    MR_DETECTOR_OPTION_WARMUP("100", 1, 1e9),
    MR_DETECTOR_OPTIONS,
    MR_VALUE_DETECTOR_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field new_value_fields[] = {
    MR_DETECTOR_MEMBERS("-log10 of the chance of a new value; 0 for a known one."),
    {"is_new", MR_TYPE_BOOL, "No earlier record that counts had the value."},
    {"values", MR_TYPE_INT, "How many values are known."},
    {"count", MR_TYPE_INT, "How many earlier records were learned."},
};

const struct mr_operator_type mr_operator_detect_new_value = {
    .spec =
        {
            .name = "detect.new_value",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds values that a key's field has not had before.",
            .description =
                "The field is a text, a number or a boolean; its text counts. The score of a value "
                "that no earlier record of the key had is -log10 of p_value, the chance of "
                "something new: (values seen once + 1) / (records + 1), Good's estimate, and a "
                "bound that holds for records in any order. So a field with ever new values, as an "
                "id, scores low, and a first new value after 999 records of a few known ones 3. A "
                "known value scores 0. The record is judged before it is learned.\n\n"
                "Use it for what should not change often: the country of a card, the program "
                "version of a device. Not for numbers that are measured, nor for values that come "
                "back rarely but are known: use detect.rare_value.\n\n"
                "Memory is exact up to `max_values` of a key, by 64-bit hashes. With one more the "
                "value that was not seen for the most records is forgotten, and is new when it "
                "comes back; its records still count. With `forget_after` a value is forgotten "
                "when "
                "the field had another one for so long, in event time. State: 32 bytes a value, in "
                "slots, and 16 in the cache; a record writes one slot of 128 bytes. Time grows "
                "with the values of the key: 0.5 us with 1,000. Paper: Good, Biometrika 40 (1953).",
            .options = new_value_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = new_value_fields,
            .added_fields_count = MR_ARRAY_COUNT(new_value_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(NEW_VALUE_VERSION),
            .estimate = new_value_estimate,
            .check = mr_value_detector_check,
        },
    .instance_size = sizeof(struct mr_value_detector),
    .open = new_value_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = new_value_table,
    .describe_state = new_value_describe_state,
};
