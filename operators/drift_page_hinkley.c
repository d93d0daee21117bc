/* operators/drift_page_hinkley.c — drift.page_hinkley: a cumulative sum of the deviations from the
 * running mean that moves away from its own extreme. Source: Page, Continuous inspection schemes
 * (Biometrika 41, 1954); with forgetting, and with the constants of river 0.26, which it equals
 * index for index.
 *
 *   mean  = mean + (x - mean) / n,  d = x - mean
 *   up    = forgetting up + d - delta,    least = min(least, up)
 *   down  = forgetting down + d + delta,  most = max(most, down)         most begins with -1
 *   score = max(up - least, most - down) / threshold        0 for the first warmup - 1 records
 *
 * Stored object, version 1 (little-endian):
 *   0  uint64 n        8  double mean   16  double up     24  double down
 *  32  double least   40  double most   48  uint64 detections */
#include "operators/drift.h"

#include "base/assert.h"
#include "base/endian.h"
#include "operators/registry.h"

enum { PAGE_HINKLEY_VERSION = 1, PAGE_HINKLEY_BYTES = 56 };

enum mode { MODE_BOTH, MODE_UP, MODE_DOWN }; /* of the option, in its order */

static const char page_hinkley_table[] = "test";

struct page_hinkley_object {
    struct mr_drift_mean mean;
    double up;
    double down;
    double least;
    double most;
    uint64_t detections;
};

static size_t object_encode(const void *object, uint8_t *output)
{
    const struct page_hinkley_object *entry = object;
    mr_put_u64le(output, entry->mean.count);
    mr_put_double_le(output + 8, entry->mean.mean);
    mr_put_double_le(output + 16, entry->up);
    mr_put_double_le(output + 24, entry->down);
    mr_put_double_le(output + 32, entry->least);
    mr_put_double_le(output + 40, entry->most);
    mr_put_u64le(output + 48, entry->detections);
    return PAGE_HINKLEY_BYTES;
}

static bool object_decode(void *object, uint32_t version, struct mr_slice stored)
{
    struct page_hinkley_object *entry = object;
    if (version != PAGE_HINKLEY_VERSION || stored.size != PAGE_HINKLEY_BYTES)
        return false;
    entry->mean.count = mr_get_u64le(stored.data);
    entry->mean.mean = mr_get_double_le(stored.data + 8);
    entry->up = mr_get_double_le(stored.data + 16);
    entry->down = mr_get_double_le(stored.data + 24);
    entry->least = mr_get_double_le(stored.data + 32);
    entry->most = mr_get_double_le(stored.data + 40);
    entry->detections = mr_get_u64le(stored.data + 48);
    return true;
}

/* The stream begins, for the first time or behind a drift. */
static void restart(struct page_hinkley_object *entry)
{
    *entry = (struct page_hinkley_object){.detections = entry->detections};
    entry->least = DBL_MAX;
    entry->most = -1;
}

static void page_hinkley_begin(const void *self, const struct mr_model_row *row, void *object)
{
    MR_UNUSED(self);
    MR_UNUSED(row);
    restart(object);
}

static bool page_hinkley_ready(const void *self, const void *object)
{
    const struct mr_drift_page_hinkley *test = self;
    const struct page_hinkley_object *entry = object;
    return entry->mean.count + 1 >= test->warmup;
}

static enum mr_status page_hinkley_learn(void *self, struct mr_model_row *row,
                                         struct mr_error *error)
{
    const struct mr_drift_page_hinkley *test = self;
    struct page_hinkley_object *entry = row->object;
    MR_UNUSED(error);
    mr_drift_mean_learn(&entry->mean, row->values[0]);
    double deviation = row->values[0] - entry->mean.mean;
    entry->up = test->forgetting * entry->up + deviation - test->delta;
    entry->down = test->forgetting * entry->down + deviation + test->delta;
    entry->least = entry->up < entry->least ? entry->up : entry->least;
    entry->most = entry->down > entry->most ? entry->down : entry->most;
    double increase = entry->up - entry->least;
    double decrease = entry->most - entry->down;
    double statistic = test->up ? increase : 0;
    if (test->down && decrease > statistic)
        statistic = decrease;
    row->score = 0;
    if (entry->mean.count >= test->warmup)
        row->score = mr_drift_score(statistic, test->limit);
    if (row->score > 1)
        entry->detections++;
    row->own[MR_DRIFT_PAGE_HINKLEY_WIDTH] = (double)entry->mean.count;
    row->own[MR_DRIFT_PAGE_HINKLEY_ESTIMATION] = entry->mean.mean;
    row->own[MR_DRIFT_PAGE_HINKLEY_INCREASE] = increase;
    row->own[MR_DRIFT_PAGE_HINKLEY_DECREASE] = decrease;
    row->own[MR_DRIFT_PAGE_HINKLEY_DETECTIONS] = (double)entry->detections;
    if (row->score > 1)
        restart(entry);
    return MR_OK;
}

