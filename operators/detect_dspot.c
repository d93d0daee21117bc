/* operators/detect_dspot.c — detect.dspot: detect.spot on a series whose level moves: each number
 * is taken relative to the mean of the last ones. Design: operators/spot.h. */
#include "base/assert.h"
#include "operators/registry.h"
#include "operators/spot.h"

MR_DETECTOR_CODEC(dspot, mr_spot_model)

static const struct mr_detector_type dspot_detector = {
    .model = &mr_spot_model,
    .encode = dspot_encode,
    .decode = dspot_decode,
    .describe = mr_spot_describe,
};

static enum mr_status dspot_open(void *self, const struct mr_operator_open *open,
                                 struct mr_error *error)
{
    uint32_t depth = (uint32_t)mr_options_integer(&open->node->options, "depth");
    return mr_spot_open(self, open, depth, &dspot_detector, error);
}

static const struct mr_option_spec dspot_options[] = {
    MR_SPOT_OPTIONS,
    {.name = "depth",
     .type = MR_OPTION_INTEGER,
     .flags = MR_OPTION_STATE_BOUND,
     .default_text = "50",
     .minimum = 1,
     .maximum = MR_SPOT_DEPTH_MAX,
     .help = "A number is taken relative to the mean of the key's last so many learned ones. They "
             "come before the first `init`."},
    {.name = NULL},
};

static const struct mr_output_field dspot_fields[] = {
    MR_SPOT_MEMBERS,
    {"mean", MR_TYPE_DOUBLE, "Mean that the number was taken relative to."},
};

const struct mr_operator_type mr_operator_detect_dspot = {
    .spec =
        {
            .name = "detect.dspot",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds numbers beyond what the tail of their key's earlier ones allows, in "
                       "series whose level moves.",
            .description =
                "detect.spot on what is left of a number when the mean of the last `depth` learned "
                "ones is taken away: thresholds follow a level that moves slowly. All else is as "
                "detect.spot has it; `upper`, `lower` and the levels are given in the field's "
                "unit, at the present mean.\n\n"
                "A large `depth` follows slowly and keeps the shape of what is left; a small one "
                "follows fast, and hides what grows over more than `depth` records. By default "
                "anomalies enter neither tail nor mean, as published: after a jump beyond the "
                "threshold each record is an anomaly until `reset`. With `learn: always` they "
                "enter as if they were at twice the threshold's distance at most: the mean follows "
                "a jump in steps, and the rate is kept (see detect.spot).\n\n"
                "Numbers beyond +-1e140 are scored but not learned. State of a key: 101 bytes and "
                "8 for each of the last `depth` and the first `init` numbers, later in these' "
                "place for each excess; changelog per record 101 and 128 bytes beside the keys, "
                "and 128 more while the first numbers come and with each excess. Cost: `depth` "
                "additions a record; an excess (2 % of records) some 20 microseconds for the fit. "
                "No libm: the same bits on every machine. Paper: Siffer, Fouque, Termier, "
                "Largouet, Anomaly Detection in Streams with Extreme Value Theory (KDD 2017).",
            .options = dspot_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = dspot_fields,
            .added_fields_count = MR_ARRAY_COUNT(dspot_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_SPOT_VERSION),
            .estimate = mr_spot_estimate,
            .check = mr_spot_check,
        },
    .instance_size = sizeof(struct mr_spot),
    .open = dspot_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_spot_close,
    .state_table = "tails",
    .describe_state = mr_spot_describe_state,
};
