/* operators/detect_spot.c — detect.spot: numbers beyond what the tail of the key's earlier ones
 * allows at a given rate. Design: operators/spot.h; detect_dspot.c takes drift out first. */
#include "base/assert.h"
#include "operators/registry.h"
#include "operators/spot.h"

MR_DETECTOR_CODEC(spot, mr_spot_model)

static const struct mr_detector_type spot_detector = {
    .model = &mr_spot_model,
    .encode = spot_encode,
    .decode = spot_decode,
    .describe = mr_spot_describe,
};

static enum mr_status spot_open(void *self, const struct mr_operator_open *open,
                                struct mr_error *error)
{
    return mr_spot_open(self, open, 0, &spot_detector, error);
}

static const struct mr_option_spec spot_options[] = {
    MR_SPOT_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field spot_fields[] = {MR_SPOT_MEMBERS};

const struct mr_operator_type mr_operator_detect_spot = {
    .spec =
        {
            .name = "detect.spot",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds numbers beyond what the tail of their key's earlier ones allows at a "
                       "given rate of false alarms.",
            .description =
                "You say how often a normal record may be an anomaly by chance (`rate`), and the "
                "method finds the number where that is: the key's first `init` records give a "
                "level that the share `level` of them is below, the last `excesses` numbers beyond "
                "it a generalised Pareto distribution (Grimshaw's method; theory says that every "
                "tail looks like one far enough out), and that the threshold. So rates can be "
                "asked for that were never seen, with no assumption on the bulk of the numbers. "
                "`tails: both` watches large and small numbers, each at that rate.\n\n"
                "The score is the distance beyond the level over the threshold's distance, 0 at or "
                "below the level; `p_value` is how likely a normal record scores as high, null at "
                "or below it.\n\n"
                "By default anomalies are not learned, as published and as libspot has it, so that "
                "they never become normal. But a tail without its end is shorter at each fit: of "
                "100,000 normal numbers at the rate 0.001 on each side 1497 were anomalies. "
                "`learn: "
                "always` keeps the rate (232 there) and follows what changes; an anomaly is "
                "learned as if it were at twice the threshold's distance at most. Anomalies that "
                "come more often than `rate` are normal then.\n\n"
                "Not for series whose level moves or that have a season: use detect.dspot or take "
                "the season out first. Not for a handful of distinct numbers: they have no "
                "tail.\n\n"
                "Numbers beyond +-1e140 are scored but not learned. State of a key: 101 bytes and "
                "8 for each of the first `init` numbers, later in their place for each excess; "
                "changelog per record 101 bytes beside the key, and 128 while the first numbers "
                "come and with each excess. Cost: a record within the levels takes as long as with "
                "detect.zscore, an excess some 20 microseconds for the fit; on average below one. "
                "Where libspot 3.1 finds the likeliest tail, thresholds equal its own after each "
                "record to 1e-6; elsewhere this tail is the likelier one. No libm: the same bits "
                "on every machine. Paper: Siffer, Fouque, Termier, "
                "Largouet, Anomaly Detection in Streams with Extreme Value Theory (KDD 2017).",
            .options = spot_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "anomaly",
            .added_fields = spot_fields,
            .added_fields_count = MR_ARRAY_COUNT(spot_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(MR_SPOT_VERSION),
            .estimate = mr_spot_estimate,
            .check = mr_spot_check,
        },
    .instance_size = sizeof(struct mr_spot),
    .open = spot_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_spot_close,
    .state_table = "tails",
    .describe_state = mr_spot_describe_state,
};