const struct mr_model_type mr_drift_page_hinkley_model = {
    .table = page_hinkley_table,
    .version = PAGE_HINKLEY_VERSION,
    .object_size = sizeof(struct page_hinkley_object),
    .encoded_size_max = PAGE_HINKLEY_BYTES,
    .encode = object_encode,
    .decode = object_decode,
    .begin = page_hinkley_begin,
    .ready = page_hinkley_ready,
    .learn = page_hinkley_learn,
};

/* ---- The detector ---- */

static void page_hinkley_describe(const void *self, const struct mr_model_row *row,
                                  struct mr_detector_finding *finding)
{
    const struct mr_drift_page_hinkley *test = self;
    mr_detector_reason(
        finding,
        "%s is %.6g; its deviations from the mean %.6g of %.0f records sum up to "
        "%.6g upwards and %.6g downwards; the limit is %.6g",
        test->detector.field_text, row->values[0], row->own[MR_DRIFT_PAGE_HINKLEY_ESTIMATION],
        row->own[MR_DRIFT_PAGE_HINKLEY_WIDTH], row->own[MR_DRIFT_PAGE_HINKLEY_INCREASE],
        row->own[MR_DRIFT_PAGE_HINKLEY_DECREASE], test->limit);
}

MR_DETECTOR_CODEC(page_hinkley, mr_drift_page_hinkley_model)

static const struct mr_detector_type page_hinkley_detector = {
    .model = &mr_drift_page_hinkley_model,
    .encode = page_hinkley_encode,
    .decode = page_hinkley_decode,
    .describe = page_hinkley_describe,
};

static enum mr_status page_hinkley_open(void *self, const struct mr_operator_open *open,
                                        struct mr_error *error)
{
    struct mr_drift_page_hinkley *test = self;
    const struct mr_options *options = &open->node->options;
    test->warmup = (uint64_t)mr_options_integer(options, "min_instances");
    test->delta = mr_options_number(options, "delta");
    test->limit = mr_options_number(options, "threshold");
    test->forgetting = mr_options_number(options, "alpha");
    int64_t mode = mr_options_integer(options, "mode");
    test->up = mode != MODE_DOWN;
    test->down = mode != MODE_UP;
    return mr_drift_open(&test->detector, open, &page_hinkley_detector, error);
}

static enum mr_status page_hinkley_describe_state(const struct mr_state_object *object,
                                                  struct mr_arena *arena,
                                                  struct mr_state_description *description,
                                                  struct mr_error *error)
{
    MR_UNUSED(arena);
    struct page_hinkley_object entry = {0};
    if (!mr_stage_describe(&mr_drift_page_hinkley_model, object, &entry, description))
        return mr_operator_not_described(error);
    mr_describe_member(description, "width", mr_value_uint(entry.mean.count));
    mr_describe_member(description, "estimation", mr_value_double(entry.mean.mean));
    if (entry.mean.count > 0) {
        mr_describe_member(description, "increase", mr_value_double(entry.up - entry.least));
        mr_describe_member(description, "decrease", mr_value_double(entry.most - entry.down));
    }
    mr_describe_member(description, "n_detections", mr_value_uint(entry.detections));
    return MR_OK;
}

static void page_hinkley_estimate(const struct mr_options *options,
                                  struct mr_state_estimate *estimate)
{
    mr_detector_estimate(&mr_drift_page_hinkley_model, options, estimate);
}

static const char *const page_hinkley_modes[] = {"both", "up", "down", NULL};

static const struct mr_option_spec page_hinkley_options[] = {
    MR_DETECTOR_OPTION_FIELD,
    {.name = "threshold",
     .type = MR_OPTION_NUMBER,
     .default_text = "50.0",
     .minimum = 1e-300,
     .maximum = 1e300,
     .help = "The sum, in the field's unit, above which it is drift (lambda)."},
    {.name = "delta",
     .type = MR_OPTION_NUMBER,
     .default_text = "0.005",
     .minimum = 0,
     .maximum = 1e300,
     .help =
         "What a record may deviate from the mean, in the field's unit, without being summed up."},
    {.name = "alpha",
     .type = MR_OPTION_SHARE,
     .default_text = "0.9999",
     .minimum = 0,
     .maximum = 1,
     .help = "What the sums keep with each record: 1 forgets nothing."},
    {.name = "min_instances",
     .type = MR_OPTION_INTEGER,
     .default_text = "30",
     .minimum = 1,
     .maximum = 1e6,
     .help = "No drift before this many records."},
    {.name = "mode",
     .type = MR_OPTION_CHOICE,
     .default_text = "both",
     .choices = page_hinkley_modes,
     .help = "Which changes of the mean are looked for: both, up or down."},
    MR_DRIFT_OPTIONS,
    {.name = NULL},
};

static const struct mr_output_field page_hinkley_fields[] = {
    MR_DRIFT_MEMBERS,
    {"width", MR_TYPE_INT, "Records since the last drift, this one included."},
    {"estimation", MR_TYPE_DOUBLE, "Their mean."},
    {"increase", MR_TYPE_DOUBLE, "Sum of deviations above its least so far."},
    {"decrease", MR_TYPE_DOUBLE, "Sum of deviations below its largest so far."},
    {"n_detections", MR_TYPE_INT, "Drifts of the key so far."},
};

const struct mr_operator_type mr_operator_drift_page_hinkley = {
    .spec =
        {
            .name = "drift.page_hinkley",
            .role = MR_ROLE_OPERATOR,
            .flags = MR_TYPE_KEYED | MR_TYPE_ADDS_FIELD,
            .summary = "Finds a lasting rise or fall of the mean by a cumulative sum.",
            .description =
                "Sums up how far each record of a key is from the mean of all so far, and "
                "compares the sum with its own extreme: the Page-Hinkley test, a CUSUM chart "
                "whose baseline is learned. The score is the larger of both directions' "
                "distances (with `mode` one) over `threshold`.\n\n"
                "Finds lasting shifts of the mean soon and at next to no cost. `threshold` and "
                "`delta` are in the field's unit and must be chosen for it. Not for changes of "
                "spread or shape: use drift.kswin; not where the scale is unknown: use "
                "drift.adwin.\n\n"
                "Judges each record with that record in it; the one after a drift begins a new "
                "stream. Index for index equal to river 0.26, whose names the options have; "
                "`n_detections` counts on where river begins anew. No libm: the same bits on "
                "every machine. Numbers beyond +-1e140 are not learned: score 0, members null. "
                "State: 65 bytes a key; changelog: these and the key per record. Paper: Page, "
                "Biometrika 41 (1954).",
            .options = page_hinkley_options,
            .outputs = mr_detector_outputs,
            .outputs_count = MR_DETECTOR_OUTPUTS_COUNT,
            .as_default = "drift",
            .added_fields = page_hinkley_fields,
            .added_fields_count = MR_ARRAY_COUNT(page_hinkley_fields),
            .state_version = MR_DETECTOR_STATE_VERSION(PAGE_HINKLEY_VERSION),
            .estimate = page_hinkley_estimate,
            .check = mr_detector_check,
        },
    .instance_size = sizeof(struct mr_drift_page_hinkley),
    .open = page_hinkley_open,
    .process = mr_detector_process,
    .on_watermark = mr_detector_watermark,
    .reach = mr_detector_reach,
    .close = mr_detector_close,
    .state_table = page_hinkley_table,
    .describe_state = page_hinkley_describe_state,
};
